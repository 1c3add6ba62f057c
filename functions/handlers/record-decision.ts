import { recordDecision } from '../core/use-cases/record-decision.ts';
import { StoreEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { liveExecutions } from './wiring/executions.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger, liveOperations, liveRecords } from './wiring/store.ts';

const env = environment(StoreEnv);

export const handler = instrument(
  'record-decision',
  recordDecision({
    policies: deployedPolicies(),
    ledger: liveLedger(env.TABLE_NAME),
    operations: liveOperations(env.TABLE_NAME),
    records: liveRecords(env.TABLE_NAME),
    workflow: liveExecutions(),
    clock: systemClock,
  }),
);
