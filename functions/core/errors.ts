/**
 * The whole taxonomy of errors. `name` is a literal because Lambda reports it as the error of the Task, and state
 * machines match it in `ErrorEquals`.
 */
export const ERROR_FAMILIES = {
  /** The deployment is wrong: fix it. */
  config: ['PolicyInvalid', 'EnvMissing', 'RecordingFailed', 'DeploymentUnhealthy'],
  /** Somebody broke an agreement: a person's input, or a bug. */
  contract: ['EventInvalid', 'EdgeReplyInvalid', 'ItemInvalid'],
  /** May pass by itself. */
  transient: ['EdgeUnreachable', 'EdgeInterrupted', 'SourceUnreachable', 'ReplicaUnreachable', 'StoreThrottled'],
  /** Somebody else holds what is needed, or the work is done. */
  conflict: ['RunAlreadyOpen', 'LeaseLost', 'SlotAlreadyDone', 'NotPrimary'],
  /** Going on could lose data: a person decides. */
  safety: [
    'NoCommonPoint',
    'Diverged',
    'ReplicaNotOurs',
    'ReplicaChanged',
    'SourceReplaced',
    'AnomalousChange',
    'BudgetExceeded',
    'NotConfirmed',
    'PruneRefused',
    'RestoreConflicts',
    'TargetNotOurs',
    'ChangedMeanwhile',
    'EdgeRefused',
  ],
  /** A cluster does not have what the policy needs. */
  cluster: [
    'SourceMissing',
    'ReplicaMissing',
    'AccessDenied',
    'LayoutUnsupported',
    'SnapshotFailed',
    'DiffFailed',
    'EdgeFailed',
    'CopyFailed',
    'BucketsFailed',
    'GroupBroken',
    'PointGone',
    'PathsNotFound',
    'QuotaExceeded',
    'ScratchNotRemoved',
  ],
  /** The copy is not what the source was. */
  verification: ['ReplicaDiffers', 'RestoreDiffers', 'RestoreTooSlow'],
} as const;

export type ErrorFamily = keyof typeof ERROR_FAMILIES;
export type ErrorName = (typeof ERROR_FAMILIES)[ErrorFamily][number];

export const ERROR_NAMES: readonly ErrorName[] = Object.values(ERROR_FAMILIES).flat();

/** An expected failure with a stable name. `message` says what happened and what would make it go. */
export class DrError extends Error {
  override readonly name: ErrorName;
  constructor(name: ErrorName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
  }
}

export const isDrError = (error: unknown, name: ErrorName): error is DrError =>
  error instanceof DrError && error.name === name;
