import { createHash } from 'node:crypto';
import * as z from 'zod';
import { MOST_IN_BATCH } from '../domain/batch.ts';
import { bucketsOf, type Enrolment, hasGlobs } from '../domain/buckets.ts';
import { parseEdgeReply } from '../domain/edge-reply.ts';
import { type FleetPlace, type FleetRun, Work } from '../domain/fleet.ts';
import { type BackupRun, emptyPair } from '../domain/ledger.ts';
import {
  BucketRef,
  compactTime,
  drillPair,
  lookPair,
  PolicyName,
  pairId,
  RunId,
  runId,
  Slot,
} from '../domain/names.ts';
import type { Operation } from '../domain/operation.ts';
import type { Policy } from '../domain/policy.ts';
import type { DrillTurn, PolicyState, PolicyVersion } from '../domain/retention.ts';
import { type DurationSeconds, EpochMs } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { leastSlackFirst } from '../planner/admission.ts';
import { describePause } from '../planner/decision.ts';
import { type BucketToDrill, dueForDrill, lastDrillOf } from '../planner/drill-rota.ts';
import { enrol, enrolmentSentences, globsAsked } from '../planner/enrol.ts';
import { concurrencyOf, itemsOf } from '../planner/fleet.ts';
import { bucketsInForce, vanishedLately, versionsInForce, weakened, withVersion } from '../planner/in-force.ts';
import { pickForDrill } from '../planner/pick-point.ts';
import { isFailedOver } from '../planner/roles.ts';
import { operation } from '../planner/steps.ts';
import { type Instant, instantOf, instantText } from '../planner/together.ts';
import type { Clock, FleetLists, Ledger, Metrics, OperationStore, PairReader, Records } from '../ports.ts';
import { answerTo, TaskFailure } from './answers.ts';
import { inParallel } from './in-parallel.ts';
import { historyOf } from './look.ts';
import { enrolmentOf, namedPolicies } from './named-policies.ts';
import { operationId } from './operation-id.ts';
import { parseEvent } from './parse-event.ts';
import { readingRun } from './reading-run.ts';
import { lineageOf, publishBudget, type SnapshotBudget } from './snapshot-budget.ts';

const ExpandEvent = z.strictObject({
  request: z.strictObject({
    policy: PolicyName,
    slot: Slot.optional(),
    work: Work.default('backup'),
    /** Of the same slot: a later one runs what the earlier ones did not achieve, in executions of their own. */
    attempt: z.number().int().min(1).max(99).default(1),
  }),
  execution: z.string().min(1),
  startedAt: Slot,
  /** A listing that was asked for. */
  listing: z
    .object({ runId: RunId, step: z.number().int().nonnegative(), failure: TaskFailure.nullable() })
    .nullable()
    .default(null),
});

export interface ExpandDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Pick<
    Ledger,
    | 'loadPolicyState'
    | 'putPolicyState'
    | 'loadEnrolment'
    | 'putEnrolment'
    | 'livingPoints'
    | 'loadPair'
    | 'loadRun'
    | 'putRun'
    | 'recordStep'
    | 'recordObservation'
  >;
  readonly operations: Pick<OperationStore, 'load'>;
  readonly pairs: PairReader;
  readonly lists: Pick<FleetLists, 'put'>;
  readonly records: Pick<Records, 'append'>;
  readonly clock: Clock;
}

/** What a fleet does next. */
export type Expanded =
  /** The source is asked which buckets it has; with the answer the fleet comes back. */
  | {
      readonly kind: 'list';
      readonly runId: RunId;
      readonly step: number;
      readonly timeoutSeconds: DurationSeconds;
      readonly heartbeatSeconds: DurationSeconds;
    }
  | {
      readonly kind: 'run';
      readonly policy: PolicyName;
      /** Of the due list. */
      readonly items: number;
      readonly due: FleetPlace;
      /** Where the results of its items belong. */
      readonly results: FleetPlace;
      readonly concurrency: number;
      readonly announcements: readonly string[];
      /** The buckets whose points of the slot are to be of one instant; null where nobody asks for that. */
      readonly together: Together | null;
    };

/**
 * The runs of one slot of one policy, one per bucket, as a list of items in lines; also of a bucket that was taken out of the
 * policy, or (but for backups) vanished, and is still cooling off. The buckets that globs give are asked for first. Of drills those
 * whose turn it is, which is noted: the same slot has the same ones again. Of a later attempt those that no earlier one achieved.
 * None of a policy that is paused, which is said. Notes the version of the policy when it is new, and puts on record what it
 * asks less of than before. Safe to repeat.
 * @throws EventInvalid, PolicyInvalid; StoreThrottled when others were faster too often to note whose turn it is
 */
export const expandPolicy =
  (deps: ExpandDependencies) =>
  async (event: unknown): Promise<Expanded> => {
    const asked = parseEvent(ExpandEvent, event);
    const { request, startedAt, execution } = asked;
    const policy = deps.policies.find((it) => it.name === request.policy);
    if (!policy) throw new DrError('PolicyInvalid', `there is no policy ${request.policy}`);
    const now = deps.clock.now();
    const slot = request.slot ?? startedAt;
    const before = await enrolmentOf(deps.ledger, policy);
    const state = await noteVersion(deps, policy, before, now);
    const found = { policy, state, enrolment: before, said: [] as readonly string[] };
    const enrolled =
      state.paused || request.work !== 'backup' || !hasGlobs(policy)
        ? found
        : await listBuckets(deps, found, asked, now);
    if ('kind' in enrolled) return enrolled;
    const { enrolment } = enrolled;
    const together = togetherIn(
      policy,
      enrolment,
      { ...request, slot },
      state.paused !== null && state.paused !== undefined,
    );
    const runs = state.paused ? [] : await runsOf(deps, { policy, state, enrolment }, { ...request, slot }, now);
    const folder = `${policy.name}/${compactTime(slot)}-${shortHash(execution)}`;
    const items = itemsOf(policy, { work: request.work, slot }, runs);
    return {
      kind: 'run',
      policy: policy.name,
      items: items.length,
      due: await deps.lists.put(`${folder}/due.jsonl`, items),
      results: await deps.lists.put(`${folder}/results`, null),
      concurrency: concurrencyOf(policy),
      announcements: [
        ...(state.paused ? [describePause(policy.name, state.paused)] : []),
        ...enrolled.said,
        ...announcements(policy, state, enrolment, now),
      ],
      together,
    };
  };

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

interface SlotOf {
  readonly work: z.infer<typeof Work>;
  readonly slot: EpochMs;
  readonly attempt: number;
}

interface Enrolled {
  readonly policy: Policy;
  readonly state: PolicyState;
  readonly enrolment: Enrolment;
}

/** What of a slot has to be of one instant. @throws PolicyInvalid when it is more than one command takes */
const togetherIn = (
  policy: Policy,
  enrolment: Enrolment,
  { work, slot }: Pick<SlotOf, 'work' | 'slot'>,
  isPaused: boolean,
): Together | null => {
  if (!policy.fleet.together || work !== 'backup' || isPaused) return null;
  const buckets = [...bucketsOf(policy, enrolment)];
  if (buckets.length > MOST_IN_BATCH)
    throw new DrError(
      'PolicyInvalid',
      `fleet.together of the policy ${policy.name}: it has ${buckets.length} buckets, and one command takes the snapshots of at most ${MOST_IN_BATCH}; write narrower globs, make two policies of it, or take fleet.together out`,
    );
  return { slot, buckets };
};

/** What is due in a slot, by execution name: the same for the same slot and attempt, so that a doubled slot starts nothing twice. */
const runsOf = async (
  deps: ExpandDependencies,
  { policy, state, enrolment }: Enrolled,
  { work, slot, attempt }: SlotOf,
  now: EpochMs,
): Promise<readonly FleetRun[]> => {
  const inForce = bucketsInForce(policy, state, enrolment, now);
  const gone = new Set(
    work === 'backup' ? vanishedLately(policy, state, enrolment, now).map(({ bucket }) => bucket) : [],
  );
  const standing = inForce.filter((bucket) => !gone.has(bucket));
  const due =
    work === 'drill'
      ? await takeTurns(deps, policy, standing, slot)
      : work === 'backup'
        ? await mostUrgentFirst(deps, policy, standing, slot)
        : standing;
  const done = attempt === 1 ? new Set() : await doneIn(deps, policy, due, { work, slot });
  const prefix = work === 'backup' ? '' : `${work}-`;
  const suffix = attempt === 1 ? '' : `-${attempt}`;
  return due
    .filter((bucket) => !done.has(bucket))
    .map((bucket) => ({
      bucket,
      name: `${prefix}${policy.name}-${compactTime(slot)}-${shortHash(bucket)}${suffix}`,
    }));
};

/** In the order in which their copies have to begin: those at the end of a list of thousands begin hours later. */
const mostUrgentFirst = async (
  { pairs }: ExpandDependencies,
  policy: Policy,
  buckets: readonly BucketRef[],
  slot: EpochMs,
): Promise<readonly BucketRef[]> => {
  const bucketOf = new Map(buckets.map((bucket) => [lineageOf(policy, bucket), bucket] as const));
  const known = new Map((await pairs.loadPairs([...bucketOf.keys()])).map((state) => [state.pair, state] as const));
  const states = [...bucketOf.keys()].map((pair) => known.get(pair) ?? emptyPair(pair));
  return leastSlackFirst(policy, states, slot).flatMap(({ pair }) => bucketOf.get(pair) ?? []);
};

/** Buckets whose newest run is that of the slot and succeeded. Of drills it is not known here: opening one finds out. */
const doneIn = async (
  { pairs }: ExpandDependencies,
  policy: Policy,
  buckets: readonly BucketRef[],
  { work, slot }: Pick<SlotOf, 'work' | 'slot'>,
): Promise<ReadonlySet<BucketRef>> => {
  if (work === 'drill') return new Set();
  const states = await pairs.loadPairs(buckets.map((bucket) => lineageOf(policy, bucket)));
  const done = new Set(
    states.flatMap(({ newest }) => {
      const run = newest?.[policy.name]?.runs[work];
      return run?.status === 'succeeded' ? [run.runId] : [];
    }),
  );
  return new Set(buckets.filter((bucket) => done.has(runId(lineageOf(policy, bucket), policy.name, slot, work))));
};

/** A pair for what is asked of a whole cluster; nobody holds it. */
const clusterBucket = (policy: PolicyName): BucketRef => BucketRef.parse(`all-buckets/of-${policy}`);

/** Asks for the buckets of the source, or enrols what was answered. A listing that failed changes nothing, and is said. */
const listBuckets = async (
  deps: ExpandDependencies,
  found: Enrolled & { readonly said: readonly string[] },
  { execution, startedAt, listing }: z.infer<typeof ExpandEvent>,
  now: EpochMs,
): Promise<Extract<Expanded, { kind: 'list' }> | (Enrolled & { readonly said: readonly string[] })> => {
  const { policy, state, enrolment } = found;
  const bucket = clusterBucket(policy.name);
  const pair = lookPair(policy.source.name, bucket);
  const id = listing?.runId ?? runId(pair, policy.name, startedAt, 'look');
  const known = await deps.ledger.loadRun(id);
  const run =
    known?.run ?? readingRun({ workflow: 'look', runId: id, pair, bucket, policy, execution }, startedAt, now);
  const step = listing ? known?.steps.find(({ n }) => n === listing.step) : undefined;
  if (listing && !step) throw new DrError('EventInvalid', `step ${listing.step} of ${id} is no listing`);
  const asked = step && (await deps.operations.load(operationId(id, step.n)));
  const answer = step && answerTo(step, asked, listing?.failure ?? null, (side) => side);
  if (step && answer) await deps.ledger.recordObservation(id, step.n, answer.observed, now, answer.jvmStarts);
  const listed = bucketsIn(asked);
  const close = (failure: BackupRun['failure']) =>
    deps.ledger.putRun({ ...run, status: failure ? 'failed' : 'succeeded', endedAt: now, failure });
  if (listed) {
    const result = enrol(policy, state, enrolment, listed, now);
    await close(null);
    if (result.kind === 'refused') throw new DrError('PolicyInvalid', result.reason);
    // On record before it counts: a crash in between only says it twice.
    await recordEnrolment(deps, policy, result, now);
    // Somebody else may have enrolled the same a moment earlier.
    const isOurs = await deps.ledger.putEnrolment(result.enrolment);
    const next = isOurs ? result.enrolment : await deps.ledger.loadEnrolment(policy.name);
    return { policy, state, enrolment: next, said: enrolmentSentences(policy, state, next, result, now) };
  }
  const steps = (known?.steps ?? []).map((it) =>
    it.n === step?.n ? { ...it, observed: answer?.observed ?? null } : it,
  );
  const silent = Math.min(policy.source.hosts.length, 2);
  if (step && steps.length >= silent) {
    const why =
      answer?.observed.kind === 'no-answer'
        ? `${answer.observed.error}: ${answer.observed.cause}`
        : answer?.observed.kind === 'not-done'
          ? `${answer.observed.code}: ${answer.observed.message}`
          : (listing?.failure?.Cause ?? 'it gave no answer in time');
    const told = `${policy.name}: the buckets of ${policy.source.name} could not be listed, nothing was enrolled and nothing dropped (${why.slice(0, 300)})`;
    await close({ error: 'EdgeFailed', cause: told });
    if (bucketsOf(policy, enrolment).length === 0) throw new DrError('EdgeUnreachable', told);
    return { ...found, said: [told] };
  }
  const n = steps.length;
  const { decision } = await deps.ledger.recordStep(id, {
    n,
    decision: operation(historyOf(run, steps), {
      kind: 'list-buckets',
      execution,
      globs: globsAsked(policy, state, now),
      reason: `which buckets ${policy.source.name} has`,
    }),
    decidedAt: now,
    operationStep: n,
    observed: null,
    observedAt: null,
    jvmStarts: null,
  });
  if (decision.kind !== 'list-buckets' || decision.execution !== execution)
    throw new DrError(
      'RunAlreadyOpen',
      `another slot of ${policy.name} began in the same second: start this one again`,
    );
  await deps.ledger.putRun(run);
  const { timeoutSeconds, heartbeatSeconds } = decision;
  return { kind: 'list', runId: id, step: n, timeoutSeconds, heartbeatSeconds };
};

/** On the record of each bucket that came or went. */
const recordEnrolment = async (
  { records }: ExpandDependencies,
  policy: Policy,
  { enrolment, added, vanished }: Extract<ReturnType<typeof enrol>, { kind: 'enrolled' }>,
  now: EpochMs,
): Promise<void> => {
  const changes = [
    ...added.map((bucket) => ({ bucket, change: 'enrolled' as const })),
    ...vanished.map((bucket) => ({ bucket, change: 'vanished' as const })),
  ];
  await inParallel(changes, AT_ONCE, ({ bucket, change }) =>
    records.append(
      lineageOf(policy, bucket),
      `enrolment:${policy.name}:${enrolment.revision}`,
      { kind: 'enrolment', policy: policy.name, bucket, change },
      now,
    ),
  );
};

/** Names that cannot be of a bucket of ours are of nobody's interest: another tool may have made them. */
const bucketsIn = (asked: Operation | undefined): readonly BucketRef[] | undefined => {
  const parsed = asked?.outcome?.kind === 'reply' ? parseEdgeReply(asked.outcome.reply, asked.id) : undefined;
  const reply = parsed && 'reply' in parsed ? parsed.reply : undefined;
  if (reply?.verb !== 'buckets' || reply.outcome !== 'ok' || !reply.data) return undefined;
  return reply.data.buckets.flatMap((name) => BucketRef.safeParse(name).data ?? []);
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
      ledger.loadPair(drillPair(policy, bucket)),
    ]);
    const passed = lastDrillOf(points, pair, policy.name)?.drill.at ?? null;
    return { bucket, passed, hasPoint: pickForDrill(points, { ...drills, policy: policy.name }, slot) !== undefined };
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

const Together = z.object({ slot: EpochMs, buckets: z.array(BucketRef) });
type Together = z.infer<typeof Together>;

const SummarizeEvent = z.object({
  policy: PolicyName,
  /** Of the Map Run; null when nothing was due. */
  manifest: z.object({ Bucket: z.string(), Key: z.string() }).nullable(),
  announcements: z.array(z.string()).default([]),
  together: Together.nullable().default(null),
});

export interface SummarizeDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Pick<Ledger, 'loadEnrolment' | 'recentPoints'>;
  readonly pairs: PairReader;
  readonly lists: Pick<FleetLists, 'results'>;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Rejects when there is no more time to look at the budget in. */
  readonly outOfTime: () => Promise<never>;
  readonly report: (problem: string, error: unknown) => void;
}

/**
 * How a slot went, and how full the clusters are, which is also published. How the slot went is told whatever keeps the
 * budget from being known (null): a cluster that is full is not the only reason for buckets to fail. As many failures as the policy
 * tolerates are said, and the slot is well; a group whose points are not of one instant is none, whatever is tolerated.
 * @throws BucketsFailed with each bucket that failed, why, and the execution to look at; GroupBroken with each that has no point of the instant
 */
export const summarizeFleet =
  (deps: SummarizeDependencies) =>
  async (
    event: unknown,
  ): Promise<{
    readonly buckets: number;
    readonly failed: readonly string[];
    readonly announcements: readonly string[];
    readonly budget: readonly SnapshotBudget[] | null;
    /** Of a slot whose points are to be of one instant; null of others. */
    readonly group: Instant | null;
  }> => {
    const { policy: name, manifest, announcements: announced, together } = parseEvent(SummarizeEvent, event);
    const results = manifest ? await deps.lists.results(manifest) : [];
    const failed = results.filter((it) => it.error !== null);
    // Published also for a slot with failures: a full cluster may be why.
    const budget = await Promise.race([budgetNow(deps), deps.outOfTime()]).catch((error: unknown) => {
      deps.report('how full the clusters are could not be published', error);
      return null;
    });
    const told = failed.map((it) => `${it.bucket} (${it.error}, execution ${it.name})`);
    const policy = deps.policies.find((it) => it.name === name);
    const group = policy && together ? await instantIn(deps, policy, together) : null;
    const ofGroup = group ? [instantText(name, group)] : [];
    if (failed.length > (policy?.fleet.tolerated ?? 0))
      throw new DrError(
        'BucketsFailed',
        [`${failed.length} of ${results.length} buckets failed: ${told.join(', ')}`.slice(0, 8000), ...ofGroup].join(
          '; ',
        ),
      );
    if (group && group.missing.length > 0) throw new DrError('GroupBroken', ofGroup.join(''));
    const said = [...announced, ...ofGroup];
    return { buckets: results.length, failed: told.slice(0, MOST_TOLD), announcements: said, budget, group };
  };

/** Of a slot of a policy: more of other policies may have come since. */
const RECENT_POINTS = 30;

/** How far apart the points of a slot are; a bucket that is failed over has none. */
const instantIn = async (
  { ledger, pairs }: Pick<SummarizeDependencies, 'ledger' | 'pairs'>,
  policy: Policy,
  { slot, buckets }: Together,
): Promise<Instant> => {
  const states = await pairs.loadPairs(buckets.map((bucket) => lineageOf(policy, bucket)));
  const away = new Set(states.flatMap(({ pair, role }) => (isFailedOver(role) ? [pair] : [])));
  const here = buckets.filter((bucket) => !away.has(lineageOf(policy, bucket)));
  const points = await inParallel(here, AT_ONCE, async (bucket) => {
    const recent = await ledger.recentPoints(lineageOf(policy, bucket), RECENT_POINTS);
    return { bucket, points: recent.filter((it) => it.policy === policy.name && it.slot === slot) };
  });
  return instantOf(points);
};

/** An output of a state machine is at most 256 KB. */
const MOST_TOLD = 200;

const budgetNow = async ({
  ledger,
  metrics,
  clock,
  ...deps
}: SummarizeDependencies): Promise<readonly SnapshotBudget[]> => {
  const policies = await namedPolicies(ledger, deps.policies);
  const pairs = [...new Set(policies.flatMap((policy) => policy.buckets.map((bucket) => lineageOf(policy, bucket))))];
  const states = await deps.pairs.loadPairs(pairs);
  return publishBudget(metrics, policies, new Map(states.map((state) => [state.pair, state])), clock.now());
};
