import { describe, expect, it } from 'vitest';
import { epochMs, later, seconds } from '../../../functions/core/domain/units.ts';
import { decideRestore } from '../../../functions/core/planner/decide-restore.ts';
import {
  bucketMade,
  compared,
  copied,
  earlierScratch,
  elapsed,
  kept,
  looked,
  madeNow,
  noAnswer,
  notDone,
  type RestoreWorld,
  removed,
  restoreHistory,
  scratchBucket,
  targetCreated,
} from './restore-world.ts';
import { nameOf, slot } from './world.ts';

const aMinuteIn = later(slot, seconds(60));
const decide = (world: RestoreWorld, now = aMinuteIn) => {
  const { history, task } = restoreHistory(world);
  return decideRestore(history, task, now);
};

type Row = readonly [sentence: string, world: RestoreWorld, expected: object];
const decides = (rows: readonly Row[]) =>
  it.each(rows)('%s', (_sentence, world, expected) => {
    expect(decide(world)).toMatchObject(expected);
  });

const examine = (from: 'source' | 'replica' = 'source') => ({ kind: 'examine', from }) as const;
const wait = { kind: 'wait' } as const;
const create = { kind: 'create-target' } as const;
const keep = { kind: 'safety-snapshot' } as const;
const copy = { kind: 'restore' } as const;
const compare = { kind: 'compare' } as const;
const remove = { kind: 'remove-scratch' } as const;
const fails = (error: string, remedy?: string) => ({
  kind: 'fail',
  error,
  ...(remedy ? { remedy: expect.stringContaining(remedy) } : {}),
});
/** An empty bucket at the target, and one that has some of the files already. */
const empty = looked({ absent: 10 });
const half = looked({ absent: 4, same: 5, other: 1 });
const gone = notDone('target-missing');
const away = notDone('om-unreachable', 'unreachable');

describe('which copy of a point is read', () => {
  decides([
    ['that on the cluster of the target comes first', {}, examine('source')],
    ['on the other cluster that is the replica', { target: 'other', on: 'dr' }, examine('replica')],
    ['the other one when there is no nearer', { sides: 'replica' }, examine('replica')],
    ['no copy at all is a point that is gone', { sides: 'none' }, fails('PointGone', 'another point')],
    ['the other one when the nearest is not there any more', { did: [[examine(), gone]] }, examine('replica')],
    [
      'the other one when the nearest has another id',
      { did: [[examine(), notDone('target-other')]] },
      examine('replica'),
    ],
    ['the other one when the nearest cannot be reached', { did: [[examine(), away]] }, examine('replica')],
    [
      'the other one when the nearest may not be read',
      { did: [[examine(), notDone('permission-denied')]] },
      examine('replica'),
    ],
    [
      'both gone: so is the point',
      {
        did: [
          [examine(), gone],
          [examine('replica'), notDone('target-other')],
        ],
      },
      { ...fails('PointGone'), reason: expect.stringMatching(/prod.* dr/) },
    ],
    [
      'the only one gone: so is the point',
      { sides: 'source', did: [[examine(), notDone('source-missing')]] },
      fails('PointGone'),
    ],
    [
      'the bucket of the nearest gone, the other read: go on with the other',
      {
        did: [
          [examine(), notDone('source-missing')],
          [examine('replica'), looked('missing')],
        ],
      },
      create,
    ],
    [
      'one gone and the other only away: wait for the other',
      {
        did: [
          [examine(), gone],
          [examine('replica'), away],
        ],
      },
      wait,
    ],
    [
      'one away and the other gone: wait for the one',
      {
        did: [
          [examine(), away],
          [examine('replica'), gone],
        ],
      },
      wait,
    ],
    [
      'and then ask that one again, not the one that is gone',
      {
        did: [
          [examine(), gone],
          [examine('replica'), away],
          [wait, elapsed],
        ],
      },
      examine('replica'),
    ],
    [
      'away and gone, in the other order: ask the one that was away',
      {
        did: [
          [examine(), away],
          [examine('replica'), gone],
          [wait, elapsed],
        ],
      },
      examine('source'),
    ],
    [
      'both away as often as the policy tries: a person looks',
      {
        did: [
          [examine(), away],
          [examine('replica'), away],
          [wait, elapsed],
          [examine(), away],
        ],
      },
      fails('EdgeUnreachable'),
    ],
    ['no answer: wait, and ask the same again', { did: [[examine(), noAnswer()]] }, wait],
    [
      '… the same again',
      {
        did: [
          [examine(), noAnswer()],
          [wait, elapsed],
        ],
      },
      examine('source'),
    ],
    [
      'never an answer: give up',
      {
        did: [
          [examine(), noAnswer()],
          [wait, elapsed],
          [examine(), noAnswer()],
          [wait, elapsed],
          [examine(), noAnswer()],
        ],
      },
      fails('EdgeInterrupted'),
    ],
    [
      'an answer that nobody understands is a bug',
      { did: [[examine(), noAnswer('EdgeReplyInvalid')]] },
      fails('EdgeReplyInvalid'),
    ],
    ['an open look is attached to', { did: [[examine('replica'), null]] }, examine('replica')],
  ]);
});

describe('a copy that is not what was verified', () => {
  const other = looked('missing', { digest: 'e' });
  decides([
    ['the other one is looked at', { did: [[examine(), other]] }, examine('replica')],
    [
      'the other one is as verified: go on with it',
      {
        did: [
          [examine(), other],
          [examine('replica'), looked('missing')],
        ],
      },
      create,
    ],
    [
      'both are not: nothing is restored',
      {
        did: [
          [examine(), other],
          [examine('replica'), other],
        ],
      },
      fails('RestoreDiffers', 'another point'),
    ],
    [
      'the only one is not: nothing is restored',
      { sides: 'source', did: [[examine(), other]] },
      fails('RestoreDiffers'),
    ],
    [
      'the other one cannot be read: nothing is restored, and nobody asks for ever',
      {
        did: [
          [examine(), other],
          [examine('replica'), gone],
        ],
      },
      fails('RestoreDiffers'),
    ],
    ['nothing was ever verified: nothing to compare with', { digest: null, did: [[examine(), other]] }, create],
    ['of a part the ledger knows no digest', { selection: true, did: [[examine(), other]] }, create],
    [
      'what an earlier execution looked at does not count as looked at',
      {
        run: { factsFrom: 3 },
        did: [
          [examine(), other],
          [examine('replica'), empty],
          [copy, notDone('x', 'failed')],
          [examine(), other],
        ],
      },
      examine('replica'),
    ],
  ]);
});

describe('what no target could make good', () => {
  decides([
    [
      'paths that the point does not have',
      { selection: true, did: [[examine(), looked(empty ? { absent: 1 } : 'missing', { unmatched: 2 })]] },
      { ...fails('PathsNotFound', 'Correct'), reason: expect.stringContaining('no/such') },
    ],
    [
      'a source of objects',
      { did: [[examine(), looked('missing', { source: { layout: 'OBJECT_STORE' } })]] },
      fails('LayoutUnsupported', 'recovery plan'),
    ],
    [
      'a backup of a bucket of objects',
      { envelope: { layout: 'OBJECT_STORE' as never }, did: [[examine(), looked('missing')]] },
      fails('LayoutUnsupported'),
    ],
    [
      'a target of objects',
      { target: 'other', did: [[examine(), looked({ absent: 10, bucket: { layout: 'OBJECT_STORE' } })]] },
      fails('LayoutUnsupported', 'side bucket'),
    ],
  ]);
});

describe('the target', () => {
  const missing = { did: [[examine(), looked('missing')]] } as const;
  decides([
    [
      'a side bucket is made as the backed up one was, without its quota',
      missing,
      {
        ...create,
        layout: 'LEGACY',
        replication: 'EC/rs-3-2-1024k',
        encryptionKey: 'key1',
        quotaBytes: 0,
        quotaNamespace: 0,
      },
    ],
    [
      'another bucket too',
      { ...missing, target: 'other', on: 'prod' },
      { ...create, bucket: 'sales/elsewhere', quotaBytes: 0, layout: 'LEGACY' },
    ],
    [
      'a lost bucket comes back with its quota',
      { ...missing, target: 'in-place' },
      { ...create, bucket: 'sales/orders', quotaBytes: 5000, quotaNamespace: 50, replication: 'EC/rs-3-2-1024k' },
    ],
    [
      'no quota is none',
      { ...missing, target: 'in-place', envelope: { quotaInBytes: -1, quotaInNamespace: -2 } },
      { ...create, quotaBytes: 0, quotaNamespace: 0 },
    ],
    [
      'a scratch bucket follows its cluster and is not encrypted',
      { purpose: 'drill', did: [[examine('replica'), looked('missing')]] },
      { ...create, bucket: scratchBucket, layout: 'LEGACY', replication: '', encryptionKey: null, quotaBytes: 0 },
    ],
    [
      'of a point without properties it is made as the bucket is that was read',
      { ...missing, envelope: null },
      { ...create, layout: 'FILE_SYSTEM_OPTIMIZED', replication: 'RATIS/THREE', encryptionKey: null },
    ],
    [
      'a new one is written to',
      {
        did: [
          [examine(), looked('missing')],
          [create, bucketMade()],
        ],
      },
      { ...copy, targetCreated: madeNow },
    ],
    [
      'one that was there all of a sudden is looked at first',
      {
        did: [
          [examine(), looked('missing')],
          [create, bucketMade(false)],
        ],
      },
      examine('source'),
    ],
    [
      'no answer to making it: make it again',
      {
        did: [
          [examine(), looked('missing')],
          [create, noAnswer()],
          [wait, elapsed],
        ],
      },
      create,
    ],
    ['a target that does not answer is waited for', { did: [[examine(), looked('unreachable')]] }, wait],
    [
      '… and looked at again',
      {
        did: [
          [examine(), looked('unreachable')],
          [wait, elapsed],
        ],
      },
      examine('source'),
    ],
    [
      '… but not for ever',
      {
        did: [
          [examine(), looked('unreachable')],
          [wait, elapsed],
          [examine(), looked('unreachable')],
          [wait, elapsed],
          [examine(), looked('unreachable')],
        ],
      },
      fails('EdgeUnreachable', 'again'),
    ],
    ['a listing that broke off is tried again', { did: [[examine(), looked('unreadable')]] }, wait],
    [
      'a target that may not be read is for a person',
      { did: [[examine(), looked('denied')]] },
      fails('AccessDenied', 'Grant'),
    ],
  ]);
});

describe('room at the target', () => {
  const quota = (bucket: object, at: object = {}): RestoreWorld => ({
    target: 'other',
    did: [[examine(), looked({ absent: 10, ...at, bucket: { usedBytes: 100, quotaInBytes: 400, ...bucket } })]],
  });
  decides([
    ['three copies of each byte fit exactly', quota({}), copy],
    ['one byte less and they do not', quota({ quotaInBytes: 399 }), fails('QuotaExceeded', 'quota')],
    ['one copy takes a third', quota({ replication: 'RATIS/ONE', quotaInBytes: 200 }), copy],
    ['… and no less', quota({ replication: 'RATIS/ONE', quotaInBytes: 199 }), fails('QuotaExceeded')],
    ['erasure coding takes data and parity', quota({ replication: 'EC/rs-3-2-1024k', quotaInBytes: 267 }), copy],
    ['… and no less', quota({ replication: 'EC/rs-3-2-1024k', quotaInBytes: 266 }), fails('QuotaExceeded')],
    ['no quota is none', quota({ quotaInBytes: -1 }), copy],
    [
      'names count too',
      quota({ quotaInBytes: 0, quotaInNamespace: 19, usedNamespace: 10 }),
      fails('QuotaExceeded', 'quota'),
    ],
    ['as many as there are', quota({ quotaInBytes: 0, quotaInNamespace: 20, usedNamespace: 10 }), copy],
    ['what is there already needs no room', quota({ quotaInBytes: 101 }, { absent: 0, same: 10 }), copy],
    [
      'a file that is replaced by a larger one needs the rest',
      {
        ...quota({ quotaInBytes: 399 }, { absent: 0, other: 10, replacedBytes: 0 }),
        overwrite: 'if-different',
        confirmed: { replaced: 10 },
      },
      fails('QuotaExceeded'),
    ],
  ]);
});

describe('what is in the way', () => {
  const clash = (overwrite: RestoreWorld['overwrite']): RestoreWorld => ({
    target: 'other',
    overwrite,
    confirmed: { replaced: 1 },
    did: [[examine(), looked({ absent: 9, clash: 1 })]],
  });
  decides([
    ['a directory in the place of a file stays when nothing is overwritten', clash('never'), copy],
    ['it cannot be replaced', clash('if-different'), fails('RestoreConflicts', 'Move')],
    [
      '… whatever was asked for',
      clash('always'),
      { ...fails('RestoreConflicts'), reason: expect.stringContaining('a/b') },
    ],
    [
      'a bucket with the name of the scratch is not touched',
      { purpose: 'drill', did: [[examine('replica'), empty]] },
      fails('TargetNotOurs'),
    ],
  ]);
});

describe('who has to confirm', () => {
  const into = (target: RestoreWorld['target'], at = half, more: RestoreWorld = {}): RestoreWorld => ({
    target,
    did: [[examine(), at]],
    ...more,
  });
  const planned = (plan: object) => ({ kind: 'plan', plan });
  decides([
    [
      'nobody for a side bucket',
      {
        did: [
          [examine(), looked('missing')],
          [create, bucketMade()],
        ],
      },
      copy,
    ],
    [
      'nobody for a side bucket, whatever was said of overwriting',
      {
        overwrite: 'always',
        did: [
          [examine(), looked('missing')],
          [create, bucketMade()],
        ],
      },
      copy,
    ],
    ['nobody where nothing is overwritten', into('other'), copy],
    ['nobody where nothing is there', into('other', empty, { overwrite: 'always' }), keep],
    [
      'a person in place, also when nothing is overwritten',
      into('in-place', empty),
      planned({ replaced: 0, leftAlone: 0, absent: 10 }),
    ],
    [
      'a person in place of a bucket that was lost',
      {
        target: 'in-place',
        did: [
          [examine(), looked('missing')],
          [create, bucketMade()],
        ],
      },
      planned({ replaced: 0, absent: 10, target: { created: madeNow } }),
    ],
    [
      'a person where something is overwritten, and the plan says what',
      into('other', half, { overwrite: 'if-different' }),
      planned({ replaced: 6, leftAlone: 0, deleted: 0, absent: 4, files: 10, first: ['a/b: 10, at the target 11'] }),
    ],
    [
      'a person where a side bucket has files already',
      into('side', half, { overwrite: 'always' }),
      planned({ replaced: 6 }),
    ],
    [
      'a person where something is deleted',
      into('other', looked({ absent: 10, extra: 3 }), { overwrite: 'if-different', deleteExtra: true }),
      planned({ deleted: 3, replaced: 0 }),
    ],
    [
      'what is extra and is not deleted is in no plan',
      into('in-place', looked({ absent: 10, extra: 3 })),
      planned({ deleted: 0 }),
    ],
    ['nobody again who has done so', into('in-place', half, { confirmed: {} }), copy],
    [
      'nobody for the scratch of a drill, also when it goes on where it was',
      {
        purpose: 'drill',
        scratch: {},
        run: { firstStep: 2, factsFrom: 2 },
        did: [
          [examine('replica'), looked('missing')],
          [create, noAnswer()],
          [examine('replica'), looked('missing')],
          [create, bucketMade(false)],
          [examine('replica'), half],
        ],
      },
      copy,
    ],
  ]);

  it('a plan holds for an hour, for what it says, and says from when', () => {
    expect(decide(into('in-place', half, { overwrite: 'always' }))).toMatchObject({
      plan: { madeAt: aMinuteIn, expires: later(aMinuteIn, seconds(3600)), target: { created: targetCreated } },
    });
  });
});

describe('when only a plan is asked for', () => {
  const only = (at: ReturnType<typeof looked>, more: RestoreWorld = {}): RestoreWorld => ({
    planOnly: true,
    did: [[examine(), at]],
    ...more,
  });
  const planned = (plan: object) => ({ kind: 'plan', plan });
  decides([
    ['it looks first', { planOnly: true }, examine()],
    [
      'a side bucket is not made, and the plan says so',
      only(looked('missing')),
      planned({
        target: { kind: 'side', created: null },
        absent: 10,
        replaced: 0,
        isKept: false,
        obstacles: [],
        room: null,
        slot,
      }),
    ],
    [
      'the plan says which copy is read, and why: the one where the target is',
      only(looked('missing')),
      planned({ from: 'prod', why: expect.stringMatching(/on prod itself/) }),
    ],
    [
      '… the only one that is left',
      only(looked('missing'), { sides: 'replica', did: [[examine('replica'), looked('missing')]] }),
      planned({ from: 'dr', why: expect.stringMatching(/no copy is left on prod/) }),
    ],
    [
      '… the other one, as the nearest could not be read',
      only(looked('missing'), {
        did: [
          [examine(), away],
          [examine('replica'), looked('missing')],
        ],
      }),
      planned({ from: 'dr', why: expect.stringMatching(/nearer copy, on prod, could not be used: as the host says/) }),
    ],
    [
      'a bucket in place is counted as with any plan',
      only(half, { target: 'in-place', overwrite: 'if-different' }),
      planned({ replaced: 6, absent: 4, isKept: true }),
    ],
    [
      'paths that are not there are an obstacle, no failure',
      only(looked('missing', { unmatched: 2 })),
      planned({ obstacles: [{ error: 'PathsNotFound', reason: expect.stringContaining('no/such') }] }),
    ],
    [
      'so is a layout that cannot be read',
      only(looked('missing', { source: { layout: 'OBJECT_STORE' } })),
      planned({ obstacles: [{ error: 'LayoutUnsupported' }] }),
    ],
    [
      'so is a quota that is too small, and the plan has its figures',
      only(looked({ absent: 10, bucket: { quotaInBytes: 200, usedBytes: 50 } }), { target: 'other' }),
      planned({ room: { quota: 200, used: 50, needed: 300 }, obstacles: [{ error: 'QuotaExceeded' }] }),
    ],
    [
      'a quota that is large enough is only told',
      only(looked({ absent: 10, bucket: { quotaInBytes: 2000, usedBytes: 50 } }), { target: 'other' }),
      planned({ room: { quota: 2000, used: 50, needed: 300 }, obstacles: [] }),
    ],
    [
      'so is what is in the way',
      only(looked({ absent: 9, clash: 1 }), { target: 'other', overwrite: 'always' }),
      planned({ obstacles: [{ error: 'RestoreConflicts' }] }),
    ],
    [
      'a copy that is not what was verified still fails: no other plan makes that good',
      only(looked('missing', { digest: 'a' }), { sides: 'source' }),
      fails('RestoreDiffers'),
    ],
    [
      'a point that is gone still fails',
      {
        planOnly: true,
        did: [
          [examine(), gone],
          [examine('replica'), gone],
        ],
      },
      fails('PointGone'),
    ],
    ['a target that may not be read still fails', only(looked('denied')), fails('AccessDenied')],
  ]);
});

describe('a plan that loses nothing is held to as well', () => {
  const side = (did: RestoreWorld['did'], more: RestoreWorld = {}): RestoreWorld => ({
    confirmed: { targetCreated: null },
    did,
    ...more,
  });
  decides([
    ['a bucket that was to be made is made', side([[examine(), looked('missing')]]), create],
    [
      'and written into',
      side([
        [examine(), looked('missing')],
        [create, bucketMade()],
      ]),
      copy,
    ],
    [
      'also by an execution that goes on after it was made',
      side(
        [
          [examine(), looked('missing')],
          [create, bucketMade()],
          [examine(), empty],
        ],
        { run: { factsFrom: 2 } },
      ),
      copy,
    ],
    ['one that somebody else made meanwhile is not touched', side([[examine(), empty]]), fails('ChangedMeanwhile')],
    [
      'files that came since are not replaced',
      { target: 'other', overwrite: 'always', confirmed: {}, did: [[examine(), half]] },
      fails('ChangedMeanwhile'),
    ],
  ]);
});

describe('a plan that was confirmed is held to', () => {
  const with6 = (confirmed: RestoreWorld['confirmed'], at = half, more: RestoreWorld = {}): RestoreWorld => ({
    target: 'in-place',
    overwrite: 'if-different',
    confirmed,
    did: [[examine(), at]],
    ...more,
  });
  const extra = looked({ absent: 4, same: 6, extra: 2 });
  decides([
    ['as many to replace: keep, then go on', with6({ replaced: 6 }), keep],
    ['fewer to replace: go on', with6({ replaced: 60 }), keep],
    ['more to replace: plan again', with6({ replaced: 5 }), fails('ChangedMeanwhile', 'plan again')],
    ['as many to delete: go on', with6({ replaced: 6, deleted: 2 }, extra, { deleteExtra: true }), keep],
    [
      'more to delete: plan again',
      with6({ replaced: 6, deleted: 1 }, extra, { deleteExtra: true }),
      fails('ChangedMeanwhile'),
    ],
    [
      'another bucket of that name: plan again',
      with6({ replaced: 6, targetCreated: '2025-01-01T00:00:00.000Z' }),
      fails('ChangedMeanwhile'),
    ],
    [
      'a bucket that was lost since: plan again',
      {
        ...with6({ replaced: 6 }),
        did: [
          [examine(), looked('missing')],
          [create, bucketMade()],
        ],
      },
      fails('ChangedMeanwhile'),
    ],
    [
      'the host finds another bucket when it begins: plan again',
      with6({ replaced: 6 }, half, {
        did: [
          [examine(), half],
          [keep, kept],
          [copy, notDone('bucket-other')],
        ],
      }),
      fails('ChangedMeanwhile'),
    ],
  ]);
});

describe('the safety snapshot', () => {
  const at = (seen: typeof half, more: RestoreWorld = {}): RestoreWorld => ({
    target: 'in-place',
    overwrite: 'if-different',
    confirmed: { replaced: 99, deleted: 99 },
    did: [[examine(), seen]],
    ...more,
  });
  decides([
    [
      'is taken when something is replaced',
      at(half),
      { ...keep, name: expect.stringMatching(/^restore-safety-20261120t020000z/) },
    ],
    ['is taken when something is deleted', at(looked({ absent: 10, extra: 1 }), { deleteExtra: true }), keep],
    ['is taken when nothing is lost: a file may come before the copy does', at(empty), keep],
    [
      'is taken before a directory loses what comes to it',
      at(empty, { target: 'other', overwrite: 'always', deleteExtra: true }),
      keep,
    ],
    ['is not taken when all that is there stays', at(half, { overwrite: 'never' }), copy],
    [
      'is taken once',
      at(half, {
        did: [
          [examine(), half],
          [keep, kept],
        ],
      }),
      copy,
    ],
    [
      'is taken again when nobody knows whether it was',
      at(half, {
        did: [
          [examine(), half],
          [keep, noAnswer()],
          [wait, elapsed],
        ],
      }),
      keep,
    ],
    [
      'nothing is copied without it',
      at(half, {
        did: [
          [examine(), half],
          [keep, notDone('snapshot-failed', 'failed')],
          [keep, notDone('snapshot-failed', 'failed')],
          [keep, notDone('snapshot-failed', 'failed')],
        ],
      }),
      fails('SnapshotFailed'),
    ],
    [
      'a cluster that is full of snapshots is for a person',
      at(half, {
        did: [
          [examine(), half],
          [keep, notDone('snapshot-limit')],
        ],
      }),
      fails('BudgetExceeded'),
    ],
  ]);

  it('of another execution has another name: what the first kept may be hours old', () => {
    const names = [1, 7].map((lease) => decide(at(half, { run: { lease } })));
    expect(names[0]).toMatchObject(keep);
    expect(names[0]).not.toMatchObject({ name: (names[1] as { name: string }).name });
  });

  it('that an earlier execution took is the one that is named', () => {
    const done = decide(
      at(half, {
        run: { factsFrom: 3, lease: 4 },
        did: [
          [examine(), half],
          [keep, kept],
          [copy, notDone('copy-failed', 'failed')],
          [examine(), looked({ absent: 0, same: 10 })],
          [copy, copied(0)],
          [compare, compared()],
        ],
      }),
    );
    expect(done).toMatchObject({ kind: 'done', outcome: { safetySnapshot: 'restore-safety-20261120t020000z-1' } });
  });

  it('that nobody took is not named', () => {
    const done = decide({
      target: 'other',
      overwrite: 'if-different',
      run: { factsFrom: 2 },
      did: [
        [examine(), empty],
        [copy, notDone('copy-failed', 'failed')],
        [examine(), half],
        [copy, copied(4)],
        [compare, compared()],
      ],
    });
    expect(done).toMatchObject({ kind: 'done', outcome: { safetySnapshot: null, notes: [] } });
  });
});

describe('copying', () => {
  const tried = (...did: NonNullable<RestoreWorld['did']>): RestoreWorld => ({
    target: 'other',
    did: [[examine(), empty], ...did],
  });
  const slow = (files: number) => notDone('copy-timeout', 'failed', files);
  const busy = notDone('bucket-busy');
  const hosts = (...names: string[]) => ({ on: 'dr' as const, copies: names.map((host) => ({ host: host as never })) });
  decides([
    [
      'into the bucket that was looked at',
      tried(),
      { ...copy, from: 'source', targetCreated, overwrite: 'never', deleteExtra: false },
    ],
    ['always is always once', { ...tried([keep, kept]), overwrite: 'always' }, { ...copy, overwrite: 'always' }],
    [
      'always is if-different when it goes on: what was written need not be written again',
      { ...tried([copy, notDone('copy-failed', 'failed')]), overwrite: 'always' },
      { ...copy, overwrite: 'if-different' },
    ],
    ['never stays never', tried([copy, notDone('copy-failed', 'failed')]), { ...copy, overwrite: 'never' }],
    ['out of time, but further on: go on', tried([copy, slow(1)]), { kind: 'wait', seconds: 5 }],
    [
      'out of time again and again, but further on: go on',
      tried(
        ...Array.from(
          { length: 9 },
          () =>
            [
              [copy, slow(1)],
              [wait, elapsed],
            ] as const,
        ).flat(),
        [copy, slow(1)],
      ),
      { kind: 'wait', seconds: 5 },
    ],
    [
      'and what was out of time but further on is no failed try',
      tried(
        ...Array.from(
          { length: 9 },
          () =>
            [
              [copy, slow(1)],
              [wait, elapsed],
            ] as const,
        ).flat(),
        [copy, away],
      ),
      wait,
    ],
    ['out of time and no further: try again', tried([copy, slow(0)]), copy],
    [
      'out of time and no further, as often as the policy tries: give up',
      tried([copy, slow(0)], [copy, slow(0)], [copy, slow(0)]),
      fails('CopyFailed'),
    ],
    [
      'it failed as often as the policy tries',
      tried(
        [copy, notDone('copy-failed', 'failed')],
        [copy, notDone('copy-failed', 'failed')],
        [copy, notDone('copy-failed', 'failed')],
      ),
      fails('CopyFailed'),
    ],
    [
      'an older copy is alive: wait until it must be over',
      { ...tried([copy, busy]), ...hosts('i-0123456789abcdef0'), on: 'prod' },
      wait,
    ],
    [
      'also when that was so as often as the policy tries',
      {
        ...tried([copy, busy], [wait, elapsed], [copy, busy], [wait, elapsed], [copy, busy]),
        ...hosts('i-0123456789abcdef0'),
        on: 'prod',
      },
      wait,
    ],
    ['a lock that the ledger knows nothing of is waited for as any failure', tried([copy, busy]), wait],
    [
      '… and not for ever',
      tried([copy, busy], [wait, elapsed], [copy, busy], [wait, elapsed], [copy, busy]),
      fails('CopyFailed'),
    ],
    ['no answer of the only host: ask it again, its lock knows', tried([copy, noAnswer()], [wait, elapsed]), copy],
    [
      'no answer of one of several hosts: no other one begins while it may be alive',
      {
        ...tried([{ ...copy, host: 'mi-0123456789abcdef0' }, noAnswer()], [wait, elapsed]),
        ...hosts('mi-0123456789abcdef0'),
      },
      wait,
    ],
    [
      'a copy of another restore on another host is waited for too',
      { ...tried(), ...hosts('mi-00000000000000000') },
      wait,
    ],
    [
      '… before anything is kept: a snapshot of now would be old when the copy begins',
      {
        ...tried(),
        did: [[examine(), half]],
        overwrite: 'always',
        confirmed: { replaced: 6 },
        ...hosts('mi-00000000000000000'),
      },
      wait,
    ],
    ['… and after that the target is looked at again', { ...tried([wait, elapsed]), on: 'dr' }, examine()],
    [
      '… and what was confirmed holds for what is there then',
      {
        ...tried([wait, elapsed], [examine(), half]),
        overwrite: 'always',
        confirmed: { replaced: 5 },
      },
      fails('ChangedMeanwhile'),
    ],
    [
      'one that is over is not',
      { ...tried(), on: 'dr', copies: [{ host: 'mi-00000000000000000' as never, to: slot }] },
      copy,
    ],
    [
      'one that must be over is not',
      { ...tried(), on: 'dr', copies: [{ host: 'mi-00000000000000000' as never, deadline: slot }] },
      copy,
    ],
    [
      'no answer as often as the policy tries: give up',
      {
        ...tried([copy, noAnswer()], [wait, elapsed], [copy, noAnswer()], [wait, elapsed], [copy, noAnswer()]),
        ...hosts('mi-0123456789abcdef0'),
      },
      fails('EdgeInterrupted'),
    ],
    [
      'an answer that nobody understands is a bug',
      { ...tried([copy, noAnswer('EdgeReplyInvalid')]), ...hosts('mi-0123456789abcdef0') },
      fails('EdgeReplyInvalid'),
    ],
    ['a stale fence is not fought', tried([copy, notDone('fence-stale')]), fails('LeaseLost')],
    ['a clash that appeared meanwhile', tried([copy, notDone('clash')]), fails('RestoreConflicts', 'side bucket')],
    ['paths that are not there after all', tried([copy, notDone('selection-unmatched')]), fails('PathsNotFound')],
    ['the point is gone after all', tried([copy, gone]), fails('PointGone')],
    ['an open copy is attached to', tried([copy, null]), copy],
  ]);

  it('never waits so long that its lease would be lost', () => {
    const decided = decide({ ...tried(), ...hosts('mi-00000000000000000') });
    expect(decided).toMatchObject({ kind: 'wait' });
    expect((decided as { seconds: number }).seconds).toBeLessThan(1800);
  });
});

describe('comparing', () => {
  const whenCompared = (
    observed: ReturnType<typeof compared>,
    more: RestoreWorld = {},
    seen = empty,
  ): RestoreWorld => ({
    target: 'other',
    did: [
      [examine(), seen],
      [copy, copied()],
      [compare, observed],
    ],
    ...more,
  });
  const done = { kind: 'done', outcome: { kind: 'restored' } };
  decides([
    [
      'with the copy that was read',
      {
        target: 'other',
        did: [
          [examine(), empty],
          [copy, copied()],
        ],
      },
      { ...compare, against: 'source', level: 'full', exact: false },
    ],
    [
      'as the request asks',
      {
        target: 'other',
        verification: 'listing',
        did: [
          [examine(), empty],
          [copy, copied()],
        ],
      },
      { ...compare, level: 'listing' },
    ],
    [
      'exactly where what is extra was deleted',
      {
        target: 'in-place',
        overwrite: 'always',
        deleteExtra: true,
        confirmed: {},
        did: [
          [examine(), empty],
          [copy, copied()],
        ],
      },
      { ...compare, exact: true },
    ],
    [
      'equal: done',
      whenCompared(compared()),
      {
        ...done,
        outcome: {
          files: 10,
          bytes: 100,
          bytesCopied: 100,
          leftAlone: 0,
          from: 'source',
          target: 'sales/elsewhere on prod',
        },
      },
    ],
    [
      'one file missing: never',
      whenCompared(compared({ missing: 1 })),
      { ...fails('RestoreDiffers', 'again'), reason: expect.stringContaining('a/b') },
    ],
    [
      'one file missing is not forgiven for what was left alone',
      whenCompared(compared({ missing: 1, changed: 5 }), {}, half),
      fails('RestoreDiffers'),
    ],
    [
      'what was left alone may differ',
      whenCompared(compared({ changed: 6, checksums: { compared: 10, differ: 5 } }), {}, half),
      { ...done, outcome: { leftAlone: 6 } },
    ],
    [
      'but no more than was there',
      whenCompared(compared({ changed: 7, checksums: { compared: 10, differ: 6 } }), {}, half),
      fails('RestoreDiffers'),
    ],
    [
      'nor in more lengths than it did before',
      whenCompared(compared({ changed: 2 }), {}, half),
      fails('RestoreDiffers'),
    ],
    [
      'nothing may differ where all was overwritten',
      whenCompared(compared({ changed: 1 }), { overwrite: 'if-different', confirmed: { replaced: 6 } }, half),
      fails('RestoreDiffers'),
    ],
    ['what is extra is no difference unless asked for', whenCompared(compared({ extra: 3 })), done],
    [
      'what the restore itself wrote before it was cut off is not left alone',
      {
        target: 'other',
        run: { factsFrom: 2 },
        did: [
          [examine(), empty],
          [copy, null],
          [examine(), half],
          [copy, copied(4)],
          [compare, compared({ changed: 1, checksums: { compared: 10, differ: 1 } })],
        ].map(([decision, observed]) => [decision, observed ?? noAnswer()] as never),
      },
      fails('RestoreDiffers'),
    ],
    ['no answer: compare again', whenCompared(noAnswer(), {}), wait],
    ['the point is gone', whenCompared(gone), fails('PointGone')],
  ]);
});

describe('what is said that would help', () => {
  const failing = (observed: ReturnType<typeof notDone>, more: RestoreWorld = {}): RestoreWorld => ({
    target: 'other',
    ...more,
    did: [
      [examine(more.purpose ? 'replica' : 'source'), observed],
      [examine(more.purpose ? 'replica' : 'source'), observed],
      [examine(more.purpose ? 'replica' : 'source'), observed],
    ],
  });
  const oneSide = { sides: 'source' } as const;
  decides([
    [
      'a redrive enters the Fail state again: the same slot is started anew',
      failing(notDone('permission-denied'), oneSide),
      fails('AccessDenied', 'same slot'),
    ],
    [
      'of a restore there is no next run but the one that a person starts',
      failing(notDone('unreadable'), oneSide),
      fails('EdgeFailed', 'Start the same input'),
    ],
    [
      'of a drill there is one',
      failing(notDone('unreadable'), { purpose: 'drill', sides: 'replica', target: 'scratch' }),
      fails('EdgeFailed', 'The next run'),
    ],
  ]);
});

describe('a drill', () => {
  const drill = (...did: NonNullable<RestoreWorld['did']>): RestoreWorld => ({ purpose: 'drill', scratch: {}, did });
  const begun = [
    [examine('replica'), looked('missing')],
    [create, bucketMade()],
  ] as const;
  const whole = [...begun, [{ ...copy, from: 'replica' }, copied()]] as const;
  const against = (side: 'source' | 'replica') => ({ ...compare, against: side });
  decides([
    ['reads the replica, for that is the backup', { purpose: 'drill' }, examine('replica')],
    ['also where the source is nearer', { purpose: 'drill', on: 'prod' }, examine('replica')],
    ['reads the source where there is no replica', { purpose: 'drill', sides: 'source' }, examine('source')],
    ['never falls back to the source', { purpose: 'drill', did: [[examine('replica'), gone]] }, fails('PointGone')],
    [
      'of a replica that is not what was verified fails',
      { purpose: 'drill', did: [[examine('replica'), looked('missing', { digest: 'e' })]] },
      fails('RestoreDiffers'),
    ],
    ['waits for a replica that is away', { purpose: 'drill', did: [[examine('replica'), away]] }, wait],
    ['copies to its scratch', drill(...begun), { ...copy, from: 'replica', targetCreated: madeNow }],
    ['compares with the source, exactly', drill(...whole), { ...compare, against: 'source', exact: true }],
    [
      'compares with the copy where there is no other',
      { ...drill(...whole), sides: 'replica' },
      { ...compare, against: 'replica', exact: true },
    ],
    [
      'compares with the copy when the source does not have it any more',
      drill(...whole, [against('source'), gone]),
      { ...compare, against: 'replica' },
    ],
    ['waits for the source when it is away', drill(...whole, [against('source'), away]), wait],
    [
      '… and asks it again',
      drill(...whole, [against('source'), away], [wait, elapsed]),
      { ...compare, against: 'source' },
    ],
    [
      'compares with the copy when the source stays away',
      drill(
        ...whole,
        [against('source'), away],
        [wait, elapsed],
        [against('source'), away],
        [wait, elapsed],
        [against('source'), away],
      ),
      { ...compare, against: 'replica' },
    ],
    [
      'and tries that as often too',
      drill(
        ...whole,
        [against('source'), away],
        [wait, elapsed],
        [against('source'), away],
        [wait, elapsed],
        [against('source'), away],
        [against('replica'), away],
      ),
      wait,
    ],
    [
      'compares with the copy when the source may not be read',
      drill(...whole, [against('source'), notDone('permission-denied')]),
      { ...compare, against: 'replica' },
    ],
    [
      'equal: its scratch goes',
      drill(...whole, [against('source'), compared()]),
      { ...remove, bucket: scratchBucket, created: madeNow },
    ],
    ['different: its scratch goes too', drill(...whole, [against('source'), compared({ changed: 1 })]), remove],
  ]);

  const over = (
    observed = compared(),
    side: 'source' | 'replica' = 'source',
    more: RestoreWorld = {},
  ): RestoreWorld => ({
    purpose: 'drill',
    did: [...whole, [against(side), observed], [remove, removed]],
    ...more,
  });
  decides([
    [
      'equal to the source',
      over(),
      {
        kind: 'done',
        outcome: {
          kind: 'drilled',
          from: 'replica',
          against: `${nameOf('a')} on prod`,
          notes: [],
          copySeconds: 7,
          rto: 14_400,
        },
      },
    ],
    [
      'equal to itself only, which it says',
      over(compared(), 'replica'),
      { kind: 'done', outcome: { against: `${nameOf('a')} on dr`, notes: [expect.stringContaining('only the copy')] } },
    ],
    [
      'equal to itself only, and it says why the other copy was not asked',
      over(compared(), 'replica', {
        did: [
          ...whole,
          [against('source'), notDone('permission-denied')],
          [against('replica'), compared()],
          [remove, removed],
        ],
      }),
      {
        kind: 'done',
        outcome: { notes: [expect.stringMatching(/only the copy.*prod.*permission-denied as the host says/)] },
      },
    ],
    ['one byte differs', over(compared({ changed: 1 })), fails('RestoreDiffers', 'backup')],
    ['one file is missing', over(compared({ missing: 1 })), fails('RestoreDiffers')],
    ['one file is extra', over(compared({ equal: false, extra: 1 })), fails('RestoreDiffers')],
    ['equal, and too slow', over(compared(), 'source', { pace: 7000 }), fails('RestoreTooSlow', 'equal')],
    [
      'slow only because it was in a line, which a restore would not have been',
      {
        purpose: 'drill',
        policy: { objectives: { rpo: seconds(60), rto: seconds(40) } },
        pace: 10,
        did: [
          ...begun,
          [{ ...wait, queued: { resource: 'copy:dr', place: 1, by: slot } }, elapsed],
          [{ ...copy, from: 'replica' }, copied()],
          [against('source'), compared()],
          [remove, removed],
        ],
      },
      { kind: 'done', outcome: { seconds: 40 } },
    ],
    [
      'too slow counts from the first look, not from the removal of what was left',
      {
        purpose: 'drill',
        policy: { objectives: { rpo: seconds(60), rto: seconds(40) } },
        pace: 10,
        did: [
          [{ ...remove, bucket: earlierScratch }, removed],
          [wait, elapsed],
          ...whole,
          [against('source'), compared()],
          [remove, removed],
        ],
      },
      { kind: 'done', outcome: { seconds: 35 } },
    ],
    [
      'gone already is removed',
      over(compared(), 'source', {
        did: [...whole, [against('source'), compared()], [remove, { kind: 'scratch', removed: false }]],
      }),
      { kind: 'done' },
    ],
  ]);

  describe('removes its scratch after every failure', () => {
    decides([
      [
        'of the copy',
        drill(
          ...begun,
          [copy, notDone('copy-failed', 'failed')],
          [copy, notDone('copy-failed', 'failed')],
          [copy, notDone('copy-failed', 'failed')],
        ),
        remove,
      ],
      ['of the point, which is gone', drill(...begun, [copy, gone]), remove],
      ['of the comparison', drill(...whole, [against('replica'), gone]), remove],
      [
        'of making it, when nobody knows whether it is there: it is made first, to know it by its creation time',
        {
          ...drill(
            [examine('replica'), looked('missing')],
            [create, noAnswer()],
            [wait, elapsed],
            [create, noAnswer()],
            [wait, elapsed],
            [create, noAnswer()],
            [wait, elapsed],
          ),
          scratch: { created: null },
        },
        create,
      ],
      [
        'and it waits when that cannot be done now',
        drill(...whole, [against('source'), compared()], [remove, away]),
        wait,
      ],
      ['… and tries again', drill(...whole, [against('source'), compared()], [remove, away], [wait, elapsed]), remove],
      [
        'also when it is the copy that had failed: nothing is copied again',
        drill(...begun, [copy, gone], [remove, away], [wait, elapsed]),
        remove,
      ],
      [
        'also when it is the copy that was tried too often',
        drill(
          ...begun,
          [copy, away],
          [wait, elapsed],
          [copy, away],
          [wait, elapsed],
          [copy, away],
          [remove, noAnswer()],
          [wait, elapsed],
        ),
        remove,
      ],
      [
        'but not for ever: then a person has to',
        drill(
          ...whole,
          [against('source'), compared()],
          [remove, away],
          [wait, elapsed],
          [remove, away],
          [wait, elapsed],
          [remove, away],
        ),
        { ...fails('ScratchNotRemoved', scratchBucket), reason: expect.stringContaining('om-unreachable') },
      ],
      [
        'another bucket of its name is none of ours',
        drill(
          ...whole,
          [against('source'), compared()],
          [remove, notDone('target-other')],
          [remove, notDone('target-other')],
          [remove, notDone('target-other')],
        ),
        fails('ScratchNotRemoved'),
      ],
      [
        'the error of the drill is said when that works',
        {
          ...drill(...begun, [copy, gone], [remove, away], [wait, elapsed], [remove, removed]),
          scratch: undefined as never,
        },
        fails('PointGone'),
      ],
      [
        'and when it does not',
        drill(...begun, [copy, gone], [remove, away], [wait, elapsed], [remove, away], [wait, elapsed], [remove, away]),
        { ...fails('ScratchNotRemoved'), reason: expect.stringContaining('PointGone') },
      ],
      [
        'an operation that never ends is one of those',
        drill(
          ...begun,
          ...Array.from({ length: 22 }, (_, n) => [{ ...copy, operationStep: 2 }, n < 21 ? elapsed : null] as const),
        ),
        fails('ScratchNotRemoved'),
      ],
    ]);
  });

  describe('first removes what an earlier one left', () => {
    const earlier = {
      runId: 'prod/sales/orders#drill-nightly#drill.nightly#20261113t020000z' as never,
      bucket: earlierScratch,
    };
    const left = (did: RestoreWorld['did'], more: object = {}): RestoreWorld => ({
      purpose: 'drill',
      scratch: { ...earlier, ...more },
      did: did ?? [],
    });
    decides([
      ['whose creation time is known', left([]), { ...remove, bucket: earlierScratch, created: madeNow }],
      [
        'whose creation time is not: it asks for it',
        left([], { created: null, since: epochMs(slot - 1_200_000) }),
        { ...create, bucket: earlierScratch },
      ],
      [
        'not before every command that was to make it is over: it would be made again, and nobody would know',
        left([], { created: null, since: epochMs(slot - 60_000) }),
        wait,
      ],
      [
        'and then removes it',
        left([[{ ...create, bucket: earlierScratch }, bucketMade(false)]]),
        { ...remove, bucket: earlierScratch },
      ],
      [
        'and then looks',
        { purpose: 'drill', did: [[{ ...remove, bucket: earlierScratch }, removed]] },
        examine('replica'),
      ],
      [
        'or says that it cannot',
        left([
          [{ ...remove, bucket: earlierScratch }, away],
          [wait, elapsed],
          [{ ...remove, bucket: earlierScratch }, away],
          [wait, elapsed],
          [{ ...remove, bucket: earlierScratch }, away],
        ]),
        fails('ScratchNotRemoved', earlierScratch),
      ],
      [
        'on another cluster of the policy only who drills there can: it says so',
        left([], { cluster: 'prod' }),
        fails('ScratchNotRemoved', 'drills.on'),
      ],
      [
        'on a cluster that is not in the policy any more nobody can',
        left([], { cluster: 'former' }),
        examine('replica'),
      ],
      [
        'what failed for the earlier one is no failure of this one',
        {
          ...drill(
            [{ ...remove, bucket: earlierScratch }, away],
            [wait, elapsed],
            [{ ...remove, bucket: earlierScratch }, away],
            [wait, elapsed],
            [{ ...remove, bucket: earlierScratch }, removed],
            ...whole,
            [against('source'), compared()],
            [remove, away],
          ),
        },
        wait,
      ],
      [
        'its own of an attempt that failed: a measurement begins with nothing',
        { purpose: 'drill', scratch: {}, run: { firstStep: 3, factsFrom: 3 }, did: whole },
        remove,
      ],
    ]);
  });

  it('was judged before its scratch went: another execution does not begin again', () => {
    const world: RestoreWorld = {
      purpose: 'drill',
      run: { factsFrom: 6, firstStep: 0 },
      did: [...whole, [against('source'), compared()], [remove, noAnswer()], [remove, removed]],
    };
    expect(decide(world)).toMatchObject({ kind: 'done', outcome: { kind: 'drilled' } });
  });
});

describe('another execution goes on', () => {
  const into = (more: RestoreWorld): RestoreWorld => ({ target: 'other', overwrite: 'if-different', ...more });
  decides([
    [
      'by looking again: others may have been there',
      into({ run: { factsFrom: 1 }, did: [[examine(), empty]] }),
      examine('source'),
    ],
    [
      'attached to what is still going on',
      into({
        run: { factsFrom: 2 },
        did: [
          [examine(), empty],
          [copy, null],
        ],
      }),
      copy,
    ],
    [
      'without asking a person whether what it wrote itself may be replaced',
      into({
        run: { factsFrom: 2 },
        did: [
          [examine(), empty],
          [copy, notDone('x', 'interrupted')],
          [examine(), half],
        ],
      }),
      keep,
    ],
    [
      'and then copies what differs, for others may have written there too',
      into({
        run: { factsFrom: 2 },
        did: [
          [examine(), empty],
          [copy, notDone('x', 'interrupted')],
          [examine(), half],
          [keep, kept],
        ],
      }),
      { ...copy, overwrite: 'if-different' },
    ],
    [
      'a new attempt asks: who knows whose files those are by now',
      into({
        run: { factsFrom: 2, firstStep: 2 },
        did: [
          [examine(), empty],
          [copy, notDone('x', 'interrupted')],
          [examine(), half],
        ],
      }),
      { kind: 'plan' },
    ],
    [
      'a copy that is done is proved again, not believed',
      into({
        run: { factsFrom: 3 },
        did: [
          [examine(), empty],
          [copy, copied()],
          [compare, compared()],
        ],
      }),
      examine('source'),
    ],
  ]);
});

it('decides the same for the same', () => {
  const world: RestoreWorld = { target: 'in-place', did: [[examine(), half]] };
  expect(decide(world, epochMs(slot))).toEqual(decide(world, epochMs(slot)));
});
