import type { SpanParts } from '../domain/retention.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;

/**
 * A time zone's wall clock. All times are milliseconds; a wall-clock time is the instant at which UTC shows the same
 * date and time of day.
 */
export interface ZoneClock {
  /** What the zone's wall clock shows; one look-up per day of UTC, cheapest when asked in order. */
  readonly wallAt: (instant: number) => number;
  /**
   * A span of the calendar before an instant, as restic counts it: first years, months and days back on the wall
   * clock (31 March less a month is "31 February", which is 3 March), then hours of elapsed time.
   */
  readonly before: (instant: number, span: SpanParts) => number;
  /** When the clock shows a wall-clock time: the first time that it does; undefined for one that it skips. */
  readonly instantAt: (wall: number) => number | undefined;
}

/** `GMT`, `GMT+05:45`, and before 1972 also `GMT-00:44:30`. */
const OFFSET = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/;

const offsetReader = (zone: string): ((instant: number) => number) => {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
  return (instant) => {
    const text = format.format(instant);
    const parts = OFFSET.exec(text);
    if (!parts) throw new RangeError(`no offset from GMT in ${text}`);
    const [, sign, hours = '0', minutes = '0', seconds = '0'] = parts;
    const offset = Number(hours) * HOUR + Number(minutes) * 60 * SECOND + Number(seconds) * SECOND;
    return sign === '-' ? -offset : offset;
  };
};

/**
 * The wall clock of an IANA zone. A day of UTC that begins and ends with the same offset has that offset throughout:
 * no zone has changed its clock twice within three days since 1901 (every zone of tzdata 2025b was looked through).
 */
const makeClock = (zone: string): ZoneClock => {
  const read = offsetReader(zone);
  const atDayStart = new Map<number, number>();
  const offsetAtStart = (day: number): number => {
    const known = atDayStart.get(day);
    if (known !== undefined) return known;
    const offset = read(day * DAY);
    atDayStart.set(day, offset);
    return offset;
  };
  let lastDay = Number.NaN;
  let lastOffset: number | undefined;
  const offsetAt = (instant: number): number => {
    const day = Math.floor(instant / DAY);
    if (day !== lastDay) {
      const start = offsetAtStart(day);
      lastOffset = start === offsetAtStart(day + 1) ? start : undefined;
      lastDay = day;
    }
    return lastOffset ?? read(instant);
  };
  const wallAt = (instant: number): number => instant + offsetAt(instant);
  /** A wall-clock time read with the offset of the day before and with that of the day after. */
  const readingsOf = (wall: number): readonly number[] => [wall - offsetAt(wall - DAY), wall - offsetAt(wall + DAY)];
  const instantAt = (wall: number): number | undefined => {
    const shown = readingsOf(wall).filter((instant) => wallAt(instant) === wall);
    return shown.length > 0 ? Math.min(...shown) : undefined;
  };
  /** The instant of a wall-clock time. Of a time that the clock shows twice or never: the earlier reading. */
  const instantOf = (wall: number): number => instantAt(wall) ?? Math.min(...readingsOf(wall));
  return {
    wallAt,
    instantAt,
    before: (instant, span) => {
      const wall = new Date(wallAt(instant));
      wall.setUTCFullYear(
        wall.getUTCFullYear() - span.years,
        wall.getUTCMonth() - span.months,
        wall.getUTCDate() - span.days,
      );
      return instantOf(wall.getTime()) - span.hours * HOUR;
    },
  };
};

const clocks = new Map<string, ZoneClock>();

/** The clock of an IANA zone, made once: a formatter of Intl costs as much as hundreds of look-ups. */
export const zoneClock = (zone: string): ZoneClock => {
  const made = clocks.get(zone) ?? makeClock(zone);
  clocks.set(zone, made);
  return made;
};

export const PERIODS = ['hour', 'day', 'week', 'month', 'year'] as const;
export type Period = (typeof PERIODS)[number];

/** 1970-01-01 was a Thursday; ISO weeks begin on Monday. */
const isoWeek = (day: number): number => Math.floor((day + 3) / 7);

/** Numbers the period of the calendar that a wall-clock time lies in. Cheapest when asked in order. */
export const periodNumbers = (): ((period: Period, wall: number) => number) => {
  let lastDay = Number.NaN;
  let year = 0;
  let month = 0;
  return (period, wall) => {
    if (period === 'hour') return Math.floor(wall / HOUR);
    const day = Math.floor(wall / DAY);
    if (period === 'day') return day;
    if (period === 'week') return isoWeek(day);
    if (day !== lastDay) {
      const date = new Date(wall);
      year = date.getUTCFullYear();
      month = year * 12 + date.getUTCMonth();
      lastDay = day;
    }
    return period === 'month' ? month : year;
  };
};
