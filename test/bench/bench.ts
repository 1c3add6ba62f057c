// `npm run bench`: every figure that there is a module for. Writes docs/performance.md and, for the next run, docs/performance.json.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundles } from './bundles.ts';
import { FIGURES, type Module } from './figures.ts';
import { fleet } from './fleet.ts';
import { history } from './history.ts';
import { increment } from './increment.ts';
import { judge, lineOf, page, type Result, Results } from './page.ts';
import { retention } from './retention.ts';
import { steps } from './steps.ts';

const MODULES: readonly Module[] = [increment, steps, bundles, retention, history, fleet];

const USAGE = `usage: npm run bench [-- options]

  --only <names>      only these modules: ${MODULES.map(({ name }) => name).join(', ')}
  --without-clusters  only what needs no real Ozone clusters (a JDK and Maven)
  --json              ends with one line of JSON: every figure, null where it was not measured now
`;

const docs = (name: string): string => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const load = (): number => Math.round((loadavg()[0] ?? 0) * 10) / 10;

const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;

const run = async (module: Module): Promise<Result> => {
  const before = load();
  const { values, details } = await module.measure(say);
  return { at: new Date().toISOString(), machine, load: [before, load()], values, details: [...details] };
};

const bench = async (modules: readonly Module[], isJson: boolean): Promise<number> => {
  const measured: Record<string, Result> = {};
  const failed: string[] = [];
  for (const module of modules)
    try {
      measured[module.name] = await run(module);
    } catch (error) {
      failed.push(module.name);
      say(`${module.name}: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
    }
  const known = existsSync(docs('performance.json'))
    ? Results.parse(JSON.parse(readFileSync(docs('performance.json'), 'utf8')))
    : {};
  const all = { ...known, ...measured };
  const results = Object.fromEntries(MODULES.flatMap(({ name }) => (all[name] ? [[name, all[name]]] : [])));
  writeFileSync(docs('performance.json'), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(docs('performance.md'), page(results));
  for (const { figure, value, bar, holds } of judge(measured))
    say(
      `${holds ? '     ' : 'MISS '} ${figure} ${value}${bar === undefined || !Number.isFinite(bar) ? '' : ` (bar ${bar})`}  ${FIGURES[figure].what}`,
    );
  if (failed.length > 0) say(`not measured: ${failed.join(', ')}`);
  if (isJson) process.stdout.write(`${lineOf(measured)}\n`);
  return failed.length > 0 ? 1 : 0;
};

const options = () => {
  try {
    return parseArgs({
      options: {
        only: { type: 'string' },
        'without-clusters': { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return process.exit(2);
  }
};

const { only, json = false, help = false, 'without-clusters': without = false } = options();
const names = only?.split(',');
const unknown = names?.filter((name) => !MODULES.some((it) => it.name === name)) ?? [];
if (help) process.stdout.write(USAGE);
else if (unknown.length > 0) {
  process.stderr.write(`there is no ${unknown.join(', ')}\n\n${USAGE}`);
  process.exitCode = 2;
} else {
  process.removeAllListeners('warning');
  const chosen = MODULES.filter((it) => (names?.includes(it.name) ?? true) && !(without && it.onClusters));
  process.exitCode = await bench(chosen, json);
}
