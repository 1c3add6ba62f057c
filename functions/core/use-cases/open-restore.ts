import * as z from 'zod';
import { covers } from '../domain/buckets.ts';
import type { BackupRun } from '../domain/ledger.ts';
import { pairId, RunId, Slot, type WorkflowName } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import { DrillRequest, RestoreRequest, type RestoreTask } from '../domain/restore.ts';
import type { Pin } from '../domain/retention.ts';
import { FailbackRequest, FailoverRequest } from '../domain/roles.ts';
import { type EpochMs, later, seconds } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { isReadable } from '../planner/pick-point.ts';
import type { Clock, Ledger, PlanStore, Selections, Workflow } from '../ports.ts';
import { goOnFrom } from './exchange.ts';
import { holderOf, LEASE, type Opened, othersWho, takeLease } from './open-run.ts';
import { isOperationOf } from './operation-id.ts';
import { parseEvent } from './parse-event.ts';
import { wantedPreparation } from './wanted-failback.ts';
import { wantedFailover } from './wanted-failover.ts';
import { type Wanted, wantedDrill, wantedRestore } from './wanted-restore.ts';

const OpenEvent = z.strictObject({
  request: z.unknown(),
  workflow: z.enum(['restore', 'drill', 'failover', 'failback']),
  execution: z.string().min(1),
  startedAt: Slot,
  /** Of a planned failover: the backup before it is over. */
  drained: z.boolean().default(false),
});

export interface OpenRestoreDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Ledger;
  readonly plans: Pick<PlanStore, 'load'>;
  readonly selections: Pick<Selections, 'put'>;
  readonly workflow: Pick<Workflow, 'isRunning'>;
  readonly clock: Clock;
}

/** Somebody else is asked to be patient so long; then a person has to look. */
const PATIENCE = seconds(1800);
const PAUSE = seconds(30);
/**
 * So long an unplanned failover waits for a backup or a prune: one that is about to end brings a newer point, which is worth
 * another plan. One that hangs with its source brings nothing. Once a person has confirmed, its lease is taken then: what it
 * still sends is refused by its fencing token, and a copy of its that may be alive is waited for or ended, as of any run
 * that was cut off.
 */
const PATIENCE_OF_UNPLANNED = seconds(120);
/** Others may be changing the same point: a prune, or a person. */
const PIN_ATTEMPTS = 8;

/**
 * Opens a restore, a drill or a failover under the lease of its target: resolves the point and the copies of it that are there,
 * keeps the point from being deleted, stores the list of paths, checks and uses up the confirmation. Safe to repeat for
 * the same execution.
 * @throws EventInvalid, PolicyInvalid, PointGone, NotConfirmed, TargetNotOurs, NotPrimary, ChangedMeanwhile, RunAlreadyOpen
 */
export const openRestore =
  (deps: OpenRestoreDependencies) =>
  async (event: unknown): Promise<Opened> => {
    const { request, workflow, execution, startedAt, drained } = parseEvent(OpenEvent, event);
    const now = deps.clock.now();
    const wanted = await wantedBy(deps, workflow, request, startedAt, now);
    const { id, pair } = wanted;
    if (wanted.slot > later(now, seconds(300)))
      throw new DrError(
        'EventInvalid',
        `the slot ${new Date(wanted.slot).toISOString()} is in the future: leave it out`,
      );

    if (wanted.drain && drained)
      throw new DrError(
        'ChangedMeanwhile',
        `the backup ${wanted.drain.name} brought no verified point: find out why, or start an unplanned failover. Nothing was changed`,
      );
    if (wanted.drain) return { kind: 'drain', runId: id, lease: 0, step: 0, ...wanted.drain };

    const { failover, confirmed } = wanted.task;
    const busy = (heldBy: string, by?: WorkflowName): Opened => {
      const reason = `${wanted.task.target.bucket} is in the hands of ${heldBy}`;
      const isShort = failover?.kind === 'unplanned' && isPassedOver(by);
      // The others are not waited for by a person without a word.
      if (now >= later(startedAt, isShort ? PATIENCE_OF_UNPLANNED : PATIENCE))
        throw new DrError('RunAlreadyOpen', `${reason}: stop that execution, or start again when it is over`);
      return { kind: 'busy', runId: id, lease: 0, step: 0, seconds: PAUSE, reason };
    };
    const { target } = wanted.task;
    const take = (workflow: OpenRestoreDependencies['workflow']) =>
      takeLease({ ...deps, workflow }, id, pair, execution, later(now, LEASE), () =>
        target.kind === 'in-place' ? othersWho(deps.policies, target.cluster.name, target.bucket) : [],
      );
    const free = await take(deps.workflow);
    const mayTake =
      failover?.kind === 'unplanned' && confirmed !== null && now >= later(startedAt, PATIENCE_OF_UNPLANNED);
    const lease =
      !('token' in free) && mayTake && isPassedOver(free.workflow)
        ? // From this one, and from nobody who came after it.
          await take({ isRunning: async (it) => it !== free.heldBy && deps.workflow.isRunning(it) })
        : free;
    if (!('token' in lease)) return busy(lease.heldBy, lease.workflow);
    const giveBack = () => deps.ledger.releaseLease(pair, lease.token);
    try {
      // Asked after the lease was taken, as a backup does it: of two at the same moment at least one sees the other.
      const inTheWay = await writerOf(deps, wanted, now);
      if (inTheWay) {
        await giveBack();
        return busy(inTheWay);
      }
      const known = await deps.ledger.loadRun(id);
      if (known && isDone(known.run)) {
        assertSame(known.run, wanted);
        await giveBack();
        return {
          kind: 'skipped',
          runId: id,
          lease: 0,
          step: 0,
          error: 'SlotAlreadyDone',
          reason: `the ${workflow} ${id} is done`,
        };
      }
      await goOn(deps, wanted, lease.token, now);
      const steps = known?.steps.length ?? 0;
      const run: BackupRun =
        known?.run.status === 'open' && (await isContinued(deps, known.run, wanted))
          ? { ...known.run, execution, lease: lease.token, factsFrom: steps }
          : fresh(wanted, workflow, execution, lease.token, steps, now);
      await open(deps, run, wanted, now);
      return { kind: 'open', runId: id, lease: lease.token, step: steps };
    } catch (error) {
      await giveBack();
      throw error;
    }
  };

const isPassedOver = (workflow: WorkflowName | undefined): boolean => workflow === 'backup' || workflow === 'prune';

const wantedBy = (
  deps: OpenRestoreDependencies,
  workflow: z.infer<typeof OpenEvent>['workflow'],
  request: unknown,
  startedAt: EpochMs,
  now: EpochMs,
): Promise<Wanted> => {
  switch (workflow) {
    case 'restore':
      return wantedRestore(deps, parseEvent(RestoreRequest, request), startedAt, now);
    case 'drill':
      return wantedDrill(deps, parseEvent(DrillRequest, request), startedAt, now);
    case 'failover':
      return wantedFailover(deps, parseEvent(FailoverRequest, request), startedAt, now);
    case 'failback': {
      const asked = parseEvent(FailbackRequest, request);
      return asked.kind === 'prepare'
        ? wantedPreparation(deps, asked, startedAt, now)
        : wantedFailover(deps, { ...asked, kind: 'planned', point: undefined, fleet: undefined }, startedAt, now, true);
    }
  }
};

/** A failover from a primary that no backup was made of yet. */
const goOn = async (
  { ledger }: OpenRestoreDependencies,
  { pair, policy, bucket, task: { failover } }: Wanted,
  lease: number,
  now: EpochMs,
): Promise<void> => {
  if (!failover) return;
  const { role } = await ledger.loadPair(failover.roleOf);
  if (role?.state === 'settled' && role.primary !== failover.to)
    await goOnFrom(ledger, { role, pair, lease, policy, bucket, now });
};

/** Everything that has to be there before the first step. */
const open = async (deps: OpenRestoreDependencies, run: BackupRun, wanted: Wanted, now: EpochMs): Promise<void> => {
  const { ledger } = deps;
  const { restore, runId: id } = run;
  if (!restore) throw new DrError('EventInvalid', `${id} restores nothing`);
  await letGoOfOthers(deps, id, restore, now);
  await pin(deps, id, restore, now);
  try {
    if (wanted.selection !== null && restore.selection) await deps.selections.put(restore.selection, wanted.selection);
    const plan = restore.confirmed?.plan;
    if (plan && !(await ledger.usePlan(plan, id, now)))
      throw new DrError('NotConfirmed', `the plan ${plan} was used by another restore already: plan again`);
    await ledger.putRun(run);
  } catch (error) {
    await unpin(deps, id, restore);
    throw error;
  }
};

/** A restore that was only planned goes on with the confirmation. */
const isDone = ({ status, outcome }: BackupRun): boolean =>
  status === 'succeeded' && outcome?.kind !== 'restore-planned';

/** What two requests must have in common to be one: all but what was found out when it was opened. */
const askedBy = ({
  purpose,
  lineage,
  selection,
  target,
  overwrite,
  deleteExtra,
  verification,
  failover,
}: RestoreTask): string =>
  JSON.stringify([
    purpose,
    lineage,
    selection,
    target.kind,
    target.cluster.name,
    target.bucket,
    overwrite,
    deleteExtra,
    verification,
    failover?.kind ?? null,
  ]);

/** Nobody gets what he did not ask for because somebody else asked under the same slot. @throws EventInvalid */
const assertSame = ({ restore, runId: id, slot, status }: BackupRun, { task, isPointNamed }: Wanted): void => {
  const isSame =
    restore !== null &&
    askedBy(restore) === askedBy(task) &&
    (!isPointNamed || restore.point.name === task.point.name) &&
    // What was confirmed goes on only for who confirms it too, and who asked for a plan gets no restore.
    (status !== 'open' || (restore.confirmed?.plan === task.confirmed?.plan && restore.planOnly === task.planOnly));
  if (!isSame)
    throw new DrError(
      'EventInvalid',
      `${id} is another request: give a slot that is not ${new Date(slot).toISOString()}, or none`,
    );
};

/**
 * Whether a run that was cut off goes on where it was. Not when another one wrote to the target since: then what is there is
 * nothing that this one has put there.
 */
const isContinued = async ({ ledger }: OpenRestoreDependencies, run: BackupRun, wanted: Wanted): Promise<boolean> => {
  assertSame(run, wanted);
  const { copies } = await ledger.loadPair(run.pair);
  return copies.every(({ from, operation }) => from < run.startedAt || isOperationOf(operation, run.runId));
};

/** Who works on the target as on a bucket that is backed up. */
const writerOf = async (
  deps: OpenRestoreDependencies,
  { task: { target }, policy: own }: Wanted,
  now: EpochMs,
): Promise<string | undefined> => {
  if (target.kind === 'scratch') return undefined;
  const pairs = [own, ...deps.policies]
    .filter(({ source, buckets }) => source.name === target.cluster.name && covers({ buckets }, target.bucket))
    .map(({ source, replica }) => pairId(source.name, target.bucket, replica?.name ?? null));
  for (const pair of new Set(pairs)) {
    const holder = await holderOf(deps, pair, now);
    if (holder) return holder;
  }
  return undefined;
};

const fresh = (
  { id, pair, policy, bucket, slot, task }: Wanted,
  workflow: z.infer<typeof OpenEvent>['workflow'],
  execution: string,
  lease: number,
  steps: number,
  now: EpochMs,
): BackupRun => ({
  schema: 1,
  workflow,
  restore: task,
  runId: id,
  pair,
  bucket,
  slot,
  policy,
  status: 'open',
  execution,
  lease,
  startedAt: now,
  firstStep: steps,
  factsFrom: steps,
  endedAt: null,
  outcome: null,
  failure: null,
});

// ---------------------------------------------------------------- pins

/** Keeps the point from being deleted while it is read. @throws PointGone */
const pin = async (
  { ledger }: OpenRestoreDependencies,
  id: RunId,
  { lineage, point, failback, reason }: RestoreTask,
  now: EpochMs,
): Promise<void> => {
  const { name } = failback?.common ?? point;
  const mine: Pin = { by: id, reason, at: now };
  for (let attempt = 0; attempt < PIN_ATTEMPTS; attempt++) {
    const seen = (await ledger.livingPoints(lineage)).find((it) => it.name === name);
    if (!seen || (!isReadable(seen, 'source') && !isReadable(seen, 'replica'))) break;
    const others = seen.pins.filter(({ by }) => by !== id);
    if (await ledger.changePoint(lineage, seen, { pins: [...others, mine] })) return;
  }
  throw new DrError('PointGone', `${name} is being deleted or changed by others: choose another point, or start again`);
};

/** Of a run that was not opened after all. */
const unpin = async (
  { ledger }: OpenRestoreDependencies,
  id: RunId,
  { lineage, point, failback }: RestoreTask,
): Promise<void> => {
  const { name } = failback?.common ?? point;
  const seen = (await ledger.livingPoints(lineage)).find((it) => it.name === name);
  // Who is faster leaves a pin that the next restore lets go of.
  if (seen) await ledger.changePoint(lineage, seen, { pins: seen.pins.filter(({ by }) => by !== id) });
};

/** Pins of runs that were stopped before they could let go. One that is young may be of a run that is being opened. */
const letGoOfOthers = async (
  { ledger, workflow }: OpenRestoreDependencies,
  id: RunId,
  { lineage }: RestoreTask,
  now: EpochMs,
): Promise<void> => {
  for (const point of await ledger.livingPoints(lineage)) {
    const over: string[] = [];
    for (const { by, at } of point.pins) {
      const run = RunId.safeParse(by);
      if (!run.success || run.data === id || now < later(at, LEASE)) continue;
      const known = await ledger.loadRun(run.data);
      const isAtWork = known?.run.status === 'open' && (await workflow.isRunning(known.run.execution));
      if (!isAtWork) over.push(by);
    }
    if (over.length > 0)
      await ledger.changePoint(lineage, point, { pins: point.pins.filter(({ by }) => !over.includes(by)) });
  }
};
