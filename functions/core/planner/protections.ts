import type { SeenSide, SeenSnapshot } from '../domain/edge-reply.ts';
import type { PairState, PointState, RecoveryPoint } from '../domain/ledger.ts';
import type { PolicyName, SnapshotName } from '../domain/names.ts';
import { isInForce, type LegalHold, type Pin, type Side } from '../domain/retention.ts';
import type { DurationSeconds, EpochMs } from '../domain/units.ts';

/** A point as the ledger has it. */
export type LedgerPoint = Pick<RecoveryPoint, 'name' | 'policy' | 'state' | 'source' | 'replica'>;

interface OfPoint {
  readonly point: SnapshotName;
}

/** What a bucket's snapshots are judged by: the ledger, and a complete listing of both sides. */
export interface BucketToPrune {
  /** Every point of the pair that the ledger does not call deleted, of all policies. */
  readonly points: readonly LedgerPoint[];
  /** Every pair that has this bucket as its source, the one in question among them. */
  readonly pairs: readonly Pick<PairState, 'base' | 'previousBase'>[];
  /** What may be going on, with the points that it reads or writes. */
  readonly inUse: readonly { readonly by: string; readonly points: readonly SnapshotName[] }[];
  readonly pins: readonly (OfPoint & Pick<Pin, 'by' | 'reason'>)[];
  readonly holds: readonly (OfPoint & Pick<LegalHold, 'reason' | 'until'>)[];
  /** `replica` is null for a policy without one. */
  readonly listings: { readonly source: SeenSide; readonly replica: SeenSide | null };
}

/** A snapshot of a listing together with the point that it is the snapshot of, by id. */
export interface OwnSnapshot {
  readonly point: LedgerPoint;
  readonly seen: SeenSnapshot;
}

export interface ReadSide {
  readonly own: readonly OwnSnapshot[];
  /** Not ours by id, whatever the name. */
  readonly foreign: readonly SeenSnapshot[];
}

/** Sorts the active snapshots of a side that was read into ours and others'. */
export const sortOut = (
  listing: Extract<SeenSide, { state: 'read' }>,
  points: readonly LedgerPoint[],
  side: Side,
): ReadSide => {
  const byId = new Map<string, LedgerPoint>();
  for (const point of points) {
    const id = point[side]?.id;
    if (id) byId.set(id, point);
  }
  const own: OwnSnapshot[] = [];
  const foreign: SeenSnapshot[] = [];
  for (const seen of listing.snapshots) {
    if (seen.status !== 'ACTIVE') continue;
    const point = byId.get(seen.id);
    if (point) own.push({ point, seen });
    else foreign.push(seen);
  }
  return { own, foreign };
};

/** Its content was compared with the source. */
export const isVerified = (state: PointState): boolean => {
  switch (state) {
    case 'verified':
      return true;
    case 'taken':
    case 'sealed':
    case 'differs':
      return false;
  }
};

/** A copy that rules may count: on the source every snapshot of ours, on the replica only what is proved equal. */
export const isGood = ({ point }: OwnSnapshot, side: Side): boolean =>
  side === 'source' || (isVerified(point.state) && point.replica?.condemned === false);

/** The time that a point is of: both sides' snapshots show the source as it was then. */
export const timeOf = (point: LedgerPoint): EpochMs => point.source.created;

const newestFirst = (a: OwnSnapshot, b: OwnSnapshot): number =>
  timeOf(b.point) - timeOf(a.point) || (a.point.name < b.point.name ? 1 : -1);

/** Several reasons per point name. */
const collect = (
  entries: readonly (readonly [SnapshotName, string])[],
): ReadonlyMap<SnapshotName, readonly string[]> => {
  const byName = new Map<SnapshotName, string[]>();
  for (const [name, reason] of entries) {
    const reasons = byName.get(name);
    if (reasons) reasons.push(reason);
    else byName.set(name, [reason]);
  }
  return byName;
};

export interface ProtectionSettings {
  readonly policy: PolicyName;
  /** At least 1. */
  readonly minGood: number;
  readonly grace: DurationSeconds;
}

/**
 * Why a snapshot of ours may not be deleted from `side` now, whatever the rules say; empty when nothing protects it.
 * The returned function is cheap; what is the same for all snapshots is worked out once.
 */
export const protectionsOf = (
  bucket: BucketToPrune,
  sides: { readonly source: ReadSide; readonly replica: ReadSide | null },
  side: Side,
  settings: ProtectionSettings,
  now: EpochMs,
): ((snapshot: OwnSnapshot) => readonly string[]) => {
  const { source, replica } = sides;
  const isProved = (snapshot: OwnSnapshot): boolean => replica === null || isGood(snapshot, 'replica');
  /** Newest first; a date in the future makes no point the newest. */
  const proved = (own: readonly OwnSnapshot[]): readonly OwnSnapshot[] =>
    own.filter((it) => isProved(it) && timeOf(it.point) <= now).sort(newestFirst);
  const onReplica = new Set(replica?.own.map(({ point }) => point.name));
  const newest = proved(source.own).find(({ point }) => replica === null || onReplica.has(point.name))?.point;
  const good = proved(sides[side]?.own ?? [])
    .filter(({ point }) => point.policy === settings.policy)
    .slice(0, settings.minGood);

  const named = collect([
    ...bucket.pairs.flatMap(({ base, previousBase }) => [
      ...(base ? [[base.name, 'the base of the next increment'] as const] : []),
      ...(previousBase ? [[previousBase.name, 'the base before the last'] as const] : []),
    ]),
    ...bucket.inUse.flatMap(({ by, points }) => points.map((name) => [name, `in use by ${by}`] as const)),
    ...(newest ? [[newest.name, 'the newest point that is proved on all sides'] as const] : []),
    ...good.map(
      ({ point }) =>
        [
          point.name,
          settings.minGood === 1 ? 'the newest good point' : `one of the ${settings.minGood} newest good points`,
        ] as const,
    ),
    ...bucket.pins.map(({ point, by, reason }) => [point, `pinned by ${by}: ${reason}`] as const),
    ...bucket.holds
      .filter((hold) => isInForce(hold, now))
      .map(
        ({ point, reason, until }) =>
          [
            point,
            `legal hold ${until === null ? 'without end' : `until ${new Date(until).toISOString()}`}: ${reason}`,
          ] as const,
      ),
  ]);
  const unreplicated = side === 'source' ? 'not yet replicated' : 'not verified, and nothing newer is';

  return (snapshot) => {
    const { point, seen } = snapshot;
    const reasons = [...(named.get(point.name) ?? [])];
    if (point.policy !== settings.policy) reasons.push(`of the policy ${point.policy}`);
    if (!isProved(snapshot) && (newest === undefined || timeOf(point) > timeOf(newest))) reasons.push(unreplicated);
    if (timeOf(point) > now || seen.created > now) reasons.push('future-dated');
    else if (now - seen.created < settings.grace * 1000)
      reasons.push(`younger than the grace of ${settings.grace / 3600} hours`);
    return reasons;
  };
};
