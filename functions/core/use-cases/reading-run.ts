import type { BackupRun } from '../domain/ledger.ts';
import type { EpochMs } from '../domain/units.ts';

/** A run that only reads: it holds no lease, and nobody continues it. */
export const readingRun = (
  of: Pick<BackupRun, 'workflow' | 'runId' | 'pair' | 'bucket' | 'policy' | 'execution'>,
  startedAt: EpochMs,
  now: EpochMs,
): BackupRun => ({
  schema: 1,
  restore: null,
  ...of,
  slot: startedAt,
  status: 'open',
  // Nobody holds the pair; an operation has to name a number.
  lease: 1,
  startedAt: now,
  firstStep: 0,
  endedAt: null,
  outcome: null,
  failure: null,
});
