import { paginateQuery } from '@aws-sdk/lib-dynamodb';
import { BackupRun } from '../../core/domain/ledger.ts';
import type { PairId, PolicyName } from '../../core/domain/names.ts';
import type { Runs } from '../../core/ports.ts';
import { keys, parseItem, type Table } from './table.ts';

/** Runs and their steps lie side by side; a run seldom has more steps than this. */
const PAGE = 100;

/** The backup of a pair and a policy that is of the latest slot; null when there was none. */
const latestBackup = async (
  { client, name: TableName }: Table,
  pair: PairId,
  policy: PolicyName,
): Promise<BackupRun | null> => {
  const pages = paginateQuery(
    { client },
    {
      TableName,
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :runs)',
      // Steps have no schema of their own.
      FilterExpression: 'attribute_exists(#schema)',
      ExpressionAttributeNames: { '#schema': 'schema' },
      ExpressionAttributeValues: { ':pk': keys.pair(pair).pk, ':runs': `RUN#${policy}#` },
      ScanIndexForward: false,
      ConsistentRead: true,
      Limit: PAGE,
    },
  );
  for await (const { Items } of pages) {
    const [latest] = Items ?? [];
    if (latest) return parseItem(BackupRun, latest);
  }
  return null;
};

export const dynamoRuns = (table: Table): Runs => ({
  latestBackup: (pair, policy) => latestBackup(table, pair, policy),
});
