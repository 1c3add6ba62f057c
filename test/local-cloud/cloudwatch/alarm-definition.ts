import { z } from 'zod';
import { NotEmulated } from '../errors.ts';
import { type Expression, parseMath } from './metric-math.ts';
import { type MetricId, type Metrics, statisticOf } from './metrics.ts';

const text = z.string();
const texts = z.array(text).optional();
const dimensions = z.array(z.strictObject({ Name: text, Value: text })).optional();
const period = z.int().min(60).multipleOf(60);
const metricStat = z.strictObject({
  Metric: z.strictObject({ Namespace: text, MetricName: text, Dimensions: dimensions }),
  Period: period,
  Stat: text,
  Unit: text.optional(),
});
export const metricQuery = z.strictObject({
  Id: z.string().regex(/^[a-z][A-Za-z0-9_]*$/),
  Label: text.optional(),
  Expression: text.optional(),
  MetricStat: metricStat.optional(),
  Period: period.optional(),
  ReturnData: z.boolean().optional(),
});
export type MetricQuery = z.infer<typeof metricQuery>;
const actions = {
  ActionsEnabled: z.boolean().optional(),
  AlarmActions: texts,
  OKActions: texts,
  InsufficientDataActions: texts,
  AlarmDescription: text.optional(),
  AlarmName: text.optional(),
  Tags: z.json().optional(),
};
const comparisons = [
  'GreaterThanOrEqualToThreshold',
  'GreaterThanThreshold',
  'LessThanThreshold',
  'LessThanOrEqualToThreshold',
] as const;
/** `AWS::CloudWatch::Alarm`; a property that is not here (anomaly detection, percentiles) is refused. */
export const alarmProperties = z.strictObject({
  ...actions,
  ComparisonOperator: z.enum(comparisons),
  Threshold: z.number(),
  EvaluationPeriods: z.int().min(1),
  DatapointsToAlarm: z.int().min(1).optional(),
  TreatMissingData: z.enum(['breaching', 'notBreaching', 'ignore', 'missing']).optional(),
  Namespace: text.optional(),
  MetricName: text.optional(),
  Dimensions: dimensions,
  Statistic: text.optional(),
  Period: period.optional(),
  Metrics: z.array(metricQuery).optional(),
});
export const compositeProperties = z.strictObject({ ...actions, AlarmRule: text });
export type AlarmProperties = z.infer<typeof alarmProperties>;
export type CompositeProperties = z.infer<typeof compositeProperties>;

export const metricIdOf = (metric: {
  readonly Namespace: string;
  readonly MetricName: string;
  readonly Dimensions?: z.infer<typeof dimensions>;
}): MetricId => ({
  namespace: metric.Namespace,
  name: metric.MetricName,
  dimensions: Object.fromEntries((metric.Dimensions ?? []).map(({ Name, Value }) => [Name, Value])),
});

/** A value for each period of a query. */
export interface Reading {
  /** Seconds. */
  readonly period: number;
  readonly value: (metrics: Metrics, from: number, to: number) => number | undefined;
}

/** What an alarm, or `GetMetricData`, reads: metrics and expressions over them; expressions over expressions are refused. */
export function readingsOf(queries: readonly MetricQuery[]): ReadonlyMap<string, Reading> {
  const readings = new Map<string, Reading>();
  for (const { Id: id, MetricStat: stat } of queries) {
    if (!stat) continue;
    const metric = metricIdOf(stat.Metric);
    const statistic = statisticOf(stat.Stat);
    readings.set(id, {
      period: stat.Period,
      value: (metrics, from, to) => metrics.statistic(metric, statistic, from, to),
    });
  }
  const plain = new Map(readings);
  for (const { Id: id, Expression: expression, MetricStat: stat } of queries) {
    if ((expression === undefined) === (stat === undefined))
      throw new NotEmulated(`query ${id} needs one of Expression and MetricStat`);
    if (expression === undefined) continue;
    const math: Expression = parseMath(expression, [...plain.keys()]);
    const periods = new Set([...plain.values()].map((one) => one.period));
    const [only, ...others] = periods;
    if (only === undefined || others.length > 0) throw new NotEmulated(`query ${id}: metrics of one period`);
    readings.set(id, {
      period: only,
      value: (metrics, from, to) =>
        math(Object.fromEntries([...plain].map(([name, reading]) => [name, reading.value(metrics, from, to)]))),
    });
  }
  return readings;
}

/** What an alarm watches. */
export function readingOf(alarm: AlarmProperties): Reading {
  if (alarm.Metrics) {
    const returned = alarm.Metrics.filter((one) => one.ReturnData !== false);
    const reading = readingsOf(alarm.Metrics).get(returned[0]?.Id ?? '');
    if (returned.length !== 1 || !reading) throw new NotEmulated('exactly one of Metrics has ReturnData');
    return reading;
  }
  const { Namespace, MetricName, Dimensions, Statistic, Period } = alarm;
  if (Namespace === undefined || MetricName === undefined || Statistic === undefined || Period === undefined)
    throw new NotEmulated('an alarm needs Namespace, MetricName, Statistic and Period, or Metrics');
  const metric = metricIdOf({ Namespace, MetricName, Dimensions });
  const statistic = statisticOf(Statistic);
  return { period: Period, value: (metrics, from, to) => metrics.statistic(metric, statistic, from, to) };
}

export function breaches(alarm: AlarmProperties, value: number): boolean {
  switch (alarm.ComparisonOperator) {
    case 'GreaterThanOrEqualToThreshold':
      return value >= alarm.Threshold;
    case 'GreaterThanThreshold':
      return value > alarm.Threshold;
    case 'LessThanThreshold':
      return value < alarm.Threshold;
    case 'LessThanOrEqualToThreshold':
      return value <= alarm.Threshold;
  }
}
