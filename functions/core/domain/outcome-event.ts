import * as z from 'zod';
import { PairId } from './names.ts';
import { Happening, ONLY_PLANNED } from './record.ts';

/** `source` of every event of the product. */
export const EVENT_SOURCE = 'ozone-dr';

/** `detail-type` of the events: what happened to a bucket, in the words that rules match. */
export const EVENT_TYPES = {
  'Recovery Point Verified': 'a copy was compared with its source and is equal',
  'Recovery Point Differs': 'a copy was compared with its source and differs; it is condemned',
  'Backup Succeeded': 'a run of a backup ended well: a point was verified or, without a replica, taken',
  'Backup Failed': 'a run of a backup failed',
  'Prune Succeeded': 'a run of a prune ended well',
  'Prune Failed': 'a run of a prune failed',
  'Restore Planned': 'a restore made its plan, which waits for a confirmation; nothing was restored',
  'Restore Succeeded': 'a restore was done and compared',
  'Restore Failed': 'a restore failed; its target may be half written',
  'Drill Succeeded': 'a point was restored to scratch, was equal, and in time',
  'Drill Failed': 'a drill did not pass',
  'Failover Planned': 'a failover made its plan, which waits for a confirmation; nothing was changed',
  'Failover Succeeded': 'a replica is the primary of its bucket now',
  'Failover Failed': 'a failover failed; the roles of its bucket may be half moved',
  'Failback Planned': 'a failback reported what both sides changed, and waits for a confirmation',
  'Failback Succeeded': 'a failback was prepared, or the roles of its bucket are back',
  'Failback Failed': 'a failback failed; the roles of its bucket may be half moved',
  'Recovery Points Condemned': 'a plan condemned snapshots: they are deleted after the grace period',
  'Recovery Points Spared': 'snapshots that were condemned stay after all',
  'Recovery Points Deleted': 'snapshots were deleted, by a plan or (`byUs` false) by somebody else',
  'Decision Recorded': 'a person decided: adopt, accept, reject, pin, unpin, hold, release',
  'Policy Weakened': 'a policy asks for less than before',
  'Bucket Enrolled': 'a glob of a policy gave a bucket for the first time, or again: it is backed up from now on',
  'Bucket Vanished':
    'the source does not list an enrolled bucket any more: no backup of it is made; what was backed up stays',
} as const;
export type EventType = keyof typeof EVENT_TYPES;

/** `detail` of an event, version 1. A later version adds fields or has another number; readers leave out what they do not know. */
export const OutcomeDetail = z.object({
  version: z.literal(1),
  /** `service` of the metrics: the prefix of the deployment. */
  deployment: z.string(),
  /** The same for the same happening: an event may come more than once. */
  id: z.string(),
  pair: PairId,
  /** When it was recorded, epoch milliseconds. */
  at: z.number().int().nonnegative(),
  happening: Happening,
});
export type OutcomeDetail = z.infer<typeof OutcomeDetail>;

const WORKFLOWS = {
  backup: 'Backup',
  prune: 'Prune',
  restore: 'Restore',
  drill: 'Drill',
  failover: 'Failover',
  failback: 'Failback',
} as const;

/** The `detail-type` of what happened; null for what nobody is told of. */
export const eventTypeOf = (happening: Happening): EventType | null => {
  switch (happening.kind) {
    case 'verified':
      return happening.equal ? 'Recovery Point Verified' : 'Recovery Point Differs';
    case 'run-ended': {
      if (happening.workflow === 'look' || happening.workflow === 'doctor') return null;
      const isPlanned = happening.status === 'succeeded' && happening.summary.startsWith(ONLY_PLANNED);
      if (isPlanned && happening.workflow === 'failover') return 'Failover Planned';
      if (isPlanned) return happening.workflow === 'failback' ? 'Failback Planned' : 'Restore Planned';
      return `${WORKFLOWS[happening.workflow]} ${happening.status === 'succeeded' ? 'Succeeded' : 'Failed'}`;
    }
    case 'condemned':
      return 'Recovery Points Condemned';
    case 'spared':
      return 'Recovery Points Spared';
    case 'deleted':
      return 'Recovery Points Deleted';
    case 'decision':
      return 'Decision Recorded';
    case 'policy-weakened':
      return 'Policy Weakened';
    case 'enrolment':
      return happening.change === 'enrolled' ? 'Bucket Enrolled' : 'Bucket Vanished';
  }
};
