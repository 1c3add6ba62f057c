import * as z from 'zod';
import {
  type BatchedRun,
  BatchedRun as BatchedRunSchema,
  type BatchResult,
  type BatchWork,
  MOST_IN_BATCH,
} from '../domain/batch.ts';
import { PolicyName, Slot } from '../domain/names.ts';
import { DrError } from '../errors.ts';
import { inParallel } from './in-parallel.ts';
import { type Opened, type OpenRunDependencies, openRun } from './open-run.ts';
import { parseEvent } from './parse-event.ts';

const OpenBatchEvent = z.strictObject({
  request: z.strictObject({
    work: z.literal('backup').default('backup'),
    policy: PolicyName,
    /** As in the request of a backup. */
    slot: z.string().optional(),
    runs: z.array(BatchedRunSchema).min(1).max(MOST_IN_BATCH),
    /** Set by nested executions; links them in the console. */
    AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: z.string().optional(),
  }),
  execution: z.string().min(1),
  startedAt: Slot,
});

export interface OpenedBatch {
  readonly members: readonly BatchWork[];
  readonly handedOver: readonly BatchedRun[];
  readonly results: readonly BatchResult[];
}

/** Buckets that are looked at at the same time. */
const AT_ONCE = 8;

/**
 * Opens the runs of one slot of several buckets, each under its own lease, all held by this execution. What cannot be
 * opened at once is handed over. Safe to repeat for the same execution.
 * @throws EventInvalid
 */
export const openBatch =
  (deps: OpenRunDependencies) =>
  async (event: unknown): Promise<OpenedBatch> => {
    const { request, execution, startedAt } = parseEvent(OpenBatchEvent, event);
    const { policy, slot, runs } = request;
    const open = openRun(deps);
    const opened = await inParallel(runs, AT_ONCE, async (run): Promise<readonly [BatchedRun, Opened | null]> => {
      const asked = { policy, bucket: run.bucket, ...(slot === undefined ? {} : { slot }) };
      const at = new Date(startedAt).toISOString();
      try {
        return [run, await open({ request: asked, batched: true, execution, startedAt: at })];
      } catch (error) {
        // Its own execution fails with it, and is recorded as any other.
        if (!(error instanceof DrError)) throw error;
        return [run, null];
      }
    });
    return {
      members: opened.flatMap(([run, it]) =>
        it?.kind === 'open' ? [{ ...run, runId: it.runId, lease: it.lease, step: it.step }] : [],
      ),
      handedOver: opened.flatMap(([run, it]) => (it?.kind === 'open' || it?.kind === 'skipped' ? [] : [run])),
      results: opened.flatMap(([run, it]): readonly BatchResult[] =>
        it?.kind === 'skipped' ? [{ ...run, status: 'skipped', reason: `${it.error}: ${it.reason}`, error: null }] : [],
      ),
    };
  };
