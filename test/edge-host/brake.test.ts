import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Answers, EdgeHost, type Variables } from './edge-host.ts';
import { bucketInfo, diffOf, diffReport, distcpLog, id, keyList, snapshotInfo, snapshotList } from './ozone-output.ts';

const source = 'o3://prod/vol/bkt';
const replica = 'o3://dr/vol/bkt';
const page = (token = ''): string =>
  `snapshot diff --get-report --json -p 1000 ${token && `-t ${token} `}${source} snap-1 snap-2`;
const report = (kinds: string, next = '') => ({ out: diffReport('snap-1', 'snap-2', 'DONE', {}, kinds, next) });
const live = `key list --all ${replica}`;
const target = `key list --all -p .snapshot/snap-2/ ${source}`;
const log = `cat <<'END' >&2\n${distcpLog({ 'Files Copied': 1 })}END`;

const incremental: Variables = {
  mode: 'incremental',
  target: 'snap-2',
  targetId: id(2),
  base: 'snap-1',
  baseSourceId: id(1),
  baseReplicaId: id(11),
  replicaCreated: '2026-11-20T18:22:04.605Z',
  fence: '7',
  fenceSeed: 'yes',
};
const resync: Variables = { ...incremental, mode: 'resync', base: '', baseSourceId: '', baseReplicaId: '' };

/** Answers `hadoop fs -count`: each path is one file, or a directory with so many files. */
const counts = (files: number): string =>
  `case " $* " in *' -count '*) for it; do case $it in ofs:*) echo "${files > 1 ? 1 : 0} ${files} 9 $it" ;; esac; done; exit ;; esac\n`;

const run = async (parameters: Variables, answers: Answers, filesBelow = 1) => {
  const host = new EdgeHost();
  host.ozone({
    [`bucket info ${replica}`]: { out: bucketInfo() },
    [`snapshot list --all -p snap-2 ${replica}`]: { out: snapshotList() },
    [`bucket info ${source}`]: { out: bucketInfo() },
    [`snapshot info ${source} snap-2`]: { out: snapshotInfo('snap-2', 2) },
    [`snapshot info ${replica} snap-1`]: { out: snapshotInfo('snap-1', 11) },
    [`snapshot info ${source} snap-1`]: { out: snapshotInfo('snap-1', 1) },
    [`snapshot create ${replica} snap-2`]: {},
    [`snapshot info ${replica} snap-2`]: { out: snapshotInfo('snap-2', 12) },
    ...answers,
  });
  host.hadoop(`${counts(filesBelow)}${log}`);
  const { reply } = await host.run('replicate', parameters);
  const isUntouched =
    !host.calls('hadoop').join().includes('distcp') &&
    !host.calls('ozone').join().includes('snapshot create') &&
    !existsSync(host.file('state', 'buckets', 'dr+vol+bkt', 'fence'));
  return { reply, isUntouched };
};

describe.concurrent('the brake of an increment', () => {
  it('lets through as many deletes and renames as the limit, and says how many there were', async () => {
    const { reply } = await run({ ...incremental, brake: '3' }, { [page()]: report('--R++M') });
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 4 });
    expect(reply.data.removals).toEqual({ deletes: 2, renames: 1, complete: true });
  });

  it('does not count a file of which only the time was set, which Ozone calls renamed to where it is', async () => {
    const touched = {
      out: diffOf('snap-1', 'snap-2', [
        ['R', 'a/touched', 'a/touched'],
        ['R', 'a/moved', 'b/moved'],
      ]),
    };
    const { reply } = await run({ ...incremental, brake: '3' }, { [page()]: touched });
    expect(reply).toMatchObject({ outcome: 'ok', data: { removals: { deletes: 0, renames: 1, complete: true } } });
  });

  it('holds one more, before anything is changed', async () => {
    const { reply, isUntouched } = await run({ ...incremental, brake: '2' }, { [page()]: report('--R++M') });
    expect(reply).toMatchObject({ outcome: 'refused', code: 'anomalous-change', jvmStarts: 1 });
    expect(reply.message).toContain('would delete 2 and rename 1 paths of dr/vol/bkt: more than 2');
    expect(reply.data).toEqual({
      copy: null,
      diffStatus: 'done',
      diffEmpty: false,
      seal: null,
      log: '',
      removals: { deletes: 2, renames: 1, complete: true },
      units: null,
      holder: null,
      detached: false,
    });
    expect(isUntouched).toBe(true);
  });

  it('at 0 holds the first delete, and lets creates through', async () => {
    expect((await run({ ...incremental, brake: '0' }, { [page()]: report('-') })).reply.code).toBe('anomalous-change');
    expect((await run({ ...incremental, brake: '0' }, { [page()]: report('++M') })).reply.outcome).toBe('ok');
  });

  it('without a limit counts nothing and asks for one entry', async () => {
    const one = `snapshot diff --get-report --json -p 1 ${source} snap-1 snap-2`;
    const { reply } = await run(incremental, { [one]: report('-', '1001') });
    expect(reply).toMatchObject({ outcome: 'ok', data: { removals: null } });
  });

  it('counts what lies below a directory that was deleted as a whole, which Ozone reports as one entry', async () => {
    const deleted = { [page()]: report('-M') };
    const held = await run({ ...incremental, brake: '40' }, deleted, 41);
    expect(held.isUntouched).toBe(true);
    expect(held.reply).toMatchObject({ outcome: 'refused', code: 'anomalous-change', jvmStarts: 2 });
    expect(held.reply.data.removals).toEqual({ deletes: 42, renames: 0, complete: true });
    const { reply } = await run({ ...incremental, brake: '42' }, deleted, 41);
    expect(reply).toMatchObject({ outcome: 'ok', data: { removals: { deletes: 42 } } });
  });

  it('reads on while deletes or renames may follow, a JVM for each page', async () => {
    const pages = {
      [page()]: report('---', '27'),
      [page('27')]: report('-RR', '210'),
      [page('210')]: report('R+', '39'),
    };
    const { reply } = await run({ ...incremental, brake: '7' }, pages);
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 6 });
    expect(reply.data.removals).toEqual({ deletes: 4, renames: 3, complete: true });
  });

  it('stops reading once the limit is passed', async () => {
    const pages = { [page()]: report('---', '27'), [page('27')]: report('-RR', '210') };
    const { reply } = await run({ ...incremental, brake: '5' }, pages);
    expect(reply).toMatchObject({ outcome: 'refused', code: 'anomalous-change', jvmStarts: 2 });
    expect(reply.data.removals).toEqual({ deletes: 4, renames: 2, complete: false });
    expect(reply.message).toContain('at least 4');
  });

  it('is not fooled by names', async () => {
    const out = report('+').out.replace('./f0', `./x\\",\\n      \\"diffType\\" : \\"-\\"`);
    const { reply } = await run({ ...incremental, brake: '0' }, { [page()]: { out } });
    expect(reply).toMatchObject({ outcome: 'ok', data: { removals: { deletes: 0, renames: 0 } } });
  });

  const broken: readonly (readonly [sentence: string, answers: Answers, outcome: string, code: string])[] = [
    ['fails', { [page('27')]: { err: 'INTERNAL_ERROR x\n', exit: 255 } }, 'refused', 'unreadable'],
    ['does not come', { [page('27')]: { err: 'Connection refused\n', exit: 255 } }, 'unreachable', 'connection'],
    ['is cut short', { [page('27')]: { out: report('-+').out.slice(0, 200) } }, 'refused', 'diff-unknown'],
    [
      'says that the job is gone',
      { [page('27')]: { out: diffReport('snap-1', 'snap-2', 'NOT_FOUND', {}, 0) } },
      'refused',
      'diff-unknown',
    ],
  ];
  it.each(broken)('does not copy when a page %s', async (_sentence, answers, outcome, code) => {
    const { reply, isUntouched } = await run(
      { ...incremental, brake: '9' },
      { [page()]: report('--', '27'), ...answers },
    );
    expect([reply.outcome, reply.code, isUntouched]).toEqual([outcome, code, true]);
  });
});

describe.concurrent('the brake of a whole copy', () => {
  const there = { [live]: { out: keyList('', [['d/'], ['d/f', 1], ['d/old', 1], ['gone/'], ['gone/f', 2]]) } };
  const wanted = { [target]: { out: keyList('snap-2', [['d/'], ['d/f', 9], ['new', 1]]) } };

  it('counts what the live replica has and the target has not, directories too, in the JVM of the prechecks', async () => {
    const { reply } = await run({ ...resync, brake: '3' }, { ...there, ...wanted });
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 3 });
    expect(reply.data.removals).toEqual({ deletes: 3, renames: 0, complete: true });
  });

  it('holds one more', async () => {
    const { reply, isUntouched } = await run({ ...resync, brake: '2' }, { ...there, ...wanted });
    expect(reply).toMatchObject({ outcome: 'refused', code: 'anomalous-change', jvmStarts: 1 });
    expect(reply.data).toMatchObject({ copy: null, diffStatus: null, removals: { deletes: 3, renames: 0 } });
    expect(isUntouched).toBe(true);
  });

  it('counts a file that became a directory', async () => {
    const { reply } = await run(
      { ...resync, brake: '0' },
      { [live]: { out: keyList('', [['x', 1]]) }, [target]: { out: keyList('snap-2', [['x/']]) } },
    );
    expect(reply).toMatchObject({ code: 'anomalous-change', data: { removals: { deletes: 1 } } });
  });

  it('does not count the debris of a distcp that died, but what only looks like it elsewhere', async () => {
    const debris = keyList('', [['.distcp.diff.tmp1/'], ['.distcp.diff.tmp1/f', 1], ['d/'], ['d/.distcp.x', 1]]);
    const { reply } = await run({ ...resync, brake: '1' }, { [live]: { out: debris }, ...wanted });
    expect(reply).toMatchObject({ outcome: 'ok', data: { removals: { deletes: 1, renames: 0, complete: true } } });
  });

  it('counts nothing in an empty replica', async () => {
    const { reply } = await run(
      { ...resync, mode: 'bootstrap', empty: 'yes', brake: '0' },
      { [`key list -l 1 ${replica}`]: { out: '[ ]\n' }, [live]: { out: '[ ]\n' }, ...wanted },
    );
    expect(reply).toMatchObject({ outcome: 'ok', data: { removals: { deletes: 0, renames: 0, complete: true } } });
  });

  it.each([
    ['the replica', live],
    ['the source', target],
  ])('does not copy when the listing of %s is cut short', async (_sentence, command) => {
    const cut = { [command]: { out: keyList('', [['d/']]).slice(0, -4) } };
    const { reply, isUntouched } = await run({ ...resync, brake: '9' }, { ...there, ...wanted, ...cut });
    expect([reply.outcome, reply.code, isUntouched]).toEqual(['refused', 'unreadable', true]);
  });
});
