import { afterAll, beforeAll } from 'vitest';
import { dynamoStores, interleavedLedger, startDynalite } from '../../fixtures/table.ts';
import { describeInterleavedWrites, describeStores } from './contract.ts';

let engine: Awaited<ReturnType<typeof startDynalite>>;
beforeAll(async () => {
  engine = await startDynalite();
});
afterAll(() => engine.stop());

describeStores('dynalite', () => dynamoStores(engine.endpoint));
describeInterleavedWrites('dynalite', () => interleavedLedger(engine.endpoint));
