import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createSimulator,
  type OzoneSimulator,
  type SimulatedOzone,
  simulateInMemory,
} from '../../ozone-simulator/simulator.ts';
import { bucketCommands, bucketOf, scenarios } from './scenarios.ts';
import { memoryDriver, processDriver } from './simulator-drivers.ts';
import { Stage } from './stage.ts';

const rows = scenarios.map((scenario, index) => [scenario.name, scenario, index] as const);

const withBuckets = (simulated: SimulatedOzone): SimulatedOzone => {
  for (const service of simulated.services) {
    simulated.run('ozone', ['sh', ...bucketCommands(service, 'vol').flatMap((command) => ['--execute', command])]);
    simulated.createBucket(`ofs://${service}/ready/ready`);
  }
  return simulated;
};

describe('the simulated command line of Ozone', () => {
  const driver = memoryDriver(withBuckets(simulateInMemory()));

  it.each(rows)('%s', (_name, scenario, index) => scenario.play(new Stage(driver, 'vol', bucketOf(index))));

  it('is held to at least 60 scenarios, each with a name of its own', () => {
    expect(new Set(scenarios.map((scenario) => scenario.name)).size).toBe(scenarios.length);
    expect(scenarios.length).toBeGreaterThanOrEqual(60);
  });
});

describe.concurrent('the same through its executables', () => {
  let directory: string;
  let simulator: OzoneSimulator;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ozone-simulator-'));
    simulator = await createSimulator({ directory });
    withBuckets(simulator.inProcess);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  const some = rows.filter(([name, , index]) => index % 9 === 0 || /at once|behind the paths|batch/.test(name));
  it.each(some)('%s', (_name, scenario, index) =>
    scenario.play(new Stage(processDriver(simulator), 'vol', bucketOf(index))),
  );
});
