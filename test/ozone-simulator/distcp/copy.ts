import { childOf, type OfsPath, type OzoneFileSystem, type Status } from '../fs/file-system.ts';
import type { Session } from '../session.ts';
import type { CopyCounters, Log } from './log.ts';
import type { DistCpOptions } from './options.ts';

/** One line of the copy listing: the file or directory at the source and where it goes. */
export interface Item {
  readonly source: Status;
  readonly target: OfsPath;
}

/** The map phase: directories are made, files written unless `-update` finds them equal (length, then checksum). */
export function copyAll(
  session: Session,
  fs: OzoneFileSystem,
  log: Log,
  options: DistCpOptions,
  items: readonly Item[],
  counters: CopyCounters,
): void {
  for (const { source, target } of items) {
    log.info('mapred.CopyMapper', `Copying ${source.path.uri} to ${target.uri}`);
    if (source.dir) {
      fs.mkdirs(target, 'distcp-copy-directory');
      counters.dirsCopied++;
      continue;
    }
    const known = fs.status(target);
    // Neither -update nor -overwrite: what is there stays, whatever it holds; its time is set all the same.
    const isKept = !options.update && !options.overwrite && known !== undefined;
    if (isKept || (options.update && isSame(session, source, known, options))) {
      log.info('mapred.CopyMapper', `Skipping copy of ${source.path.uri} to ${target.uri}`);
      if (keepsTimes(options)) fs.setModified(target, source.modified);
      counters.filesSkipped++;
      counters.bytesSkipped += source.size;
      continue;
    }
    copyFile(fs, log, options, source, target);
    counters.filesCopied++;
    counters.bytesCopied += source.size;
  }
}

function isSame(session: Session, source: Status, target: Status | undefined, options: DistCpOptions): boolean {
  if (!target || target.dir || target.size !== source.size) return false;
  if (session.has('update-trusts-the-size')) return true;
  if (options.skipCrc) return source.modified <= target.modified;
  return target.crc === source.crc;
}

export const keepsTimes = ({ preserve }: DistCpOptions): boolean => preserve === '' || (preserve ?? '').includes('t');

function copyFile(fs: OzoneFileSystem, log: Log, options: DistCpOptions, source: Status, target: OfsPath): void {
  const logger = 'mapred.RetriableFileCopyCommand';
  const content = { content: source.content, size: source.size, crc: source.crc };
  log.info(logger, `Copying ${source.path.uri} to ${target.uri}`);
  if (options.direct) {
    log.info(logger, `Writing to direct target file path ${target.uri}`);
    fs.create(target, content, true, 'distcp-copy-file');
  } else {
    const root = { ...target, key: '', uri: options.target.replace(/\/$/, '') };
    const draft = childOf(root, `.distcp.tmp.attempt_${log.job}_m_000000_0.${Date.now()}`);
    log.info(logger, `Creating temp file: ${draft.uri}`);
    log.info(logger, `Writing to temporary target file path ${draft.uri}`);
    fs.create(draft, content, true, 'distcp-copy-file');
    fs.remove(target, false);
    fs.rename(draft, target, 'distcp-rename-copy');
  }
  if (keepsTimes(options)) fs.setModified(target, source.modified);
  log.info(logger, `Completed writing ${target.uri} (${source.size} bytes)`);
  if (!options.direct)
    log.warn(
      'ozone.BasicRootedOzoneFileSystem',
      `delete: Path does not exist: ${target.uri.replace(/[^/]*$/, '')}.distcp.tmp`,
    );
}

/** `-delete`: what the target has and the source has not, by relative path. */
export function deleteExtra(
  session: Session,
  fs: OzoneFileSystem,
  log: Log,
  target: OfsPath,
  items: readonly Item[],
): void {
  const logger = 'mapred.CopyCommitter';
  log.info(logger, '-delete option is enabled. About to remove entries from target that are missing in source');
  const wanted = new Set(items.map((item) => item.target.key));
  const extra = fs.list(target, true).filter((status) => !wanted.has(status.path.key));
  let gone = 0;
  if (!session.has('delete-keeps-what-is-extra')) {
    for (const status of extra) if (fs.remove(status.path, true, 'distcp-delete-extra')) gone++;
  }
  log.info(
    logger,
    `Deleted from target: files: ${gone} directories: 0; skipped deletions 0; deletions already missing 0; failed deletes 0`,
  );
}
