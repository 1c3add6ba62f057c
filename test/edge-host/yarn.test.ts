import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type EdgeHost, operationId, type Variables } from './edge-host.ts';
import { appears, aSlowHost, copying, lives, resync } from './slow-host.ts';
import { type Application, YarnCluster } from './yarn-cluster.ts';

const onYarn: Variables = { ...resync, queue: 'backup' };
const detached: Variables = { ...onYarn, detached: 'yes' };
const bucketTag = `odr-${createHash('sha256').update('dr/vol/bkt\n').digest('hex').slice(0, 24)}`;
/** An application of ours, as it is listed. */
const ours = (operation: string): Partial<Application> => ({
  name: `distcp: ozone-dr:${operation}`,
  tags: `${operation},${bucketTag}`,
});
const RUNNING = { state: 'RUNNING', finalStatus: 'UNDEFINED' };
const marker = (host: EdgeHost) => host.file('state', 'buckets', 'dr+vol+bkt', 'application');

async function aYarnHost(change: Partial<YarnCluster> = {}) {
  const yarn = Object.assign(await new YarnCluster().start(), change);
  const host = aSlowHost();
  const also = (text: string) => `${readFileSync(host.config, 'utf8')}${text}`;
  host.configure(also(`yarn_rm=${yarn.rm}\nyarn_history=${yarn.history}\n`));
  host.hadoop(yarn.client);
  return { host, yarn };
}

const copies = (host: EdgeHost): number => host.calls('hadoop').length;
const sealed = (host: EdgeHost): boolean => host.calls('ozone').some((it) => it.includes('snapshot create'));

let probes = 100;
const probe = async (host: EdgeHost) => {
  probes += 1;
  const { reply } = await host.run('probe', { operation: operationId(probes), probed: operationId() });
  return reply.data;
};

/** A detached copy whose script was killed after it had submitted. */
async function orphaned() {
  const { host, yarn } = await aYarnHost({ submitted: RUNNING });
  await host.run('replicate', detached);
  while (yarn.applications.length === 0 || yarn.applications[0]?.lifetime === 'UNLIMITED') await sleep(20);
  const commandOf = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      return '';
    }
  };
  const script = readdirSync('/proc').find(
    (pid) => /^\d+$/.test(pid) && commandOf(pid).includes(`${host.directory}/document-protect.sh\0--detached`),
  );
  process.kill(Number(script), 'SIGKILL');
  while (lives(Number(script))) await sleep(10);
  const [application] = yarn.applications;
  if (!application) throw new Error('nothing was submitted');
  return { host, yarn, application };
}

const adopting: Variables = { ...onYarn, operation: operationId(2), fence: '8', adopts: operationId() };

describe.concurrent('a copy on YARN', () => {
  it('is submitted with its operation as its tag and its name, followed to its end, counted by the history, and sealed', async () => {
    const { host, yarn } = await aYarnHost();
    const { reply, exit } = await host.run('replicate', { ...onYarn, bandwidth: '5' });
    expect(reply).toMatchObject({ outcome: 'ok', code: '', jvmStarts: 3 });
    expect(reply.data).toMatchObject({
      copy: { exit: 0, seconds: 12, filesCopied: 40, filesSkipped: 0, bytesCopied: 40_000_000, dirsCopied: 1 },
      seal: { name: 'snap-2' },
    });
    expect(exit).toBe(0);
    const [call = ''] = host.calls('hadoop');
    expect(call).toMatch(
      /^distcp -D ozone\.client\S+ -D ozone\.client\S+ -D mapreduce\.framework\.name=yarn .*-D mapreduce\.am\.max-attempts=1 .*-update -delete -direct -m 2 -async -bandwidth 5 ofs:/,
    );
    // Whatever follows a flag is a path for distcp.
    expect(call.replace(/ -update .*/, '')).not.toMatch(/ -(?!D )/);
    expect(yarn.applications).toMatchObject([
      { name: `distcp: ozone-dr:${operationId()}`, tags: `${operationId()},${bucketTag}`, queue: 'backup' },
    ]);
    expect(existsSync(marker(host))).toBe(false);
  });

  it('is bounded on the server too, by the time of the copy', async () => {
    const { host, yarn } = await aYarnHost({ submitted: RUNNING });
    const running = host.run('replicate', onYarn);
    while (yarn.applications[0]?.lifetime === undefined || yarn.applications[0].lifetime === 'UNLIMITED')
      await sleep(20);
    const [application] = yarn.applications;
    if (!application) throw new Error('nothing was submitted');
    expect(application.lifetime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000\+0000$/);
    const left = Date.parse(application.lifetime.replace('+0000', 'Z')) - Date.now();
    expect(left).toBeGreaterThan(20_000);
    expect(left).toBeLessThanOrEqual(61_000);
    expect(existsSync(marker(host))).toBe(true);
    yarn.kill(application, 'Application is killed by ResourceManager as it has exceeded the lifetime period.');
    const { reply } = await running;
    expect([reply.outcome, reply.code]).toEqual(['failed', 'copy-timeout']);
    expect(sealed(host)).toBe(false);
  });

  it.each([
    ['killed by a person', { state: 'KILLED', finalStatus: 'KILLED' }, 0],
    ['failed', { state: 'FINISHED', finalStatus: 'FAILED' }, 25],
    ['failed before it ran', { state: 'FAILED', finalStatus: 'FAILED' }, 25],
  ])('that was %s is no copy, although its progress is 100', async (_how, submitted, code) => {
    const { host } = await aYarnHost({ submitted });
    const { reply } = await host.run('replicate', onYarn);
    expect(reply).toMatchObject({ outcome: 'failed', code: 'copy-failed', data: { copy: { exit: code }, seal: null } });
    expect(reply.message).toContain('application_1795204417215_0001');
    expect(sealed(host)).toBe(false);
  });

  it('goes by the application and not by the exit of its client', async () => {
    const { host, yarn } = await aYarnHost();
    host.hadoop(`${yarn.client}; exit 137`);
    expect((await host.run('replicate', onYarn)).reply.outcome).toBe('ok');
  });

  it.each([
    ['25', 'somebody wrote', 'target-modified', "echo 'The target has been modified since snapshot snap-1'; exit 25"],
    ['25', 'for another reason', 'copy-failed', 'exit 25'],
    ['0', 'and told nobody', 'copy-failed', 'echo DistCp completed successfully'],
  ])('whose client ended with %s (%s) and left no application is %s', async (_exit, _why, code, body) => {
    const { host } = await aYarnHost();
    host.hadoop(body);
    const { reply } = await host.run('replicate', onYarn);
    expect([reply.outcome, reply.code]).toEqual(['failed', code]);
    expect(existsSync(marker(host))).toBe(false);
  });

  it('is as good without counts, which only the history server has', async () => {
    const { host } = await aYarnHost({ hasHistory: false });
    const { reply } = await host.run('replicate', onYarn);
    expect(reply).toMatchObject({ outcome: 'ok', data: { copy: null, seal: { name: 'snap-2' } } });
  });

  it('with a file that failed is none', async () => {
    const { host } = await aYarnHost({ counters: { COPY: 3, FAIL: 1 } });
    const { reply } = await host.run('replicate', onYarn);
    expect([reply.outcome, reply.code]).toEqual(['failed', 'copy-failed']);
  });

  it('waits for a resource manager that is away meanwhile', async () => {
    const { host, yarn } = await aYarnHost({ submitted: RUNNING });
    const running = host.run('replicate', onYarn);
    while (yarn.applications.length === 0) await sleep(20);
    const [application] = yarn.applications;
    yarn.manager = 'is away';
    await sleep(2500);
    yarn.manager = 'is cut';
    await sleep(3500);
    if (application) yarn.succeed(application);
    yarn.manager = 'answers';
    expect((await running).reply).toMatchObject({ outcome: 'ok', data: { copy: { filesCopied: 40 } } });
  });
});

describe.concurrent('before a copy on YARN anything changes', () => {
  it.each(['is away', 'is cut', 'stands by'] as const)('a resource manager that %s is said', async (manager) => {
    const { host, yarn } = await aYarnHost({ manager });
    const { reply, exit } = await host.run('replicate', onYarn);
    expect([reply.outcome, reply.code, exit]).toEqual(['unreachable', 'yarn-unreachable', 12]);
    expect(reply.message).toContain(yarn.rm);
    expect([copies(host), host.calls('ozone').length]).toEqual([0, 0]);
  });

  it('the one that is active is asked', async () => {
    const { host, yarn } = await aYarnHost();
    const standby = Object.assign(await new YarnCluster().start(), { manager: 'stands by' });
    host.configure(readFileSync(host.config, 'utf8').replace(yarn.rm, `${standby.rm},${yarn.rm}`));
    expect((await host.run('replicate', onYarn)).reply.outcome).toBe('ok');
  });

  it('a queue that is not there is refused', async () => {
    const { host } = await aYarnHost();
    const { reply } = await host.run('replicate', { ...onYarn, queue: 'nightly' });
    expect([reply.outcome, reply.code]).toEqual(['refused', 'queue-missing']);
    expect(reply.message).toContain('nightly');
    expect(copies(host)).toBe(0);
  });

  it('a queue may be written with those above it', async () => {
    const { host } = await aYarnHost();
    expect((await host.run('replicate', { ...onYarn, queue: 'root.backup' })).reply.outcome).toBe('ok');
  });

  it('a host that knows no resource manager says so', async () => {
    const host = aSlowHost();
    const { reply } = await host.run('replicate', onYarn);
    expect([reply.outcome, reply.code]).toEqual(['unreachable', 'yarn-unreachable']);
    expect(reply.message).toContain('names no yarn_rm');
  });

  it('an application of an older copy into the bucket is busy with it', async () => {
    const { host, yarn } = await aYarnHost();
    yarn.add({ ...ours(operationId(7)), ...RUNNING });
    const { reply } = await host.run('replicate', onYarn);
    expect([reply.outcome, reply.code, reply.data.holder]).toEqual(['refused', 'bucket-busy', operationId(7)]);
    expect(copies(host)).toBe(0);
    expect(yarn.applications).toMatchObject([RUNNING]);
  });

  it('one that it supersedes is ended first', async () => {
    const { host, yarn } = await aYarnHost();
    const older = yarn.add({ ...ours(operationId(7)), ...RUNNING });
    const { reply } = await host.run('replicate', { ...onYarn, supersedes: operationId(7) });
    expect(reply.outcome).toBe('ok');
    expect(older.state).toBe('KILLED');
  });

  it('one of another user, whatever its tag and name, is not touched', async () => {
    const { host, yarn } = await aYarnHost();
    const theirs = yarn.add({ ...ours(operationId(7)), user: 'mallory', ...RUNNING });
    const { reply } = await host.run('replicate', { ...onYarn, supersedes: operationId(7) });
    expect([reply.outcome, reply.code]).toEqual(['refused', 'bucket-busy']);
    expect(theirs.state).toBe('RUNNING');
  });

  it('what only has the tag is none of ours', async () => {
    const { host, yarn } = await aYarnHost();
    const other = yarn.add({ ...ours(operationId(7)), name: 'distcp', ...RUNNING });
    expect((await host.run('replicate', onYarn)).reply.outcome).toBe('ok');
    expect(other.state).toBe('RUNNING');
  });

  it('nothing is ended with a token that is older than the last', async () => {
    const { host, yarn } = await aYarnHost();
    await host.run('replicate', { ...onYarn, operation: operationId(3), fence: '9' });
    const older = yarn.add({ ...ours(operationId(7)), ...RUNNING });
    const { reply } = await host.run('replicate', { ...onYarn, supersedes: operationId(7) });
    expect([reply.outcome, reply.code]).toEqual(['refused', 'fence-stale']);
    expect(older.state).toBe('RUNNING');
  });

  it('a copy on the host itself does not begin while nobody knows what became of one on YARN', async () => {
    const { host } = await orphaned();
    const { reply } = await host.run('replicate', { ...resync, operation: operationId(2), fence: '8' });
    expect([reply.outcome, reply.code, reply.data.holder]).toEqual(['refused', 'bucket-busy', operationId()]);
    expect(reply.message).toContain(marker(host));
  });
});

describe.concurrent('a copy whose script died', () => {
  it('has died for the probe, and is adopted while it runs: followed to its end and sealed, with nothing copied again', async () => {
    const { host, yarn, application } = await orphaned();
    expect(await probe(host)).toEqual({ state: 'died', reply: null });
    const running = host.run('replicate', adopting);
    await sleep(3000);
    expect(application.state).toBe('RUNNING');
    yarn.succeed(application);
    const { reply } = await running;
    expect(reply).toMatchObject({
      outcome: 'ok',
      data: { copy: { mode: 'resync', seconds: 12, filesCopied: 40 }, seal: { name: 'snap-2' } },
    });
    expect([copies(host), yarn.applications.length]).toEqual([1, 1]);
    expect(existsSync(marker(host))).toBe(false);
  });

  it('is adopted by another host', async () => {
    const { yarn, application } = await orphaned();
    yarn.succeed(application);
    const { host } = await aYarnHost();
    host.configure(`${readFileSync(host.config, 'utf8')}yarn_rm=${yarn.rm}\nyarn_history=${yarn.history}\n`);
    const { reply } = await host.run('replicate', { ...adopting, fenceSeed: 'yes' });
    expect(reply).toMatchObject({ outcome: 'ok', data: { copy: { filesCopied: 40 }, seal: { name: 'snap-2' } } });
    expect(copies(host)).toBe(0);
  });

  it('and whose application was killed meanwhile is not sealed', async () => {
    const { host, yarn, application } = await orphaned();
    yarn.kill(application, 'Application was killed by user ada');
    const { reply } = await host.run('replicate', adopting);
    expect([reply.outcome, reply.code]).toEqual(['failed', 'copy-failed']);
    expect(reply.message).toContain('killed by user ada');
    expect(sealed(host)).toBe(false);
  });

  it('and that had submitted nothing leaves nothing to adopt', async () => {
    const { host } = await aYarnHost();
    const { reply } = await host.run('replicate', adopting);
    expect([reply.outcome, reply.code]).toEqual(['refused', 'no-application']);
    expect(host.calls('ozone')).toEqual([]);
  });

  it('is not known to be over while the resource manager does not answer', async () => {
    const { host, yarn } = await orphaned();
    yarn.manager = 'is away';
    const { reply } = await host.run('replicate', adopting);
    expect([reply.outcome, reply.code]).toEqual(['unreachable', 'yarn-unreachable']);
  });

  it('is ended by a newer copy that does not want it', async () => {
    const { host, yarn, application } = await orphaned();
    yarn.submitted = { state: 'FINISHED', finalStatus: 'SUCCEEDED' };
    const newer = { ...onYarn, operation: operationId(2), fence: '8' };
    const busy = await host.run('replicate', newer);
    expect([busy.reply.code, busy.reply.data.holder]).toEqual(['bucket-busy', operationId()]);
    const { reply } = await host.run('replicate', { ...newer, operation: operationId(3), supersedes: operationId() });
    expect([reply.outcome, application.state]).toEqual(['ok', 'KILLED']);
  });

  it('in the middle of its submission: the client that lives on keeps the bucket, and a newer copy ends it', async () => {
    const { host, yarn } = await aYarnHost();
    host.hadoop(`echo $$ > ${host.file('copying')}; while :; do sleep 0.02; done`);
    await host.run('replicate', detached);
    const client = await copying(host);
    const busy = await host.run('replicate', { ...onYarn, operation: operationId(2), fence: '8' });
    expect([busy.reply.code, busy.reply.data.holder]).toEqual(['bucket-busy', operationId()]);
    host.hadoop(yarn.client);
    const newer = { ...onYarn, operation: operationId(3), fence: '8', supersedes: operationId() };
    expect((await host.run('replicate', newer)).reply.outcome).toBe('ok');
    expect(lives(client)).toBe(false);
  });
});

describe.concurrent('a detached copy on YARN', () => {
  it('is answered once it is checked, and tells the probe how it ended', async () => {
    const { host, yarn } = await aYarnHost({ submitted: RUNNING });
    const { reply } = await host.run('replicate', detached);
    expect(reply.data).toMatchObject({ copy: null, detached: true });
    while (yarn.applications.length === 0) await sleep(20);
    expect(await probe(host)).toEqual({ state: 'running', reply: null });
    for (const application of yarn.applications) yarn.succeed(application);
    await appears(host.file('state', 'operations', operationId(), 'result'));
    expect(await probe(host)).toMatchObject({
      state: 'ended',
      reply: { outcome: 'ok', data: { copy: { filesCopied: 40 }, seal: { name: 'snap-2' } } },
    });
  });
});

describe('a narrowed resync', () => {
  it('is none for YARN', async () => {
    const { host } = await aYarnHost();
    const narrow = `odr-tmp-a=${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}`;
    const { reply } = await host.run('replicate', { ...onYarn, narrow });
    expect([reply.outcome, reply.code]).toEqual(['refused', 'bad-parameter']);
  });
});
