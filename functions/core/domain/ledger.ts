import * as z from 'zod';
import { BackupOutcome, BackupStep, Base, CopyMode } from './backup-step.ts';
import { Newest } from './clocks.ts';
import {
  CompareData,
  DiffStatus,
  DivergenceData,
  ExamineData,
  ProbeData,
  RemovedData,
  ReplicateData,
  RestoreData,
  RestrictData,
  SealUnchangedData,
  SeenBucket,
  SeenSide,
  SeenSnapshot,
  VerifyData,
} from './edge-reply.ts';
import {
  BucketRef,
  ClusterName,
  HostId,
  OperationId,
  PairId,
  PolicyName,
  RunId,
  SnapshotId,
  SnapshotName,
} from './names.ts';
import { Policy, VerificationLevel } from './policy.ts';
import { PassedDrill, RestoreTask } from './restore.ts';
import { LegalHold, Pin, PlanHash, Removals } from './retention.ts';
import { Role } from './roles.ts';
import { Bytes, EpochMs } from './units.ts';

/** The right to change one bucket's replica: of one execution, by a number that only grows. */
export const Lease = z.object({
  runId: RunId,
  execution: z.string(),
  token: z.number().int().positive(),
  expires: EpochMs,
});
export type Lease = z.infer<typeof Lease>;

/** A copy that was begun, with the time in which temporary snapshots that it leaves behind were made. */
export const Copy = z.object({
  operation: OperationId,
  point: SnapshotName,
  mode: CopyMode,
  base: SnapshotName.nullable(),
  host: HostId,
  from: EpochMs,
  /** Until when its command may live, every time-out included. */
  deadline: EpochMs,
  /** When its end was known; null while it may still be going on. */
  to: EpochMs.nullable(),
  /** Whose application on YARN does it, its own or one that it adopted; null: none, or one that brings it to no good end. */
  application: OperationId.nullable().optional(),
  /** Of a restore: whose point it copies, and which of its paths; null for all of them. */
  restores: z.object({ lineage: PairId, selection: PlanHash.nullable() }).optional(),
});
export type Copy = z.infer<typeof Copy>;

/** What a person decided, and why. */
export const Verdict = z.object({ by: z.string(), reason: z.string(), at: EpochMs });

/** What a decision begins with: about the pair, or about one point (`pin`, `unpin`, `hold`, `release`). */
export const DecisionWord = z.enum(['adopt', 'accept', 'reject', 'pin', 'unpin', 'hold', 'release']);
export type DecisionWord = z.infer<typeof DecisionWord>;

/** A person's recorded decision about one bucket. No option overrides a refusal, only this. */
export const Decision = z.object({
  decision: DecisionWord,
  /** The words that the person typed; they name what was decided on. */
  confirmation: z.string(),
  execution: z.string(),
  ...Verdict.shape,
});
export type Decision = z.infer<typeof Decision>;

/** A change that is too large to follow unasked. Replication waits for a person to accept it. */
export const Hold = z.object({
  target: SnapshotName,
  base: SnapshotName.nullable(),
  deletes: z.number().int(),
  renames: z.number().int(),
  /** False when the host stopped to count at the limit. */
  complete: z.boolean(),
  limit: z.number().int(),
  at: EpochMs,
  accepted: Verdict.nullable(),
  rejected: Verdict.nullable(),
});
export type Hold = z.infer<typeof Hold>;

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
  /** The last copies, oldest first. */
  copies: z.array(Copy).default([]),
  hold: Hold.nullable().default(null),
  /** Temporary snapshots of ours on the replica. */
  marks: z.array(z.object({ name: SnapshotName, id: SnapshotId, operation: OperationId })).default([]),
  /** Creation time of the source bucket that the lineage is of; a namesake is another bucket. */
  sourceCreated: z.string().nullable().default(null),
  /** Verified comparisons at level rolling, of each policy, as each has its own number of parts: the next one takes the part after. */
  rolls: z.record(PolicyName, z.number().int().nonnegative()).default({}),
  /** Of the drills of a bucket: the scratch bucket that is, or may be, there. `created` is null until the cluster told it. */
  scratch: z
    .object({ cluster: ClusterName, bucket: BucketRef, runId: RunId, since: EpochMs, created: z.string().nullable() })
    .nullable()
    .default(null),
  /** Of the drills of a bucket: the last one that passed. The point may be deleted since. */
  lastDrill: z.object({ point: SnapshotName, drill: PassedDrill }).nullable().default(null),
  /** Snapshots that each side listed, others' and deleted ones that are not yet purged too: they all count towards the limit. Null for a side that could not be read. */
  counted: z
    .object({ source: z.number().int().nullable(), replica: z.number().int().nullable(), at: EpochMs })
    .nullable()
    .default(null),
  /** Null: never failed over. Of a pair as its policy has it, also while the other direction is in use. */
  role: Role.nullable().default(null),
  /** Of the roles that its base fits: another direction was in use since. */
  epoch: z.number().int().nonnegative().default(0),
  /** What the clocks of each policy go by. Absent until the first run that keeps it: then points have to be read. */
  newest: z.record(PolicyName, Newest).optional(),
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
  copies: [],
  hold: null,
  marks: [],
  sourceCreated: null,
  rolls: {},
  scratch: null,
  lastDrill: null,
  counted: null,
  role: null,
  epoch: 0,
});

/** What may change in a pair while its lease is held. */
export type PairPatch = Partial<
  Pick<
    PairState,
    | 'base'
    | 'previousBase'
    | 'dirtySince'
    | 'foreignChange'
    | 'owned'
    | 'pinned'
    | 'copies'
    | 'hold'
    | 'marks'
    | 'sourceCreated'
    | 'rolls'
    | 'scratch'
    | 'lastDrill'
    | 'counted'
    | 'epoch'
    | 'newest'
  >
>;

/** What a bucket is besides its content. Replication carries none of it; a restore needs all of it. */
export const Envelope = SeenBucket.pick({
  layout: true,
  replication: true,
  encryptionKey: true,
  quotaInBytes: true,
  quotaInNamespace: true,
  owner: true,
  acls: true,
});
export type Envelope = z.infer<typeof Envelope>;

export const PointState = z.enum(['taken', 'sealed', 'verified', 'differs']);
export type PointState = z.infer<typeof PointState>;

/** A recovery point: one snapshot and its counterpart of the same name on the replica. */
export const RecoveryPoint = z.object({
  name: SnapshotName,
  policy: PolicyName,
  slot: EpochMs,
  attempt: z.number().int().positive(),
  runId: RunId,
  /** The command that took it together with the points of other buckets that have the same: they are of one instant. */
  group: OperationId.optional(),
  state: PointState,
  source: z.object({ id: SnapshotId, created: EpochMs }),
  replica: z.object({ id: SnapshotId, created: EpochMs, condemned: z.boolean() }).nullable(),
  mode: CopyMode.nullable(),
  base: SnapshotName.nullable(),
  changed: z.boolean().nullable(),
  bytesCopied: Bytes.nullable(),
  filesCopied: z.number().int().nullable(),
  /** What distcp took. */
  copySeconds: z.number().int().nullable().default(null),
  /** The properties of the source bucket when the snapshot was taken. */
  envelope: Envelope.nullable().default(null),
  /** Why nothing may delete this point; null when nothing is in the way. */
  pinned: z.string().nullable().default(null),
  /** Set and taken back by people, restores and drills at any time, without the lease of the pair. */
  pins: z.array(Pin).default([]),
  holds: z.array(LegalHold).default([]),
  removal: Removals.default({ source: null, replica: null }),
  /** The last drill that restored it and found it equal. */
  drilled: PassedDrill.nullable().default(null),
  /** Grows with every change of the four. */
  revision: z.number().int().nonnegative().default(0),
  verification: z
    .object({
      level: VerificationLevel,
      at: EpochMs,
      digest: z.string(),
      files: z.number().int(),
      dirs: z.number().int(),
      bytes: Bytes,
      /** Files compared by checksum; null when none were asked for. */
      checksums: z.number().int().nullable().default(null),
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
    /** All that were listed, deleted ones too; runs of earlier versions do not have it. */
    listed: z.object({ source: z.number().int(), replica: z.number().int() }).optional(),
  }),
  z.object({
    kind: z.literal('snapshot'),
    created: z.boolean(),
    snapshot: SeenSnapshot,
    diff: DiffStatus,
    /** Hooks that failed and were allowed to. */
    notes: z.array(z.string()).optional(),
  }),
  z.object({ kind: z.literal('diff'), status: DiffStatus, reason: z.string() }),
  z.object({ kind: z.literal('replicate'), data: ReplicateData }),
  z.object({ kind: z.literal('verify'), data: VerifyData }),
  z.object({ kind: z.literal('unchanged'), data: SealUnchangedData }),
  z.object({ kind: z.literal('bucket'), created: z.boolean(), bucket: SeenBucket }),
  z.object({ kind: z.literal('tidy'), data: RemovedData }),
  z.object({ kind: z.literal('deletion'), data: RemovedData }),
  z.object({ kind: z.literal('examination'), data: ExamineData }),
  z.object({ kind: z.literal('restored'), data: RestoreData }),
  z.object({ kind: z.literal('comparison'), data: CompareData }),
  z.object({ kind: z.literal('divergence'), data: DivergenceData }),
  z.object({ kind: z.literal('restricted'), data: RestrictData }),
  /** `removed` is false when the scratch bucket was gone already. */
  z.object({ kind: z.literal('scratch'), removed: z.boolean() }),
  /** A look has its answer; it is kept with the operation. */
  z.object({ kind: z.literal('looked') }),
  /** A detached copy that has not ended; one that has is observed as what it answered. */
  z.object({ kind: z.literal('probe'), state: ProbeData.shape.state.exclude(['ended']) }),
  /** The host answered that it did not do it. */
  z.object({
    kind: z.literal('not-done'),
    ...answered,
    data: ReplicateData.nullable().default(null),
    /** What a deletion that failed on its way had done by then. */
    deletion: RemovedData.nullable().default(null),
    /** What a restore that failed on its way had copied by then. */
    restored: RestoreData.optional(),
  }),
  /** No answer: the state machine or Run Command says why. What was changed is not known. */
  z.object({ kind: z.literal('no-answer'), error: z.string(), cause: z.string() }),
  /** A wait is over, or an execution that was started. */
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
  workflow: z.enum(['backup', 'prune', 'restore', 'drill', 'failover', 'failback', 'look', 'doctor']).default('backup'),
  /** Of a restore, a drill or a failover. */
  restore: RestoreTask.nullable().default(null),
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
  /** What earlier steps saw is out of date: others may have had the lease since. */
  factsFrom: z.number().int().nonnegative().optional(),
  /** It goes on in a batch of buckets, which shares its remote commands and starts no copies. */
  batched: z.boolean().optional(),
  endedAt: EpochMs.nullable(),
  outcome: BackupOutcome.nullable(),
  failure: z.object({ error: z.string(), cause: z.string() }).nullable(),
});
export type BackupRun = z.infer<typeof BackupRun>;

export type { SeenBucket, SeenSide, SeenSnapshot };
