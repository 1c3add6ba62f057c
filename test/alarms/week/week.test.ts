import { describe, expect, it } from 'vitest';
import { openWorld } from '../world.ts';

const DAY = 24 * 60;

/** Both weeks of the year in which the clock of Berlin is changed, in the night of a Saturday. */
describe.each([
  ['the week of the long night', '2026-10-22T10:00:00Z'],
  ['the week of the short night', '2026-03-26T10:00:00Z'],
])('%s', (_week, from) => {
  it('passes without any alarm, with a backup, a prune and a drill in every night', async () => {
    const world = await openWorld(new Date(from), 'Europe/Berlin');
    try {
      await world.minutes(7 * DAY);
      expect(world.told()).toEqual([]);
      expect(world.raised()).toEqual([]);
      // The night in which two o'clock is skipped has no slot.
      const backups = world.cloud.executions('ozone-dr-backup').map(({ status }) => status);
      expect(backups.length).toBeGreaterThanOrEqual(6);
      expect(new Set(backups)).toEqual(new Set(['SUCCEEDED']));
    } finally {
      await world.close();
    }
  });
});

it('a week with one retry that is tolerated passes without any alarm', async () => {
  const world = await openWorld(new Date('2026-11-20T10:00:00Z'));
  try {
    await world.minutes(2 * DAY);
    world.cloud.faults.add({ on: 'function', function: 'ozone-dr-decide-backup', fault: 'throttled', times: 1 });
    await world.minutes(5 * DAY);
    expect(world.cloud.faults.strikes.length).toBe(1);
    expect(world.told()).toEqual([]);
  } finally {
    await world.close();
  }
});
