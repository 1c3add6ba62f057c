import * as z from 'zod';
import type { Decision, PairPatch, PairState } from '../domain/ledger.ts';
import { BucketRef, PolicyName, pairId, runId, Slot } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import { later, seconds } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import type { Clock, Ledger, Workflow } from '../ports.ts';
import { findPolicy, takeLease } from './open-run.ts';
import { parseEvent } from './parse-event.ts';

const SHORT_LEASE = seconds(120);

const DecisionRequest = z.strictObject({
  policy: PolicyName,
  bucket: BucketRef,
  /** The words that the refusal asks for: `accept sales/orders odr-nightly-20261120t020000z-1`. */
  decision: z.string().min(1).max(300),
  /** Who decided. */
  by: z.string().min(1).max(100),
  reason: z.string().min(1).max(500),
});
type DecisionRequest = z.infer<typeof DecisionRequest>;

const DecisionEvent = z.strictObject({ request: DecisionRequest, execution: z.string().min(1), startedAt: Slot });

export interface RecordDecisionDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Ledger;
  readonly workflow: Pick<Workflow, 'isRunning'>;
  readonly clock: Clock;
}

interface Recorded {
  readonly decision: Decision['decision'];
  readonly bucket: BucketRef;
  /** What follows from it. */
  readonly effect: string;
}

/**
 * Records what a person decided about one bucket: that a bucket which this product did not fill is its own from now on
 * (`adopt`), or that a change which was held back may follow into the replica (`accept`) or must not (`reject`). The
 * words name what was seen, so that a decision cannot hit something else. Takes the lease of the bucket; safe to repeat.
 * @throws EventInvalid, PolicyInvalid, NotConfirmed, RunAlreadyOpen
 */
export const recordDecision =
  (deps: RecordDecisionDependencies) =>
  async (event: unknown): Promise<Recorded> => {
    const { request, execution } = parseEvent(DecisionEvent, event);
    const policy = findPolicy(deps.policies, request.policy, request.bucket);
    const pair = pairId(policy.source.name, request.bucket, policy.replica?.name ?? null);
    const now = deps.clock.now();
    const lease = await takeLease(
      deps,
      runId(pair, policy.name, now, 'decision'),
      pair,
      execution,
      later(now, SHORT_LEASE),
    );
    if (!('token' in lease))
      throw new DrError(
        'RunAlreadyOpen',
        `${request.bucket} is in the hands of ${lease.heldBy}: decide when it is over`,
      );
    try {
      const seen = await deps.ledger.loadPair(pair);
      const { decision, patch, effect } = meaningOf(request, policy, seen, now);
      await deps.ledger.putDecision(pair, {
        decision,
        confirmation: request.decision,
        execution,
        by: request.by,
        reason: request.reason,
        at: now,
      });
      await deps.ledger.changePair(pair, lease.token, patch);
      return { decision, bucket: request.bucket, effect };
    } finally {
      await deps.ledger.releaseLease(pair, lease.token);
    }
  };

interface Meaning {
  readonly decision: Decision['decision'];
  readonly patch: PairPatch;
  readonly effect: string;
}

const ADOPT = /^adopt (\S+) on (\S+) created (\S+)$/;
const JUDGE = /^(accept|reject) (\S+) (\S+)$/;

/** What the words mean for the pair as it is now. */
const meaningOf = (
  { bucket, decision: words, by, reason }: DecisionRequest,
  policy: Policy,
  { hold }: PairState,
  at: ReturnType<Clock['now']>,
): Meaning => {
  const notConfirmed = (message: string) => new DrError('NotConfirmed', message);
  const [, adopted, cluster, created] = ADOPT.exec(words) ?? [];
  if (adopted && cluster && created) {
    const isInstant = z.iso.datetime().safeParse(created).success;
    if (adopted !== bucket || !isInstant)
      throw notConfirmed(`write: adopt ${bucket} on <cluster> created <its creation time>`);
    if (cluster === policy.source.name)
      return {
        decision: 'adopt',
        patch: { sourceCreated: created },
        effect: `the lineage goes on with the source bucket that was created at ${created}`,
      };
    if (cluster !== policy.replica?.name)
      throw notConfirmed(
        `${cluster} is no cluster of ${policy.name}: ${policy.source.name}, ${policy.replica?.name ?? 'no replica'}`,
      );
    return {
      decision: 'adopt',
      patch: { owned: { created, at, proved: true } },
      effect: `the next run makes ${bucket} on ${cluster} equal to the source, and deletes there what the source does not have`,
    };
  }
  const [, verdict, judged, target] = JUDGE.exec(words) ?? [];
  if (!verdict) throw notConfirmed('write the words of the refusal: adopt ..., accept ... or reject ...');
  if (!hold) throw notConfirmed(`no change of ${bucket} is held back`);
  if (judged !== bucket || target !== hold.target)
    throw notConfirmed(`what is held back is ${bucket} ${hold.target}: write ${verdict} ${bucket} ${hold.target}`);
  const said = { by, reason, at };
  return verdict === 'accept'
    ? {
        decision: 'accept',
        patch: { hold: { ...hold, accepted: said, rejected: null } },
        effect: `the next run lets the replica follow, without counting, until it is verified again`,
      }
    : {
        decision: 'reject',
        patch: { hold: { ...hold, accepted: null, rejected: said } },
        effect: `the replica stays at ${hold.base ?? 'what it is'} until the change is accepted`,
      };
};
