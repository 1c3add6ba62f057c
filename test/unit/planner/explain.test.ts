import { describe, expect, it } from 'vitest';
import { BucketPage, type Consequence, PointPage, type SideView } from '../../../functions/core/domain/explanation.ts';
import { BucketRef, RunId } from '../../../functions/core/domain/names.ts';
import { type Happening, Happening as HappeningForm } from '../../../functions/core/domain/record.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { emptiedPeriods, instantText, spanText } from '../../../functions/core/planner/consequences.ts';
import { explainBucket, explainPoint } from '../../../functions/core/planner/explain.ts';
import { BUCKET, HOUR, idOf, lineageOf, nameOf, now, PLAN, passed, timeOf, type World } from './lineage-world.ts';
import { operationOf } from './world.ts';

/** The page of a bucket, as it is printed: it fits its schema. */
const bucketOf = (world: World, most = 100, at = now): BucketPage =>
  BucketPage.parse(explainBucket(lineageOf(world), most, at));
const pointOf = (world: World, letter: string, record: readonly Happening[] = []): PointPage => {
  const facts = lineageOf(world);
  const point = facts.points.find(({ name }) => name === nameOf(letter));
  if (!point) throw new Error(`there is no ${letter} in this world`);
  const living = facts.points.filter(({ removal, replica }) => !(removal.source?.state === 'deleted' && !replica));
  const entries = record.map((happening) => ({ at: now, happening }));
  return PointPage.parse(explainPoint({ ...facts, points: living }, point, entries, now));
};

const week: World = { points: 't* u* v* w* x* y* z*', base: 'z', previous: 'y', rpo: 200 };

describe('am I safe?', () => {
  it.each<[string, World, BucketPage['safe']['answer'], string | null]>([
    ['the newest verified point is within the objective', { points: 'y* z*', rpo: 120 }, 'yes', 'z'],
    ['the newest verified point is older than that', { points: 'y* z*', rpo: 26 }, 'late', 'z'],
    ['newer ones are only taken', { points: 'x* y z', rpo: 120 }, 'late', 'x'],
    ['newer ones are sealed and were not compared', { points: 'x* y~ z~', rpo: 120 }, 'late', 'x'],
    ['newer ones differ', { points: 'x* z!', rpo: 120 }, 'late', 'x'],
    ['the copy of the newest was deleted, its source was not', { points: 'x* z*-r', rpo: 120 }, 'late', 'x'],
    ['the source of the newest was deleted, its copy was not', { points: 'x* z*-s', rpo: 120 }, 'yes', 'z'],
    ['nothing was ever verified', { points: 'y z', rpo: 120 }, 'no', null],
    ['there is nothing', { points: '', rpo: 120 }, 'no', null],
    ['of a policy without a replica a snapshot is enough', { points: 'y z', rpo: 120, local: true }, 'yes', 'z'],
  ])('%s', (_sentence, world, answer, newest) => {
    const { safe } = bucketOf(world);
    expect(safe).toMatchObject({ answer, newestGood: newest && { name: nameOf(newest), at: timeOf(newest) } });
  });

  it('says how old the newest points are', () => {
    expect(bucketOf({ points: 'y* z' }).safe).toEqual({
      answer: 'late',
      objective: 26 * 3600,
      newestTaken: { name: nameOf('z'), at: timeOf('z'), age: 106 * 3600 },
      newestGood: { name: nameOf('y'), at: timeOf('y'), age: 130 * 3600 },
    });
  });

  it('a point of the future is not the newest', () => {
    const at = epochMs(timeOf('y') + HOUR);
    expect(bucketOf({ points: 'x* y* z*' }, 100, at).safe).toMatchObject({ newestGood: { name: nameOf('y') } });
  });
});

describe('what is late or wrong', () => {
  const hold = {
    target: nameOf('z'),
    base: nameOf('y'),
    deletes: 400,
    renames: 3,
    complete: true,
    limit: 50,
    at: epochMs(now - 2 * HOUR),
    accepted: null,
    rejected: null,
  };
  const said = { by: 'Ada', reason: 'a script ran wild', at: now };
  const lease = { runId: lineageOf(week).lastRun?.runId as never, execution: 'arn:run', token: 1 };
  const scratch = {
    cluster: 'dr' as never,
    bucket: BucketRef.parse('sales/odr-drill-x'),
    runId: lineageOf(week).lastRun?.runId as never,
    since: epochMs(now - 3 * HOUR),
    created: null,
  };
  it.each<[string, Partial<World>, string, string]>([
    ['no run', { run: null }, 'never-ran', 'no backup of this bucket has ever begun'],
    [
      'the last run failed',
      { run: { status: 'failed', failure: { error: 'SourceUnreachable', cause: 'prod does not answer' } } },
      'run-failed',
      'the backup of the slot 2026-11-26T02:00:00Z failed 4 d 9 h ago with SourceUnreachable: prod does not answer',
    ],
    [
      'a run is at work',
      { run: { status: 'open', endedAt: null }, pair: { lease: { ...lease, expires: epochMs(now + HOUR) } } },
      'run-open',
      'is at work since 4 d 10 h (arn:run)',
    ],
    [
      'a run is gone without a word',
      { run: { status: 'open', endedAt: null }, pair: { lease: { ...lease, expires: epochMs(now - HOUR) } } },
      'run-open',
      'gives no sign of life any more',
    ],
    [
      'a change is held back',
      { pair: { hold } },
      'held-back',
      `400 deletes and 3 renames, 50 are allowed unasked), seen 2 h ago, is held back: dr stays at ${nameOf('y')} until somebody decides "accept ${BUCKET} ${nameOf('z')}"`,
    ],
    [
      'a change was rejected',
      { pair: { hold: { ...hold, rejected: said } } },
      'held-back',
      'Ada rejected the change up to',
    ],
    [
      'a change was accepted',
      { pair: { hold: { ...hold, accepted: said } } },
      'held-back',
      'the next run brings it over',
    ],
    [
      'somebody wrote into the replica',
      { pair: { foreignChange: { operation: operationOf(1), at: epochMs(now - HOUR) } } },
      'replica-changed',
      `somebody else wrote into ${BUCKET} on dr (seen 1 h ago)`,
    ],
    [
      'a copy did not end in a verified pair',
      { pair: { dirtySince: { operation: operationOf(1), at: epochMs(now - HOUR) } } },
      'replica-dirty',
      'a copy that began 1 h ago has not ended in a verified pair',
    ],
    ['one point is not replicated', { points: 'y* z' }, 'not-replicated', `1 point is newer and not verified on dr`],
    [
      'several are not',
      { points: 'x* y z~' },
      'not-replicated',
      `2 points are newer and not verified on dr: ${nameOf('z')} (sealed) is the newest`,
    ],
    [
      'no drill passed within the span',
      { within: 48, drilled: 'w:50' },
      'drill-overdue',
      `no drill passed in the last 2 d, as the policy promises: the last one was 2 d 2 h ago (${nameOf('w')})`,
    ],
    [
      'none ever did',
      { within: 48, turn: { since: 50, asked: null } },
      'drill-overdue',
      'as the policy promises: none ever did',
    ],
    [
      'the last drill did not pass',
      { within: 48, drilled: 'w:20', turn: { since: 50, asked: 6 } },
      'drill-failed',
      'the drill of the slot 2026-11-30T06:00:00Z has not passed',
    ],
    [
      'a drill left its scratch bucket behind',
      { drills: { scratch } },
      'scratch-left',
      'the scratch bucket sales/odr-drill-x on dr of a drill that began 3 h ago may still be there: the next drill of this bucket removes it',
    ],
    [
      'a restore left the bucket half written',
      { restore: { dirtySince: { operation: operationOf(1), at: epochMs(now - HOUR) } } },
      'restore-unproved',
      `a restore into ${BUCKET} on prod that began 1 h ago was never proved equal: what is there may be half restored`,
    ],
    [
      'somebody paused the policy',
      { paused: { ...said, at: epochMs(now - HOUR) } },
      'policy-paused',
      'nightly is paused since 2026-11-30T11:00:00.000Z by Ada (a script ran wild): no schedule starts a backup, a prune or a drill of it until somebody decides "resume nightly"',
    ],
    [
      'a restore is at work',
      {
        restore: {
          lease: { ...lease, expires: epochMs(now + HOUR) },
          dirtySince: { operation: operationOf(1), at: epochMs(now - HOUR) },
        },
      },
      'restore-open',
      `a restore into ${BUCKET} on prod is at work (arn:run): its backups wait`,
    ],
  ])('%s', (_what, more, kind, text) => {
    expect(bucketOf({ ...week, ...more }).troubles).toEqual([{ kind, text: expect.stringContaining(text) }]);
  });

  it('says nothing when nothing is', () => {
    expect(bucketOf(week).troubles).toEqual([]);
    expect(bucketOf({ ...week, within: 48, drilled: 'w:20', turn: { since: 50, asked: 20.5 } }).troubles).toEqual([]);
    expect(bucketOf({ ...week, within: 48 }).troubles).toEqual([]);
  });

  it('says nothing of a drill that is at work', () => {
    const drills = { lease: { ...lease, expires: epochMs(now + HOUR) }, scratch };
    expect(bucketOf({ ...week, within: 48, turn: { since: 1, asked: 1 }, drills }).troubles).toEqual([]);
  });
});

describe('how do I get data back?', () => {
  it('from the newest verified copy, and from the newest snapshot of the source', () => {
    expect(bucketOf({ points: 'x* y* z' }).copies).toEqual([
      {
        cluster: 'dr',
        url: `ofs://dr-om/${BUCKET}/.snapshot/${nameOf('y')}`,
        name: nameOf('y'),
        at: timeOf('y'),
        proof: 'compared by listing 2026-11-25T04:00:00Z: 90 files, 123456 bytes',
      },
      {
        cluster: 'prod',
        url: `ofs://prod-om/${BUCKET}/.snapshot/${nameOf('z')}`,
        name: nameOf('z'),
        at: timeOf('z'),
        proof: 'a snapshot, compared with nothing',
      },
    ]);
  });

  it.each<[string, World, readonly string[]]>([
    ['the source has lost its snapshots', { points: 'y*-s z*-s' }, ['dr']],
    ['no copy was verified', { points: 'z~' }, ['prod']],
    ['a policy without a replica', { points: 'z', local: true }, ['prod']],
    ['there is nothing', { points: '' }, []],
  ])('%s', (_what, world, clusters) => {
    expect(bucketOf(world).copies.map(({ cluster }) => cluster)).toEqual(clusters);
  });
});

describe('how long does it take to get it back?', () => {
  it('as long as the last drill says, of the newest verified point', () => {
    const { forecast, drills } = bucketOf({ points: 'w* x* y* z', drilled: 'x:50 w:60', within: 72 });
    expect(forecast).toEqual({
      name: nameOf('y'),
      at: timeOf('y'),
      files: 90,
      bytes: 123_456,
      // Of the 100 s of the drill one half is the start, which a bucket that is almost empty takes as well.
      seconds: 52,
      objective: 4 * 3600,
      isWithin: true,
      basis: `measured by the drill of ${nameOf('x')} (3 GB in 100 s)`,
    });
    expect(drills).toMatchObject({
      last: { point: nameOf('x'), age: 50 * 3600, drill: { from: 'replica', seconds: 100 } },
      due: now + 22 * HOUR,
      isScheduled: true,
    });
  });

  it('longer than is allowed, by a drill whose point is deleted', () => {
    const lastDrill = { point: nameOf('a'), drill: passed(5, { files: 90, seconds: (10 * 3600) as never }) };
    const { forecast, drills } = bucketOf({ points: 'y', local: true, drills: { lastDrill } });
    expect(forecast).toMatchObject({ seconds: 10 * 3600, objective: 4 * 3600, isWithin: false });
    expect(forecast?.basis).toBe(`measured by the drill of ${nameOf('a')} (3 GB in 36000 s)`);
    expect(drills.last?.point).toBe(nameOf('a'));
  });

  it.each<[string, World, BucketPage['drills'], boolean]>([
    ['nothing was measured', { points: 'y*' }, { last: null, due: null, isScheduled: false }, true],
    ['there is nothing', { points: '' }, { last: null, due: null, isScheduled: false }, false],
    ['its size is not known', { points: 'y', local: true }, { last: null, due: null, isScheduled: false }, false],
    [
      'before the first slot of drills',
      { points: 'y*', within: 48 },
      { last: null, due: null, isScheduled: true },
      true,
    ],
    [
      'before the first drill',
      { points: 'y*', within: 48, turn: { since: 20, asked: null } },
      { last: null, due: epochMs(now + 28 * HOUR), isScheduled: true },
      true,
    ],
  ])('%s', (_what, world, drills, isForecast) => {
    const page = bucketOf(world);
    expect(page.drills).toEqual(drills);
    expect(page.forecast !== null).toBe(isForecast);
    if (page.forecast) expect(page.forecast.basis).toMatch(/^assumed to be 20 MB/);
  });

  it('tells of each point when it was drilled', () => {
    const { points } = bucketOf({ points: 'x* y*', drilled: 'x:50' });
    expect(points.map(({ drilled }) => drilled?.at ?? null)).toEqual([null, now - 50 * HOUR]);
  });

  it('tells of a point what restores and drills of it are on record', () => {
    const ended = (workflow: 'restore' | 'drill', summary: string): Happening => ({
      kind: 'run-ended',
      workflow,
      runId: RunId.parse('prod/sales/orders#drill-nightly#drill.nightly#20261127t060000z'),
      status: 'succeeded',
      summary,
      startedAt: now,
      steps: 5,
    });
    const told = pointOf({ points: 'x* y*' }, 'y', [
      ended('drill', `${nameOf('y')} drilled: restored from the replica`),
      ended('restore', `3 paths of ${nameOf('y')}, restored`),
      ended('drill', `${nameOf('x')} drilled`),
      ended('drill', `${nameOf('y')}0 drilled`),
    ]).history.map(({ text }) => text);
    expect(told).toEqual([
      `a drill of it succeeded: ${nameOf('y')} drilled: restored from the replica`,
      `a restore of it succeeded: 3 paths of ${nameOf('y')}, restored`,
    ]);
  });
});

describe('why a point stays, and what the next plan makes of it', () => {
  const sideOf = (world: World, letter: string, side: 'source' | 'replica' = 'source') =>
    pointOf({ ...week, ...world }, letter).point[side];
  it.each<[string, Partial<World>, string, SideView['next'], readonly string[]]>([
    ['a rule keeps it', {}, 'x', 'keep', ['last snapshot']],
    ['it is the base', { base: 'u' }, 'u', 'keep', ['the base of the next increment']],
    ['it is the base before the last', { previous: 'u' }, 'u', 'keep', ['the base before the last']],
    ['a copy is at work with it', { copying: 'u' }, 'u', 'keep', [`in use by ${operationOf(4)}`]],
    [
      'it is the newest verified one',
      { rules: { keepYearly: 1 } },
      'z',
      'keep',
      ['the newest point that is proved on all sides'],
    ],
    ['somebody pinned it', { pins: 'u' }, 'u', 'keep', ['pinned by Grace: audit']],
    ['a legal hold', { holds: 'u' }, 'u', 'keep', ['legal hold without end: case 7']],
    ['it is not replicated yet', { points: 'w* x* y* z', rules: { keepLast: 1 } }, 'z', 'keep', ['not yet replicated']],
    ['no rule keeps it', {}, 'u', 'condemn', ['no rule of the source keeps it']],
    ['it was condemned long ago', { removals: 'u:condemned' }, 'u', 'delete', ['no rule of the source keeps it']],
    [
      'it was condemned and pinned since',
      { removals: 'u:condemned', pins: 'u' },
      'u',
      'spare',
      ['pinned by Grace: audit'],
    ],
    ['it was condemned, and the rules keep it again', { removals: 'x:condemned' }, 'x', 'spare', ['last snapshot']],
    [
      'there is no retention',
      { rules: null },
      'u',
      'nothing',
      ['the policy nightly has no retention: nothing is ever deleted'],
    ],
    [
      'a rule of a span keeps it',
      { rules: { keepWithin: '1h' }, points: 'y* z*', pair: {} },
      'z',
      'keep',
      ['within 1h'],
    ],
  ])('%s', (_sentence, world, letter, next, reasons) => {
    const side = sideOf({ ...week, ...world }, letter);
    expect(side).toMatchObject({ next });
    expect(side?.reasons).toEqual(expect.arrayContaining(reasons.map((reason) => expect.stringContaining(reason))));
  });

  it('of the future', () => {
    const facts = lineageOf(week);
    const [point] = facts.points;
    if (!point) throw new Error('the world has points');
    const page = explainPoint(facts, point, [], epochMs(timeOf('y') + HOUR));
    expect(page.point.source).toMatchObject({ next: 'keep', reasons: expect.arrayContaining(['future-dated']) });
  });

  it('younger than the grace', () => {
    const facts = lineageOf({ ...week, rules: { keepYearly: 1 } });
    const young = facts.points.find(({ name }) => name === nameOf('y'));
    if (!young) throw new Error('the world has points');
    const page = explainPoint(facts, young, [], epochMs(timeOf('z') - HOUR));
    expect(page.point.source.reasons).toContain('younger than the grace of 24 hours');
  });

  it('of another policy', () => {
    const facts = lineageOf(week);
    const points = facts.points.map((point) =>
      point.name === nameOf('u') ? { ...point, policy: 'hourly' as never } : point,
    );
    const other = points.find(({ name }) => name === nameOf('u'));
    if (!other) throw new Error('the world has points');
    expect(explainPoint({ ...facts, points }, other, [], now).point.source.reasons).toEqual(['of the policy hourly']);
  });

  it('another pair of the same bucket needs it as its base', () => {
    const facts = lineageOf(week);
    const { pair } = lineageOf({ ...week, base: 'u' });
    const other = facts.points.find(({ name }) => name === nameOf('u'));
    if (!other) throw new Error('the world has points');
    const page = explainPoint({ ...facts, pairs: [facts.pair, pair] }, other, [], now);
    expect(page.point.source.reasons).toEqual(['the base of the next increment']);
  });

  it('says when: a grace after it was condemned, or would be', () => {
    const world = { ...week, removals: 'u:condemned' };
    expect(pointOf(world, 'u').point).toMatchObject({
      source: { state: 'condemned', plan: PLAN, condemnedAt: now - 48 * HOUR, due: now },
      replica: { state: 'present', plan: null, next: 'condemn', due: now + 24 * HOUR },
    });
  });

  it('a side that is deleted says by which plan, or that nobody of ours did it', () => {
    const world: World = { ...week, points: 't* u*-s v* w* x* y* z*' };
    expect(pointOf(world, 'u').point.source).toMatchObject({
      state: 'deleted',
      next: 'nothing',
      deletedAt: now - HOUR,
      reasons: [`deleted by the plan ${PLAN}`],
    });
  });

  it('one that is being deleted says so', () => {
    expect(pointOf({ ...week, removals: 'u:deleting' }, 'u').point.source).toMatchObject({ state: 'deleting' });
  });

  it('a plan that would be refused touches nothing, and says why', () => {
    const facts = lineageOf(week);
    if (!facts.settings) throw new Error('the world has rules');
    const none = [{ rules: {}, zone: 'UTC', until: null }];
    const settings = { ...facts.settings, inForce: { source: none, replica: none } };
    const page = explainBucket({ ...facts, settings }, 100, now);
    const reason = 'the rules would remove all 7 points of the source';
    expect(page.nextPlan).toEqual({ kind: 'refused', reason });
    expect(page.points[0]?.source).toMatchObject({ next: 'nothing', reasons: [reason] });
  });

  it('points of a policy that is not in the file any more are named: no prune judges them', () => {
    const facts = lineageOf(week);
    const points = facts.points.map((point, n) =>
      n === 5 || n === 6 ? { ...point, policy: 'former' as never } : point,
    );
    expect(explainBucket({ ...facts, points }, 100, now).troubles).toEqual([
      {
        kind: 'policy-gone',
        text: '4 snapshots of the policy former, which is not in the policy file: no prune judges them',
      },
    ]);
    const policies = [...facts.policies, { name: 'former' as never }];
    expect(explainBucket({ ...facts, points, policies }, 100, now).troubles).toEqual([]);
  });

  it('the plan of the bucket is counted', () => {
    expect(bucketOf({ ...week, removals: 't:condemned x:condemned' }).nextPlan).toEqual({
      kind: 'plan',
      condemn: 7,
      delete: 1,
      spare: 1,
      keep: 6,
    });
    expect(bucketOf({ ...week, rules: null }).nextPlan).toMatchObject({ kind: 'none' });
  });
});

describe('what breaks if it is deleted', () => {
  const of = (world: Partial<World>, letter: string): readonly Consequence[] =>
    pointOf({ ...week, ...world }, letter).consequences;
  const kinds = (world: Partial<World>, letter: string) => of(world, letter).map(({ kind }) => kind);

  it.each<[string, Partial<World>, string, Consequence['kind'], string]>([
    [
      'a legal hold',
      { holds: 'w' },
      'w',
      'legal-hold',
      'a legal hold of legal is broken (case 7), which stands without end',
    ],
    ['a pin', { pins: 'w' }, 'w', 'pinned', 'Grace loses what they pinned it for: audit'],
    ['a copy at work', { copying: 'w' }, 'w', 'in-use', `the copy ${operationOf(4)} may be at work with it`],
    ['the base', {}, 'z', 'base', 'the next copy has no increment: it compares the whole bucket (100 keys)'],
    [
      'the base, where the policy allows increments only',
      { mode: 'incremental' },
      'z',
      'base',
      'the next copy has no increment and fails, because the policy nightly allows nothing else',
    ],
    ['the base before the last', {}, 'y', 'previous-base', 'if the base is lost too, the next copy has no increment'],
    ['the only verified point', { points: 'y z*' }, 'z', 'only-good', 'nothing can be restored from dr any more'],
    [
      'the only snapshot of a policy without a replica',
      { points: 'z', local: true },
      'z',
      'only-good',
      'it is the only taken point: nothing can be restored from prod any more',
    ],
    [
      'the newest verified point',
      { rpo: 200 },
      'z',
      'newest-good',
      `what changed in the 24 h before it cannot be got back from dr; the newest would be ${nameOf('y')}, 5 d 10 h old`,
    ],
    [
      'the newest verified point, beyond the objective',
      { rpo: 120 },
      'z',
      'newest-good',
      '5 d 10 h old, which is beyond the objective of 5 d',
    ],
    [
      'a point that is on the source alone, the newest',
      { points: 'y* z' },
      'z',
      'not-replicated',
      `what changed since ${nameOf('y')} is on prod alone`,
    ],
    [
      'one that is on the source alone, and never copied',
      { points: 'x* y z*' },
      'y',
      'not-replicated',
      'this moment is lost for good',
    ],
    ['the only one of its day', {}, 'w', 'only-of-period', 'it is the only point of the day 2026-11-23 (UTC)'],
    [
      'the only one of its week',
      { points: 'a* z*' },
      'a',
      'only-of-period',
      'it is the only point of the day 2026-11-01, the week 2026-W44 (UTC)',
    ],
    ['the only one of its year', { points: 'z*' }, 'z', 'only-of-period', 'the month 2026-11, the year 2026'],
    ['the oldest', {}, 't', 'oldest', 'nothing before 2026-11-21T02:00:00Z can be restored any more'],
  ])('%s', (_what, world, letter, kind, text) => {
    expect(of(world, letter)).toContainEqual({ kind, text: expect.stringContaining(text) });
  });

  it.each<[string, Partial<World>, string, readonly Consequence['kind'][]]>([
    ['a verified point between others', {}, 'w', ['only-of-period']],
    ['the base is also the newest', {}, 'z', ['base', 'newest-good', 'only-of-period']],
    [
      'its copy was deleted, another one is newer',
      { points: 't* u*-r v* w* x* y* z*' },
      'u',
      ['not-replicated', 'only-of-period'],
    ],
  ])('nothing else: %s', (_what, world, letter, expected) => {
    expect(kinds(world, letter)).toEqual(expected);
  });

  it('a legal hold that is over breaks nothing', () => {
    const facts = lineageOf(week);
    const held = facts.points.find(({ name }) => name === nameOf('w'));
    if (!held) throw new Error('the world has points');
    const over = { by: 'legal', reason: 'case 7', at: timeOf('w'), until: now };
    const page = explainPoint(facts, { ...held, holds: [over] }, [], now);
    expect(page.consequences.map(({ kind }) => kind)).toEqual(['only-of-period']);
  });

  it('nothing, when another point of the same hour serves every purpose', () => {
    const facts = lineageOf(week);
    const twin = facts.points.find(({ name }) => name === nameOf('w'));
    if (!twin) throw new Error('the world has points');
    const other = { ...twin, name: `${twin.name}0` as never, source: { ...twin.source, id: idOf('q', 'source') } };
    const page = explainPoint({ ...facts, points: [...facts.points, other] }, twin, [], now);
    expect(page.consequences).toEqual([{ kind: 'nothing', text: expect.stringContaining('nothing') }]);
  });

  it('of a point that is deleted nothing is said; its neighbours are', () => {
    const page = pointOf({ points: 'w x-s y z', local: true }, 'x');
    expect(page).toMatchObject({
      deleted: true,
      consequences: [],
      earlier: { name: nameOf('w') },
      later: { name: nameOf('y') },
    });
  });
});

describe('where a point comes from', () => {
  it('base, mode, comparison, and the increments that were made from it', () => {
    expect(pointOf(week, 't').lineage).toMatchObject({
      slot: timeOf('t'),
      mode: 'bootstrap',
      base: null,
      increments: [nameOf('u')],
      verification: { level: 'listing', files: 90 },
    });
    expect(pointOf(week, 'u').lineage).toMatchObject({ mode: 'incremental', base: nameOf('t') });
    expect(pointOf({ points: 'a b*' }, 'a').lineage).toMatchObject({ mode: null, verification: null });
  });

  const record = (happening: object): Happening => HappeningForm.parse(happening);
  const runId = lineageOf(week).points[0]?.runId;
  const snapshots = [{ side: 'source', name: nameOf('z'), id: idOf('z', 'source'), reasons: ['no rule keeps it'] }];
  it.each<[string, Happening, string | undefined]>([
    [
      'its comparison',
      record({ kind: 'verified', runId, name: nameOf('z'), equal: true, detail: '90 files' }),
      'compared with the source and equal: 90 files',
    ],
    [
      'another one’s comparison',
      record({ kind: 'verified', runId, name: nameOf('y'), equal: true, detail: '' }),
      undefined,
    ],
    [
      'its condemnation',
      record({ kind: 'condemned', runId, plan: PLAN, snapshots }),
      `condemned on the source by the plan ${PLAN}: no rule keeps it`,
    ],
    [
      'that it was spared',
      record({ kind: 'spared', runId, snapshots }),
      'its condemnation on the source was taken back',
    ],
    [
      'its deletion',
      record({ kind: 'deleted', runId, plan: PLAN, byUs: true, snapshots }),
      `deleted on the source by the plan ${PLAN}`,
    ],
    [
      'a deletion that was not ours',
      record({ kind: 'deleted', runId, plan: null, byUs: false, snapshots }),
      'found deleted on the source, not by us',
    ],
    [
      'a decision about it',
      record({
        kind: 'decision',
        decision: 'pin',
        words: `pin ${BUCKET} ${nameOf('z')}`,
        by: 'Ada',
        reason: 'audit',
        execution: 'arn',
        effect: 'it stays',
      }),
      `Ada decided "pin ${BUCKET} ${nameOf('z')}" (audit)`,
    ],
    [
      'the run that made it',
      record({
        kind: 'run-ended',
        workflow: 'backup',
        runId,
        status: 'succeeded',
        summary: 'verified',
        startedAt: 1,
        steps: 4,
      }),
      'the backup that made it succeeded: verified',
    ],
    [
      'nothing of the policy',
      record({ kind: 'policy-weakened', policy: 'nightly', bucket: BUCKET, change: 'less', until: 1 }),
      undefined,
    ],
  ])('what is on record: %s', (_what, happening, text) => {
    expect(pointOf(week, 'z', [happening]).history).toEqual(
      text === undefined ? [] : [{ at: now, text: expect.stringContaining(text) }],
    );
  });
});

describe('what a person can decide', () => {
  it.each<[string, Partial<World>, readonly string[]]>([
    ['to keep it', {}, []],
    ['to let it go: whose pins and legal holds', { pins: 'w', holds: 'w' }, ['unpin of Grace', 'release of legal']],
  ])('%s', (_what, world, more) => {
    const about = `${BUCKET} ${nameOf('w')}`;
    expect(pointOf({ ...week, ...world }, 'w').words).toEqual([
      `pin ${about}`,
      `hold ${about} until <instant>`,
      ...more.map((words) => words.replace(' of ', ` ${about} of `)),
    ]);
  });
});

describe('the page of a bucket', () => {
  it('shows the newest points and says how many it leaves out', () => {
    const page = bucketOf(week, 3);
    expect(page.points.map(({ name }) => name)).toEqual(['z', 'y', 'x'].map(nameOf));
    expect(page.pointsLeftOut).toBe(4);
  });

  it('says what it goes by, and which rules are in force', () => {
    const page = bucketOf(week);
    expect(page.basis).toBe('from the ledger, as of the last run; a prune looks at the clusters first');
    expect(page.rules).toEqual({
      source: [{ rules: { keepLast: 3 }, zone: 'UTC', until: null }],
      replica: [{ rules: { keepLast: 3 }, zone: 'UTC', until: null }],
    });
    expect(bucketOf({ ...week, rules: null }).rules).toBeNull();
  });
});

describe('periods of the calendar', () => {
  const at = (text: string) => epochMs(Date.parse(text));
  it.each<[string, string, readonly string[], string, readonly string[]]>([
    ['a day in UTC', '2026-11-20T23:30:00Z', ['2026-11-20T01:00:00Z'], 'UTC', []],
    [
      'the next day in Berlin',
      '2026-11-20T23:30:00Z',
      ['2026-11-20T01:00:00Z'],
      'Europe/Berlin',
      ['the day 2026-11-21'],
    ],
    [
      'a week ends on Sunday',
      '2026-11-22T12:00:00Z',
      ['2026-11-23T12:00:00Z'],
      'UTC',
      ['the day 2026-11-22', 'the week 2026-W47'],
    ],
    [
      'a week of two years',
      '2027-01-01T12:00:00Z',
      ['2026-12-31T12:00:00Z'],
      'UTC',
      ['the day 2027-01-01', 'the month 2027-01', 'the year 2027'],
    ],
    [
      'the first week of a year may begin in December',
      '2025-12-29T12:00:00Z',
      [],
      'UTC',
      ['the day 2025-12-29', 'the week 2026-W01', 'the month 2025-12', 'the year 2025'],
    ],
  ])('%s', (_what, point, others, zone, labels) => {
    expect(emptiedPeriods(at(point), others.map(at), zone).map(({ label }) => label)).toEqual(labels);
  });
});

describe('spans and instants', () => {
  it.each([
    [0, '0 s'],
    [59.4, '59 s'],
    [60, '1 min'],
    [3599, '59 min'],
    [26 * 3600, '26 h'],
    [48 * 3600, '2 d'],
    [51 * 3600 + 1800, '2 d 3 h'],
  ])('%s seconds', (seconds, text) => {
    expect(spanText(seconds)).toBe(text);
  });

  it('an instant has no fraction', () => {
    expect(instantText(timeOf('a') + 123)).toBe('2026-11-01T02:00:00Z');
  });
});

describe('could it be failed over?', () => {
  it('of a bucket with a replica says what that would come to', () => {
    expect(bucketOf(week).readiness).toMatchObject({ isReady: true, to: 'dr', point: { name: nameOf('z') } });
    expect(bucketOf({ ...week, local: true }).readiness).toBeNull();
  });

  it('a bucket that is failed over says that first', () => {
    const role = {
      primary: 'replica',
      epoch: 1,
      state: 'settled',
      point: nameOf('z'),
      since: epochMs(now - HOUR),
      by: RunId.parse('prod/sales/orders#dr#failover.nightly#20261130t110000z'),
      opened: null,
      prepared: null,
      restricted: null,
    } as const;
    const { troubles } = bucketOf({ ...week, pair: { role } });
    expect(troubles[0]).toMatchObject({
      kind: 'failed-over',
      text: expect.stringContaining('it was failed over to dr'),
    });
    const half = bucketOf({ ...week, pair: { role: { ...role, state: 'moving' } } });
    expect(half.troubles[0]).toMatchObject({ kind: 'roles-moving' });
  });
});
