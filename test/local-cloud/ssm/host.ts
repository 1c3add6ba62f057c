import { join } from 'node:path';
import { type Clock, working } from '../clock.ts';
import { type CommandDocument, type Parameters, parameterText, render } from './documents.ts';
import type { ProcessResult, RunningProcess } from './process.ts';
import { runScript } from './process.ts';

/** What a finished script looked like to those who say how long it took. */
export interface Finished extends ProcessResult {
  readonly commandId: string;
  readonly documentName: string;
  readonly parameters: Parameters;
}

/** A command that a host without a shell is to do. */
export interface Work {
  readonly commandId: string;
  readonly documentName: string;
  /** One value each; lists are JSON. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** A managed node of the template's account. */
export interface HostDefinition {
  readonly id: string;
  /** All that a command's environment has, besides what the agent adds. */
  readonly environment: Readonly<Record<string, string>>;
  readonly tags?: Readonly<Record<string, string>>;
  readonly agent?: {
    readonly version?: string;
    /** False: an agent before 3.3.2746.0, which ignores `interpolationType`. */
    readonly environmentParameters?: boolean;
    /** False: a cancelled command is reported as such while its process goes on. */
    readonly cancelKills?: boolean;
  };
  /** Does the work inside this process instead of a shell: for tests that are not about the script. */
  readonly run?: (work: Work) => { readonly exitCode: number; readonly stdout: string; readonly stderr: string };
  /** IAM policy document of the host's instance profile or hybrid role; without one it may upload where it likes. */
  readonly policy?: unknown;
  /** How long a reboot takes after exit 194. */
  readonly rebootSeconds?: number;
  /** Virtual time only: seconds that a command took in the story; its end is withheld until then. */
  readonly duration?: (finished: Finished) => number;
}

/** SSM Agent, `Mds.CommandWorkersLimit`. */
const workers = 5;
/** SSM Agent, `CommandRetryLimit`: starts of one command over reboots. */
const mostStarts = 15;
export const rebootExitCode = 194;
const agentPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** One command at work on a host. */
export interface Job {
  readonly commandId: string;
  readonly document: CommandDocument;
  readonly parameters: Parameters;
  readonly started: () => void;
  readonly ended: (result: ProcessResult) => void;
}

interface Running {
  process: RunningProcess | undefined;
  /** Ends the time that is withheld. */
  wake: () => void;
  cancelled: boolean;
}

/** An edge host with its agent: five commands at a time, each a process of its own. */
export class Host {
  readonly definition: HostDefinition;
  readonly #clock: Clock;
  readonly #directory: string;
  readonly #queue: Job[] = [];
  readonly #running = new Map<string, Running>();
  readonly #untold: (() => void)[] = [];
  #connected = true;
  /** Grows with every crash: what ran before it reports nothing. */
  #boot = 0;

  constructor(definition: HostDefinition, clock: Clock, directory: string) {
    this.definition = definition;
    this.#clock = clock;
    this.#directory = directory;
  }

  get connected(): boolean {
    return this.#connected;
  }

  get agentVersion(): string {
    return this.definition.agent?.version ?? (this.knowsEnvironment ? '3.3.3050.0' : '3.3.987.0');
  }

  get knowsEnvironment(): boolean {
    return this.definition.agent?.environmentParameters ?? true;
  }

  /** The network to AWS is lost: nothing arrives, what runs goes on, its end is told after `connect`. */
  disconnect(): void {
    this.#connected = false;
  }

  connect(): void {
    this.#connected = true;
    for (const tell of this.#untold.splice(0)) tell();
    this.#next();
  }

  /** The machine dies: processes are gone and their commands never report. It stays away until `connect`. */
  crash(): void {
    this.#connected = false;
    this.#boot++;
    this.#queue.length = 0;
    this.#untold.length = 0;
    for (const running of this.#running.values()) {
      running.process?.kill();
      running.wake();
    }
  }

  deliver(job: Job): void {
    this.#queue.push(job);
    this.#next();
  }

  /** Takes back what was not started; false when it was. */
  withdraw(commandId: string): boolean {
    const index = this.#queue.findIndex((job) => job.commandId === commandId);
    if (index >= 0) this.#queue.splice(index, 1);
    return index >= 0;
  }

  cancel(commandId: string): void {
    const running = this.#running.get(commandId);
    if (!running || this.definition.agent?.cancelKills === false) return;
    running.cancelled = true;
    running.process?.kill();
    running.wake();
  }

  /** Kills everything, for good. */
  async close(): Promise<void> {
    this.crash();
    await Promise.allSettled([...this.#running.values()].map((running) => running.process?.result));
  }

  #next(): void {
    while (this.#connected && this.#running.size < workers) {
      const job = this.#queue.shift();
      if (!job) return;
      void this.#run(job);
    }
  }

  async #run(job: Job): Promise<void> {
    const running: Running = { process: undefined, wake: () => {}, cancelled: false };
    this.#running.set(job.commandId, running);
    const boot = this.#boot;
    job.started();
    const result = await this.#runToEnd(job, running, boot);
    this.#running.delete(job.commandId);
    if (boot === this.#boot) {
      const tell = () => job.ended(result);
      if (this.#connected) tell();
      else this.#untold.push(tell);
    }
    this.#next();
  }

  async #runToEnd(job: Job, running: Running, boot: number): Promise<ProcessResult> {
    const rendered = render(job.document, job.parameters, this.knowsEnvironment);
    for (let start = 1; ; start++) {
      const result = await working(this.#clock, () => {
        const inside = this.definition.run?.({
          commandId: job.commandId,
          documentName: job.document.name,
          parameters: Object.fromEntries(
            Object.entries(job.parameters).map(([name, values]) => [name, parameterText(job.document, name, values)]),
          ),
        });
        if (inside) return Promise.resolve<ProcessResult>({ ...inside, ending: 'exited' });
        running.process = runScript({
          directory: join(this.#directory, job.commandId, String(start)),
          script: rendered.script,
          workingDirectory: rendered.workingDirectory,
          timeoutSeconds: rendered.timeoutSeconds,
          environment: {
            PATH: agentPath,
            AWS_SSM_REGION_NAME: 'eu-central-1',
            AWS_SSM_INSTANCE_ID: this.definition.id,
            ...this.definition.environment,
            ...rendered.environment,
          },
        });
        return running.process.result;
      });
      const told = await this.#withhold(job, running, result, rendered.timeoutSeconds);
      if (told.ending !== 'exited' || told.exitCode !== rebootExitCode || start >= mostStarts || boot !== this.#boot)
        return told;
      await this.#sleep(running, this.definition.rebootSeconds ?? 0);
    }
  }

  /** In virtual time a process takes none: the story says how long it was, and a limit may strike before. */
  async #withhold(job: Job, running: Running, result: ProcessResult, limit: number): Promise<ProcessResult> {
    if (this.#clock.kind === 'real' || !this.definition.duration || result.ending !== 'exited') return result;
    const { commandId, document, parameters } = job;
    const seconds = this.definition.duration({ ...result, commandId, documentName: document.name, parameters });
    await this.#sleep(running, Math.min(seconds, limit));
    if (running.cancelled) return { ...result, exitCode: -1, ending: 'killed' };
    return seconds > limit ? { ...result, exitCode: -1, ending: 'timed-out' } : result;
  }

  #sleep(running: Running, seconds: number): Promise<void> {
    if (running.cancelled || seconds <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#clock.at(this.#clock.now() + seconds * 1000, () => resolve());
      running.wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
