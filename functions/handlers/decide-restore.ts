import { decideRestoreNext } from '../core/use-cases/decide-restore.ts';
import { PlanStoreEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { livePlans } from './wiring/plans.ts';
import { liveLedger, liveOperations } from './wiring/store.ts';

const env = environment(PlanStoreEnv);

export const handler = instrument(
  'decide-restore',
  decideRestoreNext({
    ledger: liveLedger(env.TABLE_NAME),
    operations: liveOperations(env.TABLE_NAME),
    plans: livePlans(env.RECORDS_BUCKET),
    clock: systemClock,
  }),
);
