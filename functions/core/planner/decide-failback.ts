import type { BackupStep, BackupStepKind } from '../domain/backup-step.ts';
import type { DivergenceData } from '../domain/edge-reply.ts';
import type { Observation, PairState, RecoveryPoint, RunStep } from '../domain/ledger.ts';
import { compactTime, SnapshotName as Name, type SnapshotName } from '../domain/names.ts';
import type { RestoreTask } from '../domain/restore.ts';
import type { FailbackPlan } from '../domain/roles.ts';
import { Bytes, type EpochMs, epochMs, later, seconds, secondsBetween } from '../domain/units.ts';
import { decideRestore, type PlanToConfirm } from './decide-restore.ts';
import { afterFailure } from './failures.ts';
import { type Answered, currentSteps, isAnswered, isFailure, type RunHistory } from './history.ts';
import { reattach } from './reattach.ts';
import { backoff, fail, operation, wait } from './steps.ts';

/** What a person has to confirm before the old primary is overwritten. */
export interface FailbackToConfirm {
  readonly kind: 'failback-plan';
  readonly plan: FailbackPlan;
  readonly reason: string;
}

type Verdict = BackupStep | PlanToConfirm | FailbackToConfirm;
type Preparation = NonNullable<RestoreTask['failback']>;

export interface Back {
  readonly pair: Pick<PairState, 'base' | 'dirtySince'>;
  readonly points: readonly RecoveryPoint[];
}

/** How long a report can be confirmed: what it says gets old. */
const VALID = seconds(3600);
/** A round that takes no longer leaves little for the switch. */
const SHORT_ROUND = seconds(600);
const MOST_ROUNDS = 5;

/**
 * What the preparation of a failback does next: freeze the old primary, report what both sides changed, keep apart what was
 * written to the old one, prove that nothing came since, then bring back the changes of the new primary until little
 * remains. Pure.
 * @param back the pair of the other direction, and its points, newest first
 */
export const decideFailback = (
  history: RunHistory,
  task: RestoreTask,
  preparation: Preparation,
  back: Back,
  now: EpochMs,
): Verdict => {
  const open = reattach(history);
  if (open) return open;
  const last = currentSteps(history).at(-1);
  const rounds = currentSteps(history).filter(({ decision }) => decision.kind === 'bring-back');
  if (isRebuilt(history)) {
    const failed = last && failureOf(history, last);
    if (failed && rounds.length > 0) return failed;
    return task.planOnly || !task.confirmed
      ? plan(history, task, preparation, null, now)
      : bringBack(history, task, undefined, rounds, back, now);
  }
  if (last && OWN.has(last.decision.kind)) {
    const failed = failureOf(history, last);
    if (failed) return failed;
  }
  const frozen = findLast(history, 'create-snapshot', 'snapshot');
  if (!frozen || frozen.n < (history.run.factsFrom ?? 0)) return freeze(history, preparation);
  const measured = findLast(history, 'measure-divergence', 'divergence');
  if (!measured || measured.n < frozen.n) return measure(history, task, preparation, frozen);
  const { data } = measured.observed;
  if (task.planOnly || !task.confirmed) return plan(history, task, preparation, data, now);

  const orphans = data.source.added + data.source.changed;
  const kept = orphans > 0 ? keepApart(history, task, now) : undefined;
  if (kept && kept.kind !== 'done') return kept;
  const changed = rounds.length === 0 ? changedSince(history, task, frozen) : undefined;
  if (changed) return changed;
  return bringBack(history, task, kept, rounds, back, now);
};

/** What is decided here; the rest is of the restore that keeps apart what was written. */
const OWN: ReadonlySet<BackupStepKind> = new Set(['create-snapshot', 'measure-divergence', 'bring-back']);

const findLast = <K extends BackupStepKind, O extends Observation['kind']>(
  history: RunHistory,
  kind: K,
  observed: O,
): Answered<K, O> | undefined => currentSteps(history).findLast(isAnswered(kind, observed));

const failureOf = (history: RunHistory, last: RunStep): BackupStep | undefined => {
  const { observed, decision } = last;
  if (!observed || !isFailure(observed)) return undefined;
  if (decision.kind !== 'bring-back') return afterFailure(history, last);
  const failures = currentSteps(history).filter(
    (step) => step.decision.kind === 'bring-back' && step.observed && isFailure(step.observed),
  );
  const why = observed.kind === 'no-answer' ? `${observed.error}: ${observed.cause}` : '';
  return failures.length >= history.run.policy.limits.attempts
    ? fail(
        'BucketsFailed',
        `the backup ${decision.name} back to ${history.run.policy.source.name} failed ${failures.length} times: ${why}`,
        'Look at that execution, then start the preparation again: it goes on from what it finds.',
      )
    : wait(backoff(failures.length), `the backup ${decision.name} failed: ${why}`.slice(0, 900));
};

/** What says that the old primary was built anew. */
const GONE: Readonly<Record<string, ReadonlySet<string>>> = {
  'create-snapshot': new Set(['source-missing']),
  'measure-divergence': new Set(['base-missing', 'base-other']),
};

/** Whether the old primary has nothing any more of what both sides had in common: the snapshot, or the whole bucket. */
export const isRebuilt = (history: RunHistory): boolean =>
  currentSteps(history).some(
    ({ decision, observed }) => observed?.kind === 'not-done' && (GONE[decision.kind]?.has(observed.code) ?? false),
  );

// ---------------------------------------------------------------- the report

const frozenName = ({ run }: RunHistory): SnapshotName => Name.parse(`failback-${compactTime(run.slot)}-${run.lease}`);

const freeze = (history: RunHistory, { common }: Preparation): BackupStep =>
  operation(history, {
    kind: 'create-snapshot',
    name: frozenName(history),
    attempt: 1,
    base: null,
    reason: `keep what ${history.run.bucket} on ${history.run.policy.source.name} is now, ${common.name} being what both sides had in common`,
  });

const measure = (
  history: RunHistory,
  task: RestoreTask,
  { common, opened }: Preparation,
  { decision, observed }: Answered<'create-snapshot', 'snapshot'>,
): BackupStep =>
  operation(history, {
    kind: 'measure-divergence',
    base: common,
    target: { name: decision.name, id: observed.snapshot.id },
    opened,
    reason: `find out what ${task.target.cluster.name} and ${history.run.policy.replica?.name} changed since ${common.name}`,
  });

const plan = (
  { run }: RunHistory,
  task: RestoreTask,
  { roleOf, epoch, common }: Preparation,
  divergence: DivergenceData | null,
  now: EpochMs,
): FailbackToConfirm => ({
  kind: 'failback-plan',
  plan: {
    schema: 1,
    kind: 'failback',
    roleOf,
    epoch,
    policy: run.policy.name,
    bucket: run.bucket,
    from: run.policy.replica?.name ?? task.target.cluster.name,
    to: task.target.cluster.name,
    madeAt: now,
    expires: later(now, VALID),
    common: common.name,
    divergence,
  },
  reason: 'it overwrites the old primary: a person has to confirm it',
});

const counts = ({ added, changed, deleted, bytes, first }: DivergenceData['source']): string =>
  `${added} files added, ${changed} changed, ${deleted} deleted (${bytes} bytes)${first.length > 0 ? `, the first are ${first.slice(0, 5).join(', ')}` : ''}`;

/** The report in sentences. */
export const describeFailback = ({ bucket, from, to, common, divergence }: FailbackPlan): string =>
  divergence === null
    ? `${bucket} goes back from ${from} to ${to}, which has nothing any more of ${common}, that both had in common: ALL of ${bucket} is copied to ${to}. A bucket that is there has to be empty, else nothing is done; people go on working: the roles go back by a second request, the switch`
    : describeParted({ bucket, from, to, common }, divergence);

const describeParted = (
  { bucket, from, to, common }: Pick<FailbackPlan, 'bucket' | 'from' | 'to' | 'common'>,
  divergence: DivergenceData,
): string =>
  [
    `${bucket} goes back from ${from} to ${to}; both were the same at ${common}`,
    `since then on ${from}, which people use: ${counts(divergence.replica)}: this is brought to ${to}`,
    `since then on ${to}, the old primary: ${counts(divergence.source)}: what was added or changed is kept in a bucket of its own before ${to} becomes what ${from} is`,
    divergence.both.paths > 0
      ? `${divergence.both.paths} files were changed ON BOTH SIDES: ${divergence.both.first.slice(0, 5).join(', ')}: what ${from} has counts`
      : 'no file was changed on both sides',
    'people go on working: the roles go back by a second request, the switch',
  ].join('; ');

// ---------------------------------------------------------------- keeping apart

/** The restore of what was written to the old primary, as any other restore to a side bucket. */
const keepApart = (history: RunHistory, task: RestoreTask, now: EpochMs): BackupStep => {
  const steps = history.steps.filter(
    ({ decision }) => !OWN.has(decision.kind) && (decision.kind !== 'compare' || decision.of === 'target'),
  );
  const next = decideRestore({ ...history, steps }, { ...task, purpose: 'restore', confirmed: null }, now);
  return next.kind === 'plan'
    ? fail('TargetNotOurs', `${task.target.bucket} is there and holds something`, 'Give another slot, or none.')
    : next;
};

/** What came to the old primary after it was frozen would be lost when it is overwritten. */
const changedSince = (
  history: RunHistory,
  task: RestoreTask,
  frozen: Answered<'create-snapshot', 'snapshot'>,
): BackupStep | undefined => {
  const last = currentSteps(history).at(-1);
  const compared = currentSteps(history).findLast(
    (step): step is Answered<'compare', 'comparison'> =>
      step.n > frozen.n && isAnswered('compare', 'comparison')(step) && step.decision.of === 'primary',
  );
  const failed = !compared && last?.decision.kind === 'compare' ? afterFailure(history, last) : undefined;
  if (failed) return failed;
  if (!compared)
    return operation(history, {
      kind: 'compare',
      against: 'source',
      // A file that was overwritten by one of the same length is no other one in a listing.
      level: task.verification,
      exact: true,
      of: 'primary',
      reason: `prove that nothing was written to ${history.run.bucket} on ${task.target.cluster.name} after ${frozen.decision.name}`,
    });
  return compared.observed.data.equal
    ? undefined
    : fail(
        'ChangedMeanwhile',
        `somebody still writes to ${history.run.bucket} on ${task.target.cluster.name}: it is not what ${frozen.decision.name} is any more`,
        `Stop what writes there: its primary is ${history.run.policy.replica?.name}. Then start the preparation again without slot. Nothing of the bucket was changed.`,
      );
};

// ---------------------------------------------------------------- bringing back

const bringBack = (
  history: RunHistory,
  task: RestoreTask,
  kept: Extract<BackupStep, { kind: 'done' }> | undefined,
  rounds: readonly RunStep[],
  back: Back,
  now: EpochMs,
): BackupStep => {
  const { run } = history;
  const begin = epochMs(Math.min(now, ...rounds.map(({ decidedAt }) => decidedAt)));
  // A slot is in whole seconds.
  const brought = back.points.filter(({ state, slot }) => state === 'verified' && slot + 1000 > begin);
  const [newest] = brought;
  const last = rounds.at(-1);
  // A backup that was killed while it wrote down a verified point has not made it the base yet: the next one would have to compare
  // everything, and would overwrite what somebody writes to the old primary by then.
  const isBase = newest && back.pair.base?.name === newest.name && back.pair.dirtySince === null;
  const isLastDone = last && isBase && newest.slot + 1000 > last.decidedAt;
  const took = last ? secondsBetween(last.decidedAt, last.observedAt ?? now) : seconds(0);
  if (newest && isLastDone && (took <= SHORT_ROUND || rounds.length >= MOST_ROUNDS)) {
    const orphans = kept?.outcome.kind === 'restored' ? kept.outcome : undefined;
    return {
      kind: 'done',
      outcome: {
        kind: 'failback-prepared',
        bucket: run.bucket,
        from: run.policy.replica?.name ?? task.target.cluster.name,
        to: task.target.cluster.name,
        orphans: orphans ? { bucket: task.target.bucket, files: orphans.files, bytes: orphans.bytes } : null,
        point: newest.name,
        rounds: rounds.length,
        bytesCopied: Bytes.parse(brought.reduce((sum, { bytesCopied }) => sum + (bytesCopied ?? 0), 0)),
        notes: [
          ...(orphans
            ? [`what was written to the old primary is in ${task.target.bucket}: nothing deletes that bucket`]
            : []),
          'the last round is what the switch will take about as long as: start it when people can stop writing',
        ],
      },
      reason: `${task.target.cluster.name} is what ${newest.name} is`,
    };
  }
  if (rounds.length > MOST_ROUNDS + run.policy.limits.attempts)
    return fail(
      'CopyFailed',
      `${rounds.length} backups back to ${task.target.cluster.name} brought no verified point`,
      'Look at the backups that this execution started.',
    );
  const slot = new Date(Math.floor(now / 1000) * 1000).toISOString();
  return {
    kind: 'bring-back',
    name: `back-${compactTime(now)}-${run.lease}-${run.bucket.replace(/[^a-z0-9]/g, '-')}`.slice(0, 80),
    input: { policy: run.policy.name, bucket: run.bucket, slot, back: true },
    reason: `bring the changes of ${run.policy.replica?.name} to ${task.target.cluster.name}, round ${rounds.length + 1}`,
  };
};
