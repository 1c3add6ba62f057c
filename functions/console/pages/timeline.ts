import type { PointView } from '../../core/domain/explanation.ts';
import type { EpochMs } from '../../core/domain/units.ts';
import { instantText } from '../../core/planner/consequences.ts';
import { marks } from '../../core/planner/sentences.ts';
import { type Html, html } from '../html.ts';
import type { Tone } from '../parts.ts';

/** Each state has a form of its own: colour alone tells nobody who cannot see it. */
const STATES: Readonly<Record<PointView['state'], { readonly tone: Tone; readonly word: string }>> = {
  taken: { tone: 'none', word: 'taken: on the source alone' },
  sealed: { tone: 'warn', word: 'sealed: copied, not compared' },
  verified: { tone: 'good', word: 'verified: compared and equal' },
  differs: { tone: 'bad', word: 'differs: the copy is not what the source was' },
};

/** What a point is, in words. */
export const stateText = ({ state, drilled, verification }: PointView): string => {
  const level = state === 'verified' && verification ? ` (${verification.level})` : '';
  return `${state}${level}${drilled ? ', drilled' : ''}`;
};

const MODES = { bootstrap: 'B', incremental: 'I', resync: 'R' } as const;

const HEIGHT = 112;
const MIDDLE = 46;
const MARGIN = 28;
/** Closer points would lie on each other. */
const LEAST_GAP = 16;

const shape = ({ state }: Pick<PointView, 'state'>, x: number): Html => {
  switch (state) {
    case 'verified':
      return html`<circle class="odr-toned" cx="${x}" cy="${MIDDLE}" r="7" />`;
    case 'sealed':
      return html`<rect class="odr-toned" x="${x - 6}" y="${MIDDLE - 6}" width="12" height="12" />`;
    case 'taken':
      return html`<circle cx="${x}" cy="${MIDDLE}" r="6" fill="none" stroke="var(--tone)" stroke-width="2" />`;
    case 'differs':
      return html`<path d="M${x - 6},${MIDDLE - 6} l12,12 m0,-12 l-12,12" stroke="var(--tone)" stroke-width="3" fill="none" />`;
  }
};

/** Where each point is drawn: by its time, and never so near to its neighbour that they cover each other. */
const placed = (times: readonly EpochMs[], width: number): readonly number[] => {
  const [first = 0] = times;
  const span = Math.max(1, (times.at(-1) ?? first) - first);
  const room = width - 2 * MARGIN;
  const slack = Math.max(0, room - LEAST_GAP * (times.length - 1));
  return times.map((at, index) => Math.round(MARGIN + index * LEAST_GAP + ((at - first) / span) * slack));
};

/**
 * The points of a bucket in time, oldest on the left: state by form and colour, how it was copied by a letter, drills and
 * pins by marks. What is behind a point is in its title and in the table below.
 */
export const timeline = (points: readonly PointView[], now: EpochMs, wished: number): Html => {
  const oldestFirst = points.toReversed();
  const width = Math.max(wished, 2 * MARGIN + LEAST_GAP * oldestFirst.length);
  const times = [...oldestFirst.map(({ at }) => at), now];
  const xs = placed(times, width);
  const drawn = oldestFirst.map((point, index) => {
    const x = xs[index] ?? MARGIN;
    const { tone } = STATES[point.state];
    const kept = marks(point);
    const title = [point.name, instantText(point.at), stateText(point), point.mode ?? 'not copied', ...kept].join('\n');
    return html`<g class="odr-${tone}"><title>${title}</title>${shape(point, x)}${
      point.drilled &&
      html`<circle cx="${x}" cy="${MIDDLE}" r="11" fill="none" stroke="var(--tone)" stroke-width="1.5" />`
    }${kept.length > 0 && html`<path class="odr-toned" d="M${x - 5},${MIDDLE - 26} h10 l-5,9 z" />`}<text class="odr-soft" x="${x}" y="${MIDDLE + 28}" text-anchor="middle">${point.mode ? MODES[point.mode] : '–'}</text></g>`;
  });
  const nowX = xs.at(-1) ?? width - MARGIN;
  const dateOf = (at: number): string => instantText(at).slice(5, 16).replace('T', ' ');
  const [first] = oldestFirst;
  return html`<div class="odr-picture"><svg role="img" aria-label="${points.length} points in time; the table below has them all" width="${width}" height="${HEIGHT}" viewBox="0 0 ${width} ${HEIGHT}"><line x1="${MARGIN}" y1="${MIDDLE}" x2="${nowX}" y2="${MIDDLE}" stroke="var(--line)" />${drawn}<line x1="${nowX}" y1="${MIDDLE - 14}" x2="${nowX}" y2="${MIDDLE + 14}" stroke="var(--text)" stroke-dasharray="3 3" /><text class="odr-soft" x="${nowX}" y="${MIDDLE + 28}" text-anchor="middle">now</text>${
    first && html`<text class="odr-soft" x="${MARGIN - 12}" y="${HEIGHT - 10}">${dateOf(first.at)} UTC</text>`
  }<text class="odr-soft" x="${width - 12}" y="${HEIGHT - 10}" text-anchor="end">${dateOf(now)} UTC</text></svg></div>
<p class="odr-soft odr-wide">Filled circle: verified; ring around it: drilled; square: copied, not compared; hollow circle: on the source alone; cross: differs; triangle: pinned or held. B first copy, I increment, R compared and repaired.</p>`;
};
