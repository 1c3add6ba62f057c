import * as z from 'zod';
import { PairId, PolicyName, RunId, SnapshotId } from './names.ts';
import { PlanHash, RetentionRules, Side } from './retention.ts';
import { EpochMs } from './units.ts';

const Reasons = z.array(z.string());
const Listed = z.object({ name: z.string(), id: SnapshotId, created: EpochMs, reasons: Reasons });

/** How the points of a side lie in time. */
const Coverage = z.object({
  points: z.number().int(),
  oldest: EpochMs.nullable(),
  newest: EpochMs.nullable(),
  /** Between neighbours, in seconds: what a restore of the worst moment goes back by. */
  widestGap: z.number().int(),
});
export type Coverage = z.infer<typeof Coverage>;

const SidePlan = z.object({
  keep: z.array(Listed),
  /** Condemned by this plan, or waiting under an earlier one (`plan`); with what only they keep, where it is known. */
  delete: z.array(Listed.extend({ bytes: z.number().int().nullable(), plan: PlanHash.nullable() })),
  /** Condemned before, kept now. */
  spare: z.array(Listed),
  /** Bytes that the cluster says would be free at least; it counts them in the background. */
  bytes: z.number().int(),
  coverage: z.object({ before: Coverage, after: Coverage }),
});

const InForce = z.array(z.object({ rules: RetentionRules, zone: z.string(), until: EpochMs.nullable() }));

/** What is to be deleted of one bucket, and what stays, each with its reasons. Known by the hash of its text. */
export const DeletionPlan = z.object({
  schema: z.literal(1),
  pair: PairId,
  policy: PolicyName,
  runId: RunId,
  madeAt: EpochMs,
  graceHours: z.number(),
  maxDeletions: z.number().int(),
  rules: z.object({ source: InForce, replica: InForce.nullable() }),
  source: SidePlan,
  replica: SidePlan.nullable(),
});
export type DeletionPlan = z.infer<typeof DeletionPlan>;

/** Everything that the plan means to delete, by side. */
export const doomedOf = (plan: DeletionPlan) =>
  Side.options.flatMap((side) => (plan[side]?.delete ?? []).map((snapshot) => ({ side, ...snapshot })));

export const sparedOf = (plan: DeletionPlan) =>
  Side.options.flatMap((side) => (plan[side]?.spare ?? []).map((snapshot) => ({ side, ...snapshot })));
