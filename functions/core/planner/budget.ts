import type { ClusterName, PolicyName } from '../domain/names.ts';
import type { Policy, Schedule } from '../domain/policy.ts';
import { type RetentionRules, type Side, type SpanParts, spanParts } from '../domain/retention.ts';
import { type EpochMs, epochMs } from '../domain/units.ts';
import type { Period } from './calendar.ts';
import { daysOf, inAnyYear, isEveryDay, SAMPLE, timesOfDay } from './occurrences.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Shortest and longest, changes of the clock included. */
const LENGTHS: Readonly<Record<Period, { readonly least: number; readonly most: number }>> = {
  hour: { least: HOUR, most: HOUR },
  day: { least: 23 * HOUR, most: 25 * HOUR },
  week: { least: 167 * HOUR, most: 169 * HOUR },
  month: { least: 28 * DAY - HOUR, most: 31 * DAY + HOUR },
  year: { least: 365 * DAY, most: 366 * DAY },
};

const COUNTED = [
  ['keepHourly', 'hour'],
  ['keepDaily', 'day'],
  ['keepWeekly', 'week'],
  ['keepMonthly', 'month'],
  ['keepYearly', 'year'],
] as const;
const WITHIN = [
  ['keepWithinHourly', 'hour'],
  ['keepWithinDaily', 'day'],
  ['keepWithinWeekly', 'week'],
  ['keepWithinMonthly', 'month'],
  ['keepWithinYearly', 'year'],
] as const;

const longest = ({ years, months, days, hours }: SpanParts): number =>
  years * LENGTHS.year.most + months * LENGTHS.month.most + days * DAY + hours * HOUR;

/** The most days that a schedule is due on within so many days on end, whatever its years. */
const mostDays = (cron: string): ((length: number) => number) => {
  if (isEveryDay(cron)) return (length) => length;
  const days = daysOf(inAnyYear(cron), SAMPLE.from, SAMPLE.from + SAMPLE.days);
  const known = new Map<number, number>();
  const within = (length: number): number => {
    if (length <= 0) return 0;
    if (length > SAMPLE.days) return days.length * Math.floor(length / SAMPLE.days) + within(length % SAMPLE.days);
    let most = 0;
    let first = 0;
    days.forEach((day, index) => {
      while ((days[first] ?? 0) <= day - length) first++;
      most = Math.max(most, index - first + 1);
    });
    return most;
  };
  return (length) => {
    const most = known.get(length) ?? within(length);
    known.set(length, most);
    return most;
  };
};

/** The most times of a day within a span of less than a day, which may pass midnight. */
const mostTimes = (times: readonly number[], span: number): number => {
  const twice = [...times, ...times.map((time) => time + DAY)];
  let first = 0;
  let most = 0;
  twice.forEach((time, index) => {
    while ((twice[first] ?? 0) <= time - span) first++;
    most = Math.max(most, index - first + 1);
  });
  return Math.min(most, times.length);
};

/** How many points a schedule makes at most within any span of time. */
const mostWithin = ({ cron }: Schedule): ((span: number) => number) => {
  const times = timesOfDay(cron);
  const most = mostDays(cron);
  return (span) => {
    // In spring two days' noons are an hour nearer to each other.
    const days = Math.floor((span + HOUR) / DAY);
    const rest = (span + HOUR) % DAY;
    return times.length * most(days) + (most(days + 1) > most(days) ? mostTimes(times, rest) : 0);
  };
};

interface Rate {
  /** Points within any span of so many milliseconds, at most. */
  readonly most: (span: number) => number;
  /** Over four weeks at most. */
  readonly perDay: number;
  /** Is there a point in each such period? */
  readonly fills: (period: Period) => boolean;
}

const FOUR_WEEKS = 28;

const rateOf = (schedules: readonly Schedule[]): Rate => {
  const each = schedules.map(mostWithin);
  const daily = schedules.filter(({ cron }) => isEveryDay(cron));
  const hours = new Set(daily.flatMap(({ cron }) => timesOfDay(cron).map((time) => Math.floor(time / HOUR))));
  return {
    most: (span) => each.reduce((sum, most) => sum + most(span), 0),
    perDay: schedules.reduce(
      (sum, { cron }) => sum + (timesOfDay(cron).length * mostDays(cron)(FOUR_WEEKS)) / FOUR_WEEKS,
      0,
    ),
    fills: (period) => (period === 'hour' ? hours.size === 24 : daily.length > 0),
  };
};

/** How often a policy is pruned; at least once a year is believed of a schedule of single days. */
const prunesOf = ({ retention }: Policy): number =>
  retention ? Math.max(1 / 366, rateOf([{ cron: retention.cron, zone: retention.zone }]).perDay) : 1;

/** How many snapshots one bucket has on one side once its policy has been at work for long. */
export interface Expected {
  /** The most, without those that are never deleted. */
  readonly steady: number;
  /** Snapshots a day that no rule ever lets go; 0 for one that stays as it is. */
  readonly growthPerDay: number;
}

const isUnlimited = (rules: RetentionRules, ...which: readonly (keyof RetentionRules)[]): boolean =>
  which.some((rule) => rules[rule] === 'unlimited');

/** How fast the points grow that an `unlimited` rule keeps. The newest of a year is also the newest of its day. */
const growthOf = (rules: RetentionRules, perDay: number): number => {
  const every = (period: Period): number => Math.min(perDay, DAY / LENGTHS[period].least);
  if (isUnlimited(rules, 'keepLast')) return perDay;
  if (isUnlimited(rules, 'keepHourly')) return Math.min(perDay, 24);
  if (isUnlimited(rules, 'keepDaily')) return Math.min(perDay, 1);
  const weeks = isUnlimited(rules, 'keepWeekly') ? Math.min(perDay, 1 / 7) : 0;
  if (isUnlimited(rules, 'keepMonthly')) return Math.min(perDay, weeks + every('month'));
  return isUnlimited(rules, 'keepYearly') ? Math.min(perDay, weeks + every('year')) : weeks;
};

/** Temporary ones of ours or of distcp: an increment makes one on the replica while it runs. */
const temporaryOn = (side: Side): number => (side === 'replica' ? 1 : 0);

/**
 * What one bucket of a policy comes to on one side: an upper bound of what the rules keep with their guard of age, of
 * what waits for its deletion, and of temporary ones, when no deletion is left over for a later run. A point that no rule
 * keeps lives for its grace, until the next run condemns it, for its grace again, and until the next run deletes it.
 * Snapshots that Ozone has deleted and not yet purged count there too, for minutes: they are counted as waiting here.
 * Pins and legal holds are not foreseen.
 */
export const expectedSnapshots = (policy: Policy, side: Side, prunesPerDay = prunesOf(policy)): Expected => {
  const rate = rateOf(policy.schedules);
  const rules = policy.retention?.[side];
  if (!policy.retention || !rules) return { steady: temporaryOn(side), growthPerDay: rate.perDay };
  const grace = policy.retention.graceHours * HOUR;
  const interval = DAY / prunesPerDay;
  /** How long a point stays once the rules let it go, and how long one stays that they never kept. */
  const waiting = grace + 2 * interval;
  const young = grace + waiting;

  const every = rules.keepWithin === undefined ? 0 : longest(spanParts(rules.keepWithin)) + waiting;
  const newestSpan = Math.max(young, every);
  const last = typeof rules.keepLast === 'number' && rules.keepLast > 0 ? rules.keepLast + rate.most(waiting) : 0;
  // The base, the one before it and the good ones that always stay are the newest points too.
  const newest = Math.max(rate.most(newestSpan), last, 2, rules.minGood ?? 1);

  const among = (span: number, period: Period): number =>
    Math.min(rate.most(span), Math.floor(span / LENGTHS[period].least) + 1);
  /** Periods whose points are among the newest and were counted there. */
  const counted = (period: Period): number => (rate.fills(period) ? Math.floor(newestSpan / LENGTHS[period].most) : 0);
  const older = [
    ...COUNTED.map(([rule, period]) => {
      const count = rules[rule];
      // By age a rule of n days may keep n + 1: the first and the last of the span are parts of days.
      return typeof count === 'number' && count > 0 ? count + 1 + among(waiting, period) - counted(period) : 0;
    }),
    ...WITHIN.map(([rule, period]) => {
      const span = rules[rule];
      return span === undefined ? 0 : among(longest(spanParts(span)) + waiting, period) - counted(period);
    }),
  ];
  return {
    steady: newest + older.reduce((sum, count) => sum + Math.max(0, count), 0) + temporaryOn(side),
    growthPerDay: growthOf(rules, rate.perDay),
  };
};

/** What one policy asks of one cluster. */
export interface Share extends Expected {
  readonly policy: PolicyName;
  readonly side: Side;
  readonly buckets: number;
  /** Points that the schedules make. */
  readonly perDay: number;
}

/** All that the policies of a file ask of one Ozone Manager. */
export interface ClusterBudget extends Expected {
  readonly cluster: ClusterName;
  readonly limit: number;
  /** Points that the schedules make. */
  readonly perDay: number;
  /** The largest first. Numbers are of all buckets together. */
  readonly shares: readonly Share[];
}

const shareOf = (policy: Policy, side: Side, prunesPerDay: number | undefined): Share => {
  const { steady, growthPerDay } = expectedSnapshots(policy, side, prunesPerDay);
  const buckets = policy.buckets.length;
  return {
    policy: policy.name,
    side,
    buckets,
    perDay: rateOf(policy.schedules).perDay * buckets,
    steady: steady * buckets,
    growthPerDay: growthPerDay * buckets,
  };
};

/** Ozone limits the snapshots of an Ozone Manager, of all its buckets together: so many do these policies come to. */
export const budgetsOf = (policies: readonly Policy[], prunesPerDay?: number): readonly ClusterBudget[] => {
  const asked = policies.flatMap((policy) => [
    { cluster: policy.source, share: shareOf(policy, 'source', prunesPerDay) },
    ...(policy.replica ? [{ cluster: policy.replica, share: shareOf(policy, 'replica', prunesPerDay) }] : []),
  ]);
  return [...new Set(asked.map(({ cluster }) => cluster.name))].sort().flatMap((name) => {
    const here = asked.filter(({ cluster }) => cluster.name === name);
    const [first] = here;
    if (!first) return [];
    const shares = here.map(({ share }) => share).sort((a, b) => b.steady - a.steady || (a.policy < b.policy ? -1 : 1));
    const sum = (of: (share: Share) => number): number => shares.reduce((total, share) => total + of(share), 0);
    return [
      {
        cluster: name,
        limit: first.cluster.snapshotLimit,
        perDay: sum(({ perDay }) => perDay),
        shares,
        steady: sum(({ steady }) => steady),
        growthPerDay: sum(({ growthPerDay }) => growthPerDay),
      },
    ];
  });
};

/** What is never deleted may have grown for so long. */
const DAYS_GROWN = 3650;

/**
 * When a cluster reaches its limit: what is there (`present`, or all that the rules keep if that is more) and from then on
 * what is never deleted. If more is there than the rules come to, and than what is never deleted can have grown to in
 * `daysGrown`, then pruning does not keep up: every point that the schedules make counts. `null`: never, or not within a
 * hundred thousand days.
 */
export const forecastExhaustion = (
  { limit, steady, growthPerDay, perDay }: Pick<ClusterBudget, 'limit' | 'steady' | 'growthPerDay' | 'perDay'>,
  present: number,
  now: EpochMs,
  daysGrown = DAYS_GROWN,
): EpochMs | null => {
  const left = limit - Math.max(steady, present);
  if (left <= 0) return now;
  const rate = present > steady + growthPerDay * daysGrown ? perDay : growthPerDay;
  const days = left / rate;
  return rate > 0 && days < 100_000 ? epochMs(now + Math.ceil(days * DAY)) : null;
};

/** What a person has to change, and at which field. */
export interface BudgetProblem {
  readonly path: readonly string[];
  readonly message: string;
}

const perDayText = (perDay: number): string =>
  perDay < 10 ? String(Math.ceil(perDay * 10) / 10) : String(Math.ceil(perDay));

/** A cap on deletions under which more is made than ever goes. Of one bucket: a run prunes one bucket. */
const fallsBehind = (policy: Policy, prunesPerDay = prunesOf(policy)): readonly BudgetProblem[] => {
  const { retention } = policy;
  if (!retention) return [];
  const sides: readonly Side[] = policy.replica ? ['source', 'replica'] : ['source'];
  const { perDay } = rateOf(policy.schedules);
  const toDelete = sides.reduce(
    (sum, side) => sum + perDay - expectedSnapshots(policy, side, prunesPerDay).growthPerDay,
    0,
  );
  const cap = retention.maxDeletions * prunesPerDay;
  // What arises of dividing must not refuse a cap that is just enough.
  if (toDelete <= cap + 1e-9) return [];
  const where = sides.length > 1 ? 'on both sides together' : 'a day';
  return [
    {
      path: ['policies', policy.name, 'retention', 'maxDeletions'],
      message:
        `${retention.maxDeletions} deletions of a bucket in one run, ${perDayText(prunesPerDay)} run${prunesPerDay === 1 ? '' : 's'} a day, never catch up with ` +
        `the ${perDayText(toDelete)} a day that the schedules make and the rules let go ${where}, ` +
        `write at least ${Math.ceil(toDelete / prunesPerDay)}, or a schedule that is due less often`,
    },
  ];
};

const MOST_NAMED = 3;

const tooMany = ({ cluster, limit, steady, shares }: ClusterBudget): readonly BudgetProblem[] => {
  if (steady <= limit) return [];
  const named = shares
    .slice(0, MOST_NAMED)
    .map(
      (share) =>
        `${share.policy} (${share.side}) ${share.steady}: ${share.buckets} bucket${share.buckets === 1 ? '' : 's'} with up to ${share.steady / share.buckets} each`,
    );
  const others = shares.slice(MOST_NAMED).reduce((sum, share) => sum + share.steady, 0);
  return [
    {
      path: ['clusters', cluster, 'snapshotLimit'],
      message:
        `the policies of this file come to ${steady} snapshots on ${cluster}, over its limit of ${limit}: ` +
        `${[...named, ...(others > 0 ? [`others ${others}`] : [])].join('; ')}, ` +
        'write rules that keep fewer, fewer buckets or a shorter graceHours, or a higher snapshotLimit once the Ozone Manager allows more',
    },
  ];
};

/** Why policies cannot be deployed together. Policies that grow without end are not refused: see `forecastExhaustion`. */
export const problemsOfBudget = (policies: readonly Policy[], prunesPerDay?: number): readonly BudgetProblem[] => [
  ...budgetsOf(policies, prunesPerDay).flatMap(tooMany),
  ...policies.flatMap((policy) => fallsBehind(policy, prunesPerDay)),
];
