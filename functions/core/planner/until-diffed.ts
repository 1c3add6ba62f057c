import type { BackupStep, Base, Target } from '../domain/backup-step.ts';
import { type DurationSeconds, type EpochMs, seconds, secondsBetween } from '../domain/units.ts';
import { type ClusterFacts, diffOf } from './facts.ts';
import { currentSteps, type RunHistory } from './history.ts';
import { operation, wait } from './steps.ts';

interface WantedDiff {
  readonly side: 'source' | 'replica';
  readonly base: Base;
  readonly target: Target;
}

const POLLS: readonly DurationSeconds[] = [2, 5, 10, 20, 40, 60].map(seconds);

/** When this run first asked for a diff. */
const firstAsked = (history: RunHistory, { side, base, target }: WantedDiff): EpochMs | undefined =>
  currentSteps(history).find(({ decision }) => {
    switch (decision.kind) {
      case 'compute-diff':
        return decision.side === side && decision.base.name === base.name && decision.target.name === target.name;
      case 'create-snapshot':
        return side === 'source' && decision.base?.name === base.name && decision.name === target.name;
      case 'mark-replica':
        return side === 'replica' && decision.base.name === base.name && decision.name === target.name;
      default:
        return false;
    }
  })?.decidedAt;

/**
 * What is done until a diff is there, or undefined once it is. One that was only just submitted counts: the host looks
 * again before it starts anything.
 * @param otherwise what is done when it never will be
 */
export const untilDiffed = (
  history: RunHistory,
  facts: ClusterFacts,
  wanted: WantedDiff,
  now: EpochMs,
  otherwise: (why: string) => BackupStep,
): BackupStep | undefined => {
  const { side, base, target } = wanted;
  const known = diffOf(facts, side, base.name, target.name);
  const status = known?.status ?? 'not-asked';
  const what = `the diff from ${base.name} to ${target.name}`;
  switch (status) {
    case 'submitted':
    case 'done':
      return undefined;
    case 'failed':
      return otherwise(`${what} failed: ${known?.reason ?? ''}`);
    case 'not-asked':
    case 'not-found':
    case 'unknown':
    case 'cancelled':
    case 'rejected':
    case 'pending': {
      const since = firstAsked(history, wanted) ?? now;
      const waited = secondsBetween(since, now);
      if (waited > history.run.policy.limits.diffTimeout)
        return otherwise(`${what} is ${status} after ${waited} seconds`);
      const polls = currentSteps(history).filter(
        ({ decision, decidedAt }) => decision.kind === 'wait' && decidedAt >= since,
      ).length;
      const hasWaited = currentSteps(history).at(-1)?.decision.kind === 'wait';
      if (known && !hasWaited && status !== 'not-found')
        return wait(POLLS[Math.min(polls, POLLS.length - 1)] ?? seconds(60), `${what} is ${status}`);
      return operation(history, { kind: 'compute-diff', ...wanted, reason: `the diff from ${base.name} is ${status}` });
    }
  }
};
