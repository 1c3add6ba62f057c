import { condemnPoints } from '../core/use-cases/condemn-points.ts';
import { PlanRecordEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { announcedRecords } from './wiring/announcing.ts';
import { systemClock } from './wiring/clock.ts';
import { livePlans } from './wiring/plans.ts';
import { liveLedger } from './wiring/store.ts';

const env = environment(PlanRecordEnv);

export const handler = instrument(
  'condemn-points',
  condemnPoints({
    ledger: liveLedger(env.TABLE_NAME),
    plans: livePlans(env.RECORDS_BUCKET),
    records: announcedRecords(env.TABLE_NAME, env.DEPLOYMENT),
    clock: systemClock,
  }),
);
