import { decidePruneNext } from '../core/use-cases/decide-prune.ts';
import { PlanRecordEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { announcedRecords } from './wiring/announcing.ts';
import { systemClock } from './wiring/clock.ts';
import { livePlans } from './wiring/plans.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger, liveOperations } from './wiring/store.ts';

const env = environment(PlanRecordEnv);

export const handler = instrument(
  'decide-prune',
  decidePruneNext({
    policies: deployedPolicies(),
    ledger: liveLedger(env.TABLE_NAME),
    operations: liveOperations(env.TABLE_NAME),
    plans: livePlans(env.RECORDS_BUCKET),
    records: announcedRecords(env.TABLE_NAME, env.DEPLOYMENT),
    clock: systemClock,
  }),
);
