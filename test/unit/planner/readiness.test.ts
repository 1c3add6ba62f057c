import { describe, expect, it } from 'vitest';
import type { PairState } from '../../../functions/core/domain/ledger.ts';
import { ClusterName, runId } from '../../../functions/core/domain/names.ts';
import { Readiness } from '../../../functions/core/domain/readiness.ts';
import type { Role } from '../../../functions/core/domain/roles.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { readinessOf, whyNotReady } from '../../../functions/core/planner/readiness.ts';
import { readyText } from '../../../functions/core/planner/sentences.ts';
import { HOUR, lineageOf, nameOf, now, timeOf, type World } from './lineage-world.ts';
import { operationOf } from './world.ts';

const facts = lineageOf({ points: '' });
const replica = { name: ClusterName.parse('dr') };
const BACKUP = runId(facts.pair.pair, facts.policy.name, timeOf('z'));
const FAILOVER = runId(facts.pair.pair, facts.policy.name, timeOf('z'), 'failover');

/** What is ready in this world, in the form that is printed. */
const readyOf = (world: World, at = now): Readiness => {
  const known = lineageOf(world);
  return Readiness.parse(readinessOf({ ...known, replica, lastDrill: known.drills.lastDrill }, at));
};

const role = (more: Partial<Role> = {}): Role => ({
  primary: 'replica',
  epoch: 1,
  state: 'settled',
  point: nameOf('y'),
  since: epochMs(now - HOUR),
  by: FAILOVER,
  opened: null,
  prepared: null,
  restricted: null,
  ...more,
});
const lease = (hours: number, by = BACKUP): Pick<PairState, 'lease'> => ({
  lease: { runId: by, execution: 'arn:backup', token: 3, expires: epochMs(now + hours * HOUR) },
});
const dirty = { dirtySince: { operation: operationOf(3), at: timeOf('z') } };
const hold = (verdicts: Partial<NonNullable<PairState['hold']>> = {}): Pick<PairState, 'hold'> => ({
  hold: {
    target: nameOf('z'),
    base: nameOf('y'),
    deletes: 5000,
    renames: 0,
    complete: true,
    limit: 1000,
    at: timeOf('z'),
    accepted: null,
    rejected: null,
    ...verdicts,
  },
});
const ada = { by: 'Ada', reason: 'meant', at: now };
const points = 'x* y* z';

describe('what would fail over now', () => {
  it.each<[string, World, string, string | null, readonly string[]]>([
    ['the newest verified point, of a replica that is clean', { points }, 'yes', 'y', []],
    ['nothing, when nothing was ever verified', { points: 'x y~ z!' }, 'no', null, ['no-point']],
    ['nothing, when the only copy is deleted', { points: 'x y*-r z' }, 'no', null, ['no-point']],
    ['the point before one whose copy is deleted', { points: 'x* y*-r' }, 'yes', 'x', []],
    ['a point whose snapshot on the source is gone', { points: 'x* y*-s' }, 'yes', 'y', []],
    ['a dirty replica is brought back first', { points, pair: dirty }, 'yes', 'y', ['replica-dirty']],
    [
      'so is one that somebody else wrote into',
      { points, pair: { foreignChange: dirty.dirtySince } },
      'yes',
      'y',
      ['replica-dirty'],
    ],
    ['not while a run is at work', { points, pair: lease(1) }, 'not at the moment', 'y', ['at-work']],
    ['a run that gave its lease up is in nobody’s way', { points, pair: lease(-1) }, 'yes', 'y', []],
    ['not while a copy may be alive', { points, copying: 'z' }, 'not at the moment', 'y', ['copy-alive']],
    [
      'of a run at work its copy is not told besides',
      { points, copying: 'z', pair: { ...lease(1), ...dirty } },
      'not at the moment',
      'y',
      ['at-work', 'replica-dirty'],
    ],
    [
      'a change that is held back stops only a planned one',
      { points, pair: hold() },
      'yes, but not as planned',
      'y',
      ['change-held'],
    ],
    [
      'also when it was rejected',
      { points, pair: hold({ rejected: ada }) },
      'yes, but not as planned',
      'y',
      ['change-held'],
    ],
    ['not when it was accepted', { points, pair: hold({ accepted: ada }) }, 'yes', 'y', []],
    ['a pause is in nobody’s way', { points, paused: ada }, 'yes', 'y', []],
    ['not what was failed over already', { points, pair: { role: role() } }, 'it was, to dr', null, ['failed-over']],
    [
      'what is on its way goes on to its own point, by the same failover',
      { points: 'x* y* z*', pair: { role: role({ state: 'moving' }), ...lease(1, FAILOVER) } },
      'it is on its way',
      'y',
      ['moving'],
    ],
    [
      'and says who else is at work',
      { points, pair: { role: role({ state: 'moving' }), ...lease(1) } },
      'it is on its way',
      'y',
      ['moving', 'at-work'],
    ],
    ['what came back can go again', { points, pair: { role: role({ primary: 'source', epoch: 2 }) } }, 'yes', 'y', []],
  ])('%s', (_sentence, world, answer, point, kinds) => {
    const ready = readyOf(world);
    expect([readyText(ready), ready.point?.name ?? null, ready.remarks.map(({ kind }) => kind)]).toEqual([
      answer,
      point && nameOf(point),
      kinds,
    ]);
    expect(ready.isReady).toBe(answer.startsWith('yes'));
    for (const { text, remedy } of ready.remarks)
      expect([text.length > 20, /^[A-Z].*\.$/.test(remedy)]).toEqual([true, true]);
  });

  it('says what would be lost: the age of the point', () => {
    expect(readyOf({ points }).point).toEqual({ name: nameOf('y'), at: timeOf('y'), age: (now - timeOf('y')) / 1000 });
    // A point of a clock that was ahead is not begun with.
    expect(readyOf({ points: 'x* z*' }, epochMs(timeOf('y'))).point?.name).toBe(nameOf('x'));
  });

  it('takes no copying of a clean replica, and all of it of a dirty one, and says where that is known from', () => {
    const drilled = 'x:24';
    const clean = readyOf({ points, drilled });
    const all = readyOf({ points, drilled, pair: dirty });
    expect(clean.takes).toMatchObject({ files: 90, isWithin: true });
    expect(clean.takes?.basis).toMatch(/^nothing has to be copied.*measured by the drill of odr-nightly-20261124/);
    expect(all.takes?.basis).toMatch(/^at most: all may have to be copied.*measured by the drill/);
    expect(all.takes?.seconds ?? 0).toBeGreaterThanOrEqual(clean.takes?.seconds ?? Infinity);
  });

  it('a large dirty replica takes longer than the objective, and says so', () => {
    const known = lineageOf({ points, pair: dirty });
    const large = known.points.map((point) => ({
      ...point,
      verification: point.verification && { ...point.verification, bytes: 1e12 as never },
    }));
    const of = (pair: PairState) => readinessOf({ ...known, replica, pair, points: large, lastDrill: null }, now).takes;
    expect(of(known.pair)).toMatchObject({ isWithin: false, objective: 4 * 3600 });
    expect(of({ ...known.pair, dirtySince: null })).toMatchObject({ isWithin: true });
  });
});

describe('of a whole fleet, from the state of the pairs alone', () => {
  const names = { bucket: facts.bucket, from: facts.policy.source.name, to: replica.name };
  const verified = { taken: null, verified: { full: { name: nameOf('y'), at: timeOf('y') } }, runs: {} };
  const roughOf = (pair: Partial<PairState>, newest: Parameters<typeof whyNotReady>[1] = [null, verified]) =>
    whyNotReady({ ...facts.pair, ...pair }, newest, names, now);

  it.each<[string, Partial<PairState>]>([
    ['ready', {}],
    ['a dirty replica and a change that is held back are no reason', { ...dirty, ...hold() }],
    ['nor is what passes by itself', lease(1)],
    ['what is failed over is not what could not be', { role: role() }],
  ])('%s', (_sentence, pair) => {
    expect(roughOf(pair)).toBeNull();
  });

  it('not while roles are being moved, nor without a verified point of any policy', () => {
    expect(roughOf({ role: role({ state: 'moving' }) })).toMatch(/roles are being moved by/);
    expect(roughOf({}, [null, { ...verified, verified: {} }])).toMatch(/no verified point of sales\/orders is on dr/);
    expect(roughOf({}, [])).not.toBeNull();
  });
});
