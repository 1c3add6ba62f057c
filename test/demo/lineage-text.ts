import { bytesText, dayOfSnapshot, type Lineage, type LineageNight, labelOfSlot } from './lineage.ts';
import { type Paper, paint } from './narrate.ts';

/**
 * The line from each base down to its increment, one character per night: `╭` a base, `├` an increment that is the next
 * one's base, `╰` the newest, `│` a night in between.
 */
const baseLine = (nights: readonly LineageNight[]): readonly string[] => {
  const rowOf = (name: string | null | undefined) => nights.findIndex((it) => it.point?.name === name);
  const arrows = nights.flatMap(({ point }, to) => (point?.base ? [{ from: rowOf(point.base), to }] : []));
  return nights.map((_, row) => {
    const ends = arrows.some((it) => it.to === row);
    const begins = arrows.some((it) => it.from === row);
    if (ends) return begins ? '├▸' : '╰▸';
    if (begins) return '╭ ';
    return arrows.some((it) => it.from < row && row < it.to) ? '│ ' : '  ';
  });
};

const pairOf = ({ point }: LineageNight): string => {
  if (!point) return '·     ·';
  if (!point.replica) return '●     ·';
  return point.state === 'verified' ? '●━━━━━●' : '●╌╌╌╌╌○';
};

/** The lineage as a table of nights, oldest first, the two sides drawn at the left. */
export const lineageText = (
  { bucket, source, replica, nights }: Lineage,
  paper: Pick<Paper, 'colour'>,
): readonly string[] => {
  const lanes = baseLine(nights);
  const row = (cells: readonly string[]): string =>
    [14, 12, 12, 10, 8, 10, 0].map((width, i) => (cells[i] ?? '').padEnd(width)).join(' ');
  const table = nights.map((night, index) => {
    const { slot, point, result } = night;
    const state = point ? point.state : result;
    const proof = point?.verification
      ? `${point.verification.files} files, ${point.verification.dirs} directories`
      : result === 'missed'
        ? 'no point: the run never started'
        : 'the source’s snapshot is kept, not replicated';
    const cells = row([
      `${pairOf(night)} ${lanes[index] ?? ''}`,
      point?.mode ?? '–',
      point?.base ? dayOfSnapshot(point.base) : '–',
      state,
      point?.changed === null || !point ? '–' : point.changed ? 'yes' : 'no',
      point?.bytesCopied === null || !point ? '–' : bytesText(point.bytesCopied),
      proof,
    ]);
    return `  ${labelOfSlot(slot).padEnd(12)}  ${state === 'verified' ? cells : paint(paper, 'yellow', cells)}`;
  });
  const head = row([
    `${source.padEnd(5)}${replica.padEnd(3)} base`,
    'mode',
    'base',
    'state',
    'changed',
    'copied',
    'compared',
  ]);
  return [
    paint(paper, 'bold', `Lineage of ${bucket}`),
    paint(paper, 'dim', `  ${'slot'.padEnd(12)}  ${head}`),
    ...table,
    paint(paper, 'dim', '  ● snapshot   ━ compared and equal (verified)   ▸ copied as the difference from that base'),
  ];
};
