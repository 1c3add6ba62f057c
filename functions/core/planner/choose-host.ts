import type { BackupStep, OperationStep } from '../domain/backup-step.ts';
import type { RunStep } from '../domain/ledger.ts';
import type { HostId, PairId, PolicyName } from '../domain/names.ts';
import type { Side } from '../domain/retention.ts';
import { currentSteps, type RunHistory } from './history.ts';

const spread = (text: string): number =>
  [...text].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) % 9973, 7);

/** Which of so many hosts work for a pair, or a group, begins on. */
export const firstOf = (of: PairId | PolicyName, hosts: number): number => spread(of) % hosts;

/** Steps of a kind that a host never answered. */
const unanswered = (history: RunHistory, kind: OperationStep['kind']): readonly RunStep[] =>
  currentSteps(history).filter(({ decision, observed }) => decision.kind === kind && observed?.kind === 'no-answer');

/** Hosts that gave no answer to what they were asked last, whatever that was. */
const silentHosts = (history: RunHistory): ReadonlySet<HostId> => {
  const silent = new Set<HostId>();
  for (const { decision, observed } of currentSteps(history)) {
    if (!('host' in decision) || !observed) continue;
    if (observed.kind === 'no-answer') silent.add(decision.host);
    else silent.delete(decision.host);
  }
  return silent;
};

/** Steps that write the replica, by a token of the pair. */
const WRITING: ReadonlySet<BackupStep['kind']> = new Set(['replicate', 'seal-unchanged']);

/**
 * Whether nothing that the pinned host was ever asked can write the replica any more: it took the token of this run, so it
 * refuses what is older, and whatever this run asked is answered. No copy is without an end, here or on a YARN.
 */
const isQuiet = (history: RunHistory): boolean => {
  const writing = currentSteps(history).filter(({ decision }) => WRITING.has(decision.kind));
  const { pinned, copies } = history.pair;
  return (
    writing.some(
      ({ decision, observed }) =>
        'host' in decision && decision.host === pinned?.host && observed?.kind === 'unchanged',
    ) &&
    writing.every(({ observed }) => observed !== null && observed.kind !== 'no-answer') &&
    copies.every(({ to, application }) => to !== null && application === undefined)
  );
};

/** Where a step of the replica's hosts could be done as well; nowhere for a copy whose pair is pinned, unless its host is quiet. */
export const otherHosts = (
  history: RunHistory,
  { kind, host: chosen }: Pick<Extract<BackupStep, { kind: 'replicate' | 'verify' }>, 'kind' | 'host'>,
): readonly HostId[] => {
  const hosts = history.run.policy.replica?.hosts ?? [];
  const { pinned } = history.pair;
  if (kind === 'replicate' && pinned && hosts.includes(pinned.host) && !isQuiet(history)) return [];
  const silent = silentHosts(history);
  return hosts.filter((host) => host !== chosen && !silent.has(host));
};

/**
 * The host of the next operation. The replica pulls: only snapshots of the source are made and deleted on the source's
 * hosts. All of a restore is done by hosts of its target. A look reads each side on its own hosts.
 * What writes the replica stays on the host that the pair is pinned to, whose lock and fence guard the replica bucket, and
 * only a copy's own host can be asked about it. A copy that finds no place there may begin elsewhere: {@link otherHosts}.
 * All moves on to the next host when its host gave no answer, to this or to anything else that the run asked it: what
 * writes the replica is decided only when no copy can be alive there any more.
 */
export const chooseHost = (history: RunHistory, kind: OperationStep['kind'], side: Side = 'replica'): HostId => {
  const { policy, pair, restore } = history.run;
  const { pinned, copies } = history.pair;
  const isOnSource = kind === 'create-snapshot' || side === 'source' || !policy.replica;
  const ofPolicy = isOnSource ? policy.source.hosts : (policy.replica?.hosts ?? []);
  const hosts = restore ? restore.target.cluster.hosts : ofPolicy;
  const last = copies.at(-1);
  if (kind === 'probe' && last) return last.host;
  // One command on one host takes the snapshots of a group.
  const of = kind === 'create-snapshot' && policy.fleet.together ? policy.name : pair;
  const home = pinned && WRITING.has(kind) ? hosts.indexOf(pinned.host) : -1;
  const unheard = unanswered(history, kind).filter(
    ({ decision }) => home < 0 || ('host' in decision && decision.host === hosts[home]),
  );
  const first = home < 0 ? firstOf(of, hosts.length) + unheard.length : home + Math.min(1, unheard.length);
  const inTurn = hosts.map((_, n) => hosts[(first + n) % hosts.length]).filter((host) => host !== undefined);
  const silent = silentHosts(history);
  const host = inTurn.find((it) => !silent.has(it)) ?? inTurn[0];
  if (!host) throw new Error('a policy names at least one host');
  return host;
};
