import { describe, expect, it } from 'vitest';
import { inProcess, type Lived, live, randomHistory, seedsOf } from './random-histories.ts';

const seeds = seedsOf(200);

describe('random histories in this process', () => {
  const lived: Lived[] = [];

  it.each(seeds)('HISTORY_SEED=%i: after each slot the replica is what the source froze', async (seed) => {
    const history = randomHistory(seed);
    expect(history.slots.flatMap((it) => it.source).length).toBeGreaterThanOrEqual(30);
    // Every third bucket counts as a large one, whose resyncs look only where something changed.
    const limits = seed % 3 === 0 ? { narrowAbove: 3 } : {};
    lived.push(await live(inProcess(history, Infinity, limits), history));
  });

  it.runIf(seeds.length > 1)('among them are all the ways in which an increment goes wrong', () => {
    const sum = (count: (one: Lived) => number) => lived.reduce((all, one) => all + count(one), 0);
    const counts = {
      slots: sum((it) => it.decisions.length),
      failedIncrements: sum((it) => it.failedIncrements),
      wrongIncrements: sum((it) => it.wrongIncrements),
      strangers: sum((it) => it.strangers),
      narrowed: sum((it) => it.decisions.filter((slot) => slot.includes('mark-replica')).length),
    };
    console.log(JSON.stringify(counts));
    expect(lived).toHaveLength(seeds.length);
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(0);
  });
});
