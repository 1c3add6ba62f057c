import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePolicies } from '../../cdk/config/load-policies.ts';
import { resolvePolicies } from '../../functions/core/domain/policy.ts';
import { epochMs } from '../../functions/core/domain/units.ts';
import { withVersion } from '../../functions/core/planner/in-force.ts';
import { type Deployment, deploy, policyText, REPLICA_HOST, SOURCE_HOST } from '../fixtures/deployment.ts';
import { expectNewestEqual } from '../fixtures/newest-point.ts';
import type { Change } from '../ozone-cluster/ozone-clusters.ts';
import { type SecuredClusters, securedClusters } from '../ozone-cluster/secured.ts';
import { prepare } from './grants.ts';
import { SecuredHosts } from './identities.ts';

const VOLUME = 'story';
const BUCKET = `${VOLUME}/orders`;
const SOURCE = `ofs://prod/${BUCKET}`;
const REPLICA = `ofs://dr/${BUCKET}`;
const request = { policy: 'nightly', bucket: BUCKET };

const HOUR = 3600;
const retention =
  "retention: { zone: UTC, cron: '0 0 1 1 ? 2099', source: { keepLast: 1 }, replica: { keepLast: 1 }, graceHours: 1, coolingOffHours: 0 }";
const drills = "drills: { cron: '0 5 * * ? *', zone: Etc/UTC }";
const policies = policyText([BUCKET], `${retention}\n    ${drills}`, '[]');

const put = (path: string, size: number, seed: number): Change => ({ op: 'put', path, size, seed });

describe('the story on a secured pair, each document with an identity of its own', () => {
  let clusters: SecuredClusters;
  let hosts: SecuredHosts;
  let deployment: Deployment;

  beforeAll(async () => {
    clusters = await securedClusters();
    await prepare(clusters, policies, [BUCKET]);
    await clusters.change(SOURCE, [put('2026/q1/jan', 2000, 1), put('2026/q1/feb', 2001, 2), put('same-size', 500, 3)]);
    hosts = new SecuredHosts(clusters);
    deployment = await deploy({
      clusters: hosts.clusters(),
      policies,
      clock: { virtualFrom: new Date() },
    });
    deployment.cloud.stopCalendar();
  });
  afterAll(async () => {
    await deployment?.close();
  });

  const backUp = async () => {
    const result = await deployment.backUp(request);
    if (result.status !== 'SUCCEEDED') throw new Error(`${result.error}: ${result.cause}`);
    return result.output;
  };
  const newest = async () => {
    const [point] = await deployment.points(BUCKET);
    if (!point) throw new Error('the ledger has no point');
    return point;
  };
  const expectEqual = async () => {
    const { entries } = await expectNewestEqual(deployment, clusters, BUCKET);
    expect(entries).toBeGreaterThan(3);
  };
  const snapshots = async (side: 'prod' | 'dr'): Promise<readonly string[]> => {
    const listed: readonly { name: string; snapshotStatus: string }[] = JSON.parse(
      await clusters.ozone('sh', 'snapshot', 'list', '--all', `o3://${side}/${BUCKET}`),
    );
    return listed
      .filter((it) => it.snapshotStatus === 'SNAPSHOT_ACTIVE')
      .map((it) => it.name)
      .sort();
  };

  /** The first rules of a policy wait for three days; these have been there for longer. */
  const haveSeen = async (): Promise<void> => {
    const [policy] = resolvePolicies(parsePolicies(policies, 'test policies'));
    if (!policy) throw new Error('the file has one policy');
    const since = epochMs(Date.now() - 100 * HOUR * 1000);
    const seen = withVersion(await deployment.ledger.loadPolicyState(policy.name), policy, since);
    if (seen) await deployment.ledger.putPolicyState(seen);
  };

  it('a first copy', async () => {
    expect(await backUp()).toMatchObject({ kind: 'verified', mode: 'bootstrap' });
    await expectEqual();
  });

  it('an increment', async () => {
    await clusters.change(SOURCE, [
      put('same-size', 500, 99),
      { op: 'mv', path: '2026/q1', to: '2026/first' },
      put('new/file', 77, 4),
      { op: 'rm', path: '2026/first/feb' },
    ]);
    expect(await backUp()).toMatchObject({ kind: 'verified', mode: 'incremental', changed: true });
    await expectEqual();
  });

  it('on the replica the identity of the source alters nothing: the copy is refused, the replica as it was, and the next run goes on', async () => {
    await clusters.change(SOURCE, [put('later', 78, 5)]);
    const before = { snapshots: await snapshots('dr'), tree: await clusters.tree(REPLICA) };
    await hosts.configure(REPLICA_HOST, { protect: 'odr-source' });
    const refused = await deployment.backUp(request);
    expect(refused).toMatchObject({ status: 'FAILED', error: 'AccessDenied' });
    expect(refused.cause).toContain("odr-source doesn't have READ permission to access volume");
    expect({ snapshots: await snapshots('dr'), tree: await clusters.tree(REPLICA) }).toEqual(before);
    await hosts.configure(REPLICA_HOST);
    expect(await backUp()).toMatchObject({ kind: 'verified', mode: 'incremental' });
    await expectEqual();
  });

  it('a snapshot by an identity that does not own the bucket is refused in as many words', async () => {
    const before = await snapshots('prod');
    await hosts.configure(SOURCE_HOST, { protect: 'odr-observe' });
    const refused = await deployment.backUp(request);
    expect(refused).toMatchObject({ status: 'FAILED', error: 'AccessDenied' });
    expect(refused.cause).toContain('Only bucket owners and Ozone admins can create snapshots');
    expect(await snapshots('prod')).toEqual(before);
    await hosts.configure(SOURCE_HOST);
  });

  it('a file comes back beside its bucket, read from the source', async () => {
    const { name } = await newest();
    const result = await deployment.restore({
      ...request,
      point: name,
      scope: { paths: ['same-size'] },
      by: 'Ada',
      reason: 'a test',
    });
    if (result.status !== 'SUCCEEDED') throw new Error(`${result.error}: ${result.cause}`);
    const [bucket = ''] = String(result.output?.target).split(' on ');
    expect([...(await clusters.tree(`ofs://prod/${bucket}`)).keys()]).toEqual(['same-size']);
  });

  it('a drill from the replica, which leaves nothing', async () => {
    const result = await deployment.drill(request);
    if (result.status !== 'SUCCEEDED') throw new Error(`${result.error}: ${result.cause}`);
    expect(result.output).toMatchObject({ kind: 'drilled', from: 'replica' });
    expect(await clusters.ozone('sh', 'bucket', 'list', `o3://dr/${VOLUME}`)).not.toContain('odr-drill');
  });

  it('a prune: refused to the identity of the source on the replica, done by the owners', async () => {
    await backUp();
    const before = { prod: await snapshots('prod'), dr: await snapshots('dr') };
    await haveSeen();
    await deployment.cloud.advanceBy(2 * HOUR);
    expect(await deployment.prune(request)).toMatchObject({ status: 'SUCCEEDED', output: { deleted: 0 } });
    await deployment.cloud.advanceBy(2 * HOUR);
    await hosts.configure(REPLICA_HOST, { destroy: 'odr-source' });
    const refused = await deployment.prune(request);
    expect(refused).toMatchObject({ status: 'FAILED', error: 'AccessDenied' });
    expect(await snapshots('dr')).toEqual(before.dr);
    await hosts.configure(REPLICA_HOST);
    const { status, error, cause } = await deployment.prune(request);
    expect({ status, error, cause }).toEqual({ status: 'SUCCEEDED' });
    const { name } = await newest();
    for (const side of ['prod', 'dr'] as const) {
      const left = await snapshots(side);
      expect(left).toContain(name);
      expect(left.length).toBeLessThan(before[side].length);
    }
    await expectEqual();
  });
});
