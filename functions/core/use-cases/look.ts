import type { BackupRun, RunStep } from '../domain/ledger.ts';
import { emptyPair } from '../domain/ledger.ts';
import type { LookOutput } from '../domain/look.ts';
import type { RunId } from '../domain/names.ts';
import { type DurationSeconds, type EpochMs, later, seconds } from '../domain/units.ts';
import type { ErrorName } from '../errors.ts';
import type { RunHistory } from '../planner/history.ts';
import type { LookStep } from '../planner/look.ts';
import type { Ledger } from '../ports.ts';

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

const BUSY = seconds(60);

/** The command of a recorded question may start. Ozone Managers compute so many diffs at a time: those are waited for. */
export const begin = async (
  ledger: Pick<Ledger, 'takeDiffSlot'>,
  { runId, pair, policy }: BackupRun,
  step: number,
  question: LookStep,
  now: EpochMs,
): Promise<Look> => {
  const cluster = question.kind === 'look-changes' ? policy[question.side] : null;
  if (cluster) {
    const until = later(now, policy.limits.diffTimeout);
    if (!(await ledger.takeDiffSlot(cluster.name, pair, cluster.diffJobs, until, now))) {
      const reason = `${cluster.name} computes ${cluster.diffJobs} snapshot diffs of this product, as many as it may at a time`;
      return { runId, next: { kind: 'pending', step, seconds: BUSY, reason }, output: null };
    }
  }
  const { timeoutSeconds, heartbeatSeconds } = question;
  return { runId, next: { kind: 'ask', step, timeoutSeconds, heartbeatSeconds }, output: null };
};
