/**
 * Takes away each single permission of the synthesized app and looks for a test that fails: first whether the template
 * still deploys, then the paths of paths.ts that used the permission in a clean run. Prints what found each one out;
 * ends with 1 if one survives that is not on the short list below. `npm run test:iam`
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { startLocalCloud } from '../local-cloud/index.ts';
import { fleets } from './fleet-paths.ts';
import { type Mutation, mutate, mutationsOf } from './mutations.ts';
import { operating } from './operator-paths.ts';
import { paths as others, type Path } from './paths.ts';
import { restores } from './restore-paths.ts';
import { roles } from './role-paths.ts';
import { CheckFailed, openStage, type Stage } from './stage.ts';

/** What may survive, and why. */
const explained: readonly { readonly action: RegExp; readonly why: string }[] = [
  { action: /^xray:PutTelemetryRecords$/, why: 'X-Ray: missing telemetry is not visible to the product' },
  { action: /^xray:GetSampling(Rules|Targets)$/, why: 'X-Ray: without them Step Functions samples by its own rule' },
  {
    action: /^xray:PutTraceSegments$/,
    why: 'X-Ray: Step Functions drops traces silently (for functions Lambda refuses the deployment)',
  },
  {
    action: /^s3:(AbortMultipartUpload|ListMultipartUploadParts)$/,
    why: 'Step Functions asks for them where a Map writes its results (developer guide, "IAM policies for Distributed Map"), and uses them for larger ones than the paths have',
  },
];

/** `IAM_PATHS=<regular expression>` walks only the paths whose names match: for whoever writes one. */
const paths = [...others, ...fleets, ...restores, ...roles, ...operating].filter(({ name }) =>
  new RegExp(process.env.IAM_PATHS ?? '').test(name),
);

type Verdict =
  | { readonly kind: 'killed'; readonly by: string }
  | { readonly kind: 'survived'; readonly why: string }
  | { readonly kind: 'explained'; readonly why: string };

const started = performance.now();
const seconds = (): string => `${((performance.now() - started) / 1000).toFixed(1)} s`;

const failureOf = async (path: Path, stage: Stage): Promise<string | undefined> => {
  try {
    await path.walk(stage);
    return undefined;
  } catch (error) {
    if (error instanceof CheckFailed) return `${path.name}: ${error.message}`;
    throw error;
  }
};

/** What uses a permission, in the words of a policy: its holder's policy, the statement's place, the action. */
const keyOf = (policy: string, index: number, action: string): string => `${policy}|${index}|${action}`;

const judge = async (stage: Stage, mutation: Mutation, usedBy: readonly Path[], folder: string): Promise<Verdict> => {
  mutate(stage.assembly, mutation, folder);
  let changed: Awaited<ReturnType<typeof startLocalCloud>>;
  try {
    changed = await startLocalCloud({ assembly: folder, clock: { virtualFrom: new Date(stage.cloud.clock.now()) } });
  } catch (error) {
    return {
      kind: 'killed',
      by: `deployment: ${error instanceof Error ? error.message.slice(0, 120) : String(error)}`,
    };
  }
  stage.cloud.iam.adopt(changed.iam);
  await changed.close();
  for (const path of usedBy) {
    const failure = await failureOf(path, stage);
    if (failure !== undefined) return { kind: 'killed', by: failure };
  }
  const why = usedBy.length === 0 ? 'no path uses it' : `${usedBy.length} paths use it, none fails without`;
  const known = explained.find((it) => it.action.test(mutation.action));
  return known ? { kind: 'explained', why: known.why } : { kind: 'survived', why };
};

const stage = await openStage();
let survivors = 0;
try {
  const uses = new Map<string, Path[]>();
  for (const path of paths) {
    const clean = await startLocalCloud({
      assembly: stage.assembly,
      clock: { virtualFrom: new Date(stage.cloud.clock.now()) },
    });
    stage.cloud.iam.adopt(clean.iam);
    await clean.close();
    const failure = await failureOf(path, stage);
    if (failure !== undefined) throw new Error(`the unchanged template fails: ${failure}`);
    for (const { policy, index, action } of stage.cloud.iam.usedActions()) {
      const key = keyOf(policy, index, action);
      uses.set(key, [...(uses.get(key) ?? []), path]);
    }
    console.log(`clean  ${path.name}  ${seconds()}`);
  }
  const only = process.argv[2] === undefined ? undefined : new RegExp(process.argv[2]);
  const mutations = mutationsOf(stage.assembly).filter((it) => only?.test(`${it.title} ${it.action}`) ?? true);
  const folder = join(stage.assembly, '..', 'mutated');
  for (const mutation of mutations) {
    const { resource, index, action } = mutation;
    const actions = action.split(' ');
    const usedBy = paths.filter((path) => actions.some((one) => uses.get(keyOf(resource, index, one))?.includes(path)));
    const verdict = await judge(stage, mutation, usedBy, folder);
    if (verdict.kind === 'survived') survivors++;
    const how = verdict.kind === 'killed' ? verdict.by : verdict.why;
    console.log(`${verdict.kind.toUpperCase().padEnd(9)} ${mutation.title.padEnd(34)} ${action.padEnd(30)} ${how}`);
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`${mutations.length} permissions taken away one by one, ${survivors} survived, ${seconds()}`);
} finally {
  await stage.close();
}
process.exitCode = survivors > 0 ? 1 : 0;
