import { describe, expect, it } from 'vitest';
import { type Answers, EdgeHost, type Variables } from './edge-host.ts';
import { type Acl, aclList, bucketInfo, diffReport, id, snapshotList } from './ozone-output.ts';

const source = 'o3://prod/vol/bkt';
const replica = 'o3://dr/vol/bkt';
const down = { err: 'Connection refused\n', exit: 255 };

const owners: readonly Acl[] = [
  ['USER', 'root', 'ACCESS', 'ALL'],
  ['GROUP', 'root', 'ACCESS', 'READ', 'LIST'],
];

const pair: Answers = {
  [`bucket info ${source}`]: { out: bucketInfo() },
  [`snapshot list --all ${source}`]: { out: snapshotList(['snap-1', 1], ['snap-2', 2, 'SNAPSHOT_DELETED']) },
  [`bucket info ${replica}`]: {
    out: bucketInfo({ bucketLayout: 'LEGACY', owner: 'o"w\\n', quotaInBytes: 1099511627776 }),
  },
  [`snapshot list --all ${replica}`]: { out: snapshotList() },
  [`bucket getacl ${source}`]: { out: aclList(...owners) },
  [`bucket getacl ${replica}`]: { out: aclList() },
};

const run = (answers: Answers, verb: string, parameters: Variables = {}) => {
  const host = new EdgeHost();
  host.ozone(answers);
  return host.run(verb, parameters).then((result) => ({ ...result, host }));
};

describe.concurrent('survey', () => {
  it('reads both sides in one JVM', async () => {
    const { exit, reply, stdout } = await run(pair, 'survey');
    expect(exit).toBe(0);
    expect(reply).toMatchObject({ verb: 'survey', outcome: 'ok', code: '', message: '', jvmStarts: 1 });
    expect(reply.endedAt).toBeGreaterThanOrEqual(reply.startedAt);
    expect(stdout.startsWith('-----BEGIN')).toBe(true);
    expect(reply.data).toEqual({
      source: {
        state: 'read',
        bucket: {
          created: '2026-11-20T18:22:04.605Z',
          layout: 'FILE_SYSTEM_OPTIMIZED',
          link: false,
          usedBytes: 20028503,
          usedNamespace: 12,
          owner: 'root',
          quotaInBytes: -1,
          quotaInNamespace: -1,
          replication: '',
          encryptionKey: null,
          acls: ['GROUP:root:READ,LIST:ACCESS', 'USER:root:ALL:ACCESS'],
        },
        snapshots: [
          { name: 'snap-1', id: id(1), created: 1795198944926, status: 'ACTIVE', exclusiveBytes: 0 },
          { name: 'snap-2', id: id(2), created: 1795198944927, status: 'DELETED', exclusiveBytes: 0 },
        ],
      },
      replica: {
        state: 'read',
        bucket: expect.objectContaining({ layout: 'LEGACY', owner: 'o"w\\n', quotaInBytes: 1099511627776, acls: [] }),
        snapshots: [],
      },
    });
  });

  it('says what only a snapshot keeps, where the cluster prints a size', async () => {
    const printed = [7, 400_661, -1, undefined, '7'];
    const out = snapshotList(
      ...printed.map((exclusiveSize, n) => [`s-${n}`, n, undefined, { exclusiveSize }] as const),
    );
    const { reply } = await run({ ...pair, [`snapshot list --all ${source}`]: { out } }, 'survey');
    const sizes = reply.data.source.snapshots.map((it: { readonly exclusiveBytes?: number }) => it.exclusiveBytes);
    expect(sizes).toEqual([7, 400_661, undefined, undefined, undefined]);
    const without = { name: 's-3', id: id(3), created: 1795198944928, status: 'ACTIVE' };
    expect(reply.data.source.snapshots[3]).toEqual(without);
  });

  it('says null for a policy without a replica', async () => {
    expect((await run(pair, 'survey', { replica: '' })).reply.data.replica).toBeNull();
  });

  const bucketOf = async (side: 'source' | 'replica', answers: Answers) => {
    const { reply } = await run({ ...pair, ...answers }, 'survey');
    expect([reply.data.source.state, reply.data.replica.state]).toEqual(['read', 'read']);
    return { jvmStarts: reply.jvmStarts, ...reply.data[side].bucket };
  };
  const ratis = (replicationFactor: string) => ({
    replicationConfig: { replicationFactor, requiredNodes: 1, minimumNodes: 1, replicationType: 'RATIS' },
  });

  it.each([
    [{ ...ratis('ONE'), encryptionKeyName: 'key-1' }, 'RATIS/ONE', 'key-1'],
    [ratis('THREE'), 'RATIS/THREE', null],
    [
      {
        replicationConfig: {
          ...{ data: 6, parity: 3, ecChunkSize: 2097152, codec: 'RS', replicationType: 'EC' },
          ...{ requiredNodes: 9, minimumNodes: 6 },
        },
      },
      'EC/rs-6-3-2048k',
      null,
    ],
  ])('reads the replication and the key of a bucket: %j', async (shown, replication, encryptionKey) => {
    const answers = { [`bucket info ${replica}`]: { out: bucketInfo(shown) } };
    expect(await bucketOf('replica', answers)).toMatchObject({ replication, encryptionKey, jvmStarts: 1 });
  });

  it.each([
    ['a replication that nobody knows', { replicationConfig: { kind: 'x' } }],
    ['a factor with a quote', ratis('O"NE')],
    [
      'a chunk that is an expression',
      { replicationConfig: { data: 3, parity: 2, ecChunkSize: 'a[$(id)]', codec: 'RS', replicationType: 'EC' } },
    ],
  ])('does not read a bucket with %s', async (_sentence, shown) => {
    const { reply } = await run({ ...pair, [`bucket info ${replica}`]: { out: bucketInfo(shown) } }, 'survey');
    expect(reply.data.replica).toMatchObject({ state: 'unreadable', code: 'unreadable' });
  });

  const denied = { err: "PERMISSION_DENIED User x doesn't have READ_ACL permission\n", exit: 255 };
  it.each([
    ['the source', 'source', { [`bucket getacl ${source}`]: denied }, 2],
    ['the replica', 'replica', { [`bucket getacl ${replica}`]: denied }, 1],
    ['the source, cut short,', 'source', { [`bucket getacl ${source}`]: { out: aclList(...owners).slice(0, -4) } }, 1],
    [
      'the source, more than 100,',
      'source',
      {
        [`bucket getacl ${source}`]: {
          out: aclList(...Array.from({ length: 101 }, (): Acl => ['USER', 'x', 'ACCESS', 'READ'])),
        },
      },
      1,
    ],
  ] as const)(
    'reads a bucket without the ACLs when those of %s cannot be read',
    async (_, side, answers, jvmStarts) => {
      expect(await bucketOf(side, answers)).toMatchObject({ acls: null, jvmStarts });
    },
  );

  it('keeps names in ACLs as they are', async () => {
    const acls: readonly Acl[] = [['USER', 'a b"c\\', 'DEFAULT', 'WRITE', 'READ_ACL']];
    const answers = { [`bucket getacl ${source}`]: { out: aclList(...acls) } };
    expect((await bucketOf('source', answers)).acls).toEqual(['USER:a b"c\\:WRITE,READ_ACL:DEFAULT']);
  });

  const sides: readonly (readonly [
    sentence: string,
    answers: Answers,
    source: string,
    replica: string,
    jvms: number,
  ])[] = [
    ['a source that does not answer', { [`bucket info ${source}`]: down }, 'unreachable connection', 'read', 2],
    ['a replica that does not answer', { [`bucket info ${replica}`]: down }, 'read', 'unreachable connection', 1],
    [
      'a source whose host is unknown',
      { [`bucket info ${source}`]: { err: 'Cannot resolve OM host prod in the URI\n', exit: 255 } },
      'unreachable unknown-host',
      'read',
      2,
    ],
    [
      'a replica bucket that is missing',
      { [`bucket info ${replica}`]: { err: 'BUCKET_NOT_FOUND Bucket not found: vol/bkt\n', exit: 255 } },
      'read',
      'missing bucket-missing',
      1,
    ],
    [
      'a source volume that is missing',
      { [`bucket info ${source}`]: { err: 'VOLUME_NOT_FOUND Volume vol is not found\n', exit: 255 } },
      'missing volume-missing',
      'read',
      2,
    ],
    [
      'a listing that is not allowed',
      {
        [`snapshot list --all ${source}`]: {
          err: "PERMISSION_DENIED User x doesn't have LIST permission\n",
          exit: 255,
        },
      },
      'denied permission-denied',
      'read',
      2,
    ],
    [
      'no Kerberos ticket',
      {
        [`bucket info ${source}`]: {
          err: 'DestHost:destPort … Client cannot authenticate via:[TOKEN, KERBEROS]\n',
          exit: 255,
        },
      },
      'denied no-ticket',
      'read',
      2,
    ],
    [
      'a listing that is cut short',
      { [`snapshot list --all ${source}`]: { out: snapshotList(['snap-1', 1]).slice(0, -4) } },
      'unreadable unreadable',
      'read',
      1,
    ],
    [
      'a listing cut between two snapshots',
      {
        [`snapshot list --all ${source}`]: {
          out: snapshotList(['snap-1', 1], ['snap-2', 2]).replace(/\}, \{.*/s, '}\n'),
        },
      },
      'unreadable unreadable',
      'read',
      1,
    ],
    [
      'a listing that is empty output',
      { [`snapshot list --all ${source}`]: { out: '' } },
      'unreadable unreadable',
      'read',
      1,
    ],
    [
      'a log line in front of the JSON',
      { [`snapshot list --all ${replica}`]: { out: `26/11/20 WARN util.X: hello\n${snapshotList()}` } },
      'read',
      'unreadable unreadable',
      1,
    ],
    [
      'a log line in front of everything',
      { [`bucket info ${source}`]: { before: 'WARN hello\n', out: bucketInfo() } },
      'unreadable unreadable',
      'read',
      2,
    ],
    [
      'a line after the JSON',
      { [`bucket info ${replica}`]: { out: `${bucketInfo()}Listing first 100 entries of the result.\n` } },
      'read',
      'unreadable unreadable',
      1,
    ],
    [
      'a bucket without a layout',
      { [`bucket info ${replica}`]: { out: bucketInfo().replace(/.*bucketLayout.*\n/, '') } },
      'read',
      'unreadable unreadable',
      1,
    ],
    [
      'a status that Ozone does not have',
      { [`snapshot list --all ${replica}`]: { out: snapshotList(['snap-1', 1, 'SNAPSHOT_LOST']) } },
      'read',
      'unreadable unreadable',
      1,
    ],
    [
      'a usage error, which Ozone ends with 0',
      { [`snapshot list --all ${replica}`]: { err: "Unknown option: '--all'\n" } },
      'read',
      'unreadable unreadable',
      1,
    ],
  ];
  it.each(sides)('tells %s for that side, and still reads the other', async (_sentence, answers, left, right, jvms) => {
    const { exit, reply } = await run({ ...pair, ...answers }, 'survey');
    const told = (side: { state: string; code?: string }): string => [side.state, side.code].filter(Boolean).join(' ');
    expect([exit, reply.outcome, told(reply.data.source), told(reply.data.replica), reply.jvmStarts]).toEqual([
      0,
      'ok',
      left,
      right,
      jvms,
    ]);
  });

  it('kills a client that hangs, and says so', async () => {
    const host = new EdgeHost();
    host.program('ozone', 'exec sleep 60');
    host.program('timeout', 'echo "$*" >&2; exit 124'); // the clock of the real one is not under test
    const { reply } = await host.run('survey', { executionTimeout: '60' });
    expect(reply.data.source).toMatchObject({ state: 'unreachable', code: 'timeout' });
    expect(reply.data.source.message).toMatch(/^-k 10 (50|4\d) ozone sh /);
  });

  it('answers with ASCII text and valid JSON whatever Ozone says', async () => {
    const nasty = { err: 'BUCKET_NOT_FOUND "ü" \\ \t \u0007 $(id)\nsecond line\n', exit: 255 };
    const { reply } = await run({ ...pair, [`bucket info ${replica}`]: nasty }, 'survey');
    expect(reply.data.replica.message).toBe('BUCKET_NOT_FOUND "??" \\   ? $(id)\nsecond line');
  });
});

describe.concurrent('diff', () => {
  const parameters = { base: 'snap-1', target: 'snap-2' };
  const report = `snapshot diff --get-report --json -p 1 ${source} snap-1 snap-2`;
  const submit = `snapshot diff ${source} snap-1 snap-2`;
  const of = (status: string, more: Readonly<Record<string, unknown>> = {}, paths = 0): Answers => ({
    [report]: { out: diffReport('snap-1', 'snap-2', status, more, paths) },
  });
  const pending =
    'Previous snapshot diff attempt found. Status: IN_PROGRESS.\nPlease get the report using --get-report option in 60000 ms.\n';

  const rows: readonly (readonly [sentence: string, answers: Answers, data: object, jvms: number])[] = [
    [
      'a finished one with changes',
      of('DONE', { nextToken: '2' }, 2),
      { status: 'done', empty: false, waitMs: null },
      1,
    ],
    ['a finished one without changes', of('DONE'), { status: 'done', empty: true }, 1],
    ['a running one', of('IN_PROGRESS', { waitTimeInMs: 60000 }), { status: 'pending', empty: null, waitMs: 60000 }, 1],
    ['a queued one', of('QUEUED', { waitTimeInMs: 1 }), { status: 'pending', waitMs: 1 }, 1],
    [
      'a failed one with its reason',
      of('FAILED', { waitTimeInMs: 3600000, reason: 'Old and "new"' }),
      { status: 'failed', reason: 'Old and "new"' },
      1,
    ],
    ['a rejected one', of('REJECTED'), { status: 'rejected' }, 1],
    ['a cancelled one', of('CANCELLED'), { status: 'cancelled' }, 1],
    ['a status that is new to us', of('SLEEPING'), { status: 'unknown', empty: null }, 1],
    [
      'none: it submits one',
      {
        ...of('NOT_FOUND', { waitTimeInMs: 1000 }),
        [submit]: { out: 'Submitting a new job. Please retry after 60000 ms.\n' },
      },
      { status: 'submitted', empty: null },
      2,
    ],
    [
      'none, then one that somebody else submitted',
      { ...of('NOT_FOUND'), [submit]: { out: pending } },
      { status: 'pending' },
      2,
    ],
    [
      'that of Ozone 2.1, which has no --get-report',
      {
        [report]: { err: "Unknown option: '--get-report'\n" },
        [`snapshot diff --json -p 1 ${source} snap-1 snap-2`]: { out: diffReport('snap-1', 'snap-2', 'DONE') },
      },
      { status: 'done', empty: false },
      2,
    ],
    [
      'that of Ozone 2.1, where a usage error ends with 2',
      {
        [report]: { err: "Unknown option: '--get-report'\n", exit: 2 },
        [`snapshot diff --json -p 1 ${source} snap-1 snap-2`]: { out: diffReport('snap-1', 'snap-2', 'IN_PROGRESS') },
      },
      { status: 'pending', empty: null },
      2,
    ],
  ];
  it.each(rows)('reports %s', async (_sentence, answers, data, jvms) => {
    const { exit, reply } = await run(answers, 'diff', parameters);
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: jvms, data });
    expect(exit).toBe(0);
  });

  const refused: readonly (readonly [sentence: string, answers: Answers, outcome: string, code: string])[] = [
    [
      'a base that is gone',
      { [report]: { err: "FILE_NOT_FOUND Snapshot '/vol/bkt/snap-1' is not found.\n", exit: 255 } },
      'refused',
      'base-missing',
    ],
    [
      'a base that is deleted',
      {
        [report]: {
          err: "FILE_NOT_FOUND Unable to load snapshot. Snapshot with table key '/vol/bkt/snap-1' is no longer active\n",
          exit: 255,
        },
      },
      'refused',
      'base-missing',
    ],
    [
      'a target that is gone',
      { [report]: { err: "FILE_NOT_FOUND Snapshot '/vol/bkt/snap-2' is not found.\n", exit: 255 } },
      'refused',
      'target-missing',
    ],
    [
      'a bucket that is gone',
      { [report]: { err: 'BUCKET_NOT_FOUND Bucket not found: vol/bkt\n', exit: 255 } },
      'refused',
      'source-missing',
    ],
    [
      'a snapshot that is not flushed yet',
      { [report]: { err: 'TIMEOUT Unable to load snapshot. It has not been flushed yet. Please wait\n', exit: 255 } },
      'refused',
      'not-flushed',
    ],
    [
      'a report that is cut short',
      { [report]: { out: diffReport('snap-1', 'snap-2', 'DONE').slice(0, 200) } },
      'refused',
      'unreadable',
    ],
    [
      'a report on other snapshots',
      { [report]: { out: diffReport('snap-0', 'snap-2', 'DONE') } },
      'refused',
      'unreadable',
    ],
    [
      'a report without a status',
      { [report]: { out: diffReport('snap-1', 'snap-2', 'DONE').replace('jobStatus', 'state') } },
      'refused',
      'unreadable',
    ],
    [
      'a text instead of a report',
      { [report]: { out: 'Difference between snapshot: snap-1 and snapshot: snap-2\n' } },
      'refused',
      'unreadable',
    ],
    ['a source that does not answer', { [report]: down }, 'unreachable', 'connection'],
  ];
  it.each(refused)('does not guess with %s', async (_sentence, answers, outcome, code) => {
    const { exit, reply } = await run(answers, 'diff', parameters);
    expect([reply.outcome, reply.code, reply.data, exit]).toEqual([
      outcome,
      code,
      null,
      outcome === 'refused' ? 10 : 12,
    ]);
  });
});
