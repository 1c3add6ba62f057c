import { describe, expect, it } from 'vitest';
import { type Answers, EdgeHost, type Variables } from './edge-host.ts';
import { bucketInfo } from './ozone-output.ts';

const bucket = 'o3://dr/vol/bkt';
const info = { [`bucket info ${bucket}`]: { out: bucketInfo() } };
const plain = `bucket create -l LEGACY ${bucket}`;
const failing = (err: string) => ({ err: `${err}\n`, exit: 255 });

const run = async (answers: Answers, parameters: Variables = {}) => {
  const host = new EdgeHost();
  host.ozone(answers);
  const { exit, reply } = await host.run('create-bucket', { source: '', layout: 'LEGACY', ...parameters });
  return { exit, reply, commands: host.calls('ozone').map((call) => call.replace(/.*?--execute /, '')) };
};

describe.concurrent('create-bucket', () => {
  it('creates the bucket and reads it back in one JVM', async () => {
    const { exit, reply } = await run({ [plain]: {}, ...info });
    expect([reply.outcome, reply.jvmStarts, exit]).toEqual(['ok', 1, 0]);
    expect(reply.data).toEqual({
      created: true,
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
        acls: null,
      },
    });
  });

  it('gives it all that was asked for', async () => {
    const asked = `bucket create -l FILE_SYSTEM_OPTIMIZED -t EC -r rs-3-2-1024k --space-quota 90 --namespace-quota 8 -k key-1 ${bucket}`;
    const { reply, commands } = await run(
      { [asked]: {}, ...info },
      {
        layout: 'FILE_SYSTEM_OPTIMIZED',
        replication: 'EC/rs-3-2-1024k',
        quotaBytes: '090',
        quotaNamespace: '8',
        encryptionKey: 'key-1',
      },
    );
    expect(reply.outcome).toBe('ok');
    expect(commands).toEqual([`${asked} --execute bucket info ${bucket}`]);
  });

  it('reads the one that is there', async () => {
    const { reply } = await run({ [plain]: failing('BUCKET_ALREADY_EXISTS Bucket already exist'), ...info });
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 2, data: { created: false, bucket: { owner: 'root' } } });
  });

  it('creates a volume that is missing', async () => {
    const host = new EdgeHost();
    const marker = host.file('volume');
    host.program(
      'ozone',
      `[[ $* == *'volume create o3://dr/vol '* ]] && touch ${marker}
if [[ ! -e ${marker} ]]; then echo '${plain}'; echo 'VOLUME_NOT_FOUND Volume vol is not found' >&2; exit 255; fi
echo 'volume create o3://dr/vol'; echo; echo '${plain}'; echo; echo 'bucket info ${bucket}'; printf '%s' '${bucketInfo()}'`,
    );
    const { reply } = await host.run('create-bucket', { source: '', layout: 'LEGACY' });
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 2, data: { created: true } });
  });

  const failures: readonly (readonly [sentence: string, answers: Answers, outcome: string, code: string])[] = [
    ['no right', { [plain]: failing('PERMISSION_DENIED x') }, 'refused', 'permission-denied'],
    ['a cluster that does not answer', { [plain]: failing('Connection refused') }, 'unreachable', 'connection'],
    ['a time limit', { [plain]: { exit: 124 } }, 'failed', 'create-failed'],
    [
      'a key without a KMS',
      { [plain]: failing('INVALID_KMS_PROVIDER Invalid KMS provider') },
      'failed',
      'create-failed',
    ],
    [
      'a bucket that is gone at once',
      { [plain]: {}, [`bucket info ${bucket}`]: failing('BUCKET_NOT_FOUND x') },
      'failed',
      'create-failed',
    ],
    [
      'an answer that is cut short',
      { [plain]: {}, [`bucket info ${bucket}`]: { out: bucketInfo().slice(0, 99) } },
      'failed',
      'unreadable',
    ],
  ];
  it.each(failures)('tells %s', async (_sentence, answers, outcome, code) => {
    const { reply } = await run(answers);
    expect([reply.outcome, reply.code, reply.data]).toEqual([outcome, code, null]);
  });

  it('with Kerberos lets the other identities of this host read what is written there, and no stranger', async () => {
    const host = new EdgeHost();
    const keys = [
      ...['observe', 'protect', 'destroy', 'restore'].map((radius) => `keytab_${radius}=/keys/${radius}`),
      ...['principal_observe=odr-observe@EXAMPLE.ORG', 'principal_restore=odr-restore/host-1@EXAMPLE.ORG'],
      ...['principal_protect=odr-replica@EXAMPLE.ORG', 'principal_destroy=odr-replica@EXAMPLE.ORG'],
    ];
    host.configure([`path=${host.file('bin')}`, `state=${host.state}`, ...keys, ''].join('\n'));
    host.program('kinit', 'while [ "$1" != -c ]; do shift; done; : >"$(echo "$2" | cut -d: -f2)"');
    host.program('klist', 'exit 1');
    const readers = ['observe', 'restore'].map((name) => `user:odr-${name}:rl,user:odr-${name}:rl[DEFAULT]`).join(',');
    host.ozone({ [plain]: {}, [`bucket addacl -a ${readers} ${bucket}`]: {}, ...info });
    const { reply } = await host.run('create-bucket', { source: '', layout: 'LEGACY' });
    expect(reply).toMatchObject({ outcome: 'ok', jvmStarts: 1, data: { created: true } });
  });

  it.each([
    ['without a layout', { layout: '' }],
    ['without a bucket', { replica: '' }],
  ])('is refused %s', async (_sentence, parameters) => {
    expect((await run({}, parameters)).reply).toMatchObject({ outcome: 'refused', code: 'bad-parameter' });
  });
});
