import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { BackupOutcome } from '../../functions/core/domain/backup-step.ts';
import {
  type BackupResult,
  type Clusters,
  type Deployment,
  deploy,
  policyText,
  SOURCE_HOST,
} from '../fixtures/deployment.ts';
import type { Change } from '../ozone-cluster/ozone-clusters.ts';
import type { Power } from './prune-job.ts';

/** Its source is lost, in the middle of an increment. */
const LOST = 'sales/orders';
/** Is moved on purpose. */
const MOVED = 'sales/parts';
/** Somebody goes on writing to it. */
const BUSY = 'sales/busy';
const BUCKETS = [MOVED, BUSY, LOST] as const;

const on = (service: 'prod' | 'dr', bucket: string): string => `ofs://${service}/${bucket}`;
const put = (path: string, size: number, seed: number): Change => ({ op: 'put', path, size, seed });
const slotOf = (day: number) => `2026-11-${String(day).padStart(2, '0')}T02:00:00Z`;

const firstContent: readonly Change[] = [
  put('2026/q1/jan', 2000, 1),
  put('2026/q1/feb', 2001, 2),
  put('same-size', 500, 3),
  put('to-delete', 10, 4),
  put('grün/日本', 82, 5),
  { op: 'mkdir', path: 'empty' },
];
const laterContent: readonly Change[] = [
  put('same-size', 500, 99),
  { op: 'rm', path: 'to-delete' },
  put('2026/q2/apr', 2003, 6),
];
/** What an increment leaves behind that was cut off, and what does not belong there at all. */
const halfApplied: readonly Change[] = [
  put('2026/q2/may', 700, 7),
  { op: 'rm', path: '2026/q1/jan' },
  put('same-size', 500, 8),
  put('foreign', 9, 9),
];
const neverReplicated: readonly Change[] = [put('2026/q2/may', 700, 7), put('2026/q2/jun', 900, 10)];

const outcomeOf = (result: BackupResult): BackupOutcome => {
  if (result.status !== 'SUCCEEDED') throw new Error(`${result.error}: ${result.cause}`);
  return BackupOutcome.parse(result.output);
};
const plannedOf = (result: BackupResult) => {
  const outcome = outcomeOf(result);
  if (outcome.kind !== 'restore-planned') throw new Error(`${outcome.kind} instead of a plan`);
  return outcome;
};
const failedOverOf = (result: BackupResult) => {
  const outcome = outcomeOf(result);
  if (outcome.kind !== 'failed-over') throw new Error(`${outcome.kind} instead of a failover`);
  return outcome;
};
const preparedOf = (result: BackupResult) => {
  const outcome = outcomeOf(result);
  if (outcome.kind !== 'failback-prepared') throw new Error(`${outcome.kind} instead of a preparation`);
  return outcome;
};
const Passed = z.object({
  error: z.string().optional(),
  results: z.array(z.object({ bucket: z.string(), reason: z.string().optional() })).optional(),
});
const kinds = (result: BackupResult): readonly string[] => result.steps.map(({ decision }) => decision.kind);

/** The tools of a host, with a `hadoop` that does something right after it copied to a bucket. */
const writerOf = (clusters: Clusters) => {
  const directory = mkdtempSync(join(tmpdir(), 'ozone-dr-writer-'));
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  const plan = join(directory, 'plan');
  writeFileSync(plan, '');
  writeFileSync(
    join(bin, 'hadoop'),
    `#!/bin/bash
${clusters.bin}/hadoop "$@"
ended=$?
if [[ $1 == distcp && \${@: -1} == */${BUSY}* ]]; then
  export PATH=${clusters.bin}:$PATH
  . ${plan}
fi
exit $ended
`,
  );
  writeFileSync(join(bin, 'ozone'), `#!/bin/bash\nexec ${clusters.bin}/ozone "$@"\n`);
  for (const program of ['hadoop', 'ozone']) chmodSync(join(bin, program), 0o755);
  return {
    bin,
    /** Lines of bash. */
    plans: (...lines: readonly string[]) => writeFileSync(plan, `${lines.join('\n')}\n`),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
};

/**
 * Failovers, end to end, in their order: on purpose, with somebody who goes on writing, and of a source that is lost. The
 * clusters are real or simulated; all else is what would be deployed. Contents are compared by a program that is none of
 * the product's.
 */
export const describeFailoverJob = <C extends Clusters>(
  name: string,
  start: () => Promise<C>,
  power: Power<C>,
): void => {
  describe(`failovers on ${name}`, { timeout: 600_000 }, () => {
    let clusters: C;
    let deployment: Deployment;
    let writer: ReturnType<typeof writerOf>;

    beforeAll(async () => {
      clusters = await start();
      writer = writerOf(clusters);
      for (const bucket of BUCKETS) {
        for (const service of ['prod', 'dr'] as const) await clusters.createBucket(on(service, bucket));
        await clusters.change(on('prod', bucket), firstContent);
      }
      deployment = await deploy({
        clusters,
        policies: policyText(
          BUCKETS,
          "retention: { zone: Etc/UTC, cron: '0 4 * * ? *', source: { keepLast: 7 }, replica: { keepLast: 7 } }",
        ),
        hostConfig: { path: writer.bin },
      });
      expect(await deployment.fire(slotOf(10))).toMatchObject({ status: 'SUCCEEDED' });
      for (const bucket of BUCKETS) await clusters.change(on('prod', bucket), laterContent);
      expect(await deployment.fire(slotOf(11))).toMatchObject({ status: 'SUCCEEDED' });
    }, 900_000);
    afterAll(async () => {
      await deployment?.close();
      writer?.remove();
      await clusters?.stop();
    });

    const newest = async (bucket: string) => {
      const [point] = await deployment.points(bucket);
      if (!point) throw new Error('the ledger has no point');
      return point;
    };
    const request = (bucket: string, kind: 'planned' | 'unplanned', more: object = {}) => ({
      policy: 'nightly',
      bucket,
      kind,
      by: 'Ada',
      reason: 'a test',
      ...more,
    });
    /** How the run of a bucket ended that a slot started, in an execution of its own or else in a batch, and why it was passed over. */
    const skippedIn = async (work: 'backup' | 'prune', slot: string, bucket: string) => {
      const machines = [`ozone-dr-${work}`, ...(work === 'backup' ? ['ozone-dr-backup-batch'] : [])];
      const before = machines.map((machine) => deployment.cloud.executions(machine).length);
      await deployment.fire(slot, work);
      const started = machines.flatMap((machine, n) => deployment.cloud.executions(machine).slice(before[n]));
      const one = started.find(({ input }) => JSON.stringify(input).includes(bucket));
      if (!one) throw new Error(`no ${work} of ${bucket} was started`);
      const { status, output } = await deployment.cloud.executionEnded(one.arn);
      const { error, results = [] } = Passed.parse(output);
      return { status, why: error ?? results.find((it) => it.bucket === bucket)?.reason?.replace(/:.*/s, '') };
    };
    const notPrimary = { status: 'SUCCEEDED', why: 'NotPrimary' };

    describe('on purpose', () => {
      it('the last backup brings over what is there now, and nothing is lost', async () => {
        const source = on('prod', MOVED);
        const { plan, confirmation, summary } = plannedOf(await deployment.failOver(request(MOVED, 'planned')));
        expect(confirmation).toMatch(new RegExp(`^fail over ${MOVED} to dr [0-9a-f]{12}$`));
        expect(summary).toContain('after a last backup');
        const planned = await newest(MOVED);
        await clusters.change(source, [put('written-after-the-plan', 321, 20)]);
        const before = await clusters.tree(source);

        const done = failedOverOf(await deployment.failOver(request(MOVED, 'planned', { plan, confirmation })));
        expect(done).toMatchObject({
          failover: 'planned',
          from: 'prod',
          to: 'dr',
          epoch: 1,
          lossSeconds: 0,
          bytesCopied: 0,
          safetySnapshot: expect.stringMatching(/^restore-safety-/),
        });
        const last = await newest(MOVED);
        expect(last).toMatchObject({ name: done.point, state: 'verified', mode: 'incremental', base: planned.name });
        expect(await clusters.tree(on('dr', MOVED))).toEqual(before);
        expect(await clusters.tree(`${on('dr', MOVED)}/.snapshot/${done.opened?.name}`)).toEqual(before);
        const drains = deployment.cloud.executions('ozone-dr-backup').filter((it) => it.name.startsWith('drain-'));
        expect(drains).toHaveLength(1);
        expect((await deployment.pair(MOVED)).role).toMatchObject({
          primary: 'replica',
          epoch: 1,
          state: 'settled',
          point: done.point,
          opened: { name: done.opened?.name },
        });
      });

      it('is refused when something was written after the last backup, and nothing has changed', async () => {
        const { plan, confirmation } = plannedOf(await deployment.failOver(request(BUSY, 'planned')));
        await clusters.change(on('prod', BUSY), [put('a-last-one', 33, 21)]);
        writer.plans('head -c 44 /dev/zero >late', `hadoop fs -put late ${on('prod', BUSY)}/late`);
        const refused = await deployment.failOver(request(BUSY, 'planned', { plan, confirmation }));
        writer.plans('');
        expect(refused).toMatchObject({ status: 'FAILED', error: 'ChangedMeanwhile' });
        expect(refused.cause).toContain('late');
        expect(await deployment.pair(BUSY)).toMatchObject({ role: null, lease: null, dirtySince: null });
        expect((await deployment.points(BUSY)).flatMap(({ pins }) => pins)).toEqual([]);

        const { error, cause } = await deployment.backUp({ policy: 'nightly', bucket: BUSY });
        expect({ error, cause }).toEqual({});
        const { name: point, mode } = await newest(BUSY);
        expect(mode).toBe('incremental');
        expect((await clusters.tree(`${on('dr', BUSY)}/.snapshot/${point}`)).has('late')).toBe(true);
      });
    });

    describe('of a source that is lost in the middle of an increment', () => {
      const SLOT = '2026-11-12T03:00:00Z';
      const unplanned = request(LOST, 'unplanned', { slot: SLOT });
      const replica = on('dr', LOST);

      it('goes back to the last verified point, without the source and only with the words of the plan', async () => {
        const point = await newest(LOST);
        const good = await clusters.tree(on('prod', LOST));
        await clusters.change(on('prod', LOST), neverReplicated);
        await clusters.change(replica, halfApplied);
        const damaged = await clusters.tree(replica);
        deployment.cloud.host(SOURCE_HOST).disconnect();
        await power.down(clusters, 'prod');

        const { plan, confirmation, summary } = plannedOf(await deployment.failOver(unplanned));
        expect(summary).toContain('WHAT WAS WRITTEN TO prod SINCE IS NOT THERE');
        expect(await deployment.pair(LOST)).toMatchObject({ role: null, lease: null });
        for (const words of ['yes', 'overwrite sales/orders', confirmation?.replace('dr', 'prod')])
          expect(await deployment.failOver({ ...unplanned, plan, confirmation: words })).toMatchObject({
            status: 'FAILED',
            error: 'NotConfirmed',
          });
        expect(await deployment.failOver(request(LOST, 'planned', { plan, confirmation }))).toMatchObject({
          status: 'FAILED',
          error: 'NotConfirmed',
        });
        expect(await clusters.tree(replica)).toEqual(damaged);

        const confirmed = { ...unplanned, plan, confirmation };
        const result = await deployment.failOver(confirmed);
        const done = failedOverOf(result);
        expect(done).toMatchObject({ failover: 'unplanned', from: 'prod', to: 'dr', epoch: 1, point: point.name });
        expect(done.lossSeconds).toBeGreaterThan(0);
        // Only what was not as in the point.
        expect(done.bytesCopied).toBe(2000 + 500);
        expect(kinds(result)).toEqual([
          'examine',
          // What the source has otherwise: it does not answer, and is not waited for.
          'compare',
          'done',
          'examine',
          'safety-snapshot',
          'restore',
          'compare',
          'safety-snapshot',
          'done',
        ]);
        expect(await clusters.tree(replica)).toEqual(good);
        expect(await clusters.tree(`${replica}/.snapshot/${done.safetySnapshot}`)).toEqual(damaged);
        expect(await clusters.tree(`${replica}/.snapshot/${done.opened?.name}`)).toEqual(good);
        expect(await deployment.pair(LOST)).toMatchObject({
          lease: null,
          dirtySince: null,
          role: { primary: 'replica', state: 'settled', epoch: 1 },
        });

        // Sent twice: done once.
        const again = await deployment.failOver(confirmed);
        expect(again).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'skipped', error: 'SlotAlreadyDone' } });
        const anew = await deployment.failOver(request(LOST, 'unplanned'));
        expect(anew).toMatchObject({ status: 'FAILED', error: 'NotPrimary' });
        expect((await deployment.pair(LOST)).role?.epoch).toBe(1);
      });

      it('the next slots are passed over, also when the old primary is back, and what people write stays', async () => {
        await clusters.change(replica, [put('written-on-the-new-primary', 77, 22), { op: 'rm', path: 'same-size' }]);
        const written = await clusters.tree(replica);
        const snapshots = await deployment.points(LOST);

        expect(await skippedIn('backup', slotOf(13), LOST)).toEqual(notPrimary);
        await power.up(clusters, 'prod');
        deployment.cloud.host(SOURCE_HOST).connect();
        expect(await skippedIn('backup', slotOf(14), LOST)).toEqual(notPrimary);
        expect(await skippedIn('prune', '2026-11-14T04:00:00Z', LOST)).toEqual(notPrimary);
        const byHand = await deployment.backUp({ policy: 'nightly', bucket: LOST });
        expect(byHand).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'skipped', error: 'NotPrimary' } });

        expect(await clusters.tree(replica)).toEqual(written);
        expect(await deployment.points(LOST)).toEqual(snapshots);
        // What nobody may lose: it waits on the old primary.
        expect((await clusters.tree(on('prod', LOST))).has('2026/q2/jun')).toBe(true);
      });
    });

    describe('the way back', () => {
      const source = on('prod', LOST);
      const replica = on('dr', LOST);
      const asked = (kind: 'prepare' | 'switch', more: object = {}) => {
        const { kind: _, ...common } = request(LOST, 'planned', more);
        return { ...common, kind };
      };

      it('is not gone before what was written to the old primary is kept apart', async () => {
        const switched = await deployment.failBack(asked('switch'));
        expect(switched).toMatchObject({ status: 'FAILED', error: 'NotPrimary' });
        expect(switched.cause).toContain('prepare a failback first');
        const back = await deployment.backUp({ policy: 'nightly', bucket: LOST, back: true });
        expect(back).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'skipped', error: 'NotPrimary' } });
      });

      it('is prepared: the orphans are kept, and only the changes are brought back', async () => {
        await clusters.change(source, [{ op: 'rm', path: 'empty' }, put('2026/q1/feb', 2001, 40)]);
        const orphaned = await clusters.tree(source);
        const { plan, confirmation, summary } = plannedOf(await deployment.failBack(asked('prepare')));
        expect(confirmation).toMatch(new RegExp(`^fail back ${LOST} to prod [0-9a-f]{12}$`));
        expect(summary).toContain('since then on dr, which people use: 1 files added, 0 changed, 1 deleted (77 bytes)');
        expect(summary).toContain('since then on prod, the old primary: 2 files added, 1 changed, 0 deleted');
        expect(await clusters.tree(source)).toEqual(orphaned);
        const wrong = await deployment.failBack(asked('prepare', { plan, confirmation: 'yes' }));
        expect(wrong).toMatchObject({ status: 'FAILED', error: 'NotConfirmed' });

        const done = preparedOf(await deployment.failBack(asked('prepare', { plan, confirmation })));
        expect(done.orphans).toMatchObject({ files: 3, bytes: 700 + 900 + 2001 });
        const kept = await clusters.tree(on('prod', done.orphans?.bucket ?? ''));
        for (const path of ['2026/q2/may', '2026/q2/jun', '2026/q1/feb'])
          expect(kept.get(path)).toEqual(orphaned.get(path));
        expect([...kept].filter(([, { type }]) => type === 'file')).toHaveLength(3);
        // What is new on dr, and what the orphans had taken the place of: not what both have.
        expect(done.bytesCopied).toBe(77 + 2001);
        expect(await clusters.tree(source)).toEqual(await clusters.tree(replica));
      });

      it('is gone when nobody writes, and the usual direction goes on by increments', async () => {
        await clusters.change(replica, [put('written-before-the-switch', 55, 41)]);
        const { plan, confirmation } = plannedOf(await deployment.failBack(asked('switch')));
        expect(confirmation).toMatch(new RegExp(`^fail over ${LOST} to prod [0-9a-f]{12}$`));
        const done = failedOverOf(await deployment.failBack(asked('switch', { plan, confirmation })));
        expect(done).toMatchObject({ from: 'dr', to: 'prod', epoch: 2, lossSeconds: 0, bytesCopied: 0 });
        expect((await deployment.pair(LOST)).role).toMatchObject({ primary: 'source', epoch: 2, state: 'settled' });
        expect(await clusters.tree(source)).toEqual(await clusters.tree(replica));

        const before = await deployment.points(LOST);
        await clusters.change(source, [put('written-afterwards', 44, 42)]);
        const backedUp = await deployment.backUp({ policy: 'nightly', bucket: LOST });
        expect(backedUp).toMatchObject({ status: 'SUCCEEDED' });
        expect(await newest(LOST)).toMatchObject({
          state: 'verified',
          mode: 'incremental',
          base: done.point,
          bytesCopied: 44,
        });
        expect(await clusters.tree(replica)).toEqual(await clusters.tree(source));
        // No point of before was lost.
        for (const { name } of before) expect((await deployment.points(LOST)).map((it) => it.name)).toContain(name);
        expect(await skippedIn('prune', '2026-11-16T04:00:00Z', LOST)).toMatchObject({ status: 'SUCCEEDED' });
        const lateBack = await deployment.backUp({ policy: 'nightly', bucket: LOST, back: true });
        expect(lateBack).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'skipped', error: 'NotPrimary' } });
      });
    });
  });
};
