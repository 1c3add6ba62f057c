import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EdgeHost, operationId, type Reply } from '../../edge-host/edge-host.ts';
import { type OzoneClusters, startOzoneClusters } from '../../ozone-cluster/ozone-clusters.ts';
import { cacheDirectory } from '../../ozone-cluster/software.ts';

let clusters: OzoneClusters;
let host: EdgeHost;
let operations = 0;

beforeAll(async () => {
  clusters = await startOzoneClusters({ directory: join(cacheDirectory, 'delete') });
  host = new EdgeHost();
  await clusters.hostConfig(host.config, { client_attempts: '3', client_wait_ms: '200' });
});
afterAll(() => clusters?.stop());

const PURGE_TRIES = 100;

interface Listed {
  readonly name: string;
  readonly snapshotId: string;
  readonly snapshotStatus: string;
}

/** A bucket of its own on `prod` with points. */
class Scene {
  readonly path: string;

  constructor(name: string) {
    this.path = `prod/vol/${name}`;
  }

  async begin(points: readonly string[]): Promise<void> {
    await clusters.createBucket(`ofs://${this.path}`);
    await clusters.change(`ofs://${this.path}`, [{ op: 'put', path: 'file', size: 1000, seed: 1 }]);
    await this.batch(points.map((name) => `snapshot create o3://${this.path} ${name}`));
  }

  async batch(commands: readonly string[]): Promise<void> {
    await clusters.ozone('sh', ...commands.flatMap((command) => ['--execute', command]));
  }

  async listed(): Promise<readonly Listed[]> {
    return JSON.parse(await clusters.ozone('sh', 'snapshot', 'list', '--all', `o3://${this.path}`));
  }

  /** Names of the active snapshots with their ids. */
  async active(): Promise<ReadonlyMap<string, string>> {
    const active = (await this.listed()).filter((it) => it.snapshotStatus === 'SNAPSHOT_ACTIVE');
    return new Map(active.map(({ name, snapshotId }) => [name, snapshotId]));
  }

  /** Deletes a snapshot by its name and gives the name to another one, as soon as Ozone has purged the first. */
  async takeOver(name: string): Promise<void> {
    await this.batch([`snapshot delete o3://${this.path} ${name}`]);
    for (let tries = 1; ; tries++) {
      const taken = this.batch([`snapshot create o3://${this.path} ${name}`]);
      const why = await taken.then(
        () => null,
        (error: unknown) => error,
      );
      if (why === null) return;
      if (tries === PURGE_TRIES || !String(why).includes('FILE_ALREADY_EXISTS')) throw why;
      await sleep(500);
    }
  }

  async delete(ids: Iterable<readonly [name: string, id: string]>): Promise<Reply> {
    operations += 1;
    const remove = [...ids].map(([name, id]) => `${name}=${id}`).join();
    const operation = operationId(operations);
    return (await host.run('delete', { operation, source: this.path, replica: '', remove })).reply;
  }
}

const points = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `odr-nightly-202601${String(n + 1).padStart(2, '0')}t020000z-1`);

describe('deleting recovery points on Ozone', () => {
  it('deletes by id, leaves the others, and answers the same for what is deleted or purged already', async () => {
    const scene = new Scene('some');
    const [first = '', second = '', third = ''] = points(3);
    await scene.begin([first, second, third, 'foreign']);
    const ids = await scene.active();
    const asked = [first, second].map((name) => [name, ids.get(name) ?? ''] as const);
    const reply = await scene.delete(asked);
    expect(reply).toMatchObject({ outcome: 'ok', code: '', jvmStarts: 2 });
    expect(reply.data).toEqual({ removed: asked.map(([name, id]) => ({ name, id })), kept: [] });
    expect([...(await scene.active()).keys()]).toEqual(['foreign', third]);

    const again = await scene.delete(asked);
    expect([again.outcome, again.data.removed]).toEqual([expect.stringMatching(/^(ok|refused)$/), []]);
    for (const { why } of again.data.kept) expect(['deleted already', 'not there', 'not tried']).toContain(why);
    expect([...(await scene.active()).keys()]).toEqual(['foreign', third]);
  });

  it('deletes nothing at all when a foreign snapshot has the name of one of them', async () => {
    const scene = new Scene('taken');
    await scene.begin(points(3));
    const planned = await scene.active();
    const [, second = ''] = points(3);
    await scene.takeOver(second);
    const now = await scene.active();
    expect(now.get(second)).not.toBe(planned.get(second));
    const reply = await scene.delete(planned);
    expect(reply).toMatchObject({ outcome: 'refused', code: 'changed-meanwhile', jvmStarts: 1 });
    expect(reply.data.removed).toEqual([]);
    expect(reply.data.kept[0]).toMatchObject({ name: second, why: expect.stringContaining('another snapshot: ') });
    expect(await scene.active()).toEqual(now);
  });

  it('deletes 25 in two JVMs', async () => {
    const scene = new Scene('many');
    await scene.begin(points(25));
    const ids = await scene.active();
    const reply = await scene.delete(ids);
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 2 });
    expect(reply.data.removed).toHaveLength(25);
    expect((await scene.active()).size).toBe(0);
  });

  it('deletes nothing while the manager is away', async () => {
    const scene = new Scene('away');
    await scene.begin(points(2));
    const ids = await scene.active();
    await clusters.kill('prod', 'om');
    const reply = await scene.delete(ids);
    await clusters.restart('prod', 'om');
    expect([reply.outcome, reply.code, reply.data]).toEqual(['unreachable', 'connection', null]);
    await clusters.ready('prod');
    expect(await scene.active()).toEqual(ids);
  });
});
