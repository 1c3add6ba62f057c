import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { BlastRadius } from '../../functions/core/domain/operation.ts';
import { type Clusters, REPLICA_HOST, SOURCE_HOST } from '../fixtures/deployment.ts';
import type { SecuredClusters, User } from '../ozone-cluster/secured.ts';

type Host = typeof SOURCE_HOST | typeof REPLICA_HOST;
type Identities = Readonly<Record<BlastRadius, User>>;

/** As docs/security.md has it: who owns the bucket of a side takes and deletes its snapshots. */
export const identities: Readonly<Record<Host, Identities>> = {
  [SOURCE_HOST]: { observe: 'odr-observe', protect: 'odr-source', destroy: 'odr-source', restore: 'odr-restore' },
  [REPLICA_HOST]: { observe: 'odr-observe', protect: 'odr-replica', destroy: 'odr-replica', restore: 'odr-restore' },
};

/** Edge hosts whose documents work each as an identity of its own. */
export class SecuredHosts {
  readonly #clusters: SecuredClusters;
  readonly #files = new Map<string, { readonly path: string; readonly more: Readonly<Record<string, string>> }>();

  constructor(clusters: SecuredClusters) {
    this.#clusters = clusters;
  }

  /** For `deploy`: the pair outlives the deployment. */
  clusters(): Clusters {
    return {
      ...this.#clusters,
      hostConfig: async (path, more = {}) => {
        this.#files.set(basename(path, '.conf'), { path, more });
        const [host] = this.#hosts().filter((it) => path.includes(it));
        if (host) await this.configure(host);
        return path;
      },
    };
  }

  #hosts(): readonly Host[] {
    return [SOURCE_HOST, REPLICA_HOST];
  }

  /** What distcp wrote in an operation of this host. */
  distcpLog(host: Host, operation: string): string {
    return readFileSync(join(`${this.#files.get(host)?.path}.state`, 'operations', operation, 'distcp.log'), 'utf8');
  }

  /** Writes a host's host.conf: from now on its documents work as these. `lines` come on top; an empty value takes a key away. */
  async configure(
    host: Host,
    as: Partial<Identities> = {},
    lines: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const { kdc } = this.#clusters;
    const file = this.#files.get(host);
    if (!file) throw new Error('only of a deployment');
    const keys = Object.entries({ ...identities[host], ...as }).flatMap(
      ([radius, user]): readonly [string, string][] => [
        [`principal_${radius}`, kdc.principal(user)],
        [`keytab_${radius}`, kdc.keytab(user)],
      ],
    );
    const all = { ...file.more, krb5_conf: kdc.krb5Conf, ...Object.fromEntries(keys), ...lines };
    const wanted = Object.entries(all).filter(([, value]) => value !== '');
    await this.#clusters.hostConfig(file.path, Object.fromEntries(wanted));
  }
}
