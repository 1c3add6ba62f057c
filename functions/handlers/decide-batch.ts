import { decideBatch } from '../core/use-cases/decide-batch.ts';
import { MeasuringEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { announcedRecords } from './wiring/announcing.ts';
import { systemClock } from './wiring/clock.ts';
import { liveLedger, liveOperations } from './wiring/store.ts';

const env = environment(MeasuringEnv);

export const handler = instrument(
  'decide-batch',
  decideBatch({
    ledger: liveLedger(env.TABLE_NAME),
    operations: liveOperations(env.TABLE_NAME),
    records: announcedRecords(env.TABLE_NAME, env.DEPLOYMENT),
    clock: systemClock,
  }),
);
