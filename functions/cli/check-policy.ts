// Is this policy file right, and what does it mean? `npm run check:policy -- <file>`, see `USAGE`.
import { loadPolicies } from '../../cdk/config/load-policies.ts';
import { type Policy, resolvePolicies } from '../core/domain/policy.ts';
import { type EpochMs, epochMs } from '../core/domain/units.ts';
import { isDrError } from '../core/errors.ts';
import { budgetsOf } from '../core/planner/budget.ts';
import { slotsOf } from '../core/planner/occurrences.ts';
import { ifMain, type Output, parseCommandLine, runCommand, UsageError } from './options.ts';

const USAGE = `npm run check:policy -- <policy.yaml> [--now <instant>]

Tells every mistake of a policy file with its line and what to write instead, or, when there is none, what it means: what
is done where and when next, and how many snapshots it comes to. Nothing is sent anywhere.

Ends with 0 when the file is right, with 1 when it is not, with 2 when the command line is not.
`;

const DAY = 86_400_000;
const SHOWN = 3;
/** A schedule may be of a year of its own. */
const AHEAD = 400 * DAY;

/** The next times of schedules, in UTC and for people. */
const nextOf = (schedules: Parameters<typeof slotsOf>[0], now: EpochMs): string => {
  if (schedules.length === 0) return 'never by itself';
  // The near future is enough for most, and is found faster.
  const near = slotsOf(schedules, now, epochMs(now + 8 * DAY));
  const next = (near.length >= SHOWN ? near : slotsOf(schedules, now, epochMs(now + AHEAD))).slice(0, SHOWN);
  if (next.length === 0) return 'not within a year';
  return next.map((at) => new Date(at).toISOString().replace(/:00\.000Z$/, 'Z')).join(', ');
};

const SHOWN_BUCKETS = 5;
const bucketsText = ({ buckets }: Policy): string => {
  const more = buckets.length - SHOWN_BUCKETS;
  return `${buckets.slice(0, SHOWN_BUCKETS).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
};

const policyText = (policy: Policy, now: EpochMs): readonly string[] => {
  const { name, source, replica, schedules, retention, drills, mode, verification } = policy;
  const side = (it: typeof source): string => `${it.name} (${it.service}, hosts ${it.hosts.join(', ')})`;
  return [
    `policy ${name}`,
    `  from       ${side(source)}`,
    `  to         ${replica ? side(replica) : 'nowhere: snapshots of the source only'}`,
    `  buckets    ${policy.buckets.length}: ${bucketsText(policy)}`,
    ...(replica ? [`  copies     ${mode}, verified by ${verification}`] : []),
    `  backs up   ${nextOf(schedules, now)}`,
    `  prunes     ${retention ? nextOf([{ cron: retention.cron, zone: retention.zone }], now) : 'never: nothing is ever deleted'}`,
    `  drills     ${drills ? nextOf([{ cron: drills.cron, zone: drills.zone }], now) : 'never: no point is proved by restoring it'}`,
  ];
};

const budgetText = (policies: readonly Policy[]): readonly string[] =>
  budgetsOf(policies).map(({ cluster, limit, steady, growthPerDay, perDay }) => {
    const kept =
      growthPerDay > 0
        ? `${Math.ceil(steady)} kept and ${Math.ceil(growthPerDay * 365)} more each year`
        : `at most ${Math.ceil(steady)} kept`;
    return `  ${cluster}: ${Math.round(perDay * 10) / 10} new a day, ${kept}, of ${limit} that it may have`;
  });

/** What a file that is right comes to. */
export const meaningOf = (policies: readonly Policy[], now: EpochMs): string =>
  [
    ...policies.flatMap((policy) => [...policyText(policy, now), '']),
    'snapshots, once this has been at work for long',
    ...budgetText(policies),
    '',
  ].join('\n');

const instantOf = (text: string | undefined): EpochMs => {
  const at = text === undefined ? Date.now() : Date.parse(text);
  if (!(at >= 0)) throw new UsageError(`--now ${text}: write an instant, such as 2026-11-21T02:00:00Z`);
  return epochMs(at);
};

/** @returns the exit code */
export const checkPolicy = (args: readonly string[], output: Output): Promise<number> =>
  runCommand(USAGE, output, async () => {
    const options = { now: { type: 'string' }, help: { type: 'boolean', default: false } } as const;
    const { values, positionals } = parseCommandLine(args, options, { allowPositionals: true });
    if (values.help) {
      output.out(USAGE);
      return 0;
    }
    const [file, ...more] = positionals;
    if (file === undefined || more.length > 0) throw new UsageError('name one policy file');
    const now = instantOf(values.now);
    try {
      const policies = resolvePolicies(loadPolicies(file));
      output.out(`${file} is right.\n\n${meaningOf(policies, now)}`);
      return 0;
    } catch (error) {
      if (!isDrError(error, 'PolicyInvalid')) throw error;
      const { length } = error.message.split('\n');
      output.err(`${error.message}\n\n${length} ${length === 1 ? 'mistake' : 'mistakes'}\n`);
      return 1;
    }
  });

await ifMain(import.meta.url, checkPolicy);
