import { knownPairs } from '../adapters/dynamodb/pairs.ts';
import { dynamoRecords } from '../adapters/dynamodb/records.ts';
import type { Table } from '../adapters/dynamodb/table.ts';
import { PairId } from '../core/domain/names.ts';
import {
  type ChainState,
  checkChain,
  headsFrom,
  KNOWN_HEADS,
  KNOWN_HEADS_USAGE,
  type NotedHeads,
  printHead,
  strangeChain,
} from './chains.ts';
import {
  ifMain,
  type Output,
  openTable,
  parseCommandLine,
  runCommand,
  TABLE_OPTIONS,
  TABLE_USAGE,
  UsageError,
} from './options.ts';

export const USAGE = `usage: npm run ledger:verify [-- options]

Reads the record of every bucket and checks that each entry is as it was written and in its place. Prints the head of
each chain: note it outside of this table, since a tail that was cut off shows only against a head that was known.

  --pair <pair>              only this one: <source>/<volume>/<bucket>#<replica>, or #local without a replica
  --json                     prints one JSON document
${KNOWN_HEADS_USAGE}${TABLE_USAGE}
Ends with 0 when all is whole, with 1 when a chain is broken or cannot be read.
`;

const OPTIONS = {
  ...TABLE_OPTIONS,
  ...KNOWN_HEADS,
  pair: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

const parsePair = (text: string): PairId => {
  const pair = PairId.safeParse(text);
  if (!pair.success) throw new UsageError(`--pair ${text}: write <source>/<volume>/<bucket>#<replica>`);
  return pair.data;
};

/** The state of the chains: of one pair, or of all that the table or a noted head knows. */
const checkAll = async (table: Table, only: PairId | undefined, heads: NotedHeads): Promise<readonly ChainState[]> => {
  const records = dynamoRecords(table);
  if (only) return [await checkChain(records, only, heads)];
  const { pairs, strange } = await knownPairs(table);
  const all = [...new Set<string>([...pairs, ...heads.keys()])].toSorted().map((it) => PairId.parse(it));
  const states: ChainState[] = strange.map(strangeChain);
  for (const pair of all) states.push(await checkChain(records, pair, heads));
  return states;
};

const lineOf = ({ pair, entries, head, broken }: ChainState): string =>
  head
    ? `${printHead(pair, head)}\n  whole, ${entries} ${entries === 1 ? 'entry' : 'entries'}\n`
    : `${pair}\n  BROKEN at entry ${broken?.n}: ${broken?.why}\n`;

/** @returns the exit code */
export const ledgerVerify = (args: readonly string[], output: Output): Promise<number> =>
  runCommand(USAGE, output, async () => {
    const { values } = parseCommandLine(args, OPTIONS);
    if (values.help) {
      output.out(USAGE);
      return 0;
    }
    const only = values.pair === undefined ? undefined : parsePair(values.pair);
    const heads = headsFrom(values);
    const table = openTable(values);
    try {
      const chains = await checkAll(table, only, heads);
      const broken = chains.filter((it) => it.broken !== null);
      if (values.json) output.out(`${JSON.stringify({ schema: 1, table: table.name, chains }, null, 2)}\n`);
      else {
        output.out(chains.map(lineOf).join(''));
        const noted = [...heads.values()].flat().length;
        output.out(
          `${table.name}: ${chains.length} ${chains.length === 1 ? 'chain' : 'chains'}, ${broken.length} broken, ` +
            `compared with ${noted} noted ${noted === 1 ? 'head' : 'heads'}\n`,
        );
      }
      return broken.length > 0 ? 1 : 0;
    } finally {
      table.client.destroy();
    }
  });

await ifMain(import.meta.url, ledgerVerify);
