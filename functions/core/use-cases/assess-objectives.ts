import type { Enrolment } from '../domain/buckets.ts';
import {
  type AssessedBucket,
  CLOCKS,
  FAILURE_KINDS,
  type FleetAssessment,
  NAMED_BUCKETS,
  type Newest,
  type PolicyAssessment,
} from '../domain/clocks.ts';
import { emptyPair, type PairState } from '../domain/ledger.ts';
import { type BucketRef, drillPair, type HostId, type PairId, pairId } from '../domain/names.ts';
import type { Operation } from '../domain/operation.ts';
import type { NamedPolicy, Policy } from '../domain/policy.ts';
import type { Role } from '../domain/roles.ts';
import { type EpochMs, epochMs, secondsBetween } from '../domain/units.ts';
import { capacitiesOf, outrunIn } from '../planner/admission.ts';
import {
  badnessOf,
  type ClockFacts,
  clocksOf,
  expectedSince,
  intervalOf,
  isInBreach,
  newestOf,
  withTakenOver,
  worstOf,
} from '../planner/clocks.ts';
import { isOnline } from '../planner/doctor.ts';
import { lastDrillOf } from '../planner/drill-rota.ts';
import { unreachableCluster } from '../planner/failure-kind.ts';
import { vanishedLately } from '../planner/in-force.ts';
import { whyNotReady } from '../planner/readiness.ts';
import { exchanged, hasOtherDirection, isFailedOver, isSettledOnReplica } from '../planner/roles.ts';
import type { Assessments, Clock, HostDirectory, Ledger, Metrics, OperationStore, PairReader } from '../ports.ts';
import { inParallel } from './in-parallel.ts';
import { enrolmentOf, withNames } from './named-policies.ts';
import { lineageOf, publishBudget } from './snapshot-budget.ts';

export interface AssessDependencies {
  readonly policies: readonly Policy[];
  readonly pairs: PairReader;
  readonly ledger: Pick<Ledger, 'loadPolicyState' | 'loadEnrolment' | 'recentPoints' | 'loadSlots'>;
  readonly assessments: Assessments;
  readonly operations: Pick<OperationStore, 'open'>;
  readonly hosts: HostDirectory;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly report: (problem: string, error: unknown) => void;
}

/** What the log line of a round says. */
export interface AssessResult {
  readonly policies: number;
  readonly buckets: number;
  readonly inBreach: number;
  /** `policy: volume/bucket`, the worst first. */
  readonly named: readonly string[];
  readonly hostsOffline: readonly string[];
  readonly unreachable: readonly string[];
  readonly open: number;
}

const AT_ONCE = 20;
/** For pairs whose last run was of before the newest points were kept. */
const RECENT = 30;

/**
 * How far every bucket of every policy is from what its policy promises: written down for people, and published for
 * alarms. Asks for the state of each pair, a hundred in a request, and for no points but of pairs that have not run since
 * those are kept; whether a bucket could be failed over is told from that too. One part that fails does not keep the others from being published.
 * @throws the last error, after all that could be assessed was
 */
export const assessObjectives =
  (deps: AssessDependencies) =>
  async (_event?: unknown): Promise<AssessResult> => {
    const now = deps.clock.now();
    let problem: { readonly error: unknown } | undefined;
    const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await work();
      } catch (error) {
        deps.report(`${what} could not be assessed`, error);
        problem = { error };
        return undefined;
      }
    };
    const enrolled = await inParallel(deps.policies, AT_ONCE, async (policy) => {
      const enrolment = await enrolmentOf(deps.ledger, policy);
      return { policy: withNames(policy, enrolment), patterns: policy, enrolment };
    });
    const policies = enrolled.map(({ policy }) => policy);
    const load = async (pairs: readonly PairId[]) =>
      pairs.length === 0
        ? []
        : (await deps.pairs.loadPairs(pairs)).map((state): readonly [PairId, PairState] => [state.pair, state]);
    const usual = new Map(await load(policies.flatMap(pairsOf)));
    const states = new Map([...usual, ...(await load(policies.flatMap((policy) => otherWays(policy, usual))))]);
    const assessed = (
      await inParallel(enrolled, AT_ONCE, (it) =>
        attempt(`the policy ${it.policy.name}`, async () => assessPolicy(deps, it, states, now)),
      )
    ).filter((it) => it !== undefined);
    publishWorst(deps.metrics, assessed);
    const fleet = await attempt('hosts and operations', () => assessFleet({ ...deps, policies }, states, now));
    await attempt('the budget of snapshots', async () => publishBudget(deps.metrics, policies, states, now));
    if (problem) throw problem.error;
    return {
      policies: assessed.length,
      buckets: sum(assessed.map(({ buckets }) => buckets)),
      inBreach: sum(assessed.map(({ inBreach }) => inBreach)),
      named: assessed
        .flatMap(({ policy, named }) => named.filter(isNotable).map((it) => ({ policy, it })))
        .sort((one, other) => badnessOf(other.it) - badnessOf(one.it))
        .slice(0, NAMED_BUCKETS)
        .map(({ policy, it }) => `${policy}: ${it.bucket}`),
      hostsOffline: (fleet?.hosts ?? []).filter(({ online }) => online === false).map(({ host }) => host),
      unreachable: (fleet?.unreachable ?? []).map(({ cluster }) => cluster),
      open: fleet?.operations.open ?? 0,
    };
  };

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

const pairsOf = (policy: NamedPolicy): readonly PairId[] =>
  policy.buckets.flatMap((bucket) => [
    lineageOf(policy, bucket),
    ...(policy.drills ? [drillPair(policy, bucket)] : []),
  ]);

const otherWay = ({ source, replica }: Policy, bucket: BucketRef): PairId | null =>
  replica && pairId(replica.name, bucket, source.name);

/** Pairs of the other direction that say more of a bucket than those of the usual one. */
const otherWays = (policy: NamedPolicy, states: ReadonlyMap<PairId, PairState>): readonly PairId[] =>
  policy.buckets.flatMap((bucket) => {
    const pair = states.get(lineageOf(policy, bucket));
    const other = pair && hasOtherDirection(pair) ? otherWay(policy, bucket) : null;
    return other ? [other] : [];
  });

/** What the clocks and the last runs of a bucket are told from, whichever way it is backed up. */
const liveOf = (
  { name }: Policy,
  own: Newest | null,
  role: Role | null,
  other: PairState | undefined,
): { readonly newest: Newest | null; readonly runs: Newest['runs']; readonly failedOver: EpochMs | null } => {
  const there = other?.newest?.[name] ?? null;
  if (!role || !isSettledOnReplica(role))
    return { newest: withTakenOver(own, there), runs: own?.runs ?? {}, failedOver: null };
  // What failed before cannot be mended any more by the run that failed.
  const runs = Object.entries({ ...own?.runs, ...there?.runs }).filter(([, { at }]) => at >= role.since);
  return { newest: there, runs: Object.fromEntries(runs), failedOver: role.since };
};

/** Something of it is to be said to people. */
const isNotable = ({ clocks, inBreach, held, failedOver, notReady, runs }: AssessedBucket): boolean =>
  inBreach ||
  held ||
  failedOver !== null ||
  notReady !== null ||
  CLOCKS.some((name) => clocks[name] !== null && clocks[name].state !== 'fine') ||
  Object.values(runs).some((run) => run.status === 'failed');

const isHeld = ({ hold }: Pick<PairState, 'hold'>): boolean =>
  hold !== null && hold.accepted === null && hold.rejected === null;

const assessPolicy = async (
  deps: AssessDependencies,
  {
    policy,
    patterns,
    enrolment,
  }: { readonly policy: NamedPolicy; readonly patterns: Policy; readonly enrolment: Enrolment },
  states: ReadonlyMap<PairId, PairState>,
  now: EpochMs,
): Promise<PolicyAssessment> => {
  const [state, before] = await Promise.all([
    deps.ledger.loadPolicyState(policy.name),
    deps.assessments.load(policy.name),
  ]);
  const noted = new Map(
    [...enrolment.buckets, ...(before?.expected ?? [])].map(({ bucket, since }) => [bucket, since] as const),
  );
  const expected = policy.buckets.map((bucket) => ({
    bucket,
    since: expectedSince(bucket, state, noted.get(bucket), now),
  }));
  const asked = askedOf(policy, before, now);
  const { replica } = policy;
  const interval = intervalOf(policy.schedules, now);
  const buckets = await inParallel(expected, AT_ONCE, async ({ bucket, since }) => {
    const pair = states.get(lineageOf(policy, bucket));
    const drills = states.get(drillPair(policy, bucket));
    // Of before the newest points were kept: their points are read until the next run keeps them.
    const points = pair && !pair.newest ? await deps.ledger.recentPoints(pair.pair, RECENT) : [];
    const own = pair?.newest?.[policy.name] ?? (points.length > 0 ? newestOf(points, policy.name, null) : null);
    const role = pair?.role ?? null;
    const other = otherWay(policy, bucket);
    const { newest, runs, failedOver } = liveOf(
      policy,
      own,
      role,
      other && pair && hasOtherDirection(pair) ? states.get(other) : undefined,
    );
    const drill = lastDrillOf(points, { lastDrill: drills?.lastDrill ?? null }, policy.name);
    const facts: ClockFacts = {
      policy,
      interval,
      newest,
      failedOver,
      lastDrill: drill && { point: drill.point, at: drill.drill.at },
      since,
      asked: { level: asked.level.since, schedules: asked.schedules.since, drills: asked.drills.since },
    };
    const clocks = clocksOf(facts, now);
    return {
      bucket,
      pair: lineageOf(policy, bucket),
      clocks,
      inBreach: isInBreach(clocks),
      runs: { ...runs, ...drills?.newest?.[policy.name]?.runs },
      held: pair !== undefined && isHeld(pair),
      failedOver: isFailedOver(role) ? role.since : null,
      notReady: replica
        ? whyNotReady(
            pair ?? emptyPair(lineageOf(policy, bucket)),
            [own, ...Object.values(pair?.newest ?? {})],
            { bucket, from: policy.source.name, to: replica.name },
            now,
          )
        : null,
    };
  });
  const gone = vanishedLately(patterns, state, enrolment, now).flatMap(({ bucket, vanished }) =>
    vanished === null ? [] : [{ bucket, at: vanished }],
  );
  const vanished = gone.toSorted((one, other) => other.at - one.at).slice(0, NAMED_BUCKETS);
  const assessment = assessmentOf(policy, buckets, { expected, asked, vanished, paused: state.paused ?? null, now });
  await deps.assessments.put(assessment);
  publishPolicy(deps.metrics, assessment);
  return assessment;
};

const assessmentOf = (
  policy: Policy,
  buckets: readonly AssessedBucket[],
  {
    expected,
    asked,
    vanished,
    paused,
    now,
  }: Pick<PolicyAssessment, 'expected' | 'asked' | 'vanished' | 'paused'> & { readonly now: EpochMs },
): PolicyAssessment => {
  const countIn = (state: 'late' | 'stale') => {
    const of = (name: (typeof CLOCKS)[number]): number =>
      buckets.filter(({ clocks }) => clocks[name]?.state === state).length;
    return { taken: of('taken'), replicated: of('replicated'), verified: of('verified'), drilled: of('drilled') };
  };
  const runs = buckets.flatMap((it) => Object.values(it.runs));
  const failed = FAILURE_KINDS.flatMap((kind) => {
    const count = runs.filter((run) => run.kind === kind).length;
    return count > 0 ? [[kind, count] as const] : [];
  });
  return {
    version: 1,
    policy: policy.name,
    at: now,
    paused,
    buckets: buckets.length,
    inBreach: buckets.filter(({ inBreach }) => inBreach).length,
    late: countIn('late'),
    stale: countIn('stale'),
    worst: {
      taken: worstOf(buckets, 'taken'),
      replicated: worstOf(buckets, 'replicated'),
      verified: worstOf(buckets, 'verified'),
      drilled: worstOf(buckets, 'drilled'),
    },
    failed: Object.fromEntries(failed),
    overCap: buckets.filter(({ runs: { prune } }) => (prune?.overCap ?? 0) > 0).length,
    held: buckets.filter(({ held }) => held).length,
    notReady: buckets.filter(({ notReady }) => notReady !== null).length,
    notReadyOverdue: buckets.filter(
      ({ notReady, failedOver }, index) =>
        notReady !== null &&
        failedOver === null &&
        secondsBetween(expected[index]?.since ?? now, now) > policy.objectives.rpo,
    ).length,
    failedOver: buckets.filter(({ failedOver }) => failedOver !== null).length,
    named: buckets.toSorted((one, other) => badnessOf(other) - badnessOf(one)).slice(0, NAMED_BUCKETS),
    vanished,
    expected: [...expected],
    asked,
  };
};

/** What is asked for in the form that it has now, and since when; as if it had always been so where nobody saw it before. */
const askedOf = (policy: Policy, before: PolicyAssessment | null, now: EpochMs): PolicyAssessment['asked'] => {
  const since = (part: keyof PolicyAssessment['asked'], form: string) => {
    const known = before?.asked[part];
    return { form, since: known ? (known.form === form ? known.since : now) : epochMs(0) };
  };
  return {
    level: since('level', `${policy.replica?.name ?? ''} ${policy.verification.split('/')[0]}`),
    schedules: since(
      'schedules',
      JSON.stringify(policy.schedules.map(({ cron, zone }) => `${cron} ${zone}`).toSorted()),
    ),
    drills: since('drills', policy.drills ? `within ${policy.drills.within}` : ''),
  };
};

/** For the dashboard; alarms look at the worst of all. */
const publishPolicy = (metrics: Metrics, { policy, worst, inBreach, failed, notReady }: PolicyAssessment): void => {
  for (const clock of CLOCKS) {
    const of = worst[clock];
    if (!of) continue;
    metrics.gauge('AgeOfObjective', 'None', of.ofObjective, { policy, clock });
    if (of.ofInterval !== null) metrics.gauge('AgeOfInterval', 'None', of.ofInterval, { policy, clock });
  }
  metrics.gauge('BucketsInBreach', 'Count', inBreach, { policy });
  metrics.gauge('LastRunsFailed', 'Count', sum(Object.values(failed)), { policy });
  metrics.gauge('NotReady', 'Count', notReady, { policy });
};

/** Without a policy: what alarms look at. Zeros are published too, so that silence is not taken for health. */
const publishWorst = (metrics: Metrics, assessed: readonly PolicyAssessment[]): void => {
  for (const clock of CLOCKS) {
    const late = sum(assessed.map(({ late: of }) => of[clock]));
    const stale = sum(assessed.map(({ stale: of }) => of[clock]));
    metrics.gauge('BucketsLate', 'Count', late + stale, { clock });
    metrics.gauge('BucketsStale', 'Count', stale, { clock });
    const worst = assessed.flatMap((it) => it.worst[clock] ?? []);
    if (worst.length > 0)
      metrics.gauge('AgeOfObjective', 'None', Math.max(...worst.map(({ ofObjective }) => ofObjective)), { clock });
  }
  metrics.gauge('BucketsInBreach', 'Count', sum(assessed.map(({ inBreach }) => inBreach)), {});
  metrics.gauge('NotReady', 'Count', sum(assessed.map(({ notReady }) => notReady)), {});
  metrics.gauge('NotReadyOverdue', 'Count', sum(assessed.map(({ notReadyOverdue }) => notReadyOverdue)), {});
  metrics.gauge('ChangesHeld', 'Count', sum(assessed.map(({ held }) => held)), {});
  metrics.gauge('PrunesOverCap', 'Count', sum(assessed.map(({ overCap }) => overCap)), {});
  metrics.gauge('BucketsVanished', 'Count', sum(assessed.map(({ vanished }) => vanished.length)), {});
  metrics.gauge('BucketsFailedOver', 'Count', sum(assessed.map(({ failedOver }) => failedOver)), {});
  for (const kind of FAILURE_KINDS) {
    // A change that waits for a person is counted as held, until it is decided on.
    if (kind === 'anomaly') continue;
    metrics.gauge('RunsFailed', 'Count', sum(assessed.map(({ failed }) => failed[kind] ?? 0)), { kind });
  }
};

const assessFleet = async (
  deps: Omit<AssessDependencies, 'policies'> & { readonly policies: readonly NamedPolicy[] },
  states: ReadonlyMap<PairId, PairState>,
  now: EpochMs,
): Promise<FleetAssessment> => {
  const clustersOf = new Map<HostId, Set<Policy['source']['name']>>();
  for (const { source, replica } of deps.policies)
    for (const cluster of [source, ...(replica ? [replica] : [])])
      for (const host of cluster.hosts) clustersOf.set(host, (clustersOf.get(host) ?? new Set()).add(cluster.name));
  const operations = await deps.operations.open();
  const oldest = operations.reduce<Operation | null>(
    (first, it) => (first && first.createdAt <= it.createdAt ? first : it),
    null,
  );
  const unreachable = unreachableNow(deps.policies, states);
  const outrun = await outrunNow(deps, now);
  const asking = await deps.hosts
    .describe([...clustersOf.keys()])
    .then((seen) => ({ seen }))
    .catch((error: unknown) => ({ error }));
  const hosts = [...clustersOf].map(([host, clusters]) => ({
    host,
    clusters: [...clusters],
    online: 'seen' in asking ? isOnline(asking.seen, host) : null,
    open: operations.filter((it) => it.host === host).length,
  }));
  const assessment: FleetAssessment = {
    version: 1,
    at: now,
    operations: {
      open: operations.length,
      oldest: oldest && { id: oldest.id, host: oldest.host, pair: oldest.pair, since: oldest.createdAt },
    },
    hosts,
    unreachable: [...unreachable],
    outrun: outrun.slice(0, NAMED_BUCKETS),
  };
  await deps.assessments.putFleet(assessment);
  const { metrics } = deps;
  metrics.gauge('OpenOperations', 'Count', operations.length, {});
  metrics.gauge('OldestOpenOperation', 'Seconds', oldest ? secondsBetween(oldest.createdAt, now) : 0, {});
  metrics.gauge('BusiestHostOperations', 'Count', Math.max(0, ...hosts.map(({ open }) => open)), {});
  metrics.gauge('ClustersUnreachable', 'Count', unreachable.length, {});
  metrics.gauge('RunsOutrun', 'Count', outrun.length, {});
  if ('error' in asking) throw asking.error;
  metrics.gauge('HostsOffline', 'Count', hosts.filter((it) => it.online === false).length, {});
  return assessment;
};

/** Runs that cannot begin in time for their objective, each in the line that lets it begin last. One read for each line. */
const outrunNow = async (
  { policies, ledger }: { readonly policies: readonly NamedPolicy[]; readonly ledger: Pick<Ledger, 'loadSlots'> },
  now: EpochMs,
): Promise<FleetAssessment['outrun']> => {
  const lines = await inParallel([...capacitiesOf(policies)], AT_ONCE, async ([resource, capacity]) =>
    outrunIn(await ledger.loadSlots(resource), capacity, now).map(({ holder, by, begins }) => ({
      runId: holder,
      resource,
      by,
      begins,
    })),
  );
  const latestFirst = lines.flat().toSorted((one, other) => other.begins - other.by - (one.begins - one.by));
  return latestFirst.filter(({ runId }, n) => latestFirst.findIndex((it) => it.runId === runId) === n);
};

/** Clusters of which the newest backup that needed them says that they did not answer. */
const unreachableNow = (
  policies: readonly NamedPolicy[],
  states: ReadonlyMap<PairId, PairState>,
): FleetAssessment['unreachable'] => {
  const newest = new Map<Policy['source']['name'], FleetAssessment['unreachable'][number] | { readonly at: EpochMs }>();
  for (const policy of policies)
    for (const { bucket, way } of policy.buckets.flatMap((it) =>
      [policy, exchanged(policy)].map((way) => ({ bucket: it, way })),
    )) {
      const run = states.get(lineageOf(way, bucket))?.newest?.[policy.name]?.runs.backup;
      if (!run) continue;
      const down = unreachableCluster({ policy: way }, run.error);
      for (const { name: cluster } of [policy.source, ...(policy.replica ? [policy.replica] : [])]) {
        const known = newest.get(cluster);
        // A run that failed at the one cluster says nothing of the other.
        if ((known && known.at >= run.at) || (down !== null && down !== cluster)) continue;
        newest.set(cluster, down ? { cluster, error: run.error ?? '', runId: run.runId, at: run.at } : { at: run.at });
      }
    }
  return [...newest.values()].flatMap((it) => ('error' in it ? [it] : []));
};
