import { type CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import type { AlarmStates } from '../../core/ports.ts';

/** Names in one request. */
const ASKED = 100;

/** @throws RangeError for more names than one request takes */
export const alarmStates = (client: CloudWatchClient): AlarmStates => ({
  raised: async (names) => {
    if (names.length > ASKED) throw new RangeError(`at most ${ASKED} alarms are asked for at a time`);
    const answer = await client.send(
      new DescribeAlarmsCommand({
        AlarmNames: [...names],
        AlarmTypes: ['MetricAlarm', 'CompositeAlarm'],
        StateValue: 'ALARM',
        MaxRecords: ASKED,
      }),
    );
    const found = [...(answer.MetricAlarms ?? []), ...(answer.CompositeAlarms ?? [])];
    return new Set(found.flatMap(({ AlarmName }) => AlarmName ?? []));
  },
});
