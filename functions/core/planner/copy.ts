import type { BackupStep, Base, CopyMode, Target } from '../domain/backup-step.ts';
import type { RecoveryPoint } from '../domain/ledger.ts';
import { type EpochMs, seconds, secondsBetween } from '../domain/units.ts';
import { brakeOf } from './brake.ts';
import { copyLimit, describeEstimate, estimateCopy } from './estimate.ts';
import { activeNamed, type ClusterFacts } from './facts.ts';
import { baseOf, currentSteps, outlived, pointNamed, type RunHistory } from './history.ts';
import { currentMark, markReplica } from './mark.ts';
import { conflict, fail, operation } from './steps.ts';
import { untilDiffed } from './until-diffed.ts';

/** A copy that may take longer, or that YARN does, is started only: it must not end with its command or its agent. */
const LONGEST_ATTACHED = seconds(24 * 3600);

const ALLOW_RESYNC =
  'Set its mode to incremental-or-resync to let the next run compare everything and copy what differs.';

export const targetOf = (point: RecoveryPoint): Target => ({ name: point.name, ...point.source });

const isOnBothSides = (facts: ClusterFacts, base: Base): boolean =>
  activeNamed(facts.source, base.name)?.id === base.sourceId &&
  activeNamed(facts.replica, base.name)?.id === base.replicaId;

/** The newest verified pair that both clusters still show, proved by the ids of the ledger, never by name. */
export const newestBase = (history: RunHistory, facts: ClusterFacts): Base | undefined => {
  const { base, previousBase } = history.pair;
  const verified = history.points.flatMap((point): Base[] => {
    const pair = baseOf(point);
    return pair ? [pair] : [];
  });
  return [base, previousBase, ...verified]
    .filter((candidate) => candidate !== null)
    .toSorted((one, other) => other.created - one.created)
    .find((candidate) => isOnBothSides(facts, candidate));
};

export const mayUseDiff = ({ run, pair }: RunHistory): boolean =>
  run.policy.mode !== 'resync' && pair.dirtySince === null && run.policy.replica !== null;

/** A copy that deletes what is extra needs a bucket that is ours, or an empty one that it claims. */
const fullCopy = (
  history: RunHistory,
  facts: ClusterFacts,
  target: Target,
  mode: Extract<CopyMode, 'bootstrap' | 'resync'>,
  reason: string,
): BackupStep => {
  const { run, pair } = history;
  if (facts.replica?.state !== 'read') return notObserved();
  const { created, usedNamespace, usedBytes } = facts.replica.bucket;
  const isClaimed = pair.owned?.created === created;
  const isOurs = isClaimed && pair.owned?.proved === true;
  const isEmpty = usedNamespace === 0 && usedBytes === 0;
  // A claim that no host has answered: the host knows from its own record whether it had found the bucket empty.
  if (!isClaimed && !isEmpty)
    return conflict(
      'replica-not-ours',
      `${run.bucket} on ${run.policy.replica?.name} holds ${usedNamespace} keys that this product did not write there ` +
        `(bucket created ${created}${pair.owned ? `, ours was created ${pair.owned.created}` : ''}); nothing was changed`,
      `Empty that bucket, name another cluster, or let it be overwritten by the decision "adopt ${run.bucket} on ${run.policy.replica?.name} created ${created}".`,
    );
  const estimate = estimateCopy(history, facts);
  return operation(history, {
    kind: 'replicate',
    mode: isOurs ? mode : 'bootstrap',
    target,
    base: null,
    replicaCreated: created,
    claim: !isOurs,
    copySeconds: copyLimit(history, estimate),
    brake: isEmpty ? null : brakeOf(history),
    supersedes: outlived(history),
    detached: run.policy.limits.yarn !== null || run.policy.limits.copyTimeout > LONGEST_ATTACHED,
    narrow: null,
    yarn: run.policy.limits.yarn,
    adopts: null,
    estimate,
    reason: `${reason}: ${describeEstimate(estimate)}`,
  });
};

const notObserved = (): BackupStep =>
  fail('ReplicaUnreachable', 'the replica was not observed', 'Start the run again.');

/** The first copy, or a resync because no verified pair is left on both sides. */
export const withoutBase = (history: RunHistory, facts: ClusterFacts, target: Target): BackupStep => {
  const { pair, run } = history;
  if (!pair.base) return fullCopy(history, facts, target, 'bootstrap', 'the first copy of this bucket');
  if (run.policy.mode !== 'incremental')
    return fullCopy(
      history,
      facts,
      target,
      'resync',
      `no verified point is left on both sides (last: ${pair.base.name})`,
    );
  const { name, sourceId, replicaId } = pair.base;
  const other = [
    { side: run.policy.source.name, seen: activeNamed(facts.source, name)?.id, known: sourceId },
    { side: run.policy.replica?.name, seen: activeNamed(facts.replica, name)?.id, known: replicaId },
  ].find(({ seen, known }) => seen !== undefined && seen !== known);
  if (other)
    return conflict(
      'diverged',
      `${name} on ${other.side} has the id ${other.seen}, the ledger verified ${other.known}: it is another snapshot of that name, and the policy allows increments only`,
      ALLOW_RESYNC,
    );
  return conflict(
    'no-common-point',
    `the newest verified point ${name} is no longer on both clusters with the ids of the ledger, and the policy allows increments only`,
    ALLOW_RESYNC,
  );
};

export const byPolicy = (history: RunHistory, facts: ClusterFacts, target: Target): BackupStep =>
  fullCopy(history, facts, target, 'resync', 'the policy compares everything');

/** What speaks against asking for a diff at all: Ozone would refuse it, or compute it without end. */
const tooMuchForDiff = (history: RunHistory, facts: ClusterFacts, base: Base, now: EpochMs): string | undefined => {
  const { diffMaxAge, diffMaxKeys } = history.run.policy.limits;
  const age = secondsBetween(base.created, now);
  if (age > diffMaxAge) return `the base ${base.name} is ${Math.floor(age / 86_400)} days old`;
  const verification = pointNamed(history, base.name)?.verification;
  const keys = facts.source?.state === 'read' ? facts.source.bucket.usedNamespace : 0;
  const changed = verification ? Math.abs(keys - verification.files - verification.dirs) : 0;
  return changed > diffMaxKeys ? `at least ${changed} keys changed since ${base.name}` : undefined;
};

/** When no increment leads to the target of a run. */
export const resyncInstead =
  (history: RunHistory, facts: ClusterFacts, target: Target) =>
  (why: string): BackupStep =>
    history.run.policy.mode === 'incremental'
      ? conflict('diff-unusable', `${why}, and the policy allows increments only`, ALLOW_RESYNC)
      : fullCopy(history, facts, target, 'resync', why);

/** By increment, once the source's diff is known to be done: distcp would wait for a failed one for ever. */
export const increment = (
  history: RunHistory,
  facts: ClusterFacts,
  base: Base,
  target: Target,
  now: EpochMs,
  otherwise: (why: string) => BackupStep,
): BackupStep => {
  const tooMuch = tooMuchForDiff(history, facts, base, now);
  if (tooMuch) return otherwise(tooMuch);
  const pending = untilDiffed(history, facts, { side: 'source', base, target }, now, otherwise);
  if (pending) return pending;
  if (facts.replica?.state !== 'read') return notObserved();
  return operation(history, {
    kind: 'replicate',
    mode: 'incremental',
    target,
    base,
    replicaCreated: facts.replica.bucket.created,
    claim: false,
    copySeconds: copyLimit(history, estimateCopy(history, facts)),
    brake: brakeOf(history),
    supersedes: outlived(history),
    detached: history.run.policy.limits.yarn !== null,
    narrow: null,
    yarn: history.run.policy.limits.yarn,
    adopts: null,
    estimate: null,
    reason: `the changes since ${base.name}, the newest verified point on both sides`,
  });
};

/**
 * Whether distcp gave up on a whole resync: it never puts a directory where the replica has a file (exit code 25, Hadoop
 * 3.4), which a narrowed resync removes first.
 */
const couldNotReplace = (history: RunHistory): boolean =>
  currentSteps(history).some(
    ({ decision, observed }) =>
      decision.kind === 'replicate' &&
      decision.mode === 'resync' &&
      observed?.kind === 'not-done' &&
      observed.data?.copy?.exit === 25,
  );

/** Where a resync of many keys has to look, or undefined when it looks everywhere. */
const narrowed = (
  history: RunHistory,
  facts: ClusterFacts,
  target: Target,
  now: EpochMs,
  otherwise: (why: string) => BackupStep,
): BackupStep | undefined => {
  const { limits, mode } = history.run.policy;
  const estimate = estimateCopy(history, facts);
  const base = newestBase(history, facts);
  const hasTried = currentSteps(history).some(({ decision }) => decision.kind === 'replicate' && decision.narrow);
  const isWorthIt = estimate.keys > limits.narrowAbove || couldNotReplace(history);
  if (!base || mode === 'resync' || hasTried || !isWorthIt) return undefined;
  if (facts.replica?.state !== 'read' || tooMuchForDiff(history, facts, base, now)) return undefined;
  const mark = currentMark(history, facts);
  if (!mark) return markReplica(history, facts, base);
  const pending =
    untilDiffed(history, facts, { side: 'source', base, target }, now, otherwise) ??
    untilDiffed(history, facts, { side: 'replica', base, target: mark }, now, otherwise);
  if (pending) return pending;
  return operation(history, {
    kind: 'replicate',
    mode: 'resync',
    target,
    base,
    replicaCreated: facts.replica.bucket.created,
    claim: false,
    copySeconds: copyLimit(history, estimate),
    brake: brakeOf(history),
    supersedes: outlived(history),
    detached: false,
    narrow: mark,
    // Many short steps of Hadoop: on YARN each would cost the start of an application.
    yarn: null,
    adopts: null,
    estimate,
    reason: `compares only what changed on either side since ${base.name}, of ${estimate.keys} keys`,
  });
};

/** Compares everything, or, in a large bucket, what may differ: the replica may be neither what the base was nor what a target is. */
export const withDirtyReplica = (
  history: RunHistory,
  facts: ClusterFacts,
  target: Target,
  now: EpochMs,
): BackupStep => {
  const { pair, run } = history;
  if (pair.foreignChange && run.policy.mode === 'incremental')
    return conflict(
      'replica-changed',
      `somebody wrote into ${run.bucket} on ${run.policy.replica?.name} since ${pair.base?.name ?? 'the first copy'}, and the policy allows increments only`,
      'Set its mode to incremental-or-resync to let the next run bring the replica back to the source.',
    );
  const why = pair.foreignChange
    ? 'somebody else wrote into the replica'
    : 'an earlier copy did not end in a verified pair';
  const everything = (because: string): BackupStep =>
    fullCopy(history, facts, target, pair.base ? 'resync' : 'bootstrap', because);
  return narrowed(history, facts, target, now, (unusable) => everything(`${why}; ${unusable}`)) ?? everything(why);
};
