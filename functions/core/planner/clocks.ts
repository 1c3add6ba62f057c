import { covers } from '../domain/buckets.ts';
import {
  type AssessedBucket,
  CLOCKS,
  type ClockName,
  type ClockReading,
  type Clocks,
  type Newest,
  type NewestPoint,
} from '../domain/clocks.ts';
import type { PairPatch, PairState, RecoveryPoint } from '../domain/ledger.ts';
import { type BucketRef, PolicyName, type SnapshotName } from '../domain/names.ts';
import { type Policy, type Schedule, VerificationLevel, verificationOf } from '../domain/policy.ts';
import type { PolicyState } from '../domain/retention.ts';
import { type DurationSeconds, type EpochMs, epochMs, seconds, secondsBetween } from '../domain/units.ts';
import { isOn } from './bucket-to-prune.ts';
import { slotsOf } from './occurrences.ts';
import { isVerified } from './protections.ts';

const DAY = 86_400_000;
/** On each side of now. A week, so that a weekend is in it, and a day for the clock that is changed. */
const NEAR = 8 * DAY;
/** A schedule that is due less often is as good as none. */
const FAR = 800 * DAY;

/**
 * The longest time between two successive slots around now, by the calendar and the clocks of the schedules' zones. Null
 * when there are hardly any slots.
 */
export const intervalOf = (schedules: readonly Schedule[], now: EpochMs): DurationSeconds | null => {
  for (let reach = NEAR; reach <= FAR; reach *= 4) {
    const slots = slotsOf(schedules, epochMs(Math.max(0, now - reach)), epochMs(now + reach));
    // With fewer the longest gap may reach out of the window.
    if (slots.length >= 4) {
      const gaps = slots.slice(1).map((slot, index) => slot - (slots[index] ?? slot));
      return seconds(Math.round(gaps.reduce((longest, gap) => Math.max(longest, gap), 0) / 1000));
    }
  }
  return null;
};

/** What the clocks of one bucket are read from. */
export interface ClockFacts {
  readonly policy: Pick<Policy, 'replica' | 'schedules' | 'verification' | 'drills' | 'objectives' | 'alarms'>;
  /** Of {@link intervalOf}, which is the same for all buckets of a policy. */
  readonly interval: DurationSeconds | null;
  /** Null when nothing was ever recorded. Of the direction that is live. */
  readonly newest: Newest | null;
  /** Since when people write to the replica; null while they write to the source. */
  readonly failedOver: EpochMs | null;
  readonly lastDrill: { readonly point: SnapshotName; readonly at: EpochMs } | null;
  /** When the bucket was first expected to have points. */
  readonly since: EpochMs;
  /** Since when the level, the schedules and the drills are asked for as they are. */
  readonly asked: { readonly level: EpochMs; readonly schedules: EpochMs; readonly drills: EpochMs };
}

const newer = (one: NewestPoint | null, other: NewestPoint | null | undefined): NewestPoint | null =>
  other && (!one || other.at > one.at) ? other : one;

/** The newest point that was compared equal at a level or at one that includes it. */
export const newestAt = (newest: Newest | null, level: VerificationLevel): NewestPoint | null =>
  VerificationLevel.options
    .slice(VerificationLevel.options.indexOf(level))
    .reduce<NewestPoint | null>((found, it) => newer(found, newest?.verified[it]), null);

/** Roles that came back a moment ago: the last points were made in the other direction, and no backup has taken them over yet. */
export const withTakenOver = (own: Newest | null, other: Newest | null): Newest | null =>
  own && other
    ? {
        ...own,
        taken: newer(own.taken, other.taken),
        verified: Object.fromEntries(
          VerificationLevel.options.flatMap((level) => {
            const found = newer(own.verified[level] ?? null, other.verified[level]);
            return found ? [[level, found]] : [];
          }),
        ),
      }
    : (own ?? other);

const latest = (...instants: readonly EpochMs[]): EpochMs => epochMs(Math.max(...instants));

/**
 * The four clocks of one bucket. Pure. A clock without a point counts from when the bucket was first expected, so that
 * what never ran gets old too; a clock that is not asked for is null. What was asked for a moment ago cannot be late by a
 * schedule that did not stand yet, but is in breach of its objective all the same.
 *
 * No schedule backs up a bucket that is failed over, so nothing of it is late; and until a failback has brought a point to
 * the old primary no promise can be kept either: its clocks are null then, and that it has no second copy is told as such.
 */
export const clocksOf = (facts: ClockFacts, now: EpochMs): Clocks => {
  const { policy, interval, newest, failedOver, lastDrill, since, asked } = facts;
  const { late, stale } = policy.alarms;
  const reading = (
    point: NewestPoint | null,
    from: EpochMs,
    askedSince: EpochMs,
    every: DurationSeconds | null,
    objective: DurationSeconds,
  ): ClockReading => {
    const age = secondsBetween(from, now);
    const waited = secondsBetween(latest(from, askedSince), now);
    const state =
      every === null || waited <= late * every ? 'fine' : waited <= stale * every ? ('late' as const) : 'stale';
    return { point: point?.name ?? null, since: from, age, interval: every, objective, state, breach: age > objective };
  };
  const { rpo } = policy.objectives;
  const isScheduled = policy.schedules.length > 0;
  const byPoint = (point: NewestPoint | null, atLeast: EpochMs = since): ClockReading =>
    reading(point, point ? point.at : latest(since, atLeast), asked.schedules, interval, rpo);
  const verified = newestAt(newest, verificationOf(policy.verification).level);
  const { drills, replica } = policy;
  const drilled = drills
    ? reading(
        lastDrill && { name: lastDrill.point, at: lastDrill.at },
        lastDrill ? lastDrill.at : latest(since, asked.drills),
        asked.drills,
        drills.within,
        drills.within,
      )
    : null;
  if (failedOver !== null) {
    const broughtBack = (point: NewestPoint | null): ClockReading | null =>
      point && point.at >= failedOver ? reading(point, point.at, failedOver, null, rpo) : null;
    return {
      taken: broughtBack(newest?.taken ?? null),
      replicated: broughtBack(newestAt(newest, 'listing')),
      verified: broughtBack(verified),
      drilled,
    };
  }
  return {
    taken: isScheduled ? byPoint(newest?.taken ?? null) : null,
    replicated: isScheduled && replica ? byPoint(newestAt(newest, 'listing')) : null,
    verified:
      isScheduled && replica
        ? // A level that was asked for a moment ago has no points yet, and those of long ago are not of today's promise.
          reading(
            verified,
            latest(verified?.at ?? since, asked.level),
            latest(asked.schedules, asked.level),
            interval,
            rpo,
          )
        : null,
    drilled,
  };
};

/**
 * Whether the newest point that can be relied on is older than the objective: one on the replica, or of a policy without
 * one the newest that was taken.
 */
export const isInBreach = ({ taken, replicated, verified }: Clocks): boolean =>
  replicated === null ? taken?.breach === true : replicated.breach || verified?.breach === true;

/** What the clocks go by, as the newest points say; what they do not reach stays as it was known. */
export const newestOf = (points: readonly RecoveryPoint[], policy: PolicyName, known: Newest | null): Newest => {
  const own = points.filter((point) => point.policy === policy);
  const newestWhere = (holds: (point: RecoveryPoint) => boolean, before: NewestPoint | null): NewestPoint | null => {
    const found = own
      .filter(holds)
      .reduce<NewestPoint | null>((best, { name, source }) => newer(best, { name, at: source.created }), null);
    if (found) return found;
    // A point that was looked at and does not count any more is not the newest one.
    return before && own.some(({ name }) => name === before.name) ? null : before;
  };
  const verified = Object.fromEntries(
    VerificationLevel.options.flatMap((level) => {
      const found = newestWhere(
        (point) =>
          isVerified(point.state) &&
          point.verification?.level === level &&
          point.replica?.condemned === false &&
          isOn(point, 'replica'),
        known?.verified[level] ?? null,
      );
      return found ? [[level, found]] : [];
    }),
  );
  return {
    taken: newestWhere((point) => isOn(point, 'source'), known?.taken ?? null),
    verified,
    runs: known?.runs ?? {},
  };
};

type WithNewest = Pick<PairState, 'newest'>;

/** The change of a pair that the newest points of these policies ask for; nothing when it knows them. */
export const withNewest = (
  { newest }: WithNewest,
  points: readonly RecoveryPoint[],
  policies: readonly PolicyName[],
): Pick<PairPatch, 'newest'> => {
  const found = policies.map((policy) => [policy, newestOf(points, policy, newest?.[policy] ?? null)] as const);
  return changedTo(newest, found);
};

const changedTo = (
  newest: PairState['newest'],
  found: readonly (readonly [PolicyName, Newest])[],
): Pick<PairPatch, 'newest'> =>
  found.every(([policy, it]) => isSame(newest?.[policy] ?? null, it))
    ? {}
    : { newest: { ...newest, ...Object.fromEntries(found) } };

/** The same where every living point of the pair is there: what is not among them does not count any more. */
export const withNewestOfAll = (
  { newest }: WithNewest,
  points: readonly RecoveryPoint[],
): Pick<PairPatch, 'newest'> => {
  const policies = [...new Set([...points.map(({ policy }) => policy), ...namesOf(newest)])];
  const found = policies.map((policy) => {
    const known = newest?.[policy];
    return [policy, newestOf(points, policy, known ? { ...known, taken: null, verified: {} } : null)] as const;
  });
  return changedTo(newest, found);
};

const namesOf = (newest: PairState['newest']): readonly PolicyName[] =>
  Object.keys(newest ?? {}).flatMap((name) => PolicyName.safeParse(name).data ?? []);

const isSame = (known: Newest | null, found: Newest): boolean => {
  if (known === null) return false;
  const points = ({ taken, verified }: Newest) => [taken, ...VerificationLevel.options.map((level) => verified[level])];
  const before = points(known);
  return points(found).every((point, index) => point?.name === before[index]?.name && point?.at === before[index]?.at);
};

/**
 * When a bucket was first expected: as it was noted before, or since the policy has it without a break, whatever is
 * earlier; now for a bucket that nobody has seen yet.
 */
export const expectedSince = (
  bucket: BucketRef,
  { versions }: Pick<PolicyState, 'versions'>,
  noted: EpochMs | undefined,
  now: EpochMs,
): EpochMs => {
  const without = versions.findLastIndex(({ buckets }) => !covers({ buckets }, bucket));
  const first = versions[without + 1];
  return epochMs(Math.min(noted ?? now, first?.since ?? now));
};

/** Worst first: how far over the objective or the interval the worst clock of a bucket is. */
export const badnessOf = ({
  clocks,
  inBreach,
  held,
  failedOver,
  notReady,
}: Pick<AssessedBucket, 'clocks' | 'inBreach' | 'held' | 'failedOver' | 'notReady'>): number => {
  const worst = CLOCKS.reduce((most, name) => {
    const clock = clocks[name];
    return clock ? Math.max(most, clock.age / (clock.interval ?? clock.objective)) : most;
  }, 0);
  const waits = (held || failedOver !== null ? 1000 : 0) + (notReady === null ? 0 : 10_000);
  return worst + (inBreach ? 1_000_000 : 0) + waits;
};

/** Of the oldest reading of a clock, in intervals and in objectives, to two digits; null when no bucket has that clock. */
export const worstOf = (
  buckets: readonly Pick<AssessedBucket, 'clocks'>[],
  name: ClockName,
): { readonly ofInterval: number | null; readonly ofObjective: number } | null => {
  const readings = buckets.flatMap(({ clocks }) => clocks[name] ?? []);
  if (readings.length === 0) return null;
  const ratio = (age: number, of: number): number => Math.round((100 * age) / of) / 100;
  const intervals = readings.flatMap(({ age, interval }) => (interval === null ? [] : [ratio(age, interval)]));
  return {
    ofInterval: intervals.length === 0 ? null : Math.max(...intervals),
    ofObjective: Math.max(...readings.map(({ age, objective }) => ratio(age, objective))),
  };
};
