import { dynamoLedger } from '../adapters/dynamodb/ledger.ts';
import { emptyEnrolment } from '../core/domain/buckets.ts';
import { type BucketRef, drillPair, pairId } from '../core/domain/names.ts';
import type { Policy } from '../core/domain/policy.ts';
import { lastDrillOf } from '../core/planner/drill-rota.ts';
import { restoreRate, restoreTime } from '../core/planner/restore-rate.ts';
import type { Ledger } from '../core/ports.ts';
import { namedPolicies, withNames } from '../core/use-cases/named-policies.ts';
import { ifMain, type Output, openTable, parseCommandLine, runCommand, TABLE_OPTIONS, TABLE_USAGE } from './options.ts';
import { DEFAULT_POLICIES, readPolicies } from './policies.ts';
import { type Known, recoveryPlan } from './recovery/text.ts';

const USAGE = `npm run --silent recovery-plan -- [options] >recovery-plan.md
Writes how a file, a bucket or a cluster comes back: in the console, and by hand when AWS is down.
  --policies <file>  the policy file that was deployed (default: ${DEFAULT_POLICIES})
  --offline          do not ask the ledger how long restores take and which points are the newest
${TABLE_USAGE}`;

/** What the ledger says of a bucket. The last drill counts also when its point is deleted since. */
export const knownOf = async (
  ledger: Pick<Ledger, 'livingPoints' | 'loadPair'>,
  policy: Policy,
  bucket: BucketRef,
): Promise<Known> => {
  const [points, drills] = await Promise.all([
    ledger.livingPoints(pairId(policy.source.name, bucket, policy.replica?.name ?? null)),
    ledger.loadPair(drillPair(policy, bucket)),
  ]);
  const newest = points.find(({ state }) => state === 'verified');
  const drilled = lastDrillOf(points, drills, policy.name);
  const rate = restoreRate(points, policy.limits, drills.lastDrill);
  return {
    newest: newest?.name ?? null,
    lastDrill: drilled
      ? `${drilled.point} on ${new Date(drilled.drill.at).toISOString().slice(0, 10)}, ${drilled.drill.files} files and ${drilled.drill.bytes} bytes in ${drilled.drill.seconds} s`
      : null,
    forecast: newest?.verification ? restoreTime(rate, newest.verification) : null,
    basis: rate.basis,
  };
};

/** The whole command. @returns the exit code */
export const recoveryPlanCommand = (args: readonly string[], output: Output): Promise<number> =>
  runCommand(USAGE, output, async () => {
    const { values } = parseCommandLine(args, {
      ...TABLE_OPTIONS,
      policies: { type: 'string', default: DEFAULT_POLICIES },
      offline: { type: 'boolean', default: false },
    });
    const written = readPolicies(values.policies);
    let policies = written.map((policy) => withNames(policy, emptyEnrolment(policy.name)));
    const found = new Map<string, Known>();
    if (!values.offline) {
      const table = openTable(values);
      const ledger = dynamoLedger(table);
      try {
        policies = [...(await namedPolicies(ledger, written))];
        for (const policy of policies)
          for (const bucket of policy.buckets)
            found.set(`${policy.name} ${bucket}`, await knownOf(ledger, policy, bucket));
      } finally {
        table.client.destroy();
      }
    }
    const known = (policy: Policy, bucket: BucketRef): Known =>
      found.get(`${policy.name} ${bucket}`) ?? { newest: null, lastDrill: null, forecast: null, basis: '' };
    output.out(recoveryPlan({ policies, source: values.policies, known: values.offline ? null : known }));
    return 0;
  });

await ifMain(import.meta.url, recoveryPlanCommand);
