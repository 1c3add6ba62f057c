import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { EVENT_SOURCE } from '../../core/domain/outcome-event.ts';
import type { OutcomeBus } from '../../core/ports.ts';

/** EventBridge takes entries of up to 256 KB; a happening that is longer is published without its lists. */
const LARGEST = 200_000;

/** The default event bus of the account. */
export const eventBus = (client: EventBridgeClient): OutcomeBus => ({
  put: async (type, detail) => {
    const { happening } = detail;
    const whole = JSON.stringify(detail);
    const short =
      whole.length > LARGEST && 'snapshots' in happening
        ? JSON.stringify({ ...detail, happening: { ...happening, snapshots: [] } })
        : whole;
    const answer = await client.send(
      new PutEventsCommand({
        Entries: [{ Source: EVENT_SOURCE, DetailType: type, Detail: short, Resources: [detail.pair] }],
      }),
    );
    const [entry] = answer.Entries ?? [];
    if (answer.FailedEntryCount !== 0 || !entry?.EventId)
      throw new Error(`PutEvents: ${entry?.ErrorCode ?? 'no answer'}: ${entry?.ErrorMessage ?? ''}`);
  },
});
