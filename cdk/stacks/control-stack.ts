import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { ArnFormat, CfnOutput, Duration, Stack, type StackProps, Validations } from 'aws-cdk-lib';
import { Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as LambdaTarget } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IFunction, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnSchedule, CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import type { Severity } from '../../functions/core/domain/alarms.ts';
import type { HostId } from '../../functions/core/domain/names.ts';
import { BlastRadius } from '../../functions/core/domain/operation.ts';
import type { Policy } from '../../functions/core/domain/policy.ts';
import type { Side } from '../../functions/core/domain/retention.ts';
import {
  ActConsoleEnv,
  AnnounceAlarmEnv,
  DecidePruneEnv,
  JudgeDoctorEnv,
  MeasuringEnv,
  PlanRecordEnv,
  PlanStoreEnv,
  SettleOperationEnv,
  StartOperationEnv,
  StoreEnv,
  ViewConsoleEnv,
} from '../../functions/handlers/environments.ts';

import { acknowledge, iam5Finding } from '../constructs/acknowledge.ts';
import { documentPrefix } from '../constructs/edge-document.ts';
import { allow, allowAs, HandlerFunction, type HandlerFunctionProps } from '../constructs/handler-function.ts';
import { executionsArn, machineArn, Workflow } from '../constructs/workflow.ts';
import { addAlarms } from '../monitoring/alarms.ts';
import { addDashboard } from '../monitoring/dashboard.ts';
import type { DocumentsStack } from './documents-stack.ts';
import { stateNames, widgetName } from './names.ts';

const project = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export type ControlStackProps = StackProps & {
  readonly prefix: string;
  readonly policies: readonly Policy[];
  /** Made there as they are needed here. */
  readonly documents: DocumentsStack;
};

/**
 * Machines whose Tasks wait for commands on hosts. Whoever starts or settles a command may answer each of them, whoever sweeps keeps
 * its Task alive and asks whether it still runs: a machine is added to all of that here.
 */
const OPERATING = [
  'backup',
  'backup-batch',
  'backup-fleet',
  'prune',
  'restore',
  'drill',
  'failover',
  'failback',
  'look',
  'doctor',
] as const;
/** Those whose executions may hold a lease; whoever wants one asks whether its holder is still there. */
const HOLDING = ['backup', 'backup-batch', 'prune', 'restore', 'drill', 'failover', 'failback', 'decision'] as const;
/** What the fleet starts, follows and stops. */
const FLEET = ['backup', 'prune', 'drill'] as const;
/** What a planned failover and a failback start, follow and stop. */
const DRAIN = ['backup'] as const;

/** Functions whose errors say what others did wrong, or that have an alarm of their own. */
const ERRS_FOR_OTHERS: ReadonlySet<string> = new Set([
  'SummarizeFleet',
  'RecordDecision',
  'SweepOperations',
  'AssessObjectives',
  'AnnounceAlarm',
]);

/** Everything that works: schedules, workflows, their functions and alarms. May be replaced at any time. */
export class ControlStack extends Stack {
  readonly #prefix: string;
  readonly #policies: readonly Policy[];
  readonly #documents: DocumentsStack;
  /** By their ids. */
  readonly #functions = new Map<string, IFunction>();

  constructor(scope: Construct, id: string, props: ControlStackProps) {
    // CloudFormation takes a megabyte.
    super(scope, id, { ...props, suppressTemplateIndentation: true });
    this.#prefix = props.prefix;
    this.#documents = props.documents;
    this.#policies = props.policies;

    this.#warnOfSharedHosts();
    const workflows = this.#workflows();
    const { backup, fleet, prune, restore, drill, failover, failback, failoverFleet } = workflows;
    const { decision, look, doctor, settle, sweep, assess } = workflows;
    const undelivered = this.#deadLetters('SchedulesUndelivered');
    const unheard = this.#deadLetters('EventsUndelivered');
    this.#policySchedules(fleet, undelivered);
    this.#systemSchedules(sweep, assess);
    this.#doctorSchedule(doctor, undelivered);
    this.#commandEvents(settle, unheard);
    const topics = this.#alarmTopics();
    const announce = this.#announcer(topics);
    const view = this.#viewConsole();
    this.#actConsole();
    addAlarms(this, {
      prefix: props.prefix,
      pages: topics.page,
      backup,
      fleet,
      prune,
      restore,
      drill,
      failover,
      failback,
      failoverFleet,
      decision,
      look,
      doctor,
      sweep: sweep.function,
      assess: assess.function,
      announce: announce.function,
      alarmChanged: this.#alarmEvents(announce, unheard),
      functions: [...this.#functions].flatMap(([id, it]) => (ERRS_FOR_OTHERS.has(id) ? [] : [it])),
      undelivered,
      unheard,
    });
    addDashboard(this, {
      prefix: props.prefix,
      policies: props.policies,
      view,
      machines: { backup, fleet, prune, restore, drill, failover, failback },
    });
    this.#outputs({ backup, prune, restore, drill, failover, failback, failoverFleet, decision, look, doctor }, topics);
  }

  #workflows() {
    const names = stateNames(this, this.#prefix);
    const nameOf = (machine: string): string => `${this.#prefix}-${machine}`;
    const machines = (of: readonly string[]) => of.map((it) => machineArn(this, nameOf(it)));
    const executions = (of: readonly string[]) => of.map((it) => executionsArn(this, nameOf(it)));
    const acknowledgeExecutions = (handlers: readonly Construct[], of: readonly string[], why: string): void => {
      for (const handler of handlers)
        acknowledge(
          handler,
          Object.fromEntries(of.map((it) => [iam5Finding('states', `execution:${nameOf(it)}:*`), why])),
        );
    };
    const store = { TABLE_NAME: names.table };
    const measuring = { ...store, DEPLOYMENT: this.#prefix };
    const settling = { ...measuring, OUTPUT_BUCKET: names.outputBucket };
    const files = { 'policies.json': JSON.stringify(this.#policies) };

    const ledger = this.#ledger('GetItem', 'PutItem', 'UpdateItem', 'Query');
    // What is recorded is also put on the event bus of the account.
    const publish = allow(
      ['events:PutEvents'],
      [this.formatArn({ service: 'events', resource: 'event-bus', resourceName: 'default' })],
    );
    const output = `arn:${this.partition}:s3:::${names.outputBucket}`;
    const readOutput = [
      // Keys begin with the operation id (OutputS3KeyPrefix of the command).
      allow(['s3:GetObject'], [`${output}/op-*`]),
      // Without it S3 answers AccessDenied for an output that is not there, as if it were there and forbidden.
      allow(['s3:ListBucket'], [output]),
    ];
    const answer = allow(['states:SendTaskSuccess', 'states:SendTaskFailure'], machines(OPERATING));
    const describeHolders = allow(['states:DescribeExecution'], executions(HOLDING));

    const openRun = this.#handler('OpenRun', {
      handler: 'open-run',
      description: 'Opens or continues the run of a slot and takes the lease of its bucket',
      environment: { schema: StoreEnv, values: store },
      permissions: [ledger, describeHolders],
      files,
    });
    const decideBackup = this.#handler('DecideBackup', {
      handler: 'decide-backup',
      description: 'Decides the next step of a backup run',
      environment: { schema: MeasuringEnv, values: measuring },
      permissions: [ledger, publish],
    });
    const recordOutcome = this.#handler('RecordOutcome', {
      handler: 'record-outcome',
      description: 'Closes a run with what it achieved',
      environment: { schema: MeasuringEnv, values: measuring },
      permissions: [this.#ledger('GetItem', 'PutItem', 'Query', 'UpdateItem'), publish],
    });
    const openBatch = this.#handler('OpenBatch', {
      handler: 'open-batch',
      description: 'Opens or continues the runs of a slot of several buckets, each under its lease',
      environment: { schema: StoreEnv, values: store },
      permissions: [ledger, describeHolders],
      files,
    });
    const decideBatch = this.#handler('DecideBatch', {
      handler: 'decide-batch',
      description: 'Decides the next step of several backup runs, and what one command does for them',
      environment: { schema: MeasuringEnv, values: measuring },
      permissions: [ledger, publish],
    });
    const recordBatch = this.#handler('RecordBatch', {
      handler: 'record-batch',
      description: 'Closes runs of a batch with what they achieved, or why they failed',
      environment: { schema: MeasuringEnv, values: measuring },
      permissions: [this.#ledger('GetItem', 'PutItem', 'Query', 'UpdateItem'), publish],
    });
    const recordFailure = this.#handler('RecordFailure', {
      handler: 'record-failure',
      description: 'Closes a run with why it failed',
      environment: { schema: MeasuringEnv, values: measuring },
      permissions: [this.#ledger('GetItem', 'PutItem', 'Query', 'UpdateItem'), publish],
    });
    const records = `arn:${this.partition}:s3:::${names.recordsBucket}`;
    const selections = `${records}/selections/*`;
    // To sign the address that a host reads a list of paths from: the host itself needs no permission.
    const signSelections = allow(['s3:GetObject'], [selections]);
    const startObserve = this.#startOperation('StartObserve', 'observe', [ledger, answer, signSelections]);
    const startRestore = this.#startOperation('StartRestore', 'restore', [ledger, answer, signSelections]);
    const startProtect = this.#startOperation('StartProtect', 'protect', [ledger, answer]);
    // Each side has a function and a role for deletions; their hosts are apart, too, unless policies are as warned of.
    const startDestroy = this.#startOperation('StartDestroy', 'destroy', [ledger, answer]);
    const startDestroySource = this.#startOperation('StartDestroySource', 'destroy', [ledger, answer], 'source');
    const plans = `${records}/plans/*`;
    const keeping = { ...store, RECORDS_BUCKET: names.recordsBucket };
    // As for the output: without it a plan that is not there looks like one that is forbidden.
    const listPlans = allow(['s3:ListBucket'], [records]);
    const decidePrune = this.#handler('DecidePrune', {
      handler: 'decide-prune',
      description: 'Decides the next step of a prune',
      environment: {
        schema: DecidePruneEnv,
        values: { ...keeping, DEPLOYMENT: this.#prefix, OUTPUT_BUCKET: names.outputBucket },
      },
      // Ten thousand points are read, judged and planned at once.
      timeout: Duration.seconds(55),
      permissions: [
        ledger,
        publish,
        allow(['s3:GetObject', 's3:PutObject'], [plans]),
        listPlans,
        // Listings that are too long for an item.
        allow(['s3:GetObject'], [`${output}/op-*`]),
      ],
      files,
    });
    const condemnPoints = this.#handler('CondemnPoints', {
      handler: 'condemn-points',
      description: 'Marks what a stored plan condemns; deletes nothing',
      environment: { schema: PlanRecordEnv, values: { ...keeping, DEPLOYMENT: this.#prefix } },
      // A plan may condemn thousands.
      timeout: Duration.seconds(55),
      permissions: [this.#ledger('PutItem', 'UpdateItem', 'Query'), allow(['s3:GetObject'], [plans]), publish],
    });
    const openRestore = this.#handler('OpenRestore', {
      handler: 'open-restore',
      description:
        'Opens a restore, a drill, a failover or a failback: resolves and keeps its point, takes the lease of its target',
      environment: { schema: PlanStoreEnv, values: keeping },
      permissions: [
        ledger,
        describeHolders,
        allow(['s3:GetObject'], [plans]),
        allow(['s3:PutObject'], [selections]),
        listPlans,
      ],
      files,
    });
    const decideRestore = this.#handler('DecideRestore', {
      handler: 'decide-restore',
      description: 'Decides the next step of a restore, a drill, a failover or a failback',
      environment: { schema: PlanStoreEnv, values: keeping },
      permissions: [ledger, allow(['s3:PutObject'], [plans])],
    });
    const orderFailovers = this.#handler('OrderFailovers', {
      handler: 'order-failovers',
      description: 'Says what a failover of several buckets would lose, and which buckets are next',
      environment: { schema: PlanStoreEnv, values: keeping },
      permissions: [this.#ledger('GetItem', 'Query'), allow(['s3:GetObject', 's3:PutObject'], [plans]), listPlans],
      files,
    });
    for (const handler of [decidePrune, condemnPoints, openRestore, decideRestore, orderFailovers])
      acknowledge(handler, {
        [recordsFinding(this.#prefix, 'plans/*')]:
          'Reads and writes the plan of any bucket; their hashes are not known at deployment.',
      });
    for (const handler of [openRestore, startObserve, startRestore])
      acknowledge(handler, {
        [recordsFinding(this.#prefix, 'selections/*')]:
          'Writes, and signs for reading, the list of paths of any restore; their hashes are not known at deployment.',
      });
    const recordDecision = this.#handler('RecordDecision', {
      handler: 'record-decision',
      description: 'Records what a person decided about a bucket',
      environment: { schema: MeasuringEnv, values: measuring },
      permissions: [ledger, publish, describeHolders],
      files,
    });
    const expandPolicy = this.#handler('ExpandPolicy', {
      handler: 'expand-policy',
      description: 'Lists the buckets of a policy that are due, and enrols those that its globs give',
      environment: { schema: PlanRecordEnv, values: { ...keeping, DEPLOYMENT: this.#prefix } },
      // Ten thousand buckets in the first slot of a glob: each gets an entry in its record, and an event.
      timeout: Duration.minutes(14),
      memoryMB: 1024,
      permissions: [
        this.#ledger('GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'Query'),
        allow(['s3:PutObject'], [`${records}/fleet/*`]),
        publish,
      ],
      files,
    });
    const summarizeFleet = this.#handler('SummarizeFleet', {
      handler: 'summarize-fleet',
      description: 'Fails if one of the buckets failed; publishes how full the clusters are',
      environment: { schema: PlanRecordEnv, values: { ...keeping, DEPLOYMENT: this.#prefix } },
      timeout: Duration.seconds(55),
      permissions: [this.#ledger('GetItem', 'BatchGetItem', 'Query'), allow(['s3:GetObject'], [`${records}/fleet/*`])],
      files,
    });
    for (const handler of [expandPolicy, summarizeFleet])
      acknowledge(handler, {
        [recordsFinding(this.#prefix, 'fleet/*')]: 'Due lists and results hold the slot in their names.',
      });
    const settle = this.#handler('SettleOperation', {
      handler: 'settle-operation',
      description: 'Reads how a command ended and wakes its run',
      environment: { schema: SettleOperationEnv, values: settling },
      permissions: [
        this.#ledger('GetItem', 'UpdateItem'),
        ...readOutput,
        answer,
        // Run Command has no resources to name for these (Service Authorization Reference, Systems Manager).
        allow(['ssm:ListCommandInvocations', 'ssm:GetCommandInvocation'], ['*']),
      ],
    });
    const sweep = this.#handler('SweepOperations', {
      handler: 'sweep-operations',
      description: 'Every minute: settles, keeps alive or ends what is open',
      environment: { schema: SettleOperationEnv, values: settling },
      // Shorter than the pause between two sweeps.
      timeout: Duration.seconds(55),
      permissions: [
        this.#ledger('GetItem', 'UpdateItem'),
        allow(['dynamodb:Scan'], [`${this.#tableArn()}/index/${names.openIndex}`]),
        ...readOutput,
        answer,
        allow(['states:SendTaskHeartbeat'], machines(OPERATING)),
        allow(['states:DescribeExecution'], executions(OPERATING)),
        allow(
          ['ssm:ListCommandInvocations', 'ssm:GetCommandInvocation', 'ssm:ListCommands', 'ssm:CancelCommand'],
          ['*'],
        ),
      ],
      files,
    });
    const assess = this.#handler('AssessObjectives', {
      handler: 'assess-objectives',
      description: 'Every five minutes: how far every bucket is from what its policy promises',
      environment: { schema: MeasuringEnv, values: measuring },
      permissions: [
        this.#ledger('GetItem', 'BatchGetItem', 'PutItem', 'Query'),
        allow(['dynamodb:Scan'], [`${this.#tableArn()}/index/${names.openIndex}`]),
        allow(['ssm:DescribeInstanceInformation'], ['*']),
      ],
      // Shorter than the pause between two rounds; ten thousand buckets take some seconds of it.
      timeout: Duration.seconds(55),
      files,
    });
    for (const handler of [settle, sweep, decidePrune])
      acknowledge(handler, {
        [`AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:s3:::${this.#prefix}-output-<AWS::AccountId>-<AWS::Region>/op-*]`]:
          'Reads the output of any operation; their ids are not known at deployment.',
      });
    const stillGoingOn = 'Asks whether an execution is still going on; their names are not known at deployment.';
    acknowledgeExecutions([sweep], OPERATING, stillGoingOn);
    acknowledgeExecutions([openRun, openBatch, openRestore, recordDecision], HOLDING, stillGoingOn);
    const openLook = this.#handler('OpenLook', {
      handler: 'open-look',
      description: 'Finds the points that a look asks for; changes nothing of theirs',
      environment: { schema: StoreEnv, values: store },
      permissions: [this.#ledger('GetItem', 'PutItem', 'Query')],
      files,
    });
    const readLook = this.#handler('ReadLook', {
      handler: 'read-look',
      description: 'Reads what a host answered to a look, or asks again',
      environment: { schema: StoreEnv, values: store },
      permissions: [ledger],
    });
    // Systems Manager has no resources to name for it (Service Authorization Reference).
    const describeHosts = allow(['ssm:DescribeInstanceInformation'], ['*']);
    const openDoctor = this.#handler('OpenDoctor', {
      handler: 'open-doctor',
      description: 'Finds the hosts that the doctor visits and records what they are asked',
      environment: { schema: StoreEnv, values: store },
      permissions: [this.#ledger('GetItem', 'PutItem'), describeHosts],
      files,
    });
    const judgeDoctor = this.#handler('JudgeDoctor', {
      handler: 'judge-doctor',
      description: 'Judges what the doctor found and keeps the report',
      environment: { schema: JudgeDoctorEnv, values: { ...settling, RECORDS_BUCKET: names.recordsBucket } },
      permissions: [
        this.#ledger('GetItem', 'PutItem', 'Query'),
        describeHosts,
        allow(['s3:ListBucket'], [output]),
        allow(['s3:PutObject'], [`${records}/doctor/*`]),
      ],
      files,
    });
    acknowledge(judgeDoctor, {
      [recordsFinding(this.#prefix, 'doctor/*')]: 'Writes one report for each visit, named by its time.',
    });

    /** Starts executions with `.sync`, and stops them when it is stopped. */
    const following = (of: readonly string[]) => [
      allow(['states:StartExecution'], machines(of)),
      allow(['states:DescribeExecution', 'states:StopExecution'], executions(of)),
      // What `.sync` uses to hear of the end (Step Functions developer guide, IAM policies for nested workflows).
      allow(
        ['events:PutTargets', 'events:PutRule', 'events:DescribeRule'],
        [
          this.formatArn({
            service: 'events',
            resource: 'rule',
            resourceName: 'StepFunctionsGetEventsForStepFunctionsExecutionRule',
          }),
        ],
      ),
    ];
    const backup = new Workflow(this, 'Backup', {
      machineName: nameOf('backup'),
      definition: project('statemachine/backup.asl.json'),
      handlers: {
        OpenRunFunction: openRun,
        DecideBackupFunction: decideBackup,
        StartObserveFunction: startObserve,
        StartProtectFunction: startProtect,
        StartDestroyFunction: startDestroy,
        RecordOutcomeFunction: recordOutcome,
        RecordFailureFunction: recordFailure,
      },
    });
    const batch = new Workflow(this, 'BackupBatch', {
      machineName: nameOf('backup-batch'),
      definition: project('statemachine/backup-batch.asl.json'),
      handlers: {
        OpenBatchFunction: openBatch,
        DecideBatchFunction: decideBatch,
        StartObserveFunction: startObserve,
        StartProtectFunction: startProtect,
        RecordBatchFunction: recordBatch,
      },
    });
    const prune = new Workflow(this, 'Prune', {
      machineName: nameOf('prune'),
      definition: project('statemachine/prune.asl.json'),
      handlers: {
        OpenRunFunction: openRun,
        DecidePruneFunction: decidePrune,
        StartObserveFunction: startObserve,
        StartDestroyFunction: startDestroy,
        StartDestroySourceFunction: startDestroySource,
        CondemnPointsFunction: condemnPoints,
        RecordOutcomeFunction: recordOutcome,
        RecordFailureFunction: recordFailure,
      },
    });
    const restoring = {
      OpenRestoreFunction: openRestore,
      DecideRestoreFunction: decideRestore,
      StartObserveFunction: startObserve,
      StartRestoreFunction: startRestore,
      RecordOutcomeFunction: recordOutcome,
      RecordFailureFunction: recordFailure,
    };
    const restore = new Workflow(this, 'Restore', {
      machineName: nameOf('restore'),
      definition: project('statemachine/restore.asl.json'),
      handlers: restoring,
    });
    const drill = new Workflow(this, 'Drill', {
      machineName: nameOf('drill'),
      definition: project('statemachine/drill.asl.json'),
      handlers: restoring,
    });
    const failover = new Workflow(this, 'Failover', {
      machineName: nameOf('failover'),
      definition: project('statemachine/failover.asl.json'),
      handlers: restoring,
      substitutions: { BackupMachine: backup.machine.stateMachineArn },
      permissions: following(DRAIN),
    });
    const failback = new Workflow(this, 'Failback', {
      machineName: nameOf('failback'),
      definition: project('statemachine/failback.asl.json'),
      handlers: { ...restoring, StartProtectFunction: startProtect },
      substitutions: { BackupMachine: backup.machine.stateMachineArn },
      permissions: following(DRAIN),
    });
    acknowledgeExecutions(
      [failover, failback],
      DRAIN,
      'Follows and stops the backups that it starts, whose names hold their time.',
    );
    const failoverFleet = new Workflow(this, 'FailoverFleet', {
      machineName: nameOf('failover-fleet'),
      definition: project('statemachine/failover-fleet.asl.json'),
      handlers: { OrderFailoversFunction: orderFailovers },
      substitutions: { FailoverMachine: failover.machine.stateMachineArn },
      permissions: following(['failover']),
    });
    acknowledgeExecutions([failoverFleet], ['failover'], 'Follows and stops what it started; the names hold the time.');
    const fleet = new Workflow(this, 'BackupFleet', {
      machineName: nameOf('backup-fleet'),
      definition: project('statemachine/backup-fleet.asl.json'),
      handlers: {
        ExpandPolicyFunction: expandPolicy,
        StartObserveFunction: startObserve,
        SummarizeFleetFunction: summarizeFleet,
      },
      substitutions: {
        BackupMachine: backup.machine.stateMachineArn,
        BatchMachine: batch.machine.stateMachineArn,
        PruneMachine: prune.machine.stateMachineArn,
        DrillMachine: drill.machine.stateMachineArn,
      },
      permissions: [
        ...following([...FLEET, 'backup-batch']),
        // A Distributed Map starts a child of this machine for each item, reads the due list, and writes what became of it.
        allow(['states:StartExecution'], machines(['backup-fleet'])),
        allow(['states:DescribeExecution', 'states:StopExecution'], executions(['backup-fleet'])),
        allow(
          ['s3:GetObject', 's3:PutObject', 's3:ListMultipartUploadParts', 's3:AbortMultipartUpload'],
          [`${records}/fleet/*`],
        ),
      ],
    });
    acknowledge(fleet, {
      [recordsFinding(this.#prefix, 'fleet/*')]: 'Due lists and results hold the slot in their names.',
    });
    acknowledgeExecutions(
      [fleet],
      [...FLEET, 'backup-batch', 'backup-fleet'],
      'Follows and stops what it started; the names hold the slot.',
    );
    const decision = new Workflow(this, 'Decision', {
      machineName: nameOf('decision'),
      definition: project('statemachine/decision.asl.json'),
      handlers: { RecordDecisionFunction: recordDecision },
    });
    const look = new Workflow(this, 'Look', {
      machineName: nameOf('look'),
      definition: project('statemachine/look.asl.json'),
      handlers: { OpenLookFunction: openLook, StartObserveFunction: startObserve, ReadLookFunction: readLook },
    });
    const doctor = new Workflow(this, 'Doctor', {
      machineName: nameOf('doctor'),
      definition: project('statemachine/doctor.asl.json'),
      handlers: {
        OpenDoctorFunction: openDoctor,
        JudgeDoctorFunction: judgeDoctor,
        StartObserveFunction: startObserve,
        StartProtectFunction: startProtect,
        StartDestroyFunction: startDestroy,
        StartDestroySourceFunction: startDestroySource,
        StartRestoreFunction: startRestore,
      },
    });
    return {
      doctor: doctor.machine,
      backup: backup.machine,
      batch: batch.machine,
      fleet: fleet.machine,
      prune: prune.machine,
      restore: restore.machine,
      drill: drill.machine,
      failover: failover.machine,
      failback: failback.machine,
      failoverFleet: failoverFleet.machine,
      decision: decision.machine,
      look: look.machine,
      settle,
      sweep,
      assess,
    };
  }

  /** What the widgets of the dashboard show. It may read, and nothing else. */
  #viewConsole(): LambdaFunction {
    const { table, openIndex } = stateNames(this, this.#prefix);
    const machines = [
      ...FLEET,
      'restore',
      'failover',
      'failback',
      'failover-fleet',
      'look',
      'decision',
      'backup-fleet',
    ].map((it) => machineArn(this, `${this.#prefix}-${it}`));
    return this.#handler('ViewConsole', {
      functionName: widgetName(this.#prefix, 'View'),
      handler: 'view-console',
      description: 'Shows on the dashboard what there is',
      environment: {
        schema: ViewConsoleEnv,
        values: { TABLE_NAME: table, ...this.#widgets() },
      },
      permissions: [
        this.#ledger('GetItem', 'Query'),
        allow(['dynamodb:Query'], [`${this.#tableArn()}/index/${openIndex}`]),
        allow(['states:ListExecutions'], machines),
      ],
      files: { 'policies.json': JSON.stringify(this.#policies) },
    }).function;
  }

  /**
   * What people do from the dashboard: it starts the machines that are there for people, and stops restores, drills, failovers and failbacks.
   * Of the table it writes only the forms that it shows. Who may call it is up to the permissions of whoever looks.
   */
  #actConsole(): void {
    const { table, recordsBucket } = stateNames(this, this.#prefix);
    const machine = (name: string): string => machineArn(this, `${this.#prefix}-${name}`);
    const executions = (name: string): string => executionsArn(this, `${this.#prefix}-${name}`);
    const forms = allowAs('Forms', ['dynamodb:PutItem', 'dynamodb:UpdateItem'], [this.#tableArn()]);
    forms.addCondition('ForAllValues:StringLike', { 'dynamodb:LeadingKeys': ['NONCE#*'] });
    const records = `arn:${this.partition}:s3:::${recordsBucket}`;
    const started = ['restore', 'failover', 'failback', 'failover-fleet', 'backup', 'decision'] as const;
    // A fleet of failovers, and then what it has begun: Step Functions stops that only as well as it can.
    const stopped = ['restore', 'drill', 'failover', 'failback', 'failover-fleet'] as const;
    const looked = [...new Set([...started, ...stopped])];
    const handler = this.#handler('ActConsole', {
      functionName: widgetName(this.#prefix, 'Act'),
      handler: 'act-console',
      description: 'Restores, fails over, decides, backs up and cancels from the dashboard',
      environment: {
        schema: ActConsoleEnv,
        values: { TABLE_NAME: table, RECORDS_BUCKET: recordsBucket, ...this.#widgets() },
      },
      permissions: [
        this.#ledger('GetItem', 'Query'),
        forms,
        allow(['s3:GetObject'], [`${records}/plans/*`]),
        allow(['s3:ListBucket'], [records]),
        allow(['states:StartExecution'], started.map(machine)),
        allow(['states:DescribeExecution'], looked.map(executions)),
        allow(['states:StopExecution'], stopped.map(executions)),
      ],
      files: { 'policies.json': JSON.stringify(this.#policies) },
    });
    acknowledge(handler, {
      [recordsFinding(this.#prefix, 'plans/*')]:
        'Shows the plan of any restore; their hashes are not known at deployment.',
      ...Object.fromEntries(
        looked.map((it) => [
          iam5Finding('states', `execution:${this.#prefix}-${it}:*`),
          'Shows and stops what people started; the names of executions are not known at deployment.',
        ]),
      ),
    });
  }

  /** What both functions of the dashboard know of each other and of the machines. */
  #widgets() {
    const endpoint = (what: 'View' | 'Act'): string =>
      this.formatArn({
        service: 'lambda',
        resource: 'function',
        resourceName: widgetName(this.#prefix, what),
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      });
    return {
      VIEW_ENDPOINT: endpoint('View'),
      ACT_ENDPOINT: endpoint('Act'),
      MACHINES: machineArn(this, `${this.#prefix}-`),
    };
  }

  #tableArn(): string {
    return this.formatArn({
      service: 'dynamodb',
      resource: 'table',
      resourceName: stateNames(this, this.#prefix).table,
    });
  }

  #ledger(...actions: readonly ('GetItem' | 'BatchGetItem' | 'PutItem' | 'UpdateItem' | 'Query')[]): PolicyStatement {
    return allow(
      actions.map((action) => `dynamodb:${action}`),
      [this.#tableArn()],
    );
  }

  #handler<const Environment extends Readonly<Record<string, string>>>(
    id: string,
    props: Omit<HandlerFunctionProps<Environment>, 'functionName' | 'bundles' | 'timeout' | 'memoryMB'> & {
      readonly timeout?: Duration;
      readonly memoryMB?: number;
      readonly functionName?: string;
    },
  ): HandlerFunction<Environment> {
    const handler = new HandlerFunction(this, id, {
      functionName: `${this.#prefix}-${kebab(id)}`,
      bundles: project('dist/functions'),
      // The Tasks that call these wait for 60 s, but for what enrols.
      timeout: Duration.seconds(30),
      memoryMB: 512,
      ...props,
    });
    this.#functions.set(id, handler.function);
    return handler;
  }

  /**
   * A function that may send the document of a blast radius, to the hosts of the policies and no others; destroying is
   * for the hosts of one side.
   */
  #startOperation(id: string, radius: BlastRadius, common: readonly PolicyStatement[], side: Side = 'replica') {
    const names = stateNames(this, this.#prefix);
    const document = this.#documents.of(radius);
    const documents = `${documentPrefix(this.#prefix, radius)}*`;
    const hosts = hostsOf(this.#policies, radius, side).map((host) => this.#hostArn(host));
    const handler = this.#handler(id, {
      handler: 'start-operation',
      description: `Sends one ${radius} command to an edge host`,
      environment: {
        schema: StartOperationEnv,
        values: {
          TABLE_NAME: names.table,
          DOCUMENT_NAME: document.documentName,
          DOCTOR_DOCUMENT_NAME: this.#documents.of(radius, 'doctor').documentName,
          LOOK_DOCUMENT_NAME: (radius === 'observe' ? this.#documents.of(radius, 'look') : document).documentName,
          BATCH_DOCUMENT_NAME: (radius === 'protect' ? this.#documents.of(radius, 'batch') : document).documentName,
          YARN_DOCUMENT_NAME: (radius === 'protect' ? this.#documents.of(radius, 'yarn') : document).documentName,
          BLAST_RADIUS: radius,
          OUTPUT_BUCKET: names.outputBucket,
          RECORDS_BUCKET: names.recordsBucket,
        },
      },
      permissions: [
        ...common,
        // SendCommand needs the document and the node, each in its own statement (Systems Manager user guide).
        // Every document of this radius that we ever deployed: a run in flight sends the one that it began with.
        allowAs(
          'OwnDocuments',
          ['ssm:SendCommand'],
          [this.formatArn({ service: 'ssm', resource: 'document', resourceName: documents })],
        ),
        // Policies without a replica leave nothing to destroy, and nobody to do it.
        ...(hosts.length > 0 ? [allowAs('HostsOfPolicies', ['ssm:SendCommand'], hosts)] : []),
        allow(['ssm:ListCommands'], ['*']),
      ],
    });
    acknowledge(handler, {
      [iam5Finding('ssm', `document/${documents}`)]:
        'The rest of the name is a hash of the content: earlier documents of this blast radius serve runs in flight.',
    });
    return handler;
  }

  /** Whoever takes over one deleting function is kept from the other side by its hosts: says where that is not so. */
  #warnOfSharedHosts(): void {
    const replicas = new Set(hostsOf(this.#policies, 'destroy', 'replica'));
    const shared = new Set(hostsOf(this.#policies, 'destroy', 'source').filter((host) => replicas.has(host)));
    const clusters = this.#policies
      .flatMap(({ source, replica }) => [source, ...(replica ? [replica] : [])])
      .filter(({ hosts }) => hosts.some((host) => shared.has(host)));
    const names = [...new Set(clusters.map(({ name }) => name))].sort();
    if (names.length > 0)
      Validations.of(this).addWarning(
        'ozone-dr:SharedDeletingHosts',
        `hosts of ${names.join(', ')} take deletions from the function for sources and from the one for replicas: a policy with retention deletes on its source through them, and another one, or the same, on its replica, so the two functions do not guard the sides from each other. To have them apart, give each cluster hosts of its own, and the policies of each direction a deployment and hosts of their own`,
      );
  }

  #hostArn(host: HostId): string {
    return host.startsWith('mi-')
      ? this.formatArn({ service: 'ssm', resource: 'managed-instance', resourceName: host })
      : this.formatArn({ service: 'ec2', resource: 'instance', resourceName: host });
  }

  #deadLetters(id: string): Queue {
    const queue = new Queue(this, id, {
      queueName: `${this.#prefix}-${kebab(id)}`,
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    acknowledge(queue, { 'AwsSolutions-SQS3': 'This queue is the dead-letter queue; an alarm watches it.' });
    return queue;
  }

  #policySchedules(fleet: StateMachine, undelivered: Queue): void {
    const group = new CfnScheduleGroup(this, 'Policies', { name: `${this.#prefix}-policies` });
    const role = this.#schedulerRole('PolicySchedules', `${this.#prefix}-policies`, [
      allow(['states:StartExecution'], [fleet.stateMachineArn]),
      allow(['sqs:SendMessage'], [undelivered.queueArn]),
    ]);
    for (const policy of this.#policies)
      for (const { work, cron, zone } of worksOf(policy)) {
        // By content, so that an entry added in the middle of the list leaves the others alone.
        const hash = createHash('sha256').update(`${cron} ${zone}`).digest('hex').slice(0, 8);
        const name = `${policy.name}-${work === 'backup' ? '' : `${work}-`}${hash}`;
        const schedule = new CfnSchedule(this, `Schedule-${name}`, {
          name,
          groupName: `${this.#prefix}-policies`,
          description: `${DOES[work]} the buckets of policy ${policy.name}`,
          scheduleExpression: `cron(${cron})`,
          scheduleExpressionTimezone: zone,
          flexibleTimeWindow: { mode: 'OFF' },
          target: {
            arn: fleet.stateMachineArn,
            roleArn: role.roleArn,
            // Not the execution id: that one changes with every attempt at delivery, the scheduled time does not.
            input: JSON.stringify({ policy: policy.name, slot: '<aws.scheduler.scheduled-time>', work }),
            retryPolicy: { maximumEventAgeInSeconds: 3600, maximumRetryAttempts: 20 },
            deadLetterConfig: { arn: undelivered.queueArn },
          },
        });
        schedule.addResourceDependency(group);
        schedule.node.addDependency(role);
      }
  }

  /** What runs all the time. The next call is the retry, and an alarm tells when there is none. */
  #systemSchedules(sweep: Handler, assess: Handler): void {
    const groupName = `${this.#prefix}-system`;
    const group = new CfnScheduleGroup(this, 'System', { name: groupName });
    const role = this.#schedulerRole('SweeperSchedule', groupName, [
      allow(['lambda:InvokeFunction'], [sweep.function.functionArn, assess.function.functionArn]),
    ]);
    for (const { name, description, rate, target } of [
      {
        name: 'sweep-operations',
        description: 'The truth about open operations; events are only the faster way',
        rate: '1 minute',
        target: sweep,
      },
      {
        name: 'assess-objectives',
        description: 'How far every bucket is from what its policy promises, also when nothing runs',
        rate: '5 minutes',
        target: assess,
      },
    ]) {
      const schedule = new CfnSchedule(this, `Schedule-${name}`, {
        name,
        groupName,
        description,
        scheduleExpression: `rate(${rate})`,
        flexibleTimeWindow: { mode: 'OFF' },
        target: {
          arn: target.function.functionArn,
          roleArn: role.roleArn,
          retryPolicy: { maximumEventAgeInSeconds: 60, maximumRetryAttempts: 0 },
        },
      });
      schedule.addResourceDependency(group);
      schedule.node.addDependency(role);
    }
  }

  /** Hosts change between deployments too: tickets end, disks fill, clocks drift. */
  #doctorSchedule(doctor: StateMachine, undelivered: Queue): void {
    const name = `${this.#prefix}-doctor`;
    const group = new CfnScheduleGroup(this, 'DoctorVisits', { name });
    const role = this.#schedulerRole('DoctorSchedule', name, [
      allow(['states:StartExecution'], [doctor.stateMachineArn]),
      allow(['sqs:SendMessage'], [undelivered.queueArn]),
    ]);
    const schedule = new CfnSchedule(this, 'Schedule-doctor', {
      name: 'doctor',
      groupName: name,
      description: 'Looks every week at each host and cluster for all that the product relies on',
      scheduleExpression: 'cron(30 6 ? * MON *)',
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: doctor.stateMachineArn,
        roleArn: role.roleArn,
        retryPolicy: { maximumEventAgeInSeconds: 3600, maximumRetryAttempts: 20 },
        deadLetterConfig: { arn: undelivered.queueArn },
      },
    });
    schedule.addResourceDependency(group);
    schedule.node.addDependency(role);
  }

  #schedulerRole(id: string, groupName: string, permissions: readonly PolicyStatement[]): Role {
    const role = new Role(this, `${id}Role`, {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: {
          StringEquals: {
            'aws:SourceAccount': this.account,
            'aws:SourceArn': this.formatArn({
              service: 'scheduler',
              resource: 'schedule-group',
              resourceName: groupName,
            }),
          },
        },
      }),
    });
    for (const statement of permissions) role.addToPolicy(statement);
    return role;
  }

  /** The end of a command, as soon as it is known. Best effort: what is lost here the sweeper finds. */
  #commandEvents(settle: Handler, unheard: Queue): void {
    new Rule(this, 'CommandEnded', {
      description: 'A command of one of our documents ended',
      eventPattern: {
        source: ['aws.ssm'],
        detailType: ['EC2 Command Status-change Notification'],
        detail: {
          'document-name': BlastRadius.options.map((radius) => ({
            prefix: documentPrefix(this.#prefix, radius),
          })),
          status: [{ 'anything-but': ['Pending', 'InProgress', 'Delayed', 'Cancelling'] }],
        },
      },
      targets: [
        new LambdaTarget(settle.function, {
          deadLetterQueue: unheard,
          maxEventAge: Duration.minutes(15),
          retryAttempts: 3,
        }),
      ],
    });
  }

  /** One topic for what wakes people, one for what waits until the next working day. */
  #alarmTopics(): Readonly<Record<Severity, Topic>> {
    const topic = (id: string, severity: Severity): Topic =>
      new Topic(this, id, { topicName: `${this.#prefix}-${severity}`, enforceSSL: true });
    const page = topic('Pages', 'page');
    // A topic with a policy of its own loses the default one, which let this account's alarms publish.
    page.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [page.topicArn],
        conditions: {
          StringEquals: { 'aws:SourceAccount': this.account },
          ArnLike: {
            'aws:SourceArn': this.formatArn({
              service: 'cloudwatch',
              resource: 'alarm',
              resourceName: `${this.#prefix}-announcer-failed`,
              arnFormat: ArnFormat.COLON_RESOURCE_NAME,
            }),
          },
        },
      }),
    );
    return { page, ticket: topic('Tickets', 'ticket') };
  }

  /** Tells people of alarms. */
  #announcer({ page, ticket }: Readonly<Record<Severity, Topic>>) {
    return this.#handler('AnnounceAlarm', {
      handler: 'announce-alarm',
      description: 'Tells people of an alarm: which bucket, what it means, what to do',
      environment: {
        schema: AnnounceAlarmEnv,
        values: {
          TABLE_NAME: stateNames(this, this.#prefix).table,
          DEPLOYMENT: this.#prefix,
          PAGE_TOPIC_ARN: page.topicArn,
          TICKET_TOPIC_ARN: ticket.topicArn,
        },
      },
      // Nothing else would repeat it.
      retries: 2,
      permissions: [
        this.#ledger('GetItem', 'BatchGetItem'),
        allow(['sns:Publish'], [page.topicArn, ticket.topicArn]),
        // What is listed has no resource to name (Service Authorization Reference, CloudWatch).
        allow(['cloudwatch:DescribeAlarms'], ['*']),
      ],
      files: { 'policies.json': JSON.stringify(this.#policies) },
    });
  }

  /** Every change of an alarm of this deployment. */
  #alarmEvents(announce: Handler, unheard: Queue): Rule {
    return new Rule(this, 'AlarmChanged', {
      description: 'An alarm of this deployment is raised or over',
      eventPattern: {
        source: ['aws.cloudwatch'],
        detailType: ['CloudWatch Alarm State Change'],
        detail: { alarmName: [{ prefix: `${this.#prefix}-` }], state: { value: ['ALARM', 'OK'] } },
      },
      targets: [
        new LambdaTarget(announce.function, {
          deadLetterQueue: unheard,
          maxEventAge: Duration.minutes(15),
          retryAttempts: 3,
        }),
      ],
    });
  }

  #outputs(
    {
      backup,
      prune,
      restore,
      drill,
      failover,
      failback,
      failoverFleet,
      decision,
      look,
      doctor,
    }: Readonly<
      Record<
        | 'backup'
        | 'prune'
        | 'restore'
        | 'drill'
        | 'failover'
        | 'failback'
        | 'failoverFleet'
        | 'decision'
        | 'look'
        | 'doctor',
        StateMachine
      >
    >,
    topics: Readonly<Record<Severity, Topic>>,
  ): void {
    const output = (id: string, description: string, value: string) => new CfnOutput(this, id, { description, value });
    output('BackupMachineArn', 'State machine that backs up one bucket', backup.stateMachineArn);
    output('PruneMachineArn', 'State machine that plans and does the deletions of one bucket', prune.stateMachineArn);
    output('RestoreMachineArn', 'State machine that restores what a person asks for', restore.stateMachineArn);
    output('DrillMachineArn', 'State machine that proves a point restorable by restoring it', drill.stateMachineArn);
    output('FailbackMachineArn', 'State machine that gives the roles of a bucket back', failback.stateMachineArn);
    output(
      'FailoverFleetMachineArn',
      'State machine that fails over several buckets in their order',
      failoverFleet.stateMachineArn,
    );
    output('FailoverMachineArn', 'State machine that makes a replica the primary', failover.stateMachineArn);
    output('DecisionMachineArn', 'State machine that records what a person decides', decision.stateMachineArn);
    output('LookMachineArn', 'State machine that looks into points', look.stateMachineArn);
    output('DoctorMachineArn', 'State machine that looks at every host and cluster', doctor.stateMachineArn);
    output('LedgerTableName', 'Table with runs and recovery points', stateNames(this, this.#prefix).table);
    output('PageTopicArn', 'Subscribe whoever is to be woken', topics.page.topicArn);
    output('TicketTopicArn', 'Subscribe what is looked at on working days', topics.ticket.topicArn);
    output(
      'StartBackupCommand',
      'Backs up one bucket now',
      `aws stepfunctions start-execution --state-machine-arn ${backup.stateMachineArn} --input '{"policy":"<policy>","bucket":"<volume>/<bucket>"}'`,
    );
  }
}

const DOES = { backup: 'Backs up', prune: 'Prunes', drill: 'Drills restores of' } as const;

/** What is to be done for a policy, and when. */
const worksOf = ({ schedules, retention, drills }: Policy) => [
  ...schedules.map(({ cron, zone }) => ({ work: 'backup' as const, cron, zone })),
  ...(retention ? [{ work: 'prune' as const, cron: retention.cron, zone: retention.zone }] : []),
  ...(drills ? [{ work: 'drill' as const, cron: drills.cron, zone: drills.zone }] : []),
];

type Handler = HandlerFunction<Readonly<Record<string, string>>>;

const hostsOf = (policies: readonly Policy[], radius: BlastRadius, side: Side): readonly HostId[] => [
  ...new Set(
    policies.flatMap(({ source, replica, retention }) => {
      if (radius !== 'destroy') return [...source.hosts, ...(replica?.hosts ?? [])];
      // Without retention nothing of a source is ever deleted; of a replica what copies left behind.
      return side === 'replica' ? (replica?.hosts ?? []) : retention ? source.hosts : [];
    }),
  ),
];

/** How AwsSolutions-IAM5 names the finding of a folder of the records bucket. */
const recordsFinding = (prefix: string, keys: string): string =>
  `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:s3:::${prefix}-records-<AWS::AccountId>-<AWS::Region>/${keys}]`;

const kebab = (id: string): string => id.replace(/(?<=.)[A-Z]/g, '-$&').toLowerCase();
