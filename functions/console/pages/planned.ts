import * as z from 'zod';
import type { BackupRun, RunStep } from '../../core/domain/ledger.ts';
import { RestorePlan, RestorePlanned } from '../../core/domain/restore.ts';
import type { PlanHash } from '../../core/domain/retention.ts';
import { type EpochMs, secondsBetween } from '../../core/domain/units.ts';
import { DrError } from '../../core/errors.ts';
import { instantText, spanText } from '../../core/planner/consequences.ts';
import { bytesText, count } from '../../core/planner/sentences.ts';
import type { ExecutionState, StartedByHand } from '../../core/ports.ts';
import type { Act } from '../../core/use-cases/nonces.ts';
import { readPlan } from '../../core/use-cases/plan-text.ts';
import { button } from '../action.ts';
import { readFields } from '../fields.ts';
import { form } from '../form.ts';
import { type Html, html } from '../html.ts';
import { notice, toned } from '../parts.ts';
import type { Page } from '../router.ts';
import type { WidgetRequest } from '../widget-event.ts';
import { type ActingDependencies, OfExecution, shown, submit } from './acting.ts';
import { bar } from './bar.ts';

/** What is first planned, then confirmed by typed words, and then done step by step: a restore, and a failover. */

export type Planned = z.infer<typeof RestorePlanned>;

export const filesText = (files: number, bytes?: number): string =>
  `${count(files, 'file')}${bytes === undefined ? '' : `, ${bytesText(bytes)}`}`;

export const firstOf = ({ first }: RestorePlan): Html =>
  html`${first.length > 0 && html`<details><summary>The first files that differ at the target</summary><ul>${first.map((it) => html`<li><code>${it}</code></li>`)}</ul></details>`}`;

export const plannedIn = (state: ExecutionState | undefined): Planned | undefined =>
  RestorePlanned.safeParse(state?.output).data;

/** The plan itself. @throws NotConfirmed when it is not there any more */
export const planOf = async ({ plans }: Pick<ActingDependencies, 'plans'>, planned: Planned): Promise<RestorePlan> => {
  const plan = readPlan(RestorePlan, planned.plan, await plans.load(planned.plan));
  if (!plan) throw new DrError('NotConfirmed', `the plan ${planned.plan} cannot be read: plan again`);
  return plan;
};

export const obstaclesNotice = ({ obstacles }: RestorePlan): Html =>
  notice(
    'bad',
    html`<strong>This cannot be done as planned. Nothing was changed.</strong>${obstacles.map((it) => html`<br />${it.reason}. ${it.remedy}`)}`,
  );

/** What the second start says: the same request, the plan and its words. */
export const confirmed = (input: unknown, plan: PlanHash, confirmation: string): object => {
  const { planOnly: _, ...request } = readFields(z.looseObject({ planOnly: z.boolean().optional() }), input);
  return { ...request, plan, confirmation };
};

const DOES: Readonly<Partial<Record<RunStep['decision']['kind'], string>>> = {
  examine: 'looks at the point and at the target',
  'create-target': 'makes the bucket',
  'safety-snapshot': 'keeps what is there in a snapshot',
  restore: 'copies',
  compare: 'compares the target with the point',
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
export const skippedNotice = ({ output }: ExecutionState): Html | undefined => {
  const skipped = Skipped.safeParse(output);
  return skipped.success ? notice('warn', `Nothing was done: ${skipped.data.reason}.`) : undefined;
};

export const failureNotice = ({ status, error, cause }: ExecutionState): Html => {
  const what =
    status === 'cancelled' ? 'It was cancelled' : status === 'timed-out' ? 'It ran out of time' : 'It failed';
  return notice('bad', html`<strong>${what}: ${error ?? status}.</strong> ${cause ?? ''}`);
};

const IsPlanOnly = z.looseObject({ planOnly: z.literal(true) });

/** It is asked for a plan, and for nothing else. */
export const isPlanOnly = (input: unknown): boolean => IsPlanOnly.safeParse(input).success;

interface Words {
  readonly execution: string;
  readonly planned: Planned;
  readonly confirmation: string;
  readonly act: Act;
  readonly call: { readonly endpoint: string; readonly page: string };
  /** What whoever types them should know besides how long the plan is good. */
  readonly hint: string;
  readonly label: string;
  readonly change: Html | null;
  readonly dashboard: WidgetRequest['view']['dashboard'];
  readonly problem: string | undefined;
}

/** The form for the words of a plan. */
export const askForWords = (
  deps: ActingDependencies,
  { execution, planned, confirmation, act, call, hint, label, change, dashboard, problem }: Words,
): Promise<Html> =>
  shown(
    deps,
    act,
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
        html`${button(label, { ...call, fields: { execution, nonce } }, { isPrimary: true })}${change}`,
      ),
    problem,
  );

interface Start {
  readonly page: string;
  readonly machine: StartedByHand;
  readonly starting: (execution: string, plan: PlanHash) => Act;
  readonly planMarkup: (
    deps: ActingDependencies,
    execution: string,
    input: unknown,
    planned: Planned,
    view: WidgetRequest['view'],
    problem?: string,
  ) => Promise<Html>;
  readonly runMarkup: (deps: ActingDependencies, execution: string, view: WidgetRequest['view']) => Promise<Html>;
}

/** Starts what was planned, by the words that were typed. */
export const planStartPage = (
  deps: ActingDependencies,
  { page, machine, starting, planMarkup, runMarkup }: Start,
): Page => ({
  name: page,
  show: async ({ fields, form: typed, view }) => {
    const { execution } = readFields(OfExecution, fields);
    const state = await deps.machines.look(execution);
    const planned = plannedIn(state);
    if (!state || !planned || planned.confirmation === null)
      throw new DrError('EventInvalid', 'there is no plan that waits for a confirmation: plan again');
    const words = (typed.confirmation ?? '').trim();
    const again = async (problem: string) =>
      html`${bar(deps.links)}${await planMarkup(deps, execution, state.input, planned, view, problem)}`;
    if (words !== planned.confirmation)
      return again(`Nothing was started: what was typed is not "${planned.confirmation}".`);
    const input = confirmed(state.input, planned.plan, words);
    const sent = await submit(deps, fields.nonce, starting(execution, planned.plan), (name) =>
      deps.machines.start(machine, name, input),
    );
    if ('refused' in sent) return again(sent.refused);
    await deps.pause();
    return runMarkup(deps, sent.execution, view);
  },
});
