import { describe, expect, it } from 'vitest';
import { parsePolicies } from '../../../cdk/config/load-policies.ts';
import { resolvePolicies } from '../../../functions/core/domain/policy.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { monthOf, type Night, nightOf, total, type Usage, without, workOf } from '../../cost/model.ts';
import { metricsIn, usageOf } from '../../cost/night.ts';

const none: Usage = {
  transition: 0,
  invocation: 0,
  gigabyteSecond: 0,
  readUnit: 0,
  writeUnit: 0,
  remoteCommand: 0,
  s3Write: 0,
  s3Read: 0,
  schedule: 0,
  event: 0,
  logGigabyte: 0,
  tableGigabyte: 0,
  recordGigabyte: 0,
  outputGigabyte: 0,
};
const usage = (some: Partial<Usage>): Usage => ({ ...none, ...some });

/** Two buckets every night, pruned every night, each drilled once in fifteen days. */
const [policy] = resolvePolicies(
  parsePolicies(
    `
clusters:
  prod: { service: prod, hosts: [i-0aaaaaaaaaaaaaaa0] }
  dr: { service: dr, hosts: [mi-0bbbbbbbbbbbbbbb0] }
policies:
  nightly:
    source: prod
    replica: dr
    buckets: [sales/orders, sales/offers]
    schedules: [{ cron: '0 2 * * ? *', zone: Etc/UTC }]
    objectives: { rpo: 26h, rto: 4h }
    retention: { zone: Etc/UTC, cron: '0 4 * * ? *', source: { keepLast: 7 }, replica: { keepLast: 7 } }
    drills: { zone: Etc/UTC, cron: '0 5 * * ? *', within: 15d }
`,
    'test',
  ),
);
if (!policy) throw new Error('the file has one policy');
const from = epochMs(Date.UTC(2026, 0, 1));

const night: Night = {
  changed: usage({ transition: 20, invocation: 10, remoteCommand: 4, tableGigabyte: 0.5, outputGigabyte: 2 }),
  unchanged: usage({ transition: 15, invocation: 8 }),
  prune: usage({ transition: 10 }),
  drill: usage({ transition: 30 }),
  slot: usage({ transition: 6, writeUnit: 2 }),
  sweep: usage({ invocation: 1, schedule: 1 }),
  assessment: usage({ invocation: 1, readUnit: 3, schedule: 1 }),
  standing: { alarm: 10, compositeAlarm: 2, customMetric: 5, dashboard: 1 },
};

describe('how often what is done in thirty days', () => {
  it('every slot does every bucket, and drills do each bucket once in their span', () => {
    expect(workOf(policy, { from, perGlob: 1 })).toEqual({ slots: 90, backups: 60, prunes: 60, drills: 4, buckets: 2 });
  });

  it('without retention and drills there are backups only', () => {
    expect(workOf({ ...policy, retention: null, drills: null }, { from, perGlob: 1 })).toMatchObject({
      slots: 30,
      prunes: 0,
      drills: 0,
    });
  });
});

describe('a glob', () => {
  it('stands for as many buckets as one says', () => {
    const globs = { ...policy, buckets: ['sales/*', 'sales/orders'] as unknown as typeof policy.buckets };
    expect(workOf(globs, { from, perGlob: 100 })).toMatchObject({ buckets: 101, backups: 3030 });
  });
});

describe('what thirty days come to', () => {
  it('is the sum that one makes by hand', () => {
    const month = monthOf([policy], night, { changedShare: 0.5, from, perGlob: 1 });
    expect(month.usage).toEqual(
      usage({
        // 30 changed, 30 unchanged, 60 prunes, 4 drills, 90 slots.
        transition: 30 * 20 + 30 * 15 + 60 * 10 + 4 * 30 + 90 * 6,
        // 43,200 sweeps and 8,640 assessments in thirty days.
        invocation: 30 * 10 + 30 * 8 + 43_200 + 8_640,
        remoteCommand: 120,
        writeUnit: 180,
        // Half a unit for the second bucket in each assessment.
        readUnit: 8_640 * 3.5,
        schedule: 51_840,
        tableGigabyte: 15,
        outputGigabyte: 60,
      }),
    );
    expect(month.usd['Step Functions']).toBeCloseTo((2310 / 1000) * 0.025, 10);
    expect(month.usd.Lambda).toBeCloseTo((52_380 / 1e6) * 0.2, 10);
    expect(month.usd.DynamoDB).toBeCloseTo((30_240 * 0.125 + 180 * 0.625) / 1e6, 10);
    expect(month.usd['Systems Manager']).toBe(0);
    // Twelve months of the table with its recovery; of the outputs one.
    expect(month.usd.Storage).toBeCloseTo(12 * 15 * 0.45 + 60 * 0.023, 10);
    expect(month.usd.CloudWatch).toBeCloseTo(10 * 0.1 + 2 * 0.5 + 5 * 0.3 + 3, 10);
    expect(month.total).toBeCloseTo(0.05775 + 0.010476 + 0.0038925 + 0.05184 + 6.5 + 82.38, 6);
    expect(nightOf(month).usage.remoteCommand).toBe(4);
    expect(nightOf(month).total).toBeCloseTo(month.total / 30, 10);
  });

  it('pieces are added, and taken away from each other, never below nothing', () => {
    expect(total([[2, usage({ event: 3 })]])).toEqual(usage({ event: 6 }));
    expect(without(usage({ event: 3, s3Read: 1 }), usage({ event: 4 }))).toEqual(usage({ s3Read: 1 }));
  });
});

describe('counters in the words of the model', () => {
  it('units are read or written, the index of what is open is written with each operation', () => {
    const before = { 'dynamodb.capacityUnits.GetItem': 1, 'lambda.milliseconds': 100 };
    const after = {
      'dynamodb.capacityUnits.GetItem': 3,
      'dynamodb.capacityUnits.Query': 4.5,
      'dynamodb.capacityUnits.PutItem': 5,
      'lambda.milliseconds': 2100,
      'ssm.commands': 2,
      's3.PUT': 1,
    };
    expect(usageOf(before, after, 2_000)).toEqual(
      usage({
        ...{ readUnit: 6.5, writeUnit: 5 + 8, gigabyteSecond: 1, remoteCommand: 2, s3Write: 3 },
        logGigabyte: 0.000002,
      }),
    );
  });

  it('a metric counts once for each set of dimensions', () => {
    const line = (bucket: string) =>
      JSON.stringify({
        _aws: { CloudWatchMetrics: [{ Namespace: 'n', Dimensions: [['bucket']], Metrics: [{ Name: 'Age' }] }] },
        ...{ bucket, Age: 1 },
      });
    expect(metricsIn([line('a'), line('b'), line('a'), '{"message":"no metric"}'])).toBe(2);
  });
});
