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

it('a snapshot says after a while what only it holds', () => {
  const simulated = simulateInMemory();
  const url = 'ofs://prod/vol/bkt';
  simulated.createBucket(url);
  const ozone = (...argv: readonly string[]): string => simulated.run('ozone', ['sh', 'snapshot', ...argv]).stdout;
  const put = (path: string, size: number) => simulated.change(url, [{ op: 'put', path, size, seed: size }]);
  const sizes = (now: number): readonly number[] => {
    simulated.setClock({ now, skewMs: {} });
    const listed: readonly { readonly exclusiveSize: number }[] = JSON.parse(
      ozone('list', '--all', 'o3://prod/vol/bkt'),
    );
    return listed.map((it) => it.exclusiveSize);
  };
  const snapshot = (name: string, at: number) => {
    simulated.setClock({ now: at, skewMs: {} });
    ozone('create', 'o3://prod/vol/bkt', name);
  };
  put('stays', 1000);
  put('overwritten', 100);
  put('of both', 10);
  snapshot('s-1', 0);
  put('overwritten', 200);
  put('only here', 20);
  snapshot('s-2', 1000);
  simulated.change(url, [
    { op: 'rm', path: 'only here' },
    { op: 'rm', path: 'of both' },
    { op: 'mv', path: 'stays', to: 'moved' },
  ]);
  snapshot('s-3', 2000);
  simulated.change(url, [{ op: 'rm', path: 'moved' }]);
  expect(sizes(100_000)).toEqual([0, 0, 0]);
  expect(sizes(400_000)).toEqual([100, 20, 0]);
  ozone('delete', 'o3://prod/vol/bkt', 's-2');
  expect(sizes(500_000)).toEqual([110, 0]);
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
