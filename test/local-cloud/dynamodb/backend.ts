import { EventEmitter } from 'node:events';
import dynalite from 'dynalite';
import { AwsError } from '../errors.ts';
import { asJson, isObject, type Json, type JsonObject, parseJson } from '../json.ts';

/** One call of a DynamoDB operation; a failed one is an `AwsError` with the service's name and members. */
export type CallDynamoDb = (operation: string, body: JsonObject) => Promise<JsonObject>;

export interface Backend {
  readonly call: CallDynamoDb;
}

/**
 * Starts dynalite in this process, in memory. It is a server that never listens: requests are handed to it as it would be handed those of
 * a connection, since two thirds of a call were spent on the way to a port and back.
 */
export function startDynalite(): Backend {
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  return { call: (operation, body) => hand(server, operation, body) };
}

/** dynalite wants a signature's form, not its truth. */
const headers = (operation: string) => ({
  'content-type': 'application/x-amz-json-1.0',
  'x-amz-target': `DynamoDB_20120810.${operation}`,
  'x-amz-date': '20260101T000000Z',
  authorization:
    'AWS4-HMAC-SHA256 Credential=local/20260101/eu-central-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
});

function hand(server: EventEmitter, operation: string, body: JsonObject): Promise<JsonObject> {
  return new Promise((resolve, reject) => {
    const request = Object.assign(new EventEmitter(), { method: 'POST', url: '/', headers: headers(operation) });
    const response = {
      statusCode: 200,
      setHeader: () => {},
      end: (text: string) => {
        const answer = parseJson(text);
        if (!isJsonObject(answer)) reject(new Error(`dynalite answered no JSON to ${operation}`));
        else if (response.statusCode === 200) resolve(answer);
        else reject(errorOf(answer, response.statusCode));
      },
    };
    server.emit('request', request, response);
    request.emit('data', Buffer.from(JSON.stringify(body)));
    request.emit('end');
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
