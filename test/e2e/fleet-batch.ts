import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Clusters, type Deployment, deploy, policyText } from '../fixtures/deployment.ts';

const BUCKETS = ['one', 'two', 'three', 'four', 'five', 'six'].map((name) => `sales/${name}`);

/** Nobody made its replica. */
const UNREADY = 'sales/unready';

/**
 * Slots of a policy with several buckets; the clusters are real or simulated, all else is what would be deployed.
 * @param outage takes the replica away and brings it back
 */
export const describeFleetBatch = <C extends Clusters>(
  name: string,
  start: () => Promise<C>,
  outage?: { readonly down: (clusters: C) => void; readonly up: (clusters: C) => void },
): void => {
  describe(`a fleet whose buckets go together, on ${name}`, () => {
    let clusters: C;
    let deployment: Deployment;

    const slot = async (day: number) => {
      const commands = deployment.cloud.commands().length;
      const backups = deployment.cloud.executions('ozone-dr-backup').length;
      const arn = deployment.cloud.startExecution('ozone-dr-backup-fleet', {
        policy: 'nightly',
        slot: `2026-11-${day}T02:00:00Z`,
      });
      const { status, error, cause, output } = await deployment.cloud.executionEnded(arn);
      return {
        ended: { status, error, cause, output },
        commands: deployment.cloud.commands().length - commands,
        backups: deployment.cloud.executions('ozone-dr-backup').length - backups,
      };
    };
    const newest = async (bucket: string) => (await deployment.points(bucket))[0];

    beforeAll(async () => {
      clusters = await start();
      for (const bucket of BUCKETS) {
        for (const service of ['prod', 'dr']) await clusters.createBucket(`ofs://${service}/${bucket}`);
        await clusters.change(`ofs://prod/${bucket}`, [{ op: 'put', path: 'a', size: 10, seed: 1 }]);
      }
      await clusters.createBucket(`ofs://prod/${UNREADY}`);
      deployment = await deploy({ clusters, policies: policyText([...BUCKETS, UNREADY], 'fleet: { tolerated: 1 }') });
    });
    afterAll(async () => {
      await deployment?.close();
      await clusters?.stop();
    });

    it('hands over what has to be copied, and each bucket gets its point', async () => {
      const { ended, backups } = await slot(10);
      expect(ended).toMatchObject({
        status: 'SUCCEEDED',
        output: { buckets: 7, failed: [expect.stringContaining(`${UNREADY} (ReplicaMissing`)] },
      });
      expect(backups).toBe(7);
      for (const bucket of BUCKETS) expect(await newest(bucket)).toMatchObject({ state: 'verified' });
    });

    it('seals what did not change in three commands for all, without executions of their own; one bucket that fails holds nobody up', async () => {
      const { ended, backups, commands } = await slot(11);
      expect(ended).toMatchObject({
        status: 'SUCCEEDED',
        output: { buckets: 7, failed: [expect.stringContaining(`${UNREADY} (ReplicaMissing`)] },
      });
      expect(backups).toBe(1);
      // Of them one is of the bucket that goes alone.
      expect(commands).toBe(4);
      for (const bucket of BUCKETS) {
        expect(await newest(bucket)).toMatchObject({ state: 'verified' });
        expect(await deployment.points(bucket)).toHaveLength(2);
      }
    });

    it('copies the one bucket that changed, and only that', async () => {
      await clusters.change('ofs://prod/sales/three', [{ op: 'put', path: 'b', size: 20, seed: 2 }]);
      const { ended, backups } = await slot(12);
      expect(ended).toMatchObject({
        status: 'SUCCEEDED',
        output: { buckets: 7, failed: [expect.stringContaining(`${UNREADY} (ReplicaMissing`)] },
      });
      expect(backups).toBe(2);
      expect(await clusters.tree('ofs://dr/sales/three')).toEqual(await clusters.tree('ofs://prod/sales/three'));
      for (const bucket of BUCKETS) expect(await deployment.points(bucket)).toHaveLength(3);
    });

    if (!outage) return;

    it('waits for a replica that is away as one, and each bucket fails in the end as it would alone', async () => {
      outage.down(clusters);
      const { ended, backups, commands } = await slot(13);
      outage.up(clusters);
      expect(ended).toMatchObject({ status: 'FAILED', error: 'BucketsFailed' });
      for (const bucket of BUCKETS)
        expect(ended.cause).toMatch(new RegExp(`${bucket} \\(ReplicaUnreachable, execution batch-nightly-`));
      // Three surveys and one snapshot for all.
      expect([backups, commands]).toEqual([0, 4]);
    });

    it('brings over what the replica missed of all that did not change, without executions of their own', async () => {
      const { ended, backups } = await slot(14);
      expect(ended).toMatchObject({ status: 'SUCCEEDED', output: { failed: [expect.stringContaining(UNREADY)] } });
      expect(backups).toBe(1);
      for (const bucket of BUCKETS) {
        const points = await deployment.points(bucket);
        expect(points).toHaveLength(5);
        for (const point of points) expect(point).toMatchObject({ state: 'verified' });
      }
    });
  });
};
