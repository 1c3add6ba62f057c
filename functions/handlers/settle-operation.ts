import { tellOfFence } from '../core/use-cases/alerts.ts';
import { settleOperation } from '../core/use-cases/settle-operation.ts';
import { SettleOperationEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { liveReader } from './wiring/edge.ts';
import { liveExecutions } from './wiring/executions.ts';
import { liveMetrics } from './wiring/metrics.ts';
import { liveOperations } from './wiring/store.ts';

const env = environment(SettleOperationEnv);

export const handler = instrument(
  'settle-operation',
  settleOperation({
    operations: liveOperations(env.TABLE_NAME),
    edge: liveReader(env.OUTPUT_BUCKET),
    onFenced: tellOfFence(liveMetrics(env.DEPLOYMENT)),
    callbacks: liveExecutions(),
  }),
);
