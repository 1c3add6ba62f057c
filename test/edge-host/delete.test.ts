import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { PolicyName, snapshotName } from '../../functions/core/domain/names.ts';
import { epochMs } from '../../functions/core/domain/units.ts';
import { type Answers, EdgeHost, ended, operationId } from './edge-host.ts';
import { bucketInfo, id, type ListedSnapshot as Listed, snapshotInfo, snapshotList } from './ozone-output.ts';

const bucket = 'o3://prod/vol/bkt';
const point = (n: number, policy = 'nightly', attempt = 1): string =>
  snapshotName(PolicyName.parse(policy), epochMs(Date.UTC(2026, 0, n, 2)), attempt);
const list = (of = bucket): string => `snapshot list --all -p odr- ${of}`;
const deletion = (n: number, of = bucket): string => `snapshot delete ${of} ${point(n)}`;
const remove = (...points: readonly number[]): string => points.map((n) => `${point(n)}=${id(n)}`).join();
const row = (n: number) => ({ name: point(n), id: id(n) });
const active = (n: number): Listed => [point(n), n];
const deleted = (n: number): Listed => [point(n), n, 'SNAPSHOT_DELETED'];

/** Four points; after the deletions the first two are marked as deleted, the third is purged. */
function aHost(answers: Answers = {}): EdgeHost {
  const host = new EdgeHost();
  host.ozone({
    [list()]: [
      { out: snapshotList(active(1), active(2), active(3), active(4)) },
      { out: snapshotList(deleted(1), deleted(2), active(4)) },
    ],
    ...Object.fromEntries([1, 2, 3, 4].map((n) => [deletion(n), {}])),
    ...answers,
  });
  return host;
}
const deletions = (host: EdgeHost): readonly string[] =>
  host.calls('ozone').filter((call) => call.includes('snapshot delete'));

describe.concurrent('delete', () => {
  it('deletes the recovery points with the expected ids and reads that they are gone, in two JVMs', async () => {
    const host = aHost();
    const { exit, reply } = await host.run('delete', { remove: remove(1, 2, 3), replica: '' });
    expect(reply).toMatchObject({ verb: 'delete', outcome: 'ok', code: '', jvmStarts: 2 });
    expect(reply.data).toEqual({ removed: [row(1), row(2), row(3)], kept: [] });
    expect(exit).toBe(0);
    const each = [deletion(1), deletion(2), deletion(3), list()].map((command) => `--execute ${command}`);
    expect(host.calls('ozone')).toEqual([
      expect.stringMatching(`${list()}$`),
      expect.stringMatching(`${each.join(' ')}$`),
    ]);
  });

  it('deletes on the side that it is given as source', async () => {
    const dr = 'o3://dr/vol/bkt';
    const host = aHost({
      [list(dr)]: [{ out: snapshotList(active(1)) }, { out: snapshotList() }],
      [deletion(1, dr)]: {},
    });
    const { reply } = await host.run('delete', { source: 'dr/vol/bkt', replica: 'prod/vol/bkt', remove: remove(1) });
    expect(reply).toMatchObject({ outcome: 'ok', data: { removed: [row(1)] } });
  });

  it('keeps what is deleted already, and deletes the rest', async () => {
    const host = aHost({
      [list()]: [{ out: snapshotList(deleted(1), active(2)) }, { out: snapshotList(deleted(2)) }],
    });
    const { reply } = await host.run('delete', { remove: remove(1, 2) });
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 2 });
    expect(reply.data).toEqual({ removed: [row(2)], kept: [{ ...row(1), why: 'deleted already' }] });
  });

  it('starts no second JVM when all are deleted already', async () => {
    const host = aHost({ [list()]: { out: snapshotList(deleted(1), deleted(2)) } });
    const { reply } = await host.run('delete', { remove: remove(1, 2) });
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 1, data: { removed: [] } });
  });

  const moved: readonly (readonly [sentence: string, listed: readonly Listed[], why: string])[] = [
    [
      'the name of one was taken over',
      [active(1), [point(2), 9], active(3)],
      `another snapshot: {"name":"${point(2)}"`,
    ],
    ['another one of that name is deleted', [active(1), [point(2), 9, 'SNAPSHOT_DELETED'], active(3)], 'another snap'],
    ['one is gone', [active(1), active(3)], 'not there'],
  ];
  it.each(moved)('deletes nothing at all when %s', async (_sentence, listed, why) => {
    const host = aHost({ [list()]: { out: snapshotList(...listed) } });
    const { exit, reply } = await host.run('delete', { remove: remove(1, 2, 3) });
    expect(reply).toMatchObject({ outcome: 'refused', code: 'changed-meanwhile', jvmStarts: 1 });
    expect(reply.data).toEqual({
      removed: [],
      kept: [
        { ...row(2), why: expect.stringContaining(why) },
        { ...row(1), why: 'not tried' },
        { ...row(3), why: 'not tried' },
      ],
    });
    expect(exit).toBe(10);
    expect(deletions(host)).toEqual([]);
  });

  it('stops at the first deletion that fails, and reads in a third JVM what is gone', async () => {
    const host = aHost({
      [list()]: [
        { out: snapshotList(active(1), active(2), active(3)) },
        { out: snapshotList(deleted(1), active(2), active(3)) },
      ],
      [deletion(2)]: { err: 'PERMISSION_DENIED Only bucket owners and Ozone admins can delete snapshots\n', exit: 255 },
    });
    const { exit, reply } = await host.run('delete', { remove: remove(1, 2, 3) });
    expect(reply).toMatchObject({ outcome: 'failed', code: 'permission-denied', jvmStarts: 3 });
    expect(reply.data).toEqual({
      removed: [row(1)],
      kept: [
        { ...row(2), why: 'permission-denied' },
        { ...row(3), why: 'not tried' },
      ],
    });
    expect(exit).toBe(11);
  });

  it('calls a deletion done whose answer was lost, when it is gone', async () => {
    const host = aHost({
      [list()]: [{ out: snapshotList(active(1), active(2)) }, { out: snapshotList(deleted(1), active(2)) }],
      [deletion(1)]: { err: 'Connection reset by peer\n', exit: 255 },
    });
    const { reply } = await host.run('delete', { remove: remove(1, 2) });
    expect(reply).toMatchObject({ outcome: 'failed', code: 'connection' });
    expect(reply.data).toEqual({ removed: [row(1)], kept: [{ ...row(2), why: 'not tried' }] });
  });

  const before = { out: snapshotList(active(1), active(2)) };
  const unproved: readonly (readonly [sentence: string, answers: Answers, code: string, why: string])[] = [
    [
      'the listing after them fails',
      { [list()]: [before, { err: 'Connection refused', exit: 255 }] },
      'connection',
      'not proved',
    ],
    [
      'the listing after them is cut short',
      { [list()]: [before, { out: snapshotList(deleted(1), deleted(2)).slice(0, -4) }] },
      'not-proved',
      'not proved',
    ],
    ['they are still there', { [list()]: before }, 'not-proved', 'still there'],
    [
      'another one of that name was deleted instead',
      {
        [list()]: [before, { out: snapshotList([point(1), 8, 'SNAPSHOT_DELETED'], [point(2), 9, 'SNAPSHOT_DELETED']) }],
      },
      'not-proved',
      'another snapshot: ',
    ],
  ];
  it.each(unproved)('does not say that they are deleted when %s', async (_sentence, answers, code, why) => {
    const { reply } = await aHost(answers).run('delete', { remove: remove(1, 2) });
    expect(reply).toMatchObject({ outcome: 'failed', code, jvmStarts: 2 });
    expect(reply.data).toEqual({
      removed: [],
      kept: [1, 2].map((n) => ({ ...row(n), why: expect.stringContaining(why) })),
    });
  });

  const refusals: readonly (readonly [sentence: string, answer: Answers[string], outcome: string, code: string])[] = [
    ['a bucket that is gone', { err: 'BUCKET_NOT_FOUND x\n', exit: 255 }, 'refused', 'source-missing'],
    ['a bucket that it may not read', { err: 'PERMISSION_DENIED x\n', exit: 255 }, 'refused', 'permission-denied'],
    ['a side that does not answer', { err: 'Connection refused\n', exit: 255 }, 'unreachable', 'connection'],
    ['a list that is cut short', { out: snapshotList(active(1)).slice(0, -3) }, 'refused', 'unreadable'],
    ['a list with a log line in front', { before: 'WARN x\n', out: snapshotList(active(1)) }, 'refused', 'unreadable'],
    ['a list that does not come', { exit: 124 }, 'unreachable', 'timeout'],
  ];
  it.each(refusals)('deletes nothing in %s', async (_sentence, answer, outcome, code) => {
    const host = aHost({ [list()]: answer });
    const { reply } = await host.run('delete', { remove: remove(1) });
    expect([reply.outcome, reply.code, reply.data]).toEqual([outcome, code, null]);
    expect(deletions(host)).toEqual([]);
  });

  it('deletes a hundred in two JVMs', async () => {
    const hundred = Array.from({ length: 100 }, (_, n) => n + 1);
    const host = aHost({
      ...Object.fromEntries(hundred.map((n) => [deletion(n), {}])),
      [list()]: [{ out: snapshotList(...hundred.map(active)) }, { out: snapshotList() }],
    });
    const { reply } = await host.run('delete', { remove: remove(...hundred) });
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 2 });
    expect(reply.data).toEqual({ removed: hundred.map(row), kept: [] });
  });

  it('is refused while a copy into that bucket runs on this host, and not by one into another bucket', async () => {
    const dr = 'o3://dr/vol/bkt';
    const host = aHost({
      [`bucket info ${dr}`]: { out: bucketInfo() },
      [`snapshot list --all -p snap-2 ${dr}`]: { out: snapshotList() },
      [`bucket info ${bucket}`]: { out: bucketInfo() },
      [`snapshot info ${bucket} snap-2`]: { out: snapshotInfo('snap-2', 2) },
    });
    host.hadoop(`: > ${host.file('copying')}; while [ ! -e ${host.file('go')} ]; do sleep 0.02; done; exit 1`);
    const copying = ended(
      host.start('replicate', {
        ...{
          operation: operationId(2),
          mode: 'resync',
          target: 'snap-2',
          targetId: id(2),
          fence: '7',
          fenceSeed: 'yes',
        },
        replicaCreated: '2026-11-20T18:22:04.605Z',
      }),
    );
    while (!existsSync(host.file('copying'))) await sleep(10);
    const { reply } = await host.run('delete', { source: 'dr/vol/bkt', remove: remove(1) });
    expect([reply.outcome, reply.code]).toEqual(['refused', 'bucket-busy']);
    expect(reply.message).toContain('a copy into dr/vol/bkt is running on this host: op-');
    const other = await host.run('delete', { operation: operationId(3), remove: remove(1, 2, 3) });
    expect(other.reply.outcome).toBe('ok');
    writeFileSync(host.file('go'), '');
    await copying;
  });
});

describe.concurrent('delete takes names of recovery points only', () => {
  const named = (...names: readonly string[]): string => names.map((name, n) => `${name}=${id(n)}`).join();
  const longest = point(1, 'a'.repeat(32), 999_999_999);

  it.each([
    ['the longest name that a policy gives', longest],
    ['a policy whose name has numbers and dashes', point(1, 'x-1-20260101t020000z-7')],
    ['a policy that only begins like the temporaries', point(1, 'tmpx')],
  ])('%s', async (_sentence, name) => {
    const host = aHost({
      [list()]: [{ out: snapshotList([name, 0]) }, { out: snapshotList() }],
      [`snapshot delete ${bucket} ${name}`]: {},
    });
    const { reply } = await host.run('delete', { remove: named(name) });
    expect(reply).toMatchObject({ outcome: 'ok', data: { removed: [{ name, id: id(0) }] } });
  });

  it.each([
    ['nothing', ''],
    ['a temporary of ours', named('odr-tmp-dirty.1')],
    ['a mark of a run, which looks like a point', named('odr-tmp-20260101t020000z-1')],
    ['a mark behind a point', named(point(1), 'odr-tmp-20260101t020000z-1')],
    ['a temporary of distcp', named(`temp${id(1)}s20261120-182443.021`)],
    ['a snapshot of somebody else', named('backup-1')],
    ['a name without an attempt', named('odr-nightly-20260101t020000z')],
    ['attempt 0', named('odr-nightly-20260101t020000z-0')],
    ['more behind the name', named(`${point(1)}.x`)],
    ['a name without an id', point(1)],
    ['an id that is none', `${point(1)}=${id(1)}0`],
    ['the same name twice', `${point(1)}=${id(1)},${point(1)}=${id(2)}`],
    ['a comma too many', `${named(point(1))},`],
    ['an option', `-h=${id(1)}`],
    ['a second line', `${named(point(1))}\n`],
    ['a hundred and one', named(...Array.from({ length: 101 }, (_, n) => point(n + 1)))],
  ])('not %s', async (_sentence, value) => {
    const host = aHost();
    const { exit, reply } = await host.run('delete', { remove: value });
    expect([reply.outcome, reply.code, exit]).toEqual(['refused', 'bad-parameter', 14]);
    expect(host.calls('ozone')).toEqual([]);
  });

  it.each(['observe', 'protect'])('and is no verb of the document %s', async (document) => {
    const { reply } = await aHost().run('delete', { remove: remove(1) }, document);
    expect([reply.outcome, reply.code]).toEqual(['refused', 'verb-not-allowed']);
  });
});
