import type { CopyMode } from '../domain/backup-step.ts';
import type { SeenSide, SeenSnapshot, VerifyData } from '../domain/edge-reply.ts';
import type { Observation, PairPatch, RecoveryPoint, RunStep } from '../domain/ledger.ts';
import { type OperationId, SnapshotName } from '../domain/names.ts';
import type { EpochMs } from '../domain/units.ts';
import { activeNamed } from './facts.ts';
import { pointNamed, pointsOfRun, type RunHistory, unansweredCreate, unansweredSeal } from './history.ts';

/** What an answer changes in the ledger. Applying it twice changes nothing more. */
export interface LedgerChange {
  readonly points: readonly RecoveryPoint[];
  readonly pair: PairPatch;
}

const NOTHING: LedgerChange = { points: [], pair: {} };

/** Clocks of clusters and of this account may differ; a snapshot older than this before its intent is not ours. */
const CLOCK_SKEW_MS = 10 * 60_000;

const taken = (history: RunHistory, attempt: number, snapshot: SeenSnapshot): RecoveryPoint => ({
  name: SnapshotName.parse(snapshot.name),
  policy: history.run.policy.name,
  slot: history.run.slot,
  attempt,
  runId: history.run.runId,
  state: 'taken',
  source: { id: snapshot.id, created: snapshot.created },
  replica: null,
  mode: null,
  base: null,
  changed: null,
  bytesCopied: null,
  filesCopied: null,
  verification: null,
});

const sealed = (
  point: RecoveryPoint,
  seal: SeenSnapshot,
  copy: Pick<RecoveryPoint, 'mode' | 'base' | 'changed' | 'bytesCopied' | 'filesCopied'>,
): RecoveryPoint => ({
  ...point,
  ...copy,
  state: 'sealed',
  replica: { id: seal.id, created: seal.created, condemned: false },
});

/** What steps of ours that were never answered have left on the clusters, found by a survey. */
const adopt = (history: RunHistory, source: SeenSide, replica: SeenSide | null): LedgerChange => {
  const created = history.steps.flatMap((step): RecoveryPoint[] => {
    if (step.decision.kind !== 'create-snapshot' || pointNamed(history, step.decision.name)) return [];
    const seen = activeNamed(source, step.decision.name);
    if (!seen || !unansweredCreate(history, seen.name) || seen.created < step.decidedAt - CLOCK_SKEW_MS) return [];
    return [taken(history, step.decision.attempt, seen)];
  });
  const copied = pointsOfRun(history).flatMap((point): RecoveryPoint[] => {
    const step = unansweredSeal(history, point.name);
    const seen = activeNamed(replica, point.name);
    if (point.state !== 'taken' || step?.decision.kind !== 'replicate' || !seen) return [];
    if (seen.created < step.decidedAt - CLOCK_SKEW_MS) return [];
    const { mode, base } = step.decision;
    return [
      sealed(point, seen, { mode, base: base?.name ?? null, changed: null, bytesCopied: null, filesCopied: null }),
    ];
  });
  return { points: [...created, ...copied], pair: {} };
};

const describe = (data: VerifyData): string =>
  `${data.onlySource} only on the source, ${data.onlyReplica} only on the replica, ${data.changed} with another type or length` +
  (data.first.length > 0
    ? `; first: ${data.first.map((it) => `${it.path} (source ${it.source ?? 'none'}, replica ${it.replica ?? 'none'})`).join(', ')}`
    : '');

const verified = (
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
    differences: data.equal ? null : describe(data).slice(0, 2000),
  };
  if (!data.equal) {
    const replica = { ...point.replica, condemned: true };
    return { points: [{ ...point, state: 'differs', replica, verification }], pair: {} };
  }
  const base = { name, created: point.source.created, sourceId: point.source.id, replicaId: point.replica.id };
  const { owned } = history.pair;
  const isKnown = history.pair.base?.replicaId === base.replicaId;
  return {
    points: [{ ...point, state: 'verified', verification }],
    pair: {
      base,
      previousBase: isKnown ? history.pair.previousBase : history.pair.base,
      dirtySince: null,
      foreignChange: null,
      // The answer to the first copy may have been lost: what it left is a copy of ours all the same.
      ...(owned ? { owned: { ...owned, proved: true } } : {}),
    },
  };
};

/** A copy that was not done, or not known to be done. */
const notCopied = (
  history: RunHistory,
  operation: OperationId,
  observed: Extract<Observation, { kind: 'not-done' }>,
  at: EpochMs,
): PairPatch => {
  const { dirtySince, pinned, owned } = history.pair;
  const isFirstDoubt = dirtySince?.operation === operation;
  const changedNothing = observed.outcome === 'refused' || observed.outcome === 'unreachable';
  // The host writes its fence when all checks are done, and then starts distcp: no earlier answer proves that it has one.
  const begun = observed.outcome === 'failed' && observed.code !== 'internal';
  return {
    // The host has proved that this operation changed nothing, so the doubt that it raised is gone.
    ...(isFirstDoubt && changedNothing ? { dirtySince: null } : {}),
    ...(isFirstDoubt && observed.code === 'target-modified' ? { foreignChange: { operation, at } } : {}),
    // distcp was started, so the host had found the bucket empty; or it found that the bucket is not.
    ...(owned && !owned.proved && begun ? { owned: { ...owned, proved: true } } : {}),
    ...(owned && !owned.proved && observed.code === 'replica-not-empty' ? { owned: null } : {}),
    ...(pinned && begun ? { pinned: { ...pinned, seeded: true } } : {}),
  };
};

/**
 * What the answer to a step changes in the ledger. Pure; idempotent when the change is applied and this is asked again.
 * @param operation id of the step's operation
 */
export const absorb = (
  history: RunHistory,
  step: RunStep,
  observed: Observation,
  operation: OperationId,
  now: EpochMs,
): LedgerChange => {
  const { decision } = step;
  switch (observed.kind) {
    case 'survey':
      return adopt(history, observed.source, observed.replica);
    case 'snapshot': {
      if (decision.kind !== 'create-snapshot' || pointNamed(history, decision.name)) return NOTHING;
      const before = { ...history, steps: history.steps.filter((it) => it.n < step.n) };
      // A snapshot that was there already is ours only if an earlier, unanswered step of this run meant to create it.
      if (!observed.created && !unansweredCreate(before, decision.name)) return NOTHING;
      return { points: [taken(history, decision.attempt, observed.snapshot)], pair: {} };
    }
    case 'replicate': {
      if (decision.kind !== 'replicate' || !observed.data.seal) return NOTHING;
      const point = pointNamed(history, decision.target.name);
      const { pinned, owned } = history.pair;
      const pair = {
        ...(pinned ? { pinned: { ...pinned, seeded: true } } : {}),
        ...(owned ? { owned: { ...owned, proved: true } } : {}),
      };
      if (point?.state !== 'taken') return { points: [], pair };
      const { copy, diffEmpty, seal } = observed.data;
      const mode: CopyMode = decision.mode;
      return {
        points: [
          sealed(point, seal, {
            mode,
            base: decision.base?.name ?? null,
            changed: diffEmpty === null ? null : !diffEmpty,
            bytesCopied: copy ? copy.bytesCopied : null,
            filesCopied: copy ? copy.filesCopied : null,
          }),
        ],
        pair,
      };
    }
    case 'verify':
      if (decision.kind !== 'verify') return NOTHING;
      return verified(history, decision.target.name, decision.sealId, observed.data, now);
    case 'not-done':
      if (decision.kind !== 'replicate') return NOTHING;
      return { points: [], pair: notCopied(history, operation, observed, now) };
    case 'diff':
    case 'no-answer':
    case 'elapsed':
      return NOTHING;
  }
};
