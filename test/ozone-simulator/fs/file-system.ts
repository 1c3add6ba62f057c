import type { CrashPoint } from '../faults/points.ts';
import { serviceOf } from '../om/address.ts';
import { ClientError, OmError } from '../om/errors.ts';
import type { Found } from '../om/namespace.ts';
import type { Om } from '../om/om.ts';
import { splitSnapshotPath } from '../om/snapshot-path.ts';
import type { Session } from '../session.ts';
import type { Content } from '../store/blobs.ts';
import type { Bucket, Entry } from '../store/model.ts';

/** A path of the rooted file system, taken apart. `key` keeps a leading `.snapshot/<name>/`. */
export interface OfsPath {
  readonly uri: string;
  readonly scheme: string;
  readonly service: string;
  readonly volume: string;
  readonly bucket: string;
  readonly key: string;
}

/** What a client sees of a file or directory. */
export interface Status {
  readonly path: OfsPath;
  readonly dir: boolean;
  readonly size: number;
  readonly modified: number;
  readonly owner: string;
  readonly crc: string;
  readonly content: string;
}

/** A `java.io.FileNotFoundException` of the client, and what else the client itself refuses. */
export class FsError extends Error {
  override readonly name = 'FsError';
  readonly kind: 'missing' | 'exists' | 'refused' | 'unsupported';
  constructor(kind: FsError['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

export const layoutRefusal = (bucket: string): string =>
  `Bucket: ${bucket} has layout: OBJECT_STORE, which does not support file system semantics. ` +
  'Bucket Layout must be FILE_SYSTEM_OPTIMIZED or LEGACY.';

export function parsePath(session: Session, text: string): OfsPath {
  const ofs = /^ofs:\/\/([^/]*)(?:\/([^/]*)(?:\/([^/]*)(?:\/(.*))?)?)?$/s.exec(text);
  const o3fs = /^o3fs:\/\/([^./]*)\.([^./]*)\.([^/]*)(?:\/(.*))?$/s.exec(text);
  const [service = '', volume = '', bucket = '', key = ''] = ofs
    ? ofs.slice(1)
    : o3fs
      ? [o3fs[3], o3fs[2], o3fs[1], o3fs[4]]
      : [];
  if (!ofs && !o3fs) throw new ClientError(`No FileSystem for scheme or local path: ${text}`);
  const tidy = key
    .split('/')
    .filter((part) => part !== '')
    .join('/');
  return {
    uri: text.replace(/(?<!\/)\/+$/, ''),
    scheme: ofs ? 'ofs' : 'o3fs',
    service: serviceOf(service, session.services),
    volume,
    bucket,
    key: tidy,
  };
}

export const childOf = (path: OfsPath, relative: string): OfsPath =>
  relative === ''
    ? path
    : {
        ...path,
        uri: `${path.uri.replace(/\/$/, '')}/${relative}`,
        key: path.key === '' ? relative : `${path.key}/${relative}`,
      };

/** The rooted Ozone file system (`ofs`) as Hadoop's tools see it; writes name the crash point of their effect. */
export class OzoneFileSystem {
  private readonly session: Session;
  constructor(session: Session) {
    this.session = session;
  }

  om(path: OfsPath): Om {
    return this.session.om(path.service);
  }

  private fsBucket(path: OfsPath): Bucket | undefined {
    const bucket = this.om(path).findBucket(path.volume, path.bucket);
    if (bucket?.layout === 'OBJECT_STORE') throw new ClientError(layoutRefusal(path.bucket));
    return bucket;
  }

  status(path: OfsPath): Status | undefined {
    const bucket = this.fsBucket(path);
    if (path.bucket === '')
      return this.om(path).hasVolume(path.volume) ? directory(path, this.session.now(), 'root') : undefined;
    if (!bucket) return undefined;
    const { snapshot, path: key } = splitSnapshotPath(path.key);
    if (snapshot === '' && (key === '' || key === '.snapshot')) return directory(path, bucket.created, bucket.owner);
    const frozen = bucket.snapshots.find((s) => s.name === snapshot);
    if (snapshot !== '' && frozen?.status !== 'SNAPSHOT_ACTIVE') return undefined;
    if (key === '') return directory(path, this.om(path).now(), bucket.owner);
    const entry = this.om(path).tree(path.volume, path.bucket, snapshot).find(key);
    return entry && statusOf(path, entry);
  }

  need(path: OfsPath): Status {
    const status = this.status(path);
    if (!status) throw new FsError('missing', `${path.key}: No such file or directory!`);
    return status;
  }

  /** Direct children, or everything below, in the order of paths. */
  list(path: OfsPath, recursive: boolean): readonly Status[] {
    if (path.bucket === '') return this.listBuckets(path);
    const bucket = this.fsBucket(path);
    if (path.key === '.snapshot')
      return (bucket?.snapshots ?? [])
        .filter((s) => s.status === 'SNAPSHOT_ACTIVE')
        .map((s) => ({ ...directory(childOf(path, s.name), s.created, bucket?.owner ?? ''), size: s.usedBytes }));
    const { snapshot, path: key } = splitSnapshotPath(path.key);
    const tree = this.om(path).tree(path.volume, path.bucket, snapshot);
    const found: readonly Found[] = recursive ? tree.walk(key) : tree.children(key);
    const cut = key === '' ? 0 : key.length + 1;
    return found.map((f) => statusOf(childOf(path, f.path.slice(cut)), f.entry));
  }

  private listBuckets(path: OfsPath): readonly Status[] {
    return this.om(path)
      .buckets(path.volume)
      .map((bucket) => {
        const child = { ...path, uri: `${path.uri}/${bucket.name}`, bucket: bucket.name };
        return directory(child, bucket.created, bucket.owner);
      });
  }

  /** A missing bucket is created by a write, with the server's defaults and owned by the caller. */
  private writable(path: OfsPath): void {
    if (path.key.startsWith('.snapshot/'))
      throw new FsError('refused', 'Cannot create key under path reserved for snapshot: .snapshot/');
    const colon = path.key.includes(':');
    if (!this.fsBucket(path)) {
      const om = this.om(path);
      if (!om.hasVolume(path.volume)) om.createVolume(path.volume);
      om.createBucket(path.volume, path.bucket, {
        layout: 'FILE_SYSTEM_OPTIMIZED',
        owner: this.session.user,
        quotaInBytes: -1,
        quotaInNamespace: -1,
        replication: '',
      });
    }
    if (colon) throw new OmError('INVALID_KEY_NAME', `Invalid KeyPath ${path.key}`);
  }

  mkdirs(path: OfsPath, effect: CrashPoint = 'mkdir'): void {
    this.writable(path);
    if (path.key === '') return;
    this.om(path).edit(effect, path.volume, path.bucket, (edit) => edit.makeDirectories(path.key));
  }

  create(path: OfsPath, content: Content, overwrite: boolean, effect: CrashPoint = 'key-put'): void {
    this.writable(path);
    this.om(path).edit(effect, path.volume, path.bucket, (edit) => edit.write(path.key, content, overwrite));
  }

  /** @returns whether anything was renamed; a refusal of the server is only logged by the real client. */
  rename(from: OfsPath, to: OfsPath, effect: CrashPoint = 'key-rename'): boolean {
    const why = this.om(from).edit(effect, from.volume, from.bucket, (edit) => edit.rename(from.key, to.key));
    if (why !== null) this.renameFailed(from, to, why);
    return why === null;
  }

  onRenameFailure: (line: string) => void = () => undefined;

  private renameFailed(from: OfsPath, to: OfsPath, why: string): void {
    const name = (p: OfsPath) => `${p.volume}/${p.bucket}/${p.key}`;
    this.onRenameFailure(`rename key failed: ${why}. source:${name(from)}, destin:${name(to)}`);
  }

  remove(path: OfsPath, recursive: boolean, effect: CrashPoint = 'key-delete'): boolean {
    if (path.key.startsWith('.snapshot/'))
      throw new FsError('refused', 'Cannot delete key under path reserved for snapshot: .snapshot/');
    if (!this.status(path)) return false;
    this.om(path).edit(effect, path.volume, path.bucket, (edit) => edit.remove(path.key, recursive));
    return true;
  }

  setModified(path: OfsPath, modified: number): void {
    this.om(path).edit('set-times', path.volume, path.bucket, (edit) => edit.setModified(path.key, modified));
  }
}

const directory = (path: OfsPath, modified: number, owner: string): Status => ({
  path,
  dir: true,
  size: 0,
  modified,
  owner,
  crc: '',
  content: '',
});

const statusOf = (path: OfsPath, entry: Entry): Status => ({
  path,
  dir: entry.dir,
  size: entry.size,
  modified: entry.modified,
  owner: entry.owner,
  crc: entry.crc,
  content: entry.content,
});
