import { NotEmulated } from '../errors.ts';

/**
 * Schedule expressions of EventBridge Scheduler: `rate(n unit)` and `cron(minutes hours day-of-month month day-of-week
 * year)` in an IANA time zone, with `*`, `?`, lists, ranges and steps (`L`, `W` and `#` are refused). A local time that
 * does not exist on a day is skipped, one that exists twice fires once (AWS, "Schedule types", daylight saving time).
 */
export interface Expression {
  readonly kind: 'rate' | 'cron';
  /** The first time after `after` (both epoch ms); undefined when there is none. `start` is when a rate began. */
  readonly next: (after: number, start: number) => number | undefined;
}

const months = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const days = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
const units: Readonly<Record<string, number>> = {
  minute: 60_000,
  minutes: 60_000,
  hour: 3_600_000,
  hours: 3_600_000,
  day: 86_400_000,
  days: 86_400_000,
};
const farthestDays = 366 * 8;

export function parseExpression(text: string, timeZone: string): Expression {
  const rate = /^rate\((\d+) (minutes?|hours?|days?)\)$/.exec(text);
  if (rate) {
    const period = Number(rate[1]) * (units[rate[2] ?? ''] ?? 0);
    if (period <= 0) throw new NotEmulated(`schedule expression ${text}`);
    return { kind: 'rate', next: (after, start) => start + period * (Math.floor((after - start) / period) + 1) };
  }
  const fields = /^cron\((.+)\)$/.exec(text)?.[1]?.trim().split(/\s+/) ?? [];
  const [minute, hour, dayOfMonth, month, dayOfWeek, year] = fields;
  if (fields.length !== 6 || !minute || !hour || !dayOfMonth || !month || !dayOfWeek || !year)
    throw new NotEmulated(`schedule expression ${text}`);
  if ((dayOfMonth === '?') === (dayOfWeek === '?'))
    throw new NotEmulated(`${text}: exactly one of day-of-month and day-of-week is ?`);
  const wanted = {
    minutes: fieldValues(minute, 0, 59, []),
    hours: fieldValues(hour, 0, 23, []),
    daysOfMonth: fieldValues(dayOfMonth, 1, 31, []),
    months: fieldValues(month, 1, 12, months),
    daysOfWeek: fieldValues(dayOfWeek, 1, 7, days),
    years: fieldValues(year, 1970, 2199, []),
  };
  return { kind: 'cron', next: (after) => nextOf(wanted, timeZone, after) };
}

/** The values that a field allows. Names count from the field's first number (JAN and SUN are 1). */
function fieldValues(field: string, first: number, last: number, names: readonly string[]): ReadonlySet<number> {
  const value = (text: string): number => {
    const index = names.indexOf(text.toUpperCase());
    const number = index >= 0 ? index + 1 : /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(number >= first && number <= last)) throw new NotEmulated(`cron field ${field}`);
    return number;
  };
  const values = new Set<number>();
  for (const part of field.split(',')) {
    const [span = '', step] = part.split('/');
    const [from, to] = span.split('-');
    const all = span === '*' || span === '?';
    const low = all ? first : value(from ?? '');
    const high = all ? last : to === undefined ? (step === undefined ? low : last) : value(to);
    const by = step === undefined ? 1 : Number(step);
    if (!Number.isInteger(by) || by < 1) throw new NotEmulated(`cron field ${field}`);
    for (let one = low; one <= high; one += by) values.add(one);
  }
  return values;
}

interface Wanted {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly daysOfMonth: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly daysOfWeek: ReadonlySet<number>;
  readonly years: ReadonlySet<number>;
}

function nextOf(wanted: Wanted, timeZone: string, after: number): number | undefined {
  const local = new Date(after + offset(after, timeZone));
  const firstDay = Date.UTC(local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate());
  const hours = [...wanted.hours].sort((a, b) => a - b);
  const minutes = [...wanted.minutes].sort((a, b) => a - b);
  for (let index = 0; index < farthestDays; index++) {
    const midnight = firstDay + index * 86_400_000;
    const day = new Date(midnight);
    const fits =
      wanted.years.has(day.getUTCFullYear()) &&
      wanted.months.has(day.getUTCMonth() + 1) &&
      wanted.daysOfMonth.has(day.getUTCDate()) &&
      wanted.daysOfWeek.has(day.getUTCDay() + 1);
    if (!fits) continue;
    for (const hour of hours) {
      for (const minute of minutes) {
        const time = instant(midnight + hour * 3_600_000 + minute * 60_000, timeZone);
        if (time !== undefined && time > after) return time;
      }
    }
  }
  return undefined;
}

/** The instant of a local time, the earlier one when there are two; undefined when the clocks jump over it. */
function instant(local: number, timeZone: string): number | undefined {
  const candidates = [offset(local - 86_400_000, timeZone), offset(local + 86_400_000, timeZone)].map(
    (ahead) => local - ahead,
  );
  const real = candidates.filter((time) => time + offset(time, timeZone) === local);
  return real.length === 0 ? undefined : Math.min(...real);
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Milliseconds that a zone's clocks are ahead of UTC at an instant. */
function offset(time: number, timeZone: string): number {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(timeZone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(time).map((part) => [part.type, Number(part.value)]));
  const local = Date.UTC(parts.year ?? 0, (parts.month ?? 1) - 1, parts.day, parts.hour, parts.minute, parts.second);
  return local - Math.floor(time / 1000) * 1000;
}
