import { memoryLedger, memoryOperations } from '../../fixtures/memory-store.ts';
import { describeStores } from './contract.ts';

describeStores('memory', async () => {
  const ledger = memoryLedger();
  return { ledger, operations: memoryOperations(), decisions: ledger.decisions };
});
