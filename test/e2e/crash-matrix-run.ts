import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { allCases, type Case, choose, judge, nameOf, sample } from './crash-matrix.ts';
import { type Judged, reportOf } from './crash-matrix-report.ts';
import type { Verdict } from './crash-matrix-trial.ts';

/**
 * `npm run test:crash`: plays the crash matrix on all cores and prints it. `--write` puts it into docs/crash-matrix.md.
 * `CRASH_CASE=text` plays only the cases whose names contain it, and tells how their runs went; with `CRASH_DRAW=1` a lot of them. `CRASH_SECONDS=n` plays no
 * case after so long.
 */
const { CRASH_SEED, CRASH_ALL, CRASH_CASE, CRASH_DRAW, CRASH_SECONDS, CRASH_WORKERS, CRASH_MATRIX_PART } = process.env;
const seed = Number(CRASH_SEED ?? 1);

const casesToPlay = async (): Promise<{ readonly cases: readonly Case[]; readonly possible: number }> => {
  const all = await allCases();
  const named = CRASH_CASE === undefined ? all : all.filter((it) => nameOf(it).includes(CRASH_CASE));
  const chosen = CRASH_ALL === undefined && (CRASH_CASE === undefined || CRASH_DRAW) ? choose(named, seed) : named;
  return { cases: sample(chosen, chosen.length, seed), possible: all.length };
};

const Told = z.object({
  n: z.number(),
  verdict: z.object({
    struck: z.number(),
    furtherRuns: z.number(),
    wrong: z.array(z.string()),
    told: z.array(z.string()),
  }),
});

/** A bug of the matrix itself, or of the product: an error that nothing expects. */
const judged = async (it: Case): Promise<Verdict> => {
  try {
    return await judge(it);
  } catch (error) {
    return { struck: 1, furtherRuns: 0, wrong: [String(error)], told: [] };
  }
};

/** One of several processes: plays each case whose number is its own. */
const playPart = async (part: number, parts: number): Promise<void> => {
  const { cases } = await casesToPlay();
  const end = performance.now() + Number(CRASH_SECONDS ?? Number.POSITIVE_INFINITY) * 1000;
  for (const [n, it] of cases.entries())
    if (n % parts === part && performance.now() < end) process.send?.({ n, verdict: await judged(it) });
  process.disconnect();
};

const playAll = async (): Promise<void> => {
  const begun = performance.now();
  const { cases, possible } = await casesToPlay();
  const parts = Number(CRASH_WORKERS ?? availableParallelism());
  const verdicts = new Map<number, Verdict>();
  const progress = setInterval(() => console.error(`${verdicts.size} of ${cases.length}`), 30_000);
  await Promise.all(
    Array.from({ length: parts }, (_, part) => {
      const child = fork(fileURLToPath(import.meta.url), {
        env: { ...process.env, CRASH_MATRIX_PART: `${part} ${parts}` },
      });
      child.on('message', (message) => {
        const { n, verdict } = Told.parse(message);
        verdicts.set(n, verdict);
      });
      return new Promise((resolve) => child.on('exit', resolve));
    }),
  );
  clearInterval(progress);
  const all = cases.flatMap((it, n): Judged[] => {
    const verdict = verdicts.get(n);
    return verdict ? [{ it, verdict }] : [];
  });
  const report = reportOf(all, { at: new Date(), drawn: cases.length, possible, seed });
  console.log(report);
  if (CRASH_CASE !== undefined) for (const { it, verdict } of all) console.log(nameOf(it), verdict);
  console.log(`${all.length} of ${cases.length} cases in ${Math.round((performance.now() - begun) / 1000)} s`);
  if (process.argv.includes('--write')) writeFileSync('docs/crash-matrix.md', report);
  const isWhole = all.length === cases.length || CRASH_SECONDS !== undefined;
  const isGood = isWhole && all.every(({ verdict }) => verdict.wrong.length === 0);
  process.exitCode = isGood ? 0 : 1;
};

if (CRASH_MATRIX_PART === undefined) await playAll();
else {
  const [part = 0, parts = 1] = CRASH_MATRIX_PART.split(' ').map(Number);
  await playPart(part, parts);
}
