import { paginateScan } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { PairId } from '../../core/domain/names.ts';
import { PAIRS, parseItem, RECORDS, type Table } from './table.ts';

const Key = z.object({ pk: z.string() });

export interface KnownPairs {
  /** In the order of their names. */
  readonly pairs: readonly PairId[];
  /** Partitions that call themselves records, but of no pair. */
  readonly strange: readonly string[];
}

/**
 * Every pair that has a state or a record. Reads the whole table, one page after the other: for people, not for what
 * runs every minute.
 */
export const knownPairs = async ({ client, name: TableName }: Table): Promise<KnownPairs> => {
  const found = new Set<string>();
  const strange = new Set<string>();
  const pages = paginateScan(
    { client },
    {
      TableName,
      FilterExpression: 'begins_with(pk, :records) OR (begins_with(pk, :pairs) AND sk = :state)',
      ExpressionAttributeValues: { ':records': RECORDS, ':pairs': PAIRS, ':state': 'STATE' },
      ProjectionExpression: 'pk',
      ConsistentRead: true,
    },
  );
  for await (const page of pages)
    for (const item of page.Items ?? []) {
      const { pk } = parseItem(Key, item);
      const name = pk.slice(pk.indexOf('#') + 1);
      if (PairId.safeParse(name).success) found.add(name);
      else strange.add(pk);
    }
  return { pairs: [...found].toSorted().map((name) => PairId.parse(name)), strange: [...strange].toSorted() };
};
