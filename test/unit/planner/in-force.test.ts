import { describe, expect, it } from 'vitest';
import { BucketRef, PolicyName } from '../../../functions/core/domain/names.ts';
import type { Policy } from '../../../functions/core/domain/policy.ts';
import { type PolicyState, type PolicyVersion, Retention } from '../../../functions/core/domain/retention.ts';
import { type EpochMs, epochMs, seconds } from '../../../functions/core/domain/units.ts';
import { settingsInForce, withVersion } from '../../../functions/core/planner/in-force.ts';
import { KEEP_EVERYTHING } from '../../../functions/core/planner/ratchet.ts';
import { policyOf } from './lineage-world.ts';

const HOUR = 3_600_000;
const now = epochMs(Date.UTC(2026, 10, 21, 12));
const ago = (hours: number) => epochMs(now - hours * HOUR);
const inHours = (hours: number) => epochMs(now + hours * HOUR);

const base = policyOf({});
const retentionOf = (keepLast: number, coolingOffHours: number, zone = 'UTC'): Retention =>
  Retention.parse({ zone, source: { keepLast }, replica: { keepLast }, coolingOffHours });
const policyWith = (retention: Retention | null): Policy => ({ ...base, retention });
const version = (since: EpochMs, retention: Retention | null): PolicyVersion => ({
  since,
  retention,
  rpo: seconds(3600),
  rto: seconds(3600),
  buckets: [BucketRef.parse('sales/orders')],
});
const stateOf = (...versions: readonly PolicyVersion[]): PolicyState => ({
  policy: PolicyName.parse('nightly'),
  revision: 1,
  versions: [...versions],
});
/** What counts besides the rules that the policy has. */
const former = (retention: Retention, state: PolicyState, at = now) =>
  settingsInForce(policyWith(retention), state, at)?.inForce.source.slice(1);

const long = retentionOf(30, 72);
const tight = retentionOf(1, 0);

describe('rules that replace others', () => {
  it('wait although the retention was taken out for four days before they came', () => {
    const state = stateOf(version(ago(2000), long), version(ago(97), null), version(ago(1), tight));
    expect(former(tight, state)).toEqual([{ rules: KEEP_EVERYTHING, zone: 'UTC', until: inHours(71) }]);
    expect(former(tight, state, inHours(71))).toEqual([]);
  });

  it('wait although nobody has recorded yet that the policy has a retention now', () => {
    expect(former(tight, stateOf(version(ago(2000), null)))).toEqual([
      { rules: KEEP_EVERYTHING, zone: 'UTC', until: inHours(72) },
    ]);
  });

  it.each([
    ['never seen', [], 72],
    ['seen first an hour ago', [version(ago(1), tight)], 71],
  ])(
    'wait for 72 hours where the policy was %s, without any cooling-off of their own',
    (_sentence, versions, hours) => {
      expect(former(tight, stateOf(...versions))).toEqual([
        { rules: KEEP_EVERYTHING, zone: 'UTC', until: inHours(hours) },
      ]);
    },
  );

  it('wait for the longest cooling-off of all that count, also when it was shortened just before', () => {
    const state = stateOf(version(ago(2000), long), version(ago(2), retentionOf(20, 0)), version(ago(1), tight));
    expect(former(tight, state)).toEqual([
      { rules: { keepLast: 30 }, zone: 'UTC', until: inHours(70) },
      { rules: { keepLast: 20 }, zone: 'UTC', until: inHours(71) },
    ]);
  });

  it('are judged in their own zone each, and the same rules in another zone are others', () => {
    const state = stateOf(version(ago(2000), retentionOf(30, 72, 'Asia/Tokyo')), version(ago(1), long));
    expect(former(long, state)).toEqual([{ rules: { keepLast: 30 }, zone: 'Asia/Tokyo', until: inHours(71) }]);
  });
});

describe('the versions that are kept', () => {
  const told = (state: PolicyState, retention: Retention, at = now) => {
    const next = withVersion(state, policyWith(retention), at);
    return next?.versions.map(({ since }) => (since - now) / HOUR);
  };

  it('are those that count, and one that was there before any cooling-off', () => {
    const state = stateOf(version(ago(4000), long), version(ago(2000), tight), version(ago(1000), retentionOf(2, 0)));
    expect(told(state, tight)).toEqual([-1000, 0]);
    expect(told(state, retentionOf(5, 0))).toEqual([-1000, 0]);
  });

  it('date when the policy was first seen, through several changes of one day', () => {
    const state = stateOf(
      version(ago(1000), tight),
      version(ago(2), retentionOf(2, 0)),
      version(ago(1), retentionOf(3, 0)),
    );
    const next = withVersion(state, policyWith(tight), now);
    expect(next?.versions.map(({ since }) => (since - now) / HOUR)).toEqual([-1000, -2, -1, 0]);
    // Everything was kept a thousand hours ago, not an hour ago.
    expect(former(tight, next ?? state)).toEqual([]);
  });
});
