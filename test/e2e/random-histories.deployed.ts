import { type Clusters, type DeploymentOptions, deploy, policyText } from '../fixtures/deployment.ts';
import type { LocalCloud } from '../local-cloud/index.ts';
import type { History, World } from './random-histories.ts';

export interface DeployedBuckets {
  /** The bucket of one of the histories that were deployed. */
  world(history: History): World;
  close(): Promise<void>;
}

export interface DeployedOptions extends Pick<DeploymentOptions, 'clock' | 'duration' | 'onEvent'> {
  readonly quiet: (cloud: LocalCloud, ms: number) => Promise<void>;
}

const bucketOf = ({ seed }: History): string => `histories/seed-${seed}`;

/** The whole product over clusters, real or simulated, with an empty bucket for each history. */
export const deployBuckets = async (
  clusters: Clusters,
  histories: readonly History[],
  { quiet, ...options }: DeployedOptions,
): Promise<DeployedBuckets> => {
  for (const service of ['prod', 'dr']) {
    await clusters.ozone('sh', 'volume', 'create', `o3://${service}/histories`);
    for (const history of histories)
      await clusters.ozone('sh', 'bucket', 'create', '-l', history.layout, `o3://${service}/${bucketOf(history)}`);
  }
  const deployment = await deploy({ clusters, policies: policyText(histories.map(bucketOf)), ...options });
  const { cloud } = deployment;
  return {
    world: (history) => {
      const bucket = bucketOf(history);
      const root = (side: 'source' | 'replica') => `ofs://${side === 'source' ? 'prod' : 'dr'}/${bucket}`;
      return {
        quiet: (ms) => quiet(cloud, ms),
        change: (side, changes) => clusters.change(root(side), changes),
        backUp: () => deployment.backUp({ policy: 'nightly', bucket, slot: new Date(cloud.clock.now()).toISOString() }),
        newestPoint: async () => (await deployment.points(bucket))[0],
        tree: (side, snapshot) =>
          clusters.tree(snapshot === undefined ? root(side) : `${root(side)}/.snapshot/${snapshot}`),
      };
    },
    close: () => deployment.close(),
  };
};
