import { describe, expect, it } from 'vitest';
import { SnapshotName } from '../../../functions/core/domain/names.ts';
import { compare, differencesFrom } from '../../demo/play.ts';
import type { Expected } from '../../demo/story.ts';
import type { TreeEntry } from '../../ozone-cluster/ozone-clusters.ts';

const base = SnapshotName.parse('odr-nightly-20261110t020000z-1');
const increment: Expected = { kind: 'verified', mode: 'incremental', base: '2026-11-10', changed: true };
const point = { state: 'verified', mode: 'incremental', base, changed: true } as const;
const succeeded = { status: 'SUCCEEDED', error: undefined };

describe('what the demo holds against its story', () => {
  it('finds nothing in a night that went as told', () => {
    expect(differencesFrom(increment, succeeded, point)).toEqual([]);
    const failed = { status: 'FAILED', error: 'ReplicaUnreachable' };
    const taken = { state: 'taken', mode: null, base: null, changed: null } as const;
    expect(differencesFrom({ kind: 'failed', error: 'ReplicaUnreachable' }, failed, taken)).toEqual([]);
    expect(differencesFrom({ kind: 'missed' }, undefined, null)).toEqual([]);
  });

  it.each([
    ['a run that failed', increment, { status: 'FAILED', error: 'CopyFailed' }, point],
    ['another mode', increment, succeeded, { ...point, mode: 'resync' as const }],
    ['another base', increment, succeeded, { ...point, base: SnapshotName.parse('odr-nightly-20261109t020000z-1') }],
    ['a point that is not verified', increment, succeeded, { ...point, state: 'differs' as const }],
    [
      'a failure with another error',
      { kind: 'failed', error: 'ReplicaUnreachable' } as const,
      { status: 'FAILED', error: 'CopyFailed' },
      null,
    ],
    ['a run that should not have been', { kind: 'missed' } as const, succeeded, null],
  ])('finds %s', (_, expected, result, seen) => {
    expect(differencesFrom(expected, result, seen)).toHaveLength(1);
  });

  const file = (sha256: string): TreeEntry => ({ type: 'file', length: 3, sha256 });
  const clusters = (trees: Readonly<Record<string, ReadonlyMap<string, TreeEntry>>>) => ({
    clusters: { tree: async (url: string) => trees[url.replace('/sales/orders', '')] ?? new Map() },
  });
  const snapshot = `.snapshot/${base}`;

  it('reads both snapshots and the live replica, content included', async () => {
    const good = new Map([['a', file('1')]]);
    const all = { [`ofs://prod/${snapshot}`]: good, [`ofs://dr/${snapshot}`]: good, 'ofs://dr': good };
    expect(await compare(clusters(all), { name: base }, true)).toEqual([]);
    const other = new Map([['a', file('2')]]);
    expect(await compare(clusters({ ...all, [`ofs://dr/${snapshot}`]: other }), { name: base }, true)).toHaveLength(1);
    expect(await compare(clusters({ ...all, 'ofs://dr': other }), { name: base }, true)).toHaveLength(1);
    expect(await compare(clusters({}), { name: base }, false)).toEqual([`ofs://prod/sales/orders is empty in ${base}`]);
  });
});
