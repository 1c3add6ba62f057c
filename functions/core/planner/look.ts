import type { LookedPoint, OperationStep } from '../domain/backup-step.ts';
import type { ChangesData, SeenVersion, VersionsData } from '../domain/edge-reply.ts';
import type { RecoveryPoint } from '../domain/ledger.ts';
import type { LookOutput, LookRequest, Version } from '../domain/look.ts';
import type { BucketRef, SnapshotName } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import { Side } from '../domain/retention.ts';
import { type DurationSeconds, type EpochMs, seconds, secondsBetween } from '../domain/units.ts';
import { DrError, ERROR_NAMES, type ErrorName } from '../errors.ts';
import type { RunHistory } from './history.ts';
import { nearestNames } from './nearest-names.ts';

export type LookStep = Extract<OperationStep, { kind: 'look-versions' | 'look-changes' }>;

type Plain<S> = S extends LookStep ? Omit<S, 'host' | 'timeoutSeconds' | 'heartbeatSeconds'> : never;
/** What is to be asked; where and for how long is added when it is recorded. */
export type Question = Plain<LookStep>;

const NEWEST = 20;
/** A page of so many long names fits into the output of a state machine, 256 KB. */
const PAGE = 100;

const isStanding = ({ removal }: RecoveryPoint, side: Side): boolean =>
  removal[side]?.state !== 'deleting' && removal[side]?.state !== 'deleted';

/** A copy shows what the point held only once it was compared. */
const lookedPoint = (point: RecoveryPoint): LookedPoint => {
  const { replica } = point;
  const isCopied = replica && !replica.condemned && point.state === 'verified' && isStanding(point, 'replica');
  return {
    name: point.name,
    created: point.source.created,
    source: isStanding(point, 'source') ? point.source.id : null,
    replica: isCopied ? replica.id : null,
  };
};

const readableOn = (points: readonly LookedPoint[], side: Side): readonly LookedPoint[] =>
  points.filter((point) => point[side] !== null);
const isReadable = (points: readonly LookedPoint[], side: Side): boolean =>
  readableOn(points, side).length === points.length;

const find = (points: readonly LookedPoint[], name: SnapshotName, bucket: BucketRef): LookedPoint => {
  const found = points.find((point) => point.name === name);
  if (!found) {
    const near = nearestNames(
      name,
      points.map((point) => point.name),
    );
    const hint = near.length > 0 ? `did you mean ${near.join(' or ')}?` : 'it has no points yet.';
    throw new DrError(
      'EventInvalid',
      `${bucket} has no point ${name}: ${hint} Whether it was deleted tells npm run explain -- ${bucket} --point ${name}`,
    );
  }
  return found;
};

/** The side where all of them can be read, the source first. @throws PointGone */
const sideOf = (points: readonly LookedPoint[], bucket: BucketRef): Side => {
  const side = Side.options.find((it) => isReadable(points, it));
  if (side) return side;
  const where = points.map(({ name, source, replica }) =>
    source === null && replica === null
      ? `${name} nowhere`
      : `${name} on the ${source === null ? 'replica' : 'source'} only`,
  );
  throw new DrError(
    'PointGone',
    `no side of ${bucket} has all of these points: ${where.slice(0, 10).join(', ')}. Ask for those of one side`,
  );
};

/** The newest ones that can be read somewhere; where no side has them all, those of the side that has more. */
const newest = (points: readonly LookedPoint[], bucket: BucketRef): readonly LookedPoint[] => {
  const readable = points.filter(({ source, replica }) => source !== null || replica !== null).slice(0, NEWEST);
  if (readable.length === 0) throw new DrError('PointGone', `${bucket} has no point that can be read`);
  if (Side.options.some((side) => isReadable(readable, side))) return readable;
  const [source, replica] = [readableOn(readable, 'source'), readableOn(readable, 'replica')];
  return replica.length > source.length ? replica : source;
};

/**
 * What a look asks of which side.
 * @param living points of the bucket, in any order
 * @throws EventInvalid, PointGone
 */
export const questionOf = (
  request: LookRequest,
  living: readonly RecoveryPoint[],
  policy: Policy,
  execution: string,
  now: EpochMs,
): Question => {
  const { bucket } = request;
  const points = living.map(lookedPoint).toSorted((one, other) => other.created - one.created);
  if (request.kind === 'versions') {
    const names = request.points && new Set(request.points);
    const asked = names
      ? [...names].map((name) => find(points, name, bucket)).toSorted((one, other) => other.created - one.created)
      : newest(points, bucket);
    return {
      kind: 'look-versions',
      execution,
      side: sideOf(asked, bucket),
      path: request.path,
      points: [...asked],
      reason: `where a path is in ${asked.length} points`,
    };
  }
  const [from, to] = [find(points, request.from, bucket), find(points, request.to, bucket)];
  if (from.created >= to.created)
    throw new DrError('EventInvalid', `changesFrom is the older point: ${from.name} is not older than ${to.name}`);
  if (secondsBetween(from.created, now) > policy.limits.diffMaxAge)
    throw new DrError(
      'EventInvalid',
      `${from.name} is older than ${policy.limits.diffMaxAge / 86_400} days, and no diff is asked from so old a point (limits.diffMaxAge)`,
    );
  const { page } = request;
  if (page && !isReadable([from, to], page.side))
    throw new DrError('PointGone', `the ${page.side}, which gave the page before, has not both points any more`);
  return {
    kind: 'look-changes',
    execution,
    side: page?.side ?? sideOf([from, to], bucket),
    from,
    to,
    token: page?.token ?? null,
    limit: PAGE,
    reason: `what changed from ${from.name} to ${to.name}`,
  };
};

/** What a look does after an answer: asks again (after a pause), or ends. */
export type AfterAnswer =
  | { readonly kind: 'ask'; readonly question: Question; readonly pause: DurationSeconds }
  | { readonly kind: 'answered' }
  | { readonly kind: 'failed'; readonly error: ErrorName; readonly cause: string };

const POLLS: readonly DurationSeconds[] = [2, 5, 10, 20, 40, 60].map(seconds);
/** An operation has a number below 1000. */
const MOST_ASKS = 300;
const AT_ONCE = seconds(0);

const isLook = (step: { readonly kind: string }): step is LookStep =>
  step.kind === 'look-versions' || step.kind === 'look-changes';

/** The steps of a look are its questions, all of them. */
const asksOf = ({ steps }: RunHistory) =>
  steps.flatMap(({ decision, observed }) => (isLook(decision) ? [{ decision, observed }] : []));

/** The same on a side. */
const on = (step: LookStep, side: Side, reason: string): Question => {
  const { host: _host, timeoutSeconds: _timeout, heartbeatSeconds: _heartbeat, ...question } = step;
  return { ...question, side, reason: reason.slice(0, 1000) };
};

/** Nothing was read, and why: on another host, on the other side, or not at all. */
const elsewhere = (
  history: RunHistory,
  step: LookStep,
  failed: Extract<AfterAnswer, { kind: 'failed' }>,
  isSilent: boolean,
): AfterAnswer => {
  const { policy } = history.run;
  const asks = asksOf(history);
  const hosts = (step.side === 'source' ? policy.source : policy.replica)?.hosts.length ?? 0;
  const silent = asks.filter(({ decision, observed }) => decision.side === step.side && observed?.kind === 'no-answer');
  if (isSilent && silent.length < Math.min(hosts, 2))
    return {
      kind: 'ask',
      question: on(step, step.side, `another host of the ${step.side}: ${failed.cause}`),
      pause: AT_ONCE,
    };
  const other: Side = step.side === 'source' ? 'replica' : 'source';
  const points = step.kind === 'look-versions' ? step.points : [step.from, step.to];
  // A page belongs to the side that named it.
  const mayGo =
    policy.replica !== null &&
    isReadable(points, other) &&
    !asks.some(({ decision }) => decision.side === other) &&
    (step.kind === 'look-versions' || step.token === null);
  return mayGo
    ? { kind: 'ask', question: on(step, other, `the ${other} instead: ${failed.cause}`), pause: AT_ONCE }
    : failed;
};

/** Words of the host that mean the same on any side or on none. */
const FINAL: Readonly<Record<string, ErrorName>> = {
  'token-refused': 'EventInvalid',
  'bad-parameter': 'EdgeRefused',
  'verb-not-allowed': 'EdgeRefused',
};
const ERRORS: Readonly<Record<string, ErrorName>> = {
  'permission-denied': 'AccessDenied',
  'no-ticket': 'AccessDenied',
  layout: 'LayoutUnsupported',
  environment: 'EdgeRefused',
  'base-missing': 'PointGone',
  'base-other': 'PointGone',
  'target-missing': 'PointGone',
  'target-other': 'PointGone',
};
const BY_SIDE = {
  source: { missing: 'SourceMissing', unreachable: 'SourceUnreachable' },
  replica: { missing: 'ReplicaMissing', unreachable: 'ReplicaUnreachable' },
} as const;

/** What follows from the answer to the last question of a look. Pure. */
export const afterAnswer = (history: RunHistory, now: EpochMs): AfterAnswer => {
  const last = asksOf(history).at(-1);
  if (!last?.observed) throw new DrError('EventInvalid', `${history.run.runId} has no answer yet`);
  const { decision: step, observed } = last;
  const failed = (error: ErrorName, cause: string) => ({ kind: 'failed', error, cause: cause.slice(0, 900) }) as const;
  switch (observed.kind) {
    case 'looked':
      return { kind: 'answered' };
    case 'diff': {
      if (observed.status === 'done') return { kind: 'answered' };
      if (observed.status === 'failed')
        return elsewhere(
          history,
          step,
          failed('DiffFailed', `the diff failed on the ${step.side}: ${observed.reason}`),
          false,
        );
      const polls = asksOf(history).length;
      const waited = secondsBetween(history.run.startedAt, now);
      if (waited > history.run.policy.limits.diffTimeout || polls > MOST_ASKS)
        return failed(
          'DiffFailed',
          `the diff is ${observed.status} after ${waited} seconds. The cluster goes on with it: ask again later`,
        );
      const pause = POLLS[Math.min(polls, POLLS.length) - 1] ?? seconds(60);
      return { kind: 'ask', question: on(step, step.side, `the diff is ${observed.status}`), pause };
    }
    case 'no-answer': {
      const error = ERROR_NAMES.find((name) => name === observed.error) ?? 'EdgeUnreachable';
      return elsewhere(
        history,
        step,
        failed(error, `no answer from ${step.host}: ${observed.error} ${observed.cause}`),
        true,
      );
    }
    case 'not-done': {
      const { code, outcome } = observed;
      const cause = `${step.host}: ${code} ${observed.message}`;
      const final = FINAL[code];
      if (final) return failed(final, cause);
      const { missing, unreachable } = BY_SIDE[step.side];
      const known = code === 'source-missing' ? missing : (ERRORS[code] ?? 'EdgeFailed');
      return elsewhere(history, step, failed(outcome === 'unreachable' ? unreachable : known, cause), false);
    }
    default:
      return failed('EdgeReplyInvalid', `a look was answered as ${observed.kind}`);
  }
};

const iso = (at: EpochMs): string => new Date(at).toISOString();
const kindOf = (checksum: string): string => checksum.split(' ')[0] ?? '';

/** Whether a version differs from the one before; null where that cannot be said. */
const hasChanged = (version: SeenVersion, before: SeenVersion | undefined): boolean | null => {
  if (!before || version.state === 'no-snapshot') return null;
  if (version.state !== before.state) return true;
  if (version.state === 'absent') return false;
  // What is in a directory does not show in it.
  if (version.state === 'directory') return null;
  if (version.bytes !== before.bytes) return true;
  const [one, other] = [version.checksum, before.checksum];
  if (one !== null && other !== null && kindOf(one) === kindOf(other)) return one !== other;
  return version.modified !== before.modified;
};

/** Where a path is, newest first, with the input that restores each. */
export const versionsOutput = (
  { bucket, policy }: { readonly bucket: BucketRef; readonly policy: Policy },
  step: Extract<LookStep, { kind: 'look-versions' }>,
  { versions }: VersionsData,
): LookOutput => {
  const seen = step.points.flatMap((point) => {
    const version = versions.find(({ name, id }) => name === point.name && id === point[step.side]);
    return version ? [{ point, version }] : [];
  });
  if (seen.length !== step.points.length || versions.length !== seen.length)
    throw new DrError(
      'EdgeReplyInvalid',
      `the host answered for other points than the ${step.points.length} asked for`,
    );
  const known = seen.map(({ version }) => version).filter(({ state }) => state !== 'no-snapshot');
  return {
    bucket,
    path: step.path,
    cluster: policy[step.side]?.name ?? step.side,
    versions: seen.map(({ point, version }): Version => {
      const { state, bytes, modified, checksum } = version;
      const isThere = state === 'file' || state === 'directory';
      return {
        point: point.name,
        at: iso(point.created),
        state,
        bytes,
        modified: modified === null ? null : iso(modified),
        checksum,
        changed: hasChanged(version, known[known.indexOf(version) + 1]),
        restore: isThere
          ? {
              policy: policy.name,
              bucket,
              point: point.name,
              scope: { paths: [step.path] },
              target: 'side',
              overwrite: 'never',
              by: '',
              reason: '',
            }
          : null,
      };
    }),
  };
};

export const changesOutput = (
  { bucket, policy }: { readonly bucket: BucketRef; readonly policy: Policy },
  { side, from, to }: Extract<LookStep, { kind: 'look-changes' }>,
  { entries, next }: ChangesData,
): LookOutput => ({
  bucket,
  from: from.name,
  to: to.name,
  cluster: policy[side]?.name ?? side,
  entries,
  next: next === null ? null : `${side}.${next}`,
});
