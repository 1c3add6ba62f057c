import { pairId, runId } from '../../../functions/core/domain/names.ts';
import type { Role } from '../../../functions/core/domain/roles.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { baseOf, nameOf, policyOf, slot } from './world.ts';

const policy = policyOf('incremental');
export const forward = pairId(policy.source.name, 'sales/orders' as never, 'dr' as never);
export const backward = pairId('dr' as never, 'sales/orders' as never, policy.source.name);

/** People write to dr, which began with the point `b`. */
export const roleOf = (change: Partial<Role> = {}): Role => ({
  primary: 'replica',
  epoch: 1,
  state: 'settled',
  point: nameOf('b'),
  since: epochMs(slot - 3_600_000),
  by: runId(forward, policy.name, slot, 'failover'),
  opened: { name: 'failover-20261120t020000z-1' as never, id: baseOf('o').replicaId, created: slot },
  prepared: null,
  restricted: null,
  ...change,
});
