import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type EdgeHost, ended, operationId, type Variables } from './edge-host.ts';
import { aSlowHost, copying, lives, resync } from './slow-host.ts';

const newer: Variables = { ...resync, operation: operationId(2), fence: '8', supersedes: operationId() };

/** The next distcp of the host ends at once. */
const fast = (host: EdgeHost): void => writeFileSync(host.file('go'), '');

/** A host on which a copy runs; its distcp does not end by itself, the next one does. */
async function busy(distcp?: (host: EdgeHost) => void) {
  const host = aSlowHost();
  distcp?.(host);
  const script = host.start('replicate', resync);
  const older = ended(script);
  const pid = await copying(host);
  rmSync(host.file('copying'));
  host.hadoop(`cat ${host.file('log')}`);
  return { host, script, older, pid };
}

describe.concurrent('a copy that supersedes an older one', () => {
  it('ends it, its distcp too, and goes on; the older one says interrupted', async () => {
    const { host, older, pid } = await busy();
    const { reply } = await host.run('replicate', newer);
    expect(reply).toMatchObject({ outcome: 'ok', data: { copy: { filesCopied: 6 }, holder: null } });
    expect(lives(pid)).toBe(false);
    expect((await older).reply).toMatchObject({ outcome: 'interrupted', code: 'cancelled', operation: operationId() });
  });

  it('ends the distcp that a script left behind that was killed', async () => {
    const { host, script, older, pid } = await busy();
    script.kill('SIGKILL');
    await expect(older).rejects.toThrow('no reply');
    expect(lives(pid)).toBe(true);
    expect((await host.run('replicate', newer)).reply.outcome).toBe('ok');
    expect(lives(pid)).toBe(false);
  });

  it('kills a distcp that does not listen', { timeout: 60_000 }, async () => {
    const { host, older, pid } = await busy((it) =>
      it.hadoop(`trap '' TERM; echo $$ > ${it.file('copying')}; while :; do sleep 0.02; done`),
    );
    expect((await host.run('replicate', newer)).reply.outcome).toBe('ok');
    expect(lives(pid)).toBe(false);
    await older;
  });

  it('leaves another one alone that holds the bucket meanwhile', async () => {
    const { host, older, pid } = await busy();
    const { reply, exit } = await host.run('replicate', { ...newer, supersedes: operationId(7) });
    expect([reply.outcome, reply.code, exit]).toEqual(['refused', 'bucket-busy', 10]);
    expect(reply.data).toEqual({
      copy: null,
      diffStatus: null,
      diffEmpty: null,
      seal: null,
      log: '',
      removals: null,
      units: null,
      holder: operationId(),
      detached: false,
    });
    expect(lives(pid)).toBe(true);
    fast(host);
    expect((await older).reply.outcome).toBe('ok');
  });

  it('ends nothing with a token that is older than the last', async () => {
    const { host, older, pid } = await busy();
    const { reply } = await host.run('replicate', { ...newer, fence: '6' });
    expect([reply.outcome, reply.code]).toEqual(['refused', 'fence-stale']);
    expect(lives(pid)).toBe(true);
    fast(host);
    expect((await older).reply.outcome).toBe('ok');
  });

  it('ends nothing that does not both carry the operation in its environment and work in its folder', async () => {
    const { host, script, older, pid } = await busy();
    const named = `OZONE_DR_OPERATION=${operationId()}`;
    const scratch = host.file('state', 'operations', operationId(), 'scratch');
    const sleeping = (env: NodeJS.ProcessEnv, cwd: string) =>
      spawn('/usr/bin/sleep', ['60'], { env, cwd, argv0: named, stdio: 'ignore' });
    const others = [
      sleeping({ OTHER: named, OZONE_DR_OPERATION: operationId(7) }, scratch),
      sleeping({ OZONE_DR_OPERATION: operationId() }, host.directory),
    ];
    expect((await host.run('replicate', newer)).reply.outcome).toBe('ok');
    expect([pid, script.pid ?? 0].map(lives)).toEqual([false, false]);
    expect(others.map((it) => it.signalCode)).toEqual([null, null]);
    for (const other of others) other.kill();
    await older;
  });

  it('needs nobody to end when the older one is over', async () => {
    const { host, older } = await busy();
    fast(host);
    await older;
    expect((await host.run('replicate', newer)).reply.outcome).toBe('ok');
  });

  it('says that the bucket is busy when what holds the lock cannot be proved to be the older copy', async () => {
    const host = aSlowHost();
    fast(host);
    await host.run('replicate', resync);
    const lock = host.file('state', 'buckets', 'dr+vol+bkt', 'lock');
    const stranger = spawn('/usr/bin/flock', [lock, 'sleep', '60'], { stdio: 'ignore', detached: true });
    await sleep(200);
    const { reply } = await host.run('replicate', newer);
    expect([reply.outcome, reply.code, reply.data.holder]).toEqual(['refused', 'bucket-busy', operationId()]);
    expect(stranger.exitCode).toBe(null);
    process.kill(-(stranger.pid ?? 0));
  });

  it('is no older copy of itself', async () => {
    const { reply } = await aSlowHost().run('replicate', { ...resync, supersedes: operationId() });
    expect([reply.outcome, reply.code]).toEqual(['refused', 'bad-parameter']);
  });
});
