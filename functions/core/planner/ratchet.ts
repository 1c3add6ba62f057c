import type { RetentionRules } from '../domain/retention.ts';
import { type DurationSeconds, type EpochMs, later, seconds } from '../domain/units.ts';

export const COOLING_OFF = seconds(72 * 3600);

/** Rules with the zone whose days they mean: the same rules in another zone keep other points. */
export interface ZonedRules {
  readonly rules: RetentionRules;
  readonly zone: string;
}

/** Rules that count now; `until` is null for those that the policy has, an instant for those that it had. */
export interface RulesInForce extends ZonedRules {
  readonly until: EpochMs | null;
}

/** What a policy without retention does. */
export const KEEP_EVERYTHING: RetentionRules = { keepLast: 'unlimited' };

const canonical = ({ rules, zone }: ZonedRules): string =>
  JSON.stringify([
    zone,
    ...Object.entries(rules)
      .filter(([, value]) => value !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  ]);

/**
 * The rules of one side of a policy that are in force: those that it has, and for the cooling-off after each change
 * those that it had. A point stays if any of them keeps it. So lengthening counts at once and shortening waits, without
 * anyone having to say which of two sets of rules is the shorter one. Before the first record everything was kept:
 * rules that are new wait too, and never less than `COOLING_OFF`, because nobody ever asked for a shorter one.
 *
 * `recorded` has one entry per version, `since` it was first seen, in any order. A change is dated when it is recorded;
 * until then it counts as made now, so record first, then plan.
 */
export const effectiveRules = (
  policyNow: ZonedRules,
  recorded: readonly (ZonedRules & { readonly since: EpochMs })[],
  now: EpochMs,
  coolingOff: DurationSeconds = COOLING_OFF,
): readonly RulesInForce[] => {
  const versions = recorded.toSorted((a, b) => a.since - b.since);
  const inForce = new Map<string, RulesInForce>();
  const first = { rules: KEEP_EVERYTHING, zone: policyNow.zone };
  [first, ...versions].forEach(({ rules, zone }, index) => {
    const waits = index === 0 ? seconds(Math.max(COOLING_OFF, coolingOff)) : coolingOff;
    const until = later(versions[index]?.since ?? now, waits);
    if (until > now) inForce.set(canonical({ rules, zone }), { rules, zone, until });
  });
  inForce.delete(canonical(policyNow));
  return [{ ...policyNow, until: null }, ...inForce.values()];
};
