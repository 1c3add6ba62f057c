import { userInfo } from 'node:os';
import { expect } from 'vitest';
import type { Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';

const failure = (text: string) => ({ exit: 255, stdout: '', stderr: `${text}\n` });

/** `bucket info` of another bucket of the scenario's own, made with these options. */
async function made(stage: Stage, suffix: string, ...options: readonly string[]) {
  const bucket = `${stage.o3()}-${suffix}`;
  expect(await stage.sh('bucket', 'create', ...options, bucket)).toEqual({ exit: 0, stdout: '', stderr: '' });
  return JSON.parse((await stage.sh('bucket', 'info', bucket)).stdout);
}

const owners = [
  { type: 'USER', name: userInfo().username, aclScope: 'ACCESS', aclList: ['ALL'], aclSet: ['ALL'] },
  { type: 'GROUP', aclScope: 'ACCESS', aclList: ['READ', 'LIST'], aclSet: ['READ', 'LIST'] },
];

export const bucketScenarios: readonly Scenario[] = [
  {
    name: 'a bucket that was made without a replication shows none',
    async play(stage) {
      expect(JSON.parse((await stage.sh('bucket', 'info', stage.o3())).stdout)).not.toHaveProperty('replicationConfig');
    },
  },
  {
    name: 'a bucket shows the RATIS replication and the quotas that it was made with',
    async play(stage) {
      const quotas = ['--space-quota', '1000000', '--namespace-quota', '50'];
      expect(await made(stage, 'one', '-l', 'LEGACY', '-t', 'RATIS', '-r', 'ONE', ...quotas)).toMatchObject({
        bucketLayout: 'LEGACY',
        quotaInBytes: 1_000_000,
        quotaInNamespace: 50,
        replicationConfig: { replicationFactor: 'ONE', requiredNodes: 1, minimumNodes: 1, replicationType: 'RATIS' },
      });
      const three = await made(stage, 'three', '-l', 'FILE_SYSTEM_OPTIMIZED', '-t', 'RATIS', '-r', 'THREE');
      expect(three).toMatchObject({
        quotaInBytes: -1,
        replicationConfig: { replicationFactor: 'THREE', requiredNodes: 3, minimumNodes: 1, replicationType: 'RATIS' },
      });
    },
  },
  {
    name: 'a bucket shows its erasure coding in parts, the codec in capitals and the chunk in bytes',
    async play(stage) {
      const { replicationConfig } = await made(stage, 'coded', '-l', 'fso', '-t', 'EC', '-r', 'rs-3-2-1024k');
      expect(replicationConfig).toEqual({
        data: 3,
        parity: 2,
        ecChunkSize: 1_048_576,
        codec: 'RS',
        replicationType: 'EC',
        requiredNodes: 5,
        minimumNodes: 3,
      });
    },
  },
  {
    name: 'a bucket cannot be made with a replication or a quota that does not exist',
    async play(stage) {
      const bucket = `${stage.o3()}-none`;
      const create = (...options: readonly string[]) => stage.sh('bucket', 'create', '-l', 'fso', ...options, bucket);
      expect(await create('-r', 'ONE')).toEqual(failure('Replication type must be specified for: ONE'));
      const four = 'FOUR is not supported for RATIS replication type';
      expect(await create('-t', 'RATIS', '-r', 'FOUR')).toEqual(failure(four));
      const codec = 'The codec bogus is invalid. It must be one of rs,xor.';
      expect(await create('-t', 'EC', '-r', 'bogus-3-2-1024k')).toEqual(failure(codec));
      const pattern = '^((STANDALONE|RATIS)/(ONE|THREE))|(EC/(3-2|6-3|10-4)-(512|1024|2048|4096)k)$';
      expect(await create('-t', 'EC', '-r', 'xor-2-1-512k')).toEqual(
        failure(
          `Invalid replication config EC/2-1-512k. Config must match the pattern defined by ozone.replication.allowed-configs (${pattern})`,
        ),
      );
      expect(await create('--space-quota', '0')).toEqual(failure('Invalid value for space quota: 0'));
    },
  },
  {
    name: 'a bucket with a key needs a KMS, a bucket needs its volume',
    async play(stage) {
      expect(await stage.sh('bucket', 'create', '-k', 'key', `${stage.o3()}-key`)).toEqual(
        failure('INVALID_KMS_PROVIDER Invalid KMS provider, check configuration hadoop.security.key.provider.path'),
      );
      expect(await stage.sh('bucket', 'create', 'o3://prod/no-volume/bkt')).toEqual(
        failure('VOLUME_NOT_FOUND Volume no-volume is not found'),
      );
    },
  },
  {
    name: 'the ACLs of a bucket are those of its owner and what was added, each with a scope',
    async play(stage) {
      expect(JSON.parse((await stage.sh('bucket', 'getacl', stage.o3())).stdout)).toMatchObject(owners);
      const added = await stage.sh(
        'bucket',
        'addacl',
        '-a',
        'user:bob:rw,group:staff:lr[DEFAULT],world::r',
        stage.o3(),
      );
      expect(added).toEqual({
        exit: 0,
        stdout:
          'ACL user:bob:rw[ACCESS] added successfully.\n' +
          'ACL group:staff:rl[DEFAULT] added successfully.\n' +
          'ACL world:WORLD:r[ACCESS] added successfully.\n',
        stderr: '',
      });
      const { stdout } = await stage.sh('bucket', 'getacl', stage.o3());
      expect(JSON.parse(stdout)).toMatchObject([
        ...owners,
        { type: 'USER', name: 'bob', aclScope: 'ACCESS', aclList: ['READ', 'WRITE'] },
        { type: 'GROUP', name: 'staff', aclScope: 'DEFAULT', aclList: ['READ', 'LIST'] },
        { type: 'WORLD', name: 'WORLD', aclScope: 'ACCESS', aclList: ['READ'] },
      ]);
      expect(stdout.startsWith('[ {\n  "type" : "USER",\n')).toBe(true);
      expect(stdout).toContain('  "aclList" : [ "READ", "LIST" ],\n');
    },
  },
  {
    name: 'setting the ACLs of a bucket replaces all of them, those of its owner too',
    async play(stage) {
      const set = (acls: string) => stage.sh('bucket', 'setacl', '-a', acls, stage.o3());
      const done = { exit: 0, stdout: 'ACLs set successfully.\n', stderr: '' };
      expect(await set('user:bob:rwcldxy,group:staff:a[DEFAULT],world::rl')).toEqual(done);
      expect(await set('user:bob:rl,group:staff:rl[DEFAULT],world::rl')).toEqual(done);
      const { stdout } = await stage.sh('bucket', 'getacl', stage.o3());
      const reading = { aclList: ['READ', 'LIST'] };
      const left: readonly { readonly type: string }[] = JSON.parse(stdout);
      expect(left).toHaveLength(3);
      expect(left.toSorted((one, other) => (one.type < other.type ? -1 : 1))).toMatchObject([
        { type: 'GROUP', name: 'staff', aclScope: 'DEFAULT', ...reading },
        { type: 'USER', name: 'bob', aclScope: 'ACCESS', ...reading },
        { type: 'WORLD', name: 'WORLD', aclScope: 'ACCESS', ...reading },
      ]);
    },
  },
  {
    name: 'the ACLs of a bucket that is not there',
    async play(stage) {
      const missing = `o3://prod/${stage.volume}/nowhere`;
      expect(await stage.sh('bucket', 'getacl', missing)).toEqual(
        failure('BUCKET_NOT_FOUND Bucket nowhere is not found'),
      );
    },
  },
];
