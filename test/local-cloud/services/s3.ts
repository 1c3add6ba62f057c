import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { AwsError } from '../errors.ts';
import type { Caller, World } from '../world.ts';

/** An answer of the S3 endpoint; it speaks XML and bytes, not JSON. */
export interface S3Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const none = Buffer.alloc(0);
export const bucketArn = (bucket: string, key = ''): string => `arn:aws:s3:::${bucket}${key === '' ? '' : `/${key}`}`;
const missingKey = () => new AwsError('NoSuchKey', 'The specified key does not exist.', { status: 404 });

/** A part of a key as a file's name: what a file system would take for its own is encoded. */
const encodePart = (part: string): string =>
  /^\.*$/.test(part) ? `%${part.replaceAll('.', '%2E')}` : encodeURIComponent(part);
const decodePart = (name: string): string =>
  name.startsWith('%') && /^%(%2E)*$/.test(name) ? name.slice(1).replaceAll('%2E', '.') : decodeURIComponent(name);

/** S3 over a local folder: one directory per bucket, one file per object, directories where keys have slashes. */
export class S3 {
  readonly #world: World;
  readonly #directory: string;
  readonly #buckets = new Set<string>();

  constructor(world: World, directory: string) {
    this.#world = world;
    this.#directory = directory;
  }

  createBucket(bucket: string): void {
    this.#buckets.add(bucket);
    mkdirSync(join(this.#directory, bucket), { recursive: true });
  }

  put(bucket: string, key: string, body: Buffer): void {
    const file = this.#file(bucket, key);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, body);
  }

  get(bucket: string, key: string): Buffer | undefined {
    try {
      return readFileSync(this.#file(bucket, key));
    } catch {
      return undefined;
    }
  }

  /** Somebody deletes an object; nothing happens when there is none. */
  remove(bucket: string, key: string): void {
    rmSync(this.#file(bucket, key), { force: true });
  }

  /** Objects as a state machine reads and writes them, under its role. */
  readonly asRole = {
    get: (role: Caller, bucket: string, key: string): Buffer => {
      this.#world.authorize(role, 's3:GetObject', bucketArn(bucket, key));
      const content = this.get(bucket, key);
      if (!content) throw missingKey();
      return content;
    },
    put: (role: Caller, bucket: string, key: string, body: Buffer): void => {
      this.#world.authorize(role, 's3:PutObject', bucketArn(bucket, key));
      this.put(bucket, key, body);
    },
  };

  /** Keys of a bucket in S3's order (bytes of UTF-8). */
  keys(bucket: string, prefix = ''): readonly string[] {
    this.#check(bucket);
    const top = join(this.#directory, bucket);
    return readdirSync(top, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(top, join(entry.parentPath, entry.name)).split(sep).map(decodePart).join('/'))
      .filter((key) => key.startsWith(prefix))
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  /** One request with path-style addressing; `target` is the request's own, where no `..` was resolved. */
  handle(
    method: string,
    target: string,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    body: Buffer,
    caller: Caller,
  ): S3Answer {
    const [path = '', query = ''] = target.split('?');
    const search = new URLSearchParams(query);
    const [bucket = '', ...rest] = path.slice(1).split('/').map(decodeURIComponent);
    const key = rest.join('/');
    const { authorize, counters } = this.#world;
    counters.add(`s3.${method}`);
    if (key === '') {
      if (method !== 'GET' || search.get('list-type') !== '2')
        throw new AwsError('NotImplemented', `S3 ${method} ${path}`, { status: 501 });
      authorize(caller, 's3:ListBucket', bucketArn(bucket), { 's3:prefix': search.get('prefix') ?? '' });
      return this.#list(bucket, search);
    }
    for (const name of search.keys()) {
      // The rest is what a presigned address is signed with.
      if (name !== 'x-id' && !/^x-amz-/i.test(name))
        throw new AwsError('NotImplemented', `S3 ${method} with ${name}`, { status: 501 });
    }
    switch (method) {
      case 'PUT': {
        authorize(caller, 's3:PutObject', bucketArn(bucket, key));
        const chunked = String(headers['content-encoding'] ?? '').includes('aws-chunked');
        const content = chunked ? unchunked(body) : body;
        const old = this.get(bucket, key);
        if (headers['if-none-match'] === '*' && old)
          throw new AwsError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
            status: 412,
          });
        this.put(bucket, key, content);
        return { status: 200, headers: { etag: etag(content) }, body: none };
      }
      case 'GET':
      case 'HEAD': {
        authorize(caller, 's3:GetObject', bucketArn(bucket, key));
        const content = this.get(bucket, key);
        if (!content) {
          // "If you don't have s3:ListBucket, S3 returns 403" for a key that is not there (GetObject, API reference).
          authorize(caller, 's3:ListBucket', bucketArn(bucket));
          throw missingKey();
        }
        const modified = statSync(this.#file(bucket, key)).mtime.toUTCString();
        const answer = {
          etag: etag(content),
          'last-modified': modified,
          'content-length': String(content.length),
          'content-type': 'application/octet-stream',
        };
        return { status: 200, headers: answer, body: method === 'GET' ? content : none };
      }
      case 'DELETE':
        authorize(caller, 's3:DeleteObject', bucketArn(bucket, key));
        rmSync(this.#file(bucket, key), { force: true });
        return { status: 204, headers: {}, body: none };
      default:
        throw new AwsError('NotImplemented', `S3 ${method}`, { status: 501 });
    }
  }

  #list(bucket: string, query: URLSearchParams): S3Answer {
    const size = Number(query.get('max-keys') ?? 1000);
    const after = query.get('continuation-token') ?? query.get('start-after') ?? '';
    const keys = this.keys(bucket, query.get('prefix') ?? '').filter((key) => key > after);
    const shown = keys.slice(0, size);
    const more = keys.length > shown.length;
    const contents = shown.map((key) => {
      const content = this.get(bucket, key) ?? none;
      return `<Contents><Key>${escapeXml(key)}</Key><LastModified>${new Date(this.#world.clock.now()).toISOString()}</LastModified><ETag>${escapeXml(etag(content))}</ETag><Size>${content.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
    });
    const next = more ? `<NextContinuationToken>${escapeXml(shown.at(-1) ?? '')}</NextContinuationToken>` : '';
    const xml = `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${bucket}</Name><KeyCount>${shown.length}</KeyCount><MaxKeys>${size}</MaxKeys><IsTruncated>${more}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`;
    return { status: 200, headers: { 'content-type': 'application/xml' }, body: Buffer.from(xml) };
  }

  #file(bucket: string, key: string): string {
    this.#check(bucket);
    return join(this.#directory, bucket, ...key.split('/').map(encodePart));
  }

  #check(bucket: string): void {
    if (!this.#buckets.has(bucket))
      throw new AwsError('NoSuchBucket', `The specified bucket does not exist: ${bucket}`, { status: 404 });
  }
}

const etag = (content: Buffer): string => `"${createHash('md5').update(content).digest('hex')}"`;

export const escapeXml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** The body of an `aws-chunked` upload: `<hex size>[;extension]\r\n<bytes>\r\n` until a chunk of size 0. */
function unchunked(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const line = body.indexOf('\r\n', at);
    const size = line < 0 ? 0 : Number.parseInt(body.toString('latin1', at, line), 16);
    if (!size) return Buffer.concat(parts);
    parts.push(body.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

export const objectUrl = (bucket: string, key: string): string =>
  `https://s3.eu-central-1.amazonaws.com/${bucket}/${key}`;
