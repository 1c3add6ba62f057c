import { describe, expect, it } from 'vitest';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { type DatedPoint, newestFirst } from '../../../functions/core/planner/newest-first.ts';

/** A repeatable series of whole numbers below `below`. */
const random = (seed: number) => {
  let state = seed;
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
};

const compared = (points: readonly DatedPoint[]) =>
  points.toSorted((a, b) => b.at - a.at || (a.name < b.name ? 1 : -1));

describe('newest first', () => {
  it.each([
    ['a few', 100, 4e12],
    ['many over a hundred years', 30_000, 4e12],
    ['many within a minute', 30_000, 60_000],
    ['many of three instants', 30_000, 3],
    ['many of one instant', 30_000, 1],
  ])('%s: as a comparing sort has them', (_sentence, count, range) => {
    const next = random(count + range);
    const points = Array.from({ length: count }, (_, index) => ({
      name: `p${(index * 7919) % count}`,
      at: epochMs(next(range)),
    }));
    const expected = compared(points);
    expect(newestFirst(points)).toEqual(expected);
    expect(newestFirst(expected)).toEqual(expected);
    expect(newestFirst(expected.toReversed())).toEqual(expected);
  });

  it('leaves what it was given as it was', () => {
    const points = ['b', 'a', 'c'].map((name, at) => ({ name, at: epochMs(at) }));
    newestFirst(points);
    expect(points.map(({ name }) => name)).toEqual(['b', 'a', 'c']);
  });
});
