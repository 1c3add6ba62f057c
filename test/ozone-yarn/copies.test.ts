import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { expectNewestEqual } from '../fixtures/newest-point.ts';
import { signal } from '../ozone/crash-processes.ts';
import { type Operation, openStage, type Scene, type Stage } from '../ozone/crash-stage.ts';
import type { Change } from '../ozone-cluster/ozone-clusters.ts';
import { sharedYarn } from '../ozone-cluster/shared-yarn.ts';
import type { Application, Yarn } from '../ozone-cluster/yarn.ts';

const buckets = ['client', 'unsubmitted', 'script', 'person', 'first', 'second', 'away'].map((it) => `copied/${it}`);
const QUEUELESS = 'copied/queueless';

const put = (path: string, size: number, seed: number): Change => ({ op: 'put', path, size, seed });
const FILES = 3;
const LARGE = 6_000_000;
/** A file takes six seconds. */
const LOOK_MS = 200;
/** At a megabyte a second for a third of a minute; between any two of these a copy can be met in the middle. */
const large = (prefix: string): readonly Change[] =>
  Array.from({ length: FILES }, (_, i) => put(`${prefix}-${i}`, LARGE, prefix.length + i));
const content: readonly Change[] = [...large('first'), put('Größe, klein', 70, 7), { op: 'mkdir', path: 'empty' }];
/** Of distcp, on the host. */
const CLIENT = /\.tools\.DistCp/;
const BYTES = FILES * LARGE + 70;

describe('copies on a real YARN', () => {
  let yarn: Yarn;
  let stage: Stage;

  beforeAll(async () => {
    const shared = await sharedYarn();
    yarn = shared.yarn;
    stage = await openStage(
      new Map([...buckets.map((it) => [it, 'yarn'] as const), [QUEUELESS, 'queueless'] as const]),
      { clusters: shared.clusters, hostConfig: { yarn_rm: yarn.rm, yarn_history: yarn.history } },
    );
    const ofEach = [...buckets, QUEUELESS].flatMap((bucket) =>
      content.map((it): Change => ({ ...it, path: `${bucket}/${it.path}` })),
    );
    await shared.clusters.change('ofs://prod', ofEach);
  });
  afterAll(() => stage?.close());

  /** A bucket's slots go on from test to test. */
  const scenes = new Map<string, Scene>();
  const sceneOf = (bucket: string, { onTestFailed }: TestContext): Scene => {
    const scene = scenes.get(bucket) ?? stage.scene(`copied/${bucket}`, bucket === 'queueless' ? 'queueless' : 'yarn');
    scenes.set(bucket, scene);
    onTestFailed(() => console.log(scene.story.join('\n')));
    return scene;
  };
  const copies = ({ bucket }: Scene): readonly string[] =>
    stage.deployment.cloud
      .commands()
      .filter(({ parameters }) => parameters.verb?.[0] === 'replicate' && parameters.source?.[0] === `prod/${bucket}`)
      .flatMap(({ parameters }) => parameters.operation ?? []);
  /** All applications that copies of this bucket ever had, the oldest first. */
  const applications = async (scene: Scene): Promise<readonly Application[]> => {
    const found = new Map<string, Application>();
    for (const copy of copies(scene)) for (const it of await yarn.applications(copy)) found.set(it.id, it);
    return [...found.values()].sort((a, b) => a.startedTime - b.startedTime);
  };
  const applicationOf = ({ id }: Operation): Promise<Application | undefined> =>
    yarn.applications(id).then((found) => found.at(-1));

  const processesOf = (scene: Scene, { id }: Operation) =>
    scene.processes().filter(({ operation }) => operation === id);

  /** The copy's application has one of its files on the replica, and not all. */
  const met = async (scene: Scene, prefix: string): Promise<Operation> => {
    const copy = await scene.operation('replicate');
    await scene.until('an application', () => applicationOf(copy), LOOK_MS);
    await scene.clusters.appears(scene.replica, `${prefix}-`, 1, LOOK_MS);
    expect(await applicationOf(copy)).toMatchObject({
      state: 'RUNNING',
      name: `distcp: ozone-dr:${copy.id}`,
      queue: 'root.backup',
    });
    return copy;
  };
  /** The newest point is on both sides and live, by a comparison that is none of the product's, and nothing of a copy is at work. */
  const expectConverged = async (scene: Scene): Promise<void> => {
    expect(scene.isVerified(), JSON.stringify(scene.told)).toBe(true);
    const { entries } = await expectNewestEqual(stage.deployment, scene.clusters, scene.bucket);
    expect(entries).toBeGreaterThan(FILES);
    await scene.nothingRuns();
  };
  /** One application did all of it, and its bytes are those of the point. */
  const expectNothingRepeated = async (scene: Scene, bytes: number, mode: string): Promise<void> => {
    const all = await applications(scene);
    expect(all.map(({ finalStatus }) => finalStatus)).toEqual(Array(all.length).fill('SUCCEEDED'));
    expect(new Set(scene.told.at(-1)?.modes)).toEqual(new Set([mode]));
    const [point] = await stage.deployment.points(scene.bucket);
    expect(point).toMatchObject({ mode, bytesCopied: bytes });
  };
  const converged = async (scene: Scene, mostFurther: number): Promise<void> => {
    for (let further = 0; !scene.isVerified() && further < mostFurther; further += 1) await scene.run();
    await expectConverged(scene);
  };

  it.concurrent('the client is killed when its application is there: what that copies is sealed, none of it twice', async (test) => {
    const scene = sceneOf('client', test);
    await scene.runBeside(async () => {
      const copy = await scene.operation('replicate');
      await scene.process(copy, CLIENT);
      await scene.until('an application', () => applicationOf(copy), LOOK_MS);
      // It may have ended by itself: it waits for nothing but the submission.
      for (const { pid, command } of processesOf(scene, copy)) if (CLIENT.test(command)) signal(pid, 'SIGKILL');
      await scene.clusters.appears(scene.replica, 'first-', 1, LOOK_MS);
      expect(await applicationOf(copy)).toMatchObject({ state: 'RUNNING' });
      expect(processesOf(scene, copy).filter(({ command }) => CLIENT.test(command))).toEqual([]);
    });
    await converged(scene, 1);
    expect(await applications(scene)).toHaveLength(1);
    await expectNothingRepeated(scene, BYTES, 'bootstrap');
  });

  it.concurrent('the client is killed before it has submitted: the next one copies, and nothing was copied before', async (test) => {
    const scene = sceneOf('unsubmitted', test);
    await scene.runBeside(async () => {
      const copy = await scene.operation('replicate');
      signal((await scene.process(copy, CLIENT)).pid, 'SIGKILL');
    });
    await converged(scene, 1);
    expect((await applications(scene)).map(({ finalStatus }) => finalStatus)).toEqual(['SUCCEEDED']);
  });

  it.concurrent('the script is killed too, in mid-copy: what its application copies is sealed, none of it twice', async (test) => {
    const scene = sceneOf('script', test);
    await scene.runBeside(async () => {
      const copy = await met(scene, 'first');
      await scene.killAll(copy);
      expect(await applicationOf(copy)).toMatchObject({ state: 'RUNNING' });
    });
    await converged(scene, 1);
    expect(await applications(scene)).toHaveLength(1);
    await expectNothingRepeated(scene, BYTES, 'bootstrap');
  });

  it.concurrent('a person kills the application: the next one copies what is missing', async (test) => {
    const scene = sceneOf('person', test);
    await scene.runBeside(async () => {
      const copy = await met(scene, 'first');
      await yarn.killApplication((await applicationOf(copy))?.id ?? '');
    });
    await converged(scene, 1);
    const all = await applications(scene);
    expect(all.map(({ finalStatus }) => finalStatus)).toEqual(['KILLED', 'SUCCEEDED']);
    const [point] = await stage.deployment.points(scene.bucket);
    expect(point?.bytesCopied).toBeGreaterThan(0);
    expect(point?.bytesCopied).toBeLessThanOrEqual(BYTES - LARGE);
  });

  it.concurrent('a queue that is not there: refused before anything is changed', async (test) => {
    const scene = sceneOf('queueless', test);
    await scene.run();
    expect(scene.told.at(-1)).toMatchObject({ end: 'EdgeRefused' });
    expect(scene.story.join('\n')).toContain('queue-missing');
    expect((await scene.clusters.tree(scene.replica)).size).toBe(0);
    expect(await applications(scene)).toEqual([]);
  });

  it('two buckets at once, and the resource manager is killed: both copies are sealed, and one that begins without it is refused before anything is changed', async (test) => {
    const [one, other, away] = [sceneOf('first', test), sceneOf('second', test), sceneOf('away', test)];
    const strike = async () => {
      await Promise.all([met(one, 'first'), met(other, 'first')]);
      await yarn.kill('rm');
      await away.runBeside(async () => {
        try {
          await away.ended(await away.operation('replicate'));
          expect((await away.clusters.tree(away.replica)).size).toBe(0);
        } finally {
          await yarn.restart('rm');
        }
      });
    };
    await Promise.all([other.run(), one.runBeside(strike)]);
    for (const scene of [one, other]) {
      await converged(scene, 1);
      expect(await applications(scene)).toHaveLength(1);
      await expectNothingRepeated(scene, BYTES, 'bootstrap');
    }
    expect(away.story.join('\n')).toContain('yarn-unreachable');
    await converged(away, 1);
  });

  it('an increment, and the node manager is killed for ten seconds: the same application ends it', async (test) => {
    const scene = sceneOf('first', test);
    await scene.clusters.change(scene.source, [
      ...large('more'),
      { op: 'mv', path: 'first-0', to: 'moved' },
      { op: 'rm', path: 'first-1' },
    ]);
    await scene.runBeside(async () => {
      await met(scene, 'more');
      await yarn.kill('nm');
      await sleep(10_000);
      await yarn.restart('nm');
    });
    await converged(scene, 0);
    expect(await applications(scene)).toHaveLength(2);
    await expectNothingRepeated(scene, FILES * LARGE, 'incremental');
  });
});
