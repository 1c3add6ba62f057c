import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Scenario } from '../scenario.ts';
import { countersOf, type Stage } from '../stage.ts';

const file = (path: string, content = '1') => ({ op: 'text', path, content }) as const;

/** Names of the keys that a listing with this prefix shows. */
const listed = async (stage: Stage, prefix: string): Promise<readonly string[]> => {
  const { exit, stdout } = await stage.sh('key', 'list', '--all', '-p', prefix, stage.o3());
  expect(exit).toBe(0);
  return JSON.parse(stdout).map((key: { readonly name: string }) => key.name);
};

const contents = async (stage: Stage, ...paths: readonly string[]): Promise<string> =>
  (await stage.fs('-cat', ...paths.map((path) => stage.ofs('dr', path)))).stdout;

/** A file for `-filters` with one line. */
const filter = async (stage: Stage, line: string): Promise<string> => {
  const path = join(await stage.driver.folder(), 'filter');
  await writeFile(path, `${line}\n`);
  return path;
};

const inSnapshot = (stage: Stage): string => `(?s)ofs://[^/]+/${stage.volume}/${stage.bucket}/\\.snapshot/s-1/`;

/** Hadoop fills in such a value in what it takes for configuration. */
const odd = '[x]*$'.concat('{a}');

const tree = [file('a/b/f'), file('a/b/sub/g'), file('a/b2/h'), file('a/bfile')] as const;

const removal = (layout: 'FILE_SYSTEM_OPTIMIZED' | 'LEGACY'): Scenario => ({
  name: `a bucket is deleted with all that is in it, unless it has snapshots, which only the text tells (${layout})`,
  async play(stage) {
    const bucket = `${stage.o3()}-scratch`;
    const name = `${stage.bucket}-scratch`;
    await stage.given(`bucket create -l ${layout} ${bucket}`);
    await stage.driver.change(`${stage.ofs()}-scratch`, [file('a/b'), { op: 'mkdir', path: 'empty' }]);
    await stage.given(`snapshot create ${bucket} s-1`);
    expect(await stage.sh('bucket', 'delete', '-r', '--yes', bucket)).toEqual({
      exit: 0,
      stdout: `Could not delete bucket Bucket ${name} can't be deleted when it has snapshots.\n`,
      stderr: '',
    });
    expect(JSON.parse((await stage.sh('key', 'list', '--all', bucket)).stdout)).toEqual([]);

    const other = `${stage.o3()}-other`;
    await stage.given(`bucket create -l ${layout} ${other}`);
    await stage.driver.change(`${stage.ofs()}-other`, [file('a/b'), { op: 'mkdir', path: 'empty' }]);
    expect(await stage.batch(`bucket delete -r --yes ${other}`, `bucket info ${other}`)).toMatchObject({
      exit: 255,
      stdout: expect.stringContaining(`Bucket ${stage.bucket}-other is deleted\n`),
      stderr: expect.stringContaining('BUCKET_NOT_FOUND'),
    });
    expect(await stage.sh('bucket', 'delete', '-r', '--yes', other)).toMatchObject({
      exit: 255,
      stderr: expect.stringContaining('BUCKET_NOT_FOUND'),
    });
  },
});

export const restoreScenarios: readonly Scenario[] = [
  {
    name: 'a prefix that is a whole path lists that path and not what begins alike',
    async play(stage) {
      await stage.change('prod', ...tree);
      await stage.snapshots('prod', 's-1');
      for (const root of ['', '.snapshot/s-1/']) {
        const names = async (prefix: string) =>
          (await listed(stage, `${root}${prefix}`)).map((name) => name.slice(root.length));
        expect(await names('a/b')).toEqual(['a/b/', 'a/b/f', 'a/b/sub/', 'a/b/sub/g']);
        expect(await names('a/b/')).toEqual(['a/b/', 'a/b/f', 'a/b/sub/', 'a/b/sub/g']);
        expect(await names('a/bf')).toEqual(['a/bfile']);
        expect(await names('a/bfile')).toEqual(['a/bfile']);
        expect(await names('a/bfile/')).toEqual(['a/bfile']);
        expect(await names('nowhere/')).toEqual([]);
        expect(await names('a/bfile/x/')).toEqual([]);
      }
    },
  },
  {
    name: 'in a LEGACY bucket a prefix is the beginning of a name',
    layout: 'LEGACY',
    async play(stage) {
      await stage.change('prod', ...tree);
      expect(await listed(stage, 'a/b/')).toEqual(['a/b/', 'a/b/f', 'a/b/sub/', 'a/b/sub/g']);
      const all = await listed(stage, 'a/b');
      expect([...all].sort()).toEqual(['a/b/', 'a/b/f', 'a/b/sub/', 'a/b/sub/g', 'a/b2/', 'a/b2/h', 'a/bfile']);
      expect(await listed(stage, 'a/bfile/')).toEqual([]);
    },
  },
  {
    name: 'a filter leaves out what it matches as a whole; directories that are left out are walked all the same',
    async play(stage) {
      await stage.change(
        'prod',
        ...['a/one', 'a/two', 'b/c/three', 'top', 'back\\slash', 'new\nline', odd, 'é日本𝄞', 'é日本'].map((path) =>
          file(path),
        ),
      );
      await stage.snapshots('prod', 's-1');
      const names = 'a/one|b/c/three|back\\\\slash|new\\x0aline|\\[x\\]\\*\\$\\{a\\}|é日本(?:𝄞)';
      const line = `${inSnapshot(stage)}(?!(?:${names})\\z).+`;
      const [from, to] = [stage.ofs('prod', '.snapshot/s-1'), stage.ofs('dr')];
      const ran = await stage.distcp('-pt', '-update', '-direct', '-filters', await filter(stage, line), from, to);
      expect({ exit: ran.exit, counters: countersOf(ran) }).toMatchObject({ exit: 0, counters: { 'Files Copied': 6 } });
      const files = [...(await stage.tree('dr'))].filter(([, { type }]) => type === 'file').map(([path]) => path);
      expect(files.sort()).toEqual([odd, 'a/one', 'b/c/three', 'back\\slash', 'new\nline', 'é日本𝄞']);
    },
  },
  {
    name: 'without -update or -overwrite what is there stays, whatever it holds, and the entries of a directory go below the target',
    async play(stage) {
      await stage.change('prod', file('d/a/one', 'old'), file('d/two', 'two'), file('d/.three'), {
        op: 'mkdir',
        path: 'd/e',
      });
      await stage.change('dr', file('d/a/one', 'newer'));
      await stage.snapshots('prod', 's-1');
      const ran = await stage.distcp('-pt', '-direct', stage.ofs('prod', '.snapshot/s-1/d/*'), stage.ofs('dr', 'd'));
      expect({ exit: ran.exit, counters: countersOf(ran) }).toMatchObject({
        exit: 0,
        counters: { 'Files Copied': 2, 'Files Skipped': 1 },
      });
      expect(await stage.paths('dr')).toEqual(['d', 'd/.three', 'd/a', 'd/a/one', 'd/e', 'd/two']);
      expect(await contents(stage, 'd/a/one')).toBe('newer');
    },
  },
  {
    name: 'a single entry of a directory goes below the target too, when that is there',
    async play(stage) {
      await stage.change('prod', file('d/a/one', 'old'));
      await stage.change('dr', { op: 'mkdir', path: 'd' });
      await stage.snapshots('prod', 's-1');
      const ran = await stage.distcp('-pt', '-direct', stage.ofs('prod', '.snapshot/s-1/d/*'), stage.ofs('dr', 'd'));
      expect(ran.exit).toBe(0);
      expect(await stage.paths('dr')).toEqual(['d', 'd/a', 'd/a/one']);
    },
  },
  {
    name: 'several files by name go below the target under their own names, also over what is there',
    async play(stage) {
      await stage.change('prod', file('d/one', 'old'), file('d/{t}wo', 'old'), file('d/other'));
      await stage.change('dr', file('d/one', 'newer'));
      await stage.snapshots('prod', 's-1');
      const sources = ['d/one', 'd/\\{t\\}wo'].map((path) => stage.ofs('prod', `.snapshot/s-1/${path}`));
      for (const [mode, content] of [
        [[], 'newer'],
        [['-update'], 'old'],
        [['-overwrite'], 'old'],
      ] as const) {
        expect((await stage.distcp('-pt', ...mode, '-direct', ...sources, stage.ofs('dr', 'd'))).exit).toBe(0);
        expect(await stage.paths('dr')).toEqual(['d', 'd/one', 'd/{t}wo']);
        expect(await contents(stage, 'd/one')).toBe(content);
      }
    },
  },
  {
    name: 'a bucket goes back to its own snapshot, what is extra goes too, with -update as with -overwrite',
    async play(stage) {
      await stage.change('prod', ...tree, { op: 'mkdir', path: 'empty' });
      await stage.snapshots('prod', 's-1');
      for (const mode of ['-update', '-overwrite']) {
        await stage.change('prod', { op: 'rmr', path: 'a/b' }, file('a/bfile', 'spoilt'), file('extra/x'));
        const ran = await stage.distcp(
          '-pt',
          mode,
          '-delete',
          '-direct',
          stage.ofs('prod', '.snapshot/s-1'),
          stage.ofs(),
        );
        expect(ran.exit).toBe(0);
        expect(await stage.tree('prod')).toEqual(await stage.tree('prod', 's-1'));
      }
    },
  },
  {
    name: 'an empty directory, or an empty bucket, empties its target when that is there',
    async play(stage) {
      await stage.snapshots('prod', 's-1');
      await stage.change('prod', { op: 'mkdir', path: 'empty' });
      await stage.snapshots('prod', 's-2');
      await stage.change('dr', file('empty/x/y'), file('other'));
      const copy = (from: string, to: string) =>
        stage.distcp('-pt', '-update', '-delete', '-direct', stage.ofs('prod', from), stage.ofs('dr', to));
      expect((await copy('.snapshot/s-2/empty', 'empty')).exit).toBe(0);
      expect(await stage.paths('dr')).toEqual(['empty', 'other']);
      expect((await copy('.snapshot/s-1', '')).exit).toBe(0);
      expect(await stage.paths('dr')).toEqual([]);
    },
  },
  {
    name: 'no directory can be made below a file, or in its place',
    async play(stage) {
      await stage.change('prod', file('a/f'));
      const bucket = `${stage.volume}/${stage.bucket}`;
      expect(await stage.fs('-mkdir', '-p', stage.ofs('prod', 'a/f/x/y'))).toEqual({
        exit: 1,
        stdout: '',
        stderr: `mkdir: Unable to create directory: a/f/x/y in volume/bucket: ${bucket} as file:/${bucket}/a/f already exists\n`,
      });
      expect(await stage.fs('-mkdir', '-p', stage.ofs('prod', 'a/f'))).toEqual({
        exit: 1,
        stdout: '',
        stderr: `mkdir: \`${stage.ofs('prod', 'a/f')}': Is not a directory\n`,
      });
    },
  },
  {
    name: 'in a LEGACY bucket neither, with fewer words',
    layout: 'LEGACY',
    async play(stage) {
      await stage.change('prod', file('a/f'));
      expect(await stage.fs('-mkdir', '-p', stage.ofs('prod', 'a/f/x/y'))).toEqual({
        exit: 1,
        stdout: '',
        stderr: `mkdir: Unable to create directory: a/f/x/y in volume/bucket: ${stage.volume}/${stage.bucket}\n`,
      });
    },
  },
  {
    name: 'in a LEGACY bucket the times of files can be kept, those of directories make the job fail when all else is done',
    layout: 'LEGACY',
    async play(stage) {
      await stage.change('prod', file('a/f'));
      await stage.change('dr', { op: 'mkdir', path: 'a' }, file('extra'));
      await stage.snapshots('prod', 's-1');
      const source = stage.ofs('prod', '.snapshot/s-1');
      expect((await stage.distcp('-pt', '-update', '-direct', `${source}/a/f`, stage.ofs('dr', 'a'))).exit).toBe(0);
      const ran = await stage.distcp('-pt', '-update', '-delete', '-direct', source, stage.ofs('dr'));
      expect(ran.exit).toBe(25);
      expect(await stage.paths('dr')).toEqual(['a', 'a/f']);
      expect((await stage.distcp('-update', '-delete', '-direct', source, stage.ofs('dr'))).exit).toBe(0);
      expect(await stage.paths('dr')).toEqual(['a', 'a/f']);
    },
  },
  {
    name: 'a key of an OBJECT_STORE bucket can be read from a snapshot and put back',
    layout: 'OBJECT_STORE',
    async play(stage) {
      const folder = await stage.driver.folder();
      const [original, restored] = [join(folder, 'original'), join(folder, 'restored')];
      await writeFile(original, 'content');
      const key = `${stage.o3()}/dir/key`;
      expect((await stage.sh('key', 'put', key, original)).exit).toBe(0);
      await stage.snapshots('prod', 's-1');
      expect((await stage.sh('key', 'delete', key)).exit).toBe(0);
      expect((await stage.sh('key', 'get', `${stage.o3()}/.snapshot/s-1/dir/key`, restored)).exit).toBe(0);
      expect(await readFile(restored, 'utf8')).toBe('content');
      expect((await stage.sh('key', 'put', key, restored)).exit).toBe(0);
      expect(await listed(stage, 'dir/')).toEqual(['dir/key']);
    },
  },
  removal('FILE_SYSTEM_OPTIMIZED'),
  removal('LEGACY'),
];
