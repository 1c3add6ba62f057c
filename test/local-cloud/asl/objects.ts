import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { AwsError } from '../errors.ts';
import type { Objects } from './execution.ts';

const missing = (name: string) =>
  new AwsError(name, `The specified ${name.slice(6).toLowerCase()} does not exist.`, { status: 404 });

/** S3 in memory, under the names `bucket/key`; buckets exist by their objects, or by the key `bucket/`. */
export function memoryObjects(
  content: Readonly<Record<string, string>>,
): Objects & { readonly all: ReadonlyMap<string, string> } {
  const all = new Map(Object.entries(content));
  return {
    all,
    get: (_role, bucket, key) => {
      const found = all.get(`${bucket}/${key}`);
      if (found === undefined) throw missing('NoSuchKey');
      return Buffer.from(found);
    },
    put: (_role, bucket, key, body) => {
      if (![...all.keys()].some((name) => name.startsWith(`${bucket}/`))) throw missing('NoSuchBucket');
      all.set(`${bucket}/${key}`, body.toString('utf8'));
    },
  };
}

/** S3 as a folder: a folder per bucket, a file per object. Keys that would leave it are refused. */
export function folderObjects(folder: string, buckets: readonly string[]): Objects {
  const fileOf = (bucket: string, key: string): string => {
    if (!buckets.includes(bucket)) throw missing('NoSuchBucket');
    const path = normalize(key);
    if (path.startsWith('..') || path.startsWith('/'))
      throw new AwsError('InvalidObjectName', `key '${key}' leaves the folder`);
    return join(folder, bucket, path);
  };
  return {
    get: (_role, bucket, key) => {
      const file = fileOf(bucket, key);
      try {
        return readFileSync(file);
      } catch {
        throw missing('NoSuchKey');
      }
    },
    put: (_role, bucket, key, body) => {
      const file = fileOf(bucket, key);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, body);
    },
  };
}
