import type { BackupStep, NumberedStep } from '../domain/backup-step.ts';
import type { Policy } from '../domain/policy.ts';
import { clusterFacts } from './facts.ts';
import { awayAt, currentSteps, isFailure, type RunHistory } from './history.ts';

/** What one command can do for several buckets, in seconds; none of it follows or undoes anything. */
export type BatchStep = Extract<NumberedStep, { kind: 'survey' | 'create-snapshot' | 'seal-unchanged' }>;

export const isBatchStep = (step: NumberedStep): step is BatchStep =>
  step.kind === 'survey' || step.kind === 'create-snapshot' || step.kind === 'seal-unchanged';

/** Whether runs of a policy go together: a hook is for one bucket, and may take minutes. */
export const mayBatch = ({ hooks }: Pick<Policy, 'hooks'>): boolean => !hooks.before && !hooks.after;

/** A step as a batch takes it: nothing there has a place in the line of a cluster, so a snapshot asks for no diff. */
export const asInBatch = (step: BackupStep): BackupStep =>
  step.kind === 'create-snapshot' ? { ...step, base: null } : step;

/** How a run stands to its batch. */
export interface Member {
  /** `leaves`: what it needs next is for an execution of its own, whatever the others do. */
  readonly kind: 'goes-on' | 'leaves' | 'out-of-reach';
  /** Which command it had last, with others; and of `out-of-reach`: what did not answer. */
  readonly command: string;
  readonly what: string | null;
}

/** What a step waits for, or gives up on, that no bucket has a part in: a cluster or a host that does not answer. */
const outOfReach = (history: RunHistory, step: BackupStep): string | null => {
  if (step.kind !== 'wait' && step.kind !== 'fail') return null;
  const observed = currentSteps(history).at(-1)?.observed;
  if (observed && isFailure(observed)) return awayAt(observed);
  if (step.kind === 'fail' && step.error !== 'SourceUnreachable' && step.error !== 'ReplicaUnreachable') return null;
  const { source, replica } = clusterFacts(history);
  if (source?.state === 'unreachable') return 'source';
  return replica?.state === 'unreachable' ? 'replica' : null;
};

/**
 * How a run that would take a step by itself stands to its batch. One that copies, waits for a diff, calls hooks or had a failure of its own,
 * or whose last operation may still be going on, leaves it: the others wait for nobody.
 */
export const memberOf = (history: RunHistory, step: BackupStep): Member => {
  const steps = currentSteps(history);
  const shared = steps.findLast(({ decision }) => 'host' in decision)?.decision;
  const command = shared && 'host' in shared ? `${shared.kind}@${shared.host}` : '';
  const last = steps.at(-1);
  const what = outOfReach(history, step);
  const isFree = last?.observed !== null && mayBatch(history.run.policy);
  if (isFree && what !== null) return { kind: 'out-of-reach', command, what };
  const hasFailed = last?.observed && isFailure(last.observed);
  const goesOn = isFree && !hasFailed && (step.kind === 'done' || isBatchStep({ ...step, operationStep: 0 }));
  return { kind: goesOn ? 'goes-on' : 'leaves', command, what: null };
};

/**
 * Whether a member stays in its batch. What most of those find who had a command together is no matter of their buckets: they wait, try
 * again and give up together, each as it would alone. Of one bucket, or of few, it is.
 */
export const stays = (member: Member, members: readonly Member[]): boolean => {
  if (member.kind !== 'out-of-reach') return member.kind === 'goes-on';
  const together = members.filter(({ command }) => command === member.command);
  const alike = together.filter(({ what }) => what === member.what).length;
  return alike > 1 && alike * 2 > together.length;
};

/** Which document has the verb of a step of a batch. */
export const radiusInBatch = ({ kind }: BatchStep): 'observe' | 'protect' =>
  kind === 'survey' ? 'observe' : 'protect';
