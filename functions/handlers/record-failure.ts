import { tellOfFailure } from '../core/use-cases/alerts.ts';
import { recordFailure } from '../core/use-cases/close-run.ts';
import { MeasuringEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { liveMetrics } from './wiring/metrics.ts';
import { liveLedger, liveRecords } from './wiring/store.ts';

const env = environment(MeasuringEnv);

export const handler = instrument(
  'record-failure',
  recordFailure({
    ledger: liveLedger(env.TABLE_NAME),
    records: liveRecords(env.TABLE_NAME),
    clock: systemClock,
    onFailure: tellOfFailure(liveMetrics(env.DEPLOYMENT)),
  }),
);
