import type { Base } from '../domain/backup-step.ts';
import type { RecoveryPoint } from '../domain/ledger.ts';
import type { Retention } from '../domain/retention.ts';
import type { EpochMs } from '../domain/units.ts';
import { activeNamed, type ClusterFacts } from './facts.ts';
import { currentSteps, type RunHistory } from './history.ts';
import { applyRulesGuarded } from './retention.ts';

/** Older points than these are left to the source: a run has to come to its own slot. */
const MOST_REPLAYS = 20;

const hasFailedDiff = (history: RunHistory, base: Base, name: string): boolean =>
  currentSteps(history).some(
    ({ decision, observed }) =>
      (decision.kind === 'compute-diff' &&
        decision.side === 'source' &&
        decision.base.name === base.name &&
        decision.target.name === name &&
        observed?.kind === 'diff' &&
        observed.status === 'failed') ||
      (decision.kind === 'replicate' &&
        decision.target.name === name &&
        observed?.kind === 'not-done' &&
        observed.code === 'diff-failed'),
  );

/**
 * Of points that the replica lacks those that its rules would keep there, beside what it has; in the order of `missed`,
 * which is newest first, and no more than one run brings over.
 */
export const worthKeeping = <Point extends Pick<RecoveryPoint, 'name' | 'source'>>(
  retention: Retention | null,
  there: readonly Pick<RecoveryPoint, 'name' | 'source'>[],
  missed: readonly Point[],
  now: EpochMs,
): readonly Point[] => {
  if (!retention?.replica) return missed.slice(0, MOST_REPLAYS);
  const dated = [...there, ...missed].map(({ name, source }) => ({ name, at: source.created }));
  const kept = new Set<string>(
    applyRulesGuarded(dated, retention.replica, retention.zone, now).flatMap((it) => (it.kept ? [it.name] : [])),
  );
  return missed.filter(({ name }) => kept.has(name)).slice(0, MOST_REPLAYS);
};

/**
 * Points that an outage of the replica left on the source only, oldest first: between the newest verified pair and the
 * target of this run (`before`, epoch ms). They are brought over by increments and never by a resync, which their successor would need again.
 * Each policy's rules judge its own points. Those of another policy are not known here: what it missed is brought over, because
 * nothing can bring it once the replica is past it, and its own prune lets go of what it does not keep.
 */
export const missedPoints = (
  history: RunHistory,
  facts: ClusterFacts,
  base: Base,
  before: number,
  now: EpochMs,
): readonly RecoveryPoint[] => {
  const missed = history.points.filter(
    (point) =>
      point.state === 'taken' &&
      point.runId !== history.run.runId &&
      point.source.created > base.created &&
      point.source.created < before &&
      activeNamed(facts.source, point.name)?.id === point.source.id &&
      activeNamed(facts.replica, point.name) === undefined &&
      !hasFailedDiff(history, base, point.name),
  );
  const { name, retention } = history.run.policy;
  return [...new Set(missed.map(({ policy }) => policy))]
    .flatMap((policy) => {
      const ofPolicy = (points: readonly RecoveryPoint[]) => points.filter((point) => point.policy === policy);
      const there = ofPolicy(history.points.filter(({ state }) => state === 'verified'));
      return worthKeeping(policy === name ? retention : null, there, ofPolicy(missed), now);
    })
    .toSorted((one, other) => one.source.created - other.source.created);
};
