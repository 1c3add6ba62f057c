import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { EdgeReply } from '../../functions/core/domain/edge-reply.ts';
import type { Change, TreeEntry } from '../ozone-cluster/ozone-clusters.ts';
import { createSimulator, type OzoneSimulator } from '../ozone-simulator/simulator.ts';
import { EdgeHost, type Reply, type Variables } from './edge-host.ts';
import { bucketInfo, id, keyList, snapshotInfo } from './ozone-output.ts';
import { RestoreScene } from './restore-scene.ts';

const put = (path: string, size = 10, seed = 1): Change => ({ op: 'put', path, size, seed });
const mkdir = (path: string): Change => ({ op: 'mkdir', path });

// Each waits for child processes, and for those of the others.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let clusters: OzoneSimulator;
let buckets = 0;
let now = Date.UTC(2030, 0, 1);

beforeAll(async () => {
  clusters = await createSimulator({ directory: new EdgeHost().file('clusters') });
});
afterAll(() => clusters.stop());

/** A bucket with a snapshot `base`, changed since, with a snapshot `snap-1` of that; and an empty one. */
const scene = async (before: readonly Change[], since: readonly Change[], layout?: string): Promise<RestoreScene> => {
  const host = new EdgeHost();
  host.configure(`path=${clusters.bin}\njava_home=/usr\nstate=${host.state}\nclient_attempts=3\nclient_wait_ms=200\n`);
  buckets += 1;
  const name = `bkt-${String(buckets).padStart(3, '0')}`;
  const s = new RestoreScene(host, clusters, `prod/vol/${name}`, `prod/vol/${name}-orphans`);
  await s.buckets(layout);
  await later(s, before);
  await s.snapshot('base');
  await later(s, since);
  await s.snapshot();
  return s;
};

const later = async (s: RestoreScene, changes: readonly Change[]): Promise<void> => {
  now += 1000;
  clusters.inProcess.setClock({ now, skewMs: {} });
  if (changes.length > 0) await clusters.change(`ofs://${s.source}`, changes);
};

const sinceBase = async (s: RestoreScene, more: Variables = {}): Promise<Variables> => ({
  since: 'base',
  sinceId: more.sinceId ?? (await s.id('base')),
  ...more,
});

/** The reply as the workflow reads it. */
const parsed = (reply: Reply): Reply => {
  EdgeReply.parse(reply);
  return reply;
};

/** What a restore of it brings into an empty bucket. */
const brought = async (s: RestoreScene): Promise<ReadonlyMap<string, TreeEntry>> => {
  const since = await sinceBase(s);
  const examined = parsed(await s.examine(since));
  const restored = await s.restore(since);
  const compared = parsed(await s.compare({ ...since, level: 'full', exact: 'yes' }));
  const live = await s.live();
  const files = [...live.values()].filter(({ type }) => type === 'file').length;
  expect([examined.outcome, restored.outcome, compared.outcome]).toEqual(['ok', 'ok', 'ok']);
  expect(examined.data).toMatchObject({ point: { files }, unmatched: { count: 0 }, target: { absent: { files } } });
  expect(compared.data).toMatchObject({ equal: true, checksums: { compared: files, differ: 0 } });
  const point = await s.point();
  for (const [path, entry] of live) expect([path, entry]).toEqual([path, point.get(path)]);
  return live;
};

const names = (tree: ReadonlyMap<string, TreeEntry>): readonly string[] => [...tree.keys()].sort();

const some = [put('a/one'), put('a/b/two', 20), put('c/three', 30), mkdir('empty'), put('top', 40)] as const;

/** Names that programs on the way like to read as something else. */
const hostile = [
  'with blank',
  '-rf',
  '$(touch pwned)',
  'quo\'te"d',
  'back\\slash',
  'back\\\\n',
  'new\nline',
  'tab\tbed',
  '[1]{x,y}*?',
  '%20+%2F',
  'é日本𝄞',
  '(?!.*)|^.$',
  '.hidden',
];

describe.concurrent('what changed since a snapshot', () => {
  it('is a file that was overwritten, also with the same length', async () => {
    const s = await scene(some, [put('a/b/two', 20, 2), put('top', 41)]);
    expect(names(await brought(s))).toEqual(['a', 'a/b', 'a/b/two', 'top']);
  });

  it('is a new file, and not one that was deleted or left as it was', async () => {
    const s = await scene(some, [{ op: 'rm', path: 'a/one' }, put('a/b/new', 0), { op: 'rmr', path: 'c' }]);
    expect(names(await brought(s))).toEqual(['a', 'a/b', 'a/b/new']);
  });

  it('is a file of a new name, and all below a directory of a new name', async () => {
    const s = await scene(some, [
      { op: 'mv', path: 'top', to: 'c/bottom' },
      { op: 'mv', path: 'a', to: 'z' },
    ]);
    expect(names(await brought(s))).toEqual(['c', 'c/bottom', 'z', 'z/b', 'z/b/two', 'z/one']);
  });

  it('is a new directory, with nothing in it too, and not one that was there', async () => {
    const s = await scene(some, [mkdir('a/made'), mkdir('made/deep')]);
    expect(names(await brought(s))).toEqual(['a', 'a/made', 'made', 'made/deep']);
  });

  it('is a file in the place of a directory, and a directory in the place of a file', async () => {
    const s = await scene(some, [
      { op: 'rmr', path: 'a' },
      put('a', 5),
      { op: 'rm', path: 'top' },
      put('top/inside'),
      { op: 'rmr', path: 'empty' },
      put('empty', 0),
    ]);
    expect(names(await brought(s))).toEqual(['a', 'empty', 'top', 'top/inside']);
  });

  it('is told for LEGACY buckets too', async () => {
    const s = await scene(some, [put('a/b/two', 20, 2), put('new/file'), mkdir('new/empty')], 'LEGACY');
    expect(names(await brought(s))).toEqual(['a', 'a/b', 'a/b/two', 'new', 'new/empty', 'new/file']);
  });

  it('is found whatever it is called', async () => {
    const s = await scene(
      hostile.flatMap((name) => [put(`${name}/same`), put(`${name}/${name}`), put(name.concat('-gone'))]),
      hostile.flatMap((name) => [
        put(`${name}/${name}`, 10, 2),
        { op: 'mv' as const, path: `${name}-gone`, to: `${name}-there` },
        mkdir(`new ${name}`),
      ]),
    );
    expect(names(await brought(s))).toEqual(
      hostile.flatMap((name) => [name, `${name}/${name}`, `${name}-there`, `new ${name}`]).sort(),
    );
  });

  it('costs one JVM more than a selection that is given', async () => {
    const s = await scene(some, [put('a/b/two', 20, 2)]);
    const since = await sinceBase(s);
    expect((await s.examine(since)).jvmStarts).toBe(2);
    // The directory above it is made first.
    expect((await s.restore(since)).jvmStarts).toBe(4);
    expect((await s.compare(since)).jvmStarts).toBe(2);
  });

  const then = keyList('base', [['logs/'], ['logs/2024/'], ['logs/2024/a', 1], ['top', 2]]);
  const point = keyList('snap-1', [['logs/'], ['logs/2024/'], ['logs/2024/a', 1], ['logs/2024/b', 3], ['top', 2]]);
  const bucket = 'o3://prod/vol/bkt';
  /** A host whose clusters say this. */
  const told = (listedThen: string, listedNow: string): EdgeHost => {
    const host = new EdgeHost();
    host.ozone({
      [`bucket info ${bucket}`]: { out: bucketInfo() },
      [`snapshot info ${bucket} base`]: { out: snapshotInfo('base', 1) },
      [`snapshot info ${bucket} snap-1`]: { out: snapshotInfo('snap-1', 2) },
      [`key list --all -p .snapshot/base/ ${bucket}`]: { out: listedThen },
      [`key list --all -p .snapshot/snap-1/ ${bucket}`]: { out: listedNow },
      [`key list --all -p .snapshot/snap-1/logs/2024/b ${bucket}`]: { out: keyList('snap-1', [['logs/2024/b', 3]]) },
      'bucket info o3://dr/vol/bkt': { out: bucketInfo() },
      'key list --all -p logs/2024/b o3://dr/vol/bkt': { out: '[ ]\n' },
      'key list --all o3://dr/vol/bkt': { out: '[ ]\n' },
    });
    return host;
  };
  const parameters = { target: 'snap-1', targetId: id(2), since: 'base', sinceId: id(1) };

  it('is looked for at the target from the directory on that holds it', async () => {
    const { reply } = await told(then, point).run('examine', parameters);
    expect(parsed(reply)).toMatchObject({
      outcome: 'ok',
      data: { point: { files: 1, bytes: 3 }, target: { state: 'read', absent: { files: 1 } } },
    });
  });

  it.each([
    ['before', then.slice(0, -10), point],
    ['of the point', then, point.slice(0, -10)],
  ])('is not told from a listing %s that was cut short', async (_which, listedThen, listedNow) => {
    const { reply } = await told(listedThen, listedNow).run('examine', parameters);
    expect(reply).toMatchObject({ outcome: 'refused', code: 'unreadable', data: null });
  });
});

describe.concurrent('when nothing changed since a snapshot', () => {
  const rows: readonly (readonly [sentence: string, since: readonly Change[]])[] = [
    ['nothing at all', []],
    [
      'files deleted',
      [
        { op: 'rm', path: 'top' },
        { op: 'rmr', path: 'c' },
      ],
    ],
  ];
  it.each(rows)('there is nothing to restore, which is an answer (%s)', async (_sentence, changes) => {
    const s = await scene(some, changes);
    const reply = parsed(await s.examine(await sinceBase(s)));
    expect(reply).toMatchObject({
      outcome: 'ok',
      jvmStarts: 2,
      data: {
        point: { files: 0, dirs: 0, bytes: 0 },
        unmatched: { count: 0, first: [] },
        target: { state: 'read', absent: { files: 0, bytes: 0 }, extra: { files: 0, bytes: 0 }, first: [] },
      },
    });
  });

  it('a restore and a comparison are refused, and change nothing', async () => {
    const s = await scene(some, []);
    const since = await sinceBase(s);
    const refused = { outcome: 'refused', code: 'nothing-changed', message: 'nothing changed from base to snap-1' };
    expect(await s.restore(since)).toMatchObject(refused);
    expect(await s.compare(since)).toMatchObject(refused);
    expect(await s.live()).toEqual(new Map());
  });
});

describe.concurrent('changes since a snapshot are told of the snapshots that are meant', () => {
  const refused: readonly (readonly [sentence: string, outcome: string, code: string, more: Variables])[] = [
    ['of that name, but another', 'refused', 'since-other', { sinceId: id(9) }],
    ['that is not there', 'refused', 'since-missing', { since: 'base-0' }],
    ['until another point', 'refused', 'target-other', { targetId: id(9) }],
    ['until a point that is not there', 'refused', 'target-missing', { target: 'snap-9', targetId: id(9) }],
    ['of a bucket that is not there', 'refused', 'source-missing', { source: 'prod/vol/nowhere' }],
    ['of a cluster that does not answer', 'unreachable', 'unknown-host', { source: 'nowhere/vol/bkt' }],
  ];
  it.each(refused)('since a snapshot %s', async (_sentence, outcome, code, more) => {
    const s = await scene(some, [put('top', 41)]);
    const since = await sinceBase(s, more);
    expect(await s.examine(since)).toMatchObject({ outcome, code, data: null });
    expect(await s.compare(since)).toMatchObject({ outcome, code, data: null });
    expect(await s.restore(since)).toMatchObject({ outcome, code });
    expect(await s.live()).toEqual(new Map());
  });

  it('since a snapshot that is deleted', async () => {
    const s = await scene(some, [put('top', 41)]);
    const since = await sinceBase(s);
    await clusters.ozone('sh', 'snapshot', 'delete', `o3://${s.source}`, 'base');
    expect(await s.examine(since)).toMatchObject({ outcome: 'refused', code: 'since-missing' });
  });
});
