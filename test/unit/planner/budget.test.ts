import { describe, expect, it } from 'vitest';
import { parsePolicies } from '../../../cdk/config/load-policies.ts';
import { play } from '../../../functions/cli/simulation/play.ts';
import { type Policy, resolvePolicies, Schedule } from '../../../functions/core/domain/policy.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import {
  budgetsOf,
  expectedSnapshots,
  forecastExhaustion,
  problemsOfBudget,
} from '../../../functions/core/planner/budget.ts';

interface Sketch {
  readonly crons?: readonly string[];
  readonly source?: string;
  readonly replica?: string;
  readonly buckets?: number;
  readonly more?: string;
}

const ZONE = 'Europe/Berlin';
const limits = (berlin?: number, paris?: number) => ({ berlin, paris });

const policyFile = (policies: Readonly<Record<string, Sketch>>, { berlin, paris } = limits()): string => `
clusters:
  berlin: { service: ozone-berlin, hosts: [mi-0a1b2c3d4e5f60001]${berlin ? `, snapshotLimit: ${berlin}` : ''} }
  paris: { service: ozone-paris, hosts: [mi-0a1b2c3d4e5f60002]${paris ? `, snapshotLimit: ${paris}` : ''} }
policies:
${Object.entries(policies)
  .map(
    ([name, { crons = ['0 2 * * ? *'], source = '', replica = '', buckets = 1, more = '' }]) => `
  ${name}:
    source: berlin
    ${replica === '' && source !== '' ? '' : 'replica: paris'}
    buckets: [${Array.from({ length: buckets }, (_, index) => `sales/${name}-${index}`).join(', ')}]
    schedules: [${crons.map((cron) => `{ cron: '${cron}', zone: ${ZONE} }`).join(', ')}]
    objectives: { rpo: 26h, rto: 4h }
    ${source === '' ? '' : `retention: { zone: ${ZONE}, source: ${source}${replica === '' ? '' : `, replica: ${replica}`}${more} }`}
`,
  )
  .join('')}`;

const policiesOf = (...args: Parameters<typeof policyFile>): readonly Policy[] =>
  resolvePolicies(parsePolicies(policyFile(...args), 'p.yaml'));
const policyOf = (sketch: Sketch): Policy => {
  const [policy] = policiesOf({ nightly: { more: ', maxDeletions: 1000', ...sketch } });
  if (!policy) throw new Error('there is one');
  return policy;
};
const problem = (...args: Parameters<typeof policyFile>): string => {
  try {
    parsePolicies(policyFile(...args), 'p.yaml');
    return 'accepted';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

const usual = '{ keepHourly: 24, keepDaily: 14, keepWeekly: 8, keepMonthly: 12, keepYearly: 3 }';

describe('what a bucket comes to', () => {
  it('is what the rules keep, what waits to be deleted, and a temporary snapshot on the replica', () => {
    const policy = policyOf({ source: '{ keepDaily: 7 }', replica: '{ keepDaily: 30 }' });
    // 7 days and a part of one, the three more that a point waits for its deletion, and the noon an hour nearer.
    expect(expectedSnapshots(policy, 'source')).toEqual({ steady: 14, growthPerDay: 0 });
    expect(expectedSnapshots(policy, 'replica')).toEqual({ steady: 38, growthPerDay: 0 });
  });

  it('is more with a longer grace, and less when pruning runs more often', () => {
    const steady = (more: string, prunes = 1) =>
      expectedSnapshots(
        policyOf({ crons: ['0 * * * ? *'], source: usual, more: `, maxDeletions: 1000${more}` }),
        'source',
        prunes,
      ).steady;
    expect(steady(', graceHours: 72')).toBeGreaterThan(steady(''));
    expect(steady('', 4)).toBeLessThan(steady(''));
  });

  it.each([
    ['everything, without retention', {}, 1],
    ['everything', { source: '{ keepLast: unlimited }' }, 1],
    ['each day', { crons: ['0 * * * ? *'], source: '{ keepDaily: unlimited, keepYearly: unlimited }' }, 1],
    ['each hour that has one', { crons: ['0/15 * * * ? *'], source: '{ keepHourly: unlimited }' }, 24],
    ['each week', { source: '{ keepWeekly: unlimited }' }, 1 / 7],
    ['each year', { source: '{ keepLast: 3, keepYearly: unlimited }' }, 1 / 365],
    ['weekdays', { crons: ['0 2 ? * MON-FRI *'] }, 5 / 7],
  ])('grows without end at the rate of its schedules: %s', (_sentence, sketch, perDay) => {
    expect(expectedSnapshots(policyOf(sketch), 'source').growthPerDay).toBeCloseTo(perDay, 6);
  });

  const cases: readonly (readonly [string, readonly string[], string, number])[] = [
    ['every night', ['0 2 * * ? *'], '{ keepDaily: 14 }', 500],
    [
      'every night, of all kinds',
      ['0 2 * * ? *'],
      '{ keepLast: 5, keepDaily: 14, keepWeekly: 8, keepMonthly: 12 }',
      500,
    ],
    ['every hour', ['0 * * * ? *'], usual, 420],
    ['every hour, by age', ['0 * * * ? *'], '{ keepWithin: 3d, keepWithinDaily: 1m, keepWithinWeekly: 1y }', 420],
    ['every quarter of an hour', ['0/15 * * * ? *'], '{ keepHourly: 48, keepDaily: 7 }', 60],
    [
      'four times a day, twice on some',
      ['0 0/6 * * ? *', '30 12 ? * MON *'],
      '{ keepHourly: 30, keepWithinDaily: 20d }',
      500,
    ],
    ['on weekdays', ['0 2 ? * MON-FRI *'], '{ keepDaily: 10, keepMonthly: 6 }', 500],
    ['every month', ['0 2 L * ? *'], '{ keepMonthly: 6, keepYearly: unlimited }', 1200],
    ['in the night of the change of the clock', ['0 0-6 * * ? *'], '{ keepHourly: 50 }', 500],
    ['without end', ['0 2 * * ? *'], '{ keepDaily: 3, keepWeekly: unlimited }', 500],
  ];
  it.each(cases)(
    'is never exceeded when it is played, and not far off: %s',
    (_sentence, crons, rules, days) => {
      const policy = policyOf({ crons, source: rules, replica: rules });
      const played = play({
        policy,
        from: epochMs(Date.UTC(2025, 0, 1)),
        to: epochMs(Date.UTC(2025, 0, 1 + days)),
        outages: [],
        prunes: [Schedule.parse({ cron: '0 5 * * ? *', zone: ZONE })],
      });
      for (const [side, field] of [
        ['source', 'mostSource'],
        ['replica', 'mostReplica'],
      ] as const) {
        const { steady, growthPerDay } = expectedSnapshots(policy, side);
        const most = Math.max(...played.days.map((day) => day[field]));
        const bound = steady + Math.ceil(growthPerDay * days);
        expect(most).toBeLessThanOrEqual(bound);
        expect(bound).toBeLessThanOrEqual(most * 1.6 + 8);
      }
    },
    240_000,
  );
});

describe('a file of policies', () => {
  it('asks of each cluster what all its policies and buckets come to, whichever side it is', () => {
    const [berlin, paris, ...others] = budgetsOf(
      policiesOf({
        nightly: { source: '{ keepDaily: 7 }', replica: '{ keepDaily: 30 }', buckets: 10 },
        local: { source: '{ keepDaily: 7 }', buckets: 3 },
      }),
    );
    expect(others).toEqual([]);
    expect(berlin).toMatchObject({
      cluster: 'berlin',
      limit: 10_000,
      steady: 13 * 14,
      shares: [
        { policy: 'nightly', side: 'source', buckets: 10, steady: 140 },
        { policy: 'local', side: 'source', buckets: 3, steady: 42 },
      ],
    });
    expect(paris).toMatchObject({ cluster: 'paris', steady: 380, shares: [{ policy: 'nightly', side: 'replica' }] });
  });

  it('is refused when that is over the limit of any of them, with the number, the largest shares and what to change', () => {
    const file = {
      nightly: { source: '{ keepDaily: 7 }', replica: '{ keepDaily: 300 }', buckets: 40 },
      hourly: { crons: ['0 * * * ? *'], source: usual, replica: usual, buckets: 2 },
    };
    expect(problem(file)).toMatch(
      /^p\.yaml:4:10: clusters\.paris\.snapshotLimit: the policies of this file come to 12\d{3} snapshots on paris, over its limit of 10000: nightly \(replica\) 12\d{3}: 40 buckets with up to 308 each; hourly \(replica\) \d+: 2 buckets .*, write rules that keep fewer/,
    );
    expect(problem(file, limits(undefined, 20_000))).toBe('accepted');
    expect(problem(file, limits(800, 20_000))).toMatch(/on berlin, over its limit of 800: /);
  });

  it('at the limit is accepted, one over it is not', () => {
    const file = { nightly: { source: '{ keepDaily: 7 }', buckets: 10 } };
    expect(problem(file, limits(140))).toBe('accepted');
    expect(problem(file, limits(139))).toMatch(/come to 140 snapshots on berlin, over its limit of 139/);
  });

  it('that grows without end is accepted, as long as what it keeps besides is not too much', () => {
    expect(problem({ nightly: {} })).toBe('accepted');
    expect(problem({ nightly: { source: '{ keepDaily: 7, keepYearly: unlimited }' } })).toBe('accepted');
  });
});

describe('when the limit is passed', () => {
  const now = epochMs(Date.UTC(2026, 10, 21));
  const inDays = (days: number) => epochMs(now + days * 86_400_000);

  it('by what is never deleted, from what is there or from what the rules keep, whichever is more', () => {
    const budget = { limit: 1000, steady: 400, growthPerDay: 2, perDay: 50 };
    expect(forecastExhaustion(budget, 0, now)).toBe(inDays(300));
    expect(forecastExhaustion(budget, 600, now)).toBe(inDays(200));
  });

  it('now, when it is reached already, by what is there or by what the rules keep', () => {
    const budget = { limit: 1000, steady: 1, growthPerDay: 0, perDay: 0 };
    expect(forecastExhaustion(budget, 1000, now)).toBe(now);
    expect(forecastExhaustion(budget, 999, now)).toBeNull();
    expect(forecastExhaustion({ ...budget, steady: 1000 }, 0, now)).toBe(now);
  });

  it('never, when nothing grows', () => {
    expect(forecastExhaustion({ limit: 1000, steady: 400, growthPerDay: 0, perDay: 9 }, 400, now)).toBeNull();
    expect(forecastExhaustion({ limit: 10_000_000, steady: 1, growthPerDay: 0.003, perDay: 9 }, 1, now)).toBeNull();
  });

  it('by all that the schedules make, when more is there than the rules come to: pruning does not keep up', () => {
    const budget = { limit: 1000, steady: 400, growthPerDay: 0, perDay: 10 };
    expect(forecastExhaustion(budget, 401, now)).toBe(inDays(59.9));
    // What is never deleted may have grown to this in years: it is no sign.
    expect(forecastExhaustion({ ...budget, growthPerDay: 0.1 }, 600, now)).toBe(inDays(4000));
    expect(forecastExhaustion({ ...budget, growthPerDay: 0.1 }, 600, now, 1000)).toBe(inDays(40));
  });

  it('knows how many points the schedules of all policies make on a cluster', () => {
    const file = { nightly: { buckets: 10 }, hourly: { crons: ['0 * * * ? *'], source: usual, buckets: 2 } };
    expect(budgetsOf(policiesOf(file)).map(({ cluster, perDay }) => [cluster, perDay])).toEqual([
      ['berlin', 58],
      ['paris', 10],
    ]);
  });

  it('of a nightly policy without retention for ten buckets: in a thousand days, less a day for the temporary ones', () => {
    const [berlin, paris] = budgetsOf(policiesOf({ nightly: { buckets: 10 } }));
    if (!berlin || !paris) throw new Error('both clusters are asked');
    expect(forecastExhaustion(berlin, 0, now)).toBe(inDays(1000));
    expect(forecastExhaustion(paris, 0, now)).toBe(inDays(999));
  });
});

describe('a cap on deletions', () => {
  const hourly = (maxDeletions: number, rules = '{ keepDaily: 7 }'): Sketch => ({
    crons: ['0 * * * ? *'],
    source: rules,
    replica: rules,
    more: `, maxDeletions: ${maxDeletions}`,
  });

  it('under which more is made than ever goes is refused, with the least that would do', () => {
    expect(problem({ hourly: hourly(47) })).toMatch(
      /policies\.hourly\.retention\.maxDeletions: 47 deletions .* never catch up with the 48 a day .*, write at least 48, /,
    );
    expect(problem({ hourly: hourly(48) })).toBe('accepted');
  });

  it('counts the sides that there are, and not what is kept for ever', () => {
    expect(problem({ hourly: { ...hourly(24), replica: '' } })).toBe('accepted');
    expect(problem({ hourly: { ...hourly(23), replica: '' } })).toMatch(/write at least 24, /);
    expect(problem({ hourly: hourly(1, '{ keepLast: unlimited }') })).toBe('accepted');
  });

  it('may be lower when pruning runs more often', () => {
    const policies = policiesOf({ hourly: hourly(48) }).map((policy) => ({
      ...policy,
      retention: policy.retention && { ...policy.retention, maxDeletions: 12 },
    }));
    expect(problemsOfBudget(policies, 4)).toEqual([]);
    expect(problemsOfBudget(policies, 3).map(({ message }) => message)).toEqual([
      expect.stringMatching(/^12 deletions of a bucket in one run, 3 runs a day, never .*, write at least 16, /),
    ]);
  });

  it('is 100 unless written otherwise: enough for a point every half an hour on both sides', () => {
    const every = (cron: string) => problem({ often: { crons: [cron], source: usual, replica: usual } });
    expect(every('0/30 * * * ? *')).toBe('accepted');
    expect(every('0/20 * * * ? *')).toMatch(
      /^p\.yaml:\d+:\d+: policies\.often\.retention\.maxDeletions: 100 deletions/,
    );
  });
});
