import { isOperation, type NumberedStep } from '../domain/backup-step.ts';
import type { SeenSide } from '../domain/edge-reply.ts';
import { snapshotName } from '../domain/names.ts';
import { absorb } from '../planner/absorb.ts';
import { inBatch } from '../planner/batch.ts';
import { withNewest } from '../planner/clocks.ts';
import { decideBackup } from '../planner/decide-backup.ts';
import type { RunHistory } from '../planner/history.ts';
import { TEMPORARY } from '../planner/leaks.ts';
import type { Clock, Ledger, OperationStore, Records } from '../ports.ts';
import { admitted } from './admit.ts';
import { answerTo, type TaskFailure } from './answers.ts';
import { operationId } from './operation-id.ts';
import { comparisonId, comparisonOf } from './recording.ts';
import { decideOrLeave, decideStep, noteAnswer } from './step.ts';

export interface DecideDependencies {
  readonly ledger: Ledger;
  readonly operations: Pick<OperationStore, 'load'>;
  readonly records: Pick<Records, 'append'>;
  readonly clock: Clock;
}

/** Enough for the points of an outage that are brought over one by one. */
const RECENT_POINTS = 30;

/**
 * State machine step: notes what came of the step before, decides the next one, records the decision and returns it.
 * Safe to repeat for the same `step`.
 * @throws LeaseLost, EventInvalid
 */
export const decideNext = (deps: DecideDependencies): ((event: unknown) => Promise<NumberedStep>) =>
  decideStep(
    deps,
    (pair) => deps.ledger.recentPoints(pair, RECENT_POINTS),
    async ({ run, steps, pair, points, lease, failure, now }) => {
      const history = await noteAnswers(deps, { run, steps, pair, points }, lease, failure);
      const decision = await admitted(deps.ledger, history, decideBackup(history, now), now);
      return { steps: history.steps, decision };
    },
  );

/** The same for a run in a batch; null when it is to be handed over, which is decided anew by whoever takes it. */
export const decideInBatch = (deps: DecideDependencies): ((event: unknown) => Promise<NumberedStep | null>) =>
  decideOrLeave(
    deps,
    (pair) => deps.ledger.recentPoints(pair, RECENT_POINTS),
    async ({ run, steps, pair, points, lease, failure, now }) => {
      const history = await noteAnswers(deps, { run, steps, pair, points }, lease, failure);
      return { steps: history.steps, decision: inBatch(history, decideBackup(history, now)) };
    },
  );

/** Gives every unanswered step of the open operation its answer, if there is one by now, and applies it to the ledger. */
const noteAnswers = async (
  deps: DecideDependencies,
  history: RunHistory,
  lease: number,
  failure: TaskFailure | null,
): Promise<RunHistory> => {
  const last = history.steps.findLast((step) => step.observed === null);
  if (!last) return history;
  const id = operationId(history.run.runId, last.operationStep);
  const operation = isOperation(last.decision) ? await deps.operations.load(id) : undefined;
  const answer = answerTo(last, operation, failure, (side) => bounded(side, history));
  if (!answer) return history;

  const now = deps.clock.now();
  // Before what follows from it, so that no point is called verified without its entry.
  const comparison = comparisonOf(history.run, last.decision, answer.observed);
  if (comparison) await deps.records.append(history.run.pair, comparisonId(id), comparison, now);
  const { points, pair } = absorb(history, last, answer.observed, id, now);
  await Promise.all(points.map((point) => deps.ledger.putPoint(history.run.pair, point)));
  const merged = new Map(history.points.map((point) => [point.name, point]));
  for (const point of points) merged.set(point.name, point);
  // From all points that are known now: what a crash left out here is made up for by the next answer.
  const patch = {
    ...pair,
    ...withNewest(history.pair, [...merged.values()], [...points.map((it) => it.policy), history.run.policy.name]),
  };
  const changed =
    Object.keys(patch).length > 0 ? await deps.ledger.changePair(history.run.pair, lease, patch) : history.pair;
  const steps = await noteAnswer(deps.ledger, history.run.runId, history.steps, answer, now);
  return {
    run: history.run,
    steps,
    pair: changed,
    points: [...merged.values()].toSorted((one, other) => other.source.created - one.source.created),
  };
};

/** Of a listing that may be long, the snapshots that a decision of this run can turn on. */
const bounded = (side: SeenSide, { run, pair, points }: RunHistory): SeenSide => {
  if (side.state !== 'read') return { ...side, message: side.message.slice(0, 500) };
  const known = new Set<string>([...points.map((it) => it.name)]);
  for (const base of [pair.base, pair.previousBase]) if (base) known.add(base.name);
  const slotPrefix = snapshotName(run.policy.name, run.slot, 1).slice(0, -1);
  return {
    ...side,
    snapshots: side.snapshots.filter(
      ({ name }) => known.has(name) || name.startsWith(slotPrefix) || TEMPORARY.test(name),
    ),
  };
};
