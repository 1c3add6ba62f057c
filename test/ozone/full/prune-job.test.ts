import { join } from 'node:path';
import { describePruneJob } from '../../e2e/prune-job.ts';
import { startOzoneClusters } from '../../ozone-cluster/ozone-clusters.ts';
import { cacheDirectory } from '../../ozone-cluster/software.ts';

describePruneJob('real clusters', () => startOzoneClusters({ directory: join(cacheDirectory, 'prune') }), {
  down: (clusters, service) => clusters.kill(service, 'om'),
  up: async (clusters, service) => {
    await clusters.restart(service, 'om');
    await clusters.ready(service);
  },
});
