import { createHash } from 'node:crypto';
import { NotEmulated } from '../errors.ts';
import type { Json } from '../json.ts';
import { accountId, arnOf, iamArn, region } from '../world.ts';
import type { Stack, TemplateResource } from './assembly.ts';
import { type Attributes, Resolver } from './intrinsics.ts';

/** How the resources of one type are called, referred to and described by attributes. */
interface Kind {
  /** The property that gives the physical name. */
  readonly nameProperty: string | undefined;
  readonly ref: (name: string) => string;
  readonly attributes: Readonly<Record<string, (name: string) => string>>;
}

const byName = (name: string) => name;
const kind = (
  nameProperty: string | undefined,
  arn: ((name: string) => string) | undefined,
  more: Partial<Kind> = {},
): Kind => ({
  nameProperty,
  ref: more.ref ?? byName,
  attributes: { ...(arn ? { Arn: arn } : {}), ...more.attributes },
});
const machineArn = (name: string) => arnOf('states', `stateMachine:${name}`);
const queueArn = (name: string) => arnOf('sqs', name);
const topicArn = (name: string) => arnOf('sns', name);
const none = kind(undefined, undefined);

/**
 * The closed list of resource types. Types that change nothing here (retention of logs, policies that only deny
 * unencrypted transport, dashboards, …) are listed too: they are known, and have no effect.
 */
const kinds: Readonly<Record<string, Kind>> = {
  'AWS::DynamoDB::Table': kind('TableName', (name) => arnOf('dynamodb', `table/${name}`)),
  'AWS::DynamoDB::GlobalTable': kind('TableName', (name) => arnOf('dynamodb', `table/${name}`)),
  'AWS::Lambda::Function': kind('FunctionName', (name) => arnOf('lambda', `function:${name}`)),
  'AWS::IAM::Role': kind('RoleName', (name) => iamArn(`role/${name}`)),
  'AWS::IAM::Policy': kind('PolicyName', undefined),
  'AWS::IAM::ManagedPolicy': kind('ManagedPolicyName', undefined, { ref: (name) => iamArn(`policy/${name}`) }),
  'AWS::StepFunctions::StateMachine': kind('StateMachineName', machineArn, {
    ref: machineArn,
    attributes: { Name: byName },
  }),
  'AWS::SSM::Document': kind('Name', undefined),
  'AWS::Scheduler::Schedule': kind('Name', (name) => arnOf('scheduler', `schedule/default/${name}`)),
  'AWS::Scheduler::ScheduleGroup': kind('Name', (name) => arnOf('scheduler', `schedule-group/${name}`)),
  'AWS::Events::Rule': kind('Name', (name) => arnOf('events', `rule/${name}`)),
  'AWS::SQS::Queue': kind('QueueName', queueArn, {
    ref: (name) => `https://sqs.${region}.amazonaws.com/${accountId}/${name}`,
    attributes: { QueueName: byName, QueueUrl: (name) => `https://sqs.${region}.amazonaws.com/${accountId}/${name}` },
  }),
  'AWS::SNS::Topic': kind('TopicName', undefined, {
    ref: topicArn,
    attributes: { TopicName: byName, TopicArn: topicArn },
  }),
  'AWS::S3::Bucket': kind('BucketName', (name) => `arn:aws:s3:::${name}`),
  'AWS::Logs::LogGroup': kind('LogGroupName', (name) => `${arnOf('logs', `log-group:${name}`)}:*`),
  'AWS::CloudWatch::Alarm': kind('AlarmName', (name) => arnOf('cloudwatch', `alarm:${name}`)),
  'AWS::CloudWatch::CompositeAlarm': kind('AlarmName', (name) => arnOf('cloudwatch', `alarm:${name}`)),
  'AWS::CloudWatch::Dashboard': kind('DashboardName', undefined),
  'AWS::Lambda::Permission': none,
  'AWS::Lambda::EventInvokeConfig': none,
  'AWS::SNS::TopicPolicy': none,
  'AWS::SNS::Subscription': none,
  'AWS::SQS::QueuePolicy': none,
  'AWS::S3::BucketPolicy': none,
  'AWS::CDK::Metadata': none,
};
/** Types whose reference is made from another resource: `<other>:<qualifier>`. */
const qualifiers = [
  'AWS::Lambda::Version',
  'AWS::Lambda::Alias',
  'AWS::StepFunctions::StateMachineVersion',
  'AWS::StepFunctions::StateMachineAlias',
];

/** Physical names and attributes of all resources of an assembly. */
export class Names implements Attributes {
  readonly resolver: Resolver;

  constructor(stacks: readonly Stack[]) {
    this.resolver = new Resolver(stacks, this);
    for (const stack of stacks) {
      for (const [id, { Type: type }] of Object.entries(stack.template.Resources)) {
        if (!(type in kinds) && !qualifiers.includes(type))
          throw new NotEmulated(`${stack.name}/${id}: resource type ${type}`);
      }
    }
  }

  /** The name that the template gives, or one as CloudFormation would make it. */
  physicalName(stack: Stack, logicalId: string): string {
    const resource = resourceOf(stack, logicalId);
    const property = kinds[resource.Type]?.nameProperty;
    const given = property === undefined ? undefined : resource.Properties?.[property];
    if (given !== undefined) return String(this.resolver.resolve(stack, given));
    const suffix = createHash('sha256').update(`${stack.name}/${logicalId}`).digest('hex').slice(0, 12);
    return `${stack.name}-${logicalId.slice(0, 24)}-${suffix}`;
  }

  ref(stack: Stack, logicalId: string): string {
    const resource = resourceOf(stack, logicalId);
    if (qualifiers.includes(resource.Type)) return this.#qualifiedArn(stack, logicalId, resource);
    return this.#kind(resource).ref(this.physicalName(stack, logicalId));
  }

  attribute(stack: Stack, logicalId: string, name: string): Json {
    const resource = resourceOf(stack, logicalId);
    if (qualifiers.includes(resource.Type)) {
      if (name === 'Version') return '1';
      if (['Arn', 'AliasArn', 'FunctionArn'].includes(name)) return this.#qualifiedArn(stack, logicalId, resource);
    }
    const attribute = this.#kind(resource).attributes[name];
    if (!attribute) throw new NotEmulated(`${stack.name}/${logicalId}: attribute ${name} of ${resource.Type}`);
    return attribute(this.physicalName(stack, logicalId));
  }

  #kind(resource: TemplateResource): Kind {
    const found = kinds[resource.Type];
    if (!found) throw new NotEmulated(`resource type ${resource.Type}`);
    return found;
  }

  #qualifiedArn(stack: Stack, logicalId: string, resource: TemplateResource): string {
    const properties = resource.Properties ?? {};
    const isFunction = resource.Type.startsWith('AWS::Lambda::');
    const isVersion = resource.Type.endsWith('Version');
    if (!isFunction && !isVersion) {
      const routing = this.resolver.resolve(stack, properties.RoutingConfiguration);
      const [first] = Array.isArray(routing) ? routing : [];
      const version = String(Object(first).StateMachineVersionArn);
      return version.replace(/:[^:]+$/, `:${String(this.resolver.resolve(stack, properties.Name ?? logicalId))}`);
    }
    const owner = String(
      this.resolver.resolve(stack, isFunction ? properties.FunctionName : properties.StateMachineArn),
    );
    const ownerArn = owner.startsWith('arn:') ? owner : arnOf('lambda', `function:${owner}`);
    return `${ownerArn}:${isVersion ? '1' : String(this.resolver.resolve(stack, properties.Name))}`;
  }
}

function resourceOf(stack: Stack, logicalId: string): TemplateResource {
  const found = stack.template.Resources[logicalId];
  if (!found) throw new NotEmulated(`${stack.name}: there is no resource ${logicalId}`);
  return found;
}
