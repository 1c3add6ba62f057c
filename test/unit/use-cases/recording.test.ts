import { beforeEach, describe, expect, it } from 'vitest';
import type { BackupOutcome } from '../../../functions/core/domain/backup-step.ts';
import { EdgeParameters } from '../../../functions/core/domain/operation.ts';
import type { Happening } from '../../../functions/core/domain/record.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { recordFailure, recordOutcome } from '../../../functions/core/use-cases/close-run.ts';
import { decideNext } from '../../../functions/core/use-cases/decide-next.ts';
import { operationId } from '../../../functions/core/use-cases/operation-id.ts';
import { memoryRecords } from '../../fixtures/memory-records.ts';
import { memoryLedger, memoryOperations } from '../../fixtures/memory-store.ts';
import { historyOf, nameOf, seen, slot, targetOf, type World } from '../planner/world.ts';

let ledger: ReturnType<typeof memoryLedger>;
let operations: ReturnType<typeof memoryOperations>;
let records: ReturnType<typeof memoryRecords>;
beforeEach(() => {
  ledger = memoryLedger();
  operations = memoryOperations();
  records = memoryRecords();
});
const now = epochMs(slot + 60_000);
const clock = { now: () => now };
const anHourIn = epochMs(slot + 3_600_000);

const inThe = async (world: World) => {
  const { run, pair, points, steps } = historyOf(world);
  const holder = { runId: run.runId, execution: run.execution };
  const lease = await ledger.takeLease(await ledger.loadPair(run.pair), holder, anHourIn);
  if (!lease) throw new Error('the lease was free');
  await ledger.changePair(run.pair, lease.token, { base: pair.base, owned: pair.owned });
  await ledger.putRun({ ...run, lease: lease.token });
  for (const point of points) await ledger.putPoint(run.pair, point);
  for (const step of steps) await ledger.recordStep(run.runId, step);
  const close = { runId: run.runId, lease: lease.token };
  return {
    ...close,
    pair: run.pair,
    step: steps.length,
    succeed: (n = steps.length - 1) => recordOutcome({ ledger, records, clock })({ ...close, step: n }),
    fail: (failure: object | null = null) => recordFailure({ ledger, records, clock })({ ...close, failure }),
    told: async (): Promise<readonly Happening[]> => (await records.read(run.pair)).map((it) => it.happening),
    links: async () => (await records.links(run.pair)).length,
  };
};
const outcome: BackupOutcome = {
  kind: 'verified',
  point: nameOf('t1'),
  mode: 'incremental',
  base: nameOf('a'),
  changed: true,
  files: 40,
  bytes: 900 as never,
  bytesCopied: 12 as never,
  level: 'listing',
  notes: ['the ACL changed'],
};
const done: World = { source: 'a* t1', replica: 'a* t1', after: [[{ kind: 'done', outcome }, null]] };

describe('the end of a run', () => {
  it('that succeeded is recorded with its point, how it came about, and what it took', async () => {
    const run = await inThe(done);
    await run.succeed();
    expect(await run.told()).toEqual([
      {
        kind: 'run-ended',
        workflow: 'backup',
        runId: run.runId,
        status: 'succeeded',
        summary: `${nameOf('t1')} verified at level listing: incremental from ${nameOf('a')}, 12 bytes copied; 40 files, 900 bytes; the ACL changed`,
        startedAt: slot,
        steps: 2,
      },
    ]);
  });

  it('without a replica says which point was taken', async () => {
    const taken = { kind: 'taken', point: nameOf('t1') } as const;
    const run = await inThe({ local: true, source: 't1', after: [[{ kind: 'done', outcome: taken }, null]] });
    await run.succeed();
    expect(await run.told()).toMatchObject([{ status: 'succeeded', summary: `${nameOf('t1')} was taken` }]);
  });

  it('that failed is recorded with the error and its cause, cut to what an entry may hold', async () => {
    const run = await inThe({ source: 'a*', replica: 'a*' });
    await run.fail({ Error: 'CopyFailed', Cause: JSON.stringify({ errorMessage: 'x'.repeat(9000) }) });
    const [told] = await run.told();
    expect(told).toMatchObject({ status: 'failed', summary: expect.stringMatching(/^CopyFailed: x+$/) });
    expect(told?.kind === 'run-ended' && told.summary).toHaveLength(4000);
  });

  it('is recorded before the run is closed: cut off between the two, it is recorded once all the same', async () => {
    const run = await inThe(done);
    const { closeRun } = ledger;
    ledger = { ...ledger, closeRun: () => Promise.reject(new Error('the function was killed')) };
    await expect(run.succeed()).rejects.toThrow('killed');
    expect(await run.links()).toBe(1);
    ledger = { ...ledger, closeRun };
    await run.succeed();
    await run.succeed();
    expect(await run.links()).toBe(1);
  });

  it('that cannot be recorded does not close the run', async () => {
    const run = await inThe(done);
    const broken = { append: () => Promise.reject(new Error('no record')) };
    const { runId, lease, step } = run;
    const succeed = recordOutcome({ ledger, records: broken, clock });
    await expect(succeed({ runId, lease, step: step - 1 })).rejects.toThrow('no record');
    expect((await ledger.loadRun(runId))?.run.status).toBe('open');
  });

  it('of a run that goes on under another lease is nobody else’s to record', async () => {
    const run = await inThe(done);
    const known = await ledger.loadRun(run.runId);
    if (known) await ledger.putRun({ ...known.run, lease: run.lease + 1 });
    await expect(run.succeed()).rejects.toMatchObject({ name: 'LeaseLost' });
    await expect(run.fail({ Error: 'CopyFailed' })).rejects.toMatchObject({ name: 'LeaseLost' });
    await run.fail({ Error: 'LeaseLost', Cause: 'taken over' });
    expect(await run.links()).toBe(0);
  });

  it('that could not be closed as a success is recorded as the failure that it became', async () => {
    const run = await inThe(done);
    await run.succeed();
    await run.fail({ Error: 'States.Timeout' });
    expect(await run.told()).toMatchObject([{ status: 'succeeded' }, { status: 'failed' }]);
  });

  it('of each attempt is recorded for itself', async () => {
    const run = await inThe({ source: 'a*', replica: 'a*' });
    await run.fail({ Error: 'CopyFailed' });
    const known = await ledger.loadRun(run.runId);
    if (known) await ledger.putRun({ ...known.run, status: 'open', lease: 2, firstStep: 1 });
    const again = recordFailure({ ledger, records, clock });
    await again({ runId: run.runId, lease: 2, failure: { Error: 'EdgeFailed' } });
    expect(await run.told()).toMatchObject([
      { summary: 'CopyFailed: ', steps: 1 },
      { summary: 'EdgeFailed: ', steps: 0 },
    ]);
  });
});

describe('a comparison of both sides', () => {
  const listing = { files: 1, dirs: 2, bytes: 3, digest: 'f'.repeat(64) };
  const verifying: World = {
    source: 'a* t1',
    replica: 'a* t1',
    run: 't1:sealed',
    after: [
      [
        {
          kind: 'verify',
          target: targetOf('t1'),
          sealId: seen('t1', 'replica').id,
          level: 'listing',
          base: null,
          part: 0,
          parts: 0,
        },
        null,
      ],
    ],
  };
  const answer = async (data: object) => {
    const run = await inThe(verifying);
    const id = operationId(run.runId, 1);
    await operations.create({
      id,
      runId: run.runId,
      step: 1,
      pair: run.pair,
      lease: run.lease,
      execution: 'arn:execution',
      document: 'observe',
      host: 'mi-0123456789abcdef0' as never,
      parameters: EdgeParameters.parse({
        ...Object.fromEntries(Object.keys(EdgeParameters.shape).map((it) => [it, ''])),
        operation: id,
        verb: 'verify',
        empty: 'no',
        fenceSeed: 'no',
        detached: 'no',
        deleteExtra: 'no',
        exact: 'no',
      }),
      token: 't',
      state: 'sent',
      createdAt: slot,
      deadline: anHourIn,
      commandId: 'c',
      outcome: null,
    });
    const reply = {
      version: 1,
      operation: id,
      outcome: 'ok',
      code: '',
      message: '',
      host: 'edge',
      startedAt: slot,
      endedAt: slot,
      jvmStarts: 1,
      verb: 'verify',
      data: {
        level: 'listing',
        source: listing,
        replica: listing,
        onlySource: 0,
        onlyReplica: 0,
        changed: 0,
        checksums: null,
        first: [],
        ...data,
      },
    };
    await operations.ended(id, {
      kind: 'reply',
      reply: `-----BEGIN OZONE-DR REPLY-----\n${JSON.stringify(reply)}\n-----END OZONE-DR REPLY-----\n`,
    });
    return {
      ...run,
      decide: () =>
        decideNext({ ledger, operations, records, clock })({
          runId: run.runId,
          lease: run.lease,
          step: run.step,
          failure: null,
        }),
    };
  };

  it('that found them equal is recorded with what was compared', async () => {
    const run = await answer({ equal: true });
    expect(await run.decide()).toMatchObject({ kind: 'done' });
    expect(await run.told()).toEqual([
      {
        kind: 'verified',
        runId: run.runId,
        name: nameOf('t1'),
        equal: true,
        detail: `equal at level listing: 1 files, 2 directories, 3 bytes; listing ${'f'.repeat(64)}`,
      },
    ]);
  });

  it('that found differences is recorded with their counts and the first of them', async () => {
    const first = [{ path: 'a/b', source: '3 bytes', replica: null }];
    const run = await answer({ equal: false, onlySource: 1, first });
    await run.decide();
    expect(await run.told()).toMatchObject([
      {
        equal: false,
        detail: expect.stringMatching(
          /^differs at level listing: 1 only on the source.*first: a\/b \(source 3 bytes, replica none\)$/,
        ),
      },
    ]);
  });

  it('is recorded before the point is called verified: cut off between the two, it is recorded once all the same', async () => {
    const run = await answer({ equal: true });
    const whole = ledger;
    ledger = { ...ledger, putPoint: () => Promise.reject(new Error('the function was killed')) };
    await expect(run.decide()).rejects.toThrow('killed');
    expect(await run.links()).toBe(1);
    ledger = whole;
    await run.decide();
    await run.decide();
    expect(await run.links()).toBe(1);
    expect((await ledger.recentPoints(run.pair, 1))[0]?.state).toBe('verified');
  });

  it('that cannot be recorded makes no point verified', async () => {
    const run = await answer({ equal: true });
    records = { ...records, append: () => Promise.reject(new Error('no record')) };
    await expect(run.decide()).rejects.toThrow('no record');
    expect((await ledger.recentPoints(run.pair, 1))[0]?.state).toBe('sealed');
  });
});
