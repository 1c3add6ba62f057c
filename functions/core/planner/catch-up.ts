import type { Base } from '../domain/backup-step.ts';
import type { RecoveryPoint } from '../domain/ledger.ts';
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

/** Those that the rules of the replica would keep there, beside what it has. */
const worthKeeping = (
  { run, points }: RunHistory,
  missed: readonly RecoveryPoint[],
  now: EpochMs,
): readonly RecoveryPoint[] => {
  const { retention } = run.policy;
  if (!retention?.replica) return missed;
  const there = points.filter(({ state }) => state === 'verified');
  const dated = [...there, ...missed].map(({ name, source }) => ({ name, at: source.created }));
  const kept = new Set(
    applyRulesGuarded(dated, retention.replica, retention.zone, now).flatMap((it) => (it.kept ? [it.name] : [])),
  );
  return missed.filter(({ name }) => kept.has(name));
};

/**
 * Points that an outage of the replica left on the source only, oldest first: between the newest verified pair and the
 * target of this run (`before`, epoch ms). They are brought over by increments and never by a resync, which their successor would need again.
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
  return worthKeeping(history, missed, now).slice(0, MOST_REPLAYS).toReversed();
};
