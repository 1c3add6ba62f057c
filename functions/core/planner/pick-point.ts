import type { RecoveryPoint } from '../domain/ledger.ts';
import type { PolicyName } from '../domain/names.ts';
import type { Drills } from '../domain/policy.ts';
import { Side } from '../domain/retention.ts';
import type { EpochMs } from '../domain/units.ts';
import { isVerified } from './protections.ts';

/**
 * Whether the ledger has a copy of the point on this side that may be restored from. A snapshot that is only condemned is
 * there, and a pin keeps it. On the replica nothing counts that was not compared with the source and found equal.
 */
export const isReadable = (point: RecoveryPoint, side: Side): boolean => {
  const removal = point.removal[side];
  if (removal !== null && removal.state !== 'condemned') return false;
  return side === 'source' || (isVerified(point.state) && point.replica?.condemned === false);
};

const isRestorable = (point: RecoveryPoint): boolean => Side.options.some((side) => isReadable(point, side));

const newestOf = (points: readonly RecoveryPoint[]): RecoveryPoint | undefined =>
  points.reduce<RecoveryPoint | undefined>(
    (newest, point) => (newest && newest.source.created >= point.source.created ? newest : point),
    undefined,
  );

/** The points whose copy on the replica was found equal and is there, newest first: what a replica can be brought back to. */
export const promotable = (points: readonly RecoveryPoint[]): readonly RecoveryPoint[] =>
  points
    .filter((point) => isReadable(point, 'replica'))
    .toSorted((one, other) => other.source.created - one.source.created);

/** The newest point at or before a time that can be restored from any side. */
export const nearestPoint = (points: readonly RecoveryPoint[], asOf: EpochMs): RecoveryPoint | undefined =>
  newestOf(points.filter((point) => point.source.created <= asOf && isRestorable(point)));

/**
 * Of verified points; of a bucket without a replica, where nothing is ever verified, of what was taken. A failover has only
 * the replica's copies.
 */
export const drillable = (
  points: readonly RecoveryPoint[],
  { on, as }: Pick<Drills, 'on' | 'as'>,
): readonly RecoveryPoint[] => {
  if (as === 'failover') return promotable(points);
  const isLocal = on === 'source' && points.every(({ replica }) => replica === null);
  return points.filter((point) => (isLocal || isVerified(point.state)) && isRestorable(point));
};

/** A number below `count` that neighbouring slots share with nobody's pattern (the finalizer of MurmurHash3). */
const scatter = (slot: EpochMs, count: number): number => {
  let mixed = Math.floor(slot / 1000) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) % count;
};

/**
 * One of those whose last drill is longest ago: each gets its turn, and one that fails again and again does not keep the
 * others from theirs.
 */
const inTurn = (points: readonly RecoveryPoint[], slot: EpochMs): RecoveryPoint | undefined => {
  const stalest = points
    .toSorted(
      (one, other) =>
        (one.drilled?.at ?? 0) - (other.drilled?.at ?? 0) ||
        one.source.created - other.source.created ||
        (one.name < other.name ? -1 : 1),
    )
    .slice(0, Math.max(2, Math.ceil(points.length / 2)));
  return stalest[scatter(slot, stalest.length)];
};

/**
 * The point that a slot drills: the newest verified one, or one of all verified ones in turn; of those whose copy is on the
 * replica if there are any, for that copy is what a lost source is restored from. A policy proves its own points: those of
 * others on the same bucket only while it has none, as one that has drills and no schedule. The same slot picks the same until
 * a drill passes.
 */
export const pickForDrill = (
  points: readonly RecoveryPoint[],
  drills: Drills & { readonly policy: PolicyName },
  slot: EpochMs,
): RecoveryPoint | undefined => {
  const ofAnyPolicy = drillable(points, drills);
  const own = ofAnyPolicy.filter(({ policy }) => policy === drills.policy);
  const all = own.length > 0 ? own : ofAnyPolicy;
  const copied = all.filter((point) => isReadable(point, 'replica'));
  const candidates = copied.length > 0 ? copied : all;
  switch (drills.pick) {
    case 'newest':
      return newestOf(candidates);
    case 'random':
      return inTurn(candidates, slot);
  }
};
