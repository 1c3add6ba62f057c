import * as z from 'zod';
import { pairId, runId } from '../../core/domain/names.ts';
import type { Readiness } from '../../core/domain/readiness.ts';
import { FailedOver, FailoverKind } from '../../core/domain/restore.ts';
import { FailoverRequest } from '../../core/domain/roles.ts';
import { spanText } from '../../core/planner/consequences.ts';
import { button } from '../action.ts';
import { form } from '../form.ts';
import { type Html, html } from '../html.ts';
import { facts, notice } from '../parts.ts';
import type { Page } from '../router.ts';
import { type ActingDependencies, shown, WHO_HINT } from './acting.ts';
import { bar } from './bar.ts';
import {
  askingPage,
  failable,
  findingPage,
  kindField,
  leftMarkup,
  movePlan,
  movingMarkup,
  Of,
  type Problems,
  planning,
  readinessMarkup,
  readyOf,
  resultMarkup,
  slotOf,
  type Typed,
  textField,
} from './moves.ts';
import { isPlanOnly, type Work, workPages } from './planned.ts';

// ---------------------------------------------------------------- which kind, who, why

const NAMES = ['kind', 'by', 'reason'] as const;

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
  const wayBack = button('The way back…', links.failback(of), { label: `Fail ${of.bucket} back to ${from}` });
  if (role?.primary === 'replica' && role.state === 'settled')
    return html`${notice(
      'warn',
      `${of.bucket} is failed over: ${to} is the primary, and must be what everything reads and writes. The way back to ${from} is a failback.`,
    )}${wayBack}`;
  if (role?.state === 'moving' && role.primary === 'source')
    return html`${notice('warn', `The roles are being moved back to ${from} by ${role.by}: finish that first.`)}${wayBack}`;
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
  return html`${head}${
    ready.role?.state === 'moving' &&
    notice('bad', `A failover began and did not end. Started again it goes on, to the same point.`)
  }${readinessMarkup(ready)}${await shown(
    deps,
    planning(work, of),
    dashboard,
    (nonce) =>
      html`<h3>Two kinds</h3>${kinds(ready)}${form(
        [
          kindField(ready.from, typed, problems),
          textField('by', 'Your name', typed, problems),
          textField('reason', 'Why', typed, problems, 'the data centre is lost'),
        ],
        html`${button('Show the plan', { ...call, fields: { ...of, nonce } }, { isPrimary: true })}${back}<div class="odr-hint">First a plan: what would be lost and what is in the way. Nothing is changed by it. ${WHO_HINT}</div>`,
      )}`,
    problems.form,
  )}`;
};

// ---------------------------------------------------------------- the plan, how it goes, and what came of it

const Asked = z.looseObject({ ...Of.shape, kind: FailoverKind, by: z.string(), reason: z.string() });

/** The form again, filled in as it was for a request. */
const changeButton = ({ links }: ActingDependencies, input: unknown, text: string): Html | null => {
  const parsed = Asked.safeParse(input);
  if (!parsed.success) return null;
  const { policy, bucket, kind, by, reason } = parsed.data;
  return button(text, links.failover({ policy, bucket, kind, by, reason }));
};

const work: Work = {
  name: 'failover',
  verb: 'fail over',
  plan: (deps, planned) =>
    movePlan(
      deps,
      planned,
      'Fail over',
      'From the first change on the roles move: backups of this bucket wait until a failback.',
    ),
  change: changeButton,
  progress: async (deps, execution, { input, startedAt }) => {
    const { data: asked } = Asked.safeParse(input);
    const isPlanning = isPlanOnly(input);
    const title = html`${isPlanning ? 'Planning to fail over' : 'Failing over'} ${asked?.bucket}`;
    if (!asked) return { title, body: null };
    const { policy, replica } = failable(deps, asked);
    const pair = pairId(policy.source.name, asked.bucket, replica.name);
    const id = runId(pair, policy.name, slotOf(input, startedAt), 'failover');
    const isDraining = !isPlanning && asked.kind === 'planned';
    return { title, body: await movingMarkup(deps, execution, id, isDraining) };
  },
  result: async (deps, { input, output }) => {
    const done = FailedOver.safeParse(output);
    return done.success ? resultMarkup(done.data, deps, input) : undefined;
  },
  left: (deps, _execution, { input }) => leftMarkup(deps, input, (text) => changeButton(deps, input, text)),
};

/** Who is the primary → which kind → plan → typed confirmation → started → result. */
export const failoverPages = (deps: ActingDependencies): readonly Page[] => [
  findingPage(
    deps,
    'failover',
    {
      title: 'Fail over',
      to: deps.links.failover(),
      none: 'No policy has a replica: there is nothing to fail over to.',
    },
    (of, fields, dashboard) => formPage(deps, of, fields, {}, dashboard),
  ),
  askingPage(deps, {
    work,
    about: Of,
    names: NAMES,
    request: FailoverRequest,
    input: (of, { kind = '', by = '', reason = '' }, slot) => ({ ...of, kind, by, reason, slot, planOnly: true }),
    form: formPage,
  }),
  ...workPages(deps, work),
];
