import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { Nonce } from '../../core/domain/nonce.ts';
import type { Nonces } from '../../core/ports.ts';
import { DELETE_AT, keys, parseItem, type Table, unlessRefused } from './table.ts';

/** Kept so long after they expired, for whoever asks what became of a form. */
const KEPT_SECONDS = 7 * 86_400;

/** Nonces in DynamoDB. That one counts once is kept by a condition; that DynamoDB removes old ones is housekeeping. */
export const dynamoNonces = ({ client, name: TableName }: Table): Nonces => ({
  make: async (nonce) => {
    await client.send(
      new PutCommand({
        TableName,
        Item: {
          ...keys.nonce(nonce.id),
          ...nonce,
          [DELETE_AT]: Math.ceil(nonce.expires / 1000) + KEPT_SECONDS,
        },
        ConditionExpression: 'attribute_not_exists(pk)',
      }),
    );
  },

  use: async (id, what, now) => {
    const used = await unlessRefused(
      client.send(
        new UpdateCommand({
          TableName,
          Key: keys.nonce(id),
          UpdateExpression: 'SET usedAt = :now',
          ConditionExpression: 'what = :what AND usedAt = :never AND expires > :now',
          ExpressionAttributeValues: { ':now': now, ':what': what, ':never': null },
        }),
      ),
    );
    if (used) return 'used-now';
    // What was refused stays refused: why may be read afterwards.
    const found = await client.send(new GetCommand({ TableName, Key: keys.nonce(id), ConsistentRead: true }));
    if (!found.Item) return 'unknown';
    const nonce = parseItem(Nonce, found.Item);
    if (nonce.what !== what) return 'other';
    return nonce.usedAt === null ? 'expired' : 'used';
  },
});
