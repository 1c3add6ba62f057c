// How long the rules take for very many snapshots, with reasons.
// Every rule there is, in a zone with summer time; hourly and minutely series, listed newest first and in any order.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RetentionRules } from '../../functions/core/domain/retention.ts';
import { epochMs } from '../../functions/core/domain/units.ts';
import { applyRules, type DatedPoint } from '../../functions/core/planner/retention.ts';
import { type Module, median, rounded } from './figures.ts';

const ZONE = 'Europe/Berlin';
const NOW = epochMs(Date.UTC(2026, 10, 21, 12));
const RUNS = 5;
const rules = RetentionRules.parse({
  keepLast: 10,
  keepHourly: 48,
  keepDaily: 31,
  keepWeekly: 53,
  keepMonthly: 120,
  keepYearly: 'unlimited',
  keepWithin: '2d',
  keepWithinHourly: '7d',
  keepWithinDaily: '3m',
  keepWithinWeekly: '1y',
  keepWithinMonthly: '5y',
  keepWithinYearly: '75y',
});

/** A series that ends now. Where it would begin before 1970 it is made denser: a million hours are 114 years. */
const series = (count: number, everyMs: number): readonly DatedPoint[] => {
  const step = Math.min(everyMs, Math.floor(NOW / count));
  return Array.from({ length: count }, (_, index) => ({ name: `p${index}`, at: epochMs(NOW - index * step) }));
};

/** In an order that has nothing to do with time: 7919 is prime and divides no power of ten. */
const mixed = (points: readonly DatedPoint[]): readonly DatedPoint[] =>
  points.flatMap((_, index) => points[(index * 7919) % points.length] ?? []);

const heapAfter = (points: readonly DatedPoint[]): number => {
  // Without the collector the memory of one run cannot be told from that of the one before.
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect !== 'function') return Number.NaN;
  collect();
  const before = process.memoryUsage().heapUsed;
  const judged = applyRules(points, rules, ZONE, NOW);
  collect();
  const grown = process.memoryUsage().heapUsed - before;
  return judged.length === points.length ? grown : Number.NaN;
};

interface Row {
  readonly count: number;
  readonly series: string;
  readonly order: string;
  readonly medianMs: number;
  readonly kept: number;
}

const measure = (count: number, name: string, order: string, points: readonly DatedPoint[]): Row => {
  let kept = 0;
  const once = (): number => {
    const from = performance.now();
    const judged = applyRules(points, rules, ZONE, NOW);
    const took = performance.now() - from;
    if (judged.length !== count) throw new Error('a point was lost');
    kept = judged.filter((point) => point.kept && point.reasons.length > 0).length;
    return took;
  };
  for (let warm = 0; warm < 2; warm++) once();
  const medianMs = median(Array.from({ length: RUNS }, once));
  return { count, series: name, order, medianMs: rounded(medianMs, 1), kept };
};

export const retention: Module = {
  name: 'retention',
  figures: ['retention1e5Ms', 'retention1e6Ms'],
  measure: async (say) => {
    const all: Row[] = [];
    for (const count of [100_000, 1_000_000])
      for (const [name, every] of [
        ['hourly', 3_600_000],
        ['minutely', 60_000],
      ] as const) {
        say(`retention: ${count} points, ${name}`);
        const points = series(count, every);
        all.push(measure(count, name, 'newest first', points), measure(count, name, 'any order', mixed(points)));
      }
    const slowest = (count: number): number =>
      Math.max(...all.filter((it) => it.count === count).map(({ medianMs }) => medianMs));
    const heap = heapAfter(series(1_000_000, 60_000));
    return {
      values: { retention1e5Ms: slowest(100_000), retention1e6Ms: slowest(1_000_000) },
      details: [
        `All ${Object.keys(rules).length} rules in ${ZONE}; medians of ${RUNS} runs after two to warm up; ${Math.round(heap / 1e6)} MB of heap for the verdicts of a million points.`,
        '',
        '| points | series | order | ms | kept |',
        '|---|---|---|---|---|',
        ...all.map((it) => `| ${it.count} | ${it.series} | ${it.order} | ${it.medianMs} | ${it.kept} |`),
      ],
    };
  },
};
