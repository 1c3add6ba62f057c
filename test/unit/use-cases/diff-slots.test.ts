import { beforeEach, describe, expect, it } from 'vitest';
import type { Observation } from '../../../functions/core/domain/ledger.ts';
import { BucketRef, ClusterName, type PairId, pairId } from '../../../functions/core/domain/names.ts';
import { type EpochMs, epochMs, seconds } from '../../../functions/core/domain/units.ts';
import { recordFailure, recordOutcome } from '../../../functions/core/use-cases/close-run.ts';
import { decideNext } from '../../../functions/core/use-cases/decide-next.ts';
import { memoryRecords } from '../../fixtures/memory-records.ts';
import { memoryLedger, memoryOperations } from '../../fixtures/memory-store.ts';
import { baseOf, historyOf, nameOf, seen, slot, targetOf, type World } from '../planner/world.ts';

const prod = ClusterName.parse('prod');
const dr = ClusterName.parse('dr');
const otherPair = (n: number): PairId => pairId(prod, BucketRef.parse(`sales/other-${n}`), dr);
const PLACES = 4;
const aMinuteIn = epochMs(slot + 60_000);
const anHourIn = epochMs(slot + 3_600_000);

let ledger: ReturnType<typeof memoryLedger>;
let now: EpochMs;
beforeEach(() => {
  ledger = memoryLedger();
  now = aMinuteIn;
});
const clock = { now: () => now };

/** The ledger as this world has it; the run decides its next step with `decide`. */
const inThe = async (world: World) => {
  const { run, pair, points, steps } = historyOf(world);
  const lease = await ledger.takeLease(
    await ledger.loadPair(run.pair),
    { runId: run.runId, execution: run.execution },
    anHourIn,
  );
  if (!lease) throw new Error('the lease was free');
  const { base, owned } = pair;
  await ledger.changePair(run.pair, lease.token, { base, owned });
  await ledger.putRun({ ...run, lease: lease.token });
  for (const point of points) await ledger.putPoint(run.pair, point);
  for (const step of steps) await ledger.recordStep(run.runId, step);
  let next = steps.length;
  return {
    run,
    decide: async () => {
      const decided = await decideNext({ ledger, operations: memoryOperations(), records: memoryRecords(), clock })({
        runId: run.runId,
        lease: lease.token,
        step: next,
        failure: null,
      });
      next += 1;
      return decided;
    },
    answer: (observed: Observation) => ledger.recordObservation(run.runId, next - 1, observed, now, 1),
    fail: () =>
      recordFailure({ ledger, records: memoryRecords(), clock })({
        runId: run.runId,
        lease: lease.token,
        failure: null,
      }),
    succeed: (step: number) =>
      recordOutcome({ ledger, records: memoryRecords(), clock })({ runId: run.runId, lease: lease.token, step }),
  };
};

/** All places of a cluster are taken by others, for ten minutes. */
const crowd = async (cluster: ClusterName): Promise<void> => {
  for (let n = 0; n < PLACES; n++)
    await ledger.takeDiffSlot(cluster, otherPair(n), PLACES, epochMs(slot + 600_000), slot);
};
/** How many others still find a place. */
const free = async (cluster: ClusterName): Promise<number> => {
  let count = 0;
  while (await ledger.takeDiffSlot(cluster, otherPair(100 + count), PLACES, epochMs(now + 1), now)) count += 1;
  for (let n = 0; n < count; n++) await ledger.releaseDiffSlot(cluster, otherPair(100 + n));
  return count;
};

const created: Observation = { kind: 'snapshot', created: true, snapshot: seen('t1', 'source'), diff: 'not-asked' };
const withSnapshot: World = {
  source: 'a* t1',
  replica: 'a*',
  run: 't1:taken',
  after: [[{ kind: 'create-snapshot', name: nameOf('t1'), attempt: 1, base: null }, created]],
};
const diffDone: World = {
  ...withSnapshot,
  after: [
    ...(withSnapshot.after ?? []),
    [
      { kind: 'compute-diff', base: baseOf('a'), target: targetOf('t1') },
      { kind: 'diff', status: 'done', reason: '' },
    ],
  ],
};

describe('a snapshot', () => {
  it('asks for its diff in the same command, and takes a place for that', async () => {
    const { decide } = await inThe({ source: 'a*', replica: 'a*' });
    expect(await decide()).toMatchObject({ kind: 'create-snapshot', base: { name: nameOf('a') } });
    expect(await free(prod)).toBe(PLACES - 1);
  });

  it('is taken at its time without its diff when no place is free', async () => {
    const { decide } = await inThe({ source: 'a*', replica: 'a*' });
    await crowd(prod);
    expect(await decide()).toMatchObject({ kind: 'create-snapshot', name: nameOf('t1'), base: null });
  });

  it('that needs no diff takes no place', async () => {
    const { decide } = await inThe({ source: '', replica: '' });
    expect(await decide()).toMatchObject({ kind: 'create-snapshot', base: null });
    expect(await free(prod)).toBe(PLACES);
  });
});

describe('a diff', () => {
  it('waits while no place is free, and is asked for once there is one', async () => {
    const { decide } = await inThe(withSnapshot);
    await crowd(prod);
    expect(await decide()).toMatchObject({
      kind: 'wait',
      seconds: 60,
      reason: `prod computes ${PLACES} snapshot diffs of this product, as many as it may at a time`,
    });
    await ledger.releaseDiffSlot(prod, otherPair(2));
    expect(await decide()).toMatchObject({ kind: 'compute-diff' });
    expect(await free(prod)).toBe(0);
  });

  it('waits no longer than the others may hold their places', async () => {
    const { decide } = await inThe(withSnapshot);
    await crowd(prod);
    expect(await decide()).toMatchObject({ kind: 'wait' });
    now = epochMs(slot + 600_000);
    expect(await decide()).toMatchObject({ kind: 'compute-diff' });
  });

  it('that is asked about again keeps its place and needs no second one', async () => {
    const { run, decide, answer } = await inThe(withSnapshot);
    for (let n = 1; n < PLACES; n++) await ledger.takeDiffSlot(prod, otherPair(n), PLACES, anHourIn, slot);
    await decide();
    await answer({ kind: 'diff', status: 'pending', reason: '' });
    expect(await decide()).toMatchObject({ kind: 'wait', seconds: seconds(2) });
    expect(await decide()).toMatchObject({ kind: 'compute-diff' });
    expect(await free(prod)).toBe(0);
    await ledger.releaseDiffSlot(prod, run.pair);
    expect(await free(prod)).toBe(1);
  });

  it('has its place no longer than its time limit, should the run die', async () => {
    const { run, decide } = await inThe(withSnapshot);
    await decide();
    now = epochMs(now + run.policy.limits.diffTimeout * 1000 - 1);
    expect(await free(prod)).toBe(PLACES - 1);
    now = epochMs(now + 1);
    expect(await free(prod)).toBe(PLACES);
  });
});

describe('a copy', () => {
  it('gives the place on the source back, and takes one on the replica for its own diff there', async () => {
    const { run, decide } = await inThe(diffDone);
    await ledger.takeDiffSlot(prod, run.pair, PLACES, anHourIn, now);
    expect(await decide()).toMatchObject({ kind: 'replicate', mode: 'incremental' });
    expect([await free(prod), await free(dr)]).toEqual([PLACES, PLACES - 1]);
  });

  it('waits while the replica has no place, without holding one on the source', async () => {
    const { run, decide } = await inThe(diffDone);
    await ledger.takeDiffSlot(prod, run.pair, PLACES, anHourIn, now);
    await crowd(dr);
    expect(await decide()).toMatchObject({ kind: 'wait', reason: expect.stringMatching(/^dr computes 4/) });
    expect(await free(prod)).toBe(PLACES);
  });

  it('that compares everything needs no place', async () => {
    const { decide } = await inThe({ ...withSnapshot, mode: 'resync' });
    await crowd(dr);
    expect(await decide()).toMatchObject({ kind: 'replicate', mode: 'resync' });
  });
});

describe('the end of a run', () => {
  it('gives back its places on both clusters when it failed', async () => {
    const { run, fail } = await inThe({});
    for (const cluster of [prod, dr]) await ledger.takeDiffSlot(cluster, run.pair, PLACES, anHourIn, now);
    await fail();
    expect([await free(prod), await free(dr)]).toEqual([PLACES, PLACES]);
  });

  it('gives them back when it succeeded', async () => {
    const { run, decide, succeed } = await inThe({ source: 't1', replica: 't1', run: 't1:verified' });
    for (const cluster of [prod, dr]) await ledger.takeDiffSlot(cluster, run.pair, PLACES, anHourIn, now);
    const done = await decide();
    expect(done).toMatchObject({ kind: 'done' });
    await succeed(done.operationStep);
    expect([await free(prod), await free(dr)]).toEqual([PLACES, PLACES]);
  });

  it('leaves alone what the run that took over holds', async () => {
    const { run, fail } = await inThe({});
    await ledger.takeDiffSlot(prod, run.pair, PLACES, anHourIn, now);
    await ledger.putRun({ ...run, lease: 99 });
    await expect(fail()).rejects.toMatchObject({ name: 'LeaseLost' });
    expect(await free(prod)).toBe(PLACES - 1);
  });
});
