import * as z from 'zod';
import { ClusterName, SnapshotName } from './names.ts';
import { Role } from './roles.ts';
import { Bytes, DurationSeconds, EpochMs } from './units.ts';

/** What is to be known before a bucket is failed over. */
export const Remark = z.object({
  kind: z.enum(['no-point', 'moving', 'failed-over', 'at-work', 'copy-alive', 'change-held', 'replica-dirty']),
  /** `now`: no failover can be done; `planned`: only one without the source; `nothing`: it is said, and in nobody's way. */
  blocks: z.enum(['now', 'planned', 'nothing']),
  /** When it is over by itself at the latest; null when it stays until somebody does something. */
  until: EpochMs.nullable(),
  text: z.string(),
  remedy: z.string(),
});
export type Remark = z.infer<typeof Remark>;

/** What a failover of one bucket would come to if it were started now, as far as the ledger knows. */
export const Readiness = z.object({
  isReady: z.boolean(),
  from: ClusterName,
  to: ClusterName,
  /** Null: never failed over, `from` is the primary. */
  role: Role.nullable(),
  /** What `to` would begin with; what was written to `from` in the last `age` seconds would be lost. Null when there is none. */
  point: z.object({ name: SnapshotName, at: EpochMs, age: DurationSeconds }).nullable(),
  /** From the first look to the proof; null when it is not known how much it is. */
  takes: z
    .object({
      files: z.number().int(),
      bytes: Bytes,
      seconds: DurationSeconds,
      objective: DurationSeconds,
      isWithin: z.boolean(),
      basis: z.string(),
    })
    .nullable(),
  remarks: z.array(Remark),
});
export type Readiness = z.infer<typeof Readiness>;
