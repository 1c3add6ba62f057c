import { openRestore } from '../core/use-cases/open-restore.ts';
import { PlanStoreEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { liveExecutions } from './wiring/executions.ts';
import { livePlans, liveSelections } from './wiring/plans.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger } from './wiring/store.ts';

const env = environment(PlanStoreEnv);

export const handler = instrument(
  'open-restore',
  openRestore({
    policies: deployedPolicies(),
    ledger: liveLedger(env.TABLE_NAME),
    plans: livePlans(env.RECORDS_BUCKET),
    selections: liveSelections(env.RECORDS_BUCKET),
    workflow: liveExecutions(),
    clock: systemClock,
  }),
);
