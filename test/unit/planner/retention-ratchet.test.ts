import { describe, expect, it } from 'vitest';
import { RetentionRules } from '../../../functions/core/domain/retention.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { effectiveRules } from '../../../functions/core/planner/ratchet.ts';
import { applyRules, applyRulesGuarded } from '../../../functions/core/planner/retention.ts';

const HOUR = 3_600_000;
const now = epochMs(Date.UTC(2026, 10, 21, 12));
const ago = (hours: number) => epochMs(now - hours * HOUR);
const inHours = (hours: number) => epochMs(now + hours * HOUR);

const long = RetentionRules.parse({ keepDaily: 14, keepMonthly: 12 });
const short = RetentionRules.parse({ keepDaily: 7 });
const other = RetentionRules.parse({ keepWithin: '2m' });

describe('the ratchet', () => {
  it('rules that nobody changed are all that counts', () => {
    expect(effectiveRules(long, [{ rules: long, since: ago(1000) }], now)).toEqual([{ rules: long, until: null }]);
  });

  it('after a change the old rules count for 72 hours more, to the millisecond', () => {
    const versions = (since: number) => [
      { rules: long, since: ago(1000) },
      { rules: short, since: epochMs(since) },
    ];
    expect(effectiveRules(short, versions(ago(72) + 1), now)).toEqual([
      { rules: short, until: null },
      { rules: long, until: now + 1 },
    ]);
    expect(effectiveRules(short, versions(ago(72)), now)).toEqual([{ rules: short, until: null }]);
  });

  it('a change that was not recorded yet was made now', () => {
    expect(effectiveRules(short, [{ rules: long, since: ago(1000) }], now)).toEqual([
      { rules: short, until: null },
      { rules: long, until: inHours(72) },
    ]);
  });

  it('where nothing was recorded everything is kept for 72 hours: the first rules are a shortening too', () => {
    expect(effectiveRules(short, [], now)).toEqual([
      { rules: short, until: null },
      { rules: { keepLast: 'unlimited' }, until: inHours(72) },
    ]);
    expect(effectiveRules(short, [{ rules: short, since: ago(71) }], now)).toEqual([
      { rules: short, until: null },
      { rules: { keepLast: 'unlimited' }, until: inHours(1) },
    ]);
  });

  it('several changes within the time add up, in whatever order they were recorded', () => {
    const versions = [
      { rules: short, since: ago(10) },
      { rules: long, since: ago(500) },
      { rules: other, since: ago(40) },
    ];
    const expected = [
      { rules: short, until: null },
      { rules: long, until: inHours(32) },
      { rules: other, until: inHours(62) },
    ];
    expect(effectiveRules(short, versions, now)).toEqual(expected);
    expect(effectiveRules(short, versions.toReversed(), now)).toEqual(expected);
  });

  it('a change that was taken back leaves what lay between', () => {
    const versions = [
      { rules: long, since: ago(500) },
      { rules: short, since: ago(5) },
      { rules: long, since: ago(1) },
    ];
    expect(effectiveRules(long, versions, now)).toEqual([
      { rules: long, until: null },
      { rules: short, until: inHours(71) },
    ]);
  });

  it('the order in which rules are written is no change', () => {
    const same = RetentionRules.parse({ keepMonthly: 12, keepDaily: 14 });
    expect(effectiveRules(same, [{ rules: long, since: ago(1000) }], now)).toHaveLength(1);
  });
});

describe('the guard of age', () => {
  const hourly = Array.from({ length: 24 * 400 }, (_, index) => ({ name: `p${10_000 + index}`, at: ago(index) }));
  const count = (rules: RetentionRules, apply: typeof applyRules) =>
    apply(hourly, rules, 'Europe/Berlin', now).filter(({ kept }) => kept).length;

  it('keeps a day that is not a full number of days old yet', () => {
    const rules = RetentionRules.parse({ keepDaily: 3 });
    expect(count(rules, applyRules)).toBe(3);
    expect(count(rules, applyRulesGuarded)).toBe(4);
  });

  it.each([
    ['hours', { keepHourly: 5 }, 5],
    ['weeks, of seven days', { keepWeekly: 2 }, 3],
    ['months', { keepMonthly: 1 }, 2],
    ['years', { keepYearly: 1 }, 2],
  ] as const)('counts %s', (_sentence, written, expected) => {
    expect(count(RetentionRules.parse(written), applyRulesGuarded)).toBe(expected);
  });

  it('keeps nothing for being the oldest: which point that is changes when older ones are deleted', () => {
    const young = hourly.slice(0, 100);
    const rules = RetentionRules.parse({ keepYearly: 1 });
    expect(applyRulesGuarded(young, rules, 'UTC', now).filter(({ kept }) => kept)).toHaveLength(1);
  });

  it('has no age for the last points and nothing to add to unlimited ones', () => {
    expect(count(RetentionRules.parse({ keepLast: 5 }), applyRulesGuarded)).toBe(5);
    const all = RetentionRules.parse({ keepDaily: 'unlimited' });
    expect(count(all, applyRulesGuarded)).toBe(count(all, applyRules));
  });

  it('says so', () => {
    const reasons = applyRulesGuarded(hourly, RetentionRules.parse({ keepDaily: 1 }), 'UTC', now)
      .filter(({ kept }) => kept)
      .map((point) => point.reasons);
    expect(reasons).toEqual([['daily snapshot', 'daily snapshot younger than 1d'], ['daily snapshot younger than 1d']]);
  });
});
