import { childOf, FsError, type OfsPath, type OzoneFileSystem } from '../fs/file-system.ts';
import { OmError } from '../om/errors.ts';
import type { DiffEntry } from '../om/snapshot-diff.ts';
import type { Session } from '../session.ts';
import type { Log } from './log.ts';
import { NotABucket, omException, snapshotReport } from './snapshot-report.ts';

/** The snapshots of `-diff` / `-rdiff`; `''` is the live state. */
export interface SyncRequest {
  readonly reverse: boolean;
  readonly from: string;
  readonly to: string;
  /** As the user wrote it, for the log. */
  readonly fromText: string;
  readonly source: OfsPath;
  readonly target: OfsPath;
}

interface Move {
  readonly from: string;
  readonly to: string | null;
}

const strip = (path: string): string => path.replace(/^\.\/?/, '');

/**
 * `DistCpSync`: checks that the target is what `from` says, then moves what was deleted or renamed through a
 * temporary directory in the target and removes that, whatever happens.
 * @returns what is still to be copied (paths relative to the bucket, as they are in `to`), or null when the sync failed.
 */
export function sync(session: Session, fs: OzoneFileSystem, log: Log, request: SyncRequest): readonly string[] | null {
  if (!targetIsUnchanged(session, fs, log, request)) return null;
  const side = request.reverse ? request.target : request.source;
  for (const name of [request.from, request.to]) {
    if (name !== '' && !fs.status(childOf(side, `.snapshot/${name}`)))
      throw new FsError('missing', 'Input snapshot is not found');
  }
  const entries = reportOrWarn(session, fs, log, side, request.from, request.to, request.from);
  if (!entries) return null;
  const moves = entries
    .filter((entry) => entry.type === '-' || entry.type === 'R')
    .map((entry): Move => ({ from: strip(entry.source), to: entry.target === undefined ? null : strip(entry.target) }));
  applyMoves(fs, request.target, moves);
  return copyList(request.reverse, entries);
}

function targetIsUnchanged(session: Session, fs: OzoneFileSystem, log: Log, request: SyncRequest): boolean {
  if (session.has('target-is-not-checked')) return true;
  const changes = reportOrWarn(session, fs, log, request.target, request.from, '', request.fromText);
  if (changes && changes.length > 0)
    log.warn('tools.DistCp', `The target has been modified since snapshot ${request.fromText}`);
  return changes?.length === 0;
}

function reportOrWarn(
  session: Session,
  fs: OzoneFileSystem,
  log: Log,
  path: OfsPath,
  from: string,
  to: string,
  at: string,
): readonly DiffEntry[] | null {
  try {
    // Ozone answers a diff of the live state with itself through two temporary snapshots.
    return snapshotReport(session, fs, log, path, from, to);
  } catch (error) {
    const cause =
      error instanceof OmError
        ? omException(error)
        : error instanceof NotABucket
          ? `java.lang.IllegalArgumentException: ${error.message}`
          : null;
    if (cause === null) throw error;
    log.warn('tools.DistCp', `Failed to compute snapshot diff on ${path.uri} at snapshot ${at}`);
    log.trace(`java.io.IOException: ${cause}`, [
      'org.apache.hadoop.tools.DistCpSync.getSnapshotDiffReport(DistCpSync.java:325)',
    ]);
    return null;
  }
}

/** Children first into the temporary directory, parents first out of it; a rename that is refused is only logged. */
function applyMoves(fs: OzoneFileSystem, target: OfsPath, moves: readonly Move[]): void {
  const temporary = childOf(target, `.distcp.diff.tmp${Math.floor(Math.random() * 2 ** 31)}`);
  fs.mkdirs(temporary, 'distcp-sync-make-tmp');
  try {
    const parked = new Map<Move, OfsPath>();
    for (const move of [...moves].sort((a, b) => descending(a.from, b.from))) {
      const name = move.from.slice(move.from.lastIndexOf('/') + 1);
      let place = childOf(temporary, name);
      while (fs.status(place)) place = childOf(temporary, `${name}${Math.floor(Math.random() * 2 ** 31)}`);
      parked.set(move, place);
      fs.rename(childOf(target, move.from), place, 'distcp-sync-move-to-tmp');
    }
    for (const move of [...moves].filter((m) => m.to !== null).sort((a, b) => descending(b.to ?? '', a.to ?? ''))) {
      const to = move.to ?? '';
      const place = parked.get(move);
      if (to.includes('/')) fs.mkdirs(childOf(target, to.slice(0, to.lastIndexOf('/'))), 'mkdir');
      if (place) fs.rename(place, childOf(target, to), 'distcp-sync-move-to-target');
    }
  } finally {
    fs.remove(temporary, true, 'distcp-sync-delete-tmp');
  }
}

const descending = (a: string, b: string): number => (a < b ? 1 : a > b ? -1 : 0);

/**
 * What was created or modified. A path at or below the *old* name of something renamed is taken for a path before the
 * rename and translated: right for what Ozone calls modified by its old name, wrong for a path that was created under
 * a name which a directory had before it was renamed. That is how the real one behaves (the copy then fails or forgets).
 */
function copyList(reverse: boolean, entries: readonly DiffEntry[]): readonly string[] {
  const renames = entries
    .filter((entry) => entry.type === 'R')
    .map((entry) => ({ from: strip(entry.source), to: strip(entry.target ?? '') }))
    .sort((a, b) => descending(a.from, b.from));
  const created = entries.filter((entry) => entry.type === '+');
  const modified = entries.filter((entry) => entry.type === 'M');
  return [...created, ...modified].map((entry) => {
    const path = strip(entry.source);
    if (reverse) return path;
    const rename = renames.find((r) => (r.from === path ? entry.type === 'M' : path.startsWith(`${r.from}/`)));
    return rename ? `${rename.to}${path.slice(rename.from.length)}` : path;
  });
}
