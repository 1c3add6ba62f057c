import { join } from 'node:path';
import { type OzoneClusters, openOzoneClusters, startOzoneClusters } from './ozone-clusters.ts';
import { cacheDirectory } from './software.ts';

const directory = join(cacheDirectory, 'shared');

/** The pair on which all files of the project `ozone` play, each in buckets of its own: to start one takes most of a minute. */
export const sharedClusters = (): Promise<OzoneClusters> => openOzoneClusters(directory);

/** Called by vitest before the first file; what it returns is called after the last. */
export const setup = async (): Promise<() => Promise<void>> => {
  const clusters = await startOzoneClusters({ directory });
  return () => clusters.stop();
};
