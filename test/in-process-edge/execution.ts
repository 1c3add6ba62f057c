import { readFileSync } from 'node:fs';
import * as z from 'zod';
import type { NumberedStep } from '../../functions/core/domain/backup-step.ts';
import { BatchedRun, type BatchResult } from '../../functions/core/domain/batch.ts';
import type { RunId } from '../../functions/core/domain/names.ts';
import type { BlastRadius } from '../../functions/core/domain/operation.ts';
import type { Delivery, TaskCallbacks, Workflow } from '../../functions/core/ports.ts';
import type { BatchCommand, BatchWait, DecidedBatch } from '../../functions/core/use-cases/decide-batch.ts';
import type { OpenedBatch } from '../../functions/core/use-cases/open-batch.ts';
import type { Opened } from '../../functions/core/use-cases/open-run.ts';

/** `$states.errorOutput` of a Catch. */
export interface ErrorOutput {
  readonly Error: string;
  readonly Cause: string;
}

type Handler<R> = (event: unknown) => Promise<R>;

export type Work = 'backup' | 'backup-batch' | 'prune' | 'restore' | 'drill' | 'failover' | 'failback';

/** What the execution of a batch ends with. */
export const BatchOutput = z.object({
  handedOver: z.array(BatchedRun),
  results: z.array(
    z.object({ ...BatchedRun.shape, status: z.enum(['succeeded', 'skipped', 'failed']), reason: z.string() }),
  ),
});

/** The functions behind the states of statemachine/*.asl.json. */
export interface Functions {
  readonly openRun: Handler<Opened>;
  readonly decide: Handler<NumberedStep>;
  readonly decidePrune: Handler<NumberedStep>;
  readonly openBatch: Handler<OpenedBatch>;
  readonly decideBatch: Handler<DecidedBatch>;
  readonly recordBatch: Handler<Pick<OpenedBatch, 'results' | 'handedOver'>>;
  readonly openRestore: Handler<Opened>;
  readonly decideRestore: Handler<NumberedStep>;
  readonly condemn: Handler<unknown>;
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

const State = z.object({
  Choices: z.array(z.object({ Condition: z.string(), Next: z.string() })).default([]),
  Retry: z
    .array(
      z.object({
        ErrorEquals: z.array(z.string()),
        IntervalSeconds: z.number(),
        BackoffRate: z.number(),
        MaxAttempts: z.number(),
        MaxDelaySeconds: z.number(),
      }),
    )
    .default([]),
  /** Of a Map. */
  ItemProcessor: z.object({ States: z.record(z.string(), z.unknown()) }).optional(),
});
/** The part of a definition that is played from the file itself: what a Task tries again, and when. */
const Definition = z.object({ States: z.record(z.string(), State) });
type Definition = z.infer<typeof Definition>;

/** With the states of its Maps beside the others. */
const read = (work: Work): Definition => {
  const file = new URL(`../../statemachine/${work}.asl.json`, import.meta.url);
  const { States } = Definition.parse(JSON.parse(readFileSync(file, 'utf8')));
  const inner = Object.values(States).flatMap(({ ItemProcessor }) => (ItemProcessor ? [ItemProcessor] : []));
  return { States: Object.assign(States, ...inner.map((it) => Definition.parse(it).States)) };
};
const DEFINITIONS: Readonly<Record<Work, Definition>> = {
  backup: read('backup'),
  'backup-batch': read('backup-batch'),
  prune: read('prune'),
  restore: read('restore'),
  drill: read('drill'),
  failover: read('failover'),
  failback: read('failback'),
};

/** The Task behind a kind of step. */
const stateOf = ({ States }: Definition, kind: string): string =>
  States.WhatNext?.Choices.find(({ Condition }) => Condition.includes(`'${kind}'`))?.Next ?? kind;

/** Seconds until a Task is tried again; undefined when its error goes to the Catch. Without the jitter. */
const retryAfter = ({ States }: Definition, state: string, error: string, tries: number): number | undefined => {
  const retry = States[state]?.Retry.find(({ ErrorEquals }) => ErrorEquals.includes(error));
  if (!retry || tries >= retry.MaxAttempts) return undefined;
  return Math.min(retry.MaxDelaySeconds, retry.IntervalSeconds * retry.BackoffRate ** tries);
};

interface Waiting {
  readonly execution: string;
  answer: { readonly failure: ErrorOutput | null } | undefined;
  heartbeat: number;
}

/** A Task that waits for its token. */
interface WaitingTask {
  /** What is said to be entered. */
  readonly state: string;
  /** Its name in the definition. */
  readonly task: string;
  readonly start: (taskToken: string) => Promise<unknown>;
  readonly timeoutSeconds: number;
  readonly heartbeatSeconds: number;
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

  /** A person stops an execution. Its generator is either thrown away (`return`), or goes on after `redrive`. */
  stop(execution: string): void {
    this.#running.delete(execution);
    for (const [token, waiting] of this.#waiting) if (waiting.execution === execution) this.#waiting.delete(token);
  }

  /** A stopped execution is to go on in the state in which it was: a Task that waited begins again with a new token. */
  redrive(execution: string): void {
    this.#running.add(execution);
  }

  /** Plays one execution; stopped (`return`) it is over like one that a person stopped. */
  async *play(
    functions: Functions,
    name: string,
    request: object,
    workflow: Work = 'backup',
  ): AsyncGenerator<Moment, Ended> {
    this.#running.add(name);
    try {
      if (workflow === 'backup-batch') return yield* this.#batch(functions, name, request);
      return yield* this.#states(functions, name, request, workflow);
    } finally {
      this.#running.delete(name);
    }
  }

  async *#states(
    functions: Functions,
    execution: string,
    request: object,
    workflow: Work,
  ): AsyncGenerator<Moment, Ended> {
    const definition = DEFINITIONS[workflow];
    const startedAt = new Date(this.#now()).toISOString();
    const isRestore = workflow !== 'backup' && workflow !== 'prune';
    const mayDrain = workflow === 'failover' || workflow === 'failback';
    const { openRun, openRestore } = functions;
    let drained = false;
    const open = () =>
      (isRestore ? openRestore : openRun)({
        request,
        workflow,
        execution,
        startedAt,
        ...(mayDrain ? { drained } : {}),
      });
    let opened: Attempt<Opened>;
    for (;;) {
      yield { kind: 'entered', state: 'OpenRun' };
      opened = yield* invoke(definition, 'OpenRun', open);
      if ('failure' in opened) return yield* this.#recordFailure(definition, functions, null, 0, opened.failure);
      if (opened.value.kind === 'drain') {
        yield { kind: 'entered', state: 'Drain' };
        yield* this.play(functions, opened.value.name, opened.value.input);
        drained = true;
        continue;
      }
      if (opened.value.kind !== 'busy') break;
      yield { kind: 'wait', seconds: opened.value.seconds };
    }
    const { runId, lease } = opened.value;
    if (opened.value.kind === 'skipped') return { status: 'SUCCEEDED', output: opened.value, runId };

    const operate = (start: Handler<unknown>, step: Extract<NumberedStep, { timeoutSeconds: number }>) =>
      this.#operation(definition, execution, {
        state: step.kind,
        task: stateOf(definition, step.kind),
        start: (taskToken) => start({ runId, lease, operationStep: step.operationStep, taskToken }),
        ...step,
      });
    const decide = isRestore
      ? functions.decideRestore
      : workflow === 'prune'
        ? functions.decidePrune
        : functions.decide;
    let { step } = opened.value;
    let failure: ErrorOutput | null = null;
    for (;;) {
      yield { kind: 'entered', state: 'Decide' };
      const noted: object = { runId, lease, step, failure };
      const decided: Attempt<NumberedStep> = yield* invoke(definition, 'Decide', () => decide(noted));
      if ('failure' in decided) return yield* this.#recordFailure(definition, functions, runId, lease, decided.failure);
      const next: NumberedStep = decided.value;
      step += 1;
      failure = null;
      switch (next.kind) {
        case 'survey':
        case 'compute-diff':
        case 'verify':
        case 'probe':
        case 'examine':
        case 'compare':
        case 'measure-divergence':
          failure = yield* operate(functions.start.observe, next);
          break;
        case 'create-snapshot':
        case 'replicate':
        case 'seal-unchanged':
        case 'create-replica':
        case 'mark-replica':
          failure = yield* operate(functions.start.protect, next);
          break;
        case 'tidy':
        case 'delete':
          failure = yield* operate(functions.start.destroy, next);
          break;
        case 'create-target':
        case 'safety-snapshot':
        case 'restore':
        case 'restrict':
        case 'remove-scratch':
          failure = yield* operate(functions.start.restore, next);
          break;
        case 'look-versions':
        case 'look-changes':
        case 'list-buckets':
        case 'check-host':
          throw new Error(`${next.kind} is of a machine that is not played here`);
        case 'condemn': {
          yield { kind: 'entered', state: 'Condemn' };
          const last = { runId, lease, step: step - 1 };
          const condemned = yield* invoke(definition, 'Condemn', () => functions.condemn(last));
          if ('failure' in condemned) failure = condemned.failure;
          break;
        }
        case 'bring-back': {
          yield { kind: 'entered', state: 'BringBack' };
          const ended: Ended = yield* this.play(functions, next.name, next.input);
          if (ended.status === 'FAILED')
            failure = { Error: 'States.TaskFailed', Cause: `${ended.error}: ${ended.cause}` };
          break;
        }
        case 'wait':
          yield { kind: 'wait', seconds: next.seconds };
          break;
        case 'done': {
          yield { kind: 'entered', state: 'RecordOutcome' };
          const last = { runId, lease, step: step - 1 };
          const recorded = yield* invoke(definition, 'RecordOutcome', () => functions.recordOutcome(last));
          if ('failure' in recorded)
            return yield* this.#recordFailure(definition, functions, runId, lease, recorded.failure);
          return { status: 'SUCCEEDED', output: recorded.value, runId };
        }
        case 'fail':
          return yield* this.#recordFailure(definition, functions, runId, lease, null);
        default:
          next satisfies never;
      }
    }
  }

  /** The runs of a batch; whoever started it starts what it hands over. */
  async *#batch(functions: Functions, execution: string, request: object): AsyncGenerator<Moment, Ended> {
    const definition = DEFINITIONS['backup-batch'];
    const { runs } = z.object({ runs: z.array(BatchedRun) }).parse(request);
    const startedAt = new Date(this.#now()).toISOString();
    const results: BatchResult[] = [];
    const handedOver: BatchedRun[] = [];
    const handOver = (those: readonly BatchedRun[]) =>
      handedOver.push(...those.map(({ bucket, name }) => ({ bucket, name })));
    const over = (): Ended => ({ status: 'SUCCEEDED', output: { handedOver, results }, runId: null });
    yield { kind: 'entered', state: 'OpenBatch' };
    const opened = yield* invoke(definition, 'OpenBatch', () => functions.openBatch({ request, execution, startedAt }));
    if ('failure' in opened) {
      handOver(runs);
      return over();
    }
    handOver(opened.value.handedOver);
    results.push(...opened.value.results);
    let { members } = opened.value;
    for (let round = 0; ; round += 1) {
      yield { kind: 'entered', state: 'DecideBatch' };
      const asked = { execution, round, members };
      const decided = yield* invoke(definition, 'DecideBatch', () => functions.decideBatch(asked));
      if ('failure' in decided) {
        handOver(members);
        return over();
      }
      const { commands, done } = decided.value;
      members = decided.value.members;
      handOver(decided.value.handedOver);
      if (done.length > 0) {
        yield { kind: 'entered', state: 'RecordBatch' };
        const recorded = yield* invoke(definition, 'RecordBatch', () => functions.recordBatch({ done }));
        handOver('failure' in recorded ? done : recorded.value.handedOver);
        if ('value' in recorded) results.push(...recorded.value.results);
      }
      if (commands.length === 0) return over();
      yield* sideBySide(commands.map((command) => this.#command(definition, functions, execution, command)));
    }
  }

  /** What comes of a command the hub finds in the operations. */
  async *#command(
    definition: Definition,
    functions: Functions,
    execution: string,
    command: BatchCommand | BatchWait,
  ): AsyncGenerator<Moment, void> {
    if (command.start === 'wait') return yield { kind: 'wait', seconds: command.seconds };
    const { start, operation, members, ...times } = command;
    const task = start === 'observe' ? 'Observe' : 'Protect';
    yield* this.#operation(definition, execution, {
      state: task,
      task,
      start: (taskToken) => functions.start[start]({ operation, members, taskToken }),
      ...times,
    });
  }

  /** A Task that waits for its token. @returns what its Catch hands to Decide */
  async *#operation(
    definition: Definition,
    execution: string,
    waits: WaitingTask,
  ): AsyncGenerator<Moment, ErrorOutput | null> {
    for (let tries = 0; ; ) {
      const ended = yield* this.#attempt(execution, waits);
      if (ended === 'stopped') continue;
      const delay = ended ? retryAfter(definition, waits.task, ended.Error, tries) : undefined;
      if (delay === undefined) return ended;
      tries += 1;
      yield { kind: 'wait', seconds: delay };
    }
  }

  /** One attempt of such a Task; each has a token and time-outs of its own. */
  async *#attempt(
    execution: string,
    { state, start, timeoutSeconds, heartbeatSeconds }: WaitingTask,
  ): AsyncGenerator<Moment, ErrorOutput | null | 'stopped'> {
    yield { kind: 'entered', state };
    this.#tokens += 1;
    const token = `token-${this.#tokens}`;
    const begun = this.#now();
    const waiting: Waiting = { execution, answer: undefined, heartbeat: begun };
    this.#waiting.set(token, waiting);
    try {
      const started = await attempt(start(token));
      if ('failure' in started) return started.failure;
      for (;;) {
        if (waiting.answer) return waiting.answer.failure;
        if (this.#now() - begun > timeoutSeconds * 1000) return { Error: 'States.Timeout', Cause: '' };
        if (this.#now() - waiting.heartbeat > heartbeatSeconds * 1000)
          return { Error: 'States.HeartbeatTimeout', Cause: '' };
        yield { kind: 'token', token };
        if (!this.#waiting.has(token)) return 'stopped';
      }
    } finally {
      this.#waiting.delete(token);
    }
  }

  async *#recordFailure(
    definition: Definition,
    functions: Functions,
    runId: RunId | null,
    lease: number,
    failure: ErrorOutput | null,
  ): AsyncGenerator<Moment, Ended> {
    yield { kind: 'entered', state: 'RecordFailure' };
    const recorded = yield* invoke(definition, 'RecordFailure', () =>
      functions.recordFailure({ runId, lease, failure }),
    );
    return 'failure' in recorded
      ? { status: 'FAILED', error: 'RecordingFailed', cause: recorded.failure.Cause, runId }
      : { status: 'FAILED', ...recorded.value, runId };
  }
}

/** Items of a Map, in turns. */
async function* sideBySide(items: readonly AsyncGenerator<Moment, unknown>[]): AsyncGenerator<Moment, void> {
  const alive = new Set(items);
  try {
    while (alive.size > 0)
      for (const item of [...alive]) {
        const next = await item.next();
        if (next.done) alive.delete(item);
        else yield next.value;
      }
  } finally {
    for (const item of alive) await item.return(undefined);
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

/** A Task that calls a function, tried again as its Retry says. */
async function* invoke<R>(
  definition: Definition,
  state: string,
  call: () => Promise<R>,
): AsyncGenerator<Moment, Attempt<R>> {
  for (let tries = 0; ; tries += 1) {
    const tried = await attempt(call());
    const delay = 'failure' in tried ? retryAfter(definition, state, tried.failure.Error, tries) : undefined;
    if (delay === undefined) return tried;
    yield { kind: 'wait', seconds: delay };
  }
}

/** The same functions, each called through `wrap`. */
export const wrapped = (functions: Functions, wrap: <R>(work: Handler<R>) => Handler<R>): Functions => {
  const { start } = functions;
  return {
    openRun: wrap(functions.openRun),
    decide: wrap(functions.decide),
    decidePrune: wrap(functions.decidePrune),
    openBatch: wrap(functions.openBatch),
    decideBatch: wrap(functions.decideBatch),
    recordBatch: wrap(functions.recordBatch),
    openRestore: wrap(functions.openRestore),
    decideRestore: wrap(functions.decideRestore),
    condemn: wrap(functions.condemn),
    start: {
      observe: wrap(start.observe),
      protect: wrap(start.protect),
      destroy: wrap(start.destroy),
      restore: wrap(start.restore),
    },
    recordOutcome: wrap(functions.recordOutcome),
    recordFailure: wrap(functions.recordFailure),
  };
};
