import { nextOfFleet } from '../core/use-cases/failover-fleet.ts';
import { PlanStoreEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { livePlans } from './wiring/plans.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger } from './wiring/store.ts';

const env = environment(PlanStoreEnv);

export const handler = instrument(
  'order-failovers',
  nextOfFleet({
    policies: deployedPolicies(),
    ledger: liveLedger(env.TABLE_NAME),
    plans: livePlans(env.RECORDS_BUCKET),
    clock: systemClock,
  }),
);
