import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { leanSdk } from '../../functions/lean-sdk.mjs';
import { project } from './template.ts';

const LIMIT = 600_000;
const bundles = project('dist/functions');

describe('bundles of the handlers', () => {
  it.each(readdirSync(bundles))('%s has at most 600 KB', (name) => {
    expect(statSync(join(bundles, name, 'index.mjs')).size).toBeLessThanOrEqual(LIMIT);
  });

  it('an error that an adapter compares by its class is a class in the bundle', () => {
    expect(readFileSync(join(bundles, 'settle-operation/index.mjs'), 'utf8')).toContain('"InvocationDoesNotExist"');
    expect(readFileSync(join(bundles, 'settle-operation/index.mjs'), 'utf8')).not.toContain(
      '"OpsItemNotFoundException"',
    );
  });
});

/** What handlers send, into a handler of requests that answers `status` and `body` and keeps what it was given. */
const PROBE = `
  import { SSMClient, SendCommandCommand, GetCommandInvocationCommand, InvocationDoesNotExist } from '@aws-sdk/client-ssm';
  import { S3Client, GetObjectCommand, ListObjectsV2Command, PutObjectCommand, NoSuchKey } from '@aws-sdk/client-s3';
  import { HttpResponse } from '@smithy/core/protocols';
  import { Readable } from 'node:stream';
  const sent = [];
  const client = (Client, statusCode, body) => new Client({
    region: 'eu-central-1', maxAttempts: 1,
    requestHandler: { handle: async ({ method, path, query, headers, body: content }) => {
      const volatile = /^(x-amz-date|authorization|amz-sdk-invocation-id|x-amz-user-agent|user-agent)$/;
      sent.push({ method, path, query, content: Buffer.from(content ?? '').toString(), headers: Object.entries(headers).filter(([name]) => !volatile.test(name)).sort() });
      return { response: new HttpResponse({ statusCode, headers: { etag: '"e"', 'content-length': String(body.length) }, body: Readable.from([Buffer.from(body)]) }) };
    } },
  });
  const told = async (of, ...classes) => {
    const answer = await of.catch((error) => ({ name: error.name, message: error.message, is: classes.map((it) => error instanceof it) }));
    if (answer.Body) return await answer.Body.transformToString();
    const { $metadata, ...rest } = answer;
    return rest;
  };
  const ssm = (...answer) => client(SSMClient, ...answer);
  const s3 = (...answer) => client(S3Client, ...answer);
  const at = { Bucket: 'b', Key: 'k/ä' };
  const command = { CommandId: '0'.repeat(36), InstanceId: 'i-0' };
  export const answers = async () => [
    await told(ssm(200, '{"Command":{"CommandId":"c","RequestedDateTime":1.5,"Parameters":{"a":["b"]}}}').send(
      new SendCommandCommand({ DocumentName: 'd', InstanceIds: ['i-0'], Parameters: { a: ['b'] }, TimeoutSeconds: 30 }))),
    await told(ssm(400, '{"__type":"InvocationDoesNotExist","message":"no"}').send(new GetCommandInvocationCommand(command)), InvocationDoesNotExist),
    await told(ssm(400, '{"__type":"com.amazonaws.ssm#OpsItemNotFoundException","Message":"no"}').send(new GetCommandInvocationCommand(command)), InvocationDoesNotExist),
    await told(s3(200, 'text').send(new GetObjectCommand(at))),
    await told(s3(404, '<Error><Code>NoSuchKey</Code><Message>no</Message></Error>').send(new GetObjectCommand(at)), NoSuchKey),
    await told(s3(200, '').send(new PutObjectCommand({ ...at, Body: 'text', ContentType: 'text/plain', IfNoneMatch: '*' }))),
    await told(s3(200, '<ListBucketResult><KeyCount>1</KeyCount><Contents><Key>a</Key><Size>3</Size></Contents></ListBucketResult>').send(
      new ListObjectsV2Command({ Bucket: 'b', Prefix: 'p', MaxKeys: 1 }))),
    sent,
  ];
`;

describe('what is left out of the SDK', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ozone-dr-bundles-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('changes no request and no answer', async () => {
    process.env.AWS_ACCESS_KEY_ID ??= 'nobody';
    process.env.AWS_SECRET_ACCESS_KEY ??= 'nothing';
    const ask = async (name: string, plugins: readonly Plugin[]): Promise<unknown> => {
      const outfile = join(folder, `${name}.mjs`);
      await build({
        stdin: { contents: PROBE, resolveDir: project('test/infra') },
        ...{ bundle: true, minify: true, platform: 'node', format: 'esm', mainFields: ['module', 'main'], outfile },
        banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
        plugins: [...plugins],
      });
      const { answers } = await import(pathToFileURL(outfile).href);
      return answers();
    };
    const lean = await ask('lean', [leanSdk]);
    expect(lean).toEqual(await ask('whole', []));
    expect(lean).toMatchObject({ 1: { name: 'InvocationDoesNotExist', is: [true] }, 4: { is: [true] }, 3: 'text' });
  });
});
