import {
  type BucketGlob,
  bucketsOf,
  covers,
  type EnrolledBucket,
  type Enrolment,
  isGlob,
  matches,
} from '../domain/buckets.ts';
import type { BucketRef } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import type { PolicyState } from '../domain/retention.ts';
import type { EpochMs } from '../domain/units.ts';
import { vanishedLately, versionsInForce } from './in-force.ts';

/** What a whole listing of the source makes of the enrolment of a policy. */
export type Enrolled =
  | {
      readonly kind: 'enrolled';
      readonly enrolment: Enrolment;
      /** First seen, or seen again after they had vanished. */
      readonly added: readonly BucketRef[];
      readonly vanished: readonly BucketRef[];
    }
  | { readonly kind: 'refused'; readonly reason: string };

/** The globs of the policy, and those that it had and that are cooling off. */
export const globsAsked = (policy: Policy, state: PolicyState, now: EpochMs): BucketGlob[] => [
  ...new Set(
    [...policy.buckets, ...versionsInForce(state.versions, now).flatMap(({ version }) => version.buckets)].filter(
      isGlob,
    ),
  ),
];

/** As many as a sentence can name. */
const NAMED = 5;
export const someOf = (names: readonly string[]): string =>
  `${names.slice(0, NAMED).join(', ')}${names.length > NAMED ? ` and ${names.length - NAMED} more` : ''}`;

/**
 * Enrols what the globs of a policy give. Those that vanished are kept while they cool off; so are buckets of a glob that was
 * taken out of the policy. A glob that gives nothing, and gave nothing lately, is refused, with what would make it go: it is
 * a slip, or the bucket that it was written for is missing.
 * @param listed every bucket of the volumes that the globs can meet: a listing that was cut is none
 */
export const enrol = (
  policy: Policy,
  state: PolicyState,
  before: Enrolment,
  listed: readonly BucketRef[],
  now: EpochMs,
): Enrolled => {
  const asked = { buckets: globsAsked(policy, state, now) };
  const seen = listed.filter((bucket) => covers(asked, bucket));
  const isSeen = new Set(seen);
  const known = new Map(before.buckets.map((it) => [it.bucket, it] as const));
  const kept = before.buckets.flatMap((it): readonly EnrolledBucket[] =>
    isSeen.has(it.bucket) || !covers(asked, it.bucket) ? [] : [{ ...it, vanished: it.vanished ?? now }],
  );
  const coolingOff = vanishedLately(policy, state, { buckets: kept }, now);
  const buckets = [
    ...seen.map((bucket): EnrolledBucket => {
      const of = known.get(bucket);
      return of?.vanished === null ? of : { bucket, since: now, vanished: null };
    }),
    ...coolingOff,
  ].toSorted((one, other) => (one.bucket < other.bucket ? -1 : 1));
  const empty = policy.buckets.filter(
    (pattern) => isGlob(pattern) && !buckets.some(({ bucket }) => matches(pattern, bucket)),
  );
  if (empty.length > 0)
    return {
      kind: 'refused',
      reason: `no bucket of ${policy.source.name} matches ${someOf(empty)}: correct the glob, take it out of the policy ${policy.name}, or make a bucket that it matches (${listed.length > 0 ? `there are, among others, ${someOf(listed)}` : 'the volumes that it names have none, or are not there'})`,
    };
  const isKnown = (bucket: BucketRef): boolean => known.get(bucket)?.vanished === null;
  return {
    kind: 'enrolled',
    enrolment: { ...before, listedAt: now, buckets },
    added: seen.filter((bucket) => !isKnown(bucket)),
    vanished: coolingOff.flatMap(({ bucket }) => (isKnown(bucket) ? [bucket] : [])),
  };
};

/** What an enrolment did, in sentences for the summary of a slot. */
export const enrolmentSentences = (
  policy: Policy,
  state: PolicyState,
  enrolment: Enrolment,
  { added, vanished }: { readonly added: readonly BucketRef[]; readonly vanished: readonly BucketRef[] },
  now: EpochMs,
): readonly string[] => {
  const gone = vanishedLately(policy, state, enrolment, now).map(({ bucket }) => bucket);
  const before = gone.filter((bucket) => !vanished.includes(bucket));
  return [
    ...(added.length > 0
      ? [`${policy.name}: ${added.length} new of ${bucketsOf(policy, enrolment).length} buckets: ${someOf(added)}`]
      : []),
    ...(vanished.length > 0
      ? [`${policy.name}: ${vanished.length} vanished from ${policy.source.name}: ${someOf(vanished)}`]
      : []),
    ...(before.length > 0 ? [`${policy.name}: ${before.length} vanished earlier: ${someOf(before)}`] : []),
  ];
};
