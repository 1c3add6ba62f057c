import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DeployedBuckets, deployBuckets } from '../e2e/random-histories.deployed.ts';
import { inProcess, live, randomHistory, seedsOf } from '../e2e/random-histories.ts';
import { sharedClusters } from '../ozone-cluster/shared.ts';

/** Of the seeds that the simulator lives, those in which most goes wrong come first. `HISTORY_SEEDS` of them (2). */
const CHOSEN = [71, 25, 104, 46, 89, 198, 8, 196, 116, 121];
const seeds =
  process.env.HISTORY_SEED === undefined ? CHOSEN.slice(0, Number(process.env.HISTORY_SEEDS ?? 2)) : seedsOf(1);

describe.concurrent('random histories on real clusters, through the real script and the real state machine', () => {
  let deployed: DeployedBuckets;

  beforeAll(async () => {
    deployed = await deployBuckets(await sharedClusters(), seeds.map(randomHistory), {
      clock: 'real',
      quiet: async () => undefined,
    });
  });
  afterAll(async () => {
    await deployed?.close();
  });

  it.each(seeds)(
    'HISTORY_SEED=%i: after each slot the replica is what the source froze',
    async (seed) => {
      const history = randomHistory(seed);
      const begun = Date.now();
      const lived = await live(deployed.world(history), history);
      console.log(JSON.stringify({ seed, seconds: Math.round((Date.now() - begun) / 1000), ...lived }));
      const { failedIncrements, wrongIncrements, strangers } = await live(inProcess(history), history);
      expect(lived, 'what goes wrong here goes wrong on the simulator').toMatchObject({
        failedIncrements,
        wrongIncrements,
        strangers,
      });
    },
    1_800_000,
  );
});
