import { readdirSync, readFileSync } from 'node:fs';
import type { Stack } from 'aws-cdk-lib';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { describe, expect, it } from 'vitest';
import { ALARM_IDS, type AlarmId, factsOf } from '../../functions/core/domain/alarms.ts';
import { CLOCKS } from '../../functions/core/domain/clocks.ts';
import { resolvePolicies } from '../../functions/core/domain/policy.ts';
import { sample, sampleWith, synthesize } from './synthesized.ts';
import { ofType, project, text } from './template.ts';

const synthesized = new Map<string, ReturnType<typeof synthesize>>();
/** Each sample is synthesized once. */
const ofSample = (name: string) => {
  const known = synthesized.get(name) ?? synthesize(sample(name));
  synthesized.set(name, known);
  return known;
};

const { state, control, documents, policies } = ofSample('two-clusters.yaml');

describe('what must not be lost', () => {
  const [[, table]] = ofType(state, 'AWS::DynamoDB::Table') as [ReturnType<typeof ofType>[number]];
  const [[, bucket]] = ofType(state, 'AWS::S3::Bucket') as [ReturnType<typeof ofType>[number]];

  it.each([
    ['ledger', table],
    ['command output', bucket],
  ])('the %s stays when its stack goes, or when it is replaced', (_name, resource) => {
    expect(resource).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
  });

  it('the ledger is protected from deletion and can be restored to any second', () => {
    expect(table.Properties).toMatchObject({
      TableName: 'ozone-dr-ledger',
      DeletionProtectionEnabled: true,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      BillingMode: 'PAY_PER_REQUEST',
    });
  });

  it('the ledger has one key of two strings and one sparse index of what is open', () => {
    expect(table.Properties).toMatchObject({
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'open',
          KeySchema: [
            { AttributeName: 'openHost', KeyType: 'HASH' },
            { AttributeName: 'openSince', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'ALL' },
        },
      ],
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
        { AttributeName: 'openHost', AttributeType: 'S' },
        { AttributeName: 'openSince', AttributeType: 'N' },
      ],
    });
  });

  it('the command output is encrypted, closed to the public, and gone after 30 days', () => {
    expect(bucket.Properties).toMatchObject({
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
      },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      LifecycleConfiguration: { Rules: [{ ExpirationInDays: 30, Status: 'Enabled' }] },
    });
  });

  it('neither stack holds the other by an export', () => {
    expect(JSON.stringify([state, control])).not.toMatch(/Fn::ImportValue|Fn::GetStackOutput|"Export"/);
  });
});

describe('functions', () => {
  it.each(
    ofType(control, 'AWS::Lambda::Function').map(([id, it]) => [text(it.Properties.FunctionName), id, it] as const),
  )(
    '%s runs Node 24 on arm64 with limits, JSON logs of its own, and a retained version',
    (name, id, { Properties }) => {
      expect(Properties).toMatchObject({
        Runtime: 'nodejs24.x',
        Architectures: ['arm64'],
        Handler: 'index.handler',
        LoggingConfig: { LogFormat: 'JSON' },
        TracingConfig: { Mode: 'Active' },
      });
      // The Tasks that call them wait for 60 s, those that enrol buckets for 900; the sweeper comes every 60 s.
      expect(Properties.Timeout).toBeLessThan(name === 'ozone-dr-expand-policy' ? 900 : 60);
      const versions = ofType(control, 'AWS::Lambda::Version').filter(
        ([, version]) => text(version.Properties.FunctionName) === `<${id}>`,
      );
      expect(versions).toMatchObject([
        [expect.any(String), { DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' }],
      ]);
    },
  );

  it('a log group each, kept for three months', () => {
    const logs = ofType(control, 'AWS::Logs::LogGroup');
    const workers = ['AWS::Lambda::Function', 'AWS::StepFunctions::StateMachine'] as const;
    expect(logs.length).toBe(workers.flatMap((type) => ofType(control, type)).length);
    for (const [, { Properties }] of logs) expect(Properties.RetentionInDays).toBe(90);
  });

  it('the sixteen that need the policies have them beside their code, resolved', () => {
    const expected = JSON.parse(JSON.stringify(resolvePolicies(sample('two-clusters.yaml'))));
    expect(policies.map((it) => JSON.parse(it))).toEqual(Array.from({ length: 16 }, () => expected));
  });

  it('another policy file gives these sixteen another code, and so another version', () => {
    const other = synthesize(sampleWith('two-clusters.yaml', ['sales/orders', 'sales/offers'])).control;
    const versions = (template: typeof control) => new Set(ofType(template, 'AWS::Lambda::Version').map(([id]) => id));
    const changed = [...versions(other)].filter((id) => !versions(control).has(id));
    expect(changed.map((id) => id.replace(/Function.*/, '')).sort()).toEqual([
      'ActConsole',
      'AnnounceAlarm',
      'AssessObjectives',
      'DecidePrune',
      'ExpandPolicy',
      'JudgeDoctor',
      'OpenBatch',
      'OpenDoctor',
      'OpenLook',
      'OpenRestore',
      'OpenRun',
      'OrderFailovers',
      'RecordDecision',
      'SummarizeFleet',
      'SweepOperations',
      'ViewConsole',
    ]);
  });
});

describe('machines', () => {
  const machines = ofType(control, 'AWS::StepFunctions::StateMachine').map(
    ([, { Properties }]) => [text(Properties.StateMachineName), Properties] as const,
  );

  it('are those of the definitions', () => {
    const files = readdirSync(project('statemachine')).filter((name) => name.endsWith('.asl.json'));
    expect(machines.map(([name]) => name.replace('ozone-dr-', '')).sort()).toEqual(
      files.map((name) => name.replace('.asl.json', '')).sort(),
    );
  });

  it.each(machines)('%s: the definition is in the template as it is in its file', (name, { DefinitionString }) => {
    const file = project(`statemachine/${name.replace('ozone-dr-', '')}.asl.json`);
    expect(JSON.parse(text(DefinitionString))).toEqual(JSON.parse(readFileSync(file, 'utf8')));
  });

  it.each(machines)('%s: every placeholder is filled, and no filling is left over', (_name, properties) => {
    const placeholders = text(properties.DefinitionString).matchAll(/\$\{([A-Za-z]+)\}/g);
    expect([...new Set([...placeholders].map(([, name]) => name))].sort()).toEqual(
      Object.keys(properties.DefinitionSubstitutions as object).sort(),
    );
  });

  it.each(machines)('%s: handlers are called by the version that was deployed with the definition', (_name, it) => {
    for (const [name, value] of Object.entries(it.DefinitionSubstitutions as object)) {
      const id = text(value).replace(/^<(.*)>$/, '$1');
      expect([name, control.Resources[id]?.Type]).toEqual([
        name,
        name.endsWith('Function') ? 'AWS::Lambda::Version' : 'AWS::StepFunctions::StateMachine',
      ]);
      if (name.endsWith('Function')) expect(id).toContain(name.replace(/Function$/, ''));
    }
  });

  it.each(machines)('%s: all events are logged, payloads with their task tokens are not', (_name, properties) => {
    expect(properties).toMatchObject({
      LoggingConfiguration: { Level: 'ALL', IncludeExecutionData: false },
      TracingConfiguration: { Enabled: true },
    });
  });
});

describe('schedules', () => {
  const many = ofSample('many-policies.yaml').control;
  const all = ofType(many, 'AWS::Scheduler::Schedule').map(([, { Properties }]) => Properties);
  const ofPolicies = all.filter(({ GroupName }) => GroupName === 'ozone-dr-policies');

  it('there is one for each entry of each policy, in its own zone', () => {
    const written = resolvePolicies(sample('many-policies.yaml')).flatMap((policy) =>
      policy.schedules.map(({ cron, zone }) => [policy.name, `cron(${cron})`, zone]),
    );
    const built = ofPolicies.map((it) => [
      JSON.parse(text((it.Target as { readonly Input: unknown }).Input)).policy,
      it.ScheduleExpression,
      it.ScheduleExpressionTimezone,
    ]);
    expect(built).toEqual(written);
  });

  it('backups, prunes and drills of a policy have one each, at the time and in the zone of each', () => {
    const [policy] = resolvePolicies(sample('every-field.yaml'));
    const built = ofType(ofSample('every-field.yaml').control, 'AWS::Scheduler::Schedule')
      .map(([, { Properties }]) => Properties)
      .filter(({ GroupName }) => GroupName === 'ozone-dr-policies')
      .map((it) => [
        JSON.parse(text((it.Target as { readonly Input: unknown }).Input)).work,
        it.ScheduleExpression,
        it.ScheduleExpressionTimezone,
      ]);
    expect(built).toEqual([
      ...(policy?.schedules ?? []).map(({ cron, zone }) => ['backup', `cron(${cron})`, zone]),
      ['prune', `cron(${policy?.retention?.cron})`, policy?.retention?.zone],
      ['drill', `cron(${policy?.drills?.cron})`, policy?.drills?.zone],
    ]);
  });

  it('each starts the fleet with the scheduled time as its slot, once, within an hour, or tells the queue', () => {
    const [[fleet]] = ofType(many, 'AWS::StepFunctions::StateMachine').filter(([id]) => id.includes('BackupFleet')) as [
      [string, unknown],
    ];
    for (const { FlexibleTimeWindow, Target } of ofPolicies) {
      expect(FlexibleTimeWindow).toEqual({ Mode: 'OFF' });
      expect(Target).toMatchObject({
        Arn: { Ref: fleet },
        Input: expect.stringContaining('"slot":"<aws.scheduler.scheduled-time>"'),
        RetryPolicy: { MaximumEventAgeInSeconds: 3600 },
        DeadLetterConfig: { Arn: { 'Fn::GetAtt': [expect.stringContaining('SchedulesUndelivered'), 'Arn'] } },
      });
    }
  });

  it('an entry that is added in front leaves the others as they are', () => {
    const names = (template: typeof many) => ofType(template, 'AWS::Scheduler::Schedule').map(([id]) => id);
    const more = sampleWith('many-policies.yaml', [
      '- cron: 0 3 * * ? *',
      '- cron: 0 15 * * ? *\n        zone: UTC\n      - cron: 0 3 * * ? *',
    ]);
    const after = names(synthesize(more).control);
    expect(after).toEqual(expect.arrayContaining(names(many)));
    expect(after.length).toBe(names(many).length + 1);
  });

  it('the doctor comes every week, and a visit that cannot be started is heard of', () => {
    expect(all.filter(({ GroupName }) => GroupName === 'ozone-dr-doctor')).toMatchObject([
      {
        ScheduleExpression: 'cron(30 6 ? * MON *)',
        Target: {
          DeadLetterConfig: { Arn: { 'Fn::GetAtt': [expect.stringMatching(/^SchedulesUndelivered/), 'Arn'] } },
        },
      },
    ]);
  });

  it('the sweeper comes every minute, the assessor every five, and neither is repeated', () => {
    expect(all.filter(({ GroupName }) => GroupName === 'ozone-dr-system')).toMatchObject([
      { ScheduleExpression: 'rate(1 minute)', Target: { RetryPolicy: { MaximumRetryAttempts: 0 } } },
      { ScheduleExpression: 'rate(5 minutes)', Target: { RetryPolicy: { MaximumRetryAttempts: 0 } } },
    ]);
  });
});

describe('events', () => {
  const [[, rule]] = ofType(control, 'AWS::Events::Rule').filter(([id]) => id.startsWith('CommandEnded')) as [
    ReturnType<typeof ofType>[number],
  ];

  it('the end of a command of ours is heard, of this deployment and of the ones before', () => {
    expect(rule.Properties.EventPattern).toEqual({
      source: ['aws.ssm'],
      'detail-type': ['EC2 Command Status-change Notification'],
      detail: {
        'document-name': [
          { prefix: 'ozone-dr-observe-' },
          { prefix: 'ozone-dr-protect-' },
          { prefix: 'ozone-dr-destroy-' },
          { prefix: 'ozone-dr-restore-' },
        ],
        status: [{ 'anything-but': ['Pending', 'InProgress', 'Delayed', 'Cancelling'] }],
      },
    });
    const names = ofType(documents, 'AWS::SSM::Document').map(([, { Properties }]) => text(Properties.Name));
    expect(names.map((name) => name.replace(/[0-9a-f]{12}$/, '')).sort()).toEqual([
      'ozone-dr-destroy-',
      'ozone-dr-destroy-doctor-',
      'ozone-dr-observe-',
      'ozone-dr-observe-doctor-',
      'ozone-dr-observe-look-',
      'ozone-dr-protect-',
      'ozone-dr-protect-batch-',
      'ozone-dr-protect-doctor-',
      'ozone-dr-protect-yarn-',
      'ozone-dr-restore-',
      'ozone-dr-restore-doctor-',
    ]);
  });

  it('what cannot be handed over goes to a queue', () => {
    expect(rule.Properties.Targets).toMatchObject([
      { DeadLetterConfig: { Arn: { 'Fn::GetAtt': [expect.stringContaining('EventsUndelivered'), 'Arn'] } } },
    ]);
  });
});

it('every queue is encrypted and speaks TLS only', () => {
  const queues = ofType(control, 'AWS::SQS::Queue');
  expect(queues.length).toBe(2);
  for (const [, queue] of queues) expect(queue.Properties.SqsManagedSseEnabled).toBe(true);
  for (const [, policy] of ofType(control, 'AWS::SQS::QueuePolicy'))
    expect(JSON.stringify(policy)).toContain('"aws:SecureTransport":"false"');
});

describe('alarms', () => {
  const named = (type: string) =>
    ofType(control, type).map(
      ([, { Properties }]) =>
        [text(Properties.AlarmName).replace('ozone-dr-', ''), Properties as Readonly<Record<string, unknown>>] as const,
    );
  const metricAlarms = named('AWS::CloudWatch::Alarm');
  const composites = named('AWS::CloudWatch::CompositeAlarm');
  const told = [...metricAlarms, ...composites].filter(([name]) => !/-raw(-\d)?$/.test(name));
  const raw = metricAlarms.filter(([name]) => /-raw(-\d)?$/.test(name));
  const runbooks = readdirSync(project('docs/runbooks')).map((name) => name.replace(/\.md$/, ''));
  /** What an alarm measures, by the name that people know. */
  const measures = (id: string) =>
    metricAlarms.filter(([name]) => name.replace(/-raw(-\d)?$/, '') === id).map(([, it]) => it);

  it('each has its runbook, and each runbook its alarm', () => {
    expect(told.map(([name]) => name).sort()).toEqual(runbooks.sort());
  });

  it('are those of the list, which says what each is about', () => {
    expect(told.map(([name]) => name).sort()).toEqual([...ALARM_IDS].sort());
  });

  it.each(told)('%s says how severe it is, whom it hurts, what to do and where to read on', (name, it) => {
    const { AlarmDescription } = it;
    const facts = factsOf(name as AlarmId);
    expect(facts.what).toMatch(/^.{10,80}$/);
    const description = text(AlarmDescription);
    expect(description).toMatch(
      new RegExp(
        `^\\[${facts.severity}\\] .{20,}[.:] Next: .{20,}[.?] Runbook: docs/runbooks/${name}\\.md Link: https://<AWS::Region>\\.console\\.aws\\.amazon\\.com/.+`,
      ),
    );
    // CloudWatch takes 1024 characters; what stands for the region and the account is shorter in the end.
    expect(description.length).toBeLessThan(1024);
  });

  it.each(raw)('%s measures, and tells nobody', (_name, { AlarmActions, OKActions }) => {
    expect([AlarmActions, OKActions]).toEqual([undefined, undefined]);
  });

  it('CloudWatch itself speaks only when nobody else can', () => {
    const speaking = [...metricAlarms, ...composites].filter(([, it]) => it.AlarmActions !== undefined);
    const pages = ofType(control, 'AWS::SNS::Topic').find(([, it]) => it.Properties.TopicName === 'ozone-dr-page')?.[0];
    expect(speaking.map(([name, { AlarmActions, OKActions }]) => [name, AlarmActions, OKActions])).toEqual([
      ['announcer-failed', [{ Ref: pages }], [{ Ref: pages }]],
    ]);
  });

  it.each(composites)('%s goes by alarms that measure, never by another composite', (_name, { AlarmRule }) => {
    const referred = [...text(AlarmRule).matchAll(/<([A-Za-z0-9]+)\.Arn>/g)].map(([, id]) => id ?? '');
    expect(referred.length).toBeGreaterThan(0);
    for (const id of referred) expect(control.Resources[id]?.Type).toBe('AWS::CloudWatch::Alarm');
  });

  it.each(runbooks)('the runbook %s has all its parts and commands that can be pasted', (name) => {
    const page = readFileSync(project(`docs/runbooks/${name}.md`), 'utf8');
    expect([...page.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title)).toEqual([
      name,
      'Description',
      'Impact',
      'Investigation',
      'Resolution',
      'When not to',
    ]);
    expect(page).toMatch(/^(aws|MACHINE=\$\(aws) /m);
  });

  it('no data is failure for whoever must run all the time, and no news for what counts failures', () => {
    const breaching = told.flatMap(([name]) =>
      measures(name).some((it) => it.TreatMissingData === 'breaching') ? [name] : [],
    );
    expect(breaching.sort()).toEqual([
      'assessor-not-running',
      'drilled-late',
      'drilled-stale',
      'objective-breached',
      'replicated-late',
      'replicated-stale',
      'sweeper-not-running',
      'taken-late',
      'taken-stale',
      'verified-late',
      'verified-stale',
    ]);
    for (const [, { TreatMissingData }] of metricAlarms)
      expect(['breaching', 'notBreaching']).toContain(TreatMissingData);
  });

  it('the limit of snapshots is watched by what is there, and by when it is reached', () => {
    const watched = ['snapshot-limit-near', 'snapshot-limit-used'].flatMap((name) =>
      measures(name).map((it) => [it.MetricName, it.Statistic, it.ComparisonOperator, it.Threshold]),
    );
    expect(watched).toEqual([
      ['DaysUntilSnapshotLimit', 'Minimum', 'LessThanThreshold', 30],
      ['SnapshotsOfLimit', 'Maximum', 'GreaterThanOrEqualToThreshold', 90],
    ]);
  });

  it('whatever may cost data wakes somebody', () => {
    const pages = ALARM_IDS.filter((id) => factsOf(id).severity === 'page');
    expect(pages).toEqual(
      expect.arrayContaining([
        'objective-breached',
        'verification-differs',
        'anomaly-held',
        'restore-failed',
        'failover-failed',
        'drill-failed',
      ]),
    );
    for (const clock of CLOCKS) {
      expect(factsOf(`${clock}-late`).severity).toBe('ticket');
      expect(factsOf(`${clock}-stale`).severity).toBe('page');
    }
  });

  it.each([
    'backup-failed',
    'backup-fleet-failed',
    'prune-failed',
    'restore-failed',
    'failover-failed',
    'drill-failed',
    'question-failed',
    'doctor-failed',
  ])('%s counts every way not to succeed', (name) => {
    const metrics = JSON.stringify(measures(name));
    for (const metric of ['ExecutionsFailed', 'ExecutionsTimedOut', 'ExecutionsAborted'])
      expect(metrics).toContain(`"${metric}"`);
  });

  it('errors of every function are watched, by the alarm of all or by one of its own', () => {
    const watched = ['function-errors', 'sweeper-not-running', 'assessor-not-running', 'announcer-failed']
      .flatMap(measures)
      .map((it) => JSON.stringify(it.Metrics))
      .join('');
    const unwatched = ofType(control, 'AWS::Lambda::Function').flatMap(([id, { Properties }]) =>
      watched.includes(`{"Ref":"${id}"}`) ? [] : [text(Properties.FunctionName)],
    );
    // Their errors are those of what they report on: a slot with failures, a person's wrong words.
    expect(unwatched.sort()).toEqual(['ozone-dr-record-decision', 'ozone-dr-summarize-fleet']);
  });

  it('every change of an alarm of this deployment reaches the announcer, is repeated, and else goes to a queue', () => {
    const [[, rule]] = ofType(control, 'AWS::Events::Rule').filter(([id]) => id.startsWith('AlarmChanged')) as [
      ReturnType<typeof ofType>[number],
    ];
    expect(rule.Properties.EventPattern).toEqual({
      source: ['aws.cloudwatch'],
      'detail-type': ['CloudWatch Alarm State Change'],
      detail: { alarmName: [{ prefix: 'ozone-dr-' }], state: { value: ['ALARM', 'OK'] } },
    });
    expect(rule.Properties.Targets).toMatchObject([
      {
        Arn: { 'Fn::GetAtt': [expect.stringContaining('AnnounceAlarm'), 'Arn'] },
        DeadLetterConfig: { Arn: { 'Fn::GetAtt': [expect.stringContaining('EventsUndelivered'), 'Arn'] } },
      },
    ]);
  });
});

describe('outputs', () => {
  it('say how to begin', () => {
    const outputs = Object.fromEntries(
      Object.entries(control.Outputs ?? {}).map(([name, { Value }]) => [name, text(Value)]),
    );
    expect(Object.keys(outputs).sort()).toEqual([
      'BackupMachineArn',
      'DecisionMachineArn',
      'DoctorMachineArn',
      'DrillMachineArn',
      'FailbackMachineArn',
      'FailoverFleetMachineArn',
      'FailoverMachineArn',
      'LedgerTableName',
      'LookMachineArn',
      'PageTopicArn',
      'PruneMachineArn',
      'RestoreMachineArn',
      'StartBackupCommand',
      'TicketTopicArn',
    ]);
    expect(outputs.StartBackupCommand).toBe(
      `aws stepfunctions start-execution --state-machine-arn ${outputs.BackupMachineArn} --input '{"policy":"<policy>","bucket":"<volume>/<bucket>"}'`,
    );
  });
});

describe('the app', () => {
  const names = readdirSync(project('cdk/config/samples')).filter((name) => name.endsWith('.yaml'));

  it('there are samples to try', () => expect(names.length).toBeGreaterThan(3));

  it.each(names)('synthesizes %s without a violation of a rule', (name) => {
    expect(Object.keys(ofSample(name).control.Resources).length).toBeGreaterThan(50);
  });

  it('fails where a rule is violated and not explained', () => {
    const violate = () =>
      synthesize(sample('two-clusters.yaml'), ({ state: stack }) => new Bucket(stack as Stack, 'Open'));
    expect(violate).toThrow();
  });

  it('takes another prefix for every name', () => {
    const { control, documents } = synthesize(sample('two-clusters.yaml'), undefined, 'odr-test');
    expect(JSON.stringify({ control, documents })).not.toMatch(/ozone-dr-(?!control)/);
  });

  it('has templates that CloudFormation takes, and room in each for a release to come', () => {
    for (const template of [state, documents, control])
      expect(Buffer.byteLength(JSON.stringify(template))).toBeLessThan(700_000);
  });

  it.each(['x', 'Ozone', 'has space', 'a'.repeat(21), '-a-'])('refuses the prefix %s', (prefix) => {
    expect(() => synthesize(sample('two-clusters.yaml'), undefined, prefix)).toThrow(/prefix: write 3 to 20/);
  });
});
