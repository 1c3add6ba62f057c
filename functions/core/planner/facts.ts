import type { DiffStatus, SeenSide, SeenSnapshot } from '../domain/edge-reply.ts';
import type { RunStep } from '../domain/ledger.ts';
import type { EpochMs } from '../domain/units.ts';
import { currentSteps, type RunHistory } from './history.ts';

export interface DiffFact {
  readonly base: string;
  readonly target: string;
  readonly status: DiffStatus;
  readonly reason: string;
  /** When this run first asked for it. */
  readonly since: EpochMs;
}

/** What the run knows of both clusters. Stale facts decide nothing but a new survey. */
export interface ClusterFacts {
  readonly stale: boolean;
  readonly source: SeenSide | null;
  readonly replica: SeenSide | null;
  readonly diff: DiffFact | null;
}

const NOTHING: ClusterFacts = { stale: true, source: null, replica: null, diff: null };

const withSnapshot = (side: SeenSide | null, snapshot: SeenSnapshot): SeenSide | null =>
  side?.state === 'read'
    ? { ...side, snapshots: [...side.snapshots.filter((seen) => seen.name !== snapshot.name), snapshot] }
    : side;

const withDiff = (
  facts: ClusterFacts,
  base: string,
  target: string,
  status: DiffStatus,
  reason: string,
  at: EpochMs,
): ClusterFacts => {
  const same = facts.diff?.base === base && facts.diff.target === target;
  return { ...facts, diff: { base, target, status, reason, since: same && facts.diff ? facts.diff.since : at } };
};

const REFUSED_DIFF: Readonly<Record<string, DiffStatus>> = {
  'diff-pending': 'pending',
  'diff-failed': 'failed',
  'diff-unknown': 'not-found',
};

/** One answer on top of what was known. An effect of unknown outcome, or a guard that said no, makes the facts stale. */
const fold = (facts: ClusterFacts, step: RunStep): ClusterFacts => {
  const { decision, observed } = step;
  if (!observed || observed.kind === 'elapsed') return facts;
  switch (observed.kind) {
    case 'survey':
      return { ...facts, stale: false, source: observed.source, replica: observed.replica };
    case 'snapshot': {
      if (decision.kind !== 'create-snapshot') return facts;
      const known = { ...facts, source: withSnapshot(facts.source, observed.snapshot) };
      if (!decision.base || observed.diff === 'not-asked') return known;
      return withDiff(known, decision.base.name, decision.name, observed.diff, '', step.decidedAt);
    }
    case 'diff':
      if (decision.kind !== 'compute-diff') return facts;
      return withDiff(
        facts,
        decision.base.name,
        decision.target.name,
        observed.status,
        observed.reason,
        step.decidedAt,
      );
    case 'replicate':
      return observed.data.seal ? { ...facts, replica: withSnapshot(facts.replica, observed.data.seal) } : facts;
    case 'verify':
      return facts;
    case 'not-done': {
      const status = REFUSED_DIFF[observed.code];
      if (decision.kind === 'replicate' && decision.base && status)
        return withDiff(facts, decision.base.name, decision.target.name, status, observed.message, step.decidedAt);
      return { ...facts, stale: true };
    }
    case 'no-answer':
      return { ...facts, stale: true };
  }
};

/** Folds the answers of the run's steps, oldest first, into what is known now. */
export const clusterFacts = (history: RunHistory): ClusterFacts => currentSteps(history).reduce(fold, NOTHING);

export const activeNamed = (side: SeenSide | null, name: string): SeenSnapshot | undefined =>
  side?.state === 'read' ? side.snapshots.find((it) => it.name === name && it.status === 'ACTIVE') : undefined;

/** Present in any state: a deleted snapshot keeps its name until it is purged. */
export const isNameTaken = (side: SeenSide | null, name: string): boolean =>
  side?.state === 'read' && side.snapshots.some((it) => it.name === name);
