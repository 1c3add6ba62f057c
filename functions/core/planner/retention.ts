import { type RetentionCount, type RetentionRules, type SpanParts, spanParts } from '../domain/retention.ts';
import type { EpochMs } from '../domain/units.ts';
import { type Period, periodNumbers, type ZoneClock, zoneClock } from './calendar.ts';
import { type DatedPoint, newestFirst } from './newest-first.ts';

export type { DatedPoint };

export interface Judged {
  readonly name: string;
  readonly kept: boolean;
  /** Why it is kept, in restic's words; empty when no rule keeps it. */
  readonly reasons: readonly string[];
}

/** `point`: every point is a period of its own. */
type Unit = 'point' | Period;

/** One rule on its way through the points, newest first. */
interface Counter {
  readonly unit: Unit;
  /** Only points after this instant. */
  readonly after: number;
  readonly reason: string;
  /** Does it keep the oldest point of all, too? */
  readonly oldestToo: boolean;
  left: number;
  last: number;
}

const NOT_KEPT: readonly string[] = [];
const FUTURE: readonly string[] = ['future-dated'];

/** In the order in which reasons are told. */
const COUNTED = [
  ['keepLast', 'point', 'last snapshot'],
  ['keepHourly', 'hour', 'hourly snapshot'],
  ['keepDaily', 'day', 'daily snapshot'],
  ['keepWeekly', 'week', 'weekly snapshot'],
  ['keepMonthly', 'month', 'monthly snapshot'],
  ['keepYearly', 'year', 'yearly snapshot'],
] as const;
const WITHIN = [
  ['keepWithin', 'point', 'within'],
  ['keepWithinHourly', 'hour', 'hourly within'],
  ['keepWithinDaily', 'day', 'daily within'],
  ['keepWithinWeekly', 'week', 'weekly within'],
  ['keepWithinMonthly', 'month', 'monthly within'],
  ['keepWithinYearly', 'year', 'yearly within'],
] as const;

const spanText = ({ years, months, days, hours }: SpanParts): string => {
  const part = (value: number, unit: string): string => (value > 0 ? `${value}${unit}` : '');
  return part(years, 'y') + part(months, 'm') + part(days, 'd') + part(hours, 'h');
};

const numbered = (unit: Unit, count: RetentionCount | undefined, reason: string): readonly Counter[] => {
  if (count === undefined || count === 0) return [];
  const left = count === 'unlimited' ? Number.POSITIVE_INFINITY : count;
  return [{ unit, after: Number.NEGATIVE_INFINITY, reason, oldestToo: true, left, last: Number.NaN }];
};

const within = (unit: Unit, after: number, reason: string, oldestToo: boolean): Counter => ({
  unit,
  after,
  reason,
  oldestToo,
  left: Number.POSITIVE_INFINITY,
  last: Number.NaN,
});

/** The rules as a person wrote them. */
const asWritten = (rules: RetentionRules, clock: ZoneClock, newest: EpochMs): readonly Counter[] => {
  const spanned = WITHIN.flatMap(([rule, unit, reason]) => {
    const span = rules[rule];
    if (span === undefined) return [];
    const parts = spanParts(span);
    return [within(unit, clock.before(newest, parts), `${reason} ${spanText(parts)}`, true)];
  });
  const isEvery = (counter: Counter): boolean => counter.unit === 'point';
  return [
    ...spanned.filter(isEvery),
    ...COUNTED.flatMap(([rule, unit, reason]) => numbered(unit, rules[rule], reason)),
    ...spanned.filter((counter) => !isEvery(counter)),
  ];
};

/** How far back a counting rule reaches when no period is without a point. */
const reach = (period: Period, count: number): SpanParts => {
  const none = { years: 0, months: 0, days: 0, hours: 0 };
  switch (period) {
    case 'hour':
      return { ...none, hours: count };
    case 'day':
      return { ...none, days: count };
    case 'week':
      return { ...none, days: 7 * count };
    case 'month':
      return { ...none, months: count };
    case 'year':
      return { ...none, years: count };
  }
};

/**
 * By age: the newest point of a period stays while it is younger than the count of its rule says in time. The oldest of
 * all is nothing special to it: when the older ones are deleted, the next would become it and stay after all.
 */
const byAgeToo = (rules: RetentionRules, clock: ZoneClock, newest: EpochMs): readonly Counter[] =>
  COUNTED.flatMap(([rule, unit, reason]) => {
    const count = rules[rule];
    if (unit === 'point' || count === undefined || count === 0 || count === 'unlimited') return [];
    const span = reach(unit, count);
    return [within(unit, clock.before(newest, span), `${reason} younger than ${spanText(span)}`, false)];
  });

const isOver = (counter: Counter, at: EpochMs): boolean => counter.left === 0 || at <= counter.after;

/** Points come newest first: what is over for one is over for all that follow. */
const stillOpen = (counters: readonly Counter[], at: EpochMs): readonly Counter[] =>
  counters.some((counter) => isOver(counter, at)) ? counters.filter((counter) => !isOver(counter, at)) : counters;

type CountersOf = (rules: RetentionRules, clock: ZoneClock, newest: EpochMs) => readonly Counter[];

const judge = (
  points: readonly DatedPoint[],
  rules: RetentionRules,
  zone: string,
  now: EpochMs,
  countersOf: CountersOf,
): readonly Judged[] => {
  const sorted = newestFirst(points);
  const dated = sorted.findIndex((point) => point.at <= now);
  const first = dated < 0 ? sorted.length : dated;
  const newest = sorted[first];
  const clock = zoneClock(zone);
  const numberOf = periodNumbers();
  let open = newest ? countersOf(rules, clock, newest.at) : [];
  return sorted.map(({ name, at }, index): Judged => {
    if (index < first) return { name, kept: true, reasons: FUTURE };
    open = stillOpen(open, at);
    if (open.length === 0) return { name, kept: false, reasons: NOT_KEPT };
    const isOldest = index === sorted.length - 1;
    const wall = clock.wallAt(at);
    let reasons: string[] | undefined;
    for (const counter of open) {
      const period = counter.unit === 'point' ? index : numberOf(counter.unit, wall);
      const isNew = period !== counter.last;
      if (!isNew && !(isOldest && counter.oldestToo)) continue;
      reasons ??= [];
      reasons.push(isNew ? counter.reason : `oldest ${counter.reason}`);
      counter.last = period;
      counter.left -= 1;
    }
    return { name, kept: reasons !== undefined, reasons: reasons ?? NOT_KEPT };
  });
};

/**
 * Which points the rules keep, newest first, with reasons. What the rules mean is restic's `forget` (0.19,
 * doc/060_forget and its ApplyPolicy):
 *
 * - a counting rule keeps the newest point of each of the newest n periods that have a point; periods are those of the
 *   zone's wall clock, weeks are ISO weeks. A day of 25 hours is one day; the hour that the clock shows twice is one
 *   hour, because it has one label;
 * - the oldest point of all is also kept by each rule that has counts left (`oldest daily snapshot`);
 * - "within" counts back from the newest point, and a point that is exactly as old as the span is not within it. Its
 *   count never ends, so it keeps the oldest point of all as long as that lies within: which point this is changes when
 *   older ones are deleted.
 *
 * Two things differ from restic. Every point is dated in the one zone given, not in the zone of the host that made it.
 * And points after `now` are kept and take no count: a clock that ran ahead once must not push good points out.
 */
export const applyRules = (
  points: readonly DatedPoint[],
  rules: RetentionRules,
  zone: string,
  now: EpochMs,
): readonly Judged[] => judge(points, rules, zone, now, asWritten);

/**
 * `applyRules` with a second guard: a point goes only if more than the count remain *and* it is older than the count
 * says in time (`keepDaily: 7` also keeps the newest point of each day of the 7 days before the newest point). Always
 * keeps at least what `applyRules` keeps.
 */
export const applyRulesGuarded = (
  points: readonly DatedPoint[],
  rules: RetentionRules,
  zone: string,
  now: EpochMs,
): readonly Judged[] => judge(points, rules, zone, now, (...them) => [...asWritten(...them), ...byAgeToo(...them)]);
