import type { Policy, Schedule } from '../../functions/core/domain/policy.ts';
import { type EpochMs, epochMs } from '../../functions/core/domain/units.ts';
import { slotsOf } from '../../functions/core/planner/occurrences.ts';
import { PRICES } from './prices.ts';

/**
 * What costs money, counted: numbers of calls, units, things, and sums of gigabytes. Of those that are left behind
 * `tableGigabyte` and `recordGigabyte` (plans, due lists) stay for good, `outputGigabyte` for thirty days.
 */
export const COUNTED = [
  'transition',
  'invocation',
  'gigabyteSecond',
  'readUnit',
  'writeUnit',
  'remoteCommand',
  's3Write',
  's3Read',
  'schedule',
  'event',
  'logGigabyte',
  'tableGigabyte',
  'recordGigabyte',
  'outputGigabyte',
] as const;
export type Usage = Readonly<Record<(typeof COUNTED)[number], number>>;

/** What one piece of work takes, as a simulated night counted it. */
export interface Night {
  /** Of one bucket, begun by hand. */
  readonly changed: Usage;
  readonly unchanged: Usage;
  readonly prune: Usage;
  readonly drill: Usage;
  /** What a slot of a policy takes besides its buckets. */
  readonly slot: Usage;
  readonly sweep: Usage;
  readonly assessment: Usage;
  /** There all the time. */
  readonly standing: {
    readonly alarm: number;
    readonly compositeAlarm: number;
    readonly customMetric: number;
    readonly dashboard: number;
  };
}

const everyCount = (of: (name: keyof Usage) => number): Usage => ({
  transition: of('transition'),
  invocation: of('invocation'),
  gigabyteSecond: of('gigabyteSecond'),
  readUnit: of('readUnit'),
  writeUnit: of('writeUnit'),
  remoteCommand: of('remoteCommand'),
  s3Write: of('s3Write'),
  s3Read: of('s3Read'),
  schedule: of('schedule'),
  event: of('event'),
  logGigabyte: of('logGigabyte'),
  tableGigabyte: of('tableGigabyte'),
  recordGigabyte: of('recordGigabyte'),
  outputGigabyte: of('outputGigabyte'),
});

/** The sum of pieces of work, each so many times. */
export const total = (pieces: readonly (readonly [times: number, usage: Usage])[]): Usage =>
  everyCount((name) => pieces.reduce((sum, [times, usage]) => sum + times * usage[name], 0));

/** What one usage has more than another; never less than nothing. */
export const without = (all: Usage, part: Usage): Usage => everyCount((name) => Math.max(0, all[name] - part[name]));

const DAY = 86_400_000;
const MONTH_DAYS = 30;

export interface Load {
  /** Buckets that backups find changed, of all. */
  readonly changedShare: number;
  /** The first of the thirty days. */
  readonly from: EpochMs;
  /** Buckets that a glob of a policy stands for. */
  readonly perGlob: number;
}

/** How often each piece of work is done in thirty days. */
export interface Work {
  readonly slots: number;
  readonly backups: number;
  readonly prunes: number;
  readonly drills: number;
  readonly buckets: number;
}

export const workOf = (policy: Policy, { from, perGlob }: Pick<Load, 'from' | 'perGlob'>): Work => {
  const until = epochMs(from + MONTH_DAYS * DAY);
  const buckets = policy.buckets.reduce((sum, it) => sum + (/[*?]/.test(it) ? perGlob : 1), 0);
  const slots = (it: Schedule | null | undefined) => (it ? slotsOf([it], from, until).length : 0);
  const [backupSlots, pruneSlots, drillSlots] = [
    slotsOf(policy.schedules, from, until).length,
    slots(policy.retention),
    slots(policy.drills),
  ];
  // Each bucket once within the span, however often there is a slot.
  const within = (policy.drills?.within ?? 0) / 86_400;
  const drills = policy.drills ? Math.min(drillSlots * buckets, Math.ceil((buckets * MONTH_DAYS) / within)) : 0;
  return {
    slots: backupSlots + pruneSlots + drillSlots,
    backups: backupSlots * buckets,
    prunes: pruneSlots * buckets,
    drills,
    buckets,
  };
};

const SWEEPS = MONTH_DAYS * 1440;
const ASSESSMENTS = SWEEPS / 5;
/** A pair read eventually consistent, up to 4 KB. */
const ASSESSED_PAIR = 0.5;

export interface Cost {
  readonly usage: Usage;
  readonly usd: Readonly<Record<string, number>>;
  readonly total: number;
}

/** What is stored by then is what a month's storage is told for: nothing but outputs and logs is ever removed. */
export const STORED_MONTHS = 12;
/** The log groups of the functions keep so many. */
const LOG_MONTHS = 3;

/** What a month of storage costs after so many months like this one. */
export const storageOf = (month: Usage): number =>
  STORED_MONTHS * month.tableGigabyte * (PRICES.tableStored.usd + PRICES.tableRecovery.usd) +
  (STORED_MONTHS * month.recordGigabyte + month.outputGigabyte) * PRICES.objectStored.usd +
  LOG_MONTHS * month.logGigabyte * PRICES.logStored.usd;

/** What it costs, by service; what is there all the time left out. */
export const usdOf = (usage: Usage) => ({
  'Step Functions': usage.transition * PRICES.transition.usd,
  Lambda: usage.invocation * PRICES.invocation.usd + usage.gigabyteSecond * PRICES.gigabyteSecond.usd,
  DynamoDB: usage.readUnit * PRICES.readUnit.usd + usage.writeUnit * PRICES.writeUnit.usd,
  'Systems Manager': usage.remoteCommand * PRICES.remoteCommand.usd,
  S3: usage.s3Write * PRICES.s3Write.usd + usage.s3Read * PRICES.s3Read.usd,
  EventBridge: usage.schedule * PRICES.schedule.usd + usage.event * PRICES.event.usd,
  CloudWatch: usage.logGigabyte * PRICES.logGigabyte.usd,
});

export const sumOf = (usd: Cost['usd']): number => Object.values(usd).reduce((all, one) => all + one, 0);

/** What thirty days cost. */
export const monthOf = (
  policies: readonly Policy[],
  night: Night,
  load: Load,
): Cost & { readonly work: readonly Work[] } => {
  const work = policies.map((policy) => workOf(policy, load));
  const sum = (of: (one: Work) => number): number => work.reduce((all, one) => all + of(one), 0);
  const backups = sum((it) => it.backups);
  const changed = backups * load.changedShare;
  const usage = total([
    [changed, night.changed],
    [backups - changed, night.unchanged],
    [sum((it) => it.prunes), night.prune],
    [sum((it) => it.drills), night.drill],
    [sum((it) => it.slots), night.slot],
    [SWEEPS, night.sweep],
    [ASSESSMENTS, night.assessment],
    // The simulated night has one bucket.
    [ASSESSMENTS * Math.max(0, sum((it) => it.buckets) - 1), { ...everyCount(() => 0), readUnit: ASSESSED_PAIR }],
  ]);
  const usd = { ...usdOf(usage), Storage: storageOf(usage) };
  const { standing } = night;
  usd.CloudWatch +=
    standing.alarm * PRICES.alarm.usd +
    standing.compositeAlarm * PRICES.compositeAlarm.usd +
    standing.customMetric * PRICES.customMetric.usd +
    standing.dashboard * PRICES.dashboard.usd;
  return { work, usage, usd, total: sumOf(usd) };
};

/** The same of an average night of that month. */
export const nightOf = ({ usage, usd, total: all }: Cost): Cost => ({
  usage: everyCount((name) => usage[name] / MONTH_DAYS),
  usd: Object.fromEntries(Object.entries(usd).map(([name, it]) => [name, it / MONTH_DAYS])),
  total: all / MONTH_DAYS,
});
