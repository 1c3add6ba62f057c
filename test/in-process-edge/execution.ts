import type { NumberedStep } from '../../functions/core/domain/backup-step.ts';
import type { RunId } from '../../functions/core/domain/names.ts';
import type { BlastRadius } from '../../functions/core/domain/operation.ts';
import type { Delivery, TaskCallbacks, Workflow } from '../../functions/core/ports.ts';
import type { Opened } from '../../functions/core/use-cases/open-run.ts';

/** `$states.errorOutput` of a Catch. */
export interface ErrorOutput {
  readonly Error: string;
  readonly Cause: string;
}

type Handler<R> = (event: unknown) => Promise<R>;

/** The functions behind the states of statemachine/backup.asl.json. */
export interface Functions {
  readonly openRun: Handler<Opened>;
  readonly decide: Handler<NumberedStep>;
  readonly start: Readonly<Record<BlastRadius, Handler<unknown>>>;
  readonly recordOutcome: Handler<object>;
  readonly recordFailure: Handler<{ readonly error: string; readonly cause: string }>;
}

export type Ended =
  | { readonly status: 'SUCCEEDED'; readonly output: object; readonly runId: RunId | null }
  | { readonly status: 'FAILED'; readonly error: string; readonly cause: string; readonly runId: RunId | null };

/** Where an execution stands between two moments at which others may act: a state entered, or one that waits. */
export type Moment =
  | { readonly kind: 'entered'; readonly state: string }
  | { readonly kind: 'wait'; readonly seconds: number }
  | { readonly kind: 'token'; readonly token: string };

interface Waiting {
  answer: { readonly failure: ErrorOutput | null } | undefined;
  heartbeat: number;
}

/** Task tokens and running executions, as the callbacks of Step Functions see them. */
export class Executions implements TaskCallbacks, Workflow {
  readonly #now: () => number;
  readonly #waiting = new Map<string, Waiting>();
  readonly #running = new Set<string>();
  #tokens = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  readonly #told = (token: string, failure: ErrorOutput | null): Delivery => {
    const waiting = this.#waiting.get(token);
    if (!waiting || waiting.answer) return 'gone';
    waiting.answer = { failure };
    return 'delivered';
  };
  readonly succeed: TaskCallbacks['succeed'] = async (token) => this.#told(token, null);
  readonly fail: TaskCallbacks['fail'] = async (token, error, cause) =>
    this.#told(token, { Error: error, Cause: cause });
  readonly heartbeat: Workflow['heartbeat'] = async (token) => {
    const waiting = this.#waiting.get(token);
    if (!waiting || waiting.answer) return 'gone';
    waiting.heartbeat = this.#now();
    return 'delivered';
  };
  readonly isRunning: Workflow['isRunning'] = async (execution) => this.#running.has(execution);

  /** Plays one execution; stopped (`return`) it is over like one that a person stopped. */
  async *play(functions: Functions, name: string, request: object): AsyncGenerator<Moment, Ended> {
    this.#running.add(name);
    try {
      return yield* this.#states(functions, name, request);
    } finally {
      this.#running.delete(name);
    }
  }

  async *#states(functions: Functions, execution: string, request: object): AsyncGenerator<Moment, Ended> {
    const startedAt = new Date(this.#now()).toISOString();
    yield { kind: 'entered', state: 'OpenRun' };
    const opened = await attempt(functions.openRun({ request, execution, startedAt }));
    if ('failure' in opened) return yield* this.#recordFailure(functions, null, 0, opened.failure);
    const { runId, lease } = opened.value;
    if (opened.value.kind === 'skipped') return { status: 'SUCCEEDED', output: opened.value, runId };

    let { step } = opened.value;
    let failure: ErrorOutput | null = null;
    for (;;) {
      yield { kind: 'entered', state: 'Decide' };
      const decided: Attempt<NumberedStep> = await attempt(functions.decide({ runId, lease, step, failure }));
      if ('failure' in decided) return yield* this.#recordFailure(functions, runId, lease, decided.failure);
      const next: NumberedStep = decided.value;
      step += 1;
      failure = null;
      switch (next.kind) {
        case 'survey':
        case 'compute-diff':
        case 'verify':
          failure = yield* this.#operation(functions.start.observe, runId, lease, next);
          break;
        case 'create-snapshot':
        case 'replicate':
          failure = yield* this.#operation(functions.start.protect, runId, lease, next);
          break;
        case 'wait':
          yield { kind: 'wait', seconds: next.seconds };
          break;
        case 'done': {
          yield { kind: 'entered', state: 'RecordOutcome' };
          const recorded = await attempt(functions.recordOutcome({ runId, lease, step: step - 1 }));
          if ('failure' in recorded) return yield* this.#recordFailure(functions, runId, lease, recorded.failure);
          return { status: 'SUCCEEDED', output: recorded.value, runId };
        }
        case 'fail':
          return yield* this.#recordFailure(functions, runId, lease, null);
      }
    }
  }

  /** A Task that waits for its token. @returns what its Catch hands to Decide */
  async *#operation(
    start: Handler<unknown>,
    runId: RunId,
    lease: number,
    step: Extract<NumberedStep, { timeoutSeconds: number }>,
  ): AsyncGenerator<Moment, ErrorOutput | null> {
    this.#tokens += 1;
    const token = `token-${this.#tokens}`;
    const begun = this.#now();
    const waiting: Waiting = { answer: undefined, heartbeat: begun };
    this.#waiting.set(token, waiting);
    try {
      yield { kind: 'entered', state: step.kind };
      const started = await attempt(start({ runId, lease, operationStep: step.operationStep, taskToken: token }));
      if ('failure' in started) return started.failure;
      for (;;) {
        if (waiting.answer) return waiting.answer.failure;
        if (this.#now() - begun > step.timeoutSeconds * 1000) return { Error: 'States.Timeout', Cause: '' };
        if (this.#now() - waiting.heartbeat > step.heartbeatSeconds * 1000)
          return { Error: 'States.HeartbeatTimeout', Cause: '' };
        yield { kind: 'token', token };
      }
    } finally {
      this.#waiting.delete(token);
    }
  }

  async *#recordFailure(
    functions: Functions,
    runId: RunId | null,
    lease: number,
    failure: ErrorOutput | null,
  ): AsyncGenerator<Moment, Ended> {
    yield { kind: 'entered', state: 'RecordFailure' };
    const recorded = await attempt(functions.recordFailure({ runId, lease, failure }));
    return 'failure' in recorded
      ? { status: 'FAILED', error: 'RecordingFailed', cause: recorded.failure.Cause, runId }
      : { status: 'FAILED', ...recorded.value, runId };
  }
}

type Attempt<R> = { readonly value: R } | { readonly failure: ErrorOutput };

/** The result of a function, or what Lambda makes of its error. */
const attempt = async <R>(call: Promise<R>): Promise<Attempt<R>> => {
  try {
    return { value: await call };
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    return { failure: { Error: name, Cause: JSON.stringify({ errorType: name, errorMessage: message }) } };
  }
};
