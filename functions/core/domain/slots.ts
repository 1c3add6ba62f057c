import * as z from 'zod';
import { RunId } from './names.ts';
import { DurationSeconds, EpochMs, seconds } from './units.ts';

/** What there is only so much of: `diff:<cluster>`, `copy:<cluster>`, `host:<host>`, `link:<source>><replica>`. */
export const Resource = z
  .string()
  .regex(/^(diff|copy|host|link):[a-z0-9>-]+$/)
  .brand<'Resource'>();
export type Resource = z.infer<typeof Resource>;

/** Weights are places; of a link they are MB/s. */
const weight = z.number().int().positive();

/** Who has and who waits for the places of one resource: one item, changed by conditional writes only. */
export const Slots = z.object({
  resource: Resource,
  /** Grows with every change; 0: there never was one. */
  revision: z.number().int().nonnegative(),
  /** Until when at the longest, should nobody give it back. */
  holders: z.record(RunId, z.object({ until: EpochMs, weight })),
  /**
   * `by`: when it has to begin at the latest; `until`: when it counts as lost, unless it comes again; `expected`: how long
   * it is likely to have its place, which waiters of earlier versions do not say.
   */
  waiters: z.record(
    RunId,
    z.object({ by: EpochMs, until: EpochMs, weight, expected: DurationSeconds.default(seconds(60)) }),
  ),
});
export type Slots = z.infer<typeof Slots>;

/** A place in the line for a resource. */
export const Queued = z.object({
  resource: Resource,
  /** From 1; 0: others were faster so often that nobody noted it. */
  place: z.number().int().nonnegative(),
  by: EpochMs,
});
export type Queued = z.infer<typeof Queued>;
