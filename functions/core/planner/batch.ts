import type { BackupStep, NumberedStep } from '../domain/backup-step.ts';
import { currentSteps, isFailure, type RunHistory } from './history.ts';

type InBatch = Extract<NumberedStep, { kind: 'survey' | 'create-snapshot' | 'seal-unchanged' | 'done' }>;
/** What one command can do for several buckets, in seconds; none of it follows or undoes anything. */
export type BatchStep = Exclude<InBatch, { kind: 'done' }>;

export const isInBatch = (step: NumberedStep): step is InBatch =>
  step.kind === 'survey' || step.kind === 'create-snapshot' || step.kind === 'seal-unchanged' || step.kind === 'done';

/**
 * Whether a run stays in its batch for a step. One that copies, waits or had a failure, or whose last operation may still
 * be going on, is handed over to an execution of its own: the others wait for nobody.
 */
export const staysInBatch = (history: RunHistory, step: BackupStep): boolean => {
  const last = currentSteps(history).at(-1);
  if (last && (last.observed === null || isFailure(last.observed))) return false;
  return isInBatch({ ...step, operationStep: 0 });
};

/** Which document has the verb of a step of a batch. */
export const radiusInBatch = ({ kind }: BatchStep): 'observe' | 'protect' =>
  kind === 'survey' ? 'observe' : 'protect';
