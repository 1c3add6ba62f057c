import { openLook } from '../core/use-cases/open-look.ts';
import { StoreEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger } from './wiring/store.ts';

const env = environment(StoreEnv);

export const handler = instrument(
  'open-look',
  openLook({ policies: deployedPolicies(), ledger: liveLedger(env.TABLE_NAME), clock: systemClock }),
);
