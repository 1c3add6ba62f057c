import { decidePruneNext } from '../core/use-cases/decide-prune.ts';
import { DecidePruneEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { announcedRecords } from './wiring/announcing.ts';
import { systemClock } from './wiring/clock.ts';
import { liveOutputs } from './wiring/edge.ts';
import { livePlans } from './wiring/plans.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger, liveOperations } from './wiring/store.ts';

const env = environment(DecidePruneEnv);

export const handler = instrument(
  'decide-prune',
  decidePruneNext({
    policies: deployedPolicies(),
    ledger: liveLedger(env.TABLE_NAME),
    operations: liveOperations(env.TABLE_NAME),
    plans: livePlans(env.RECORDS_BUCKET),
    outputs: liveOutputs(env.OUTPUT_BUCKET),
    records: announcedRecords(env.TABLE_NAME, env.DEPLOYMENT),
    clock: systemClock,
  }),
);
