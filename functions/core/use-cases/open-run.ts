import * as z from 'zod';
import { covers } from '../domain/buckets.ts';
import type { BackupRun, Lease, PairState } from '../domain/ledger.ts';
import {
  BucketRef,
  type ClusterName,
  type PairId,
  PolicyName,
  pairId,
  policyOfRun,
  type RunId,
  runId,
  Slot,
  targetPair,
  type WorkflowName,
  workflowOf,
} from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import { type DurationSeconds, type EpochMs, epochMs, later, seconds } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { coversInForce } from '../planner/in-force.ts';
import { slotsOf } from '../planner/occurrences.ts';
import { exchanged, modeBack, notPrimary } from '../planner/roles.ts';
import type { Clock, Ledger, Workflow } from '../ports.ts';
import { goOnFrom } from './exchange.ts';
import { parseEvent } from './parse-event.ts';
import type { Drain } from './wanted-restore.ts';

/** How long a run may go without a sign of life. Decisions and the sweeper's heartbeats prolong it. */
export const LEASE = seconds(1800);
const MAX_AHEAD = seconds(300);

/** What a person or the fleet asks for: the two fields, and the slot where it is not "now". */
const RunRequest = z.strictObject({
  policy: PolicyName,
  bucket: BucketRef,
  slot: Slot.optional(),
  /** From the replica, which is the primary, to the source. */
  back: z.boolean().default(false),
  /** Set by nested executions; links them in the console. */
  AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: z.string().optional(),
});

const OpenRunEvent = z.strictObject({
  request: RunRequest,
  workflow: z.enum(['backup', 'prune']).default('backup'),
  /** For a batch, which goes on with what it can and gives the run back. */
  batched: z.boolean().default(false),
  execution: z.string().min(1),
  startedAt: Slot,
});

export type Opened =
  /** Somebody else has the bucket and will soon be done: ask again after so many seconds. */
  | {
      readonly kind: 'busy';
      readonly runId: RunId;
      readonly lease: 0;
      readonly step: 0;
      readonly seconds: DurationSeconds;
      readonly reason: string;
    }
  /** Of a planned failover: a backup brings over first what is there now. */
  | ({ readonly kind: 'drain'; readonly runId: RunId; readonly lease: 0; readonly step: 0 } & Drain)
  | { readonly kind: 'open'; readonly runId: RunId; readonly lease: number; readonly step: number }
  | {
      readonly kind: 'skipped';
      readonly runId: RunId;
      readonly lease: 0;
      readonly step: 0;
      readonly error: 'RunAlreadyOpen' | 'SlotAlreadyDone' | 'NotPrimary';
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
  if (!covers(policy, bucket))
    throw new DrError('EventInvalid', `policy ${name} has no bucket ${bucket}: ${policy.buckets.join(', ')}`);
  return policy;
};

/** A policy as it counts for a bucket: one that was taken out of it lately is still looked after. */
export const policyOf = async (
  { policies, ledger }: { readonly policies: readonly Policy[]; readonly ledger: Pick<Ledger, 'loadPolicyState'> },
  { policy: name, bucket }: Pick<z.infer<typeof RunRequest>, 'policy' | 'bucket'>,
  now: EpochMs,
): Promise<Policy> => {
  const policy = policies.find((it) => it.name === name);
  if (!policy || covers(policy, bucket)) return findPolicy(policies, name, bucket);
  if (coversInForce(policy, await ledger.loadPolicyState(policy.name), bucket, now)) return policy;
  return findPolicy(policies, name, bucket);
};

const achieved = (outcome: BackupRun['outcome']): string =>
  outcome === null
    ? ''
    : 'point' in outcome
      ? outcome.point
      : outcome.kind === 'pruned'
        ? `${outcome.deleted} deleted`
        : outcome.kind;

const DAY = seconds(86_400);

/**
 * Until when one waits for another. Two backups of one policy never wait for each other: the later slot is the next one's.
 * That of another policy costs none its slot, unless the next one is due by then. A prune is soon over, and must not cost a
 * backup its slot; a prune itself has time.
 */
const patienceOf = (
  workflow: 'backup' | 'prune',
  { schedules, name }: Policy,
  { slot, startedAt }: { readonly slot: EpochMs; readonly startedAt: EpochMs },
  holder: Holder,
): EpochMs => {
  if (workflow === 'prune') return later(startedAt, seconds(6 * 3600));
  if (holder.workflow !== 'backup') return later(startedAt, seconds(1800));
  if (holder.policy === name) return startedAt;
  const latest = later(startedAt, DAY);
  return slotsOf(schedules, epochMs(slot + 1), latest)[0] ?? latest;
};

/** Between two copies of another policy there may be few minutes: a backup must not sleep through them. */
const LONGEST_PAUSE = { backup: 120, prune: 600 };

/** Longer the longer it has waited, from 10 seconds on. */
const pauseAfter = (workflow: 'backup' | 'prune', startedAt: EpochMs, now: EpochMs): DurationSeconds =>
  seconds(Math.min(LONGEST_PAUSE[workflow], Math.max(10, Math.round((now - startedAt) / 4000))));

/**
 * Opens the run of one slot of one bucket, or continues it, under the bucket's lease. Safe to repeat for the same
 * execution. A slot that is done, and a bucket that another execution works on, are skipped.
 * @throws EventInvalid, PolicyInvalid
 */
export const openRun =
  (deps: OpenRunDependencies) =>
  async (event: unknown): Promise<Opened> => {
    const { request, workflow, batched, execution, startedAt } = parseEvent(OpenRunEvent, event);
    const now = deps.clock.now();
    const given = await policyOf(deps, request, now);
    const { back } = request;
    if (back && (workflow !== 'backup' || !given.replica))
      throw new DrError('EventInvalid', 'only a backup of a policy with a replica goes back');
    const policy = back ? exchanged(given) : given;
    if (workflow === 'prune' && !policy.retention)
      throw new DrError('PolicyInvalid', `the policy ${policy.name} has no retention: nothing of it is ever deleted`);
    const slot = request.slot ?? startedAt;
    if (slot > later(now, MAX_AHEAD))
      throw new DrError('EventInvalid', `the slot ${new Date(slot).toISOString()} is in the future`);
    const pair = pairId(policy.source.name, request.bucket, policy.replica?.name ?? null);
    const id = runId(pair, policy.name, slot, workflow);
    const skipped = (error: 'RunAlreadyOpen' | 'SlotAlreadyDone' | 'NotPrimary', reason: string): Opened => ({
      kind: 'skipped',
      runId: id,
      lease: 0,
      step: 0,
      error,
      reason,
    });

    const roleOf = pairId(given.source.name, request.bucket, given.replica?.name ?? null);
    const lease = await takeLease(deps, id, pair, execution, later(now, LEASE), (seen) =>
      back || seen.role ? othersWho(deps.policies, policy.replica?.name ?? null, request.bucket) : [],
    );
    if (!('token' in lease)) {
      const reason = `${request.bucket} is in the hands of ${lease.heldBy}`;
      // A batch has this very run, and may hand it over: nobody else would then go on with it under the name of this execution.
      const inBatch = !batched && lease.runId === id && (await deps.ledger.loadRun(id))?.run.batched === true;
      return inBatch || now < patienceOf(workflow, policy, { slot, startedAt }, lease)
        ? { kind: 'busy', runId: id, lease: 0, step: 0, seconds: pauseAfter(workflow, startedAt, now), reason }
        : skipped('RunAlreadyOpen', reason);
    }
    // A restore into the bucket: a snapshot taken now would keep it half restored. Asked after the lease was taken, as a
    // restore does it: of two at the same moment at least one sees the other.
    const restore =
      workflow === 'backup' ? await holderOf(deps, targetPair(policy.source.name, request.bucket), now) : undefined;
    if (restore) {
      await deps.ledger.releaseLease(pair, lease.token);
      return skipped('RunAlreadyOpen', `${request.bucket} is being restored by ${restore}`);
    }
    // Asked under the lease, which whoever moves the roles has to take too.
    const { role } = await deps.ledger.loadPair(roleOf);
    const moved =
      notPrimary(role, back, { bucket: request.bucket, policy: given }) ??
      (back ? undefined : await movedByOthers(deps, given, request.bucket));
    if (moved) {
      await deps.ledger.releaseLease(pair, lease.token);
      return skipped('NotPrimary', moved);
    }
    const known = await deps.ledger.loadRun(id);
    if (known?.run.status === 'succeeded') {
      await deps.ledger.releaseLease(pair, lease.token);
      return skipped('SlotAlreadyDone', `the slot is done: ${achieved(known.run.outcome)}`);
    }
    if (role) await goOnFrom(deps.ledger, { role, pair, lease: lease.token, policy, bucket: request.bucket, now });
    const mode = back ? modeBack(role, (await deps.ledger.loadPair(pair)).base) : policy.mode;
    const steps = known?.steps.length ?? 0;
    const fresh: BackupRun = {
      schema: 1,
      workflow,
      restore: null,
      runId: id,
      pair,
      bucket: request.bucket,
      slot,
      policy: { ...policy, mode },
      status: 'open',
      execution,
      lease: lease.token,
      startedAt: now,
      firstStep: steps,
      factsFrom: steps,
      batched,
      endedAt: null,
      outcome: null,
      failure: null,
    };
    // An open run goes on under the policy that it began with; a failed one is tried anew under today's.
    await deps.ledger.putRun(
      known?.run.status === 'open' ? { ...known.run, execution, lease: lease.token, factsFrom: steps, batched } : fresh,
    );
    return { kind: 'open', runId: id, lease: lease.token, step: steps };
  };

/** Whether the bucket was failed over to the replica of another policy: what is written to its source since is no backup's. */
const movedByOthers = async (
  { policies, ledger }: Pick<OpenRunDependencies, 'policies' | 'ledger'>,
  { source, replica }: Policy,
  bucket: BucketRef,
): Promise<string | undefined> => {
  for (const policy of policies) {
    if (policy.source.name !== source.name || !covers(policy, bucket)) continue;
    if (!policy.replica || policy.replica.name === replica?.name) continue;
    const { role } = await ledger.loadPair(pairId(source.name, bucket, policy.replica.name));
    const moved = notPrimary(role, false, { bucket, policy });
    if (moved) return moved;
  }
  return undefined;
};

/** All pairs under which a bucket of a cluster may be written: copies in both directions, and restores. */
export const othersWho = (
  policies: readonly Policy[],
  cluster: ClusterName | null,
  bucket: BucketRef,
): readonly PairId[] => {
  if (cluster === null) return [];
  const copies = policies.flatMap(({ source, replica, buckets }) => {
    if (!replica || !covers({ buckets }, bucket)) return [];
    if (replica.name === cluster) return [pairId(source.name, bucket, cluster)];
    return source.name === cluster ? [pairId(replica.name, bucket, cluster)] : [];
  });
  return [...new Set([...copies, targetPair(cluster, bucket)])];
};

/** The execution that works on what a pair stands for, if there is one. */
export const holderOf = async (
  { ledger, workflow }: { readonly ledger: Pick<Ledger, 'loadPair'>; readonly workflow: Pick<Workflow, 'isRunning'> },
  pair: PairId,
  now: EpochMs,
): Promise<string | undefined> => {
  const { lease } = await ledger.loadPair(pair);
  return lease && lease.expires > now && (await workflow.isRunning(lease.execution)) ? lease.execution : undefined;
};

/** Who has the lease. */
interface Holder {
  readonly heldBy: string;
  /** Null when it was not seen. */
  readonly runId: RunId | null;
  readonly workflow: WorkflowName;
  readonly policy: PolicyName | null;
}

/** The lease of a holder whose execution is over, or that showed no sign of life, may be taken. */
export const takeLease = async (
  deps: Pick<OpenRunDependencies, 'ledger' | 'workflow' | 'clock'>,
  id: RunId,
  pair: PairId,
  execution: string,
  expires: EpochMs,
  /** Pairs under which the same bucket is written: its hosts know one sequence of tokens. */
  others: (seen: PairState) => readonly PairId[] = () => [],
): Promise<Lease | Holder> => {
  const seen = await deps.ledger.loadPair(pair);
  const holder = seen.lease;
  if (holder?.execution === execution) return holder;
  if (holder && holder.expires > deps.clock.now() && (await deps.workflow.isRunning(holder.execution)))
    return holderBy(holder);
  const fences = await Promise.all(others(seen).map(async (other) => (await deps.ledger.loadPair(other)).fence));
  const taken = await deps.ledger.takeLease(seen, { runId: id, execution }, expires, Math.max(0, ...fences));
  if (taken) return taken;
  const { lease } = await deps.ledger.loadPair(pair);
  return lease
    ? holderBy(lease)
    : { heldBy: 'an execution that was a moment earlier', runId: null, workflow: 'decision', policy: null };
};

const holderBy = ({ execution, runId }: Lease): Holder => ({
  heldBy: execution,
  runId,
  workflow: workflowOf(runId),
  policy: policyOfRun(runId),
});
