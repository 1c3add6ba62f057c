import type { BackupStep, Base, CopyMode, OperationStep, Target } from '../domain/backup-step.ts';
import type { SeenSide } from '../domain/edge-reply.ts';
import type { RecoveryPoint, RunStep } from '../domain/ledger.ts';
import { snapshotName } from '../domain/names.ts';
import { DELIVERY } from '../domain/operation.ts';
import { type DurationSeconds, type EpochMs, seconds, secondsBetween } from '../domain/units.ts';
import { ERROR_NAMES, type ErrorName } from '../errors.ts';
import { chooseHost } from './choose-host.ts';
import { activeNamed, type ClusterFacts, clusterFacts, isNameTaken } from './facts.ts';
import { currentSteps, failuresOf, isFailure, pointsOfRun, type RunHistory, usedAttempts } from './history.ts';

/** Several periods of the sweeper, which sends the heartbeats. */
const HEARTBEAT = seconds(600);
const SHORT_COMMAND = seconds(300);
/** What a copy may take besides distcp itself: the checks before it and the seal after it. */
const AROUND_COPY = seconds(900);
/** More decisions than any healthy run needs; a loop that does not converge ends here. */
const MAX_STEPS = 120;
const MAX_REATTACHMENTS = 20;

const time = (execution: DurationSeconds) => ({
  timeoutSeconds: seconds(execution + DELIVERY + 300),
  heartbeatSeconds: HEARTBEAT,
});

const fail = (error: ErrorName, reason: string): BackupStep => ({ kind: 'fail', error, reason });

/** What stands in the way of a side's use, or nothing. */
const notReadable = (
  history: RunHistory,
  side: SeenSide | null,
  which: 'source' | 'replica',
): BackupStep | undefined => {
  const { policy, bucket } = history.run;
  const cluster = which === 'source' ? policy.source : policy.replica;
  const at = `${bucket} on ${cluster?.name ?? which}`;
  const [missing, unreachable] =
    which === 'source'
      ? (['SourceMissing', 'SourceUnreachable'] as const)
      : (['ReplicaMissing', 'ReplicaUnreachable'] as const);
  if (!side) return fail(unreachable, `${at} was not observed`);
  switch (side.state) {
    case 'read':
      if (side.bucket.link)
        return fail('LayoutUnsupported', `${at} is a link: name the bucket that it leads to in the policy`);
      if (policy.replica && side.bucket.layout === 'OBJECT_STORE')
        return fail(
          'LayoutUnsupported',
          `${at} has the layout OBJECT_STORE, which distcp cannot copy by snapshot: use a policy without a replica for it`,
        );
      return undefined;
    case 'missing':
      return fail(
        missing,
        which === 'replica'
          ? `${at} does not exist (${side.code}): create it empty there, with the layout of the source`
          : `${at} does not exist (${side.code}): take it out of the policy or create it`,
      );
    case 'denied':
      return fail('AccessDenied', `${at} may not be read: ${side.message}`);
    case 'unreachable':
      return lookAgain(history, unreachable, `${at} does not answer: ${side.message}`);
    case 'unreadable':
      return lookAgain(history, 'EdgeReplyInvalid', `${at} gave an unreadable answer: ${side.message}`);
  }
};

/** Surveys that found a side without an answer: they are answers themselves, but not what the run needs. */
const fruitlessSurveys = (history: RunHistory): number =>
  currentSteps(history).filter(
    ({ observed }) =>
      observed?.kind === 'survey' &&
      [observed.source, observed.replica].some((side) => side?.state === 'unreachable' || side?.state === 'unreadable'),
  ).length;

const backoff = (tries: number): DurationSeconds => seconds(Math.min(300, 15 * 2 ** Math.max(0, tries - 1)));

/** Waits and looks again while tries are left; a wait that is over leads to a survey. */
const lookAgain = (history: RunHistory, error: ErrorName, why: string): BackupStep => {
  const tries = fruitlessSurveys(history);
  if (tries >= history.run.policy.limits.attempts) return fail(error, `${why} (${tries} surveys)`);
  const last = currentSteps(history).at(-1);
  return last?.decision.kind === 'wait'
    ? operation(history, { kind: 'survey', reason: `look again: ${why}` })
    : { kind: 'wait', seconds: backoff(tries), reason: why };
};

type Plain<K extends OperationStep['kind']> = Omit<
  Extract<OperationStep, { kind: K }>,
  'host' | 'timeoutSeconds' | 'heartbeatSeconds'
>;

/** Adds where a step runs and for how long. */
const operation = (
  history: RunHistory,
  step: Plain<'survey'> | Plain<'create-snapshot'> | Plain<'compute-diff'> | Plain<'replicate'> | Plain<'verify'>,
): BackupStep => {
  const { limits } = history.run.policy;
  const host = chooseHost(history, step.kind);
  switch (step.kind) {
    case 'survey':
    case 'create-snapshot':
    case 'compute-diff':
      return { ...step, host, ...time(SHORT_COMMAND) };
    case 'replicate':
      return { ...step, host, ...time(seconds(step.copySeconds + AROUND_COPY)) };
    case 'verify':
      return { ...step, host, ...time(limits.copyTimeout) };
  }
};

/** How long the host may work on a step: what Run Command is told. */
export const executionSeconds = (step: OperationStep): DurationSeconds => seconds(step.timeoutSeconds - DELIVERY - 300);

const FINAL_CODES: Readonly<Record<string, ErrorName>> = {
  'permission-denied': 'AccessDenied',
  'bad-parameter': 'EdgeRefused',
  environment: 'EdgeRefused',
  'verb-not-allowed': 'EdgeRefused',
  'fence-missing': 'EdgeRefused',
  'fence-stale': 'LeaseLost',
  layout: 'LayoutUnsupported',
  'replica-not-empty': 'ReplicaNotOurs',
  'snapshot-limit': 'SnapshotFailed',
};

const EXHAUSTED: Readonly<Record<OperationStep['kind'], ErrorName>> = {
  survey: 'EdgeFailed',
  'create-snapshot': 'SnapshotFailed',
  'compute-diff': 'DiffFailed',
  replicate: 'CopyFailed',
  verify: 'EdgeFailed',
};

const asErrorName = (text: string, otherwise: ErrorName): ErrorName =>
  ERROR_NAMES.find((name) => name === text) ?? otherwise;

/** What the failure of the last step means: give up, wait, or nothing (the facts are stale and will be looked at). */
const afterFailure = (history: RunHistory, last: RunStep | undefined): BackupStep | undefined => {
  if (!last?.observed || !isFailure(last.observed)) return undefined;
  const { decision, observed } = last;
  if (!('host' in decision)) return undefined;
  const tries = failuresOf(history, decision.kind);
  const isLastTry = tries >= history.run.policy.limits.attempts;
  const tried = `${decision.kind} was tried ${tries} times`;
  if (observed.kind === 'no-answer') {
    const why = `${decision.kind} got no answer: ${observed.error} ${observed.cause}`.slice(0, 900);
    if (observed.error === 'EdgeReplyInvalid') return fail('EdgeReplyInvalid', why);
    if (observed.error === 'EdgeRefused') return fail('EdgeRefused', why);
    if (isLastTry) return fail(asErrorName(observed.error, EXHAUSTED[decision.kind]), `${why} (${tried})`);
    return { kind: 'wait', seconds: backoff(tries), reason: why };
  }
  if (observed.kind !== 'not-done') return undefined;
  const why = `${decision.kind} on ${decision.host}: ${observed.code} ${observed.message}`.slice(0, 900);
  const final = FINAL_CODES[observed.code];
  if (final) return fail(final, why);
  if (isLastTry)
    return fail(observed.outcome === 'unreachable' ? 'EdgeUnreachable' : EXHAUSTED[decision.kind], `${why} (${tried})`);
  const mayPass =
    observed.outcome === 'unreachable' || observed.code === 'bucket-busy' || observed.code === 'not-flushed';
  return mayPass ? { kind: 'wait', seconds: backoff(tries), reason: why } : undefined;
};

/** An operation of this run that may still be going on is attached to, never started a second time. */
const reattach = (history: RunHistory): BackupStep | undefined => {
  const open = currentSteps(history).findLast((step) => step.observed === null);
  if (!open) return undefined;
  const attachments = currentSteps(history).filter((step) => step.operationStep === open.operationStep).length;
  if (attachments > MAX_REATTACHMENTS)
    return fail('EdgeUnreachable', `the ${open.decision.kind} of step ${open.operationStep} never ended`);
  return open.decision;
};

/** The point of this slot that the run works on: the newest that is still good on the source. */
const targetPoint = (history: RunHistory, facts: ClusterFacts): RecoveryPoint | undefined =>
  pointsOfRun(history).find(
    (point) => point.state !== 'differs' && activeNamed(facts.source, point.name)?.id === point.source.id,
  );

const isOnBothSides = (facts: ClusterFacts, base: Base): boolean =>
  activeNamed(facts.source, base.name)?.id === base.sourceId &&
  activeNamed(facts.replica, base.name)?.id === base.replicaId;

/** The newest verified pair that both clusters still show, proved by the ids of the ledger, never by name. */
export const newestBase = (history: RunHistory, facts: ClusterFacts): Base | undefined => {
  const { base, previousBase } = history.pair;
  const verified = history.points.flatMap((point): Base[] =>
    point.state === 'verified' && point.replica
      ? [{ name: point.name, created: point.source.created, sourceId: point.source.id, replicaId: point.replica.id }]
      : [],
  );
  return [base, previousBase, ...verified]
    .filter((candidate) => candidate !== null)
    .toSorted((one, other) => other.created - one.created)
    .find((candidate) => isOnBothSides(facts, candidate));
};

const createSnapshot = (history: RunHistory, facts: ClusterFacts): BackupStep => {
  const { run } = history;
  const base = mayUseDiff(history) ? (newestBase(history, facts) ?? null) : null;
  let attempt = usedAttempts(history) + 1;
  const nameOf = (of: number) => snapshotName(run.policy.name, run.slot, of);
  while (isNameTaken(facts.source, nameOf(attempt)) || isNameTaken(facts.replica, nameOf(attempt))) attempt += 1;
  const name = nameOf(attempt);
  return operation(history, {
    kind: 'create-snapshot',
    name,
    attempt,
    base,
    reason:
      attempt === 1
        ? 'this slot has no snapshot yet'
        : `attempt ${attempt}: the names before it are taken, or their copies differed`,
  });
};

const mayUseDiff = (history: RunHistory): boolean =>
  history.run.policy.mode !== 'resync' && history.pair.dirtySince === null && history.run.policy.replica !== null;

/** A copy that deletes what is extra needs a bucket that is ours, or an empty one that it claims. */
const fullCopy = (
  history: RunHistory,
  facts: ClusterFacts,
  target: Target,
  mode: Extract<CopyMode, 'bootstrap' | 'resync'>,
  reason: string,
): BackupStep => {
  const { run, pair } = history;
  if (facts.replica?.state !== 'read') return fail('ReplicaUnreachable', 'the replica was not observed');
  const { created, usedNamespace, usedBytes } = facts.replica.bucket;
  const isClaimed = pair.owned?.created === created;
  const isOurs = isClaimed && pair.owned?.proved === true;
  const isEmpty = usedNamespace === 0 && usedBytes === 0;
  // A claim that no host has answered: the host knows from its own record whether it had found the bucket empty.
  if (!isClaimed && !isEmpty)
    return fail(
      'ReplicaNotOurs',
      `${run.bucket} on ${run.policy.replica?.name} holds ${usedNamespace} keys that this product did not write there ` +
        `(bucket created ${created}${pair.owned ? `, ours was created ${pair.owned.created}` : ''}). ` +
        'Nothing was changed. Empty that bucket or name another cluster.',
    );
  return operation(history, {
    kind: 'replicate',
    mode: isOurs ? mode : 'bootstrap',
    target,
    base: null,
    replicaCreated: created,
    claim: !isOurs,
    copySeconds: run.policy.limits.copyTimeout,
    reason,
  });
};

const withoutBase = (history: RunHistory, facts: ClusterFacts, target: Target): BackupStep => {
  const { pair, run } = history;
  if (!pair.base) return fullCopy(history, facts, target, 'bootstrap', 'the first copy of this bucket');
  if (run.policy.mode === 'incremental')
    return fail(
      'NoCommonPoint',
      `the newest verified point ${pair.base.name} is no longer on both clusters with the ids of the ledger, and the policy allows increments only. ` +
        'Set its mode to incremental-or-resync to let the next run compare everything and copy what differs.',
    );
  return fullCopy(
    history,
    facts,
    target,
    'resync',
    `no verified point is left on both sides (last: ${pair.base.name})`,
  );
};

const withDirtyReplica = (history: RunHistory, facts: ClusterFacts, target: Target): BackupStep => {
  const { pair, run } = history;
  if (pair.foreignChange && run.policy.mode === 'incremental')
    return fail(
      'ReplicaChanged',
      `somebody wrote into ${run.bucket} on ${run.policy.replica?.name} since ${pair.base?.name ?? 'the first copy'}, and the policy allows increments only. ` +
        'Set its mode to incremental-or-resync to let the next run bring the replica back to the source.',
    );
  const why = pair.foreignChange
    ? 'somebody else wrote into the replica'
    : 'an earlier copy did not end in a verified pair';
  return fullCopy(history, facts, target, pair.base ? 'resync' : 'bootstrap', why);
};

const DIFF_POLLS: readonly DurationSeconds[] = [2, 5, 10, 20, 40, 60].map(seconds);

/** By increment, once the source's diff is known to be done: distcp would wait for a failed one for ever. */
const increment = (history: RunHistory, facts: ClusterFacts, base: Base, target: Target, now: EpochMs): BackupStep => {
  const { limits, mode } = history.run.policy;
  const known = facts.diff?.base === base.name && facts.diff.target === target.name ? facts.diff : null;
  const status = known?.status ?? 'not-asked';
  const unusable = (why: string): BackupStep =>
    mode === 'incremental'
      ? fail('DiffFailed', `${why}, and the policy allows increments only`)
      : fullCopy(history, facts, target, 'resync', why);
  switch (status) {
    case 'submitted':
    case 'done': {
      if (facts.replica?.state !== 'read') return fail('ReplicaUnreachable', 'the replica was not observed');
      return operation(history, {
        kind: 'replicate',
        mode: 'incremental',
        target,
        base,
        replicaCreated: facts.replica.bucket.created,
        claim: false,
        copySeconds: limits.copyTimeout,
        reason: `the changes since ${base.name}, the newest verified point on both sides`,
      });
    }
    case 'failed':
      return unusable(`the diff from ${base.name} to ${target.name} failed: ${known?.reason ?? ''}`);
    case 'not-asked':
    case 'not-found':
    case 'unknown':
    case 'cancelled':
    case 'rejected':
    case 'pending': {
      const waited = known ? secondsBetween(known.since, now) : seconds(0);
      if (waited > limits.diffTimeout)
        return unusable(`the diff from ${base.name} to ${target.name} is ${status} after ${waited} seconds`);
      const polls = currentSteps(history).filter((step) => step.decision.kind === 'wait').length;
      const hasWaited = currentSteps(history).at(-1)?.decision.kind === 'wait';
      if (known && !hasWaited && status !== 'not-found')
        return {
          kind: 'wait',
          seconds: DIFF_POLLS[Math.min(polls, DIFF_POLLS.length - 1)] ?? seconds(60),
          reason: `the diff from ${base.name} to ${target.name} is ${status}`,
        };
      return operation(history, {
        kind: 'compute-diff',
        base,
        target,
        reason: `the diff from ${base.name} is ${status}`,
      });
    }
  }
};

const replicated = (point: RecoveryPoint): BackupStep => {
  if (!point.mode || !point.verification)
    return fail('ItemInvalid', `the point ${point.name} is verified without a mode`);
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
    },
    reason: `${point.name} is on both sides and was compared by ${level}`,
  };
};

/**
 * Decides one step from what both clusters showed, what this run already tried, the ledger and the policy. Pure and
 * total: the same arguments give the same step, so a run that was killed is decided like one that was not.
 */
export const decideBackup = (history: RunHistory, now: EpochMs): BackupStep => {
  const { run } = history;
  const { policy } = run;
  const steps = currentSteps(history);
  const open = reattach(history);
  if (open) return open;
  if (steps.length >= MAX_STEPS) return fail('CopyFailed', `${MAX_STEPS} steps did not lead to a verified point`);
  const failed = afterFailure(history, steps.at(-1));
  if (failed) return failed;

  const facts = clusterFacts(history);
  if (facts.stale)
    return operation(history, {
      kind: 'survey',
      reason: steps.length === 0 ? 'see what both clusters have' : 'what the last step did has to be seen',
    });
  const noSource = notReadable(history, facts.source, 'source');
  if (noSource) return noSource;

  const differing = pointsOfRun(history).filter((point) => point.state === 'differs');
  const point = targetPoint(history, facts);
  if (!point) {
    if (differing.length >= policy.limits.attempts)
      return fail(
        'ReplicaDiffers',
        `${differing.length} copies in a row differ from their source; ${differing[0]?.name}: ${differing[0]?.verification?.differences}`,
      );
    return createSnapshot(history, facts);
  }
  if (!policy.replica)
    return { kind: 'done', outcome: { kind: 'taken', point: point.name }, reason: 'this policy has no replica' };
  if (point.state === 'verified') return replicated(point);

  const noReplica = notReadable(history, facts.replica, 'replica');
  if (noReplica) return noReplica;
  const target: Target = { name: point.name, ...point.source };
  if (point.state === 'sealed' && point.replica) {
    if (activeNamed(facts.replica, point.name)?.id === point.replica.id)
      return operation(history, {
        kind: 'verify',
        target,
        sealId: point.replica.id,
        level: policy.verification,
        reason: 'the copy is sealed and has to be compared before it counts',
      });
    return createSnapshot(history, facts);
  }
  // A snapshot of this name that we did not seal: the name is lost for this slot, the next attempt has another.
  if (isNameTaken(facts.replica, point.name)) return createSnapshot(history, facts);

  if (history.pair.dirtySince) return withDirtyReplica(history, facts, target);
  const base = newestBase(history, facts);
  if (!base) return withoutBase(history, facts, target);
  if (policy.mode === 'resync') return fullCopy(history, facts, target, 'resync', 'the policy compares everything');
  return increment(history, facts, base, target, now);
};
