import type { Json, JsonObject } from '../json.ts';
import { StateError } from './errors.ts';
import type { Strand } from './strand.ts';

/** One event as `GetExecutionHistory` returns it, with the time in epoch milliseconds. */
export interface HistoryEvent {
  readonly id: number;
  readonly previousEventId: number;
  readonly timestamp: number;
  readonly type: string;
  /** The member that carries the details (`stateEnteredEventDetails`), and them; none for some types. */
  readonly detailsName: string | undefined;
  readonly details: JsonObject | undefined;
}

/** AWS, "Service quotas": 25,000 events in one execution's history, hard. */
export const mostEvents = 25_000;

/** State types with entered and exited events of their own. */
const nameOfDetails = (type: string): string => {
  if (type.endsWith('StateEntered')) return 'stateEnteredEventDetails';
  if (type.endsWith('StateExited')) return 'stateExitedEventDetails';
  if (/^MapIteration(Started|Succeeded|Failed|Aborted)$/.test(type)) return `m${type.slice(1)}EventDetails`;
  return `${type.charAt(0).toLowerCase()}${type.slice(1)}EventDetails`;
};

export class History {
  readonly events: HistoryEvent[] = [];
  readonly #now: () => number;
  readonly #listen: (event: HistoryEvent) => void;
  readonly #limit: number;
  #closed = false;

  constructor(now: () => number, listen: (event: HistoryEvent) => void, limit = mostEvents) {
    this.#now = now;
    this.#listen = listen;
    this.#limit = limit;
  }

  /** Appends an event to a strand. The last place is kept for the end of the execution. */
  add(strand: Strand, type: string, details?: JsonObject): void {
    // What a stopped strand still has to say comes after the end of the execution: AWS records nothing there.
    if (this.#closed) return;
    if (this.events.length >= this.#limit - 1) {
      throw new StateError(
        'States.Runtime',
        `The execution reached the maximum number of history events (${this.#limit}).`,
      );
    }
    this.#append(strand.lastEvent, type, details);
    strand.lastEvent = this.events.length;
  }

  /** The event that ends the execution. */
  close(type: string, details?: JsonObject): void {
    this.#append(this.events.length, type, details);
    this.#closed = true;
  }

  /** The event with which a redrive begins. */
  reopen(strand: Strand, redriveCount: number): void {
    this.#closed = false;
    strand.lastEvent = this.events.length;
    this.add(strand, 'ExecutionRedriven', { redriveCount });
  }

  #append(previousEventId: number, type: string, details: JsonObject | undefined): void {
    const event: HistoryEvent = {
      id: this.events.length + 1,
      previousEventId,
      timestamp: this.#now(),
      type,
      detailsName: details === undefined ? undefined : nameOfDetails(type),
      details,
    };
    this.events.push(event);
    this.#listen(event);
  }
}

/** An input or output in an event: text and a mark that it is whole. */
export const dataDetails = (name: 'input' | 'output', value: Json): JsonObject => ({
  [name]: JSON.stringify(value),
  [`${name}Details`]: { truncated: false },
});
