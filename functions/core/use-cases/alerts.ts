import { unreachableCluster } from '../planner/failure-kind.ts';
import type { Metrics } from '../ports.ts';
import type { CloseDependencies } from './close-run.ts';
import type { SettleDependencies } from './settle-operation.ts';

/** Tells alarms of a failed run in the minute in which it fails; the next assessment keeps it up. */
export const tellOfFailure =
  (metrics: Metrics): NonNullable<CloseDependencies['onFailure']> =>
  (run, { kind, error }) => {
    if (kind) metrics.gauge('RunsFailed', 'Count', 1, { kind });
    if (unreachableCluster(run, error) !== null) metrics.gauge('ClustersUnreachable', 'Count', 1, {});
  };

/** Tells alarms that a host refused an operation by its fence. */
export const tellOfFence =
  (metrics: Metrics): NonNullable<SettleDependencies['onFenced']> =>
  () =>
    metrics.gauge('FenceRefusals', 'Count', 1, {});
