import * as z from 'zod';
import { ERROR_NAMES } from '../errors.ts';
import { BucketGlob } from './buckets.ts';
import { AclEntries, Kept } from './edge-reply.ts';
import { BucketRef, HostId, OperationId, OzoneService, PolicyName, SnapshotId, SnapshotName } from './names.ts';
import { BlastRadius } from './operation.ts';
import { VerificationLevel } from './policy.ts';
import {
  Drilled,
  FailbackPrepared,
  FailedOver,
  Overwrite,
  RelativePath,
  Restored,
  RestorePlanned,
  RestoreVerification,
} from './restore.ts';
import { PlanHash, Side } from './retention.ts';
import { Queued } from './slots.ts';
import { Bytes, DurationSeconds, EpochMs } from './units.ts';

export const CopyMode = z.enum(['bootstrap', 'incremental', 'resync']);
export type CopyMode = z.infer<typeof CopyMode>;

/** A pair of snapshots of one name, known by the ids on both sides. */
export const Base = z.object({
  name: SnapshotName,
  created: EpochMs,
  sourceId: SnapshotId,
  replicaId: SnapshotId,
});
export type Base = z.infer<typeof Base>;

/** A snapshot on the source, known by its id. */
export const Target = z.object({ name: SnapshotName, id: SnapshotId, created: EpochMs });
export type Target = z.infer<typeof Target>;

/** A snapshot of one side. */
const Known = Target.omit({ created: true });

/** A point as a look reads it: its ids on the sides where it can be read. */
export const LookedPoint = z.object({
  name: SnapshotName,
  created: EpochMs,
  source: SnapshotId.nullable(),
  replica: SnapshotId.nullable(),
});
export type LookedPoint = z.infer<typeof LookedPoint>;

/** Why a step was chosen, in a sentence that an operator can read. */
const reason = z.string().min(1).max(1000);

/** What a remote operation needs besides its verb. `host` is where it runs. */
const operation = { host: HostId, timeoutSeconds: DurationSeconds, heartbeatSeconds: DurationSeconds, reason };

/** What a prune did and what it left, in snapshots of both sides. */
export const PruneOutcome = z.object({
  kind: z.literal('pruned'),
  deleted: z.number().int(),
  condemned: z.number().int(),
  spared: z.number().int(),
  /** Condemned, and not yet deleted: younger than the grace, or over the cap. */
  waiting: z.number().int(),
  kept: z.number().int(),
  /** What the clusters said that the deleted ones alone kept; a cluster counts it in the background. */
  bytesFreed: Bytes,
  /** The plan that this run made, if anything changed. */
  plan: PlanHash.nullable(),
  notes: z.array(z.string()),
});
export type PruneOutcome = z.infer<typeof PruneOutcome>;

export const BackupOutcome = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('taken'), point: SnapshotName, notes: z.array(z.string()).optional() }),
  z.object({
    kind: z.literal('verified'),
    point: SnapshotName,
    mode: CopyMode,
    base: SnapshotName.nullable(),
    /** False when the diff said that nothing had changed; null when there was no diff. */
    changed: z.boolean().nullable(),
    files: z.number().int(),
    bytes: Bytes,
    bytesCopied: Bytes,
    level: VerificationLevel,
    /** What an operator should know although the run succeeded. */
    notes: z.array(z.string()).default([]),
  }),
  PruneOutcome,
  RestorePlanned,
  Restored,
  Drilled,
  FailedOver,
  FailbackPrepared,
]);
export type BackupOutcome = z.infer<typeof BackupOutcome>;

/** What a copy may have to list and to move, and how long that takes at the rates that were seen. */
export const Estimate = z.object({
  keys: z.number().int(),
  bytesAtMost: Bytes,
  seconds: DurationSeconds,
});
export type Estimate = z.infer<typeof Estimate>;

/** Why a run cannot go on by itself. Each has evidence and a remedy; a run that is up to date needs none. */
export const ConflictKind = z.enum([
  'no-common-point',
  'diverged',
  'replica-changed',
  'replica-not-ours',
  'source-missing',
  'source-replaced',
  'replica-missing',
  'layout-unsupported',
  'diff-unusable',
  'anomalous-change',
  'budget-exceeded',
]);
export type ConflictKind = z.infer<typeof ConflictKind>;

/**
 * What a backup run does next, and the evidence for it. The state machine has one state per `kind`; a new kind does
 * not compile until every switch knows it.
 */
export const BackupStep = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('survey'),
    ...operation,
    /** What is kept of the answer; absent: all of it. */
    keep: Kept.optional(),
  }),
  z.object({
    kind: z.literal('create-snapshot'),
    name: SnapshotName,
    attempt: z.number().int().positive(),
    /** Its diff to the new snapshot is asked for in the same command. */
    base: Base.nullable(),
    ...operation,
  }),
  z.object({
    kind: z.literal('compute-diff'),
    base: Base,
    target: Target,
    side: z.enum(['source', 'replica']).default('source'),
    ...operation,
  }),
  /** Freezes what the replica holds now under a temporary name, and asks for its diff since the base. */
  z.object({ kind: z.literal('mark-replica'), name: SnapshotName, base: Base, ...operation }),
  z.object({
    kind: z.literal('replicate'),
    mode: CopyMode,
    target: Target,
    base: Base.nullable(),
    /** Creation time of the replica bucket that the host must find. */
    replicaCreated: z.string(),
    /** The replica bucket is claimed by this copy: the host must find it empty. */
    claim: z.boolean(),
    copySeconds: DurationSeconds,
    /** Most deletes and renames that it may bring to the replica; null: as many as there are. */
    brake: z.number().int().nonnegative().nullable().default(null),
    /** An older copy into this bucket that still lives on the host and is ended first. */
    supersedes: OperationId.nullable().default(null),
    /** It is started only: a command cannot live as long as it may take. */
    detached: z.boolean().default(false),
    /** A resync that looks only where the replica or the source changed since the base: the frozen state of the replica. */
    narrow: Target.nullable().default(null),
    /** Where it runs as an application of YARN; null: on the host itself. */
    yarn: z.object({ queue: z.string() }).nullable().default(null),
    /** The copy whose application it follows to its end and then seals, instead of copying. */
    adopts: OperationId.nullable().default(null),
    estimate: Estimate.nullable().default(null),
    ...operation,
  }),
  /**
   * Finds out by listings that nothing changed on the source since the base, freezes the replica under the name of the
   * target, and compares the two: copy, seal and comparison of a bucket in which nothing happened. Of a batch.
   */
  z.object({
    kind: z.literal('seal-unchanged'),
    target: Target,
    base: Base,
    /** Creation time of the replica bucket that the host must find. */
    replicaCreated: z.string(),
    /** What the point counts as compared at when nothing had changed. */
    level: VerificationLevel.extract(['listing', 'changed']),
    ...operation,
  }),
  /** Asks the host how a copy stands that was detached, or whose command never answered. */
  z.object({ kind: z.literal('probe'), copy: OperationId, ...operation }),
  z.object({
    kind: z.literal('verify'),
    target: Target,
    sealId: SnapshotId,
    level: VerificationLevel,
    /** Only what changed since then is compared by checksum, unless the level asks for more. */
    base: Base.nullable().default(null),
    /** Which part of how many, from 1; 0 of 0 at other levels. */
    part: z.number().int().nonnegative().default(0),
    parts: z.number().int().nonnegative().default(0),
    ...operation,
  }),
  z.object({
    kind: z.literal('create-replica'),
    layout: z.enum(['FILE_SYSTEM_OPTIMIZED', 'LEGACY']),
    replication: z.string(),
    /** 0: none. */
    quotaBytes: z.number().int().nonnegative(),
    quotaNamespace: z.number().int().nonnegative(),
    encryptionKey: z.string().nullable(),
    ...operation,
  }),
  /** Deletes temporary snapshots that copies of ours left on the replica. */
  z.object({
    kind: z.literal('tidy'),
    remove: z
      .array(z.object({ name: z.string(), id: SnapshotId, leftBy: z.string() }))
      .min(1)
      .max(10),
    ...operation,
  }),
  /** Marks what a stored plan names as condemned, and takes back what it spares. */
  z.object({
    kind: z.literal('condemn'),
    plan: PlanHash,
    /** What the run comes to once that is done. */
    outcome: PruneOutcome,
    reason,
  }),
  /** Deletes recovery points of one side, each by its id and under the plan that condemned it. */
  z.object({
    kind: z.literal('delete'),
    side: Side,
    remove: z
      .array(z.object({ name: SnapshotName, id: SnapshotId, plan: PlanHash, bytes: z.number().int().nullable() }))
      .min(1)
      .max(100),
    ...operation,
  }),
  /** Looks at what a restore would read and at what is at its target. */
  z.object({ kind: z.literal('examine'), from: Side, ...operation }),
  /** Makes the bucket that a restore writes to, with the properties of the one that was backed up. */
  z.object({
    kind: z.literal('create-target'),
    bucket: BucketRef,
    layout: z.enum(['FILE_SYSTEM_OPTIMIZED', 'LEGACY']),
    replication: z.string(),
    quotaBytes: z.number().int().nonnegative(),
    quotaNamespace: z.number().int().nonnegative(),
    encryptionKey: z.string().nullable(),
    ...operation,
  }),
  /** Keeps what a restore is about to overwrite or to delete, or what a new primary began with. */
  z.object({ kind: z.literal('safety-snapshot'), name: SnapshotName, ...operation }),
  z.object({
    kind: z.literal('restore'),
    from: Side,
    overwrite: Overwrite,
    deleteExtra: z.boolean(),
    /** Creation time of the target bucket that the host must find. */
    targetCreated: z.string(),
    copySeconds: DurationSeconds,
    ...operation,
  }),
  /** Compares the target with a copy of the point. */
  z.object({
    kind: z.literal('compare'),
    against: Side,
    level: RestoreVerification,
    /** Whatever else is at the target counts as a difference. */
    exact: z.boolean(),
    /** What is compared with it: the target or, before a planned failover, what people write to. */
    of: z.enum(['target', 'primary']).default('target'),
    ...operation,
  }),
  /**
   * Counts what both sides have changed since they were equal: the source from `base` to `target`, the replica from
   * `opened`, its own snapshot of that time, to what it holds now.
   */
  z.object({ kind: z.literal('measure-divergence'), base: Known, target: Known, opened: Known, ...operation }),
  /**
   * Takes the right to write from everybody in the ACL of the bucket of a failover on one of its clusters, or gives it
   * the ACL that it had. `created`: of the bucket that the host must find.
   */
  z.object({
    kind: z.literal('restrict'),
    service: OzoneService,
    created: z.string(),
    acls: AclEntries.nullable(),
    ...operation,
  }),
  /** Deletes the bucket that a drill restored to. */
  z.object({ kind: z.literal('remove-scratch'), bucket: BucketRef, created: z.string(), ...operation }),
  /** Looks where a path is in points of one side. Of a look, which has no planner of runs: recorded once by its opener. */
  z.object({
    kind: z.literal('look-versions'),
    /** Who asks: the step of another execution is not this one's. */
    execution: z.string(),
    side: Side,
    path: RelativePath,
    /** Newest first. */
    points: z.array(LookedPoint).min(1).max(100),
    ...operation,
  }),
  /** Reads one page of what changed between two points on one side. */
  z.object({
    kind: z.literal('look-changes'),
    execution: z.string(),
    side: Side,
    from: LookedPoint,
    to: LookedPoint,
    /** The page, as the cluster names it; null: the first, which either side may give. */
    token: z.string().nullable(),
    limit: z.number().int().min(1).max(100),
    ...operation,
  }),
  /** Lists the buckets of the volumes that globs can meet. Of the fleet, which has no planner of runs. */
  z.object({
    kind: z.literal('list-buckets'),
    /** Who asks: the step of another execution is not this one's. */
    execution: z.string(),
    globs: z.array(BucketGlob).min(1),
    ...operation,
  }),
  /** Asks a host how it is for the verbs of one document. Of the doctor, which has no planner of runs. */
  z.object({
    kind: z.literal('check-host'),
    execution: z.string(),
    radius: BlastRadius,
    /** Whose deletions the document does there. */
    side: Side,
    source: OzoneService,
    replica: OzoneService.nullable(),
    buckets: z.array(BucketRef).min(1).max(20),
    ...operation,
  }),
  /** Starts a backup in the other direction, which brings the changes of the new primary to the old one. */
  z.object({
    kind: z.literal('bring-back'),
    name: z.string(),
    input: z.object({ policy: PolicyName, bucket: BucketRef, slot: z.string(), back: z.literal(true) }),
    reason,
  }),
  /** `queued`: in a line for a place. */
  z.object({ kind: z.literal('wait'), seconds: DurationSeconds, reason, queued: Queued.optional() }),
  z.object({ kind: z.literal('done'), outcome: BackupOutcome, reason }),
  z.object({
    kind: z.literal('fail'),
    error: z.enum(ERROR_NAMES),
    conflict: ConflictKind.nullable().default(null),
    reason,
    /** What would make it go. */
    remedy: z.string().default(''),
  }),
]);
export type BackupStep = z.infer<typeof BackupStep>;
export type BackupStepKind = BackupStep['kind'];

export type OperationStep = Extract<BackupStep, { host: HostId }>;
export const isOperation = (step: BackupStep): step is OperationStep => 'host' in step;

/** A recorded decision: `operationStep` is its own number, or that of an open operation that is attached to again. */
export type NumberedStep = BackupStep & { readonly operationStep: number };
