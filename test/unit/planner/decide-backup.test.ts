import { describe, expect, it } from 'vitest';
import type { Observation } from '../../../functions/core/domain/ledger.ts';
import { epochMs, seconds } from '../../../functions/core/domain/units.ts';
import { decideBackup } from '../../../functions/core/planner/decide-backup.ts';
import { baseOf, historyOf, nameOf, seen, slot, targetOf, type World } from './world.ts';

const aMinuteIn = epochMs(slot + 60_000);
const decide = (world: World, now = aMinuteIn) => decideBackup(historyOf(world), now);

const created = (token: string, diff: 'not-asked' | 'submitted' = 'not-asked'): Observation => ({
  kind: 'snapshot',
  created: true,
  snapshot: seen(token, 'source'),
  diff,
});
const notDone = (outcome: 'refused' | 'failed' | 'unreachable' | 'interrupted', code: string): Observation => ({
  kind: 'not-done',
  outcome,
  code,
  message: 'as the host says',
  data: null,
  deletion: null,
});
const noAnswer = (error: string): Observation => ({ kind: 'no-answer', error, cause: 'why' });
const diff = (status: 'pending' | 'done' | 'failed' | 'rejected' | 'not-found'): Observation => ({
  kind: 'diff',
  status,
  reason: 'as the OM says',
});

const wait = { kind: 'wait', seconds: seconds(15), reason: 'r' } as const;
const elapsed: Observation = { kind: 'elapsed' };
const create = (token: string, base: string | null = null) =>
  ({
    kind: 'create-snapshot',
    name: nameOf(token),
    attempt: Number(token[1]),
    base: base ? baseOf(base) : null,
  }) as const;
const askDiff = { kind: 'compute-diff', base: baseOf('a'), target: targetOf('t1') } as const;
const replicate = (token: string, base: string | null = 'a') =>
  ({
    kind: 'replicate',
    mode: base ? 'incremental' : 'resync',
    base: base ? baseOf(base) : null,
    target: targetOf(token),
  }) as const;

describe('what a run does next', () => {
  const rows: readonly (readonly [string, World, object])[] = [
    [
      'a slot without a snapshot takes one first',
      { source: '', replica: '' },
      { kind: 'create-snapshot', attempt: 1, base: null },
    ],
    [
      'the diff to the new snapshot is asked for with it',
      { source: 'a*', replica: 'a*' },
      { kind: 'create-snapshot', base: { name: nameOf('a') } },
    ],
    [
      'the very first copy is from the snapshot, into an empty bucket that it claims',
      { source: 't1', replica: '', run: 't1:taken' },
      { kind: 'replicate', mode: 'bootstrap', claim: true, base: null, target: { name: nameOf('t1') } },
    ],
    [
      'a normal night copies the changes since the newest verified pair',
      {
        source: 'a* b* t1',
        replica: 'a* b*',
        run: 't1:taken',
        after: [[create('t1', 'b'), created('t1', 'submitted')]],
      },
      { kind: 'replicate', mode: 'incremental', base: { name: nameOf('b') }, claim: false },
    ],
    [
      'a diff that nobody asked for is asked for',
      { source: 'a* t1', replica: 'a*', run: 't1:taken' },
      { kind: 'compute-diff', base: { name: nameOf('a') } },
    ],
    [
      'a diff that is not done is waited for',
      { source: 'a* t1', replica: 'a*', run: 't1:taken', after: [[askDiff, diff('pending')]] },
      { kind: 'wait', seconds: 2 },
    ],
    [
      'after the wait the diff is asked again',
      {
        source: 'a* t1',
        replica: 'a*',
        run: 't1:taken',
        after: [
          [askDiff, diff('pending')],
          [wait, elapsed],
        ],
      },
      { kind: 'compute-diff' },
    ],
    [
      'a rejected diff is waited for like a pending one',
      { source: 'a* t1', replica: 'a*', run: 't1:taken', after: [[askDiff, diff('rejected')]] },
      { kind: 'wait' },
    ],
    [
      'a done diff leads to the increment',
      { source: 'a* t1', replica: 'a*', run: 't1:taken', after: [[askDiff, diff('done')]] },
      { kind: 'replicate', mode: 'incremental' },
    ],
    [
      'a failed diff leads to a resync where the policy allows one',
      { source: 'a* t1', replica: 'a*', run: 't1:taken', after: [[askDiff, diff('failed')]] },
      { kind: 'replicate', mode: 'resync', base: null },
    ],
    [
      'a failed diff ends the run where only increments are allowed',
      { source: 'a* t1', replica: 'a*', run: 't1:taken', mode: 'incremental', after: [[askDiff, diff('failed')]] },
      { kind: 'fail', error: 'DiffFailed' },
    ],
    [
      'a copy that found the diff unfinished waits',
      {
        source: 'a* t1',
        replica: 'a*',
        run: 't1:taken',
        after: [[replicate('t1'), notDone('refused', 'diff-pending')]],
      },
      { kind: 'wait' },
    ],
    [
      'a copy that found the diff failed goes on by resync',
      {
        source: 'a* t1',
        replica: 'a*',
        run: 't1:taken',
        after: [[replicate('t1'), notDone('refused', 'diff-failed')]],
      },
      { kind: 'replicate', mode: 'resync' },
    ],
    [
      'mode resync never uses a diff',
      { source: 'a* t1', replica: 'a*', run: 't1:taken', mode: 'resync' },
      { kind: 'replicate', mode: 'resync', base: null },
    ],
    [
      'mode resync does not ask for one either',
      { source: 'a*', replica: 'a*', mode: 'resync' },
      { kind: 'create-snapshot', base: null },
    ],
    [
      'killed after sealing: compare first, copy nothing',
      { source: 'a* t1', replica: 'a* t1', run: 't1:sealed' },
      { kind: 'verify', target: { name: nameOf('t1') } },
    ],
    [
      'a verified pair is done',
      { source: 'a* t1', replica: 'a* t1', run: 't1:verified' },
      { kind: 'done', outcome: { kind: 'verified', point: nameOf('t1') } },
    ],
    [
      'a copy that differs is given up for a new snapshot under a new name',
      { source: 'a* t1', replica: 'a* t1', run: 't1:differs', dirty: true },
      { kind: 'create-snapshot', attempt: 2, name: nameOf('t2'), base: null },
    ],
    [
      'the new snapshot is brought over by resync',
      { source: 'a* t1 t2', replica: 'a* t1', run: 't1:differs t2:taken', dirty: true },
      { kind: 'replicate', mode: 'resync', target: { name: nameOf('t2') } },
    ],
    [
      'copies that differ again and again are a failure of verification',
      { source: 'a* t1 t2 t3', replica: 'a* t1 t2 t3', run: 't1:differs t2:differs t3:differs', dirty: true },
      { kind: 'fail', error: 'ReplicaDiffers' },
    ],
    [
      'a policy without a replica is done once the snapshot is there',
      { source: 't1', run: 't1:taken', local: true },
      { kind: 'done', outcome: { kind: 'taken', point: nameOf('t1') } },
    ],
  ];
  it.each(rows)('%s', (_sentence, world, expected) => {
    expect(decide(world)).toMatchObject(expected);
  });
});

describe('which base, and who owns the replica', () => {
  const rows: readonly (readonly [string, World, object])[] = [
    [
      'a name with another id on the source is no base',
      { source: 'a! t1', replica: 'a*', run: 't1:taken' },
      { kind: 'replicate', mode: 'resync' },
    ],
    [
      'a name with another id on the replica is no base',
      { source: 'a* t1', replica: 'a!', run: 't1:taken' },
      { kind: 'replicate', mode: 'resync' },
    ],
    [
      'no common point ends the run where only increments are allowed',
      { source: 't1', replica: '', run: 't1:taken', mode: 'incremental', verified: 'a' },
      { kind: 'fail', error: 'NoCommonPoint', conflict: 'no-common-point' },
    ],
    [
      'snapshots of the names of the base with other ids are no common point, and the ids are named',
      { source: 'a! t1', replica: 'a!', run: 't1:taken', mode: 'incremental' },
      { kind: 'fail', error: 'Diverged', conflict: 'diverged', reason: expect.stringContaining(seen('a', 'other').id) },
    ],
    [
      'a base that is gone on the replica gives way to the one before it',
      { source: 'a* b* t1', replica: 'a*', run: 't1:taken' },
      { kind: 'compute-diff', base: { name: nameOf('a') } },
    ],
    [
      'a base that is gone on the source gives way to the one before it',
      { source: 'a* t1', replica: 'a* b*', run: 't1:taken' },
      { kind: 'compute-diff', base: { name: nameOf('a') } },
    ],
    [
      'a missed day does not matter: the base is the newest pair, however old',
      { source: 'A* t1', replica: 'A*', run: 't1:taken' },
      { kind: 'compute-diff', base: { name: nameOf('A') } },
    ],
    [
      'a replica with content that is not ours is refused',
      { source: 't1', replica: '', run: 't1:taken', keys: 3 },
      { kind: 'fail', error: 'ReplicaNotOurs' },
    ],
    [
      'a replica bucket that was deleted and made again with content is refused',
      { source: 'a* t1', replica: '', run: 't1:taken', keys: 3, owned: 'other' },
      { kind: 'fail', error: 'ReplicaNotOurs' },
    ],
    [
      'a replica bucket that was deleted and made again empty is claimed anew',
      { source: 'a* t1', replica: '', run: 't1:taken', keys: 0, owned: 'other' },
      { kind: 'replicate', mode: 'bootstrap', claim: true },
    ],
    [
      'a claim that no host answered is made again, and the host decides',
      { source: 't1', replica: '', run: 't1:taken', keys: 3, owned: 'claimed' },
      { kind: 'replicate', mode: 'bootstrap', claim: true },
    ],
    [
      'a first copy that was cut off goes on in the bucket that is ours',
      { source: 't1', replica: '', run: 't1:taken', keys: 3, owned: 'yes', dirty: true },
      { kind: 'replicate', mode: 'bootstrap', claim: false },
    ],
    [
      'a dirty replica is resynced',
      { source: 'a* t1', replica: 'a*', run: 't1:taken', dirty: true },
      { kind: 'replicate', mode: 'resync' },
    ],
    [
      'the repair of our own failed increment is part of mode incremental',
      { source: 'a* t1', replica: 'a*', run: 't1:taken', dirty: true, mode: 'incremental' },
      { kind: 'replicate', mode: 'resync' },
    ],
    [
      'what somebody else wrote is not wiped in mode incremental',
      { source: 'a* t1', replica: 'a*', run: 't1:taken', foreign: true, mode: 'incremental' },
      { kind: 'fail', error: 'ReplicaChanged' },
    ],
    [
      'what somebody else wrote is brought back where the policy allows it',
      { source: 'a* t1', replica: 'a*', run: 't1:taken', foreign: true },
      { kind: 'replicate', mode: 'resync' },
    ],
  ];
  it.each(rows)('%s', (_sentence, world, expected) => {
    expect(decide(world)).toMatchObject(expected);
  });
});

describe('names that are taken', () => {
  const rows: readonly (readonly [string, World, object])[] = [
    [
      'a snapshot of our name that nobody of ours made is left alone',
      { source: 'a* t1', replica: 'a*' },
      { kind: 'create-snapshot', attempt: 2 },
    ],
    [
      'a snapshot of our name on the replica that we did not seal costs the name',
      { source: 'a* t1', replica: 'a* t1', run: 't1:taken' },
      { kind: 'create-snapshot', attempt: 2 },
    ],
    [
      'a point whose snapshot has another id now is not used',
      { source: 'a* t1!', replica: 'a*', run: 't1:taken' },
      { kind: 'create-snapshot', attempt: 2 },
    ],
    [
      'a point whose snapshot is gone gives way to a new one',
      { source: 'a*', replica: 'a*', run: 't1:taken' },
      { kind: 'create-snapshot', attempt: 2 },
    ],
  ];
  it.each(rows)('%s', (_sentence, world, expected) => {
    expect(decide(world)).toMatchObject(expected);
  });
});

describe('sides that cannot be read', () => {
  const rows: readonly (readonly [string, World, object])[] = [
    ['a source bucket that is not there', { source: 'missing' }, { kind: 'fail', error: 'SourceMissing' }],
    [
      'a replica bucket that is not there, once the snapshot is safe',
      { source: 't1', replica: 'missing', run: 't1:taken' },
      { kind: 'fail', error: 'ReplicaMissing' },
    ],
    [
      'a replica that is down does not keep the source from being snapshotted',
      { source: 'a*', replica: 'unreachable' },
      { kind: 'create-snapshot', base: null },
    ],
    ['a source that does not answer is asked again after a wait', { source: 'unreachable' }, { kind: 'wait' }],
    ['after that wait it is surveyed', { source: 'unreachable', after: [[wait, elapsed]] }, { kind: 'survey' }],
    [
      'a source that never answers',
      { source: 'unreachable', surveys: 3 },
      { kind: 'fail', error: 'SourceUnreachable' },
    ],
    [
      'a replica that never answers',
      { source: 't1', replica: 'unreachable', run: 't1:taken', surveys: 3 },
      { kind: 'fail', error: 'ReplicaUnreachable' },
    ],
    ['a source that we may not read', { source: 'denied' }, { kind: 'fail', error: 'AccessDenied' }],
    [
      'a layout that distcp cannot copy by snapshot',
      { source: '', layout: 'OBJECT_STORE' },
      { kind: 'fail', error: 'LayoutUnsupported' },
    ],
    [
      'which a policy without a replica may well snapshot',
      { source: '', layout: 'OBJECT_STORE', local: true },
      { kind: 'create-snapshot' },
    ],
  ];
  it.each(rows)('%s', (_sentence, world, expected) => {
    expect(decide(world)).toMatchObject(expected);
  });
});

describe('steps that failed', () => {
  const rows: readonly (readonly [string, World, object])[] = [
    [
      'an effect of unknown outcome is looked at after a wait',
      {
        source: 'a* t1',
        replica: 'a*',
        run: 't1:taken',
        dirty: true,
        after: [
          [replicate('t1'), noAnswer('EdgeInterrupted')],
          [wait, elapsed],
        ],
      },
      { kind: 'survey' },
    ],
    [
      'a copy that failed is looked at at once',
      {
        source: 'a* t1',
        replica: 'a*',
        run: 't1:taken',
        dirty: true,
        after: [[replicate('t1'), notDone('failed', 'copy-failed')]],
      },
      { kind: 'survey' },
    ],
    [
      'a guard that said no makes the facts stale',
      { source: 'a* t1', replica: 'a*', run: 't1:taken', after: [[replicate('t1'), notDone('refused', 'base-other')]] },
      { kind: 'survey' },
    ],
    [
      'a bucket that is busy is waited for',
      {
        source: 'a* t1',
        replica: 'a*',
        run: 't1:taken',
        after: [[replicate('t1'), notDone('refused', 'bucket-busy')]],
      },
      { kind: 'wait' },
    ],
    [
      'a host without a Kerberos ticket is not asked again: it would say the same',
      { source: 'a* t1', replica: 'a*', run: 't1:taken', after: [[replicate('t1'), notDone('refused', 'no-ticket')]] },
      { kind: 'fail', error: 'AccessDenied' },
    ],
    [
      'a KDC that is away is waited for',
      { source: 'a* t1', replica: 'a*', run: 't1:taken', after: [[replicate('t1'), notDone('unreachable', 'no-kdc')]] },
      { kind: 'wait' },
    ],
    [
      'copies that fail again and again end the run',
      {
        source: 'a* t1',
        replica: 'a*',
        run: 't1:taken',
        dirty: true,
        after: [
          [replicate('t1'), notDone('failed', 'copy-failed')],
          [replicate('t1', null), notDone('failed', 'copy-failed')],
          [replicate('t1', null), notDone('failed', 'copy-failed')],
        ],
      },
      { kind: 'fail', error: 'CopyFailed' },
    ],
    [
      'commands that get no answer end the run in the end',
      {
        source: '',
        replica: '',
        after: [
          [create('t1'), noAnswer('EdgeUnreachable')],
          [create('t1'), noAnswer('EdgeUnreachable')],
          [create('t1'), noAnswer('EdgeUnreachable')],
        ],
      },
      { kind: 'fail', error: 'EdgeUnreachable' },
    ],
    [
      'a reply that is not as agreed ends the run at once',
      { source: '', replica: '', after: [[create('t1'), noAnswer('EdgeReplyInvalid')]] },
      { kind: 'fail', error: 'EdgeReplyInvalid' },
    ],
    [
      'a stale fencing token means that somebody else works here',
      {
        source: 'a* t1',
        replica: 'a*',
        run: 't1:taken',
        after: [[replicate('t1'), notDone('refused', 'fence-stale')]],
      },
      { kind: 'fail', error: 'LeaseLost' },
    ],
    [
      'the snapshot limit is for a person',
      { source: '', replica: '', after: [[create('t1'), notDone('failed', 'snapshot-limit')]] },
      { kind: 'fail', error: 'BudgetExceeded', conflict: 'budget-exceeded' },
    ],
    [
      'the host found the bucket not empty',
      {
        source: 't1',
        replica: '',
        run: 't1:taken',
        after: [[replicate('t1', null), notDone('refused', 'replica-not-empty')]],
      },
      { kind: 'fail', error: 'ReplicaNotOurs' },
    ],
    [
      'an operation that may still be going on is attached to, not started again',
      { source: 'a* t1', replica: 'a*', run: 't1:taken', dirty: true, after: [[replicate('t1'), null]] },
      { kind: 'replicate', mode: 'incremental', target: { name: nameOf('t1') } },
    ],
  ];
  it.each(rows)('%s', (_sentence, world, expected) => {
    expect(decide(world)).toMatchObject(expected);
  });

  it('a diff that is pending beyond the time limit of the policy is given up for a resync', () => {
    const world: World = { source: 'a* t1', replica: 'a*', run: 't1:taken', after: [[askDiff, diff('pending')]] };
    expect(decide(world, epochMs(slot + 3_700_000))).toMatchObject({ kind: 'replicate', mode: 'resync' });
  });

  it('waits grow between failures', () => {
    const twice: World = {
      source: '',
      replica: '',
      after: [
        [create('t1'), noAnswer('EdgeUnreachable')],
        [create('t1'), noAnswer('EdgeUnreachable')],
      ],
    };
    expect(decide(twice)).toMatchObject({ kind: 'wait', seconds: 30 });
  });

  it('a run that does not converge ends', () => {
    const after = Array.from({ length: 120 }, () => [askDiff, diff('rejected')] as const);
    expect(decide({ source: 'a* t1', replica: 'a*', run: 't1:taken', after })).toMatchObject({ kind: 'fail' });
  });

  it('another host is tried after one that gave no answer', () => {
    const world: World = { source: 'a* t1', replica: 'a*', run: 't1:taken' };
    const survey = historyOf(world).steps[0]?.observed ?? elapsed;
    const [first, second] = [
      decide(world),
      decide({
        ...world,
        after: [
          [askDiff, noAnswer('EdgeUnreachable')],
          [wait, elapsed],
          [{ kind: 'survey' }, survey],
        ],
      }),
    ];
    expect([first.kind, second.kind]).toEqual(['compute-diff', 'compute-diff']);
    expect('host' in first && 'host' in second && first.host !== second.host).toBe(true);
  });
});
