import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type OzoneSimulator } from '../ozone-simulator/simulator.ts';
import { EdgeHost, operationId, type Variables } from './edge-host.ts';
import { id, snapshotInfo, snapshotList } from './ozone-output.ts';

const BUCKET = 'o3://prod/vol/bkt';
const base64 = (path: string): string => Buffer.from(path).toString('base64');
const NOW = Date.UTC(2030, 0, 1);

describe('versions, on simulated clusters', () => {
  const host = new EdgeHost();
  let clusters: OzoneSimulator;
  let calls = 0;
  const run = (verb: string, parameters: Variables) => {
    calls += 1;
    return host.run(verb, { operation: operationId(calls), ...parameters });
  };
  const point = async (name: string): Promise<string> => {
    await clusters.ozone('sh', 'snapshot', 'create', BUCKET, name);
    return `${name}=${JSON.parse(await clusters.ozone('sh', 'snapshot', 'info', BUCKET, name)).snapshotId}`;
  };
  const NAME = 'ü b/*[1]{x,y}?\\"\'$(id)';

  beforeAll(async () => {
    clusters = await createSimulator({ directory: mkdtempSync(join(host.directory, 'clusters-')) });
    host.configure(
      `path=${clusters.bin}\njava_home=/usr\nstate=${host.state}\nclient_attempts=3\nclient_wait_ms=200\n`,
    );
    await clusters.createBucket('ofs://prod/vol/bkt');
    clusters.inProcess.setClock({ now: NOW, skewMs: {} });
  });
  afterAll(() => clusters.stop());

  it('says where a path of any name is, with length, time and checksum, in three JVMs', async () => {
    const points = [await point('odr-n-1')];
    for (const [n, content] of ['hello world', 'hello World', ''].entries()) {
      clusters.inProcess.setClock({ now: NOW + (n + 1) * 1234, skewMs: {} });
      await clusters.change('ofs://prod/vol/bkt', [{ op: 'text', path: NAME, content }]);
      points.push(await point(`odr-n-${n + 2}`));
    }
    const { exit, reply } = await run('versions', { points: points.join(), path64: base64(NAME) });
    expect({ exit, jvmStarts: reply.jvmStarts }).toEqual({ exit: 0, jvmStarts: 3 });
    const named = (n: number) => ({ name: `odr-n-${n}`, id: points[n - 1]?.split('=')[1] });
    expect(reply.data.versions).toEqual([
      { ...named(1), state: 'absent', bytes: null, modified: null, checksum: null },
      { ...named(2), state: 'file', bytes: 11, modified: NOW + 1234, checksum: 'COMPOSITE-CRC32 0d4a1185' },
      {
        ...named(3),
        state: 'file',
        bytes: 11,
        modified: NOW + 2468,
        checksum: expect.stringMatching(/^COMPOSITE-CRC32 (?!0d4a1185)[0-9a-f]{8}$/),
      },
      {
        ...named(4),
        state: 'file',
        bytes: 0,
        modified: NOW + 3702,
        checksum: 'MD5-of-0MD5-of-0CRC32 00000000000000000000000070bc8f4b72a86921468bf8e8441dce51',
      },
    ]);
    const directory = await run('versions', { points: points.slice(2).join(), path64: base64('ü b') });
    expect(directory.reply.data.versions).toMatchObject(
      [3, 4].map((n) => ({ ...named(n), state: 'directory', bytes: null, checksum: null })),
    );
    // No file, no checksums to ask for.
    expect(directory.reply.jvmStarts).toBe(2);
  });
});

describe.concurrent('versions, by what the programs say', () => {
  const POINTS = ['odr-n-1', 'odr-n-2'] as const;
  const points = POINTS.map((name, n) => `${name}=${id(n + 1)}`).join();
  const uri = (n: number) => `ofs://prod/vol/bkt/.snapshot/${POINTS[n - 1]}/a b`;
  const missing = (n: number) => `stat: \`${uri(n)}': No such file or directory`;
  const sum = (n: number) => `${uri(n)}\tCOMPOSITE-CRC32\t0000000${n}`;
  const both = snapshotList(['odr-n-1', 1], ['odr-n-2', 2]);

  interface Said {
    readonly out?: readonly string[];
    readonly err?: readonly string[];
    readonly exit?: number;
  }
  const lines = (text: readonly string[] = []) => text.map((line) => `${line}\n`).join('');
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const saying = ({ out, err, exit = 0 }: Said) =>
    `printf %s ${quoted(lines(out))}; printf %s ${quoted(lines(err))} >&2; exit ${exit}`;
  const look = async (stat: Said, checksum: Said = {}, list: string = both) => {
    const host = new EdgeHost();
    host.ozone({ [`snapshot list --all -p odr- ${BUCKET}`]: { out: list } });
    host.hadoop(`case "$*" in *' -stat '*) ${saying(stat)} ;; *) ${saying(checksum)} ;; esac`);
    const ran = await host.run('versions', { points, path64: base64('a b') });
    return { ...ran, host };
  };
  const FILES: Said = { out: ['3 7 regular file', '4 8 regular file'] };

  it('pairs answers with points by those that are named as missing', async () => {
    const { reply } = await look(
      { out: ['4 8 regular file'], err: ['WARN a log line', missing(1)], exit: 1 },
      { out: [sum(2)] },
    );
    expect(reply.data.versions).toEqual([
      { name: 'odr-n-1', id: id(1), state: 'absent', bytes: null, modified: null, checksum: null },
      { name: 'odr-n-2', id: id(2), state: 'file', bytes: 4, modified: 8, checksum: 'COMPOSITE-CRC32 00000002' },
    ]);
  });

  it('gives each path as one word, and asks no checksum of what is not there', async () => {
    const { host } = await look({ err: [missing(1), missing(2)], exit: 1 });
    const client = '-D ozone.client.failover.max.attempts=3 -D ozone.client.wait.between.retries.millis=200';
    expect(host.calls('hadoop')).toEqual([`fs ${client} -stat %b %Y %F ${uri(1)} ${uri(2)}`]);
  });

  it('trusts nothing that was read of a point that is gone by the listing afterwards, or another one', async () => {
    const { reply } = await look(
      FILES,
      { out: [sum(1), sum(2)] },
      snapshotList(['odr-n-1', 1, 'SNAPSHOT_DELETED'], ['odr-n-2', 3]),
    );
    expect(reply.data.versions).toMatchObject(
      POINTS.map((name) => ({ name, state: 'no-snapshot', bytes: null, modified: null, checksum: null })),
    );
  });

  it('says null for a checksum that cannot be read, or that a file has not, and hides no other', async () => {
    const { reply } = await look(FILES, {
      out: [`${uri(1)}\tNONE\t`],
      err: ['checksum: UNAVAILABLE: io exception'],
      exit: 1,
    });
    expect(reply.data.versions).toMatchObject([
      { state: 'file', checksum: null },
      { state: 'file', checksum: null },
    ]);
  });

  it.each([
    ['one answer too few', { out: ['3 7 regular file'] }, 'refused', 'unreadable'],
    [
      'one answer too many',
      { out: ['3 7 regular file', '4 8 regular file', '1 1 directory'] },
      'refused',
      'unreadable',
    ],
    ['an answer of another form', { out: ['3 7 regular file', '4 8 symlink'] }, 'refused', 'unreadable'],
    ['an answer beside one that is missing', { ...FILES, err: [missing(1)], exit: 1 }, 'refused', 'unreadable'],
    [
      'a missing path that nobody asked for',
      { out: ['3 7 regular file'], err: [missing(2).replace('a b', 'a')], exit: 1 },
      'refused',
      'unreadable',
    ],
    [
      'a success that names a missing path',
      { out: ['3 7 regular file'], err: [missing(2)], exit: 0 },
      'refused',
      'unreadable',
    ],
    ['a failure that says nothing', { ...FILES, exit: 1 }, 'refused', 'unreadable'],
    [
      'a path that may not be read',
      { out: ['3 7 regular file'], err: ['stat: PERMISSION_DENIED User x'], exit: 1 },
      'refused',
      'permission-denied',
    ],
    ['a manager that is away', { err: ['stat: Connection refused'], exit: 1 }, 'unreachable', 'connection'],
    ['a time-out', { exit: 124 }, 'unreachable', 'timeout'],
  ] as const)('never takes %s for an answer', async (_sentence, stat, outcome, code) => {
    expect((await look(stat)).reply).toMatchObject({ outcome, code, data: null });
  });
});

describe.concurrent('changes, by what the programs say', () => {
  const asked = { base: 'odr-n-1', baseSourceId: id(1), target: 'odr-n-2', targetId: id(2), limit: '2' };
  const changes = async (list: string, more = '', form = '--get-report --json', parameters: Variables = {}) => {
    const host = new EdgeHost();
    const out = `{
  "snapshotDiffReport" : {
    "volumeName" : "vol",
    "bucketName" : "bkt",
    "fromSnapshot" : "odr-n-1",
    "toSnapshot" : "odr-n-2",
    "diffList" : ${list}${more}
  },
  "jobStatus" : "DONE"
}
`;
    host.ozone({
      [`snapshot info ${BUCKET} odr-n-1`]: { out: snapshotInfo('odr-n-1', 1) },
      [`snapshot info ${BUCKET} odr-n-2`]: { out: snapshotInfo('odr-n-2', 2) },
      [`snapshot diff ${form} -p 2 ${BUCKET} odr-n-1 odr-n-2`]: { out },
    });
    return (await host.run('changes', { ...asked, ...parameters })).reply;
  };
  const entries = (...each: readonly string[]) => `[ {\n      ${each.join('\n    }, {\n      ')}\n    } ]`;

  it('hands paths on as Ozone escaped them, whole', async () => {
    const long = 'ü'.repeat(2000);
    const reply = await changes(
      entries(
        `"diffType" : "R",\n      "sourcePath" : "./q\\"\\\\ \\u0001/,",\n      "targetPath" : "./${long}/"`,
        '"diffType" : "M",\n      "sourcePath" : "./      \\"targetPath\\" : \\"./x\\""',
      ),
      ',\n    "nextToken" : "300000000000000000002"',
    );
    expect(reply.data).toEqual({
      status: 'done',
      reason: '',
      entries: [
        { kind: 'R', path: 'q"\\ \u0001/,', to: `${long}/` },
        { kind: 'M', path: '      "targetPath" : "./x"', to: null },
      ],
      next: '300000000000000000002',
    });
  });

  it.each([
    ['a kind that nobody knows', '"diffType" : "X",\n      "sourcePath" : "./a"'],
    ['a path that is not in the bucket', '"diffType" : "+",\n      "sourcePath" : "/a"'],
    ['an entry without a path', '"diffType" : "+"'],
    ['a rename without its other path', '"diffType" : "R",\n      "sourcePath" : "./a"'],
    ['a create with another path', '"diffType" : "+",\n      "sourcePath" : "./a",\n      "targetPath" : "./b"'],
  ])('refuse a report with %s', async (_sentence, entry) => {
    expect(await changes(entries(entry))).toMatchObject({ outcome: 'refused', code: 'unreadable', data: null });
  });

  it('refuse a token of the next page that is none', async () => {
    const reply = await changes('[ ]', ',\n    "nextToken" : "-t 1"');
    expect(reply).toMatchObject({ outcome: 'refused', code: 'unreadable' });
  });

  it('are none when the page is empty', async () => {
    expect((await changes('[ ]')).data).toEqual({ status: 'done', reason: '', entries: [], next: null });
  });
});
