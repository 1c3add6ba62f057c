import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EdgeReply } from '../../../functions/core/domain/edge-reply.ts';
import { EdgeHost, ended, type Reply, type Variables } from '../../edge-host/edge-host.ts';
import { below, files, glob, literal, RestoreScene, Selections } from '../../edge-host/restore-scene.ts';
import { type Change, type OzoneClusters, startOzoneClusters } from '../../ozone-cluster/ozone-clusters.ts';
import { cacheDirectory } from '../../ozone-cluster/software.ts';

let clusters: OzoneClusters;
let selections: Selections;
let host: EdgeHost;
const took: string[] = [];

beforeAll(async () => {
  clusters = await startOzoneClusters({ directory: join(cacheDirectory, 'restore-verbs') });
  host = new EdgeHost();
  await clusters.hostConfig(host.config, { client_attempts: '3', client_wait_ms: '200' });
  selections = await Selections.start();
});
afterAll(async () => {
  console.log(took.join('\n'));
  await selections?.stop();
  await clusters?.stop();
});

const put = (path: string, size = 100, seed = 1): Change => ({ op: 'put', path, size, seed });

/** What it cost, for the report; and whether the reply is as agreed. */
const noted = (what: string, reply: Reply): Reply => {
  EdgeReply.parse(reply);
  const seconds = ((reply.endedAt - reply.startedAt) / 1000).toFixed(1);
  took.push(`${what}: ${reply.verb} ${reply.outcome} ${reply.code} ${seconds} s, ${reply.jvmStarts} JVM starts`);
  return reply;
};

const scene = (bucket: string, target = `prod/vol/${bucket}`): RestoreScene =>
  new RestoreScene(host, clusters, `dr/vol/${bucket}`, target);

const inPlace = (bucket: string): RestoreScene =>
  new RestoreScene(host, clusters, `prod/vol/${bucket}`, `prod/vol/${bucket}`);

/** Hadoop fills in such a value in what it takes for configuration. */
const filledIn = '$'.concat('{user.name}');
const odd = [
  ...['with blank', '-rf', '$(touch pwned)', '`id`', 'quo\'te"d', 'back\\slash', 'new\nline', 'tab\tbed', '[1]{x,y}*?'],
  ...[filledIn, '%20+%2F', 'é日本𝄞', '(?!.*)|^.$', '.hidden'],
];

const some = [
  ...[put('a/one'), put('a/b/two', 200), put('c/three', 300), put('top', 400), put('big', 3_000_000, 5)],
  ...[{ op: 'mkdir', path: 'empty/deep' } as const, ...odd.map((name) => put(`odd/${name}/${name}`, 50))],
];

/** Whether it is equal, as this product says it, and as it is. */
const isRestored = async (s: RestoreScene, what: string, ...paths: readonly string[]): Promise<void> => {
  const selection = paths.length > 0 ? selections.of(paths.map(literal)) : {};
  expect(noted(what, await s.compare({ ...selection, level: 'full' }))).toMatchObject({ data: { equal: true } });
  const [point, live] = [await s.point(), await s.live()];
  expect(paths.length > 0 ? below(live, ...paths) : live).toEqual(paths.length > 0 ? below(point, ...paths) : point);
};

describe.each(['FILE_SYSTEM_OPTIMIZED', 'LEGACY'])('a restore on Ozone (%s)', (layout) => {
  const named = (name: string) => `${name}-${layout.slice(0, 3).toLowerCase()}`;

  it('of a bucket into a new one', async () => {
    const s = scene(named('side'));
    await s.begin(some, [], layout);
    expect(noted(named('bucket'), await s.examine())).toMatchObject({
      data: { point: { files: 5 + odd.length }, target: { absent: { files: 5 + odd.length }, clash: 0 } },
    });
    expect(noted(named('bucket'), await s.restore())).toMatchObject({
      outcome: 'ok',
      data: { copy: { filesCopied: 5 + odd.length } },
    });
    await isRestored(s, named('bucket'));
    expect(noted(named('bucket again'), await s.restore())).toMatchObject({ outcome: 'ok', jvmStarts: 1 });
  });

  it('of a file, a directory, and what a pattern fits', async () => {
    const s = scene(named('parts'));
    await s.begin(some, [put('known')], layout);
    const restore = async (what: string, lines: readonly string[]) =>
      expect(noted(named(what), await s.restore(selections.of(lines))).outcome).toBe('ok');
    await restore('file', [literal('a/b/two')]);
    expect([...files(await s.live()).keys()]).toEqual(['a/b/two', 'known']);
    await isRestored(s, named('file'), 'a/b/two');
    await restore('directory of odd names', [literal('odd')]);
    await isRestored(s, named('directory of odd names'), 'odd');
    await restore('pattern', [glob('[^/]*/t[^/]*'), literal('empty')]);
    expect([...files(await s.live()).keys()].filter((path) => !path.startsWith('odd/'))).toEqual([
      ...['a/b/two', 'c/three', 'known'],
    ]);
    await isRestored(s, named('pattern'), 'empty', 'c/three');
    const single = odd.filter((name) => !/[\n\t]/.test(name)).map((name) => `odd/${name}/${name}`);
    await s.change({ op: 'rmr', path: 'odd' });
    await restore('odd names one by one', single.map(literal));
    expect([...files(below(await s.live(), 'odd')).keys()]).toEqual([...single].sort());
    await isRestored(s, named('odd names one by one'), ...single);
  });

  it.each(['never', 'if-different', 'always'])('over what is there (%s)', async (overwrite) => {
    const s = scene(named(`over-${overwrite}`));
    const target = [put('a/one', 100, 9), put('a/b/two', 201), put('c/three', 300), put('extra/x'), put('odd/-rf/x')];
    await s.begin(some, target, layout);
    expect(noted(named(overwrite), await s.examine())).toMatchObject({
      data: { target: { sameLength: 2, otherLength: 1, clash: 0, extra: { files: 2 }, replacedBytes: 601 } },
    });
    const before = await s.live();
    const reply = noted(named(overwrite), await s.restore({ overwrite }));
    const copied = { never: 2, 'if-different': 4, always: 5 }[overwrite] ?? 0;
    expect(reply).toMatchObject({ outcome: 'ok', data: { copy: { filesCopied: copied + odd.length } } });
    const [live, point] = [await s.live(), await s.point()];
    for (const [path, entry] of files(live))
      expect([path, entry]).toEqual([
        path,
        overwrite === 'never' ? (before.get(path) ?? point.get(path)) : (point.get(path) ?? before.get(path)),
      ]);
    expect(files(live).size).toBe(files(point).size + 2);
    const compared = noted(named(overwrite), await s.compare({ level: 'full' }));
    expect(compared.data).toMatchObject(
      overwrite === 'never'
        ? { equal: false, missing: 0, changed: 2, checksums: { differ: 1 } }
        : { equal: true, missing: 0, changed: 0, checksums: { differ: 0 } },
    );
    expect((await s.compare({ exact: 'yes' })).data.equal).toBe(false);
  });

  it('in place, from its own snapshot, and takes away what came since', async () => {
    const s = inPlace(named('place'));
    await s.begin(some, [], layout);
    await s.change({ op: 'rmr', path: 'a' }, put('top', 400, 8), put('later/x'), {
      op: 'mv',
      path: 'odd',
      to: 'moved',
    });
    const more = { overwrite: 'if-different', deleteExtra: 'yes' };
    expect(noted(named('in place'), await s.restore(more)).outcome).toBe('ok');
    await isRestored(s, named('in place'));
    expect((await s.compare({ exact: 'yes', level: 'full' })).data).toMatchObject({ equal: true, extra: 0 });
  });

  it('of one directory from the other cluster, and takes away what is only there', async () => {
    const s = scene(named('under'));
    await s.begin(some, [put('a/b/later'), put('a/later'), put('a/one', 1)], layout);
    const more = { ...selections.of([literal('a/b')]), overwrite: 'always', deleteExtra: 'yes' };
    expect(noted(named('directory, deleting'), await s.restore(more)).outcome).toBe('ok');
    expect([...files(await s.live()).keys()]).toEqual(['a/b/two', 'a/later', 'a/one']);
  });

  it('is refused where types clash, and nothing is changed', async () => {
    const s = scene(named('clash'));
    await s.begin([put('a/b/c'), put('d')], [put('a'), put('d/x')], layout);
    expect(noted(named('clash'), await s.restore({ overwrite: 'always' }))).toMatchObject({ code: 'clash' });
    const deep = selections.of([literal('a/b/c')]);
    expect(noted(named('clash above'), await s.restore({ ...deep, overwrite: 'always' }))).toMatchObject({
      code: 'clash',
    });
    expect([...files(await s.live()).keys()]).toEqual(['a', 'd/x']);
  });

  it('takes the right to write from everybody in an ACL, once, and gives back what was there', async () => {
    const s = inPlace(named('restricted'));
    await s.buckets(layout);
    await clusters.ozone('sh', 'bucket', 'addacl', '-a', 'user:bob:rw,group:staff:rl[DEFAULT]', `o3://${s.target}`);
    const acl = async () => JSON.parse(await clusters.ozone('sh', 'bucket', 'getacl', `o3://${s.target}`));
    const before = await acl();
    const restrict = async (acls = ''): Promise<Reply> => {
      const parameters = await s.parameters({ source: '', target: '', targetId: '', acls });
      const targetCreated = await s.created();
      return noted(named('restrict'), (await host.run('restrict', { ...parameters, targetCreated })).reply);
    };
    const first = await restrict();
    expect(first.data.before).toEqual(expect.arrayContaining(['user:bob:rw', 'group:staff:rl[DEFAULT]']));
    expect(first.data.after).toEqual(expect.arrayContaining(['user:bob:r', 'group:staff:rl[DEFAULT]']));
    expect(JSON.stringify(await acl())).not.toMatch(/WRITE|ALL|CREATE|DELETE/);
    expect((await restrict()).data.before).toEqual(first.data.after);
    expect((await restrict(first.data.before.join(','))).data.after).toEqual(first.data.before);
    expect(await acl()).toEqual(expect.arrayContaining(before));
  });

  it('tells what each side changed since both were equal, each by its own times', async () => {
    const s = scene(named('diverged'), `prod/vol/${named('diverged')}`);
    const same = [put('a/one'), put('a/two'), put('b', 300)];
    await s.begin(same, same, layout);
    const opened = `o3://${s.target}`;
    await clusters.ozone('sh', 'snapshot', 'create', opened, 'snap-0');
    const idOf = async (bucket: string, name: string): Promise<string> =>
      JSON.parse(await clusters.ozone('sh', 'snapshot', 'info', bucket, name)).snapshotId;
    await clusters.change(`ofs://${s.source}`, [put('a/one', 100, 7), put('left')]);
    await s.snapshot('snap-2');
    await s.change({ op: 'rm', path: 'b' }, put('a/one', 120, 8));
    const parameters = await s.parameters({
      base: 'snap-1',
      baseSourceId: await s.id(),
      target: 'snap-2',
      targetId: await s.id('snap-2'),
      since: 'snap-0',
      sinceId: await idOf(opened, 'snap-0'),
    });
    const { reply } = await host.run('divergence', parameters);
    expect(noted(named('divergence'), reply)).toMatchObject({
      outcome: 'ok',
      jvmStarts: 1,
      data: {
        source: { added: 1, changed: 1, deleted: 0, bytes: 200 },
        replica: { added: 0, changed: 1, deleted: 1, bytes: 120 },
        both: { paths: 1, first: ['a/one'] },
      },
    });
  });

  it('of a scratch bucket, which is then removed with all that is in it', async () => {
    const s = scene(named('drilled'), `prod/vol/odr-drill-${layout.toLowerCase().replaceAll('_', '-')}`);
    await s.begin(some, [], layout);
    expect((await s.restore()).outcome).toBe('ok');
    await isRestored(s, named('scratch'));
    const remove = async (targetCreated: string): Promise<Reply> => {
      const parameters: Variables = await s.parameters({ targetId: '' });
      return noted(named('scratch'), (await host.run('remove-scratch', { ...parameters, targetCreated })).reply);
    };
    const created = await s.created();
    expect(await remove('2026-11-20T18:22:04.605Z')).toMatchObject({ outcome: 'refused', code: 'bucket-other' });
    expect(await remove(created)).toMatchObject({ outcome: 'ok', data: { removed: true } });
    await expect(s.created()).rejects.toThrow('BUCKET_NOT_FOUND');
    expect(await remove(created)).toMatchObject({ outcome: 'ok', data: { removed: false } });
  });
});

describe('a restore of many paths on Ozone', () => {
  const names = Array.from({ length: 4000 }, (_, n) => `part=${n % 40}/file ${n}.dat`);

  it('1,000 of 4,000, each and no other, and again after the half of them is gone', async () => {
    const s = scene('many');
    await s.begin([]);
    await clusters.fill(
      `ofs://${s.source}`,
      names.map((name, n) => put(name, 10, n)),
    );
    await s.snapshot('snap-2');
    const point = { target: 'snap-2', targetId: await s.id('snap-2') };
    const wanted = names.filter((_, n) => n % 4 === 1);
    const selection = { ...point, ...selections.of(wanted.map(literal)) };
    expect(noted('1,000 paths', await s.examine(selection)).data.target.absent.files).toBe(1000);
    expect(noted('1,000 paths', await s.restore(selection))).toMatchObject({ data: { copy: { filesCopied: 1000 } } });
    expect([...files(await s.live()).keys()]).toEqual([...wanted].sort());
    const equal = { equal: true, checksums: { compared: 1000, differ: 0 } };
    expect(noted('1,000 paths', await s.compare({ ...selection, level: 'full' })).data).toMatchObject(equal);

    await clusters.fill(
      `ofs://${s.target}`,
      wanted.filter((_, n) => n % 2 === 0).map((path): Change => ({ op: 'rm', path })),
    );
    expect(noted('500 of 1,000 paths', await s.restore(selection))).toMatchObject({
      data: { copy: { filesCopied: 500 } },
    });
    expect((await s.compare({ ...selection, level: 'full' })).data).toMatchObject(equal);
  });
});

describe('a restore on Ozone that is cancelled', () => {
  it('ends with its distcp, leaves whole files only, and is equal when it is run again', async () => {
    const s = scene('killed');
    await s.begin(Array.from({ length: 300 }, (_, n) => put(`all/f-${n}`, 1000 + n, n)));
    const child = host.start('restore', await s.restoring({ overwrite: 'if-different' }));
    const reply = ended(child);
    await clusters.appears(`ofs://${s.target}/`, 'all', 20);
    child.kill('SIGTERM');
    expect(noted('cancelled', (await reply).reply)).toMatchObject({ outcome: 'interrupted', code: 'cancelled' });
    const [point, live] = [await s.point(), files(await s.live())];
    expect(live.size).toBeGreaterThanOrEqual(20);
    expect(live.size).toBeLessThan(300);
    for (const [path, entry] of live) expect([path, entry]).toEqual([path, point.get(path)]);
    expect((await s.compare()).data.equal).toBe(false);
    expect(noted('after a cancel', await s.restore({ overwrite: 'if-different' })).outcome).toBe('ok');
    await isRestored(s, 'after a cancel');
  });
});

describe('an examination on Ozone', () => {
  it('shows the point while the cluster of the target is away', async () => {
    const s = scene('away');
    await s.begin([put('a/one')]);
    await clusters.kill('prod', 'om');
    const reply = noted('target away', await s.examine());
    await clusters.restart('prod', 'om');
    await clusters.ready('prod');
    expect(reply).toMatchObject({
      outcome: 'ok',
      data: { point: { files: 1 }, target: { state: 'unreachable', code: 'connection' } },
    });
  });
});
