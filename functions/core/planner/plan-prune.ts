import type { SeenSide } from '../domain/edge-reply.ts';
import type { PolicyName, SnapshotId } from '../domain/names.ts';
import type { Side } from '../domain/retention.ts';
import type { DurationSeconds, EpochMs } from '../domain/units.ts';
import {
  type BucketToPrune,
  isGood,
  type OwnSnapshot,
  protectionsOf,
  type ReadSide,
  sortOut,
  timeOf,
} from './protections.ts';
import type { RulesInForce } from './ratchet.ts';
import { applyRulesGuarded } from './retention.ts';

export interface PruneSettings {
  readonly policy: PolicyName;
  /** See `effectiveRules`; those of the replica are not looked at where there is none. */
  readonly inForce: Readonly<Record<Side, readonly RulesInForce[]>>;
  /** How old a snapshot is at least, and how long it is condemned, before it is deleted. */
  readonly grace: DurationSeconds;
  /** Deletions of one run, both sides together. */
  readonly maxDeletions: number;
}

/** The one reason of a snapshot that the ledger does not know by id. */
export const NOT_OURS = 'not ours';

export interface Verdict {
  readonly name: string;
  readonly id: SnapshotId;
  readonly created: EpochMs;
  readonly reasons: readonly string[];
}

/** Every active snapshot of a side, once, newest first. */
export interface SidePlan {
  readonly keep: readonly Verdict[];
  /** To be deleted by a later run. */
  readonly condemn: readonly Verdict[];
  /** To be deleted by this run. */
  readonly remove: readonly Verdict[];
  /** Condemned before, kept now: takes the condemnation back. */
  readonly spare: readonly SnapshotId[];
}

interface Refusal {
  readonly kind: 'refused';
  readonly reason: string;
}

export type PrunePlan =
  | Refusal
  | { readonly kind: 'plan'; readonly source: SidePlan; readonly replica: SidePlan | null };

interface Judged {
  readonly kind: 'judged';
  readonly kept: readonly Verdict[];
  readonly doomed: readonly Verdict[];
}

const iso = (instant: number): string => new Date(instant).toISOString();

/** What the rules in force keep, by name; a point stays if any of them keeps it. */
const keptByRules = (
  judged: readonly OwnSnapshot[],
  side: Side,
  settings: PruneSettings,
  now: EpochMs,
): ReadonlyMap<string, readonly string[]> => {
  const points = judged.map(({ point }) => ({ name: point.name, at: timeOf(point) }));
  const kept = new Map<string, string[]>();
  for (const { rules, zone, until } of settings.inForce[side]) {
    const suffix = until === null ? '' : ` (rules that count until ${iso(until)})`;
    for (const { name, reasons } of applyRulesGuarded(points, rules, zone, now)) {
      if (reasons.length === 0) continue;
      const told = reasons.map((reason) => reason + suffix);
      kept.set(name, [...(kept.get(name) ?? []), ...told]);
    }
  }
  return kept;
};

const whyGone = ({ point }: OwnSnapshot, side: Side, isJudged: boolean): string => {
  if (isJudged) return `no rule of the ${side} keeps it`;
  return point.state === 'differs' ? 'its content differs from the source' : 'never verified, and a newer point is';
};

const judgeSide = (
  bucket: BucketToPrune,
  sides: { readonly source: ReadSide; readonly replica: ReadSide | null },
  side: Side,
  settings: PruneSettings,
  now: EpochMs,
): Judged | Refusal => {
  const { own, foreign } = sides[side] ?? { own: [], foreign: [] };
  const judged = own.filter((it) => it.point.policy === settings.policy && isGood(it, side));
  const byRules = keptByRules(judged, side, settings, now);
  if (judged.length > 0 && byRules.size === 0)
    return { kind: 'refused', reason: `the rules would remove all ${judged.length} points of the ${side}` };
  const minGood = Math.max(1, ...settings.inForce[side].map(({ rules }) => rules.minGood ?? 1));
  const protectionOf = protectionsOf(bucket, sides, side, { ...settings, minGood }, now);
  const isJudged = new Set(judged);
  const kept: Verdict[] = foreign.map(({ name, id, created }) => ({ name, id, created, reasons: [NOT_OURS] }));
  const doomed: Verdict[] = [];
  for (const snapshot of own) {
    const { name, id, created } = snapshot.seen;
    const rules = byRules.get(snapshot.point.name) ?? [];
    const reasons = [...rules, ...protectionOf(snapshot).filter((reason) => !rules.includes(reason))];
    if (reasons.length > 0) kept.push({ name, id, created, reasons });
    else doomed.push({ name, id, created, reasons: [whyGone(snapshot, side, isJudged.has(snapshot))] });
  }
  return { kind: 'judged', kept, doomed };
};

const unreadable = (side: Side, listing: Exclude<SeenSide, { state: 'read' }>): Refusal => ({
  kind: 'refused',
  reason: `the ${side} is ${listing.state} (${listing.code}), so nothing is deleted on either side: ${listing.message}`,
});

/** Newly condemned by one plan, both sides together: whoever marks them has a minute. */
export const MOST_CONDEMNED = 4000;
const LATER = `condemned by a later run: this one condemns the oldest ${MOST_CONDEMNED}`;

const waits = (due: number): string => `may go after ${iso(due)}`;

const byTime = (a: Verdict, b: Verdict): number => b.created - a.created || (a.name < b.name ? 1 : -1);

/**
 * Which snapshots of one bucket go, which stay, and why. Pure, and the same for any order of its inputs.
 *
 * Nothing is planned for either side unless both were read. Snapshots that the ledger does not know by id are never
 * touched. The rules judge points of this policy alone, on the replica only those that are verified: a copy that
 * failed takes no good one's place, and goes once a newer point is verified. What no rule keeps and nothing protects is
 * condemned first, and removed `grace` after that (`condemnedSince`, by snapshot id), the oldest first and never more
 * than the cap; of very many the oldest are condemned first, too.
 */
export const planPrune = (
  bucket: BucketToPrune,
  condemnedSince: ReadonlyMap<SnapshotId, EpochMs>,
  settings: PruneSettings,
  now: EpochMs,
): PrunePlan => {
  const { source, replica } = bucket.listings;
  if (source.state !== 'read') return unreadable('source', source);
  if (replica !== null && replica.state !== 'read') return unreadable('replica', replica);
  const sides = {
    source: sortOut(source, bucket.points, 'source'),
    replica: replica && sortOut(replica, bucket.points, 'replica'),
  };
  const onSource = judgeSide(bucket, sides, 'source', settings, now);
  if (onSource.kind === 'refused') return onSource;
  const onReplica = sides.replica && judgeSide(bucket, sides, 'replica', settings, now);
  if (onReplica?.kind === 'refused') return onReplica;

  const dueAt = ({ id }: Verdict): number => (condemnedSince.get(id) ?? now) + settings.grace * 1000;
  const doomed = [...onSource.doomed, ...(onReplica?.doomed ?? [])].sort(
    (a, b) => a.created - b.created || (a.id < b.id ? -1 : 1),
  );
  const removable = doomed.filter((verdict) => dueAt(verdict) <= now);
  const removed = new Set(removable.slice(0, settings.maxDeletions));
  const fresh = doomed.filter((verdict) => !condemnedSince.has(verdict.id) && !removed.has(verdict));
  const later = new Set(fresh.slice(MOST_CONDEMNED));
  const overCap = `over the cap of ${settings.maxDeletions} deletions of one run`;
  const ifNew = waits(now + settings.grace * 1000);
  const whyLater = (verdict: Verdict): string => {
    if (dueAt(verdict) <= now) return overCap;
    return condemnedSince.has(verdict.id) ? waits(dueAt(verdict)) : ifNew;
  };
  const sidePlan = ({ kept, doomed }: Judged): SidePlan => ({
    keep: [
      ...kept,
      ...doomed.flatMap((verdict) =>
        later.has(verdict) ? [{ ...verdict, reasons: [...verdict.reasons, LATER] }] : [],
      ),
    ].sort(byTime),
    condemn: doomed
      .filter((verdict) => !removed.has(verdict) && !later.has(verdict))
      .map((verdict) => ({ ...verdict, reasons: [...verdict.reasons, whyLater(verdict)] }))
      .sort(byTime),
    remove: doomed.filter((verdict) => removed.has(verdict)).sort(byTime),
    spare: kept
      .filter(({ id }) => condemnedSince.has(id))
      .map(({ id }) => id)
      .sort(),
  });
  return { kind: 'plan', source: sidePlan(onSource), replica: onReplica && sidePlan(onReplica) };
};
