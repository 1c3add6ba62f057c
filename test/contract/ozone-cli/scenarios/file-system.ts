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
