import { Alarm, type ComparisonOperator, type IMetric, type TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';

export type RunbookAlarmProps = {
  /** First part of the alarm's name. The rest is the id, which is also the name of docs/runbooks/<id>.md. */
  readonly prefix: string;
  /** `page`: data may be at risk, look now. `ticket`: look on the next working day. */
  readonly severity: 'page' | 'ticket';
  /** What this means for the people whose data it is. */
  readonly impact: string;
  readonly metric: IMetric;
  readonly threshold: number;
  readonly comparison: ComparisonOperator;
  readonly evaluationPeriods: number;
  readonly missingData: TreatMissingData;
  readonly topic: ITopic;
};

/** The only door for alarms: none without severity, impact and a runbook. */
export class RunbookAlarm extends Construct {
  constructor(scope: Construct, id: string, props: RunbookAlarmProps) {
    super(scope, id);
    const action = new SnsAction(props.topic);
    const alarm = new Alarm(this, 'Alarm', {
      alarmName: `${props.prefix}-${id}`,
      alarmDescription: `[${props.severity}] ${props.impact} Runbook: docs/runbooks/${id}.md`,
      metric: props.metric,
      threshold: props.threshold,
      comparisonOperator: props.comparison,
      evaluationPeriods: props.evaluationPeriods,
      treatMissingData: props.missingData,
    });
    alarm.addAlarmAction(action);
    alarm.addOkAction(action);
  }
}
