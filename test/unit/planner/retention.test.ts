import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { RetentionRules } from '../../../functions/core/domain/retention.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { applyRules, type DatedPoint } from '../../../functions/core/planner/retention.ts';

const at = (text: string) => epochMs(Date.parse(text));
/** Points named by their times, which are UTC unless they say otherwise. */
const points = (...times: readonly string[]): readonly DatedPoint[] =>
  times.map((name) => ({ name, at: at(/[Z+-]\d*:?\d*$/.test(name.slice(16)) ? name : `${name}Z`) }));
const rules = (written: z.input<typeof RetentionRules>) => RetentionRules.parse(written);
const kept = (
  times: readonly string[],
  written: z.input<typeof RetentionRules>,
  zone = 'UTC',
  now = '2030-01-01T00:00:00Z',
) =>
  Object.fromEntries(
    applyRules(points(...times), rules(written), zone, at(now))
      .filter((point) => point.kept)
      .map((point) => [point.name, point.reasons]),
  );
const names = (...args: Parameters<typeof kept>) => Object.keys(kept(...args));

describe('the rules keep', () => {
  it('the newest point of each of the last days that have one, and say so', () => {
    const week = ['2026-11-16T11:00', '2026-11-17T11:00', '2026-11-19T11:00', '2026-11-20T11:00', '2026-11-20T23:00'];
    expect(kept(week, { keepDaily: 2 })).toEqual({
      '2026-11-20T23:00': ['daily snapshot'],
      '2026-11-19T11:00': ['daily snapshot'],
    });
  });

  it('the example of the manual: five weekdays with a gap, counted', () => {
    const made = [
      '2025-04-21T11:00',
      '2025-04-22T11:00',
      '2025-04-23T11:00',
      '2025-04-24T11:00',
      '2025-04-25T11:00',
      '2025-04-25T23:00',
      '2025-04-28T11:00',
      '2025-04-29T11:00',
      '2025-05-01T11:00',
      '2025-05-02T11:00',
      '2025-05-02T23:00',
    ];
    expect(names(made, { keepDaily: 5 })).toEqual([
      '2025-05-02T23:00',
      '2025-05-01T11:00',
      '2025-04-29T11:00',
      '2025-04-28T11:00',
      '2025-04-25T23:00',
    ]);
    expect(names(made, { keepWithinDaily: '7d' })).toEqual([
      '2025-05-02T23:00',
      '2025-05-01T11:00',
      '2025-04-29T11:00',
      '2025-04-28T11:00',
    ]);
  });

  it('the very oldest point too, while a rule has counts left', () => {
    expect(kept(['2026-11-20T01:00', '2026-11-20T02:00', '2026-11-20T03:00'], { keepDaily: 2 })).toEqual({
      '2026-11-20T03:00': ['daily snapshot'],
      '2026-11-20T01:00': ['oldest daily snapshot'],
    });
    expect(names(['2026-11-20T01:00', '2026-11-20T02:00', '2026-11-20T03:00'], { keepDaily: 1 })).toEqual([
      '2026-11-20T03:00',
    ]);
  });

  it('one point for several reasons', () => {
    expect(kept(['2026-11-20T01:00'], { keepLast: 1, keepWithin: '5d2m', keepYearly: 'unlimited' })).toEqual({
      '2026-11-20T01:00': ['within 2m5d', 'last snapshot', 'yearly snapshot'],
    });
  });

  it('what lies within a span of the newest point, not of the present', () => {
    expect(names(['2026-01-01T00:00', '2026-01-02T00:00', '2026-01-08T00:00'], { keepWithin: '7d' })).toEqual([
      '2026-01-08T00:00',
      '2026-01-02T00:00',
    ]);
  });

  it('no point that is exactly as old as the span, and one that is a second younger', () => {
    expect(names(['2026-11-19T12:00:00', '2026-11-19T12:00:01', '2026-11-20T12:00:00'], { keepWithin: '24h' })).toEqual(
      ['2026-11-20T12:00:00', '2026-11-19T12:00:01'],
    );
  });

  it('months back from a day that the month before does not have, as restic does: 31 March less a month is 3 March', () => {
    expect(names(['2026-03-02T12:00', '2026-03-03T12:01', '2026-03-31T12:00'], { keepWithin: '1m' })).toEqual([
      '2026-03-31T12:00',
      '2026-03-03T12:01',
    ]);
  });

  it('the week of New Year as one: 29 December 2025 to 4 January 2026', () => {
    expect(
      names(['2025-12-28T12:00', '2025-12-29T12:00', '2026-01-01T12:00', '2026-01-04T12:00', '2026-01-05T12:00'], {
        keepWeekly: 3,
      }),
    ).toEqual(['2026-01-05T12:00', '2026-01-04T12:00', '2025-12-28T12:00']);
  });

  it('week 53 of 2020 apart from week 1 of 2021', () => {
    expect(
      names(['2020-12-27T12:00', '2020-12-28T12:00', '2021-01-03T12:00', '2021-01-04T12:00'], { keepWeekly: 3 }),
    ).toEqual(['2021-01-04T12:00', '2021-01-03T12:00', '2020-12-27T12:00']);
  });

  it('nothing of an empty bucket', () => {
    expect(applyRules([], rules({ keepLast: 1 }), 'UTC', at('2026-01-01T00:00Z'))).toEqual([]);
  });
});

describe('a point of the future', () => {
  const times = ['2026-11-18T02:00', '2026-11-19T02:00', '2026-11-20T02:00', '2031-01-01T00:00'];
  const now = '2026-11-20T03:00:00Z';

  it('is kept, takes no count and is not the newest point', () => {
    expect(kept(times, { keepLast: 1 }, 'UTC', now)).toEqual({
      '2031-01-01T00:00': ['future-dated'],
      '2026-11-20T02:00': ['last snapshot'],
    });
    expect(names(times, { keepWithin: '36h' }, 'UTC', now)).toEqual([
      '2031-01-01T00:00',
      '2026-11-20T02:00',
      '2026-11-19T02:00',
    ]);
  });

  it('is one that is later than now: a point of this very moment is judged', () => {
    expect(kept(['2026-11-20T03:00:00', '2026-11-20T03:00:01'], { keepLast: 1 }, 'UTC', now)).toEqual({
      '2026-11-20T03:00:01': ['future-dated'],
      '2026-11-20T03:00:00': ['last snapshot'],
    });
  });

  it('leaves nothing to judge when all are', () => {
    expect(names(['2031-01-01T00:00', '2031-01-02T00:00'], { keepLast: 1 }, 'UTC', now)).toHaveLength(2);
  });
});

describe('the clocks of the zone', () => {
  it('a day of 25 hours in Berlin is one day', () => {
    expect(
      names(
        ['2026-10-24T21:59', '2026-10-24T22:00', '2026-10-25T22:59', '2026-10-25T23:00'],
        { keepDaily: 3 },
        'Europe/Berlin',
      ),
    ).toEqual(['2026-10-25T23:00', '2026-10-25T22:59', '2026-10-24T21:59']);
  });

  it('a day of 23 hours in Berlin is one day', () => {
    expect(
      names(
        ['2026-03-28T22:59', '2026-03-28T23:00', '2026-03-29T21:59', '2026-03-29T22:00'],
        { keepDaily: 3 },
        'Europe/Berlin',
      ),
    ).toEqual(['2026-03-29T22:00', '2026-03-29T21:59', '2026-03-28T22:59']);
  });

  it('the hour that Berlin shows twice is one hour of 120 minutes', () => {
    expect(
      names(
        ['2026-10-24T23:59', '2026-10-25T00:30', '2026-10-25T01:30', '2026-10-25T02:30'],
        { keepHourly: 3 },
        'Europe/Berlin',
      ),
    ).toEqual(['2026-10-25T02:30', '2026-10-25T01:30', '2026-10-24T23:59']);
  });

  it('a day back over the change of the clock is a day of the calendar, 24 hours are hours', () => {
    const night = ['2026-10-24T10:30', '2026-10-24T11:30', '2026-10-25T11:00'];
    expect(names(night, { keepWithin: '1d' }, 'Europe/Berlin')).toEqual([
      '2026-10-25T11:00',
      '2026-10-24T11:30',
      '2026-10-24T10:30',
    ]);
    expect(names(night, { keepWithin: '24h' }, 'Europe/Berlin')).toEqual(['2026-10-25T11:00', '2026-10-24T11:30']);
  });

  it('a span that ends in an hour that the clock skips or shows twice reaches back to its earlier reading', () => {
    const spring = ['2026-03-29T00:29', '2026-03-29T00:31', '2026-03-30T00:30'];
    expect(names(spring, { keepWithin: '1d' }, 'Europe/Berlin')).toEqual(['2026-03-30T00:30', '2026-03-29T00:31']);
    const autumn = ['2026-10-25T00:29', '2026-10-25T00:31', '2026-10-26T01:30'];
    expect(names(autumn, { keepWithin: '1d' }, 'Europe/Berlin')).toEqual(['2026-10-26T01:30', '2026-10-25T00:31']);
  });

  it('Sao Paulo, where midnight was skipped: the day began at one', () => {
    expect(
      names(
        ['2016-10-16T02:59', '2016-10-16T03:00', '2016-10-17T01:59', '2016-10-17T02:00'],
        { keepDaily: 3 },
        'America/Sao_Paulo',
      ),
    ).toEqual(['2016-10-17T02:00', '2016-10-17T01:59', '2016-10-16T02:59']);
  });

  it('Sao Paulo, where 23:00 to midnight came twice: still one day', () => {
    expect(
      names(
        ['2017-02-18T01:59', '2017-02-18T02:00', '2017-02-19T01:30', '2017-02-19T02:30', '2017-02-19T03:00'],
        { keepDaily: 3 },
        'America/Sao_Paulo',
      ),
    ).toEqual(['2017-02-19T03:00', '2017-02-19T02:30', '2017-02-18T01:59']);
  });

  it('Kathmandu, a quarter past: hours and days begin at :15 of UTC', () => {
    expect(
      names(
        ['2026-11-17T18:14', '2026-11-17T18:15', '2026-11-17T19:14', '2026-11-17T19:15'],
        { keepHourly: 3 },
        'Asia/Kathmandu',
      ),
    ).toEqual(['2026-11-17T19:15', '2026-11-17T19:14', '2026-11-17T18:14']);
    expect(
      names(['2026-11-17T18:14', '2026-11-17T18:15', '2026-11-18T18:14'], { keepDaily: 2 }, 'Asia/Kathmandu'),
    ).toEqual(['2026-11-18T18:14', '2026-11-17T18:14']);
  });

  it('Apia, where 30 December 2011 never was: the 29th and the 31st are neighbours', () => {
    expect(
      names(
        ['2011-12-29T10:00', '2011-12-30T09:59', '2011-12-30T10:00', '2011-12-31T09:59'],
        { keepDaily: 2 },
        'Pacific/Apia',
      ),
    ).toEqual(['2011-12-31T09:59', '2011-12-30T09:59']);
  });
});

const Golden = z.object({
  points: z.record(z.string(), z.string()),
  cases: z.array(z.object({ zone: z.string(), rules: RetentionRules, keep: z.record(z.string(), z.string()) })),
});

const goldenOf = (file: string) =>
  Golden.parse(JSON.parse(readFileSync(new URL(`../../fixtures/retention/${file}.json`, import.meta.url), 'utf8')));

it('the golden policies are 60 and more, over a hundred dated points, with every rule, in zones of both hemispheres', () => {
  const { points: dates, cases } = goldenOf('golden');
  expect(Object.keys(dates).length).toBeGreaterThanOrEqual(100);
  expect(cases.length).toBeGreaterThanOrEqual(60);
  const used = new Set(cases.flatMap((one) => Object.keys(one.rules)));
  const { minGood: _, ...keeping } = RetentionRules.shape;
  expect([...used].sort()).toEqual(Object.keys(keeping).sort());
  expect(new Set(cases.map(({ zone }) => zone)).size).toBeGreaterThanOrEqual(6);
});

describe.each(['golden', 'restic'])('what restic keeps of the points of %s.json', (file) => {
  const golden = goldenOf(file);
  const dated = Object.entries(golden.points).map(([name, time]) => ({ name, at: at(time) }));

  it.each(golden.cases.map((one) => [`${JSON.stringify(one.rules)} in ${one.zone}`, one] as const))(
    '%s',
    (_rules, one) => {
      const byReason = new Map<string, string[]>();
      for (const { name, reasons } of applyRules(dated, one.rules, one.zone, at('2027-01-01T00:00Z')))
        for (const reason of reasons) byReason.set(reason, [...(byReason.get(reason) ?? []), name]);
      expect(Object.fromEntries([...byReason].map(([reason, those]) => [reason, those.join(' ')]))).toEqual(one.keep);
    },
  );
});
