import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RecoveryPoint } from '../../../functions/core/domain/ledger.ts';
import { RestoreRate } from '../../../functions/core/domain/restore.ts';
import { Bytes } from '../../../functions/core/domain/units.ts';
import { restoreRate, restoreTime } from '../../../functions/core/planner/restore-rate.ts';
import { lineageOf, nameOf, passed } from './lineage-world.ts';

const { points, policy } = lineageOf({ points: 'x* y* z*' });
const { limits } = policy;
/** The points with what was measured of each, by letter. */
const measured = (of: Readonly<Record<string, Partial<RecoveryPoint>>>): readonly RecoveryPoint[] =>
  points.map((point) => ({
    ...point,
    ...Object.entries(of).find(([letter]) => nameOf(letter) === point.name)?.[1],
  }));
const copied = (bytes: number, copySeconds: number) => ({ bytesCopied: Bytes.parse(bytes), copySeconds });
const small = { files: 9, bytes: Bytes.parse(90), bytesCopied: Bytes.parse(90) };
const DRILL = `measured by the drill of ${nameOf('y')} (3 GB in 100 s)`;

describe('where a rate is known from', () => {
  it.each<[string, Parameters<typeof measured>[0], string]>([
    ['a drill', { y: { drilled: passed(5) } }, DRILL],
    ['a drill goes before a copy', { y: { drilled: passed(5) }, z: copied(9e9, 9) }, DRILL],
    ['the newest of several drills', { x: { drilled: passed(50) }, y: { drilled: passed(5) } }, DRILL],
    [
      'a drill that moved enough goes before a newer one that did not',
      { y: { drilled: passed(50) }, z: { drilled: passed(5, small) } },
      DRILL,
    ],
    [
      'the slowest of the copies that moved enough',
      { x: copied(3e9, 30), y: copied(3e9, 40), z: copied(9e8, 900) },
      `measured by the copy of ${nameOf('y')} (3 GB in 40 s)`,
    ],
    [
      'nothing was measured',
      {},
      'assumed to be 20 MB and 25 files a second: no drill passed, and no copy moved enough to measure',
    ],
    [
      'a drill moved too little',
      { y: { drilled: passed(5, small) } },
      `assumed to be 20 MB and 25 files a second: the drill of ${nameOf('y')} moved too little to measure more than a start (90 bytes in 100 s)`,
    ],
    [
      'many small files are enough to measure',
      { y: { drilled: passed(5, { ...small, files: 90_000 }) } },
      `measured by the drill of ${nameOf('y')} (90 bytes in 100 s)`,
    ],
  ])('%s', (_sentence, world, basis) => {
    expect(restoreRate(measured(world), limits)).toMatchObject({ basis });
  });

  it('the limit of the policy, where that is lower', () => {
    const slow = { ...limits, maps: 2, bandwidthMBps: 4 };
    const rate = restoreRate(measured({ y: { drilled: passed(5) } }), slow);
    // That of one map: Hadoop's local runner makes no more.
    expect(rate).toMatchObject({ bytesPerSecond: 4e6, basis: `${DRILL}, and the policy allows 4 MB a second` });
    expect(restoreRate(measured({ y: { drilled: passed(5) } }), { ...slow, bandwidthMBps: 1000 }).basis).toBe(DRILL);
  });
});

describe('how long a restore takes', () => {
  const size = fc.record({ files: fc.integer({ min: 0, max: 1e7 }), bytes: fc.integer({ min: 0, max: 1e14 }) });
  const time = fc.integer({ min: 1, max: 1e6 });

  it('of as much as the drill restored: as long as the drill', () => {
    fc.assert(
      fc.property(size, time, ({ files, bytes }, seconds) => {
        const drilled = passed(5, { files, bytesCopied: Bytes.parse(bytes), seconds: seconds as never });
        const forecast = restoreTime(restoreRate(measured({ y: { drilled } }), limits), { files, bytes });
        expect(forecast).toBeGreaterThanOrEqual(seconds);
        // A drill too small to measure adds what it moved at the assumed rates, which is less than a minute.
        expect(forecast).toBeLessThanOrEqual(seconds + 51);
      }),
    );
  });

  it('of more: longer; and it is never nothing', () => {
    fc.assert(
      fc.property(size, size, time, time, (one, other, seconds, bytes) => {
        const drilled = passed(5, { bytesCopied: Bytes.parse(bytes * 1e5), seconds: seconds as never });
        const rate = RestoreRate.parse(restoreRate(measured({ y: { drilled } }), limits));
        const both = { files: one.files + other.files, bytes: one.bytes + other.bytes };
        expect(restoreTime(rate, both)).toBeGreaterThanOrEqual(restoreTime(rate, one));
        expect(restoreTime(rate, { files: 0, bytes: 0 })).toBeGreaterThan(0);
      }),
    );
  });

  it('before anything was measured: a start, and the assumed rates', () => {
    expect(restoreTime(restoreRate(points, limits), { files: 1000, bytes: 2e9 })).toBe(60 + 40 + 100);
  });
});
