import { beforeEach, describe, expect, it } from 'vitest';
import type { Hold, PairPatch } from '../../../functions/core/domain/ledger.ts';
import {
  BucketRef,
  ClusterName,
  PolicyName,
  pairId,
  RunId,
  type SnapshotName,
} from '../../../functions/core/domain/names.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { recordDecision } from '../../../functions/core/use-cases/record-decision.ts';
import { memoryRecords } from '../../fixtures/memory-records.ts';
import { memoryLedger, memoryOperations } from '../../fixtures/memory-store.ts';
import { historyOf, nameOf, policyOf, slot } from '../planner/world.ts';

const BUCKET = 'sales/orders';
const TARGET = 'odr-nightly-20261120t020000z-1' as SnapshotName;
const pair = pairId(ClusterName.parse('prod'), BucketRef.parse(BUCKET), ClusterName.parse('dr'));
const anotherRun = RunId.parse(`${pair}#nightly#20261119t020000z`);
const hold: Hold = {
  target: TARGET,
  base: 'odr-nightly-20261119t020000z-1' as SnapshotName,
  deletes: 4000,
  renames: 12,
  complete: true,
  limit: 1000,
  at: slot,
  accepted: null,
  rejected: null,
};
const said = { by: 'Ada', reason: 'quarterly clean-up', at: slot };

let ledger: { -readonly [M in keyof ReturnType<typeof memoryLedger>]: ReturnType<typeof memoryLedger>[M] };
let records: ReturnType<typeof memoryRecords>;
let running: string[];
let operations: ReturnType<typeof memoryOperations>;
beforeEach(() => {
  ledger = memoryLedger();
  records = memoryRecords();
  running = [];
  operations = memoryOperations();
});

const decide = (decision: string, more: object = {}, execution = 'arn:decision') =>
  recordDecision({
    policies: [policyOf('incremental')],
    ledger,
    operations,
    records,
    workflow: { isRunning: async (it) => running.includes(it) },
    clock: { now: () => slot },
  })({
    request: { policy: 'nightly', bucket: BUCKET, decision, by: said.by, reason: said.reason, ...more },
    execution,
    startedAt: '2026-11-20T02:00:00Z',
  });

/** The bucket as a run that is over left it. */
const left = async (patch: PairPatch): Promise<void> => {
  const lease = await ledger.takeLease(
    await ledger.loadPair(pair),
    { runId: anotherRun, execution: 'arn:run' },
    epochMs(slot + 1),
  );
  if (!lease) throw new Error('the lease was free');
  await ledger.changePair(pair, lease.token, patch);
  await ledger.releaseLease(pair, lease.token);
};

const refusedWith = async (attempt: Promise<unknown>, error: string, message: string): Promise<void> => {
  const before = { ...(await ledger.loadPair(pair)), fence: 0 };
  await expect(attempt).rejects.toMatchObject({ name: error, message: expect.stringContaining(message) });
  expect({ ...(await ledger.loadPair(pair)), fence: 0 }).toEqual(before);
  expect(await ledger.decisions(pair)).toEqual([]);
  expect(await records.read(pair)).toEqual([]);
};

describe('adopting', () => {
  const created = '2026-01-01T00:00:00.000Z';

  it('a replica bucket makes it ours, by its creation time', async () => {
    const recorded = await decide(`adopt ${BUCKET} on dr created ${created}`);
    expect(recorded).toMatchObject({ decision: 'adopt', bucket: BUCKET });
    expect(recorded.effect).toContain('deletes there what the source does not have');
    expect(await ledger.loadPair(pair)).toMatchObject({
      owned: { created, at: slot, proved: true },
      sourceCreated: null,
      lease: null,
    });
  });

  it('a source bucket lets the lineage go on with it, and gives nothing on the replica away', async () => {
    await left({ sourceCreated: '2025-01-01T00:00:00.000Z' });
    await decide(`adopt ${BUCKET} on prod created ${created}`);
    expect(await ledger.loadPair(pair)).toMatchObject({ sourceCreated: created, owned: null });
  });

  it.each([
    ['another bucket', `adopt sales/others on dr created ${created}`, `write: adopt ${BUCKET} on <cluster> created`],
    ['no instant', `adopt ${BUCKET} on dr created yesterday`, `write: adopt ${BUCKET} on <cluster> created`],
    ['another cluster', `adopt ${BUCKET} on lab created ${created}`, 'lab is no cluster of nightly: prod, dr'],
    ['more than the words', `adopt ${BUCKET} on dr created ${created} please`, `write: adopt ${BUCKET} on <cluster>`],
    ['other words', 'yes', 'write the words of the refusal'],
  ])('%s is refused, with the words to write', async (_what, words, message) => {
    await refusedWith(decide(words), 'NotConfirmed', message);
  });
});

describe('a change that is held back', () => {
  it('is accepted with the words of the refusal: the next run may follow it', async () => {
    await left({ hold });
    const recorded = await decide(`accept ${BUCKET} ${TARGET}`);
    expect(recorded).toMatchObject({ decision: 'accept', bucket: BUCKET });
    expect(await ledger.loadPair(pair)).toMatchObject({ hold: { ...hold, accepted: said }, lease: null });
  });

  it('is rejected: the replica stays where it is, and the reason is kept', async () => {
    await left({ hold });
    const recorded = await decide(`reject ${BUCKET} ${TARGET}`);
    expect(recorded.effect).toContain(`the replica stays at ${hold.base}`);
    expect(await ledger.loadPair(pair)).toMatchObject({ hold: { ...hold, rejected: said } });
  });

  it('that was rejected can be accepted later, and the other way round: the last word counts', async () => {
    await left({ hold });
    await decide(`reject ${BUCKET} ${TARGET}`);
    await decide(`accept ${BUCKET} ${TARGET}`);
    expect(await ledger.loadPair(pair)).toMatchObject({ hold: { accepted: said, rejected: null } });
    await decide(`reject ${BUCKET} ${TARGET}`);
    expect(await ledger.loadPair(pair)).toMatchObject({ hold: { accepted: null, rejected: said } });
  });

  it.each([
    ['another bucket', `accept sales/others ${TARGET}`],
    ['another snapshot', `accept ${BUCKET} odr-nightly-20261120t020000z-2`],
    ['a snapshot that was held before', `reject ${BUCKET} ${hold.base}`],
  ])('is not decided by words about %s; the refusal says the right ones', async (_what, words) => {
    await left({ hold });
    const [verdict] = words.split(' ');
    await refusedWith(decide(words), 'NotConfirmed', `write ${verdict} ${BUCKET} ${TARGET}`);
  });

  it('cannot be decided when there is none', async () => {
    await left({});
    await refusedWith(decide(`accept ${BUCKET} ${TARGET}`), 'NotConfirmed', `no change of ${BUCKET} is held back`);
  });
});

describe('a decision', () => {
  it('is kept with its words, who made it, why, and in which execution', async () => {
    await left({ hold });
    await decide(`accept ${BUCKET} ${TARGET}`);
    expect(await ledger.decisions(pair)).toEqual([
      { decision: 'accept', confirmation: `accept ${BUCKET} ${TARGET}`, execution: 'arn:decision', ...said },
    ]);
  });

  it.each([
    ['about the bucket', `accept ${BUCKET} ${TARGET}`, 'accept', 'lets the replica follow'],
    ['about a point', `pin ${BUCKET} ${nameOf('a')}`, 'pin', 'stays on the source'],
  ])('%s is recorded for good, with its effect, once', async (_what, words, decision, effect) => {
    await left({ hold });
    for (const point of historyOf({ source: 'a*', replica: 'a*' }).points) await ledger.putPoint(pair, point);
    await decide(words);
    await decide(words);
    const { at: _, ...who } = said;
    expect((await records.read(pair)).map(({ happening }) => happening)).toEqual([
      { kind: 'decision', decision, words, execution: 'arn:decision', effect: expect.stringContaining(effect), ...who },
    ]);
  });

  it('that is delivered twice says the same', async () => {
    await left({ hold });
    const first = await decide(`accept ${BUCKET} ${TARGET}`);
    const state = await ledger.loadPair(pair);
    expect(await decide(`accept ${BUCKET} ${TARGET}`)).toEqual(first);
    expect(await ledger.loadPair(pair)).toEqual({ ...state, fence: state.fence + 1 });
  });

  it('waits while a run works on the bucket, and says which', async () => {
    await left({ hold });
    await ledger.takeLease(
      await ledger.loadPair(pair),
      { runId: anotherRun, execution: 'arn:run' },
      epochMs(slot + 60_000),
    );
    running = ['arn:run'];
    await refusedWith(decide(`accept ${BUCKET} ${TARGET}`), 'RunAlreadyOpen', 'in the hands of arn:run');
    expect((await ledger.loadPair(pair)).lease?.execution).toBe('arn:run');
  });

  it('takes the bucket from a run that is over without having given it back', async () => {
    await left({ hold });
    await ledger.takeLease(
      await ledger.loadPair(pair),
      { runId: anotherRun, execution: 'arn:run' },
      epochMs(slot + 60_000),
    );
    await decide(`accept ${BUCKET} ${TARGET}`);
    expect(await ledger.loadPair(pair)).toMatchObject({ hold: { accepted: said }, lease: null });
  });

  it('goes on where its own function died with the bucket in its hands', async () => {
    await left({ hold });
    await ledger.takeLease(
      await ledger.loadPair(pair),
      { runId: anotherRun, execution: 'arn:decision' },
      epochMs(slot + 60_000),
    );
    running = ['arn:decision'];
    await decide(`accept ${BUCKET} ${TARGET}`);
    expect(await ledger.loadPair(pair)).toMatchObject({ hold: { accepted: said }, lease: null });
  });

  it.each([
    ['nobody', { by: '' }, 'EventInvalid'],
    ['no reason', { reason: '' }, 'EventInvalid'],
    ['a blank reason', { reason: '  ' }, 'EventInvalid'],
    ['a field that there is not', { force: true }, 'EventInvalid'],
    ['a bucket of no policy', { bucket: 'sales/others' }, 'EventInvalid'],
    ['a policy that there is not', { policy: 'weekly' }, 'PolicyInvalid'],
  ])('by %s is refused', async (_what, more, error) => {
    await left({ hold });
    await refusedWith(decide(`accept ${BUCKET} ${TARGET}`, more), error, '');
  });
});

describe('a point', () => {
  const NAME = nameOf('c');
  const pointNow = async () => (await ledger.livingPoints(pair)).find(({ name }) => name === NAME);
  beforeEach(async () => {
    for (const point of historyOf({ source: 'a* b* c', replica: 'a* b*' }).points) await ledger.putPoint(pair, point);
    const taken = historyOf({ source: 't1', run: 't1:taken' }).points[0];
    if (taken) await ledger.putPoint(pair, { ...taken, name: NAME });
  });

  it('is pinned while a run holds the bucket, and the run keeps it', async () => {
    await ledger.takeLease(
      await ledger.loadPair(pair),
      { runId: anotherRun, execution: 'arn:run' },
      epochMs(slot + 60_000),
    );
    running = ['arn:run'];
    const before = await ledger.loadPair(pair);
    const recorded = await decide(`pin ${BUCKET} ${NAME}`);
    expect(recorded).toEqual({
      decision: 'pin',
      bucket: BUCKET,
      effect: `${NAME} stays on the source until Ada unpins it`,
    });
    expect(await pointNow()).toMatchObject({ pins: [said] });
    expect(await ledger.loadPair(pair)).toEqual(before);
  });

  it.each([
    ['pin', `pin ${BUCKET} ${NAME}`],
    ['hold', `hold ${BUCKET} ${NAME} without end`],
    ['unpin', `unpin ${BUCKET} ${NAME}`],
    ['release', `release ${BUCKET} ${NAME}`],
  ])('%s is recorded with who and why; delivered twice it says the same', async (word, words) => {
    const first = await decide(words);
    const after = await pointNow();
    expect(await ledger.decisions(pair)).toEqual([
      { decision: word, confirmation: words, execution: 'arn:decision', ...said },
    ]);
    expect(await decide(words)).toEqual(first);
    expect(await pointNow()).toEqual(after);
  });

  it('is held, and released by another person', async () => {
    await decide(`hold ${BUCKET} ${NAME} until 2033-01-01T00:00:00Z`);
    expect(await pointNow()).toMatchObject({ holds: [{ ...said, until: Date.UTC(2033, 0, 1) }] });
    await decide(`release ${BUCKET} ${NAME}`, { by: 'Grace', reason: 'the case is closed' });
    expect(await pointNow()).toMatchObject({ holds: [] });
    expect(await ledger.decisions(pair)).toMatchObject([
      { decision: 'hold', by: 'Ada' },
      { decision: 'release', by: 'Grace', reason: 'the case is closed' },
    ]);
  });

  it('of a bucket that was taken out of the policy lately can be kept: a prune still looks after it', async () => {
    const { name, objectives, retention, ...rest } = policyOf('incremental');
    const version = { retention, ...objectives };
    await ledger.putPolicyState({
      policy: name,
      revision: 0,
      versions: [
        { since: epochMs(slot - 7_200_000), ...version, buckets: [BucketRef.parse(BUCKET)] },
        { since: epochMs(slot - 3_600_000), ...version, buckets: [BucketRef.parse('sales/others')] },
      ],
    });
    const decided = recordDecision({
      policies: [{ name, objectives, retention, ...rest, buckets: [BucketRef.parse('sales/others')] }],
      ledger,
      operations,
      records,
      workflow: { isRunning: async () => false },
      clock: { now: () => slot },
    })({
      request: { policy: name, bucket: BUCKET, decision: `pin ${BUCKET} ${NAME}`, by: 'Ada', reason: 'audit' },
      execution: 'arn:decision',
      startedAt: '2026-11-20T02:00:00Z',
    });
    await expect(decided).resolves.toMatchObject({ decision: 'pin' });
    expect(await pointNow()).toMatchObject({ pins: [{ by: 'Ada' }] });
  });

  it('that is not there is refused, with the nearest names', async () => {
    await refusedWith(
      decide(`pin ${BUCKET} ${nameOf('b').replace('-1', '-2')}`),
      'NotConfirmed',
      `did you mean ${nameOf('b')} or`,
    );
  });

  it('of a bucket without points is refused too', async () => {
    ledger = memoryLedger();
    await refusedWith(decide(`pin ${BUCKET} ${NAME}`), 'NotConfirmed', 'it has no points yet');
  });

  /** Somebody else changes the point between each look and the write. */
  const interrupted = (times: number, change: Parameters<typeof ledger.changePoint>[2]) => {
    const { changePoint } = ledger;
    let left = times;
    ledger = {
      ...ledger,
      changePoint: async (of, seen, patch) => {
        if (left-- > 0) await changePoint(of, seen, change);
        return changePoint(of, seen, patch);
      },
    };
  };

  it('that somebody else pins at the same moment has both pins', async () => {
    interrupted(2, { pins: [{ ...said, by: 'Grace' }] });
    await decide(`pin ${BUCKET} ${NAME}`);
    expect((await pointNow())?.pins.map(({ by }) => by)).toEqual(['Grace', 'Ada']);
    expect(await ledger.decisions(pair)).toHaveLength(1);
  });

  it('that a prune begins to delete at the same moment is not called pinned', async () => {
    const deleting = { state: 'deleting', plan: null, condemnedAt: slot, deletedAt: null } as const;
    interrupted(1, { removal: { source: deleting, replica: null } });
    await expect(decide(`pin ${BUCKET} ${NAME}`)).rejects.toMatchObject({
      name: 'NotConfirmed',
      message: expect.stringContaining('is being deleted on the source right now'),
    });
    expect(await pointNow()).toMatchObject({ pins: [] });
  });

  it('that others change without end is given up, and says so', async () => {
    interrupted(1000, { pins: [] });
    await expect(decide(`pin ${BUCKET} ${NAME}`)).rejects.toMatchObject({
      name: 'RunAlreadyOpen',
      message: expect.stringContaining('nothing was done, decide again'),
    });
  });
});

describe('a policy as a whole', () => {
  const nightly = PolicyName.parse('nightly');
  const decideOnPolicy = (decision: string, more: object = {}, execution = 'arn:decision') =>
    decide(decision, { bucket: undefined, ...more }, execution);

  it('is paused with who, why and since when, on the record of its buckets', async () => {
    const { effect } = await decideOnPolicy('pause nightly');
    expect(effect).toMatch(
      /paused since 2026-.* by Ada \(quarterly clean-up\).*What runs goes on; a run that a person starts still runs/,
    );
    expect(await ledger.loadPolicyState(nightly)).toMatchObject({ paused: said });
    expect(await records.read(pair)).toMatchObject([
      { happening: { kind: 'decision', decision: 'pause', words: 'pause nightly', by: 'Ada' } },
    ]);
  });

  it('is resumed, and the pause is over for good', async () => {
    await decideOnPolicy('pause nightly');
    const { effect } = await decideOnPolicy('resume nightly', { by: 'Bob' }, 'arn:resume');
    expect(effect).toContain('goes on with its next slots');
    expect(await ledger.loadPolicyState(nightly)).toMatchObject({ paused: null });
    expect(await records.read(pair)).toHaveLength(2);
  });

  it('keeps the name of the first who paused it, and a call that is repeated changes nothing', async () => {
    await decideOnPolicy('pause nightly');
    const { effect } = await decideOnPolicy('pause nightly', { by: 'Bob', reason: 'too' }, 'arn:bob');
    expect(effect).toMatch(/^nothing changed: .* by Ada/);
    expect(await ledger.loadPolicyState(nightly)).toMatchObject({ revision: 1, paused: { by: 'Ada' } });
    await decideOnPolicy('resume nightly', {}, 'arn:resume');
    expect((await decideOnPolicy('resume nightly', {}, 'arn:resume')).effect).toContain('is not paused');
  });

  it('is paused under a lease of its buckets: a run in flight is no obstacle', async () => {
    await ledger.takeLease(
      await ledger.loadPair(pair),
      { runId: anotherRun, execution: 'arn:run' },
      epochMs(slot + 9e5),
    );
    running = ['arn:run'];
    await decideOnPolicy('pause nightly');
    expect((await ledger.loadPolicyState(nightly)).paused).toEqual(said);
  });

  it('is paused although others write its state at the same moment', async () => {
    const { putPolicyState } = ledger;
    let lost = 0;
    ledger.putPolicyState = async (state) => {
      if (lost++ < 2) {
        await putPolicyState({ ...(await ledger.loadPolicyState(nightly)), turns: [] });
        return false;
      }
      return putPolicyState(state);
    };
    await decideOnPolicy('pause nightly');
    expect(await ledger.loadPolicyState(nightly)).toMatchObject({ turns: [], paused: said });
    ledger.putPolicyState = async () => false;
    await expect(decideOnPolicy('resume nightly')).rejects.toMatchObject({ name: 'StoreThrottled' });
  });

  it.each<readonly [string, string, object, string, string]>([
    ['the name of another policy', 'pause weekly', {}, 'NotConfirmed', 'write: pause nightly'],
    ['no name', 'resume', {}, 'NotConfirmed', 'write: resume nightly'],
    ['a bucket as well', 'pause nightly', { bucket: BUCKET }, 'EventInvalid', 'leave the bucket out'],
    ['a policy that is none', 'pause weekly', { policy: 'weekly' }, 'PolicyInvalid', 'there is no policy weekly'],
    ['words about a bucket, and no bucket', `pin ${BUCKET} x`, {}, 'EventInvalid', 'say which bucket'],
  ])('is left alone by %s', async (_sentence, words, more, name, message) => {
    await refusedWith(decideOnPolicy(words, more), name, message);
    expect((await ledger.loadPolicyState(nightly)).revision).toBe(0);
  });
});
