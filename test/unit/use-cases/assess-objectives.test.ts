import { describe, expect, it } from 'vitest';
import { emptyEnrolment } from '../../../functions/core/domain/buckets.ts';
import type { FleetAssessment, PolicyAssessment } from '../../../functions/core/domain/clocks.ts';
import { emptyPair, type PairState } from '../../../functions/core/domain/ledger.ts';
import { type PairId, RunId } from '../../../functions/core/domain/names.ts';
import { Policy } from '../../../functions/core/domain/policy.ts';
import { Resource, type Slots } from '../../../functions/core/domain/slots.ts';
import { type EpochMs, epochMs, seconds } from '../../../functions/core/domain/units.ts';
import { type AssessDependencies, assessObjectives } from '../../../functions/core/use-cases/assess-objectives.ts';

const HOUR = 3_600_000;
const NOW = epochMs(Date.parse('2026-11-20T12:00:00Z'));
const policyOf = (name: string, buckets: readonly string[]): Policy =>
  Policy.parse({
    name,
    source: { name: 'prod', service: 'prod', hosts: ['i-0aaaaaaaaaaaaaaa0'] },
    replica: { name: 'dr', service: 'dr', hosts: ['mi-0bbbbbbbbbbbbbbb0'] },
    buckets,
    schedules: [{ cron: '0 2 * * ? *', zone: 'Etc/UTC' }],
    mode: 'incremental-or-resync',
    verification: 'listing',
    objectives: { rpo: 26 * 3600, rto: 3600 },
    limits: { maps: 4, bandwidthMBps: null, copyTimeout: 60, diffTimeout: 60, attempts: 3 },
  });
const pairWith = (pair: PairId, policy: string, hours: number, more: object = {}): PairState =>
  ({
    ...emptyPair(pair),
    fence: 1,
    newest: {
      [policy]: {
        taken: { name: 'odr-a', at: NOW - hours * HOUR },
        verified: { listing: { name: 'odr-a', at: NOW - hours * HOUR } },
        runs: {},
        ...more,
      },
    },
  }) as never;

/** Everything that an assessment needs, in memory, and what came of it. */
const scene = (
  policies: readonly Policy[],
  pairs: (pair: PairId) => PairState | undefined,
  more: Partial<AssessDependencies> = {},
) => {
  const gauges = new Map<string, number>();
  const put = new Map<string, PolicyAssessment>();
  const problems: string[] = [];
  const lines = new Map<string, Slots>();
  let fleet: FleetAssessment | null = null;
  let reads = 0;
  let now: EpochMs = NOW;
  const assess = assessObjectives({
    policies,
    pairs: {
      loadPairs: async (asked) => {
        reads += Math.ceil(asked.length / 100);
        return asked.flatMap((pair) => pairs(pair) ?? []);
      },
    },
    ledger: {
      loadEnrolment: async (policy) => emptyEnrolment(policy),
      loadPolicyState: async (policy) => {
        reads += 1;
        return { policy, revision: 0, versions: [] };
      },
      recentPoints: async () => {
        reads += 1;
        return [];
      },
      loadSlots: async (resource) => {
        reads += 1;
        return lines.get(resource) ?? { resource, revision: 0, holders: {}, waiters: {} };
      },
    },
    assessments: {
      load: async (policy) => {
        reads += 1;
        return put.get(policy) ?? null;
      },
      put: async (assessment) => void put.set(assessment.policy, assessment),
      loadFleet: async () => fleet,
      putFleet: async (assessment) => {
        fleet = assessment;
      },
    },
    operations: { open: async () => [] },
    hosts: { describe: async (hosts) => hosts.map((host) => ({ host, ping: 'Online', agentVersion: '3' })) },
    metrics: {
      gauge: (name, _unit, value, dimensions) =>
        gauges.set(`${name} ${Object.values(dimensions).join(' ')}`.trim(), value),
    },
    clock: { now: () => now },
    report: (problem) => problems.push(problem),
    ...more,
  });
  return {
    assess,
    gauges,
    put,
    problems,
    lines,
    fleet: () => fleet,
    reads: () => reads,
    passes: (hours: number) => {
      now = epochMs(now + hours * HOUR);
    },
  };
};

describe('an assessment', () => {
  const policy = policyOf('nightly', ['sales/orders', 'sales/offers']);

  it('names the buckets in breach and counts them, of one policy and of all', async () => {
    const { assess, gauges, put } = scene([policy], (pair) =>
      pairWith(pair, 'nightly', pair.includes('orders') ? 30 : 10),
    );
    expect(await assess()).toMatchObject({
      buckets: 2,
      inBreach: 1,
      named: ['nightly: sales/orders'],
      hostsOffline: [],
    });
    expect([gauges.get('BucketsInBreach nightly'), gauges.get('BucketsInBreach')]).toEqual([1, 1]);
    expect(gauges.get('AgeOfObjective nightly verified')).toBe(1.15);
    expect(put.get('nightly')?.named[0]).toMatchObject({ bucket: 'sales/orders', inBreach: true });
  });

  it('publishes zeros when all is well: silence must not look like health', async () => {
    const { assess, gauges } = scene([policy], (pair) => pairWith(pair, 'nightly', 10));
    await assess();
    for (const name of [
      'BucketsInBreach',
      'BucketsStale verified',
      'RunsFailed snapshot',
      'HostsOffline',
      'ChangesHeld',
      'NotReady',
      'OpenOperations',
    ])
      expect([name, gauges.get(name)]).toEqual([name, 0]);
  });

  it('counts what could not be failed over now, and says why, from what it reads anyway', async () => {
    const { assess, gauges, put, reads } = scene([policy], (pair) =>
      pair.includes('orders') ? pairWith(pair, 'nightly', 10) : pairWith(pair, 'nightly', 10, { verified: {} }),
    );
    const { named } = await assess();
    expect(named).toEqual(['nightly: sales/offers']);
    expect([gauges.get('NotReady nightly'), gauges.get('NotReady')]).toEqual([1, 1]);
    expect(put.get('nightly')).toMatchObject({
      notReady: 1,
      named: [
        { bucket: 'sales/offers', notReady: expect.stringContaining('no verified point of sales/offers is on dr') },
        { bucket: 'sales/orders', notReady: null },
      ],
    });
    // One of pairs, two items of the policy, and the lines of two clusters and their hosts.
    expect(reads()).toBe(9);
  });

  it.each([
    ['its replica is the primary', { primary: 'replica', state: 'settled' }, 1],
    ['its roles are on their way back', { primary: 'source', state: 'moving' }, 1],
    ['its roles are back', { primary: 'source', state: 'settled' }, 0],
  ] as const)('counts a bucket as failed over where %s: %s', async (_what, role, count) => {
    const moved = { epoch: 1, point: 'odr-a', since: NOW - HOUR, by: 'r', opened: null, prepared: null, ...role };
    const { assess, gauges, put } = scene([policy], (pair) => {
      const state = pairWith(pair, 'nightly', 1);
      return pair.includes('orders') ? ({ ...state, role: moved } as never) : state;
    });
    const { named } = await assess();
    expect(gauges.get('BucketsFailedOver')).toBe(count);
    expect(put.get('nightly')).toMatchObject({ failedOver: count });
    expect(named.includes('nightly: sales/orders')).toBe(count === 1);
    // The worst first, although none of its clocks is late.
    if (count === 1)
      expect(put.get('nightly')?.named[0]).toMatchObject({ bucket: 'sales/orders', failedOver: NOW - HOUR });
  });

  it('counts a bucket without a point to fail over to as overdue when it should have had one for as long as the objective', async () => {
    const { assess, gauges, passes } = scene([policy], (pair) =>
      pair.includes('orders') ? pairWith(pair, 'nightly', 1) : undefined,
    );
    await assess();
    passes(25);
    await assess();
    expect([gauges.get('NotReady'), gauges.get('NotReadyOverdue')]).toEqual([1, 0]);
    passes(2);
    await assess();
    expect([gauges.get('NotReady'), gauges.get('NotReadyOverdue')]).toEqual([1, 1]);
  });

  describe('of a bucket whose replica became the primary', () => {
    const role = { point: 'odr-a', by: 'r', opened: null, prepared: null };
    const failed = (hours: number) => ({
      runs: {
        backup: { runId: 'r', status: 'failed', error: 'SourceUnreachable', kind: 'snapshot', at: NOW - hours * HOUR },
      },
    });
    /** Failed over 50 hours ago, after a backup that failed; `back`: the pair in the other direction. */
    const moved = (back: PairState | undefined, more: object, epoch = 0) =>
      scene([policy], (pair) => {
        if (pair === 'dr/sales/orders#prod') return back;
        const state = pairWith(
          pair,
          'nightly',
          pair.includes('orders') ? 60 : 1,
          pair.includes('orders') ? failed(55) : {},
        );
        return pair.includes('orders')
          ? ({ ...state, epoch, role: { ...role, since: NOW - 50 * HOUR, ...more } } as never)
          : state;
      });
    const settled = { primary: 'replica', state: 'settled', epoch: 1 };
    const pairBack = (hours: number) =>
      pairWith('dr/sales/orders#prod' as never, 'nightly', hours, {
        runs: { backup: { runId: 'r', status: 'succeeded', error: null, kind: null, at: NOW - hours * HOUR } },
      });

    it('says that nothing backs it up, and neither that it is late nor what failed before', async () => {
      const { assess, gauges, put } = moved(undefined, settled);
      expect(await assess()).toMatchObject({ inBreach: 0 });
      expect(put.get('nightly')?.named[0]).toMatchObject({
        bucket: 'sales/orders',
        failedOver: NOW - 50 * HOUR,
        clocks: { taken: null, replicated: null, verified: null },
        runs: {},
      });
      expect([
        gauges.get('BucketsStale taken'),
        gauges.get('RunsFailed snapshot'),
        gauges.get('BucketsFailedOver'),
      ]).toEqual([0, 0, 1]);
    });

    it('goes by what a failback brought to the old primary, which promises as much as ever', async () => {
      const young = moved(pairBack(3), settled);
      expect(await young.assess()).toMatchObject({ inBreach: 0, unreachable: [] });
      expect(young.put.get('nightly')?.named[0]).toMatchObject({
        clocks: { verified: { age: 3 * 3600, state: 'fine' } },
      });
      const old = moved(pairBack(30), settled);
      expect(await old.assess()).toMatchObject({ inBreach: 1 });
    });

    it('is not mixed up with a policy of the other direction', async () => {
      const backwards = { ...policyOf('backwards', ['sales/orders']), source: policy.replica, replica: policy.source };
      const both = scene([policy, backwards as Policy], (pair) =>
        pairWith(pair, pair.startsWith('dr/') ? 'backwards' : 'nightly', pair.startsWith('dr/') ? 30 : 1),
      );
      await both.assess();
      expect([both.put.get('nightly')?.inBreach, both.put.get('backwards')?.inBreach]).toEqual([0, 1]);
    });

    it('goes by the last point of the other direction after a failback, until a backup goes on from there', async () => {
      const back = { primary: 'source', state: 'settled', epoch: 2 };
      expect(await moved(pairBack(3), back).assess()).toMatchObject({ inBreach: 0 });
      expect(await moved(pairBack(3), back, 2).assess()).toMatchObject({ inBreach: 1 });
    });
  });

  it('asks for no failover where there is no replica', async () => {
    const { assess, gauges } = scene([{ ...policy, replica: null }], () => undefined);
    await assess();
    expect(gauges.get('NotReady')).toBe(0);
  });

  it('lets what never ran get old from when it was first seen, also when nothing was ever written of it', async () => {
    const { assess, passes, gauges } = scene([policy], () => undefined);
    await assess();
    expect(gauges.get('BucketsInBreach')).toBe(0);
    passes(27);
    await assess();
    expect(gauges.get('BucketsInBreach')).toBe(2);
    passes(50);
    await assess();
    expect([gauges.get('BucketsLate taken'), gauges.get('BucketsStale taken')]).toEqual([2, 2]);
  });

  it('names hosts that do not answer, and clusters that the newest run did not reach', async () => {
    const run = {
      runId: 'r',
      status: 'failed',
      error: 'ReplicaUnreachable',
      kind: 'replication',
      overCap: 0,
      at: NOW - HOUR,
    };
    const { assess, fleet, gauges } = scene(
      [policy],
      (pair) => pairWith(pair, 'nightly', 10, { runs: { backup: run } }),
      {
        hosts: { describe: async () => [] },
      },
    );
    expect(await assess()).toMatchObject({
      hostsOffline: ['i-0aaaaaaaaaaaaaaa0', 'mi-0bbbbbbbbbbbbbbb0'],
      unreachable: ['dr'],
    });
    expect(gauges.get('RunsFailed replication')).toBe(2);
    expect(fleet()?.unreachable).toMatchObject([{ cluster: 'dr', error: 'ReplicaUnreachable' }]);
  });

  it('names who waits in a line and cannot begin in time for its objective, once, by the line that lets it begin last', async () => {
    const { assess, gauges, fleet, lines } = scene([policy], (pair) => pairWith(pair, 'nightly', 10));
    await assess();
    expect([gauges.get('RunsOutrun'), fleet()?.outrun]).toEqual([0, []]);
    const runId = RunId.parse('prod/sales/orders#dr#nightly#20261120t020000z');
    const waiter = { by: epochMs(NOW - 60_000), until: epochMs(NOW + 60_000), weight: 1, expected: seconds(60) };
    for (const name of ['copy:prod', 'copy:dr']) {
      const resource = Resource.parse(name);
      lines.set(name, { resource, revision: 1, holders: {}, waiters: { [runId]: waiter } });
    }
    await assess();
    expect(gauges.get('RunsOutrun')).toBe(1);
    expect(fleet()?.outrun).toMatchObject([{ runId, by: NOW - 60_000, begins: NOW }]);
  });

  it('publishes the clocks although Systems Manager does not answer, and fails so that somebody sees it', async () => {
    const { assess, gauges, problems } = scene([policy], (pair) => pairWith(pair, 'nightly', 30), {
      hosts: { describe: async () => Promise.reject(new Error('no SSM today')) },
    });
    await expect(assess()).rejects.toThrow('no SSM today');
    expect(gauges.get('BucketsInBreach')).toBe(2);
    expect(gauges.has('HostsOffline')).toBe(false);
    expect(problems).toEqual(['hosts and operations could not be assessed']);
  });

  it('of ten thousand buckets asks some hundred times', async () => {
    const policies = Array.from({ length: 100 }, (_, n) =>
      policyOf(
        `policy-${n}`,
        Array.from({ length: 100 }, (_, bucket) => `volume-${n}/bucket-${bucket}`),
      ),
    );
    const { assess, reads } = scene(policies, (pair) => pairWith(pair, `policy-${/volume-(\d+)/.exec(pair)?.[1]}`, 10));
    expect(await assess()).toMatchObject({ policies: 100, buckets: 10_000, inBreach: 0 });
    // A hundred batches of pairs, two items of each policy, and six lines.
    expect(reads()).toBe(306);
  });
});
