import type { Newest } from '../domain/clocks.ts';
import type { PairState, RecoveryPoint } from '../domain/ledger.ts';
import { type BucketRef, type ClusterName, type WorkflowName, workflowOf } from '../domain/names.ts';
import type { Cluster, Policy } from '../domain/policy.ts';
import type { Readiness, Remark } from '../domain/readiness.ts';
import { type EpochMs, epochMs, secondsBetween } from '../domain/units.ts';
import { newestAt } from './clocks.ts';
import { instantText } from './consequences.ts';
import { promotable } from './pick-point.ts';
import { restoreRate, restoreTime } from './restore-rate.ts';
import { isSettledOnReplica } from './roles.ts';

type PairToPromote = Pick<PairState, 'role' | 'lease' | 'copies' | 'hold' | 'dirtySince' | 'foreignChange'>;

interface Names {
  readonly bucket: BucketRef;
  readonly from: ClusterName;
  readonly to: ClusterName;
}

/**
 * What stands in the way of a failover, or is to be known before it, the worst first. Pure, and read from the pair alone:
 * a pause of the policy is in nobody's way, for people start failovers.
 * @param hasPoint whether there is a point that the replica can be brought back to
 */
export const remarksOf = (
  pair: PairToPromote,
  hasPoint: boolean,
  { bucket, from, to }: Names,
  now: EpochMs,
): readonly Remark[] => {
  const { role, lease, copies, hold, dirtySince, foreignChange } = pair;
  if (role && isSettledOnReplica(role))
    return [
      {
        kind: 'failed-over',
        blocks: 'now',
        until: null,
        text: `it was failed over to ${to} at ${instantText(role.since)} already (${role.by}): people write there, and nothing backs it up to ${to} any more`,
        remedy: `Bring the roles back with a failback when ${from} is there again.`,
      },
    ];
  const found: Remark[] = [];
  // Whoever moves the roles is not in the way of itself: the same failover is started again until it succeeds.
  if (role?.state === 'moving')
    found.push({
      kind: 'moving',
      blocks: 'now',
      until: null,
      text: `its roles are being moved by ${role.by} since ${instantText(role.since)}, to ${role.point}: until they are settled nothing backs it up`,
      remedy: 'If that run is not at work any more, start the failover again: it goes on from what it finds.',
    });
  else if (!hasPoint)
    found.push({
      kind: 'no-point',
      blocks: 'now',
      until: null,
      text: `no verified point of ${bucket} is on ${to}: there is nothing to fail over to`,
      remedy: `Back up ${bucket} now, and look why no backup of it was verified.`,
    });
  if (lease && lease.expires > now && lease.runId !== role?.by)
    found.push({
      kind: 'at-work',
      blocks: 'now',
      until: lease.expires,
      text: `${lease.runId} is at work on it: ${waitsFor(workflowOf(lease.runId))}`,
      remedy: `Wait until it is over, or stop ${lease.execution}.`,
    });
  const alive = copies.filter(({ to: end, deadline }) => end === null && deadline > now);
  if (alive.length > 0 && found.every(({ kind }) => kind !== 'at-work')) {
    const until = epochMs(Math.max(...alive.map(({ deadline }) => deadline)));
    found.push({
      kind: 'copy-alive',
      blocks: 'now',
      until,
      text: `a copy of which no end is known may still write to ${to} until ${instantText(until)} (on ${alive[0]?.host})`,
      remedy: 'A failover waits for that time, unless it runs on the same host, which ends the copy.',
    });
  }
  if (hold && hold.accepted === null)
    found.push({
      kind: 'change-held',
      blocks: 'planned',
      until: null,
      text: `the change up to ${hold.target} is held back: ${to} does not have it, nor what came after it`,
      remedy: `Decide "accept ${bucket} ${hold.target}" before a planned failover; an unplanned one leaves it out.`,
    });
  const dirty = dirtySince ?? foreignChange;
  if (dirty)
    found.push({
      kind: 'replica-dirty',
      blocks: 'nothing',
      until: null,
      text: dirtySince
        ? `the replica may be half copied since ${instantText(dirty.at)} (${dirty.operation}): it is brought back to the point first`
        : `somebody else wrote into the replica (seen ${instantText(dirty.at)}): it is brought back to the point first`,
      remedy: 'Nothing has to be done; it takes longer.',
    });
  return found;
};

const waitsFor = (workflow: WorkflowName): string =>
  workflow === 'backup' || workflow === 'prune'
    ? 'a planned failover waits half an hour for it, and then gives up; an unplanned one two minutes, and with its confirmation takes the bucket then'
    : 'a failover waits half an hour for it, and then gives up';

const isReadyBy = (remarks: readonly Remark[]): boolean => remarks.every(({ blocks }) => blocks !== 'now');

export interface ReadinessFacts {
  readonly bucket: BucketRef;
  readonly policy: Pick<Policy, 'source' | 'limits' | 'objectives'>;
  readonly replica: Pick<Cluster, 'name'>;
  readonly pair: PairToPromote;
  /** Every living point of the pair. */
  readonly points: readonly RecoveryPoint[];
  /** Of the drills of the bucket. */
  readonly lastDrill: PairState['lastDrill'];
}

/**
 * What would fail over now: to which point, what would be lost, how long it would take and what is in the way. Pure;
 * from the ledger alone, so a cluster that does not answer is not seen here.
 */
export const readinessOf = (
  { bucket, policy, replica, pair, points, lastDrill }: ReadinessFacts,
  now: EpochMs,
): Readiness => {
  const { source, limits, objectives } = policy;
  const { role } = pair;
  const good = promotable(points).filter((point) => point.source.created <= now);
  // What the replica is brought back to is not changed half way.
  const point =
    role?.state === 'moving'
      ? good.find(({ name }) => name === role.point)
      : isSettledOnReplica(role)
        ? undefined
        : good[0];
  const remarks = remarksOf(pair, point !== undefined, { bucket, from: source.name, to: replica.name }, now);
  return {
    isReady: isReadyBy(remarks),
    from: source.name,
    to: replica.name,
    role,
    point: point
      ? { name: point.name, at: point.source.created, age: secondsBetween(point.source.created, now) }
      : null,
    takes: point ? takesOf(point, { policy: { limits, objectives }, pair, points, lastDrill }) : null,
    remarks: [...remarks],
  };
};

/**
 * A replica that nobody has changed since it was compared has only to be listed and compared with its point; of any other
 * all may have to be copied.
 */
const takesOf = (
  { verification }: RecoveryPoint,
  {
    policy: { limits, objectives },
    pair: { dirtySince, foreignChange },
    points,
    lastDrill,
  }: Pick<ReadinessFacts, 'points' | 'lastDrill'> & {
    readonly policy: Pick<Policy, 'limits' | 'objectives'>;
    readonly pair: Pick<PairToPromote, 'dirtySince' | 'foreignChange'>;
  },
): Readiness['takes'] => {
  if (!verification) return null;
  const { files, bytes } = verification;
  const rate = restoreRate(points, limits, lastDrill);
  const isClean = dirtySince === null && foreignChange === null;
  const seconds = restoreTime(rate, { files, bytes: isClean ? 0 : bytes });
  const work = isClean
    ? 'nothing has to be copied: the replica and its snapshot are listed and compared'
    : 'at most: all may have to be copied from the snapshot of the replica';
  return {
    files,
    bytes,
    seconds,
    objective: objectives.rto,
    isWithin: seconds <= objectives.rto,
    basis: `${work}; ${rate.basis}`,
  };
};

/**
 * Why a bucket could not be failed over now, null when it could: for a whole fleet, from the state of the pair and the newest
 * points that are kept with it. What passes by itself,
 * a run at work or a copy whose end is awaited, does not count: of a night with many buckets there would always be one. A
 * bucket that is failed over is not one that could not be. What it leaves out, as it reads no points and asks no cluster:
 * whether the newest verified point is being deleted at the moment, how long a failover takes, and whether the replica's
 * cluster and hosts answer, which other alarms watch.
 * @param newest of each policy that takes points of the pair
 */
export const whyNotReady = (
  pair: PairToPromote,
  newest: readonly (Newest | null)[],
  names: Names,
  now: EpochMs,
): string | null => {
  const hasPoint = newest.some((it) => newestAt(it, 'listing') !== null);
  const why = remarksOf(pair, hasPoint, names, now).find(
    ({ kind, blocks, until }) => blocks === 'now' && until === null && kind !== 'failed-over',
  );
  return why?.text ?? null;
};
