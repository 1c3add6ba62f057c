import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { dynamoAssessments, dynamoPairs } from '../../adapters/dynamodb/assessments.ts';
import { dynamoLedger } from '../../adapters/dynamodb/ledger.ts';
import { dynamoOperations } from '../../adapters/dynamodb/operation-store.ts';
import { dynamoRecords } from '../../adapters/dynamodb/records.ts';

const table = (name: string) => ({
  client: DynamoDBDocumentClient.from(new DynamoDBClient({ maxAttempts: 6 })),
  name,
});

export const liveLedger = (tableName: string) => dynamoLedger(table(tableName));
export const liveOperations = (tableName: string) => dynamoOperations(table(tableName));
export const liveRecords = (tableName: string) => dynamoRecords(table(tableName));
export const livePairs = (tableName: string) => dynamoPairs(table(tableName));
export const liveAssessments = (tableName: string) => dynamoAssessments(table(tableName));
