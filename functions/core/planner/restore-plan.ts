import type { ExamineData, SeenTarget } from '../domain/edge-reply.ts';
import type { BackupRun } from '../domain/ledger.ts';
import { compactTime, SnapshotName } from '../domain/names.ts';
import type { RestorePlan, RestoreTask } from '../domain/restore.ts';
import type { Side } from '../domain/retention.ts';
import { Bytes, type EpochMs, later, seconds } from '../domain/units.ts';
import { restoreTime } from './restore-rate.ts';

/** How long a plan can be confirmed: what it says of the target gets old. */
const VALID = seconds(3600);

/** The target as it is before the copy: what was looked at, or a bucket that was made for it and is empty. */
export type Target =
  | { readonly created: string; readonly isNew: true }
  | { readonly created: string; readonly isNew: false; readonly seen: Extract<SeenTarget, { state: 'read' }> };

/** What becomes of the files that are at the target. */
export const effectOn = ({ overwrite, deleteExtra }: RestoreTask, target: Target) => {
  if (target.isNew) return { replaced: 0, deleted: 0, leftAlone: 0 };
  const { sameLength, otherLength, clash, extra } = target.seen;
  const there = sameLength + otherLength + clash;
  return {
    replaced: overwrite === 'never' ? 0 : there,
    leftAlone: overwrite === 'never' ? there : 0,
    deleted: deleteExtra ? extra.files : 0,
  };
};

/** Whether something that is there may be lost. What is in a scratch bucket a drill has put there. */
export const isLossy = (task: RestoreTask, target: Target): boolean => {
  const { replaced, deleted } = effectOn(task, target);
  return task.target.kind !== 'scratch' && replaced + deleted > 0;
};

/** Of a restore in place, of one that deletes, and of one that overwrites something a person has to say that it is meant. */
export const needsConfirmation = (task: RestoreTask, target: Target): boolean =>
  task.target.kind === 'in-place' || task.deleteExtra || isLossy(task, target);

/**
 * The snapshot that keeps what is overwritten or deleted, of each execution its own: what an earlier one kept may be from
 * before somebody wrote there. Nothing of this product ever deletes it.
 */
export const safetySnapshotOf = ({ slot, lease }: Pick<BackupRun, 'slot' | 'lease'>): SnapshotName =>
  SnapshotName.parse(`restore-safety-${compactTime(slot)}-${lease}`);

export const restorePlan = (
  run: BackupRun,
  task: RestoreTask,
  from: Side,
  { point: selected, source: _, target: seen }: ExamineData,
  target: Target,
  now: EpochMs,
): RestorePlan => {
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
    scope: task.scope,
    selection: task.selection,
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
    isKept: isLossy(task, target),
    seconds: restoreTime(task.rate, toCopy),
    basis: task.rate.basis,
  };
};

/** `12 files (3000 bytes) of odr-… on dr into prod/sales/orders: 10 are replaced, 2 deleted; about 40 s`. */
export const describePlan = (plan: RestorePlan): string => {
  const { files, bytes, point, from, target, absent, replaced, leftAlone, deleted, isKept, seconds: time } = plan;
  return [
    `${plan.scope} of ${point} on ${from} (${files} files, ${bytes} bytes) into ${target.bucket} on ${target.cluster}: ${absent} files are not there, ${replaced} are there and are replaced where they differ, ${leftAlone} are left alone, ${deleted} that the point has not are deleted`,
    isKept ? 'what is there now is kept in a snapshot restore-safety-…' : 'nothing that is there now is lost',
    `about ${time} s (${plan.basis})`,
  ].join('; ');
};
