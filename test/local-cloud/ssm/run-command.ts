import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { AwsError, NotEmulated } from '../errors.ts';
import type { Faults } from '../faults.ts';
import { isObject, type Json, type JsonObject, parseJson } from '../json.ts';
import { type Actions, page, parseRequest } from '../services/requests.ts';
import { arnOf, type Caller, iso, type World } from '../world.ts';
import {
  type Command,
  commandEvent,
  commandStatus,
  elapsed,
  expiresAt,
  type Invocation,
  type InvocationStatus,
  invocationEvent,
  isOver,
  outputKey,
  shownStderr,
  shownStdout,
  statusOf,
} from './commands.ts';
import { describeCommand, describeDocument, describeHost, describeInvocation, passes, urls } from './describe.ts';
import { type CommandDocument, readDocument, render, resolveParameters } from './documents.ts';
import type { Host } from './host.ts';

const pages = { MaxResults: z.int().min(1).max(50).optional(), NextToken: z.string().optional() };
const filters = z
  .array(
    z.strictObject({ key: z.enum(['InvokedAfter', 'InvokedBefore', 'Status', 'DocumentName']), value: z.string() }),
  )
  .optional();
const sendRequest = z.strictObject({
  DocumentName: z.string(),
  DocumentVersion: z.enum(['$DEFAULT', '$LATEST', '1']).optional(),
  InstanceIds: z.array(z.string()).max(50).optional(),
  Targets: z
    .array(z.strictObject({ Key: z.string(), Values: z.array(z.string()).max(50) }))
    .max(5)
    .optional(),
  Parameters: z.record(z.string(), z.array(z.string())).optional(),
  Comment: z.string().max(100).optional(),
  TimeoutSeconds: z.int().min(30).max(2_592_000).optional(),
  OutputS3BucketName: z.string().min(3).max(63).optional(),
  OutputS3KeyPrefix: z.string().max(500).optional(),
  OutputS3Region: z.string().optional(),
});
const listRequest = z.strictObject({
  CommandId: z.string().optional(),
  InstanceId: z.string().optional(),
  Filters: filters,
  ...pages,
});
const listInvocationsRequest = z.strictObject({ ...listRequest.shape, Details: z.boolean().optional() });
const getRequest = z.strictObject({ CommandId: z.string(), InstanceId: z.string(), PluginName: z.string().optional() });
const cancelRequest = z.strictObject({ CommandId: z.string(), InstanceIds: z.array(z.string()).optional() });
const describeRequest = z.strictObject({
  Filters: z
    .array(z.strictObject({ Key: z.enum(['InstanceIds', 'PingStatus']), Values: z.array(z.string()) }))
    .optional(),
  InstanceInformationFilterList: z
    .array(z.strictObject({ key: z.enum(['InstanceIds', 'PingStatus']), valueSet: z.array(z.string()) }))
    .optional(),
  ...pages,
});

const documentRequest = z.strictObject({
  Name: z.string(),
  DocumentVersion: z.enum(['$DEFAULT', '$LATEST', '1']).optional(),
});
const getDocumentRequest = z.strictObject({ ...documentRequest.shape, DocumentFormat: z.literal('JSON').optional() });
const createDocumentRequest = z.strictObject({
  Name: z.string().regex(/^[a-zA-Z0-9_.-]{3,128}$/),
  Content: z.string(),
  DocumentType: z.literal('Command'),
  DocumentFormat: z.literal('JSON').optional(),
  TargetType: z.string().optional(),
});

/** How long things take on their way; milliseconds of the emulator's time. */
export interface Latency {
  /** Until the API knows the invocations of a command that was just sent. */
  readonly visible: number;
  /** Until the agent has the command. */
  readonly delivery: number;
}

export type Emit = (source: string, detailType: string, resources: readonly string[], detail: JsonObject) => void;
/** Where output goes; a bucket that does not exist is the agent's problem, not the command's. */
export type StoreOutput = (host: string, bucket: string, key: string, content: string) => void;

const invocationEventType = 'EC2 Command Invocation Status-change Notification';
const commandEventType = 'EC2 Command Status-change Notification';
const nodeArn = (id: string): string =>
  id.startsWith('mi-') ? arnOf('ssm', `managed-instance/${id}`) : arnOf('ec2', `instance/${id}`);

/** AWS Systems Manager, Run Command. */
export class RunCommand {
  readonly #world: World;
  readonly #emit: Emit;
  readonly #store: StoreOutput;
  readonly #latency: Latency;
  readonly #faults: Faults;
  readonly #spell: (answer: JsonObject) => JsonObject;
  readonly #documents = new Map<string, CommandDocument>();
  readonly #hosts: ReadonlyMap<string, Host>;
  readonly #commands = new Map<string, Command>();

  constructor(
    world: World,
    hosts: readonly Host[],
    options: {
      readonly emit: Emit;
      readonly store: StoreOutput;
      readonly latency: Latency;
      readonly faults: Faults;
      readonly statusDetails: 'joined' | 'spaced';
    },
  ) {
    this.#world = world;
    this.#hosts = new Map(hosts.map((host) => [host.definition.id, host]));
    this.#emit = options.emit;
    this.#faults = options.faults;
    this.#spell = options.statusDetails === 'spaced' ? spaced : (answer) => answer;
    this.#store = options.store;
    this.#latency = options.latency;
  }

  createDocument(name: string, content: unknown): void {
    this.#documents.set(name, readDocument(name, content));
    this.#contents.set(name, JSON.stringify(content));
  }

  readonly #contents = new Map<string, string>();

  #document(name: string): CommandDocument {
    const document = this.#documents.get(name);
    if (!document) throw new AwsError('InvalidDocument', `Document ${name} does not exist`);
    return document;
  }

  commands(): readonly Command[] {
    return [...this.#commands.values()];
  }

  #send(request: z.infer<typeof sendRequest>, caller: Caller): Command {
    const document = this.#documents.get(request.DocumentName);
    this.#world.authorize(caller, 'ssm:SendCommand', arnOf('ssm', `document/${request.DocumentName}`));
    if (!document) throw new AwsError('InvalidDocument', `Document ${request.DocumentName} does not exist`);
    const hosts = this.#targets(request, caller);
    const parameters = resolveParameters(document, request.Parameters ?? {});
    const now = this.#world.clock.now();
    const command: Command = {
      id: randomUUID(),
      document,
      comment: request.Comment ?? '',
      parameters,
      requestedAt: now,
      visibleAt: now + this.#latency.visible,
      deliverySeconds: request.TimeoutSeconds ?? 3600,
      executionSeconds: render(document, parameters, true).timeoutSeconds,
      output:
        request.OutputS3BucketName === undefined
          ? undefined
          : { bucket: request.OutputS3BucketName, prefix: request.OutputS3KeyPrefix ?? '' },
      invocations: hosts.map((host) => newInvocation(host)),
      status: hosts.length === 0 ? 'Success' : 'Pending',
      statusDetails: hosts.length === 0 ? 'NoInstancesInTag' : 'Pending',
    };
    this.#commands.set(command.id, command);
    this.#world.counters.add('ssm.commands');
    this.#world.tell('command-sent', {
      command: command.id,
      document: document.name,
      comment: command.comment,
      hosts: hosts.map((host) => host.definition.id),
    });
    for (const invocation of command.invocations) this.#deliver(command, invocation);
    return command;
  }

  #targets(request: z.infer<typeof sendRequest>, caller: Caller): readonly Host[] {
    const { InstanceIds: ids = [], Targets: targets = [] } = request;
    if (ids.length > 0 === targets.length > 0)
      throw new AwsError('InvalidParameters', 'give either InstanceIds or Targets');
    for (const id of ids) {
      this.#world.authorize(caller, 'ssm:SendCommand', nodeArn(id), this.#tagContext(id));
      if (!this.#hosts.has(id))
        throw new AwsError('InvalidInstanceId', `Instances [[${id}]] not in a valid state for account`);
    }
    const chosen = ids.flatMap((id) => this.#hosts.get(id) ?? []);
    const byTarget = [...this.#hosts.values()].filter(
      ({ definition }) =>
        targets.length > 0 &&
        targets.every(({ Key: key, Values: values }) =>
          values.includes(key === 'InstanceIds' ? definition.id : (definition.tags?.[key.replace('tag:', '')] ?? '')),
        ),
    );
    for (const { definition } of byTarget)
      this.#world.authorize(caller, 'ssm:SendCommand', nodeArn(definition.id), this.#tagContext(definition.id));
    return [...chosen, ...byTarget];
  }

  #tagContext(id: string): Readonly<Record<string, string>> {
    const tags = this.#hosts.get(id)?.definition.tags ?? {};
    return Object.fromEntries(
      Object.entries(tags).flatMap(([name, value]) => [
        [`ssm:resourceTag/${name}`, value],
        [`aws:ResourceTag/${name}`, value],
      ]),
    );
  }

  #deliver(command: Command, invocation: Invocation): void {
    const { clock } = this.#world;
    const { host } = invocation;
    clock.at(command.requestedAt + this.#latency.delivery, () => {
      if (invocation.status !== 'Pending') return;
      host.deliver({
        commandId: command.id,
        document: command.document,
        parameters: command.parameters,
        started: () => {
          invocation.startedAt = clock.now();
          this.#change(command, invocation, 'InProgress', 'InProgress');
        },
        ended: (result) => {
          if (isOver(invocation.status)) return;
          invocation.stdout = result.stdout;
          invocation.stderr = result.stderr;
          const { status, details, code } = statusOf(result);
          this.#finish(command, invocation, status, details, code);
        },
      });
    });
    const late = (details: string) => {
      host.withdraw(command.id);
      this.#finish(command, invocation, 'TimedOut', details, -1);
    };
    const notDelivered = clock.at(command.requestedAt + command.deliverySeconds * 1000, () => {
      if (invocation.status === 'Pending') late('DeliveryTimedOut');
    });
    // "If the agent is down the invocation stays InProgress until it returns or time runs out", then DeliveryTimedOut.
    const notReported = clock.at(expiresAt(command) + this.#latency.delivery, () => {
      if (!isOver(invocation.status)) late('DeliveryTimedOut');
    });
    this.#timers.set(invocation, () => {
      notDelivered();
      notReported();
    });
  }

  readonly #timers = new Map<Invocation, () => void>();

  #finish(command: Command, invocation: Invocation, status: InvocationStatus, details: string, code: number): void {
    const early = command.invocations.length === 1 ? this.#faults.early(commandEventType) : undefined;
    if (early === undefined) {
      this.#end(command, invocation, status, details, code, true);
      return;
    }
    const { clock } = this.#world;
    this.#tellBus(command, { ...invocation, status }, { ...command, status });
    clock.at(clock.now() + early * 1000, () => this.#end(command, invocation, status, details, code, false));
  }

  #end(
    command: Command,
    invocation: Invocation,
    status: InvocationStatus,
    details: string,
    code: number,
    tells: boolean,
  ): void {
    if (isOver(invocation.status)) return;
    invocation.responseCode = code;
    invocation.endedAt = this.#world.clock.now();
    this.#timers.get(invocation)?.();
    this.#timers.delete(invocation);
    if (command.output) {
      const { bucket } = command.output;
      const host = invocation.host.definition.id;
      if (invocation.stdout !== '')
        this.#store(host, bucket, outputKey(command, invocation, 'stdout'), invocation.stdout);
      if (invocation.stderr !== '')
        this.#store(host, bucket, outputKey(command, invocation, 'stderr'), invocation.stderr);
    }
    this.#change(command, invocation, status, details, tells);
  }

  #change(command: Command, invocation: Invocation, status: InvocationStatus, details: string, tells = true): void {
    if (isOver(invocation.status)) return;
    invocation.status = status;
    invocation.statusDetails = details;
    this.#world.tell('command', {
      command: command.id,
      document: command.document.name,
      host: invocation.host.definition.id,
      status,
      details,
      code: invocation.responseCode,
    });
    const before = command.status;
    const now = commandStatus(command);
    command.status = now.status;
    command.statusDetails = now.details;
    if (tells) this.#tellBus(command, invocation, command.status === before ? undefined : command);
  }

  #tellBus(command: Command, invocation: Invocation, changed: Command | undefined): void {
    const resources = [nodeArn(invocation.host.definition.id)];
    this.#emit('aws.ssm', invocationEventType, resources, invocationEvent(command, invocation));
    if (changed) this.#emit('aws.ssm', commandEventType, resources, commandEvent(changed));
  }

  #cancel(command: Command, ids: readonly string[]): void {
    for (const invocation of command.invocations) {
      const { host } = invocation;
      if (isOver(invocation.status) || (ids.length > 0 && !ids.includes(host.definition.id))) continue;
      const waiting = invocation.status === 'Pending';
      if (waiting || host.definition.agent?.cancelKills === false) {
        host.withdraw(command.id);
        this.#finish(command, invocation, 'Cancelled', 'Cancelled', -1);
      } else {
        this.#change(command, invocation, 'Cancelling', 'Cancelling');
        host.cancel(command.id);
      }
    }
  }

  #find(commandId: string): Command {
    const command = this.#commands.get(commandId);
    if (!command) throw new AwsError('InvalidCommandId', `Invalid command id ${commandId}`);
    return command;
  }

  #visible(command: Command): readonly Invocation[] {
    return this.#world.clock.now() >= command.visibleAt ? command.invocations : [];
  }

  /** Commands newest first, as asked for. */
  #selected(request: z.infer<typeof listRequest>): readonly Command[] {
    return this.commands()
      .filter((command) => request.CommandId === undefined || command.id === request.CommandId)
      .filter(
        (command) =>
          request.InstanceId === undefined ||
          command.invocations.some((one) => one.host.definition.id === request.InstanceId),
      )
      .filter((command) => (request.Filters ?? []).every(({ key, value }) => passes(command, key, value)))
      .reverse();
  }

  /** The API actions, under AWS's names. */
  readonly actions: Actions = {
    SendCommand: (request, caller) => ({
      Command: this.#spell(describeCommand(this.#send(parseRequest(sendRequest, request), caller))),
    }),
    ListCommands: (request, caller) => {
      this.#world.authorize(caller, 'ssm:ListCommands', '*');
      const wanted = parseRequest(listRequest, request);
      const found = page(this.#selected(wanted), wanted.NextToken, wanted.MaxResults ?? 50);
      return {
        Commands: found.items.map(describeCommand).map(this.#spell),
        ...(found.nextToken === undefined ? {} : { NextToken: found.nextToken }),
      };
    },
    ListCommandInvocations: (request, caller) => {
      this.#world.authorize(caller, 'ssm:ListCommandInvocations', '*');
      const { Details: details, ...wanted } = parseRequest(listInvocationsRequest, request);
      const all = this.#selected(wanted).flatMap((command) =>
        this.#visible(command)
          .filter((one) => wanted.InstanceId === undefined || one.host.definition.id === wanted.InstanceId)
          .map((invocation) => this.#spell(describeInvocation(command, invocation, details ?? false))),
      );
      const found = page(all, wanted.NextToken, wanted.MaxResults ?? 50);
      return {
        CommandInvocations: found.items,
        ...(found.nextToken === undefined ? {} : { NextToken: found.nextToken }),
      };
    },
    GetCommandInvocation: (request, caller) => {
      this.#world.authorize(caller, 'ssm:GetCommandInvocation', '*');
      const { CommandId: id, InstanceId: host, PluginName: plugin } = parseRequest(getRequest, request);
      const command = this.#find(id);
      if (plugin !== undefined && plugin !== command.document.stepName)
        throw new AwsError('InvalidPluginName', `Plugin ${plugin} does not exist`);
      const invocation = this.#visible(command).find((one) => one.host.definition.id === host);
      if (!invocation) throw new AwsError('InvocationDoesNotExist', '');
      return this.#spell(this.#describeOutput(command, invocation));
    },
    CancelCommand: (request, caller) => {
      this.#world.authorize(caller, 'ssm:CancelCommand', '*');
      const { CommandId: id, InstanceIds: ids } = parseRequest(cancelRequest, request);
      this.#cancel(this.#find(id), ids ?? []);
      return {};
    },
    CreateDocument: (request, caller) => {
      const { Name: name, Content: text } = parseRequest(createDocumentRequest, request);
      this.#world.authorize(caller, 'ssm:CreateDocument', arnOf('ssm', `document/${name}`));
      if (this.#documents.has(name))
        throw new AwsError('DocumentAlreadyExists', `Document with same name ${name} already exists`);
      const content = parseJson(text);
      try {
        this.createDocument(name, content);
      } catch (error) {
        if (error instanceof NotEmulated) throw new AwsError('InvalidDocumentContent', error.message);
        throw error;
      }
      return { DocumentDescription: describeDocument(this.#document(name)) };
    },
    DescribeDocument: (request, caller) => {
      const { Name: name } = parseRequest(documentRequest, request);
      this.#world.authorize(caller, 'ssm:DescribeDocument', arnOf('ssm', `document/${name}`));
      return { Document: describeDocument(this.#document(name)) };
    },
    GetDocument: (request, caller) => {
      const { Name: name } = parseRequest(getDocumentRequest, request);
      this.#world.authorize(caller, 'ssm:GetDocument', arnOf('ssm', `document/${name}`));
      this.#document(name);
      return {
        Name: name,
        DocumentVersion: '1',
        Status: 'Active',
        Content: this.#contents.get(name) ?? '',
        DocumentType: 'Command',
        DocumentFormat: 'JSON',
      };
    },
    DescribeInstanceInformation: (request, caller) => {
      this.#world.authorize(caller, 'ssm:DescribeInstanceInformation', '*');
      const wanted = parseRequest(describeRequest, request);
      const rules = [
        ...(wanted.Filters ?? []).map(({ Key: key, Values: values }) => ({ key, values })),
        ...(wanted.InstanceInformationFilterList ?? []).map(({ key, valueSet: values }) => ({ key, values })),
      ];
      const all = [...this.#hosts.values()]
        .map((host) => describeHost(host, this.#world.clock.now()))
        .filter((host) =>
          rules.every(({ key, values }) => values.includes(key === 'InstanceIds' ? host.InstanceId : host.PingStatus)),
        );
      const found = page(all, wanted.NextToken, wanted.MaxResults ?? 10);
      return {
        InstanceInformationList: found.items.map((host): Json => ({ ...host })),
        ...(found.nextToken === undefined ? {} : { NextToken: found.nextToken }),
      };
    },
  };

  #describeOutput(command: Command, invocation: Invocation): JsonObject {
    return {
      CommandId: command.id,
      InstanceId: invocation.host.definition.id,
      Comment: command.comment,
      DocumentName: command.document.name,
      DocumentVersion: '1',
      PluginName: command.document.stepName,
      ResponseCode: invocation.responseCode,
      ExecutionStartDateTime: invocation.startedAt === undefined ? '' : iso(invocation.startedAt),
      ExecutionElapsedTime: elapsed(invocation, this.#world.clock),
      ExecutionEndDateTime: invocation.endedAt === undefined ? '' : iso(invocation.endedAt),
      Status: invocation.status,
      StatusDetails: invocation.statusDetails,
      StandardOutputContent: shownStdout(invocation),
      StandardErrorContent: shownStderr(invocation),
      ...urls(command, invocation),
      CloudWatchOutputConfig: { CloudWatchLogGroupName: '', CloudWatchOutputEnabled: false },
    };
  }
}

/** `DeliveryTimedOut` as `Delivery Timed Out`, here and in the plugins of an invocation. */
const spaced = (answer: JsonObject): JsonObject => ({
  ...answer,
  ...(typeof answer.StatusDetails === 'string'
    ? { StatusDetails: answer.StatusDetails.replace(/(?<=[a-z])(?=[A-Z])/g, ' ') }
    : {}),
  ...(Array.isArray(answer.CommandPlugins)
    ? { CommandPlugins: answer.CommandPlugins.map((one: Json) => (isObject(one) ? spaced(one as JsonObject) : one)) }
    : {}),
});

const newInvocation = (host: Host): Invocation => ({
  host,
  status: 'Pending',
  statusDetails: 'Pending',
  responseCode: -1,
  stdout: '',
  stderr: '',
  startedAt: undefined,
  endedAt: undefined,
});
