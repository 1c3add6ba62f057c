import * as z from 'zod';
import type { BucketPage, PointView, Trouble } from '../../core/domain/explanation.ts';
import { BucketRef, PolicyName } from '../../core/domain/names.ts';
import { instantText, spanText } from '../../core/planner/consequences.ts';
import { explainBucket } from '../../core/planner/explain.ts';
import { nearestNames } from '../../core/planner/nearest-names.ts';
import { isFailedOver } from '../../core/planner/roles.ts';
import { failingOver, howLong, marks, readyText, safety, sideText, whyOf } from '../../core/planner/sentences.ts';
import type { Clock } from '../../core/ports.ts';
import {
  type BucketFactsDependencies,
  bucketFacts,
  type PolicyWithState,
  policiesOf,
} from '../../core/use-cases/bucket-facts.ts';
import { namedPolicies } from '../../core/use-cases/named-policies.ts';
import { button, linkButton } from '../action.ts';
import type { Links } from '../endpoints.ts';
import { form } from '../form.ts';
import { type Html, html, type Value } from '../html.ts';
import { notice, type Tone, table, toned } from '../parts.ts';
import type { Page } from '../router.ts';
import { bar } from './bar.ts';
import { stateText, timeline } from './timeline.ts';

/** Points on the screen; the table of a bucket with more says so. */
const SHOWN = 40;

const ANSWERS: Readonly<Record<BucketPage['safe']['answer'], readonly [Tone, string]>> = {
  yes: ['good', 'Yes, it is safe:'],
  late: ['warn', 'No, it is late:'],
  no: ['bad', 'No:'],
};

const answerOf = (page: BucketPage): Html => {
  const [tone, text] = isFailedOver(page.readiness?.role ?? null)
    ? (['warn', 'What was written since the roles moved is not in these points:'] as const)
    : ANSWERS[page.safe.answer];
  return notice(tone, html`<strong class="odr-${tone}">${text}</strong> ${safety(page).join('; ')}.`);
};

/** Before all else: the bucket that people write to is another one. */
const movedOf = ({ readiness }: BucketPage): Html | null => {
  if (!readiness?.role) return null;
  const { role, from, to } = readiness;
  const since = instantText(role.since);
  if (role.state === 'moving')
    return notice('bad', `Its roles are being moved since ${since}: until they are settled nothing backs it up.`);
  return role.primary === 'replica'
    ? notice(
        'warn',
        html`${toned('warn', 'Failed over:')} ${to} is the primary since ${since}; ${from} must not be written to${role.restricted && ', and nobody in its ACL may'}.`,
      )
    : null;
};

/** What can be done about a trouble from here. */
const remedyOf = ({ kind }: Trouble, { bucket, policy }: BucketPage, links: Links): Value => {
  switch (kind) {
    case 'held-back':
    case 'replica-changed':
      return html` ${linkButton('Decide', links.approvals({ policy, bucket }), `Decide about the change of ${bucket}`)}`;
    case 'never-ran':
    case 'run-failed':
      return html` ${linkButton('Back up now', links.backUp({ policy, bucket }), `Back up ${bucket} now`)}`;
    case 'roles-moving':
      return html` ${linkButton('Go on with it', links.failover({ policy, bucket }), `Go on with the failover of ${bucket}`)}`;
    case 'run-open':
    case 'restore-open':
      return html` ${linkButton('What is running', links.operations())}`;
    default:
      return null;
  }
};

const troublesOf = (page: BucketPage, links: Links): Html =>
  page.troubles.length === 0
    ? html`<p class="odr-tall">Nothing is late or wrong.</p>`
    : html`<h3>What is late or wrong, and why</h3><ul>${page.troubles.map((it) => html`<li>${it.text}${remedyOf(it, page, links)}</li>`)}</ul>`;

const isRestorable = (point: PointView): boolean =>
  point.source.state === 'present' || (point.state === 'verified' && point.replica?.state === 'present');

const backOf = (page: BucketPage, links: Links): Html => {
  const { bucket, policy, safe, copies } = page;
  const point = safe.newestGood ?? safe.newestTaken;
  return html`<h3>How do I get data back?</h3>${
    point
      ? html`<p>${button('Restore…', links.restore({ policy, bucket, point: point.name }), {
          isPrimary: true,
          label: `Restore from ${point.name}`,
        })} from <code>${point.name}</code>, ${spanText(point.age)} old, or choose another point below.</p>`
      : html`<p>There is nothing to restore from.</p>`
  }<div class="odr-tall">${
    copies.length > 0 &&
    html`<p>It can be read right now, without a restore:</p><ul>${copies.map((it) => html`<li>${it.cluster}: <code>${it.url}</code> (${it.proof})</li>`)}</ul>`
  }<ul>${howLong(page).map((it) => html`<li>${it}</li>`)}</ul></div>`;
};

/** Whom people write to, and what a failover would come to. */
const failoverOf = ({ bucket, policy, readiness }: BucketPage, links: Links): Html | null =>
  readiness &&
  html`<h3>Could it be failed over? ${toned(readiness.isReady ? 'good' : 'warn', readyText(readiness))}</h3>${
    isFailedOver(readiness.role)
      ? html`<p>${button('The way back…', links.failback({ policy, bucket }), { label: `Fail ${bucket} back to ${readiness.from}` })}</p>`
      : html`<p>${button('Fail over…', links.failover({ policy, bucket }), { label: `Fail ${bucket} over to ${readiness.to}` })}</p>`
  }<ul class="odr-tall">${failingOver(readiness).map((it) => html`<li>${it}</li>`)}</ul>`;

const modeText = ({ mode, base }: PointView): Value =>
  mode === null ? '–' : html`${mode}${base !== null && html`<br /><span class="odr-soft">from ${base}</span>`}`;

const rowOf = (point: PointView, { bucket, policy, source, replica }: BucketPage, links: Links): readonly Value[] => [
  instantText(point.at),
  html`<code>${point.name}</code>${marks(point).map((it) => html`<br />${it}`)}`,
  html`${stateText(point)}${point.verification?.differences && html`<br />${point.verification.differences}`}`,
  html`<span class="odr-wide">${modeText(point)}</span>`,
  html`<span class="odr-wide">${source}: ${sideText(point.source)}${replica !== null && html`<br />${replica}: ${sideText(point.replica)}`}<br /><span class="odr-soft">${whyOf(point.source, point.replica)}</span></span>`,
  html`${isRestorable(point) && linkButton('Restore', links.restore({ policy, bucket, point: point.name }), `Restore from ${point.name}`)} ${linkButton('Pin', links.pin({ policy, bucket, point: point.name }), `Pin ${point.name}`)}`,
];

const pointsOf = (page: BucketPage, links: Links, width: number): Html => {
  const { points, pointsLeftOut, now } = page;
  if (points.length === 0) return html`<h3>Points</h3><p>None.</p>`;
  const wide = (text: string): Html => html`<span class="odr-wide">${text}</span>`;
  return html`<div class="odr-tall"><h3>Points (${points.length}${pointsLeftOut > 0 && ` newest of ${points.length + pointsLeftOut}`})</h3>${timeline(points, now, width - 60)}${table(
    `Points of ${page.bucket}, newest first`,
    [
      'Time',
      'Point',
      'State',
      wide('Copied'),
      wide('Where, and why it is kept'),
      html`<span class="odr-soft">Do</span>`,
    ],
    points.map((point) => rowOf(point, page, links)),
  )}</div>`;
};

/** What the ledger says of one bucket, for the dashboard. Pure. */
export const bucketMarkup = (page: BucketPage, links: Links, width: number): Html => {
  const { bucket, policy, source, replica, now, basis } = page;
  return html`${bar(links, linkButton(`Policy ${policy}`, links.policy({ policy })), linkButton('Back up now', links.backUp({ policy, bucket })))}
<h2>${bucket}</h2>
${movedOf(page)}${answerOf(page)}${backOf(page, links)}${failoverOf(page, links)}${troublesOf(page, links)}${pointsOf(page, links, width)}
<p class="odr-soft odr-tall">Policy ${policy}: ${source}${replica === null ? ', no replica' : ` → ${replica}`}; at ${instantText(now)}, ${basis}.</p>`;
};

const Fields = z.object({
  bucket: z.string().trim().pipe(BucketRef),
  policy: z.string().trim().pipe(PolicyName).optional(),
});

/** So many buckets can be chosen from instead of written. */
const LISTED = 40;

/** The form that a bucket is found with, when none was named. */
const findForm = async (
  { links, ledger, ...deps }: Pick<BucketPageDependencies, 'links' | 'policies' | 'ledger'>,
  typed: string,
  problem?: string,
): Promise<Html> => {
  const policies = await namedPolicies(ledger, deps.policies);
  const all = policies.flatMap(({ name, buckets }) => buckets.map((bucket) => ({ policy: name, bucket })));
  const listed =
    all.length <= LISTED
      ? all.map(
          ({ policy, bucket }) =>
            html`<li>${linkButton(bucket, links.bucket({ policy, bucket }))} <span class="odr-soft">(${policy})</span></li>`,
        )
      : policies
          .slice(0, LISTED)
          .map(
            ({ name, buckets }) =>
              html`<li>${linkButton(name, links.policy({ policy: name }))} <span class="odr-soft">(${buckets.length} buckets)</span></li>`,
          );
  return html`${bar(links)}<h2>Find a bucket</h2>${form(
    [
      {
        kind: 'text',
        name: 'bucket',
        label: 'Bucket',
        value: typed,
        placeholder: 'volume/bucket',
        hint: 'Write volume/bucket.',
        problem,
      },
    ],
    button('Show', links.bucket(), { isPrimary: true }),
  )}<h3>${all.length <= LISTED ? 'Or choose one' : 'Or look through a policy'}</h3><ul>${listed}</ul>`;
};

const choice = (found: readonly PolicyWithState[], bucket: string, links: Links): Html =>
  html`${bar(links)}<h2>${bucket}</h2><p>Several policies have it. Which one?</p><div>${found.map(({ policy }) =>
    button(policy.name, links.bucket({ bucket, policy: policy.name })),
  )}</div>`;

export type BucketPageDependencies = BucketFactsDependencies & { readonly clock: Clock; readonly links: Links };

/** One bucket: some ten reads and one query of its points. */
export const bucketPage = (deps: BucketPageDependencies): Page => ({
  name: 'bucket',
  show: async ({ fields, form: typed, view }) => {
    const { links, policies } = deps;
    const given = fields.bucket ?? typed.bucket ?? '';
    if (given.trim() === '') return findForm(deps, '');
    const asked = Fields.safeParse({ bucket: given, policy: fields.policy });
    if (!asked.success) return findForm(deps, given, 'write volume/bucket, for example sales/orders');
    const { bucket, policy: wanted } = asked.data;
    const now = deps.clock.now();
    const all = await policiesOf(deps, bucket, now);
    const found = wanted === undefined ? all : all.filter(({ policy }) => policy.name === wanted);
    const [only, ...more] = found;
    if (!only) {
      const near = nearestNames(bucket, [
        ...new Set((await namedPolicies(deps.ledger, policies)).flatMap((it) => it.buckets)),
      ]);
      const of = wanted === undefined ? 'no policy has it' : `the policy ${wanted} does not have it`;
      return findForm(deps, bucket, `${of}${near.length > 0 ? `: did you mean ${near.join(' or ')}?` : ''}`);
    }
    if (more.length > 0) return choice(found, bucket, links);
    return bucketMarkup(explainBucket(await bucketFacts(deps, only, bucket, now), SHOWN, now), links, view.width);
  },
});
