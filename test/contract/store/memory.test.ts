import { memoryRecords } from '../../fixtures/memory-records.ts';
import { memoryLedger, memoryNonces, memoryOperations } from '../../fixtures/memory-store.ts';
import { describeStores } from './contract.ts';
import { describeNonces } from './nonces-contract.ts';
import { describeRecords } from './records-contract.ts';

describeStores('memory', async () => {
  const ledger = memoryLedger();
  return { ledger, operations: memoryOperations(), decisions: ledger.decisions };
});

describeRecords('memory', async () => memoryRecords());
describeNonces('memory', async () => memoryNonces());
