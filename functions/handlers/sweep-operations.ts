import { tellOfFence } from '../core/use-cases/alerts.ts';
import { sweepOperations } from '../core/use-cases/sweep-operations.ts';
import { SettleOperationEnv } from './environments.ts';
import { environment, instrument, logger } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { liveReader } from './wiring/edge.ts';
import { liveExecutions } from './wiring/executions.ts';
import { liveMetrics } from './wiring/metrics.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger, liveOperations } from './wiring/store.ts';

const env = environment(SettleOperationEnv);
const executions = liveExecutions();

export const handler = instrument(
  'sweep-operations',
  sweepOperations({
    policies: deployedPolicies(),
    operations: liveOperations(env.TABLE_NAME),
    ledger: liveLedger(env.TABLE_NAME),
    edge: liveReader(env.OUTPUT_BUCKET),
    onFenced: tellOfFence(liveMetrics(env.DEPLOYMENT)),
    callbacks: executions,
    workflow: executions,
    clock: systemClock,
    report: (problem, error) => logger.error(problem, { error: error instanceof Error ? error : String(error) }),
  }),
);
