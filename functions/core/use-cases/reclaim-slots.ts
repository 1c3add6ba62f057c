import { isLook, RunId, splitRunId } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import type { EpochMs } from '../domain/units.ts';
import { resourcesOf } from '../planner/admission.ts';
import type { Ledger } from '../ports.ts';

export interface ReclaimDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Pick<Ledger, 'loadSlots' | 'releaseSlots' | 'loadPair'>;
}

/**
 * Gives back what runs have that are over, or lost their lease, before its time is. Whoever works holds a lease.
 * @returns how many places it were
 */
export const reclaimSlots = async ({ policies, ledger }: ReclaimDependencies, now: EpochMs): Promise<number> => {
  const over = new Map<RunId, boolean>();
  let reclaimed = 0;
  for (const resource of resourcesOf(policies)) {
    const { holders } = await ledger.loadSlots(resource);
    for (const name of Object.keys(holders)) {
      const holder = RunId.parse(name);
      const isOver = over.get(holder) ?? (await isRunOver(ledger, holder, now));
      over.set(holder, isOver);
      if (!isOver) continue;
      await ledger.releaseSlots(resource, holder);
      reclaimed += 1;
    }
  }
  return reclaimed;
};

/** A look has no lease: what it leaves is free at its time. */
const isRunOver = async (ledger: ReclaimDependencies['ledger'], run: RunId, now: EpochMs): Promise<boolean> => {
  const { pair } = splitRunId(run);
  if (isLook(pair)) return false;
  const { lease } = await ledger.loadPair(pair);
  return lease?.runId !== run || lease.expires <= now;
};
