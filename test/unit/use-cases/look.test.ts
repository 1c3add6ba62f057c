import { describe, expect, it } from 'vitest';
import type { RecoveryPoint } from '../../../functions/core/domain/ledger.ts';
import { OperationId, PairId, RunId } from '../../../functions/core/domain/names.ts';
import type { Operation } from '../../../functions/core/domain/operation.ts';
import { RestoreRequest } from '../../../functions/core/domain/restore.ts';
import type { Removal } from '../../../functions/core/domain/retention.ts';
import { Resource } from '../../../functions/core/domain/slots.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import type { LookNext } from '../../../functions/core/use-cases/look.ts';
import { openLook } from '../../../functions/core/use-cases/open-look.ts';
import { operationId } from '../../../functions/core/use-cases/operation-id.ts';
import { readLook } from '../../../functions/core/use-cases/read-look.ts';
import { startOperation } from '../../../functions/core/use-cases/start-operation.ts';
import { memoryLedger, memoryOperations, memorySelections } from '../../fixtures/memory-store.ts';
import { historyOf, nameOf, noon, policyOf, slot } from '../planner/world.ts';

const PAIR = PairId.parse('prod/sales/orders#dr');
const gone = (state: Removal['state']): Removal => ({ state, plan: null, condemnedAt: slot, deletedAt: null });

interface World {
  /** Verified points, oldest first, one letter each. */
  readonly verified?: string;
  readonly local?: boolean;
  readonly change?: (point: RecoveryPoint) => RecoveryPoint;
}

/** The machine with its hosts, but for the waiting: `answer` is what the next command says. */
const stage = async ({ verified = 'a b c', local = false, change = (point) => point }: World = {}) => {
  const ledger = memoryLedger();
  const operations = memoryOperations();
  const { points } = historyOf({ verified, local });
  const pair = local ? PairId.parse('prod/sales/orders#local') : PAIR;
  for (const point of points.map(change)) await ledger.putPoint(pair, point);
  for (const point of points) {
    const { removal } = change(point);
    const [now] = (await ledger.livingPoints(pair)).filter(({ name }) => name === point.name);
    if (now) await ledger.changePoint(pair, now, { removal });
  }
  let time = noon;
  const clock = { now: () => time };
  const open = openLook({ policies: [policyOf('incremental', !local)], ledger, clock });
  const read = readLook({ ledger, operations, clock });
  const sent: Operation['parameters'][] = [];
  const start = startOperation({
    ledger,
    operations,
    edge: {
      send: async (_document, host, parameters) => {
        sent.push(parameters);
        return { commandId: host };
      },
      find: async () => undefined,
    },
    callbacks: { succeed: async () => 'delivered', fail: async () => 'delivered' },
    selections: memorySelections(),
    clock,
    document: {
      name: 'observe',
      doctor: 'observe',
      look: 'look',
      batch: 'batch',
      yarn: 'yarn',
      blastRadius: 'observe',
    },
  });
  return {
    ledger,
    operations,
    sent,
    later: (seconds: number) => {
      time = epochMs(time + seconds * 1000);
    },
    open: (request: object, execution = 'one') =>
      open({
        request: { policy: 'nightly', bucket: 'sales/orders', ...request },
        execution,
        startedAt: '2026-11-20T12:00:00.123Z',
      }),
    read: (look: { readonly runId: string; readonly next: LookNext }, failure: object | null = null) =>
      read({ runId: look.runId, step: 'step' in look.next ? look.next.step : -1, failure }),
    /** Starts the command of what was decided and lets it end. */
    answer: async (look: Awaited<ReturnType<typeof open>>, data: object | null, said: object = {}) => {
      const step = 'step' in look.next ? look.next.step : -1;
      await start({ runId: look.runId, lease: 1, operationStep: step, taskToken: 'token' });
      const id = operationId(look.runId, step);
      const operation = await operations.load(id);
      const reply = {
        version: 1,
        operation: id,
        verb: operation?.parameters.verb,
        outcome: 'ok',
        code: '',
        message: '',
        host: 'edge',
        startedAt: 1,
        endedAt: 2,
        jvmStarts: 3,
        data,
        ...said,
      };
      const text = `-----BEGIN OZONE-DR REPLY-----\n${JSON.stringify(reply)}\n-----END OZONE-DR REPLY-----\n`;
      await operations.ended(id, { kind: 'reply', reply: text });
      return read({ runId: look.runId, step, failure: said && 'outcome' in said ? { Error: 'EdgeFailed' } : null });
    },
    lose: async (look: Awaited<ReturnType<typeof open>>, error: string) => {
      const step = 'step' in look.next ? look.next.step : -1;
      await start({ runId: look.runId, lease: 1, operationStep: step, taskToken: 'token' });
      await operations.ended(operationId(look.runId, step), { kind: 'lost', error, detail: 'why' });
      return read({ runId: look.runId, step, failure: { Error: error } });
    },
    hostOf: async (runId: string) => (await operations.load(OperationId.parse(operationId(runId as never, 0))))?.host,
  };
};
type Stage = Awaited<ReturnType<typeof stage>>;

const idsOf = async ({ ledger }: Stage, side: 'source' | 'replica', pair = PAIR) =>
  (await ledger.livingPoints(pair)).map((point) => `${point.name}=${point[side]?.id}`);
const refusedWith = (name: string, message: string) =>
  expect.objectContaining({ name, message: expect.stringContaining(message) });

interface Seen {
  readonly state: string;
  readonly bytes?: number;
  readonly modified?: number;
  readonly checksum?: string;
}
/** What a host found in these points (`name=id`). */
const found = (points: readonly string[], ...seen: readonly Seen[]) => ({
  versions: points.map((item, n) => {
    const [name, id] = item.split('=');
    const { state = 'absent', bytes = null, modified = null, checksum = null } = seen[n] ?? {};
    return { name, id, state, bytes, modified, checksum };
  }),
});

describe('a look for the versions of a path', () => {
  it('asks the source for the newest twenty points, by their ids, the path as base64', async () => {
    const it = await stage({ verified: 'a b c d e f g h i j k l m n o p q r s u v w x y z' });
    const look = await it.open({ versionsOf: 'ü/*' });
    expect(look).toMatchObject({
      runId: 'prod/sales/orders#look#look.nightly#20261120t120000z',
      next: { kind: 'ask', step: 0, heartbeatSeconds: 600 },
    });
    await it.answer(look, { versions: [] }).catch(() => undefined);
    const ids = await idsOf(it, 'source');
    expect(it.sent).toMatchObject([
      {
        verb: 'versions',
        source: 'prod/sales/orders',
        replica: '',
        points: ids.slice(0, 20).join(),
        path64: Buffer.from('ü/*').toString('base64'),
      },
    ]);
    expect(await it.hostOf(look.runId)).toBe('i-0123456789abcdef0');
  });

  it('asks the replica, on its hosts, when the source has deleted one of the points', async () => {
    const it = await stage({
      change: (point) =>
        point.name === nameOf('a') ? { ...point, removal: { source: gone('deleted'), replica: null } } : point,
    });
    const look = await it.open({ versionsOf: 'f', points: [nameOf('a'), nameOf('c')] });
    await it.answer(look, { versions: [] }).catch(() => undefined);
    const ids = await idsOf(it, 'replica');
    expect(it.sent).toMatchObject([{ source: 'dr/sales/orders', points: [ids[0], ids[2]].join() }]);
    expect(await it.hostOf(look.runId)).toMatch(/^mi-/);
  });

  it('looks by default where more of the newest are, if no side has them all', async () => {
    const it = await stage({
      verified: 'a b c d',
      change: (point) => {
        if (point.name === nameOf('d')) return { ...point, removal: { source: null, replica: gone('deleting') } };
        if (point.name === nameOf('c')) return point;
        return { ...point, removal: { source: gone('deleted'), replica: null } };
      },
    });
    const look = await it.open({ versionsOf: 'f' });
    await it.answer(look, { versions: [] }).catch(() => undefined);
    expect(it.sent[0]?.points.split(',').map((item) => item.split('=')[0])).toEqual(['c', 'b', 'a'].map(nameOf));
  });

  it.each([
    ['a copy that was never compared', { state: 'sealed' }],
    ['a copy that differs', { state: 'differs' }],
  ] as const)('does not read %s in the place of the point', async (_sentence, { state }) => {
    const it = await stage({
      verified: 'a',
      change: (point) => ({ ...point, state, removal: { source: gone('deleted'), replica: null } }),
    });
    await expect(it.open({ versionsOf: 'f' })).rejects.toEqual(refusedWith('PointGone', 'no point that can be read'));
    await expect(it.open({ versionsOf: 'f', points: [nameOf('a')] })).rejects.toEqual(
      refusedWith('PointGone', `${nameOf('a')} nowhere`),
    );
  });

  it('works without a replica', async () => {
    const it = await stage({ local: true });
    const look = await it.open({ versionsOf: 'f' });
    expect(look).toMatchObject({ next: { kind: 'ask' } });
    expect(await it.lose(look, 'EdgeUnreachable')).toMatchObject({
      next: { kind: 'failed', error: 'EdgeUnreachable' },
    });
  });

  it('marks what changed by checksum, else by length and time, and says null where nothing can be said', async () => {
    const it = await stage({ verified: 'a b c d e f g h i j k' });
    const file = (bytes: number, modified: number, checksum?: string): Seen => ({
      state: 'file',
      bytes,
      modified,
      ...(checksum ? { checksum } : {}),
    });
    const seen: readonly Seen[] = [
      { state: 'directory', modified: 9 },
      { state: 'directory', modified: 8 },
      file(3, 7, 'COMPOSITE-CRC32 aa'),
      { state: 'no-snapshot' },
      file(3, 6, 'COMPOSITE-CRC32 aa'),
      file(3, 5, 'COMPOSITE-CRC32C bb'),
      file(3, 5),
      file(3, 4),
      { state: 'absent' },
      { state: 'absent' },
      file(0, 1),
    ];
    const asked = await it.open({ versionsOf: 'f' });
    const answered = await it.answer(asked, found(await idsOf(it, 'source'), ...seen));
    expect(answered).toMatchObject({ next: { kind: 'answered' }, output: { cluster: 'prod', path: 'f' } });
    const { versions } = answered.output as { versions: readonly { changed: boolean | null }[] };
    expect(versions.map(({ changed }) => changed)).toEqual([
      ...[null, true, false, null, true, false, true, true, false, true, null],
    ]);
    expect((await it.ledger.loadRun(asked.runId))?.run).toMatchObject({ workflow: 'look', status: 'succeeded' });
  });

  it('says with what input a version is restored, which a person completes', async () => {
    const it = await stage({ verified: 'a' });
    const look = await it.open({ versionsOf: 'a "b"' });
    const { output } = await it.answer(
      look,
      found(await idsOf(it, 'source'), { state: 'file', bytes: 1, modified: 1 }),
    );
    const [version] = (output as { versions: readonly { restore: object }[] }).versions;
    expect(RestoreRequest.safeParse(version?.restore).error?.issues.map(({ path }) => path[0])).toEqual([
      'by',
      'reason',
    ]);
    expect(RestoreRequest.parse({ ...version?.restore, by: 'Ada', reason: 'lost' })).toMatchObject({
      point: nameOf('a'),
      scope: { paths: ['a "b"'] },
    });
  });

  it('calls an answer for other points none', async () => {
    const it = await stage();
    const look = await it.open({ versionsOf: 'f' });
    await expect(it.answer(look, { versions: [] })).rejects.toEqual(refusedWith('EdgeReplyInvalid', 'other points'));
  });
});

const CHANGES = { changesFrom: nameOf('a'), changesTo: nameOf('c') };
const page = (status: string, entries: readonly object[] = [], next: string | null = null, reason = '') => ({
  status,
  reason,
  entries,
  next,
});
const added = (path: string) => ({ kind: '+', path, to: null });

describe('a look for what changed between two points', () => {
  it('asks by name and id, and hands on a page that says where the next begins', async () => {
    const it = await stage();
    const look = await it.open(CHANGES);
    const answered = await it.answer(look, page('done', [added('x')], '203'));
    expect(answered).toEqual({
      runId: look.runId,
      next: { kind: 'answered' },
      output: {
        bucket: 'sales/orders',
        from: nameOf('a'),
        to: nameOf('c'),
        cluster: 'prod',
        entries: [added('x')],
        next: 'source.203',
      },
    });
    const ids = (await idsOf(it, 'source')).map((item) => item.split('=')[1]);
    expect(it.sent).toMatchObject([
      {
        verb: 'changes',
        base: nameOf('a'),
        baseSourceId: ids[2],
        target: nameOf('c'),
        targetId: ids[0],
        limit: '100',
        token: '',
      },
    ]);
  });

  it('reads the next page on the side that named it, and nowhere else', async () => {
    const it = await stage();
    const look = await it.open({ ...CHANGES, page: 'replica.203' });
    const failed = await it.answer(look, null, { outcome: 'unreachable', code: 'connection', message: 'refused' });
    expect(it.sent).toMatchObject([{ source: 'dr/sales/orders', token: '203' }]);
    expect(failed).toMatchObject({ next: { kind: 'failed', error: 'ReplicaUnreachable' } });
  });

  it('waits for a diff with growing pauses, each time with a fresh step, and no longer than a diff may take', async () => {
    const it = await stage();
    let look = await it.open(CHANGES);
    const pauses: number[] = [];
    for (let n = 0; n < 8; n++) {
      look = await it.answer(look, page(n === 0 ? 'submitted' : 'pending'));
      if (look.next.kind !== 'pending') throw new Error(look.next.kind);
      expect(look.next.step).toBe(n + 1);
      pauses.push(look.next.seconds);
      it.later(look.next.seconds);
      look = await it.read(look);
      expect(look.next).toMatchObject({ kind: 'ask', step: n + 1 });
    }
    expect(pauses).toEqual([2, 5, 10, 20, 40, 60, 60, 60]);
    it.later(3600);
    expect(await it.answer(look, page('pending'))).toMatchObject({ next: { kind: 'failed', error: 'DiffFailed' } });
    expect((await it.ledger.loadRun(look.runId))?.run).toMatchObject({
      status: 'failed',
      failure: { error: 'DiffFailed' },
    });
  });

  it('waits for one of the places that the cluster has for diffs, and gives it back', async () => {
    const it = await stage();
    const resource = Resource.parse('diff:prod');
    const others = ['w', 'x', 'y', 'z'].map((name) =>
      RunId.parse(`prod/sales/${name.repeat(3)}#dr#nightly#20261120t020000z`),
    );
    await it.ledger.putSlots({
      ...(await it.ledger.loadSlots(resource)),
      holders: Object.fromEntries(others.map((other) => [other, { until: epochMs(noon + 1e6), weight: 1 }])),
    });
    const look = await it.open(CHANGES);
    const reason = expect.stringMatching(/^waits for a snapshot diff on prod, 4 of 4 taken: place 1 in line$/);
    expect(look).toMatchObject({ next: { kind: 'pending', step: 0, seconds: 20, reason } });
    expect(await it.read(look)).toMatchObject({ next: { kind: 'pending', step: 0 } });
    const [first = look.runId] = others;
    await it.ledger.releaseSlots(resource, first);
    const asked = await it.read(look);
    expect(asked).toMatchObject({ next: { kind: 'ask', step: 0 } });
    expect((await it.ledger.loadSlots(resource)).holders).toHaveProperty([look.runId]);
    await it.answer(asked, page('done'));
    expect((await it.ledger.loadSlots(resource)).holders).not.toHaveProperty([look.runId]);
  });

  it('asks for half as many entries when a page is too long for the output of a machine', async () => {
    const it = await stage();
    const look = await it.open(CHANGES);
    const long = Array.from({ length: 100 }, (_, n) => ({
      kind: 'R',
      path: `${n}${'ü'.repeat(800)}`,
      to: `${n}${'ö'.repeat(800)}`,
    }));
    const again = await it.answer(look, page('done', long));
    expect(again).toMatchObject({ next: { kind: 'ask', step: 1 }, output: null });
    const answered = await it.answer(again, page('done', long.slice(0, 50), '250'));
    expect(it.sent.map(({ limit }) => limit)).toEqual(['100', '50']);
    expect(answered).toMatchObject({ next: { kind: 'answered' }, output: { next: 'source.250' } });
  });

  it.each([
    ['points in the wrong order', { changesFrom: nameOf('c'), changesTo: nameOf('a') }, 'EventInvalid', 'is not older'],
    ['a point with itself', { changesFrom: nameOf('c'), changesTo: nameOf('c') }, 'EventInvalid', 'is not older'],
    [
      'a name that is no point',
      { changesFrom: `${nameOf('a')}0`, changesTo: nameOf('c') },
      'EventInvalid',
      `did you mean ${nameOf('a')}`,
    ],
  ])('refuses %s', async (_sentence, request, error, message) => {
    const it = await stage();
    await expect(it.open(request)).rejects.toEqual(refusedWith(error, message));
  });

  it('asks for no diff from a point that is older than the policy allows', async () => {
    const it = await stage();
    it.later(31 * 86_400);
    await expect(it.open(CHANGES)).rejects.toEqual(refusedWith('EventInvalid', 'limits.diffMaxAge'));
  });

  it('refuses a page of a side that has not both points any more', async () => {
    const it = await stage({ change: (point) => ({ ...point, removal: { source: gone('deleted'), replica: null } }) });
    await expect(it.open({ ...CHANGES, page: 'source.1' })).rejects.toEqual(
      refusedWith('PointGone', 'the page before'),
    );
  });
});

describe('a question that is not answered', () => {
  it('goes to the other side once, and then fails with what that one said', async () => {
    const it = await stage();
    const look = await it.open({ versionsOf: 'f' });
    const other = await it.answer(look, null, { outcome: 'unreachable', code: 'connection', message: 'refused' });
    expect(other).toMatchObject({ next: { kind: 'ask', step: 1 } });
    const failed = await it.answer(other, null, { outcome: 'refused', code: 'permission-denied', message: 'no' });
    expect(failed).toMatchObject({
      next: { kind: 'failed', error: 'AccessDenied', cause: expect.stringContaining('no') },
    });
    expect(it.sent.map(({ source }) => source)).toEqual(['prod/sales/orders', 'dr/sales/orders']);
  });

  it('goes to another host of a side that has one when a host is silent', async () => {
    const it = await stage({ change: (point) => ({ ...point, removal: { source: gone('deleted'), replica: null } }) });
    const look = await it.open({ versionsOf: 'f' });
    const other = await it.lose(look, 'EdgeUnreachable');
    expect(other).toMatchObject({ next: { kind: 'ask', step: 1 } });
    const failed = await it.lose(other, 'EdgeInterrupted');
    expect(failed).toMatchObject({ next: { kind: 'failed', error: 'EdgeInterrupted' } });
    const hosts = await Promise.all(
      [0, 1].map(async (n) => (await it.operations.load(operationId(look.runId, n)))?.host),
    );
    expect(new Set(hosts).size).toBe(2);
  });

  it('that was never started counts as a host that is silent', async () => {
    const it = await stage();
    const look = await it.open({ versionsOf: 'f' });
    expect(await it.read(look, { Error: 'Lambda.Unknown', Cause: 'killed' })).toMatchObject({
      next: { kind: 'ask', step: 1 },
    });
  });

  it.each([
    ['token-refused', 'EventInvalid'],
    ['bad-parameter', 'EdgeRefused'],
  ])('is not asked again anywhere after %s', async (code, error) => {
    const it = await stage();
    const look = await it.open(CHANGES);
    const failed = await it.answer(look, null, { outcome: 'refused', code, message: 'm' });
    expect(failed).toMatchObject({ next: { kind: 'failed', error } });
  });

  it.each([
    ['base-other', 'PointGone'],
    ['layout', 'LayoutUnsupported'],
    ['source-missing', 'ReplicaMissing'],
    ['unreadable', 'EdgeFailed'],
  ])('that both sides refuse with %s ends as %s', async (code, error) => {
    const it = await stage();
    const look = await it.open(CHANGES);
    const said = { outcome: 'refused', code, message: 'm' };
    expect(await it.answer(await it.answer(look, null, said), null, said)).toMatchObject({
      next: { kind: 'failed', error },
    });
  });
});

describe('a look that is delivered twice', () => {
  it('is the same look, whatever step it is in', async () => {
    const it = await stage();
    const look = await it.open(CHANGES);
    expect(await it.open(CHANGES)).toEqual(look);
    const pending = await it.answer(look, page('pending'));
    expect(await it.read(look)).toEqual(pending);
    const asked = await it.read(pending);
    const answered = await it.answer(asked, page('done', [added('x')]));
    expect(await it.read(asked)).toEqual(answered);
    expect(it.sent).toHaveLength(2);
  });

  it('of two in the same second one is told to start again, and leaves the other alone', async () => {
    const it = await stage();
    const look = await it.open({ versionsOf: 'f' }, 'one');
    await expect(it.open({ versionsOf: 'f' }, 'two')).rejects.toEqual(
      refusedWith('RunAlreadyOpen', 'start this one again'),
    );
    expect((await it.ledger.loadRun(look.runId))?.run.execution).toBe('one');
  });

  it('needs no lease and leaves the pair as it is', async () => {
    const it = await stage();
    const before = await it.ledger.loadPair(PAIR);
    await it.answer(await it.open(CHANGES), page('done'));
    expect(await it.ledger.loadPair(PAIR)).toEqual(before);
  });
});
