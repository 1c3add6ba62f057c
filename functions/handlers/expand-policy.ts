import { expandPolicy } from '../core/use-cases/fleet.ts';
import { MeasuringEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { announcedRecords } from './wiring/announcing.ts';
import { systemClock } from './wiring/clock.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger } from './wiring/store.ts';

const env = environment(MeasuringEnv);

export const handler = instrument(
  'expand-policy',
  expandPolicy({
    policies: deployedPolicies(),
    ledger: liveLedger(env.TABLE_NAME),
    records: announcedRecords(env.TABLE_NAME, env.DEPLOYMENT),
    clock: systemClock,
  }),
);
