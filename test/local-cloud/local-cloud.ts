import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { Execution } from './asl/execution.ts';
import type { HistoryEvent } from './asl/history.ts';
import { type Clock, realClock, virtualClock } from './clock.ts';
import { type Alarm, CloudWatch } from './cloudwatch/cloudwatch.ts';
import { Counters } from './counters.ts';
import { startDynalite } from './dynamodb/backend.ts';
import { DynamoDb } from './dynamodb/dynamodb.ts';
import { AwsError } from './errors.ts';
import { type FaultPlan, Faults } from './faults.ts';
import { type Asked, type Endpoint, startEndpoint } from './http.ts';
import type { Json, JsonObject } from './json.ts';
import { Functions, type LogLine } from './lambda/functions.ts';
import { EventBus } from './services/events.ts';
import { Iam } from './services/iam.ts';
import { Messages } from './services/messages.ts';
import { bucketArn, S3 } from './services/s3.ts';
import { type Schedule, Scheduler } from './services/scheduler.ts';
import { StepFunctions } from './services/step-functions.ts';
import type { Command } from './ssm/commands.ts';
import { Host, type HostDefinition } from './ssm/host.ts';
import { RunCommand } from './ssm/run-command.ts';
import { readAssembly } from './template/assembly.ts';
import { type Deployed, deploy } from './template/deploy.ts';
import { type CloudEvent, root, type World } from './world.ts';

export interface LocalCloudOptions {
  /** Directory of the synthesized assembly. */
  readonly assembly: string;
  readonly clock?: 'real' | { readonly virtualFrom: Date };
  readonly hosts?: readonly HostDefinition[];
  /** Where hosts and buckets keep their files; a temporary directory that `close` removes unless given. */
  readonly directory?: string;
  /** `enforced` (default): every call is judged by the template's policies. */
  readonly permissions?: 'enforced' | 'off';
  /** What goes wrong, and when: see `faults.ts`. `cloud.faults` adds rules later. */
  readonly faults?: FaultPlan;
  /** How Run Command spells `StatusDetails`: `DeliveryTimedOut` (default) or, as parts of AWS do, `Delivery Timed Out`. */
  readonly statusDetails?: 'joined' | 'spaced';
  /** Loopback port of the endpoint; a free one unless given. */
  readonly port?: number;
  /** Numbers in [0, 1) for jitter. */
  readonly random?: () => number;
  /** Sees what happens from the first event on; `onEvent` can be called later. */
  readonly onEvent?: (event: CloudEvent) => void;
}

/** How an execution ended. */
export interface Ended {
  readonly status: Execution['status'];
  readonly output: Json | undefined;
  readonly error: string | undefined;
  readonly cause: string | undefined;
}

/** In real time the API knows an invocation, and the agent a command, after this; in virtual time it takes a second. */
const realLatency = { visible: 30, delivery: 40 };
const virtualLatency = { visible: 1000, delivery: 1000 };

/** Starts an AWS account on loopback and deploys an assembly into it. */
export async function startLocalCloud(options: LocalCloudOptions): Promise<LocalCloud> {
  const virtual = typeof options.clock === 'object' ? options.clock : undefined;
  const shared = virtual ? new SharedArrayBuffer(8) : undefined;
  const seen = shared ? new Float64Array(shared) : undefined;
  const clock = virtual
    ? virtualClock(virtual.virtualFrom.getTime(), (now) => {
        if (seen) seen[0] = now;
      })
    : realClock();
  const cloud = new LocalCloud(options, clock, shared);
  try {
    await cloud.start();
  } catch (error) {
    await cloud.close();
    throw error;
  }
  return cloud;
}

export class LocalCloud {
  readonly clock: Clock;
  readonly iam: Iam;
  readonly stepFunctions: StepFunctions;
  readonly functions: Functions;
  readonly events: EventBus;
  readonly s3: S3;
  readonly messages: Messages;
  readonly cloudWatch: CloudWatch;
  /** Strikes so far, and rules for more. */
  readonly faults: Faults;
  readonly #options: LocalCloudOptions;
  readonly #directory: string;
  readonly #counters = new Counters();
  readonly #listeners: ((event: CloudEvent) => void)[] = [];
  readonly #hosts: readonly Host[];
  readonly #runCommand: RunCommand;
  readonly #scheduler: Scheduler;
  readonly #world: World;
  readonly #closing: (() => void | Promise<void>)[] = [];
  #endpoint: Endpoint | undefined;
  #deployed: readonly Deployed[] = [];

  /** Use `startLocalCloud`. */
  constructor(options: LocalCloudOptions, clock: Clock, virtualNow: SharedArrayBuffer | undefined) {
    this.#options = options;
    this.clock = clock;
    this.#directory = resolve(options.directory ?? mkdtempSync(join(tmpdir(), 'local-cloud-')));
    mkdirSync(this.#directory, { recursive: true });
    if (options.onEvent) this.#listeners.push(options.onEvent);
    this.iam = new Iam(options.permissions !== 'off');
    const world: World = {
      clock,
      counters: this.#counters,
      authorize: this.iam.authorize,
      measure: (...point) => this.cloudWatch.measure(...point),
      random: options.random ?? Math.random,
      tell: (kind, detail) => {
        for (const listener of this.#listeners) listener({ ...detail, at: clock.now(), kind });
      },
    };
    this.#world = world;
    const latency = clock.kind === 'real' ? realLatency : virtualLatency;
    this.faults = new Faults(options.faults?.seed ?? 1, world, (id) => this.host(id));
    this.messages = new Messages(world);
    this.cloudWatch = new CloudWatch(world, {
      publish: (topicArn, alarmArn, subject, message) => {
        this.iam.authorizeService({
          service: 'cloudwatch.amazonaws.com',
          action: 'sns:Publish',
          resource: topicArn,
          source: alarmArn,
        });
        this.messages.send(topicArn, message, subject);
      },
      emit: (detailType, resources, detail) => this.events.emit('aws.cloudwatch', detailType, resources, detail),
      sample: () => {
        for (const { name, visible } of this.messages.queues())
          world.measure('AWS/SQS', 'ApproximateNumberOfMessagesVisible', { QueueName: name }, visible);
      },
    });
    this.events = new EventBus(world, this.faults, latency.delivery);
    this.s3 = new S3(world, join(this.#directory, 's3'));
    this.functions = new Functions(
      world,
      this.faults,
      () => this.#started,
      virtualNow,
      (line) => this.cloudWatch.logLine(line),
    );
    this.stepFunctions = new StepFunctions(
      world,
      {
        invoke: (role, name, payload) => this.functions.invoke(role, name, payload),
        callService: (role, service, action, request) => this.#callService(role, service, action, request),
        objects: this.s3.asRole,
      },
      (detailType, resources, detail) => {
        this.#measureExecution(detail);
        this.events.emit('aws.states', detailType, resources, detail);
      },
    );
    this.#hosts = (options.hosts ?? []).map((host) => new Host(host, clock, join(this.#directory, 'hosts', host.id)));
    this.#runCommand = new RunCommand(world, this.#hosts, {
      latency,
      faults: this.faults,
      statusDetails: options.statusDetails ?? 'joined',
      emit: (source, detailType, resources, detail) => this.events.emit(source, detailType, resources, detail),
      store: (host, bucket, key, content) => void this.#storeOutput(host, bucket, key, content),
    });
    this.#scheduler = new Scheduler(world, {
      iam: this.iam,
      faults: this.faults,
      call: (targetArn, role, input) => this.#callTarget(targetArn, role, input),
      deadLetter: (queueArn, role, body) => {
        world.authorize(role, 'sqs:SendMessage', queueArn);
        this.messages.send(queueArn, body);
      },
    });
    for (const host of options.hosts ?? []) {
      if (host.policy === undefined) continue;
      this.iam.createRole(hostRole(host.id));
      this.iam.attach(hostRole(host.id), 'host', host.policy);
    }
  }

  /** Metrics of AWS/States. They come with the execution's own status, under the machine's ARN. */
  #measureExecution({ stateMachineArn, status, startDate, stopDate }: JsonObject): void {
    const names: Readonly<Record<string, string>> = {
      RUNNING: 'ExecutionsStarted',
      SUCCEEDED: 'ExecutionsSucceeded',
      FAILED: 'ExecutionsFailed',
      TIMED_OUT: 'ExecutionsTimedOut',
      ABORTED: 'ExecutionsAborted',
    };
    const dimensions = { StateMachineArn: String(stateMachineArn) };
    this.cloudWatch.measure('AWS/States', names[String(status)] ?? '', dimensions, 1);
    if (typeof stopDate === 'number')
      this.cloudWatch.measure('AWS/States', 'ExecutionTime', dimensions, stopDate - Number(startDate));
  }

  /** An agent uploads under its host's own role. What it may not is its problem, not the command's. */
  async #storeOutput(host: string, bucket: string, key: string, content: string): Promise<void> {
    try {
      await this.faults.call('s3:PutObject', hostRole(host), () => {
        if (this.host(host).definition.policy !== undefined)
          this.#world.authorize(hostRole(host), 's3:PutObject', bucketArn(bucket, key));
        this.s3.put(bucket, key, Buffer.from(content));
      });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#world.tell('output-not-stored', { host, bucket, key, message });
    }
  }

  /** Opens the endpoint and creates the assembly's resources. */
  async start(): Promise<void> {
    const assembly = readAssembly(this.#options.assembly);
    const backend = startDynalite();
    const dynamoDb = new DynamoDb(this.#world, backend);
    this.#services = {
      DynamoDB_20120810: { actions: dynamoDb.actions, iam: 'dynamodb', version: '1.0' },
      AWSStepFunctions: { actions: this.stepFunctions.actions, iam: 'states', version: '1.0' },
      AmazonSSM: { actions: this.#runCommand.actions, iam: 'ssm', version: '1.1' },
      GraniteServiceVersion20100801: { actions: this.cloudWatch.actions, iam: 'cloudwatch', version: '1.0' },
      AWSEvents: { actions: this.events.actions, iam: 'events', version: '1.1' },
    };
    const services = {
      scheduler: this.#scheduler,
      faults: this.faults,
      json: this.#services,
      query: { sns: this.messages.topicActions },
      s3: this.s3,
      isRole: (accessKeyId: string) =>
        this.#deployed.some((one) => one.type === 'AWS::IAM::Role' && one.name === accessKeyId),
      invoke: async (caller: string, name: string, payload: Json, asynchronous: boolean) => {
        if (asynchronous) {
          void this.functions.invokeAsynchronously(caller, name, payload);
          return { payload: null, failed: false };
        }
        const outcome = await this.functions.invoke(caller, name, payload);
        if (outcome.kind === 'returned') return { payload: outcome.payload, failed: false };
        if (outcome.error.startsWith('Lambda.'))
          throw new AwsError(outcome.error.slice('Lambda.'.length), outcome.cause);
        return { payload: JSON.parse(outcome.cause), failed: true };
      },
    };
    const endpoint = await startEndpoint(this.#world, services, this.#options.port);
    this.#endpoint = endpoint;
    this.#closing.push(endpoint.close);
    this.#deployed = await deploy(assembly, {
      world: this.#world,
      iam: this.iam,
      dynamoDb,
      functions: this.functions,
      stepFunctions: this.stepFunctions,
      runCommand: this.#runCommand,
      scheduler: this.#scheduler,
      events: this.events,
      messages: this.messages,
      cloudWatch: this.cloudWatch,
      s3: this.s3,
    });
    this.cloudWatch.start();
    this.faults.add(...(this.#options.faults?.rules ?? []));
  }

  #services: Parameters<typeof startEndpoint>[1]['json'] = {};

  /** `http://127.0.0.1:<port>`, for every service. */
  get endpoint(): string {
    return this.#started.url;
  }

  get #started(): Endpoint {
    if (!this.#endpoint) throw new Error('the local cloud is not started');
    return this.#endpoint;
  }

  /** Settings for an SDK client outside, which acts as root. */
  get clientSettings() {
    const credentials = { accessKeyId: root, secretAccessKey: 'local' };
    return { endpoint: this.endpoint, region: 'eu-central-1', credentials, maxAttempts: 1 };
  }

  /** Resources of the template; `type` is CloudFormation's. */
  resources(type?: string): readonly Deployed[] {
    return this.#deployed.filter((one) => type === undefined || one.type === type);
  }

  /** One resource, by its physical name or by the beginning of its logical id. */
  resource(type: string, nameOrLogicalId: string): Deployed {
    const all = this.#deployed.filter((one) => one.type === type);
    const found = all.filter((one) => one.name === nameOrLogicalId);
    const matching = found.length > 0 ? found : all.filter((one) => one.logicalId.startsWith(nameOrLogicalId));
    const [only, ...others] = matching;
    if (!only || others.length > 0)
      throw new Error(
        `${matching.length} resources ${type} are '${nameOrLogicalId}': ${all.map((one) => one.logicalId).join(', ')}`,
      );
    return only;
  }

  /** Starts an execution as root and returns its ARN. */
  startExecution(machine: string, input: Json, name: string = randomUUID()): string {
    const { ref } = this.resource('AWS::StepFunctions::StateMachine', machine);
    return this.stepFunctions.start(ref, JSON.stringify(input), name).arn;
  }

  /** Waits for the end of an execution; virtual time moves on for it. */
  async executionEnded(arn: string): Promise<Ended> {
    const execution = this.stepFunctions.execution(arn);
    await this.clock.runUntil(() => execution.status !== 'RUNNING');
    const { status, output, error, cause } = execution;
    return { status, output, error, cause };
  }

  executions(machine?: string): readonly Execution[] {
    const arn = machine === undefined ? undefined : this.resource('AWS::StepFunctions::StateMachine', machine).ref;
    return this.stepFunctions.executions().filter((one) => arn === undefined || one.machine.arn === arn);
  }

  history(arn: string): readonly HistoryEvent[] {
    return this.stepFunctions.execution(arn).history.events;
  }

  /** Alarms of the template; they are looked at once a minute. What they publish is in `messages`. */
  alarms(): readonly Alarm[] {
    return this.cloudWatch.alarms();
  }

  /** The state of one alarm, by its name or the beginning of its logical id. */
  alarm(nameOrLogicalId: string): Alarm {
    const types = ['AWS::CloudWatch::Alarm', 'AWS::CloudWatch::CompositeAlarm'];
    const named = this.#deployed.filter(
      ({ type, name, logicalId }) =>
        types.includes(type) && (name === nameOrLogicalId || logicalId.startsWith(nameOrLogicalId)),
    );
    const found = this.alarms().filter((alarm) => named.some(({ name }) => name === alarm.name));
    const [only, ...others] = found;
    if (!only || others.length > 0) throw new Error(`${found.length} alarms are '${nameOrLogicalId}'`);
    return only;
  }

  schedules(): readonly Schedule[] {
    return this.#scheduler.schedules();
  }

  /** Virtual time: from now on schedules of the calendar fire on request only, so that a story is the same at any hour of any day. */
  stopCalendar(): void {
    this.#scheduler.stopCalendar();
  }

  /** Lets a schedule fire as if it were due at `at`; call it twice for a double delivery. */
  fireSchedule(name: string, at: Date): Promise<void> {
    return this.#scheduler.fire(name, at.getTime());
  }

  /** Virtual time: lets everything until `time` happen. */
  advanceTo(time: Date): Promise<void> {
    return this.clock.advanceTo(time.getTime());
  }

  advanceBy(seconds: number): Promise<void> {
    return this.clock.advanceTo(this.clock.now() + seconds * 1000);
  }

  /** Calls a function as root and waits for its result; a failing one throws its error's name and message. */
  async invoke(functionName: string, event: Json): Promise<Json> {
    const { name } = this.resource('AWS::Lambda::Function', functionName);
    const outcome = await this.functions.invoke(root, name, event);
    if (outcome.kind === 'returned') return outcome.payload;
    throw Object.assign(new Error(outcome.cause), { name: outcome.error });
  }

  /** The only table of the template, or the named one, for a document client. */
  table(name?: string): { readonly name: string; readonly client: DynamoDBDocumentClient } {
    const tables = [...this.resources('AWS::DynamoDB::Table'), ...this.resources('AWS::DynamoDB::GlobalTable')];
    const found =
      name === undefined ? tables : tables.filter((one) => one.name === name || one.logicalId.startsWith(name));
    const [only, ...others] = found;
    if (!only || others.length > 0) throw new Error(`${found.length} tables are '${name ?? ''}'`);
    this.#tableClient ??= DynamoDBDocumentClient.from(
      new DynamoDBClient({ ...this.clientSettings, requestHandler: this.#requestHandler }),
    );
    return { name: only.name, client: this.#tableClient };
  }

  #tableClient: DynamoDBDocumentClient | undefined;

  /** Answers an SDK client of this process without a port. */
  readonly #requestHandler = {
    handle: async ({ method, path, headers, body }: Omit<Asked, 'url'> & { readonly path: string }) => {
      const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
      const { status, ...answered } = await this.#started.ask({ method, url: path, headers, body: bytes });
      return { response: { statusCode: status, ...answered } };
    },
    updateHttpClientConfig: () => {},
    httpHandlerConfigs: () => ({}),
  };

  commands(): readonly Command[] {
    return this.#runCommand.commands();
  }

  /** A host's controls: disconnect, connect, crash. */
  host(id: string): Host {
    const found = this.#hosts.find((host) => host.definition.id === id);
    if (!found) throw new Error(`there is no host ${id}`);
    return found;
  }

  get functionLogs(): readonly LogLine[] {
    return this.functions.logs;
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counters.snapshot();
  }

  onEvent(listener: (event: CloudEvent) => void): void {
    this.#listeners.push(listener);
  }

  /** Ends everything: executions, processes, workers, timers, ports. Safe to call twice. */
  async close(): Promise<void> {
    this.#listeners.length = 0;
    this.stepFunctions.stopAll();
    this.clock.close();
    this.#tableClient?.destroy();
    await Promise.all(this.#hosts.map((host) => host.close()));
    await this.functions.close();
    for (const close of this.#closing.splice(0).reverse()) await close();
    if (this.#options.directory === undefined) rmSync(this.#directory, { recursive: true, force: true });
  }

  /** A call of `aws-sdk:<service>:<action>` from a state machine. */
  async #callService(role: string, service: string, action: string, request: Record<string, Json>): Promise<Json> {
    const prefixes: Readonly<Record<string, string>> = { dynamodb: 'DynamoDB_20120810', ssm: 'AmazonSSM' };
    const run = this.#services[prefixes[service] ?? '']?.actions[action.charAt(0).toUpperCase() + action.slice(1)];
    if (!run) throw new AwsError('UnknownOperationException', `aws-sdk:${service}:${action} is not emulated`);
    const iamAction = `${service}:${action.charAt(0).toUpperCase()}${action.slice(1)}`;
    return this.faults.call(iamAction, role, () => run(request, role));
  }

  /** A schedule's target: a function is called asynchronously, a machine is started. */
  async #callTarget(targetArn: string, role: string, input: Json): Promise<void> {
    if (targetArn.includes(':lambda:')) {
      await this.faults.call('lambda:InvokeFunction', role, async () => {
        this.#world.authorize(role, 'lambda:InvokeFunction', targetArn);
        const outcome = await this.functions.invokeAsynchronously(role, targetArn, input);
        if (outcome.kind === 'failed' && outcome.error.startsWith('Lambda.'))
          throw new AwsError(outcome.error.slice('Lambda.'.length), outcome.cause);
      });
    } else if (targetArn.includes(':stateMachine:')) {
      await this.faults.call('states:StartExecution', role, () => {
        this.#world.authorize(role, 'states:StartExecution', targetArn);
        this.stepFunctions.start(targetArn, JSON.stringify(input));
      });
    } else {
      throw new AwsError('ValidationException', `schedule target ${targetArn} is not emulated`);
    }
  }
}

/** Name of the role that a host with a policy of its own acts under. */
const hostRole = (id: string): string => `host/${id}`;
