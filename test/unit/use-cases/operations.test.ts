import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dynamoLedger } from '../../../functions/adapters/dynamodb/ledger.ts';
import { dynamoOperations } from '../../../functions/adapters/dynamodb/operation-store.ts';
import type { BackupStep } from '../../../functions/core/domain/backup-step.ts';
import { BucketRef, ClusterName, OperationId, pairId, RunId } from '../../../functions/core/domain/names.ts';
import type { EdgeParameters } from '../../../functions/core/domain/operation.ts';
import { Resource } from '../../../functions/core/domain/slots.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { DrError } from '../../../functions/core/errors.ts';
import type { CommandState, Delivery, EdgeHost, Ledger, OperationStore } from '../../../functions/core/ports.ts';
import { decideNext } from '../../../functions/core/use-cases/decide-next.ts';
import { operationId } from '../../../functions/core/use-cases/operation-id.ts';
import { settleOperation } from '../../../functions/core/use-cases/settle-operation.ts';
import { startOperation } from '../../../functions/core/use-cases/start-operation.ts';
import { sweepOperations } from '../../../functions/core/use-cases/sweep-operations.ts';
import { memoryRecords } from '../../fixtures/memory-records.ts';
import { memorySelections } from '../../fixtures/memory-store.ts';
import { createTable, startDynalite } from '../../fixtures/table.ts';
import { baseOf, historyOf, policyOf, slot, targetOf } from '../planner/world.ts';

/** Systems Manager and Step Functions as far as an operation sees them, with what can go wrong. */
class Outside {
  readonly commands = new Map<string, { readonly operation: string; state: CommandState }>();
  readonly sent: EdgeParameters[] = [];
  readonly told: string[] = [];
  readonly cancelled: string[] = [];
  readonly deadTokens = new Set<string>();
  sendError: Error | undefined;
  dieAfterSend = false;
  isRunning = true;

  readonly edge = {
    send: async (_document, _host, parameters, operation) => {
      if (this.sendError) throw this.sendError;
      this.sent.push(parameters);
      const commandId = `command-${this.commands.size + 1}`;
      this.commands.set(commandId, { operation, state: { kind: 'running' } });
      if (this.dieAfterSend) throw new Error('the function was killed');
      return { commandId };
    },
    find: async (_document, operation) => {
      const found = [...this.commands].find(([, command]) => command.operation === operation);
      return found && { commandId: found[0] };
    },
    state: async (commandId) => this.commands.get(commandId)?.state ?? { kind: 'running' },
    cancel: async (commandId: string) => {
      this.cancelled.push(commandId);
    },
  } satisfies EdgeHost & { cancel: unknown };

  readonly #tell = async (token: string, what: string): Promise<Delivery> => {
    if (this.deadTokens.has(token)) return 'gone';
    this.told.push(`${token} ${what}`);
    return 'delivered';
  };
  readonly executions = {
    succeed: (token: string) => this.#tell(token, 'succeeded'),
    fail: (token: string, error: string) => this.#tell(token, error),
    heartbeat: async (token: string): Promise<Delivery> => (this.deadTokens.has(token) ? 'gone' : 'delivered'),
    isRunning: async () => this.isRunning,
  };

  end(operation: string, text: string, status = 'Success'): void {
    for (const command of this.commands.values())
      if (command.operation === operation) command.state = { kind: 'ended', status, output: text };
  }
}

const reply = (operation: string, verb: string, change: object = {}) =>
  `noise\n-----BEGIN OZONE-DR REPLY-----\n${JSON.stringify({
    version: 1,
    operation,
    verb,
    outcome: 'ok',
    code: '',
    message: '',
    host: 'edge',
    startedAt: 1,
    endedAt: 2,
    jvmStarts: 1,
    data: { source: { state: 'missing', code: 'BUCKET_NOT_FOUND', message: '' }, replica: null },
    ...change,
  })}\n-----END OZONE-DR REPLY-----\n`;

let engine: Awaited<ReturnType<typeof startDynalite>>;
let ledger: Ledger;
let operations: OperationStore;
let count = 0;
beforeAll(async () => {
  engine = await startDynalite();
});
afterAll(() => engine.stop());

/** A run with one decision, in a table of its own. */
const aRun = async (decision: BackupStep) => {
  count += 1;
  const table = await createTable(engine.endpoint, `table-${count}`);
  ledger = dynamoLedger(table);
  operations = dynamoOperations(table);
  return anotherRun(decision, 'sales/orders');
};

const anotherRun = async (decision: BackupStep, bucket: string) => {
  const pair = pairId(ClusterName.parse('prod'), BucketRef.parse(bucket), ClusterName.parse('dr'));
  const runId = RunId.parse(`${pair}#nightly#20261120t020000z`);
  const { run } = historyOf({});
  const lease = await ledger.takeLease(
    await ledger.loadPair(pair),
    { runId, execution: 'arn:execution' },
    epochMs(slot + 1_800_000),
  );
  if (!lease) throw new Error('the lease was free');
  await ledger.putRun({ ...run, runId, pair, bucket: BucketRef.parse(bucket), lease: lease.token });
  await ledger.recordStep(runId, {
    n: 0,
    decision,
    decidedAt: slot,
    operationStep: 0,
    observed: null,
    observedAt: null,
    jvmStarts: null,
  });
  return { runId, pair, lease: lease.token, id: operationId(runId, 0) };
};

const older = OperationId.parse(`op-${'0'.repeat(24)}-007`);

const operation = { host: 'mi-0123456789abcdef0', timeoutSeconds: 900, heartbeatSeconds: 600, reason: 'r' };
const survey = { kind: 'survey', ...operation } as BackupStep;
const copy = {
  kind: 'replicate',
  mode: 'bootstrap',
  target: targetOf('t1'),
  base: null,
  replicaCreated: '2026-01-01T00:00:00.000Z',
  claim: true,
  copySeconds: 60,
  ...operation,
} as BackupStep;

let outside: Outside;
let now = slot;
beforeEach(() => {
  outside = new Outside();
  now = slot;
});
const clock = { now: () => now };
const start = (blastRadius: 'observe' | 'protect' = 'observe') =>
  startOperation({
    ledger,
    operations,
    edge: outside.edge,
    callbacks: outside.executions,
    selections: memorySelections(),
    clock,
    document: { name: 'document', doctor: 'doctor', look: 'look', batch: 'document', yarn: 'yarn', blastRadius },
  });
const settle = () => settleOperation({ operations, edge: outside.edge, callbacks: outside.executions });
const sweep = () =>
  sweepOperations({
    policies: [policyOf('incremental')],
    operations,
    ledger,
    edge: outside.edge,
    callbacks: outside.executions,
    workflow: outside.executions,
    clock,
    report: () => undefined,
  })();
const eventOf = (id: string) => ({ detail: { 'command-id': 'command-1', parameters: { operation: [id] } } });
const later = (minutes: number) => {
  now = epochMs(now + minutes * 60_000);
};

describe('a long command', () => {
  it('wakes its Task once, however often the event comes', async () => {
    const { runId, lease, id } = await aRun(survey);
    await start()({ runId, lease, operationStep: 0, taskToken: 't' });
    expect(await settle()(eventOf(id))).toEqual({ settled: false });
    outside.end(id, reply(id, 'survey'));
    await Promise.all([settle()(eventOf(id)), settle()(eventOf(id))]);
    await settle()(eventOf(id));
    await sweep();
    expect(new Set(outside.told)).toEqual(new Set(['t succeeded']));
    expect(await operations.open()).toEqual([]);
  });

  it('of a bucket with 10,000 snapshots leaves with its operation those that the run can turn on, and how many there are', async () => {
    const keep = { names: ['odr-nightly-base'], prefix: 'odr-nightly-20261120t020000z-' };
    const { runId, lease, id } = await aRun({ ...survey, keep } as BackupStep);
    await start()({ runId, lease, operationStep: 0, taskToken: 't' });
    const listed = (n: number, name: string, status = 'ACTIVE') => ({
      name,
      id: `00000000-0000-0000-0000-${String(n).padStart(12, '0')}`,
      created: n,
      status,
    });
    const kept = [
      listed(1, 'odr-nightly-base'),
      listed(2, 'odr-nightly-20261120t020000z-1'),
      listed(3, 'odr-tmp-narrow.1'),
    ];
    const others = Array.from({ length: 10_000 }, (_, n) =>
      listed(n + 10, `odr-hourly-${n}`, n < 100 ? 'DELETED' : 'ACTIVE'),
    );
    const bucket = {
      created: '2026-01-01T00:00:00.000Z',
      layout: 'FILE_SYSTEM_OPTIMIZED',
      link: false,
      usedBytes: 1,
      usedNamespace: 1,
      owner: 'o',
      quotaInBytes: -1,
      quotaInNamespace: -1,
    };
    const side = { state: 'read', bucket, snapshots: [...others, ...kept] };
    outside.end(id, reply(id, 'survey', { data: { source: side, replica: side } }));
    expect(await settle()(eventOf(id))).toEqual({ settled: true });
    expect(outside.told).toEqual(['t succeeded']);
    const outcome = (await operations.load(id))?.outcome;
    expect(outcome?.kind === 'reply' && outcome.reply.length).toBeLessThan(3000);

    await decideNext({ ledger, operations, records: memoryRecords(), clock })({ runId, lease, step: 1, failure: null });
    const observed = (await ledger.loadRun(runId))?.steps[0]?.observed;
    const [all, alive] = [10_003, 9_903];
    expect(observed).toMatchObject({
      kind: 'survey',
      listed: { source: all, replica: all },
      active: { source: alive, replica: alive },
    });
    expect(observed?.kind === 'survey' && observed.replica?.state === 'read' && observed.replica.snapshots).toEqual(
      kept.slice(1),
    );
  });

  it('is found by the sweeper when its event is lost', async () => {
    const { runId, lease, id } = await aRun(survey);
    await start()({ runId, lease, operationStep: 0, taskToken: 't' });
    outside.end(id, reply(id, 'survey'));
    expect(await sweep()).toMatchObject({ open: 1, settled: 1 });
    expect(outside.told).toEqual(['t succeeded']);
  });

  it('is sent once when the starter dies after sending and the Task is tried again', async () => {
    const { runId, lease, id } = await aRun(survey);
    outside.dieAfterSend = true;
    await expect(start()({ runId, lease, operationStep: 0, taskToken: 't1' })).rejects.toThrow('killed');
    outside.dieAfterSend = false;
    await start()({ runId, lease, operationStep: 0, taskToken: 't2' });
    expect(outside.commands.size).toBe(1);
    outside.end(id, reply(id, 'survey'));
    await sweep();
    expect(outside.told).toEqual(['t2 succeeded']);
  });

  it('is found by the sweeper when the starter dies after sending and nobody tries again', async () => {
    const { runId, lease, id } = await aRun(survey);
    outside.dieAfterSend = true;
    await expect(start()({ runId, lease, operationStep: 0, taskToken: 't' })).rejects.toThrow('killed');
    outside.end(id, reply(id, 'survey'));
    expect(await sweep()).toMatchObject({ settled: 0 });
    later(3);
    expect(await sweep()).toMatchObject({ settled: 1 });
    expect(outside.told).toEqual(['t succeeded']);
  });

  it('an event that comes before the command id was stored settles it all the same', async () => {
    const { runId, lease, id } = await aRun(survey);
    outside.dieAfterSend = true;
    await expect(start()({ runId, lease, operationStep: 0, taskToken: 't' })).rejects.toThrow('killed');
    outside.end(id, reply(id, 'survey'));
    expect(await settle()(eventOf(id))).toEqual({ settled: true });
  });

  it('that was never sent is ended after two minutes', async () => {
    const { runId, lease, id } = await aRun(survey);
    outside.sendError = new Error('ThrottlingException');
    await expect(start()({ runId, lease, operationStep: 0, taskToken: 't' })).rejects.toThrow('Throttling');
    later(3);
    await sweep();
    expect(outside.told).toEqual(['t EdgeUnreachable']);
    expect(await operations.load(id)).toMatchObject({ state: 'notified' });
  });

  it('that Run Command refuses fails its Task at once', async () => {
    const { runId, lease } = await aRun(survey);
    outside.sendError = new DrError('EdgeRefused', 'AccessDeniedException');
    await start()({ runId, lease, operationStep: 0, taskToken: 't' });
    expect(outside.told).toEqual(['t EdgeRefused']);
    expect(await operations.open()).toEqual([]);
  });

  it('that is over when its Task is tried again answers at once', async () => {
    const { runId, lease, id } = await aRun(survey);
    await start()({ runId, lease, operationStep: 0, taskToken: 't1' });
    outside.deadTokens.add('t1');
    outside.end(id, reply(id, 'survey'));
    await sweep();
    expect(outside.told).toEqual([]);
    await start()({ runId, lease, operationStep: 0, taskToken: 't2' });
    expect(outside.told).toEqual(['t2 succeeded']);
    expect(outside.commands.size).toBe(1);
    expect(await operations.open()).toEqual([]);
  });

  it('of an execution that is over is cancelled and closed when it ends', async () => {
    const { runId, lease, id } = await aRun(survey);
    await start()({ runId, lease, operationStep: 0, taskToken: 't' });
    outside.deadTokens.add('t');
    outside.isRunning = false;
    await sweep();
    expect(outside.cancelled).toEqual(['command-1']);
    outside.end(id, '', 'Cancelled');
    await sweep();
    expect(await operations.open()).toEqual([]);
  });

  it('that passes its deadline is cancelled and ended', async () => {
    const { runId, lease } = await aRun(survey);
    await start()({ runId, lease, operationStep: 0, taskToken: 't' });
    later(60);
    await sweep();
    expect(outside.cancelled).toEqual(['command-1']);
    expect(outside.told).toEqual(['t EdgeInterrupted']);
  });

  it('that lives keeps its lease', async () => {
    const { runId, lease, pair } = await aRun(survey);
    await start()({ runId, lease, operationStep: 0, taskToken: 't' });
    later(10);
    await sweep();
    expect((await ledger.loadPair(pair)).lease?.expires).toBe(now + 1_800_000);
  });

  it.each([
    ['can be looked at', () => Promise.reject(new Error('ThrottlingException'))],
    ['answers what can be kept', undefined],
  ])('that never %s is ended after its deadline, also when it cannot be cancelled', async (_sentence, state) => {
    const { runId, lease, id } = await aRun(survey);
    await start()({ runId, lease, operationStep: 0, taskToken: 't' });
    outside.end(id, reply(id, 'survey'));
    if (state) outside.edge.state = state;
    outside.edge.cancel = () => Promise.reject(new Error('InternalServerError'));
    const { ended } = operations;
    operations = {
      ...operations,
      ended: (of, outcome) => (outcome.kind === 'reply' ? Promise.reject(new Error('too large')) : ended(of, outcome)),
    };
    await expect(sweep()).rejects.toThrow(state ? 'Throttling' : 'too large');
    later(60);
    expect(await sweep()).toMatchObject({ open: 1, settled: 1 });
    expect(outside.told).toEqual(['t EdgeInterrupted']);
    expect(await operations.open()).toEqual([]);
    expect((await operations.load(id))?.outcome).toHaveProperty(
      'detail',
      expect.stringContaining('could not be settled'),
    );
  });

  it('a broken operation does not keep the sweeper from the others, but the sweeper fails', async () => {
    const { runId, lease, id } = await aRun(survey);
    await start()({ runId, lease, operationStep: 0, taskToken: 't' });
    const state = outside.edge.state;
    outside.edge.state = () => Promise.reject(new Error('ThrottlingException'));
    await expect(sweep()).rejects.toThrow('Throttling');
    outside.edge.state = state;
    outside.end(id, reply(id, 'survey'));
    expect(await sweep()).toMatchObject({ settled: 1 });
  });

  it.each([
    ['nothing of a script that was killed', '', 'Failed', 'EdgeInterrupted'],
    ['a cut reply of a script that failed', '-----BEGIN OZONE-DR REPLY-----\n{"ver', 'Failed', 'EdgeReplyInvalid'],
    ['nothing', '', 'Success', 'EdgeReplyInvalid'],
    ['a cut reply', '-----BEGIN OZONE-DR REPLY-----\n{"ver', 'Success', 'EdgeReplyInvalid'],
    ['nothing, as the host was not reached', '', 'DeliveryTimedOut', 'EdgeUnreachable'],
    ['nothing, as its time was over', '', 'ExecutionTimedOut', 'EdgeInterrupted'],
    ['nothing, as it was cancelled', '', 'Cancelled', 'EdgeInterrupted'],
    ['nothing, as the node is not ours', '', 'AccessDenied', 'EdgeRefused'],
  ])('that answers %s fails its Task', async (_sentence, output, status, error) => {
    const { runId, lease, id } = await aRun(survey);
    await start()({ runId, lease, operationStep: 0, taskToken: 't' });
    outside.end(id, output, status);
    await sweep();
    expect(outside.told).toEqual([`t ${error}`]);
  });

  it('an event of somebody else is none of ours', async () => {
    await aRun(survey);
    expect(await settle()({ detail: { 'command-id': 'x', parameters: { commands: ['ls'] } } })).toEqual({
      settled: false,
    });
    expect(await settle()(eventOf(`op-${'9'.repeat(24)}-000`))).toEqual({ settled: false });
    expect(await settle()('what')).toEqual({ settled: false });
  });
});

describe('a command that writes the replica', () => {
  it('raises the token and leaves doubt, claim and host in the ledger before it is sent', async () => {
    const { runId, lease, pair, id } = await aRun(copy);
    let seen: unknown;
    outside.edge.send = async () => {
      seen = await ledger.loadPair(pair);
      return { commandId: 'c' };
    };
    await start('protect')({ runId, lease, operationStep: 0, taskToken: 't' });
    expect(seen).toMatchObject({
      fence: 2,
      dirtySince: { operation: id },
      owned: { created: '2026-01-01T00:00:00.000Z', proved: false },
      pinned: { host: 'mi-0123456789abcdef0', seeded: false },
    });
    expect((await operations.load(id))?.parameters).toMatchObject({
      fence: '2',
      fenceSeed: 'yes',
      empty: 'yes',
      mode: 'bootstrap',
    });
  });

  it.each([
    [
      'of a queue goes by the document with YARN, and is an application of its own',
      { yarn: { queue: 'backup' } },
      null,
    ],
    ['that adopts an application goes there too, and is that one', { yarn: null }, older],
  ] as const)('%s', async (_what, { yarn }, adopts) => {
    const { runId, pair, lease, id } = await aRun({ ...copy, yarn, adopts } as BackupStep);
    await start('protect')({ runId, lease, operationStep: 0, taskToken: 't' });
    const sent = await operations.load(id);
    expect(sent).toMatchObject({ document: 'yarn', parameters: { queue: yarn?.queue ?? '', adopts: adopts ?? '' } });
    expect((await ledger.loadPair(pair)).copies).toMatchObject([{ operation: id, application: adopts ?? id }]);
  });

  it('is not sent without the lease', async () => {
    const { runId, lease, pair } = await aRun(copy);
    await ledger.takeLease(await ledger.loadPair(pair), { runId, execution: 'arn:other' }, epochMs(slot + 1));
    const stale = start('protect')({ runId, lease, operationStep: 0, taskToken: 't' });
    await expect(stale).rejects.toMatchObject({ name: 'LeaseLost' });
    expect(outside.commands.size).toBe(0);
  });

  it('is not sent through the document that only observes', async () => {
    const { runId, lease } = await aRun(copy);
    const wrong = start('observe')({ runId, lease, operationStep: 0, taskToken: 't' });
    await expect(wrong).rejects.toMatchObject({ name: 'EventInvalid' });
    expect(outside.commands.size).toBe(0);
  });
});

describe('places', () => {
  const resource = Resource.parse('copy:dr');
  const holding = async (holder: RunId) =>
    ledger.putSlots({
      ...(await ledger.loadSlots(resource)),
      holders: { [holder]: { until: epochMs(slot + 86_400_000), weight: 1 } },
    });
  const holders = async () => Object.keys((await ledger.loadSlots(resource)).holders);

  it('of a run that works are left to it, and those of one that is over are free with the next sweep', async () => {
    const { runId, pair, lease } = await aRun(survey);
    await holding(runId);
    expect([await sweep(), await holders()]).toMatchObject([{ reclaimed: 0 }, [runId]]);
    await ledger.releaseLease(pair, lease);
    expect([await sweep(), await holders()]).toMatchObject([{ reclaimed: 1 }, []]);
    expect(await sweep()).toMatchObject({ reclaimed: 0 });
  });

  it('of a run whose execution died are free when its lease is over, or somebody else has it', async () => {
    const { runId, pair } = await aRun(survey);
    await holding(runId);
    later(29);
    expect(await sweep()).toMatchObject({ reclaimed: 0 });
    later(2);
    expect(await sweep()).toMatchObject({ reclaimed: 1 });
    const another = RunId.parse(`${pair}#nightly#20261121t020000z`);
    await holding(runId);
    await ledger.takeLease(await ledger.loadPair(pair), { runId: another, execution: 'arn:other' }, epochMs(now + 1e6));
    expect([await sweep(), await holders()]).toMatchObject([{ reclaimed: 1 }, []]);
  });

  it('of a look, which has no lease, are left to their time', async () => {
    await aRun(survey);
    await holding(RunId.parse('prod/sales/orders#look#look.nightly#20261120t020000z'));
    expect(await sweep()).toMatchObject({ reclaimed: 0 });
  });

  it('that cannot be read fail the sweep, after everything else was swept', async () => {
    const { runId, lease, id } = await aRun(survey);
    await start()({ runId, lease, operationStep: 0, taskToken: 't' });
    outside.end(id, reply(id, 'survey'));
    ledger = { ...ledger, loadSlots: () => Promise.reject(new DrError('StoreThrottled', 'too many requests')) };
    await expect(sweep()).rejects.toMatchObject({ name: 'StoreThrottled' });
    expect(outside.told).toEqual(['t succeeded']);
  });
});

describe('deciding', () => {
  const decide = () => decideNext({ ledger, operations, records: memoryRecords(), clock });

  it('is recorded once per step and repeated word for word', async () => {
    const { runId, lease, id } = await aRun(survey);
    await start()({ runId, lease, operationStep: 0, taskToken: 't' });
    outside.end(id, reply(id, 'survey'));
    await sweep();
    const first = await decide()({ runId, lease, step: 1, failure: null });
    expect(first).toMatchObject({ kind: 'fail', error: 'SourceMissing' });
    later(5);
    expect(await decide()({ runId, lease, step: 1, failure: null })).toEqual(first);
  });

  it('attaches to an operation that is still open instead of starting another', async () => {
    const { runId, lease } = await aRun(survey);
    await start()({ runId, lease, operationStep: 0, taskToken: 't' });
    const failure = { Error: 'States.HeartbeatTimeout', Cause: '' };
    expect(await decide()({ runId, lease, step: 1, failure })).toMatchObject({ kind: 'survey', operationStep: 0 });
  });

  it('counts a failure that reached no operation', async () => {
    const { runId, lease } = await aRun(survey);
    const failure = { Error: 'States.QueryEvaluationError', Cause: 'x' };
    expect(await decide()({ runId, lease, step: 1, failure })).toMatchObject({
      kind: 'wait',
      reason: expect.stringContaining('QueryEvaluationError'),
    });
  });

  it('is refused without the lease', async () => {
    const { runId, lease } = await aRun(survey);
    await expect(decide()({ runId, lease: lease + 1, step: 1, failure: null })).rejects.toMatchObject({
      name: 'LeaseLost',
    });
  });
});

describe('one command for operations of several runs', () => {
  const batchId = OperationId.parse(`op-${'b'.repeat(24)}-001`);
  const seal = {
    kind: 'seal-unchanged',
    target: targetOf('t1'),
    base: baseOf('a'),
    replicaCreated: '2026-01-01T00:00:00.000Z',
    level: 'listing',
    ...operation,
  } as BackupStep;

  /** Two runs, `sales/orders` and `sales/returns`, whose step is the same. */
  const twoRuns = async (decision: BackupStep) => [await aRun(decision), await anotherRun(decision, 'sales/returns')];
  type Runs = Awaited<ReturnType<typeof twoRuns>>;
  const startBoth = (runs: Runs, radius: 'observe' | 'protect', taskToken = 't') =>
    start(radius)({
      operation: batchId,
      members: runs.map(({ runId, lease }) => ({ runId, lease, operationStep: 0 })),
      taskToken,
    });
  const answer = (replies: readonly object[], change: object = {}) =>
    reply(batchId, 'batch', { data: { replies }, ...change });
  const part = (id: string, change: object = {}) => {
    const whole = reply(id, 'survey', change);
    return JSON.parse(whole.slice(whole.indexOf('{'), whole.lastIndexOf('}') + 1)) as object;
  };
  const outcomes = async (runs: Runs) => Promise.all(runs.map(async ({ id }) => (await operations.load(id))?.outcome));

  it('is sent once, with a line for each, and ends each with its own part of the reply', async () => {
    const runs = await twoRuns(survey);
    const [one, two] = runs;
    await startBoth(runs, 'observe');
    expect(outside.sent).toMatchObject([
      {
        operation: batchId,
        verb: 'survey',
        source: 'prod',
        replica: 'dr',
        batch: `${one?.id}|sales/orders|||||||0|no;${two?.id}|sales/returns|||||||0|no`,
        executionTimeout: '360',
      },
    ]);
    outside.end(
      batchId,
      answer([part(two?.id ?? '', { outcome: 'failed', code: 'x', data: null }), part(one?.id ?? '')]),
    );
    await Promise.all([settle()(eventOf(batchId)), sweep()]);
    expect(new Set(outside.told)).toEqual(new Set(['t succeeded']));
    expect(await outcomes(runs)).toMatchObject([
      { kind: 'reply', reply: expect.stringContaining('"outcome":"ok"') },
      { kind: 'reply', reply: expect.stringContaining('"outcome":"failed"') },
    ]);
    expect(await operations.open()).toEqual([]);
  });

  it('raises the fence of each before it writes a replica, and not for one whose lease is lost', async () => {
    const runs = await twoRuns(seal);
    const [one, two] = runs;
    if (!one || !two) throw new Error('there are two');
    await ledger.releaseLease(two.pair, two.lease);
    await startBoth(runs, 'protect');
    const { fence, pinned } = await ledger.loadPair(one.pair);
    expect({ fence, pinned }).toEqual({ fence: one.lease + 1, pinned: { host: operation.host, seeded: false } });
    const target = targetOf('t1');
    const base = baseOf('a');
    expect(outside.sent.map(({ batch }) => batch)).toEqual([
      `${one.id}|sales/orders|${target.name}|${target.id}|${base.name}|${base.sourceId}|${base.replicaId}|2026-01-01T00:00:00.000Z|${fence}|yes`,
    ]);
    expect((await ledger.loadPair(two.pair)).fence).toBe(two.lease);
  });

  it('is not sent when every lease is lost: its Task goes on', async () => {
    const runs = await twoRuns(seal);
    for (const { pair, lease } of runs) await ledger.releaseLease(pair, lease);
    await startBoth(runs, 'protect');
    expect([outside.sent, outside.told]).toEqual([[], ['t succeeded']]);
  });

  it('a starter that dies after sending is tried again without a second command', async () => {
    const runs = await twoRuns(survey);
    outside.dieAfterSend = true;
    await expect(startBoth(runs, 'observe', 't1')).rejects.toThrow('killed');
    outside.dieAfterSend = false;
    await startBoth(runs, 'observe', 't2');
    expect(outside.commands.size).toBe(1);
    outside.end(batchId, answer(runs.map(({ id }) => part(id))));
    await sweep();
    expect(outside.told).toEqual(['t2 succeeded']);
  });

  it('whoever dies between two members is made up for by the sweeper', async () => {
    const runs = await twoRuns(survey);
    await startBoth(runs, 'observe');
    outside.end(batchId, answer(runs.map(({ id }) => part(id))));
    const { ended } = operations;
    let left = 1;
    const dying = {
      ...operations,
      ended: (...[id, outcome]: Parameters<typeof ended>) => {
        left -= 1;
        if (left < 0) throw new Error('the function was killed');
        return ended(id, outcome);
      },
    };
    const killed = settleOperation({ operations: dying, edge: outside.edge, callbacks: outside.executions });
    await expect(killed(eventOf(batchId))).rejects.toThrow('killed');
    expect(outside.told).toEqual([]);
    await sweep();
    expect(outside.told).toEqual(['t succeeded']);
    expect(await outcomes(runs)).toMatchObject([{ kind: 'reply' }, { kind: 'reply' }]);
  });

  it.each([
    ['a command that was killed is lost for each', 'noise', { kind: 'lost', error: 'EdgeInterrupted' }, 'Failed'],
    [
      'a host that refuses the command refuses each',
      reply(batchId, 'batch', { outcome: 'refused', code: 'environment', message: 'no ozone', data: null }),
      { kind: 'reply', reply: expect.stringContaining('"verb":"survey"') },
      'Success',
    ],
    ['what the reply leaves out is no answer', answer([]), { kind: 'lost', error: 'EdgeReplyInvalid' }, 'Success'],
  ])('%s', async (_, output, outcome, status) => {
    const runs = await twoRuns(survey);
    await startBoth(runs, 'observe');
    outside.end(batchId, output, status);
    await sweep();
    expect(await outcomes(runs)).toMatchObject([outcome, outcome]);
    expect(outside.told).toHaveLength(1);
  });

  it('a command that Run Command refuses is lost for each', async () => {
    const runs = await twoRuns(survey);
    outside.sendError = new DrError('EdgeRefused', 'no such document');
    await startBoth(runs, 'observe');
    expect(await outcomes(runs)).toMatchObject([{ error: 'EdgeRefused' }, { error: 'EdgeRefused' }]);
    expect(outside.told).toEqual(['t EdgeRefused']);
  });

  it('a refused fence is told of for the run whose fence it was', async () => {
    const runs = await twoRuns(survey);
    await startBoth(runs, 'observe');
    const [one, two] = runs;
    outside.end(
      batchId,
      answer([part(one?.id ?? ''), part(two?.id ?? '', { outcome: 'refused', code: 'fence-stale' })]),
    );
    const fenced: string[] = [];
    const settling = settleOperation({
      operations,
      edge: outside.edge,
      callbacks: outside.executions,
      onFenced: ({ runId }, code) => fenced.push(`${runId} ${code}`),
    });
    await settling(eventOf(batchId));
    expect(fenced).toEqual([`${two?.runId} fence-stale`]);
  });

  it('the sweeper keeps the lease of every member', async () => {
    const runs = await twoRuns(survey);
    await startBoth(runs, 'observe');
    later(3);
    await sweep();
    for (const { pair } of runs) expect((await ledger.loadPair(pair)).lease?.expires).toBe(epochMs(now + 1_800_000));
  });

  it('a run that goes on alone attaches to its operation and is woken by whichever command ends first', async () => {
    const runs = await twoRuns(survey);
    const [one] = runs;
    if (!one) throw new Error('there are two');
    await startBoth(runs, 'observe');
    await start()({ runId: one.runId, lease: one.lease, operationStep: 0, taskToken: 'alone' });
    expect(outside.sent).toMatchObject([
      { operation: batchId },
      { operation: one.id, source: 'prod/sales/orders', batch: '' },
    ]);
    outside.end(batchId, answer(runs.map(({ id }) => part(id))));
    await settle()(eventOf(batchId));
    expect(outside.told).toEqual(['alone succeeded', 't succeeded']);
    await sweep();
    expect(await operations.open()).toEqual([]);
  });
});
