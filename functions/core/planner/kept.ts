import type { KeptSnapshots, SeenSide } from '../domain/edge-reply.ts';
import { snapshotName } from '../domain/names.ts';
import type { RunHistory } from './history.ts';
import { TEMPORARY } from './leaks.ts';

/** Of the snapshots of a bucket, which may be many, those that a decision of this run can turn on. */
export const keptOf = ({ run, pair, points }: RunHistory): KeptSnapshots => ({
  names: [...new Set([...points, pair.base, pair.previousBase].flatMap((it) => it?.name ?? []))],
  prefix: snapshotName(run.policy.name, run.slot, 1).slice(0, -1),
});

/** One side with those snapshots alone, and those that were made for a moment. */
export const bounded = (side: SeenSide, { names, prefix }: KeptSnapshots): SeenSide => {
  if (side.state !== 'read') return { ...side, message: side.message.slice(0, 500) };
  const known = new Set<string>(names);
  return {
    ...side,
    snapshots: side.snapshots.filter(({ name }) => known.has(name) || name.startsWith(prefix) || TEMPORARY.test(name)),
  };
};
