import type { FleetItem, FleetRun, Work } from '../domain/fleet.ts';
import type { Policy } from '../domain/policy.ts';
import type { EpochMs } from '../domain/units.ts';

/** Runs of one item. */
const TOGETHER = 1;

/** The due list of a slot. */
export const itemsOf = (
  { policy, work, slot }: { readonly policy: string; readonly work: Work; readonly slot: EpochMs },
  runs: readonly FleetRun[],
): readonly FleetItem[] =>
  Array.from({ length: Math.ceil(runs.length / TOGETHER) }, (_, n) => ({
    work,
    policy,
    slot: new Date(slot).toISOString().replace('.000Z', 'Z'),
    runs: runs.slice(n * TOGETHER, (n + 1) * TOGETHER),
  }));

/** What a host can be kept busy with while others of it wait for a cluster. */
const PER_HOST = 10;
const MOST = 500;

/** Items at a time: places on hosts and clusters are given out by the runs themselves, this only keeps them from crowding. */
export const concurrencyOf = ({ source, replica }: Pick<Policy, 'source' | 'replica'>): number =>
  Math.min(MOST, PER_HOST * new Set([...source.hosts, ...(replica?.hosts ?? [])]).size);
