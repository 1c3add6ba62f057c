import { BatchGetCommand, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { FleetAssessment, PolicyAssessment } from '../../core/domain/clocks.ts';
import { PairState } from '../../core/domain/ledger.ts';
import { DrError } from '../../core/errors.ts';
import type { Assessments, PairReader } from '../../core/ports.ts';
import { keys, pack, parseItem, type Table, unpack } from './table.ts';

/** What DynamoDB takes in one request. */
const BATCH = 100;
const AT_ONCE = 8;
/** What was not answered is asked for again; a table that still does not answer then is too busy. */
const ROUNDS = 8;

/** Pairs by BatchGetItem, eventually consistent: a hundred in a request, at half the price of a consistent read. */
export const dynamoPairs = ({ client, name }: Table): PairReader => ({
  loadPairs: async (pairs) => {
    const batches: Record<string, unknown>[][] = [];
    const distinct = [...new Set(pairs)];
    for (let from = 0; from < distinct.length; from += BATCH)
      batches.push(distinct.slice(from, from + BATCH).map(keys.pair));
    const found: PairState[] = [];
    const left = batches.values();
    const work = async (): Promise<void> => {
      for (const batch of left) {
        let asked = batch;
        for (let round = 0; asked.length > 0; round++) {
          if (round === ROUNDS)
            throw new DrError('StoreThrottled', `${asked.length} of ${batch.length} pairs were not answered`);
          const answer = await client.send(new BatchGetCommand({ RequestItems: { [name]: { Keys: asked } } }));
          found.push(...(answer.Responses?.[name] ?? []).map((item) => parseItem(PairState, item)));
          asked = answer.UnprocessedKeys?.[name]?.Keys ?? [];
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, batches.length) }, work));
    return found;
  },
});

export const dynamoAssessments = ({ client, name: TableName }: Table): Assessments => ({
  load: async (policy) => {
    const found = await client.send(new GetCommand({ TableName, Key: keys.assessment(policy) }));
    return found.Item ? parseItem(PolicyAssessment, { ...found.Item, expected: unpack(found.Item.expected) }) : null;
  },
  put: async (assessment) => {
    await client.send(
      new PutCommand({
        TableName,
        Item: { ...keys.assessment(assessment.policy), ...assessment, expected: pack(assessment.expected) },
      }),
    );
  },
  loadFleet: async () => {
    const found = await client.send(new GetCommand({ TableName, Key: keys.fleetAssessment() }));
    return found.Item ? parseItem(FleetAssessment, found.Item) : null;
  },
  putFleet: async (assessment) => {
    await client.send(new PutCommand({ TableName, Item: { ...keys.fleetAssessment(), ...assessment } }));
  },
});
