import * as z from 'zod';
import type { NumberedStep } from '../domain/backup-step.ts';
import { type BatchedRun, BatchWork, MOST_IN_BATCH } from '../domain/batch.ts';
import { type OperationId, type RunId, splitRunId } from '../domain/names.ts';
import { DrError } from '../errors.ts';
import { type BatchStep, isInBatch, radiusInBatch } from '../planner/batch.ts';
import { batchCommand } from '../planner/steps.ts';
import { type DecideDependencies, decideInBatch } from './decide-next.ts';
import { inParallel } from './in-parallel.ts';
import { batchOperationId } from './operation-id.ts';
import { parseEvent } from './parse-event.ts';

const DecideBatchEvent = z.strictObject({
  execution: z.string().min(1),
  round: z.number().int().nonnegative().max(999),
  members: z.array(BatchWork).max(MOST_IN_BATCH),
});

/** One remote command: operations of one kind for one host. */
export interface BatchCommand {
  readonly operation: OperationId;
  /** Which function starts it. */
  readonly start: 'observe' | 'protect';
  readonly members: readonly { readonly runId: RunId; readonly lease: number; readonly operationStep: number }[];
  readonly timeoutSeconds: number;
  readonly heartbeatSeconds: number;
}

export interface DecidedBatch {
  /** For whom commands are sent now, with the step to decide after them. */
  readonly members: readonly BatchWork[];
  readonly commands: readonly BatchCommand[];
  /** With the step that says so. */
  readonly done: readonly BatchWork[];
  readonly handedOver: readonly BatchedRun[];
}

/** Buckets that are decided at the same time. */
const AT_ONCE = 8;

/**
 * The hub of a batch: decides the next step of each run as the hub of `backup` does, and puts the operations together.
 * A run that needs more than a batch does gives its lease back and is handed over. Safe to repeat for the same round.
 */
export const decideBatch = (deps: DecideDependencies): ((event: unknown) => Promise<DecidedBatch>) => {
  const decide = decideInBatch(deps);
  const decideOne = async ({ runId, lease, step }: BatchWork): Promise<NumberedStep | null> => {
    try {
      const next = await decide({ runId, lease, step, failure: null });
      if (next && isInBatch(next)) return next;
    } catch (error) {
      if (!(error instanceof DrError)) throw error;
    }
    await deps.ledger.releaseLease(splitRunId(runId).pair, lease);
    return null;
  };
  return async (event) => {
    const { execution, round, members } = parseEvent(DecideBatchEvent, event);
    const decided = await inParallel(members, AT_ONCE, async (work) => ({ work, next: await decideOne(work) }));
    const groups = new Map<string, { readonly work: BatchWork; readonly next: BatchStep }[]>();
    for (const { work, next } of decided) {
      if (!next || !isInBatch(next) || next.kind === 'done') continue;
      const key = `${next.kind}@${next.host}`;
      groups.set(key, [...(groups.get(key) ?? []), { work, next }]);
    }
    const together = [...groups];
    return {
      members: together.flatMap(([, group]) => group.map(({ work }) => ({ ...work, step: work.step + 1 }))),
      commands: together.flatMap(([key, group]) =>
        group.slice(0, 1).map(({ next }) => ({
          operation: batchOperationId(execution, key, round),
          start: radiusInBatch(next),
          members: group.map(({ work: { runId, lease }, next: { operationStep } }) => ({
            runId,
            lease,
            operationStep,
          })),
          ...batchCommand(group.length),
        })),
      ),
      done: decided.flatMap(({ work, next }) => (next?.kind === 'done' ? [work] : [])),
      handedOver: decided.flatMap(({ work: { bucket, name }, next }) => (next ? [] : [{ bucket, name }])),
    };
  };
};
