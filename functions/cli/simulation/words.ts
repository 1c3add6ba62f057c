import type { EpochMs } from '../../core/domain/units.ts';
import type { PolicyReport, Report, Worst } from './report.ts';

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const;

/** Two units at most: `3 d 4 h`, `26 h` is `1 d 2 h`. */
export const ageText = (seconds: number | null): string => {
  if (seconds === null) return '-';
  let left = seconds;
  const parts = UNITS.flatMap(([unit, size]) => {
    const count = Math.floor(left / size);
    left -= count * size;
    return count > 0 ? [`${count} ${unit}`] : [];
  });
  return parts.slice(0, 2).join(' ') || '0 s';
};

const day = (instant: EpochMs): string => new Date(instant).toISOString().slice(0, 10);
const minute = (instant: EpochMs): string => new Date(instant).toISOString().slice(0, 16).replace('T', ' ');

export const spanText = ({ from, to }: { readonly from: EpochMs; readonly to: EpochMs }): string =>
  `${minute(from)} to ${minute(to)} UTC`;

const worstText = (side: string, worst: Worst | null, objective: number): string => {
  if (worst === null) return `no point was ever on the ${side}`;
  const late = worst.seconds > objective ? `, over the objective of ${ageText(objective)}` : '';
  return `on the ${side} the newest point was at worst ${ageText(worst.seconds)} old (${worst.date}${late})`;
};

/** What there is to say of one policy, a sentence each. */
export const sentencesOf = (report: PolicyReport): readonly string[] => {
  const { policy, taken, replicated, deleted, refusals, worstSource, worstReplica } = report;
  return [
    `${taken} points taken, ${replicated} verified on the replica, ${deleted} snapshots deleted on both sides together`,
    worstText('source', worstSource, policy.objectives.rpo),
    ...(policy.replica ? [worstText('replica', worstReplica, policy.objectives.rpo)] : []),
    ...(refusals > 0
      ? [`${refusals} plan${refusals === 1 ? '' : 's'} to prune refused, because the replica could not be read`]
      : []),
    ...(policy.retention ? [] : ['nothing is ever deleted: the policy has no retention']),
  ];
};

export const clusterSentences = ({ clusters }: Report): readonly string[] =>
  clusters.map(({ cluster, limit, most, expected, exhausted }) => {
    const percent = Math.round((most.snapshots / limit) * 1000) / 10;
    const over = most.snapshots > limit ? ', MORE THAN IT ALLOWS' : '';
    const growth = exhausted === null ? '' : `; what is never deleted passes the limit on ${day(exhausted)}`;
    return `${cluster}: at most ${most.snapshots} of ${limit} snapshots (${percent} %, ${most.date}${over}), by calculation up to ${expected}${growth}`;
  });
