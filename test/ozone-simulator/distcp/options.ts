/** The options of `hadoop distcp` that the simulator understands, parsed as Hadoop 3.4.3 does. */
export interface DistCpOptions {
  readonly properties: ReadonlyMap<string, string>;
  readonly update: boolean;
  readonly overwrite: boolean;
  readonly remove: boolean;
  readonly ignoreFailures: boolean;
  readonly append: boolean;
  readonly skipCrc: boolean;
  readonly direct: boolean;
  readonly diff: readonly [string, string] | null;
  readonly rdiff: readonly [string, string] | null;
  readonly preserve: string | null;
  readonly maps: number;
  readonly bandwidth: number;
  readonly filters: string | null;
  readonly log: string | null;
  readonly blocksPerChunk: number;
  readonly sources: readonly string[];
  readonly target: string;
}

/** `Invalid arguments`: usage on stdout, exit 255. */
export class ArgumentError extends Error {
  override readonly name = 'ArgumentError';
  readonly exception: string;
  constructor(message: string, exception = 'java.lang.IllegalArgumentException') {
    super(message);
    this.exception = exception;
  }
}

const flags = new Set([
  'update',
  'overwrite',
  'delete',
  'i',
  'append',
  'skipcrccheck',
  'direct',
  'async',
  'atomic',
  'useiterator',
  'updateRoot',
  'v',
]);
const valued = new Map([
  ['diff', 2],
  ['rdiff', 2],
  ['m', 1],
  ['bandwidth', 1],
  ['filters', 1],
  ['log', 1],
  ['blocksperchunk', 1],
  ['numListstatusThreads', 1],
  ['strategy', 1],
  ['copybuffersize', 1],
  ['tmp', 1],
  ['xtrack', 1],
  ['f', 1],
]);

interface Raw {
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly preserve: string | null;
  readonly paths: readonly string[];
}

/** @param anywhere accept options after the paths too, which the real one does not. */
export function parseOptions(argv: readonly string[], anywhere: boolean): DistCpOptions {
  const { properties, rest } = genericOptions(argv);
  const raw = readOptions(rest, anywhere);
  const { sources, target } = pathsOf(raw, rest);
  const pair = (name: string): readonly [string, string] | null => {
    const [from, to] = raw.values.get(name) ?? [];
    return from === undefined || to === undefined ? null : [from, to];
  };
  const one = (name: string): string | null => raw.values.get(name)?.[0] ?? null;
  const options: DistCpOptions = {
    properties,
    update: raw.flags.has('update'),
    overwrite: raw.flags.has('overwrite'),
    remove: raw.flags.has('delete'),
    ignoreFailures: raw.flags.has('i'),
    append: raw.flags.has('append'),
    skipCrc: raw.flags.has('skipcrccheck'),
    direct: raw.flags.has('direct'),
    diff: pair('diff'),
    rdiff: pair('rdiff'),
    preserve: raw.preserve,
    maps: Number(one('m') ?? 20),
    bandwidth: Number(one('bandwidth') ?? 0),
    filters: one('filters'),
    log: one('log'),
    blocksPerChunk: Number(one('blocksperchunk') ?? 0),
    sources,
    target,
  };
  validate(options);
  return options;
}

function genericOptions(argv: readonly string[]): {
  readonly properties: ReadonlyMap<string, string>;
  readonly rest: readonly string[];
} {
  const properties = new Map<string, string>();
  let at = 0;
  for (; argv[at]?.startsWith('-D'); at++) {
    const text = argv[at] === '-D' ? (argv[++at] ?? '') : (argv[at] ?? '').slice(2);
    const equals = text.indexOf('=');
    if (equals > 0) properties.set(text.slice(0, equals), text.slice(equals + 1));
  }
  return { properties, rest: argv.slice(at) };
}

/** Stops at the first word that is no option: whatever follows is a path, even if it starts with a dash. */
function readOptions(words: readonly string[], anywhere: boolean): Raw {
  const found = new Set<string>();
  const values = new Map<string, readonly string[]>();
  const paths: string[] = [];
  let preserve: string | null = null;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    const name = word.slice(1);
    if (!word.startsWith('-') || (paths.length > 0 && !anywhere)) {
      if (!anywhere) return { flags: found, values, preserve, paths: words.slice(i) };
      paths.push(word);
    } else if (flags.has(name)) found.add(name);
    else if (valued.has(name)) {
      const many = valued.get(name) ?? 1;
      values.set(name, words.slice(i + 1, i + 1 + many));
      i += many;
    } else if (/^p[rbugpcaxte]*$/.test(name)) preserve = name.slice(1);
    else if (name.startsWith('f')) values.set('f', [name.slice(1)]);
    else throw new ArgumentError(`Unable to parse arguments. [${words.join(', ')}]`);
  }
  return { flags: found, values, preserve, paths };
}

function pathsOf(raw: Raw, words: readonly string[]): { readonly sources: readonly string[]; readonly target: string } {
  if (words.length === 0) throw new ArgumentError('Target path not specified');
  const target = raw.paths.at(-1);
  if (target === undefined) throw new ArgumentError('Target path not specified');
  const sources = raw.paths.slice(0, -1);
  if (raw.values.has('f') && sources.length > 0)
    throw new ArgumentError('Both source file listing and source paths present');
  if (sources.length === 0) throw new ArgumentError('Neither source file listing nor source paths present');
  return { sources, target };
}

/** `DistCpOptions.Builder.validate`. */
function validate(options: DistCpOptions): void {
  const snapshots = options.diff !== null || options.rdiff !== null;
  if (options.diff && options.rdiff) throw new ArgumentError('-diff and -rdiff are mutually exclusive');
  if (options.remove && snapshots)
    throw new ArgumentError('-delete and -diff/-rdiff are mutually exclusive. The -delete option will be ignored.');
  if (snapshots && !options.update) throw new ArgumentError('-diff/-rdiff is valid only with -update option');
  if (options.remove && !options.update && !options.overwrite)
    throw new ArgumentError('Delete missing is applicable only with update or overwrite options');
  if (options.update && options.overwrite)
    throw new ArgumentError('Sync folder and overwrite cannot both be specified.');
  if (options.append && !options.update) throw new ArgumentError('Append is valid only with update options');
  if (options.append && options.skipCrc) throw new ArgumentError('Append is disallowed when skipping CRC');
}

/** The line that every run logs first, and again when the sync fails. */
export function describeOptions(options: DistCpOptions, sources: readonly string[], targetExists: boolean): string {
  const [from, to] = options.diff ?? options.rdiff ?? [null, null];
  const preserved: Readonly<Record<string, string>> = {
    r: 'REPLICATION',
    b: 'BLOCKSIZE',
    u: 'USER',
    g: 'GROUP',
    p: 'PERMISSION',
    c: 'CHECKSUMTYPE',
    a: 'ACL',
    x: 'XATTR',
    t: 'TIMES',
    e: 'ERASURECODINGPOLICY',
  };
  const preserve = [...(options.preserve === '' ? 'rbugpct' : (options.preserve ?? ''))].map((c) => preserved[c] ?? c);
  return (
    `DistCpOptions{atomicCommit=false, syncFolder=${options.update}, deleteMissing=${options.remove}, ignoreFailures=${options.ignoreFailures}, ` +
    `overwrite=${options.overwrite}, append=${options.append}, useDiff=${options.diff !== null}, useRdiff=${options.rdiff !== null}, ` +
    `fromSnapshot=${from}, toSnapshot=${to}, skipCRC=${options.skipCrc}, blocking=true, numListstatusThreads=0, maxMaps=${options.maps}, ` +
    `mapBandwidth=${options.bandwidth.toFixed(1)}, copyStrategy='uniformsize', preserveStatus=[${preserve.join(', ')}], atomicWorkPath=null, ` +
    `logPath=${options.log}, sourceFileListing=null, sourcePaths=[${options.sources.join(', ')}], targetPath=${options.target}, ` +
    `filtersFile='${options.filters}', blocksPerChunk=${options.blocksPerChunk}, copyBufferSize=8192, verboseLog=false, ` +
    `directWrite=${options.direct}, useiterator=false, updateRoot=false}, sourcePaths=[${sources.join(', ')}], ` +
    `targetPathExists=${targetExists}, preserveRawXattrs=false`
  );
}
