import { describePruneJob } from '../e2e/prune-job.ts';
import { startOzoneClusters } from '../ozone-cluster/ozone-clusters.ts';

describePruneJob('real clusters', () => startOzoneClusters());
