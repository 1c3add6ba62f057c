import { describe, expect, it } from 'vitest';
import type { Newest } from '../../../functions/core/domain/clocks.ts';
import type { RecoveryPoint } from '../../../functions/core/domain/ledger.ts';
import { BucketRef, PolicyName, SnapshotName } from '../../../functions/core/domain/names.ts';
import { Drills, Policy, Verification } from '../../../functions/core/domain/policy.ts';
import { type EpochMs, epochMs, seconds } from '../../../functions/core/domain/units.ts';
import {
  type ClockFacts,
  clocksOf,
  expectedSince,
  intervalOf,
  isInBreach,
  newestOf,
  worstOf,
} from '../../../functions/core/planner/clocks.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;
const at = (text: string): EpochMs => epochMs(Date.parse(text));
const NOW = at('2026-11-20T12:00:00Z');
const ago = (hours: number): EpochMs => epochMs(NOW - hours * HOUR * 1000);
const name = (text: string) => SnapshotName.parse(text);

const policyWith = (more: object = {}): Policy =>
  Policy.parse({
    name: 'nightly',
    source: { name: 'prod', service: 'prod', hosts: ['i-0aaaaaaaaaaaaaaa0'] },
    replica: { name: 'dr', service: 'dr', hosts: ['mi-0bbbbbbbbbbbbbbb0'] },
    buckets: ['sales/orders'],
    schedules: [{ cron: '0 2 * * ? *', zone: 'Etc/UTC' }],
    mode: 'incremental-or-resync',
    verification: 'listing',
    objectives: { rpo: 26 * HOUR, rto: 4 * HOUR },
    limits: { maps: 4, bandwidthMBps: null, copyTimeout: 6 * HOUR, diffTimeout: HOUR, attempts: 3 },
    ...more,
  });

describe('the interval of schedules', () => {
  it.each([
    ['a night is a day long', ['0 2 * * ? *'], 'Etc/UTC', NOW, 24],
    ['in the week of the long night it is 25 hours', ['0 2 * * ? *'], 'Europe/Berlin', at('2026-10-26T12:00:00Z'), 25],
    [
      'in the week of the short night it is still a day',
      ['0 4 * * ? *'],
      'Europe/Berlin',
      at('2026-03-29T12:00:00Z'),
      24,
    ],
    [
      'a time that the clock skips makes two days of it, one of them short',
      ['30 2 * * ? *'],
      'Europe/Berlin',
      at('2026-03-29T12:00:00Z'),
      47,
    ],
    ['a weekend counts', ['0 20 ? * MON-FRI *'], 'Etc/UTC', NOW, 72],
    ['what another schedule fills is no gap', ['0 20 ? * MON-FRI *', '0 20 ? * SAT,SUN *'], 'Etc/UTC', NOW, 24],
    ['office hours leave the weekend', ['0 8-18 ? * MON-FRI *'], 'Etc/UTC', NOW, 62],
    ['a quarter of an hour', ['0/15 * * * ? *'], 'Etc/UTC', NOW, 0.25],
    ['a month is as long as the longest near it', ['0 2 1 * ? *'], 'Etc/UTC', NOW, 31 * 24],
  ])('%s', (_sentence, crons, zone, now, hours) => {
    expect(intervalOf(crons.map((cron) => ({ cron, zone })) as never, now)).toBe(hours * HOUR);
  });

  it('there is none without schedules, nor of one that is over', () => {
    expect(intervalOf([], NOW)).toBeNull();
    expect(intervalOf([{ cron: '0 2 1 1 ? 2019', zone: 'Etc/UTC' }] as never, NOW)).toBeNull();
  });
});

const point = (hours: number, letter = 'a') => ({ name: name(`odr-${letter}`), at: ago(hours) });
const LONG_AGO = ago(1000);
const factsWith = (more: Partial<ClockFacts> = {}): ClockFacts => ({
  policy: policyWith(),
  interval: seconds(DAY),
  newest: { taken: point(10), verified: { listing: point(10) }, runs: {} },
  failedOver: null,
  lastDrill: null,
  since: LONG_AGO,
  asked: { level: LONG_AGO, schedules: LONG_AGO, drills: LONG_AGO },
  ...more,
});
const newest = (taken: number | null, verified: Readonly<Record<string, number>> = {}): Newest => ({
  taken: taken === null ? null : point(taken),
  verified: Object.fromEntries(Object.entries(verified).map(([level, hours]) => [level, point(hours)])),
  runs: {},
});
const drills = { ...Drills.parse({ cron: '0 5 * * ? *', zone: 'Etc/UTC', within: '30d' }) };

/** `late 50h breach` or `null`. */
const word = (clock: ReturnType<typeof clocksOf>['taken']): string =>
  clock === null ? 'null' : `${clock.state} ${clock.age / HOUR}h${clock.breach ? ' breach' : ''}`;
const words = (facts: ClockFacts): readonly string[] => {
  const { taken, replicated, verified, drilled } = clocksOf(facts, NOW);
  return [taken, replicated, verified, drilled].map(word);
};

describe('the four clocks of a bucket', () => {
  it.each([
    [
      'failed over, and nothing backs it up: its old points promise nothing any more',
      factsWith({ failedOver: ago(30), newest: newest(40, { listing: 40 }) }),
      ['null', 'null', 'null', 'null'],
    ],
    [
      'failed over, and a failback has begun: as old as what it brought, and never late, for no schedule brings it',
      factsWith({ failedOver: ago(100), newest: newest(20, { listing: 80 }), interval: seconds(HOUR) }),
      ['fine 20h', 'fine 80h breach', 'fine 80h breach', 'null'],
    ],
    ['a normal noon', factsWith(), ['fine 10h', 'fine 10h', 'fine 10h', 'null']],
    [
      'exactly two intervals are not late yet, but the objective is over',
      factsWith({ newest: newest(48, { listing: 48 }) }),
      ['fine 48h breach', 'fine 48h breach', 'fine 48h breach', 'null'],
    ],
    [
      'a copy that does not come: the snapshots are there',
      factsWith({ newest: newest(10, { listing: 58 }) }),
      ['fine 10h', 'late 58h breach', 'late 58h breach', 'null'],
    ],
    [
      'more than three intervals are stale',
      factsWith({ newest: newest(73, { listing: 97 }) }),
      ['stale 73h breach', 'stale 97h breach', 'stale 97h breach', 'null'],
    ],
    [
      'what never ran counts from when it was expected',
      factsWith({ newest: null, since: ago(60) }),
      ['late 60h breach', 'late 60h breach', 'late 60h breach', 'null'],
    ],
    [
      'what never ran but was expected an hour ago is fine',
      factsWith({ newest: null, since: ago(1) }),
      ['fine 1h', 'fine 1h', 'fine 1h', 'null'],
    ],
    [
      'without a replica only what was taken counts',
      factsWith({ policy: policyWith({ replica: null }), newest: newest(30) }),
      ['fine 30h breach', 'null', 'null', 'null'],
    ],
    [
      'without schedules nothing is expected',
      factsWith({ policy: policyWith({ schedules: [] }), interval: null, newest: newest(500) }),
      ['null', 'null', 'null', 'null'],
    ],
    [
      'a higher level counts for a lower one',
      factsWith({ newest: newest(10, { listing: 34, full: 10 }) }),
      ['fine 10h', 'fine 10h', 'fine 10h', 'null'],
    ],
    [
      'a lower level does not count for a higher one',
      factsWith({ policy: policyWith({ verification: 'full' }), newest: newest(10, { listing: 10, full: 80 }) }),
      ['fine 10h', 'fine 10h', 'stale 80h breach', 'null'],
    ],
    [
      'a level that was raised an hour ago has an interval and more to be reached',
      factsWith({
        policy: policyWith({ verification: Verification.parse('full') }),
        newest: newest(10, { listing: 10 }),
        asked: { level: ago(1), schedules: LONG_AGO, drills: LONG_AGO },
      }),
      ['fine 10h', 'fine 10h', 'fine 1h', 'null'],
    ],
    [
      'a level that was raised hides no breach of what was promised before',
      factsWith({
        policy: policyWith({ verification: Verification.parse('full') }),
        newest: newest(60, { listing: 60 }),
        asked: { level: ago(1), schedules: LONG_AGO, drills: LONG_AGO },
      }),
      ['late 60h breach', 'late 60h breach', 'fine 1h', 'null'],
    ],
    [
      'schedules that were changed an hour ago have missed nothing, whatever the age',
      factsWith({ interval: seconds(HOUR), asked: { level: LONG_AGO, schedules: ago(1), drills: LONG_AGO } }),
      ['fine 10h', 'fine 10h', 'fine 10h', 'null'],
    ],
    [
      'drills count from the one that passed, in spans of the policy',
      factsWith({
        policy: policyWith({ drills: { ...drills, within: 30 * DAY } }),
        lastDrill: { point: name('odr-old'), at: ago(61 * 24) },
        since: ago(5000),
        asked: { level: LONG_AGO, schedules: LONG_AGO, drills: ago(5000) },
      }),
      ['fine 10h', 'fine 10h', 'fine 10h', `late ${61 * 24}h breach`],
    ],
    [
      'drills that were asked for today are not late although the bucket is old',
      factsWith({
        policy: policyWith({ drills: { ...drills, within: 30 * DAY } }),
        since: ago(5000),
        asked: { level: LONG_AGO, schedules: LONG_AGO, drills: ago(2) },
      }),
      ['fine 10h', 'fine 10h', 'fine 10h', 'fine 2h'],
    ],
    [
      'a policy has its own multiples',
      factsWith({ policy: policyWith({ alarms: { late: 1, stale: 1.5 } }), newest: newest(25, { listing: 37 }) }),
      ['late 25h', 'stale 37h breach', 'stale 37h breach', 'null'],
    ],
    [
      'schedules with hardly any slot are never late, the objective still counts',
      factsWith({ interval: null, newest: newest(900, { listing: 900 }) }),
      ['fine 900h breach', 'fine 900h breach', 'fine 900h breach', 'null'],
    ],
  ])('%s', (_sentence, facts, expected) => {
    expect(words(facts)).toEqual(expected);
  });

  it('the objective is about what can be relied on: the copy, and without a replica the snapshot', () => {
    const breached = (facts: ClockFacts) => isInBreach(clocksOf(facts, NOW));
    expect(breached(factsWith({ newest: newest(10, { listing: 30 }) }))).toBe(true);
    expect(breached(factsWith({ newest: newest(30, { listing: 10 }) }))).toBe(false);
    expect(breached(factsWith({ policy: policyWith({ replica: null }), newest: newest(30) }))).toBe(true);
    expect(breached(factsWith({ policy: policyWith({ replica: null }), newest: newest(10) }))).toBe(false);
  });
});

const ledgerPoint = (hours: number, more: object = {}): RecoveryPoint =>
  ({
    name: name(`odr-nightly-${hours}`),
    policy: PolicyName.parse('nightly'),
    state: 'verified',
    source: { id: 'x', created: ago(hours) },
    replica: { id: 'y', created: ago(hours), condemned: false },
    verification: { level: 'listing' },
    removal: { source: null, replica: null },
    ...more,
  }) as unknown as RecoveryPoint;
const removed = { state: 'deleted', plan: null, condemnedAt: ago(1), deletedAt: ago(1) };

describe('what is kept of the newest points', () => {
  const nightly = PolicyName.parse('nightly');
  const seen = (points: readonly RecoveryPoint[], known: Newest | null = null) => {
    const { taken, verified } = newestOf(points, nightly, known);
    return [taken?.name, verified.listing?.name, verified.full?.name];
  };
  it.each([
    ['the newest of each', [ledgerPoint(1), ledgerPoint(2)], ['odr-nightly-1', 'odr-nightly-1', undefined]],
    [
      'one that was only taken',
      [ledgerPoint(1, { state: 'taken', replica: null }), ledgerPoint(2)],
      ['odr-nightly-1', 'odr-nightly-2', undefined],
    ],
    [
      'one that differs',
      [ledgerPoint(1, { state: 'differs' }), ledgerPoint(2)],
      ['odr-nightly-1', 'odr-nightly-2', undefined],
    ],
    [
      'one that is gone from the source',
      [ledgerPoint(1, { removal: { source: removed, replica: null } }), ledgerPoint(2)],
      ['odr-nightly-2', 'odr-nightly-1', undefined],
    ],
    [
      'one that is gone from the replica',
      [ledgerPoint(1, { removal: { source: null, replica: removed } }), ledgerPoint(2)],
      ['odr-nightly-1', 'odr-nightly-2', undefined],
    ],
    [
      'levels apart',
      [ledgerPoint(1), ledgerPoint(2, { verification: { level: 'full' } })],
      ['odr-nightly-1', 'odr-nightly-1', 'odr-nightly-2'],
    ],
    [
      'points of other policies are theirs',
      [ledgerPoint(1, { policy: 'hourly' }), ledgerPoint(2)],
      ['odr-nightly-2', 'odr-nightly-2', undefined],
    ],
  ])('%s', (_sentence, points, expected) => {
    expect(seen(points)).toEqual(expected);
  });

  it('what is older than the points that were read stays, what was read and does not count any more goes', () => {
    const known = newestOf([ledgerPoint(9)], nightly, null);
    expect(seen([ledgerPoint(1, { policy: 'hourly' })], known)).toEqual(['odr-nightly-9', 'odr-nightly-9', undefined]);
    expect(seen([ledgerPoint(9, { state: 'differs' })], known)).toEqual(['odr-nightly-9', undefined, undefined]);
  });
});

describe('since when a bucket is expected', () => {
  const bucket = BucketRef.parse('sales/orders');
  const versions = (...list: readonly (readonly [number, boolean])[]) => ({
    versions: list.map(([hours, has]) => ({ since: ago(hours), buckets: has ? [bucket] : [] })) as never,
  });
  it.each([
    ['the first version that has it', versions([90, true], [50, true]), undefined, 90],
    ['not the versions before it was taken out', versions([90, true], [50, false], [10, true]), undefined, 10],
    ['what was noted before, when the versions forgot', versions([10, true]), ago(200), 200],
    ['now, when nobody ever saw it', versions(), undefined, 0],
  ])('%s', (_sentence, state, noted, hours) => {
    expect(expectedSince(bucket, state, noted, NOW)).toBe(ago(hours));
  });
});

it('the worst of a clock is that of the oldest bucket, in both measures', () => {
  const clocks = (hours: number) => ({ clocks: clocksOf(factsWith({ newest: newest(hours) }), NOW) });
  expect(worstOf([clocks(12), clocks(52)], 'taken')).toEqual({ ofInterval: 2.17, ofObjective: 2 });
  expect(worstOf([clocks(12)], 'drilled')).toBeNull();
});
