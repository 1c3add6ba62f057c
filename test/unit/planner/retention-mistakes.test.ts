// Mistakes that tools of this kind have made with people's backups, and what is done here instead. Numbers are those of
// the reports in the trackers of the tools that are named.
import { describe, expect, it } from 'vitest';
import { parsePolicies } from '../../../cdk/config/load-policies.ts';
import { judgeRequest } from '../../../functions/cli/retention.ts';
import { play } from '../../../functions/cli/simulation/play.ts';
import { SeenSide, type SeenSnapshot } from '../../../functions/core/domain/edge-reply.ts';
import type { PointState } from '../../../functions/core/domain/ledger.ts';
import { PolicyName, RunId, SnapshotId, SnapshotName } from '../../../functions/core/domain/names.ts';
import { resolvePolicies, Schedule } from '../../../functions/core/domain/policy.ts';
import { RetentionRules, type Side } from '../../../functions/core/domain/retention.ts';
import { type EpochMs, epochMs, seconds } from '../../../functions/core/domain/units.ts';
import { type PrunePlan, type PruneSettings, planPrune } from '../../../functions/core/planner/plan-prune.ts';
import type { BucketToPrune, LedgerPoint } from '../../../functions/core/planner/protections.ts';
import { effectiveRules } from '../../../functions/core/planner/ratchet.ts';
import { applyRules, applyRulesGuarded } from '../../../functions/core/planner/retention.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const now = epochMs(Date.UTC(2026, 10, 21, 12));
const nightly = PolicyName.parse('nightly');

/** A point that is so many days old; every point was condemned long ago unless said otherwise. */
interface Sketch {
  readonly age: number;
  readonly state?: PointState;
  readonly policy?: PolicyName;
  /** Where its snapshots are; both sides when left out. */
  readonly on?: readonly Side[];
}

const idOf = (side: Side, index: number) =>
  SnapshotId.parse(`0000000${side === 'source' ? 1 : 2}-0000-4000-8000-${index.toString(16).padStart(12, '0')}`);
const nameOf = (index: number) => SnapshotName.parse(`odr-nightly-${index}`);

const read = (snapshots: readonly SeenSnapshot[]): SeenSide =>
  SeenSide.parse({
    state: 'read',
    bucket: {
      created: '2026-01-01T00:00:00Z',
      layout: 'FILE_SYSTEM_OPTIMIZED',
      link: false,
      usedBytes: 1,
      usedNamespace: 1,
      owner: 'dr',
      quotaInBytes: -1,
      quotaInNamespace: -1,
    },
    snapshots: [...snapshots],
  });

const bucketOf = (
  sketches: readonly Sketch[],
  more: { readonly base?: number; readonly previous?: number } & Partial<BucketToPrune> = {},
): BucketToPrune => {
  const points = sketches.map(({ age, state = 'verified', policy = nightly }, index): LedgerPoint => {
    const created = epochMs(now - age * DAY);
    return {
      name: nameOf(index),
      policy,
      state,
      source: { id: idOf('source', index), created },
      replica: state === 'taken' ? null : { id: idOf('replica', index), created, condemned: state === 'differs' },
    };
  });
  const listing = (side: Side): SeenSide =>
    read(
      points.flatMap((point, index): SeenSnapshot[] => {
        const own = point[side];
        const isThere = sketches[index]?.on?.includes(side) ?? true;
        return own && isThere ? [{ name: point.name, id: own.id, created: own.created, status: 'ACTIVE' }] : [];
      }),
    );
  const baseOf = (index: number | undefined) => {
    const point = index === undefined ? undefined : points[index];
    return point?.replica
      ? { name: point.name, created: point.source.created, sourceId: point.source.id, replicaId: point.replica.id }
      : null;
  };
  const { base, previous, ...facts } = more;
  return {
    points,
    pairs: [{ base: baseOf(base), previousBase: baseOf(previous) }],
    inUse: [],
    pins: [],
    holds: [],
    listings: { source: listing('source'), replica: listing('replica') },
    ...facts,
  };
};

const longAgo: ReadonlyMap<SnapshotId, EpochMs> = new Map(
  Array.from({ length: 500 }, (_, index) => index).flatMap((index) =>
    (['source', 'replica'] as const).map((side) => [idOf(side, index), epochMs(now - 60 * DAY)] as const),
  ),
);

const ZONE = 'Europe/Berlin';
const settings = (
  rules: Parameters<typeof RetentionRules.parse>[0],
  more: Partial<PruneSettings> = {},
): PruneSettings => {
  const inForce = [{ rules: RetentionRules.parse(rules), zone: ZONE, until: null }];
  return {
    policy: nightly,
    inForce: { source: inForce, replica: inForce },
    grace: seconds(24 * 3600),
    maxDeletions: 1000,
    ...more,
  };
};

const planned = (plan: PrunePlan) => {
  if (plan.kind === 'refused') throw new Error(plan.reason);
  return plan;
};
/** Numbers of the points that go from a side, oldest first. */
const goes = (plan: PrunePlan, side: Side = 'source') =>
  (planned(plan)[side]?.remove ?? []).map(({ name }) => Number(name.split('-').at(-1))).sort((a, b) => b - a);
const whyKept = (plan: PrunePlan, index: number, side: Side = 'source') =>
  planned(plan)[side]?.keep.find(({ name }) => name === nameOf(index))?.reasons;

/** Newest first, a day apart, the newest a day and a half old: older than the grace. */
const nights = (count: number, more: (index: number) => Partial<Sketch> = () => ({})): readonly Sketch[] =>
  Array.from({ length: count }, (_, index) => ({ age: 1.5 + index, ...more(index) }));

const problemOf = (rules: unknown): string => {
  const answer = judgeRequest(
    JSON.stringify({
      rules,
      zone: 'UTC',
      now: '2026-11-21T12:00:00Z',
      snapshots: [{ name: 'a', time: '2020-01-01T00:00:00Z' }],
    }),
  );
  return answer.ok ? 'accepted' : answer.problem;
};

describe('mistakes in what a person wrote', () => {
  it('a misspelled rule that matched nothing and deleted everything (restic 4568) is refused', () => {
    expect(problemOf({ keepDialy: 7 })).toContain('keepDialy');
    expect(problemOf({ keepDaily: 7, keepTags: ['daily'] })).toContain('keepTags');
  });

  it('a negative count that forgot everything (restic 2565) is refused', () => {
    for (const rule of ['keepLast', 'keepHourly', 'keepDaily', 'keepWeekly', 'keepMonthly', 'keepYearly'])
      expect(problemOf({ [rule]: -1 })).toContain(`rules.${rule}`);
  });

  it('an unknown unit that was ignored in silence (restic 3861) is refused', () => {
    for (const span of ['7w', '1M', '1 d', '5', '1d2x', 'd', '', '-7d', '1.5d', '0d', '1d1d'])
      expect(problemOf({ keepWithin: span }), span).toContain('rules.keepWithin');
  });

  it('rules of nothing but zeros, which one tool takes for "keep all" and another for "keep none", are refused', () => {
    expect(problemOf({ keepLast: 0, keepDaily: 0 })).toContain('would keep nothing');
    expect(problemOf({})).toContain('would keep nothing');
  });

  it('rules that would empty a bucket are refused when they are carried out, however they got there', () => {
    const none = {
      inForce: { source: [{ rules: {}, zone: ZONE, until: null }], replica: [{ rules: {}, zone: ZONE, until: null }] },
    };
    expect(planPrune(bucketOf(nights(9)), longAgo, settings({ keepLast: 1 }, none), now)).toEqual({
      kind: 'refused',
      reason: 'the rules would remove all 9 points of the source',
    });
  });

  it.each([
    ['an empty list of buckets', 'buckets: [sales/orders]', 'buckets: []'],
    ['a bucket without its volume, which matches nothing', 'buckets: [sales/orders]', 'buckets: [orders]'],
    ['a replica that no cluster is named after', 'replica: paris', 'replica: pariss'],
    ['a side without rules', 'replica: { keepDaily: 30 }', ''],
    ['a zone that does not exist', 'zone: Europe/Berlin,', 'zone: Europe/Berln,'],
  ])('%s is refused before anything is deployed', (_sentence, right, wrong) => {
    expect(policyText).toContain(right);
    expect(() => parsePolicies(policyText.replace(right, wrong), 'policies.yaml')).toThrow(/policies\.yaml:\d+:\d+: /);
  });

  it('a retention that was shortened by mistake takes effect only after the cooling-off', () => {
    const long = RetentionRules.parse({ keepDaily: 30 });
    const short = RetentionRules.parse({ keepDaily: 3 });
    const inForce = effectiveRules(
      { rules: short, zone: ZONE },
      [{ rules: long, zone: ZONE, since: epochMs(now - 90 * DAY) }],
      now,
    );
    const plan = planPrune(
      bucketOf(nights(20), { base: 0, previous: 1 }),
      longAgo,
      settings(short, { inForce: { source: inForce, replica: inForce } }),
      now,
    );
    expect(goes(plan)).toEqual([]);
  });
});

const policyText = `
clusters:
  berlin: { service: ozone-berlin, hosts: [mi-0a1b2c3d4e5f60001] }
  paris: { service: ozone-paris, hosts: [mi-0a1b2c3d4e5f60002] }
policies:
  nightly:
    source: berlin
    replica: paris
    buckets: [sales/orders]
    schedules: [{ cron: 0 2 * * ? *, zone: Europe/Berlin }]
    objectives: { rpo: 26h, rto: 4h }
    retention: { zone: Europe/Berlin, source: { keepDaily: 7 }, replica: { keepDaily: 30 } }
`;

describe('mistakes in reading what there is', () => {
  it.each([
    ['a listing error that was read as "there are no files" (restic 4612)', 'unreadable', 'reply-truncated'],
    ['an answer that was cut at 24,000 characters or after 100 rows', 'unreadable', 'no-end-marker'],
    ['a bucket that was not found because the answer began with a line of a log', 'missing', 'not-found'],
    ['a target that could not be reached', 'unreachable', 'timeout'],
    ['an expired ticket', 'denied', 'permission-denied'],
  ] as const)('%s: nothing is deleted on either side', (_sentence, state, code) => {
    const bucket = bucketOf(nights(20), { base: 0, previous: 1 });
    for (const side of ['source', 'replica'] as const) {
      const listings = { ...bucket.listings, [side]: { state, code, message: 'as told' } };
      const plan = planPrune({ ...bucket, listings }, longAgo, settings({ keepLast: 1 }), now);
      expect(plan).toMatchObject({ kind: 'refused', reason: expect.stringContaining(`the ${side} is ${state}`) });
    }
  });

  it('an empty listing deletes nothing on the side that is full: no point there is proved on both', () => {
    const bucket = bucketOf(nights(5), { base: 0, previous: 1 });
    const listings = { ...bucket.listings, replica: read([]) };
    const plan = planPrune({ ...bucket, listings }, longAgo, settings({ keepDaily: 5 }), now);
    expect(goes(plan)).toEqual([]);
    expect(whyKept(plan, 0)).toContain('the base of the next increment');
  });

  it('snapshots of somebody else, deleted because they were there (zrepl 540), are not touched, whatever their names', () => {
    const bucket = bucketOf(nights(6), { base: 0, previous: 1 });
    if (bucket.listings.source.state !== 'read') throw new Error('readable');
    const foreign = bucket.listings.source.snapshots.map((seen, index) => ({
      ...seen,
      name: index % 2 === 0 ? seen.name : SnapshotName.parse(`manual-${index}`),
      id: SnapshotId.parse(`00000003-0000-4000-8000-${index.toString(16).padStart(12, '0')}`),
    }));
    const source = read([...bucket.listings.source.snapshots, ...foreign]);
    const plan = planned(
      planPrune({ ...bucket, listings: { ...bucket.listings, source } }, longAgo, settings({ keepLast: 1 }), now),
    );
    const ids = new Set<string>(foreign.map(({ id }) => id));
    expect([...plan.source.remove, ...plan.source.condemn].filter(({ id }) => ids.has(id))).toEqual([]);
    expect(plan.source.keep.filter(({ id }) => ids.has(id)).map(({ reasons }) => reasons)).toEqual(
      foreign.map(() => ['not ours']),
    );
  });

  it('a name that was deleted and made again is another snapshot: it is neither counted nor deleted', () => {
    const sketches = nights(4);
    const bucket = bucketOf(sketches, { base: 0, previous: 1 });
    if (bucket.listings.source.state !== 'read') throw new Error('readable');
    const again = SnapshotId.parse('00000003-0000-4000-8000-000000000003');
    const snapshots = bucket.listings.source.snapshots.map((seen) =>
      seen.name === nameOf(3) ? { ...seen, id: again } : seen,
    );
    const listings = { ...bucket.listings, source: read(snapshots) };
    const fresh = planPrune({ ...bucket, listings }, longAgo, settings({ keepLast: 1 }), now);
    expect(goes(fresh)).toEqual([2]);
    // Also when it was taken over between the plan and its execution.
    expect(goes(planPrune(bucket, longAgo, settings({ keepLast: 1 }), now))).toEqual([3, 2]);
  });

  it('points grouped by what changes with every run, so that each was the newest of its own group (restic), are one group', () => {
    // Another attempt, another run, another host each time: the policy is what they have in common.
    const plan = planPrune(bucketOf(nights(85), { base: 0, previous: 1 }), longAgo, settings({ keepDaily: 7 }), now);
    expect(goes(plan)).toHaveLength(85 - 7);
  });

  it('points of another policy are not taken for ours: rules of one do not delete those of the other', () => {
    const hourly = PolicyName.parse('hourly');
    const sketches = nights(10, (index) => (index % 2 === 0 ? {} : { policy: hourly }));
    const plan = planPrune(bucketOf(sketches, { base: 0 }), longAgo, settings({ keepLast: 2 }), now);
    expect(goes(plan)).toEqual([8, 6, 4]);
  });
});

describe('mistakes in what may go', () => {
  it('the last common pair that a pruner did not know of (sanoid 533, and scripts that prune by date) stays, however old', () => {
    // Replication has stood still for 40 days; the source went on.
    const sketches = nights(60, (index) => (index < 40 ? { state: 'taken' } : {}));
    const plan = planPrune(bucketOf(sketches, { base: 40, previous: 41 }), longAgo, settings({ keepDaily: 7 }), now);
    for (const side of ['source', 'replica'] as const) {
      expect(whyKept(plan, 40, side)).toContain('the base of the next increment');
      expect(whyKept(plan, 41, side)).toContain('the base before the last');
    }
  });

  it('what is not replicated yet (sanoid 741) is not pruned, and goes once it is (zrepl: it piled up)', () => {
    const stalled = nights(30, (index) => (index < 20 ? { state: 'taken' } : {}));
    const before = planPrune(bucketOf(stalled, { base: 20, previous: 21 }), longAgo, settings({ keepDaily: 3 }), now);
    expect(goes(before).filter((index) => index < 20)).toEqual([]);
    expect(whyKept(before, 10)).toEqual(['not yet replicated']);
    const caughtUp = nights(30, (index) => (index > 0 && index < 20 ? { state: 'taken' } : {}));
    const after = planPrune(bucketOf(caughtUp, { base: 0, previous: 20 }), longAgo, settings({ keepDaily: 3 }), now);
    expect(goes(after)).toContain(10);
  });

  it('good points that aged out while failures piled up (Velero 9061) stay: failures take no place', () => {
    const sketches = nights(60, (index) => (index < 30 ? { state: 'differs' } : {}));
    const plan = planPrune(
      bucketOf(sketches, { base: 30, previous: 31 }),
      longAgo,
      settings({ keepDaily: 7, minGood: 3 }),
      now,
    );
    expect(goes(plan, 'replica').filter((index) => index < 37)).toEqual([]);
    for (const good of [30, 31, 32])
      expect(whyKept(plan, good, 'replica')).toContain('one of the 3 newest good points');
  });

  it('the base of a copy that goes on after its controller died is not pruned', () => {
    const inUse = [
      { by: RunId.parse('prod/sales/orders#dr#nightly#20261121t020000z'), points: [nameOf(7), nameOf(9)] },
    ];
    const plan = planPrune(
      bucketOf(nights(12), { base: 0, previous: 1, inUse }),
      longAgo,
      settings({ keepLast: 1 }),
      now,
    );
    for (const side of ['source', 'replica'] as const) expect(goes(plan, side)).toEqual([11, 10, 8, 6, 5, 4, 3, 2]);
  });

  it('holds that were never released (zrepl 288) end by themselves: a run that is over and a hold with a date', () => {
    const holds = [{ point: nameOf(5), reason: 'case 17', until: epochMs(now - 1) }];
    const plan = planPrune(
      bucketOf(nights(7), { base: 0, previous: 1, holds }),
      longAgo,
      settings({ keepLast: 1 }),
      now,
    );
    expect(goes(plan)).toContain(5);
  });

  it('the snapshot that was just taken (zrepl 659) is not pruned', () => {
    const sketches = [0.01, 0.02, 0.5, 2, 3].map((age) => ({ age }));
    const plan = planPrune(bucketOf(sketches, { base: 3, previous: 4 }), longAgo, settings({ keepLast: 1 }), now);
    expect(goes(plan)).toEqual([]);
    expect(whyKept(plan, 2)).toEqual(['younger than the grace of 24 hours']);
  });

  it('all but one point lost to rules that nobody saw in effect (zrepl 651): they are condemned first, with reasons, and wait', () => {
    const plan = planned(
      planPrune(bucketOf(nights(9), { base: 0, previous: 1 }), new Map(), settings({ keepLast: 1 }), now),
    );
    expect(goes(plan)).toEqual([]);
    expect(plan.source.condemn.map(({ reasons }) => reasons)).toEqual(
      Array.from({ length: 7 }, () => ['no rule of the source keeps it', 'may go after 2026-11-22T12:00:00.000Z']),
    );
  });

  it('a replica that fills because nothing prunes there (sanoid 477, 677) is pruned by rules of its own', () => {
    const own = {
      inForce: {
        source: [{ rules: RetentionRules.parse({ keepDaily: 3 }), zone: ZONE, until: null }],
        replica: [{ rules: RetentionRules.parse({ keepDaily: 10 }), zone: ZONE, until: null }],
      },
    };
    const sketches = nights(20, (index) => (index < 3 ? {} : { on: ['replica'] }));
    const plan = planPrune(bucketOf(sketches, { base: 0, previous: 1 }), longAgo, settings({ keepLast: 1 }, own), now);
    expect(goes(plan, 'source')).toEqual([]);
    expect(goes(plan, 'replica')).toEqual([19, 18, 17, 16, 15, 14, 13, 12, 11, 10]);
  });

  it('one run that deletes hundreds at once stops at the cap, and what is over it is not stuck for ever (Velero 6928)', () => {
    let sketches: readonly Sketch[] = nights(40);
    let runs = 0;
    for (; runs < 20; runs++) {
      const plan = planPrune(
        bucketOf(sketches, { base: 0, previous: 1 }),
        longAgo,
        settings({ keepDaily: 7 }, { maxDeletions: 10 }),
        now,
      );
      const removed = { source: goes(plan), replica: goes(plan, 'replica') };
      if (removed.source.length + removed.replica.length === 0) break;
      expect(removed.source.length + removed.replica.length).toBeLessThanOrEqual(10);
      sketches = sketches.map((sketch, index) => ({
        ...sketch,
        on: (sketch.on ?? (['source', 'replica'] as const)).filter((side) => !removed[side].includes(index)),
      }));
    }
    expect(runs).toBe(7);
    expect(sketches.filter(({ on }) => on === undefined || on.length > 0)).toHaveLength(7);
  });

  it('a cap so low that more is made than ever goes is refused before it is deployed', () => {
    const every5 = policyText.replace('0 2 * * ? *', '0/5 * * * ? *');
    expect(() => parsePolicies(every5, 'p.yaml')).toThrow(/never catch up with the 576 a day/);
    expect(() =>
      parsePolicies(every5.replace('zone: Europe/Berlin, s', 'zone: Europe/Berlin, maxDeletions: 576, s'), 'p.yaml'),
    ).not.toThrow();
  });

  it('300,000 snapshots by accident, and TOO_MANY_SNAPSHOTS in the middle of a step: refused before it is deployed', () => {
    const many = Array.from({ length: 100 }, (_, index) => `sales/orders-${index}`).join(', ');
    const text = policyText.replace('sales/orders', many).replace('keepDaily: 30', 'keepWithin: 1y');
    expect(() => parsePolicies(text, 'p.yaml')).toThrow(/snapshots on paris, over its limit of 10000/);
  });
});

describe('mistakes in counting time', () => {
  const at = (text: string) => ({ name: text, at: epochMs(Date.parse(text)) });
  const keptOf = (times: readonly string[], rules: Parameters<typeof RetentionRules.parse>[0], zone: string) =>
    applyRules(times.map(at), RetentionRules.parse(rules), zone, now)
      .filter(({ kept }) => kept)
      .map(({ name }) => name);

  it('a schedule with jitter loses no day (zrepl 612): periods are the calendar’s, not counted from the newest point', () => {
    const minutes = [3, 58, 0, 41, 17, 59, 2, 30, 1, 55];
    const times = minutes.map((minute, day) => `2026-11-${10 + day}T02:${String(minute).padStart(2, '0')}:00Z`);
    expect(keptOf(times, { keepDaily: 10 }, 'Europe/Berlin')).toHaveLength(10);
  });

  it('days without a run do not push good points out: they are not counted, and age alone deletes nothing', () => {
    const gap = ['2026-07-01T02:00:00Z', '2026-07-02T02:00:00Z', '2026-07-03T02:00:00Z', '2026-11-20T02:00:00Z'];
    expect(keptOf(gap, { keepDaily: 4 }, 'UTC')).toHaveLength(4);
  });

  it('many points of one day, taken by hand, push no other day out', () => {
    const manual = Array.from({ length: 9 }, (_, index) => `2026-11-20T0${index}:00:00Z`);
    const daily = Array.from({ length: 7 }, (_, index) => `2026-11-1${9 - index}T02:00:00Z`);
    expect(keptOf([...manual, ...daily], { keepDaily: 7 }, 'UTC')).toEqual([manual[8], ...daily.slice(0, 6)]);
  });

  it('a count that gaps fulfilled deletes nothing that is younger than the count says in time', () => {
    const times = ['2026-11-14T13:00:00Z', '2026-11-15T02:00:00Z', '2026-11-17T02:00:00Z', '2026-11-21T12:00:00Z'];
    const judged = applyRulesGuarded(times.map(at), RetentionRules.parse({ keepDaily: 7 }), 'UTC', now);
    expect(judged.filter(({ kept }) => kept)).toHaveLength(4);
    const hours = Array.from({ length: 8 }, (_, index) => `2026-11-${21 - index}T11:59:00Z`);
    const guarded = applyRulesGuarded(
      [...hours, '2026-11-14T12:30:00Z'].map(at),
      RetentionRules.parse({ keepDaily: 7 }),
      'UTC',
      now,
    );
    expect(guarded.filter(({ kept }) => kept)).toHaveLength(8);
  });

  it('the hour that the clock shows twice, and two snapshots that collide there (sanoid), lose no day and no point of it twice', () => {
    const night = ['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z', '2026-10-25T02:30:00Z'];
    expect(keptOf(night, { keepHourly: 2 }, 'Europe/Berlin')).toEqual([night[2], night[1]]);
    expect(keptOf(night, { keepDaily: 1 }, 'Europe/Berlin')).toEqual([night[2]]);
  });

  it('the hour that the clock skips leaves no hole in the days', () => {
    const days = ['2026-03-28T01:30:00Z', '2026-03-29T01:30:00Z', '2026-03-30T00:30:00Z'];
    expect(keptOf(days, { keepDaily: 3 }, 'Europe/Berlin')).toHaveLength(3);
  });

  it('month ends: the last point of each month, whatever its length, is a month’s', () => {
    const ends = ['2025-12-31', '2026-01-31', '2026-02-28', '2026-03-31', '2026-04-30'].map(
      (day) => `${day}T20:00:00Z`,
    );
    expect(keptOf(ends, { keepMonthly: 5 }, 'UTC')).toHaveLength(5);
  });

  it('the leap day is a day of February', () => {
    const days = ['2024-02-28T12:00:00Z', '2024-02-29T12:00:00Z', '2024-03-01T12:00:00Z'];
    expect(keptOf(days, { keepDaily: 3 }, 'UTC')).toHaveLength(3);
    expect(keptOf(days, { keepMonthly: 2 }, 'UTC')).toEqual([days[2], days[1]]);
  });

  it('week 53 and the days of New Year belong to one week of one year', () => {
    const days = ['2020-12-27T12:00:00Z', '2020-12-31T12:00:00Z', '2021-01-03T12:00:00Z', '2021-01-04T12:00:00Z'];
    expect(keptOf(days, { keepWeekly: 3 }, 'UTC')).toEqual([days[3], days[2], days[0]]);
  });

  it('a clock that ran ahead once, and dated a point years from now, pushes nothing out', () => {
    const times = ['2026-11-18T02:00:00Z', '2026-11-19T02:00:00Z', '2026-11-20T02:00:00Z'];
    expect(keptOf([...times, '2036-01-01T00:00:00Z'], { keepDaily: 3 }, 'UTC')).toEqual([
      '2036-01-01T00:00:00Z',
      ...times.toReversed(),
    ]);
    const plan = planPrune(
      bucketOf([{ age: -3000 }, ...nights(3)], { base: 1, previous: 2 }),
      longAgo,
      settings({ keepDaily: 3 }),
      now,
    );
    expect(goes(plan)).toEqual([]);
  });

  it('a clock that ran behind, and dated a new point years ago, does not make the older ones the newest', () => {
    const plan = planPrune(
      bucketOf([{ age: 4000 }, ...nights(3)], { base: 1, previous: 2 }),
      longAgo,
      settings({ keepDaily: 3 }),
      now,
    );
    expect(goes(plan).filter((index) => index > 0)).toEqual([]);
  });

  it('two snapshots of one second are two points, judged the same in any order of the listing', () => {
    const same = [
      { name: 'b', at: now },
      { name: 'a', at: now },
    ];
    const rules = RetentionRules.parse({ keepDaily: 1 });
    const judged = applyRules(same, rules, 'UTC', now);
    expect(judged.map(({ name, kept }) => ({ name, kept }))).toEqual([
      { name: 'b', kept: true },
      { name: 'a', kept: false },
    ]);
    expect(applyRules(same.toReversed(), rules, 'UTC', now)).toEqual(judged);
  });

  it('a missed day leaves no snapshot for ever, as with a script that deletes "the one of seven days ago"', () => {
    const [policy] = resolvePolicies(parsePolicies(policyText, 'p.yaml'));
    if (!policy) throw new Error('there is one');
    const missed = new Set([3, 4, 11, 20].map((day) => Date.UTC(2026, 0, day, 1)));
    const left: string[] = [];
    play({
      policy,
      from: epochMs(Date.UTC(2026, 0, 1)),
      to: epochMs(Date.UTC(2026, 2, 1)),
      outages: [],
      prunes: [Schedule.parse({ cron: '0 5 * * ? *', zone: 'Europe/Berlin' })],
      chance: { taken: (slot) => (missed.has(slot) ? null : slot), equal: () => true, pruned: (due) => due },
      onPlan: ({ now: when }, plan) => {
        const [oldest] = planned(plan).source.keep.slice(-1);
        // Seven days that have one, and four that were missed, at most.
        if (oldest && when - oldest.created > 12 * DAY) left.push(oldest.name);
      },
    });
    expect(left).toEqual([]);
  });
});
