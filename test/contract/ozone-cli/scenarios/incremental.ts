import { expect } from 'vitest';
import type { Scenario } from '../scenario.ts';
import { countersOf, type Stage, traverseSwitch } from '../stage.ts';

const text = (path: string, content = path) => ({ op: 'text', path, content }) as const;
const mkdir = (path: string) => ({ op: 'mkdir', path }) as const;
const mv = (path: string, to: string) => ({ op: 'mv', path, to }) as const;
const rm = (path: string) => ({ op: 'rm', path }) as const;
const rmr = (path: string) => ({ op: 'rmr', path }) as const;

const modified = 'WARN tools.DistCp: The target has been modified since snapshot s-1';

/** Names of the snapshots of the replica that are active. */
const active = async (stage: Stage): Promise<readonly string[]> => {
  const list: readonly { name: string; snapshotStatus: string }[] = JSON.parse(
    (await stage.sh('snapshot', 'list', '--all', stage.o3('dr'))).stdout,
  );
  return list.filter((s) => s.snapshotStatus === 'SNAPSHOT_ACTIVE').map((s) => s.name);
};

const refusedAsModified = async (stage: Stage): Promise<void> => {
  const ran = await stage.incremental();
  expect(ran).toMatchObject({ exit: 25, stdout: '' });
  expect(ran.stderr).toContain(modified);
  expect(ran.stderr).toContain('java.lang.Exception: DistCp sync failed, input options: DistCpOptions{');
};

export const incrementalScenarios: readonly Scenario[] = [
  {
    name: 'an increment carries every kind of change, and leaves no temporary snapshot active',
    async play(stage) {
      await stage.pair(
        text('a/f1'),
        text('a/f2'),
        text('a/f3'),
        text('b/g1'),
        text('b/g2'),
        text('c/old/h'),
        text('k'),
      );
      await stage.changed(
        text('a/f1', 'same?'),
        rm('a/f2'),
        mv('a/f3', 'a/f4'),
        mv('b', 'moved'),
        mv('moved/g1', 't'),
        mv('moved/g2', 'moved/g1'),
        mv('t', 'moved/g2'),
        rmr('c/old'),
        text('n/x/y/deep'),
        mkdir('empty'),
        rm('k'),
        text('k', 'again'),
      );
      const ran = await stage.incremental();
      expect(ran).toMatchObject({ exit: 0, stdout: '' });
      expect(await stage.isReplica()).toBe(true);
      expect(countersOf(ran)).toMatchObject({ 'Files Copied': 3 });
      expect(await active(stage)).toEqual(['s-1']);
      const jobs: readonly { fromSnapshot: string; toSnapshot: string; jobStatus: string }[] = JSON.parse(
        (await stage.sh('snapshot', 'listDiff', '--all-status', stage.o3('dr'))).stdout,
      );
      expect(jobs).toMatchObject([
        {
          fromSnapshot: 's-1',
          toSnapshot: expect.stringMatching(/^temp[0-9a-f-]{36}s\d{8}-\d{6}\.\d{3}$/),
          jobStatus: 'DONE',
        },
      ]);
    },
  },
  {
    name: 'an increment without changes ends well and counts nothing',
    async play(stage) {
      await stage.pair(text('a/f'));
      await stage.changed();
      const ran = await stage.incremental();
      expect(ran.exit).toBe(0);
      expect(countersOf(ran)).toBeNull();
      expect(ran.stderr).toMatch(/INFO mapreduce\.Job: Counters: 0\n/);
    },
  },
  {
    name: 'without the traverse switch a new directory is listed twice: 254, with the target half changed',
    async play(stage) {
      await stage.pair(text('a/f'), text('gone'));
      await stage.changed(text('n/x/y'), mv('a', 'b'), rm('gone'));
      const ran = await stage.distcp('-update', '-diff', 's-1', 's-2', '-direct', stage.ofs(), stage.ofs('dr'));
      expect(ran.exit).toBe(254);
      expect(ran.stderr).toMatch(
        /ERROR tools\.DistCp: Duplicate files in input path: \norg\.apache\.hadoop\.tools\.CopyListing\$DuplicateFileException: File .* would cause duplicates\. Aborting/,
      );
      expect(await stage.paths('dr')).toEqual(['b', 'b/f']);
    },
  },
  {
    name: 'the same increment again finds the target changed, and does nothing',
    async play(stage) {
      await stage.pair(text('a/f'));
      await stage.changed(text('g'));
      expect(await stage.incremental()).toMatchObject({ exit: 0 });
      await refusedAsModified(stage);
      expect(await stage.paths('dr')).toEqual(['a', 'a/f', 'g']);
    },
  },
  {
    name: 'a foreign write into the target refuses the increment, and a full copy repairs it',
    async play(stage) {
      await stage.pair(text('a/f'));
      await stage.change('dr', text('intruder'));
      await stage.changed(text('g'));
      await refusedAsModified(stage);
      expect(await stage.paths('dr')).toEqual(['a', 'a/f', 'intruder']);
      expect(await stage.full()).toMatchObject({ exit: 0 });
      expect(await stage.isReplica()).toBe(true);
    },
  },
  {
    name: 'a foreign write that leaves the content as it was still refuses the increment',
    async play(stage) {
      await stage.pair(text('a/f'));
      await stage.change('dr', text('a/f'));
      await stage.changed(text('g'));
      await refusedAsModified(stage);
    },
  },
  {
    name: 'a target snapshot that the source has not is an invalid input',
    async play(stage) {
      await stage.pair(text('a/f'));
      const ran = await stage.incremental('s-1', 'none');
      expect(ran.exit).toBe(255);
      expect(ran.stderr).toContain('Input snapshot is not found');
    },
  },
  {
    name: 'a sub-directory is no side of an increment',
    async play(stage) {
      await stage.pair(text('a/f'));
      await stage.changed(text('a/g'));
      const ran = await stage.distcp(
        traverseSwitch,
        '-update',
        '-diff',
        's-1',
        's-2',
        stage.ofs('prod', 'a'),
        stage.ofs('dr', 'a'),
      );
      expect(ran.exit).toBe(25);
      expect(ran.stderr).toContain('java.lang.IllegalArgumentException: Unsupported : Path is not a bucket');
    },
  },
  {
    name: 'two increments in a row, sealed between, follow each other',
    async play(stage) {
      await stage.pair(text('a/f'), text('b/g'));
      await stage.changed(mv('a', 'b/a'), text('n'));
      expect(await stage.incremental()).toMatchObject({ exit: 0 });
      await stage.snapshots('dr', 's-2');
      await stage.change('prod', mv('b/a', 'a'), rmr('b'), text('n', 'newer'));
      await stage.snapshots('prod', 's-3');
      expect(await stage.incremental('s-2', 's-3')).toMatchObject({ exit: 0 });
      expect(await stage.isReplica('s-3')).toBe(true);
    },
  },
  {
    name: 'a directory that was deleted and made again under its name arrives with its new content',
    async play(stage) {
      await stage.pair(text('x/y'), text('x/sub/k'));
      await stage.changed(rmr('x'), text('x/y', 'new'), text('x/z'));
      expect(await stage.incremental()).toMatchObject({ exit: 0 });
      expect(await stage.isReplica()).toBe(true);
    },
  },
  {
    name: 'a directory renamed while its old name is taken by a new one with content fails after the target was changed',
    async play(stage) {
      await stage.pair(text('x/y'));
      await stage.changed(mv('x', 'y'), text('x/c', 'new'));
      const ran = await stage.incremental();
      expect(ran.exit).toBe(25);
      expect(ran.stderr).toContain('java.io.FileNotFoundException: .snapshot/s-2/y/c: No such file or directory!');
      expect(await stage.paths('dr')).toEqual(['y', 'y/y']);
    },
  },
  {
    name: 'the same when the renamed directory has a file of that name ends with 0 and forgets the new file',
    async play(stage) {
      await stage.pair(text('x/c'));
      await stage.changed(mv('x', 'y'), text('x/c', 'new'));
      expect(await stage.incremental()).toMatchObject({ exit: 0 });
      expect(await stage.paths('dr')).toEqual(['x', 'y', 'y/c']);
      expect(await stage.isReplica()).toBe(false);
    },
  },
  {
    name: 'names with blanks, brackets, stars, percent signs and other scripts survive',
    async play(stage) {
      await stage.pair(
        text('sp ace/a b'),
        text('pct%20x'),
        text('br[1]{x}'),
        text('star*q?'),
        text('quote\'"x'),
        text('uni-é-日本'),
        text('back\\slash'),
      );
      await stage.changed(
        mv('sp ace', 'sp ace 2'),
        mv('pct%20x', 'pct%20y'),
        text('br[2]'),
        rm('star*q?'),
        text('uni-ü'),
        text('sp ace 2/pct%2Fx'),
      );
      expect(await stage.incremental()).toMatchObject({ exit: 0 });
      expect(await stage.isReplica()).toBe(true);
    },
  },
  {
    name: 'LEGACY to LEGACY works, too',
    layout: 'LEGACY',
    async play(stage) {
      await stage.pair(mkdir('a/b'), text('a/b/f'), text('a/g'), text('a/h'));
      await stage.changed(mv('a/b', 'z'), text('a/g', 'newer'), rm('a/h'), mkdir('n/sub'), text('n/sub/f'));
      expect(await stage.incremental()).toMatchObject({ exit: 0 });
      expect(await stage.isReplica()).toBe(true);
    },
  },
  {
    name: 'an increment with -rdiff takes a foreign write back',
    async play(stage) {
      await stage.pair(text('a/f'), text('g'));
      await stage.change('dr', text('intruder'), mv('g', 'a/g'));
      const ran = await stage.distcp(
        traverseSwitch,
        '-update',
        '-rdiff',
        '.',
        's-1',
        '-direct',
        stage.ofs(),
        stage.ofs('dr'),
      );
      expect(ran.exit).toBe(0);
      expect(await stage.isReplica('s-1')).toBe(true);
    },
  },
  {
    name: 'two increments of one pair at once both say that they succeeded',
    async play(stage) {
      await stage.pair(text('a/f'));
      await stage.changed(text('a/f', 'newer'));
      await stage.report();
      const both = await Promise.all([stage.incremental(), stage.incremental()]);
      const exits = both.map((ran) => ran.exit);
      // Whichever checks the target after the other has written is refused; none ever waits for the other.
      expect(exits).toContain(0);
      for (const exit of exits) expect([0, 25]).toContain(exit);
      expect(await stage.isReplica()).toBe(true);
    },
  },
];
