import { parsePolicies } from '../../cdk/config/load-policies.ts';
import { resolvePolicies } from '../../functions/core/domain/policy.ts';
import { grantsOf, type Identities } from '../../functions/core/planner/grants.ts';
import type { OzoneClusters } from '../ozone-cluster/ozone-clusters.ts';
import type { User } from '../ozone-cluster/secured.ts';

const who: Readonly<Record<keyof Identities, User>> = {
  observe: 'odr-observe',
  source: 'odr-source',
  replica: 'odr-replica',
  restore: 'odr-restore',
};

/** Words of a command as a shell reads them, without `ozone sh`; our commands have no quotes inside of quotes. */
const words = (command: string): readonly string[] => command.replaceAll("'", '').split(' ').slice(2);

/** The buckets of a policy file on both clusters, empty, with what `npm run grants` prints for it, before there are any data. */
export const prepare = async (clusters: OzoneClusters, policies: string, buckets: readonly string[]): Promise<void> => {
  const { clusters: planned } = grantsOf(resolvePolicies(parsePolicies(policies, 'test policies')), [], who);
  await clusters.createBuckets(buckets);
  const executed = planned.flatMap(({ commands }) =>
    commands.flatMap((command) => ['--execute', words(command).join(' ')]),
  );
  await clusters.ozone('sh', ...executed);
};
