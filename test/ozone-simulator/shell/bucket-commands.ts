import { parseO3 } from '../om/address.ts';
import { ClientError, OmError } from '../om/errors.ts';
import { ownersAcls, usedBytes } from '../om/om.ts';
import type { Acl, Bucket, Layout, Volume } from '../store/model.ts';
import { aclJson, aclText, parseAcl } from './acls.ts';
import { type Parsed, UsageError } from './arguments.ts';
import type { Command } from './command.ts';
import { jackson } from './json.ts';
import { replicationJson, replicationOf } from './replication.ts';

const aclsOf = (parsed: Parsed): readonly Acl[] =>
  (parsed.value('-a', '--acls', '--acl') ?? '').split(',').map((text) => {
    const acl = parseAcl(text);
    if (!acl) throw new UsageError(`Invalid acl: ${text}`);
    return acl;
  });

const iso = (ms: number): string => new Date(ms).toISOString();

const layouts: Readonly<Record<string, Layout>> = {
  fso: 'FILE_SYSTEM_OPTIMIZED',
  file_system_optimized: 'FILE_SYSTEM_OPTIMIZED',
  legacy: 'LEGACY',
  obs: 'OBJECT_STORE',
  object_store: 'OBJECT_STORE',
};

/** `1000000`, `1000000B`, `5GB` */
function quotaOf(text: string | undefined): number {
  if (text === undefined) return -1;
  const [, digits = '', unit = 'B'] = /^(\d+)(B|KB|MB|GB|TB)?$/.exec(text) ?? [];
  const bytes = Number(digits) * 1024 ** ['B', 'KB', 'MB', 'GB', 'TB'].indexOf(unit);
  if (digits === '' || bytes === 0) throw new ClientError(`Invalid value for space quota: ${text}`);
  return bytes;
}

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
  acls: ownersAcls(volume.owner).map(aclJson),
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
  ...(bucket.replication === '' ? {} : { replicationConfig: replicationJson(bucket.replication) }),
  link: false,
});

/** Ozone 2.2.0 shows nothing of the bucket that a link leads to. */
const linkJson = ({ volume, name, leadsTo = '', created, owner }: Bucket) => ({
  volumeName: volume,
  name,
  sourceVolume: leadsTo.replace(/\/.*/, ''),
  sourceBucket: leadsTo.replace(/.*\//, ''),
  creationTime: iso(created),
  modificationTime: iso(created),
  owner,
  link: true,
});

const shown = (bucket: Bucket) => (bucket.leadsTo === undefined ? bucketJson(bucket) : linkJson(bucket));

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
        '--replication-type',
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
      const bucket = {
        layout,
        owner: parsed.value('-u', '--user') ?? session.user,
        quotaInBytes: quotaOf(parsed.value('--quota', '--space-quota')),
        quotaInNamespace: Number(parsed.value('--namespace-quota') ?? -1),
        replication: replicationOf(
          parsed.value('-t', '--type', '--replication-type'),
          parsed.value('-r', '--replication'),
        ),
      };
      if (parsed.value('-k', '--bucketkey') !== undefined)
        throw new OmError(
          'INVALID_KMS_PROVIDER',
          'Invalid KMS provider, check configuration hadoop.security.key.provider.path',
        );
      session.om(address.service).createBucket(address.volume, address.bucket, bucket);
    },
  },
  {
    spec: {
      path: 'bucket link',
      about: 'creates a symlink to another bucket',
      flags: [],
      valued: [],
      parameters: ['<source>', '<target>'],
    },
    names: ['link'],
    takes: 'bucket',
    run({ session, parsed, address }) {
      const target = parseO3(parsed.parameters[1] ?? '', session.services);
      session.om(address.service).createBucket(target.volume, target.bucket, {
        layout: 'OBJECT_STORE',
        owner: session.user,
        quotaInBytes: -1,
        quotaInNamespace: -1,
        replication: '',
        leadsTo: `${address.volume}/${address.bucket}`,
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
      const found = om.findBucket(address.volume, address.bucket);
      const bucket = om.bucket(address.volume, address.bucket);
      print(`${jackson(shown(found?.leadsTo === undefined ? bucket : found))}\n`);
    },
  },
  {
    spec: { path: 'bucket getacl', about: 'List all acls.', flags: [], valued: [], parameters: ['<value>'] },
    names: ['getacl'],
    takes: 'bucket',
    run({ session, address, print }) {
      const found = session.om(address.service).findBucket(address.volume, address.bucket);
      if (!found) throw new OmError('BUCKET_NOT_FOUND', `Bucket ${address.bucket} is not found`);
      print(`${jackson(session.om(address.service).bucket(address.volume, address.bucket).acls.map(aclJson))}\n`);
    },
  },
  {
    spec: {
      path: 'bucket addacl',
      about: 'Add a list of new Acls.',
      flags: [],
      valued: ['-a', '--acls', '--acl'],
      parameters: ['<value>'],
    },
    names: ['addacl'],
    takes: 'bucket',
    run({ session, parsed, address, print }) {
      const acls = aclsOf(parsed);
      session.om(address.service).addAcls(address.volume, address.bucket, acls);
      for (const acl of acls) print(`ACL ${aclText(acl)} added successfully.\n`);
    },
  },
  {
    spec: {
      path: 'bucket setacl',
      about: 'Set a list of acls.',
      flags: [],
      valued: ['-a', '--acls', '--acl'],
      parameters: ['<value>'],
    },
    names: ['setacl'],
    takes: 'bucket',
    run({ session, parsed, address, print }) {
      session.om(address.service).setAcls(address.volume, address.bucket, aclsOf(parsed));
      print('ACLs set successfully.\n');
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
      print(`${jackson(session.om(address.service).buckets(address.volume).map(shown))}\n`);
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
    run({ session, parsed, address, print }) {
      const om = session.om(address.service);
      if (parsed.has('-r')) {
        if (!parsed.has('-y', '--yes')) throw new ClientError('java.util.NoSuchElementException');
        om.emptyBucket(address.volume, address.bucket);
        // Ozone 2.2.0 only prints this failure, and ends with 0.
        if (om.bucket(address.volume, address.bucket).snapshots.length > 0) {
          print(`Could not delete bucket Bucket ${address.bucket} can't be deleted when it has snapshots.\n`);
          return;
        }
      }
      om.deleteBucket(address.volume, address.bucket);
      print(`Bucket ${address.bucket} is deleted\n`);
    },
  },
];
