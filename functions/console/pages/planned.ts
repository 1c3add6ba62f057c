import * as z from 'zod';
import type { BackupRun, RunStep } from '../../core/domain/ledger.ts';
import { type RestorePlan, RestorePlanned } from '../../core/domain/restore.ts';
import type { PlanHash } from '../../core/domain/retention.ts';
import { type EpochMs, secondsBetween } from '../../core/domain/units.ts';
import { DrError } from '../../core/errors.ts';
import { instantText, spanText } from '../../core/planner/consequences.ts';
import { bytesText, count } from '../../core/planner/sentences.ts';
import type { ExecutionState } from '../../core/ports.ts';
import type { Act } from '../../core/use-cases/nonces.ts';
import { readPlan } from '../../core/use-cases/plan-text.ts';
import { button } from '../action.ts';
import type { PlannedWork } from '../endpoints.ts';
import { readFields } from '../fields.ts';
import { form } from '../form.ts';
import { type Html, html, type Value } from '../html.ts';
import { notice, toned } from '../parts.ts';
import type { Page } from '../router.ts';
import type { WidgetRequest } from '../widget-event.ts';
import { type ActingDependencies, OfExecution, shortName, shown, submit } from './acting.ts';
import { bar } from './bar.ts';

/** What is first planned, then confirmed by typed words, and then done step by step: restores, failovers and failbacks. */

const Planned = RestorePlanned.extend({ kind: z.enum(['restore-planned', 'planned']) });
export type Planned = z.infer<typeof Planned>;

export const filesText = (files: number, bytes?: number): string =>
  `${count(files, 'file')}${bytes === undefined ? '' : `, ${bytesText(bytes)}`}`;

export const firstOf = ({ first }: RestorePlan): Html =>
  html`${first.length > 0 && html`<details><summary>The first files that differ at the target</summary><ul>${first.map((it) => html`<li><code>${it}</code></li>`)}</ul></details>`}`;

const plannedIn = (state: ExecutionState | undefined): Planned | undefined => Planned.safeParse(state?.output).data;

/** The plan itself. @throws NotConfirmed when it is not there any more */
export const planOf = async <S extends z.ZodType>(
  { plans }: Pick<ActingDependencies, 'plans'>,
  schema: S,
  { plan: hash }: Pick<Planned, 'plan'>,
): Promise<z.output<S>> => {
  const plan = readPlan(schema, hash, await plans.load(hash));
  if (!plan) throw new DrError('NotConfirmed', `the plan ${hash} cannot be read: plan again`);
  return plan;
};

export const obstaclesNotice = (obstacles: readonly { readonly reason: string; readonly remedy: string }[]): Html =>
  notice(
    'bad',
    html`<strong>This cannot be done as planned. Nothing was changed.</strong>${obstacles.map((it) => html`<br />${it.reason}. ${it.remedy}`)}`,
  );

/** What the second start says: the same request, the plan and its words. */
const confirmed = (input: unknown, plan: PlanHash, confirmation: string): object => {
  const { planOnly: _, ...request } = readFields(z.looseObject({ planOnly: z.boolean().optional() }), input);
  return { ...request, plan, confirmation };
};

const DOES: Readonly<Partial<Record<RunStep['decision']['kind'], string>>> = {
  examine: 'looks at the point and at the target',
  'create-target': 'makes the bucket',
  'safety-snapshot': 'keeps what is there in a snapshot',
  restore: 'copies',
  compare: 'compares the target with the point',
  'create-snapshot': 'keeps what the old primary holds in a snapshot',
  'measure-divergence': 'finds out what both sides changed',
  'bring-back': 'brings the changes to the old primary, by a backup in the other direction',
  restrict: 'changes who may write, in the ACL of the bucket',
  wait: 'waits',
};

const doesOf = (decision: RunStep['decision']): string | undefined =>
  decision.kind === 'compare' && decision.of === 'primary'
    ? 'compares what people write to with the point'
    : DOES[decision.kind];

/** What a run has done and does, step by step. */
export const stepsMarkup = (run: BackupRun, steps: readonly RunStep[], now: EpochMs): Html => {
  const current = steps.filter(({ n, decision }) => n >= run.firstStep && doesOf(decision) !== undefined);
  return html`<ol>${current.map((step) => {
    const isOver = step.observed !== null;
    const took = spanText(secondsBetween(step.decidedAt, step.observedAt ?? now));
    return html`<li>${isOver ? 'Done' : toned('good', 'Now')}: ${doesOf(step.decision)} <span class="odr-soft">(${isOver ? took : `for ${took}`}; ${step.decision.reason})</span></li>`;
  })}</ol>`;
};

const Skipped = z.object({ kind: z.literal('skipped'), reason: z.string() });

/** Of an execution that did nothing; undefined of any other. */
const skippedNotice = ({ output }: ExecutionState): Html | undefined => {
  const skipped = Skipped.safeParse(output);
  return skipped.success ? notice('warn', `Nothing was done: ${skipped.data.reason}.`) : undefined;
};

const failureNotice = ({ status, error, cause }: ExecutionState): Html => {
  const what =
    status === 'cancelled' ? 'It was cancelled' : status === 'timed-out' ? 'It ran out of time' : 'It failed';
  return notice('bad', html`<strong>${what}${error && `: ${error}`}.</strong> ${cause ?? ''}`);
};

const IsPlanOnly = z.looseObject({ planOnly: z.literal(true) });

/** It is asked for a plan, and for nothing else. */
export const isPlanOnly = (input: unknown): boolean => IsPlanOnly.safeParse(input).success;

/** What a plan says before its words are asked for. */
export interface PlanShown {
  readonly body: Html;
  /** What is in the way, of a plan that cannot be done. */
  readonly obstacles: Html | null;
  /** What whoever types the words should know besides how long the plan is good. */
  readonly hint: string;
  /** Of the button that starts it. */
  readonly label: string;
}

/** A workflow that a person starts by a plan and its words. */
export interface Work {
  /** Of its machine; its pages are `<name>-start` and `<name>-run`, called with `execution`. */
  readonly name: PlannedWork;
  /** In "look again before you …". */
  readonly verb: string;
  readonly plan: (deps: ActingDependencies, planned: Planned, input: unknown) => Promise<PlanShown>;
  /** The form again, filled in as it was; null when the input is none of ours. */
  readonly change: (deps: ActingDependencies, input: unknown, text: string) => Html | null;
  /** While it is at work. */
  readonly progress: (
    deps: ActingDependencies,
    execution: string,
    state: ExecutionState,
  ) => Promise<{ readonly title: Value; readonly body: Value }>;
  /** What came of it; undefined when its output says nothing of the kind. */
  readonly result: (deps: ActingDependencies, state: ExecutionState, execution: string) => Promise<Html | undefined>;
  /** What one that did not succeed has left behind. `isSkipped`: it did nothing. */
  readonly left: (
    deps: ActingDependencies,
    execution: string,
    state: ExecutionState,
    isSkipped: boolean,
  ) => Promise<Html>;
}

const planMarkup = async (
  deps: ActingDependencies,
  work: Work,
  execution: string,
  input: unknown,
  planned: Planned,
  { dashboard }: WidgetRequest['view'],
  problem?: string,
): Promise<Html> => {
  const { body, obstacles, hint, label } = await work.plan(deps, planned, input);
  const change = work.change(deps, input, 'Change it');
  const { confirmation } = planned;
  if (confirmation === null) return html`${obstacles}${change}${body}`;
  if (planned.expires <= deps.clock.now())
    return html`${notice('warn', `This plan was good until ${instantText(planned.expires)}: look again before you ${work.verb}.`)}${change}${body}`;
  return html`${body}${await shown(
    deps,
    starting(work, execution, planned.plan),
    dashboard,
    (nonce) =>
      form(
        [
          {
            kind: 'text',
            name: 'confirmation',
            label: `Type ${confirmation} to start it`,
            placeholder: confirmation,
            hint: `The plan is good until ${instantText(planned.expires)}. ${hint}`,
          },
        ],
        html`${button(label, { endpoint: deps.links.restore().endpoint, page: `${work.name}-start`, fields: { execution, nonce } }, { isPrimary: true })}${change}`,
      ),
    problem,
  )}`;
};

const starting = ({ name }: Work, execution: string, plan: PlanHash): Act => ({
  act: `start-${name}`,
  about: { execution, plan },
});

const endMarkup = async (
  deps: ActingDependencies,
  work: Work,
  execution: string,
  state: ExecutionState,
  view: WidgetRequest['view'],
): Promise<Html> => {
  const planned = plannedIn(state);
  if (planned) return planMarkup(deps, work, execution, state.input, planned, view);
  const result = await work.result(deps, state, execution);
  if (result) return result;
  const skipped = skippedNotice(state);
  return html`${skipped ?? failureNotice(state)}${await work.left(deps, execution, state, skipped !== undefined)}`;
};

/** An execution of a work: the plan, the progress or the result. */
export const runMarkup = async (
  deps: ActingDependencies,
  work: Work,
  execution: string,
  view: WidgetRequest['view'],
): Promise<Html> => {
  const { links, clock, machines } = deps;
  const state = await machines.look(execution);
  if (!state) throw new DrError('EventInvalid', `there is no execution ${shortName(execution)} of a ${work.name}`);
  if (state.status !== 'running') return html`${bar(links)}${await endMarkup(deps, work, execution, state, view)}`;
  const { title, body } = await work.progress(deps, execution, state);
  return html`${bar(links)}<h2>${title}</h2>
<p>At work for ${spanText(secondsBetween(state.startedAt, clock.now()))}. You may close this: it goes on, and is found under "What is running".</p>${body}${button(
    'Look again',
    links.run(work.name, execution),
    { isPrimary: true },
  )}${button('Cancel…', links.cancel({ execution }))}`;
};

/** Starts what was planned, by the words that were typed. */
const startPage = (deps: ActingDependencies, work: Work): Page => ({
  name: `${work.name}-start`,
  show: async ({ fields, form: typed, view }) => {
    const { execution } = readFields(OfExecution, fields);
    const state = await deps.machines.look(execution);
    const planned = plannedIn(state);
    if (!state || !planned || planned.confirmation === null)
      throw new DrError('EventInvalid', 'there is no plan that waits for a confirmation: plan again');
    const words = (typed.confirmation ?? '').trim();
    const again = async (problem: string) =>
      html`${bar(deps.links)}${await planMarkup(deps, work, execution, state.input, planned, view, problem)}`;
    if (words !== planned.confirmation)
      return again(`Nothing was started: what was typed is not "${planned.confirmation}".`);
    const input = confirmed(state.input, planned.plan, words);
    const sent = await submit(deps, fields.nonce, starting(work, execution, planned.plan), (name) =>
      deps.machines.start(work.name, name, input),
    );
    if ('refused' in sent) return again(sent.refused);
    await deps.pause();
    return runMarkup(deps, work, sent.execution, view);
  },
});

/** From the plan on: its words, how it goes, and what came of it. */
export const workPages = (deps: ActingDependencies, work: Work): readonly Page[] => [
  startPage(deps, work),
  {
    name: `${work.name}-run`,
    show: async ({ fields, view }) => runMarkup(deps, work, readFields(OfExecution, fields).execution, view),
  },
];
