import * as z from 'zod';
import { bucketsOf } from '../../core/domain/buckets.ts';
import { BucketRef, PolicyName } from '../../core/domain/names.ts';
import type { Readiness } from '../../core/domain/readiness.ts';
import { FailoverKind } from '../../core/domain/restore.ts';
import { FailoverFleetPlan, FailoverFleetRequest } from '../../core/domain/roles.ts';
import { DrError } from '../../core/errors.ts';
import { spanText } from '../../core/planner/consequences.ts';
import { count, readyText, takes } from '../../core/planner/sentences.ts';
import { inParallel } from '../../core/use-cases/in-parallel.ts';
import { enrolmentOf } from '../../core/use-cases/named-policies.ts';
import { button, linkButton } from '../action.ts';
import { readFields } from '../fields.ts';
import { form } from '../form.ts';
import { type Html, html, type Value } from '../html.ts';
import { notice, table, toned } from '../parts.ts';
import type { Page } from '../router.ts';
import { type ActingDependencies, shown, WHO_HINT } from './acting.ts';
import { bar } from './bar.ts';
import { movesOf, movesSummary, movesTable, whatIsLeft } from './fleet-moves.ts';
import { askingPage, kindField, type Problems, planning, readyOf, type Typed, textField } from './moves.ts';
import { planOf, type Work, workPages } from './planned.ts';

// ---------------------------------------------------------------- how ready each bucket is

/** Buckets on one page, three reads each, so many at a time. */
const SHOWN = 100;
const AT_A_TIME = 20;

const roleText = ({ from, to, role }: Readiness): Value => {
  if (role?.state === 'moving') return toned('bad', 'on its way');
  return role?.primary === 'replica' ? toned('warn', to) : from;
};

const rowOf = (
  bucket: BucketRef,
  ready: Readiness,
  policy: string,
  { links }: ActingDependencies,
): readonly Value[] => {
  const { isReady, role, point, takes: work, remarks } = ready;
  const isMoved = role?.primary === 'replica' && role.state === 'settled';
  const of = { policy, bucket };
  return [
    linkButton(bucket, links.bucket(of)),
    html`${roleText(ready)}${role && html`<br /><span class="odr-soft">epoch ${role.epoch}</span>`}`,
    html`${toned(isReady ? 'good' : 'warn', readyText(ready))}${remarks
      .filter(({ kind }) => kind !== 'failed-over')
      .map(({ text }) => html`<br /><span class="odr-soft">${text}</span>`)}`,
    point ? html`${spanText(point.age)}<br /><span class="odr-soft">${point.name}</span>` : '–',
    work ? html`${takes(work.seconds)}${!work.isWithin && html`<br />${toned('bad', 'beyond the objective')}`}` : '–',
    isMoved
      ? linkButton('Fail back', links.failback(of), `Fail ${bucket} back`)
      : linkButton('Fail over', links.failover(of), `Fail ${bucket} over`),
  ];
};

// ---------------------------------------------------------------- which kind, in which order

const NAMES = ['kind', 'buckets', 'by', 'reason'] as const;
const About = z.object({ policy: PolicyName });
type About = z.infer<typeof About>;

/** One group a line, and between the buckets of a group blanks or commas; nothing: all of the policy at once. */
const groupsOf = (typed: string): readonly (readonly string[])[] | undefined => {
  const groups = typed
    .split(/\r?\n/)
    .map((line) => line.split(/[\s,]+/).filter((it) => it !== ''))
    .filter((group) => group.length > 0);
  return groups.length > 0 ? groups : undefined;
};

const formPage = async (
  deps: ActingDependencies,
  { policy: name }: About,
  typed: Typed,
  problems: Problems,
  dashboard: string,
): Promise<Html> => {
  const { links, policies } = deps;
  const policy = policies.find((it) => it.name === name);
  if (!policy?.replica)
    throw new DrError(
      'PolicyInvalid',
      `the policy ${name} is not there, or has no replica: there is nothing to fail over to`,
    );
  const { source, replica } = policy;
  const buckets = bucketsOf(policy, await enrolmentOf(deps.ledger, policy));
  const from = Math.max(0, Math.trunc(Number(typed.from) || 0));
  const page = buckets.slice(from, from + SHOWN);
  const found = await inParallel(page, AT_A_TIME, async (bucket) => ({
    bucket,
    ready: await readyOf(deps, { policy: name, bucket }),
  }));
  const ready = found.filter((it) => it.ready.isReady).length;
  const moved = found.filter((it) => it.ready.role?.primary === 'replica').length;
  const call = { endpoint: links.failoverFleet().endpoint, page: 'failover-fleet-plan' };
  const more = from + SHOWN < buckets.length;
  return html`${bar(links, linkButton(`Policy ${name}`, links.policy({ policy: name })))}<h2>Fail over the buckets of ${name}</h2>${notice(
    ready + moved === found.length ? 'none' : 'warn',
    `${ready} of ${count(found.length, 'bucket')}${buckets.length > SHOWN ? ` (${from + 1} to ${from + page.length} of ${buckets.length})` : ''} could be failed over to ${replica.name} now${moved > 0 ? `; ${moved} there already, or on the way` : ''}.`,
  )}${table(
    `Buckets of ${name}, and whether they could be failed over`,
    [
      'Bucket',
      'Primary',
      'Could it be failed over?',
      'Would be lost',
      'Takes about',
      html`<span class="odr-soft">Do</span>`,
    ],
    found.map((it) => rowOf(it.bucket, it.ready, name, deps)),
  )}${more && button('More buckets', links.failoverFleet({ policy: name, from: String(from + SHOWN) }))}${await shown(
    deps,
    planning(fleetWork, { policy: name }),
    dashboard,
    (nonce) =>
      html`<h3>Several at once</h3>${form(
        [
          kindField(source.name, typed, problems),
          {
            kind: 'lines',
            name: 'buckets',
            label: 'Which buckets, in which order?',
            value: typed.buckets ?? '',
            placeholder: 'sales/base\nsales/orders sales/parts',
            hint: `One line after the other; the buckets of one line at the same time. After a failure nothing more is begun. Nothing written: all of ${name}, at the same time. 100 at most.`,
            problem: problems.buckets,
          },
          textField('by', 'Your name', typed, problems),
          textField('reason', 'Why', typed, problems, 'the data centre is lost'),
        ],
        html`${button('Show the plan', { ...call, fields: { policy: name, nonce } }, { isPrimary: true })}<div class="odr-hint">First a plan: what would be lost of each bucket and what is in the way. Nothing is changed by it. ${WHO_HINT}</div>`,
      )}`,
    problems.form,
  )}`;
};

const findForm = ({ links, policies }: ActingDependencies): Html => {
  const withReplica = policies.filter(({ replica }) => replica !== null);
  return html`${bar(links)}<h2>Fail over several buckets</h2>${
    withReplica.length === 0
      ? notice('warn', 'No policy has a replica: there is nothing to fail over to.')
      : html`<ul>${withReplica.map(({ name, buckets }) => html`<li>${linkButton(name, links.failoverFleet({ policy: name }))} <span class="odr-soft">(${count(buckets.length, 'bucket')})</span></li>`)}</ul>`
  }`;
};

// ---------------------------------------------------------------- the plan, how it goes, and what came of it

const Asked = z.looseObject({
  policy: PolicyName,
  kind: FailoverKind,
  // As it may also be written by hand: a group of one without brackets.
  buckets: z.array(z.union([BucketRef.transform((it) => [it]), z.array(BucketRef)])).optional(),
  by: z.string(),
  reason: z.string(),
});

const changeButton = ({ links }: ActingDependencies, input: unknown, text: string): Html | null => {
  const { data } = Asked.safeParse(input);
  if (!data) return null;
  const { policy, kind, buckets = [], by, reason } = data;
  return button(
    text,
    links.failoverFleet({ policy, kind, buckets: buckets.map((it) => it.join(' ')).join('\n'), by, reason }),
  );
};

type Bucket = FailoverFleetPlan['groups'][number][number];

const lossText = ({ point, lossSeconds, blocker, resumes }: Bucket, failover: FailoverFleetPlan['failover']): Value => {
  if (blocker !== null) return html`${toned('bad', 'It cannot be done now:')} ${blocker}`;
  if (resumes)
    return html`${toned('warn', 'Is half moved:')} it goes on, to the point where it began<br /><span class="odr-soft">${point}</span>`;
  return failover === 'planned' || lossSeconds === null
    ? 'nothing, after a last backup'
    : html`${toned('bad', `the last ${spanText(lossSeconds)}`)}<br /><span class="odr-soft">${point}</span>`;
};

const planRow = (bucket: Bucket, group: number, failover: FailoverFleetPlan['failover']): readonly Value[] => [
  String(group + 1),
  bucket.bucket,
  lossText(bucket, failover),
  bucket.seconds === null ? '–' : takes(bucket.seconds),
];

/** What a plan says of each bucket, in their order. Pure. */
const planTable = ({ policy, failover, from, to, groups }: FailoverFleetPlan): Html =>
  html`<h2>The plan: fail over ${count(groups.flat().length, 'bucket')} of ${policy} to ${to}</h2>${
    failover === 'planned'
      ? notice(
          'warn',
          html`${toned('good', groups.flat().some(({ resumes }) => resumes) ? 'Nothing will be lost of what begins now.' : 'Nothing will be lost.')} Stop what writes to these buckets on ${from} now, before you confirm: of a bucket that is written to after its last backup nothing is changed.`,
        )
      : notice(
          'bad',
          html`${toned('bad', `What was written to ${from} since these points will not be there.`)} What is left on ${from} is kept apart when it comes back.`,
        )
  }${table(
    'What becomes of each bucket',
    ['Order', 'Bucket', 'Would be lost', 'Takes about'],
    groups.flatMap((group, n) => group.map((it) => planRow(it, n, failover))),
  )}`;

const Done = z.object({ kind: z.literal('done'), buckets: z.array(z.string()) });

/** Also shown in place of the form that cancels it. */
export const fleetWork: Work = {
  name: 'failover-fleet',
  verb: 'fail over',
  plan: async (deps, planned) => {
    const plan = await planOf(deps, FailoverFleetPlan, planned);
    return {
      body: planTable(plan),
      obstacles: notice(
        'bad',
        html`<strong>This cannot be done as planned. Nothing was changed.</strong> Mend what is in the way, or leave those buckets out.`,
      ),
      hint: 'One confirmation for all of them; each is a failover of its own.',
      label: 'Fail over',
    };
  },
  change: changeButton,
  progress: async (deps, execution, state) => {
    const found = await movesOf(deps, execution, state);
    return {
      title: html`Failing over the buckets of ${Asked.safeParse(state.input).data?.policy}`,
      body: found ? html`${movesSummary(found)}${movesTable(found, deps.links, false)}` : html`<p>It begins.</p>`,
    };
  },
  result: async (deps, state, execution) => {
    const { data: done } = Done.safeParse(state.output);
    if (!done) return undefined;
    const found = await movesOf(deps, execution, state);
    return html`${notice('good', html`${toned('good', `${count(done.buckets.length, 'bucket')} failed over.`)} Point everything that reads or writes them to the new primary; the page of each failover says from where to where.`)}${
      found ? movesTable(found, deps.links, true) : html`<ul>${done.buckets.map((it) => html`<li>${it}</li>`)}</ul>`
    }`;
  },
  left: async (deps, execution, state) => {
    const found = await movesOf(deps, execution, state);
    if (!found) return html`<p>Nothing was begun.</p>${changeButton(deps, state.input, 'Back to the form')}`;
    const buckets = whatIsLeft(found);
    return html`${movesSummary(found)}${movesTable(found, deps.links, true)}${
      buckets.length > 0 &&
      html`<p>What was failed over stays so: point everything that reads or writes it to ${found.plan.to}. The form has what is left, for a new plan and its words: what is half moved goes on to the point where it began. What was cancelled a moment ago ends on its host within minutes, and is waited for.</p>${changeButton(deps, { ...readFields(Asked, state.input), buckets }, 'Go on with what is left')}`
    }`;
  },
};

/** How ready each bucket is → which, in which order → plan → typed confirmation → started → result. */
export const failoverFleetPages = (deps: ActingDependencies): readonly Page[] => [
  {
    name: 'failover-fleet',
    show: async ({ fields, form: typed, view }) => {
      const policy = fields.policy ?? typed.policy;
      return policy === undefined
        ? findForm(deps)
        : formPage(deps, readFields(About, { policy }), fields, {}, view.dashboard);
    },
  },
  askingPage(deps, {
    work: fleetWork,
    about: About,
    names: NAMES,
    request: FailoverFleetRequest,
    input: ({ policy }, { kind = '', buckets = '', by = '', reason = '' }) => {
      const groups = groupsOf(buckets);
      return { policy, kind, ...(groups ? { buckets: groups } : {}), by, reason };
    },
    form: formPage,
  }),
  ...workPages(deps, fleetWork),
];
