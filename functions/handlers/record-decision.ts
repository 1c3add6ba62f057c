import { recordDecision } from '../core/use-cases/record-decision.ts';
import { MeasuringEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { announcedRecords } from './wiring/announcing.ts';
import { systemClock } from './wiring/clock.ts';
import { liveExecutions } from './wiring/executions.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger, liveOperations } from './wiring/store.ts';

const env = environment(MeasuringEnv);

export const handler = instrument(
  'record-decision',
  recordDecision({
    policies: deployedPolicies(),
    ledger: liveLedger(env.TABLE_NAME),
    operations: liveOperations(env.TABLE_NAME),
    records: announcedRecords(env.TABLE_NAME, env.DEPLOYMENT),
    workflow: liveExecutions(),
    clock: systemClock,
  }),
);
