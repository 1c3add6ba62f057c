import * as z from 'zod';
import { type Entry, type Link, readEntry, withoutRepeats } from '../../core/domain/chain.ts';
import type { RecoveryPoint } from '../../core/domain/ledger.ts';
import { type PairId, PolicyName, type RunId, splitRunId, workflowOf } from '../../core/domain/names.ts';
import type { Readiness } from '../../core/domain/readiness.ts';
import { type Happening, ONLY_PLANNED } from '../../core/domain/record.ts';
import type { PolicyVersion } from '../../core/domain/retention.ts';
import { type DurationSeconds, type EpochMs, epochMs } from '../../core/domain/units.ts';
import { attainmentOf, type GoodPoint, goodSpan, objectivesOf, percentText, type Span } from './attainment.ts';
import type { BucketReport } from './model.ts';

export interface KnownPolicy {
  readonly name: PolicyName;
  /** Empty when the policy was never expanded, as when people alone start its runs. */
  readonly versions: readonly PolicyVersion[];
  /** As its last run had it, where no version is known. */
  readonly rpoOfLastRun: DurationSeconds | undefined;
}

/** All that the table knows of one bucket. */
export interface KnownBucket {
  readonly pair: PairId;
  readonly links: readonly Link[];
  /** Living and retired. */
  readonly points: readonly RecoveryPoint[];
  readonly policies: readonly KnownPolicy[];
  /** What a failover would come to; null where there is no replica, or nothing to tell its policy by. */
  readonly readiness: Readiness | null;
}

export const bucketOf = (pair: PairId): string => pair.slice(pair.indexOf('/') + 1, pair.lastIndexOf('#'));
const hasReplica = (pair: PairId): boolean => !pair.endsWith('#local');

const iso = (at: number): string => new Date(at).toISOString();

/** The policy whose run it was. */
const policyOf = (run: RunId): PolicyName | undefined =>
  PolicyName.safeParse(splitRunId(run).key.split('#')[0]?.replace(/^.*\./, '')).data;

/** What every version of this product can read of an entry. One that not even that can be read of counts in every month. */
const Outline = z.object({ at: z.number() });
const outlineOf = ({ text }: Link): z.infer<typeof Outline> | undefined => {
  try {
    return Outline.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
};

const readable = (links: readonly Link[]): readonly Entry[] =>
  withoutRepeats(
    links.flatMap((link) => {
      const read = readEntry(link);
      return 'entry' in read ? [read.entry] : [];
    }),
  );

/** The policies that took points of the bucket or ran for it, and the last backup of each that is on record. */
export const policiesOf = (
  links: readonly Link[],
  points: readonly RecoveryPoint[],
): ReadonlyMap<PolicyName, RunId | undefined> => {
  const found = new Map<PolicyName, RunId | undefined>();
  for (const { policy, runId } of points.toReversed()) found.set(policy, runId);
  for (const { happening } of readable(links)) {
    const policy =
      happening.kind === 'run-ended' && workflowOf(happening.runId) === 'backup'
        ? policyOf(happening.runId)
        : undefined;
    if (policy && happening.kind === 'run-ended') found.set(policy, happening.runId);
  }
  return new Map([...found].toSorted(([one], [other]) => (one < other ? -1 : 1)));
};

type Of<K extends Happening['kind']> = Omit<Entry, 'happening'> & {
  readonly happening: Extract<Happening, { kind: K }>;
};

/** The entries of one kind. */
const ofKind = <K extends Happening['kind']>(entries: readonly Entry[], kind: K): readonly Of<K>[] => {
  const isOf = (entry: Entry): entry is Entry & Of<K> => entry.happening.kind === kind;
  return entries.filter(isOf);
};

/** The good points, by what was recorded and by what the points say of themselves. */
const goodPoints = ({ pair, points }: KnownBucket, entries: readonly Entry[]): readonly GoodPoint[] => {
  const firstEqual = new Map<string, EpochMs>();
  for (const { at, happening } of ofKind(entries, 'verified'))
    if (happening.equal) firstEqual.set(happening.name, epochMs(Math.min(at, firstEqual.get(happening.name) ?? at)));
  return points.flatMap((point) => goodSpan(point, hasReplica(pair), firstEqual.get(point.name)) ?? []);
};

/** Since when something is known of the bucket. */
const firstSign = (entries: readonly Entry[], points: readonly RecoveryPoint[]): number =>
  Math.min(
    ...points.map((it) => it.source.created),
    ...entries.map(({ at, happening }) => (happening.kind === 'run-ended' ? Math.min(at, happening.startedAt) : at)),
  );

const sidesOf = (snapshots: ReadonlyMap<string, 'source' | 'replica'>) => {
  const all = [...snapshots.values()];
  return {
    source: all.filter((it) => it === 'source').length,
    replica: all.filter((it) => it === 'replica').length,
  };
};

const deletionsOf = (entries: readonly Entry[]): BucketReport['deletions'] => {
  const [byUs, byOthers] = [new Map<string, 'source' | 'replica'>(), new Map<string, 'source' | 'replica'>()];
  const plans = new Set<string>();
  for (const { happening } of ofKind(entries, 'deleted')) {
    for (const { id, side } of happening.snapshots) (happening.byUs ? byUs : byOthers).set(id, side);
    if (happening.plan) plans.add(happening.plan);
  }
  return { byUs: sidesOf(byUs), byOthers: sidesOf(byOthers), plans: [...plans].toSorted() };
};

type Workflow = keyof BucketReport['runs'];

/** The runs that were over; a restore that only made a plan restored nothing. */
const endedRuns = (entries: readonly Entry[], workflow: Workflow): readonly Of<'run-ended'>[] =>
  ofKind(entries, 'run-ended').filter(
    ({ happening }) => happening.workflow === workflow && !happening.summary.startsWith(ONLY_PLANNED),
  );

const runsOf = (entries: readonly Entry[], workflow: Workflow) => {
  const ended = endedRuns(entries, workflow);
  const count = (status: string) => ended.filter(({ happening }) => happening.status === status).length;
  return { succeeded: count('succeeded'), failed: count('failed') };
};

const told = ({ at, happening }: Of<'run-ended'>) => ({
  at: iso(at),
  runId: happening.runId,
  summary: happening.summary,
});

const succeeded = (entries: readonly Entry[], workflow: Workflow) =>
  endedRuns(entries, workflow).flatMap((it) => (it.happening.status === 'succeeded' ? [told(it)] : []));

const snapshotsOf = (entries: readonly Entry[], kind: 'condemned' | 'spared'): number =>
  new Set(ofKind(entries, kind).flatMap(({ happening }) => happening.snapshots.map((it) => it.id))).size;

const policyReport = (
  bucket: KnownBucket,
  policy: KnownPolicy,
  good: readonly GoodPoint[],
  measured: Span | undefined,
): BucketReport['policies'] => {
  const { name, versions, rpoOfLastRun } = policy;
  if (!measured)
    return [{ policy: name, objectives: [], attainment: null, why: 'nothing is known of this bucket in this month' }];
  const objectives = objectivesOf(versions, bucketOf(bucket.pair), rpoOfLastRun, measured);
  const promised = objectives.map((it) => ({
    from: iso(it.from),
    until: iso(it.until),
    rpoSeconds: it.rpo,
    basis: it.basis,
  }));
  if (objectives.length === 0)
    return versions.length > 0
      ? [] // The policy promised nothing of this bucket in this month.
      : [{ policy: name, objectives: promised, attainment: null, why: 'the objective of this policy is not known' }];
  if (!good.some((it) => it.from < measured.until && (it.until === null || it.until > measured.from)))
    return [{ policy: name, objectives: promised, attainment: null, why: 'no good point existed in this month' }];
  const { measured: whole, met, withoutPoint, worstAge } = attainmentOf(good, objectives);
  const attainment = {
    secondsMeasured: Math.ceil(whole / 1000),
    secondsMet: Math.floor(met / 1000),
    percent: percentText(met, whole),
    secondsWithoutPoint: Math.ceil(withoutPoint / 1000),
    worstAgeSeconds: worstAge === null ? null : Math.ceil(worstAge / 1000),
  };
  return [{ policy: name, objectives: promised, attainment, why: null }];
};

/** Without what goes by the clock, so that the same table gives the same report. */
const failoverOf = ({ role, point, takes, remarks }: Readiness): BucketReport['failover'] => ({
  primary: role?.primary ?? 'source',
  epoch: role?.epoch ?? 0,
  since: role ? iso(role.since) : null,
  isMoving: role?.state === 'moving',
  point: point && { name: point.name, created: iso(point.at) },
  secondsExpected: takes?.seconds ?? null,
  basis: takes?.basis ?? null,
  blockers: remarks.flatMap(({ blocks, until, text }) => (blocks !== 'nothing' && until === null ? [text] : [])),
});

/** The evidence of one bucket in a month. */
export const reportBucket = (bucket: KnownBucket, month: Span): BucketReport => {
  const { pair, links, points } = bucket;
  const isInside = ({ at }: { readonly at: number }): boolean => at >= month.from && at < month.until;
  const all = readable(links);
  const entries = all.filter(isInside);
  const good = goodPoints(bucket, all);
  const since = firstSign(all, points);
  const measured = since < month.until ? { from: epochMs(Math.max(since, month.from)), until: month.until } : undefined;
  const [newest] = good
    .filter((it) => it.from < month.until && (it.until === null || it.until >= month.until))
    .toSorted((one, other) => other.created - one.created);
  const comparisons = ofKind(entries, 'verified');
  return {
    pair,
    good: hasReplica(pair) ? 'verified' : 'taken',
    measured: measured ? { from: iso(measured.from), until: iso(measured.until) } : null,
    policies: bucket.policies.flatMap((policy) => policyReport(bucket, policy, good, measured)),
    points: {
      good: good.filter((it) => it.from < month.until && (it.until === null || it.until >= month.until)).length,
      newest: newest ? { name: newest.name, created: iso(newest.created) } : null,
    },
    runs: {
      backup: runsOf(entries, 'backup'),
      prune: runsOf(entries, 'prune'),
      restore: runsOf(entries, 'restore'),
      drill: runsOf(entries, 'drill'),
      failover: runsOf(entries, 'failover'),
    },
    failures: ofKind(entries, 'run-ended')
      .filter(({ happening }) => happening.status === 'failed')
      .map(told),
    drills: runsOf(entries, 'drill').succeeded,
    drilled: succeeded(entries, 'drill'),
    restored: succeeded(entries, 'restore'),
    failedOver: succeeded(entries, 'failover'),
    failover: bucket.readiness && failoverOf(bucket.readiness),
    deletions: deletionsOf(entries),
    condemned: snapshotsOf(entries, 'condemned'),
    spared: snapshotsOf(entries, 'spared'),
    decisions: ofKind(entries, 'decision').map(({ at, happening: { kind: _, execution: __, ...told } }) => ({
      at: iso(at),
      ...told,
    })),
    comparisons: {
      equal: comparisons.filter(({ happening }) => happening.equal).length,
      differing: comparisons.filter(({ happening }) => !happening.equal).length,
    },
    differences: comparisons
      .filter(({ happening }) => !happening.equal)
      .map(({ at, happening }) => ({ at: iso(at), point: happening.name, detail: happening.detail })),
    weakenings: ofKind(entries, 'policy-weakened').map(({ at, happening }) => ({
      at: iso(at),
      policy: happening.policy,
      change: happening.change,
      until: iso(happening.until),
    })),
    unreadable: links.filter((link) => 'problem' in readEntry(link) && isInside(outlineOf(link) ?? { at: month.from }))
      .length,
  };
};
