import { afterAll, beforeAll, expect, it } from 'vitest';
import { dynamoNonces } from '../../../functions/adapters/dynamodb/nonces.ts';
import { dynamoRecords } from '../../../functions/adapters/dynamodb/records.ts';
import {
  countedRecords,
  createTable,
  dynamoStores,
  interleavedLedger,
  interleavedRecords,
  startDynalite,
} from '../../fixtures/table.ts';
import { describeInterleavedWrites, describeStores } from './contract.ts';
import { describeNonces } from './nonces-contract.ts';
import { aRecord, describeInterleavedRecords, describeRecords } from './records-contract.ts';

let engine: Awaited<ReturnType<typeof startDynalite>>;
beforeAll(async () => {
  engine = await startDynalite();
});
afterAll(() => engine.stop());

describeStores('dynalite', () => dynamoStores(engine.endpoint));
describeInterleavedWrites('dynalite', () => interleavedLedger(engine.endpoint));
describeRecords('dynalite', async () => dynamoRecords(await createTable(engine.endpoint, 'records')));
describeNonces('dynalite', async () => dynamoNonces(await createTable(engine.endpoint, 'nonces')));
describeInterleavedRecords('dynalite', () => interleavedRecords(engine.endpoint));

it('recording costs a look at the newest entry and a write', async () => {
  const { records, sent } = await countedRecords(engine.endpoint);
  for (const n of [1, 2]) {
    await records.append(...aRecord(n));
    expect(sent.splice(0)).toEqual(['QueryCommand', 'PutCommand']);
  }
  await records.append(...aRecord(2));
  expect(sent).toEqual(['QueryCommand']);
});
