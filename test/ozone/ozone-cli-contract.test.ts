import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Driver } from '../contract/ozone-cli/driver.ts';
import { live, randomHistory, seeds } from '../contract/ozone-cli/history.ts';
import { bucketCommands, bucketOf, scenarios } from '../contract/ozone-cli/scenarios.ts';
import { memoryDriver, start } from '../contract/ozone-cli/simulator-drivers.ts';
import { Stage } from '../contract/ozone-cli/stage.ts';
import type { OzoneClusters } from '../ozone-cluster/ozone-clusters.ts';
import { sharedClusters } from '../ozone-cluster/shared.ts';
import { simulateInMemory } from '../ozone-simulator/simulator.ts';

let clusters: OzoneClusters;
let directory: string;

/** Each takes seconds here: `OZONE_SAMPLE=5` plays every fifth, for runs that must be short. */
const sample = scenarios
  .map((scenario, index) => [scenario.name, scenario, index] as const)
  .filter(([, , index]) => index % Number(process.env.OZONE_SAMPLE ?? 1) === 0);

const driver = (): Driver => {
  const run: Driver['run'] = ([program = '', ...argv], cwd = directory) =>
    start(join(clusters.bin, program), argv, cwd);
  return {
    run,
    prepare: (argv) => run(argv),
    change: (url, changes) => clusters.change(url, changes),
    tree: (url) => clusters.tree(url),
    folder: () => mkdtemp(join(directory, 'host-')),
  };
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ozone-cli-'));
  clusters = await sharedClusters();
  await Promise.all(
    clusters.services.map((service) =>
      clusters.ozone('sh', ...bucketCommands(service, 'vol').flatMap((command) => ['--execute', command])),
    ),
  );
});

afterAll(() => rm(directory, { recursive: true, force: true }));

describe.concurrent('the command line of Ozone is what the simulator takes it for', () => {
  it.each(sample)('%s', async (_name, scenario, index) => {
    await scenario.play(new Stage(driver(), 'vol', bucketOf(index)));
  });
});

describe.concurrent('random histories on Ozone', () => {
  // By default one in which an increment fails with 25, and one in which it ends with 0 and forgets a file.
  it.each(seeds([14, 164]))(
    'seed %i: each increment ends as on the simulator, each replica is the same path by path',
    async (seed) => {
      const history = randomHistory(seed, 3, 12);
      const simulated = simulateInMemory();
      const bucket = `history-${seed}`;
      const urls = clusters.services.map((service) => `ofs://${service}/vol/${bucket}`);
      for (const url of urls) simulated.createBucket(url);
      await Promise.all(urls.map((url) => clusters.createBucket(url)));
      expect(await live(driver(), 'vol', bucket, history)).toEqual(
        await live(memoryDriver(simulated), 'vol', bucket, history),
      );
    },
  );
});

it('the clusters answer to the end', async () => {
  expect(await clusters.ozone('sh', 'bucket', 'info', 'o3://dr/ready/ready')).toContain('"bucketLayout"');
});
