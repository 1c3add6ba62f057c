import { readdirSync, rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Answers, EdgeHost, operationId, type Variables } from './edge-host.ts';
import { id, keyList, snapshotInfo } from './ozone-output.ts';

const source = 'o3://prod/vol/bkt';
const replica = 'o3://dr/vol/bkt';
const down = { err: 'Connection refused\n', exit: 255 };

const run = (answers: Answers, verb: string, parameters: Variables = {}) => {
  const host = new EdgeHost();
  host.ozone(answers);
  return host.run(verb, parameters).then((result) => ({ ...result, host }));
};

const parameters = { target: 'snap-2', targetId: id(2), sealId: id(12), level: 'listing' };
const world = (left: Parameters<typeof keyList>[1], right: Parameters<typeof keyList>[1]): Answers => ({
  [`snapshot info ${source} snap-2`]: { out: snapshotInfo('snap-2', 2) },
  [`snapshot info ${replica} snap-2`]: { out: snapshotInfo('snap-2', 12) },
  [`key list --all -p .snapshot/snap-2/ ${source}`]: { out: keyList('snap-2', left) },
  [`key list --all -p .snapshot/snap-2/ ${replica}`]: { out: keyList('snap-2', right) },
});
describe.concurrent('the listings of two snapshots', () => {
  const content = [['a/'], ['a/b/'], ['a/b/f', 10], ['a/ü "q" \\ %20', 5], ['zero', 0]] as const;

  it('calls two equal listings equal, in one JVM, whatever their order', async () => {
    const { exit, reply } = await run(world(content, content.toReversed()), 'verify', parameters);
    expect(exit).toBe(0);
    expect(reply).toMatchObject({
      outcome: 'ok',
      jvmStarts: 1,
      data: { level: 'listing', equal: true, onlySource: 0, onlyReplica: 0, changed: 0, first: [] },
    });
    expect(reply.data.source).toEqual({
      files: 3,
      dirs: 2,
      bytes: 15,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(reply.data.replica).toEqual(reply.data.source);
  });

  it('calls two empty snapshots equal', async () => {
    const { reply } = await run(world([], []), 'verify', parameters);
    expect(reply.data).toMatchObject({ equal: true, source: { files: 0, dirs: 0, bytes: 0 } });
  });

  it('counts the ancestors of a key as directories, listed or not', async () => {
    const { reply } = await run(
      world(
        [
          ['a/b/c/f', 1],
          ['a/b/g', 1],
          ['x', 1],
        ],
        [['a/'], ['a/b/'], ['a/b/c/'], ['a/b/c/f', 1], ['a/b/g', 1], ['x', 1]],
      ),
      'verify',
      parameters,
    );
    expect(reply.data).toMatchObject({ equal: true, source: { files: 3, dirs: 3 } });
  });

  const different: readonly (readonly [sentence: string, right: Parameters<typeof keyList>[1], data: object])[] = [
    [
      'a file that the replica lacks',
      content.slice(0, 4),
      { onlySource: 1, first: [{ path: 'zero', source: '0 bytes', replica: null }] },
    ],
    [
      'a file that only the replica has',
      [...content, ['extra/x', 3]],
      {
        onlyReplica: 2,
        first: [
          { path: 'extra', source: null, replica: 'directory' },
          { path: 'extra/x', source: null, replica: '3 bytes' },
        ],
      },
    ],
    [
      'another size',
      content.map(([name, size]) => [name, size === 10 ? 11 : (size ?? 0)] as const),
      { changed: 1, first: [{ path: 'a/b/f', source: '10 bytes', replica: '11 bytes' }] },
    ],
    ['an empty directory that is missing', content.filter(([name]) => !name.startsWith('a/b/')), { onlySource: 2 }],
    ['a file where a directory was', [['a', 1]], { changed: 1, onlySource: 4 }],
    [
      'another non-ASCII letter',
      content.map(([name, size]) => [name.replace('ü', 'ä'), size ?? 0] as const),
      { onlySource: 1, onlyReplica: 1 },
    ],
  ];
  it.each(different)('finds %s', async (_sentence, right, data) => {
    const { exit, reply } = await run(world(content, right), 'verify', parameters);
    expect(exit).toBe(0);
    expect(reply).toMatchObject({
      outcome: 'ok',
      data: { equal: false, onlySource: 0, onlyReplica: 0, changed: 0, ...data },
    });
    expect(reply.data.source.digest).not.toBe(reply.data.replica.digest);
  });

  it('keeps the reply small and valid when thousands of long names differ', async () => {
    const long = Array.from(
      { length: 3000 },
      (_, i) => [`${'ü"\\'.repeat(150)}/${String(i).padStart(5, '0')}`, i] as const,
    );
    const { reply, stdout } = await run(world(long, []), 'verify', parameters);
    expect(stdout.length).toBeLessThan(20_000);
    expect(reply.data).toMatchObject({ onlySource: 3001, source: { files: 3000, dirs: 1 } });
    expect(reply.data.first).toHaveLength(20);
    expect(reply.data.first[1].path).toMatch(/^ü"\\.*\.\.\.$/);
  });

  it('leaves no listing behind', async () => {
    const { host } = await run(world(content, content), 'verify', parameters);
    const [operation = ''] = readdirSync(`${host.state}/operations`);
    expect(readdirSync(`${host.state}/operations/${operation}`).sort()).toEqual(['lock', 'result', 'started']);
  });

  const good = world(content, content);
  const refused: readonly (readonly [sentence: string, answers: Answers, outcome: string, code: string])[] = [
    [
      'a source snapshot that is gone',
      {
        [`snapshot info ${source} snap-2`]: {
          err: "FILE_NOT_FOUND Snapshot '/vol/bkt/snap-2' is not found.\n",
          exit: 255,
        },
      },
      'refused',
      'target-missing',
    ],
    [
      'a source snapshot that is deleted',
      { [`snapshot info ${source} snap-2`]: { out: snapshotInfo('snap-2', 2, 'SNAPSHOT_DELETED') } },
      'refused',
      'target-missing',
    ],
    [
      'a source snapshot of that name with another id',
      { [`snapshot info ${source} snap-2`]: { out: snapshotInfo('snap-2', 3) } },
      'refused',
      'target-other',
    ],
    [
      'a seal that is gone',
      {
        [`snapshot info ${replica} snap-2`]: {
          err: "FILE_NOT_FOUND Snapshot '/vol/bkt/snap-2' is not found.\n",
          exit: 255,
        },
      },
      'refused',
      'seal-missing',
    ],
    [
      'a seal with another id',
      { [`snapshot info ${replica} snap-2`]: { out: snapshotInfo('snap-2', 2) } },
      'refused',
      'seal-other',
    ],
    [
      'a listing that is cut short',
      { [`key list --all -p .snapshot/snap-2/ ${replica}`]: { out: keyList('snap-2', content).slice(0, -4) } },
      'refused',
      'unreadable',
    ],
    ['no listing', { [`key list --all -p .snapshot/snap-2/ ${replica}`]: { out: '' } }, 'refused', 'unreadable'],
    [
      'a listing of another snapshot',
      { [`key list --all -p .snapshot/snap-2/ ${replica}`]: { out: keyList('snap-1', content) } },
      'refused',
      'unreadable',
    ],
    [
      'a size that is no number',
      {
        [`key list --all -p .snapshot/snap-2/ ${replica}`]: {
          out: keyList('snap-2', content).replace('"dataSize" : 10', '"dataSize" : "10"'),
        },
      },
      'refused',
      'unreadable',
    ],
    [
      'a snapshot that is not flushed yet',
      {
        [`key list --all -p .snapshot/snap-2/ ${replica}`]: {
          err: 'TIMEOUT Unable to load snapshot. It has not been flushed yet.\n',
          exit: 255,
        },
      },
      'refused',
      'not-flushed',
    ],
    ['a replica that does not answer', { [`snapshot info ${replica} snap-2`]: down }, 'unreachable', 'connection'],
  ];
  it.each(refused)('does not compare with %s', async (_sentence, answers, outcome, code) => {
    const { reply } = await run({ ...good, ...answers }, 'verify', parameters);
    expect([reply.outcome, reply.code, reply.data]).toEqual([outcome, code, null]);
  });
});

/** Hadoop's shell: each path's checksum is that of `cases` (the part of a shell's `case` about "$path"), else 2a. */
const checksums = (cases = ''): string => `while [ "$1" != -checksum ]; do shift; done
shift
for path; do
  case $path in
${cases}
*) printf '%s\\tCOMPOSITE-CRC32\\t0000002a\\n' "$path" ;;
  esac
done`;
const printing = (value: string): string => `printf '%s\\t${value}\\n' "$path"`;

describe.concurrent('the checksums of two snapshots', () => {
  const content = [['a/'], ['a/b', 10], ['a/c', 10], ['d', 0]] as const;
  const compare = async (hadoop: string, more: Variables = {}, answers: Answers = world(content, content)) => {
    const host = new EdgeHost();
    host.ozone(answers);
    host.hadoop(hadoop);
    return { ...(await host.run('verify', { ...parameters, level: 'full', ...more })), host };
  };

  it('are read of both sides in one JVM', async () => {
    const { exit, reply, host } = await compare(checksums());
    expect(exit).toBe(0);
    expect(reply).toMatchObject({
      outcome: 'ok',
      jvmStarts: 2,
      data: { level: 'full', equal: true, checksums: { compared: 3, differ: 0 }, changed: 0, first: [] },
    });
    const of = (path: string) =>
      `ofs://prod/vol/bkt/.snapshot/snap-2/${path} ofs://dr/vol/bkt/.snapshot/snap-2/${path}`;
    expect(host.calls('hadoop')).toEqual([
      `fs -D ozone.client.failover.max.attempts=3 -D ozone.client.wait.between.retries.millis=200 -checksum ${of('a/b')} ${of('a/c')} ${of('d')}`,
    ]);
  });

  it('that differ are shown', async () => {
    const { reply } = await compare(checksums(`*dr/*/a/c) ${printing('COMPOSITE-CRC32\\t0000002b')} ;;`));
    expect(reply.data).toMatchObject({
      equal: false,
      onlySource: 0,
      onlyReplica: 0,
      changed: 1,
      checksums: { compared: 3, differ: 1 },
      first: [
        { path: 'a/c', source: 'checksum COMPOSITE-CRC32 0000002a', replica: 'checksum COMPOSITE-CRC32 0000002b' },
      ],
    });
    expect(reply.data.source.digest).toBe(reply.data.replica.digest);
  });

  it('that look like one number are not compared as numbers', async () => {
    const { reply } = await compare(checksums(`*dr/*/a/c) ${printing('COMPOSITE-CRC32\\t02a')} ;;`));
    expect(reply.data).toMatchObject({ equal: false, checksums: { differ: 1 } });
  });

  it('are not read of copies whose listings differ', async () => {
    const { reply, host } = await compare(checksums(), {}, world(content, content.slice(0, 3)));
    expect(reply).toMatchObject({
      outcome: 'ok',
      jvmStarts: 1,
      data: { equal: false, checksums: { compared: 0, differ: 0 }, onlySource: 1 },
    });
    expect(host.calls('hadoop')).toEqual([]);
  });

  it('need no JVM for a bucket without files', async () => {
    const { reply } = await compare('exit 1', {}, world([['a/']], [['a/']]));
    expect(reply).toMatchObject({ jvmStarts: 1, data: { equal: true, checksums: { compared: 0, differ: 0 } } });
  });

  it('leave nothing behind', async () => {
    const { host, reply } = await compare(checksums());
    expect(readdirSync(`${host.state}/operations/${reply.operation}`).sort()).toEqual(['lock', 'result', 'started']);
  });

  const many = Array.from({ length: 3000 }, (_, n) => [`${'x'.repeat(80)}-${n}`, 1] as const);
  it('are read in several JVMs at once when there are more files than a command line holds', async () => {
    const together =
      'touch "$0.$$"; for i in {1..200}; do set -- "$@"; [ "$(ls "$0".[0-9]* | wc -l)" -ge 3 ] && break; sleep 0.1; done';
    const { reply, host } = await compare(
      `${together}\n[ "$(ls "$0".[0-9]* | wc -l)" -ge 3 ] || exit 1\n${checksums()}`,
      { maps: '3' },
      world(many, many),
    );
    expect(reply).toMatchObject({ outcome: 'ok', data: { equal: true, checksums: { compared: 3000, differ: 0 } } });
    expect(host.calls('hadoop').length).toBeGreaterThanOrEqual(3);
    expect(reply.jvmStarts).toBe(1 + host.calls('hadoop').length);
    expect(Math.max(...host.calls('hadoop').map((it) => it.length))).toBeLessThan(220_000);
  });

  it('fall into parts, each file into one', async () => {
    const files = Array.from({ length: 200 }, (_, n) => [`dir/ü-${n}`, 1] as const);
    const base: Answers = {
      [`snapshot info ${source} snap-1`]: { out: snapshotInfo('snap-1', 1) },
      [`key list --all -p .snapshot/snap-1/ ${source}`]: { out: keyList('snap-1', files) },
    };
    const seen: string[] = [];
    for (const part of ['1', '2', '3', '4']) {
      const { reply, host } = await compare(
        checksums(),
        { level: 'rolling', part, parts: '4', base: 'snap-1', baseSourceId: id(1) },
        { ...world(files, files), ...base },
      );
      const [call = ''] = host.calls('hadoop');
      const paths = [...call.matchAll(/prod\S*?snap-2\/(\S+)/g)].map(([, path]) => path ?? '');
      expect(reply.data).toMatchObject({ level: 'rolling', checksums: { compared: paths.length } });
      expect(paths.length).toBeGreaterThan(20);
      seen.push(...paths);
    }
    expect(seen.sort()).toEqual(files.map(([path]) => path).sort());
  });

  const rows: readonly (readonly [sentence: string, hadoop: string, outcome: string, code: string])[] = [
    ['a path that is not answered', checksums('*dr/*/a/c) ;;'), 'refused', 'unreadable'],
    ['a file without a checksum', checksums(`*/a/c) ${printing('NONE\\t')} ;;`), 'refused', 'unreadable'],
    [
      'text in front of an answer',
      checksums(`*/a/c) echo WARN hello; ${printing('CRC\\t2a')} ;;`),
      'refused',
      'unreadable',
    ],
    ['an answer that is cut', checksums(`*dr/*/d) printf '%s\\tCOMPOSITE-C' "$path" ;;`), 'refused', 'unreadable'],
    ['an exit code behind full answers', `${checksums()}\nexit 1`, 'refused', 'unreadable'],
    ['no answer at all', 'exit 0', 'refused', 'unreadable'],
    [
      'checksums of another kind on the replica',
      checksums(`*dr/*/a/c) ${printing('COMPOSITE-CRC32C\\t0000002a')} ;;`),
      'refused',
      'unreadable',
    ],
    [
      'a path that is gone',
      `echo "checksum: \\\`ofs://dr/vol/bkt/x': No such file or directory" >&2; exit 1`,
      'refused',
      'unreadable',
    ],
    [
      'a reader without the right to read',
      'echo "checksum: PERMISSION_DENIED User x does not have READ permission" >&2; exit 1',
      'refused',
      'permission-denied',
    ],
    [
      'a manager that does not answer',
      'echo "26/11/21 INFO retry.X: ..." >&2; echo "checksum: Connection refused" >&2; exit 1',
      'unreachable',
      'connection',
    ],
    [
      'a datanode that is away',
      'echo "checksum: java.util.concurrent.ExecutionException: StatusRuntimeException: UNAVAILABLE: io exception" >&2; exit 1',
      'unreachable',
      'connection',
    ],
    [
      'a datanode that hangs',
      'echo "checksum: StatusRuntimeException: DEADLINE_EXCEEDED: CallOptions deadline exceeded" >&2; exit 1',
      'unreachable',
      'connection',
    ],
    ['a client that hangs', 'exit 124', 'unreachable', 'timeout'],
  ];
  it.each(rows)('are never called equal with %s', async (_sentence, hadoop, outcome, code) => {
    const { reply } = await compare(hadoop);
    expect([reply.outcome, reply.code, reply.data]).toEqual([outcome, code, null]);
  });

  it('need hadoop on the host, listings alone do not', async () => {
    const host = new EdgeHost();
    host.ozone(world(content, content));
    rmSync(host.file('bin', 'hadoop'));
    expect((await host.run('verify', { ...parameters, level: 'changed' })).reply).toMatchObject({
      outcome: 'refused',
      code: 'environment',
    });
    const listed = await host.run('verify', { ...parameters, operation: operationId(2) });
    expect(listed.reply).toMatchObject({ outcome: 'ok', data: { level: 'listing', checksums: null } });
  });
});
