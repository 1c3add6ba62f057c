import { escaped } from '../../core/domain/text.ts';
import { printHead } from '../chains.ts';
import { page } from '../markup.ts';
import type { BucketReport, MonthlyReport } from './model.ts';

const STYLE = `
  h1 { margin-bottom: 4px; } h2 { margin-top: 4px; } h3 { font-size: 13px; margin: 14px 0 0; }
  table.overview td, table.overview th { padding-right: 16px; } td.toned, dd .toned { color: var(--tone); font-weight: 600; }
  code { font-size: 11px; overflow-wrap: anywhere; }
`;

const day = (instant: string): string => instant.replace('T', ' ').replace(/(:\d\d)?\.\d{3}Z$/, ' UTC');

/** `2 d 3 h`, the two largest units; a rest is rounded up: an age is never shown smaller than it was. */
export const spanText = (seconds: number): string => {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = minutes < 1440 ? Math.floor(minutes / 60) : Math.ceil(minutes / 60);
  if (hours < 24) return `${hours} h${minutes % 60 === 0 ? '' : ` ${minutes % 60} min`}`;
  return `${Math.floor(hours / 24)} d${hours % 24 === 0 ? '' : ` ${hours % 24} h`}`;
};

type PolicyOfBucket = BucketReport['policies'][number];

const isMet = ({ attainment }: PolicyOfBucket): boolean => attainment?.percent === '100.00 %';
const toneOf = (bucket: BucketReport, isChainWhole: boolean): string => {
  if (!isChainWhole || bucket.differences.length > 0 || !bucket.policies.every(isMet)) return 'bad';
  return bucket.failures.length > 0 || bucket.policies.length === 0 ? 'repair' : 'good';
};

const attained = ({ attainment, why }: PolicyOfBucket): string =>
  attainment ? attainment.percent : `cannot be said: ${why}`;
const objectiveText = ({ objectives }: PolicyOfBucket): string =>
  objectives
    .map(
      ({ rpoSeconds, from, basis }, i) =>
        spanText(rpoSeconds) + (i > 0 ? ` from ${day(from)}` : '') + (basis === 'assumed' ? ' (assumed)' : ''),
    )
    .join(', then ') || 'not known';

const row = (cells: readonly string[], tag = 'td'): string =>
  `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`;
/** A table with a heading; nothing where there are no rows. */
const table = (title: string, heads: readonly string[], rows: readonly (readonly string[])[]): string =>
  rows.length === 0
    ? ''
    : `<h3>${escaped(title)}</h3>
<table><thead>${row(heads, 'th')}</thead><tbody>
${rows.map((cells) => row(cells)).join('\n')}
</tbody></table>`;

const runsText = ({ succeeded, failed }: { readonly succeeded: number; readonly failed: number }): string =>
  `${succeeded} succeeded, ${failed} failed`;
const sidesText = ({ source, replica }: { readonly source: number; readonly replica: number }): string =>
  `${source} on the source, ${replica} on the replica`;

const drillsText = ({ runs: { drill } }: BucketReport): string =>
  drill.succeeded + drill.failed === 0 ? 'no drill on record' : `${drill.succeeded} passed, ${drill.failed} failed`;

/** Who is the primary, and what a failover would come to. */
const failoverFacts = ({ failover, runs }: BucketReport): readonly (readonly [string, string])[] => {
  if (!failover) return [];
  const { primary, epoch, since, isMoving, point, secondsExpected, basis, blockers } = failover;
  const who = since === null ? 'the source, ever since' : `the ${primary} since ${day(since)} (epoch ${epoch})`;
  const expected = secondsExpected === null ? '' : `, in about ${spanText(secondsExpected)} (${basis})`;
  return [
    ['primary', isMoving ? `on its way to the ${primary}` : who],
    ['failovers', runsText(runs.failover)],
    [
      'would fail over',
      [...(point ? [`to ${point.name}, of ${day(point.created)}${expected}`] : []), ...blockers].join('; ') || 'no',
    ],
  ];
};

const policyFacts = (policy: PolicyOfBucket): readonly (readonly [string, string])[] => {
  const { attainment } = policy;
  const name = `policy ${policy.policy}`;
  const facts: (readonly [string, string])[] = [
    [
      name,
      `a good point at most ${objectiveText(policy)} old: ${attainment ? `attained ${attainment.percent} of the time` : attained(policy)}`,
    ],
  ];
  if (attainment) {
    const { worstAgeSeconds, secondsWithoutPoint } = attainment;
    facts.push(['worst age', worstAgeSeconds === null ? 'there was no good point' : spanText(worstAgeSeconds)]);
    if (secondsWithoutPoint > 0)
      facts.push(['without any', `for ${spanText(secondsWithoutPoint)} no good point at all`]);
  }
  return facts;
};

const card = (bucket: BucketReport, chain: MonthlyReport['chains'][number] | undefined): string => {
  const { pair, measured, points, runs, deletions, comparisons, unreadable } = bucket;
  const facts: readonly (readonly [string, string])[] = [
    ...(bucket.policies.length === 0 ? [['policy', 'none is known of this bucket'] as const] : []),
    ...bucket.policies.flatMap(policyFacts),
    ['measured', measured ? `${day(measured.from)} to ${day(measured.until)}` : 'nothing: no sign of it in this month'],
    [
      'good points',
      `${points.good} at the end` +
        (points.newest ? `; the newest is ${points.newest.name}, of ${day(points.newest.created)}` : ''),
    ],
    ['backups', runsText(runs.backup)],
    ['prunes', runsText(runs.prune)],
    [
      'comparisons',
      bucket.good === 'taken'
        ? 'none: without a replica nothing is compared'
        : `${comparisons.equal} equal, ${comparisons.differing} with differences`,
    ],
    ['restores', runsText(runs.restore)],
    ['drills', drillsText(bucket)],
    ...failoverFacts(bucket),
    ['deleted by us', sidesText(deletions.byUs)],
    ['deleted by others', sidesText(deletions.byOthers)],
    ['condemned', `${bucket.condemned}; spared again: ${bucket.spared}`],
    ...(deletions.plans.length > 0 ? [['plans', deletions.plans.join(', ')] as const] : []),
    ...(unreadable > 0 ? [['not readable', `${unreadable} entries are of a newer version, or damaged`] as const] : []),
    [
      'record',
      chain?.head
        ? `whole: ${printHead(pair, chain.head)}`
        : `BROKEN at entry ${chain?.broken?.n}: ${chain?.broken?.why}`,
    ],
  ];
  const tone = toneOf(bucket, chain?.head !== null && chain?.head !== undefined);
  return `<article class="${tone}">
<h2>${escaped(pair)}</h2>
<dl>
${facts.map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`).join('\n')}
</dl>
${[
  table(
    'Runs that failed',
    ['when', 'run', 'error'],
    bucket.failures.map((it) => [day(it.at), it.runId, it.summary]),
  ),
  table(
    'Drills that passed',
    ['when', 'run', 'what was restored'],
    bucket.drilled.map((it) => [day(it.at), it.runId, it.summary]),
  ),
  table(
    'Restores',
    ['when', 'run', 'what was restored'],
    bucket.restored.map((it) => [day(it.at), it.runId, it.summary]),
  ),
  table(
    'Failovers',
    ['when', 'run', 'what became the primary'],
    bucket.failedOver.map((it) => [day(it.at), it.runId, it.summary]),
  ),
  table(
    'Differences found by comparison',
    ['when', 'point', 'what'],
    bucket.differences.map((it) => [day(it.at), it.point, it.detail]),
  ),
  table(
    'Decisions of people',
    ['when', 'who', 'words', 'reason', 'effect'],
    bucket.decisions.map((it) => [day(it.at), it.by, it.words, it.reason, it.effect]),
  ),
  table(
    'Less asked of the policy',
    ['when', 'policy', 'change', 'the former counts until'],
    bucket.weakenings.map((it) => [day(it.at), it.policy, it.change, day(it.until)]),
  ),
]
  .filter((it) => it !== '')
  .join('\n')}
</article>`;
};

const overview = ({ buckets, chains }: MonthlyReport): string => {
  const rows = buckets.flatMap((bucket) => {
    const chain = chains.find((it) => it.pair === bucket.pair);
    const tone = toneOf(bucket, chain?.head !== null && chain?.head !== undefined);
    const { backup } = bucket.runs;
    const of = (policy: PolicyOfBucket | undefined): string => {
      const worst = policy?.attainment?.worstAgeSeconds ?? null;
      const cells = [
        policy ? objectiveText(policy) : '',
        policy ? attained(policy) : 'no policy is known',
        worst === null ? '' : spanText(worst),
        runsText(backup),
        String(bucket.differences.length),
        drillsText(bucket),
        chain?.head ? 'whole' : 'BROKEN',
      ];
      return `<tr class="${tone}"><td>${escaped(bucket.pair)}</td><td>${escaped(policy?.policy ?? '')}</td>${cells
        .map((cell, i) => (i === 1 ? `<td class="toned">${escaped(cell)}</td>` : `<td>${escaped(cell)}</td>`))
        .join('')}</tr>`;
    };
    return bucket.policies.length === 0 ? [of(undefined)] : bucket.policies.map(of);
  });
  return `<table class="overview"><thead>${row(['bucket', 'policy', 'objective', 'attained', 'worst age', 'backups', 'differences', 'drills', 'record'], 'th')}</thead><tbody>
${rows.join('\n')}
</tbody></table>`;
};

/** @param digest SHA-256 of the JSON of the same report, in hex */
export const reportHtml = (report: MonthlyReport, digest: string): string => {
  const { month, from, until, complete, buckets, chains, withoutRecord } = report;
  const strange = chains.filter((chain) => !buckets.some((it) => it.pair === chain.pair));
  return page({
    title: `Evidence of ${month}, ${report.table}`,
    style: STYLE,
    body: `<h1>Evidence of ${escaped(month)}</h1>
<p class="soft">Ledger ${escaped(report.table)}, ${escaped(day(from))} to ${escaped(day(until))}${complete ? '' : ' (the month is not over)'}. A good point is
one whose content on both sides was compared and is equal; without a replica, one that was taken. Attained is the share of the
measured time in which there was a good point not older than the objective.</p>
${buckets.length === 0 ? '<p>Nothing is recorded of any bucket.</p>' : overview(report)}
${buckets
  .map((bucket) =>
    card(
      bucket,
      chains.find((it) => it.pair === bucket.pair),
    ),
  )
  .join('\n')}
${table(
  'Buckets of a policy of which nothing at all is recorded',
  ['policy', 'bucket'],
  withoutRecord.map((it) => [it.policy, it.bucket]),
)}
${table(
  'Records of no bucket',
  ['key', 'what'],
  strange.map((it) => [it.pair, it.broken?.why ?? '']),
)}
<p class="soft">SHA-256 of the JSON of this report: <code>${escaped(digest)}</code></p>`,
  });
};
