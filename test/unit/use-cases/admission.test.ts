import { beforeEach, describe, expect, it } from 'vitest';
import type { Observation } from '../../../functions/core/domain/ledger.ts';
import { ClusterName, type HostId, type PairId, RunId } from '../../../functions/core/domain/names.ts';
import { Resource } from '../../../functions/core/domain/slots.ts';
import { type EpochMs, epochMs, seconds } from '../../../functions/core/domain/units.ts';
import { chooseHost } from '../../../functions/core/planner/choose-host.ts';
import { recordFailure, recordOutcome } from '../../../functions/core/use-cases/close-run.ts';
import { decideNext } from '../../../functions/core/use-cases/decide-next.ts';
import { memoryRecords } from '../../fixtures/memory-records.ts';
import { memoryLedger, memoryOperations } from '../../fixtures/memory-store.ts';
import { baseOf, historyOf, nameOf, policyOf, seen, slot, targetOf, type World } from '../planner/world.ts';

const prod = ClusterName.parse('prod');
const dr = ClusterName.parse('dr');
const other = (n: number): RunId => RunId.parse(`prod/sales/other-${n}#dr#nightly#20261120t020000z`);
const PLACES = 4;
const COPIES = 8;
const [hostA, hostB] = policyOf('incremental').replica?.hosts ?? [];
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
  const verified = { listing: { name: nameOf('a'), at: epochMs(slot - 3_600_000) } };
  await ledger.changePair(run.pair, lease.token, {
    base,
    owned,
    newest: { [run.policy.name]: { taken: null, verified, runs: {} } },
  });
  await ledger.putRun({ ...run, lease: lease.token });
  for (const point of points) await ledger.putPoint(run.pair, point);
  for (const step of steps) await ledger.recordStep(run.runId, step);
  let next = steps.length;
  return {
    run,
    lease: lease.token,
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

const diff = (cluster: ClusterName): Resource => Resource.parse(`diff:${cluster}`);
const copy = (cluster: ClusterName): Resource => Resource.parse(`copy:${cluster}`);
const host = (id = hostA): Resource => Resource.parse(`host:${id}`);

/** Others take so many places of a resource, until a time. */
const crowd = async (resource: Resource, count: number, until = epochMs(slot + 600_000)): Promise<void> => {
  const seen = await ledger.loadSlots(resource);
  const taken = Array.from({ length: count }, (_, n) => [other(n), { until, weight: 1 }]);
  await ledger.putSlots({ ...seen, holders: { ...seen.holders, ...Object.fromEntries(taken) } });
};
/** Who has places of a resource by now. */
const holders = async (resource: Resource): Promise<readonly string[]> =>
  Object.entries((await ledger.loadSlots(resource)).holders)
    .filter(([, { until }]) => until > now)
    .map(([id]) => id);
const line = async (resource: Resource): Promise<readonly string[]> =>
  Object.keys((await ledger.loadSlots(resource)).waiters);

/** The host that a pair's name comes to. */
const preferred = (pair: PairId): HostId => {
  const history = historyOf({});
  return chooseHost({ ...history, run: { ...history.run, pair } }, 'replicate');
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
    const { run, decide } = await inThe({ source: 'a*', replica: 'a*' });
    expect(await decide()).toMatchObject({ kind: 'create-snapshot', base: { name: nameOf('a') } });
    expect(await holders(diff(prod))).toEqual([run.runId]);
  });

  it('is taken at its time without its diff when no place is free, however many wait', async () => {
    const { run, decide } = await inThe({ source: 'a*', replica: 'a*' });
    await crowd(diff(prod), PLACES);
    expect(await decide()).toMatchObject({ kind: 'create-snapshot', name: nameOf('t1'), base: null });
    expect(await line(diff(prod))).toEqual([run.runId]);
  });

  it('that needs no diff takes no place', async () => {
    const { decide } = await inThe({ source: '', replica: '' });
    expect(await decide()).toMatchObject({ kind: 'create-snapshot', base: null });
    expect(await holders(diff(prod))).toEqual([]);
  });
});

describe('a diff', () => {
  it('waits while no place is free, says for what, and is asked for once there is one', async () => {
    const { run, decide } = await inThe(withSnapshot);
    await crowd(diff(prod), PLACES);
    expect(await decide()).toMatchObject({
      kind: 'wait',
      seconds: 20,
      reason: expect.stringMatching(
        /^waits for a snapshot diff on prod, 4 of 4 taken: place 1 in line, \d+ h until it has to begin for its objective$/,
      ),
      queued: { resource: 'diff:prod', place: 1 },
    });
    await ledger.releaseSlots(diff(prod), other(2));
    expect(await decide()).toMatchObject({ kind: 'compute-diff' });
    expect(await holders(diff(prod))).toHaveLength(PLACES);
    expect(await line(diff(prod))).toEqual([]);
    expect(await holders(diff(prod))).toContain(run.runId);
  });

  it('waits no longer than the others may hold their places', async () => {
    const { decide } = await inThe(withSnapshot);
    await crowd(diff(prod), PLACES);
    expect(await decide()).toMatchObject({ kind: 'wait' });
    now = epochMs(slot + 600_000);
    expect(await decide()).toMatchObject({ kind: 'compute-diff' });
  });

  it('that is asked about again keeps its place and needs no second one', async () => {
    const { decide, answer } = await inThe(withSnapshot);
    await crowd(diff(prod), PLACES - 1);
    await decide();
    await answer({ kind: 'diff', status: 'pending', reason: '' });
    expect(await decide()).toMatchObject({ kind: 'wait', seconds: seconds(2) });
    expect(await decide()).toMatchObject({ kind: 'compute-diff' });
    expect(await holders(diff(prod))).toHaveLength(PLACES);
  });

  it('has its place no longer than its time limit, should the run die', async () => {
    const { run, decide } = await inThe(withSnapshot);
    await decide();
    now = epochMs(now + run.policy.limits.diffTimeout * 1000 - 1);
    expect(await holders(diff(prod))).toEqual([run.runId]);
    now = epochMs(now + 1);
    expect(await holders(diff(prod))).toEqual([]);
  });
});

describe('a copy', () => {
  it('takes a place on both clusters and on its host, and one for its own diff on the replica', async () => {
    const { run, decide } = await inThe(diffDone);
    const step = await decide();
    expect(step).toMatchObject({ kind: 'replicate', mode: 'incremental' });
    const of = 'host' in step ? step.host : undefined;
    for (const resource of [copy(prod), copy(dr), diff(dr), host(of)])
      expect(await holders(resource)).toEqual([run.runId]);
    expect(await holders(diff(prod))).toEqual([]);
  });

  it('waits while one of them is missing and has none of the others, that on the source included', async () => {
    const { run, decide } = await inThe(diffDone);
    const before = await ledger.loadSlots(diff(prod));
    await ledger.putSlots({ ...before, holders: { [run.runId]: { until: anHourIn, weight: 1 } } });
    await crowd(diff(dr), PLACES);
    expect(await decide()).toMatchObject({
      kind: 'wait',
      reason: expect.stringMatching(/^waits for a snapshot diff on dr, 4 of 4 taken: place 1 in line/),
    });
    for (const resource of [diff(prod), copy(prod), copy(dr), host(), host(hostB)])
      expect(await holders(resource)).toEqual([]);
  });

  it('waits for one of the copies that the replica takes at a time, and says its place in the line', async () => {
    const { run, decide } = await inThe({ ...withSnapshot, mode: 'resync' });
    await crowd(copy(dr), COPIES);
    const seen = await ledger.loadSlots(copy(dr));
    await ledger.putSlots({
      ...seen,
      waiters: { [other(50)]: { by: slot, until: anHourIn, weight: 1, expected: seconds(60) } },
    });
    expect(await decide()).toMatchObject({
      kind: 'wait',
      seconds: 20,
      reason: expect.stringMatching(/^waits for a copy on dr, 8 of 8 taken: place 2 in line/),
      queued: { resource: 'copy:dr', place: 2 },
    });
    expect(await line(copy(dr))).toEqual([other(50), run.runId]);
    expect(await line(copy(prod))).toEqual([]);
  });

  it('goes to another host when the one of its name is full, and leaves that line', async () => {
    const { run, decide } = await inThe({ ...withSnapshot, mode: 'resync' });
    const chosen = preferred(run.pair);
    const another = chosen === hostA ? hostB : hostA;
    await crowd(host(chosen), 3);
    expect(await decide()).toMatchObject({ kind: 'replicate', host: another });
    expect([await holders(host(another)), await line(host(chosen))]).toEqual([[run.runId], []]);
  });

  it('waits for the host that its pair is pinned to', async () => {
    const { run, lease, decide } = await inThe({ ...withSnapshot, mode: 'resync' });
    if (!hostA) throw new Error('the replica has two hosts');
    await ledger.changePair(run.pair, lease, { pinned: { host: hostA, seeded: true } });
    await crowd(host(hostA), 3);
    expect(await decide()).toMatchObject({ kind: 'wait', queued: { resource: `host:${hostA}` } });
  });

  it('goes elsewhere all the same when that host took the token of this run and has nothing left to do', async () => {
    if (!hostA || !hostB) throw new Error('the replica has two hosts');
    const seal = { kind: 'seal-unchanged', target: targetOf('t1'), base: baseOf('a'), host: hostA } as const;
    const after: World['after'] = [
      ...(withSnapshot.after ?? []),
      [seal, { kind: 'unchanged', data: { unchanged: false } }],
    ];
    const { run, lease, decide } = await inThe({ ...withSnapshot, after, mode: 'resync' });
    await ledger.changePair(run.pair, lease, { pinned: { host: hostA, seeded: true } });
    await crowd(host(hostA), 3);
    expect(await decide()).toMatchObject({ kind: 'replicate', host: hostB });
    expect(await line(host(hostA))).toEqual([]);
  });

  it('that loses every race for its places comes again soon', async () => {
    const { decide } = await inThe({ ...withSnapshot, mode: 'resync' });
    ledger = { ...ledger, putSlots: async () => false };
    expect(await decide()).toMatchObject({
      kind: 'wait',
      seconds: 30,
      reason: expect.stringContaining('others took places at the same moment'),
    });
  });
});

describe('the end of a run', () => {
  it('gives back what it has when it failed', async () => {
    const { decide, fail } = await inThe(diffDone);
    const step = await decide();
    await fail();
    for (const resource of [copy(prod), copy(dr), diff(dr), host('host' in step ? step.host : undefined)])
      expect(await holders(resource)).toEqual([]);
  });

  it('gives it back when it succeeded', async () => {
    const compared: World = {
      source: 't1',
      replica: 't1',
      run: 't1:verified',
      after: [[{ kind: 'verify', host: hostA as HostId, target: targetOf('t1') }, { kind: 'elapsed' }]],
    };
    const { run, decide, succeed } = await inThe(compared);
    const seen = await ledger.loadSlots(host());
    await ledger.putSlots({ ...seen, holders: { [run.runId]: { until: anHourIn, weight: 1 } } });
    const done = await decide();
    expect(done).toMatchObject({ kind: 'done' });
    await succeed(done.operationStep);
    expect(await holders(host())).toEqual([]);
  });

  it('leaves alone what the attempt that took over has', async () => {
    const { run, decide, fail } = await inThe(withSnapshot);
    await decide();
    await ledger.putRun({ ...run, lease: 99 });
    await expect(fail()).rejects.toMatchObject({ name: 'LeaseLost' });
    expect(await holders(diff(prod))).toEqual([run.runId]);
  });
});
