import { describeMainJob } from '../e2e/main-job.ts';
import { startOzoneClusters } from '../ozone-cluster/ozone-clusters.ts';

describeMainJob('real clusters', () => startOzoneClusters());
