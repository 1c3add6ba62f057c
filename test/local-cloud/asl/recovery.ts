import type { Json } from '../json.ts';
import type { Catcher, Retrier, Shaping } from './definition.ts';
import { matches, StateError } from './errors.ts';
import { type Entered, type Frame, type Left, leave, recordEvaluation } from './frame.ts';

interface Recoverable extends Shaping {
  readonly Type: string;
  readonly Next?: string | undefined;
  readonly Retry?: readonly Retrier[] | undefined;
  readonly Catch?: readonly Catcher[] | undefined;
}

/**
 * Runs a Task, Map or Parallel with its Retry and Catch. A result whose Output or Assign cannot be evaluated is a
 * failure of the state like any other. Retriers count separately (ASL specification, "Retrying after error").
 */
export async function recover(
  frame: Frame,
  state: Recoverable,
  entered: Entered,
  attempt: () => Promise<Json>,
): Promise<Left> {
  const used = new Map<Retrier, number>();
  for (;;) {
    try {
      const result = await attempt();
      return await leave(frame, state, entered, state.Next, result, { result });
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      recordEvaluation(frame, entered, error);
      const retrier = (state.Retry ?? []).find((rule) => matches(rule.ErrorEquals, error.error));
      const before = retrier ? (used.get(retrier) ?? 0) : 0;
      if (retrier && before < (retrier.MaxAttempts ?? 3)) {
        used.set(retrier, before + 1);
        entered.retries += 1;
        // A retry begins the state anew, all items and branches; only a redrive goes on from what was done.
        entered.progress.branches.clear();
        entered.progress.mapRun = undefined;
        frame.surroundings.count('states.transitions');
        await frame.strand.sleepUntil(
          frame.surroundings.clock.now() + 1000 * delayOf(retrier, before, frame.surroundings.random),
        );
        continue;
      }
      const catcher = (state.Catch ?? []).find((rule) => matches(rule.ErrorEquals, error.error));
      if (!catcher) throw error;
      const errorOutput = { Error: error.error, Cause: error.cause };
      return await caught(frame, state, entered, catcher, errorOutput);
    }
  }
}

/** An expression of a Catch that fails, fails the execution: nothing catches it. */
async function caught(
  frame: Frame,
  state: Recoverable,
  entered: Entered,
  catcher: Catcher,
  errorOutput: { readonly Error: string; readonly Cause: string },
): Promise<Left> {
  try {
    return await leave(frame, state, entered, catcher.Next, errorOutput, { errorOutput }, catcher);
  } catch (error) {
    recordEvaluation(frame, entered, error);
    throw error;
  }
}

/** Seconds before retry number `before` (0 for the first), as AWS documents interval, backoff, maximum and full jitter. */
export function delayOf(retrier: Retrier, before: number, random: () => number): number {
  const grown = (retrier.IntervalSeconds ?? 1) * (retrier.BackoffRate ?? 2) ** before;
  const delay = Math.min(grown, retrier.MaxDelaySeconds ?? grown);
  return retrier.JitterStrategy === 'FULL' ? random() * delay : delay;
}
