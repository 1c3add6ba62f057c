import { describe, expect, it } from 'vitest';
import { Policy, PolicyFile, resolvePolicies } from '../../../functions/core/domain/policy.ts';
import { CalendarSpan, RetentionRules, spanParts } from '../../../functions/core/domain/retention.ts';

describe('retention rules as a person writes them', () => {
  it.each([
    ['a count', { keepLast: 1 }],
    ['a count for ever', { keepYearly: 'unlimited' }],
    ['a span', { keepWithin: '2y5m7d3h' }],
    ['a zero beside a rule that keeps', { keepHourly: 0, keepDaily: 7 }],
    ['a number of verified points beside a rule', { keepDaily: 7, minGood: 3 }],
  ])('%s is taken as written', (_sentence, written) => {
    expect(RetentionRules.parse(written)).toEqual(written);
  });

  it.each([
    ['nothing at all', {}],
    ['zero everything', { keepLast: 0, keepHourly: 0, keepDaily: 0 }],
    ['only a number of verified points, which is no rule', { minGood: 3 }],
    ['a negative count', { keepLast: -1 }],
    ['a fraction', { keepDaily: 1.5 }],
    ['a number in quotes', { keepDaily: '7' }],
    ['a misspelt forever', { keepDaily: 'Unlimited' }],
    ['a misspelt rule beside a good one', { keepLast: 3, keepDayly: 7 }],
    ['a rule of other tools', { keepLast: 3, keepTag: 'x' }],
    ['null', { keepLast: 3, keepDaily: null }],
    ['an unknown unit', { keepWithin: '3x' }],
    ['weeks, which are written as 7d', { keepWithin: '2w' }],
    ['an unknown unit between known ones', { keepWithin: '1y4m3w1d' }],
    ['a negative span', { keepWithin: '-7d' }],
    ['a negative part', { keepWithin: '2y7m-5d' }],
    ['a span of zero', { keepWithin: '0d' }],
    ['a number without a unit', { keepWithin: '7' }],
    ['a bare number', { keepWithin: 7 }],
    ['a unit without a number', { keepWithin: 'd' }],
    ['one unit twice', { keepWithin: '1y2y' }],
    ['blanks', { keepWithin: ' 7d' }],
    ['an empty span', { keepWithin: '' }],
    ['digits of another script', { keepWithin: '\u{7c0}d' }],
    ['no verified point', { keepLast: 3, minGood: 0 }],
    ['a list', []],
  ])('%s is refused', (_sentence, written) => {
    expect(RetentionRules.safeParse(written).success).toBe(false);
  });

  it('says how to write a span', () => {
    const refused = RetentionRules.safeParse({ keepWithin: '2w' });
    expect(refused.error?.issues[0]?.message).toMatch(/y \(years\), m \(months\), d \(days\), h \(hours\).*7d, not 1w/);
  });

  it('reads the parts of a span in any order', () => {
    expect(spanParts(CalendarSpan.parse('4h3d9m'))).toEqual({ years: 0, months: 9, days: 3, hours: 4 });
    expect(spanParts(CalendarSpan.parse('2y5m7d3h'))).toEqual({ years: 2, months: 5, days: 7, hours: 3 });
  });
});

describe('retention in a policy', () => {
  const file = (replica: string | undefined, retention: unknown) => ({
    clusters: {
      berlin: { service: 'ozone-berlin', hosts: ['mi-0a1b2c3d4e5f60001'] },
      paris: { service: 'ozone-paris', hosts: ['mi-0a1b2c3d4e5f60002'] },
    },
    policies: {
      nightly: {
        source: 'berlin',
        ...(replica ? { replica } : {}),
        buckets: ['sales/orders'],
        schedules: [],
        objectives: { rpo: '26h', rto: '4h' },
        ...(retention ? { retention } : {}),
      },
    },
  });
  const rules = { keepDaily: 7 };
  const both = { zone: 'Europe/Berlin', source: rules, replica: { keepDaily: 30 } };
  const problem = (written: unknown) => PolicyFile.safeParse(written).error?.issues[0]?.path.join('.');

  it('is null where nothing is written: nothing is ever deleted', () => {
    expect(resolvePolicies(PolicyFile.parse(file('paris', undefined)))[0]?.retention).toBeNull();
  });

  it('has a day of grace, 100 deletions per run and 72 hours of cooling-off unless written otherwise', () => {
    const [policy] = resolvePolicies(PolicyFile.parse(file('paris', both)));
    expect(policy?.retention).toEqual({
      ...both,
      cron: '30 4 * * ? *',
      graceHours: 24,
      maxDeletions: 100,
      coolingOffHours: 72,
    });
    expect(Policy.parse(JSON.parse(JSON.stringify(policy)))).toEqual(policy);
  });

  it('speaks of the sides that there are', () => {
    const { replica: _, ...sourceOnly } = both;
    expect(problem(file('paris', sourceOnly))).toBe('policies.nightly.retention.replica');
    expect(problem(file(undefined, both))).toBe('policies.nightly.retention.replica');
    expect(problem(file(undefined, sourceOnly))).toBeUndefined();
  });

  it.each([
    ['no grace', { graceHours: 0 }],
    ['no deletions', { maxDeletions: 0 }],
    ['an unknown field', { graceDays: 1 }],
    ['an offset for a zone', { zone: '+01:00' }],
    ['an unknown zone', { zone: 'Europe/Bärlin' }],
  ])('is refused with %s', (_sentence, more) => {
    expect(problem(file('paris', { ...both, ...more }))).toMatch(/^policies\.nightly\.retention/);
  });
});
