import { assessObjectives } from '../core/use-cases/assess-objectives.ts';
import { MeasuringEnv } from './environments.ts';
import { environment, instrument, logger } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { liveHosts } from './wiring/edge.ts';
import { liveMetrics } from './wiring/metrics.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveAssessments, liveLedger, liveOperations, livePairs } from './wiring/store.ts';

const env = environment(MeasuringEnv);

export const handler = instrument(
  'assess-objectives',
  assessObjectives({
    policies: deployedPolicies(),
    pairs: livePairs(env.TABLE_NAME),
    ledger: liveLedger(env.TABLE_NAME),
    assessments: liveAssessments(env.TABLE_NAME),
    operations: liveOperations(env.TABLE_NAME),
    hosts: liveHosts(),
    metrics: liveMetrics(env.DEPLOYMENT),
    clock: systemClock,
    report: (problem, error) => logger.error(problem, { error: error instanceof Error ? error : String(error) }),
  }),
);
