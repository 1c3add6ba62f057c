import * as z from 'zod';
import { BucketRef, ClusterName, PairId, PolicyName, Slot, SnapshotId, SnapshotName } from './names.ts';
import { Cluster } from './policy.ts';
import { PlanHash, Side } from './retention.ts';
import { Bytes, DurationSeconds, EpochMs, epochMs } from './units.ts';

const PATH_FORM =
  'write a path relative to the bucket: no / at its begin or end, no empty, . or .. parts, no control characters, not below .snapshot, at most 1024 bytes';

/** Whether a path can only mean something inside the bucket. */
export const isPathWithin = (path: string): boolean =>
  // A lone surrogate has no UTF-8.
  !/\p{Surrogate}/u.test(path) &&
  new TextEncoder().encode(path).length <= 1024 &&
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  !/[\u0000-\u001f\u007f]/.test(path) &&
  path.split('/').every((part) => part !== '' && part !== '.' && part !== '..') &&
  path.split('/')[0] !== '.snapshot';

export const RelativePath = z.string(PATH_FORM).refine(isPathWithin, PATH_FORM).brand<'RelativePath'>();
export type RelativePath = z.infer<typeof RelativePath>;

/**
 * What of a point is restored. In a glob `*` stands for anything but `/`, `**` for anything, all else for itself. What
 * lies below a directory that is named or matched belongs to it.
 */
export const RestoreScope = z.union(
  [
    z.literal('bucket'),
    z.strictObject({ prefix: RelativePath }),
    z.strictObject({
      paths: z
        .array(RelativePath)
        .min(1, 'name at least one path')
        .max(10_000, 'name at most 10000 paths; for more write a prefix or a glob'),
    }),
    z.strictObject({ glob: RelativePath }),
  ],
  { error: 'write "bucket", {"prefix": "…"}, {"paths": ["…"]} or {"glob": "…"}' },
);
export type RestoreScope = z.infer<typeof RestoreScope>;

/** `never`: what is at the target stays as it is; `if-different`: replaced where length or checksum differ; `always`: replaced. */
export const Overwrite = z.enum(['never', 'if-different', 'always']);
export type Overwrite = z.infer<typeof Overwrite>;

/** What a comparison after a restore reads: names, types and lengths, or the checksum of every file as well. */
export const RestoreVerification = z.enum(['listing', 'full']);
export type RestoreVerification = z.infer<typeof RestoreVerification>;

/** `planned`: the source answers, and nothing may be lost. `unplanned`: the source is not needed. */
export const FailoverKind = z.enum(['planned', 'unplanned']);
export type FailoverKind = z.infer<typeof FailoverKind>;

export const Who = z.string('say who').trim().min(1, 'say who').max(100);
export const Why = z.string('say why').trim().min(1, 'say why').max(500);

interface Confirming {
  readonly plan?: PlanHash | undefined;
  readonly confirmation?: string | undefined;
  readonly planOnly?: boolean;
}

/** A plan and its words come together, and whoever has them does not plan anew. */
export const refuseHalfConfirmed = (
  { plan, confirmation, planOnly }: Confirming,
  refuse: (field: string, message: string) => void,
): void => {
  if ((plan === undefined) !== (confirmation === undefined))
    refuse('confirmation', 'a confirmation is of a plan: give both, as the output of the planning run has them');
  if (planOnly && plan !== undefined)
    refuse(
      'planOnly',
      'this would plan anew, and not do what the plan says: leave planOnly out, or plan and confirmation',
    );
};

/** What a person asks for, as the input of the restore machine. */
export const RestoreRequest = z
  .strictObject({
    policy: PolicyName,
    bucket: BucketRef,
    point: SnapshotName.optional(),
    /** The newest point at or before this instant. */
    asOf: z.iso
      .datetime({ offset: true, error: 'write an instant: 2026-11-20T02:00:00Z' })
      .transform((text): EpochMs => epochMs(Date.parse(text)))
      .optional(),
    scope: RestoreScope.default('bucket'),
    target: z
      .union([z.enum(['side', 'in-place']), z.strictObject({ cluster: ClusterName, bucket: BucketRef })], {
        error: 'write "side", "in-place" or {"cluster": "…", "bucket": "volume/bucket"}',
      })
      .default('side'),
    overwrite: Overwrite.default('never'),
    deleteExtra: z.boolean().default(false),
    verification: RestoreVerification.default('full'),
    by: Who,
    reason: Why,
    /** Names the restore; the same slot for the same target is the same restore. */
    slot: Slot.optional(),
    /** Looks and says what it would do, whatever the target: nothing is made, copied or deleted. */
    planOnly: z.boolean().default(false),
    plan: PlanHash.optional(),
    confirmation: z.string().max(500).optional(),
    AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: z.string().optional(),
  })
  .superRefine((request, context) => {
    const refuse = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    if ((request.point === undefined) === (request.asOf === undefined))
      refuse('point', 'name one point, or give asOf for the newest at or before a time: one of the two');
    if (request.deleteExtra && request.target === 'side')
      refuse('deleteExtra', 'a side bucket is new, so nothing in it is extra: leave it out');
    if (request.deleteExtra && request.overwrite === 'never')
      refuse('deleteExtra', 'what is extra is deleted only where the rest is overwritten too: set overwrite');
    if (request.deleteExtra && typeof request.scope === 'object' && !('prefix' in request.scope))
      refuse('deleteExtra', 'only of the whole bucket or of a prefix can be said what is extra');
    refuseHalfConfirmed(request, refuse);
  });
export type RestoreRequest = z.infer<typeof RestoreRequest>;

/** What the input of the drill machine asks for. */
export const DrillRequest = z.strictObject({
  policy: PolicyName,
  bucket: BucketRef,
  slot: Slot.optional(),
  /** Drilled instead of the one that the policy would pick. */
  point: SnapshotName.optional(),
  AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: z.string().optional(),
});
export type DrillRequest = z.infer<typeof DrillRequest>;

/** How fast restores go, and where that is known from. */
export const RestoreRate = z.object({
  bytesPerSecond: z.number().positive(),
  secondsPerFile: z.number().nonnegative(),
  /** What a restore takes whatever its size. */
  startSeconds: z.number().nonnegative().default(0),
  basis: z.string(),
});
export type RestoreRate = z.infer<typeof RestoreRate>;

const CopyOfPoint = z.object({ id: SnapshotId, cluster: Cluster });

/** What a plan allowed: a target that would lose more than this by now is not touched. */
const Confirmed = z.object({
  plan: PlanHash,
  targetCreated: z.string().nullable(),
  replaced: z.number().int(),
  deleted: z.number().int(),
});

/** What a restore, a drill or a failover is to do, resolved when it was opened. */
export const RestoreTask = z.object({
  purpose: z.enum(['restore', 'drill', 'failover', 'failback']),
  /** Whose point it is. */
  lineage: PairId,
  point: z.object({
    name: SnapshotName,
    created: EpochMs,
    /** SHA-256 of the listing that a comparison proved; null when nothing did. */
    digest: z.string().nullable(),
    source: CopyOfPoint.nullable(),
    replica: CopyOfPoint.nullable(),
    envelope: z
      .object({
        layout: z.enum(['FILE_SYSTEM_OPTIMIZED', 'LEGACY', 'OBJECT_STORE']),
        replication: z.string(),
        encryptionKey: z.string().nullable(),
        quotaInBytes: z.number().int(),
        quotaInNamespace: z.number().int(),
      })
      .nullable(),
  }),
  /** Of the selection file; null for the whole bucket. */
  selection: PlanHash.nullable(),
  /** Only what changed since this snapshot of the bucket that is read; never together with a selection. */
  since: z.object({ name: SnapshotName, id: SnapshotId }).nullable().default(null),
  /** For people: `the whole bucket`, `3 paths`. */
  scope: z.string(),
  target: z.object({ kind: z.enum(['side', 'in-place', 'other', 'scratch']), cluster: Cluster, bucket: BucketRef }),
  overwrite: Overwrite,
  deleteExtra: z.boolean(),
  verification: RestoreVerification,
  by: z.string(),
  reason: z.string(),
  rate: RestoreRate,
  /** Ends with a plan also where nobody has to confirm anything. */
  planOnly: z.boolean().default(false),
  confirmed: Confirmed.nullable(),
  /** Of a failover: whose place the target takes; the source is asked only when it is planned. */
  failover: z
    .object({
      kind: FailoverKind,
      from: Cluster,
      epoch: z.number().int().positive(),
      /** The side that becomes the primary, and the pair whose roles these are. */
      to: Side,
      roleOf: PairId,
    })
    .nullable()
    .default(null),
  /** Of the preparation of a failback: what both sides were when they parted, on each of them. */
  failback: z
    .object({
      epoch: z.number().int().positive(),
      roleOf: PairId,
      common: z.object({ name: SnapshotName, id: SnapshotId }),
      opened: z.object({ name: SnapshotName, id: SnapshotId }),
    })
    .nullable()
    .default(null),
});
export type RestoreTask = z.infer<typeof RestoreTask>;

const Count = z.number().int().nonnegative();

/** What keeps a plan from being done as it stands, and what would help: found by looking, before anything is changed. */
const Obstacle = z.object({ error: z.string(), reason: z.string(), remedy: z.string() });
export type Obstacle = z.infer<typeof Obstacle>;

/** What a restore would do to its target, found by looking. `replaced` and `deleted` are files that are there now. */
export const RestorePlan = z.object({
  schema: z.literal(1),
  lineage: PairId,
  policy: PolicyName,
  madeAt: EpochMs,
  /** From then on it confirms nothing any more. */
  expires: EpochMs,
  point: SnapshotName,
  pointId: SnapshotId,
  from: ClusterName,
  /** Why that copy of the point is read. */
  why: z.string().default(''),
  scope: z.string(),
  selection: PlanHash.nullable(),
  /** Of the restore that made it: the name of a new side bucket follows from it. */
  slot: EpochMs.nullable().default(null),
  target: z.object({
    kind: z.enum(['side', 'in-place', 'other', 'scratch']),
    cluster: ClusterName,
    bucket: BucketRef,
    created: z.string().nullable(),
  }),
  overwrite: Overwrite,
  deleteExtra: z.boolean(),
  files: Count,
  bytes: Bytes,
  absent: Count,
  replaced: Count,
  leftAlone: Count,
  deleted: Count,
  /** The first of what is in the way, in words. */
  first: z.array(z.string()),
  /** A snapshot is taken first of what is overwritten or deleted; false when nothing is. */
  isKept: z.boolean(),
  /** The quota of the bytes of a bucket that is there, and what the restore adds to it; null where there is none. */
  room: z.object({ quota: Bytes, used: Bytes, needed: Bytes }).nullable().default(null),
  /** Empty, or nothing is restored by this plan. */
  obstacles: z.array(Obstacle).default([]),
  seconds: DurationSeconds,
  basis: z.string(),
  /** Of a failover: what was written to `from` in the last `lossSeconds` is not in the point. */
  failover: z
    .object({
      kind: FailoverKind,
      from: ClusterName,
      lossSeconds: DurationSeconds,
      /** What `from` has otherwise than the point, by their listings; null when it could not be read. */
      differs: z
        .object({ added: Count, changed: Count, deleted: Count, first: z.array(z.string()) })
        .nullable()
        .default(null),
    })
    .nullable()
    .default(null),
});
export type RestorePlan = z.infer<typeof RestorePlan>;

/**
 * The words that confirm a plan: of one that overwrites, deletes or writes where people work they name the target and
 * the plan, so that nobody types them unseen; of one that only adds a word is enough.
 */
export const confirmationOf = (
  {
    target,
    deleteExtra,
    replaced,
    deleted,
    failover,
  }: Pick<RestorePlan, 'target' | 'deleteExtra' | 'replaced' | 'deleted' | 'failover'>,
  plan: PlanHash,
): string => {
  if (failover) return `fail over ${target.bucket} to ${target.cluster} ${plan.slice(0, 12)}`;
  return target.kind === 'in-place' || deleteExtra || replaced + deleted > 0
    ? `overwrite ${target.bucket} ${plan.slice(0, 12)}`
    : 'restore';
};

/** A restore that only looked. `confirmation`: the words with which it is started again; null when it cannot be done as planned. */
export const RestorePlanned = z.object({
  kind: z.literal('restore-planned'),
  plan: PlanHash,
  confirmation: z.string().nullable(),
  expires: EpochMs,
  summary: z.string(),
});

export const Restored = z.object({
  kind: z.literal('restored'),
  point: SnapshotName,
  from: Side,
  target: z.string(),
  scope: z.string(),
  files: Count,
  bytes: Bytes,
  bytesCopied: Bytes,
  /** Files at the target that were there before and differ from the point. */
  leftAlone: Count,
  safetySnapshot: SnapshotName.nullable(),
  seconds: DurationSeconds,
  level: RestoreVerification,
  notes: z.array(z.string()),
});

/** The target is the primary now. */
export const FailedOver = z.object({
  kind: z.literal('failed-over'),
  bucket: BucketRef,
  failover: FailoverKind,
  from: ClusterName,
  to: ClusterName,
  epoch: Count,
  point: SnapshotName,
  /** From the point to the begin of the failover: what was written in this time is not there. 0 when it is proved that nothing was. */
  lossSeconds: DurationSeconds,
  files: Count,
  bytes: Bytes,
  /** What had to be brought back to the point. */
  bytesCopied: Bytes,
  /** Of what was there before. */
  safetySnapshot: SnapshotName.nullable(),
  /** The new primary from before anybody wrote there. */
  opened: z.object({ name: SnapshotName, id: SnapshotId, created: EpochMs }).nullable(),
  /** Whether the right to write was taken from everybody in the ACL of the source, and not given back; null: that was not asked for. */
  restricted: z.boolean().nullable().default(null),
  /** From the first look to the proof: what people waited for. */
  seconds: DurationSeconds,
  level: RestoreVerification,
  notes: z.array(z.string()),
});
export type FailedOver = z.infer<typeof FailedOver>;

/** The old primary may become the primary again. */
export const FailbackPrepared = z.object({
  kind: z.literal('failback-prepared'),
  bucket: BucketRef,
  from: ClusterName,
  to: ClusterName,
  /** What was written to the old primary after both parted, kept apart and compared; null when there was nothing. */
  orphans: z.object({ bucket: BucketRef, files: Count, bytes: Bytes }).nullable(),
  /** The last point of the new primary that the old one has too. */
  point: SnapshotName,
  rounds: Count,
  bytesCopied: Bytes,
  notes: z.array(z.string()),
});
export type FailbackPrepared = z.infer<typeof FailbackPrepared>;

export const Drilled = z.object({
  kind: z.literal('drilled'),
  point: SnapshotName,
  from: Side,
  /** What the restored content was compared with. */
  against: z.string(),
  files: Count,
  bytes: Bytes,
  bytesCopied: Bytes,
  copySeconds: DurationSeconds,
  /** From the first look to the end of the comparison. */
  seconds: DurationSeconds,
  rto: DurationSeconds,
  level: RestoreVerification,
  notes: z.array(z.string()),
});
export type Drilled = z.infer<typeof Drilled>;

/** The last drill that a point passed. */
export const PassedDrill = z.object({
  /** Whose drill it was; those of before several policies could drill one bucket do not say it. */
  policy: PolicyName.optional(),
  at: EpochMs,
  from: Side,
  files: Count,
  bytes: Bytes,
  bytesCopied: Bytes,
  copySeconds: DurationSeconds,
  seconds: DurationSeconds,
  level: RestoreVerification,
});
export type PassedDrill = z.infer<typeof PassedDrill>;
