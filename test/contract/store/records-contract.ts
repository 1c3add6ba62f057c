import { beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../../functions/adapters/sha256.ts';
import { verifyChain } from '../../../functions/core/domain/chain.ts';
import {
  BucketRef,
  ClusterName,
  type PairId,
  pairId,
  type RunId,
  runId,
  SnapshotId,
  snapshotName,
} from '../../../functions/core/domain/names.ts';
import type { Happening } from '../../../functions/core/domain/record.ts';
import { type EpochMs, epochMs } from '../../../functions/core/domain/units.ts';
import type { Records } from '../../../functions/core/ports.ts';
import { policyOf, slot } from '../../unit/planner/world.ts';

const policy = policyOf('resync').name;
const at = (minutes: number): EpochMs => epochMs(slot + minutes * 60_000);
let count = 0;
const freshPair = (): PairId => {
  count += 1;
  return pairId(ClusterName.parse('prod'), BucketRef.parse(`sales/records-${count}`), ClusterName.parse('dr'));
};
const runOf = (pair: PairId): RunId => runId(pair, policy, slot);
const verified = (pair: PairId, detail: string): Happening => ({
  kind: 'verified',
  runId: runOf(pair),
  name: snapshotName(policy, slot, 1),
  equal: true,
  detail,
});
const details = async (records: Records, pair: PairId): Promise<readonly string[]> =>
  (await records.read(pair)).map(({ happening }) =>
    happening.kind === 'verified' ? happening.detail : happening.kind,
  );

const counted = freshPair();
/** Something to record, the n-th of its pair. */
export const aRecord = (n: number): Parameters<Records['append']> => [counted, `id-${n}`, verified(counted, ''), at(n)];

/** What the records promise, wherever they are kept. */
export const describeRecords = (engine: string, open: () => Promise<Records>): void => {
  describe(`the records on ${engine}`, () => {
    let records: Records;
    beforeAll(async () => {
      records = await open();
    });
    const check = async (pair: PairId) => verifyChain(sha256, pair, await records.links(pair));

    it('of a pair that nothing happened to are empty, and whole', async () => {
      const pair = freshPair();
      expect(await records.read(pair)).toEqual([]);
      expect(await check(pair)).toEqual({ kind: 'whole', head: { n: 0, hash: '0'.repeat(64) } });
    });

    it('are read as they were written, oldest first, more than ten of them', async () => {
      const pair = freshPair();
      const words = Array.from({ length: 12 }, (_, i) => `${i} ß "quoted" \u0000 𝄞`);
      for (const [i, word] of words.entries()) await records.append(pair, `id-${i}`, verified(pair, word), at(i));
      expect(await details(records, pair)).toEqual(words);
      const entries = await records.read(pair);
      expect(entries.map((it) => [it.n, it.id, it.at, it.pair])).toEqual(
        words.map((_, i) => [i + 1, `id-${i}`, at(i), pair]),
      );
      expect(entries.slice(1).map((it) => it.previous)).toEqual(entries.slice(0, -1).map((it) => it.hash));
      expect(await check(pair)).toMatchObject({ kind: 'whole', head: { n: 12, hash: entries.at(-1)?.hash } });
    });

    it('of one pair are not those of another whose name begins alike', async () => {
      const [one, other] = [freshPair(), freshPair()];
      await records.append(one, 'id', verified(one, 'one'), at(0));
      await records.append(other, 'id', verified(other, 'other'), at(0));
      expect(await details(records, one)).toEqual(['one']);
      expect(await details(records, other)).toEqual(['other']);
    });

    it('do not take the same thing twice in a row', async () => {
      const pair = freshPair();
      for (const minute of [0, 1]) await records.append(pair, 'id', verified(pair, 'one'), at(minute));
      expect(await records.links(pair)).toHaveLength(1);
    });

    it('may hold an older repetition, which readers do not see', async () => {
      const pair = freshPair();
      for (const id of ['one', 'two', 'one']) await records.append(pair, id, verified(pair, id), at(0));
      expect(await records.links(pair)).toHaveLength(3);
      expect(await details(records, pair)).toEqual(['one', 'two']);
      expect(await check(pair)).toMatchObject({ kind: 'whole' });
    });

    it('lose nothing when several write at once', async () => {
      const pair = freshPair();
      const ids = ['a', 'b', 'c', 'd', 'e'];
      await Promise.all(ids.map((id) => records.append(pair, id, verified(pair, id), at(0))));
      expect((await details(records, pair)).toSorted()).toEqual(ids);
      expect(await check(pair)).toMatchObject({ kind: 'whole', head: { n: 5 } });
    });

    const snapshots = (length: number, reasons: readonly string[]) =>
      Array.from({ length }, (_, i) => ({
        side: 'source' as const,
        name: snapshotName(policy, at(i), 1),
        id: SnapshotId.parse(`00000000-0000-4000-8000-${String(i).padStart(12, '0')}`),
        reasons: [...reasons],
      }));

    it('take a list that is longer than an entry in several, and again only what is missing', async () => {
      const pair = freshPair();
      const happening: Happening = {
        kind: 'spared',
        runId: runOf(pair),
        snapshots: snapshots(1500, ['because '.repeat(40)]),
      };
      await records.append(pair, 'plan', happening, at(0));
      const entries = await records.read(pair);
      expect(entries.length).toBeGreaterThan(1);
      expect(entries.map((it) => it.id)).toEqual(entries.map((_, i) => (i === 0 ? 'plan' : `plan/${i + 1}`)));
      expect(entries.flatMap((it) => (it.happening.kind === 'spared' ? it.happening.snapshots : []))).toEqual(
        happening.snapshots,
      );
      await records.append(pair, 'plan', happening, at(1));
      expect(await records.links(pair)).toHaveLength(entries.length);
    });

    it('refuse what cannot be an entry, and write nothing', async () => {
      const pair = freshPair();
      const wrong = { kind: 'verified', runId: runOf(pair), name: '/', equal: true, detail: '' } as never;
      await expect(records.append(pair, 'id', wrong, at(0))).rejects.toMatchObject({ name: 'ItemInvalid' });
      await expect(records.append(pair, '', verified(pair, ''), at(0))).rejects.toMatchObject({ name: 'ItemInvalid' });
      const endless: Happening = {
        kind: 'decision',
        decision: 'x'.repeat(300_000),
        words: '',
        by: '',
        reason: '',
        execution: '',
        effect: '',
      };
      await expect(records.append(pair, 'id', endless, at(0))).rejects.toMatchObject({ name: 'ItemInvalid' });
      expect(await records.links(pair)).toEqual([]);
    });
  });
};

export interface InterleavedRecords {
  readonly records: Records;
  /** The same table, for the others. */
  readonly others: Records;
  /** Runs before each of the next so many writes of `records`. */
  readonly beforeNextPuts: (times: number, work: (n: number) => Promise<void>) => void;
}

/** What holds when somebody else writes between the look at the newest entry and the write of the next one. */
export const describeInterleavedRecords = (engine: string, open: () => Promise<InterleavedRecords>): void => {
  describe(`the records on ${engine}, written by two`, () => {
    let store: InterleavedRecords;
    beforeAll(async () => {
      store = await open();
    });

    it('hold both, one after the other', async () => {
      const pair = freshPair();
      store.beforeNextPuts(1, () => store.others.append(pair, 'faster', verified(pair, 'faster'), at(0)));
      await store.records.append(pair, 'slower', verified(pair, 'slower'), at(0));
      expect(await details(store.others, pair)).toEqual(['faster', 'slower']);
      expect(verifyChain(sha256, pair, await store.others.links(pair))).toMatchObject({ kind: 'whole' });
    });

    it('hold what was put once, also when its answer was lost and it was sent again', async () => {
      const pair = freshPair();
      store.beforeNextPuts(1, () => store.others.append(pair, 'mine', verified(pair, 'mine'), at(0)));
      await store.records.append(pair, 'mine', verified(pair, 'mine'), at(0));
      expect(await store.others.links(pair)).toHaveLength(1);
    });

    it('say so when others are faster again and again, and nothing is lost of theirs', async () => {
      const pair = freshPair();
      store.beforeNextPuts(10, (n) => store.others.append(pair, `faster-${n}`, verified(pair, `${n}`), at(0)));
      await expect(store.records.append(pair, 'slower', verified(pair, 'slower'), at(0))).rejects.toMatchObject({
        name: 'StoreThrottled',
      });
      expect(verifyChain(sha256, pair, await store.others.links(pair))).toMatchObject({ head: { n: 10 } });
    });
  });
};
