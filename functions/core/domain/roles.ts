import * as z from 'zod';
import { AclEntries, DivergenceData } from './edge-reply.ts';
import { BucketRef, ClusterName, PairId, PolicyName, RunId, Slot, SnapshotId, SnapshotName } from './names.ts';
import { FailoverKind, RestoreVerification, refuseHalfConfirmed, Who, Why } from './restore.ts';
import { PlanHash, Side } from './retention.ts';
import { DurationSeconds, EpochMs } from './units.ts';

/**
 * Which side of a pair people write to, as the ledger knows it: never as a cluster says. A pair without one was never
 * failed over, and its source is the primary.
 */
export const Role = z.object({
  primary: Side,
  /** Grows with every switch. */
  epoch: z.number().int().positive(),
  /** While it is `moving` neither side is written to by anything of ours but the run that moves it. */
  state: z.enum(['moving', 'settled']),
  /** What the new primary began with. */
  point: SnapshotName,
  since: EpochMs,
  by: RunId,
  /** The snapshot of the new primary from before anybody wrote there; null while it is moving. */
  opened: z.object({ name: SnapshotName, id: SnapshotId, created: EpochMs }).nullable(),
  /** What was written to the old primary is kept apart, so it may become the replica of the new one. */
  prepared: z
    .object({
      by: RunId,
      at: EpochMs,
      /** Nothing that both sides had in common is left on the old primary: it is filled like a new replica, if it is empty. */
      isRebuilt: z.boolean().default(false),
    })
    .nullable()
    .default(null),
  /** Nobody in the ACL of the bucket may write on this cluster: `before` is the ACL that it had. */
  restricted: z.object({ cluster: ClusterName, before: AclEntries }).nullable().default(null),
});
export type Role = z.infer<typeof Role>;

/** What a person asks for, as the input of the failover machine. */
export const FailoverRequest = z
  .strictObject({
    policy: PolicyName,
    bucket: BucketRef,
    kind: FailoverKind,
    /** Of an unplanned one: another verified point than the newest. */
    point: SnapshotName.optional(),
    /** What proves that the replica is the point: every path, type and length; or the checksum of every file too. */
    verification: RestoreVerification.default('full'),
    by: Who,
    reason: Why,
    slot: Slot.optional(),
    planOnly: z.boolean().default(false),
    plan: PlanHash.optional(),
    confirmation: z.string().max(500).optional(),
    /** The plan of several buckets that a person confirmed; given by the fleet that does it. */
    fleet: PlanHash.optional(),
    AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: z.string().optional(),
  })
  .superRefine((request, context) => {
    const refuse = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    if (request.kind === 'planned' && request.point !== undefined)
      refuse('point', 'a planned failover brings over what is there now: leave it out');
    refuseHalfConfirmed(request, refuse);
  });
export type FailoverRequest = z.infer<typeof FailoverRequest>;

/** What a person asks for, as the input of the failback machine. */
export const FailbackRequest = z
  .strictObject({
    policy: PolicyName,
    bucket: BucketRef,
    /**
     * `prepare`: reports what both sides changed, keeps apart what was written to the old primary, and brings the changes of
     * the new one to it, while people go on there. `switch`: the roles go back; nobody may write meanwhile.
     */
    kind: z.enum(['prepare', 'switch']),
    verification: RestoreVerification.default('full'),
    by: Who,
    reason: Why,
    slot: Slot.optional(),
    planOnly: z.boolean().default(false),
    plan: PlanHash.optional(),
    confirmation: z.string().max(500).optional(),
    AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: z.string().optional(),
  })
  .superRefine((request, context) => {
    refuseHalfConfirmed(request, (field, message) => context.addIssue({ code: 'custom', path: [field], message }));
  });
export type FailbackRequest = z.infer<typeof FailbackRequest>;

/** The three-way report: what both sides changed since they were equal. Confirming it lets the old primary be overwritten. */
export const FailbackPlan = z.object({
  schema: z.literal(1),
  kind: z.literal('failback'),
  roleOf: PairId,
  epoch: z.number().int(),
  policy: PolicyName,
  bucket: BucketRef,
  from: ClusterName,
  to: ClusterName,
  madeAt: EpochMs,
  expires: EpochMs,
  /** What both sides were when they parted. */
  common: SnapshotName,
  /** Null: the old primary has nothing any more of what both sides had in common. */
  divergence: DivergenceData.nullable(),
});
export type FailbackPlan = z.infer<typeof FailbackPlan>;

export const failbackWords = ({ bucket, to }: FailbackPlan, plan: PlanHash): string =>
  `fail back ${bucket} to ${to} ${plan.slice(0, 12)}`;

/** The most buckets that one request moves. */
const MOST_BUCKETS = 100;

/** What a person asks for of several buckets, as the input of the fleet of failovers. */
export const FailoverFleetRequest = z
  .strictObject({
    policy: PolicyName,
    kind: FailoverKind,
    /** Groups, one after the other, as what depends on what; the buckets of one group at the same time. All of the policy without it. */
    buckets: z
      .array(z.union([BucketRef.transform((bucket) => [bucket]), z.array(BucketRef).min(1)]))
      .min(1)
      .refine((groups) => groups.flat().length <= MOST_BUCKETS, `name at most ${MOST_BUCKETS} buckets`)
      .refine((groups) => new Set(groups.flat()).size === groups.flat().length, 'name each bucket once')
      .optional(),
    verification: RestoreVerification.default('full'),
    by: Who,
    reason: Why,
    plan: PlanHash.optional(),
    confirmation: z.string().max(500).optional(),
    AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: z.string().optional(),
  })
  .superRefine((request, context) =>
    refuseHalfConfirmed(request, (field, message) => context.addIssue({ code: 'custom', path: [field], message })),
  );
export type FailoverFleetRequest = z.infer<typeof FailoverFleetRequest>;

/** What would be failed over, bucket by bucket in their order, as the ledger knows it. */
export const FailoverFleetPlan = z.object({
  schema: z.literal(1),
  kind: z.literal('failover-fleet'),
  policy: PolicyName,
  failover: FailoverKind,
  from: ClusterName,
  to: ClusterName,
  madeAt: EpochMs,
  expires: EpochMs,
  groups: z.array(
    z.array(
      z.object({
        bucket: BucketRef,
        point: SnapshotName.nullable(),
        lossSeconds: DurationSeconds.nullable(),
        seconds: DurationSeconds.nullable(),
        /** A failover of it began and did not end: it is gone on with, to the same point. */
        resumes: z.boolean().default(false),
        /** Why it cannot be done now; null when it can. */
        blocker: z.string().nullable(),
      }),
    ),
  ),
});
export type FailoverFleetPlan = z.infer<typeof FailoverFleetPlan>;

export const fleetWords = ({ policy, to, groups }: FailoverFleetPlan, plan: PlanHash): string =>
  `fail over ${groups.flat().length} buckets of ${policy} to ${to} ${plan.slice(0, 12)}`;
