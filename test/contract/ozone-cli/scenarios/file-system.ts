import { userInfo } from 'node:os';
import { expect } from 'vitest';
import type { Scenario } from '../scenario.ts';

const me = userInfo().username;
const sorted = (lines: string): readonly string[] => lines.trimEnd().split('\n').sort();
const failed = (message: string) => ({ exit: 1, stdout: '', stderr: `${message}\n` });

export const fileSystemScenarios: readonly Scenario[] = [
  {
    name: 'a listing shows type, size and path of everything below',
    async play(stage) {
      await stage.change(
        'prod',
        { op: 'text', path: 'a/name with space', content: 'abc' },
        { op: 'text', path: 'z', content: '' },
      );
      const ran = await stage.fs('-ls', '-R', stage.ofs());
      expect(ran).toMatchObject({ exit: 0, stderr: '' });
      expect(
        sorted(ran.stdout).map((line) => line.replace(/\d{4}-\d\d-\d\d \d\d:\d\d/, 'TIME').replace(/ +/g, ' ')),
      ).toEqual([
        `-rw-rw-rw- 1 ${me} ${me} 0 TIME ${stage.ofs('prod', 'z')}`,
        `-rw-rw-rw- 1 ${me} ${me} 3 TIME ${stage.ofs('prod', 'a/name with space')}`,
        `drwxrwxrwx - ${me} ${me} 0 TIME ${stage.ofs('prod', 'a')}`,
      ]);
    },
  },
  {
    name: 'a path that is missing is named by the command that looked for it',
    async play(stage) {
      const path = stage.ofs('prod', 'none');
      for (const command of ['ls', 'count', 'rm', 'checksum', 'cat']) {
        expect(await stage.fs(`-${command}`, path)).toEqual(
          failed(`${command}: \`${path}': No such file or directory`),
        );
      }
      expect(await stage.fs('-test', '-e', path)).toEqual({ exit: 1, stdout: '', stderr: '' });
    },
  },
  {
    name: 'a count has directories with the one asked for, files and bytes',
    async play(stage) {
      await stage.change(
        'prod',
        { op: 'text', path: 'a/b/f', content: 'abc' },
        { op: 'text', path: 'g', content: 'de' },
      );
      await stage.snapshots('prod', 's-1');
      const path = stage.ofs('prod', '.snapshot/s-1');
      const ran = await stage.fs('-count', stage.ofs(), path);
      expect(sorted(ran.stdout).map((line) => line.trim().split(/ +/))).toEqual([
        ['3', '2', '5', stage.ofs()],
        ['3', '2', '5', path],
      ]);
    },
  },
  {
    name: 'a checksum is the same wherever the same content is, in a snapshot too',
    async play(stage) {
      const put = { op: 'text', path: 'a/f', content: 'hello world' } as const;
      await Promise.all([stage.change('prod', put), stage.change('dr', put)]);
      await stage.snapshots('prod', 's-1');
      const paths = [stage.ofs('prod', '.snapshot/s-1/a/f'), stage.ofs('dr', 'a/f')];
      const ran = await stage.driver.run(['ozone', 'fs', '-checksum', ...paths]);
      expect(ran).toEqual({
        exit: 0,
        stdout: paths.map((path) => `${path}\tCOMPOSITE-CRC32\t0d4a1185\n`).join(''),
        stderr: '',
      });
    },
  },
  {
    name: 'a checksum of other content of the same length is another',
    async play(stage) {
      await Promise.all([
        stage.change('prod', { op: 'text', path: 'f', content: 'hello world' }),
        stage.change('dr', { op: 'text', path: 'f', content: 'hello World' }),
      ]);
      const paths = [stage.ofs('prod', 'f'), stage.ofs('dr', 'f')];
      const { exit, stdout } = await stage.fs('-checksum', ...paths);
      expect(exit).toBe(0);
      const [left, right] = stdout.split('\n').map((line) => line.split('\t').slice(1));
      expect(left?.[0]).toBe('COMPOSITE-CRC32');
      expect(right?.[0]).toBe('COMPOSITE-CRC32');
      expect(left?.[1]).not.toBe(right?.[1]);
    },
  },
  {
    name: 'a checksum of an empty file is one of its own kind, the same on both clusters',
    async play(stage) {
      const put = { op: 'text', path: 'f', content: '' } as const;
      await Promise.all([stage.change('prod', put), stage.change('dr', put)]);
      const paths = [stage.ofs('prod', 'f'), stage.ofs('dr', 'f')];
      expect(await stage.fs('-checksum', ...paths)).toEqual({
        exit: 0,
        stdout: paths
          .map((path) => `${path}\tMD5-of-0MD5-of-0CRC32\t00000000000000000000000070bc8f4b72a86921468bf8e8441dce51\n`)
          .join(''),
        stderr: '',
      });
    },
  },
  {
    name: 'paths are answered in their order, those that cannot be are left out, and the exit code is 1',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'd/f', content: 'x' }, { op: 'text', path: 'g', content: 'x' });
      await stage.snapshots('prod', 's-1');
      const at = (path: string) => stage.ofs('prod', `.snapshot/${path}`);
      const ran = await stage.fs('-checksum', at('s-1/g'), at('s-1/none'), at('s-1/d'), at('s-2/g'), at('s-1/d/f'));
      expect(ran).toEqual({
        exit: 1,
        stdout: [at('s-1/g'), at('s-1/d/f')].map((path) => `${path}\tCOMPOSITE-CRC32\t8cdc1683\n`).join(''),
        stderr: [
          `checksum: \`${at('s-1/none')}': No such file or directory\n`,
          `checksum: \`${at('s-1/d')}': Is a directory\n`,
          `checksum: \`${at('s-2/g')}': No such file or directory\n`,
        ].join(''),
      });
    },
  },
  {
    name: 'a path is a pattern, a backslash makes it a name again, and the name is what is printed',
    async play(stage) {
      const names = [
        ...['with blank/a b', 'star*q?', '[1]{x,y}', 'back\\slash', 'quote"s\'t', 'ünï/😀', 'tab\there'],
        ...['new\nline', 'per%20cent+plus', 'ctrl\u0001x', '^caret', '-dash', 'hash#frag'],
      ];
      const text = (path: string, content: string) => ({ op: 'text', path, content }) as const;
      await stage.change('prod', ...names.map((path) => text(path, 'x')), text('starXqY', 'y'), text('1x', 'y'));
      await stage.snapshots('prod', 's-1');
      const at = (path: string) => stage.ofs('prod', `.snapshot/s-1/${path}`);
      const escaped = names.map((path) => path.replace(/[\][*?{}\\]/g, '\\$&'));
      expect(await stage.fs('-checksum', ...escaped.map(at))).toEqual({
        exit: 0,
        stdout: names.map((path) => `${at(path)}\tCOMPOSITE-CRC32\t8cdc1683\n`).join(''),
        stderr: '',
      });
      const unescaped = await stage.fs('-checksum', at('star*q?'), at('[1]{x,y}'), at('back\\slash'), at('no\\*'));
      expect(unescaped.exit).toBe(1);
      expect(sorted(unescaped.stdout).map((line) => line.split('\t')[0])).toEqual(
        [at('1x'), at('star*q?'), at('starXqY')].sort(),
      );
      expect(unescaped.stderr).toBe(
        ['backslash', 'no*'].map((path) => `checksum: \`${at(path)}': No such file or directory\n`).join(''),
      );
    },
  },
  {
    name: 'a stat in a snapshot has length, time in milliseconds and type, as a listing has them',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'a/f', content: 'abc' }, { op: 'text', path: 'e', content: '' });
      await stage.snapshots('prod', 's-1');
      await stage.change('prod', { op: 'text', path: 'a/f', content: 'longer' }, { op: 'rm', path: 'e' });
      const at = (path: string) => stage.ofs('prod', `.snapshot/s-1/${path}`);
      const ran = await stage.fs('-stat', '%b %Y %F', at('a/f'), at('e'), at('a'));
      expect(ran).toMatchObject({ exit: 0, stderr: '' });
      const listed = JSON.parse((await stage.sh('key', 'list', '--all', '-p', '.snapshot/s-1/', stage.o3())).stdout);
      const timeOf = (path: string) =>
        Date.parse(
          listed.find((key: { readonly name: string }) => key.name === `.snapshot/s-1/${path}`).modificationTime,
        );
      const [file, empty, directory] = ran.stdout.split('\n');
      expect(file).toBe(`3 ${timeOf('a/f')} regular file`);
      expect(empty).toBe(`0 ${timeOf('e')} regular file`);
      expect(directory).toMatch(/^[0-9]+ [0-9]+ directory$/);
    },
  },
  {
    name: 'a stat answers in the order of its paths, leaves out those that are missing, names each, and ends with 1',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'd/f', content: 'x' }, { op: 'text', path: 'g', content: 'xy' });
      await stage.snapshots('prod', 's-1', 's-2');
      await stage.given(`snapshot delete ${stage.o3()} s-2`);
      const at = (path: string) => stage.ofs('prod', `.snapshot/${path}`);
      const missing = ['s-1/none', 's-1/g/below', 's-2/g', 's-3/g', 's-1/no*'];
      const words = ['s-1/g', 's-1/none', 's-1/g/below', 's-1/d', 's-2/g', 's-3/g', 's-1/no\\*', 's-1/d/f'];
      const ran = await stage.fs('-stat', '%b %F', ...words.map(at));
      expect(ran).toMatchObject({
        exit: 1,
        stderr: missing.map((path) => `stat: \`${at(path)}': No such file or directory\n`).join(''),
      });
      expect(ran.stdout).toMatch(/^2 regular file\n[0-9]+ directory\n1 regular file\n$/);
    },
  },
  {
    name: 'a stat takes a name with the characters of patterns and blanks, once they are escaped',
    async play(stage) {
      const names = ['with blank/a b', 'star*q?', '[1]{x,y}', 'back\\slash', 'ünï/😀', 'per%20cent+plus', '-dash'];
      await stage.change('prod', ...names.map((path, n) => ({ op: 'text', path, content: 'x'.repeat(n) }) as const));
      await stage.snapshots('prod', 's-1');
      const words = names.map((path) => stage.ofs('prod', `.snapshot/s-1/${path.replace(/[\][*?{}\\]/g, '\\$&')}`));
      expect(await stage.fs('-stat', '%b %F', ...words)).toEqual({
        exit: 0,
        stdout: names.map((_, n) => `${n} regular file\n`).join(''),
        stderr: '',
      });
    },
  },
  {
    name: 'a stat in a LEGACY bucket finds a directory that holds a file',
    layout: 'LEGACY',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'a/f', content: 'abc' });
      await stage.snapshots('prod', 's-1');
      const at = (path: string) => stage.ofs('prod', `.snapshot/s-1/${path}`);
      const ran = await stage.fs('-stat', '%b %Y %F', at('a'), at('a/f'));
      expect(ran).toMatchObject({ exit: 0, stderr: '' });
      expect(ran.stdout).toMatch(/^[0-9]+ [0-9]+ directory\n3 [0-9]+ regular file\n$/);
    },
  },
  {
    name: 'an object store bucket has nothing to stat',
    layout: 'OBJECT_STORE',
    async play(stage) {
      await stage.given(`snapshot create ${stage.o3()} s-1`);
      const ran = await stage.fs('-stat', '%b', stage.ofs('prod', '.snapshot/s-1/f'));
      expect(ran).toMatchObject({ exit: 255, stdout: '' });
      expect(ran.stderr.split('\n')[0]).toMatch(
        /^-stat: Bucket: .* has layout: OBJECT_STORE, which does not support file system semantics\./,
      );
    },
  },
  {
    name: 'an overwrite of the same length has another modification time, a rename keeps it',
    async play(stage) {
      await stage.change(
        'prod',
        ...['same', 'd/moved', 'kept'].map((path) => ({ op: 'text', path, content: 'abc' }) as const),
      );
      await stage.snapshots('prod', 's-1');
      await new Promise((resolve) => setTimeout(resolve, 20));
      await stage.change(
        'prod',
        { op: 'text', path: 'same', content: 'abd' },
        { op: 'mv', path: 'd', to: 'e' },
        { op: 'mv', path: 'kept', to: 'renamed' },
      );
      await stage.snapshots('prod', 's-2');
      const times = async (snapshot: string): Promise<ReadonlyMap<string, string>> => {
        const { stdout } = await stage.sh('key', 'list', '--all', '-p', `.snapshot/${snapshot}/`, stage.o3());
        return new Map(
          JSON.parse(stdout)
            .filter((key: { file: boolean }) => key.file)
            .map((key: { name: string; modificationTime: string }) => [
              key.name.slice(`.snapshot/${snapshot}/`.length),
              key.modificationTime,
            ]),
        );
      };
      const [before, after] = [await times('s-1'), await times('s-2')];
      expect([...after.keys()].sort()).toEqual(['e/moved', 'renamed', 'same']);
      expect(after.get('same')).not.toBe(before.get('same'));
      expect(after.get('e/moved')).toBe(before.get('d/moved'));
    },
  },
  {
    name: 'nothing can be written or removed inside a snapshot',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'f', content: 'x' });
      await stage.snapshots('prod', 's-1');
      expect(
        await stage.driver.run(['ozone', 'fs', '-put', '/etc/hostname', stage.ofs('prod', '.snapshot/s-1/x')]),
      ).toEqual(failed('put: Cannot create key under path reserved for snapshot: .snapshot/'));
      expect(
        await stage.driver.run(['ozone', 'fs', '-rm', '-skipTrash', stage.ofs('prod', '.snapshot/s-1/f')]),
      ).toEqual(
        failed("rm: `Cannot delete key under path reserved for snapshot: .snapshot/': Operation not permitted"),
      );
    },
  },
  {
    name: 'a directory copied over itself a second time lands inside, and that is no error',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'd/f', content: 'x' });
      await stage.snapshots('prod', 's-1');
      const copy = () =>
        stage.driver.run(['ozone', 'fs', '-cp', stage.ofs('prod', '.snapshot/s-1/d'), stage.ofs('dr', 'd')]);
      await stage.change('dr', { op: 'mkdir', path: 'other' });
      expect(await copy()).toMatchObject({ exit: 0 });
      expect(await stage.paths('dr')).toEqual(['d', 'd/f', 'other']);
      expect(await copy()).toMatchObject({ exit: 0 });
      expect(await stage.paths('dr')).toEqual(['d', 'd/d', 'd/d/f', 'd/f', 'other']);
    },
  },
  {
    name: 'a file copied over another needs -f',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'f', content: 'x' }, { op: 'text', path: 'g', content: 'y' });
      const target = stage.ofs('prod', 'g');
      expect(await stage.fs('-cp', stage.ofs('prod', 'f'), target)).toEqual(failed(`cp: \`${target}': File exists`));
      expect(await stage.fs('-cp', '-f', stage.ofs('prod', 'f'), target)).toEqual({ exit: 0, stdout: '', stderr: '' });
      expect((await stage.fs('-cat', target)).stdout).toBe('x');
    },
  },
  {
    name: 'moving refuses what is missing and what is taken',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'f', content: 'x' }, { op: 'text', path: 'g', content: 'y' });
      const at = (path: string) => stage.ofs('prod', path);
      expect(await stage.fs('-mv', at('none'), at('h'))).toEqual(
        failed(`mv: \`${at('none')}': No such file or directory`),
      );
      expect(await stage.fs('-mv', at('f'), at('no/h'))).toEqual(
        failed(`mv: \`${at('no/h')}': No such file or directory`),
      );
      expect(await stage.fs('-mv', at('f'), at('g'))).toEqual(failed(`mv: \`${at('g')}': File exists`));
    },
  },
  {
    name: 'an object store bucket is no file system',
    layout: 'OBJECT_STORE',
    async play(stage) {
      const ran = await stage.fs('-put', '/etc/hostname', stage.ofs('prod', ''));
      expect(ran).toMatchObject({ exit: 255, stdout: '' });
      expect(ran.stderr.split('\n')[0]).toBe(
        `-put: Bucket: ${stage.bucket} has layout: OBJECT_STORE, which does not support file system semantics. Bucket Layout must be FILE_SYSTEM_OPTIMIZED or LEGACY.`,
      );
    },
  },
  {
    name: 'the keys of a snapshot are listed under its path, directories with a slash',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'a/f', content: 'abc' }, { op: 'mkdir', path: 'e' });
      await stage.snapshots('prod', 's-1');
      const ran = await stage.sh('key', 'list', '--all', '-p', '.snapshot/s-1/', stage.o3());
      const keys = JSON.parse(ran.stdout).map((key: { name: string; dataSize: number; file: boolean }) => [
        key.name,
        key.dataSize,
        key.file,
      ]);
      expect(keys).toEqual([
        ['.snapshot/s-1/a/', 0, false],
        ['.snapshot/s-1/a/f', 3, true],
        ['.snapshot/s-1/e/', 0, false],
      ]);
    },
  },
  {
    name: 'the keys of a snapshot that is missing are refused, not an empty list',
    async play(stage) {
      expect(await stage.sh('key', 'list', '--all', '-p', '.snapshot/none/', stage.o3())).toEqual({
        exit: 255,
        stdout: '',
        stderr: `FILE_NOT_FOUND Snapshot '/${stage.volume}/${stage.bucket}/none' is not found.\n`,
      });
    },
  },
  {
    name: 'a list of keys that was cut says so on stderr',
    async play(stage) {
      await stage.change(
        'prod',
        { op: 'text', path: 'a', content: '1' },
        { op: 'text', path: 'b', content: '2' },
        { op: 'text', path: 'c', content: '3' },
      );
      const ran = await stage.sh('key', 'list', '-l', '2', stage.o3());
      expect(JSON.parse(ran.stdout).map((key: { name: string }) => key.name)).toEqual(['a', 'b']);
      expect(ran.stderr).toBe(
        'Listing first 2 entries of the result. Use --length (-l) to override max returned keys.\n',
      );
    },
  },
  {
    name: 'a key is read from a snapshot by its path',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'a/f', content: 'old' });
      await stage.snapshots('prod', 's-1');
      await stage.change('prod', { op: 'text', path: 'a/f', content: 'newer' });
      const info = JSON.parse((await stage.sh('key', 'info', `${stage.o3()}/.snapshot/s-1/a/f`)).stdout);
      expect(info).toMatchObject({ name: '.snapshot/s-1/a/f', owner: me, dataSize: 3, file: true });
      expect(await stage.sh('key', 'info', `${stage.o3()}/none`)).toEqual({
        exit: 255,
        stdout: '',
        stderr: 'KEY_NOT_FOUND Key:none not found\n',
      });
    },
  },
  {
    name: 'a colon in a name is refused',
    async play(stage) {
      expect(await stage.sh('key', 'put', `${stage.o3()}/t00:01.log`, '/etc/hostname')).toEqual({
        exit: 255,
        stdout: '',
        stderr: 'INVALID_KEY_NAME Invalid KeyPath t00:01.log\n',
      });
    },
  },
];
