import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../adapters/sha256.ts';
import { canonicalJson } from '../core/domain/chain.ts';
import { epochMs } from '../core/domain/units.ts';
import { headsFrom, KNOWN_HEADS, KNOWN_HEADS_USAGE } from './chains.ts';
import { ifMain, type Output, openTable, parseCommandLine, runCommand, TABLE_OPTIONS, TABLE_USAGE } from './options.ts';
import { collect } from './report/collect.ts';
import { reportHtml } from './report/html.ts';
import { parseMonth } from './report/month.ts';

const USAGE = `usage: npm run report -- --month 2026-10 [options]

Writes what a calendar month (in UTC) was like: how the objectives were attained, what ran, failed, differed, was deleted
and was decided, and whether the record of it is whole. Two files: evidence-<month>.json and a page, evidence-<month>.html.

  --month <year-month>
  --out <folder>             (default: reports)
${KNOWN_HEADS_USAGE}${TABLE_USAGE}
Ends with 0, or with 1 when a record is broken or cannot be read. The report is written when one is broken, and says so.
`;

const OPTIONS = {
  ...TABLE_OPTIONS,
  ...KNOWN_HEADS,
  month: { type: 'string' },
  out: { type: 'string' },
  help: { type: 'boolean' },
} as const;

/** @returns the exit code */
export const report = (args: readonly string[], output: Output, now: () => number = Date.now): Promise<number> =>
  runCommand(USAGE, output, async () => {
    const { values } = parseCommandLine(args, OPTIONS);
    if (values.help) {
      output.out(USAGE);
      return 0;
    }
    const month = parseMonth(values.month, epochMs(now()));
    const heads = headsFrom(values);
    const table = openTable(values);
    try {
      const evidence = await collect(table, month, heads);
      const folder = values.out ?? 'reports';
      const file = (extension: string): string => join(folder, `evidence-${month.name}.${extension}`);
      const json = `${canonicalJson(evidence)}\n`;
      mkdirSync(folder, { recursive: true });
      writeFileSync(file('json'), json);
      writeFileSync(file('html'), reportHtml(evidence, sha256(json)));
      for (const { pair, policies } of evidence.buckets)
        for (const { policy, attainment, why } of policies)
          output.out(
            `${pair} ${policy}: ${attainment ? `attained ${attainment.percent}` : `cannot be said: ${why}`}\n`,
          );
      for (const { policy, bucket } of evidence.withoutRecord)
        output.out(`${bucket} ${policy}: nothing at all is recorded\n`);
      const broken = evidence.chains.filter((it) => it.broken !== null);
      for (const { pair, broken: at } of broken) output.out(`${pair}: BROKEN at entry ${at?.n}: ${at?.why}\n`);
      output.out(`${file('json')}\n${file('html')}\n`);
      return broken.length > 0 ? 1 : 0;
    } finally {
      table.client.destroy();
    }
  });

await ifMain(import.meta.url, report);
