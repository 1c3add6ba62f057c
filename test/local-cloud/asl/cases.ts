import { expect } from 'vitest';
import type { Json } from '../json.ts';
import { type RunOptions, type RunResult, runDefinition } from './run-definition.ts';

/** A machine of the given states; the first is where it starts. */
export const machine = (states: Readonly<Record<string, unknown>>, more: Readonly<Record<string, unknown>> = {}) => ({
  QueryLanguage: 'JSONata',
  StartAt: Object.keys(states)[0],
  States: states,
  ...more,
});

/** A Task that invokes the function `name` and ends, or goes on to `Next`. */
export const task = (more: Readonly<Record<string, unknown>> = {}, name = 'work') => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke',
  Arguments: { FunctionName: name, Payload: '{% $states.input %}' },
  ...('Next' in more ? {} : { End: true }),
  ...more,
});

/** What `lambda:invoke` returns for a function that returned `payload`. */
export const reply = (payload: Json): Json => ({ ExecutedVersion: '$LATEST', Payload: payload, StatusCode: 200 });

export const waitForToken = (more: Readonly<Record<string, unknown>> = {}) =>
  task({
    Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
    Arguments: { FunctionName: 'work', Payload: { token: '{% $states.context.Task.Token %}' } },
    ...more,
  });

/** A distributed Map that ends; its children pass their input on unless `states` are given, the first of which begins. */
export const distributed = (
  more: Readonly<Record<string, unknown>>,
  states: Readonly<Record<string, unknown>> = { Item: { Type: 'Pass', End: true } },
  executionType = 'STANDARD',
) => ({
  Type: 'Map',
  ItemProcessor: {
    ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: executionType },
    StartAt: Object.keys(states)[0],
    States: states,
  },
  ...('Next' in more ? {} : { End: true }),
  ...more,
});

/** A machine of one Pass whose output is the expression. */
export const expression = (source: string) => machine({ Only: { Type: 'Pass', Output: `{% ${source} %}`, End: true } });

export interface Case extends RunOptions {
  /** Where the behaviour is written down. */
  readonly page: string;
  readonly definition: unknown;
  readonly output?: Json;
  readonly error?: string;
  readonly status?: RunResult['status'];
  readonly seconds?: number;
  /** Types of the history's events, all of them. */
  readonly types?: readonly string[];
}

/** Runs a case and compares what it says. */
export async function check(one: Case): Promise<RunResult> {
  const result = await runDefinition(one.definition, one);
  const status = one.status ?? (one.error === undefined ? 'SUCCEEDED' : 'FAILED');
  expect({
    status: result.status,
    error: result.error,
    cause: result.status === status ? undefined : result.cause,
  }).toEqual({ status, error: one.error, cause: undefined });
  if (one.output !== undefined) expect(result.output).toEqual(one.output);
  if (one.types !== undefined) expect(result.events.map((event) => event.type)).toEqual(one.types);
  if (one.seconds !== undefined) expect(result.seconds).toBe(one.seconds);
  return result;
}
