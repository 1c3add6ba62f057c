import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

export interface Content {
  readonly content: string;
  readonly size: number;
  /** CRC-32 of the whole content, 8 hex digits: what `-checksum` shows as COMPOSITE-CRC32. */
  readonly crc: string;
}

/** File contents by SHA-256, shared by all clusters of a folder: a copy between clusters moves no bytes. */
export interface BlobStore {
  put(bytes: Buffer): Content;
  get(content: string): Buffer;
}

const describe = (bytes: Buffer): Content => ({
  content: createHash('sha256').update(bytes).digest('hex'),
  size: bytes.length,
  crc: crc32(bytes).toString(16).padStart(8, '0'),
});

export function memoryBlobs(): BlobStore {
  const blobs = new Map<string, Buffer>();
  return {
    put(bytes) {
      const described = describe(bytes);
      blobs.set(described.content, bytes);
      return described;
    },
    get: (content) => blobs.get(content) ?? Buffer.alloc(0),
  };
}

export function folderBlobs(directory: string): BlobStore {
  const pathOf = (content: string) => join(directory, content.slice(0, 2), content);
  return {
    put(bytes) {
      const described = describe(bytes);
      const path = pathOf(described.content);
      if (!existsSync(path)) {
        mkdirSync(join(directory, described.content.slice(0, 2)), { recursive: true });
        const draft = `${path}.${process.pid}`;
        writeFileSync(draft, bytes);
        renameSync(draft, path);
      }
      return described;
    },
    get: (content) => readFileSync(pathOf(content)),
  };
}
