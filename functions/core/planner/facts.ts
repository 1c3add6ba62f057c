import type { DiffStatus, SeenSide, SeenSnapshot } from '../domain/edge-reply.ts';
import type { RunStep } from '../domain/ledger.ts';
import { currentSteps, type RunHistory } from './history.ts';

export interface DiffFact {
  readonly side: 'source' | 'replica';
  readonly base: string;
  readonly target: string;
  readonly status: DiffStatus;
  readonly reason: string;
}

/** What the run knows of both clusters. Stale facts decide nothing but a new survey. */
export interface ClusterFacts {
  readonly stale: boolean;
  readonly source: SeenSide | null;
  readonly replica: SeenSide | null;
  readonly diffs: readonly DiffFact[];
}

const NOTHING: ClusterFacts = { stale: true, source: null, replica: null, diffs: [] };

const withSnapshot = (side: SeenSide | null, snapshot: SeenSnapshot): SeenSide | null =>
  side?.state === 'read'
    ? { ...side, snapshots: [...side.snapshots.filter((seen) => seen.name !== snapshot.name), snapshot] }
    : side;

const without = (side: SeenSide | null, removed: readonly { readonly id: string }[]): SeenSide | null =>
  side?.state === 'read'
    ? { ...side, snapshots: side.snapshots.filter((seen) => !removed.some(({ id }) => id === seen.id)) }
    : side;

const withDiff = (
  facts: ClusterFacts,
  side: DiffFact['side'],
  base: string,
  target: string,
  status: DiffStatus,
  reason: string,
): ClusterFacts => ({
  ...facts,
  diffs: [
    ...facts.diffs.filter((it) => it.side !== side || it.base !== base || it.target !== target),
    { side, base, target, status, reason },
  ],
});

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
      if (decision.kind === 'mark-replica') {
        const marked = { ...facts, replica: withSnapshot(facts.replica, observed.snapshot) };
        return withDiff(marked, 'replica', decision.base.name, decision.name, observed.diff, '');
      }
      if (decision.kind !== 'create-snapshot') return facts;
      const known = { ...facts, source: withSnapshot(facts.source, observed.snapshot) };
      if (!decision.base || observed.diff === 'not-asked') return known;
      return withDiff(known, 'source', decision.base.name, decision.name, observed.diff, '');
    }
    case 'diff':
      if (decision.kind !== 'compute-diff') return facts;
      return withDiff(facts, decision.side, decision.base.name, decision.target.name, observed.status, observed.reason);
    case 'replicate':
      return observed.data.seal ? { ...facts, replica: withSnapshot(facts.replica, observed.data.seal) } : facts;
    case 'unchanged':
      return observed.data.unchanged ? { ...facts, replica: withSnapshot(facts.replica, observed.data.seal) } : facts;
    case 'verify':
    case 'examination':
    case 'restored':
    case 'comparison':
    case 'divergence':
    case 'restricted':
    case 'scratch':
    case 'looked':
      return facts;
    case 'bucket':
      return { ...facts, replica: { state: 'read', bucket: observed.bucket, snapshots: [] } };
    case 'tidy':
      return { ...facts, replica: without(facts.replica, observed.data.removed) };
    case 'deletion':
      return { ...facts, stale: true };
    case 'probe':
      return observed.state === 'running' ? facts : { ...facts, stale: true };
    case 'not-done': {
      const status = REFUSED_DIFF[observed.code];
      if (decision.kind === 'replicate' && decision.mode === 'incremental' && decision.base && status)
        return withDiff(facts, 'source', decision.base.name, decision.target.name, status, observed.message);
      return observed.code === 'anomalous-change' ? facts : { ...facts, stale: true };
    }
    case 'no-answer':
      return { ...facts, stale: true };
  }
};

/** Folds what was seen under this lease, oldest first, into what is known now. */
export const clusterFacts = (history: RunHistory): ClusterFacts =>
  currentSteps(history)
    .filter((step) => step.operationStep >= (history.run.factsFrom ?? 0))
    .reduce(fold, NOTHING);

export const diffOf = (
  facts: ClusterFacts,
  side: DiffFact['side'],
  base: string,
  target: string,
): DiffFact | undefined => facts.diffs.find((it) => it.side === side && it.base === base && it.target === target);

export const activeNamed = (side: SeenSide | null, name: string): SeenSnapshot | undefined =>
  side?.state === 'read' ? side.snapshots.find((it) => it.name === name && it.status === 'ACTIVE') : undefined;

/** Present in any state: a deleted snapshot keeps its name until it is purged. */
export const isNameTaken = (side: SeenSide | null, name: string): boolean =>
  side?.state === 'read' && side.snapshots.some((it) => it.name === name);
