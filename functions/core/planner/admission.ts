import type { BackupStep } from '../domain/backup-step.ts';
import type { PairState } from '../domain/ledger.ts';
import { type HostId, RunId } from '../domain/names.ts';
import type { Cluster, Policy } from '../domain/policy.ts';
import type { RestoreTask } from '../domain/restore.ts';
import { Resource, type Slots } from '../domain/slots.ts';
import { type DurationSeconds, type EpochMs, epochMs, later, seconds, secondsBetween } from '../domain/units.ts';
import { newestAt } from './clocks.ts';
import { spanText } from './consequences.ts';
import { mapsAtOnce } from './estimate.ts';
import { currentSteps, type RunHistory } from './history.ts';
import { copyLifetime, wait } from './steps.ts';

/** Of one host's workers; what takes seconds never waits for what takes hours. */
const FOR_SHORT_COMMANDS = 2;
/** The diff of a replica that nobody else writes to is small and comes first in a copy: what follows needs no place for it. */
const DIFF_OF_COPY = seconds(60);
/** What a copy is expected to take before one of this bucket was measured. */
const SMALL_COPY = seconds(60);
/** A waiter that is so much later than it said it would come again is lost. */
const GRACE = seconds(90);
/** So that an item stays small: of more the most urgent ones are noted, the others come again and find out. */
const MOST_WAITERS = 50;

/** A part of a resource that a step needs, and how long at the longest. */
export interface Need {
  readonly resource: Resource;
  readonly capacity: number;
  readonly weight: number;
  readonly holdFor: DurationSeconds;
}

const need = (resource: Resource, capacity: number, holdFor: DurationSeconds, weight = 1): Need => ({
  resource,
  capacity,
  weight: Math.min(weight, capacity),
  holdFor,
});

export const diffOn = ({ name, diffJobs }: Cluster, holdFor: DurationSeconds): Need =>
  need(Resource.parse(`diff:${name}`), diffJobs, holdFor);

const copiesOn = ({ name, copies }: Cluster, holdFor: DurationSeconds): Need =>
  need(Resource.parse(`copy:${name}`), copies, holdFor);

export const workersOf = (host: HostId): Resource => Resource.parse(`host:${host}`);

const workOn = (host: HostId, { workers }: Cluster, holdFor: DurationSeconds): Need =>
  need(workersOf(host), workers - FOR_SHORT_COMMANDS, holdFor);

export const linkOf = (source: Cluster, replica: Cluster): Resource =>
  Resource.parse(`link:${source.name}>${replica.name}`);

/** What a copy from one cluster to another needs of both and of what is between them; within one, a place there. */
const copyBetween = (
  from: Cluster,
  to: Cluster,
  { bandwidthMBps, maps, yarn }: Pick<Policy['limits'], 'bandwidthMBps' | 'maps' | 'yarn'>,
  holdFor: DurationSeconds,
): readonly Need[] =>
  from.name === to.name
    ? [copiesOn(to, holdFor)]
    : [
        copiesOn(from, holdFor),
        copiesOn(to, holdFor),
        ...(bandwidthMBps === null || to.linkMBps === null
          ? []
          : [need(linkOf(from, to), to.linkMBps, holdFor, bandwidthMBps * mapsAtOnce({ maps, yarn }))]),
      ];

/**
 * What a step needs a place for, in the order of the names. A detached copy leaves its host's workers alone. An increment
 * makes the replica compute a diff too: distcp compares the base with the live bucket (Hadoop 3.4, DistCpSync).
 * @param task of a restore, a drill or a failover: what it reads and writes, on hosts of its target
 */
export const needsOf = (
  { source, replica, limits }: Policy,
  step: BackupStep,
  task: RestoreTask | null = null,
): readonly Need[] => {
  switch (step.kind) {
    case 'create-snapshot':
      return step.base ? [diffOn(source, limits.diffTimeout)] : [];
    case 'compute-diff':
      return [diffOn(step.side === 'replica' && replica ? replica : source, limits.diffTimeout)];
    case 'mark-replica':
      return replica ? [diffOn(replica, limits.diffTimeout)] : [];
    case 'verify':
      return replica ? [workOn(step.host, replica, step.timeoutSeconds)] : [];
    case 'replicate': {
      if (!replica) return [];
      const holdFor = copyLifetime(step);
      return inOrder([
        ...copyBetween(source, replica, { ...limits, yarn: step.yarn }, holdFor),
        ...(step.mode === 'incremental' ? [diffOn(replica, DIFF_OF_COPY)] : []),
        ...(step.detached ? [] : [workOn(step.host, replica, holdFor)]),
      ]);
    }
    case 'restore': {
      const from = task?.point[step.from]?.cluster;
      if (!task || !from) return [];
      const { cluster } = task.target;
      return inOrder([
        ...copyBetween(from, cluster, { ...limits, yarn: null }, step.timeoutSeconds),
        workOn(step.host, cluster, step.timeoutSeconds),
      ]);
    }
    case 'compare':
      return task ? [workOn(step.host, task.target.cluster, step.timeoutSeconds)] : [];
    default:
      return [];
  }
};

const inOrder = (needs: readonly Need[]): readonly Need[] =>
  needs.toSorted((one, other) => (one.resource < other.resource ? -1 : 1));

/** All that runs of policies may have places of, in either direction. */
export const resourcesOf = (policies: readonly Policy[]): readonly Resource[] => {
  const none = seconds(0);
  const clusters = policies.flatMap(({ source, replica }) => (replica ? [source, replica] : [source]));
  const links = policies.flatMap(({ source, replica }) =>
    replica ? [linkOf(source, replica), linkOf(replica, source)] : [],
  );
  const ofClusters = clusters.flatMap((it) => [
    diffOn(it, none).resource,
    copiesOn(it, none).resource,
    ...it.hosts.map(workersOf),
  ]);
  return [...new Set([...ofClusters, ...links])];
};

/** How much there is of each resource that runs wait in line for; nobody waits for a link without a bound. */
export const capacitiesOf = (
  policies: readonly Pick<Policy, 'source' | 'replica'>[],
): ReadonlyMap<Resource, number> => {
  const none = seconds(0);
  const clusters = policies.flatMap(({ source, replica }) => (replica ? [source, replica] : [source]));
  const needs = clusters.flatMap((it) => [
    diffOn(it, none),
    copiesOn(it, none),
    ...it.hosts.map((host) => workOn(host, it, none)),
  ]);
  const links = policies.flatMap(({ source, replica }) =>
    replica && replica.linkMBps !== null ? [[linkOf(source, replica), replica.linkMBps] as const] : [],
  );
  return new Map([...needs.map(({ resource, capacity }) => [resource, capacity] as const), ...links]);
};

/** What comes after the differences: it needs other places than they, and those instead of them. */
const PHASES: ReadonlySet<BackupStep['kind']> = new Set(['replicate', 'verify', 'restore', 'compare']);
const isPhase = ({ kind }: BackupStep): boolean => PHASES.has(kind);

const needed = ({ run }: Pick<RunHistory, 'run'>, step: BackupStep): readonly Resource[] =>
  needsOf(run.policy, step, run.restore).map(({ resource }) => resource);

/**
 * What a run has by the steps that were recorded. A copy begins when the differences are done, and a comparison when the
 * copy is; waiting and asking how a copy stands keep what there is; who waits in a line has nothing.
 */
export const heldBy = (history: Pick<RunHistory, 'run' | 'steps'>): readonly Resource[] => {
  const steps = currentSteps(history).map(({ decision }) => decision);
  const queued = steps.findLastIndex((step) => step.kind === 'wait' && step.queued !== undefined);
  const phase = steps.findLastIndex(isPhase);
  const holding = steps.slice(Math.max(queued + 1, phase, 0));
  return [...new Set(holding.flatMap((step) => needed(history, step)))];
};

/** What a run gives back before a step. */
export const outdated = (history: RunHistory, step: BackupStep): readonly Resource[] => {
  if (!isPhase(step)) return [];
  const still = new Set(needed(history, step));
  return heldBy(history).filter((resource) => !still.has(resource));
};

const expectedSeconds = ({ points }: Pick<RunHistory, 'points'>, step: BackupStep): DurationSeconds =>
  step.kind === 'replicate' && step.estimate
    ? step.estimate.seconds
    : seconds(
        points.reduce<number>(
          (most, { mode, copySeconds }) => (mode === 'incremental' ? Math.max(most, copySeconds ?? 0) : most),
          SMALL_COPY,
        ),
      );

/**
 * When the copy of a bucket has to begin for its objective: until then it has slack, which shrinks for all alike, so their
 * order never changes. One that is late by more than an objective counts as late by one: a bucket whose runs fail for days
 * is not first for ever, and nobody waits for more than those that began a bounded time later.
 */
export const beginBy = ({ run, pair, points }: RunHistory, step: BackupStep): EpochMs =>
  beginOf(run.policy, pair, run.startedAt, expectedSeconds({ points }, step));

const beginOf = (
  { name, objectives: { rpo } }: Policy,
  pair: Pick<PairState, 'newest' | 'base'>,
  startedAt: EpochMs,
  expected: DurationSeconds,
): EpochMs => {
  const newest = newestAt(pair.newest?.[name] ?? null, 'listing')?.at ?? pair.base?.created;
  const due = (newest ?? startedAt) + (rpo - expected) * 1000;
  return epochMs(Math.max(0, due, startedAt - rpo * 1000));
};

/** Finer than this the order of a slot is that of the policy: a slot that is delivered twice has the same batches. */
const CLASS_MS = 3_600_000;

/** The pairs of a slot, first those whose copy has to begin first, as long as the longest of their last increments. Pure. */
export const leastSlackFirst = (
  policy: Policy,
  states: readonly PairState[],
  startedAt: EpochMs,
): readonly PairState[] => {
  const classOf = (pair: PairState): number => {
    const took = pair.copies.map(({ mode, from, to }) =>
      mode === 'incremental' && to !== null ? secondsBetween(from, to) : 0,
    );
    return Math.floor(beginOf(policy, pair, startedAt, seconds(Math.max(SMALL_COPY, ...took))) / CLASS_MS);
  };
  return states
    .map((pair) => [classOf(pair), pair] as const)
    .toSorted(([one], [other]) => one - other)
    .map(([, pair]) => pair);
};

/** What a run heard of its place since it did something else last, oldest first. */
const visitsOf = (history: RunHistory): readonly Visit[] => {
  const steps = currentSteps(history);
  const before = steps.findLastIndex(({ decision }) => decision.kind !== 'wait' || decision.queued === undefined);
  return steps
    .slice(before + 1)
    .flatMap(({ decision, decidedAt }) =>
      decision.kind === 'wait' && decision.queued ? [{ at: decidedAt, place: decision.queued.place }] : [],
    );
};

interface Visit {
  readonly at: EpochMs;
  readonly place: number;
}

export interface SlotRequest {
  readonly holder: RunId;
  readonly by: EpochMs;
  /** How long it is likely to have the places: those before it are taken for as long. */
  readonly expected: DurationSeconds;
  readonly visits: readonly Visit[];
  readonly needs: readonly Need[];
  /** Takes its places whoever has them: it is counted, so that those who ask see it. */
  readonly unasked?: boolean;
}

/** Somebody waits for a restore or a failover because data is lost: it never waits behind backups. A drill can wait like them. */
const isUrgent = ({ restore }: RunHistory['run']): boolean => restore !== null && restore.purpose !== 'drill';

export const requestOf = (history: RunHistory, step: BackupStep): SlotRequest => ({
  holder: history.run.runId,
  by: beginBy(history, step),
  expected: expectedSeconds(history, step),
  visits: visitsOf(history),
  needs: needsOf(history.run.policy, step, history.run.restore),
  unasked: isUrgent(history.run),
});

export interface Refusal {
  readonly resource: Resource;
  readonly taken: number;
  readonly capacity: number;
  /** See {@link Queued}. */
  readonly place: number;
  readonly pause: DurationSeconds;
}

/**
 * When to come again, in a small part of the time that places are taken for, so that few stay empty. Those whose turn is
 * next come often, less so after hours of that; those behind them when it may be their turn; those who are not even noted
 * by their slack. Always sooner than a lease ends.
 */
const pauseAt = (
  place: number,
  capacity: number,
  { by, expected, visits }: SlotRequest,
  now: EpochMs,
): DurationSeconds => {
  const between = (least: number, value: number, most: number): number => Math.max(least, Math.min(most, value));
  const behind = visits.findLastIndex((visit) => visit.place > capacity);
  const inFront = secondsBetween(visits[behind + 1]?.at ?? now, now);
  const next = Math.max(between(20, Math.max(expected / 8, inFront / 16), 300), inFront / 96);
  const pause =
    place > MOST_WAITERS
      ? Math.max(300, secondsBetween(now, by) / 16)
      : next + between(0, (expected * (place - capacity)) / capacity, 300);
  return seconds(Math.round(Math.min(1500, pause)));
};

const total = (all: readonly { readonly weight: number }[]): number => all.reduce((sum, it) => sum + it.weight, 0);

type Entries<T> = readonly (readonly [string, T])[];
type Holder = Slots['holders'][RunId];
type Waiter = Slots['waiters'][RunId];

/** Who has to begin first is first. */
const inLine = (waiters: Entries<Waiter>): Entries<Waiter> =>
  waiters.toSorted(([id, one], [otherId, other]) => one.by - other.by || (id < otherId ? -1 : 1));

/** The others that count: a lost waiter, and a holder whose time is over, do not. */
const others = <T extends Holder>(all: Readonly<Record<string, T>>, self: RunId, now: EpochMs): Entries<T> =>
  Object.entries(all).filter(([id, { until }]) => id !== self && until > now);

interface Seen {
  readonly slots: Slots;
  readonly need: Need;
  readonly holders: Entries<Holder>;
  readonly waiters: Entries<Waiter>;
  readonly taken: number;
  /** How many waiters are more urgent. */
  readonly ahead: number;
  readonly isFree: boolean;
}

const look = (slots: Slots, wanted: Need, { holder, by }: Pick<SlotRequest, 'holder' | 'by'>, now: EpochMs): Seen => {
  const holders = others(slots.holders, holder, now);
  const waiters = others(slots.waiters, holder, now);
  const ahead = waiters.filter(([id, it]) => it.by < by || (it.by === by && id < holder)).map(([, it]) => it);
  const taken = total(holders.map(([, it]) => it));
  const known = slots.holders[holder];
  const own = known && known.until > now ? known : null;
  const { weight, capacity } = wanted;
  return {
    slots,
    need: wanted,
    holders,
    waiters,
    taken,
    ahead: ahead.length,
    isFree: (own && weight <= own.weight) || taken + (own ? 0 : total(ahead)) + weight <= capacity,
  };
};

export interface Verdict {
  /** Null: every place is taken. Otherwise none is, also of those that were. */
  readonly refusal: Refusal | null;
  /** What has to be written for that; what stays as it is is left out. */
  readonly changed: readonly Slots[];
}

/**
 * All of the places that are asked for, or none, from what the ledger has of each resource. A place goes to whoever has to
 * begin first of those that wait; a holder keeps it. In a line stands only who is refused there, so that places do not
 * stay empty for somebody who cannot use them yet; but who is late and first in a line stands in all of its lines: so
 * its turn comes, whatever the others need. Pure, and the same again for the same request.
 */
export const admit = (seen: readonly Slots[], request: SlotRequest, now: EpochMs): Verdict => {
  const { holder, by } = request;
  const all = request.needs.flatMap((it) => {
    const slots = seen.find(({ resource }) => resource === it.resource);
    return slots ? [look(slots, it, request, now)] : [];
  });
  const refusing = request.unasked ? [] : all.filter(({ isFree }) => !isFree);
  const [worst] = refusing.toSorted((one, other) => other.ahead - one.ahead);
  if (!worst) return { refusal: null, changed: all.flatMap((it) => taking(it, holder, now)) };

  const pause = pauseAt(worst.ahead + 1, worst.need.capacity, request, now);
  const isNext = by <= now && refusing.some(({ ahead }) => ahead === 0);
  const { expected } = request;
  const note = (it: Seen) => ({ by, until: later(now, seconds(pause + GRACE)), weight: it.need.weight, expected });
  return {
    refusal: {
      resource: worst.need.resource,
      taken: worst.taken,
      capacity: worst.need.capacity,
      place: worst.ahead + 1,
      pause,
    },
    changed: all.flatMap((it) => waiting(it, holder, isNext || !it.isFree ? note(it) : null)),
  };
};

const taking = ({ slots, need: { weight, holdFor }, holders, waiters }: Seen, self: RunId, now: EpochMs) => {
  const own = slots.holders[self];
  const until = later(now, holdFor);
  if (own && own.until >= until && !slots.waiters[self]) return [];
  return [
    {
      ...slots,
      holders: Object.fromEntries([
        ...holders,
        [self, { until: own && own.until > until ? own.until : until, weight }],
      ]),
      waiters: Object.fromEntries(waiters),
    },
  ];
};

const waiting = ({ slots, holders, waiters }: Seen, self: RunId, note: Waiter | null) => {
  const line = inLine([...waiters, ...(note ? [[self, note] as const] : [])]).slice(0, MOST_WAITERS);
  const isNoted = line.some(([id]) => id === self);
  if (!isNoted && !slots.waiters[self] && !slots.holders[self]) return [];
  return [{ ...slots, holders: Object.fromEntries(holders), waiters: Object.fromEntries(line) }];
};

/** Somebody in a line whose turn comes after it has to begin. */
export interface Outrun {
  readonly holder: RunId;
  readonly by: EpochMs;
  /** Not before then is it its turn. */
  readonly begins: EpochMs;
}

/**
 * Who cannot meet its objective any more by the line's own measure: even if every place were free now, those before it,
 * each as long as it expects to, have them until after it has to begin. In the order of the line. Pure.
 */
export const outrunIn = ({ waiters }: Pick<Slots, 'waiters'>, capacity: number, now: EpochMs): readonly Outrun[] => {
  const line = inLine(Object.entries(waiters).filter(([, { until }]) => until > now));
  let begins = now;
  let holding: readonly { readonly until: EpochMs; readonly weight: number }[] = [];
  return line.flatMap(([id, { by, expected, ...it }]): readonly Outrun[] => {
    const weight = Math.min(it.weight, capacity);
    while (total(holding) + weight > capacity) {
      begins = epochMs(Math.min(...holding.map(({ until }) => until)));
      holding = holding.filter(({ until }) => until > begins);
    }
    holding = [...holding, { until: later(begins, expected), weight }];
    return begins > by ? [{ holder: RunId.parse(id), by, begins }] : [];
  });
};

/** The first of the hosts with most places that nobody waits for, if there is any. */
export const emptiestHost = (
  seen: readonly { readonly host: HostId; readonly slots: Slots }[],
  cluster: Cluster,
  request: Pick<SlotRequest, 'holder' | 'by'>,
  now: EpochMs,
): HostId | undefined =>
  seen
    .map(({ host, slots }) => ({ host, ...look(slots, workOn(host, cluster, seconds(0)), request, now) }))
    .filter(({ isFree }) => isFree)
    .toSorted((one, other) => one.taken - other.taken)[0]?.host;

const WORDS: Readonly<Record<string, string>> = {
  diff: 'a snapshot diff on',
  copy: 'a copy on',
  host: 'a long command on host',
  link: 'bandwidth of the link',
};

/** `waits for a copy on dr, 8 of 8 taken: place 3 in line`. */
export const queueText = ({ resource, taken, capacity, place }: Refusal): string => {
  const [kind = '', of = ''] = resource.split(':');
  const unit = kind === 'link' ? ' MB/s' : '';
  const line = place === 0 ? 'others took places at the same moment' : `place ${place} in line`;
  return `waits for ${WORDS[kind] ?? kind} ${of}, ${taken} of ${capacity}${unit} taken: ${line}`;
};

/** `2 h until it has to begin for its objective`. */
const slackText = (by: EpochMs, now: EpochMs): string =>
  by > now
    ? `${spanText(secondsBetween(now, by))} until it has to begin for its objective`
    : `${spanText(secondsBetween(by, now))} late for its objective`;

/** What is done instead: the snapshot is taken at its time and its diff is asked for later, everything else waits. */
export const withoutPlace = (step: BackupStep, refusal: Refusal, by: EpochMs, now: EpochMs): BackupStep =>
  step.kind === 'create-snapshot'
    ? { ...step, base: null }
    : {
        ...wait(refusal.pause, `${queueText(refusal)}, ${slackText(by, now)}`),
        queued: { resource: refusal.resource, place: refusal.place, by },
      };
