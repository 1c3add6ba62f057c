import { join } from 'node:path';
import { describeManyBuckets } from '../../contract/edge-host/many-buckets.ts';
import { startOzoneClusters } from '../../ozone-cluster/ozone-clusters.ts';
import { cacheDirectory } from '../../ozone-cluster/software.ts';

describeManyBuckets('real clusters', () => startOzoneClusters({ directory: join(cacheDirectory, 'many-buckets') }));
