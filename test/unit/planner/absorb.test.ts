import { describe, expect, it } from 'vitest';
import type { Observation, PairState, RunStep } from '../../../functions/core/domain/ledger.ts';
import { HostId } from '../../../functions/core/domain/names.ts';
import { absorb } from '../../../functions/core/planner/absorb.ts';
import type { RunHistory } from '../../../functions/core/planner/history.ts';
import { baseOf, historyOf, nameOf, noon, operationOf, seen, targetOf, type World } from './world.ts';

const lastStep = (history: RunHistory): RunStep => {
  const step = history.steps.at(-1);
  if (!step) throw new Error('the world has steps');
  return step;
};
const change = (world: World, observed: Observation, pair: Partial<PairState> = {}) => {
  const history = historyOf(world);
  const step = lastStep(history);
  return absorb({ ...history, pair: { ...history.pair, ...pair } }, step, observed, operationOf(step.n), noon);
};

const create = { kind: 'create-snapshot', name: nameOf('t1'), attempt: 1, base: null } as const;
const replicate = { kind: 'replicate', mode: 'incremental', base: baseOf('a'), target: targetOf('t1') } as const;
const verify = { kind: 'verify', target: targetOf('t1'), sealId: seen('t1', 'replica').id, level: 'listing' } as const;
const created = (isNew: boolean): Observation => ({
  kind: 'snapshot',
  created: isNew,
  snapshot: seen('t1', 'source'),
  diff: 'not-asked',
});
const listing = { files: 2, dirs: 1, bytes: 9 as never, digest: 'a'.repeat(64) };
const compared = (equal: boolean): Observation => ({
  kind: 'verify',
  data: {
    level: 'listing',
    equal,
    source: listing,
    replica: listing,
    onlySource: equal ? 0 : 1,
    onlyReplica: 0,
    changed: 0,
    checksums: null,
    first: equal ? [] : [{ path: 'a/b', source: 'F 3', replica: null }],
  },
});
const noAnswer: Observation = { kind: 'no-answer', error: 'EdgeInterrupted', cause: 'killed' };
const dirtyNow = { dirtySince: { operation: operationOf(1), at: noon } };

describe('what an answer changes in the ledger', () => {
  it('a snapshot that was created is a taken point', () => {
    const { points } = change({ source: '', replica: '', after: [[create, null]] }, created(true));
    expect(points).toMatchObject([{ name: nameOf('t1'), state: 'taken', source: { id: seen('t1', 'source').id } }]);
  });

  it('a snapshot that was there before and that we never meant to create is not ours', () => {
    expect(change({ source: '', replica: '', after: [[create, null]] }, created(false)).points).toEqual([]);
  });

  it('a snapshot that was there because our first answer was lost is ours', () => {
    const world: World = {
      source: '',
      replica: '',
      after: [
        [create, noAnswer],
        [create, null],
      ],
    };
    expect(change(world, created(false)).points).toMatchObject([{ state: 'taken' }]);
  });

  it('a survey finds what an unanswered create left', () => {
    const world: World = { source: 't1', replica: '', after: [[create, noAnswer]] };
    const history = historyOf(world);
    const survey = history.steps[0]?.observed;
    if (survey?.kind !== 'survey') throw new Error('the first step is a survey');
    const result = absorb(history, { ...lastStep(history), n: 9 }, survey, operationOf(9), noon);
    expect(result.points).toMatchObject([{ name: nameOf('t1'), state: 'taken' }]);
  });

  it('a survey finds the seal of an unanswered copy', () => {
    const world: World = { source: 'a* t1', replica: 'a* t1', run: 't1:taken', after: [[replicate, noAnswer]] };
    const history = historyOf(world);
    const survey = history.steps[0]?.observed;
    if (survey?.kind !== 'survey') throw new Error('the first step is a survey');
    const result = absorb(history, { ...lastStep(history), n: 9 }, survey, operationOf(9), noon);
    expect(result.points).toMatchObject([
      { state: 'sealed', replica: { id: seen('t1', 'replica').id }, mode: 'incremental' },
    ]);
  });

  it('a namesake on the replica that no copy of ours can have sealed stays foreign', () => {
    const world: World = { source: 'a* t1', replica: 'a* t1', run: 't1:taken' };
    const history = historyOf(world);
    const step = lastStep(history);
    if (step.observed?.kind !== 'survey') throw new Error('the first step is a survey');
    expect(absorb(history, step, step.observed, operationOf(0), noon).points).toEqual([]);
  });

  it('an equal pair becomes the base, the old one the base before it, and the replica is clean', () => {
    const world: World = { source: 'a* t1', replica: 'a* t1', run: 't1:sealed', dirty: true, after: [[verify, null]] };
    const { points, pair } = change(world, compared(true));
    expect(points).toMatchObject([{ state: 'verified', verification: { level: 'listing', differences: null } }]);
    expect(pair).toMatchObject({
      base: { name: nameOf('t1') },
      previousBase: { name: nameOf('a') },
      dirtySince: null,
      foreignChange: null,
    });
  });

  it('a verified pair proves a claim whose answer was lost, and claims nothing by itself', () => {
    const world: World = { source: 't1', replica: 't1', run: 't1:sealed', after: [[verify, null]] };
    const owned = { created: 'c', at: noon, proved: false };
    expect(change(world, compared(true), { owned }).pair).toMatchObject({ owned: { created: 'c', proved: true } });
    expect(change(world, compared(false), { owned }).pair).not.toHaveProperty('owned');
    expect(change(world, compared(true), { owned: null }).pair).not.toHaveProperty('owned');
  });

  it('asked twice, the base before it stays', () => {
    const world: World = { source: 'a* t1', replica: 'a* t1', run: 't1:sealed', after: [[verify, null]] };
    const { pair } = change(world, compared(true), { base: baseOf('t1'), previousBase: baseOf('a') });
    expect(pair).toMatchObject({ base: { name: nameOf('t1') }, previousBase: { name: nameOf('a') } });
  });

  it('a pair that differs condemns only the copy, and the replica stays dirty', () => {
    const world: World = { source: 'a* t1', replica: 'a* t1', run: 't1:sealed', dirty: true, after: [[verify, null]] };
    const { points, pair } = change(world, compared(false));
    expect(points).toMatchObject([
      {
        state: 'differs',
        source: { id: seen('t1', 'source').id },
        replica: { condemned: true },
        verification: { differences: expect.stringContaining('a/b') },
      },
    ]);
    expect(pair).toEqual({});
  });

  it('the answer for another seal than the recorded one proves nothing', () => {
    const other = { ...verify, sealId: seen('a', 'replica').id };
    const world: World = { source: 'a* t1', replica: 'a* t1', run: 't1:sealed', after: [[other, null]] };
    expect(change(world, compared(true))).toEqual({ points: [], pair: {} });
  });

  const refused = (outcome: 'refused' | 'failed' | 'unreachable', code: string): Observation => ({
    kind: 'not-done',
    outcome,
    code,
    message: '',
    data: null,
    deletion: null,
  });
  const copying: World = { source: 'a* t1', replica: 'a*', run: 't1:taken', after: [[replicate, null]] };

  it('a copy that was refused takes back the doubt that it raised itself', () => {
    expect(change(copying, refused('refused', 'diff-pending'), dirtyNow).pair).toMatchObject({ dirtySince: null });
  });

  it('but not the doubt of an operation before it', () => {
    const earlier = { dirtySince: { operation: operationOf(0), at: noon } };
    expect(change(copying, refused('refused', 'diff-pending'), earlier).pair).not.toHaveProperty('dirtySince');
  });

  it('a copy that failed leaves the replica in doubt', () => {
    expect(change(copying, refused('failed', 'copy-failed'), dirtyNow).pair).not.toHaveProperty('dirtySince');
  });

  it('a replica that had changed since a clean base was changed by somebody else', () => {
    expect(change(copying, refused('failed', 'target-modified'), dirtyNow).pair).toMatchObject({
      foreignChange: { operation: operationOf(1) },
    });
  });

  it('a replica that was in doubt before proves nothing about somebody else', () => {
    const earlier = { dirtySince: { operation: operationOf(0), at: noon } };
    expect(change(copying, refused('failed', 'target-modified'), earlier).pair).not.toHaveProperty('foreignChange');
  });

  const claimed = { owned: { created: 'c', at: noon, proved: false } };
  it('a claim is proved by a copy that started, and given up when the bucket was not empty', () => {
    expect(change(copying, refused('failed', 'copy-failed'), claimed).pair).toMatchObject({ owned: { proved: true } });
    expect(change(copying, refused('refused', 'replica-not-empty'), claimed).pair).toMatchObject({ owned: null });
    expect(change(copying, refused('refused', 'bucket-busy'), claimed).pair).not.toHaveProperty('owned');
  });

  it('a host that answered a copy keeps a fence from then on', () => {
    const pinned = { pinned: { host: 'mi-0123456789abcdef0' as never, seeded: false } };
    expect(change(copying, refused('failed', 'copy-failed'), pinned).pair).toMatchObject({ pinned: { seeded: true } });
    expect(change(copying, refused('refused', 'bucket-busy'), pinned).pair).not.toHaveProperty('pinned');
    expect(change(copying, refused('unreachable', 'connection'), pinned).pair).not.toHaveProperty('pinned');
  });

  describe('of a bucket in which nothing happened', () => {
    const seal = { kind: 'seal-unchanged', target: targetOf('t1'), base: baseOf('a'), level: 'listing' } as const;
    const world: World = { source: 'a* t1', replica: 'a*', run: 't1:taken', after: [[seal, null]] };
    const unchanged: Observation = {
      kind: 'unchanged',
      data: { unchanged: true, seal: seen('t1', 'replica'), summary: { files: 2, dirs: 1, bytes: 9 as never } },
    };

    it('the point is sealed and verified at once, with the digest of its base, and the next base', () => {
      const pinned = { host: HostId.parse('mi-0123456789abcdef0'), seeded: false };
      const { points, pair } = change(world, unchanged, { pinned });
      expect(points).toMatchObject([
        {
          name: nameOf('t1'),
          state: 'verified',
          mode: 'incremental',
          base: nameOf('a'),
          changed: false,
          bytesCopied: 0,
          filesCopied: 0,
          replica: { id: seen('t1', 'replica').id, condemned: false },
          verification: { level: 'listing', digest: 'f'.repeat(64), files: 2, bytes: 9, checksums: null },
        },
      ]);
      expect(pair).toMatchObject({
        base: { name: nameOf('t1'), replicaId: seen('t1', 'replica').id },
        previousBase: { name: nameOf('a') },
        pinned: { seeded: true },
      });
    });

    it('where the base was compared by checksum, no checksum is left to compare', () => {
      const byChecksum = { ...world, after: [[{ ...seal, level: 'changed' as const }, null]] } satisfies World;
      expect(change(byChecksum, unchanged).points).toMatchObject([
        { verification: { level: 'changed', checksums: 0 } },
      ]);
    });

    it('the same answer again changes nothing', () => {
      const history = historyOf({ ...world, run: 't1:verified' });
      expect(absorb(history, lastStep(history), unchanged, operationOf(1), noon).points).toEqual([]);
    });

    it('a bucket that changed is left to the ordinary way', () => {
      expect(change(world, { kind: 'unchanged', data: { unchanged: false } })).toEqual({ points: [], pair: {} });
    });

    it('a replica that is not what its base was has been written to by somebody else', () => {
      const answer: Observation = {
        kind: 'not-done',
        outcome: 'failed',
        code: 'replica-modified',
        message: 'as the host says',
        data: null,
        deletion: null,
      };
      const doubt = { operation: operationOf(1), at: noon };
      expect(change(world, answer).pair).toEqual({ dirtySince: doubt, foreignChange: doubt });
      expect(change(world, { ...answer, code: 'target-missing' })).toEqual({ points: [], pair: {} });
      expect(change(world, noAnswer)).toEqual({ points: [], pair: {} });
    });
  });
});
