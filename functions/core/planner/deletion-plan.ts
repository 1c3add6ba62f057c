import type { Coverage, DeletionPlan } from '../domain/deletion-plan.ts';
import type { SeenSide } from '../domain/edge-reply.ts';
import type { PairId, RunId, SnapshotId } from '../domain/names.ts';
import type { PlanHash, Side } from '../domain/retention.ts';
import type { EpochMs } from '../domain/units.ts';
import { NOT_OURS, type PrunePlan, type PruneSettings, type SidePlan, type Verdict } from './plan-prune.ts';

const coverageOf = (snapshots: readonly Verdict[]): Coverage => {
  const times = snapshots.map(({ created }) => created).sort((a, b) => a - b);
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? time));
  return {
    points: times.length,
    oldest: times[0] ?? null,
    newest: times.at(-1) ?? null,
    widestGap: Math.round(gaps.reduce((widest, gap) => Math.max(widest, gap), 0) / 1000),
  };
};

const isOurs = ({ reasons }: Verdict): boolean => !reasons.includes(NOT_OURS);

/** A plan as it is stored: complete, with what it would free and what it would leave. */
export const deletionPlan = (
  made: Extract<PrunePlan, { kind: 'plan' }>,
  from: {
    readonly pair: PairId;
    readonly runId: RunId;
    readonly settings: PruneSettings;
    readonly listings: Readonly<Record<Side, SeenSide | null>>;
    /** Under which plan a snapshot is condemned already. */
    readonly condemned: ReadonlyMap<SnapshotId, { readonly plan: PlanHash }>;
  },
  now: EpochMs,
): DeletionPlan => {
  const { settings } = from;
  const sideOf = (side: Side, { keep, condemn, remove, spare }: SidePlan): DeletionPlan['source'] => {
    const listing = from.listings[side];
    const bytes = new Map(listing?.state === 'read' ? listing.snapshots.map((it) => [it.id, it.exclusiveBytes]) : []);
    const doomed = [...remove, ...condemn].map((verdict) => ({
      ...verdict,
      reasons: [...verdict.reasons],
      bytes: bytes.get(verdict.id) ?? null,
      plan: from.condemned.get(verdict.id)?.plan ?? null,
    }));
    const kept = keep.map((verdict) => ({ ...verdict, reasons: [...verdict.reasons] }));
    const isSpared = new Set(spare);
    return {
      keep: kept,
      delete: doomed,
      spare: kept.filter(({ id }) => isSpared.has(id)),
      bytes: doomed.reduce((sum, it) => sum + (it.bytes ?? 0), 0),
      coverage: { before: coverageOf([...keep.filter(isOurs), ...doomed]), after: coverageOf(keep.filter(isOurs)) },
    };
  };
  const rulesOf = (side: Side) => settings.inForce[side].map((it) => ({ ...it }));
  return {
    schema: 1,
    pair: from.pair,
    policy: settings.policy,
    runId: from.runId,
    madeAt: now,
    graceHours: settings.grace / 3600,
    maxDeletions: settings.maxDeletions,
    rules: { source: rulesOf('source'), replica: made.replica && rulesOf('replica') },
    source: sideOf('source', made.source),
    replica: made.replica && sideOf('replica', made.replica),
  };
};
