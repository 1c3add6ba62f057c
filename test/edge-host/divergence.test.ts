import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { EdgeReply } from '../../functions/core/domain/edge-reply.ts';
import type { Change } from '../ozone-cluster/ozone-clusters.ts';
import { createSimulator, type OzoneSimulator } from '../ozone-simulator/simulator.ts';
import { EdgeHost, operationId, type Reply, type Variables } from './edge-host.ts';
import { bucketInfo, id, keyList, snapshotInfo } from './ozone-output.ts';

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

const change = async (bucket: string, changes: readonly Change[]): Promise<void> => {
  now += 1000;
  clusters.inProcess.setClock({ now, skewMs: {} });
  if (changes.length > 0) await clusters.change(`ofs://${bucket}`, changes);
};

const idOf = async (bucket: string, name: string): Promise<string> =>
  JSON.parse(await clusters.ozone('sh', 'snapshot', 'info', `o3://${bucket}`, name)).snapshotId;

class Scene {
  readonly #host = new EdgeHost();
  readonly source: string;
  readonly replica: string;

  constructor() {
    buckets += 1;
    this.source = `prod/vol/bkt-${buckets}`;
    this.replica = `dr/vol/bkt-${buckets}`;
    const { state } = this.#host;
    this.#host.configure(`path=${clusters.bin}\nstate=${state}\nclient_attempts=3\nclient_wait_ms=200\n`);
  }

  /** The same on both sides, written at other times; then what each of them became. */
  async begin(common: readonly Change[], onSource: readonly Change[], onReplica: readonly Change[]): Promise<void> {
    for (const [bucket, snapshot] of [
      [this.source, 'common'],
      [this.replica, 'opened'],
    ] as const) {
      await clusters.createBucket(`ofs://${bucket}`);
      await change(bucket, common);
      await clusters.ozone('sh', 'snapshot', 'create', `o3://${bucket}`, snapshot);
    }
    await change(this.source, onSource);
    await clusters.ozone('sh', 'snapshot', 'create', `o3://${this.source}`, 'now');
    await change(this.replica, onReplica);
  }

  async divergence(more: Variables = {}): Promise<Reply> {
    const { reply } = await this.#host.run('divergence', {
      operation: operationId(1),
      source: this.source,
      replica: this.replica,
      base: 'common',
      baseSourceId: more.baseSourceId ?? (await idOf(this.source, 'common')),
      target: 'now',
      targetId: more.targetId ?? (await idOf(this.source, 'now')),
      since: 'opened',
      sinceId: more.sinceId ?? (await idOf(this.replica, 'opened')),
      ...more,
    });
    EdgeReply.parse(reply);
    return reply;
  }
}

const some = [put('a/one'), put('a/b/two', 20), put('c/three', 30), mkdir('empty'), put('top', 40)] as const;
const NOTHING = { added: 0, changed: 0, deleted: 0, bytes: 0, first: [] };

describe.concurrent('what two sides changed since they were equal', () => {
  it('is counted for each, and what both touched, in one JVM', async () => {
    const s = new Scene();
    await s.begin(
      some,
      [put('a/b/two', 20, 2), put('late', 7), { op: 'rm', path: 'c/three' }, put('top', 41)],
      [put('a/one', 12), put('c/three', 31), put('late', 100), put('new', 1000), { op: 'rm', path: 'a/b/two' }],
    );
    expect(await s.divergence()).toMatchObject({
      outcome: 'ok',
      jvmStarts: 1,
      data: {
        source: { added: 1, changed: 2, deleted: 1, bytes: 68, first: ['a/b/two', 'c/three', 'late', 'top'] },
        replica: {
          ...{ added: 2, changed: 2, deleted: 1, bytes: 1143 },
          first: ['a/b/two', 'a/one', 'c/three', 'late', 'new'],
        },
        both: { paths: 3, first: ['a/b/two', 'c/three', 'late'] },
      },
    });
  });

  it('is nothing when nobody wrote, whatever the times of the copy are', async () => {
    const s = new Scene();
    await s.begin(some, [], []);
    expect((await s.divergence()).data).toEqual({ source: NOTHING, replica: NOTHING, both: { paths: 0, first: [] } });
  });

  it('is nothing when one side is empty and stays so', async () => {
    const s = new Scene();
    await s.begin([], [], [put('first', 3)]);
    expect((await s.divergence()).data).toEqual({
      source: NOTHING,
      replica: { ...NOTHING, added: 1, bytes: 3, first: ['first'] },
      both: { paths: 0, first: [] },
    });
  });

  it('is a file of another name there and here, and no directory', async () => {
    const s = new Scene();
    await s.begin(
      some,
      [{ op: 'mv', path: 'a', to: 'z' }, mkdir('made')],
      [
        { op: 'mv', path: 'top', to: 'c/bottom' },
        { op: 'rmr', path: 'empty' },
      ],
    );
    expect((await s.divergence()).data).toEqual({
      source: { added: 2, changed: 0, deleted: 2, bytes: 30, first: ['a/b/two', 'a/one', 'z/b/two', 'z/one'] },
      replica: { added: 1, changed: 0, deleted: 1, bytes: 40, first: ['c/bottom', 'top'] },
      both: { paths: 0, first: [] },
    });
  });

  it('shows 20 paths of many, each cut to a readable length, whatever they are called', async () => {
    const s = new Scene();
    const hostile = ['with blank', 'quo\'te"d', 'back\\slash', 'back\\\\n', 'new\nline', 'tab\tbed', '%s', 'a é日本𝄞'];
    const many = Array.from({ length: 25 }, (_, n) => `${'é'.repeat(120)}"${'\\'.repeat(100)}${n}`);
    const names = [...hostile, ...many];
    await s.begin(
      names.map((name) => put(name)),
      names.map((name) => put(name, 10, 2)),
      names.map((name) => ({ op: 'rm', path: name })),
    );
    const { source, replica, both } = (await s.divergence()).data;
    expect(source).toMatchObject({ added: 0, changed: 33, deleted: 0, bytes: 330 });
    expect(replica).toMatchObject({ added: 0, changed: 0, deleted: 33, bytes: 0 });
    expect(both).toMatchObject({ paths: 33, first: source.first });
    expect(source.first).toHaveLength(20);
    expect(source.first).toEqual(expect.arrayContaining(hostile));
    expect(replica.first).toEqual(source.first);
  });

  const refused: readonly (readonly [sentence: string, outcome: string, code: string, more: Variables])[] = [
    ['another common point', 'refused', 'base-other', { baseSourceId: id(9) }],
    ['a common point that is not there', 'refused', 'base-missing', { base: 'common-0', baseSourceId: id(9) }],
    ['another snapshot of the source', 'refused', 'target-other', { targetId: id(9) }],
    ['a snapshot of the source that is not there', 'refused', 'target-missing', { target: 'now-0' }],
    ['another snapshot of the replica', 'refused', 'since-other', { sinceId: id(9) }],
    ['a snapshot of the replica that is not there', 'refused', 'since-missing', { since: 'opened-0' }],
    ['a source that is not there', 'refused', 'source-missing', { source: 'prod/vol/nowhere' }],
    ['a replica that is not there', 'refused', 'replica-missing', { replica: 'dr/vol/nowhere' }],
    ['a source that does not answer', 'unreachable', 'unknown-host', { source: 'nowhere/vol/bkt' }],
    ['a replica that does not answer', 'unreachable', 'unknown-host', { replica: 'nowhere/vol/bkt' }],
  ];
  it.each(refused)('is not told of %s', async (_sentence, outcome, code, more) => {
    const s = new Scene();
    await s.begin(some, [put('top', 41)], []);
    expect(await s.divergence(more)).toMatchObject({ outcome, code, data: null });
  });

  it.each([0, 1, 2, 3])('is not told from a listing that was cut short (%i)', async (cut) => {
    const host = new EdgeHost();
    const listed = ['common', 'now', 'opened', ''].map((name, n) => {
      const whole = keyList(name, [['a', 1]]);
      return { out: n === cut ? whole.slice(0, -10) : whole };
    });
    const [source, replica] = ['o3://prod/vol/bkt', 'o3://dr/vol/bkt'];
    host.ozone({
      [`bucket info ${source}`]: { out: bucketInfo() },
      [`snapshot info ${source} common`]: { out: snapshotInfo('common', 1) },
      [`snapshot info ${source} now`]: { out: snapshotInfo('now', 2) },
      [`key list --all -p .snapshot/common/ ${source}`]: listed[0] ?? {},
      [`key list --all -p .snapshot/now/ ${source}`]: listed[1] ?? {},
      [`bucket info ${replica}`]: { out: bucketInfo() },
      [`snapshot info ${replica} opened`]: { out: snapshotInfo('opened', 3) },
      [`key list --all -p .snapshot/opened/ ${replica}`]: listed[2] ?? {},
      [`key list --all ${replica}`]: listed[3] ?? {},
    });
    const parameters = { base: 'common', target: 'now', since: 'opened' };
    const ids = { baseSourceId: id(1), targetId: id(2), sinceId: id(3) };
    const { reply } = await host.run('divergence', { ...parameters, ...ids });
    expect(reply).toMatchObject({ outcome: 'refused', code: 'unreadable', jvmStarts: 1, data: null });
  });
});
