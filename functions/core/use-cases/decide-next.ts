import { type BackupStep, isOperation, type NumberedStep } from '../domain/backup-step.ts';
import type { RecoveryPoint } from '../domain/ledger.ts';
import { isLocal, type PairId, type RunId } from '../domain/names.ts';
import { absorb } from '../planner/absorb.ts';
import { asInBatch } from '../planner/batch.ts';
import { withNewest } from '../planner/clocks.ts';
import { decideBackup } from '../planner/decide-backup.ts';
import type { RunHistory } from '../planner/history.ts';
import { bounded, keptOf } from '../planner/kept.ts';
import type { Clock, Ledger, OperationStore, Records } from '../ports.ts';
import { admitted } from './admit.ts';
import { answerTo, type TaskFailure } from './answers.ts';
import { operationId } from './operation-id.ts';
import { comparisonId, comparisonOf } from './recording.ts';
import { decideStep, noteAnswer, type Proposal, proposeStep } from './step.ts';

export interface DecideDependencies {
  readonly ledger: Ledger;
  readonly operations: Pick<OperationStore, 'load'>;
  readonly records: Pick<Records, 'append'>;
  readonly clock: Clock;
}

/** Enough where each backup came to its end. */
const NEWEST_POINTS = 5;
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
    (pair, runId) => pointsOf(deps.ledger, pair, runId),
    async ({ run, steps, pair, points, lease, failure, now }) => {
      const history = await noteAnswers(deps, { run, steps, pair, points }, lease, failure);
      const decision = await admitted(deps.ledger, history, decideBackup(history, now), now);
      return { steps: history.steps, decision: keeping(history, decision) };
    },
  );

/** The same for a run in a batch, which takes it only if it stays there: what is left is decided anew by whoever takes the run. */
export const proposeInBatch = (deps: DecideDependencies): ((event: unknown) => Promise<Proposal>) =>
  proposeStep(
    deps,
    (pair, runId) => pointsOf(deps.ledger, pair, runId),
    async ({ run, steps, pair, points, lease, failure, now }) => {
      const history = await noteAnswers(deps, { run, steps, pair, points }, lease, failure);
      return { steps: history.steps, decision: keeping(history, asInBatch(decideBackup(history, now))) };
    },
  );

/** A survey says what is kept of its listing: a bucket may have more snapshots than an item has room for. */
const keeping = (history: RunHistory, step: BackupStep): BackupStep =>
  step.kind === 'survey' ? { ...step, keep: keptOf(history) } : step;

/** As many as decisions turn on: a backup must not cost more the more points there are. */
const pointsOf = async (
  ledger: Pick<Ledger, 'recentPoints'>,
  pair: PairId,
  runId: RunId,
): Promise<readonly RecoveryPoint[]> => {
  const newest = await ledger.recentPoints(pair, NEWEST_POINTS);
  const isEnough =
    newest.length < NEWEST_POINTS ||
    isLocal(pair) ||
    newest.every((it) => it.state === 'verified' || it.runId === runId);
  return isEnough ? newest : ledger.recentPoints(pair, RECENT_POINTS);
};

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
  const answer = answerTo(last, operation, failure, (side) => bounded(side, keptOf(history)));
  if (!answer) return history;

  const now = deps.clock.now();
  // Before what follows from it, so that no point is called verified without its entry.
  const comparison = comparisonOf(history.run, last.decision, answer.observed);
  if (comparison) await deps.records.append(history.run.pair, comparisonId(id), comparison, now);
  const group = history.run.policy.fleet.together ? operation?.batch : undefined;
  const { points, pair } = absorb(history, last, answer.observed, id, now, group);
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
