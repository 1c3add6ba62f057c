import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dynamoLedger } from '../../../functions/adapters/dynamodb/ledger.ts';
import { emptyEnrolment } from '../../../functions/core/domain/buckets.ts';
import type { FleetResult } from '../../../functions/core/domain/fleet.ts';
import { emptyPair, type PairState, type RecoveryPoint } from '../../../functions/core/domain/ledger.ts';
import { BucketRef, drillPair, pairId, RunId } from '../../../functions/core/domain/names.ts';
import { Drills } from '../../../functions/core/domain/policy.ts';
import { Retention } from '../../../functions/core/domain/retention.ts';
import { epochMs, seconds } from '../../../functions/core/domain/units.ts';
import type { Ledger, PairReader, Records } from '../../../functions/core/ports.ts';
import { expandPolicy, summarizeFleet } from '../../../functions/core/use-cases/fleet.ts';
import { openRun } from '../../../functions/core/use-cases/open-run.ts';
import { memoryRecords } from '../../fixtures/memory-records.ts';
import { memoryFleetLists, memoryLedger, memoryOperations, noPairs } from '../../fixtures/memory-store.ts';
import { createTable, startDynalite } from '../../fixtures/table.ts';
import { lineageOf, passed } from '../planner/lineage-world.ts';
import { policyOf, slot } from '../planner/world.ts';

let engine: Awaited<ReturnType<typeof startDynalite>>;
let count = 0;
beforeAll(async () => {
  engine = await startDynalite();
});
afterAll(() => engine.stop());

const freshLedger = async (): Promise<Ledger> => {
  count += 1;
  return dynamoLedger(await createTable(engine.endpoint, `table-${count}`));
};
const opener = (ledger: Ledger, running: readonly string[] = ['one', 'two'], now: number = slot) =>
  openRun({
    policies: [policyOf('incremental')],
    ledger,
    workflow: { isRunning: async (execution) => running.includes(execution) },
    clock: { now: () => epochMs(now) },
  });
const event = (execution: string, request: object = {}) => ({
  request: { policy: 'nightly', bucket: 'sales/orders', ...request },
  execution,
  startedAt: '2026-11-20T01:59:59.123Z',
});

describe('two policies of one bucket', () => {
  const nightly = policyOf('incremental');
  const hourly = {
    ...nightly,
    name: 'hourly' as never,
    schedules: [{ cron: '0 * * * ? *', zone: 'Etc/UTC' }] as never,
  };
  const north = { ...hourly, replica: { ...nightly.source, name: 'north' as never } };
  const openerOf = (ledger: Ledger, policies: readonly (typeof nightly)[], now: number = slot) =>
    openRun({ policies, ledger, workflow: { isRunning: async () => true }, clock: { now: () => epochMs(now) } });
  const asked = { policy: 'hourly', slot: '2026-11-20T02:00:00Z' };

  it('a backup waits for the backup of the other, until its own next slot is due', async () => {
    const ledger = await freshLedger();
    await openerOf(ledger, [nightly, hourly])(event('one'));
    const again = (minutes: number) =>
      // The first goes on for longer than a lease lasts without a sign of life.
      openerOf(
        { ...ledger, loadPair: async (pair) => held(await ledger.loadPair(pair)) },
        [nightly, hourly],
        slot + minutes * 60_000,
      )(event('two', asked));
    const held = (pair: PairState): PairState =>
      pair.lease ? { ...pair, lease: { ...pair.lease, expires: epochMs(slot + 86_400_000) } } : pair;
    expect(await again(0)).toMatchObject({ kind: 'busy', seconds: 10 });
    expect(await again(59)).toMatchObject({ kind: 'busy', seconds: 120 });
    expect(await again(60)).toMatchObject({ kind: 'skipped', error: 'RunAlreadyOpen' });
  });

  it('are both opened at once when they have two replicas', async () => {
    const ledger = await freshLedger();
    await openerOf(ledger, [nightly, north])(event('one'));
    expect(await openerOf(ledger, [nightly, north])(event('two', asked))).toMatchObject({ kind: 'open' });
  });
});

describe('opening a run', () => {
  it('takes two fields; the slot is then the second of the start', async () => {
    const opened = await opener(await freshLedger())(event('one'));
    expect(opened).toEqual({ kind: 'open', runId: 'prod/sales/orders#dr#nightly#20261120t015959z', lease: 1, step: 0 });
  });

  it('can be repeated by the same execution', async () => {
    const ledger = await freshLedger();
    const first = await opener(ledger)(event('one'));
    expect(await opener(ledger)(event('one'))).toEqual(first);
  });

  it('is skipped while another execution works on the bucket, for this slot or another', async () => {
    const ledger = await freshLedger();
    await opener(ledger)(event('one'));
    expect(await opener(ledger)(event('two'))).toMatchObject({ kind: 'skipped', error: 'RunAlreadyOpen' });
    expect(await opener(ledger)(event('two', { slot: '2026-11-19T02:00:00Z' }))).toMatchObject({ kind: 'skipped' });
  });

  it('of two at the same moment one is opened', async () => {
    const ledger = await freshLedger();
    const both = await Promise.all(['one', 'two'].map((execution) => opener(ledger)(event(execution))));
    expect(both.map((it) => it.kind).sort()).toEqual(['open', 'skipped']);
  });

  it('takes over from an execution that is over, and goes on where it was', async () => {
    const ledger = await freshLedger();
    const first = await opener(ledger)(event('one'));
    const taken = await opener(ledger, ['two'])(event('two'));
    expect(taken).toMatchObject({ kind: 'open', runId: first.runId, lease: 2 });
  });

  it('takes over from an execution that has shown no sign of life', async () => {
    const ledger = await freshLedger();
    await opener(ledger)(event('one'));
    expect(await opener(ledger, ['one', 'two'], slot + 3_600_000)(event('two'))).toMatchObject({
      kind: 'open',
      lease: 2,
    });
  });

  it('skips a slot that is done', async () => {
    const ledger = await freshLedger();
    const { runId, lease } = await opener(ledger)(event('one'));
    const known = await ledger.loadRun(runId);
    if (!known) throw new Error('the run was opened');
    const outcome = { kind: 'taken', point: 'odr-nightly-20261120t015959z-1' as never } as const;
    await ledger.closeRun(known.run, lease, { status: 'succeeded', outcome, failure: null, endedAt: slot });
    await ledger.releaseLease(known.run.pair, lease);
    expect(await opener(ledger)(event('two'))).toMatchObject({ kind: 'skipped', error: 'SlotAlreadyDone' });
    expect((await ledger.loadPair(known.run.pair)).lease).toBeNull();
  });

  it('tries a slot that failed anew: earlier attempts do not count', async () => {
    const ledger = await freshLedger();
    const { runId, lease } = await opener(ledger)(event('one'));
    const known = await ledger.loadRun(RunId.parse(runId));
    if (!known) throw new Error('the run was opened');
    await ledger.recordStep(runId, {
      n: 0,
      decision: { kind: 'fail', error: 'CopyFailed', conflict: null, reason: 'r', remedy: '' },
      decidedAt: slot,
      operationStep: 0,
      observed: null,
      observedAt: null,
      jvmStarts: null,
    });
    await ledger.closeRun(known.run, lease, {
      status: 'failed',
      outcome: null,
      failure: { error: 'CopyFailed', cause: '' },
      endedAt: slot,
    });
    await ledger.releaseLease(known.run.pair, lease);
    expect(await opener(ledger)(event('two'))).toMatchObject({ kind: 'open', step: 1 });
    expect((await ledger.loadRun(runId))?.run).toMatchObject({ status: 'open', firstStep: 1, execution: 'two' });
  });

  it.each([
    ['another policy', { policy: 'weekly' }, 'PolicyInvalid', 'there are: nightly'],
    ['a bucket of no policy', { bucket: 'sales/other' }, 'EventInvalid', 'has no bucket'],
    ['a bucket that is no bucket', { bucket: 'sales' }, 'EventInvalid', 'volume/bucket'],
    ['a bucket in shell', { bucket: '$(reboot)/orders' }, 'EventInvalid', 'volume/bucket'],
    ['a bucket with a line end', { bucket: 'sales/orders\n' }, 'EventInvalid', 'volume/bucket'],
    ['an unknown field', { force: true }, 'EventInvalid', 'force'],
    ['a slot that is no time', { slot: 'yesterday' }, 'EventInvalid', 'slot'],
    ['a slot of the future', { slot: '2026-11-21T02:00:00Z' }, 'EventInvalid', 'future'],
    ['a number for a policy', { policy: 7 }, 'EventInvalid', 'policy'],
  ])('refuses %s before anything is done', async (_sentence, request, name, message) => {
    const ledger = await freshLedger();
    const refused = opener(ledger)(event('one', request));
    await expect(refused).rejects.toMatchObject({ name, message: expect.stringContaining(message) });
    const pair = await ledger.loadPair('prod/sales/orders#dr' as never);
    expect(pair.fence).toBe(0);
  });
});

describe('the fleet', () => {
  const lists = memoryFleetLists();
  const fleet = { execution: 'fleet' };
  const around = { lists, operations: memoryOperations(), pairs: noPairs };
  const expand = expandPolicy({
    ...around,
    policies: [policyOf('incremental')],
    ledger: memoryLedger(),
    records: memoryRecords(),
    clock: { now: () => slot },
  });

  it('names the execution of a bucket after its slot, so that a doubled slot starts nothing twice', async () => {
    const request = {
      ...fleet,
      request: { policy: 'nightly', slot: '2026-11-20T02:00:00Z' },
      startedAt: '2026-11-20T02:00:07Z',
    };
    const first = await expand(request);
    expect(await expand({ ...request, startedAt: '2026-11-20T02:03:00Z' })).toEqual(first);
    const runs = lists.due(first);
    expect(runs).toMatchObject([{ policy: 'nightly', bucket: 'sales/orders', slot: '2026-11-20T02:00:00Z' }]);
    expect(runs[0]?.name).toMatch(/^[0-9A-Za-z_-]{1,80}$/);
  });

  it.each(['backup', 'prune', 'drill'])(
    'starts no %s of a policy that is paused, and says who paused it',
    async (work) => {
      const ledger = memoryLedger();
      const paused = { by: 'Ada', reason: 'the cluster moves', at: slot };
      const nightly = policyOf('incremental');
      const expandNow = expandPolicy({
        ...around,
        policies: [nightly],
        ledger,
        records: memoryRecords(),
        clock: { now: () => slot },
      });
      const event = (at: string) => ({ ...fleet, request: { policy: 'nightly', slot: at, work }, startedAt: at });
      await ledger.putPolicyState({ ...(await ledger.loadPolicyState(nightly.name)), paused });
      expect(await expandNow(event('2026-11-20T02:00:00Z'))).toMatchObject({
        items: 0,
        announcements: [expect.stringMatching(/^nightly is paused since .* by Ada \(the cluster moves\)/)],
      });
      // It is seen all the same, and nobody's turn is used up.
      expect(await ledger.loadPolicyState(nightly.name)).toMatchObject({ versions: [{ since: slot }], paused });
      expect((await ledger.loadPolicyState(nightly.name)).turns).toBeUndefined();
      await ledger.putPolicyState({ ...(await ledger.loadPolicyState(nightly.name)), paused: null });
      if (work !== 'drill') expect(await expandNow(event('2026-11-20T03:00:00Z'))).toMatchObject({ items: 1 });
    },
  );

  describe('under a policy that asks for less than before', () => {
    const bucket = (n: number) => BucketRef.parse(`sales/orders-${n}`);
    const hundred = Array.from({ length: 100 }, (_, n) => bucket(n));
    const nightly = policyOf('incremental');
    const pairOf = (of: BucketRef) => pairId(nightly.source.name, of, nightly.replica?.name ?? null);
    /** The policy of a hundred buckets is seen; then half of them, a stricter RPO and the retention are gone. */
    const changed = async (records: Pick<Records, 'append'>, failing?: (ledger: Ledger) => Partial<Ledger>) => {
      const ledger = memoryLedger();
      const before = {
        ...nightly,
        buckets: hundred,
        retention: Retention.parse({ zone: 'Etc/UTC', source: { keepLast: 9 }, replica: { keepLast: 9 } }),
      };
      const after = {
        ...nightly,
        buckets: [...hundred.slice(50), bucket(100)],
        objectives: { ...nightly.objectives, rpo: seconds(nightly.objectives.rpo + 3600) },
      };
      const deps = { ...around, ledger, records, clock: { now: () => slot } };
      const slotOf = { ...fleet, request: { policy: 'nightly' }, startedAt: '2026-11-20T02:00:07Z' };
      await expandPolicy({ ...deps, policies: [before] })(slotOf);
      if (failing)
        await expect(
          expandPolicy({ ...deps, ledger: { ...ledger, ...failing(ledger) }, policies: [after] })(slotOf),
        ).rejects.toThrow('killed');
      const expanded = await expandPolicy({ ...deps, policies: [after] })(slotOf);
      return expanded.kind === 'run' ? expanded : { announcements: [] };
    };

    it('records the removal of a bucket on that bucket alone, and the rest once on each', async () => {
      const records = memoryRecords();
      const { announcements } = await changed(records);
      expect(announcements).toHaveLength(52);
      const told = async (of: BucketRef) =>
        (await records.read(pairOf(of))).map(({ happening }) => 'change' in happening && happening.change);
      const both = [expect.stringMatching(/^the RPO went from /), 'the retention was changed'];
      expect(await told(bucket(0))).toEqual(['sales/orders-0 was taken out of the policy', ...both]);
      expect(await told(bucket(50))).toEqual(both);
      expect(await told(bucket(100))).toEqual(both);
    });

    it('works on many buckets at a time, but not on all, and on the entries of one in their order', async () => {
      const atWork = new Set<string>();
      let most = 0;
      let appended = 0;
      await changed({
        append: async (pair) => {
          expect(atWork.has(pair)).toBe(false);
          atWork.add(pair);
          most = Math.max(most, atWork.size);
          await Promise.resolve();
          atWork.delete(pair);
          appended += 1;
        },
      });
      expect([most, appended]).toEqual([20, 50 + 2 * 101]);
    });

    it('says nothing twice when it is cut off before the version is noted', async () => {
      const records = memoryRecords();
      await changed(records, () => ({ putPolicyState: () => Promise.reject(new Error('killed')) }));
      expect(await records.read(pairOf(bucket(0)))).toHaveLength(3);
      expect(await records.read(pairOf(bucket(50)))).toHaveLength(2);
    });
  });

  describe('of drills', () => {
    const buckets = Array.from({ length: 60 }, (_, n) => BucketRef.parse(`sales/orders-${n}`));
    const policy = {
      ...policyOf('incremental'),
      buckets,
      drills: { ...Drills.parse({ cron: '0 2 * * ? *', zone: 'Etc/UTC' }), within: seconds(30 * 86_400) },
    };
    const pairOf = (of: BucketRef) => pairId(policy.source.name, of, policy.replica?.name ?? null);
    const verified = (at: number): RecoveryPoint => {
      const [point] = lineageOf({ points: 'z*' }).points;
      if (!point) throw new Error('the world has a point');
      return { ...point, source: { ...point.source, created: epochMs(at) } };
    };
    const world = async (changes: Partial<Ledger> = {}) => {
      const ledger = { ...memoryLedger(), ...changes };
      for (const bucket of buckets) await ledger.putPoint(pairOf(bucket), verified(slot - 3600_000));
      const expandAt = async (day: number, of = policy) => {
        const at = epochMs(slot + day * 86_400_000);
        const deps = { ...around, policies: [of], ledger, records: memoryRecords(), clock: { now: () => at } };
        const request = { policy: 'nightly', slot: new Date(at).toISOString(), work: 'drill' };
        return lists.due(await expandPolicy(deps)({ ...fleet, request, startedAt: '2026-11-20T02:00:07Z' }));
      };
      /** A drill of the bucket passes: its point says so. */
      const pass = async (bucket: string, day: number) => {
        const pair = pairOf(BucketRef.parse(bucket));
        const [point] = await ledger.livingPoints(pair);
        const drilled = { ...passed(0), at: epochMs(slot + day * 86_400_000 + 40_000) };
        if (point) await ledger.changePoint(pair, point, { drilled });
      };
      return { ledger, expandAt, pass };
    };
    const named = (runs: readonly { readonly bucket: string }[]) => runs.map(({ bucket }) => bucket);

    it('starts the drills of the buckets whose turn it is, under names of their own', async () => {
      const { expandAt } = await world();
      const runs = await expandAt(0);
      expect(runs).toMatchObject([{ work: 'drill', bucket: 'sales/orders-0' }, { bucket: 'sales/orders-1' }]);
      for (const { name } of runs) expect(name).toMatch(/^drill-nightly-20261120t020000z-[0-9a-f]{12}$/);
    });

    it('starts the same ones when the slot comes again, also once they have passed', async () => {
      const { expandAt, pass } = await world();
      const first = await expandAt(0);
      for (const { bucket } of first) await pass(bucket, 0);
      expect(await expandAt(0)).toEqual(first);
    });

    it('comes to every bucket within the span', async () => {
      const { expandAt, pass } = await world();
      const seen = new Set<string>();
      for (let day = 0; day < 30; day++)
        for (const bucket of named(await expandAt(day))) {
          seen.add(bucket);
          await pass(bucket, day);
        }
      expect(seen.size).toBe(60);
      expect(named(await expandAt(30))).toContain('sales/orders-10');
    });

    it('remembers a drill whose point is deleted', async () => {
      const { ledger, expandAt } = await world();
      const pair = drillPair(policy, buckets[0] ?? BucketRef.parse(''));
      const seen = await ledger.loadPair(pair);
      const runOf = RunId.parse('prod/sales/orders#dr#nightly#20261120t020000z');
      const lease = await ledger.takeLease(seen, { runId: runOf, execution: 'one' }, epochMs(slot + 1));
      await ledger.changePair(pair, lease?.token ?? 0, {
        lastDrill: { point: verified(slot).name, drill: { ...passed(0), at: slot } },
      });
      expect(named(await expandAt(1))).not.toContain('sales/orders-0');
    });

    it('goes on when a backup notes a version at the same moment, and gives up when that never ends', async () => {
      let refused = 0;
      const inner = memoryLedger();
      const { expandAt } = await world({
        ...inner,
        putPolicyState: async (state) => {
          if (!state.turns || refused++ >= 2) return inner.putPolicyState(state);
          await inner.putPolicyState({ ...state, turns: [] });
          return false;
        },
      });
      expect(await expandAt(0)).toHaveLength(2);
      expect(refused).toBe(3);
      const { expandAt: never } = await world({ putPolicyState: async ({ turns }) => turns === undefined });
      await expect(never(0)).rejects.toThrow(/^others write the state of the policy nightly/);
    });

    it('leaves alone what was never backed up', async () => {
      const { expandAt } = await world({ livingPoints: async () => [] });
      expect(await expandAt(0)).toEqual([]);
    });

    it('of a policy without drills is refused', async () => {
      const { expandAt } = await world();
      await expect(expandAt(0, { ...policy, drills: null as never })).rejects.toThrow(
        'the policy nightly has no drills',
      );
    });
  });

  const loadEnrolment: Ledger['loadEnrolment'] = async (policy) => emptyEnrolment(policy);
  /** A slot whose runs ended so. */
  const went = (...results: readonly FleetResult[]) => ({
    policy: 'nightly',
    manifest: lists.wrote(`${results.map(({ name, error }) => `${name} ${error}`)}`, results),
  });
  const published: string[] = [];
  const problems: string[] = [];
  const never = new Promise<never>(() => undefined);
  const summarize = (pair: Partial<PairState> = {}, change: Partial<Parameters<typeof summarizeFleet>[0]> = {}) =>
    summarizeFleet({
      policies: [policyOf('incremental')],
      lists,
      outOfTime: () => never,
      report: (problem) => problems.push(problem),
      ledger: { loadEnrolment, recentPoints: async () => [] },
      pairs: { loadPairs: async (ids) => ids.map((id) => ({ ...emptyPair(id), ...pair })) },
      metrics: { gauge: (name, _unit, value, { cluster = 'all' }) => published.push(`${name} ${cluster} ${value}`) },
      clock: { now: () => slot },
      ...change,
    });

  it.each([
    ['cannot be read', { pairs: { loadPairs: () => Promise.reject(new Error('ThrottlingException')) } }],
    ['takes too long', { pairs: { loadPairs: () => never }, outOfTime: () => Promise.reject(new Error('too long')) }],
  ])('tells how the slot went also when the budget %s', async (_sentence, change) => {
    problems.length = 0;
    const failed = { bucket: BucketRef.parse('cups/dice'), name: 'n', error: 'CopyFailed' };
    await expect(summarize({}, change)(went(failed))).rejects.toMatchObject({ name: 'BucketsFailed' });
    const announcements = ['nightly: the retention was changed'];
    expect(await summarize({}, change)({ ...went({ ...failed, error: null }), announcements })).toEqual({
      buckets: 1,
      failed: [],
      announcements,
      budget: null,
      group: null,
    });
    expect(problems).toHaveLength(2);
  });

  it('reads all buckets together, not one by one', async () => {
    const asked: number[] = [];
    const buckets = Array.from({ length: 100 }, (_, n) => BucketRef.parse(`sales/orders-${n}`));
    const loadPairs: PairReader['loadPairs'] = async (ids) => {
      asked.push(ids.length);
      return ids.map((id) => ({ ...emptyPair(id), counted: { source: 3, replica: 2, at: slot } }));
    };
    const policies = [{ ...policyOf('incremental'), buckets }];
    const { budget } = await summarize({}, { policies, pairs: { loadPairs } })(went());
    expect(asked).toEqual([100]);
    expect(budget?.map(({ cluster, snapshots }) => [cluster, snapshots])).toEqual([
      ['dr', 200],
      ['prod', 300],
    ]);
  });

  it('fails with the list when a bucket failed, and only then', async () => {
    const result = (bucket: string, error: string | null) => ({
      bucket: BucketRef.parse(bucket),
      name: `n-${bucket}`,
      error,
    });
    expect(await summarize()(went(result('all/bees', null)))).toMatchObject({ buckets: 1, announcements: [] });
    await expect(summarize()(went(result('all/bees', null), result('cups/dice', 'CopyFailed')))).rejects.toMatchObject({
      name: 'BucketsFailed',
      message: '1 of 2 buckets failed: cups/dice (CopyFailed, execution n-cups/dice)',
    });
  });

  it('is well with as many failures as the policy tolerates, and says them', async () => {
    const failed = { bucket: BucketRef.parse('cups/dice'), name: 'n-cups/dice', error: 'CopyFailed' };
    const change = { policies: [{ ...policyOf('incremental'), fleet: { tolerated: 1, together: false } }] };
    expect(await summarize({}, change)(went(failed))).toMatchObject({
      failed: ['cups/dice (CopyFailed, execution n-cups/dice)'],
    });
    await expect(
      summarize({}, change)(went(failed, { ...failed, bucket: BucketRef.parse('eggs/figs') })),
    ).rejects.toThrow('2 of 2 buckets');
  });

  it('is well when nothing was due', async () => {
    expect(await summarize()({ policy: 'nightly', manifest: null })).toMatchObject({ buckets: 0, failed: [] });
  });

  it('says and publishes how full each cluster is, and when it is full', async () => {
    published.length = 0;
    const counted = { source: 2500, replica: 9990, at: slot };
    const { budget } = await summarize({ counted })(went());
    expect(budget).toMatchObject([
      { cluster: 'dr', snapshots: 9990, limit: 10_000 },
      { cluster: 'prod', snapshots: 2500, limit: 10_000 },
    ]);
    expect(published.filter((it) => it.startsWith('SnapshotsOfLimit'))).toEqual([
      'SnapshotsOfLimit dr 99.9',
      'SnapshotsOfLimit prod 25',
      'SnapshotsOfLimit all 99.9',
    ]);
    const days = (cluster: string) =>
      Number(published.find((it) => it.startsWith(`DaysUntilSnapshotLimit ${cluster} `))?.split(' ')[2]);
    // The policy keeps everything, and has no schedule that would make more.
    expect([days('dr'), days('prod'), days('all')]).toEqual([3650, 3650, 3650]);
    expect(budget?.map(({ full }) => full)).toEqual([null, null]);
  });
});
