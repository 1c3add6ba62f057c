import { randomUUID } from 'node:crypto';
import type { OfsPath, OzoneFileSystem } from '../fs/file-system.ts';
import { awaitDiff, readDiff, submitDiff } from '../om/diff-jobs.ts';
import type { OmError } from '../om/errors.ts';
import { generatedName } from '../om/names.ts';
import type { DiffEntry } from '../om/snapshot-diff.ts';
import type { Session } from '../session.ts';
import type { Log } from './log.ts';

/** A path that is no bucket, in the words of the client. */
export class NotABucket extends Error {
  override readonly name = 'NotABucket';
}

/**
 * `getSnapshotDiffReport` of the ofs client. `''` is the live state: frozen in a temporary snapshot, which is deleted
 * whatever happens, except when the client is killed. A job that never becomes DONE is waited for without an end.
 */
export function snapshotReport(
  session: Session,
  fs: OzoneFileSystem,
  log: Log,
  path: OfsPath,
  from: string,
  to: string,
): readonly DiffEntry[] {
  if (path.key !== '') throw new NotABucket('Unsupported : Path is not a bucket');
  const temporary = [from, to].map((name) => (name === '' ? createTemporary(session, fs, path) : null));
  try {
    return report(session, fs, log, path, temporary[0] ?? from, temporary[1] ?? to);
  } finally {
    for (const name of temporary) if (name !== null) deleteTemporary(session, fs, path, name);
  }
}

function createTemporary(session: Session, fs: OzoneFileSystem, path: OfsPath): string {
  const name = `temp${randomUUID()}${generatedName(session.now())}`;
  fs.om(path).createSnapshot(path.volume, path.bucket, name, 'distcp-temp-snapshot-create');
  return name;
}

function deleteTemporary(session: Session, fs: OzoneFileSystem, path: OfsPath, name: string): void {
  if (session.has('temporary-snapshot-stays')) return;
  fs.om(path).deleteSnapshot(path.volume, path.bucket, name, 'distcp-temp-snapshot-delete');
}

function report(
  session: Session,
  fs: OzoneFileSystem,
  log: Log,
  path: OfsPath,
  from: string,
  to: string,
): readonly DiffEntry[] {
  const om = fs.om(path);
  // A job that failed or was rejected is not submitted again: its status is what the client then waits over.
  if (readDiff(om, path.volume, path.bucket, from, to, 1, '').status === 'NOT_FOUND')
    submitDiff(om, path.volume, path.bucket, from, to);
  const entries: DiffEntry[] = [];
  for (let token = ''; ; ) {
    let page = readDiff(om, path.volume, path.bucket, from, to, om.settings.diffPageSize, token);
    if (page.status === 'IN_PROGRESS') {
      awaitDiff(om, path.volume, path.bucket, from, to);
      page = readDiff(om, path.volume, path.bucket, from, to, om.settings.diffPageSize, token);
    }
    if (page.status !== 'DONE') session.runtime.hang();
    entries.push(...page.entries);
    if (page.nextToken === null) return entries;
    token = page.nextToken;
    log.info(
      'ozone.BasicRootedOzoneClientAdapterImpl',
      `Total Snapshot Diff length between snapshot ${from} and ${to} exceeds max page size, Performing another snapdiff with index at ${token}`,
    );
  }
}

/** An OM's refusal as Java prints it inside an `IOException`. */
export const omException = (error: OmError): string =>
  `${error.code} org.apache.hadoop.ozone.om.exceptions.OMException: ${error.message}`;
