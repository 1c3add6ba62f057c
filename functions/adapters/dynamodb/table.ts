import { gunzipSync, gzipSync } from 'node:zlib';
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { RecoveryPoint } from '../../core/domain/ledger.ts';
import { type PairId, type PolicyName, type RunId, splitRunId } from '../../core/domain/names.ts';
import type { NonceId } from '../../core/domain/nonce.ts';
import type { PlanHash } from '../../core/domain/retention.ts';
import type { Resource } from '../../core/domain/slots.ts';
import { DrError } from '../../core/errors.ts';

export interface Table {
  readonly client: DynamoDBDocumentClient;
  readonly name: string;
}

/** What the partition keys of the records of pairs begin with. */
export const RECORDS = 'LEDGER#';

/** What the partition keys of pairs begin with. */
export const PAIRS = 'PAIR#';
export const POLICIES = 'POLICY#';

const pairKey = (pair: PairId): string => `${PAIRS}${pair}`;
const runSortKey = (run: RunId): string => `RUN#${splitRunId(run).key}`;

/** Keys of the one table. A run, its steps and the points of its bucket share the partition of their pair. */
const pointSuffix = ({ source, name }: Pick<RecoveryPoint, 'source' | 'name'>): string =>
  `${new Date(source.created).toISOString()}#${name}`;

export const keys = {
  pair: (pair: PairId) => ({ pk: pairKey(pair), sk: 'STATE' }),
  point: (pair: PairId, point: Pick<RecoveryPoint, 'source' | 'name'>) => ({
    pk: pairKey(pair),
    sk: `POINT#${pointSuffix(point)}`,
  }),
  retired: (pair: PairId, point: Pick<RecoveryPoint, 'source' | 'name'>) => ({
    pk: pairKey(pair),
    sk: `GONE#${pointSuffix(point)}`,
  }),
  policy: (policy: PolicyName) => ({ pk: `${POLICIES}${policy}`, sk: 'STATE' }),
  enrolment: (policy: PolicyName) => ({ pk: `${POLICIES}${policy}`, sk: 'ENROLMENT' }),
  run: (run: RunId) => ({ pk: pairKey(splitRunId(run).pair), sk: runSortKey(run) }),
  step: (run: RunId, n: number) => ({
    pk: pairKey(splitRunId(run).pair),
    sk: `${runSortKey(run)}#STEP#${String(n).padStart(3, '0')}`,
  }),
  decision: (pair: PairId, at: number) => ({ pk: pairKey(pair), sk: `DECISION#${new Date(at).toISOString()}` }),
  slots: (resource: Resource) => ({ pk: `SLOTS#${resource}`, sk: 'SLOTS' }),
  operation: (id: string) => ({ pk: `OP#${id}`, sk: 'OP' }),
  plan: (plan: PlanHash) => ({ pk: `PLAN#${plan}`, sk: 'PLAN' }),
  /** What the last assessment found of a policy, and of what is not of one policy. */
  assessment: (policy: PolicyName) => ({ pk: `${POLICIES}${policy}`, sk: 'CLOCKS' }),
  fleetAssessment: () => ({ pk: 'SYSTEM', sk: 'CLOCKS' }),
  nonce: (id: NonceId) => ({ pk: `NONCE#${id}`, sk: 'NONCE' }),
  record: (pair: PairId, n: number) => ({ pk: `${RECORDS}${pair}`, sk: String(n).padStart(9, '0') }),
} as const;

/** The attribute by which DynamoDB removes items, seconds since 1970. Only what is worth nothing any more has it. */
export const DELETE_AT = 'deleteAt';

/** The one index: operations that are not notified, by host and creation time. */
export const OPEN_INDEX = 'open';

/** A list of ten thousand buckets in an item, which may have 400 KB. */
export const pack = (value: unknown): Uint8Array => gzipSync(JSON.stringify(value));

/** Anything else is as it was before it was packed. */
export const unpack = (value: unknown): unknown =>
  value instanceof Uint8Array ? JSON.parse(gunzipSync(value).toString('utf8')) : value;

/** Reads an item at the door. @throws ItemInvalid */
export const parseItem = <S extends z.ZodType>(schema: S, item: unknown): z.output<S> => {
  const parsed = schema.safeParse(item);
  if (!parsed.success) throw new DrError('ItemInvalid', z.prettifyError(parsed.error).slice(0, 2000));
  return parsed.data;
};

/** The result of a conditional write, or undefined when the condition did not hold. Other errors are thrown. */
export const unlessRefused = async <T>(write: Promise<T>): Promise<T | undefined> => {
  try {
    return await write;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return undefined;
    throw error;
  }
};
