import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Answers, EdgeHost, ended, operationId } from './edge-host.ts';
import { bucketInfo, id, snapshotInfo, snapshotList } from './ozone-output.ts';

const replica = 'o3://dr/vol/bkt';
const temporary = (n: number): string => `temp${id(n)}s20261120-182443.021`;
const ours = 'odr-tmp-dirty.1';
const leaked = `snapshot list --all -p temp ${replica}`;
const owned = `snapshot list --all -p odr-tmp- ${replica}`;
const remove = (...items: readonly (readonly [name: string, n: number])[]): string =>
  items.map(([name, n]) => `${name}=${id(n)}`).join(',');
const deletion = (name: string): string => `snapshot delete ${replica} ${name}`;
const row = (name: string, n: number) => ({ name, id: id(n) });

function aHost(answers: Answers = {}): EdgeHost {
  const host = new EdgeHost();
  host.ozone({
    [leaked]: [{ out: snapshotList([temporary(1), 1], [temporary(2), 2]) }, { out: snapshotList([temporary(2), 2]) }],
    [owned]: [{ out: snapshotList([ours, 3]) }, { out: snapshotList([ours, 3, 'SNAPSHOT_DELETED']) }],
    [deletion(temporary(1))]: {},
    [deletion(temporary(2))]: {},
    [deletion(ours)]: {},
    ...answers,
  });
  return host;
}
const deletions = (host: EdgeHost): readonly string[] =>
  host.calls('ozone').filter((call) => call.includes('snapshot delete'));

describe.concurrent('tidy', () => {
  it('deletes the temporary snapshots that carry the expected ids, in two JVMs', async () => {
    const host = aHost();
    const { exit, reply } = await host.run('tidy', { remove: remove([temporary(1), 1], [ours, 3]) });
    expect(reply).toMatchObject({ outcome: 'ok', code: '', jvmStarts: 2 });
    expect(reply.data).toEqual({ removed: [row(temporary(1), 1), row(ours, 3)], kept: [] });
    expect(exit).toBe(0);
    expect(deletions(host)).toEqual([
      expect.stringMatching(
        `${deletion(temporary(1))} --execute ${deletion(ours)} --execute ${leaked} --execute ${owned}$`,
      ),
    ]);
  });

  it('keeps what is gone, what carries another id and what is deleted already, and says so', async () => {
    const host = aHost({ [leaked]: { out: snapshotList([temporary(1), 9], [temporary(2), 2, 'SNAPSHOT_DELETED']) } });
    const asked = remove([temporary(1), 1], [temporary(2), 2], [temporary(4), 4]);
    const { reply } = await host.run('tidy', { remove: asked });
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 1 });
    expect(reply.data).toEqual({
      removed: [],
      kept: [
        {
          ...row(temporary(1), 1),
          why: expect.stringContaining(`another snapshot: {"name":"${temporary(1)}","id":"${id(9)}"`),
        },
        { ...row(temporary(2), 2), why: 'deleted already' },
        { ...row(temporary(4), 4), why: 'not there' },
      ],
    });
    expect(deletions(host)).toEqual([]);
  });

  it('tells what was removed before a deletion failed, and what was not tried after it', async () => {
    const host = aHost({
      [deletion(temporary(2))]: { err: 'Connection refused\n', exit: 255 },
      [owned]: { out: snapshotList([ours, 3]) },
    });
    const asked = remove([temporary(1), 1], [temporary(2), 2], [ours, 3]);
    const { exit, reply } = await host.run('tidy', { remove: asked });
    expect(reply).toMatchObject({ outcome: 'failed', code: 'connection', jvmStarts: 3 });
    expect(reply.data).toEqual({
      removed: [row(temporary(1), 1)],
      kept: [
        { ...row(temporary(2), 2), why: 'connection' },
        { ...row(ours, 3), why: 'not tried' },
      ],
    });
    expect(exit).toBe(11);
  });

  const refusals: readonly (readonly [sentence: string, answers: Answers, outcome: string, code: string])[] = [
    ['a bucket that is gone', { [leaked]: { err: 'BUCKET_NOT_FOUND x\n', exit: 255 } }, 'refused', 'replica-missing'],
    [
      'a replica that does not answer',
      { [owned]: { err: 'Connection refused\n', exit: 255 } },
      'unreachable',
      'connection',
    ],
    [
      'a list that is cut short',
      { [leaked]: { out: snapshotList([temporary(1), 1]).slice(0, -3) } },
      'refused',
      'unreadable',
    ],
  ];
  it.each(refusals)('deletes nothing in %s', async (_sentence, answers, outcome, code) => {
    const host = aHost(answers);
    const { reply } = await host.run('tidy', { remove: remove([temporary(1), 1]) });
    expect([reply.outcome, reply.code, reply.data]).toEqual([outcome, code, null]);
    expect(deletions(host)).toEqual([]);
  });

  it('is refused while a copy into the bucket runs, whose temporary snapshot may be one of them', async () => {
    const host = aHost({
      [`bucket info ${replica}`]: { out: bucketInfo() },
      [`snapshot list --all -p snap-2 ${replica}`]: { out: snapshotList() },
      'bucket info o3://prod/vol/bkt': { out: bucketInfo() },
      'snapshot info o3://prod/vol/bkt snap-2': { out: snapshotInfo('snap-2', 2) },
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
    const { reply } = await host.run('tidy', { remove: remove([temporary(1), 1]) });
    expect([reply.outcome, reply.code]).toEqual(['refused', 'bucket-busy']);
    writeFileSync(host.file('go'), '');
    await copying;
    expect(deletions(host)).toEqual([]);
  });
});

describe.concurrent('tidy takes names of temporary snapshots only', () => {
  const good = remove([temporary(1), 1]);
  it.each([
    ['nothing', ''],
    ['a recovery point', remove(['odr-nightly-20261120t020000z-1', 1])],
    ['a name that only begins like one of distcp', remove([`temp${id(1)}`, 1])],
    ['one of distcp with more behind it', remove([`${temporary(1)}x`, 1])],
    ['one of ours with a blank', remove(['odr-tmp-a b', 1])],
    ['one of ours with nothing behind the prefix', remove(['odr-tmp-', 1])],
    ['a name without an id', temporary(1)],
    ['a comma too many', `${good},`],
    ['an option', `-h=${id(1)}`],
    ['a second line', `${good}\n`],
    ['eleven', Array.from({ length: 11 }, () => good).join(',')],
  ])('not %s', async (_sentence, value) => {
    const host = aHost();
    const { exit, reply } = await host.run('tidy', { remove: value });
    expect([reply.outcome, reply.code, exit]).toEqual(['refused', 'bad-parameter', 14]);
    expect(host.calls('ozone')).toEqual([]);
  });
});
