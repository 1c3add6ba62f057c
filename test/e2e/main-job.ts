import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Clusters, type Deployment, deploy, policyText } from '../fixtures/deployment.ts';
import type { Change } from '../ozone-cluster/ozone-clusters.ts';

const BUCKET = 'sales/orders';
const SOURCE = `ofs://prod/${BUCKET}`;
const REPLICA = `ofs://dr/${BUCKET}`;

const put = (path: string, size: number, seed: number): Change => ({ op: 'put', path, size, seed });
const move = (path: string, to: string): Change => ({ op: 'mv', path, to });

const firstContent: readonly Change[] = [
  ...Array.from({ length: 12 }, (_, i) => put(`2026/q${1 + (i % 4)}/part-${i}`, 2000 + i, i)),
  put('same-size', 500, 1),
  put('to-delete', 10, 2),
  put('to-rename', 300, 3),
  put('swap-a', 40, 4),
  put('swap-b', 50, 5),
  put('delete-and-recreate', 60, 6),
  put('old-dir/deep/file', 70, 7),
  put('name with blanks, %20 + [1]{x}', 80, 8),
  { op: 'mkdir', path: 'empty' },
];

/** Every kind of change that distcp has to get right. */
const everyKindOfChange: readonly Change[] = [
  put('created', 111, 10),
  put('same-size', 500, 99),
  put('2026/q1/part-0', 9000, 11),
  { op: 'rm', path: 'to-delete' },
  move('to-rename', 'renamed'),
  move('old-dir', 'new-dir'),
  put('new-dir/deep/inside-a-renamed-directory', 12, 12),
  move('swap-a', 'swap-c'),
  move('swap-b', 'swap-a'),
  move('swap-c', 'swap-b'),
  { op: 'rm', path: 'delete-and-recreate' },
  put('delete-and-recreate', 61, 13),
  put('very/new/nested/file', 14, 14),
  { op: 'mkdir', path: 'very/new/empty' },
];

const slotOf = (day: number) => `2026-11-${String(day).padStart(2, '0')}T02:00:00Z`;

/**
 * The main job, end to end, in its order: each slot builds on the one before. The clusters are real or simulated; all
 * else is what would be deployed.
 */
export const describeMainJob = (name: string, start: () => Promise<Clusters>): void => {
  describe(`the main job on ${name}`, () => {
    let clusters: Clusters;
    let deployment: Deployment;

    beforeAll(async () => {
      clusters = await start();
      await clusters.createBucket(SOURCE);
      await clusters.createBucket(REPLICA);
      await clusters.createBucket('ofs://prod/sales/foreign');
      await clusters.createBucket('ofs://dr/sales/foreign');
      await clusters.change(SOURCE, firstContent);
      deployment = await deploy({ clusters, policies: policyText([BUCKET]) });
    });
    afterAll(async () => {
      // Paths of failure are not walked here: `npm run test:iam` walks them all.
      console.info('policy statements that nothing here used:', deployment?.cloud.iam.unusedStatements().join('; '));
      await deployment?.close();
      await clusters?.stop();
    });

    const newest = async () => {
      const [point] = await deployment.points(BUCKET);
      if (!point) throw new Error('the ledger has no point');
      return point;
    };
    /** The newest point is on both sides, equal byte by byte, by a comparison that is none of the product's. */
    const expectEqual = async () => {
      const { name: snapshot } = await newest();
      const [source, replica, live] = await Promise.all([
        clusters.tree(`${SOURCE}/.snapshot/${snapshot}`),
        clusters.tree(`${REPLICA}/.snapshot/${snapshot}`),
        clusters.tree(REPLICA),
      ]);
      expect(source.size).toBeGreaterThan(10);
      expect(replica).toEqual(source);
      expect(live).toEqual(source);
    };

    it('a: the first slot copies everything, seals, verifies and records the lineage', async () => {
      expect(await deployment.fire(slotOf(10))).toMatchObject({ status: 'SUCCEEDED' });
      expect(await newest()).toMatchObject({ state: 'verified', mode: 'bootstrap', base: null });
      expect(await deployment.pair(BUCKET)).toMatchObject({ dirtySince: null, lease: null, owned: { proved: true } });
      await expectEqual();
    });

    it('b: the second slot brings over every kind of change by increment', async () => {
      const [base] = await deployment.points(BUCKET);
      await clusters.change(SOURCE, everyKindOfChange);
      expect(await deployment.fire(slotOf(11))).toMatchObject({ status: 'SUCCEEDED' });
      expect(await newest()).toMatchObject({ state: 'verified', mode: 'incremental', base: base?.name, changed: true });
      await expectEqual();
      const { transitions, steps } = await deployment.lastBackup();
      expect(transitions).toBeLessThanOrEqual(24);
      const operations = steps.filter((it) => it.jvmStarts !== null);
      expect(operations.length).toBeLessThanOrEqual(5);
      expect(operations.reduce((sum, it) => sum + (it.jvmStarts ?? 0), 0)).toBeLessThanOrEqual(7);
    });

    it('c: a slot in which nothing changed is recorded as such, and still a point', async () => {
      const before = await deployment.points(BUCKET);
      expect(await deployment.fire(slotOf(12))).toMatchObject({ status: 'SUCCEEDED' });
      expect(await newest()).toMatchObject({ state: 'verified', mode: 'incremental', changed: false, bytesCopied: 0 });
      expect(await deployment.points(BUCKET)).toHaveLength(before.length + 1);
      await expectEqual();
    });

    it('d: what somebody wrote into the replica is noticed and repaired, and no point is lost', async () => {
      const before = await deployment.points(BUCKET);
      await clusters.change(REPLICA, [put('intruder', 5, 20), { op: 'rm', path: 'renamed' }]);
      await clusters.change(SOURCE, [put('created-later', 21, 21)]);
      expect(await deployment.fire(slotOf(13))).toMatchObject({ status: 'SUCCEEDED' });
      expect(await newest()).toMatchObject({ state: 'verified', mode: 'resync' });
      await expectEqual();
      for (const point of before) {
        const [source, replica] = await Promise.all([
          clusters.tree(`${SOURCE}/.snapshot/${point.name}`),
          clusters.tree(`${REPLICA}/.snapshot/${point.name}`),
        ]);
        expect(replica).toEqual(source);
      }
    });

    it('e: a missed day does not break the chain', async () => {
      const [base] = await deployment.points(BUCKET);
      await clusters.change(SOURCE, [put('two-days-of-change', 30, 30), { op: 'rmr', path: '2026/q2' }]);
      expect(await deployment.fire(slotOf(15))).toMatchObject({ status: 'SUCCEEDED' });
      expect(await newest()).toMatchObject({ state: 'verified', mode: 'incremental', base: base?.name });
      await expectEqual();
    });

    it('f: the same slot delivered twice does the work once', async () => {
      const before = await deployment.points(BUCKET);
      const commands = deployment.cloud.commands().length;
      await clusters.change(SOURCE, [put('once', 31, 31)]);
      const both = await Promise.all([deployment.fire(slotOf(16)), deployment.fire(slotOf(16))]);
      expect(both.map((it) => it.status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
      expect(await deployment.fire(slotOf(16))).toMatchObject({ status: 'SUCCEEDED' });
      expect(await deployment.points(BUCKET)).toHaveLength(before.length + 1);
      const again = await deployment.backUp({ policy: 'nightly', bucket: BUCKET, slot: slotOf(16) });
      expect(again).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'skipped', error: 'SlotAlreadyDone' } });
      expect(deployment.cloud.commands().length - commands).toBe(4);
      await expectEqual();
    });

    it('g: a replica bucket with foreign content is refused, not wiped', async () => {
      await clusters.change('ofs://prod/sales/foreign', [put('ours', 10, 1)]);
      await clusters.change('ofs://dr/sales/foreign', [put('theirs', 10, 2)]);
      const other = await deploy({ clusters, policies: policyText(['sales/foreign']) });
      try {
        const before = await clusters.tree('ofs://dr/sales/foreign');
        const refused = await other.backUp({ policy: 'nightly', bucket: 'sales/foreign', slot: slotOf(10) });
        expect(refused).toMatchObject({ status: 'FAILED', error: 'ReplicaNotOurs' });
        expect(refused.cause).toContain('Empty that bucket, name another cluster');
        expect(await clusters.tree('ofs://dr/sales/foreign')).toEqual(before);
        expect(await other.points('sales/foreign')).toMatchObject([{ state: 'taken' }]);
      } finally {
        await other.close();
      }
    });
  });
};
