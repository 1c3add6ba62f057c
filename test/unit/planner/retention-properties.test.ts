import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SeenSide, SeenSnapshot } from '../../../functions/core/domain/edge-reply.ts';
import { PointState } from '../../../functions/core/domain/ledger.ts';
import { PolicyName, RunId, SnapshotId, SnapshotName } from '../../../functions/core/domain/names.ts';
import type { Side } from '../../../functions/core/domain/retention.ts';
import { RetentionRules } from '../../../functions/core/domain/retention.ts';
import { epochMs, seconds } from '../../../functions/core/domain/units.ts';
import { zoneClock } from '../../../functions/core/planner/calendar.ts';
import { planPrune, type SidePlan } from '../../../functions/core/planner/plan-prune.ts';
import type { BucketToPrune, LedgerPoint } from '../../../functions/core/planner/protections.ts';
import { effectiveRules } from '../../../functions/core/planner/ratchet.ts';
import { applyRules, applyRulesGuarded, type DatedPoint } from '../../../functions/core/planner/retention.ts';

/** `npm run test:retention` plays 100,000 histories per property, `RETENTION_RUNS=5000` as many. */
const numRuns = Number(process.env.RETENTION_RUNS ?? 2000);
// Enough for a machine that is a hundred times slower than usual: no test is about time.
const timeout = 60_000 + numRuns * 60;

const HOUR = 3_600_000;
const now = epochMs(Date.UTC(2026, 10, 21, 12));

const zone = fc.constantFrom(
  'UTC',
  'Europe/Berlin',
  'America/Sao_Paulo',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'America/St_Johns',
  'Antarctica/Troll',
);

/** How long ago in hours: dense near the present, thin over fifteen years, now and then ahead of the clock. */
const age = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 30 * 24 * 4 }).map((quarters) => quarters / 4) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 15 * 366 * 24 }) },
  { weight: 1, arbitrary: fc.integer({ min: -48, max: -1 }) },
);
const history = fc
  .array(age, { maxLength: 60 })
  .map((ages): readonly DatedPoint[] =>
    ages.map((hours, index) => ({ name: `p${index}`, at: epochMs(now - hours * HOUR) })),
  );

const COUNTS = ['keepLast', 'keepHourly', 'keepDaily', 'keepWeekly', 'keepMonthly', 'keepYearly'] as const;
const SPANS = [
  'keepWithin',
  'keepWithinHourly',
  'keepWithinDaily',
  'keepWithinWeekly',
  'keepWithinMonthly',
  'keepWithinYearly',
] as const;
const count = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 0, max: 15 }) }, fc.constant('unlimited' as const));
const span = fc.constantFrom('1h', '24h', '1d', '7d', '1m', '1m14d', '13d23h', '1y', '2y5m7d3h', '20y');
const optionally = <T extends string, V>(keys: readonly T[], value: fc.Arbitrary<V>) =>
  fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: 3 });
const rules = fc
  .tuple(optionally(COUNTS, count), optionally(SPANS, span))
  .map(([counts, spans]) => RetentionRules.safeParse({ ...counts, ...spans }))
  .filter((parsed) => parsed.success)
  .map((parsed) => parsed.data);

type Apply = typeof applyRules;
const kept = (apply: Apply, ...args: Parameters<Apply>): ReadonlySet<string> =>
  new Set(
    apply(...args)
      .filter((point) => point.kept)
      .map(({ name }) => name),
  );
const isWithin = (some: ReadonlySet<string>, all: ReadonlySet<string>) => [...some].every((name) => all.has(name));
const holds = <T>(arbitrary: fc.Arbitrary<T>, check: (value: T) => void, runs = numRuns) =>
  fc.assert(
    fc.property(arbitrary, (value) => {
      check(value);
    }),
    { numRuns: runs },
  );

describe('the wall clock', () => {
  it(
    'shows in every zone what Intl shows',
    () => {
      const shown = (name: string, instant: number) =>
        new Intl.DateTimeFormat('sv-SE', { timeZone: name, dateStyle: 'short', timeStyle: 'medium' }).format(instant);
      const zones = Intl.supportedValuesOf('timeZone');
      const instants = fc.array(fc.integer({ min: 0, max: Date.UTC(2040, 0, 1) }), { minLength: 1, maxLength: 20 });
      // Twenty instants each, and a formatter for each of them.
      const some = Math.max(100, numRuns / 10);
      const anywhere = fc.tuple(fc.constantFrom(...zones), instants);
      holds(
        anywhere,
        ([name, times]) => {
          const clock = zoneClock(name);
          for (const time of times) {
            const wall = new Date(clock.wallAt(time)).toISOString().slice(0, 19).replace('T', ' ');
            expect(wall).toBe(shown(name, time));
          }
        },
        some,
      );
    },
    timeout,
  );
});

describe.each([
  ['as written', applyRules],
  ['with the guard of age', applyRulesGuarded],
])('rules %s', (_sentence, apply) => {
  const cases = fc.record({ points: history, rules, zone });

  it(
    'judge each point once, and keep it exactly when they give a reason',
    () => {
      holds(cases, (it) => {
        const judged = apply(it.points, it.rules, it.zone, now);
        expect(judged.map(({ name }) => name).sort()).toEqual(it.points.map(({ name }) => name).sort());
        for (const { kept: stays, reasons } of judged) expect(stays).toBe(reasons.length > 0);
      });
    },
    timeout,
  );

  it(
    'do not look at the order of a listing',
    () => {
      const shuffled = cases.chain((it) =>
        fc.record({
          it: fc.constant(it),
          points: fc.shuffledSubarray([...it.points], { minLength: it.points.length, maxLength: it.points.length }),
        }),
      );
      holds(shuffled, ({ it, points }) => {
        expect(apply(points, it.rules, it.zone, now)).toEqual(apply(it.points, it.rules, it.zone, now));
      });
    },
    timeout,
  );

  it(
    'keep all that they kept when they are applied again',
    () => {
      holds(cases, (it) => {
        const once = kept(apply, it.points, it.rules, it.zone, now);
        const left = it.points.filter(({ name }) => once.has(name));
        expect(kept(apply, left, it.rules, it.zone, now)).toEqual(once);
      });
    },
    timeout,
  );

  it(
    'never delete more when a rule is added',
    () => {
      holds(fc.tuple(cases, rules), ([it, more]) => {
        const both = RetentionRules.parse({ ...more, ...it.rules });
        const before = kept(apply, it.points, it.rules, it.zone, now);
        expect(isWithin(before, kept(apply, it.points, both, it.zone, now))).toBe(true);
      });
    },
    timeout,
  );

  it(
    'never delete more when a count is raised',
    () => {
      const raise = fc.tuple(cases, fc.constantFrom(...COUNTS), count, fc.integer({ min: 0, max: 5 }));
      holds(raise, ([it, rule, low, by]) => {
        const high = low === 'unlimited' || by === 5 ? 'unlimited' : low + by;
        const before = kept(apply, it.points, { ...it.rules, [rule]: low }, it.zone, now);
        expect(isWithin(before, kept(apply, it.points, { ...it.rules, [rule]: high }, it.zone, now))).toBe(true);
      });
    },
    timeout,
  );

  it(
    'never delete more when a span is lengthened',
    () => {
      const unit = fc.constantFrom('h', 'd', 'm', 'y');
      const lengths = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), unit);
      holds(fc.tuple(cases, fc.constantFrom(...SPANS), lengths), ([it, rule, [short, more, of]]) => {
        const withSpan = (length: number) => RetentionRules.parse({ ...it.rules, [rule]: `${length}${of}` });
        const before = kept(apply, it.points, withSpan(short), it.zone, now);
        expect(isWithin(before, kept(apply, it.points, withSpan(short + more), it.zone, now))).toBe(true);
      });
    },
    timeout,
  );

  it(
    'judge the same listing the same later on, until a point of the future is no longer one',
    () => {
      holds(fc.tuple(cases, fc.integer({ min: 0, max: 100_000 })), ([it, hours]) => {
        const past = it.points.filter(({ at }) => at <= now);
        const later = epochMs(now + hours * HOUR);
        expect(apply(past, it.rules, it.zone, later)).toEqual(apply(past, it.rules, it.zone, now));
      });
    },
    timeout,
  );

  it(
    'never delete the newest point that is not in the future, nor one that is',
    () => {
      holds(cases, (it) => {
        const stays = kept(apply, it.points, it.rules, it.zone, now);
        const past = it.points.filter(({ at }) => at <= now);
        const newest = Math.max(...past.map(({ at }) => at));
        if (past.length > 0) expect(past.some(({ name, at }) => at === newest && stays.has(name))).toBe(true);
        for (const { name, at } of it.points) if (at > now) expect(stays.has(name)).toBe(true);
      });
    },
    timeout,
  );
});

it(
  'daily points are those that the zone’s own dates give, and the oldest while counts are left',
  () => {
    holds(fc.tuple(history, fc.integer({ min: 1, max: 9 }), zone), ([points, days, name]) => {
      const label = new Intl.DateTimeFormat('sv-SE', { timeZone: name, dateStyle: 'short' });
      const past = points.filter(({ at }) => at <= now).toSorted((a, b) => b.at - a.at);
      const newestOfDay = new Map(past.toReversed().map((point) => [label.format(point.at), point.at]));
      const expected = new Set([...newestOfDay.values()].sort((a, b) => b - a).slice(0, days));
      const oldest = past.at(-1);
      if (oldest && newestOfDay.size < days) expected.add(oldest.at);
      const rule = RetentionRules.parse({ keepDaily: days });
      const stays = new Set(
        past.filter((point) => kept(applyRules, past, rule, name, now).has(point.name)).map(({ at }) => at),
      );
      expect(stays).toEqual(expected);
    });
  },
  timeout,
);

it(
  'the guard of age never deletes what the rules keep',
  () => {
    holds(fc.record({ points: history, rules, zone }), (it) => {
      const plain = kept(applyRules, it.points, it.rules, it.zone, now);
      expect(isWithin(plain, kept(applyRulesGuarded, it.points, it.rules, it.zone, now))).toBe(true);
    });
  },
  timeout,
);

const policy = PolicyName.parse('nightly');
const uuid = (index: number, side: number) =>
  SnapshotId.parse(`0000000${side}-0000-4000-8000-${index.toString(16).padStart(12, '0')}`);

/** A bucket of any history: any states, snapshots missing or foreign on either side, any pins, holds, runs and bases. */
const bucket = fc
  .array(
    fc.record({
      age,
      state: fc.oneof(
        { weight: 3, arbitrary: fc.constant('verified' as const) },
        fc.constantFrom(...PointState.options),
      ),
      other: fc.constantFrom(false, false, false, false, true),
      condemned: fc.constantFrom(false, false, false, false, true),
      on: fc.constantFrom('both', 'both', 'both', 'both', 'both', 'source', 'replica', 'none'),
      held: fc.constantFrom('', '', '', '', '', '', '', '', 'pin', 'hold', 'over', 'run', 'base', 'previous'),
      foreign: fc.constantFrom('', '', '', 'source', 'replica'),
      status: fc.constantFrom('ACTIVE', 'ACTIVE', 'ACTIVE', 'DELETED'),
      since: fc.option(fc.integer({ min: 0, max: 72 }), { nil: null }),
    }),
    { minLength: 3, maxLength: 25 },
  )
  .map((drawn) => {
    const all = drawn.map((it, index) => {
      const at = epochMs(now - it.age * HOUR);
      const point: LedgerPoint = {
        name: SnapshotName.parse(`odr-p${index}`),
        policy: it.other ? PolicyName.parse('hourly') : policy,
        state: it.state,
        source: { id: uuid(index, 1), created: at },
        replica:
          it.state === 'taken' ? null : { id: uuid(index, 2), created: epochMs(at + HOUR), condemned: it.condemned },
      };
      return { ...it, index, point };
    });
    const listing = (side: Side): SeenSide => ({
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
        replication: '',
        encryptionKey: null,
        acls: null,
      },
      snapshots: all.flatMap((it): SeenSnapshot[] => {
        const own = it.point[side];
        return [
          ...(own && (it.on === side || it.on === 'both')
            ? [{ name: it.point.name, ...own, status: it.status } satisfies SeenSnapshot]
            : []),
          ...(it.foreign === side
            ? [
                {
                  name: it.point.name,
                  id: uuid(it.index, 3),
                  created: it.point.source.created,
                  status: it.status,
                } satisfies SeenSnapshot,
              ]
            : []),
        ];
      }),
    });
    const held = (kind: string) => all.filter((it) => it.held === kind).map((it) => it.point);
    const baseOf = (point: LedgerPoint | undefined) =>
      point
        ? { name: point.name, created: point.source.created, sourceId: point.source.id, replicaId: uuid(0, 9) }
        : null;
    const facts: BucketToPrune = {
      points: all.map(({ point }) => point),
      pairs: [{ base: baseOf(held('base')[0]), previousBase: baseOf(held('previous')[0]) }],
      inUse: [
        {
          by: RunId.parse('prod/sales/orders#dr#nightly#20261121t020000z'),
          points: held('run').map(({ name }) => name),
        },
      ],
      pins: held('pin').map(({ name }) => ({ point: name, by: 'ann', reason: 'audit' })),
      holds: [
        ...held('hold').map(({ name }) => ({ point: name, reason: 'case', until: null })),
        ...held('over').map(({ name }) => ({ point: name, reason: 'case', until: now })),
      ],
      listings: { source: listing('source'), replica: listing('replica') },
    };
    const condemnedSince = new Map(
      all.flatMap(({ since, index }) =>
        since === null ? [] : [1, 2, 3].map((side) => [uuid(index, side), epochMs(now - since * HOUR)] as const),
      ),
    );
    return { facts, condemnedSince };
  });

/** Rules that leave something to remove. */
const tight = fc
  .tuple(fc.constantFrom(...COUNTS), fc.integer({ min: 1, max: 3 }))
  .map(([rule, few]) => RetentionRules.parse({ [rule]: few }));

const settings = fc.record({
  policy: fc.constant(policy),
  inForce: fc.record({
    source: fc.tuple(fc.oneof(tight, rules), zone).map(([it, name]) => [{ rules: it, zone: name, until: null }]),
    replica: fc.tuple(fc.oneof(tight, rules), zone).map(([it, name]) => [{ rules: it, zone: name, until: null }]),
  }),
  grace: fc.integer({ min: 0, max: 48 }).map((hours) => seconds(hours * 3600)),
  maxDeletions: fc.integer({ min: 1, max: 40 }),
});

const idsOf = (verdicts: SidePlan[keyof Omit<SidePlan, 'spare'>]) => verdicts.map(({ id }) => id);

describe('plans for buckets of any history', () => {
  it(
    'name every active snapshot once, with reasons, remove no more than the cap, and never touch what is protected',
    () => {
      let removals = 0;
      holds(fc.tuple(bucket, settings), ([{ facts, condemnedSince }, how]) => {
        const plan = planPrune(facts, condemnedSince, how, now);
        if (plan.kind === 'refused') throw new Error(plan.reason);
        const goes = new Set(
          [plan.source, plan.replica].flatMap((side) => [...idsOf(side?.remove ?? []), ...idsOf(side?.condemn ?? [])]),
        );
        const removed = [plan.source, plan.replica].flatMap((side) => idsOf(side?.remove ?? []));
        removals += removed.length;
        expect(removed.length).toBeLessThanOrEqual(how.maxDeletions);
        for (const id of removed) expect((condemnedSince.get(id) ?? now) + how.grace * 1000).toBeLessThanOrEqual(now);

        for (const side of ['source', 'replica'] as const) {
          const listing = facts.listings[side];
          const planned = plan[side];
          if (listing?.state !== 'read' || !planned) throw new Error('the listings of this test can be read');
          const verdicts = [...planned.keep, ...planned.condemn, ...planned.remove];
          const active = listing.snapshots.filter(({ status }) => status === 'ACTIVE').map(({ id }) => id);
          expect(idsOf(verdicts).sort()).toEqual(active.sort());
          for (const { reasons } of verdicts) expect(reasons.length).toBeGreaterThan(0);

          const own = facts.points.filter((point) => {
            const id = point[side]?.id;
            return id && active.includes(id);
          });
          const good = own
            .filter(
              ({ policy: of, state, source, replica }) =>
                of === policy && state === 'verified' && replica?.condemned === false && source.created <= now,
            )
            .toSorted((a, b) => b.source.created - a.source.created);
          if (good[0]) {
            const newest = good.filter((point) => point.source.created === good[0]?.source.created);
            expect(newest.some((point) => !goes.has(point[side]?.id ?? uuid(0, 0)))).toBe(true);
          }
        }

        const untouchable = [
          ...facts.pins.map(({ point }) => point),
          ...facts.holds.filter(({ until }) => until === null).map(({ point }) => point),
          ...facts.inUse.flatMap(({ points }) => points),
          ...facts.pairs.flatMap(({ base, previousBase }) => [base?.name, previousBase?.name]),
        ];
        for (const point of facts.points) {
          const isProtected = untouchable.includes(point.name) || point.policy !== policy || point.source.created > now;
          for (const id of [point.source.id, point.replica?.id])
            if (id && isProtected) expect(goes.has(id)).toBe(false);
          expect(goes.has(uuid(facts.points.indexOf(point), 3))).toBe(false);
        }
      });
      expect(removals).toBeGreaterThan(numRuns / 2);
    },
    timeout,
  );

  it(
    'keep what they kept when both sides are listed again after the deletions, purged or not',
    () => {
      const purged = fc.boolean();
      holds(fc.tuple(bucket, settings, purged), ([{ facts, condemnedSince }, how, isPurged]) => {
        const first = planPrune(facts, condemnedSince, how, now);
        if (first.kind === 'refused') throw new Error(first.reason);
        const without = (listing: SeenSide | null, removed: readonly string[]): SeenSide => {
          if (listing?.state !== 'read') throw new Error('the listings of this test can be read');
          const snapshots = listing.snapshots.flatMap((seen): SeenSnapshot[] => {
            if (!removed.includes(seen.id)) return [seen];
            return isPurged ? [] : [{ ...seen, status: 'DELETED' }];
          });
          return { ...listing, snapshots };
        };
        const again = planPrune(
          {
            ...facts,
            listings: {
              source: without(facts.listings.source, idsOf(first.source.remove)),
              replica: without(facts.listings.replica, idsOf(first.replica?.remove ?? [])),
            },
          },
          condemnedSince,
          how,
          now,
        );
        if (again.kind === 'refused') throw new Error(again.reason);
        for (const side of ['source', 'replica'] as const) {
          const before = new Set<string>(idsOf(first[side]?.keep ?? []));
          const after = again[side]?.keep ?? [];
          expect(isWithin(before, new Set(idsOf(after)))).toBe(true);
          // A rule of time also keeps the oldest point of all, which is another one when older ones are gone.
          for (const { reasons } of after.filter(({ id }) => !before.has(id)))
            expect(reasons.filter((reason) => !/^oldest .*within /.test(reason))).toEqual([]);
        }
      });
    },
    timeout,
  );

  it(
    'do not look at the order of ledger or listings',
    () => {
      const turned = (listing: SeenSide | null): SeenSide =>
        listing?.state === 'read'
          ? { ...listing, snapshots: listing.snapshots.toReversed() }
          : { state: 'missing', code: '', message: '' };
      holds(fc.tuple(bucket, settings), ([{ facts, condemnedSince }, how]) => {
        const again: BucketToPrune = {
          ...facts,
          points: facts.points.toReversed(),
          listings: { source: turned(facts.listings.source), replica: turned(facts.listings.replica) },
        };
        expect(planPrune(again, condemnedSince, how, now)).toEqual(planPrune(facts, condemnedSince, how, now));
      });
    },
    timeout,
  );
});

it(
  'the ratchet: what any rules of the last 72 hours kept is kept',
  () => {
    const versions = fc.array(fc.record({ rules, zone, since: fc.integer({ min: 1, max: 200 }) }), {
      minLength: 1,
      maxLength: 4,
    });
    holds(fc.tuple(history, versions, rules, zone), ([points, drawn, policyNow, name]) => {
      const recorded = drawn
        .map((it) => ({ ...it, since: epochMs(now - it.since * HOUR) }))
        .toSorted((a, b) => a.since - b.since);
      const stays = new Set(
        effectiveRules({ rules: policyNow, zone: name }, recorded, now).flatMap((it) => [
          ...kept(applyRules, points, it.rules, it.zone, now),
        ]),
      );
      recorded.forEach((version, index) => {
        const replaced = recorded[index + 1]?.since ?? now;
        if (replaced + 72 * HOUR > now)
          expect(isWithin(kept(applyRules, points, version.rules, version.zone, now), stays)).toBe(true);
      });
      expect(isWithin(kept(applyRules, points, policyNow, name, now), stays)).toBe(true);
    });
  },
  timeout,
);
