import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Scenario } from '../scenario.ts';
import { countersOf, type Stage, traverseSwitch } from '../stage.ts';

/** A distcp that is refused: exit code, and a line of its log. */
const refuses = (
  name: string,
  exit: number,
  line: string,
  words: (stage: Stage) => readonly string[],
  layout?: Scenario['layout'],
): Scenario => ({
  name,
  ...(layout === undefined ? {} : { layout }),
  async play(stage) {
    const ran = await stage.distcp(...words(stage));
    expect({ exit: ran.exit, says: ran.stderr.split('\n').find((l) => l.includes(line)) ?? ran.stderr }).toEqual({
      exit,
      says: expect.stringContaining(line),
    });
    expect(ran.stdout.startsWith('usage: distcp OPTIONS [source_path...] <target_path>')).toBe(
      exit === 255 && ran.stderr.includes('Invalid arguments'),
    );
  },
});

const some = [
  { op: 'text', path: 'a/f', content: 'hello' },
  { op: 'text', path: 'a/b/g', content: 'world!' },
  { op: 'mkdir', path: 'empty' },
] as const;

const diff = (stage: Stage, ...paths: readonly string[]) =>
  [traverseSwitch, '-update', '-diff', 's-1', 's-2', ...paths].map((word) =>
    word.replace('BUCKET', `${stage.volume}/${stage.bucket}`),
  );

export const copyScenarios: readonly Scenario[] = [
  {
    name: 'a full copy of a snapshot makes the target equal and counts what it did, twice in the log',
    async play(stage) {
      await stage.change('prod', ...some);
      await stage.snapshots('prod', 's-1');
      await stage.change('prod', { op: 'rm', path: 'a/f' });
      const ran = await stage.full('s-1');
      expect(ran).toMatchObject({ exit: 0, stdout: '' });
      expect(countersOf(ran)).toEqual({ 'Bytes Copied': 11, 'Bytes Expected': 11, 'Files Copied': 2, DIR_COPY: 3 });
      expect(ran.stderr.split('DistCp Counters').length).toBe(3);
      expect(ran.stderr).toMatch(
        /^\d\d\/\d\d\/\d\d \d\d:\d\d:\d\d INFO tools\.DistCp: Input Options: DistCpOptions\{.*syncFolder=true, deleteMissing=true,.*useDiff=false,.*directWrite=true/m,
      );
      expect(await stage.isReplica('s-1')).toBe(true);
    },
  },
  {
    name: 'the same copy again skips every file',
    async play(stage) {
      await stage.change('prod', ...some);
      await stage.change('dr', ...some);
      await stage.snapshots('prod', 's-1');
      const ran = await stage.full('s-1');
      expect({ exit: ran.exit, counters: countersOf(ran) }).toEqual({
        exit: 0,
        counters: { 'Bytes Skipped': 11, 'Files Skipped': 2, DIR_COPY: 3 },
      });
    },
  },
  {
    name: 'a full copy repairs: what is extra goes, what differs in content or is missing comes',
    async play(stage) {
      await stage.change('prod', ...some);
      await stage.change(
        'dr',
        { op: 'text', path: 'a/f', content: 'HELLO' },
        { op: 'text', path: 'x/y/z', content: 'extra' },
        { op: 'text', path: '.distcp.diff.tmp123/q', content: 'left over' },
      );
      await stage.snapshots('prod', 's-1');
      const ran = await stage.full('s-1');
      expect({ exit: ran.exit, counters: countersOf(ran) }).toMatchObject({ exit: 0, counters: { 'Files Copied': 2 } });
      expect(await stage.isReplica('s-1')).toBe(true);
    },
  },
  {
    name: 'without -delete what is extra stays',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'f', content: '1' });
      await stage.change('dr', { op: 'text', path: 'extra', content: '2' });
      await stage.snapshots('prod', 's-1');
      expect(
        await stage.distcp('-update', '-direct', stage.ofs('prod', '.snapshot/s-1'), stage.ofs('dr')),
      ).toMatchObject({ exit: 0 });
      expect(await stage.paths('dr')).toEqual(['extra', 'f']);
    },
  },
  {
    name: 'without -direct a file is written under a temporary name first, and nothing of it stays',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'a/f', content: 'hello' });
      await stage.snapshots('prod', 's-1');
      const ran = await stage.distcp('-update', stage.ofs('prod', '.snapshot/s-1'), stage.ofs('dr'));
      expect(ran.exit).toBe(0);
      expect(ran.stderr).toMatch(/Creating temp file: .*\.distcp\.tmp\.attempt_local/);
      expect(await stage.paths('dr')).toEqual(['a', 'a/f']);
    },
  },
  {
    name: 'a target bucket that is missing is created in silence',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'f', content: 'hello' });
      await stage.snapshots('prod', 's-1');
      const ran = await stage.distcp(
        '-update',
        '-direct',
        stage.ofs('prod', '.snapshot/s-1'),
        `${stage.ofs('dr')}-new`,
      );
      expect(ran.exit).toBe(0);
      const info = await stage.sh('bucket', 'info', `${stage.o3('dr')}-new`);
      expect(JSON.parse(info.stdout)).toMatchObject({
        name: `${stage.bucket}-new`,
        bucketLayout: 'FILE_SYSTEM_OPTIMIZED',
        owner: userInfo().username,
      });
    },
  },
  {
    name: 'options behind the paths are paths: both sides are copied into a local folder, with exit 0',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'f', content: 'hello' });
      await stage.change('dr', { op: 'text', path: 'g', content: 'world' });
      await stage.snapshots('prod', 's-1');
      const folder = await stage.driver.folder();
      const ran = await stage.driver.run(
        ['hadoop', 'distcp', stage.ofs('prod', '.snapshot/s-1'), stage.ofs('dr'), '-update'],
        folder,
      );
      expect(ran.exit).toBe(0);
      expect(await stage.paths('dr')).toEqual(['g']);
      expect(await readFile(join(folder, '-update', 's-1', 'f'), 'utf8')).toBe('hello');
      expect(await readFile(join(folder, '-update', stage.bucket, 'g'), 'utf8')).toBe('world');
    },
  },
  {
    name: 'a filter file that is missing is an error in the log and nothing else',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'f', content: 'hello' });
      await stage.snapshots('prod', 's-1');
      const ran = await stage.distcp(
        '-filters',
        '/nonexistent',
        '-update',
        '-direct',
        stage.ofs('prod', '.snapshot/s-1'),
        stage.ofs('dr'),
      );
      expect(ran.exit).toBe(0);
      expect(ran.stderr).toContain(
        'ERROR tools.RegexCopyFilter: An error occurred while attempting to read from /nonexistent\n',
      );
      expect(await stage.paths('dr')).toEqual(['f']);
    },
  },
  refuses('a source that is missing is invalid', 255, "doesn't exist", (stage) => [
    '-update',
    stage.ofs('prod', '.snapshot/none'),
    stage.ofs('dr'),
  ]),
  refuses('preserving ACLs is not supported', 253, 'ACLs not supported for file system: ofs://dr', (stage) => [
    '-pa',
    '-update',
    stage.ofs(),
    stage.ofs('dr'),
  ]),
  refuses(
    'preserving extended attributes is not supported',
    252,
    'XAttrs not supported for file system: ofs://dr',
    (stage) => ['-px', '-update', stage.ofs(), stage.ofs('dr')],
  ),
  refuses(
    'splitting files is not supported',
    255,
    "Invalid arguments: blocksperchunk is not supported since the target file system doesn't support concat.",
    (stage) => ['-update', '-blocksperchunk', '2', stage.ofs(), stage.ofs('dr')],
  ),
  refuses(
    'an object store bucket is no source',
    25,
    'has layout: OBJECT_STORE, which does not support file system semantics',
    (stage) => ['-update', stage.ofs('prod', '.snapshot/s-1'), `ofs://dr/${stage.volume}/other`],
    'OBJECT_STORE',
  ),
  refuses(
    'an object store bucket is no target',
    255,
    'has layout: OBJECT_STORE, which does not support file system semantics',
    (stage) => ['-update', 'ofs://prod/ready/ready', stage.ofs('dr')],
    'OBJECT_STORE',
  ),
  refuses(
    'the form of the old guide, with snapshots as paths, has no source left',
    255,
    'Invalid arguments: Neither source file listing nor source paths present',
    (stage) => [
      '-update',
      '-diff',
      `o3fs://${stage.bucket}.${stage.volume}.prod/.snapshot/s-1`,
      `o3fs://${stage.bucket}.${stage.volume}.prod/.snapshot/s-2`,
      `o3fs://${stage.bucket}.${stage.volume}.dr/`,
    ],
  ),
  refuses(
    'o3fs cannot tell differences',
    25,
    'The source file system o3fs does not support getSnapshotDiffReport',
    (stage) =>
      diff(stage, `o3fs://${stage.bucket}.${stage.volume}.prod/`, `o3fs://${stage.bucket}.${stage.volume}.dr/`),
  ),
  refuses(
    'two sources with -diff are refused',
    25,
    'java.lang.IllegalArgumentException: 2 source paths are provided',
    (stage) => diff(stage, 'ofs://prod/BUCKET', 'ofs://prod/ready/ready', 'ofs://dr/BUCKET'),
  ),
  refuses(
    '-delete with -diff is refused',
    255,
    'Invalid arguments: -delete and -diff/-rdiff are mutually exclusive.',
    (stage) => diff(stage, '-delete', 'ofs://prod/BUCKET', 'ofs://dr/BUCKET'),
  ),
  refuses(
    '-diff without -update is refused',
    255,
    'Invalid arguments: -diff/-rdiff is valid only with -update option',
    (stage) => ['-diff', 's-1', 's-2', stage.ofs(), stage.ofs('dr')],
  ),
  refuses(
    'a base that the target has not is a failed sync',
    25,
    "FILE_NOT_FOUND org.apache.hadoop.ozone.om.exceptions.OMException: Snapshot '/",
    (stage) => diff(stage, 'ofs://prod/BUCKET', 'ofs://dr/BUCKET'),
  ),
];
