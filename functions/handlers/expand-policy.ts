import { expandPolicy } from '../core/use-cases/fleet.ts';
import { StoreEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger, liveRecords } from './wiring/store.ts';

const env = environment(StoreEnv);

export const handler = instrument(
  'expand-policy',
  expandPolicy({
    policies: deployedPolicies(),
    ledger: liveLedger(env.TABLE_NAME),
    records: liveRecords(env.TABLE_NAME),
    clock: systemClock,
  }),
);
