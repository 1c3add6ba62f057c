import { isDeepStrictEqual } from 'node:util';
import { sha256 } from '../../functions/adapters/sha256.ts';
import { verifyChain } from '../../functions/core/domain/chain.ts';
import { DeletionPlan, doomedOf } from '../../functions/core/domain/deletion-plan.ts';
import type { PairState, RecoveryPoint } from '../../functions/core/domain/ledger.ts';
import type { Happening } from '../../functions/core/domain/record.ts';
import { epochMs } from '../../functions/core/domain/units.ts';
import { isHeld } from '../../functions/core/planner/removals.ts';
import { readPlan } from '../../functions/core/use-cases/plan-text.ts';
import type { Lab, Side } from '../in-process-edge/lab.ts';

const SIDES = ['source', 'replica'] as const satisfies readonly Side[];

/** The only rules that these tests use: so many of the newest points stay, and nothing goes before it was condemned so long. */
export interface Keeps {
  readonly source: number;
  /** Null for a policy without a replica. */
  readonly replica: number | null;
  readonly graceHours: number;
}

/** The same, as a policy has it. */
export const retentionOf = ({ source, replica, graceHours }: Keeps): object => ({
  zone: 'UTC',
  source: { keepLast: source },
  ...(replica === null ? {} : { replica: { keepLast: replica } }),
  graceHours,
  coolingOffHours: 0,
});

type Pair = Pick<NonNullable<PairState['base']>, 'sourceId' | 'replicaId'>;

interface Vanished {
  readonly side: Side;
  readonly name: string;
  readonly id: string;
  /** Null when somebody else deleted it. */
  readonly operation: string | null;
}

/**
 * What must hold whenever a snapshot vanishes, worked out here anew: from what the ledger was last told, the rules in
 * words as plain as possible, and the clusters themselves.
 */
export class DeletionPromises {
  /** Every snapshot that was deleted, by its id. */
  readonly vanished = new Map<string, Vanished>();
  readonly #say: (holds: boolean, what: string) => void;
  readonly #keeps: Keeps | null;
  readonly #points = new Map<string, RecoveryPoint>();
  /** Snapshots whose condemnation a prune took back. */
  readonly #spared = new Set<string>();
  /** Snapshots that a host was told to delete: if somebody else was a moment faster, the product cannot tell. */
  readonly #doomed = new Set<string>();
  #lab: Lab | undefined;
  #pair: PairState | undefined;

  constructor(keeps: Keeps | null, say: (holds: boolean, what: string) => void) {
    this.#keeps = keeps;
    this.#say = say;
  }

  watch(lab: Lab): void {
    this.#lab = lab;
  }

  pairIs(pair: PairState): void {
    this.#pair = pair;
  }

  /** A point as the ledger has just written it; what `changePoint` owns is left as it was when the point was put. */
  pointIs(point: RecoveryPoint, isPut: boolean): void {
    const known = this.#points.get(point.name);
    const { pins, holds, removal, revision } = (isPut && known) || point;
    for (const side of SIDES) if (removal[side]?.state === 'deleting') this.#doomed.add(point[side]?.id ?? '');
    // A person who keeps a point takes its condemnation back with the same write.
    if (known && known.pins.length === pins.length && known.holds.length === holds.length)
      for (const side of SIDES)
        if (known.removal[side]?.state === 'condemned' && removal[side] === null)
          this.#spared.add(point[side]?.id ?? '');
    this.#points.set(point.name, { ...point, pins, holds, removal, revision });
  }

  /** Runs what may delete snapshots. @param by the operation and its verb; null for somebody else */
  deleting<R>(by: { readonly operation: string; readonly verb: string } | null, work: () => R): R {
    if (!this.#lab) return work();
    const before = this.#active();
    try {
      return work();
    } finally {
      const after = this.#active();
      const gone = [...before].flatMap(([id, it]) => (after.has(id) ? [] : [{ id, ...it }]));
      if (by) for (const it of gone) this.#checkDeletion(it, by);
      for (const it of gone) this.vanished.set(it.id, { ...it, operation: by?.operation ?? null });
    }
  }

  #pointOf({ side, id }: { readonly side: Side; readonly id: string }): RecoveryPoint | undefined {
    return [...this.#points.values()].find((it) => it[side]?.id === id);
  }

  #active(): ReadonlyMap<string, { readonly side: Side; readonly name: string }> {
    return new Map(
      SIDES.flatMap((side) => (this.#lab?.snapshots(side) ?? []).map(({ id, name }) => [id, { side, name }] as const)),
    );
  }

  #checkDeletion(
    { id, side, name }: { readonly id: string; readonly side: Side; readonly name: string },
    { operation, verb }: { readonly operation: string; readonly verb: string },
  ): void {
    if (!this.#lab) return;
    const what = `${operation} deleted ${name} of the ${side}`;
    const point = this.#pointOf({ side, id });
    const isOurs = verb === 'delete';
    this.#say(isOurs === !!point, isOurs ? `${what}, which is not ours` : `${what}, a point, by ${verb}`);
    if (!point) return;
    const removal = point.removal[side];
    this.#say(removal?.state === 'deleting', `${what}, which the ledger calls ${removal?.state ?? 'alive'}`);
    if (removal?.plan) {
      const plan = readPlan(DeletionPlan, removal.plan, this.#lab.plans.plans.get(removal.plan));
      const isNamed = !!plan && doomedOf(plan).some((it) => it.side === side && it.id === id);
      this.#say(isNamed, `${what}, and its plan is not stored or does not name it`);
      const age = this.#lab.now - removal.condemnedAt;
      const grace = (this.#keeps?.graceHours ?? Number.POSITIVE_INFINITY) * 3_600_000;
      this.#say(age >= grace, `${what} only ${age / 3_600_000} hours after it was condemned`);
    }
    this.#say(!isHeld(point, this.#lab.now) && point.pinned === null, `${what}, which is pinned`);
    this.#say(!this.#inUse().has(point.name), `${what}, which a copy uses`);
    const why = this.#whyKept(side).get(point.name);
    this.#say(why === undefined, `${what}: it is ${why}`);
  }

  #isThere(point: RecoveryPoint, side: Side): boolean {
    return point[side] !== null && point.removal[side]?.state !== 'deleted';
  }

  /** A copy of which nothing more can be asked: verified, and there on both sides; taken, where there is but one. */
  #isGood(point: RecoveryPoint): boolean {
    return this.#keeps?.replica === null
      ? this.#isThere(point, 'source')
      : point.state === 'verified' && SIDES.every((side) => this.#isThere(point, side));
  }

  /** What has to stay on a side, by the ledger. */
  #whyKept(side: Side): ReadonlyMap<string, string> {
    const points = [...this.#points.values()].sort((one, other) => other.source.created - one.source.created);
    const kept = new Map<string, string>();
    const judged = points.filter((it) => this.#isThere(it, side) && (side === 'source' || it.state === 'verified'));
    for (const it of judged.slice(0, this.#keeps?.[side] ?? judged.length)) kept.set(it.name, 'kept by the rules');
    const newest = points.find((it) => this.#isGood(it));
    if (newest) kept.set(newest.name, 'the newest good point');
    const newestHere = judged.find((it) => this.#keeps?.replica === null || it.state === 'verified');
    if (newestHere) kept.set(newestHere.name, `the newest good point of the ${side}`);
    const { base, previousBase } = this.#pair ?? {};
    if (base) kept.set(base.name, 'the base');
    if (previousBase) kept.set(previousBase.name, 'the base before the last');
    return kept;
  }

  /** Others deleted it on both sides: that we never do is promised elsewhere. */
  isGoneEverywhere({ sourceId, replicaId }: Pair): boolean {
    return [sourceId, replicaId].every((id) => this.vanished.get(id)?.operation === null);
  }

  /** The same, on one side at least. */
  isGoneSomewhere({ sourceId, replicaId }: Pair): boolean {
    return [sourceId, replicaId].some((id) => this.vanished.get(id)?.operation === null);
  }

  /** What the ledger says of points that are on their way out is so. */
  async check(): Promise<void> {
    if (!this.#lab) return;
    const { pair } = await this.#lab.pair();
    const living = await this.#lab.ledger.livingPoints(pair);
    for (const point of [...living, ...(await this.#lab.ledger.retiredPoints(pair))])
      for (const side of SIDES)
        if (point.removal[side]?.state === 'deleted')
          this.#say(
            this.vanished.has(point[side]?.id ?? ''),
            `the ledger calls ${point.name} deleted on the ${side}, where it is`,
          );
  }

  /**
   * What a prune that nothing disturbs leaves behind: what is not kept is gone, or condemned and waiting; ledger, record
   * and clusters tell the same. @param since when that prune began. @returns what does not
   */
  async disagreements(since: number): Promise<readonly string[]> {
    if (!this.#lab || !this.#keeps) return [];
    const lab = this.#lab;
    const { pair } = await lab.pair();
    const [living, retired] = [await lab.ledger.livingPoints(pair), await lab.ledger.retiredPoints(pair)];
    const told = (await lab.records.read(pair)).map(({ happening }) => happening);
    const wrong: string[] = [];
    const expect = (holds: boolean, what: string): void => {
      if (!holds) wrong.push(what);
    };
    const chain = verifyChain(sha256, pair, await lab.records.links(pair), []);
    expect(chain.kind === 'whole', `the record is broken: ${JSON.stringify(chain)}`);
    const active = this.#active();
    for (const point of living) {
      expect(
        isDeepStrictEqual(this.#points.get(point.name), point),
        `${point.name} is another than what the ledger answered`,
      );
      for (const side of SIDES) {
        const id = point[side]?.id;
        if (!id) continue;
        const state = point.removal[side]?.state ?? 'alive';
        expect(
          active.has(id) === (state === 'alive' || state === 'condemned'),
          `${point.name} of the ${side} is ${state}, and ${active.has(id) ? 'there' : 'gone'}`,
        );
        if (!active.has(id)) continue;
        expect(
          state !== 'condemned' || isToldOf(told, 'condemned', id),
          `that ${point.name} of the ${side} was condemned is not on record`,
        );
        const isInUse = this.#inUse().has(point.name);
        const wanted = [since, lab.now].map((at) => this.#wanted(point, side, at));
        expect(
          isInUse || wanted.some((it) => it === state),
          `${point.name} of the ${side} is ${state}: ${this.#told(point)}`,
        );
      }
      expect(
        SIDES.some((side) => active.has(point[side]?.id ?? '')),
        `${point.name} is gone and not retired`,
      );
    }
    for (const point of retired)
      expect(!SIDES.some((side) => active.has(point[side]?.id ?? '')), `${point.name} is retired, and there`);
    for (const id of this.#spared) expect(isToldOf(told, 'spared', id), `that ${id} was spared is not on record`);
    for (const it of this.vanished.values()) {
      const point = [...living, ...retired].find((one) => one[it.side]?.id === it.id);
      if (point) wrong.push(...recordedWrongly(it, told, this.#doomed.has(it.id)));
    }
    return wrong;
  }

  /** What an active snapshot of a point of ours is, once a prune was here. */
  #wanted(point: RecoveryPoint, side: Side, now: number): 'alive' | 'condemned' | 'gone' {
    if (!this.#keeps) return 'alive';
    const grace = this.#keeps.graceHours * 3_600_000;
    const newest = [...this.#points.values()].reduce(
      (last, it) => (this.#isGood(it) ? Math.max(last, it.source.created) : last),
      0,
    );
    if (this.#whyKept(side).has(point.name) || isHeld(point, epochMs(now)) || point.pinned !== null) return 'alive';
    if (!this.#isGood(point) && point.source.created > newest) return 'alive';
    const since = point.removal[side]?.condemnedAt;
    if (since === undefined && now - (point[side]?.created ?? now) < grace) return 'alive';
    return since !== undefined && now - since >= grace ? 'gone' : 'condemned';
  }

  /** Points of copies that may be going on, as far as the ledger knows. */
  #inUse(): ReadonlySet<string> {
    const copies = (this.#pair?.copies ?? []).filter(({ to }) => to === null);
    return new Set(copies.flatMap(({ point, base }) => [point, base ?? point]));
  }

  #told({ source, removal }: RecoveryPoint): string {
    const hours = (at: number | undefined) => (at === undefined ? '' : `${((this.#lab?.now ?? 0) - at) / 3_600_000} h`);
    return `taken ${hours(source.created)} ago, condemned ${hours(removal.source?.condemnedAt)} and ${hours(removal.replica?.condemnedAt)} ago`;
  }
}

const isToldOf = (told: readonly Happening[], kind: 'condemned' | 'spared', id: string): boolean =>
  told.some((it) => it.kind === kind && it.snapshots.some((one) => one.id === id));

/** Every deletion is on record, as what it was. */
const recordedWrongly = (
  { side, name, id, operation }: Vanished,
  told: readonly Happening[],
  isDoomed: boolean,
): readonly string[] => {
  const entries = told.flatMap((it) =>
    it.kind === 'deleted' && it.snapshots.some((one) => one.side === side && one.id === id) ? [it] : [],
  );
  const byUs = operation !== null;
  if (entries.length === 0) return [`that ${name} of the ${side} was deleted is not on record`];
  if (operation === null && isDoomed) return [];
  return entries.some((it) => it.byUs !== byUs || (byUs && it.plan === null))
    ? [
        `the record says of ${name} of the ${side} by whom it was deleted: ${entries.map((it) => it.byUs)}, ${operation}`,
      ]
    : [];
};
