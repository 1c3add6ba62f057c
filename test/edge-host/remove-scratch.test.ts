import { beforeAll, describe, expect, it, vi } from 'vitest';
import { EdgeReply } from '../../functions/core/domain/edge-reply.ts';
import { createSimulator, type OzoneSimulator } from '../ozone-simulator/simulator.ts';
import { EdgeHost, operationId, type Reply, type Variables } from './edge-host.ts';
import { bucketInfo, snapshotList } from './ozone-output.ts';

// Each waits for child processes, and for those of the others.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let clusters: OzoneSimulator;
let buckets = 0;
let operations = 0;

beforeAll(async () => {
  clusters = await createSimulator({ directory: new EdgeHost().file('clusters') });
  await clusters.ozone('sh', 'volume', 'create', 'o3://dr/vol');
});

/** A scratch bucket with something in it. */
const scratch = async (layout = 'FILE_SYSTEM_OPTIMIZED'): Promise<string> => {
  buckets += 1;
  const bucket = `dr/vol/odr-drill-${String(buckets).padStart(3, '0')}`;
  await clusters.ozone('sh', 'bucket', 'create', '-l', layout, `o3://${bucket}`);
  await clusters.change(`ofs://${bucket}`, [
    { op: 'put', path: 'a/b/c', size: 10, seed: 1 },
    { op: 'mkdir', path: 'empty' },
    { op: 'put', path: 'top', size: 10, seed: 1 },
  ]);
  return bucket;
};

const created = async (bucket: string): Promise<string> =>
  JSON.parse(await clusters.ozone('sh', 'bucket', 'info', `o3://${bucket}`)).creationTime;

const remove = async (replica: string, more: Variables = {}): Promise<Reply> => {
  const host = new EdgeHost();
  host.configure(`path=${clusters.bin}\njava_home=/usr\nstate=${host.state}\nclient_attempts=3\nclient_wait_ms=200\n`);
  operations += 1;
  const targetCreated = more.targetCreated ?? (await created(replica).catch(() => '2026-11-20T18:22:04.605Z'));
  const parameters = { operation: operationId(operations), source: '', replica, ...more, targetCreated };
  const { reply } = await host.run('remove-scratch', parameters);
  EdgeReply.parse(reply);
  return reply;
};

describe.concurrent('removing a scratch bucket', () => {
  it.each(['FILE_SYSTEM_OPTIMIZED', 'LEGACY'])('takes it away with all that is in it (%s)', async (layout) => {
    const bucket = await scratch(layout);
    expect(await remove(bucket)).toMatchObject({ outcome: 'ok', jvmStarts: 2, data: { removed: true } });
    await expect(created(bucket)).rejects.toThrow('BUCKET_NOT_FOUND');
  });

  it('is content when it is gone already, or its volume', async () => {
    for (const bucket of ['dr/vol/odr-drill-gone', 'dr/nowhere/odr-drill-gone'])
      expect(await remove(bucket)).toMatchObject({ outcome: 'ok', jvmStarts: 1, data: { removed: false } });
  });

  it('deletes its snapshots first, and says that the bucket is still there until they are purged', async () => {
    const bucket = await scratch();
    await clusters.ozone('sh', 'snapshot', 'create', `o3://${bucket}`, 'snap-1');
    const reply = await remove(bucket);
    expect(reply).toMatchObject({ outcome: 'failed', code: 'not-gone' });
    expect(reply.message).toContain("can't be deleted when it has snapshots");
    const snapshots = JSON.parse(await clusters.ozone('sh', 'snapshot', 'list', '--all', `o3://${bucket}`));
    expect(snapshots).toMatchObject([{ snapshotStatus: 'SNAPSHOT_DELETED' }]);
  });

  it('is refused for another bucket of that name, and changes nothing', async () => {
    const bucket = await scratch();
    expect(await remove(bucket, { targetCreated: '2026-11-20T18:22:04.605Z' })).toMatchObject({
      outcome: 'refused',
      code: 'bucket-other',
    });
    expect((await clusters.tree(`ofs://${bucket}`)).size).toBe(5);
  });

  it.each(['dr/vol/orders', 'dr/vol/xodr-drill-a', 'dr/odr-drill-a/orders', 'dr/vol/odr-drill_a', 'dr/vol/odr-tmp-a'])(
    'is refused for %s, which is no scratch bucket, before anything is asked',
    async (bucket) => {
      expect(await remove(bucket, { targetCreated: '2026-11-20T18:22:04.605Z' })).toMatchObject({
        outcome: 'refused',
        code: 'scratch-name',
        jvmStarts: 0,
      });
    },
  );

  it('needs the creation time', async () => {
    expect(await remove('dr/vol/odr-drill-a', { targetCreated: '' })).toMatchObject({ code: 'bad-parameter' });
  });

  const info = { 'bucket info o3://dr/vol/odr-drill-a': { out: bucketInfo() } };
  const list = { 'snapshot list --all o3://dr/vol/odr-drill-a': { out: snapshotList() } };
  const fake = async (answers: Parameters<EdgeHost['ozone']>[0]): Promise<Reply> => {
    const host = new EdgeHost();
    host.ozone({ ...info, ...list, ...answers });
    const targetCreated = '2026-11-20T18:22:04.605Z';
    return (await host.run('remove-scratch', { replica: 'dr/vol/odr-drill-a', targetCreated })).reply;
  };
  const removal = 'bucket delete -r --yes o3://dr/vol/odr-drill-a';

  it('is not taken for done because Ozone ended with 0', async () => {
    const reply = await fake({ [removal]: { out: 'Could not delete bucket for a reason.\n' } });
    expect(reply).toMatchObject({ outcome: 'failed', code: 'not-gone' });
    expect(reply.message).toContain('for a reason');
  });

  it('is not taken for done when the manager does not answer afterwards', async () => {
    const away = { err: 'Connection refused\n', exit: 255 };
    const answers = { out: bucketInfo() };
    const reply = await fake({
      [removal]: { out: 'Bucket odr-drill-a is deleted\n' },
      'bucket info o3://dr/vol/odr-drill-a': [answers, away],
    });
    expect(reply).toMatchObject({ outcome: 'failed', code: 'not-gone' });
  });

  it('says what failed', async () => {
    const reply = await fake({ [removal]: { err: 'PERMISSION_DENIED no\n', exit: 255 } });
    expect(reply).toMatchObject({ outcome: 'failed', code: 'permission-denied' });
  });

  it('changes nothing when a snapshot has a name that cannot be', async () => {
    const host = new EdgeHost();
    const lists = { 'snapshot list --all o3://dr/vol/odr-drill-a': { out: snapshotList(['a b', 1]) } };
    host.ozone({ ...info, ...lists });
    const targetCreated = '2026-11-20T18:22:04.605Z';
    const { reply } = await host.run('remove-scratch', { replica: 'dr/vol/odr-drill-a', targetCreated });
    expect(reply).toMatchObject({ outcome: 'refused', code: 'unreadable', jvmStarts: 1 });
  });
});
