import { describe, expect, it } from 'vitest';
import type { RecoveryPoint } from '../../../functions/core/domain/ledger.ts';
import { runId, targetPair } from '../../../functions/core/domain/names.ts';
import { confirmationOf, RestorePlan } from '../../../functions/core/domain/restore.ts';
import { FailbackPlan, failbackWords, type Role } from '../../../functions/core/domain/roles.ts';
import { later, seconds } from '../../../functions/core/domain/units.ts';
import type { Ledger } from '../../../functions/core/ports.ts';
import { decideRestoreNext } from '../../../functions/core/use-cases/decide-restore.ts';
import { openRun } from '../../../functions/core/use-cases/open-run.ts';
import { asText } from '../../../functions/core/use-cases/plan-text.ts';
import { compared, copied, kept, looked, restoreHistory } from '../planner/restore-world.ts';
import { backward, forward, roleOf } from '../planner/role-world.ts';
import { nameOf, noon, policyOf, slot } from '../planner/world.ts';
import { type RestoreStage, restoreStage } from './restore-fixture.ts';

type Open = Partial<Parameters<RestoreStage['open']>[1]>;

const failOver = (stage: RestoreStage, request: object = {}, options: Open = {}) =>
  stage.open({ kind: 'unplanned', by: 'ann', reason: 'a flood', ...request }, { ...options, workflow: 'failover' });
const failBack = (stage: RestoreStage, request: object = {}, options: Open = {}) =>
  stage.open(
    { kind: 'prepare', by: 'ann', reason: 'the water is gone', ...request },
    { ...options, workflow: 'failback' },
  );

const taskOf = async ({ ledger }: RestoreStage, opening: Promise<{ readonly runId: string }>) => {
  const { runId: id } = await opening;
  const task = (await ledger.loadRun(id as never))?.run.restore;
  if (!task) throw new Error(`${id} was not opened`);
  return task;
};

/** Puts roles into the ledger, as a run has left them that is over. */
const withRole = async (role: Role, stage?: RestoreStage): Promise<RestoreStage> => {
  const on = stage ?? (await restoreStage());
  const lease = await on.ledger.takeLease(
    await on.ledger.loadPair(forward),
    { runId: role.by, execution: 'over' },
    noon,
  );
  if (lease) await on.ledger.releaseLease(forward, lease.token);
  await on.ledger.moveRole(forward, (await on.ledger.loadPair(forward)).role, role);
  return on;
};
const pointNamed = async ({ ledger }: RestoreStage, name: string): Promise<RecoveryPoint> => {
  const point = (await ledger.livingPoints(forward)).find((it) => it.name === name);
  if (!point) throw new Error('there is no such point');
  return point;
};

/** The plan of a failover as its first execution stores it. */
const planned = async (stage: RestoreStage, kind: 'planned' | 'unplanned', change: object = {}) => {
  const { hash, text } = asText(RestorePlan, {
    schema: 1,
    lineage: forward,
    policy: 'nightly',
    madeAt: noon,
    expires: later(noon, seconds(3600)),
    point: nameOf('b'),
    pointId: (await pointNamed(stage, nameOf('b'))).replica?.id ?? '',
    from: 'dr',
    scope: 'the whole bucket',
    selection: null,
    target: { kind: 'in-place', cluster: 'dr', bucket: 'sales/orders', created: '2026-01-01T00:00:00.000Z' },
    overwrite: 'if-different',
    deleteExtra: true,
    files: 10,
    bytes: 100,
    absent: 0,
    replaced: 10,
    leftAlone: 0,
    deleted: 0,
    first: [],
    isKept: true,
    seconds: 60,
    basis: 'measured',
    failover: { kind, from: 'prod', lossSeconds: 60 },
    ...change,
  });
  await stage.plans.put(hash, text);
  return { plan: hash, confirmation: confirmationOf(RestorePlan.parse(JSON.parse(text)), hash) };
};

const refused = (name: string, message: RegExp) => ({ name, message: expect.stringMatching(message) });
/** Nothing was changed: no lease, no pin, no roles. */
const untouched = async (stage: RestoreStage, role: Role | null = null) => {
  expect(await stage.pins()).toEqual([]);
  expect(await stage.ledger.loadPair(forward)).toMatchObject({ lease: null, role });
};

describe('a failover', () => {
  it('brings the replica to its newest verified point, from its own snapshot, under the lease of the pair', async () => {
    const stage = await restoreStage();
    const opened = await failOver(stage);
    expect(opened).toMatchObject({ kind: 'open', runId: `${forward}#failover.nightly#20261120t120000z` });
    expect(await taskOf(stage, Promise.resolve(opened))).toMatchObject({
      purpose: 'failover',
      lineage: forward,
      point: { name: nameOf('b'), source: null, replica: { cluster: { name: 'dr' } } },
      target: { kind: 'in-place', cluster: { name: 'dr' }, bucket: 'sales/orders' },
      overwrite: 'if-different',
      deleteExtra: true,
      confirmed: null,
      failover: { kind: 'unplanned', from: { name: 'prod' }, to: 'replica', epoch: 1, roleOf: forward },
    });
    expect((await stage.ledger.loadPair(forward)).lease).toMatchObject({ runId: opened.runId });
    expect(await stage.pins()).toEqual([opened.runId]);
  });

  it('takes the verified point that is named, and no other', async () => {
    const stage = await restoreStage({ source: 'a* b* c t1', replica: 'a* b* t1', run: 't1:differs' });
    expect((await taskOf(stage, failOver(stage, { point: nameOf('a') }))).point.name).toBe(nameOf('a'));
    for (const point of [nameOf('c'), nameOf('t1')])
      await expect(failOver(stage, { point, slot: '2026-11-20T03:00:00Z' })).rejects.toMatchObject(
        refused('PointGone', /has no point/),
      );
  });

  it.each<readonly [string, () => Promise<RestoreStage>, object, string, RegExp]>([
    [
      'of a bucket without a replica',
      () => restoreStage({}, [policyOf('incremental', false)]),
      {},
      'PolicyInvalid',
      /has no replica: there is nothing to fail over to/,
    ],
    ['of a bucket without a verified point', () => restoreStage({ source: 'a' }), {}, 'PointGone', /no points yet/],
    ['of a bucket of no policy', () => restoreStage(), { bucket: 'sales/other' }, 'EventInvalid', /has no bucket/],
    [
      'with a plan that nobody made',
      restoreStage,
      { plan: 'e'.repeat(64), confirmation: 'x' },
      'NotConfirmed',
      /no plan/,
    ],
  ])('%s is refused', async (_sentence, make, request, name, message) => {
    await expect(failOver(await make(), request)).rejects.toMatchObject(refused(name, message));
  });

  it('is refused where it was done, and where the other way is under way', async () => {
    for (const [role, message] of [
      [roleOf(), /^dr is the primary of sales\/orders already, since .*: nothing is left to do$/],
      [roleOf({ primary: 'source', epoch: 2, state: 'moving' }), /being failed over the other way by .*finish that/],
    ] as const) {
      const stage = await withRole(role);
      await expect(failOver(stage)).rejects.toMatchObject(refused('NotPrimary', message));
      await untouched(stage, role);
    }
  });

  it('after a failback is another epoch', async () => {
    const stage = await withRole(roleOf({ primary: 'source', epoch: 2 }));
    expect((await taskOf(stage, failOver(stage))).failover).toMatchObject({ to: 'replica', epoch: 3 });
  });

  it('that another run has begun is gone on with: with its point and its epoch', async () => {
    const stage = await withRole(roleOf({ state: 'moving', epoch: 3, point: nameOf('a'), opened: null }));
    for (const point of [undefined, nameOf('b')]) {
      const task = await taskOf(stage, failOver(stage, point ? { point, slot: '2026-11-20T03:00:00Z' } : {}));
      expect(task).toMatchObject({ point: { name: nameOf('a') }, failover: { epoch: 3 } });
      await stage.ledger.releaseLease(forward, (await stage.ledger.loadPair(forward)).lease?.token ?? 0);
    }
  });

  it('has a token above those of all others who write to that bucket', async () => {
    const stage = await restoreStage();
    for (const [pair, above] of [
      [backward, 40],
      [targetPair('dr' as never, 'sales/orders' as never), 70],
      [targetPair('prod' as never, 'sales/orders' as never), 900],
    ] as const)
      await stage.ledger.takeLease(
        await stage.ledger.loadPair(pair),
        { runId: runId(pair, 'nightly' as never, slot, 'restore'), execution: 'over' },
        noon,
        above,
      );
    expect((await failOver(stage)).lease).toBe(72);
  });
});

describe('the confirmation of a failover', () => {
  it('opens it with what the plan allowed', async () => {
    const stage = await restoreStage();
    const words = await planned(stage, 'unplanned');
    expect((await taskOf(stage, failOver(stage, words))).confirmed).toEqual({
      plan: words.plan,
      targetCreated: '2026-01-01T00:00:00.000Z',
      replaced: 10,
      deleted: 0,
    });
  });

  it.each<readonly [string, object, object, RegExp]>([
    [
      'other words',
      {},
      { confirmation: 'yes' },
      /the words that confirm this plan are "fail over sales\/orders to dr /,
    ],
    ['the plan of another bucket', { lineage: 'prod/sales/parts#dr' }, {}, /the plan is of another/],
    ['the plan of another point', { point: nameOf('a') }, {}, /the plan is of another/],
    ['the plan of a restore', { failover: null }, {}, /the plan is of another/],
    [
      'the plan of a failover on purpose',
      { failover: { kind: 'planned', from: 'prod', lossSeconds: 0 } },
      {},
      /another/,
    ],
    ['a plan that is too old', { expires: noon }, {}, /no longer valid/],
    [
      'a plan that cannot be done',
      { obstacles: [{ error: 'QuotaExceeded', reason: 'it is full', remedy: 'Make room.' }] },
      {},
      /cannot be done: it is full/,
    ],
  ])('is none with %s', async (_sentence, plan, request, message) => {
    const stage = await restoreStage();
    const words = await planned(stage, 'unplanned', plan);
    await expect(failOver(stage, { ...words, ...request })).rejects.toMatchObject(refused('NotConfirmed', message));
    await untouched(stage);
  });

  it('counts for one failover', async () => {
    const stage = await restoreStage();
    const words = await planned(stage, 'unplanned');
    const first = await failOver(stage, words);
    await stage.ledger.releaseLease(forward, first.lease);
    const again = failOver(stage, { ...words, slot: '2026-11-20T03:00:00Z' }, { execution: 'two' });
    await expect(again).rejects.toMatchObject(refused('NotConfirmed', /was used by another/));
  });
});

describe('a failover while a backup has the bucket', () => {
  /** It is at work, or hangs: its execution runs, and its lease is prolonged. */
  const held = async (workflow: 'backup' | 'prune' | 'failover' = 'backup') => {
    const stage = await restoreStage();
    const run = runId(forward, 'nightly' as never, slot, workflow);
    const pair = await stage.ledger.loadPair(forward);
    const lease = await stage.ledger.takeLease(pair, { runId: run, execution: 'backup' }, later(noon, seconds(7200)));
    return { stage, token: lease?.token ?? 0 };
  };

  it.each(['backup', 'prune'] as const)(
    'takes it from a %s after two minutes, when it is confirmed',
    async (workflow) => {
      const { stage, token } = await held(workflow);
      const words = await planned(stage, 'unplanned');
      expect(await failOver(stage, words)).toMatchObject({ kind: 'busy', reason: expect.stringContaining('backup') });
      stage.pass(2);
      const opened = await failOver(stage, words);
      expect(opened.kind).toBe('open');
      // What the other one still sends is refused.
      expect(opened.lease).toBeGreaterThan(token);
      await expect(stage.ledger.changePair(forward, token, { hold: null })).rejects.toMatchObject({
        name: 'LeaseLost',
      });
    },
  );

  it('takes nothing for a plan alone, but says soon which execution to stop', async () => {
    const { stage } = await held();
    stage.pass(2);
    await expect(failOver(stage)).rejects.toMatchObject(
      refused('RunAlreadyOpen', /^sales\/orders is in the hands of backup: stop that execution/),
    );
    expect((await stage.ledger.loadPair(forward)).lease?.execution).toBe('backup');
  });

  it('leaves it to another failover, and on purpose to everybody', async () => {
    const other = await held('failover');
    other.stage.pass(3);
    expect((await failOver(other.stage, await planned(other.stage, 'unplanned'))).kind).toBe('busy');
    const { stage } = await held();
    stage.pass(3);
    expect((await failOver(stage, { kind: 'planned' })).kind).toBe('busy');
  });
});

describe('a failover on purpose', () => {
  const open = async (stage: RestoreStage, drained: boolean, through: Ledger = stage.ledger) =>
    failOver(stage, { kind: 'planned', ...(await planned(stage, 'planned')) }, { through, drained });

  it('asks for a last backup first, under a name that is the same each time', async () => {
    const stage = await restoreStage();
    const first = await open(stage, false);
    expect(first).toMatchObject({
      kind: 'drain',
      name: expect.stringMatching(/^drain-20261120t120000z-[0-9a-f]{16}$/),
      input: { policy: 'nightly', bucket: 'sales/orders', slot: '2026-11-20T12:00:00.000Z', back: false },
    });
    expect(await open(stage, false)).toEqual(first);
    await untouched(stage);
  });

  it('is refused when that backup brought no verified point', async () => {
    const stage = await restoreStage();
    await expect(open(stage, true)).rejects.toMatchObject(refused('ChangedMeanwhile', /brought no verified point/));
    await untouched(stage);
  });

  it('goes on with what that backup brought, which is newer than its plan', async () => {
    const stage = await restoreStage();
    const words = await planned(stage, 'planned');
    const last = await pointNamed(stage, nameOf('b'));
    const brought = { ...last, name: 'odr-nightly-20261120t120000z-1' as never, slot: noon };
    await stage.ledger.putPoint(forward, { ...brought, source: { ...last.source, created: noon } });
    const task = await taskOf(stage, failOver(stage, { kind: 'planned', ...words }, { drained: true }));
    expect(task).toMatchObject({ point: { name: brought.name }, confirmed: { plan: words.plan } });
  });

  it('that has moved the roles already makes no other backup: nobody may write there', async () => {
    const stage = await withRole(roleOf({ state: 'moving', opened: null }));
    expect(await open(stage, false)).toMatchObject({ kind: 'open' });
  });

  it('only plans without a confirmation, and makes no backup for that', async () => {
    const stage = await restoreStage();
    expect(await taskOf(stage, failOver(stage, { kind: 'planned' }))).toMatchObject({ confirmed: null });
  });
});

it("an old primary that is given up is in nobody's way: a policy from the new primary to another cluster backs it up", async () => {
  const stage = await withRole(roleOf());
  const usual = policyOf('incremental');
  const other = { ...usual.source, name: 'third' as never };
  const backup = (policy: typeof usual) =>
    openRun({ ...stage, policies: [policy] })({
      request: { policy: 'nightly', bucket: 'sales/orders' },
      execution: 'backup',
      startedAt: '2026-11-20T12:00:00Z',
    });
  expect(await backup(usual)).toMatchObject({ kind: 'skipped', error: 'NotPrimary' });
  expect(await backup({ ...usual, source: usual.replica ?? usual.source, replica: other })).toMatchObject({
    kind: 'open',
    runId: 'dr/sales/orders#third#nightly#20261120t120000z',
  });
});

describe('the preparation of a failback', () => {
  /** The report as the first execution stores it. */
  const reported = async (stage: RestoreStage, change: object = {}) => {
    const nothing = { added: 0, changed: 0, deleted: 0, bytes: 0, first: [] };
    const { hash, text } = asText(FailbackPlan, {
      schema: 1,
      kind: 'failback',
      roleOf: forward,
      epoch: 1,
      policy: 'nightly',
      bucket: 'sales/orders',
      from: 'dr',
      to: 'prod',
      madeAt: noon,
      expires: later(noon, seconds(3600)),
      common: nameOf('b'),
      divergence: { source: nothing, replica: nothing, both: { paths: 0, first: [] } },
      ...change,
    } as never);
    await stage.plans.put(hash, text);
    return { plan: hash, confirmation: failbackWords(FailbackPlan.parse(JSON.parse(text)), hash) };
  };

  it('keeps apart what was written to the old primary after both parted, in a bucket of its own', async () => {
    const stage = await withRole(roleOf());
    const opened = await failBack(stage);
    expect(await taskOf(stage, Promise.resolve(opened))).toMatchObject({
      purpose: 'failback',
      lineage: forward,
      point: { source: null, replica: null },
      target: { kind: 'side', cluster: { name: 'prod' }, bucket: 'sales/orders-orphans-20261120t120000z' },
      overwrite: 'never',
      confirmed: null,
      failover: null,
      failback: { epoch: 1, roleOf: forward, common: { name: nameOf('b') }, opened: { name: roleOf().opened?.name } },
    });
    // The point that both have must not be deleted meanwhile.
    const pinned = (await stage.ledger.livingPoints(forward)).filter(({ pins }) => pins.length > 0);
    expect(pinned.map(({ name }) => name)).toEqual([nameOf('b')]);
  });

  it.each<readonly [string, Role | null, RegExp]>([
    ['never failed over', null, /prod is the primary of sales\/orders: there is nothing to fail back/],
    ['that is back', roleOf({ primary: 'source', epoch: 2 }), /there is nothing to fail back/],
    ['whose roles are being moved', roleOf({ state: 'moving', opened: null }), /being moved by .*: finish that first/],
  ])('of a bucket %s is refused', async (_sentence, role, message) => {
    const stage = role ? await withRole(role) : await restoreStage();
    await expect(failBack(stage)).rejects.toMatchObject(refused('NotPrimary', message));
    await untouched(stage, role);
  });

  it('of a policy without a replica is refused', async () => {
    const stage = await restoreStage({}, [policyOf('incremental', false)]);
    await expect(failBack(stage)).rejects.toMatchObject(refused('PolicyInvalid', /it was never failed over/));
  });

  it('is refused when the point that both had is gone', async () => {
    const stage = await withRole(roleOf({ point: nameOf('q') }));
    await expect(failBack(stage)).rejects.toMatchObject(refused('PointGone', new RegExp(`no point ${nameOf('q')}`)));
  });

  it('goes on with the words of its report', async () => {
    const stage = await withRole(roleOf());
    const words = await reported(stage);
    expect(words.confirmation).toMatch(/^fail back sales\/orders to prod [0-9a-f]{12}$/);
    expect((await taskOf(stage, failBack(stage, words))).confirmed).toMatchObject({ plan: words.plan });
  });

  it.each<readonly [string, object, object, RegExp]>([
    [
      'other words',
      {},
      { confirmation: 'yes' },
      /the words that confirm this plan are "fail back sales\/orders to prod /,
    ],
    ['a report that nobody made', {}, { plan: 'e'.repeat(64) }, /there is no plan/],
    ['a report that is too old', { expires: noon }, {}, /no longer valid/],
    ['the report of another epoch', { epoch: 3 }, {}, /of another bucket, or of roles that were moved since/],
    ['the report of another bucket', { roleOf: 'prod/sales/parts#dr' }, {}, /of another bucket, or of roles/],
  ])('does not go on with %s', async (_sentence, plan, request, message) => {
    const stage = await withRole(roleOf());
    const words = await reported(stage, plan);
    await expect(failBack(stage, { ...words, ...request })).rejects.toMatchObject(refused('NotConfirmed', message));
    await untouched(stage, roleOf());
  });
});

describe('the switch of a failback', () => {
  const prepared = roleOf({ prepared: { by: roleOf().by, at: slot, isRebuilt: false } });
  /** Points of the other direction, as its backups leave them. */
  const withBackups = async (role: Role) => {
    const stage = await withRole(role);
    const { source, replica, ...point } = await pointNamed(stage, nameOf('b'));
    await stage.ledger.putPoint(backward, {
      ...point,
      source: { id: replica?.id ?? source.id, created: source.created },
      replica: { id: source.id, created: source.created, condemned: false },
    });
    return stage;
  };

  it('is a failover on purpose of the policy in the other direction', async () => {
    const stage = await withBackups(prepared);
    const opened = await failBack(stage, { kind: 'switch' });
    expect(opened.runId).toBe(`${backward}#failback.nightly#20261120t120000z`);
    expect(await taskOf(stage, Promise.resolve(opened))).toMatchObject({
      purpose: 'failover',
      lineage: backward,
      point: { name: nameOf('b'), source: null, replica: { cluster: { name: 'prod' } } },
      target: { kind: 'in-place', cluster: { name: 'prod' } },
      failover: { kind: 'planned', from: { name: 'dr' }, to: 'source', epoch: 2, roleOf: forward },
    });
    expect((await stage.ledger.loadPair(backward)).lease).toMatchObject({ runId: opened.runId });
  });

  it.each<readonly [string, Role, RegExp]>([
    ['not prepared', roleOf(), /written to prod is not kept apart yet: prepare a failback first/],
    ['done', roleOf({ primary: 'source', epoch: 2 }), /prod is the primary of sales\/orders already/],
    ['whose failover is not over', roleOf({ state: 'moving' }), /being failed over the other way by .*: finish that/],
  ])('that is %s is refused', async (_sentence, role, message) => {
    const stage = await withBackups(role);
    await expect(failBack(stage, { kind: 'switch' })).rejects.toMatchObject(refused('NotPrimary', message));
    await untouched(stage, role);
  });

  it('of a bucket that was never failed over is refused', async () => {
    await expect(failBack(await restoreStage(), { kind: 'switch' })).rejects.toMatchObject(
      refused('NotPrimary', /prod is the primary of sales\/orders already: nothing is left to do/),
    );
  });

  it('asks for a last backup in the other direction', async () => {
    const stage = await withBackups(prepared);
    const words = await planned(stage, 'planned', {
      lineage: backward,
      target: { kind: 'in-place', cluster: 'prod', bucket: 'sales/orders', created: null },
      failover: { kind: 'planned', from: 'dr', lossSeconds: 0 },
    });
    expect(words.confirmation).toMatch(/^fail over sales\/orders to prod /);
    expect(await failBack(stage, { kind: 'switch', ...words })).toMatchObject({ kind: 'drain', input: { back: true } });
  });
});

it('a failover waits for a backup that is at work', async () => {
  const stage = await restoreStage();
  await stage.ledger.takeLease(
    await stage.ledger.loadPair(forward),
    { runId: runId(forward, 'nightly' as never, slot), execution: 'backup' },
    later(noon, seconds(3600)),
  );
  expect(await failOver(stage)).toMatchObject({ kind: 'busy', reason: expect.stringContaining('backup') });
});

describe('the roles of a failover', () => {
  /** A confirmed failover whose first steps are done, each with its answer. */
  const begun = async (steps: number, role?: Role) => {
    const stage = role ? await withRole(role) : await restoreStage();
    const opened = await failOver(stage, await planned(stage, 'unplanned', { target: ofTarget, deleted: 2 }));
    const { history } = restoreHistory({
      target: 'in-place',
      on: 'dr',
      sides: 'replica',
      did: [
        [{ kind: 'examine', from: 'replica' }, looked({ same: 8, extra: 2 })],
        [{ kind: 'safety-snapshot', name: `restore-safety-20261120t120000z-${opened.lease}` }, kept],
        [{ kind: 'restore', from: 'replica' }, copied(2)],
        [{ kind: 'compare', against: 'replica' }, compared()],
        [{ kind: 'safety-snapshot', name: `failover-20261120t120000z-${opened.lease}` }, kept],
      ],
    });
    for (const step of history.steps.slice(0, steps)) await stage.ledger.recordStep(opened.runId, step);
    const decide = (ledger: Ledger = stage.ledger) =>
      decideRestoreNext({
        ledger,
        operations: { load: async () => undefined },
        plans: stage.plans,
        clock: stage.clock,
      })({
        runId: opened.runId,
        lease: opened.lease,
        step: steps,
        failure: null,
      });
    const roles = async () => (await stage.ledger.loadPair(forward)).role;
    return { stage, id: opened.runId, decide, roles };
  };
  const ofTarget = { kind: 'in-place', cluster: 'dr', bucket: 'sales/orders', created: '2026-03-03T03:03:03.000Z' };

  it('stay where they are while it only looks', async () => {
    const { decide, roles } = await begun(0);
    expect(await decide()).toMatchObject({ kind: 'examine' });
    expect(await roles()).toBeNull();
  });

  it.each([
    [1, 'safety-snapshot'],
    [2, 'restore'],
  ])('are moved before step %i, the %s, is known to anybody', async (steps, kind) => {
    const { stage, decide, roles, id } = await begun(steps);
    const recorded: unknown[] = [];
    const decided = await decide({
      ...stage.ledger,
      recordStep: async (run, step) => {
        recorded.push(await roles());
        return stage.ledger.recordStep(run, step);
      },
    });
    expect(decided).toMatchObject({ kind });
    expect(recorded).toMatchObject([
      {
        primary: 'replica',
        state: 'moving',
        epoch: 1,
        point: nameOf('b'),
        by: id,
        since: noon,
        opened: null,
        prepared: null,
        restricted: null,
      },
    ]);
  });

  it('are settled with what the new primary begins with', async () => {
    const moving = roleOf({ state: 'moving', opened: null });
    const { decide, roles, id } = await begun(5, moving);
    expect(await decide()).toMatchObject({ kind: 'done', outcome: { kind: 'failed-over' } });
    expect(await roles()).toMatchObject({
      primary: 'replica',
      state: 'settled',
      by: id,
      since: moving.since,
      opened: { id: expect.any(String) },
    });
  });

  it('that another run has begun to move are taken over, since when it began', async () => {
    const moving = roleOf({ state: 'moving', opened: null });
    const { decide, roles, id } = await begun(1, moving);
    await decide();
    expect(await roles()).toEqual({ ...moving, by: id });
  });

  it('are moved once by a decision that is repeated, whether it was recorded or not', async () => {
    const { stage, decide, roles } = await begun(1);
    const died = decide({
      ...stage.ledger,
      recordStep: async () => {
        throw new Error('the function died');
      },
    });
    await expect(died).rejects.toThrow('the function died');
    const moved = await roles();
    const first = await decide();
    expect(await decide()).toEqual(first);
    expect(await roles()).toEqual(moved);
  });

  it('that were moved by the same decision a moment ago are found', async () => {
    const { stage, decide, id } = await begun(1);
    const decided = await decide({
      ...stage.ledger,
      moveRole: async (pair, seen, next) => {
        await stage.ledger.moveRole(pair, seen, next);
        return false;
      },
    });
    expect(decided).toMatchObject({ kind: 'safety-snapshot' });
    expect((await stage.ledger.loadPair(forward)).role?.by).toBe(id);
  });

  it('that somebody else moves meanwhile stop it, and nothing is begun', async () => {
    const { stage, decide, roles, id } = await begun(1);
    const other = roleOf({ state: 'moving', opened: null });
    const decided = decide({
      ...stage.ledger,
      moveRole: async (pair, seen, next) => {
        await stage.ledger.moveRole(pair, seen, other);
        return stage.ledger.moveRole(pair, seen, next);
      },
    });
    await expect(decided).rejects.toMatchObject(refused('ChangedMeanwhile', /were moved by .* meanwhile/));
    expect(await roles()).toEqual(other);
    expect((await stage.ledger.loadRun(id))?.steps).toHaveLength(1);
  });
});
