import type { BackupRun, RunStep } from '../domain/ledger.ts';
import { emptyPair } from '../domain/ledger.ts';
import type { LookOutput } from '../domain/look.ts';
import type { RunId } from '../domain/names.ts';
import { type DurationSeconds, type EpochMs, seconds } from '../domain/units.ts';
import type { ErrorName } from '../errors.ts';
import { diffOn, type Need, queueText } from '../planner/admission.ts';
import type { RunHistory } from '../planner/history.ts';
import type { LookStep } from '../planner/look.ts';
import { takeSlots } from './admit.ts';

/** What the machine does next: starts the command of a step, comes back to it after a pause, or ends. */
export type LookNext =
  | {
      readonly kind: 'ask';
      readonly step: number;
      readonly timeoutSeconds: DurationSeconds;
      readonly heartbeatSeconds: DurationSeconds;
    }
  | { readonly kind: 'pending'; readonly step: number; readonly seconds: DurationSeconds; readonly reason: string }
  | { readonly kind: 'answered' }
  | { readonly kind: 'failed'; readonly error: ErrorName; readonly cause: string };

export interface Look {
  readonly runId: RunId;
  readonly next: LookNext;
  /** Of an answered one. */
  readonly output: LookOutput | null;
}

/** A look has no lease and looks at no pair: what it decides from are its own steps. */
export const historyOf = (run: BackupRun, steps: readonly RunStep[]): RunHistory => ({
  run,
  steps,
  pair: emptyPair(run.pair),
  points: [],
});

/** What a question waits for a place for: Ozone Managers compute so many differences at a time. */
export const placesOf = ({ policy }: BackupRun, question: LookStep): readonly Need[] => {
  const cluster = question.kind === 'look-changes' ? policy[question.side] : null;
  return cluster ? [diffOn(cluster, policy.limits.diffTimeout)] : [];
};

/** The command of a recorded question may start, as soon as there is a place. Somebody waits for it since the look began. */
export const begin = async (
  ledger: Parameters<typeof takeSlots>[0],
  run: BackupRun,
  step: number,
  question: LookStep,
  now: EpochMs,
): Promise<Look> => {
  const { runId, startedAt } = run;
  const request = { holder: runId, by: startedAt, expected: seconds(60), visits: [], needs: placesOf(run, question) };
  const refusal = await takeSlots(ledger, request, now);
  if (refusal) {
    const reason = queueText(refusal);
    return { runId, next: { kind: 'pending', step, seconds: refusal.pause, reason }, output: null };
  }
  const { timeoutSeconds, heartbeatSeconds } = question;
  return { runId, next: { kind: 'ask', step, timeoutSeconds, heartbeatSeconds }, output: null };
};
