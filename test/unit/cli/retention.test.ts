import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { judgeRequest } from '../../../functions/cli/retention.ts';

const request = {
  rules: { keepDaily: 2 },
  zone: 'Europe/Berlin',
  now: '2026-11-21T12:00:00Z',
  snapshots: [
    { name: 'a', time: '2026-11-17T11:00:00Z' },
    { name: 'c', time: '2026-11-20T01:00:00+01:00' },
    { name: 'b', time: '2026-11-19T12:00:00.123456789+01:00' },
    { name: 'd', time: '2026-11-20T23:30:00Z' },
    { name: 'late', time: '2026-12-24T18:00:00Z' },
  ],
};
const answer = {
  keep: [
    { name: 'late', reasons: ['future-dated'] },
    { name: 'd', reasons: ['daily snapshot'] },
    { name: 'c', reasons: ['daily snapshot'] },
  ],
  remove: [
    { name: 'b', reasons: ['no rule keeps it'] },
    { name: 'a', reasons: ['no rule keeps it'] },
  ],
};

const judged = (more: Readonly<Record<string, unknown>>) => judgeRequest(JSON.stringify({ ...request, ...more }));
const problem = (more: Readonly<Record<string, unknown>>) => {
  const refused = judged(more);
  return refused.ok ? 'accepted' : refused.problem;
};

describe('the command retention', () => {
  it('names every snapshot once, newest first, with reasons, in the days of the zone', () => {
    expect(judged({})).toEqual({ ok: true, ...answer });
  });

  it('has nothing to say of no snapshots', () => {
    expect(judged({ snapshots: [] })).toEqual({ ok: true, keep: [], remove: [] });
  });

  it.each([
    ['a rule that does not exist', { keepDayly: 7 }, /^rules: .*keepDayly/],
    ['a rule in the notation of a command line', { 'keep-daily': 7 }, /^rules: .*keep-daily/],
    ['a negative count', { keepDaily: -1 }, /^rules.keepDaily: .*>=0/],
    ['half a count', { keepDaily: 1.5 }, /^rules.keepDaily: /],
    ['a count as text', { keepDaily: '7' }, /^rules.keepDaily: /],
    ['an unknown unit', { keepWithin: '7w' }, /^rules.keepWithin: .*no weeks/],
    ['a span without a unit', { keepWithin: '7' }, /^rules.keepWithin: /],
    ['a negative span', { keepWithin: '-7d' }, /^rules.keepWithin: /],
    ['a span as a number', { keepWithin: 7 }, /^rules.keepWithin: /],
    ['a unit that is there twice', { keepWithin: '1d1d' }, /^rules.keepWithin: /],
    ['nothing but zeros', { keepLast: 0, keepDaily: 0 }, /^rules: these rules would keep nothing/],
    ['no rule at all', {}, /^rules: these rules would keep nothing/],
    ['a minimum of good ones without a rule', { minGood: 3 }, /^rules: these rules would keep nothing/],
    ['a list', [], /^rules: /],
  ])('refuses %s', (_sentence, rules, message) => {
    expect(problem({ rules })).toMatch(message);
  });

  it.each([
    ['an unknown zone', { zone: 'Europe/Berln' }, /^zone: write an IANA time zone/],
    ['an offset for a zone', { zone: '+01:00' }, /^zone: /],
    ['no zone', { zone: undefined }, /^zone: /],
    ['a time without an offset', { now: '2026-11-21T12:00:00' }, /^now: write an instant as ISO 8601/],
    ['a day without a time', { now: '2026-11-21' }, /^now: /],
    ['a time that is a number', { now: 1_795_262_400_000 }, /^now: /],
    ['30 February', { now: '2026-02-30T12:00:00Z' }, /^now: there is no such day/],
    ['an hour 25', { now: '2026-02-28T25:00:00Z' }, /^now: there is no such day or time/],
    ['a field that is misspelled', { snapshot: [] }, /^the request: .*snapshot/],
    ['a snapshot without a time', { snapshots: [{ name: 'a' }] }, /^snapshots.0.time: /],
    ['a snapshot without a name', { snapshots: [{ name: '', time: request.now }] }, /^snapshots.0.name: /],
    ['a list of snapshots that is missing', { snapshots: undefined }, /^snapshots: /],
    [
      'one name for two snapshots',
      { snapshots: [request.snapshots[0], { name: 'a', time: request.now }] },
      /^snapshots.1.name: "a" is there twice/,
    ],
  ])('refuses %s', (_sentence, more, message) => {
    expect(problem(more)).toMatch(message);
  });

  it.each(['', 'keepDaily: 7', '[]', 'null', '{"rules": {"keepDaily": 7}'])('refuses the text %j', (text) => {
    const refused = judgeRequest(text);
    expect(refused.ok ? '' : refused.problem).toMatch(/^the request/);
  });

  it('says what is wrong in one line', () => {
    for (const text of ['{\n"rules":\n\n', JSON.stringify({ rules: { a: 1, b: 2 } })]) {
      const refused = judgeRequest(text);
      expect(refused.ok ? '' : refused.problem).toMatch(/^[^\n]+$/);
    }
  });
});

describe('from a shell', () => {
  const run = (input: string) =>
    spawnSync(process.execPath, ['--import', 'tsx', 'functions/cli/retention.ts'], {
      input,
      encoding: 'utf8',
      cwd: fileURLToPath(new URL('../../..', import.meta.url)),
    });

  it('one JSON document on standard output', () => {
    const { status, stdout, stderr } = run(JSON.stringify(request));
    expect(JSON.parse(stdout)).toEqual(answer);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  }, 60_000);

  it('a refusal is one line on standard error, nothing on standard output, and exit status 1', () => {
    const { status, stdout, stderr } = run(JSON.stringify({ ...request, rules: { keepDaily: -7 } }));
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^retention: rules\.keepDaily: [^\n]+\n$/);
  }, 60_000);
});
