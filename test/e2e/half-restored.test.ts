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
});
