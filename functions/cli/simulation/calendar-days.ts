import { type EpochMs, epochMs } from '../../core/domain/units.ts';
import { zoneClock } from '../../core/planner/calendar.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** One date of a zone's calendar. */
export interface CalendarDay {
  /** `2026-11-21`. */
  readonly date: string;
  readonly from: EpochMs;
  /** Where the next day begins. */
  readonly to: EpochMs;
}

/** The dates of a zone from one instant to before another, those that the clock skipped whole left out. */
export const calendarDays = (zone: string, from: EpochMs, to: EpochMs): readonly CalendarDay[] => {
  const clock = zoneClock(zone);
  /** Where a date begins, which is not at midnight where midnight is skipped; undefined for a date that never was. */
  const begins = (day: number): EpochMs | undefined => {
    for (let wall = day * DAY; wall < (day + 1) * DAY; wall += 15 * MINUTE) {
      const instant = clock.instantAt(wall);
      if (instant !== undefined) return epochMs(instant);
    }
    return undefined;
  };
  const days: CalendarDay[] = [];
  let end = to;
  for (let day = Math.floor(clock.wallAt(to - 1) / DAY); end > from; day--) {
    const begin = begins(day);
    if (begin === undefined) continue;
    days.push({ date: new Date(day * DAY).toISOString().slice(0, 10), from: epochMs(Math.max(begin, from)), to: end });
    end = begin;
  }
  return days.reverse();
};
