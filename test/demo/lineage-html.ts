import { page } from '../../functions/cli/markup.ts';
import type { RunStep } from '../../functions/core/domain/ledger.ts';
import { escaped } from '../../functions/core/domain/text.ts';
import {
  bytesText,
  dayOfSnapshot,
  type Lineage,
  type LineageNight,
  labelOfSlot,
  monthOf,
  proofOf,
  secondsText,
  withDays,
} from './lineage.ts';
import { wrap } from './narrate.ts';

const COLUMN = 122;
const LEFT = 62;
const PROD = 96;
const DR = 206;
const HEIGHT = 352;

const STYLE = `
  svg .day { font-weight: 600; font-size: 13px; } svg .lane { stroke: var(--line); stroke-width: 1; }
  svg .edge { stroke: var(--tone); stroke-width: 2; fill: none; }
  svg .pair { stroke: var(--tone); stroke-width: 4; } svg .hollow { stroke: var(--tone); stroke-width: 1.5; stroke-dasharray: 3 3; fill: none; }
`;

const toneOf = ({ result, point }: LineageNight): string => {
  if (result === 'failed') return 'bad';
  if (result === 'missed') return 'none';
  return point?.mode === 'resync' ? 'repair' : 'good';
};

const labelOf = ({ result, point }: LineageNight): string => {
  switch (result) {
    case 'verified':
      return `verified, ${point?.mode ?? 'without a mode'}`;
    case 'failed':
      return point ? 'failed, source snapshot kept' : 'failed';
    case 'missed':
      return 'missed, no run';
  }
};

/** The page: a picture of both sides by night, and the evidence of each point below it. No scripts, nothing loaded. */
export const lineageHtml = (lineage: Lineage): string => {
  const { bucket, source, replica, nights } = lineage;
  const verified = nights.filter((it) => it.result === 'verified').length;
  const [first] = nights;
  return page({
    title: `Lineage of ${bucket}`,
    style: STYLE,
    body: `<h1>Lineage of ${escaped(bucket)}</h1>
<p class="soft">${escaped(source)} to ${escaped(replica)}, ${first ? escaped(monthOf(first.slot)) : ''}: ${nights.length} slots, ${verified} verified points. A filled pair joined by a
thick line was compared and is equal. An arrow leads from the base of an increment to the point that was made from it.</p>
<div class="picture">
${picture(lineage)}
</div>
${nights.map((night) => card(lineage, night)).join('\n')}`,
  });
};

const picture = ({ source, replica, nights }: Lineage): string => {
  // The last column's word stands at the right of its line.
  const width = LEFT + nights.length * COLUMN + 30;
  const x = (index: number): number => LEFT + index * COLUMN + COLUMN / 2;
  const arrows = nights.flatMap(({ point }, to) => {
    const from = point?.base ? nights.findIndex((it) => it.point?.name === point.base) : -1;
    return from < 0 ? [] : [arrow(x(from), x(to))];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${HEIGHT}" viewBox="0 0 ${width} ${HEIGHT}" role="img" aria-label="Points of both sides by night">
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="good toned" d="M0 0 8 4 0 8z" /></marker></defs>
${lane(source, PROD, width)}
${lane(replica, DR, width)}
${arrows.join('\n')}
${nights.map((night, index) => column(night, x(index))).join('\n')}
</svg>`;
};

const lane = (name: string, y: number, width: number): string =>
  `<text x="14" y="${y + 4}" class="day">${escaped(name)}</text><line class="lane" x1="${LEFT}" y1="${y}" x2="${width}" y2="${y}" />`;

/** From the base's replica to the next one's, below the lane. */
const arrow = (from: number, to: number): string =>
  `<path class="good edge" marker-end="url(#tip)" d="M${from + 5} ${DR + 9} C${from + 24} ${DR + 44} ${to - 24} ${DR + 44} ${to - 6} ${DR + 10}" />`;

const column = (night: LineageNight, x: number): string => {
  const { slot, title, point, result } = night;
  const copied =
    point?.changed === false ? 'nothing changed' : point?.bytesCopied ? `${bytesText(point.bytesCopied)} copied` : '';
  const words = [
    ...wrap(title, 18).map((line) => ({ line, tone: 'soft' })),
    ...(copied === '' ? [] : [{ line: copied, tone: '' }]),
  ];
  const mode = point?.mode ?? (result === 'missed' ? 'no run' : 'not reached');
  return `<g class="${toneOf(night)}"><title>${escaped(withDays(night.sentence))}</title>
<text x="${x}" y="34" text-anchor="middle" class="day">${escaped(labelOfSlot(slot))}</text>
<text x="${x}" y="58" text-anchor="middle" class="toned">${escaped(point?.state ?? result)}</text>
${point?.replica ? `<line class="${point.state === 'verified' ? 'pair' : 'hollow'}" x1="${x}" y1="${PROD}" x2="${x}" y2="${DR}" />` : ''}
${point ? `<g class="good">${dot(x, PROD, true)}</g>` : dot(x, PROD, false)}
${dot(x, DR, point?.state === 'verified')}
<text x="${x + 10}" y="${(PROD + DR) / 2 + 4}" class="toned">${escaped(mode)}</text>
${words.map(({ line, tone }, row) => `<text x="${x}" y="${DR + 66 + row * 16}" text-anchor="middle" class="${tone}">${escaped(line)}</text>`).join('\n')}
</g>`;
};

const dot = (x: number, y: number, filled: boolean): string =>
  `<circle class="${filled ? 'toned' : 'hollow'}" cx="${x}" cy="${y}" r="8" />`;

const card = ({ source, replica }: Lineage, night: LineageNight): string => {
  const { slot, title, sentence, point, steps, readBack } = night;
  const why = steps.flatMap(({ decision, observed }) =>
    decision.kind === 'replicate'
      ? [
          `${decision.mode}: ${withDays(decision.reason)}${observed?.kind === 'not-done' ? ` (${outcomeOf(observed)})` : ''}`,
        ]
      : [],
  );
  const side = (
    name: string,
    seen: { readonly id: string; readonly created: number } | null,
  ): readonly [string, string] => [
    `on ${name}`,
    seen ? `${seen.id}, created ${new Date(seen.created).toISOString()}` : 'no snapshot of this point',
  ];
  const facts: readonly (readonly [string, string])[] = [
    ['what came of it', withDays(sentence)],
    ...(why.length > 0 ? [['why this copy', why.join('; then ')] as const] : []),
    ...(point ? [['proved', proofOf(point)] as const] : []),
    ...(point?.verification
      ? [['not proved', 'content: this level reads no file. The digest below is that of the listing.'] as const]
      : []),
    ...(readBack === null ? [] : [['read back', readBack] as const]),
    ...(point ? [['snapshot', point.name] as const, side(source, point.source), side(replica, point.replica)] : []),
    ...(point?.base ? [['base', `${dayOfSnapshot(point.base)} (${point.base})`] as const] : []),
    ...(point?.verification ? [['digest', point.verification.digest] as const] : []),
  ];
  return `<article class="${toneOf(night)}">
<h2>${escaped(labelOfSlot(slot))} · ${escaped(title)} <span class="badge">${escaped(labelOf(night))}</span></h2>
<dl>
${facts.map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`).join('\n')}
</dl>
${steps.length === 0 ? '' : stepsTable(steps)}
</article>`;
};

const stepsTable = (steps: readonly RunStep[]): string => `<details><summary>${steps.length} decisions</summary>
<table><tr><th>#</th><th>decision</th><th>reason</th><th>what came of it</th><th>took</th></tr>
${steps.map(stepRow).join('\n')}
</table></details>`;

const stepRow = ({ n, decision, observed, decidedAt, observedAt }: RunStep): string => {
  const what = decision.kind === 'replicate' ? `${decision.kind}, ${decision.mode}` : decision.kind;
  const took = observedAt === null ? '' : secondsText((observedAt - decidedAt) / 1000);
  const cells = [String(n), what, withDays(decision.reason), outcomeOf(observed), took].map(escaped);
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
};

const outcomeOf = (observed: RunStep['observed']): string => {
  switch (observed?.kind) {
    case undefined:
      return '';
    case 'survey':
      return [
        `source: ${observed.source.state}, ${observed.active.source} snapshots`,
        ...(observed.replica ? [`replica: ${observed.replica.state}, ${observed.active.replica} snapshots`] : []),
      ].join('; ');
    case 'snapshot':
      return `${observed.snapshot.name}, diff ${observed.diff}`;
    case 'diff':
      return `diff ${observed.status}`;
    case 'replicate': {
      const { copy, seal, detached } = observed.data;
      if (detached) return 'started, goes on without its command';
      return `${copy ? `${copy.filesCopied} files, ${bytesText(copy.bytesCopied)}` : 'nothing to copy'}; ${seal ? 'sealed' : 'not sealed'}`;
    }
    case 'verify':
      return observed.data.equal ? 'equal' : 'differs';
    case 'unchanged':
      return observed.data.unchanged ? 'nothing had changed; sealed' : 'changed';
    case 'bucket':
      return observed.created ? 'the bucket was made' : 'the bucket was there';
    case 'tidy':
    case 'deletion':
      return `${observed.data.removed.length} removed, ${observed.data.kept.length} kept`;
    case 'probe':
      return `the copy is ${observed.state}`;
    case 'examination':
      return `${observed.data.point.files} files, ${bytesText(observed.data.point.bytes)} to restore; target: ${observed.data.target.state}`;
    case 'restored':
      return observed.data.copy
        ? `${observed.data.copy.filesCopied} files, ${bytesText(observed.data.copy.bytesCopied)}`
        : 'nothing to copy';
    case 'comparison':
      return observed.data.equal ? 'equal' : 'differs';
    case 'divergence':
      return `${observed.data.both.paths} paths changed on both sides`;
    case 'restricted':
      return `ACL ${observed.data.after.join(', ')}`;
    case 'scratch':
      return observed.removed ? 'the scratch bucket was removed' : 'the scratch bucket was gone already';
    case 'looked':
      return 'looked into';
    case 'not-done':
      return `${observed.outcome}: ${observed.code} ${observed.message}`;
    case 'no-answer':
      return `no answer: ${observed.error} ${observed.cause}`;
    case 'elapsed':
      return 'the wait is over';
  }
};
