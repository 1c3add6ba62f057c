import { covers } from '../domain/buckets.ts';
import { BucketRef, drillPair, pairId, targetPair } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import type { PolicyState } from '../domain/retention.ts';
import type { EpochMs } from '../domain/units.ts';
import type { LedgerFacts } from '../planner/explain.ts';
import { coversInForce, objectivesInForce, settingsInForce } from '../planner/in-force.ts';
import type { Ledger, Runs } from '../ports.ts';

export interface BucketFactsDependencies {
  /** All of the policy file. */
  readonly policies: readonly Policy[];
  readonly ledger: Pick<Ledger, 'loadPair' | 'livingPoints' | 'loadPolicyState' | 'loadEnrolment'>;
  readonly runs: Runs;
}

export interface PolicyWithState {
  readonly policy: Policy;
  readonly state: PolicyState;
}

/** Every policy that looks after a bucket: also one that it was taken out of, while that cools off. One read per policy. */
export const policiesOf = async (
  {
    policies,
    ledger,
  }: Pick<BucketFactsDependencies, 'policies'> & { readonly ledger: Pick<Ledger, 'loadPolicyState'> },
  bucket: string,
  now: EpochMs,
): Promise<readonly PolicyWithState[]> => {
  const all = await Promise.all(
    policies.map(async (policy) => ({ policy, state: await ledger.loadPolicyState(policy.name) })),
  );
  const named = BucketRef.safeParse(bucket);
  return all.filter(({ policy, state }) => named.success && coversInForce(policy, state, named.data, now));
};

/** What the ledger says of one bucket under one policy: some ten reads, however many buckets there are. */
export const bucketFacts = async (
  { policies, ledger, runs }: BucketFactsDependencies,
  { policy, state }: PolicyWithState,
  bucket: BucketRef,
  now: EpochMs,
): Promise<LedgerFacts> => {
  const id = pairId(policy.source.name, bucket, policy.replica?.name ?? null);
  const [pair, points, lastRun, drills, restore] = await Promise.all([
    ledger.loadPair(id),
    ledger.livingPoints(id),
    runs.latestBackup(id, policy.name),
    ledger.loadPair(drillPair(policy, bucket)),
    ledger.loadPair(targetPair(policy.source.name, bucket)),
  ]);
  // Every pair that has the bucket as its source: what one of them needs, none may delete.
  const ids = policies
    .filter(({ source, buckets }) => source.name === policy.source.name && covers({ buckets }, bucket))
    .map(({ source, replica }) => pairId(source.name, bucket, replica?.name ?? null));
  const others = [...new Set(ids)].filter((it) => it !== id);
  return {
    bucket,
    policy: { ...policy, objectives: objectivesInForce(policy, state, now) },
    policies,
    pair,
    pairs: [pair, ...(await Promise.all(others.map((it) => ledger.loadPair(it))))],
    points,
    settings: settingsInForce(policy, state, now),
    lastRun,
    drills,
    paused: state.paused,
    turn: state.turns?.find((it) => it.bucket === bucket) ?? null,
    restore,
  };
};
