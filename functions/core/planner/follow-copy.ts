import type { BackupStep } from '../domain/backup-step.ts';
import type { Copy } from '../domain/ledger.ts';
import { type EpochMs, seconds, secondsBetween } from '../domain/units.ts';
import { currentSteps, type RunHistory } from './history.ts';
import { fail, operation, wait } from './steps.ts';

/** Shorter than a lease, which every decision renews. */
const LONGEST_POLL = 1500;
const SHORTEST_POLL = 30;

/** The last copy into this bucket, while it may be going on: nobody knows how it ended, and its time is not over. */
const unfinished = ({ pair }: RunHistory, now: EpochMs): Copy | undefined => {
  const last = pair.copies.at(-1);
  return last && last.to === null && last.deadline > now ? last : undefined;
};

/**
 * Follows a copy that was detached, lost its command, or lost its run, until it is known to be over: two writers in one
 * bucket would spoil both copies, and what it brings to an end need not be copied again.
 */
export const followCopy = (history: RunHistory, now: EpochMs): BackupStep | undefined => {
  const copy = unfinished(history, now);
  if (!copy) return undefined;
  const hosts = history.run.policy.replica?.hosts ?? [];
  const what = `the copy of ${copy.point} (${copy.operation})`;
  if (!hosts.includes(copy.host))
    return fail(
      'EdgeUnreachable',
      `${what} may be going on on ${copy.host}, which the policy does not name any more`,
      `Put the host back into the policy, or start again after ${new Date(copy.deadline).toISOString()}.`,
    );
  const last = currentSteps(history).at(-1);
  const isStarted = last?.observed?.kind === 'replicate' && last.observed.data.detached;
  const isRunning = last?.observed?.kind === 'probe';
  if (isStarted || isRunning) {
    const elapsed = secondsBetween(copy.from, now);
    return wait(
      seconds(Math.min(LONGEST_POLL, Math.max(SHORTEST_POLL, Math.round(elapsed / 4)))),
      `${what} is going on since ${new Date(copy.from).toISOString()}`,
    );
  }
  return operation(history, { kind: 'probe', copy: copy.operation, reason: `${what} has not said how it ended` });
};
