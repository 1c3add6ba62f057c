import { bucketsOf, covers, type EnrolledBucket, type Enrolment } from '../domain/buckets.ts';
import type { BucketRef } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import type { PolicyState, PolicyVersion, Retention } from '../domain/retention.ts';
import { type DurationSeconds, type EpochMs, later, seconds } from '../domain/units.ts';
import type { PruneSettings } from './plan-prune.ts';
import { COOLING_OFF, effectiveRules, KEEP_EVERYTHING, type ZonedRules } from './ratchet.ts';

/** A version of a policy that counts now; `until` is null for the one that it has, an instant for those that it had. */
interface VersionInForce {
  readonly version: PolicyVersion;
  readonly until: EpochMs | null;
}

const coolingOffOf = ({ retention }: Pick<PolicyVersion, 'retention'>): DurationSeconds =>
  retention ? seconds(retention.coolingOffHours * 3600) : COOLING_OFF;

/**
 * The version that the policy has, and those that it had and that still count. A version counts for its own cooling-off
 * after it was replaced, and for its successor's: shortening the cooling-off itself waits too.
 */
export const versionsInForce = (versions: readonly PolicyVersion[], now: EpochMs): readonly VersionInForce[] => {
  const sorted = versions.toSorted((one, other) => one.since - other.since);
  return sorted.flatMap((version, index): readonly VersionInForce[] => {
    const next = sorted[index + 1];
    if (!next) return [{ version, until: null }];
    const until = later(next.since, seconds(Math.max(coolingOffOf(version), coolingOffOf(next))));
    return until > now ? [{ version, until }] : [];
  });
};

const versionOf = (policy: Policy, since: EpochMs): PolicyVersion => ({
  since,
  retention: policy.retention,
  rpo: policy.objectives.rpo,
  rto: policy.objectives.rto,
  buckets: [...policy.buckets],
});

const contentOf = ({ since: _, ...content }: PolicyVersion): string => JSON.stringify(content);

/** The versions with the policy as it is now at their end; undefined when it is there already. Old ones are left out. */
export const withVersion = (state: PolicyState, policy: Policy, now: EpochMs): PolicyState | undefined => {
  const current = versionOf(policy, now);
  const last = state.versions.at(-1);
  if (last && contentOf(last) === contentOf(current)) return undefined;
  const versions = [...state.versions, current];
  const counting = new Set(versionsInForce(versions, now).map(({ version }) => version));
  // One that is older than any cooling-off dates the end of "everything is kept" in `effectiveRules`. What lies between is
  // kept as well: without it a version would seem to have been replaced later than it was.
  const coolingOff = seconds(Math.max(COOLING_OFF, ...[...counting].map(coolingOffOf)));
  const dated = versions.findLastIndex((it) => !counting.has(it) && later(it.since, coolingOff) <= now);
  const oldest = versions.findIndex((it) => counting.has(it));
  return { ...state, versions: versions.slice(Math.max(0, Math.min(dated, oldest))) };
};

/** What the policy asks for by name or glob, and what it asked for and that is still cooling off. */
const asked = (policy: Policy, state: PolicyState, now: EpochMs): Pick<Policy, 'buckets'> => ({
  buckets: [
    ...new Set([...policy.buckets, ...versionsInForce(state.versions, now).flatMap(({ version }) => version.buckets)]),
  ],
});

/** Whether a bucket counts as one of the policy: also one that was taken out and is still cooling off. */
export const coversInForce = (policy: Policy, state: PolicyState, bucket: BucketRef, now: EpochMs): boolean =>
  covers(asked(policy, state, now), bucket);

/** How long a policy without versions, and one with them, lets what it had cool off. */
const longestCoolingOff = (policy: Policy, state: PolicyState, now: EpochMs): DurationSeconds =>
  seconds(
    Math.max(coolingOffOf(policy), ...versionsInForce(state.versions, now).map(({ version }) => coolingOffOf(version))),
  );

/** Enrolled buckets that listings do not show any more, and that cool off as those do that were taken out. */
export const vanishedLately = (
  policy: Policy,
  state: PolicyState,
  enrolment: Pick<Enrolment, 'buckets'>,
  now: EpochMs,
): readonly EnrolledBucket[] => {
  const wanted = asked(policy, state, now);
  const coolingOff = longestCoolingOff(policy, state, now);
  return enrolment.buckets.filter(
    ({ bucket, vanished }) => vanished !== null && later(vanished, coolingOff) > now && covers(wanted, bucket),
  );
};

/** Every bucket that is looked after under the policy: also one that was taken out, or vanished, and is still cooling off. */
export const bucketsInForce = (
  policy: Policy,
  state: PolicyState,
  enrolment: Pick<Enrolment, 'buckets'>,
  now: EpochMs,
): readonly BucketRef[] => [
  ...new Set([
    ...bucketsOf(asked(policy, state, now), enrolment),
    ...vanishedLately(policy, state, enrolment, now).map(({ bucket }) => bucket),
  ]),
];

/** The strictest objectives that count now. */
export const objectivesInForce = (policy: Policy, state: PolicyState, now: EpochMs): Policy['objectives'] => {
  const inForce = versionsInForce(state.versions, now).map(({ version }) => version);
  return {
    rpo: seconds(Math.min(policy.objectives.rpo, ...inForce.map(({ rpo }) => rpo))),
    rto: seconds(Math.min(policy.objectives.rto, ...inForce.map(({ rto }) => rto))),
  };
};

/**
 * What a prune of the policy goes by now: the rules of every version that counts, each in its own zone, for the longest
 * cooling-off of them all; the longest grace and the lowest cap of them. A version without retention kept everything, and
 * has the usual cooling-off. Null when the policy has no retention: then nothing is ever deleted.
 */
export const settingsInForce = (policy: Policy, state: PolicyState, now: EpochMs): PruneSettings | null => {
  const { retention } = policy;
  if (!retention) return null;
  const versions = versionsInForce(state.versions, now).map(({ version }) => version);
  const coolingOff = seconds(Math.max(...[policy, ...versions].map(coolingOffOf)));
  const counting = versions.flatMap((it) => it.retention ?? []);
  const rulesOf = (side: 'source' | 'replica') => {
    const of = (it: Retention | null): ZonedRules => ({
      rules: it?.[side] ?? KEEP_EVERYTHING,
      zone: (it ?? retention).zone,
    });
    const recorded = state.versions.map((it) => ({ ...of(it.retention), since: it.since }));
    return effectiveRules(of(retention), recorded, now, coolingOff);
  };
  return {
    policy: policy.name,
    inForce: { source: rulesOf('source'), replica: rulesOf('replica') },
    grace: seconds(Math.max(retention.graceHours, ...counting.map((it) => it.graceHours)) * 3600),
    maxDeletions: Math.min(retention.maxDeletions, ...counting.map((it) => it.maxDeletions)),
  };
};

const hours = (duration: DurationSeconds): string => `${duration / 3600} h`;

/** What is asked less of: one bucket, or all of the policy. */
export type Weakening = { readonly sentence: string } & (
  | { readonly kind: 'bucket'; readonly bucket: BucketRef }
  | { readonly kind: 'objectives' | 'retention' }
);

/**
 * What a new version asks less of than the one before it; empty when it asks for as much or more.
 * @param enrolment what globs gave, to name the buckets that a glob which was taken out stood for
 */
export const weakened = (
  before: PolicyVersion,
  after: PolicyVersion,
  enrolment: Pick<Enrolment, 'buckets'>,
): readonly Weakening[] => {
  const looser = [
    ...(after.rpo > before.rpo ? [`the RPO went from ${hours(before.rpo)} to ${hours(after.rpo)}`] : []),
    ...(after.rto > before.rto ? [`the RTO went from ${hours(before.rto)} to ${hours(after.rto)}`] : []),
  ];
  return [
    ...bucketsOf(before, enrolment)
      .filter((bucket) => !covers(after, bucket))
      .map((bucket): Weakening => ({ kind: 'bucket', bucket, sentence: `${bucket} was taken out of the policy` })),
    ...(looser.length > 0 ? [{ kind: 'objectives', sentence: looser.join(', ') } as const] : []),
    // Which of two sets of rules keeps more depends on the points: every change is announced.
    ...(JSON.stringify(before.retention) === JSON.stringify(after.retention)
      ? []
      : [{ kind: 'retention', sentence: 'the retention was changed' } as const]),
  ];
};
