import * as z from 'zod';
import { type BucketRef, pairId } from '../../core/domain/names.ts';
import { PlanHash } from '../../core/domain/retention.ts';
import type { FailoverFleetPlan, Role } from '../../core/domain/roles.ts';
import { isSettledOnReplica } from '../../core/planner/roles.ts';
import { count } from '../../core/planner/sentences.ts';
import type { ExecutionState } from '../../core/ports.ts';
import { failoverOf, fleetPlanOf } from '../../core/use-cases/failover-fleet.ts';
import { inParallel } from '../../core/use-cases/in-parallel.ts';
import { linkButton } from '../action.ts';
import type { Links } from '../endpoints.ts';
import { type Html, html, type Value } from '../html.ts';
import { table, toned } from '../parts.ts';
import type { ActingDependencies } from './acting.ts';

/** Two reads of a bucket, for 100 at most. */
const AT_A_TIME = 20;

/** One bucket of a fleet of failovers that was confirmed. */
export interface FleetMove {
  readonly bucket: BucketRef;
  /** Where it is in the order, from 0. */
  readonly group: number;
  /** ARN of the execution that fails it over, also when it was not begun yet. */
  readonly execution: string;
  /** Undefined when this fleet did not begin it: its turn did not come, or it was failed over before. */
  readonly failover: ExecutionState | undefined;
  readonly role: Role | null;
}

export interface FleetMoves {
  readonly plan: FailoverFleetPlan;
  readonly moves: readonly FleetMove[];
}

const Confirmed = z.looseObject({ plan: PlanHash });

/** The fleet, by the name of its machine, which is in its ARN. */
const FLEET = /-failover-fleet:[^:]+$/;

export const isFleetOfFailovers = (execution: string): boolean => FLEET.test(execution);

/** How far each bucket of a fleet is; undefined when nothing was confirmed, or its plan is not there any more. */
export const movesOf = async (
  { plans, ledger, machines }: Pick<ActingDependencies, 'plans' | 'ledger' | 'machines'>,
  fleet: string,
  { input, startedAt }: ExecutionState,
): Promise<FleetMoves | undefined> => {
  const { data: confirmed } = Confirmed.safeParse(input);
  const plan = confirmed && (await fleetPlanOf(plans, confirmed.plan));
  if (!confirmed || !plan) return undefined;
  const buckets = plan.groups.flatMap((of, group) => of.map(({ bucket }) => ({ bucket, group })));
  const moves = await inParallel(buckets, AT_A_TIME, async ({ bucket, group }): Promise<FleetMove> => {
    const execution = fleet.replace(FLEET, `-failover:${failoverOf(confirmed.plan, bucket, startedAt)}`);
    const [{ role }, failover] = await Promise.all([
      ledger.loadPair(pairId(plan.from, bucket, plan.to)),
      machines.look(execution),
    ]);
    return { bucket, group, execution, failover, role };
  });
  return { plan, moves };
};

type Standing = 'moved' | 'at-work' | 'half' | 'stopped' | 'over' | 'waits';

const standingOf = ({ failover, role }: FleetMove): Standing => {
  if (isSettledOnReplica(role)) return 'moved';
  if (failover?.status === 'running') return 'at-work';
  if (role?.state === 'moving') return 'half';
  if (failover === undefined) return 'waits';
  return failover.status === 'succeeded' ? 'over' : 'stopped';
};

/**
 * Stops the failovers of a fleet that are at work, but not one that has only to write down that it is done.
 * @returns the buckets of those that could not be stopped, and why: the others are stopped all the same
 */
export const stopMoves = async (
  { machines }: Pick<ActingDependencies, 'machines'>,
  { moves }: FleetMoves,
  cause: string,
): Promise<readonly { readonly bucket: BucketRef; readonly problem: string }[]> => {
  const atWork = moves.filter((it) => standingOf(it) === 'at-work');
  const stopped = await inParallel(atWork, AT_A_TIME, async ({ bucket, execution }) => {
    try {
      await machines.stop(execution, cause);
      return [];
    } catch (error) {
      return [{ bucket, problem: error instanceof Error ? error.message : String(error) }];
    }
  });
  return stopped.flat();
};

const standingText = (move: FleetMove, { from, to }: FailoverFleetPlan, isOver: boolean): Value => {
  switch (standingOf(move)) {
    case 'moved':
      return html`${toned('good', 'Failed over:')} ${to} is its primary, epoch ${move.role?.epoch}`;
    case 'at-work':
      return html`${toned('warn', 'At work')}${move.role?.state === 'moving' ? ', and its roles are on their way' : `: people write to ${from}`}${isOver && '; its own page cancels it'}`;
    case 'half':
      return html`${toned('bad', 'Half moved:')} nothing backs it up, and nobody may write to it, until it is gone on with`;
    case 'stopped': {
      const { status, error } = move.failover ?? {};
      return html`${toned('bad', status === 'cancelled' ? 'Cancelled' : `Failed${error ? `: ${error}` : ''}`)}, before its roles moved: people write to ${from} as before`;
    }
    case 'over':
      return `Failed over by then; its roles were moved again since`;
    case 'waits':
      return isOver ? `Not begun: people write to ${from} as before` : 'Waits for its turn';
  }
};

/** How far each bucket is, in their order. `isOver`: the fleet begins no more of them. Pure. */
export const movesTable = ({ plan, moves }: FleetMoves, links: Links, isOver: boolean): Html =>
  table(
    `How far the buckets of ${plan.policy} are`,
    ['Order', 'Bucket', 'How far it is', html`<span class="odr-soft">More</span>`],
    moves.map((move) => [
      String(move.group + 1),
      linkButton(move.bucket, links.bucket({ policy: plan.policy, bucket: move.bucket })),
      standingText(move, plan, isOver),
      move.failover
        ? linkButton('Its failover', links.run('failover', move.execution), `The failover of ${move.bucket}`)
        : '–',
    ]),
  );

/** Of how many it is said what a person has to know first. Pure. */
export const movesSummary = ({ moves }: FleetMoves): Html => {
  const of = (...wanted: readonly Standing[]): number => moves.filter((it) => wanted.includes(standingOf(it))).length;
  const [atWork, half, left] = [of('at-work'), of('half'), of('stopped', 'waits')];
  return html`<p>Failed over: <strong>${of('moved', 'over')} of ${count(moves.length, 'bucket')}</strong>${atWork > 0 && `, ${atWork} at work`}${half > 0 && html`, ${toned('bad', `${half} half moved`)}`}${left > 0 && `, ${left} not`}.</p>`;
};

/** The buckets that are not failed over, in their order, as groups. Pure. */
export const whatIsLeft = ({ plan, moves }: FleetMoves): readonly (readonly BucketRef[])[] =>
  plan.groups
    .map((_, n) => moves.filter(({ group, role }) => group === n && !isSettledOnReplica(role)))
    .map((group) => group.map(({ bucket }) => bucket))
    .filter((group) => group.length > 0);
