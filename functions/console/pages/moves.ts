import * as z from 'zod';
import { covers } from '../../core/domain/buckets.ts';
import { BucketRef, drillPair, PolicyName, pairId, type RunId, Slot } from '../../core/domain/names.ts';
import type { Cluster, Policy } from '../../core/domain/policy.ts';
import type { Readiness } from '../../core/domain/readiness.ts';
import { type FailedOver, RestorePlan } from '../../core/domain/restore.ts';
import type { Role } from '../../core/domain/roles.ts';
import { type EpochMs, epochMs } from '../../core/domain/units.ts';
import { DrError } from '../../core/errors.ts';
import { instantText, spanText } from '../../core/planner/consequences.ts';
import { readinessOf } from '../../core/planner/readiness.ts';
import { bytesText, readyText, takes } from '../../core/planner/sentences.ts';
import type { Act } from '../../core/use-cases/nonces.ts';
import { button, type Call } from '../action.ts';
import { readFields } from '../fields.ts';
import { type Field, form } from '../form.ts';
import { type Html, html, type Value } from '../html.ts';
import { facts, notice, toned } from '../parts.ts';
import type { Page } from '../router.ts';
import { type ActingDependencies, awaited, submit } from './acting.ts';
import { bar } from './bar.ts';
import {
  filesText,
  firstOf,
  obstaclesNotice,
  type Planned,
  type PlanShown,
  planOf,
  runMarkup,
  stepsMarkup,
  type Work,
} from './planned.ts';

/** What failovers and failbacks have in common: they move the roles of a bucket. */

export const Of = z.object({ policy: PolicyName, bucket: BucketRef });
export type Of = z.infer<typeof Of>;

/** @throws PolicyInvalid when there is nothing to fail over to */
export const failable = (
  { policies }: Pick<ActingDependencies, 'policies'>,
  { policy: name, bucket }: Of,
): { readonly policy: Policy; readonly replica: Cluster } => {
  const policy = policies.find((it) => it.name === name);
  if (!policy || !covers(policy, bucket))
    throw new DrError('PolicyInvalid', `the policy ${name} does not have ${bucket}`);
  const { replica } = policy;
  if (!replica)
    throw new DrError('PolicyInvalid', `the policy ${name} has no replica: there is nothing to fail over to`);
  return { policy, replica };
};

export const readyOf = async ({ ledger, clock, ...deps }: ActingDependencies, of: Of): Promise<Readiness> => {
  const { policy, replica } = failable(deps, of);
  const pair = pairId(policy.source.name, of.bucket, replica.name);
  const [state, points, { lastDrill }] = await Promise.all([
    ledger.loadPair(pair),
    ledger.livingPoints(pair),
    ledger.loadPair(drillPair(policy, of.bucket)),
  ]);
  return readinessOf({ bucket: of.bucket, policy, replica, pair: state, points, lastDrill }, clock.now());
};

// ---------------------------------------------------------------- who is the primary, and what would be lost

export const primaryText = ({ from, to, role }: Readiness): Value => {
  if (role === null) return html`<strong>${from}</strong>; it was never failed over`;
  if (role.state === 'moving')
    return toned('bad', `on its way to ${role.primary === 'replica' ? to : from} since ${instantText(role.since)}`);
  return html`<strong>${role.primary === 'replica' ? to : from}</strong> since ${instantText(role.since)} (epoch ${role.epoch})`;
};

/** Role and readiness of a bucket. Pure. */
export const readinessMarkup = (ready: Readiness): Html => {
  const { from, point, takes: work, remarks, isReady } = ready;
  return html`${facts([
    ['People write to', primaryText(ready)],
    ['Can it fail over now?', toned(isReady ? 'good' : 'bad', readyText(ready))],
    ...(point
      ? [
          [
            'It would begin with',
            html`<code>${point.name}</code> of ${instantText(point.at)}, ${spanText(point.age)} old`,
          ] as const,
          [
            'Would be lost',
            html`unplanned: what was written to ${from} in the last ${spanText(point.age)}; planned: nothing`,
          ] as const,
        ]
      : []),
    ...(work
      ? [
          [
            'Takes about',
            html`${takes(work.seconds)}, ${work.isWithin ? `within the objective of ${spanText(work.objective)}` : toned('bad', `MORE THAN the objective of ${spanText(work.objective)}`)} <span class="odr-soft">(${work.basis})</span>`,
          ] as const,
        ]
      : []),
  ])}${remarks.length > 0 && html`<ul>${remarks.map(({ blocks, text, remedy }) => html`<li>${toned(blocks === 'now' ? 'bad' : 'warn', blocks === 'now' ? 'In the way' : blocks === 'planned' ? 'In the way of a planned one' : 'To be known')}: ${text}. ${remedy}</li>`)}</ul>`}`;
};

/** What is lost, in the first sentence of the plan. */
const lossNotice = ({ failover, target, point }: RestorePlan): Html | null => {
  if (!failover) return null;
  const { kind, from, lossSeconds } = failover;
  return kind === 'planned'
    ? notice(
        'warn',
        html`${toned('good', 'Nothing will be lost.')} ${target.cluster} becomes the primary of ${target.bucket} instead of ${from}, after a last backup. Stop what writes to ${from} now, before you confirm: what is written after that backup stops the failover, and changes nothing.`,
      )
    : notice(
        'bad',
        html`${toned('bad', `What was written to ${from} in the last ${spanText(lossSeconds)} will not be there.`)} ${target.cluster} becomes the primary of ${target.bucket} instead of ${from}, as of <code>${point}</code>. What is left on ${from} is kept apart when it comes back.`,
      );
};

const differsMarkup = ({ failover }: RestorePlan): Value => {
  if (!failover) return null;
  const { differs, from } = failover;
  if (!differs) return `not known: ${from} could not be read`;
  const { added, changed, deleted, first } = differs;
  return html`${added} added, ${changed} changed, ${deleted} deleted${first.length > 0 && html`<ul>${first.map((it) => html`<li><code>${it}</code></li>`)}</ul>`}`;
};

const planFacts = (plan: RestorePlan): Html =>
  facts([
    [`On ${plan.failover?.from ?? 'the other side'} since then`, differsMarkup(plan)],
    ['It begins with', html`<code>${plan.point}</code>: ${filesText(plan.files, plan.bytes)}`],
    ['New primary', html`<code>${plan.target.bucket}</code> on ${plan.target.cluster}`],
    ['Is compared', `${filesText(plan.replaced)}, and brought back where they differ`],
    ['Is missing', plan.absent > 0 ? toned('warn', `${filesText(plan.absent)}, which come back`) : 'nothing'],
    [
      'Is taken away',
      plan.deleted > 0 ? toned('warn', `${filesText(plan.deleted)} that the point does not have`) : 'nothing',
    ],
    ['Is kept first', plan.isKept ? 'all that is there now, in a snapshot restore-safety-…' : 'nothing has to be'],
    ['Takes about', `${takes(plan.seconds)} (${plan.basis})`],
  ]);

/** The plan of a run that makes one cluster the primary instead of another. */
export const movePlan = async (
  deps: ActingDependencies,
  planned: Planned,
  label: string,
  hint: string,
): Promise<PlanShown> => {
  const plan = await planOf(deps, RestorePlan, planned);
  return {
    body: html`<h2>The plan: fail over ${plan.target.bucket} to ${plan.target.cluster}</h2>${lossNotice(plan)}${planFacts(plan)}${plan.absent + plan.deleted > 0 && firstOf(plan)}`,
    obstacles: obstaclesNotice(plan.obstacles),
    hint,
    label,
  };
};

// ---------------------------------------------------------------- how it goes, and what came of it

const Slotted = z.looseObject({ slot: Slot.optional() });

/** When what was asked for is, as the machine takes it. */
export const slotOf = (input: unknown, startedAt: EpochMs): EpochMs =>
  Slotted.safeParse(input).data?.slot ?? epochMs(Math.floor(startedAt / 1000) * 1000);

/**
 * How far an execution is in the run that it has opened, which also says what its planning did. Before that it may be
 * draining: a last backup runs first.
 */
export const movingMarkup = async (
  { ledger, clock }: ActingDependencies,
  execution: string,
  id: RunId,
  isDraining: boolean,
): Promise<Html> => {
  const known = await ledger.loadRun(id);
  if (known?.run.execution === execution) return stepsMarkup(known.run, known.steps, clock.now());
  return html`<p>${isDraining ? 'A last backup is made. The roles have not moved yet.' : 'It begins.'}</p>`;
};

export const serviceOf = ({ policies }: Pick<ActingDependencies, 'policies'>, cluster: string): string =>
  policies
    .flatMap(({ source, replica }) => [source, ...(replica ? [replica] : [])])
    .find(({ name }) => name === cluster)?.service ?? cluster;

/** Of a role: the ACL that the bucket had before nobody might write there. */
export const restrictedMarkup = ({ cluster, before }: NonNullable<Role['restricted']>, bucket: BucketRef): Html =>
  html`the right to write to ${bucket} on ${cluster} was taken from everybody in its ACL, which was${
    before.length > 0 ? html`<ul>${before.map((it) => html`<li><code>${it}</code></li>`)}</ul>` : ' empty. '
  }The switch of the failback gives it back exactly like this. <span class="odr-soft">(By hand: ozone sh bucket setacl -a, with these and commas between.)</span>`;

/** What became of the right to write to the old primary; null when the policy does not ask for it. */
const restrictionText = (
  { restricted, epoch, from, to, bucket }: FailedOver,
  ready: Pick<Readiness, 'from' | 'role'>,
): Value => {
  if (to === ready.from)
    return restricted
      ? toned('bad', `not given back yet: nobody may write to ${to}. The notes say what to type`)
      : `given back: ${bucket} on ${to} has the ACL that it had before it was failed over`;
  if (!restricted) return toned('warn', 'not taken: the notes say why');
  // What the roles say by now may be of a later failover.
  return ready.role?.restricted && ready.role.epoch === epoch
    ? restrictedMarkup(ready.role.restricted, bucket)
    : `taken from everybody in the ACL of ${bucket} on ${from}`;
};

export const resultMarkup = async (done: FailedOver, deps: ActingDependencies, input: unknown): Promise<Html> => {
  const { bucket, from, to, lossSeconds } = done;
  const of = Of.safeParse(input);
  const restriction =
    of.success && done.restricted !== null ? restrictionText(done, await readyOf(deps, of.data)) : null;
  return html`${notice(
    'good',
    html`${toned('good', `${to} is the primary of ${bucket} now,`)} proved equal to <code>${done.point}</code>, after ${takes(done.seconds)}.${
      lossSeconds > 0
        ? html` ${toned('bad', `What was written to ${from} in the ${spanText(lossSeconds)} before is not there.`)}`
        : ' Nothing was lost.'
    }`,
  )}<h3>Now do this</h3><p>Point everything that reads or writes this bucket to the new primary: jobs, tables, mounts, S3 and HttpFS clients, and what makes snapshots.</p>
<p>From</p><pre>ofs://${serviceOf(deps, from)}/${bucket}</pre><p>to</p><pre>ofs://${serviceOf(deps, to)}/${bucket}</pre>
<p>${toned('warn', `Nobody may write to ${from} any more`)}, also when it comes back: what is written there is not in the data that people work with.</p>
${facts([
  ['Kind', done.failover],
  ['Epoch', done.epoch],
  ['What is there', filesText(done.files, done.bytes)],
  ['Brought back', done.bytesCopied > 0 ? bytesText(done.bytesCopied) : 'nothing had to be'],
  ['Compared by', done.level === 'full' ? 'the checksum of every file' : 'names and lengths'],
  ['Kept before', done.safetySnapshot ?? 'nothing had to be'],
  [
    'It began with',
    done.opened ? html`<code>${done.opened.name}</code>, a snapshot from before anybody wrote there` : '–',
  ],
  ...(restriction === null ? [] : [['Right to write', restriction] as const]),
])}${done.notes.length > 0 && html`<ul>${done.notes.map((it) => html`<li>${it}</li>`)}</ul>`}${
  of.success && button('To the bucket', deps.links.bucket(of.data))
}`;
};

/** What a run that did not succeed has left behind, as the ledger says. */
export const leftMarkup = async (
  deps: ActingDependencies,
  input: unknown,
  change: (text: string) => Html | null,
): Promise<Html> => {
  const of = Of.safeParse(input);
  const ready = of.success ? await readyOf(deps, of.data) : null;
  const isHalf = ready?.role?.state === 'moving';
  return isHalf
    ? html`<p>${toned('bad', 'The roles are half moved:')} nothing backs this bucket up until they are settled. Go on with it: it brings the new primary to the same point.</p>${change('Go on with it')}`
    : html`<p>The roles are as they were: people write to ${ready?.role?.primary === 'replica' ? ready.to : (ready?.from ?? 'where they wrote')}.</p>${change('Back to the form')}`;
};

// ---------------------------------------------------------------- what is typed

export type Typed = Readonly<Record<string, string>>;
export type Problems = Readonly<Record<string, string>>;

/** Which of the two: nothing lost, or the source lost. `from`: what people write to now. */
export const kindField = (from: string, typed: Typed, problems: Problems): Field => ({
  kind: 'choice',
  name: 'kind',
  label: 'Which kind?',
  value: typed.kind ?? 'planned',
  options: [
    ['planned', `Planned: ${from} answers, and nothing is lost`],
    ['unplanned', `Unplanned: ${from} is lost`],
  ],
  problem: problems.kind,
});

export const textField = (name: string, label: string, typed: Typed, problems: Problems, placeholder = ''): Field => ({
  kind: 'text',
  name,
  label,
  placeholder,
  value: typed[name] ?? '',
  problem: problems[name],
});

/** A form that asks for a plan of a work. `About`: what its button carries, and what the form is good for. */
interface Asking<About extends Typed> {
  readonly work: Work;
  readonly about: z.ZodType<About>;
  /** Of what can be typed. */
  readonly names: readonly string[];
  readonly request: z.ZodType;
  /** What the machine is given. `slot`: now, in whole seconds. */
  readonly input: (about: About, typed: Typed, slot: string) => object;
  readonly form: (
    deps: ActingDependencies,
    about: About,
    typed: Typed,
    problems: Problems,
    dashboard: string,
  ) => Promise<Html>;
}

export const typedOf = (names: readonly string[], given: Typed): Typed =>
  Object.fromEntries(names.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])));

export const planning = (work: Work, about: Typed): Act => ({ act: `plan-${work.name}`, about });

const WORDS: Readonly<Record<string, string>> = { 'say who': 'write your name', 'say why': 'write why' };

const problemsOf = (error: z.ZodError, names: readonly string[]): Problems => ({
  form: 'Something is missing or not as it has to be: see below.',
  ...Object.fromEntries(
    error.issues.map(({ path: [first], message }) => {
      const field = String(first);
      const said = field === 'kind' ? 'choose one' : (WORDS[message] ?? message);
      return [names.includes(field) ? field : 'form', said];
    }),
  ),
});

/** Takes the form, and shows the plan that was made; or the form again, with what was wrong. */
export const askingPage = <About extends Typed>(
  deps: ActingDependencies,
  { work, about: schema, names, request, input, form }: Asking<About>,
): Page => ({
  name: `${work.name}-plan`,
  show: async ({ fields, form: given, view }) => {
    const about = readFields(schema, fields);
    const typed = typedOf(names, given);
    const again = (problems: Problems) => form(deps, about, typed, problems, view.dashboard);
    const asked = input(about, typed, instantText(epochMs(Math.floor(deps.clock.now() / 1000) * 1000)));
    const parsed = request.safeParse(asked);
    if (!parsed.success) return again(problemsOf(parsed.error, names));
    const sent = await submit(deps, fields.nonce, planning(work, about), (name) =>
      deps.machines.start(work.name, name, asked),
    );
    if ('refused' in sent) return again({ form: sent.refused });
    await awaited(deps, sent.execution);
    return runMarkup(deps, work, sent.execution, view);
  },
});

interface Finding {
  readonly title: string;
  /** The page that the form leads to. */
  readonly to: Call;
  readonly none: string;
}

/** Which bucket is meant, when nothing names one. */
const findForm = (
  { links, policies }: ActingDependencies,
  { title, to, none }: Finding,
  typed: string,
  problem?: string,
): Html => {
  const withReplica = policies.filter(({ replica }) => replica !== null);
  if (withReplica.length === 0) return html`${bar(links)}<h2>${title}</h2>${notice('warn', none)}`;
  return html`${bar(links)}<h2>${title}</h2>${form(
    [
      { kind: 'text', name: 'bucket', label: 'Which bucket?', value: typed, placeholder: 'volume/bucket', problem },
      {
        kind: 'choice',
        name: 'policy',
        label: 'Under which policy?',
        options: withReplica.map(({ name }) => [name, name] as const),
      },
    ],
    button('Go on', to, { isPrimary: true }),
  )}`;
};

/** The first page: asks which bucket is meant, and then shows its form. */
export const findingPage = (
  deps: ActingDependencies,
  name: string,
  finding: Finding,
  show: (of: Of, typed: Typed, dashboard: string) => Promise<Html>,
): Page => ({
  name,
  show: async ({ fields, form: typed, view }) => {
    const bucket = fields.bucket ?? typed.bucket;
    if (bucket === undefined) return findForm(deps, finding, '');
    const of = Of.safeParse({ bucket: bucket.trim(), policy: fields.policy ?? typed.policy });
    return of.success
      ? show(of.data, fields, view.dashboard)
      : findForm(deps, finding, bucket, 'write volume/bucket, for example sales/orders');
  },
});
