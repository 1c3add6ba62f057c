import * as z from 'zod';
import { doomedOf, sparedOf } from '../domain/deletion-plan.ts';
import type { RecoveryPoint } from '../domain/ledger.ts';
import { RunId, SnapshotName } from '../domain/names.ts';
import { type PlanHash, Side } from '../domain/retention.ts';
import { type EpochMs, later } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { isHeld } from '../planner/removals.ts';
import type { Clock, Ledger, PlanStore, Records } from '../ports.ts';
import { LEASE } from './open-run.ts';
import { parseEvent } from './parse-event.ts';
import { readPlan } from './plan-text.ts';

const CondemnEvent = z.strictObject({
  runId: RunId,
  lease: z.number().int().positive(),
  step: z.number().int().nonnegative(),
});

export interface CondemnDependencies {
  readonly ledger: Pick<Ledger, 'loadRun' | 'renewLease' | 'livingPoints' | 'changePoint'>;
  readonly plans: Pick<PlanStore, 'load'>;
  readonly records: Pick<Records, 'append'>;
  readonly clock: Clock;
}

/** What a plan says of one snapshot. */
type Planned = ReturnType<typeof sparedOf>[number];

/**
 * State machine step: marks what the plan of the recorded decision names as condemned under its hash, and takes back
 * what it spares. Deletes nothing. A point that was pinned since is left out. Safe to repeat.
 * @throws LeaseLost, EventInvalid, ItemInvalid when the plan is not there or not what its hash says
 */
export const condemnPoints =
  (deps: CondemnDependencies) =>
  async (event: unknown): Promise<{ readonly condemned: number; readonly spared: number }> => {
    const { runId, lease, step } = parseEvent(CondemnEvent, event);
    const known = await deps.ledger.loadRun(runId);
    const decision = known?.steps.find((it) => it.n === step)?.decision;
    if (!known || decision?.kind !== 'condemn')
      throw new DrError('EventInvalid', `step ${step} of ${runId} condemns nothing`);
    const { pair } = known.run;
    const now = deps.clock.now();
    const hash = decision.plan;
    const plan = readPlan(hash, await deps.plans.load(hash));
    if (plan?.pair !== pair)
      throw new DrError('ItemInvalid', `the plan ${hash} is not there, or not what its hash says`);
    await deps.ledger.renewLease(pair, lease, later(now, LEASE));

    // On record before anything is marked: whoever was cut off in between records it again, under the same id.
    const doomed = doomedOf(plan).filter((it) => it.plan === null);
    const spare = sparedOf(plan);
    if (doomed.length > 0)
      await deps.records.append(
        pair,
        `condemned:${hash}`,
        { kind: 'condemned', runId, plan: hash, snapshots: doomed.map(recorded) },
        now,
      );
    if (spare.length > 0)
      await deps.records.append(pair, `spared:${hash}`, { kind: 'spared', runId, snapshots: spare.map(recorded) }, now);

    const points = new PointsById(await deps.ledger.livingPoints(pair));
    const change = async (planned: Planned, wanted: (point: RecoveryPoint) => Wanted): Promise<readonly Planned[]> => {
      const point = points.find(planned);
      const removal = point && wanted(point);
      if (!point || removal === undefined) return [];
      const changed = await deps.ledger.changePoint(pair, point, {
        removal: { ...point.removal, [planned.side]: removal },
      });
      if (!changed) return [];
      points.replace(changed);
      return [planned];
    };
    const condemned: Planned[] = [];
    for (const planned of doomed)
      condemned.push(...(await change(planned, (point) => condemnation(point, planned.side, hash, now))));
    const spared: Planned[] = [];
    for (const planned of spare)
      spared.push(
        ...(await change(planned, (point) => (point.removal[planned.side]?.state === 'condemned' ? null : undefined))),
      );
    return { condemned: condemned.length, spared: spared.length };
  };

/** What the removal of a side becomes; undefined leaves it as it is. */
type Wanted = RecoveryPoint['removal'][Side] | undefined;

const condemnation = (point: RecoveryPoint, side: Side, plan: PlanHash, now: EpochMs): Wanted => {
  const known = point.removal[side];
  const isOnItsWay = known?.plan === plan || known?.state === 'deleted';
  return isOnItsWay || isHeld(point, now) ? undefined : { state: 'condemned', plan, condemnedAt: now, deletedAt: null };
};

const recorded = ({ side, name, id, reasons }: Planned) => ({ side, name: SnapshotName.parse(name), id, reasons });

/** The points by the ids of their snapshots, as they are after each change. */
class PointsById {
  readonly #points = new Map<string, RecoveryPoint>();
  readonly #names = new Map<string, string>();

  constructor(points: readonly RecoveryPoint[]) {
    for (const point of points) {
      this.replace(point);
      for (const side of Side.options) {
        const id = point[side]?.id;
        if (id) this.#names.set(`${side} ${id}`, point.name);
      }
    }
  }

  find({ side, id }: Planned): RecoveryPoint | undefined {
    return this.#points.get(this.#names.get(`${side} ${id}`) ?? '');
  }

  replace(point: RecoveryPoint): void {
    this.#points.set(point.name, point);
  }
}
