import type { FailureKind, LastRun } from '../domain/clocks.ts';
import type { BackupRun, RunStep } from '../domain/ledger.ts';

/** What is behind the snapshot of a backup. */
const AFTER_SNAPSHOT: ReadonlySet<string> = new Set(['compute-diff', 'create-replica', 'replicate', 'probe', 'verify']);

/**
 * What a failure means for whoever is told of it: that there is no new snapshot, that it did not reach the replica, that
 * the copy differs, that a change waits for a person. Null for failures that only their own machine tells of.
 */
export const kindOfFailure = (
  { workflow }: Pick<BackupRun, 'workflow'>,
  steps: readonly Pick<RunStep, 'decision' | 'observed'>[],
  error: string,
): FailureKind | null => {
  if (workflow === 'drill') return 'drill';
  if (workflow === 'prune') return error === 'PruneRefused' ? 'prune' : null;
  if (workflow !== 'backup') return null;
  if (error === 'AnomalousChange') return 'anomaly';
  if (error === 'ReplicaDiffers') return 'differs';
  if (error === 'LeaseLost') return null;
  const isTaken = steps.some(
    ({ decision, observed }) => AFTER_SNAPSHOT.has(decision.kind) || observed?.kind === 'snapshot',
  );
  return isTaken ? 'replication' : 'snapshot';
};

/** The cluster that a failed backup found unreachable. */
export const unreachableCluster = (
  { policy }: { readonly policy: Pick<BackupRun['policy'], 'source' | 'replica'> },
  error: string | null,
): string | null => {
  if (error === 'SourceUnreachable') return policy.source.name;
  return error === 'ReplicaUnreachable' ? (policy.replica?.name ?? null) : null;
};

/** How a run ended, as its pair remembers it. */
export const lastRunOf = (
  run: Pick<BackupRun, 'runId' | 'workflow' | 'policy'>,
  steps: readonly RunStep[],
  end: Pick<BackupRun, 'outcome' | 'failure'> & { readonly endedAt: LastRun['at'] },
): LastRun => {
  const { outcome, failure, endedAt: at } = end;
  const cap = run.policy.retention?.maxDeletions ?? Infinity;
  return {
    runId: run.runId,
    status: failure ? 'failed' : 'succeeded',
    error: failure?.error ?? null,
    kind: failure ? kindOfFailure(run, steps, failure.error) : null,
    overCap: outcome?.kind === 'pruned' && outcome.deleted >= cap ? outcome.waiting : 0,
    at,
  };
};
