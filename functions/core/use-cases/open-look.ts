import * as z from 'zod';
import type { RunStep } from '../domain/ledger.ts';
import { LookRequest } from '../domain/look.ts';
import { lookPair, pairId, runId, Slot } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import { DrError } from '../errors.ts';
import { questionOf } from '../planner/look.ts';
import { operation } from '../planner/steps.ts';
import type { Clock, Ledger } from '../ports.ts';
import { begin, historyOf, type Look } from './look.ts';
import { policyOf } from './open-run.ts';
import { parseEvent } from './parse-event.ts';
import { readingRun } from './reading-run.ts';

const OpenLookEvent = z.strictObject({ request: LookRequest, execution: z.string().min(1), startedAt: Slot });

export interface OpenLookDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Ledger;
  readonly clock: Clock;
}

/**
 * State machine step: opens a look into points of one bucket and records its first question. It takes no lease and
 * changes nothing of the bucket's. Safe to repeat for the same execution.
 * @throws EventInvalid, PolicyInvalid, PointGone; RunAlreadyOpen when another look into the bucket began in the same second
 */
export const openLook =
  (deps: OpenLookDependencies) =>
  async (event: unknown): Promise<Look> => {
    const { request, execution, startedAt } = parseEvent(OpenLookEvent, event);
    const { bucket } = request;
    const now = deps.clock.now();
    const policy = await policyOf(deps, request, now);
    const pair = lookPair(policy.source.name, bucket);
    const id = runId(pair, policy.name, startedAt, 'look');
    const points = await deps.ledger.livingPoints(pairId(policy.source.name, bucket, policy.replica?.name ?? null));
    const question = questionOf(request, points, policy, execution, now);
    const run = readingRun({ workflow: 'look', runId: id, pair, bucket, policy, execution }, startedAt, now);
    const recorded = await deps.ledger.recordStep(id, {
      n: 0,
      decision: operation(historyOf(run, []), question),
      decidedAt: now,
      operationStep: 0,
      observed: null,
      observedAt: null,
      jvmStarts: null,
    } satisfies RunStep);
    const first = recorded.decision;
    if ((first.kind !== 'look-versions' && first.kind !== 'look-changes') || first.execution !== execution)
      throw new DrError(
        'RunAlreadyOpen',
        `another look into ${bucket} by this policy began in the same second: start this one again`,
      );
    // After the step, which tells whose it is: what a loser wrote here would be the winner's run.
    await deps.ledger.putRun(run);
    return begin(deps.ledger, run, 0, first, now);
  };
