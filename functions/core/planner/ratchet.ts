import type { RetentionRules } from '../domain/retention.ts';
import { type DurationSeconds, type EpochMs, later, seconds } from '../domain/units.ts';

export const COOLING_OFF = seconds(72 * 3600);

/** Rules that count now; `until` is null for those that the policy has, an instant for those that it had. */
export interface RulesInForce {
  readonly rules: RetentionRules;
  readonly until: EpochMs | null;
}

/** What a policy without retention does. */
export const KEEP_EVERYTHING: RetentionRules = { keepLast: 'unlimited' };

const canonical = (rules: RetentionRules): string =>
  JSON.stringify(
    Object.entries(rules)
      .filter(([, value]) => value !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );

/**
 * The rules of one side of a policy that are in force: those that it has, and for the cooling-off after each change
 * those that it had. A point stays if any of them keeps it. So lengthening counts at once and shortening waits, without
 * anyone having to say which of two sets of rules is the shorter one. Before the first record everything was kept:
 * rules that are new wait too.
 *
 * `recorded` has one entry per version, `since` it was first seen, in any order. A change is dated when it is recorded;
 * until then it counts as made now, so record first, then plan.
 */
export const effectiveRules = (
  policyNow: RetentionRules,
  recorded: readonly { readonly rules: RetentionRules; readonly since: EpochMs }[],
  now: EpochMs,
  coolingOff: DurationSeconds = COOLING_OFF,
): readonly RulesInForce[] => {
  const versions = recorded.toSorted((a, b) => a.since - b.since);
  const inForce = new Map<string, RulesInForce>();
  [KEEP_EVERYTHING, ...versions.map(({ rules }) => rules)].forEach((rules, index) => {
    const until = later(versions[index]?.since ?? now, coolingOff);
    if (until > now) inForce.set(canonical(rules), { rules, until });
  });
  inForce.delete(canonical(policyNow));
  return [{ rules: policyNow, until: null }, ...inForce.values()];
};
