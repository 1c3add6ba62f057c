import { describeManyBuckets } from '../contract/edge-host/many-buckets.ts';
import { sharedClusters } from '../ozone-cluster/shared.ts';

describeManyBuckets('real clusters', sharedClusters);
