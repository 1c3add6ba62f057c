import type { Policy } from '../../../functions/core/domain/policy.ts';
import { type EpochMs, epochMs } from '../../../functions/core/domain/units.ts';
import type { Ledger, PlanStore } from '../../../functions/core/ports.ts';
import { openRestore } from '../../../functions/core/use-cases/open-restore.ts';
import { memoryLedger, memorySelections } from '../../fixtures/memory-store.ts';
import { restorePolicy } from '../planner/restore-world.ts';
import { historyOf, noon, type World } from '../planner/world.ts';

export const startedAt = '2026-11-20T12:00:00.000Z';
export const lineage = historyOf({}).run.pair;

export const memoryPlans = (): PlanStore & { readonly plans: Map<string, string> } => {
  const plans = new Map<string, string>();
  return {
    plans,
    put: async (hash, body) => {
      plans.set(hash, body);
    },
    load: async (hash) => plans.get(hash),
  };
};

/** A ledger with points, and everything else that opens a restore. Executions run until they are taken out of `running`. */
export const restoreStage = async (
  world: World = { source: 'a* b* c', replica: 'a* b*' },
  policies: readonly Policy[] = [restorePolicy()],
) => {
  const ledger = memoryLedger();
  for (const point of historyOf({ ...world, run: world.run ?? '' }).points) await ledger.putPoint(lineage, point);
  const selections = memorySelections();
  const plans = memoryPlans();
  const running = new Set<string>(['one', 'two', 'three', 'backup']);
  const clock = { at: noon };
  const deps = {
    policies,
    plans,
    selections,
    workflow: { isRunning: async (execution: string) => running.has(execution) },
    clock: { now: (): EpochMs => clock.at },
  };
  const open = (
    request: object,
    { execution = 'one', workflow = 'restore', through = ledger as Ledger, at = startedAt, drained = false } = {},
  ) =>
    openRestore({ ...deps, ledger: through })({
      request: { policy: 'nightly', bucket: 'sales/orders', ...request },
      workflow,
      execution,
      startedAt: at,
      drained,
    });
  return {
    ...deps,
    ledger,
    running,
    open,
    restore: (request: object = {}, options: { execution?: string; through?: Ledger; at?: string } = {}) =>
      open({ by: 'ann', reason: 'lost a file', ...request }, options),
    drill: (request: object = {}, options: { execution?: string; at?: string } = {}) =>
      open(request, { ...options, workflow: 'drill' }),
    pass: (minutes: number) => {
      clock.at = epochMs(clock.at + minutes * 60_000);
    },
    pins: async () => (await ledger.livingPoints(lineage)).flatMap(({ pins }) => pins.map(({ by }) => by)),
  };
};
export type RestoreStage = Awaited<ReturnType<typeof restoreStage>>;
