import type { RecoveryPoint } from '../domain/ledger.ts';
import { type BucketRef, type PairId, pairId, RunId } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import type { Role } from '../domain/roles.ts';
import type { EpochMs } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { baseOf } from '../planner/history.ts';
import { isReadable } from '../planner/pick-point.ts';
import type { Ledger } from '../ports.ts';

interface Direction {
  readonly role: Role;
  readonly pair: PairId;
  readonly lease: number;
  /** In this direction. */
  readonly policy: Policy;
  readonly bucket: BucketRef;
  readonly now: EpochMs;
}

/**
 * A pair whose bucket had another primary since it was last worked on goes on where the other direction ended: with the
 * point that its primary began with as the base, which both clusters have, and with the points that were made meanwhile.
 * Safe to repeat.
 * @throws LeaseLost, NoCommonPoint
 */
export const goOnFrom = async (
  ledger: Pick<Ledger, 'loadPair' | 'livingPoints' | 'putPoint' | 'changePair'>,
  { role, pair, lease, policy, bucket, now }: Direction,
): Promise<void> => {
  const { source, replica } = policy;
  if (!replica) return;
  const other = pairId(replica.name, bucket, source.name);
  const [seen, before, points, known] = await Promise.all([
    ledger.loadPair(pair),
    ledger.loadPair(other),
    ledger.livingPoints(other),
    ledger.livingPoints(pair),
  ]);
  if (seen.epoch === role.epoch) return;
  if (role.prepared?.isRebuilt) {
    // Filled like a new replica: claimed by the first copy, which has to find it empty.
    await ledger.changePair(pair, lease, {
      epoch: role.epoch,
      base: null,
      previousBase: null,
      dirtySince: null,
      foreignChange: null,
      hold: null,
      owned: null,
      sourceCreated: before.owned?.created ?? null,
    });
    return;
  }
  const taken = takenOver(role, points, known);
  const first = [...taken, ...known.filter(isOnBoth)].find(({ name }) => name === role.point);
  if (!first)
    throw new DrError(
      'NoCommonPoint',
      `${role.point} of ${bucket}, with which ${source.name} became its primary, is not on both clusters any more`,
    );
  for (const point of taken) await ledger.putPoint(pair, point);
  await ledger.changePair(pair, lease, {
    epoch: role.epoch,
    base: baseOf(first) ?? null,
    previousBase: seen.base,
    // A write of somebody into the old primary is found by the copy, and compared away; it is kept apart by then.
    dirtySince: null,
    foreignChange: null,
    hold: null,
    owned: before.sourceCreated === null ? null : { created: before.sourceCreated, at: now, proved: true },
    sourceCreated: before.owned?.created ?? null,
  });
};

const isOnBoth = (point: RecoveryPoint): boolean => isReadable(point, 'source') && isReadable(point, 'replica');

/**
 * The points of the other direction that count in this one: what its primary began with, and what was made meanwhile.
 * @param other points of the other direction
 * @param known those of this one
 */
export const takenOver = (
  { point: begin }: Role,
  other: readonly RecoveryPoint[],
  known: readonly RecoveryPoint[],
): readonly RecoveryPoint[] => {
  const names = new Set(known.map(({ name }) => name));
  const newest = Math.max(0, ...known.map(({ source: { created } }) => created));
  return other
    .filter(isOnBoth)
    .filter(({ name, source: { created } }) => !names.has(name) && (name === begin || created > newest))
    .map(exchangedPoint);
};

/** The same two snapshots, seen from the other side. */
const exchangedPoint = (point: RecoveryPoint): RecoveryPoint => {
  const { source, replica } = point;
  if (!replica) throw new Error(`${point.name} has no copy`);
  return {
    ...point,
    source: { id: replica.id, created: replica.created },
    replica: { id: source.id, created: source.created, condemned: false },
    removal: { source: point.removal.replica, replica: point.removal.source },
    // What a run keeps it lets go of in its own direction only.
    pins: point.pins.filter(({ by }) => !RunId.safeParse(by).success),
    base: null,
    mode: null,
  };
};
