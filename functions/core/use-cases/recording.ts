import type { BackupOutcome, BackupStep } from '../domain/backup-step.ts';
import type { VerifyData } from '../domain/edge-reply.ts';
import type { BackupRun, Observation, RunStep } from '../domain/ledger.ts';
import type { OperationId, SnapshotName } from '../domain/names.ts';
import { type Happening, ONLY_PLANNED } from '../domain/record.ts';
import type { EpochMs } from '../domain/units.ts';
import { differencesIn } from '../planner/absorb.ts';
import type { Records } from '../ports.ts';

/** The longest text of a happening. */
const TOLD = 4000;

/**
 * Records that an attempt of a run is over. To be called before the run is closed, so that no closed run is without
 * its entry; whoever was cut off between the two records it again, under the same id.
 */
export const recordRunEnd = async (
  records: Pick<Records, 'append'>,
  { run, steps }: { readonly run: BackupRun; readonly steps: readonly RunStep[] },
  status: 'succeeded' | 'failed',
  summary: string,
  at: EpochMs,
): Promise<void> => {
  // An attempt is known by its lease: a failed run that is started again takes a new one.
  await records.append(
    // What happened to a point is on the record of its bucket, wherever it was restored to.
    run.restore?.lineage ?? run.pair,
    `run-ended:${run.runId}:${run.lease}:${status}`,
    {
      kind: 'run-ended',
      workflow: run.workflow,
      runId: run.runId,
      status,
      summary: summary.slice(0, TOLD),
      startedAt: run.startedAt,
      steps: steps.filter(({ n }) => n >= run.firstStep).length,
    },
    at,
  );
};

/** `odr-… verified at level listing: incremental from odr-…, 3 files and 12 bytes copied; 40 files, 900 bytes` */
export const summaryOf = (outcome: BackupOutcome): string => {
  if (outcome.kind === 'taken') return [`${outcome.point} was taken`, ...(outcome.notes ?? [])].join('; ');
  if (outcome.kind === 'pruned') {
    const { deleted, condemned, spared, waiting, kept, bytesFreed, notes } = outcome;
    return [
      `${deleted} snapshots deleted (${bytesFreed} bytes that only they kept), ${condemned} condemned, ${spared} spared, ${waiting} waiting, ${kept} kept`,
      ...notes,
    ].join('; ');
  }
  if (outcome.kind === 'restore-planned') return `${ONLY_PLANNED}: ${outcome.summary}`;
  if (outcome.kind === 'restored') {
    const { point, from, target, scope, files, bytes, bytesCopied, leftAlone, safetySnapshot, level, notes } = outcome;
    return [
      `${scope} of ${point} restored to ${target} from the ${from}, compared at level ${level}: ${files} files, ${bytes} bytes, of which ${bytesCopied} bytes were copied`,
      ...(leftAlone > 0 ? [`${leftAlone} files that were there before differ and were left alone`] : []),
      ...(safetySnapshot ? [`what was there before is in the snapshot ${safetySnapshot}`] : []),
      ...notes,
    ].join('; ');
  }
  if (outcome.kind === 'drilled') {
    const { point, from, against, files, bytes, seconds, rto, level, notes } = outcome;
    return [
      `${point} drilled: restored from the ${from} and equal to ${against} at level ${level}: ${files} files, ${bytes} bytes in ${seconds} s of ${rto} s allowed`,
      ...notes,
    ].join('; ');
  }
  if (outcome.kind === 'failback-prepared') {
    const { bucket, from, to, orphans, point, rounds, bytesCopied, notes } = outcome;
    return [
      `the failback of ${bucket} from ${from} to ${to} is prepared: ${to} has ${point} after ${rounds} rounds, ${bytesCopied} bytes copied`,
      orphans
        ? `${orphans.files} files (${orphans.bytes} bytes) that were written to ${to} meanwhile are in ${orphans.bucket}`
        : `nothing was written to ${to} meanwhile`,
      ...notes,
    ].join('; ');
  }
  if (outcome.kind === 'failed-over') {
    const { bucket, failover, from, to, epoch, point, lossSeconds, files, bytes, bytesCopied, seconds, level, notes } =
      outcome;
    return [
      `${bucket} failed over from ${from} to ${to} (${failover}, epoch ${epoch}) as of ${point} in ${seconds} s: ${files} files, ${bytes} bytes, of which ${bytesCopied} bytes had to be brought back; compared at level ${level}`,
      lossSeconds > 0 ? `what was written to ${from} in the ${lossSeconds} s before is not there` : 'nothing was lost',
      ...notes,
    ].join('; ');
  }
  const { point, level, mode, base, changed, bytesCopied, files, bytes, notes } = outcome;
  const copied = changed === false ? 'nothing had changed' : `${bytesCopied} bytes copied`;
  return [
    `${point} verified at level ${level}: ${mode}${base ? ` from ${base}` : ''}, ${copied}; ${files} files, ${bytes} bytes`,
    ...notes,
  ].join('; ');
};

/** What a step found by comparing both sides; undefined when it compared nothing. */
export const comparisonOf = (run: BackupRun, decision: BackupStep, observed: Observation): Happening | undefined => {
  const happening = (name: SnapshotName, equal: boolean, detail: string): Happening => ({
    kind: 'verified',
    runId: run.runId,
    name,
    equal,
    detail: detail.slice(0, TOLD),
  });
  if (decision.kind === 'seal-unchanged' && observed.kind === 'unchanged' && observed.data.unchanged) {
    const { files, dirs, bytes } = observed.data.summary;
    const found = `equal at level ${decision.level}: ${files} files, ${dirs} directories, ${bytes} bytes`;
    return happening(decision.target.name, true, `${found}; nothing changed since ${decision.base.name}`);
  }
  if (decision.kind !== 'verify' || observed.kind !== 'verify') return undefined;
  return happening(decision.target.name, observed.data.equal, foundBy(observed.data));
};

const foundBy = (data: VerifyData): string => {
  if (!data.equal) return `differs at level ${data.level}: ${differencesIn(data)}`;
  const { files, dirs, bytes, digest } = data.source;
  const checksums = data.checksums ? `, ${data.checksums.compared} checksums compared` : '';
  return `equal at level ${data.level}: ${files} files, ${dirs} directories, ${bytes} bytes${checksums}; listing ${digest}`;
};

export const comparisonId = (operation: OperationId): string => `verified:${operation}`;
