/** `f<TAB>size` or `d<TAB>0` by escaped path, one character per byte. */
export type Entries = ReadonlyMap<string, string>;

const parentOf = (path: string): string => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');
const typeOf = (entry: string): string => entry.slice(0, 1);

/** The number of the first line that is no path within a bucket, from 1; undefined when all are. */
export const unsafeLine = (lines: readonly string[]): number | undefined => {
  const at = lines.findIndex((line) => {
    const [kind = '', path = '', ...more] = line.split('\t');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
    if (more.length > 0 || !/^[lg]$/.test(kind) || path === '' || /[\x01-\x1f\x7f]/.test(path)) return true;
    if (kind === 'g') return false;
    return (
      /(^|\/)\.?\.?(\/|$)/.test(path) || /^\.snapshot(\/|$)/.test(path) || /["\\]/.test(path.replace(/\\["\\]/g, ''))
    );
  });
  return at < 0 ? undefined : at + 1;
};

/** `list_at` of the script: what all that is selected begins with, as far as it needs no care. */
export const listAt = (lines: readonly string[]): string => {
  let common = '';
  for (const [n, line] of lines.entries()) {
    const path = line.slice(2);
    const plain = line.startsWith('l') ? /^[A-Za-z0-9._/=-]*/ : path.includes('|') ? /^/ : /^[A-Za-z0-9_/=-]*/;
    const begin = plain.exec(path)?.[0] ?? '';
    const isExact = line.startsWith('l') && begin.length === path.length;
    const known = isExact ? begin : begin.replace(/[^/]*$/, '');
    if (n === 0) {
      common = known;
      continue;
    }
    if (n === 1) common = common.replace(/[^/]*$/, '');
    while (common !== '' && !known.startsWith(common)) common = common.replace(/[^/]*\/$/, '');
  }
  return common.startsWith('-') ? '' : common;
};

/** `selected` of the script. No lines: everything. */
export const selected = (
  entries: Entries,
  lines: readonly string[] | undefined,
): { readonly chosen: Entries; readonly unmatched: readonly string[] } => {
  const sorted = [...entries].sort(([one], [other]) => (one < other ? -1 : 1));
  if (!lines) return { chosen: new Map(sorted), unmatched: [] };
  const literal = new Map(lines.flatMap((line, n) => (line.startsWith('l') ? [[line.slice(2), n] as const] : [])));
  const patterns = lines.flatMap((line, n) =>
    // A bracket that closes itself is one of POSIX only.
    line.startsWith('g') ? [{ n, at: new RegExp(`^(?:${line.slice(2).replaceAll('[]]', '\\]')})(?:/.*)?$`, 's') }] : [],
  );
  const used = new Set<number>();
  const chosen = sorted.filter(([whole]) => {
    let isChosen = false;
    for (let path = whole; path !== ''; path = parentOf(path)) {
      const n = literal.get(path);
      if (n === undefined) continue;
      used.add(n);
      isChosen = true;
    }
    for (const { n, at } of patterns) {
      if (!at.test(whole)) continue;
      used.add(n);
      isChosen = true;
    }
    return isChosen;
  });
  return { chosen: new Map(chosen), unmatched: lines.filter((_, n) => !used.has(n)) };
};

/** What the selection of `select_changed` names: below a new directory nothing more. */
export const changedSince = (
  before: { readonly entries: Entries; readonly times: ReadonlyMap<string, string> },
  now: { readonly entries: Entries; readonly times: ReadonlyMap<string, string> },
): readonly string[] => {
  const made = new Set(
    [...now.entries]
      .filter(([path, entry]) => typeOf(entry) === 'd' && before.entries.get(path) !== entry)
      .map(([path]) => path),
  );
  const changed = [...now.times].filter(([path, time]) => before.times.get(path) !== time).map(([path]) => path);
  const isBelowMade = (path: string): boolean => {
    const above = parentOf(path);
    return above !== '' && (made.has(above) || isBelowMade(above));
  };
  return [...new Set([...changed, ...made])].filter((path) => !isBelowMade(path)).sort();
};

/** What the target has in the place of one path; `there` is `-` for nothing, `b` where a directory above it is a file. */
export interface Met {
  readonly path: string;
  readonly entry: string;
  readonly there: string;
}

/** `meet` of the script. @param left what is selected of the point. @param right all of the target */
export const meet = (left: Entries, right: Entries): readonly Met[] =>
  [...left].map(([path, entry]) => {
    let isBelowFile = false;
    for (let above = parentOf(path); above !== ''; above = parentOf(above))
      isBelowFile ||= typeOf(right.get(above) ?? '') === 'f';
    return { path, entry, there: isBelowFile ? 'b' : (right.get(path) ?? '-') };
  });

/** How one distcp is told what to copy. */
export interface CopyPlan {
  /** The deepest directory that holds all of it; '' for the bucket. */
  readonly unit: string;
  readonly way: 'unit' | 'named' | 'many';
  /** Escaped, below the unit; for `named`. */
  readonly sources: readonly string[];
  readonly isDeleting: boolean;
  readonly isEmpty: boolean;
  /** Paths below the unit of which the rest is left out; undefined when nothing is. */
  readonly kept: readonly string[] | undefined;
}

const MOST_NAMED = 500;
const MOST_NAMED_BYTES = 100_000;
const isFew = (names: readonly string[]): boolean =>
  names.length <= MOST_NAMED && names.reduce((sum, name) => sum + name.length + 1, 0) <= MOST_NAMED_BYTES;

const unitOf = (keep: readonly Met[]): string => {
  let common = '';
  for (const [n, { path, entry }] of keep.entries()) {
    const directory = typeOf(entry) === 'f' ? parentOf(path) : path;
    if (n === 0) common = directory;
    while (common !== '' && directory !== common && !directory.startsWith(`${common}/`)) common = parentOf(common);
  }
  while (/[\][*?{}$\\]/.test(common)) common = parentOf(common);
  return common;
};

/** `plan_copy` of the script. @throws what `unsafe` throws */
export const planCopy = (
  asked: {
    readonly overwrite: string;
    readonly isDeletingExtra: boolean;
    readonly lines: readonly string[] | undefined;
  },
  keep: readonly Met[],
  left: Entries,
  all: { readonly left: Entries; readonly right: Entries },
  unsafe: (why: string) => never,
): CopyPlan => {
  let unit = unitOf(keep);
  let isDeleting = false;
  if (asked.isDeletingExtra && !asked.lines) [unit, isDeleting] = ['', true];
  if (asked.isDeletingExtra && asked.lines) {
    const [line = '', ...more] = asked.lines;
    if (more.length > 0 || !line.startsWith('l'))
      unsafe('only a bucket or one directory can lose what the point has not');
    const hasDirectory = [...left.values()].some((entry) => typeOf(entry) === 'd');
    if (hasDirectory && unit !== line.slice(2)) unsafe('distcp cannot delete below a directory of this name');
    isDeleting = hasDirectory;
  }
  const below = (path: string): readonly string[] =>
    unit === '' ? [path] : path.startsWith(`${unit}/`) ? [path.slice(unit.length + 1)] : [];
  const names = keep.flatMap(({ path, entry }) => below(path).map((name) => ({ name, type: typeOf(entry) })));
  const kept = names.map(({ name }) => name);
  const plan = { unit, isDeleting, isEmpty: names.length === 0 };
  if (!isDeleting && names.every(({ name, type }) => type === 'f' && !name.includes('/')) && isFew(kept))
    return { ...plan, way: 'named', sources: kept, kept: undefined };
  let way: CopyPlan['way'] = 'unit';
  let sources: readonly string[] = [];
  let within = [...all.left.keys()].flatMap(below);
  if (asked.overwrite === 'never' && (all.right.size > 0 || asked.lines)) {
    way = 'many';
    sources = [...new Set(kept.map((name) => name.split('/')[0] ?? ''))].sort();
    if (isFew(sources)) {
      way = 'named';
      const named = new Set(sources);
      within = within.filter((name) => named.has(name.split('/')[0] ?? ''));
    }
  }
  const known = new Set(kept);
  return { ...plan, way, sources, kept: within.some((name) => !known.has(name)) ? kept : undefined };
};

const quoted = (name: string): string =>
  name.replace(/[^A-Za-z0-9/_=\u0080-\uffff-]/g, (it) =>
    it < ' ' || it === '\x7f' ? `\\x${it.charCodeAt(0).toString(16).padStart(2, '0')}` : `\\${it}`,
  );

/** A list for `-filters`: one expression for all but these names, which are no longer escaped. */
export const filterOf = (root: string, names: readonly string[]): string =>
  `(?s)ofs://[^/]+${quoted(root)}(?!(?:${names.map(quoted).join('|')})\\z).+\n`;
