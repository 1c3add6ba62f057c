import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArnFormat, type Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  Code,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  Tracing,
  type Version,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { z } from 'zod';
import { acknowledge } from './acknowledge.ts';

export type HandlerFunctionProps<Environment extends Readonly<Record<string, string>>> = {
  /** File name below functions/handlers, without its ending; its bundle is dist/functions/<handler>/index.mjs. */
  readonly handler: string;
  /** Physical name. Old versions of a function live as long as the name does. */
  readonly functionName: string;
  readonly description: string;
  /** Folder of the bundles. */
  readonly bundles: string;
  /** What the handler reads from its environment, and the values: a missing or wrong one does not compile. */
  readonly environment: { readonly schema: z.ZodType<Environment>; readonly values: NoInfer<Environment> };
  readonly timeout: Duration;
  readonly memoryMB: number;
  /** What the function may do besides writing its own log. */
  readonly permissions: readonly PolicyStatement[];
  /** How often Lambda repeats an asynchronous call that failed; never unless given. */
  readonly retries?: number;
  /** Files that the handler reads beside its bundle, by name. */
  readonly files?: Readonly<Record<string, string>>;
};

/**
 * One handler: its bundle on Node 24/arm64, its own role written by hand, its own log group, and a published version.
 * Versions are retained, so that a run in flight ends with the code that it began with.
 */
export class HandlerFunction<const Environment extends Readonly<Record<string, string>>> extends Construct {
  readonly function: LambdaFunction;
  readonly version: Version;
  readonly functionName: string;
  /** The ARNs of all versions, present and past: a run in flight calls the versions that it began with. */
  readonly allVersions: string;

  constructor(scope: Construct, id: string, props: HandlerFunctionProps<Environment>) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Log', {
      logGroupName: `/ozone-dr/functions/${props.functionName}`,
      retention: RetentionDays.THREE_MONTHS,
      // What happened is in the table; a log group that outlived its stack would block the next deployment.
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    for (const statement of [
      allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [logGroup.logGroupArn]),
      // X-Ray has no resources to name (Service Authorization Reference).
      allow(['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], ['*']),
      ...props.permissions,
    ])
      role.addToPolicy(statement);
    acknowledge(role, {
      'AwsSolutions-IAM5[Resource::*]':
        'X-Ray has no resources to name, nor have the reading and cancelling actions of Run Command where they are listed.',
    });

    const bundle = join(props.bundles, props.handler);
    if (!existsSync(bundle)) throw new Error(`${bundle} is not there, bundle the handlers first: npm run build`);
    const folder = props.files ? withFiles(bundle, props.files) : bundle;
    this.function = new LambdaFunction(this, 'Function', {
      functionName: props.functionName,
      description: props.description,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: 'index.handler',
      code: Code.fromAsset(folder),
      role: role.withoutPolicyUpdates(),
      environment: {
        NODE_OPTIONS: '--enable-source-maps',
        ...props.environment.schema.parse(props.environment.values),
      },
      timeout: props.timeout,
      memorySize: props.memoryMB,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      tracing: Tracing.ACTIVE,
      // Scheduler and event rule call asynchronously; the next sweep is the retry.
      retryAttempts: props.retries ?? 0,
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN },
    });
    // The function has staged its code by now.
    if (folder !== bundle) rmSync(folder, { recursive: true });
    this.function.node.addDependency(role);
    this.version = this.function.currentVersion;
    this.functionName = props.functionName;
    this.allVersions = Stack.of(this).formatArn({
      service: 'lambda',
      resource: 'function',
      resourceName: `${props.functionName}:*`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  }
}

/** A copy of a bundle with more files beside it. */
function withFiles(bundle: string, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'ozone-dr-asset-'));
  cpSync(bundle, folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

export const allow = (actions: readonly string[], resources: readonly string[]): PolicyStatement =>
  new PolicyStatement({ effect: Effect.ALLOW, actions: [...actions], resources: [...resources] });

/** As `allow`, with an id: a statement that must not be merged with others of the same actions. */
export const allowAs = (sid: string, actions: readonly string[], resources: readonly string[]): PolicyStatement =>
  new PolicyStatement({ sid, effect: Effect.ALLOW, actions: [...actions], resources: [...resources] });
