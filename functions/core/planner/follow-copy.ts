import type { BackupStep } from '../domain/backup-step.ts';
import type { Copy } from '../domain/ledger.ts';
import { type DurationSeconds, type EpochMs, later, seconds, secondsBetween } from '../domain/units.ts';
import { adoptApplication, isAway, isHostAway, movesOn } from './adopt.ts';
import { type ClusterFacts, clusterFacts, isNameTaken } from './facts.ts';
import { currentSteps, type RunHistory } from './history.ts';
import { fail, operation, wait } from './steps.ts';

/** Shorter than a lease, which every decision renews. */
const LONGEST_POLL = 1500;
const SHORTEST_POLL = 30;

const LOST = 'the host of the copy does not answer: another one may find its application';

const pollOf = ({ from }: Copy, now: EpochMs): DurationSeconds =>
  seconds(Math.min(LONGEST_POLL, Math.max(SHORTEST_POLL, Math.round(secondsBetween(from, now) / 4))));

/** The last copy into this bucket, while it may be going on: nobody knows how it ended, and its time is not over. */
const unfinished = ({ pair }: RunHistory, now: EpochMs): Copy | undefined => {
  const last = pair.copies.at(-1);
  return last && last.to === null && last.deadline > now ? last : undefined;
};

/** To seal is the last that a copy does: it is over, also when its host cannot say so. */
const isSealed = ({ point, restores }: Copy, { replica }: ClusterFacts): boolean =>
  !restores && isNameTaken(replica, point);

/**
 * The host of a copy does not answer for it. Nobody else may begin one before that one cannot be alive any more; then
 * another host may, so a run waits for that as often as it takes, unless its objective is missed by then.
 */
export const untilOver = (history: RunHistory, now: EpochMs): BackupStep | undefined => {
  const copy = unfinished(history, now);
  const last = currentSteps(history).at(-1);
  if (!copy || last?.decision.kind !== 'probe' || last.observed?.kind !== 'no-answer') return undefined;
  if (movesOn(history, copy) && adoptApplication(history, clusterFacts(history)))
    return operation(history, { kind: 'survey', reason: LOST });
  const { error } = last.observed;
  const { slot, policy } = history.run;
  if (!isAway(error) || copy.deadline > later(slot, policy.objectives.rpo)) return undefined;
  return wait(
    seconds(Math.min(pollOf(copy, now), secondsBetween(now, copy.deadline) + 1)),
    `${copy.host} does not say how the copy of ${copy.point} ended, which may be alive until ${new Date(copy.deadline).toISOString()}`,
  );
};

/**
 * Follows a copy that was detached, lost its command, or lost its run, until it is known to be over: two writers in one
 * bucket would spoil both copies, and what it brings to an end need not be copied again.
 */
export const followCopy = (history: RunHistory, facts: ClusterFacts, now: EpochMs): BackupStep | undefined => {
  const copy = unfinished(history, now);
  if (!copy || (isSealed(copy, facts) && isHostAway(history, copy))) return undefined;
  const adopted = movesOn(history, copy) ? adoptApplication(history, facts) : undefined;
  if (adopted) return adopted;
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
    return wait(pollOf(copy, now), `${what} is going on since ${new Date(copy.from).toISOString()}`);
  }
  return operation(history, { kind: 'probe', copy: copy.operation, reason: `${what} has not said how it ended` });
};
