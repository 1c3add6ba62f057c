import * as z from 'zod';
import { type BackupStep, isOperation, type NumberedStep } from '../domain/backup-step.ts';
import type { SeenSide } from '../domain/edge-reply.ts';
import { RunId, snapshotName, splitRunId } from '../domain/names.ts';
import { type EpochMs, later } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { absorb } from '../planner/absorb.ts';
import { decideBackup } from '../planner/decide-backup.ts';
import { diffSlotOf, withoutDiffSlot } from '../planner/diff-slots.ts';
import type { RunHistory } from '../planner/history.ts';
import { TEMPORARY } from '../planner/leaks.ts';
import type { Clock, Ledger, OperationStore, Records } from '../ports.ts';
import { answerTo, TaskFailure } from './answers.ts';
import { LEASE } from './open-run.ts';
import { operationId } from './operation-id.ts';
import { parseEvent } from './parse-event.ts';
import { comparisonId, comparisonOf } from './recording.ts';

export const DecideEvent = z.strictObject({
  runId: RunId,
  lease: z.number().int().positive(),
  step: z.number().int().nonnegative(),
  failure: TaskFailure.nullable(),
});

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
export const decideNext =
  (deps: DecideDependencies) =>
  async (event: unknown): Promise<NumberedStep> => {
    const { runId, lease, step, failure } = parseEvent(DecideEvent, event);
    const { pair: pairOf } = splitRunId(runId);
    const now = deps.clock.now();
    const [pair, points, known] = await Promise.all([
      deps.ledger.renewLease(pairOf, lease, later(now, LEASE)),
      deps.ledger.recentPoints(pairOf, RECENT_POINTS),
      deps.ledger.loadRun(runId),
    ]);
    if (!known) throw new DrError('EventInvalid', `there is no run ${runId}`);
    const recorded = known.steps.find((it) => it.n === step);
    if (recorded) return { ...recorded.decision, operationStep: recorded.operationStep };

    const history = await noteAnswers(deps, { ...known, pair, points }, lease, failure);
    const decision = await admitted(deps, history, decideBackup(history, now), now);
    // An operation that is still open is attached to: the decision is that of its own step.
    const open = history.steps.findLast((it) => it.observed === null);
    const made = await deps.ledger.recordStep(runId, {
      n: step,
      decision,
      decidedAt: now,
      operationStep: open && isOperation(decision) ? open.operationStep : step,
      observed: null,
      observedAt: null,
      jvmStarts: null,
    });
    return { ...made.decision, operationStep: made.operationStep };
  };

/** A step that makes an Ozone Manager compute a diff needs one of the places that the cluster has for that. */
const admitted = async (
  deps: DecideDependencies,
  history: RunHistory,
  step: BackupStep,
  now: EpochMs,
): Promise<BackupStep> => {
  const { pair, policy } = history.run;
  // A copy begins when the diff of the source is done.
  if (step.kind === 'replicate') await deps.ledger.releaseDiffSlot(policy.source.name, pair);
  const slot = diffSlotOf(history, step);
  if (!slot) return step;
  const { cluster, holdFor } = slot;
  const isAdmitted = await deps.ledger.takeDiffSlot(cluster.name, pair, cluster.diffJobs, later(now, holdFor), now);
  return isAdmitted ? step : withoutDiffSlot(step, slot);
};

/** Gives every unanswered step of the open operation its answer, if there is one by now, and applies it to the ledger. */
const noteAnswers = async (
  deps: DecideDependencies,
  history: RunHistory,
  lease: number,
  failure: TaskFailure | null,
): Promise<RunHistory> => {
  const waiting = history.steps.filter((step) => step.observed === null);
  const last = waiting.at(-1);
  if (!last) return history;
  const id = operationId(history.run.runId, last.operationStep);
  const operation = isOperation(last.decision) ? await deps.operations.load(id) : undefined;
  const answer = answerTo(last, operation, failure, (side) => bounded(side, history));
  if (!answer) return history;

  const now = deps.clock.now();
  // Before what follows from it, so that no point is called verified without its entry.
  if (last.decision.kind === 'verify' && answer.observed.kind === 'verify') {
    const comparison = comparisonOf(history.run, last.decision.target.name, answer.observed.data);
    await deps.records.append(history.run.pair, comparisonId(id), comparison, now);
  }
  const { points, pair } = absorb(history, last, answer.observed, id, now);
  await Promise.all(points.map((point) => deps.ledger.putPoint(history.run.pair, point)));
  const changed =
    Object.keys(pair).length > 0 ? await deps.ledger.changePair(history.run.pair, lease, pair) : history.pair;
  // Earlier attachments to the same operation were cut off; the answer belongs to the last one.
  const observations = waiting.map((step) => ({
    ...step,
    observed: step === last ? answer.observed : ({ kind: 'elapsed' } as const),
    observedAt: now,
    jvmStarts: step === last ? answer.jvmStarts : null,
  }));
  for (const step of observations)
    await deps.ledger.recordObservation(history.run.runId, step.n, step.observed, now, step.jvmStarts);
  const merged = new Map(history.points.map((point) => [point.name, point]));
  for (const point of points) merged.set(point.name, point);
  return {
    run: history.run,
    steps: history.steps.map((step) => observations.find((it) => it.n === step.n) ?? step),
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
