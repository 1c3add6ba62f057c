import type { BackupStep, Base } from '../domain/backup-step.ts';
import type { Copy } from '../domain/ledger.ts';
import { copyLimit, estimateCopy } from './estimate.ts';
import { activeNamed, type ClusterFacts, isNameTaken } from './facts.ts';
import { baseOf, currentSteps, outlived, pointNamed, type RunHistory } from './history.ts';
import { operation } from './steps.ts';

/** Of a host that gave no answer: whether it is away, and not there with an answer that is none. */
export const isAway = (error: string): boolean => error !== 'EdgeReplyInvalid' && error !== 'EdgeRefused';

/** Whether the host of a copy was asked how it stands, and gave no answer, and there is another one to ask. */
export const isHostAway = (history: RunHistory, { operation: id, host }: Copy): boolean => {
  const asked = currentSteps(history).findLast(({ decision }) => decision.kind === 'probe' && decision.copy === id);
  const error = asked?.observed?.kind === 'no-answer' ? asked.observed.error : null;
  const others = history.run.policy.replica?.hosts.filter((it) => it !== host) ?? [];
  return others.length > 0 && error !== null && isAway(error);
};

/** Whether another host may look for the application of a copy whose host is away: YARN knows of it, and needs no host. */
export const movesOn = (history: RunHistory, copy: Copy): boolean =>
  copy.application != null && isHostAway(history, copy);

/**
 * The last copy was begun on YARN and nobody knows how it ended: its application is followed to its end and what it copied
 * is sealed, under a new token. Nothing is copied twice, and nobody seals for a copy but who may write the replica.
 */
export const adoptApplication = (history: RunHistory, facts: ClusterFacts): BackupStep | undefined => {
  const { pair, run } = history;
  const last = pair.copies.at(-1);
  const point = last && pointNamed(history, last.point);
  if (!last?.application || last.restores || point?.state !== 'taken' || facts.replica?.state !== 'read')
    return undefined;
  if (activeNamed(facts.source, point.name)?.id !== point.source.id) return undefined;
  // Somebody sealed it, such as a host that was only cut off: there is nothing left to seal under that name.
  if (isNameTaken(facts.replica, point.name)) return undefined;
  const before = last.base === null ? undefined : pointNamed(history, last.base);
  const base = [pair.base, pair.previousBase, before && baseOf(before)].find(
    (it): it is Base => it?.name === last.base,
  );
  if (last.base !== null && !base) return undefined;
  const estimate = estimateCopy(history, facts);
  return operation(history, {
    kind: 'replicate',
    mode: last.mode,
    target: { name: point.name, ...point.source },
    base: base ?? null,
    replicaCreated: facts.replica.bucket.created,
    claim: false,
    copySeconds: copyLimit(history, estimate),
    brake: null,
    supersedes: outlived(history),
    detached: true,
    narrow: null,
    yarn: run.policy.limits.yarn,
    adopts: last.application,
    estimate: null,
    reason: `the application of ${last.application} may have copied ${point.name}, or be copying it`,
  });
};
