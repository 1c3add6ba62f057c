import * as z from 'zod';
import { BucketPattern } from './buckets.ts';
import { CronFields } from './cron.ts';
import { BucketRef, OperationId, PolicyName } from './names.ts';
import { TimeZone } from './time-zone.ts';
import { DurationSeconds, EpochMs } from './units.ts';

const SPAN_FORM =
  'write whole numbers with the units y (years), m (months), d (days), h (hours), each at most once: 2y5m7d3h, 7d, 36h (no weeks: 7d, not 1w)';

/**
 * A span of the calendar as restic writes it: `2y5m7d3h`, in any order, each unit at most once. `m` is months. Unlike
 * restic, which lets the last of two equal units win and takes negative numbers, anything but positive whole numbers
 * with different units is refused. Kept as the text that was written, so that a stored policy reads as it was.
 */
export const CalendarSpan = z
  .string(SPAN_FORM)
  .regex(/^(?!.*([ymdh]).*\1)([1-9][0-9]{0,4}[ymdh])+$/, SPAN_FORM)
  .brand<'CalendarSpan'>();
export type CalendarSpan = z.infer<typeof CalendarSpan>;

export interface SpanParts {
  readonly years: number;
  readonly months: number;
  readonly days: number;
  readonly hours: number;
}

export const spanParts = (span: CalendarSpan): SpanParts => {
  const of = (unit: string): number => Number(new RegExp(`([0-9]+)${unit}`).exec(span)?.[1] ?? 0);
  return { years: of('y'), months: of('m'), days: of('d'), hours: of('h') };
};

const COUNT_FORM = 'write a whole number from 0 to 100000, or unlimited';

/** How many to keep; 0 is the same as leaving the rule out. */
const Count = z.union([z.number().int().min(0).max(100_000), z.literal('unlimited')], { error: COUNT_FORM });
export type RetentionCount = z.infer<typeof Count>;

const count = (what: string) => Count.optional().meta({ description: `keep ${what}` });
const within = (what: string) =>
  CalendarSpan.optional().meta({ description: `keep ${what} within this span of the newest point` });

/**
 * Which points of a bucket stay on one side, as a person writes it. A point stays if any rule keeps it. The rules mean
 * what restic's documentation says of `forget` (restic 0.19, doc/060_forget): the counted periods are those that have
 * a point at all.
 */
export const RetentionRules = z
  .strictObject({
    keepLast: count('the newest points'),
    keepHourly: count('the newest point of each of the last hours'),
    keepDaily: count('the newest point of each of the last days'),
    keepWeekly: count('the newest point of each of the last weeks (Monday to Sunday)'),
    keepMonthly: count('the newest point of each of the last months'),
    keepYearly: count('the newest point of each of the last years'),
    keepWithin: within('every point'),
    keepWithinHourly: within('the newest point of each hour'),
    keepWithinDaily: within('the newest point of each day'),
    keepWithinWeekly: within('the newest point of each week'),
    keepWithinMonthly: within('the newest point of each month'),
    keepWithinYearly: within('the newest point of each year'),
    minGood: z
      .number()
      .int()
      .min(1)
      .max(1000)
      .optional()
      .meta({ description: 'so many of the newest verified points stay whatever the rules say (default 1)' }),
  })
  .refine(({ minGood: _, ...rules }) => Object.values(rules).some((rule) => rule !== undefined && rule !== 0), {
    error: 'these rules would keep nothing: give at least one keep rule that is not 0',
  });
export type RetentionRules = z.infer<typeof RetentionRules>;

/**
 * What a policy keeps, per side, and how carefully it deletes. The form is its own parsed form, so that a run or a
 * record of former rules stores it as it was written.
 */
export const Retention = z.strictObject({
  zone: TimeZone.meta({ description: 'whose days, weeks, months and years the rules mean' }),
  cron: CronFields.default('30 4 * * ? *').meta({
    description: 'when to prune, in that zone: minute hour day-of-month month day-of-week year',
  }),
  source: RetentionRules,
  replica: RetentionRules.optional().meta({ description: 'needed exactly when the policy has a replica' }),
  graceHours: z
    .number()
    .int()
    .min(1)
    .max(8784)
    .default(24)
    .meta({ description: 'age before a point may be condemned, and hours from there until it is deleted' }),
  maxDeletions: z
    .number()
    .int()
    .min(1)
    .max(1000)
    .default(100)
    .meta({ description: 'of one bucket in one run, both sides together' }),
  coolingOffHours: z
    .number()
    .int()
    .min(0)
    .max(8784)
    .default(72)
    .meta({ description: 'how long former rules still count after a change' }),
});
export type Retention = z.infer<typeof Retention>;

const Told = z.string().trim().min(1, 'say why').max(500);
/** Also the id of a run. */
const Who = z.string().trim().min(1, 'say who').max(300);

/** A person, a restore or a drill holds a point until it is unpinned. */
export const Pin = z.object({ by: Who, reason: Told, at: EpochMs });
export type Pin = z.infer<typeof Pin>;

/** Nothing deletes the point until an instant, or ever (`null`). Only a person who says why ends it sooner. */
export const LegalHold = z.object({ by: Who, reason: Told, at: EpochMs, until: EpochMs.nullable() });
export type LegalHold = z.infer<typeof LegalHold>;

/** A hold that is over holds nothing. */
export const isInForce = ({ until }: Pick<LegalHold, 'until'>, now: EpochMs): boolean => until === null || now < until;

/** SHA-256 of a plan's canonical text, in hex. */
export const PlanHash = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'write the 64 hex digits of a plan')
  .brand<'PlanHash'>();
export type PlanHash = z.infer<typeof PlanHash>;

/** What a policy asked for, from when it was first seen until the next version. */
export const PolicyVersion = z.object({
  since: EpochMs,
  retention: Retention.nullable(),
  rpo: DurationSeconds,
  rto: DurationSeconds,
  buckets: z.array(BucketPattern),
});
export type PolicyVersion = z.infer<typeof PolicyVersion>;

/** When a slot of drills first saw a bucket, and the last slot that had it drilled, whatever came of it. */
export const DrillTurn = z.object({ bucket: BucketRef, since: EpochMs, asked: EpochMs.nullable() });
export type DrillTurn = z.infer<typeof DrillTurn>;

/** Who stopped the schedules of a policy, and why: nothing of it is started until somebody resumes it. */
export const Pause = z.object({ by: Who, reason: Told, at: EpochMs });
export type Pause = z.infer<typeof Pause>;

/** The versions of a policy, oldest first; those that cannot count any more are left out. */
export const PolicyState = z.object({
  policy: PolicyName,
  revision: z.number().int().nonnegative(),
  versions: z.array(PolicyVersion),
  /** Absent until the first slot of drills. */
  turns: z.array(DrillTurn).optional(),
  /** Null and absent: its schedules start what they say. */
  paused: Pause.nullable().optional(),
});
export type PolicyState = z.infer<typeof PolicyState>;

export const Side = z.enum(['source', 'replica']);
export type Side = z.infer<typeof Side>;

/**
 * How far the snapshot of one side is on its way out: `condemned` by a plan, which a pin or a fresh plan takes back;
 * `deleting` once the host may have been told; `deleted` when a listing or the host said that it is gone.
 */
export const Removal = z.object({
  state: z.enum(['condemned', 'deleting', 'deleted']),
  /** Null when it vanished without a plan of ours: somebody else deleted it. */
  plan: PlanHash.nullable(),
  condemnedAt: EpochMs,
  deletedAt: EpochMs.nullable(),
  /** The last command that was to delete it. */
  operation: OperationId.optional(),
});
export type Removal = z.infer<typeof Removal>;

export const Removals = z.object({ source: Removal.nullable(), replica: Removal.nullable() });
export type Removals = z.infer<typeof Removals>;
