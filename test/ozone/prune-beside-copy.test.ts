import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Deployment, deploy, policyText } from '../fixtures/deployment.ts';
import type { OzoneClusters } from '../ozone-cluster/ozone-clusters.ts';
import { sharedClusters } from '../ozone-cluster/shared.ts';

describe('a prune beside a copy on real clusters', () => {
  const BUCKET = 'pruned/orders';
  const request = { policy: 'nightly', bucket: BUCKET };
  let clusters: OzoneClusters;
  let deployment: Deployment;

  beforeAll(async () => {
    clusters = await sharedClusters();
    for (const side of ['prod', 'dr']) await clusters.createBucket(`ofs://${side}/${BUCKET}`);
    const retention =
      "retention: { zone: UTC, cron: '0 0 1 1 ? 2099', source: { keepLast: 1 }, replica: { keepLast: 1 }, coolingOffHours: 0 }";
    deployment = await deploy({
      clusters,
      policies: policyText([BUCKET], `${retention}\n    limits: { maps: 1, bandwidthMBps: 1 }`, '[]'),
    });
  });
  afterAll(async () => {
    await deployment?.close();
  });

  const snapshots = async (side: string): Promise<readonly string[]> => {
    const listed: readonly { name: string; snapshotStatus: string }[] = JSON.parse(
      await clusters.ozone('sh', 'snapshot', 'list', '--all', `o3://${side}/${BUCKET}`),
    );
    return listed.filter((it) => it.snapshotStatus === 'SNAPSHOT_ACTIVE').map((it) => it.name);
  };
  const entered = (execution: string, state: string): Promise<void> =>
    deployment.cloud.clock.runUntil(() =>
      deployment.cloud.history(execution).some((it) => JSON.stringify(it).includes(`"${state}"`)),
    );
  const statusOf = (arn: string) => deployment.cloud.stepFunctions.execution(arn).status;

  it('waits until the copy is verified; the base stays on both sides, and the next copy is an increment', async () => {
    await clusters.change(`ofs://prod/${BUCKET}`, [{ op: 'put', path: 'first', size: 1000, seed: 1 }]);
    expect(await deployment.backUp(request)).toMatchObject({ status: 'SUCCEEDED' });
    const base = (await deployment.pair(BUCKET)).base?.name;
    // At a megabyte a second the copy lasts long enough for all that follows.
    await clusters.change(`ofs://prod/${BUCKET}`, [{ op: 'put', path: 'large', size: 30_000_000, seed: 2 }]);
    const { cloud } = deployment;
    const backup = cloud.startExecution('ozone-dr-backup', request);
    await entered(backup, 'Replicate');
    const prune = cloud.startExecution('ozone-dr-prune', request);
    await entered(prune, 'WaitForBucket');
    expect(statusOf(backup)).toBe('RUNNING');
    expect(await snapshots('prod')).toContain(base);
    expect(await snapshots('dr')).toContain(base);
    expect(await cloud.executionEnded(backup)).toMatchObject({ status: 'SUCCEEDED', output: { mode: 'incremental' } });
    expect(await cloud.executionEnded(prune)).toMatchObject({
      status: 'SUCCEEDED',
      output: { kind: 'pruned', deleted: 0 },
    });
    for (const side of ['prod', 'dr']) expect(await snapshots(side)).toContain(base);
    await clusters.change(`ofs://prod/${BUCKET}`, [{ op: 'put', path: 'small', size: 10, seed: 3 }]);
    expect((await deployment.backUp(request)).output).toMatchObject({ kind: 'verified', mode: 'incremental' });
  }, 300_000);
});
