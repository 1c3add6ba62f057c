import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../functions/adapters/sha256.ts';
import {
  attainmentOf,
  type GoodPoint,
  goodSpan,
  objectivesOf,
  percentText,
} from '../../../functions/cli/report/attainment.ts';
import { type KnownBucket, reportBucket } from '../../../functions/cli/report/bucket.ts';
import { reportHtml, spanText } from '../../../functions/cli/report/html.ts';
import { MonthlyReport } from '../../../functions/cli/report/model.ts';
import { parseMonth } from '../../../functions/cli/report/month.ts';
import { type Link, nextEntry } from '../../../functions/core/domain/chain.ts';
import type { RecoveryPoint } from '../../../functions/core/domain/ledger.ts';
import { PairId, runId, snapshotName } from '../../../functions/core/domain/names.ts';
import { Readiness } from '../../../functions/core/domain/readiness.ts';
import { type Happening, ONLY_PLANNED } from '../../../functions/core/domain/record.ts';
import type { PolicyVersion } from '../../../functions/core/domain/retention.ts';
import { type EpochMs, epochMs, seconds } from '../../../functions/core/domain/units.ts';
import { problemsOfMarkup } from '../../demo/markup.ts';
import { historyOf, policyOf } from '../planner/world.ts';

const HOUR = 3_600_000;
const start = epochMs(Date.UTC(2026, 9, 1));
const end = epochMs(Date.UTC(2026, 10, 1));
const hours = (n: number): EpochMs => epochMs(start + n * HOUR);
const objective = (rpoHours: number, from = 0, until = 10) =>
  ({ from: hours(from), until: hours(until), rpo: seconds(rpoHours * 3600), basis: 'policy' }) as const;
/** created, good from, good until: in hours from the beginning of the month. */
const point = (created: number, from: number, until: number | null = null): GoodPoint => ({
  name: `p${created}`,
  created: epochMs(start + created * HOUR),
  from: epochMs(start + from * HOUR),
  until: until === null ? null : hours(until),
});
const inHours = ({ measured, met, withoutPoint, worstAge }: ReturnType<typeof attainmentOf>) =>
  [measured, met, withoutPoint, worstAge].map((it) => (it === null ? null : it / HOUR));

describe('the attainment of an objective', () => {
  it.each<readonly [string, readonly GoodPoint[], readonly (number | null)[]]>([
    // measured, met, without any point, worst age; the objective is 4 h, the span 10 h
    ['is all of it when each point is followed in time', [point(-1, -0.5), point(2, 2.5), point(6, 6)], [10, 10, 0, 4]],
    ['is nothing, and no age, without a point', [], [10, 0, 10, null]],
    ['begins when a point is known to be good, not when it was taken', [point(0, 3)], [10, 1, 3, 10]],
    ['ends when the point is too old', [point(0, 0)], [10, 4, 0, 10]],
    ['does not begin again with a point that is too old when it becomes good', [point(-9, 2)], [10, 0, 2, 19]],
    ['ends when the point is deleted', [point(0, 0, 1)], [10, 1, 9, 1]],
    ['goes back to an older point when the newest one is deleted', [point(0, 0), point(1, 1, 2)], [10, 4, 0, 10]],
    ['counts what two points cover once', [point(0, 0), point(1, 1)], [10, 5, 0, 9]],
    ['looks at the newest point, whichever became good last', [point(3, 3), point(1, 5)], [10, 4, 3, 7]],
    ['counts points of before and not of after', [point(-2, -2), point(11, 11)], [10, 2, 0, 12]],
  ])('%s', (_, points, expected) => {
    expect(inHours(attainmentOf(points, [objective(4)]))).toEqual(expected);
  });

  it('follows an objective that changes meanwhile', () => {
    const both = [objective(2, 0, 5), objective(8, 5, 10)];
    expect(inHours(attainmentOf([point(0, 0)], both))).toEqual([10, 2 + 3, 0, 10]);
  });

  it('is what looking at every minute says', () => {
    const aPoint = fc
      .tuple(fc.integer({ min: -20, max: 40 }), fc.nat(10), fc.option(fc.integer({ min: 1, max: 30 })))
      .map(([created, late, life]) => ({
        name: 'p',
        created: epochMs(start + created * 60_000),
        from: epochMs(start + (created + late) * 60_000),
        until: life === null ? null : epochMs(start + (created + late + life) * 60_000),
      }));
    fc.assert(
      fc.property(fc.array(aPoint, { maxLength: 8 }), fc.nat(15), (points, rpo) => {
        const span = {
          from: start,
          until: epochMs(start + 30 * 60_000),
          rpo: seconds(rpo * 60),
          basis: 'policy',
        } as const;
        const result = attainmentOf(points, [span]);
        let [met, without, worst] = [0, 0, -1];
        for (let minute = 0; minute < 30; minute++) {
          // The middle of the minute: nothing begins or ends there.
          const at = start + minute * 60_000 + 30_000;
          const there = points.filter((it) => it.from <= at && (it.until === null || it.until > at));
          if (there.length === 0) without += 1;
          else worst = Math.max(worst, Math.min(...there.map((it) => at + 30_000 - it.created)));
          if (there.some((it) => at - it.created <= rpo * 60_000)) met += 1;
        }
        expect([result.met, result.withoutPoint, result.worstAge ?? -1]).toEqual([
          met * 60_000,
          without * 60_000,
          worst,
        ]);
      }),
      { numRuns: 500 },
    );
  });

  it('is only called 100 % when it was met all the time', () => {
    expect([
      percentText(10, 10),
      percentText(999_999_999, 1_000_000_000),
      percentText(0, 10),
      percentText(1, 3),
    ]).toEqual(['100.00 %', '99.99 %', '0.00 %', '33.33 %']);
  });
});

describe('a point is good', () => {
  const [verified] = historyOf({ source: 'a*', replica: 'a*' }).points;
  if (!verified?.verification) throw new Error('the world has a verified point');
  const { at } = verified.verification;
  const removed = (deletedAt: EpochMs | null) => ({
    state: deletedAt === null ? ('condemned' as const) : ('deleted' as const),
    plan: null,
    condemnedAt: at,
    deletedAt,
  });
  const earlier = epochMs(at - 5);
  const later = epochMs(at + 5);

  it.each<
    readonly [string, RecoveryPoint, boolean, EpochMs | undefined, readonly [EpochMs, EpochMs | null] | undefined]
  >([
    ['since its comparison', verified, true, undefined, [at, null]],
    ['since the first of several comparisons, as recorded', verified, true, earlier, [earlier, null]],
    [
      'until its copy was deleted',
      { ...verified, removal: { source: null, replica: removed(later) } },
      true,
      undefined,
      [at, later],
    ],
    [
      'while its copy is only condemned',
      { ...verified, removal: { source: null, replica: removed(null) } },
      true,
      undefined,
      [at, null],
    ],
    [
      'also when the source’s snapshot is deleted',
      { ...verified, removal: { source: removed(later), replica: null } },
      true,
      undefined,
      [at, null],
    ],
    [
      'never when it was not compared',
      { ...verified, state: 'sealed', verification: null },
      true,
      undefined,
      undefined,
    ],
    ['never when its comparison found differences', { ...verified, state: 'differs' }, true, undefined, undefined],
    ['until a later comparison found differences', { ...verified, state: 'differs' }, true, earlier, [earlier, at]],
    [
      'without a replica since it was taken',
      { ...verified, state: 'taken', verification: null },
      false,
      undefined,
      [verified.source.created, null],
    ],
    [
      'without a replica until the source’s snapshot was deleted',
      { ...verified, removal: { source: removed(later), replica: null } },
      false,
      undefined,
      [verified.source.created, later],
    ],
  ])('%s', (_, it_, hasReplica, first, expected) => {
    const good = goodSpan(it_, hasReplica, first);
    expect(good && [good.from, good.until]).toEqual(expected);
  });
});

const version = (since: EpochMs, rpoHours: number, buckets = ['sales/orders']): PolicyVersion =>
  ({ since, retention: null, rpo: seconds(rpoHours * 3600), rto: seconds(3600), buckets }) as never;

describe('the objective of a month', () => {
  const told = (versions: readonly PolicyVersion[], fallback?: number) =>
    objectivesOf(versions, 'sales/orders', fallback === undefined ? undefined : seconds(fallback), {
      from: start,
      until: end,
    }).map((it) => [(it.from - start) / HOUR, (it.until - start) / HOUR, it.rpo / 3600, it.basis]);
  const all = (end - start) / HOUR;

  it.each<readonly [string, readonly PolicyVersion[], number | undefined, readonly (readonly unknown[])[]]>([
    ['is that of its version', [version(epochMs(start - 5 * HOUR), 4)], undefined, [[0, all, 4, 'policy']]],
    [
      'becomes stricter at once',
      [version(epochMs(0), 8), version(hours(100), 4)],
      undefined,
      [
        [0, 100, 8, 'policy'],
        [100, all, 4, 'policy'],
      ],
    ],
    [
      'becomes weaker after the cooling-off',
      [version(epochMs(0), 4), version(hours(100), 8)],
      undefined,
      [
        [0, 172, 4, 'policy'],
        [172, all, 8, 'policy'],
      ],
    ],
    [
      'is assumed before the oldest version that is known',
      [version(hours(100), 4)],
      undefined,
      [
        [0, 100, 4, 'assumed'],
        [100, all, 4, 'policy'],
      ],
    ],
    ['is assumed from a run where no version is known', [], 3600, [[0, all, 1, 'assumed']]],
    ['is not known without either', [], undefined, []],
    [
      'is none while no version that counts names the bucket',
      [version(epochMs(0), 4), version(hours(100), 4, [])],
      undefined,
      [[0, 172, 4, 'policy']],
    ],
  ])('%s', (_, versions, fallback, expected) => {
    expect(told(versions, fallback)).toEqual(expected);
  });
});

describe('the month', () => {
  it('is a calendar month in UTC, or what is over of it', () => {
    expect(parseMonth('2026-10', epochMs(end + 1))).toEqual({
      name: '2026-10',
      from: start,
      until: end,
      complete: true,
    });
    expect(parseMonth('2026-10', hours(5))).toMatchObject({ until: hours(5), complete: false });
    expect(parseMonth('2026-12', epochMs(Date.UTC(2027, 5, 1)))).toMatchObject({ until: Date.UTC(2027, 0, 1) });
  });

  it.each([undefined, '', '2026', '2026-13', '2026-00', '26-10', '2026-10-01', '1969-12', '2026-11'])(
    'is not %s',
    (text) => {
      expect(() => parseMonth(text, hours(5))).toThrow(/--month/);
    },
  );
});

const pair = PairId.parse('prod/sales/orders#dr');
const policy = policyOf('resync').name;
const run = runId(pair, policy, hours(2));
const name = snapshotName(policy, hours(2), 1);
const chainOf = (happenings: readonly (readonly [EpochMs, string, Happening])[]): readonly Link[] => {
  const links: Link[] = [];
  for (const [at, id, happening] of happenings)
    links.push(nextEntry(sha256, links.at(-1), { id, pair, at, happening }));
  return links;
};
const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}` as never;
const ended = (status: 'succeeded' | 'failed', workflow: 'backup' | 'prune' = 'backup'): Happening => ({
  kind: 'run-ended',
  workflow,
  runId: run,
  status,
  summary: status === 'failed' ? 'CopyFailed: no space' : 'done',
  startedAt: hours(2),
  steps: 3,
});
const snapshots = (side: 'source' | 'replica', ...ids: readonly number[]) =>
  ids.map((n) => ({ side, name, id: id(n), reasons: [] }));
const knownPolicy = { name: policy, versions: [version(epochMs(0), 4)], rpoOfLastRun: undefined };
const bucket = (more: Partial<KnownBucket>): KnownBucket => ({
  pair,
  links: [],
  points: [],
  policies: [knownPolicy],
  readiness: null,
  ...more,
});
const month = { from: start, until: end };
const [aPoint] = historyOf({ source: 'a*', replica: 'a*' }).points;
if (!aPoint) throw new Error('the world has a point');
const createdAt = (n: number): RecoveryPoint => ({
  ...aPoint,
  name,
  source: { ...aPoint.source, created: hours(n) },
  verification: aPoint.verification && { ...aPoint.verification, at: hours(n) },
});
const whole = { n: 1, hash: 'a'.repeat(64) };
const reportOf = (...buckets: readonly ReturnType<typeof reportBucket>[]): MonthlyReport =>
  MonthlyReport.parse({
    schema: 1,
    kind: 'ozone-dr-monthly-evidence',
    table: 'ozone-dr-ledger',
    month: '2026-10',
    from: new Date(start).toISOString(),
    until: new Date(end).toISOString(),
    complete: true,
    buckets,
    withoutRecord: [{ policy: 'weekly', bucket: 'sales/forgotten' }],
    chains: buckets.map((it) => ({ pair: it.pair, entries: 1, head: whole, broken: null })),
  });

describe('the report of a bucket', () => {
  it('never says 100 % of a bucket that has no good point: it says that it cannot be said', () => {
    const links = chainOf([[hours(2), 'a', ended('failed')]]);
    const told = reportBucket(bucket({ links }), month);
    expect(told.policies).toMatchObject([{ attainment: null, why: 'no good point existed in this month' }]);
    expect(told.points).toEqual({ good: 0, newest: null });
    const html = reportHtml(reportOf(told), 'f'.repeat(64));
    expect(html).toContain('cannot be said: no good point existed in this month');
    expect(html).not.toContain('100.00 %');
  });

  it('says of a bucket that nothing is known of in the month that nothing is known', () => {
    const told = reportBucket(bucket({ points: [createdAt(800)] }), month);
    expect(told).toMatchObject({
      measured: null,
      policies: [{ attainment: null, why: expect.stringMatching(/^nothing is known/) }],
    });
  });

  it('measures from the first sign of the bucket, a run that failed included', () => {
    const links = chainOf([[hours(3), 'a', ended('failed')]]);
    const told = reportBucket(bucket({ links, points: [createdAt(4)] }), month);
    expect(told.measured?.from).toBe(new Date(hours(2)).toISOString());
    expect(told.policies[0]?.attainment).toMatchObject({ secondsMet: 4 * 3600, secondsWithoutPoint: 2 * 3600 });
    expect(told.failures).toEqual([
      { at: new Date(hours(3)).toISOString(), runId: run, summary: 'CopyFailed: no space' },
    ]);
  });

  it('takes a comparison on record for proof, also when the point was compared again later', () => {
    const links = chainOf([[hours(3), 'v', { kind: 'verified', runId: run, name, equal: true, detail: '' }]]);
    const told = reportBucket(
      bucket({ links, points: [{ ...createdAt(2), verification: createdAt(700).verification }] }),
      month,
    );
    expect(told.policies[0]?.attainment).toMatchObject({ secondsMet: 3 * 3600 });
  });

  it('counts what was deleted by snapshot, by us and by others, once however often it is on record', () => {
    const plan = 'b'.repeat(64) as never;
    const deleted = (byUs: boolean, ...of: ReturnType<typeof snapshots>): Happening => ({
      kind: 'deleted',
      runId: run,
      plan: byUs ? plan : null,
      byUs,
      snapshots: of,
    });
    const links = chainOf([
      [hours(1), 'c', { kind: 'condemned', runId: run, plan, snapshots: snapshots('source', 1, 2) }],
      [hours(2), 's', { kind: 'spared', runId: run, snapshots: snapshots('source', 2) }],
      [hours(3), 'd1', deleted(true, ...snapshots('source', 1), ...snapshots('replica', 3))],
      [hours(4), 'd2', deleted(true, ...snapshots('source', 1), ...snapshots('source', 4))],
      [hours(5), 'd3', deleted(false, ...snapshots('replica', 5))],
    ]);
    expect(reportBucket(bucket({ links }), month)).toMatchObject({
      deletions: { byUs: { source: 2, replica: 1 }, byOthers: { source: 0, replica: 1 }, plans: [plan] },
      condemned: 2,
      spared: 1,
    });
  });

  it('takes what happened in the month and nothing of before or after, and repetitions once', () => {
    const links = chainOf([
      [epochMs(start - 1), 'before', ended('succeeded')],
      [start, 'first', ended('succeeded')],
      [hours(1), 'first', ended('succeeded')],
      [hours(2), 'prune', ended('failed', 'prune')],
      [end, 'after', ended('succeeded')],
    ]);
    expect(reportBucket(bucket({ links }), month).runs).toEqual({
      backup: { succeeded: 1, failed: 0 },
      prune: { succeeded: 0, failed: 1 },
      restore: { succeeded: 0, failed: 0 },
      drill: { succeeded: 0, failed: 0 },
      failover: { succeeded: 0, failed: 0 },
    });
  });

  it('says who is the primary, what would fail over and what is in the way until somebody does something', () => {
    const ready = Readiness.parse({
      isReady: false,
      from: 'prod',
      to: 'dr',
      role: null,
      point: { name, at: hours(3), age: 60 },
      takes: { files: 1, bytes: 1, seconds: 90, objective: 3600, isWithin: true, basis: 'measured' },
      remarks: [
        { kind: 'at-work', blocks: 'now', until: hours(9), text: 'a run is at work', remedy: 'Wait.' },
        { kind: 'change-held', blocks: 'planned', until: null, text: 'a change is held back', remedy: 'Decide.' },
        { kind: 'replica-dirty', blocks: 'nothing', until: null, text: 'it is dirty', remedy: 'Nothing.' },
      ],
    });
    const links = chainOf([
      [hours(5), 'f1', { ...ended('succeeded'), workflow: 'failover', summary: 'failed over to dr' } as Happening],
    ]);
    const report = reportBucket(bucket({ links, readiness: ready }), month);
    expect(report.failover).toEqual({
      primary: 'source',
      epoch: 0,
      since: null,
      isMoving: false,
      point: { name, created: new Date(hours(3)).toISOString() },
      secondsExpected: 90,
      basis: 'measured',
      blockers: ['a change is held back'],
    });
    expect(report.failedOver).toMatchObject([{ summary: 'failed over to dr' }]);
    const html = reportHtml(reportOf(report), 'f'.repeat(64));
    for (const text of ['the source, ever since', 'in about 2 min (measured)', 'failed over to dr'])
      expect(html).toContain(text);
  });

  it('tells of each restore and each drill, and of none that only made a plan', () => {
    const of = (workflow: 'restore' | 'drill', status: 'succeeded' | 'failed', summary: string): Happening => ({
      kind: 'run-ended',
      workflow,
      runId: run,
      status,
      summary,
      startedAt: start,
      steps: 5,
    });
    const links = chainOf([
      [hours(1), 'd1', of('drill', 'succeeded', `${name} drilled`)],
      [hours(2), 'd2', of('drill', 'failed', 'RestoreDiffers: 1 missing')],
      [hours(3), 'r1', of('restore', 'succeeded', `${ONLY_PLANNED}: replaces 3 files`)],
      [hours(4), 'r2', of('restore', 'succeeded', '3 paths restored')],
      [epochMs(end + 1), 'd3', of('drill', 'succeeded', 'later')],
    ]);
    const report = reportBucket(bucket({ links }), month);
    expect(report).toMatchObject({
      runs: { drill: { succeeded: 1, failed: 1 }, restore: { succeeded: 1, failed: 0 } },
      drills: 1,
      drilled: [{ at: new Date(hours(1)).toISOString(), summary: `${name} drilled` }],
      restored: [{ summary: '3 paths restored' }],
      failures: [{ summary: 'RestoreDiffers: 1 missing' }],
    });
    const html = reportHtml(reportOf(report), 'f'.repeat(64));
    for (const text of ['1 passed, 1 failed', `${name} drilled`, '3 paths restored']) expect(html).toContain(text);
  });

  it('tells the decisions of people in their words, what differed, and what a policy asks less of', () => {
    const decision = {
      decision: 'adopt',
      words: 'adopt sales/orders on dr created x',
      by: 'Ada <a@b>',
      reason: 'it is & was ours',
      effect: 'goes on',
    };
    const links = chainOf([
      [hours(1), 'd', { kind: 'decision', execution: 'arn', ...decision }],
      [hours(2), 'v', { kind: 'verified', runId: run, name, equal: false, detail: '1 only on the source' }],
      [
        hours(3),
        'w',
        { kind: 'policy-weakened', policy, bucket: 'sales/orders' as never, change: 'rpo 4h to 8h', until: hours(75) },
      ],
    ]);
    const told = reportBucket(bucket({ links }), month);
    expect(told.decisions).toEqual([{ at: new Date(hours(1)).toISOString(), ...decision }]);
    expect(told.differences).toMatchObject([{ point: name, detail: '1 only on the source' }]);
    expect(told.comparisons).toEqual({ equal: 0, differing: 1 });
    expect(told.weakenings).toMatchObject([{ change: 'rpo 4h to 8h' }]);
  });

  it('says what it cannot read, of later versions', () => {
    const drill = { kind: 'drill' } as never;
    const text = JSON.stringify({
      schema: 1,
      n: 1,
      id: 'x',
      pair,
      at: hours(1),
      happening: drill,
      previous: '0'.repeat(64),
    });
    const told = reportBucket(bucket({ links: [{ n: 1, text, hash: sha256(text) }] }), month);
    expect(told).toMatchObject({ drills: 0, unreadable: 1 });
    expect(reportBucket(bucket({}), month)).toMatchObject({ drills: 0, unreadable: 0 });
  });

  it('leaves out a policy that asked nothing of the bucket in the month', () => {
    const former = { ...knownPolicy, versions: [version(epochMs(0), 4), version(epochMs(start - 999 * HOUR), 4, [])] };
    expect(reportBucket(bucket({ points: [createdAt(1)], policies: [former] }), month).policies).toEqual([]);
  });
});

describe('the page', () => {
  const links = chainOf([
    [hours(2), 'a', ended('failed')],
    [
      hours(3),
      'd',
      {
        kind: 'decision',
        decision: 'accept',
        words: 'accept <all>',
        by: 'Ada "A"',
        reason: 'a & b',
        execution: 'arn',
        effect: '',
      },
    ],
  ]);
  const html = reportHtml(reportOf(reportBucket(bucket({ links, points: [createdAt(3)] }), month)), 'f'.repeat(64));

  it('is well-formed, loads nothing and runs nothing', () => {
    expect(problemsOfMarkup(html)).toEqual([]);
    expect(html).not.toMatch(/<script|<link|<img|@import|url\(|https?:/);
  });

  it('shows what a person looks for', () => {
    for (const text of [
      'no drill on record',
      'CopyFailed: no space',
      'accept &lt;all&gt;',
      'a &amp; b',
      'sales/forgotten',
      `whole: ${pair}=1:${whole.hash}`,
    ])
      expect(html).toContain(text);
  });

  it('says of a broken record that it is', () => {
    const report = reportOf(reportBucket(bucket({ points: [createdAt(3)] }), month));
    const chains = [{ pair, entries: 3, head: null, broken: { n: 2, why: 'the entry was changed' } }];
    expect(reportHtml({ ...report, chains }, '')).toContain('BROKEN at entry 2: the entry was changed');
  });

  it('never shows a span shorter than it was', () => {
    expect([0, 59, 60, 61, 3600, 3661, 86_399, 86_400, 93_600, 93_601].map(spanText)).toEqual([
      '0 s',
      '59 s',
      '1 min',
      '2 min',
      '1 h',
      '1 h 2 min',
      '1 d',
      '1 d',
      '1 d 2 h',
      '1 d 3 h',
    ]);
  });
});
