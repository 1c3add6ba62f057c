import { describe, expect, it } from 'vitest';
import type { BackupStep } from '../../../functions/core/domain/backup-step.ts';
import type { ReplicateData } from '../../../functions/core/domain/edge-reply.ts';
import type { Hold, Observation } from '../../../functions/core/domain/ledger.ts';
import { HostId, SnapshotName } from '../../../functions/core/domain/names.ts';
import { Retention } from '../../../functions/core/domain/retention.ts';
import { epochMs, later, seconds } from '../../../functions/core/domain/units.ts';
import { absorb } from '../../../functions/core/planner/absorb.ts';
import { mostRemovals } from '../../../functions/core/planner/brake.ts';
import { decideBackup } from '../../../functions/core/planner/decide-backup.ts';
import type { RunHistory } from '../../../functions/core/planner/history.ts';
import { baseOf, historyOf, nameOf, operationOf, seen, slot, targetOf, type World } from './world.ts';

const aMinuteIn = epochMs(slot + 60_000);
type Change = (history: RunHistory) => RunHistory;
const decide = (world: World, change: Change = (it) => it, now = aMinuteIn): BackupStep =>
  decideBackup(change(historyOf(world)), now);
const withPair =
  (pair: Partial<RunHistory['pair']>): Change =>
  (history) => ({ ...history, pair: { ...history.pair, ...pair } });
const withPolicy =
  (policy: Partial<RunHistory['run']['policy']>): Change =>
  (history) => ({ ...history, run: { ...history.run, policy: { ...history.run.policy, ...policy } } });
const withLimits =
  (limits: Partial<RunHistory['run']['policy']['limits']>): Change =>
  (history) =>
    withPolicy({ limits: { ...history.run.policy.limits, ...limits } })(history);

const elapsed: Observation = { kind: 'elapsed' };
const wait = { kind: 'wait', seconds: seconds(30), reason: 'r' } as const;
const nothingCopied: ReplicateData = {
  copy: null,
  diffStatus: null,
  diffEmpty: null,
  seal: null,
  log: '',
  removals: null,
  units: null,
  holder: null,
  detached: false,
};
const notDone = (
  outcome: 'refused' | 'failed' | 'interrupted',
  code: string,
  data: Partial<ReplicateData> = {},
): Observation => ({
  kind: 'not-done',
  outcome,
  code,
  message: 'as the host says',
  data: { ...nothingCopied, ...data },
  deletion: null,
});
const replicate = (token: string, base: string | null = 'a') =>
  ({
    kind: 'replicate',
    mode: base ? 'incremental' : 'resync',
    base: base ? baseOf(base) : null,
    target: targetOf(token),
    brake: 10,
  }) as const;
const askedFor = (token: string, base = 'a') =>
  [
    { kind: 'compute-diff', base: baseOf(base), target: targetOf(token) } as const,
    { kind: 'diff', status: 'done', reason: '' } as const,
  ] as const;
const copyOf = (token: string, to: 'over' | 'open', host = 'mi-0123456789abcdef0') => ({
  operation: operationOf(77),
  point: nameOf(token),
  mode: 'incremental' as const,
  base: nameOf('a'),
  host: HostId.parse(host),
  from: epochMs(slot - 3_600_000),
  deadline: epochMs(slot + 3_600_000),
  to: to === 'over' ? epochMs(slot - 1_800_000) : null,
});

describe('points that the replica missed', () => {
  const outage: World = { source: 'a* b c t1', replica: 'a*', run: 'b:taken c:taken t1:taken' };

  it('are brought over first, oldest first, each by its increment', () => {
    expect(decide(outage)).toMatchObject({ kind: 'compute-diff', target: { name: nameOf('b') } });
    const next = { ...outage, after: [askedFor('b')] };
    expect(decide(next)).toMatchObject({ kind: 'replicate', mode: 'incremental', target: { name: nameOf('b') } });
  });

  it('each becomes the base of the next, and the target comes last', () => {
    const further: World = { source: 'a* b* c t1', replica: 'a* b*', run: 'c:taken t1:taken' };
    expect(decide(further)).toMatchObject({ base: { name: nameOf('b') }, target: { name: nameOf('c') } });
    const last: World = { source: 'a* b* c* t1', replica: 'a* b* c*', run: 't1:taken' };
    expect(decide(last)).toMatchObject({ base: { name: nameOf('c') }, target: { name: nameOf('t1') } });
  });

  it('come before the diff of the new snapshot is asked for', () => {
    const before: World = { source: 'a* b', replica: 'a*', run: 'b:taken' };
    expect(decide(before)).toMatchObject({ kind: 'create-snapshot', base: null });
  });

  it('only those that the rules of the replica would keep there', () => {
    const daily = withPolicy({
      retention: Retention.parse({ zone: 'Etc/UTC', source: { keepLast: 9 }, replica: { keepDaily: 1 } }),
    });
    expect(decide(outage)).toMatchObject({ target: { name: nameOf('b') } });
    expect(decide(outage, daily)).not.toMatchObject({ target: { name: nameOf('b') } });
  });

  it('one whose diff fails is left to the source', () => {
    const failed = { kind: 'diff', status: 'failed', reason: 'of a bug' } as const;
    expect(decide({ ...outage, after: [[askedFor('b')[0], failed]] })).toMatchObject({ target: { name: nameOf('c') } });
  });

  it('none is worth a resync: a dirty replica goes straight to the target', () => {
    expect(decide({ ...outage, dirty: true })).toMatchObject({ mode: 'resync', target: { name: nameOf('t1') } });
  });

  it('one that is gone from the source, or older than the base, is none', () => {
    const gone: World = { source: 'b* c t1', replica: 'b*', run: 'a:taken c:taken t1:taken' };
    expect(decide({ ...gone, source: 'b* t1' })).toMatchObject({ target: { name: nameOf('t1') } });
  });
});

describe('limits that are known before a diff is asked for', () => {
  const world: World = { source: 'a* t1', replica: 'a*', run: 't1:taken' };
  it('a base that is too old leads to a resync', () => {
    const now = later(aMinuteIn, seconds(31 * 86_400));
    expect(decide(world, undefined, now)).toMatchObject({
      mode: 'resync',
      reason: expect.stringContaining('days old'),
    });
  });
  it('too many changed keys lead to a resync', () => {
    expect(decide(world, withLimits({ diffMaxKeys: 7 }))).toMatchObject({
      mode: 'resync',
      reason: expect.stringContaining('at least 8 keys changed'),
    });
  });
  it('and stop a run that may do increments only, with a remedy', () => {
    const step = decide({ ...world, mode: 'incremental' }, withLimits({ diffMaxKeys: 7 }));
    expect(step).toMatchObject({ kind: 'fail', conflict: 'diff-unusable', remedy: expect.stringContaining('mode') });
  });
});

describe('a copy that may still be going on', () => {
  const world: World = { source: 'a* b t1', replica: 'a*', run: 'b:taken t1:taken', dirty: true };
  const open = withPair({ copies: [copyOf('b', 'open')] });

  it('is asked for on its host before anything is copied', () => {
    expect(decide(world, open)).toMatchObject({ kind: 'probe', copy: operationOf(77), host: 'mi-0123456789abcdef0' });
  });
  it('is waited for while it runs, longer and longer, but not longer than a lease', () => {
    const probe = { kind: 'probe', copy: operationOf(77) } as const;
    const running: Observation = { kind: 'probe', state: 'running' };
    const asked = { ...world, after: [[probe, running] as const] };
    expect(decide(asked, open)).toMatchObject({ kind: 'wait', seconds: 915 });
    const copy = { ...copyOf('b', 'open'), deadline: later(slot, seconds(5 * 86_400)) };
    const late = decide(asked, withPair({ copies: [copy] }), later(slot, seconds(86_400)));
    expect(late).toMatchObject({ kind: 'wait', seconds: 1500 });
    expect(
      decide(
        {
          ...world,
          after: [
            [probe, running],
            [wait, elapsed],
          ],
        },
        open,
      ),
    ).toMatchObject({ kind: 'probe' });
  });
  it('holds nobody up once its time is over', () => {
    const now = later(slot, seconds(2 * 3600));
    expect(decide(world, open, now)).toMatchObject({ kind: 'replicate', mode: 'resync' });
  });
  it('on a host that the policy does not name any more holds the bucket until then', () => {
    const elsewhere = withPair({ copies: [copyOf('b', 'open', 'mi-0fffffffffffffff0')] });
    expect(decide(world, elsewhere)).toMatchObject({
      kind: 'fail',
      error: 'EdgeUnreachable',
      remedy: expect.stringContaining('Put the host back'),
    });
  });
  it('whose seal is found is compared instead of copied again, although its run is over', () => {
    const sealed: World = { source: 'a* b t1', replica: 'a* b', run: 'b:sealed t1:taken', dirty: true };
    expect(decide(sealed, open)).toMatchObject({ kind: 'verify', target: { name: nameOf('b') } });
  });
  it('is ended when it outlives its script: the host named it, a wait was in vain', () => {
    const busy = notDone('refused', 'bucket-busy', { holder: operationOf(77) });
    const survey = historyOf(world).steps[0]?.observed ?? elapsed;
    const after = [
      [replicate('t1', null), busy],
      [wait, elapsed],
      [{ kind: 'survey' } as const, survey],
    ] as const;
    expect(decide({ ...world, after })).toMatchObject({ kind: 'replicate', supersedes: operationOf(77) });
  });
  it('makes way for another host when its own is silent', () => {
    const survey = historyOf(world).steps[0]?.observed ?? elapsed;
    const pinned = withPair({ pinned: { host: HostId.parse('mi-0123456789abcdef0'), seeded: true } });
    const after = [
      [replicate('t1', null), { kind: 'no-answer', error: 'EdgeUnreachable', cause: 'not delivered' } as const],
      [wait, elapsed],
      [{ kind: 'survey' } as const, survey],
    ] as const;
    expect(decide(world, pinned)).toMatchObject({ host: 'mi-0123456789abcdef0' });
    expect(decide({ ...world, after }, pinned)).toMatchObject({ kind: 'replicate', host: 'mi-0123456789abcdef1' });
  });

  it('a policy that allows more than a day starts full copies only, and asks for them', () => {
    const long = withLimits({ copyTimeout: seconds(3 * 86_400) });
    expect(decide({ source: 't1', replica: '', run: 't1:taken' }, long)).toMatchObject({ detached: true });
    const started: Observation = { kind: 'replicate', data: { ...nothingCopied, detached: true } };
    const after = [[replicate('t1', null), started] as const];
    const goingOn = (history: RunHistory) =>
      long(withPair({ copies: [{ ...copyOf('t1', 'open'), from: slot }] })(history));
    expect(decide({ ...world, after }, goingOn)).toMatchObject({ kind: 'wait', seconds: 30 });
  });

  it('a probe that finds it dead or unknown closes it, but an unknown one only when it can no more be delivered', () => {
    const probe = { kind: 'probe', copy: operationOf(77) } as const;
    const found = (state: 'died' | 'unknown', now: number) => {
      const history = open(historyOf({ ...world, after: [[probe, null]] }));
      const step = history.steps.at(-1);
      if (!step) throw new Error('the world has steps');
      return absorb(history, step, { kind: 'probe', state }, operationOf(step.n), epochMs(now)).pair.copies?.[0]?.to;
    };
    expect(found('died', slot)).toBe(slot);
    expect(found('unknown', slot)).toBe(slot);
    expect(found('unknown', copyOf('b', 'open').from + 60_000)).toBeUndefined();
  });
});

describe('the time limit of a copy', () => {
  const world: World = { source: 't1', replica: '', run: 't1:taken' };
  const sized =
    (keys: number, bytes: number): Change =>
    (history) => ({
      ...history,
      steps: history.steps.map((step) =>
        step.observed?.kind === 'survey' && step.observed.source.state === 'read'
          ? {
              ...step,
              observed: {
                ...step.observed,
                source: {
                  ...step.observed.source,
                  bucket: { ...step.observed.source.bucket, usedNamespace: keys, usedBytes: bytes },
                },
              },
            }
          : step,
      ),
    });
  it('follows from what has to be listed and moved, and the plan says so', () => {
    expect(decide(world, sized(100_000, 40e9))).toMatchObject({
      copySeconds: 6 * 3600,
      estimate: { keys: 100_000, bytesAtMost: 40e9, seconds: 6000 },
      reason: expect.stringContaining('lists 100000 keys on each side, moves at most 40 GB, about 100 min'),
    });
  });
  it('is a quarter of an hour for what is small, so that a client that hangs is ended soon', () => {
    expect(decide(world, sized(10, 1000))).toMatchObject({ copySeconds: 900 });
  });
  it('knows the rate of the slowest copy that was measured', () => {
    const measured: Change = (history) => ({
      ...sized(0, 10e9)(history),
      points: history.points.map((point) => ({ ...point, bytesCopied: 2e9 as never, copySeconds: 1000 })),
    });
    expect(decide(world, measured)).toMatchObject({ estimate: { seconds: 5000 } });
  });
  it('takes the bandwidth of the policy for that of one map, of which a host makes no more', () => {
    const limited: Change = (history) => {
      const of = sized(0, 10e9)(history);
      const limits = { ...of.run.policy.limits, bandwidthMBps: 5, maps: 8 };
      return { ...of, run: { ...of.run, policy: { ...of.run.policy, limits } } };
    };
    expect(decide(world, limited)).toMatchObject({ estimate: { seconds: 2000 }, copySeconds: 8000 });
  });
});

describe('the anomaly brake', () => {
  const hold: Hold = {
    target: nameOf('b'),
    base: nameOf('a'),
    deletes: 700,
    renames: 2,
    complete: false,
    limit: 500,
    at: slot,
    accepted: null,
    rejected: null,
  };
  const verdict = { by: 'Ada', reason: 'meant', at: slot };

  it.each([
    ['a share of many keys', 100_000, null, 50_000],
    ['never fewer than the floor', 10, null, 1000],
    ['never more than the ceiling', 100_000, 2000, 2000],
  ])('allows %s', (_sentence, keys, atMost, most) => {
    expect(mostRemovals({ percent: 50, atLeast: 1000, atMost }, keys)).toBe(most);
  });

  it('is told to every copy that could take something away, but not to a first one', () => {
    const normal: World = { source: 'a* t1', replica: 'a*', run: 't1:taken', after: [askedFor('t1')] };
    expect(decide(normal)).toMatchObject({ brake: 1000 });
    expect(decide({ ...normal, dirty: true })).toMatchObject({ mode: 'resync', brake: 1000 });
    expect(decide({ source: 't1', replica: '', run: 't1:taken' })).toMatchObject({ brake: null });
  });

  it('a refusal holds the change, pins the last good point and ends the run with what to do', () => {
    const removals = { deletes: 700, renames: 2, complete: false };
    const world: World = { source: 'a* t1', replica: 'a*', run: 't1:taken', after: [[replicate('t1'), null]] };
    const history = historyOf(world);
    const step = history.steps.at(-1);
    if (!step) throw new Error('the world has steps');
    const refused = notDone('refused', 'anomalous-change', { removals });
    const change = absorb(history, step, refused, operationOf(step.n), aMinuteIn);
    expect(change.points).toMatchObject([{ name: nameOf('a'), pinned: expect.stringContaining('anomalous') }]);
    expect(change.pair.hold).toMatchObject({ ...removals, limit: 10, target: nameOf('t1'), base: nameOf('a') });
    const after = [[replicate('t1'), refused] as const];
    expect(decide({ ...world, after }, withPair({ hold: change.pair.hold ?? null }))).toMatchObject({
      error: 'AnomalousChange',
      conflict: 'anomalous-change',
      remedy: expect.stringContaining(`accept sales/orders ${nameOf('t1')}`),
    });
  });

  it('the next nights take their snapshot, touch no replica, and say it again', () => {
    expect(decide({ source: 'a*', replica: 'a*', hold })).toMatchObject({ kind: 'create-snapshot', base: null });
    expect(decide({ source: 'a* t1', replica: 'a*', run: 't1:taken', hold })).toMatchObject({
      error: 'AnomalousChange',
    });
  });

  it('what was accepted follows without being counted again', () => {
    const world: World = { source: 'a* t1', replica: 'a*', run: 't1:taken', hold: { ...hold, accepted: verdict } };
    expect(decide({ ...world, after: [askedFor('t1')] })).toMatchObject({ kind: 'replicate', brake: null });
  });

  it('what was rejected stays held, and the remedy is a restore', () => {
    const world: World = { source: 'a* t1', replica: 'a*', run: 't1:taken', hold: { ...hold, rejected: verdict } };
    expect(decide(world)).toMatchObject({ error: 'AnomalousChange', remedy: expect.stringContaining('Restore') });
  });

  it('a verified point after it was accepted ends it and unpins', () => {
    const verify = {
      kind: 'verify',
      target: targetOf('t1'),
      sealId: seen('t1', 'replica').id,
      level: 'listing',
    } as const;
    const world: World = { source: 'a* t1', replica: 'a* t1', run: 't1:sealed', after: [[verify, null]] };
    const history = historyOf({ ...world, hold: { ...hold, accepted: verdict } });
    const step = history.steps.at(-1);
    if (!step) throw new Error('the world has steps');
    const listing = { files: 2, dirs: 1, bytes: 9 as never, digest: 'a'.repeat(64) };
    const sides = { source: listing, replica: listing, onlySource: 0, onlyReplica: 0, changed: 0 };
    const equal: Observation = {
      kind: 'verify',
      data: { level: 'listing', equal: true, ...sides, checksums: null, first: [] },
    };
    const change = absorb(history, step, equal, operationOf(step.n), aMinuteIn);
    expect(change.pair.hold).toBeNull();
    expect(change.points).toContainEqual(expect.objectContaining({ name: nameOf('a'), pinned: null }));
  });
});

describe('a resync of a large bucket', () => {
  const large = withLimits({ narrowAbove: 5 });
  const world: World = { source: 'a* t1', replica: 'a*', run: 't1:taken', dirty: true };
  const markName = SnapshotName.parse('odr-tmp-20261120t020000z-1');
  const mark = { kind: 'mark-replica', name: markName, base: baseOf('a') } as const;
  const markSeen = { ...seen('m', 'replica'), name: markName };
  const frozen: Observation = { kind: 'snapshot', created: true, snapshot: markSeen, diff: 'submitted' };
  const marks = [{ name: markName, id: markSeen.id, operation: operationOf(1) }];
  const marked = { ...world, marks, after: [[mark, frozen], askedFor('t1')] } as const;

  it('first freezes what the replica holds, and asks both sides what changed since the base', () => {
    expect(decide(world, large)).toMatchObject({ kind: 'mark-replica', name: markName, base: { name: nameOf('a') } });
    expect(decide({ ...world, marks, after: [[mark, frozen]] }, large)).toMatchObject({
      kind: 'compute-diff',
      side: 'source',
    });
  });
  it('then compares only there, and a comparison of everything follows', () => {
    expect(decide(marked, large)).toMatchObject({
      kind: 'replicate',
      mode: 'resync',
      base: { name: nameOf('a') },
      narrow: { name: markName, id: markSeen.id },
    });
  });
  it('compares everything when the diff of the replica fails, when it was tried before, and in a small bucket', () => {
    const failed: Observation = { kind: 'snapshot', created: true, snapshot: markSeen, diff: 'failed' };
    expect(decide({ ...world, marks, after: [[mark, failed], askedFor('t1')] }, large)).toMatchObject({
      mode: 'resync',
      narrow: null,
    });
    const wide = notDone('refused', 'too-wide');
    const survey = historyOf(world).steps[0]?.observed ?? elapsed;
    const tried = [
      ...marked.after,
      [{ ...replicate('t1'), mode: 'resync', narrow: { name: markName, id: markSeen.id, created: slot } }, wide],
      [{ kind: 'survey' }, survey],
    ] as const;
    expect(decide({ ...world, marks, after: tried }, large)).toMatchObject({ mode: 'resync', narrow: null });
    expect(decide(world)).toMatchObject({ mode: 'resync', narrow: null });
  });
  it('is narrowed in a small one too when distcp gave up on the whole: it puts no directory where a file is', () => {
    const survey = historyOf(world).steps[0]?.observed ?? elapsed;
    const copy = { mode: 'resync', exit: 25, seconds: 1, filesCopied: 0, filesSkipped: 0, filesFailed: 0 } as const;
    const gaveUp = (exit: number) =>
      [
        [
          { ...replicate('t1', null), narrow: null },
          notDone('failed', 'copy-failed', { copy: { ...copy, exit, bytesCopied: 0 as never, dirsCopied: 0 } }),
        ],
        [{ kind: 'survey' }, survey],
      ] as const;
    expect(decide({ ...world, after: gaveUp(25) })).toMatchObject({ kind: 'mark-replica' });
    expect(decide({ ...world, after: gaveUp(137) })).toMatchObject({ kind: 'replicate', narrow: null });
  });
  it('is never narrowed where the policy uses no diff, or no base is left', () => {
    expect(decide({ ...world, mode: 'resync' }, large)).toMatchObject({ mode: 'resync', narrow: null });
    expect(decide({ ...world, replica: '' }, large)).toMatchObject({ kind: 'replicate', narrow: null });
  });
  it('leaves no mark: it is deleted by its id once the point is verified', () => {
    const done: World = { ...marked, source: 'a* t1*', replica: 'a* t1*', run: 't1:verified', dirty: false };
    expect(decide(done, large)).toMatchObject({
      kind: 'tidy',
      remove: [{ name: markName, id: markSeen.id, leftBy: operationOf(1) }],
    });
  });
});

describe('temporary snapshots on the replica', () => {
  const temporary = 'temp01234567-89ab-4cde-8f01-23456789abcds20261120-013000.000';
  const leaked =
    (created: number): Change =>
    (history) => ({
      ...history,
      steps: history.steps.map((step) =>
        step.observed?.kind === 'survey' && step.observed.replica?.state === 'read'
          ? {
              ...step,
              observed: {
                ...step.observed,
                replica: {
                  ...step.observed.replica,
                  snapshots: [
                    ...step.observed.replica.snapshots,
                    { ...seen('x', 'replica'), name: temporary, created: epochMs(created) },
                  ],
                },
              },
            }
          : step,
      ),
    });
  const during = copyOf('b', 'over').from + 60_000;
  const world: World = { source: 'a* t1', replica: 'a*', run: 't1:taken', dirty: true };
  const decideAfter = (change: Change, ...copies: readonly ReturnType<typeof copyOf>[]): BackupStep =>
    decide(world, (history) => withPair({ copies: [...copies] })(change(history)));

  it('one that was made while a copy of ours went on is deleted by name and id', () => {
    expect(decideAfter(leaked(during), copyOf('b', 'over'))).toMatchObject({
      kind: 'tidy',
      remove: [{ name: temporary, id: seen('x', 'replica').id, leftBy: operationOf(77) }],
    });
  });
  it('one of another time is not ours to delete, and the outcome says so', () => {
    const foreign = leaked(copyOf('b', 'over').from - 86_400_000);
    expect(decideAfter(foreign, copyOf('b', 'over'))).toMatchObject({ kind: 'replicate' });
    const done: World = { source: 'a* t1*', replica: 'a* t1*', run: 't1:verified' };
    expect(decide(done, foreign)).toMatchObject({ outcome: { notes: [expect.stringContaining(temporary)] } });
  });
  it('none is deleted twice in a run', () => {
    const tidied: Observation = { kind: 'tidy', data: { removed: [], kept: [] } };
    const remove = [{ name: temporary, id: seen('x', 'replica').id, leftBy: operationOf(77) }];
    const step = decide({ ...world, after: [[{ kind: 'tidy', remove }, tidied]] }, (history) =>
      withPair({ copies: [copyOf('b', 'over')] })(leaked(during)(history)),
    );
    expect(step).toMatchObject({ kind: 'replicate' });
  });
});

describe('what a bucket is besides its content', () => {
  it('another source bucket of the same name stops everything until a person adopts it', () => {
    const world: World = { source: 'a*', replica: 'a*', sourceCreated: '2025-05-05T00:00:00.000Z' };
    expect(decide(world)).toMatchObject({
      error: 'SourceReplaced',
      remedy: expect.stringContaining('adopt sales/orders on prod created 2026-01-01T00:00:00.000Z'),
    });
  });
  it('a missing replica is made where the policy says so, like the source', () => {
    const world: World = { source: 't1', replica: 'missing', run: 't1:taken' };
    expect(decide(world)).toMatchObject({ error: 'ReplicaMissing', conflict: 'replica-missing' });
    expect(decide(world, withPolicy({ createReplica: true }))).toMatchObject({
      kind: 'create-replica',
      layout: 'FILE_SYSTEM_OPTIMIZED',
      quotaBytes: 0,
    });
  });
  it('one that held copies is not made again silently', () => {
    const world: World = { source: 'a* t1', replica: 'missing', run: 't1:taken' };
    expect(decide(world, withPolicy({ createReplica: true }))).toMatchObject({ error: 'ReplicaMissing' });
  });
  it('differences between the sides are told with the outcome', () => {
    const world: World = { source: 'a* t1*', replica: 'a* t1*', run: 't1:verified' };
    const owned: Change = (history) => ({
      ...history,
      steps: history.steps.map((step) =>
        step.observed?.kind === 'survey' && step.observed.source.state === 'read'
          ? {
              ...step,
              observed: {
                ...step.observed,
                source: {
                  ...step.observed.source,
                  bucket: { ...step.observed.source.bucket, owner: 'sales', replication: 'EC/rs-3-2-1024k' },
                },
              },
            }
          : step,
      ),
    });
    expect(decide(world, owned)).toMatchObject({
      outcome: {
        notes: [
          'replication: EC/rs-3-2-1024k on the source, the default of its cluster on the replica',
          'owner: sales on the source, root on the replica',
        ],
      },
    });
  });
});
