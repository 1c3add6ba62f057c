import * as z from 'zod';
import { bucketsOf } from '../domain/buckets.ts';
import { type BucketRef, compactTime, drillPair, pairId, Slot } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import type { PlanHash } from '../domain/retention.ts';
import { FailoverFleetPlan, FailoverFleetRequest, fleetWords } from '../domain/roles.ts';
import { type EpochMs, later, seconds } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { spanText } from '../planner/consequences.ts';
import { readinessOf } from '../planner/readiness.ts';
import { isSettledOnReplica } from '../planner/roles.ts';
import type { Clock, Ledger, PlanStore } from '../ports.ts';
import { inParallel } from './in-parallel.ts';
import { enrolmentOf } from './named-policies.ts';
import { findPolicy } from './open-run.ts';
import { parseEvent } from './parse-event.ts';
import { asText, hashOf, readPlan } from './plan-text.ts';

export interface FailoverFleetDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Pick<Ledger, 'loadPair' | 'livingPoints' | 'usePlan' | 'loadEnrolment'>;
  readonly plans: PlanStore;
  readonly clock: Clock;
}

const FleetEvent = z.strictObject({
  request: FailoverFleetRequest,
  execution: z.string().min(1),
  startedAt: Slot,
  /** How the failovers of the groups so far ended. */
  results: z.array(
    z.object({
      bucket: z.string(),
      name: z.string(),
      /** What the failover itself says; null when it succeeded. */
      error: z.string().nullable(),
      cause: z.string().nullable().default(null),
    }),
  ),
});

const VALID = seconds(3600);
const AT_ONCE = 20;

export type FleetStep =
  | {
      readonly kind: 'planned';
      readonly plan: PlanHash;
      /** Null when no bucket of it can be failed over. */
      readonly confirmation: string | null;
      readonly expires: EpochMs;
      readonly summary: string;
      readonly groups: FailoverFleetPlan['groups'];
    }
  | { readonly kind: 'group'; readonly runs: readonly { readonly name: string; readonly input: object }[] }
  | { readonly kind: 'done'; readonly buckets: readonly string[] };

/**
 * What the fleet of failovers does next: say what would be lost, or the next group of buckets that are not failed over yet.
 * After a group with a failure nothing more is begun: what depends on it would be without it. Started again with the same plan
 * it goes on with what is left.
 * @throws EventInvalid, PolicyInvalid, NotConfirmed, BucketsFailed
 */
export const nextOfFleet =
  (deps: FailoverFleetDependencies) =>
  async (event: unknown): Promise<FleetStep> => {
    const { request, startedAt, results } = parseEvent(FleetEvent, event);
    const now = deps.clock.now();
    const failed = results.filter(({ error }) => error !== null);
    if (failed.length > 0)
      throw new DrError(
        'BucketsFailed',
        `${failed.length} of ${results.length} buckets were not failed over: ${failed.map(({ bucket, error, cause, name }) => `${bucket} (${error}${cause === null ? '' : `: ${cause.replace(/\.$/, '')}`}; execution ${name})`).join(', ')}`
          .slice(0, 8000)
          .concat(
            '. What comes after them was not begun. Mend that, then start the same input again: it goes on with what is left',
          ),
      );
    const { plan: hash } = request;
    if (!hash) return plan(deps, request, now);
    const confirmed = await confirmedPlan(deps, request, hash, results.length > 0 ? startedAt : now);
    const moved = new Set(results.map(({ bucket }) => bucket));
    const { policy, kind, by, reason, verification } = request;
    for (const group of confirmed.groups) {
      const left = group.filter(({ bucket }) => !moved.has(bucket));
      const pending = await inParallel(left, AT_ONCE, async ({ bucket }) => ({
        bucket,
        isMoved: await isFailedOver(deps, confirmed, bucket),
      }));
      const runs = pending.flatMap(({ bucket, isMoved }) =>
        isMoved
          ? []
          : [
              {
                name: failoverOf(hash, bucket, startedAt),
                input: { policy, bucket, kind, by, reason, verification, fleet: hash },
              },
            ],
      );
      if (runs.length > 0) return { kind: 'group', runs };
    }
    return { kind: 'done', buckets: confirmed.groups.flat().map(({ bucket }) => bucket) };
  };

/** The name of the execution in which a fleet fails one of its buckets over. */
export const failoverOf = (plan: PlanHash, bucket: BucketRef, startedAt: EpochMs): string =>
  `fleet-${compactTime(startedAt)}-${hashOf(`${plan} ${bucket}`).slice(0, 16)}`;

const isFailedOver = async (
  { ledger }: FailoverFleetDependencies,
  { from, to }: FailoverFleetPlan,
  bucket: BucketRef,
): Promise<boolean> => {
  const { role } = await ledger.loadPair(pairId(from, bucket, to));
  return isSettledOnReplica(role);
};

const plan = async (
  { policies, ledger, plans }: FailoverFleetDependencies,
  request: FailoverFleetRequest,
  now: EpochMs,
): Promise<FleetStep> => {
  const policy = policies.find(({ name }) => name === request.policy);
  const groups = request.buckets ?? (policy ? [bucketsOf(policy, await enrolmentOf(ledger, policy))] : []);
  for (const bucket of groups.flat()) findPolicy(policies, request.policy, bucket);
  if (!policy?.replica)
    throw new DrError(
      'PolicyInvalid',
      `the policy ${request.policy} has no replica, or is not there: there is nothing to fail over to`,
    );
  const { source, replica } = policy;
  const made: FailoverFleetPlan = {
    schema: 1,
    kind: 'failover-fleet',
    policy: policy.name,
    failover: request.kind,
    from: source.name,
    to: replica.name,
    madeAt: now,
    expires: later(now, VALID),
    groups: await Promise.all(
      groups.map(async (group) => [
        ...(await inParallel(group, AT_ONCE, async (bucket): Promise<FailoverFleetPlan['groups'][number][number]> => {
          const id = pairId(source.name, bucket, replica.name);
          const [pair, points, { lastDrill }] = await Promise.all([
            ledger.loadPair(id),
            ledger.livingPoints(id),
            ledger.loadPair(drillPair(policy, bucket)),
          ]);
          const ready = readinessOf({ bucket, policy, replica, pair, points, lastDrill }, now);
          // What began on the way there is in nobody's way: it is gone on with, to the point where it began.
          const resumes = ready.role?.state === 'moving' && ready.role.primary === 'replica' && ready.point !== null;
          const blocker = ready.remarks.find(
            ({ blocks, kind }) =>
              kind !== 'at-work' &&
              !(resumes && kind === 'moving') &&
              (blocks === 'now' || (blocks === 'planned' && request.kind === 'planned')),
          );
          return {
            bucket,
            point: ready.point?.name ?? null,
            lossSeconds: ready.point?.age ?? null,
            seconds: ready.takes?.seconds ?? null,
            resumes,
            blocker: blocker ? `${blocker.text}. ${blocker.remedy}` : null,
          };
        })),
      ]),
    ),
  };
  const { hash, text } = asText(FailoverFleetPlan, made);
  await plans.put(hash, text);
  const isPossible = made.groups.flat().every(({ blocker }) => blocker === null);
  return {
    kind: 'planned',
    plan: hash,
    confirmation: isPossible ? fleetWords(made, hash) : null,
    expires: made.expires,
    summary: describe(made),
    groups: made.groups,
  };
};

const describe = ({ failover, from, to, groups }: FailoverFleetPlan): string => {
  const all = groups.flat();
  const blocked = all.filter(({ blocker }) => blocker !== null);
  const worst = Math.max(0, ...all.map(({ lossSeconds }) => lossSeconds ?? 0));
  return [
    `${all.length} buckets in ${groups.length} groups, one group after the other: ${to} becomes the primary instead of ${from}`,
    failover === 'planned'
      ? `a last backup of each is made first; stop what writes to ${from} before you confirm`
      : `WHAT WAS WRITTEN TO ${from} IN THE LAST ${spanText(worst)} OR LESS IS NOT THERE`,
    ...blocked.map(({ bucket, blocker }) => `${bucket} cannot be failed over now: ${blocker}`),
    ...(blocked.length > 0 ? ['nothing can be confirmed until that is mended, or those buckets are left out'] : []),
  ].join('; ');
};

/** @throws NotConfirmed */
const confirmedPlan = async (
  { plans }: FailoverFleetDependencies,
  { policy, kind, confirmation, buckets }: FailoverFleetRequest,
  hash: PlanHash,
  at: EpochMs,
): Promise<FailoverFleetPlan> => {
  const refuse = (why: string): never => {
    throw new DrError('NotConfirmed', `${why}. Start it without plan and confirmation to plan anew`);
  };
  const plan = await fleetPlanOf(plans, hash);
  if (!plan) return refuse(`there is no plan ${hash} of a fleet`);
  const words = fleetWords(plan, hash);
  if (confirmation?.trim() !== words) refuse(`the words that confirm this plan are "${words}", not "${confirmation}"`);
  const blocked = plan.groups.flat().find(({ blocker }) => blocker !== null);
  if (blocked) refuse(`the plan cannot be done: ${blocked.bucket}: ${blocked.blocker}`);
  if (plan.expires <= at) refuse(`the plan of ${new Date(plan.madeAt).toISOString()} is no longer valid`);
  const isOfThis =
    plan.policy === policy &&
    plan.failover === kind &&
    (buckets === undefined ||
      JSON.stringify(buckets) === JSON.stringify(plan.groups.map((group) => group.map(({ bucket }) => bucket))));
  if (!isOfThis) refuse('the plan is of another request');
  return plan;
};

export const fleetPlanOf = async (
  plans: Pick<PlanStore, 'load'>,
  hash: PlanHash,
): Promise<FailoverFleetPlan | undefined> => readPlan(FailoverFleetPlan, hash, await plans.load(hash));
