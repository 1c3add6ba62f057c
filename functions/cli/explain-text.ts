import type { BucketPage, Consequence, PointPage, SideView } from '../core/domain/explanation.ts';
import type { RetentionRules } from '../core/domain/retention.ts';
import { visible } from '../core/domain/text.ts';
import { instantText, spanText } from '../core/planner/consequences.ts';
import { isFailedOver } from '../core/planner/roles.ts';
import {
  bytesText,
  count,
  drillText,
  failingOver,
  howLong,
  marks,
  readyText,
  safety,
  sideText,
  whyOf,
} from '../core/planner/sentences.ts';

/** Longer causes are told whole by --json. */
const LONGEST = 700;

const line = (text: string): string => {
  const flat = visible(text).replace(/\s*\n\s*/g, ' ');
  return flat.length > LONGEST ? `${flat.slice(0, LONGEST)} … (--json shows all)` : flat;
};

const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : ['', title, ...lines.map((it) => `  ${line(it)}`)];

/** Columns as wide as their widest cell; the last one is as long as it is. */
const table = (rows: readonly (readonly string[])[]): readonly string[] => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
};

const inShort = (hash: string): string => hash.slice(0, 12);

const head = (page: BucketPage | PointPage): readonly string[] => [
  `${page.bucket}, policy ${page.policy}: ${page.source}${page.replica ? ` → ${page.replica}` : ', no replica'}, at ${instantText(page.now)}`,
  `(${page.basis})`,
];

const ANSWERS: Readonly<Record<BucketPage['safe']['answer'], string>> = {
  yes: 'YES',
  late: 'NO, IT IS LATE',
  no: 'NO',
};

const pointsTable = ({ points, source, replica }: BucketPage): readonly string[] =>
  table([
    ['time', 'point', 'state', source, ...(replica ? [replica] : []), 'why'],
    ...points.map((point) => [
      instantText(point.at),
      point.name,
      point.drilled ? `${point.state}, drilled` : point.state,
      sideText(point.source),
      ...(replica ? [sideText(point.replica)] : []),
      whyOf(point.source, point.replica),
    ]),
  ]);

const rulesText = ({ minGood, ...rules }: RetentionRules): string =>
  [
    ...Object.entries(rules).map(([rule, value]) => `${rule} ${value}`),
    ...(minGood === undefined ? [] : [`minGood ${minGood}`]),
  ].join(', ');

const rules = ({ rules: inForce, source, replica }: BucketPage): readonly string[] => {
  if (!inForce) return [];
  const of = (cluster: string, all: NonNullable<BucketPage['rules']>['source']): readonly string[] =>
    all.map(({ rules: one, zone, until }) => {
      const former = until === null ? '' : ` (counts also until ${instantText(until)}, because it was so before)`;
      return `${cluster}: ${rulesText(one)}, in ${zone}${former}`;
    });
  return [...of(source, inForce.source), ...(replica ? of(replica, inForce.replica) : [])];
};

const nextPlan = ({ nextPlan: plan }: BucketPage): readonly string[] => {
  switch (plan.kind) {
    case 'none':
      return [plan.reason];
    case 'refused':
      return [`would be refused: ${plan.reason}`];
    case 'plan':
      return [
        `deletes ${count(plan.delete, 'snapshot')}, lets ${plan.condemn} wait for their deletion, takes ${count(plan.spare, 'condemnation')} back, keeps ${plan.keep}`,
      ];
  }
};

export const bucketText = (page: BucketPage): string =>
  [
    ...head(page),
    ...section(
      `Am I safe? ${isFailedOver(page.readiness?.role ?? null) ? 'NOT BY THESE POINTS' : ANSWERS[page.safe.answer]}`,
      safety(page),
    ),
    ...section(
      'What is late or wrong, and why?',
      page.troubles.map(({ text }) => text),
    ),
    ...section(
      'How do I get data back?',
      page.copies.map((copy) => `${copy.cluster}: ${copy.url} (${copy.proof})`),
    ),
    ...section('How long would that take?', howLong(page)),
    ...(page.readiness
      ? section(`Could it be failed over now? ${readyText(page.readiness).toUpperCase()}`, failingOver(page.readiness))
      : []),
    ...section('Which rules are in force?', rules(page)),
    ...section('What would the next plan do?', nextPlan(page)),
    ...section(
      page.pointsLeftOut > 0
        ? `Points (the newest ${page.points.length} of ${page.points.length + page.pointsLeftOut}; --all shows every one)`
        : `Points (${page.points.length})`,
      page.points.length > 0 ? pointsTable(page) : ['none'],
    ),
    ...(page.points.length > 0
      ? ['', `  Everything about one of them: npm run explain -- ${page.bucket} --point <name>`]
      : []),
    ...section(
      'Drills',
      page.points.flatMap(({ name, drilled }) => (drilled ? [`${name}: ${drillText(drilled)}`] : [])),
    ),
    ...section(
      'Pins and legal holds',
      page.points.flatMap((point) => marks(point).map((mark) => `${point.name}: ${mark}`)),
    ),
    '',
  ].join('\n');

/** What the next plan makes of one snapshot, in a sentence. */
const fate = (cluster: string, side: SideView): string => {
  const reasons = whyOf(side);
  const condemned =
    side.condemnedAt === null || side.state === 'deleted'
      ? ''
      : ` (condemned ${instantText(side.condemnedAt)}${side.plan ? ` by the plan ${inShort(side.plan)}` : ''})`;
  if (side.state === 'deleted')
    return `${cluster}: deleted${side.deletedAt === null ? '' : ` ${instantText(side.deletedAt)}`}: ${reasons}`;
  if (side.state === 'deleting') return `${cluster}: is being deleted right now${condemned}: ${reasons}`;
  switch (side.next) {
    case 'keep':
      return `${cluster}: stays: ${reasons}`;
    case 'spare':
      return `${cluster}: stays after all${condemned}: ${reasons}`;
    case 'condemn':
      return `${cluster}: goes after ${instantText(side.due ?? 0)}${condemned}: ${reasons}`;
    case 'delete':
      return `${cluster}: the next plan deletes it${condemned}: ${reasons}`;
    case 'nothing':
      return `${cluster}: no plan touches it: ${reasons}`;
  }
};

const lineage = ({ lineage: it, point, replica }: PointPage): readonly string[] => {
  const copied =
    it.filesCopied === null
      ? ''
      : `: ${count(it.filesCopied, 'file')}, ${bytesText(it.bytesCopied ?? 0)}${it.copySeconds === null ? '' : ` in ${spanText(it.copySeconds)}`}`;
  const verified = it.verification;
  return [
    `snapshot of ${instantText(point.at)}, for the slot ${instantText(it.slot)}, attempt ${it.attempt} (${it.runId})`,
    ...(point.group
      ? [`of one instant with the points of the other buckets of ${point.policy} that have ${point.group}`]
      : []),
    ...(it.mode === null
      ? [replica ? 'not copied' : 'a policy without a replica copies nothing']
      : [
          `copied by ${it.mode}${it.base ? ` from ${it.base}` : ''}${copied}${it.changed === false ? ' (nothing had changed)' : ''}`,
        ]),
    ...(verified
      ? [
          `${verified.differences === null ? 'equal' : `DIFFERS (${verified.differences})`} by ${verified.level} at ${instantText(verified.at)}: ${count(verified.files, 'file')}, ${count(verified.dirs, 'directory').replace('directorys', 'directories')}, ${bytesText(verified.bytes)}${verified.checksums === null ? '' : `, ${count(verified.checksums, 'checksum')}`}`,
        ]
      : replica
        ? ['never compared with its copy']
        : []),
    ...(point.drilled ? [drillText(point.drilled)] : []),
    ...(it.increments.length > 0 ? [`increments that were made from it: ${it.increments.slice(0, 5).join(', ')}`] : []),
  ];
};

const neighbours = ({ point, earlier, later }: PointPage): readonly string[] => [
  ...(earlier ? [`${earlier.name}, ${spanText((point.at - earlier.at) / 1000)} earlier`] : []),
  ...(later ? [`${later.name}, ${spanText((later.at - point.at) / 1000)} later`] : []),
];

const asSentence = ({ text }: Consequence): string => text;

export const pointText = (page: PointPage): string =>
  [
    ...head(page),
    '',
    `${page.point.name}: ${page.deleted ? 'DELETED' : page.point.state}`,
    ...section('Where does it come from?', lineage(page)),
    ...section(page.deleted ? 'Where is it?' : 'Why is it still there, and what will become of it?', [
      fate(page.source, page.point.source),
      ...(page.point.replica ? [fate(page.replica ?? 'replica', page.point.replica)] : []),
    ]),
    ...section('Pins and legal holds', marks(page.point)),
    ...section('What breaks if it is deleted?', page.consequences.map(asSentence)),
    ...section('What can a person decide? (README: Keep a point)', page.words),
    ...section(
      'What is on record of it?',
      page.history.map(({ at, text }) => `${instantText(at)}  ${text}`),
    ),
    ...section(page.deleted ? 'What is there instead?' : 'Its neighbours', neighbours(page)),
    '',
  ].join('\n');
