import * as z from 'zod';
import { type BackupStep, isOperation, type NumberedStep } from '../domain/backup-step.ts';
import { type EdgeReply, parseEdgeReply, type SeenSide } from '../domain/edge-reply.ts';
import type { Observation, RunStep } from '../domain/ledger.ts';
import { RunId, snapshotName, splitRunId } from '../domain/names.ts';
import type { Operation } from '../domain/operation.ts';
import { type EpochMs, later } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { absorb } from '../planner/absorb.ts';
import { decideBackup } from '../planner/decide-backup.ts';
import { diffSlotOf, withoutDiffSlot } from '../planner/diff-slots.ts';
import type { RunHistory } from '../planner/history.ts';
import { TEMPORARY } from '../planner/leaks.ts';
import type { Clock, Ledger, OperationStore, Records } from '../ports.ts';
import { LEASE } from './open-run.ts';
import { operationId } from './operation-id.ts';
import { parseEvent } from './parse-event.ts';
import { comparisonId, comparisonOf } from './recording.ts';

/** What a Catch of the state machine hands on. */
export const TaskFailure = z.object({ Error: z.string(), Cause: z.string().default('') });
export type TaskFailure = z.infer<typeof TaskFailure>;

const DecideEvent = z.strictObject({
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
  const answer = answerTo(last, operation, failure, history);
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

interface Answer {
  readonly observed: Observation;
  readonly jvmStarts: number | null;
}

/** The answer to a step; undefined while its operation may still be going on. */
const answerTo = (
  step: RunStep,
  operation: Operation | undefined,
  failure: TaskFailure | null,
  history: RunHistory,
): Answer | undefined => {
  if (!isOperation(step.decision)) return { observed: { kind: 'elapsed' }, jvmStarts: null };
  const none = (error: string, cause: string): Answer => ({
    observed: { kind: 'no-answer', error, cause: cause.slice(0, 1500) },
    jvmStarts: null,
  });
  if (!operation) return none(failure?.Error ?? 'EdgeUnreachable', failure?.Cause ?? 'the operation was never started');
  if (!operation.outcome) return undefined;
  if (operation.outcome.kind === 'lost') return none(operation.outcome.error, operation.outcome.detail);
  const parsed = parseEdgeReply(operation.outcome.reply, operation.id);
  if ('problem' in parsed) return none('EdgeReplyInvalid', parsed.problem);
  const { reply } = parsed;
  // A probe that ended answers for the copy that it asked for.
  const asked = reply.verb === 'probe' && reply.outcome === 'ok' ? reply.data?.reply : null;
  if (reply.verb === 'probe' && reply.outcome !== 'ok') return none('EdgeFailed', `${reply.code} ${reply.message}`);
  return { observed: observationOf(asked ?? reply, history), jvmStarts: reply.jvmStarts };
};

const observationOf = (reply: EdgeReply, history: RunHistory): Observation => {
  if (reply.outcome !== 'ok' || reply.data === null)
    return {
      kind: 'not-done',
      outcome: reply.outcome === 'ok' ? 'failed' : reply.outcome,
      code: reply.code,
      message: reply.message.slice(0, 1500),
      data: reply.verb === 'replicate' && reply.data ? { ...reply.data, log: '' } : null,
    };
  switch (reply.verb) {
    case 'survey':
      return {
        kind: 'survey',
        source: bounded(reply.data.source, history),
        replica: reply.data.replica && bounded(reply.data.replica, history),
        active: { source: countActive(reply.data.source), replica: countActive(reply.data.replica) },
      };
    case 'snapshot': {
      const { created, snapshot, diff } = reply.data;
      return { kind: 'snapshot', created, snapshot, diff };
    }
    case 'diff':
      return { kind: 'diff', status: reply.data.status, reason: reply.data.reason };
    case 'replicate':
      return { kind: 'replicate', data: { ...reply.data, log: '' } };
    case 'verify':
      return { kind: 'verify', data: reply.data };
    case 'create-bucket':
      return { kind: 'bucket', ...reply.data };
    case 'tidy':
      return { kind: 'tidy', data: reply.data };
    case 'delete':
      return { kind: 'deletion', data: reply.data };
    case 'probe':
      return { kind: 'probe', state: reply.data.state === 'ended' ? 'unknown' : reply.data.state };
  }
};

const countActive = (side: SeenSide | null): number =>
  side?.state === 'read' ? side.snapshots.filter((it) => it.status === 'ACTIVE').length : 0;

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
