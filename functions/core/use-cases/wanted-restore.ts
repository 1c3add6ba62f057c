import { covers } from '../domain/buckets.ts';
import type { RecoveryPoint } from '../domain/ledger.ts';
import {
  BucketRef,
  type ClusterName,
  compactTime,
  drillPair,
  type PairId,
  type PolicyName,
  pairId,
  type RunId,
  runId,
  type SnapshotName,
  targetPair,
} from '../domain/names.ts';
import type { Cluster, Policy } from '../domain/policy.ts';
import {
  confirmationOf,
  type DrillRequest,
  RestorePlan,
  type RestoreRequest,
  type RestoreTask,
} from '../domain/restore.ts';
import type { EpochMs } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { coversInForce } from '../planner/in-force.ts';
import { nearestNames } from '../planner/nearest-names.ts';
import { drillable, isReadable, nearestPoint, pickForDrill } from '../planner/pick-point.ts';
import { restoreRate } from '../planner/restore-rate.ts';
import { describeScope, selectionOf } from '../planner/selection.ts';
import type { Ledger, PlanStore } from '../ports.ts';
import { policyOf } from './open-run.ts';
import { hashOf, readPlan } from './plan-text.ts';

export interface WantedDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Pick<Ledger, 'livingPoints' | 'loadPair' | 'loadPolicyState'>;
  readonly plans: Pick<PlanStore, 'load'>;
}

/** What a request comes to: the task of its run, and under which name and lease. */
export interface Wanted {
  readonly id: RunId;
  readonly pair: PairId;
  readonly policy: Policy;
  readonly bucket: BucketRef;
  readonly slot: EpochMs;
  readonly task: RestoreTask;
  /** Else it was found: the same request may find another one later. */
  readonly isPointNamed: boolean;
  readonly selection: string | null;
  /** A backup that has to be made first: its slot, and the name of its execution. */
  readonly drain?: Drain;
}

export interface Drain {
  readonly name: string;
  readonly input: {
    readonly policy: PolicyName;
    readonly bucket: BucketRef;
    readonly slot: string;
    readonly back: boolean;
  };
}

export const wantedRestore = async (
  deps: WantedDependencies,
  request: RestoreRequest,
  startedAt: EpochMs,
  now: EpochMs,
): Promise<Wanted> => {
  const { bucket, scope } = request;
  const policy = await policyOf(deps, request, now);
  const lineage = pairId(policy.source.name, bucket, policy.replica?.name ?? null);
  const [points, { lastDrill }] = await Promise.all([
    deps.ledger.livingPoints(lineage),
    deps.ledger.loadPair(drillPair(policy, bucket)),
  ]);
  const point =
    request.point === undefined
      ? nearestPoint(points, request.asOf ?? now)
      : points.find(({ name }) => name === request.point);
  if (!point) throw noPoint(bucket, points, request);
  const plan = request.plan && readPlan(RestorePlan, request.plan, await deps.plans.load(request.plan));
  // The side bucket of a plan has the time of the planning in its name: whoever confirms the plan means that one.
  const slot = request.slot ?? (plan?.target.kind === 'side' ? plan.slot : null) ?? startedAt;
  const target = await targetOf(deps, policy, request, slot, now);
  const pair = targetPair(target.cluster.name, target.bucket);
  const selection = selectionOf(scope);
  const task: RestoreTask = {
    purpose: 'restore',
    lineage,
    point: pointOf(policy, bucket, point),
    selection: selection === null ? null : hashOf(selection),
    since: null,
    scope: describeScope(scope).slice(0, 500),
    target,
    overwrite: request.overwrite,
    deleteExtra: request.deleteExtra,
    verification: request.verification,
    by: request.by,
    reason: request.reason,
    rate: restoreRate(points, policy.limits, lastDrill),
    planOnly: request.planOnly,
    confirmed: null,
    failover: null,
    failback: null,
  };
  return {
    id: runId(pair, policy.name, slot, 'restore'),
    pair,
    policy,
    bucket,
    slot,
    task: { ...task, confirmed: confirmationFor(request, task, plan, now) },
    isPointNamed: request.point !== undefined,
    selection,
  };
};

export const wantedDrill = async (
  deps: WantedDependencies,
  request: DrillRequest,
  startedAt: EpochMs,
  now: EpochMs,
): Promise<Wanted> => {
  const { bucket } = request;
  const policy = await policyOf(deps, request, now);
  const { drills } = policy;
  if (!drills) throw new DrError('PolicyInvalid', `the policy ${policy.name} has no drills`);
  const lineage = pairId(policy.source.name, bucket, policy.replica?.name ?? null);
  const pair = drillPair(policy, bucket);
  const [points, { lastDrill }] = await Promise.all([deps.ledger.livingPoints(lineage), deps.ledger.loadPair(pair)]);
  const slot = request.slot ?? startedAt;
  const drilled = drillable(points, drills);
  if (points.some(({ name }) => name === request.point) && !drilled.some(({ name }) => name === request.point))
    throw new DrError(
      'PointGone',
      `${request.point} of ${bucket} was not verified, or is being deleted: a drill of it would prove nothing; ${thereAre(drilled.map(({ name }) => name).slice(0, 3))}`,
    );
  const point = request.point
    ? drilled.find(({ name }) => name === request.point)
    : pickForDrill(points, { ...drills, policy: policy.name }, slot);
  if (!point) throw noPoint(bucket, points, request);
  const id = runId(pair, policy.name, slot, 'drill');
  const cluster = drills.on === 'replica' && policy.replica ? policy.replica : policy.source;
  const [volume] = bucket.split('/');
  const scratch = BucketRef.parse(`${volume}/odr-drill-${compactTime(slot)}-${hashOf(id).slice(0, 8)}`);
  return {
    id,
    pair,
    policy,
    bucket,
    slot,
    isPointNamed: request.point !== undefined,
    selection: null,
    task: {
      purpose: 'drill',
      lineage,
      point: { ...pointOf(policy, bucket, point), ...(drills.as === 'failover' ? { source: null } : {}) },
      selection: null,
      since: null,
      scope: describeScope('bucket'),
      target: { kind: 'scratch', cluster, bucket: scratch },
      // Nothing is there before; a second try goes on where the first one ended.
      overwrite: 'if-different',
      deleteExtra: false,
      verification: drills.verification,
      by: `the policy ${policy.name}`,
      reason: 'drill',
      rate: restoreRate(points, policy.limits, lastDrill),
      planOnly: false,
      confirmed: null,
      failover: null,
      failback: null,
    },
  };
};

const thereAre = (names: readonly SnapshotName[]): string =>
  names.length > 0 ? `there are ${names.join(', ')}` : 'there is none that can be';

export const noPoint = (
  bucket: BucketRef,
  points: readonly RecoveryPoint[],
  { point }: { readonly point?: SnapshotName | undefined },
): DrError => {
  const names = points.map(({ name }) => name);
  const near = point ? nearestNames(point, names) : names.slice(0, 3);
  const hint = near.length > 0 ? `there are ${near.join(', ')}` : 'it has no points yet';
  return new DrError(
    'PointGone',
    `${bucket} has no ${point ? `point ${point}` : 'such point that can be restored'}: ${hint}`,
  );
};

/** The copies of a point that nothing has begun to delete. @throws PointGone */
export const pointOf = (policy: Policy, bucket: BucketRef, point: RecoveryPoint): RestoreTask['point'] => {
  const { name, source, replica, envelope, verification } = point;
  const copies = {
    source: isReadable(point, 'source') ? { id: source.id, cluster: policy.source } : null,
    replica:
      replica && policy.replica && isReadable(point, 'replica') ? { id: replica.id, cluster: policy.replica } : null,
  };
  if (!copies.source && !copies.replica)
    throw new DrError(
      'PointGone',
      `no copy of ${name} of ${bucket} is left, or it is being deleted: choose another point`,
    );
  return {
    name,
    created: source.created,
    digest: verification && verification.differences === null ? verification.digest : null,
    ...copies,
    envelope: envelope && {
      layout: envelope.layout,
      replication: envelope.replication,
      encryptionKey: envelope.encryptionKey,
      quotaInBytes: envelope.quotaInBytes,
      quotaInNamespace: envelope.quotaInNamespace,
    },
  };
};

// ---------------------------------------------------------------- the target

const clusterNamed = (policies: readonly Policy[], name: ClusterName): Cluster => {
  const clusters = policies.flatMap(({ source, replica }) => [source, ...(replica ? [replica] : [])]);
  const found = clusters.find((cluster) => cluster.name === name);
  if (found) return found;
  const names = [...new Set(clusters.map((cluster) => cluster.name))].join(', ');
  throw new DrError('EventInvalid', `there is no cluster ${name} in the policies; there are: ${names}`);
};

/** `orders-restore-20261120t020000z` beside `orders`; names have at most 63 characters. */
const sideBucket = (bucket: BucketRef, slot: EpochMs): BucketRef => besideOf(bucket, 'restore', slot);

const besideOf = (bucket: BucketRef, what: 'restore' | 'orphans', slot: EpochMs): BucketRef => {
  const [volume, name = ''] = bucket.split('/');
  // Two long names that begin alike are not to share a target.
  const short = name.length > 38 ? `${name.slice(0, 29).replace(/[._-]+$/, '')}-${hashOf(bucket).slice(0, 8)}` : name;
  return BucketRef.parse(`${volume}/${short}-${what}-${compactTime(slot)}`);
};

/** `orders-orphans-20261120t020000z` beside `orders`. */
export const orphansBucket = (bucket: BucketRef, slot: EpochMs): BucketRef => besideOf(bucket, 'orphans', slot);

/** Where a request restores to, whether it may or not. @throws EventInvalid */
export const placeOf = (
  policies: readonly Policy[],
  policy: Policy,
  { bucket, target }: Pick<RestoreRequest, 'bucket' | 'target'>,
  slot: EpochMs,
): RestoreTask['target'] => {
  if (target === 'side') return { kind: 'side', cluster: policy.source, bucket: sideBucket(bucket, slot) };
  const named =
    target === 'in-place'
      ? { cluster: policy.source, bucket }
      : { cluster: clusterNamed(policies, target.cluster), bucket: target.bucket };
  const isInPlace = named.cluster.name === policy.source.name && named.bucket === bucket;
  return { kind: isInPlace ? 'in-place' : 'other', ...named };
};

/** Where a request may restore to. @throws EventInvalid, TargetNotOurs */
const targetOf = async (
  { policies, ledger }: Pick<WantedDependencies, 'policies' | 'ledger'>,
  policy: Policy,
  request: RestoreRequest,
  slot: EpochMs,
  now: EpochMs,
): Promise<RestoreTask['target']> => {
  const place = placeOf(policies, policy, request, slot);
  if (place.kind === 'side') return place;
  for (const owner of policies.filter(({ replica }) => replica?.name === place.cluster.name)) {
    // Of a bucket that was taken out of its policy lately the replica is still looked after.
    const isReplica =
      covers(owner, place.bucket) || coversInForce(owner, await ledger.loadPolicyState(owner.name), place.bucket, now);
    if (isReplica)
      throw new DrError(
        'TargetNotOurs',
        `${place.bucket} on ${place.cluster.name} is the replica of policy ${owner.name}: a restore into it would end its lineage. Restore to a side bucket, or to a bucket of another name`,
      );
  }
  return place;
};

// ---------------------------------------------------------------- the confirmation

/** @throws NotConfirmed */
export const confirmationFor = (
  request: Pick<RestoreRequest, 'plan' | 'confirmation'>,
  task: RestoreTask,
  stored: RestorePlan | undefined,
  now: EpochMs,
): RestoreTask['confirmed'] => {
  const hash = request.plan;
  if (!hash) return null;
  const refuse = (why: string): never => {
    throw new DrError(
      'NotConfirmed',
      `${why}. Nothing was changed: start it without plan and confirmation to plan anew`,
    );
  };
  const plan = stored ?? refuse(`there is no plan ${hash}`);
  const [obstacle] = plan.obstacles;
  if (obstacle) refuse(`the plan cannot be done: ${obstacle.reason}. ${obstacle.remedy}`);
  const words = confirmationOf(plan, hash);
  if (request.confirmation?.trim() !== words)
    refuse(`the words that confirm this plan are "${words}", not "${request.confirmation}"`);
  if (plan.expires <= now) refuse(`the plan of ${new Date(plan.madeAt).toISOString()} is no longer valid`);
  const { target } = plan;
  const isOfThis =
    plan.lineage === task.lineage &&
    plan.failover?.kind === task.failover?.kind &&
    // What is brought over before a planned failover is newer than its plan.
    (plan.point === task.point.name || task.failover?.kind === 'planned') &&
    plan.selection === task.selection &&
    target.kind === task.target.kind &&
    target.cluster === task.target.cluster.name &&
    target.bucket === task.target.bucket &&
    plan.overwrite === task.overwrite &&
    plan.deleteExtra === task.deleteExtra;
  const other = task.failover ? 'request' : 'restore';
  if (!isOfThis) refuse(`the plan is of another ${other}: point, paths, target and overwriting must be the same`);
  return { plan: hash, targetCreated: target.created, replaced: plan.replaced, deleted: plan.deleted };
};
