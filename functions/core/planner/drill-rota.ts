import type { PairState, RecoveryPoint } from '../domain/ledger.ts';
import type { BucketRef, PolicyName } from '../domain/names.ts';
import type { Drills, Policy } from '../domain/policy.ts';
import type { PassedDrill } from '../domain/restore.ts';
import type { DrillTurn } from '../domain/retention.ts';
import { type DurationSeconds, type EpochMs, epochMs, later, seconds } from '../domain/units.ts';
import { longestGap, occurrences } from './occurrences.ts';

/** What one bucket brings to the rota of its policy. */
export interface BucketToDrill extends DrillTurn {
  /** When a drill of it last passed. */
  readonly passed: EpochMs | null;
  /** There is a point that can be drilled. */
  readonly hasPoint: boolean;
}

export interface LastDrill {
  readonly point: RecoveryPoint['name'];
  readonly drill: PassedDrill;
}

/** The last drill of a bucket under a policy that passed: of a point that is there, or that the drills remember. */
export const lastDrillOf = (
  points: readonly RecoveryPoint[],
  { lastDrill }: Pick<PairState, 'lastDrill'>,
  policy: PolicyName,
): LastDrill | null =>
  points
    .flatMap(({ name, drilled }) =>
      drilled && (drilled.policy ?? policy) === policy ? [{ point: name, drill: drilled }] : [],
    )
    .reduce<LastDrill | null>((last, it) => (last && last.drill.at >= it.drill.at ? last : it), lastDrill);

/** Slots further away say nothing about the pace. */
const FURTHEST: DurationSeconds = seconds(366 * 86_400);

const byName = (one: { readonly bucket: BucketRef }, other: { readonly bucket: BucketRef }): number =>
  one.bucket < other.bucket ? -1 : 1;

/** How many slots each bucket is left with, this one counted, in the order of the deadlines; the last one is kept in reserve. */
const slotsLeft = (deadlines: readonly number[], next: readonly number[]): readonly number[] => {
  let before = 0;
  return deadlines.map((deadline) => {
    while ((next[before] ?? Infinity) < deadline) before += 1;
    return Math.max(1, before);
  });
};

/**
 * The buckets that a slot drills, so that each is drilled once within the span that the policy promises, and no slot drills
 * more than that takes: those that must not be left to a later slot, and of those that never passed the few that were not
 * tried for longest. One slot is kept in reserve, so that one may be missed and one drill may fail. A drill that fails does
 * not count as one; its bucket comes again and takes nobody's place. Pure: the same turns and slot, the same buckets.
 * @param buckets all of the policy
 */
export const dueForDrill = (
  { cron, zone, within }: Pick<Drills, 'cron' | 'zone' | 'within'>,
  buckets: readonly BucketToDrill[],
  slot: EpochMs,
): readonly BucketRef[] => {
  const horizon = later(slot, seconds(Math.min(within, FURTHEST)));
  const next = occurrences({ cron, zone }, epochMs(slot + 1), horizon);
  const sorted = buckets
    .map((it) => ({ ...it, deadline: later(it.passed ?? it.since, within) }))
    .sort((one, other) => one.deadline - other.deadline || byName(one, other));
  const left = slotsLeft(
    sorted.map(({ deadline }) => deadline),
    next,
  );
  // What all later slots together cannot take, with as many in each of them as the span asks for: of its slots one is this one's
  // own and one the reserve.
  const most = Math.ceil(buckets.length / Math.max(1, next.length - 1));
  const pressing = sorted
    .slice(0, Math.max(0, ...left.map((slots, index) => index + 1 - most * (slots - 1))))
    // Without a point a drill can only fail, aloud: that is for when the promise would be broken.
    .filter(({ hasPoint, deadline }) => hasPoint || deadline < (next[1] ?? Infinity));
  // Nobody wants to wait for the first drill of a bucket until it would be late.
  const first = Math.ceil(buckets.length / (next.length + 1)) - pressing.filter(({ passed }) => passed === null).length;
  const untried = sorted
    .filter((it) => it.passed === null && it.hasPoint && !pressing.includes(it))
    .sort((one, other) => (one.asked ?? -1) - (other.asked ?? -1) || byName(one, other))
    .slice(0, Math.max(0, first));
  return [...pressing, ...untried].map(({ bucket }) => bucket);
};

const DAY = 86_400_000;
const days = (milliseconds: number): number => Math.ceil((10 * milliseconds) / DAY) / 10;

/** Drills that a policy promises more often than its schedule is due: for whoever writes the file. */
export const problemsOfDrills = (
  policies: readonly Policy[],
): readonly { readonly path: readonly string[]; readonly message: string }[] =>
  policies.flatMap(({ name, drills }) => {
    if (!drills) return [];
    const gap = longestGap(drills.cron);
    if (gap <= drills.within * 1000) return [];
    const every = Number.isFinite(gap)
      ? `up to ${days(gap)} days pass between two slots`
      : 'there are hardly any slots';
    const enough = Number.isFinite(gap) ? `write at least ${Math.ceil(gap / DAY)}d, or ` : 'write ';
    return [
      {
        path: ['policies', name, 'drills', 'within'],
        message: `${every}, and every bucket is to be drilled within ${days(drills.within * 1000)} days, ${enough}a schedule that is due more often`,
      },
    ];
  });
