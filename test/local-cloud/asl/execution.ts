import type { Cancel, Clock } from '../clock.ts';
import type { Json, JsonObject } from '../json.ts';
import type { Machine } from './definition.ts';
import type { History } from './history.ts';
import type { MapRun } from './map-run.ts';
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

/** How far a graph of states came; what a redrive goes on from. */
export interface Progress {
  /** The state that it is in, as it was entered. */
  at: { readonly name: string; readonly input: Json; readonly variables: Readonly<Record<string, Json>> } | undefined;
  /** Set once the graph has ended well. */
  output: { readonly value: Json } | undefined;
  /** Iterations or branches of the state that it is in, by their place. */
  readonly branches: Map<number, Progress>;
  /** The Map Run of the state that it is in. */
  mapRun: MapRun | undefined;
}

export const newProgress = (): Progress => ({
  at: undefined,
  output: undefined,
  branches: new Map(),
  mapRun: undefined,
});

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
  readonly progress: Progress;
  /** The Map Run that it is a child of. */
  readonly mapRun: MapRun | undefined;
  /** Map Runs that it started, in order. */
  readonly mapRuns: MapRun[];
  /** A new one for each redrive. */
  strand: Strand;
  redriveCount: number;
  redriveDate: number | undefined;
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

/** A call that a Task made. */
export interface Call {
  readonly result: Promise<Json>;
  /** Best effort when nobody waits any more: AWS stops the child of a `.sync` Task. */
  readonly giveUp: Cancel;
}

/** Objects in S3, under a role; a missing object or permission is an `AwsError`. */
export interface Objects {
  readonly get: (role: string, bucket: string, key: string) => Buffer;
  readonly put: (role: string, bucket: string, key: string, body: Buffer) => void;
}

/** What an execution needs from the rest of the cloud; every call is made under the machine's role. */
export interface Surroundings {
  readonly clock: Clock;
  readonly tokens: TaskTokens;
  readonly random: () => number;
  readonly count: (name: string) => void;
  readonly invoke: (role: string, functionName: string, payload: Json) => Promise<FunctionOutcome>;
  /** `follows`: the caller waits for the end, and needs the permission to look at the execution. */
  readonly startChild: (role: string, request: JsonObject, follows: boolean) => Execution;
  /** Under `role`, which needs the permission; without one for the children of a Map Run. */
  readonly stopChild: (execution: Execution, role?: string) => void;
  /** Calls `listener` when the execution has ended. */
  readonly whenEnded: (execution: Execution, listener: () => void) => () => void;
  readonly objects: Objects;
  /** Makes a Map Run known; refused (`AwsError`) when the role may not start executions of its own machine. */
  readonly openMapRun: (run: MapRun) => void;
  /** Starts a child of a Map Run, or goes on with the one given. */
  readonly runMapChild: (run: MapRun, input: Json, again: Execution | undefined) => Execution;
  /** Answers in place of every Task's call, by the state's name: nothing is called at all. */
  readonly mock?: ((stateName: string, waitsForToken: boolean) => Call) | undefined;
  /** Items in place of what the ItemReader of a Map would read. */
  readonly mockItems?: ((stateName: string) => Json | undefined) | undefined;
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
