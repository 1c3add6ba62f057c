import { Cron } from 'croner';
import type { Schedule } from '../domain/policy.ts';
import { type EpochMs, epochMs } from '../domain/units.ts';
import { zoneClock } from './calendar.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

type Fields = readonly [minute: string, hour: string, date: string, month: string, weekday: string, year: string];

const fieldsOf = (cron: string): Fields => {
  const [minute = '', hour = '', date = '', month = '', weekday = '', year = ''] = cron.split(' ');
  return [minute, hour, date, month, weekday, year];
};

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
/** EventBridge counts the days of the week from 1, Sunday. */
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

interface Range {
  readonly least: number;
  readonly most: number;
  readonly names?: readonly string[];
}

const numberOf = (text: string, { names, least }: Range): number => {
  const named = names?.indexOf(text.toUpperCase()) ?? -1;
  return named < 0 ? Number(text) : named + least;
};

/** The values of a list of `*`, values and ranges with steps. A range may pass the end: `22-2`, `FRI-MON`. */
const valuesOf = (field: string, range: Range): readonly number[] => {
  const { least, most } = range;
  const size = most - least + 1;
  const values = field.split(',').flatMap((item) => {
    const [span = '', step] = item.split('/');
    const [first = '', last] = span === '*' ? [String(least), String(most)] : span.split('-');
    const from = numberOf(first, range);
    // A single value with a step goes on to the end: `5/15` is 5, 20, 35, 50.
    const to = last === undefined ? (step === undefined ? from : most) : numberOf(last, range);
    const length = ((to - from + size) % size) + 1;
    return Array.from({ length: Math.ceil(length / Number(step ?? 1)) }, (_, index) => {
      const value = from + index * Number(step ?? 1);
      return value > most ? value - size : value;
    });
  });
  return [...new Set(values)].sort((a, b) => a - b);
};

/** The times of day at which a schedule is due on a day that it is due on: milliseconds since midnight, in order. */
export const timesOfDay = (cron: string): readonly number[] => {
  const [minute, hour] = fieldsOf(cron);
  const minutes = valuesOf(minute, { least: 0, most: 59 });
  return valuesOf(hour, { least: 0, most: 23 }).flatMap((h) => minutes.map((m) => h * HOUR + m * MINUTE));
};

const isAny = (field: string): boolean => field === '*' || field === '?';

/** Is a schedule due on every day there is? */
export const isEveryDay = (cron: string): boolean => {
  const [, , ...days] = fieldsOf(cron);
  return days.every(isAny);
};

/** Day of the week as croner writes it: from 0, Sunday, with `5L` for the last Friday and `1#2` for the second Monday. */
const weekdayOf = (field: string): string => {
  if (isAny(field)) return '*';
  // The last day of the week, which is Saturday.
  if (/^L$/i.test(field)) return '6';
  const special = /^([1-7])(L|#[1-5])$/i.exec(field);
  if (special) return `${Number(special[1]) - 1}${special[2]?.toUpperCase()}`;
  return valuesOf(field, { least: 1, most: 7, names: WEEKDAYS })
    .map((day) => day - 1)
    .join();
};

const dateOf = (field: string): string => {
  if (isAny(field)) return '*';
  return /[LW]/i.test(field) ? field.toUpperCase() : valuesOf(field, { least: 1, most: 31 }).join();
};

const yearOf = (field: string): string => (isAny(field) ? '*' : valuesOf(field, { least: 1970, most: 2199 }).join());

/**
 * The dates that a schedule is due on, of those from one day to before another; days are numbered from 1970-01-01.
 * Which dates the day, month and year fields mean is croner's work, asked without any zone.
 */
export const daysOf = (cron: string, from: number, to: number): readonly number[] => {
  if (isEveryDay(cron)) return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
  const [, , date, month, weekday, year] = fieldsOf(cron);
  const months = isAny(month) ? '*' : valuesOf(month, { least: 1, most: 12, names: MONTHS }).join();
  // One of date and weekday is `?`, so it does not matter how croner joins the two.
  const pattern = `0 0 0 ${dateOf(date)} ${months} ${weekdayOf(weekday)} ${yearOf(year)}`;
  const calendar = new Cron(pattern, { mode: '7-part', utcOffset: 0, paused: true });
  const days: number[] = [];
  // A day's own midnight is found by asking for what follows the second before it.
  let next = calendar.nextRun(new Date(from * DAY - 1000));
  while (next !== null && next.getTime() < to * DAY) {
    days.push(next.getTime() / DAY);
    next = calendar.nextRun(next);
  }
  return days;
};

/**
 * When a schedule is due, from one instant to before another, in order. As EventBridge Scheduler documents it (user
 * guide, schedule types): a time that the zone's clock skips is left out, a time that it shows twice is due once, which is
 * taken to be the first time.
 */
export const occurrences = ({ cron, zone }: Schedule, from: EpochMs, to: EpochMs): readonly EpochMs[] => {
  const clock = zoneClock(zone);
  const times = timesOfDay(cron);
  const dayOf = (instant: number): number => Math.floor(clock.wallAt(instant) / DAY);
  return daysOf(cron, dayOf(from), dayOf(to) + 1).flatMap((day) =>
    times.flatMap((time) => {
      const instant = clock.instantAt(day * DAY + time);
      return instant === undefined || instant < from || instant >= to ? [] : epochMs(instant);
    }),
  );
};

/** When any of several schedules is due, each instant once, in order. */
export const slotsOf = (schedules: readonly Schedule[], from: EpochMs, to: EpochMs): readonly EpochMs[] =>
  [...new Set(schedules.flatMap((schedule) => occurrences(schedule, from, to)))].sort((a, b) => a - b);

/** Five years, a leap day among them: what the calendar does to a schedule in longer spans is much the same. */
export const SAMPLE = { from: Date.UTC(2024, 0, 1) / DAY, days: 5 * 365 + 2 } as const;

/** The same days, whatever the years are that a schedule is limited to. */
export const inAnyYear = (cron: string): string => cron.replace(/ [^ ]+$/, ' *');

/** The longest time from one slot of a schedule to the next, in milliseconds of its wall clock. Infinity when it is hardly ever due. */
export const longestGap = (cron: string): number => {
  const times = timesOfDay(cron);
  const [first = 0] = times;
  const last = times.at(-1) ?? 0;
  const days = daysOf(inAnyYear(cron), SAMPLE.from, SAMPLE.from + SAMPLE.days);
  if (days.length < 2) return Infinity;
  const within = times.map((time, index) => time - (times[index - 1] ?? time));
  const between = days.slice(1).map((day, index) => (day - (days[index] ?? day)) * DAY + first - last);
  return [...within, ...between].reduce((longest, gap) => Math.max(longest, gap), 0);
};
