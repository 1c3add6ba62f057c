import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { runSimulation } from '../../../functions/cli/simulate.ts';
import { calendarDays } from '../../../functions/cli/simulation/calendar-days.ts';
import { ageText } from '../../../functions/cli/simulation/words.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { problemsOfMarkup } from '../../demo/markup.ts';

const TEXT = `
clusters:
  berlin: { service: ozone-berlin, hosts: [mi-0a1b2c3d4e5f60001] }
  paris: { service: ozone-paris, hosts: [mi-0a1b2c3d4e5f60002], snapshotLimit: 300 }
policies:
  nightly:
    source: berlin
    replica: paris
    buckets: [sales/orders, sales/invoices]
    schedules: [{ cron: 0 2 * * ? *, zone: Europe/Berlin }]
    objectives: { rpo: 26h, rto: 4h }
    retention: { zone: Europe/Berlin, source: { keepDaily: 3 }, replica: { keepDaily: 7, keepMonthly: 3 } }
  local-only:
    source: berlin
    buckets: [sales/scratch]
    schedules: [{ cron: 0 0/12 * * ? *, zone: UTC }]
    objectives: { rpo: 26h, rto: 4h }
`;

const Side = z.object({ source: z.string().nullable(), replica: z.string().nullable() });
const Report = z.object({
  policies: z.array(
    z.object({
      policy: z.string(),
      buckets: z.number(),
      taken: z.number(),
      replicated: z.number(),
      deleted: z.number(),
      refusals: z.number(),
      worstSource: z.object({ date: z.string(), seconds: z.number() }).nullable(),
      worstReplica: z.object({ date: z.string(), seconds: z.number() }).nullable(),
      days: z.array(
        z.object({
          date: z.string(),
          source: z.number(),
          replica: z.number(),
          mostSource: z.number(),
          mostReplica: z.number(),
          rpoSource: z.number().nullable(),
          rpoReplica: z.number().nullable(),
          restore: Side,
        }),
      ),
    }),
  ),
  clusters: z.array(
    z.object({
      cluster: z.string(),
      limit: z.number(),
      expected: z.number(),
      most: z.object({ date: z.string(), snapshots: z.number() }),
      exhausted: z.string().nullable(),
      days: z.array(z.object({ date: z.string(), snapshots: z.number() })),
    }),
  ),
});

let folder = '';
let file = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'simulate-'));
  file = join(folder, 'policies.yaml');
  writeFileSync(file, TEXT);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: readonly string[]) => runSimulation([file, ...args]);
const json = (...args: readonly string[]) => Report.parse(JSON.parse(run('--json', ...args).text));
const nightly = (...args: readonly string[]) => {
  const [first] = json('--policy', 'nightly', ...args).policies;
  if (!first) throw new Error('one policy was asked for');
  return first;
};
const HOUR = 3600;
const february = ['--from', '2026-02-01', '--to', '2026-03-01'] as const;

describe('a simulated month', () => {
  it('has a point per night, and each side as many as its rules keep and as wait to be deleted', () => {
    const { taken, replicated, days, refusals } = nightly(...february);
    expect({ taken, replicated, refusals }).toEqual({ taken: 28, replicated: 28, refusals: 0 });
    const last = days.at(-1);
    // Three days and one that was condemned yesterday; there also the oldest of all, while months are left to count.
    expect(last).toMatchObject({ date: '2026-03-01', source: 4, replica: 9 });
    expect(days.find(({ date }) => date === '2026-02-20')).toMatchObject({
      rpoSource: 24 * HOUR,
      rpoReplica: 24 * HOUR,
    });
  });

  it('says which point a restore of each day finds of those that are there in the end', () => {
    const { days } = nightly(...february);
    const found = (date: string) => days.find((day) => day.date === date)?.restore;
    expect(found('2026-02-28')).toEqual({ source: '2026-02-28T01:00:00.000Z', replica: '2026-02-28T01:00:00.000Z' });
    expect(found('2026-02-22')).toEqual({ source: null, replica: '2026-02-22T01:00:00.000Z' });
    expect(found('2026-02-05')).toEqual({ source: null, replica: '2026-02-01T01:00:00.000Z' });
  });

  it('adds up the buckets of all policies per cluster, and says when what is never deleted passes the limit', () => {
    const { clusters } = json(...february);
    const [berlin, paris] = clusters;
    expect(berlin).toMatchObject({ cluster: 'berlin', limit: 10_000 });
    // Two buckets of one policy, and all that the other has ever taken: two a day.
    expect(berlin?.most.snapshots).toBe(2 * 5 + 56);
    expect(berlin?.exhausted).toMatch(/^2039-/);
    expect(paris).toMatchObject({ cluster: 'paris', limit: 300, exhausted: null });
    expect(paris?.most.snapshots).toBeLessThanOrEqual(paris?.expected ?? 0);
  });
});

describe('while the replica is out of reach', () => {
  const outage = ['--outage', '2026-02-10/2026-02-14T12:00:00Z'] as const;

  it('points are taken and not replicated, nothing is deleted on either side, and the age of the newest copy grows', () => {
    const { days, refusals, worstSource, worstReplica } = nightly(...february, ...outage);
    const during = days.filter(({ date }) => date >= '2026-02-11' && date <= '2026-02-14');
    expect(new Set(during.map(({ replica }) => replica)).size).toBe(1);
    expect(during.map(({ source }) => source)).toEqual([0, 1, 2, 3].map((more) => (during[0]?.source ?? 0) + more));
    expect(refusals).toBe(5);
    expect(worstSource?.seconds).toBe(24 * HOUR);
    expect(worstReplica).toEqual({ date: '2026-02-15', seconds: 6 * 24 * HOUR });
  });

  it('the points that its rules would keep are brought over afterwards', () => {
    const { days, replicated, taken } = nightly(...february, ...outage);
    expect(taken).toBe(28);
    expect(replicated).toBe(28);
    expect(days.find(({ date }) => date === '2026-02-15')?.replica).toBe(14);
  });

  it('no more are brought over than one run does', () => {
    const { taken, replicated } = nightly(
      '--from',
      '2026-01-01',
      '--to',
      '2026-06-01',
      '--outage',
      '2026-02-01/2026-05-01',
    );
    expect(taken - replicated).toBeGreaterThan(60);
  });
});

describe('the table', () => {
  it('has a row per day of a short span and a row per month of a long one', () => {
    const short = run('--policy', 'nightly', ...february).text;
    expect(short).toMatch(/^ {2}2026-02-14 +\d+ +\d+ +1 d +1 d +0\/1 +0\/1$/m);
    const long = run('--policy', 'nightly', '--from', '2025-01-01', '--to', '2026-01-01').text;
    expect(long).toMatch(/^ {2}2025-03 +\d+ +\d+ /m);
    expect(long).not.toContain('2025-03-01 ');
  });

  it('says the worst ages against the objective, and a limit that is passed', () => {
    const text = run('--policy', 'nightly', ...february, '--outage', '2026-02-10/2026-02-14').text;
    expect(text).toContain(
      'on the replica the newest point was at worst 5 d old (2026-02-14, over the objective of 1 d 2 h)',
    );
    const local = run('--policy', 'local-only', '--from', '2026-01-01', '--to', '2040-01-01').text;
    expect(local).toMatch(/berlin: at most 10\d{3} of 10000 snapshots \(10[12]\.\d %, .*MORE THAN IT ALLOWS\)/);
    expect(local).toContain('nothing is ever deleted: the policy has no retention');
  });

  it.each([
    [null, '-'],
    [0, '0 s'],
    [59, '59 s'],
    [3600, '1 h'],
    [93_784, '1 d 2 h'],
    [86_400 * 400, '400 d'],
  ])('an age of %s seconds is %s', (seconds, text) => {
    expect(ageText(seconds)).toBe(text);
  });
});

describe('the page', () => {
  const page = () => run(...february, '--outage', '2026-02-10/2026-02-14').html.page;

  it('is well-formed, loads nothing and runs nothing', () => {
    expect(problemsOfMarkup(page())).toEqual([]);
    expect(page()).not.toMatch(/<script|<link|<img|@import|url\(|https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
  });

  it('can be read without seeing the pictures: a title, a description and the same figures as a table', () => {
    const text = page();
    expect(text.match(/<svg [^>]*role="img" aria-label="Points of one bucket of [^"]+"/g)).toHaveLength(2);
    expect(text.match(/<title>Points of one bucket of /g)).toHaveLength(2);
    expect(text.match(/<desc>Points of one bucket of nightly by day from 2026-02-01/g)).toHaveLength(1);
    expect(text.match(/<tr><th scope="row">2026-02-14<\/th>/g)).toHaveLength(2);
    expect(text).toContain('class="out"');
  });

  it('shows years in no more columns than can be told apart', () => {
    const { page: years } = run('--policy', 'nightly', '--from', '2016-01-01', '--to', '2026-01-01').html;
    expect(years.length).toBeLessThan(150_000);
    expect(problemsOfMarkup(years)).toEqual([]);
  }, 240_000);
});

describe('the days of a zone', () => {
  const at = (text: string) => epochMs(Date.parse(text));

  it('begin where the clock says, which is at one where midnight is skipped', () => {
    const [first, second] = calendarDays('America/Sao_Paulo', at('2016-10-15T03:00Z'), at('2016-10-17T02:00Z'));
    expect(first).toEqual({ date: '2016-10-15', from: at('2016-10-15T03:00Z'), to: at('2016-10-16T03:00Z') });
    expect(second).toEqual({ date: '2016-10-16', from: at('2016-10-16T03:00Z'), to: at('2016-10-17T02:00Z') });
  });

  it('leave out the one that never was', () => {
    expect(
      calendarDays('Pacific/Apia', at('2011-12-28T10:00Z'), at('2012-01-01T09:00Z')).map(({ date }) => date),
    ).toEqual(['2011-12-28', '2011-12-29', '2011-12-31', '2012-01-01']);
  });

  it('follow one another without a gap, from the first instant to the last', () => {
    const days = calendarDays('Australia/Lord_Howe', at('2025-01-01T05:00Z'), at('2026-01-01T05:00Z'));
    expect(days[0]?.from).toBe(at('2025-01-01T05:00Z'));
    expect(days.at(-1)?.to).toBe(at('2026-01-01T05:00Z'));
    days.forEach(({ to }, index) => {
      expect(days[index + 1]?.from ?? to).toBe(to);
    });
  });
});

describe('what is typed wrong', () => {
  it.each([
    ['no file', ['--from', '2026-01-01', '--to', '2026-02-01'], /one policy file is needed/],
    ['a file that is not there', ['none.yaml', ...february], /none\.yaml: cannot be read/],
    ['no beginning', ['FILE', '--to', '2026-02-01'], /--from: write a day/],
    [
      'an end before the beginning',
      ['FILE', '--from', '2026-02-01', '--to', '2026-01-01'],
      /--to: the end has to be after/,
    ],
    ['30 February', ['FILE', '--from', '2026-02-30', '--to', '2026-04-01'], /--from: there is no such day/],
    ['a time without a zone', ['FILE', '--from', '2026-02-03T12:00', '--to', '2026-04-01'], /--from: write a day/],
    ['half an outage', ['FILE', ...february, '--outage', '2026-02-10'], /--outage: write a day/],
    [
      'an outage that ends before it begins',
      ['FILE', ...february, '--outage', '2026-02-10/2026-02-01'],
      /--outage: the end/,
    ],
    [
      'a policy that is not in the file',
      ['FILE', ...february, '--policy', 'nightli'],
      /--policy: write one of nightly, local-only/,
    ],
    ['an unknown option', ['FILE', ...february, '--outages', 'x'], /Unknown option '--outages'/],
    ['a thousand years', ['FILE', '--from', '2026-01-01', '--to', '3026-01-01'], /--to: at most 100 years later/],
  ])('%s', (_sentence, args, message) => {
    expect(() => runSimulation(args.map((arg) => (arg === 'FILE' ? file : arg)))).toThrow(message);
  });
});

describe('from a shell', () => {
  const shell = (...args: readonly string[]) =>
    spawnSync(process.execPath, ['--import', 'tsx', 'functions/cli/simulate.ts', ...args], {
      encoding: 'utf8',
      cwd: fileURLToPath(new URL('../../..', import.meta.url)),
    });

  it('prints JSON and writes the page where it was told to', () => {
    const html = join(folder, 'page.html');
    const { status, stdout } = shell(file, ...february, '--json', '--html', html);
    expect(status).toBe(0);
    expect(Report.parse(JSON.parse(stdout)).policies.map(({ policy }) => policy)).toEqual(['nightly', 'local-only']);
    expect(readFileSync(html, 'utf8')).toMatch(/^<!DOCTYPE html>/);
  }, 120_000);

  it('says what is wrong and how it is called, prints nothing else and ends with 1', () => {
    const { status, stdout, stderr } = shell(file, '--from', 'yesterday', '--to', '2026-01-01');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^simulate: --from: write a day or an instant.*\n\nnpm run simulate -- /);
  }, 120_000);
});
