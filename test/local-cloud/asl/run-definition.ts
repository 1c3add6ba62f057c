import { NothingLeft, virtualClock } from '../clock.ts';
import { Counters } from '../counters.ts';
import type { Json } from '../json.ts';
import { StepFunctions } from '../services/step-functions.ts';
import { iamArn, type World } from '../world.ts';
import { StateError } from './errors.ts';
import type { ExecutionStatus, FunctionOutcome, Objects } from './execution.ts';
import type { HistoryEvent } from './history.ts';
import { type Mocks, mocked } from './mocks.ts';

/** Stands for a Lambda function: gets the payload, returns the result or throws `StateError`. */
export type FunctionStub = (payload: Json, stage: Stage) => Json | Promise<Json>;

/** What a stub can do besides answering. */
export interface Stage {
  readonly stepFunctions: StepFunctions;
  /** Calls `later` when that many seconds have passed. */
  readonly after: (seconds: number, later: () => void) => void;
}

export interface RunResult {
  readonly status: ExecutionStatus;
  readonly output: Json | undefined;
  readonly error: string | undefined;
  readonly cause: string | undefined;
  readonly events: readonly HistoryEvent[];
  /** Virtual seconds from start to end. */
  readonly seconds: number;
}

export interface RunOptions {
  readonly input?: Json;
  readonly functions?: Readonly<Record<string, FunctionStub>>;
  /** Answers in place of every Task; without them, and without `functions`, nothing can be called. */
  readonly mocks?: Mocks;
  /** What the machine can read and write in S3. */
  readonly objects?: Objects;
  readonly random?: () => number;
  /** Further machines, by name, that the definition may start. */
  readonly machines?: Readonly<Record<string, unknown>>;
  readonly meanwhile?: (stage: Stage, executionArn: string) => void;
}

export const startOfTime = Date.UTC(2026, 0, 1);

/** Step Functions alone, in virtual time, with stubs for functions; nobody's permissions are judged. */
export function stageFor(options: RunOptions): Stage & { readonly clock: ReturnType<typeof virtualClock> } {
  const clock = virtualClock(startOfTime);
  const world: World = {
    clock,
    counters: new Counters(),
    authorize: () => {},
    random: options.random ?? (() => 0.5),
    tell: () => {},
    measure: () => {},
  };
  const invoke = async (_role: string, name: string, payload: Json): Promise<FunctionOutcome> => {
    const stub = options.functions?.[name];
    if (!stub)
      return { kind: 'failed', error: 'Lambda.ResourceNotFoundException', cause: `Function not found: ${name}` };
    try {
      return { kind: 'returned', payload: await stub(payload, stage), version: '$LATEST' };
    } catch (error) {
      if (error instanceof StateError) return { kind: 'failed', error: error.error, cause: error.cause };
      throw error;
    }
  };
  const callService = () => Promise.reject(new Error('no services here'));
  const stage: Stage & { readonly clock: typeof clock } = {
    clock,
    stepFunctions: new StepFunctions(
      world,
      {
        invoke,
        callService,
        ...(options.objects ? { objects: options.objects } : {}),
        ...(options.mocks ? mocked(clock, options.mocks) : {}),
      },
      () => {},
    ),
    after: (seconds, later) => {
      clock.at(clock.now() + seconds * 1000, later);
    },
  };
  for (const [name, definition] of Object.entries(options.machines ?? {})) create(stage, name, definition);
  return stage;
}

const create = (stage: Stage, name: string, definition: unknown) =>
  stage.stepFunctions.createMachine({ name, definition: textOf(definition), roleArn: iamArn('role/machine') });

/** A definition is given as its text or as the value that the text says. */
const textOf = (definition: unknown): string =>
  typeof definition === 'string' ? definition : JSON.stringify(definition);

/** Runs one definition to its end, or until nothing is left that could happen (status `RUNNING`). A definition that is refused throws `InvalidDefinition`. */
export async function runDefinition(definition: unknown, options: RunOptions = {}): Promise<RunResult> {
  const stage = stageFor(options);
  const machine = create(stage, 'main', definition);
  const execution = stage.stepFunctions.start(machine.arn, JSON.stringify(options.input ?? {}), 'one');
  options.meanwhile?.(stage, execution.arn);
  try {
    await stage.clock.runUntil(() => execution.status !== 'RUNNING');
  } catch (error) {
    if (!(error instanceof NothingLeft)) throw error;
  }
  stage.clock.close();
  const { status, output, error, cause, history } = execution;
  return {
    status,
    output,
    error,
    cause,
    events: history.events,
    seconds: ((execution.stopDate ?? startOfTime) - startOfTime) / 1000,
  };
}
