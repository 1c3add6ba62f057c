import { join } from 'node:path';
import { describeFleetBatch } from '../../e2e/fleet-batch.ts';
import { startOzoneClusters } from '../../ozone-cluster/ozone-clusters.ts';
import { cacheDirectory } from '../../ozone-cluster/software.ts';

describeFleetBatch('real clusters', () => startOzoneClusters({ directory: join(cacheDirectory, 'fleet-batch') }));
