import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { working } from './clock.ts';
import { AwsError } from './errors.ts';
import type { Faults } from './faults.ts';
import { isObject, type Json, type JsonObject, parseJson } from './json.ts';
import type { Actions } from './services/requests.ts';
import { escapeXml, type S3 } from './services/s3.ts';
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

export interface Endpoint {
  readonly url: string;
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
  const server = createServer((request, response) => {
    // An SDK that sees another time than its own takes any error for one of its clock, and calls again.
    response.setHeader('date', new Date(world.clock.now()).toUTCString());
    void working(world.clock, () => answer(world, services, request, response));
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
function signerOf(request: IncomingMessage, url: URL): { readonly accessKeyId: string; readonly service: string } {
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

async function answer(
  world: World,
  services: Services,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  const { accessKeyId, service } = signerOf(request, url);
  const caller = services.isRole(accessKeyId) ? accessKeyId : root;
  const target = request.headers['x-amz-target'];
  try {
    const body = await bodyOf(request);
    if (typeof target === 'string') await answerJson(world, services, target, body, caller, response);
    else if (service === 's3') {
      refuseExpired(url, world.clock.now());
      const method = request.method ?? 'GET';
      const done = await services.faults.call(s3Action(method, url), caller, () =>
        services.s3.handle(method, request.url ?? '/', request.headers, body, caller),
      );
      send(response, done.status, done.headers, done.body);
    } else if (service === 'lambda')
      await services.faults.call('lambda:InvokeFunction', caller, () =>
        answerInvoke(services, url, request, body, caller, response),
      );
    else if (service === 'scheduler') await answerScheduler(services, url, request, body, caller, response);
    else if (services.query[service]) await answerQuery(services, service, body, caller, response);
    else
      throw new AwsError(
        'UnknownOperationException',
        `nothing here answers ${request.method} ${url.pathname} of '${service}'`,
      );
  } catch (error) {
    const failure =
      error instanceof AwsError
        ? error
        : new AwsError('InternalFailure', error instanceof Error ? (error.stack ?? error.message) : String(error), {
            status: 500,
          });
    world.tell('refused', { service: target ?? service, caller, error: failure.name, message: failure.message });
    if (typeof target === 'string' || service === 'lambda' || service === 'scheduler') sendError(response, failure);
    else sendXmlError(response, failure, service);
  }
}

async function answerJson(
  world: World,
  services: Services,
  target: string,
  body: Buffer,
  caller: Caller,
  response: ServerResponse,
): Promise<void> {
  const [prefix = '', action = ''] = target.split('.');
  const service = services.json[prefix];
  const run = service?.actions[action];
  if (!service || !run) throw new AwsError('UnknownOperationException', `${target} is not emulated`);
  const request = parseJson(body.length === 0 ? '{}' : body.toString('utf8'));
  if (!isRequest(request)) throw new AwsError('SerializationException', 'the body is no JSON object');
  if (!prefix.startsWith('DynamoDB')) world.counters.add(`${prefix}.${action}`);
  const result = await services.faults.call(`${service.iam}:${action}`, caller, () => run(request, caller));
  sendJson(response, 200, service.version, result);
}

const isRequest = (value: Json | undefined): value is JsonObject => isObject(value);

/** `POST /2015-03-31/functions/<name>/invocations` */
async function answerInvoke(
  services: Services,
  url: URL,
  request: IncomingMessage,
  body: Buffer,
  caller: Caller,
  response: ServerResponse,
): Promise<void> {
  const name = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(url.pathname)?.[1];
  if (request.method !== 'POST' || name === undefined)
    throw new AwsError('UnknownOperationException', `Lambda ${request.method} ${url.pathname} is not emulated`);
  const qualifier = url.searchParams.get('Qualifier');
  const target = decodeURIComponent(name) + (qualifier === null ? '' : `:${qualifier}`);
  const asynchronous = request.headers['x-amz-invocation-type'] === 'Event';
  const payload = parseJson(body.length === 0 ? '{}' : body.toString('utf8'));
  if (payload === undefined)
    throw new AwsError('InvalidRequestContentException', 'Could not parse request body into json');
  const result = await services.invoke(caller, target, payload, asynchronous);
  const failed: Readonly<Record<string, string>> = result.failed ? { 'x-amz-function-error': 'Unhandled' } : {};
  send(
    response,
    asynchronous ? 202 : 200,
    { 'content-type': 'application/json', ...failed },
    Buffer.from(JSON.stringify(result.payload)),
  );
}

/** The IAM action of an S3 request, as far as S3 is emulated. */
function s3Action(method: string, url: URL): string {
  if (url.pathname.replace(/\/$/, '').split('/').length <= 2) return 's3:ListBucket';
  return `s3:${{ GET: 'Get', HEAD: 'Get', PUT: 'Put', DELETE: 'Delete' }[method] ?? method}Object`;
}

async function answerScheduler(
  services: Services,
  url: URL,
  request: IncomingMessage,
  body: Buffer,
  caller: Caller,
  response: ServerResponse,
): Promise<void> {
  const fields = parseJson(body.length === 0 ? '{}' : body.toString('utf8'));
  if (!isRequest(fields)) throw new AwsError('ValidationException', 'the body is no JSON object');
  const method = request.method ?? 'GET';
  const result = await services.faults.call(`scheduler:${method}`, caller, () =>
    services.scheduler.handle(method, url.pathname, url.searchParams, fields, caller),
  );
  send(response, 200, { 'content-type': 'application/json' }, Buffer.from(JSON.stringify(result)));
}

async function answerQuery(
  services: Services,
  service: string,
  body: Buffer,
  caller: Caller,
  response: ServerResponse,
): Promise<void> {
  const fields = Object.fromEntries(new URLSearchParams(body.toString('utf8')));
  const action = fields.Action ?? '';
  const run = services.query[service]?.[action];
  if (!run) throw new AwsError('InvalidAction', `${action} is not emulated`);
  const result = await services.faults.call(`${service}:${action}`, caller, () => run(fields, caller));
  const members = isRequest(result)
    ? Object.entries(result).map(([name, value]) => `<${name}>${escapeXml(String(value))}</${name}>`)
    : [];
  const xml = `<${action}Response><${action}Result>${members.join('')}</${action}Result><ResponseMetadata><RequestId>${requestId()}</RequestId></ResponseMetadata></${action}Response>`;
  send(response, 200, { 'content-type': 'text/xml' }, Buffer.from(xml));
}

function send(response: ServerResponse, status: number, headers: Readonly<Record<string, string>>, body: Buffer): void {
  response.writeHead(status, { 'x-amzn-requestid': requestId(), ...headers });
  response.end(body);
}

function sendJson(response: ServerResponse, status: number, version: '1.0' | '1.1', value: Json): void {
  send(response, status, { 'content-type': `application/x-amz-json-${version}` }, Buffer.from(JSON.stringify(value)));
}

function sendError(response: ServerResponse, error: AwsError): void {
  const body = { __type: error.name, message: error.message, ...error.extra };
  send(
    response,
    error.status,
    { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-errortype': error.name },
    Buffer.from(JSON.stringify(body)),
  );
}

function sendXmlError(response: ServerResponse, error: AwsError, service: string): void {
  const inner = `<Code>${escapeXml(error.name)}</Code><Message>${escapeXml(error.message)}</Message>`;
  const status = error.name === 'AccessDeniedException' ? 403 : error.status;
  const code = error.name === 'AccessDeniedException' ? inner.replace('AccessDeniedException', 'AccessDenied') : inner;
  const xml =
    service === 's3'
      ? `<Error>${code}</Error>`
      : `<ErrorResponse><Error><Type>Sender</Type>${inner}</Error></ErrorResponse>`;
  send(
    response,
    status,
    { 'content-type': 'application/xml' },
    Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${xml}`),
  );
}
