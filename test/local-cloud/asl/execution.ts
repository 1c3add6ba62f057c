import type { Clock } from '../clock.ts';
import type { Json, JsonObject } from '../json.ts';
import type { Machine } from './definition.ts';
import type { History } from './history.ts';
import type { Strand } from './strand.ts';
import type { TaskTokens } from './tokens.ts';

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';

/** A machine as it was when the execution began. */
export interface RunningMachine {
  readonly arn: string;
  readonly name: string;
  /** Name of the role that the machine acts under. */
  readonly role: string;
  readonly roleArn: string;
  readonly definition: Machine;
}

/** One execution and all that `DescribeExecution` tells of it. */
export interface Execution {
  readonly arn: string;
  readonly name: string;
  readonly machine: RunningMachine;
  /** The version or alias that was started, when one was. */
  readonly startedAs: string;
  readonly input: Json;
  readonly startDate: number;
  readonly history: History;
  readonly strand: Strand;
  status: ExecutionStatus;
  stopDate: number | undefined;
  output: Json | undefined;
  error: string | undefined;
  cause: string | undefined;
}

/** How a called Lambda function ended: Step Functions sees the error's name and a cause in JSON. */
export type FunctionOutcome =
  | { readonly kind: 'returned'; readonly payload: Json; readonly version: string }
  | { readonly kind: 'failed'; readonly error: string; readonly cause: string };

/** What an execution needs from the rest of the cloud; every call is made under the machine's role. */
export interface Surroundings {
  readonly clock: Clock;
  readonly tokens: TaskTokens;
  readonly random: () => number;
  readonly count: (name: string) => void;
  readonly invoke: (role: string, functionName: string, payload: Json) => Promise<FunctionOutcome>;
  readonly startChild: (role: string, request: JsonObject) => Execution;
  readonly stopChild: (execution: Execution) => void;
  /** Calls `listener` when the execution has ended. */
  readonly whenEnded: (execution: Execution, listener: () => void) => () => void;
  readonly callService: (role: string, service: string, action: string, request: JsonObject) => Promise<Json>;
}

/** `DescribeExecution` with the names that `startExecution.sync:2` puts in a Task's result; times are ISO texts there. */
export function describeForParent(execution: Execution): JsonObject {
  const whole = { Included: true };
  return {
    ExecutionArn: execution.arn,
    Input: execution.input,
    InputDetails: whole,
    Name: execution.name,
    ...(execution.output === undefined ? {} : { Output: execution.output, OutputDetails: whole }),
    ...(execution.error === undefined ? {} : { Error: execution.error }),
    ...(execution.cause === undefined ? {} : { Cause: execution.cause }),
    StartDate: execution.startDate,
    StateMachineArn: execution.machine.arn,
    Status: execution.status,
    ...(execution.stopDate === undefined ? {} : { StopDate: execution.stopDate }),
  };
}
