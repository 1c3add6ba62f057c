import { z } from 'zod';

/** Requests of the Step Functions API, as far as they are emulated. */
export const mostInput = 262_144;
const arn = z.string().min(1).max(2048);
const pages = { maxResults: z.int().min(0).max(1000).optional(), nextToken: z.string().optional() };

export const startRequest = z.strictObject({
  stateMachineArn: arn,
  name: z.string().optional(),
  input: z.string().optional(),
  traceHeader: z.string().optional(),
});
export const executionRequest = z.strictObject({ executionArn: arn, includedData: z.literal('ALL_DATA').optional() });
export const stopRequest = z.strictObject({
  executionArn: arn,
  error: z.string().max(256).optional(),
  cause: z.string().max(32_768).optional(),
});
export const listRequest = z.strictObject({
  stateMachineArn: arn.optional(),
  mapRunArn: arn.optional(),
  statusFilter: z.enum(['RUNNING', 'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED']).optional(),
  redriveFilter: z.enum(['REDRIVEN', 'NOT_REDRIVEN']).optional(),
  ...pages,
});
const definition = z.string().min(1).max(1_048_576);
export const createRequest = z.strictObject({
  name: z.string(),
  definition,
  roleArn: arn,
  type: z.literal('STANDARD').optional(),
});
export const updateRequest = z.strictObject({
  stateMachineArn: arn,
  definition: definition.optional(),
  roleArn: arn.optional(),
});
export const validateRequest = z.strictObject({
  definition,
  type: z.literal('STANDARD').optional(),
  severity: z.enum(['ERROR', 'WARNING']).optional(),
  maxResults: z.int().min(0).max(100).optional(),
});
export const listMachinesRequest = z.strictObject(pages);
export const redriveRequest = z.strictObject({ executionArn: arn, clientToken: z.string().min(1).max(64).optional() });
export const mapRunRequest = z.strictObject({ mapRunArn: arn });
export const listMapRunsRequest = z.strictObject({ executionArn: arn, ...pages });
export const historyRequest = z.strictObject({
  executionArn: arn,
  reverseOrder: z.boolean().optional(),
  includeExecutionData: z.boolean().optional(),
  ...pages,
});
const token = z.string().min(1).max(2048);
export const successRequest = z.strictObject({ taskToken: token, output: z.string().max(mostInput) });
export const failureRequest = z.strictObject({
  taskToken: token,
  error: z.string().max(256).optional(),
  cause: z.string().max(32_768).optional(),
});
export const heartbeatRequest = z.strictObject({ taskToken: token });
export const machineRequest = z.strictObject({ stateMachineArn: arn, includedData: z.literal('ALL_DATA').optional() });
