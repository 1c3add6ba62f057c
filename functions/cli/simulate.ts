// Plays years of a policy: `npm run simulate -- <policy.yaml> --from <date> --to <date> …`, see `USAGE`.
import { realpathSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadPolicies } from '../../cdk/config/load-policies.ts';
import { type Policy, resolvePolicies } from '../core/domain/policy.ts';
import { type EpochMs, epochMs } from '../core/domain/units.ts';
import { reportPage } from './simulation/page.ts';
import type { Span } from './simulation/play.ts';
import { reportJson, simulate } from './simulation/report.ts';
import { reportText } from './simulation/text.ts';

const USAGE = `npm run simulate -- <policy.yaml> --from <date> --to <date> [--policy <name>]
    [--outage <from>/<to>]… [--html <file>] [--json]

Plays the policies of a file (or one of them) day by day from nothing: snapshots at their schedules, copies, pruning.
Dates are days (2026-11-21, from 00:00 UTC) or instants (2026-11-21T02:00:00Z). --to is the first that is not
played. --outage: the replica's cluster cannot be reached; may be given several times. Prints a table, or with --json
everything, and writes a page with pictures (simulation.html).`;

/** Something that the person who typed has to change. */
class Misused extends Error {}

const instantOf = (option: string, text: string | undefined): EpochMs => {
  const whole = text !== undefined && /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text;
  if (whole === undefined || !/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(whole))
    throw new Misused(`${option}: write a day or an instant, such as 2026-11-21 or 2026-11-21T02:00:00Z`);
  const midnight = new Date(`${whole.slice(0, 10)}T00:00:00Z`);
  const isDay = !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(whole.slice(0, 10));
  const at = Date.parse(whole);
  if (!isDay || Number.isNaN(at) || at < 0) throw new Misused(`${option}: there is no such day or time: ${text}`);
  return epochMs(at);
};

const spanOf = (option: string, from: EpochMs, to: EpochMs): Span => {
  if (from >= to) throw new Misused(`${option}: the end has to be after the beginning`);
  return { from, to };
};

const outageOf = (text: string): Span => {
  const [from, to, ...more] = text.split('/');
  if (more.length > 0) throw new Misused(`--outage: write <from>/<to>, not ${text}`);
  return spanOf('--outage', instantOf('--outage', from), instantOf('--outage', to));
};

/** Longer than anybody plans for; it would take as long to play. */
const MOST_YEARS = 100;

const chosen = (policies: readonly Policy[], name: string | undefined): readonly Policy[] => {
  const those = name === undefined ? policies : policies.filter((policy) => policy.name === name);
  if (those.length > 0) return those;
  throw new Misused(`--policy: write one of ${policies.map((policy) => policy.name).join(', ')}`);
};

export interface Output {
  readonly text: string;
  readonly html: { readonly path: string; readonly page: string };
}

/** What the command prints and writes. Throws with a readable message for a file or an option that is not right. */
export const runSimulation = (args: readonly string[]): Output => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      policy: { type: 'string' },
      outage: { type: 'string', multiple: true, default: [] },
      html: { type: 'string', default: 'simulation.html' },
      json: { type: 'boolean', default: false },
    },
  });
  const [file, ...others] = positionals;
  if (file === undefined || others.length > 0) throw new Misused('one policy file is needed');
  const span = spanOf('--to', instantOf('--from', values.from), instantOf('--to', values.to));
  if (span.to - span.from > MOST_YEARS * 366 * 86_400_000) throw new Misused(`--to: at most ${MOST_YEARS} years later`);
  const outages = values.outage.map(outageOf);
  const policies = chosen(resolvePolicies(loadPolicies(file)), values.policy);
  const report = simulate({ ...span, policies, outages });
  return {
    text: values.json ? `${JSON.stringify(reportJson(report))}\n` : reportText(report),
    html: { path: values.html, page: reportPage(report) },
  };
};

const isMain = process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
if (isMain) {
  try {
    const { text, html } = runSimulation(process.argv.slice(2));
    writeFileSync(html.path, html.page);
    process.stdout.write(text);
    process.stderr.write(`The pictures are in ${html.path}\n`);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const isTyped =
      error instanceof Misused ||
      (error instanceof Error && /^ERR_PARSE_ARGS/.test(String(Reflect.get(error, 'code'))));
    process.stderr.write(isTyped ? `simulate: ${message}\n\n${USAGE}\n` : `simulate: ${message}\n`);
    process.exitCode = 1;
  }
}
