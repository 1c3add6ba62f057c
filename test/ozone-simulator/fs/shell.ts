import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { ClientError, OmError, UnreachableError } from '../om/errors.ts';
import { generatedName } from '../om/names.ts';
import type { Session } from '../session.ts';
import { childOf, FsError, type OfsPath, OzoneFileSystem, parsePath, type Status } from './file-system.ts';
import { expand, withoutEscapes } from './glob.ts';

/** Hadoop's file system shell: `ozone fs …` and `hadoop fs …`. Errors are per path, the exit code is 1 if there was any. */
interface Shell {
  readonly session: Session;
  readonly fs: OzoneFileSystem;
  readonly options: ReadonlySet<string>;
  readonly words: readonly string[];
}

type FsCommand = (shell: Shell) => boolean;

const missing = (name: string) => new FsError('missing', `\`${name}': No such file or directory`);
const exists = (path: OfsPath) => new FsError('exists', `\`${path.uri}': File exists`);
const nameOf = (path: OfsPath): string => path.key.slice(path.key.lastIndexOf('/') + 1);
const minute = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');

const found = (shell: Shell, word: string): readonly Status[] => {
  const paths = expand(shell.fs, parsePath(shell.session, word));
  const statuses = paths.map((path) => shell.fs.status(path)).filter((status) => status !== undefined);
  if (statuses.length === 0) throw missing(withoutEscapes(word));
  return statuses;
};

/** Runs `work` for each word; a failure is printed and the rest goes on, as the real shell does. */
function each(shell: Shell, command: string, words: readonly string[], work: (word: string) => void): boolean {
  let good = true;
  for (const word of words) {
    try {
      work(word);
    } catch (error) {
      if (!(error instanceof FsError || error instanceof OmError)) throw error;
      shell.session.runtime.err(`${command}: ${error.message}\n`);
      good = false;
    }
  }
  return good;
}

function messageOf(error: unknown): string {
  if (error instanceof FsError || error instanceof ClientError || error instanceof OmError) return error.message;
  throw error;
}

function line(shell: Shell, status: Status): string {
  const kind = status.dir ? 'drwxrwxrwx   -' : '-rw-rw-rw-   1';
  return `${kind} ${status.owner || shell.session.user} ${shell.session.user} ${String(status.size).padStart(10)} ${minute(status.modified)} ${status.path.uri}\n`;
}

const ls: FsCommand = (shell) =>
  each(shell, 'ls', shell.words, (word) => {
    const recursive = shell.options.has('R');
    for (const status of found(shell, word)) {
      const listed = status.dir && !shell.options.has('d') ? shell.fs.list(status.path, recursive) : [status];
      if (status.dir && !recursive && listed.length > 0) shell.session.runtime.out(`Found ${listed.length} items\n`);
      for (const item of listed)
        shell.session.runtime.out(shell.options.has('C') ? `${item.path.uri}\n` : line(shell, item));
    }
  });

const count: FsCommand = (shell) =>
  each(shell, 'count', shell.words, (word) => {
    for (const status of found(shell, word)) {
      const below = status.dir ? shell.fs.list(status.path, true) : [status];
      const dirs = below.filter((s) => s.dir).length + (status.dir ? 1 : 0);
      const files = below.filter((s) => !s.dir);
      const bytes = files.reduce((sum, s) => sum + s.size, 0);
      shell.session.runtime.out(
        `${String(dirs).padStart(12)} ${String(files.length).padStart(12)} ${String(bytes).padStart(18)} ${status.path.uri}\n`,
      );
    }
  });

const mkdir: FsCommand = (shell) =>
  each(shell, 'mkdir', shell.words, (word) => {
    const path = parsePath(shell.session, word);
    if (!shell.options.has('p')) {
      if (shell.fs.status(path)) throw exists(path);
      const parent = path.key.includes('/') ? path.uri.slice(0, path.uri.lastIndexOf('/')) : '';
      if (parent !== '' && !shell.fs.status(parsePath(shell.session, parent))) throw missing(parent);
    }
    refuseFileAbove(shell, path);
    shell.fs.mkdirs(path);
  });

function refuseFileAbove(shell: Shell, path: OfsPath): void {
  const names = path.key.split('/');
  for (let depth = 1; depth <= names.length; depth++) {
    const key = names.slice(0, depth).join('/');
    const status = shell.fs.status({ ...path, key });
    if (!status || status.dir) continue;
    if (depth === names.length) throw new FsError('refused', `\`${path.uri}': Is not a directory`);
    const { layout } = shell.fs.om(path).bucket(path.volume, path.bucket);
    const why = layout === 'LEGACY' ? '' : ` as file:/${path.volume}/${path.bucket}/${key} already exists`;
    throw new FsError(
      'refused',
      `Unable to create directory: ${path.key} in volume/bucket: ${path.volume}/${path.bucket}${why}`,
    );
  }
}

/** Where a source lands: inside an existing directory under its own name, else exactly there. */
function landing(shell: Shell, target: OfsPath, name: string): OfsPath {
  return shell.fs.status(target)?.dir ? childOf(target, name) : target;
}

/** Writes through `<name>._COPYING_` and a rename unless `-d`: an overwritten file is a new object. */
function store(shell: Shell, bytes: Buffer, target: OfsPath, modified?: number): void {
  const { fs } = shell;
  if (fs.status(target) && !shell.options.has('f')) throw exists(target);
  const content = fs.om(target).content(bytes);
  if (shell.options.has('d')) fs.create(target, content, true);
  else {
    const draft = { ...target, key: `${target.key}._COPYING_`, uri: `${target.uri}._COPYING_` };
    fs.create(draft, content, true);
    fs.remove(target, false);
    fs.rename(draft, target);
  }
  if (modified !== undefined) fs.setModified(target, modified);
}

function putTree(shell: Shell, local: string, target: OfsPath): void {
  if (!statSync(local).isDirectory()) {
    store(shell, readFileSync(local), target);
    return;
  }
  shell.fs.mkdirs(target);
  for (const name of readdirSync(local).sort()) putTree(shell, join(local, name), childOf(target, name));
}

const put: FsCommand = (shell) => {
  const target = parsePath(shell.session, shell.words.at(-1) ?? '');
  if (shell.words.at(-1)?.endsWith('/') && !shell.fs.status(target)) {
    return each(shell, 'put', ['x'], () => {
      throw missing(shell.words.at(-1) ?? '');
    });
  }
  return each(shell, 'put', shell.words.slice(0, -1), (word) => {
    const local = resolve(shell.session.runtime.cwd, word);
    if (!existsSync(local)) throw missing(word);
    putTree(shell, local, landing(shell, target, basename(local)));
  });
};

const mv: FsCommand = (shell) => {
  const target = parsePath(shell.session, shell.words.at(-1) ?? '');
  return each(shell, 'mv', shell.words.slice(0, -1), (word) => {
    for (const status of found(shell, word)) {
      const to = landing(shell, target, nameOf(status.path));
      if (shell.fs.status(to)) throw exists(to);
      const parent = to.key.includes('/') ? { ...to, key: to.key.slice(0, to.key.lastIndexOf('/')) } : undefined;
      if (parent && !shell.fs.status(parent)) throw missing(to.uri);
      if (!shell.fs.rename(status.path, to)) throw new FsError('refused', `\`${status.path.uri}': Input/output error`);
    }
  });
};

const rm: FsCommand = (shell) =>
  each(shell, 'rm', shell.words, (word) => {
    if (
      shell.options.has('f') &&
      expand(shell.fs, parsePath(shell.session, word)).every((path) => !shell.fs.status(path))
    )
      return;
    for (const status of found(shell, word)) {
      const recursive = shell.options.has('r') || shell.options.has('R');
      if (status.dir && !recursive) throw new FsError('refused', `\`${status.path.uri}': Is a directory`);
      if (status.path.key.startsWith('.snapshot/'))
        throw new FsError(
          'refused',
          "`Cannot delete key under path reserved for snapshot: .snapshot/': Operation not permitted",
        );
      shell.fs.remove(status.path, recursive);
      shell.session.runtime.out(`Deleted ${status.path.uri}\n`);
    }
  });

function copyTree(shell: Shell, source: Status, target: OfsPath): void {
  if (!source.dir) {
    const bytes = shell.fs.om(source.path).bytes(source.content);
    store(shell, bytes, target, shell.options.has('p') ? source.modified : undefined);
    return;
  }
  const children = shell.fs.list(source.path, false);
  shell.fs.mkdirs(target);
  for (const child of children) copyTree(shell, child, childOf(target, nameOf(child.path)));
}

const cp: FsCommand = (shell) => {
  const target = parsePath(shell.session, shell.words.at(-1) ?? '');
  return each(shell, 'cp', shell.words.slice(0, -1), (word) => {
    for (const status of found(shell, word)) copyTree(shell, status, landing(shell, target, nameOf(status.path)));
  });
};

const cat: FsCommand = (shell) =>
  each(shell, 'cat', shell.words, (word) => {
    for (const status of found(shell, word))
      shell.session.runtime.out(shell.fs.om(status.path).bytes(status.content).toString());
  });

const get: FsCommand = (shell) => {
  const target = resolve(shell.session.runtime.cwd, shell.words.at(-1) ?? '');
  return each(shell, 'get', shell.words.slice(0, -1), (word) => {
    for (const status of found(shell, word)) {
      const into = existsSync(target) && statSync(target).isDirectory() ? join(target, nameOf(status.path)) : target;
      if (existsSync(into) && !shell.options.has('f')) throw new FsError('exists', `\`${into}': File exists`);
      writeFileSync(into, shell.fs.om(status.path).bytes(status.content));
    }
  });
};

/** A file without blocks has no checksum to compose: the client prints that of nothing. */
const emptyChecksum = 'MD5-of-0MD5-of-0CRC32\t00000000000000000000000070bc8f4b72a86921468bf8e8441dce51';

const checksum: FsCommand = (shell) =>
  each(shell, 'checksum', shell.words, (word) => {
    for (const status of found(shell, word)) {
      if (status.dir) throw new FsError('refused', `\`${status.path.uri}': Is a directory`);
      shell.session.runtime.out(
        `${status.path.uri}\t${status.size === 0 ? emptyChecksum : `COMPOSITE-CRC32\t${status.crc}`}\n`,
      );
    }
  });

const stat: FsCommand = (shell) => {
  const [first = '', ...rest] = shell.words;
  const format = first.includes('%') ? first : '%y';
  return each(shell, 'stat', first.includes('%') ? rest : shell.words, (word) => {
    for (const status of found(shell, word)) {
      const values: Readonly<Record<string, string>> = {
        n: nameOf(status.path),
        b: String(status.size),
        y: new Date(status.modified).toISOString().slice(0, 19).replace('T', ' '),
        Y: String(status.modified),
        u: status.owner,
        g: status.owner,
        r: '1',
        o: '16777216',
        F: status.dir ? 'directory' : 'regular file',
      };
      shell.session.runtime.out(`${format.replace(/%([a-zA-Z])/g, (all, letter: string) => values[letter] ?? all)}\n`);
    }
  });
};

const test: FsCommand = (shell) => {
  const status = shell.fs.status(parsePath(shell.session, shell.words[0] ?? ''));
  if (!status) return false;
  if (shell.options.has('d')) return status.dir;
  if (shell.options.has('f')) return !status.dir;
  if (shell.options.has('z')) return status.size === 0;
  return true;
};

const snapshotShell =
  (work: (shell: Shell, path: OfsPath, name: string) => void): FsCommand =>
  (shell) => {
    const path = parsePath(shell.session, shell.words[0] ?? '');
    return each(shell, 'createSnapshot', [shell.words[1] ?? generatedName(shell.fs.om(path).now())], (name) =>
      work(shell, path, name),
    );
  };

const createSnapshot = snapshotShell((shell, path, name) => {
  shell.fs.om(path).createSnapshot(path.volume, path.bucket, name);
  shell.session.runtime.out(`Created snapshot ${path.uri}/.snapshot/${name}\n`);
});

const deleteSnapshot = snapshotShell((shell, path, name) =>
  shell.fs.om(path).deleteSnapshot(path.volume, path.bucket, name),
);

const touchz: FsCommand = (shell) =>
  each(shell, 'touchz', shell.words, (word) => {
    const path = parsePath(shell.session, word);
    shell.fs.create(path, shell.fs.om(path).content(Buffer.alloc(0)), true);
  });

const commands: Readonly<Record<string, FsCommand>> = {
  ls,
  count,
  mkdir,
  put,
  copyFromLocal: put,
  mv,
  rm,
  cp,
  cat,
  get,
  copyToLocal: get,
  checksum,
  stat,
  test,
  touchz,
  createSnapshot,
  deleteSnapshot,
};

const valued = new Set(['t', 'q']);

/** @returns 0, 1 when a path failed, 255 for an unknown command or a bucket that is no file system. */
export function runFs(session: Session, argv: readonly string[]): number {
  const words = withoutGeneric(argv);
  const name = (words[0] ?? '').replace(/^-/, '');
  const command = commands[name];
  if (!command || !words[0]?.startsWith('-')) {
    session.runtime.err(`${words[0]}: Unknown command\nUsage: ozone fs [generic options]\n`);
    return 255;
  }
  const options = new Set<string>();
  let at = 1;
  for (; words[at]?.startsWith('-') && words[at] !== '-'; at++) {
    const option = (words[at] ?? '').slice(1);
    options.add(option);
    if (valued.has(option)) at++;
  }
  try {
    return command({ session, fs: new OzoneFileSystem(session), options, words: words.slice(at) }) ? 0 : 1;
  } catch (error) {
    if (error instanceof UnreachableError) {
      if (!argv.some((word) => word.includes('ozone.client.failover.max.attempts='))) session.runtime.hang();
      session.runtime.err(`${name}: ${error.message}\n`);
      return 1;
    }
    session.runtime.err(`-${name}: ${messageOf(error)}\nUsage: ozone fs [generic options]\n`);
    return 255;
  }
}

function withoutGeneric(argv: readonly string[]): readonly string[] {
  let at = 0;
  while (argv[at]?.startsWith('-D') || argv[at] === '-fs' || argv[at] === '-conf')
    at += argv[at]?.startsWith('-D') && argv[at] !== '-D' ? 1 : 2;
  return argv.slice(at);
}
