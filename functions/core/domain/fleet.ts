import * as z from 'zod';
import { BucketRef } from './names.ts';

/** What a fleet starts for its buckets. */
export const Work = z.enum(['backup', 'prune', 'drill']);
export type Work = z.infer<typeof Work>;

const FleetRun = z.object({
  bucket: BucketRef,
  /** Execution name: the same for the same slot and attempt of the same bucket. */
  name: z.string(),
});
export type FleetRun = z.infer<typeof FleetRun>;

/** A line of the due list. */
export const FleetItem = z.object({
  work: Work,
  policy: z.string(),
  /** ISO 8601, whole seconds, UTC. */
  slot: z.string(),
  runs: z.array(FleetRun).min(1),
  /** Execution name of the batch that takes the short steps of several runs together; null: each goes alone. */
  batch: z.string().nullable(),
});
export type FleetItem = z.infer<typeof FleetItem>;

/** How one run of an item ended; `error` is null when it did what it was to do. */
export const FleetResult = FleetRun.extend({ error: z.string().nullable() });
export type FleetResult = z.infer<typeof FleetResult>;

/** An object in S3. */
export interface FleetPlace {
  readonly bucket: string;
  readonly key: string;
}
