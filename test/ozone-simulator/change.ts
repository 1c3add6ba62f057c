import { createHash } from 'node:crypto';
import type { Change, TreeEntry } from '../ozone-cluster/ozone-clusters.ts';
import { childOf, type OfsPath, OzoneFileSystem, parsePath } from './fs/file-system.ts';
import type { Session } from './session.ts';

export type { Change, TreeEntry };

/** Applies the operations in order through the file system client; throws at the first that does nothing. */
export function applyChanges(session: Session, bucketUrl: string, changes: readonly Change[]): void {
  const fs = new OzoneFileSystem(session);
  const bucket = parsePath(session, bucketUrl);
  for (const change of changes) {
    if (!applyOne(fs, bucket, change)) throw new Error(`nothing happened: ${JSON.stringify(change)} on ${bucketUrl}`);
  }
}

function applyOne(fs: OzoneFileSystem, bucket: OfsPath, change: Change): boolean {
  const path = childOf(bucket, change.path);
  switch (change.op) {
    case 'mkdir':
      fs.mkdirs(path);
      return true;
    case 'put':
      fs.create(path, fs.om(path).content(reproducible(change.size, change.seed)), true);
      return true;
    case 'text':
      fs.create(path, fs.om(path).content(Buffer.from(change.content)), true);
      return true;
    case 'rm':
      return fs.remove(path, false);
    case 'rmr':
      return fs.remove(path, true);
    case 'mv':
      return fs.rename(path, childOf(bucket, change.to));
  }
}

function reproducible(size: number, seed: number): Buffer {
  const block = createHash('sha256').update(`${seed}`).digest();
  return Buffer.alloc(size, block);
}

/** Every directory and file below a bucket or a `…/.snapshot/<name>`, by path relative to it. */
export function treeOf(session: Session, url: string): ReadonlyMap<string, TreeEntry> {
  const fs = new OzoneFileSystem(session);
  const root = parsePath(session, url);
  fs.need(root);
  const cut = root.key === '' ? 0 : root.key.length + 1;
  return new Map(
    fs.list(root, true).map((status) => [
      status.path.key.slice(cut),
      status.dir
        ? { type: 'directory' as const }
        : {
            type: 'file' as const,
            length: status.size,
            sha256: createHash('sha256').update(fs.om(root).bytes(status.content)).digest('hex'),
          },
    ]),
  );
}

/** The active snapshots of a bucket, oldest first. */
export function snapshotsOf(session: Session, url: string): readonly { readonly name: string; readonly id: string }[] {
  const { service, volume, bucket } = parsePath(session, url);
  const found = session.om(service).findBucket(volume, bucket);
  return (found?.snapshots ?? [])
    .filter(({ status }) => status === 'SNAPSHOT_ACTIVE')
    .toSorted((one, other) => one.created - other.created)
    .map(({ name, id }) => ({ name, id }));
}
