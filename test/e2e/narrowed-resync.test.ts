import { describe, expect, it } from 'vitest';
import { Lab } from '../in-process-edge/lab.ts';

describe('a resync of a large bucket', () => {
  it('looks only where something changed, ends verified and leaves nothing behind', async () => {
    const lab = new Lab({ limits: { narrowAbove: 5 } });
    const slot = (): string => {
      lab.advance(3_600_000);
      return new Date(lab.now).toISOString();
    };
    lab.source.change(
      Array.from({ length: 30 }, (_, i) => ({ op: 'put', path: `d${i % 6}/f${i}`, size: 10 + i, seed: i }) as const),
    );
    expect(await lab.backUp(slot())).toMatchObject({ status: 'SUCCEEDED', output: { mode: 'bootstrap' } });
    lab.source.change([
      { op: 'put', path: 'd1/new', size: 5, seed: 99 },
      { op: 'rm', path: 'd2/f2' },
      { op: 'mv', path: 'd3', to: 'moved' },
    ]);
    lab.replica.change([{ op: 'put', path: 'd4/stranger', size: 3, seed: 7 }]);
    const result = await lab.backUp(slot());
    expect(result).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'verified', mode: 'resync' } });
    const kinds = result.steps.map(({ decision }) => decision.kind);
    expect(kinds).toContain('mark-replica');
    const narrowed = result.steps.find(({ decision }) => decision.kind === 'replicate' && decision.narrow);
    expect(narrowed?.observed).toMatchObject({ kind: 'replicate', data: { units: expect.any(Number) } });
    expect(kinds.at(-2)).toBe('tidy');
    expect((await lab.pair()).marks).toEqual([]);
    const [newest] = await lab.points();
    expect(lab.tree('replica')).toEqual(lab.tree('source', newest?.name));
  });
});
