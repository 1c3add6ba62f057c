import { dynamoLedger } from '../../adapters/dynamodb/ledger.ts';
import { knownPairs } from '../../adapters/dynamodb/pairs.ts';
import { dynamoRecords } from '../../adapters/dynamodb/records.ts';
import type { Table } from '../../adapters/dynamodb/table.ts';
import type { RecoveryPoint } from '../../core/domain/ledger.ts';
import { drillPair, PairId, type PolicyName } from '../../core/domain/names.ts';
import type { Readiness } from '../../core/domain/readiness.ts';
import type { PolicyVersion } from '../../core/domain/retention.ts';
import type { EpochMs } from '../../core/domain/units.ts';
import { readinessOf } from '../../core/planner/readiness.ts';
import type { Ledger, Records } from '../../core/ports.ts';
import { type ChainState, checkChain, type NotedHeads, strangeChain } from '../chains.ts';
import { bucketOf, type KnownBucket, type KnownPolicy, policiesOf, reportBucket } from './bucket.ts';
import { MonthlyReport } from './model.ts';
import type { Month } from './month.ts';

type Reading = Pick<Ledger, 'livingPoints' | 'retiredPoints' | 'loadPolicyState' | 'loadRun' | 'loadPair'>;
type VersionsOf = (policy: PolicyName) => Promise<readonly PolicyVersion[]>;

const readBucket = async (
  ledger: Reading,
  records: Pick<Records, 'links'>,
  versionsOf: VersionsOf,
  pair: PairId,
  until: EpochMs,
): Promise<KnownBucket> => {
  const links = await records.links(pair);
  const living = await ledger.livingPoints(pair);
  const points = [...(await ledger.retiredPoints(pair)), ...living].toSorted(
    (one, other) => other.source.created - one.source.created,
  );
  const policies: KnownPolicy[] = [];
  for (const [name, lastRun] of policiesOf(links, points)) {
    const versions = await versionsOf(name);
    const known = versions.length === 0 && lastRun ? await ledger.loadRun(lastRun) : undefined;
    policies.push({ name, versions, rpoOfLastRun: known?.run.policy.objectives.rpo });
  }
  return { pair, links, points, policies, readiness: await readinessIn(ledger, pair, living, until) };
};

/** By the policy of the run that took the newest point: the table knows of no other that is whole. */
const readinessIn = async (
  ledger: Pick<Ledger, 'loadRun' | 'loadPair'>,
  pair: PairId,
  living: readonly RecoveryPoint[],
  until: EpochMs,
): Promise<Readiness | null> => {
  const run = living[0] && (await ledger.loadRun(living[0].runId))?.run;
  const replica = run?.policy.replica;
  if (!run || !replica) return null;
  const { bucket, policy } = run;
  const [state, { lastDrill }] = await Promise.all([ledger.loadPair(pair), ledger.loadPair(drillPair(policy, bucket))]);
  return readinessOf({ bucket, policy, replica, pair: state, points: living, lastDrill }, until);
};

/** The report of a month, from what the table says now. */
export const collect = async (table: Table, month: Month, heads: NotedHeads): Promise<MonthlyReport> => {
  const ledger = dynamoLedger(table);
  const records = dynamoRecords(table);
  const known = await knownPairs(table);
  const versions = new Map<PolicyName, Promise<readonly PolicyVersion[]>>();
  const versionsOf: VersionsOf = (policy) => {
    const read = versions.get(policy) ?? ledger.loadPolicyState(policy).then((state) => state.versions);
    versions.set(policy, read);
    return read;
  };

  const buckets: MonthlyReport['buckets'] = [];
  const chains: ChainState[] = known.strange.map(strangeChain);
  const served = new Set<string>();
  for (const pair of [...new Set<string>([...known.pairs, ...heads.keys()])].toSorted().map((it) => PairId.parse(it))) {
    const bucket = await readBucket(ledger, records, versionsOf, pair, month.until);
    buckets.push(reportBucket(bucket, month));
    chains.push(await checkChain({ links: async () => bucket.links }, pair, heads));
    for (const { name } of bucket.policies) served.add(`${name} ${bucketOf(pair)}`);
  }

  const withoutRecord: MonthlyReport['withoutRecord'] = [];
  for (const policy of known.policies) {
    const asked = (await versionsOf(policy)).findLast(({ since }) => since < month.until)?.buckets ?? [];
    for (const bucket of asked) if (!served.has(`${policy} ${bucket}`)) withoutRecord.push({ policy, bucket });
  }
  return MonthlyReport.parse({
    schema: 1,
    kind: 'ozone-dr-monthly-evidence',
    table: table.name,
    month: month.name,
    from: new Date(month.from).toISOString(),
    until: new Date(month.until).toISOString(),
    complete: month.complete,
    buckets,
    withoutRecord,
    chains,
  });
};
