import {
  DescribeExecutionCommand,
  ExecutionDoesNotExist,
  InvalidToken,
  ListExecutionsCommand,
  SendTaskFailureCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  type SFNClient,
  TaskDoesNotExist,
  TaskTimedOut,
} from '@aws-sdk/client-sfn';
import { epochMs } from '../../core/domain/units.ts';
import type { Delivery, RunningExecutions, TaskCallbacks, Workflow } from '../../core/ports.ts';

/** A token that nobody waits on any more is no error: the Task timed out, was tried anew, or its execution is over. */
const delivery = async (call: Promise<unknown>): Promise<Delivery> => {
  try {
    await call;
    return 'delivered';
  } catch (error) {
    if (error instanceof TaskTimedOut || error instanceof TaskDoesNotExist || error instanceof InvalidToken)
      return 'gone';
    throw error;
  }
};

/** Lengths are those of the SendTaskFailure API. */
const MAX_ERROR = 256;
const MAX_CAUSE = 32_000;

export const stepFunctions = (sfn: SFNClient): TaskCallbacks & Workflow => ({
  succeed: (token, output) =>
    delivery(sfn.send(new SendTaskSuccessCommand({ taskToken: token, output: JSON.stringify(output) }))),
  fail: (token, error, cause) =>
    delivery(
      sfn.send(
        new SendTaskFailureCommand({
          taskToken: token,
          error: error.slice(0, MAX_ERROR),
          cause: cause.slice(0, MAX_CAUSE),
        }),
      ),
    ),
  heartbeat: (token) => delivery(sfn.send(new SendTaskHeartbeatCommand({ taskToken: token }))),
  isRunning: async (execution) => {
    try {
      const { status } = await sfn.send(new DescribeExecutionCommand({ executionArn: execution }));
      return status === 'RUNNING' || status === 'PENDING_REDRIVE';
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist) return false;
      throw error;
    }
  },
});

/** @param machines what the ARN of every machine of the deployment begins with; the name of the workflow is the rest */
export const runningExecutions = (sfn: SFNClient, machines: string): RunningExecutions => ({
  running: async (workflow, atMost) => {
    const { executions, nextToken } = await sfn.send(
      new ListExecutionsCommand({
        stateMachineArn: `${machines}${workflow}`,
        statusFilter: 'RUNNING',
        maxResults: atMost,
      }),
    );
    const newest = (executions ?? []).flatMap(({ executionArn, name, startDate }) =>
      executionArn && name && startDate ? [{ arn: executionArn, name, startedAt: epochMs(startDate.getTime()) }] : [],
    );
    return { newest, isCut: nextToken !== undefined };
  },
});
