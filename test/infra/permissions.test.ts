import { describe, expect, it } from 'vitest';
import { parsePolicies } from '../../cdk/config/load-policies.ts';
import { sample, sampleWith, synthesize } from './synthesized.ts';
import { listed, ofType, permissionsOf, type Resource, statementsOf, type Template, text } from './template.ts';

const { control, state } = synthesize();

const TABLE = 'dynamodb:table/ozone-dr-ledger';
const BACKUP = 'states:stateMachine:ozone-dr-backup';
const BATCH = 'states:stateMachine:ozone-dr-backup-batch';
const PRUNE = 'states:stateMachine:ozone-dr-prune';
const DRILL = 'states:stateMachine:ozone-dr-drill';
const RESTORE = 'states:stateMachine:ozone-dr-restore';
const FAILOVER = 'states:stateMachine:ozone-dr-failover';
const FAILBACK = 'states:stateMachine:ozone-dr-failback';
const FAILOVER_FLEET = 'states:stateMachine:ozone-dr-failover-fleet';
const LOOK = 'states:stateMachine:ozone-dr-look';
const DOCTOR = 'states:stateMachine:ozone-dr-doctor';
const RUNS = 'states:execution:ozone-dr-backup:*';
const BATCHES = 'states:execution:ozone-dr-backup-batch:*';
const PRUNES = 'states:execution:ozone-dr-prune:*';
const RESTORES = 'states:execution:ozone-dr-restore:*';
const DRILLS = 'states:execution:ozone-dr-drill:*';
const FAILOVERS = 'states:execution:ozone-dr-failover:*';
const FAILBACKS = 'states:execution:ozone-dr-failback:*';
const FAILOVER_FLEETS = 'states:execution:ozone-dr-failover-fleet:*';
const FLEET = `${BACKUP}-fleet`;
const FLEETS = 'states:execution:ozone-dr-backup-fleet:*';
const LOOKS = 'states:execution:ozone-dr-look:*';
const VISITS = 'states:execution:ozone-dr-doctor:*';
const DECISIONS = 'states:execution:ozone-dr-decision:*';
const OUTPUT = 's3:::ozone-dr-output-<AWS::AccountId>-<AWS::Region>';
const PLANS = 's3:::ozone-dr-records-<AWS::AccountId>-<AWS::Region>';
const XRAY = ['xray:PutTelemetryRecords', 'xray:PutTraceSegments'];
const LEDGER = ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query', 'dynamodb:UpdateItem'];
/** Whoever wants a lease asks whether its holder is still there. */
const HOLDERS = {
  [RUNS]: ['states:DescribeExecution'],
  [BATCHES]: ['states:DescribeExecution'],
  [PRUNES]: ['states:DescribeExecution'],
  [RESTORES]: ['states:DescribeExecution'],
  [DRILLS]: ['states:DescribeExecution'],
  [FAILOVERS]: ['states:DescribeExecution'],
  [FAILBACKS]: ['states:DescribeExecution'],
  [DECISIONS]: ['states:DescribeExecution'],
};
const ANSWER = ['states:SendTaskFailure', 'states:SendTaskSuccess'];
const SOURCE_HOST = 'ssm:managed-instance/mi-0a1b2c3d4e5f60001';
const REPLICA_HOST = 'ssm:managed-instance/mi-0a1b2c3d4e5f60002';
/** What is recorded is also put on the event bus. */
const PUBLISH = { 'events:event-bus/default': ['events:PutEvents'] };
/** Reads the list of paths of a restore, which is all that it signs an address for. */
const SIGN = { [`${PLANS}/selections/*`]: ['s3:GetObject'] };
/** Every machine whose Tasks wait for commands. */
const answers = (actions: readonly string[] = ANSWER) =>
  Object.fromEntries(
    [BACKUP, BATCH, FLEET, PRUNE, RESTORE, DRILL, FAILOVER, FAILBACK, LOOK, DOCTOR].map((machine) => [
      machine,
      actions,
    ]),
  );
/** What `.sync` of Step Functions uses. */
const HEARS_OF_THE_END = {
  'events:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule': [
    'events:DescribeRule',
    'events:PutRule',
    'events:PutTargets',
  ],
};
const starts = (radius: string, hosts: readonly string[]) => ({
  '*': ['ssm:ListCommands', ...XRAY],
  [TABLE]: LEDGER,
  [`ssm:document/ozone-dr-${radius}-*`]: ['ssm:SendCommand'],
  ...Object.fromEntries(hosts.map((host) => [host, ['ssm:SendCommand']])),
  ...answers(),
});

const id = (type: string, part: string) => ofType(control, type).find(([logicalId]) => logicalId.startsWith(part))?.[0];

/** Every function and all that it may do, besides its own log. */
const FUNCTIONS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'ozone-dr-open-run': { '*': XRAY, [TABLE]: LEDGER, ...HOLDERS },
  'ozone-dr-decide-backup': { '*': XRAY, [TABLE]: LEDGER, ...PUBLISH },
  'ozone-dr-record-outcome': { '*': XRAY, [TABLE]: LEDGER, ...PUBLISH },
  'ozone-dr-open-batch': { '*': XRAY, [TABLE]: LEDGER, ...HOLDERS },
  'ozone-dr-decide-batch': { '*': XRAY, [TABLE]: LEDGER, ...PUBLISH },
  'ozone-dr-record-batch': { '*': XRAY, [TABLE]: LEDGER, ...PUBLISH },
  'ozone-dr-record-failure': { '*': XRAY, [TABLE]: LEDGER, ...PUBLISH },
  'ozone-dr-announce-alarm': {
    '*': ['cloudwatch:DescribeAlarms', ...XRAY],
    [TABLE]: ['dynamodb:BatchGetItem', 'dynamodb:GetItem'],
    [`<${id('AWS::SNS::Topic', 'Pages')}>`]: ['sns:Publish'],
    [`<${id('AWS::SNS::Topic', 'Tickets')}>`]: ['sns:Publish'],
  },
  'ozone-dr-assess-objectives': {
    '*': ['ssm:DescribeInstanceInformation', ...XRAY],
    [TABLE]: ['dynamodb:BatchGetItem', 'dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query'],
    [`${TABLE}/index/open`]: ['dynamodb:Scan'],
  },
  'ozone-dr-expand-policy': {
    '*': XRAY,
    [TABLE]: ['dynamodb:BatchGetItem', ...LEDGER],
    [`${PLANS}/fleet/*`]: ['s3:PutObject'],
    ...PUBLISH,
  },
  'ozone-dr-summarize-fleet': {
    '*': XRAY,
    [TABLE]: ['dynamodb:BatchGetItem', 'dynamodb:GetItem', 'dynamodb:Query'],
    [`${PLANS}/fleet/*`]: ['s3:GetObject'],
  },
  'ozone-dr-start-observe': { ...starts('observe', [SOURCE_HOST, REPLICA_HOST]), ...SIGN },
  'ozone-dr-start-restore': { ...starts('restore', [SOURCE_HOST, REPLICA_HOST]), ...SIGN },
  'ozone-dr-start-protect': starts('protect', [SOURCE_HOST, REPLICA_HOST]),
  'ozone-dr-start-destroy': starts('destroy', [REPLICA_HOST]),
  // The sample has no retention: no host of a source ever gets a command that deletes.
  'ozone-dr-start-destroy-source': starts('destroy', []),
  'ozone-dr-decide-prune': {
    '*': XRAY,
    ...PUBLISH,
    [TABLE]: LEDGER,
    [`${PLANS}/plans/*`]: ['s3:GetObject', 's3:PutObject'],
    [PLANS]: ['s3:ListBucket'],
    [`${OUTPUT}/op-*`]: ['s3:GetObject'],
  },
  'ozone-dr-condemn-points': {
    '*': XRAY,
    ...PUBLISH,
    [TABLE]: ['dynamodb:PutItem', 'dynamodb:Query', 'dynamodb:UpdateItem'],
    [`${PLANS}/plans/*`]: ['s3:GetObject'],
  },
  'ozone-dr-open-restore': {
    '*': XRAY,
    [TABLE]: LEDGER,
    [`${PLANS}/plans/*`]: ['s3:GetObject'],
    [`${PLANS}/selections/*`]: ['s3:PutObject'],
    [PLANS]: ['s3:ListBucket'],
    ...HOLDERS,
  },
  'ozone-dr-decide-restore': { '*': XRAY, [TABLE]: LEDGER, [`${PLANS}/plans/*`]: ['s3:PutObject'] },
  'ozone-dr-order-failovers': {
    '*': XRAY,
    [TABLE]: ['dynamodb:GetItem', 'dynamodb:Query'],
    [`${PLANS}/plans/*`]: ['s3:GetObject', 's3:PutObject'],
    [PLANS]: ['s3:ListBucket'],
  },
  'ozone-dr-record-decision': {
    '*': XRAY,
    ...PUBLISH,
    [TABLE]: LEDGER,
    ...HOLDERS,
  },
  'ozone-dr-open-look': { '*': XRAY, [TABLE]: ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query'] },
  'ozone-dr-read-look': { '*': XRAY, [TABLE]: LEDGER },
  customWidgetOzoneDrAct: {
    '*': XRAY,
    // Written are only the forms that it shows: see below.
    [TABLE]: LEDGER,
    [`${PLANS}/plans/*`]: ['s3:GetObject'],
    [PLANS]: ['s3:ListBucket'],
    [RESTORE]: ['states:StartExecution'],
    [FAILOVER]: ['states:StartExecution'],
    [FAILBACK]: ['states:StartExecution'],
    [FAILOVER_FLEET]: ['states:StartExecution'],
    [BACKUP]: ['states:StartExecution'],
    'states:stateMachine:ozone-dr-decision': ['states:StartExecution'],
    [RUNS]: ['states:DescribeExecution'],
    [DECISIONS]: ['states:DescribeExecution'],
    [RESTORES]: ['states:DescribeExecution', 'states:StopExecution'],
    [DRILLS]: ['states:DescribeExecution', 'states:StopExecution'],
    [FAILOVERS]: ['states:DescribeExecution', 'states:StopExecution'],
    [FAILBACKS]: ['states:DescribeExecution', 'states:StopExecution'],
    [FAILOVER_FLEETS]: ['states:DescribeExecution', 'states:StopExecution'],
  },
  customWidgetOzoneDrView: {
    '*': XRAY,
    [TABLE]: ['dynamodb:GetItem', 'dynamodb:Query'],
    [`${TABLE}/index/open`]: ['dynamodb:Query'],
    ...Object.fromEntries(
      [
        BACKUP,
        PRUNE,
        DRILL,
        RESTORE,
        FAILOVER,
        FAILBACK,
        FAILOVER_FLEET,
        LOOK,
        'states:stateMachine:ozone-dr-decision',
        `${BACKUP}-fleet`,
      ].map((machine) => [machine, ['states:ListExecutions']]),
    ),
  },
  'ozone-dr-open-doctor': {
    '*': ['ssm:DescribeInstanceInformation', ...XRAY],
    [TABLE]: ['dynamodb:GetItem', 'dynamodb:PutItem'],
  },
  'ozone-dr-judge-doctor': {
    '*': ['ssm:DescribeInstanceInformation', ...XRAY],
    [TABLE]: ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query'],
    [OUTPUT]: ['s3:ListBucket'],
    [`${PLANS}/doctor/*`]: ['s3:PutObject'],
  },
  'ozone-dr-settle-operation': {
    '*': ['ssm:GetCommandInvocation', 'ssm:ListCommandInvocations', ...XRAY],
    [TABLE]: ['dynamodb:GetItem', 'dynamodb:UpdateItem'],
    ...answers(),
    [`${OUTPUT}/op-*`]: ['s3:GetObject'],
    [OUTPUT]: ['s3:ListBucket'],
  },
  'ozone-dr-sweep-operations': {
    '*': ['ssm:CancelCommand', 'ssm:GetCommandInvocation', 'ssm:ListCommandInvocations', 'ssm:ListCommands', ...XRAY],
    [TABLE]: ['dynamodb:GetItem', 'dynamodb:UpdateItem'],
    [`${TABLE}/index/open`]: ['dynamodb:Scan'],
    ...answers(['states:SendTaskFailure', 'states:SendTaskHeartbeat', 'states:SendTaskSuccess']),
    ...Object.fromEntries(
      [RUNS, BATCHES, FLEETS, PRUNES, RESTORES, DRILLS, FAILOVERS, FAILBACKS, LOOKS, VISITS].map((runs) => [
        runs,
        ['states:DescribeExecution'],
      ]),
    ),
    [`${OUTPUT}/op-*`]: ['s3:GetObject'],
    [OUTPUT]: ['s3:ListBucket'],
  },
};

const roleOfFunction = (properties: Resource['Properties'] | undefined): string =>
  text(properties?.Role).replace(/^<(.*)\.Arn>$/, '$1');
const functions = ofType(control, 'AWS::Lambda::Function').map(([, { Properties }]) => ({
  name: text(Properties.FunctionName),
  roleId: roleOfFunction(Properties),
  log: text((Properties.LoggingConfig as { readonly LogGroup: unknown }).LogGroup).replace(/^<(.*)>$/, '$1'),
}));

describe('functions', () => {
  it('are those of the table', () => {
    expect(functions.map(({ name }) => name).sort()).toEqual(Object.keys(FUNCTIONS).sort());
  });

  it.each(functions)('$name may do what the table says and write its own log', ({ name, roleId, log }) => {
    expect(permissionsOf(control, roleId)).toEqual({
      ...FUNCTIONS[name],
      [`<${log}.Arn>`]: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    });
  });

  it('have a role each, that only Lambda can take', () => {
    expect(new Set(functions.map(({ roleId }) => roleId)).size).toBe(functions.length);
    for (const { roleId } of functions)
      expect(control.Resources[roleId]?.Properties.AssumeRolePolicyDocument).toMatchObject({
        Statement: [{ Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' } }],
      });
  });

  /** What a function of a template may send, and where to. */
  const sendsOf = (template: Template, name: string): readonly string[] => {
    const [, found] =
      ofType(template, 'AWS::Lambda::Function').find(([, { Properties }]) => Properties.FunctionName === name) ?? [];
    const allowed = permissionsOf(template, roleOfFunction(found?.Properties));
    return Object.keys(allowed)
      .filter((resource) => allowed[resource]?.includes('ssm:SendCommand'))
      .sort();
  };

  it('that send commands reach the hosts of the policies, EC2 or hybrid, and no others', () => {
    const mixed = synthesize(
      sampleWith('two-clusters.yaml', ['mi-0a1b2c3d4e5f60001', 'i-0a1b2c3d4e5f60001, mi-0a1b2c3d4e5f60009']),
    ).control;
    expect(sendsOf(mixed, 'ozone-dr-start-protect')).toEqual([
      'ec2:instance/i-0a1b2c3d4e5f60001',
      'ssm:document/ozone-dr-protect-*',
      'ssm:managed-instance/mi-0a1b2c3d4e5f60002',
      'ssm:managed-instance/mi-0a1b2c3d4e5f60009',
    ]);
    expect(sendsOf(mixed, 'ozone-dr-start-destroy')).toEqual(['ssm:document/ozone-dr-destroy-*', REPLICA_HOST]);
  });

  it('that deleting reaches each side through a function of its own, the source only where a policy has retention', () => {
    const { control: pruning } = synthesize(sample('every-field.yaml'));
    const hosts = (name: string) => sendsOf(pruning, name).filter((it) => !it.includes('document'));
    expect(hosts('ozone-dr-start-destroy-source')).toEqual(['ssm:managed-instance/mi-0a1b2c3d4e5f60001']);
    expect(hosts('ozone-dr-start-destroy')).toEqual([
      'ssm:managed-instance/mi-0a1b2c3d4e5f60002',
      'ssm:managed-instance/mi-0a1b2c3d4e5f60003',
    ]);
  });

  describe('that delete on each side', () => {
    const retention = 'retention: { zone: Etc/UTC, source: { keepLast: 3 }, replica: { keepLast: 3 } }';
    const between = (policies: string) =>
      synthesize(
        parsePolicies(
          `clusters:
${['athens', 'berlin', 'cairo'].map((name, n) => `  ${name}: { service: ozone-${name}, hosts: [mi-0a1b2c3d4e5f6000${n}] }`).join('\n')}
policies:
${policies}`,
          'policies.yaml',
        ),
      ).warnings.filter((it) => it.includes('take deletions'));
    const policy = (name: string, source: string, replica: string, more = '') =>
      `  ${name}: { source: ${source}, replica: ${replica}, buckets: [sales/${name}], schedules: [], objectives: { rpo: 1h, rto: 1h }${more && `, ${more}`} }\n`;

    it('share hosts when policies go in both directions, of which whoever deploys is warned', () => {
      const both = policy('out', 'athens', 'berlin', retention) + policy('back', 'berlin', 'athens', retention);
      expect(between(both)).toEqual([expect.stringMatching(/^hosts of athens, berlin take deletions /)]);
    });

    it('share those of a cluster in the middle, if its own deletions are asked for', () => {
      const chain = (more: string) =>
        policy('first', 'athens', 'berlin', retention) + policy('next', 'berlin', 'cairo', more);
      expect(between(chain(retention))).toEqual([expect.stringMatching(/^hosts of berlin take deletions /)]);
      expect(between(chain(''))).toEqual([]);
    });
  });

  it('that destroy reach no host at all where no policy has a replica', () => {
    const { control: alone } = synthesize(sample('snapshots-only.yaml'));
    expect(sendsOf(alone, 'ozone-dr-start-destroy')).toEqual(['ssm:document/ozone-dr-destroy-*']);
    expect(sendsOf(alone, 'ozone-dr-start-protect')).toEqual([
      'ec2:instance/i-0a1b2c3d4e5f60718',
      'ssm:document/ozone-dr-protect-*',
    ]);
  });

  it('keep document and hosts in separate statements', () => {
    const sends = ofType(control, 'AWS::IAM::Policy')
      .flatMap(([, policy]) => statementsOf(policy))
      .filter((statement) => listed(statement.Action).includes('ssm:SendCommand'))
      .map((statement) => [statement.Sid, listed(statement.Resource).map((it) => text(it).includes(':document/'))]);
    expect(sends).toEqual([
      ['OwnDocuments', [true]],
      ['HostsOfPolicies', [false, false]],
      ['OwnDocuments', [true]],
      ['HostsOfPolicies', [false, false]],
      ['OwnDocuments', [true]],
      ['HostsOfPolicies', [false, false]],
      ['OwnDocuments', [true]],
      ['HostsOfPolicies', [false]],
      ['OwnDocuments', [true]],
    ]);
  });
});

describe('roles of machines and schedules', () => {
  const MACHINE_LOGS_AND_TRACES = [
    'logs:CreateLogDelivery',
    'logs:DeleteLogDelivery',
    'logs:DescribeLogGroups',
    'logs:DescribeResourcePolicies',
    'logs:GetLogDelivery',
    'logs:ListLogDeliveries',
    'logs:PutResourcePolicy',
    'logs:UpdateLogDelivery',
    'xray:GetSamplingRules',
    'xray:GetSamplingTargets',
    ...XRAY,
  ];
  const invokes = (...names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [`lambda:function:ozone-dr-${name}:*`, ['lambda:InvokeFunction']]));
  const roleOf = (service: string, contains: string) =>
    ofType(control, 'AWS::IAM::Role').filter(
      ([id, role]) => id.includes(contains) && JSON.stringify(role).includes(`"${service}.amazonaws.com"`),
    )[0]?.[0] ?? '';

  it('the backup machine calls its handlers, in every version that a run may have begun with', () => {
    expect(permissionsOf(control, roleOf('states', 'BackupRole'))).toEqual({
      '*': MACHINE_LOGS_AND_TRACES,
      ...invokes('open-run', 'decide-backup', 'record-outcome', 'record-failure'),
      ...invokes('start-observe', 'start-protect', 'start-destroy'),
    });
  });

  it('the batch machine calls its handlers: it copies nothing and deletes nothing', () => {
    expect(permissionsOf(control, roleOf('states', 'BackupBatchRole'))).toEqual({
      '*': MACHINE_LOGS_AND_TRACES,
      ...invokes('open-batch', 'decide-batch', 'record-batch', 'start-observe', 'start-protect'),
    });
  });

  it('the decision machine calls its one handler', () => {
    expect(permissionsOf(control, roleOf('states', 'DecisionRole'))).toEqual({
      '*': MACHINE_LOGS_AND_TRACES,
      ...invokes('record-decision'),
    });
  });

  it('the look machine reads: of the functions that send commands it calls the one that observes', () => {
    expect(permissionsOf(control, roleOf('states', 'LookRole'))).toEqual({
      '*': MACHINE_LOGS_AND_TRACES,
      ...invokes('open-look', 'start-observe', 'read-look'),
    });
  });

  it('the doctor machine calls each function that sends commands: what each of them reaches is what it looks at', () => {
    expect(permissionsOf(control, roleOf('states', 'DoctorRole'))).toEqual({
      '*': MACHINE_LOGS_AND_TRACES,
      ...invokes('open-doctor', 'judge-doctor', 'start-observe', 'start-protect', 'start-restore'),
      ...invokes('start-destroy', 'start-destroy-source'),
    });
  });

  it('the prune machine calls its handlers, and can delete on a side through the function of that side alone', () => {
    expect(permissionsOf(control, roleOf('states', 'PruneRole'))).toEqual({
      '*': MACHINE_LOGS_AND_TRACES,
      ...invokes('open-run', 'decide-prune', 'condemn-points', 'record-outcome', 'record-failure'),
      ...invokes('start-observe', 'start-destroy', 'start-destroy-source'),
    });
  });

  it.each([['restore'], ['drill']])(
    'the %s machine calls its handlers, and writes through the one function for that',
    (name) => {
      const part = name === 'restore' ? 'RestoreRole' : 'DrillRole';
      const role = ofType(control, 'AWS::IAM::Role').find(([id]) => id.startsWith(part))?.[0] ?? '';
      expect(permissionsOf(control, role)).toEqual({
        '*': MACHINE_LOGS_AND_TRACES,
        ...invokes('open-restore', 'decide-restore', 'record-outcome', 'record-failure'),
        ...invokes('start-observe', 'start-restore'),
      });
    },
  );

  it.each([
    ['FailoverRole', []],
    // It also freezes the old primary.
    ['FailbackRole', ['start-protect']],
  ] as const)('%s calls the handlers of restores, and starts and follows backups, and nothing else', (part, more) => {
    expect(permissionsOf(control, roleOf('states', part))).toEqual({
      '*': MACHINE_LOGS_AND_TRACES,
      ...invokes('open-restore', 'decide-restore', 'record-outcome', 'record-failure'),
      ...invokes('start-observe', 'start-restore', ...more),
      [BACKUP]: ['states:StartExecution'],
      [RUNS]: ['states:DescribeExecution', 'states:StopExecution'],
      ...HEARS_OF_THE_END,
    });
  });

  it('the fleet starts and follows backups, prunes and drills, and nothing else', () => {
    expect(permissionsOf(control, roleOf('states', 'BackupFleetRole'))).toEqual({
      '*': MACHINE_LOGS_AND_TRACES,
      ...invokes('expand-policy', 'start-observe', 'summarize-fleet'),
      // The children of its Map, their list and their results.
      [FLEET]: ['states:StartExecution'],
      [FLEETS]: ['states:DescribeExecution', 'states:StopExecution'],
      [`${PLANS}/fleet/*`]: ['s3:AbortMultipartUpload', 's3:GetObject', 's3:ListMultipartUploadParts', 's3:PutObject'],
      [BACKUP]: ['states:StartExecution'],
      [BATCH]: ['states:StartExecution'],
      [BATCHES]: ['states:DescribeExecution', 'states:StopExecution'],
      [PRUNE]: ['states:StartExecution'],
      [DRILL]: ['states:StartExecution'],
      [DRILLS]: ['states:DescribeExecution', 'states:StopExecution'],
      [RUNS]: ['states:DescribeExecution', 'states:StopExecution'],
      [PRUNES]: ['states:DescribeExecution', 'states:StopExecution'],
      ...HEARS_OF_THE_END,
    });
  });

  it('a schedule starts the one thing that it is for', () => {
    expect(permissionsOf(control, roleOf('scheduler', 'PolicySchedules'))).toEqual({
      [`<${id('AWS::StepFunctions::StateMachine', 'BackupFleet')}>`]: ['states:StartExecution'],
      [`<${id('AWS::SQS::Queue', 'SchedulesUndelivered')}.Arn>`]: ['sqs:SendMessage'],
    });
    expect(permissionsOf(control, roleOf('scheduler', 'SweeperSchedule'))).toEqual({
      [`<${id('AWS::Lambda::Function', 'SweepOperations')}.Arn>`]: ['lambda:InvokeFunction'],
      [`<${id('AWS::Lambda::Function', 'AssessObjectives')}.Arn>`]: ['lambda:InvokeFunction'],
    });
  });

  it('machines and schedules can be impersonated by this account alone', () => {
    const services = ofType(control, 'AWS::IAM::Role').flatMap(([, role]) =>
      (
        role.Properties.AssumeRolePolicyDocument as {
          readonly Statement: readonly {
            readonly Principal: { readonly Service: string };
            readonly Condition?: { readonly StringEquals?: Readonly<Record<string, unknown>> };
          }[];
        }
      ).Statement.map((it) => [it.Principal.Service, it.Condition?.StringEquals?.['aws:SourceAccount']] as const),
    );
    const outside = services.filter(([service]) => service !== 'lambda.amazonaws.com');
    expect(outside.length).toBe(15);
    for (const [, account] of outside) expect(account).toEqual({ Ref: 'AWS::AccountId' });
  });
});

describe('policies of the whole template', () => {
  const statements = ofType(control, 'AWS::IAM::Policy').flatMap(([, policy]) => statementsOf(policy));

  it('name every action: none has a wildcard', () => {
    const actions = statements.flatMap(({ Action }) => listed(Action));
    expect(actions.length).toBeGreaterThan(30);
    expect(actions.filter((action) => action.includes('*'))).toEqual([]);
  });

  it('use no managed policy', () => {
    for (const [, role] of ofType(control, 'AWS::IAM::Role')) expect(role.Properties.ManagedPolicyArns).toBeUndefined();
  });

  it('give no wildcard resource but to what has no resources, and to what is named at run time', () => {
    const wild = statements
      .flatMap((statement) => listed(statement.Resource).map(text))
      .filter((resource) => resource.includes('*'))
      .map((resource) => resource.replace(/function:ozone-dr-[a-z-]+:/, 'function:<ours>:'));
    expect([...new Set(wild)].sort()).toEqual([
      '*',
      'arn:<AWS::Partition>:lambda:<AWS::Region>:<AWS::AccountId>:function:<ours>:*',
      'arn:<AWS::Partition>:s3:::ozone-dr-output-<AWS::AccountId>-<AWS::Region>/op-*',
      'arn:<AWS::Partition>:s3:::ozone-dr-records-<AWS::AccountId>-<AWS::Region>/doctor/*',
      'arn:<AWS::Partition>:s3:::ozone-dr-records-<AWS::AccountId>-<AWS::Region>/fleet/*',
      'arn:<AWS::Partition>:s3:::ozone-dr-records-<AWS::AccountId>-<AWS::Region>/plans/*',
      'arn:<AWS::Partition>:s3:::ozone-dr-records-<AWS::AccountId>-<AWS::Region>/selections/*',
      'arn:<AWS::Partition>:ssm:<AWS::Region>:<AWS::AccountId>:document/ozone-dr-destroy-*',
      'arn:<AWS::Partition>:ssm:<AWS::Region>:<AWS::AccountId>:document/ozone-dr-observe-*',
      'arn:<AWS::Partition>:ssm:<AWS::Region>:<AWS::AccountId>:document/ozone-dr-protect-*',
      'arn:<AWS::Partition>:ssm:<AWS::Region>:<AWS::AccountId>:document/ozone-dr-restore-*',
      'arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:ozone-dr-backup-batch:*',
      'arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:ozone-dr-backup-fleet:*',
      'arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:ozone-dr-backup:*',
      'arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:ozone-dr-decision:*',
      'arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:ozone-dr-doctor:*',
      'arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:ozone-dr-drill:*',
      'arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:ozone-dr-failback:*',
      'arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:ozone-dr-failover-fleet:*',
      'arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:ozone-dr-failover:*',
      'arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:ozone-dr-look:*',
      'arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:ozone-dr-prune:*',
      'arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:ozone-dr-restore:*',
    ]);
  });

  it('let the function that acts for the dashboard write forms, and nothing else of the table', () => {
    const forms = statements.filter(({ Sid }) => Sid === 'Forms');
    expect(forms).toEqual([
      expect.objectContaining({
        Action: ['dynamodb:PutItem', 'dynamodb:UpdateItem'],
        Condition: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['NONCE#*'] } },
      }),
    ]);
  });

  it('let nothing delete an item of the ledger, an object of the output, or a snapshot', () => {
    const actions = statements.flatMap(({ Action }) => listed(Action));
    expect(actions.filter((action) => /delete/i.test(action) && action !== 'logs:DeleteLogDelivery')).toEqual([]);
  });

  it('let one alarm publish to the topic of pages, and everything over TLS only', () => {
    const policies = ofType(control, 'AWS::SNS::TopicPolicy');
    const rendered = policies
      .flatMap(([, policy]) => statementsOf(policy))
      .map(({ Effect, Principal, Condition }) => [Effect, Principal, Object.keys(Condition ?? {})]);
    expect(rendered).toEqual([
      ['Deny', '*', ['Bool']],
      ['Allow', { Service: 'cloudwatch.amazonaws.com' }, ['StringEquals', 'ArnLike']],
      ['Deny', '*', ['Bool']],
    ]);
  });

  it('let nobody reach the command output or the records without TLS', () => {
    const statements = ofType(state, 'AWS::S3::BucketPolicy').flatMap(([, policy]) => statementsOf(policy));
    const denied = { Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } };
    expect(statements).toMatchObject([denied, denied]);
  });
});
