import type { BackupStep } from '../domain/backup-step.ts';
import type { CompareData, ExamineData, RestrictData, SeenTarget } from '../domain/edge-reply.ts';
import type { Observation, RunStep } from '../domain/ledger.ts';
import type { SnapshotName } from '../domain/names.ts';
import type { Cluster } from '../domain/policy.ts';
import type { FailedOver, Obstacle, RestorePlan, RestoreTask } from '../domain/restore.ts';
import { Side } from '../domain/retention.ts';
import type { Role } from '../domain/roles.ts';
import { Bytes, type DurationSeconds, type EpochMs, epochMs, later, seconds, secondsBetween } from '../domain/units.ts';
import { afterFailure } from './failures.ts';
import { type Answered, currentSteps, isAnswered, isFailure, isUnanswered, type RunHistory } from './history.ts';
import { reattach } from './reattach.ts';
import {
  effectOn,
  growthOf,
  hasQuota,
  isKept,
  needsConfirmation,
  openedSnapshotOf,
  restorePlan,
  safetySnapshotOf,
  type Target,
  type TargetToPlan,
} from './restore-plan.ts';
import { backoff, fail, operation, SHORT_LIFETIME, wait } from './steps.ts';

/** A restore that a person has to confirm first, or that was only to be planned. */
export interface PlanToConfirm {
  readonly kind: 'plan';
  readonly plan: RestorePlan;
  readonly reason: string;
}

type Verdict = BackupStep | PlanToConfirm;

/** A command lives at most 48 hours; a longer copy goes on where the last one ended. */
const LONGEST_COPY = seconds(46 * 3600);
/** What of the point is not there any more, or another one has its name. */
const GONE: ReadonlySet<string> = new Set(['target-missing', 'target-other', 'source-missing']);

/**
 * What a restore or a drill does next: look at the point and at the target, make or keep what has to be, copy, compare;
 * a drill removes its scratch bucket whatever came of it. Pure.
 */
export const decideRestore = (history: RunHistory, task: RestoreTask, now: EpochMs): Verdict => {
  const open = reattach(history);
  if (open) return open.kind === 'fail' ? (scratchLeftBy(history, open) ?? open) : open;
  return task.purpose === 'drill' ? decideDrill(history, task, now) : judge(history, task, now);
};

const decideDrill = (history: RunHistory, task: RestoreTask, now: EpochMs): Verdict => {
  const before = removeLeftover(history, task, now);
  if (before) return before;
  const begin = removalBegan(history, task);
  const verdict = judge(begin === undefined ? history : until(history, begin), task, now);
  if (verdict.kind !== 'done' && verdict.kind !== 'fail')
    return begin === undefined
      ? verdict
      : fail('EdgeInterrupted', 'the scratch bucket was removed before the drill was over', 'Start another drill.');
  return removeScratch(history, verdict, now) ?? verdict;
};

/** What was seen under this lease: another execution may have had the target before. */
const ofNow = (history: RunHistory): readonly RunStep[] =>
  currentSteps(history).filter((step) => step.n >= (history.run.factsFrom ?? 0));

/** A drill is of the backup, which is the replica; a restore reads the copy that is nearest to its target. */
const sidesToRead = ({ purpose, point, target }: RestoreTask): readonly Side[] => {
  const there = Side.options.filter((side) => point[side]);
  if (purpose === 'drill') return there.includes('replica') ? ['replica'] : there;
  return there.toSorted(
    (one, other) =>
      Number(point[other]?.cluster.name === target.cluster.name) -
      Number(point[one]?.cluster.name === target.cluster.name),
  );
};

/** Of the steps those that are about the target, and not about what an earlier drill left behind. */
const isAboutTarget =
  ({ target }: RestoreTask) =>
  ({ decision }: RunStep): boolean =>
    decision.kind !== 'remove-scratch' && (decision.kind !== 'create-target' || decision.bucket === target.bucket);

const judge = (all: RunHistory, task: RestoreTask, now: EpochMs): Verdict => {
  const history = toldAgain({ ...all, steps: all.steps.filter(isAboutTarget(task)) });
  const steps = ofNow(history);
  const failed = failureOf(history, task, now);
  if (failed) return failed;

  const seen = steps.findLast(isAnswered('examine', 'examination'));
  if (!seen) return examine(history, task);
  const { data } = seen.observed;
  const { from } = seen.decision;
  const after = steps.filter(({ n }) => n > seen.n);
  const made = after.findLast(isAnswered('create-target', 'bucket'));
  // A bucket that was there all the same may hold something.
  if (made && !made.observed.created) return look(history, task, from, `${task.target.bucket} was there already`);
  const unread = made ? undefined : unreadTarget(history, task, seen, steps.at(-1) === seen);
  if (unread) return unread;
  // Others had hours to write there.
  if (after.length > 0 && after.every(isWait)) return look(history, task, from, 'look again after the wait');
  const obstacle = notRestorable(history, task, from, data);
  if (obstacle && !(task.planOnly && isObstacle(obstacle))) return obstacle;
  const target = targetOf(data, made);
  const unseen = task.failover && !task.confirmed ? lookAtPrimary(history, task, from) : undefined;
  if (unseen) return unseen;
  if (task.planOnly) return planOnly(history, task, from, data, target, obstacle, now);
  if (!target) return createTarget(history, task, data);
  const inTheWay = conflicts(history, task, data, target);
  if (inTheWay) return inTheWay;

  // Another execution may have begun to copy; people may have written there since.
  const begun = steps.some(isCopy);
  const unconfirmed = begun ? undefined : confirm(history, task, from, data, target, now);
  if (unconfirmed) return unconfirmed;
  const occupied = begun ? undefined : copyElsewhere(history, restore(history, task, from, target), now);
  if (occupied) return occupied;
  const changing = begun ? undefined : unlikePrimary(history, task, from);
  if (changing) return changing;
  const opened = openedName(history);
  const isKeptSafe = after.some(
    (step) => isAnswered('safety-snapshot', 'snapshot')(step) && step.decision.name !== opened,
  );
  const unkept = begun || isKeptSafe ? undefined : keep(history, task, target);
  if (unkept) return unkept;

  const copied = after.findLast(isAnswered('restore', 'restored'));
  if (!copied) return copy(history, task, from, target, now);
  const compared = after.findLast(
    (step): step is Answered<'compare', 'comparison'> => step.n > copied.n && isComparison(step),
  );
  if (!compared) return compare(history, task, from);
  const ended = outcome(history, task, from, data, compared);
  return task.failover && ended.kind === 'done' ? open(history, task.failover, ended, compared.n, target) : ended;
};

/** Of the target, and not of what people write to. */
const isComparison = (step: RunStep): step is Answered<'compare', 'comparison'> =>
  isAnswered('compare', 'comparison')(step) && step.decision.of === 'target';

// ---------------------------------------------------------------- failover

const primaryComparisons = (history: RunHistory): readonly RunStep[] =>
  ofNow(history).filter(({ decision }) => decision.kind === 'compare' && decision.of === 'primary');

const primaryDiffers = (history: RunHistory): NonNullable<RestorePlan['failover']>['differs'] => {
  const compared = primaryComparisons(history).findLast(isAnswered('compare', 'comparison'));
  if (!compared) return null;
  const { missing, changed, extra, first } = compared.observed.data;
  return { added: extra, changed, deleted: missing, first: first.map(({ path }) => path) };
};

/** For the report, once: a source that is lost is not waited for. */
const lookAtPrimary = (history: RunHistory, task: RestoreTask, from: Side): BackupStep | undefined =>
  primaryComparisons(history).length > 0
    ? undefined
    : operation(history, {
        kind: 'compare',
        against: from,
        level: 'listing',
        exact: true,
        of: 'primary',
        reason: `find out what ${task.failover?.from.name} has otherwise than ${task.point.name}, if it can be read`,
      });

/** What this run has settled; it died before it could say so. */
const settledRole = ({ run, pair: { role } }: RunHistory): RunHistory['pair']['role'] =>
  role?.state === 'settled' && role.by === run.runId ? role : null;

/**
 * People write to the new primary from the moment that its role is settled: whoever starts that failover again is only
 * told how it ended, by what was seen then.
 */
const toldAgain = (history: RunHistory): RunHistory =>
  settledRole(history) ? { ...history, run: { ...history.run, firstStep: 0, factsFrom: 0 } } : history;

/** The lease is in its name, and another one starts the run again. */
const openedName = (history: RunHistory): SnapshotName =>
  settledRole(history)?.opened?.name ?? openedSnapshotOf(history.run);

/** A planned failover loses nothing: before the roles move, what people write to is the point. */
const unlikePrimary = (history: RunHistory, task: RestoreTask, from: Side): BackupStep | undefined => {
  const { failover, point } = task;
  if (failover?.kind !== 'planned' || history.pair.role?.state === 'moving') return undefined;
  const proved = ofNow(history).findLast(
    (step): step is Answered<'compare', 'comparison'> =>
      isAnswered('compare', 'comparison')(step) && step.decision.of === 'primary',
  );
  if (!proved)
    return operation(history, {
      kind: 'compare',
      against: from,
      level: task.verification,
      exact: true,
      of: 'primary',
      reason: `prove that nothing was written to ${history.run.bucket} on ${failover.from.name} after ${point.name}`,
    });
  if (proved.observed.data.equal) return undefined;
  return fail(
    'ChangedMeanwhile',
    `${history.run.bucket} on ${failover.from.name} is not what ${point.name} is any more: ${differencesIn(proved.observed.data)}`,
    'Stop what writes there, then plan and start the failover again: it makes another backup first. Nothing was changed.',
  );
};

/** The proved state of the new primary is kept, and with that people may write there. */
const open = (
  history: RunHistory,
  failover: NonNullable<RestoreTask['failover']>,
  done: Extract<BackupStep, { kind: 'done' }>,
  comparedAt: number,
  { created: targetCreated }: Target,
): BackupStep => {
  const { run } = history;
  const name = openedName(history);
  const opened = ofNow(history).find(
    (step): step is Answered<'safety-snapshot', 'snapshot'> =>
      step.n > comparedAt && isAnswered('safety-snapshot', 'snapshot')(step) && step.decision.name === name,
  );
  if (!opened)
    return operation(history, {
      kind: 'safety-snapshot',
      name,
      reason: `keep what ${run.bucket} begins with as the primary, in place of ${failover.from.name}`,
    });
  const { outcome: ended } = done;
  if (ended.kind !== 'failed-over') return done;
  const { id, created } = opened.observed.snapshot;
  const settled = { ...done, outcome: { ...ended, opened: { name, id, created } } };
  return failover.to === 'replica'
    ? restrict(history, failover.from, settled)
    : giveBack(history, targetCreated, settled);
};

type FailoverDone = Extract<BackupStep, { kind: 'done' }> & { readonly outcome: FailedOver };

const withRestricted = (done: FailoverDone, restricted: boolean, ...notes: readonly string[]): FailoverDone => ({
  ...done,
  outcome: { ...done.outcome, restricted, notes: [...done.outcome.notes, ...notes] },
});

/** Of any attempt: what the bucket had before is known only once. */
const restriction = ({ steps }: RunHistory) => steps.findLast(isAnswered('restrict', 'restricted'));

const changedNothing = ({ before, after }: RestrictData): boolean => before.join() === after.join();

/** What the roles keep of it, so that it can be undone, when a failover is over. */
export const restrictedAfter = (
  history: RunHistory,
  { to, from }: NonNullable<RestoreTask['failover']>,
): Role['restricted'] => {
  const known = history.pair.role?.restricted ?? null;
  const answered = restriction(history);
  if (!answered) return known;
  if (to === 'source') return null;
  const { data } = answered.observed;
  // What an earlier failover took and was not given back is not what the bucket had.
  return changedNothing(data) && known ? known : { cluster: from.name, before: data.before };
};

/** Nobody writes to the old primary by mistake, where it answers. Tried once: nobody waits for a cluster that is lost. */
const restrict = (history: RunHistory, from: Cluster, done: FailoverDone): BackupStep => {
  const { run, pair } = history;
  if (!run.policy.failover.restrict) return done;
  const where = `${run.bucket} on ${from.name}`;
  const answered = restriction(history);
  if (answered)
    return changedNothing(answered.observed.data) && !pair.role?.restricted
      ? withRestricted(done, true, `the ACL of ${where} let nobody write before: it was left as it is`)
      : withRestricted(done, true);
  if (pair.role?.by === run.runId && pair.role.state === 'settled' && pair.role.restricted)
    return withRestricted(done, true);
  const writable = `so nothing keeps people from writing to ${where}`;
  const failed = currentSteps(history).findLast(({ decision }) => decision.kind === 'restrict');
  if (failed)
    return withRestricted(
      done,
      false,
      isUnanswered(failed)
        ? `it is not known whether people can still write to ${where} (${messageOf(failed)}): look at ozone sh bucket getacl o3://${from.service}/${run.bucket}`
        : `${from.name} was not reachable, or refused it (${messageOf(failed)}), ${writable}`,
    );
  if (pair.sourceCreated === null)
    return withRestricted(done, false, `the ledger does not know which bucket was the source, ${writable}`);
  return operation(history, {
    kind: 'restrict',
    service: from.service,
    created: pair.sourceCreated,
    acls: null,
    reason: `take the right to write to ${where} from everybody in its ACL, as the policy asks for`,
  });
};

/** The new primary gets the ACL that it had before it was failed over. */
const giveBack = (history: RunHistory, created: string, done: FailoverDone): BackupStep => {
  const { run } = history;
  if (restriction(history)) return withRestricted(done, false);
  const known = history.pair.role?.restricted;
  const { service, name } = run.policy.replica ?? run.policy.source;
  if (!known) return done;
  const tried = currentSteps(history).filter(({ decision }) => decision.kind === 'restrict');
  const last = tried.at(-1);
  if (last && tried.length >= run.policy.limits.attempts)
    return withRestricted(
      done,
      true,
      `people cannot write to ${run.bucket} on ${name} yet: its ACL could not be set (${messageOf(last)}). Type: ozone sh bucket setacl -a '${known.before.join(',')}' o3://${service}/${run.bucket}`,
    );
  if (last && last === currentSteps(history).at(-1))
    return wait(backoff(tried.length), `the ACL of ${run.bucket} could not be set: ${messageOf(last)}`);
  return operation(history, {
    kind: 'restrict',
    service,
    created,
    acls: [...known.before],
    reason: `give ${run.bucket} on ${name} the ACL back that it had before it was failed over`,
  });
};

// ---------------------------------------------------------------- looking

const examine = (history: RunHistory, task: RestoreTask): BackupStep => {
  const [from] = readable(history, task).toSorted((one, other) => refusals(history, one) - refusals(history, other));
  if (!from) return pointGone(history, task);
  return look(history, task, from, `see what ${task.scope} of ${task.point.name} is there, and what is at the target`);
};

/** Why this copy is read, for a person who wonders how long it will take. */
const whyFrom = (history: RunHistory, task: RestoreTask, from: Side): string => {
  const there = task.target.cluster.name;
  const [nearest] = sidesToRead(task);
  const here = task.point[from]?.cluster.name;
  if (nearest !== undefined && nearest !== from)
    return `the nearer copy, on ${task.point[nearest]?.cluster.name}, could not be used: ${refusalsOf(history, nearest).at(-1)?.message ?? 'it is not what was verified'}`;
  return here === there
    ? `it is on ${there} itself, where the target is: nothing goes from cluster to cluster`
    : `no copy is left on ${there}, where the target is`;
};

const look = (history: RunHistory, task: RestoreTask, from: Side, reason: string): BackupStep =>
  operation(history, {
    kind: 'examine',
    from,
    reason: `on ${task.point[from]?.cluster.name}: ${reason}`.slice(0, 900),
  });

const refusalsOf = (history: RunHistory, side: Side): readonly Extract<Observation, { kind: 'not-done' }>[] =>
  currentSteps(history).flatMap(({ decision, observed }) =>
    decision.kind === 'examine' && decision.from === side && observed?.kind === 'not-done' ? [observed] : [],
  );

const refusals = (history: RunHistory, side: Side): number => refusalsOf(history, side).length;

/** The copies that nobody has found missing, the nearest first. */
const readable = (history: RunHistory, task: RestoreTask): readonly Side[] =>
  sidesToRead(task).filter((side) => !refusalsOf(history, side).some(({ code }) => GONE.has(code)));

/** The copies that were not looked at yet, or not successfully. */
const unread = (history: RunHistory, task: RestoreTask): readonly Side[] =>
  readable(history, task).filter(
    (side) =>
      refusals(history, side) === 0 &&
      !ofNow(history).some((step) => isAnswered('examine', 'examination')(step) && step.decision.from === side),
  );

const pointGone = (history: RunHistory, task: RestoreTask): BackupStep => {
  const why = sidesToRead(task).map(
    (side) => `on ${task.point[side]?.cluster.name} ${refusalsOf(history, side).at(-1)?.message ?? 'it is gone'}`,
  );
  return fail(
    'PointGone',
    `no copy of ${task.point.name} can be read: ${why.join('; ') || 'none is left on either side'}`,
    'Choose another point: npm run explain lists those that are there.',
  );
};

/** The target could not be read: neither missing nor there. */
const unreadTarget = (
  history: RunHistory,
  task: RestoreTask,
  { decision, observed: examined }: Answered<'examine', 'examination'>,
  isLast: boolean,
): BackupStep | undefined => {
  const { target } = task;
  const { target: seen } = examined.data;
  if (seen.state === 'read' || seen.state === 'missing') return undefined;
  const tries = currentSteps(history).filter(
    ({ observed }) => observed?.kind === 'examination' && observed.data.target.state === seen.state,
  ).length;
  const why = `${target.bucket} on ${target.cluster.name} is ${seen.state}: ${seen.code} ${seen.message}`;
  if (seen.state === 'denied')
    return fail('AccessDenied', why, 'Grant the restoring user of the edge host what the message names.');
  if (tries >= history.run.policy.limits.attempts)
    return fail(
      'EdgeUnreachable',
      `${why} (looked ${tries} times)`,
      'Start the restore again when the cluster answers.',
    );
  return isLast ? wait(backoff(tries), why) : look(history, task, decision.from, `look again: ${why}`);
};

/** What no target could make good. */
const notRestorable = (
  history: RunHistory,
  task: RestoreTask,
  from: Side,
  { point, source, unmatched }: ExamineData,
): BackupStep | undefined => {
  const cluster = task.point[from]?.cluster.name;
  if (source.layout === 'OBJECT_STORE')
    return fail(
      'LayoutUnsupported',
      `${history.run.bucket} on ${cluster} has the layout OBJECT_STORE, which distcp cannot read`,
      'Read the keys of the snapshot by hand with ozone sh key get, as the recovery plan says.',
    );
  if (unmatched.count > 0)
    return fail(
      'PathsNotFound',
      `${unmatched.count} of what was asked for is not in ${task.point.name}: ${unmatched.first.join(', ')}`,
      'Correct the paths, or look up which point has them (look machine, versionsOf). Nothing was copied.',
    );
  if (task.selection === null && task.point.digest !== null && point.digest !== task.point.digest) {
    const [other] = unread(history, task);
    return other
      ? look(history, task, other, `the copy on ${cluster} is not what was verified: look at the other one`)
      : fail(
          'RestoreDiffers',
          `${task.point.name} on ${cluster} lists as ${point.digest}, verified was ${task.point.digest}`,
          'This copy is not the point that was verified. Choose another point.',
        );
  }
  return undefined;
};

// ---------------------------------------------------------------- the target

const targetOf = (data: ExamineData, made: Answered<'create-target', 'bucket'> | undefined): Target | undefined => {
  if (made) return { created: made.observed.bucket.created, isNew: true };
  return data.target.state === 'read'
    ? { created: data.target.bucket.created, isNew: false, seen: data.target }
    : undefined;
};

const createTarget = (history: RunHistory, task: RestoreTask, { source }: ExamineData): BackupStep => {
  const { layout, replication, encryptionKey, quotaInBytes, quotaInNamespace } = task.point.envelope ?? source;
  if (layout === 'OBJECT_STORE')
    return fail('LayoutUnsupported', 'the bucket was backed up with the layout OBJECT_STORE', 'See the recovery plan.');
  const { bucket, cluster, kind } = task.target;
  // A scratch bucket and a side bucket are no place to enforce a quota that the original has.
  const quota = kind === 'in-place' ? { bytes: quotaInBytes, names: quotaInNamespace } : { bytes: 0, names: 0 };
  return operation(history, {
    kind: 'create-target',
    bucket,
    layout,
    replication: kind === 'scratch' ? '' : replication,
    quotaBytes: Math.max(0, quota.bytes),
    quotaNamespace: Math.max(0, quota.names),
    encryptionKey: kind === 'scratch' ? null : encryptionKey,
    reason: `${bucket} on ${cluster.name} does not exist: make it`,
  });
};

const conflicts = (
  history: RunHistory,
  task: RestoreTask,
  data: ExamineData,
  target: Target,
): BackupStep | undefined => {
  if (target.isNew) return undefined;
  const { bucket, absent, clash, first } = target.seen;
  const where = `${task.target.bucket} on ${task.target.cluster.name}`;
  if (bucket.layout === 'OBJECT_STORE')
    return fail(
      'LayoutUnsupported',
      `${where} has the layout OBJECT_STORE, which distcp cannot write`,
      'Restore to a side bucket.',
    );
  if (task.target.kind === 'scratch' && !hasMade(history, task))
    return fail('TargetNotOurs', `${where} is there already and is none of ours`, 'Remove it, or start another drill.');
  if (clash > 0 && task.overwrite !== 'never')
    return fail(
      'RestoreConflicts',
      `${clash} paths are a file in the point and a directory at ${where}, or the other way round: ${first.map(({ path }) => path).join(', ')}`,
      'Move them away, or restore to a side bucket. Nothing was copied.',
    );
  const growth = growthOf(task, data, target.seen);
  if (hasQuota(bucket) && bucket.usedBytes + growth > bucket.quotaInBytes)
    return fail(
      'QuotaExceeded',
      `${where} has a quota of ${bucket.quotaInBytes} bytes, ${bucket.usedBytes} are used and ${growth} more are needed`,
      'Raise the quota, or restore to a side bucket. Nothing was copied.',
    );
  if (bucket.quotaInNamespace > 0 && bucket.usedNamespace + absent.files > bucket.quotaInNamespace)
    return fail(
      'QuotaExceeded',
      `${where} may hold ${bucket.quotaInNamespace} names, ${bucket.usedNamespace} are used and ${absent.files} more are needed`,
      'Raise the quota, or restore to a side bucket. Nothing was copied.',
    );
  return undefined;
};

/** What another plan, or room at the target, would make good: it belongs into the plan. All else fails also when planning. */
const isObstacle = (verdict: Verdict): verdict is Extract<BackupStep, { kind: 'fail' }> =>
  verdict.kind === 'fail' && OBSTACLES.has(verdict.error);
const OBSTACLES: ReadonlySet<string> = new Set([
  'LayoutUnsupported',
  'PathsNotFound',
  'QuotaExceeded',
  'RestoreConflicts',
]);

/** The whole answer of a run that only looks: what it would do, and what keeps it from it. */
const planOnly = (
  history: RunHistory,
  task: RestoreTask,
  from: Side,
  data: ExamineData,
  target: Target | undefined,
  notRestored: BackupStep | undefined,
  now: EpochMs,
): Verdict => {
  const inTheWay = target && conflicts(history, task, data, target);
  if (inTheWay && !isObstacle(inTheWay)) return inTheWay;
  const obstacles = [notRestored, inTheWay].flatMap((verdict): readonly Obstacle[] =>
    verdict && isObstacle(verdict) ? [{ error: verdict.error, reason: verdict.reason, remedy: verdict.remedy }] : [],
  );
  const planned: TargetToPlan = target ?? { created: null, isNew: true };
  return {
    kind: 'plan',
    plan: restorePlan(
      history.run,
      task,
      from,
      whyFrom(history, task, from),
      data,
      planned,
      obstacles,
      now,
      primaryDiffers(history),
    ),
    reason: 'only a plan was asked for',
  };
};

const confirm = (
  history: RunHistory,
  task: RestoreTask,
  from: Side,
  data: ExamineData,
  target: Target,
  now: EpochMs,
): Verdict | undefined => {
  const allowed = task.confirmed;
  if (!allowed && !needsConfirmation(task, target)) return undefined;
  // What this run has copied already is there now, and would be replaced; of it nobody is asked.
  const isContinued = currentSteps(history).some(isCopy);
  if (!allowed && isContinued) return undefined;
  if (!allowed)
    return {
      kind: 'plan',
      plan: restorePlan(
        history.run,
        task,
        from,
        whyFrom(history, task, from),
        data,
        target,
        [],
        now,
        primaryDiffers(history),
      ),
      reason: 'it overwrites or deletes, or writes where people work: a person has to confirm it',
    };
  const { replaced, deleted } = effectOn(task, target);
  // A planned failover has brought over more since; all of it counts as replaced where it is there.
  const isWithin = isContinued || task.failover?.kind === 'planned' || replaced <= allowed.replaced;
  // A bucket that was still to be made when it was planned is one that this run has made.
  const isSameBucket =
    allowed.targetCreated === null ? target.isNew || hasMade(history, task) : allowed.targetCreated === target.created;
  if (isSameBucket && isWithin && deleted <= allowed.deleted) return undefined;
  return fail(
    'ChangedMeanwhile',
    `the plan was to replace ${allowed.replaced} and to delete ${allowed.deleted} files of the bucket ${allowed.targetCreated === null ? 'that was not there' : `created at ${allowed.targetCreated}`}; now it would be ${replaced} and ${deleted} of the one created at ${target.created}`,
    'Stop what writes there, then plan again. Nothing was changed.',
  );
};

/** Also when an earlier attempt of the run did, which then failed. */
const hasMade = (history: RunHistory, { target }: RestoreTask): boolean =>
  history.steps.some(({ decision }) => decision.kind === 'create-target' && decision.bucket === target.bucket);

const isWait = ({ decision }: RunStep): boolean => decision.kind === 'wait';

const isCopy = ({ decision }: RunStep): boolean => decision.kind === 'restore';

const keep = (history: RunHistory, task: RestoreTask, target: Target): BackupStep | undefined => {
  const { replaced, deleted } = effectOn(task, target);
  if (!isKept(task, target)) return undefined;
  return operation(history, {
    kind: 'safety-snapshot',
    name: safetySnapshotOf(history.run),
    reason: `${replaced} files are there and may be replaced, ${deleted} are deleted, and others may come: keep what is there`,
  });
};

// ---------------------------------------------------------------- copying and comparing

const copy = (history: RunHistory, task: RestoreTask, from: Side, target: Target, now: EpochMs): BackupStep => {
  const next = restore(history, task, from, target);
  return copyElsewhere(history, next, now) ?? next;
};

/** Another host cannot see the lock of the one on which a copy may still be alive. */
const copyElsewhere = (history: RunHistory, next: BackupStep, now: EpochMs): BackupStep | undefined => {
  const elsewhere = copiesAlive(history, now).filter(({ host }) => !('host' in next) || host !== next.host);
  return elsewhere.length > 0
    ? wait(untilOver(elsewhere, now), `the copy on ${elsewhere[0]?.host} may still be alive`)
    : undefined;
};

const copiesAlive = ({ pair }: RunHistory, now: EpochMs): RunHistory['pair']['copies'] =>
  pair.copies.filter(({ to, deadline }) => to === null && now < deadline);

/** Not as long as a lease without a sign of life. */
const untilThen = (now: EpochMs, then: EpochMs): DurationSeconds =>
  seconds(Math.min(900, Math.max(5, secondsBetween(now, then))));

const untilOver = (copies: RunHistory['pair']['copies'], now: EpochMs): DurationSeconds =>
  untilThen(now, epochMs(Math.max(...copies.map(({ deadline }) => deadline))));

const restore = (history: RunHistory, task: RestoreTask, from: Side, target: Target): BackupStep => {
  const copySeconds = seconds(Math.min(history.run.policy.limits.copyTimeout, LONGEST_COPY));
  const isRepeated = currentSteps(history).some(({ decision }) => decision.kind === 'restore');
  return operation(history, {
    kind: 'restore',
    from,
    // What an earlier try has written need not be written again; the comparison proves it.
    overwrite: isRepeated && task.overwrite === 'always' ? 'if-different' : task.overwrite,
    deleteExtra: task.deleteExtra,
    targetCreated: target.created,
    copySeconds,
    reason: `copy ${task.scope} of ${task.point.name} from ${task.point[from]?.cluster.name}${isRepeated ? ', going on where the last try ended' : ''}`,
  });
};

/** A drill asks the other side, whose content the copy must have; if that one cannot be asked, the copy itself. */
const compare = (history: RunHistory, task: RestoreTask, from: Side): BackupStep => {
  const other = Side.options.find((side) => side !== from && task.point[side]);
  const against = task.purpose === 'drill' && other && !isOutOfReach(history, other) ? other : from;
  return operation(history, {
    kind: 'compare',
    against,
    level: task.verification,
    exact: task.deleteExtra || task.target.kind === 'scratch',
    of: 'target',
    reason: `prove that the target is what ${task.point.name} on ${task.point[against]?.cluster.name} is`,
  });
};

/** Whether comparing with this side was refused, or it was away as often as the policy tries. */
const isOutOfReach = (history: RunHistory, side: Side): boolean => {
  const failures = comparisonsWith(history, side).flatMap(({ observed }) =>
    observed?.kind === 'not-done' ? [observed] : [],
  );
  return (
    failures.some(({ outcome }) => outcome !== 'unreachable') || failures.length >= history.run.policy.limits.attempts
  );
};

const comparisonsWith = (history: RunHistory, side: Side): readonly RunStep[] =>
  currentSteps(history).filter(({ decision }) => decision.kind === 'compare' && decision.against === side);

const differencesIn = ({ missing, changed, extra, first }: CompareData): string =>
  `${missing} missing, ${changed} differ, ${extra} extra: ${first
    .map(
      ({ path, source, replica }) => `${path} (${source ?? 'not in the point'}, at the target ${replica ?? 'nothing'})`,
    )
    .join(', ')}`;

/** What was at the target before this run wrote to it. */
const before = (history: RunHistory): Extract<SeenTarget, { state: 'read' }> | undefined => {
  const begin = currentSteps(history).find(({ decision }) => decision.kind === 'restore');
  const seen = currentSteps(history).findLast(
    (step): step is Answered<'examine', 'examination'> =>
      step.n < (begin?.n ?? 0) && isAnswered('examine', 'examination')(step),
  );
  return seen?.observed.data.target.state === 'read' ? seen.observed.data.target : undefined;
};

/** What was there before and was to stay may differ, but nothing else: not in more files, nor in the length of more. */
const isAsItWas = (
  history: RunHistory,
  { missing, changed, extra, checksums }: CompareData,
  exact: boolean,
): boolean => {
  const { sameLength = 0, otherLength = 0, clash = 0 } = before(history) ?? {};
  return (
    missing === 0 &&
    (!exact || extra === 0) &&
    changed <= sameLength + otherLength + clash &&
    changed - (checksums?.differ ?? 0) <= otherLength + clash
  );
};

const outcome = (
  history: RunHistory,
  task: RestoreTask,
  from: Side,
  examined: ExamineData,
  { decision, observed, observedAt, decidedAt }: Answered<'compare', 'comparison'>,
): BackupStep => {
  const { data } = observed;
  const where = `${task.target.bucket} on ${task.target.cluster.name}`;
  const isAsAsked = data.equal || (task.overwrite === 'never' && isAsItWas(history, data, decision.exact));
  if (!isAsAsked)
    return fail(
      'RestoreDiffers',
      `${where} is not what ${task.point.name} on ${task.point[decision.against]?.cluster.name} is: ${differencesIn(data)}`.slice(
        0,
        990,
      ),
      task.purpose === 'drill'
        ? 'This backup would not have come back as it was: treat its bucket as without one until a drill passes.'
        : 'Somebody may have written there meanwhile. Start the restore again; it copies what differs.',
    );
  const totals = copiedBy(history);
  const begin = currentSteps(history).find(({ decision: { kind } }) => kind === 'examine')?.decidedAt ?? decidedAt;
  const took = seconds(secondsBetween(begin, observedAt ?? decidedAt) - waitedInLine(history));
  const common = {
    point: task.point.name,
    from,
    files: examined.point.files,
    bytes: examined.point.bytes,
    bytesCopied: totals.bytes,
    seconds: took,
    level: data.level,
  };
  const kept = currentSteps(history)
    .filter(isAnswered('safety-snapshot', 'snapshot'))
    .map((step) => step.decision.name)
    .filter((name) => name !== openedName(history));
  if (task.failover) {
    const { kind, from: before, to, epoch } = task.failover;
    return {
      kind: 'done',
      outcome: {
        kind: 'failed-over',
        bucket: history.run.bucket,
        failover: kind,
        from: before.name,
        to: task.target.cluster.name,
        epoch,
        point: task.point.name,
        lossSeconds: kind === 'planned' ? seconds(0) : secondsBetween(task.point.created, history.run.startedAt),
        files: examined.point.files,
        bytes: examined.point.bytes,
        bytesCopied: totals.bytes,
        safetySnapshot: kept[0] ?? null,
        opened: null,
        restricted: null,
        seconds: took,
        level: data.level,
        notes: [
          `point everything that reads or writes ${history.run.bucket} to ${task.target.cluster.name}, also what creates snapshots there`,
          to === 'source'
            ? `backups and prunes of this bucket go on in the usual direction with the next slot, as increments: ${before.name} is its replica again, and must not be written to`
            : `backups and prunes of this bucket wait until a failback; ${before.name} must not be written to`,
        ],
      },
      reason: `${task.target.bucket} on ${task.target.cluster.name} is what ${task.point.name} is`,
    };
  }
  if (task.purpose === 'restore') {
    return {
      kind: 'done',
      outcome: {
        kind: 'restored',
        ...common,
        target: where,
        scope: task.scope,
        leftAlone: data.changed,
        safetySnapshot: kept[0] ?? null,
        notes: kept.map(
          (name) =>
            `nothing deletes the snapshot ${name} of ${where}: delete it when nobody needs what was there before`,
        ),
      },
      reason: `the target has what ${task.point.name} has`,
    };
  }
  const { rto } = history.run.policy.objectives;
  if (took > rto)
    return fail(
      'RestoreTooSlow',
      `the restore of ${examined.point.bytes} bytes took ${took} s, the objective is ${rto} s`,
      'Raise maps or bandwidth, restore on more hosts, or ask less of the objective. The content was equal.',
    );
  return {
    kind: 'done',
    outcome: {
      kind: 'drilled',
      ...common,
      against: `${task.point.name} on ${task.point[decision.against]?.cluster.name}`,
      copySeconds: totals.seconds,
      rto,
      notes: decision.against === from ? [onlyItself(history, task, from)] : [],
    },
    reason: `restored, equal, in ${took} s`,
  };
};

/** What a drill that could not ask the other side does not prove, and why it could not. */
const onlyItself = (history: RunHistory, task: RestoreTask, from: Side): string => {
  const other = Side.options.find((side) => side !== from && task.point[side]);
  const asked = other && comparisonsWith(history, other).at(-1);
  const why = asked ? `: ${other && task.point[other]?.cluster.name} could not be asked (${messageOf(asked)})` : '';
  return `only the copy itself was there to compare with, and damage that it had before its listing was verified is not found${why}`;
};

/** A restore that people wait for would not have waited: a drill is measured without it. */
const waitedInLine = (history: RunHistory): number =>
  currentSteps(history).reduce(
    (sum, { decision, decidedAt, observedAt }) =>
      decision.kind === 'wait' && decision.queued ? sum + secondsBetween(decidedAt, observedAt ?? decidedAt) : sum,
    0,
  );

const copiedBy = (history: RunHistory) => {
  let bytes = 0;
  let took = 0;
  for (const { decision, observed } of currentSteps(history)) {
    if (decision.kind !== 'restore' || !observed) continue;
    const data =
      observed.kind === 'restored' ? observed.data : observed.kind === 'not-done' ? observed.restored : undefined;
    bytes += data?.copy?.bytesCopied ?? 0;
    took += data?.copy?.seconds ?? 0;
  }
  return { bytes: Bytes.parse(bytes), seconds: seconds(took) };
};

// ---------------------------------------------------------------- failures

const failureOf = (history: RunHistory, task: RestoreTask, now: EpochMs): BackupStep | undefined => {
  const last = currentSteps(history).at(-1);
  if (!last?.observed || !isFailure(last.observed)) return undefined;
  const { decision, observed } = last;
  switch (decision.kind) {
    case 'examine':
      return observed.kind === 'not-done' ? refused(history, task, last) : afterFailure(history, last);
    case 'restore':
      return copyFailure(history, task, observed, now) ?? afterFailure(withoutProgress(history, last), last);
    case 'compare': {
      if (decision.of === 'primary' && !task.confirmed) return undefined;
      const isNextBest = task.purpose === 'drill' && decision.against !== readFrom(history);
      if (isNextBest && isOutOfReach(history, decision.against)) return undefined;
      if (isOneOf(GONE, observed)) return goneAfterAll(task, decision.against, observed);
      const { against } = decision;
      const steps = history.steps.filter((it) => it.decision.kind !== 'compare' || it.decision.against === against);
      return afterFailure({ ...history, steps }, last);
    }
    // The failover is done without it, too.
    case 'restrict':
      return undefined;
    default:
      return afterFailure(history, last);
  }
};

/** A copy could not be looked at: another one that was not tried yet, else the one that may come back. */
const refused = (history: RunHistory, task: RestoreTask, last: RunStep): BackupStep | undefined => {
  if (unread(history, task).length > 0) return undefined;
  const mayComeBack = readable(history, task);
  if (mayComeBack.length === 0) return pointGone(history, task);
  const isOpen = ({ decision }: RunStep) => decision.kind === 'examine' && mayComeBack.includes(decision.from);
  return afterFailure(history, isOpen(last) ? last : currentSteps(history).findLast(isOpen));
};

const readFrom = (history: RunHistory): Side | undefined =>
  currentSteps(history).findLast(isAnswered('examine', 'examination'))?.decision.from;

type NotDone = Extract<Observation, { kind: 'not-done' }>;

const isOneOf = (codes: ReadonlySet<string>, observed: Observation): observed is NotDone =>
  observed.kind === 'not-done' && codes.has(observed.code);

/** The copy was there when it was looked at. */
const goneAfterAll = (task: RestoreTask, side: Side, { message }: NotDone): BackupStep =>
  fail(
    'PointGone',
    `${task.point.name} cannot be read any more on ${task.point[side]?.cluster.name}: ${message}`,
    'Choose another point: npm run explain lists those that are there.',
  );

const madeProgress = (observed: Observation | null): boolean =>
  observed?.kind === 'not-done' && observed.code === 'copy-timeout' && (observed.restored?.copy?.filesCopied ?? 0) > 0;

/** The failures that count: not those of a copy that was further on after them, nor the waits for another copy. */
const withoutProgress = (history: RunHistory, last: RunStep): RunHistory => {
  const isBusy = ({ observed }: RunStep) => observed?.kind === 'not-done' && observed.code === 'bucket-busy';
  return {
    ...history,
    steps: history.steps.filter((step) => !madeProgress(step.observed) && (isBusy(last) || !isBusy(step))),
  };
};

const copyFailure = (
  history: RunHistory,
  task: RestoreTask,
  observed: Observation,
  now: EpochMs,
): BackupStep | undefined => {
  const where = `${task.target.bucket} on ${task.target.cluster.name}`;
  if (observed.kind !== 'not-done') return undefined;
  if (GONE.has(observed.code)) return goneAfterAll(task, readFrom(history) ?? 'source', observed);
  // It moves on; only a copy that does not is given up.
  if (madeProgress(observed)) return wait(SOON, 'the time of one command was not enough for all: go on');
  switch (observed.code) {
    case 'bucket-busy': {
      const alive = copiesAlive(history, now);
      return alive.length > 0
        ? wait(untilOver(alive, now), `an earlier copy into ${where} is still alive: ${observed.message}`)
        : undefined;
    }
    case 'bucket-other':
      return fail(
        'ChangedMeanwhile',
        `${where}: ${observed.message}`,
        'Start the restore again: it looks at what is there now.',
      );
    case 'clash':
      return fail('RestoreConflicts', `${where}: ${observed.message}`, 'Move it away, or restore to a side bucket.');
    case 'selection-unmatched':
      return fail('PathsNotFound', observed.message, 'Correct the paths. Nothing was copied.');
    default:
      return undefined;
  }
};

const SOON = seconds(5);

// ---------------------------------------------------------------- scratch buckets of drills

/** The first step of this attempt that removes the bucket that it has restored to: what came of the drill was known then. */
const removalBegan = (history: RunHistory, { target }: RestoreTask): number | undefined => {
  const looked = firstLook(history);
  return currentSteps(history).find(
    ({ n, decision }) =>
      looked !== undefined && n > looked && decision.kind === 'remove-scratch' && decision.bucket === target.bucket,
  )?.n;
};

const firstLook = (history: RunHistory): number | undefined =>
  currentSteps(history).find(({ decision }) => decision.kind === 'examine')?.n;

/** The run as it was before a step, also when another execution goes on since. */
const until = (history: RunHistory, step: number): RunHistory => {
  const { run } = history;
  const factsFrom = (run.factsFrom ?? 0) > step ? run.firstStep : (run.factsFrom ?? 0);
  return { ...history, run: { ...run, factsFrom }, steps: history.steps.filter(({ n }) => n < step) };
};

/** What an earlier drill, or an earlier attempt of this one, left behind: before anything new is made. */
const removeLeftover = (history: RunHistory, task: RestoreTask, now: EpochMs): BackupStep | undefined => {
  const { scratch } = history.pair;
  if (!scratch) return undefined;
  const { source, replica } = history.run.policy;
  if (scratch.cluster !== task.target.cluster.name)
    return [source.name, replica?.name].includes(scratch.cluster)
      ? fail(
          'ScratchNotRemoved',
          `the scratch bucket ${scratch.bucket} of an earlier drill is on ${scratch.cluster}, where this one does not work`,
          'Set drills.on back for one drill, which removes it.',
        )
      : undefined;
  const isOfThisAttempt = scratch.runId === history.run.runId && firstLook(history) !== undefined;
  return isOfThisAttempt ? undefined : removal(history, scratch, 'an earlier drill left it behind', now);
};

const removeScratch = (
  history: RunHistory,
  verdict: Extract<BackupStep, { kind: 'done' | 'fail' }>,
  now: EpochMs,
): BackupStep | undefined => {
  const { scratch } = history.pair;
  if (!scratch || scratch.runId !== history.run.runId) return undefined;
  const why =
    verdict.kind === 'fail'
      ? `the drill failed (${verdict.error}: ${verdict.reason})`.slice(0, 500)
      : 'the drill is over';
  return removal(history, scratch, why, now);
};

/** A drill is given up while an operation of it may be alive, which may write to its scratch bucket. */
const scratchLeftBy = (
  { run, pair }: RunHistory,
  verdict: Extract<BackupStep, { kind: 'fail' }>,
): BackupStep | undefined =>
  pair.scratch?.runId === run.runId
    ? fail(
        'ScratchNotRemoved',
        `${verdict.reason}, so ${pair.scratch.bucket} was not removed`,
        `${verdict.remedy} The next drill removes the bucket.`,
      )
    : undefined;

/**
 * A scratch bucket is known by its creation time. One that was never answered for is asked to be made once more: either
 * it is there, or it is made and removed again.
 */
const removal = (
  history: RunHistory,
  { bucket, created, since }: NonNullable<RunHistory['pair']['scratch']>,
  reason: string,
  now: EpochMs,
): BackupStep => {
  const { limits, drills } = history.run.policy;
  const last = currentSteps(history).at(-1);
  const kind = created === null ? 'create-target' : 'remove-scratch';
  const isOfBucket = ({ decision }: RunStep) => decision.kind === kind && decision.bucket === bucket;
  const failures = currentSteps(history).filter(
    (step) => isOfBucket(step) && step.observed && isFailure(step.observed),
  );
  const tries = failures.length;
  // What could not be made may have used up the tries of making it.
  if (tries >= (created === null ? 2 : 1) * limits.attempts)
    return fail(
      'ScratchNotRemoved',
      `the scratch bucket ${bucket} could not be removed (${tries} times): ${messageOf(failures.at(-1))}; ${reason}`,
      `Remove it: ozone sh bucket delete -r --yes o3://…/${bucket}. The next drill tries again${drills ? '' : ' when there is one'}.`,
    );
  if (last && last === failures.at(-1))
    return wait(backoff(tries), `${bucket} could not be removed: ${messageOf(last)}`);
  // A command that makes it may be on its way, and would make it again once it is gone and forgotten.
  const over = later(since, SHORT_LIFETIME);
  const isUnanswered = currentSteps(history).some(
    ({ decision, observed }) =>
      decision.kind === 'create-target' && decision.bucket === bucket && observed?.kind === 'no-answer',
  );
  if ((created === null || isUnanswered) && now < over)
    return wait(untilThen(now, over), `${bucket} may still be made by a command that was never answered`);
  if (created === null)
    return operation(history, {
      kind: 'create-target',
      bucket,
      layout: 'FILE_SYSTEM_OPTIMIZED',
      replication: '',
      quotaBytes: 0,
      quotaNamespace: 0,
      encryptionKey: null,
      reason: `find out when ${bucket} was made: ${reason}`,
    });
  const next = operation(history, { kind: 'remove-scratch', bucket, created, reason: `remove ${bucket}: ${reason}` });
  // Only the lock of its own host tells that a copy is over, and one that is not would make the bucket once more.
  const alive = copiesAlive(history, now).at(-1);
  return alive && 'host' in next ? { ...next, host: alive.host } : next;
};

const messageOf = (step: RunStep | undefined): string =>
  step?.observed?.kind === 'not-done'
    ? `${step.observed.code} ${step.observed.message}`.slice(0, 400)
    : step?.observed?.kind === 'no-answer'
      ? step.observed.error
      : '';
