import { announceAlarm } from '../core/use-cases/announce-alarm.ts';
import { AnnounceAlarmEnv } from './environments.ts';
import { environment, instrument, logger } from './instrument.ts';
import { liveAlarmStates, liveTopics } from './wiring/announcing.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveAssessments, livePairs } from './wiring/store.ts';

const env = environment(AnnounceAlarmEnv);

export const handler = instrument(
  'announce-alarm',
  announceAlarm({
    prefix: env.DEPLOYMENT,
    policies: deployedPolicies(),
    pairs: livePairs(env.TABLE_NAME),
    assessments: liveAssessments(env.TABLE_NAME),
    alarms: liveAlarmStates(),
    topics: liveTopics({ page: env.PAGE_TOPIC_ARN, ticket: env.TICKET_TOPIC_ARN }),
    report: (problem, error) => logger.error(problem, { error: error instanceof Error ? error : String(error) }),
  }),
);
