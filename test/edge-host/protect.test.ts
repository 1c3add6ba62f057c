import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Answers, EdgeHost, operationId, type Variables } from './edge-host.ts';
import { bucketInfo, diffReport, distcpLog, id, keyList, snapshotInfo, snapshotList } from './ozone-output.ts';

const source = 'o3://prod/vol/bkt';
const replica = 'o3://dr/vol/bkt';
const created = '2026-11-20T18:22:04.605Z';
const down = { err: 'Connection refused\n', exit: 255 };
const gone = { err: "FILE_NOT_FOUND Snapshot '/vol/bkt/x' is not found.\n", exit: 255 };
const denied = { err: 'PERMISSION_DENIED Only bucket owners and Ozone admins can create snapshots\n', exit: 255 };
const full = { err: 'TOO_MANY_SNAPSHOTS Snapshot limit of 10 reached. Cannot create more snapshots.\n', exit: 255 };

describe.concurrent('snapshot', () => {
  const create = `snapshot create ${source} snap-2`;
  const info = `snapshot info ${source} snap-2`;
  const diff = `snapshot diff ${source} snap-1 snap-2`;
  const good: Answers = {
    [create]: {},
    [info]: { out: snapshotInfo('snap-2', 2) },
    [diff]: { out: 'Submitting a new job. Please retry after 60000 ms using --get-report option to get the report.\n' },
  };
  const run = (answers: Answers, base = '') => {
    const host = new EdgeHost();
    host.ozone({ ...good, ...answers });
    return host.run('snapshot', { target: 'snap-2', base });
  };
  const snapshot = { name: 'snap-2', id: id(2), created: 1795198944927, status: 'ACTIVE' };

  it('creates it and reads it back in one JVM', async () => {
    const { exit, reply } = await run({});
    expect(reply).toMatchObject({
      outcome: 'ok',
      jvmStarts: 1,
      data: { created: true, snapshot, diff: 'not-asked', diffMessage: '' },
    });
    expect(exit).toBe(0);
  });

  it('submits the difference in the same JVM', async () => {
    const { reply } = await run({}, 'snap-1');
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 1, data: { created: true, diff: 'submitted' } });
  });

  it('reads back the one that is there already', async () => {
    const { reply } = await run(
      { [create]: { err: 'FILE_ALREADY_EXISTS Snapshot already exists\n', exit: 255 } },
      'snap-1',
    );
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 2, data: { created: false, snapshot, diff: 'submitted' } });
  });

  it.each([
    ['Previous snapshot diff attempt found. Status: DONE.\nPlease get the report using --get-report option.\n', 'done'],
    ['Previous snapshot diff attempt found. Status: IN_PROGRESS.\nPlease get the report …\n', 'pending'],
    ['Previous snapshot diff attempt found. Status: REJECTED.\n', 'rejected'],
    ['Previous snapshot diff attempt found. Status: FAILED.\n', 'failed'],
    ['Something new\n', 'unknown'],
  ])('understands the submission "%s"', async (out, told) => {
    expect((await run({ [diff]: { out } }, 'snap-1')).reply.data.diff).toBe(told);
  });

  it('stays a success when the submission of the difference fails', async () => {
    const { exit, reply } = await run({ [diff]: gone }, 'snap-1');
    expect(reply).toMatchObject({
      outcome: 'ok',
      data: { created: true, snapshot, diff: 'unknown', diffMessage: gone.err.trim() },
    });
    expect(exit).toBe(0);
  });

  const failures: readonly (readonly [
    sentence: string,
    answers: Answers,
    outcome: string,
    code: string,
    exit: number,
  ])[] = [
    ['a source that does not answer', { [create]: down }, 'unreachable', 'connection', 12],
    [
      'a bucket that is missing',
      { [create]: { err: 'BUCKET_NOT_FOUND Bucket not found: vol/bkt\n', exit: 255 } },
      'refused',
      'source-missing',
      10,
    ],
    ['no right to create', { [create]: denied }, 'refused', 'permission-denied', 10],
    ['the limit of snapshots', { [create]: full }, 'failed', 'snapshot-limit', 11],
    ['a client that was killed for its time', { [create]: { exit: 124 } }, 'failed', 'unclear', 11],
    [
      'a snapshot that is not flushed yet',
      { [info]: { err: 'TIMEOUT Unable to load snapshot. It has not been flushed yet.\n', exit: 255 } },
      'failed',
      'not-flushed',
      11,
    ],
    ['a cluster that is gone after the creation', { [info]: down }, 'failed', 'connection', 11],
    [
      'an answer that is cut short',
      { [info]: { out: snapshotInfo('snap-2', 2).slice(0, 100) } },
      'failed',
      'unreadable',
      11,
    ],
    [
      'an answer without an id',
      { [info]: { out: snapshotInfo('snap-2', 2).replace(id(2), '') } },
      'failed',
      'unreadable',
      11,
    ],
  ];
  it.each(failures)('tells %s', async (_sentence, answers, outcome, code, exit) => {
    const result = await run(answers);
    expect([result.reply.outcome, result.reply.code, result.exit, result.reply.data]).toEqual([
      outcome,
      code,
      exit,
      null,
    ]);
  });
});

const lists = `snapshot list --all -p snap-2 ${replica}`;
const report = `snapshot diff --get-report --json -p 1 ${source} snap-1 snap-2`;
const good: Answers = {
  [`bucket info ${replica}`]: { out: bucketInfo() },
  [lists]: { out: snapshotList(['snap-2x', 9]) },
  [`bucket info ${source}`]: { out: bucketInfo() },
  [`snapshot info ${source} snap-2`]: { out: snapshotInfo('snap-2', 2) },
  [`snapshot info ${replica} snap-1`]: { out: snapshotInfo('snap-1', 11) },
  [`snapshot info ${source} snap-1`]: { out: snapshotInfo('snap-1', 1) },
  [`key list -l 1 ${replica}`]: { out: '[ ]\n' },
  [report]: { out: diffReport('snap-1', 'snap-2', 'DONE') },
  [`snapshot create ${replica} snap-2`]: {},
  [`snapshot info ${replica} snap-2`]: { out: snapshotInfo('snap-2', 12) },
};
const incremental: Variables = {
  mode: 'incremental',
  target: 'snap-2',
  targetId: id(2),
  base: 'snap-1',
  baseSourceId: id(1),
  baseReplicaId: id(11),
  replicaCreated: created,
  fence: '7',
  fenceSeed: 'yes',
};
const resync: Variables = { ...incremental, mode: 'resync', base: '', baseSourceId: '', baseReplicaId: '' };
const bootstrap: Variables = { ...resync, mode: 'bootstrap', empty: 'yes', replicaCreated: '' };

const log = distcpLog({
  'Bandwidth in Bytes': 20007,
  'Bytes Copied': 20007,
  'Files Copied': 6,
  'Files Skipped': 2,
  DIR_COPY: 5,
});
const printing = (text: string, exit = 0): string => `cat <<'END' >&2\n${text}END\nexit ${exit}`;

function aHost(answers: Answers = {}, hadoop = printing(log)): EdgeHost {
  const host = new EdgeHost();
  host.ozone({ ...good, ...answers });
  host.hadoop(hadoop);
  return host;
}

describe.concurrent('replicate', () => {
  it('copies an increment and seals it: three JVMs', async () => {
    const host = aHost();
    const { exit, reply } = await host.run('replicate', incremental);
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 3 });
    expect(reply.data).toEqual({
      copy: {
        mode: 'incremental',
        exit: 0,
        seconds: expect.any(Number),
        filesCopied: 6,
        filesSkipped: 2,
        filesFailed: 0,
        bytesCopied: 20007,
        dirsCopied: 5,
      },
      diffStatus: 'done',
      diffEmpty: false,
      seal: { name: 'snap-2', id: id(12), created: 1795198944937, status: 'ACTIVE' },
      log: '',
      removals: null,
      units: null,
      holder: null,
      detached: false,
    });
    expect(exit).toBe(0);
    expect(host.calls('hadoop')).toEqual([
      `distcp -D ozone.client.failover.max.attempts=3 -D ozone.client.wait.between.retries.millis=200 -D mapreduce.job.tags=${operationId()} -D distcp.diff.copy.listing.traverse.directory=false -update -diff snap-1 snap-2 -direct -m 2 ofs://prod/vol/bkt ofs://dr/vol/bkt`,
    ]);
    expect(readFileSync(host.file('state', 'buckets', 'dr+vol+bkt', 'fence'), 'utf8')).toBe('7\n');
  });

  it.each([
    ['bootstrap', bootstrap],
    ['resync', resync],
  ])('%s copies the whole snapshot and deletes what is extra', async (mode, parameters) => {
    const host = aHost();
    const { reply } = await host.run('replicate', { ...parameters, bandwidth: '020', maps: '08' });
    expect(reply).toMatchObject({ outcome: 'ok', data: { copy: { mode }, diffStatus: null, diffEmpty: null } });
    expect(host.calls('hadoop').join()).toMatch(
      / -update -delete -direct -m 8 -bandwidth 20 ofs:\/\/prod\/vol\/bkt\/\.snapshot\/snap-2 ofs:\/\/dr\/vol\/bkt$/,
    );
    expect(host.calls('ozone')[0]?.includes('key list')).toBe(mode === 'bootstrap');
  });

  const leftovers = { [`key list -l 1 ${replica}`]: { out: keyList('x', [['f', 1]]) } };

  it('goes on with a first copy that died, in the bucket that this host had found empty', async () => {
    const host = aHost({}, 'exit 1');
    expect((await host.run('replicate', bootstrap)).reply).toMatchObject({ outcome: 'failed', code: 'copy-failed' });
    host.ozone({ ...good, ...leftovers });
    host.hadoop(printing(log));
    const again = { ...bootstrap, operation: operationId(2) };
    expect((await host.run('replicate', again)).reply).toMatchObject({ outcome: 'ok' });
  });

  it('but not in a bucket that was made anew since', async () => {
    const host = aHost({}, 'exit 1');
    await host.run('replicate', bootstrap);
    const anew = { [`bucket info ${replica}`]: { out: bucketInfo({ creationTime: '2026-11-21T00:00:00.000Z' }) } };
    host.ozone({ ...good, ...leftovers, ...anew });
    const again = { ...bootstrap, operation: operationId(2) };
    expect((await host.run('replicate', again)).reply).toMatchObject({ outcome: 'refused', code: 'replica-not-empty' });
  });

  it('takes an increment of nothing as success', async () => {
    const empty =
      '26/11/20 INFO mapreduce.Job: Job job_local1_0001 completed successfully\n26/11/20 INFO mapreduce.Job: Counters: 0\n';
    const host = aHost({ [report]: { out: diffReport('snap-1', 'snap-2', 'DONE', {}, 0) } }, printing(empty));
    expect((await host.run('replicate', incremental)).reply).toMatchObject({
      outcome: 'ok',
      data: { diffEmpty: true, copy: { filesCopied: 0 } },
    });
  });

  const otherTime = { out: bucketInfo({ creationTime: '2026-11-21T00:00:00.000Z' }) };
  const refusals: readonly (readonly [sentence: string, parameters: Variables, answers: Answers, code: string])[] = [
    [
      'a replica that is missing',
      resync,
      { [`bucket info ${replica}`]: { err: 'BUCKET_NOT_FOUND Bucket not found\n', exit: 255 } },
      'replica-missing',
    ],
    ['a replica that was created at another time', resync, { [`bucket info ${replica}`]: otherTime }, 'replica-other'],
    [
      'a first copy into a bucket that holds something',
      bootstrap,
      { [`key list -l 1 ${replica}`]: { out: keyList('x', [['f', 1]]) } },
      'replica-not-empty',
    ],
    [
      'a first copy when the listing says nothing',
      bootstrap,
      { [`key list -l 1 ${replica}`]: { out: '' } },
      'replica-not-empty',
    ],
    ['a base that the replica lacks', incremental, { [`snapshot info ${replica} snap-1`]: gone }, 'base-missing'],
    [
      'a base that is deleted on the replica',
      incremental,
      { [`snapshot info ${replica} snap-1`]: { out: snapshotInfo('snap-1', 11, 'SNAPSHOT_DELETED') } },
      'base-missing',
    ],
    ['a base that the source lacks', incremental, { [`snapshot info ${source} snap-1`]: gone }, 'base-missing'],
    [
      'a base with another id on the replica',
      incremental,
      { [`snapshot info ${replica} snap-1`]: { out: snapshotInfo('snap-1', 1) } },
      'base-other',
    ],
    [
      'a base with another id on the source',
      incremental,
      { [`snapshot info ${source} snap-1`]: { out: snapshotInfo('snap-1', 11) } },
      'base-other',
    ],
    ['a target that is missing', resync, { [`snapshot info ${source} snap-2`]: gone }, 'target-missing'],
    [
      'a target with another id',
      resync,
      { [`snapshot info ${source} snap-2`]: { out: snapshotInfo('snap-2', 3) } },
      'target-other',
    ],
    [
      'a replica that has the target already',
      resync,
      { [lists]: { out: snapshotList(['snap-2', 4]) } },
      'already-sealed',
    ],
    [
      'a replica whose target is deleted, not purged',
      resync,
      { [lists]: { out: snapshotList(['snap-2', 4, 'SNAPSHOT_DELETED'], ['snap-2x', 9]) } },
      'already-sealed',
    ],
    [
      'a difference that is running',
      incremental,
      { [report]: { out: diffReport('snap-1', 'snap-2', 'IN_PROGRESS', {}, 0) } },
      'diff-pending',
    ],
    [
      'a difference that failed',
      incremental,
      { [report]: { out: diffReport('snap-1', 'snap-2', 'FAILED', { reason: 'because' }, 0) } },
      'diff-failed',
    ],
    [
      'a difference that nobody asked for',
      incremental,
      { [report]: { out: diffReport('snap-1', 'snap-2', 'NOT_FOUND', {}, 0) } },
      'diff-unknown',
    ],
    [
      'a difference that is cut short',
      incremental,
      { [report]: { out: diffReport('snap-1', 'snap-2', 'DONE').slice(0, 150) } },
      'diff-unknown',
    ],
    [
      'an object store as source',
      resync,
      { [`bucket info ${source}`]: { out: bucketInfo({ bucketLayout: 'OBJECT_STORE' }) } },
      'layout',
    ],
    [
      'an object store as replica',
      resync,
      { [`bucket info ${replica}`]: { out: bucketInfo({ bucketLayout: 'OBJECT_STORE' }) } },
      'layout',
    ],
    [
      'a source bucket that is missing',
      resync,
      { [`bucket info ${source}`]: { err: 'VOLUME_NOT_FOUND Volume vol is not found\n', exit: 255 } },
      'source-missing',
    ],
    ['no right to look', resync, { [lists]: denied }, 'permission-denied'],
    [
      'a listing that is cut short',
      resync,
      { [lists]: { out: snapshotList(['snap-1', 1]).slice(0, -3) } },
      'unreadable',
    ],
    [
      'a bucket answer that is cut short',
      resync,
      { [`bucket info ${replica}`]: { out: bucketInfo().slice(0, 80) } },
      'unreadable',
    ],
    ['a host that lost its fence', { ...resync, fenceSeed: 'no' }, {}, 'fence-missing'],
  ];
  it.each(refusals)('refuses %s, and touches nothing', async (_sentence, parameters, answers, code) => {
    const host = aHost(answers);
    const { exit, reply } = await host.run('replicate', parameters);
    expect([reply.outcome, reply.code, exit, reply.data]).toEqual(['refused', code, 10, null]);
    expect(reply.message).not.toBe('');
    expect(host.calls('hadoop')).toEqual([]);
    expect(host.calls('ozone').join()).not.toContain('snapshot create');
    expect(existsSync(host.file('state', 'buckets', 'dr+vol+bkt', 'fence'))).toBe(false);
  });

  it('tells a replica that does not answer from a refusal', async () => {
    const { exit, reply } = await aHost({ [`bucket info ${replica}`]: down }).run('replicate', resync);
    expect([reply.outcome, reply.code, exit]).toEqual(['unreachable', 'connection', 12]);
  });

  const fenced = (content: string): EdgeHost => {
    const host = aHost();
    mkdirSync(host.file('state', 'buckets', 'dr+vol+bkt'), { recursive: true });
    writeFileSync(host.file('state', 'buckets', 'dr+vol+bkt', 'fence'), content);
    return host;
  };
  it.each([
    ['8\n', 'refused fence-stale', '8\n'],
    ['10\n', 'refused fence-stale', '10\n'],
    ['7\n', 'ok ', '7\n'],
    ['6', 'ok ', '7\n'],
    ['', 'refused fence-missing', ''],
    ['a[$(id)]\n', 'refused fence-missing', 'a[$(id)]\n'],
  ])('compares the token 7 with the recorded %j: %s', async (content, told, after) => {
    const host = fenced(content);
    const { reply } = await host.run('replicate', { ...resync, fenceSeed: 'no' });
    expect(`${reply.outcome} ${reply.code}`).toBe(told);
    expect(readFileSync(host.file('state', 'buckets', 'dr+vol+bkt', 'fence'), 'utf8')).toBe(after);
  });

  it('keeps buckets of the same name on other clusters apart', async () => {
    const host = aHost();
    await host.run('replicate', resync);
    host.ozone({ 'bucket info o3://dr:9862/vol/bkt': down });
    const { reply } = await host.run('replicate', {
      ...resync,
      operation: operationId(2),
      replica: 'dr:9862/vol/bkt',
      fence: '1',
    });
    expect(reply.outcome).toBe('unreachable');
  });

  const modified =
    '26/11/20 WARN tools.DistCpSync: The target has been modified since snapshot snap-1\njava.lang.Exception: DistCp sync failed\n';
  const noSuccess = 'Invalid arguments\n';
  const failures: readonly (readonly [sentence: string, hadoop: string, code: string, exit: number])[] = [
    ['a target that was modified', printing(modified, 25), 'target-modified', 25],
    ['another failure with 25', printing('DistCp sync failed\n', 25), 'copy-failed', 25],
    ['duplicates', printing('DuplicateFileException\n', 254), 'copy-failed', 254],
    ['wrong arguments', printing(noSuccess, 255), 'copy-failed', 255],
    ['the time limit', printing('map 10%\n', 124), 'copy-timeout', 124],
    ['a kill by somebody else', printing('map 10%\n', 137), 'copy-failed', 137],
    [
      'the limit of snapshots on the replica',
      printing('TOO_MANY_SNAPSHOTS Snapshot limit of 10 reached.\n', 25),
      'snapshot-limit',
      25,
    ],
    [
      'failed files behind an exit code of 0',
      printing(distcpLog({ 'Files Copied': 1, 'Files Failed': 1 })),
      'copy-failed',
      0,
    ],
    ['an exit code of 0 without a finished job', printing('26/11/20 INFO something else\n'), 'copy-failed', 0],
    [
      'a job that failed behind an exit code of 0',
      printing(distcpLog({}, 'Job job_1 failed with state FAILED')),
      'copy-failed',
      0,
    ],
  ];
  it.each(failures)('tells %s, and seals nothing', async (_sentence, hadoop, code, distcpExit) => {
    const host = aHost({}, hadoop);
    const { exit, reply } = await host.run('replicate', incremental);
    expect([reply.outcome, reply.code, exit, reply.jvmStarts]).toEqual(['failed', code, 11, 2]);
    expect(reply.data).toMatchObject({ copy: { exit: distcpExit }, seal: null });
    expect(reply.data.log).not.toBe('');
    expect(host.calls('ozone').join()).not.toContain('snapshot create');
  });

  it('ends a distcp at its time limit', async () => {
    const { reply } = await aHost({}, 'exec sleep 60').run('replicate', { ...resync, copySeconds: '1' });
    expect(reply).toMatchObject({ outcome: 'failed', code: 'copy-timeout', data: { copy: { exit: 124 } } });
  });

  const seals: readonly (readonly [sentence: string, answers: Answers, code: string])[] = [
    ['the limit of snapshots', { [`snapshot create ${replica} snap-2`]: full }, 'snapshot-limit'],
    ['no right to create', { [`snapshot create ${replica} snap-2`]: denied }, 'seal-failed'],
    ['a cluster that is gone', { [`snapshot create ${replica} snap-2`]: down }, 'seal-failed'],
    [
      'a name that somebody took meanwhile',
      { [`snapshot create ${replica} snap-2`]: { err: 'FILE_ALREADY_EXISTS Snapshot already exists\n', exit: 255 } },
      'seal-failed',
    ],
    [
      'an answer that is cut short',
      { [`snapshot info ${replica} snap-2`]: { out: snapshotInfo('snap-2', 12).slice(0, 90) } },
      'seal-failed',
    ],
  ];
  it.each(seals)('tells a seal that failed for %s, with the counters of the copy', async (_sentence, answers, code) => {
    const { exit, reply } = await aHost(answers).run('replicate', resync);
    expect([reply.outcome, reply.code, exit]).toEqual(['failed', code, 11]);
    expect(reply.data).toMatchObject({ copy: { filesCopied: 6 }, seal: null });
  });
});
