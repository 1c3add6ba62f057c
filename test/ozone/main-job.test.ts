import { describeMainJob } from '../e2e/main-job.ts';
import { sharedClusters } from '../ozone-cluster/shared.ts';

describeMainJob('real clusters', sharedClusters);
