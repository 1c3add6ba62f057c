import { compactTime, drillPair, pairId, runId } from '../domain/names.ts';
import { RestorePlan, type RestoreTask } from '../domain/restore.ts';
import type { PlanHash, Side } from '../domain/retention.ts';
import type { FailoverRequest } from '../domain/roles.ts';
import { type EpochMs, later, seconds } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { promotable } from '../planner/pick-point.ts';
import { restoreRate } from '../planner/restore-rate.ts';
import { exchanged, primaryOf } from '../planner/roles.ts';
import { describeScope } from '../planner/selection.ts';
import { takenOver } from './exchange.ts';
import { fleetPlanOf } from './failover-fleet.ts';
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
  back = false,
): Promise<Wanted> => {
  const { bucket, kind } = request;
  const given = await policyOf(deps, request, now);
  if (!given.replica)
    throw new DrError('PolicyInvalid', `the policy ${given.name} has no replica: there is nothing to fail over to`);
  const roleOf = pairId(given.source.name, bucket, given.replica.name);
  const policy = back ? exchanged(given) : given;
  const [from, to] = [policy.source, policy.replica ?? policy.source];
  const pair = pairId(from.name, bucket, to.name);
  const plan = request.plan && readPlan(RestorePlan, request.plan, await deps.plans.load(request.plan));
  const slot = request.slot ?? startedAt;
  const id = runId(pair, policy.name, slot, back ? 'failback' : 'failover');
  const [known, { epoch }, { role, owned }, { lastDrill }] = await Promise.all([
    deps.ledger.livingPoints(pair),
    deps.ledger.loadPair(pair),
    deps.ledger.loadPair(roleOf),
    deps.ledger.loadPair(drillPair(given, bucket)),
  ]);
  const side: Side = back ? 'source' : 'replica';
  const isThere = primaryOf(role) === side;
  if (isThere && (role === null || (role.state === 'settled' && role.by !== id)))
    throw new DrError(
      'NotPrimary',
      `${to.name} is the primary of ${bucket} already${role ? `, since ${new Date(role.since).toISOString()} by ${role.by}` : ''}: nothing is left to do`,
    );
  if (role?.state === 'moving' && !isThere)
    throw new DrError('NotPrimary', `${bucket} is being failed over the other way by ${role.by}: finish that first`);
  if (back && !isThere && !role?.prepared)
    throw new DrError('NotPrimary', `what was written to ${to.name} is not kept apart yet: prepare a failback first`);
  // Roles that came back a moment ago: no backup has taken over yet what the other direction left.
  const isNew = role?.state === 'settled' && !isThere && epoch !== role.epoch;
  const left = isNew ? await deps.ledger.livingPoints(pairId(to.name, bucket, from.name)) : [];
  const points = role && isNew ? [...takenOver(role, left, known), ...known] : known;
  const good = promotable(points);
  // What the new primary is brought to is not changed half way.
  const name = isThere ? role?.point : request.point;
  const point = name === undefined ? good[0] : good.find((it) => it.name === name);
  if (!point) throw noPoint(bucket, good, { point: name });
  const task: RestoreTask = {
    purpose: 'failover',
    lineage: pair,
    point: { ...pointOf(policy, bucket, point), source: null },
    selection: null,
    since: null,
    scope: describeScope('bucket'),
    target: { kind: 'in-place', cluster: to, bucket },
    overwrite: 'if-different',
    deleteExtra: true,
    verification: request.verification,
    by: request.by,
    reason: request.reason,
    rate: restoreRate(points, policy.limits, lastDrill),
    planOnly: request.planOnly,
    confirmed: null,
    failover: { kind, from, epoch: isThere ? (role?.epoch ?? 1) : (role?.epoch ?? 0) + 1, to: side, roleOf },
    failback: null,
  };
  const confirmed = request.fleet
    ? await confirmedByFleet(deps, request.fleet, task, owned?.created ?? null, startedAt)
    : confirmationFor(request, task, plan, now);
  const isDrained = isThere || point.slot >= startedAt;
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
            input: { policy: policy.name, bucket, slot: new Date(startedAt).toISOString(), back },
          },
        }
      : {}),
  };
};

/** A fleet takes hours at most; its children are started by it, and each bucket of it is confirmed once. */
const FLEET = seconds(24 * 3600);

/** What a person confirmed for several buckets. @throws NotConfirmed */
const confirmedByFleet = async (
  { plans }: WantedDependencies,
  hash: PlanHash,
  task: RestoreTask,
  created: string | null,
  startedAt: EpochMs,
): Promise<RestoreTask['confirmed']> => {
  const refuse = (why: string): never => {
    throw new DrError('NotConfirmed', `${why}. Nothing was changed: plan the fleet anew`);
  };
  const plan = (await fleetPlanOf(plans, hash)) ?? refuse(`there is no plan ${hash} of a fleet`);
  const { failover, target, point } = task;
  const mine = plan.groups.flat().find(({ bucket }) => bucket === target.bucket);
  if (!mine || plan.from !== failover?.from.name || plan.to !== target.cluster.name || plan.failover !== failover.kind)
    return refuse(`the plan does not have ${target.bucket}, or not like this`);
  if (later(plan.expires, FLEET) <= startedAt)
    refuse(`the plan of ${new Date(plan.madeAt).toISOString()} is no longer valid`);
  if (plan.failover === 'unplanned' && mine.point !== point.name)
    refuse(`the plan was to go back to ${mine.point}, and the newest point is ${point.name}`);
  // As the ledger knows the bucket: nobody has looked at it when the fleet was planned. What is there is kept in a snapshot.
  const all = Number.MAX_SAFE_INTEGER;
  return { plan: hashOf(`${hash} ${target.bucket}`), targetCreated: created, replaced: all, deleted: all };
};
