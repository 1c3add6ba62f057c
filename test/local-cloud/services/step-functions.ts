import { randomUUID } from 'node:crypto';
import { checkDefinition } from '../asl/check.ts';
import type { Machine } from '../asl/definition.ts';
import { StateError, Stopped } from '../asl/errors.ts';
import { type Execution, newProgress, type Objects, type RunningMachine, type Surroundings } from '../asl/execution.ts';
import { dataDetails, History, mostEvents } from '../asl/history.ts';
import { runGraph } from '../asl/interpreter.ts';
import type { MapRun } from '../asl/map-run.ts';
import { Strand } from '../asl/strand.ts';
import { TaskTokens } from '../asl/tokens.ts';
import { AwsError } from '../errors.ts';
import { type Json, type JsonObject, parseJson, sameJson } from '../json.ts';
import { arnOf, type World } from '../world.ts';
import type { Actions } from './requests.ts';
import { stepFunctionsActions } from './step-functions-actions.ts';
import { mostInput } from './step-functions-requests.ts';

/** A state machine that can be started: by its ARN, by a version's or by an alias's. */
export interface StateMachine extends RunningMachine {
  readonly text: string;
  readonly created: number;
  readonly updated: number;
  readonly revisionId: string;
  /** Deleted while executions run: they go on, none is started (AWS, DeleteStateMachine). */
  readonly deleting: boolean;
}

/** AWS, "Redriving executions": until 14 days after the end. */
const redrivableMs = 14 * 24 * 3_600_000;
/** AWS, "Choosing workflow type": an Express execution lasts at most five minutes. */
const mostExpressSeconds = 300;

class TimedOut extends Error {
  override readonly name = 'TimedOut';
}

const nameOfExecution = /^[^\s?*<>{}[\]"#%\\^|~`$&,;:/\p{Cc}]{1,80}$/u;
const nameOfMachine = /^[A-Za-z0-9_-]{1,80}$/;
/** How the outer world is reached from a running machine; the rest of `Surroundings` is made here. */
export interface Reach extends Pick<Surroundings, 'invoke' | 'callService' | 'mock' | 'mockItems'> {
  /** Without it every dataset and result in S3 is refused. */
  readonly objects?: Objects;
}

const noObjects: Objects = {
  get: (_role, bucket) => noBucket(bucket),
  put: (_role, bucket) => noBucket(bucket),
};
const noBucket = (bucket: string): never => {
  throw new AwsError('NoSuchBucket', `The specified bucket does not exist: ${bucket}`, { status: 404 });
};

/** AWS Step Functions, Standard workflows. */
export class StepFunctions {
  readonly tokens = new TaskTokens();
  readonly #world: World;
  readonly #reach: Reach;
  readonly #emit: (detailType: string, resources: readonly string[], detail: JsonObject) => void;
  readonly #machines = new Map<string, StateMachine>();
  /** Versions and aliases by their ARN: the machine as it was then. */
  readonly #qualified = new Map<string, StateMachine>();
  readonly #mapRuns = new Map<string, MapRun>();
  /** ARN and time of redrives by their client token. */
  readonly #redrives = new Map<string, number>();
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

  /**
   * Creates a machine; a definition that is wrong, or asks for what is not emulated, is refused. The same name with
   * the same definition and role is the machine that exists; with others it is `StateMachineAlreadyExists`.
   */
  createMachine(machine: {
    readonly name: string;
    readonly definition: string;
    readonly roleArn: string;
  }): StateMachine {
    if (!nameOfMachine.test(machine.name)) throw new AwsError('InvalidName', `Invalid Name: '${machine.name}'`);
    const arn = arnOf('states', `stateMachine:${machine.name}`);
    const known = this.#machines.get(arn);
    if (known?.deleting) throw new AwsError('StateMachineDeleting', `State Machine is being deleted: '${arn}'`);
    if (known) {
      if (known.text === machine.definition && known.roleArn === machine.roleArn) return known;
      throw new AwsError('StateMachineAlreadyExists', `State Machine Already Exists: '${arn}'`);
    }
    const now = this.#world.clock.now();
    const created: StateMachine = {
      arn,
      name: machine.name,
      ...roleOf(machine.roleArn),
      text: machine.definition,
      definition: this.check(machine.definition),
      created: now,
      updated: now,
      revisionId: 'INITIAL',
      deleting: false,
    };
    this.#machines.set(arn, created);
    return created;
  }

  /** A new definition or role; executions that run keep theirs. */
  updateMachine(arn: string, change: { readonly definition?: string; readonly roleArn?: string }): StateMachine {
    const old = this.machine(arn);
    if (old.deleting) throw new AwsError('StateMachineDeleting', `State Machine is being deleted: '${arn}'`);
    const text = change.definition ?? old.text;
    const updated: StateMachine = {
      ...old,
      ...roleOf(change.roleArn ?? old.roleArn),
      text,
      definition: change.definition === undefined ? old.definition : this.check(text),
      updated: this.#world.clock.now(),
      revisionId: randomUUID(),
    };
    this.#machines.set(old.arn, updated);
    return updated;
  }

  deleteMachine(arn: string): void {
    const machine = this.#machines.get(arn);
    if (!machine) return;
    const running = this.executions().filter((one) => one.machine.arn === arn && one.status === 'RUNNING');
    if (running.length === 0) {
      this.#machines.delete(arn);
      return;
    }
    this.#machines.set(arn, { ...machine, deleting: true });
    for (const execution of running) this.whenEnded(execution, () => this.#deleteIfIdle(arn));
  }

  #deleteIfIdle(arn: string): void {
    const busy = this.executions().some((one) => one.machine.arn === arn && one.status === 'RUNNING');
    if (!busy && this.#machines.get(arn)?.deleting) this.#machines.delete(arn);
  }

  /** Reads a definition; what only a mock could answer is taken where Tasks are mocked. */
  check(definition: string): Machine {
    return checkDefinition(definition, { mocked: this.#reach.mock !== undefined });
  }

  /** Lets `qualifiedArn` (a version or an alias) start the machine as it is now. */
  qualify(qualifiedArn: string, machineArn: string): void {
    this.#qualified.set(qualifiedArn, this.machine(machineArn));
  }

  machines(): readonly StateMachine[] {
    return [...this.#machines.values()];
  }

  executions(): readonly Execution[] {
    return [...this.#executions.values()];
  }

  machine(machineArn: string): StateMachine {
    const found = this.#qualified.get(machineArn) ?? this.#machines.get(machineArn);
    if (!found) throw new AwsError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${machineArn}'`);
    return found;
  }

  execution(executionArn: string): Execution {
    const found = this.#executions.get(executionArn);
    if (!found) throw new AwsError('ExecutionDoesNotExist', `Execution Does Not Exist: '${executionArn}'`);
    return found;
  }

  mapRun(mapRunArn: string): MapRun {
    const found = this.#mapRuns.get(mapRunArn);
    if (!found) throw new AwsError('ResourceNotFound', `Resource not found: '${mapRunArn}'`);
    return found;
  }

  /** Same name and same input while running: the same execution (AWS, StartExecution). */
  start(machineArn: string, inputText: string, name: string = randomUUID()): Execution {
    const machine = this.machine(machineArn);
    if (this.#machines.get(machine.arn)?.deleting)
      throw new AwsError('StateMachineDeleting', `State Machine is being deleted: '${machineArn}'`);
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
    return this.#begin({ machine, startedAs: machineArn, arn: executionArn, name, input, mapRun: undefined });
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

  #begin(start: Pick<Execution, 'machine' | 'startedAs' | 'arn' | 'name' | 'input' | 'mapRun'>): Execution {
    const { clock, tell, counters } = this.#world;
    const history = new History(
      () => clock.now(),
      (event) => tell('history', { execution: start.arn, id: event.id, type: event.type, ...(event.details ?? {}) }),
    );
    const strand = new Strand(clock);
    const execution: Execution = {
      ...start,
      startDate: clock.now(),
      history,
      strand,
      progress: newProgress(),
      mapRuns: [],
      redriveCount: 0,
      redriveDate: undefined,
      status: 'RUNNING',
      stopDate: undefined,
      output: undefined,
      error: undefined,
      cause: undefined,
    };
    this.#executions.set(execution.arn, execution);
    counters.add('states.executions');
    history.add(strand, 'ExecutionStarted', {
      ...dataDetails('input', execution.input),
      roleArn: execution.machine.roleArn,
    });
    this.#statusChanged(execution);
    void this.#run(execution);
    return execution;
  }

  /** Why an execution cannot be redriven, in AWS's words; undefined when it can. */
  notRedrivable(execution: Execution): string | undefined {
    if (this.#machines.get(execution.machine.arn)?.deleting) return 'State machine is in DELETING status';
    if (execution.status === 'RUNNING' || execution.status === 'SUCCEEDED')
      return `Execution is ${execution.status} and cannot be redriven`;
    if (execution.history.events.length >= mostEvents - 1) return 'Execution history event limit exceeded';
    if (this.#world.clock.now() - (execution.stopDate ?? 0) > redrivableMs)
      return 'Execution redrivable period exceeded';
    return undefined;
  }

  /** Goes on from where an unsuccessful execution was; the same client token within 15 minutes is the same redrive. */
  redrive(execution: Execution, clientToken?: string): number {
    const now = this.#world.clock.now();
    const key = clientToken === undefined ? undefined : `${execution.arn} ${clientToken}`;
    const before = key === undefined ? undefined : this.#redrives.get(key);
    if (before !== undefined && now - before < 15 * 60_000) return before;
    const reason = execution.mapRun
      ? 'Execution is a child of a Map Run and is redriven with it'
      : this.notRedrivable(execution);
    if (reason !== undefined) throw new AwsError('ExecutionNotRedrivable', `Execution Not Redrivable: '${reason}'`);
    if (key !== undefined) this.#redrives.set(key, now);
    this.#again(execution);
    return now;
  }

  #again(execution: Execution): void {
    const { clock, counters } = this.#world;
    execution.strand = new Strand(clock);
    execution.redriveCount += 1;
    execution.redriveDate = clock.now();
    execution.status = 'RUNNING';
    execution.stopDate = undefined;
    execution.output = undefined;
    execution.error = undefined;
    execution.cause = undefined;
    execution.history.reopen(execution.strand, execution.redriveCount);
    counters.add('states.redrives');
    this.#statusChanged(execution);
    void this.#run(execution);
  }

  async #run(execution: Execution): Promise<void> {
    const { clock } = this.#world;
    const { machine, strand, progress } = execution;
    const limit = execution.mapRun?.childType === 'EXPRESS' ? mostExpressSeconds : machine.definition.TimeoutSeconds;
    const cancelLimit =
      limit === undefined
        ? () => {}
        : clock.at(clock.now() + limit * 1000, () => strand.stop(new TimedOut('the machine timed out')));
    try {
      const frame = { execution, surroundings: this.#surroundings(), strand, variables: {}, mapItem: undefined };
      const output = await runGraph(frame, machine.definition, execution.input, progress);
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

  /** Children of a Map Run have no events of their own. */
  #statusChanged(execution: Execution): void {
    if (execution.mapRun) return;
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
      objects: this.#reach.objects ?? noObjects,
      mock: this.#reach.mock,
      mockItems: this.#reach.mockItems,
      openMapRun: (run) => {
        const { role, arn } = run.parent.machine;
        authorize(role, 'states:StartExecution', arn);
        this.#mapRuns.set(run.arn, run);
      },
      runMapChild: (run, input, again) => this.#runMapChild(run, input, again),
      startChild: (role, request, follows) => {
        const { StateMachineArn: machineArn, Input: input, Name: name, ...others } = request;
        if (typeof machineArn !== 'string' || Object.keys(others).length > 0) {
          throw new StateError('States.Runtime', 'startExecution needs StateMachineArn and takes Input and Name');
        }
        authorize(role, 'states:StartExecution', machineArn);
        const child = this.start(machineArn, JSON.stringify(input ?? {}), typeof name === 'string' ? name : undefined);
        if (follows) authorize(role, 'states:DescribeExecution', child.arn);
        return child;
      },
      stopChild: (execution, role) => {
        try {
          if (role !== undefined) authorize(role, 'states:StopExecution', execution.arn);
          this.stop(execution);
        } catch (error) {
          // "Step Functions makes a best-effort attempt to cancel the task" (Run a job): what it may not goes on.
          this.#world.tell('refused', { service: 'states', message: error instanceof Error ? error.message : '' });
        }
      },
      whenEnded: (execution, listener) => this.whenEnded(execution, listener),
    };
  }

  /** A redriven Standard child goes on; an Express child is started once more (AWS, "Redriving Map Runs"). */
  #runMapChild(run: MapRun, input: Json, again: Execution | undefined): Execution {
    if (again && run.childType === 'STANDARD') {
      this.#again(again);
      return again;
    }
    const { role, roleArn, name: parentName } = run.parent.machine;
    const name = randomUUID();
    const labelled = `${parentName}/${run.label}`;
    const arn = arnOf('states', `stateMachine:${labelled}`);
    return this.#begin({
      machine: { arn, name: labelled, role, roleArn, definition: run.definition },
      startedAs: arn,
      arn: arnOf('states', `execution:${labelled}:${name}`),
      name,
      input,
      mapRun: run,
    });
  }

  /** The API actions, under AWS's names. */
  get actions(): Actions {
    return stepFunctionsActions(this, this.#world);
  }
}

const roleOf = (roleArn: string) => ({ role: roleArn.split('/').at(-1) ?? '', roleArn });
