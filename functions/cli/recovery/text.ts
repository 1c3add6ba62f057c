import { namesIn } from '../../core/domain/buckets.ts';
import type { BucketRef } from '../../core/domain/names.ts';
import type { Cluster, Policy } from '../../core/domain/policy.ts';
import type { DurationSeconds } from '../../core/domain/units.ts';
import {
  compareBucket,
  compareFile,
  copyBucket,
  copyFile,
  copyInPlace,
  copyWritten,
  createBucket,
  createVolume,
  isCopying,
  listPoints,
  type Place,
  rescued,
  setAcl,
  showBucket,
  stopAgent,
  takeSnapshot,
  writtenSince,
} from './commands.ts';

/** What the ledger knew of a bucket when the plan was written. */
export interface Known {
  readonly newest: string | null;
  readonly lastDrill: string | null;
  readonly forecast: DurationSeconds | null;
  readonly basis: string;
}

export interface PlanInput {
  /** With names in the place of their globs. */
  readonly policies: readonly Policy[];
  /** Where the policies were read from, for people. */
  readonly source: string;
  /** By policy and bucket; null when the plan is written without the ledger. */
  readonly known: ((policy: Policy, bucket: BucketRef) => Known) | null;
}

const block = (kind: string, lines: readonly string[]): string =>
  `<!-- ${kind} -->\n\`\`\`bash\n${lines.join('\n')}\n\`\`\``;

const input = (fields: object): string => `\`\`\`json\n${JSON.stringify(fields, null, 2)}\n\`\`\``;

const consoleOf = (machine: string, says: string): string =>
  `AWS console → Step Functions → State machines → \`ozone-dr-${machine}\` → **Start execution** → paste the input → **Start execution**. The graph shows where it is; the output says ${says}.`;

const CONSOLE = consoleOf('restore', 'where the data is, or why it is not');

/** The snapshot of what was there before. */
const SAFETY = 'restore-safety-by-hand';

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
      takeSnapshot(source, SAFETY),
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
    `${policy.source.name} is gone. Every bucket is on ${policy.replica.name}, as it was at its newest verified point, and can be read there at once, from the snapshot. Do not write into the replica buckets: make copies, or, if people have to write there, fail over (section 4).`,
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

const confirmed = { plan: '<plan of the output>', confirmation: '<confirmation of the output>' };

/** By hand in place of a backup: the target becomes what a snapshot of the other cluster is, which is kept on both. */
const bringOver = (from: Place, to: Place, name: string, maps: number): readonly string[] => [
  `POINT=${name}`,
  takeSnapshot(from, name),
  copyInPlace(from, to, maps),
  ...compareBucket(from, to),
];

const failover = (plan: PlanInput, policy: Policy, bucket: BucketRef, to: Cluster): readonly string[] => {
  const { copy, source } = placesOf(policy, bucket);
  const from = policy.source.name;
  const { maps } = policy.limits;
  const asked = { policy: policy.name, bucket, kind: 'unplanned', by: '<you>', reason: '<what happened>' };
  return [
    '## 4. Failover',
    '',
    `People go on at ${to.name}: the replica becomes the primary, bucket by bucket, the most needed first. It is brought to its last verified point from its own snapshot, so ${from} is not needed. What was written to ${from} since is not there; a failback keeps it apart. From then on backups and prunes of the bucket are passed over until a failback, also when ${from} comes back; **nobody may write to ${from} then**.`,
    '',
    consoleOf('failover', 'with what the new primary begins, what is lost, and what people have to repoint'),
    '',
    `${from} is lost. The first execution changes nothing: its output has the report and the words.`,
    '',
    input(asked),
    '',
    'Within the hour, with both of them:',
    '',
    input({ ...asked, ...confirmed }),
    '',
    `${from} is well, and ${to.name} is to take over: the same two executions with \`"kind": "planned"\`. Stop what writes to ${from} before the second: it makes a last backup and proves that nothing was written after it, or changes nothing. Nothing is lost.`,
    '',
    `Several buckets, or all of the policy: \`ozone-dr-failover-fleet\`, also in two executions, with one plan and one confirmation for all. \`buckets\` says what depends on what: group after group, the buckets of a group at the same time; without it all of the policy at once. After a group with a failure nothing more is begun; the same input again goes on with what is left. By hand the same order, bucket by bucket.`,
    '',
    input({
      policy: policy.name,
      kind: 'unplanned',
      buckets: policy.buckets.slice(0, 3),
      by: '<you>',
      reason: '<what happened>',
    }),
    '',
    `A backup that hangs with ${from} has the bucket: a confirmed failover without the source takes it after two minutes; one that is to be planned, and a planned one, name the execution to stop.`,
    '',
    `With \`failover: { restrict: true }\` in the policy the workflow also takes the right to write from everybody in the ACL of the bucket on ${from}, when that answers, and a failback gives back what was there. To undo it by hand: the item of the pair in the ledger (\`role.restricted.before\`, runbook failed-over) has the entries, joined by commas for \`${setAcl(source, '<entries>')}\`.`,
    '',
    `The workflow takes the lease of the bucket, so that no backup is at work; moves the role in the ledger; keeps what is on the replica in a snapshot \`restore-safety-…\`; copies from the snapshot of the point what differs; compares all of it; keeps what people begin with in a snapshot \`failover-…\`. One that was cut off goes on when it is started again. It copies only what differs, so a restore of the whole bucket is the longest it can take. ${expected(plan, policy, bucket)}`,
    '',
    `**By hand**, when AWS is down. First make sure that nothing brings data from ${from} any more when AWS is back: on every edge host of ${to.name} and of ${from}, as root, until the roles are in the ledger. The last line says \`free\`, or a copy is still at work: wait for it, or end it with its host. (\`state\` of the host's configuration, if it is not /var/lib/ozone-dr; a host that never copied into the bucket has no such file.)`,
    '',
    block('failover-stop', [stopAgent, isCopying(copy)]),
    '',
    `${from} is lost; on an edge host of ${to.name}. A snapshot is in the list when its copy was complete, but only the ledger knows which was verified: the table at the end says which was when this plan was written. The first \`diff\` is the report: what the replica has of a copy that was cut off. The second says \`equal\`, or do not go on:`,
    '',
    block('failover', [
      listPoints(copy),
      'POINT=odr-…   # the newest of the list that is not in doubt',
      ...compareBucket(copy, copy),
      takeSnapshot(copy, SAFETY),
      copyInPlace(copy, copy, maps),
      ...compareBucket(copy, copy),
      takeSnapshot(copy, 'failover-by-hand'),
    ]),
    '',
    `${from} is well, and nobody writes there any more; on an edge host of ${to.name} that knows both. The workflow copies the snapshot difference where it can; this compares both buckets and copies what differs, whatever the replica holds. Both comparisons say \`equal\`, or somebody still writes:`,
    '',
    block('failover-planned', [
      ...bringOver(source, copy, 'failover-by-hand', maps),
      ...compareBucket(source, source),
      takeSnapshot(copy, 'failover-by-hand'),
    ]),
    '',
    '**Afterwards the ledger has to know.** Done by hand, the roles in the ledger were not moved: for it the bucket is as before, and its next backup would overwrite what people wrote since. So, when AWS is back and before an edge host is connected again:',
    '',
    `1. Pause the policy: \`ozone-dr-decision\` with \`{"policy": "${policy.name}", "decision": "pause ${policy.name}", "by": …, "reason": …}\`. Then connect the edge hosts (\`systemctl enable --now amazon-ssm-agent\`). A run that a person starts, and one that was going on, is not held up by a pause: stop the executions of the bucket first.`,
    `2. Let nobody write for a moment, and start the failover workflow as above, \`unplanned\`, with \`"point": "<the point>"\`; after a planned one by hand without it. Where nobody has written since, it finds the replica equal, moves the roles and proves it again; of a planned one, and of what people wrote since, its report says that it is replaced or deleted. That is meant: it is kept in the snapshot that the output calls \`safetySnapshot\`. What it says is lost is counted from the point on.`,
    '3. Bring back what was kept, on the same edge host, and let people write again:',
    '',
    block('failover-told', [
      'POINT=restore-safety-…   # safetySnapshot of the output',
      copyInPlace(copy, copy, maps),
      ...compareBucket(copy, copy),
    ]),
    '',
    `4. Resume the policy: \`{"policy": "${policy.name}", "decision": "resume ${policy.name}", …}\`. \`npm run explain\` says that ${to.name} is the primary.`,
  ];
};

const failback = (plan: PlanInput, policy: Policy, bucket: BucketRef, from: Cluster): readonly string[] => {
  const { copy, source } = placesOf(policy, bucket);
  const to = policy.source.name;
  const { maps } = policy.limits;
  const orphans = { ...source, bucket: `${bucket.slice(0, 70)}-orphans` };
  const asked = { policy: policy.name, bucket, kind: 'prepare', by: '<you>', reason: '<what happened>' };
  return [
    '## 5. Failback',
    '',
    `${to} is well again, and people are to go back. What was written to ${to} after both parted is kept in a bucket of its own; then ${to} becomes what ${from.name} is. In two requests: \`prepare\` while people go on at ${from.name}, \`switch\` when they can stop.`,
    '',
    consoleOf('failback', 'what both sides changed, where what was only on the old primary is, or why it is not done'),
    '',
    'Prepare. The first execution freezes the old primary in a snapshot `failback-…`, and reports what both sides changed since they were the same; the second keeps apart, proves that nothing came since, and makes backups in the other direction until one takes no longer than ten minutes:',
    '',
    input(asked),
    '',
    input({ ...asked, ...confirmed }),
    '',
    `Switch: the same two executions with \`"kind": "switch"\`. Stop what writes to ${from.name} before the second. It is a planned failover to ${to}: a last backup, the proof that nothing came after it, the roles. The next slot backs up in the usual direction, as an increment.`,
    '',
    `A backup in the other direction copies only what changed, by the snapshot difference where ${to} is still what it was, else after comparing both. ${expected(plan, policy, bucket)}`,
    '',
    `**By hand**, when AWS is down, and only when it cannot wait: people can go on at ${from.name} meanwhile. Stop the edge hosts as for a failover; the ${to} line for copies into it is:`,
    '',
    block('failback-stop', [stopAgent, isCopying(source)]),
    '',
    `Keep apart, on an edge host of ${to}. \`written.txt\` is the report: what was added or changed on ${to}. Go on only after \`all kept\` and \`equal\`, which says that nobody writes to ${to} any more. Empty directories, and files with quotes or backslashes in their names, are not kept: look for them in \`written.txt\`.`,
    '',
    block('failback-keep', [
      listPoints(source),
      listPoints(copy),
      'COMMON=odr-…   # the newest that both lists have: what the failover began with',
      'POINT=failback-by-hand',
      takeSnapshot(source, 'failback-by-hand'),
      ...writtenSince(source, '$COMMON', '$POINT'),
      createBucket(orphans),
      ...copyWritten(source, orphans, maps),
      ...compareBucket(source, source),
    ]),
    '',
    `Bring back, on the same host, while people go on at ${from.name}. The \`diff\` is not interesting yet. Again with another name, \`failback-by-hand-2\`, until it is quick:`,
    '',
    block('failback-round', bringOver(copy, source, 'failback-by-hand-1', maps)),
    '',
    `Now nobody may write to ${from.name}. The last round; both comparisons say \`equal\`, or somebody still writes. Then repoint people to ${to}:`,
    '',
    block('failback-switch', [
      ...bringOver(copy, source, 'failback-by-hand-last', maps),
      ...compareBucket(copy, copy),
      takeSnapshot(source, 'failback-by-hand-last'),
    ]),
    '',
    '**Afterwards the ledger has to know.** There is no way to tell it of a failback by hand: the roles move only with a failback of the workflow. Pause the policy and connect the hosts as after a failover. Then:',
    '',
    `- The ledger has not moved the roles to ${from.name} either, because the failover was by hand, too: nothing is to be told. Resume the policy; the next backup finds that ${from.name} is not what it left there, and compares both buckets instead of copying an increment, or, in the mode \`incremental\`, stops and says the words to go on with.`,
    `- The ledger says that ${from.name} is the primary: backups are passed over, nothing is overwritten, and nothing is backed up. When people can stop once more, let nobody write to either; type the block of the planned failover with another snapshot name, which makes ${from.name} what ${to} is; then start \`prepare\` and \`switch\` of the workflow. What it keeps apart as written to ${to} are copies of what both have by then, and what it brings back is there already. Without that block it would bring back ${from.name} as it was, and what people wrote to ${to} since would be in the bucket of what is kept apart only.`,
    '',
    `**${to} is given up**, because it does not come back or is not wanted any more: write the policy the other way round, \`source: ${from.name}\` and as \`replica\` another cluster with edge hosts of its own, and deploy. That is a new pair for each bucket: nobody's roles are in its way, its first backup copies all, and \`failed-over\` is over. Do it for all buckets of the policy at once, after each of them was failed over; those that were not are backed up by nothing from then on. What was written to ${to} and is not at ${from.name} is given up with it: while ${to} still answers, \`prepare\` reports and keeps it. Nothing prunes the points of the old direction on ${from.name}: delete those snapshots by hand when nobody needs them.`,
  ];
};

const inventory = (plan: PlanInput): readonly string[] => [
  '## What is where',
  '',
  '| policy | bucket | source | replica | newest verified point | restore of all of it |',
  '|---|---|---|---|---|---|',
  ...plan.policies.flatMap((policy) =>
    namesIn(policy).map((bucket) => {
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
  const [bucket] = policy ? namesIn(policy) : [];
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
    ...(policy.replica
      ? [...failover(plan, policy, bucket, policy.replica), '', ...failback(plan, policy, bucket, policy.replica), '']
      : []),
    ...inventory(plan),
  ].join('\n')}\n`;
};
