import type { BackupStep, PruneOutcome } from '../domain/backup-step.ts';
import type { SeenSide } from '../domain/edge-reply.ts';
import type { RunStep } from '../domain/ledger.ts';
import type { SnapshotId, SnapshotName } from '../domain/names.ts';
import type { PlanHash, Side } from '../domain/retention.ts';
import { Bytes, type EpochMs, seconds } from '../domain/units.ts';
import { afterFailure } from './failures.ts';
import { currentSteps, type RunHistory } from './history.ts';
import type { PrunePlan, SidePlan } from './plan-prune.ts';
import { notReadable } from './readable.ts';
import { reattach } from './reattach.ts';
import { fail, operation, wait } from './steps.ts';

/** A snapshot that a plan condemned, where the plan was read again and really names it. */
export interface Condemned {
  readonly name: SnapshotName;
  readonly side: Side;
  readonly plan: PlanHash;
  readonly since: EpochMs;
}

/** What a listing that has just come in leads to. It is not kept: a decision after another effect needs a new one. */
export interface PruneView {
  readonly listings: { readonly source: SeenSide; readonly replica: SeenSide | null };
  readonly plan: PrunePlan;
  readonly condemned: ReadonlyMap<SnapshotId, Condemned>;
  /** The plan as it would be stored. */
  readonly stored: PlanHash | null;
  /** Condemned by a plan that cannot be read, or that does not name it: not condemned, then. */
  readonly unproved: number;
  /** What no prune judges, in sentences. */
  readonly unjudged: readonly string[];
}

/** Deletions of one command. Between two the cluster gets time to reclaim, and is looked at again. */
const CHUNK = 25;
const PAUSE = seconds(15);

const observedOf = (history: RunHistory) =>
  currentSteps(history).flatMap(({ decision, observed }) => {
    if (decision.kind !== 'delete' || !observed) return [];
    const data = observed.kind === 'deletion' ? observed.data : observed.kind === 'not-done' ? observed.deletion : null;
    return data ? [{ decision, removed: data.removed }] : [];
  });

/** How many snapshots this run has deleted so far. */
export const deletedBy = (history: RunHistory): number =>
  observedOf(history).reduce((sum, { removed }) => sum + removed.length, 0);

const bytesFreedBy = (history: RunHistory): Bytes =>
  Bytes.parse(
    observedOf(history).reduce((sum, { decision, removed }) => {
      const ids = new Set(removed.map(({ id }) => id));
      return sum + decision.remove.reduce((bytes, it) => bytes + (ids.has(it.id) ? (it.bytes ?? 0) : 0), 0);
    }, 0),
  );

/** After these no side is safe: the run stops at once. */
const STOP: ReadonlySet<string> = new Set(['ChangedMeanwhile', 'LeaseLost']);

type Failure = Extract<BackupStep, { kind: 'fail' }>;

/**
 * What the failure of a step means. Deletions are counted per side, and a side where they fail for good ends the run only
 * at its end: the other side is not left to fill.
 */
const failureOf = (history: RunHistory, step: RunStep | undefined): BackupStep | undefined => {
  const { decision } = step ?? {};
  if (decision?.kind !== 'delete') return afterFailure(history, step);
  const ofSide = history.steps.filter(
    (it) => it.n <= (step?.n ?? 0) && (it.decision.kind !== 'delete' || it.decision.side === decision.side),
  );
  return afterFailure({ ...history, steps: ofSide }, step);
};

/** Sides on which deleting failed for good, with what the run then ends with. */
const blockedSides = (history: RunHistory): ReadonlyMap<Side, Failure> => {
  const blocked = new Map<Side, Failure>();
  for (const step of currentSteps(history)) {
    if (step.decision.kind !== 'delete') continue;
    const failed = failureOf(history, step);
    if (failed?.kind === 'fail') blocked.set(step.decision.side, failed);
  }
  return blocked;
};

/** The bucket is the one that the lineage is of, on both sides; a namesake's snapshots are not ours to judge. */
export const isAnother = (
  { pair, run }: Pick<RunHistory, 'pair' | 'run'>,
  { source, replica }: PruneView['listings'],
): BackupStep | undefined => {
  const { owned, sourceCreated } = pair;
  const { bucket, policy } = run;
  const sides = [
    { seen: source, known: sourceCreated, cluster: policy.source },
    { seen: replica, known: owned?.created ?? null, cluster: policy.replica },
  ];
  for (const { seen, known, cluster } of sides)
    if (seen?.state === 'read' && known !== null && seen.bucket.created !== known)
      return fail(
        'PruneRefused',
        `${bucket} on ${cluster?.name} was created at ${seen.bucket.created}, the lineage is of a bucket that was created at ${known}`,
        'Nothing is deleted on either side. If the new bucket is meant to continue it, adopt it, as the refusal of the next backup says.',
      );
  return undefined;
};

const changesOf = (plan: Extract<PrunePlan, { kind: 'plan' }>, view: PruneView) => {
  const sides: readonly SidePlan[] = [plan.source, ...(plan.replica ? [plan.replica] : [])];
  const waiting = sides.flatMap(({ condemn }) => condemn);
  return {
    condemn: waiting.filter(({ id }) => !view.condemned.has(id)).length,
    spare: sides.reduce((sum, { spare }) => sum + spare.length, 0),
    waiting: waiting.length,
    kept: sides.reduce((sum, { keep }) => sum + keep.length, 0),
  };
};

/**
 * What a prune does next. It looks at both sides; deletes what a plan of at least the grace ago condemned and today's
 * plan still does not need, each under the hash of that plan; looks again after every effect; and at last condemns what
 * today's plan names, which a later run deletes. Pure. `view` is there right after a survey and at no other time.
 */
export const decidePrune = (history: RunHistory, view: PruneView | null): BackupStep => {
  const open = reattach(history);
  if (open) return open;
  const last = currentSteps(history).at(-1);
  const blocked = blockedSides(history);
  const failed = failureOf(history, last);
  const isOfOneSide = last?.decision.kind === 'delete' && failed?.kind === 'fail' && !STOP.has(failed.error);
  if (failed && !isOfOneSide) return failed;
  if (last?.decision.kind === 'condemn') return afterCondemn(history, last.decision.outcome, last.observed?.kind);
  if (last?.decision.kind === 'delete' && last.observed?.kind === 'deletion' && last.decision.remove.length === CHUNK)
    return wait(PAUSE, `${CHUNK} snapshots were deleted: the cluster gets time to reclaim`);
  if (!view) return operation(history, { kind: 'survey', reason: surveyReason(history) });

  const { source, replica } = view.listings;
  const { policy, bucket } = history.run;
  for (const [side, seen, cluster] of [
    ['source', source, policy.source] as const,
    ['replica', replica, policy.replica] as const,
  ]) {
    if (!cluster) continue;
    if (seen?.state === 'missing')
      return fail(
        'PruneRefused',
        `${bucket} on ${cluster.name} does not exist (${seen.code}), so nothing is deleted on the other side either`,
        'Bring it back, or take the bucket out of the policy: its snapshots then stay until somebody deletes them.',
      );
    const obstacle = notReadable(history, seen, side);
    if (obstacle) return obstacle;
  }
  const another = isAnother(history, view.listings);
  if (another) return another;
  const { plan } = view;
  if (plan.kind === 'refused')
    return fail(
      'PruneRefused',
      plan.reason,
      'Nothing is deleted. Change what the reason names; the next prune plans anew.',
    );

  for (const side of ['source', 'replica'] as const) {
    const due = blocked.has(side) ? [] : (plan[side]?.remove ?? []);
    const remove = due.slice(-CHUNK).flatMap(({ id, name }) => {
      const condemned = view.condemned.get(id);
      return condemned
        ? [{ name: condemned.name, id, plan: condemned.plan, bytes: bytesOf(view.listings[side], name) }]
        : [];
    });
    if (remove.length > 0)
      return operation(history, {
        kind: 'delete',
        side,
        remove,
        reason: `${due.length} snapshots of the ${side} were condemned and nothing needs them; the oldest ${remove.length} go now`,
      });
  }

  const { condemn, spare, waiting, kept } = changesOf(plan, view);
  const outcome: PruneOutcome = {
    kind: 'pruned',
    deleted: deletedBy(history),
    condemned: condemn,
    spared: spare,
    waiting,
    kept,
    bytesFreed: bytesFreedBy(history),
    plan: condemn + spare > 0 ? view.stored : null,
    notes: [
      ...(view.unproved > 0
        ? [
            `${view.unproved} snapshots were condemned by a plan that cannot be read: they are judged anew, and wait anew`,
          ]
        : []),
      ...view.unjudged,
    ],
  };
  if (view.stored && condemn + spare > 0)
    return {
      kind: 'condemn',
      plan: view.stored,
      outcome,
      reason: `no rule keeps ${condemn} more snapshots, and ${spare} that were condemned are needed again`,
    };
  return ending(history, outcome);
};

const ending = (history: RunHistory, outcome: PruneOutcome): BackupStep => {
  const [failed] = blockedSides(history).values();
  return failed ?? { kind: 'done', outcome, reason: summary(outcome) };
};

const bytesOf = (side: SeenSide | null, name: string): number | null =>
  (side?.state === 'read' ? side.snapshots.find((it) => it.name === name)?.exclusiveBytes : undefined) ?? null;

const summary = ({ deleted, condemned, waiting, kept }: PruneOutcome): string =>
  `${deleted} snapshots deleted, ${condemned} newly condemned, ${waiting} waiting, ${kept} kept`;

const surveyReason = (history: RunHistory): string =>
  deletedBy(history) > 0 ? 'see what is left after the deletions' : 'see both sides before anything is judged';

const afterCondemn = (history: RunHistory, outcome: PruneOutcome, observed: string | undefined): BackupStep => {
  if (observed !== 'no-answer') return ending(history, outcome);
  const tries = currentSteps(history).filter(
    (step) => step.decision.kind === 'condemn' && step.observed?.kind === 'no-answer',
  ).length;
  return tries < history.run.policy.limits.attempts
    ? operation(history, { kind: 'survey', reason: 'the plan was not recorded: plan again' })
    : fail('RecordingFailed', `the plan could not be recorded (${tries} times)`, 'The next prune plans anew.');
};
