import type { BackupStep, BackupStepKind } from '../domain/backup-step.ts';
import type { CompareData, ExamineData } from '../domain/edge-reply.ts';
import type { Observation, RunStep } from '../domain/ledger.ts';
import type { RestorePlan, RestoreTask } from '../domain/restore.ts';
import { Side } from '../domain/retention.ts';
import { Bytes, type DurationSeconds, type EpochMs, seconds, secondsBetween } from '../domain/units.ts';
import { afterFailure } from './failures.ts';
import { currentSteps, failuresOf, isFailure, type RunHistory } from './history.ts';
import { reattach } from './reattach.ts';
import { effectOn, needsConfirmation, restorePlan, safetySnapshotOf, type Target } from './restore-plan.ts';
import { backoff, fail, operation, wait } from './steps.ts';

/** A restore that a person has to confirm first. */
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
  if (open) return open;
  const before = task.purpose === 'drill' ? removeLeftover(history, task) : undefined;
  if (before) return before;
  const verdict = judge(history, task, now);
  const isOver = verdict.kind === 'done' || verdict.kind === 'fail';
  return isOver && task.purpose === 'drill' ? (removeScratch(history, task, verdict) ?? verdict) : verdict;
};

type Answered<K extends BackupStepKind, O extends Observation['kind']> = RunStep & {
  readonly decision: Extract<BackupStep, { kind: K }>;
  readonly observed: Extract<Observation, { kind: O }>;
};

const isAnswered =
  <K extends BackupStepKind, O extends Observation['kind']>(kind: K, observed: O) =>
  (step: RunStep): step is Answered<K, O> =>
    step.decision.kind === kind && step.observed?.kind === observed;

/** What was seen under this lease: another execution may have had the target before. */
const ofNow = (history: RunHistory): readonly RunStep[] =>
  currentSteps(history).filter((step) => step.operationStep >= (history.run.factsFrom ?? 0));

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

const judge = (all: RunHistory, task: RestoreTask, now: EpochMs): Verdict => {
  const history = { ...all, steps: all.steps.filter(({ decision }) => decision.kind !== 'remove-scratch') };
  const steps = ofNow(history);
  const failed = failureOf(history, task, now);
  if (failed) return failed;

  const seen = steps.findLast(isAnswered('examine', 'examination'));
  if (!seen) return examine(history, task);
  const { data } = seen.observed;
  const { from } = seen.decision;
  const made = steps.findLast((step) => step.n > seen.n && isAnswered('create-target', 'bucket')(step));
  const unread = made ? undefined : unreadTarget(history, task, data, steps.at(-1) === seen);
  if (unread) return unread;
  const obstacle = notRestorable(history, task, from, data);
  if (obstacle) return obstacle;
  const target = targetOf(data, made);
  if (!target) return createTarget(history, task, data);
  const inTheWay = conflicts(history, task, data, target);
  if (inTheWay) return inTheWay;

  const begun = currentSteps(history).some(({ decision }) => decision.kind === 'restore');
  if (needsConfirmation(task, target) && !begun) {
    const asked = confirmed(history, task, from, data, target, now);
    if (asked) return asked;
  }
  const { replaced, deleted } = effectOn(task, target);
  const isKept = steps.some((step) => step.n > seen.n && isAnswered('safety-snapshot', 'snapshot')(step));
  if (replaced + deleted > 0 && !begun && !isKept)
    return operation(history, {
      kind: 'safety-snapshot',
      name: safetySnapshotOf(history.run),
      reason: `${replaced} files are there and may be replaced, ${deleted} are deleted: keep what is there`,
    });

  const copied = steps.findLast((step) => step.n > seen.n && isAnswered('restore', 'restored')(step));
  if (!copied) return restore(history, task, from, target);
  const compared = steps.findLast(
    (step): step is Answered<'compare', 'comparison'> => step.n > copied.n && isAnswered('compare', 'comparison')(step),
  );
  if (!compared) return compare(history, task, from);
  return outcome(history, task, from, data, target, compared);
};

// ---------------------------------------------------------------- looking

const examine = (history: RunHistory, task: RestoreTask): BackupStep => {
  const tried = new Set(
    currentSteps(history).flatMap(({ decision, observed }) =>
      decision.kind === 'examine' && observed?.kind === 'not-done' ? [decision.from] : [],
    ),
  );
  const sides = sidesToRead(task);
  const from = sides.find((side) => !tried.has(side)) ?? sides[0];
  if (!from) return fail('PointGone', `no copy of ${task.point.name} is left on either side`, 'Choose another point.');
  return operation(history, {
    kind: 'examine',
    from,
    reason: `see what ${task.scope} of ${task.point.name} is on ${task.point[from]?.cluster.name}, and what is at the target`,
  });
};

/** The target could not be read: neither missing nor there. */
const unreadTarget = (
  history: RunHistory,
  { target }: RestoreTask,
  { target: seen }: ExamineData,
  isLast: boolean,
): BackupStep | undefined => {
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
  return isLast
    ? wait(backoff(tries), why)
    : operation(history, { kind: 'examine', from: lastSide(history), reason: `look again: ${why}`.slice(0, 900) });
};

const lastSide = (history: RunHistory): Side => {
  const last = currentSteps(history).findLast(({ decision }) => decision.kind === 'examine');
  return last?.decision.kind === 'examine' ? last.decision.from : 'source';
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
    const other = sidesToRead(task).find((side) => side !== from && !wasRead(history, side));
    return other
      ? operation(history, {
          kind: 'examine',
          from: other,
          reason: `the copy on ${cluster} is not what was verified: look at the other one`,
        })
      : fail(
          'RestoreDiffers',
          `${task.point.name} on ${cluster} lists as ${point.digest}, verified was ${task.point.digest}`,
          'This copy is not the point that was verified. Choose another point.',
        );
  }
  return undefined;
};

const wasRead = (history: RunHistory, side: Side): boolean =>
  currentSteps(history).some(
    ({ decision, observed }) =>
      decision.kind === 'examine' && decision.from === side && observed?.kind === 'examination',
  );

// ---------------------------------------------------------------- the target

const targetOf = (data: ExamineData, made: RunStep | undefined): Target | undefined => {
  if (made?.observed?.kind === 'bucket') return { created: made.observed.bucket.created, isNew: true };
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

/** What one byte of content takes of a quota. */
const copies = (replication: string): number => {
  const ec = /^EC\/[a-z]+-(\d+)-(\d+)-/.exec(replication);
  if (ec) return (Number(ec[1]) + Number(ec[2])) / Number(ec[1]);
  return replication.endsWith('/THREE') ? 3 : 1;
};

const conflicts = (
  history: RunHistory,
  task: RestoreTask,
  { source }: ExamineData,
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
  const isMade = history.steps.some(
    ({ decision }) => decision.kind === 'create-target' && decision.bucket === task.target.bucket,
  );
  if (task.target.kind === 'scratch' && !isMade)
    return fail('TargetNotOurs', `${where} is there already and is none of ours`, 'Remove it, or start another drill.');
  if (clash > 0 && task.overwrite !== 'never')
    return fail(
      'RestoreConflicts',
      `${clash} paths are a file in the point and a directory at ${where}, or the other way round: ${first.map(({ path }) => path).join(', ')}`,
      'Move them away, or restore to a side bucket. Nothing was copied.',
    );
  const growth = absent.bytes * copies(bucket.replication || source.replication);
  if (bucket.quotaInBytes > 0 && bucket.usedBytes + growth > bucket.quotaInBytes)
    return fail(
      'QuotaExceeded',
      `${where} has a quota of ${bucket.quotaInBytes} bytes, ${bucket.usedBytes} are used and ${Math.ceil(growth)} more are needed`,
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

const confirmed = (
  history: RunHistory,
  task: RestoreTask,
  from: Side,
  data: ExamineData,
  target: Target,
  now: EpochMs,
): Verdict | undefined => {
  const allowed = task.confirmed;
  if (!allowed) {
    const plan = restorePlan(history.run, task, from, data, target, now);
    return (
      plan && {
        kind: 'plan',
        plan,
        reason: 'it overwrites or deletes, or writes where people work: a person has to confirm it',
      }
    );
  }
  const { replaced, deleted } = effectOn(task, target);
  if (allowed.targetCreated === target.created && replaced <= allowed.replaced && deleted <= allowed.deleted)
    return undefined;
  return fail(
    'ChangedMeanwhile',
    `the plan was to replace ${allowed.replaced} and to delete ${allowed.deleted} files of the bucket created at ${allowed.targetCreated}; now it would be ${replaced} and ${deleted} of the one created at ${target.created}`,
    'Stop what writes there, then plan again. Nothing was changed.',
  );
};

// ---------------------------------------------------------------- copying and comparing

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
  const isRefused = currentSteps(history).some(
    ({ decision, observed }) =>
      decision.kind === 'compare' && decision.against === other && observed?.kind === 'not-done',
  );
  const against = task.purpose === 'drill' && other && !isRefused ? other : from;
  return operation(history, {
    kind: 'compare',
    against,
    level: task.verification,
    exact: task.deleteExtra || task.target.kind === 'scratch',
    reason: `prove that the target is what ${task.point.name} on ${task.point[against]?.cluster.name} is`,
  });
};

const differencesIn = ({ missing, changed, extra, first }: CompareData): string =>
  `${missing} missing, ${changed} differ, ${extra} extra: ${first
    .map(
      ({ path, source, replica }) => `${path} (${source ?? 'not in the point'}, at the target ${replica ?? 'nothing'})`,
    )
    .join(', ')}`;

const outcome = (
  history: RunHistory,
  task: RestoreTask,
  from: Side,
  examined: ExamineData,
  target: Target,
  { decision, observed, observedAt, decidedAt }: Answered<'compare', 'comparison'>,
): BackupStep => {
  const { data } = observed;
  const { leftAlone } = effectOn(task, target);
  const where = `${task.target.bucket} on ${task.target.cluster.name}`;
  // What was there before and was to stay may differ, but nothing else.
  const isAsAsked =
    data.equal ||
    (task.overwrite === 'never' &&
      data.missing === 0 &&
      data.changed <= leftAlone &&
      (!decision.exact || data.extra === 0));
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
  const begin = currentSteps(history)[0]?.decidedAt ?? decidedAt;
  const took = secondsBetween(begin, observedAt ?? decidedAt);
  const common = {
    point: task.point.name,
    from,
    files: examined.point.files,
    bytes: examined.point.bytes,
    bytesCopied: totals.bytes,
    seconds: took,
    level: data.level,
  };
  if (task.purpose === 'restore') {
    const { replaced, deleted } = effectOn(task, target);
    const kept = replaced + deleted > 0 ? safetySnapshotOf(history.run) : null;
    return {
      kind: 'done',
      outcome: {
        kind: 'restored',
        ...common,
        target: where,
        scope: task.scope,
        leftAlone: data.changed,
        safetySnapshot: kept,
        notes: kept
          ? [`nothing deletes the snapshot ${kept} of ${where}: delete it when nobody needs what was there before`]
          : [],
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
      notes:
        decision.against === from
          ? [
              'only the copy itself was there to compare with: damage that it had before its listing was verified is not found',
            ]
          : [],
    },
    reason: `restored, equal, in ${took} s`,
  };
};

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
  const code = observed.kind === 'not-done' ? observed.code : '';
  const why = observed.kind === 'not-done' ? observed.message : '';
  switch (decision.kind) {
    case 'examine': {
      const isRefused = observed.kind === 'not-done';
      const others = sidesToRead(task).filter((side) => side !== decision.from && !wasRefused(history, side));
      if (isRefused && others.length > 0) return undefined;
      return GONE.has(code) ? pointGone(task, decision.from, why) : afterFailure(history, last);
    }
    case 'restore':
      return copyFailure(history, task, decision, observed, now) ?? afterFailure(history, last);
    case 'compare':
      if (GONE.has(code) && decision.against !== lastSide(history)) return undefined;
      return GONE.has(code) ? pointGone(task, decision.against, why) : afterFailure(history, last);
    default:
      return afterFailure(history, last);
  }
};

const wasRefused = (history: RunHistory, side: Side): boolean =>
  currentSteps(history).some(
    ({ decision, observed }) => decision.kind === 'examine' && decision.from === side && observed?.kind === 'not-done',
  );

const pointGone = (task: RestoreTask, side: Side, why: string): BackupStep =>
  fail(
    'PointGone',
    `${task.point.name} cannot be read on ${task.point[side]?.cluster.name}: ${why}`,
    'Choose another point: npm run explain lists those that are there.',
  );

const copyFailure = (
  history: RunHistory,
  task: RestoreTask,
  decision: Extract<BackupStep, { kind: 'restore' }>,
  observed: Observation,
  now: EpochMs,
): BackupStep | undefined => {
  const deadline = history.pair.copies.at(-1)?.deadline;
  const where = `${task.target.bucket} on ${task.target.cluster.name}`;
  if (observed.kind === 'no-answer') {
    const mayLive = deadline !== undefined && now < deadline && observed.error !== 'EdgeUnreachable';
    const isAlone = task.target.cluster.hosts.length === 1;
    // Another host cannot see the lock of the first, on which the copy may still be alive.
    return mayLive && !isAlone
      ? wait(untilThen(now, deadline), `the copy on ${decision.host} may still be alive`)
      : undefined;
  }
  if (observed.kind !== 'not-done') return undefined;
  if (GONE.has(observed.code)) return pointGone(task, decision.from, observed.message);
  switch (observed.code) {
    case 'bucket-busy':
      return deadline !== undefined && now < deadline
        ? wait(untilThen(now, deadline), `an earlier copy into ${where} is still alive: ${observed.message}`)
        : undefined;
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
    case 'copy-timeout':
      // It moves on; only a copy that does not is given up.
      return (observed.restored?.copy?.filesCopied ?? 0) > 0
        ? wait(SOON, 'the time of one command was not enough for all: go on')
        : undefined;
    default:
      return undefined;
  }
};

const SOON = seconds(5);
const untilThen = (now: EpochMs, then: EpochMs): DurationSeconds =>
  seconds(Math.min(300, Math.max(5, secondsBetween(now, then))));

// ---------------------------------------------------------------- scratch buckets of drills

/** What an earlier drill left behind, before anything new is made. */
const removeLeftover = (history: RunHistory, task: RestoreTask): BackupStep | undefined => {
  const { scratch } = history.pair;
  if (!scratch || scratch.runId === history.run.runId || scratch.cluster !== task.target.cluster.name) return undefined;
  return removal(history, scratch, 'an earlier drill left it behind');
};

const removeScratch = (history: RunHistory, task: RestoreTask, verdict: Verdict): BackupStep | undefined => {
  const { scratch } = history.pair;
  if (!scratch || scratch.runId !== history.run.runId) return undefined;
  const why = verdict.kind === 'fail' ? `the drill failed (${verdict.error})` : 'the drill is over';
  return removal(history, scratch, `${why}: ${task.point.name} was restored to it`);
};

/**
 * A scratch bucket is known by its creation time. One that was never answered for is asked to be made once more: either
 * it is there, or it is made and removed again.
 */
const removal = (
  history: RunHistory,
  { bucket, created }: NonNullable<RunHistory['pair']['scratch']>,
  reason: string,
): BackupStep => {
  const { limits, drills } = history.run.policy;
  const last = currentSteps(history).at(-1);
  const kind = created === null ? 'create-target' : 'remove-scratch';
  const tries = failuresOf(history, kind);
  if (last?.decision.kind === kind && last.observed && isFailure(last.observed)) {
    const failed = afterFailure(history, last);
    if (failed?.kind === 'wait') return failed;
  }
  // What could not be made may have used up the tries of making it.
  if (tries >= (created === null ? 2 : 1) * limits.attempts)
    return fail(
      'ScratchNotRemoved',
      `the scratch bucket ${bucket} could not be removed (${tries} times): ${messageOf(last)}; ${reason}`,
      `Remove it: ozone sh bucket delete -r --yes o3://…/${bucket}. The next drill tries again${drills ? '' : ' when there is one'}.`,
    );
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
  return operation(history, { kind: 'remove-scratch', bucket, created, reason: `remove ${bucket}: ${reason}` });
};

const messageOf = (step: RunStep | undefined): string =>
  step?.observed?.kind === 'not-done'
    ? `${step.observed.code} ${step.observed.message}`.slice(0, 400)
    : step?.observed?.kind === 'no-answer'
      ? step.observed.error
      : '';
