import { Stack } from 'aws-cdk-lib';
import {
  Alarm,
  AlarmRule,
  AlarmState,
  type ComparisonOperator,
  CompositeAlarm,
  type IAlarmRule,
  type IMetric,
  type TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { type AlarmFacts, type AlarmId, addressOf } from '../../functions/core/domain/alarms.ts';

/** What an alarm measures. */
export type Measure = {
  readonly metric: IMetric;
  readonly threshold: number;
  readonly comparison: ComparisonOperator;
  readonly evaluationPeriods: number;
  readonly datapointsToAlarm?: number;
  readonly missingData: TreatMissingData;
};

/** One metric, or several of which any is enough. */
export type Measures = Measure | readonly Measure[];

export type RunbookAlarmProps = {
  /** First part of the alarm's name. The rest is the id, which is also the name of docs/runbooks/<id>.md. */
  readonly prefix: string;
  /** Severity, impact, next step, deep link: an alarm without them does not compile. */
  readonly facts: AlarmFacts;
  readonly measures: Measures;
  /** Alarms that explain this one: while one is raised, this one is not. */
  readonly explainedBy: readonly IAlarmRule[];
  /** Only of an alarm that nobody else announces: CloudWatch itself sends it there. */
  readonly rawTopic?: ITopic;
};

const isMany = (measures: Measures): measures is readonly Measure[] => Array.isArray(measures);

/**
 * The only door for alarms: none without severity, impact, runbook and deep link. What people hear of it is said by
 * the function `announce-alarm`. An alarm that others may explain is a composite of what it measures and of them; what it
 * measures is then an alarm of its own, `…-raw`, which tells nobody.
 */
export class RunbookAlarm extends Construct {
  /** What it measures, whether it is explained or not. */
  readonly measured: IAlarmRule;

  constructor(scope: Construct, id: AlarmId, props: RunbookAlarmProps) {
    super(scope, id);
    const { prefix, facts, measures, explainedBy, rawTopic } = props;
    const { region, account } = Stack.of(this);
    const name = `${prefix}-${id}`;
    const description = `[${facts.severity}] ${facts.impact} Next: ${facts.next} Runbook: docs/runbooks/${id}.md Link: ${addressOf(facts.link, prefix, region, account)}`;
    const all = isMany(measures) ? measures : [measures];
    const isComposite = facts.follows.length > 0 || all.length > 1;
    const alarms = all.map((measure, index) => {
      const more = all.length > 1 ? `-${index + 1}` : '';
      return new Alarm(this, `Alarm${more}`, {
        alarmName: isComposite ? `${name}-raw${more}` : name,
        alarmDescription: isComposite ? `Measures what ${name} tells of; tells nobody.` : description,
        metric: measure.metric,
        threshold: measure.threshold,
        comparisonOperator: measure.comparison,
        evaluationPeriods: measure.evaluationPeriods,
        ...(measure.datapointsToAlarm ? { datapointsToAlarm: measure.datapointsToAlarm } : {}),
        treatMissingData: measure.missingData,
      });
    });
    this.measured = AlarmRule.anyOf(...alarms.map((alarm) => AlarmRule.fromAlarm(alarm, AlarmState.ALARM)));
    if (isComposite)
      new CompositeAlarm(this, 'Explained', {
        compositeAlarmName: name,
        alarmDescription: description,
        alarmRule:
          explainedBy.length > 0
            ? AlarmRule.allOf(this.measured, AlarmRule.not(AlarmRule.anyOf(...explainedBy)))
            : this.measured,
      });
    if (rawTopic)
      for (const alarm of alarms) {
        alarm.addAlarmAction(new SnsAction(rawTopic));
        alarm.addOkAction(new SnsAction(rawTopic));
      }
  }
}
