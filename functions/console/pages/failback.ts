import * as z from 'zod';
import type { DivergenceData } from '../../core/domain/edge-reply.ts';
import { pairId, runId, targetPair } from '../../core/domain/names.ts';
import type { Readiness } from '../../core/domain/readiness.ts';
import { FailbackPrepared, FailedOver } from '../../core/domain/restore.ts';
import { FailbackPlan, FailbackRequest } from '../../core/domain/roles.ts';
import { type EpochMs, secondsBetween } from '../../core/domain/units.ts';
import { instantText, spanText } from '../../core/planner/consequences.ts';
import { promotable } from '../../core/planner/pick-point.ts';
import { bytesText, count } from '../../core/planner/sentences.ts';
import { orphansBucket } from '../../core/use-cases/wanted-restore.ts';
import { button } from '../action.ts';
import { form } from '../form.ts';
import { type Html, html, type Value } from '../html.ts';
import { facts, notice, toned } from '../parts.ts';
import type { Page } from '../router.ts';
import { type ActingDependencies, shown, WHO_HINT } from './acting.ts';
import { bar } from './bar.ts';
import {
  askingPage,
  failable,
  findingPage,
  leftMarkup,
  movePlan,
  movingMarkup,
  Of,
  type Problems,
  planning,
  primaryText,
  readyOf,
  restrictedMarkup,
  resultMarkup,
  serviceOf,
  slotOf,
  type Typed,
  textField,
} from './moves.ts';
import { filesText, isPlanOnly, type PlanShown, planOf, type Work, workPages } from './planned.ts';

// ---------------------------------------------------------------- how far the way back is

/** What was brought back last: the old primary has it too. */
interface Brought {
  readonly name: string;
  readonly at: EpochMs;
}

const broughtBack = async (
  { ledger }: ActingDependencies,
  { bucket }: Of,
  { from, to, role }: Readiness,
): Promise<Brought | null> => {
  const [newest] = promotable(await ledger.livingPoints(pairId(to, bucket, from)));
  // Points of an earlier way back say nothing of this one.
  return newest && role && newest.source.created >= role.since
    ? { name: newest.name, at: newest.source.created }
    : null;
};

const wayText = ({ from, to, role }: Readiness, brought: Brought | null, now: EpochMs): Value => {
  if (role?.state === 'moving') return toned('bad', 'it is on its way');
  if (!role?.prepared) return toned('warn', `not yet: what was written to ${from} is not kept apart. Prepare first`);
  return brought
    ? html`${toned('good', 'yes:')} ${from} has what ${to} was ${spanText(secondsBetween(brought.at, now))} ago (<code>${brought.name}</code>); the switch brings the rest`
    : toned('warn', `not yet: nothing of ${to} is on ${from} since they parted. Prepare again`);
};

/** Role of a bucket that is failed over, and how far its way back is. Pure. */
const wayMarkup = (ready: Readiness, brought: Brought | null, { bucket }: Of, now: EpochMs): Html => {
  const { role } = ready;
  return facts([
    ['People write to', primaryText(ready)],
    ['Can the roles go back now?', wayText(ready, brought, now)],
    ...(role?.prepared
      ? [['Prepared', html`${instantText(role.prepared.at)} by <code>${role.prepared.by}</code>`] as const]
      : []),
    ...(role?.restricted ? [['Right to write', restrictedMarkup(role.restricted, bucket)] as const] : []),
  ]);
};

// ---------------------------------------------------------------- which step, who, why

const NAMES = ['kind', 'by', 'reason'] as const;

/** What can be asked for in the state that the bucket is in; null: there is a form for it. */
const instead = ({ from, to, role }: Readiness, of: Of, { links }: ActingDependencies): Html | null => {
  if (role?.state === 'moving' && role.primary === 'replica')
    return html`${notice('bad', `${of.bucket} is half failed over to ${to}: finish that first.`)}${button('Go on with it', links.failover(of))}`;
  if (role === null || (role.state === 'settled' && role.primary === 'source'))
    return notice('warn', `${from} is the primary of ${of.bucket}: there is nothing to fail back.`);
  return null;
};

const stepsOf = ({ from, to }: Readiness): Html =>
  facts([
    [
      '1. Prepare',
      `People go on working on ${to}. It is reported what both sides changed since they parted; what was written to ${from} is kept in a bucket of its own; then the changes of ${to} are brought to ${from}.`,
    ],
    [
      '2. Switch',
      `Nobody may write meanwhile. A last backup brings what is left, it is proved that nothing was written after it, and ${from} is the primary again.`,
    ],
  ]);

const formPage = async (
  deps: ActingDependencies,
  of: Of,
  typed: Typed,
  problems: Problems,
  dashboard: string,
): Promise<Html> => {
  const { links, clock } = deps;
  const ready = await readyOf(deps, of);
  const { from, to, role } = ready;
  const head = html`${bar(links)}<h2>Fail ${of.bucket} back to ${from}</h2>`;
  const back = button('To the bucket', links.bucket(of));
  const other = instead(ready, of, deps);
  const way = wayMarkup(ready, await broughtBack(deps, of, ready), of, clock.now());
  if (other) return html`${head}${other}${way}${back}`;
  const call = { endpoint: links.failback().endpoint, page: 'failback-plan' };
  const [prepare, change] = [
    ['prepare', `Prepare: people go on working on ${to}`],
    ['switch', `Switch: the roles go back to ${from}`],
  ] as const;
  const isHalf = role?.state === 'moving';
  return html`${head}${
    isHalf && notice('bad', 'A switch began and did not end. Started again it goes on, to the same point.')
  }${way}${await shown(
    deps,
    planning(work, of),
    dashboard,
    (nonce) =>
      html`<h3>Two steps</h3>${stepsOf(ready)}${form(
        [
          {
            kind: 'choice',
            name: 'kind',
            label: 'Which step?',
            value: typed.kind ?? (role?.prepared || isHalf ? 'switch' : 'prepare'),
            options: isHalf ? [change] : role?.prepared ? [prepare, change] : [prepare],
            problem: problems.kind,
          },
          textField('by', 'Your name', typed, problems),
          textField('reason', 'Why', typed, problems, `${from} is there again`),
        ],
        html`${button('Show the plan', { ...call, fields: { ...of, nonce } }, { isPrimary: true })}${back}<div class="odr-hint">First a plan: what both sides changed, and what is in the way. It takes a snapshot of ${from} for that, and changes nothing else. ${WHO_HINT}</div>`,
      )}`,
    problems.form,
  )}`;
};

// ---------------------------------------------------------------- the three-way report

const partedMarkup = ({ added, changed, deleted, bytes, first }: DivergenceData['source']): Html =>
  added + changed + deleted === 0
    ? html`nothing`
    : html`${count(added, 'file')} added, ${changed} changed, ${deleted} deleted, ${bytesText(bytes)}${first.length > 0 && html`<ul>${first.map((it) => html`<li><code>${it}</code></li>`)}</ul>`}`;

/** What both sides changed since they were equal, and what becomes of it. Pure. */
const reportMarkup = ({ bucket, from, to, common, epoch, divergence }: FailbackPlan, slot: EpochMs): Html => {
  const head = html`<h2>The plan: bring ${bucket} back to ${to}</h2>`;
  if (divergence === null)
    return html`${head}${notice(
      'bad',
      html`${toned('bad', `${to} has nothing any more of what both sides had in common (${common}).`)} ALL of ${bucket} is copied to it. A bucket that is there has to be empty, else nothing is done. People go on working on ${from}.`,
    )}`;
  const { source, replica, both } = divergence;
  const orphans = source.added + source.changed;
  return html`${head}${notice(
    'warn',
    html`${toned('warn', `${to} becomes what ${from} is.`)} ${
      orphans > 0
        ? `${filesText(orphans)} that were written to ${to} after both parted are kept in a bucket of their own before that.`
        : `Nothing that was written to ${to} has to be kept apart.`
    } People go on working on ${from}; nobody may write to ${to}.`,
  )}${facts([
    ['Both were the same at', html`<code>${common}</code> (epoch ${epoch})`],
    [`Changed on ${from}, the primary`, html`${partedMarkup(replica)}<div>It is brought to ${to}.</div>`],
    [`Left on ${to}, the old primary`, partedMarkup(source)],
    [
      'Changed on both',
      both.paths === 0
        ? 'nothing'
        : html`${toned('warn', `${filesText(both.paths)}: what ${from} has counts`)}<ul>${both.first.map((it) => html`<li><code>${it}</code></li>`)}</ul>`,
    ],
    [
      'Is kept apart in',
      orphans > 0 ? html`<code>${orphansBucket(bucket, slot)}</code> on ${to}` : 'nothing has to be',
    ],
  ])}`;
};

const Asked = z.looseObject({
  ...Of.shape,
  kind: z.enum(['prepare', 'switch']),
  by: z.string(),
  reason: z.string(),
});

const planShown = async (
  deps: ActingDependencies,
  planned: Parameters<Work['plan']>[1],
  input: unknown,
): Promise<PlanShown> => {
  if (Asked.safeParse(input).data?.kind === 'switch')
    return movePlan(
      deps,
      planned,
      'Switch back',
      'From the first change on the roles move back, and backups go in the old direction again.',
    );
  return {
    body: reportMarkup(await planOf(deps, FailbackPlan, planned), slotOf(input, deps.clock.now())),
    obstacles: null,
    hint: 'The roles go back by a second request, the switch.',
    label: 'Prepare the way back',
  };
};

// ---------------------------------------------------------------- how it goes, and what came of it

const changeButton = ({ links }: ActingDependencies, input: unknown, text: string): Html | null => {
  const parsed = Asked.safeParse(input);
  if (!parsed.success) return null;
  const { policy, bucket, kind, by, reason } = parsed.data;
  return button(text, links.failback({ policy, bucket, kind, by, reason }));
};

const preparedMarkup = (done: z.infer<typeof FailbackPrepared>, deps: ActingDependencies, input: unknown): Html => {
  const { bucket, from, to, orphans, point, rounds, bytesCopied, notes } = done;
  const { data: asked } = Asked.safeParse(input);
  return html`${notice('good', html`${toned('good', `${to} is ready to be the primary of ${bucket} again:`)} it has what ${from} was at <code>${point}</code>.`)}${
    orphans &&
    html`<p>What was written to ${to} after both parted, ${filesText(orphans.files, orphans.bytes)}, is here, compared; nothing of this product deletes it:</p><pre>ofs://${serviceOf(deps, to)}/${orphans.bucket}</pre>`
  }${facts([
    ['Kept apart', orphans ? filesText(orphans.files, orphans.bytes) : 'nothing had to be'],
    ['Brought back', `${bytesText(bytesCopied)} in ${count(rounds, 'backup')}`],
    ['People write to', `${from}, until the switch`],
  ])}${notes.length > 0 && html`<ul>${notes.map((it) => html`<li>${it}</li>`)}</ul>`}${
    asked &&
    html`${button('Switch…', deps.links.failback({ policy: asked.policy, bucket: asked.bucket, kind: 'switch', by: asked.by, reason: asked.reason }), { isPrimary: true, label: `Switch ${bucket} back to ${to}` })}${button('To the bucket', deps.links.bucket({ policy: asked.policy, bucket: asked.bucket }))}`
  }`;
};

const work: Work = {
  name: 'failback',
  verb: 'go on',
  plan: planShown,
  change: changeButton,
  progress: async (deps, execution, { input, startedAt }) => {
    const { data: asked } = Asked.safeParse(input);
    const isPlanning = isPlanOnly(input);
    const isSwitch = asked?.kind === 'switch';
    const doing = isSwitch ? 'Switching back' : 'Preparing the way back of';
    const title = html`${isPlanning ? 'Planning the way back of' : doing} ${asked?.bucket}`;
    if (!asked) return { title, body: null };
    const { policy, replica } = failable(deps, asked);
    const slot = slotOf(input, startedAt);
    const pair = isSwitch
      ? pairId(replica.name, asked.bucket, policy.source.name)
      : targetPair(policy.source.name, orphansBucket(asked.bucket, slot));
    const id = runId(pair, policy.name, slot, 'failback');
    return { title, body: await movingMarkup(deps, execution, id, !isPlanning && isSwitch) };
  },
  result: async (deps, { input, output }) => {
    const prepared = FailbackPrepared.safeParse(output);
    if (prepared.success) return preparedMarkup(prepared.data, deps, input);
    const done = FailedOver.safeParse(output);
    return done.success ? resultMarkup(done.data, deps, input) : undefined;
  },
  left: (deps, _execution, { input }) => leftMarkup(deps, input, (text) => changeButton(deps, input, text)),
};

/** How far the way back is → which step → the report → typed confirmation → started → result. */
export const failbackPages = (deps: ActingDependencies): readonly Page[] => [
  findingPage(
    deps,
    'failback',
    {
      title: 'Fail back',
      to: deps.links.failback(),
      none: 'No policy has a replica: nothing was ever failed over.',
    },
    (of, fields, dashboard) => formPage(deps, of, fields, {}, dashboard),
  ),
  askingPage(deps, {
    work,
    about: Of,
    names: NAMES,
    request: FailbackRequest,
    input: (of, { kind = '', by = '', reason = '' }, slot) => ({ ...of, kind, by, reason, slot, planOnly: true }),
    form: formPage,
  }),
  ...workPages(deps, work),
];
