import * as z from 'zod';
import { BucketRef, PolicyName, RunId, SnapshotId, SnapshotName } from './names.ts';
import { PlanHash, Side } from './retention.ts';
import { EpochMs } from './units.ts';

const Told = z.string().max(4000);
const OfSnapshot = { side: Side, name: SnapshotName, id: SnapshotId };
const Snapshots = z.array(z.object({ ...OfSnapshot, reasons: z.array(z.string()) }));

/** What the summary of a restore or a failover begins with that succeeded in making a plan: nothing was changed. */
export const ONLY_PLANNED = 'planned, waiting for a confirmation';

/** What happened to a bucket, as it is kept for good. */
export const Happening = z.discriminatedUnion('kind', [
  /** An attempt of a run is over, whatever it came to. */
  z.object({
    kind: z.literal('run-ended'),
    workflow: z.enum(['backup', 'prune', 'restore', 'drill', 'failover', 'failback', 'look', 'doctor']),
    runId: RunId,
    status: z.enum(['succeeded', 'failed']),
    /** The point, what was done, or the error. */
    summary: Told,
    startedAt: EpochMs,
    steps: z.number().int().nonnegative(),
  }),
  /** A person decided: adopt, accept, reject, pin, unpin, hold, release; of the policy: pause, resume. */
  z.object({
    kind: z.literal('decision'),
    decision: z.string(),
    words: Told,
    by: z.string(),
    reason: Told,
    execution: z.string(),
    effect: Told,
  }),
  /** The content of both sides differed, or a point became good. */
  z.object({ kind: z.literal('verified'), runId: RunId, name: SnapshotName, equal: z.boolean(), detail: Told }),
  z.object({ kind: z.literal('condemned'), runId: RunId, plan: PlanHash, snapshots: Snapshots }),
  z.object({ kind: z.literal('spared'), runId: RunId, snapshots: Snapshots }),
  /** `byUs` is false when a listing showed that somebody else had deleted it. */
  z.object({
    kind: z.literal('deleted'),
    runId: RunId,
    plan: PlanHash.nullable(),
    byUs: z.boolean(),
    snapshots: Snapshots,
  }),
  /** A policy asks for less than before: what still counts, and until when. */
  z.object({
    kind: z.literal('policy-weakened'),
    policy: PolicyName,
    bucket: BucketRef,
    change: Told,
    until: EpochMs,
  }),
  /** A glob of a policy gave a bucket for the first time or again, or a whole listing of the source did not show it any more. */
  z.object({
    kind: z.literal('enrolment'),
    policy: PolicyName,
    bucket: BucketRef,
    change: z.enum(['enrolled', 'vanished']),
  }),
]);
export type Happening = z.infer<typeof Happening>;
