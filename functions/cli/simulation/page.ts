import type { Side } from '../../core/domain/retention.ts';
import type { PlayedDay, Span } from './play.ts';
import { type ClusterUse, isOfItsDay, type PolicyReport, periodsOf, type Report, rowOf } from './report.ts';
import { ageText, clusterSentences, sentencesOf, spanText } from './words.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, (it) => ENTITIES[it] ?? it);

const STYLE = `
  :root { color-scheme: light dark; --page: #fbfbfa; --card: #fff; --text: #1d242e; --soft: #5b6675; --line: #d5dae1;
    --source: #1f5fbf; --replica: #a14a00; --out: #c2321f22; --bad: #c2321f; }
  @media (prefers-color-scheme: dark) { :root { --page: #14181e; --card: #1c222b; --text: #e7ebf0; --soft: #9aa6b4;
    --line: #343d49; --source: #7db1ff; --replica: #f0a356; --out: #ff7d6e33; --bad: #ff7d6e; } }
  body { margin: 0 auto; max-width: 1080px; padding: 24px 20px 60px; background: var(--page); color: var(--text);
    font: 15px/1.5 system-ui, sans-serif; }
  h1 { font-size: 22px; margin: 0; } h2 { font-size: 17px; margin: 28px 0 4px; } p { margin: 4px 0 12px; } .soft { color: var(--soft); }
  figure { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px; margin: 16px 0 8px; padding: 0; }
  figcaption { padding: 0 14px 10px; color: var(--soft); font-size: 13px; }
  svg { display: block; font: 12px system-ui, sans-serif; } svg text { fill: var(--text); } svg .soft { fill: var(--soft); }
  svg .grid { stroke: var(--line); stroke-width: 1; } svg .out { fill: var(--out); }
  svg .source { stroke: var(--source); } svg .replica { stroke: var(--replica); stroke-dasharray: 7 3; }
  svg .curve { fill: none; stroke-width: 1.6; } svg .limit { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 2 3; }
  svg .found-source { fill: var(--source); } svg .found-replica { fill: var(--replica); }
  table { border-collapse: collapse; width: 100%; font-size: 13px; } summary { cursor: pointer; color: var(--soft); margin: 8px 0; }
  th, td { text-align: right; padding: 3px 10px 3px 0; border-top: 1px solid var(--line); }
  th:first-child { text-align: left; } th { font-weight: 500; color: var(--soft); } caption { text-align: left; color: var(--soft); }
`;

const WIDTH = 1040;
const LEFT = 74;
const RIGHT = 14;
const ACROSS = WIDTH - LEFT - RIGHT;
/** More columns than these cannot be told apart: several days share one, at their worst. */
const MOST_COLUMNS = ACROSS;

const round = (value: number): string => String(Math.round(value * 10) / 10);

/** Places on the time axis, and days that share a column. */
interface Axis {
  readonly columns: readonly (readonly PlayedDay[])[];
  readonly x: (column: number) => number;
  readonly width: number;
}

const axisOf = (days: readonly PlayedDay[]): Axis => {
  const each = Math.max(1, Math.ceil(days.length / MOST_COLUMNS));
  const count = Math.max(1, Math.ceil(days.length / each));
  const columns = Array.from({ length: count }, (_, index) => days.slice(index * each, (index + 1) * each));
  const width = ACROSS / count;
  return { columns, x: (column) => LEFT + column * width, width };
};

/** A scale from nothing to a round number that is not below what is to be shown. */
const topOf = (most: number): number => {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= most) ?? 10 * power;
};

interface Panel {
  readonly y: number;
  readonly height: number;
  readonly top: number;
}

const gridOf = ({ y, height, top }: Panel, title: string, label: (value: number) => string): string =>
  [
    `<text x="${LEFT}" y="${y - 10}">${escaped(title)}</text>`,
    ...[0, 0.5, 1].map((share) => {
      const at = round(y + height * (1 - share));
      return `<line class="grid" x1="${LEFT}" y1="${at}" x2="${WIDTH - RIGHT}" y2="${at}" /><text class="soft" x="${LEFT - 8}" y="${Number(at) + 4}" text-anchor="end">${escaped(label(top * share))}</text>`;
    }),
  ].join('\n');

/** A stepped curve; where there is no value the curve is broken. */
const curveOf = (values: readonly (number | null)[], { y, height, top }: Panel, axis: Axis, kind: string): string => {
  let path = '';
  let isOpen = false;
  values.forEach((value, column) => {
    if (value === null) {
      isOpen = false;
      return;
    }
    const at = round(y + height * (1 - value / top));
    path += `${isOpen ? `V${at}` : `M${round(axis.x(column))} ${at}`}H${round(axis.x(column + 1))}`;
    isOpen = true;
  });
  return path === '' ? '' : `<path class="curve ${kind}" d="${path}" />`;
};

const mostOf = (days: readonly PlayedDay[], of: (day: PlayedDay) => number | null): number | null =>
  days.reduce<number | null>((most, day) => {
    const value = of(day);
    return value === null ? most : Math.max(most ?? 0, value);
  }, null);

const outagesOf = (outages: readonly Span[], days: readonly PlayedDay[], y: number, height: number): string => {
  const [first] = days;
  const last = days.at(-1);
  if (!first || !last) return '';
  const x = (at: number): number => LEFT + (ACROSS * (at - first.from)) / (last.to - first.from);
  const clamp = (at: number): number => Math.min(Math.max(at, first.from), last.to);
  return outages
    .map(({ from, to }) => [x(clamp(from)), x(clamp(to))] as const)
    .filter(([from, to]) => to > from)
    .map(
      ([from, to]) =>
        `<rect class="out" x="${round(from)}" y="${y}" width="${round(Math.max(to - from, 1))}" height="${height}" />`,
    )
    .join('\n');
};

const datesOf = ({ columns, x }: Axis, y: number): string => {
  const step = Math.max(1, Math.ceil(columns.length / 8));
  return columns
    .flatMap((days, column) => {
      const date = days[0]?.date;
      return column % step === 0 && date && x(column) < WIDTH - 70
        ? [`<text class="soft" x="${round(x(column))}" y="${y}">${date}</text>`]
        : [];
    })
    .join('\n');
};

/** Of which days a restore finds a point of that very day: one strip per side, neighbours joined. */
const stripOf = (axis: Axis, side: Side, y: number): string => {
  const found = axis.columns.map((days) => days.some((day) => isOfItsDay(day, side)));
  const runs: string[] = [];
  for (let from = 0; from < found.length; from++) {
    if (!found[from]) continue;
    let to = from;
    while (found[to + 1]) to++;
    const width = axis.width * (to - from + 1);
    runs.push(
      `<rect class="found-${side}" x="${round(axis.x(from))}" y="${y}" width="${round(Math.max(width - (axis.width > 3 ? 1 : 0), 0.6))}" height="12" />`,
    );
    from = to;
  }
  return `<text class="soft" x="${LEFT - 8}" y="${y + 10}" text-anchor="end">${side}</text>\n${runs.join('\n')}`;
};

const altOf = ({ policy, days }: PolicyReport): string => {
  const last = days.at(-1);
  const first = days[0];
  if (!first || !last) return 'No days were played.';
  const sources = Math.max(...days.map(({ mostSource }) => mostSource));
  const replicas = Math.max(...days.map(({ mostReplica }) => mostReplica));
  const replica = policy.replica ? `, on the replica at most ${replicas} and ${last.replica}` : '';
  return `Points of one bucket of ${policy.name} by day from ${first.date} to ${last.date}: on the source at most ${sources} and ${last.source} in the end${replica}; below it how old the newest point was at worst, and of which days a restore finds a point in the end. The figures are in the table below.`;
};

const pictureOf = (report: PolicyReport, outages: readonly Span[]): string => {
  const { policy, days } = report;
  const axis = axisOf(days);
  const hasReplica = policy.replica !== null;
  const of = (value: (day: PlayedDay) => number | null) => axis.columns.map((those) => mostOf(those, value));
  const counts = { source: of((day) => day.mostSource), replica: hasReplica ? of((day) => day.mostReplica) : [] };
  const ages = { source: of((day) => day.rpoSource), replica: hasReplica ? of((day) => day.rpoReplica) : [] };
  const biggest = (values: readonly (number | null)[]): number => Math.max(1, ...values.map((value) => value ?? 0));
  const points: Panel = { y: 40, height: 150, top: topOf(biggest([...counts.source, ...counts.replica])) };
  const hours = biggest([...ages.source, ...ages.replica]) / 3600;
  const age: Panel = { y: 240, height: 90, top: topOf(hours) * 3600 };
  const height = hasReplica ? 426 : 408;
  const alt = altOf(report);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(alt)}">
<title>${escaped(`Points of one bucket of ${policy.name}`)}</title>
<desc>${escaped(alt)}</desc>
${outagesOf(outages, days, points.y, height - points.y - 22)}
${gridOf(points, 'points there', (value) => String(value))}
${curveOf(counts.source, points, axis, 'source')}
${curveOf(counts.replica, points, axis, 'replica')}
${gridOf(age, 'newest point, at worst', (value) => ageText(Math.round(value)))}
${curveOf(ages.source, age, axis, 'source')}
${curveOf(ages.replica, age, axis, 'replica')}
<text x="${LEFT}" y="362">days that can be restored in the end, to a point of that day</text>
${stripOf(axis, 'source', 370)}
${hasReplica ? stripOf(axis, 'replica', 388) : ''}
${datesOf(axis, height - 6)}
</svg>`;
};

const tableOf = ({ policy, days }: PolicyReport): string => {
  const rows = periodsOf(days).map((period) => {
    const row = rowOf(period);
    const cells = [
      String(row.source),
      policy.replica ? String(row.replica) : '-',
      ageText(row.rpoSource),
      ageText(row.rpoReplica),
      `${row.foundSource} of ${row.days}`,
      policy.replica ? `${row.foundReplica} of ${row.days}` : '-',
    ];
    return `<tr><th scope="row">${row.label}</th>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`;
  });
  const heads = [
    'most points on the source',
    'most points on the replica',
    'newest point on the source at worst',
    'newest point on the replica at worst',
    'days found on the source',
    'days found on the replica',
  ];
  return `<details open="open"><summary>The same in figures</summary>
<table><caption>Of one bucket, ${rows.length === days.length ? 'by day' : 'by month'}</caption>
<tr><th scope="col">when</th>${heads.map((head) => `<th scope="col">${head}</th>`).join('')}</tr>
${rows.join('\n')}
</table></details>`;
};

const sectionOf = (report: PolicyReport, outages: readonly Span[]): string => {
  const { policy } = report;
  const buckets = policy.buckets.length;
  return `<section>
<h2>${escaped(policy.name)}</h2>
<p class="soft">Each of ${buckets} bucket${buckets === 1 ? '' : 's'}, ${escaped(policy.source.name)} to ${escaped(policy.replica?.name ?? 'nowhere')}.</p>
<ul>
${sentencesOf(report)
  .map((sentence) => `<li>${escaped(sentence)}</li>`)
  .join('\n')}
</ul>
<figure>
${pictureOf(report, outages)}
<figcaption>Whole line and upper strip: source. Broken line and lower strip: replica. Shaded: the replica was out of reach.</figcaption>
</figure>
${tableOf(report)}
</section>`;
};

const useRow = ({ cluster, limit, most, expected, exhausted }: ClusterUse): string => {
  const cells = [
    String(most.snapshots),
    most.date,
    String(expected),
    String(limit),
    exhausted === null ? 'never' : new Date(exhausted).toISOString().slice(0, 10),
  ];
  return `<tr><th scope="row">${escaped(cluster)}</th>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`;
};

/** The page: for each policy a picture and its figures. No scripts, nothing loaded. */
export const reportPage = (report: Report): string => `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<title>Simulation of ${escaped(report.policies.map(({ policy }) => policy.name).join(', '))}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Simulation of ${escaped(report.policies.map(({ policy }) => policy.name).join(', '))}</h1>
<p class="soft">${escaped(spanText(report))}${
  report.outages.length > 0 ? `. The replica was out of reach ${escaped(report.outages.map(spanText).join('; '))}` : ''
}.</p>
${report.policies.map((one) => sectionOf(one, report.outages)).join('\n')}
<section>
<h2>Snapshots of all buckets together</h2>
<ul>
${clusterSentences(report)
  .map((sentence) => `<li>${escaped(sentence)}</li>`)
  .join('\n')}
</ul>
<table><caption>By Ozone Manager, which limits the snapshots of all its buckets</caption>
<tr><th scope="col">cluster</th><th scope="col">most</th><th scope="col">on</th><th scope="col">by calculation up to</th><th scope="col">limit</th><th scope="col">passed on</th></tr>
${report.clusters.map(useRow).join('\n')}
</table>
</section>
</body>
</html>
`;
