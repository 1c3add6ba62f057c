import * as z from 'zod';
import { FIGURES, type Figure, type FigureSpec } from './figures.ts';

/** What one module measured last, and where. */
export const Result = z.object({
  /** ISO 8601. */
  at: z.string(),
  machine: z.string(),
  /** Of the machine before and after: its load of the last minute. */
  load: z.tuple([z.number(), z.number()]),
  values: z.record(z.string(), z.number()),
  details: z.array(z.string()),
});
export type Result = z.infer<typeof Result>;

/** The last result of each module, by its name. */
export const Results = z.record(z.string(), Result);
export type Results = z.infer<typeof Results>;

const FIGURE_NAMES = Object.keys(FIGURES).filter((it): it is Figure => it in FIGURES);

/** Every figure that was measured, in the order of the page. */
export const valuesOf = (results: Results): Readonly<Partial<Record<Figure, number>>> => {
  const all = Object.assign({}, ...Object.values(results).map(({ values }) => values));
  return Object.fromEntries(FIGURE_NAMES.filter((it) => it in all).map((it) => [it, all[it]]));
};

/** One line of JSON with every figure; null: this run did not measure it. */
export const lineOf = (measured: Results): string => {
  const values = valuesOf(measured);
  return JSON.stringify(Object.fromEntries(FIGURE_NAMES.map((it) => [it, values[it] ?? null])));
};

/** What a figure may be at most; undefined: it has no bar of its own, or that of which it depends was not measured. */
const barOf = (spec: FigureSpec, values: Readonly<Record<string, number | undefined>>): number | undefined =>
  typeof spec.bar === 'number' ? spec.bar : values[spec.bar.of];

export interface Judged {
  readonly figure: Figure;
  readonly value: number;
  readonly bar: number | undefined;
  readonly holds: boolean;
}

export const judge = (results: Results): readonly Judged[] => {
  const values = valuesOf(results);
  return FIGURE_NAMES.flatMap((figure) => {
    const value = values[figure];
    if (value === undefined) return [];
    const bar = barOf(FIGURES[figure], values);
    return [{ figure, value, bar, holds: bar === undefined || value <= bar }];
  });
};

const shown = (value: number, unit: string): string => `${value.toLocaleString('en')}${unit && ` ${unit}`}`;

/** docs/performance.md: every figure with its bar, what misses it and why, and what each was made from. */
export const page = (results: Results): string => {
  const judged = judge(results);
  const sourceOf = (figure: string) => Object.values(results).find(({ values }) => figure in values);
  const rows = judged.map(({ figure, value, bar, holds }) => {
    const spec: FigureSpec = FIGURES[figure];
    const limit = bar === undefined || !Number.isFinite(bar) ? '' : `≤ ${shown(bar, spec.unit)}`;
    return `| \`${figure}\` | ${spec.what} | ${shown(value, spec.unit)} | ${limit} | ${limit ? (holds ? 'yes' : '**no**') : ''} | ${sourceOf(figure)?.at.slice(0, 10)} |`;
  });
  const missed = judged.filter(({ holds }) => !holds);
  const unmeasured = FIGURE_NAMES.filter((it) => !judged.some(({ figure }) => figure === it));
  return [
    '# How fast, and how much of it',
    '',
    '`npm run bench` measures and writes this page; `-- --only <module,…>` measures some of it, `-- --without-clusters` what needs no JDK,',
    '`-- --json` ends with one line of JSON. Ratios are of one run: both sides on the same machine, in turns.',
    '',
    '| figure | what | value | bar | holds | measured |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
    ...(unmeasured.length > 0
      ? [
          `Not measured yet: ${unmeasured.map((it) => `\`${it}\``).join(', ')}. What was measured before there was this page is in [evidence.md](evidence.md).`,
          '',
        ]
      : []),
    '## What misses its bar',
    '',
    ...(missed.length === 0 ? ['Nothing.'] : missed.map(({ figure }) => `- \`${figure}\`: ${FIGURES[figure].missed}`)),
    ...Object.entries(results).flatMap(([name, { at, machine, load, details }]) => [
      '',
      `## ${name}`,
      '',
      `${at.replace(/\.\d+Z$/, 'Z')}, ${machine}; load ${load.map((it) => it.toFixed(1)).join(' to ')}.`,
      '',
      ...details,
    ]),
    '',
  ].join('\n');
};
