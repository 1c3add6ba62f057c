import type { BackupStep } from '../domain/backup-step.ts';
import type { Cluster } from '../domain/policy.ts';
import { type DurationSeconds, seconds } from '../domain/units.ts';
import type { RunHistory } from './history.ts';
import { wait } from './steps.ts';

const RETRY = seconds(60);

/** The diff of a replica that nobody else writes to is small and comes first in a copy. */
const ON_REPLICA = seconds(300);

export interface DiffSlot {
  readonly cluster: Cluster;
  readonly holdFor: DurationSeconds;
}

/**
 * Where and for how long a step makes an Ozone Manager compute a snapshot diff. An increment does so on the replica too:
 * distcp compares the base with the live bucket (Hadoop 3.4, DistCpSync).
 */
export const diffSlotOf = ({ run }: RunHistory, step: BackupStep): DiffSlot | null => {
  const { source, replica, limits } = run.policy;
  switch (step.kind) {
    case 'create-snapshot':
      return step.base ? { cluster: source, holdFor: limits.diffTimeout } : null;
    case 'compute-diff': {
      const cluster = step.side === 'source' ? source : replica;
      return cluster && { cluster, holdFor: limits.diffTimeout };
    }
    case 'mark-replica':
      return replica && { cluster: replica, holdFor: limits.diffTimeout };
    case 'replicate':
      return step.mode === 'incremental' && replica ? { cluster: replica, holdFor: ON_REPLICA } : null;
    default:
      return null;
  }
};

/** What is done instead while all places are taken: the snapshot is taken at its time, its diff is asked for later. */
export const withoutDiffSlot = (step: BackupStep, { cluster: { name, diffJobs } }: DiffSlot): BackupStep =>
  step.kind === 'create-snapshot'
    ? { ...step, base: null }
    : wait(RETRY, `${name} computes ${diffJobs} snapshot diffs of this product, as many as it may at a time`);
