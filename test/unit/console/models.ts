import type { AssessedPolicy } from '../../../functions/console/pages/overview.ts';
import { FleetAssessment, PolicyAssessment } from '../../../functions/core/domain/clocks.ts';
import { pairId } from '../../../functions/core/domain/names.ts';
import { BUCKET, HOUR, nameOf, now, policyOf } from '../planner/lineage-world.ts';

const policy = policyOf({});

const reading = (hours: number, more: object = {}) => ({
  point: nameOf('z'),
  since: now - hours * HOUR,
  age: hours * 3600,
  interval: 24 * 3600,
  objective: 26 * 3600,
  state: hours > 72 ? 'stale' : hours > 48 ? 'late' : 'fine',
  breach: hours > 26,
  ...more,
});

/** A policy whose one named bucket has a verified clock of this age. */
export const assessed = (name: string, hours: number, more: object = {}): AssessedPolicy => {
  const none = { taken: 0, replicated: 0, verified: 0, drilled: 0 };
  const worst = { ofInterval: hours / 24, ofObjective: hours / 26 };
  const asked = { form: 'x', since: now };
  return {
    policy: { ...policy, name: name as never },
    found: PolicyAssessment.parse({
      version: 1,
      policy: name,
      at: now - 60_000,
      paused: null,
      buckets: 1,
      inBreach: hours > 26 ? 1 : 0,
      late: { ...none, verified: hours > 48 && hours <= 72 ? 1 : 0 },
      stale: { ...none, verified: hours > 72 ? 1 : 0 },
      worst: { taken: worst, replicated: worst, verified: worst, drilled: null },
      failed: {},
      overCap: 0,
      held: 0,
      named: [
        {
          bucket: BUCKET,
          pair: pairId('prod' as never, BUCKET, 'dr' as never),
          clocks: { taken: reading(hours), replicated: reading(hours), verified: reading(hours), drilled: null },
          inBreach: hours > 26,
          runs: {},
          held: false,
        },
      ],
      expected: [],
      asked: { level: asked, schedules: asked, drills: asked },
      ...more,
    }),
  };
};

export const fleet = FleetAssessment.parse({
  version: 1,
  at: now - 60_000,
  operations: {
    open: 2,
    oldest: { id: 'op-1', host: 'mi-0123456789abcdef0', pair: 'prod/sales/orders#dr', since: now - HOUR },
  },
  hosts: [
    { host: 'i-0123456789abcdef0', clusters: ['prod'], online: true, open: 0 },
    { host: 'mi-0123456789abcdef0', clusters: ['dr'], online: false, open: 2 },
  ],
  unreachable: [
    {
      cluster: 'dr',
      error: 'ReplicaUnreachable',
      runId: 'prod/sales/orders#dr#nightly#20261130t020000z',
      at: now - HOUR,
    },
  ],
});

/** Words that the product itself writes, not people or clusters. */
const OURS = new Set(['answer', 'from', 'kind', 'level', 'mode', 'next', 'state', 'status', 'workflow']);

/** A model in which every text that comes from outside says something else. */
export const poisoned = <T>(model: T, text: string): T => {
  const replace = (value: unknown, key: string): unknown => {
    if (typeof value === 'string') return OURS.has(key) ? value : text;
    if (Array.isArray(value)) return value.map((it) => replace(it, key));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, it]) => [name, replace(it, name)]));
  };
  return replace(model, '') as T;
};
