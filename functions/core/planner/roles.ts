import type { Side } from '../domain/retention.ts';
import type { Role } from '../domain/roles.ts';

/** Whom people write to. */
export const primaryOf = (role: Role | null): Side => role?.primary ?? 'source';

/** From the first move until people write to the source again: no backup of the pair is made. */
export const isFailedOver = (role: Role | null): role is Role =>
  role !== null && (role.primary === 'replica' || role.state === 'moving');

/**
 * Why a run that takes its data from `side` of the pair, or deletes points of it, may not go on; undefined when it may.
 * The roles are of the ledger: a cluster that came back and knows nothing of them is refused here, and its commands by
 * the fencing token of whoever has moved them.
 */
export const notPrimary = (
  role: Role | null,
  side: Side,
  { bucket, primary, other }: { readonly bucket: string; readonly primary: string; readonly other: string },
): string | undefined => {
  if (role?.state === 'moving')
    return `${bucket} is being failed over by ${role.by} since ${new Date(role.since).toISOString()}: start that failover again until it succeeds`;
  if (primaryOf(role) === side) return undefined;
  return role
    ? `${bucket} was failed over to ${other} at ${new Date(role.since).toISOString()} (${role.by}): ${primary} is not its primary until a failback`
    : `${bucket} was never failed over: ${other} is its primary`;
};
