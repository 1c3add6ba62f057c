import * as z from 'zod';
import type { RecoveryPoint } from '../../core/domain/ledger.ts';
import { BucketRef, PolicyName, pairId, SnapshotName } from '../../core/domain/names.ts';
import type { Policy } from '../../core/domain/policy.ts';
import { isInForce } from '../../core/domain/retention.ts';
import type { EpochMs } from '../../core/domain/units.ts';
import { DrError } from '../../core/errors.ts';
import { instantText } from '../../core/planner/consequences.ts';
import { describePause } from '../../core/planner/decision.ts';
import { nearestNames } from '../../core/planner/nearest-names.ts';
import { count } from '../../core/planner/sentences.ts';
import { inParallel } from '../../core/use-cases/in-parallel.ts';
import { namedPolicies } from '../../core/use-cases/named-policies.ts';
import type { Act } from '../../core/use-cases/nonces.ts';
import { button, linkButton } from '../action.ts';
import { readFields } from '../fields.ts';
import { type Field, form } from '../form.ts';
import { type Html, html } from '../html.ts';
import { facts, notice, table } from '../parts.ts';
import type { Page } from '../router.ts';
import type { WidgetRequest } from '../widget-event.ts';
import { type ActingDependencies, awaited, shortName, shown, submit, WHO_HINT } from './acting.ts';
import { bar } from './bar.ts';

const OfPolicy = z.object({ policy: PolicyName });
const OfBucket = OfPolicy.extend({ bucket: BucketRef });
const OfPoint = OfBucket.extend({ point: SnapshotName });

/** A decision as a form leads to it. `point` of an accepted or rejected change is the snapshot that is held back. */
const Decision = z.discriminatedUnion('act', [
  OfPoint.extend({ act: z.enum(['pin', 'unpin', 'hold', 'release', 'accept', 'reject']) }),
  OfPolicy.extend({ act: z.enum(['pause', 'resume']) }),
]);
type Decision = z.infer<typeof Decision>;

const TITLES: Readonly<Record<Decision['act'], string>> = {
  pin: 'Pin',
  unpin: 'Unpin',
  hold: 'Legal hold on',
  release: 'Release the legal hold on',
  accept: 'Let the replica follow the change up to',
  reject: 'Keep the replica as it is, before',
  pause: 'Pause the policy',
  resume: 'Resume the policy',
};

const MEANS: Readonly<Record<Decision['act'], string>> = {
  pin: 'It stays on both sides until you unpin it, whatever the rules of retention say.',
  unpin: 'Your own pins of it end; whether it stays then goes by the rules.',
  hold: 'Nothing deletes it until then, on both sides. Another hold never shortens this one.',
  release: 'The legal hold ends; whether the point stays then goes by the rules.',
  accept: 'The next backup deletes and renames on the replica what was deleted and renamed on the source.',
  reject: 'The replica stays at its last good point, which is pinned. Restore the source from it, then accept.',
  pause:
    'No schedule starts a backup, a prune or a drill of it any more. What runs goes on, and what a person starts still runs. Its points get older, and the alarms say so.',
  resume: 'Its schedules start what they say again, from their next slot on.',
};

/** What is recorded, in the words of the decision machine. */
const wordsOf = (decision: Decision, typed: Readonly<Record<string, string>>): string => {
  if (!('point' in decision)) return `${decision.act} ${decision.policy}`;
  const words = `${decision.act} ${decision.bucket} ${decision.point}`;
  const until = (typed.until ?? '').trim();
  switch (decision.act) {
    case 'hold':
      return until === '' ? `${words} without end` : `${words} until ${until}`;
    case 'unpin':
    case 'release': {
      const of = (typed.of ?? '').trim();
      return of === '' ? words : `${words} of ${of}`;
    }
    default:
      return words;
  }
};

/** To keep something takes no words; to let go of it, or to stop everything, does. */
const mustType = ({ act }: Decision): boolean => act !== 'pin' && act !== 'hold';

const actOf = (decision: Decision): Act => {
  const { act, ...about } = decision;
  return { act, about };
};

const fieldsOf = (decision: Decision, typed: Readonly<Record<string, string>>): readonly Field[] => {
  const { act } = decision;
  const text = (
    name: string,
    label: string,
    more: { readonly hint?: string; readonly placeholder?: string } = {},
  ): Field => ({
    kind: 'text',
    name,
    label,
    value: typed[name] ?? '',
    ...more,
  });
  const asked = wordsOf(decision, {});
  return [
    ...(act === 'hold'
      ? [text('until', 'Until', { placeholder: '2033-01-01T00:00:00Z', hint: 'Empty: without end.' })]
      : []),
    ...(act === 'unpin' ? [text('of', 'Whose pin?', { hint: 'Empty: your own.' })] : []),
    ...(act === 'release' ? [text('of', 'Whose hold?', { hint: 'Empty: the only one.' })] : []),
    text('by', 'Your name'),
    text('reason', 'Why'),
    ...(mustType(decision) ? [{ ...text('words', `Type ${asked}`, { placeholder: asked }), value: '' }] : []),
  ];
};

const backTo = (decision: Decision, { links }: ActingDependencies): Html => {
  const { act: _, ...fields } = decision;
  return 'bucket' in decision
    ? button('To the bucket', links.bucket({ policy: decision.policy, bucket: decision.bucket }))
    : button('To the policy', links.policy(fields));
};

const decideForm = async (
  deps: ActingDependencies,
  decision: Decision,
  typed: Readonly<Record<string, string>>,
  { dashboard }: WidgetRequest['view'],
  problem?: string,
): Promise<Html> => {
  const call = { endpoint: deps.links.pin().endpoint, page: 'decide-now' };
  return html`${bar(deps.links)}<h2>${TITLES[decision.act]} ${'point' in decision ? decision.point : decision.policy}${'bucket' in decision && ` of ${decision.bucket}`}</h2><p>${MEANS[decision.act]}</p>${await shown(
    deps,
    actOf(decision),
    dashboard,
    (nonce) =>
      form(
        fieldsOf(decision, typed),
        html`${button('Decide', { ...call, fields: { ...decision, nonce } }, { isPrimary: true })}${backTo(decision, deps)}<div class="odr-hint">${WHO_HINT}</div>`,
      ),
    problem,
  )}`;
};

const decidePage = (deps: ActingDependencies): Page => ({
  name: 'decide',
  show: async ({ fields, view }) => decideForm(deps, readFields(Decision, fields), {}, view),
});

const Effect = z.object({ effect: z.string() });

const decidedMarkup = async (
  deps: ActingDependencies,
  execution: string,
  decision: Decision,
  typed: Readonly<Record<string, string>>,
  view: WidgetRequest['view'],
): Promise<Html> => {
  const state = await awaited(deps, execution);
  const effect = Effect.safeParse(state?.output);
  if (state?.status === 'succeeded' && effect.success)
    return html`${bar(deps.links)}<h2>Decided</h2>${notice('good', html`<strong class="odr-good">It is recorded.</strong> ${effect.data.effect}.`)}${backTo(decision, deps)}`;
  if (state?.status === 'running')
    return html`${bar(deps.links)}${notice('warn', `The decision is still being recorded (${shortName(execution)}): look under "What is running".`)}${backTo(decision, deps)}`;
  return decideForm(
    deps,
    decision,
    typed,
    view,
    `Not recorded: ${state?.cause ?? state?.error ?? 'the execution is gone'}`,
  );
};

const decideNowPage = (deps: ActingDependencies): Page => ({
  name: 'decide-now',
  show: async ({ fields, form: typed, view }) => {
    const decision = readFields(Decision, fields);
    const again = (problem: string) => decideForm(deps, decision, typed, view, problem);
    const words = wordsOf(decision, typed);
    const by = (typed.by ?? '').trim();
    const reason = (typed.reason ?? '').trim();
    if (by === '' || reason === '') return again('Nothing was decided: write your name, and why.');
    const asked = wordsOf(decision, {});
    if (mustType(decision) && (typed.words ?? '').trim() !== asked)
      return again(`Nothing was decided: what was typed is not "${asked}".`);
    const { policy } = decision;
    const input = {
      policy,
      ...('bucket' in decision ? { bucket: decision.bucket } : {}),
      decision: words,
      by: by.slice(0, 100),
      reason: reason.slice(0, 500),
    };
    const sent = await submit(deps, fields.nonce, actOf(decision), (name) =>
      deps.machines.start('decision', name, input),
    );
    return 'refused' in sent ? again(sent.refused) : decidedMarkup(deps, sent.execution, decision, typed, view);
  },
});

const to = ({ links }: ActingDependencies, text: string, decision: Decision, label?: string): Html =>
  button(
    text,
    { endpoint: links.pin().endpoint, page: 'decide', fields: decision },
    label === undefined ? {} : { label },
  );

const policyNamed = ({ policies }: ActingDependencies, name: PolicyName): Policy => {
  const found = policies.find((it) => it.name === name);
  if (!found)
    throw new DrError(
      'PolicyInvalid',
      `there is no policy ${name}: there are ${policies.map((it) => it.name).join(', ')}`,
    );
  return found;
};

const pairOf = ({ source, replica }: Policy, bucket: BucketRef) => pairId(source.name, bucket, replica?.name ?? null);

// ---------------------------------------------------------------- one point

const keptBy = ({ pins, holds }: RecoveryPoint, now: EpochMs): readonly string[] => [
  ...pins.map((it) => `pinned by ${it.by} since ${instantText(it.at)}: ${it.reason}`),
  ...holds.map(
    (it) =>
      `legal hold of ${it.by} ${it.until === null ? 'without end' : `until ${instantText(it.until)}`}${isInForce(it, now) ? '' : ', which is over'}: ${it.reason}`,
  ),
];

const pinPage = (deps: ActingDependencies): Page => ({
  name: 'pin',
  show: async ({ fields }) => {
    const of = readFields(OfPoint, fields);
    const points = await deps.ledger.livingPoints(pairOf(policyNamed(deps, of.policy), of.bucket));
    const point = points.find(({ name }) => name === of.point);
    const head = html`${bar(deps.links, linkButton(of.bucket, deps.links.bucket({ policy: of.policy, bucket: of.bucket })))}<h2>Keep ${of.point}?</h2>`;
    if (!point) {
      const near = nearestNames(
        of.point,
        points.map(({ name }) => name),
      );
      return html`${head}${notice('bad', `${of.bucket} has no such point (any more)${near.length > 0 ? `: did you mean ${near.join(' or ')}?` : '.'}`)}`;
    }
    const kept = keptBy(point, deps.clock.now());
    return html`${head}<p>Of ${of.bucket}, taken ${instantText(point.source.created)}, ${point.state}.</p>${
      kept.length > 0
        ? html`<ul>${kept.map((it) => html`<li>${it}</li>`)}</ul>`
        : html`<p>Nobody keeps it: it goes when the rules say so.</p>`
    }<div class="odr-buttons">${to(deps, 'Pin it…', { act: 'pin', ...of })}${to(deps, 'Legal hold…', { act: 'hold', ...of })}${
      point.pins.length > 0 && to(deps, 'Unpin…', { act: 'unpin', ...of })
    }${point.holds.length > 0 && to(deps, 'Release the hold…', { act: 'release', ...of })}</div>`;
  },
});

// ---------------------------------------------------------------- a change that is held back

/** Buckets that are looked at for a change that is held back when none is named. */
const LOOKED = 500;
const AT_A_TIME = 20;

const heldOf = async (deps: ActingDependencies, policy: Policy, bucket: BucketRef): Promise<Html | null> => {
  const { hold } = await deps.ledger.loadPair(pairOf(policy, bucket));
  if (!hold) return null;
  const of = { policy: policy.name, bucket, point: hold.target };
  const said = hold.accepted
    ? notice('good', `${hold.accepted.by} accepted it: the next backup brings it over.`)
    : hold.rejected && notice('warn', `${hold.rejected.by} rejected it (${hold.rejected.reason}).`);
  return html`<h3>${bucket}</h3>${said}${facts([
    ['Policy', policy.name],
    [
      'What',
      `${count(hold.deletes, 'delete')} and ${count(hold.renames, 'rename')}${hold.complete ? '' : ' at least'} up to ${hold.target}; ${hold.limit} are allowed unasked`,
    ],
    ['Seen', instantText(hold.at)],
    ['Replica', hold.base === null ? 'has no verified point yet' : `stays at ${hold.base}`],
  ])}<div class="odr-buttons">${to(deps, 'Accept…', { act: 'accept', ...of }, `Accept the change of ${bucket}`)}${to(deps, 'Reject…', { act: 'reject', ...of }, `Reject the change of ${bucket}`)}${
    hold.base !== null &&
    button('Restore…', deps.links.restore({ policy: policy.name, bucket, point: hold.base }), {
      label: `Restore ${bucket} from before the change`,
    })
  }</div>`;
};

const ABOUT_HELD =
  'A backup that would delete or rename unusually much on the replica waits here for a person. Find out first who made the change: if nobody meant it, reject, restore the source, then accept.';

const approvalsPage = (deps: ActingDependencies): Page => ({
  name: 'approvals',
  show: async ({ fields }) => {
    const wanted = fields.bucket === undefined ? undefined : readFields(OfBucket, fields);
    const all = wanted
      ? [{ policy: policyNamed(deps, wanted.policy), bucket: wanted.bucket }]
      : (await namedPolicies(deps.ledger, deps.policies)).flatMap((policy) =>
          policy.replica ? policy.buckets.map((bucket) => ({ policy, bucket })) : [],
        );
    const held = await inParallel(all.slice(0, LOOKED), AT_A_TIME, ({ policy, bucket }) =>
      heldOf(deps, policy, bucket),
    );
    const found = held.filter((it) => it !== null);
    return html`${bar(deps.links)}<h2>What waits for a decision?</h2><p class="odr-tall">${ABOUT_HELD}</p>${
      found.length > 0 ? found : html`<p>Nothing${wanted && ` of ${wanted.bucket}`} is held back.</p>`
    }${all.length > LOOKED && html`<p>Only the first ${LOOKED} of ${all.length} buckets were looked at: the overview names the others.</p>`}`;
  },
});

// ---------------------------------------------------------------- a policy

const pausePage = (deps: ActingDependencies): Page => ({
  name: 'pause',
  show: async ({ fields }) => {
    const named = OfPolicy.safeParse(fields);
    const policies = await namedPolicies(
      deps.ledger,
      named.success ? [policyNamed(deps, named.data.policy)] : deps.policies,
    );
    const rows = await inParallel(policies, AT_A_TIME, async ({ name, buckets }) => {
      const { paused } = await deps.ledger.loadPolicyState(name);
      return [
        name,
        count(buckets.length, 'bucket'),
        paused ? describePause(name, paused) : 'its schedules start what they say',
        paused
          ? to(deps, 'Resume…', { act: 'resume', policy: name }, `Resume ${name}`)
          : to(deps, 'Pause…', { act: 'pause', policy: name }, `Pause ${name}`),
      ];
    });
    return html`${bar(deps.links)}<h2>Pause or resume a policy</h2>${table('Policies', ['Policy', 'Of', 'Now', 'Do'], rows)}`;
  },
});

/** Decisions of a person: about points, held changes and policies. */
export const decisionPages = (deps: ActingDependencies): readonly Page[] => [
  pinPage(deps),
  approvalsPage(deps),
  pausePage(deps),
  decidePage(deps),
  decideNowPage(deps),
];
