import * as z from 'zod';
import { MOST_IN_BATCH } from './batch.ts';
import { Kept } from './edge-reply.ts';
import { HostId, OperationId, PairId, RunId } from './names.ts';
import { PlanHash } from './retention.ts';
import { EpochMs, seconds } from './units.ts';

/** Run Command's own time to deliver a command to a host. */
export const DELIVERY = seconds(300);

export const BlastRadius = z.enum(['observe', 'protect', 'destroy', 'restore']);
export type BlastRadius = z.infer<typeof BlastRadius>;

/**
 * Parameters of the edge host documents, all text; the document refuses what does not match its patterns. Those with a
 * default are not in the operations of earlier versions, which settling and sweeping must still read.
 */
export const EdgeParameters = z.strictObject({
  operation: OperationId,
  verb: z.enum([
    'survey',
    'snapshot',
    'diff',
    'replicate',
    'verify',
    'seal-unchanged',
    'probe',
    'create-bucket',
    'tidy',
    'delete',
    'examine',
    'compare',
    'restore',
    'remove-scratch',
    'restrict',
    'versions',
    'changes',
    'divergence',
    'buckets',
    'doctor',
  ]),
  source: z.string(),
  replica: z.string(),
  target: z.string(),
  base: z.string(),
  targetId: z.string(),
  baseSourceId: z.string(),
  baseReplicaId: z.string(),
  sealId: z.string(),
  replicaCreated: z.string(),
  mode: z.string(),
  empty: z.enum(['yes', 'no']),
  fence: z.string(),
  fenceSeed: z.enum(['yes', 'no']),
  copySeconds: z.string(),
  maps: z.string(),
  bandwidth: z.string(),
  /** Verification: level, and which part of how many (from 1) at level rolling. */
  level: z.enum(['', 'listing', 'changed', 'rolling', 'full']).default(''),
  part: z.string().default('0'),
  parts: z.string().default('0'),
  /** Deletes and renames that a copy may bring to the replica; empty: as many as there are. */
  brake: z.string().default(''),
  /** An older copy into this bucket that this one may end. */
  supersedes: z.string().default(''),
  detached: z.enum(['yes', 'no']).default('no'),
  /** Queue of YARN that a copy is submitted to; empty: it runs on the host itself. */
  queue: z.string().default(''),
  /** The older copy whose application is followed to its end and sealed, instead of copying. */
  adopts: z.string().default(''),
  /** The copy that `probe` looks for. */
  probed: z.string().default(''),
  /** Snapshots that `tidy` or `delete` deletes: `name=id`, with commas between. */
  remove: z.string().default(''),
  /** Of the bucket that `create-bucket` makes; empty or 0: not given. */
  layout: z.string().default(''),
  replication: z.string().default(''),
  quotaBytes: z.string().default('0'),
  quotaNamespace: z.string().default('0'),
  encryptionKey: z.string().default(''),
  /** Of a resync that compares only what changed: the temporary snapshot of the replica, `name=id`. */
  narrow: z.string().default(''),
  /** SHA-256 of the list of the paths to examine, compare or restore, and a signed URL that gives it; empty: the whole bucket. */
  selection: z.string().default(''),
  selectionUrl: z.string().default(''),
  /** Instead of a selection: what changed since this snapshot of the source bucket. Of `divergence`: what the replica bucket was then. */
  since: z.string().default(''),
  sinceId: z.string().default(''),
  /** Of `restrict`: what the ACL becomes, commas between; empty: only reading and listing is left of it. */
  acls: z.string().default(''),
  /** What a restore does with what it finds at its target, and whether what the point has not is deleted there. */
  overwrite: z.enum(['', 'never', 'if-different', 'always']).default(''),
  deleteExtra: z.enum(['yes', 'no']).default('no'),
  /** A comparison that also calls a target different which has more than the point. */
  exact: z.enum(['yes', 'no']).default('no'),
  /** Creation time that the bucket must have which is restored into, or removed. */
  targetCreated: z.string().default(''),
  /** Of a snapshot: programs of the host's own list, `name:seconds:yes` or `no` where a failure is only noted; whose policy it is. */
  hookBefore: z.string().default(''),
  hookAfter: z.string().default(''),
  policy: z.string().default(''),
  /** Where `versions` looks for a path: `name=id`, with commas between, and the path in base64 of its UTF-8. */
  points: z.string().default(''),
  path64: z.string().default(''),
  /** The page of `changes`, and how many entries it has at most; an empty token: the first. */
  token: z.string().default(''),
  limit: z.string().default('0'),
  /** What `doctor` looks at on both sides: `volume/bucket`, with commas between. */
  buckets: z.string().default(''),
  /** Of which volumes `buckets` lists the buckets: `volume/bucket` with * and ?, commas between. */
  globs: z.string().default(''),
  /**
   * Of a batch, whose `source` and `replica` name the services only: operations of the verb, with `;` between, each
   * `operation|bucket|target|targetId|base|baseSourceId|baseReplicaId|replicaCreated|fence|fenceSeed`.
   */
  batch: z.string().default(''),
  /** Seconds that the script keeps to, and the longer time after which the agent ends it. */
  executionTimeout: z.string(),
  commandTimeout: z.string(),
});
export type EdgeParameters = z.infer<typeof EdgeParameters>;

/** How an operation ended: with the text of a reply, or without one. */
export const OperationOutcome = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('reply'),
    reply: z.string(),
    /** Of a survey whose listing is too long for an item: `reply` names no snapshot, and the whole one is there, with this hash. */
    whole: z.object({ url: z.string(), hash: PlanHash }).optional(),
  }),
  z.object({ kind: z.literal('lost'), error: z.string(), detail: z.string() }),
]);
export type OperationOutcome = z.infer<typeof OperationOutcome>;

/** What a command for several buckets does of one run. Its operation has an item of its own, with its own outcome. */
export const BatchMember = z.object({
  operation: OperationId,
  pair: PairId,
  lease: z.number().int().positive(),
  /** As of the operation. */
  keep: Kept.optional(),
});

/**
 * One remote command of a run. `sending` is written before Run Command is asked, `sent` after; `ended` once its
 * outcome is known, `notified` once the state machine was told. All but `notified` are in the open index.
 */
export const Operation = z.object({
  id: OperationId,
  runId: RunId,
  step: z.number().int().nonnegative(),
  pair: PairId,
  lease: z.number().int().positive(),
  execution: z.string(),
  document: z.string(),
  host: HostId,
  parameters: EdgeParameters,
  token: z.string(),
  state: z.enum(['sending', 'sent', 'ended', 'notified']),
  createdAt: EpochMs,
  /** When Run Command must be over with it, its own time-outs included. */
  deadline: EpochMs,
  commandId: z.string().nullable(),
  outcome: OperationOutcome.nullable(),
  /** Of a command that does the operations of several runs; what else it says of a run is that of the first. */
  members: z.array(BatchMember).min(1).max(MOST_IN_BATCH).optional(),
  /**
   * The command that does this operation of one run for it, as one of several. It has no token and is in no index, until
   * a run that goes on alone attaches to it.
   */
  batch: OperationId.optional(),
  /** Of a survey: what is kept of its listing; absent: all of it. */
  keep: Kept.optional(),
});
export type Operation = z.infer<typeof Operation>;
