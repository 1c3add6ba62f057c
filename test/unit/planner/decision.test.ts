import { describe, expect, it } from 'vitest';
import type { RecoveryPoint } from '../../../functions/core/domain/ledger.ts';
import { BucketRef } from '../../../functions/core/domain/names.ts';
import { LegalHold, Pin, PlanHash, Removal } from '../../../functions/core/domain/retention.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { meaningForPoint, type PointWords, readWords } from '../../../functions/core/planner/decision.ts';
import { nearestNames } from '../../../functions/core/planner/nearest-names.ts';
import { nameOf, slot } from './world.ts';

const BUCKET = BucketRef.parse('sales/orders');
const POINT = nameOf('a');
const HOUR = 3_600_000;
const minutes = (n: number) => epochMs(slot + n * 60_000);
const PLAN = PlanHash.parse('ab'.repeat(32));
const said = { by: 'Ada', reason: 'audit', at: slot };

const pin = (by: string, reason = 'audit', at = minutes(-60)): Pin => Pin.parse({ by, reason, at });
const hold = (by: string, until: number | null = null, reason = 'case 7'): LegalHold =>
  LegalHold.parse({ by, reason, at: minutes(-60), until });
const removal = (state: Removal['state']): Removal =>
  Removal.parse({
    state,
    plan: PLAN,
    condemnedAt: minutes(-600),
    deletedAt: state === 'deleted' ? minutes(-30) : null,
  });

type Point = Parameters<typeof meaningForPoint>[4];
const point = (more: Partial<Point> = {}): Point => ({
  name: POINT,
  replica: { id: 'x', created: slot, condemned: false } as RecoveryPoint['replica'],
  pins: [],
  holds: [],
  removal: { source: null, replica: null },
  ...more,
});
const mean = (words: PointWords, more: Partial<Point> = {}, by = 'Ada') =>
  meaningForPoint(words, { ...said, by }, slot, BUCKET, point(more));
const decide = (typed: string, more: Partial<Point> = {}, by = 'Ada') => {
  const words = readWords(typed, BUCKET);
  if (!('point' in words)) throw new Error('these words are not about a point');
  return mean(words, more, by);
};

describe('words', () => {
  it.each<[string, object]>([
    [`pin ${BUCKET} ${POINT}`, { kind: 'pin', point: POINT }],
    [`  pin ${BUCKET} ${POINT}\n`, { kind: 'pin', point: POINT }],
    [`unpin ${BUCKET} ${POINT}`, { kind: 'unpin', point: POINT, of: null }],
    [`unpin ${BUCKET} ${POINT} of Grace of Brewster`, { kind: 'unpin', point: POINT, of: 'Grace of Brewster' }],
    [`hold ${BUCKET} ${POINT} without end`, { kind: 'hold', point: POINT, until: null }],
    [`hold ${BUCKET} ${POINT} until 2033-01-01T00:00:00Z`, { kind: 'hold', point: POINT, until: Date.UTC(2033, 0, 1) }],
    [
      `hold ${BUCKET} ${POINT} until 2033-01-01T01:00:00.500+01:00`,
      { kind: 'hold', point: POINT, until: Date.UTC(2033, 0, 1) + 500 },
    ],
    [`release ${BUCKET} ${POINT}`, { kind: 'release', point: POINT, of: null }],
    [`release ${BUCKET} ${POINT} of legal@example.com`, { kind: 'release', point: POINT, of: 'legal@example.com' }],
    [
      `adopt ${BUCKET} on dr created 2026-01-01T00:00:00.000Z`,
      { kind: 'adopt', cluster: 'dr', created: '2026-01-01T00:00:00.000Z' },
    ],
    [`accept ${BUCKET} ${POINT}`, { kind: 'accept', bucket: BUCKET, target: POINT }],
  ])('%s', (typed, words) => {
    expect(readWords(typed, BUCKET)).toEqual(words);
  });

  it.each([
    ['nothing', '', 'write the words of the refusal'],
    ['another word', `keep ${BUCKET} ${POINT}`, `pin ${BUCKET} <point>`],
    ['capitals', `PIN ${BUCKET} ${POINT}`, `pin ${BUCKET} <point>`],
    ['another bucket', `pin sales/others ${POINT}`, `write: pin ${BUCKET} <point>`],
    ['no point', `pin ${BUCKET}`, `write: pin ${BUCKET} <point>`],
    ['more than the words', `pin ${BUCKET} ${POINT} please`, `write: pin ${BUCKET} <point>`],
    ['a hold that does not say until when', `hold ${BUCKET} ${POINT}`, `write: hold ${BUCKET} <point> until <instant`],
    ['a hold until a day of no zone', `hold ${BUCKET} ${POINT} until 2033-01-01`, 'such as 2033-01-01T00:00:00Z'],
    ['a hold until a day that there is not', `hold ${BUCKET} ${POINT} until 2033-02-30T00:00:00Z`, 'such as'],
    ['a hold until somebody says so', `hold ${BUCKET} ${POINT} until released`, 'without end'],
    ['a release of nobody', `release ${BUCKET} ${POINT} of`, `release ${BUCKET} <point> of <who holds it>`],
  ])('%s: refused with the words to write', (_what, typed, message) => {
    expect(() => readWords(typed, BUCKET)).toThrow(
      expect.objectContaining({ name: 'NotConfirmed', message: expect.stringContaining(message) }),
    );
  });
});

describe('keeping a point', () => {
  it('a pin carries who, why and when', () => {
    expect(decide(`pin ${BUCKET} ${POINT}`)).toEqual({
      patch: { pins: [{ by: 'Ada', reason: 'audit', at: slot }] },
      effect: `${POINT} stays on the source and replica until Ada unpins it`,
    });
  });

  it('a legal hold carries also until when', () => {
    const until = epochMs(Date.UTC(2033, 0, 1));
    expect(decide(`hold ${BUCKET} ${POINT} until 2033-01-01T00:00:00Z`)).toEqual({
      patch: { holds: [{ by: 'Ada', reason: 'audit', at: slot, until }] },
      effect: `legal hold: ${POINT} stays on the source and replica until 2033-01-01T00:00:00.000Z`,
    });
    expect(decide(`hold ${BUCKET} ${POINT} without end`).effect).toContain(
      'stays on the source and replica without end',
    );
  });

  it.each<[string, string, Partial<Point>, object | null]>([
    ['the same person for the same reason again: nothing', `pin ${BUCKET} ${POINT}`, { pins: [pin('Ada')] }, null],
    [
      'for another reason: one more',
      `pin ${BUCKET} ${POINT}`,
      { pins: [pin('Ada', 'migration')] },
      { pins: [pin('Ada', 'migration'), said] },
    ],
    ['somebody else: one more', `pin ${BUCKET} ${POINT}`, { pins: [pin('Grace')] }, { pins: [pin('Grace'), said] }],
    [
      'a legal hold as it is: nothing',
      `hold ${BUCKET} ${POINT} without end`,
      { holds: [hold('Ada', null, 'audit')] },
      null,
    ],
    [
      'a legal hold with an end is no end of the one without',
      `hold ${BUCKET} ${POINT} until 2033-01-01T00:00:00Z`,
      { holds: [hold('Ada', null, 'audit')] },
      { holds: [hold('Ada', null, 'audit'), { ...said, until: Date.UTC(2033, 0, 1) }] },
    ],
    [
      'a pin takes a condemnation back in the same write',
      `pin ${BUCKET} ${POINT}`,
      { removal: { source: removal('condemned'), replica: null } },
      { pins: [said], removal: { source: null, replica: null } },
    ],
    [
      'so does a legal hold, on both sides',
      `hold ${BUCKET} ${POINT} without end`,
      { removal: { source: removal('condemned'), replica: removal('condemned') } },
      { holds: [{ ...said, until: null }], removal: { source: null, replica: null } },
    ],
    [
      'a pin that is there already takes a later condemnation back too',
      `pin ${BUCKET} ${POINT}`,
      { pins: [pin('Ada')], removal: { source: null, replica: removal('condemned') } },
      { removal: { source: null, replica: null } },
    ],
    [
      'what was deleted stays deleted',
      `pin ${BUCKET} ${POINT}`,
      { removal: { source: removal('deleted'), replica: removal('condemned') } },
      { pins: [said], removal: { source: removal('deleted'), replica: null } },
    ],
  ])('%s', (_sentence, typed, before, patch) => {
    expect(decide(typed, before).patch).toEqual(patch);
  });

  it('says what it took back', () => {
    const { effect } = decide(`pin ${BUCKET} ${POINT}`, { removal: { source: removal('condemned'), replica: null } });
    expect(effect).toContain('it was condemned on the source by the plan abababababab, which is taken back');
  });

  it.each([
    ['source', 'replica'],
    ['replica', 'source'],
  ] as const)('deleted on the %s: says that it keeps the %s alone', (gone, living) => {
    const before = { removal: { source: null, replica: null, [gone]: removal('deleted') } };
    const { effect, patch } = decide(`pin ${BUCKET} ${POINT}`, before);
    expect(patch).toEqual({ pins: [said] });
    expect(effect).toContain(`${POINT} stays on the ${living} until`);
    expect(effect).toContain(
      `its snapshot on the ${gone} was deleted before (2026-11-20T01:30:00.000Z), only the one on the ${living} is kept`,
    );
  });

  it('a point without a replica stays on the source', () => {
    expect(decide(`pin ${BUCKET} ${POINT}`, { replica: null }).effect).toContain('stays on the source until');
  });

  it.each<[string, string, Partial<Point>, string]>([
    [
      'it is being deleted on one side',
      `pin ${BUCKET} ${POINT}`,
      { removal: { source: null, replica: removal('deleting') } },
      'is being deleted on the replica right now, by the plan abababababab',
    ],
    [
      'it is being deleted: what to do',
      `hold ${BUCKET} ${POINT} without end`,
      { removal: { source: removal('deleting'), replica: removal('condemned') } },
      `npm run explain -- ${BUCKET} --point ${POINT}`,
    ],
    [
      'it was deleted on every side',
      `pin ${BUCKET} ${POINT}`,
      { removal: { source: removal('deleted'), replica: removal('deleted') } },
      'was deleted on every side',
    ],
    [
      'it was deleted on its one side',
      `pin ${BUCKET} ${POINT}`,
      { replica: null, removal: { source: removal('deleted'), replica: null } },
      'was deleted on every side',
    ],
    [
      'the legal hold would be over',
      `hold ${BUCKET} ${POINT} until 2026-11-20T02:00:00Z`,
      {},
      'until 2026-11-20T02:00:00.000Z is over already',
    ],
    [
      'there are too many pins',
      `pin ${BUCKET} ${POINT}`,
      { pins: Array.from({ length: 50 }, (_, n) => pin(`person ${n}`)) },
      'has 50 pins already: it stays',
    ],
    [
      'there are too many legal holds',
      `hold ${BUCKET} ${POINT} without end`,
      { holds: Array.from({ length: 50 }, (_, n) => hold(`person ${n}`)) },
      'has 50 legal holds already',
    ],
  ])('is refused when %s', (_what, typed, before, message) => {
    expect(() => decide(typed, before)).toThrow(
      expect.objectContaining({ name: 'NotConfirmed', message: expect.stringContaining(message) }),
    );
  });
});

describe('letting a point go', () => {
  it.each<[string, string, Partial<Point>, object | null, string]>([
    [
      'unpin ends every pin of the person, for whatever reason',
      `unpin ${BUCKET} ${POINT}`,
      { pins: [pin('Ada'), pin('Ada', 'migration')] },
      { pins: [] },
      'nothing of Ada pins',
    ],
    [
      'unpin leaves the pins of others, and says whose they are',
      `unpin ${BUCKET} ${POINT}`,
      { pins: [pin('Grace', 'drill'), pin('Ada')] },
      { pins: [pin('Grace', 'drill')] },
      'it is still pinned by Grace (drill)',
    ],
    [
      'unpin of somebody else names them',
      `unpin ${BUCKET} ${POINT} of Grace`,
      { pins: [pin('Grace'), pin('Ada')] },
      { pins: [pin('Ada')] },
      'nothing of Grace pins',
    ],
    [
      'a legal hold stands after the last pin',
      `unpin ${BUCKET} ${POINT}`,
      { pins: [pin('Ada')], holds: [hold('legal')] },
      { pins: [] },
      'a legal hold of legal (case 7) stands',
    ],
    [
      'a legal hold that is over keeps nothing',
      `unpin ${BUCKET} ${POINT}`,
      { pins: [pin('Ada')], holds: [hold('legal', slot)] },
      { pins: [] },
      'the next plan goes by the rules',
    ],
    ['unpinning what nobody pins', `unpin ${BUCKET} ${POINT}`, {}, null, 'the next plan goes by the rules'],
    [
      'a pin of after the decision is left: the call was repeated',
      `unpin ${BUCKET} ${POINT}`,
      { pins: [pin('Ada'), pin('Ada', 'again', minutes(1))] },
      { pins: [pin('Ada', 'again', minutes(1))] },
      'it is still pinned by Ada (again)',
    ],
    [
      'release ends the legal holds of the one who holds it',
      `release ${BUCKET} ${POINT}`,
      { holds: [hold('legal'), hold('legal', slot + HOUR)] },
      { holds: [] },
      'no legal hold of legal is on',
    ],
    [
      'release of one of several names them; the other stands',
      `release ${BUCKET} ${POINT} of legal`,
      { holds: [hold('legal'), hold('tax')] },
      { holds: [hold('tax')] },
      'a legal hold of tax (case 7) stands',
    ],
    [
      'one that is over does not count as several',
      `release ${BUCKET} ${POINT}`,
      { holds: [hold('legal'), hold('tax', slot)] },
      { holds: [hold('tax', slot)] },
      'the next plan goes by the rules',
    ],
    [
      'a pin stands after the last legal hold',
      `release ${BUCKET} ${POINT}`,
      { holds: [hold('legal')], pins: [pin('Grace')] },
      { holds: [] },
      'it is still pinned by Grace (audit)',
    ],
    ['releasing what nobody holds', `release ${BUCKET} ${POINT}`, {}, null, 'no legal hold is on'],
    [
      'letting go while it is being deleted changes nothing for the deletion',
      `unpin ${BUCKET} ${POINT}`,
      { pins: [pin('Ada')], removal: { source: removal('deleting'), replica: null } },
      { pins: [] },
      'nothing of Ada pins',
    ],
  ])('%s', (_sentence, typed, before, patch, effect) => {
    const meaning = decide(typed, before);
    expect(meaning.patch).toEqual(patch);
    expect(meaning.effect).toContain(effect);
  });

  it.each<[string, string, Partial<Point>, string]>([
    [
      'only others pin it',
      `unpin ${BUCKET} ${POINT}`,
      { pins: [pin('Grace')] },
      `Ada does not pin ${POINT}, Grace (audit) does: write unpin ${BUCKET} ${POINT} of Grace`,
    ],
    [
      'the one who was named does not pin it',
      `unpin ${BUCKET} ${POINT} of grace`,
      { pins: [pin('Grace')] },
      `write unpin ${BUCKET} ${POINT} of Grace`,
    ],
    [
      'several hold it and none is named',
      `release ${BUCKET} ${POINT}`,
      { holds: [hold('legal'), hold('tax')] },
      `write release ${BUCKET} ${POINT} of legal`,
    ],
    [
      'the one who was named does not hold it',
      `release ${BUCKET} ${POINT} of Ada`,
      { holds: [hold('legal')] },
      `Ada does not hold ${POINT}, legal does`,
    ],
  ])('is refused when %s, with the words to write', (_what, typed, before, message) => {
    expect(() => decide(typed, before)).toThrow(
      expect.objectContaining({ name: 'NotConfirmed', message: expect.stringContaining(message) }),
    );
  });

  it('names three of many who keep it', () => {
    const pins = ['Ada', 'b', 'c', 'd', 'e', 'f'].map((by) => pin(by));
    expect(decide(`unpin ${BUCKET} ${POINT}`, { pins }).effect).toContain(
      'still pinned by b (audit) and c (audit) and d (audit) and 2 more',
    );
  });
});

describe('nearest names', () => {
  const names = ['odr-nightly-20261120t020000z-1', 'odr-nightly-20261119t020000z-1', 'odr-hourly-20261120t020000z-1'];
  it.each([
    ['a figure mistyped', 'odr-nightly-20261120t020000z-2', names[0]],
    ['a figure left out', 'odr-nightly-2026119t020000z-1', names[1]],
    ['another policy', 'odr-hourly-20261120t030000z-1', names[2]],
  ])('%s', (_what, wanted, nearest) => {
    expect(nearestNames(wanted, names)[0]).toBe(nearest);
  });

  it('are no more than asked for, also of a long text', () => {
    expect(nearestNames('x'.repeat(5000), names, 2)).toHaveLength(2);
    expect(nearestNames('x', [])).toEqual([]);
  });
});
