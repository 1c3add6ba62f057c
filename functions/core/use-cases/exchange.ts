import type { RecoveryPoint } from '../domain/ledger.ts';
import { type BucketRef, type PairId, pairId } from '../domain/names.ts';
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
  const names = new Set(known.map(({ name }) => name));
  const newest = Math.max(0, ...known.map(({ source: { created } }) => created));
  const shared = points.filter((point) => isReadable(point, 'source') && isReadable(point, 'replica'));
  const first = shared.find(({ name }) => name === role.point);
  if (!first)
    throw new DrError(
      'NoCommonPoint',
      `${role.point} of ${bucket}, with which ${source.name} became its primary, is not on both clusters any more`,
    );
  for (const point of shared)
    if (!names.has(point.name) && (point === first || point.source.created > newest))
      await ledger.putPoint(pair, exchangedPoint(point));
  await ledger.changePair(pair, lease, {
    epoch: role.epoch,
    base: baseOf(exchangedPoint(first)) ?? null,
    previousBase: seen.base,
    // A write of somebody into the old primary is found by the copy, and compared away; it is kept apart by then.
    dirtySince: null,
    foreignChange: null,
    hold: null,
    owned: before.sourceCreated === null ? null : { created: before.sourceCreated, at: now, proved: true },
    sourceCreated: before.owned?.created ?? null,
  });
};

/** The same two snapshots, seen from the other side. */
const exchangedPoint = (point: RecoveryPoint): RecoveryPoint => {
  const { source, replica } = point;
  if (!replica) throw new Error(`${point.name} has no copy`);
  return {
    ...point,
    source: { id: replica.id, created: replica.created },
    replica: { id: source.id, created: source.created, condemned: false },
    base: null,
    mode: null,
  };
};
