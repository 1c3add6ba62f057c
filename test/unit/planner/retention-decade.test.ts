import { describe, expect, it } from 'vitest';
import { type Chance, play, type Span, type World } from '../../../functions/cli/simulation/play.ts';
import { Policy, Schedule } from '../../../functions/core/domain/policy.ts';
import { RetentionRules, type Side } from '../../../functions/core/domain/retention.ts';
import { type EpochMs, epochMs } from '../../../functions/core/domain/units.ts';
import { expectedSnapshots } from '../../../functions/core/planner/budget.ts';
import { zoneClock } from '../../../functions/core/planner/calendar.ts';
import type { PrunePlan } from '../../../functions/core/planner/plan-prune.ts';
import { isGood, type LedgerPoint } from '../../../functions/core/planner/protections.ts';
import { applyRulesGuarded, type DatedPoint } from '../../../functions/core/planner/retention.ts';

/**
 * Ten years of daily pruning by the real plans, in zones whose clocks do odd things, with runs that do not happen,
 * copies that differ, clocks that are wrong and a replica that is out of reach for weeks. What must hold is asserted at
 * every plan, and every month against the whole history judged at once.
 *
 * `npm run test:retention` plays whole decades, `RETENTION_WORLDS=20` as many per zone; the ordinary tests three years.
 */
const years = Number(process.env.RETENTION_YEARS ?? 3);
const worlds = Number(process.env.RETENTION_WORLDS ?? 1);
const timeout = 240_000 * worlds;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const from = epochMs(Date.UTC(2010, 0, 1));
const to = epochMs(Date.UTC(2010 + years, 0, 1));

/** Summer time on both hemispheres, half an hour of it, a quarter past, and a day that never was (2011-12-30 in Apia). */
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/Sao_Paulo',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Pacific/Apia',
] as const;

const RULES = {
  source: { keepLast: 3, keepHourly: 12, keepDaily: 14, keepWeekly: 8, keepMonthly: 12, keepYearly: 'unlimited' },
  replica: { keepDaily: 30, keepMonthly: 24, keepWithin: '36h', keepWithinWeekly: '7m', minGood: 2 },
} as const;

/** A repeatable stream of numbers from 0 to 1 (mulberry32). */
const randomly = (seed: number) => {
  let state = seed;
  return (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** A clock that is a few minutes off, now and then an hour and a half, and rarely up to two days, either way. */
const skew = (next: () => number): number => {
  const kind = next();
  const span = kind < 0.006 ? 48 * HOUR : kind < 0.04 ? 90 * MINUTE : 3 * MINUTE;
  return Math.round((next() * 2 - 1) * span);
};

const chanceOf = (next: () => number): Chance => ({
  taken: (slot) => (next() < 0.08 ? null : epochMs(slot + skew(next))),
  equal: () => next() >= 0.04,
  pruned: (due) => (next() < 0.05 ? null : epochMs(due + Math.round((next() * 2 - 1) * 10 * MINUTE))),
});

const outagesOf = (next: () => number): readonly Span[] =>
  [2012, 2015, 2018].map((year) => {
    const begin = Date.UTC(year, Math.floor(next() * 12), 1 + Math.floor(next() * 28));
    return { from: epochMs(begin), to: epochMs(begin + (3 + Math.floor(next() * 22)) * DAY) };
  });

const policyOf = (zone: string): Policy =>
  Policy.parse({
    name: 'nightly',
    source: { name: 'berlin', service: 'ozone-berlin', hosts: ['mi-0a1b2c3d4e5f60001'] },
    replica: { name: 'paris', service: 'ozone-paris', hosts: ['mi-0a1b2c3d4e5f60002'] },
    buckets: ['sales/orders'],
    schedules: [{ cron: '30 2,14 * * ? *', zone }],
    mode: 'incremental-or-resync',
    verification: 'listing',
    objectives: { rpo: 86_400, rto: 3600 },
    retention: { zone, source: RULES.source, replica: RULES.replica },
    limits: { maps: 1, bandwidthMBps: null, copyTimeout: 3600, diffTimeout: 3600, attempts: 3 },
  });

/** The good points of one side, those that are gone among them, by the dates of the zone as Intl prints them. */
class History {
  readonly #label: Intl.DateTimeFormat;
  readonly all: DatedPoint[] = [];
  readonly #names = new Set<string>();
  readonly #newest = new Map<string, DatedPoint>();
  /** In order, by their lengths. */
  readonly #labels: Readonly<Record<number, string[]>> = { 10: [], 7: [], 4: [] };

  constructor(zone: string) {
    this.#label = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short' });
  }

  add({ name, source }: LedgerPoint): void {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    const point = { name, at: source.created };
    this.all.push(point);
    const date = this.#label.format(point.at);
    for (const label of [date, date.slice(0, 7), date.slice(0, 4)]) {
      const newest = this.#newest.get(label);
      if (!newest) this.#list(label);
      if (!newest || newest.at < point.at || (newest.at === point.at && newest.name < name))
        this.#newest.set(label, point);
    }
  }

  #list(label: string): void {
    const labels = this.#labels[label.length] ?? [];
    const isLast = (labels.at(-1) ?? '') < label;
    labels.push(label);
    if (!isLast) labels.sort();
  }

  /** The newest point of each of the newest dates (10), months (7) or years (4 characters) that have one by now. */
  newestOf(length: number, count: number, now: EpochMs): readonly DatedPoint[] {
    const newest: DatedPoint[] = [];
    const labels = this.#labels[length] ?? [];
    for (let index = labels.length - 1; index >= 0 && newest.length < count; index--) {
      const point = this.#newest.get(labels[index] ?? '');
      // A date whose newest point is in the future is not over: that point stays, and takes no count.
      if (point && point.at <= now) newest.push(point);
    }
    return newest;
  }
}

const staying = (plan: PrunePlan, side: Side): ReadonlySet<string> => {
  if (plan.kind === 'refused') throw new Error('nothing was planned');
  return new Set([...(plan[side]?.keep ?? []), ...(plan[side]?.condemn ?? [])].map(({ name }) => name));
};

/** The reasons of rules that count, not measure. */
const isCounted = (reason: string): boolean => !/within|younger than/.test(reason);

/** Spans that a rule of time reaches back at most: those of the rules and those of the guard of age. */
const cutoffs = (zone: string, newest: number): readonly number[] => {
  const clock = zoneClock(zone);
  const none = { years: 0, months: 0, days: 0, hours: 0 };
  return [
    { ...none, hours: 12 },
    { ...none, days: 14 },
    { ...none, days: 56 },
    { ...none, days: 30 },
    { ...none, months: 12 },
    { ...none, months: 24 },
    { ...none, hours: 36 },
    { ...none, months: 7 },
  ].map((span) => clock.before(newest, span));
};

interface Tally {
  plans: number;
  refused: number;
  removed: number;
  wholeHistories: number;
  atTheEdge: number;
}

/** Everything that must hold, whenever a plan is made. */
const watch = (policy: Policy, zone: string, outages: readonly Span[], tally: Tally) => {
  const rules = {
    source: RetentionRules.parse(policy.retention?.source),
    replica: RetentionRules.parse(policy.retention?.replica),
  };
  const history = { source: new History(zone), replica: new History(zone) };
  let month = '';

  const promises = (side: Side, stays: ReadonlySet<string>, now: EpochMs): void => {
    const { keepDaily, keepMonthly, keepYearly } = rules[side];
    for (const [length, count] of [
      [10, keepDaily],
      [7, keepMonthly],
      [4, keepYearly],
    ] as const) {
      const limit = count === 'unlimited' ? Number.POSITIVE_INFINITY : (count ?? 0);
      const promised = history[side].newestOf(length, limit, now);
      const lost = promised.filter(({ name }) => !stays.has(name));
      expect(lost, `${side} of ${zone}, ${new Date(now).toISOString()}`).toEqual([]);
    }
  };

  const likeAllAtOnce = (side: Side, stays: ReadonlySet<string>, now: EpochMs): void => {
    const { all } = history[side];
    const whole = applyRulesGuarded(all, rules[side], zone, now);
    const newest = Math.max(...all.filter(({ at }) => at <= now).map(({ at }) => at));
    const at = new Map(all.map((point) => [point.name, point.at]));
    tally.wholeHistories++;
    for (const { name, reasons } of whole) {
      if (reasons.length === 0 || stays.has(name)) continue;
      // A month less is counted in days that the month may not have, so a limit may move back by up to three days.
      tally.atTheEdge++;
      expect(reasons.filter(isCounted), `${name} of the ${side} in ${zone}`).toEqual([]);
      const age = Math.min(...cutoffs(zone, newest).map((limit) => Math.abs((at.get(name) ?? 0) - limit)));
      expect(age).toBeLessThanOrEqual(3 * DAY + 2 * HOUR);
    }
    // And what is left is judged as the whole was, by the rules that count.
    const counted = (judged: ReturnType<typeof applyRulesGuarded>) =>
      judged.filter(({ reasons }) => reasons.some(isCounted)).map(({ name }) => name);
    const left = all.filter(({ name }) => stays.has(name));
    expect(counted(applyRulesGuarded(left, rules[side], zone, now))).toEqual(counted(whole));
  };

  const protectedOnes = ({ facts, points, now }: World): ReadonlySet<string> => {
    const bases = facts.pairs.flatMap(({ base, previousBase }) => [base?.name, previousBase?.name]);
    const young = points.filter(({ source }) => now - source.created < 24 * HOUR).map(({ name }) => name);
    const newest = points
      .filter(({ state, source }) => state === 'verified' && source.created <= now)
      .toSorted((a, b) => b.source.created - a.source.created)[0]?.name;
    return new Set([...bases, ...young, newest].filter((name) => name !== undefined));
  };

  return (world: World, plan: PrunePlan): void => {
    const { facts, now } = world;
    tally.plans++;
    for (const side of ['source', 'replica'] as const) {
      const listing = facts.listings[side];
      if (listing?.state !== 'read') continue;
      const there = new Map(listing.snapshots.map((seen) => [seen.name, seen]));
      for (const point of world.points) {
        const seen = there.get(point.name);
        if (seen && isGood({ point, seen }, side)) history[side].add(point);
      }
    }
    if (plan.kind === 'refused') {
      tally.refused++;
      expect(facts.listings.replica?.state).toBe('unreachable');
      return;
    }
    const held = protectedOnes(world);
    const isNewMonth = new Date(now).toISOString().slice(0, 7) !== month;
    month = new Date(now).toISOString().slice(0, 7);
    for (const side of ['source', 'replica'] as const) {
      const stays = staying(plan, side);
      const removed = plan[side]?.remove ?? [];
      tally.removed += removed.length;
      expect(removed.filter(({ name }) => held.has(name))).toEqual([]);
      promises(side, stays, now);
      if (isNewMonth) likeAllAtOnce(side, stays, now);
      // Room for plans that were missed, two on end; after an outage there is more until the cap has caught up.
      const years = (now - from) / (365 * DAY);
      const { steady, growthPerDay } = expectedSnapshots(policy, side, 1 / 3);
      if (!outages.some((outage) => now >= outage.from && now < outage.to + 10 * DAY))
        expect(stays.size).toBeLessThanOrEqual(steady + Math.ceil(growthPerDay * 366 * years) + 1);
    }
  };
};

describe.each(ZONES)(`${years} years in %s`, (zone) => {
  it.each(Array.from({ length: worlds }, (_, index) => index + 1))(
    'world %i: every promise of the rules holds at each plan, and pruning day by day keeps what judging all at once keeps',
    (seed) => {
      const next = randomly(seed * 1000 + ZONES.indexOf(zone));
      const policy = policyOf(zone);
      const outages = outagesOf(next);
      const tally: Tally = { plans: 0, refused: 0, removed: 0, wholeHistories: 0, atTheEdge: 0 };
      const played = play({
        policy,
        from,
        to,
        outages,
        prunes: [Schedule.parse({ cron: '0 5 * * ? *', zone })],
        chance: chanceOf(next),
        onPlan: watch(policy, zone, outages, tally),
      });
      // The world was as wild as it was meant to be.
      expect(tally.plans).toBeGreaterThan(330 * years);
      expect(tally.refused).toBeGreaterThan(1);
      expect(tally.wholeHistories).toBeGreaterThan(22 * years);
      expect(played.taken).toBeGreaterThan(650 * years);
      expect(tally.removed).toBeGreaterThan(1000 * years);
      expect(played.deleted).toBe(tally.removed);
    },
    timeout,
  );
});
