import { unit } from '../../ozone-simulator/faults/rules.ts';
import type { Change, Driver, TreeEntry } from './driver.ts';
import { Stage } from './stage.ts';

/** A bucket's life: for each slot the changes since the one before. */
export type History = readonly (readonly Change[])[];

/** Names are few, so that what was deleted or renamed comes back under its old name. */
const directories = ['d0', 'd1', 'd2', 'd3'];
const files = ['f0', 'f1', 'f2', 'f3', 'f4'];

/** Reproducible: the same seed is the same history. Only changes that the file system accepts. */
export function randomHistory(seed: number, slots: number, changesPerSlot: number): History {
  const writer = new Writer(seed);
  return Array.from({ length: slots }, () => {
    const changes: Change[] = [];
    while (changes.length < changesPerSlot) changes.push(...writer.some());
    return changes;
  });
}

class Writer {
  /** What exists: `true` for a directory. */
  private readonly tree = new Map<string, boolean>();
  private readonly seed: number;
  private drawn = 0;

  constructor(seed: number) {
    this.seed = seed;
  }

  private below(limit: number): number {
    return Math.floor(unit(this.seed * 100_003 + this.drawn++) * limit);
  }

  private pick<T>(from: readonly T[]): T | undefined {
    return from[this.below(from.length)];
  }

  private paths(directory: boolean): readonly string[] {
    return [...this.tree].filter(([, isDirectory]) => isDirectory === directory).map(([path]) => path);
  }

  private free(names: readonly string[]): string | undefined {
    const parent = this.pick(['', ...this.paths(true).filter((path) => path.split('/').length < 3)]);
    const name = this.pick(names);
    const path = parent === '' || parent === undefined ? `${name}` : `${parent}/${name}`;
    return this.tree.has(path) ? undefined : path;
  }

  /** One change, or the few that belong together; none when the draw does not fit what exists. */
  some(): readonly Change[] {
    const kind = this.below(14);
    if (kind < 3) return this.write(this.free(files));
    if (kind < 5) return this.write(this.pick(this.paths(false)));
    if (kind < 7) return this.make(this.free(directories));
    if (kind === 7) return this.remove(this.pick(this.paths(false)));
    if (kind === 8) return this.remove(this.pick(this.paths(true)));
    if (kind < 11) return this.move(this.pick(this.paths(true)), this.free(directories));
    if (kind === 11) return this.swap();
    return this.move(this.pick(this.paths(false)), this.free(files));
  }

  private write(path: string | undefined): readonly Change[] {
    if (path === undefined) return [];
    this.tree.set(path, false);
    return [{ op: 'text', path, content: `${this.below(10)}`.repeat(1 + this.below(6)) }];
  }

  private make(path: string | undefined): readonly Change[] {
    if (path === undefined) return [];
    this.tree.set(path, true);
    return [{ op: 'mkdir', path }];
  }

  private remove(path: string | undefined): readonly Change[] {
    if (path === undefined) return [];
    const directory = this.tree.get(path) === true;
    for (const other of [...this.tree.keys()])
      if (other === path || other.startsWith(`${path}/`)) this.tree.delete(other);
    return [{ op: directory ? 'rmr' : 'rm', path }];
  }

  private move(path: string | undefined, to: string | undefined): readonly Change[] {
    if (path === undefined || to === undefined || to === path || to.startsWith(`${path}/`)) return [];
    for (const [other, directory] of [...this.tree]) {
      if (other !== path && !other.startsWith(`${path}/`)) continue;
      this.tree.delete(other);
      this.tree.set(`${to}${other.slice(path.length)}`, directory);
    }
    return [{ op: 'mv', path, to }];
  }

  private swap(): readonly Change[] {
    const [a, b] = [this.pick(this.paths(false)), this.pick(this.paths(false))];
    if (a === undefined || b === undefined || a === b || this.tree.has('swap')) return [];
    return [...this.move(a, 'swap'), ...this.move(b, a), ...this.move('swap', b)];
  }
}

export interface SlotOutcome {
  /** Exit code of `distcp -update -diff`; null for the first slot, which is a full copy. */
  readonly increment: number | null;
  /** Whether the replica was the source's snapshot after it, without any repair. */
  readonly equal: boolean;
  readonly replica: ReadonlyMap<string, TreeEntry>;
}

/**
 * Lives a history: each slot is frozen, carried over by an increment, compared path by path, repaired by a full copy
 * if it failed or differs, compared again, and sealed.
 * @throws when a full copy does not make the replica equal.
 */
export async function live(
  driver: Driver,
  volume: string,
  bucket: string,
  history: History,
): Promise<readonly SlotOutcome[]> {
  const stage = new Stage(driver, volume, bucket);
  const outcomes: SlotOutcome[] = [];
  for (const [slot, changes] of history.entries()) {
    await stage.change('prod', ...changes);
    const name = `s-${slot}`;
    await stage.snapshots('prod', name);
    const ran = slot === 0 ? await stage.full(name) : await stage.incremental(`s-${slot - 1}`, name);
    const equal = await stage.isReplica(name);
    if (ran.exit !== 0 || !equal) {
      const repair = await stage.full(name);
      if (repair.exit !== 0 || !(await stage.isReplica(name)))
        throw new Error(`slot ${slot}: a full copy did not repair the replica`);
    }
    await stage.snapshots('dr', name);
    outcomes.push({ increment: slot === 0 ? null : ran.exit, equal, replica: await stage.tree('dr', name) });
  }
  return outcomes;
}

/** Seeds to live: `OZONE_HISTORIES` many from `OZONE_HISTORY_SEED` (1), else those given. */
export const seeds = (otherwise: readonly number[]): readonly number[] => {
  const many = process.env.OZONE_HISTORIES;
  if (many === undefined) return otherwise;
  return Array.from({ length: Number(many) }, (_, index) => Number(process.env.OZONE_HISTORY_SEED ?? 1) + index);
};
