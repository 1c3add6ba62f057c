import { describe, expect, it } from 'vitest';
import {
  BucketPattern,
  bucketsOf,
  covers,
  type Enrolment,
  emptyEnrolment,
} from '../../../functions/core/domain/buckets.ts';
import { BucketRef } from '../../../functions/core/domain/names.ts';
import type { PolicyState } from '../../../functions/core/domain/retention.ts';
import { type EpochMs, epochMs } from '../../../functions/core/domain/units.ts';
import { enrol, enrolmentSentences } from '../../../functions/core/planner/enrol.ts';
import { bucketsInForce, weakened } from '../../../functions/core/planner/in-force.ts';
import { policyOf } from './lineage-world.ts';

const HOUR = 3_600_000;
const now = epochMs(Date.UTC(2026, 10, 21, 12));
const at = (hours: number): EpochMs => epochMs(now + hours * HOUR);
const names = (...of: readonly string[]) => of.map((it) => BucketRef.parse(it));
const policyFor = (...patterns: readonly string[]) => ({
  ...policyOf({}),
  retention: null,
  buckets: patterns.map((it) => BucketPattern.parse(it)),
});
const fresh: PolicyState = { policy: policyOf({}).name, revision: 0, versions: [] };
const nothing = emptyEnrolment(fresh.policy);

const enrolled = (
  policy: ReturnType<typeof policyFor>,
  before: Enrolment,
  listed: readonly BucketRef[],
  when: EpochMs = now,
  state = fresh,
) => {
  const result = enrol(policy, state, before, listed, when);
  if (result.kind === 'refused') throw new Error(result.reason);
  return result;
};

describe('the buckets of a policy', () => {
  it.each([
    ['sales/*', 'sales/orders', true],
    ['sales/*', 'sales-eu/orders', false],
    ['*/orders-?', 'sales/orders-1', true],
    ['*/orders-?', 'sales/orders-12', false],
    ['sa*', 'sales/orders', false],
    ['*/orders.v1', 'sales/orders-v1', false],
    ['sales/orders', 'sales/orders', true],
    ['sales/orders', 'sales/orders2', false],
  ])('%s and %s: %s', (pattern, bucket, isCovered) => {
    // Also what no policy could have: nothing stands for a slash.
    expect(covers({ buckets: [pattern as BucketPattern] }, BucketRef.parse(bucket))).toBe(isCovered);
  });

  it('a scratch bucket of a drill is enrolled by no glob', () => {
    expect(covers(policyFor('sales/*'), BucketRef.parse('sales/odr-drill-0a1b'))).toBe(false);
  });

  it('are those that it names, and those that its globs gave and that are still there', () => {
    const policy = policyFor('sales/orders', 'hrm/*');
    const { enrolment } = enrolled(policy, nothing, names('hrm/pay', 'hrm/staff', 'sales/orders', 'ops/logs'));
    expect(bucketsOf(policy, enrolment)).toEqual(['sales/orders', 'hrm/pay', 'hrm/staff']);
    const later = enrolled(policy, enrolment, names('hrm/pay'), at(24));
    expect(bucketsOf(policy, later.enrolment)).toEqual(['sales/orders', 'hrm/pay']);
  });
});

describe('a listing of the source', () => {
  const policy = policyFor('sales/*');
  const first = enrolled(policy, nothing, names('sales/a-1', 'sales/b-1'));

  it('enrols what is new, and says since when', () => {
    expect(first.added).toEqual(['sales/a-1', 'sales/b-1']);
    const second = enrolled(policy, first.enrolment, names('sales/a-1', 'sales/b-1', 'sales/c-1'), at(24));
    expect(second.added).toEqual(['sales/c-1']);
    expect(second.enrolment.buckets).toEqual([
      { bucket: 'sales/a-1', since: now, vanished: null },
      { bucket: 'sales/b-1', since: now, vanished: null },
      { bucket: 'sales/c-1', since: at(24), vanished: null },
    ]);
  });

  it('says once which vanished, and they stay under the policy until they have cooled off', () => {
    const gone = enrolled(policy, first.enrolment, names('sales/b-1'), at(24));
    expect(gone).toMatchObject({ added: [], vanished: ['sales/a-1'] });
    expect(bucketsInForce(policy, fresh, gone.enrolment, at(24 + 71))).toEqual(['sales/b-1', 'sales/a-1']);
    expect(bucketsInForce(policy, fresh, gone.enrolment, at(24 + 72))).toEqual(['sales/b-1']);
    const next = enrolled(policy, gone.enrolment, names('sales/b-1'), at(48));
    expect(next.vanished).toEqual([]);
    expect(next.enrolment.buckets[0]).toEqual({ bucket: 'sales/a-1', since: now, vanished: at(24) });
    expect(enrolmentSentences(policy, fresh, next.enrolment, next, at(48))).toEqual([
      `${policy.name}: 1 vanished earlier: sales/a-1`,
    ]);
    const over = enrolled(policy, next.enrolment, names('sales/b-1'), at(24 + 72));
    expect(over.enrolment.buckets.map(({ bucket }) => bucket)).toEqual(['sales/b-1']);
  });

  it('enrols one that came back anew', () => {
    const gone = enrolled(policy, first.enrolment, names('sales/b-1'), at(24));
    const back = enrolled(policy, gone.enrolment, names('sales/a-1', 'sales/b-1'), at(48));
    expect(back.added).toEqual(['sales/a-1']);
    expect(back.enrolment.buckets[0]).toEqual({ bucket: 'sales/a-1', since: at(48), vanished: null });
  });

  it('refuses a glob that matches nothing, and says what there is', () => {
    const slip = policyFor('sales/*', 'sails/*');
    expect(enrol(slip, fresh, nothing, names('sales/a-1'), now)).toEqual({
      kind: 'refused',
      reason: `no bucket of ${slip.source.name} matches sails/*: correct the glob, take it out of the policy ${slip.name}, or make a bucket that it matches (there are, among others, sales/a-1)`,
    });
  });

  it('does not refuse a glob all of whose buckets vanished, until they have cooled off', () => {
    expect(enrol(policy, fresh, first.enrolment, [], at(24))).toMatchObject({
      kind: 'enrolled',
      vanished: ['sales/a-1', 'sales/b-1'],
    });
    const gone = enrolled(policy, first.enrolment, [], at(24));
    expect(enrol(policy, fresh, gone.enrolment, [], at(24 + 72)).kind).toBe('refused');
  });

  it('keeps the buckets of a glob that was taken out while it cools off, and says each as taken out', () => {
    const version = (since: EpochMs, ...patterns: readonly string[]) => ({
      since,
      retention: null,
      ...policy.objectives,
      buckets: policyFor(...patterns).buckets,
    });
    const before = version(now, 'sales/*', 'hrm/*');
    const after = version(at(10), 'sales/a-*');
    const both = enrolled(policyFor('sales/*', 'hrm/*'), nothing, names('sales/a-1', 'sales/b-1', 'hrm/pay'));
    const state = { ...fresh, versions: [before, after] };
    const narrower = policyFor('sales/a-*');
    const kept = enrolled(narrower, both.enrolment, names('sales/a-1', 'sales/b-1', 'hrm/pay'), at(11), state);
    expect(bucketsInForce(narrower, state, kept.enrolment, at(11))).toEqual(['hrm/pay', 'sales/a-1', 'sales/b-1']);
    expect(bucketsOf(narrower, kept.enrolment)).toEqual(['sales/a-1']);
    expect(weakened(before, after, kept.enrolment).map(({ sentence }) => sentence)).toEqual([
      'hrm/pay was taken out of the policy',
      'sales/b-1 was taken out of the policy',
    ]);
    const cooled = enrolled(narrower, kept.enrolment, names('sales/a-1', 'sales/b-1', 'hrm/pay'), at(10 + 73), state);
    expect(cooled.enrolment.buckets.map(({ bucket }) => bucket)).toEqual(['sales/a-1']);
  });
});
