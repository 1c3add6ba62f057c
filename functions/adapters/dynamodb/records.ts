import { PutCommand, paginateQuery, QueryCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import {
  idOf,
  inParts,
  type Link,
  nextEntry,
  readEntry,
  stillToRecord,
  withoutRepeats,
} from '../../core/domain/chain.ts';
import type { PairId } from '../../core/domain/names.ts';
import { DrError } from '../../core/errors.ts';
import type { Records } from '../../core/ports.ts';
import { sha256 } from '../sha256.ts';
import { keys, parseItem, type Table, unlessRefused } from './table.ts';

/** A run and a person's decision may write at the same moment; each round of a race has a winner. */
const ATTEMPTS = 10;

/** An item of a chain, read whatever is in it: that it is none of ours is for whoever verifies to say. */
const RecordItem = z.object({
  sk: z.string().transform((key) => (/^\d{9}$/.test(key) ? Number(key) : 0)),
  text: z.string().catch(''),
  hash: z.string().catch(''),
});

const linkOf = (item: unknown): Link => {
  const { sk, text, hash } = parseItem(RecordItem, item);
  return { n: sk, text, hash };
};

/** The records of pairs in DynamoDB. There is no update and no delete: an entry is put once, where there is none. */
export const dynamoRecords = ({ client, name: TableName }: Table): Records => {
  const partition = (pair: PairId) => ({
    TableName,
    KeyConditionExpression: 'pk = :pk',
    ExpressionAttributeValues: { ':pk': keys.record(pair, 0).pk },
    ConsistentRead: true,
  });

  const newest = async (pair: PairId): Promise<Link | undefined> => {
    const page = await client.send(
      new QueryCommand({
        ...partition(pair),
        // An item under another kind of key keeps nobody from recording.
        KeyConditionExpression: 'pk = :pk AND sk BETWEEN :first AND :last',
        ExpressionAttributeValues: {
          ':pk': keys.record(pair, 0).pk,
          ':first': keys.record(pair, 1).sk,
          ':last': keys.record(pair, 999_999_999).sk,
        },
        ScanIndexForward: false,
        Limit: 1,
      }),
    );
    const item = page.Items?.[0];
    return item && linkOf(item);
  };

  const put = (pair: PairId, { n, text, hash }: Link): Promise<unknown> =>
    client.send(
      new PutCommand({
        TableName,
        Item: { ...keys.record(pair, n), text, hash },
        ConditionExpression: 'attribute_not_exists(pk)',
      }),
    );

  const links = async (pair: PairId): Promise<readonly Link[]> => {
    const all: Link[] = [];
    for await (const page of paginateQuery({ client }, partition(pair))) all.push(...(page.Items ?? []).map(linkOf));
    return all;
  };

  return {
    append: async (pair, id, happening, at) => {
      const parts = inParts({ id, pair, at, happening });
      let last = await newest(pair);
      for (const part of stillToRecord(parts, last)) {
        let added: Link | undefined;
        for (let attempt = 0; attempt < ATTEMPTS && !added; attempt++) {
          const next = nextEntry(sha256, last, part);
          if (await unlessRefused(put(pair, next))) added = next;
          else {
            last = await newest(pair);
            // A put that was answered too late and sent again finds its own entry.
            if (last && idOf(last) === part.id) added = last;
          }
        }
        if (!added) throw new DrError('StoreThrottled', `others write the ledger of ${pair}: ${part.id} is not in it`);
        last = added;
      }
    },

    links,

    read: async (pair) =>
      withoutRepeats(
        (await links(pair)).map((link) => {
          const read = readEntry(link);
          if ('problem' in read) throw new DrError('ItemInvalid', `the ledger of ${pair}: ${read.problem}`);
          return read.entry;
        }),
      ),
  };
};
