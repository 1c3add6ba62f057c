import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { actWidget } from '../console/act-widget.ts';
import { links } from '../console/endpoints.ts';
import { answerWidget } from '../console/router.ts';
import { ActConsoleEnv } from './environments.ts';
import { environment, instrumentWidget, logger } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { liveMachines } from './wiring/executions.ts';
import { livePlans } from './wiring/plans.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger, liveNonces } from './wiring/store.ts';

/** Between two looks at an execution: some of them, and the page says how far it is. */
const PAUSE = 500;

const env = environment(ActConsoleEnv);

const widget = actWidget(
  {
    policies: deployedPolicies(),
    ledger: liveLedger(env.TABLE_NAME),
    plans: livePlans(env.RECORDS_BUCKET),
    nonces: liveNonces(env.TABLE_NAME),
    machines: liveMachines(env.MACHINES),
    clock: systemClock,
    random: () => randomBytes(16).toString('hex'),
    pause: () => setTimeout(PAUSE),
    links: links({ view: env.VIEW_ENDPOINT, act: env.ACT_ENDPOINT }),
  },
  (problem, error) => logger.error(problem, { error: error instanceof Error ? error : String(error) }),
);

export const handler = instrumentWidget('act-console', answerWidget(widget));
