import { paginateScan } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { isLineage, PairId, PolicyName } from '../../core/domain/names.ts';
import { PAIRS, POLICIES, parseItem, RECORDS, type Table } from './table.ts';

const Key = z.object({ pk: z.string() });

export interface Known {
  /** In the order of their names. */
  readonly pairs: readonly PairId[];
  readonly policies: readonly PolicyName[];
  /** Partitions that call themselves records, but of no pair. */
  readonly strange: readonly string[];
}

/**
 * Every pair of a bucket and its replica that has a state, every pair that has a record, and every policy. Reads the whole table, one page after the other: for
 * people, not for what runs every minute.
 */
export const knownPairs = async ({ client, name: TableName }: Table): Promise<Known> => {
  const found = { [RECORDS]: new Set<string>(), [PAIRS]: new Set<string>(), [POLICIES]: new Set<string>() };
  const pages = paginateScan(
    { client },
    {
      TableName,
      FilterExpression:
        'begins_with(pk, :records) OR (sk = :state AND (begins_with(pk, :pairs) OR begins_with(pk, :policies)))',
      ExpressionAttributeValues: { ':records': RECORDS, ':pairs': PAIRS, ':policies': POLICIES, ':state': 'STATE' },
      ProjectionExpression: 'pk',
      ConsistentRead: true,
    },
  );
  for await (const page of pages)
    for (const item of page.Items ?? []) {
      const { pk } = parseItem(Key, item);
      for (const prefix of [RECORDS, PAIRS, POLICIES] as const)
        if (pk.startsWith(prefix)) found[prefix].add(pk.slice(prefix.length));
    }
  const pairsIn = (names: ReadonlySet<string>): readonly PairId[] =>
    [...names].flatMap((name) => PairId.safeParse(name).data ?? []);
  return {
    pairs: [...new Set([...pairsIn(found[RECORDS]), ...pairsIn(found[PAIRS]).filter(isLineage)])].toSorted(),
    policies: [...found[POLICIES]].toSorted().flatMap((name) => PolicyName.safeParse(name).data ?? []),
    strange: [...found[RECORDS]]
      .filter((name) => !PairId.safeParse(name).success)
      .toSorted()
      .map((name) => RECORDS + name),
  };
};
