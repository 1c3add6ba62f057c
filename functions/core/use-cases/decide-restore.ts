import type * as z from 'zod';
import { type BackupStep, isOperation, type NumberedStep } from '../domain/backup-step.ts';
import type { SeenSide } from '../domain/edge-reply.ts';
import type { BackupRun, Observation, PairPatch, PairState, RunStep } from '../domain/ledger.ts';
import { type OperationId, type PairId, pairId } from '../domain/names.ts';
import { confirmationOf, type Restored, RestorePlan, type RestoreTask } from '../domain/restore.ts';
import { FailbackPlan, failbackWords, type Role } from '../domain/roles.ts';
import type { EpochMs } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import {
  type Back,
  decideFailback,
  describeFailback,
  type FailbackToConfirm,
  isRebuilt,
} from '../planner/decide-failback.ts';
import { decideRestore, type PlanToConfirm, restrictedAfter } from '../planner/decide-restore.ts';
import { isFailure } from '../planner/history.ts';
import { describePlan } from '../planner/restore-plan.ts';
import type { Clock, Ledger, OperationStore, PlanStore } from '../ports.ts';
import { admitted } from './admit.ts';
import { answerTo } from './answers.ts';
import { operationId } from './operation-id.ts';
import { asText } from './plan-text.ts';
import { decideStep, noteAnswer } from './step.ts';

export interface DecideRestoreDependencies {
  readonly ledger: Ledger;
  readonly operations: Pick<OperationStore, 'load'>;
  readonly plans: Pick<PlanStore, 'put'>;
  readonly clock: Clock;
}

const asIs = (side: SeenSide): SeenSide => side;

/** More than the rounds of a preparation can have made. */
const RECENT_BACK = 50;

/**
 * State machine step of a restore or a drill: notes what came of the step before, decides the next one, records and
 * returns it. Safe to repeat for the same `step`.
 * @throws LeaseLost, EventInvalid
 */
export const decideRestoreNext = (deps: DecideRestoreDependencies): ((event: unknown) => Promise<NumberedStep>) =>
  decideStep(
    deps,
    // The point was resolved and pinned when the run was opened; the host proves by its id that it is still there.
    async () => [],
    async ({ run, steps: before, pair: seen, points, lease, failure, now }) => {
      if (!run.restore) throw new DrError('EventInvalid', `${run.runId} restores nothing`);
      const last = before.findLast(({ observed }) => observed === null);
      const id = last && operationId(run.runId, last.operationStep);
      const operation = id && isOperation(last.decision) ? await deps.operations.load(id) : undefined;
      const answer = last && answerTo(last, operation, failure, asIs);
      const known = id && answer ? patchAfter(seen, before, { ...last, observed: answer.observed }, id, now) : {};
      const changedPair = await changed(deps, seen, lease, known);
      // The roles are those of the pair as its policy has it, whichever way the run goes.
      const roleOf = run.restore.failover?.roleOf ?? run.restore.failback?.roleOf ?? seen.pair;
      const role = roleOf === seen.pair ? seen.role : (await deps.ledger.loadPair(roleOf)).role;
      const noted = { ...changedPair, role };
      const steps = answer ? await noteAnswer(deps.ledger, run.runId, before, answer, now) : before;
      const task = frozen(run.restore, run, steps);
      if (task !== run.restore) await deps.ledger.putRun({ ...run, restore: task });
      const history = { run: { ...run, restore: task }, steps, pair: noted, points };
      const decided = task.failback
        ? decideFailback(history, task, task.failback, await backOf(deps, run), now)
        : decideRestore(history, task, now);
      if (decided.kind === 'plan') return { steps, decision: await planned(deps, decided) };
      if (decided.kind === 'failback-plan') return { steps, decision: await failbackPlanned(deps, decided) };
      if (decided.kind === 'bring-back' && role && role.prepared?.by !== run.runId)
        await moveRole(
          deps,
          role,
          { ...role, prepared: { by: run.runId, at: now, isRebuilt: isRebuilt(history) } },
          roleOf,
        );
      if (task.failover) {
        const restricted = restrictedAfter(history, task.failover);
        await moveRole(deps, role, roleBefore(role, run, task, task.failover, restricted, decided, now), roleOf);
      }
      await changed(deps, noted, lease, patchBefore(noted, run, task, decided, now));
      return { steps, decision: await admitted(deps.ledger, history, decided, now) };
    },
  );

const changed = async (
  { ledger }: DecideRestoreDependencies,
  pair: PairState,
  lease: number,
  patch: PairPatch,
): Promise<PairState> => (Object.keys(patch).length > 0 ? ledger.changePair(pair.pair, lease, patch) : pair);

/** Its host would have done nothing. What Run Command calls undelivered may have run all the same. */
const wasRefused = (observed: Observation | null): boolean =>
  (observed?.kind === 'not-done' && observed.outcome === 'refused') ||
  (observed?.kind === 'no-answer' && observed.error === 'EdgeRefused');

/** Of an operation that was never sent, or refused, nothing is there. */
const wasNothingDone = (observed: Observation | null): boolean =>
  wasRefused(observed) ||
  (observed?.kind === 'not-done' && observed.outcome === 'unreachable') ||
  (observed?.kind === 'no-answer' && observed.error === 'EdgeUnreachable');

/** What an answer says of the target. */
const patchAfter = (
  pair: PairState,
  steps: readonly RunStep[],
  last: RunStep,
  operation: OperationId,
  now: EpochMs,
): PairPatch => {
  const { decision, observed } = last;
  const { scratch } = pair;
  switch (decision.kind) {
    case 'create-target': {
      if (scratch?.bucket !== decision.bucket) return {};
      if (observed?.kind === 'bucket') return { scratch: { ...scratch, created: observed.bucket.created } };
      const tries = steps.filter(
        (it) => it.decision.kind === 'create-target' && it.decision.bucket === decision.bucket,
      );
      // Of an earlier run nobody knows here what was tried.
      const isOfThese = scratch.created === null && scratch.since === tries[0]?.decidedAt;
      const isNot = tries.every((it) => wasRefused(it.n === last.n ? observed : it.observed));
      return isOfThese && isNot ? { scratch: null } : {};
    }
    case 'restore': {
      // Without an answer it may still be going on.
      const isOver = observed?.kind === 'restored' || observed?.kind === 'not-done' || wasNothingDone(observed);
      return isOver
        ? { copies: pair.copies.map((copy) => (copy.operation === operation ? { ...copy, to: now } : copy)) }
        : {};
    }
    case 'remove-scratch':
      return observed && !isFailure(observed)
        ? { scratch: null, dirtySince: null, copies: pair.copies.map((copy) => ({ ...copy, to: copy.to ?? now })) }
        : {};
    default:
      return {};
  }
};

/** What is noted before a step, so that a run that dies in it leaves no secret. */
const patchBefore = (
  pair: PairState,
  run: BackupRun,
  task: RestoreTask,
  decision: BackupStep,
  now: EpochMs,
): PairPatch => {
  const { purpose, target } = task;
  if (purpose === 'drill' && decision.kind === 'create-target' && pair.scratch?.bucket !== decision.bucket)
    return {
      scratch: { cluster: target.cluster.name, bucket: decision.bucket, runId: run.runId, since: now, created: null },
    };
  if (decision.kind !== 'done') return {};
  if (decision.outcome.kind === 'failed-over') return { dirtySince: null, foreignChange: null };
  return decision.outcome.kind === 'restored' && isWhole(pair, task, decision.outcome) ? { dirtySince: null } : {};
};

/**
 * The roles move before anything is changed: from then on no backup goes on, whatever becomes of the failover. They are
 * settled when the new primary is proved.
 */
const roleBefore = (
  role: Role | null,
  { runId }: BackupRun,
  { point }: RestoreTask,
  { epoch, to }: NonNullable<RestoreTask['failover']>,
  restricted: Role['restricted'],
  decision: BackupStep,
  now: EpochMs,
): Role | null => {
  const common = { primary: to, epoch, point: point.name, by: runId, prepared: null, restricted };
  const isMoving = role?.state === 'moving';
  // Told again; a failback may be prepared by now.
  if (role?.state === 'settled' && role.by === runId) return role;
  if (decision.kind === 'done' && decision.outcome.kind === 'failed-over')
    return { ...common, state: 'settled', since: role?.since ?? now, opened: decision.outcome.opened };
  if (decision.kind !== 'safety-snapshot' && decision.kind !== 'restore') return role;
  if (isMoving && role.by === runId) return role;
  return { ...common, state: 'moving', since: isMoving ? role.since : now, opened: null };
};

/** @throws ChangedMeanwhile */
const moveRole = async (
  { ledger }: DecideRestoreDependencies,
  seen: Role | null,
  next: Role | null,
  pair: PairId,
): Promise<void> => {
  if (next === null || next === seen) return;
  if (await ledger.moveRole(pair, seen, next)) return;
  // A decision that is repeated after it moved them finds what it wanted.
  const { role } = await ledger.loadPair(pair);
  if (role?.by === next.by && role.state === next.state) return;
  throw new DrError('ChangedMeanwhile', `the roles of ${pair} were moved by ${role?.by ?? 'nobody'} meanwhile`);
};

/**
 * Whether the target is now what it should be. That a part is, or what was not left alone, says nothing of what another
 * restore left half written.
 */
const isWhole = (
  { dirtySince, copies }: PairState,
  { lineage, point, selection, since }: RestoreTask,
  { leftAlone }: Pick<z.infer<typeof Restored>, 'leftAlone'>,
): boolean => {
  if (selection === null && since === null && leftAlone === 0) return true;
  const begin = copies.findIndex(({ operation }) => operation === dirtySince?.operation);
  return (
    begin >= 0 &&
    copies
      .slice(begin)
      .every(
        ({ point: name, restores }) =>
          name === point.name && restores?.lineage === lineage && restores.selection === selection,
      )
  );
};

/** The pair in the other direction. */
const backOf = async ({ ledger }: Pick<DecideRestoreDependencies, 'ledger'>, run: BackupRun): Promise<Back> => {
  const other = otherWay(run);
  const [pair, points] = await Promise.all([ledger.loadPair(other), ledger.recentPoints(other, RECENT_BACK)]);
  return { pair, points };
};

const otherWay = ({ policy, bucket }: BackupRun): PairId =>
  pairId(policy.replica?.name ?? policy.source.name, bucket, policy.source.name);

/** What the preparation of a failback restores from: the snapshot that it has taken, which nobody knew when it was opened. */
const frozen = (task: RestoreTask, run: BackupRun, steps: readonly RunStep[]): RestoreTask => {
  if (!task.failback) return task;
  const taken = steps.findLast(
    ({ decision, observed }) => decision.kind === 'create-snapshot' && observed?.kind === 'snapshot',
  );
  if (taken?.decision.kind !== 'create-snapshot' || taken.observed?.kind !== 'snapshot') return task;
  const { id, created } = taken.observed.snapshot;
  if (task.point.source?.id === id) return task;
  const source = { id, cluster: run.policy.source };
  return { ...task, point: { ...task.point, name: taken.decision.name, created, source }, since: task.failback.common };
};

const failbackPlanned = async (
  { plans }: DecideRestoreDependencies,
  { plan, reason }: FailbackToConfirm,
): Promise<BackupStep> => {
  const { hash, text } = asText(FailbackPlan, plan);
  await plans.put(hash, text);
  return {
    kind: 'done',
    outcome: {
      kind: 'restore-planned',
      plan: hash,
      confirmation: failbackWords(plan, hash),
      expires: plan.expires,
      summary: describeFailback(plan),
    },
    reason,
  };
};

/** The run ends here; another one, with the words, does what the plan says. */
const planned = async ({ plans }: DecideRestoreDependencies, { plan, reason }: PlanToConfirm): Promise<BackupStep> => {
  const { hash, text } = asText(RestorePlan, plan);
  await plans.put(hash, text);
  return {
    kind: 'done',
    outcome: {
      kind: 'restore-planned',
      plan: hash,
      confirmation: plan.obstacles.length > 0 ? null : confirmationOf(plan, hash),
      expires: plan.expires,
      summary: describePlan(plan),
    },
    reason,
  };
};
