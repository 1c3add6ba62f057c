import { bucketsOf, type Enrolment, emptyEnrolment, hasGlobs } from '../domain/buckets.ts';
import type { NamedPolicy, Policy } from '../domain/policy.ts';
import type { Ledger } from '../ports.ts';
import { inParallel } from './in-parallel.ts';

const AT_ONCE = 20;

/** What the globs of a policy gave; without globs nothing is read. */
export const enrolmentOf = async (ledger: Pick<Ledger, 'loadEnrolment'>, policy: Policy): Promise<Enrolment> =>
  hasGlobs(policy) ? ledger.loadEnrolment(policy.name) : emptyEnrolment(policy.name);

export const withNames = (policy: Policy, enrolment: Enrolment): NamedPolicy => ({
  ...policy,
  buckets: [...bucketsOf(policy, enrolment)],
});

/** Policies with the buckets that they have now, for whoever enumerates them: one read for each that has globs. */
export const namedPolicies = (
  ledger: Pick<Ledger, 'loadEnrolment'>,
  policies: readonly Policy[],
): Promise<readonly NamedPolicy[]> =>
  inParallel(policies, AT_ONCE, async (policy) => withNames(policy, await enrolmentOf(ledger, policy)));
