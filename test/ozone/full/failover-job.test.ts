import { join } from 'node:path';
import { describeFailoverJob } from '../../e2e/failover-job.ts';
import { startOzoneClusters } from '../../ozone-cluster/ozone-clusters.ts';
import { cacheDirectory } from '../../ozone-cluster/software.ts';

describeFailoverJob('real clusters', () => startOzoneClusters({ directory: join(cacheDirectory, 'failover') }), {
  down: (clusters, service) => clusters.kill(service, 'om'),
  up: async (clusters, service) => {
    await clusters.restart(service, 'om');
    await clusters.ready(service);
  },
});
