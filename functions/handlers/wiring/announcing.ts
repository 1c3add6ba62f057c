import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { SNSClient } from '@aws-sdk/client-sns';
import { alarmStates } from '../../adapters/cloudwatch/alarm-states.ts';
import { eventBus } from '../../adapters/events/bus.ts';
import { snsTopics } from '../../adapters/sns/topics.ts';
import { publishing } from '../../core/use-cases/publish-outcomes.ts';
import { logger } from '../instrument.ts';
import { liveMetrics } from './metrics.ts';
import { liveRecords } from './store.ts';

export const liveAlarmStates = () => alarmStates(new CloudWatchClient({ maxAttempts: 3 }));
export const liveTopics = (arns: Parameters<typeof snsTopics>[1]) => snsTopics(new SNSClient({ maxAttempts: 6 }), arns);

/** The records, of which the event bus hears as well. */
export const announcedRecords = (tableName: string, deployment: string) =>
  publishing(liveRecords(tableName), {
    deployment,
    bus: eventBus(new EventBridgeClient({ maxAttempts: 4 })),
    metrics: liveMetrics(deployment),
    report: (problem, error) => logger.error(problem, { error: error instanceof Error ? error : String(error) }),
  });
