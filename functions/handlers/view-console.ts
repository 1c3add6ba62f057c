import { links } from '../console/endpoints.ts';
import { bucketPage } from '../console/pages/bucket.ts';
import { operationsPage } from '../console/pages/operations.ts';
import { overviewPage, policyPage } from '../console/pages/overview.ts';
import { answerWidget } from '../console/router.ts';
import { ViewConsoleEnv } from './environments.ts';
import { environment, instrumentWidget, logger } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { liveRunningExecutions } from './wiring/executions.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveAssessments, liveLedger, liveOpenOperations, liveRuns } from './wiring/store.ts';

const env = environment(ViewConsoleEnv);

const deps = {
  policies: deployedPolicies(),
  ledger: liveLedger(env.TABLE_NAME),
  runs: liveRuns(env.TABLE_NAME),
  assessments: liveAssessments(env.TABLE_NAME),
  operations: liveOpenOperations(env.TABLE_NAME),
  executions: liveRunningExecutions(env.MACHINES),
  clock: systemClock,
  links: links({ view: env.VIEW_ENDPOINT, act: env.ACT_ENDPOINT }),
};

export const handler = instrumentWidget(
  'view-console',
  answerWidget({
    title: 'Ozone DR: what there is',
    about:
      'Whether every bucket is safe, what is late and why, where its data can be got back from, and what is running.',
    params: {
      page: 'overview (default), policy, bucket or operations',
      policy: 'for the pages policy and bucket: the name of a policy',
      bucket: 'for the page bucket: volume/bucket',
    },
    example: { page: 'overview' },
    endpoint: env.VIEW_ENDPOINT,
    pages: [overviewPage(deps), policyPage(deps), bucketPage(deps), operationsPage(deps)],
    report: (problem, error) => logger.error(problem, { error: error instanceof Error ? error : String(error) }),
  }),
);
