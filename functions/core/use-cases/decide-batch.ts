import * as z from 'zod';
import type { NumberedStep } from '../domain/backup-step.ts';
import { type BatchEnd, type BatchedRun, BatchWork, MOST_IN_BATCH } from '../domain/batch.ts';
import { type OperationId, type RunId, splitRunId } from '../domain/names.ts';
import type { DurationSeconds } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { type BatchStep, isBatchStep, memberOf, radiusInBatch, stays } from '../planner/batch.ts';
import { batchCommand } from '../planner/steps.ts';
import { type DecideDependencies, proposeInBatch } from './decide-next.ts';
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

/** For those who found a cluster or a host out of reach, beside the commands of the others. */
export interface BatchWait {
  readonly start: 'wait';
  readonly seconds: DurationSeconds;
}

export interface DecidedBatch {
  /** For whom commands are sent now, or who wait, with the step to decide after that. */
  readonly members: readonly BatchWork[];
  readonly commands: readonly (BatchCommand | BatchWait)[];
  /** With the step that says so. */
  readonly done: readonly BatchEnd[];
  readonly handedOver: readonly BatchedRun[];
}

/** Buckets that are decided at the same time. */
const AT_ONCE = 8;

/** What a member loses its run by is nothing to the others. */
const orNull = async <T>(work: Promise<T>): Promise<T | null> => {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof DrError)) throw error;
    return null;
  }
};

/**
 * The hub of a batch: decides the next step of each run as the hub of `backup` does, and puts the operations together.
 * A run that needs more than a batch does gives its lease back and is handed over. Safe to repeat for the same round.
 */
export const decideBatch = (deps: DecideDependencies): ((event: unknown) => Promise<DecidedBatch>) => {
  const propose = proposeInBatch(deps);
  return async (event) => {
    const { execution, round, members } = parseEvent(DecideBatchEvent, event);
    const proposed = await inParallel(members, AT_ONCE, async (work) => {
      const { runId, lease, step } = work;
      const proposal = await orNull(propose({ runId, lease, step, failure: null }));
      return { work, proposal, member: proposal && memberOf(proposal.history, proposal.decision) };
    });
    const all = proposed.flatMap(({ member }) => member ?? []);
    const take = async ({ work, proposal, member }: (typeof proposed)[number]): Promise<NumberedStep | null> => {
      const isTaken = proposal && member && (proposal.isRecorded || stays(member, all));
      const next = isTaken ? await orNull(proposal.take()) : null;
      if (!next) await deps.ledger.releaseLease(splitRunId(work.runId).pair, work.lease);
      return next;
    };
    const decided = await inParallel(proposed, AT_ONCE, async (it) => ({ work: it.work, next: await take(it) }));
    const waits = decided.flatMap(({ work, next }) => (next?.kind === 'wait' ? [{ work, seconds: next.seconds }] : []));
    const groups = groupsOf(decided);
    return {
      members: [...groups.flatMap(([, group]) => group), ...waits].map(({ work }) => ({
        ...work,
        step: work.step + 1,
      })),
      commands: [
        ...groups.flatMap(([key, group]) =>
          group.slice(0, 1).map(
            ({ next }): BatchCommand => ({
              operation: batchOperationId(execution, key, round),
              start: radiusInBatch(next),
              members: group.map(({ work: { runId, lease }, next: { operationStep } }) => ({
                runId,
                lease,
                operationStep,
              })),
              ...batchCommand(group.length),
            }),
          ),
        ),
        ...waits
          .toSorted((one, other) => other.seconds - one.seconds)
          .slice(0, 1)
          .map(({ seconds }): BatchWait => ({ start: 'wait', seconds })),
      ],
      done: decided.flatMap(({ work, next }) =>
        next?.kind === 'done' || next?.kind === 'fail' ? [{ ...work, failed: next.kind === 'fail' }] : [],
      ),
      handedOver: decided.flatMap(({ work: { bucket, name }, next }) => (next ? [] : [{ bucket, name }])),
    };
  };
};

interface Decided {
  readonly work: BatchWork;
  readonly next: NumberedStep | null;
}

/** Operations of one kind for one host go together. */
const groupsOf = (decided: readonly Decided[]) => {
  const groups = new Map<string, { readonly work: BatchWork; readonly next: BatchStep }[]>();
  for (const { work, next } of decided) {
    if (!next || !isBatchStep(next)) continue;
    const key = `${next.kind}@${next.host}`;
    groups.set(key, [...(groups.get(key) ?? []), { work, next }]);
  }
  return [...groups];
};
