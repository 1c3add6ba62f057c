import type { BucketPage, PointView, SideView } from '../domain/explanation.ts';
import type { Readiness } from '../domain/readiness.ts';
import { instantText, spanText } from './consequences.ts';

/** What an explanation says, in sentences: the same on a terminal and on a dashboard. */

export const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

export const bytesText = (bytes: number): string => {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return power === 0 ? `${bytes} B` : `${(bytes / 1000 ** power).toFixed(1)} ${units[power]}`;
};

const aged = (it: NonNullable<BucketPage['safe']['newestGood']>): string =>
  `${it.name} of ${instantText(it.at)}, ${spanText(it.age)} old`;

export const safety = ({ safe, replica }: BucketPage): readonly string[] => {
  const proof = replica ? 'verified' : 'taken';
  return [
    safe.newestGood
      ? `newest ${proof} point: ${aged(safe.newestGood)}; ${spanText(safe.objective)} are allowed`
      : `no point was ever ${proof}${replica ? ` on ${replica}` : ''}: there is nothing to restore from`,
    ...(replica && safe.newestTaken && safe.newestTaken.name !== safe.newestGood?.name
      ? [`newest snapshot on the source: ${aged(safe.newestTaken)}`]
      : []),
  ];
};

const NEXT: Readonly<Record<SideView['next'], string>> = {
  keep: '',
  spare: ', stays after all',
  condemn: '',
  delete: ', goes',
  nothing: '',
};

/** A side in the table of points. */
export const sideText = (side: SideView | null): string => {
  if (!side) return '–';
  if (side.state === 'deleted') return `deleted ${side.deletedAt === null ? '' : instantText(side.deletedAt)}`.trim();
  if (side.state === 'deleting') return 'being deleted';
  if (side.next === 'condemn') return `goes after ${instantText(side.due ?? 0)}`;
  return `${side.state}${NEXT[side.next]}`;
};

/** How long something takes, never shown shorter than it is. */
export const takes = (seconds: number): string => {
  if (seconds < 600) return `${seconds} s`;
  return seconds < 36_000 ? `${Math.ceil(seconds / 60)} min` : spanText(Math.ceil(seconds / 3600) * 3600);
};

export const drillText = ({ at, from, seconds, level }: NonNullable<PointView['drilled']>): string =>
  `drilled ${instantText(at)}, restored from the ${from} in ${takes(seconds)} and equal by ${level}`;

export const howLong = ({ forecast: it, drills: { last, due, isScheduled } }: BucketPage): readonly string[] => [
  ...(it
    ? [
        `all of ${it.name} (${count(it.files, 'file')}, ${bytesText(it.bytes)}): about ${takes(it.seconds)}, which is ${it.isWithin ? 'within' : 'MORE THAN'} the RTO of ${spanText(it.objective)}; ${it.basis}`,
      ]
    : []),
  last
    ? `last drill that passed: ${last.point}, ${drillText(last.drill)}, ${spanText(last.age)} ago`
    : 'no drill ever passed',
  ...(isScheduled
    ? [due === null ? 'no slot of drills has come yet' : `the next one has to pass by ${instantText(due)}`]
    : ['the policy has no drills']),
];

/** Whether it could be failed over now, what would be lost, and what is in the way: the first one answers. */
export const failingOver = ({ from, to, role, point, takes: work, remarks }: Readiness): readonly string[] => [
  role === null
    ? `primary: ${from}, ever since`
    : `primary: ${role.primary === 'source' ? from : to}, since ${instantText(role.since)} (epoch ${role.epoch}${role.state === 'moving' ? ', on its way' : ''})`,
  ...(point
    ? [
        `${to} would begin with ${point.name} of ${instantText(point.at)}: what was written to ${from} in the last ${spanText(point.age)} would be lost; a planned failover makes a last backup first, and loses nothing`,
      ]
    : []),
  ...(point && work
    ? [
        `about ${takes(work.seconds)}, which is ${work.isWithin ? 'within' : 'MORE THAN'} the RTO of ${spanText(work.objective)}; ${work.basis}`,
      ]
    : []),
  // Where the roles are is told among the troubles.
  ...remarks.flatMap(({ kind, text, remedy }) =>
    kind === 'failed-over' || kind === 'moving' ? [] : [`${text}. ${remedy}`],
  ),
];

/** Could it be failed over now? In a few words. */
export const readyText = ({ isReady, to, role, remarks }: Readiness): string => {
  if (role?.state === 'moving') return 'it is on its way';
  if (role?.primary === 'replica') return `it was, to ${to}`;
  if (isReady) return remarks.some(({ blocks }) => blocks === 'planned') ? 'yes, but not as planned' : 'yes';
  return remarks.every(({ blocks, until }) => blocks !== 'now' || until !== null) ? 'not at the moment' : 'no';
};

export const marks = ({ pins, holds, pinned }: PointView): readonly string[] => [
  ...pins.map(({ by, reason }) => `pinned by ${by}: ${reason}`),
  ...(pinned === null ? [] : [`pinned: ${pinned}`]),
  ...holds.map(
    ({ by, reason, until }) =>
      `legal hold of ${by} ${until === null ? 'without end' : `until ${instantText(until)}`}: ${reason}`,
  ),
];

/** When a snapshot goes is told beside its reasons. */
export const whyOf = (...sides: readonly (SideView | null)[]): string =>
  [...new Set(sides.flatMap((side) => side?.reasons ?? []))]
    .filter((reason) => !reason.startsWith('may go after'))
    .join(', ');
