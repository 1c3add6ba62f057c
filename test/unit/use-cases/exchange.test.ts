import { describe, expect, it } from 'vitest';
import type { RecoveryPoint } from '../../../functions/core/domain/ledger.ts';
import { runId, targetPair } from '../../../functions/core/domain/names.ts';
import type { Role } from '../../../functions/core/domain/roles.ts';
import { epochMs, later, seconds } from '../../../functions/core/domain/units.ts';
import { exchanged } from '../../../functions/core/planner/roles.ts';
import { goOnFrom } from '../../../functions/core/use-cases/exchange.ts';
import { openRun } from '../../../functions/core/use-cases/open-run.ts';
import { memoryLedger } from '../../fixtures/memory-store.ts';
import { backward, forward, roleOf } from '../planner/role-world.ts';
import { baseOf, historyOf, nameOf, noon, policyOf, slot } from '../planner/world.ts';

const policy = policyOf('incremental');
const bucket = 'sales/orders' as never;
const prepared = { by: roleOf().by, at: slot, isRebuilt: false };
const sourceMade = '2026-01-01T00:00:00.000Z';
const replicaMade = '2026-02-02T00:00:00.000Z';

/** A pair prod → dr with the verified points `a b`, and `c`, which is not on dr, whose roles are as given. */
const stageOf = async (role: Role | null, { source = 'a* b* c', fence = 0 } = {}) => {
  const ledger = memoryLedger();
  const { points } = historyOf({ source, replica: 'a* b*', run: 't1:taken' });
  for (const point of points) await ledger.putPoint(forward, point);
  const first = await ledger.takeLease(
    await ledger.loadPair(forward),
    { runId: runId(forward, policy.name, slot), execution: 'over' },
    noon,
    fence,
  );
  await ledger.changePair(forward, first?.token ?? 0, {
    base: baseOf('b'),
    sourceCreated: sourceMade,
    owned: { created: replicaMade, at: slot, proved: true },
  });
  await ledger.releaseLease(forward, first?.token ?? 0);
  if (role) await ledger.moveRole(forward, null, role);
  const open = (request: object = {}, execution = 'one', workflow = 'backup') =>
    openRun({
      policies: [policy],
      ledger,
      workflow: { isRunning: async () => true },
      clock: { now: () => noon },
    })({ request: { policy: 'nightly', bucket, ...request }, execution, startedAt: '2026-11-20T12:00:00Z', workflow });
  const lease = async (pair: typeof forward) => {
    const taken = await ledger.takeLease(
      await ledger.loadPair(pair),
      { runId: runId(pair, policy.name, noon), execution: 'one' },
      later(noon, seconds(3600)),
    );
    return taken?.token ?? 0;
  };
  const goOn = async (moved: Role, back: boolean) => {
    const pair = back ? backward : forward;
    await goOnFrom(ledger, {
      role: moved,
      pair,
      lease: await lease(pair),
      policy: back ? exchanged(policy) : policy,
      bucket,
      now: noon,
    });
    await ledger.releaseLease(pair, (await ledger.loadPair(pair)).lease?.token ?? 0);
  };
  return { ledger, open, goOn, lease };
};

const swapped = (point: RecoveryPoint | undefined) => ({
  source: { id: point?.replica?.id },
  replica: { id: point?.source.id, condemned: false },
});

describe('a pair that goes on where the other direction ended', () => {
  it('has the point that its primary began with as the base, seen from the other side', async () => {
    const { ledger, goOn } = await stageOf(roleOf());
    const b = (await ledger.livingPoints(forward)).find(({ name }) => name === nameOf('b'));
    await goOn(roleOf(), true);
    const points = await ledger.livingPoints(backward);
    expect(points.map(({ name }) => name)).toEqual([nameOf('b'), nameOf('a')]);
    expect(points.find(({ name }) => name === nameOf('b'))).toMatchObject({ ...swapped(b), base: null, mode: null });
    expect(await ledger.loadPair(backward)).toMatchObject({
      epoch: 1,
      base: { name: nameOf('b'), sourceId: baseOf('b').replicaId, replicaId: baseOf('b').sourceId },
      dirtySince: null,
      hold: null,
      owned: { created: sourceMade, at: noon, proved: true },
      sourceCreated: replicaMade,
    });
  });

  it('does so once', async () => {
    const { ledger, goOn, lease } = await stageOf(roleOf());
    await goOn(roleOf(), true);
    const token = await lease(backward);
    const later = { ...baseOf('y') };
    await ledger.changePair(backward, token, { base: later });
    await ledger.releaseLease(backward, token);
    await goOn(roleOf(), true);
    expect((await ledger.loadPair(backward)).base).toEqual(later);
  });

  it('overwrites no point that it has already', async () => {
    const { ledger, goOn } = await stageOf(roleOf());
    const b = (await ledger.livingPoints(forward)).find(({ name }) => name === nameOf('b'));
    if (!b) throw new Error('there is a point');
    await ledger.putPoint(backward, { ...b, filesCopied: 4711 });
    await goOn(roleOf(), true);
    expect((await ledger.livingPoints(backward)).find(({ name }) => name === nameOf('b'))).toMatchObject({
      filesCopied: 4711,
    });
  });

  it('is refused when the point with which its primary began is not on both any more', async () => {
    const { ledger, goOn } = await stageOf(roleOf());
    const gone = { name: 'NoCommonPoint', message: expect.stringContaining('is not on both clusters any more') };
    await expect(goOn(roleOf({ point: nameOf('q') }), true)).rejects.toMatchObject(gone);
    expect(await ledger.livingPoints(backward)).toEqual([]);
    expect((await ledger.loadPair(backward)).epoch).toBe(0);
  });

  it('takes over what the other direction made meanwhile', async () => {
    const { ledger, goOn } = await stageOf(roleOf());
    await goOn(roleOf(), true);
    const [b] = await ledger.livingPoints(backward);
    if (!b) throw new Error('there is a point');
    const made = {
      ...b,
      name: nameOf('y'),
      source: { ...b.source, created: epochMs(noon - 1000) },
      replica: b.replica && { ...b.replica, created: epochMs(noon - 900) },
    };
    await ledger.putPoint(backward, made);
    await goOn(roleOf({ primary: 'source', epoch: 2, point: made.name }), false);
    expect(await ledger.loadPair(forward)).toMatchObject({ epoch: 2, base: { name: made.name } });
    const names = (await ledger.livingPoints(forward)).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining([nameOf('a'), nameOf('b'), made.name]));
  });
});

describe('a run of a bucket whose roles were moved', () => {
  const settledBack = roleOf({ primary: 'source', epoch: 2 });

  it.each<readonly [string, Role | null, object, string]>([
    ['a backup while it is failed over', roleOf(), {}, 'backup'],
    ['a backup once its failback is prepared', roleOf({ prepared }), {}, 'backup'],
    ['a backup while the roles are moved', roleOf({ state: 'moving' }), {}, 'backup'],
    ['a backup while they are moved back', roleOf({ primary: 'source', state: 'moving' }), {}, 'backup'],
    ['a backup back that nobody prepared', roleOf(), { back: true }, 'backup'],
    ['a backup back while the roles are moved', roleOf({ state: 'moving', prepared }), { back: true }, 'backup'],
    ['a backup back of what was never failed over', null, { back: true }, 'backup'],
    ['a backup back of what is back', settledBack, { back: true }, 'backup'],
  ])('%s is passed over, and gives its lease back', async (_sentence, role, request, workflow) => {
    const { ledger, open } = await stageOf(role);
    const opened = await open(request, 'one', workflow);
    expect(opened).toMatchObject({ kind: 'skipped', error: 'NotPrimary' });
    for (const pair of [forward, backward]) expect((await ledger.loadPair(pair)).lease).toBeNull();
    expect(await ledger.loadRun(opened.runId)).toBeUndefined();
  });

  it('is opened in the other direction when that is prepared, from the point that both have', async () => {
    const { ledger, open } = await stageOf(roleOf({ prepared }));
    const opened = await open({ back: true });
    expect(opened).toMatchObject({ kind: 'open', runId: `${backward}#nightly#20261120t120000z` });
    expect((await ledger.loadRun(opened.runId))?.run.policy).toMatchObject({
      source: { name: 'dr' },
      replica: { name: 'prod' },
    });
    expect(await ledger.loadPair(backward)).toMatchObject({ epoch: 1, base: { name: nameOf('b') } });
    // It can be repeated by the same execution.
    expect(await open({ back: true })).toEqual(opened);
  });

  it('has a token above those of all others who write to that bucket', async () => {
    const { ledger, open } = await stageOf(roleOf({ prepared }), { fence: 30 });
    const restores = targetPair('prod' as never, bucket);
    await ledger.takeLease(
      await ledger.loadPair(restores),
      { runId: runId(restores, policy.name, slot, 'restore'), execution: 'over' },
      epochMs(noon - 1),
      50,
    );
    // Back it writes to prod, to which nobody but the restores wrote before.
    expect((await open({ back: true })).lease).toBe(52);
  });

  it('knows in the usual direction, too, what wrote there meanwhile', async () => {
    const { ledger, open } = await stageOf(settledBack);
    const restores = targetPair('dr' as never, bucket);
    await ledger.takeLease(
      await ledger.loadPair(restores),
      { runId: runId(restores, policy.name, slot, 'restore'), execution: 'over' },
      epochMs(noon - 1),
      60,
    );
    const { ledger: before, open: openBefore } = await stageOf(null);
    expect((await openBefore()).lease).toBe(2);
    expect((await before.loadPair(forward)).fence).toBe(2);
    await ledger.putPoint(backward, {
      ...(await ledger.livingPoints(forward)).find(({ name }) => name === nameOf('b')),
    } as RecoveryPoint);
    expect(await open()).toMatchObject({ kind: 'open', lease: 62 });
    expect(await ledger.loadPair(forward)).toMatchObject({ epoch: 2 });
  });

  it.each<readonly [string, object, string, string]>([
    ['a prune', { back: true }, 'prune', 'only a backup of a policy with a replica goes back'],
    ['a way that is none', { back: 'yes' }, 'backup', 'back'],
  ])('does not go back as %s', async (_sentence, request, workflow, message) => {
    const { open } = await stageOf(roleOf({ prepared }));
    await expect(open(request, 'one', workflow)).rejects.toMatchObject({
      name: 'EventInvalid',
      message: expect.stringContaining(message),
    });
  });
});
