import { afterAll, beforeAll } from 'vitest';
import { describeInterleavedWrites, describeStores } from '../contract/store/contract.ts';
import { startDynamoDbLocal } from '../fixtures/dynamodb-local/start.ts';
import { dynamoStores, interleavedLedger } from '../fixtures/table.ts';

let engine: Awaited<ReturnType<typeof startDynamoDbLocal>>;
beforeAll(async () => {
  engine = await startDynamoDbLocal();
});
afterAll(() => engine?.stop());

describeStores('DynamoDB Local', () => dynamoStores(engine.endpoint));
describeInterleavedWrites('DynamoDB Local', () => interleavedLedger(engine.endpoint));
