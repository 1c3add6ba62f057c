import type { SeenSide, SeenSnapshot } from '../domain/edge-reply.ts';
import type { PairState, RecoveryPoint } from '../domain/ledger.ts';
import type { SnapshotId } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import type { Side } from '../domain/retention.ts';
import type { EpochMs } from '../domain/units.ts';
import type { BucketToPrune } from './protections.ts';

type Removable = Pick<RecoveryPoint, 'replica' | 'removal'>;

/** Whether the ledger has a snapshot of a point on a side that it does not call deleted. */
export const isOn = (point: Removable, side: Side): boolean =>
  (side === 'source' || point.replica !== null) && point.removal[side]?.state !== 'deleted';

/** What a bucket is shown with that nobody has looked at: a plan judges snapshots alone. */
const UNSEEN = {
  created: '1970-01-01T00:00:00.000Z',
  layout: 'FILE_SYSTEM_OPTIMIZED',
  link: false,
  usedBytes: 0,
  usedNamespace: 0,
  owner: '',
  quotaInBytes: -1,
  quotaInNamespace: -1,
  replication: '',
  encryptionKey: null,
  acls: null,
} as const;

const listing = (points: readonly RecoveryPoint[], side: Side): SeenSide => ({
  state: 'read',
  bucket: { ...UNSEEN },
  snapshots: points.flatMap((point): SeenSnapshot[] => {
    const snapshot = point[side];
    return snapshot && isOn(point, side)
      ? [{ name: point.name, id: snapshot.id, created: snapshot.created, status: 'ACTIVE' }]
      : [];
  }),
});

/** What a plan is made from. */
export const bucketToPrune = (
  points: readonly RecoveryPoint[],
  pairs: BucketToPrune['pairs'],
  inUse: BucketToPrune['inUse'],
  listings: BucketToPrune['listings'],
): BucketToPrune => ({
  points,
  pairs,
  inUse,
  pins: points.flatMap((point) => [
    ...point.pins.map((pin) => ({ point: point.name, ...pin })),
    ...(point.pinned === null ? [] : [{ point: point.name, by: 'the anomaly brake', reason: point.pinned }]),
  ]),
  holds: points.flatMap((point) => point.holds.map((hold) => ({ point: point.name, ...hold }))),
  listings,
});

/**
 * Listings by the ledger alone: as if each side had exactly the snapshots that the ledger has and does not call deleted.
 * A prune looks at the clusters instead.
 */
export const listingsByLedger = (
  policy: Pick<Policy, 'replica'>,
  points: readonly RecoveryPoint[],
): BucketToPrune['listings'] => ({
  source: listing(points, 'source'),
  replica: policy.replica && listing(points, 'replica'),
});

/** Since when snapshots are condemned, by id. */
export const condemnedByLedger = (points: readonly RecoveryPoint[]): ReadonlyMap<SnapshotId, EpochMs> =>
  new Map(
    points.flatMap((point) =>
      (['source', 'replica'] as const).flatMap((side) => {
        const removal = point.removal[side];
        const snapshot = point[side];
        return snapshot && removal && removal.state !== 'deleted' ? [[snapshot.id, removal.condemnedAt] as const] : [];
      }),
    ),
  );

/** Copies that may still be going on, with the points that they read and write. */
export const inUseByCopies = ({ copies }: Pick<PairState, 'copies'>): BucketToPrune['inUse'] =>
  copies
    .filter(({ to }) => to === null)
    .map(({ operation, point, base }) => ({ by: operation, points: base ? [point, base] : [point] }));
