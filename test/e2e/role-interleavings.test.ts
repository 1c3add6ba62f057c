import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RoleTelling, roleStories } from './role-interleavings.ts';

/** `INTERLEAVINGS=n` for more; a failure names its seed and path: `INTERLEAVING_SEED` and `INTERLEAVING_PATH` replay it. */
const numRuns = Number(process.env.INTERLEAVINGS ?? 100);
const seed = Number(process.env.INTERLEAVING_SEED ?? 20_261_122);
const path = process.env.INTERLEAVING_PATH ?? '';
const limit = Number(process.env.INTERLEAVING_MS ?? 600_000);

describe('random interleavings of backups, prunes, failovers and failbacks, crashes and partitions', () => {
  it(
    'never have two writers, lose no verified point and nothing that people wrote, and converge',
    async () => {
      const ends = new Map<string, number>();
      const begun = performance.now();
      await fc.assert(
        fc.asyncProperty(roleStories, async (story) => {
          const telling = new RoleTelling();
          await telling.tell(story);
          for (const [end, count] of telling.ends) ends.set(end, (ends.get(end) ?? 0) + count);
        }),
        {
          numRuns,
          seed,
          path,
          endOnFailure: path !== '' || process.env.INTERLEAVING_SHRINK === '0',
          interruptAfterTimeLimit: limit,
          markInterruptAsFailure: true,
        },
      );
      const rate = Math.round((numRuns * 1000) / (performance.now() - begun));
      console.log(`${numRuns} interleavings of roles, ${rate} per second: ${JSON.stringify(Object.fromEntries(ends))}`);
      if (path !== '') return;
      for (const end of [
        'unplanned failed-over',
        'planned failed-over',
        'prepare failback-prepared',
        'switch failed-over',
        'back verified',
        'written to the old primary',
        'backup NotPrimary',
        'stopped',
        'redriven',
        'converged',
      ])
        expect(ends.get(end), end).toBeGreaterThan(0);
    },
    limit + 30_000,
  );
});
