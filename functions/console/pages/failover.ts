import * as z from 'zod';
import { covers } from '../../core/domain/buckets.ts';
import type { BackupRun, RunStep } from '../../core/domain/ledger.ts';
import { BucketRef, drillPair, PolicyName, pairId, runId, Slot } from '../../core/domain/names.ts';
import type { Cluster, Policy } from '../../core/domain/policy.ts';
import type { Readiness } from '../../core/domain/readiness.ts';
import { FailedOver, FailoverKind, type RestorePlan } from '../../core/domain/restore.ts';
import type { PlanHash } from '../../core/domain/retention.ts';
import { FailoverRequest } from '../../core/domain/roles.ts';
import { epochMs, secondsBetween } from '../../core/domain/units.ts';
import { DrError } from '../../core/errors.ts';
import { instantText, spanText } from '../../core/planner/consequences.ts';
import { readinessOf } from '../../core/planner/readiness.ts';
import { bytesText, readyText, takes } from '../../core/planner/sentences.ts';
import type { ExecutionState } from '../../core/ports.ts';
import type { Act } from '../../core/use-cases/nonces.ts';
import { button } from '../action.ts';
import { readFields } from '../fields.ts';
import { form } from '../form.ts';
import { type Html, html, type Value } from '../html.ts';
import { facts, notice, toned } from '../parts.ts';
import type { Page } from '../router.ts';
import type { WidgetRequest } from '../widget-event.ts';
import { type ActingDependencies, awaited, OfExecution, shortName, shown, submit, WHO_HINT } from './acting.ts';
import { bar } from './bar.ts';
import {
  askForWords,
  failureNotice,
  filesText,
  firstOf,
  isPlanOnly,
  obstaclesNotice,
  type Planned,
  plannedIn,
  planOf,
  planStartPage,
  skippedNotice,
  stepsMarkup,
} from './planned.ts';

const Of = z.object({ policy: PolicyName, bucket: BucketRef });
type Of = z.infer<typeof Of>;

const planning = ({ policy, bucket }: Of): Act => ({ act: 'plan-failover', about: { policy, bucket } });
const starting = (execution: string, plan: PlanHash): Act => ({ act: 'start-failover', about: { execution, plan } });

/** @throws PolicyInvalid when there is nothing to fail over to */
const failable = (
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

const readyOf = async ({ ledger, clock, ...deps }: ActingDependencies, of: Of): Promise<Readiness> => {
  const { policy, replica } = failable(deps, of);
  const pair = pairId(policy.source.name, of.bucket, replica.name);
  const [state, points, { lastDrill }] = await Promise.all([
    ledger.loadPair(pair),
    ledger.livingPoints(pair),
    ledger.loadPair(drillPair(policy.source.name, of.bucket)),
  ]);
  return readinessOf({ bucket: of.bucket, policy, replica, pair: state, points, lastDrill }, clock.now());
};

// ---------------------------------------------------------------- who is the primary, and what would be lost

const primaryText = ({ from, to, role }: Readiness): Value => {
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

// ---------------------------------------------------------------- which kind, who, why

const NAMES = ['kind', 'by', 'reason'] as const;
type Typed = Readonly<Partial<Record<(typeof NAMES)[number], string>>>;
type Problems = Readonly<Partial<Record<(typeof NAMES)[number] | 'form', string>>>;

const typedOf = (given: Readonly<Record<string, string>>): Typed =>
  Object.fromEntries(NAMES.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])));

const kinds = ({ from, to, point }: Readiness): Html =>
  facts([
    [
      'Planned',
      `${from} answers: a last backup is made, it is proved that nothing was written after it, and then ${to} takes over. Nothing is lost. Stop what writes to ${from} before you confirm: if something is written meanwhile, nothing is changed.`,
    ],
    [
      'Unplanned',
      `${from} is lost: it is not asked for anything. ${to} takes over as of its newest verified point${point ? `; what was written to ${from} in the ${spanText(point.age)} since is not there` : ''}. What is left on ${from} is kept apart when it comes back.`,
    ],
  ]);

/** What can be asked for in the state that the bucket is in; null: there is a form for it. */
const instead = (ready: Readiness, of: Of, { links }: ActingDependencies): Html | null => {
  const { from, to, role, point } = ready;
  if (role?.primary === 'replica' && role.state === 'settled')
    return notice(
      'warn',
      `${of.bucket} is failed over: ${to} is the primary, and must be what everything reads and writes. The way back to ${from} is a failback (docs/recovery-plan.md).`,
    );
  if (role?.state === 'moving' && role.primary === 'source')
    return notice('warn', `The roles are being moved back to ${from} by ${role.by}: finish that first.`);
  if (!point)
    return html`${notice('bad', `There is nothing to fail over to: no verified point of ${of.bucket} is on ${to}.`)}${button('Back up now', links.backUp(of))}`;
  return null;
};

const formPage = async (
  deps: ActingDependencies,
  of: Of,
  typed: Typed,
  problems: Problems,
  dashboard: string,
): Promise<Html> => {
  const { links } = deps;
  const ready = await readyOf(deps, of);
  const head = html`${bar(links)}<h2>Fail over ${of.bucket}</h2>`;
  const back = button('To the bucket', links.bucket(of));
  const other = instead(ready, of, deps);
  if (other) return html`${head}${other}${readinessMarkup(ready)}${back}`;
  const call = { endpoint: links.failover().endpoint, page: 'failover-plan' };
  const text = (name: 'by' | 'reason', label: string, placeholder = '') => ({
    kind: 'text' as const,
    name,
    label,
    placeholder,
    value: typed[name] ?? '',
    problem: problems[name],
  });
  return html`${head}${
    ready.role?.state === 'moving' &&
    notice('bad', `A failover began and did not end. Started again it goes on, to the same point.`)
  }${readinessMarkup(ready)}${await shown(
    deps,
    planning(of),
    dashboard,
    (nonce) =>
      html`<h3>Two kinds</h3>${kinds(ready)}${form(
        [
          {
            kind: 'choice',
            name: 'kind',
            label: 'Which kind?',
            value: typed.kind ?? 'planned',
            options: [
              ['planned', `Planned: ${ready.from} answers, and nothing is lost`],
              ['unplanned', `Unplanned: ${ready.from} is lost`],
            ],
            problem: problems.kind,
          },
          text('by', 'Your name'),
          text('reason', 'Why', 'the data centre is lost'),
        ],
        html`${button('Show the plan', { ...call, fields: { ...of, nonce } }, { isPrimary: true })}${back}<div class="odr-hint">First a plan: what would be lost and what is in the way. Nothing is changed by it. ${WHO_HINT}</div>`,
      )}`,
    problems.form,
  )}`;
};

const findForm = ({ links, policies }: ActingDependencies, typed: string, problem?: string): Html => {
  const withReplica = policies.filter(({ replica }) => replica !== null);
  if (withReplica.length === 0)
    return html`${bar(links)}<h2>Fail over</h2>${notice('warn', 'No policy has a replica: there is nothing to fail over to.')}`;
  return html`${bar(links)}<h2>Fail over</h2>${form(
    [
      { kind: 'text', name: 'bucket', label: 'Which bucket?', value: typed, placeholder: 'volume/bucket', problem },
      {
        kind: 'choice',
        name: 'policy',
        label: 'Under which policy?',
        options: withReplica.map(({ name }) => [name, name] as const),
      },
    ],
    button('Go on', links.failover(), { isPrimary: true }),
  )}`;
};

const failoverPage = (deps: ActingDependencies): Page => ({
  name: 'failover',
  show: async ({ fields, form: typed, view }) => {
    const bucket = fields.bucket ?? typed.bucket;
    if (bucket === undefined) return findForm(deps, '');
    const of = Of.safeParse({ bucket: bucket.trim(), policy: fields.policy ?? typed.policy });
    return of.success
      ? formPage(deps, of.data, typedOf(fields), {}, view.dashboard)
      : findForm(deps, bucket, 'write volume/bucket, for example sales/orders');
  },
});

const WORDS: Readonly<Record<string, string>> = { 'say who': 'write your name', 'say why': 'write why' };
const FIELDS: ReadonlySet<string> = new Set(NAMES);

/** What is typed, as the failover machine takes it; or what is wrong with it, by field. */
const readRequest = (
  typed: Typed,
  of: Of,
  slot: number,
): { readonly input: object } | { readonly problems: Problems } => {
  const input = {
    ...of,
    kind: typed.kind ?? '',
    by: typed.by ?? '',
    reason: typed.reason ?? '',
    slot: instantText(slot),
    planOnly: true,
  };
  const parsed = FailoverRequest.safeParse(input);
  if (parsed.success) return { input };
  const problems: Record<string, string> = { form: 'Something is missing or not as it has to be: see below.' };
  for (const { path, message } of parsed.error.issues) {
    const field = String(path[0]);
    problems[FIELDS.has(field) ? field : 'form'] = field === 'kind' ? 'choose one' : (WORDS[message] ?? message);
  }
  return { problems };
};

const planPage = (deps: ActingDependencies): Page => ({
  name: 'failover-plan',
  show: async ({ fields, form: given, view }) => {
    const of = readFields(Of, fields);
    const typed = typedOf(given);
    const read = readRequest(typed, of, Math.floor(deps.clock.now() / 1000) * 1000);
    if ('problems' in read) return formPage(deps, of, typed, read.problems, view.dashboard);
    failable(deps, of);
    const sent = await submit(deps, fields.nonce, planning(of), (name) =>
      deps.machines.start('failover', name, read.input),
    );
    if ('refused' in sent) return formPage(deps, of, typed, { form: sent.refused }, view.dashboard);
    await awaited(deps, sent.execution);
    return runMarkup(deps, sent.execution, view);
  },
});

// ---------------------------------------------------------------- the plan, and its words

const Stored = z.looseObject({ ...Of.shape, kind: FailoverKind, by: z.string(), reason: z.string() });

/** The form again, filled in as it was for a request. */
const changeButton = ({ links }: ActingDependencies, input: unknown, text: string): Html | null => {
  const parsed = Stored.safeParse(input);
  if (!parsed.success) return null;
  const { policy, bucket, kind, by, reason } = parsed.data;
  return button(text, links.failover({ policy, bucket, kind, by, reason }));
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

const planMarkup = async (
  deps: ActingDependencies,
  execution: string,
  input: unknown,
  planned: Planned,
  view: WidgetRequest['view'],
  problem?: string,
): Promise<Html> => {
  const { links, clock } = deps;
  const plan = await planOf(deps, planned);
  const change = changeButton(deps, input, 'Change it');
  const head = html`<h2>The plan: fail over ${plan.target.bucket} to ${plan.target.cluster}</h2>${lossNotice(plan)}${planFacts(plan)}${plan.absent + plan.deleted > 0 && firstOf(plan)}`;
  const { confirmation } = planned;
  if (confirmation === null) return html`${obstaclesNotice(plan)}${change}${head}`;
  if (planned.expires <= clock.now())
    return html`${notice('warn', `This plan was good until ${instantText(planned.expires)}: look again before you fail over.`)}${change}${head}`;
  const asked = await askForWords(deps, {
    execution,
    planned,
    confirmation,
    act: starting(execution, planned.plan),
    call: { endpoint: links.failover().endpoint, page: 'failover-start' },
    hint: 'From the first change on the roles move: backups of this bucket wait until a failback.',
    label: 'Fail over',
    change,
    dashboard: view.dashboard,
    problem,
  });
  return html`${head}${asked}`;
};

const startPage = (deps: ActingDependencies): Page =>
  planStartPage(deps, { page: 'failover-start', machine: 'failover', starting, planMarkup, runMarkup });

// ---------------------------------------------------------------- how it goes, and what came of it

const Asked = z.looseObject({ ...Of.shape, kind: FailoverKind, slot: Slot.optional() });

/** The run of an execution, once it is open. */
const runOf = async (
  { policies, ledger }: ActingDependencies,
  execution: string,
  { input, startedAt }: ExecutionState,
): Promise<{ readonly run: BackupRun; readonly steps: readonly RunStep[] } | undefined> => {
  const asked = Asked.safeParse(input);
  const policy = asked.success ? policies.find(({ name }) => name === asked.data.policy) : undefined;
  if (!asked.success || !policy?.replica) return undefined;
  const { bucket, slot = epochMs(Math.floor(startedAt / 1000) * 1000) } = asked.data;
  const pair = pairId(policy.source.name, bucket, policy.replica.name);
  const known = await ledger.loadRun(runId(pair, policy.name, slot, 'failover'));
  // The run is there since it was planned; until this execution has opened it, it says what the planning did.
  return known?.run.execution === execution ? known : undefined;
};

const serviceOf = ({ policies }: Pick<ActingDependencies, 'policies'>, cluster: string): string =>
  policies
    .flatMap(({ source, replica }) => [source, ...(replica ? [replica] : [])])
    .find(({ name }) => name === cluster)?.service ?? cluster;

const resultMarkup = (done: z.infer<typeof FailedOver>, deps: ActingDependencies, input: unknown): Html => {
  const { bucket, from, to, lossSeconds } = done;
  const of = Of.safeParse(input);
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
])}${done.notes.length > 0 && html`<ul>${done.notes.map((it) => html`<li>${it}</li>`)}</ul>`}${
  of.success && button('To the bucket', deps.links.bucket(of.data))
}`;
};

/** What a failover that did not succeed has left behind, as the ledger says. */
const leftMarkup = async (deps: ActingDependencies, input: unknown): Promise<Html> => {
  const of = Of.safeParse(input);
  const ready = of.success ? await readyOf(deps, of.data) : null;
  const isHalf = ready?.role?.state === 'moving';
  return isHalf
    ? html`<p>${toned('bad', 'The roles are half moved:')} nothing backs this bucket up until they are settled. Go on with it: it brings the replica to the same point.</p>${changeButton(deps, input, 'Go on with it')}`
    : html`<p>The roles are as they were: people write to ${ready?.role?.primary === 'replica' ? ready.to : (ready?.from ?? 'where they wrote')}.</p>${changeButton(deps, input, 'Back to the form')}`;
};

const endMarkup = async (
  deps: ActingDependencies,
  execution: string,
  state: ExecutionState,
  view: WidgetRequest['view'],
): Promise<Html> => {
  const { input, output } = state;
  const planned = plannedIn(state);
  if (planned) return planMarkup(deps, execution, input, planned, view);
  const done = FailedOver.safeParse(output);
  if (done.success) return resultMarkup(done.data, deps, input);
  return html`${skippedNotice(state) ?? failureNotice(state)}${await leftMarkup(deps, input)}`;
};

/** An execution of the failover machine: the plan, the progress or the result. */
const runMarkup = async (deps: ActingDependencies, execution: string, view: WidgetRequest['view']): Promise<Html> => {
  const { links, clock, machines } = deps;
  const state = await machines.look(execution);
  if (!state) throw new DrError('EventInvalid', `there is no execution ${shortName(execution)} of a failover`);
  const head = bar(links);
  if (state.status !== 'running') return html`${head}${await endMarkup(deps, execution, state, view)}`;
  const now = clock.now();
  const asked = Asked.safeParse(state.input).data;
  const found = await runOf(deps, execution, state);
  const isPlanning = isPlanOnly(state.input);
  const body: Value = found
    ? stepsMarkup(found.run, found.steps, now)
    : !isPlanning && asked?.kind === 'planned'
      ? html`<p>A last backup is made. The roles have not moved yet.</p>`
      : html`<p>It begins.</p>`;
  return html`${head}<h2>${isPlanning ? 'Planning to fail over' : 'Failing over'} ${asked?.bucket}</h2>
<p>At work for ${spanText(secondsBetween(state.startedAt, now))}. You may close this: it goes on, and is found under "What is running".</p>${body}${button(
    'Look again',
    { endpoint: links.failover().endpoint, page: 'failover-run', fields: { execution } },
    { isPrimary: true },
  )}${button('Cancel…', links.cancel({ execution }))}`;
};

const runPage = (deps: ActingDependencies): Page => ({
  name: 'failover-run',
  show: async ({ fields, view }) => runMarkup(deps, readFields(OfExecution, fields).execution, view),
});

/** Who is the primary → which kind → plan → typed confirmation → started → result. */
export const failoverPages = (deps: ActingDependencies): readonly Page[] => [
  failoverPage(deps),
  planPage(deps),
  startPage(deps),
  runPage(deps),
];
