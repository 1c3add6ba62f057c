import { Duration, Stack } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  Alarm as CloudWatchAlarm,
  CustomWidget,
  Dashboard,
  GraphWidget,
  GraphWidgetView,
  type IMetric,
  LogQueryWidget,
  MathExpression,
  Metric,
  SingleValueWidget,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import type { Policy } from '../../functions/core/domain/policy.ts';
import { METRICS } from '../../functions/handlers/environments.ts';

export type Shown = {
  readonly prefix: string;
  readonly policies: readonly Policy[];
  /** The function that shows pages. */
  readonly view: IFunction;
  readonly machines: Readonly<
    Record<'backup' | 'fleet' | 'prune' | 'restore' | 'drill' | 'failover' | 'failback', IStateMachine>
  >;
};

/** A graph is readable with so many lines; a deployment of more policies shows its worst ones by the widget above. */
const MOST_LINES = 20;

const CLOCKS = ['taken', 'replicated', 'verified', 'drilled'] as const;

/**
 * One dashboard per deployment, from above: is everything safe, what is late, what fails and why, what is running, how
 * full it gets. Every alarm of the stack is on it.
 */
export function addDashboard(scope: Construct, { prefix, policies, view, machines }: Shown): void {
  const { region } = Stack.of(scope);
  const ours = (
    metricName: string,
    statistic: string,
    dimensions: Readonly<Record<string, string>> = {},
    label = metricName,
  ) =>
    new Metric({
      namespace: METRICS,
      metricName,
      dimensionsMap: { service: prefix, ...dimensions },
      statistic,
      period: Duration.minutes(5),
      label,
    });
  /** `hasForm`: a refresh would take away what somebody is typing. */
  const console = (title: string, page: string, width: number, height: number, hasForm = false) =>
    new CustomWidget({
      title,
      functionArn: view.functionArn,
      params: { page },
      width,
      height,
      updateOnRefresh: !hasForm,
      updateOnResize: !hasForm,
      updateOnTimeRangeChange: false,
    });
  const graph = (
    title: string,
    left: readonly IMetric[],
    more: { readonly right?: readonly IMetric[]; readonly width?: number } = {},
  ) =>
    new GraphWidget({
      title,
      left: [...left],
      ...(more.right ? { right: [...more.right] } : {}),
      width: more.width ?? 8,
      height: 6,
      region,
      view: GraphWidgetView.TIME_SERIES,
    });
  const named = policies.slice(0, MOST_LINES);
  const alarms = scope.node.findAll().filter((it): it is CloudWatchAlarm => it instanceof CloudWatchAlarm);
  const ended = ([name, machine]: readonly [string, IStateMachine], of: 'succeeded' | 'failed'): IMetric =>
    of === 'succeeded'
      ? machine.metricSucceeded({ label: `${name} succeeded`, period: Duration.hours(1) })
      : new MathExpression({
          label: `${name} did not succeed`,
          expression: `FILL(f${name}, 0) + FILL(t${name}, 0) + FILL(a${name}, 0)`,
          usingMetrics: {
            [`f${name}`]: machine.metricFailed({ period: Duration.hours(1) }),
            [`t${name}`]: machine.metricTimedOut({ period: Duration.hours(1) }),
            [`a${name}`]: machine.metricAborted({ period: Duration.hours(1) }),
          },
          period: Duration.hours(1),
        });
  const works = Object.entries(machines);

  new Dashboard(scope, 'Dashboard', {
    dashboardName: prefix,
    defaultInterval: Duration.days(3),
    widgets: [
      [console('Is everything safe?', 'overview', 24, 12)],
      [
        console('Find a bucket, see its points, restore', 'bucket', 12, 12, true),
        console('What is running', 'operations', 12, 12),
      ],
      [new AlarmStatusWidget({ title: 'Alarms', alarms, width: 24, height: 5 })],
      [
        graph(
          'Health: buckets in breach, by policy',
          named.map(({ name }) => ours('BucketsInBreach', 'Maximum', { policy: name }, name)),
          { width: 12 },
        ),
        graph(
          'Buckets whose last run failed, by policy',
          named.map(({ name }) => ours('LastRunsFailed', 'Maximum', { policy: name }, name)),
          { width: 12 },
        ),
      ],
      [
        graph(
          'Clocks: age of the worst bucket, in parts of its objective',
          CLOCKS.map((clock) => ours('AgeOfObjective', 'Maximum', { clock }, clock)),
          { width: 12 },
        ),
        graph(
          'Verified: age of the worst bucket by policy, in parts of its objective',
          named.map(({ name }) => ours('AgeOfObjective', 'Maximum', { policy: name, clock: 'verified' }, name)),
          { width: 12 },
        ),
      ],
      [
        graph(
          'Work that succeeded',
          works.map((it) => ended(it, 'succeeded')),
        ),
        graph(
          'Work that did not succeed',
          works.map((it) => ended(it, 'failed')),
        ),
        graph(
          'How long it took',
          works.map(([name, machine]) =>
            machine.metricTime({ label: name, statistic: 'Maximum', period: Duration.hours(1) }),
          ),
        ),
      ],
      [
        new LogQueryWidget({
          title: 'What failed, and why',
          logGroupNames: [`/ozone-dr/functions/${prefix}-record-failure`],
          queryLines: [
            'fields @timestamp, event.runId as run, result.value.error as error, result.value.cause as cause',
            'filter ispresent(result.value.error)',
            'sort @timestamp desc',
            'limit 50',
          ],
          width: 24,
          height: 7,
        }),
      ],
      [
        new LogQueryWidget({
          title: 'Bytes copied by day',
          logGroupNames: [`/ozone-dr/functions/${prefix}-record-outcome`],
          queryLines: [
            'fields result.value.bytesCopied as bytes',
            'filter ispresent(bytes)',
            'stats sum(bytes) as copied, count(*) as points by bin(1d)',
          ],
          width: 12,
          height: 6,
        }),
        graph('Snapshots: percent of the limit, and days until it', [ours('SnapshotsOfLimit', 'Maximum')], {
          right: [ours('DaysUntilSnapshotLimit', 'Minimum')],
          width: 12,
        }),
      ],
      [
        graph(
          'Open commands, and the oldest in seconds',
          [ours('OpenOperations', 'Maximum'), ours('BusiestHostOperations', 'Maximum')],
          {
            right: [ours('OldestOpenOperation', 'Maximum')],
          },
        ),
        graph('Drills: buckets not drilled in time', [
          ours('BucketsLate', 'Maximum', { clock: 'drilled' }, 'late'),
          ours('BucketsStale', 'Maximum', { clock: 'drilled' }, 'stale'),
        ]),
        graph('Fleet', [
          ours('HostsOffline', 'Maximum'),
          ours('ClustersUnreachable', 'Maximum'),
          ours('FenceRefusals', 'Sum'),
        ]),
      ],
      [
        new SingleValueWidget({
          title: 'Waiting for a person',
          metrics: [
            ours('ChangesHeld', 'Maximum', {}, 'changes held back'),
            ours('PrunesOverCap', 'Maximum', {}, 'deletions over the cap'),
            ours('BucketsFailedOver', 'Maximum', {}, 'failed over, without a replica'),
            ours('NotReady', 'Maximum', {}, 'could not be failed over'),
          ],
          width: 12,
          height: 3,
        }),
        new TextWidget({
          markdown:
            'If this page does not work: every workflow can be started by hand in Step Functions, with the input that `docs/recovery-plan.md` shows.',
          width: 12,
          height: 3,
        }),
      ],
    ],
  });
}
