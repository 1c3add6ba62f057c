import { AwsError } from '../errors.ts';
import { canonical, type JsonObject } from '../json.ts';
import type { Actions } from '../services/requests.ts';
import { arnOf, type Caller, type World } from '../world.ts';
import { type Backend, isJsonObject } from './backend.ts';
import { actionsOf, permissionOf, transact } from './transactions.ts';

/** Operations that report consumed capacity. */
const measured = ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query', 'Scan', 'BatchGetItem', 'BatchWriteItem'];
const passedOn = [...measured, 'CreateTable', 'DeleteTable', 'DescribeTable', 'ListTables', 'UpdateTable'];
/** AWS, TransactWriteItems: a client request token is remembered for 10 minutes. */
const tokenLife = 10 * 60_000;

/**
 * DynamoDB: dynalite behind a shim that adds what it lacks (transactions, the old item of a failed condition, TTL
 * settings). One lock around every call, so that a transaction is never seen half done.
 */
export class DynamoDb {
  readonly #world: World;
  readonly #backend: Backend;
  readonly #tokens = new Map<string, { readonly payload: string; readonly at: number }>();
  readonly #keys = new Map<string, readonly string[]>();
  readonly #timeToLive = new Map<string, JsonObject>();
  readonly actions: Actions;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(world: World, backend: Backend) {
    this.#world = world;
    this.#backend = backend;
    this.actions = {
      ...Object.fromEntries(
        passedOn.map((operation) => [
          operation,
          (request: JsonObject, caller: Caller) => this.#passOn(operation, request, caller),
        ]),
      ),
      TransactWriteItems: (request, caller) => this.#transactWrite(request, caller),
      TransactGetItems: (request, caller) => this.#transactGet(request, caller),
      UpdateTimeToLive: (request, caller) => this.#updateTimeToLive(request, caller),
      DescribeTimeToLive: (request, caller) => this.#describeTimeToLive(request, caller),
    };
  }

  async #passOn(operation: string, request: JsonObject, caller: Caller): Promise<JsonObject> {
    for (const { table, index } of targetsOf(operation, request)) {
      this.#world.authorize(
        caller,
        `dynamodb:${operation}`,
        arnOf('dynamodb', index === undefined ? `table/${table}` : `table/${table}/index/${index}`),
        await this.#leadingKey(operation, table, request),
      );
    }
    this.#world.counters.add(`dynamodb.${operation}`);
    const { ReturnValuesOnConditionCheckFailure: onFailure, ...rest } = request;
    const isMeasured = measured.includes(operation);
    const asked = rest.ReturnConsumedCapacity ?? 'NONE';
    const body = {
      ...rest,
      ...(typeof rest.TableName === 'string' ? { TableName: tableName(rest.TableName) } : {}),
      ...(isMeasured && asked === 'NONE' ? { ReturnConsumedCapacity: 'TOTAL' } : {}),
    };
    return this.#locked(async () => {
      try {
        const answer = await this.#backend.call(operation, body);
        return isMeasured ? this.#measure(operation, answer, asked === 'NONE') : answer;
      } catch (error) {
        if (onFailure !== 'ALL_OLD' || !(error instanceof AwsError) || error.name !== 'ConditionalCheckFailedException')
          throw error;
        throw await this.#withOldItem(error, operation, request);
      }
    });
  }

  /** What a call for one item says of its partition key to the conditions of policies. */
  async #leadingKey(operation: string, table: string, request: JsonObject): Promise<Readonly<Record<string, string>>> {
    const item = operation === 'PutItem' ? request.Item : request.Key;
    if (!isJsonObject(item)) return {};
    const [name = ''] = await this.#keyNames(table).catch(() => []);
    const key = item[name];
    return isJsonObject(key) && typeof key.S === 'string' ? { 'dynamodb:LeadingKeys': key.S } : {};
  }

  #measure(operation: string, answer: JsonObject, hide: boolean): JsonObject {
    const { ConsumedCapacity: capacity, ...rest } = answer;
    for (const one of Array.isArray(capacity) ? capacity : [capacity]) {
      if (isJsonObject(one) && typeof one.CapacityUnits === 'number') this.#count(operation, one.CapacityUnits);
    }
    return hide ? rest : answer;
  }

  #count(operation: string, units: number): void {
    this.#world.counters.add('dynamodb.capacityUnits', units);
    this.#world.counters.add(`dynamodb.capacityUnits.${operation}`, units);
  }

  async #withOldItem(error: AwsError, operation: string, request: JsonObject): Promise<AwsError> {
    const table = tableName(String(request.TableName));
    const source = operation === 'PutItem' ? request.Item : request.Key;
    const key: Record<string, JsonObject[string]> = {};
    for (const name of await this.#keyNames(table)) {
      const value = isJsonObject(source) ? source[name] : undefined;
      if (value !== undefined) key[name] = value;
    }
    const { Item: item } = await this.#backend.call('GetItem', { TableName: table, Key: key, ConsistentRead: true });
    return new AwsError(error.name, error.message, {
      status: error.status,
      extra: isJsonObject(item) ? { Item: item } : {},
    });
  }

  async #transactWrite(request: JsonObject, caller: Caller): Promise<JsonObject> {
    const unknown = Object.keys(request).find((name) => !['TransactItems', 'ClientRequestToken'].includes(name));
    if (unknown !== undefined)
      throw new AwsError('ValidationException', `TransactWriteItems: ${unknown} is not emulated`);
    return this.#locked(async () => {
      const actions = await actionsOf(request, (table) => this.#keyNames(table));
      for (const { action, table } of actions.map(permissionOf))
        this.#world.authorize(caller, action, arnOf('dynamodb', `table/${table}`));
      this.#world.counters.add('dynamodb.TransactWriteItems');
      const token = request.ClientRequestToken;
      const payload = canonical(request.TransactItems);
      const now = this.#world.clock.now();
      const known = typeof token === 'string' ? this.#tokens.get(token) : undefined;
      if (known && now - known.at < tokenLife) {
        if (known.payload === payload) return {};
        throw new AwsError(
          'IdempotentParameterMismatchException',
          'Provided idempotency token was used with different request parameters',
        );
      }
      await transact(actions, (operation, body) => this.#backend.call(operation, body));
      // A transactional write costs two write units per action and KB; small items are taken as one KB.
      this.#count('TransactWriteItems', 2 * actions.length);
      if (typeof token === 'string') this.#tokens.set(token, { payload, at: now });
      return {};
    });
  }

  async #transactGet(request: JsonObject, caller: Caller): Promise<JsonObject> {
    const items = Array.isArray(request.TransactItems) ? request.TransactItems : [];
    this.#world.counters.add('dynamodb.TransactGetItems');
    return this.#locked(async () => {
      const responses: JsonObject[] = [];
      for (const item of items) {
        const get = isJsonObject(item) && isJsonObject(item.Get) ? item.Get : {};
        const table = tableName(String(get.TableName));
        this.#world.authorize(caller, 'dynamodb:GetItem', arnOf('dynamodb', `table/${table}`));
        const found = await this.#backend.call('GetItem', { ...get, TableName: table, ConsistentRead: true });
        responses.push(isJsonObject(found.Item) ? { Item: found.Item } : {});
      }
      return { Responses: responses };
    });
  }

  #updateTimeToLive(request: JsonObject, caller: Caller): JsonObject {
    const table = tableName(String(request.TableName));
    this.#world.authorize(caller, 'dynamodb:UpdateTimeToLive', arnOf('dynamodb', `table/${table}`));
    const specification = isJsonObject(request.TimeToLiveSpecification) ? request.TimeToLiveSpecification : {};
    this.#timeToLive.set(table, specification);
    return { TimeToLiveSpecification: specification };
  }

  #describeTimeToLive(request: JsonObject, caller: Caller): JsonObject {
    const table = tableName(String(request.TableName));
    this.#world.authorize(caller, 'dynamodb:DescribeTimeToLive', arnOf('dynamodb', `table/${table}`));
    const known = this.#timeToLive.get(table);
    const status = known?.Enabled === true ? 'ENABLED' : 'DISABLED';
    return {
      TimeToLiveDescription: {
        TimeToLiveStatus: status,
        ...(known?.AttributeName === undefined ? {} : { AttributeName: known.AttributeName }),
      },
    };
  }

  async #keyNames(table: string): Promise<readonly string[]> {
    const known = this.#keys.get(table);
    if (known) return known;
    const { Table: description } = await this.#backend.call('DescribeTable', { TableName: table });
    const schema = isJsonObject(description) && Array.isArray(description.KeySchema) ? description.KeySchema : [];
    const names = schema.flatMap((element) => (isJsonObject(element) ? [String(element.AttributeName)] : []));
    this.#keys.set(table, names);
    return names;
  }

  #locked<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}

/** A table may be named by its ARN. */
const tableName = (nameOrArn: string): string => nameOrArn.split('/')[1] ?? nameOrArn;

function targetsOf(
  operation: string,
  request: JsonObject,
): readonly { readonly table: string; readonly index: string | undefined }[] {
  if (operation === 'ListTables') return [];
  if (isJsonObject(request.RequestItems))
    return Object.keys(request.RequestItems).map((table) => ({ table: tableName(table), index: undefined }));
  const index = typeof request.IndexName === 'string' ? request.IndexName : undefined;
  return [{ table: tableName(String(request.TableName)), index }];
}
