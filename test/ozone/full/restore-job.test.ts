import { describeRestoreJob } from '../../e2e/restore-job.ts';
import { startOzoneClusters } from '../../ozone-cluster/ozone-clusters.ts';

describeRestoreJob('real clusters', () => startOzoneClusters());
