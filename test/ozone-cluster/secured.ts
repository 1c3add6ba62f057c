import { join } from 'node:path';
import type { Kdc } from './kerberos.ts';
import { type OzoneClusters, openOzoneClusters, startOzoneClusters } from './ozone-clusters.ts';
import { cacheDirectory } from './software.ts';

const directory = join(cacheDirectory, 'secure');

/** Whom the KDC of the secured pair knows, beside the administrator of both clusters. One owner per bucket: see docs/security.md. */
export const users = ['odr-observe', 'odr-source', 'odr-replica', 'odr-restore', 'stranger'] as const;
export type User = (typeof users)[number];

export type SecuredClusters = OzoneClusters & { readonly kdc: Kdc };

/** The secured pair on which all files of the project `ozone-secure` play, each in a volume of its own. */
export const securedClusters = async (): Promise<SecuredClusters> => {
  const clusters = await openOzoneClusters(directory);
  if (!clusters.kdc) throw new Error(`the pair in ${directory} is no secured one`);
  return { ...clusters, kdc: clusters.kdc };
};

/** Clocks may differ by seconds only, so that a ticket that has ended does not work for five minutes more. Called by vitest before the first file; what it returns is called after the last. */
export const setup = async (): Promise<() => Promise<void>> => {
  const clusters = await startOzoneClusters({ directory, security: { users, clockSkew: 5 } });
  return () => clusters.stop();
};
