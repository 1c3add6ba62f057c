import { expect } from 'vitest';
import type { Change } from '../driver.ts';
import type { Scenario } from '../scenario.ts';
import { inTime, withoutWaits } from '../stage.ts';

const submitted = 'Submitting a new job. Please retry after N ms using --get-report option to get the report.';
const done = 'Previous snapshot diff attempt found. Status: DONE.\nPlease get the report using --get-report option.';

export const diffJobScenarios: readonly Scenario[] = [
  {
    name: 'the kinds of a report come in the same order from page to page',
    async play(stage) {
      const names = ['a', 'b', 'c', 'd', 'e', 'f'];
      await stage.change('prod', ...names.map((name): Change => ({ op: 'text', path: `d/${name}`, content: name })));
      await stage.snapshots('prod', 's-1');
      await stage.changed(
        ...['a', 'b'].map((name): Change => ({ op: 'rm', path: `d/${name}` })),
        ...['c', 'd'].map((name): Change => ({ op: 'mv', path: `d/${name}`, to: `d/${name}-moved` })),
        ...['g', 'h'].map((name): Change => ({ op: 'text', path: `d/${name}`, content: name })),
      );
      await stage.report();
      const kinds: string[][] = [];
      for (let token: string | undefined = ''; token !== undefined; ) {
        const page: readonly string[] = ['-p', '3', ...(token === '' ? [] : ['-t', token])];
        const ran = await stage.sh('snapshot', 'diff', '--get-report', '--json', ...page, stage.o3(), 's-1', 's-2');
        const { diffList, nextToken } = JSON.parse(ran.stdout).snapshotDiffReport;
        kinds.push(diffList.map((entry: { readonly diffType: string }) => entry.diffType));
        token = nextToken;
      }
      expect(kinds).toEqual([['-', '-', 'R'], ['R', '+', '+'], ['M']]);
    },
  },
  {
    name: 'a diff is submitted, and submitted again it says that it is done, in words even with --json',
    async play(stage) {
      await stage.snapshots('prod', 's-1', 's-2');
      const first = await stage.sh('snapshot', 'diff', stage.o3(), 's-1', 's-2');
      expect({ ...first, stdout: withoutWaits(first.stdout) }).toEqual({ exit: 0, stdout: submitted, stderr: '' });
      await stage.report();
      const again = await stage.sh('snapshot', 'diff', '--json', stage.o3(), 's-1', 's-2');
      expect({ ...again, stdout: withoutWaits(again.stdout) }).toEqual({ exit: 0, stdout: done, stderr: '' });
    },
  },
  {
    name: 'a diff of a snapshot with itself is not submitted, and its report is empty',
    async play(stage) {
      await stage.snapshots('prod', 's-1');
      expect(await stage.sh('snapshot', 'diff', stage.o3(), 's-1', 's-1')).toEqual({
        exit: 0,
        stdout: 'Cannot submit diff between same snapshots.\n',
        stderr: '',
      });
      expect(await stage.report('s-1', 's-1')).toEqual({ jobStatus: 'DONE', lines: [] });
    },
  },
  {
    name: 'the report of a diff that nobody submitted says so',
    async play(stage) {
      await stage.snapshots('prod', 's-1', 's-2');
      const json = JSON.parse(
        (await stage.sh('snapshot', 'diff', '--get-report', '--json', stage.o3(), 's-1', 's-2')).stdout,
      );
      expect(json).toMatchObject({
        snapshotDiffReport: { fromSnapshot: 's-1', toSnapshot: 's-2', diffList: [] },
        jobStatus: 'NOT_FOUND',
        waitTimeInMs: expect.any(Number),
      });
      const text = await stage.sh('snapshot', 'diff', '--get-report', stage.o3(), 's-1', 's-2');
      expect(text).toEqual({
        exit: 0,
        stdout:
          'No snapshot diff job found. Job may not have been submitted or was removed during cleanup.\n' +
          'Submit a new snapshot diff job without using the --get-report option.\n\n',
        stderr: '',
      });
    },
  },
  {
    name: 'the report as text has a headline and one line per change',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'old', content: '1' }, { op: 'text', path: 'gone', content: '2' });
      await stage.snapshots('prod', 's-1');
      await stage.changed(
        { op: 'mv', path: 'old', to: 'new' },
        { op: 'rm', path: 'gone' },
        { op: 'text', path: 'more', content: '3' },
      );
      await stage.report();
      expect(await stage.sh('snapshot', 'diff', '--get-report', stage.o3(), 's-1', 's-2')).toEqual({
        exit: 0,
        stdout: 'Difference between snapshot: s-1 and snapshot: s-2\n-\t./gone\nR\t./old -> ./new\n+\t./more\n\n',
        stderr: '',
      });
    },
  },
  {
    name: 'pages are cut where asked, and the token leads to the rest',
    async play(stage) {
      await stage.snapshots('prod', 's-1');
      await stage.changed(
        ...['a', 'b', 'c', 'd', 'e'].map((name) => ({ op: 'text' as const, path: name, content: name })),
      );
      await stage.report();
      const page = async (...words: readonly string[]) =>
        JSON.parse(
          (await stage.sh('snapshot', 'diff', '--get-report', '--json', '-p', '2', ...words, stage.o3(), 's-1', 's-2'))
            .stdout,
        ).snapshotDiffReport;
      const paths: string[] = [];
      let token: string | undefined;
      for (let pages = 1; pages === 1 || token !== undefined; pages++) {
        const { diffList, nextToken } = await page(...(token === undefined ? [] : ['-t', token]));
        expect(diffList.length).toBe(pages < 3 ? 2 : 1);
        paths.push(...diffList.map((line: { sourcePath: string }) => line.sourcePath));
        if (nextToken !== undefined) expect(nextToken).toMatch(/^3\d{20}$/);
        token = nextToken;
      }
      expect(paths).toEqual(['./a', './b', './c', './d', './e']);
    },
  },
  {
    name: 'the text of a page ends with the token of the next',
    async play(stage) {
      await stage.snapshots('prod', 's-1');
      await stage.changed({ op: 'text', path: 'a', content: 'a' }, { op: 'text', path: 'b', content: 'b' });
      await stage.report();
      const ran = await stage.sh('snapshot', 'diff', '--get-report', '-p', '1', stage.o3(), 's-1', 's-2');
      expect(ran.stdout).toBe(
        'Difference between snapshot: s-1 and snapshot: s-2\n+\t./a\nNext token: 300000000000000000001\n',
      );
    },
  },
  {
    name: 'a token that somebody made up is refused',
    async play(stage) {
      await stage.snapshots('prod', 's-1', 's-2');
      await stage.given(`snapshot diff ${stage.o3()} s-1 s-2`);
      await stage.report();
      expect(await stage.sh('snapshot', 'diff', '--get-report', '--json', '-t', '3', stage.o3(), 's-1', 's-2')).toEqual(
        {
          exit: 255,
          stdout: '',
          stderr: 'INTERNAL_ERROR Token 3 has invalid numeric part: . It should be a valid integer.\n',
        },
      );
    },
  },
  {
    name: 'cancelling says what became of the job',
    async play(stage) {
      await stage.snapshots('prod', 's-1', 's-2');
      expect(await stage.sh('snapshot', 'diff', '-c', stage.o3(), 's-1', 's-2')).toEqual({
        exit: 0,
        stdout: "Snapshot diff job doesn't exist for given parameters.\n",
        stderr: '',
      });
      await stage.given(`snapshot diff ${stage.o3()} s-1 s-2`);
      await stage.report();
      expect(await stage.sh('snapshot', 'diff', '-c', stage.o3(), 's-1', 's-2')).toEqual({
        exit: 0,
        stdout: 'Snapshot diff job has already completed.\n',
        stderr: '',
      });
    },
  },
  {
    name: 'listDiff shows running jobs only, unless asked for others',
    async play(stage) {
      await stage.snapshots('prod', 's-1', 's-2');
      await stage.given(`snapshot diff ${stage.o3()} s-1 s-2`);
      await stage.report();
      const job = {
        volumeName: stage.volume,
        bucketName: stage.bucket,
        fromSnapshot: 's-1',
        toSnapshot: 's-2',
        jobStatus: 'DONE',
      };
      const list = async (...words: readonly string[]) =>
        JSON.parse((await stage.sh('snapshot', 'listDiff', ...words, stage.o3())).stdout);
      expect(await list()).toEqual([]);
      expect(await list('--all-status')).toEqual([job]);
      expect(await list('--job-status', 'done')).toEqual([job]);
      expect(await list('--job-status', 'failed')).toEqual([]);
    },
  },
  {
    name: 'in a batch nothing prints after a diff, and the batch still ends with 0',
    async play(stage) {
      await stage.snapshots('prod', 's-1', 's-2');
      const words = [`snapshot diff ${stage.o3()} s-1 s-2`, `snapshot info ${stage.o3()} s-2`];
      const ran = await stage.driver.run(['ozone', 'sh', ...words.flatMap((word) => ['--execute', word])]);
      expect({ ...ran, stdout: withoutWaits(ran.stdout) }).toEqual({
        exit: 0,
        stdout: `${words[0]}\n${submitted}`,
        stderr: '',
      });
    },
  },
  {
    name: 'a diff back over a file that was moved into a removed directory fails, and can be submitted again',
    // The cleaner of a real cluster, once a minute, may take the file away in the middle: then once more.
    play: (stage) =>
      inTime(async (attempt) => {
        const [from, to] = [`from-${attempt}`, `to-${attempt}`];
        await stage.change('prod', { op: 'text', path: `a${attempt}/f1`, content: 'x' });
        await stage.snapshots('prod', to);
        await stage.change(
          'prod',
          { op: 'mkdir', path: 'd' },
          { op: 'mv', path: `a${attempt}/f1`, to: 'd/f1' },
          { op: 'rmr', path: 'd' },
        );
        await stage.given(`snapshot create ${stage.o3()} ${from}`, `snapshot diff ${stage.o3()} ${from} ${to}`);
        const report = await stage.report(from, to);
        expect(report).toMatchObject({ jobStatus: 'FAILED', lines: [] });
        expect(report.reason).toMatch(
          /^Old and new key resolved paths both are not null when oldKey is null for oldKey : -\d+\/f1 newKey: -\d+\/f1$/,
        );
        const text = await stage.sh('snapshot', 'diff', '--get-report', stage.o3(), from, to);
        expect(text.stdout).toBe(
          `Snapshot diff job is FAILED due to '${report.reason}'.\n Please resubmit the job without using the --get-report option.\n\n`,
        );
        const cancelled = await stage.sh('snapshot', 'diff', '-c', stage.o3(), from, to);
        expect(cancelled.stdout).toBe('Snapshot diff job has been failed.\n');
        const again = await stage.sh('snapshot', 'diff', stage.o3(), from, to);
        expect(withoutWaits(again.stdout)).toBe(
          `Previous snapshot diff attempt found. Status: FAILED, reason: ${report.reason}.\n${submitted}`,
        );
      }),
  },
];
