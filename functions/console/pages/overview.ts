import * as z from 'zod';
import { namesIn } from '../../core/domain/buckets.ts';
import {
  type AssessedBucket,
  CLOCKS,
  type ClockName,
  type FleetAssessment,
  type PolicyAssessment,
} from '../../core/domain/clocks.ts';
import { PolicyName } from '../../core/domain/names.ts';
import type { Policy } from '../../core/domain/policy.ts';
import { type EpochMs, secondsBetween } from '../../core/domain/units.ts';
import { DrError } from '../../core/errors.ts';
import { instantText, spanText } from '../../core/planner/consequences.ts';
import { nearestNames } from '../../core/planner/nearest-names.ts';
import type { Assessments, Clock } from '../../core/ports.ts';
import { inParallel } from '../../core/use-cases/in-parallel.ts';
import { button, linkButton } from '../action.ts';
import type { Links } from '../endpoints.ts';
import { readFields } from '../fields.ts';
import { type Html, html, type Value } from '../html.ts';
import { notice, type Tone, table, toned } from '../parts.ts';
import type { Page } from '../router.ts';
import { bar } from './bar.ts';

/** An assessment is made every five minutes: an older one says nothing of now. */
const STALE = 15 * 60;

/** Policies that are read at a time. */
const AT_A_TIME = 10;

/** One policy, and what was last found of it. */
export interface AssessedPolicy {
  readonly policy: Pick<Policy, 'name' | 'buckets' | 'replica'>;
  /** Null before the first assessment. */
  readonly found: PolicyAssessment | null;
}

const CLOCK_WORDS: Readonly<Record<ClockName, string>> = {
  taken: 'Taken',
  replicated: 'Replicated',
  verified: 'Verified',
  drilled: 'Drilled',
};

const isOld = (found: Pick<PolicyAssessment, 'at'>, now: EpochMs): boolean => secondsBetween(found.at, now) > STALE;

const failures = ({ failed }: PolicyAssessment): number =>
  Object.values(failed).reduce((sum, it) => sum + (it ?? 0), 0);
const sum = (counts: Readonly<Record<ClockName, number>>): number => CLOCKS.reduce((all, it) => all + counts[it], 0);

/** Worse is greater. What is not known is worse than what is only late. */
const badness = ({ found }: AssessedPolicy, now: EpochMs): number => {
  if (found === null) return 1e6;
  const worst = Math.max(0, ...CLOCKS.map((it) => found.worst[it]?.ofObjective ?? 0));
  return (
    (found.inBreach > 0 ? 1e9 : 0) +
    (sum(found.stale) > 0 ? 1e8 : 0) +
    (isOld(found, now) ? 1e7 : 0) +
    (failures(found) > 0 ? 1e5 : 0) +
    (found.notReady + found.failedOver + found.vanished.length > 0 ? 2e4 : 0) +
    (sum(found.late) + found.held + found.overCap > 0 ? 1e4 : 0) +
    (found.named.some(isEmpty) ? 1e4 : 0) +
    Math.min(worst, 9999)
  );
};

/** How a policy is, in a word. */
const healthOf = ({ found }: AssessedPolicy, now: EpochMs): readonly [Tone, string] => {
  if (found === null) return ['warn', 'not assessed yet'];
  if (isOld(found, now)) return ['bad', `not assessed for ${spanText(secondsBetween(found.at, now))}`];
  if (found.inBreach > 0) return ['bad', `${found.inBreach} of ${found.buckets} late: beyond the objective`];
  if (sum(found.stale) > 0) return ['bad', 'stale'];
  if (failures(found) > 0) return ['warn', `${failures(found)} failed last time`];
  if (found.failedOver > 0) return ['warn', `${found.failedOver} failed over`];
  if (found.vanished.length > 0) return ['warn', `${found.vanished.length} vanished`];
  if (found.held > 0) return ['warn', `${found.held} wait for a decision`];
  if (sum(found.late) > 0) return ['warn', 'a slot was missed'];
  const empty = found.named.filter(isEmpty).length;
  if (empty > 0) return ['warn', `${empty} without a good point yet`];
  if (found.notReady > 0) return ['warn', `${found.notReady} could not fail over`];
  return ['good', 'safe'];
};

/** The worst of a clock: how much of the objective is used, and of how many buckets it is late or stale. */
const clockCell = (found: PolicyAssessment, clock: ClockName): Value => {
  const worst = found.worst[clock];
  if (!worst) return html`<span class="odr-soft">–</span>`;
  const used = `${Math.round(worst.ofObjective * 100)} %`;
  if (worst.ofObjective > 1) return toned('bad', `${used}: breach`);
  if (found.stale[clock] > 0) return toned('bad', `${used}: ${found.stale[clock]} stale`);
  return found.late[clock] > 0 ? toned('warn', `${used}: ${found.late[clock]} late`) : used;
};

/** How many of its buckets could be failed over now. */
const failoverCell = ({ policy, found }: AssessedPolicy): Value => {
  if (!found || policy.replica === null) return html`<span class="odr-soft">–</span>`;
  const { buckets, notReady, failedOver } = found;
  return html`${notReady > 0 ? toned('warn', `${notReady} of ${buckets} not`) : 'ready'}${failedOver > 0 && html`<br />${toned('warn', `${failedOver} failed over`)}`}`;
};

const policyRow = (assessed: AssessedPolicy, now: EpochMs, links: Links): readonly Value[] => {
  const { policy, found } = assessed;
  const [tone, word] = healthOf(assessed, now);
  const { name } = policy;
  return [
    linkButton(name, links.policy({ policy: name }), `Policy ${name}`),
    html`${toned(tone, word)}${found?.paused && html`<br />${toned('warn', 'paused')} by ${found.paused.by}`}`,
    ...CLOCKS.map((clock) => (found ? clockCell(found, clock) : '–')),
    html`<span class="odr-wide">${failoverCell(assessed)}</span>`,
    html`<span class="odr-wide">${found?.buckets ?? policy.buckets.length}</span>`,
  ];
};

const worstClock = ({ clocks }: AssessedBucket): string => {
  const [worst] = CLOCKS.flatMap((name) => (clocks[name] ? [{ name, ...clocks[name] }] : [])).toSorted(
    (one, other) => other.age / other.objective - one.age / one.objective,
  );
  return worst
    ? `${worst.point === null ? 'nothing' : 'newest point'} ${worst.name} ${worst.point === null ? `since ${instantText(worst.since)}` : `is ${spanText(worst.age)} old`}, ${spanText(worst.objective)} are allowed`
    : 'no clock is asked for';
};

/** Nothing of it can be restored yet, however young it is. */
const isEmpty = ({ clocks }: AssessedBucket): boolean => {
  const good = clocks.verified ?? clocks.replicated ?? clocks.taken;
  return good !== null && good.point === null;
};

const isTroubled = (bucket: AssessedBucket): boolean => isEmpty(bucket) || isLate(bucket);

const isLate = ({ clocks, inBreach, held, failedOver, notReady, runs }: AssessedBucket): boolean =>
  inBreach ||
  held ||
  failedOver !== null ||
  notReady !== null ||
  CLOCKS.some((it) => clocks[it] && clocks[it].state !== 'fine') ||
  Object.values(runs).some((run) => run?.status === 'failed');

const bucketToneOf = (bucket: AssessedBucket): readonly [Tone, string] => {
  const { inBreach, held, clocks, failedOver, notReady } = bucket;
  // Much of what else is late follows from it.
  if (failedOver !== null) return [inBreach ? 'bad' : 'warn', 'failed over'];
  if (inBreach) return ['bad', 'breach'];
  if (CLOCKS.some((it) => clocks[it]?.state === 'stale')) return ['bad', 'stale'];
  if (held) return ['warn', 'waits for a decision'];
  if (CLOCKS.some((it) => clocks[it]?.state === 'late')) return ['warn', 'late'];
  if (isEmpty(bucket)) return ['warn', 'no good point yet'];
  return ['warn', notReady === null ? 'failed' : 'could not fail over'];
};

const failureOf = ({ runs }: AssessedBucket): string =>
  Object.entries(runs)
    .flatMap(([work, run]) =>
      run?.status === 'failed' ? [`last ${work} failed${run.error ? ` with ${run.error}` : ''}`] : [],
    )
    .join('; ');

const troubledRow = (bucket: AssessedBucket, policy: PolicyName, links: Links): readonly Value[] => {
  const [tone, word] = bucketToneOf(bucket);
  return [
    linkButton(bucket.bucket, links.bucket({ policy, bucket: bucket.bucket })),
    toned(tone, word),
    html`${bucket.failedOver !== null && html`its replica is the primary, or about to be, since ${instantText(bucket.failedOver)}: ${bucket.clocks.verified === null ? 'nothing backs it up' : 'no backup to the replica is made'}<br />`}${(bucket.failedOver === null || bucket.clocks.verified !== null) && worstClock(bucket)}${failureOf(bucket) !== '' && html`<br />${failureOf(bucket)}`}${bucket.notReady !== null && html`<br />could not be failed over: ${bucket.notReady}`}`,
  ];
};

const vanishedRow = (
  { bucket, at }: PolicyAssessment['vanished'][number],
  { name, replica }: AssessedPolicy['policy'],
  now: EpochMs,
  links: Links,
): readonly Value[] => [
  linkButton(bucket, links.bucket({ policy: name, bucket })),
  toned('warn', `vanished ${spanText(secondsBetween(at, now))} ago`),
  html`The source does not list it since ${instantText(at)}. ${
    replica
      ? `Its points stay on ${replica.name} and can be restored: was it meant? If not, stop what deletes, then restore the newest point from its page.`
      : 'Its snapshots went with it: ask its owners whether it was meant.'
  }`,
];

/** Buckets that globs had enrolled and that are not there any more. */
const vanishedOf = (policies: readonly AssessedPolicy[], now: EpochMs, links: Links): Html | false => {
  const rows = policies.flatMap(({ policy, found }) =>
    (found?.vanished ?? []).map((it) => vanishedRow(it, policy, now, links)),
  );
  return (
    rows.length > 0 &&
    html`<h3>Buckets that are gone</h3>${table('Buckets that are gone from their source', ['Bucket', 'Since', 'What to do'], rows.slice(0, NAMED))}${
      rows.length > NAMED && html`<p class="odr-soft">and ${rows.length - NAMED} more: see the policies</p>`
    }`
  );
};

const fleetOf = (fleet: FleetAssessment | null, now: EpochMs, links: Links): Html => {
  if (!fleet) return html`<p class="odr-soft odr-tall">Hosts and operations were not assessed yet.</p>`;
  const { operations, hosts, unreachable } = fleet;
  const offline = hosts.filter(({ online }) => online === false);
  const oldest = operations.oldest
    ? `, the oldest since ${spanText(secondsBetween(operations.oldest.since, now))}`
    : '';
  return html`<h3>Fleet</h3><p>${linkButton(`${operations.open} commands at work`, links.operations())}${oldest}; ${hosts.length} hosts${
    offline.length > 0 &&
    html`, ${toned('bad', `${offline.length} offline`)}: ${offline.map(({ host }) => host).join(', ')}`
  }.</p>${unreachable.map((it) =>
    notice('bad', `${it.cluster} did not answer ${spanText(secondsBetween(it.at, now))} ago: ${it.error}`),
  )}`;
};

const headline = (policies: readonly AssessedPolicy[], now: EpochMs): Html => {
  const worstFirst = policies.map((it) => healthOf(it, now));
  const bad = worstFirst.filter(([tone]) => tone === 'bad').length;
  const warn = worstFirst.filter(([tone]) => tone === 'warn').length;
  const unknown = policies.filter(({ found }) => found === null).length;
  if (policies.length === 0) return notice('warn', 'There are no policies: nothing is backed up.');
  if (bad > 0)
    return notice(
      'bad',
      html`${toned('bad', 'No, not everything is safe.')} ${bad} of ${policies.length} policies need somebody now.`,
    );
  if (unknown > 0)
    return notice(
      'warn',
      html`${toned('warn', 'It is not known yet:')} of ${policies.length} policies ${unknown} were never assessed, which is done every five minutes. A bucket's own page tells what the ledger says of it now.`,
    );
  if (warn > 0)
    return notice(
      'warn',
      html`${toned('warn', 'Nothing is beyond its objective,')} but ${warn} of ${policies.length} policies need a look.`,
    );
  return notice('good', html`${toned('good', 'Yes, everything is safe:')} every bucket is within its objective.`);
};

/** Named on the first screen; each policy's page has more. */
const NAMED = 15;

const wide = (text: string): Html => html`<span class="odr-wide">${text}</span>`;

/** All policies with the worst of each clock, worst first, and the buckets that need somebody. Pure. */
export const overviewMarkup = (
  policies: readonly AssessedPolicy[],
  fleet: FleetAssessment | null,
  now: EpochMs,
  links: Links,
): Html => {
  const worstFirst = policies.toSorted((one, other) => badness(other, now) - badness(one, now));
  const troubled = worstFirst.flatMap(({ policy, found }) =>
    (found?.named ?? []).filter(isTroubled).map((it) => troubledRow(it, policy.name, links)),
  );
  return html`${bar(links)}<h2>Is everything safe?</h2>${headline(policies, now)}
${
  troubled.length > 0 &&
  html`<h3>Buckets that need somebody</h3>${table('Buckets that need somebody, worst first', ['Bucket', 'How it is', 'Why'], troubled.slice(0, NAMED))}${
    troubled.length > NAMED && html`<p class="odr-soft">and ${troubled.length - NAMED} more: see the policies</p>`
  }`
}${vanishedOf(worstFirst, now, links)}<div class="odr-tall"><h3>Policies, worst first</h3>
${table(
  'Policies, worst first: how much of the objective the oldest bucket has used',
  ['Policy', 'How it is', ...CLOCKS.map((it) => CLOCK_WORDS[it]), wide('Failover'), wide('Buckets')],
  worstFirst.map((it) => policyRow(it, now, links)),
)}
<p class="odr-soft odr-wide">Under each clock: how much of the objective the policy's oldest bucket has used.</p>
${fleetOf(fleet, now, links)}</div>`;
};

export interface OverviewDependencies {
  readonly policies: readonly Policy[];
  readonly assessments: Pick<Assessments, 'load' | 'loadFleet'>;
  readonly clock: Clock;
  readonly links: Links;
}

/** One read per policy, and one for the fleet. */
export const overviewPage = ({ policies, assessments, clock, links }: OverviewDependencies): Page => ({
  name: 'overview',
  show: async () => {
    const found = await inParallel(policies, AT_A_TIME, async (policy) => ({
      policy,
      found: await assessments.load(policy.name),
    }));
    return overviewMarkup(found, await assessments.loadFleet(), clock.now(), links);
  },
});

/** One policy with all its buckets: those that need somebody with why. Pure. */
export const policyMarkup = ({ policy, found }: AssessedPolicy, now: EpochMs, links: Links): Html => {
  const { name } = policy;
  // Without an assessment nobody has looked yet which buckets its globs give.
  const buckets = found?.expected.map(({ bucket }) => bucket) ?? namesIn(policy);
  const [tone, word] = healthOf({ policy, found }, now);
  const troubled = (found?.named ?? []).filter(isTroubled);
  const named = new Set<string>(troubled.map(({ bucket }) => bucket));
  const others = buckets.filter((it) => !named.has(it));
  return html`${bar(links)}<h2>Policy ${name}</h2>${notice(tone, toned(tone, word))}
${found?.paused && notice('warn', html`Paused by ${found.paused.by} ${spanText(secondsBetween(found.paused.at, now))} ago: ${found.paused.reason}`)}
<div class="odr-buttons">${button(found?.paused ? 'Resume…' : 'Pause…', links.pause({ policy: name }))}${policy.replica !== null && button('Ready to fail over?', links.failoverFleet({ policy: name }), { label: `Which buckets of ${name} could be failed over` })}</div>
${
  troubled.length > 0 &&
  html`<h3>Buckets that need somebody</h3>${table(
    `Buckets of ${name} that need somebody`,
    ['Bucket', 'How it is', 'Why'],
    troubled.map((it) => troubledRow(it, name, links)),
  )}`
}
${vanishedOf([{ policy, found }], now, links)}<h3>${troubled.length > 0 ? 'Other buckets' : 'Buckets'} (${others.length})</h3>
<ul>${others.map((bucket) => html`<li>${linkButton(bucket, links.bucket({ policy: name, bucket }))}</li>`)}</ul>
${found && html`<p class="odr-soft">Assessed ${spanText(secondsBetween(found.at, now))} ago.</p>`}`;
};

const Fields = z.object({ policy: z.string('name a policy').pipe(PolicyName) });

/** One read. */
export const policyPage = ({ policies, assessments, clock, links }: OverviewDependencies): Page => ({
  name: 'policy',
  show: async ({ fields, form }) => {
    const { policy: name } = readFields(Fields, { policy: fields.policy ?? form.policy });
    const policy = policies.find((it) => it.name === name);
    if (!policy) {
      const near = nearestNames(
        name,
        policies.map((it) => it.name),
      );
      throw new DrError(
        'EventInvalid',
        `there is no policy ${name}${near.length > 0 ? `: did you mean ${near.join(' or ')}?` : ''}`,
      );
    }
    return policyMarkup({ policy, found: await assessments.load(name) }, clock.now(), links);
  },
});
