import { describe, expect, it } from 'vitest';
import { RetentionRules } from '../../../functions/core/domain/retention.ts';
import { epochMs, seconds } from '../../../functions/core/domain/units.ts';
import { effectiveRules, KEEP_EVERYTHING } from '../../../functions/core/planner/ratchet.ts';
import { applyRules, applyRulesGuarded } from '../../../functions/core/planner/retention.ts';

const HOUR = 3_600_000;
const now = epochMs(Date.UTC(2026, 10, 21, 12));
const ago = (hours: number) => epochMs(now - hours * HOUR);
const inHours = (hours: number) => epochMs(now + hours * HOUR);

const long = RetentionRules.parse({ keepDaily: 14, keepMonthly: 12 });
const short = RetentionRules.parse({ keepDaily: 7 });
const other = RetentionRules.parse({ keepWithin: '2m' });

const of = (rules: RetentionRules, zone = 'Europe/Berlin') => ({ rules, zone });

describe('the ratchet', () => {
  it('rules that nobody changed are all that counts', () => {
    expect(effectiveRules(of(long), [{ ...of(long), since: ago(1000) }], now)).toEqual([{ ...of(long), until: null }]);
  });

  it('after a change the old rules count for 72 hours more, to the millisecond', () => {
    const versions = (since: number) => [
      { ...of(long), since: ago(1000) },
      { ...of(short), since: epochMs(since) },
    ];
    expect(effectiveRules(of(short), versions(ago(72) + 1), now)).toEqual([
      { ...of(short), until: null },
      { ...of(long), until: now + 1 },
    ]);
    expect(effectiveRules(of(short), versions(ago(72)), now)).toEqual([{ ...of(short), until: null }]);
  });

  it('a change that was not recorded yet was made now', () => {
    expect(effectiveRules(of(short), [{ ...of(long), since: ago(1000) }], now)).toEqual([
      { ...of(short), until: null },
      { ...of(long), until: inHours(72) },
    ]);
  });

  it('where nothing was recorded everything is kept for 72 hours: the first rules are a shortening too', () => {
    expect(effectiveRules(of(short), [], now)).toEqual([
      { ...of(short), until: null },
      { ...of(KEEP_EVERYTHING), until: inHours(72) },
    ]);
    expect(effectiveRules(of(short), [{ ...of(short), since: ago(71) }], now)).toEqual([
      { ...of(short), until: null },
      { ...of(KEEP_EVERYTHING), until: inHours(1) },
    ]);
  });

  it('several changes within the time add up, in whatever order they were recorded', () => {
    const versions = [
      { ...of(short), since: ago(10) },
      { ...of(long), since: ago(500) },
      { ...of(other), since: ago(40) },
    ];
    const expected = [
      { ...of(short), until: null },
      { ...of(long), until: inHours(32) },
      { ...of(other), until: inHours(62) },
    ];
    expect(effectiveRules(of(short), versions, now)).toEqual(expected);
    expect(effectiveRules(of(short), versions.toReversed(), now)).toEqual(expected);
  });

  it('a change that was taken back leaves what lay between', () => {
    const versions = [
      { ...of(long), since: ago(500) },
      { ...of(short), since: ago(5) },
      { ...of(long), since: ago(1) },
    ];
    expect(effectiveRules(of(long), versions, now)).toEqual([
      { ...of(long), until: null },
      { ...of(short), until: inHours(71) },
    ]);
  });

  it('the order in which rules are written is no change', () => {
    const same = RetentionRules.parse({ keepMonthly: 12, keepDaily: 14 });
    expect(effectiveRules(of(same), [{ ...of(long), since: ago(1000) }], now)).toHaveLength(1);
  });

  it('the same rules in another zone are other rules: those of the former zone count on', () => {
    expect(effectiveRules(of(long), [{ ...of(long, 'Asia/Tokyo'), since: ago(1000) }], now)).toEqual([
      { ...of(long), until: null },
      { ...of(long, 'Asia/Tokyo'), until: inHours(72) },
    ]);
  });

  it('the first rules wait for 72 hours, however short they say that the cooling-off is', () => {
    for (const recorded of [[], [{ ...of(short), since: now }]])
      expect(effectiveRules(of(short), recorded, now, seconds(0))).toEqual([
        { ...of(short), until: null },
        { ...of(KEEP_EVERYTHING), until: inHours(72) },
      ]);
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
