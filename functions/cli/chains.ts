import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { sha256 } from '../adapters/sha256.ts';
import { type Head, verifyChain } from '../core/domain/chain.ts';
import { PairId } from '../core/domain/names.ts';
import type { Records } from '../core/ports.ts';
import { UsageError } from './options.ts';

const Noted = z.object({ n: z.number().int().nonnegative(), hash: z.string().regex(/^[0-9a-f]{64}$/) });

/** A chain as it was found; `head` is null when it is broken, and worth noting elsewhere when it is not. */
export const ChainState = z.strictObject({
  pair: z.string(),
  entries: z.number().int().nonnegative(),
  head: Noted.nullable(),
  broken: z.strictObject({ n: z.number().int().nonnegative(), why: z.string() }).nullable(),
});
export type ChainState = z.infer<typeof ChainState>;

/** Heads that were noted earlier, of each pair. */
export type NotedHeads = ReadonlyMap<string, readonly Head[]>;

export const checkChain = async (
  records: Pick<Records, 'links'>,
  pair: PairId,
  known: NotedHeads = new Map(),
): Promise<ChainState> => {
  const links = await records.links(pair);
  const checked = verifyChain(sha256, pair, links, known.get(pair));
  return checked.kind === 'whole'
    ? { pair, entries: links.length, head: { n: checked.head.n, hash: checked.head.hash }, broken: null }
    : { pair, entries: links.length, head: null, broken: { n: checked.n, why: checked.why } };
};

/** A partition that looks like a chain, but of no pair: entries that no reader will ever see. */
export const strangeChain = (key: string): ChainState => ({
  pair: key,
  entries: 0,
  head: null,
  broken: { n: 0, why: 'this is the key of no pair' },
});

/** `<pair>=<n>:<hash>`, as it is printed. @throws UsageError */
const parseHead = (text: string): readonly [PairId, Head] => {
  const [, name, n, hash] = /^([^=]+)=(\d{1,9}):([0-9a-f]{64})$/.exec(text) ?? [];
  const pair = PairId.safeParse(name);
  if (!pair.success || n === undefined || hash === undefined)
    throw new UsageError(`--head ${text}: write <pair>=<number of entries>:<hash>, as ledger:verify prints it`);
  return [pair.data, { n: Number(n), hash }];
};

export const printHead = (pair: string, { n, hash }: Head): string => `${pair}=${n}:${hash}`;

/** What a monthly report and `ledger:verify --json` say of the chains. */
const WithChains = z.object({ chains: z.array(ChainState) });

/** The heads that a former report noted. @throws UsageError */
const headsOfReport = (file: string, text: string): readonly (readonly [PairId, Head])[] => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new UsageError(`--since ${file}: this is not JSON`);
  }
  const parsed = WithChains.safeParse(json);
  if (!parsed.success)
    throw new UsageError(`--since ${file}: neither a monthly report nor what ledger:verify --json prints`);
  return parsed.data.chains.flatMap(({ pair, head }) => {
    const of = PairId.safeParse(pair);
    return head && of.success ? [[of.data, head] as const] : [];
  });
};

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--since ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
};

/** How a command is told of heads that were noted earlier. */
export const KNOWN_HEADS = {
  head: { type: 'string', multiple: true },
  since: { type: 'string', multiple: true },
} as const;

export const KNOWN_HEADS_USAGE = `  --head <pair>=<n>:<hash>   a head that was noted earlier; may be given several times
  --since <file>             all heads of a former monthly report, or of ledger:verify --json; may be given several times
`;

/** @throws UsageError */
export const headsFrom = (given: {
  readonly head?: readonly string[] | undefined;
  readonly since?: readonly string[] | undefined;
}): NotedHeads => {
  const heads = [
    ...(given.head ?? []).map(parseHead),
    ...(given.since ?? []).flatMap((file) => headsOfReport(file, read(file))),
  ];
  const noted = new Map<string, readonly Head[]>();
  for (const [pair, head] of heads) noted.set(pair, [...(noted.get(pair) ?? []), head]);
  return noted;
};
