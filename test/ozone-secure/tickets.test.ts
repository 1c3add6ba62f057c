import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { deploy, policyText, REPLICA_HOST } from '../fixtures/deployment.ts';
import { expectNewestEqual } from '../fixtures/newest-point.ts';
import { type SecuredClusters, securedClusters } from '../ozone-cluster/secured.ts';
import { prepare } from './grants.ts';
import { SecuredHosts } from './identities.ts';

const CACHED = 'tickets/cached';
const RENEWED = 'tickets/renewed';
const MB = 1_000_000;

describe('a ticket that ends in the middle of a copy', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tickets-'));
  // At a megabyte a second a copy lasts as many seconds as it has megabytes.
  const policies = policyText([CACHED, RENEWED], 'limits: { maps: 1, bandwidthMBps: 1 }', '[]');
  let clusters: SecuredClusters;

  beforeAll(async () => {
    clusters = await securedClusters();
    await prepare(clusters, policies, [CACHED, RENEWED]);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  /** A bucket with a file of this size, and hosts of its own. */
  const begin = async (bucket: string, size: number, { onTestFinished }: TestContext) => {
    await clusters.change(`ofs://prod/${bucket}`, [{ op: 'put', path: 'large', size, seed: 1 }]);
    const hosts = new SecuredHosts(clusters);
    const deployment = await deploy({ clusters: hosts.clusters(), policies });
    onTestFinished(() => deployment.close());
    return { hosts, deployment, backUp: () => deployment.backUp({ policy: 'nightly', bucket }) };
  };

  it.concurrent('of a cache that nobody renews: the run fails and says so, and the next one brings all over', async (test) => {
    const { hosts, deployment, backUp } = await begin(CACHED, 1000, test);
    expect(await backUp()).toMatchObject({ status: 'SUCCEEDED', output: { mode: 'bootstrap' } });
    await clusters.change(`ofs://prod/${CACHED}`, [{ op: 'put', path: 'larger', size: 75 * MB, seed: 2 }]);
    const ready = await clusters.kdc.ticket('odr-replica', join(directory, 'ready'), 60);
    await hosts.configure(REPLICA_HOST, {}, { principal_protect: '', keytab_protect: '', ticket_protect: ready });
    const failed = await backUp();
    expect(failed).toMatchObject({ status: 'FAILED', error: 'AccessDenied' });
    expect(failed.cause).toContain('docs/deploy.md, "Kerberos"');
    const copy = deployment.cloud.commands().findLast(({ parameters }) => parameters.verb?.[0] === 'replicate');
    expect(hosts.distcpLog(REPLICA_HOST, copy?.parameters.operation?.[0] ?? '')).toContain('CopyMapper: Copying ');
    await hosts.configure(REPLICA_HOST);
    expect(await backUp()).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'verified' } });
    await expectNewestEqual(deployment, clusters, CACHED);
  });

  it.concurrent('of a keytab: the copy outlives the ticket with which it began', async (test) => {
    const { hosts, deployment, backUp } = await begin(RENEWED, 35 * MB, test);
    const brief = join(directory, 'krb5.conf');
    writeFileSync(
      brief,
      readFileSync(clusters.kdc.krb5Conf, 'utf8').replace(/ticket_lifetime = .*/, 'ticket_lifetime = 15s'),
    );
    await hosts.configure(REPLICA_HOST, {}, { krb5_conf: brief });
    const result = await backUp();
    if (result.status !== 'SUCCEEDED') throw new Error(`${result.error}: ${result.cause}`);
    const [point] = await deployment.points(RENEWED);
    expect(point).toMatchObject({ state: 'verified', mode: 'bootstrap' });
    expect(point?.copySeconds).toBeGreaterThan(15);
    await expectNewestEqual(deployment, clusters, RENEWED);
  });
});
