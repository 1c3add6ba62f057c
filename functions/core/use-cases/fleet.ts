import { createHash } from 'node:crypto';
import * as z from 'zod';
import { compactTime, PolicyName, Slot } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import { DrError } from '../errors.ts';
import { parseEvent } from './parse-event.ts';

const ExpandEvent = z.strictObject({
  request: z.strictObject({ policy: PolicyName, slot: Slot.optional() }),
  startedAt: Slot,
});

export interface Backup {
  readonly policy: string;
  readonly bucket: string;
  /** ISO 8601, whole seconds, UTC. */
  readonly slot: string;
  /** Execution name: the same for the same slot of the same bucket, so that a doubled slot starts nothing twice. */
  readonly name: string;
}

/** The backups of one slot of one policy. @throws EventInvalid, PolicyInvalid */
export const expandPolicy =
  (deps: { readonly policies: readonly Policy[] }) =>
  async (event: unknown): Promise<{ readonly backups: readonly Backup[] }> => {
    const { request, startedAt } = parseEvent(ExpandEvent, event);
    const policy = deps.policies.find((it) => it.name === request.policy);
    if (!policy) throw new DrError('PolicyInvalid', `there is no policy ${request.policy}`);
    const slot = request.slot ?? startedAt;
    return {
      backups: policy.buckets.map((bucket) => ({
        policy: policy.name,
        bucket,
        slot: new Date(slot).toISOString().replace('.000Z', 'Z'),
        name: `${policy.name}-${compactTime(slot)}-${createHash('sha256').update(bucket).digest('hex').slice(0, 12)}`,
      })),
    };
  };

const SummarizeEvent = z.object({
  results: z.array(z.object({ bucket: z.string(), name: z.string(), error: z.string().nullable() })),
});

/** How a slot went. @throws BucketsFailed with each bucket that failed and the execution to look at */
export const summarizeFleet =
  () =>
  async (event: unknown): Promise<{ readonly buckets: number }> => {
    const { results } = parseEvent(SummarizeEvent, event);
    const failed = results.filter((it) => it.error !== null);
    if (failed.length > 0)
      throw new DrError(
        'BucketsFailed',
        `${failed.length} of ${results.length} buckets failed: ${failed.map((it) => `${it.bucket} (execution ${it.name})`).join(', ')}`.slice(
          0,
          8000,
        ),
      );
    return { buckets: results.length };
  };
