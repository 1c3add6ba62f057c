import type { EpochMs } from '../domain/units.ts';

/** What the rules look at. Names are unique within a bucket. */
export interface DatedPoint {
  readonly name: string;
  readonly at: EpochMs;
}

const byTimeAndName = (a: DatedPoint, b: DatedPoint): number => b.at - a.at || (a.name < b.name ? 1 : -1);

const DIGIT_BITS = 16;
const DIGITS = 2 ** DIGIT_BITS;
/** Below this a comparing sort is the faster one. */
const FEW = 20_000;

/** One pass of a radix sort: the places in `order`, stably ordered by one digit of their ages. */
const byDigit = (ages: Float64Array, order: Uint32Array, divisor: number): Uint32Array => {
  const digitOf = (place: number): number => Math.floor((ages[place] ?? 0) / divisor) % DIGITS;
  const starts = new Uint32Array(DIGITS + 1);
  for (const place of order) {
    const next = digitOf(place) + 1;
    starts[next] = (starts[next] ?? 0) + 1;
  }
  for (let digit = 1; digit <= DIGITS; digit++) starts[digit] = (starts[digit] ?? 0) + (starts[digit - 1] ?? 0);
  const sorted = new Uint32Array(order.length);
  for (const place of order) {
    const digit = digitOf(place);
    const at = starts[digit] ?? 0;
    sorted[at] = place;
    starts[digit] = at + 1;
  }
  return sorted;
};

/** The same order as `byTimeAndName` gives, without a call per comparison: a million points in any order. */
const manySorted = (points: readonly DatedPoint[]): readonly DatedPoint[] => {
  let newest = Number.NEGATIVE_INFINITY;
  for (const { at } of points) if (at > newest) newest = at;
  const ages = new Float64Array(points.length);
  let oldest = 0;
  points.forEach(({ at }, place) => {
    ages[place] = newest - at;
    oldest = Math.max(oldest, newest - at);
  });
  let order: Uint32Array = Uint32Array.from(ages.keys());
  for (let divisor = 1; divisor <= oldest; divisor *= DIGITS) order = byDigit(ages, order, divisor);
  const sorted: DatedPoint[] = [];
  for (const place of order) {
    const point = points[place];
    if (point) sorted.push(point);
  }
  // Points of one instant stand together now; their names decide among them.
  for (let from = 0; from < sorted.length; ) {
    let to = from + 1;
    while (to < sorted.length && sorted[to]?.at === sorted[from]?.at) to++;
    const first = from;
    if (to - from > 1)
      sorted
        .slice(from, to)
        .sort(byTimeAndName)
        .forEach((point, index) => {
          sorted[first + index] = point;
        });
    from = to;
  }
  return sorted;
};

/** Newest first; of one instant the greater name first, so that the order of a listing does not matter. */
export const newestFirst = (points: readonly DatedPoint[]): readonly DatedPoint[] => {
  const isSorted = points.every((point, index) => {
    const before = points[index - 1];
    return before === undefined || byTimeAndName(before, point) < 0;
  });
  if (isSorted) return points;
  return points.length < FEW ? points.toSorted(byTimeAndName) : manySorted(points);
};
