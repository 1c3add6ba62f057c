import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { crashPoints } from '../../ozone-simulator/faults/points.ts';
import type { FaultEffect } from '../../ozone-simulator/faults/rules.ts';
import { createSimulator, type SimulatedOzone, simulateInMemory } from '../../ozone-simulator/simulator.ts';
import { memoryDriver, processDriver } from './simulator-drivers.ts';
import { Stage } from './stage.ts';

const aStage = (simulated: SimulatedOzone = simulateInMemory()) => {
  for (const service of simulated.services) simulated.createBucket(`ofs://${service}/vol/bkt`);
  return { simulated, stage: new Stage(memoryDriver(simulated), 'vol', 'bkt') };
};

const strikes = (simulated: SimulatedOzone, effect: FaultEffect, times = 1): void =>
  simulated.setFaults([{ id: effect.kind, times, effect }]);

const aPairWithChanges = async () => {
  const made = aStage();
  await made.stage.pair(
    { op: 'text', path: 'a/f', content: '1' },
    { op: 'text', path: 'b/g', content: '2' },
    { op: 'text', path: 'gone', content: '3' },
  );
  await made.stage.changed(
    { op: 'mv', path: 'a', to: 'c' },
    { op: 'rm', path: 'gone' },
    { op: 'text', path: 'n/x', content: '4' },
    { op: 'text', path: 'b/g', content: '55' },
  );
  return made;
};

const tidyAgain = async (stage: Stage): Promise<void> => {
  expect(await stage.full()).toMatchObject({ exit: 0 });
  expect(await stage.isReplica()).toBe(true);
};

describe('a command that is killed', () => {
  const moments = crashPoints
    .filter((point) => point.startsWith('distcp-') && point !== 'distcp-delete-extra' && point !== 'distcp-rename-copy')
    .flatMap((point) => [`before:${point}` as const, `after:${point}` as const]);

  it.each(moments)('%s leaves a replica that a full copy repairs', async (point) => {
    const { simulated, stage } = await aPairWithChanges();
    strikes(simulated, { kind: 'crash', point });
    expect(await stage.incremental()).toMatchObject({ exit: 137 });
    await tidyAgain(stage);
  });

  it('while it synchronises leaves what was moved in a temporary directory of the target', async () => {
    const { simulated, stage } = await aPairWithChanges();
    strikes(simulated, { kind: 'crash', point: 'after:distcp-sync-move-to-tmp', nth: 2 });
    await stage.incremental();
    const paths = await stage.paths('dr');
    expect(paths.filter((path) => /^\.distcp\.diff\.tmp\d+\//.test(path)).length).toBeGreaterThan(1);
    expect(await stage.incremental()).toMatchObject({
      exit: 25,
      stderr: expect.stringContaining('The target has been modified since snapshot s-1'),
    });
  });

  it('while it asks for the state of the target leaves its temporary snapshot active', async () => {
    const { simulated, stage } = await aPairWithChanges();
    strikes(simulated, { kind: 'crash', point: 'after:distcp-temp-snapshot-create' });
    await stage.incremental();
    const list = JSON.parse((await stage.sh('snapshot', 'list', '--all', stage.o3('dr'))).stdout);
    expect(list).toMatchObject([
      { name: 's-1' },
      { name: expect.stringMatching(/^temp[0-9a-f-]{36}s\d{8}-\d{6}\.\d{3}$/), snapshotStatus: 'SNAPSHOT_ACTIVE' },
    ]);
  });
});

describe('faults on request', () => {
  it('an Ozone Manager that is away is waited for without an end, unless the attempts are bounded', async () => {
    const { simulated, stage } = aStage();
    strikes(simulated, { kind: 'unreachable', service: 'dr' }, 9);
    expect(await stage.sh('snapshot', 'list', stage.o3('dr'))).toEqual({ exit: 124, stdout: '', stderr: '' });
    expect(await stage.sh('-D', 'ozone.client.failover.max.attempts=3', 'snapshot', 'list', stage.o3('dr'))).toEqual({
      exit: 255,
      stdout: '',
      stderr: 'Connection refused\n',
    });
    expect(await stage.sh('snapshot', 'list', stage.o3('prod'))).toMatchObject({ exit: 0 });
  });

  it('output is cut, or has a log line in front', async () => {
    const { simulated, stage } = aStage();
    strikes(simulated, { kind: 'cut-output', bytes: 21 });
    expect((await stage.sh('bucket', 'info', stage.o3())).stdout).toBe('{\n  "metadata" : { },');
    strikes(simulated, { kind: 'log-line', text: 'WARN something' });
    expect((await stage.sh('snapshot', 'list', stage.o3())).stdout).toBe('WARN something\n[ ]\n');
  });

  it('a diff that leaves out an entry gives a replica that lacks it, with exit 0', async () => {
    const { simulated, stage } = aStage();
    await stage.pair({ op: 'text', path: 'f', content: '1' });
    strikes(simulated, { kind: 'diff-omits', service: 'prod', entry: 2 }, 9);
    await stage.changed({ op: 'text', path: 'g', content: '2' }, { op: 'text', path: 'h', content: '3' });
    expect(await stage.incremental()).toMatchObject({ exit: 0 });
    expect(await stage.paths('dr')).toEqual(['f', 'g']);
  });

  it('a diff that failed makes an increment wait for ever, one that was rejected can be submitted again', async () => {
    const { simulated, stage } = aStage();
    await stage.pair({ op: 'text', path: 'f', content: '1' });
    await stage.snapshots('prod', 's-2');
    strikes(simulated, { kind: 'diff-fails', service: 'prod', reason: 'no disk' }, 9);
    await stage.given(`snapshot diff ${stage.o3()} s-1 s-2`);
    expect(await stage.report()).toEqual({ jobStatus: 'FAILED', lines: [], reason: 'no disk' });
    expect(await stage.incremental()).toMatchObject({ exit: 124 });
    strikes(simulated, { kind: 'diff-rejected', service: 'prod' });
    await stage.given(`snapshot diff ${stage.o3()} s-1 s-2`);
    expect((await stage.report()).jobStatus).toBe('REJECTED');
    await stage.given(`snapshot diff ${stage.o3()} s-1 s-2`);
    expect((await stage.report()).jobStatus).toBe('DONE');
  });

  it('a diff takes its time, and can be cancelled as long as it runs', async () => {
    const { simulated, stage } = aStage();
    await stage.snapshots('prod', 's-1', 's-2');
    simulated.setClock({ now: 1_000_000, skewMs: {} });
    strikes(simulated, { kind: 'diff-slow', service: 'prod', ms: 5_000 });
    await stage.given(`snapshot diff ${stage.o3()} s-1 s-2`);
    expect((await stage.sh('snapshot', 'diff', stage.o3(), 's-1', 's-2')).stdout).toBe(
      'Previous snapshot diff attempt found. Status: IN_PROGRESS.\nPlease get the report using --get-report option in 1000 ms.\n\n',
    );
    simulated.setClock({ now: 1_005_000, skewMs: {} });
    expect((await stage.report()).jobStatus).toBe('DONE');
    expect((await stage.sh('snapshot', 'diff', '-c', stage.o3(), 's-1', 's-2')).stdout).toBe(
      'Snapshot diff job has already completed.\n',
    );
  });

  it('the limit of snapshots counts the whole cluster, and stops an increment, too', async () => {
    const { simulated, stage } = await aPairWithChanges();
    simulated.setSettings({ '*': { snapshotLimit: 1 } });
    expect(await stage.sh('snapshot', 'create', stage.o3('dr'), 's-9')).toEqual({
      exit: 255,
      stdout: '',
      stderr:
        'TOO_MANY_SNAPSHOTS Snapshot limit of 1 reached. Cannot create more snapshots. Current snapshots: 1, In-flight creations: 0 ' +
        'If you already deleted some snapshots, please wait for the background service to complete the cleanup.\n',
    });
    expect(await stage.incremental()).toMatchObject({
      exit: 25,
      stderr: expect.stringContaining('java.io.IOException: TOO_MANY_SNAPSHOTS org.apache.hadoop'),
    });
  });

  it('a quota that is used up fails the copy half way', async () => {
    const { simulated, stage } = await aPairWithChanges();
    strikes(simulated, { kind: 'quota-full', service: 'dr' });
    expect(await stage.incremental()).toMatchObject({ exit: 25, stderr: expect.stringContaining('QUOTA_EXCEEDED') });
    await tidyAgain(stage);
  });

  it('a user without rights is refused in the words of a secured cluster', async () => {
    const { simulated, stage } = aStage();
    strikes(simulated, { kind: 'permission-denied', service: 'dr' }, 9);
    expect((await stage.sh('snapshot', 'create', stage.o3('dr'), 's-1')).stderr).toBe(
      'PERMISSION_DENIED Only bucket owners and Ozone admins can create snapshots\n',
    );
    expect((await stage.sh('snapshot', 'list', stage.o3('dr'))).stderr).toBe(
      `PERMISSION_DENIED User ${userInfo().username} doesn't have READ permission to access bucket Volume:vol Bucket:bkt \n`,
    );
  });

  it('each cluster has a clock of its own, and a deleted snapshot goes when its time has come', async () => {
    const { simulated, stage } = aStage();
    simulated.setClock({ now: 1_900_000_000_000, skewMs: { dr: 7_000 } });
    await stage.given(`snapshot create ${stage.o3()} s-1`, `snapshot create ${stage.o3('dr')} s-1`);
    const created = async (service: 'prod' | 'dr') =>
      JSON.parse((await stage.sh('snapshot', 'info', stage.o3(service), 's-1')).stdout).creationTime;
    expect(await created('dr')).toBe((await created('prod')) + 7_000);
    await stage.given(`snapshot delete ${stage.o3()} s-1`);
    simulated.setClock({ now: 1_900_000_030_000, skewMs: {} });
    expect((await stage.sh('snapshot', 'list', '--all', stage.o3())).stdout).toBe('[ ]\n');
    expect(await stage.sh('snapshot', 'create', stage.o3(), 's-1')).toMatchObject({ exit: 0 });
  });

  it('a rule strikes the call it names, as often as it says, or by a chance that can be repeated', async () => {
    const { simulated, stage } = aStage();
    const struck = async (): Promise<string> => {
      const ran = await Promise.all(Array.from({ length: 12 }, () => stage.sh('snapshot', 'list', stage.o3())));
      return ran.map(({ stdout }) => (stdout.startsWith('!') ? '!' : '.')).join('');
    };
    const effect = { kind: 'log-line', text: '!' } as const;
    simulated.setFaults([{ id: 'third', match: { program: 'ozone', command: '^sh snapshot list', call: 3 }, effect }]);
    expect(await struck()).toBe('..!.........');
    simulated.setFaults([{ id: 'twice', times: 2, effect }]);
    expect(await struck()).toBe('!!..........');
    const byChance = { id: 'chance', probability: 0.5, seed: 4, effect };
    simulated.setFaults([byChance]);
    const first = await struck();
    expect(first).toMatch(/!.*\./);
    simulated.setFaults([byChance]);
    expect(await struck()).toBe(first);
  });

  it('the command line before 2.2 answers a diff with its report and knows no --get-report', async () => {
    const { simulated, stage } = aStage();
    await stage.snapshots('prod', 's-1', 's-2');
    simulated.setSettings({ '*': { cli: '2.1' } });
    expect(JSON.parse((await stage.sh('snapshot', 'diff', '--json', stage.o3(), 's-1', 's-2')).stdout)).toMatchObject({
      jobStatus: 'DONE',
    });
    const unknown = await stage.sh('snapshot', 'diff', '--get-report', stage.o3(), 's-1', 's-2');
    expect({ exit: unknown.exit, first: unknown.stderr.split('\n')[0] }).toEqual({
      exit: 2,
      first: "Unknown option: '--get-report'",
    });
  });
});

describe('the folder of the executables', () => {
  it('loses nothing when processes run at once, and survives one that is killed', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'ozone-simulator-'));
    const simulator = await createSimulator({ directory });
    await simulator.createBucket('ofs://prod/vol/bkt');
    const stage = new Stage(processDriver(simulator), 'vol', 'bkt');
    simulator.inProcess.setFaults([
      { id: 'kill', match: { command: 'doomed' }, effect: { kind: 'crash', point: 'after:snapshot-create' } },
    ]);
    const names = ['s-1', 's-2', 's-3', 's-4', 'doomed'];
    const ran = await Promise.all(names.map((name) => stage.sh('snapshot', 'create', stage.o3(), name)));
    expect(ran.map(({ exit }) => exit)).toEqual([0, 0, 0, 0, 137]);
    const list = JSON.parse((await stage.sh('snapshot', 'list', stage.o3())).stdout);
    expect(list.map((snapshot: { name: string }) => snapshot.name)).toEqual(['doomed', 's-1', 's-2', 's-3', 's-4']);
    await rm(directory, { recursive: true, force: true });
  });
});
