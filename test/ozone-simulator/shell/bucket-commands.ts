import { ClientError } from '../om/errors.ts';
import { usedBytes } from '../om/om.ts';
import type { Bucket, Layout, Volume } from '../store/model.ts';
import { UsageError } from './arguments.ts';
import type { Command } from './command.ts';
import { jackson } from './json.ts';

const iso = (ms: number): string => new Date(ms).toISOString();

const layouts: Readonly<Record<string, Layout>> = {
  fso: 'FILE_SYSTEM_OPTIMIZED',
  file_system_optimized: 'FILE_SYSTEM_OPTIMIZED',
  legacy: 'LEGACY',
  obs: 'OBJECT_STORE',
  object_store: 'OBJECT_STORE',
};

const acls = (owner: string) =>
  [
    ['USER', ['ALL']],
    ['GROUP', ['READ', 'LIST']],
  ].map(([type, list]) => ({
    type: `${type}`,
    name: owner,
    aclScope: 'ACCESS',
    aclList: [...(list ?? [])],
    aclSet: [...(list ?? [])],
  }));

const volumeJson = (volume: Volume, buckets: number) => ({
  metadata: {},
  name: volume.name,
  admin: volume.owner,
  owner: volume.owner,
  quotaInBytes: -1,
  quotaInNamespace: -1,
  usedNamespace: buckets,
  creationTime: iso(volume.created),
  modificationTime: iso(volume.created),
  acls: acls(volume.owner),
  refCount: 0,
});

const bucketJson = (bucket: Bucket) => ({
  metadata: {},
  volumeName: bucket.volume,
  name: bucket.name,
  storageType: 'DISK',
  versioning: false,
  listCacheSize: 1000,
  usedBytes: usedBytes(bucket.table),
  usedNamespace: bucket.table.size,
  creationTime: iso(bucket.created),
  modificationTime: iso(bucket.created),
  sourcePathExist: true,
  quotaInBytes: bucket.quotaInBytes,
  quotaInNamespace: bucket.quotaInNamespace,
  bucketLayout: bucket.layout,
  owner: bucket.owner,
  pendingDeleteBytes: 0,
  pendingDeleteNamespace: 0,
  link: false,
});

export const bucketCommands: readonly Command[] = [
  {
    spec: {
      path: 'volume create',
      about: 'Creates a volume for the specified user',
      flags: [],
      valued: ['-u', '--user', '--quota', '--space-quota', '--namespace-quota'],
      parameters: ['<value>'],
    },
    names: ['create'],
    takes: 'volume',
    run: ({ session, address }) => session.om(address.service).createVolume(address.volume),
  },
  {
    spec: {
      path: 'volume info',
      about: 'returns information about a specific volume',
      flags: [],
      valued: [],
      parameters: ['<value>'],
    },
    names: ['info'],
    takes: 'volume',
    run({ session, address, print }) {
      const om = session.om(address.service);
      const volume = om.volumes().find((candidate) => candidate.name === address.volume);
      if (!volume) throw new ClientError(`VOLUME_NOT_FOUND Volume ${address.volume} is not found`);
      print(`${jackson(volumeJson(volume, om.buckets(volume.name).length))}\n`);
    },
  },
  {
    spec: {
      path: 'volume list',
      about: 'List the volumes of a given user',
      flags: ['-a', '--all'],
      valued: ['-u', '--user', '-l', '--length', '-s', '--start', '-p', '--prefix'],
      parameters: ['[<value>]'],
    },
    names: ['list', 'ls'],
    takes: 'service',
    run({ session, address, print }) {
      const om = session.om(address.service);
      print(`${jackson(om.volumes().map((volume) => volumeJson(volume, om.buckets(volume.name).length)))}\n`);
    },
  },
  {
    spec: {
      path: 'bucket create',
      about: 'creates a bucket in a given volume',
      flags: ['-g', '--enforcegdpr'],
      valued: [
        '-l',
        '--layout',
        '-u',
        '--user',
        '--quota',
        '--space-quota',
        '--namespace-quota',
        '-r',
        '--replication',
        '-t',
        '--type',
        '-k',
        '--bucketkey',
      ],
      parameters: ['<value>'],
    },
    names: ['create'],
    takes: 'bucket',
    run({ session, parsed, address }) {
      const asked = parsed.value('-l', '--layout') ?? 'fso';
      const layout = layouts[asked.toLowerCase()];
      if (!layout) {
        throw new UsageError(
          `Invalid value for option '--layout': cannot convert '${asked}' to BucketLayout (java.lang.IllegalArgumentException: Unknown bucket layout: ${asked})`,
        );
      }
      session.om(address.service).createBucket(address.volume, address.bucket, {
        layout,
        owner: parsed.value('-u', '--user') ?? session.user,
        quotaInBytes: Number(parsed.value('--quota', '--space-quota') ?? -1),
        quotaInNamespace: Number(parsed.value('--namespace-quota') ?? -1),
      });
    },
  },
  {
    spec: {
      path: 'bucket info',
      about: 'returns information about a bucket',
      flags: [],
      valued: [],
      parameters: ['<value>'],
    },
    names: ['info'],
    takes: 'bucket',
    run({ session, address, print }) {
      const om = session.om(address.service);
      if (!om.hasVolume(address.volume))
        throw new ClientError(`VOLUME_NOT_FOUND Volume ${address.volume} is not found`);
      print(`${jackson(bucketJson(om.bucket(address.volume, address.bucket)))}\n`);
    },
  },
  {
    spec: {
      path: 'bucket list',
      about: 'lists the buckets in a volume.',
      flags: ['-a', '--all', '--has-snapshot'],
      valued: ['-l', '--length', '-s', '--start', '-p', '--prefix'],
      parameters: ['<value>'],
    },
    names: ['list', 'ls'],
    takes: 'volume',
    run({ session, address, print }) {
      print(`${jackson(session.om(address.service).buckets(address.volume).map(bucketJson))}\n`);
    },
  },
  {
    spec: {
      path: 'bucket delete',
      about: 'deletes a bucket',
      flags: ['-r', '-y', '--yes'],
      valued: [],
      parameters: ['<value>'],
    },
    names: ['delete'],
    takes: 'bucket',
    run({ session, address, print }) {
      session.om(address.service).deleteBucket(address.volume, address.bucket);
      print(`Bucket ${address.bucket} is deleted\n`);
    },
  },
];
