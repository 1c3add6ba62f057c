import { join } from 'node:path';
import { type OzoneClusters, openOzoneClusters, startOzoneClusters } from './ozone-clusters.ts';
import { cacheDirectory } from './software.ts';
import { openYarn, startYarn, type Yarn } from './yarn.ts';

const directory = join(cacheDirectory, 'yarn');

/** The pair of clusters, and the YARN beside it, on which all files of the project `ozone-yarn` play. */
export const sharedYarn = async (): Promise<{ readonly clusters: OzoneClusters; readonly yarn: Yarn }> => ({
  clusters: await openOzoneClusters(directory),
  yarn: await openYarn(directory),
});

/** Called by vitest before the first file; what it returns is called after the last. */
export const setup = async (): Promise<() => Promise<void>> => {
  const clusters = await startOzoneClusters({ directory });
  await startYarn(directory);
  return () => clusters.stop();
};
