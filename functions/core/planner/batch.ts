import type { BackupStep, NumberedStep } from '../domain/backup-step.ts';
import type { Policy } from '../domain/policy.ts';
import { currentSteps, isFailure, type RunHistory } from './history.ts';

type InBatch = Extract<NumberedStep, { kind: 'survey' | 'create-snapshot' | 'seal-unchanged' | 'done' }>;
/** What one command can do for several buckets, in seconds; none of it follows or undoes anything. */
export type BatchStep = Exclude<InBatch, { kind: 'done' }>;

export const isInBatch = (step: NumberedStep): step is InBatch =>
  step.kind === 'survey' || step.kind === 'create-snapshot' || step.kind === 'seal-unchanged' || step.kind === 'done';

/** Whether runs of a policy go together: a hook is for one bucket, and may take minutes. */
export const mayBatch = ({ hooks }: Pick<Policy, 'hooks'>): boolean => !hooks.before && !hooks.after;

/**
 * The step that a run takes in its batch; null when it leaves it. One that copies, waits, calls hooks or had a failure, or whose last
 * operation may still be going on, is handed over to an execution of its own: the others wait for nobody. Nothing here has a place
 * in the line of a cluster, so a snapshot asks for no diff.
 */
export const inBatch = (history: RunHistory, step: BackupStep): BackupStep | null => {
  const last = currentSteps(history).at(-1);
  if (last && (last.observed === null || isFailure(last.observed))) return null;
  if (!mayBatch(history.run.policy) || !isInBatch({ ...step, operationStep: 0 })) return null;
  return step.kind === 'create-snapshot' ? { ...step, base: null } : step;
};

/** Which document has the verb of a step of a batch. */
export const radiusInBatch = ({ kind }: BatchStep): 'observe' | 'protect' =>
  kind === 'survey' ? 'observe' : 'protect';
