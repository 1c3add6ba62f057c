import * as z from 'zod';
import type { Policy } from '../../core/domain/policy.ts';
import { isDrError } from '../../core/errors.ts';
import type { Clock, ExecutionState, Ledger, Machines, Nonces, PlanStore } from '../../core/ports.ts';
import { type Act, makeNonce, useNonce } from '../../core/use-cases/nonces.ts';
import type { Links } from '../endpoints.ts';
import { type Html, html } from '../html.ts';
import { notice } from '../parts.ts';

/** What the pages that act work with. */
/** What a page about an execution is called with. */
export const OfExecution = z.object({ execution: z.string().min(1).max(2048) });

export interface ActingDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Pick<Ledger, 'loadPair' | 'livingPoints' | 'loadPolicyState' | 'loadEnrolment' | 'loadRun'>;
  readonly plans: Pick<PlanStore, 'load'>;
  readonly nonces: Nonces;
  readonly machines: Machines;
  readonly clock: Clock;
  /** 128 random bits, in hex. */
  readonly random: () => string;
  /** Between two looks at an execution that is expected to end soon. */
  readonly pause: () => Promise<void>;
  readonly links: Links;
}

/** A form with the right to submit it once; `problem` says why it is shown again. */
export const shown = async (
  deps: ActingDependencies,
  act: Act,
  dashboard: string,
  form: (nonce: string) => Html,
  problem?: string,
): Promise<Html> =>
  html`${problem !== undefined && notice('bad', problem)}${form(await makeNonce(deps, act, dashboard))}`;

export type Submitted = { readonly execution: string } | { readonly refused: string };

/**
 * Uses the right of a form up and starts what it asks for. The execution is named after the form: if this call dies in
 * between, nothing can start the same twice.
 */
export const submit = async (
  deps: ActingDependencies,
  nonce: string | undefined,
  act: Act,
  start: (name: string) => Promise<string>,
): Promise<Submitted> => {
  try {
    const used = await useNonce(deps, nonce, act);
    return { execution: await start(`console-${used}`) };
  } catch (error) {
    if (isDrError(error, 'NotConfirmed')) return { refused: error.message };
    throw error;
  }
};

/** Most decisions and many looks are over in that time; nobody waits longer in front of a page without a word. */
const LOOKS = 10;

/** The state of an execution, after a while if it is still at work. */
export const awaited = async (
  { machines, pause }: ActingDependencies,
  execution: string,
): Promise<ExecutionState | undefined> => {
  for (let n = 0; n < LOOKS; n++) {
    const state = await machines.look(execution);
    if (state?.status !== 'running') return state;
    await pause();
  }
  return machines.look(execution);
};

/** `by` and `reason`, of everybody who decides: the dashboard does not tell who calls. */
export const WHO_HINT =
  'It is recorded for good, with the reason. The dashboard does not say who you are; CloudTrail has the caller.';

/** The end of an ARN, for people. */
export const shortName = (execution: string): string => execution.split(':').at(-1) ?? execution;
