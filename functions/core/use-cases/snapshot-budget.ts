import type { PairState } from '../domain/ledger.ts';
import { type BucketRef, type PairId, pairId } from '../domain/names.ts';
import type { NamedPolicy, Policy } from '../domain/policy.ts';
import type { EpochMs } from '../domain/units.ts';
import { budgetsOf, forecastExhaustion } from '../planner/budget.ts';
import type { Metrics } from '../ports.ts';

/** How full the Ozone Manager of a cluster is, and when its limit is passed if nothing changes. */
export interface SnapshotBudget {
  readonly cluster: string;
  readonly snapshots: number;
  readonly limit: number;
  /** ISO 8601; null: not at the rate of these policies. */
  readonly full: string | null;
}

/** The pair of a bucket under a policy. */
export const lineageOf = ({ source, replica }: Pick<Policy, 'source' | 'replica'>, bucket: BucketRef): PairId =>
  pairId(source.name, bucket, replica?.name ?? null);

const FORECAST_DAYS = 3650;

type Counts = ReadonlyMap<PairId, Pick<PairState, 'counted'>>;

/** Publishes how full the clusters are, by what the last look at each bucket counted; buckets of others on the same cluster are not seen. */
export const publishBudget = (
  metrics: Metrics,
  policies: readonly NamedPolicy[],
  states: Counts,
  now: EpochMs,
): readonly SnapshotBudget[] => {
  const counts = snapshotsByCluster(policies, states);
  const budgets = budgetsOf(policies).map((expected) => {
    const { cluster, limit } = expected;
    const snapshots = counts.get(cluster) ?? 0;
    const full = forecastExhaustion(expected, snapshots, now);
    const percent = Math.round((1000 * snapshots) / limit) / 10;
    metrics.gauge('SnapshotsOfLimit', 'Percent', percent, { cluster });
    // A cluster that never gets full is as far away as the forecast looks.
    const days = full === null ? FORECAST_DAYS : Math.min(FORECAST_DAYS, Math.floor((full - now) / 86_400_000));
    metrics.gauge('DaysUntilSnapshotLimit', 'Count', days, { cluster });
    return { days, percent, cluster, snapshots, limit, full: full === null ? null : new Date(full).toISOString() };
  });
  // Without a cluster: of the one that gets full first and of the fullest one, for the alarms.
  metrics.gauge('DaysUntilSnapshotLimit', 'Count', Math.min(...budgets.map(({ days }) => days)), {});
  metrics.gauge('SnapshotsOfLimit', 'Percent', Math.max(...budgets.map(({ percent }) => percent)), {});
  return budgets.map(({ days: _, percent: _percent, ...budget }) => budget);
};

/** A bucket that several policies back up is counted once per side: the last count. */
const snapshotsByCluster = (policies: readonly NamedPolicy[], states: Counts): ReadonlyMap<string, number> => {
  const last = new Map<string, { readonly cluster: string; readonly count: number; readonly at: EpochMs }>();
  for (const policy of policies)
    for (const bucket of policy.buckets) {
      const counted = states.get(lineageOf(policy, bucket))?.counted;
      if (!counted) continue;
      const { source, replica } = policy;
      const sides = [
        { cluster: source.name, count: counted.source },
        ...(replica ? [{ cluster: replica.name, count: counted.replica }] : []),
      ];
      for (const { cluster, count } of sides) {
        const known = last.get(`${cluster} ${bucket}`);
        if (count !== null && (!known || known.at < counted.at))
          last.set(`${cluster} ${bucket}`, { cluster, count, at: counted.at });
      }
    }
  const sums = new Map<string, number>();
  for (const { cluster, count } of last.values()) sums.set(cluster, (sums.get(cluster) ?? 0) + count);
  return sums;
};
