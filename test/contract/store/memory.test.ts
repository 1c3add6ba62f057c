import { memoryLedger, memoryOperations } from '../../fixtures/memory-store.ts';
import { describeStores } from './contract.ts';

describeStores('memory', async () => ({ ledger: memoryLedger(), operations: memoryOperations() }));
