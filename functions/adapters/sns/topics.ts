import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import type { Severity } from '../../core/domain/alarms.ts';
import type { Topics } from '../../core/ports.ts';

/** @param arns of the topics of pages and of tickets */
export const snsTopics = (client: SNSClient, arns: Readonly<Record<Severity, string>>): Topics => ({
  publish: async (severity, subject, body) => {
    await client.send(new PublishCommand({ TopicArn: arns[severity], Subject: subject, Message: body }));
  },
});
