import { BlastRadius, type EdgeParameters } from '../../functions/core/domain/operation.ts';
import type { CommandCanceller, CommandState, EdgeHost, Outputs } from '../../functions/core/ports.ts';
import { HostDied, type InProcessHost } from './host.ts';

export interface Command {
  readonly id: string;
  readonly document: string;
  readonly host: string;
  readonly parameters: EdgeParameters;
  state: CommandState;
}

/** Characters of an output that Run Command itself shows. */
const MOST_SHOWN = 24_000;
const urlOf = (command: string): string => `https://outputs.example/${command}`;

/** What a command that is over looks like to EventBridge. */
export const eventOf = (command: Command): unknown => ({
  detail: { 'command-id': command.id, parameters: { operation: [command.parameters.operation] } },
});

/**
 * Run Command over hosts in this process. A document is named like its blast radius. Commands wait until `deliver` lets
 * their hosts work.
 */
export class InProcessRunCommand implements EdgeHost, CommandCanceller {
  readonly #hosts: Readonly<Record<string, InProcessHost>>;
  readonly commands: Command[] = [];

  constructor(hosts: Readonly<Record<string, InProcessHost>>) {
    this.#hosts = hosts;
  }

  readonly send: EdgeHost['send'] = async (document, host, parameters) => {
    const id = `command-${this.commands.length + 1}`;
    this.commands.push({ id, document, host, parameters, state: { kind: 'running' } });
    return { commandId: id };
  };

  readonly find: EdgeHost['find'] = async (document, operation) => {
    const found = this.commands.find((it) => it.document === document && it.parameters.operation === operation);
    return found && { commandId: found.id };
  };

  readonly state: EdgeHost['state'] = async (commandId) =>
    this.commands.find((it) => it.id === commandId)?.state ?? { kind: 'running' };

  readonly cancel: CommandCanceller['cancel'] = async (commandId) => {
    const command = this.commands.find((it) => it.id === commandId);
    if (command?.state.kind === 'running') command.state = { kind: 'ended', status: 'Cancelled', output: '' };
  };

  /** What a command wrote, as it lies in the bucket of outputs. */
  readonly outputs: { read: Outputs['read'] } = {
    read: async (url) => {
      const state = this.commands.find(({ id }) => urlOf(id) === url)?.state;
      return state?.kind === 'ended' ? state.output : undefined;
    },
  };

  pending(): readonly Command[] {
    return this.commands.filter((it) => it.state.kind === 'running');
  }

  /** Lets the host do a command; what dies with its host ends without output. */
  deliver(command: Command): void {
    try {
      const ran = this.#hosts[command.host]?.run(BlastRadius.parse(command.document), command.parameters);
      command.state = ran
        ? {
            kind: 'ended',
            status: ran.exit === 0 ? 'Success' : 'Failed',
            output: ran.stdout,
            ...(ran.stdout.length > MOST_SHOWN ? { url: urlOf(command.id) } : {}),
          }
        : { kind: 'ended', status: 'Undeliverable', output: '' };
    } catch (error) {
      if (!(error instanceof HostDied)) throw error;
      command.state = { kind: 'ended', status: 'Terminated', output: '' };
    }
  }
  /** The command reaches its host although it ended or was cancelled; nobody hears what comes of it. */
  deliverAgain({ state, ...command }: Command): void {
    this.deliver({ ...command, state });
  }
}
