import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type OzoneSimulator } from '../ozone-simulator/simulator.ts';
import { type DeployedBuckets, deployBuckets } from './random-histories.deployed.ts';
import { inProcess, live, randomHistory, seedsOf } from './random-histories.ts';

/** Two sweeps: enough for the cleaner of removed directories, and no day of them. */
const LONGEST_QUIET_MS = 120_000;
/** One with every way to go wrong, one that is found wrong by the comparison, one with a LEGACY bucket. */
const seeds = process.env.HISTORY_SEED === undefined ? [71, 89, 25] : seedsOf(1);

describe('a sample of the random histories through the real script and the real state machine', () => {
  let clusters: OzoneSimulator;
  let deployed: DeployedBuckets;

  beforeAll(async () => {
    const from = new Date(Date.UTC(2030, 0, 1, 3));
    clusters = await createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-histories-')) });
    const setTime = (at: number) => clusters.inProcess.setClock({ now: at, skewMs: {} });
    setTime(from.getTime());
    deployed = await deployBuckets(clusters, seeds.map(randomHistory), {
      clock: { virtualFrom: from },
      duration: () => 2,
      onEvent: (event) => {
        if (event.kind === 'command' && event.status === 'InProgress') setTime(event.at);
      },
      quiet: async (cloud, ms) => {
        await cloud.advanceTo(new Date(cloud.clock.now() + Math.min(ms, LONGEST_QUIET_MS)));
        setTime(cloud.clock.now());
      },
    });
  });
  afterAll(async () => {
    await deployed?.close();
    await clusters?.stop();
  });

  it.each(seeds)('HISTORY_SEED=%i: decides step by step what was decided in this process', async (seed) => {
    const history = randomHistory(seed);
    const real = await live(deployed.world(history), history);
    expect(real).toEqual(await live(inProcess(history, LONGEST_QUIET_MS), history));
  });
});
