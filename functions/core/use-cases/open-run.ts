import * as z from 'zod';
import type { BackupRun, Lease } from '../domain/ledger.ts';
import { BucketRef, type PairId, PolicyName, pairId, type RunId, runId, Slot } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import { type EpochMs, later, seconds } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import type { Clock, Ledger, Workflow } from '../ports.ts';
import { parseEvent } from './parse-event.ts';

/** How long a run may go without a sign of life. Decisions and the sweeper's heartbeats prolong it. */
export const LEASE = seconds(1800);
const MAX_AHEAD = seconds(300);

/** What a person or the fleet asks for: the two fields, and the slot where it is not "now". */
const BackupRequest = z.strictObject({
  policy: PolicyName,
  bucket: BucketRef,
  slot: Slot.optional(),
  /** Set by nested executions; links them in the console. */
  AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: z.string().optional(),
});

const OpenRunEvent = z.strictObject({ request: BackupRequest, execution: z.string().min(1), startedAt: Slot });

export type Opened =
  | { readonly kind: 'open'; readonly runId: RunId; readonly lease: number; readonly step: number }
  | {
      readonly kind: 'skipped';
      readonly runId: RunId;
      readonly lease: 0;
      readonly step: 0;
      readonly error: 'RunAlreadyOpen' | 'SlotAlreadyDone';
      readonly reason: string;
    };

export interface OpenRunDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Ledger;
  readonly workflow: Pick<Workflow, 'isRunning'>;
  readonly clock: Clock;
}

/** The policy of a bucket. @throws PolicyInvalid, EventInvalid */
export const findPolicy = (policies: readonly Policy[], name: string, bucket: BucketRef): Policy => {
  const policy = policies.find((it) => it.name === name);
  if (!policy)
    throw new DrError(
      'PolicyInvalid',
      `there is no policy ${name}; there are: ${policies.map((it) => it.name).join(', ')}`,
    );
  if (!policy.buckets.includes(bucket))
    throw new DrError('EventInvalid', `policy ${name} has no bucket ${bucket}: ${policy.buckets.join(', ')}`);
  return policy;
};

/**
 * Opens the run of one slot of one bucket, or continues it, under the bucket's lease. Safe to repeat for the same
 * execution. A slot that is done, and a bucket that another execution works on, are skipped.
 * @throws EventInvalid, PolicyInvalid
 */
export const openRun =
  (deps: OpenRunDependencies) =>
  async (event: unknown): Promise<Opened> => {
    const { request, execution, startedAt } = parseEvent(OpenRunEvent, event);
    const policy = findPolicy(deps.policies, request.policy, request.bucket);
    const now = deps.clock.now();
    const slot = request.slot ?? startedAt;
    if (slot > later(now, MAX_AHEAD))
      throw new DrError('EventInvalid', `the slot ${new Date(slot).toISOString()} is in the future`);
    const pair = pairId(policy.source.name, request.bucket, policy.replica?.name ?? null);
    const id = runId(pair, policy.name, slot);
    const skipped = (error: 'RunAlreadyOpen' | 'SlotAlreadyDone', reason: string): Opened => ({
      kind: 'skipped',
      runId: id,
      lease: 0,
      step: 0,
      error,
      reason,
    });

    const lease = await takeLease(deps, id, pair, execution, later(now, LEASE));
    if (!('token' in lease)) return skipped('RunAlreadyOpen', `${request.bucket} is in the hands of ${lease.heldBy}`);
    const known = await deps.ledger.loadRun(id);
    if (known?.run.status === 'succeeded') {
      await deps.ledger.releaseLease(pair, lease.token);
      return skipped('SlotAlreadyDone', `the slot is done: ${known.run.outcome?.point ?? ''}`);
    }
    const steps = known?.steps.length ?? 0;
    const fresh: BackupRun = {
      schema: 1,
      runId: id,
      pair,
      bucket: request.bucket,
      slot,
      policy,
      status: 'open',
      execution,
      lease: lease.token,
      startedAt: now,
      firstStep: steps,
      factsFrom: steps,
      endedAt: null,
      outcome: null,
      failure: null,
    };
    // An open run goes on under the policy that it began with; a failed one is tried anew under today's.
    await deps.ledger.putRun(
      known?.run.status === 'open' ? { ...known.run, execution, lease: lease.token, factsFrom: steps } : fresh,
    );
    return { kind: 'open', runId: id, lease: lease.token, step: steps };
  };

/** The lease of a holder whose execution is over, or that showed no sign of life, may be taken. */
export const takeLease = async (
  deps: Pick<OpenRunDependencies, 'ledger' | 'workflow' | 'clock'>,
  id: RunId,
  pair: PairId,
  execution: string,
  expires: EpochMs,
): Promise<Lease | { readonly heldBy: string }> => {
  const seen = await deps.ledger.loadPair(pair);
  const holder = seen.lease;
  if (holder?.execution === execution) return holder;
  if (holder && holder.expires > deps.clock.now() && (await deps.workflow.isRunning(holder.execution)))
    return { heldBy: holder.execution };
  const taken = await deps.ledger.takeLease(seen, { runId: id, execution }, expires);
  return taken ?? { heldBy: 'an execution that was a moment earlier' };
};
