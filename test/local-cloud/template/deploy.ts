import { z } from 'zod';
import type { DynamoDb } from '../dynamodb/dynamodb.ts';
import { AwsError, NotEmulated } from '../errors.ts';
import { type Json, type JsonObject, parseJson } from '../json.ts';
import type { Functions } from '../lambda/functions.ts';
import type { EventBus } from '../services/events.ts';
import type { Iam } from '../services/iam.ts';
import type { Messages } from '../services/messages.ts';
import type { S3 } from '../services/s3.ts';
import type { Scheduler } from '../services/scheduler.ts';
import type { StepFunctions } from '../services/step-functions.ts';
import type { RunCommand } from '../ssm/run-command.ts';
import { root, type World } from '../world.ts';
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
  'AWS::DynamoDB::Table',
  'AWS::DynamoDB::GlobalTable',
  'AWS::Lambda::Function',
  'AWS::SSM::Document',
  'AWS::StepFunctions::StateMachine',
  'AWS::StepFunctions::StateMachineVersion',
  'AWS::StepFunctions::StateMachineAlias',
  'AWS::Lambda::Permission',
  'AWS::Events::Rule',
  'AWS::Scheduler::Schedule',
];

const text = z.string();
const texts = z.array(z.string());
const roleProperties = z.looseObject({
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
});
const machineProperties = z.looseObject({
  DefinitionString: text,
  DefinitionSubstitutions: z.record(text, z.coerce.string()).optional(),
  RoleArn: text,
  StateMachineType: z.literal('STANDARD').optional(),
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
const permissionProperties = z.looseObject({
  Action: z.literal('lambda:InvokeFunction'),
  FunctionName: text,
  Principal: text,
  SourceArn: text.optional(),
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
const scheduleProperties = z.looseObject({
  GroupName: text.optional(),
  ScheduleExpression: text,
  ScheduleExpressionTimezone: text.optional(),
  State: z.enum(['ENABLED', 'DISABLED']).optional(),
  Target: z.strictObject({
    Arn: text,
    RoleArn: text,
    Input: text.optional(),
    DeadLetterConfig: z.object({ Arn: text }).optional(),
    RetryPolicy: z
      .object({ MaximumRetryAttempts: z.int().optional(), MaximumEventAgeInSeconds: z.int().optional() })
      .optional(),
  }),
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
  const permissions = new Permissions(all);
  for (const type of order) {
    for (const resource of all.filter((one) => one.type === type)) {
      try {
        await create(resource, assembly, targets, permissions);
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

/** Resource policies of functions: which service may call which function, from which source. */
class Permissions {
  readonly #grants: readonly z.infer<typeof permissionProperties>[];

  constructor(all: readonly Deployed[]) {
    this.#grants = all
      .filter((one) => one.type === 'AWS::Lambda::Permission')
      .map((one) => permissionProperties.parse(one.properties));
  }

  check(functionArn: string, principal: string, sourceArn: string): void {
    const allowed = this.#grants.some(
      (one) =>
        one.Principal === principal &&
        (one.FunctionName === functionArn || functionArn.endsWith(`:function:${one.FunctionName}`)) &&
        (one.SourceArn === undefined || one.SourceArn === sourceArn),
    );
    if (!allowed)
      throw new AwsError('AccessDeniedException', `${principal} may not invoke ${functionArn} from ${sourceArn}`);
  }
}

async function create(
  resource: Deployed,
  assembly: Assembly,
  targets: Targets,
  permissions: Permissions,
): Promise<void> {
  const { name, properties } = resource;
  switch (resource.type) {
    case 'AWS::IAM::Role': {
      const { ManagedPolicyArns: managed = [], Policies: inline = [] } = roleProperties.parse(properties);
      targets.iam.createRole(name);
      for (const arn of managed) if (arn.includes(':aws:policy/')) targets.iam.attachManaged(arn);
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
      targets.messages.create(
        String(resource.ref.replace(/^https:\/\/sqs\.([^.]+)\.amazonaws\.com\/(\d+)\//, 'arn:aws:sqs:$1:$2:')),
      );
      return;
    case 'AWS::SNS::Topic':
      targets.messages.create(resource.ref);
      return;
    case 'AWS::DynamoDB::Table':
    case 'AWS::DynamoDB::GlobalTable':
      return createTable(resource, targets.dynamoDb);
    case 'AWS::Lambda::Function':
      createFunction(resource, assembly, targets.functions);
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
    case 'AWS::Lambda::Permission':
      permissionProperties.parse(properties);
      return;
    case 'AWS::Events::Rule':
      createRule(resource, targets, permissions);
      return;
    case 'AWS::Scheduler::Schedule':
      createSchedule(resource, targets.scheduler);
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

function createFunction(resource: Deployed, assembly: Assembly, functions: Functions): void {
  const definition = functionProperties.parse(resource.properties);
  const directory = assembly.assets.get(definition.Code.S3Key);
  if (directory === undefined) throw new NotEmulated(`no asset ${definition.Code.S3Key} in the assembly`);
  functions.create({
    name: resource.name,
    role: roleName(definition.Role),
    directory,
    handler: definition.Handler,
    environment: definition.Environment?.Variables ?? {},
    timeoutSeconds: definition.Timeout ?? 3,
    memoryMb: definition.MemorySize ?? 128,
  });
}

function createRule(resource: Deployed, targets: Targets, permissions: Permissions): void {
  const rule = ruleProperties.parse(resource.properties);
  if (rule.State === 'DISABLED') return;
  const ruleArn = `arn:aws:events:eu-central-1:123456789012:rule/${resource.name}`;
  targets.events.createRule(
    resource.name,
    rule.EventPattern,
    (rule.Targets ?? []).map((target) => ({
      arn: target.Arn,
      input: target.Input === undefined ? undefined : parseJson(target.Input),
      deliver: (event) => {
        void deliver(target, ruleArn, event, targets, permissions).catch((error: unknown) => {
          targets.world.tell('rule-refused', {
            rule: resource.name,
            target: target.Arn,
            message: error instanceof Error ? error.message : String(error),
          });
          if (target.DeadLetterConfig) targets.messages.send(target.DeadLetterConfig.Arn, event);
        });
      },
    })),
  );
}

async function deliver(
  target: z.infer<typeof ruleTarget>,
  ruleArn: string,
  event: Json,
  targets: Targets,
  permissions: Permissions,
): Promise<void> {
  if (target.Arn.includes(':lambda:')) {
    permissions.check(target.Arn, 'events.amazonaws.com', ruleArn);
    await targets.functions.invokeAsynchronously(root, target.Arn, event);
  } else if (target.Arn.includes(':stateMachine:')) {
    targets.world.authorize(roleName(target.RoleArn ?? ''), 'states:StartExecution', target.Arn);
    targets.stepFunctions.start(target.Arn, JSON.stringify(event));
  } else if (target.Arn.includes(':sns:') || target.Arn.includes(':sqs:')) {
    targets.messages.send(target.Arn, event);
  } else {
    throw new NotEmulated(`rule target ${target.Arn}`);
  }
}

function createSchedule(resource: Deployed, scheduler: Scheduler): void {
  const schedule = scheduleProperties.parse(resource.properties);
  scheduler.create({
    name: resource.name,
    group: schedule.GroupName ?? 'default',
    expression: schedule.ScheduleExpression,
    timeZone: schedule.ScheduleExpressionTimezone ?? 'UTC',
    enabled: schedule.State !== 'DISABLED',
    targetArn: schedule.Target.Arn,
    role: roleName(schedule.Target.RoleArn),
    input: schedule.Target.Input,
    deadLetterArn: schedule.Target.DeadLetterConfig?.Arn,
    retries: schedule.Target.RetryPolicy?.MaximumRetryAttempts ?? 185,
  });
}

const asObject = (value: unknown): JsonObject => JSON.parse(JSON.stringify(value));
