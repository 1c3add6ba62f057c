import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { documentOf, EdgeHost, ended, operationId, type Variables } from './edge-host.ts';
import { aclList, bucketInfo, id, snapshotList } from './ozone-output.ts';

const replicate: Variables = {
  mode: 'resync',
  target: 'snap-2',
  targetId: id(2),
  replicaCreated: '2026-11-20T18:22:04.605Z',
  fence: '7',
};
const incremental: Variables = {
  ...replicate,
  mode: 'incremental',
  base: 'snap-1',
  baseSourceId: id(1),
  baseReplicaId: id(11),
};
const restore: Variables = {
  target: 'snap-2',
  targetId: id(2),
  overwrite: 'never',
  targetCreated: '2026-11-20T18:22:04.605Z',
  fence: '7',
};
const overwriting: Variables = { ...restore, overwrite: 'always' };
const since: Variables = { since: 'snap-1', sinceId: id(1) };
const restricted = { replica: 'dr/vol/bkt', targetCreated: '2026-11-20T18:22:04.605Z' };
const divergence: Variables = {
  base: 'snap-1',
  baseSourceId: id(1),
  target: 'snap-2',
  targetId: id(2),
  since: 'odr-failover-1',
  sinceId: id(3),
};
const hash = 'ab'.repeat(32);
const url = `https://records.s3.eu-west-1.amazonaws.com/selections/${hash}?X-Amz-Signature=ab`;
const verify: Variables = { target: 'snap-2', targetId: id(2), sealId: id(12) };
const pwned = '$(touch /tmp/pwned)';
/** Of a batch. */
const services: Variables = { source: 'prod', replica: 'dr' };
const line = `${operationId(2)}|vol/bkt||||||||`;

describe.concurrent('a parameter that does not fit is refused before anything runs', () => {
  const rows: readonly (readonly [sentence: string, verb: string, parameters: Variables])[] = [
    ['a source with a command substitution', 'survey', { source: `prod/vol/${pwned}` }],
    ['a source with backticks', 'survey', { source: 'prod/vol/`id`' }],
    ['a source with a blank', 'survey', { source: 'prod/vol/bkt x' }],
    ['a source with a second line', 'survey', { source: 'prod/vol/bkt\nprod/vol/other' }],
    ['a source that ends in a newline', 'survey', { source: 'prod/vol/bkt\n' }],
    ['a source that starts like an option', 'survey', { source: '-D/vol/bkt' }],
    ['a bucket that starts like an option', 'survey', { source: 'prod/vol/--execute' }],
    ['a source that leaves its volume', 'survey', { source: 'prod/../bkt' }],
    ['a source without a bucket', 'survey', { source: 'prod/vol' }],
    ['a source with a key', 'survey', { source: 'prod/vol/bkt/key' }],
    ['a source with a quote', 'survey', { source: 'prod/vol/b"k"t' }],
    ['an empty source where one is needed', 'survey', { source: '' }],
    ['a replica with a semicolon', 'survey', { replica: 'dr/vol/bkt;id' }],
    ['a port of one digit', 'survey', { source: 'prod:1/vol/bkt' }],
    ['a snapshot name with an underscore', 'snapshot', { target: 'snap_2' }],
    ['a snapshot name in upper case', 'snapshot', { target: 'SNAP' }],
    ['a snapshot name like an option', 'snapshot', { target: '-delete' }],
    ['a snapshot name with a command substitution', 'snapshot', { target: pwned }],
    ['a snapshot name with a newline inside', 'snapshot', { target: 'snap\nsnap' }],
    ['no snapshot name', 'snapshot', { target: '' }],
    ['a base with a blank', 'snapshot', { target: 'snap-2', base: 'snap 1' }],
    ['a base that is the target', 'diff', { base: 'snap-2', target: 'snap-2' }],
    ['a diff without a base', 'diff', { target: 'snap-2' }],
    ['an operation id in upper case', 'survey', { operation: `op-${'A'.repeat(24)}-001` }],
    ['an operation id with a path', 'survey', { operation: `op-../../../../../../etc/x-001` }],
    ['an operation id with a newline', 'survey', { operation: `op-${'a'.repeat(24)}-001\n` }],
    ['a verb with a blank', 'survey now', {}],
    ['a verb that is a shell function of the script', 'read_parameters', {}],
    ['an id that is no UUID', 'replicate', { ...replicate, targetId: 'abc' }],
    ['an id with a newline', 'replicate', { ...replicate, targetId: `${id(2)}\n` }],
    ['no id of the target', 'replicate', { ...replicate, targetId: '' }],
    ['a creation time with a blank', 'replicate', { ...replicate, replicaCreated: '2026-11-20 18:22:04' }],
    ['no creation time of an enrolled replica', 'replicate', { ...replicate, replicaCreated: '' }],
    ['a mode that does not exist', 'replicate', { ...replicate, mode: 'overwrite' }],
    ['no mode', 'replicate', { ...replicate, mode: '' }],
    ['empty neither yes nor no', 'replicate', { ...replicate, empty: 'YES' }],
    ['a fence that is no number', 'replicate', { ...replicate, fence: 'x' }],
    ['a negative fence', 'replicate', { ...replicate, fence: '-1' }],
    ['no fence for a copy', 'replicate', { ...replicate, fence: '0' }],
    ['an arithmetic expression as fence', 'replicate', { ...replicate, fence: 'a[$(id)]' }],
    ['fenceSeed empty', 'replicate', { ...replicate, fenceSeed: '' }],
    ['a time limit with a unit', 'replicate', { ...replicate, copySeconds: '60s' }],
    ['no time limit', 'replicate', { ...replicate, copySeconds: '0' }],
    ['no maps', 'replicate', { ...replicate, maps: '0' }],
    ['a bandwidth with a blank', 'replicate', { ...replicate, bandwidth: '1 -overwrite' }],
    ['an execution timeout with a blank', 'survey', { executionTimeout: '60 ' }],
    ['a copy of a bucket onto itself', 'replicate', { ...replicate, replica: 'prod/vol/bkt' }],
    ['an increment without a base', 'replicate', { ...incremental, base: '' }],
    ['an increment without the id of the source base', 'replicate', { ...incremental, baseSourceId: '' }],
    ['an increment without the id of the replica base', 'replicate', { ...incremental, baseReplicaId: '' }],
    ['a narrowed increment', 'replicate', { ...incremental, narrow: `odr-tmp-1=${id(4)}` }],
    ['a narrowed resync without a base', 'replicate', { ...replicate, narrow: `odr-tmp-1=${id(4)}` }],
    [
      'a narrowed resync by a recovery point',
      'replicate',
      { ...incremental, mode: 'resync', narrow: `snap-3=${id(4)}` },
    ],
    ['a verification without the id of the seal', 'verify', { target: 'snap-2', targetId: id(2), level: 'full' }],
    ['a verification without a level', 'verify', { ...verify, level: '' }],
    ['a rolling verification without a part', 'verify', { ...verify, level: 'rolling', parts: '4' }],
    ['a part beyond the parts', 'verify', { ...verify, level: 'rolling', part: '5', parts: '4' }],
    ['a verification since a base without its id', 'verify', { ...verify, level: 'changed', base: 'snap-1' }],
    ['a level that does not exist', 'survey', { level: 'all' }],
    ['a part that is no number', 'survey', { part: '1/4' }],
    ['parts with a blank', 'survey', { parts: '4 ' }],
    ['a brake that is negative', 'replicate', { ...replicate, brake: '-1' }],
    ['a superseded operation with a path', 'replicate', { ...replicate, supersedes: '../op' }],
    ['detached neither yes nor no', 'replicate', { ...replicate, detached: '' }],
    ['a probed operation with a path', 'survey', { probed: 'op-../../etc' }],
    ['an object store as layout', 'survey', { layout: 'OBJECT_STORE' }],
    ['a replication with a blank', 'survey', { replication: 'RATIS/ONE -k x' }],
    ['a quota with a unit', 'survey', { quotaBytes: '5GB' }],
    ['a quota of names that is no number', 'survey', { quotaNamespace: 'x' }],
    ['a selection that is no hash', 'survey', { selection: 'abc' }],
    ['a selection without its URL', 'restore', { ...restore, selection: hash }],
    ['a URL without its selection', 'examine', { ...restore, selectionUrl: url }],
    ['a URL with a quote, which would end it', 'restore', { ...restore, selection: hash, selectionUrl: `${url}"` }],
    ['a URL with a second line', 'restore', { ...restore, selection: hash, selectionUrl: `${url}\noutput=/x` }],
    ['a URL of a file', 'restore', { ...restore, selection: hash, selectionUrl: 'file:///etc/passwd' }],
    ['a URL with a password', 'restore', { ...restore, selection: hash, selectionUrl: 'https://a:b@c/d' }],
    ['a URL that is too long', 'restore', { ...restore, selection: hash, selectionUrl: `${url}${'0'.repeat(8000)}` }],
    [
      'changes since a snapshot and a selection',
      'examine',
      { ...restore, ...since, selection: hash, selectionUrl: url },
    ],
    ['changes since a snapshot without its id', 'compare', { ...restore, level: 'full', ...since, sinceId: '' }],
    ['changes since a snapshot, deleting the rest', 'restore', { ...overwriting, ...since, deleteExtra: 'yes' }],
    ['a snapshot with a blank', 'examine', { ...restore, ...since, since: 'odr-a b' }],
    ['a divergence without what the replica was', 'divergence', { ...divergence, since: '' }],
    ['a divergence without the id of the base', 'divergence', { ...divergence, baseSourceId: '' }],
    ['an overwrite that does not exist', 'restore', { ...restore, overwrite: 'yes' }],
    ['no overwrite', 'restore', { ...restore, overwrite: '' }],
    ['no creation time of the target', 'restore', { ...restore, targetCreated: '' }],
    ['a creation time of the target with a blank', 'restore', { ...restore, targetCreated: '2026-11-20 18:22:04' }],
    ['no fence for a restore', 'restore', { ...restore, fence: '0' }],
    ['no time limit of a restore', 'restore', { ...restore, copySeconds: '0' }],
    ['no maps for a restore', 'restore', { ...restore, maps: '0' }],
    ['deleting without overwriting', 'restore', { ...restore, deleteExtra: 'yes' }],
    ['deleteExtra neither yes nor no', 'restore', { ...restore, deleteExtra: '' }],
    ['exact neither yes nor no', 'compare', { ...restore, level: 'full', exact: 'maybe' }],
    ['a comparison without a level', 'compare', { ...restore, level: '' }],
    ['a comparison at a level of verify', 'compare', { ...restore, level: 'changed' }],
    ['an examination without the id of the point', 'examine', { ...restore, targetId: '' }],
    ['an ACL with a blank', 'restrict', { ...restricted, acls: 'user:bob:rl o3://prod/vol/other' }],
    ['an ACL with a quote', 'restrict', { ...restricted, acls: "user:b'ob:rl" }],
    ['an ACL of an unknown right', 'restrict', { ...restricted, acls: 'user:bob:q' }],
    ['an ACL like an option', 'restrict', { ...restricted, acls: '-a' }],
    ['an ACL that ends with a comma', 'restrict', { ...restricted, acls: 'user:bob:rl,' }],
    ['no creation time of what is restricted', 'restrict', { ...restricted, targetCreated: '' }],
    ['an encryption key like an option', 'survey', { encryptionKey: '-u' }],
    ['a source without a bucket where nothing else names one', 'survey', { source: 'prod' }],
    ['a batch with a field too few', 'survey', { ...services, batch: `${operationId(2)}|vol/bkt|||||||` }],
    ['a batch with a field too many', 'survey', { ...services, batch: `${line};${line}|` }],
    ['a batch that ends with a semicolon', 'survey', { ...services, batch: `${line};` }],
    ['a batch with a second line', 'survey', { ...services, batch: `${line};\n${line}` }],
    ['a batch with a bucket like an option', 'survey', { ...services, batch: line.replace('vol/bkt', '-D/bkt') }],
    [
      'a batch with a command substitution',
      'survey',
      { ...services, batch: line.replace('vol/bkt|', `vol/bkt|${pwned}`) },
    ],
    ['a batch with a snapshot like an option', 'snapshot', { ...services, batch: line.replace('bkt|', 'bkt|-delete') }],
    ['a batch with a fence that is no number', 'seal-unchanged', { ...services, batch: `${line.slice(0, -1)}x|` }],
    ['a batch with the bucket of a whole operation', 'survey', { batch: line }],
  ];
  it.each(rows)('%s', async (_sentence, verb, parameters) => {
    const host = new EdgeHost();
    const { exit, reply } = await host.run(verb, parameters, documentOf[verb] ?? 'observe');
    expect(reply).toMatchObject({ version: 1, outcome: 'refused', jvmStarts: 0, data: null });
    expect(['bad-parameter', 'verb-not-allowed']).toContain(reply.code);
    expect(exit).toBe(14);
    expect(host.calls('ozone')).toEqual([]);
    expect(existsSync(host.state)).toBe(false);
    expect(existsSync('/tmp/pwned')).toBe(false);
  });
});

describe.concurrent('an SSM agent that does not pass parameters in the environment is refused', () => {
  const names =
    'operation verb source replica target base targetId baseSourceId baseReplicaId replicaCreated mode empty fence fenceSeed sealId copySeconds maps bandwidth level part parts brake supersedes detached probed remove layout replication quotaBytes quotaNamespace encryptionKey narrow selection selectionUrl since sinceId overwrite deleteExtra exact targetCreated acls batch executionTimeout';
  it.each(names.split(' '))('without %s', async (name) => {
    const { exit, reply } = await new EdgeHost().run('survey', { [name]: undefined });
    expect(reply).toMatchObject({ outcome: 'refused', code: 'bad-parameter' });
    expect(reply.message).toContain(name);
    expect(exit).toBe(14);
  });
});

describe.concurrent('a document runs its own verbs only', () => {
  const more = {
    sealId: id(3),
    base: 'snap-1',
    remove: `odr-tmp-x=${id(4)}`,
    probed: operationId(9),
    layout: 'LEGACY',
    ...divergence,
    ...restore,
    level: 'full',
  };
  it.each([
    ['snapshot', 'observe'],
    ['replicate', 'observe'],
    ['survey', 'protect'],
    ['verify', 'protect'],
    ['diff', 'protect'],
    ['tidy', 'protect'],
    ['tidy', 'observe'],
    ['replicate', 'destroy'],
    ['replicate', 'restore'],
    ['survey', 'restore'],
    ['delete', 'restore'],
    ['restore', 'protect'],
    ['restore', 'observe'],
    ['restrict', 'protect'],
    ['restrict', 'destroy'],
    ['divergence', 'protect'],
    ['divergence', 'restore'],
    ['remove-scratch', 'destroy'],
    ['remove-scratch', 'protect'],
    ['examine', 'restore'],
    ['compare', 'protect'],
    ['snapshot', 'destroy'],
    ['create-bucket', 'observe'],
    ['snapshot', 'protect restore'],
    ['survey', ' '],
    ['survey', ''],
    ['survey', 'none'],
  ])('%s is not a verb of the document "%s"', async (verb, document) => {
    const { exit, reply } = await new EdgeHost().run(verb, { ...replicate, ...more }, document);
    expect(reply).toMatchObject({ outcome: 'refused', code: 'verb-not-allowed' });
    expect(exit).toBe(14);
  });
});

describe.concurrent('a document that a restore shares', () => {
  it.each(['protect', 'restore'])('makes a snapshot and a bucket (%s)', async (document) => {
    for (const verb of ['snapshot', 'create-bucket']) {
      const { reply } = await new EdgeHost().run(verb, { target: 'snap-2', layout: 'LEGACY' }, document);
      expect(reply.code).not.toBe('verb-not-allowed');
      expect(reply.jvmStarts).toBeGreaterThan(0);
    }
  });
});

describe.concurrent('the host', () => {
  const rows: readonly (readonly [sentence: string, config: string, said: string])[] = [
    ['an unknown key in host.conf', 'paht=/opt/ozone/bin\n', 'paht'],
    ['a shell expression in host.conf', `path=${pwned}\n`, 'path'],
    ['a relative path in host.conf', 'path=bin\n', 'path'],
    ['a number that is none in host.conf', 'client_attempts=many\n', 'client_attempts'],
    ['a line without a value in host.conf', 'path\n', 'path'],
    ['no ozone on the path', 'path=/nowhere\n', 'ozone'],
  ];
  it.each(rows)('is refused with %s', async (_sentence, config, said) => {
    const host = new EdgeHost();
    host.configure(config);
    const { exit, reply } = await host.run('survey');
    expect(reply).toMatchObject({ outcome: 'refused', code: 'environment' });
    expect(reply.message).toContain(said);
    expect(exit).toBe(14);
  });

  it('is refused without host.conf', async () => {
    const { reply } = await new EdgeHost().run('survey', {}, 'observe', { OZONE_DR_HOST_CONFIG: '/nowhere/host.conf' });
    expect(reply).toMatchObject({ outcome: 'refused', code: 'environment' });
  });

  it('is refused when its state folder cannot be made', async () => {
    const host = new EdgeHost();
    host.configure(`path=${host.file('bin')}\nstate=${host.file('host.conf')}/state\n`);
    expect((await host.run('survey')).reply).toMatchObject({ outcome: 'refused', code: 'environment' });
  });

  it('gives Ozone a clean environment with a UTF-8 locale, and no parameter of the command', async () => {
    const host = new EdgeHost();
    host.program('ozone', `env > ${host.file('env')}; exit 255`);
    host.configure(`path=${host.file('bin')}\nstate=${host.state}\njava_home=/opt/jdk\n# a comment\n\n`);
    await host.run('survey', {}, 'observe', {
      BASH_ENV: '/nowhere',
      CDPATH: '/',
      IFS: '/',
      JAVA_TOOL_OPTIONS: '-Dx=y',
      LD_PRELOAD: '',
      'BASH_FUNC_timeout%%': '() { echo hijacked; }',
      KRB5CCNAME: '/run/ticket',
      HOME: '/root',
    });
    const names = readFileSync(host.file('env'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.replace(/=.*/, ''))
      .filter((name) => !['_', 'OLDPWD', 'PWD', 'SHLVL'].includes(name)); // a shell's own
    expect(names.sort()).toEqual(['HOME', 'JAVA_HOME', 'KRB5CCNAME', 'LC_ALL', 'OZONE_DR_OPERATION', 'PATH']);
    expect(readFileSync(host.file('env'), 'utf8')).toMatch(/^LC_ALL=(C|en_US)\.utf-?8$/im);
  });

  it('runs the script with bash when Run Command starts it with sh, wherever the line of the document stands', async () => {
    const host = new EdgeHost();
    await host.run('survey');
    const document = readFileSync(host.file('document-observe.sh'), 'utf8');
    writeFileSync(host.file('other.sh'), document.replace(/^(#!.*\n)(OZONE_DR_DOCUMENT.*\n)/, '$2$1'));
    const env = { ...host.environment('survey', { operation: operationId(2) }), PATH: '/usr/bin:/bin' };
    const { reply } = await ended(spawn('/bin/sh', [host.file('other.sh')], { env }));
    expect(reply).toMatchObject({ operation: operationId(2), outcome: 'ok' });
  });

  it('bounds the retries of the client as host.conf says', async () => {
    const host = new EdgeHost();
    host.ozone({
      'bucket info o3://prod/vol/bkt': { out: bucketInfo() },
      'snapshot list --all o3://prod/vol/bkt': { out: snapshotList() },
      'bucket getacl o3://prod/vol/bkt': { out: aclList() },
    });
    await host.run('survey', { replica: '' });
    expect(host.calls('ozone')).toEqual([
      'sh -D ozone.client.failover.max.attempts=3 -D ozone.client.wait.between.retries.millis=200 --execute bucket info o3://prod/vol/bkt --execute snapshot list --all o3://prod/vol/bkt --execute bucket getacl o3://prod/vol/bkt',
    ]);
  });
});
