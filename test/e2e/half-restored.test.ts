import { describe, expect, it } from 'vitest';
import { PairId } from '../../functions/core/domain/names.ts';
import { Lab } from '../in-process-edge/lab.ts';
import type { Change } from '../ozone-simulator/change.ts';

const OTHER = 'ofs://prod/sales/other';
const other = { cluster: 'prod', bucket: 'sales/other' };
const put = (path: string, size: number, seed: number): Change => ({ op: 'put', path, size, seed });

/** A bucket with two points, and another bucket with something of its own. */
const labWithPoints = async (there: readonly Change[] = [], attempts = 1) => {
  const lab = new Lab({ limits: { attempts } });
  const slot = (): string => {
    lab.advance(60_000);
    return new Date(lab.now).toISOString();
  };
  lab.source.change([put('a/1', 10, 1), put('a/2', 20, 2), put('b', 30, 3), put('old', 40, 4)]);
  await lab.backUp(slot());
  lab.source.change([put('a/1', 11, 11), put('new', 50, 5), { op: 'rm', path: 'old' }]);
  await lab.backUp(slot());
  const [second = '', first = ''] = (await lab.points()).map(({ name }) => name);
  lab.ozone.run('ozone', ['sh', 'bucket', 'create', OTHER.replace('ofs', 'o3')]);
  lab.ozone.change(OTHER, there);
  lab.advance(60_000);
  /** The next copy dies after so many files. */
  const dying = (files: number) =>
    lab.ozone.setFaults([
      {
        id: 'dies',
        match: { program: 'hadoop' },
        effect: { kind: 'crash', point: 'after:distcp-copy-file', nth: files },
      },
    ]);
  const isMarked = async (bucket = 'other') =>
    (await lab.ledger.loadPair(PairId.parse(`prod/sales/${bucket}#restore`))).dirtySince !== null;
  const bytes = (url: string) =>
    Object.fromEntries(
      [...lab.ozone.tree(url)].flatMap(([path, it]) => (it.type === 'file' ? [[path, it.length] as const] : [])),
    );
  return { lab, first, second, slot, dying, isMarked, bytes };
};

describe('a target that is half written', () => {
  it('is not marked any more once another restore of the same paths has made it what it should be', async () => {
    const { lab, first, dying, isMarked } = await labWithPoints([put('mine', 5, 9)]);
    const request = { point: first, target: other, scope: { paths: ['a', 'b'] } };
    dying(1);
    expect(await lab.restore(request)).toMatchObject({ status: 'FAILED', error: 'CopyFailed' });
    expect(await isMarked()).toBe(true);
    lab.ozone.setFaults([]);
    lab.advance(60_000);
    expect(await lab.restore(request)).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'restored' } });
    expect(await isMarked()).toBe(false);
  });

  it('stays marked when other paths are restored to it', async () => {
    const { lab, first, dying, isMarked } = await labWithPoints([put('mine', 5, 9)]);
    dying(1);
    await lab.restore({ point: first, target: other, scope: { paths: ['a'] } });
    lab.ozone.setFaults([]);
    lab.advance(60_000);
    const another = { point: first, target: other, scope: { paths: ['b'] } };
    expect(await lab.restore(another)).toMatchObject({ status: 'SUCCEEDED' });
    expect(await isMarked()).toBe(true);
  });

  it('stays marked when another point is restored to it that leaves alone what the first one has written', async () => {
    const { lab, first, second, dying, isMarked } = await labWithPoints();
    dying(2);
    await lab.restore({ point: first, target: other });
    lab.ozone.setFaults([]);
    lab.advance(60_000);
    const ended = await lab.restore({ point: second, target: other });
    expect(ended).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'restored', leftAlone: 1 } });
    expect(await isMarked()).toBe(true);
  });

  it('loses nothing that was written to it between two executions of the same restore', async () => {
    const { lab, first, slot, bytes } = await labWithPoints([], 3);
    const request = { point: first, target: 'in-place', overwrite: 'if-different', scope: { paths: ['a', 'b'] } };
    const { output } = await lab.restore(request).then((it) => (it.status === 'SUCCEEDED' ? it : expect.fail()));
    if (!('plan' in output) || !('confirmation' in output)) return expect.fail('no plan');
    const words = { plan: output.plan, confirmation: output.confirmation, slot: slot() };
    const execution = lab.startWith({ ...request, ...words });
    for (let next = await execution.next(); !next.done; next = await execution.next()) {
      if (next.value.kind === 'entered' && next.value.state === 'compare') break;
      const [command] = lab.runCommand.pending();
      if (next.value.kind !== 'token' || !command) continue;
      lab.deliver(command);
      await lab.settle({
        detail: { 'command-id': command.id, parameters: { operation: [command.parameters.operation] } },
      });
    }
    await execution.return({ status: 'FAILED', error: 'States.Aborted', cause: '', runId: null });
    lab.source.change([put('a/1', 77, 77)]);
    await lab.restore({ ...request, ...words });
    const kept = lab.snapshots('source').filter(({ name }) => name.startsWith('restore-safety-'));
    const live = bytes('ofs://prod/sales/orders')['a/1'];
    const saved = kept.map(({ name }) => bytes(`ofs://prod/sales/orders/.snapshot/${name}`)['a/1']);
    expect([live, ...saved]).toContain(77);
  });
});

describe('a scratch bucket', () => {
  it('is not forgotten while a command that makes it may still arrive', async () => {
    const { lab } = await labWithPoints();
    const execution = lab.startWith({}, lab.functions, 'drill');
    for (let next = await execution.next(); !next.done; next = await execution.next()) {
      const [command] = lab.runCommand.pending();
      if (next.value.kind !== 'token' || !command) continue;
      if (command.parameters.verb === 'create-bucket') break;
      lab.deliver(command);
      await lab.settle({
        detail: { 'command-id': command.id, parameters: { operation: [command.parameters.operation] } },
      });
    }
    const [making] = lab.runCommand.pending();
    await execution.return({ status: 'FAILED', error: 'States.Aborted', cause: '', runId: null });
    if (making) making.state = { kind: 'ended', status: 'Cancelled', output: '' };
    lab.advance(60_000);
    const began = lab.now;
    expect(await lab.drill()).toMatchObject({ status: 'SUCCEEDED' });
    const known = making && (await lab.operations.load(making.parameters.operation));
    expect(known?.deadline).toBeGreaterThan(began);
    expect(lab.now).toBeGreaterThan(known?.deadline ?? Number.POSITIVE_INFINITY);
  });
});
