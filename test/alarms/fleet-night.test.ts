import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, openFleet } from '../bench/fleet.ts';

/** What `npm run bench -- --only fleet` does with ten thousand. */
const BUCKETS = 30;
const CHANGED = 3;

describe('nights of a fleet on several hosts', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await openFleet(
      { buckets: BUCKETS, hostsPerSide: 2, changedOneIn: BUCKETS / CHANGED, slowOneIn: Number.POSITIVE_INFINITY },
      () => {},
    );
  });
  afterAll(() => fleet?.close());

  const whole = { verified: BUCKETS, differing: 0, overlapping: 0 };

  it('has a verified point of every bucket within the objective, and only what changed in an execution of its own', async () => {
    const night = await fleet.slot();
    expect(night).toMatchObject({ status: 'SUCCEEDED', alone: CHANGED, ...whole });
    expect(night.lateness).toBeLessThan(1);
    expect(night.usd).toBeGreaterThan(0);
  });

  it('has lost nothing after the replica was away for two hours, and all of it in the next slot', async () => {
    // What was begun before it was lost is finished alone; the rest waits and fails as batches.
    const lost = await fleet.slot(fleet.loseCluster);
    expect(lost).toMatchObject({ status: 'FAILED', differing: 0 });
    expect(lost.alone).toBeLessThanOrEqual(CHANGED);
    const after = await fleet.slot();
    expect(after).toMatchObject({ status: 'SUCCEEDED', ...whole });
    // Those that changed before the one or the other.
    expect(after.alone).toBeLessThanOrEqual(2 * CHANGED);
  });

  it.each([
    ['before its first command', 0],
    ['in the middle of it', 60],
  ])('loses no bucket in a slot in which a host of the replica goes away %s', async (_, seconds) => {
    const night = await fleet.slot(() => fleet.loseHost(seconds));
    expect(night).toMatchObject({ status: 'SUCCEEDED', ...whole });
    expect(night.lateness).toBeLessThan(1);
  });
});
