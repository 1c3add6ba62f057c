import { randomUUID } from 'node:crypto';
import { checkDefinition } from '../asl/check.ts';
import { StateError, Stopped } from '../asl/errors.ts';
import type { Execution, RunningMachine, Surroundings } from '../asl/execution.ts';
import { dataDetails, History } from '../asl/history.ts';
import { runGraph } from '../asl/interpreter.ts';
import { Strand } from '../asl/strand.ts';
import { TaskTokens } from '../asl/tokens.ts';
import { AwsError } from '../errors.ts';
import { type Json, type JsonObject, parseJson, sameJson } from '../json.ts';
import { arnOf, type Caller, seconds, type World } from '../world.ts';
import { type Actions, page, parseRequest } from './requests.ts';
import {
  executionRequest,
  failureRequest,
  heartbeatRequest,
  historyRequest,
  listRequest,
  machineRequest,
  mostInput,
  startRequest,
  stopRequest,
  successRequest,
} from './step-functions-requests.ts';

/** A state machine that can be started: by its ARN, by a version's or by an alias's. */
export interface StateMachine extends RunningMachine {
  readonly text: string;
  readonly created: number;
}

class TimedOut extends Error {
  override readonly name = 'TimedOut';
}

const nameOfExecution = /^[^\s?*<>{}[\]"#%\\^|~`$&,;:/\p{Cc}]{1,80}$/u;
/** How the outer world is reached from a running machine; the rest of `Surroundings` is made here. */
export type Reach = Pick<Surroundings, 'invoke' | 'callService'>;

/** AWS Step Functions, Standard workflows. */
export class StepFunctions {
  readonly tokens = new TaskTokens();
  readonly #world: World;
  readonly #reach: Reach;
  readonly #emit: (detailType: string, resources: readonly string[], detail: JsonObject) => void;
  readonly #machines = new Map<string, StateMachine>();
  /** Version and alias ARNs, and the machine that each stands for. */
  readonly #qualified = new Map<string, string>();
  readonly #executions = new Map<string, Execution>();
  readonly #waiting = new Map<Execution, Set<() => void>>();

  constructor(
    world: World,
    reach: Reach,
    emit: (detailType: string, resources: readonly string[], detail: JsonObject) => void,
  ) {
    this.#world = world;
    this.#reach = reach;
    this.#emit = emit;
  }

  /** Creates a machine; a definition that is wrong, or asks for what is not emulated, is refused. */
  createMachine(machine: {
    readonly name: string;
    readonly definition: string;
    readonly roleArn: string;
  }): StateMachine {
    const created: StateMachine = {
      arn: arnOf('states', `stateMachine:${machine.name}`),
      name: machine.name,
      role: machine.roleArn.split('/').at(-1) ?? '',
      roleArn: machine.roleArn,
      text: machine.definition,
      definition: checkDefinition(machine.definition),
      created: this.#world.clock.now(),
    };
    this.#machines.set(created.arn, created);
    return created;
  }

  /** Lets `qualifiedArn` (a version or an alias) start the machine. */
  qualify(qualifiedArn: string, machineArn: string): void {
    this.#qualified.set(qualifiedArn, machineArn);
  }

  machines(): readonly StateMachine[] {
    return [...this.#machines.values()];
  }

  executions(): readonly Execution[] {
    return [...this.#executions.values()];
  }

  machine(machineArn: string): StateMachine {
    const found = this.#machines.get(this.#qualified.get(machineArn) ?? machineArn);
    if (!found) throw new AwsError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${machineArn}'`);
    return found;
  }

  execution(executionArn: string): Execution {
    const found = this.#executions.get(executionArn);
    if (!found) throw new AwsError('ExecutionDoesNotExist', `Execution Does Not Exist: '${executionArn}'`);
    return found;
  }

  /** Same name and same input while running: the same execution (AWS, StartExecution). */
  start(machineArn: string, inputText: string, name: string = randomUUID()): Execution {
    const machine = this.machine(machineArn);
    const input = parseJson(inputText);
    if (input === undefined)
      throw new AwsError('InvalidExecutionInput', "Invalid State Machine Execution Input: 'not valid JSON'");
    if (Buffer.byteLength(inputText) > mostInput)
      throw new AwsError('ValidationException', `input must be at most ${mostInput} bytes`);
    if (!nameOfExecution.test(name)) throw new AwsError('InvalidName', `Invalid Name: '${name}'`);
    const executionArn = arnOf('states', `execution:${machine.name}:${name}`);
    const known = this.#executions.get(executionArn);
    if (known) {
      if (known.status === 'RUNNING' && sameJson(known.input, input)) return known;
      throw new AwsError('ExecutionAlreadyExists', `Execution Already Exists: '${executionArn}'`);
    }
    return this.#begin(machine, machineArn, executionArn, name, input);
  }

  stop(execution: Execution, error = '', cause = ''): void {
    if (execution.status !== 'RUNNING') return;
    this.#close(execution, 'ABORTED', { error, cause });
    execution.strand.stop(new Stopped('the execution was stopped'));
  }

  /** Calls `listener` once the execution has ended, at once when it has; the result takes it back. */
  whenEnded(execution: Execution, listener: () => void): () => void {
    if (execution.status !== 'RUNNING') {
      listener();
      return () => {};
    }
    const listeners = this.#waiting.get(execution) ?? new Set();
    this.#waiting.set(execution, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  stopAll(): void {
    for (const execution of this.#executions.values()) this.stop(execution, 'LocalCloudClosed');
  }

  #begin(machine: StateMachine, startedAs: string, executionArn: string, name: string, input: Json): Execution {
    const { clock, tell, counters } = this.#world;
    const history = new History(
      () => clock.now(),
      (event) => tell('history', { execution: executionArn, id: event.id, type: event.type, ...(event.details ?? {}) }),
    );
    const strand = new Strand(clock);
    const execution: Execution = {
      arn: executionArn,
      name,
      machine,
      startedAs,
      input,
      startDate: clock.now(),
      history,
      strand,
      status: 'RUNNING',
      stopDate: undefined,
      output: undefined,
      error: undefined,
      cause: undefined,
    };
    this.#executions.set(executionArn, execution);
    counters.add('states.executions');
    history.add(strand, 'ExecutionStarted', { ...dataDetails('input', input), roleArn: machine.roleArn });
    this.#statusChanged(execution);
    void this.#run(execution);
    return execution;
  }

  async #run(execution: Execution): Promise<void> {
    const { clock } = this.#world;
    const { machine, strand } = execution;
    const limit = machine.definition.TimeoutSeconds;
    const cancelLimit =
      limit === undefined
        ? () => {}
        : clock.at(execution.startDate + limit * 1000, () => strand.stop(new TimedOut('the machine timed out')));
    try {
      const frame = { execution, surroundings: this.#surroundings(), strand, variables: {}, mapItem: undefined };
      const output = await runGraph(frame, machine.definition, execution.input);
      this.#close(execution, 'SUCCEEDED', { output });
    } catch (error) {
      if (error instanceof TimedOut) this.#close(execution, 'TIMED_OUT', { error: 'States.Timeout', cause: '' });
      else if (error instanceof StateError)
        this.#close(execution, 'FAILED', { error: error.error, cause: error.cause });
      else if (!(error instanceof Stopped)) {
        const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
        this.#close(execution, 'FAILED', { error: 'States.Runtime', cause });
      }
    } finally {
      cancelLimit();
      strand.end();
    }
  }

  #close(
    execution: Execution,
    status: Exclude<Execution['status'], 'RUNNING'>,
    result: { readonly output?: Json; readonly error?: string; readonly cause?: string },
  ): void {
    if (execution.status !== 'RUNNING') return;
    execution.status = status;
    execution.stopDate = this.#world.clock.now();
    execution.output = result.output;
    execution.error = result.error;
    execution.cause = result.cause;
    const details: JsonObject =
      result.output === undefined
        ? { ...(result.error ? { error: result.error } : {}), ...(result.cause ? { cause: result.cause } : {}) }
        : dataDetails('output', result.output);
    const types = {
      SUCCEEDED: 'ExecutionSucceeded',
      FAILED: 'ExecutionFailed',
      TIMED_OUT: 'ExecutionTimedOut',
      ABORTED: 'ExecutionAborted',
    };
    execution.history.close(types[status], details);
    this.#world.counters.add(`states.executions.${status}`);
    this.#statusChanged(execution);
    const listeners = this.#waiting.get(execution) ?? new Set();
    this.#waiting.delete(execution);
    for (const listener of listeners) listener();
  }

  #statusChanged(execution: Execution): void {
    this.#emit('Step Functions Execution Status Change', [execution.arn], {
      executionArn: execution.arn,
      stateMachineArn: execution.machine.arn,
      name: execution.name,
      status: execution.status,
      startDate: execution.startDate,
      stopDate: execution.stopDate ?? null,
      input: JSON.stringify(execution.input),
      output: execution.output === undefined ? null : JSON.stringify(execution.output),
      error: execution.error ?? null,
      cause: execution.cause ?? null,
    });
  }

  #surroundings(): Surroundings {
    const { clock, counters, random, authorize } = this.#world;
    return {
      clock,
      random,
      tokens: this.tokens,
      count: (name) => counters.add(name),
      invoke: this.#reach.invoke,
      callService: this.#reach.callService,
      startChild: (role, request) => {
        const { StateMachineArn: machineArn, Input: input, Name: name, ...others } = request;
        if (typeof machineArn !== 'string' || Object.keys(others).length > 0) {
          throw new StateError('States.Runtime', 'startExecution needs StateMachineArn and takes Input and Name');
        }
        authorize(role, 'states:StartExecution', machineArn);
        return this.start(machineArn, JSON.stringify(input ?? {}), typeof name === 'string' ? name : undefined);
      },
      stopChild: (execution) => this.stop(execution),
      whenEnded: (execution, listener) => this.whenEnded(execution, listener),
    };
  }

  /** The API actions, under AWS's names. */
  readonly actions: Actions = {
    StartExecution: (request, caller) => {
      const { stateMachineArn, input, name } = parseRequest(startRequest, request);
      this.#world.authorize(caller, 'states:StartExecution', stateMachineArn);
      const execution = this.start(stateMachineArn, input ?? '{}', name);
      return { executionArn: execution.arn, startDate: seconds(execution.startDate) };
    },
    StopExecution: (request, caller) => {
      const { executionArn, error, cause } = parseRequest(stopRequest, request);
      this.#world.authorize(caller, 'states:StopExecution', executionArn);
      const execution = this.execution(executionArn);
      this.stop(execution, error, cause);
      return { stopDate: seconds(execution.stopDate ?? this.#world.clock.now()) };
    },
    DescribeExecution: (request, caller) => {
      const { executionArn } = parseRequest(executionRequest, request);
      this.#world.authorize(caller, 'states:DescribeExecution', executionArn);
      const execution = this.execution(executionArn);
      return {
        ...summary(execution),
        input: JSON.stringify(execution.input),
        inputDetails: { included: true },
        ...(execution.output === undefined
          ? {}
          : { output: JSON.stringify(execution.output), outputDetails: { included: true } }),
        ...(execution.error ? { error: execution.error } : {}),
        ...(execution.cause ? { cause: execution.cause } : {}),
        redriveCount: 0,
        redriveStatus: 'NOT_REDRIVABLE',
      };
    },
    ListExecutions: (request, caller) => {
      const { stateMachineArn, statusFilter, maxResults, nextToken } = parseRequest(listRequest, request);
      this.#world.authorize(caller, 'states:ListExecutions', stateMachineArn);
      const machine = this.machine(stateMachineArn);
      const all = this.executions()
        .filter(
          (execution) =>
            execution.machine.arn === machine.arn && (statusFilter === undefined || execution.status === statusFilter),
        )
        .reverse();
      const found = page(all, nextToken, maxResults || 100);
      return {
        executions: found.items.map(summary),
        ...(found.nextToken === undefined ? {} : { nextToken: found.nextToken }),
      };
    },
    GetExecutionHistory: (request, caller) => {
      const { executionArn, reverseOrder, maxResults, nextToken } = parseRequest(historyRequest, request);
      this.#world.authorize(caller, 'states:GetExecutionHistory', executionArn);
      const { events } = this.execution(executionArn).history;
      const found = page(reverseOrder ? [...events].reverse() : events, nextToken, maxResults || 100);
      return {
        events: found.items.map((event) => ({
          id: event.id,
          previousEventId: event.previousEventId,
          timestamp: seconds(event.timestamp),
          type: event.type,
          ...(event.detailsName === undefined || event.details === undefined
            ? {}
            : { [event.detailsName]: event.details }),
        })),
        ...(found.nextToken === undefined ? {} : { nextToken: found.nextToken }),
      };
    },
    DescribeStateMachine: (request, caller) => {
      const { stateMachineArn } = parseRequest(machineRequest, request);
      this.#world.authorize(caller, 'states:DescribeStateMachine', stateMachineArn);
      const machine = this.machine(stateMachineArn);
      return {
        stateMachineArn: machine.arn,
        name: machine.name,
        status: 'ACTIVE',
        definition: machine.text,
        roleArn: machine.roleArn,
        type: 'STANDARD',
        creationDate: seconds(machine.created),
      };
    },
    ListStateMachines: (_request, caller) => {
      this.#world.authorize(caller, 'states:ListStateMachines', '*');
      return {
        stateMachines: this.machines().map((machine) => ({
          stateMachineArn: machine.arn,
          name: machine.name,
          type: 'STANDARD',
          creationDate: seconds(machine.created),
        })),
      };
    },
    SendTaskSuccess: (request, caller) => {
      const { taskToken, output } = parseRequest(successRequest, request);
      this.#authorizeToken(caller, 'states:SendTaskSuccess', taskToken);
      this.tokens.success(taskToken, output);
      return {};
    },
    SendTaskFailure: (request, caller) => {
      const { taskToken, error, cause } = parseRequest(failureRequest, request);
      this.#authorizeToken(caller, 'states:SendTaskFailure', taskToken);
      this.tokens.failure(taskToken, error ?? '', cause ?? '');
      return {};
    },
    SendTaskHeartbeat: (request, caller) => {
      const { taskToken } = parseRequest(heartbeatRequest, request);
      this.#authorizeToken(caller, 'states:SendTaskHeartbeat', taskToken);
      this.tokens.heartbeat(taskToken);
      return {};
    },
  };

  #authorizeToken(caller: Caller, action: string, taskToken: string): void {
    this.#world.authorize(caller, action, this.tokens.listener(taskToken).machineArn);
  }
}

function summary(execution: Execution): JsonObject {
  return {
    executionArn: execution.arn,
    stateMachineArn: execution.machine.arn,
    name: execution.name,
    status: execution.status,
    startDate: seconds(execution.startDate),
    ...(execution.stopDate === undefined ? {} : { stopDate: seconds(execution.stopDate) }),
    ...(execution.startedAs === execution.machine.arn ? {} : { stateMachineVersionArn: execution.startedAs }),
  };
}
