// How large the bundles are, and how long a fresh process takes to import one with the environment of its function.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import * as z from 'zod';
import { policyText, synthesize } from '../fixtures/deployment.ts';
import { readAssembly } from '../local-cloud/template/assembly.ts';
import { type Module, median, rounded } from './figures.ts';

const STARTS = 7;

/** Since the process began: Node's own start is part of what a cold start waits for. */
const probe = (url: string): string =>
  `await import(${JSON.stringify(url)}); const at = performance.now(); const { user, system } = process.cpuUsage();` +
  'process.stdout.write(JSON.stringify({ ms: at, cpuMs: (user + system) / 1000 })); process.exit(0);';

interface Init {
  readonly ms: number;
  readonly cpuMs: number;
}

const start = async (code: string, env: Readonly<Record<string, string>>): Promise<Init> => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], {
    env: { PATH: '/usr/bin:/bin', AWS_REGION: 'eu-central-1', NODE_NO_WARNINGS: '1', ...env },
  });
  const told: unknown = JSON.parse(stdout.slice(stdout.lastIndexOf('{')));
  if (typeof told !== 'object' || told === null || !('ms' in told) || !('cpuMs' in told)) throw new Error(stdout);
  return { ms: Number(told.ms), cpuMs: Number(told.cpuMs) };
};

export const bundles: Module = {
  name: 'bundles',
  figures: ['bundleKiB', 'initMsP50'],
  measure: async (say) => {
    const directory = mkdtempSync(join(tmpdir(), 'ozone-dr-bench-'));
    try {
      synthesize(policyText(['sales/orders']), directory);
      const functions = functionsOf(directory);
      const rows = functions.map(({ name, folder, env }) => ({
        name,
        env,
        bytes: statSync(join(folder, 'index.mjs')).size,
        code: probe(pathToFileURL(join(folder, 'index.mjs')).href),
        starts: [] as Init[],
      }));
      const bare: Init[] = [];
      // In turns, so that other work on the machine strikes all of them alike.
      for (let round = 0; round < STARTS; round++) {
        say(`bundles: fresh processes, round ${round + 1} of ${STARTS}`);
        bare.push(await start(probe('node:path'), {}));
        for (const row of rows) row.starts.push(await start(row.code, row.env));
      }
      const medians = rows
        .map(({ name, bytes, starts }) => ({
          ...{ name, bytes },
          ms: Math.round(median(starts.map((it) => it.ms))),
          cpuMs: Math.round(median(starts.map((it) => it.cpuMs))),
        }))
        .toSorted((one, other) => other.ms - one.ms);
      return {
        values: {
          bundleKiB: rounded(Math.max(...rows.map(({ bytes }) => bytes)) / 1024, 1),
          initMsP50: Math.max(...medians.map(({ ms }) => ms)),
        },
        details: [
          `Medians of ${STARTS} fresh processes of each function, in turns; Node alone took ${Math.round(median(bare.map((it) => it.ms)))} ms, ${Math.round(median(bare.map((it) => it.cpuMs)))} ms of CPU.`,
          '',
          '| function | bytes | ms | ms of CPU |',
          '|---|---|---|---|',
          ...medians.map(({ name, bytes, ms, cpuMs }) => `| ${name} | ${bytes} | ${ms} | ${cpuMs} |`),
        ],
      };
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

interface Deployed {
  readonly name: string;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

const Properties = z.object({
  FunctionName: z.string(),
  Code: z.object({ S3Key: z.string() }),
  Environment: z.object({ Variables: z.record(z.string(), z.unknown()) }),
});

/** The functions of an assembly; what only the deployment knows (an ARN) is a word in their environment. */
const functionsOf = (directory: string): readonly Deployed[] => {
  const { stacks, assets } = readAssembly(directory);
  return stacks
    .flatMap(({ template }) => Object.values(template.Resources))
    .filter(({ Type }) => Type === 'AWS::Lambda::Function')
    .map(({ Properties: given }) => {
      const { FunctionName: name, Code, Environment } = Properties.parse(given);
      const env = Object.entries(Environment.Variables).map(([key, value]) => [
        key,
        typeof value === 'string' ? value : 'x',
      ]);
      return { name, folder: assets.get(Code.S3Key) ?? '', env: Object.fromEntries(env) };
    });
};
