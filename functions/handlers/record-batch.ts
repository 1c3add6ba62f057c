import { tellOfFailure } from '../core/use-cases/alerts.ts';
import { recordBatch } from '../core/use-cases/record-batch.ts';
import { MeasuringEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { announcedRecords } from './wiring/announcing.ts';
import { systemClock } from './wiring/clock.ts';
import { liveMetrics } from './wiring/metrics.ts';
import { liveLedger } from './wiring/store.ts';

const env = environment(MeasuringEnv);

export const handler = instrument(
  'record-batch',
  recordBatch({
    ledger: liveLedger(env.TABLE_NAME),
    records: announcedRecords(env.TABLE_NAME, env.DEPLOYMENT),
    clock: systemClock,
    onFailure: tellOfFailure(liveMetrics(env.DEPLOYMENT)),
  }),
);
