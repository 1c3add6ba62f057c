import * as z from 'zod';
import { parseEdgeReply } from '../domain/edge-reply.ts';
import type { BackupRun, RunStep } from '../domain/ledger.ts';
import type { LookOutput } from '../domain/look.ts';
import { RunId } from '../domain/names.ts';
import type { Operation } from '../domain/operation.ts';
import { seconds } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { afterAnswer, changesOutput, type LookStep, type Question, versionsOutput } from '../planner/look.ts';
import { operation } from '../planner/steps.ts';
import type { Clock, Ledger, OperationStore } from '../ports.ts';
import { releaseAll } from './admit.ts';
import { type Answer, answerTo, TaskFailure } from './answers.ts';
import { begin, historyOf, type Look, placesOf } from './look.ts';
import { operationId } from './operation-id.ts';
import { parseEvent } from './parse-event.ts';

const ReadLookEvent = z.strictObject({
  runId: RunId,
  step: z.number().int().nonnegative(),
  failure: TaskFailure.nullable(),
});

export interface ReadLookDependencies {
  readonly ledger: Pick<
    Ledger,
    'loadRun' | 'putRun' | 'recordStep' | 'recordObservation' | 'loadSlots' | 'putSlots' | 'releaseSlots'
  >;
  readonly operations: Pick<OperationStore, 'load'>;
  readonly clock: Clock;
}

/** Step Functions hands on at most 256 KB (service quotas), with what stands around it. */
const LONGEST = 240_000;
const lengthOf = (output: LookOutput): number => new TextEncoder().encode(JSON.stringify(output)).length;

/**
 * State machine step: reads the answer to a question of a look, and hands it on, or records the next question. A question
 * whose command was not started yet is begun. Safe to repeat.
 * @throws EventInvalid
 */
export const readLook =
  (deps: ReadLookDependencies) =>
  async (event: unknown): Promise<Look> => {
    const { runId, step: n, failure } = parseEvent(ReadLookEvent, event);
    const known = await deps.ledger.loadRun(runId);
    const step = known?.steps.find((it) => it.n === n);
    const question = step?.decision;
    if (!known || !step || (question?.kind !== 'look-versions' && question?.kind !== 'look-changes'))
      throw new DrError('EventInvalid', `step ${n} of ${runId} is no question of a look`);
    const { run } = known;
    const now = deps.clock.now();
    const asked = await deps.operations.load(operationId(runId, n));
    if (!asked && !failure) return begin(deps.ledger, run, n, question, now);

    const { observed, jvmStarts } = answerTo(step, asked, failure, (side) => side) ?? unanswered(failure);
    await deps.ledger.recordObservation(runId, n, observed, now, jvmStarts);
    const before = known.steps.filter((it) => it.n < n);
    const next = afterAnswer(historyOf(run, [...before, { ...step, observed }]), now);
    switch (next.kind) {
      case 'ask':
        return ask(deps, run, [...before, { ...step, observed }], next.question, next.pause);
      case 'failed':
        return close(deps, run, question, { runId, next, output: null });
      case 'answered': {
        const output = outputOf(run, question, asked);
        if (lengthOf(output) <= LONGEST) return close(deps, run, question, { runId, next, output });
        const { host: _host, timeoutSeconds: _timeout, heartbeatSeconds: _heartbeat, ...rest } = question;
        if (rest.kind === 'look-changes' && rest.limit > 1) {
          const limit = Math.floor(rest.limit / 2);
          const shorter = { ...rest, limit, reason: `${rest.limit} entries are too long to hand on: ${limit} instead` };
          return ask(deps, run, [...before, { ...step, observed }], shorter, 0);
        }
        const cause = 'the answer is too long for the output of a state machine: ask for fewer points';
        return close(deps, run, question, {
          runId,
          next: { kind: 'failed', error: 'EventInvalid', cause },
          output: null,
        });
      }
    }
  };

/** The Task is over, its command may not be. */
const unanswered = (failure: TaskFailure | null): Answer => ({
  observed: {
    kind: 'no-answer',
    error: failure?.Error ?? 'EdgeUnreachable',
    cause: (failure?.Cause || 'the command did not answer in time').slice(0, 1500),
  },
  jvmStarts: null,
});

/** Records the next question; its command starts now, or after a pause. */
const ask = async (
  deps: ReadLookDependencies,
  run: BackupRun,
  steps: readonly RunStep[],
  question: Question,
  pause: number,
): Promise<Look> => {
  const n = steps.length;
  const now = deps.clock.now();
  const { decision } = await deps.ledger.recordStep(run.runId, {
    n,
    decision: operation(historyOf(run, steps), question),
    decidedAt: now,
    operationStep: n,
    observed: null,
    observedAt: null,
    jvmStarts: null,
  });
  if (decision.kind !== 'look-versions' && decision.kind !== 'look-changes')
    throw new DrError('EventInvalid', `step ${n} of ${run.runId} is no question of a look`);
  if (pause > 0)
    return {
      runId: run.runId,
      next: { kind: 'pending', step: n, seconds: seconds(pause), reason: decision.reason },
      output: null,
    };
  return begin(deps.ledger, run, n, decision, now);
};

const outputOf = (run: BackupRun, question: LookStep, asked: Operation | undefined): LookOutput => {
  const parsed = asked?.outcome?.kind === 'reply' ? parseEdgeReply(asked.outcome.reply, asked.id) : undefined;
  const reply = parsed && 'reply' in parsed ? parsed.reply : undefined;
  if (question.kind === 'look-versions' && reply?.verb === 'versions' && reply.data)
    return versionsOutput(run, question, reply.data);
  if (question.kind === 'look-changes' && reply?.verb === 'changes' && reply.data)
    return changesOutput(run, question, reply.data);
  throw new DrError('EdgeReplyInvalid', `${question.host} answered something else than what was asked`);
};

/** Ends the run, which nobody else works on, and gives back the place that it may have. */
const close = async (deps: ReadLookDependencies, run: BackupRun, question: LookStep, look: Look): Promise<Look> => {
  const { next } = look;
  const failure = next.kind === 'failed' ? { error: next.error, cause: next.cause } : null;
  await deps.ledger.putRun({ ...run, status: failure ? 'failed' : 'succeeded', endedAt: deps.clock.now(), failure });
  await releaseAll(
    deps.ledger,
    placesOf(run, question).map(({ resource }) => resource),
    run.runId,
  );
  return look;
};
