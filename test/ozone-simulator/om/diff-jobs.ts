import type { Bucket, DiffJob } from '../store/model.ts';
import { OmError } from './errors.ts';
import { activeSnapshot, checkSnapshotName, type Om } from './om.ts';
import { type DiffEntry, snapshotDiff } from './snapshot-diff.ts';

export type JobStatus = 'QUEUED' | 'IN_PROGRESS' | 'DONE' | 'REJECTED' | 'FAILED' | 'CANCELLED' | 'NOT_FOUND';

export interface DiffReport {
  readonly status: JobStatus;
  readonly entries: readonly DiffEntry[];
  readonly nextToken: string | null;
  readonly waitMs: number | null;
  readonly reason: string | null;
}

/** The wait that Ozone returns for a failed job: the interval of the service that removes it. */
export const failedJobWaitMs = 3_600_000;

const statusOf = (job: DiffJob, bucket: Bucket, now: number): JobStatus => {
  if (job.status !== 'RUNNING') return job.status;
  if (job.readyAt > now) return 'IN_PROGRESS';
  return reasonOf(job, bucket) === null ? 'DONE' : 'FAILED';
};

const reasonOf = (job: DiffJob, bucket: Bucket): string | null => {
  if (job.failure !== '') return job.failure;
  const from = bucket.snapshots.find((s) => s.id === job.fromId);
  const to = bucket.snapshots.find((s) => s.id === job.toId);
  if (!from || !to) return null;
  const result = snapshotDiff(bucket, from.table, to.table);
  return 'failure' in result ? result.failure : null;
};

const find = (bucket: Bucket, from: string, to: string): DiffJob | undefined => {
  const fromId = activeSnapshot(bucket, from).id;
  const toId = activeSnapshot(bucket, to).id;
  return bucket.jobs.find((job) => job.fromId === fromId && job.toId === toId);
};

export interface Submission {
  /** The job that was there before, if any; a failed or rejected one is replaced by a new one. */
  readonly previous: { readonly status: JobStatus; readonly reason: string | null } | null;
  readonly submitted: boolean;
}

export function submitDiff(om: Om, volume: string, bucketName: string, from: string, to: string): Submission {
  const now = om.now();
  return om.editJobs<Submission>('diff-submit', volume, bucketName, (bucket) => {
    checkSnapshotName(from);
    checkSnapshotName(to);
    const old = find(bucket, from, to);
    const previous = old ? { status: statusOf(old, bucket, now), reason: reasonOf(old, bucket) } : null;
    if (previous && (previous.status === 'DONE' || previous.status === 'IN_PROGRESS'))
      return [bucket.jobs, { previous, submitted: false }];
    const job = newJob(om, bucket, from, to);
    return [[...bucket.jobs.filter((j) => j !== old), job], { previous, submitted: true }];
  });
}

function newJob(om: Om, bucket: Bucket, from: string, to: string): DiffJob {
  const now = om.now();
  const fault = om.diffFault();
  const running = bucket.jobs.filter((job) => job.status === 'RUNNING' && job.readyAt > now).length;
  const rejected = fault.rejected || running >= om.settings.diffSlots;
  return {
    from,
    to,
    fromId: activeSnapshot(bucket, from).id,
    toId: activeSnapshot(bucket, to).id,
    status: rejected ? 'REJECTED' : 'RUNNING',
    readyAt: now + Math.max(om.settings.diffMs, fault.ms),
    failure: fault.failure,
    omit: fault.omit,
  };
}

/** One page of a report. Never submits. */
export function readDiff(
  om: Om,
  volume: string,
  bucketName: string,
  from: string,
  to: string,
  page: number,
  token: string,
): DiffReport {
  checkSnapshotName(from);
  checkSnapshotName(to);
  const bucket = om.bucket(volume, bucketName);
  const none = { entries: [], nextToken: null, reason: null };
  if (from === to) return { ...none, status: activeSnapshot(bucket, from) && 'DONE', waitMs: null };
  const job = find(bucket, from, to);
  if (!job) return { ...none, status: 'NOT_FOUND', waitMs: om.settings.diffWaitMs };
  const status = statusOf(job, bucket, om.now());
  if (status === 'FAILED') return { ...none, status, waitMs: failedJobWaitMs, reason: reasonOf(job, bucket) };
  if (status !== 'DONE') return { ...none, status, waitMs: om.settings.diffWaitMs };
  const entries = entriesOf(om, job, bucket);
  const start = startOf(token);
  const end = start + Math.min(page, om.settings.diffPageSize);
  const more = om.has('paging-skips-an-entry') ? end + 1 : end;
  const next = entries[more];
  return {
    ...none,
    status,
    entries: entries.slice(start, end),
    nextToken: next ? tokenOf(next, more) : null,
    waitMs: null,
  };
}

function entriesOf(om: Om, job: DiffJob, bucket: Bucket): readonly DiffEntry[] {
  const result = snapshotDiff(bucket, activeSnapshot(bucket, job.from).table, activeSnapshot(bucket, job.to).table);
  const entries = 'failure' in result ? [] : result.entries;
  const kept = entries.filter((entry, index) => !isOmitted(job.omit, entry, index, entries.length));
  if (om.has('diff-forgets-renames')) return kept.filter((entry) => entry.type !== 'R');
  if (om.has('diff-leaves-out-directories')) return kept.filter((entry) => entry.type !== 'M');
  return kept;
}

const isOmitted = (omit: DiffJob['omit'], { source, target }: DiffEntry, index: number, length: number): boolean =>
  typeof omit === 'string' ? omit === source || omit === target : omit > 0 && index === (omit - 1) % length;

const typeDigit = { '-': 1, R: 2, '+': 3, M: 4 } as const;

/** Opaque to callers: the kind of the next entry and its index, as 2.2 writes it. */
const tokenOf = (next: DiffEntry, index: number): string => `${typeDigit[next.type]}${String(index).padStart(20, '0')}`;

function startOf(token: string): number {
  if (token === '') return 0;
  const digits = token.slice(1);
  if (!/^\d+$/.test(digits)) {
    throw new OmError(
      'INTERNAL_ERROR',
      `Token ${token} has invalid numeric part: ${digits}. It should be a valid integer.`,
    );
  }
  return Number(digits);
}

export function cancelDiff(om: Om, volume: string, bucketName: string, from: string, to: string): string {
  const now = om.now();
  return om.editJobs<string>('diff-cancel', volume, bucketName, (bucket) => {
    const job = find(bucket, from, to);
    if (!job) return [bucket.jobs, "Snapshot diff job doesn't exist for given parameters."];
    switch (statusOf(job, bucket, now)) {
      case 'IN_PROGRESS':
        return [
          bucket.jobs.map((j) => (j === job ? { ...job, status: 'CANCELLED' } : j)),
          'Snapshot diff job has been cancelled.',
        ];
      case 'CANCELLED':
        return [bucket.jobs, 'Snapshot diff job has already been cancelled.'];
      case 'FAILED':
        return [bucket.jobs, 'Snapshot diff job has been failed.'];
      default:
        return [bucket.jobs, 'Snapshot diff job has already completed.'];
    }
  });
}

export function listJobs(
  om: Om,
  volume: string,
  bucketName: string,
): readonly (DiffJob & { readonly state: JobStatus })[] {
  const bucket = om.bucket(volume, bucketName);
  return bucket.jobs.map((job) => ({ ...job, state: statusOf(job, bucket, om.now()) }));
}

/** A file system client waits until the job has ended, however long it takes: here that costs no time. */
export function awaitDiff(om: Om, volume: string, bucketName: string, from: string, to: string): void {
  om.editJobs<null>('diff-wait', volume, bucketName, (bucket) => {
    const job = find(bucket, from, to);
    if (!job || job.readyAt <= om.now()) return [bucket.jobs, null];
    return [bucket.jobs.map((j) => (j === job ? { ...job, readyAt: om.now() } : j)), null];
  });
}
