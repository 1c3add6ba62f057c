import type { Base } from '../domain/backup-step.ts';
import type { PairState } from '../domain/ledger.ts';
import { compactTime } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import type { Side } from '../domain/retention.ts';
import type { Role } from '../domain/roles.ts';

/** Whether people write to the replica, and the roles are not on their way. */
export const isSettledOnReplica = (role: Role | null): boolean =>
  role?.primary === 'replica' && role.state === 'settled';

/** Whom people write to. */
export const primaryOf = (role: Role | null): Side => role?.primary ?? 'source';

/**
 * Whether the newest points of a bucket may be those of the pair in the other direction: people write to the replica, or
 * to the source again and no backup of it has gone on from there yet.
 */
export const hasOtherDirection = ({ role, epoch }: Pick<PairState, 'role' | 'epoch'>): boolean =>
  role?.state === 'settled' && (role.primary === 'replica' || epoch !== role.epoch);

/** From the first move until people write to the source again: no backup of the pair is made. */
export const isFailedOver = (role: Role | null): role is Role =>
  role !== null && (role.primary === 'replica' || role.state === 'moving');

/**
 * The policy in the other direction, while its replica is the primary. What it deletes at the old primary was confirmed with
 * the report of the failback, and nothing of it is pruned: its points go over to the policy when the roles are back.
 */
export const exchanged = (policy: Policy): Policy => ({
  ...policy,
  source: policy.replica ?? policy.source,
  replica: policy.source,
  mode: 'incremental-or-resync',
  createReplica: true,
  brake: { percent: 100, atLeast: 999_999_999, atMost: null },
  retention: null,
});

/**
 * How data goes back. The first copy after a preparation overwrites what the preparation has kept apart; what somebody writes
 * to the old primary after it is in no bucket of orphans, so later ones refuse it.
 * @param base of the direction back
 */
export const modeBack = (role: Role | null, base: Base | null): Policy['mode'] => {
  const slot = /-([0-9]{8}t[0-9]{6}z)-[0-9]+$/.exec(base?.name ?? '')?.[1];
  return role?.prepared && slot !== undefined && slot >= compactTime(role.prepared.at)
    ? 'incremental'
    : 'incremental-or-resync';
};

/**
 * Why data may not go from one side to the other, or points of it be deleted; undefined when it may. The roles are those
 * of the ledger: a cluster that came back and knows nothing of them is refused here, and what it was told before they
 * moved by the fencing token of the run that moved them.
 * @param back from the replica to the source
 */
export const notPrimary = (
  role: Role | null,
  back: boolean,
  { bucket, policy }: { readonly bucket: string; readonly policy: Policy },
): string | undefined => {
  const [source, replica] = [policy.source.name, policy.replica?.name];
  if (role?.state === 'moving')
    return `the roles of ${bucket} are being moved by ${role.by} since ${new Date(role.since).toISOString()}: start that failover again until it succeeds`;
  const isSource = primaryOf(role) === 'source';
  if (isSource !== back) {
    return back && !role?.prepared
      ? `${replica} is the primary of ${bucket}, but what was written to ${source} is not kept apart yet: prepare a failback first`
      : undefined;
  }
  return back
    ? `${source} is the primary of ${bucket}: nothing is brought back to it`
    : `${bucket} was failed over to ${replica} at ${role ? new Date(role.since).toISOString() : ''}: ${source} is not its primary until a failback`;
};
