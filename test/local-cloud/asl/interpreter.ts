import { asJson, type Json, type JsonObject, sizeOf } from '../json.ts';
import type {
  ChoiceState,
  FailState,
  MapState,
  ParallelState,
  Shaping,
  State,
  StateGraph,
  WaitState,
} from './definition.ts';
import { StateError, Stopped } from './errors.ts';
import type { Execution, Surroundings } from './execution.ts';
import { evaluate } from './expressions.ts';
import { dataDetails } from './history.ts';
import { recover } from './recovery.ts';
import type { Strand } from './strand.ts';
import { attemptTask } from './task.ts';

/** AWS, "Service quotas": input or output of a state, 256 KiB. */
const mostBytes = 262_144;
/** AWS, "Map workflow state": an inline Map runs at most 40 iterations at once. */
const mostInlineIterations = 40;

/** Where in an execution a strand is: its graph's variables and what the context object says. */
export interface Frame {
  readonly execution: Execution;
  readonly surroundings: Surroundings;
  readonly strand: Strand;
  variables: Readonly<Record<string, Json>>;
  readonly mapItem: JsonObject | undefined;
}

/** A state that was entered. */
export interface Entered {
  readonly name: string;
  readonly input: Json;
  readonly at: number;
  retries: number;
}

interface Left {
  readonly next: string | undefined;
  readonly output: Json;
}

export const locationOf = (entered: Entered, field: string): string => `${entered.name}/${field}`;

/** Evaluates a field with what a state may see. `more` is `result`, `errorOutput`, or a task token in the context. */
export function evaluateIn(
  frame: Frame,
  entered: Entered,
  template: unknown,
  field: string,
  more: {
    readonly result?: Json;
    readonly errorOutput?: Json;
    readonly token?: string;
    readonly mapItem?: JsonObject;
  } = {},
): Promise<Json> {
  const { execution } = frame;
  const mapItem = more.mapItem ?? frame.mapItem;
  const context = {
    Execution: {
      Id: execution.arn,
      Input: execution.input,
      Name: execution.name,
      RoleArn: execution.machine.roleArn,
      StartTime: new Date(execution.startDate).toISOString(),
      RedriveCount: 0,
    },
    State: { EnteredTime: new Date(entered.at).toISOString(), Name: entered.name, RetryCount: entered.retries },
    StateMachine: { Id: execution.machine.arn, Name: execution.machine.name },
    ...(more.token === undefined ? {} : { Task: { Token: more.token } }),
    ...(mapItem === undefined ? {} : { Map: { Item: mapItem } }),
  };
  const states = {
    input: entered.input,
    context,
    ...(more.result === undefined ? {} : { result: more.result }),
    ...(more.errorOutput === undefined ? {} : { errorOutput: more.errorOutput }),
  };
  return evaluate(
    template,
    locationOf(entered, field),
    { states, variables: frame.variables },
    frame.surroundings.clock.now(),
  );
}

export function checkSize(value: Json, what: string): Json {
  if (sizeOf(value) > mostBytes) {
    throw new StateError(
      'States.DataLimitExceeded',
      `${what} has a size exceeding the maximum number of bytes service limit.`,
    );
  }
  return value;
}

/** Runs a graph of states to its end and returns the output; a failure is a `StateError`. */
export async function runGraph(frame: Frame, graph: StateGraph, input: Json): Promise<Json> {
  let name = graph.StartAt;
  let value = input;
  for (;;) {
    frame.strand.checkStopped();
    const state = graph.States[name];
    if (!state) throw new StateError('States.Runtime', `There is no state '${name}'`);
    const entered: Entered = { name, input: value, at: frame.surroundings.clock.now(), retries: 0 };
    frame.execution.history.add(frame.strand, `${state.Type}StateEntered`, { name, ...dataDetails('input', value) });
    frame.surroundings.count('states.transitions');
    const left = await runState(frame, state, entered);
    value = left.output;
    if (left.next === undefined) return value;
    name = left.next;
  }
}

async function runState(frame: Frame, state: State, entered: Entered): Promise<Left> {
  switch (state.Type) {
    case 'Task':
      return recover(frame, state, entered, () => attemptTask(frame, state, entered));
    case 'Map':
      return recover(frame, state, entered, () => attemptMap(frame, state, entered));
    case 'Parallel':
      return recover(frame, state, entered, () => attemptParallel(frame, state, entered));
    case 'Pass':
      return leaving(frame, entered, () => leave(frame, state, entered, state.Next, entered.input));
    case 'Succeed':
      return leaving(frame, entered, () => leave(frame, state, entered, undefined, entered.input));
    case 'Choice':
      return leaving(frame, entered, () => runChoice(frame, state, entered));
    case 'Wait':
      return leaving(frame, entered, () => runWait(frame, state, entered));
    case 'Fail':
      return leaving(frame, entered, () => runFail(frame, state, entered));
  }
}

/** States without Catch: a failed evaluation is put into the history and fails the graph. */
async function leaving(frame: Frame, entered: Entered, run: () => Promise<Left>): Promise<Left> {
  try {
    return await run();
  } catch (error) {
    recordEvaluation(frame, entered, error);
    throw error;
  }
}

export function recordEvaluation(frame: Frame, entered: Entered, error: unknown): void {
  if (!(error instanceof StateError) || error.location === undefined) return;
  frame.execution.history.add(frame.strand, 'EvaluationFailed', {
    error: error.error,
    cause: error.cause,
    location: error.location,
    state: entered.name,
  });
}

/** Evaluates Output and Assign on the values from before, assigns, and records the exit. */
export async function leave(
  frame: Frame,
  state: Shaping & { readonly Type: string },
  entered: Entered,
  next: string | undefined,
  plainOutput: Json,
  more: { readonly result?: Json; readonly errorOutput?: Json } = {},
  shaping: Shaping = state,
): Promise<Left> {
  const output =
    shaping.Output === undefined ? plainOutput : await evaluateIn(frame, entered, shaping.Output, 'Output', more);
  const assigned: Record<string, Json> = {};
  for (const [name, template] of Object.entries(shaping.Assign ?? {})) {
    assigned[name] = await evaluateIn(frame, entered, template, `Assign/${name}`, more);
  }
  checkSize(output, `The state '${entered.name}' returned a result that`);
  checkSize(assigned, `The variables assigned by the state '${entered.name}'`);
  frame.variables = { ...frame.variables, ...assigned };
  frame.execution.history.add(frame.strand, `${state.Type}StateExited`, {
    name: entered.name,
    ...dataDetails('output', output),
    ...(Object.keys(assigned).length === 0
      ? {}
      : {
          assignedVariables: Object.fromEntries(
            Object.entries(assigned).map(([name, value]) => [name, JSON.stringify(value)]),
          ),
        }),
  });
  return { next, output };
}

async function runChoice(frame: Frame, state: ChoiceState, entered: Entered): Promise<Left> {
  for (const [index, rule] of state.Choices.entries()) {
    const field = `Choices[${index}]/Condition`;
    const answer = await evaluateIn(frame, entered, rule.Condition, field);
    if (typeof answer !== 'boolean') {
      throw new StateError(
        'States.QueryEvaluationError',
        `The condition '${String(rule.Condition)}' did not yield a boolean.`,
        locationOf(entered, field),
      );
    }
    if (answer) return leave(frame, state, entered, rule.Next, entered.input, {}, rule);
  }
  if (state.Default === undefined) {
    throw new StateError(
      'States.NoChoiceMatched',
      `No choice rule of the state '${entered.name}' matched and it has no Default.`,
    );
  }
  return leave(frame, state, entered, state.Default, entered.input);
}

async function runWait(frame: Frame, state: WaitState, entered: Entered): Promise<Left> {
  if (state.Timestamp !== undefined) {
    const timestamp = await evaluateIn(frame, entered, state.Timestamp, 'Timestamp');
    const time =
      typeof timestamp === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(timestamp)
        ? Date.parse(timestamp)
        : Number.NaN;
    if (Number.isNaN(time)) {
      throw new StateError(
        'States.QueryEvaluationError',
        'Timestamp must be an ISO 8601 time',
        locationOf(entered, 'Timestamp'),
      );
    }
    await frame.strand.sleepUntil(time);
  } else {
    const seconds = await evaluateIn(frame, entered, state.Seconds, 'Seconds');
    if (typeof seconds !== 'number' || !Number.isInteger(seconds) || seconds < 0 || seconds > 99_999_999) {
      throw new StateError(
        'States.QueryEvaluationError',
        'Seconds must be a whole number from 0 to 99999999',
        locationOf(entered, 'Seconds'),
      );
    }
    await frame.strand.sleepUntil(entered.at + seconds * 1000);
  }
  return leave(frame, state, entered, state.Next, entered.input);
}

async function runFail(frame: Frame, state: FailState, entered: Entered): Promise<Left> {
  const text = async (template: string | undefined, field: string): Promise<string> => {
    const value = template === undefined ? '' : await evaluateIn(frame, entered, template, field);
    if (typeof value === 'string') return value;
    throw new StateError('States.QueryEvaluationError', `${field} must be a string`, locationOf(entered, field));
  };
  throw new StateError(await text(state.Error, 'Error'), await text(state.Cause, 'Cause'));
}

async function attemptMap(frame: Frame, state: MapState, entered: Entered): Promise<Json> {
  const items = state.Items === undefined ? entered.input : await evaluateIn(frame, entered, state.Items, 'Items');
  if (!Array.isArray(items)) {
    throw new StateError('States.QueryEvaluationError', 'Items must be an array', locationOf(entered, 'Items'));
  }
  const limit =
    state.MaxConcurrency === undefined ? 0 : await evaluateIn(frame, entered, state.MaxConcurrency, 'MaxConcurrency');
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 0) {
    throw new StateError(
      'States.QueryEvaluationError',
      'MaxConcurrency must be a whole number',
      locationOf(entered, 'MaxConcurrency'),
    );
  }
  const list: readonly Json[] = items;
  const { history } = frame.execution;
  history.add(frame.strand, 'MapStateStarted', { length: list.length });
  const runItem = async (index: number, strand: Strand): Promise<Json> => {
    const value = asJson(list[index]);
    const mapItem = { Index: index, Value: value };
    const details = { name: entered.name, index };
    history.add(strand, 'MapIterationStarted', details);
    try {
      const selected =
        state.ItemSelector === undefined
          ? value
          : await evaluateIn(frame, entered, state.ItemSelector, 'ItemSelector', { mapItem });
      const output = await runGraph({ ...frame, strand, mapItem }, state.ItemProcessor, selected);
      history.add(strand, 'MapIterationSucceeded', details);
      return output;
    } catch (error) {
      history.add(strand, error instanceof Stopped ? 'MapIterationAborted' : 'MapIterationFailed', details);
      throw error;
    }
  };
  const outputs = await inParallel(
    frame,
    list.length,
    limit === 0 ? mostInlineIterations : Math.min(limit, mostInlineIterations),
    runItem,
  );
  history.add(frame.strand, 'MapStateSucceeded');
  return outputs;
}

async function attemptParallel(frame: Frame, state: ParallelState, entered: Entered): Promise<Json> {
  const input =
    state.Arguments === undefined ? entered.input : await evaluateIn(frame, entered, state.Arguments, 'Arguments');
  frame.execution.history.add(frame.strand, 'ParallelStateStarted');
  const outputs = await inParallel(frame, state.Branches.length, state.Branches.length, (index, strand) => {
    const branch = state.Branches[index];
    if (!branch) throw new StateError('States.Runtime', `There is no branch ${index}`);
    return runGraph({ ...frame, strand }, branch, input);
  });
  frame.execution.history.add(frame.strand, 'ParallelStateSucceeded');
  return outputs;
}

/** Runs `count` branches, at most `limit` at once; the first failure stops the others and is the result. */
async function inParallel(
  frame: Frame,
  count: number,
  limit: number,
  run: (index: number, strand: Strand) => Promise<Json>,
): Promise<Json[]> {
  const outputs: Json[] = Array.from({ length: count }, () => null);
  const strands = new Set<Strand>();
  let next = 0;
  let failed = false;
  const runOne = async (index: number): Promise<void> => {
    const strand = frame.strand.branch();
    strands.add(strand);
    try {
      outputs[index] = await run(index, strand);
    } catch (error) {
      if (!failed) {
        failed = true;
        for (const other of strands) if (other !== strand) other.stop(new Stopped('a sibling failed'));
        throw error;
      }
    } finally {
      strands.delete(strand);
      strand.end();
    }
  };
  const worker = async (): Promise<void> => {
    while (next < count && !failed) await runOne(next++);
  };
  const workers = Promise.allSettled(Array.from({ length: Math.min(limit, count) }, worker));
  const settled = await frame.strand.whileOthersWork(workers);
  for (const result of settled) if (result.status === 'rejected') throw result.reason;
  return outputs;
}
