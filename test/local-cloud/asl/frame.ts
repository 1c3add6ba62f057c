import { type Json, type JsonObject, sizeOf } from '../json.ts';
import type { Shaping } from './definition.ts';
import { StateError } from './errors.ts';
import type { Execution, Progress, Surroundings } from './execution.ts';
import { evaluate } from './expressions.ts';
import { dataDetails } from './history.ts';
import type { Strand } from './strand.ts';

/** AWS, "Service quotas": input or output of a state, 256 KiB. */
export const mostBytes = 262_144;
/** AWS, "Passing data between states with variables": all variables of an execution, 10 MiB. */
const mostVariableBytes = 10 * 1024 * 1024;

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
  /** Of the graph that the state belongs to. */
  readonly progress: Progress;
  retries: number;
}

export interface Left {
  readonly next: string | undefined;
  readonly output: Json;
}

export const locationOf = (entered: Entered, field: string): string => `${entered.name}/${field}`;

export const queryError = (entered: Entered, field: string, cause: string): StateError =>
  new StateError('States.QueryEvaluationError', cause, locationOf(entered, field));

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
      RedriveCount: execution.redriveCount,
      ...(execution.redriveDate === undefined ? {} : { RedriveTime: new Date(execution.redriveDate).toISOString() }),
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

/** A field that must be a whole number in a range, as it stands or by its expression; none is `undefined`. */
export async function numberIn(
  frame: Frame,
  entered: Entered,
  template: number | string | undefined,
  field: string,
  range: { readonly from: number; readonly to: number; readonly whole?: boolean },
): Promise<number | undefined> {
  if (template === undefined) return undefined;
  const value = await evaluateIn(frame, entered, template, field);
  const { from, to, whole = true } = range;
  if (typeof value === 'number' && (!whole || Number.isInteger(value)) && value >= from && value <= to) return value;
  throw queryError(entered, field, `${field} must be a ${whole ? 'whole ' : ''}number from ${from} to ${to}`);
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
  const variables = { ...frame.variables, ...assigned };
  if (Object.keys(assigned).length > 0 && sizeOf(variables) > mostVariableBytes) {
    throw new StateError('States.DataLimitExceeded', 'The variables of the execution exceed 10 MiB.');
  }
  frame.variables = variables;
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
