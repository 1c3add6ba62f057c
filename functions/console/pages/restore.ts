import * as z from 'zod';
import type { BackupRun, RunStep } from '../../core/domain/ledger.ts';
import { BucketRef, ClusterName, PolicyName, pairId, runId, Slot, targetPair } from '../../core/domain/names.ts';
import { Restored, RestorePlan } from '../../core/domain/restore.ts';
import { epochMs } from '../../core/domain/units.ts';
import { DrError } from '../../core/errors.ts';
import { bytesText, takes } from '../../core/planner/sentences.ts';
import type { ExecutionState } from '../../core/ports.ts';
import type { Act } from '../../core/use-cases/nonces.ts';
import { placeOf } from '../../core/use-cases/wanted-restore.ts';
import { button } from '../action.ts';
import { readFields } from '../fields.ts';
import { form } from '../form.ts';
import { type Html, html } from '../html.ts';
import { facts, notice, toned } from '../parts.ts';
import type { Page } from '../router.ts';
import { type ActingDependencies, awaited, shown, submit, WHO_HINT } from './acting.ts';
import { bar } from './bar.ts';
import {
  filesText,
  firstOf,
  isPlanOnly,
  obstaclesNotice,
  planOf,
  runMarkup,
  stepsMarkup,
  type Work,
  workPages,
} from './planned.ts';
import { type Problems, readRequest, restoreForm, type Typed, typedAgain, typedOf } from './restore-form.ts';

const Of = z.object({ policy: PolicyName, bucket: BucketRef });
type Of = z.infer<typeof Of>;

const planning = ({ policy, bucket }: Of): Act => ({ act: 'plan-restore', about: { policy, bucket } });

// ---------------------------------------------------------------- what, from when, to where

const formPage = async (
  deps: ActingDependencies,
  of: Of,
  typed: Typed,
  problems: Problems,
  dashboard: string,
): Promise<Html> => {
  const { policies, ledger, clock, links } = deps;
  const policy = policies.find(({ name }) => name === of.policy);
  if (!policy) throw new DrError('PolicyInvalid', `there is no policy ${of.policy}`);
  const points = await ledger.livingPoints(pairId(policy.source.name, of.bucket, policy.replica?.name ?? null));
  const head = html`${bar(links)}<h2>Restore from ${of.bucket}</h2>`;
  if (points.length === 0)
    return html`${head}${notice('bad', `${of.bucket} has no points under the policy ${of.policy}: there is nothing to restore from.`)}`;
  const call = { endpoint: links.restore().endpoint, page: 'restore-plan' };
  return html`${head}<p class="odr-tall">First a plan: how much it is, how long it takes and what is in the way. Nothing is changed by it.</p>${await shown(
    deps,
    planning(of),
    dashboard,
    (nonce) =>
      restoreForm(
        { policy, bucket: of.bucket, points, typed, problems, now: clock.now() },
        html`${button('Show the plan', { ...call, fields: { ...of, nonce } }, { isPrimary: true })}<div class="odr-hint">${WHO_HINT}</div>`,
      ),
    problems.form,
  )}`;
};

const findForm = ({ links, policies }: ActingDependencies, typed: string, problem?: string): Html =>
  html`${bar(links)}<h2>Restore</h2>${form(
    [
      { kind: 'text', name: 'bucket', label: 'Which bucket?', value: typed, placeholder: 'volume/bucket', problem },
      {
        kind: 'choice',
        name: 'policy',
        label: 'Under which policy?',
        options: policies.map(({ name }) => [name, name] as const),
      },
    ],
    button('Go on', links.restore(), { isPrimary: true }),
  )}`;

const restorePage = (deps: ActingDependencies): Page => ({
  name: 'restore',
  show: async ({ fields, form: typed, view }) => {
    const bucket = fields.bucket ?? typed.bucket;
    if (bucket === undefined) return findForm(deps, '');
    const of = Of.safeParse({ bucket: bucket.trim(), policy: fields.policy ?? typed.policy });
    return of.success
      ? formPage(deps, of.data, typedOf(fields), {}, view.dashboard)
      : findForm(deps, bucket, 'write volume/bucket, for example sales/orders');
  },
});

const planPage = (deps: ActingDependencies): Page => ({
  name: 'restore-plan',
  show: async ({ fields, form: given, view }) => {
    const of = readFields(Of, fields);
    const typed = typedOf(given);
    const slot = epochMs(Math.floor(deps.clock.now() / 1000) * 1000);
    const read = readRequest(typed, of, slot);
    if ('problems' in read)
      return formPage(
        deps,
        of,
        typed,
        { form: 'Something is missing or not as it has to be: see below.', ...read.problems },
        view.dashboard,
      );
    const sent = await submit(deps, fields.nonce, planning(of), (name) =>
      deps.machines.start('restore', name, read.input),
    );
    if ('refused' in sent) return formPage(deps, of, typed, { form: sent.refused }, view.dashboard);
    await awaited(deps, sent.execution);
    return runMarkup(deps, work, sent.execution, view);
  },
});

// ---------------------------------------------------------------- the plan, and its words

const planFacts = (plan: RestorePlan): Html =>
  facts([
    ['What', html`${plan.scope} of <code>${plan.point}</code>: ${filesText(plan.files, plan.bytes)}`],
    [
      'To',
      html`<code>${plan.target.bucket}</code> on ${plan.target.cluster}${plan.target.created === null && ', which is made new'}`,
    ],
    ['Read from', `${plan.from}: ${plan.why}`],
    ['Comes new', filesText(plan.absent)],
    ['Is replaced', plan.replaced > 0 ? toned('warn', filesText(plan.replaced)) : 'nothing'],
    ['Is left alone', plan.leftAlone > 0 ? `${filesText(plan.leftAlone)} that are there already` : 'nothing'],
    ['Is deleted', plan.deleted > 0 ? toned('bad', filesText(plan.deleted)) : 'nothing'],
    ['Is kept first', plan.isKept ? 'all that is there now, in a snapshot restore-safety-…' : 'nothing is lost'],
    [
      'Room',
      plan.room === null
        ? 'no quota is in the way'
        : `${bytesText(plan.room.needed)} more; ${bytesText(plan.room.used)} of ${bytesText(plan.room.quota)} are used`,
    ],
    ['Takes about', `${takes(plan.seconds)} (${plan.basis})`],
  ]);

/** Where a request is changed: the same form, filled in as it was. */
const changeButton = ({ links }: ActingDependencies, input: unknown, text: string): Html | null => {
  const fields = typedAgain(input);
  return fields ? button(text, links.restore(fields)) : null;
};

// ---------------------------------------------------------------- how it goes, and what came of it

const Asked = z.looseObject({
  ...Of.shape,
  target: z
    .union([z.enum(['side', 'in-place']), z.object({ cluster: ClusterName, bucket: BucketRef })])
    .default('side'),
  slot: Slot.optional(),
});

/** The run of an execution, by what it was asked for; undefined before it is open. */
const runOf = async (
  { policies, ledger }: ActingDependencies,
  { input, startedAt }: ExecutionState,
): Promise<{ readonly run: BackupRun; readonly steps: readonly RunStep[] } | undefined> => {
  const asked = Asked.safeParse(input);
  const policy = asked.success ? policies.find(({ name }) => name === asked.data.policy) : undefined;
  if (!asked.success || !policy) return undefined;
  const slot = asked.data.slot ?? epochMs(Math.floor(startedAt / 1000) * 1000);
  const target = placeOf(policies, policy, asked.data, slot);
  return ledger.loadRun(runId(targetPair(target.cluster.name, target.bucket), policy.name, slot, 'restore'));
};

const resultMarkup = (restored: z.infer<typeof Restored>, deps: ActingDependencies, input: unknown): Html => {
  const [bucket = '', cluster = ''] = restored.target.split(' on ');
  const service = deps.policies
    .flatMap(({ source, replica }) => [source, ...(replica ? [replica] : [])])
    .find(({ name }) => name === cluster)?.service;
  const of = Of.safeParse(input);
  return html`${notice('good', html`<strong class="odr-good">Restored, and proved equal.</strong> ${restored.scope} of ${restored.point}: ${filesText(restored.files, restored.bytes)}, in ${takes(restored.seconds)}.`)}
<p>Your data is here:</p><pre>${service === undefined ? restored.target : `ofs://${service}/${bucket}`}</pre>
${facts([
  ['Read from', restored.from],
  ['Copied', bytesText(restored.bytesCopied)],
  ['Compared by', restored.level === 'full' ? 'the checksum of every file' : 'names and lengths'],
  [
    'Left alone',
    restored.leftAlone > 0 ? `${filesText(restored.leftAlone)} that were there and differ` : 'nothing that differs',
  ],
  ['Kept before', restored.safetySnapshot ?? 'nothing had to be'],
])}${restored.notes.map((it) => html`<p>${it}</p>`)}
<p class="odr-soft">Copy or move it to where it belongs, for example with hadoop distcp or ozone fs -cp. Nothing of this product deletes it.</p>${
    of.success && button('To the bucket', deps.links.bucket(of.data))
  }`;
};

const work: Work = {
  name: 'restore',
  verb: 'restore',
  plan: async (deps, planned) => {
    const plan = await planOf(deps, RestorePlan, planned);
    return {
      body: html`<h2>The plan</h2>${planFacts(plan)}${firstOf(plan)}`,
      obstacles: obstaclesNotice(plan.obstacles),
      hint: 'If more would be lost by then than it says, nothing is done.',
      label: 'Start the restore',
    };
  },
  change: changeButton,
  progress: async (deps, execution, state) => {
    const known = await runOf(deps, state);
    // The run is there since it was planned; until this execution has opened it, it says what the planning did.
    const found = known?.run.execution === execution ? known : undefined;
    return {
      title: html`${isPlanOnly(state.input) ? 'Planning' : 'Restoring'}${found?.run.restore && html`: ${found.run.restore.scope} into ${found.run.restore.target.bucket}`}`,
      body: found ? stepsMarkup(found.run, found.steps, deps.clock.now()) : 'It begins.',
    };
  },
  result: async (deps, { input, output }) => {
    const restored = Restored.safeParse(output);
    return restored.success ? resultMarkup(restored.data, deps, input) : undefined;
  },
  left: async (deps, _execution, { input }, isSkipped) =>
    html`${!isSkipped && html`<p>What was copied by then stays. Started again, it looks at what is there first.</p>`}${changeButton(deps, input, 'Back to the form')}`,
};

/** Choose → plan → typed confirmation → started → result. */
export const restorePages = (deps: ActingDependencies): readonly [Page, ...Page[]] => [
  restorePage(deps),
  planPage(deps),
  ...workPages(deps, work),
];
