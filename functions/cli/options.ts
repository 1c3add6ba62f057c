import { realpathSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { Table } from '../adapters/dynamodb/table.ts';

/** Where a command writes, so that a test can run it in its own process. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

export const terminal: Output = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
};

/** The command line is not what the command takes: shown with the usage, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What is given to `parseArgs`, strictly: an option that is not known is refused. @throws UsageError */
export const parseCommandLine = <const C extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: C,
  { allowPositionals = false } = {},
) => {
  try {
    return parseArgs({ args: [...args], options, allowPositionals, strict: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
};

/** Which table a command reads. Credentials, and the region unless given, are found as every AWS SDK finds them. */
export const TABLE_OPTIONS = {
  table: { type: 'string' },
  endpoint: { type: 'string' },
  region: { type: 'string' },
} as const;

export const TABLE_USAGE = `  --table <name>     the ledger (default: environment variable TABLE_NAME, else ozone-dr-ledger)
  --endpoint <url>   of DynamoDB, such as that of the local cloud (default: environment variable AWS_ENDPOINT_URL, else AWS)
  --region <name>    (default: as every AWS SDK finds it)
`;

/** The table of a deployment with the default prefix (cdk/stacks/names.ts). */
const DEFAULT_TABLE = 'ozone-dr-ledger';

export interface TableChoice {
  readonly table?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
}

/** The table that was asked for. Nothing is sent yet. @throws UsageError */
export const openTable = ({ table, endpoint, region }: TableChoice, env: NodeJS.ProcessEnv = process.env): Table => {
  if (endpoint !== undefined && !URL.canParse(endpoint)) throw new UsageError(`--endpoint ${endpoint} is no URL`);
  return {
    client: DynamoDBDocumentClient.from(
      new DynamoDBClient({ maxAttempts: 6, ...(endpoint ? { endpoint } : {}), ...(region ? { region } : {}) }),
    ),
    name: table ?? (env.TABLE_NAME || DEFAULT_TABLE),
  };
};

/** Runs a command and answers its exit code: its own, or 2 for a wrong command line, or 1 for any other error. */
export const runCommand = async (usage: string, output: Output, command: () => Promise<number>): Promise<number> => {
  try {
    return await command();
  } catch (error) {
    output.err(`${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}\n`);
    if (!(error instanceof UsageError)) return 1;
    output.err(`\n${usage}`);
    return 2;
  }
};

/** Runs a command when its module is the program that was started, and not when it is imported. */
export const ifMain = async (
  moduleUrl: string,
  command: (args: readonly string[], output: Output) => Promise<number>,
): Promise<void> => {
  const [, program, ...args] = process.argv;
  if (program === undefined || pathToFileURL(realpathSync(program)).href !== moduleUrl) return;
  process.exitCode = await command(args, terminal);
};
