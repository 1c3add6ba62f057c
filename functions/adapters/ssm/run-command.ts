import {
  CancelCommandCommand,
  type Command,
  GetCommandInvocationCommand,
  InvocationDoesNotExist,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
  SendCommandCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import { DELIVERY } from '../../core/domain/operation.ts';
import { DrError } from '../../core/errors.ts';
import type { CommandCanceller, EdgeHost, Outputs } from '../../core/ports.ts';

/** Spelled with and without blanks in different places of the API. */
const ENDED: ReadonlySet<string> = new Set([
  'Success',
  'Failed',
  'Cancelled',
  'TimedOut',
  'DeliveryTimedOut',
  'ExecutionTimedOut',
  'Undeliverable',
  'Terminated',
  'InvalidPlatform',
  'AccessDenied',
  'RateExceeded',
  'NoInstancesInTag',
]);

/** What Run Command will never take, however often it is asked. */
const REFUSED: ReadonlySet<string> = new Set([
  'AccessDeniedException',
  'InvalidDocument',
  'InvalidDocumentVersion',
  'InvalidParameters',
  'InvalidOutputFolder',
  'UnsupportedPlatformType',
  'MaxDocumentSizeExceeded',
  'ValidationException',
]);

const END_MARKER = '-----END OZONE-DR REPLY-----';

const messageOf = (error: unknown): { readonly name: string; readonly message: string } =>
  error instanceof Error ? { name: error.name, message: error.message } : { name: 'Unknown', message: String(error) };

const finder =
  (ssm: SSMClient): EdgeHost['find'] =>
  async (document, operation, since) => {
    let next: string | undefined;
    do {
      const page = await ssm.send(
        new ListCommandsCommand({
          Filters: [
            { key: 'DocumentName', value: document },
            { key: 'InvokedAfter', value: new Date(since - 60_000).toISOString().replace(/\.\d{3}Z$/, 'Z') },
          ],
          ...(next ? { NextToken: next } : {}),
        }),
      );
      const found = page.Commands?.find((command: Command) => command.Comment === operation);
      if (found?.CommandId) return { commandId: found.CommandId };
      next = page.NextToken;
    } while (next);
    return undefined;
  };

/** Sends commands, one on one named host each: a tag target that matches nothing would "succeed". */
export const commandSender = (ssm: SSMClient, outputBucket: string): Pick<EdgeHost, 'send' | 'find'> => ({
  send: async (document, host, parameters, operation) => {
    try {
      const sent = await ssm.send(
        new SendCommandCommand({
          DocumentName: document,
          InstanceIds: [host],
          Comment: operation,
          TimeoutSeconds: DELIVERY,
          Parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, [value]])),
          OutputS3BucketName: outputBucket,
          OutputS3KeyPrefix: operation,
        }),
      );
      if (!sent.Command?.CommandId) throw new Error('SendCommand answered without a command id');
      return { commandId: sent.Command.CommandId };
    } catch (error) {
      const { name, message } = messageOf(error);
      if (REFUSED.has(name)) throw new DrError('EdgeRefused', `${document} on ${host}: ${name}: ${message}`);
      // The host is stopped, its agent is not registered, or it is not ours: Run Command has sent nothing.
      if (name === 'InvalidInstanceId') throw new DrError('EdgeUnreachable', `${host}: ${name}: ${message}`);
      throw error;
    }
  },

  find: finder(ssm),
});

/** Looks after commands that were sent. */
export const commandReader = (
  ssm: SSMClient,
  outputs: Outputs,
): Pick<EdgeHost, 'find' | 'state'> & CommandCanceller => ({
  find: finder(ssm),
  state: async (commandId, host) => {
    const listed = await ssm.send(new ListCommandInvocationsCommand({ CommandId: commandId, InstanceId: host }));
    const invocation = listed.CommandInvocations?.[0];
    const status = (invocation?.StatusDetails ?? invocation?.Status ?? '').replaceAll(' ', '');
    if (!ENDED.has(status)) return { kind: 'running' };
    try {
      const step = await ssm.send(new GetCommandInvocationCommand({ CommandId: commandId, InstanceId: host }));
      const shown = step.StandardOutputContent ?? '';
      if (shown.includes(END_MARKER) || !step.StandardOutputUrl) return { kind: 'ended', status, output: shown };
      const whole = await outputs.read(step.StandardOutputUrl);
      return whole === undefined
        ? { kind: 'ended', status, output: shown }
        : { kind: 'ended', status, output: whole, url: step.StandardOutputUrl };
    } catch (error) {
      if (error instanceof InvocationDoesNotExist) return { kind: 'ended', status, output: '' };
      throw error;
    }
  },

  cancel: async (commandId, host) => {
    await ssm.send(new CancelCommandCommand({ CommandId: commandId, InstanceIds: [host] }));
  },
});
