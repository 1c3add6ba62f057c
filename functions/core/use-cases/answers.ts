import * as z from 'zod';
import { isOperation } from '../domain/backup-step.ts';
import { countsOf, type EdgeReply, parseEdgeReply, type SeenSide } from '../domain/edge-reply.ts';
import type { Observation, RunStep } from '../domain/ledger.ts';
import type { Operation } from '../domain/operation.ts';

/** What a Catch of the state machine hands on. */
export const TaskFailure = z.object({ Error: z.string(), Cause: z.string().default('') });
export type TaskFailure = z.infer<typeof TaskFailure>;

export interface Answer {
  readonly observed: Observation;
  readonly jvmStarts: number | null;
}

/**
 * The answer to a step; undefined while its operation may still be going on.
 * @param bounded what is kept of a listing, which may be long
 */
export const answerTo = (
  step: RunStep,
  operation: Operation | undefined,
  failure: TaskFailure | null,
  bounded: (side: SeenSide) => SeenSide,
): Answer | undefined => {
  const none = (error: string, cause: string): Answer => ({
    observed: { kind: 'no-answer', error, cause: cause.slice(0, 1500) },
    jvmStarts: null,
  });
  // What is no operation is over when the state machine comes back, unless its Task failed.
  if (!isOperation(step.decision))
    return failure ? none(failure.Error, failure.Cause) : { observed: { kind: 'elapsed' }, jvmStarts: null };
  if (!operation) return none(failure?.Error ?? 'EdgeUnreachable', failure?.Cause ?? 'the operation was never started');
  if (!operation.outcome) return undefined;
  if (operation.outcome.kind === 'lost') return none(operation.outcome.error, operation.outcome.detail);
  const parsed = parseEdgeReply(operation.outcome.reply, operation.id);
  if ('problem' in parsed) return none('EdgeReplyInvalid', parsed.problem);
  const { reply } = parsed;
  // A probe that ended answers for the copy that it asked for.
  const asked = reply.verb === 'probe' && reply.outcome === 'ok' ? reply.data?.reply : null;
  if (reply.verb === 'probe' && reply.outcome !== 'ok') return none('EdgeFailed', `${reply.code} ${reply.message}`);
  return { observed: observationOf(asked ?? reply, bounded), jvmStarts: reply.jvmStarts };
};

const observationOf = (reply: EdgeReply, bounded: (side: SeenSide) => SeenSide): Observation => {
  if (reply.outcome !== 'ok' || reply.data === null)
    return {
      kind: 'not-done',
      outcome: reply.outcome === 'ok' ? 'failed' : reply.outcome,
      code: reply.code,
      message: reply.message.slice(0, 1500),
      data: reply.verb === 'replicate' && reply.data ? { ...reply.data, log: '' } : null,
      deletion: reply.verb === 'delete' ? reply.data : null,
      ...(reply.verb === 'restore' && reply.data ? { restored: { ...reply.data, log: '' } } : {}),
    };
  switch (reply.verb) {
    case 'survey': {
      const { source, replica } = reply.data;
      const [here, there] = [countsOf(source), countsOf(replica)];
      return {
        kind: 'survey',
        source: bounded(source),
        replica: replica && bounded(replica),
        listed: { source: here.listed, replica: there.listed },
        active: { source: here.active, replica: there.active },
      };
    }
    case 'snapshot': {
      const { created, snapshot, diff, hooks } = reply.data;
      const notes = hooks.flatMap(({ phase, problem, output }) =>
        problem ? [`${phase} the snapshot: ${[problem, output].filter(Boolean).join(': ')}`.slice(0, 500)] : [],
      );
      return { kind: 'snapshot', created, snapshot, diff, ...(notes.length > 0 ? { notes } : {}) };
    }
    case 'diff':
      return { kind: 'diff', status: reply.data.status, reason: reply.data.reason };
    case 'replicate':
      return { kind: 'replicate', data: { ...reply.data, log: '' } };
    case 'verify':
      return { kind: 'verify', data: reply.data };
    case 'seal-unchanged':
      return { kind: 'unchanged', data: reply.data };
    case 'create-bucket':
      return { kind: 'bucket', ...reply.data };
    case 'tidy':
      return { kind: 'tidy', data: reply.data };
    case 'delete':
      return { kind: 'deletion', data: reply.data };
    case 'examine':
      return { kind: 'examination', data: reply.data };
    case 'restore':
      return { kind: 'restored', data: { ...reply.data, log: '' } };
    case 'compare':
      return { kind: 'comparison', data: reply.data };
    case 'divergence':
      return { kind: 'divergence', data: reply.data };
    case 'restrict':
      return { kind: 'restricted', data: reply.data };
    case 'remove-scratch':
      return { kind: 'scratch', removed: reply.data.removed };
    // What a look or a doctor found may be long, and stays with its operation.
    case 'versions':
    case 'buckets':
    case 'doctor':
      return { kind: 'looked' };
    case 'changes':
      return { kind: 'diff', status: reply.data.status, reason: reply.data.reason.slice(0, 1500) };
    case 'batch':
      return { kind: 'no-answer', error: 'EdgeReplyInvalid', cause: 'the reply is that of a batch' };
    case 'probe':
      return { kind: 'probe', state: reply.data.state === 'ended' ? 'unknown' : reply.data.state };
  }
};
