import * as z from 'zod';
import { BucketRef, PolicyName } from './names.ts';
import { EpochMs } from './units.ts';

/** Volume and bucket have each 3 to 63 characters. */
const LONGEST = 63;
const SHORTEST = 3;
const GLOB_FORM = 'write volume/bucket in the characters that Ozone allows';

/** A part that no name of Ozone can be is refused: it would wait for its buckets for ever. */
const couldMatch = (part: string): boolean => {
  const least = part.replaceAll('*', '').length;
  return least <= LONGEST && (part.includes('*') || least >= SHORTEST) && !/^[._-]|[._-]$/.test(part);
};

/** `volume/bucket` with `*` for any characters and `?` for one, never across the `/`. At least one of them is in it. */
export const BucketGlob = z
  .string()
  .max(2 * (LONGEST + 10) + 1, 'write a shorter one')
  .regex(/^(?=.*[*?])[a-z0-9._*?-]+\/[a-z0-9._*?-]+$/, GLOB_FORM)
  .refine((glob) => !glob.includes('**'), 'write * once: it never stands for a /')
  .refine(
    (glob) => glob.split('/').every(couldMatch),
    'no bucket can have such a name: volume and bucket have 3 to 63 characters each, the first and the last a letter or digit',
  )
  .brand<'BucketGlob'>();
export type BucketGlob = z.infer<typeof BucketGlob>;

const hasWildcard = (text: string): boolean => /[*?]/.test(text);

/** What a policy names its buckets by: one of them, or all that look like it. */
export const BucketPattern = z.union([BucketRef, BucketGlob]);
export type BucketPattern = z.infer<typeof BucketPattern>;

/** As a person writes it: what is wrong is said of the form that was meant. */
export const WrittenBucket = z
  .string()
  .regex(/^[a-z0-9._*?-]+\/[a-z0-9._*?-]+$/, GLOB_FORM)
  .transform((text, context): BucketPattern => {
    const read = hasWildcard(text) ? BucketGlob.safeParse(text) : BucketRef.safeParse(text);
    if (read.success) return read.data;
    for (const { message } of read.error.issues) context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

export const isGlob = (pattern: BucketPattern): pattern is BucketGlob => hasWildcard(pattern);

const regexes = new Map<BucketGlob, RegExp>();
const regexOf = (glob: BucketGlob): RegExp => {
  const known = regexes.get(glob);
  if (known) return known;
  const made = new RegExp(`^${glob.replace(/[.]/g, '\\.').replaceAll('*', '[^/]*').replaceAll('?', '[^/]')}$`);
  regexes.set(glob, made);
  return made;
};

/** Scratch buckets of drills come and go beside what they are of: only somebody who names one means it. */
const isScratch = (bucket: BucketRef): boolean => bucket.includes('/odr-drill-');

export const matches = (pattern: BucketPattern, bucket: BucketRef): boolean =>
  isGlob(pattern) ? !isScratch(bucket) && regexOf(pattern).test(bucket) : pattern === bucket;

interface Patterns {
  readonly buckets: readonly BucketPattern[];
}

/** Whether a bucket is of a policy, or of a version of it: by its name, or by a glob. */
export const covers = ({ buckets }: Patterns, bucket: BucketRef): boolean =>
  buckets.some((pattern) => matches(pattern, bucket));

export const hasGlobs = ({ buckets }: Patterns): boolean => buckets.some(isGlob);

export const namesIn = ({ buckets }: Patterns): readonly BucketRef[] =>
  buckets.flatMap((pattern) => (isGlob(pattern) ? [] : [pattern]));

/** A bucket that a glob gave: when a listing first showed it, and since when listings do not; null while they do. */
export const EnrolledBucket = z.object({ bucket: BucketRef, since: EpochMs, vanished: EpochMs.nullable() });
export type EnrolledBucket = z.infer<typeof EnrolledBucket>;

/** What the globs of a policy gave. Only a whole listing changes it. */
export const Enrolment = z.object({
  policy: PolicyName,
  revision: z.number().int().nonnegative(),
  /** When the cluster was last listed; null before the first time. */
  listedAt: EpochMs.nullable(),
  /** By name. */
  buckets: z.array(EnrolledBucket),
});
export type Enrolment = z.infer<typeof Enrolment>;

export const emptyEnrolment = (policy: PolicyName): Enrolment => ({
  policy,
  revision: 0,
  listedAt: null,
  buckets: [],
});

/** The buckets that a policy has now: those that it names, and those that its globs gave and that have not vanished. */
export const bucketsOf = (policy: Patterns, enrolment: Pick<Enrolment, 'buckets'>): readonly BucketRef[] => [
  ...new Set([
    ...namesIn(policy),
    ...enrolment.buckets.flatMap(({ bucket, vanished }) =>
      vanished === null && covers(policy, bucket) ? [bucket] : [],
    ),
  ]),
];
