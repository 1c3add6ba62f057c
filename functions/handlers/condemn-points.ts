import { condemnPoints } from '../core/use-cases/condemn-points.ts';
import { PlanStoreEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { livePlans } from './wiring/plans.ts';
import { liveLedger, liveRecords } from './wiring/store.ts';

const env = environment(PlanStoreEnv);

export const handler = instrument(
  'condemn-points',
  condemnPoints({
    ledger: liveLedger(env.TABLE_NAME),
    plans: livePlans(env.RECORDS_BUCKET),
    records: liveRecords(env.TABLE_NAME),
    clock: systemClock,
  }),
);
