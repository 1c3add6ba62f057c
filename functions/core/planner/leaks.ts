import type { BackupStep } from '../domain/backup-step.ts';
import type { SeenSnapshot } from '../domain/edge-reply.ts';
import type { OperationId } from '../domain/names.ts';
import type { EpochMs } from '../domain/units.ts';
import { CLOCK_SKEW_MS } from './absorb.ts';
import type { ClusterFacts } from './facts.ts';
import { currentSteps, pointsOfRun, type RunHistory } from './history.ts';
import { operation } from './steps.ts';

/** The names that distcp gives the snapshots it needs for a moment (Hadoop 3.4, DistCpSync), and those that we give. */
export const TEMPORARY =
  /^(temp[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}s\d{8}-\d{6}\.\d{3}|odr-tmp-[a-z0-9.-]{1,40})$/;

const MOST_AT_ONCE = 10;

/** A mark of this run serves until the run has what it wants. */
const isInUse = (history: RunHistory, name: string): boolean =>
  pointsOfRun(history).every(({ state }) => state !== 'verified') &&
  currentSteps(history).some(({ decision }) => decision.kind === 'mark-replica' && decision.name === name);

/**
 * The operation of ours that left a temporary snapshot: it was made as such, or while a copy went on, in a bucket that is ours. While any
 * copy may still be going on, every one may be in use.
 */
const leftBy = (history: RunHistory, snapshot: SeenSnapshot, now: EpochMs): OperationId | undefined => {
  const { pair } = history;
  const mark = pair.marks.find(({ id }) => id === snapshot.id);
  if (mark) return isInUse(history, mark.name) ? undefined : mark.operation;
  if (!pair.owned?.proved || pair.copies.some(({ to, deadline }) => to === null && deadline > now)) return undefined;
  return pair.copies.find(
    ({ from, to, deadline }) =>
      snapshot.created >= from - CLOCK_SKEW_MS && snapshot.created <= (to ?? deadline) + CLOCK_SKEW_MS,
  )?.operation;
};

const temporaries = ({ replica }: ClusterFacts): readonly SeenSnapshot[] =>
  replica?.state === 'read'
    ? replica.snapshots.filter(({ name, status }) => status === 'ACTIVE' && TEMPORARY.test(name))
    : [];

/** Removes, once in a run, what copies of ours left behind on the replica: each such snapshot counts against Ozone's limit. */
export const tidyUp = (history: RunHistory, facts: ClusterFacts, now: EpochMs): BackupStep | undefined => {
  if (currentSteps(history).some(({ decision }) => decision.kind === 'tidy')) return undefined;
  const remove = temporaries(facts).flatMap((snapshot) => {
    const operationId = leftBy(history, snapshot, now);
    return operationId ? [{ name: snapshot.name, id: snapshot.id, leftBy: operationId }] : [];
  });
  if (remove.length === 0) return undefined;
  return operation(history, {
    kind: 'tidy',
    remove: remove.slice(0, MOST_AT_ONCE),
    reason:
      `temporary snapshots that a copy of ours left on the replica: ${remove.map(({ name, leftBy }) => `${name} (${leftBy})`).join(', ')}`.slice(
        0,
        1000,
      ),
  });
};

/** Temporary snapshots that nobody can be proved to have left: only a person may remove them. */
export const unprovenLeaks = (history: RunHistory, facts: ClusterFacts, now: EpochMs): readonly string[] =>
  temporaries(facts)
    .filter(({ id }) => !history.pair.marks.some((mark) => mark.id === id))
    .filter((snapshot) => leftBy(history, snapshot, now) === undefined)
    .map(
      ({ name }) =>
        `the replica has the temporary snapshot ${name}, which no copy of this product is known to have left`,
    );
