import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPathWithin, RelativePath, RestoreScope } from '../../../functions/core/domain/restore.ts';
import { describeScope, selectionOf } from '../../../functions/core/planner/selection.ts';

const scope = (value: object): RestoreScope => RestoreScope.parse(value);
const lines = (value: object): readonly string[] => selectionOf(scope(value))?.split('\n').slice(0, -1) ?? [];

/** What may mean something to JSON, to a regular expression, to awk or to a shell. */
const SPECIAL = [...'.[]()*+?{}|^$\\"\'`~!@#%&;:<>=,- \u00a0ü日😀\u2028ab1'];

describe('a path that can only mean something in the bucket', () => {
  it.each([
    ['goes up', '../x'],
    ['goes up in the middle', 'a/../b'],
    ['goes up at its end', 'a/..'],
    ['stays where it is', './a'],
    ['is nothing', ''],
    ['begins with a slash', '/etc/passwd'],
    ['ends with a slash', 'a/'],
    ['has an empty part', 'a//b'],
    ['has a line end', 'a\nl\tb'],
    ['has a tab', 'a\tb'],
    ['has a NUL', 'a\u0000'],
    ['has a DEL', 'a\u007f'],
    ['is a snapshot', '.snapshot/a/b'],
    ['is all snapshots', '.snapshot'],
    ['has half a character', 'a\ud83d'],
    ['has the other half', '\ude00b'],
    ['has 1025 bytes', 'a'.repeat(1025)],
    ['has 1026 bytes in 513 letters', 'ü'.repeat(513)],
  ])('is not one that %s', (_sentence, path) => {
    expect(isPathWithin(path)).toBe(false);
    for (const value of [{ prefix: path }, { paths: ['ok', path] }, { glob: path }])
      expect(RestoreScope.safeParse(value).error?.message ?? '').toContain('write a path relative to the bucket');
  });

  it.each([
    ['is called like an option', '-rf'],
    ['begins with dots', '...'],
    ['has two dots in a name', 'a..b/..c'],
    ['has a snapshot further down', 'a/.snapshot'],
    ['is almost a snapshot', '.snapshots'],
    ['is written for a shell', '$(reboot); `id` | x > y'],
    ['has blanks at its ends', ' a '],
    ['has 1024 bytes', 'a'.repeat(1024)],
    ['has 1024 bytes in 512 letters', 'ü'.repeat(512)],
    ['has whole characters of two halves', '😀/日'],
  ])('may be one that %s', (_sentence, path) => {
    expect(isPathWithin(path)).toBe(true);
    expect(lines({ paths: [path] })).toEqual([`l\t${JSON.stringify(path).slice(1, -1)}`]);
  });
});

describe('the list of what is restored', () => {
  it('is none for the whole bucket', () => {
    expect(selectionOf('bucket')).toBeNull();
  });

  it('has each path once, in the order of its bytes', () => {
    const paths = ['b', 'a/b', 'a', 'b', 'a b', 'Z', 'ü', '😀', '\uffee', 'a', '-rf'];
    expect(lines({ paths })).toEqual(
      ['-rf', 'Z', 'a', 'a b', 'a/b', 'b', 'ü', '\uffee', '😀'].map((path) => `l\t${path}`),
    );
  });

  it('writes names as Ozone writes them into JSON', () => {
    expect(lines({ paths: ['a"b', 'c\\d'] })).toEqual(['l\ta\\"b', 'l\tc\\\\d']);
  });

  it('takes 10,000 paths and no more', () => {
    const paths = Array.from({ length: 10_000 }, (_, n) => `p/${n}`);
    expect(lines({ paths })).toHaveLength(10_000);
    expect(RestoreScope.safeParse({ paths: [...paths, 'q'] }).error?.message).toContain('a prefix or a glob');
  });

  it('is the same for the same paths in any order', () => {
    const path = fc.array(fc.constantFrom(...SPECIAL), { minLength: 1, maxLength: 4 }).map((it) => it.join(''));
    fc.assert(
      fc.property(fc.array(path.filter(isPathWithin), { minLength: 1, maxLength: 8 }), (paths) => {
        const text = selectionOf(scope({ paths }));
        expect(selectionOf(scope({ paths: [...paths, ...paths].reverse() }))).toBe(text);
        const bytes = (text ?? '')
          .split('\n')
          .slice(0, -1)
          .map((line) => Buffer.from(line));
        expect(bytes.toSorted(Buffer.compare)).toEqual(bytes);
        const named = bytes.map((line) => JSON.parse(`"${line.toString().slice(2)}"`));
        expect(new Set(named)).toEqual(new Set(paths));
        expect(named).toHaveLength(new Set(paths).size);
      }),
    );
  });

  it.each([
    ['bucket', 'the whole bucket'],
    [{ prefix: '2026/11' }, '2026/11 and all below'],
    [{ glob: '2026/*' }, 'what matches 2026/*'],
    [{ paths: ['a'] }, 'a'],
    [{ paths: ['a', 'b', 'c'] }, '3 paths'],
  ])('%j is told as %s', (value, told) => {
    expect(describeScope(RestoreScope.parse(value))).toBe(told);
  });
});

/** The paths that the expression of a glob finds, by awk, in a listing as Ozone prints it: the way the edge host does it. */
const found = (glob: string, paths: readonly string[]): readonly string[] => {
  const [line = ''] = lines({ glob });
  expect(line.startsWith('g\t')).toBe(true);
  const program = 'NR == 1 { pattern = "^(" $2 ")(/.*)?$"; next } $1 ~ pattern { print FNR - 1 }';
  const listing = paths.map((path) => JSON.stringify(path).slice(1, -1));
  const { stdout, stderr, status } = spawnSync('awk', ['-F', '\t', program], {
    input: [line, ...listing, ''].join('\n'),
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((n) => paths[Number(n) - 1] ?? '?');
};

describe('a glob', () => {
  const tree = ['a', 'a/b', 'a/b/c', 'ab', 'b/a', 'abc/d', 'a.b', 'axb', 'a\\b', 'a"b', 'a[b]', 'a?', 'a*', 'x'];

  it.each<readonly [string, readonly string[]]>([
    ['a', ['a', 'a/b', 'a/b/c']],
    ['a*', ['a', 'a/b', 'a/b/c', 'ab', 'abc/d', 'a.b', 'axb', 'a\\b', 'a"b', 'a[b]', 'a?', 'a*']],
    ['*', tree],
    ['*/b', ['a/b', 'a/b/c']],
    ['**/a', ['b/a']],
    ['**a', ['a', 'a/b', 'a/b/c', 'b/a']],
    ['a/**', ['a/b', 'a/b/c']],
    ['*/*/*', ['a/b/c']],
    ['a.b', ['a.b']],
    ['a\\b', ['a\\b']],
    ['a"b', ['a"b']],
    ['a[b]', ['a[b]']],
    ['a?', ['a?']],
    ['nothing*', []],
  ])('%s finds exactly what it should', (glob, expected) => {
    expect(found(glob, tree)).toEqual(expected);
  });

  it.each(SPECIAL.filter((it) => it !== '*'))('takes %j for itself, alone and among others', (character) => {
    const names = SPECIAL.map((it) => `x${it}y`);
    expect(found(`x${character}y`, names)).toEqual([`x${character}y`]);
    const doubled = SPECIAL.map((it) => `x${it}${it}`);
    expect(found(`x${character}${character}`, doubled)).toEqual([`x${character}${character}`]);
  });

  /** The meaning of a glob, written down once more without regular expressions. */
  const isMatch = (glob: string, path: string): boolean => {
    if (glob === '') return path === '' || path.startsWith('/');
    const stars = /^\*+/.exec(glob)?.[0].length ?? 0;
    if (stars === 0) return path !== '' && glob[0] === path[0] && isMatch(glob.slice(1), path.slice(1));
    for (let taken = 0; taken <= path.length; taken++) {
      if (isMatch(glob.slice(stars), path.slice(taken))) return true;
      if (stars === 1 && path[taken] === '/') return false;
    }
    return false;
  };

  it('finds what it means, whatever is in it', () => {
    const text = (maxLength: number) =>
      fc.array(fc.constantFrom(...'ab/*', '**', ...SPECIAL), { minLength: 1, maxLength }).map((it) => it.join(''));
    fc.assert(
      fc.property(
        text(5).filter(isPathWithin),
        fc.array(text(5).filter(isPathWithin), { minLength: 30, maxLength: 60 }),
        (glob, paths) => {
          // Some that are near to it.
          const near = [glob, `${glob}/x`, `x${glob}`, glob.replaceAll('*', 'a'), glob.replaceAll('*', 'a/b')];
          const all = [...paths, ...near.filter(isPathWithin)];
          expect(found(glob, all)).toEqual(all.filter((path) => isMatch(glob, path)));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is a path', () => {
    expect(RelativePath.safeParse('a/../*').success).toBe(false);
  });
});
