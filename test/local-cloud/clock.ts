/**
 * Time for the whole emulator. Real: the machine's. Virtual: stands still while anything is at work (a state being
 * entered, a handler call, a host's process, a request) and jumps from timer to timer when nothing is; it moves only
 * while somebody drives it (`advanceTo`, `runUntil`), so a test decides how far the story goes.
 */
export interface Clock {
  readonly kind: 'real' | 'virtual';
  /** Epoch milliseconds. */
  now(): number;
  /** Calls `fire` once at `time` (epoch ms; a past time means as soon as possible). */
  at(time: number, fire: () => void): Cancel;
  /** Marks work in progress until the returned function is called. */
  hold(): () => void;
  /** Waits until `done()` holds; virtual time moves for it. Fails when nothing is left that could make it true. */
  runUntil(done: () => boolean): Promise<void>;
  /** Virtual only: lets everything happen up to `time`, and leaves the clock there. */
  advanceTo(time: number): Promise<void>;
  /** Cancels all timers, for good. */
  close(): void;
}

/** What somebody waits for in virtual time can never come. */
export class NothingLeft extends Error {
  override readonly name = 'NothingLeft';
}

export type Cancel = () => void;

const longestTimeout = 2 ** 31 - 1;

/** Runs `work` as work in progress. */
export async function working<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  const release = clock.hold();
  try {
    return await work();
  } finally {
    release();
  }
}

export function realClock(): Clock {
  const pending = new Set<Cancel>();
  let closed = false;
  const at = (time: number, fire: () => void): Cancel => {
    if (closed) return () => {};
    let timer: NodeJS.Timeout | undefined;
    const cancel = () => {
      clearTimeout(timer);
      pending.delete(cancel);
    };
    const arm = () => {
      const left = time - Date.now();
      if (left > longestTimeout) timer = setTimeout(arm, longestTimeout);
      else
        timer = setTimeout(
          () => {
            pending.delete(cancel);
            fire();
          },
          Math.max(0, left),
        );
    };
    pending.add(cancel);
    arm();
    return cancel;
  };
  return {
    kind: 'real',
    now: () => Date.now(),
    at,
    hold: () => () => {},
    async runUntil(done) {
      while (!done()) {
        if (closed) throw new Error('the clock was closed while somebody waited for it');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async advanceTo() {
      throw new Error('real time cannot be advanced: start the local cloud with { virtualFrom }');
    },
    close() {
      closed = true;
      for (const cancel of [...pending]) cancel();
    },
  };
}

interface Timer {
  readonly time: number;
  readonly order: number;
  readonly fire: () => void;
}

/** `tick` is told every new time, for those that cannot ask (the workers read it from shared memory). */
export function virtualClock(from: number, tick: (now: number) => void = () => {}): Clock {
  let now = from;
  let order = 0;
  let busy = 0;
  let closed = false;
  let timers: Timer[] = [];
  let whenIdle: (() => void)[] = [];
  let turn: Promise<unknown> = Promise.resolve();
  tick(now);

  /** Two turns of the event loop without work: promises that were settled have had their followers run. */
  const idle = async (): Promise<void> => {
    for (;;) {
      if (closed) throw new Error('the clock was closed while somebody waited for it');
      if (busy > 0) await new Promise<void>((resolve) => whenIdle.push(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      if (busy > 0) continue;
      await new Promise((resolve) => setImmediate(resolve));
      if (busy === 0) return;
    }
  };
  /** Drivers take turns, so that two of them never step at once. */
  const inTurn = <T>(step: () => Promise<T>): Promise<T> => {
    const result = turn.then(step);
    turn = result.catch(() => {});
    return result;
  };
  const fireNext = (limit: number): boolean => {
    const next = timers[0];
    if (!next || next.time > limit) return false;
    timers.shift();
    if (next.time > now) {
      now = next.time;
      tick(now);
    }
    next.fire();
    return true;
  };

  return {
    kind: 'virtual',
    now: () => now,
    at(time, fire) {
      if (closed) return () => {};
      const timer = { time: Math.max(time, now), order: order++, fire };
      let low = 0;
      let high = timers.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((timers[middle]?.time ?? 0) <= timer.time) low = middle + 1;
        else high = middle;
      }
      timers.splice(low, 0, timer);
      return () => {
        const index = timers.indexOf(timer);
        if (index >= 0) timers.splice(index, 1);
      };
    },
    hold() {
      busy++;
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        busy--;
        if (busy > 0) return;
        const waiters = whenIdle;
        whenIdle = [];
        for (const wake of waiters) wake();
      };
    },
    async runUntil(done) {
      for (;;) {
        const finished = await inTurn(async () => {
          await idle();
          if (done()) return true;
          if (!fireNext(Number.POSITIVE_INFINITY))
            throw new NothingLeft('virtual time stands still: nothing is left to happen');
          return false;
        });
        if (finished) return;
      }
    },
    async advanceTo(time) {
      for (;;) {
        const finished = await inTurn(async () => {
          await idle();
          if (fireNext(time)) return false;
          now = Math.max(now, time);
          tick(now);
          return true;
        });
        if (finished) return;
      }
    },
    close() {
      closed = true;
      timers = [];
      const waiters = whenIdle;
      whenIdle = [];
      for (const wake of waiters) wake();
    },
  };
}
