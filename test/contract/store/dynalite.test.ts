import { afterAll, beforeAll } from 'vitest';
import { dynamoRecords } from '../../../functions/adapters/dynamodb/records.ts';
import {
  createTable,
  dynamoStores,
  interleavedLedger,
  interleavedRecords,
  startDynalite,
} from '../../fixtures/table.ts';
import { describeInterleavedWrites, describeStores } from './contract.ts';
import { describeInterleavedRecords, describeRecords } from './records-contract.ts';

let engine: Awaited<ReturnType<typeof startDynalite>>;
beforeAll(async () => {
  engine = await startDynalite();
});
afterAll(() => engine.stop());

describeStores('dynalite', () => dynamoStores(engine.endpoint));
describeInterleavedWrites('dynalite', () => interleavedLedger(engine.endpoint));
describeRecords('dynalite', async () => dynamoRecords(await createTable(engine.endpoint, 'records')));
describeInterleavedRecords('dynalite', () => interleavedRecords(engine.endpoint));
