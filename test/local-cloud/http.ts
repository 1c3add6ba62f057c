import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { working } from './clock.ts';
import { AwsError } from './errors.ts';
import type { Faults } from './faults.ts';
import { isObject, type Json, type JsonObject, parseJson } from './json.ts';
import type { Actions } from './services/requests.ts';
import { escapeXml, type S3, type S3Answer } from './services/s3.ts';
import type { Scheduler } from './services/scheduler.ts';
import { type Caller, requestId, root, type World } from './world.ts';

/** A service of AWS's JSON protocols, under the prefix of its `X-Amz-Target`. */
export interface JsonService {
  readonly actions: Actions;
  /** First part of its IAM actions. */
  readonly iam: string;
  /** Content type of requests and answers. */
  readonly version: '1.0' | '1.1';
}

/** A request of an SDK. */
export interface Asked {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export type Answered = S3Answer;

export interface Endpoint {
  readonly url: string;
  /** What a request over the port would be answered, for those who are in this process: half of a call was the way there and back. */
  readonly ask: (asked: Asked) => Promise<Answered>;
  readonly close: () => Promise<void>;
}

/** What the endpoint leads to. */
export interface Services {
  /** By the part of `X-Amz-Target` before the dot. */
  readonly json: Readonly<Record<string, JsonService>>;
  /** Services of the query protocol (SNS), by the service name in the signature. */
  readonly query: Readonly<Record<string, Actions>>;
  readonly s3: S3;
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  /** Lambda's Invoke. */
  readonly invoke: (
    caller: Caller,
    functionName: string,
    payload: Json,
    asynchronous: boolean,
  ) => Promise<{ readonly payload: Json; readonly failed: boolean }>;
  /** Access key ids that belong to roles; others act as root. */
  readonly isRole: (accessKeyId: string) => boolean;
}

/** One loopback port for all services, as `AWS_ENDPOINT_URL` points to. Signatures are read, not checked. */
export async function startEndpoint(world: World, services: Services, port = 0): Promise<Endpoint> {
  const ask = (asked: Asked): Promise<Answered> =>
    working(world.clock, async () => {
      const lowered = Object.entries(asked.headers).map(([name, value]) => [name.toLowerCase(), value]);
      const { status, headers, body } = await answer(world, services, {
        ...asked,
        headers: Object.fromEntries(lowered),
      });
      // An SDK that sees another time than its own takes any error for one of its clock, and calls again.
      const date = new Date(world.clock.now()).toUTCString();
      return { status, headers: { date, 'x-amzn-requestid': requestId(), ...headers }, body };
    });
  const server = createServer((request, response) => {
    void working(world.clock, async () => {
      const { method = 'GET', url = '/', headers } = request;
      const answered = await ask({ method, url, headers, body: await bodyOf(request) });
      response.writeHead(answered.status, answered.headers);
      response.end(answered.body);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  // Else a client that was idle for five seconds, on a slow machine, may write into a connection that is just being closed.
  server.keepAliveTimeout = 0;
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the endpoint listens on no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    ask,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Access key id and service of a version 4 signature, in the header or in the address (a presigned one). */
function signerOf(request: Asked, url: URL): { readonly accessKeyId: string; readonly service: string } {
  const presigned = url.searchParams.get('X-Amz-Credential');
  const signed = presigned === null ? (request.headers.authorization ?? '') : `Credential=${presigned}`;
  const credential = /Credential=([^/,\s]+)\/\d+\/[^/]+\/([^/]+)\/aws4_request/.exec(signed);
  return { accessKeyId: credential?.[1] ?? '', service: credential?.[2] ?? '' };
}

/** A presigned address is good for a while, by the clock of this machine or by that of the cloud: signers have either. */
function refuseExpired(url: URL, now: number): void {
  const [, year, month, day, time = ''] =
    /^(\d{4})(\d{2})(\d{2})T(\d{6})Z$/.exec(url.searchParams.get('X-Amz-Date') ?? '') ?? [];
  if (!year) return;
  const signedAt = Date.parse(`${year}-${month}-${day}T${time.replace(/..(?=.)/g, '$&:')}Z`);
  if (Math.min(Date.now(), now) > signedAt + Number(url.searchParams.get('X-Amz-Expires')) * 1000)
    throw new AwsError('AccessDenied', 'Request has expired', { status: 403 });
}

async function answer(world: World, services: Services, request: Asked): Promise<Answered> {
  const url = new URL(request.url, 'http://127.0.0.1');
  const { accessKeyId, service } = signerOf(request, url);
  const caller = services.isRole(accessKeyId) ? accessKeyId : root;
  const { method } = request;
  const target = request.headers['x-amz-target'];
  try {
    if (typeof target === 'string') return await answerJson(world, services, target, request.body, caller);
    if (service === 's3') {
      refuseExpired(url, world.clock.now());
      return await services.faults.call(s3Action(method, url), caller, () =>
        services.s3.handle(method, request.url, request.headers, request.body, caller),
      );
    }
    if (service === 'lambda')
      return await services.faults.call('lambda:InvokeFunction', caller, () =>
        answerInvoke(services, url, request, caller),
      );
    if (service === 'scheduler') return await answerScheduler(services, url, request, caller);
    if (services.query[service]) return await answerQuery(services, service, request.body, caller);
    throw new AwsError('UnknownOperationException', `nothing here answers ${method} ${url.pathname} of '${service}'`);
  } catch (error) {
    const failure =
      error instanceof AwsError
        ? error
        : new AwsError('InternalFailure', error instanceof Error ? (error.stack ?? error.message) : String(error), {
            status: 500,
          });
    world.tell('refused', { service: target ?? service, caller, error: failure.name, message: failure.message });
    return typeof target === 'string' || service === 'lambda' || service === 'scheduler'
      ? errorAnswer(failure)
      : xmlErrorAnswer(failure, service);
  }
}

async function answerJson(
  world: World,
  services: Services,
  target: string,
  body: Buffer,
  caller: Caller,
): Promise<Answered> {
  const [prefix = '', action = ''] = target.split('.');
  const service = services.json[prefix];
  const run = service?.actions[action];
  if (!service || !run) throw new AwsError('UnknownOperationException', `${target} is not emulated`);
  const request = parseJson(body.length === 0 ? '{}' : body.toString('utf8'));
  if (!isRequest(request)) throw new AwsError('SerializationException', 'the body is no JSON object');
  if (!prefix.startsWith('DynamoDB')) world.counters.add(`${prefix}.${action}`);
  const result = await services.faults.call(`${service.iam}:${action}`, caller, () => run(request, caller));
  return jsonAnswer(200, result, `application/x-amz-json-${service.version}`);
}

const isRequest = (value: Json | undefined): value is JsonObject => isObject(value);

/** `POST /2015-03-31/functions/<name>/invocations` */
async function answerInvoke(services: Services, url: URL, request: Asked, caller: Caller): Promise<Answered> {
  const name = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(url.pathname)?.[1];
  if (request.method !== 'POST' || name === undefined)
    throw new AwsError('UnknownOperationException', `Lambda ${request.method} ${url.pathname} is not emulated`);
  const qualifier = url.searchParams.get('Qualifier');
  const target = decodeURIComponent(name) + (qualifier === null ? '' : `:${qualifier}`);
  const asynchronous = request.headers['x-amz-invocation-type'] === 'Event';
  const payload = parseJson(request.body.length === 0 ? '{}' : request.body.toString('utf8'));
  if (payload === undefined)
    throw new AwsError('InvalidRequestContentException', 'Could not parse request body into json');
  const result = await services.invoke(caller, target, payload, asynchronous);
  const failed: Readonly<Record<string, string>> = result.failed ? { 'x-amz-function-error': 'Unhandled' } : {};
  return jsonAnswer(asynchronous ? 202 : 200, result.payload, 'application/json', failed);
}

/** The IAM action of an S3 request, as far as S3 is emulated. */
function s3Action(method: string, url: URL): string {
  if (url.pathname.replace(/\/$/, '').split('/').length <= 2) return 's3:ListBucket';
  return `s3:${{ GET: 'Get', HEAD: 'Get', PUT: 'Put', DELETE: 'Delete' }[method] ?? method}Object`;
}

async function answerScheduler(
  services: Services,
  url: URL,
  { method, body }: Asked,
  caller: Caller,
): Promise<Answered> {
  const fields = parseJson(body.length === 0 ? '{}' : body.toString('utf8'));
  if (!isRequest(fields)) throw new AwsError('ValidationException', 'the body is no JSON object');
  const result = await services.faults.call(`scheduler:${method}`, caller, () =>
    services.scheduler.handle(method, url.pathname, url.searchParams, fields, caller),
  );
  return jsonAnswer(200, result, 'application/json');
}

async function answerQuery(services: Services, service: string, body: Buffer, caller: Caller): Promise<Answered> {
  const fields = Object.fromEntries(new URLSearchParams(body.toString('utf8')));
  const action = fields.Action ?? '';
  const run = services.query[service]?.[action];
  if (!run) throw new AwsError('InvalidAction', `${action} is not emulated`);
  const result = await services.faults.call(`${service}:${action}`, caller, () => run(fields, caller));
  const members = isRequest(result)
    ? Object.entries(result).map(([name, value]) => `<${name}>${escapeXml(String(value))}</${name}>`)
    : [];
  const xml = `<${action}Response><${action}Result>${members.join('')}</${action}Result><ResponseMetadata><RequestId>${requestId()}</RequestId></ResponseMetadata></${action}Response>`;
  return { status: 200, headers: { 'content-type': 'text/xml' }, body: Buffer.from(xml) };
}

const jsonAnswer = (
  status: number,
  value: Json,
  type: string,
  headers: Readonly<Record<string, string>> = {},
): Answered => ({ status, headers: { 'content-type': type, ...headers }, body: Buffer.from(JSON.stringify(value)) });

const errorAnswer = ({ name, message, status, extra }: AwsError): Answered =>
  jsonAnswer(status, { __type: name, message, ...extra }, 'application/x-amz-json-1.0', { 'x-amzn-errortype': name });

function xmlErrorAnswer(error: AwsError, service: string): Answered {
  const inner = `<Code>${escapeXml(error.name)}</Code><Message>${escapeXml(error.message)}</Message>`;
  const status = error.name === 'AccessDeniedException' ? 403 : error.status;
  const code = error.name === 'AccessDeniedException' ? inner.replace('AccessDeniedException', 'AccessDenied') : inner;
  const xml =
    service === 's3'
      ? `<Error>${code}</Error>`
      : `<ErrorResponse><Error><Type>Sender</Type>${inner}</Error></ErrorResponse>`;
  return {
    status,
    headers: { 'content-type': 'application/xml' },
    body: Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${xml}`),
  };
}
