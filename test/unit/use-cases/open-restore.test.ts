import { describe, expect, it } from 'vitest';
import type { BackupRun } from '../../../functions/core/domain/ledger.ts';
import { ClusterName, drillPair, PolicyName, pairId, targetPair } from '../../../functions/core/domain/names.ts';
import { PolicyFile, resolvePolicies } from '../../../functions/core/domain/policy.ts';
import { confirmationOf, RestorePlan, type RestoreTask } from '../../../functions/core/domain/restore.ts';
import type { PlanHash, Removal } from '../../../functions/core/domain/retention.ts';
import { epochMs, later, seconds } from '../../../functions/core/domain/units.ts';
import { withVersion } from '../../../functions/core/planner/in-force.ts';
import type { Ledger } from '../../../functions/core/ports.ts';
import { recordFailure, recordOutcome } from '../../../functions/core/use-cases/close-run.ts';
import type { Opened } from '../../../functions/core/use-cases/open-run.ts';
import { openRun } from '../../../functions/core/use-cases/open-run.ts';
import { operationId } from '../../../functions/core/use-cases/operation-id.ts';
import { asText } from '../../../functions/core/use-cases/plan-text.ts';
import { memoryRecords } from '../../fixtures/memory-records.ts';
import { restorePolicy } from '../planner/restore-world.ts';
import { nameOf, noon, policyOf, slot } from '../planner/world.ts';
import { lineage, type RestoreStage, restoreStage } from './restore-fixture.ts';

const ofSlot = '2026-11-20T02:00:00Z';
const sidePair = targetPair(ClusterName.parse('prod'), 'sales/orders-restore-20261120t120000z' as never);
const inPlacePair = targetPair(ClusterName.parse('prod'), 'sales/orders' as never);

const runOf = async ({ ledger }: RestoreStage, opened: Opened): Promise<BackupRun & { restore: RestoreTask }> => {
  const known = await ledger.loadRun(opened.runId);
  if (!known?.run.restore) throw new Error('no run was opened');
  return { ...known.run, restore: known.run.restore };
};
const taskOf = async (stage: RestoreStage, request: object) =>
  (await runOf(stage, await stage.restore(request))).restore;

/** A decision of a run that is only there to be counted. */
const step = (n: number, decision: object) => ({
  n,
  decision: { reason: 'r', ...decision } as never,
  decidedAt: noon,
  operationStep: n,
  observed: null,
  observedAt: null,
  jvmStarts: null,
});
const close = async (
  { ledger }: RestoreStage,
  opened: Opened,
  end: Partial<Pick<BackupRun, 'status' | 'outcome' | 'failure'>>,
) => {
  const known = await ledger.loadRun(opened.runId);
  if (!known) throw new Error('no run was opened');
  await ledger.closeRun(known.run, opened.lease, {
    status: 'succeeded',
    outcome: null,
    failure: null,
    endedAt: noon,
    ...end,
  });
  await ledger.releaseLease(known.run.pair, opened.lease);
};

describe('the point of a restore', () => {
  it('is the one that is named', async () => {
    expect((await taskOf(await restoreStage(), { point: nameOf('a') })).point.name).toBe(nameOf('a'));
  });

  it('is the newest at or before a time', async () => {
    const stage = await restoreStage();
    const [b, a] = await stage.ledger.livingPoints(lineage);
    const asOf = new Date(b?.source.created ?? 0).toISOString();
    expect((await taskOf(stage, { asOf })).point.name).toBe(nameOf('b'));
    const before = new Date((b?.source.created ?? 0) - 1).toISOString();
    expect((await taskOf(stage, { asOf: before, slot: ofSlot })).point.name).toBe(a?.name);
  });

  it('has both copies when it was verified, and the digest of what was verified', async () => {
    const { point } = await taskOf(await restoreStage(), { point: nameOf('a') });
    expect(point).toMatchObject({
      digest: 'f'.repeat(64),
      source: { cluster: { name: 'prod' } },
      replica: { cluster: { name: 'dr' } },
    });
    expect(point.source?.id).not.toBe(point.replica?.id);
  });

  it('has the source only when the replica differed, or was never compared', async () => {
    const stage = await restoreStage({ source: 'a* t1', replica: 'a* t1', run: 't1:differs' });
    const { point } = await taskOf(stage, { point: nameOf('t1') });
    expect(point).toMatchObject({ digest: null, replica: null });
  });

  it.each([
    [
      'a name that nobody gave: the nearest names are said',
      { point: 'odr-nightly-20261119t990000z-1' },
      /there are odr-/,
    ],
    ['a time before all points', { asOf: '2020-01-01T00:00:00Z' }, /no such point .*: there are odr-/],
  ])('cannot be %s', async (_sentence, request, message) => {
    await expect((await restoreStage()).restore(request)).rejects.toMatchObject({
      name: 'PointGone',
      message: expect.stringMatching(message),
    });
  });

  it('cannot be of a bucket without points', async () => {
    const stage = await restoreStage({ source: '', replica: '' });
    await expect(stage.restore({ asOf: ofSlot })).rejects.toMatchObject({
      name: 'PointGone',
      message: expect.stringContaining('it has no points yet'),
    });
  });

  const removalOf = (state: Removal['state']): Removal => ({
    state,
    plan: '0'.repeat(64) as PlanHash,
    condemnedAt: slot,
    deletedAt: null,
  });
  const removing = async (source: Removal | null, replica: Removal | null) => {
    const stage = await restoreStage();
    const point = (await stage.ledger.livingPoints(lineage)).find(({ name }) => name === nameOf('a'));
    if (!point) throw new Error('there is a point');
    await stage.ledger.changePoint(lineage, point, { removal: { source, replica } });
    return stage;
  };

  it('is gone when it is being deleted on both sides', async () => {
    const stage = await removing(removalOf('deleting'), removalOf('deleted'));
    await expect(stage.restore({ point: nameOf('a') })).rejects.toMatchObject({ name: 'PointGone' });
    expect(await stage.pins()).toEqual([]);
  });

  it('is read on the side where nothing is being deleted', async () => {
    const { point } = await taskOf(await removing(removalOf('deleting'), null), { point: nameOf('a') });
    expect(point).toMatchObject({ source: null, replica: { cluster: { name: 'dr' } } });
  });

  it('is there while it is only condemned: a pin keeps it', async () => {
    const { point } = await taskOf(await removing(removalOf('condemned'), removalOf('condemned')), {
      point: nameOf('a'),
    });
    expect(point).toMatchObject({ source: expect.anything(), replica: expect.anything() });
  });
});

describe('the target of a restore', () => {
  it('is a new bucket beside the old one', async () => {
    const task = await taskOf(await restoreStage(), { point: nameOf('a') });
    expect(task.target).toMatchObject({
      kind: 'side',
      bucket: 'sales/orders-restore-20261120t120000z',
      cluster: { name: 'prod' },
    });
  });

  const long = (end: string) => `sales/${'a-'.repeat(30)}${end}`;
  const withBuckets = (...buckets: string[]) => [restorePolicy({ buckets: buckets as never })];
  const sideOf = async (bucket: string) => {
    const stage = await restoreStage({}, withBuckets(bucket));
    const [point] = await (await restoreStage()).ledger.livingPoints(lineage);
    if (!point) throw new Error('there is a point');
    await stage.ledger.putPoint(pairId(ClusterName.parse('prod'), bucket as never, ClusterName.parse('dr')), point);
    return (await taskOf(stage, { bucket, point: point.name })).target.bucket;
  };

  it('has a name that fits, also of a bucket with 63 characters', async () => {
    const side = await sideOf(long('xyz'));
    expect(side.split('/')[1]?.length).toBeLessThanOrEqual(63);
    expect(side).toMatch(/^sales\/[a-z0-9][a-z0-9-]*-restore-20261120t120000z$/);
    expect(side).not.toMatch(/--|-\./);
  });

  it('is not shared by two buckets whose long names begin alike', async () => {
    expect(await sideOf(long('x1'))).not.toBe(await sideOf(long('x2')));
  });

  it('is in place when the bucket itself is named', async () => {
    const stage = await restoreStage();
    const task = await taskOf(stage, { point: nameOf('a'), target: { cluster: 'prod', bucket: 'sales/orders' } });
    expect(task.target.kind).toBe('in-place');
  });

  it('may be another bucket of another cluster', async () => {
    const task = await taskOf(await restoreStage(), {
      point: nameOf('a'),
      target: { cluster: 'dr', bucket: 'sales/rescued' },
    });
    expect(task.target).toMatchObject({ kind: 'other', cluster: { name: 'dr' }, bucket: 'sales/rescued' });
  });

  it('is no replica of any policy: that would end its lineage', async () => {
    const weekly = { ...policyOf('incremental'), name: 'weekly' as never, buckets: ['sales/other'] as never };
    const stage = await restoreStage(undefined, [restorePolicy(), weekly]);
    for (const bucket of ['sales/orders', 'sales/other'])
      await expect(stage.restore({ point: nameOf('a'), target: { cluster: 'dr', bucket } })).rejects.toMatchObject({
        name: 'TargetNotOurs',
        message: expect.stringContaining('Restore to a side bucket'),
      });
    expect(await stage.pins()).toEqual([]);
  });

  it('is no replica that is still looked after, though its bucket was taken out of the policy', async () => {
    const before = restorePolicy();
    const after = restorePolicy({ buckets: ['sales/other' as never] });
    const stage = await restoreStage(undefined, [after]);
    const state = await stage.ledger.loadPolicyState(before.name);
    const noted = withVersion(state, before, epochMs(noon - 7_200_000)) ?? state;
    await stage.ledger.putPolicyState(withVersion(noted, after, epochMs(noon - 3_600_000)) ?? noted);
    const target = { cluster: 'dr', bucket: 'sales/orders' };
    // Whoever asks: the bucket itself, or another one of the policy.
    await expect(stage.restore({ point: nameOf('a'), target })).rejects.toMatchObject({ name: 'TargetNotOurs' });
    const others = pairId(after.source.name, 'sales/other' as never, after.replica?.name ?? null);
    for (const point of await stage.ledger.livingPoints(lineage)) await stage.ledger.putPoint(others, point);
    await expect(stage.restore({ bucket: 'sales/other', point: nameOf('a'), target })).rejects.toMatchObject({
      name: 'TargetNotOurs',
    });
  });

  it('is on a cluster of the policies', async () => {
    await expect(
      (await restoreStage()).restore({ point: nameOf('a'), target: { cluster: 'moon', bucket: 'sales/orders' } }),
    ).rejects.toMatchObject({ name: 'EventInvalid', message: expect.stringContaining('there are: prod, dr') });
  });
});

describe('what is selected', () => {
  it('is stored under its hash before anything is read', async () => {
    const stage = await restoreStage();
    const { selection, scope } = await taskOf(stage, { point: nameOf('a'), scope: { paths: ['b', 'a/c'] } });
    expect(stage.selections.selections).toEqual(new Map([[selection, 'l\ta/c\nl\tb\n']]));
    expect(scope).toBe('2 paths');
  });

  it('is nothing to store for the whole bucket', async () => {
    const stage = await restoreStage();
    expect(await taskOf(stage, { point: nameOf('a') })).toMatchObject({ selection: null, scope: 'the whole bucket' });
    expect(stage.selections.selections.size).toBe(0);
  });
});

describe('one request', () => {
  const a = { point: nameOf('a') };

  it('delivered twice opens one run, with one pin', async () => {
    const stage = await restoreStage();
    const first = await stage.restore(a);
    expect(await stage.restore(a)).toEqual(first);
    expect(await stage.pins()).toEqual([first.runId]);
  });

  it('is busy while another restore has the target', async () => {
    const stage = await restoreStage();
    await stage.restore(a);
    expect(await stage.restore(a, { execution: 'two' })).toMatchObject({
      kind: 'busy',
      reason: expect.stringContaining('one'),
    });
  });

  it('of two into the same bucket from different points the second is busy', async () => {
    const stage = await restoreStage();
    const target = { cluster: 'dr', bucket: 'sales/rescued' };
    await stage.restore({ ...a, target });
    const second = await stage.restore(
      { point: nameOf('b'), target },
      { execution: 'two', at: '2026-11-20T11:59:00Z' },
    );
    expect(second.kind).toBe('busy');
  });

  it('gives up with a word after half an hour', async () => {
    const stage = await restoreStage();
    await stage.restore(a);
    stage.pass(29);
    expect(await stage.restore(a, { execution: 'two' })).toMatchObject({ kind: 'busy' });
    // The other one is at work.
    await stage.ledger.renewLease(sidePair, 1, later(noon, seconds(7200)));
    stage.pass(1);
    await expect(stage.restore(a, { execution: 'two' })).rejects.toMatchObject({
      name: 'RunAlreadyOpen',
      message: expect.stringContaining('stop that execution, or start again'),
    });
  });

  it('goes on where an execution was that is over, and looks anew', async () => {
    const stage = await restoreStage();
    const first = await stage.restore(a);
    for (const n of [0, 1]) await stage.ledger.recordStep(first.runId, step(n, { kind: 'wait', seconds: 5 }));
    stage.running.delete('one');
    expect(await stage.restore({ ...a, slot: '2026-11-20T12:00:00Z' }, { execution: 'two' })).toMatchObject({
      kind: 'open',
      step: 2,
    });
    expect(await runOf(stage, first)).toMatchObject({ execution: 'two', firstStep: 0, factsFrom: 2, startedAt: noon });
    expect(await stage.pins()).toEqual([first.runId]);
  });

  it('that failed is tried anew', async () => {
    const stage = await restoreStage();
    const first = await stage.restore(a);
    await stage.ledger.recordStep(first.runId, step(0, { kind: 'wait', seconds: 5 }));
    await close(stage, first, { status: 'failed', failure: { error: 'CopyFailed', cause: '' } });
    expect(await stage.restore(a, { execution: 'two' })).toMatchObject({ kind: 'open', step: 1 });
    expect(await runOf(stage, first)).toMatchObject({ status: 'open', firstStep: 1, failure: null });
  });

  it('that is done is skipped, and leaves no pin and no lease', async () => {
    const stage = await restoreStage();
    const first = await stage.restore(a);
    await close(stage, first, { outcome: { kind: 'taken', point: nameOf('a') } });
    const before = await stage.pins();
    expect(await stage.restore(a, { execution: 'two' })).toMatchObject({ kind: 'skipped', error: 'SlotAlreadyDone' });
    expect(await stage.pins()).toEqual(before);
    expect((await stage.ledger.loadPair(sidePair)).lease).toBeNull();
  });

  it('goes on with the point that it began with, also when a newer one would be found by now', async () => {
    const stage = await restoreStage({ source: 'a*', replica: 'a*' });
    const first = await stage.restore({ asOf: startedAtText });
    const [newer] = (await (await restoreStage()).ledger.livingPoints(lineage)).filter(
      ({ name }) => name === nameOf('b'),
    );
    if (!newer) throw new Error('there is a point');
    await stage.ledger.putPoint(lineage, newer);
    stage.running.delete('one');
    await stage.restore({ asOf: startedAtText }, { execution: 'two' });
    expect((await runOf(stage, first)).restore.point.name).toBe(nameOf('a'));
    const pinned = (await stage.ledger.livingPoints(lineage)).filter(({ pins }) => pins.length > 0);
    expect(pinned.map(({ name }) => name)).toEqual([nameOf('a')]);
  });
  const startedAtText = '2026-11-20T12:00:00Z';

  it.each([
    ['another point', { point: nameOf('b') }],
    ['other paths', { ...a, scope: { paths: ['x'] } }],
    ['another way of overwriting', { ...a, overwrite: 'always' }],
    ['another comparison', { ...a, verification: 'listing' }],
  ])('under the slot of one that asked for %s is refused, open or done', async (_sentence, other) => {
    const stage = await restoreStage();
    const first = await stage.restore(a);
    stage.running.delete('one');
    const refusal = { name: 'EventInvalid', message: expect.stringContaining('give a slot that is not') };
    await expect(stage.restore(other, { execution: 'two' })).rejects.toMatchObject(refusal);
    const known = await runOf(stage, first);
    expect(known).toMatchObject({ execution: 'one', restore: { point: { name: nameOf('a') } } });
    await stage.ledger.closeRun(known, first.lease, {
      status: 'succeeded',
      outcome: { kind: 'taken', point: nameOf('a') },
      failure: null,
      endedAt: noon,
    });
    await expect(stage.restore(other, { execution: 'two' })).rejects.toMatchObject(refusal);
    expect((await stage.ledger.loadPair(sidePair)).lease).toBeNull();
  });

  it('that was cut off begins anew when another restore wrote to its target since', async () => {
    const stage = await restoreStage();
    const request = { ...a, target: { cluster: 'dr', bucket: 'sales/rescued' }, overwrite: 'if-different' };
    const first = await stage.restore(request);
    await stage.ledger.recordStep(first.runId, step(0, { kind: 'restore' }));
    const { pair } = await runOf(stage, first);
    const copyBy = (operation: string) => ({
      operation: operation as never,
      point: nameOf('a'),
      mode: 'bootstrap' as const,
      base: null,
      host: 'mi-0123456789abcdef0' as never,
      from: later(noon, seconds(60)),
      deadline: later(noon, seconds(600)),
      to: null,
    });
    const mine = copyBy(operationId(first.runId, 0));
    await stage.ledger.changePair(pair, first.lease, { copies: [mine] });
    stage.running.delete('one');
    const second = await stage.restore(request, { execution: 'two' });
    expect(await runOf(stage, first)).toMatchObject({ firstStep: 0 });
    await stage.ledger.changePair(pair, second.lease, { copies: [mine, copyBy(`op-${'9'.repeat(24)}-004`)] });
    stage.running.delete('two');
    await stage.restore(request, { execution: 'three' });
    expect(await runOf(stage, first)).toMatchObject({ firstStep: 1 });
  });

  it.each([
    ['a slot of the future', { ...a, slot: '2026-11-21T02:00:00Z' }, 'EventInvalid', /in the future/],
    ['a policy that is none', { ...a, policy: 'weekly' }, 'PolicyInvalid', /there are: nightly/],
    ['a bucket of no policy', { ...a, bucket: 'sales/other' }, 'EventInvalid', /has no bucket/],
    ['no point at all', {}, 'EventInvalid', /name one point, or give asOf/],
  ])('with %s is refused before anything is done', async (_sentence, request, name, message) => {
    const stage = await restoreStage();
    await expect(stage.restore(request)).rejects.toMatchObject({ name, message: expect.stringMatching(message) });
    expect(await stage.pins()).toEqual([]);
    expect(await stage.ledger.loadPair(sidePair)).toMatchObject({ fence: 0 });
  });
});

describe('backups and restores of one bucket', () => {
  const inPlace = { point: nameOf('a'), target: 'in-place' };
  const backup = (stage: RestoreStage, through: Ledger = stage.ledger) =>
    openRun({ ...stage, ledger: through })({
      request: { policy: 'nightly', bucket: 'sales/orders' },
      execution: 'backup',
      startedAt: '2026-11-20T12:00:00Z',
    });

  it('a restore in place waits for a backup, and begins when that is over', async () => {
    const stage = await restoreStage();
    await backup(stage);
    expect(await stage.restore(inPlace)).toMatchObject({ kind: 'busy', reason: expect.stringContaining('backup') });
    expect((await stage.ledger.loadPair(inPlacePair)).lease).toBeNull();
    expect(await stage.pins()).toEqual([]);
    stage.running.delete('backup');
    expect(await stage.restore(inPlace)).toMatchObject({ kind: 'open' });
  });

  it('and says so when it waited for half an hour', async () => {
    const stage = await restoreStage();
    const { lease } = await backup(stage);
    await stage.ledger.renewLease(lineage, lease, later(noon, seconds(7200)));
    stage.pass(30);
    await expect(stage.restore(inPlace)).rejects.toMatchObject({
      name: 'RunAlreadyOpen',
      message: expect.stringContaining('start again when it is over'),
    });
  });

  it('a restore of another bucket into this one waits for its backup too', async () => {
    const { clusters, policies } = {
      clusters: {
        prod: { service: 'prod', hosts: ['i-0123456789abcdef0'] },
        dr: { service: 'dr', hosts: ['mi-0123456789abcdef0'] },
      },
      policies: {
        nightly: {
          source: 'prod',
          replica: 'dr',
          buckets: ['sales/orders'],
          schedules: [],
          objectives: { rpo: '1d', rto: '1h' },
        },
        hourly: { source: 'prod', buckets: ['sales/other'], schedules: [], objectives: { rpo: '1d', rto: '1h' } },
      },
    };
    const stage = await restoreStage(undefined, resolvePolicies(PolicyFile.parse({ clusters, policies })));
    await openRun(stage)({
      request: { policy: 'hourly', bucket: 'sales/other' },
      execution: 'backup',
      startedAt: '2026-11-20T12:00:00Z',
    });
    const request = { point: nameOf('a'), target: { cluster: 'prod', bucket: 'sales/other' } };
    expect(await stage.restore(request)).toMatchObject({ kind: 'busy' });
  });

  it('a restore to a side bucket waits for nobody', async () => {
    const stage = await restoreStage();
    await backup(stage);
    expect(await stage.restore({ point: nameOf('a') })).toMatchObject({ kind: 'open' });
  });

  it('a backup is skipped while its bucket is being restored', async () => {
    const stage = await restoreStage();
    await stage.restore(inPlace);
    expect(await backup(stage)).toMatchObject({
      kind: 'skipped',
      error: 'RunAlreadyOpen',
      reason: expect.stringContaining('being restored by one'),
    });
    expect((await stage.ledger.loadPair(lineage)).lease).toBeNull();
    stage.running.delete('one');
    expect(await backup(stage)).toMatchObject({ kind: 'open' });
  });

  it.each(['backup', 'restore'] as const)(
    'of both at one moment never both begin: the other one comes in between the questions of the %s',
    async (who) => {
      const stage = await restoreStage();
      let other: Opened | undefined;
      const interrupted: Ledger = {
        ...stage.ledger,
        takeLease: async (seen, holder, expires) => {
          other ??= who === 'backup' ? await stage.restore(inPlace) : await backup(stage);
          return stage.ledger.takeLease(seen, holder, expires);
        },
      };
      const mine =
        who === 'backup' ? await backup(stage, interrupted) : await stage.restore(inPlace, { through: interrupted });
      expect([mine.kind, other?.kind].filter((kind) => kind === 'open')).toHaveLength(1);
    },
  );
});

describe('a confirmation', () => {
  const request = { point: nameOf('a'), target: 'in-place', overwrite: 'if-different', slot: ofSlot };
  /** A plan of that request, as a planning run leaves it. */
  const planned = async (change: Partial<RestorePlan> = {}) => {
    const stage = await restoreStage();
    const opened = await stage.restore(request);
    const { restore } = await runOf(stage, opened);
    const { hash, text } = asText(RestorePlan, {
      schema: 1,
      lineage: restore.lineage,
      policy: 'nightly',
      madeAt: noon,
      expires: later(noon, seconds(3600)),
      point: restore.point.name,
      pointId: restore.point.source?.id ?? '',
      from: 'prod',
      scope: restore.scope,
      selection: restore.selection,
      target: { kind: 'in-place', cluster: 'prod', bucket: 'sales/orders', created: '2026-01-01T00:00:00.000Z' },
      overwrite: 'if-different',
      deleteExtra: false,
      files: 10,
      bytes: 100,
      absent: 1,
      replaced: 9,
      leftAlone: 0,
      deleted: 0,
      first: [],
      isKept: true,
      seconds: 60,
      basis: 'measured',
      ...change,
    });
    await stage.plans.put(hash, text);
    const outcome = { kind: 'restore-planned', plan: hash, confirmation: '', expires: noon, summary: '' } as const;
    await close(stage, opened, { outcome });
    return { stage, plan: hash, confirmation: confirmationOf(RestorePlan.parse(JSON.parse(text)), hash), opened };
  };
  const refused = (message: RegExp) => ({ name: 'NotConfirmed', message: expect.stringMatching(message) });

  it('with the words opens the same slot once more, with what the plan allowed', async () => {
    const { stage, plan, confirmation, opened } = await planned();
    const again = await stage.restore({ ...request, plan, confirmation: ` ${confirmation}\n` }, { execution: 'two' });
    expect(again).toMatchObject({ kind: 'open', runId: opened.runId });
    expect((await runOf(stage, again)).restore.confirmed).toEqual({
      plan,
      targetCreated: '2026-01-01T00:00:00.000Z',
      replaced: 9,
      deleted: 0,
    });
  });

  it('may come under another slot', async () => {
    const { stage, plan, confirmation } = await planned();
    const { slot: _, ...later } = request;
    expect(await stage.restore({ ...later, plan, confirmation }, { execution: 'two' })).toMatchObject({ kind: 'open' });
  });

  it('with other words is none, and the right ones are said', async () => {
    const { stage, plan, confirmation } = await planned();
    for (const words of ['yes', confirmation.toUpperCase(), `${confirmation} x`, ''])
      await expect(stage.restore({ ...request, plan, confirmation: words })).rejects.toMatchObject(
        refused(new RegExp(`"${confirmation}".*without plan and confirmation`)),
      );
  });

  it('of a plan that nobody made is none', async () => {
    const { stage, confirmation } = await planned();
    await expect(stage.restore({ ...request, plan: 'e'.repeat(64), confirmation })).rejects.toMatchObject(
      refused(/no plan/),
    );
  });

  it('of a plan that was changed is none', async () => {
    const { stage, plan, confirmation } = await planned();
    await stage.plans.put(plan, (await stage.plans.load(plan))?.replace('"replaced":9', '"replaced":99') ?? '');
    await expect(stage.restore({ ...request, plan, confirmation })).rejects.toMatchObject(refused(/no plan/));
  });

  it('comes within the hour', async () => {
    const { stage, plan, confirmation } = await planned();
    stage.pass(60);
    await expect(stage.restore({ ...request, plan, confirmation })).rejects.toMatchObject(refused(/no longer valid/));
  });

  it('is valid once', async () => {
    const { stage, plan, confirmation } = await planned();
    const first = await stage.restore({ ...request, plan, confirmation });
    await close(stage, first, { outcome: { kind: 'taken', point: nameOf('a') } });
    await recordFailure({ ...stage, records: memoryRecords() })({ runId: null, lease: 0, failure: null });
    const pins = await stage.pins();
    const { slot: _, ...anew } = request;
    await expect(stage.restore({ ...anew, plan, confirmation }, { execution: 'two' })).rejects.toMatchObject(
      refused(/was used by another restore/),
    );
    // The refused one keeps nothing.
    expect(await stage.pins()).toEqual(pins);
    expect((await stage.ledger.loadPair(inPlacePair)).lease).toBeNull();
  });

  it('serves the same restore again after it failed', async () => {
    const { stage, plan, confirmation } = await planned();
    const first = await stage.restore({ ...request, plan, confirmation });
    await close(stage, first, { status: 'failed', failure: { error: 'CopyFailed', cause: '' } });
    expect(await stage.restore({ ...request, plan, confirmation }, { execution: 'two' })).toMatchObject({
      kind: 'open',
    });
  });

  it.each<readonly [string, object]>([
    ['point', { point: nameOf('b') }],
    ['set of paths', { scope: { prefix: 'x' } }],
    ['target', { target: { cluster: 'dr', bucket: 'sales/xyz' } }],
    ['way of overwriting', { overwrite: 'always' }],
    ['way of deleting', { deleteExtra: true }],
  ])('does not serve another %s', async (_sentence, change) => {
    const { stage, plan, confirmation } = await planned();
    await expect(stage.restore({ ...request, ...change, plan, confirmation })).rejects.toMatchObject(
      refused(/another restore/),
    );
  });

  it('of a plan with an obstacle is none, and what would help is said', async () => {
    const { stage, plan, confirmation } = await planned({
      obstacles: [{ error: 'QuotaExceeded', reason: 'no room', remedy: 'Raise the quota.' }],
    });
    await expect(stage.restore({ ...request, plan, confirmation })).rejects.toMatchObject(
      refused(/cannot be done: no room. Raise the quota./),
    );
  });

  it('of a plan that loses nothing is one word, and means the side bucket that was planned', async () => {
    const stage = await restoreStage();
    const { restore } = await runOf(stage, await stage.restore({ point: nameOf('a'), planOnly: true }));
    const side = { ...restore.target, cluster: 'prod', created: null } as never;
    const first = await planned({ target: side, replaced: 0, absent: 10, overwrite: 'never', slot: noon });
    expect(first.confirmation).toBe('restore');
    // An hour later, by another name of the execution and without a slot.
    first.stage.pass(30);
    const again = await first.stage.restore(
      { point: nameOf('a'), plan: first.plan, confirmation: 'restore' },
      { execution: 'two', at: '2026-11-20T12:30:00.000Z' },
    );
    const { restore: task } = await runOf(first.stage, again);
    expect(task).toMatchObject({ target: { bucket: restore.target.bucket }, confirmed: { targetCreated: null } });
  });

  it('is not taken over by a request without it, or with another, under the same slot', async () => {
    const { stage, plan, confirmation } = await planned();
    await stage.restore({ ...request, plan, confirmation });
    stage.running.delete('one');
    await expect(stage.restore(request, { execution: 'two' })).rejects.toMatchObject({ name: 'EventInvalid' });
  });
});

describe('a plan alone', () => {
  const request = { point: nameOf('a'), slot: ofSlot };

  it('is opened as what it is', async () => {
    expect(await taskOf(await restoreStage(), { ...request, planOnly: true })).toMatchObject({ planOnly: true });
    expect(await taskOf(await restoreStage(), request)).toMatchObject({ planOnly: false });
  });

  it('that was cut off does not become a restore, nor a restore a plan', async () => {
    for (const planOnly of [true, false]) {
      const stage = await restoreStage();
      await stage.restore({ ...request, planOnly });
      stage.running.delete('one');
      await expect(stage.restore({ ...request, planOnly: !planOnly }, { execution: 'two' })).rejects.toMatchObject({
        name: 'EventInvalid',
      });
    }
  });
});

describe('pins', () => {
  const a = { point: nameOf('a') };

  it('are set before the run is there, so that nothing is read unpinned', async () => {
    const stage = await restoreStage();
    let before: readonly string[] = [];
    const through: Ledger = {
      ...stage.ledger,
      putRun: async (run) => {
        before = await stage.pins();
        await stage.ledger.putRun(run);
      },
    };
    const { runId } = await stage.restore(a, { through });
    expect(before).toEqual([runId]);
  });

  it('go when opening fails after all', async () => {
    const stage = await restoreStage();
    const through: Ledger = { ...stage.ledger, putRun: () => Promise.reject(new Error('throttled')) };
    await expect(stage.restore(a, { through })).rejects.toThrow('throttled');
    expect(await stage.pins()).toEqual([]);
    expect((await stage.ledger.loadPair(sidePair)).lease).toBeNull();
  });

  const deps = (stage: RestoreStage) => ({ ...stage, records: memoryRecords() });

  it('go with the failure of the run', async () => {
    const stage = await restoreStage();
    const { runId, lease } = await stage.restore(a);
    await recordFailure(deps(stage))({ runId, lease, failure: { Error: 'CopyFailed', Cause: '' } });
    expect(await stage.pins()).toEqual([]);
  });

  it('go with the end of the run, and those of people stay', async () => {
    const stage = await restoreStage();
    const point = (await stage.ledger.livingPoints(lineage)).find(({ name }) => name === nameOf('a'));
    if (!point) throw new Error('there is a point');
    await stage.ledger.changePoint(lineage, point, { pins: [{ by: 'bob', reason: 'audit', at: slot }] });
    const { runId, lease } = await stage.restore(a);
    expect(await stage.pins()).toEqual(['bob', runId]);
    await stage.ledger.recordStep(runId, step(0, { kind: 'done', outcome: { kind: 'taken', point: nameOf('a') } }));
    await recordOutcome(deps(stage))({ runId, lease, step: 0 });
    expect(await stage.pins()).toEqual(['bob']);
  });

  it('are not released by an execution that lost the run', async () => {
    const stage = await restoreStage();
    const first = await stage.restore(a);
    stage.running.delete('one');
    const second = await stage.restore(a, { execution: 'two' });
    const stale = recordFailure(deps(stage))({ ...first, failure: { Error: 'CopyFailed', Cause: '' } });
    await expect(stale).rejects.toMatchObject({ name: 'LeaseLost' });
    expect(await stage.pins()).toEqual([second.runId]);
  });

  it('of runs that were stopped are let go of by the next restore', async () => {
    const stage = await restoreStage();
    await stage.restore(a);
    stage.running.delete('one');
    stage.pass(31);
    const next = await stage.restore({ ...a, slot: '2026-11-20T12:01:00Z' }, { execution: 'two' });
    expect(await stage.pins()).toEqual([next.runId]);
  });

  it('of runs at work stay, however long', async () => {
    const stage = await restoreStage();
    const first = await stage.restore(a);
    stage.pass(600);
    const next = await stage.restore({ ...a, slot: '2026-11-20T12:01:00Z' }, { execution: 'two' });
    expect([...(await stage.pins())].sort()).toEqual([first.runId, next.runId].sort());
  });

  it('of a run that is being opened at the same moment stay', async () => {
    const stage = await restoreStage();
    let other: Opened | undefined;
    const through: Ledger = {
      ...stage.ledger,
      putRun: async (run) => {
        other ??= await stage.restore({ ...a, slot: '2026-11-20T11:00:00Z' }, { execution: 'two' });
        await stage.ledger.putRun(run);
      },
    };
    const mine = await stage.restore(a, { through });
    expect([...(await stage.pins())].sort()).toEqual([mine.runId, other?.runId].sort());
  });

  it('survive that somebody else changes the point at the same moment', async () => {
    const stage = await restoreStage();
    let races = 3;
    const through: Ledger = {
      ...stage.ledger,
      changePoint: async (pair, seen, patch) => {
        if (races-- > 0)
          await stage.ledger.changePoint(pair, seen, {
            pins: [...seen.pins, { by: `p${races}`, reason: 'r', at: noon }],
          });
        return stage.ledger.changePoint(pair, seen, patch);
      },
    };
    const { runId } = await stage.restore(a, { through });
    expect(await stage.pins()).toEqual(['p2', 'p1', 'p0', runId]);
  });

  it('are not set on a point whose deletion began in between', async () => {
    const stage = await restoreStage();
    const removal = {
      state: 'deleting',
      plan: '0'.repeat(64) as PlanHash,
      condemnedAt: slot,
      deletedAt: null,
    } as const;
    let isDeleted = false;
    const through: Ledger = {
      ...stage.ledger,
      changePoint: async (pair, seen, patch) => {
        if (!isDeleted) await stage.ledger.changePoint(pair, seen, { removal: { source: removal, replica: removal } });
        isDeleted = true;
        return stage.ledger.changePoint(pair, seen, patch);
      },
    };
    await expect(stage.restore(a, { through })).rejects.toMatchObject({
      name: 'PointGone',
      message: expect.stringContaining('choose another point'),
    });
    expect(await stage.pins()).toEqual([]);
  });
});

describe('a drill', () => {
  const drillOf = drillPair(
    { name: PolicyName.parse('nightly'), source: { name: ClusterName.parse('prod') } },
    'sales/orders' as never,
  );

  it('restores the newest verified point to a scratch bucket that is of this run alone', async () => {
    const stage = await restoreStage();
    const opened = await stage.drill();
    const { restore, pair } = await runOf(stage, opened);
    expect(pair).toBe(drillOf);
    expect(restore).toMatchObject({
      purpose: 'drill',
      point: { name: nameOf('b') },
      target: { kind: 'scratch', cluster: { name: 'dr' } },
      overwrite: 'if-different',
      confirmed: null,
    });
    expect(restore.target.bucket).toMatch(/^sales\/odr-drill-20261120t120000z-[0-9a-f]{8}$/);
    expect(await stage.pins()).toEqual([opened.runId]);
  });

  it('may be of a point that is named', async () => {
    const stage = await restoreStage();
    expect((await runOf(stage, await stage.drill({ point: nameOf('a') }))).restore.point.name).toBe(nameOf('a'));
  });

  it('is not of a named point that was never verified: restoring what nobody replicated proves nothing', async () => {
    const stage = await restoreStage({ source: 'a* t1', replica: 'a* t1', run: 't1:differs' });
    await expect(stage.drill({ point: nameOf('t1') })).rejects.toMatchObject({
      name: 'PointGone',
      message: expect.stringMatching(/not verified.*there are odr-nightly/),
    });
    expect(await stage.pins()).toEqual([]);
  });

  it('is on the source where the policy says so', async () => {
    const policy = restorePolicy();
    const stage = await restoreStage(undefined, [
      { ...policy, drills: policy.drills && { ...policy.drills, on: 'source' } },
    ]);
    expect((await runOf(stage, await stage.drill())).restore.target.cluster.name).toBe('prod');
  });

  it('needs a policy with drills', async () => {
    const stage = await restoreStage(undefined, [restorePolicy({ drills: null })]);
    await expect(stage.drill()).rejects.toMatchObject({
      name: 'PolicyInvalid',
      message: expect.stringContaining('no drills'),
    });
  });

  it('needs a point that was verified', async () => {
    const stage = await restoreStage({ source: 'a b', replica: '' });
    await expect(stage.drill()).rejects.toMatchObject({ name: 'PointGone' });
  });

  it('does not stand in the way of backups and restores', async () => {
    const stage = await restoreStage();
    await stage.drill();
    expect(await stage.restore({ point: nameOf('a'), target: 'in-place' }, { execution: 'two' })).toMatchObject({
      kind: 'open',
    });
  });

  it('that was cut off goes on with its point, also when a newer one was verified since', async () => {
    const stage = await restoreStage({ source: 'a*', replica: 'a*' });
    const first = await stage.drill();
    const [b] = (await (await restoreStage()).ledger.livingPoints(lineage)).filter(({ name }) => name === nameOf('b'));
    if (!b) throw new Error('there is a point');
    await stage.ledger.putPoint(lineage, b);
    stage.running.delete('one');
    const second = await stage.drill({}, { execution: 'two' });
    expect(second.runId).toBe(first.runId);
    expect((await runOf(stage, second)).restore.point.name).toBe(nameOf('a'));
    const pinned = (await stage.ledger.livingPoints(lineage)).filter(({ pins }) => pins.length > 0);
    expect(pinned.map(({ name }) => name)).toEqual([nameOf('a')]);
  });

  it('takes no field of a restore', async () => {
    await expect((await restoreStage()).drill({ overwrite: 'always' })).rejects.toMatchObject({ name: 'EventInvalid' });
  });
});
