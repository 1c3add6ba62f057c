import { describe, expect, it } from 'vitest';
import { PairId } from '../../functions/core/domain/names.ts';
import { type BackupResult, Lab } from '../in-process-edge/lab.ts';

const BUCKET = 'sales/orders';
const PAIR = PairId.parse(`prod/${BUCKET}#dr`);
const HOUR = 3_600_000;

const kinds = (result: BackupResult): readonly string[] => result.steps.map(({ decision }) => decision.kind);

/** A bucket whose primary is dr: prod was lost an hour after its last backup. */
const failedOver = async (): Promise<Lab> => {
  const lab = new Lab();
  lab.source.change([
    { op: 'put', path: 'a/x', size: 10, seed: 1 },
    { op: 'put', path: 'b', size: 20, seed: 2 },
  ]);
  expect(await lab.backUp(new Date(lab.now).toISOString())).toMatchObject({ status: 'SUCCEEDED' });
  lab.advance(HOUR);
  expect(await lab.confirmed('failover', { kind: 'unplanned' })).toMatchObject({ status: 'SUCCEEDED' });
  lab.advance(HOUR);
  lab.replica.change([{ op: 'put', path: 'new/y', size: 5, seed: 5 }]);
  return lab;
};

const same = (lab: Lab): void => {
  expect([...lab.tree('source')]).toEqual([...lab.tree('replica')]);
};

/** The roles go back, and the usual direction goes on. */
const goesOn = async (lab: Lab): Promise<void> => {
  lab.advance(HOUR);
  lab.replica.change([{ op: 'put', path: 'new/z', size: 6, seed: 6 }]);
  const switched = await lab.confirmed('failback', { kind: 'switch' });
  expect(switched).toMatchObject({
    status: 'SUCCEEDED',
    output: { kind: 'failed-over', from: 'dr', to: 'prod', epoch: 2 },
  });
  same(lab);
  lab.advance(HOUR);
  lab.source.change([{ op: 'put', path: 'afterwards', size: 7, seed: 7 }]);
  const next = await lab.backUp(new Date(lab.now).toISOString());
  expect(next).toMatchObject({ status: 'SUCCEEDED', output: { mode: 'incremental', bytesCopied: 7 } });
  same(lab);
};

const rebuild = (lab: Lab): void => {
  for (const { name } of lab.snapshots('source'))
    lab.ozone.run('ozone', ['sh', 'snapshot', 'delete', `o3://prod/${BUCKET}`, name]);
  lab.advance(HOUR);
  expect(lab.ozone.run('ozone', ['sh', 'bucket', 'delete', '-r', '--yes', `o3://prod/${BUCKET}`]).exit).toBe(0);
};

describe('a failback', () => {
  it('copies nothing apart when nothing was written to the old primary, and goes back by an increment', async () => {
    const lab = await failedOver();
    const prepared = await lab.confirmed('failback', { kind: 'prepare' });
    expect(prepared).toMatchObject({ status: 'SUCCEEDED', output: { orphans: null, rounds: 1, bytesCopied: 5 } });
    expect(lab.ozone.buckets('prod', 'sales')).toEqual(['orders']);
    same(lab);
    await goesOn(lab);
  });

  it('goes on with the switch of another day, and another failover after it has the next epoch', async () => {
    const lab = await failedOver();
    await lab.confirmed('failback', { kind: 'prepare' });
    await goesOn(lab);
    lab.advance(24 * HOUR);
    const again = await lab.confirmed('failover', { kind: 'planned' });
    expect(again).toMatchObject({ status: 'SUCCEEDED', output: { epoch: 3, lossSeconds: 0, to: 'dr' } });
    expect((await lab.ledger.loadPair(PAIR)).role).toMatchObject({ primary: 'replica', epoch: 3, state: 'settled' });
  });

  it('is refused while somebody still writes to the old primary, which stays as it is', async () => {
    const lab = await failedOver();
    const planned = await lab.play(lab.startWith({ kind: 'prepare' }, lab.functions, 'failback'));
    expect(kinds(planned)).toEqual(['create-snapshot', 'measure-divergence', 'done']);
    const { plan, confirmation } = Object(planned.status === 'SUCCEEDED' ? planned.output : {});
    const execution = lab.startWith({ kind: 'prepare', plan, confirmation }, lab.functions, 'failback');
    const before = [...lab.tree('source')].length;
    let frozen = false;
    const ended = await lab.play(
      (async function* () {
        for (;;) {
          const next = await execution.next();
          if (next.done) return next.value;
          if (next.value.kind === 'entered' && next.value.state === 'measure-divergence' && !frozen) {
            frozen = true;
            lab.source.change([{ op: 'put', path: 'b', size: 20, seed: 99 }]);
          }
          yield next.value;
        }
      })(),
    );
    expect(ended).toMatchObject({ status: 'FAILED', error: 'ChangedMeanwhile' });
    expect([...lab.tree('source')]).toHaveLength(before);
    expect((await lab.ledger.loadPair(PAIR)).role).toMatchObject({ primary: 'replica', prepared: null });
  });

  it('overwrites nothing that came to the old primary after its preparation, until that is kept apart too', async () => {
    const lab = await failedOver();
    await lab.confirmed('failback', { kind: 'prepare' });
    lab.advance(HOUR);
    lab.source.change([{ op: 'put', path: 'too-late', size: 4, seed: 44 }]);
    const refused = await lab.confirmed('failback', { kind: 'switch' });
    expect(refused).toMatchObject({ status: 'FAILED', error: 'ChangedMeanwhile' });
    expect(lab.tree('source').has('too-late')).toBe(true);
    lab.advance(HOUR);
    const again = await lab.confirmed('failback', { kind: 'prepare' });
    expect(again).toMatchObject({ status: 'SUCCEEDED' });
    const [orphans] = lab.ozone.buckets('prod', 'sales').filter((name) => name.includes('-orphans-'));
    expect(lab.ozone.tree(`ofs://prod/sales/${orphans}`).has('too-late')).toBe(true);
    same(lab);
    await goesOn(lab);
  });

  it.each(['gone', 'empty'] as const)('fills a primary that was built anew, its bucket %s', async (how) => {
    const lab = await failedOver();
    rebuild(lab);
    if (how === 'empty') lab.ozone.run('ozone', ['sh', 'bucket', 'create', `o3://prod/${BUCKET}`]);
    const prepared = await lab.confirmed('failback', { kind: 'prepare' });
    expect(prepared).toMatchObject({ status: 'SUCCEEDED', output: { orphans: null, bytesCopied: 35 } });
    same(lab);
    await goesOn(lab);
  });

  it('leaves a primary alone that was built anew and holds something', async () => {
    const lab = await failedOver();
    rebuild(lab);
    lab.ozone.run('ozone', ['sh', 'bucket', 'create', `o3://prod/${BUCKET}`]);
    lab.source.change([{ op: 'put', path: 'foreign', size: 1, seed: 1 }]);
    const prepared = await lab.confirmed('failback', { kind: 'prepare' });
    expect(prepared).toMatchObject({ status: 'FAILED', error: 'BucketsFailed' });
    expect([...lab.tree('source').keys()]).toEqual(['foreign']);
  });
});
