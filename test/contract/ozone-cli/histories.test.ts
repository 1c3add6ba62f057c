import { describe, expect, it } from 'vitest';
import { simulateInMemory } from '../../ozone-simulator/simulator.ts';
import { live, randomHistory, seeds } from './history.ts';
import { memoryDriver } from './simulator-drivers.ts';

/** `OZONE_HISTORIES=200 npx vitest run --project contract test/contract/ozone-cli/histories.test.ts` for many. */
describe('random histories on the simulator', () => {
  it.each(seeds(Array.from({ length: 25 }, (_, index) => index + 1)))(
    'seed %i: after each slot the replica is what the source froze',
    async (seed) => {
      const simulated = simulateInMemory();
      for (const service of simulated.services) simulated.createBucket(`ofs://${service}/vol/bkt`);
      const history = randomHistory(seed, 4, 12);
      expect(history.flat().length).toBeGreaterThanOrEqual(30);
      const outcomes = await live(memoryDriver(simulated), 'vol', 'bkt', history);
      for (const [slot, outcome] of outcomes.entries())
        expect(outcome.replica).toEqual(simulated.tree(`ofs://prod/vol/bkt/.snapshot/s-${slot}`));
    },
  );
});
