import { compactTime, drillPair, pairId, runId, SnapshotName, targetPair } from '../domain/names.ts';
import type { RestoreTask } from '../domain/restore.ts';
import { FailbackPlan, type FailbackRequest, failbackWords } from '../domain/roles.ts';
import type { EpochMs } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { promotable } from '../planner/pick-point.ts';
import { restoreRate } from '../planner/restore-rate.ts';
import { primaryOf } from '../planner/roles.ts';
import { policyOf } from './open-run.ts';
import { readPlan } from './plan-text.ts';
import { noPoint, orphansBucket, pointOf, type Wanted, type WantedDependencies } from './wanted-restore.ts';

/**
 * The preparation of a failback is a restore of what was written to the old primary after both sides parted, from a
 * snapshot of it that the run takes, to a side bucket; then backups in the other direction.
 * @throws EventInvalid, PolicyInvalid, PointGone, NotConfirmed, NotPrimary
 */
export const wantedPreparation = async (
  deps: WantedDependencies,
  request: FailbackRequest,
  startedAt: EpochMs,
  now: EpochMs,
): Promise<Wanted> => {
  const { bucket } = request;
  const policy = await policyOf(deps, request, now);
  const { source, replica } = policy;
  if (!replica)
    throw new DrError('PolicyInvalid', `the policy ${policy.name} has no replica: it was never failed over`);
  const roleOf = pairId(source.name, bucket, replica.name);
  const slot = request.slot ?? startedAt;
  const [points, { role }, { lastDrill }] = await Promise.all([
    deps.ledger.livingPoints(roleOf),
    deps.ledger.loadPair(roleOf),
    deps.ledger.loadPair(drillPair(policy, bucket)),
  ]);
  if (role === null || primaryOf(role) === 'source' || role.state === 'moving' || role.opened === null)
    throw new DrError(
      'NotPrimary',
      role?.state === 'moving'
        ? `the roles of ${bucket} are being moved by ${role.by}: finish that first`
        : `${source.name} is the primary of ${bucket}: there is nothing to fail back`,
    );
  const common = promotable(points).find(({ name }) => name === role.point);
  if (!common) throw noPoint(bucket, points, { point: role.point });
  const target = { kind: 'side', cluster: source, bucket: orphansBucket(bucket, slot) } as const;
  const pair = targetPair(source.name, target.bucket);
  const id = runId(pair, policy.name, slot, 'failback');
  const task: RestoreTask = {
    purpose: 'failback',
    lineage: roleOf,
    point: {
      ...pointOf(policy, bucket, common),
      // The snapshot that is restored is taken by the run.
      name: SnapshotName.parse(`failback-${compactTime(slot)}`),
      digest: null,
      source: null,
      replica: null,
    },
    selection: null,
    since: null,
    scope: `what was written to ${source.name} after ${common.name}`,
    target,
    overwrite: 'never',
    deleteExtra: false,
    verification: request.verification,
    by: request.by,
    reason: request.reason,
    rate: restoreRate(points, policy.limits, lastDrill),
    planOnly: request.planOnly,
    confirmed: null,
    failover: null,
    failback: {
      epoch: role.epoch,
      roleOf,
      common: { name: common.name, id: common.source.id },
      opened: { name: role.opened.name, id: role.opened.id },
    },
  };
  return {
    id,
    pair,
    policy,
    bucket,
    slot,
    task: { ...task, confirmed: await confirmedBy(deps, request, task, now) },
    isPointNamed: false,
    selection: null,
  };
};

const confirmedBy = async (
  { plans }: WantedDependencies,
  { plan: hash, confirmation }: FailbackRequest,
  { failback }: RestoreTask,
  now: EpochMs,
): Promise<RestoreTask['confirmed']> => {
  if (!hash) return null;
  const refuse = (why: string): never => {
    throw new DrError(
      'NotConfirmed',
      `${why}. Nothing was changed: start it without plan and confirmation to plan anew`,
    );
  };
  const plan = readPlan(FailbackPlan, hash, await plans.load(hash)) ?? refuse(`there is no plan ${hash} of a failback`);
  const words = failbackWords(plan, hash);
  if (confirmation?.trim() !== words) refuse(`the words that confirm this plan are "${words}", not "${confirmation}"`);
  if (plan.expires <= now) refuse(`the plan of ${new Date(plan.madeAt).toISOString()} is no longer valid`);
  if (plan.roleOf !== failback?.roleOf || plan.epoch !== failback.epoch)
    refuse('the plan is of another bucket, or of roles that were moved since');
  return { plan: hash, targetCreated: null, replaced: 0, deleted: 0 };
};
