import { describe, expect, it } from 'vitest';
import { worstAge } from '../../bench/age.ts';

const HOUR = 3_600_000;
/** Hours since the slot of day 0; a point of a slot is verified so many hours later. */
const point = (created: number, verified: number) => ({ created: created * HOUR, verifiedAt: verified * HOUR });
const hours = (points: readonly ReturnType<typeof point>[], from: number, to: number): number =>
  worstAge(points, from * HOUR, to * HOUR) / HOUR;

describe('how old the newest verified point of a bucket is at most', () => {
  it('is the interval and what the slot took, when every slot has its point', () => {
    expect(hours([point(0, 1), point(24, 26)], 24, 48)).toBe(26);
  });

  it('is what the point of the day before is old at the end, when the slot brings none', () => {
    expect(hours([point(0, 1)], 24, 48)).toBe(48);
  });

  it('is right before the first point after an outage is verified, not before the last: what is brought over is younger evidence', () => {
    // The slot of day 1 is missed. That of day 2 brings its point over by hour 50 (50 hours after day 0), and its own by hour 53 (29 after day 1).
    const points = [point(0, 1), point(24, 50), point(48, 53)];
    expect(hours(points, 48, 72)).toBe(50);
    expect(hours(points, 51, 72)).toBe(29);
  });

  it('counts points that are verified in another order than they were made by the newest', () => {
    expect(hours([point(0, 1), point(48, 50), point(24, 52)], 48, 53)).toBe(50);
  });

  it('is endless while nothing was verified', () => {
    expect(hours([], 0, 24)).toBe(Number.POSITIVE_INFINITY);
  });
});
