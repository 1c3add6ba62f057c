import type { BackupStep, ConflictKind, OperationStep } from '../domain/backup-step.ts';
import type { HostId } from '../domain/names.ts';
import { DELIVERY } from '../domain/operation.ts';
import type { Side } from '../domain/retention.ts';
import { type DurationSeconds, seconds } from '../domain/units.ts';
import type { ErrorName } from '../errors.ts';
import { chooseHost } from './choose-host.ts';
import type { RunHistory } from './history.ts';

/** Several periods of the sweeper, which sends the heartbeats. */
const HEARTBEAT = seconds(600);
const SHORT_COMMAND = seconds(300);
/** What a copy may take besides distcp itself: the checks before it and the seal after it. */
const AROUND_COPY = seconds(900);
/** Run Command ends every command after 48 hours (SendCommand, API reference of Systems Manager). */
const LONGEST_COMMAND = seconds(47 * 3600);
/** What waits for a command allows for besides its delivery and its work. */
const MARGIN = seconds(300);

const time = (execution: DurationSeconds) => ({
  timeoutSeconds: seconds(execution + DELIVERY + MARGIN),
  heartbeatSeconds: HEARTBEAT,
});

/** How long the host may work on a step: what Run Command is told. */
export const executionSeconds = (step: OperationStep): DurationSeconds =>
  seconds(step.timeoutSeconds - DELIVERY - MARGIN);

/** Until when the copy of a step may live, counted from its start, wherever it was detached to. */
export const copyLifetime = (
  step: Pick<Extract<OperationStep, { kind: 'replicate' }>, 'copySeconds'>,
): DurationSeconds => seconds(step.copySeconds + AROUND_COPY + DELIVERY + 2 * MARGIN);

/** From its start until a short command can be alive nowhere any more, answered or not. */
export const SHORT_LIFETIME = seconds(DELIVERY + SHORT_COMMAND + 2 * MARGIN);

type Plain<K extends OperationStep['kind']> = K extends OperationStep['kind']
  ? Omit<Extract<OperationStep, { kind: K }>, 'host' | 'timeoutSeconds' | 'heartbeatSeconds'>
  : never;

/** Whose hosts do it where that is for the step to say. */
const sideOf = (step: Plain<OperationStep['kind']>): Side =>
  step.kind === 'delete' || step.kind === 'look-versions' || step.kind === 'look-changes'
    ? step.side
    : step.kind === 'list-buckets'
      ? 'source'
      : 'replica';

/** Where and for how long, of a command of seconds on a host that is named. */
export const shortCommand = (host: HostId) => ({ host, ...time(SHORT_COMMAND) });

/** How long one command for short operations of so many buckets may take, and how long it is waited for. */
export const batchCommand = (members: number) => time(batchSeconds(members));

export const batchSeconds = (members: number): DurationSeconds => seconds(SHORT_COMMAND + 60 * (members - 1));

/** Adds where a step runs and for how long. */
export const operation = (history: RunHistory, step: Plain<OperationStep['kind']>): BackupStep => {
  const host = chooseHost(history, step.kind, sideOf(step));
  switch (step.kind) {
    case 'create-snapshot': {
      const { before, after } = history.run.policy.hooks;
      // Ending a hook takes some seconds more than its time.
      const around = [before, after].reduce((sum, hook) => sum + (hook ? hook.timeout + 20 : 0), 0);
      return { ...step, host, ...time(seconds(SHORT_COMMAND + around)) };
    }
    case 'survey':
    case 'compute-diff':
    case 'mark-replica':
    case 'create-replica':
    case 'seal-unchanged':
    case 'probe':
    case 'tidy':
    case 'delete':
      return { ...step, host, ...time(SHORT_COMMAND) };
    case 'replicate':
      return { ...step, host, ...time(step.detached ? AROUND_COPY : seconds(step.copySeconds + AROUND_COPY)) };
    case 'examine':
    case 'create-target':
    case 'safety-snapshot':
    case 'restrict':
    case 'remove-scratch':
    case 'look-versions':
    case 'look-changes':
    case 'list-buckets':
    case 'check-host':
      return { ...step, host, ...time(SHORT_COMMAND) };
    case 'restore':
      return { ...step, host, ...time(seconds(step.copySeconds + AROUND_COPY)) };
    case 'compare':
    case 'measure-divergence':
    case 'verify': {
      const limit = Math.min(history.run.policy.limits.copyTimeout, LONGEST_COMMAND);
      return { ...step, host, ...time(seconds(limit)) };
    }
  }
};

/** The run ends: something was tried and did not work. */
export const fail = (error: ErrorName, reason: string, remedy: string): BackupStep => ({
  kind: 'fail',
  error,
  conflict: null,
  reason: reason.slice(0, 1000),
  remedy,
});

const CONFLICTS = {
  'no-common-point': 'NoCommonPoint',
  diverged: 'Diverged',
  'replica-changed': 'ReplicaChanged',
  'replica-not-ours': 'ReplicaNotOurs',
  'source-missing': 'SourceMissing',
  'source-replaced': 'SourceReplaced',
  'replica-missing': 'ReplicaMissing',
  'layout-unsupported': 'LayoutUnsupported',
  'diff-unusable': 'DiffFailed',
  'anomalous-change': 'AnomalousChange',
  'budget-exceeded': 'BudgetExceeded',
} as const satisfies Record<ConflictKind, ErrorName>;

/** The run ends: what the clusters show does not fit what the ledger knows, and going on is not for us to decide. */
export const conflict = (kind: ConflictKind, evidence: string, remedy: string): BackupStep => ({
  kind: 'fail',
  error: CONFLICTS[kind],
  conflict: kind,
  reason: evidence.slice(0, 1000),
  remedy,
});

export const wait = (forSeconds: DurationSeconds, reason: string): Extract<BackupStep, { kind: 'wait' }> => ({
  kind: 'wait',
  seconds: forSeconds,
  reason: reason.slice(0, 1000),
});

/** Longer after each try, from a quarter of a minute to five. */
export const backoff = (tries: number): DurationSeconds => seconds(Math.min(300, 15 * 2 ** Math.max(0, tries - 1)));
