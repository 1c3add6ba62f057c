import { describe, expect, it } from 'vitest';
import { Schedule } from '../../../functions/core/domain/policy.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { longestGap, occurrences, slotsOf } from '../../../functions/core/planner/occurrences.ts';

const at = (text: string) => epochMs(Date.parse(text));
const minutes = (instants: readonly number[]) =>
  instants.map((instant) => new Date(instant).toISOString().slice(0, 16)).join(' ');
/** The first few from an instant on, in UTC. */
const due = (cron: string, from: string, count: number, zone = 'UTC', until = '2199-01-01T00:00Z') => {
  // Ever longer spans, so that a rare schedule is found and a dense one is not listed for a century.
  for (let days = 1; ; days *= 2) {
    const to = Math.min(at(from) + days * 86_400_000, at(until));
    const found = occurrences(Schedule.parse({ cron, zone }), at(from), epochMs(to));
    if (found.length >= count || to === at(until)) return minutes(found.slice(0, count));
  }
};

describe('a schedule is due', () => {
  it.each([
    ['every night', '0 2 * * ? *', '2026-11-20T02:00 2026-11-21T02:00 2026-11-22T02:00'],
    ['every 20 minutes of some hours', '5/20 8-9 * * ? *', '2026-11-20T08:05 2026-11-20T08:25 2026-11-20T08:45'],
    ['at listed minutes', '50,10 * * * ? *', '2026-11-20T00:10 2026-11-20T00:50 2026-11-20T01:10'],
    [
      'over midnight, in a range that passes the end',
      '0 23-1 * * ? *',
      '2026-11-20T00:00 2026-11-20T01:00 2026-11-20T23:00',
    ],
    ['every eighth hour of a range', '0 2-20/8 * * ? *', '2026-11-20T02:00 2026-11-20T10:00 2026-11-20T18:00'],
    ['on Sunday, which is day 1', '0 0 ? * 1 *', '2026-11-22T00:00 2026-11-29T00:00 2026-12-06T00:00'],
    ['on Saturday, which is day 7', '0 0 ? * 7 *', '2026-11-21T00:00 2026-11-28T00:00 2026-12-05T00:00'],
    [
      'on the last day of the week, which is Saturday',
      '0 0 ? * L *',
      '2026-11-21T00:00 2026-11-28T00:00 2026-12-05T00:00',
    ],
    ['on weekdays by name', '0 0 ? * MON-FRI *', '2026-11-20T00:00 2026-11-23T00:00 2026-11-24T00:00'],
    [
      'from Friday to Monday',
      '0 0 ? * fri-mon *',
      '2026-11-20T00:00 2026-11-21T00:00 2026-11-22T00:00 2026-11-23T00:00 2026-11-27T00:00',
    ],
    ['on the last Friday of the month', '0 12 ? * 6L *', '2026-11-27T12:00 2026-12-25T12:00 2027-01-29T12:00'],
    ['on the first Monday of the month', '0 12 ? * 2#1 *', '2026-12-07T12:00 2027-01-04T12:00 2027-02-01T12:00'],
    ['on the fifth Monday, where there is one', '0 12 ? * 2#5 *', '2026-11-30T12:00 2027-03-29T12:00 2027-05-31T12:00'],
    [
      'on the last day of the month',
      '0 0 L * ? *',
      '2026-11-30T00:00 2026-12-31T00:00 2027-01-31T00:00 2027-02-28T00:00',
    ],
    ['on the last weekday of the month', '0 0 LW * ? *', '2026-11-30T00:00 2026-12-31T00:00 2027-01-29T00:00'],
    [
      'on the weekday nearest to the 15th',
      '0 0 15W * ? *',
      '2026-12-15T00:00 2027-01-15T00:00 2027-02-15T00:00 2027-03-15T00:00 2027-04-15T00:00 2027-05-14T00:00',
    ],
    [
      'on the weekday nearest to the 1st, within the month',
      '0 0 1W * ? *',
      '2026-12-01T00:00 2027-01-01T00:00 2027-02-01T00:00 2027-03-01T00:00 2027-04-01T00:00 2027-05-03T00:00',
    ],
    ['on 29 February', '0 0 29 FEB ? *', '2028-02-29T00:00 2032-02-29T00:00'],
    [
      'in some months of some years',
      '0 0 1 JAN,jul ? 2027-2028',
      '2027-01-01T00:00 2027-07-01T00:00 2028-01-01T00:00 2028-07-01T00:00',
    ],
  ])('%s: %s', (_sentence, cron, expected) => {
    expect(due(cron, '2026-11-20T00:00Z', expected.split(' ').length)).toBe(expected);
  });

  it('never, on a date that no year has and after its last year', () => {
    expect(due('0 0 30 2 ? *', '2026-11-20T00:00Z', 1)).toBe('');
    expect(due('0 0 1 1 ? 2020', '2026-11-20T00:00Z', 1)).toBe('');
  });

  it('from the first instant, to before the last', () => {
    const daily = Schedule.parse({ cron: '0 2 * * ? *', zone: 'UTC' });
    expect(minutes(occurrences(daily, at('2026-11-20T02:00Z'), at('2026-11-22T02:00Z')))).toBe(
      '2026-11-20T02:00 2026-11-21T02:00',
    );
    expect(occurrences(daily, at('2026-11-20T02:00Z'), at('2026-11-20T02:00Z'))).toEqual([]);
  });

  it('once when several schedules say so', () => {
    const schedules = ['0 2 * * ? *', '0 2,14 * * ? *'].map((cron) => Schedule.parse({ cron, zone: 'UTC' }));
    expect(minutes(slotsOf(schedules, at('2026-11-20T00:00Z'), at('2026-11-21T00:00Z')))).toBe(
      '2026-11-20T02:00 2026-11-20T14:00',
    );
  });
});

describe('where the clock is changed', () => {
  it('a time that is skipped is left out that day', () => {
    expect(due('30 2 * * ? *', '2026-03-28T00:00Z', 3, 'Europe/Berlin')).toBe(
      '2026-03-28T01:30 2026-03-30T00:30 2026-03-31T00:30',
    );
    expect(due('0 * * * ? *', '2026-03-29T00:00Z', 3, 'Europe/Berlin')).toBe(
      '2026-03-29T00:00 2026-03-29T01:00 2026-03-29T02:00',
    );
  });

  it('a time that is shown twice is due once, the first time', () => {
    expect(due('30 2 * * ? *', '2026-10-24T00:00Z', 3, 'Europe/Berlin')).toBe(
      '2026-10-24T00:30 2026-10-25T00:30 2026-10-26T01:30',
    );
    expect(due('0 * * * ? *', '2026-10-24T23:00Z', 3, 'Europe/Berlin')).toBe(
      '2026-10-24T23:00 2026-10-25T00:00 2026-10-25T02:00',
    );
  });

  it('half an hour in Lord Howe', () => {
    expect(due('15 2 * * ? *', '2026-10-03T00:00Z', 3, 'Australia/Lord_Howe')).toBe(
      '2026-10-04T15:15 2026-10-05T15:15 2026-10-06T15:15',
    );
    expect(due('45 1 * * ? *', '2027-04-02T16:00Z', 2, 'Australia/Lord_Howe')).toBe(
      '2027-04-03T14:45 2027-04-04T15:15',
    );
  });

  it('midnight in Sao Paulo, which was skipped once a year', () => {
    expect(due('0 0 * * ? *', '2016-10-15T00:00Z', 3, 'America/Sao_Paulo')).toBe(
      '2016-10-15T03:00 2016-10-17T02:00 2016-10-18T02:00',
    );
  });

  it('a whole day in Apia that never was', () => {
    expect(due('0 12 * * ? *', '2011-12-28T12:00Z', 3, 'Pacific/Apia')).toBe(
      '2011-12-28T22:00 2011-12-29T22:00 2011-12-30T22:00',
    );
  });
});

describe('the longest time between two slots', () => {
  const HOUR = 3_600_000;
  it.each([
    ['every day', '0 2 * * ? *', 24],
    ['several times a day', '0 8-18/2 * * ? *', 14],
    ['several times an hour', '0/20 * * * ? *', 1 / 3],
    ['on weekdays, over the weekend', '0 6,18 ? * MON-FRI *', 60],
    ['every week', '0 6 ? * SAT *', 168],
    ['every month', '0 6 1 * ? *', 31 * 24],
    ['every year', '0 6 1 1 ? *', 366 * 24],
    ['in some years only', '0 6 * * ? 2030-2032', 24],
    ['once in a while', '0 6 29 2 ? *', (4 * 365 + 1) * 24],
    ['never', '0 6 31 2 ? *', Infinity],
  ])('%s', (_sentence, cron, hours) => {
    expect(longestGap(cron) / HOUR).toBeCloseTo(hours, 9);
  });
});
