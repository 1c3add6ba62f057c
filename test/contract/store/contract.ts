import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../../functions/adapters/sha256.ts';
import { parseEdgeReply } from '../../../functions/core/domain/edge-reply.ts';
import type { Decision, RunStep } from '../../../functions/core/domain/ledger.ts';
import {
  BucketRef,
  ClusterName,
  drillPair,
  type PairId,
  PolicyName,
  pairId,
  RunId,
  SnapshotName,
} from '../../../functions/core/domain/names.ts';
import { EdgeParameters, type Operation } from '../../../functions/core/domain/operation.ts';
import { PlanHash, type Removal } from '../../../functions/core/domain/retention.ts';
import type { Role } from '../../../functions/core/domain/roles.ts';
import { Resource } from '../../../functions/core/domain/slots.ts';
import { Bytes, type EpochMs, epochMs, seconds } from '../../../functions/core/domain/units.ts';
import type { Ledger, OperationStore } from '../../../functions/core/ports.ts';
import { takeSlots } from '../../../functions/core/use-cases/admit.ts';
import type { DecisionLog } from '../../fixtures/memory-store.ts';
import { restoreHistory } from '../../unit/planner/restore-world.ts';
import { roleOf } from '../../unit/planner/role-world.ts';
import { historyOf, operationOf, slot } from '../../unit/planner/world.ts';

export interface Stores extends DecisionLog {
  readonly ledger: Ledger;
  readonly operations: OperationStore;
}

const cluster = ClusterName.parse('prod');
const holder = (n: number): RunId => RunId.parse(`prod/sales/orders-${n}#dr#nightly#20261120t020000z`);
const at = (minutes: number): EpochMs => epochMs(slot + minutes * 60_000);

let resources = 0;
const freshResource = (): Resource => {
  resources += 1;
  return Resource.parse(`diff:cluster-${String(resources).padStart(4, '0')}`);
};

/** Whether the holder of a number got a place of each, for ten minutes. The smaller the number, the sooner it has to begin. */
const take = async (
  ledger: Ledger,
  from: readonly Resource[],
  n: number,
  capacity: number,
  now = slot,
): Promise<boolean> => {
  const needs = from.map((resource) => ({ resource, capacity, weight: 1, holdFor: seconds(600) }));
  const request = { holder: holder(n), by: at(1000 + n), expected: seconds(600), visits: [], needs };
  return (await takeSlots(ledger, request, now)) === null;
};

const removalOf = (state: Removal['state']): Removal => ({
  state,
  plan: PlanHash.parse('0'.repeat(64)),
  condemnedAt: slot,
  deletedAt: null,
});

/** What the ledger and the operation store promise, wherever they keep it. */
export const describeStores = (engine: string, open: () => Promise<Stores>): void => {
  let ledger: Ledger;
  let operations: OperationStore;
  let decisions: Stores['decisions'];
  let count = 0;
  beforeAll(async () => {
    ({ ledger, operations, decisions } = await open());
  });

  const freshPair = (): PairId => {
    count += 1;
    return pairId(ClusterName.parse('prod'), BucketRef.parse(`sales/orders-${count}`), ClusterName.parse('dr'));
  };
  const runOf = (pair: PairId) => RunId.parse(`${pair}#nightly#20261120t020000z`);
  const expires = epochMs(slot + 1_800_000);
  const leased = async (pair: PairId, execution = 'one') => {
    const lease = await ledger.takeLease(await ledger.loadPair(pair), { runId: runOf(pair), execution }, expires);
    if (!lease) throw new Error('the lease was free');
    return lease;
  };
  const lost = { name: 'LeaseLost' };

  describe(`the ledger on ${engine}`, () => {
    it('a pair that was never seen is empty', async () => {
      const pair = freshPair();
      expect(await ledger.loadPair(pair)).toMatchObject({ pair, lease: null, fence: 0, base: null, owned: null });
    });

    it('of two that take the same free lease one gets it', async () => {
      const pair = freshPair();
      const seen = await ledger.loadPair(pair);
      const both = await Promise.all(
        ['one', 'two'].map((execution) => ledger.takeLease(seen, { runId: runOf(pair), execution }, expires)),
      );
      expect(both.filter((it) => it !== undefined)).toHaveLength(1);
    });

    it('of two that take the same abandoned lease one gets it', async () => {
      const pair = freshPair();
      await leased(pair);
      const seen = await ledger.loadPair(pair);
      const both = await Promise.all(
        ['two', 'three'].map((execution) => ledger.takeLease(seen, { runId: runOf(pair), execution }, expires)),
      );
      expect(both.filter((it) => it !== undefined)).toHaveLength(1);
    });

    it('a holder that has shown a sign of life since is not taken over', async () => {
      const pair = freshPair();
      const { token } = await leased(pair);
      const seen = await ledger.loadPair(pair);
      await ledger.renewLease(pair, token, epochMs(expires + 60_000));
      expect(await ledger.takeLease(seen, { runId: runOf(pair), execution: 'two' }, expires)).toBeUndefined();
    });

    it('tokens only grow, over leases and mutating operations', async () => {
      const pair = freshPair();
      const first = await leased(pair);
      const raised = await ledger.raiseFence(pair, first.token, () => ({}));
      await ledger.releaseLease(pair, first.token);
      const second = await leased(pair, 'two');
      expect([first.token, raised.fence, second.token]).toEqual([1, 2, 3]);
    });

    it('a token is above those of other pairs, and stays so', async () => {
      const pair = freshPair();
      const take = async (execution: string, above: number) => {
        const holder = { runId: runOf(pair), execution };
        const lease = await ledger.takeLease(await ledger.loadPair(pair), holder, expires, above);
        if (lease) await ledger.releaseLease(pair, lease.token);
        return lease?.token;
      };
      expect([await take('one', 7), await take('two', 3), await take('three', 8), await take('four', 20)]).toEqual([
        8, 9, 10, 21,
      ]);
      expect((await ledger.loadPair(pair)).fence).toBe(21);
    });

    it('the roles of a pair move from what was seen, and by nobody else meanwhile', async () => {
      const pair = freshPair();
      const moving = roleOf({ state: 'moving', opened: null });
      expect(await ledger.moveRole(pair, null, moving)).toBe(false);
      const { token } = await leased(pair);
      expect(await ledger.moveRole(pair, moving, roleOf())).toBe(false);
      expect(await ledger.moveRole(pair, null, moving)).toBe(true);
      expect(await ledger.moveRole(pair, null, moving)).toBe(false);
      expect((await ledger.loadPair(pair)).role).toEqual(moving);

      // Neither the lease nor what else changes touches them.
      await ledger.changePair(pair, token, { dirtySince: null, epoch: 1 });
      await ledger.releaseLease(pair, token);
      await leased(pair, 'two');
      expect(await ledger.loadPair(pair)).toMatchObject({ role: moving, epoch: 1 });

      for (const other of [
        roleOf({ state: 'moving', epoch: 2 }),
        roleOf({ state: 'moving', by: runOf(pair) }),
        roleOf(),
      ])
        expect(await ledger.moveRole(pair, other, roleOf())).toBe(false);
      expect(await ledger.moveRole(pair, moving, roleOf())).toBe(true);
      expect((await ledger.loadPair(pair)).role).toEqual(roleOf());
    });

    it('of two that move the same roles one does', async () => {
      const pair = freshPair();
      await leased(pair);
      const both = await Promise.all(
        [1, 2].map((n) =>
          ledger.moveRole(pair, null, roleOf({ by: RunId.parse(`${pair}#failover.nightly#20261120t02000${n}z`) })),
        ),
      );
      expect(both.toSorted()).toEqual([false, true]);
    });

    it('a lost lease can do nothing any more', async () => {
      const pair = freshPair();
      const first = await leased(pair);
      const taken = await ledger.takeLease(
        await ledger.loadPair(pair),
        { runId: runOf(pair), execution: 'two' },
        expires,
      );
      await expect(ledger.renewLease(pair, first.token, expires)).rejects.toMatchObject(lost);
      await expect(ledger.changePair(pair, first.token, { dirtySince: null })).rejects.toMatchObject(lost);
      await expect(ledger.raiseFence(pair, first.token, () => ({}))).rejects.toMatchObject(lost);
      await ledger.releaseLease(pair, first.token);
      expect((await ledger.loadPair(pair)).lease?.token).toBe(taken?.token);
    });

    it('what goes before a copy is written with its token, in one write', async () => {
      const pair = freshPair();
      const { token } = await leased(pair);
      const dirtySince = { operation: operationOf(3), at: slot };
      const state = await ledger.raiseFence(pair, token, (seen) => ({ dirtySince: seen.dirtySince ?? dirtySince }));
      expect(state).toMatchObject({ fence: 2, dirtySince });
      expect(await ledger.loadPair(pair)).toEqual(state);
    });

    it('roles are moved by one of several who saw the same, and by nobody who saw others', async () => {
      const pair = freshPair();
      await leased(pair);
      const moving: Role = {
        primary: 'replica',
        epoch: 1,
        state: 'moving',
        point: SnapshotName.parse('odr-a'),
        since: slot,
        by: runOf(pair),
        opened: null,
        prepared: null,
        restricted: null,
      };
      const settled: Role = { ...moving, state: 'settled' };
      const prepared: Role = { ...settled, prepared: { by: runOf(pair), at: slot, isRebuilt: false } };
      const both = await Promise.all([ledger.moveRole(pair, null, moving), ledger.moveRole(pair, null, moving)]);
      expect(both.toSorted()).toEqual([false, true]);
      expect(await ledger.moveRole(pair, settled, prepared)).toBe(false);
      expect(await ledger.moveRole(pair, moving, settled)).toBe(true);
      expect(await ledger.moveRole(pair, { ...settled, epoch: 2 }, moving)).toBe(false);
      expect(await ledger.moveRole(pair, settled, prepared)).toBe(true);
      expect(await ledger.moveRole(pair, moving, settled)).toBe(false);
      expect(await ledger.moveRole(pair, prepared, { ...moving, epoch: 2 })).toBe(true);
      expect((await ledger.loadPair(pair)).role).toMatchObject({
        epoch: 2,
        state: 'moving',
        prepared: null,
        restricted: null,
      });
    });

    it('a decision is recorded once', async () => {
      const { run } = historyOf({});
      const pair = freshPair();
      await ledger.putRun({ ...run, runId: runOf(pair), pair });
      const step = (seconds: number): RunStep => ({
        n: 0,
        decision: { kind: 'wait', seconds: seconds as never, reason: 'r' },
        decidedAt: slot,
        operationStep: 0,
        observed: null,
        observedAt: null,
        jvmStarts: null,
      });
      expect(await ledger.recordStep(runOf(pair), step(1))).toEqual(step(1));
      expect(await ledger.recordStep(runOf(pair), step(2))).toEqual(step(1));
      await ledger.recordObservation(runOf(pair), 0, { kind: 'elapsed' }, slot, null);
      expect((await ledger.loadRun(runOf(pair)))?.steps).toMatchObject([{ n: 0, observed: { kind: 'elapsed' } }]);
    });

    it('the steps of a run come in their order, and those of another slot do not', async () => {
      const { run } = historyOf({});
      const pair = freshPair();
      const decision = { kind: 'wait', seconds: 1 as never, reason: 'r' } as const;
      const step = (n: number): RunStep => ({
        n,
        decision,
        decidedAt: slot,
        operationStep: n,
        observed: null,
        observedAt: null,
        jvmStarts: null,
      });
      await ledger.putRun({ ...run, runId: runOf(pair), pair });
      for (const n of [10, 2, 0, 1]) await ledger.recordStep(runOf(pair), step(n));
      await ledger.recordStep(RunId.parse(`${pair}#nightly#20261120t020001z`), step(0));
      expect((await ledger.loadRun(runOf(pair)))?.steps.map((it) => it.n)).toEqual([0, 1, 2, 10]);
    });

    it('a run is closed under its lease only', async () => {
      const { run } = historyOf({});
      const pair = freshPair();
      const mine = { ...run, runId: runOf(pair), pair, lease: 7 };
      await ledger.putRun(mine);
      const end = {
        status: 'failed',
        outcome: null,
        failure: { error: 'CopyFailed', cause: 'x' },
        endedAt: slot,
      } as const;
      await expect(ledger.closeRun(mine, 6, end)).rejects.toMatchObject(lost);
      await ledger.closeRun(mine, 7, end);
      expect((await ledger.loadRun(mine.runId))?.run).toMatchObject(end);
    });

    it('the newest points come first, and no more than were asked for', async () => {
      const pair = freshPair();
      const { points } = historyOf({ source: 'a* b* c*', replica: 'a* b* c*' });
      for (const point of points) await ledger.putPoint(pair, point);
      expect(await ledger.recentPoints(pair, 2)).toEqual(points.slice(0, 2));
      expect(await ledger.livingPoints(pair)).toEqual(points);
    });

    const pin = { by: 'ann', reason: 'audit', at: slot };

    it('of two that change the same point at once one gets through', async () => {
      const pair = freshPair();
      const [point] = historyOf({ source: 'a*', replica: 'a*' }).points;
      if (!point) throw new Error('there is a point');
      await ledger.putPoint(pair, point);
      const both = await Promise.all([
        ledger.changePoint(pair, point, { pins: [pin] }),
        ledger.changePoint(pair, point, { removal: { ...point.removal, source: removalOf('condemned') } }),
      ]);
      expect(both.filter((it) => it !== undefined)).toHaveLength(1);
    });

    it('a run that writes a point leaves its pins, holds and removal alone', async () => {
      const pair = freshPair();
      const [point] = historyOf({ source: 'a*', replica: 'a*' }).points;
      if (!point) throw new Error('there is a point');
      await ledger.putPoint(pair, point);
      const removal = { source: removalOf('condemned'), replica: null };
      await ledger.changePoint(pair, point, { pins: [pin], removal });
      await ledger.putPoint(pair, { ...point, state: 'differs' });
      expect(await ledger.livingPoints(pair)).toEqual([
        { ...point, state: 'differs', pins: [pin], removal, revision: 1 },
      ]);
    });

    it('a run that writes a point leaves the drill alone that it passed', async () => {
      const pair = freshPair();
      const [point] = historyOf({ source: 'a*', replica: 'a*' }).points;
      if (!point) throw new Error('there is a point');
      await ledger.putPoint(pair, point);
      const drilled = {
        at: slot,
        from: 'replica',
        files: 1,
        bytes: Bytes.parse(3),
        bytesCopied: Bytes.parse(3),
        copySeconds: seconds(2),
        seconds: seconds(9),
        level: 'full',
      } as const;
      expect(await ledger.changePoint(pair, point, { drilled })).toEqual({ ...point, drilled, revision: 1 });
      await ledger.putPoint(pair, { ...point, state: 'differs', drilled: null });
      expect(await ledger.livingPoints(pair)).toEqual([{ ...point, state: 'differs', drilled, revision: 1 }]);
      // Somebody who saw it before the drill passed does not take that back.
      expect(await ledger.changePoint(pair, point, { drilled: null })).toBeUndefined();
    });

    it('a confirmed plan serves one run, as often as that is opened', async () => {
      const pair = freshPair();
      const plan = PlanHash.parse(sha256(pair));
      const other = RunId.parse(`${pair}#restore.nightly#20261120t020001z`);
      expect(await ledger.usePlan(plan, runOf(pair), at(0))).toBe(true);
      expect(await ledger.usePlan(plan, runOf(pair), at(5))).toBe(true);
      expect(await ledger.usePlan(plan, other, at(6))).toBe(false);
      expect(await ledger.usePlan(plan, runOf(pair), at(7))).toBe(true);
      expect(await ledger.usePlan(PlanHash.parse(sha256(`${pair} 2`)), other, at(8))).toBe(true);
    });

    it('of two runs that use one plan at once one may', async () => {
      const pair = freshPair();
      const plan = PlanHash.parse(sha256(pair));
      const runs = [1, 2].map((n) => RunId.parse(`${pair}#restore.nightly#20261120t02000${n}z`));
      const both = await Promise.all(runs.map((run) => ledger.usePlan(plan, run, at(0))));
      expect(both.filter((it) => it)).toHaveLength(1);
      expect(await Promise.all(runs.map((run) => ledger.usePlan(plan, run, at(1))))).toEqual(both);
    });

    it('a scratch bucket is known until it is removed, by whoever holds the drills of its bucket', async () => {
      const pair = drillPair(
        { name: PolicyName.parse('nightly'), source: { name: cluster } },
        BucketRef.parse(`sales/drilled-${count}`),
      );
      const runId = RunId.parse(`${pair}#drill.nightly#20261120t020000z`);
      const lease = await ledger.takeLease(await ledger.loadPair(pair), { runId, execution: 'one' }, expires);
      if (!lease) throw new Error('the lease was free');
      const scratch = {
        cluster,
        bucket: BucketRef.parse('sales/odr-drill-20261120t020000z-01234567'),
        runId,
        since: slot,
        created: null,
      };
      expect((await ledger.loadPair(pair)).scratch).toBeNull();
      await ledger.changePair(pair, lease.token, { scratch });
      await ledger.changePair(pair, lease.token, { scratch: { ...scratch, created: '2026-11-20T02:00:01.000Z' } });
      await ledger.releaseLease(pair, lease.token);
      const next = await ledger.takeLease(await ledger.loadPair(pair), { runId, execution: 'two' }, expires);
      expect((await ledger.loadPair(pair)).scratch).toMatchObject({ created: '2026-11-20T02:00:01.000Z' });
      await expect(ledger.changePair(pair, lease.token, { scratch: null })).rejects.toMatchObject(lost);
      await ledger.changePair(pair, next?.token ?? 0, { scratch: null });
      expect((await ledger.loadPair(pair)).scratch).toBeNull();
    });

    it('a run keeps what it restores, and its end', async () => {
      const { history } = restoreHistory({ target: 'in-place', confirmed: { replaced: 3 } });
      const pair = freshPair();
      const run = { ...history.run, runId: RunId.parse(`${pair}#restore.nightly#20261120t020000z`), pair };
      await ledger.putRun(run);
      expect((await ledger.loadRun(run.runId))?.run).toEqual(run);
    });

    it('a retired point is no living one, and cannot be changed', async () => {
      const pair = freshPair();
      const { points } = historyOf({ source: 'a* b*', replica: 'a* b*' });
      for (const point of points) await ledger.putPoint(pair, point);
      const [newer, older] = points;
      if (!newer || !older) throw new Error('there are two points');
      for (let repeated = 0; repeated < 2; repeated++) await ledger.retirePoint(pair, older);
      expect(await ledger.livingPoints(pair)).toEqual([newer]);
      expect(await ledger.recentPoints(pair, 9)).toEqual([newer]);
      expect(await ledger.retiredPoints(pair)).toEqual([older]);
      expect(await ledger.changePoint(pair, older, { pins: [pin] })).toBeUndefined();
    });

    it('retired points do not count among the newest that were asked for', async () => {
      const pair = freshPair();
      const { points } = historyOf({ source: 'a* b* c* d* e*', replica: 'a* b* c* d* e*' });
      for (const point of points) await ledger.putPoint(pair, point);
      for (const newest of points.slice(0, 3)) await ledger.retirePoint(pair, newest);
      expect(await ledger.recentPoints(pair, 1)).toEqual(points.slice(3, 4));
      expect(await ledger.recentPoints(pair, 2)).toEqual(points.slice(3));
    });

    it('a retired point stays retired when a run writes it once more', async () => {
      const pair = freshPair();
      const [point] = historyOf({ source: 'a*', replica: 'a*' }).points;
      if (!point) throw new Error('there is a point');
      await ledger.putPoint(pair, point);
      await ledger.retirePoint(pair, point);
      await ledger.putPoint(pair, { ...point, state: 'differs' });
      expect(await ledger.livingPoints(pair)).toEqual([]);
      expect(await ledger.recentPoints(pair, 9)).toEqual([]);
      expect(await ledger.retiredPoints(pair)).toEqual([point]);
      expect(await ledger.changePoint(pair, point, { pins: [pin] })).toBeUndefined();
    });

    it('keeps ten thousand enrolled buckets, and of two that write them at once one gets through', async () => {
      const policy = PolicyName.parse('whole-cluster');
      const seen = await ledger.loadEnrolment(policy);
      expect(seen).toEqual({ policy, revision: 0, listedAt: null, buckets: [] });
      const buckets = Array.from({ length: 10_000 }, (_, n) => ({
        bucket: BucketRef.parse(
          `volume-${n % 97}/${createHash('sha256').update(String(n)).digest('hex').slice(0, 32)}`,
        ),
        since: slot,
        vanished: n % 100 === 0 ? slot : null,
      }));
      const put = () => ledger.putEnrolment({ ...seen, listedAt: slot, buckets });
      expect((await Promise.all([put(), put()])).filter((it) => it)).toHaveLength(1);
      expect(await ledger.loadEnrolment(policy)).toEqual({ policy, revision: 1, listedAt: slot, buckets });
    });

    it('of two that write the versions of a policy at once one gets through', async () => {
      const seen = await ledger.loadPolicyState(PolicyName.parse('nightly'));
      expect(seen).toEqual({ policy: 'nightly', revision: 0, versions: [] });
      const version = { since: slot, retention: null, rpo: seconds(60), rto: seconds(60), buckets: [] };
      const put = () => ledger.putPolicyState({ ...seen, versions: [version] });
      expect((await Promise.all([put(), put()])).filter((it) => it)).toHaveLength(1);
      const next = await ledger.loadPolicyState(seen.policy);
      expect(next).toEqual({ policy: 'nightly', revision: 1, versions: [version] });
      const turns = [{ bucket: BucketRef.parse('sales/orders'), since: slot, asked: null }];
      expect(await ledger.putPolicyState({ ...next, turns })).toBe(true);
      expect(await ledger.putPolicyState(next)).toBe(false);
      expect(await ledger.loadPolicyState(seen.policy)).toEqual({ ...next, revision: 2, turns });
    });
  });

  describe(`places of a resource on ${engine}`, () => {
    it('nobody has any of what was never seen, and one of two that write first is first', async () => {
      const fresh = await ledger.loadSlots(freshResource());
      expect(fresh).toEqual({ resource: fresh.resource, revision: 0, holders: {}, waiters: {} });
      const put = () => ledger.putSlots({ ...fresh, holders: { [holder(1)]: { until: at(10), weight: 1 } } });
      expect((await Promise.all([put(), put()])).filter((it) => it)).toHaveLength(1);
      const known = await ledger.loadSlots(fresh.resource);
      expect(known).toMatchObject({ revision: 1, holders: { [holder(1)]: { until: at(10), weight: 1 } } });
      expect(await put()).toBe(false);
      expect(await ledger.putSlots({ ...known, waiters: {} })).toBe(true);
    });

    it('there are as many as it has, and one more is refused', async () => {
      const on = freshResource();
      const taken = [];
      for (const n of [1, 2, 3]) taken.push(await take(ledger, [on], n, 2));
      expect(taken).toEqual([true, true, false]);
    });

    it('of many that come at once as many get one as there are', async () => {
      const on = freshResource();
      const all = [1, 2, 3, 4, 5, 6];
      const taken = await Promise.all(all.map((n) => take(ledger, [on], n, 2)));
      expect(taken.filter((it) => it)).toHaveLength(2);
      const again = [];
      for (const n of all) again.push(await take(ledger, [on], n, 2));
      expect(again).toEqual(taken);
    });

    it('who wants several gets all of them or none, whoever wants the same in whatever order', async () => {
      const [one, other] = [freshResource(), freshResource()];
      const all = [1, 2, 3, 4];
      const taken = await Promise.all(all.map((n) => take(ledger, n % 2 === 0 ? [one, other] : [other, one], n, 2)));
      const [held, heldToo] = await Promise.all([one, other].map((it) => ledger.loadSlots(it)));
      expect(Object.keys(held?.holders ?? {}).toSorted()).toEqual(Object.keys(heldToo?.holders ?? {}).toSorted());
      expect(Object.keys(held?.holders ?? {})).toHaveLength(taken.filter((it) => it).length);
    });

    it('a place is free again when its time is over', async () => {
      const on = freshResource();
      await take(ledger, [on], 1, 1);
      expect(await take(ledger, [on], 2, 1, epochMs(at(10) - 1))).toBe(false);
      expect(await take(ledger, [on], 2, 1, at(10))).toBe(true);
      expect(await take(ledger, [on], 1, 1, at(10))).toBe(false);
    });

    it('who takes its place again prolongs it and needs no second one', async () => {
      const on = freshResource();
      await take(ledger, [on], 1, 1);
      expect(await take(ledger, [on], 1, 1, at(5))).toBe(true);
      expect(await take(ledger, [on], 2, 1, at(14))).toBe(false);
      expect(await take(ledger, [on], 2, 1, at(15))).toBe(true);
    });

    it('a place, or one in the line, that is given back is free, and giving it back again changes nothing', async () => {
      const on = freshResource();
      await ledger.releaseSlots(on, holder(1));
      await take(ledger, [on], 1, 1);
      await take(ledger, [on], 2, 1);
      await ledger.releaseSlots(on, holder(1));
      await ledger.releaseSlots(on, holder(2));
      const free = await ledger.loadSlots(on);
      expect(free).toMatchObject({ holders: {}, waiters: {} });
      await ledger.releaseSlots(on, holder(1));
      expect(await ledger.loadSlots(on)).toEqual(free);
      expect(await take(ledger, [on], 3, 1)).toBe(true);
    });
  });

  describe(`decisions of people on ${engine}`, () => {
    const decision = (minutes: number, verdict: Decision['decision']): Decision => ({
      decision: verdict,
      confirmation: `${verdict} sales/orders odr-nightly-20261120t020000z-1`,
      execution: 'arn:decision',
      by: 'Ada',
      reason: 'quarterly clean-up',
      at: at(minutes),
    });

    it('are kept beside the pair, each of them, in their order', async () => {
      const pair = freshPair();
      const other = freshPair();
      await ledger.putDecision(pair, decision(0, 'reject'));
      await ledger.putDecision(pair, decision(1, 'accept'));
      await ledger.putDecision(other, decision(0, 'adopt'));
      expect(await decisions(pair)).toEqual([decision(0, 'reject'), decision(1, 'accept')]);
      expect(await decisions(other)).toEqual([decision(0, 'adopt')]);
    });

    it('are neither points nor runs nor the state of the pair', async () => {
      const pair = freshPair();
      await ledger.putDecision(pair, decision(0, 'accept'));
      expect(await ledger.recentPoints(pair, 10)).toEqual([]);
      expect(await ledger.loadRun(runOf(pair))).toBeUndefined();
      expect(await ledger.loadPair(pair)).toMatchObject({ lease: null, hold: null });
    });
  });

  const operationFor = (n: number): Operation => ({
    id: operationOf(n),
    runId: RunId.parse('prod/sales/orders#dr#nightly#20261120t020000z'),
    step: n,
    pair: pairId(ClusterName.parse('prod'), BucketRef.parse('sales/orders'), ClusterName.parse('dr')),
    lease: 1,
    execution: 'arn:execution',
    document: 'observe',
    host: 'i-0123456789abcdef0' as Operation['host'],
    parameters: EdgeParameters.parse({
      ...Object.fromEntries(Object.keys(EdgeParameters.shape).map((it) => [it, ''])),
      operation: operationOf(n),
      verb: 'survey',
      empty: 'no',
      fenceSeed: 'no',
      detached: 'no',
      deleteExtra: 'no',
      exact: 'no',
    }),
    token: 'token-1',
    state: 'sending',
    createdAt: slot,
    deadline: expires,
    commandId: null,
    outcome: null,
  });
  const lostOutcome = { kind: 'lost', error: 'EdgeInterrupted', detail: 'x' } as const;

  describe(`operations on ${engine}`, () => {
    it('an operation is created once', async () => {
      expect(await operations.create(operationFor(100))).toBe(true);
      expect(await operations.create({ ...operationFor(100), token: 'other' })).toBe(false);
      expect(await operations.load(operationOf(100))).toEqual(operationFor(100));
      expect(await operations.load(operationOf(999))).toBeUndefined();
    });

    it('everything that is not notified is in the open index', async () => {
      await operations.create(operationFor(101));
      const isOpen = async () => (await operations.open()).some((it) => it.id === operationOf(101));
      expect(await isOpen()).toBe(true);
      await operations.sent(operationOf(101), 'command');
      await operations.ended(operationOf(101), lostOutcome);
      expect(await isOpen()).toBe(true);
      await operations.notified(operationOf(101), 'token-1');
      expect(await isOpen()).toBe(false);
    });

    it('the first outcome stays', async () => {
      await operations.create(operationFor(102));
      await operations.ended(operationOf(102), { kind: 'reply', reply: 'first' });
      expect((await operations.ended(operationOf(102), lostOutcome)).outcome).toEqual({
        kind: 'reply',
        reply: 'first',
      });
    });

    /** A survey of so many snapshots on each side, of ids that do not pack. */
    const surveyOf = (n: number, count: number): string => {
      const side = (name: string) => ({
        state: 'read',
        bucket: {
          created: '2026-01-01T00:00:00.000Z',
          layout: 'FILE_SYSTEM_OPTIMIZED',
          link: false,
          usedBytes: 1,
          usedNamespace: 1,
          owner: 'ann',
          quotaInBytes: -1,
          quotaInNamespace: -1,
        },
        snapshots: Array.from({ length: count }, (_, index) => {
          const hash = sha256(`${name} ${index}`);
          const created = slot + index * 3_600_000;
          return {
            name: `odr-nightly-${new Date(created)
              .toISOString()
              .replace(/[-:]|\.\d+/g, '')
              .toLowerCase()}-1`,
            id: hash.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5'),
            created,
            status: 'ACTIVE',
            exclusiveBytes: Number.parseInt(hash.slice(-8), 16),
          };
        }),
      });
      return `-----BEGIN OZONE-DR REPLY-----\n${JSON.stringify({
        version: 1,
        operation: operationOf(n),
        verb: 'survey',
        outcome: 'ok',
        code: '',
        message: 'Überblick',
        host: 'edge',
        startedAt: 1,
        endedAt: 2,
        jvmStarts: 1,
        data: { source: side('source'), replica: side('replica') },
      })}\n-----END OZONE-DR REPLY-----\n`;
    };

    it('a survey of 5,000 snapshots is kept, to the last character', async () => {
      const outcome = { kind: 'reply', reply: surveyOf(106, 2500) } as const;
      expect(parseEdgeReply(outcome.reply, operationOf(106))).toHaveProperty('reply');
      await operations.create(operationFor(106));
      expect((await operations.ended(operationOf(106), outcome)).outcome).toEqual(outcome);
      expect((await operations.load(operationOf(106)))?.outcome).toEqual(outcome);
      expect((await operations.open()).find(({ id }) => id === operationOf(106))?.outcome).toEqual(outcome);
      await operations.notified(operationOf(106), 'token-1');
      expect((await operations.replaceToken(operationOf(106), 'token-2')).outcome).toEqual(outcome);
    });

    it('a reply that is too long to keep ends its operation with how long it was', async () => {
      await operations.create(operationFor(107));
      const ended = await operations.ended(operationOf(107), { kind: 'reply', reply: surveyOf(107, 6000) });
      expect(ended).toMatchObject({ state: 'ended', outcome: { kind: 'lost', error: 'EdgeReplyInvalid' } });
      expect(ended.outcome).toHaveProperty(
        'detail',
        expect.stringMatching(
          /^the reply is too long to keep: \d+ characters, \d+ bytes packed, with 6000 snapshots of the source and 6000 /,
        ),
      );
      expect(await operations.load(operationOf(107))).toEqual(ended);
    });

    it('an operation that a batch does is in no index until a run attaches to it alone', async () => {
      const isOpen = async (n: number) => (await operations.open()).some((it) => it.id === operationOf(n));
      const { pair } = operationFor(108);
      const batch = { ...operationFor(109), members: [{ operation: operationOf(108), pair, lease: 1 }] };
      const member = { ...operationFor(108), token: '', batch: operationOf(109) };
      expect(await operations.create(member)).toBe(true);
      expect(await operations.create(batch)).toBe(true);
      expect(await operations.load(operationOf(108))).toEqual(member);
      expect(await operations.load(operationOf(109))).toEqual(batch);
      expect([await isOpen(108), await isOpen(109)]).toEqual([false, true]);
      expect(await operations.ended(operationOf(108), lostOutcome)).toMatchObject({ state: 'ended', token: '' });
      expect(await isOpen(108)).toBe(false);
      await operations.replaceToken(operationOf(108), 'token-2');
      expect(await isOpen(108)).toBe(true);
    });

    it('an old token cannot close an operation whose token was replaced', async () => {
      await operations.create(operationFor(103));
      await operations.ended(operationOf(103), lostOutcome);
      await operations.replaceToken(operationOf(103), 'token-2');
      await operations.notified(operationOf(103), 'token-1');
      expect((await operations.load(operationOf(103)))?.state).toBe('ended');
      await operations.notified(operationOf(103), 'token-2');
      expect((await operations.load(operationOf(103)))?.state).toBe('notified');
    });

    it('a new token opens a closed operation again until it was told', async () => {
      await operations.create(operationFor(104));
      await operations.ended(operationOf(104), lostOutcome);
      await operations.notified(operationOf(104), 'token-1');
      expect(await operations.replaceToken(operationOf(104), 'token-2')).toMatchObject({
        state: 'ended',
        outcome: lostOutcome,
      });
      expect((await operations.open()).map((it) => it.id)).toContain(operationOf(104));
    });

    it('a command id that comes after the end changes nothing', async () => {
      await operations.create(operationFor(105));
      await operations.ended(operationOf(105), lostOutcome);
      await operations.sent(operationOf(105), 'late');
      expect(await operations.load(operationOf(105))).toMatchObject({ state: 'ended', commandId: null });
    });
  });
};

export interface InterleavedLedger {
  readonly ledger: Ledger;
  /** The same table, for the others. */
  readonly others: Ledger;
  /** Runs once, between the next reading of `ledger` and the write that follows from it. */
  readonly beforeNextPut: (work: () => Promise<void>) => void;
}

/** What holds when somebody else is faster between a reading and the write that follows from it. */
export const describeInterleavedWrites = (engine: string, open: () => Promise<InterleavedLedger>): void => {
  describe(`places on ${engine}, taken from what was read a moment too early`, () => {
    let store: InterleavedLedger;
    beforeAll(async () => {
      store = await open();
    });

    it('the last place goes to the faster one alone, also when it is the first ever', async () => {
      for (const taken of [0, 1]) {
        const on = freshResource();
        if (taken > 0) await take(store.others, [on], 9, 2);
        store.beforeNextPut(async () => {
          expect(await take(store.others, [on], 1, taken + 1)).toBe(true);
        });
        expect(await take(store.ledger, [on], 2, taken + 1)).toBe(false);
        expect(await take(store.others, [on], 1, taken + 1)).toBe(true);
      }
    });

    it('who loses a race for one of several places gets the next one', async () => {
      const on = freshResource();
      store.beforeNextPut(async () => {
        await take(store.others, [on], 1, 2);
      });
      expect(await take(store.ledger, [on], 2, 2)).toBe(true);
      expect(await take(store.others, [on], 3, 2)).toBe(false);
    });

    it('a place that was given back meanwhile does not come back', async () => {
      const on = freshResource();
      await take(store.others, [on], 1, 2);
      store.beforeNextPut(() => store.others.releaseSlots(on, holder(1)));
      expect(await take(store.ledger, [on], 2, 2)).toBe(true);
      expect(await take(store.others, [on], 3, 2)).toBe(true);
    });
  });
};
