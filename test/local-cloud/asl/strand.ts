import type { Cancel, Clock } from '../clock.ts';
import { Stopped } from './errors.ts';

/**
 * One line of control in an execution: the execution itself, or one iteration or branch. It counts as work in progress
 * for the clock except while it pauses, and it can be stopped from outside, with everything below it.
 */
export class Strand {
  readonly #clock: Clock;
  readonly #whenStopped = new Set<(reason: Error) => void>();
  #release: () => void;
  #stoppedBy: Error | undefined;
  /** Id of the last history event of this strand. */
  lastEvent = 0;

  constructor(clock: Clock, lastEvent = 0) {
    this.#clock = clock;
    this.#release = clock.hold();
    this.lastEvent = lastEvent;
  }

  /** Waits for something outside; `begin` gets the function that ends the pause and returns how to give it up. */
  pause<T>(begin: (settle: (outcome: () => T) => void) => Cancel): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#stoppedBy) {
        reject(this.#stoppedBy);
        return;
      }
      this.#release();
      let settled = false;
      let cancel: Cancel | undefined;
      const settle = (outcome: () => T) => {
        if (settled) return;
        settled = true;
        this.#release = this.#clock.hold();
        this.#whenStopped.delete(stop);
        cancel?.();
        try {
          resolve(outcome());
        } catch (error) {
          reject(error);
        }
      };
      const stop = (reason: Error) =>
        settle(() => {
          throw reason;
        });
      this.#whenStopped.add(stop);
      cancel = begin(settle);
      if (settled) cancel();
    });
  }

  /** Waits until the emulator's time is `time`. */
  sleepUntil(time: number): Promise<void> {
    return this.pause((settle) => this.#clock.at(time, () => settle(() => {})));
  }

  /** Waits for a promise whose work is counted by somebody else. */
  whileOthersWork<T>(promise: Promise<T>): Promise<T> {
    return this.pause((settle) => {
      promise.then(
        (value) => settle(() => value),
        (error: unknown) =>
          settle(() => {
            throw error;
          }),
      );
      return () => {};
    });
  }

  checkStopped(): void {
    if (this.#stoppedBy) throw this.#stoppedBy;
  }

  /** Calls `listener` when the strand is stopped; the result takes it back. */
  onStop(listener: (reason: Error) => void): Cancel {
    this.#whenStopped.add(listener);
    return () => this.#whenStopped.delete(listener);
  }

  stop(reason: Error = new Stopped('stopped')): void {
    if (this.#stoppedBy) return;
    this.#stoppedBy = reason;
    for (const listener of [...this.#whenStopped]) listener(reason);
  }

  /** A strand below this one: stopped with it. */
  branch(): Strand {
    const child = new Strand(this.#clock, this.lastEvent);
    this.onStop((reason) => child.stop(reason));
    return child;
  }

  /** The strand has nothing more to do. */
  end(): void {
    this.#release();
    this.#whenStopped.clear();
  }
}
