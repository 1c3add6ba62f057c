import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

import { dynamoAssessments, dynamoPairs } from '../../adapters/dynamodb/assessments.ts';
import { dynamoLedger } from '../../adapters/dynamodb/ledger.ts';
import { dynamoNonces } from '../../adapters/dynamodb/nonces.ts';
import { dynamoOpenOperations, dynamoOperations } from '../../adapters/dynamodb/operation-store.ts';
import { dynamoRecords } from '../../adapters/dynamodb/records.ts';
import { dynamoRuns } from '../../adapters/dynamodb/runs.ts';

const table = (name: string) => ({
  client: DynamoDBDocumentClient.from(new DynamoDBClient({ maxAttempts: 6 })),
  name,
});

export const liveLedger = (tableName: string) => dynamoLedger(table(tableName));
export const liveOperations = (tableName: string) => dynamoOperations(table(tableName));
export const liveRecords = (tableName: string) => dynamoRecords(table(tableName));
export const livePairs = (tableName: string) => dynamoPairs(table(tableName));
export const liveAssessments = (tableName: string) => dynamoAssessments(table(tableName));
export const liveRuns = (tableName: string) => dynamoRuns(table(tableName));
export const liveOpenOperations = (tableName: string) => dynamoOpenOperations(table(tableName));
export const liveNonces = (tableName: string) => dynamoNonces(table(tableName));
