import type { RemovedData, SeenSide } from '../domain/edge-reply.ts';
import type { Observation, RecoveryPoint } from '../domain/ledger.ts';
import type { OperationId, SnapshotId } from '../domain/names.ts';
import { isInForce, type PlanHash, type Removal, type Removals, Side } from '../domain/retention.ts';
import type { EpochMs } from '../domain/units.ts';

/** What a complete listing says about the snapshots of a point that the ledger did not know yet. */
export interface Reconciled {
  readonly point: RecoveryPoint;
  readonly removal: Removals;
  readonly gone: readonly { readonly side: Side; readonly byUs: boolean; readonly plan: PlanHash | null }[];
}

const gone = (known: Removal | null, now: EpochMs): Removal => ({
  state: 'deleted',
  plan: known?.plan ?? null,
  condemnedAt: known?.condemnedAt ?? now,
  deletedAt: now,
});

const ofSide = (
  known: Removal | null,
  isThere: boolean,
  underWay: ReadonlySet<OperationId>,
  now: EpochMs,
): Removal | null => {
  if (!isThere) return known?.state === 'deleted' ? known : gone(known, now);
  switch (known?.state) {
    case undefined:
      return null;
    case 'condemned':
      return known;
    // The host was to delete it and did not, whatever it answered. While it still may, nobody is told that it stays.
    case 'deleting':
      return known.operation && underWay.has(known.operation) ? known : { ...known, state: 'condemned' };
    // What the ledger believed is wrong: it is alive, and must be condemned anew before it may go.
    case 'deleted':
      return null;
  }
};

/**
 * The points whose removal is another than the ledger has, going by complete listings of both sides. A snapshot that is
 * listed under the id of the point is there; one that is not is gone, by us if we had told a host to delete it.
 * @param underWay commands that a host may still carry out
 */
export const reconcile = (
  points: readonly RecoveryPoint[],
  listings: Readonly<Record<Side, SeenSide | null>>,
  underWay: ReadonlySet<OperationId>,
  now: EpochMs,
): readonly Reconciled[] => {
  const active = (side: Side): ReadonlySet<string> | null => {
    const listing = listings[side];
    if (listing?.state !== 'read') return null;
    return new Set(listing.snapshots.filter(({ status }) => status === 'ACTIVE').map(({ id }) => id));
  };
  const there = { source: active('source'), replica: active('replica') };
  return points.flatMap((point): readonly Reconciled[] => {
    const removal = { ...point.removal };
    const lost: Reconciled['gone'][number][] = [];
    for (const side of Side.options) {
      const ids = there[side];
      const id = point[side]?.id;
      if (!ids || !id) continue;
      const known = point.removal[side];
      removal[side] = ofSide(known, ids.has(id), underWay, now);
      if (removal[side]?.state === 'deleted' && known?.state !== 'deleted')
        lost.push({ side, byUs: known?.state === 'deleting', plan: known?.plan ?? null });
    }
    const isAsKnown = Side.options.every((side) => removal[side]?.state === point.removal[side]?.state);
    return isAsKnown ? [] : [{ point, removal, gone: lost }];
  });
};

/** What the host says of a snapshot that it found in the list after the deletions, or did not come to. */
const IS_THERE = /^(still there$|not tried$|another snapshot)/;

/** Of the snapshots that a command was to delete: those that its answer proves not to be deleted. */
export const stillThere = (
  asked: readonly { readonly id: SnapshotId }[],
  observed: Observation,
): readonly SnapshotId[] => {
  const ids = asked.map(({ id }) => id);
  const without = (data: RemovedData): readonly SnapshotId[] => {
    const there = new Set(data.kept.filter(({ why }) => IS_THERE.test(why)).map(({ id }) => id));
    return ids.filter((id) => there.has(id));
  };
  switch (observed.kind) {
    case 'deletion':
      return without(observed.data);
    case 'not-done':
      if (observed.outcome === 'refused' || observed.outcome === 'unreachable') return ids;
      return observed.deletion ? without(observed.deletion) : [];
    default:
      return [];
  }
};

/** Nothing of the point is left on any side. */
export const isGone = ({ replica, removal }: Pick<RecoveryPoint, 'replica' | 'removal'>): boolean =>
  removal.source?.state === 'deleted' && (replica === null || removal.replica?.state === 'deleted');

/** Nothing but a plan may delete it: neither a pin nor a legal hold that has not ended stands in the way. */
export const isHeld = ({ pins, holds }: Pick<RecoveryPoint, 'pins' | 'holds'>, now: EpochMs): boolean =>
  pins.length > 0 || holds.some((hold) => isInForce(hold, now));
