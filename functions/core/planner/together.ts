import type { RecoveryPoint } from '../domain/ledger.ts';
import type { BucketRef, OperationId, PolicyName } from '../domain/names.ts';

/** How near to one instant the points of a group are, by the clock of the cluster. */
export interface Instant {
  /** The command that took their snapshots, as the points have it; null when none of them was taken together with others. */
  readonly id: OperationId | null;
  readonly buckets: number;
  /** From the oldest to the newest of those that have it, in milliseconds. */
  readonly spreadMs: number;
  /** Buckets without a point of it. */
  readonly missing: readonly BucketRef[];
}

/**
 * The instant that most of the buckets have a point of. A bucket that is alone needs no other to be of one instant with.
 * @param group each bucket of the group with its points of one slot
 */
export const instantOf = (
  group: readonly {
    readonly bucket: BucketRef;
    readonly points: readonly Pick<RecoveryPoint, 'group' | 'source'>[];
  }[],
): Instant => {
  const ids = [...new Set(group.flatMap(({ points }) => points.map((point) => point.group)))];
  const found = ids
    .filter((id) => id !== undefined || group.length === 1)
    .map((id) => ({
      id: id ?? null,
      of: group.flatMap(({ bucket, points }) => {
        const point = points.find((it) => it.group === id);
        return point ? [{ bucket, created: point.source.created }] : [];
      }),
    }))
    .toSorted((one, other) => other.of.length - one.of.length)[0];
  const times = (found?.of ?? []).map(({ created }) => created);
  return {
    id: found?.id ?? null,
    buckets: group.length,
    spreadMs: times.length > 0 ? Math.max(...times) - Math.min(...times) : 0,
    missing: group.flatMap(({ bucket }) => (found?.of.some((it) => it.bucket === bucket) ? [] : [bucket])),
  };
};

/** `nightly: 6 buckets at one instant, within 412 ms (op-…)`. */
export const instantText = (policy: PolicyName, { id, buckets, spreadMs, missing }: Instant): string =>
  missing.length === 0
    ? `${policy}: ${buckets} buckets at one instant, within ${spreadMs} ms${id ? ` (${id})` : ''}`
    : `${policy}: the points of this slot are not of one instant: ${missing.length} of ${buckets} buckets were not snapshotted together with the others (${missing.join(', ')}). What was taken is kept, bucket by bucket; the next slot takes the group again`;
