import type { BackupStep, Base } from '../domain/backup-step.ts';
import type { RecoveryPoint } from '../domain/ledger.ts';
import { snapshotName } from '../domain/names.ts';
import { verificationOf } from '../domain/policy.ts';
import type { EpochMs } from '../domain/units.ts';
import { adoptApplication } from './adopt.ts';
import { heldBack } from './brake.ts';
import { missedPoints } from './catch-up.ts';
import {
  byPolicy,
  increment,
  mayUseDiff,
  newestBase,
  resyncInstead,
  targetOf,
  withDirtyReplica,
  withoutBase,
} from './copy.ts';
import { envelopeDifferences } from './envelope.ts';
import { activeNamed, type ClusterFacts, clusterFacts, isNameTaken } from './facts.ts';
import { afterFailure } from './failures.ts';
import { followCopy, untilOver } from './follow-copy.ts';
import { baseOf, currentSteps, pointNamed, pointsOfRun, type RunHistory, usedAttempts } from './history.ts';
import { tidyUp, unprovenLeaks } from './leaks.ts';
import { notReadable } from './readable.ts';
import { reattach } from './reattach.ts';
import { needsNoDiff, sealUnchanged } from './seal-unchanged.ts';
import { fail, operation } from './steps.ts';

/** More decisions than any healthy run needs, besides waiting; a loop that does not converge ends here. */
const MAX_STEPS = 120;

/**
 * The point of this slot that the run works on: the newest that is still good on the source. One that is older than the
 * base stays on the source: the replica never goes back in time.
 */
const targetPoint = (history: RunHistory, facts: ClusterFacts): RecoveryPoint | undefined =>
  pointsOfRun(history).find(
    ({ state, name, source }) =>
      state !== 'differs' &&
      activeNamed(facts.source, name)?.id === source.id &&
      !(state === 'taken' && history.pair.base && source.created < history.pair.base.created),
  );

const createSnapshot = (history: RunHistory, facts: ClusterFacts, now: EpochMs): BackupStep => {
  const { run } = history;
  let attempt = usedAttempts(history) + 1;
  const nameOf = (of: number) => snapshotName(run.policy.name, run.slot, of);
  while (isNameTaken(facts.source, nameOf(attempt)) || isNameTaken(facts.replica, nameOf(attempt))) attempt += 1;
  const name = nameOf(attempt);
  const base = mayUseDiff(history) && !history.pair.hold ? newestBase(history, facts) : undefined;
  // What the replica missed comes first, and then the base is another one.
  const isNext = base && missedPoints(history, facts, base, Infinity, now).length === 0 && !needsNoDiff(history, facts);
  return operation(history, {
    kind: 'create-snapshot',
    name,
    attempt,
    base: isNext ? base : null,
    reason:
      attempt === 1
        ? 'this slot has no snapshot yet'
        : `attempt ${attempt}: the names before it are taken, or their copies differed`,
  });
};

/**
 * A sealed copy that has to be compared, the oldest first: of this run, the last one that an earlier run did not come to compare, or
 * what was sealed unchanged and never answered for. Without its snapshot on the source nothing can ever compare it: somebody else may
 * have deleted that.
 */
const toCompare = (history: RunHistory, facts: ClusterFacts, target: RecoveryPoint): RecoveryPoint | undefined => {
  const { copies, base } = history.pair;
  const last = copies.at(-1);
  const left = history.points.find(({ name }) => name === last?.point);
  const unanswered = history.points.filter(
    ({ mode, changed, source }) => mode === 'incremental' && changed === null && source.created > (base?.created ?? 0),
  );
  return [left, ...unanswered.toReversed(), target].find(
    (point) =>
      point?.state === 'sealed' &&
      activeNamed(facts.source, point.name)?.id === point.source.id &&
      activeNamed(facts.replica, point.name)?.id === point.replica?.id,
  );
};

/**
 * The snapshot on the source since which a comparison by checksum has to look: an increment moves nothing else, and the
 * content of its base was compared in the same way. Where another policy compared the base by its listing, that of the base
 * before it counts. Without one, all files are compared.
 */
const comparedBase = (history: RunHistory, facts: ClusterFacts, point: RecoveryPoint): Base | null => {
  const before = point.mode === 'incremental' && point.base ? pointNamed(history, point.base) : undefined;
  const base = before && baseOf(before);
  if (!base) return null;
  if (before.verification?.level === 'listing') return comparedBase(history, facts, before);
  return activeNamed(facts.source, base.name)?.id === base.sourceId ? base : null;
};

const verify = (history: RunHistory, facts: ClusterFacts, point: RecoveryPoint): BackupStep => {
  if (!point.replica) return fail('ItemInvalid', `${point.name} is sealed without a snapshot`, 'Report this.');
  const { level, parts } = verificationOf(history.run.policy.verification);
  return operation(history, {
    kind: 'verify',
    target: targetOf(point),
    sealId: point.replica.id,
    level,
    base: level === 'changed' || level === 'rolling' ? comparedBase(history, facts, point) : null,
    part: parts > 0 ? 1 + ((history.pair.rolls[history.run.policy.name] ?? 0) % parts) : 0,
    parts,
    reason: 'the copy is sealed and has to be compared before it counts',
  });
};

/** Hooks around the snapshot that failed and were allowed to. */
const hookNotes = (history: RunHistory): string[] =>
  currentSteps(history).flatMap(({ observed }) => (observed?.kind === 'snapshot' ? (observed.notes ?? []) : []));

const replicated = (history: RunHistory, facts: ClusterFacts, point: RecoveryPoint, now: EpochMs): BackupStep => {
  if (!point.mode || !point.verification)
    return fail('ItemInvalid', `the point ${point.name} is verified without a mode`, 'Report this.');
  const { level, files, bytes } = point.verification;
  return {
    kind: 'done',
    outcome: {
      kind: 'verified',
      point: point.name,
      mode: point.mode,
      base: point.base,
      changed: point.changed,
      files,
      bytes,
      bytesCopied: point.bytesCopied ?? bytes,
      level,
      notes: [...envelopeDifferences(facts), ...unprovenLeaks(history, facts, now), ...hookNotes(history)],
    },
    reason: `${point.name} is on both sides and was compared by ${level}`,
  };
};

/** The way from what the replica holds to the target, over the points that it missed. */
const replicate = (history: RunHistory, facts: ClusterFacts, point: RecoveryPoint, now: EpochMs): BackupStep => {
  const target = targetOf(point);
  if (history.pair.dirtySince) return withDirtyReplica(history, facts, target, now);
  const base = newestBase(history, facts);
  if (!base) return withoutBase(history, facts, target);
  if (history.run.policy.mode === 'resync') return byPolicy(history, facts, target);
  const toTarget = () => increment(history, facts, base, target, now, resyncInstead(history, facts, target));
  return missedPoints(history, facts, base, point.source.created, now)
    .toReversed()
    .reduce((next, missed) => () => increment(history, facts, base, targetOf(missed), now, next), toTarget)();
};

/**
 * Decides one step from what both clusters showed, what this run already tried, the ledger and the policy. Pure and
 * total: the same arguments give the same step, so a run that was killed is decided like one that was not.
 */
export const decideBackup = (history: RunHistory, now: EpochMs): BackupStep => {
  const { policy } = history.run;
  const steps = currentSteps(history);
  const open = reattach(history);
  if (open) return open;
  if (steps.filter(({ decision }) => decision.kind !== 'wait' && decision.kind !== 'probe').length >= MAX_STEPS)
    return fail('CopyFailed', `${MAX_STEPS} steps did not lead to a verified point`, 'Report this with the run.');
  const failed = untilOver(history, now) ?? afterFailure(history, steps.at(-1));
  if (failed) return failed;

  const facts = clusterFacts(history);
  if (facts.stale)
    return operation(history, {
      kind: 'survey',
      reason: steps.length === 0 ? 'see what both clusters have' : 'what the last step did has to be seen',
    });
  const noSource = notReadable(history, facts.source, 'source');
  if (noSource) return noSource;

  const point = targetPoint(history, facts);
  if (!point) {
    const differing = pointsOfRun(history).filter(({ state }) => state === 'differs');
    if (differing.length >= policy.limits.attempts)
      return fail(
        'ReplicaDiffers',
        `${differing.length} copies in a row differ from their source; ${differing[0]?.name}: ${differing[0]?.verification?.differences}`,
        'Find out what changes the replica or the source while it is copied; both snapshots are kept for that.',
      );
    return createSnapshot(history, facts, now);
  }
  if (!policy.replica) {
    const notes = hookNotes(history);
    return {
      kind: 'done',
      outcome: { kind: 'taken', point: point.name, ...(notes.length > 0 ? { notes } : {}) },
      reason: 'this policy has no replica',
    };
  }
  if (point.state === 'verified') return tidyUp(history, facts, now) ?? replicated(history, facts, point, now);

  const noReplica = notReadable(history, facts.replica, 'replica');
  if (noReplica) return noReplica;
  const sealed = toCompare(history, facts, point);
  if (sealed) return verify(history, facts, sealed);
  const copying = followCopy(history, facts, now) ?? heldBack(history);
  const unchanged = copying ? undefined : sealUnchanged(history, facts, point, now);
  if (unchanged) return unchanged;
  // A snapshot of this name that we did not seal: the name is lost for this slot, the next attempt has another.
  if (point.state === 'sealed' || isNameTaken(facts.replica, point.name)) return createSnapshot(history, facts, now);

  return (
    copying ?? adoptApplication(history, facts) ?? tidyUp(history, facts, now) ?? replicate(history, facts, point, now)
  );
};
