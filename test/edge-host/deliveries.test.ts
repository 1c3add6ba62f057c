import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { EdgeHost, ended, operationId } from './edge-host.ts';
import { appears, aSlowHost, lives, resync } from './slow-host.ts';

describe.concurrent('an operation that is delivered again', () => {
  it('after its end: prints the same reply with the same exit code, and starts nothing', async () => {
    const host = new EdgeHost();
    const first = await host.run('survey');
    const calls = host.calls('ozone').length;
    const second = await host.run('survey');
    expect([second.stdout, second.exit]).toEqual([first.stdout, first.exit]);
    expect(host.calls('ozone')).toHaveLength(calls);
  });

  it('after a refusal: prints the refusal again', async () => {
    const host = aSlowHost();
    const first = await host.run('replicate', { ...resync, fenceSeed: 'no' });
    const second = await host.run('replicate', { ...resync, fenceSeed: 'no' });
    expect([first.exit, second.exit, second.stdout]).toEqual([10, 10, first.stdout]);
  });

  it('while it runs: waits for the first and prints its reply', async () => {
    const host = aSlowHost();
    const first = ended(host.start('replicate', resync));
    await appears(host.file('copying'));
    const second = ended(host.start('replicate', resync));
    await sleep(200);
    writeFileSync(host.file('go'), '');
    const [one, two] = await Promise.all([first, second]);
    expect(one.reply.outcome).toBe('ok');
    expect([two.stdout, two.exit]).toEqual([one.stdout, one.exit]);
    expect(host.calls('hadoop')).toHaveLength(1);
  });

  it('while it runs longer than this delivery may: says that it is busy', async () => {
    const host = aSlowHost();
    const first = ended(host.start('replicate', resync));
    await appears(host.file('copying'));
    const second = await host.run('replicate', { ...resync, executionTimeout: '0' });
    expect([second.reply.outcome, second.reply.code, second.exit]).toEqual(['refused', 'operation-busy', 10]);
    writeFileSync(host.file('go'), '');
    expect((await first).reply.outcome).toBe('ok');
  });

  it('after the first died in the copy: ends the stray copy, says interrupted, and keeps to it', async () => {
    const host = aSlowHost();
    const first = host.start('replicate', resync);
    await appears(host.file('copying'));
    const stray = Number(readFileSync(host.file('copying'), 'utf8'));
    first.kill('SIGKILL');
    await sleep(50);
    expect(lives(stray)).toBe(true);
    const second = await host.run('replicate', resync);
    expect([second.reply.outcome, second.reply.code, second.exit]).toEqual(['interrupted', 'delivery-died', 13]);
    expect(lives(stray)).toBe(false);
    const third = await host.run('replicate', resync);
    expect([third.stdout, third.exit]).toEqual([second.stdout, 13]);
    expect(host.calls('hadoop')).toHaveLength(1);
  });

  it('after the first died: never ends a process that is not of this operation', async () => {
    const host = aSlowHost();
    const directory = host.file('state', 'operations', operationId());
    mkdirSync(directory, { recursive: true });
    const env = { OZONE_DR_OPERATION: operationId(2), OTHER: `OZONE_DR_OPERATION=${operationId()}` };
    const other = spawn('/usr/bin/sleep', ['60'], { env });
    writeFileSync(`${directory}/started`, '1\n');
    const { reply } = await host.run('replicate', resync);
    expect(reply.outcome).toBe('interrupted');
    expect(lives(other.pid ?? 0)).toBe(true);
    other.kill();
  });

  it('with a damaged record: is refused', async () => {
    const host = new EdgeHost();
    const directory = host.file('state', 'operations', operationId());
    mkdirSync(directory, { recursive: true });
    writeFileSync(`${directory}/result`, 'nonsense\n');
    const { reply, exit } = await host.run('survey');
    expect([reply.outcome, reply.code, exit]).toEqual(['refused', 'environment', 14]);
  });
});

describe.concurrent('one bucket', () => {
  it('takes one copy at a time, and an orphan of a killed script counts', async () => {
    const host = aSlowHost();
    const first = host.start('replicate', resync);
    await appears(host.file('copying'));
    const busy = await host.run('replicate', { ...resync, operation: operationId(2), fence: '8' });
    expect([busy.reply.outcome, busy.reply.code, busy.exit]).toEqual(['refused', 'bucket-busy', 10]);
    expect(busy.reply.message).toContain(operationId());
    expect(busy.reply.data).toMatchObject({ copy: null, seal: null, holder: operationId() });
    first.kill('SIGKILL');
    await sleep(50);
    const still = await host.run('replicate', { ...resync, operation: operationId(3), fence: '9' });
    expect(still.reply.code).toBe('bucket-busy');
    writeFileSync(host.file('go'), '');
    const stray = Number(readFileSync(host.file('copying'), 'utf8'));
    while (lives(stray)) await sleep(10);
    const free = await host.run('replicate', { ...resync, operation: operationId(4), fence: '10' });
    expect(free.reply.outcome).toBe('ok');
  });

  it('is free for a survey while a copy runs', async () => {
    const host = aSlowHost();
    const copying = ended(host.start('replicate', resync));
    await appears(host.file('copying'));
    expect((await host.run('survey', { operation: operationId(2) })).reply.outcome).toBe('ok');
    writeFileSync(host.file('go'), '');
    await copying;
  });
});

describe.concurrent('a command that is cancelled', () => {
  it('ends its copy and says interrupted', async () => {
    const host = aSlowHost();
    const child = host.start('replicate', resync);
    const result = ended(child);
    await appears(host.file('copying'));
    const stray = Number(readFileSync(host.file('copying'), 'utf8'));
    child.kill('SIGTERM');
    const { exit, reply } = await result;
    expect([reply.outcome, reply.code, exit]).toEqual(['interrupted', 'cancelled', 13]);
    for (let i = 0; i < 100 && lives(stray); i += 1) await sleep(10);
    expect(lives(stray)).toBe(false);
  });
});
