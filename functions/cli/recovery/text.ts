import type { BucketRef } from '../../core/domain/names.ts';
import type { Cluster, Policy } from '../../core/domain/policy.ts';
import type { DurationSeconds } from '../../core/domain/units.ts';
import {
  compareBucket,
  compareFile,
  copyBucket,
  copyFile,
  copyInPlace,
  createBucket,
  createVolume,
  listPoints,
  rescued,
  safetySnapshot,
  showBucket,
} from './commands.ts';

/** What the ledger knew of a bucket when the plan was written. */
export interface Known {
  readonly newest: string | null;
  readonly lastDrill: string | null;
  readonly forecast: DurationSeconds | null;
  readonly basis: string;
}

export interface PlanInput {
  readonly policies: readonly Policy[];
  /** Where the policies were read from, for people. */
  readonly source: string;
  /** By policy and bucket; null when the plan is written without the ledger. */
  readonly known: ((policy: Policy, bucket: BucketRef) => Known) | null;
}

const block = (kind: string, lines: readonly string[]): string =>
  `<!-- ${kind} -->\n\`\`\`bash\n${lines.join('\n')}\n\`\`\``;

const input = (fields: object): string => `\`\`\`json\n${JSON.stringify(fields, null, 2)}\n\`\`\``;

const CONSOLE =
  'AWS console → Step Functions → State machines → `ozone-dr-restore` → **Start execution** → paste the input → **Start execution**. The graph shows where it is; the output says where the data is, or why it is not.';

/** From where a bucket is read when its own cluster cannot be asked, and where it is written to. */
const placesOf = ({ source, replica }: Policy, bucket: BucketRef) => ({
  source: { service: source.service, bucket },
  copy: { service: (replica ?? source).service, bucket },
});

const hostsOf = ({ name, hosts }: Cluster): string => `${name}: ${hosts.join(', ')}`;

const expected = ({ known }: PlanInput, policy: Policy, bucket: BucketRef): string => {
  if (!known)
    return 'This plan was written without the ledger, so no time is known: write it again with `npm run recovery-plan` while AWS is up.';
  const { forecast, lastDrill, basis } = known(policy, bucket);
  const drill = lastDrill ? `The last drill: ${lastDrill}.` : 'No drill of this bucket has passed yet.';
  return forecast === null ? drill : `About ${forecast} s for the whole bucket (${basis}). ${drill}`;
};

const file = (plan: PlanInput, policy: Policy, bucket: BucketRef): readonly string[] => {
  const { copy, source } = placesOf(policy, bucket);
  const to = rescued({ service: source.service, bucket });
  return [
    '## 1. A file, or some files',
    '',
    'Somebody deleted or broke a file. It comes back beside the bucket; nothing that is there is touched. A person copies it from there to where it belongs.',
    '',
    CONSOLE,
    '',
    input({
      policy: policy.name,
      bucket,
      asOf: '<the last moment when it was good, 2026-11-20T12:00:00Z>',
      scope: { paths: ['<path in the bucket>'] },
      by: '<you>',
      reason: '<what happened>',
    }),
    '',
    'Which point has it? Start `ozone-dr-look` with `{"policy": …, "bucket": …, "versionsOf": "<path>"}`.',
    '',
    `By hand, on an edge host of ${policy.source.name}. The newest point before the damage is the right one; use any other name for the bucket if this one is taken:`,
    '',
    block('file', [
      listPoints(copy),
      'POINT=odr-…   # one of the list',
      'FILE=…        # path in the bucket',
      createBucket(to),
      ...copyFile(copy, to, policy.limits.maps),
      compareFile(copy, to),
    ]),
    '',
    `The two checksums are equal, or it did not work. ${expected(plan, policy, bucket)}`,
  ];
};

const wholeBucket = (plan: PlanInput, policy: Policy, bucket: BucketRef): readonly string[] => {
  const { copy, source } = placesOf(policy, bucket);
  const to = rescued({ service: source.service, bucket });
  return [
    '## 2. A bucket',
    '',
    'First beside it, if there is room: then nobody has to decide in a hurry what is still good. With `"planOnly": true` it only says how much there is and how long it takes.',
    '',
    CONSOLE,
    '',
    input({ policy: policy.name, bucket, asOf: '<the last good moment>', by: '<you>', reason: '<what happened>' }),
    '',
    'In place, once you know that the bucket as it is may go. Stop what writes there. The first execution only plans, and its output has the words for the second:',
    '',
    input({
      policy: policy.name,
      bucket,
      asOf: '<the last good moment>',
      target: 'in-place',
      overwrite: 'if-different',
      deleteExtra: true,
      by: '<you>',
      reason: '<what happened>',
    }),
    '',
    `By hand, beside it, on an edge host of ${policy.source.name}:`,
    '',
    block('bucket', [
      listPoints(copy),
      'POINT=odr-…   # one of the list',
      showBucket(copy),
      createBucket(to),
      copyBucket(copy, to, policy.limits.maps),
      ...compareBucket(copy, to),
    ]),
    '',
    'By hand, in place. The snapshot keeps what is there now; the second line cannot be taken back without it:',
    '',
    block('in-place', [
      listPoints(copy),
      'POINT=odr-…   # one of the list',
      safetySnapshot(source),
      copyInPlace(copy, source, policy.limits.maps),
      ...compareBucket(copy, source),
    ]),
    '',
    `The next backup is an increment as always. ${expected(plan, policy, bucket)}`,
  ];
};

const cluster = (policy: Policy, bucket: BucketRef): readonly string[] => {
  const copy = { service: (policy.replica ?? policy.source).service, bucket };
  const to = { service: '$NEW', bucket };
  if (!policy.replica)
    return [
      '## 3. A cluster',
      '',
      `The policy ${policy.name} has no replica: with its cluster its points are gone, too.`,
    ];
  return [
    '## 3. A cluster',
    '',
    `${policy.source.name} is gone. Every bucket is on ${policy.replica.name}, as it was at its newest verified point, and can be read there at once, from the snapshot. Do not write into the replica buckets: make copies.`,
    '',
    `On ${policy.replica.name} itself, bucket by bucket, the most needed first (a bucket of another name, because the replica itself is never a target):`,
    '',
    CONSOLE,
    '',
    input({
      policy: policy.name,
      bucket,
      asOf: '<now>',
      target: { cluster: policy.replica.name, bucket: `${bucket}-rescued` },
      by: '<you>',
      reason: '<what happened>',
    }),
    '',
    `By hand, to a new cluster, on an edge host of ${policy.replica.name} that knows its service id:`,
    '',
    block('cluster', [
      listPoints(copy),
      'POINT=odr-…   # one of the list',
      'NEW=…         # service id of the new cluster',
      showBucket(copy),
      createVolume(to),
      createBucket(to),
      copyBucket(copy, to, policy.limits.maps),
      ...compareBucket(copy, to),
    ]),
    '',
    `Then write the new cluster into the policy file under the name ${policy.source.name} and deploy: the next backup finds that the source bucket was made anew, stops, and says the words to go on with.`,
  ];
};

const inventory = (plan: PlanInput): readonly string[] => [
  '## What is where',
  '',
  '| policy | bucket | source | replica | newest verified point | restore of all of it |',
  '|---|---|---|---|---|---|',
  ...plan.policies.flatMap((policy) =>
    policy.buckets.map((bucket) => {
      const known = plan.known?.(policy, bucket);
      const cells = [
        policy.name,
        bucket,
        `o3://${policy.source.service}/${bucket}`,
        policy.replica ? `o3://${policy.replica.service}/${bucket}` : 'none',
        known?.newest ?? 'not looked up',
        known?.forecast === undefined || known.forecast === null ? 'not known' : `about ${known.forecast} s`,
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  ),
  '',
  ...[
    ...new Set(plan.policies.flatMap(({ source, replica }) => [source, ...(replica ? [replica] : [])]).map(hostsOf)),
  ].map((line) => `- Edge hosts of ${line}`),
];

/** The recovery plan of a policy file as Markdown, for the first bucket of its first policy, with all the others in a list. */
export const recoveryPlan = (plan: PlanInput): string => {
  const [policy] = plan.policies;
  const [bucket] = policy?.buckets ?? [];
  if (!policy || !bucket) return '# Recovery plan\n\nThere is no policy, so nothing is backed up.\n';
  return `${[
    '# Recovery plan',
    '',
    `Written by \`npm run recovery-plan\` from ${plan.source}. Keep a copy where you can read it when AWS and the clusters are down.`,
    '',
    `The examples are for \`${bucket}\` of the policy \`${policy.name}\`; all buckets are listed at the end. By hand means: what the workflow would run, typed on an edge host as the user that the edge host guide calls the restoring one. Add \`-D ozone.client.failover.max.attempts=3\` behind \`ozone sh\` and \`hadoop distcp\` when a cluster is down: the tools otherwise wait for minutes without a word. \`OBJECT_STORE\` buckets cannot be copied by distcp: \`ozone sh key get o3://<service>/<bucket>/.snapshot/<point>/<key> <file>\` reads one key.`,
    '',
    'Before anything: find out when the damage began, and stop what causes it. Backups that run meanwhile do no harm; older points stay.',
    '',
    ...file(plan, policy, bucket),
    '',
    ...wholeBucket(plan, policy, bucket),
    '',
    ...cluster(policy, bucket),
    '',
    ...inventory(plan),
  ].join('\n')}\n`;
};
