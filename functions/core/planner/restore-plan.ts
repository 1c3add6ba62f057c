import type { ExamineData, SeenBucket, SeenTarget } from '../domain/edge-reply.ts';
import type { BackupRun } from '../domain/ledger.ts';
import { compactTime, SnapshotName } from '../domain/names.ts';
import type { Obstacle, RestorePlan, RestoreTask } from '../domain/restore.ts';
import type { Side } from '../domain/retention.ts';
import { Bytes, type EpochMs, later, seconds, secondsBetween } from '../domain/units.ts';
import { spanText } from './consequences.ts';
import { restoreTime } from './restore-rate.ts';

/** How long a plan can be confirmed: what it says of the target gets old. */
const VALID = seconds(3600);

/** The target as it is before the copy: what was looked at, or a bucket that was made for it and is empty. */
export type Target = TargetThere | { readonly created: string; readonly isNew: true };
/** Of a plan; `created` is null when the bucket has still to be made. */
export type TargetToPlan = TargetThere | { readonly created: string | null; readonly isNew: true };

type TargetThere = {
  readonly created: string;
  readonly isNew: false;
  readonly seen: Extract<SeenTarget, { state: 'read' }>;
};

/** What becomes of the files that are at the target. */
export const effectOn = ({ overwrite, deleteExtra }: RestoreTask, target: TargetToPlan) => {
  if (target.isNew) return { replaced: 0, deleted: 0, leftAlone: 0 };
  const { sameLength, otherLength, clash, extra } = target.seen;
  const there = sameLength + otherLength + clash;
  return {
    replaced: overwrite === 'never' ? 0 : there,
    leftAlone: overwrite === 'never' ? there : 0,
    deleted: deleteExtra ? extra.files : 0,
  };
};

/** Whether something that was seen there is lost. What is in a scratch bucket a drill has put there. */
const isLossy = (task: RestoreTask, target: TargetToPlan): boolean => {
  const { replaced, deleted } = effectOn(task, target);
  return task.target.kind !== 'scratch' && replaced + deleted > 0;
};

/**
 * Whether what is there is kept in a snapshot first. The host looks again when it copies: also what people write there
 * between the look and the copy would be replaced or deleted.
 */
export const isKept = ({ overwrite, deleteExtra, target: { kind } }: RestoreTask, { isNew }: TargetToPlan): boolean =>
  kind !== 'scratch' && !isNew && (overwrite !== 'never' || deleteExtra);

/** Of a restore in place, of one that deletes, and of one that overwrites something a person has to say that it is meant. */
export const needsConfirmation = (task: RestoreTask, target: Target): boolean =>
  task.target.kind === 'in-place' || task.deleteExtra || isLossy(task, target);

/** What one byte of content takes of a quota. */
const copies = (replication: string): number => {
  const ec = /^EC\/[a-z]+-(\d+)-(\d+)-/.exec(replication);
  if (ec) return (Number(ec[1]) + Number(ec[2])) / Number(ec[1]);
  return replication.endsWith('/THREE') ? 3 : 1;
};

/** Bytes that a restore adds to what the quota of its target counts. */
export const growthOf = (
  { overwrite }: RestoreTask,
  { point, source }: ExamineData,
  { bucket, absent, replacedBytes }: Extract<SeenTarget, { state: 'read' }>,
): Bytes => {
  const larger = overwrite === 'never' ? 0 : Math.max(0, point.bytes - absent.bytes - replacedBytes);
  return Bytes.parse(Math.ceil((absent.bytes + larger) * copies(bucket.replication || source.replication)));
};

/** Whether a bucket has a quota of bytes: 0 and less mean that it has none. */
export const hasQuota = ({ quotaInBytes }: SeenBucket): boolean => quotaInBytes > 0;

const roomOf = (task: RestoreTask, data: ExamineData, target: TargetToPlan): RestorePlan['room'] =>
  target.isNew || !hasQuota(target.seen.bucket)
    ? null
    : {
        quota: Bytes.parse(target.seen.bucket.quotaInBytes),
        used: Bytes.parse(target.seen.bucket.usedBytes),
        needed: growthOf(task, data, target.seen),
      };

/**
 * The snapshot that keeps what is overwritten or deleted, of each execution its own: what an earlier one kept may be from
 * before somebody wrote there. Nothing of this product ever deletes it.
 */
export const safetySnapshotOf = ({ slot, lease }: Pick<BackupRun, 'slot' | 'lease'>): SnapshotName =>
  SnapshotName.parse(`restore-safety-${compactTime(slot)}-${lease}`);

/** The snapshot of a new primary from before anybody writes there. Nothing of this product ever deletes it. */
export const openedSnapshotOf = ({ slot, lease }: Pick<BackupRun, 'slot' | 'lease'>): SnapshotName =>
  SnapshotName.parse(`failover-${compactTime(slot)}-${lease}`);

export const restorePlan = (
  run: BackupRun,
  task: RestoreTask,
  from: Side,
  why: string,
  data: ExamineData,
  target: TargetToPlan,
  obstacles: readonly Obstacle[],
  now: EpochMs,
  differs: NonNullable<RestorePlan['failover']>['differs'] = null,
): RestorePlan => {
  const { point: selected, target: seen } = data;
  const copy = task.point[from];
  if (!copy) throw new Error(`${task.point.name} was read where it has no copy`);
  const { replaced, deleted, leftAlone } = effectOn(task, target);
  const absent = target.isNew ? selected : target.seen.absent;
  const toCopy = {
    files: absent.files + replaced,
    bytes: Bytes.parse(task.overwrite === 'never' ? absent.bytes : selected.bytes),
  };
  return {
    schema: 1,
    lineage: task.lineage,
    policy: run.policy.name,
    madeAt: now,
    expires: later(now, VALID),
    point: task.point.name,
    pointId: copy.id,
    from: copy.cluster.name,
    why,
    scope: task.scope,
    selection: task.selection,
    slot: run.slot,
    target: {
      kind: task.target.kind,
      cluster: task.target.cluster.name,
      bucket: task.target.bucket,
      created: target.created,
    },
    overwrite: task.overwrite,
    deleteExtra: task.deleteExtra,
    files: selected.files,
    bytes: selected.bytes,
    absent: absent.files,
    replaced,
    leftAlone,
    deleted,
    first:
      seen.state === 'read'
        ? seen.first.map(
            ({ path, point, target: at }) =>
              `${path}: ${point ?? 'not in the point'}, at the target ${at ?? 'nothing'}`,
          )
        : [],
    isKept: isKept(task, target),
    room: roomOf(task, data, target),
    obstacles: [...obstacles],
    seconds: restoreTime(task.rate, toCopy),
    basis: task.rate.basis,
    failover: task.failover && {
      kind: task.failover.kind,
      from: task.failover.from.name,
      lossSeconds: secondsBetween(task.point.created, now),
      differs,
    },
  };
};

const describeFailover = (
  { target, point }: RestorePlan,
  { kind, from, lossSeconds, differs }: NonNullable<RestorePlan['failover']>,
): string => {
  const what = differs
    ? `${differs.added} files or directories added, ${differs.changed} changed, ${differs.deleted} deleted${differs.first.length > 0 ? `, the first are ${differs.first.slice(0, 5).join(', ')}` : ''}`
    : `what changed is not known: ${from} could not be read`;
  return kind === 'planned'
    ? `${target.bucket}: ${target.cluster} becomes the primary instead of ${from} after a last backup (since ${point}: ${what}); stop what writes to ${from} before you confirm: what is written after that backup stops the failover, and nothing is lost`
    : `${target.bucket}: ${target.cluster} becomes the primary instead of ${from}, as of ${point}, ${spanText(lossSeconds)} ago: WHAT WAS WRITTEN TO ${from} SINCE IS NOT THERE (${what}), and is kept apart when ${from} comes back`;
};

/** `12 files (3000 bytes) of odr-… on dr into prod/sales/orders: 10 are replaced, 2 deleted; about 40 s`. */
export const describePlan = (plan: RestorePlan): string => {
  const { files, bytes, point, from, target, absent, replaced, leftAlone, deleted, isKept, seconds: time } = plan;
  return [
    ...(plan.failover ? [describeFailover(plan, plan.failover)] : []),
    ...plan.obstacles.map(({ error, reason, remedy }) => `cannot be done: ${error}: ${reason}. ${remedy}`),
    `${plan.scope} of ${point} on ${from} (${files} files, ${bytes} bytes) into ${target.bucket} on ${target.cluster}: ${absent} files are not there, ${replaced} are there and are replaced where they differ, ${leftAlone} are left alone, ${deleted} that the point has not are deleted`,
    isKept ? 'what is there now is kept in a snapshot restore-safety-…' : 'nothing that is there now is lost',
    `about ${time} s (${plan.basis})`,
  ].join('; ');
};
