/**
 * `npm run asl -- run <definition.json> --input <json> [--mocks <json>] [--s3 <folder>]` runs a state machine in JSONata
 * in virtual time and prints one line of JSON: `{status, output | error, cause, events}`.
 * `npm run asl -- check <definition.json>` prints `{status: 'OK' | 'INVALID', findings, warnings, notEmulated}`.
 * See README.md beside this file.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { AwsError } from '../errors.ts';
import { type Json, parseJson } from '../json.ts';
import { checkDefinition, InvalidDefinition } from './check.ts';
import type { HistoryEvent } from './history.ts';
import { lintDefinition } from './lint.ts';
import { mocksSchema } from './mocks.ts';
import { folderObjects } from './objects.ts';
import { runDefinition } from './run-definition.ts';

const usage = `usage: asl run <definition.json> --input <json | @file> [--mocks <json | @file>] [--s3 <folder>]
       asl check <definition.json>`;

class Misused extends Error {}

/** JSON text, or `@` and the name of a file that has it. */
function jsonArgument(name: string, text: string): Json {
  const value = parseJson(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text);
  if (value === undefined) throw new Misused(`--${name} is not valid JSON`);
  return value;
}

/** An event in the members of `GetExecutionHistory`; the time is an ISO text. */
const eventOf = (event: HistoryEvent): Json => ({
  id: event.id,
  previousEventId: event.previousEventId,
  timestamp: new Date(event.timestamp).toISOString(),
  type: event.type,
  ...(event.detailsName === undefined || event.details === undefined ? {} : { [event.detailsName]: event.details }),
});

const print = (line: Json): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

async function run(text: string, options: { input?: string; mocks?: string; s3?: string }): Promise<number> {
  const input = options.input === undefined ? {} : jsonArgument('input', options.input);
  const mocks = mocksSchema.safeParse(options.mocks === undefined ? {} : jsonArgument('mocks', options.mocks));
  if (!mocks.success) {
    throw new Misused(`--mocks must be {"<State>": [{"result": …} | {"error": "Name", "cause": "…"}, …]}`);
  }
  try {
    const result = await runDefinition(text, {
      input,
      mocks: mocks.data,
      ...(options.s3 === undefined ? {} : { objects: folderObjects(options.s3, readdirSync(options.s3)) }),
    });
    const { status, output, error, cause } = result;
    const end: Json =
      status === 'SUCCEEDED'
        ? { output: output ?? null }
        : status === 'RUNNING'
          ? {}
          : { error: error ?? '', cause: cause ?? '' };
    print({ status, ...end, events: result.events.map(eventOf) });
    return 0;
  } catch (error) {
    if (!(error instanceof InvalidDefinition || error instanceof AwsError)) throw error;
    print({ status: 'INVALID', error: error.name, cause: error.message, events: [] });
    return 2;
  }
}

function check(text: string): number {
  try {
    const warnings = lintDefinition(checkDefinition(text, { mocked: true }));
    print({ status: 'OK', findings: [], warnings, notEmulated: findingsOf(text) });
    return 0;
  } catch (error) {
    if (!(error instanceof InvalidDefinition)) throw error;
    print({ status: 'INVALID', findings: error.findings, warnings: [], notEmulated: [] });
    return 2;
  }
}

/** What is right for AWS but cannot run here without mocks. */
function findingsOf(text: string): readonly string[] {
  try {
    checkDefinition(text);
    return [];
  } catch (error) {
    if (error instanceof InvalidDefinition) return error.findings;
    throw error;
  }
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { input: { type: 'string' }, mocks: { type: 'string' }, s3: { type: 'string' } },
  });
  const [command, file, ...others] = positionals;
  if (file === undefined || others.length > 0) throw new Misused('one definition is needed');
  const text = readFileSync(file, 'utf8');
  if (command === 'run') return run(text, values);
  if (command === 'check') return check(text);
  throw new Misused(`there is no command '${command}'`);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`);
  process.exitCode = 1;
}
