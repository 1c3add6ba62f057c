import { userInfo } from 'node:os';
import { expect } from 'vitest';
import type { Scenario } from '../scenario.ts';
import { inTime } from '../stage.ts';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The background service of a real cluster purges every few seconds, perhaps just between two commands: then once more. */
const beforeThePurge = (look: (name: string) => Promise<void>): Promise<void> =>
  inTime((attempt) => look(`gone-${attempt}`));

export const snapshotScenarios: readonly Scenario[] = [
  {
    name: 'creating a snapshot prints nothing, with --verbose one line',
    async play(stage) {
      expect(await stage.sh('snapshot', 'create', stage.o3(), 's-1')).toEqual({ exit: 0, stdout: '', stderr: '' });
      const verbose = await stage.sh('--verbose', 'snapshot', 'create', stage.o3(), 's-2');
      expect(verbose).toEqual({
        exit: 0,
        stdout: `Created snapshot 's-2' under '${stage.volume}/${stage.bucket}'.\n`,
        stderr: '',
      });
    },
  },
  {
    name: 'a snapshot without a name is called by its time',
    async play(stage) {
      expect(await stage.sh('snapshot', 'create', stage.o3())).toMatchObject({ exit: 0, stdout: '' });
      const [only] = JSON.parse((await stage.sh('snapshot', 'list', stage.o3())).stdout);
      expect(only.name).toMatch(/^s\d{8}-\d{6}\.\d{3}$/);
      const time = new Date(only.creationTime)
        .toISOString()
        .replace(/[-:]|\.\d+Z/g, '')
        .replace('T', '-');
      expect(only.name.slice(1, 14)).toBe(time.slice(0, 13));
    },
  },
  {
    name: 'the info of a snapshot has all its fields, and the list shows the same',
    async play(stage) {
      await stage.change('prod', { op: 'text', path: 'a/f', content: 'hello' });
      const before = Date.now();
      await stage.snapshots('prod', 's-1');
      const info = JSON.parse((await stage.sh('snapshot', 'info', stage.o3(), 's-1')).stdout);
      expect(info).toEqual({
        volumeName: stage.volume,
        bucketName: stage.bucket,
        name: 's-1',
        creationTime: expect.any(Number),
        snapshotStatus: 'SNAPSHOT_ACTIVE',
        snapshotId: expect.stringMatching(uuid),
        snapshotPath: `${stage.volume}/${stage.bucket}`,
        checkpointDir: `-${info.snapshotId}`,
        referencedSize: 5,
        referencedReplicatedSize: 5,
        exclusiveSize: expect.any(Number),
        exclusiveReplicatedSize: expect.any(Number),
      });
      expect(Math.abs(info.creationTime - before)).toBeLessThan(120_000);
      expect(JSON.parse((await stage.sh('snapshot', 'list', '--all', stage.o3())).stdout)).toMatchObject([
        { ...info, exclusiveSize: expect.any(Number), exclusiveReplicatedSize: expect.any(Number) },
      ]);
    },
  },
  {
    name: 'the list of a bucket without snapshots is [ ]',
    async play(stage) {
      expect(await stage.sh('snapshot', 'list', '--all', stage.o3())).toEqual({ exit: 0, stdout: '[ ]\n', stderr: '' });
    },
  },
  {
    name: 'the list is in the order of names; length, start and prefix choose from it',
    async play(stage) {
      await stage.snapshots('prod', 'b-2', 'c-1', 'b-1', 'b-3');
      const list = async (...words: readonly string[]) =>
        JSON.parse((await stage.sh('snapshot', 'list', ...words, stage.o3())).stdout).map(
          (s: { name: string }) => s.name,
        );
      expect(await list('--all')).toEqual(['b-1', 'b-2', 'b-3', 'c-1']);
      expect(await list('-l', '2')).toEqual(['b-1', 'b-2']);
      expect(await list('-l', '2', '-s', 'b-1')).toEqual(['b-2', 'b-3']);
      expect(await list('-p', 'c-')).toEqual(['c-1']);
    },
  },
  {
    name: 'a deleted snapshot is shown as deleted and keeps its name until it is purged',
    play: (stage) =>
      beforeThePurge(async (name) => {
        await stage.snapshots('prod', name);
        const bucket = stage.o3();
        const ran = await stage.batch(
          `snapshot delete ${bucket} ${name}`,
          `snapshot info ${bucket} ${name}`,
          `snapshot list --all -p ${name} ${bucket}`,
          `snapshot create ${bucket} ${name}`,
        );
        expect(ran).toMatchObject({ exit: 255, stderr: 'FILE_ALREADY_EXISTS Snapshot already exists\n' });
        const deleted = '"snapshotStatus" : "SNAPSHOT_DELETED"';
        expect(ran.stdout.match(/"snapshotStatus" : "[A-Z_]+"/g)).toEqual([deleted, deleted]);
      }),
  },
  {
    name: 'a snapshot that was deleted a moment ago cannot be deleted again',
    play: (stage) =>
      beforeThePurge(async (name) => {
        await stage.snapshots('prod', name);
        const ran = await stage.batch(`snapshot delete ${stage.o3()} ${name}`, `snapshot delete ${stage.o3()} ${name}`);
        expect(ran).toMatchObject({
          exit: 255,
          stderr: 'FILE_NOT_FOUND Snapshot is already deleted. Pending reclamation.\n',
        });
      }),
  },
  {
    name: 'a listing in the batch of deletions shows them as deleted or not at all, and nothing else changed',
    async play(stage) {
      const names = ['odr-n-1', 'odr-n-2', 'odr-n-3'];
      await stage.snapshots('prod', ...names, 's-1');
      const [first = '', second = '', third] = names;
      const ran = await stage.batch(
        ...[first, second].map((name) => `snapshot delete ${stage.o3()} ${name}`),
        `snapshot list --all -p odr- ${stage.o3()}`,
      );
      expect(ran).toMatchObject({ exit: 0, stderr: '' });
      const echoes = [first, second].map((name) => `snapshot delete ${stage.o3()} ${name}\n\n`).join('');
      const list = `snapshot list --all -p odr- ${stage.o3()}\n`;
      expect(ran.stdout.startsWith(`${echoes}${list}[ {\n`)).toBe(true);
      const listed: readonly { readonly name: string; readonly snapshotStatus: string }[] = JSON.parse(
        ran.stdout.slice(`${echoes}${list}`.length),
      );
      expect(listed.filter((it) => it.snapshotStatus === 'SNAPSHOT_ACTIVE').map((it) => it.name)).toEqual([third]);
      expect(new Set([...names, ...listed.map((it) => it.name)])).toEqual(new Set(names));
    },
  },
  {
    name: 'one start makes snapshots of several buckets and lists them, each under the echo of its command, and stops at a bucket that is not there',
    async play(stage) {
      const other = `${stage.o3()}2`;
      await stage.given(`bucket create ${other}`);
      const made = [stage.o3(), other].flatMap((bucket) => [
        `snapshot create ${bucket} s-1`,
        `snapshot info ${bucket} s-1`,
        `key list --all -p .snapshot/s-1/ ${bucket}`,
      ]);
      const none = `snapshot create ${stage.o3()}-none s-1`;
      const behind = `snapshot create ${other} s-2`;
      const ran = await stage.batch(...made, none, behind);
      expect(ran.exit).toBe(255);
      expect(ran.stderr).toContain('BUCKET_NOT_FOUND');
      const lines = ran.stdout.split('\n');
      const echoes = [...made, none, behind].filter((command) => lines.includes(command));
      expect(echoes).toEqual([...made, none]);
      const names = JSON.parse((await stage.sh('snapshot', 'list', other)).stdout);
      expect(names.map((it: { readonly name: string }) => it.name)).toEqual(['s-1']);
    },
  },
  {
    name: 'a batch of deletions stops at the first that fails, what was behind it stays',
    async play(stage) {
      await stage.snapshots('prod', 'odr-n-1', 'odr-n-2');
      const commands = ['odr-n-1', 'odr-n-0', 'odr-n-2'].map((name) => `snapshot delete ${stage.o3()} ${name}`);
      const ran = await stage.batch(...commands, `snapshot list --all ${stage.o3()}`);
      expect(ran).toEqual({
        exit: 255,
        stdout: `${commands[0]}\n\n${commands[1]}\n`,
        stderr: 'FILE_NOT_FOUND Snapshot does not exist\n',
      });
      const info = JSON.parse((await stage.sh('snapshot', 'info', stage.o3(), 'odr-n-2')).stdout);
      expect(info.snapshotStatus).toBe('SNAPSHOT_ACTIVE');
    },
  },
  {
    name: 'a snapshot with the name of one of distcp is listed by its prefix and deleted by its name',
    async play(stage) {
      const name = 'tempc1f046c4-c9f7-4090-9c3f-ffc30022b5b7s20261120-182443.021';
      await stage.snapshots('prod', name, 's-1');
      const list = ['snapshot', 'list', '--all', '-p', 'temp', stage.o3()];
      expect(JSON.parse((await stage.sh(...list)).stdout)).toMatchObject([{ name }]);
      expect(await stage.sh('snapshot', 'delete', stage.o3(), name)).toEqual({ exit: 0, stdout: '', stderr: '' });
    },
  },
  {
    name: 'a deleted snapshot is no side of a diff and cannot be read',
    play: (stage) =>
      beforeThePurge(async (name) => {
        await stage.snapshots('prod', name, `${name}-to`);
        const ran = await stage.batch(
          `snapshot delete ${stage.o3()} ${name}`,
          `snapshot diff ${stage.o3()} ${name} ${name}-to`,
        );
        const key = `/${stage.volume}/${stage.bucket}/${name}`;
        expect(ran).toMatchObject({
          exit: 255,
          stderr: `FILE_NOT_FOUND Unable to load snapshot. Snapshot with table key '${key}' is no longer active\n`,
        });
        const path = stage.ofs('prod', `.snapshot/${name}`);
        expect(await stage.fs('-ls', path)).toEqual({
          exit: 1,
          stdout: '',
          stderr: `ls: \`${path}': No such file or directory\n`,
        });
      }),
  },
  {
    name: 'a snapshot stays as it was while the bucket changes',
    async play(stage) {
      await stage.change(
        'prod',
        { op: 'text', path: 'a/f', content: 'old' },
        { op: 'text', path: 'g', content: 'gone' },
      );
      await stage.snapshots('prod', 's-1');
      const frozen = await stage.tree('prod', 's-1');
      await stage.change(
        'prod',
        { op: 'text', path: 'a/f', content: 'newer' },
        { op: 'rm', path: 'g' },
        { op: 'mv', path: 'a', to: 'b' },
      );
      expect(await stage.tree('prod', 's-1')).toEqual(frozen);
      expect([...frozen.keys()].sort()).toEqual(['a', 'a/f', 'g']);
      expect(await stage.paths('prod')).toEqual(['b', 'b/f']);
    },
  },
  {
    name: 'a batch echoes each command and stops at the first that fails, with its exit code',
    async play(stage) {
      await stage.snapshots('prod', 's-1', 's-2');
      const words = ['s-1', 'none', 's-2'].map((name) => `snapshot info ${stage.o3()} ${name}`);
      const ran = await stage.driver.run(['ozone', 'sh', ...words.flatMap((word) => ['--execute', word])]);
      expect(ran).toMatchObject({
        exit: 255,
        stderr: `FILE_NOT_FOUND Snapshot '/${stage.volume}/${stage.bucket}/none' is not found.\n`,
      });
      const [first = '', rest = ''] = ran.stdout.split(`${words[1]}\n`);
      expect(first.startsWith(`${words[0]}\n{\n`)).toBe(true);
      expect(first.endsWith('}\n\n')).toBe(true);
      expect(rest).toBe('');
    },
  },
  {
    name: 'the info of a bucket has its layout, owner, quotas and creation time',
    layout: 'LEGACY',
    async play(stage) {
      const info = JSON.parse((await stage.sh('bucket', 'info', stage.o3())).stdout);
      expect(info).toMatchObject({
        metadata: {},
        volumeName: stage.volume,
        name: stage.bucket,
        storageType: 'DISK',
        versioning: false,
        usedBytes: 0,
        usedNamespace: 0,
        quotaInBytes: -1,
        quotaInNamespace: -1,
        bucketLayout: 'LEGACY',
        owner: userInfo().username,
        link: false,
      });
      expect(info.creationTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    },
  },
  {
    name: 'a bucket that exists cannot be created again, one with keys cannot be deleted',
    async play(stage) {
      expect(await stage.sh('bucket', 'create', stage.o3())).toEqual({
        exit: 255,
        stdout: '',
        stderr: 'BUCKET_ALREADY_EXISTS Bucket already exist\n',
      });
      await stage.change('prod', { op: 'text', path: 'f', content: 'x' });
      expect(await stage.sh('bucket', 'delete', stage.o3())).toEqual({
        exit: 255,
        stdout: '',
        stderr: 'BUCKET_NOT_EMPTY Bucket is not empty\n',
      });
    },
  },
];
