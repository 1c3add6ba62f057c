import * as z from 'zod';
import { BackupOutcome, BackupStep, Base, CopyMode } from './backup-step.ts';
import { DiffStatus, ReplicateData, type SeenBucket, SeenSide, SeenSnapshot, VerifyData } from './edge-reply.ts';
import { BucketRef, HostId, OperationId, PairId, PolicyName, RunId, SnapshotId, SnapshotName } from './names.ts';
import { Policy, VerificationLevel } from './policy.ts';
import { Bytes, EpochMs } from './units.ts';

/** The right to change one bucket's replica: of one execution, by a number that only grows. */
export const Lease = z.object({
  runId: RunId,
  execution: z.string(),
  token: z.number().int().positive(),
  expires: EpochMs,
});
export type Lease = z.infer<typeof Lease>;

/** Everything about a pair that has to be true at once: one item, changed by conditional writes only. */
export const PairState = z.object({
  pair: PairId,
  lease: Lease.nullable(),
  /** The last number given to a lease or to a mutating operation. */
  fence: z.number().int().nonnegative(),
  base: Base.nullable(),
  previousBase: Base.nullable(),
  /** The replica's live content may be neither base nor target since this operation; only a verified pair clears it. */
  dirtySince: z.object({ operation: OperationId, at: EpochMs }).nullable(),
  /** Evidence that somebody else wrote into the replica. Cleared with `dirtySince`. */
  foreignChange: z.object({ operation: OperationId, at: EpochMs }).nullable(),
  /**
   * The replica bucket that is ours, by its creation time. Claimed before the first copy, `proved` once the host has
   * answered that it found the bucket empty before it wrote there.
   */
  owned: z.object({ created: z.string(), at: EpochMs, proved: z.boolean() }).nullable(),
  /** Mutating operations run here; `seeded` once the host has answered one, so that a lost fence file is noticed. */
  pinned: z.object({ host: HostId, seeded: z.boolean() }).nullable(),
});
export type PairState = z.infer<typeof PairState>;

/** A pair that nobody has worked on yet. */
export const emptyPair = (pair: PairId): PairState => ({
  pair,
  lease: null,
  fence: 0,
  base: null,
  previousBase: null,
  dirtySince: null,
  foreignChange: null,
  owned: null,
  pinned: null,
});

/** What may change in a pair while its lease is held. */
export type PairPatch = Partial<
  Pick<PairState, 'base' | 'previousBase' | 'dirtySince' | 'foreignChange' | 'owned' | 'pinned'>
>;

export const PointState = z.enum(['taken', 'sealed', 'verified', 'differs']);
export type PointState = z.infer<typeof PointState>;

/** A recovery point: one snapshot and its counterpart of the same name on the replica. */
export const RecoveryPoint = z.object({
  name: SnapshotName,
  policy: PolicyName,
  slot: EpochMs,
  attempt: z.number().int().positive(),
  runId: RunId,
  state: PointState,
  source: z.object({ id: SnapshotId, created: EpochMs }),
  replica: z.object({ id: SnapshotId, created: EpochMs, condemned: z.boolean() }).nullable(),
  mode: CopyMode.nullable(),
  base: SnapshotName.nullable(),
  changed: z.boolean().nullable(),
  bytesCopied: Bytes.nullable(),
  filesCopied: z.number().int().nullable(),
  verification: z
    .object({
      level: VerificationLevel,
      at: EpochMs,
      digest: z.string(),
      files: z.number().int(),
      dirs: z.number().int(),
      bytes: Bytes,
      /** Counts and the first differing paths when it differed. */
      differences: z.string().nullable(),
    })
    .nullable(),
});
export type RecoveryPoint = z.infer<typeof RecoveryPoint>;

const answered = {
  outcome: z.enum(['refused', 'failed', 'unreachable', 'interrupted']),
  code: z.string(),
  message: z.string(),
};

/** What a run keeps of an operation's answer: what decisions need, and no more. */
export const Observation = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('survey'),
    source: SeenSide,
    replica: SeenSide.nullable(),
    /** Active snapshots seen on each side, of which only those that matter to this run are kept. */
    active: z.object({ source: z.number().int(), replica: z.number().int() }),
  }),
  z.object({ kind: z.literal('snapshot'), created: z.boolean(), snapshot: SeenSnapshot, diff: DiffStatus }),
  z.object({ kind: z.literal('diff'), status: DiffStatus, reason: z.string() }),
  z.object({ kind: z.literal('replicate'), data: ReplicateData }),
  z.object({ kind: z.literal('verify'), data: VerifyData }),
  /** The host answered that it did not do it. */
  z.object({ kind: z.literal('not-done'), ...answered }),
  /** No answer: the state machine or Run Command says why. What was changed is not known. */
  z.object({ kind: z.literal('no-answer'), error: z.string(), cause: z.string() }),
  /** A wait is over. */
  z.object({ kind: z.literal('elapsed') }),
]);
export type Observation = z.infer<typeof Observation>;

/** One decision of a run and what came of it. `observed` is null while it is going on. */
export const RunStep = z.object({
  n: z.number().int().nonnegative(),
  decision: BackupStep,
  decidedAt: EpochMs,
  /** The step whose operation this one attaches to: its own number but for a re-attachment. */
  operationStep: z.number().int().nonnegative(),
  observed: Observation.nullable(),
  observedAt: EpochMs.nullable(),
  jvmStarts: z.number().int().nullable(),
});
export type RunStep = z.infer<typeof RunStep>;

export const RunStatus = z.enum(['open', 'succeeded', 'failed']);

/** One execution of the backup workflow for one bucket and slot. */
export const BackupRun = z.object({
  schema: z.literal(1),
  runId: RunId,
  pair: PairId,
  bucket: BucketRef,
  slot: EpochMs,
  /** The policy as it was when the run began. */
  policy: Policy,
  status: RunStatus,
  execution: z.string(),
  /** The lease under which the run may be changed. */
  lease: z.number().int().positive(),
  startedAt: EpochMs,
  /** A failed run that is started again goes on from here: earlier attempts do not count. */
  firstStep: z.number().int().nonnegative(),
  endedAt: EpochMs.nullable(),
  outcome: BackupOutcome.nullable(),
  failure: z.object({ error: z.string(), cause: z.string() }).nullable(),
});
export type BackupRun = z.infer<typeof BackupRun>;

export type { SeenBucket, SeenSide, SeenSnapshot };
