import { describe, expect, it } from 'vitest';
import { BucketRef, PolicyName, pairId } from '../../../functions/core/domain/names.ts';
import { chooseHost } from '../../../functions/core/planner/choose-host.ts';
import { itemsOf } from '../../../functions/core/planner/fleet.ts';
import { instantOf, instantText } from '../../../functions/core/planner/together.ts';
import { historyOf, operationOf, policyOf, slot } from './world.ts';

const bucket = (name: string): BucketRef => BucketRef.parse(`sales/${name}`);
const names = ['one', 'two', 'three'].map(bucket);
const together = { ...policyOf('incremental'), buckets: names, fleet: { tolerated: 0, together: true } };
const point = (created: number, group?: ReturnType<typeof operationOf>) => ({
  source: { created } as never,
  ...(group ? { group } : {}),
});

describe('the points of a group', () => {
  it('are of one instant when one command took them, and say how far apart they are', () => {
    const group = names.map((it, n) => ({ bucket: it, points: [point(1000 + 40 * n, operationOf(1))] }));
    expect(instantOf(group)).toEqual({ id: operationOf(1), buckets: 3, spreadMs: 80, missing: [] });
    expect(instantText(PolicyName.parse('nightly'), instantOf(group))).toBe(
      `nightly: 3 buckets at one instant, within 80 ms (${operationOf(1)})`,
    );
  });

  it.each([
    ['has no point of the slot', []],
    ['was snapshotted alone', [point(1010)]],
    ['was snapshotted by another command', [point(1010, operationOf(2))]],
  ])('are none of one instant when one bucket %s', (_sentence, points) => {
    const group = names.map((it, n) => ({ bucket: it, points: n === 1 ? points : [point(1000, operationOf(1))] }));
    expect(instantOf(group)).toMatchObject({ id: operationOf(1), missing: [names[1]] });
    expect(instantText(PolicyName.parse('nightly'), instantOf(group))).toContain('1 of 3 buckets were not');
  });

  it('are of one instant although a copy differed and its bucket was snapshotted again: the first snapshot is kept', () => {
    const group = names.map((it) => ({ bucket: it, points: [point(9000), point(1000, operationOf(1))] }));
    expect(instantOf(group)).toMatchObject({ spreadMs: 0, missing: [] });
  });

  it('of a group of one bucket it is enough that it is there', () => {
    const [one = bucket('one')] = names;
    expect(instantOf([{ bucket: one, points: [point(1000)] }])).toMatchObject({ id: null, missing: [] });
    expect(instantOf([{ bucket: one, points: [] }])).toMatchObject({ missing: [one] });
  });
});

describe('a policy whose buckets go together', () => {
  const hosts = Array.from({ length: 7 }, (_, n) => `i-0123456789abcde0${n}` as (typeof together.source.hosts)[number]);
  const policy = { ...together, source: { ...together.source, hosts } };

  it('has one batch of all its buckets, whatever hosts they work on, and those that cool off apart', () => {
    const runs = [bucket('gone'), ...names].map((it) => ({ bucket: it, name: it.replace('/', '-') }));
    const items = itemsOf(policy, { work: 'backup', slot }, runs);
    expect(items.map(({ runs: of, batch }) => [of.length, batch !== null])).toEqual([
      [3, true],
      [1, false],
    ]);
    expect(itemsOf(policy, { work: 'prune', slot }, runs)).toHaveLength(4);
  });

  it('takes all snapshots on one host of the source', () => {
    const hostOf = (of: typeof policy, name: string) => {
      const history = historyOf({ source: '' });
      const pair = pairId(policy.source.name, bucket(name), 'dr' as never);
      return chooseHost({ ...history, run: { ...history.run, policy: of, pair } }, 'create-snapshot');
    };
    const many = Array.from({ length: 20 }, (_, n) => `bucket-${n}`);
    expect(new Set(many.map((it) => hostOf(policy, it))).size).toBe(1);
    expect(new Set(many.map((it) => hostOf({ ...policy, fleet: { tolerated: 0, together: false } }, it))).size).toBe(7);
  });
});
