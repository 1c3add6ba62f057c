import { readFileSync } from 'node:fs';
import { ArnFormat, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { DefinitionBody, LogLevel, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { acknowledge, iam5Finding } from './acknowledge.ts';
import { allow, type HandlerFunction } from './handler-function.ts';

export type WorkflowProps = {
  /** Physical name; the ARN follows from it, so that functions of the workflow can be allowed to answer it. */
  readonly machineName: string;
  /** Path of the definition. */
  readonly definition: string;
  /** Handlers by their placeholder in the definition: filled with the ARN of the published version. */
  readonly handlers: Readonly<Record<string, HandlerFunction<Readonly<Record<string, string>>>>>;
  /** Other placeholders. */
  readonly substitutions?: Readonly<Record<string, string>>;
  /** What the machine may do besides calling its handlers. */
  readonly permissions?: readonly PolicyStatement[];
};

/** A state machine from its file, with a role written by hand: it may call its own handlers and what is listed. */
export class Workflow extends Construct {
  readonly machine: StateMachine;

  constructor(scope: Construct, id: string, props: WorkflowProps) {
    super(scope, id);
    const handlers = Object.entries(props.handlers);
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('states.amazonaws.com', {
        conditions: {
          StringEquals: { 'aws:SourceAccount': Stack.of(this).account },
          ArnLike: { 'aws:SourceArn': machineArn(this, props.machineName) },
        },
      }),
    });
    // All versions of exactly these functions: the role is shared by runs that began before a deployment.
    role.addToPolicy(
      allow(
        ['lambda:InvokeFunction'],
        handlers.map(([, handler]) => handler.allVersions),
      ),
    );
    for (const statement of props.permissions ?? []) role.addToPolicy(statement);

    this.machine = new StateMachine(this, 'Machine', {
      stateMachineName: props.machineName,
      definitionBody: DefinitionBody.fromString(readFileSync(props.definition, 'utf8')),
      definitionSubstitutions: {
        ...Object.fromEntries(handlers.map(([name, handler]) => [name, handler.version.functionArn])),
        ...props.substitutions,
      },
      role,
      tracingEnabled: true,
      logs: {
        destination: new LogGroup(this, 'Log', {
          // Below this name a log group needs no resource policy of its own, of which an account has ten.
          logGroupName: `/aws/vendedlogs/states/${props.machineName}`,
          retention: RetentionDays.THREE_MONTHS,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
        level: LogLevel.ALL,
        // Payloads hold task tokens: whoever reads one can end the task.
        includeExecutionData: false,
      },
    });
    acknowledge(role, {
      'AwsSolutions-IAM5[Resource::*]': 'Log delivery and X-Ray of Step Functions have no resources to name.',
      ...Object.fromEntries(
        handlers.map(([, { functionName }]) => [
          iam5Finding('lambda', `function:${functionName}:*`),
          'Runs in flight call the versions of this function that they began with, whose numbers change.',
        ]),
      ),
    });
  }
}

/** ARN of a machine by its name: a function of a workflow can be allowed to answer it without a circular reference. */
export const machineArn = (scope: Construct, machineName: string): string =>
  statesArn(scope, 'stateMachine', machineName);

export const executionsArn = (scope: Construct, machineName: string): string =>
  statesArn(scope, 'execution', `${machineName}:*`);

const statesArn = (scope: Construct, resource: string, resourceName: string): string =>
  Stack.of(scope).formatArn({ service: 'states', resource, resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
