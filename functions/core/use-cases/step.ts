import * as z from 'zod';
import { type BackupStep, isOperation, type NumberedStep } from '../domain/backup-step.ts';
import type { PairState, RecoveryPoint, RunStep } from '../domain/ledger.ts';
import { type PairId, RunId, splitRunId } from '../domain/names.ts';
import { type EpochMs, later } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import type { RunHistory } from '../planner/history.ts';
import type { Clock, Ledger } from '../ports.ts';
import { type Answer, TaskFailure } from './answers.ts';
import { LEASE } from './open-run.ts';
import { parseEvent } from './parse-event.ts';

const DecideEvent = z.strictObject({
  runId: RunId,
  lease: z.number().int().positive(),
  step: z.number().int().nonnegative(),
  failure: TaskFailure.nullable(),
});

/** What a decision is made from: the run with its steps, and what the ledger says of its bucket now. */
export interface Asked extends RunHistory {
  readonly lease: number;
  /** The number of the step to decide. */
  readonly step: number;
  /** What the Catch of the Task before hands on. */
  readonly failure: TaskFailure | null;
  readonly now: EpochMs;
}

interface StepDependencies {
  readonly ledger: Pick<Ledger, 'renewLease' | 'loadRun' | 'recordStep'>;
  readonly clock: Clock;
}

/** A decision that is made, and on record once it was taken. */
export interface Proposal {
  /** Up to the step in question. */
  readonly history: RunHistory;
  readonly decision: BackupStep;
  /** It was taken before. */
  readonly isRecorded: boolean;
  /** Records the decision once and returns what is recorded. */
  readonly take: () => Promise<NumberedStep>;
}

/**
 * Prolongs the lease and decides the step by `decide`. Safe to repeat for the same `step`: what is recorded of it counts.
 * @param pointsOf the points that the workflow looks at
 * @param decide notes the answer to the step before, and decides; answers the steps as they are then
 * @throws LeaseLost, EventInvalid
 */
export const proposeStep =
  (
    deps: StepDependencies,
    pointsOf: (pair: PairId, runId: RunId) => Promise<readonly RecoveryPoint[]>,
    decide: (asked: Asked) => Promise<{ readonly steps: readonly RunStep[]; readonly decision: BackupStep }>,
  ) =>
  async (event: unknown): Promise<Proposal> => {
    const { runId, lease, step, failure } = parseEvent(DecideEvent, event);
    const { pair: pairOf } = splitRunId(runId);
    const now = deps.clock.now();
    const [pair, points, known]: readonly [
      PairState,
      readonly RecoveryPoint[],
      Awaited<ReturnType<Ledger['loadRun']>>,
    ] = await Promise.all([
      deps.ledger.renewLease(pairOf, lease, later(now, LEASE)),
      pointsOf(pairOf, runId),
      deps.ledger.loadRun(runId),
    ]);
    if (!known) throw new DrError('EventInvalid', `there is no run ${runId}`);
    const recorded = known.steps.find((it) => it.n === step);
    if (recorded)
      return {
        history: { run: known.run, pair, points, steps: known.steps.filter(({ n }) => n < step) },
        decision: recorded.decision,
        isRecorded: true,
        take: async () => ({ ...recorded.decision, operationStep: recorded.operationStep }),
      };

    const { steps, decision } = await decide({ ...known, pair, points, lease, step, failure, now });
    // An operation that is still open is attached to: the decision is that of its own step.
    const open = steps.findLast((it) => it.observed === null);
    return {
      history: { run: known.run, pair, points, steps },
      decision,
      isRecorded: false,
      take: async () => {
        const made = await deps.ledger.recordStep(runId, {
          n: step,
          decision,
          decidedAt: now,
          operationStep: open && isOperation(decision) ? open.operationStep : step,
          observed: null,
          observedAt: null,
          jvmStarts: null,
        });
        return { ...made.decision, operationStep: made.operationStep };
      },
    };
  };

/** The hub of a state machine: what is decided is taken. Safe to repeat for the same `step`. @throws LeaseLost, EventInvalid */
export const decideStep = (...of: Parameters<typeof proposeStep>): ((event: unknown) => Promise<NumberedStep>) => {
  const propose = proposeStep(...of);
  return async (event) => (await propose(event)).take();
};

/**
 * Records the answer to the last unanswered step, and answers the steps with it. Earlier attachments to the same operation
 * were cut off; the answer belongs to the last one.
 */
export const noteAnswer = async (
  ledger: Pick<Ledger, 'recordObservation'>,
  runId: RunId,
  steps: readonly RunStep[],
  { observed, jvmStarts }: Answer,
  now: EpochMs,
): Promise<readonly RunStep[]> => {
  const last = steps.findLast((step) => step.observed === null);
  const noted: RunStep[] = [];
  for (const step of steps) {
    if (step.observed !== null) {
      noted.push(step);
      continue;
    }
    const answered: RunStep =
      step === last
        ? { ...step, observed, observedAt: now, jvmStarts }
        : { ...step, observed: { kind: 'elapsed' }, observedAt: now, jvmStarts: null };
    await ledger.recordObservation(runId, step.n, answered.observed ?? observed, now, answered.jvmStarts);
    noted.push(answered);
  }
  return noted;
};
