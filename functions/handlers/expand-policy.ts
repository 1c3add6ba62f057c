import { expandPolicy } from '../core/use-cases/fleet.ts';
import { PlanRecordEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { announcedRecords } from './wiring/announcing.ts';
import { systemClock } from './wiring/clock.ts';
import { liveFleetLists } from './wiring/plans.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger, liveOperations, livePairs } from './wiring/store.ts';

const env = environment(PlanRecordEnv);

export const handler = instrument(
  'expand-policy',
  expandPolicy({
    policies: deployedPolicies(),
    ledger: liveLedger(env.TABLE_NAME),
    operations: liveOperations(env.TABLE_NAME),
    pairs: livePairs(env.TABLE_NAME),
    lists: liveFleetLists(env.RECORDS_BUCKET),
    records: announcedRecords(env.TABLE_NAME, env.DEPLOYMENT),
    clock: systemClock,
  }),
);
