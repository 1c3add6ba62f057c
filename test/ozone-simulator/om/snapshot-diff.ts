import type { Bucket, Entry, Table } from '../store/model.ts';

export interface DiffEntry {
  readonly type: '-' | 'R' | '+' | 'M';
  /** `./path` */
  readonly source: string;
  readonly target?: string;
}

export type DiffResult = { readonly entries: readonly DiffEntry[] } | { readonly failure: string };

type Side = ReadonlyMap<number, Entry>;

const known = new WeakMap<Table, WeakMap<Table, DiffResult>>();

/** {@link computeDiff}, remembered as long as both tables are: a job is asked for its status more often than it is computed. */
export function snapshotDiff(bucket: Pick<Bucket, 'id' | 'layout'>, from: Table, to: Table): DiffResult {
  const results = known.get(from) ?? new WeakMap<Table, DiffResult>();
  const result = results.get(to) ?? computeDiff(bucket, from, to);
  known.set(from, results.set(to, result));
  return result;
}

/**
 * Ozone's full diff (SnapshotDiffManager of 2.2): objects are matched by id, records that are equal under the same
 * key are skipped, and a path is whatever its parents give in that snapshot. An object below a removed directory that
 * the cleaner has not reached has no path there: deleted if it had one before, an error if it has one only later.
 */
function computeDiff(bucket: Pick<Bucket, 'id' | 'layout'>, from: Table, to: Table): DiffResult {
  const before = changedObjects(from, to);
  const after = changedObjects(to, from);
  const oldPath = pathsIn(bucket, from);
  const newPath = pathsIn(bucket, to);
  const report: Record<DiffEntry['type'], DiffEntry[]> = { '-': [], R: [], '+': [], M: [] };
  const add = (type: DiffEntry['type'], source: string, target?: string): void => {
    report[type].push(target === undefined ? { type, source } : { type, source, target });
  };

  for (const id of [...new Set([...before.keys(), ...after.keys()])].sort((a, b) => a - b)) {
    const old = before.get(id);
    const now = after.get(id);
    const was = old && oldPath(old);
    const is = now && newPath(now);
    if (!old) {
      if (is) add('+', is);
    } else if (!now) {
      if (was) add('-', was);
    } else if (bucket.layout === 'FILE_SYSTEM_OPTIMIZED' && old.dir && old.key === now.key) {
      if (is) add('M', is);
    } else if (!was && is) {
      return { failure: unresolvable(old, now) };
    } else if (was && !is) {
      add('-', was);
    } else if (was && is) {
      const written = old.blocks !== now.blocks;
      if (written) add('M', was);
      if (!written || old.key !== now.key) add('R', was, is);
    }
  }
  return { entries: [...report['-'], ...report.R, ...report['+'], ...report.M] };
}

const changedObjects = (table: Table, other: Table): Side => {
  const changed = new Map<number, Entry>();
  for (const entry of table.values()) {
    const same = other.get(entry.key);
    if (same?.id !== entry.id || same.version !== entry.version) changed.set(entry.id, entry);
  }
  return changed;
};

function pathsIn(bucket: Pick<Bucket, 'id' | 'layout'>, table: Table): (entry: Entry) => string | null {
  if (bucket.layout !== 'FILE_SYSTEM_OPTIMIZED') return (entry) => `./${entry.key.replace(/\/$/, '')}`;
  const directories = new Map([...table.values()].filter((entry) => entry.dir).map((entry) => [entry.id, entry]));
  const resolve = (entry: Entry): string | null => {
    const slash = entry.key.indexOf('/');
    const parent = Number(entry.key.slice(0, slash));
    const name = entry.key.slice(slash + 1);
    if (parent === bucket.id) return `./${name}`;
    const directory = directories.get(parent);
    const path = directory ? resolve(directory) : null;
    return path === null ? null : `${path}/${name}`;
  };
  return resolve;
}

/** FSO keys carry negative object ids in Ozone; only the shape matters to a reader. */
const unresolvable = (old: Entry, now: Entry): string =>
  `Old and new key resolved paths both are not null when oldKey is null for oldKey : -${old.key} newKey: -${now.key}`;
