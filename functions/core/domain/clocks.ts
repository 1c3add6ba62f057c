import * as z from 'zod';
import { BucketRef, ClusterName, HostId, PairId, PolicyName, RunId, SnapshotName } from './names.ts';
import { VerificationLevel } from './policy.ts';
import { Resource } from './slots.ts';
import { DurationSeconds, EpochMs } from './units.ts';

/**
 * How old the newest point is that was taken; that is on the replica and compared equal at any level; that was compared
 * equal at the level that the policy asks for; and how long ago a drill passed.
 */
export const CLOCKS = ['taken', 'replicated', 'verified', 'drilled'] as const;
export const ClockName = z.enum(CLOCKS);
export type ClockName = z.infer<typeof ClockName>;

/** Why a run failed, as far as alarms tell it apart. */
export const FAILURE_KINDS = ['snapshot', 'replication', 'differs', 'anomaly', 'fence', 'prune', 'drill'] as const;
export const FailureKind = z.enum(FAILURE_KINDS);
export type FailureKind = z.infer<typeof FailureKind>;

/** How the last run of one workflow for one bucket ended. */
export const LastRun = z.object({
  runId: RunId,
  status: z.enum(['succeeded', 'failed']),
  /** Of a failed run. */
  error: z.string().nullable(),
  kind: FailureKind.nullable(),
  /** Of a prune that succeeded: snapshots that it left because of the cap. */
  overCap: z.number().int().nonnegative().default(0),
  at: EpochMs,
});
export type LastRun = z.infer<typeof LastRun>;

export const NewestPoint = z.object({ name: SnapshotName, at: EpochMs });
export type NewestPoint = z.infer<typeof NewestPoint>;

/**
 * What the clocks of a bucket under one policy go by, kept in the same write as what it follows from: nobody has to read
 * all points to know how old the newest one is.
 */
export const Newest = z.object({
  taken: NewestPoint.nullable(),
  /** The newest point that was compared equal, for each level that it was compared at. */
  verified: z.partialRecord(VerificationLevel, NewestPoint),
  runs: z.partialRecord(z.enum(['backup', 'prune', 'drill', 'restore', 'failover', 'failback']), LastRun).default({}),
});
export type Newest = z.infer<typeof Newest>;

/** One clock of one bucket. */
export const ClockReading = z.object({
  /** Null when there is none yet. */
  point: SnapshotName.nullable(),
  /** What the age counts from: the point, the drill, or when there should first have been one. */
  since: EpochMs,
  age: DurationSeconds,
  /** The longest time between two slots now; of drills the span within which each bucket is drilled. Null without schedules. */
  interval: DurationSeconds.nullable(),
  objective: DurationSeconds,
  /** `late` and `stale`: older than so many intervals as the policy says, by default 2 and 3. */
  state: z.enum(['fine', 'late', 'stale']),
  /** Older than the objective. */
  breach: z.boolean(),
});
export type ClockReading = z.infer<typeof ClockReading>;

/** The clocks of one bucket; null: not asked for, or failed over and not backed up since. */
export const Clocks = z.object({
  taken: ClockReading.nullable(),
  replicated: ClockReading.nullable(),
  verified: ClockReading.nullable(),
  drilled: ClockReading.nullable(),
});
export type Clocks = z.infer<typeof Clocks>;

/** Of one bucket, for people. */
export const AssessedBucket = z.object({
  bucket: BucketRef,
  pair: PairId,
  clocks: Clocks,
  /** The newest good point is older than the objective. */
  inBreach: z.boolean(),
  runs: Newest.shape.runs,
  /** Changes that wait for a person. */
  held: z.boolean(),
  /** Why it could not be failed over now; null when it could, or when that is not asked. */
  notReady: z.string().nullable().default(null),
  /** Its source is not its primary, or not for sure, since then: no backup of it is made. */
  failedOver: EpochMs.nullable().default(null),
});
export type AssessedBucket = z.infer<typeof AssessedBucket>;

const perClock = <S extends z.ZodType>(each: S) =>
  z.object({ taken: each, replicated: each, verified: each, drilled: each });

/** Of the oldest reading of all buckets; null when nobody asks for it. */
export const WorstOfClock = z.object({ ofInterval: z.number().nullable(), ofObjective: z.number() });

/** Who paused a policy, and why. */
export const PausedBy = z.object({ by: z.string(), reason: z.string(), at: EpochMs });

/** The most buckets that an assessment names. */
export const NAMED_BUCKETS = 20;

/**
 * What the last assessment of a policy found: the item `POLICY#<name>` / `CLOCKS` of the table, written every five
 * minutes. Whoever shows it says how old it is.
 */
export const PolicyAssessment = z.object({
  version: z.literal(1),
  policy: PolicyName,
  at: EpochMs,
  paused: PausedBy.nullable(),
  /** How many buckets the policy has, and how many of them are in breach, late or stale. */
  buckets: z.number().int(),
  inBreach: z.number().int(),
  late: perClock(z.number().int()),
  stale: perClock(z.number().int()),
  worst: perClock(WorstOfClock.nullable()),
  /** Buckets whose last run failed, by kind. */
  failed: z.partialRecord(FailureKind, z.number().int()),
  overCap: z.number().int(),
  held: z.number().int(),
  /** How many could not be failed over now, and how many are failed over. */
  notReady: z.number().int().default(0),
  /** Of those not ready, how many have no point to fail over to although they should have had one since the objective ago. */
  notReadyOverdue: z.number().int().default(0),
  failedOver: z.number().int().default(0),
  /** The worst buckets first, at most {@link NAMED_BUCKETS}. */
  named: z.array(AssessedBucket),
  /** Enrolled buckets that the source lists no more, and that still cool off; at most as many as are named. */
  vanished: z.array(z.object({ bucket: BucketRef, at: EpochMs })).default([]),
  /** When each bucket was first expected to have points. */
  expected: z.array(z.object({ bucket: BucketRef, since: EpochMs })),
  /** What is asked for, and since when in this form: what was changed a moment ago cannot be late yet. */
  asked: z.object({
    level: z.object({ form: z.string(), since: EpochMs }),
    schedules: z.object({ form: z.string(), since: EpochMs }),
    drills: z.object({ form: z.string(), since: EpochMs }),
  }),
});
export type PolicyAssessment = z.infer<typeof PolicyAssessment>;

/** What is not of one policy: the item `SYSTEM` / `CLOCKS` of the table. */
export const FleetAssessment = z.object({
  version: z.literal(1),
  at: EpochMs,
  operations: z.object({
    open: z.number().int(),
    oldest: z.object({ id: z.string(), host: HostId, pair: PairId, since: EpochMs }).nullable(),
  }),
  /** Hosts of the policies; `online` is null when Systems Manager could not be asked. */
  hosts: z.array(
    z.object({
      host: HostId,
      clusters: z.array(ClusterName),
      online: z.boolean().nullable(),
      open: z.number().int(),
    }),
  ),
  /** Clusters that the newest run which needed them found unreachable. */
  unreachable: z.array(z.object({ cluster: ClusterName, error: z.string(), runId: RunId, at: EpochMs })),
  /** Runs that wait in a line and cannot begin in time for their objective, the latest first; at most {@link NAMED_BUCKETS}. */
  outrun: z.array(z.object({ runId: RunId, resource: Resource, by: EpochMs, begins: EpochMs })).default([]),
});
export type FleetAssessment = z.infer<typeof FleetAssessment>;
