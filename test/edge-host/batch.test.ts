import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Answer, type Answers, EdgeHost, ended, operationId, type Reply, type Variables } from './edge-host.ts';
import { aclList, bucketInfo, id, keyList, snapshotInfo, snapshotList } from './ozone-output.ts';
import { appears, lives } from './slow-host.ts';

const names = ['one', 'two', 'three'];
const info = bucketInfo();
const refused: Answer = { err: 'BUCKET_NOT_FOUND Bucket not found: vol/two', exit: 255 };

/** Members of a batch, numbered from 2; `fields` after the bucket. */
const batchOf = (fields: string, buckets = names): Variables => ({
  source: 'prod',
  replica: 'dr',
  batch: buckets.map((name, n) => `${operationId(n + 2)}|vol/${name}|${fields}`).join(';'),
});
const surveys = batchOf('|||||||');

const looks = (of: readonly string[]): Answers =>
  Object.fromEntries(
    of.flatMap((bucket) => [
      [`bucket info o3://${bucket}`, { out: info }],
      [`snapshot list --all o3://${bucket}`, { out: snapshotList(['s-1', 1]) }],
      [`bucket getacl o3://${bucket}`, { out: aclList(['USER', 'root', 'ACCESS', 'ALL']) }],
    ]),
  );
const allLooks = looks(names.flatMap((name) => [`prod/vol/${name}`, `dr/vol/${name}`]));

/** Its Ozone waits in the n-th start until the file `go` is there. */
const waitsIn = (host: EdgeHost, start: number, answers: Answers): void => {
  host.ozone(answers);
  const file = host.file('bin', 'ozone');
  writeFileSync(host.file('bin', 'answering'), readFileSync(file, 'utf8'), { mode: 0o755 });
  host.program(
    'ozone',
    `echo >>${host.file('starts')}
if [ $(wc -l <${host.file('starts')}) = ${start} ]; then echo $$ >${host.file('waiting')}; while [ ! -e ${host.file('go')} ]; do sleep 0.05; done; fi
exec ${host.file('bin', 'answering')} "$@"`,
  );
};

const repliesOf = ({ data }: Reply): readonly Reply[] => data.replies;
const recordOf = (host: EdgeHost, n: number): string => host.file('state', 'operations', operationId(n), 'result');
const withoutTimes = ({ startedAt: _, endedAt: _e, ...reply }: Reply): unknown => reply;

describe.concurrent('a batch', () => {
  it('asks for all its members in one start, and each answers as if it had come alone', async () => {
    const host = new EdgeHost();
    host.ozone(allLooks);
    const { reply, exit } = await host.run('survey', surveys);
    expect([exit, reply.outcome, reply.verb, reply.jvmStarts]).toEqual([0, 'ok', 'batch', 1]);
    expect(host.calls('ozone')).toHaveLength(1);
    const alone = new EdgeHost();
    alone.ozone(allLooks);
    for (const [n, name] of names.entries()) {
      const parameters = { operation: operationId(n + 2), source: `prod/vol/${name}`, replica: `dr/vol/${name}` };
      const single = await alone.run('survey', parameters);
      expect(repliesOf(reply).map(withoutTimes)[n]).toEqual(withoutTimes(single.reply));
    }
  });

  it('that is delivered again prints the same reply, and so does a member that comes alone later', async () => {
    const host = new EdgeHost();
    host.ozone(allLooks);
    const first = await host.run('survey', surveys);
    const second = await host.run('survey', surveys);
    expect([second.stdout, second.exit]).toEqual([first.stdout, first.exit]);
    const member = await host.run('survey', { operation: operationId(3), source: 'prod/vol/two' });
    expect(member.reply).toEqual(repliesOf(first.reply)[1]);
    expect(host.calls('ozone')).toHaveLength(1);
  });

  it('keeps the record of each member', async () => {
    const host = new EdgeHost();
    host.ozone(allLooks);
    const { reply } = await host.run('survey', surveys);
    const kept = [2, 3, 4].map((n) => JSON.parse(readFileSync(recordOf(host, n), 'utf8').split('\n')[1] ?? ''));
    expect(kept).toEqual(repliesOf(reply));
    expect(existsSync(host.file('state', 'operations', operationId(), 'scratch'))).toBe(false);
  });

  it('costs one start more for a member that fails, whose neighbours answer in full', async () => {
    const host = new EdgeHost();
    host.ozone({
      ...Object.fromEntries(
        names.flatMap((name, n) => [
          [`snapshot create o3://prod/vol/${name} s-2`, name === 'two' ? refused : {}],
          [`snapshot info o3://prod/vol/${name} s-2`, { out: snapshotInfo('s-2', n + 10) }],
        ]),
      ),
    });
    const { reply } = await host.run('snapshot', batchOf('s-2|||||||'));
    expect(reply.jvmStarts).toBe(2);
    expect(repliesOf(reply).map(({ outcome, code, data }) => [outcome, code, data?.snapshot.id])).toEqual([
      ['ok', '', id(10)],
      ['refused', 'source-missing', undefined],
      ['ok', '', id(12)],
    ]);
  });

  it('that is delivered again while it runs waits for the first', async () => {
    const host = new EdgeHost();
    waitsIn(host, 1, allLooks);
    const first = ended(host.start('survey', surveys));
    await appears(host.file('waiting'));
    const second = ended(host.start('survey', surveys));
    await sleep(200);
    writeFileSync(host.file('go'), '');
    const [one, two] = await Promise.all([first, second]);
    expect(two.stdout).toBe(one.stdout);
    expect(host.calls('ozone')).toHaveLength(1);
  });

  it('does not touch a member that another command has at work', async () => {
    const host = new EdgeHost();
    waitsIn(host, 1, allLooks);
    const alone = ended(
      host.start('survey', { operation: operationId(3), source: 'prod/vol/two', replica: 'dr/vol/two' }),
    );
    await appears(host.file('waiting'));
    const { reply } = await host.run('survey', surveys);
    expect(repliesOf(reply).map(({ outcome, code }) => `${outcome} ${code}`.trim())).toEqual([
      'ok',
      'refused operation-busy',
      'ok',
    ]);
    writeFileSync(host.file('go'), '');
    expect((await alone).reply.outcome).toBe('ok');
    // Its own answer is the one that is kept.
    expect(readFileSync(recordOf(host, 3), 'utf8')).toMatch(/^0\n/);
  });

  it('that was killed between its members: who had ended answers again, who had not says so, nobody is asked again', async () => {
    const host = new EdgeHost();
    // Its source is missing: a second round asks for its replica, when the others have ended.
    waitsIn(host, 3, { ...allLooks, 'bucket info o3://prod/vol/two': refused });
    const first = host.start('survey', surveys);
    await appears(host.file('waiting'));
    expect([2, 3, 4].map((n) => existsSync(recordOf(host, n)))).toEqual([true, false, true]);
    first.kill('SIGKILL');
    const waiting = Number(readFileSync(host.file('waiting'), 'utf8'));
    writeFileSync(host.file('go'), '');
    while (lives(waiting)) await sleep(20);
    const { reply } = await host.run('survey', surveys);
    expect(repliesOf(reply).map(({ outcome, code }) => `${outcome} ${code}`.trim())).toEqual([
      'ok',
      'interrupted delivery-died',
      'ok',
    ]);
    expect(reply.jvmStarts).toBe(0);
    const third = await host.run('survey', surveys);
    expect(third.reply).toEqual(reply);
  });
});

const modified = '2026-11-20T18:33:07.503Z';
const fields = `s-2|${id(2)}|s-1|${id(1)}|${id(11)}|2026-11-20T18:22:04.605Z|7|yes`;
const seals = batchOf(fields, ['one', 'two']);
const keys = [['a/'], ['a/file', 10]] as const;

const sealable = (name: string, over: Answers = {}): Answers => {
  const [source, replica] = [`o3://prod/vol/${name}`, `o3://dr/vol/${name}`];
  return {
    [`bucket info ${replica}`]: { out: info },
    [`snapshot list --all -p s-2 ${replica}`]: { out: '[ ]\n' },
    [`snapshot info ${replica} s-1`]: { out: snapshotInfo('s-1', 11) },
    [`bucket info ${source}`]: { out: info },
    [`snapshot info ${source} s-2`]: { out: snapshotInfo('s-2', 2) },
    [`snapshot info ${source} s-1`]: { out: snapshotInfo('s-1', 1) },
    [`key list --all -p .snapshot/s-1/ ${source}`]: { out: keyList('s-1', keys) },
    [`key list --all -p .snapshot/s-2/ ${source}`]: { out: keyList('s-2', keys) },
    [`key list --all -p .snapshot/s-1/ ${replica}`]: { out: keyList('s-1', keys) },
    [`key list --all ${replica}`]: { out: keyList('', keys) },
    [`snapshot create ${replica} s-2`]: {},
    [`snapshot info ${replica} s-2`]: { out: snapshotInfo('s-2', 12) },
    [`key list --all -p .snapshot/s-2/ ${replica}`]: { out: keyList('s-2', keys) },
    ...over,
  };
};

describe.concurrent('what has not changed', () => {
  it('is sealed in two starts, however many buckets', async () => {
    const host = new EdgeHost();
    host.ozone({ ...sealable('one'), ...sealable('two') });
    const { reply } = await host.run('seal-unchanged', seals);
    expect([reply.verb, reply.jvmStarts]).toEqual(['batch', 2]);
    for (const { outcome, data } of repliesOf(reply)) {
      expect(outcome).toBe('ok');
      expect(data).toMatchObject({ unchanged: true, seal: { id: id(12) }, summary: { files: 1, dirs: 1, bytes: 10 } });
    }
    expect(readFileSync(host.file('state', 'buckets', 'dr+vol+one', 'fence'), 'utf8')).toBe('7\n');
  });

  it('is not sealed when a file of the source has only another time; the token is taken', async () => {
    const host = new EdgeHost();
    const later = keyList('s-2', keys).replaceAll(modified, '2026-11-20T18:33:07.504Z');
    const over = { 'key list --all -p .snapshot/s-2/ o3://prod/vol/one': { out: later } };
    host.ozone({ ...sealable('one', over), ...sealable('two') });
    const [one, two] = repliesOf((await host.run('seal-unchanged', seals)).reply);
    expect([one?.outcome, one?.data.unchanged, one?.data.seal]).toEqual(['ok', false, null]);
    expect(two?.data.unchanged).toBe(true);
    expect(readFileSync(host.file('state', 'buckets', 'dr+vol+one', 'fence'), 'utf8')).toBe('7\n');
  });

  it('is not taken for sealed when somebody wrote into the replica in that moment', async () => {
    const host = new EdgeHost();
    const written = { out: keyList('s-2', [...keys, ['b', 1]]) };
    const over = { 'key list --all -p .snapshot/s-2/ o3://dr/vol/one': written };
    host.ozone({ ...sealable('one', over), ...sealable('two') });
    const replies = repliesOf((await host.run('seal-unchanged', seals)).reply);
    expect(replies.map(({ outcome, code }) => `${outcome} ${code}`.trim())).toEqual(['failed replica-modified', 'ok']);
  });

  it('keeps every other copy out of the replica while it is sealed', async () => {
    const host = new EdgeHost();
    waitsIn(host, 2, { ...sealable('one'), ...sealable('two') });
    const sealing = ended(host.start('seal-unchanged', seals));
    await appears(host.file('waiting'));
    const copy = await host.run('replicate', {
      ...{ operation: operationId(9), source: 'prod/vol/one', replica: 'dr/vol/one', mode: 'resync', target: 's-2' },
      ...{ targetId: id(2), replicaCreated: '2026-11-20T18:22:04.605Z', fence: '8' },
    });
    expect([copy.reply.outcome, copy.reply.code]).toEqual(['refused', 'bucket-busy']);
    expect(copy.reply.data.holder).toBe(operationId(2));
    writeFileSync(host.file('go'), '');
    expect(repliesOf((await sealing).reply).map(({ outcome }) => outcome)).toEqual(['ok', 'ok']);
  });
});
