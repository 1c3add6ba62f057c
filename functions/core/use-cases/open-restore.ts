import * as z from 'zod';
import type { BackupRun, RecoveryPoint } from '../domain/ledger.ts';
import {
  BucketRef,
  type ClusterName,
  compactTime,
  drillPair,
  type PairId,
  pairId,
  RunId,
  runId,
  Slot,
  type SnapshotName,
  targetPair,
} from '../domain/names.ts';
import type { Cluster, Policy } from '../domain/policy.ts';
import { confirmationOf, DrillRequest, RestorePlan, RestoreRequest, type RestoreTask } from '../domain/restore.ts';
import type { Pin } from '../domain/retention.ts';
import { type EpochMs, later, seconds } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { bucketsInForce } from '../planner/in-force.ts';
import { nearestNames } from '../planner/nearest-names.ts';
import { drillable, isReadable, nearestPoint, pickForDrill } from '../planner/pick-point.ts';
import { restoreRate } from '../planner/restore-rate.ts';
import { describeScope, selectionOf } from '../planner/selection.ts';
import type { Clock, Ledger, PlanStore, Selections, Workflow } from '../ports.ts';
import { holderOf, LEASE, type Opened, policyOf, takeLease } from './open-run.ts';
import { isOperationOf } from './operation-id.ts';
import { parseEvent } from './parse-event.ts';
import { hashOf, readPlan } from './plan-text.ts';

const OpenEvent = z.strictObject({
  request: z.unknown(),
  workflow: z.enum(['restore', 'drill']),
  execution: z.string().min(1),
  startedAt: Slot,
});

export interface OpenRestoreDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Ledger;
  readonly plans: Pick<PlanStore, 'load'>;
  readonly selections: Pick<Selections, 'put'>;
  readonly workflow: Pick<Workflow, 'isRunning'>;
  readonly clock: Clock;
}

/** Somebody else is asked to be patient so long; then a person has to look. */
const PATIENCE = seconds(1800);
const PAUSE = seconds(30);
/** Others may be changing the same point: a prune, or a person. */
const PIN_ATTEMPTS = 8;

interface Wanted {
  readonly id: RunId;
  readonly pair: PairId;
  readonly policy: Policy;
  readonly bucket: BucketRef;
  readonly slot: EpochMs;
  readonly task: RestoreTask;
  /** Else it was found: the same request may find another one later. */
  readonly isPointNamed: boolean;
  readonly selection: string | null;
}

/**
 * Opens a restore or a drill under the lease of its target: resolves the point and the copies of it that are there,
 * keeps the point from being deleted, stores the list of paths, checks and uses up the confirmation. Safe to repeat for
 * the same execution.
 * @throws EventInvalid, PolicyInvalid, PointGone, NotConfirmed, TargetNotOurs, RunAlreadyOpen
 */
export const openRestore =
  (deps: OpenRestoreDependencies) =>
  async (event: unknown): Promise<Opened> => {
    const { request, workflow, execution, startedAt } = parseEvent(OpenEvent, event);
    const now = deps.clock.now();
    const wanted =
      workflow === 'restore'
        ? await wantedRestore(deps, parseEvent(RestoreRequest, request), startedAt, now)
        : await wantedDrill(deps, parseEvent(DrillRequest, request), startedAt, now);
    const { id, pair } = wanted;
    if (wanted.slot > later(now, seconds(300)))
      throw new DrError(
        'EventInvalid',
        `the slot ${new Date(wanted.slot).toISOString()} is in the future: leave it out`,
      );

    const busy = (heldBy: string): Opened => {
      const reason = `${wanted.task.target.bucket} is in the hands of ${heldBy}`;
      // The others are not waited for by a person without a word.
      if (now >= later(startedAt, PATIENCE))
        throw new DrError('RunAlreadyOpen', `${reason}: stop that execution, or start again when it is over`);
      return { kind: 'busy', runId: id, lease: 0, step: 0, seconds: PAUSE, reason };
    };
    const lease = await takeLease(deps, id, pair, execution, later(now, LEASE));
    if (!('token' in lease)) return busy(lease.heldBy);
    const giveBack = () => deps.ledger.releaseLease(pair, lease.token);
    try {
      // Asked after the lease was taken, as a backup does it: of two at the same moment at least one sees the other.
      const inTheWay = await writerOf(deps, wanted, now);
      if (inTheWay) {
        await giveBack();
        return busy(inTheWay);
      }
      const known = await deps.ledger.loadRun(id);
      if (known && isDone(known.run)) {
        assertSame(known.run, wanted);
        await giveBack();
        return {
          kind: 'skipped',
          runId: id,
          lease: 0,
          step: 0,
          error: 'SlotAlreadyDone',
          reason: `the ${workflow} ${id} is done`,
        };
      }
      const steps = known?.steps.length ?? 0;
      const run: BackupRun =
        known?.run.status === 'open' && (await isContinued(deps, known.run, wanted))
          ? { ...known.run, execution, lease: lease.token, factsFrom: steps }
          : fresh(wanted, workflow, execution, lease.token, steps, now);
      await open(deps, run, wanted, now);
      return { kind: 'open', runId: id, lease: lease.token, step: steps };
    } catch (error) {
      await giveBack();
      throw error;
    }
  };

/** Everything that has to be there before the first step. */
const open = async (deps: OpenRestoreDependencies, run: BackupRun, wanted: Wanted, now: EpochMs): Promise<void> => {
  const { ledger } = deps;
  const { restore, runId: id } = run;
  if (!restore) throw new DrError('EventInvalid', `${id} restores nothing`);
  await letGoOfOthers(deps, id, restore, now);
  await pin(deps, id, restore, now);
  try {
    if (wanted.selection !== null && restore.selection) await deps.selections.put(restore.selection, wanted.selection);
    const plan = restore.confirmed?.plan;
    if (plan && !(await ledger.usePlan(plan, id, now)))
      throw new DrError('NotConfirmed', `the plan ${plan} was used by another restore already: plan again`);
    await ledger.putRun(run);
  } catch (error) {
    await unpin(deps, id, restore);
    throw error;
  }
};

/** A restore that was only planned goes on with the confirmation. */
const isDone = ({ status, outcome }: BackupRun): boolean =>
  status === 'succeeded' && outcome?.kind !== 'restore-planned';

/** What two requests must have in common to be one: all but what was found out when it was opened. */
const askedBy = ({ purpose, lineage, selection, target, overwrite, deleteExtra, verification }: RestoreTask): string =>
  JSON.stringify([
    purpose,
    lineage,
    selection,
    target.kind,
    target.cluster.name,
    target.bucket,
    overwrite,
    deleteExtra,
    verification,
  ]);

/** Nobody gets what he did not ask for because somebody else asked under the same slot. @throws EventInvalid */
const assertSame = ({ restore, runId: id, slot, status }: BackupRun, { task, isPointNamed }: Wanted): void => {
  const isSame =
    restore !== null &&
    askedBy(restore) === askedBy(task) &&
    (!isPointNamed || restore.point.name === task.point.name) &&
    // What was confirmed goes on only for who confirms it too, and who asked for a plan gets no restore.
    (status !== 'open' || (restore.confirmed?.plan === task.confirmed?.plan && restore.planOnly === task.planOnly));
  if (!isSame)
    throw new DrError(
      'EventInvalid',
      `${id} is another request: give a slot that is not ${new Date(slot).toISOString()}, or none`,
    );
};

/**
 * Whether a run that was cut off goes on where it was. Not when another one wrote to the target since: then what is there is
 * nothing that this one has put there.
 */
const isContinued = async ({ ledger }: OpenRestoreDependencies, run: BackupRun, wanted: Wanted): Promise<boolean> => {
  assertSame(run, wanted);
  const { copies } = await ledger.loadPair(run.pair);
  return copies.every(({ from, operation }) => from < run.startedAt || isOperationOf(operation, run.runId));
};

/** Who works on the target as on a bucket that is backed up. */
const writerOf = async (
  deps: OpenRestoreDependencies,
  { task: { target }, policy: own }: Wanted,
  now: EpochMs,
): Promise<string | undefined> => {
  if (target.kind === 'scratch') return undefined;
  const pairs = [own, ...deps.policies]
    .filter(({ source, buckets }) => source.name === target.cluster.name && buckets.includes(target.bucket))
    .map(({ source, replica }) => pairId(source.name, target.bucket, replica?.name ?? null));
  for (const pair of new Set(pairs)) {
    const holder = await holderOf(deps, pair, now);
    if (holder) return holder;
  }
  return undefined;
};

const fresh = (
  { id, pair, policy, bucket, slot, task }: Wanted,
  workflow: 'restore' | 'drill',
  execution: string,
  lease: number,
  steps: number,
  now: EpochMs,
): BackupRun => ({
  schema: 1,
  workflow,
  restore: task,
  runId: id,
  pair,
  bucket,
  slot,
  policy,
  status: 'open',
  execution,
  lease,
  startedAt: now,
  firstStep: steps,
  factsFrom: steps,
  endedAt: null,
  outcome: null,
  failure: null,
});

// ---------------------------------------------------------------- what is asked for

const wantedRestore = async (
  deps: OpenRestoreDependencies,
  request: RestoreRequest,
  startedAt: EpochMs,
  now: EpochMs,
): Promise<Wanted> => {
  const { bucket, scope } = request;
  const policy = await policyOf(deps, request, now);
  const lineage = pairId(policy.source.name, bucket, policy.replica?.name ?? null);
  const [points, { lastDrill }] = await Promise.all([
    deps.ledger.livingPoints(lineage),
    deps.ledger.loadPair(drillPair(policy.source.name, bucket)),
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

const wantedDrill = async (
  deps: OpenRestoreDependencies,
  request: DrillRequest,
  startedAt: EpochMs,
  now: EpochMs,
): Promise<Wanted> => {
  const { bucket } = request;
  const policy = await policyOf(deps, request, now);
  const { drills } = policy;
  if (!drills) throw new DrError('PolicyInvalid', `the policy ${policy.name} has no drills`);
  const lineage = pairId(policy.source.name, bucket, policy.replica?.name ?? null);
  const pair = drillPair(policy.source.name, bucket);
  const [points, { lastDrill }] = await Promise.all([deps.ledger.livingPoints(lineage), deps.ledger.loadPair(pair)]);
  const slot = request.slot ?? startedAt;
  const drilled = drillable(points, drills);
  if (points.some(({ name }) => name === request.point) && !drilled.some(({ name }) => name === request.point))
    throw new DrError(
      'PointGone',
      `${request.point} of ${bucket} was not verified, or is being deleted: a drill of it would prove nothing; ${thereAre(drilled.map(({ name }) => name).slice(0, 3))}`,
    );
  const point = request.point ? drilled.find(({ name }) => name === request.point) : pickForDrill(points, drills, slot);
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
      point: pointOf(policy, bucket, point),
      selection: null,
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
    },
  };
};

const thereAre = (names: readonly SnapshotName[]): string =>
  names.length > 0 ? `there are ${names.join(', ')}` : 'there is none that can be';

const noPoint = (
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
const pointOf = (policy: Policy, bucket: BucketRef, point: RecoveryPoint): RestoreTask['point'] => {
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
const sideBucket = (bucket: BucketRef, slot: EpochMs): BucketRef => {
  const [volume, name = ''] = bucket.split('/');
  // Two long names that begin alike are not to share a target.
  const short = name.length > 38 ? `${name.slice(0, 29).replace(/[._-]+$/, '')}-${hashOf(bucket).slice(0, 8)}` : name;
  return BucketRef.parse(`${volume}/${short}-restore-${compactTime(slot)}`);
};

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
  { policies, ledger }: Pick<OpenRestoreDependencies, 'policies' | 'ledger'>,
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
      owner.buckets.includes(place.bucket) ||
      bucketsInForce(owner, await ledger.loadPolicyState(owner.name), now).includes(place.bucket);
    if (isReplica)
      throw new DrError(
        'TargetNotOurs',
        `${place.bucket} on ${place.cluster.name} is the replica of policy ${owner.name}: a restore into it would end its lineage. Restore to a side bucket, or to a bucket of another name`,
      );
  }
  return place;
};

// ---------------------------------------------------------------- the confirmation

const confirmationFor = (
  request: RestoreRequest,
  task: RestoreTask,
  stored: RestorePlan | undefined,
  now: EpochMs,
): RestoreTask['confirmed'] => {
  const hash = request.plan;
  if (!hash) return null;
  const refuse = (why: string): never => {
    throw new DrError(
      'NotConfirmed',
      `${why}. Nothing was changed: start the restore without plan and confirmation to plan anew`,
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
    plan.point === task.point.name &&
    plan.selection === task.selection &&
    target.kind === task.target.kind &&
    target.cluster === task.target.cluster.name &&
    target.bucket === task.target.bucket &&
    plan.overwrite === task.overwrite &&
    plan.deleteExtra === task.deleteExtra;
  if (!isOfThis) refuse('the plan is of another restore: point, paths, target and overwriting must be the same');
  return { plan: hash, targetCreated: target.created, replaced: plan.replaced, deleted: plan.deleted };
};

// ---------------------------------------------------------------- pins

/** Keeps the point from being deleted while it is read. @throws PointGone */
const pin = async (
  { ledger }: OpenRestoreDependencies,
  id: RunId,
  { lineage, point: { name }, reason }: RestoreTask,
  now: EpochMs,
): Promise<void> => {
  const mine: Pin = { by: id, reason, at: now };
  for (let attempt = 0; attempt < PIN_ATTEMPTS; attempt++) {
    const seen = (await ledger.livingPoints(lineage)).find((point) => point.name === name);
    if (!seen || (!isReadable(seen, 'source') && !isReadable(seen, 'replica'))) break;
    const others = seen.pins.filter(({ by }) => by !== id);
    if (await ledger.changePoint(lineage, seen, { pins: [...others, mine] })) return;
  }
  throw new DrError('PointGone', `${name} is being deleted or changed by others: choose another point, or start again`);
};

/** Of a run that was not opened after all. */
const unpin = async (
  { ledger }: OpenRestoreDependencies,
  id: RunId,
  { lineage, point: { name } }: RestoreTask,
): Promise<void> => {
  const seen = (await ledger.livingPoints(lineage)).find((point) => point.name === name);
  // Who is faster leaves a pin that the next restore lets go of.
  if (seen) await ledger.changePoint(lineage, seen, { pins: seen.pins.filter(({ by }) => by !== id) });
};

/** Pins of runs that were stopped before they could let go. One that is young may be of a run that is being opened. */
const letGoOfOthers = async (
  { ledger, workflow }: OpenRestoreDependencies,
  id: RunId,
  { lineage }: RestoreTask,
  now: EpochMs,
): Promise<void> => {
  for (const point of await ledger.livingPoints(lineage)) {
    const over: string[] = [];
    for (const { by, at } of point.pins) {
      const run = RunId.safeParse(by);
      if (!run.success || run.data === id || now < later(at, LEASE)) continue;
      const known = await ledger.loadRun(run.data);
      const isAtWork = known?.run.status === 'open' && (await workflow.isRunning(known.run.execution));
      if (!isAtWork) over.push(by);
    }
    if (over.length > 0)
      await ledger.changePoint(lineage, point, { pins: point.pins.filter(({ by }) => !over.includes(by)) });
  }
};
