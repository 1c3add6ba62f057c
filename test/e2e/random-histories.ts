import { expect } from 'vitest';
import type { RecoveryPoint, RunStep } from '../../functions/core/domain/ledger.ts';
import { Lab, type LabOptions } from '../in-process-edge/lab.ts';
import type { Change, TreeEntry } from '../ozone-simulator/change.ts';
import { unit } from '../ozone-simulator/faults/rules.ts';

/** What happens before a slot: on the source, by a stranger on the replica, and how long it is quiet before. */
export interface HistorySlot {
  readonly quietMs: number;
  readonly source: readonly Change[];
  readonly stranger: readonly Change[];
}

export interface History {
  readonly seed: number;
  readonly layout: 'FILE_SYSTEM_OPTIMIZED' | 'LEGACY';
  readonly slots: readonly HistorySlot[];
}

const DIRECTORIES = ['north', 'south', 'east', 'west'];
const FILES = ['alpha', 'beta', 'gamma', 'delta', 'name with blanks %20+é'];
/** Shorter and longer than what the cleaner of removed directories takes. */
const QUIET_MS = [20_000, 90_000, 3_600_000, 86_400_000];
const CHANGES = 32;

/** The life of a bucket: at least 32 changes in 4 to 6 slots. The same seed is the same history; one in five is LEGACY. */
export const randomHistory = (seed: number): History => {
  const writer = new Writer(seed);
  const slots = 4 + writer.below(3);
  const perSlot = Math.ceil(CHANGES / slots);
  return {
    seed,
    layout: writer.below(5) === 0 ? 'LEGACY' : 'FILE_SYSTEM_OPTIMIZED',
    slots: Array.from({ length: slots }, (_, slot) => {
      const stranger = slot > 0 && writer.below(8) === 0 ? writer.strange() : [];
      const source: Change[] = [];
      while (source.length < perSlot) source.push(...writer.some());
      return { quietMs: QUIET_MS[writer.below(QUIET_MS.length)] ?? 0, source, stranger };
    }),
  };
};

/** `HISTORY_SEED=n` replays one; `HISTORY_SEEDS=n` lives 1 to n. */
export const seedsOf = (many: number): readonly number[] => {
  const { HISTORY_SEED: only, HISTORY_SEEDS: otherwise = many } = process.env;
  return only === undefined ? Array.from({ length: Number(otherwise) }, (_, n) => n + 1) : [Number(only)];
};

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const isBelow = (path: string, directory: string): boolean => path.startsWith(`${directory}/`);

class Writer {
  /** What exists: the size of a file, null for a directory. */
  readonly #tree = new Map<string, number | null>();
  readonly #seed: number;
  #drawn = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  below(limit: number): number {
    this.#drawn += 1;
    return Math.floor(unit(this.#seed * 100_003 + this.#drawn) * limit);
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.below(from.length)];
  }

  #files(): readonly string[] {
    return [...this.#tree].filter(([, size]) => size !== null).map(([path]) => path);
  }

  #directories(): readonly string[] {
    return [...this.#tree].filter(([, size]) => size === null).map(([path]) => path);
  }

  /** A path that does not exist, below a directory that does, or below new ones. */
  #free(names: readonly string[], mayNest = false): string | undefined {
    const parents = ['', ...this.#directories().filter((path) => path.split('/').length < 4)];
    const parent = this.#pick(parents) ?? '';
    const middle = mayNest && this.below(3) === 0 ? `${this.#pick(DIRECTORIES)}/` : '';
    const path = `${parent === '' ? '' : `${parent}/`}${middle}${this.#pick(names)}`;
    const taken = this.#tree.has(path) || this.#files().some((file) => isBelow(path, file));
    return taken ? undefined : path;
  }

  /** What somebody else does to the replica, which is what the source was at the slot before. */
  strange(): readonly Change[] {
    const victim = this.#pick(this.#files());
    const size = victim === undefined ? null : (this.#tree.get(victim) ?? null);
    if (victim === undefined || size === null || this.below(2) === 0)
      return [{ op: 'put', path: 'intruder', size: 7, seed: this.below(1000) }];
    return this.below(2) === 0 ? [{ op: 'rm', path: victim }] : [{ op: 'put', path: victim, size, seed: 4711 }];
  }

  /** Changes that belong together; none when the draw does not fit what exists. */
  some(): readonly Change[] {
    switch (this.below(18)) {
      case 0:
      case 1:
      case 2:
        return this.#put(this.#free(FILES, true));
      case 3:
        return this.#put(this.#pick(this.#files()));
      case 4: {
        const file = this.#pick(this.#files());
        return this.#put(file, file === undefined ? undefined : (this.#tree.get(file) ?? undefined));
      }
      case 5:
        return this.#remove(this.#pick(this.#files()));
      case 6:
        return this.#remove(this.#pick(this.#directories()));
      case 7:
      case 8:
        return this.#move(this.#pick(this.#files()), this.#free(FILES));
      case 9:
      case 10:
        return this.#move(this.#pick(this.#directories()), this.#free(DIRECTORIES));
      case 11:
        return this.#swap(this.#files());
      case 12:
        return this.#swap(this.#directories());
      case 13: {
        const file = this.#pick(this.#files());
        return file === undefined ? [] : [...this.#remove(file), ...this.#put(file)];
      }
      case 14: {
        const directory = this.#pick(this.#directories());
        if (directory === undefined) return [];
        return [...this.#remove(directory), ...this.#put(`${directory}/${this.#pick(FILES)}`)];
      }
      case 15:
        return this.#renameAndCreate(this.#pick(this.#directories()), this.#free(DIRECTORIES), true);
      case 16:
        return this.#renameAndCreate(this.#pick(this.#files()), this.#free(FILES), false);
      default:
        return this.#make(this.#free(DIRECTORIES, true));
    }
  }

  #enter(path: string, size: number | null): void {
    for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) this.#tree.set(path.slice(0, at), null);
    this.#tree.set(path, size);
  }

  #put(path: string | undefined, size = 1 + this.below(200)): readonly Change[] {
    if (path === undefined) return [];
    this.#enter(path, size);
    return [{ op: 'put', path, size, seed: this.below(100_000) }];
  }

  #make(path: string | undefined): readonly Change[] {
    if (path === undefined) return [];
    this.#enter(path, null);
    return [{ op: 'mkdir', path }];
  }

  #remove(path: string | undefined): readonly Change[] {
    if (path === undefined) return [];
    const isDirectory = this.#tree.get(path) === null;
    for (const other of [...this.#tree.keys()]) if (other === path || isBelow(other, path)) this.#tree.delete(other);
    return [{ op: isDirectory ? 'rmr' : 'rm', path }];
  }

  #move(path: string | undefined, to: string | undefined): readonly Change[] {
    if (path === undefined || to === undefined || to === path || isBelow(to, path)) return [];
    for (const [other, size] of [...this.#tree]) {
      if (other !== path && !isBelow(other, path)) continue;
      this.#tree.delete(other);
      this.#tree.set(`${to}${other.slice(path.length)}`, size);
    }
    return [{ op: 'mv', path, to }];
  }

  #swap(from: readonly string[]): readonly Change[] {
    const [one, other] = [this.#pick(from), this.#pick(from)];
    if (one === undefined || other === undefined || one === other || isBelow(one, other) || isBelow(other, one))
      return [];
    return [...this.#move(one, 'swap'), ...this.#move(other, one), ...this.#move('swap', other)];
  }

  #renameAndCreate(path: string | undefined, to: string | undefined, isDirectory: boolean): readonly Change[] {
    const inside = isDirectory
      ? this.#pick([
          ...this.#files()
            .filter((file) => path !== undefined && isBelow(file, path))
            .map(nameOf),
          ...FILES,
        ])
      : undefined;
    const moved = this.#move(path, to);
    if (path === undefined || moved.length === 0) return [];
    return [...moved, ...this.#put(isDirectory ? `${path}/${inside}` : path)];
  }
}

/** Where a history is lived: simulated or real clusters, in this process or through the real script and machine. */
export interface World {
  quiet(ms: number): Promise<void>;
  change(side: 'source' | 'replica', changes: readonly Change[]): Promise<void>;
  backUp(): Promise<{ readonly status: string; readonly steps: readonly RunStep[] }>;
  newestPoint(): Promise<RecoveryPoint | undefined>;
  /** The live content, or that of a snapshot. */
  tree(side: 'source' | 'replica', snapshot?: string): Promise<ReadonlyMap<string, TreeEntry>>;
}

/** A bucket of the use cases in this process, in virtual time. */
export const inProcess = (
  { layout }: History,
  longestQuietMs = Infinity,
  limits: NonNullable<LabOptions['limits']> = {},
): World => {
  const lab = new Lab({ layout, limits });
  return {
    quiet: async (ms) => lab.advance(Math.min(ms, longestQuietMs)),
    change: async (side, changes) => lab[side].change(changes),
    backUp: () => lab.backUp(new Date(lab.now).toISOString()),
    newestPoint: async () => (await lab.points())[0],
    tree: async (side, snapshot) => lab.tree(side, snapshot),
  };
};

/** What became of the slots of a history. */
export interface Lived {
  /** By slot, what was decided: `replicate incremental`, `wait`, … */
  readonly decisions: readonly (readonly string[])[];
  /** By slot, JVMs that were started. */
  readonly jvmStarts: readonly number[];
  /** Increments that failed after they had changed the replica. */
  readonly failedIncrements: number;
  /** Increments that ended well and were found wrong by the comparison. */
  readonly wrongIncrements: number;
  readonly strangers: number;
}

const decisionOf = ({ decision }: RunStep): string =>
  decision.kind === 'replicate' ? `${decision.kind} ${decision.mode}` : decision.kind;

/** The code of the script for an increment that was broken off by a stranger's change. */
const isStrangers = ({ observed }: RunStep): boolean =>
  observed?.kind === 'not-done' && observed.code === 'target-modified';

/**
 * Lives a history: after each slot the run is verified, and the replica is the source's snapshot, path by path and byte
 * by byte, in its own snapshot and in its live content.
 */
export const live = async (world: World, { slots }: History): Promise<Lived> => {
  const runs: (readonly RunStep[])[] = [];
  for (const [slot, { quietMs, source, stranger }] of slots.entries()) {
    await world.quiet(quietMs);
    await world.change('source', source);
    if (stranger.length > 0) await world.change('replica', stranger);
    const { status, steps } = await world.backUp();
    runs.push(steps);
    const point = await world.newestPoint();
    const told = steps.map((step) => `${decisionOf(step)}: ${step.decision.reason}`);
    expect({ slot, status, state: point?.state, told }).toEqual({ slot, status: 'SUCCEEDED', state: 'verified', told });
    const expected = await world.tree('source', point?.name);
    expect(await world.tree('replica', point?.name), `slot ${slot}: the replica's snapshot`).toEqual(expected);
    expect(await world.tree('replica'), `slot ${slot}: the replica's live content`).toEqual(expected);
  }
  const steps = runs.flat();
  const increments = steps.filter((it) => decisionOf(it) === 'replicate incremental');
  return {
    decisions: runs.map((run) => run.map(decisionOf)),
    jvmStarts: runs.map((run) => run.reduce((sum, step) => sum + (step.jvmStarts ?? 0), 0)),
    failedIncrements: increments.filter(
      (it) => it.observed?.kind === 'not-done' && it.observed.outcome === 'failed' && !isStrangers(it),
    ).length,
    wrongIncrements: steps.filter((it, n) => {
      const before = steps[n - 1];
      const isDifferent = it.observed?.kind === 'verify' && !it.observed.data.equal;
      return isDifferent && before !== undefined && decisionOf(before) === 'replicate incremental';
    }).length,
    strangers: increments.filter(isStrangers).length,
  };
};
