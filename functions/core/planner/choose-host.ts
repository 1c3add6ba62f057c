import type { BackupStep, OperationStep } from '../domain/backup-step.ts';
import type { RunStep } from '../domain/ledger.ts';
import type { HostId, PairId } from '../domain/names.ts';
import type { Side } from '../domain/retention.ts';
import { currentSteps, type RunHistory } from './history.ts';

const spread = (text: string): number =>
  [...text].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) % 9973, 7);

/** Which of so many hosts work for a pair begins on. */
export const firstOf = (pair: PairId, hosts: number): number => spread(pair) % hosts;

/** Steps of a kind that a host never answered. */
const unanswered = (history: RunHistory, kind: OperationStep['kind']): readonly RunStep[] =>
  currentSteps(history).filter(({ decision, observed }) => decision.kind === kind && observed?.kind === 'no-answer');

/** Where a step of the replica's hosts could be done as well; nowhere for a copy whose pair is pinned. */
export const otherHosts = (
  history: RunHistory,
  { kind, host: chosen }: Extract<BackupStep, { kind: 'replicate' | 'verify' }>,
): readonly HostId[] => {
  const hosts = history.run.policy.replica?.hosts ?? [];
  const { pinned } = history.pair;
  if (kind === 'replicate' && pinned && hosts.includes(pinned.host)) return [];
  const silent = unanswered(history, kind).flatMap(({ decision }) => ('host' in decision ? decision.host : []));
  return hosts.filter((host) => host !== chosen && !silent.includes(host));
};

/**
 * The host of the next operation. The replica pulls: only snapshots of the source are made and deleted on the source's
 * hosts. All of a restore is done by hosts of its target. A look reads each side on its own hosts.
 * What writes the replica stays on the host that the pair is pinned to, whose lock and fence guard the replica bucket, and are asked for
 * there; they move on when it gave no answer, which is decided only when no copy can be alive there any more. Other
 * work moves on to the next host after an operation that got no answer.
 */
export const chooseHost = (history: RunHistory, kind: OperationStep['kind'], side: Side = 'replica'): HostId => {
  const { policy, pair, restore } = history.run;
  const { pinned, copies } = history.pair;
  const isOnSource = kind === 'create-snapshot' || side === 'source' || !policy.replica;
  const ofPolicy = isOnSource ? policy.source.hosts : (policy.replica?.hosts ?? []);
  const hosts = restore ? restore.target.cluster.hosts : ofPolicy;
  const last = copies.at(-1);
  if (kind === 'probe' && last) return last.host;
  const silent = unanswered(history, kind);
  if ((kind === 'replicate' || kind === 'seal-unchanged') && pinned && hosts.includes(pinned.host)) {
    const isSilent = silent.some(({ decision }) => 'host' in decision && decision.host === pinned.host);
    if (!isSilent || hosts.length === 1) return pinned.host;
    return hosts[(hosts.indexOf(pinned.host) + 1) % hosts.length] ?? pinned.host;
  }
  const host = hosts[(firstOf(pair, hosts.length) + silent.length) % hosts.length];
  if (!host) throw new Error('a policy names at least one host');
  return host;
};
