import { expect } from 'vitest';
import type { Change } from '../driver.ts';
import type { Layout, Scenario } from '../scenario.ts';

const text = (path: string, content = path): Change => ({ op: 'text', path, content });
const mkdir = (path: string): Change => ({ op: 'mkdir', path });
const mv = (path: string, to: string): Change => ({ op: 'mv', path, to });
const rm = (path: string): Change => ({ op: 'rm', path });
const rmr = (path: string): Change => ({ op: 'rmr', path });

/** What the diff says after some changes. */
const says = (
  name: string,
  before: readonly Change[],
  changes: readonly Change[],
  lines: readonly string[],
  layout: Layout = 'FILE_SYSTEM_OPTIMIZED',
): Scenario => ({
  name,
  layout,
  async play(stage) {
    if (before.length > 0) await stage.change('prod', ...before);
    await stage.snapshots('prod', 's-1');
    await stage.changed(...changes);
    expect(await stage.diff()).toEqual(lines);
  },
});

export const diffContentScenarios: readonly Scenario[] = [
  says('a diff of nothing is empty', [text('f')], [], []),
  says(
    'every new directory and file has a line, also inside new directories',
    [mkdir('a')],
    [text('a/n/x/y'), mkdir('e')],
    ['+ ./a/n', '+ ./a/n/x', '+ ./a/n/x/y', '+ ./e'],
  ),
  says(
    'a deleted file is one line, its directory is not modified',
    [text('a/f'), text('a/g')],
    [rm('a/f')],
    ['- ./a/f'],
  ),
  says(
    'a file written over in place is modified, its directory is not',
    [text('a/f')],
    [text('a/f', 'other')],
    ['M ./a/f'],
  ),
  says(
    'a renamed file modifies both directories',
    [text('a/f'), mkdir('b')],
    [mv('a/f', 'b/g')],
    ['R ./a/f -> ./b/g', 'M ./a', 'M ./b'],
  ),
  says(
    'a renamed directory is one line, whatever is in it',
    [text('a/b/f'), text('a/b/c/g')],
    [mv('a/b', 'z')],
    ['R ./a/b -> ./z', 'M ./a'],
  ),
  says(
    'a file renamed inside a renamed directory has its own line',
    [text('a/f'), text('a/g')],
    [mv('a', 'z'), mv('z/f', 'z/h')],
    ['R ./a -> ./z', 'R ./a/f -> ./z/h'],
  ),
  says(
    'two names that changed places are two renames',
    [text('f'), text('g', 'other')],
    [mv('f', 't'), mv('g', 'f'), mv('t', 'g')],
    ['R ./f -> ./g', 'R ./g -> ./f'],
  ),
  says(
    'a file that was renamed and renamed back is a rename to itself',
    [text('a/f')],
    [mv('a/f', 'a/t'), mv('a/t', 'a/f')],
    ['R ./a/f -> ./a/f', 'M ./a'],
  ),
  says(
    'a file that was deleted and made again is both',
    [text('a/f')],
    [rm('a/f'), text('a/f')],
    ['- ./a/f', '+ ./a/f'],
  ),
  says('a deleted directory is a line', [text('a/b/f'), text('k')], [rmr('a')], ['- ./a']),
  says(
    'a directory that was deleted and made again is both, with its new content',
    [text('a/f'), text('a/b/g')],
    [rmr('a'), text('a/f', 'new')],
    ['- ./a', '+ ./a', '+ ./a/f'],
  ),
  says(
    'a file written over and renamed is modified under its old name and renamed',
    [text('f')],
    [text('f', 'other'), mv('f', 'g')],
    ['R ./f -> ./g', 'M ./f'],
  ),
  says(
    'a file written over inside a renamed directory is modified under its old name',
    [text('a/f')],
    [mv('a', 'z'), text('z/f', 'other')],
    ['R ./a -> ./z', 'M ./a/f'],
  ),
  says(
    'what came and went between the snapshots is not mentioned',
    [text('k')],
    [text('t/f'), rmr('t'), text('u'), rm('u')],
    [],
  ),
  {
    name: 'putting a file over another through the shell deletes and creates it, and modifies its directory',
    async play(stage) {
      await stage.change('prod', text('a/f'));
      await stage.snapshots('prod', 's-1');
      expect(await stage.fs('-put', '-f', '/etc/passwd', stage.ofs('prod', 'a/f'))).toMatchObject({
        exit: 0,
        stdout: '',
      });
      await stage.changed();
      expect(await stage.diff()).toEqual(['- ./a/f', '+ ./a/f', 'M ./a']);
    },
  },
  {
    name: 'the diff the other way round undoes',
    async play(stage) {
      await stage.change('prod', text('a/f'), text('b'), text('d'));
      await stage.snapshots('prod', 's-2');
      await stage.change('prod', mv('a', 'z'), rm('d'), text('n'), text('b', 'other'));
      await stage.given(`snapshot create ${stage.o3()} s-1`, `snapshot diff ${stage.o3()} s-1 s-2`);
      expect(await stage.diff()).toEqual(['- ./n', 'R ./z -> ./a', '+ ./d', 'M ./b']);
    },
  },
  says(
    'in LEGACY a renamed directory is one rename per child, and no directory is ever modified',
    [mkdir('a/b'), text('a/b/f'), text('a/b/g'), text('a/h')],
    [mv('a/b', 'z'), rm('a/h')],
    ['- ./a/h', 'R ./a/b -> ./z', 'R ./a/b/f -> ./z/f', 'R ./a/b/g -> ./z/g'],
    'LEGACY',
  ),
  says(
    'in LEGACY a file written over in place is modified',
    [mkdir('a'), text('a/f')],
    [text('a/f', 'other'), text('a/n')],
    ['+ ./a/n', 'M ./a/f'],
    'LEGACY',
  ),
  {
    name: 'an object store bucket can be frozen and compared, too',
    layout: 'OBJECT_STORE',
    async play(stage) {
      const put = (key: string) => `key put ${stage.o3()}/${key} /etc/hostname`;
      await stage.given(put('dir/k1'), put('k2'), put('k3'), `snapshot create ${stage.o3()} s-1`);
      await stage.given(
        `key put ${stage.o3()}/dir/k1 /etc/passwd`,
        `key rename ${stage.o3()} k2 k4`,
        `key delete ${stage.o3()}/k3`,
        put('k5'),
        `snapshot create ${stage.o3()} s-2`,
        `snapshot diff ${stage.o3()} s-1 s-2`,
      );
      expect(await stage.diff()).toEqual(['- ./k3', 'R ./k2 -> ./k4', '+ ./k5', 'M ./dir/k1']);
    },
  },
];
