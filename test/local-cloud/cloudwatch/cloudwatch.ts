import { z } from 'zod';
import { AwsError, NotEmulated } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import { asJson } from '../json.ts';
import { type Actions, page, parseRequest } from '../services/requests.ts';
import { accountId, arnOf, iso, region, seconds, type World } from '../world.ts';
import {
  type AlarmProperties,
  alarmProperties,
  breaches,
  type CompositeProperties,
  compositeProperties,
  metricIdOf,
  metricQuery,
  type Reading,
  readingOf,
  readingsOf,
} from './alarm-definition.ts';
import { type AlarmRule, type AlarmState, parseAlarmRule } from './alarm-rule.ts';
import { embeddedMetrics, Metrics } from './metrics.ts';

/** An alarm as a test sees it. */
export interface Alarm {
  readonly name: string;
  readonly arn: string;
  readonly state: AlarmState;
  /** Epoch milliseconds of the last change of state. */
  readonly since: number;
  readonly reason: string;
}

interface Entry {
  readonly name: string;
  readonly arn: string;
  readonly created: number;
  readonly properties: AlarmProperties | CompositeProperties;
  /** What a metric alarm watches; none for a composite one. */
  readonly watch: { readonly reading: Reading; readonly properties: AlarmProperties } | undefined;
  readonly rule: AlarmRule | undefined;
  state: AlarmState;
  since: number;
  reason: string;
}

/** How an alarm reaches the outer world. */
export interface AlarmReach {
  /** Publishes in the name of an alarm; refused by a topic that does not allow it. */
  readonly publish: (topicArn: string, alarmArn: string, subject: string, message: Json) => void;
  readonly emit: (detailType: string, resources: readonly string[], detail: JsonObject) => void;
  /** Called once a minute, before alarms are looked at: metrics that are gauges, not events. */
  readonly sample: () => void;
}

const minuteMs = 60_000;
/** After the minute: what happens on the full minute is in. */
const lagMs = 10_000;
/** Periods that are looked at beyond those of the alarm (CloudWatch user guide, "Configuring how alarms treat missing data"). */
const moreRange = 2;
const dimension = z.strictObject({ Name: z.string(), Value: z.string().min(1) });
const putRequest = z.strictObject({
  Namespace: z
    .string()
    .regex(/^[^:].*$/)
    .refine((name) => !name.startsWith('AWS/'), 'AWS/ is reserved'),
  MetricData: z
    .array(
      z.strictObject({
        MetricName: z.string().min(1),
        Dimensions: z.array(dimension).max(30).optional(),
        Timestamp: z.number().optional(),
        Value: z.number().optional(),
        Values: z.array(z.number()).optional(),
        Counts: z.array(z.number()).optional(),
        Unit: z.string().optional(),
        StorageResolution: z.literal(60).optional(),
      }),
    )
    .max(1000),
});
const describeRequest = z.strictObject({
  AlarmNames: z.array(z.string()).optional(),
  AlarmNamePrefix: z.string().optional(),
  AlarmTypes: z.array(z.enum(['MetricAlarm', 'CompositeAlarm'])).optional(),
  StateValue: z.enum(['OK', 'ALARM', 'INSUFFICIENT_DATA']).optional(),
  MaxRecords: z.int().min(1).max(100).optional(),
  NextToken: z.string().optional(),
});
const dataRequest = z.strictObject({
  MetricDataQueries: z.array(metricQuery).min(1).max(500),
  StartTime: z.number(),
  EndTime: z.number(),
  ScanBy: z.enum(['TimestampAscending', 'TimestampDescending']).optional(),
});

/** Amazon CloudWatch: metrics, and alarms that are looked at ten seconds after each minute, over windows that end with it. */
export class CloudWatch {
  readonly metrics = new Metrics();
  readonly #world: World;
  readonly #reach: AlarmReach;
  readonly #alarms = new Map<string, Entry>();
  #ticking = false;

  constructor(world: World, reach: AlarmReach) {
    this.#world = world;
    this.#reach = reach;
  }

  /** Metrics of AWS's own services. */
  readonly measure = (
    namespace: string,
    name: string,
    dimensions: Readonly<Record<string, string>>,
    value: number,
  ): void => {
    this.metrics.put({ namespace, name, dimensions }, [value], this.#world.clock.now());
  };

  /** A line of a function's log. */
  logLine(line: string): void {
    const found = embeddedMetrics(line);
    if (typeof found === 'string') this.#world.tell('metric-refused', { reason: found, line });
    else for (const { id, values, at } of found) this.metrics.put(id, values, at);
  }

  createAlarm(name: string, properties: unknown): void {
    const parsed = read(alarmProperties, properties);
    const watch = { reading: readingOf(parsed), properties: parsed };
    this.#add(name, parsed, watch, undefined);
  }

  createCompositeAlarm(name: string, properties: unknown): void {
    const parsed = read(compositeProperties, properties);
    this.#add(
      name,
      parsed,
      undefined,
      parseAlarmRule(parsed.AlarmRule, (one) => this.#alarms.has(one)),
    );
  }

  alarms(): readonly Alarm[] {
    return [...this.#alarms.values()].map(({ name, arn, state, since, reason }) => ({
      name,
      arn,
      state,
      since,
      reason,
    }));
  }

  /** Begins to look once a minute. */
  start(): void {
    if (this.#ticking) return;
    this.#ticking = true;
    const { clock } = this.#world;
    const next = () => {
      const minute = Math.floor(clock.now() / minuteMs) * minuteMs;
      clock.at(minute + minuteMs + lagMs, () => {
        this.#reach.sample();
        this.#evaluate();
        next();
      });
    };
    next();
  }

  #add(name: string, properties: Entry['properties'], watch: Entry['watch'], rule: Entry['rule']): void {
    for (const arn of [properties.AlarmActions, properties.OKActions, properties.InsufficientDataActions].flat()) {
      if (arn !== undefined && !arn.includes(':sns:')) throw new NotEmulated(`alarm action ${arn}`);
    }
    const now = this.#world.clock.now();
    this.#alarms.set(name, {
      name,
      arn: arnOf('cloudwatch', `alarm:${name}`),
      created: now,
      properties,
      watch,
      rule,
      state: 'INSUFFICIENT_DATA',
      since: now,
      reason: 'Unchecked: Initial alarm creation',
    });
  }

  #evaluate(): void {
    const end = Math.floor(this.#world.clock.now() / minuteMs) * minuteMs;
    const all = [...this.#alarms.values()];
    for (const alarm of all) {
      if (alarm.watch) this.#evaluateMetrics(alarm, alarm.watch, end);
    }
    for (const alarm of all) {
      if (!alarm.rule) continue;
      const raised = alarm.rule((name) => this.#alarms.get(name)?.state ?? 'INSUFFICIENT_DATA');
      this.#change(alarm, raised ? 'ALARM' : 'OK', `the alarm rule is ${raised ? 'true' : 'false'}`);
    }
  }

  #evaluateMetrics(alarm: Entry, { reading, properties }: NonNullable<Entry['watch']>, end: number): void {
    const periodMs = reading.period * 1000;
    const wanted = properties.EvaluationPeriods;
    // AWS may judge a new alarm over times before it was there; here it waits for a whole window of its own.
    if (end - wanted * periodMs < alarm.created - minuteMs) return;
    const values = Array.from({ length: wanted + moreRange }, (_, back) =>
      reading.value(this.metrics, end - (back + 1) * periodMs, end - back * periodMs),
    );
    const present = values.filter((value) => value !== undefined);
    const judged = present.slice(0, wanted);
    const missing = Math.max(0, wanted - present.length);
    const enough = properties.DatapointsToAlarm ?? wanted;
    const treatment = properties.TreatMissingData ?? 'missing';
    const breaching =
      judged.filter((value) => breaches(properties, value)).length + (treatment === 'breaching' ? missing : 0);
    const fine =
      judged.filter((value) => !breaches(properties, value)).length + (treatment === 'notBreaching' ? missing : 0);
    const reason = `${wanted} periods of ${reading.period} s: [${judged.join(', ')}] and ${missing} missing, treated as ${treatment}; ${properties.ComparisonOperator} ${properties.Threshold}`;
    if (present.length === 0 && treatment === 'missing') this.#change(alarm, 'INSUFFICIENT_DATA', reason);
    else if (breaching >= enough) this.#change(alarm, 'ALARM', reason);
    else if (fine > wanted - enough) this.#change(alarm, 'OK', reason);
    // Premature alarm states: what is there is breaching, the rest is missing and not counted.
    else if (treatment === 'missing') this.#change(alarm, fine === 0 ? 'ALARM' : 'OK', reason);
  }

  #change(alarm: Entry, state: AlarmState, reason: string): void {
    if (alarm.state === state) return;
    const before = alarm.state;
    const now = this.#world.clock.now();
    const previous = { value: before, timestamp: iso(alarm.since), reason: alarm.reason };
    alarm.state = state;
    alarm.since = now;
    alarm.reason = reason;
    this.#world.tell('alarm', { alarm: alarm.name, state, before, reason });
    this.#reach.emit('CloudWatch Alarm State Change', [alarm.arn], {
      alarmName: alarm.name,
      state: { value: state, timestamp: iso(now), reason },
      previousState: previous,
      configuration: {},
    });
    const { properties } = alarm;
    if (properties.ActionsEnabled === false) return;
    const actions = {
      ALARM: properties.AlarmActions,
      OK: properties.OKActions,
      INSUFFICIENT_DATA: properties.InsufficientDataActions,
    }[state];
    for (const topic of actions ?? []) {
      try {
        this.#reach.publish(topic, alarm.arn, `${state}: "${alarm.name}" in EU (Frankfurt)`, message(alarm, before));
      } catch (error) {
        this.#world.tell('alarm-action-refused', {
          alarm: alarm.name,
          topic,
          message: error instanceof Error ? error.message : String(error),
        });
      }
    }
  }

  /** The API actions, under AWS's names. */
  readonly actions: Actions = {
    PutMetricData: (request, caller) => {
      const { Namespace: namespace, MetricData: data } = parseRequest(putRequest, request);
      this.#world.authorize(caller, 'cloudwatch:PutMetricData', '*', { 'cloudwatch:namespace': namespace });
      for (const one of data) {
        if ((one.Value === undefined) === (one.Values === undefined))
          throw new AwsError('InvalidParameterCombination', 'give one of Value and Values');
        const values = (one.Values ?? [one.Value ?? 0]).flatMap((value, index) =>
          Array.from({ length: one.Counts?.[index] ?? 1 }, () => value),
        );
        const at = one.Timestamp === undefined ? this.#world.clock.now() : one.Timestamp * 1000;
        const id = metricIdOf({ Namespace: namespace, MetricName: one.MetricName, Dimensions: one.Dimensions });
        this.metrics.put(id, values, at);
      }
      return {};
    },
    DescribeAlarms: (request, caller) => {
      const wanted = parseRequest(describeRequest, request);
      this.#world.authorize(caller, 'cloudwatch:DescribeAlarms', '*');
      const all = [...this.#alarms.values()].filter(
        (one) =>
          (wanted.AlarmNames?.includes(one.name) ?? true) &&
          one.name.startsWith(wanted.AlarmNamePrefix ?? '') &&
          (wanted.StateValue === undefined || one.state === wanted.StateValue) &&
          (wanted.AlarmTypes ?? ['MetricAlarm']).includes(one.watch ? 'MetricAlarm' : 'CompositeAlarm'),
      );
      const found = page(all, wanted.NextToken, wanted.MaxRecords ?? 50);
      return {
        MetricAlarms: found.items.filter((one) => one.watch).map(described),
        CompositeAlarms: found.items.filter((one) => !one.watch).map(described),
        ...(found.nextToken === undefined ? {} : { NextToken: found.nextToken }),
      };
    },
    GetMetricData: (request, caller) => {
      const wanted = parseRequest(dataRequest, request);
      this.#world.authorize(caller, 'cloudwatch:GetMetricData', '*');
      const readings = readingsOf(wanted.MetricDataQueries);
      const results = wanted.MetricDataQueries.filter((one) => one.ReturnData !== false).map((query) => {
        const reading = readings.get(query.Id);
        if (!reading) throw new AwsError('InvalidParameterValue', `there is no query ${query.Id}`);
        const periodMs = reading.period * 1000;
        const points: { readonly at: number; readonly value: number }[] = [];
        for (
          let at = Math.floor((wanted.StartTime * 1000) / periodMs) * periodMs;
          at < wanted.EndTime * 1000;
          at += periodMs
        ) {
          const value = reading.value(this.metrics, at, at + periodMs);
          if (value !== undefined) points.push({ at, value });
        }
        if (wanted.ScanBy !== 'TimestampAscending') points.reverse();
        return {
          Id: query.Id,
          Label: query.Label ?? query.MetricStat?.Metric.MetricName ?? query.Id,
          Timestamps: points.map(({ at }) => seconds(at)),
          Values: points.map(({ value }) => value),
          StatusCode: 'Complete',
        };
      });
      return { MetricDataResults: results, Messages: [] };
    },
  };
}

function read<T>(schema: z.ZodType<T>, properties: unknown): T {
  const parsed = schema.safeParse(properties);
  if (parsed.success) return parsed.data;
  throw new NotEmulated(parsed.error.issues.map((issue) => `${issue.path.join('/')} ${issue.message}`).join('; '));
}

const described = (alarm: Entry): JsonObject => {
  const { Tags: _tags, ...properties } = alarm.properties;
  return {
    ...(asJson(properties) as JsonObject),
    AlarmName: alarm.name,
    AlarmArn: alarm.arn,
    ActionsEnabled: properties.ActionsEnabled ?? true,
    StateValue: alarm.state,
    StateReason: alarm.reason,
    StateUpdatedTimestamp: seconds(alarm.since),
    StateTransitionedTimestamp: seconds(alarm.since),
  };
};

/** What a topic's subscribers get (CloudWatch user guide, "Notifying users on alarm changes"). */
function message(alarm: Entry, before: AlarmState): Json {
  const { properties, watch } = alarm;
  const common = {
    AlarmName: alarm.name,
    AlarmDescription: properties.AlarmDescription ?? null,
    AWSAccountId: accountId,
    NewStateValue: alarm.state,
    NewStateReason: alarm.reason,
    StateChangeTime: iso(alarm.since).replace('Z', '+0000'),
    Region: region === 'eu-central-1' ? 'EU (Frankfurt)' : region,
    AlarmArn: alarm.arn,
    OldStateValue: before,
    OKActions: properties.OKActions ?? [],
    AlarmActions: properties.AlarmActions ?? [],
    InsufficientDataActions: properties.InsufficientDataActions ?? [],
  };
  if (!watch) return { ...common, AlarmRule: 'AlarmRule' in properties ? properties.AlarmRule : '' };
  const { properties: metric, reading } = watch;
  const evaluation = {
    Period: reading.period,
    EvaluationPeriods: metric.EvaluationPeriods,
    DatapointsToAlarm: metric.DatapointsToAlarm ?? metric.EvaluationPeriods,
    ComparisonOperator: metric.ComparisonOperator,
    Threshold: metric.Threshold,
    TreatMissingData: metric.TreatMissingData ?? 'missing',
    EvaluateLowSampleCountPercentile: '',
  };
  return {
    ...common,
    AlarmConfigurationUpdatedTimestamp: iso(alarm.created).replace('Z', '+0000'),
    Trigger: metric.Metrics
      ? { ...evaluation, Metrics: asJson(metric.Metrics) }
      : {
          ...evaluation,
          MetricName: metric.MetricName ?? '',
          Namespace: metric.Namespace ?? '',
          StatisticType: 'Statistic',
          Statistic: (metric.Statistic ?? '').toUpperCase(),
          Unit: null,
          Dimensions: (metric.Dimensions ?? []).map(({ Name, Value }) => ({ value: Value, name: Name })),
        },
  };
}
