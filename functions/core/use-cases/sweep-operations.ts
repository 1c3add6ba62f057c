import type { Operation } from '../domain/operation.ts';
import { type EpochMs, later, seconds, secondsBetween } from '../domain/units.ts';
import { isDrError } from '../errors.ts';
import type { Clock, CommandCanceller, EdgeHost, Ledger, OperationStore, TaskCallbacks, Workflow } from '../ports.ts';
import { LEASE } from './open-run.ts';
import { type ReclaimDependencies, reclaimSlots } from './reclaim-slots.ts';
import { endOperation, notify, type SettleDependencies, settle } from './settle-operation.ts';

export interface SweepDependencies extends ReclaimDependencies {
  readonly operations: OperationStore;
  readonly ledger: Pick<Ledger, 'renewLease'> & ReclaimDependencies['ledger'];
  readonly edge: Pick<EdgeHost, 'find' | 'state'> & CommandCanceller;
  readonly callbacks: TaskCallbacks;
  readonly workflow: Workflow;
  readonly clock: Clock;
  readonly onFenced?: NonNullable<SettleDependencies['onFenced']>;
  readonly report: (problem: string, error: unknown) => void;
}

export interface SweepResult {
  readonly open: number;
  readonly settled: number;
  /** Places of runs that are over. */
  readonly reclaimed: number;
  readonly oldestSeconds: number;
}

/** After this long without a command id, Run Command is asked whether the command was ever sent. */
const SENDING = seconds(120);

/**
 * The truth behind the events: looks at every open operation, settles what is over, keeps what is alive, and ends what
 * never came to be or passed its deadline, whatever fails meanwhile; then gives back the places of runs that are over. One operation that fails does not keep the others
 * waiting.
 * @throws the last error, after all operations were looked at, so that the alarm on this function sees it
 */
export const sweepOperations = (deps: SweepDependencies) => async (): Promise<SweepResult> => {
  const open = await deps.operations.open();
  const now = deps.clock.now();
  let settled = 0;
  let problem: { readonly error: unknown } | undefined;
  for (const operation of open) {
    try {
      if (await sweepOne(deps, operation, now)) settled += 1;
    } catch (error) {
      deps.report(`operation ${operation.id} could not be swept`, error);
      problem = { error };
    }
  }
  let reclaimed = 0;
  try {
    reclaimed = await reclaimSlots(deps, now);
  } catch (error) {
    deps.report('the places of runs that are over could not be given back', error);
    problem = { error };
  }
  if (problem) throw problem.error;
  const oldestSeconds = Math.max(0, ...open.map((it) => secondsBetween(it.createdAt, now)));
  return { open: open.length, settled, reclaimed, oldestSeconds };
};

const sweepOne = async (deps: SweepDependencies, operation: Operation, now: EpochMs): Promise<boolean> => {
  const isOverdue = now > operation.deadline;
  let sent = operation;
  let why = 'it was not over';
  try {
    sent = await withCommand(deps, operation, now);
    if (await settle(deps, sent)) return true;
    if (!isOverdue) await keepAlive(deps, sent, now);
  } catch (error) {
    if (!isOverdue) throw error;
    // What fails minute after minute must not keep an operation open for ever.
    deps.report(`operation ${operation.id} could not be settled by its deadline`, error);
    why = `it could not be settled: ${error instanceof Error ? error.message.slice(0, 500) : String(error)}`;
  }
  if (!isOverdue) return false;
  if (sent.commandId) {
    try {
      await deps.edge.cancel(sent.commandId, sent.host);
    } catch (error) {
      deps.report(`the command of operation ${operation.id} could not be cancelled`, error);
    }
  }
  const detail = `${why} at ${new Date(sent.deadline).toISOString()}, its last time-out included`;
  await notify(deps, await endOperation(deps, sent, { kind: 'lost', error: 'EdgeInterrupted', detail }));
  return true;
};

/** Finds the command of an operation whose starter died before it could note the command's id. */
const withCommand = async (deps: SweepDependencies, operation: Operation, now: EpochMs): Promise<Operation> => {
  const { id, document, createdAt, commandId, outcome } = operation;
  if (commandId || outcome || now <= later(createdAt, SENDING)) return operation;
  const found = await deps.edge.find(document, id, createdAt);
  if (found) {
    await deps.operations.sent(id, found.commandId);
    return { ...operation, commandId: found.commandId };
  }
  return endOperation(deps, operation, {
    kind: 'lost',
    error: 'EdgeUnreachable',
    detail: 'the command was never sent',
  });
};

/** A live operation keeps its Task and its lease, or those of all its members; that of an execution that is over is cancelled. */
const keepAlive = async (deps: SweepDependencies, operation: Operation, now: EpochMs): Promise<void> => {
  const delivery = await deps.workflow.heartbeat(operation.token);
  if (delivery === 'gone' && !(await deps.workflow.isRunning(operation.execution))) {
    if (operation.commandId) await deps.edge.cancel(operation.commandId, operation.host);
    return;
  }
  for (const { pair, lease } of operation.members ?? [operation])
    try {
      await deps.ledger.renewLease(pair, lease, later(now, LEASE));
    } catch (error) {
      // Somebody else took the lease: this operation is stale, and its host refuses it by its fencing token.
      if (!isDrError(error, 'LeaseLost')) throw error;
    }
};
