import type { BackupStep } from '../domain/backup-step.ts';
import type { Hold } from '../domain/ledger.ts';
import type { Policy } from '../domain/policy.ts';
import { pointNamed, type RunHistory } from './history.ts';
import { conflict } from './steps.ts';

/** Most deletes and renames that may follow into a replica that holds so many keys. */
export const mostRemovals = ({ percent, atLeast, atMost }: Policy['brake'], keys: number): number =>
  Math.min(atMost ?? Infinity, Math.max(atLeast, Math.floor((keys * percent) / 100)));

/**
 * What a copy is told to stop at. Nothing is held before there is a verified point to hold on to, nor once a person
 * has accepted the change: that holds until the next verified point.
 */
export const brakeOf = ({ run, pair, ...history }: RunHistory): number | null => {
  if (!pair.base || pair.hold?.accepted) return null;
  const verification = pointNamed({ run, pair, ...history }, pair.base.name)?.verification;
  return mostRemovals(run.policy.brake, verification ? verification.files + verification.dirs : 0);
};

const describe = ({ deletes, renames, complete, limit }: Hold): string =>
  `${complete ? '' : 'at least '}${deletes} deletes and ${renames} renames, ${limit} are allowed unasked`;

/** Whether a change waits for a person. */
export const heldBack = ({ run, pair }: RunHistory): BackupStep | undefined => {
  const { hold } = pair;
  if (!hold || hold.accepted) return undefined;
  const on = `${run.bucket} on ${run.policy.replica?.name}`;
  const safe = hold.base ? `the replica stays at ${hold.base}, which is pinned` : 'the replica stays as it is';
  const accept = `accept ${run.bucket} ${hold.target}`;
  return hold.rejected
    ? conflict(
        'anomalous-change',
        `${hold.rejected.by} rejected the change up to ${hold.target} (${hold.rejected.reason}): ${describe(hold)}; ${safe}`,
        `Restore ${run.bucket} from ${hold.base ?? 'its last good point'}, then record the decision "${accept}" so that ${on} follows again.`,
      )
    : conflict(
        'anomalous-change',
        `the change from ${hold.base ?? 'the replica'} to ${hold.target} is anomalous: ${describe(hold)}; ${safe}, the source is still snapshotted`,
        `Find out who made it. If it is meant, record the decision "${accept}"; if not, "reject ${run.bucket} ${hold.target}", and restore.`,
      );
};
