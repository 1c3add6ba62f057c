import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dynamoLedger } from '../../../functions/adapters/dynamodb/ledger.ts';
import { emptyPair, type PairState } from '../../../functions/core/domain/ledger.ts';
import { RunId } from '../../../functions/core/domain/names.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import type { Ledger } from '../../../functions/core/ports.ts';
import { expandPolicy, summarizeFleet } from '../../../functions/core/use-cases/fleet.ts';
import { openRun } from '../../../functions/core/use-cases/open-run.ts';
import { memoryRecords } from '../../fixtures/memory-records.ts';
import { memoryLedger } from '../../fixtures/memory-store.ts';
import { createTable, startDynalite } from '../../fixtures/table.ts';
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
  const expand = expandPolicy({
    policies: [policyOf('incremental')],
    ledger: memoryLedger(),
    records: memoryRecords(),
    clock: { now: () => slot },
  });

  it('names the execution of a bucket after its slot, so that a doubled slot starts nothing twice', async () => {
    const request = { request: { policy: 'nightly', slot: '2026-11-20T02:00:00Z' }, startedAt: '2026-11-20T02:00:07Z' };
    const first = await expand(request);
    expect(await expand({ ...request, startedAt: '2026-11-20T02:03:00Z' })).toEqual(first);
    expect(first.runs).toMatchObject([{ policy: 'nightly', bucket: 'sales/orders', slot: '2026-11-20T02:00:00Z' }]);
    expect(first.runs[0]?.name).toMatch(/^[0-9A-Za-z_-]{1,80}$/);
  });

  const published: string[] = [];
  const summarize = (pair: Partial<PairState> = {}) =>
    summarizeFleet({
      policies: [policyOf('incremental')],
      ledger: { loadPair: async (id) => ({ ...emptyPair(id), ...pair }) },
      metrics: { gauge: (name, _unit, value, { cluster = 'all' }) => published.push(`${name} ${cluster} ${value}`) },
      clock: { now: () => slot },
    });

  it('fails with the list when a bucket failed, and only then', async () => {
    const result = (bucket: string, error: string | null) => ({ bucket, name: `n-${bucket}`, error });
    expect(await summarize()({ results: [result('a/b', null)] })).toMatchObject({ buckets: 1, announcements: [] });
    await expect(summarize()({ results: [result('a/b', null), result('c/d', 'CopyFailed')] })).rejects.toMatchObject({
      name: 'BucketsFailed',
      message: '1 of 2 buckets failed: c/d (execution n-c/d)',
    });
  });

  it('says and publishes how full each cluster is, and when it is full', async () => {
    published.length = 0;
    const counted = { source: 2500, replica: 9990, at: slot };
    const { budget } = await summarize({ counted })({ results: [] });
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
    expect(budget.map(({ full }) => full)).toEqual([null, null]);
  });
});
