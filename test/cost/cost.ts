// What a policy file costs on AWS: `npm run cost -- <policy.yaml>`, see `USAGE`.
import { loadPolicies } from '../../cdk/config/load-policies.ts';
import { ifMain, type Output, parseCommandLine, runCommand, UsageError } from '../../functions/cli/options.ts';
import { resolvePolicies } from '../../functions/core/domain/policy.ts';
import { epochMs } from '../../functions/core/domain/units.ts';
import { COUNTED, type Cost, monthOf, nightOf, STORED_MONTHS, type Work } from './model.ts';
import { simulateNight } from './night.ts';
import { PRICES } from './prices.ts';

const USAGE = `npm run cost -- <policy.yaml> [--changed <percent>] [--per-glob <buckets>] [--from <day>] [--json]

What thirty days of a policy file cost on AWS, and an average night: a simulated night is counted (a backup with changes, one without, a prune,
a drill, a slot, calls of the sweeper and of the assessor), times the slots of the policies. Nothing is sent anywhere.

  --changed <percent>  of the backups find changes (default: 100)
  --per-glob <buckets> that a glob of a policy stands for (default: 1)
  --from <day>         the first of the thirty days (default: 2026-01-01)
  --json               one line of JSON
`;

const rounded = (value: number): number => Number(value.toPrecision(4));
const dollars = (value: number): string => `$${value.toFixed(value < 0.1 ? 4 : 2)}`;

const costText = (night: Cost, month: Cost, work: readonly (Work & { readonly policy: string })[], changed: number) => [
  `List prices of ${PRICES.region}, noted ${PRICES.noted} (test/cost/prices.ts), without free tiers; traces and data transfer left out.`,
  `Storage is that of a month after ${STORED_MONTHS} like this one: the table and plans are kept, outputs for 30 days, logs for 90.`,
  `Lambda's time is that of this machine. ${changed} % of the backups find changes.`,
  '',
  ...work.map(
    (it) =>
      `policy ${it.policy}: ${it.buckets} buckets; in thirty days ${it.slots} slots, ${it.backups} backups, ${it.prunes} prunes, ${it.drills} drills`,
  ),
  '',
  `${''.padEnd(16)}${'a night'.padStart(14)}${'a month'.padStart(14)}`,
  ...COUNTED.map(
    (name) =>
      `${name.padEnd(16)}${rounded(night.usage[name]).toLocaleString('en').padStart(14)}${rounded(month.usage[name]).toLocaleString('en').padStart(14)}`,
  ),
  '',
  ...Object.entries(month.usd).map(
    ([name, usd]) => `${name.padEnd(16)}${dollars(night.usd[name] ?? 0).padStart(14)}${dollars(usd).padStart(14)}`,
  ),
  `${'all'.padEnd(16)}${dollars(night.total).padStart(14)}${dollars(month.total).padStart(14)}`,
];

export const cost = (args: readonly string[], output: Output): Promise<number> =>
  runCommand(USAGE, output, async () => {
    const { values, positionals } = parseCommandLine(
      args,
      {
        ...{ changed: { type: 'string' }, 'per-glob': { type: 'string' }, from: { type: 'string' } },
        ...{ json: { type: 'boolean' }, help: { type: 'boolean' } },
      },
      { allowPositionals: true },
    );
    if (values.help) {
      output.out(USAGE);
      return 0;
    }
    const [file, ...others] = positionals;
    if (file === undefined || others.length > 0) throw new UsageError('name one policy file');
    const changed = Number(values.changed ?? 100);
    if (!(changed >= 0 && changed <= 100)) throw new UsageError(`--changed ${values.changed} is no percentage`);
    const perGlob = Number(values['per-glob'] ?? 1);
    if (!Number.isInteger(perGlob) || perGlob < 1)
      throw new UsageError(`--per-glob ${values['per-glob']} is no number of buckets`);
    const from = Date.parse(values.from ?? '2026-01-01');
    if (Number.isNaN(from)) throw new UsageError(`--from ${values.from} is no day`);
    const policies = resolvePolicies(loadPolicies(file));
    const counted = await simulateNight((line) => output.err(`${line}\n`));
    const { work, ...month } = monthOf(policies, counted, {
      changedShare: changed / 100,
      from: epochMs(from),
      perGlob,
    });
    const night = nightOf(month);
    const named = work.map((it, n) => ({ policy: policies[n]?.name ?? '', ...it }));
    const result = { region: PRICES.region, noted: PRICES.noted, changed, work: named, night, month, counted };
    output.out(`${values.json ? JSON.stringify(result) : costText(night, month, named, changed).join('\n')}\n`);
    return 0;
  });

await ifMain(import.meta.url, cost);
