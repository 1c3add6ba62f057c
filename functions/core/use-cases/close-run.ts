import * as z from 'zod';
import type { BackupOutcome } from '../domain/backup-step.ts';
import type { BackupRun } from '../domain/ledger.ts';
import { RunId } from '../domain/names.ts';
import { DrError } from '../errors.ts';
import type { Clock, Ledger } from '../ports.ts';
import { TaskFailure } from './answers.ts';
import { parseEvent } from './parse-event.ts';

export interface CloseDependencies {
  readonly ledger: Pick<Ledger, 'loadRun' | 'closeRun' | 'releaseLease' | 'releaseDiffSlot'>;
  readonly clock: Clock;
}

const OutcomeEvent = z.strictObject({
  runId: RunId,
  lease: z.number().int().positive(),
  step: z.number().int().nonnegative(),
});

/**
 * Closes a run with the outcome that was decided in `step` and gives the lease back. Safe to repeat.
 * @throws LeaseLost, EventInvalid
 */
export const recordOutcome =
  (deps: CloseDependencies) =>
  async (event: unknown): Promise<BackupOutcome & { readonly runId: RunId }> => {
    const { runId, lease, step } = parseEvent(OutcomeEvent, event);
    const known = await deps.ledger.loadRun(runId);
    const decided = known?.steps.find((it) => it.n === step)?.decision;
    if (!known || decided?.kind !== 'done') throw new DrError('EventInvalid', `step ${step} of ${runId} is not done`);
    const { outcome } = decided;
    await deps.ledger.closeRun(known.run, lease, {
      status: 'succeeded',
      outcome,
      failure: null,
      endedAt: deps.clock.now(),
    });
    await giveBack(deps, known.run, lease);
    return { ...outcome, runId };
  };

/** What the run held that others may wait for. */
const giveBack = async ({ ledger }: CloseDependencies, { pair, policy }: BackupRun, lease: number): Promise<void> => {
  for (const cluster of [policy.source, policy.replica]) if (cluster) await ledger.releaseDiffSlot(cluster.name, pair);
  await ledger.releaseLease(pair, lease);
};

const FailureEvent = z.object({
  runId: RunId.nullable(),
  lease: z.number().int().nonnegative(),
  failure: TaskFailure.nullable(),
});

export interface RunFailure {
  readonly error: string;
  readonly cause: string;
}

/** Lambda reports an error as JSON in the cause; a person wants its message. */
const LambdaCause = z.object({ errorMessage: z.string() });

const readable = (failure: TaskFailure): RunFailure => {
  try {
    const cause = LambdaCause.safeParse(JSON.parse(failure.Cause));
    return { error: failure.Error, cause: cause.success ? cause.data.errorMessage : failure.Cause };
  } catch {
    return { error: failure.Error, cause: failure.Cause };
  }
};

/**
 * Closes a run with why it failed, gives the lease back, and answers the error that the execution ends with. A run that
 * somebody else continues by now is left alone. Safe to repeat.
 */
export const recordFailure =
  (deps: CloseDependencies) =>
  async (event: unknown): Promise<RunFailure> => {
    const { runId, lease, failure } = parseEvent(FailureEvent, event);
    const known = runId ? await deps.ledger.loadRun(runId) : undefined;
    const last = known?.steps.at(-1)?.decision;
    const decided =
      last?.kind === 'fail' ? { error: last.error, cause: `${last.reason}. ${last.remedy}`.trim() } : undefined;
    const why = failure ? readable(failure) : (decided ?? { error: 'EventInvalid', cause: 'failed without a reason' });
    if (known && why.error !== 'LeaseLost') {
      await deps.ledger.closeRun(known.run, lease, {
        status: 'failed',
        outcome: null,
        failure: { error: why.error, cause: why.cause.slice(0, 4000) },
        endedAt: deps.clock.now(),
      });
      await giveBack(deps, known.run, lease);
    }
    return { error: why.error, cause: why.cause.slice(0, 8000) };
  };
