import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Answers, EdgeHost, type Variables } from './edge-host.ts';
import { bucketInfo, diffOf, distcpLog, id, keyList, snapshotInfo, snapshotList } from './ozone-output.ts';

const source = 'o3://prod/vol/bkt';
const replica = 'o3://dr/vol/bkt';
const frozen = 'ofs://prod/vol/bkt/.snapshot/snap-2';
const ofTheSource = (token = '') =>
  `snapshot diff --get-report --json -p 1000 ${token && `-t ${token} `}${source} snap-1 snap-2`;
const ofTheReplica = (token = '') =>
  `snapshot diff --get-report --json -p 1000 ${token && `-t ${token} `}${replica} snap-1 odr-tmp-1`;
const live = `key list --all ${replica}`;
const target = `key list --all -p .snapshot/snap-2/ ${source}`;

const narrow: Variables = {
  mode: 'resync',
  target: 'snap-2',
  targetId: id(2),
  base: 'snap-1',
  baseSourceId: id(1),
  baseReplicaId: id(11),
  narrow: `odr-tmp-1=${id(13)}`,
  replicaCreated: '2026-11-20T18:22:04.605Z',
  fence: '7',
  fenceSeed: 'yes',
};

type Keys = Parameters<typeof keyList>[1];
type Entries = Parameters<typeof diffOf>[2];

/** What each side has, and what both reports say. */
const world = (left: Keys, right: Keys, sourceReport: Entries, replicaReport: Entries): Answers => ({
  [`bucket info ${replica}`]: { out: bucketInfo() },
  [`snapshot list --all -p snap-2 ${replica}`]: { out: snapshotList() },
  [`bucket info ${source}`]: { out: bucketInfo() },
  [`snapshot info ${source} snap-2`]: { out: snapshotInfo('snap-2', 2) },
  [`snapshot info ${replica} snap-1`]: { out: snapshotInfo('snap-1', 11) },
  [`snapshot info ${source} snap-1`]: { out: snapshotInfo('snap-1', 1) },
  [`snapshot info ${replica} odr-tmp-1`]: { out: snapshotInfo('odr-tmp-1', 13) },
  [target]: { out: keyList('snap-2', left) },
  [live]: { out: keyList('', right) },
  [ofTheSource()]: { out: diffOf('snap-1', 'snap-2', sourceReport) },
  [ofTheReplica()]: { out: diffOf('snap-1', 'odr-tmp-1', replicaReport) },
  [`snapshot create ${replica} snap-2`]: {},
  [`snapshot info ${replica} snap-2`]: { out: snapshotInfo('snap-2', 12) },
});

const LOG = `cat <<'END' >&2\n${distcpLog({ 'Files Copied': 2, 'Bytes Copied': 30, 'Files Skipped': 1 })}END`;
const play = async (answers: Answers, more: Variables = {}, hadoop = LOG) => {
  const host = new EdgeHost();
  host.ozone(answers);
  host.hadoop(`[[ $1 == fs ]] && exit; ${hadoop}`);
  const { reply } = await host.run('replicate', { ...narrow, ...more });
  const isUntouched =
    host.calls('hadoop').length === 0 &&
    !host.calls('ozone').join().includes('snapshot create') &&
    !existsSync(host.file('state', 'buckets', 'dr+vol+bkt', 'fence'));
  const client = '-D ozone.client.failover.max.attempts=3 -D ozone.client.wait.between.retries.millis=200 ';
  const calls = host.calls('hadoop').map((call) => call.replace(client, '').replace(/-D mapreduce\S+ /, ''));
  const limits = () => readFileSync(host.file('bin', 'hadoop.limits'), 'utf8').trim().split('\n').map(Number);
  return { reply, isUntouched, calls, limits };
};

/** Everything at once: a change, a deletion, a new directory, a file at the root, debris, and a file that became a directory. */
const TANGLE = world(
  [['d/'], ['d/f', 9], ['d/kind/'], ['d/kind/x', 1], ['file [1]', 5], ['made/'], ['same', 1]],
  [['.distcp.diff.tmp1/'], ['.distcp.diff.tmp1/x', 1], ['d/'], ['d/f', 8], ['d/kind', 3], ['gone', 1], ['same', 1]],
  [
    ['-', './d/kind'],
    ['-', './gone'],
    ['+', './d/kind'],
    ['+', './d/kind/x'],
    ['+', './file [1]'],
    ['+', './made'],
    ['M', './d/f'],
  ],
  [
    ['R', './d/x', './.distcp.diff.tmp1/x'],
    ['+', './.distcp.diff.tmp1'],
  ],
);

describe.concurrent('a narrowed resync', () => {
  it('removes, makes and copies what changed on either side, and nothing else', async () => {
    const { reply, calls } = await play(TANGLE);
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 8 });
    expect(calls).toEqual([
      'fs -rm -r -f -skipTrash ofs://dr/vol/bkt/d/kind ofs://dr/vol/bkt/.distcp.diff.tmp1 ofs://dr/vol/bkt/gone',
      'fs -mkdir -p ofs://dr/vol/bkt/made',
      `distcp -update -delete -direct -m 2 ${frozen}/d ofs://dr/vol/bkt/d`,
      `distcp -update -delete -direct -m 2 ${frozen}/made ofs://dr/vol/bkt/made`,
      `distcp -update -direct -m 2 ${frozen}/file \\[1\\] ofs://dr/vol/bkt`,
    ]);
    expect(reply.data).toMatchObject({
      copy: { mode: 'resync', exit: 0, filesCopied: 6, filesSkipped: 3, filesFailed: 0, bytesCopied: 90 },
      seal: { name: 'snap-2' },
      units: 5,
    });
  });

  it('seals at once when nothing changed', async () => {
    const { reply, calls } = await play(world([['d/f', 9]], [['d/f', 9]], [], []));
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 3, data: { copy: { exit: 0, filesCopied: 0 }, units: 0 } });
    expect(calls).toEqual([]);
  });

  it('stops at the first step that fails, with what was copied until then', async () => {
    const second = `[[ $* != *made* ]] || exit 25; ${LOG}`;
    const { reply, calls } = await play(TANGLE, {}, second);
    expect(reply).toMatchObject({ outcome: 'failed', code: 'copy-failed' });
    expect(reply.data).toMatchObject({ copy: { exit: 25, filesCopied: 2 }, units: 5, seal: null });
    expect(calls).toHaveLength(4);
  });

  it('has one time limit for all its steps: each gets what is left of it', async () => {
    const limit = `mapfile -d '' up </proc/$PPID/cmdline; echo "\${up[3]}" >>"$0.limits"; sleep 1.1`;
    const { reply, limits } = await play(TANGLE, { copySeconds: '100' }, `${limit}; ${LOG}`);
    expect(reply).toMatchObject({ outcome: 'ok' });
    const [first = 0, second = 0, third = 0, ...more] = limits();
    expect(more).toEqual([]);
    expect(first).toBeLessThanOrEqual(100);
    expect(second).toBeLessThan(first);
    expect(third).toBeLessThan(second);
  });

  it('ends the step that passes the limit, and begins no other', async () => {
    const { reply, calls } = await play(TANGLE, { copySeconds: '8' }, `[[ $* != *made* ]] || exec sleep 60; ${LOG}`);
    expect(reply).toMatchObject({ outcome: 'failed', code: 'copy-timeout', data: { copy: { exit: 124 } } });
    expect(calls).toHaveLength(4);
  });

  it('does not take the exit code of a removal for success when it is none', async () => {
    const host = new EdgeHost();
    host.ozone(TANGLE);
    host.hadoop('exit 1');
    const { reply } = await host.run('replicate', narrow);
    expect(reply).toMatchObject({
      outcome: 'failed',
      code: 'copy-failed',
      message: 'hadoop fs ended with exit code 1',
    });
  });

  it('reads both reports to their ends, a JVM for each page', async () => {
    const pages = {
      [ofTheSource()]: { out: diffOf('snap-1', 'snap-2', [['-', './a/x']], '100') },
      [ofTheSource('100')]: { out: diffOf('snap-1', 'snap-2', [['M', './b/x']]) },
      [ofTheReplica()]: { out: diffOf('snap-1', 'odr-tmp-1', [['+', './c/x']], '200') },
      [ofTheReplica('200')]: { out: diffOf('snap-1', 'odr-tmp-1', [['M', './d/x']]) },
    };
    const keys: Keys = ['a', 'b', 'c', 'd'].flatMap((name): Keys => [[`${name}/`], [`${name}/y`, 1]]);
    const { reply } = await play({ ...world(keys, keys, [], []), ...pages });
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 9, data: { units: 4 } });
  });

  const one = world([['d/f', 9]], [['d/f', 8]], [['M', './d/f']], []);
  const report = diffOf('snap-1', 'snap-2', [['M', './d/f']]);
  const held: readonly (readonly [sentence: string, answers: Answers, code: string])[] = [
    ['a page that is cut short', { [ofTheSource()]: { out: report.slice(0, -20) } }, 'diff-unknown'],
    ['a report of another pair', { [ofTheSource()]: { out: report.replace('snap-1', 'snap-0') } }, 'diff-unknown'],
    [
      'a report of the replica that leads elsewhere',
      { [ofTheReplica()]: { out: diffOf('snap-1', 'snap-2', []) } },
      'diff-unknown',
    ],
    ['a token that is no number', { [ofTheSource()]: { out: diffOf('snap-1', 'snap-2', [], 'x') } }, 'unreadable'],
    [
      'a rename without its end',
      { [ofTheSource()]: { out: diffOf('snap-1', 'snap-2', [['R', './d/f']]) } },
      'unreadable',
    ],
    ['a path from elsewhere', { [ofTheSource()]: { out: diffOf('snap-1', 'snap-2', [['M', '/d/f']]) } }, 'unreadable'],
    [
      'a path that climbs',
      {
        [ofTheSource()]: {
          out: diffOf('snap-1', 'snap-2', [
            ['M', './d/f'],
            ['M', './x/../e/f'],
          ]),
        },
      },
      'too-wide',
    ],
    ['a difference that no report names', { [ofTheSource()]: { out: diffOf('snap-1', 'snap-2', []) } }, 'too-wide'],
    ['a listing that is cut short', { [live]: { out: keyList('', [['d/f', 8]]).slice(0, -4) } }, 'unreadable'],
  ];
  it.each(held)('changes nothing after %s', async (_sentence, answers, code) => {
    const { reply, isUntouched } = await play({ ...one, ...answers });
    expect([reply.outcome, reply.code, isUntouched]).toEqual(['refused', code, true]);
    if (reply.data) expect(reply.data.units).toBe(null);
  });

  it('is not fooled by names', async () => {
    const name = './d/x\\",\\n      \\"sourcePath\\" : \\"./e/f';
    const keys: Keys = [['d/'], ['d/f', 9]];
    const { reply, calls } = await play(world(keys, keys, [['M', JSON.parse(`"${name}"`)]], []));
    expect([reply.code, calls]).toEqual(['too-wide', []]);
  });
});
