import { decideNext } from '../core/use-cases/decide-next.ts';
import { StoreEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { liveLedger, liveOperations, liveRecords } from './wiring/store.ts';

const env = environment(StoreEnv);

export const handler = instrument(
  'decide-backup',
  decideNext({
    ledger: liveLedger(env.TABLE_NAME),
    operations: liveOperations(env.TABLE_NAME),
    records: liveRecords(env.TABLE_NAME),
    clock: systemClock,
  }),
);
