import type { BackupStep, OperationStep } from '../domain/backup-step.ts';
import type { Observation, RunStep } from '../domain/ledger.ts';
import { ERROR_NAMES, type ErrorName } from '../errors.ts';
import { failuresOf, isFailure, type RunHistory } from './history.ts';
import { backoff, conflict, fail, wait } from './steps.ts';

const SEE_HOST =
  'See the message; the edge host guide says what a host needs. Then start the same input with the same slot again.';

/** Answers after which trying again changes nothing. */
const FINAL_CODES: Readonly<Record<string, { readonly error: ErrorName; readonly remedy: string }>> = {
  'permission-denied': {
    error: 'AccessDenied',
    remedy:
      'Grant the user of the edge host what the message names, then start the same input with the same slot again.',
  },
  'no-ticket': {
    error: 'AccessDenied',
    remedy:
      'See that the host gets a Kerberos ticket for this document, as the message says (docs/deploy.md, "Kerberos"). Then start the same input with the same slot again.',
  },
  'bad-parameter': { error: 'EdgeRefused', remedy: SEE_HOST },
  environment: { error: 'EdgeRefused', remedy: SEE_HOST },
  'verb-not-allowed': { error: 'EdgeRefused', remedy: SEE_HOST },
  'hook-missing': {
    error: 'EdgeRefused',
    remedy:
      'Name the program as the message says in /etc/ozone-dr/host.conf of every host of the source, where root alone may change it. Then start the same input with the same slot again.',
  },
  'fence-missing': {
    error: 'EdgeRefused',
    remedy: 'Follow the message: prove that no copy runs, then write the fence file.',
  },
  'fence-stale': { error: 'LeaseLost', remedy: 'Nothing: a newer run works on this bucket.' },
  'changed-meanwhile': {
    error: 'ChangedMeanwhile',
    remedy: 'Nothing was deleted. The next prune looks again and plans from what is there.',
  },
  'queue-missing': {
    error: 'EdgeRefused',
    remedy:
      'Make that queue, or write another one into limits.yarn.queue of the policy and deploy. Then start the same input with the same slot again.',
  },
  layout: { error: 'LayoutUnsupported', remedy: 'Use FILE_SYSTEM_OPTIMIZED or LEGACY on both sides.' },
};

const EXHAUSTED: Readonly<Record<OperationStep['kind'], ErrorName>> = {
  survey: 'EdgeFailed',
  'create-snapshot': 'SnapshotFailed',
  'compute-diff': 'DiffFailed',
  'mark-replica': 'SnapshotFailed',
  replicate: 'CopyFailed',
  'seal-unchanged': 'EdgeFailed',
  probe: 'EdgeFailed',
  verify: 'EdgeFailed',
  'create-replica': 'EdgeFailed',
  tidy: 'EdgeFailed',
  delete: 'EdgeFailed',
  examine: 'EdgeFailed',
  'create-target': 'EdgeFailed',
  'safety-snapshot': 'SnapshotFailed',
  restore: 'CopyFailed',
  compare: 'EdgeFailed',
  'measure-divergence': 'EdgeFailed',
  restrict: 'EdgeFailed',
  'remove-scratch': 'ScratchNotRemoved',
  'look-versions': 'EdgeFailed',
  'look-changes': 'DiffFailed',
  'list-buckets': 'EdgeFailed',
  'check-host': 'EdgeFailed',
};

const SEE_HOOK =
  'Run the program of the hook on its host by hand, or let the policy take snapshots without it (fatal: false). The next run tries again.';

const LOG = 'If this repeats, look at the log of the operation on its host.';

/** Nobody starts the next run of a restore but a person. */
const goOn = ({ run }: RunHistory): string =>
  run.restore && run.restore.purpose !== 'drill'
    ? `Start the same input with the same slot again: it goes on from what it finds. ${LOG}`
    : `The next run goes on from what it finds. ${LOG}`;

const asErrorName = (text: string, otherwise: ErrorName): ErrorName =>
  ERROR_NAMES.find((name) => name === text) ?? otherwise;

/** Guards that say what a person has to decide. */
const guarded = (
  history: RunHistory,
  { host }: OperationStep,
  observed: Extract<Observation, { kind: 'not-done' }>,
  why: string,
): BackupStep | undefined => {
  const { bucket, policy } = history.run;
  switch (observed.code) {
    case 'replica-not-empty':
      return conflict(
        'replica-not-ours',
        why,
        `Empty ${bucket} on ${policy.replica?.name}, name another cluster, or adopt the bucket as it is.`,
      );
    case 'snapshot-limit':
      return conflict(
        'budget-exceeded',
        why,
        'Delete snapshots that nobody needs on that cluster, keep fewer by the policies, or raise ozone.om.fs.snapshot.max.limit.',
      );
    case 'hook-failed':
      // The snapshot is there, and what was to be let go may still hold still: nobody else says so.
      return observed.outcome === 'failed'
        ? fail(
            'SnapshotFailed',
            why,
            `See on ${host} that what the hook is for goes on. Then start the same input with the same slot again: it goes on from the snapshot that was taken.`,
          )
        : undefined;
    default: {
      const final = FINAL_CODES[observed.code];
      return final && fail(final.error, why, final.remedy);
    }
  }
};

/** What the failure of the last step means: give up, wait, or nothing (the facts are stale and will be looked at). */
export const afterFailure = (history: RunHistory, last: RunStep | undefined): BackupStep | undefined => {
  if (!last?.observed || !isFailure(last.observed)) return undefined;
  const { decision, observed } = last;
  if (!('host' in decision)) return undefined;
  // What a copy left behind is not worth a failed backup: it stays in the survey of every run until it can be removed.
  if (decision.kind === 'tidy') return undefined;
  const tries = failuresOf(history, decision.kind);
  const isLastTry = tries >= history.run.policy.limits.attempts;
  const tried = `${decision.kind} was tried ${tries} times`;
  if (observed.kind === 'no-answer') {
    const why = `${decision.kind} got no answer: ${observed.error} ${observed.cause}`.slice(0, 900);
    if (observed.error === 'EdgeReplyInvalid' || observed.error === 'EdgeRefused')
      return fail(observed.error, why, SEE_HOST);
    if (isLastTry)
      return fail(asErrorName(observed.error, EXHAUSTED[decision.kind]), `${why} (${tried})`, goOn(history));
    return wait(backoff(tries), why);
  }
  if (observed.kind !== 'not-done') return undefined;
  const why = `${decision.kind} on ${decision.host}: ${observed.code} ${observed.message}`.slice(0, 900);
  const guard = guarded(history, decision, observed, why);
  if (guard) return guard;
  if (isLastTry)
    return fail(
      observed.outcome === 'unreachable' ? 'EdgeUnreachable' : EXHAUSTED[decision.kind],
      `${why} (${tried})`,
      observed.code === 'hook-failed' ? SEE_HOOK : goOn(history),
    );
  const mayPass =
    observed.outcome === 'unreachable' || ['bucket-busy', 'not-flushed', 'hook-failed'].includes(observed.code);
  return mayPass ? wait(backoff(tries), why) : undefined;
};
