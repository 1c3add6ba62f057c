import type { BackupStep } from '../domain/backup-step.ts';
import type { SeenSide } from '../domain/edge-reply.ts';
import type { ErrorName } from '../errors.ts';
import { currentSteps, type RunHistory } from './history.ts';
import { backoff, conflict, fail, operation, wait } from './steps.ts';

/** Surveys that found a side without an answer: they are answers themselves, but not what the run needs. */
const fruitlessSurveys = (history: RunHistory): number =>
  currentSteps(history).filter(
    ({ observed }) =>
      observed?.kind === 'survey' &&
      [observed.source, observed.replica].some((side) => side?.state === 'unreachable' || side?.state === 'unreadable'),
  ).length;

/** Waits and looks again while tries are left; a wait that is over leads to a survey. */
const lookAgain = (history: RunHistory, error: ErrorName, why: string): BackupStep => {
  const tries = fruitlessSurveys(history);
  if (tries >= history.run.policy.limits.attempts)
    return fail(
      error,
      `${why} (${tries} surveys)`,
      'The next run tries again. To have this slot after all, bring the cluster back and start the same input with the slot again.',
    );
  const last = currentSteps(history).at(-1);
  return last?.decision.kind === 'wait'
    ? operation(history, { kind: 'survey', reason: `look again: ${why}` })
    : wait(backoff(tries), why);
};

/** What stands in the way of a side's use, or nothing. */
export const notReadable = (
  history: RunHistory,
  side: SeenSide | null,
  which: 'source' | 'replica',
): BackupStep | undefined => {
  const { policy, bucket } = history.run;
  const cluster = which === 'source' ? policy.source : policy.replica;
  const at = `${bucket} on ${cluster?.name ?? which}`;
  const unreachable = which === 'source' ? 'SourceUnreachable' : 'ReplicaUnreachable';
  if (!side) return fail(unreachable, `${at} was not observed`, 'Start the run again.');
  switch (side.state) {
    case 'read':
      if (side.bucket.link)
        return conflict('layout-unsupported', `${at} is a link`, 'Name the bucket that it leads to in the policy.');
      if (policy.replica && side.bucket.layout === 'OBJECT_STORE')
        return conflict(
          'layout-unsupported',
          `${at} has the layout OBJECT_STORE, which distcp cannot copy by snapshot`,
          'Use a policy without a replica for it.',
        );
      return which === 'source' ? sourceReplaced(history, side.bucket.created) : undefined;
    case 'missing':
      return which === 'source'
        ? conflict('source-missing', `${at} does not exist (${side.code})`, 'Take it out of the policy or create it.')
        : replicaMissing(history, `${at} does not exist (${side.code})`);
    case 'denied':
      return fail(
        'AccessDenied',
        `${at} may not be read: ${side.message}`,
        side.code === 'no-ticket'
          ? 'See that the edge host gets a Kerberos ticket for the observe document (docs/deploy.md, "Kerberos").'
          : 'Grant read and list to the user of the edge host.',
      );
    case 'unreachable':
      return lookAgain(history, unreachable, `${at} does not answer: ${side.message}`);
    case 'unreadable':
      return lookAgain(history, 'EdgeReplyInvalid', `${at} gave an unreadable answer: ${side.message}`);
  }
};

/** A bucket of the same name that was made anew is another bucket: its emptiness must not follow into the replica. */
const sourceReplaced = (history: RunHistory, created: string): BackupStep | undefined => {
  const { sourceCreated } = history.pair;
  const { bucket, policy } = history.run;
  if (sourceCreated === null || sourceCreated === created) return undefined;
  return conflict(
    'source-replaced',
    `${bucket} on ${policy.source.name} was created at ${created}, the lineage is of a bucket that was created at ${sourceCreated}`,
    `If the new bucket is meant to continue it, adopt it: adopt ${bucket} on ${policy.source.name} created ${created}. Until then no snapshot is taken and nothing is copied.`,
  );
};

const replicaMissing = (history: RunHistory, evidence: string): BackupStep => {
  const { policy } = history.run;
  const source = history.pair.owned ? null : sourceBucket(history);
  const made = currentSteps(history).some(({ decision }) => decision.kind === 'create-replica');
  if (policy.createReplica && source && !made && source.layout !== 'OBJECT_STORE')
    return operation(history, {
      kind: 'create-replica',
      layout: source.layout,
      replication: source.replication,
      quotaBytes: Math.max(0, source.quotaInBytes),
      quotaNamespace: Math.max(0, source.quotaInNamespace),
      encryptionKey: source.encryptionKey,
      reason: `${evidence}, and the policy says to make it`,
    });
  return conflict(
    'replica-missing',
    history.pair.owned
      ? `${evidence}; the one that held the copies was created at ${history.pair.owned.created}`
      : evidence,
    'Create it empty, with the layout of the source, or set createReplica in the policy; the next run makes a first copy.',
  );
};

const sourceBucket = (history: RunHistory) => {
  const seen = currentSteps(history).findLast(({ observed }) => observed?.kind === 'survey')?.observed;
  return seen?.kind === 'survey' && seen.source.state === 'read' ? seen.source.bucket : null;
};
