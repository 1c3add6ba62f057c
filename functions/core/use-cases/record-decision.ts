import * as z from 'zod';
import type { Decision } from '../domain/ledger.ts';
import { BucketRef, type OperationId, type PairId, PolicyName, pairId, runId } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import { type PolicyState, type Removals, Side } from '../domain/retention.ts';
import { type EpochMs, epochMs, later, seconds } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import {
  meaningForPair,
  meaningForPoint,
  meaningForPolicy,
  type PairWords,
  type PointPatch,
  type PointWords,
  type PolicyWords,
  readPolicyWords,
  readWords,
  type Said,
  unknownPoint,
} from '../planner/decision.ts';
import { bucketsInForce } from '../planner/in-force.ts';
import type { Clock, Ledger, OperationStore, Records, Workflow } from '../ports.ts';
import { inParallel } from './in-parallel.ts';
import { enrolmentOf } from './named-policies.ts';
import { policyOf, takeLease } from './open-run.ts';
import { parseEvent } from './parse-event.ts';
import { deletionsOver } from './under-way.ts';

const SHORT_LEASE = seconds(120);
/** Others may be changing the same point: a prune, or another person. */
const POINT_ATTEMPTS = 8;
/** Backups, prunes and drills note the versions and turns of the policy. */
const POLICY_ATTEMPTS = 8;
/** Records written at a time. */
const AT_ONCE = 20;

const DecisionRequest = z.strictObject({
  policy: PolicyName,
  /** Left out where the decision is about the policy: `pause nightly`. */
  bucket: BucketRef.optional(),
  /** `accept sales/orders odr-nightly-20261120t020000z-1`: what a refusal asks for, or about a point (planner/decision.ts). */
  decision: z.string().min(1).max(500),
  /** Who decided. */
  by: z.string().trim().min(1).max(100),
  reason: z.string().trim().min(1).max(500),
});
type DecisionRequest = z.infer<typeof DecisionRequest>;

const DecisionEvent = z.strictObject({
  request: DecisionRequest,
  execution: z.string().min(1),
  /** Not cut to seconds: what somebody else does a moment later is not what was decided on. */
  startedAt: z.iso.datetime().transform((text): EpochMs => epochMs(Date.parse(text))),
});

export interface RecordDecisionDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Ledger;
  readonly operations: Pick<OperationStore, 'load'>;
  readonly records: Pick<Records, 'append'>;
  readonly workflow: Pick<Workflow, 'isRunning'>;
  readonly clock: Clock;
}

interface Recorded {
  readonly decision: Decision['decision'] | PolicyWords['kind'];
  /** Null of a decision about a policy. */
  readonly bucket: BucketRef | null;
  /** What follows from it. */
  readonly effect: string;
}

/** One delivery of a decision. */
interface Delivery {
  readonly request: DecisionRequest & { readonly bucket: BucketRef };
  readonly policy: Policy;
  readonly pair: PairId;
  readonly execution: string;
  readonly startedAt: EpochMs;
  readonly said: Said;
}

/**
 * Records what a person decided about one bucket: that a bucket which this product did not fill is its own from now on
 * (`adopt`), that a change which was held back may follow into the replica (`accept`) or must not (`reject`); or that a
 * point stays (`pin`, `hold`) or may go (`unpin`, `release`); or about a policy, that its schedules start nothing for now
 * (`pause`, `resume`). The words name what was seen, so that a decision cannot
 * hit something else. Safe to repeat.
 *
 * A decision about the bucket takes its lease. One about a point does not: a point can be kept at any time, also while
 * a copy of hours or a prune is at work.
 * @throws EventInvalid, PolicyInvalid, NotConfirmed, RunAlreadyOpen, StoreThrottled
 */
export const recordDecision =
  (deps: RecordDecisionDependencies) =>
  async (event: unknown): Promise<Recorded> => {
    const { request, execution, startedAt } = parseEvent(DecisionEvent, event);
    const { bucket, by, reason } = request;
    const said = { by, reason, at: deps.clock.now() };
    const policyWords = readPolicyWords(request.decision, request.policy);
    if (policyWords) return onPolicy(deps, request, policyWords, said, execution);
    if (bucket === undefined)
      throw new DrError('EventInvalid', 'say which bucket it is about; only pause and resume are about a whole policy');
    const policy = await policyOf(deps, { policy: request.policy, bucket }, said.at);
    const pair = pairId(policy.source.name, bucket, policy.replica?.name ?? null);
    const words = readWords(request.decision, bucket);
    const delivery = { request: { ...request, bucket }, policy, pair, execution, startedAt, said };
    const effect = 'point' in words ? await onPoint(deps, delivery, words) : await onPair(deps, delivery, words);
    // The decision itself was written before anything changed; this says what came of it.
    await deps.records.append(
      pair,
      `decision ${execution}`,
      { kind: 'decision', decision: words.kind, words: request.decision, by, reason, execution, effect },
      said.at,
    );
    return { decision: words.kind, bucket, effect };
  };

/** On the record of every bucket before it counts: a crash in between only says it twice. */
const onPolicy = async (
  deps: RecordDecisionDependencies,
  { policy: name, bucket, decision }: DecisionRequest,
  words: PolicyWords,
  said: Said,
  execution: string,
): Promise<Recorded> => {
  const policy = deps.policies.find((it) => it.name === name);
  if (!policy) throw new DrError('PolicyInvalid', `there is no policy ${name}`);
  if (bucket !== undefined)
    throw new DrError('EventInvalid', `${decision} is about the whole policy: leave the bucket out`);
  for (let attempt = 0; attempt < POLICY_ATTEMPTS; attempt++) {
    const state = await deps.ledger.loadPolicyState(name);
    const { paused, effect } = meaningForPolicy(words, said, state);
    if (paused === undefined) return { decision: words.kind, bucket: null, effect };
    if (attempt === 0) await tellAll(deps, policy, state, said, { kind: words.kind, decision, execution, effect });
    if (await deps.ledger.putPolicyState({ ...state, paused })) return { decision: words.kind, bucket: null, effect };
  }
  throw new DrError(
    'StoreThrottled',
    `others wrote the state of ${name} ${POLICY_ATTEMPTS} times at this moment: nothing was done, decide again`,
  );
};

const tellAll = async (
  { records, ledger }: RecordDecisionDependencies,
  policy: Policy,
  state: PolicyState,
  { by, reason, at }: Said,
  {
    kind,
    decision,
    execution,
    effect,
  }: { readonly kind: string; readonly decision: string; readonly execution: string; readonly effect: string },
): Promise<unknown> =>
  inParallel(bucketsInForce(policy, state, await enrolmentOf(ledger, policy), at), AT_ONCE, (bucket) =>
    records.append(
      pairId(policy.source.name, bucket, policy.replica?.name ?? null),
      `decision ${execution}`,
      { kind: 'decision', decision: kind, words: decision, by, reason, execution, effect },
      at,
    ),
  );

const write = (
  deps: RecordDecisionDependencies,
  { request, pair, execution, said }: Delivery,
  words: { readonly kind: Decision['decision'] },
) => deps.ledger.putDecision(pair, { decision: words.kind, confirmation: request.decision, execution, ...said });

const onPair = async (deps: RecordDecisionDependencies, delivery: Delivery, words: PairWords): Promise<string> => {
  const { pair, policy, said, execution } = delivery;
  const { bucket } = delivery.request;
  const run = runId(pair, policy.name, said.at, 'decision');
  const lease = await takeLease(deps, run, pair, execution, later(said.at, SHORT_LEASE));
  if (!('token' in lease))
    throw new DrError('RunAlreadyOpen', `${bucket} is in the hands of ${lease.heldBy}: decide when it is over`);
  try {
    const seen = await deps.ledger.loadPair(pair);
    const { patch, effect } = meaningForPair(words, said, bucket, policy, seen);
    await write(deps, delivery, words);
    await deps.ledger.changePair(pair, lease.token, patch);
    return effect;
  } finally {
    await deps.ledger.releaseLease(pair, lease.token);
  }
};

/** A deletion whose command is over without an answer is none that is going on: the point can be kept, if it is there. */
const removalsNow = (known: Removals, over: ReadonlySet<OperationId>) => {
  const doubtful = Side.options.filter((side) => {
    const removal = known[side];
    return removal?.state === 'deleting' && removal.operation !== undefined && over.has(removal.operation);
  });
  const removal = { ...known };
  for (const side of doubtful) {
    const of = known[side];
    if (of) removal[side] = { ...of, state: 'condemned' };
  }
  return { removal, doubtful };
};

/** What is in doubt is not written: the listing of the next prune says whether it was we who deleted it. */
const leaving = (patch: PointPatch, known: Removals, doubtful: readonly Side[]): PointPatch => {
  if (!patch.removal) return patch;
  const removal = { ...patch.removal };
  for (const side of doubtful) removal[side] = known[side];
  return { ...patch, removal };
};

/** Optimistic: what was decided on must still be so when it is written, else it is looked at anew. */
const onPoint = async (deps: RecordDecisionDependencies, delivery: Delivery, words: PointWords): Promise<string> => {
  const { pair, said, startedAt } = delivery;
  const { bucket } = delivery.request;
  let isWritten = false;
  for (let attempt = 0; attempt < POINT_ATTEMPTS; attempt++) {
    const points = await deps.ledger.livingPoints(pair);
    const point = points.find(({ name }) => name === words.point);
    if (!point)
      throw unknownPoint(
        words.point,
        bucket,
        points.map(({ name }) => name),
      );
    const over = await deletionsOver(deps.operations, [point], said.at);
    const { removal, doubtful } = removalsNow(point.removal, over);
    const meaning = meaningForPoint(words, said, startedAt, bucket, { ...point, removal });
    const effect = [
      meaning.effect,
      ...doubtful.map(
        (side) => `whether a command that was to delete it on the ${side} did so, the next prune finds out`,
      ),
    ].join('; ');
    const patch = meaning.patch && leaving(meaning.patch, point.removal, doubtful);
    // Before the point, so that nothing was ever let go without a word who wanted it.
    if (!isWritten) await write(deps, delivery, words);
    isWritten = true;
    if (patch === null || (await deps.ledger.changePoint(pair, point, patch))) return effect;
  }
  throw new DrError(
    'RunAlreadyOpen',
    `others changed ${words.point} ${POINT_ATTEMPTS} times at this moment: nothing was done, decide again`,
  );
};
