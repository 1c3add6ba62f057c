import * as z from 'zod';
import type { BackupOutcome } from '../domain/backup-step.ts';
import type { LastRun } from '../domain/clocks.ts';
import type { BackupRun, RunStep } from '../domain/ledger.ts';
import { RunId } from '../domain/names.ts';
import type { Drilled, PassedDrill } from '../domain/restore.ts';
import type { EpochMs } from '../domain/units.ts';
import { DrError, isDrError } from '../errors.ts';
import { heldBy } from '../planner/admission.ts';
import { lastRunOf } from '../planner/failure-kind.ts';
import type { Clock, Ledger, Records } from '../ports.ts';
import { releaseAll } from './admit.ts';
import { TaskFailure } from './answers.ts';
import { parseEvent } from './parse-event.ts';
import { recordRunEnd, summaryOf } from './recording.ts';

export interface CloseDependencies {
  readonly ledger: Pick<
    Ledger,
    | 'loadRun'
    | 'loadPair'
    | 'closeRun'
    | 'releaseLease'
    | 'releaseSlots'
    | 'livingPoints'
    | 'changePoint'
    | 'changePair'
  >;
  readonly records: Pick<Records, 'append'>;
  readonly clock: Clock;
  /** Hears of a failed run at once; the next assessment finds it in the ledger anyway. */
  readonly onFailure?: (run: BackupRun, last: LastRun) => void;
}

const OutcomeEvent = z.strictObject({
  runId: RunId,
  lease: z.number().int().positive(),
  step: z.number().int().nonnegative(),
});

/**
 * Records and closes a run with the outcome that was decided in `step` and gives the lease back. Safe to repeat.
 * @throws LeaseLost, EventInvalid
 */
export const recordOutcome =
  (deps: CloseDependencies) =>
  async (event: unknown): Promise<BackupOutcome & { readonly runId: RunId }> => {
    const { runId, lease, step } = parseEvent(OutcomeEvent, event);
    const known = await deps.ledger.loadRun(runId);
    const decided = known?.steps.find((it) => it.n === step)?.decision;
    if (!known || decided?.kind !== 'done') throw new DrError('EventInvalid', `step ${step} of ${runId} is not done`);
    const { outcome } = decided;
    const end = { status: 'succeeded', outcome, failure: null, endedAt: deps.clock.now() } as const;
    await recordOnce(deps, known, lease, end, summaryOf(outcome));
    const drill =
      outcome.kind === 'drilled'
        ? { point: outcome.point, drill: passed(outcome, known.run.policy.name, end.endedAt) }
        : null;
    await letGo(deps, known.run, lease, drill?.drill ?? null);
    // The drills remember it too: the point may be deleted long before the next one.
    if (drill && known.run.lease === lease && known.run.status === 'open')
      await deps.ledger.changePair(known.run.pair, lease, { lastDrill: drill });
    await remember(deps, known, lease, end);
    await deps.ledger.closeRun(known.run, lease, end);
    await giveBack(deps, known, lease);
    return { ...outcome, runId };
  };

type Ended = Pick<BackupRun, 'outcome' | 'failure'> & { readonly endedAt: EpochMs };

/** The pair remembers how its last run of each workflow ended, so that nobody has to look for it among all runs. */
const remember = async (
  { ledger, onFailure }: CloseDependencies,
  { run, steps }: { readonly run: BackupRun; readonly steps: readonly RunStep[] },
  lease: number,
  end: Ended,
): Promise<void> => {
  const { pair, policy, workflow } = run;
  if (workflow === 'look' || run.lease !== lease || run.status !== 'open') return;
  const last = lastRunOf(run, steps, end);
  try {
    const { newest } = await ledger.loadPair(pair);
    const known = newest?.[policy.name] ?? { taken: null, verified: {}, runs: {} };
    const runs = { ...known.runs, [workflow]: last };
    await ledger.changePair(pair, lease, { newest: { ...newest, [policy.name]: { ...known, runs } } });
  } catch (error) {
    // Somebody else has the bucket by now, and will have a last run of its own.
    if (!isDrError(error, 'LeaseLost')) throw error;
  }
  if (end.failure) onFailure?.(run, last);
};

/** Says it in the record while the run is still this attempt's and not closed like that already. */
const recordOnce = async (
  { records }: CloseDependencies,
  known: NonNullable<Awaited<ReturnType<Ledger['loadRun']>>>,
  lease: number,
  { status, endedAt }: { readonly status: 'succeeded' | 'failed'; readonly endedAt: EpochMs },
  summary: string,
): Promise<void> => {
  if (known.run.lease !== lease || known.run.status === status) return;
  await recordRunEnd(records, known, status, summary, endedAt);
};

const passed = (
  { kind: _, point: _point, against: _against, rto: _rto, notes: _notes, ...drill }: Drilled,
  policy: PassedDrill['policy'],
  at: EpochMs,
): PassedDrill => ({
  ...drill,
  policy,
  at,
});

/** Others may be changing the point at the same moment. */
const POINT_ATTEMPTS = 8;

/** The point of a restore may be deleted again; one that passed a drill says so. Somebody who continues the run keeps its pin. */
const letGo = async (
  { ledger }: CloseDependencies,
  { restore, runId, lease: current }: BackupRun,
  lease: number,
  drilled: PassedDrill | null,
): Promise<void> => {
  if (!restore || current !== lease) return;
  for (let attempt = 0; attempt < POINT_ATTEMPTS; attempt++) {
    const { name: kept } = restore.failback?.common ?? restore.point;
    const point = (await ledger.livingPoints(restore.lineage)).find(({ name }) => name === kept);
    if (!point) return;
    const pins = point.pins.filter(({ by }) => by !== runId);
    if (pins.length === point.pins.length && drilled === null) return;
    if (await ledger.changePoint(restore.lineage, point, { pins, ...(drilled ? { drilled } : {}) })) return;
  }
  throw new DrError('StoreThrottled', `others changed the point of ${runId} ${POINT_ATTEMPTS} times`);
};

/** What the run held that others may wait for. */
const giveBack = async (
  { ledger }: CloseDependencies,
  { run, steps }: { readonly run: BackupRun; readonly steps: readonly RunStep[] },
  lease: number,
): Promise<void> => {
  await releaseAll(ledger, heldBy({ run, steps }), run.runId);
  await ledger.releaseLease(run.pair, lease);
};

const FailureEvent = z.object({
  runId: RunId.nullable(),
  lease: z.number().int().nonnegative(),
  failure: TaskFailure.nullable(),
});

export interface RunFailure {
  readonly error: string;
  readonly cause: string;
}

/** Lambda reports an error as JSON in the cause; a person wants its message. */
const LambdaCause = z.object({ errorMessage: z.string() });

const readable = (failure: TaskFailure): RunFailure => {
  try {
    const cause = LambdaCause.safeParse(JSON.parse(failure.Cause));
    return { error: failure.Error, cause: cause.success ? cause.data.errorMessage : failure.Cause };
  } catch {
    return { error: failure.Error, cause: failure.Cause };
  }
};

/**
 * Records and closes a run with why it failed, gives the lease back, and answers the error that the execution ends with. A run that
 * somebody else continues by now is left alone. Safe to repeat.
 */
export const recordFailure =
  (deps: CloseDependencies) =>
  async (event: unknown): Promise<RunFailure> => {
    const { runId, lease, failure } = parseEvent(FailureEvent, event);
    const known = runId ? await deps.ledger.loadRun(runId) : undefined;
    const last = known?.steps.at(-1)?.decision;
    const decided =
      last?.kind === 'fail' ? { error: last.error, cause: `${last.reason}. ${last.remedy}`.trim() } : undefined;
    const why = failure ? readable(failure) : (decided ?? { error: 'EventInvalid', cause: 'failed without a reason' });
    if (known && why.error !== 'LeaseLost') {
      const end = {
        status: 'failed',
        outcome: null,
        failure: { error: why.error, cause: why.cause.slice(0, 4000) },
        endedAt: deps.clock.now(),
      } as const;
      await recordOnce(deps, known, lease, end, `${why.error}: ${why.cause}`);
      await letGo(deps, known.run, lease, null);
      await remember(deps, known, lease, end);
      await deps.ledger.closeRun(known.run, lease, end);
      await giveBack(deps, known, lease);
    }
    return { error: why.error, cause: why.cause.slice(0, 8000) };
  };
