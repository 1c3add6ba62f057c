import { Duration } from 'aws-cdk-lib';
import { ComparisonOperator, type IMetric, MathExpression, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { IRule } from 'aws-cdk-lib/aws-events';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { ALARM_IDS, type AlarmFacts, type AlarmId, factsOf, isAlarmId } from '../../functions/core/domain/alarms.ts';
import type { ClockName, FailureKind } from '../../functions/core/domain/clocks.ts';
import { METRICS } from '../../functions/handlers/environments.ts';
import { type Measure, type Measures, RunbookAlarm } from '../constructs/alarm.ts';

export type Watched = {
  readonly prefix: string;
  /** Where CloudWatch itself says that alarms cannot be announced. */
  readonly pages: ITopic;
  readonly backup: IStateMachine;
  readonly fleet: IStateMachine;
  readonly prune: IStateMachine;
  readonly restore: IStateMachine;
  readonly drill: IStateMachine;
  readonly failover: IStateMachine;
  readonly failback: IStateMachine;
  readonly failoverFleet: IStateMachine;
  readonly decision: IStateMachine;
  readonly look: IStateMachine;
  readonly doctor: IStateMachine;
  readonly sweep: IFunction;
  readonly assess: IFunction;
  readonly announce: IFunction;
  readonly alarmChanged: IRule;
  /** Functions whose errors are not those of what they work on. */
  readonly functions: readonly IFunction[];
  /** Slots that EventBridge Scheduler could not deliver. */
  readonly undelivered: IQueue;
  /** Events that EventBridge could not deliver. */
  readonly unheard: IQueue;
};

const FIVE_MINUTES = Duration.minutes(5);

/** At least one in five minutes; silence is no news. */
const any = (metric: IMetric): Measure => ({
  metric,
  threshold: 1,
  comparison: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
  evaluationPeriods: 1,
  missingData: TreatMissingData.NOT_BREACHING,
});

/**
 * Every alarm of the product: what each of {@link ALARM_IDS} measures. The order is that in which an alarm comes after
 * those that explain it.
 */
export function addAlarms(scope: Construct, watched: Watched): void {
  const { prefix } = watched;
  const metric = (
    metricName: string,
    statistic: 'Maximum' | 'Minimum' | 'Sum',
    dimensions: Readonly<Record<string, string>> = {},
    period = FIVE_MINUTES,
  ) =>
    new Metric({
      namespace: METRICS,
      metricName,
      dimensionsMap: { service: prefix, ...dimensions },
      statistic,
      period,
    });
  /** Published every five minutes: where nothing is published for twenty, nobody knows, which is as bad. */
  const assessed = (it: IMetric): Measure => ({
    ...any(it),
    evaluationPeriods: 4,
    datapointsToAlarm: 4,
    missingData: TreatMissingData.BREACHING,
  });
  const late = (clock: ClockName) => assessed(metric('BucketsLate', 'Maximum', { clock }));
  const stale = (clock: ClockName) => assessed(metric('BucketsStale', 'Maximum', { clock }));
  // Twice the pause between two rounds, so that the value of one is not gone before that of the next is there.
  const runs = (kind: FailureKind) => any(metric('RunsFailed', 'Maximum', { kind }, Duration.minutes(10)));
  const limit = (name: string, statistic: 'Maximum' | 'Minimum') => metric(name, statistic, {}, Duration.days(1));

  const measures: Readonly<Record<AlarmId, Measures>> = {
    'sweeper-not-running': idle(watched.sweep, FIVE_MINUTES),
    'assessor-not-running': idle(watched.assess, Duration.minutes(15)),
    'host-offline': { ...any(metric('HostsOffline', 'Maximum')), evaluationPeriods: 2 },
    'cluster-unreachable': any(metric('ClustersUnreachable', 'Maximum', {}, Duration.minutes(10))),
    'schedule-undelivered': any(visible(watched.undelivered)),
    'event-undelivered': any(visible(watched.unheard)),
    'objective-breached': assessed(metric('BucketsInBreach', 'Maximum')),
    'taken-stale': stale('taken'),
    'taken-late': late('taken'),
    'replicated-stale': stale('replicated'),
    'replicated-late': late('replicated'),
    'verified-stale': stale('verified'),
    'verified-late': late('verified'),
    'drilled-stale': stale('drilled'),
    'drilled-late': late('drilled'),
    'snapshot-failed': runs('snapshot'),
    'replication-failed': runs('replication'),
    'verification-differs': runs('differs'),
    'anomaly-held': [runs('anomaly'), any(metric('ChangesHeld', 'Maximum', {}, Duration.minutes(10)))],
    'prune-refused': runs('prune'),
    'prune-over-cap': any(metric('PrunesOverCap', 'Maximum', {}, Duration.minutes(10))),
    // Until a drill of the same bucket passes, and also of one that was stopped before it could say anything.
    'drill-failed': [runs('drill'), any(notSucceeded(watched.drill))],
    'backup-failed': any(notSucceeded(watched.backup)),
    'prune-failed': any(notSucceeded(watched.prune)),
    'backup-fleet-failed': any(notSucceeded(watched.fleet)),
    'restore-failed': any(notSucceeded(watched.restore)),
    'failover-failed': [watched.failover, watched.failback, watched.failoverFleet].map((machine) =>
      any(notSucceeded(machine)),
    ),
    // Twice in a row: a line moves.
    'objective-unreachable': { ...any(metric('RunsOutrun', 'Maximum')), evaluationPeriods: 2 },
    'bucket-vanished': any(metric('BucketsVanished', 'Maximum', {}, Duration.minutes(10))),
    'failed-over': any(metric('BucketsFailedOver', 'Maximum', {}, Duration.minutes(10))),
    // So long that what explains it is raised first.
    'failover-not-ready': {
      ...any(metric('NotReadyOverdue', 'Maximum')),
      evaluationPeriods: 6,
      datapointsToAlarm: 5,
    },
    'question-failed': [any(notSucceeded(watched.decision)), any(notSucceeded(watched.look))],
    'doctor-failed': any(notSucceeded(watched.doctor)),
    'machine-throttled': any(throttled(watched)),
    'fence-refused': any(metric('FenceRefusals', 'Sum', {}, Duration.minutes(15))),
    'event-not-published': any(metric('EventsNotPublished', 'Sum', {}, Duration.minutes(15))),
    'function-errors': inTens(watched.functions).map((functions) => ({ ...any(errorsOf(functions)), threshold: 5 })),
    'announcer-failed': any(
      new MathExpression({
        label: 'alarms that were not announced',
        expression: 'FILL(errors, 0) + FILL(refused, 0)',
        usingMetrics: {
          errors: watched.announce.metricErrors({ period: FIVE_MINUTES }),
          refused: new Metric({
            namespace: 'AWS/Events',
            metricName: 'FailedInvocations',
            dimensionsMap: { RuleName: watched.alarmChanged.ruleName },
            statistic: 'Sum',
            period: FIVE_MINUTES,
          }),
        },
        period: FIVE_MINUTES,
      }),
    ),
    'snapshot-limit-used': { ...any(limit('SnapshotsOfLimit', 'Maximum')), threshold: 90 },
    'snapshot-limit-near': {
      ...any(limit('DaysUntilSnapshotLimit', 'Minimum')),
      threshold: 30,
      comparison: ComparisonOperator.LESS_THAN_THRESHOLD,
    },
  };
  const made = new Map<string, RunbookAlarm>();
  const make = (id: AlarmId): RunbookAlarm => {
    const known = made.get(id);
    if (known) return known;
    const facts: AlarmFacts = factsOf(id);
    const explainedBy = facts.follows.map((other) => {
      if (!isAlarmId(other)) throw new Error(`${id} follows ${other}, which is no alarm`);
      return make(other).measured;
    });
    const alarm = new RunbookAlarm(scope, id, {
      prefix,
      facts,
      measures: measures[id],
      explainedBy,
      ...(id === 'announcer-failed' ? { rawTopic: watched.pages } : {}),
    });
    made.set(id, alarm);
    return alarm;
  };
  for (const id of ALARM_IDS) make(id);
}

/** No call that succeeded: a function that is called by a schedule is silent, or fails each time. */
const idle = (handler: IFunction, period: Duration): Measure => ({
  metric: new MathExpression({
    label: 'calls that succeeded',
    expression: 'FILL(invocations, 0) - FILL(errors, 0)',
    usingMetrics: {
      invocations: handler.metricInvocations({ period }),
      errors: handler.metricErrors({ period }),
    },
    period,
  }),
  threshold: 1,
  comparison: ComparisonOperator.LESS_THAN_THRESHOLD,
  evaluationPeriods: 1,
  missingData: TreatMissingData.BREACHING,
});

const visible = (queue: IQueue): IMetric =>
  queue.metricApproximateNumberOfMessagesVisible({ period: FIVE_MINUTES, statistic: 'Maximum' });

/** Failed, timed out and aborted executions alike: none of them did what it was for. */
const notSucceeded = (machine: IStateMachine): MathExpression =>
  new MathExpression({
    label: 'executions that did not succeed',
    expression: 'FILL(failed, 0) + FILL(timedOut, 0) + FILL(aborted, 0)',
    usingMetrics: {
      failed: machine.metricFailed({ period: FIVE_MINUTES }),
      timedOut: machine.metricTimedOut({ period: FIVE_MINUTES }),
      aborted: machine.metricAborted({ period: FIVE_MINUTES }),
    },
    period: FIVE_MINUTES,
  });

/** The sum of metrics that may be silent. */
const total = (label: string, metrics: readonly IMetric[], period: Duration): MathExpression =>
  new MathExpression({
    label,
    expression: metrics.map((_, index) => `FILL(m${index}, 0)`).join(' + '),
    usingMetrics: Object.fromEntries(metrics.map((metric, index) => [`m${index}`, metric])),
    period,
  });

const throttled = ({
  backup,
  fleet,
  prune,
  restore,
  drill,
  failover,
  failback,
  decision,
  look,
  doctor,
}: Watched): MathExpression =>
  total(
    'state transitions that waited',
    [backup, fleet, prune, restore, drill, failover, failback, decision, look, doctor].map((machine) =>
      machine.metricThrottled({ period: FIVE_MINUTES }),
    ),
    FIVE_MINUTES,
  );

/** A retry or two is how transient errors pass; five in a quarter of an hour do not pass. */
const errorsOf = (functions: readonly IFunction[]): MathExpression => {
  const period = Duration.minutes(15);
  return total(
    'errors',
    functions.map((it) => it.metricErrors({ period })),
    period,
  );
};

/** An alarm looks at ten metrics at most (CloudWatch user guide, alarms on metric math). */
const inTens = <T>(all: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(all.length / 10) }, (_, index) => all.slice(10 * index, 10 * index + 10));
