import { decidePruneNext } from '../core/use-cases/decide-prune.ts';
import { PlanStoreEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { livePlans } from './wiring/plans.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger, liveOperations, liveRecords } from './wiring/store.ts';

const env = environment(PlanStoreEnv);

export const handler = instrument(
  'decide-prune',
  decidePruneNext({
    policies: deployedPolicies(),
    ledger: liveLedger(env.TABLE_NAME),
    operations: liveOperations(env.TABLE_NAME),
    plans: livePlans(env.RECORDS_BUCKET),
    records: liveRecords(env.TABLE_NAME),
    clock: systemClock,
  }),
);
