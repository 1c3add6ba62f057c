import * as z from 'zod';
import { ChainState } from '../chains.ts';

const Instant = z.iso.datetime();
const Count = z.number().int().nonnegative();

const ObjectiveReport = z.strictObject({
  policy: z.string(),
  /** What was promised, part by part. `assumed`: the policy of that time is not known, it is the oldest that is. */
  objectives: z.array(
    z.strictObject({ from: Instant, until: Instant, rpoSeconds: Count, basis: z.enum(['policy', 'assumed']) }),
  ),
  /** Null when it cannot be said; `why` says why. */
  attainment: z
    .strictObject({
      secondsMeasured: Count,
      secondsMet: Count,
      /** Rounded down, so that only what was met all the time is 100 %. */
      percent: z.string(),
      /** No good point at all existed. */
      secondsWithoutPoint: Count,
      /** The greatest age that the newest good point reached. */
      worstAgeSeconds: Count.nullable(),
    })
    .nullable(),
  why: z.string().nullable(),
});

const Runs = z.strictObject({ succeeded: Count, failed: Count });
const Ended = z.strictObject({ at: Instant, runId: z.string(), summary: z.string() });
const Sides = z.strictObject({ source: Count, replica: Count });

export const BucketReport = z.strictObject({
  pair: z.string(),
  /** What makes a point good: its comparison, or without a replica its creation. */
  good: z.enum(['verified', 'taken']),
  /** The part of the month since something is known of the bucket. */
  measured: z.strictObject({ from: Instant, until: Instant }).nullable(),
  policies: z.array(ObjectiveReport),
  points: z.strictObject({
    /** Good at the end of the month. */
    good: Count,
    newest: z.strictObject({ name: z.string(), created: Instant }).nullable(),
  }),
  runs: z.strictObject({ backup: Runs, prune: Runs, restore: Runs, drill: Runs, failover: Runs }),
  failures: z.array(Ended),
  /** Drills that passed; 0: no drill on record did. */
  drills: Count,
  /** Each of them, and each restore: what was restored from where to where, how it was compared, how long it took. */
  drilled: z.array(Ended),
  restored: z.array(Ended),
  /** Each failover: from where to where, as of which point, what was lost, how long it took. */
  failedOver: z.array(Ended),
  /** The roles as they were when the report was made, and the newest point of the time that it is of. Null without a replica, or where the policy of its last run is not known. */
  failover: z
    .strictObject({
      primary: z.enum(['source', 'replica']),
      /** Of the roles; 0: never failed over. */
      epoch: Count,
      since: Instant.nullable(),
      isMoving: z.boolean(),
      /** What the replica would begin with. */
      point: z.strictObject({ name: z.string(), created: Instant }).nullable(),
      secondsExpected: Count.nullable(),
      basis: z.string().nullable(),
      /** What is in the way until somebody does something. */
      blockers: z.array(z.string()),
    })
    .nullable(),
  /** Snapshots, each counted once. */
  deletions: z.strictObject({ byUs: Sides, byOthers: Sides, plans: z.array(z.string()) }),
  condemned: Count,
  spared: Count,
  decisions: z.array(
    z.strictObject({
      at: Instant,
      by: z.string(),
      decision: z.string(),
      words: z.string(),
      reason: z.string(),
      effect: z.string(),
    }),
  ),
  comparisons: z.strictObject({ equal: Count, differing: Count }),
  differences: z.array(z.strictObject({ at: Instant, point: z.string(), detail: z.string() })),
  weakenings: z.array(z.strictObject({ at: Instant, policy: z.string(), change: z.string(), until: Instant })),
  /** Entries of the month that this version of the product cannot read. */
  unreadable: Count,
});
export type BucketReport = z.infer<typeof BucketReport>;

/** The evidence of one calendar month in UTC. The same table gives the same report, byte for byte. */
export const MonthlyReport = z.strictObject({
  schema: z.literal(1),
  kind: z.literal('ozone-dr-monthly-evidence'),
  table: z.string(),
  month: z.string().regex(/^\d{4}-\d{2}$/),
  from: Instant,
  /** The end of the month, or when the report was made before that. */
  until: Instant,
  complete: z.boolean(),
  buckets: z.array(BucketReport),
  /** Buckets that a policy asks for, and of which nothing at all is recorded. */
  withoutRecord: z.array(z.strictObject({ policy: z.string(), bucket: z.string() })),
  /** As they were when the report was made: `ledger:verify --since` compares with them. */
  chains: z.array(ChainState),
});
export type MonthlyReport = z.infer<typeof MonthlyReport>;
