import { openDoctor } from '../core/use-cases/doctor.ts';
import { StoreEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { liveHosts } from './wiring/edge.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger } from './wiring/store.ts';

const env = environment(StoreEnv);

export const handler = instrument(
  'open-doctor',
  openDoctor({
    policies: deployedPolicies(),
    ledger: liveLedger(env.TABLE_NAME),
    hosts: liveHosts(),
    clock: systemClock,
  }),
);
