// How long the rules take for very many snapshots, with reasons. `npm run bench:retention [-- --json]`.
// Every rule there is, in a zone with summer time; hourly and minutely series, listed newest first and in any order.
import { availableParallelism, cpus, loadavg } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RetentionRules } from '../../functions/core/domain/retention.ts';
import { epochMs } from '../../functions/core/domain/units.ts';
import { applyRules, type DatedPoint } from '../../functions/core/planner/retention.ts';

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

// The collector, without which the memory of one run cannot be told from that of the one before.
setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** A series that ends now. Where it would begin before 1970 it is made denser: a million hours are 114 years. */
const series = (count: number, everyMs: number): readonly DatedPoint[] => {
  const step = Math.min(everyMs, Math.floor(NOW / count));
  return Array.from({ length: count }, (_, index) => ({ name: `p${index}`, at: epochMs(NOW - index * step) }));
};

/** In an order that has nothing to do with time: 7919 is prime and divides no power of ten. */
const mixed = (points: readonly DatedPoint[]): readonly DatedPoint[] =>
  points.flatMap((_, index) => points[(index * 7919) % points.length] ?? []);

const heapAfter = (points: readonly DatedPoint[]): number => {
  if (typeof collect !== 'function') return Number.NaN;
  collect();
  const before = process.memoryUsage().heapUsed;
  const judged = applyRules(points, rules, ZONE, NOW);
  collect();
  const grown = process.memoryUsage().heapUsed - before;
  return judged.length === points.length ? grown : Number.NaN;
};

interface Measured {
  readonly count: number;
  readonly series: string;
  readonly order: string;
  readonly medianMs: number;
  readonly kept: number;
}

const measure = (count: number, name: string, order: string, points: readonly DatedPoint[]): Measured => {
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
  return { count, series: name, order, medianMs: Math.round(medianMs * 10) / 10, kept };
};

const all: Measured[] = [];
for (const count of [100_000, 1_000_000])
  for (const [name, every] of [
    ['hourly', 3_600_000],
    ['minutely', 60_000],
  ] as const) {
    const points = series(count, every);
    all.push(measure(count, name, 'newest first', points), measure(count, name, 'any order', mixed(points)));
  }
const slowest = (count: number): number =>
  Math.max(...all.filter((it) => it.count === count).map(({ medianMs }) => medianMs));
const heap = heapAfter(series(1_000_000, 60_000));

const result = {
  retention1e5Ms: slowest(100_000),
  retention1e6Ms: slowest(1_000_000),
  retention1e6HeapBytes: heap,
  zone: ZONE,
  rules: Object.keys(rules).length,
  runs: RUNS,
  each: all,
  machine: { node: process.version, cpu: cpus()[0]?.model ?? '', cores: availableParallelism(), load: loadavg() },
};
if (process.argv.includes('--json')) console.log(JSON.stringify(result));
else {
  console.log(`All ${result.rules} rules in ${ZONE}, with reasons; median of ${RUNS} runs after two to warm up`);
  console.table(all);
  console.log(`retention1e5Ms ${result.retention1e5Ms}   (slowest of its rows; the aim is less than 100)`);
  console.log(`retention1e6Ms ${result.retention1e6Ms}   (slowest of its rows; the aim is less than 1000)`);
  console.log(`heap for the verdicts of 10^6 points: ${Math.round(heap / 1e6)} MB`);
  console.log(
    `load ${loadavg()
      .map((it) => it.toFixed(2))
      .join(' ')}, ${result.machine.cores} cores, ${process.version}`,
  );
}
