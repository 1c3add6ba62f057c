import type { SeenBucket, SeenSide, SeenSnapshot } from '../../core/domain/edge-reply.ts';
import { SnapshotId, type SnapshotName, snapshotName } from '../../core/domain/names.ts';
import type { Policy, Schedule } from '../../core/domain/policy.ts';
import type { Side } from '../../core/domain/retention.ts';
import { type EpochMs, epochMs, seconds } from '../../core/domain/units.ts';
import { worthKeeping } from '../../core/planner/catch-up.ts';
import { slotsOf } from '../../core/planner/occurrences.ts';
import { type PrunePlan, type PruneSettings, planPrune } from '../../core/planner/plan-prune.ts';
import type { BucketToPrune, LedgerPoint } from '../../core/planner/protections.ts';
import { type CalendarDay, calendarDays } from './calendar-days.ts';

export interface Span {
  readonly from: EpochMs;
  readonly to: EpochMs;
}

/** What may go otherwise than planned. Without one every run happens at its time and every copy is equal. */
export interface Chance {
  /** What the clock of the cluster shows when the snapshot is taken; null: the run does not happen. */
  readonly taken: (slot: EpochMs) => EpochMs | null;
  /** Is the copy found equal? */
  readonly equal: (slot: EpochMs) => boolean;
  /** What the clock shows that the plan to prune is made by; null: nothing is pruned. */
  readonly pruned: (due: EpochMs) => EpochMs | null;
}

const PLANNED: Chance = { taken: (slot) => slot, equal: () => true, pruned: (due) => due };

/** One bucket while its policy is played. */
export interface World {
  /** Points that are there on any side, oldest first. */
  readonly points: readonly LedgerPoint[];
  readonly facts: BucketToPrune;
  readonly now: EpochMs;
}

export interface Scenario extends Span {
  readonly policy: Policy;
  /** When the replica's cluster cannot be reached. */
  readonly outages: readonly Span[];
  readonly prunes: readonly Schedule[];
  readonly chance?: Chance;
  /** Sees each plan before it is carried out. */
  readonly onPlan?: (world: World, plan: PrunePlan) => void;
}

export interface PlayedDay extends CalendarDay {
  /** At the end of the day, of one bucket. */
  readonly source: number;
  readonly replica: number;
  /** At any time of the day. */
  readonly mostSource: number;
  readonly mostReplica: number;
  /** How old the newest point was at worst, in seconds; null before there is one. */
  readonly rpoSource: number | null;
  readonly rpoReplica: number | null;
  /** When the points were taken that a restore of the end of this day finds, of those that are there in the end. */
  readonly restoreSource: EpochMs | null;
  readonly restoreReplica: EpochMs | null;
}

export interface Played {
  readonly policy: Policy;
  readonly days: readonly PlayedDay[];
  readonly taken: number;
  readonly replicated: number;
  readonly deleted: number;
  /** Plans that were refused, as while the replica cannot be reached. */
  readonly refusals: number;
}

const BUCKET: SeenBucket = {
  created: '1970-01-01T00:00:00Z',
  layout: 'FILE_SYSTEM_OPTIMIZED',
  link: false,
  usedBytes: 0,
  usedNamespace: 0,
  owner: '',
  quotaInBytes: -1,
  quotaInNamespace: -1,
  replication: '',
  encryptionKey: null,
  acls: null,
};

const idOf = (side: Side, number: number): SnapshotId =>
  SnapshotId.parse(`0000000${side === 'source' ? 1 : 2}-0000-4000-8000-${number.toString(16).padStart(12, '0')}`);

/** Both sides of one bucket, and what the ledger has of it. */
class Bucket {
  readonly #policy: Policy;
  /** In the order in which they were taken. */
  readonly #points = new Map<SnapshotName, LedgerPoint>();
  readonly #on: Readonly<Record<Side, Map<SnapshotName, SeenSnapshot>>> = { source: new Map(), replica: new Map() };
  readonly #byId = new Map<SnapshotId, SnapshotName>();
  readonly #condemned = new Map<SnapshotId, EpochMs>();
  #base: BucketToPrune['pairs'][number] = { base: null, previousBase: null };
  #number = 0;
  /** On the source only. */
  readonly #missed = new Map<SnapshotName, LedgerPoint>();
  taken = 0;
  replicated = 0;
  deleted = 0;
  refusals = 0;

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  count(side: Side): number {
    return this.#on[side].size;
  }

  /** Times of the points that a restore from a side may use, oldest first. */
  times(side: Side): readonly EpochMs[] {
    return [...this.#on[side].keys()]
      .flatMap((name) => this.#points.get(name) ?? [])
      .filter((point) => side === 'source' || point.state === 'verified')
      .map(({ source }) => source.created)
      .sort((a, b) => a - b);
  }

  take(slot: EpochMs, created: EpochMs): LedgerPoint {
    const name = snapshotName(this.#policy.name, slot, 1);
    const id = idOf('source', ++this.#number);
    const point: LedgerPoint = {
      name,
      policy: this.#policy.name,
      state: 'taken',
      source: { id, created },
      replica: null,
    };
    this.#points.set(name, point);
    this.#on.source.set(name, { name, id, created, status: 'ACTIVE' });
    this.#byId.set(id, name);
    this.#missed.set(name, point);
    this.taken++;
    return point;
  }

  /** Brings a point to the replica, those before it that an outage left out first. */
  replicate(point: LedgerPoint, equal: boolean, now: EpochMs): void {
    const since = this.#base.base?.created ?? Number.POSITIVE_INFINITY;
    const missed = [...this.#missed.values()]
      .filter(({ source }) => source.created > since && source.created < point.source.created)
      .sort((a, b) => b.source.created - a.source.created);
    if (missed.length > 0) {
      const there = [...this.#points.values()].filter(({ state }) => state === 'verified');
      const worth = worthKeeping(this.#policy.retention, there, missed, now);
      for (const it of worth.toReversed()) this.#seal(it, true, now);
      // What is older than the base by then is never brought over.
      this.#missed.clear();
    }
    this.#seal(point, equal, now);
  }

  #seal(point: LedgerPoint, equal: boolean, now: EpochMs): void {
    const { name, source } = point;
    const id = idOf('replica', ++this.#number);
    const replica = { id, created: now, condemned: !equal };
    this.#missed.delete(name);
    this.#points.set(name, { ...point, state: equal ? 'verified' : 'differs', replica });
    this.#on.replica.set(name, { name, id, created: now, status: 'ACTIVE' });
    this.#byId.set(id, name);
    if (!equal) return;
    this.replicated++;
    this.#base = {
      base: { name, created: source.created, sourceId: source.id, replicaId: id },
      previousBase: this.#base.base,
    };
  }

  facts(isReplicaDown: boolean): BucketToPrune {
    const read = (side: Side): SeenSide => ({
      state: 'read',
      bucket: BUCKET,
      snapshots: [...this.#on[side].values()],
    });
    const down: SeenSide = { state: 'unreachable', code: 'timeout', message: 'no answer' };
    return {
      points: [...this.#points.values()],
      pairs: [this.#base],
      inUse: [],
      pins: [],
      holds: [],
      listings: {
        source: read('source'),
        replica: this.#policy.replica && (isReplicaDown ? down : read('replica')),
      },
    };
  }

  plan(facts: BucketToPrune, settings: PruneSettings, now: EpochMs): PrunePlan {
    return planPrune(facts, this.#condemned, settings, now);
  }

  carryOut(plan: PrunePlan, now: EpochMs): void {
    if (plan.kind === 'refused') {
      this.refusals++;
      return;
    }
    for (const side of ['source', 'replica'] as const) {
      for (const id of plan[side]?.spare ?? []) this.#condemned.delete(id);
      for (const { id } of plan[side]?.condemn ?? []) if (!this.#condemned.has(id)) this.#condemned.set(id, now);
      for (const { id, name } of plan[side]?.remove ?? []) {
        this.#condemned.delete(id);
        const point = this.#byId.get(id);
        if (!point || !this.#on[side].delete(point)) throw new Error(`${name} was planned for, and is not there`);
        this.#byId.delete(id);
        this.deleted++;
        if (side === 'source') this.#missed.delete(point);
        if (!this.#on.source.has(point) && !this.#on.replica.has(point)) this.#points.delete(point);
      }
    }
  }
}

type Event = { readonly at: EpochMs; readonly kind: 'slot' | 'prune' };

const eventsOf = ({ policy, prunes, from, to }: Scenario): readonly Event[] => {
  const of = (kind: Event['kind'], schedules: readonly Schedule[]): readonly Event[] =>
    slotsOf(schedules, from, to).map((at) => ({ at, kind }));
  // A plan of the same minute sees the new point.
  return [...of('slot', policy.schedules), ...(policy.retention ? of('prune', prunes) : [])].sort(
    (a, b) => a.at - b.at,
  );
};

const settingsOf = ({ name, retention }: Policy): PruneSettings | null =>
  retention && {
    policy: name,
    inForce: {
      source: [{ rules: retention.source, zone: retention.zone, until: null }],
      replica: [{ rules: retention.replica ?? retention.source, zone: retention.zone, until: null }],
    },
    grace: seconds(retention.graceHours * 3600),
    maxDeletions: retention.maxDeletions,
  };

/** Age of the newest point over time: remembers the worst of a day. */
class Age {
  readonly #from: EpochMs;
  #newest: EpochMs | null = null;
  #worst: number | null = null;

  constructor(from: EpochMs) {
    this.#from = from;
  }

  #see(at: EpochMs): void {
    this.#worst = Math.max(this.#worst ?? 0, at - (this.#newest ?? this.#from));
  }

  renew(at: EpochMs, of: EpochMs): void {
    this.#see(at);
    this.#newest = epochMs(Math.max(this.#newest ?? 0, of));
  }

  /** The worst since the last call, in seconds. */
  endOfDay(at: EpochMs): number | null {
    this.#see(at);
    const worst = this.#worst;
    this.#worst = null;
    return this.#newest === null ? null : Math.round((worst ?? 0) / 1000);
  }
}

/** The newest of ordered times that is before an instant. */
const newestUntil = (times: readonly EpochMs[], instant: EpochMs): EpochMs | null =>
  times.findLast((time) => time < instant) ?? null;

/** Whose days are counted. */
const zoneOf = ({ retention, schedules }: Policy): string => retention?.zone ?? schedules[0]?.zone ?? 'UTC';

/**
 * Plays one bucket of a policy from nothing: snapshots at the occurrences of its schedules, copies that take no time,
 * points that an outage left out brought over as the planner does, plans to prune by `planPrune` carried out at once.
 */
export const play = (scenario: Scenario): Played => {
  const { policy, outages, from, to, chance = PLANNED, onPlan } = scenario;
  const settings = settingsOf(policy);
  const bucket = new Bucket(policy);
  const events = eventsOf(scenario);
  const ages = { source: new Age(from), replica: new Age(from) };
  const isDown = (at: EpochMs): boolean => outages.some((outage) => at >= outage.from && at < outage.to);
  let next = 0;

  const happen = ({ at, kind }: Event): void => {
    if (kind === 'slot') {
      const created = chance.taken(at);
      if (created === null) return;
      const point = bucket.take(at, created);
      ages.source.renew(at, at);
      if (policy.replica === null || isDown(at)) return;
      const equal = chance.equal(at);
      bucket.replicate(point, equal, at);
      if (equal) ages.replica.renew(at, at);
      return;
    }
    const now = chance.pruned(at);
    if (now === null || !settings) return;
    const facts = bucket.facts(isDown(at));
    const plan = bucket.plan(facts, settings, now);
    onPlan?.({ points: facts.points, facts, now }, plan);
    bucket.carryOut(plan, now);
  };

  const dayOf = (day: CalendarDay): Omit<PlayedDay, 'restoreSource' | 'restoreReplica'> => {
    const most = { source: bucket.count('source'), replica: bucket.count('replica') };
    for (let event = events[next]; event && event.at < day.to; event = events[++next]) {
      happen(event);
      most.source = Math.max(most.source, bucket.count('source'));
      most.replica = Math.max(most.replica, bucket.count('replica'));
    }
    return {
      ...day,
      source: bucket.count('source'),
      replica: bucket.count('replica'),
      mostSource: most.source,
      mostReplica: most.replica,
      rpoSource: ages.source.endOfDay(day.to),
      rpoReplica: policy.replica === null ? null : ages.replica.endOfDay(day.to),
    };
  };

  const days = calendarDays(zoneOf(policy), from, to).map(dayOf);
  const left = { source: bucket.times('source'), replica: bucket.times('replica') };
  return {
    policy,
    days: days.map((day) => ({
      ...day,
      restoreSource: newestUntil(left.source, day.to),
      restoreReplica: newestUntil(left.replica, day.to),
    })),
    taken: bucket.taken,
    replicated: bucket.replicated,
    deleted: bucket.deleted,
    refusals: bucket.refusals,
  };
};
