import type { Policy, Schedule } from '../../core/domain/policy.ts';
import type { Side } from '../../core/domain/retention.ts';
import type { EpochMs } from '../../core/domain/units.ts';
import { budgetsOf, type ClusterBudget, forecastExhaustion } from '../../core/planner/budget.ts';
import { type Played, type PlayedDay, play, type Span } from './play.ts';

export interface Request extends Span {
  readonly policies: readonly Policy[];
  readonly outages: readonly Span[];
  /** When pruning runs; every day at this time of the policy's zone unless given. */
  readonly prunes?: readonly Schedule[];
}

/** Snapshots of one cluster by day, all policies and buckets together. */
export interface ClusterUse {
  readonly cluster: string;
  readonly limit: number;
  readonly days: readonly { readonly date: string; readonly snapshots: number }[];
  readonly most: { readonly date: string; readonly snapshots: number };
  /** What the policies come to by calculation, without what is never deleted. */
  readonly expected: number;
  /** When what is never deleted passes the limit, counted from the end of what was played. */
  readonly exhausted: EpochMs | null;
}

export interface Worst {
  readonly date: string;
  readonly seconds: number;
}

export interface PolicyReport extends Played {
  readonly worstSource: Worst | null;
  readonly worstReplica: Worst | null;
}

export interface Report extends Span {
  readonly outages: readonly Span[];
  readonly policies: readonly PolicyReport[];
  readonly clusters: readonly ClusterUse[];
}

const worstOf = (days: readonly PlayedDay[], of: (day: PlayedDay) => number | null): Worst | null =>
  days.reduce<Worst | null>((worst, day) => {
    const seconds = of(day);
    return seconds !== null && (worst === null || seconds > worst.seconds) ? { date: day.date, seconds } : worst;
  }, null);

/** An increment has a temporary snapshot on the replica while it runs. */
const TEMPORARY = 1;

const useOf = (budget: ClusterBudget, played: readonly Played[], to: EpochMs): ClusterUse => {
  const byDate = new Map<string, number>();
  for (const { policy, days } of played) {
    const isSource = policy.source.name === budget.cluster;
    const isReplica = policy.replica?.name === budget.cluster;
    for (const day of days) {
      const each = (isSource ? day.mostSource : 0) + (isReplica ? day.mostReplica + TEMPORARY : 0);
      byDate.set(day.date, (byDate.get(day.date) ?? 0) + each * policy.buckets.length);
    }
  }
  const days = [...byDate].sort(([a], [b]) => (a < b ? -1 : 1)).map(([date, snapshots]) => ({ date, snapshots }));
  const none = { date: '', snapshots: 0 };
  return {
    cluster: budget.cluster,
    limit: budget.limit,
    days,
    most: days.reduce((most, day) => (day.snapshots > most.snapshots ? day : most), days[0] ?? none),
    expected: budget.steady,
    exhausted: forecastExhaustion(budget, days.at(-1)?.snapshots ?? 0, to, days.length),
  };
};

/** Plays each policy and adds up what they come to. Pure: the same request, the same report. */
export const simulate = ({ policies, from, to, outages, prunes }: Request): Report => {
  const played = policies.map((policy): PolicyReport => {
    const own = policy.retention ? [{ cron: policy.retention.cron, zone: policy.retention.zone }] : [];
    const one = play({ policy, from, to, outages, prunes: prunes ?? own });
    return {
      ...one,
      worstSource: worstOf(one.days, ({ rpoSource }) => rpoSource),
      worstReplica: worstOf(one.days, ({ rpoReplica }) => rpoReplica),
    };
  });
  return { from, to, outages, policies: played, clusters: budgetsOf(policies).map((it) => useOf(it, played, to)) };
};

const iso = (instant: EpochMs | null): string | null => instant && new Date(instant).toISOString();
const span = ({ from, to }: Span) => ({ from: iso(from), to: iso(to) });

/** The report as `--json` prints it: instants in ISO 8601, ages in seconds. */
export const reportJson = (report: Report) => ({
  ...span(report),
  outages: report.outages.map(span),
  policies: report.policies.map(({ policy, days, ...figures }) => ({
    policy: policy.name,
    buckets: policy.buckets.length,
    rpoSeconds: policy.objectives.rpo,
    ...figures,
    days: days.map(({ restoreSource, restoreReplica, from: _from, to: _to, ...day }) => ({
      ...day,
      restore: { source: iso(restoreSource), replica: iso(restoreReplica) },
    })),
  })),
  clusters: report.clusters.map(({ exhausted, ...use }) => ({ ...use, exhausted: iso(exhausted) })),
});

/** Several days as one row of a table. */
export interface Period {
  /** `2026-11-21` or `2026-11`. */
  readonly label: string;
  readonly days: readonly PlayedDay[];
}

/** More days than these are told by month. */
const MOST_ROWS = 62;

export const periodsOf = (days: readonly PlayedDay[]): readonly Period[] => {
  if (days.length <= MOST_ROWS) return days.map((day) => ({ label: day.date, days: [day] }));
  const months = new Map<string, PlayedDay[]>();
  for (const day of days) {
    const label = day.date.slice(0, 7);
    const month = months.get(label);
    if (month) month.push(day);
    else months.set(label, [day]);
  }
  return [...months].map(([label, those]) => ({ label, days: those }));
};

const most = (values: readonly (number | null)[]): number | null => {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
};

/** One row: what is there at most, how old the newest point was at worst, how far a restore of its days is off at worst. */
export interface Row {
  readonly label: string;
  readonly source: number;
  readonly replica: number;
  readonly rpoSource: number | null;
  readonly rpoReplica: number | null;
  /** Days of which a restore finds a point that was taken that day, and days in all. */
  readonly foundSource: number;
  readonly foundReplica: number;
  readonly days: number;
}

/** Does a restore of the end of the day find what was taken on that very day? */
export const isOfItsDay = (day: PlayedDay, side: Side): boolean => {
  const found = side === 'source' ? day.restoreSource : day.restoreReplica;
  return found !== null && found >= day.from;
};

export const rowOf = ({ label, days }: Period): Row => ({
  label,
  source: most(days.map(({ mostSource }) => mostSource)) ?? 0,
  replica: most(days.map(({ mostReplica }) => mostReplica)) ?? 0,
  rpoSource: most(days.map(({ rpoSource }) => rpoSource)),
  rpoReplica: most(days.map(({ rpoReplica }) => rpoReplica)),
  foundSource: days.filter((day) => isOfItsDay(day, 'source')).length,
  foundReplica: days.filter((day) => isOfItsDay(day, 'replica')).length,
  days: days.length,
});
