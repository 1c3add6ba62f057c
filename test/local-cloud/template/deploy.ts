import { z } from 'zod';
import type { CloudWatch } from '../cloudwatch/cloudwatch.ts';
import type { DynamoDb } from '../dynamodb/dynamodb.ts';
import { AwsError, NotEmulated } from '../errors.ts';
import { type Json, type JsonObject, parseJson } from '../json.ts';
import { type Functions, mostAsynchronousRetries } from '../lambda/functions.ts';
import type { EventBus } from '../services/events.ts';
import type { Iam } from '../services/iam.ts';
import type { Messages } from '../services/messages.ts';
import { bucketArn, type S3 } from '../services/s3.ts';
import { type Scheduler, scheduleOf, scheduleSchema } from '../services/scheduler.ts';
import type { StepFunctions } from '../services/step-functions.ts';
import type { RunCommand } from '../ssm/run-command.ts';
import { arnOf, root, type World } from '../world.ts';
import type { Assembly } from './assembly.ts';
import { Names } from './names.ts';

/** The services that resources are created in. */
export interface Targets {
  readonly world: World;
  readonly iam: Iam;
  readonly dynamoDb: DynamoDb;
  readonly functions: Functions;
  readonly stepFunctions: StepFunctions;
  readonly runCommand: RunCommand;
  readonly scheduler: Scheduler;
  readonly events: EventBus;
  readonly messages: Messages;
  readonly cloudWatch: CloudWatch;
  readonly s3: S3;
}

/** A resource as it was created. */
export interface Deployed {
  readonly stack: string;
  readonly logicalId: string;
  readonly type: string;
  readonly name: string;
  readonly ref: string;
  readonly properties: JsonObject;
}

/** Order of creation: what others name comes first. Types that are not here are only recorded. */
const order = [
  'AWS::IAM::Role',
  'AWS::IAM::Policy',
  'AWS::IAM::ManagedPolicy',
  'AWS::S3::Bucket',
  'AWS::SQS::Queue',
  'AWS::SNS::Topic',
  'AWS::S3::BucketPolicy',
  'AWS::SQS::QueuePolicy',
  'AWS::SNS::TopicPolicy',
  'AWS::DynamoDB::Table',
  'AWS::DynamoDB::GlobalTable',
  'AWS::Lambda::Function',
  'AWS::SSM::Document',
  'AWS::StepFunctions::StateMachine',
  'AWS::StepFunctions::StateMachineVersion',
  'AWS::StepFunctions::StateMachineAlias',
  'AWS::Lambda::Permission',
  'AWS::Events::Rule',
  'AWS::Scheduler::ScheduleGroup',
  'AWS::Scheduler::Schedule',
  'AWS::CloudWatch::Alarm',
  'AWS::CloudWatch::CompositeAlarm',
];

const text = z.string();
const texts = z.array(z.string());
const roleProperties = z.looseObject({
  AssumeRolePolicyDocument: z.unknown(),
  ManagedPolicyArns: texts.optional(),
  Policies: z.array(z.object({ PolicyName: text, PolicyDocument: z.unknown() })).optional(),
});
const policyProperties = z.looseObject({
  PolicyName: text.optional(),
  ManagedPolicyName: text.optional(),
  PolicyDocument: z.unknown(),
  Roles: texts.optional(),
});
const keySchema = z.array(z.object({ AttributeName: text, KeyType: text }));
const indexSchema = z.array(z.object({ IndexName: text, KeySchema: keySchema, Projection: z.record(text, z.json()) }));
const tableProperties = z.looseObject({
  AttributeDefinitions: z.array(z.object({ AttributeName: text, AttributeType: text })),
  KeySchema: keySchema,
  GlobalSecondaryIndexes: indexSchema.optional(),
  LocalSecondaryIndexes: indexSchema.optional(),
  TimeToLiveSpecification: z.record(text, z.json()).optional(),
});
const functionProperties = z.looseObject({
  Code: z.looseObject({ S3Key: text }),
  Handler: text,
  Role: text,
  Timeout: z.int().optional(),
  MemorySize: z.int().optional(),
  Environment: z.object({ Variables: z.record(text, z.coerce.string()).optional() }).optional(),
  LoggingConfig: z.looseObject({ LogGroup: text.optional() }).optional(),
  TracingConfig: z.object({ Mode: z.enum(['Active', 'PassThrough']) }).optional(),
});
const invokeProperties = z.strictObject({
  FunctionName: text,
  Qualifier: z.literal('$LATEST'),
  MaximumRetryAttempts: z.int().min(0).max(mostAsynchronousRetries).optional(),
});
const resourcePolicyProperties = z.strictObject({
  PolicyDocument: z.unknown(),
  Topics: texts.optional(),
  Queues: texts.optional(),
  Bucket: text.optional(),
});
const machineProperties = z.looseObject({
  DefinitionString: text,
  DefinitionSubstitutions: z.record(text, z.coerce.string()).optional(),
  RoleArn: text,
  StateMachineType: z.literal('STANDARD').optional(),
  LoggingConfiguration: z.looseObject({ Level: text.optional() }).optional(),
});
const versionProperties = z.looseObject({ StateMachineArn: text });
const aliasProperties = z.looseObject({
  RoutingConfiguration: z.array(z.object({ StateMachineVersionArn: text, Weight: z.number() })),
});
const documentProperties = z.looseObject({
  Content: z.unknown(),
  DocumentType: z.literal('Command'),
  DocumentFormat: z.enum(['JSON', 'YAML']).optional(),
});
const permissionProperties = z.strictObject({
  Action: z.literal('lambda:InvokeFunction'),
  FunctionName: text,
  Principal: z.string().endsWith('.amazonaws.com', 'only services as principals are emulated'),
  SourceArn: text.optional(),
  SourceAccount: text.optional(),
});
const ruleTarget = z.strictObject({
  Arn: text,
  Id: text,
  Input: text.optional(),
  RoleArn: text.optional(),
  DeadLetterConfig: z.object({ Arn: text }).optional(),
  RetryPolicy: z.record(text, z.json()).optional(),
});
const ruleProperties = z.looseObject({
  EventPattern: z.unknown(),
  State: z.enum(['ENABLED', 'DISABLED']).optional(),
  Targets: z.array(ruleTarget).optional(),
  ScheduleExpression: z.never().optional(),
});
const roleName = (arn: string): string => arn.split('/').at(-1) ?? arn;

/** Creates every resource of an assembly. */
export async function deploy(assembly: Assembly, targets: Targets): Promise<readonly Deployed[]> {
  const names = new Names(assembly.stacks);
  const all: Deployed[] = [];
  for (const stack of assembly.stacks) {
    for (const [logicalId, resource] of Object.entries(stack.template.Resources)) {
      if (resource.Condition !== undefined && !names.resolver.condition(stack, resource.Condition)) continue;
      all.push({
        stack: stack.name,
        logicalId,
        type: resource.Type,
        name: names.physicalName(stack, logicalId),
        ref: names.ref(stack, logicalId),
        properties: names.resolver.properties(stack, resource.Properties ?? {}),
      });
    }
  }
  for (const type of order) {
    for (const resource of all.filter((one) => one.type === type)) {
      try {
        await create(resource, assembly, targets, all);
      } catch (error) {
        if (error instanceof NotEmulated)
          throw new NotEmulated(`${resource.stack}/${resource.logicalId}: ${error.message}`);
        throw new Error(
          `${resource.stack}/${resource.logicalId} (${resource.type}): ${error instanceof Error ? error.message : String(error)}`,
          { cause: error },
        );
      }
    }
  }
  return all;
}

/** What CloudWatch Logs wants of a state machine's role (Step Functions developer guide, "Logging"). */
const logDelivery = [
  'CreateLogDelivery',
  'GetLogDelivery',
  'UpdateLogDelivery',
  'DeleteLogDelivery',
  'ListLogDeliveries',
  'PutResourcePolicy',
  'DescribeResourcePolicies',
  'DescribeLogGroups',
];
/** How Step Functions hears of the end of what `.sync` started: a rule that it makes under the machine's role. */
const managedRule = arnOf('events', 'rule/StepFunctionsGetEventsForStepFunctionsExecutionRule');
const queueArn = (url: string): string =>
  url.replace(/^https:\/\/sqs\.([^.]+)\.amazonaws\.com\/(\d+)\//, 'arn:aws:sqs:$1:$2:');

async function create(
  resource: Deployed,
  assembly: Assembly,
  targets: Targets,
  all: readonly Deployed[],
): Promise<void> {
  const { name, properties } = resource;
  switch (resource.type) {
    case 'AWS::IAM::Role': {
      const { ManagedPolicyArns: managed = [], Policies: inline = [] } = roleProperties.parse(properties);
      targets.iam.createRole(name, roleProperties.parse(properties).AssumeRolePolicyDocument);
      for (const arn of managed) if (arn.includes(':aws:policy/')) targets.iam.attachManaged(name, arn);
      for (const policy of inline) targets.iam.attach(name, policy.PolicyName, policy.PolicyDocument);
      return;
    }
    case 'AWS::IAM::Policy':
    case 'AWS::IAM::ManagedPolicy': {
      const policy = policyProperties.parse(properties);
      for (const role of policy.Roles ?? [])
        targets.iam.attach(role, policy.PolicyName ?? policy.ManagedPolicyName ?? name, policy.PolicyDocument);
      return;
    }
    case 'AWS::S3::Bucket':
      targets.s3.createBucket(name);
      return;
    case 'AWS::SQS::Queue':
      targets.messages.create(queueArn(resource.ref));
      return;
    case 'AWS::SNS::Topic':
      targets.messages.create(resource.ref);
      return;
    case 'AWS::S3::BucketPolicy':
    case 'AWS::SQS::QueuePolicy':
    case 'AWS::SNS::TopicPolicy': {
      const policy = resourcePolicyProperties.parse(properties);
      const owners = [
        ...(policy.Topics ?? []),
        ...(policy.Queues ?? []).map(queueArn),
        ...(policy.Bucket === undefined ? [] : [bucketArn(policy.Bucket)]),
      ];
      for (const owner of owners) targets.iam.attachToResource(owner, resource.logicalId, policy.PolicyDocument);
      return;
    }
    case 'AWS::DynamoDB::Table':
    case 'AWS::DynamoDB::GlobalTable':
      return createTable(resource, targets.dynamoDb);
    case 'AWS::Lambda::Function':
      createFunction(resource, assembly, targets, all);
      return;
    case 'AWS::SSM::Document': {
      const { Content: content } = documentProperties.parse(properties);
      targets.runCommand.createDocument(name, typeof content === 'string' ? parseJson(content) : content);
      return;
    }
    case 'AWS::StepFunctions::StateMachine': {
      const machine = machineProperties.parse(properties);
      const definition = machine.DefinitionString.replace(
        /\$\{([A-Za-z0-9_]+)\}/g,
        (all, key: string) => machine.DefinitionSubstitutions?.[key] ?? all,
      );
      const role = roleName(machine.RoleArn);
      targets.iam.assume(role, 'states.amazonaws.com', resource.ref);
      const logs = machine.LoggingConfiguration?.Level ?? 'OFF';
      if (logs !== 'OFF') for (const action of logDelivery) targets.world.authorize(role, `logs:${action}`, '*');
      if (definition.includes(':states:startExecution.sync'))
        for (const action of ['PutTargets', 'PutRule', 'DescribeRule'])
          targets.world.authorize(role, `events:${action}`, managedRule);
      targets.stepFunctions.createMachine({ name, definition, roleArn: machine.RoleArn });
      return;
    }
    case 'AWS::StepFunctions::StateMachineVersion':
      targets.stepFunctions.qualify(resource.ref, versionProperties.parse(properties).StateMachineArn);
      return;
    case 'AWS::StepFunctions::StateMachineAlias': {
      const [route] = aliasProperties.parse(properties).RoutingConfiguration;
      if (route) targets.stepFunctions.qualify(resource.ref, route.StateMachineVersionArn.replace(/:[^:]+$/, ''));
      return;
    }
    case 'AWS::Lambda::Permission': {
      const grant = permissionProperties.parse(properties);
      const functionArn = grant.FunctionName.startsWith('arn:')
        ? grant.FunctionName
        : arnOf('lambda', `function:${grant.FunctionName}`);
      const statement = {
        Effect: 'Allow',
        Action: grant.Action,
        Resource: functionArn,
        Principal: { Service: grant.Principal },
        Condition: {
          ...(grant.SourceArn === undefined ? {} : { ArnLike: { 'aws:SourceArn': grant.SourceArn } }),
          ...(grant.SourceAccount === undefined ? {} : { StringEquals: { 'aws:SourceAccount': grant.SourceAccount } }),
        },
      };
      targets.iam.attachToResource(functionArn, resource.logicalId, { Statement: [statement] });
      return;
    }
    case 'AWS::Events::Rule':
      createRule(resource, targets);
      return;
    case 'AWS::Scheduler::ScheduleGroup':
      targets.scheduler.createGroup(name);
      return;
    case 'AWS::Scheduler::Schedule':
      targets.scheduler.create(scheduleOf(name, scheduleSchema.parse(properties)));
      return;
    case 'AWS::CloudWatch::Alarm':
      targets.cloudWatch.createAlarm(name, properties);
      return;
    case 'AWS::CloudWatch::CompositeAlarm':
      targets.cloudWatch.createCompositeAlarm(name, properties);
      return;
    default:
      throw new NotEmulated(`resource type ${resource.type}`);
  }
}

async function createTable(resource: Deployed, dynamoDb: DynamoDb): Promise<void> {
  const table = tableProperties.parse(resource.properties);
  const request = {
    TableName: resource.name,
    AttributeDefinitions: table.AttributeDefinitions,
    KeySchema: table.KeySchema,
    BillingMode: 'PAY_PER_REQUEST',
    ...(table.GlobalSecondaryIndexes ? { GlobalSecondaryIndexes: table.GlobalSecondaryIndexes } : {}),
    ...(table.LocalSecondaryIndexes ? { LocalSecondaryIndexes: table.LocalSecondaryIndexes } : {}),
  };
  await dynamoDb.actions.CreateTable?.(asObject(request), root);
  if (table.TimeToLiveSpecification) {
    await dynamoDb.actions.UpdateTimeToLive?.(
      asObject({ TableName: resource.name, TimeToLiveSpecification: table.TimeToLiveSpecification }),
      root,
    );
  }
}

function createFunction(
  resource: Deployed,
  assembly: Assembly,
  { functions, iam, world }: Targets,
  all: readonly Deployed[],
): void {
  const definition = functionProperties.parse(resource.properties);
  const directory = assembly.assets.get(definition.Code.S3Key);
  if (directory === undefined) throw new NotEmulated(`no asset ${definition.Code.S3Key} in the assembly`);
  const role = roleName(definition.Role);
  iam.assume(role, 'lambda.amazonaws.com', arnOf('lambda', `function:${resource.name}`));
  // "The provided execution role does not have permissions to call PutTraceSegments on XRAY" (CreateFunction).
  if (definition.TracingConfig?.Mode === 'Active') world.authorize(role, 'xray:PutTraceSegments', '*');
  const asynchronous = all
    .filter((one) => one.type === 'AWS::Lambda::EventInvokeConfig')
    .map((one) => invokeProperties.parse(one.properties))
    .find((one) => one.FunctionName === resource.name);
  functions.create({
    name: resource.name,
    role,
    logGroup: definition.LoggingConfig?.LogGroup ?? `/aws/lambda/${resource.name}`,
    asynchronousRetries: asynchronous?.MaximumRetryAttempts ?? mostAsynchronousRetries,
    directory,
    handler: definition.Handler,
    environment: definition.Environment?.Variables ?? {},
    timeoutSeconds: definition.Timeout ?? 3,
    memoryMb: definition.MemorySize ?? 128,
  });
}

function createRule(resource: Deployed, targets: Targets): void {
  const rule = ruleProperties.parse(resource.properties);
  if (rule.State === 'DISABLED') return;
  const ruleArn = arnOf('events', `rule/${resource.name}`);
  const measure = (name: string) => targets.world.measure('AWS/Events', name, { RuleName: resource.name }, 1);
  targets.events.createRule(
    resource.name,
    rule.EventPattern,
    (rule.Targets ?? []).map((target) => ({
      arn: target.Arn,
      input: target.Input === undefined ? undefined : parseJson(target.Input),
      deliver: (event) => {
        measure('Invocations');
        void deliver(target, ruleArn, event, targets).catch((error: unknown) => {
          measure('FailedInvocations');
          targets.world.tell('rule-refused', {
            rule: resource.name,
            target: target.Arn,
            message: error instanceof Error ? error.message : String(error),
          });
          if (!target.DeadLetterConfig) return;
          const queue = target.DeadLetterConfig.Arn;
          try {
            targets.iam.authorizeService({
              ...ruleService,
              action: 'sqs:SendMessage',
              resource: queue,
              source: ruleArn,
            });
            targets.messages.send(queue, event);
            measure('InvocationsSentToDlq');
          } catch (refused) {
            measure('InvocationsFailedToBeSentToDlq');
            const message = refused instanceof Error ? refused.message : String(refused);
            targets.world.tell('dead-letter-refused', { rule: resource.name, message });
          }
        });
      },
    })),
  );
}

const ruleService = { service: 'events.amazonaws.com' };

async function deliver(
  target: z.infer<typeof ruleTarget>,
  ruleArn: string,
  event: Json,
  targets: Targets,
): Promise<void> {
  const judge = (action: string) =>
    targets.iam.authorizeService({ ...ruleService, action, resource: target.Arn, source: ruleArn });
  if (target.Arn.includes(':lambda:')) {
    judge('lambda:InvokeFunction');
    const outcome = await targets.functions.invokeAsynchronously(root, target.Arn, event);
    if (outcome.kind === 'failed' && outcome.error.startsWith('Lambda.'))
      throw new AwsError(outcome.error.slice('Lambda.'.length), outcome.cause);
  } else if (target.Arn.includes(':stateMachine:')) {
    const role = roleName(target.RoleArn ?? '');
    targets.iam.assume(role, ruleService.service, ruleArn);
    targets.world.authorize(role, 'states:StartExecution', target.Arn);
    targets.stepFunctions.start(target.Arn, JSON.stringify(event));
  } else if (target.Arn.includes(':sns:') || target.Arn.includes(':sqs:')) {
    judge(target.Arn.includes(':sns:') ? 'sns:Publish' : 'sqs:SendMessage');
    targets.messages.send(target.Arn, event);
  } else {
    throw new NotEmulated(`rule target ${target.Arn}`);
  }
}

const asObject = (value: unknown): JsonObject => JSON.parse(JSON.stringify(value));
