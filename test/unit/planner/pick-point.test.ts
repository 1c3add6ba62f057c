import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RecoveryPoint } from '../../../functions/core/domain/ledger.ts';
import { PolicyName } from '../../../functions/core/domain/names.ts';
import { Drills } from '../../../functions/core/domain/policy.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { isReadable, nearestPoint, pickForDrill } from '../../../functions/core/planner/pick-point.ts';
import { HOUR, lineageOf, now, passed, timeOf, type World } from './lineage-world.ts';

const drills = (more: Partial<Drills> = {}): Drills & { policy: PolicyName } => ({
  policy: PolicyName.parse('nightly'),
  ...Drills.parse({ cron: '0 6 * * ? *', zone: 'Europe/Berlin' }),
  ...more,
});
const pointsOf = (world: World) => lineageOf(world).points;
const letterOf = (point: RecoveryPoint | undefined): string | null =>
  point ? String.fromCharCode(96 + new Date(point.source.created).getUTCDate()) : null;

describe('a point can be read', () => {
  it.each<[string, World, string]>([
    ['on both sides when it is verified', { points: 'z*' }, 'source replica'],
    ['on the source when it is only taken', { points: 'z' }, 'source'],
    ['on the source when it is not compared yet', { points: 'z~' }, 'source'],
    ['on the source when the replica differs', { points: 'z!' }, 'source'],
    ['on the other side when one is deleted', { points: 'z*-s' }, 'replica'],
    ['on the other side when the other is deleted', { points: 'z*-r' }, 'source'],
    ['when it is condemned: it is still there', { points: 'z*', removals: 'z:condemned' }, 'source replica'],
    ['not once a host may have been told to delete it', { points: 'z*', removals: 'z:deleting' }, 'replica'],
    ['nowhere', { points: 'z!-s' }, ''],
  ])('%s', (_sentence, world, sides) => {
    const [point] = pointsOf(world);
    if (!point) throw new Error('the world has a point');
    expect((['source', 'replica'] as const).filter((side) => isReadable(point, side)).join(' ')).toBe(sides);
  });
});

describe('the newest point at or before a time', () => {
  const at = (letter: string, hours = 0) => epochMs(timeOf(letter) + hours * HOUR);
  it.each<[string, string, number, string | null]>([
    ['of that very moment', 'w* x* y* z*', at('x'), 'x'],
    ['before it', 'w* x* y* z*', at('x', 5), 'x'],
    ['of before all of them there is none', 'w* x*', at('w', -1), null],
    ['also one that is only on the source', 'w* x', at('z'), 'x'],
    ['also one whose replica differs', 'w* x!', at('z'), 'x'],
    ['not one that is on no side any more', 'w* x!-s', at('z'), 'w'],
    ['of nothing there is none', '', at('z'), null],
  ])('%s', (_sentence, points, asOf, letter) => {
    expect(letterOf(nearestPoint(pointsOf({ points }), epochMs(asOf)))).toBe(letter);
    // The order of the list does not matter.
    expect(letterOf(nearestPoint(pointsOf({ points }).toReversed(), epochMs(asOf)))).toBe(letter);
  });
});

describe('the point that is drilled', () => {
  it.each<[string, World, Partial<Drills>, string | null]>([
    ['the newest verified one', { points: 'w* x* y~ z' }, {}, 'x'],
    ['one whose copy is on the replica, though another is newer', { points: 'w* x*-r' }, {}, 'w'],
    ['one of the source, where the replica has none', { points: 'w*-r x*-r' }, {}, 'x'],
    ['not one that differs', { points: 'w* x!' }, {}, 'w'],
    ['none when nothing is verified', { points: 'w x~ y!' }, {}, null],
    [
      'none when nothing is verified on a replica, though the source is asked for',
      { points: 'w x~' },
      { on: 'source' },
      null,
    ],
    ['of a bucket without a replica the newest', { points: 'w x', local: true }, { on: 'source' }, 'x'],
    ['of a bucket without a replica not a deleted one', { points: 'w x-s', local: true }, { on: 'source' }, 'w'],
    ['at random, the only one', { points: 'w x*' }, { pick: 'random' }, 'x'],
    ['at random, of the source, where the replica has none', { points: 'w x*-r' }, { pick: 'random' }, 'x'],
    ['at random, of none', { points: 'w x' }, { pick: 'random' }, null],
  ])('%s', (_sentence, world, more, letter) => {
    expect(letterOf(pickForDrill(pointsOf(world), drills(more), now))).toBe(letter);
  });

  it('is one of its own policy, and one of another only while it has none', () => {
    const points = pointsOf({ points: 'w* x* y*' }).map((point) =>
      letterOf(point) === 'w' ? point : { ...point, policy: PolicyName.parse('hourly') },
    );
    const pick = (policy: string) =>
      letterOf(pickForDrill(points, { ...drills(), policy: PolicyName.parse(policy) }, now));
    expect([pick('nightly'), pick('hourly'), pick('drills-only')]).toEqual(['w', 'y', 'y']);
  });

  const many = 'a* b* c* d* e* f* g* h* i* j* k* l* m* n*-r o*-r p*-s q* r* s* t*';
  const random = drills({ pick: 'random' });
  /** Plays slots one after the other: what is picked is drilled, unless it is one that fails. */
  const drilledIn = (slots: number, from: number, hours: number, fails: string) => {
    let points = pointsOf({ points: many });
    const seen = new Set<string>();
    for (let slot = 0; slot < slots; slot++) {
      const at = epochMs(from + slot * hours * HOUR);
      const picked = pickForDrill(points, random, at);
      if (!picked) throw new Error('there is always one');
      seen.add(picked.name);
      if (letterOf(picked) === fails) continue;
      points = points.map((point) => (point === picked ? { ...point, drilled: { ...passed(0), at } } : point));
    }
    return seen;
  };

  it('at random: the same slot picks the same, whatever the order of the list', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), (at) => {
        const points = pointsOf({ points: many });
        expect(pickForDrill(points.toReversed(), random, epochMs(at))).toBe(pickForDrill(points, random, epochMs(at)));
      }),
    );
  });

  it('at random: every copy on the replica gets its turn and no other, whatever the pace, also while one of them fails every time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1.7e9, max: 4e9 }),
        fc.constantFrom(1, 6, 24, 168, 731),
        fc.constantFrom('', ...'aknt'),
        (from, hours, fails) => {
          expect(drilledIn(300, from * 1000, hours, fails).size).toBe(18);
        },
      ),
    );
  });
});
