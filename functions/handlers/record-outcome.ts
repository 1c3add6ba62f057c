import { recordOutcome } from '../core/use-cases/close-run.ts';
import { StoreEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { liveLedger, liveRecords } from './wiring/store.ts';

const env = environment(StoreEnv);

export const handler = instrument(
  'record-outcome',
  recordOutcome({ ledger: liveLedger(env.TABLE_NAME), records: liveRecords(env.TABLE_NAME), clock: systemClock }),
);
