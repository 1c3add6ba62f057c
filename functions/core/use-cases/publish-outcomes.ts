import { eventTypeOf, type OutcomeDetail } from '../domain/outcome-event.ts';
import type { Metrics, OutcomeBus, Records } from '../ports.ts';

export interface PublishDependencies {
  readonly deployment: string;
  readonly bus: OutcomeBus;
  readonly metrics: Metrics;
  readonly report: (problem: string, error: unknown) => void;
}

/**
 * A record that also tells the event bus. What is recorded is published right after, each time that it is recorded: at
 * least once, and again when whoever records was cut off and repeats it. That an event could not be published is seen by
 * an alarm, and never fails what is recorded: the record is the truth.
 */
export const publishing = <R extends Pick<Records, 'append'>>(records: R, deps: PublishDependencies): R => ({
  ...records,
  append: async (pair, id, happening, at) => {
    await records.append(pair, id, happening, at);
    const type = eventTypeOf(happening);
    if (!type) return;
    const detail: OutcomeDetail = { version: 1, deployment: deps.deployment, id: `${pair}:${id}`, pair, at, happening };
    try {
      await deps.bus.put(type, detail);
    } catch (error) {
      deps.metrics.gauge('EventsNotPublished', 'Count', 1, {});
      deps.report(`the event ${type} of ${pair} was not published: ${id}`, error);
    }
  },
});
