import type { OzoneClusters } from '../ozone-cluster/ozone-clusters.ts';
import type { User } from '../ozone-cluster/secured.ts';

/** With the DEFAULT entry the same holds for what is written from now on: Ozone asks each key, as it was when a snapshot was taken. */
const reads = (...who: readonly User[]): string =>
  who.flatMap((user) => [`user:${user}:rl`, `user:${user}:rl[DEFAULT]`]).join(',');

/**
 * The least with which the product works on these buckets (`vol/bucket`, same names on both clusters), as arguments of `ozone sh --execute`,
 * for an administrator, before there is any data:
 * `observe` reads both sides. `source` owns the bucket on prod and has nothing on dr; `replica` owns the one on dr and reads prod;
 * each of them takes and deletes snapshots on its side. `restore` reads both, and makes buckets of its own.
 */
export const grants = (cluster: 'prod' | 'dr', volume: string, buckets: readonly string[]): readonly string[] => {
  const owner: User = cluster === 'prod' ? 'source' : 'replica';
  const readers: readonly User[] = cluster === 'prod' ? ['observe', 'replica', 'restore'] : ['observe', 'restore'];
  const onVolume = [owner, ...readers].map((user) => `user:${user}:${user === 'restore' ? 'rlc' : 'r'}`).join(',');
  return [
    `volume addacl -a ${onVolume} o3://${cluster}/${volume}`,
    ...buckets.flatMap((bucket) => [
      `bucket addacl -a ${reads(...readers)} o3://${cluster}/${volume}/${bucket}`,
      `bucket update --user ${owner} o3://${cluster}/${volume}/${bucket}`,
    ]),
  ];
};

/** Buckets of one volume on both clusters, empty, with {@link grants}. */
export const prepare = async (clusters: OzoneClusters, volume: string, buckets: readonly string[]): Promise<void> => {
  await Promise.all(
    (['prod', 'dr'] as const).map(async (cluster) => {
      for (const bucket of buckets) await clusters.createBucket(`ofs://${cluster}/${volume}/${bucket}`);
      const commands = grants(cluster, volume, buckets).flatMap((command) => ['--execute', command]);
      await clusters.ozone('sh', ...commands);
    }),
  );
};
