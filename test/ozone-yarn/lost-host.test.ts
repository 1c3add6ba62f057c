import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REPLICA_HOST, SECOND_REPLICA_HOST } from '../fixtures/deployment.ts';
import { openStage, type Stage } from '../ozone/crash-stage.ts';
import { sharedYarn } from '../ozone-cluster/shared-yarn.ts';
import type { Yarn } from '../ozone-cluster/yarn.ts';

const BUCKET = 'lost/orders';
const FILES = 3;
const LARGE = 6_000_000;

/** In virtual time: that a host is away is known after minutes. */
describe('the host of a copy on a real YARN is lost', () => {
  let yarn: Yarn;
  let stage: Stage;

  beforeAll(async () => {
    const shared = await sharedYarn();
    yarn = shared.yarn;
    stage = await openStage(new Map([[BUCKET, 'yarn']]), {
      clusters: shared.clusters,
      hostConfig: { yarn_rm: yarn.rm, yarn_history: yarn.history },
      replicaHosts: [REPLICA_HOST, SECOND_REPLICA_HOST],
      clock: { virtualFrom: new Date() },
    });
  });
  afterAll(() => stage?.close());

  it('the other host finds its application, and seals what it copied', async ({ onTestFailed }) => {
    const scene = stage.scene(BUCKET, 'yarn');
    onTestFailed(() => console.log(scene.story.join('\n')));
    await scene.clusters.change(
      scene.source,
      Array.from({ length: FILES }, (_, i) => ({ op: 'put', path: `part-${i}`, size: LARGE, seed: i }) as const),
    );
    const { cloud } = stage.deployment;
    await scene.runBeside(async () => {
      const copy = await scene.operation('replicate');
      await scene.until('an application', async () => (await yarn.applications(copy.id)).at(-1));
      // The copy takes its time, which virtual time does not wait for.
      const goOn = cloud.clock.hold();
      try {
        await scene.clusters.appears(scene.replica, 'part-', 1);
        cloud.host(copy.command.invocations[0]?.host.definition.id ?? '').crash();
        await scene.killAll(copy);
        for (;;) {
          const [application] = await yarn.applications(copy.id);
          if (application?.state === 'FINISHED') break;
          await sleep(200);
        }
      } finally {
        goOn();
      }
    });
    while (!scene.isVerified() && scene.told.length < 2) await scene.run();
    expect(scene.isVerified(), JSON.stringify(scene.told)).toBe(true);
    const copies = cloud.commands().filter(({ parameters }) => parameters.verb?.[0] === 'replicate');
    expect(new Set(copies.map(({ invocations }) => invocations[0]?.host.definition.id)).size).toBe(2);
    const applications = await Promise.all(
      copies.map(({ parameters }) => yarn.applications(parameters.operation?.[0] ?? '')),
    );
    expect(applications.flat()).toMatchObject([{ finalStatus: 'SUCCEEDED' }]);
    const [point] = await stage.deployment.points(BUCKET);
    expect(point).toMatchObject({ mode: 'bootstrap', bytesCopied: FILES * LARGE });
    const [live, sealed, source] = await scene.clusters.trees([
      scene.replica,
      `${scene.replica}/.snapshot/${point?.name}`,
      `${scene.source}/.snapshot/${point?.name}`,
    ]);
    expect(source?.size).toBe(FILES);
    expect(sealed).toEqual(source);
    expect(live).toEqual(source);
  });
});
