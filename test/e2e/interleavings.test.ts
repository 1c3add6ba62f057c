import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stories, Telling } from './interleavings.ts';

/** `INTERLEAVINGS=n` for more; a failure names its seed and path: `INTERLEAVING_SEED` and `INTERLEAVING_PATH` replay it. */
const numRuns = Number(process.env.INTERLEAVINGS ?? 200);
const seed = Number(process.env.INTERLEAVING_SEED ?? 20_261_121);
const path = process.env.INTERLEAVING_PATH ?? '';
const limit = Number(process.env.INTERLEAVING_MS ?? 600_000);

describe('random interleavings of runs, crashes, doubled deliveries, foreign writes and clock jumps', () => {
  it(
    'keep every promise at every moment, and converge within two further runs',
    async () => {
      const ends = new Map<string, number>();
      const begun = performance.now();
      await fc.assert(
        fc.asyncProperty(stories, async (story) => {
          const telling = new Telling(story.mode);
          await telling.tell(story);
          for (const [end, count] of telling.ends) ends.set(end, (ends.get(end) ?? 0) + count);
        }),
        {
          numRuns,
          seed,
          path,
          endOnFailure: path !== '',
          interruptAfterTimeLimit: limit,
          markInterruptAsFailure: true,
        },
      );
      const rate = Math.round((numRuns * 1000) / (performance.now() - begun));
      console.log(`${numRuns} interleavings, ${rate} per second: ${JSON.stringify(Object.fromEntries(ends))}`);
      if (path !== '') return;
      for (const end of [
        'succeeded',
        'stopped',
        'LeaseLost',
        'converged in 1',
        'left to a person',
        'deleted',
        'spared',
        'restored',
        'drilled',
        'drills converged',
      ])
        expect(ends.get(end), end).toBeGreaterThan(0);
    },
    limit + 30_000,
  );
});
