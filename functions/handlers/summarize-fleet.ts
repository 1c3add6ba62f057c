import { summarizeFleet } from '../core/use-cases/fleet.ts';
import { SummarizeFleetEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { liveMetrics } from './wiring/metrics.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger } from './wiring/store.ts';

const env = environment(SummarizeFleetEnv);

export const handler = instrument(
  'summarize-fleet',
  summarizeFleet({
    policies: deployedPolicies(),
    ledger: liveLedger(env.TABLE_NAME),
    metrics: liveMetrics(env.DEPLOYMENT),
    clock: systemClock,
  }),
);
