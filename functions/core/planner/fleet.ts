import { MOST_IN_BATCH } from '../domain/batch.ts';
import { covers } from '../domain/buckets.ts';
import type { FleetItem, FleetRun, Work } from '../domain/fleet.ts';
import { pairId } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import type { EpochMs } from '../domain/units.ts';
import { mayBatch } from './batch.ts';
import { firstOf } from './choose-host.ts';

/**
 * The due list of a slot. Backups that may go together do, those next to each other that work on the same hosts: a batch sends one command to
 * each host for each kind of step. The buckets of a group are one batch. Hosts take turns in the list, which is begun in its order: else all batches at work
 * would crowd on one host while the others have nothing to do. What comes early in `runs` is begun early, as far as its hosts' turns allow.
 */
export const itemsOf = (
  policy: Policy,
  { work, slot }: { readonly work: Work; readonly slot: EpochMs },
  runs: readonly FleetRun[],
): readonly FleetItem[] => {
  if (work === 'backup' && policy.fleet.together) {
    const alone = { ...policy, fleet: { ...policy.fleet, together: false } };
    // Those that were taken out of the policy and cool off are not of the group: it has room for all that are.
    const parts = [true, false].map((isOf) => runs.filter(({ bucket }) => covers(policy, bucket) === isOf));
    return parts.flatMap((part) => itemsOf(alone, { work, slot }, part));
  }
  const isTogether = work === 'backup' && mayBatch(policy) && runs.length > 1;
  const size = isTogether ? MOST_IN_BATCH : 1;
  const sorted = isTogether ? byHost(policy, runs) : runs;
  const items = Array.from({ length: Math.ceil(sorted.length / size) }, (_, n) => {
    const some = sorted.slice(n * size, (n + 1) * size);
    const [first] = some;
    return {
      work,
      policy: policy.name,
      slot: new Date(slot).toISOString().replace('.000Z', 'Z'),
      runs: some,
      batch: first && some.length > 1 ? `batch-${first.name}` : null,
    };
  });
  if (!isTogether) return items;
  const placeOf = new Map(runs.map(({ name }, n) => [name, n] as const));
  const firstPlace = (item: FleetItem): number => Math.min(...item.runs.map(({ name }) => placeOf.get(name) ?? 0));
  return inTurns(items, policy.source.hosts.length * (policy.replica?.hosts.length ?? 1), firstPlace);
};

/** One of each of so many equal parts of a list, then the next of each; each part by rank. */
const inTurns = <T>(all: readonly T[], parts: number, rank: (item: T) => number): readonly T[] => {
  const length = Math.ceil(all.length / parts);
  const ranked = Array.from({ length: parts }, (_, n) =>
    all.slice(n * length, (n + 1) * length).toSorted((one, other) => rank(one) - rank(other)),
  );
  return Array.from({ length }, (_, n) => ranked.flatMap((part) => part.slice(n, n + 1))).flat();
};

const byHost = ({ source, replica }: Policy, runs: readonly FleetRun[]): readonly FleetRun[] => {
  const places = new Map(
    runs.map(({ bucket }) => {
      const pair = pairId(source.name, bucket, replica?.name ?? null);
      const ofReplica = replica ? firstOf(pair, replica.hosts.length) : 0;
      return [bucket, ofReplica * source.hosts.length + firstOf(pair, source.hosts.length)] as const;
    }),
  );
  return runs.toSorted((one, other) => (places.get(one.bucket) ?? 0) - (places.get(other.bucket) ?? 0));
};

/** What a host can be kept busy with while others of it wait for a cluster. */
const PER_HOST = 10;
const MOST = 500;

/** Items at a time: places on hosts and clusters are given out by the runs themselves, this only keeps them from crowding. */
export const concurrencyOf = ({ source, replica }: Pick<Policy, 'source' | 'replica'>): number =>
  Math.min(MOST, PER_HOST * new Set([...source.hosts, ...(replica?.hosts ?? [])]).size);
