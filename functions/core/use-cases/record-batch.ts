import * as z from 'zod';
import { BatchEnd, type BatchedRun, type BatchResult, MOST_IN_BATCH } from '../domain/batch.ts';
import { DrError } from '../errors.ts';
import { type CloseDependencies, recordFailure, recordOutcome } from './close-run.ts';
import { inParallel } from './in-parallel.ts';
import { parseEvent } from './parse-event.ts';
import { summaryOf } from './recording.ts';

const RecordBatchEvent = z.strictObject({ done: z.array(BatchEnd).max(MOST_IN_BATCH) });

/** Runs that are closed at the same time. */
const AT_ONCE = 8;
/** Of all that an execution may answer, each has its part. */
const TOLD = 1000;

/**
 * Records and closes the runs of a batch that are over, each as a run of its own. One that somebody else took meanwhile is
 * handed over: its execution finds what became of it. Safe to repeat.
 */
export const recordBatch = (deps: CloseDependencies) => {
  const [succeeded, failed] = [recordOutcome(deps), recordFailure(deps)];
  const close = async ({ bucket, name, runId, lease, step, failed: isFailed }: BatchEnd): Promise<BatchResult> => {
    const run = { bucket, name };
    if (!isFailed)
      return { ...run, status: 'succeeded', reason: summaryOf(await succeeded({ runId, lease, step })), error: null };
    const { error, cause } = await failed({ runId, lease, failure: null });
    return { ...run, status: 'failed', reason: cause.slice(0, TOLD), error };
  };
  return async (
    event: unknown,
  ): Promise<{ readonly results: readonly BatchResult[]; readonly handedOver: readonly BatchedRun[] }> => {
    const { done } = parseEvent(RecordBatchEvent, event);
    const recorded = await inParallel(done, AT_ONCE, async (end) => {
      try {
        return { end, result: await close(end) };
      } catch (error) {
        if (!(error instanceof DrError)) throw error;
        return { end, result: null };
      }
    });
    return {
      results: recorded.flatMap(({ result }) => result ?? []),
      handedOver: recorded.flatMap(({ end: { bucket, name }, result }) => (result ? [] : [{ bucket, name }])),
    };
  };
};
