import type { RecoveryPoint } from '../domain/ledger.ts';
import type { PolicyName } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import { Side } from '../domain/retention.ts';
import { isOn } from './bucket-to-prune.ts';

/** Points of policies that nobody has any more stay for ever, because a prune judges those of its own policy alone. */
export const unjudged = (
  points: readonly Pick<RecoveryPoint, 'policy' | 'replica' | 'removal'>[],
  policies: readonly Pick<Policy, 'name'>[],
): readonly string[] => {
  const known = new Set(policies.map(({ name }) => name));
  const counts = new Map<PolicyName, number>();
  for (const point of points) {
    if (known.has(point.policy)) continue;
    const snapshots = Side.options.filter((side) => isOn(point, side)).length;
    counts.set(point.policy, (counts.get(point.policy) ?? 0) + snapshots);
  }
  return [...counts]
    .filter(([, count]) => count > 0)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(
      ([policy, count]) =>
        `${count} ${count === 1 ? 'snapshot' : 'snapshots'} of the policy ${policy}, which is not in the policy file: no prune judges them`,
    );
};
