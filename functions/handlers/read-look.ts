import { readLook } from '../core/use-cases/read-look.ts';
import { StoreEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { liveLedger, liveOperations } from './wiring/store.ts';

const env = environment(StoreEnv);

export const handler = instrument(
  'read-look',
  readLook({
    ledger: liveLedger(env.TABLE_NAME),
    operations: liveOperations(env.TABLE_NAME),
    clock: systemClock,
  }),
);
