import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type EdgeHost, ended, operationId, type Variables } from './edge-host.ts';
import { appears, aSlowHost, copying, lives, resync } from './slow-host.ts';

const detached: Variables = { ...resync, detached: 'yes' };
const go = (host: EdgeHost): void => writeFileSync(host.file('go'), '');
const result = (host: EdgeHost): string => host.file('state', 'operations', operationId(), 'result');

let probes = 100;
const probe = async (host: EdgeHost, probed = operationId()) => {
  probes += 1;
  const { reply, exit } = await host.run('probe', { operation: operationId(probes), probed, source: '', replica: '' });
  expect([reply.outcome, reply.jvmStarts, exit]).toEqual(['ok', 0, 0]);
  return reply.data;
};

/** The process that goes on: parent of the `timeout` in front of distcp. */
const background = async (host: EdgeHost): Promise<number> => {
  const parentOf = (pid: number) => Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  return parentOf(parentOf(await copying(host)));
};

describe.concurrent('a detached copy', () => {
  it('is answered while it runs, and goes on to its seal', async () => {
    const host = aSlowHost();
    const { exit, reply } = await host.run('replicate', detached);
    expect(reply).toMatchObject({ outcome: 'ok', code: '', jvmStarts: 1 });
    expect(reply.data).toMatchObject({ copy: null, seal: null, detached: true, holder: null });
    expect(exit).toBe(0);
    expect(await probe(host)).toEqual({ state: 'running', reply: null });
    go(host);
    await appears(result(host));
    const { state, reply: final } = await probe(host);
    expect(state).toBe('ended');
    expect(final).toMatchObject({
      ...{ operation: operationId(), verb: 'replicate', outcome: 'ok', jvmStarts: 3 },
      data: { copy: { filesCopied: 6 }, seal: { name: 'snap-2' }, detached: false },
    });
  });

  it('tells its failure to the probe', async () => {
    const host = aSlowHost();
    host.hadoop('echo broken; exit 25');
    await host.run('replicate', detached);
    await appears(result(host));
    expect((await probe(host)).reply).toMatchObject({
      outcome: 'failed',
      code: 'copy-failed',
      data: { copy: { exit: 25 } },
    });
  });

  it('delivered again while it runs: the same answer at once; after its end: its final reply', async () => {
    const host = aSlowHost();
    const first = await host.run('replicate', detached);
    await copying(host);
    const second = await host.run('replicate', detached);
    expect([second.stdout, second.exit]).toEqual([first.stdout, first.exit]);
    go(host);
    await appears(result(host));
    const third = await host.run('replicate', detached);
    expect(third.reply).toMatchObject({ outcome: 'ok', data: { copy: { filesCopied: 6 }, detached: false } });
    expect(host.calls('hadoop')).toHaveLength(1);
  });

  it('delivered again while it is still being checked: waits for the answer, not for the copy', async () => {
    const host = aSlowHost();
    const [one, two] = await Promise.all([host.run('replicate', detached), host.run('replicate', detached)]);
    expect(two.stdout).toBe(one.stdout);
    expect(one.reply.data.detached).toBe(true);
    expect(await probe(host)).toEqual({ state: 'running', reply: null });
    go(host);
    await appears(result(host));
  });

  it('says what its checks refuse, and starts nothing', async () => {
    const host = aSlowHost();
    const { reply } = await host.run('replicate', { ...detached, replicaCreated: '2026-11-21T00:00:00.000Z' });
    expect([reply.outcome, reply.code]).toEqual(['refused', 'replica-other']);
    expect(host.calls('hadoop')).toEqual([]);
    expect(await probe(host)).toMatchObject({ state: 'ended', reply: { code: 'replica-other' } });
  });

  it('is in a session of its own, does not hear a hang-up, and keeps nothing of its output open', async () => {
    const host = aSlowHost();
    const script = host.start('replicate', detached);
    await ended(script); // both pipes are closed
    const pid = await background(host);
    const session = (of: number) => readFileSync(`/proc/${of}/stat`, 'utf8').replace(/.*\) /, '').split(' ')[3];
    expect(session(pid)).toBe(String(pid));
    process.kill(pid, 'SIGHUP');
    await sleep(100);
    expect(lives(pid)).toBe(true);
    go(host);
    await appears(result(host));
    expect((await probe(host)).reply.outcome).toBe('ok');
  });

  it('is not what the script does for an argument alone: it goes on from nothing', async () => {
    const host = aSlowHost();
    await host.run('probe', { operation: operationId(2), probed: operationId(9) });
    const script = host.start('replicate', detached, 'protect', {}, ['--detached']);
    const { reply } = await ended(script);
    expect([reply.outcome, reply.code, reply.jvmStarts]).toEqual(['refused', 'environment', 0]);
    expect(host.calls('hadoop')).toEqual([]);
  });

  it('keeps other copies out, and is ended by one that supersedes it', async () => {
    const host = aSlowHost();
    await host.run('replicate', detached);
    const pid = await copying(host);
    const other = { ...resync, operation: operationId(2), fence: '8' };
    const busy = await host.run('replicate', other);
    expect([busy.reply.code, busy.reply.data.holder]).toEqual(['bucket-busy', operationId()]);
    rmSync(host.file('copying'));
    host.hadoop(`cat ${host.file('log')}`);
    const newer = await host.run('replicate', { ...other, operation: operationId(3), supersedes: operationId() });
    expect(newer.reply.outcome).toBe('ok');
    expect(lives(pid)).toBe(false);
    expect(await probe(host)).toMatchObject({ state: 'ended', reply: { outcome: 'interrupted', code: 'cancelled' } });
  });

  it('that was killed has died, also while its distcp lives on; its next delivery ends that', async () => {
    const host = aSlowHost();
    await host.run('replicate', detached);
    const distcp = await copying(host);
    const pid = await background(host);
    process.kill(pid, 'SIGKILL');
    while (lives(pid)) await sleep(10);
    expect(await probe(host)).toEqual({ state: 'died', reply: null });
    expect(lives(distcp)).toBe(true);
    const { reply } = await host.run('replicate', detached);
    expect([reply.outcome, reply.code]).toEqual(['interrupted', 'delivery-died']);
    expect(lives(distcp)).toBe(false);
    expect(await probe(host)).toMatchObject({ state: 'ended', reply: { code: 'delivery-died' } });
  });
});

describe.concurrent('a probe', () => {
  it('does not know an operation that never came to this host', async () => {
    expect(await probe(aSlowHost(), operationId(9))).toEqual({ state: 'unknown', reply: null });
  });

  it('sees a copy run that is not detached', async () => {
    const host = aSlowHost();
    const running = ended(host.start('replicate', resync));
    await copying(host);
    expect(await probe(host)).toEqual({ state: 'running', reply: null });
    go(host);
    await running;
    expect((await probe(host)).state).toBe('ended');
  });

  it('refuses a record that is damaged', async () => {
    const host = aSlowHost();
    go(host);
    await host.run('replicate', resync);
    writeFileSync(result(host), 'nonsense\n');
    const { reply } = await host.run('probe', { operation: operationId(2), probed: operationId() });
    expect([reply.outcome, reply.code]).toEqual(['refused', 'environment']);
  });
});
