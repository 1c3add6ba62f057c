import { OmError } from '../om/errors.ts';
import { generatedName } from '../om/names.ts';
import { exclusiveBytes, type Om } from '../om/om.ts';
import type { Bucket, Snapshot } from '../store/model.ts';
import type { Command } from './command.ts';
import { jackson } from './json.ts';

/** Replicated sizes are those of one copy. */
const snapshotJson = (om: Om, bucket: Bucket, snapshot: Snapshot) => ({
  volumeName: bucket.volume,
  bucketName: bucket.name,
  name: snapshot.name,
  creationTime: snapshot.created,
  snapshotStatus: snapshot.status,
  snapshotId: snapshot.id,
  snapshotPath: `${bucket.volume}/${bucket.name}`,
  checkpointDir: `-${snapshot.id}`,
  referencedSize: snapshot.usedBytes,
  referencedReplicatedSize: snapshot.usedBytes,
  ...exclusiveSizes(isCounted(om, snapshot) ? exclusiveBytes(bucket, snapshot) : 0),
});

const isCounted = (om: Om, { created }: Snapshot): boolean => created + om.settings.exclusiveSizeAfterMs <= om.now();

const exclusiveSizes = (bytes: number) => ({ exclusiveSize: bytes, exclusiveReplicatedSize: bytes });

export const snapshotCommands: readonly Command[] = [
  {
    spec: {
      path: 'snapshot create',
      about: 'Create a snapshot',
      flags: [],
      valued: [],
      parameters: ['<value>', '[<snapshotName>]'],
    },
    names: ['create'],
    takes: 'bucket',
    run({ session, parsed, address, verbose, print }) {
      const om = session.om(address.service);
      const name = parsed.parameters[1] ?? generatedName(om.now());
      om.createSnapshot(address.volume, address.bucket, name);
      if (verbose) print(`Created snapshot '${name}' under '${address.volume}/${address.bucket}'.\n`);
    },
  },
  {
    spec: {
      path: 'snapshot delete',
      about: 'Delete a snapshot',
      flags: [],
      valued: [],
      parameters: ['<value>', '<snapshotName>'],
    },
    names: ['delete'],
    takes: 'bucket',
    run({ session, parsed, address, verbose, print }) {
      const name = parsed.parameters[1] ?? '';
      session.om(address.service).deleteSnapshot(address.volume, address.bucket, name);
      if (verbose) print(`Deleted snapshot '${name}' under '${address.volume}/${address.bucket}'.\n`);
    },
  },
  {
    spec: {
      path: 'snapshot info',
      about: 'Returns information about an existing snapshot',
      flags: [],
      valued: [],
      parameters: ['<value>', '<snapshotName>'],
    },
    names: ['info'],
    takes: 'bucket',
    run({ session, parsed, address, print }) {
      const om = session.om(address.service);
      const snapshot = om.snapshot(address.volume, address.bucket, parsed.parameters[1] ?? '');
      print(`${jackson(snapshotJson(om, om.bucket(address.volume, address.bucket), snapshot))}\n`);
    },
  },
  {
    spec: {
      path: 'snapshot list',
      about: 'List snapshots for a bucket.',
      flags: ['-a', '--all'],
      valued: ['-l', '--length', '-s', '--start', '-p', '--prefix'],
      parameters: ['<value>'],
    },
    names: ['list', 'ls'],
    takes: 'bucket',
    run({ session, parsed, address, print }) {
      const om = session.om(address.service);
      const bucket = om.bucket(address.volume, address.bucket);
      const start = parsed.value('-s', '--start') ?? '';
      const prefix = parsed.value('-p', '--prefix') ?? '';
      const length = parsed.has('-a', '--all')
        ? bucket.snapshots.length
        : Number(parsed.value('-l', '--length') ?? 100);
      const listed = bucket.snapshots.filter((s) => s.name > start && s.name.startsWith(prefix)).slice(0, length);
      print(`${jackson(listed.map((s) => snapshotJson(om, bucket, s)))}\n`);
    },
  },
  {
    spec: {
      path: 'snapshot rename',
      about: 'Rename a snapshot',
      flags: [],
      valued: [],
      parameters: ['<value>', '<snapshotOldName>', '<snapshotNewName>'],
    },
    names: ['rename'],
    takes: 'bucket',
    run() {
      throw new OmError(
        'FEATURE_NOT_ENABLED',
        'Ozone snapshot rename feature is not allowed per Ozone Manager server config',
      );
    },
  },
];
