import { AwsError } from '../errors.ts';
import { canonical, type JsonObject } from '../json.ts';
import { type CallDynamoDb, isJsonObject } from './backend.ts';

/** The key attributes of a table, by its name. */
export type KeyNames = (table: string) => Promise<readonly string[]>;

type ActionName = 'Put' | 'Update' | 'Delete' | 'ConditionCheck';
interface Action {
  readonly name: ActionName;
  readonly body: JsonObject;
  readonly table: string;
  readonly key: JsonObject;
}

const mostActions = 100;
const fields: Readonly<Record<ActionName, readonly string[]>> = {
  Put: [
    'TableName',
    'Item',
    'ConditionExpression',
    'ExpressionAttributeNames',
    'ExpressionAttributeValues',
    'ReturnValuesOnConditionCheckFailure',
  ],
  Update: [
    'TableName',
    'Key',
    'UpdateExpression',
    'ConditionExpression',
    'ExpressionAttributeNames',
    'ExpressionAttributeValues',
    'ReturnValuesOnConditionCheckFailure',
  ],
  Delete: [
    'TableName',
    'Key',
    'ConditionExpression',
    'ExpressionAttributeNames',
    'ExpressionAttributeValues',
    'ReturnValuesOnConditionCheckFailure',
  ],
  ConditionCheck: [
    'TableName',
    'Key',
    'ConditionExpression',
    'ExpressionAttributeNames',
    'ExpressionAttributeValues',
    'ReturnValuesOnConditionCheckFailure',
  ],
};
const permissions: Readonly<Record<ActionName, string>> = {
  Put: 'dynamodb:PutItem',
  Update: 'dynamodb:UpdateItem',
  Delete: 'dynamodb:DeleteItem',
  ConditionCheck: 'dynamodb:ConditionCheckItem',
};

const invalid = (message: string) => new AwsError('ValidationException', message);

/** Reads the actions of a TransactWriteItems request; refuses what AWS refuses. */
export async function actionsOf(request: JsonObject, keyNames: KeyNames): Promise<readonly Action[]> {
  const items = Array.isArray(request.TransactItems) ? request.TransactItems : [];
  if (items.length < 1 || items.length > mostActions)
    throw invalid(`TransactItems must have between 1 and ${mostActions} members`);
  const actions: Action[] = [];
  for (const item of items) {
    const [entry, ...more] = isJsonObject(item) ? Object.entries(item) : [];
    const name = entry?.[0];
    const body = entry?.[1];
    if (more.length > 0 || !isActionName(name) || !isJsonObject(body))
      throw invalid('TransactItems can only contain one of Check, Put, Update or Delete');
    const unknown = Object.keys(body).find((field) => !fields[name].includes(field));
    if (unknown !== undefined) throw invalid(`${name} has no member ${unknown}`);
    const table = typeof body.TableName === 'string' ? (body.TableName.split('/').at(-1) ?? '') : '';
    const source = name === 'Put' ? body.Item : body.Key;
    if (!isJsonObject(source)) throw invalid(`${name} needs ${name === 'Put' ? 'Item' : 'Key'}`);
    const key: Record<string, JsonObject[string]> = {};
    for (const attribute of await keyNames(table)) {
      const value = source[attribute];
      if (value === undefined)
        throw invalid(`One or more parameter values were invalid: Missing the key ${attribute} in the item`);
      key[attribute] = value;
    }
    if (name === 'ConditionCheck' && typeof body.ConditionExpression !== 'string')
      throw invalid('ConditionCheck needs a ConditionExpression');
    actions.push({ name, body, table, key });
  }
  const distinct = new Set(actions.map((action) => canonical([action.table, action.key])));
  if (distinct.size < actions.length)
    throw invalid('Transaction request cannot include multiple operations on one item');
  return actions;
}

const isActionName = (name: string | undefined): name is ActionName =>
  name !== undefined && Object.keys(permissions).includes(name);

/** What the caller must be allowed to do. */
export const permissionOf = (action: Action): { readonly action: string; readonly table: string } => ({
  action: permissions[action.name],
  table: action.table,
});

/**
 * Applies the actions in order and takes everything back when a condition fails. The caller holds the write lock, so
 * nobody sees the state in between. Every failing condition is reported, as AWS does.
 */
export async function transact(actions: readonly Action[], call: CallDynamoDb): Promise<void> {
  const before: (JsonObject | undefined)[] = [];
  for (const { table, key } of actions) {
    const { Item: item } = await call('GetItem', { TableName: table, Key: key, ConsistentRead: true });
    before.push(isJsonObject(item) ? item : undefined);
  }
  const reasons: JsonObject[] = [];
  let broken: unknown;
  for (const [index, action] of actions.entries()) {
    const old = before[index];
    try {
      await apply(action, call);
      reasons.push({ Code: 'None' });
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      if (error.name === 'ConditionalCheckFailedException') {
        const wanted = action.body.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && old !== undefined;
        reasons.push({
          Code: 'ConditionalCheckFailed',
          Message: 'The conditional request failed',
          ...(wanted ? { Item: old } : {}),
        });
      } else {
        broken ??= error;
        reasons.push({ Code: 'ValidationError', Message: error.message });
      }
    }
  }
  const failed = reasons.some((reason) => reason.Code !== 'None');
  for (const [index, action] of actions.entries()) {
    if (failed || action.name === 'ConditionCheck') await restore(action, before[index], call);
  }
  if (broken !== undefined) throw broken;
  if (failed) {
    throw new AwsError(
      'TransactionCanceledException',
      `Transaction cancelled, please refer cancellation reasons for specific reasons [${reasons.map((reason) => reason.Code).join(', ')}]`,
      { extra: { CancellationReasons: reasons } },
    );
  }
}

function apply(action: Action, call: CallDynamoDb): Promise<JsonObject> {
  const { ReturnValuesOnConditionCheckFailure: _not, ...body } = action.body;
  const request = { ...body, TableName: action.table };
  switch (action.name) {
    case 'Put':
      return call('PutItem', request);
    case 'Update':
      return call('UpdateItem', request);
    case 'Delete':
      return call('DeleteItem', request);
    case 'ConditionCheck':
      return call('UpdateItem', request);
  }
}

function restore(action: Action, old: JsonObject | undefined, call: CallDynamoDb): Promise<JsonObject> {
  if (old === undefined) return call('DeleteItem', { TableName: action.table, Key: action.key });
  return call('PutItem', { TableName: action.table, Item: old });
}
