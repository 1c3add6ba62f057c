// What would these rules keep? `npm run --silent retention < request.json`, see `judgeRequest`.
import { readFileSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { RetentionRules } from '../core/domain/retention.ts';
import { TimeZone } from '../core/domain/time-zone.ts';
import { EpochMs } from '../core/domain/units.ts';
import { applyRules, type Judged } from '../core/planner/retention.ts';

const INSTANT_FORM = 'write an instant as ISO 8601 with its offset, such as 2026-11-21T02:00:00Z';

const Instant = z
  .string(INSTANT_FORM)
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/, { error: INSTANT_FORM, abort: true })
  .refine((text) => isDay(text.slice(0, 10)) && !Number.isNaN(Date.parse(text)), {
    error: 'there is no such day or time',
    abort: true,
  })
  .transform((text) => Date.parse(text))
  .pipe(EpochMs);

/** `Date.parse` takes 30 February for 2 March. */
const isDay = (day: string): boolean => {
  const parsed = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().slice(0, 10) === day;
};

const Request = z
  .strictObject({
    rules: RetentionRules,
    zone: TimeZone,
    now: Instant,
    snapshots: z.array(z.strictObject({ name: z.string().min(1), time: Instant })),
  })
  .superRefine(({ snapshots }, context) => {
    const seen = new Set<string>();
    snapshots.forEach(({ name }, index) => {
      if (seen.has(name))
        context.addIssue({
          code: 'custom',
          path: ['snapshots', index, 'name'],
          message: `${JSON.stringify(name)} is there twice, and names are unique within a bucket`,
        });
      seen.add(name);
    });
  });

interface Told {
  readonly name: string;
  readonly reasons: readonly string[];
}

/** What the command prints: one of the two. */
export type Answer =
  | { readonly ok: true; readonly keep: readonly Told[]; readonly remove: readonly Told[] }
  | { readonly ok: false; readonly problem: string };

const NO_RULE: readonly string[] = ['no rule keeps it'];

const told = ({ name, kept, reasons }: Judged): Told => ({ name, reasons: kept ? reasons : NO_RULE });

const firstOf = ({ issues }: z.ZodError): string => {
  const [issue, ...more] = issues;
  if (!issue) return 'the request is not accepted';
  const where = issue.path.map(String).join('.') || 'the request';
  const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
  return `${where}: ${issue.message.replaceAll(/\s+/g, ' ')}${others}`;
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
};

/**
 * Judges `{rules, zone, now, snapshots: [{name, time}]}`, with times as ISO 8601 instants, exactly as restic's `forget`
 * would with these rules in this zone (`applyRules`): `keep` and `remove` name every snapshot once, newest first, each
 * with its reasons. Snapshots later than `now` are kept. Whether a snapshot is good is not known here, so `minGood` has no
 * effect; nor have the protections of a bucket that is really pruned.
 *
 * Anything unknown, negative, doubled or misspelled refuses the whole request: a rule that is not understood must not
 * be read as "keep nothing".
 */
export const judgeRequest = (text: string): Answer => {
  const content = parsed(text);
  if (content instanceof Error)
    return { ok: false, problem: `the request is not JSON: ${content.message.replaceAll(/\s+/g, ' ')}` };
  const request = Request.safeParse(content);
  if (!request.success) return { ok: false, problem: firstOf(request.error) };
  const { snapshots, rules, zone, now } = request.data;
  const judged = applyRules(
    snapshots.map(({ name, time }) => ({ name, at: time })),
    rules,
    zone,
    now,
  );
  return {
    ok: true,
    keep: judged.filter(({ kept }) => kept).map(told),
    remove: judged.filter(({ kept }) => !kept).map(told),
  };
};

const isMain = process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
if (isMain) {
  const answer = judgeRequest(readFileSync(0, 'utf8'));
  if (answer.ok) process.stdout.write(`${JSON.stringify({ keep: answer.keep, remove: answer.remove })}\n`);
  else {
    process.stderr.write(`retention: ${answer.problem}\n`);
    process.exitCode = 1;
  }
}
