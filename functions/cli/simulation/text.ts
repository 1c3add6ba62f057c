import { type PolicyReport, periodsOf, type Report, rowOf } from './report.ts';
import { ageText, clusterSentences, sentencesOf, spanText } from './words.ts';

const HEADS = ['', 'points', 'points', 'newest point at worst', 'newest point at worst', 'found', 'found'] as const;

const tableOf = ({ days, policy }: PolicyReport): readonly string[] => {
  const rows = periodsOf(days).map((period) => {
    const row = rowOf(period);
    return [
      row.label,
      String(row.source),
      policy.replica ? String(row.replica) : '-',
      ageText(row.rpoSource),
      ageText(row.rpoReplica),
      `${row.foundSource}/${row.days}`,
      policy.replica ? `${row.foundReplica}/${row.days}` : '-',
    ];
  });
  const sides = ['', 'source', 'replica', 'source', 'replica', 'source', 'replica'];
  const all = [HEADS, sides, ...rows];
  const widths = HEADS.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
};

/** What a terminal shows. */
export const reportText = (report: Report): string =>
  [
    `Simulated ${spanText(report)}${report.outages.length > 0 ? '; the replica was out of reach:' : ''}`,
    ...report.outages.map((outage) => `  ${spanText(outage)}`),
    ...report.policies.flatMap((one) => {
      const buckets = one.policy.buckets.length;
      return [
        '',
        `${one.policy.name}, each of ${buckets} bucket${buckets === 1 ? '' : 's'}`,
        ...sentencesOf(one).map((sentence) => `  ${sentence}`),
        '',
        ...tableOf(one).map((line) => `  ${line}`),
      ];
    }),
    '',
    'points: the most at any time. found: days of which a restore finds, in the end, a point of that very day.',
    '',
    'Snapshots of all buckets together',
    ...clusterSentences(report).map((sentence) => `  ${sentence}`),
    '',
  ].join('\n');
