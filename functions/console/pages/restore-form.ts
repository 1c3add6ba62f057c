import * as z from 'zod';
import type { RecoveryPoint } from '../../core/domain/ledger.ts';
import { BucketRef, PolicyName } from '../../core/domain/names.ts';
import type { Policy } from '../../core/domain/policy.ts';
import { RestoreRequest } from '../../core/domain/restore.ts';
import { Side } from '../../core/domain/retention.ts';
import type { EpochMs } from '../../core/domain/units.ts';
import { instantText, spanText } from '../../core/planner/consequences.ts';
import { isReadable } from '../../core/planner/pick-point.ts';
import { type Field, fieldRow, form } from '../form.ts';
import { type Html, html, type Value } from '../html.ts';

/**
 * What the form of a restore has, as it was typed or as a button gave it. No name is one of a property of a form or a document,
 * such as `target`: filters of HTML take those away (DOM clobbering), and the field would send nothing without a word.
 */
export const NAMES = [
  'paths',
  'point',
  'where',
  'overwrite',
  'by',
  'reason',
  'cluster',
  'to',
  'read',
  'deleteExtra',
  'verification',
] as const;
type Name = (typeof NAMES)[number];
export type Typed = Readonly<Partial<Record<Name, string>>>;
export type Problems = Readonly<Partial<Record<Name | 'form', string>>>;

export const typedOf = (given: Readonly<Record<string, string>>): Typed =>
  Object.fromEntries(NAMES.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])));

/** Points in the list to choose from. */
const CHOICES = 200;

/** One path per line. What no path can begin or end with is taken away, as people copy it along. */
const pathsIn = (text: string): readonly string[] =>
  text
    .split(/\r?\n/)
    .map((line) => line.replace(/^\/+|\/+$/g, ''))
    .filter((line) => line.trim() !== '');

const scopeOf = ({ paths = '', read = 'names' }: Typed): unknown => {
  const lines = pathsIn(paths);
  if (lines.length === 0) return 'bucket';
  const [first = '', ...more] = lines;
  if (read === 'names' || more.length > 0) return { paths: lines };
  return read === 'prefix' ? { prefix: first } : { glob: first };
};

const FIELD_OF: Readonly<Record<string, Name>> = {
  scope: 'paths',
  point: 'point',
  target: 'to',
  overwrite: 'overwrite',
  deleteExtra: 'deleteExtra',
  verification: 'verification',
  by: 'by',
  reason: 'reason',
};

const WORDS: Readonly<Record<string, string>> = { 'say who': 'write your name', 'say why': 'write why' };

/**
 * What is typed, as the request that the restore machine takes; or what is wrong with it, by field, in words that say
 * what to write.
 */
export const readRequest = (
  typed: Typed,
  of: { readonly policy: PolicyName; readonly bucket: BucketRef },
  slot: EpochMs,
):
  | { readonly input: Readonly<Record<string, unknown>>; readonly request: RestoreRequest }
  | { readonly problems: Problems } => {
  const { read = 'names', paths = '', where = 'side' } = typed;
  if (read !== 'names' && pathsIn(paths).length !== 1)
    return { problems: { paths: `write one line: the ${read === 'prefix' ? 'folder' : 'pattern'}` } };
  const input = {
    ...of,
    point: typed.point ?? '',
    scope: scopeOf(typed),
    target: where === 'other' ? { cluster: typed.cluster ?? '', bucket: (typed.to ?? '').trim() } : where,
    overwrite: typed.overwrite ?? 'never',
    deleteExtra: typed.deleteExtra === 'yes',
    verification: typed.verification ?? 'full',
    by: typed.by ?? '',
    reason: typed.reason ?? '',
    slot: instantText(slot),
    planOnly: true,
  };
  const parsed = RestoreRequest.safeParse(input);
  if (parsed.success) return { input, request: parsed.data };
  const problems: Partial<Record<Name | 'form', string>> = {};
  for (const { path, message } of parsed.error.issues) {
    const [field, ...within] = path.map(String);
    const line =
      field === 'scope' && within[0] === 'paths' && within[1] !== undefined ? `line ${Number(within[1]) + 1}: ` : '';
    problems[FIELD_OF[field ?? ''] ?? 'form'] ??= `${line}${WORDS[message] ?? message}`;
  }
  return { problems };
};

const Stored = z.object({
  policy: PolicyName,
  bucket: BucketRef,
  point: z.string(),
  scope: z.union([
    z.literal('bucket'),
    z.object({ paths: z.array(z.string()) }),
    z.object({ prefix: z.string() }),
    z.object({ glob: z.string() }),
  ]),
  target: z.union([z.literal('side'), z.literal('in-place'), z.object({ cluster: z.string(), bucket: z.string() })]),
  overwrite: z.string(),
  deleteExtra: z.boolean(),
  verification: z.string(),
  by: z.string(),
  reason: z.string(),
});

/** The form as it was filled in for a request, to change it; undefined when the request was not made here. */
export const typedAgain = (input: unknown): (Readonly<Record<string, string>> & Typed) | undefined => {
  const parsed = Stored.safeParse(input);
  if (!parsed.success) return undefined;
  const { policy, bucket, scope, target, deleteExtra, ...rest } = parsed.data;
  const isOther = typeof target === 'object';
  const what =
    scope === 'bucket'
      ? { paths: '', read: 'names' }
      : 'paths' in scope
        ? { paths: scope.paths.join('\n'), read: 'names' }
        : 'prefix' in scope
          ? { paths: scope.prefix, read: 'prefix' }
          : { paths: scope.glob, read: 'pattern' };
  return {
    ...rest,
    ...what,
    policy,
    bucket,
    where: isOther ? 'other' : target,
    ...(isOther ? { cluster: target.cluster, to: target.bucket } : {}),
    deleteExtra: deleteExtra ? 'yes' : 'no',
  };
};

const stateOf = (point: RecoveryPoint): string =>
  point.state === 'verified'
    ? 'verified'
    : point.state === 'differs'
      ? 'copy differs, snapshot on the source is there'
      : point.state;

const choiceOf = (point: RecoveryPoint, now: EpochMs): readonly [string, string] => [
  point.name,
  `${instantText(point.source.created)}, ${spanText((now - point.source.created) / 1000)} ago, ${stateOf(point)} (${point.name})`,
];

/** Points that something can be restored from, newest first; the one that was chosen is among them if it is one. */
const choices = (points: readonly RecoveryPoint[], chosen: string | undefined, now: EpochMs) => {
  const restorable = points.filter((point) => Side.options.some((side) => isReadable(point, side)));
  const shown = restorable.slice(0, CHOICES);
  const older = restorable.slice(CHOICES).find(({ name }) => name === chosen);
  return [...shown, ...(older ? [older] : [])].map((point) => choiceOf(point, now));
};

export interface RestoreFormModel {
  readonly policy: Pick<Policy, 'name' | 'source' | 'replica'>;
  readonly bucket: BucketRef;
  /** Newest first. */
  readonly points: readonly RecoveryPoint[];
  readonly typed: Typed;
  readonly problems: Problems;
  readonly now: EpochMs;
}

/** What to restore, from when, to where. Pure. */
export const restoreForm = (
  { policy, bucket, points, typed, problems, now }: RestoreFormModel,
  buttons: Value,
): Html => {
  const chosen = typed.point;
  const clusters = [policy.source.name, ...(policy.replica ? [policy.replica.name] : [])];
  const common = (name: Name) => ({
    name,
    ...(typed[name] === undefined ? {} : { value: typed[name] }),
    problem: problems[name],
  });
  const fields: readonly Field[] = [
    {
      ...common('paths'),
      kind: 'lines',
      label: 'Which files or folders?',
      placeholder: '2026/q1/orders.csv',
      hint: `One per line, as they are called in ${bucket}. A folder means all below it. Leave it empty for the whole bucket.`,
    },
    {
      ...common('point'),
      kind: 'choice',
      label: 'As they were when?',
      options: choices(points, chosen, now),
      hint: 'The newest point from before the damage is the right one.',
    },
    {
      ...common('where'),
      kind: 'choice',
      label: 'To where?',
      options: [
        ['side', 'A new bucket beside it: nothing that is there is touched'],
        ['in-place', `Back into ${bucket} itself`],
        ['other', 'Another bucket, named below under "More"'],
      ],
    },
    {
      ...common('overwrite'),
      kind: 'choice',
      label: 'Files that are there already',
      options: [
        ['never', 'stay as they are; only what is missing comes back'],
        ['if-different', 'are replaced where they differ from the point'],
        ['always', 'are replaced in any case'],
      ],
      hint: 'A new bucket has none. What is replaced is kept in a snapshot first.',
    },
    { ...common('by'), kind: 'text', label: 'Your name' },
    { ...common('reason'), kind: 'text', label: 'Why', placeholder: 'deleted by mistake' },
  ];
  const more: readonly Field[] = [
    {
      ...common('cluster'),
      kind: 'choice',
      label: 'Cluster of the other bucket',
      options: clusters.map((name) => [name, name] as const),
    },
    {
      ...common('to'),
      kind: 'text',
      label: 'Other bucket',
      placeholder: 'volume/bucket',
      hint: 'It is made if it does not exist. Never the replica itself.',
    },
    {
      ...common('read'),
      kind: 'choice',
      label: 'The lines above are',
      options: [
        ['names', 'names of files and folders'],
        ['prefix', 'one folder'],
        ['pattern', 'one pattern: * is anything but /, ** anything'],
      ],
    },
    {
      ...common('deleteExtra'),
      kind: 'choice',
      label: 'Files that the point does not have',
      options: [
        ['no', 'stay'],
        ['yes', 'are deleted (of the whole bucket or of one folder, only where files are replaced too)'],
      ],
    },
    {
      ...common('verification'),
      kind: 'choice',
      label: 'Afterwards compare',
      options: [
        ['full', 'the checksum of every file'],
        ['listing', 'names and lengths only'],
      ],
    },
  ];
  const isOpen = more.some(({ problem }) => problem !== undefined) || typed.where === 'other';
  return form(
    fields,
    buttons,
    html`<details${isOpen && html` open="open"`}><summary>More: another bucket, patterns, deleting, comparing</summary>${more.map(fieldRow)}</details>`,
  );
};
