import { openBatch } from '../core/use-cases/open-batch.ts';
import { StoreEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { liveExecutions } from './wiring/executions.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger } from './wiring/store.ts';

const env = environment(StoreEnv);

export const handler = instrument(
  'open-batch',
  openBatch({
    policies: deployedPolicies(),
    ledger: liveLedger(env.TABLE_NAME),
    workflow: liveExecutions(),
    clock: systemClock,
  }),
);
