import * as z from 'zod';
import { DeletionPlan, doomedOf, sparedOf } from '../domain/deletion-plan.ts';
import type { RecoveryPoint } from '../domain/ledger.ts';
import { RunId, SnapshotName } from '../domain/names.ts';
import { type PlanHash, Side } from '../domain/retention.ts';
import { type EpochMs, later } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { isHeld } from '../planner/removals.ts';
import type { Clock, Ledger, PlanStore, Records } from '../ports.ts';
import { inParallel } from './in-parallel.ts';
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

/** Writes of the ledger at a time: a plan may condemn thousands. */
const AT_ONCE = 16;

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
    const plan = readPlan(DeletionPlan, hash, await deps.plans.load(hash));
    if (plan?.pair !== pair)
      throw new DrError('ItemInvalid', `the plan ${hash} is not there, or not what its hash says`);
    await deps.ledger.renewLease(pair, lease, later(now, LEASE));

    const points = new PointsById(await deps.ledger.livingPoints(pair));
    /** Both sides of a point in one write. */
    const change = async (all: readonly Planned[], wanted: (point: RecoveryPoint, side: Side) => Wanted) => {
      const changes = await inParallel(points.grouped(all), AT_ONCE, async ({ point, sides }) => {
        const removals = sides.flatMap((side) => {
          const removal = wanted(point, side);
          return removal === undefined ? [] : [[side, removal] as const];
        });
        if (removals.length === 0) return 0;
        const removal = { ...point.removal, ...Object.fromEntries(removals) };
        const changed = await deps.ledger.changePoint(pair, point, { removal });
        if (!changed) return 0;
        points.replace(changed);
        return removals.length;
      });
      return changes.reduce((sum, count) => sum + count, 0);
    };
    const condemnedBy = (point: RecoveryPoint, side: Side) => condemnation(point, side, hash, now);
    const concerned = (all: readonly Planned[], wanted: typeof condemnedBy): readonly Planned[] =>
      all.filter((planned) => {
        const point = points.find(planned);
        return point && wanted(point, planned.side) !== undefined;
      });
    const condemned = concerned(
      doomedOf(plan).filter((it) => it.plan === null),
      condemnedBy,
    );
    const spared = concerned(sparedOf(plan), sparing);

    // Recorded first: no point is condemned of which the record does not tell. One that is pinned at this moment is
    // told of although it stays; the pin is on record too.
    if (condemned.length > 0)
      await deps.records.append(
        pair,
        `condemned:${runId}:${step}`,
        { kind: 'condemned', runId, plan: hash, snapshots: condemned.map(recorded) },
        now,
      );
    if (spared.length > 0)
      await deps.records.append(
        pair,
        `spared:${runId}:${step}`,
        { kind: 'spared', runId, snapshots: spared.map(recorded) },
        now,
      );
    return { condemned: await change(condemned, condemnedBy), spared: await change(spared, sparing) };
  };

/** What the removal of a side becomes; undefined leaves it as it is. */
type Wanted = RecoveryPoint['removal'][Side] | undefined;

const condemnation = (point: RecoveryPoint, side: Side, plan: PlanHash, now: EpochMs): Wanted => {
  const known = point.removal[side];
  const isOnItsWay = known?.plan === plan || known?.state === 'deleted';
  return isOnItsWay || isHeld(point, now) ? undefined : { state: 'condemned', plan, condemnedAt: now, deletedAt: null };
};

const sparing = (point: RecoveryPoint, side: Side): Wanted =>
  point.removal[side]?.state === 'condemned' ? null : undefined;

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

  /** By point: those of one are changed together. */
  grouped(all: readonly Planned[]): readonly { readonly point: RecoveryPoint; readonly sides: readonly Side[] }[] {
    const sides = new Map<RecoveryPoint, Side[]>();
    for (const planned of all) {
      const point = this.find(planned);
      if (point) sides.set(point, [...(sides.get(point) ?? []), planned.side]);
    }
    return [...sides].map(([point, sides]) => ({ point, sides }));
  }

  replace(point: RecoveryPoint): void {
    this.#points.set(point.name, point);
  }
}
