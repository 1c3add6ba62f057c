import type { BackupStep } from '../domain/backup-step.ts';
import { currentSteps, type RunHistory } from './history.ts';
import { fail } from './steps.ts';

const MAX_REATTACHMENTS = 20;

/** An operation of this run that may still be going on is attached to, never started a second time. */
export const reattach = (history: RunHistory): BackupStep | undefined => {
  const open = currentSteps(history).findLast((step) => step.observed === null);
  if (!open) return undefined;
  const attachments = currentSteps(history).filter((step) => step.operationStep === open.operationStep).length;
  if (attachments > MAX_REATTACHMENTS)
    return fail(
      'EdgeUnreachable',
      `the ${open.decision.kind} of step ${open.operationStep} never ended`,
      'Look at the operation in Run Command. The next run finds out what it did.',
    );
  return open.decision;
};
