import type { BackupStep, Base, Target } from '../domain/backup-step.ts';
import { compactTime, SnapshotName } from '../domain/names.ts';
import { activeNamed, type ClusterFacts, isNameTaken } from './facts.ts';
import { currentSteps, type RunHistory } from './history.ts';
import { operation } from './steps.ts';

/** What the replica held when this run froze it, unless a copy has changed it since. */
export const currentMark = (history: RunHistory, facts: ClusterFacts): Target | undefined => {
  const last = currentSteps(history).findLast(
    ({ decision }) => decision.kind === 'mark-replica' || decision.kind === 'replicate',
  );
  if (last?.decision.kind !== 'mark-replica') return undefined;
  const { name } = last.decision;
  const mark = history.pair.marks.find((it) => it.name === name);
  const seen = activeNamed(facts.replica, name);
  return mark && seen?.id === mark.id ? { name, id: mark.id, created: seen.created } : undefined;
};

export const markReplica = (history: RunHistory, facts: ClusterFacts, base: Base): BackupStep => {
  const nameOf = (n: number) => SnapshotName.parse(`odr-tmp-${compactTime(history.run.slot)}-${n}`);
  let attempt = 1 + currentSteps(history).filter(({ decision }) => decision.kind === 'mark-replica').length;
  while (isNameTaken(facts.replica, nameOf(attempt))) attempt += 1;
  return operation(history, {
    kind: 'mark-replica',
    name: nameOf(attempt),
    base,
    reason: 'freezes what the replica holds, so that its diff says where it has to be repaired',
  });
};
