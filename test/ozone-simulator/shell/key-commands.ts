import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { O3Address } from '../om/address.ts';
import { ClientError, OmError } from '../om/errors.ts';
import type { Found } from '../om/namespace.ts';
import type { Om } from '../om/om.ts';
import { splitSnapshotPath } from '../om/snapshot-path.ts';
import type { Call, Command } from './command.ts';
import { jackson } from './json.ts';

const replicationConfig = { replicationFactor: 'ONE', requiredNodes: 1, minimumNodes: 1, replicationType: 'RATIS' };

const keyJson = (address: O3Address, prefix: string, { path, entry }: Found) => ({
  volumeName: address.volume,
  bucketName: address.bucket,
  name: `${prefix}${path}${entry.dir ? '/' : ''}`,
  owner: entry.owner,
  dataSize: entry.size,
  creationTime: new Date(entry.created).toISOString(),
  modificationTime: new Date(entry.modified).toISOString(),
  replicationConfig,
  metadata: {},
  tags: {},
  file: !entry.dir,
});

function list({ session, parsed, address, print }: Call): void {
  const om = session.om(address.service);
  const asked = parsed.value('-p', '--prefix') ?? '';
  const { snapshot, path } = splitSnapshotPath(asked);
  const prefix = snapshot === '' ? '' : `.snapshot/${snapshot}/`;
  const start = parsed.value('-s', '--start') ?? '';
  const tree = om.tree(address.volume, address.bucket, snapshot);
  const begins = (name: string): boolean => name.startsWith(`${prefix}${path}`);
  // A FILE_SYSTEM_OPTIMIZED bucket reads a prefix that is a whole path as that path: `a/b` does not show `a/b2`, `a/file/` shows the file.
  const whole = path.replace(/\/$/, '');
  const isTree = om.bucket(address.volume, address.bucket).layout === 'FILE_SYSTEM_OPTIMIZED';
  const exact = isTree && whole !== '' ? tree.find(whole) : undefined;
  const named = (name: string): boolean =>
    exact?.dir
      ? name.startsWith(`${prefix}${whole}/`)
      : begins(name) || (exact !== undefined && name === `${prefix}${whole}`);
  const keys = tree
    .walk('')
    .map((found) => keyJson(address, prefix, found))
    .filter((key) => named(key.name) && key.name > start);
  const length = Number(parsed.value('-l', '--length') ?? 100);
  const cut = !parsed.has('-a', '--all') && keys.length > length;
  print(`${jackson(cut ? keys.slice(0, length) : keys)}\n`);
  if (cut)
    session.runtime.err(
      `Listing first ${length} entries of the result. Use --length (-l) to override max returned keys.\n`,
    );
}

function findKey(om: Om, address: O3Address): Found {
  const { snapshot, path } = splitSnapshotPath(address.key);
  const entry = om.tree(address.volume, address.bucket, snapshot).find(path);
  if (!entry) throw new OmError('KEY_NOT_FOUND', `Key:${address.key} not found`);
  return { path: address.key, entry };
}

function refuseSnapshotPath(key: string): void {
  if (key.startsWith('.snapshot/'))
    throw new OmError('INVALID_KEY_NAME', 'Cannot create key under path reserved for snapshot: .snapshot/');
  if (key.includes(':')) throw new OmError('INVALID_KEY_NAME', `Invalid KeyPath ${key}`);
}

export const keyCommands: readonly Command[] = [
  {
    spec: {
      path: 'key list',
      about: 'list all keys in a given volume or bucket or snapshot',
      flags: ['-a', '--all'],
      valued: ['-p', '--prefix', '-l', '--length', '-s', '--start'],
      parameters: ['<value>'],
    },
    names: ['list', 'ls'],
    takes: 'key',
    run: list,
  },
  {
    spec: {
      path: 'key info',
      about: 'returns information about an existing key',
      flags: [],
      valued: [],
      parameters: ['<value>'],
    },
    names: ['info'],
    takes: 'key',
    run({ session, address, print }) {
      const found = findKey(session.om(address.service), address);
      const { owner, file, ...rest } = keyJson(address, '', found);
      const locations = found.entry.dir
        ? []
        : [{ containerID: 1, localID: found.entry.blocks, length: found.entry.size, offset: 0, keyOffset: 0 }];
      print(
        `${jackson({ ...(file ? { ...rest, owner } : rest), ozoneKeyLocations: locations, generation: found.entry.version, file })}\n`,
      );
    },
  },
  {
    spec: {
      path: 'key put',
      about: 'creates or overwrites an existing key',
      flags: [],
      valued: ['-r', '--replication', '-t', '--type'],
      parameters: ['<value>', '<fileName>'],
    },
    names: ['put'],
    takes: 'key',
    run({ session, parsed, address }) {
      const om = session.om(address.service);
      const file = resolve(session.runtime.cwd, parsed.parameters[1] ?? '');
      if (!existsSync(file)) throw new ClientError(`Error: ${parsed.parameters[1]} (No such file or directory)`);
      om.bucket(address.volume, address.bucket);
      refuseSnapshotPath(address.key);
      const content = om.content(readFileSync(file));
      om.edit('key-put', address.volume, address.bucket, (edit) => edit.write(address.key, content, true));
    },
  },
  {
    spec: {
      path: 'key get',
      about: 'Gets a specific key from ozone server',
      flags: ['-f', '--force'],
      valued: [],
      parameters: ['<value>', '<fileName>'],
    },
    names: ['get'],
    takes: 'key',
    run({ session, parsed, address }) {
      const om = session.om(address.service);
      const file = resolve(session.runtime.cwd, parsed.parameters[1] ?? '');
      if (existsSync(file) && !parsed.has('-f', '--force'))
        throw new ClientError(`${parsed.parameters[1]} exists. Download would overwrite an existing file. Aborting.`);
      writeFileSync(file, om.bytes(findKey(om, address).entry.content));
    },
  },
  {
    spec: {
      path: 'key delete',
      about: 'deletes an existing key',
      flags: ['-y', '--yes'],
      valued: [],
      parameters: ['<value>'],
    },
    names: ['delete'],
    takes: 'key',
    run({ session, address }) {
      session
        .om(address.service)
        .edit('key-delete', address.volume, address.bucket, (edit) => edit.remove(address.key, false));
    },
  },
  {
    spec: {
      path: 'key rename',
      about: 'renames an existing key',
      flags: [],
      valued: [],
      parameters: ['<value>', '<fromKey>', '<toKey>'],
    },
    names: ['rename'],
    takes: 'bucket',
    run({ session, parsed, address }) {
      const [, from = '', to = ''] = parsed.parameters;
      const why = session
        .om(address.service)
        .edit('key-rename', address.volume, address.bucket, (edit) => edit.rename(from, to));
      if (why !== null) throw new OmError('KEY_NOT_FOUND', why);
    },
  },
];
