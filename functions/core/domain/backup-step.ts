import * as z from 'zod';
import { ERROR_NAMES } from '../errors.ts';
import { HostId, SnapshotId, SnapshotName } from './names.ts';
import { VerificationLevel } from './policy.ts';
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

/** Why a step was chosen, in a sentence that an operator can read. */
const reason = z.string().min(1).max(1000);

/** What a remote operation needs besides its verb. `host` is where it runs. */
const operation = { host: HostId, timeoutSeconds: DurationSeconds, heartbeatSeconds: DurationSeconds, reason };

export const BackupOutcome = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('taken'), point: SnapshotName }),
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
  }),
]);
export type BackupOutcome = z.infer<typeof BackupOutcome>;

/**
 * What a backup run does next, and the evidence for it. The state machine has one state per `kind`; a new kind does
 * not compile until every switch knows it.
 */
export const BackupStep = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('survey'), ...operation }),
  z.object({
    kind: z.literal('create-snapshot'),
    name: SnapshotName,
    attempt: z.number().int().positive(),
    /** Its diff to the new snapshot is asked for in the same command. */
    base: Base.nullable(),
    ...operation,
  }),
  z.object({ kind: z.literal('compute-diff'), base: Base, target: Target, ...operation }),
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
    ...operation,
  }),
  z.object({
    kind: z.literal('verify'),
    target: Target,
    sealId: SnapshotId,
    level: VerificationLevel,
    ...operation,
  }),
  z.object({ kind: z.literal('wait'), seconds: DurationSeconds, reason }),
  z.object({ kind: z.literal('done'), outcome: BackupOutcome, reason }),
  z.object({ kind: z.literal('fail'), error: z.enum(ERROR_NAMES), reason }),
]);
export type BackupStep = z.infer<typeof BackupStep>;
export type BackupStepKind = BackupStep['kind'];

export type OperationStep = Extract<BackupStep, { host: HostId }>;
export const isOperation = (step: BackupStep): step is OperationStep => 'host' in step;

/** A recorded decision: `operationStep` is its own number, or that of an open operation that is attached to again. */
export type NumberedStep = BackupStep & { readonly operationStep: number };
