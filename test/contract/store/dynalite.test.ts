import { afterAll, beforeAll } from 'vitest';
import { dynamoStores, startDynalite } from '../../fixtures/table.ts';
import { describeStores } from './contract.ts';

let engine: Awaited<ReturnType<typeof startDynalite>>;
beforeAll(async () => {
  engine = await startDynalite();
});
afterAll(() => engine.stop());

describeStores('dynalite', () => dynamoStores(engine.endpoint));
