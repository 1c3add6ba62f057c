import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Deployment, deploy, policyText, REPLICA_HOST } from '../fixtures/deployment.ts';
import { expectNewestEqual } from '../fixtures/newest-point.ts';
import { type SecuredClusters, securedClusters } from '../ozone-cluster/secured.ts';
import { prepare } from './grants.ts';
import { SecuredHosts } from './identities.ts';

const BUCKET = 'tickets/orders';
const SOURCE = `ofs://prod/${BUCKET}`;
const request = { policy: 'nightly', bucket: BUCKET };
const MB = 1_000_000;

describe('a ticket that ends in the middle of a copy', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tickets-'));
  let clusters: SecuredClusters;
  let hosts: SecuredHosts;
  let deployment: Deployment;

  beforeAll(async () => {
    clusters = await securedClusters();
    // At a megabyte a second a copy lasts as many seconds as it has megabytes.
    const policies = policyText([BUCKET], 'limits: { maps: 1, bandwidthMBps: 1 }', '[]');
    await prepare(clusters, policies, [BUCKET]);
    await clusters.change(SOURCE, [{ op: 'put', path: 'first', size: 1000, seed: 1 }]);
    hosts = new SecuredHosts(clusters);
    deployment = await deploy({ clusters: hosts.clusters(), policies });
    expect(await deployment.backUp(request)).toMatchObject({ status: 'SUCCEEDED', output: { mode: 'bootstrap' } });
  });
  afterAll(async () => {
    await deployment?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('of a cache that nobody renews: the run fails and says so, and the next one brings all over', async () => {
    await clusters.change(SOURCE, [{ op: 'put', path: 'large', size: 40 * MB, seed: 2 }]);
    const ready = await clusters.kdc.ticket('odr-replica', join(directory, 'ready'), 25);
    await hosts.configure(REPLICA_HOST, {}, { principal_protect: '', keytab_protect: '', ticket_protect: ready });
    const failed = await deployment.backUp(request);
    expect(failed).toMatchObject({ status: 'FAILED', error: 'AccessDenied' });
    expect(failed.cause).toContain('docs/deploy.md, "Kerberos"');
    await hosts.configure(REPLICA_HOST);
    expect(await deployment.backUp(request)).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'verified' } });
    await expectNewestEqual(deployment, clusters, BUCKET);
  });

  it('of a keytab: the copy outlives the ticket with which it began', async () => {
    await clusters.change(SOURCE, [{ op: 'put', path: 'larger', size: 35 * MB, seed: 3 }]);
    const brief = join(directory, 'krb5.conf');
    writeFileSync(
      brief,
      readFileSync(clusters.kdc.krb5Conf, 'utf8').replace(/ticket_lifetime = .*/, 'ticket_lifetime = 15s'),
    );
    await hosts.configure(REPLICA_HOST, {}, { krb5_conf: brief });
    const result = await deployment.backUp(request);
    if (result.status !== 'SUCCEEDED') throw new Error(`${result.error}: ${result.cause}`);
    const [point] = await deployment.points(BUCKET);
    expect(point).toMatchObject({ state: 'verified', mode: 'incremental' });
    expect(point?.copySeconds).toBeGreaterThan(15);
    await expectNewestEqual(deployment, clusters, BUCKET);
  });
});
