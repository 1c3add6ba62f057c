import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Answers, EdgeHost, ended, operationId, type Variables } from './edge-host.ts';
import { id, snapshotInfo } from './ozone-output.ts';

const create = 'snapshot create o3://prod/vol/bkt odr-nightly-20261120t020000z-1';
const target = 'odr-nightly-20261120t020000z-1';
const good: Answers = {
  [create]: {},
  [`snapshot info o3://prod/vol/bkt ${target}`]: { out: snapshotInfo(target, 2) },
};

/** An edge host whose list names these programs; each notes in one file that it ran. */
const hostOf = (hooks: Readonly<Record<string, string>>, answers: Answers = good): EdgeHost => {
  const host = new EdgeHost();
  host.ozone(answers);
  host.program('sayer', '');
  for (const [name, body] of Object.entries(hooks))
    writeFileSync(host.file(name), `#!/bin/bash\necho "$OZONE_DR_PHASE ${name}" >>${host.file('ran')}\n${body}\n`, {
      mode: 0o755,
    });
  allow(host, Object.keys(hooks));
  return host;
};
const allow = (host: EdgeHost, names: readonly string[], path = (name: string) => host.file(name)) =>
  host.configure(
    `path=${host.file('bin')}\nstate=${host.state}\n${names.map((name) => `hook_${name}=${path(name)}\n`).join('')}`,
  );
const run = (host: EdgeHost, before = '', after = '', more: Variables = {}) =>
  host.run('snapshot', { target, policy: 'nightly', hookBefore: before, hookAfter: after, ...more });
const ran = (host: EdgeHost): readonly string[] =>
  existsSync(host.file('ran')) ? readFileSync(host.file('ran'), 'utf8').trimEnd().split('\n') : [];

describe.concurrent('hooks around a snapshot', () => {
  it('run before and after it, are told what it is about, and get nothing else', async () => {
    const host = hostOf({ freeze: 'env | sort; pwd; echo "$# arguments"', thaw: 'echo "$OZONE_DR_OUTCOME"' });
    const { reply } = await run(host, 'freeze:30:yes', 'thaw:30:no');
    expect(reply).toMatchObject({ outcome: 'ok', data: { created: true, snapshot: { name: target, id: id(2) } } });
    const [before, after] = reply.data.hooks;
    expect(before).toMatchObject({ phase: 'before', name: 'freeze', exit: 0, problem: '' });
    expect(after).toMatchObject({ phase: 'after', name: 'thaw', exit: 0, output: 'ok', problem: '' });
    expect(before.output.split('\n').filter((line: string) => !/^(PWD|SHLVL|_|PATH|HOME)=/.test(line))).toEqual([
      'LC_ALL=C',
      'OZONE_DR_BUCKET=vol/bkt',
      `OZONE_DR_OPERATION=${operationId()}`,
      'OZONE_DR_OUTCOME=',
      'OZONE_DR_PHASE=before',
      `OZONE_DR_POINT=${target}`,
      'OZONE_DR_POLICY=nightly',
      '/',
      '0 arguments',
    ]);
  });

  it('a delivery that comes again repeats the reply and runs no hook', async () => {
    const host = hostOf({ freeze: '', thaw: '' });
    const first = await run(host, 'freeze:30:yes', 'thaw:30:no');
    expect((await run(host, 'freeze:30:yes', 'thaw:30:no')).stdout).toBe(first.stdout);
    expect(ran(host)).toEqual(['before freeze', 'after thaw']);
  });

  it('one that fails and may not refuses the snapshot; the other runs all the same', async () => {
    const host = hostOf({ freeze: 'echo "table is locked"; exit 3', thaw: '' });
    const { reply, exit } = await run(host, 'freeze:30:yes', 'thaw:30:no');
    expect(reply).toMatchObject({
      outcome: 'refused',
      code: 'hook-failed',
      message: expect.stringContaining('the hook freeze ended with exit code 3: table is locked'),
      jvmStarts: 0,
    });
    expect(exit).toBe(10);
    expect(ran(host)).toEqual(['before freeze', 'after thaw']);
    expect(host.calls('ozone')).toEqual([]);
  });

  it('one that fails and may is a note', async () => {
    const { reply } = await run(hostOf({ freeze: 'exit 3', thaw: 'exit 4' }), 'freeze:30:no', 'thaw:30:no');
    expect(reply).toMatchObject({ outcome: 'ok', data: { created: true } });
    expect(reply.data.hooks).toMatchObject([
      { exit: 3, problem: 'the hook freeze ended with exit code 3' },
      { exit: 4, problem: 'the hook thaw ended with exit code 4' },
    ]);
  });

  it('one after the snapshot that fails and may not is told as that, with the snapshot made', async () => {
    const host = hostOf({ thaw: 'exit 4' });
    const { reply } = await run(host, '', 'thaw:30:yes');
    expect(reply).toMatchObject({ outcome: 'failed', code: 'hook-failed', data: null });
    expect(reply.message).toMatch(/^the snapshot was created, but the hook thaw ended with exit code 4/);
  });

  it('runs after a snapshot that failed, too, and does not hide why', async () => {
    const down = { [create]: { err: 'Connection refused\n', exit: 255 } };
    const host = hostOf({ freeze: '', thaw: 'echo "$OZONE_DR_OUTCOME"; exit 9' }, down);
    const { reply } = await run(host, 'freeze:30:yes', 'thaw:30:yes');
    expect(reply).toMatchObject({ outcome: 'unreachable', code: 'connection' });
    expect(reply.message).toMatch(/; and the hook thaw ended with exit code 9: unreachable/);
  });

  it('is ended with all that it started when its time is over', async () => {
    const host = hostOf({
      freeze: `trap '' TERM\nsleep 300 & echo $! >$(dirname "$0")/child\nwait; sleep 300`,
      thaw: '',
    });
    const begun = Date.now();
    const { reply } = await run(host, 'freeze:1:yes', 'thaw:30:no');
    expect(Date.now() - begun).toBeLessThan(20_000);
    expect(reply).toMatchObject({ code: 'hook-failed', message: expect.stringContaining('did not end within 1 s') });
    const child = readFileSync(host.file('child'), 'utf8').trim();
    await sleep(200);
    expect(existsSync(`/proc/${child}`) && !readFileSync(`/proc/${child}/stat`, 'utf8').includes(') Z ')).toBe(false);
    expect(ran(host)).toEqual(['before freeze', 'after thaw']);
  });

  it('what it prints is cut, is no JSON of its own, and holds nothing up', async () => {
    const host = hostOf({ freeze: `echo '"}],"outcome":"ok'; yes | head -c 3000000; printf '\\000\\001'` });
    const { reply } = await run(host, 'freeze:30:yes');
    expect(reply.data.hooks[0].output).toMatch(/^"\}\],"outcome":"ok\ny\ny\n/);
    expect(reply.data.hooks[0].output.length).toBe(999);
  });

  it('may leave a session that lasts until the other hook, which keeps nothing of ours open', async () => {
    const host = hostOf({
      freeze: `sleep 60 & echo $! >$(dirname "$0")/session`,
      thaw: 'kill "$(cat "$(dirname "$0")/session")" && echo ended',
    });
    const { reply } = await run(host, 'freeze:30:yes', 'thaw:30:yes');
    expect(reply).toMatchObject({ outcome: 'ok', data: { hooks: [{ exit: 0 }, { exit: 0, output: 'ended' }] } });
  });

  it('the other one runs when the command is cancelled while the first one works', async () => {
    const host = hostOf({ freeze: 'sleep 60', thaw: '' });
    const child = host.start('snapshot', { target, hookBefore: 'freeze:50:yes', hookAfter: 'thaw:30:no' });
    const end = ended(child);
    while (ran(host).length === 0) await sleep(50);
    child.kill('SIGTERM');
    expect((await end).reply).toMatchObject({ outcome: 'interrupted', code: 'cancelled' });
    expect(ran(host)).toEqual(['before freeze', 'after thaw']);
  });

  it('the other one runs when an earlier delivery died half way', async () => {
    const host = hostOf({ freeze: '', thaw: '' });
    const operation = `${host.state}/operations/${operationId()}`;
    mkdirSync(operation, { recursive: true });
    writeFileSync(`${operation}/started`, '1\n');
    const { reply } = await run(host, 'freeze:30:yes', 'thaw:30:no');
    expect(reply).toMatchObject({ outcome: 'interrupted', code: 'delivery-died' });
    expect(ran(host)).toEqual(['after thaw']);
  });
});

describe.concurrent('a hook is run only', () => {
  const refused = async (host: EdgeHost, why: RegExp) => {
    const { reply } = await run(host, 'freeze:30:yes', 'thaw:30:no');
    expect(reply).toMatchObject({ outcome: 'refused', code: 'hook-missing', message: expect.stringMatching(why) });
    expect(ran(host)).not.toContain('before freeze');
    expect(host.calls('ozone')).toEqual([]);
  };

  it('when the list of the host names it', async () => {
    await refused(hostOf({ thaw: '' }), /names no hook_freeze/);
  });

  it('when nobody else may change it', async () => {
    const host = hostOf({ freeze: '', thaw: '' });
    chmodSync(host.file('freeze'), 0o775);
    await refused(host, /is no program that root alone may change/);
  });

  it('when nobody else may put another in its place', async () => {
    const host = hostOf({ freeze: '', thaw: '' });
    mkdirSync(host.file('open'));
    chmodSync(host.file('open'), 0o777);
    writeFileSync(host.file('open', 'freeze'), '#!/bin/bash\n', { mode: 0o755 });
    symlinkSync(host.file('open', 'freeze'), host.file('link'));
    allow(host, ['freeze'], () => host.file('link'));
    await refused(host, /is no program that root alone may change/);
  });

  it('when nobody else may change the list', async () => {
    const host = hostOf({ freeze: '', thaw: '' });
    chmodSync(host.config, 0o666);
    await refused(host, /others than root may change/);
  });

  it('when it is a program', async () => {
    const host = hostOf({ freeze: '', thaw: '' });
    chmodSync(host.file('freeze'), 0o644);
    await refused(host, /is no program/);
  });

  it('when the one that lets go again, and must not fail, can be run', async () => {
    const { reply } = await run(hostOf({ freeze: '' }), 'freeze:30:yes', 'thaw:30:yes');
    expect(reply).toMatchObject({
      outcome: 'refused',
      code: 'hook-missing',
      message: expect.stringMatching(/hook_thaw/),
    });
  });

  it.each(['hook_freeze=relative', 'hook_freeze=/x y', 'hook_Freeze=/x', 'hook_=/x', 'hook_freeze=/x;id'])(
    'with a path that is none: %s',
    async (line) => {
      const host = hostOf({});
      host.configure(`path=${host.file('bin')}\nstate=${host.state}\n${line}\n`);
      expect((await run(host)).reply).toMatchObject({ outcome: 'refused', code: 'environment' });
    },
  );

  it.each(['freeze', 'freeze:30', 'freeze:30:perhaps', '../x:30:no', 'a b:30:no', 'freeze;id:30:no', 'freeze:9999:no'])(
    'with a parameter that is one: %s',
    async (hook) => {
      expect((await run(hostOf({ freeze: '' }), hook)).reply).toMatchObject({ code: 'bad-parameter' });
    },
  );
});

it('the doctor says which hooks could be run, and why others could not', async () => {
  const host = hostOf({ freeze: '', thaw: '' });
  chmodSync(host.file('thaw'), 0o777);
  const { reply } = await host.run('doctor', { buckets: 'vol/bkt' }, 'protect');
  expect(reply.data.hooks.toSorted((a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1))).toEqual([
    { name: 'freeze', problem: '' },
    { name: 'thaw', problem: expect.stringContaining('no program that root alone may change') },
  ]);
});
