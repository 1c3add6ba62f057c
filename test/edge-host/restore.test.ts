import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Change } from '../ozone-cluster/ozone-clusters.ts';
import { createSimulator, type OzoneSimulator } from '../ozone-simulator/simulator.ts';
import { EdgeHost, ended, operationId, type Variables } from './edge-host.ts';
import { bucketInfo, id, keyList, snapshotInfo } from './ozone-output.ts';
import { below, files, glob, literal, RestoreScene, Selections } from './restore-scene.ts';

const put = (path: string, size = 10, seed = 1): Change => ({ op: 'put', path, size, seed });
const text = (path: string, content: string): Change => ({ op: 'text', path, content });

// Each waits for child processes, and for those of the others.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let clusters: OzoneSimulator;
let selections: Selections;
let buckets = 0;

beforeAll(async () => {
  clusters = await createSimulator({ directory: new EdgeHost().file('clusters') });
  selections = await Selections.start();
});
afterAll(() => selections.stop());

/** Waits for a file with something in it. */
const appears = async (path: string): Promise<void> => {
  while (!existsSync(path) || readFileSync(path, 'utf8') === '') await sleep(20);
};

const config = (host: EdgeHost): string =>
  `path=${clusters.bin}\njava_home=/usr\nstate=${host.state}\nclient_attempts=3\nclient_wait_ms=200\n`;

/** On buckets and a host of its own; in place when `target` is `source`. */
const scene = (source = 'dr', target: 'prod' | 'source' = 'prod'): RestoreScene => {
  const host = new EdgeHost();
  host.configure(config(host));
  buckets += 1;
  const from = `${source}/vol/bkt-${String(buckets).padStart(3, '0')}`;
  return new RestoreScene(host, clusters, from, target === 'source' ? from : from.replace(source, target));
};

const some = [
  put('a/one'),
  put('a/b/two', 20),
  put('c/three', 30),
  { op: 'mkdir', path: 'empty/deep' },
  put('top'),
] as const;

/** Hadoop fills in such a value in what it takes for configuration. */
const filledIn = '$'.concat('{user.name}');
const odd = `x[1]*${filledIn}`;

/** Names that programs on the way like to read as something else. */
const hostile = [
  'with blank',
  '-rf',
  '$(touch pwned)',
  '`id`',
  'quo\'te"d',
  'back\\slash',
  'new\nline',
  'tab\tbed',
  '[1]{x,y}*?',
  filledIn,
  '%20+%2F',
  'é日本𝄞',
  '(?!.*)|^.$',
  '.hidden',
  'a.b',
  'a-b',
];

describe.concurrent('restoring a whole bucket', () => {
  it('into an empty one makes it equal to the point, in two JVMs', async () => {
    const s = scene();
    await s.begin([...some, ...hostile.map((name) => put(`${name}/${name}`))]);
    await s.change();
    const reply = await s.restore();
    expect(reply).toMatchObject({
      outcome: 'ok',
      code: '',
      jvmStarts: 2,
      data: { log: '', copy: { exit: 0, filesCopied: 20 } },
    });
    expect(reply.data.copy).not.toHaveProperty('mode');
    expect(await s.live()).toEqual(await s.point());
  });

  it('leaves alone what is there, and copies the rest', async () => {
    const s = scene();
    await s.begin(some, [text('a/one', 'newer'), put('c/other'), put('a/b/two', 20, 9)]);
    const reply = await s.restore();
    expect(reply).toMatchObject({ outcome: 'ok', data: { copy: { filesCopied: 2, filesSkipped: 0 } } });
    const live = await s.live();
    expect(live.get('a/one')).toMatchObject({ length: 5 });
    expect([...files(live).keys()]).toEqual(['a/b/two', 'a/one', 'c/other', 'c/three', 'top']);
    expect(live.get('a/b/two')).not.toEqual((await s.point()).get('a/b/two'));
  });

  it('copies nothing when everything is there', async () => {
    const s = scene();
    await s.begin(
      some,
      some.map((change) => (change.op === 'put' ? { ...change, seed: 7 } : change)),
    );
    const before = await s.live();
    expect(await s.restore()).toMatchObject({ outcome: 'ok', jvmStarts: 1, data: { copy: { filesCopied: 0 } } });
    expect(await s.live()).toEqual(before);
  });

  it.each(['if-different', 'always'])(
    'overwrites what differs when it may (%s), and leaves what is extra',
    async (overwrite) => {
      const s = scene();
      await s.begin(some, [text('a/one', 'newer'), put('c/other'), put('a/b/two', 20)]);
      const reply = await s.restore({ overwrite });
      expect(reply).toMatchObject({
        outcome: 'ok',
        data: { copy: { filesCopied: overwrite === 'always' ? 4 : 3, filesSkipped: overwrite === 'always' ? 0 : 1 } },
      });
      const live = new Map(await s.live());
      expect(live.delete('c/other')).toBe(true);
      expect(live).toEqual(await s.point());
    },
  );

  it.each(['if-different', 'always'])('deletes what is extra when it may (%s)', async (overwrite) => {
    const s = scene();
    await s.begin(some, [text('a/one', 'newer'), put('c/other'), { op: 'mkdir', path: 'x/y' }]);
    expect(await s.restore({ overwrite, deleteExtra: 'yes' })).toMatchObject({ outcome: 'ok', jvmStarts: 2 });
    expect(await s.live()).toEqual(await s.point());
  });

  it('brings a bucket back to a point without anything', async () => {
    const s = scene();
    await s.begin([], [put('a/one')]);
    expect(await s.restore({ overwrite: 'if-different', deleteExtra: 'yes' })).toMatchObject({ outcome: 'ok' });
    expect([...(await s.live()).keys()]).toEqual([]);
  });

  it('of hundreds of entries beside one that is there copies them without touching that one', async () => {
    const s = scene();
    const names = Array.from({ length: 600 }, (_, n) => `f-${n}`);
    await s.begin(
      names.map((name) => put(name, 1)),
      [put('f-7', 2)],
    );
    expect(await s.restore()).toMatchObject({ outcome: 'ok', jvmStarts: 2, data: { copy: { filesCopied: 599 } } });
    const live = await s.live();
    expect(live.size).toBe(600);
    expect(live.get('f-7')).toMatchObject({ length: 2 });
  });

  it('works in place, from a snapshot of the bucket itself', async () => {
    const s = scene('prod', 'source');
    await s.begin(some);
    await s.change({ op: 'rmr', path: 'a' }, text('top', 'spoilt'), put('extra/new'));
    expect(await s.restore({ overwrite: 'if-different', deleteExtra: 'yes' })).toMatchObject({ outcome: 'ok' });
    expect(await s.live()).toEqual(await s.point());
  });

  it('works for LEGACY', async () => {
    const s = scene();
    await s.begin(some, [text('a/one', 'newer'), put('x/extra')], 'LEGACY');
    expect(await s.restore({ overwrite: 'always', deleteExtra: 'yes' })).toMatchObject({ outcome: 'ok' });
    expect(files(await s.live())).toEqual(files(await s.point()));
  });
});

describe.concurrent('restoring a selection', () => {
  const rows: readonly (readonly [
    sentence: string,
    lines: readonly string[],
    expected: readonly string[],
    jvms: number,
  ])[] = [
    ['a file', [literal('a/b/two')], ['a/b/two'], 3],
    ['a file at the root', [literal('top')], ['top'], 2],
    ['a directory', [literal('a')], ['a/b/two', 'a/one'], 3],
    ['paths of all kinds', [literal('a/b'), literal('c/three'), literal('top')], ['a/b/two', 'c/three', 'top'], 2],
    ['a glob', [glob('[^/]*/t[^/]*')], ['c/three'], 3],
    ['a glob over directories', [glob('.*/two'), glob('to.')], ['a/b/two', 'top'], 2],
    ['a path and a directory above it', [literal('a'), literal('a/one')], ['a/b/two', 'a/one'], 3],
    ['an empty directory', [literal('empty')], [], 3],
  ];
  it.each(rows)('%s', async (_sentence, lines, expected, jvms) => {
    const s = scene();
    await s.begin(some, [put('unrelated')]);
    const selection = selections.of(lines);
    const reply = await s.restore(selection);
    expect(reply).toMatchObject({ outcome: 'ok', data: { copy: { filesCopied: expected.length } } });
    const point = files(await s.point());
    const live = files(await s.live());
    expect(live).toEqual(
      new Map([...expected, 'unrelated'].sort().map((path) => [path, point.get(path) ?? live.get(path)])),
    );
    expect(reply.jvmStarts).toBe(jvms);
    expect(await s.compare({ ...selection, level: 'full' })).toMatchObject({
      outcome: 'ok',
      data: { equal: true, extra: 0 },
    });
  });

  it('an empty directory, which has no file that could bring it along', async () => {
    const s = scene();
    await s.begin(some);
    await s.restore(selections.of([literal('empty')]));
    expect(await s.live()).toEqual(below(await s.point(), 'empty'));
  });

  it.each(['never', 'if-different', 'always'])('hostile names, alone and beside each other (%s)', async (overwrite) => {
    const s = scene();
    const point = hostile.flatMap((name) => [
      put(`in/${name}`),
      put(`in/dir ${name}/${name}`),
      put(`in/dir ${name}/other`),
    ]);
    await s.begin(point, [put('in/unrelated')]);
    const wanted = hostile
      .flatMap((name) => [`in/${name}`, `in/dir ${name}/${name}`])
      .filter((it) => !/[\n\t]/.test(it));
    const selection = selections.of(wanted.map(literal));
    expect(await s.restore({ ...selection, overwrite })).toMatchObject({
      outcome: 'ok',
      data: { copy: { filesCopied: wanted.length } },
    });
    const live = new Map(files(await s.live()));
    live.delete('in/unrelated');
    expect([...live.keys()]).toEqual([...wanted].sort());
    expect(await s.compare({ ...selection, level: 'full' })).toMatchObject({
      data: { equal: true, checksums: { compared: wanted.length, differ: 0 } },
    });
  });

  it('a directory whose name distcp would read as a pattern, with a line end in what is below', async () => {
    const s = scene();
    await s.begin([put(`${odd}/y/new\nline`), put(`${odd}/z`), put('x1')], [put(`${odd}/z`, 11, 3)]);
    const selection = selections.of([literal(odd)]);
    expect(await s.restore({ ...selection, overwrite: 'if-different' })).toMatchObject({ outcome: 'ok' });
    expect(await s.live()).toEqual(below(await s.point(), odd));
  });

  it('10,000 paths among as many others, each and no other', async () => {
    const own = new EdgeHost();
    const names = Array.from({ length: 20_000 }, (_, n) => `part=${n % 49}/file ${n}${n % 3 === 0 ? 'é' : '.dat'}`);
    const wanted = names.filter((_, n) => n % 2 === 0);
    const there = wanted.slice(0, 10);
    const bucket = bucketInfo();
    own.ozone({
      'bucket info o3://prod/vol/bkt': { out: bucket },
      'snapshot info o3://prod/vol/bkt snap-1': { out: snapshotInfo('snap-1', 1) },
      'key list --all -p .snapshot/snap-1/ o3://prod/vol/bkt': {
        out: keyList(
          'snap-1',
          names.map((it) => [it, 1] as const),
        ),
      },
      'bucket info o3://dr/vol/bkt': { out: bucket },
      'key list --all o3://dr/vol/bkt': {
        out: keyList(
          '',
          there.map((it) => [it, 1] as const),
        ),
      },
    });
    own.hadoop(`while [ "$1" != -filters ]; do shift; done; cp "$2" ${own.file('filter')}; ${completed('9990')}`);
    const { reply } = await own.run('restore', {
      ...selections.of(wanted.map(literal)),
      ...{ target: 'snap-1', targetId: id(1), targetCreated: '2026-11-20T18:22:04.605Z' },
      ...{ overwrite: 'never', fence: '1', fenceSeed: 'yes' },
    });
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 2 });
    const [line = '', ...rest] = readFileSync(own.file('filter'), 'utf8').trimEnd().split('\n');
    expect(rest).toEqual([]);
    const leavesOut = new RegExp(`^${line.replace('(?s)', '').replace('\\z', '$')}$`, 's');
    const copied = names.filter((name) => !leavesOut.test(`ofs://prod/vol/bkt/.snapshot/snap-1/${name}`));
    expect(copied).toEqual(wanted.filter((name) => !there.includes(name)));
    expect(leavesOut.test('ofs://prod/vol/bkt/.snapshot/snap-1')).toBe(false);
  });

  it('overwrites only what is selected', async () => {
    const s = scene();
    await s.begin(
      some,
      some.map((change) => (change.op === 'put' ? { ...change, seed: 7 } : change)),
    );
    const before = await s.live();
    await s.restore({ ...selections.of([literal('a/b'), literal('top')]), overwrite: 'always' });
    const point = await s.point();
    expect(await s.live()).toEqual(
      new Map([...before].map(([path, entry]) => [path, /^(a\/b|top)/.test(path) ? point.get(path) : entry])),
    );
  });

  it('deletes below the one directory that is selected, and nowhere else', async () => {
    const s = scene();
    await s.begin(some, [put('a/b/extra'), put('a/x/extra'), put('c/extra'), text('a/one', 'newer')]);
    const more = { ...selections.of([literal('a/b')]), overwrite: 'if-different', deleteExtra: 'yes' };
    expect(await s.restore(more)).toMatchObject({ outcome: 'ok' });
    expect([...files(await s.live()).keys()]).toEqual(['a/b/two', 'a/one', 'a/x/extra', 'c/extra']);
  });

  it('empties a directory that is empty in the point', async () => {
    const s = scene();
    await s.begin(some, [put('empty/deep/extra')]);
    await s.restore({ ...selections.of([literal('empty')]), overwrite: 'always', deleteExtra: 'yes' });
    expect(await s.live()).toEqual(below(await s.point(), 'empty'));
  });
});

describe.concurrent('a restore is refused, and nothing is changed', () => {
  const clash = [put('a'), put('c/three/x')];
  const rows: readonly (readonly [sentence: string, code: string, more: Variables, target?: readonly Change[]])[] = [
    ['for another snapshot of that name', 'target-other', { targetId: '00000000-0000-4000-8000-000000000000' }],
    [
      'for a snapshot that is not there',
      'target-missing',
      { target: 'snap-2', targetId: '00000000-0000-4000-8000-000000000000' },
    ],
    [
      'for a source that is not there',
      'source-missing',
      { source: 'dr/vol/nowhere', targetId: '00000000-0000-4000-8000-000000000000' },
    ],
    ['for a target that is not there', 'bucket-missing', { replica: 'prod/vol/nowhere' }],
    ['for another target of that name', 'bucket-other', { targetCreated: '2026-11-20T18:22:04.605Z' }],
    ['where a file is in the place of a directory', 'clash', { overwrite: 'if-different' }, clash],
    ['where a directory is in the place of a file', 'clash', { overwrite: 'always' }, [put('top/x')]],
    ['without a fence where there must be one', 'fence-missing', { fenceSeed: 'no' }],
  ];
  it.each(rows.map((row) => ({ sentence: row[0], row })))('$sentence', async ({ row }) => {
    const [, code, more, target = [put('known')]] = row;
    const s = scene();
    await s.begin(some, target);
    const before = await s.live();
    const reply = await s.restore(more);
    expect(reply).toMatchObject({ outcome: 'refused', code });
    expect(await s.live()).toEqual(before);
  });

  const unsafe: readonly (readonly [
    sentence: string,
    code: string,
    of: Parameters<Selections['of']>,
    more?: Variables,
  ])[] = [
    ['that climbs', 'selection-unsafe', [['l\ta/../c']]],
    ['that begins at the root', 'selection-unsafe', [['l\t/a']]],
    ['that ends in a slash', 'selection-unsafe', [['l\ta/']]],
    ['with a dot', 'selection-unsafe', [['l\ta/./one']]],
    ['with nothing between two slashes', 'selection-unsafe', [['l\ta//one']]],
    ['of another snapshot', 'selection-unsafe', [['l\t.snapshot/snap-2/a']]],
    ['with an escape that Ozone does not write', 'selection-unsafe', [['l\ta\\u0041']]],
    ['with a quote that is not escaped', 'selection-unsafe', [['l\ta"b']]],
    ['with a kind of line that is none', 'selection-unsafe', [['x\ta']]],
    ['with a third field', 'selection-unsafe', [['l\ta\tb']]],
    ['with a control character', 'selection-unsafe', [['l\ta\u0001b']]],
    ['with an empty line', 'selection-unsafe', [['l\ta', '']]],
    ['that is empty', 'selection-unsafe', [[]]],
    ['whose last line has no end', 'selection-unsafe', [[], { text: 'l\ta' }]],
    ['with a pattern that is none', 'selection-unsafe', [['g\ta[b']]],
    ['that is not what the hash says', 'selection-other', [['l\ta'], { hash: 'ab'.repeat(32) }]],
    ['of which a path is nowhere in the point', 'selection-unmatched', [['l\ta', 'l\tnowhere']]],
    ['of which a pattern fits nothing', 'selection-unmatched', [['g\t.*\\.parquet', 'l\ta']]],
    [
      'of several paths that is to delete',
      'selection-unsafe',
      [['l\ta', 'l\tc']],
      { overwrite: 'always', deleteExtra: 'yes' },
    ],
    ['of a pattern that is to delete', 'selection-unsafe', [['g\ta']], { overwrite: 'always', deleteExtra: 'yes' }],
  ];
  it.each(unsafe.map((row) => ({ sentence: row[0], row })))('for a selection $sentence', async ({ row }) => {
    const [, code, of, more = {}] = row;
    const s = scene();
    await s.begin(some, [put('known')]);
    const reply = await s.restore({ ...selections.of(...of), ...more });
    expect([reply.outcome, reply.code]).toEqual(['refused', code]);
    expect([...(await s.live()).keys()]).toEqual(['known']);
  });

  it('for a selection that nobody gives out, without a word of its URL', async () => {
    const s = scene();
    await s.begin(some);
    const { selection, selectionUrl } = selections.of([literal('a')]);
    const run = await s.host.run('restore', await s.restoring({ selection, selectionUrl: `${selectionUrl}&more=1` }));
    expect(run.reply).toMatchObject({ outcome: 'refused', code: 'selection-unreadable', jvmStarts: 0 });
    expect(run.stdout + run.stderr).not.toContain('s3cr3t');
    expect(run.stdout + run.stderr).not.toContain('127.0.0.1');
  });

  it('for a directory of a name that distcp cannot delete below', async () => {
    const s = scene();
    await s.begin([put('x[1]/one')], [put('x[1]/two')]);
    const more = { ...selections.of([literal('x[1]')]), overwrite: 'always', deleteExtra: 'yes' };
    expect(await s.restore(more)).toMatchObject({ outcome: 'refused', code: 'selection-unsafe' });
    expect([...files(await s.live()).keys()]).toEqual(['x[1]/two']);
  });

  it('below a directory that is a file at the target', async () => {
    const s = scene();
    await s.begin([put('x/y/z/file')], [put('x')]);
    const more = { ...selections.of([literal('x/y/z')]), overwrite: 'always' };
    expect(await s.restore(more)).toMatchObject({ outcome: 'refused', code: 'clash' });
    expect([...(await s.live()).keys()]).toEqual(['x']);
  });

  it.each([
    ['OBJECT_STORE', 'FILE_SYSTEM_OPTIMIZED'],
    ['FILE_SYSTEM_OPTIMIZED', 'OBJECT_STORE'],
  ])('from %s to %s, with what works by hand', async (from, to) => {
    const s = scene();
    await s.buckets(from, to);
    await s.snapshot();
    const reply = await s.restore();
    expect(reply).toMatchObject({ outcome: 'refused', code: 'layout' });
    expect(reply.message).toContain('ozone sh key get o3://dr/vol/');
  });

  it('with a token that is older than the last one', async () => {
    const s = scene();
    await s.begin(some);
    await s.restore({ fence: '7' });
    expect(await s.restore({ fence: '6' })).toMatchObject({ outcome: 'refused', code: 'fence-stale' });
  });

  it('leaves what clashes alone when it may overwrite nothing, with all that is below', async () => {
    const s = scene();
    await s.begin([put('a/one'), put('a/b/two'), put('c'), put('d')], [put('a', 99), put('c/x')]);
    expect(await s.restore()).toMatchObject({ outcome: 'ok', data: { copy: { filesCopied: 1 } } });
    expect([...files(await s.live()).keys()]).toEqual(['a', 'c/x', 'd']);
  });
});

/** A distcp that says how many paths it copies, and that it did. */
const completed = (paths: string): string =>
  `echo 'Number of paths in the copy list: ${paths}'; echo ' completed successfully'`;

/** A host whose clusters answer as if the point had the file `a`, the target nothing. */
const plain = (): { readonly host: EdgeHost; readonly parameters: Variables } => {
  const host = new EdgeHost();
  host.ozone({
    'bucket info o3://prod/vol/bkt': { out: bucketInfo() },
    'snapshot info o3://prod/vol/bkt snap-1': { out: snapshotInfo('snap-1', 1) },
    'key list --all -p .snapshot/snap-1/ o3://prod/vol/bkt': { out: keyList('snap-1', [['a', 1]]) },
    'bucket info o3://dr/vol/bkt': { out: bucketInfo() },
    'key list --all o3://dr/vol/bkt': { out: '[ ]\n' },
  });
  const parameters = {
    ...{ target: 'snap-1', targetId: id(1), targetCreated: '2026-11-20T18:22:04.605Z' },
    ...{ overwrite: 'never', fence: '1', fenceSeed: 'yes' },
  };
  return { host, parameters };
};

describe.concurrent('a restore keeps the bucket to itself', () => {
  const running = `echo $$ > distcp.pid; exec sleep 60`;

  it('is refused while another operation has the target', async () => {
    const { host, parameters } = plain();
    host.hadoop(running.replace('distcp.pid', host.file('distcp.pid')));
    const first = host.start('restore', { ...parameters, operation: operationId(1) });
    await appears(host.file('distcp.pid'));
    const second = await host.run('restore', { ...parameters, operation: operationId(2), fence: '2' });
    expect(second.reply).toMatchObject({ outcome: 'refused', code: 'bucket-busy', jvmStarts: 0 });
    expect(second.reply.message).toContain(operationId(1));
    first.kill('SIGTERM');
    expect((await ended(first)).reply).toMatchObject({ outcome: 'interrupted', code: 'cancelled' });
  });

  it('ends the distcp of a delivery that died, before the bucket is free again', async () => {
    const { host, parameters } = plain();
    host.hadoop(running.replace('distcp.pid', host.file('distcp.pid')));
    const first = host.start('restore', parameters);
    await appears(host.file('distcp.pid'));
    first.kill('SIGKILL');
    const second = await host.run('restore', parameters);
    expect(second.reply).toMatchObject({ outcome: 'interrupted', code: 'delivery-died' });
    expect(existsSync(`/proc/${readFileSync(host.file('distcp.pid'), 'utf8').trim()}`)).toBe(false);
    host.hadoop(completed('1'));
    const third = await host.run('restore', { ...parameters, operation: operationId(3), fence: '2' });
    expect(third.reply).toMatchObject({ outcome: 'ok' });
  });

  it('ends a distcp that passes its time limit', async () => {
    const { host, parameters } = plain();
    host.hadoop('exec sleep 60');
    const { reply } = await host.run('restore', { ...parameters, copySeconds: '1' });
    expect(reply).toMatchObject({ outcome: 'failed', code: 'copy-timeout', data: { copy: { exit: 124 } } });
  });

  it.each([
    ['more', '2'],
    ['less', '0'],
    ['nobody knows what', 'many'],
  ])('does not take a distcp for done that copied %s than was planned', async (_sentence, count) => {
    const { host, parameters } = plain();
    host.hadoop(completed(count));
    const { reply } = await host.run('restore', parameters);
    expect(reply).toMatchObject({ outcome: 'failed', code: 'copy-failed' });
    expect(reply.message).toContain('instead of 1');
  });

  it('gives distcp its time limit, its maps and its bandwidth, and the operation as a tag', async () => {
    const { host, parameters } = plain();
    host.hadoop(completed('1'));
    await host.run('restore', { ...parameters, maps: '7', bandwidth: '20' });
    expect(host.calls('hadoop')).toEqual([
      `distcp -D ozone.client.failover.max.attempts=3 -D ozone.client.wait.between.retries.millis=200 -D mapreduce.job.tags=${operationId()} -pt -direct -m 7 -bandwidth 20 ofs://prod/vol/bkt/.snapshot/snap-1/a ofs://dr/vol/bkt`,
    ]);
  });
});

/** The programs that may be `awk` on a host, as far as they are here. */
const awks = ['mawk', 'gawk', 'original-awk'].filter((name) => existsSync(`/usr/bin/${name}`));

it.each(awks)('restores the same whatever awk the host has (%s)', async (awk) => {
  const s = scene();
  mkdirSync(s.host.file('awk'));
  symlinkSync(`/usr/bin/${awk}`, s.host.file('awk', 'awk'));
  s.host.configure(config(s.host).replace('path=', `path=${s.host.file('awk')}:`));
  const names = hostile.flatMap((name) => [`in/${name}`, `in/${name}.d/${name}`]);
  await s.begin(
    names.map((name) => put(name)),
    [put('in/with blank', 11)],
  );
  const wanted = names.filter((name) => !/[\n\t]/.test(name) && name.length % 3 > 0);
  const lines = [...wanted.map(literal), glob('in/[^/]*tab[^/]*')];
  const expected = [...wanted, 'in/tab\tbed', 'in/tab\tbed.d/tab\tbed'];
  const more = selections.of(lines);
  expect((await s.examine(more)).data).toMatchObject({ point: { files: expected.length }, unmatched: { count: 0 } });
  expect(await s.restore({ ...more, overwrite: 'if-different' })).toMatchObject({ outcome: 'ok' });
  const live = new Set([...files(await s.live()).keys(), 'in/with blank']);
  expect([...live].sort()).toEqual([...new Set([...expected, 'in/with blank'])].sort());
  expect((await s.compare({ ...more, level: 'full' })).data).toMatchObject({ equal: true });
});

describe('a restore that is killed', () => {
  it('says that it was ended, leaves whole files only, and is equal when it is run again', async () => {
    const s = scene();
    const names = Array.from({ length: 30 }, (_, n) => `d${n % 3}/f${n}`);
    await s.begin(
      names.map((name, n) => put(name, 100 + n, n)),
      [text('d0/f0', 'newer')],
    );
    const parameters = await s.restoring({ overwrite: 'if-different' });
    clusters.inProcess.setFaults([
      {
        id: 'kill',
        match: { program: 'hadoop', command: 'distcp' },
        effect: { kind: 'crash', point: 'after:distcp-copy-file', nth: 7 },
      },
    ]);
    const died = await ended(s.host.start('restore', parameters));
    clusters.inProcess.setFaults([]);
    expect(died.reply).toMatchObject({ outcome: 'failed', code: 'copy-failed', data: { copy: { exit: 137 } } });
    const point = await s.point();
    for (const [path, entry] of files(await s.live())) if (path !== 'd0/f0') expect(entry).toEqual(point.get(path));
    expect(await s.compare()).toMatchObject({ data: { equal: false } });
    expect(await s.restore({ overwrite: 'if-different' })).toMatchObject({ outcome: 'ok' });
    expect(await s.live()).toEqual(point);
    expect(await s.compare({ level: 'full', exact: 'yes' })).toMatchObject({ data: { equal: true } });
  });

  it('answers a second delivery with what the first one said', async () => {
    const s = scene();
    await s.begin(some);
    const parameters = await s.restoring();
    const first = await s.host.run('restore', parameters);
    const second = await s.host.run('restore', parameters);
    expect(second.reply).toEqual(first.reply);
  });
});
