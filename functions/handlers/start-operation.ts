import { startOperation } from '../core/use-cases/start-operation.ts';
import { StartOperationEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { liveSender } from './wiring/edge.ts';
import { liveExecutions } from './wiring/executions.ts';
import { liveSelections } from './wiring/plans.ts';
import { liveLedger, liveOperations } from './wiring/store.ts';

const env = environment(StartOperationEnv);

/** Deployed once per blast radius: the document that it may send is part of its environment and of its role. */
export const handler = instrument(
  'start-operation',
  startOperation({
    ledger: liveLedger(env.TABLE_NAME),
    operations: liveOperations(env.TABLE_NAME),
    edge: liveSender(env.OUTPUT_BUCKET),
    callbacks: liveExecutions(),
    selections: liveSelections(env.RECORDS_BUCKET),
    clock: systemClock,
    document: {
      name: env.DOCUMENT_NAME,
      doctor: env.DOCTOR_DOCUMENT_NAME,
      look: env.LOOK_DOCUMENT_NAME,
      batch: env.BATCH_DOCUMENT_NAME,
      yarn: env.YARN_DOCUMENT_NAME,
      blastRadius: env.BLAST_RADIUS,
    },
  }),
);
