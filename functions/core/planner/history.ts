import { type BackupStep, type BackupStepKind, type Base, isOperation } from '../domain/backup-step.ts';
import type { BackupRun, Observation, PairState, RecoveryPoint, RunStep } from '../domain/ledger.ts';
import type { OperationId, SnapshotName } from '../domain/names.ts';

/** A run, the steps it took so far (oldest first), and what the ledger says of its bucket. */
export interface RunHistory {
  readonly run: BackupRun;
  readonly steps: readonly RunStep[];
  readonly pair: PairState;
  /** The newest points of the pair, newest first; bounded, so that a decision costs the same at any age. */
  readonly points: readonly RecoveryPoint[];
}

/** Steps that count: those since the run was last started anew. */
export const currentSteps = (history: Pick<RunHistory, 'run' | 'steps'>): readonly RunStep[] =>
  history.steps.filter((step) => step.n >= history.run.firstStep);

/** A step of a kind that got the answer of a kind. */
export type Answered<K extends BackupStepKind, O extends Observation['kind']> = RunStep & {
  readonly decision: Extract<BackupStep, { kind: K }>;
  readonly observed: Extract<Observation, { kind: O }>;
};

export const isAnswered =
  <K extends BackupStepKind, O extends Observation['kind']>(kind: K, observed: O) =>
  (step: RunStep): step is Answered<K, O> =>
    step.decision.kind === kind && step.observed?.kind === observed;

/** Refusals that are answers: the diff is not there yet, the change is one that a person has to look at, there is nothing to adopt. */
const ANSWERS: ReadonlySet<string> = new Set([
  'diff-pending',
  'diff-unknown',
  'diff-failed',
  'anomalous-change',
  'no-application',
]);

export const isFailure = (observed: Observation): boolean =>
  observed.kind === 'no-answer' || (observed.kind === 'not-done' && !ANSWERS.has(observed.code));

/** How an operation is lost when its host, or the way there, was away. */
const SILENCE: ReadonlySet<string> = new Set(['EdgeUnreachable', 'EdgeInterrupted']);

/** What was away when an operation failed: nothing of its bucket. */
export const awayAt = (observed: Observation | null): 'host' | 'cluster' | null => {
  if (observed?.kind === 'no-answer') return SILENCE.has(observed.error) ? 'host' : null;
  return observed?.kind === 'not-done' && observed.outcome === 'unreachable' ? 'cluster' : null;
};

/** Failures of one kind of step in this run. A re-attachment to one operation counts by its last answer only. */
export const failuresOf = (history: RunHistory, kind: BackupStepKind): number =>
  currentSteps(history).filter((step) => step.decision.kind === kind && step.observed && isFailure(step.observed))
    .length;

/** A copy of ours that outlived its run, as the last answer of the host named it. It had its time to end by itself: a wait. */
export const outlived = (history: RunHistory): OperationId | null => {
  const last = currentSteps(history).findLast(({ decision }) => decision.kind === 'replicate')?.observed;
  return last?.kind === 'not-done' && last.code === 'bucket-busy' ? (last.data?.holder ?? null) : null;
};

/** Operations of ours whose effect is not known: no answer came, or the host died in the middle. */
export const isUnanswered = (step: RunStep): boolean =>
  isOperation(step.decision) &&
  (step.observed === null ||
    step.observed.kind === 'no-answer' ||
    (step.observed.kind === 'not-done' &&
      (step.observed.outcome === 'interrupted' || step.observed.outcome === 'failed')));

/** The step of this run, of any round, that meant to create this snapshot on the source and was never answered. */
export const unansweredCreate = (history: RunHistory, name: string): RunStep | undefined =>
  history.steps.find(
    (step) => step.decision.kind === 'create-snapshot' && step.decision.name === name && isUnanswered(step),
  );

export const pointsOfRun = (history: RunHistory): readonly RecoveryPoint[] =>
  history.points.filter((point) => point.runId === history.run.runId);

/** Attempt numbers that this run has used for snapshot names, whether or not the snapshot came to be. */
export const usedAttempts = (history: RunHistory): number =>
  Math.max(
    0,
    ...pointsOfRun(history).map((point) => point.attempt),
    ...history.steps.map((step) => (step.decision.kind === 'create-snapshot' ? step.decision.attempt : 0)),
  );

export const pointNamed = (history: RunHistory, name: SnapshotName): RecoveryPoint | undefined =>
  history.points.find((point) => point.name === name);

/** Both snapshots of a point as a base. */
export const baseOfPair = ({ name, source }: RecoveryPoint, replica: NonNullable<RecoveryPoint['replica']>): Base => ({
  name,
  created: source.created,
  sourceId: source.id,
  replicaId: replica.id,
});

/** A verified point as a base. */
export const baseOf = (point: RecoveryPoint): Base | undefined =>
  point.state === 'verified' && point.replica ? baseOfPair(point, point.replica) : undefined;
