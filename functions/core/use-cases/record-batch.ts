import * as z from 'zod';
import { type BatchedRun, type BatchResult, BatchWork, MOST_IN_BATCH } from '../domain/batch.ts';
import { DrError } from '../errors.ts';
import { type CloseDependencies, recordOutcome } from './close-run.ts';
import { inParallel } from './in-parallel.ts';
import { parseEvent } from './parse-event.ts';
import { summaryOf } from './recording.ts';

const RecordBatchEvent = z.strictObject({ done: z.array(BatchWork).max(MOST_IN_BATCH) });

/** Runs that are closed at the same time. */
const AT_ONCE = 8;

/**
 * Records and closes the runs of a batch that are done, each as a run of its own. One that somebody else took meanwhile is
 * handed over: its execution finds what became of it. Safe to repeat.
 */
export const recordBatch = (deps: CloseDependencies) => {
  const record = recordOutcome(deps);
  return async (
    event: unknown,
  ): Promise<{ readonly results: readonly BatchResult[]; readonly handedOver: readonly BatchedRun[] }> => {
    const { done } = parseEvent(RecordBatchEvent, event);
    const recorded = await inParallel(done, AT_ONCE, async ({ bucket, name, runId, lease, step }) => {
      try {
        return { run: { bucket, name }, reason: summaryOf(await record({ runId, lease, step })) };
      } catch (error) {
        if (!(error instanceof DrError)) throw error;
        return { run: { bucket, name }, reason: null };
      }
    });
    return {
      results: recorded.flatMap(({ run, reason }): readonly BatchResult[] =>
        reason === null ? [] : [{ ...run, status: 'succeeded', reason }],
      ),
      handedOver: recorded.flatMap(({ run, reason }) => (reason === null ? [run] : [])),
    };
  };
};
