import type { Content } from '../store/blobs.ts';
import type { Bucket, Entry, Table } from '../store/model.ts';
import { OmError } from './errors.ts';

/** A path inside a bucket: no leading or trailing slash, `''` is the bucket itself. */
export type Path = string;

export interface Found {
  readonly path: Path;
  readonly entry: Entry;
}

const parentOf = (path: Path): Path => path.slice(0, Math.max(0, path.lastIndexOf('/')));
const nameOf = (path: Path): string => path.slice(path.lastIndexOf('/') + 1);
const join = (parent: Path, name: string): Path => (parent === '' ? name : `${parent}/${name}`);

/** Reads a namespace as a tree, whatever the layout. Children of directories that were removed are not reachable. */
export class Tree {
  private readonly bucket: Pick<Bucket, 'id' | 'layout'>;
  private readonly table: Table;
  constructor(bucket: Pick<Bucket, 'id' | 'layout'>, table: Table) {
    this.bucket = bucket;
    this.table = table;
  }

  find(path: Path): Entry | undefined {
    if (this.bucket.layout !== 'FILE_SYSTEM_OPTIMIZED') return this.table.get(path) ?? this.table.get(`${path}/`);
    let parent = this.bucket.id;
    let found: Entry | undefined;
    for (const name of path.split('/')) {
      if (found && !found.dir) return undefined;
      found = this.table.get(`${parent}/${name}`);
      if (!found) return undefined;
      parent = found.id;
    }
    return found;
  }

  /** All that is below `path`, directories before their children, in the order of full paths. */
  walk(path: Path): readonly Found[] {
    return this.bucket.layout === 'FILE_SYSTEM_OPTIMIZED' ? this.walkTree(path) : this.walkKeys(path);
  }

  children(path: Path): readonly Found[] {
    const depth = path === '' ? 1 : path.split('/').length + 1;
    return this.walk(path).filter((found) => found.path.split('/').length === depth);
  }

  private walkKeys(path: Path): readonly Found[] {
    const prefix = path === '' ? '' : `${path}/`;
    return [...this.table.values()]
      .filter((entry) => entry.key.startsWith(prefix) && entry.key !== prefix)
      .map((entry) => ({ path: entry.dir ? entry.key.slice(0, -1) : entry.key, entry }))
      .sort(byPath);
  }

  private walkTree(path: Path): readonly Found[] {
    const below = new Map<string, Entry[]>();
    for (const entry of this.table.values()) {
      const parent = entry.key.slice(0, entry.key.indexOf('/'));
      const siblings = below.get(parent);
      if (siblings) siblings.push(entry);
      else below.set(parent, [entry]);
    }
    const all: Found[] = [];
    const visit = (id: number, at: Path): void => {
      for (const entry of below.get(String(id)) ?? []) {
        const found = { path: join(at, entry.key.slice(entry.key.indexOf('/') + 1)), entry };
        all.push(found);
        if (entry.dir) visit(entry.id, found.path);
      }
    };
    const start = path === '' ? this.bucket.id : this.find(path)?.id;
    if (start !== undefined) visit(start, path);
    return all.sort(byPath);
  }
}

const byPath = (a: Found, b: Found): number => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);

export interface Author {
  readonly user: string;
  readonly now: number;
}

/**
 * Changes a copy of a bucket's namespace the way the Ozone Manager does: object ids live as long as the object,
 * overwriting keeps the id, renaming touches the modification time of both parents, deleting and creating do not.
 */
export class NamespaceEdit {
  readonly table: Map<string, Entry>;
  readonly detached: { id: number; at: number }[];
  nextId: number;
  private readonly bucket: Bucket;
  private readonly author: Author;

  constructor(bucket: Bucket, nextId: number, author: Author) {
    this.bucket = bucket;
    this.table = new Map(bucket.table);
    this.detached = [...bucket.detached];
    this.nextId = nextId;
    this.author = author;
  }

  private get fso(): boolean {
    return this.bucket.layout === 'FILE_SYSTEM_OPTIMIZED';
  }

  tree(): Tree {
    return new Tree(this.bucket, this.table);
  }

  private keyOf(path: Path, dir: boolean): string {
    if (!this.fso) return dir ? `${path}/` : path;
    const parent = parentOf(path);
    const parentId = parent === '' ? this.bucket.id : this.tree().find(parent)?.id;
    if (parentId === undefined) throw new OmError('DIRECTORY_NOT_FOUND', `Failed to find parent directory of ${path}`);
    return `${parentId}/${nameOf(path)}`;
  }

  private add(path: Path, dir: boolean, content: Content): Entry {
    const id = this.nextId++;
    const entry: Entry = {
      id,
      key: this.keyOf(path, dir),
      dir,
      ...content,
      created: this.author.now,
      modified: this.author.now,
      owner: this.author.user,
      blocks: id,
      version: id,
    };
    this.table.set(entry.key, entry);
    return entry;
  }

  private makeParents(path: Path): void {
    const parent = parentOf(path);
    if (parent !== '' && this.bucket.layout !== 'OBJECT_STORE') this.makeDirectories(parent);
  }

  /** `mkdir -p`. In LEGACY the innermost directory gets the lower object id, as Ozone does. */
  makeDirectories(path: Path): void {
    const missing: Path[] = [];
    for (let at = path; at !== ''; at = parentOf(at)) {
      const entry = this.tree().find(at);
      if (entry && !entry.dir)
        throw new OmError(
          'FILE_ALREADY_EXISTS',
          `Can not create directory: ${path} as there is already file in the given path`,
        );
      if (!entry) missing.push(at);
    }
    if (this.fso) missing.reverse();
    for (const at of missing) this.add(at, true, noContent);
  }

  write(path: Path, content: Content, overwrite: boolean): void {
    const existing = this.tree().find(path);
    if (existing?.dir)
      throw new OmError('NOT_A_FILE', `Can not create file: ${path} as there is already directory in the given path`);
    if (existing && !overwrite) throw new OmError('FILE_ALREADY_EXISTS', `File ${path} already exists`);
    this.makeParents(path);
    if (!existing) {
      this.add(path, false, content);
      return;
    }
    const version = this.nextId++;
    this.table.set(existing.key, { ...existing, ...content, modified: this.author.now, blocks: version, version });
  }

  remove(path: Path, recursive: boolean): void {
    const entry = this.tree().find(path);
    if (!entry) throw new OmError('KEY_NOT_FOUND', `Key not found. Key:${path}`);
    const below = entry.dir ? this.tree().walk(path) : [];
    if (below.length > 0 && !recursive) throw new OmError('DIRECTORY_NOT_EMPTY', `Directory is not empty. Key:${path}`);
    this.table.delete(entry.key);
    if (!this.fso) for (const child of below) this.table.delete(child.entry.key);
    else if (below.length > 0) this.detached.push({ id: entry.id, at: this.author.now });
  }

  /** Answers the reason when nothing was renamed: the file system client turns any into `false` and a log line. */
  rename(source: Path, destination: Path): string | null {
    const tree = this.tree();
    const from = tree.find(source);
    if (!from)
      return `Unable to get file status: volume: ${this.bucket.volume} bucket: ${this.bucket.name} key: ${source}`;
    if (from.dir && destination.startsWith(`${source}/`)) return `Cannot rename a directory to its own subdirectory`;
    const into = tree.find(destination);
    const target = into?.dir && destination !== source ? join(destination, nameOf(source)) : destination;
    if (target === source || tree.find(target)) return `Key already exists ${target}`;
    const parent = parentOf(target);
    const parentEntry = tree.find(parent);
    if (parent !== '' && !parentEntry) return `Failed to rename, ${parent} is a file or does not exist`;
    if (parentEntry && !parentEntry.dir) return `Failed to rename, ${parent} is a file or does not exist`;
    if (this.fso) this.renameObject(from, source, target);
    else this.renameKeys(from, source, target);
    return null;
  }

  private renameObject(from: Entry, source: Path, target: Path): void {
    const key = this.keyOf(target, from.dir);
    this.touch(parentOf(source));
    if (parentOf(target) !== parentOf(source)) this.touch(parentOf(target));
    this.table.delete(from.key);
    this.table.set(key, { ...from, key, version: this.nextId++ });
  }

  private renameKeys(from: Entry, source: Path, target: Path): void {
    const moved = from.dir
      ? [{ path: source, entry: from }, ...this.tree().walk(source)]
      : [{ path: source, entry: from }];
    for (const { path, entry } of moved) {
      const key = `${target}${path.slice(source.length)}${entry.dir ? '/' : ''}`;
      this.table.delete(entry.key);
      this.table.set(key, { ...entry, key, version: this.nextId++ });
    }
  }

  private touch(path: Path): void {
    const entry = path === '' ? undefined : this.tree().find(path);
    if (entry) this.table.set(entry.key, { ...entry, modified: this.author.now, version: this.nextId++ });
  }

  setModified(path: Path, modified: number): void {
    const entry = this.tree().find(path);
    if (entry) this.table.set(entry.key, { ...entry, modified, version: this.nextId++ });
  }

  /** The background cleaner: children of directories removed before `until` leave the tables for good. */
  clean(until: number): void {
    const due = this.detached.filter((directory) => directory.at <= until);
    if (due.length === 0) return;
    const gone = new Set(due.map((directory) => String(directory.id)));
    for (let grew = true; grew; ) {
      grew = false;
      for (const entry of [...this.table.values()]) {
        if (!gone.has(entry.key.slice(0, entry.key.indexOf('/')))) continue;
        this.table.delete(entry.key);
        if (entry.dir) gone.add(String(entry.id));
        grew = true;
      }
    }
    const keep = this.detached.filter((directory) => directory.at > until);
    this.detached.splice(0, this.detached.length, ...keep);
  }
}

export const noContent: Content = { content: '', size: 0, crc: '00000000' };
