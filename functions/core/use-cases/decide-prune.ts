import { createHash } from 'node:crypto';
import type { BackupStep, NumberedStep } from '../domain/backup-step.ts';
import { isOperation } from '../domain/backup-step.ts';
import { covers } from '../domain/buckets.ts';
import { DeletionPlan, doomedOf } from '../domain/deletion-plan.ts';
import { parseEdgeReply, replyIn, type SeenSide } from '../domain/edge-reply.ts';
import type { BackupRun, Observation, PairState, RecoveryPoint, RunStep } from '../domain/ledger.ts';
import { type OperationId, pairId, type SnapshotId } from '../domain/names.ts';
import type { Operation } from '../domain/operation.ts';
import type { Policy } from '../domain/policy.ts';
import type { Happening } from '../domain/record.ts';
import { type PlanHash, Side } from '../domain/retention.ts';
import { type EpochMs, later, seconds } from '../domain/units.ts';
import { bucketToPrune, inUseByCopies } from '../planner/bucket-to-prune.ts';
import { withNewestOfAll } from '../planner/clocks.ts';
import { type Condemned, decidePrune, deletedBy, isAnother, type PruneView } from '../planner/decide-prune.ts';
import { deletionPlan } from '../planner/deletion-plan.ts';
import type { RunHistory } from '../planner/history.ts';
import { settingsInForce } from '../planner/in-force.ts';
import { type PruneSettings, planPrune } from '../planner/plan-prune.ts';
import { isGone, isHeld, type Reconciled, reconcile, stillThere } from '../planner/removals.ts';
import { unjudged } from '../planner/unjudged.ts';
import type { Clock, Ledger, OperationStore, Outputs, PlanStore, Records } from '../ports.ts';
import { type Answer, answerTo } from './answers.ts';
import { inParallel } from './in-parallel.ts';
import { operationId } from './operation-id.ts';
import { asText, hashOf, readPlan } from './plan-text.ts';
import { decideStep, noteAnswer } from './step.ts';
import { deletionsUnderWay } from './under-way.ts';

export interface DecidePruneDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Ledger;
  readonly operations: Pick<OperationStore, 'load'>;
  readonly plans: PlanStore;
  readonly outputs: Outputs;
  readonly records: Pick<Records, 'append'>;
  readonly clock: Clock;
}

const SOON = seconds(5);
/** Writes of the ledger at a time: there may be ten thousand points. */
const AT_ONCE = 16;
/**
 * What came of the last step of an earlier execution, when nobody says so. Others may have had the bucket since: a command
 * that was not sent by then must not be sent now.
 */
const cutOff = ({ decision }: RunStep): Answer => ({
  observed:
    isOperation(decision) || decision.kind === 'condemn'
      ? { kind: 'no-answer', error: 'States.Aborted', cause: 'the execution was over before that' }
      : { kind: 'elapsed' },
  jvmStarts: null,
});

/** Of the listings of a prune nothing is kept with its steps: a decision after an effect needs a new one anyway. */
const withoutSnapshots = (side: SeenSide): SeenSide =>
  side.state === 'read' ? { ...side, snapshots: [] } : { ...side, message: side.message.slice(0, 500) };

/**
 * State machine step of a prune: notes what came of the step before, decides the next one, records and returns it. Safe
 * to repeat for the same `step`.
 * @throws LeaseLost, EventInvalid
 */
export const decidePruneNext = (deps: DecidePruneDependencies): ((event: unknown) => Promise<NumberedStep>) =>
  decideStep(
    deps,
    // There may be ten thousand: they are read where one is judged or changed.
    async () => [],
    async ({ run, steps: before, pair, lease, step, failure, now }) => {
      const last = before.findLast(({ observed }) => observed === null);
      const operation =
        last && isOperation(last.decision)
          ? await deps.operations.load(operationId(run.runId, last.operationStep))
          : undefined;
      const isOfNow = last !== undefined && last.operationStep >= (run.factsFrom ?? 0);
      const isCutOff = failure === null && !isOfNow && !operation?.outcome;
      const heard = last && (isCutOff ? cutOff(last) : answerTo(last, operation, failure, withoutSnapshots));
      // Others may have had the bucket since an earlier execution listed it: what they made is not gone because it is not listed.
      const listed = isOfNow && heard?.observed.kind === 'survey' ? await listingsOf(deps, operation) : undefined;
      const listings = typeof listed === 'string' ? undefined : listed;
      const answer = typeof listed === 'string' ? notListed(listed) : heard;
      const isOurs = listings && !isAnother({ run, pair }, listings);
      const there = last && answer ? notDeleted(last, answer.observed) : null;
      const points = listings || there ? await deps.ledger.livingPoints(run.pair) : [];
      const released = there ? await release(deps, run, points, there) : points;
      const changed = isOurs ? await settle(deps, run, released, listings, now) : released;
      if (isOurs)
        await deps.ledger.changePair(run.pair, lease, {
          counted: countOf(listings, now),
          ...withNewestOfAll(pair, changed),
        });
      const steps = answer ? await noteAnswer(deps.ledger, run.runId, before, answer, now) : before;
      const history: RunHistory = { run, pair, points: changed, steps };
      const view = listings && (await viewOf(deps, history, listings, now));
      const isAttached = steps.some(({ observed }) => observed === null);
      const decided = decidePrune(history, view?.view ?? null);
      const decision = isAttached ? decided : await begun(deps, history, decided, operationId(run.runId, step), now);
      if (decision.kind === 'condemn' && view?.text) await deps.plans.put(decision.plan, view.text);
      return { steps, decision: decision.kind === 'survey' ? { ...decision, keep: 'whole' } : decision };
    },
  );

type Listings = PruneView['listings'];

/** Deleted ones that are still listed count towards the limit of the cluster, too. */
const countOf = ({ source, replica }: Listings, at: EpochMs): PairState['counted'] => ({
  source: source.state === 'read' ? source.snapshots.length : null,
  replica: replica?.state === 'read' ? replica.snapshots.length : null,
  at,
});

const isCut = (side: SeenSide | null): boolean => side?.state === 'read' && side.counts !== undefined;

/** The whole listing, from the answer itself or from where it lies; a sentence when that is not what the host answered: what a listing leaves out is not gone. */
const listingsOf = async (
  { outputs }: Pick<DecidePruneDependencies, 'outputs'>,
  operation: Operation | undefined,
): Promise<Listings | string | undefined> => {
  if (operation?.outcome?.kind !== 'reply') return undefined;
  const { reply, whole } = operation.outcome;
  const text = whole ? replyIn((await outputs.read(whole.url)) ?? '') : reply;
  if (whole && hashOf(text) !== whole.hash)
    return `the output at ${whole.url} is not there, or another than the host wrote`;
  const parsed = parseEdgeReply(text, operation.id);
  if ('problem' in parsed) return parsed.problem;
  const { verb, data } = parsed.reply;
  if (verb !== 'survey' || !data) return undefined;
  return isCut(data.source) || isCut(data.replica) ? 'the listing was shortened' : data;
};

const notListed = (why: string): Answer => ({
  observed: { kind: 'no-answer', error: 'EdgeReplyInvalid', cause: why.slice(0, 1500) },
  jvmStarts: null,
});

interface NotDeleted {
  readonly side: Side;
  readonly ids: ReadonlySet<SnapshotId>;
}

/** What the answer to a deletion proves to be there still; null: nothing, or it was none. */
const notDeleted = ({ decision }: RunStep, observed: Observation): NotDeleted | null => {
  const ids = decision.kind === 'delete' ? stillThere(decision.remove, observed) : [];
  return decision.kind === 'delete' && ids.length > 0 ? { side: decision.side, ids: new Set(ids) } : null;
};

/** Points that are there after all wait as before: a pin may have them. */
const release = async (
  deps: DecidePruneDependencies,
  run: BackupRun,
  points: readonly RecoveryPoint[],
  { side, ids }: NotDeleted,
): Promise<readonly RecoveryPoint[]> => {
  const release = async (point: RecoveryPoint): Promise<RecoveryPoint> => {
    const removal = point.removal[side];
    const id = point[side]?.id;
    if (!id || !ids.has(id) || removal?.state !== 'deleting') return point;
    const waiting = { ...removal, state: 'condemned' as const };
    return (
      (await deps.ledger.changePoint(run.pair, point, { removal: { ...point.removal, [side]: waiting } })) ?? point
    );
  };
  return Promise.all(points.map(release));
};

/** Puts into the ledger what the listings say of removals, and answers the points that are left. */
const settle = async (
  deps: DecidePruneDependencies,
  run: BackupRun,
  points: readonly RecoveryPoint[],
  listings: Listings,
  now: EpochMs,
): Promise<readonly RecoveryPoint[]> => {
  const reconciled = reconcile(points, listings, await deletionsUnderWay(deps.operations, points, now), now);
  // Recorded first: what is gone and not on record would be a silent loss, recorded twice it is only said twice.
  await recordGone(deps, run, reconciled, now);
  const settled = new Map<string, RecoveryPoint>();
  await inParallel(reconciled, AT_ONCE, async ({ point, removal }) => {
    const changed = await deps.ledger.changePoint(run.pair, point, { removal });
    if (changed) settled.set(point.name, changed);
  });
  const current = points.map((point) => settled.get(point.name) ?? point);
  await inParallel(current.filter(isGone), AT_ONCE, (point) => deps.ledger.retirePoint(run.pair, point));
  return current.filter((point) => !isGone(point));
};

/** One entry for all that went the same way. */
const recordGone = async (
  { records }: DecidePruneDependencies,
  run: BackupRun,
  reconciled: readonly Reconciled[],
  now: EpochMs,
): Promise<void> => {
  const ways = new Map<string, Way>();
  for (const { point, gone } of reconciled)
    for (const { side, byUs, plan } of gone) {
      const id = point[side]?.id;
      if (!id) continue;
      const way = ways.get(`${byUs} ${plan}`) ?? { byUs, plan, snapshots: [] };
      way.snapshots.push({ side, name: point.name, id, reasons: [] });
      ways.set(`${byUs} ${plan}`, way);
    }
  for (const { byUs, plan, snapshots } of ways.values())
    await records.append(
      run.pair,
      `deleted:${run.runId}:${digestOf(snapshots)}`,
      { kind: 'deleted', runId: run.runId, plan, byUs, snapshots },
      now,
    );
};

/** Two lists of one run are two entries. */
const digestOf = (snapshots: Way['snapshots']): string =>
  createHash('sha256')
    .update(snapshots.map(({ side, id }) => `${side} ${id}`).join())
    .digest('hex')
    .slice(0, 16);

interface Way {
  readonly byUs: boolean;
  readonly plan: PlanHash | null;
  readonly snapshots: Extract<Happening, { kind: 'deleted' }>['snapshots'];
}

/**
 * Condemnations whose plan is there, is the one of its hash, and names the snapshot. That is asked for once one may be
 * deleted: before, it only waits, and a plan that names ten thousand points has megabytes.
 */
const provedOf = async (
  deps: DecidePruneDependencies,
  points: readonly RecoveryPoint[],
  { grace }: Pick<PruneSettings, 'grace'>,
  now: EpochMs,
) => {
  const marked = points.flatMap((point) =>
    Side.options.flatMap((side) => {
      const removal = point.removal[side];
      const id = point[side]?.id;
      return id && removal?.plan && removal.state !== 'deleted'
        ? [{ id, side, name: point.name, plan: removal.plan, since: removal.condemnedAt }]
        : [];
    }),
  );
  const isDue = ({ since }: { readonly since: EpochMs }): boolean => later(since, grace) <= now;
  const named = new Map<PlanHash, ReadonlySet<SnapshotId>>();
  for (const plan of new Set(marked.filter(isDue).map((it) => it.plan))) {
    const read = readPlan(DeletionPlan, plan, await deps.plans.load(plan));
    named.set(plan, new Set(read && doomedOf(read).map(({ id }) => id)));
  }
  const proved = new Map<SnapshotId, Condemned>();
  for (const { id, ...it } of marked) if (!isDue(it) || named.get(it.plan)?.has(id)) proved.set(id, it);
  return { proved, unproved: marked.length - proved.size };
};

/** Every pair that has the bucket as its source. */
const pairsOf = async (
  { policies, ledger }: DecidePruneDependencies,
  { run, pair }: RunHistory,
): Promise<readonly PairState[]> => {
  const ids = policies
    .filter(({ source, buckets }) => source.name === run.policy.source.name && covers({ buckets }, run.bucket))
    .map(({ source, replica }) => pairId(source.name, run.bucket, replica?.name ?? null));
  const others = [...new Set(ids)].filter((id) => id !== run.pair);
  return [pair, ...(await Promise.all(others.map((id) => ledger.loadPair(id))))];
};

const viewOf = async (
  deps: DecidePruneDependencies,
  history: RunHistory,
  listings: Listings,
  now: EpochMs,
): Promise<{ readonly view: PruneView; readonly text: string | null }> => {
  const { run, pair, points } = history;
  const [state, pairs] = await Promise.all([deps.ledger.loadPolicyState(run.policy.name), pairsOf(deps, history)]);
  const inForce = settingsInForce(run.policy, state, now);
  const seen = { listings, unjudged: unjudged(points, deps.policies) };
  if (!inForce)
    return {
      view: {
        ...seen,
        ...{ condemned: new Map(), unproved: 0, stored: null },
        plan: { kind: 'refused', reason: `the policy ${run.policy.name} has no retention` },
      },
      text: null,
    };
  // Those of other policies are theirs to condemn and to spare.
  const own = points.filter((point) => point.policy === run.policy.name);
  const { proved, unproved } = await provedOf(deps, own, inForce, now);
  const base = { ...seen, condemned: proved, unproved };
  const settings = { ...inForce, maxDeletions: Math.max(0, inForce.maxDeletions - deletedBy(history)) };
  const plan = planPrune(
    bucketToPrune(points, pairs, inUseByCopies(pair), listings),
    new Map([...proved].map(([id, { since }]) => [id, since])),
    settings,
    now,
  );
  if (plan.kind === 'refused') return { view: { ...base, plan, stored: null }, text: null };
  const { hash, text } = asText(
    DeletionPlan,
    deletionPlan(plan, { pair: run.pair, runId: run.runId, settings: inForce, listings, condemned: proved }, now),
  );
  return { view: { ...base, plan, stored: hash }, text };
};

/**
 * Before a host is told to delete: each point says so, unless somebody pinned it in the last moment. From then on a pin
 * is refused, because it would come too late.
 */
const begun = async (
  deps: DecidePruneDependencies,
  history: RunHistory,
  decision: BackupStep,
  operation: OperationId,
  now: EpochMs,
): Promise<BackupStep> => {
  if (decision.kind !== 'delete') return decision;
  const { side } = decision;
  const remove: (typeof decision.remove)[number][] = [];
  for (const it of decision.remove) {
    const point = history.points.find((known) => known[side]?.id === it.id);
    const removal = point?.removal[side];
    if (!point || !removal || isHeld(point, now)) continue;
    const marked = await deps.ledger.changePoint(history.run.pair, point, {
      removal: { ...point.removal, [side]: { ...removal, state: 'deleting', operation } },
    });
    if (marked) remove.push(it);
  }
  if (remove.length > 0) return { ...decision, remove };
  return {
    kind: 'wait',
    seconds: SOON,
    reason: 'every snapshot that was to go was pinned in the last moment: look again',
  };
};
