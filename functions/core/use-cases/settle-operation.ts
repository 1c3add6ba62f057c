import * as z from 'zod';
import { parseEdgeReply, replyIn, replyText, shortened } from '../domain/edge-reply.ts';
import { OperationId } from '../domain/names.ts';
import type { Operation, OperationOutcome } from '../domain/operation.ts';
import { bounded } from '../planner/kept.ts';
import type { CommandState, EdgeHost, OperationStore, TaskCallbacks } from '../ports.ts';
import { inParallel } from './in-parallel.ts';
import { hashOf } from './plan-text.ts';

export interface SettleDependencies {
  readonly operations: OperationStore;
  readonly edge: Pick<EdgeHost, 'state'>;
  readonly callbacks: TaskCallbacks;
  /** Hears when a host refused an operation because of its fencing token. Perhaps more than once for one operation. */
  readonly onFenced?: (operation: Operation, code: string) => void;
}

/** Names under which a step fails in the state machine's history, by what the host answered. */
const EDGE_ERRORS = {
  refused: 'EdgeRefused',
  failed: 'EdgeFailed',
  unreachable: 'EdgeUnreachable',
  interrupted: 'EdgeInterrupted',
} as const;

/** Terminal states without a reply in which the host never took the command, or never said so. */
const NOT_DELIVERED: ReadonlySet<string> = new Set([
  'DeliveryTimedOut',
  'Undeliverable',
  'InvalidPlatform',
  'NoInstancesInTag',
  'RateExceeded',
]);

/** What the end of a command means. A command that ended without a whole reply proves nothing. */
export const outcomeOf = (state: Extract<CommandState, { kind: 'ended' }>, id: OperationId): OperationOutcome => {
  const parsed = parseEdgeReply(state.output, id);
  if ('reply' in parsed) return { kind: 'reply', reply: replyIn(state.output) };
  if (parsed.refusal) return { kind: 'lost', error: 'EdgeRefused', detail: parsed.refusal };
  const detail = `Run Command says ${state.status}; ${parsed.problem}: ${state.output.slice(-800)}`;
  if (NOT_DELIVERED.has(state.status)) return { kind: 'lost', error: 'EdgeUnreachable', detail };
  if (state.status === 'AccessDenied') return { kind: 'lost', error: 'EdgeRefused', detail };
  // The script always ends with a reply: one that failed without beginning it was killed.
  if (state.status === 'Success' || (state.status === 'Failed' && state.output.includes('-----BEGIN')))
    return { kind: 'lost', error: 'EdgeReplyInvalid', detail };
  return { kind: 'lost', error: 'EdgeInterrupted', detail };
};

/** What a command for several operations has to say of each, and of itself: what is kept with its members it need not keep. */
const divided = (outcome: OperationOutcome, { id: batch, parameters: { verb } }: Operation) => {
  const all = (it: OperationOutcome) => ({ of: () => it, itself: it });
  if (outcome.kind === 'lost') return all(outcome);
  const parsed = parseEdgeReply(outcome.reply, batch);
  if ('problem' in parsed) return all({ kind: 'lost', error: 'EdgeReplyInvalid', detail: parsed.problem });
  const { reply } = parsed;
  const parts = reply.verb === 'batch' ? (reply.data?.replies ?? []) : [];
  const of = (id: OperationId): OperationOutcome => {
    const part = parts.find(({ operation }) => operation === id);
    if (part) return { kind: 'reply', reply: replyText(part) };
    if (reply.outcome === 'ok')
      return { kind: 'lost', error: 'EdgeReplyInvalid', detail: `the reply of the batch ${batch} says nothing of it` };
    // What refused or broke the whole command holds for each of them.
    return { kind: 'reply', reply: replyText({ ...reply, operation: id, verb, jvmStarts: 0, data: null }) };
  };
  const itself: OperationOutcome =
    reply.verb === 'batch' ? { kind: 'reply', reply: replyText({ ...reply, data: { replies: [] } }) } : outcome;
  return { of, itself };
};

/**
 * Records how an operation ended. Of a batch each member's end comes first: as long as one is missing, the batch is open
 * and is settled again. Safe to repeat.
 * @param url where the output lies, if Run Command does not show all of it
 */
export const endOperation = async (
  deps: Pick<SettleDependencies, 'operations' | 'callbacks' | 'onFenced'>,
  operation: Operation,
  outcome: OperationOutcome,
  url?: string,
): Promise<Operation> => {
  if (!operation.members) return deps.operations.ended(operation.id, kept(operation, outcome, url));
  const { of, itself } = divided(outcome, operation);
  await inParallel(operation.members, 5, async (member) => {
    const { operation: id, keep } = member;
    const ended = await deps.operations.ended(id, kept({ id, keep }, of(id)));
    tellIfFenced(deps, ended);
    // The run goes on alone and waits for it.
    if (ended.token !== '') await notify(deps, ended);
  });
  return deps.operations.ended(operation.id, itself);
};

const tellIfFenced = ({ onFenced }: Pick<SettleDependencies, 'onFenced'>, operation: Operation): void => {
  const { id, outcome } = operation;
  const parsed = outcome?.kind === 'reply' ? parseEdgeReply(outcome.reply, id) : undefined;
  if (parsed && 'reply' in parsed && parsed.reply.code.startsWith('fence-')) onFenced?.(operation, parsed.reply.code);
};

/** A bucket may have more snapshots than an item has room for. */
const kept = (
  { id, keep }: Pick<Operation, 'id' | 'keep'>,
  outcome: OperationOutcome,
  url?: string,
): OperationOutcome => {
  if (!keep || outcome.kind !== 'reply') return outcome;
  const { kind, reply } = outcome;
  if (keep !== 'whole') return { kind, reply: shortened(reply, id, (side) => bounded(side, keep)) };
  // What Run Command shows itself is short.
  if (url === undefined) return outcome;
  const unlisted = shortened(reply, id, (side) => (side.state === 'read' ? { ...side, snapshots: [] } : side));
  return { kind, reply: unlisted, whole: { url, hash: hashOf(reply) } };
};

/** Tells the state machine how an operation ended, then closes it. Safe to repeat. */
export const notify = async (
  deps: Pick<SettleDependencies, 'operations' | 'callbacks' | 'onFenced'>,
  operation: Operation,
): Promise<void> => {
  const { id, token, outcome } = operation;
  if (!outcome) return;
  if (outcome.kind === 'lost') await deps.callbacks.fail(token, outcome.error, outcome.detail);
  else {
    const parsed = parseEdgeReply(outcome.reply, id);
    if ('problem' in parsed) await deps.callbacks.fail(token, 'EdgeReplyInvalid', parsed.problem);
    else if (parsed.reply.outcome === 'ok') await deps.callbacks.succeed(token, { operation: id });
    else {
      if (parsed.reply.code.startsWith('fence-')) deps.onFenced?.(operation, parsed.reply.code);
      await deps.callbacks.fail(
        token,
        EDGE_ERRORS[parsed.reply.outcome],
        `${parsed.reply.code} on ${parsed.reply.host}: ${parsed.reply.message}`,
      );
    }
  }
  await deps.operations.notified(id, token);
};

/**
 * Looks at the command of an open operation and, if it is over, records the outcome and wakes the state machine. The
 * one piece of code behind the event rule and the sweeper; lost, doubled and early events are harmless.
 * @returns whether the operation is over
 */
export const settle = async (deps: SettleDependencies, operation: Operation): Promise<boolean> => {
  if (operation.outcome) {
    if (operation.state !== 'notified') await notify(deps, operation);
    return true;
  }
  if (!operation.commandId) return false;
  const state = await deps.edge.state(operation.commandId, operation.host);
  if (state.kind === 'running') return false;
  await notify(deps, await endOperation(deps, operation, outcomeOf(state, operation.id), state.url));
  return true;
};

/** The event of a command: its parameters name the operation, also before the command id was stored. */
const CommandEvent = z.object({
  detail: z.object({
    'command-id': z.string(),
    parameters: z.object({ operation: z.tuple([OperationId]) }),
  }),
});

/** Event handler: a hint that a command may be over. Events of other commands are none of ours. */
export const settleOperation =
  (deps: SettleDependencies) =>
  async (event: unknown): Promise<{ readonly settled: boolean }> => {
    const parsed = CommandEvent.safeParse(event);
    if (!parsed.success) return { settled: false };
    const { 'command-id': commandId, parameters } = parsed.data.detail;
    const operation = await deps.operations.load(parameters.operation[0]);
    if (!operation) return { settled: false };
    // A doubled SendCommand leaves two commands: the first that ends with a reply settles the operation.
    return { settled: await settle(deps, { ...operation, commandId: operation.commandId ?? commandId }) };
  };
