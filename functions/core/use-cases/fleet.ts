import { createHash } from 'node:crypto';
import * as z from 'zod';
import { bucketsOf, type Enrolment } from '../domain/buckets.ts';
import { type BucketRef, compactTime, drillPair, PolicyName, pairId, Slot } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import type { DrillTurn, PolicyState, PolicyVersion } from '../domain/retention.ts';
import type { EpochMs } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { describePause } from '../planner/decision.ts';
import { type BucketToDrill, dueForDrill, lastDrillOf } from '../planner/drill-rota.ts';
import { bucketsInForce, versionsInForce, weakened, withVersion } from '../planner/in-force.ts';
import { pickForDrill } from '../planner/pick-point.ts';
import type { Clock, Ledger, Metrics, Records } from '../ports.ts';
import { inParallel } from './in-parallel.ts';
import { enrolmentOf, namedPolicies } from './named-policies.ts';
import { parseEvent } from './parse-event.ts';
import { lineageOf, publishBudget, type SnapshotBudget } from './snapshot-budget.ts';

const Work = z.enum(['backup', 'prune', 'drill']);

const ExpandEvent = z.strictObject({
  request: z.strictObject({ policy: PolicyName, slot: Slot.optional(), work: Work.default('backup') }),
  startedAt: Slot,
});

export interface DueRun {
  readonly work: z.infer<typeof Work>;
  readonly policy: string;
  readonly bucket: string;
  /** ISO 8601, whole seconds, UTC. */
  readonly slot: string;
  /** Execution name: the same for the same slot of the same bucket, so that a doubled slot starts nothing twice. */
  readonly name: string;
}

export interface ExpandDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Pick<Ledger, 'loadPolicyState' | 'putPolicyState' | 'loadEnrolment' | 'livingPoints' | 'loadPair'>;
  readonly records: Pick<Records, 'append'>;
  readonly clock: Clock;
}

/**
 * The runs of one slot of one policy, one per bucket; also of a bucket that was taken out of the policy and is still
 * cooling off. Of drills those whose turn it is, which is noted: the same slot has the same ones again. None of a policy that is paused, which is said. Notes the version of the policy when it is new, and puts on record what it asks less of than before.
 * @throws EventInvalid, PolicyInvalid; StoreThrottled when others were faster too often to note whose turn it is
 */
export const expandPolicy =
  (deps: ExpandDependencies) =>
  async (event: unknown): Promise<{ readonly runs: readonly DueRun[]; readonly announcements: readonly string[] }> => {
    const { request, startedAt } = parseEvent(ExpandEvent, event);
    const policy = deps.policies.find((it) => it.name === request.policy);
    if (!policy) throw new DrError('PolicyInvalid', `there is no policy ${request.policy}`);
    const now = deps.clock.now();
    const enrolment = await enrolmentOf(deps.ledger, policy);
    const state = await noteVersion(deps, policy, enrolment, now);
    const slot = request.slot ?? startedAt;
    const prefix = request.work === 'backup' ? '' : `${request.work}-`;
    const announced = announcements(policy, state, enrolment, now);
    if (state.paused) return { runs: [], announcements: [describePause(policy.name, state.paused), ...announced] };
    const inForce = bucketsInForce(policy, state, enrolment, now);
    const buckets = request.work === 'drill' ? await takeTurns(deps, policy, inForce, slot) : inForce;
    return {
      runs: buckets.map((bucket) => ({
        work: request.work,
        policy: policy.name,
        bucket,
        slot: new Date(slot).toISOString().replace('.000Z', 'Z'),
        name: `${prefix}${policy.name}-${compactTime(slot)}-${createHash('sha256').update(bucket).digest('hex').slice(0, 12)}`,
      })),
      announcements: announced,
    };
  };

/** The versions of the policy with the one that it has now. */
const noteVersion = async (
  deps: ExpandDependencies,
  policy: Policy,
  enrolment: Enrolment,
  now: EpochMs,
): Promise<PolicyState> => {
  const seen = await deps.ledger.loadPolicyState(policy.name);
  const next = withVersion(seen, policy, now);
  if (!next) return seen;
  const before = seen.versions.at(-1);
  const after = next.versions.at(-1);
  // On record before it counts: a crash in between only says it twice.
  if (before && after) await recordWeakened(deps, policy, before, after, { state: next, enrolment, now });
  // Somebody else may have written the same version a moment earlier.
  return (await deps.ledger.putPolicyState(next)) ? next : deps.ledger.loadPolicyState(policy.name);
};

/** Backups and prunes of the policy note its versions beside the turns. */
const TURN_ATTEMPTS = 5;

/** The buckets that a slot drills, once it is noted that it does. */
const takeTurns = async (
  deps: ExpandDependencies,
  policy: Policy,
  buckets: readonly BucketRef[],
  slot: EpochMs,
): Promise<readonly BucketRef[]> => {
  const { ledger } = deps;
  const { drills } = policy;
  if (!drills)
    throw new DrError('PolicyInvalid', `the policy ${policy.name} has no drills: give it some, with a schedule`);
  const looked = await inParallel(buckets, AT_ONCE, async (bucket) => {
    const [points, pair] = await Promise.all([
      ledger.livingPoints(pairId(policy.source.name, bucket, policy.replica?.name ?? null)),
      ledger.loadPair(drillPair(policy.source.name, bucket)),
    ]);
    const passed = lastDrillOf(points, pair)?.drill.at ?? null;
    return { bucket, passed, hasPoint: pickForDrill(points, drills, slot) !== undefined };
  });
  for (let attempt = 0; attempt < TURN_ATTEMPTS; attempt++) {
    const state = await ledger.loadPolicyState(policy.name);
    const turns = new Map((state.turns ?? []).map((turn) => [turn.bucket, turn] as const));
    const asked = buckets.filter((bucket) => turns.get(bucket)?.asked === slot);
    if (asked.length > 0) return asked;
    const rota = looked.map(
      (it): BucketToDrill => ({ ...(turns.get(it.bucket) ?? { since: slot, asked: null }), ...it }),
    );
    const due = dueForDrill(drills, rota, slot);
    const noted = rota.map(
      ({ bucket, since, asked: before }): DrillTurn => ({ bucket, since, asked: due.includes(bucket) ? slot : before }),
    );
    if (await ledger.putPolicyState({ ...state, turns: noted })) return due;
  }
  throw new DrError(
    'StoreThrottled',
    `others write the state of the policy ${policy.name}: whose turn it is was not noted`,
  );
};

/** Of as many buckets at a time as are fast and yet no burst. */
const AT_ONCE = 20;

/** That a bucket was taken out goes on its own record, what became less for all goes on the record of each. */
const recordWeakened = async (
  { records }: ExpandDependencies,
  { name, source, replica }: Policy,
  before: PolicyVersion,
  after: PolicyVersion,
  { state, enrolment, now }: { readonly state: PolicyState; readonly enrolment: Enrolment; readonly now: EpochMs },
): Promise<void> => {
  const changes = weakened(before, after, enrolment);
  if (changes.length === 0) return;
  const until = countsUntil(state, now);
  await inParallel(
    [...new Set([...bucketsOf(before, enrolment), ...bucketsOf(after, enrolment)])],
    AT_ONCE,
    async (bucket) => {
      const pair = pairId(source.name, bucket, replica?.name ?? null);
      // One after the other: entries of one chain follow each other.
      for (const change of changes.filter((it) => it.kind !== 'bucket' || it.bucket === bucket))
        await records.append(
          pair,
          `policy-weakened:${name}:${state.revision}:${change.kind}`,
          { kind: 'policy-weakened', policy: name, bucket, change: change.sentence, until },
          now,
        );
    },
  );
};

const countsUntil = (state: PolicyState, now: EpochMs): EpochMs =>
  versionsInForce(state.versions, now).reduce<EpochMs>(
    (last, { until }) => (until && until > last ? until : last),
    now,
  );

/** What still counts of former versions, in sentences. */
const announcements = (policy: Policy, state: PolicyState, enrolment: Enrolment, now: EpochMs): readonly string[] => {
  const current = state.versions.at(-1);
  return versionsInForce(state.versions, now).flatMap(({ version, until }) =>
    current && until !== null
      ? weakened(version, current, enrolment).map(
          ({ sentence }) =>
            `${policy.name}: ${sentence}; what was before counts until ${new Date(until).toISOString()}`,
        )
      : [],
  );
};

const SummarizeEvent = z.object({
  results: z.array(z.object({ bucket: z.string(), name: z.string(), error: z.string().nullable() })),
  announcements: z.array(z.string()).default([]),
});

export interface SummarizeDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Pick<Ledger, 'loadPair' | 'loadEnrolment'>;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Rejects when there is no more time to look at the budget in. */
  readonly outOfTime: () => Promise<never>;
  readonly report: (problem: string, error: unknown) => void;
}

/**
 * How a slot went, and how full the clusters are, which is also published. How the slot went is told whatever keeps the
 * budget from being known (null): a cluster that is full is not the only reason for buckets to fail.
 * @throws BucketsFailed with each bucket that failed and the execution to look at
 */
export const summarizeFleet =
  (deps: SummarizeDependencies) =>
  async (
    event: unknown,
  ): Promise<{
    readonly buckets: number;
    readonly announcements: readonly string[];
    readonly budget: readonly SnapshotBudget[] | null;
  }> => {
    const { results, announcements: announced } = parseEvent(SummarizeEvent, event);
    const failed = results.filter((it) => it.error !== null);
    // Published also for a slot with failures: a full cluster may be why.
    const budget = await Promise.race([budgetNow(deps), deps.outOfTime()]).catch((error: unknown) => {
      deps.report('how full the clusters are could not be published', error);
      return null;
    });
    if (failed.length > 0)
      throw new DrError(
        'BucketsFailed',
        `${failed.length} of ${results.length} buckets failed: ${failed.map((it) => `${it.bucket} (execution ${it.name})`).join(', ')}`.slice(
          0,
          8000,
        ),
      );
    return { buckets: results.length, announcements: announced, budget };
  };

const budgetNow = async ({
  ledger,
  metrics,
  clock,
  ...deps
}: SummarizeDependencies): Promise<readonly SnapshotBudget[]> => {
  const policies = await namedPolicies(ledger, deps.policies);
  const pairs = [...new Set(policies.flatMap((policy) => policy.buckets.map((bucket) => lineageOf(policy, bucket))))];
  const states = await inParallel(pairs, AT_ONCE, (pair) => ledger.loadPair(pair));
  return publishBudget(metrics, policies, new Map(states.map((state) => [state.pair, state])), clock.now());
};
