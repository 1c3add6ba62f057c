import { describeByHand } from '../../e2e/by-hand.ts';
import { startOzoneClusters } from '../../ozone-cluster/ozone-clusters.ts';

describeByHand('real clusters', () => startOzoneClusters());
