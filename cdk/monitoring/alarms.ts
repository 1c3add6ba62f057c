import { Duration } from 'aws-cdk-lib';
import { ComparisonOperator, MathExpression, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { METRICS } from '../../functions/handlers/environments.ts';
import { RunbookAlarm } from '../constructs/alarm.ts';

export type Watched = {
  readonly prefix: string;
  readonly topic: ITopic;
  readonly backup: IStateMachine;
  readonly fleet: IStateMachine;
  readonly prune: IStateMachine;
  readonly restore: IStateMachine;
  readonly drill: IStateMachine;
  readonly sweep: IFunction;
  /** Slots that EventBridge Scheduler could not deliver. */
  readonly undelivered: IQueue;
  /** Events that EventBridge could not deliver. */
  readonly unheard: IQueue;
};

/** Every alarm of the product. The id of each is the name of its runbook. */
export function addAlarms(scope: Construct, watched: Watched): void {
  const { prefix, topic } = watched;
  const atLeastOne = {
    prefix,
    topic,
    threshold: 1,
    comparison: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    evaluationPeriods: 1,
    missingData: TreatMissingData.NOT_BREACHING,
  };
  new RunbookAlarm(scope, 'backup-failed', {
    ...atLeastOne,
    severity: 'page',
    impact: 'A bucket has no new verified recovery point for this slot.',
    metric: notSucceeded(watched.backup),
  });
  new RunbookAlarm(scope, 'backup-fleet-failed', {
    ...atLeastOne,
    severity: 'page',
    impact: 'One or more buckets of a policy were not backed up, not pruned, or not drilled, in this slot.',
    metric: notSucceeded(watched.fleet),
  });
  new RunbookAlarm(scope, 'prune-failed', {
    ...atLeastOne,
    severity: 'ticket',
    impact:
      'Nothing more is deleted of a bucket: no point is lost, but snapshots pile up towards the limit of the cluster.',
    metric: notSucceeded(watched.prune),
  });
  new RunbookAlarm(scope, 'drill-failed', {
    ...atLeastOne,
    severity: 'page',
    impact:
      'A backup was not restored in its rehearsal, or not equal, or not in time: in an emergency it may not be either.',
    metric: notSucceeded(watched.drill),
  });
  new RunbookAlarm(scope, 'restore-failed', {
    ...atLeastOne,
    severity: 'page',
    impact: 'Data that somebody waits for was not restored; the target may be half written.',
    metric: notSucceeded(watched.restore),
  });
  new RunbookAlarm(scope, 'snapshot-limit-near', {
    ...atLeastOne,
    severity: 'ticket',
    impact:
      'In less than a month a cluster takes no new snapshots: every backup that reads or writes there then fails.',
    metric: new Metric({
      namespace: METRICS,
      metricName: 'DaysUntilSnapshotLimit',
      dimensionsMap: { service: prefix },
      statistic: 'Minimum',
      period: Duration.days(1),
    }),
    threshold: 30,
    comparison: ComparisonOperator.LESS_THAN_THRESHOLD,
  });
  new RunbookAlarm(scope, 'snapshot-limit-used', {
    ...atLeastOne,
    severity: 'ticket',
    impact: 'A cluster has nine tenths of the snapshots that it may have: at all of them every backup there fails.',
    metric: new Metric({
      namespace: METRICS,
      metricName: 'SnapshotsOfLimit',
      dimensionsMap: { service: prefix },
      statistic: 'Maximum',
      period: Duration.days(1),
    }),
    threshold: 90,
  });
  new RunbookAlarm(scope, 'schedule-undelivered', {
    ...atLeastOne,
    severity: 'page',
    impact: 'A slot of a policy did not start at all.',
    metric: watched.undelivered.metricApproximateNumberOfMessagesVisible({
      period: Duration.minutes(5),
      statistic: 'Maximum',
    }),
  });
  new RunbookAlarm(scope, 'event-undelivered', {
    ...atLeastOne,
    severity: 'ticket',
    impact: 'Runs go on up to a minute late, because the end of a command is not heard but only found.',
    metric: watched.unheard.metricApproximateNumberOfMessagesVisible({
      period: Duration.minutes(5),
      statistic: 'Maximum',
    }),
  });
  new RunbookAlarm(scope, 'sweeper-not-running', {
    prefix,
    topic,
    severity: 'page',
    impact: 'Long copies lose their heartbeat and fail, and lost events are never found.',
    metric: new MathExpression({
      label: 'sweeps that succeeded',
      expression: 'FILL(invocations, 0) - FILL(errors, 0)',
      usingMetrics: {
        invocations: watched.sweep.metricInvocations({ period: Duration.minutes(5) }),
        errors: watched.sweep.metricErrors({ period: Duration.minutes(5) }),
      },
      period: Duration.minutes(5),
    }),
    threshold: 1,
    comparison: ComparisonOperator.LESS_THAN_THRESHOLD,
    evaluationPeriods: 1,
    missingData: TreatMissingData.BREACHING,
  });
}

/** Failed, timed out and aborted executions alike: none of them did what it was for. */
const notSucceeded = (machine: IStateMachine): MathExpression =>
  new MathExpression({
    label: 'executions that did not succeed',
    expression: 'FILL(failed, 0) + FILL(timedOut, 0) + FILL(aborted, 0)',
    usingMetrics: {
      failed: machine.metricFailed({ period: Duration.minutes(5) }),
      timedOut: machine.metricTimedOut({ period: Duration.minutes(5) }),
      aborted: machine.metricAborted({ period: Duration.minutes(5) }),
    },
    period: Duration.minutes(5),
  });
