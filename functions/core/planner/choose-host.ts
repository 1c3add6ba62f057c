import type { OperationStep } from '../domain/backup-step.ts';
import type { HostId } from '../domain/names.ts';
import { currentSteps, type RunHistory } from './history.ts';

const spread = (text: string): number =>
  [...text].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) % 9973, 7);

/**
 * The host of the next operation. The replica pulls: only the snapshot of the source is made on the source's hosts.
 * Copies stay on the host that the pair is pinned to, whose lock and fence guard the replica bucket. Other work moves
 * on to the next host after an operation that got no answer.
 */
export const chooseHost = (history: RunHistory, kind: OperationStep['kind']): HostId => {
  const { policy, pair } = history.run;
  const { pinned } = history.pair;
  const hosts = kind === 'create-snapshot' || !policy.replica ? policy.source.hosts : policy.replica.hosts;
  if (kind === 'replicate' && pinned && hosts.includes(pinned.host)) return pinned.host;
  const silent = currentSteps(history).filter(
    (step) => step.decision.kind === kind && step.observed?.kind === 'no-answer',
  ).length;
  const host = hosts[(spread(pair) + silent) % hosts.length];
  if (!host) throw new Error('a policy names at least one host');
  return host;
};
