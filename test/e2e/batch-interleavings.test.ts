import { describe, expect, it } from 'vitest';
import { Policy } from '../../functions/core/domain/policy.ts';
import { RestorePlanned } from '../../functions/core/domain/restore.ts';
import { itemsOf } from '../../functions/core/planner/fleet.ts';
import { BatchOutput, type Ended, type Moment } from '../in-process-edge/execution.ts';
import { type BackupResult, Lab, type LabOptions } from '../in-process-edge/lab.ts';
import { eventOf } from '../in-process-edge/run-command.ts';
import { CHANGES, FIRST } from './crash-matrix-backups.ts';
import { BatchPromises } from './crash-matrix-batches.ts';
import { retentionOf } from './deletion-promises.ts';

const HOUR_MS = 3_600_000;
const BUCKETS = ['sales/orders', 'sales/two', 'sales/three', 'sales/four'];
const [ORDERS = '', TWO = '', THREE = '', FOUR = ''] = BUCKETS;

/** A lab of four buckets that have a verified point each, with the promises that are watched. */
const labOf = async (options: LabOptions = {}) => {
  const promises = new BatchPromises(BUCKETS);
  const lab = new Lab({ mode: 'incremental', buckets: BUCKETS, between: promises.between, ...options });
  promises.watch(lab);
  for (const bucket of BUCKETS) lab.source.change(FIRST, bucket);
  await together(lab);
  lab.advance(HOUR_MS);
  return { lab, promises };
};

const slotOf = (lab: Lab): string => new Date(lab.now).toISOString();

/** What the fleet does: a batch, and executions of their own for what it hands over, or for all when it was stopped. */
async function* asTheFleet(
  lab: Lab,
  slot: string,
  buckets: readonly string[],
  policy: string,
): AsyncGenerator<Moment, Ended> {
  const ended = yield* lab.startBatch(slot, buckets, lab.functions, policy);
  const output = ended.status === 'SUCCEEDED' ? BatchOutput.parse(ended.output) : { handedOver: [], results: [] };
  const alone: Ended[] = [];
  for (const { bucket } of output.handedOver)
    alone.push(yield* lab.startWith({ policy, bucket, slot }, lab.functions, 'backup'));
  const unachieved = output.results.find(({ status }) => status === 'failed');
  if (unachieved) return { status: 'FAILED', error: unachieved.bucket, cause: unachieved.reason, runId: null };
  const failed = alone.find(({ status }) => status === 'FAILED');
  return failed ?? { status: 'SUCCEEDED', output: { ...output, alone }, runId: null };
}
const fleet = (lab: Lab, slot = slotOf(lab), { buckets = BUCKETS, policy = 'nightly' } = {}) =>
  asTheFleet(lab, slot, buckets, policy);
const together = (lab: Lab, slot?: string): Promise<BackupResult> => lab.play(fleet(lab, slot));

/** Plays an execution alone until it waits for its n-th command, which nobody has done. */
const until = async (lab: Lab, execution: AsyncGenerator<Moment, Ended>, commands: number): Promise<void> => {
  for (let waits = 0; ; ) {
    const next = await execution.next();
    if (next.done) throw new Error('it ended before');
    if (next.value.kind !== 'token') continue;
    waits += 1;
    if (waits === commands) return;
    const [command] = lab.runCommand.pending();
    if (!command) throw new Error('no command is under way');
    lab.deliver(command);
    await lab.settle(eventOf(command));
  }
};

/** Nothing is broken, and every bucket is as it was asked for. */
const expectGood = async (lab: Lab, promises: BatchPromises, good: readonly string[] = BUCKETS): Promise<void> => {
  await promises.check();
  await promises.settled(lab, good);
  expect(promises.broken).toEqual([]);
};
const pointsOf = async (lab: Lab, bucket: string): Promise<number> => (await lab.points(bucket)).length;

describe('a batch beside others', () => {
  it.each([
    ['that began before it', (lab: Lab, slot: string) => [lab.start(slot, TWO), fleet(lab, slot)]],
    ['that begins after it', (lab: Lab, slot: string) => [fleet(lab, slot), lab.start(slot, TWO)]],
  ])('an ordinary backup of the same slot and one of its buckets %s', async (_, both) => {
    const { lab, promises } = await labOf();
    lab.source.change(CHANGES, TWO);
    const results = await lab.playTogether(both(lab, slotOf(lab)));
    expect(results.map(({ status }) => status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    await expectGood(lab, promises);
    expect(await pointsOf(lab, TWO)).toBe(2);
  });

  it('an execution of backup that finds its run in a batch waits until it is handed over', async () => {
    const { lab, promises } = await labOf();
    lab.source.change(CHANGES, TWO);
    const slot = slotOf(lab);
    const batch = lab.startBatch(slot, BUCKETS);
    await until(lab, batch, 1);
    const [ended, alone] = await lab.playTogether([batch, lab.start(slot, TWO)]);
    expect(ended).toMatchObject({ status: 'SUCCEEDED', output: { handedOver: [{ bucket: TWO }] } });
    expect(alone).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'verified' } });
    await expectGood(lab, promises);
  });

  it('what is handed over is taken over at once: no lease is left, and nothing is waited for', async () => {
    const { lab } = await labOf();
    lab.source.change(CHANGES, TWO);
    const slot = slotOf(lab);
    const { status, ...ended } = await lab.play(lab.startBatch(slot, BUCKETS));
    expect({ status, ...ended }).toMatchObject({ output: { handedOver: [{ bucket: TWO }] } });
    expect((await lab.pair(TWO)).lease).toBeNull();
    const first = await lab.start(slot, TWO).next();
    expect(first.value).toMatchObject({ kind: 'entered', state: 'OpenRun' });
    const before = lab.now;
    expect(await lab.backUp(slot, TWO)).toMatchObject({ status: 'SUCCEEDED' });
    expect(lab.now - before).toBeLessThan(60_000);
  });

  it('the next slot takes over at once from a batch that a person stopped in the middle', async () => {
    const { lab, promises } = await labOf();
    lab.source.change(CHANGES, TWO);
    const batch = lab.startBatch(slotOf(lab), BUCKETS);
    const name = lab.newestExecution;
    await until(lab, batch, 2);
    lab.executions.stop(name);
    await batch.return({ status: 'FAILED', error: 'States.Aborted', cause: '', runId: null });
    for (const bucket of BUCKETS) expect((await lab.pair(bucket)).lease?.execution).toBe(name);
    lab.advance(1000);
    const results = await lab.play(fleet(lab));
    expect(results).toMatchObject({ status: 'SUCCEEDED' });
    for (const command of lab.runCommand.pending()) lab.deliver(command);
    await promises.check();
    expect(promises.broken).toEqual([]);
    for (const bucket of BUCKETS) expect((await lab.points(bucket))[0]).toMatchObject({ state: 'verified' });
  });

  it('an ordinary backup of another slot of one of its buckets', async () => {
    const { lab, promises } = await labOf();
    lab.source.change(CHANGES, TWO);
    const slot = slotOf(lab);
    lab.advance(60_000);
    const results = await lab.playTogether([fleet(lab, slot), lab.start(slotOf(lab), TWO)]);
    expect(results.map(({ status }) => status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    await expectGood(lab, promises);
  });

  it('the same slot twice, as two batches: each bucket has one point', async () => {
    const { lab, promises } = await labOf();
    lab.source.change(CHANGES, THREE);
    const slot = slotOf(lab);
    const results = await lab.playTogether([fleet(lab, slot), fleet(lab, slot)]);
    expect(results.map(({ status }) => status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    await expectGood(lab, promises);
    for (const bucket of BUCKETS) expect(await pointsOf(lab, bucket)).toBe(2);
  });

  it('a prune of one of its buckets', async () => {
    const keeps = { source: 1, replica: 1, graceHours: 1 };
    const { lab, promises } = await labOf({ retention: retentionOf(keeps) });
    await lab.expand();
    lab.advance(3 * 24 * HOUR_MS);
    for (let night = 1; night <= 3; night += 1) {
      expect(await together(lab)).toMatchObject({ status: 'SUCCEEDED' });
      lab.advance(24 * HOUR_MS);
    }
    await lab.prune(slotOf(lab), TWO);
    lab.advance(24 * HOUR_MS);
    lab.source.change(CHANGES, THREE);
    const slot = slotOf(lab);
    const prune = lab.start(slot, TWO, lab.functions, 'prune');
    const results = await lab.playTogether([prune, fleet(lab, slot)]);
    expect(results).toMatchObject([
      { status: 'SUCCEEDED', output: { kind: 'pruned', deleted: expect.any(Number) } },
      { status: 'SUCCEEDED' },
    ]);
    await promises.settled(lab, BUCKETS);
    expect(promises.broken).toEqual([]);
  });

  /** A batch beside the failover of one of its buckets, which was planned before. */
  const besideFailover = async (order: 'failover first' | 'batch first') => {
    const { lab, promises } = await labOf();
    lab.source.change(CHANGES, TWO);
    const asked = { bucket: THREE, kind: 'unplanned' };
    const planned = await lab.failover(asked);
    if (planned.status === 'FAILED') throw new Error(planned.cause);
    const { plan, confirmation } = RestorePlanned.parse(planned.output);
    const copies = promises.copies.length;
    const failover = lab.startWith({ ...asked, plan, confirmation }, lab.functions, 'failover');
    const batch = fleet(lab);
    const results = await lab.playTogether(order === 'batch first' ? [batch, failover] : [failover, batch]);
    expect(promises.copies.slice(copies).map(({ bucket }) => bucket)).toEqual([TWO]);
    await promises.settled(lab, [ORDERS, TWO, FOUR]);
    expect(promises.broken).toEqual([]);
    return { lab, results, points: await pointsOf(lab, THREE) };
  };

  it('a failover of one of its buckets that began before it: the others are done, and that bucket is left alone', async () => {
    const { lab, results, points } = await besideFailover('failover first');
    expect(results).toMatchObject([{ output: { kind: 'failed-over' } }, { status: 'SUCCEEDED' }]);
    expect(points).toBe(1);
    lab.advance(HOUR_MS);
    const skipped = { bucket: THREE, status: 'skipped', reason: expect.stringContaining('NotPrimary') };
    expect(await together(lab)).toMatchObject({
      output: { handedOver: [], results: expect.arrayContaining([expect.objectContaining(skipped)]) },
    });
  });

  it('a failover of one of its buckets that began after it: its plan is of an older point, and has to be made anew', async () => {
    const { results, points } = await besideFailover('batch first');
    expect(results).toMatchObject([{ status: 'SUCCEEDED' }, { status: 'FAILED', error: 'NotConfirmed' }]);
    expect(points).toBe(2);
  });

  it('a second policy on one of its buckets, at the same minute: each has its point', async () => {
    const weekly = (nightly: Policy) => [Policy.parse({ ...nightly, name: 'weekly', buckets: [TWO, THREE] })];
    const { lab, promises } = await labOf({ beside: weekly });
    lab.source.change(CHANGES, TWO);
    const slot = slotOf(lab);
    const results = await lab.playTogether([
      fleet(lab, slot),
      fleet(lab, slot, { buckets: [TWO, THREE], policy: 'weekly' }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    await expectGood(lab, promises);
    for (const bucket of [TWO, THREE])
      expect((await lab.points(bucket)).filter(({ policy }) => policy === 'weekly')).toMatchObject([
        { state: 'verified' },
      ]);
  });
});

describe('a command for several buckets', () => {
  it('whose program dies after two of four snapshots: each bucket has one point, and its next slot is ordinary', async () => {
    let left = -1;
    const { lab, promises } = await labOf({
      watch: (point) => {
        if (point !== 'after:snapshot-create' || left < 0) return false;
        left -= 1;
        return left === 0;
      },
    });
    lab.source.change(CHANGES, THREE);
    left = 2;
    expect(await together(lab)).toMatchObject({ status: 'SUCCEEDED' });
    expect(left).toBeLessThanOrEqual(0);
    await expectGood(lab, promises);
    for (const bucket of BUCKETS) expect(await pointsOf(lab, bucket)).toBe(2);
    lab.advance(HOUR_MS);
    const copies = promises.copies.length;
    expect(await together(lab)).toMatchObject({ status: 'SUCCEEDED', output: { handedOver: [] } });
    expect(promises.copies.length).toBe(copies);
    await expectGood(lab, promises);
  });

  it('that is delivered twice, and whose event comes twice, does its work once', async () => {
    const { lab, promises } = await labOf();
    const batch = lab.startBatch(slotOf(lab), BUCKETS);
    for (;;) {
      const next = await batch.next();
      if (next.done) {
        expect(next.value).toMatchObject({ output: { handedOver: [] } });
        break;
      }
      const [command] = next.value.kind === 'token' ? lab.runCommand.pending() : [];
      if (!command) continue;
      lab.deliver(command);
      lab.runCommand.deliverAgain(command);
      await Promise.all([lab.settle(eventOf(command)), lab.settle(eventOf(command))]);
      await lab.settle(eventOf(command));
    }
    await expectGood(lab, promises);
    for (const bucket of BUCKETS) expect(lab.snapshots('replica', bucket)).toHaveLength(2);
  });
});

it('the record of a bucket tells that its point was compared, also when it was sealed in a batch', async () => {
  const { lab } = await labOf();
  await together(lab);
  const { pair } = await lab.pair(TWO);
  const [newest] = await lab.points(TWO);
  expect((await lab.records.read(pair)).map((it) => it.happening)).toContainEqual(
    expect.objectContaining({ kind: 'verified', name: newest?.name, equal: true }),
  );
});

it('runs of a policy with hooks never go together', async () => {
  const before = { name: 'freeze', timeout: 30, fatal: true } as never;
  const slot = Date.UTC(2030, 0, 2) as never;
  const runs = BUCKETS.map((bucket) => ({ bucket: bucket as never, name: bucket }));
  const { lab } = await labOf();
  const [run] = await lab.points(TWO);
  const policy = (await lab.ledger.loadRun(run?.runId as never))?.run.policy as Policy;
  const shapes = (given: Policy) => itemsOf(given, { work: 'backup', slot }, runs).map((it) => it.runs.length);
  expect(shapes(policy)).toEqual([4]);
  for (const hooks of [
    { before, after: null },
    { before: null, after: before },
  ])
    expect(shapes({ ...policy, hooks })).toEqual([1, 1, 1, 1]);

  const hooked = new Lab({ buckets: BUCKETS, policyHooks: { before, after: null }, hooks: { freeze: () => 0 } });
  const ended = await hooked.play(hooked.startBatch(slotOf(hooked), BUCKETS));
  expect(ended).toMatchObject({ output: { handedOver: BUCKETS.map((bucket) => ({ bucket })), results: [] } });
  for (const bucket of BUCKETS) expect(hooked.snapshots('source', bucket)).toEqual([]);
});
