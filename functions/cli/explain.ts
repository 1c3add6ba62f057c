import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dynamoLedger } from '../adapters/dynamodb/ledger.ts';
import { dynamoRecords } from '../adapters/dynamodb/records.ts';
import { latestBackup } from '../adapters/dynamodb/runs.ts';
import type { Table } from '../adapters/dynamodb/table.ts';
import { BucketPage, PointPage } from '../core/domain/explanation.ts';
import type { PairState, RecoveryPoint } from '../core/domain/ledger.ts';
import { BucketRef, drillPair, type PairId, pairId, targetPair } from '../core/domain/names.ts';
import type { Policy } from '../core/domain/policy.ts';
import type { PolicyState } from '../core/domain/retention.ts';
import { type EpochMs, epochMs } from '../core/domain/units.ts';
import { explainBucket, explainPoint, type LedgerFacts } from '../core/planner/explain.ts';
import { bucketsInForce, objectivesInForce, settingsInForce } from '../core/planner/in-force.ts';
import { nearestNames } from '../core/planner/nearest-names.ts';
import type { Ledger } from '../core/ports.ts';
import { bucketText, pointText } from './explain-text.ts';
import {
  type Output,
  openTable,
  parseCommandLine,
  runCommand,
  TABLE_OPTIONS,
  TABLE_USAGE,
  terminal,
  UsageError,
} from './options.ts';
import { DEFAULT_POLICIES, readPolicies } from './policies.ts';

const USAGE = `npm run explain -- <volume/bucket> [options]
Says whether a bucket is safe, what is late and why, what its points are kept for and what the next plan would do.
  --point <name>     everything about one point, also about a deleted one: why it stays or goes, what breaks without it
  --policies <file>  the policy file that was deployed (default: ${DEFAULT_POLICIES})
  --policy <name>    needed when several policies have the bucket
  --all              every point (default: the newest 20)
  --json             one JSON document
${TABLE_USAGE}`;

const SHOWN = 20;

/** What was asked about is not there. The message says what to do. */
class NotFound extends Error {
  override readonly name = 'NotFound';
}

/** Every policy that looks after a bucket: also one that it was taken out of, while that cools off. */
const policiesOf = async (
  policies: readonly Policy[],
  ledger: Ledger,
  bucket: string,
  now: EpochMs,
): Promise<readonly { readonly policy: Policy; readonly state: PolicyState }[]> => {
  const all = await Promise.all(
    policies.map(async (policy) => ({ policy, state: await ledger.loadPolicyState(policy.name) })),
  );
  return all.filter(({ policy, state }) => bucketsInForce(policy, state, now).some((it) => it === bucket));
};

const choose = async (
  {
    policies,
    file,
    wanted,
  }: { readonly policies: readonly Policy[]; readonly file: string; readonly wanted: string | undefined },
  ledger: Ledger,
  bucket: string,
  now: EpochMs,
) => {
  const candidates = await policiesOf(policies, ledger, bucket, now);
  const names = candidates.map(({ policy }) => policy.name);
  if (names.length === 0) {
    const near = nearestNames(bucket, [...new Set(policies.flatMap((policy) => policy.buckets))]);
    throw new NotFound(
      `no policy of ${file} has the bucket ${bucket}: did you mean ${near.join(' or ')}? Another file: --policies <file>`,
    );
  }
  const [only, ...more] = candidates.filter(({ policy }) => wanted === undefined || policy.name === wanted);
  if (!only)
    throw new NotFound(`${bucket} is not of the policy ${wanted}: write --policy ${names.join(' or --policy ')}`);
  if (more.length > 0)
    throw new NotFound(`several policies have ${bucket}: write --policy ${names.join(' or --policy ')}`);
  return only;
};

/** The states of every pair that has the bucket as its source. */
const pairsOf = async (
  policies: readonly Policy[],
  policy: Policy,
  bucket: BucketRef,
  ledger: Ledger,
  pair: PairState,
) => {
  const ids = policies
    .filter(({ source, buckets }) => source.name === policy.source.name && buckets.includes(bucket))
    .map(({ source, replica }) => pairId(source.name, bucket, replica?.name ?? null));
  const others = [...new Set(ids)].filter((id) => id !== pair.pair);
  return [pair, ...(await Promise.all(others.map((id) => ledger.loadPair(id))))];
};

const factsOf = async (
  table: Table,
  policies: readonly Policy[],
  { policy, state }: { readonly policy: Policy; readonly state: PolicyState },
  bucket: BucketRef,
  now: EpochMs,
): Promise<LedgerFacts> => {
  const ledger = dynamoLedger(table);
  const id = pairId(policy.source.name, bucket, policy.replica?.name ?? null);
  const [pair, points, lastRun, drills, restore] = await Promise.all([
    ledger.loadPair(id),
    ledger.livingPoints(id),
    latestBackup(table, id, policy.name),
    ledger.loadPair(drillPair(policy.source.name, bucket)),
    ledger.loadPair(targetPair(policy.source.name, bucket)),
  ]);
  const pairs = await pairsOf(policies, policy, bucket, ledger, pair);
  return {
    bucket,
    policy: { ...policy, objectives: objectivesInForce(policy, state, now) },
    policies,
    pair,
    pairs,
    points,
    settings: settingsInForce(policy, state, now),
    lastRun,
    drills,
    paused: state.paused,
    turn: state.turns?.find((it) => it.bucket === bucket) ?? null,
    restore,
  };
};

const findPoint = async (ledger: Ledger, facts: LedgerFacts, pair: PairId, name: string): Promise<RecoveryPoint> => {
  const living = facts.points.find((point) => point.name === name);
  if (living) return living;
  const retired = await ledger.retiredPoints(pair);
  const gone = retired.find((point) => point.name === name);
  if (gone) return gone;
  const near = nearestNames(
    name,
    [...facts.points, ...retired].map((point) => point.name),
  );
  throw new NotFound(
    `${facts.bucket} has and had no point ${name}${near.length > 0 ? `: did you mean ${near.join(' or ')}?` : ': it has none at all'}`,
  );
};

/** What DynamoDB says of a table that is not there does not say what to do. */
const friendly = (table: Table) => (error: unknown) => {
  if (error instanceof Error && error.name === 'ResourceNotFoundException')
    throw new NotFound(
      `there is no table ${table.name} there: give --table <name> (output LedgerTableName of the deployment), --region <name>, or --endpoint <url>`,
    );
  throw error;
};

/** The whole command. @returns the exit code */
export const explain = (args: readonly string[], output: Output, now: EpochMs): Promise<number> =>
  runCommand(USAGE, output, async () => {
    const { values, positionals } = parseCommandLine(
      args,
      {
        ...TABLE_OPTIONS,
        point: { type: 'string' },
        policies: { type: 'string', default: DEFAULT_POLICIES },
        policy: { type: 'string' },
        all: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
      { allowPositionals: true },
    );
    if (values.help) {
      output.out(USAGE);
      return 0;
    }
    const [typed, ...others] = positionals;
    if (typed === undefined || others.length > 0) throw new UsageError('name one bucket: volume/bucket');
    const parsed = BucketRef.safeParse(typed);
    if (!parsed.success) throw new UsageError(`${typed}: write volume/bucket`);
    const bucket = parsed.data;
    const table = openTable(values);
    const ledger = dynamoLedger(table);
    const policies = readPolicies(values.policies);
    const look = async (): Promise<string> => {
      const chosen = await choose({ policies, file: values.policies, wanted: values.policy }, ledger, bucket, now);
      const facts = await factsOf(table, policies, chosen, bucket, now);
      if (values.point === undefined) {
        const page = BucketPage.parse(explainBucket(facts, values.all ? facts.points.length : SHOWN, now));
        return values.json ? `${JSON.stringify(page, null, 2)}\n` : bucketText(page);
      }
      const { pair } = facts.pair;
      const point = await findPoint(ledger, facts, pair, values.point);
      const record = await dynamoRecords(table).read(pair);
      const page = PointPage.parse(explainPoint(facts, point, record, now));
      return values.json ? `${JSON.stringify(page, null, 2)}\n` : pointText(page);
    };
    output.out(await look().catch(friendly(table)));
    return 0;
  });

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  process.exitCode = await explain(process.argv.slice(2), terminal, epochMs(Date.now()));
