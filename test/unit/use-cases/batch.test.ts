import { beforeEach, expect, it } from 'vitest';
import { replyText } from '../../../functions/core/domain/edge-reply.ts';
import { BucketRef, HostId, pairId, splitRunId } from '../../../functions/core/domain/names.ts';
import { EdgeParameters } from '../../../functions/core/domain/operation.ts';
import type { Policy } from '../../../functions/core/domain/policy.ts';
import type { Ledger, OperationStore } from '../../../functions/core/ports.ts';
import { type BatchCommand, type BatchWait, decideBatch } from '../../../functions/core/use-cases/decide-batch.ts';
import { openBatch } from '../../../functions/core/use-cases/open-batch.ts';
import { openRun } from '../../../functions/core/use-cases/open-run.ts';
import { operationId } from '../../../functions/core/use-cases/operation-id.ts';
import { recordBatch } from '../../../functions/core/use-cases/record-batch.ts';
import { memoryRecords } from '../../fixtures/memory-records.ts';
import { memoryLedger, memoryOperations } from '../../fixtures/memory-store.ts';
import { operationOf, policyOf, slot } from '../planner/world.ts';

const buckets = ['sales/one', 'sales/two', 'sales/three'].map((it) => BucketRef.parse(it));
const policy: Policy = { ...policyOf('incremental-or-resync', false), buckets };
const runs = buckets.map((bucket) => ({ bucket, name: bucket.replace('/', '-') }));
const request = { policy: policy.name, slot: '2026-11-20T02:00:00Z', runs };
const startedAt = '2026-11-20T02:00:00Z';

let ledger: Ledger;
let operations: OperationStore;
let running: ReadonlySet<string>;
beforeEach(() => {
  ledger = memoryLedger();
  operations = memoryOperations();
  running = new Set(['batch']);
});
const clock = { now: () => slot };
const opening = () => ({
  policies: [policy],
  ledger,
  workflow: { isRunning: async (name: string) => running.has(name) },
  clock,
});
const open = (execution = 'batch') => openBatch(opening())({ request, execution, startedAt });
const decide = (members: Awaited<ReturnType<typeof open>>['members'], round: number, execution = 'batch') =>
  decideBatch({ ledger, operations, records: memoryRecords(), clock })({ execution, round, members });

const sent = {
  execution: 'batch',
  document: 'document',
  host: HostId.parse('i-0123456789abcdef0'),
  parameters: EdgeParameters.parse({
    ...Object.fromEntries(Object.keys(EdgeParameters.shape).map((it) => [it, ''])),
    operation: operationOf(0),
    verb: 'survey',
    empty: 'no',
    fenceSeed: 'no',
    detached: 'no',
    deleteExtra: 'no',
    exact: 'no',
  }),
  token: '',
  state: 'sending',
  createdAt: slot,
  deadline: slot,
  commandId: null,
  outcome: null,
} as const;

/** As the command of a batch leaves it: `answer` of null is none. */
const end = async (
  command: BatchCommand | BatchWait,
  verb: string,
  answer: (runId: string) => object | null,
): Promise<void> => {
  if (command.start === 'wait') return;
  const { members } = command;
  for (const { runId, operationStep, lease } of members) {
    const id = operationId(runId, operationStep);
    await operations.create({
      ...sent,
      id,
      runId,
      step: operationStep,
      pair: splitRunId(runId).pair,
      lease,
      batch: id,
    });
    const data = answer(runId);
    const reply = {
      version: 1,
      operation: id,
      verb,
      outcome: data ? 'ok' : 'unreachable',
      code: data ? '' : 'unreachable',
      message: '',
      host: 'edge',
      startedAt: 1,
      endedAt: 2,
      jvmStarts: 0,
      data,
    };
    await operations.ended(id, { kind: 'reply', reply: replyText(reply) });
  }
};
const bucket = {
  created: '2026-01-01T00:00:00.000Z',
  layout: 'FILE_SYSTEM_OPTIMIZED',
  link: false,
  usedBytes: 1,
  usedNamespace: 1,
  owner: 'root',
  quotaInBytes: -1,
  quotaInNamespace: -1,
};
const surveyed = { source: { state: 'read', bucket, snapshots: [] }, replica: null };
const taken = {
  created: true,
  snapshot: {
    name: 'odr-nightly-20261120t020000z-1',
    id: '10000000-0000-4000-8000-000000000001',
    created: slot,
    status: 'ACTIVE',
  },
  diff: 'not-asked',
  diffMessage: '',
};

it('runs go on together, the one that fails is handed over with its lease free, and the others are recorded', async () => {
  const { members, handedOver, results } = await open();
  expect([members.length, handedOver, results]).toEqual([3, [], []]);

  const first = await decide(members, 0);
  expect(first.commands).toMatchObject([{ start: 'observe', members: [{}, {}, {}], timeoutSeconds: 1020 }]);
  expect(await decide(members, 0)).toEqual(first);
  for (const command of first.commands)
    await end(command, 'survey', (runId) => (runId.includes('sales/two') ? null : surveyed));

  const second = await decide(first.members, 1);
  expect(second.handedOver).toEqual([runs[1]]);
  expect(second.commands).toMatchObject([{ start: 'protect', members: [{}, {}] }]);
  const two = members[1];
  if (!two) throw new Error('there are three');
  expect((await ledger.loadRun(two.runId))?.run).toMatchObject({ status: 'open', batched: true });
  running = new Set(['batch', 'alone']);
  const alone = {
    request: { policy: policy.name, bucket: two.bucket, slot: request.slot },
    execution: 'alone',
    startedAt,
  };
  expect(await openRun(opening())(alone)).toMatchObject({ kind: 'open', runId: two.runId, step: 1 });
  expect((await ledger.loadRun(two.runId))?.run.batched).toBe(false);

  for (const command of second.commands) await end(command, 'snapshot', () => taken);
  const third = await decide(second.members, 2);
  expect([third.commands, third.done.length, third.members]).toEqual([[], 2, []]);
  const record = recordBatch({ ledger, records: memoryRecords(), clock });
  const recorded = await record({ done: third.done });
  expect(recorded).toMatchObject({ handedOver: [], results: [{ status: 'succeeded' }, { status: 'succeeded' }] });
  expect((await open('again')).results).toMatchObject([
    { status: 'skipped' },
    { status: 'skipped' },
    { status: 'skipped' },
  ]);
});

it('a batch that died between rounds is gone on with by the next one; what was never sent is asked again', async () => {
  const { members } = await open();
  const first = await decide(members, 0);
  for (const command of first.commands) await end(command, 'survey', () => surveyed);
  const second = await decide(first.members, 1);
  expect(second.commands).toHaveLength(1);

  running = new Set(['next']);
  const opened = await open('next');
  expect(opened.members.map(({ step }) => step)).toEqual([2, 2, 2]);
  const decided = await decide(opened.members, 0, 'next');
  expect(decided).toMatchObject({ handedOver: [], commands: [{ start: 'wait', seconds: 15 }] });
  const surveys = await decide(decided.members, 1, 'next');
  expect(surveys.commands).toMatchObject([{ start: 'observe', members: [{}, {}, {}] }]);
  const lost = await decide(members, 2);
  expect(lost.handedOver).toEqual(runs);
});

it('a cluster that is away is waited for together, as often as by one alone, and each run fails as it would alone', async () => {
  const away = { source: { state: 'unreachable', code: 'CODE', message: 'nobody there' }, replica: null };
  let { members } = await open();
  const rounds: unknown[] = [];
  const failures: string[] = [];
  for (let round = 0; members.length > 0; round++) {
    const decided = await decide(members, round);
    expect(await decide(members, round)).toEqual(decided);
    expect(decided.handedOver).toEqual([]);
    rounds.push(decided.commands.map((it) => (it.start === 'wait' ? it.seconds : it.members.length)));
    for (const command of decided.commands) await end(command, 'survey', () => away);
    const record = recordBatch({
      ledger,
      records: memoryRecords(),
      clock,
      onFailure: (_, { error }) => failures.push(error ?? ''),
    });
    const { results, handedOver } = await record({ done: decided.done });
    expect(handedOver).toEqual([]);
    for (const { status, error, reason } of results)
      expect({ status, error, reason }).toEqual({
        status: 'failed',
        error: 'SourceUnreachable',
        reason: expect.stringContaining('nobody there (3 surveys)'),
      });
    ({ members } = decided);
  }
  expect(rounds).toEqual([[3], [15], [3], [30], [3], []]);
  expect(failures).toEqual(Array.from({ length: 3 }, () => 'SourceUnreachable'));
  for (const { bucket } of runs) {
    const { lease, newest } = await ledger.loadPair(pairId(policy.source.name, bucket, null));
    expect([lease, newest?.[policy.name]?.runs.backup?.status]).toEqual([null, 'failed']);
  }
});

it('a request that is refused for one bucket hands that one over', async () => {
  const other = { bucket: BucketRef.parse('sales/other'), name: 'other' };
  const opened = await openBatch(opening())({
    request: { ...request, runs: [...runs, other] },
    execution: 'batch',
    startedAt,
  });
  expect([opened.members.length, opened.handedOver]).toEqual([3, [other]]);
});
