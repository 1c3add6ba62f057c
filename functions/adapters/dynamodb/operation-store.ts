import { GetCommand, PutCommand, QueryCommand, ScanCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Operation } from '../../core/domain/operation.ts';
import { DrError } from '../../core/errors.ts';
import type { OpenOperations, OperationStore } from '../../core/ports.ts';
import { StoredOperation, storable } from './outcomes.ts';
import { keys, OPEN_INDEX, parseItem, type Table, unlessRefused } from './table.ts';

/** Operations in DynamoDB. `openHost` and `openSince` put an item into the sparse index of open operations. */
export const dynamoOperations = ({ client, name: TableName }: Table): OperationStore => {
  const load: OperationStore['load'] = async (id) => {
    const found = await client.send(new GetCommand({ TableName, Key: keys.operation(id), ConsistentRead: true }));
    return found.Item ? parseItem(StoredOperation, found.Item) : undefined;
  };
  const existing: (id: Operation['id']) => Promise<Operation> = async (id) => {
    const operation = await load(id);
    if (!operation) throw new DrError('ItemInvalid', `there is no operation ${id}`);
    return operation;
  };

  return {
    load,

    create: async (operation) => {
      const created = await unlessRefused(
        client.send(
          new PutCommand({
            TableName,
            Item: {
              ...keys.operation(operation.id),
              ...operation,
              ...(operation.batch ? {} : { openHost: operation.host, openSince: operation.createdAt }),
            },
            ConditionExpression: 'attribute_not_exists(pk)',
          }),
        ),
      );
      return created !== undefined;
    },

    replaceToken: async (id, token) => {
      const seen = await existing(id);
      const updated = await client.send(
        new UpdateCommand({
          TableName,
          Key: keys.operation(id),
          UpdateExpression: 'SET #token = :token, #state = :state, openHost = :host, openSince = :since',
          ConditionExpression: 'attribute_exists(pk) AND #state = :seen',
          ExpressionAttributeNames: { '#token': 'token', '#state': 'state' },
          ExpressionAttributeValues: {
            ':token': token,
            ':seen': seen.state,
            // An operation that was closed is open again until this token has been told.
            ':state': seen.state === 'notified' ? 'ended' : seen.state,
            ':host': seen.host,
            ':since': seen.createdAt,
          },
          ReturnValues: 'ALL_NEW',
        }),
      );
      return parseItem(StoredOperation, updated.Attributes);
    },

    sent: async (id, commandId) => {
      await unlessRefused(
        client.send(
          new UpdateCommand({
            TableName,
            Key: keys.operation(id),
            UpdateExpression: 'SET commandId = :command, #state = :sent',
            ConditionExpression: '#state = :sending',
            ExpressionAttributeNames: { '#state': 'state' },
            ExpressionAttributeValues: { ':command': commandId, ':sent': 'sent', ':sending': 'sending' },
          }),
        ),
      );
    },

    ended: async (id, outcome) => {
      const updated = await unlessRefused(
        client.send(
          new UpdateCommand({
            TableName,
            Key: keys.operation(id),
            UpdateExpression: 'SET outcome = :outcome, #state = :ended',
            ConditionExpression: '#state IN (:sending, :sent)',
            ExpressionAttributeNames: { '#state': 'state' },
            ExpressionAttributeValues: {
              ':outcome': storable(id, outcome),
              ':ended': 'ended',
              ':sending': 'sending',
              ':sent': 'sent',
            },
            ReturnValues: 'ALL_NEW',
          }),
        ),
      );
      return updated ? parseItem(StoredOperation, updated.Attributes) : existing(id);
    },

    notified: async (id, token) => {
      await unlessRefused(
        client.send(
          new UpdateCommand({
            TableName,
            Key: keys.operation(id),
            UpdateExpression: 'SET #state = :notified REMOVE openHost, openSince',
            ConditionExpression: '#token = :token AND #state IN (:ended, :notified)',
            ExpressionAttributeNames: { '#state': 'state', '#token': 'token' },
            ExpressionAttributeValues: { ':notified': 'notified', ':ended': 'ended', ':token': token },
          }),
        ),
      );
    },

    open: async () => {
      const operations: Operation[] = [];
      let start: Record<string, unknown> | undefined;
      do {
        const page = await client.send(
          new ScanCommand({ TableName, IndexName: OPEN_INDEX, ...(start ? { ExclusiveStartKey: start } : {}) }),
        );
        operations.push(...(page.Items ?? []).map((item) => parseItem(StoredOperation, item)));
        start = page.LastEvaluatedKey;
      } while (start);
      return operations;
    },
  };
};

/** What is open, from the index: it may lag behind by a moment. */
export const dynamoOpenOperations = ({ client, name: TableName }: Table): OpenOperations => ({
  on: async (host, atMost) => {
    const { Items } = await client.send(
      new QueryCommand({
        TableName,
        IndexName: OPEN_INDEX,
        KeyConditionExpression: 'openHost = :host',
        ExpressionAttributeValues: { ':host': host },
        ScanIndexForward: false,
        Limit: atMost,
      }),
    );
    return (Items ?? []).map((item) => parseItem(StoredOperation, item));
  },
});
