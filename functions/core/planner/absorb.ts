import type { ReplicateData, SealUnchangedData, SeenSide, SeenSnapshot, VerifyData } from '../domain/edge-reply.ts';
import type { Copy, Observation, PairPatch, RecoveryPoint, RunStep } from '../domain/ledger.ts';
import { type OperationId, type SnapshotId, SnapshotName } from '../domain/names.ts';
import { DELIVERY } from '../domain/operation.ts';
import { Bytes, type EpochMs, later, seconds } from '../domain/units.ts';
import { envelopeOf } from './envelope.ts';
import { activeNamed, clusterFacts } from './facts.ts';
import { baseOfPair, isUnanswered, pointNamed, type RunHistory, unansweredCreate } from './history.ts';

/** What an answer changes in the ledger. Applying it twice changes nothing more. */
export interface LedgerChange {
  readonly points: readonly RecoveryPoint[];
  readonly pair: PairPatch;
}

/** After this long Run Command does not deliver a command any more, with a margin. */
const UNDELIVERED = seconds(2 * DELIVERY);

const NOTHING: LedgerChange = { points: [], pair: {} };

/** Clocks of clusters and of this account may differ; a snapshot older than this before its intent is not ours. */
export const CLOCK_SKEW_MS = 10 * 60_000;

const taken = (
  history: RunHistory,
  attempt: number,
  snapshot: SeenSnapshot,
  source: SeenSide | null,
  group?: OperationId,
): RecoveryPoint => ({
  name: SnapshotName.parse(snapshot.name),
  policy: history.run.policy.name,
  slot: history.run.slot,
  attempt,
  runId: history.run.runId,
  ...(group ? { group } : {}),
  state: 'taken',
  source: { id: snapshot.id, created: snapshot.created },
  replica: null,
  mode: null,
  base: null,
  changed: null,
  bytesCopied: null,
  filesCopied: null,
  copySeconds: null,
  envelope: source?.state === 'read' ? envelopeOf(source.bucket) : null,
  pinned: null,
  pins: [],
  holds: [],
  removal: { source: null, replica: null },
  drilled: null,
  revision: 0,
  verification: null,
});

type Begun = Pick<Copy, 'operation' | 'point' | 'mode' | 'base'>;

const sealed = (
  point: RecoveryPoint,
  seal: SeenSnapshot,
  { mode, base }: Pick<Begun, 'mode' | 'base'>,
  data: Pick<ReplicateData, 'copy' | 'diffEmpty'>,
): RecoveryPoint => ({
  ...point,
  mode,
  base,
  changed: data.diffEmpty === null ? null : !data.diffEmpty,
  bytesCopied: data.copy ? data.copy.bytesCopied : null,
  filesCopied: data.copy ? data.copy.filesCopied : null,
  copySeconds: data.copy ? data.copy.seconds : null,
  state: 'sealed',
  replica: { id: seal.id, created: seal.created, condemned: false },
});

/** The copy that a step is about: its own, or the one that it asked for. */
const copyOf = (history: RunHistory, { decision }: RunStep, operation: OperationId): Begun | undefined => {
  if (decision.kind === 'replicate')
    return { operation, point: decision.target.name, mode: decision.mode, base: decision.base?.name ?? null };
  return decision.kind === 'probe' ? history.pair.copies.find((it) => it.operation === decision.copy) : undefined;
};

/** The copies with one of them known to be over. */
const ended = (copies: readonly Copy[], operation: OperationId, to: EpochMs): Copy[] =>
  copies.map((copy) => (copy.operation === operation ? { ...copy, to: copy.to ?? to } : copy));

/** Failures after which an application may still be alive, or have copied all of it. */
const LEFT_OPEN: ReadonlySet<string> = new Set(['internal', 'unclear', 'seal-failed', 'snapshot-limit']);

const hasNoGoodEnd = ({ outcome, code }: Extract<Observation, { kind: 'not-done' }>): boolean =>
  outcome === 'failed' && !LEFT_OPEN.has(code);

/** The copies when it is known what came of an application: nobody has to look for it any more. */
const settled = (copies: readonly Copy[], application: OperationId | null): Copy[] =>
  copies.map((copy) => (copy.application && copy.application === application ? { ...copy, application: null } : copy));

/** A temporary snapshot of ours, so that it can be deleted by its id. */
const marked = (history: RunHistory, name: SnapshotName, id: SnapshotId, operation: OperationId): LedgerChange => {
  const others = history.pair.marks.filter((it) => it.name !== name);
  return { points: [], pair: { marks: [...others.slice(-7), { name, id, operation }] } };
};

/** The seal without a copy that this run meant to make and was never told of; whether it is good, a comparison has to show. */
const sealedUnchanged = (history: RunHistory, replica: SeenSide | null): RecoveryPoint[] => {
  const asked = history.steps.filter(isSealUnchanged);
  const last = asked.at(-1);
  if (!last || last.observed?.kind === 'unchanged') return [];
  const { target, base } = last.decision;
  const tries = asked.filter(({ decision }) => decision.target.id === target.id);
  const [first] = tries;
  // Lengths may be the same although somebody wrote while it was sealed.
  if (tries.some(({ observed: it }) => it?.kind === 'not-done' && it.code === 'replica-modified')) return [];
  const point = pointNamed(history, target.name);
  const seal = activeNamed(replica, target.name);
  if (!first || !tries.some(isUnanswered) || !seal || point?.state !== 'taken' || point.source.id !== target.id)
    return [];
  // What is heard of it last may be the answer to one that asked for its end, long after it.
  if (seal.created < first.decidedAt - CLOCK_SKEW_MS) return [];
  const copy = { mode: 'incremental', base: base.name } as const;
  return [sealed(point, seal, copy, { copy: null, diffEmpty: null })];
};

const isSealUnchanged = (
  step: RunStep,
): step is RunStep & { readonly decision: Extract<RunStep['decision'], { kind: 'seal-unchanged' }> } =>
  step.decision.kind === 'seal-unchanged';

/** What was never answered has left these on the clusters: snapshots that this run meant to take, the seal of the last copy. */
const adopt = (history: RunHistory, source: SeenSide, replica: SeenSide | null, at: EpochMs): LedgerChange => {
  const created = history.steps.flatMap((step): RecoveryPoint[] => {
    if (step.decision.kind !== 'create-snapshot' || pointNamed(history, step.decision.name)) return [];
    const seen = activeNamed(source, step.decision.name);
    if (!seen || !unansweredCreate(history, seen.name) || seen.created < step.decidedAt - CLOCK_SKEW_MS) return [];
    return [taken(history, step.decision.attempt, seen, source)];
  });
  const { copies, sourceCreated } = history.pair;
  const last = copies.at(-1);
  const point = last && pointNamed(history, last.point);
  const seal = last && activeNamed(replica, last.point);
  const isOurs = last && seal && point?.state === 'taken' && seal.created >= last.from - CLOCK_SKEW_MS;
  return {
    points: isOurs
      ? [...created, sealed(point, seal, last, { copy: null, diffEmpty: null })]
      : [...created, ...sealedUnchanged(history, replica)],
    pair: {
      ...(isOurs ? { copies: ended(copies, last.operation, at) } : {}),
      ...(sourceCreated === null && source.state === 'read' ? { sourceCreated: source.bucket.created } : {}),
    },
  };
};

/** A day's count is exact enough for a limit that is reached in weeks. */
const COUNT_AGE_MS = 20 * 3600_000;

const withCount = (
  { pair: { counted } }: RunHistory,
  { source, replica, active, listed = active }: Extract<Observation, { kind: 'survey' }>,
  change: LedgerChange,
  at: EpochMs,
): LedgerChange => {
  if (counted && at - counted.at < COUNT_AGE_MS) return change;
  const of = (side: SeenSide | null, count: number): number | null => (side?.state === 'read' ? count : null);
  return {
    ...change,
    pair: { ...change.pair, counted: { source: of(source, listed.source), replica: of(replica, listed.replica), at } },
  };
};

/** Counts, and the first paths that differ. */
export const differencesIn = (data: VerifyData): string =>
  `${data.onlySource} only on the source, ${data.onlyReplica} only on the replica, ${data.changed} with another type or length` +
  (data.first.length > 0
    ? `; first: ${data.first.map((it) => `${it.path} (source ${it.source ?? 'none'}, replica ${it.replica ?? 'none'})`).join(', ')}`
    : '');

const compared = (
  history: RunHistory,
  name: SnapshotName,
  sealId: string,
  data: VerifyData,
  at: EpochMs,
): LedgerChange => {
  const point = pointNamed(history, name);
  if (!point?.replica || point.replica.id !== sealId) return NOTHING;
  const verification = {
    level: data.level,
    at,
    digest: data.source.digest,
    files: data.source.files,
    dirs: data.source.dirs,
    bytes: data.source.bytes,
    checksums: data.checksums?.compared ?? null,
    differences: data.equal ? null : differencesIn(data).slice(0, 2000),
  };
  if (data.equal) return verified(history, { ...point, replica: point.replica }, verification);
  const replica = { ...point.replica, condemned: true };
  return { points: [{ ...point, state: 'differs', replica, verification }], pair: {} };
};

const verified = (
  history: RunHistory,
  point: RecoveryPoint & { readonly replica: NonNullable<RecoveryPoint['replica']> },
  verification: NonNullable<RecoveryPoint['verification']>,
): LedgerChange => {
  const { name } = point;
  const base = baseOfPair(point, point.replica);
  const { owned, copies, hold, rolls } = history.pair;
  const policy = history.run.policy.name;
  const isKnown = history.pair.base?.replicaId === base.replicaId;
  const [newest = base, previous = null] = [base, history.pair.base, history.pair.previousBase]
    .filter((it) => it !== null)
    .filter((it, at, all) => all.findIndex((other) => other.replicaId === it.replicaId) === at)
    .toSorted((one, other) => other.created - one.created);
  // A later copy would have changed the replica again after this snapshot of it.
  const isLastCopy = copies.length === 0 || copies.at(-1)?.point === name;
  const held = hold?.base ? pointNamed(history, hold.base) : undefined;
  return {
    points: [{ ...point, state: 'verified', verification }, ...(held ? [{ ...held, pinned: null }] : [])],
    pair: {
      base: newest,
      previousBase: previous,
      ...(isLastCopy ? { dirtySince: null, foreignChange: null } : {}),
      ...(hold?.accepted ? { hold: null } : {}),
      ...(verification.level === 'rolling' && !isKnown
        ? { rolls: { ...rolls, [policy]: (rolls[policy] ?? 0) + 1 } }
        : {}),
      // The answer to the first copy may have been lost: what it left is a copy of ours all the same.
      ...(owned ? { owned: { ...owned, proved: true } } : {}),
    },
  };
};

/** Sealed and compared in one: both sides list at the target what they listed at the base. */
const unchanged = (
  history: RunHistory,
  { target, base, level }: Extract<RunStep['decision'], { kind: 'seal-unchanged' }>,
  { seal, summary }: Extract<SealUnchangedData, { unchanged: true }>,
  at: EpochMs,
): LedgerChange => {
  const point = pointNamed(history, target.name);
  const before = pointNamed(history, base.name)?.verification;
  if (point?.state !== 'taken' || !before) return NOTHING;
  const { digest } = before;
  const checksums = level === 'changed' ? 0 : null;
  const change = verified(
    history,
    {
      ...point,
      mode: 'incremental',
      base: base.name,
      changed: false,
      bytesCopied: Bytes.parse(0),
      filesCopied: 0,
      copySeconds: null,
      replica: { id: seal.id, created: seal.created, condemned: false },
    },
    { level, at, digest, ...summary, checksums, differences: null },
  );
  const { pinned } = history.pair;
  return { ...change, pair: { ...change.pair, ...(pinned ? { pinned: { ...pinned, seeded: true } } : {}) } };
};

/** A copy that was not done, or not known to be done. */
const notCopied = (
  history: RunHistory,
  { operation, point, base }: Begun,
  observed: Extract<Observation, { kind: 'not-done' }>,
  limit: number,
  at: EpochMs,
): LedgerChange => {
  const { dirtySince, pinned, owned, copies, hold } = history.pair;
  const isFirstDoubt = dirtySince?.operation === operation;
  const application = copies.find((it) => it.operation === operation)?.application ?? null;
  const changedNothing = observed.outcome === 'refused' || observed.outcome === 'unreachable';
  // The host writes its fence when all checks are done, and then starts distcp: no earlier answer proves that it has one.
  const begun = observed.outcome === 'failed' && observed.code !== 'internal';
  const removals = observed.code === 'anomalous-change' ? observed.data?.removals : undefined;
  const lastGood = base ?? history.pair.base?.name ?? null;
  const good = removals && lastGood ? pointNamed(history, lastGood) : undefined;
  const pair: PairPatch = {
    // What changed nothing was no copy, and the doubt that it raised is gone.
    copies: changedNothing
      ? settled(
          copies.filter((it) => it.operation !== operation),
          observed.code === 'no-application' ? application : null,
        )
      : settled(ended(copies, operation, at), hasNoGoodEnd(observed) ? application : null),
    ...(isFirstDoubt && changedNothing ? { dirtySince: null } : {}),
    ...(isFirstDoubt && observed.code === 'target-modified' ? { foreignChange: { operation, at } } : {}),
    // distcp was started, so the host had found the bucket empty; or it found that the bucket is not.
    ...(owned && !owned.proved && begun ? { owned: { ...owned, proved: true } } : {}),
    ...(owned && !owned.proved && observed.code === 'replica-not-empty' ? { owned: null } : {}),
    ...(pinned && begun ? { pinned: { ...pinned, seeded: true } } : {}),
    ...(removals && !hold
      ? { hold: { ...removals, limit, target: point, base: lastGood, at, accepted: null, rejected: null } }
      : {}),
  };
  return {
    points: good ? [{ ...good, pinned: `the last good point before the anomalous change of ${point}` }] : [],
    pair,
  };
};

/**
 * What the answer to a step changes in the ledger. Pure; idempotent when the change is applied and this is asked again.
 * @param operation id of the step's operation
 * @param group the command that did it together with those of the other buckets of a group
 */
export const absorb = (
  history: RunHistory,
  step: RunStep,
  observed: Observation,
  operation: OperationId,
  now: EpochMs,
  group?: OperationId,
): LedgerChange => {
  const { decision } = step;
  switch (observed.kind) {
    case 'survey':
      return withCount(history, observed, adopt(history, observed.source, observed.replica, now), now);
    case 'snapshot': {
      if (decision.kind === 'mark-replica') return marked(history, decision.name, observed.snapshot.id, operation);
      if (decision.kind !== 'create-snapshot' || pointNamed(history, decision.name)) return NOTHING;
      const before = { ...history, steps: history.steps.filter((it) => it.n < step.n) };
      // A snapshot that was there already is ours only if an earlier, unanswered step of this run meant to create it.
      if (!observed.created && !unansweredCreate(before, decision.name)) return NOTHING;
      const { source } = clusterFacts(history);
      const of = observed.created ? group : undefined;
      return { points: [taken(history, decision.attempt, observed.snapshot, source, of)], pair: {} };
    }
    case 'replicate': {
      const copy = copyOf(history, step, operation);
      const { pinned, owned, copies } = history.pair;
      const { seal, detached } = observed.data;
      if (!copy || !(seal || detached)) return NOTHING;
      const pair = {
        ...(pinned ? { pinned: { ...pinned, seeded: true } } : {}),
        ...(owned ? { owned: { ...owned, proved: true } } : {}),
        ...(seal ? { copies: ended(copies, copy.operation, now) } : {}),
      };
      const point = pointNamed(history, copy.point);
      return { points: seal && point?.state === 'taken' ? [sealed(point, seal, copy, observed.data)] : [], pair };
    }
    case 'verify':
      if (decision.kind !== 'verify') return NOTHING;
      return compared(history, decision.target.name, decision.sealId, observed.data, now);
    case 'unchanged':
      if (decision.kind !== 'seal-unchanged') return NOTHING;
      return observed.data.unchanged ? unchanged(history, decision, observed.data, now) : NOTHING;
    case 'not-done': {
      const copy = copyOf(history, step, operation);
      const limit = decision.kind === 'replicate' ? (decision.brake ?? 0) : 0;
      // No copy of ours has begun since the base: somebody else changed the replica.
      if (decision.kind === 'seal-unchanged' && observed.code === 'replica-modified') {
        const doubt = { operation, at: now };
        return { points: [], pair: { dirtySince: history.pair.dirtySince ?? doubt, foreignChange: doubt } };
      }
      return copy ? notCopied(history, copy, observed, limit, now) : NOTHING;
    }
    case 'probe': {
      const copy = history.pair.copies.find((it) => decision.kind === 'probe' && it.operation === decision.copy);
      // A host that does not know it may still be sent it.
      const isOver =
        observed.state === 'died' || (observed.state === 'unknown' && copy && now > later(copy.from, UNDELIVERED));
      return copy && isOver
        ? { points: [], pair: { copies: ended(history.pair.copies, copy.operation, now) } }
        : NOTHING;
    }
    case 'tidy': {
      const gone = new Set(observed.data.removed.map(({ id }) => id));
      const { marks } = history.pair;
      return marks.some(({ id }) => gone.has(id))
        ? { points: [], pair: { marks: marks.filter(({ id }) => !gone.has(id)) } }
        : NOTHING;
    }
    case 'bucket':
    case 'deletion':
    case 'diff':
    // Of restores, which have a planner of their own.
    case 'examination':
    case 'restored':
    case 'comparison':
    case 'divergence':
    case 'restricted':
    case 'scratch':
    // Of looks, which change nothing.
    case 'looked':
    case 'no-answer':
    case 'elapsed':
      return NOTHING;
  }
};
