import {
  BatchWriteItemCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import {
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  ScanCommand,
  TransactGetCommand,
  TransactWriteCommand,
  type TransactWriteCommandInput,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtAssembly } from '../fixture/index.ts';
import { type LocalCloud, startLocalCloud } from '../index.ts';

/** DynamoDB as the ledger of an application needs it; the same checks hold on DynamoDB Local. */
describe('DynamoDB', () => {
  let cloud: LocalCloud;
  let remove = () => {};
  let client: DynamoDBDocumentClient;
  let TableName = '';
  let count = 0;
  const key = () => ({ pk: `item-${count++}`, sk: 's' });
  const put = (Item: Record<string, unknown>, more = {}) => client.send(new PutCommand({ TableName, Item, ...more }));
  const get = async (Key: { pk: string; sk: string }) =>
    (await client.send(new GetCommand({ TableName, Key, ConsistentRead: true }))).Item;
  const transact = (TransactItems: TransactWriteCommandInput['TransactItems'], more = {}) =>
    client.send(new TransactWriteCommand({ TransactItems, ...more }));
  const errorOf = (call: Promise<unknown>): Promise<Error & Record<string, unknown>> =>
    call.then(
      () => Promise.reject(new Error('it was accepted')),
      (error) => error,
    );
  const absent = { ConditionExpression: 'attribute_not_exists(pk)' };

  beforeAll(async () => {
    const built = await builtAssembly();
    remove = built.remove;
    cloud = await startLocalCloud({ assembly: built.assembly });
    client = DynamoDBDocumentClient.from(new DynamoDBClient(cloud.clientSettings));
    TableName = cloud.table().name;
  });
  afterAll(async () => {
    client.destroy();
    await cloud.close();
    remove();
  });

  it('a conditional put succeeds once', async () => {
    const item = key();
    await put(item, absent);
    expect((await errorOf(put(item, absent))).name).toBe('ConditionalCheckFailedException');
  });

  it('a failed condition returns the old item when asked', async () => {
    const item = key();
    await put({ ...item, owner: 'first' });
    const error = await errorOf(put(item, { ...absent, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' }));
    expect(error.Item).toEqual({ pk: { S: item.pk }, sk: { S: 's' }, owner: { S: 'first' } });
  });

  it('a failed condition returns no item when not asked, or when there is none', async () => {
    const item = key();
    const missing = { ConditionExpression: 'attribute_exists(pk)', ReturnValuesOnConditionCheckFailure: 'ALL_OLD' };
    expect((await errorOf(put(item, missing))).Item).toBeUndefined();
    await put(item);
    expect((await errorOf(put(item, absent))).Item).toBeUndefined();
  });

  it('an update with a failed condition returns the old item, and changes nothing', async () => {
    const item = key();
    await put({ ...item, token: 5 });
    const update = new UpdateCommand({
      TableName,
      Key: item,
      UpdateExpression: 'SET #t = :new',
      ConditionExpression: '#t < :new',
      ExpressionAttributeNames: { '#t': 'token' },
      ExpressionAttributeValues: { ':new': 3 },
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    expect((await errorOf(client.send(update))).Item).toMatchObject({ token: { N: '5' } });
    expect(await get(item)).toMatchObject({ token: 5 });
  });

  it('a delete with a failed condition returns the old item', async () => {
    const item = key();
    await put({ ...item, keep: true });
    const remove = new DeleteCommand({
      TableName,
      Key: item,
      ConditionExpression: 'attribute_not_exists(keep)',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    expect((await errorOf(client.send(remove))).Item).toMatchObject({ keep: { BOOL: true } });
  });

  it('a counter grows, and the new value comes back', async () => {
    const item = key();
    const add = new UpdateCommand({
      TableName,
      Key: item,
      UpdateExpression: 'ADD fence :one',
      ExpressionAttributeValues: { ':one': 1 },
      ReturnValues: 'ALL_NEW',
    });
    await client.send(add);
    expect((await client.send(add)).Attributes).toMatchObject({ fence: 2 });
  });

  it('of twenty simultaneous conditional puts one wins', async () => {
    const item = key();
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_none, index) => put({ ...item, index }, absent)),
    );
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  });

  it('a query returns a range in the order of the sort key, and backwards', async () => {
    const { pk } = key();
    for (const sk of ['b', 'a', 'c']) await put({ pk, sk });
    const query = {
      TableName,
      KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
      ExpressionAttributeValues: { ':pk': pk, ':from': 'a', ':to': 'b' },
    };
    expect((await client.send(new QueryCommand(query))).Items?.map((one) => one.sk)).toEqual(['a', 'b']);
    expect(
      (await client.send(new QueryCommand({ ...query, ScanIndexForward: false, Limit: 1 }))).Items?.map(
        (one) => one.sk,
      ),
    ).toEqual(['b']);
  });

  it('a sparse index lists only what has its attribute', async () => {
    const item = key();
    await put({ ...item, open: 'host-1' });
    const query = new QueryCommand({
      TableName,
      IndexName: 'open',
      KeyConditionExpression: '#o = :h',
      ExpressionAttributeNames: { '#o': 'open' },
      ExpressionAttributeValues: { ':h': 'host-1' },
    });
    expect((await client.send(query)).Items).toHaveLength(1);
    await client.send(
      new UpdateCommand({
        TableName,
        Key: item,
        UpdateExpression: 'REMOVE #o',
        ExpressionAttributeNames: { '#o': 'open' },
      }),
    );
    expect((await client.send(query)).Items).toEqual([]);
    expect((await client.send(new ScanCommand({ TableName, IndexName: 'open' }))).Items).toEqual([]);
  });

  it('pages go on from the last key', async () => {
    const { pk } = key();
    for (const sk of ['1', '2', '3']) await put({ pk, sk });
    const query = { TableName, KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': pk }, Limit: 2 };
    const { LastEvaluatedKey } = await client.send(new QueryCommand(query));
    expect(LastEvaluatedKey).toEqual({ pk, sk: '2' });
    expect((await client.send(new QueryCommand({ ...query, ExclusiveStartKey: LastEvaluatedKey }))).Items).toHaveLength(
      1,
    );
  });

  it('a transaction writes all or nothing', async () => {
    const [first, second] = [key(), key()];
    await put({ ...second, n: 1 });
    const error = await errorOf(
      transact([{ Put: { TableName, Item: first } }, { Put: { TableName, Item: { ...second, n: 2 }, ...absent } }]),
    );
    expect(error.name).toBe('TransactionCanceledException');
    expect([await get(first), await get(second)]).toEqual([undefined, { ...second, n: 1 }]);
    await transact([
      { Put: { TableName, Item: first } },
      { Update: { TableName, Key: second, UpdateExpression: 'SET n = :n', ExpressionAttributeValues: { ':n': 9 } } },
    ]);
    expect([await get(first), await get(second)]).toEqual([first, { ...second, n: 9 }]);
  });

  it('a cancelled transaction gives a reason for every action, with the old item when asked', async () => {
    const [first, second, third] = [key(), key(), key()];
    await put({ ...second, n: 1 });
    const error = await errorOf(
      transact([
        { Put: { TableName, Item: first } },
        { Put: { TableName, Item: second, ...absent, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } },
        { Delete: { TableName, Key: third, ConditionExpression: 'attribute_exists(pk)' } },
      ]),
    );
    expect(error.CancellationReasons).toMatchObject([
      { Code: 'None' },
      { Code: 'ConditionalCheckFailed', Item: { n: { N: '1' } } },
      { Code: 'ConditionalCheckFailed' },
    ]);
    expect(error.message).toContain('[None, ConditionalCheckFailed, ConditionalCheckFailed]');
  });

  it('a condition check in a transaction leaves its item alone, present or not', async () => {
    const [checked, written] = [key(), key()];
    await transact([
      { ConditionCheck: { TableName, Key: checked, ConditionExpression: 'attribute_not_exists(pk)' } },
      { Put: { TableName, Item: written } },
    ]);
    expect([await get(checked), await get(written)]).toEqual([undefined, written]);
    await put({ ...checked, n: 1 });
    await transact([
      {
        ConditionCheck: {
          TableName,
          Key: checked,
          ConditionExpression: 'n = :n',
          ExpressionAttributeValues: { ':n': 1 },
        },
      },
      { Delete: { TableName, Key: written } },
    ]);
    expect([await get(checked), await get(written)]).toEqual([{ ...checked, n: 1 }, undefined]);
  });

  it('a client request token makes a transaction happen once', async () => {
    const item = key();
    const add = [
      { Update: { TableName, Key: item, UpdateExpression: 'ADD n :one', ExpressionAttributeValues: { ':one': 1 } } },
    ];
    await transact(add, { ClientRequestToken: 'once' });
    await transact(add, { ClientRequestToken: 'once' });
    expect(await get(item)).toMatchObject({ n: 1 });
  });

  it('a client request token with another payload is refused', async () => {
    const item = key();
    await transact([{ Put: { TableName, Item: item } }], { ClientRequestToken: 'twice' });
    const other = transact([{ Put: { TableName, Item: { ...item, n: 2 } } }], { ClientRequestToken: 'twice' });
    expect((await errorOf(other)).name).toBe('IdempotentParameterMismatchException');
  });

  it('a transaction may name an item once only, and holds at most 100 actions', async () => {
    const item = key();
    const twice = transact([{ Put: { TableName, Item: item } }, { Delete: { TableName, Key: item } }]);
    expect((await errorOf(twice)).name).toBe('ValidationException');
    const many = transact(Array.from({ length: 101 }, () => ({ Put: { TableName, Item: key() } })));
    expect((await errorOf(many)).name).toBe('ValidationException');
  });

  it('nobody sees a transaction half done', async () => {
    const [first, second] = [key(), key()];
    await Promise.all([put({ ...first, n: 0 }), put({ ...second, n: 0 })]);
    const set = (n: number) =>
      [first, second].map((Key) => ({
        Update: { TableName, Key, UpdateExpression: 'SET n = :n', ExpressionAttributeValues: { ':n': n } },
      }));
    const writes = Promise.all([1, 2, 3, 4, 5].map((n) => transact(set(n))));
    for (let look = 0; look < 10; look++) {
      const read = await client.send(
        new TransactGetCommand({ TransactItems: [first, second].map((Key) => ({ Get: { TableName, Key } })) }),
      );
      expect(read.Responses?.[0]?.Item?.n).toBe(read.Responses?.[1]?.Item?.n);
    }
    await writes;
  });

  it('time to live is a setting only: nothing is deleted by it', async () => {
    const described = await client.send(new DescribeTimeToLiveCommand({ TableName }));
    expect(described.TimeToLiveDescription).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'expires' });
    const item = key();
    await put({ ...item, expires: 1 });
    expect(await get(item)).toEqual({ ...item, expires: 1 });
  });

  it('consumed capacity is counted, and told only when asked', async () => {
    const before = cloud.counters()['dynamodb.capacityUnits'] ?? 0;
    expect((await put(key())).ConsumedCapacity).toBeUndefined();
    expect((await put(key(), { ReturnConsumedCapacity: 'TOTAL' })).ConsumedCapacity?.CapacityUnits).toBe(1);
    expect(cloud.counters()['dynamodb.capacityUnits']).toBe(before + 2);
  });

  it('what DynamoDB does not know is refused', async () => {
    expect((await errorOf(client.send(new GetCommand({ TableName: 'none', Key: key() })))).name).toBe(
      'ResourceNotFoundException',
    );
    expect((await errorOf(client.send(new GetCommand({ TableName, Key: { pk: 'only' } })))).name).toBe(
      'ValidationException',
    );
    expect((await errorOf(client.send(new TransactWriteItemsCommand({ TransactItems: [{}] })))).name).toBe(
      'ValidationException',
    );
    expect((await errorOf(client.send(new BatchWriteItemCommand({ RequestItems: {} })))).name).toBe(
      'ValidationException',
    );
  });
});
