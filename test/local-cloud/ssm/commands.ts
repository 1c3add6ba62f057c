import type { Clock } from '../clock.ts';
import type { JsonObject } from '../json.ts';
import { iso } from '../world.ts';
import type { CommandDocument, Parameters } from './documents.ts';
import type { Host } from './host.ts';
import type { ProcessResult } from './process.ts';

export type InvocationStatus =
  | 'Pending'
  | 'InProgress'
  | 'Success'
  | 'Cancelled'
  | 'TimedOut'
  | 'Failed'
  | 'Cancelling';

/** One command on one node. */
export interface Invocation {
  readonly host: Host;
  status: InvocationStatus;
  statusDetails: string;
  responseCode: number;
  stdout: string;
  stderr: string;
  startedAt: number | undefined;
  endedAt: number | undefined;
}

export interface Command {
  readonly id: string;
  readonly document: CommandDocument;
  readonly comment: string;
  readonly parameters: Parameters;
  readonly requestedAt: number;
  /** When the API shows the invocations (right after sending it does not know them). */
  readonly visibleAt: number;
  readonly deliverySeconds: number;
  readonly executionSeconds: number;
  readonly output: { readonly bucket: string; readonly prefix: string } | undefined;
  readonly invocations: readonly Invocation[];
  status: InvocationStatus;
  statusDetails: string;
}

export const isOver = (status: InvocationStatus): boolean =>
  ['Success', 'Cancelled', 'TimedOut', 'Failed'].includes(status);
export const expiresAt = (command: Command): number =>
  command.requestedAt + 1000 * (command.deliverySeconds + command.executionSeconds);

/** SSM Agent: what GetCommandInvocation shows, and the suffix of what was cut (plugin defaults). */
const mostStdout = 24_000;
const mostStderr = 8_000;
const cutSuffix = '--output truncated--';
/** SSM Agent, `TruncateOutput`: both streams in one text of at most 2,500 characters. */
const mostDetails = 2_500;
const detailsErrorTitle = '\n----------ERROR-------\n';

const cut = (text: string, most: number, suffix: string): string =>
  text.length <= most ? text : text.slice(0, most - suffix.length) + suffix;

/** The text of a plugin in `ListCommandInvocations` with details. */
export function detailsOutput(stdout: string, stderr: string): string {
  const error = stderr === '' ? '' : detailsErrorTitle + stderr;
  if (stdout.length + error.length <= mostDetails) return stdout + error;
  const outSuffix = '\n---Output truncated---';
  const errSuffix = '\n---Error truncated----';
  if (error === '') return cut(stdout, mostDetails, outSuffix);
  if (stdout === '') return cut(error, mostDetails, errSuffix);
  const half = mostDetails / 2;
  if (stdout.length <= half) return stdout + cut(error, mostDetails - stdout.length, errSuffix);
  if (error.length <= half) return cut(stdout, mostDetails - error.length, outSuffix) + error;
  return cut(stdout, half, outSuffix) + cut(error, half, errSuffix);
}

export const shownStdout = (invocation: Invocation): string =>
  isOver(invocation.status) ? cut(invocation.stdout, mostStdout, cutSuffix) : '';
export const shownStderr = (invocation: Invocation): string =>
  isOver(invocation.status) ? cut(invocation.stderr, mostStderr, cutSuffix) : '';

/** The document of a key in S3, for one stream. */
export function outputKey(command: Command, invocation: Invocation, stream: 'stdout' | 'stderr'): string {
  const prefix = command.output?.prefix ? `${command.output.prefix}/` : '';
  return `${prefix}${command.id}/${invocation.host.definition.id}/awsrunShellScript/${command.document.stepName}/${stream}`;
}

/** Status and details of an invocation whose script ended. */
export function statusOf(result: ProcessResult): {
  readonly status: InvocationStatus;
  readonly details: string;
  readonly code: number;
} {
  if (result.ending === 'timed-out') return { status: 'TimedOut', details: 'ExecutionTimedOut', code: -1 };
  if (result.ending === 'killed') return { status: 'Cancelled', details: 'Cancelled', code: -1 };
  if (result.exitCode === 0) return { status: 'Success', details: 'Success', code: 0 };
  return { status: 'Failed', details: 'Failed', code: result.exitCode };
}

/** A command's own status from its invocations' (AWS, "Understanding command statuses"). */
export function commandStatus(command: Command): { readonly status: InvocationStatus; readonly details: string } {
  const all = command.invocations;
  if (all.every((one) => isOver(one.status))) {
    for (const status of ['Failed', 'TimedOut', 'Cancelled'] as const) {
      const found = all.find((one) => one.status === status);
      if (found) return { status, details: found.statusDetails };
    }
    return { status: 'Success', details: 'Success' };
  }
  if (all.some((one) => one.status === 'Cancelling')) return { status: 'Cancelling', details: 'Cancelling' };
  const begun = all.some((one) => one.status !== 'Pending');
  return begun ? { status: 'InProgress', details: 'InProgress' } : { status: 'Pending', details: 'Pending' };
}

/** EventBridge spells one status otherwise than the API (AWS, "Monitoring Systems Manager events"). */
const eventStatus = (status: InvocationStatus): string => (status === 'Cancelled' ? 'Canceled' : status);

export const invocationEvent = (command: Command, invocation: Invocation): JsonObject => ({
  'command-id': command.id,
  'document-name': command.document.name,
  'instance-id': invocation.host.definition.id,
  'requested-date-time': iso(command.requestedAt),
  status: eventStatus(invocation.status),
});

export const commandEvent = (command: Command): JsonObject => ({
  'command-id': command.id,
  'document-name': command.document.name,
  'expire-after': iso(expiresAt(command)),
  parameters: command.parameters,
  'requested-date-time': iso(command.requestedAt),
  status: eventStatus(command.status),
});

export const elapsed = (invocation: Invocation, clock: Clock): string => {
  if (invocation.startedAt === undefined) return '';
  return `PT${((invocation.endedAt ?? clock.now()) - invocation.startedAt) / 1000}S`;
};
