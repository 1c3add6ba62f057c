import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { EdgeReply } from '../../functions/core/domain/edge-reply.ts';
import type { Change } from '../ozone-cluster/ozone-clusters.ts';
import { createSimulator, type OzoneSimulator } from '../ozone-simulator/simulator.ts';
import { EdgeHost, type Reply, type Variables } from './edge-host.ts';
import { bucketInfo, id } from './ozone-output.ts';
import { glob, literal, RestoreScene, Selections } from './restore-scene.ts';

const put = (path: string, size = 10, seed = 1): Change => ({ op: 'put', path, size, seed });

// Each waits for child processes, and for those of the others.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let clusters: OzoneSimulator;
let selections: Selections;
let buckets = 0;

beforeAll(async () => {
  clusters = await createSimulator({ directory: new EdgeHost().file('clusters') });
  selections = await Selections.start();
});
afterAll(() => selections.stop());

/** On buckets and a host of its own. */
const scene = (layout?: string): RestoreScene => {
  const host = new EdgeHost();
  host.configure(`path=${clusters.bin}\njava_home=/usr\nstate=${host.state}\nclient_attempts=3\nclient_wait_ms=200\n`);
  buckets += 1;
  const name = `bkt-${String(buckets).padStart(3, '0')}${layout ? '-legacy' : ''}`;
  return new RestoreScene(host, clusters, `dr/vol/${name}`, `prod/vol/${name}`);
};

/** The reply as the workflow reads it. */
const parsed = <V extends Reply>(reply: V): V => {
  EdgeReply.parse(reply);
  return reply;
};

const some = [
  put('a/one'),
  put('a/b/two', 20),
  put('c/three', 30),
  { op: 'mkdir', path: 'empty' },
  put('top', 40),
] as const;

describe.concurrent('examining', () => {
  it('counts what the point has, in one JVM, and says that nothing is at the target', async () => {
    const s = scene();
    await s.begin(some);
    const reply = parsed(await s.examine());
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 1 });
    expect(reply.data).toMatchObject({
      source: { layout: 'FILE_SYSTEM_OPTIMIZED', acls: null },
      point: { files: 4, dirs: 4, bytes: 100 },
      unmatched: { count: 0, first: [] },
      target: {
        state: 'read',
        bucket: { created: await s.created() },
        absent: { files: 4, bytes: 100 },
        ...{ sameLength: 0, otherLength: 0, clash: 0, replacedBytes: 0, extra: { files: 0, bytes: 0 }, first: [] },
      },
    });
  });

  it('gives a whole bucket the digest that verify gives it', async () => {
    const s = scene();
    await s.begin(some, some);
    await clusters.ozone('sh', 'snapshot', 'create', `o3://${s.target}`, 'snap-1');
    const info = await clusters.ozone('sh', 'snapshot', 'info', `o3://${s.target}`, 'snap-1');
    const more = { level: 'listing', sealId: JSON.parse(info).snapshotId };
    const verified = await s.host.run('verify', await s.parameters(more));
    expect((await s.examine()).data.point).toEqual(verified.reply.data.source);
  });

  it('tells what is at the target: the same length, another one, a file for a directory and the other way round, and what is extra', async () => {
    const s = scene();
    await s.begin(
      [...some, put('clash/x'), put('other')],
      [put('a/one', 10, 9), put('a/b/two', 21), put('a/extra', 5), put('clash', 3), put('other/y', 7), put('z', 1)],
    );
    const { target } = parsed(await s.examine()).data;
    expect(target).toMatchObject({
      absent: { files: 2, bytes: 70 },
      ...{ sameLength: 1, otherLength: 1, clash: 3, replacedBytes: 31, extra: { files: 3, bytes: 13 } },
    });
    expect(target.first).toEqual([
      { path: 'a/b/two', point: '20 bytes', target: '21 bytes' },
      { path: 'a/extra', point: null, target: '5 bytes' },
      { path: 'a/one', point: '10 bytes', target: '10 bytes' },
      { path: 'clash', point: 'directory', target: '3 bytes' },
      { path: 'clash/x', point: '10 bytes', target: 'below a file' },
      { path: 'other', point: '10 bytes', target: 'directory' },
      { path: 'other/y', point: null, target: '7 bytes' },
      { path: 'z', point: null, target: '1 bytes' },
    ]);
  });

  it('counts only what is selected, on both sides', async () => {
    const s = scene();
    await s.begin(some, [put('a/b/two', 20), put('a/b/extra'), put('a/other'), put('c/three', 31)]);
    const { point, target } = (await s.examine(selections.of([literal('a/b'), glob('c/.*'), literal('top')]))).data;
    expect(point).toMatchObject({ files: 3, dirs: 1, bytes: 90 });
    expect(target).toMatchObject({ absent: { files: 1 }, sameLength: 1, otherLength: 1, extra: { files: 1 } });
  });

  it('says which lines name nothing', async () => {
    const s = scene();
    await s.begin(some);
    const lines = [literal('a/one'), literal('no"where'), glob('.*\\.parquet'), literal('a/one/x')];
    const reply = parsed(await s.examine(selections.of(lines)));
    expect(reply.data.unmatched).toEqual({ count: 3, first: ['no"where', '.*\\.parquet', 'a/one/x'] });
    expect(reply.data.point.files).toBe(1);
  });

  it('shows 20 paths of many, each cut to a readable length', async () => {
    const s = scene();
    const names = Array.from({ length: 25 }, (_, n) => `${'é'.repeat(120)}"${'\\'.repeat(100)}${n}`);
    await s.begin(
      names.map((name) => put(name)),
      names.map((name) => put(name)),
    );
    const { target } = parsed(await s.examine()).data;
    expect(target).toMatchObject({ sameLength: 25 });
    expect(target.first).toHaveLength(20);
  });

  it.each([
    ['a directory', 'a/b', 2],
    ['a file', 'a/one', 1],
  ])('works for LEGACY: %s, not what begins alike', async (_sentence, path, count) => {
    const s = scene('LEGACY');
    await s.begin([...some, put('a/b/more'), put('a/b2/x'), put('a/one2')], [], 'LEGACY');
    expect((await s.examine(selections.of([literal(path)]))).data.point.files).toBe(count);
  });

  it('finds a file where the target of a selection has a directory above it', async () => {
    const s = scene();
    await s.begin([put('x/y/file'), put('x/z')], [put('x/y')]);
    const { target } = (await s.examine(selections.of([literal('x/y/file'), literal('x/z')]))).data;
    expect(target).toMatchObject({ clash: 1, absent: { files: 1 } });
  });

  it('names a target that is not there, and shows the point', async () => {
    const s = scene();
    await s.begin(some);
    const reply = parsed(await s.examine({ replica: 'prod/vol/nowhere' }));
    expect(reply).toMatchObject({
      outcome: 'ok',
      jvmStarts: 1,
      data: { point: { files: 4 }, target: { state: 'missing', code: 'bucket-missing' } },
    });
  });

  it('names a target whose cluster does not answer, and shows the point', async () => {
    const s = scene();
    await s.begin(some);
    const reply = parsed(await s.examine({ replica: 'nowhere/vol/bkt' }));
    expect(reply).toMatchObject({ outcome: 'ok', data: { target: { state: 'unreachable', code: 'unknown-host' } } });
  });

  const refused: readonly (readonly [sentence: string, outcome: string, code: string, more: Variables])[] = [
    ['whose cluster does not answer', 'unreachable', 'unknown-host', { source: 'nowhere/vol/bkt' }],
    ['whose bucket is not there', 'refused', 'source-missing', { source: 'dr/vol/nowhere' }],
    ['that is not there', 'refused', 'target-missing', { target: 'snap-9' }],
    ['that is another one', 'refused', 'target-other', {}],
  ];
  it.each(refused)('refuses a point %s', async (_sentence, outcome, code, more) => {
    const s = scene();
    await s.begin(some);
    expect(await s.examine({ targetId: id(9), ...more })).toMatchObject({ outcome, code, data: null });
  });

  it('does not take a target for empty whose listing is cut short', async () => {
    const host = new EdgeHost();
    const scriptless = (out: string) => ({ out });
    host.ozone({
      'bucket info o3://dr/vol/bkt': scriptless(bucketInfo()),
      'snapshot info o3://dr/vol/bkt snap-1': scriptless(
        `{\n  "name" : "snap-1",\n  "creationTime" : 1,\n  "snapshotStatus" : "SNAPSHOT_ACTIVE",\n  "snapshotId" : "${id(1)}"\n}\n`,
      ),
      'key list --all -p .snapshot/snap-1/ o3://dr/vol/bkt': scriptless('[ ]\n'),
      'bucket info o3://prod/vol/bkt': scriptless(bucketInfo()),
      'key list --all o3://prod/vol/bkt': scriptless('[ {\n  "name" : "a",\n'),
    });
    const parameters = { source: 'dr/vol/bkt', replica: 'prod/vol/bkt', target: 'snap-1', targetId: id(1) };
    const { reply } = await host.run('examine', parameters);
    expect(parsed(reply)).toMatchObject({ outcome: 'ok', data: { target: { state: 'unreadable' } } });
  });
});

describe.concurrent('only what holds all that is selected is listed', () => {
  const rows: readonly (readonly [lines: readonly string[], prefix: string])[] = [
    [[literal('logs/2024/a')], 'logs/2024/a'],
    [[literal('logs/2024/a'), literal('logs/2024/b')], 'logs/2024/'],
    [[literal('logs/2024'), literal('logs/2024/b')], 'logs/'],
    [[literal('logs/2024/a'), literal('logs/2023/b')], 'logs/'],
    [[literal('logs/2024/a'), glob('logs/2024/[^/]*')], 'logs/2024/'],
    [[glob('logs/2024/x.*')], 'logs/2024/'],
    [[glob('logs/20?4/x')], 'logs/'],
    [[glob('logs/2024/?x')], 'logs/'],
    [[glob('logs/2024/x|top')], ''],
    [[literal('logs/of day/a')], 'logs/'],
    [[literal('logs/é')], 'logs/'],
    [[literal('-p/a')], ''],
    [[literal('a'), literal('b')], ''],
  ];
  it.each(rows)('%j: %j', async (lines, prefix) => {
    const host = new EdgeHost();
    await host.run('examine', { ...selections.of(lines), target: 'snap-1', targetId: id(1) });
    const [call = ''] = host.calls('ozone');
    expect(call).toContain(`--execute key list --all -p .snapshot/snap-1/${prefix} o3://prod/vol/bkt `);
    expect(call).toContain(`--execute key list --all ${prefix === '' ? '' : `-p ${prefix} `}o3://dr/vol/bkt`);
  });
});

describe.concurrent('comparing', () => {
  it('a target that is what the point is, its checksums too', async () => {
    const s = scene();
    await s.begin(some, some);
    const reply = parsed(await s.compare({ level: 'full', exact: 'yes' }));
    expect(reply).toMatchObject({
      outcome: 'ok',
      jvmStarts: 2,
      data: {
        ...{ level: 'full', equal: true, missing: 0, changed: 0, extra: 0, first: [] },
        checksums: { compared: 4, differ: 0 },
      },
    });
    expect(reply.data.point).toEqual(reply.data.target);
  });

  it('finds a byte that changed in a file of the same length, but only by its checksum', async () => {
    const s = scene();
    await s.begin(some, [...some, put('a/b/two', 20, 2)]);
    expect(parsed(await s.compare()).data).toMatchObject({ level: 'listing', equal: true, checksums: null });
    const { data } = parsed(await s.compare({ level: 'full' }));
    expect(data).toMatchObject({ equal: false, changed: 1, missing: 0, checksums: { compared: 4, differ: 1 } });
    expect(data.first).toEqual([
      { path: 'a/b/two', source: expect.stringMatching(/^checksum /), replica: expect.stringMatching(/^checksum /) },
    ]);
  });

  it('compares the checksums of the rest when something is missing or has another length', async () => {
    const s = scene();
    await s.begin(some, [put('a/one'), put('a/b/two', 21), put('top', 40, 2)]);
    const { data } = parsed(await s.compare({ level: 'full' }));
    expect(data).toMatchObject({ equal: false, changed: 2, checksums: { compared: 2, differ: 1 } });
    expect(data.first.map((it: { path: string }) => it.path)).toEqual(['a/b/two', 'c', 'c/three', 'empty', 'top']);
    expect(data.missing).toBe(3);
  });

  it('tolerates what is only at the target, unless it is to be exact', async () => {
    const s = scene();
    await s.begin(some, [...some, put('extra'), { op: 'mkdir', path: 'more' }]);
    expect(parsed(await s.compare()).data).toMatchObject({ equal: true, extra: 2, first: [] });
    expect(parsed(await s.compare({ exact: 'yes' })).data).toMatchObject({ equal: false, extra: 2 });
  });

  it('looks at what is selected only', async () => {
    const s = scene();
    await s.begin(some, [put('a/one'), put('a/b/two', 20), put('c/three', 1)]);
    const equal = await s.compare({ ...selections.of([literal('a')]), exact: 'yes', level: 'full' });
    expect(equal.data).toMatchObject({ equal: true, point: { files: 2, dirs: 2 }, checksums: { compared: 2 } });
    expect((await s.compare(selections.of([literal('c')]))).data).toMatchObject({ equal: false, changed: 1 });
  });

  const refused: readonly (readonly [sentence: string, code: string, more: Variables | 'unmatched'])[] = [
    ['when a line names nothing in the point', 'selection-unmatched', 'unmatched'],
    ['for another target of that name', 'bucket-other', { targetCreated: '2026-11-20T18:22:04.605Z' }],
    ['for a target that is not there', 'bucket-missing', { replica: 'prod/vol/nowhere' }],
    ['at a level that is none of its own', 'bad-parameter', { level: 'rolling', part: '1', parts: '2' }],
    ['with a selection without its URL', 'bad-parameter', { selection: 'ab'.repeat(32) }],
  ];
  it.each(refused)('is refused %s', async (_sentence, code, more) => {
    const s = scene();
    await s.begin(some, some);
    const given = more === 'unmatched' ? selections.of([literal('nowhere')]) : more;
    expect(await s.compare(given)).toMatchObject({ outcome: 'refused', code, data: null });
  });

  it('is unreachable when the cluster of the target is', async () => {
    const s = scene();
    await s.begin(some);
    expect(await s.compare({ replica: 'nowhere/vol/bkt' })).toMatchObject({ outcome: 'unreachable', data: null });
  });
});
