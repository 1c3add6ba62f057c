import type { JsonObject } from '../json.ts';
import { objectUrl } from '../services/s3.ts';
import { seconds } from '../world.ts';
import { type Command, detailsOutput, expiresAt, type Invocation, isOver, outputKey } from './commands.ts';
import type { CommandDocument } from './documents.ts';
import type { Host } from './host.ts';

/** Commands, invocations and nodes as the API of Systems Manager describes them. */
export function passes(
  command: Command,
  key: 'InvokedAfter' | 'InvokedBefore' | 'Status' | 'DocumentName',
  value: string,
): boolean {
  switch (key) {
    case 'InvokedAfter':
      return command.requestedAt >= Date.parse(value);
    case 'InvokedBefore':
      return command.requestedAt <= Date.parse(value);
    case 'Status':
      return command.status === value;
    case 'DocumentName':
      return command.document.name === value;
  }
}

export function describeCommand(command: Command): JsonObject {
  const over = command.invocations.filter((one) => isOver(one.status));
  return {
    CommandId: command.id,
    DocumentName: command.document.name,
    DocumentVersion: '1',
    Comment: command.comment,
    ExpiresAfter: seconds(expiresAt(command)),
    Parameters: command.parameters,
    InstanceIds: command.invocations.map((one) => one.host.definition.id),
    Targets: [],
    RequestedDateTime: seconds(command.requestedAt),
    Status: command.status,
    StatusDetails: command.statusDetails,
    OutputS3BucketName: command.output?.bucket ?? '',
    OutputS3KeyPrefix: command.output?.prefix ?? '',
    MaxConcurrency: '50',
    MaxErrors: '0',
    TargetCount: command.invocations.length,
    CompletedCount: over.length,
    ErrorCount: over.filter((one) => one.status === 'Failed' || one.statusDetails === 'ExecutionTimedOut').length,
    DeliveryTimedOutCount: over.filter((one) => one.statusDetails === 'DeliveryTimedOut').length,
    ServiceRole: '',
    TimeoutSeconds: command.deliverySeconds,
  };
}

export function describeInvocation(command: Command, invocation: Invocation, details: boolean): JsonObject {
  const { status, statusDetails, startedAt, endedAt } = invocation;
  const plugin = {
    Name: command.document.stepName,
    Status: status,
    StatusDetails: statusDetails,
    ResponseCode: invocation.responseCode,
    ...(startedAt === undefined ? {} : { ResponseStartDateTime: seconds(startedAt) }),
    ...(endedAt === undefined ? {} : { ResponseFinishDateTime: seconds(endedAt) }),
    Output: isOver(status) ? detailsOutput(invocation.stdout, invocation.stderr) : '',
    ...urls(command, invocation),
    OutputS3Region: 'eu-central-1',
    OutputS3BucketName: command.output?.bucket ?? '',
    OutputS3KeyPrefix: command.output?.prefix ?? '',
  };
  return {
    CommandId: command.id,
    InstanceId: invocation.host.definition.id,
    InstanceName: '',
    Comment: command.comment,
    DocumentName: command.document.name,
    DocumentVersion: '1',
    RequestedDateTime: seconds(command.requestedAt),
    Status: status,
    StatusDetails: statusDetails,
    ...urls(command, invocation),
    CommandPlugins: details ? [plugin] : [],
    ServiceRole: '',
  };
}

export function urls(command: Command, invocation: Invocation): JsonObject {
  const url = (stream: 'stdout' | 'stderr') =>
    command.output ? objectUrl(command.output.bucket, outputKey(command, invocation, stream)) : '';
  return { StandardOutputUrl: url('stdout'), StandardErrorUrl: url('stderr') };
}

export const describeHost = (host: Host, now: number) => ({
  InstanceId: host.definition.id,
  PingStatus: host.connected ? 'Online' : 'ConnectionLost',
  LastPingDateTime: seconds(now),
  AgentVersion: host.agentVersion,
  IsLatestVersion: false,
  PlatformType: 'Linux',
  ResourceType: host.definition.id.startsWith('mi-') ? 'ManagedInstance' : 'EC2Instance',
});

export const describeDocument = (document: CommandDocument): JsonObject => ({
  Name: document.name,
  DocumentVersion: '1',
  DefaultVersion: '1',
  LatestVersion: '1',
  Status: 'Active',
  DocumentType: 'Command',
  DocumentFormat: 'JSON',
  SchemaVersion: '2.2',
  PlatformTypes: ['Linux'],
  Parameters: Object.entries(document.parameters).map(([name, { type, description, default: fallback }]) => ({
    Name: name,
    Type: type,
    Description: description ?? '',
    ...(fallback === undefined
      ? {}
      : { DefaultValue: typeof fallback === 'string' ? fallback : JSON.stringify(fallback) }),
  })),
});
