import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { childOf, FsError, type OfsPath, OzoneFileSystem, parsePath, type Status } from '../fs/file-system.ts';
import { expand } from '../fs/glob.ts';
import { ClientError, OmError, UnreachableError } from '../om/errors.ts';
import type { Session } from '../session.ts';
import { copyAll, deleteExtra, type Item, keepsTimes } from './copy.ts';
import { Log, noCounters } from './log.ts';
import { ArgumentError, type DistCpOptions, describeOptions, parseOptions } from './options.ts';
import { omException } from './snapshot-report.ts';
import { sync } from './sync.ts';
import { distcpUsage } from './usage.ts';

/** `DistCpConstants` as a shell sees them. */
const exits = { success: 0, unknown: 25, xattrs: 252, acls: 253, duplicate: 254, invalid: 255 } as const;

/** A failure that has its own exit code and log line. */
class DistCpFailure extends Error {
  override readonly name = 'DistCpFailure';
  readonly exit: number;
  readonly headline: string;
  constructor(exit: number, headline: string, exception: string) {
    super(exception);
    this.exit = exit;
    this.headline = headline;
  }
}

const traverseSwitch = 'distcp.diff.copy.listing.traverse.directory';
const frames = [
  'org.apache.hadoop.tools.DistCp.execute(DistCp.java:193)',
  'org.apache.hadoop.tools.DistCp.run(DistCp.java:155)',
];

export function runDistCp(session: Session, argv: readonly string[]): number {
  const log = new Log(session);
  try {
    const options = parseOptions(argv, session.has('flags-count-after-the-paths'));
    session.addServices(options.properties.get('ozone.om.service.ids'));
    return run(session, log, options);
  } catch (error) {
    return failed(session, log, error, argv);
  }
}

function failed(session: Session, log: Log, error: unknown, argv: readonly string[]): number {
  if (error instanceof ArgumentError) return invalid(session, log, error.exception, error.message);
  if (error instanceof UnreachableError) {
    if (!argv.some((word) => word.includes('ozone.client.failover.max.attempts='))) session.runtime.hang();
    return invalid(session, log, 'java.net.ConnectException', error.message);
  }
  const [exit, headline, exception] =
    error instanceof DistCpFailure
      ? [error.exit, error.headline, error.message]
      : error instanceof FsError
        ? [exits.unknown, 'Exception encountered ', `java.io.FileNotFoundException: ${error.message}`]
        : error instanceof OmError
          ? [exits.unknown, 'Exception encountered ', omException(error)]
          : error instanceof ClientError
            ? [exits.unknown, 'Exception encountered ', `java.lang.IllegalArgumentException: ${error.message}`]
            : [null, '', ''];
  if (exit === null) throw error;
  log.error('tools.DistCp', headline);
  log.trace(exception, frames);
  return exit;
}

function invalid(session: Session, log: Log, exception: string, message: string): number {
  log.error('tools.DistCp', 'Invalid arguments: ');
  log.trace(`${exception}: ${message}`, frames.slice(1));
  session.runtime.out(distcpUsage);
  session.runtime.err(`Invalid arguments: ${message}\n`);
  return exits.invalid;
}

function run(session: Session, log: Log, options: DistCpOptions): number {
  const fs = new OzoneFileSystem(session);
  fs.onRenameFailure = (line) => log.error('ozone.BasicRootedOzoneFileSystem', line);
  if (!options.target.includes('://')) return copyToLocal(session, fs, log, options);
  const target = targetOf(session, fs, options);
  const exists = fs.status(target) !== undefined;
  log.info('tools.DistCp', `Input Options: ${describeOptions(options, options.sources, exists)}`);
  refusePreserving(options, target);
  const isLeftOut = filterOf(session, log, options);
  const items =
    options.diff || options.rdiff
      ? listDiff(session, fs, log, options, target, exists)
      : listAll(session, fs, log, options, target, isLeftOut);
  const counters = noCounters();
  log.jobStarted(items.length);
  copyAll(session, fs, log, options, items, counters);
  if (items.length > 0) log.taskDone(counters, items.length);
  if (options.remove) {
    // The target of an empty directory is not made; the commit of the job then cannot list it.
    if (!fs.status(target)) throw new DistCpFailure(exits.unknown, 'Exception encountered ', jobFailure(log.job));
    deleteExtra(session, fs, log, target, items);
  }
  refuseTimesOfDirectories(fs, options, target, items, log.job);
  log.jobDone(counters, items.length);
  return exits.success;
}

/** `RegexCopyFilter`: a path is left out when it matches a line as a whole; a file that cannot be read leaves nothing out. */
function filterOf(session: Session, log: Log, { filters }: DistCpOptions): (path: OfsPath) => boolean {
  if (filters === null) return () => false;
  const file = resolve(session.runtime.cwd, filters);
  if (!existsSync(file)) {
    log.error('tools.RegexCopyFilter', `An error occurred while attempting to read from ${filters}`);
    return () => false;
  }
  const lines = readFileSync(file, 'utf8').split(/\r\n|[\r\n]/);
  const patterns = lines.filter((line) => line !== '').map(fromJava);
  return ({ uri }) => patterns.some((pattern) => pattern.test(uri));
}

/** As much of Java's regular expressions as the edge host writes: `(?s)` in front, `\\z` for the end. */
const fromJava = (line: string): RegExp => {
  const [, dotAll, text = ''] = /^(\(\?s\))?(.*)$/s.exec(line) ?? [];
  return new RegExp(`^(?:${text.replace(/\\(.)/gs, (both, c) => (c === 'z' ? '$' : both))})$`, dotAll ? 's' : '');
};

/** A LEGACY bucket takes no time for a directory: the commit of the job fails, when all else is done. */
function refuseTimesOfDirectories(
  fs: OzoneFileSystem,
  options: DistCpOptions,
  target: OfsPath,
  items: readonly Item[],
  job: string,
): void {
  if (!keepsTimes(options) || !items.some(({ source }) => source.dir)) return;
  if (fs.om(target).bucket(target.volume, target.bucket).layout === 'LEGACY')
    throw new DistCpFailure(exits.unknown, 'Exception encountered ', jobFailure(job));
}

const jobFailure = (job: string): string => `java.io.IOException: DistCp failure: Job job_${job} has failed: NA`;

function targetOf(session: Session, fs: OzoneFileSystem, options: DistCpOptions): OfsPath {
  try {
    const target = parsePath(session, options.target);
    fs.status(target);
    if (options.blocksPerChunk > 0) {
      throw new ArgumentError(
        "blocksperchunk is not supported since the target file system doesn't support concat.",
        'java.lang.UnsupportedOperationException',
      );
    }
    return target;
  } catch (error) {
    if (error instanceof ClientError) throw new ArgumentError(error.message);
    throw error;
  }
}

function refusePreserving(options: DistCpOptions, target: OfsPath): void {
  const side = `${target.scheme}://${target.service}`;
  if (options.preserve?.includes('a')) {
    throw new DistCpFailure(
      exits.acls,
      'ACLs not supported on at least one file system: ',
      `org.apache.hadoop.tools.CopyListing$AclsNotSupportedException: ACLs not supported for file system: ${side}`,
    );
  }
  if (options.preserve?.includes('x')) {
    throw new DistCpFailure(
      exits.xattrs,
      'XAttrs not supported on at least one file system: ',
      `org.apache.hadoop.tools.CopyListing$XAttrsNotSupportedException: XAttrs not supported for file system: ${side}`,
    );
  }
}

function listDiff(
  session: Session,
  fs: OzoneFileSystem,
  log: Log,
  options: DistCpOptions,
  target: OfsPath,
  exists: boolean,
): readonly Item[] {
  const reverse = options.rdiff !== null;
  const [from, to] = options.rdiff ?? options.diff ?? ['', ''];
  if (options.sources.length !== 1)
    throw new DistCpFailure(
      exits.unknown,
      'Exception encountered ',
      `java.lang.IllegalArgumentException: ${options.sources.length} source paths are provided`,
    );
  const source = parsePath(session, options.sources[0] ?? '');
  for (const [side, path] of [
    ['source', source],
    ['target', target],
  ] as const) {
    if (path.scheme === 'o3fs')
      throw new DistCpFailure(
        exits.unknown,
        'Exception encountered ',
        `java.lang.UnsupportedOperationException: The ${side} file system o3fs does not support getSnapshotDiffReport`,
      );
  }
  const name = (text: string): string => (text === '.' ? '' : text);
  const paths = syncOrMissing(session, fs, log, {
    reverse,
    from: name(from),
    to: name(to),
    fromText: from,
    source,
    target,
  });
  const frozen = childOf(source, `.snapshot/${to}`);
  if (!paths) {
    const described = describeOptions(options, [frozen.uri], exists);
    throw new DistCpFailure(
      exits.unknown,
      'Exception encountered ',
      `java.lang.Exception: DistCp sync failed, input options: ${described}`,
    );
  }
  const traverse = options.properties.get(traverseSwitch) !== 'false';
  const listed = paths.flatMap((path): readonly Status[] => {
    const status = fs.need(childOf(frozen, path));
    return traverse && status.dir ? [status, ...fs.list(status.path, true)] : [status];
  });
  refuseDuplicates(listed);
  return listed.map((status) => ({
    source: status,
    target: childOf(target, status.path.key.slice(frozen.key.length + 1)),
  }));
}

function syncOrMissing(...args: Parameters<typeof sync>): ReturnType<typeof sync> {
  try {
    return sync(...args);
  } catch (error) {
    if (error instanceof FsError && error.message === 'Input snapshot is not found') {
      throw new DistCpFailure(
        exits.invalid,
        'Invalid input: ',
        `org.apache.hadoop.tools.CopyListing$InvalidInputException: ${error.message}`,
      );
    }
    throw error;
  }
}

function refuseDuplicates(listed: readonly Status[]): void {
  const seen = new Set<string>();
  for (const { path } of listed) {
    if (seen.has(path.key)) {
      throw new DistCpFailure(
        exits.duplicate,
        'Duplicate files in input path: ',
        `org.apache.hadoop.tools.CopyListing$DuplicateFileException: File ${path.uri} and ${path.uri} would cause duplicates. Aborting`,
      );
    }
    seen.add(path.key);
  }
}

/** With `-update` or `-overwrite`, or one source and no target, the contents go into the target; else the directory itself. */
function listAll(
  session: Session,
  fs: OzoneFileSystem,
  log: Log,
  options: DistCpOptions,
  target: OfsPath,
  isLeftOut: (path: OfsPath) => boolean,
): readonly Item[] {
  const sources = options.sources.flatMap((text) => {
    const path = parsePath(session, text);
    const matching = expand(fs, path);
    return matching.length === 0 ? [path] : matching;
  });
  const listed = sources.flatMap((source): readonly Item[] => {
    const status = sourceStatus(fs, source);
    log.info('tools.SimpleCopyListing', `Starting: Building listing using multi threaded approach for ${source.uri}`);
    const into = options.update || options.overwrite || (sources.length === 1 && !fs.status(target));
    const root = into && status.dir ? target : childOf(target, source.key.slice(source.key.lastIndexOf('/') + 1));
    const below = status.dir ? fs.list(source, true) : [];
    const self: readonly Item[] =
      into && status.dir ? [] : [{ source: status, target: status.dir || fs.status(target)?.dir ? root : target }];
    return [
      ...self,
      ...below.map((child) => ({
        source: child,
        target: childOf(root, child.path.key.slice(source.key.length === 0 ? 0 : source.key.length + 1)),
      })),
    ];
  });
  // Directories that are left out are walked all the same.
  const items = listed.filter((item) => !isLeftOut(item.source.path));
  const dirs = items.filter((item) => item.source.dir).length;
  log.info('tools.SimpleCopyListing', `Paths (files+dirs) cnt = ${items.length}; dirCnt = ${dirs}`);
  log.info('tools.SimpleCopyListing', 'Build file listing completed.');
  log.info('tools.DistCp', `Number of paths in the copy list: ${items.length}`);
  if (items.length > 0 && !fs.status(target)) fs.mkdirs(target);
  return items;
}

function sourceStatus(fs: OzoneFileSystem, source: OfsPath): Status {
  const status = fs.status(source);
  if (status) return status;
  throw new DistCpFailure(
    exits.invalid,
    'Invalid input: ',
    `org.apache.hadoop.tools.CopyListing$InvalidInputException: ${source.uri} doesn't exist`,
  );
}

/** A target without a scheme is a folder of the host: what happens when an option stands behind the paths. */
function copyToLocal(session: Session, fs: OzoneFileSystem, log: Log, options: DistCpOptions): number {
  log.info('tools.DistCp', `Input Options: ${describeOptions(options, options.sources, false)}`);
  const root = resolve(session.runtime.cwd, options.target);
  const counters = noCounters();
  let paths = 0;
  for (const text of options.sources) {
    const source = parsePath(session, text);
    const name = source.key === '' ? source.bucket : source.key.slice(source.key.lastIndexOf('/') + 1);
    for (const status of [sourceStatus(fs, source), ...fs.list(source, true)]) {
      const local = join(root, name, status.path.key.slice(source.key.length));
      paths++;
      mkdirSync(status.dir ? local : dirname(local), { recursive: true });
      if (!status.dir) writeFileSync(local, fs.om(source).bytes(status.content));
      counters[status.dir ? 'dirsCopied' : 'filesCopied']++;
      counters.bytesCopied += status.size;
    }
  }
  log.jobStarted(paths);
  log.taskDone(counters, paths);
  log.jobDone(counters, paths);
  return exits.success;
}
