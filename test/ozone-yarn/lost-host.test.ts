import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { REPLICA_HOST, SECOND_REPLICA_HOST } from '../fixtures/deployment.ts';
import { expectNewestEqual } from '../fixtures/newest-point.ts';
import type { Command, Host } from '../local-cloud/index.ts';
import { type Operation, openStage, type Scene, type Stage } from '../ozone/crash-stage.ts';
import { sharedYarn } from '../ozone-cluster/shared-yarn.ts';
import type { Yarn } from '../ozone-cluster/yarn.ts';

const DEAD = 'lost/dead';
const CUT_OFF = 'lost/cut-off';
const FILES = 3;
const LARGE = 6_000_000;
/** A file takes six seconds. */
const LOOK_MS = 200;

/** In virtual time: that a host is away is known after minutes. */
describe('the host of a copy on a real YARN is lost', () => {
  let yarn: Yarn;
  let stage: Stage;

  beforeAll(async () => {
    const shared = await sharedYarn();
    yarn = shared.yarn;
    stage = await openStage(new Map([DEAD, CUT_OFF].map((bucket) => [bucket, 'yarn'] as const)), {
      clusters: shared.clusters,
      hostConfig: { yarn_rm: yarn.rm, yarn_history: yarn.history },
      replicaHosts: [REPLICA_HOST, SECOND_REPLICA_HOST],
      clock: { virtualFrom: new Date() },
    });
    stage.deployment.cloud.stopCalendar();
  });
  afterAll(() => stage?.close());

  /** Backs the bucket up to a verified point; `lose` is called when its copy has brought over a file, and virtual time goes on when that copy is over. */
  const backUp = async (
    bucket: string,
    { onTestFailed }: TestContext,
    lose: (scene: Scene, copy: Operation) => Promise<void>,
  ) => {
    const scene = stage.scene(bucket, 'yarn');
    onTestFailed(() => console.log(scene.story.join('\n')));
    await scene.clusters.change(
      scene.source,
      Array.from({ length: FILES }, (_, i) => ({ op: 'put', path: `part-${i}`, size: LARGE, seed: i }) as const),
    );
    const { cloud } = stage.deployment;
    await scene.runBeside(async () => {
      const copy = await scene.operation('replicate');
      await scene.until('an application', async () => (await yarn.applications(copy.id)).at(-1), LOOK_MS);
      // The copy takes its time, which virtual time does not wait for.
      const goOn = cloud.clock.hold();
      try {
        await scene.clusters.appears(scene.replica, 'part-', 1, LOOK_MS);
        await lose(scene, copy);
        for (;;) {
          const [application] = await yarn.applications(copy.id);
          const isAtWork = scene.processes().some(({ operation }) => operation === copy.id);
          if (application?.state === 'FINISHED' && !isAtWork) break;
          await sleep(200);
        }
      } finally {
        goOn();
      }
    });
    while (!scene.isVerified() && scene.told.length < 2) await scene.run();
    expect(scene.isVerified(), JSON.stringify(scene.told)).toBe(true);
    const { point, entries } = await expectNewestEqual(stage.deployment, scene.clusters, bucket);
    expect(entries).toBe(FILES);
    const copies = cloud
      .commands()
      .filter(({ parameters }) => parameters.verb?.[0] === 'replicate' && parameters.source?.[0] === `prod/${bucket}`);
    const applications = await Promise.all(
      copies.map(({ parameters }) => yarn.applications(parameters.operation?.[0] ?? '')),
    );
    return { point, copies, applications: applications.flat() };
  };
  const hostOf = ({ invocations }: Command): Host | undefined => invocations[0]?.host;

  it('the other host finds its application, and seals what it copied', async (test) => {
    const { point, copies, applications } = await backUp(DEAD, test, async (scene, copy) => {
      hostOf(copy.command)?.crash();
      await scene.killAll(copy);
    });
    expect(new Set(copies.map((it) => hostOf(it)?.definition.id)).size).toBe(2);
    expect(applications).toMatchObject([{ finalStatus: 'SUCCEEDED' }]);
    expect(point).toMatchObject({ mode: 'bootstrap', bytesCopied: FILES * LARGE });
    for (const it of copies) hostOf(it)?.connect();
  });

  it('the host is only cut off, and seals what it copied itself: that is found, and nothing is copied twice', async (test) => {
    const { applications } = await backUp(CUT_OFF, test, async (_, copy) => hostOf(copy.command)?.disconnect());
    expect(applications.map(({ finalStatus }) => finalStatus)).toEqual(applications.map(() => 'SUCCEEDED'));
    const points = await stage.deployment.points(CUT_OFF);
    expect(points.reduce((sum, { bytesCopied }) => sum + (bytesCopied ?? 0), 0)).toBeLessThanOrEqual(FILES * LARGE);
  });
});
