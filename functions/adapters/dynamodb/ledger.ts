import { GetCommand, PutCommand, paginateQuery, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { Enrolment, emptyEnrolment } from '../../core/domain/buckets.ts';
import {
  BackupRun,
  emptyPair,
  Lease,
  type PairPatch,
  PairState,
  RecoveryPoint,
  RunStep,
} from '../../core/domain/ledger.ts';
import type { PairId, RunId } from '../../core/domain/names.ts';
import { PolicyState } from '../../core/domain/retention.ts';
import { Slots } from '../../core/domain/slots.ts';
import { DrError } from '../../core/errors.ts';
import type { Ledger } from '../../core/ports.ts';
import { keys, pack, parseItem, type Table, unlessRefused, unpack } from './table.ts';

const Row = z.object({ sk: z.string() });

const leaseLost = (pair: PairId, token: number): DrError =>
  new DrError('LeaseLost', `lease ${token} of ${pair} is not held any more: another run works on this bucket`);

/** The parts of an update expression that sets attributes. */
const setting = (
  attributes: Readonly<Record<string, unknown>>,
  letter = 's',
  form = (_name: string, value: string): string => value,
) => {
  const entries = Object.entries(attributes);
  return {
    text: entries.map((_, i) => `#${letter}${i} = ${form(`#${letter}${i}`, `:${letter}${i}`)}`).join(', '),
    names: Object.fromEntries(entries.map(([name], i) => [`#${letter}${i}`, name])),
    values: Object.fromEntries(entries.map(([, value], i) => [`:${letter}${i}`, value])),
  };
};

/** Nobody wrote the item since it was read; 0: there was none. */
const asSeen = ({ revision }: { readonly revision: number }) =>
  revision === 0
    ? { ConditionExpression: 'attribute_not_exists(pk)' }
    : { ConditionExpression: 'revision = :seen', ExpressionAttributeValues: { ':seen': revision } };

/** The lineage in DynamoDB. Conditions keep the invariants; nothing is read and then written without one. */
export const dynamoLedger = ({ client, name: TableName }: Table): Ledger => {
  const update = async (
    pair: PairId,
    token: number,
    set: Readonly<Record<string, unknown>>,
    seenFence?: number,
  ): Promise<PairState> => {
    const { text, names, values } = setting(set);
    const updated = await unlessRefused(
      client.send(
        new UpdateCommand({
          TableName,
          Key: keys.pair(pair),
          UpdateExpression: `SET ${text}`,
          ConditionExpression: `#lease.#token = :token${seenFence === undefined ? '' : ' AND fence = :seen'}`,
          ExpressionAttributeNames: {
            '#lease': 'lease',
            '#token': 'token',
            ...names,
          },
          ExpressionAttributeValues: {
            ':token': token,
            ...(seenFence === undefined ? {} : { ':seen': seenFence }),
            ...values,
          },
          ReturnValues: 'ALL_NEW',
        }),
      ),
    );
    if (!updated) throw leaseLost(pair, token);
    return parseItem(PairState, updated.Attributes);
  };

  const loadPair = async (pair: PairId): Promise<PairState> => {
    const found = await client.send(new GetCommand({ TableName, Key: keys.pair(pair), ConsistentRead: true }));
    return found.Item ? parseItem(PairState, found.Item) : emptyPair(pair);
  };

  const newestFirst = (pk: string, prefix: string) => ({
    TableName,
    KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
    ExpressionAttributeValues: { ':pk': pk, ':prefix': prefix },
    FilterExpression: 'attribute_not_exists(gone)',
    ScanIndexForward: false,
    ConsistentRead: true,
  });

  /** At least `enough` points, if there are so many: a page is cut before retired ones are left out of it. */
  const newestPoints = async (pk: string, prefix: string, enough?: number): Promise<readonly RecoveryPoint[]> => {
    const pages = paginateQuery({ client, ...(enough ? { pageSize: enough } : {}) }, newestFirst(pk, prefix));
    const points: RecoveryPoint[] = [];
    for await (const page of pages) {
      points.push(...(page.Items ?? []).map((item) => parseItem(RecoveryPoint, item)));
      if (enough !== undefined && points.length >= enough) break;
    }
    return points;
  };

  return {
    loadPair,

    takeLease: async (seen, holder, expires, above = 0) => {
      const lease = Lease.parse({ ...holder, token: Math.max(seen.fence, above) + 1, expires });
      const isNew = seen.fence === 0;
      const taken = await unlessRefused(
        isNew
          ? client.send(
              new PutCommand({
                TableName,
                Item: { ...keys.pair(seen.pair), ...seen, lease, fence: lease.token },
                ConditionExpression: 'attribute_not_exists(pk)',
              }),
            )
          : client.send(
              new UpdateCommand({
                TableName,
                Key: keys.pair(seen.pair),
                UpdateExpression: 'SET #lease = :lease, fence = :next',
                ConditionExpression: `fence = :seen AND ${seen.lease ? '#lease.expires = :expires' : '#lease = :none'}`,
                ExpressionAttributeNames: { '#lease': 'lease' },
                ExpressionAttributeValues: {
                  ':lease': lease,
                  ':next': lease.token,
                  ':seen': seen.fence,
                  ...(seen.lease ? { ':expires': seen.lease.expires } : { ':none': null }),
                },
              }),
            ),
      );
      return taken ? lease : undefined;
    },

    renewLease: async (pair, token, expires) => {
      const renewed = await unlessRefused(
        client.send(
          new UpdateCommand({
            TableName,
            Key: keys.pair(pair),
            UpdateExpression: 'SET #lease.expires = :expires',
            ConditionExpression: '#lease.#token = :token',
            ExpressionAttributeNames: { '#lease': 'lease', '#token': 'token' },
            ExpressionAttributeValues: { ':expires': expires, ':token': token },
            ReturnValues: 'ALL_NEW',
          }),
        ),
      );
      if (!renewed) throw leaseLost(pair, token);
      return parseItem(PairState, renewed.Attributes);
    },

    releaseLease: async (pair, token) => {
      await unlessRefused(
        client.send(
          new UpdateCommand({
            TableName,
            Key: keys.pair(pair),
            UpdateExpression: 'SET #lease = :none',
            ConditionExpression: '#lease.#token = :token',
            ExpressionAttributeNames: { '#lease': 'lease', '#token': 'token' },
            ExpressionAttributeValues: { ':none': null, ':token': token },
          }),
        ),
      );
    },

    changePair: (pair, token, patch: PairPatch) => update(pair, token, patch),

    raiseFence: async (pair, token, patch) => {
      const seen = await loadPair(pair);
      return update(pair, token, { ...patch(seen), fence: seen.fence + 1 }, seen.fence);
    },

    moveRole: async (pair, seen, next) => {
      const moved = await unlessRefused(
        client.send(
          new UpdateCommand({
            TableName,
            Key: keys.pair(pair),
            UpdateExpression: 'SET #role = :next',
            // A pair of before there were roles has no such attribute.
            ConditionExpression: seen
              ? '#role.#epoch = :epoch AND #role.#state = :state AND #role.#by = :by'
              : 'attribute_exists(pk) AND (attribute_not_exists(#role) OR #role = :none)',
            ExpressionAttributeNames: {
              '#role': 'role',
              ...(seen ? { '#epoch': 'epoch', '#state': 'state', '#by': 'by' } : {}),
            },
            ExpressionAttributeValues: {
              ':next': next,
              ...(seen ? { ':epoch': seen.epoch, ':state': seen.state, ':by': seen.by } : { ':none': null }),
            },
          }),
        ),
      );
      return moved !== undefined;
    },

    putDecision: async (pair, decision) => {
      await client.send(new PutCommand({ TableName, Item: { ...keys.decision(pair, decision.at), ...decision } }));
    },

    loadSlots: async (resource) => {
      const found = await client.send(new GetCommand({ TableName, Key: keys.slots(resource), ConsistentRead: true }));
      return found.Item ? parseItem(Slots, found.Item) : { resource, revision: 0, holders: {}, waiters: {} };
    },

    putSlots: async (slots) => {
      const put = await unlessRefused(
        client.send(
          new PutCommand({
            TableName,
            Item: { ...keys.slots(slots.resource), ...slots, revision: slots.revision + 1 },
            ...asSeen(slots),
          }),
        ),
      );
      return put !== undefined;
    },

    releaseSlots: async (resource, holder) => {
      await unlessRefused(
        client.send(
          new UpdateCommand({
            TableName,
            Key: keys.slots(resource),
            UpdateExpression: 'REMOVE holders.#holder, waiters.#holder ADD revision :one',
            ConditionExpression: 'attribute_exists(holders.#holder) OR attribute_exists(waiters.#holder)',
            ExpressionAttributeNames: { '#holder': holder },
            ExpressionAttributeValues: { ':one': 1 },
          }),
        ),
      );
    },

    loadRun: async (runId: RunId) => {
      const { pk, sk } = keys.run(runId);
      const items: unknown[] = [];
      let start: Record<string, unknown> | undefined;
      do {
        const page = await client.send(
          new QueryCommand({
            TableName,
            KeyConditionExpression: 'pk = :pk AND begins_with(sk, :sk)',
            ExpressionAttributeValues: { ':pk': pk, ':sk': sk },
            ConsistentRead: true,
            ...(start ? { ExclusiveStartKey: start } : {}),
          }),
        );
        items.push(...(page.Items ?? []));
        start = page.LastEvaluatedKey;
      } while (start);
      const rows = items.map((item) => ({ item, row: parseItem(Row, item) }));
      const run = rows.find((it) => it.row.sk === sk);
      if (!run) return undefined;
      const steps = rows.filter((it) => it !== run).map((it) => parseItem(RunStep, it.item));
      return { run: parseItem(BackupRun, run.item), steps };
    },

    putRun: async (run) => {
      await client.send(new PutCommand({ TableName, Item: { ...keys.run(run.runId), ...run } }));
    },

    closeRun: async (run, token, end) => {
      const closed = await unlessRefused(
        client.send(
          new UpdateCommand({
            TableName,
            Key: keys.run(run.runId),
            UpdateExpression: 'SET #status = :status, outcome = :outcome, failure = :failure, endedAt = :endedAt',
            ConditionExpression: '#lease = :token',
            ExpressionAttributeNames: { '#status': 'status', '#lease': 'lease' },
            ExpressionAttributeValues: {
              ':status': end.status,
              ':outcome': end.outcome,
              ':failure': end.failure,
              ':endedAt': end.endedAt,
              ':token': token,
            },
          }),
        ),
      );
      if (!closed) throw leaseLost(run.pair, token);
    },

    recentPoints: async (pair, limit) => (await newestPoints(keys.pair(pair).pk, 'POINT#', limit)).slice(0, limit),

    livingPoints: (pair) => newestPoints(keys.pair(pair).pk, 'POINT#'),

    retiredPoints: (pair) => newestPoints(keys.pair(pair).pk, 'GONE#'),

    putPoint: async (pair, point) => {
      const { pins, holds, removal, drilled, revision, ...rest } = point;
      const set = setting(rest);
      const unlessThere = setting(
        { pins, holds, removal, drilled, revision },
        'u',
        (name, value) => `if_not_exists(${name}, ${value})`,
      );
      // A retired point stays retired, also for a run that saw it before.
      await unlessRefused(
        client.send(
          new UpdateCommand({
            TableName,
            Key: keys.point(pair, point),
            UpdateExpression: `SET ${set.text}, ${unlessThere.text}`,
            ConditionExpression: 'attribute_not_exists(gone)',
            ExpressionAttributeNames: { ...set.names, ...unlessThere.names },
            ExpressionAttributeValues: { ...set.values, ...unlessThere.values },
          }),
        ),
      );
    },

    changePoint: async (pair, seen, patch) => {
      const set = setting({ ...patch, revision: seen.revision + 1 });
      const changed = await unlessRefused(
        client.send(
          new UpdateCommand({
            TableName,
            Key: keys.point(pair, seen),
            UpdateExpression: `SET ${set.text}`,
            // Points of before there was pruning have no revision.
            ConditionExpression: `attribute_exists(pk) AND attribute_not_exists(gone) AND (revision = :seen${seen.revision === 0 ? ' OR attribute_not_exists(revision)' : ''})`,
            ExpressionAttributeNames: set.names,
            ExpressionAttributeValues: { ...set.values, ':seen': seen.revision },
            ReturnValues: 'ALL_NEW',
          }),
        ),
      );
      return changed && parseItem(RecoveryPoint, changed.Attributes);
    },

    retirePoint: async (pair, point) => {
      await client.send(new PutCommand({ TableName, Item: { ...keys.retired(pair, point), ...point } }));
      // No function may delete an item of the ledger: a few bytes stay where the point was.
      await client.send(new PutCommand({ TableName, Item: { ...keys.point(pair, point), gone: true } }));
    },

    loadPolicyState: async (policy) => {
      const found = await client.send(new GetCommand({ TableName, Key: keys.policy(policy), ConsistentRead: true }));
      return found.Item
        ? parseItem(PolicyState, { ...found.Item, turns: unpack(found.Item.turns) })
        : { policy, revision: 0, versions: [] };
    },

    putPolicyState: async ({ turns, ...state }) => {
      const put = await unlessRefused(
        client.send(
          new PutCommand({
            TableName,
            Item: {
              ...keys.policy(state.policy),
              ...state,
              ...(turns ? { turns: pack(turns) } : {}),
              revision: state.revision + 1,
            },
            ...asSeen(state),
          }),
        ),
      );
      return put !== undefined;
    },

    loadEnrolment: async (policy) => {
      const found = await client.send(new GetCommand({ TableName, Key: keys.enrolment(policy), ConsistentRead: true }));
      return found.Item
        ? parseItem(Enrolment, { ...found.Item, buckets: unpack(found.Item.buckets) })
        : emptyEnrolment(policy);
    },

    putEnrolment: async ({ buckets, ...enrolment }) => {
      const put = await unlessRefused(
        client.send(
          new PutCommand({
            TableName,
            Item: {
              ...keys.enrolment(enrolment.policy),
              ...enrolment,
              revision: enrolment.revision + 1,
              buckets: pack(buckets),
            },
            ConditionExpression: enrolment.revision === 0 ? 'attribute_not_exists(pk)' : 'revision = :seen',
            ...(enrolment.revision === 0 ? {} : { ExpressionAttributeValues: { ':seen': enrolment.revision } }),
          }),
        ),
      );
      return put !== undefined;
    },

    usePlan: async (plan, runId, at) => {
      const used = await unlessRefused(
        client.send(
          new PutCommand({
            TableName,
            Item: { ...keys.plan(plan), runId, at },
            ConditionExpression: 'attribute_not_exists(pk) OR runId = :run',
            ExpressionAttributeValues: { ':run': runId },
          }),
        ),
      );
      return used !== undefined;
    },

    recordStep: async (runId, step) => {
      const key = keys.step(runId, step.n);
      const recorded = await unlessRefused(
        client.send(
          new PutCommand({ TableName, Item: { ...key, ...step }, ConditionExpression: 'attribute_not_exists(pk)' }),
        ),
      );
      if (recorded) return step;
      const found = await client.send(new GetCommand({ TableName, Key: key, ConsistentRead: true }));
      return parseItem(RunStep, found.Item);
    },

    recordObservation: async (runId, n, observed, at, jvmStarts) => {
      await client.send(
        new UpdateCommand({
          TableName,
          Key: keys.step(runId, n),
          UpdateExpression: 'SET observed = :observed, observedAt = :at, jvmStarts = :jvm',
          ConditionExpression: 'attribute_exists(pk)',
          ExpressionAttributeValues: { ':observed': observed, ':at': at, ':jvm': jvmStarts },
        }),
      );
    },
  };
};
