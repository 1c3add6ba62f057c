import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { type Answer, EdgeHost, ended, operationId, type Variables } from './edge-host.ts';
import { aclList, bucketInfo, snapshotInfo, snapshotList } from './ozone-output.ts';
import { appears, aSlowHost, copying, lives, resync } from './slow-host.ts';

// Each waits for child processes, and for those of the others.
vi.setConfig({ testTimeout: 60_000 });

/** A ticket is a file with the principal and its end. It is good for `seconds`. */
const kinit = (seconds: number): string => `log "$*"
principal=\${!#}
while [ $# -gt 1 ]; do [ "$1" = -c ] && cache=\${2#FILE:}; shift; done
{ echo "$principal"; date -d '+${seconds} seconds' +%s; } >"$cache"`;

/** Prints as MIT's, for which a ticket is over at its end, whatever the clock skew. */
const klist = `file=\${KRB5CCNAME#FILE:}
[ -s "$file" ] || { echo "klist: No credentials cache found (filename: $file)" >&2; exit 1; }
{ read -r principal; read -r until; } <"$file"
if [ "$1" = -s ]; then [ "$until" -gt "$(date +%s)" ]; exit; fi
printf 'Ticket cache: %s\\nDefault principal: %s\\n\\n' "$KRB5CCNAME" "$principal"
echo 'Valid starting       Expires              Service principal'
echo "01/01/2020 00:00:00  $(date -d "@$until" '+%m/%d/%Y %H:%M:%S')  krbtgt/EXAMPLE.ORG@EXAMPLE.ORG"`;

const keytabs = ['observe', 'protect', 'destroy', 'restore'].map(
  (radius) =>
    [
      [`principal_${radius}`, `odr-${radius}@EXAMPLE.ORG`],
      [`keytab_${radius}`, `/keys/${radius}`],
    ] as const,
);

/** The host's configuration, with these keys too. */
const configure = (host: EdgeHost, more: Readonly<Record<string, string>>): void =>
  host.configure(
    Object.entries({ path: host.file('bin'), state: host.state, client_attempts: '3', client_wait_ms: '200', ...more })
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );

/** With a keytab for each document; its programs note in `seen` whose ticket they find, and where. */
const secured = (more: Readonly<Record<string, string>> = {}, host = new EdgeHost(), seconds = 36_000): EdgeHost => {
  configure(host, { ...Object.fromEntries(keytabs.flat()), ...more });
  host.program('kinit', kinit(seconds));
  host.program('klist', klist);
  return host;
};

const answers = (bucket: string): Readonly<Record<string, Answer>> => ({
  [`bucket info o3://${bucket}`]: { out: bucketInfo() },
  [`snapshot list --all o3://${bucket}`]: { out: snapshotList(['s-1', 1]) },
  [`bucket getacl o3://${bucket}`]: { out: aclList(['USER', 'root', 'ACCESS', 'ALL']) },
});
const both = { ...answers('prod/vol/bkt'), ...answers('dr/vol/bkt') };

/** Before the program of that name runs, it notes what of Kerberos is in its environment. */
const noting = (host: EdgeHost, name: string): void => {
  const file = host.file('bin', name);
  writeFileSync(host.file('bin', `${name}.real`), readFileSync(file, 'utf8'), { mode: 0o755 });
  writeFileSync(
    file,
    `#!/bin/bash
{ echo "$KRB5CCNAME|$KRB5_CONFIG|$OZONE_OPTS|$HADOOP_OPTS|$(head -n 1 "\${KRB5CCNAME#FILE:}" 2>/dev/null)"; } >>${host.file('seen')}
exec "$0.real" "$@"\n`,
    { mode: 0o755 },
  );
};
const seen = (host: EdgeHost): readonly string[] => readFileSync(host.file('seen'), 'utf8').trimEnd().split('\n');

const scratch = (host: EdgeHost, operation = operationId()): string =>
  host.file('state', 'operations', operation, 'scratch');

/** Processes that work in the folder of an operation, its script among them, and are called so. */
const working = (host: EdgeHost, called = /./): readonly number[] => {
  const operations = realpathSync(host.file('state', 'operations'));
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return (
          pid > 0 &&
          lives(pid) &&
          readlinkSync(`/proc/${pid}/cwd`).startsWith(operations) &&
          called.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
        );
      } catch {
        return false;
      }
    });
};

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await sleep(20);
};

/** A ready-made cache with a ticket that ends then, seconds from now. */
const cache = (host: EdgeHost, seconds: number): string => {
  const file = host.file('cache');
  writeFileSync(file, `timer@EXAMPLE.ORG\n${Math.floor(Date.now() / 1000) + seconds}\n`);
  return file;
};

describe.concurrent('a ticket from a keytab', () => {
  it('is taken before any JVM, for this operation alone, and gone after it', async () => {
    const host = secured({ krb5_conf: '/etc/other/krb5.conf' });
    host.ozone(both);
    noting(host, 'ozone');
    const { reply } = await host.run('survey');
    expect(reply.outcome).toBe('ok');
    const file = `FILE:${scratch(host)}/ticket`;
    expect(host.calls('kinit')).toEqual([`-k -t /keys/observe -c ${file}.new odr-observe@EXAMPLE.ORG`]);
    const java = '-Djava.net.preferIPv4Stack=true -Djava.security.krb5.conf=/etc/other/krb5.conf';
    expect(seen(host)).toEqual([`${file}|/etc/other/krb5.conf|${java}|${java}|odr-observe@EXAMPLE.ORG`]);
    expect(existsSync(scratch(host))).toBe(false);
    expect(working(host)).toEqual([]);
  });

  it('is that of the document', async () => {
    const host = secured();
    host.ozone({
      'snapshot create o3://prod/vol/bkt s-1': {},
      'snapshot info o3://prod/vol/bkt s-1': { out: snapshotInfo('s-1', 1) },
    });
    noting(host, 'ozone');
    const snapshot = (operation: string, document: string) =>
      host.run('snapshot', { operation, target: 's-1', replica: '' }, document);
    await snapshot(operationId(1), 'protect');
    await snapshot(operationId(2), 'restore');
    expect(seen(host).map((line) => line.split('|')[4])).toEqual([
      'odr-protect@EXAMPLE.ORG',
      'odr-restore@EXAMPLE.ORG',
    ]);
  });

  it('is one for all members of a batch, and for its starts', async () => {
    const host = secured();
    host.ozone({ ...both, ...answers('prod/vol/two'), ...answers('dr/vol/two') });
    noting(host, 'ozone');
    const members = ['bkt', 'two'].map((bucket, n) => `${operationId(n + 2)}|vol/${bucket}||||||||`);
    const { reply } = await host.run('survey', { source: 'prod', replica: 'dr', batch: members.join(';') });
    expect(reply.message).toBe('');
    expect(reply.data.replies).toMatchObject([{ outcome: 'ok' }, { outcome: 'ok' }]);
    expect(host.calls('kinit')).toHaveLength(1);
    expect(seen(host).map((line) => line.split('|')[4])).toEqual(['odr-observe@EXAMPLE.ORG']);
    expect(existsSync(scratch(host))).toBe(false);
    expect(working(host)).toEqual([]);
  });

  it('is not taken for an answer that is there, nor by a probe', async () => {
    const host = secured();
    host.ozone(both);
    const first = await host.run('survey');
    const second = await host.run('survey');
    expect(second.stdout).toBe(first.stdout);
    await host.run('probe', { operation: operationId(2), probed: operationId(), source: '', replica: '' });
    expect(host.calls('kinit')).toHaveLength(1);
  });

  it('is not seen by hooks', async () => {
    const host = secured();
    host.ozone({
      'snapshot create o3://prod/vol/bkt s-1': {},
      'snapshot info o3://prod/vol/bkt s-1': { out: snapshotInfo('s-1', 1) },
    });
    writeFileSync(host.file('freeze'), `#!/bin/bash\nenv\n`, { mode: 0o755 });
    configure(host, {
      ...Object.fromEntries(keytabs.flat()),
      krb5_conf: '/etc/krb5.conf',
      hook_freeze: host.file('freeze'),
    });
    const { reply } = await host.run('snapshot', {
      target: 's-1',
      replica: '',
      policy: 'nightly',
      hookBefore: 'freeze:30:yes',
    });
    expect(reply.data.hooks[0].output).toContain('OZONE_DR_PHASE=before');
    expect(reply.data.hooks[0].output).not.toMatch(/KRB5|ticket|_OPTS/);
  });
});

describe.concurrent('a long copy', () => {
  const aSlowSecuredHost = (seconds = 4): EdgeHost => secured({}, aSlowHost(), seconds);
  const renewed = (host: EdgeHost, times: number) => until(() => host.calls('kinit').length > times);
  const go = (host: EdgeHost): void => writeFileSync(host.file('go'), '');

  it('has its ticket renewed at half of its life, under the name that its programs know', async () => {
    const host = aSlowSecuredHost();
    const running = ended(host.start('replicate', resync));
    await copying(host);
    await renewed(host, 3);
    const [, end] = readFileSync(`${scratch(host)}/ticket`, 'utf8').split('\n');
    expect(Number(end) * 1000).toBeGreaterThan(Date.now());
    go(host);
    expect((await running).reply.outcome).toBe('ok');
    expect(existsSync(scratch(host))).toBe(false);
    expect(working(host)).toEqual([]);
  });

  it('has it renewed too when it is detached, and until its end', async () => {
    const host = aSlowSecuredHost();
    const { reply } = await host.run('replicate', { ...resync, detached: 'yes' });
    expect(reply.data.detached).toBe(true);
    await copying(host);
    await renewed(host, 3);
    expect(existsSync(`${scratch(host)}/ticket`)).toBe(true);
    go(host);
    await appears(host.file('state', 'operations', operationId(), 'result'));
    await until(() => working(host).length === 0);
    expect(existsSync(scratch(host))).toBe(false);
  });

  it('goes on when a renewal fails, which is tried again', async () => {
    const host = aSlowSecuredHost();
    const running = ended(host.start('replicate', resync));
    await copying(host);
    host.program('kinit', 'log "$*"; exit 1');
    const before = host.calls('kinit').length;
    await renewed(host, before + 1);
    host.program('kinit', kinit(4));
    go(host);
    expect((await running).reply.outcome).toBe('ok');
  });

  it('whose script is killed leaves nobody who renews, while distcp lives on', async () => {
    const host = aSlowSecuredHost();
    const script = host.start('replicate', resync);
    const distcp = await copying(host);
    await renewed(host, 1);
    script.kill('SIGKILL');
    await until(() => working(host, /document-|kinit/).length === 0);
    const calls = host.calls('kinit').length;
    await sleep(3000);
    expect([host.calls('kinit').length, lives(distcp)]).toEqual([calls, true]);
    go(host);
    await until(() => working(host).length === 0);
  });

  it('that is cancelled ends who renews, while a KDC does not answer too', async () => {
    const host = aSlowSecuredHost();
    const script = host.start('replicate', resync);
    await copying(host);
    host.program('kinit', `log "$*"; echo >>${host.file('hangs')}; exec sleep 60`);
    await appears(host.file('hangs'));
    const answer = ended(script);
    script.kill('SIGTERM');
    expect((await answer).reply).toMatchObject({ outcome: 'interrupted', code: 'cancelled' });
    await until(() => working(host).length === 0);
    expect(existsSync(scratch(host))).toBe(false);
  });

  it('leaves its lock to nobody', async () => {
    const host = aSlowSecuredHost();
    const script = host.start('replicate', resync);
    const distcp = await copying(host);
    script.kill('SIGKILL');
    process.kill(distcp);
    go(host);
    const again = await host.run('replicate', { ...resync, operation: operationId(2) });
    expect(again.reply.code).not.toBe('bucket-busy');
  });
});

describe.concurrent('no ticket', () => {
  const saying = (text: string, exit = 1): string => `log "$*"; echo "kinit: ${text}" >&2; exit ${exit}`;
  it.each([
    [
      'a keytab of somebody else',
      saying('Keytab contains no suitable keys for odr@X while getting initial credentials'),
      'refused',
      'no-ticket',
      10,
    ],
    [
      'no keytab',
      saying("Key table file '/keys/observe' not found while getting initial credentials"),
      'refused',
      'no-ticket',
      10,
    ],
    [
      'a principal that nobody knows',
      saying("Client 'odr@X' not found in Kerberos database"),
      'refused',
      'no-ticket',
      10,
    ],
    [
      'a KDC that is down',
      saying("Cannot contact any KDC for realm 'X' while getting initial credentials"),
      'unreachable',
      'no-kdc',
      12,
    ],
    ['a KDC that does not answer', 'log "$*"; exec sleep 60', 'unreachable', 'no-kdc', 12],
  ])('is said of %s before any JVM', async (_, program, outcome, code, exit) => {
    const host = secured();
    host.ozone(both);
    host.program('kinit', program);
    const run = await host.run('survey');
    expect([run.reply.outcome, run.reply.code, run.reply.jvmStarts, run.exit]).toEqual([outcome, code, 0, exit]);
    expect(run.reply.message).toContain('kinit -k -t /keys/observe odr-observe@EXAMPLE.ORG');
    expect(host.calls('ozone')).toEqual([]);
    expect(working(host)).toEqual([]);
    expect(run.reply.endedAt - run.reply.startedAt).toBeLessThan(30_000);
  });

  it('is asked for before hooks run and a fence is used up', async () => {
    const host = secured({}, aSlowHost());
    host.program('kinit', saying('Keytab contains no suitable keys'));
    const { reply } = await host.run('replicate', resync);
    expect(reply).toMatchObject({ outcome: 'refused', code: 'no-ticket' });
    expect(existsSync(host.file('state', 'buckets', 'dr+vol+bkt', 'fence'))).toBe(false);
  });

  it.each([
    ['a keytab without a principal', { keytab_observe: '/keys/observe', principal_observe: '' }],
    ['a keytab and a ready-made ticket', { ...Object.fromEntries(keytabs.flat()), ticket_observe: '/run/ticket' }],
  ])('%s is no configuration', async (_, keys) => {
    const host = new EdgeHost();
    configure(host, Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== '')));
    const { reply, exit } = await host.run('survey');
    expect([reply.outcome, reply.code, exit]).toEqual(['refused', 'environment', 14]);
  });

  it('a host with a keytab and without kinit is not set up', async () => {
    const host = secured();
    rmSync(host.file('bin', 'kinit'));
    host.systemPath = host.file('system');
    mkdirSync(host.systemPath);
    for (const from of ['/usr/sbin', '/usr/bin', '/sbin', '/bin'])
      for (const name of existsSync(from) ? readdirSync(from) : [])
        if (name !== 'kinit' && !existsSync(host.file('system', name)))
          symlinkSync(join(from, name), host.file('system', name));
    const { reply } = await host.run('survey');
    expect([reply.outcome, reply.code]).toEqual(['refused', 'environment']);
    expect(reply.message).toMatch(/^kinit is not on PATH/);
  });
});

describe.concurrent('a ticket that somebody else keeps fresh', () => {
  it.each([
    ['is used as it is', 600, 'ok', ''],
    ['is used within the clock skew after its end', -100, 'ok', ''],
    ['is refused later', -400, 'refused', 'no-ticket'],
    ['is refused when there is none', null, 'refused', 'no-ticket'],
  ] as const)('%s', async (_, seconds, outcome, code) => {
    const host = new EdgeHost();
    const file = seconds === null ? host.file('cache') : cache(host, seconds);
    configure(host, { ticket_observe: file });
    host.program('klist', klist);
    host.program('kinit', kinit(600));
    host.ozone(both);
    noting(host, 'ozone');
    const { reply } = await host.run('survey');
    expect([reply.outcome, reply.code]).toEqual([outcome, code]);
    if (outcome === 'ok') expect(seen(host)[0]).toMatch(new RegExp(`^FILE:${file}\\|`));
    else expect([reply.jvmStarts, reply.message]).toEqual([0, expect.stringContaining(`klist -c ${file}`)]);
    expect(host.calls('kinit')).toEqual([]);
    expect(existsSync(file)).toBe(seconds !== null);
  });
});

describe.concurrent('a copy', () => {
  const renewer = (host: EdgeHost) =>
    host.calls('hadoop').map((line) => /yarn\.resourcemanager\.principal=(\S+)/.exec(line)?.[1]);
  const copied = async (host: EdgeHost, more: Variables = {}) => {
    writeFileSync(host.file('go'), '');
    return (await host.run('replicate', { ...resync, ...more })).reply;
  };

  it('names its own principal as the renewer of its tokens', async () => {
    const host = secured({}, aSlowHost());
    expect((await copied(host)).outcome).toBe('ok');
    expect(renewer(host)).toEqual(['odr-protect@EXAMPLE.ORG']);
    // Behind a flag of its own distcp takes a -D as a path.
    const [copy] = host.calls('hadoop').filter((call) => call.startsWith('distcp '));
    expect(copy).toMatch(/^distcp( -D \S+)+( -(?!D)\S+( \d+)?)+ ofs:/);
  });

  it('names the one of YARN where the host knows it', async () => {
    const host = secured({ yarn_principal: 'rm/_HOST@EXAMPLE.ORG' }, aSlowHost());
    await copied(host);
    expect(renewer(host)).toEqual(['rm/_HOST@EXAMPLE.ORG']);
  });

  it('names the one of a ready-made ticket', async () => {
    const host = aSlowHost();
    configure(host, { ticket_protect: cache(host, 600) });
    host.program('klist', klist);
    await copied(host);
    expect(renewer(host)).toEqual(['timer@EXAMPLE.ORG']);
  });

  it('names none without Kerberos, and asks for no ticket', async () => {
    const host = aSlowHost();
    host.program('kinit', kinit(600));
    noting(host, 'hadoop');
    expect((await copied(host)).outcome).toBe('ok');
    expect(renewer(host)).toEqual([undefined]);
    expect(seen(host)).toEqual(['||||']);
    expect(host.calls('kinit')).toEqual([]);
  });

  const denied = "Invalid arguments: User x doesn't have READ permission to access bucket Volume:vol Bucket:bkt";
  it.each([
    ['may not read', `echo "${denied}"; exit 255`, 'permission-denied'],
    [
      'may not make snapshots',
      'echo "java.io.IOException: PERMISSION_DENIED Only bucket owners"; exit 25',
      'permission-denied',
    ],
    [
      'has no ticket any more',
      'echo "AccessControlException: Client cannot authenticate via:[TOKEN, KERBEROS]"; exit 255',
      'no-ticket',
    ],
    [
      'finds no KDC',
      'echo "GSS initiate failed [Caused by GSSException: No valid credentials provided (Mechanism level: Connection refused)]"; exit 255',
      'no-kdc',
    ],
    ['fails', 'echo "out of memory"; exit 255', 'copy-failed'],
  ])('that %s says so', async (_, body, code) => {
    const host = aSlowHost();
    host.hadoop(body);
    const reply = await copied(host);
    expect([reply.outcome, reply.code]).toEqual(['failed', code]);
    expect(reply.message).toMatch(/^distcp ended with exit code /);
  });
});

describe.concurrent('what Java says', () => {
  const first = 'bucket info o3://prod/vol/bkt';
  it.each([
    [
      'org.apache.hadoop.security.AccessControlException: Client cannot authenticate via:[TOKEN, KERBEROS]',
      'denied',
      'no-ticket',
    ],
    [
      'javax.security.sasl.SaslException: GSS initiate failed [Caused by GSSException: No valid credentials provided (Mechanism level: Clock skew too great (37))]',
      'denied',
      'no-ticket',
    ],
    [
      'javax.security.sasl.SaslException: GSS initiate failed [Caused by GSSException: No valid credentials provided (Mechanism level: Connection refused)]',
      'unreachable',
      'no-kdc',
    ],
    [
      "PERMISSION_DENIED User x doesn't have READ permission to access bucket Volume:vol Bucket:bkt",
      'denied',
      'permission-denied',
    ],
    [
      "ls: User x doesn't have READ permission to access key Volume:vol Bucket:bkt Key:a",
      'denied',
      'permission-denied',
    ],
  ])('%s', async (err, state, code) => {
    const host = new EdgeHost();
    host.ozone({ ...both, [first]: { err, exit: 255 } });
    const { reply } = await host.run('survey');
    expect(reply.data.source).toMatchObject({ state, code });
  });
});
