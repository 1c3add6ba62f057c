import { Agent, request } from 'node:http';
import { isIPv6 } from 'node:net';
import dynalite from 'dynalite';
import { AwsError } from '../errors.ts';
import { asJson, isObject, type Json, type JsonObject, parseJson } from '../json.ts';

/** One call of a DynamoDB operation; a failed one is an `AwsError` with the service's name and members. */
export type CallDynamoDb = (operation: string, body: JsonObject) => Promise<JsonObject>;

export interface Backend {
  readonly call: CallDynamoDb;
  readonly close: () => Promise<void>;
}

/** Starts dynalite in this process, in memory, on a free loopback port. */
export async function startDynalite(): Promise<Backend> {
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  // However long nobody asked for anything, no connection is closed under a caller.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string' || isIPv6(address.address))
    throw new Error('dynalite listens on no loopback port');
  const { port } = address;
  const agent = new Agent({ keepAlive: true });
  return {
    call: (operation, body) => post(agent, port, operation, body),
    close: async () => {
      agent.destroy();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** dynalite wants a signature's form, not its truth. */
const headers = (operation: string) => ({
  'content-type': 'application/x-amz-json-1.0',
  'x-amz-target': `DynamoDB_20120810.${operation}`,
  'x-amz-date': '20260101T000000Z',
  authorization:
    'AWS4-HMAC-SHA256 Credential=local/20260101/eu-central-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
});

function post(agent: Agent, port: number, operation: string, body: JsonObject): Promise<JsonObject> {
  return new Promise((resolve, reject) => {
    const call = request(
      { agent, port, host: '127.0.0.1', method: 'POST', headers: headers(operation) },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const answer = parseJson(Buffer.concat(chunks).toString('utf8'));
          if (!isJsonObject(answer)) reject(new Error(`dynalite answered no JSON to ${operation}`));
          else if (response.statusCode === 200) resolve(answer);
          else reject(errorOf(answer, response.statusCode ?? 500));
        });
      },
    );
    call.on('error', reject);
    call.end(JSON.stringify(body));
  });
}

export const isJsonObject = (value: Json | undefined): value is JsonObject => isObject(value);

function errorOf(answer: JsonObject, status: number): AwsError {
  const name =
    String(answer.__type ?? 'InternalServerError')
      .split('#')
      .at(-1) ?? '';
  const { __type: _type, message, Message: shouted, ...extra } = answer;
  return new AwsError(name, String(message ?? shouted ?? ''), { status, extra: asJsonObject(extra) });
}

const asJsonObject = (value: unknown): JsonObject => {
  const copy = asJson(value);
  return isJsonObject(copy) ? copy : {};
};
