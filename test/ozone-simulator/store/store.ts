import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './lock.ts';
import { type Bucket, type ClusterState, type Entry, emptyCluster, type Snapshot, type Table } from './model.ts';

/** Where one cluster's state lives. `transact` is serialised, and after a crash either all of it happened or nothing. */
export interface ClusterStore {
  read(): ClusterState;
  transact<T>(change: (state: ClusterState) => readonly [ClusterState, T]): T;
}

export function memoryStore(): ClusterStore {
  let state = emptyCluster;
  return {
    read: () => state,
    transact(change) {
      const [next, result] = change(state);
      state = next;
      return result;
    },
  };
}

type Row = readonly [number, string, 0 | 1, number, string, string, number, number, string, number, number];
type StoredSnapshot = Omit<Snapshot, 'table'> & { readonly table: string };
type StoredBucket = Omit<Bucket, 'table' | 'snapshots'> & {
  readonly table: string;
  readonly snapshots: readonly StoredSnapshot[];
};
type StoredState = Omit<ClusterState, 'buckets'> & { readonly buckets: readonly StoredBucket[] };

const toRow = (e: Entry): Row => [
  e.id,
  e.key,
  e.dir ? 1 : 0,
  e.size,
  e.content,
  e.crc,
  e.created,
  e.modified,
  e.owner,
  e.blocks,
  e.version,
];

const fromRow = ([id, key, dir, size, content, crc, created, modified, owner, blocks, version]: Row): Entry => ({
  id,
  key,
  dir: dir === 1,
  size,
  content,
  crc,
  created,
  modified,
  owner,
  blocks,
  version,
});

/**
 * A folder: `state.json` is replaced by renaming a finished file over it; each version of a bucket's table is one
 * file named by its hash while anything refers to it, so a snapshot costs a reference. Tables are kept in memory by hash while the process lives.
 */
export function folderStore(directory: string): ClusterStore {
  const statePath = join(directory, 'state.json');
  const tables = new Map<string, Table>();
  const hashes = new WeakMap<Table, string>();
  const stored = new WeakMap<Snapshot, StoredSnapshot>();
  mkdirSync(join(directory, 'tables'), { recursive: true });

  const pathOf = (hash: string): string => join(directory, 'tables', `${hash}.json`);

  const loadTable = (hash: string): Table => {
    const known = tables.get(hash);
    if (known) return known;
    const rows: readonly Row[] = JSON.parse(readFileSync(pathOf(hash), 'utf8'));
    const table: Table = new Map(rows.map(fromRow).map((entry) => [entry.key, entry]));
    tables.set(hash, table);
    hashes.set(table, hash);
    return table;
  };

  const saveTable = (table: Table): string => {
    const known = hashes.get(table);
    if (known !== undefined && existsSync(pathOf(known))) return known;
    const text = JSON.stringify([...table.values()].map(toRow));
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 32);
    const path = pathOf(hash);
    if (!existsSync(path)) replace(path, text);
    tables.set(hash, table);
    hashes.set(table, hash);
    return hash;
  };

  const replace = (path: string, text: string): void => {
    const draft = `${path}.${process.pid}.draft`;
    writeFileSync(draft, text);
    renameSync(draft, path);
  };

  /** Snapshots are many and seldom looked into: their tables are loaded when somebody asks. */
  const loadSnapshot = (row: StoredSnapshot): Snapshot => {
    const snapshot: Snapshot = {
      ...row,
      get table() {
        return loadTable(row.table);
      },
    };
    stored.set(snapshot, row);
    return snapshot;
  };

  /** Without the lock: a table may have gone between reading the state and reading it, then the state is newer. */
  const readAgain = (attempts: number): ClusterState => {
    try {
      return read();
    } catch (error) {
      if (attempts === 0) throw error;
      return readAgain(attempts - 1);
    }
  };

  const tablesOf = (state: ClusterState): ReadonlySet<string> =>
    new Set(
      state.buckets.flatMap((bucket) => [
        saveTable(bucket.table),
        ...bucket.snapshots.map((snapshot) => stored.get(snapshot)?.table ?? saveTable(snapshot.table)),
      ]),
    );

  const read = (): ClusterState => {
    if (!existsSync(statePath)) return emptyCluster;
    const state: StoredState = JSON.parse(readFileSync(statePath, 'utf8'));
    return {
      ...state,
      buckets: state.buckets.map((bucket) => ({
        ...bucket,
        table: loadTable(bucket.table),
        snapshots: bucket.snapshots.map(loadSnapshot),
      })),
    };
  };

  const write = (state: ClusterState): void => {
    const rows: StoredState = {
      ...state,
      buckets: state.buckets.map((bucket) => ({
        ...bucket,
        table: saveTable(bucket.table),
        snapshots: bucket.snapshots.map(
          (snapshot) => stored.get(snapshot) ?? { ...snapshot, table: saveTable(snapshot.table) },
        ),
      })),
    };
    replace(statePath, JSON.stringify(rows));
  };

  return {
    read: () => readAgain(20),
    transact: (change) =>
      withLock(join(directory, 'lock'), () => {
        const before = read();
        const [after, result] = change(before);
        if (after === before) return result;
        write({ ...after, revision: before.revision + 1 });
        const kept = tablesOf(after);
        for (const hash of tablesOf(before)) if (!kept.has(hash)) rmSync(pathOf(hash), { force: true });
        return result;
      }),
  };
}
