import { afterAll, beforeAll } from 'vitest';
import { describeStores } from '../contract/store/contract.ts';
import { startDynamoDbLocal } from '../fixtures/dynamodb-local/start.ts';
import { dynamoStores } from '../fixtures/table.ts';

let engine: Awaited<ReturnType<typeof startDynamoDbLocal>>;
beforeAll(async () => {
  engine = await startDynamoDbLocal();
});
afterAll(() => engine?.stop());

describeStores('DynamoDB Local', () => dynamoStores(engine.endpoint));
