import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyPair } from '../../../functions/core/domain/ledger.ts';
import { BucketRef, drillPair, PolicyName } from '../../../functions/core/domain/names.ts';
import type { Drills } from '../../../functions/core/domain/policy.ts';
import { TimeZone } from '../../../functions/core/domain/time-zone.ts';
import { Duration, type EpochMs, epochMs } from '../../../functions/core/domain/units.ts';
import { type BucketToDrill, dueForDrill, lastDrillOf } from '../../../functions/core/planner/drill-rota.ts';
import { occurrences } from '../../../functions/core/planner/occurrences.ts';
import { BUCKET, HOUR, lineageOf, nameOf, passed, policyOf } from './lineage-world.ts';

const DAY = 24 * HOUR;
type Rota = Pick<Drills, 'cron' | 'zone' | 'within'>;
const rota = (cron: string, within: string, zone = 'Europe/Berlin'): Rota => ({
  cron: cron as Rota['cron'],
  zone: TimeZone.parse(zone),
  within: Duration.parse(within),
});
const bucket = (n: number): BucketRef => BucketRef.parse(`sales/b-${String(n).padStart(3, '0')}`);

interface Play {
  readonly rota: Rota;
  readonly count: number;
  readonly from: number;
  readonly days: number;
  /** The slot never comes. */
  readonly isMissed?: (index: number) => boolean;
  readonly fails?: (bucket: number, index: number) => boolean;
  /** Milliseconds that a drill takes. */
  readonly takes?: number;
}
interface Slot {
  readonly at: EpochMs;
  readonly next: number;
  readonly before: readonly BucketToDrill[];
  readonly due: readonly number[];
}

/** Plays the slots of a span, one after the other. */
const play = ({ rota: drills, count, from, days, isMissed, fails, takes = 60_000 }: Play): readonly Slot[] => {
  let buckets: readonly BucketToDrill[] = [];
  const end = from + days * DAY;
  const times = occurrences(drills, epochMs(from), epochMs(end + 3 * 366 * DAY));
  return times.flatMap((at, index) => {
    if (at >= end || isMissed?.(index)) return [];
    if (buckets.length === 0)
      buckets = Array.from({ length: count }, (_, n) => ({
        bucket: bucket(n),
        since: at,
        asked: null,
        passed: null,
        hasPoint: true,
      }));
    const before = buckets;
    const due = new Set(dueForDrill(drills, before, at));
    buckets = before.map((it, n) =>
      due.has(it.bucket) ? { ...it, asked: at, passed: fails?.(n, index) ? it.passed : epochMs(at + takes) } : it,
    );
    return [
      {
        at,
        next: times[index + 1] ?? Infinity,
        before,
        due: before.flatMap((it, n) => (due.has(it.bucket) ? [n] : [])),
      },
    ];
  });
};

/** The longest time that each bucket was without a drill, from the first slot to the last. */
const longestWithout = (slots: readonly Slot[], n: number): number => {
  const turns = slots.filter(({ due }) => due.includes(n)).map(({ at }) => at);
  const times = [slots[0]?.at ?? 0, ...turns, slots.at(-1)?.at ?? 0];
  return Math.max(...times.map((at, index) => at - (times[index - 1] ?? at)));
};
const perSlot = (slots: readonly Slot[]): readonly number[] => slots.map(({ due }) => due.length);
const sum = (numbers: readonly number[]): number => numbers.reduce((all, it) => all + it, 0);

const FROM = Date.UTC(2026, 8, 1);
const daily = rota('0 6 * * ? *', '30d');

describe('the rota of drills', () => {
  it('one bucket: at the first slot, and then about once in the span, not every day', () => {
    const slots = play({ rota: rota('0 6 * * ? *', '30d', 'UTC'), count: 1, from: FROM, days: 120 });
    expect(slots.flatMap(({ due }, day) => (due.length > 0 ? [day] : []))).toEqual([0, 29, 58, 87, 116]);
  });

  it.each([
    ['fewer buckets than slots: one', 7, 1],
    ['as many buckets as slots: one, or two after a drill was early', 30, 2],
    ['a hundred buckets: four, which is as few as it takes', 100, 4],
  ])('%s in a slot at most, and not many more in a year than the span asks for', (_sentence, count, most) => {
    const slots = perSlot(play({ rota: daily, count, from: FROM, days: 365 }));
    expect(Math.max(...slots)).toBe(most);
    expect(sum(slots)).toBeLessThan(1.1 * count * (365 / 30) + count);
  });

  it('a slot a month, or a year: every bucket, every time', () => {
    for (const cron of ['0 6 1 * ? *', '0 6 1 1 ? *']) {
      const slots = play({ rota: rota(cron, '30d'), count: 7, from: FROM, days: 800 });
      expect(slots.length).toBeGreaterThan(1);
      expect(new Set(perSlot(slots))).toEqual(new Set([7]));
    }
  });

  it('nothing that was never backed up is drilled at first, and it fails aloud before it would be late', () => {
    const of = (since: number, hasPoint: boolean): BucketToDrill => ({
      bucket: BUCKET,
      since: epochMs(since),
      asked: null,
      passed: null,
      hasPoint,
    });
    const slot = epochMs(FROM + 4 * HOUR);
    expect(dueForDrill(daily, [of(slot, false)], slot)).toEqual([]);
    expect(dueForDrill(daily, [of(slot, true)], slot)).toEqual([BUCKET]);
    expect(dueForDrill(daily, [of(slot - 29 * DAY, false)], slot)).toEqual([BUCKET]);
  });

  it('a bucket that joins is drilled at the next slot', () => {
    const [first] = play({ rota: daily, count: 10, from: FROM, days: 1 });
    const before = first?.before.map((it, n) => ({ ...it, passed: epochMs(FROM - (n % 9) * DAY) })) ?? [];
    const joined = { bucket: BUCKET, since: epochMs(FROM), asked: null, passed: null, hasPoint: true };
    expect(dueForDrill(daily, [...before, joined], epochMs(FROM + 4 * HOUR))).toEqual([BUCKET]);
  });

  it('of no bucket nothing is due', () => {
    expect(dueForDrill(daily, [], epochMs(FROM))).toEqual([]);
  });
});

// Half a minute of work on a machine ten times slower than usual: no test is about time.
describe('the promise', { timeout: 300_000 }, () => {
  const crons: readonly (readonly [cron: string, within: string, spanDays: number])[] = [
    ['0 6 * * ? *', '30d', 200],
    ['0 6 * * ? *', '7d', 100],
    ['30 2 * * ? *', '14d', 250],
    ['0 6 ? * SAT *', '30d', 400],
    ['0 6 ? * MON-FRI *', '30d', 250],
    ['0 8-18/2 ? * MON-FRI *', '10d', 120],
    ['0 0/6 * * ? *', '5d', 60],
    ['0 6 1,15 * ? *', '60d', 600],
  ];
  const anyRota = fc
    .tuple(
      fc.constantFrom(...crons),
      fc.constantFrom('Europe/Berlin', 'Australia/Lord_Howe', 'America/Sao_Paulo', 'UTC'),
    )
    .map(([[cron, within, days], zone]) => ({ rota: rota(cron, within, zone), days }));
  const plays = fc.record({
    of: anyRota,
    count: fc.integer({ min: 1, max: 100 }),
    from: fc.integer({ min: 0, max: 720 }).map((hours) => FROM + hours * HOUR),
  });
  const holds = <T>(arbitrary: fc.Arbitrary<T>, check: (value: T) => void): void =>
    fc.assert(
      fc.property(arbitrary, (value) => {
        check(value);
      }),
      { numRuns: 25 },
    );
  const late = (slots: readonly Slot[], count: number, within: number): readonly number[] =>
    Array.from({ length: count }, (_, n) => n).filter((n) => longestWithout(slots, n) > within * 1000);

  it('every bucket is drilled within the span, by any schedule', () => {
    holds(plays, ({ of, count, from }) => {
      const slots = play({ ...of, count, from });
      expect(late(slots, count, of.rota.within)).toEqual([]);
    });
  });

  it('also when now and then a slot is missed', () => {
    holds(fc.tuple(plays, fc.integer({ min: 2, max: 9 })), ([{ of, count, from }, every]) => {
      const slots = play({ ...of, count, from, isMissed: (index) => index % every === 1 });
      expect(late(slots, count, of.rota.within)).toEqual([]);
    });
  });

  it('whatever was missed: what would be late before the next slot is drilled at this one', () => {
    holds(fc.tuple(plays, fc.array(fc.boolean(), { minLength: 5, maxLength: 40 })), ([{ of, count, from }, missed]) => {
      const slots = play({ ...of, count, from, isMissed: (index) => missed[index % missed.length] ?? false });
      for (const { next, before, due } of slots)
        for (const [n, it] of before.entries())
          if ((it.passed ?? it.since) + of.rota.within * 1000 < next) expect(due).toContain(n);
    });
  });

  it('buckets whose drills always fail come again and again, and keep nobody from the promise', () => {
    holds(fc.tuple(plays, fc.integer({ min: 1, max: 5 })), ([{ of, count, from }, nth]) => {
      const isBad = (n: number) => n % 6 < nth;
      const slots = play({ ...of, count, from, fails: isBad });
      expect(late(slots, count, of.rota.within)).toEqual([]);
      const end = slots.at(-1)?.at ?? 0;
      const tail = slots.filter(({ at }) => at > end - of.rota.within * 1000);
      for (const n of Array.from({ length: count }, (_, it) => it).filter(isBad))
        expect(tail.some(({ due }) => due.includes(n))).toBe(true);
    });
  });

  it('a drill that fails once is drilled again in time', () => {
    holds(fc.tuple(plays, fc.integer({ min: 0, max: 99 })), ([{ of, count, from }, which]) => {
      const failed = new Set<number>();
      const fails = (n: number, index: number) =>
        n === which % count && index > 3 && failed.size < 1 && !!failed.add(index);
      const slots = play({ ...of, count, from, fails });
      expect(late(slots, count, of.rota.within)).toEqual([]);
    });
  });

  it('does not look at the order of the buckets', () => {
    holds(plays, ({ of, count, from }) => {
      for (const { at, before } of play({ ...of, count, from, days: 20 }))
        expect(dueForDrill(of.rota, before.toReversed(), at)).toEqual(dueForDrill(of.rota, before, at));
    });
  });
});

describe('the last drill that passed', () => {
  const { points } = lineageOf({ points: 'w* x* y* z*', drilled: 'x:50 y:80' });
  const pair = emptyPair(drillPair(policyOf({}), BUCKET));
  it.each([
    ['of the points', points, null, 'x'],
    ['remembered, when its point is deleted', [], { point: nameOf('a'), drill: passed(90) }, 'a'],
    ['the newer of both', points, { point: nameOf('a'), drill: passed(9) }, 'a'],
    ['the newer of both, of the points', points, { point: nameOf('a'), drill: passed(90) }, 'x'],
    ['none', [], null, null],
  ])('%s', (_sentence, of, lastDrill, letter) => {
    expect(lastDrillOf(of, { ...pair, lastDrill }, policyOf({}).name)?.point ?? null).toBe(letter && nameOf(letter));
  });

  it('is that of the policy that asks: a drill of another one proves less, or another replica', () => {
    const others = points.map((point) => ({
      ...point,
      drilled: point.drilled && { ...point.drilled, policy: PolicyName.parse('hourly') },
    }));
    expect(lastDrillOf(others, pair, policyOf({}).name)).toBeNull();
    expect(lastDrillOf(others, pair, PolicyName.parse('hourly'))?.point).toBe(nameOf('x'));
  });
});
