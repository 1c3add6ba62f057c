import { compactTime, drillPair, pairId, runId } from '../domain/names.ts';
import { RestorePlan, type RestoreTask } from '../domain/restore.ts';
import type { FailoverRequest } from '../domain/roles.ts';
import type { EpochMs } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { promotable } from '../planner/pick-point.ts';
import { restoreRate } from '../planner/restore-rate.ts';
import { describeScope } from '../planner/selection.ts';
import { policyOf } from './open-run.ts';
import { hashOf, readPlan } from './plan-text.ts';
import { confirmationFor, noPoint, pointOf, type Wanted, type WantedDependencies } from './wanted-restore.ts';

/**
 * A failover is a restore of the newest verified point into the replica itself, from the replica's own snapshot, under the
 * lease of the pair: so nothing that brings data over can be at work, and the source is not needed.
 * @throws EventInvalid, PolicyInvalid, PointGone, NotConfirmed, NotPrimary
 */
export const wantedFailover = async (
  deps: WantedDependencies,
  request: FailoverRequest,
  startedAt: EpochMs,
  now: EpochMs,
): Promise<Wanted> => {
  const { bucket, kind } = request;
  const policy = await policyOf(deps, request, now);
  const { source, replica } = policy;
  if (!replica)
    throw new DrError('PolicyInvalid', `the policy ${policy.name} has no replica: there is nothing to fail over to`);
  const pair = pairId(source.name, bucket, replica.name);
  const plan = request.plan && readPlan(RestorePlan, request.plan, await deps.plans.load(request.plan));
  const slot = request.slot ?? startedAt;
  const id = runId(pair, policy.name, slot, 'failover');
  const [points, { role }, { lastDrill }] = await Promise.all([
    deps.ledger.livingPoints(pair),
    deps.ledger.loadPair(pair),
    deps.ledger.loadPair(drillPair(source.name, bucket)),
  ]);
  if (role?.primary === 'replica' && role.state === 'settled' && role.by !== id)
    throw new DrError(
      'NotPrimary',
      `${bucket} was failed over to ${replica.name} already, at ${new Date(role.since).toISOString()} by ${role.by}: nothing is left to do`,
    );
  const isMoving = role?.primary === 'replica';
  const good = promotable(points);
  // What the replica is brought back to is not changed half way.
  const name = isMoving ? role.point : request.point;
  const point = name === undefined ? good[0] : good.find((it) => it.name === name);
  if (!point) throw noPoint(bucket, good, { point: name });
  const task: RestoreTask = {
    purpose: 'failover',
    lineage: pair,
    point: { ...pointOf(policy, bucket, point), source: null },
    selection: null,
    since: null,
    scope: describeScope('bucket'),
    target: { kind: 'in-place', cluster: replica, bucket },
    overwrite: 'if-different',
    deleteExtra: true,
    verification: request.verification,
    by: request.by,
    reason: request.reason,
    rate: restoreRate(points, policy.limits, lastDrill),
    planOnly: request.planOnly,
    confirmed: null,
    failover: { kind, from: source, epoch: isMoving ? role.epoch : (role?.epoch ?? 0) + 1 },
  };
  const confirmed = confirmationFor(request, task, plan, now);
  const isDrained = isMoving || point.slot >= startedAt;
  return {
    id,
    pair,
    policy,
    bucket,
    slot,
    task: { ...task, confirmed },
    isPointNamed: request.point !== undefined,
    selection: null,
    ...(kind === 'planned' && confirmed && !isDrained
      ? {
          drain: {
            name: `drain-${compactTime(startedAt)}-${hashOf(id).slice(0, 16)}`,
            input: { policy: policy.name, bucket, slot: new Date(startedAt).toISOString() },
          },
        }
      : {}),
  };
};
