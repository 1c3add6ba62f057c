import * as z from 'zod';
import { covers } from '../../core/domain/buckets.ts';
import { BucketRef, PolicyName } from '../../core/domain/names.ts';
import { secondsBetween } from '../../core/domain/units.ts';
import { DrError } from '../../core/errors.ts';
import { spanText } from '../../core/planner/consequences.ts';
import { count } from '../../core/planner/sentences.ts';
import type { ExecutionState } from '../../core/ports.ts';
import type { Act } from '../../core/use-cases/nonces.ts';
import { button } from '../action.ts';
import { readFields } from '../fields.ts';
import { form } from '../form.ts';
import { type Html, html } from '../html.ts';
import { notice } from '../parts.ts';
import type { Page } from '../router.ts';
import type { WidgetRequest } from '../widget-event.ts';
import { type ActingDependencies, awaited, OfExecution, shortName, shown, submit, WHO_HINT } from './acting.ts';
import { bar } from './bar.ts';
import { fleetWork } from './failover-fleet.ts';
import { isFleetOfFailovers, movesOf, movesSummary, movesTable, stopMoves } from './fleet-moves.ts';
import { runMarkup } from './planned.ts';

const Of = z.object({ policy: PolicyName, bucket: BucketRef });
type Of = z.infer<typeof Of>;

// ---------------------------------------------------------------- back up now

const backingUp = (of: Of): Act => ({ act: 'back-up', about: of });

const backUpForm = async (
  deps: ActingDependencies,
  of: Of,
  { dashboard }: WidgetRequest['view'],
  problem?: string,
): Promise<Html> => {
  const { links, ledger } = deps;
  const { paused } = await ledger.loadPolicyState(of.policy);
  return html`${bar(links)}<h2>Back up ${of.bucket} now?</h2><p>A snapshot is taken and copied, beside what the schedules of ${of.policy} do. If a backup of it is at work already, nothing more is started.</p>${
    paused &&
    notice('warn', `The policy is paused by ${paused.by} (${paused.reason}); this backup is done all the same.`)
  }${await shown(
    deps,
    backingUp(of),
    dashboard,
    (nonce) =>
      html`${button('Back up now', { endpoint: links.backUp().endpoint, page: 'back-up-now', fields: { ...of, nonce } }, { isPrimary: true })}${button('To the bucket', links.bucket(of))}`,
    problem,
  )}`;
};

const findForm = ({ links, policies }: ActingDependencies): Html =>
  html`${bar(links)}<h2>Back up now</h2>${form(
    [
      { kind: 'text', name: 'bucket', label: 'Which bucket?', placeholder: 'volume/bucket' },
      {
        kind: 'choice',
        name: 'policy',
        label: 'Under which policy?',
        options: policies.map(({ name }) => [name, name] as const),
      },
    ],
    button('Go on', links.backUp(), { isPrimary: true }),
  )}`;

const isBucketOf = ({ policies }: ActingDependencies, { policy, bucket }: Of): boolean =>
  policies.some(({ name, buckets }) => name === policy && covers({ buckets }, bucket));

const backUpPage = (deps: ActingDependencies): Page => ({
  name: 'back-up',
  show: async ({ fields, form: typed, view }) => {
    if (fields.bucket === undefined && typed.bucket === undefined) return findForm(deps);
    const of = readFields(Of, {
      policy: fields.policy ?? typed.policy,
      bucket: (fields.bucket ?? typed.bucket ?? '').trim(),
    });
    if (!isBucketOf(deps, of)) throw new DrError('PolicyInvalid', `the policy ${of.policy} does not have ${of.bucket}`);
    return backUpForm(deps, of, view);
  },
});

const Named = z.object({ point: z.string() });

const backUpMarkup = async (deps: ActingDependencies, execution: string): Promise<Html> => {
  const { links, machines, clock } = deps;
  const state = await machines.look(execution);
  if (!state) throw new DrError('EventInvalid', `there is no execution ${shortName(execution)} of a backup`);
  const of = Of.safeParse(state.input);
  const bucket = of.success ? of.data.bucket : shortName(execution);
  const head = html`${bar(links)}<h2>Backup of ${bucket}</h2>`;
  const back = of.success && button('To the bucket', links.bucket(of.data));
  if (state.status === 'running')
    return html`${head}<p>At work for ${spanText(secondsBetween(state.startedAt, clock.now()))}. You may close this: it goes on.</p>${button(
      'Look again',
      { endpoint: links.backUp().endpoint, page: 'back-up-run', fields: { execution } },
      { isPrimary: true },
    )}${back}`;
  if (state.status !== 'succeeded')
    return html`${head}${notice('bad', html`<strong>It did not succeed: ${state.error ?? state.status}.</strong> ${state.cause}`)}${back}`;
  const named = Named.safeParse(state.output);
  return html`${head}${notice('good', named.success ? `Done: ${named.data.point}.` : 'Done; nothing new was needed.')}${back}`;
};

const backUpNowPage = (deps: ActingDependencies): Page => ({
  name: 'back-up-now',
  show: async ({ fields, view }) => {
    const of = readFields(Of, fields);
    const sent = await submit(deps, fields.nonce, backingUp(of), (name) => deps.machines.start('backup', name, of));
    return 'refused' in sent ? backUpForm(deps, of, view, sent.refused) : backUpMarkup(deps, sent.execution);
  },
});

const backUpRunPage = (deps: ActingDependencies): Page => ({
  name: 'back-up-run',
  show: async ({ fields }) => backUpMarkup(deps, readFields(OfExecution, fields).execution),
});

// ---------------------------------------------------------------- cancel

const cancelling = (execution: string): Act => ({ act: 'cancel', about: { execution } });
const WORD = 'cancel';

/** By the name of its machine, which is in its ARN. */
const movesRoles = (execution: string): boolean => /-fail(over|back):[^:]+$/.test(execution);

/** What is cancelled, and what it leaves behind. */
const asked = async (deps: ActingDependencies, execution: string, state: ExecutionState): Promise<Html> => {
  if (!isFleetOfFailovers(execution))
    return html`<h2>Cancel ${shortName(execution)}?</h2><p>What it copied by then stays. The command on the host is ended by the sweeper within minutes, and until then the target is not free. The same restore started again looks at what is there; the next drill removes what a drill left.</p>${
      movesRoles(execution) &&
      notice(
        'warn',
        'A failover, or a switch back, that has begun to change something leaves the roles half moved: nothing backs the bucket up until it is started again and succeeds.',
      )
    }`;
  const moves = await movesOf(deps, execution, state);
  return html`<h2>Cancel ${moves ? `the failover of ${count(moves.moves.length, 'bucket')} of ${moves.plan.policy}` : shortName(execution)}?</h2><p>No more of its buckets is begun, and the failovers that are at work are cancelled with it. What is failed over stays so. The commands on the hosts are ended by the sweeper within minutes.</p>${notice(
    'warn',
    'A bucket whose roles are on their way is left half moved: nothing backs it up until its failover is started again and succeeds.',
  )}${moves && html`${movesSummary(moves)}${movesTable(moves, deps.links, false)}`}`;
};

const cancelForm = async (
  deps: ActingDependencies,
  execution: string,
  typed: Readonly<Record<string, string>>,
  view: WidgetRequest['view'],
  problem?: string,
): Promise<Html> => {
  const { links, machines } = deps;
  const state = await machines.look(execution);
  if (state && state.status !== 'running' && isFleetOfFailovers(execution))
    return runMarkup(deps, fleetWork, execution, view);
  if (state?.status !== 'running')
    return html`${bar(links)}<h2>Cancel ${shortName(execution)}?</h2>${notice('warn', 'It is not running (any more): there is nothing to cancel.')}`;
  return html`${bar(links)}${await asked(deps, execution, state)}${await shown(
    deps,
    cancelling(execution),
    view.dashboard,
    (nonce) =>
      form(
        [
          { kind: 'text', name: 'by', label: 'Your name', value: typed.by ?? '' },
          { kind: 'text', name: 'reason', label: 'Why', value: typed.reason ?? '' },
          { kind: 'text', name: 'words', label: `Type ${WORD}`, placeholder: WORD },
        ],
        html`${button('Cancel it', { endpoint: links.cancel().endpoint, page: 'cancel-now', fields: { execution, nonce } }, { isPrimary: true })}${button('Let it run', links.operations())}<div class="odr-hint">${WHO_HINT}</div>`,
      ),
    problem,
  )}`;
};

/**
 * What a fleet has begun, after it was stopped and nothing new is begun: Step Functions stops that too, but only as well as
 * it can. Then how far each of its buckets is.
 */
const stoppedFleet = async (
  deps: ActingDependencies,
  execution: string,
  cause: string,
  view: WidgetRequest['view'],
): Promise<Html> => {
  const state = await awaited(deps, execution);
  const moves = state && (await movesOf(deps, execution, state));
  const problems = moves ? await stopMoves(deps, moves, cause) : [];
  return html`${problems.map(({ bucket, problem }) => notice('bad', `The failover of ${bucket} could not be cancelled: ${problem}`))}${await runMarkup(deps, fleetWork, execution, view)}`;
};

const cancelPage = (deps: ActingDependencies): Page => ({
  name: 'cancel',
  show: async ({ fields, view }) => cancelForm(deps, readFields(OfExecution, fields).execution, {}, view),
});

const cancelNowPage = (deps: ActingDependencies): Page => ({
  name: 'cancel-now',
  show: async ({ fields, form: typed, view }) => {
    const { execution } = readFields(OfExecution, fields);
    const again = (problem: string) => cancelForm(deps, execution, typed, view, problem);
    const by = (typed.by ?? '').trim();
    const reason = (typed.reason ?? '').trim();
    if (by === '' || reason === '') return again('Nothing was cancelled: write your name, and why.');
    if ((typed.words ?? '').trim() !== WORD) return again(`Nothing was cancelled: type ${WORD}.`);
    const cause = `cancelled by ${by}: ${reason}`;
    const sent = await submit(deps, fields.nonce, cancelling(execution), async () => {
      await deps.machines.stop(execution, cause);
      return execution;
    });
    if ('refused' in sent) return again(sent.refused);
    if (isFleetOfFailovers(execution)) return stoppedFleet(deps, execution, cause, view);
    return html`${bar(deps.links)}${notice('good', `${shortName(execution)} is cancelled. What it has on a host ends within minutes.`)}`;
  },
});

/** What a person starts and stops besides restores. */
export const startStopPages = (deps: ActingDependencies): readonly Page[] => [
  backUpPage(deps),
  backUpNowPage(deps),
  backUpRunPage(deps),
  cancelPage(deps),
  cancelNowPage(deps),
];
