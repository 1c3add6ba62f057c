import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dynamoLedger } from '../adapters/dynamodb/ledger.ts';
import { dynamoRecords } from '../adapters/dynamodb/records.ts';
import { dynamoRuns } from '../adapters/dynamodb/runs.ts';
import type { Table } from '../adapters/dynamodb/table.ts';
import { BucketPage, PointPage } from '../core/domain/explanation.ts';
import type { RecoveryPoint } from '../core/domain/ledger.ts';
import { BucketRef, type PairId } from '../core/domain/names.ts';
import type { Policy } from '../core/domain/policy.ts';
import { type EpochMs, epochMs } from '../core/domain/units.ts';
import { explainBucket, explainPoint, type LedgerFacts } from '../core/planner/explain.ts';
import { nearestNames } from '../core/planner/nearest-names.ts';
import type { Ledger } from '../core/ports.ts';
import { bucketFacts, policiesOf } from '../core/use-cases/bucket-facts.ts';
import { namedPolicies } from '../core/use-cases/named-policies.ts';
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
  const candidates = await policiesOf({ policies, ledger }, bucket, now);
  const names = candidates.map(({ policy }) => policy.name);
  if (names.length === 0) {
    const named = await namedPolicies(ledger, policies);
    const near = nearestNames(bucket, [...new Set(named.flatMap((policy) => policy.buckets))]);
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
      const facts = await bucketFacts({ policies, ledger, runs: dynamoRuns(table) }, chosen, bucket, now);
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
