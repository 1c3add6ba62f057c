import * as z from 'zod';
import { BucketRef, RunId } from './names.ts';

/** Runs that go together at most: their operations have to fit into the parameters of one command. */
export const MOST_IN_BATCH = 25;

/** A run as the fleet names it: its bucket, and the execution of `backup` that goes on with it when the batch cannot. */
export const BatchedRun = z.object({ bucket: BucketRef, name: z.string().min(1).max(80) });
export type BatchedRun = z.infer<typeof BatchedRun>;

/** A run that the batch works on, under a lease of its own; `step` is the next to be decided, or the one that is done. */
export const BatchWork = z.object({
  ...BatchedRun.shape,
  runId: RunId,
  lease: z.number().int().positive(),
  step: z.number().int().nonnegative(),
});
export type BatchWork = z.infer<typeof BatchWork>;

/** A run of which the step says how it ends. */
export const BatchEnd = z.object({ ...BatchWork.shape, failed: z.boolean() });
export type BatchEnd = z.infer<typeof BatchEnd>;

/** What came of a run in its batch; `skipped`: somebody else has the bucket, or the slot was done before. */
export interface BatchResult extends BatchedRun {
  readonly status: 'succeeded' | 'skipped' | 'failed';
  readonly reason: string;
  /** Of one that failed, as its own execution would. */
  readonly error: string | null;
}
