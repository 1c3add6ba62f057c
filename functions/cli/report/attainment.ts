import { covers } from '../../core/domain/buckets.ts';
import type { RecoveryPoint } from '../../core/domain/ledger.ts';
import { BucketRef } from '../../core/domain/names.ts';
import type { PolicyVersion } from '../../core/domain/retention.ts';
import { type DurationSeconds, type EpochMs, epochMs } from '../../core/domain/units.ts';
import { versionsInForce } from '../../core/planner/in-force.ts';

/** From one instant, included, to another, excluded. */
export interface Span {
  readonly from: EpochMs;
  readonly until: EpochMs;
}

/** While a point could have been restored: since it was known to be good, and until it was deleted or found to differ. */
export interface GoodPoint {
  readonly name: string;
  /** Of which moment its content is. */
  readonly created: EpochMs;
  readonly from: EpochMs;
  readonly until: EpochMs | null;
}

/** What was promised for a while. `assumed`: the policy of that time is not known, this is the oldest one that is. */
export interface Objective extends Span {
  readonly rpo: DurationSeconds;
  readonly basis: 'policy' | 'assumed';
}

export interface Attainment {
  readonly measured: number;
  /** Milliseconds in which there was a good point not older than the objective. */
  readonly met: number;
  /** Milliseconds in which there was no good point at all. */
  readonly withoutPoint: number;
  /** The greatest age in milliseconds that the newest good point reached, while there was one. */
  readonly worstAge: number | null;
}

/**
 * When a point was good. With a replica that is from its first comparison without differences (as recorded, or as the
 * point itself says) until its snapshot on the replica was deleted, or a later comparison found a difference. Without
 * a replica nothing is compared: a point counts from its creation until the source's snapshot was deleted.
 */
export const goodSpan = (
  point: RecoveryPoint,
  hasReplica: boolean,
  firstEqual: EpochMs | undefined,
): GoodPoint | undefined => {
  const { name, state, verification, source, removal } = point;
  const deleted = removal[hasReplica ? 'replica' : 'source'];
  const deletedAt = deleted?.state === 'deleted' ? deleted.deletedAt : null;
  if (!hasReplica) return { name, created: source.created, from: source.created, until: deletedAt };
  const told = state === 'verified' ? verification?.at : undefined;
  const from = firstEqual === undefined || (told !== undefined && told < firstEqual) ? told : firstEqual;
  if (from === undefined) return undefined;
  const differsAt = state === 'differs' ? (verification?.at ?? null) : null;
  const ends = [deletedAt, differsAt].filter((it) => it !== null);
  return { name, created: source.created, from, until: ends.toSorted((one, other) => one - other)[0] ?? null };
};

/**
 * What a policy promised of a bucket, for each part of the span: the strictest objective of the versions that counted
 * and name the bucket. A part in which none of them names it is left out. Before the oldest version that is known, and
 * where none is (`fallback`), the objective is assumed.
 */
export const objectivesOf = (
  versions: readonly PolicyVersion[],
  bucket: string,
  fallback: DurationSeconds | undefined,
  span: Span,
): readonly Objective[] => {
  const sorted = versions.toSorted((one, other) => one.since - other.since);
  const ends = versionsInForce(sorted, epochMs(0)).flatMap(({ until }) => until ?? []);
  const cuts = [span.from, ...sorted.map((it) => it.since), ...ends, span.until]
    .filter((at) => at >= span.from && at <= span.until)
    .toSorted((one, other) => one - other);
  const objectives: Objective[] = [];
  for (const [i, until] of cuts.slice(1).entries()) {
    const from = cuts[i] ?? until;
    const known = sorted.filter((it) => it.since <= from);
    const basis = known.length > 0 ? 'policy' : 'assumed';
    const counting = known.length > 0 ? versionsInForce(known, from).map(({ version }) => version) : sorted.slice(0, 1);
    const named = counting.filter(({ buckets }) => covers({ buckets }, BucketRef.parse(bucket))).map((it) => it.rpo);
    const [rpo] = sorted.length > 0 ? named.toSorted((one, other) => one - other) : [fallback];
    if (rpo === undefined || from === until) continue;
    const last = objectives.at(-1);
    if (last?.rpo === rpo && last.basis === basis && last.until === from)
      objectives[objectives.length - 1] = { ...last, until };
    else objectives.push({ from, until, rpo, basis });
  }
  return objectives;
};

/**
 * How long there was a good point not older than the objective. Exact to the millisecond: between two moments at which
 * a point becomes good or goes, or the objective changes, the newest good point is the same and only grows older.
 */
export const attainmentOf = (points: readonly GoodPoint[], objectives: readonly Objective[]): Attainment => {
  const newestFirst = points.toSorted((one, other) => other.created - one.created);
  const moments = points.flatMap(({ from, until }) => (until === null ? [from] : [from, until]));
  let [measured, met, withoutPoint] = [0, 0, 0];
  let worstAge: number | null = null;
  for (const { from, until, rpo } of objectives) {
    const inside = moments.filter((it) => it > from && it < until);
    const cuts = [...new Set([from, ...inside, until])].toSorted((one, other) => one - other);
    for (const [i, end] of cuts.slice(1).entries()) {
      const start = cuts[i] ?? end;
      const newest = newestFirst.find((it) => it.from <= start && (it.until === null || it.until > start));
      measured += end - start;
      if (newest) {
        met += Math.min(end - start, Math.max(0, newest.created + rpo * 1000 - start));
        worstAge = Math.max(worstAge ?? 0, end - newest.created);
      } else withoutPoint += end - start;
    }
  }
  return { measured, met, withoutPoint, worstAge };
};

/** `99.99 %`: cut, not rounded, so that only what was met all the time is 100 %. */
export const percentText = (met: number, measured: number): string => {
  const hundredths = met >= measured ? 10_000 : Math.min(9999, Math.floor((met / measured) * 10_000));
  return `${(hundredths / 100).toFixed(2)} %`;
};
