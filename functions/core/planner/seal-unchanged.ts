import type { BackupStep, Base } from '../domain/backup-step.ts';
import type { RecoveryPoint } from '../domain/ledger.ts';
import { verificationOf } from '../domain/policy.ts';
import type { EpochMs } from '../domain/units.ts';
import { missedPoints } from './catch-up.ts';
import { mayUseDiff, newestBase, targetOf } from './copy.ts';
import { activeNamed, type ClusterFacts } from './facts.ts';
import { awayAt, currentSteps, pointNamed, type RunHistory } from './history.ts';
import { operation } from './steps.ts';

/** The listings of both sides at two snapshots have to fit into one short command. */
const MOST_KEYS = 20_000;

/**
 * The level that a point counts as compared at when nothing changed since its base; undefined when listings do not show
 * enough for the policy. Where nothing changed there is no checksum to compare, if those of the base were.
 */
const levelOf = (history: RunHistory, base: RecoveryPoint | undefined): 'listing' | 'changed' | undefined => {
  const { level } = verificationOf(history.run.policy.verification);
  if (!base?.verification) return undefined;
  if (level === 'listing') return level;
  return level === 'changed' && base.verification.level !== 'listing' ? level : undefined;
};

/** What a host or a cluster that was away did not answer is asked again. */
const isTried = (history: RunHistory, point: RecoveryPoint): boolean =>
  currentSteps(history).some(
    ({ decision, observed }) =>
      decision.kind === 'seal-unchanged' && decision.target.id === point.source.id && awayAt(observed) === null,
  );

/** What is on both sides and on the replica still, if listings of this bucket at that base may stand for a diff and a comparison. */
const comparable = (
  history: RunHistory,
  facts: ClusterFacts,
): { readonly base: Base; readonly level: 'listing' | 'changed' } | undefined => {
  if (!mayUseDiff(history) || history.pair.hold || facts.source?.state !== 'read') return undefined;
  if (facts.source.bucket.usedNamespace > MOST_KEYS) return undefined;
  const base = newestBase(history, facts);
  // An older one is not what the replica holds. Of a run that was cut off the pair may not know the newest as yet.
  if (!base || base.created < (history.pair.base?.created ?? Infinity)) return undefined;
  const level = levelOf(history, pointNamed(history, base.name));
  return level && { base, level };
};

/** Whether the snapshot that is about to be taken needs no diff as yet. */
export const needsNoDiff = (history: RunHistory, facts: ClusterFacts): boolean =>
  history.run.batched === true && comparable(history, facts) !== undefined;

/**
 * Seals and compares the replica in one command if listings say that nothing changed. Of a batch, where many buckets did
 * not change and share that command: by itself it costs as much as the diff and the copy of nothing that it stands for.
 * What the replica missed comes first, as it does for a copy, oldest first: each point by a command of its own, and the next one since that.
 */
export const sealUnchanged = (
  history: RunHistory,
  facts: ClusterFacts,
  point: RecoveryPoint,
  now: EpochMs,
): BackupStep | undefined => {
  if (!history.run.batched || activeNamed(facts.replica, point.name)) return undefined;
  const found = comparable(history, facts);
  if (!found || facts.replica?.state !== 'read') return undefined;
  const [next = point] = missedPoints(history, facts, found.base, point.source.created, now);
  if (next.state !== 'taken' || isTried(history, next)) return undefined;
  return operation(history, {
    kind: 'seal-unchanged',
    target: targetOf(next),
    ...found,
    replicaCreated: facts.replica.bucket.created,
    reason: `if nothing changed since ${found.base.name}, the replica is sealed as it is`,
  });
};
