import { describe, expect, it } from 'vitest';
import { virtualClock } from '../clock.ts';
import { Counters } from '../counters.ts';
import { NotEmulated } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { parseAlarmRule } from './alarm-rule.ts';
import { CloudWatch } from './cloudwatch.ts';
import { parseMath } from './metric-math.ts';
import { embeddedMetrics } from './metrics.ts';

const from = Date.parse('2026-11-20T12:00:00Z');
const topic = 'arn:aws:sns:eu-central-1:123456789012:people';

function aCloudWatch() {
  const clock = virtualClock(from);
  const published: { readonly subject: string; readonly message: unknown; readonly at: number }[] = [];
  const told: string[] = [];
  const cloudWatch = new CloudWatch(
    {
      clock,
      counters: new Counters(),
      authorize: () => {},
      random: () => 0.5,
      tell: (kind) => told.push(kind),
      measure: () => {},
    },
    {
      publish: (_topic, _alarm, subject, message) => published.push({ subject, message, at: clock.now() }),
      emit: () => {},
      sample: () => {},
    },
  );
  const put = (minute: number, value: number, dimensions: Readonly<Record<string, string>> = { Bucket: 'a' }) =>
    cloudWatch.metrics.put({ namespace: 'App', name: 'Age', dimensions }, [value], from + minute * 60_000);
  const alarm = (more: JsonObject = {}) =>
    cloudWatch.createAlarm('old', {
      Namespace: 'App',
      MetricName: 'Age',
      Dimensions: [{ Name: 'Bucket', Value: 'a' }],
      Statistic: 'Maximum',
      Period: 60,
      EvaluationPeriods: 1,
      Threshold: 5,
      ComparisonOperator: 'GreaterThanThreshold',
      AlarmActions: [topic],
      ...more,
    });
  const minutes = (count: number) => clock.advanceTo(clock.now() + count * 60_000);
  const state = (name = 'old') => cloudWatch.alarms().find((one) => one.name === name)?.state;
  return { cloudWatch, clock, put, alarm, minutes, state, published, told };
}

describe('alarms (CloudWatch user guide: Using Amazon CloudWatch alarms)', () => {
  it('a breaching period raises the alarm once, a fine one ends it, and the topic hears it in AWS words', async () => {
    const { cloudWatch, alarm, put, minutes, state, published } = aCloudWatch();
    alarm({ AlarmDescription: 'too old', OKActions: [topic], TreatMissingData: 'notBreaching' });
    cloudWatch.start();
    expect(state()).toBe('INSUFFICIENT_DATA');
    await minutes(3);
    expect(state()).toBe('OK');
    put(4, 9);
    put(5, 9);
    put(6, 1);
    await minutes(6);
    expect(published.map((one) => one.subject)).toEqual([
      'OK: "old" in EU (Frankfurt)',
      'ALARM: "old" in EU (Frankfurt)',
      'OK: "old" in EU (Frankfurt)',
    ]);
    expect(published[1]).toMatchObject({
      at: from + 5 * 60_000 + 10_000,
      message: {
        AlarmName: 'old',
        AlarmDescription: 'too old',
        NewStateValue: 'ALARM',
        OldStateValue: 'OK',
        Region: 'EU (Frankfurt)',
        StateChangeTime: '2026-11-20T12:05:10.000+0000',
        AlarmArn: 'arn:aws:cloudwatch:eu-central-1:123456789012:alarm:old',
        Trigger: {
          MetricName: 'Age',
          Namespace: 'App',
          Statistic: 'MAXIMUM',
          Dimensions: [{ name: 'Bucket', value: 'a' }],
          Period: 60,
          Threshold: 5,
        },
      },
    });
  });

  it('another dimension, more dimensions and none are other metrics', async () => {
    const { cloudWatch, alarm, put, minutes, state } = aCloudWatch();
    alarm();
    cloudWatch.start();
    for (const dimensions of [{ Bucket: 'b' }, { Bucket: 'a', Policy: 'p' }, {}] as const) put(2, 9, dimensions);
    await minutes(5);
    expect(state()).toBe('INSUFFICIENT_DATA');
  });

  it.each([
    ['missing', 'INSUFFICIENT_DATA'],
    ['breaching', 'ALARM'],
    ['notBreaching', 'OK'],
    ['ignore', 'INSUFFICIENT_DATA'],
  ])('when nothing ever arrives, missing data treated as %s gives %s', async (TreatMissingData, expected) => {
    const { cloudWatch, alarm, minutes, state } = aCloudWatch();
    alarm({ TreatMissingData });
    cloudWatch.start();
    await minutes(5);
    expect(state()).toBe(expected);
  });

  it.each([
    // The table of "Configuring how CloudWatch alarms treat missing data", 3 of 3, newest last; `-` is missing.
    ['0-X-X', 'OK', 'OK', 'OK', 'OK'],
    ['0----', 'OK', 'OK', 'OK', 'OK'],
    ['-----', 'INSUFFICIENT_DATA', 'INSUFFICIENT_DATA', 'ALARM', 'OK'],
    ['0XX-X', 'ALARM', 'ALARM', 'ALARM', 'ALARM'],
    ['--X--', 'ALARM', 'INSUFFICIENT_DATA', 'ALARM', 'OK'],
  ])('%s: missing %s, ignore %s, breaching %s, notBreaching %s', async (points, ...expected) => {
    const treatments = ['missing', 'ignore', 'breaching', 'notBreaching'];
    const found: (string | undefined)[] = [];
    for (const TreatMissingData of treatments) {
      const { cloudWatch, alarm, put, minutes, state } = aCloudWatch();
      await minutes(5);
      alarm({ TreatMissingData, EvaluationPeriods: 3 });
      [...points].forEach((point, minute) => {
        if (point !== '-') put(minute + 3, point === 'X' ? 9 : 1);
      });
      await minutes(2.5);
      cloudWatch.start();
      await minutes(1);
      found.push(state());
    }
    expect(found).toEqual(expected);
  });

  it('two of three periods are enough when DatapointsToAlarm says so', async () => {
    const { cloudWatch, alarm, put, minutes, state } = aCloudWatch();
    alarm({ EvaluationPeriods: 3, DatapointsToAlarm: 2 });
    cloudWatch.start();
    for (const [minute, value] of [9, 1, 9].entries()) put(minute, value);
    await minutes(3.5);
    expect(state()).toBe('ALARM');
  });

  it('metric math over several metrics, with FILL, sees that nothing ran', async () => {
    const { cloudWatch, minutes, state, clock } = aCloudWatch();
    const metric = (Id: string, MetricName: string) => ({
      Id,
      MetricStat: { Metric: { Namespace: 'AWS/Lambda', MetricName }, Period: 300, Stat: 'Sum' },
      ReturnData: false,
    });
    cloudWatch.createAlarm('idle', {
      Metrics: [
        { Id: 'good', Expression: 'FILL(calls, 0) - FILL(errors, 0)' },
        metric('calls', 'Invocations'),
        metric('errors', 'Errors'),
      ],
      EvaluationPeriods: 1,
      Threshold: 1,
      ComparisonOperator: 'LessThanThreshold',
      TreatMissingData: 'breaching',
    });
    cloudWatch.start();
    for (let minute = 0; minute < 10; minute++) {
      cloudWatch.measure('AWS/Lambda', 'Invocations', {}, 1);
      await clock.advanceTo(clock.now() + 60_000);
    }
    expect(state('idle')).toBe('OK');
    await minutes(6);
    expect(state('idle')).toBe('ALARM');
  });

  it('a composite alarm follows its rule', async () => {
    const { cloudWatch, alarm, put, minutes, state } = aCloudWatch();
    alarm({ TreatMissingData: 'notBreaching' });
    cloudWatch.createCompositeAlarm('all', { AlarmRule: 'ALARM("old") AND NOT (OK(old) OR FALSE)' });
    cloudWatch.start();
    await minutes(2);
    expect(state('all')).toBe('OK');
    put(2, 9);
    await minutes(1.5);
    expect(state('all')).toBe('ALARM');
  });

  it.each([
    ['a percentile', { Statistic: 'p99' }],
    ['a period of 10 seconds', { Period: 10 }],
    ['an action that is no topic', { AlarmActions: ['arn:aws:lambda:eu-central-1:123456789012:function:f'] }],
    ['a property that nobody reads', { EvaluateLowSampleCountPercentile: 'ignore' }],
  ])('%s is refused', (_what, more) => {
    expect(() => aCloudWatch().alarm(more)).toThrow(NotEmulated);
  });
});

describe('metric math (CloudWatch user guide: Using metric math)', () => {
  const ids = ['a', 'b'];
  it.each([
    ['a + b * 2', { a: 1, b: 3 }, 7],
    ['(a + b) * 2 - 1', { a: 1, b: 3 }, 7],
    ['a / b', { a: 1, b: 0 }, undefined],
    ['a + b', { a: 1 }, undefined],
    ['FILL(a, 0) + FILL(b, 5)', { a: 1 }, 6],
  ])('%s of %j is %s', (text, values: Readonly<Record<string, number>>, expected) => {
    expect(parseMath(text, ids)(values)).toBe(expected);
  });
  it.each(['a + c', 'IF(a > 1, a, b)', 'FILL(a, REPEAT)', 'SUM(METRICS())', 'a +', 'a b', ''])(
    '%s is refused',
    (text) => {
      expect(() => parseMath(text, ids)).toThrow(NotEmulated);
    },
  );
  it.each(['ALARM(unknown)', 'ALARM(a) XOR ALARM(b)', 'ALARM(a', 'ALARM(a) ALARM(b)'])(
    'the rule %s is refused',
    (text) => {
      expect(() => parseAlarmRule(text, (name) => ids.includes(name))).toThrow(NotEmulated);
    },
  );
});

describe('the embedded metric format (CloudWatch user guide: Specification)', () => {
  const line = (more: JsonObject = {}) =>
    JSON.stringify({
      _aws: {
        Timestamp: from,
        CloudWatchMetrics: [
          { Namespace: 'App', Dimensions: [['Bucket'], []], Metrics: [{ Name: 'Age', Unit: 'Seconds' }] },
        ],
      },
      Bucket: 'a',
      Age: [1, 2],
      ...more,
    });
  it('each dimension set is a metric of its own', () => {
    expect(embeddedMetrics(line())).toEqual([
      { id: { namespace: 'App', name: 'Age', dimensions: { Bucket: 'a' } }, values: [1, 2], at: from },
      { id: { namespace: 'App', name: 'Age', dimensions: {} }, values: [1, 2], at: from },
    ]);
    expect(embeddedMetrics('{"message":"no metric"}')).toEqual([]);
  });
  it.each([
    ['a dimension without its value', { Bucket: null }, 'dimension Bucket is no text'],
    ['a value that is text', { Age: '1' }, 'Age is no number and no list of at most 100 numbers'],
  ])('%s is told', (_what, more, reason) => {
    expect(embeddedMetrics(line(more))).toBe(reason);
    const { cloudWatch, told } = aCloudWatch();
    cloudWatch.logLine(line(more));
    expect(told).toEqual(['metric-refused']);
  });
});
