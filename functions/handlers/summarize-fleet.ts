import { setTimeout } from 'node:timers/promises';
import { summarizeFleet } from '../core/use-cases/fleet.ts';
import { PlanRecordEnv } from './environments.ts';
import { environment, instrument, logger } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { liveMetrics } from './wiring/metrics.ts';
import { liveFleetLists } from './wiring/plans.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger, livePairs } from './wiring/store.ts';

/** Half of what the function may take. */
const BUDGET_TIME = 15_000;

const env = environment(PlanRecordEnv);

export const handler = instrument(
  'summarize-fleet',
  summarizeFleet({
    policies: deployedPolicies(),
    ledger: liveLedger(env.TABLE_NAME),
    pairs: livePairs(env.TABLE_NAME),
    lists: liveFleetLists(env.RECORDS_BUCKET),
    metrics: liveMetrics(env.DEPLOYMENT),
    clock: systemClock,
    outOfTime: async () => {
      await setTimeout(BUDGET_TIME, undefined, { ref: false });
      throw new Error(`it took more than ${BUDGET_TIME} ms`);
    },
    report: (problem, error) => logger.error(problem, { error: error instanceof Error ? error : String(error) }),
  }),
);
