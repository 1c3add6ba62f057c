import * as z from 'zod';
import { CopyMode } from './backup-step.ts';
import { PointState } from './ledger.ts';
import { BucketRef, ClusterName, OperationId, PairId, PolicyName, RunId, SnapshotId, SnapshotName } from './names.ts';
import { VerificationLevel } from './policy.ts';
import { Readiness } from './readiness.ts';
import { PassedDrill } from './restore.ts';
import { LegalHold, Pin, PlanHash, RetentionRules } from './retention.ts';
import { Bytes, DurationSeconds, EpochMs } from './units.ts';

/** A point as far as it is named elsewhere. */
const Named = z.object({ name: SnapshotName, at: EpochMs });
const Aged = Named.extend({ age: DurationSeconds });

/** One snapshot of a point: what it is now, and what the next plan makes of it. */
export const SideView = z.object({
  id: SnapshotId,
  created: EpochMs,
  state: z.enum(['present', 'condemned', 'deleting', 'deleted']),
  /** Which plan condemned or deleted it; null for none, or when somebody else deleted it. */
  plan: PlanHash.nullable(),
  condemnedAt: EpochMs.nullable(),
  deletedAt: EpochMs.nullable(),
  /** `spare`: it stays, and its condemnation is taken back. `nothing`: no plan can be made, or there is no retention. */
  next: z.enum(['keep', 'spare', 'condemn', 'delete', 'nothing']),
  /** Not before then it is deleted, if all stays as it is; null when it stays. */
  due: EpochMs.nullable(),
  /** Why the next plan keeps it or lets it go. */
  reasons: z.array(z.string()),
});
export type SideView = z.infer<typeof SideView>;

export const PointView = z.object({
  ...Named.shape,
  policy: PolicyName,
  /** See {@link RecoveryPoint}; null: it was taken for itself. */
  group: OperationId.nullable(),
  state: PointState,
  /** How it came to the replica, and from which point; null when it did not. */
  mode: CopyMode.nullable(),
  base: SnapshotName.nullable(),
  /** What the comparison proved, or found. */
  verification: z
    .object({
      level: VerificationLevel,
      at: EpochMs,
      files: z.number().int(),
      bytes: Bytes,
      differences: z.string().nullable(),
    })
    .nullable(),
  source: SideView,
  replica: SideView.nullable(),
  /** Why the anomaly brake keeps it; null when it does not. */
  pinned: z.string().nullable(),
  pins: z.array(Pin),
  holds: z.array(LegalHold),
  /** The last drill that restored it and found it equal. */
  drilled: PassedDrill.nullable(),
});
export type PointView = z.infer<typeof PointView>;

/** Something that makes a bucket late, or will, or that nobody looks after. */
export const Trouble = z.object({
  kind: z.enum([
    'never-ran',
    'run-failed',
    'run-open',
    'held-back',
    'replica-changed',
    'replica-dirty',
    'not-replicated',
    'policy-gone',
    'policy-paused',
    'drill-overdue',
    'drill-failed',
    'scratch-left',
    'restore-open',
    'restore-unproved',
    'failed-over',
    'roles-moving',
  ]),
  text: z.string(),
});
export type Trouble = z.infer<typeof Trouble>;

/** How long it would take to restore all of a point, and where that is known from. */
const Forecast = z.object({
  ...Named.shape,
  files: z.number().int(),
  bytes: Bytes,
  seconds: DurationSeconds,
  objective: DurationSeconds,
  isWithin: z.boolean(),
  basis: z.string(),
});

const DrillsOfBucket = z.object({
  /** The last one that passed; its point may be deleted by now. */
  last: z.object({ point: SnapshotName, age: DurationSeconds, drill: PassedDrill }).nullable(),
  /** When the next one has to pass at the latest; null without drills in the policy, or before their first slot. */
  due: EpochMs.nullable(),
  /** The policy has drills. */
  isScheduled: z.boolean(),
});

/** Where a point can be read now. */
const Copy = z.object({ cluster: ClusterName, url: z.string(), ...Named.shape, proof: z.string() });

const RulesOfSide = z.array(z.object({ rules: RetentionRules, zone: z.string(), until: EpochMs.nullable() }));

const NextPlan = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('none'), reason: z.string() }),
  z.object({ kind: z.literal('refused'), reason: z.string() }),
  z.object({
    kind: z.literal('plan'),
    /** Snapshots, both sides together. */
    condemn: z.number().int(),
    delete: z.number().int(),
    spare: z.number().int(),
    keep: z.number().int(),
  }),
]);

const common = {
  version: z.literal(1),
  /** When it was looked up. */
  now: EpochMs,
  basis: z.string(),
  bucket: BucketRef,
  policy: PolicyName,
  pair: PairId,
  source: ClusterName,
  replica: ClusterName.nullable(),
};

/** What `npm run explain -- <bucket>` says. */
export const BucketPage = z.object({
  kind: z.literal('bucket'),
  ...common,
  safe: z.object({
    /** `yes`: the newest good point is within the objective; `late`: it is not; `no`: there is none. */
    answer: z.enum(['yes', 'late', 'no']),
    objective: DurationSeconds,
    newestTaken: Aged.nullable(),
    /** Verified; of a policy without a replica: taken. */
    newestGood: Aged.nullable(),
  }),
  troubles: z.array(Trouble),
  lastRun: z
    .object({
      runId: RunId,
      status: z.enum(['open', 'succeeded', 'failed']),
      startedAt: EpochMs,
      endedAt: EpochMs.nullable(),
    })
    .nullable(),
  /** Newest copy on each side that is proved, where there is one. */
  copies: z.array(Copy),
  /** Of the newest good point; null when there is none, or its size is not known. */
  forecast: Forecast.nullable(),
  /** What a failover would come to now; null without a replica. */
  readiness: Readiness.nullable(),
  drills: DrillsOfBucket,
  rules: z.object({ source: RulesOfSide, replica: RulesOfSide }).nullable(),
  nextPlan: NextPlan,
  points: z.array(PointView),
  /** Points that are not shown: there are more than were asked for. */
  pointsLeftOut: z.number().int(),
});
export type BucketPage = z.infer<typeof BucketPage>;

export const Consequence = z.object({
  kind: z.enum([
    'legal-hold',
    'pinned',
    'in-use',
    'base',
    'previous-base',
    'only-good',
    'newest-good',
    'not-replicated',
    'only-of-period',
    'oldest',
    'nothing',
  ]),
  text: z.string(),
});
export type Consequence = z.infer<typeof Consequence>;

/** What `npm run explain -- <bucket> --point <name>` says. */
export const PointPage = z.object({
  kind: z.literal('point'),
  ...common,
  point: PointView,
  /** All its snapshots are deleted. */
  deleted: z.boolean(),
  lineage: z.object({
    slot: EpochMs,
    attempt: z.number().int(),
    runId: RunId,
    mode: CopyMode.nullable(),
    base: SnapshotName.nullable(),
    changed: z.boolean().nullable(),
    bytesCopied: Bytes.nullable(),
    filesCopied: z.number().int().nullable(),
    copySeconds: z.number().int().nullable(),
    /** Points that are increments of this one, oldest first. */
    increments: z.array(SnapshotName),
    verification: z
      .object({
        level: VerificationLevel,
        at: EpochMs,
        files: z.number().int(),
        dirs: z.number().int(),
        bytes: Bytes,
        checksums: z.number().int().nullable(),
        differences: z.string().nullable(),
      })
      .nullable(),
  }),
  /** What is on record of it, oldest first. */
  history: z.array(z.object({ at: EpochMs, text: z.string() })),
  /** What breaks if it is deleted on every side; empty when it is. */
  consequences: z.array(Consequence),
  /** Decisions that would keep it or let it go, in the words to write; none when it is deleted. */
  words: z.array(z.string()),
  /** The living points next to it in time. */
  earlier: Named.nullable(),
  later: Named.nullable(),
});
export type PointPage = z.infer<typeof PointPage>;
