import {
  DescribeExecutionCommand,
  ExecutionDoesNotExist,
  InvalidArn,
  type SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { epochMs } from '../../core/domain/units.ts';
import type { ExecutionState, Machines } from '../../core/ports.ts';

const STATUS: Readonly<Record<string, ExecutionState['status']>> = {
  RUNNING: 'running',
  PENDING_REDRIVE: 'running',
  SUCCEEDED: 'succeeded',
  ABORTED: 'cancelled',
  TIMED_OUT: 'timed-out',
};

const json = (text: string | undefined): unknown => (text === undefined ? undefined : JSON.parse(text));

/** @param machines what the ARN of every machine of the deployment begins with; the name of the workflow is the rest */
export const sfnMachines = (sfn: SFNClient, machines: string): Machines => ({
  start: async (workflow, name, input) => {
    const { executionArn } = await sfn.send(
      new StartExecutionCommand({ stateMachineArn: `${machines}${workflow}`, name, input: JSON.stringify(input) }),
    );
    if (!executionArn) throw new Error(`StartExecution of ${workflow} answered no ARN`);
    return executionArn;
  },
  look: async (execution) => {
    try {
      const found = await sfn.send(new DescribeExecutionCommand({ executionArn: execution }));
      return {
        status: STATUS[found.status ?? ''] ?? 'failed',
        startedAt: epochMs(found.startDate?.getTime() ?? 0),
        input: json(found.input),
        output: json(found.output),
        error: found.error ?? null,
        cause: found.cause ?? null,
      };
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist || error instanceof InvalidArn) return undefined;
      throw error;
    }
  },
  stop: async (execution, cause) => {
    await sfn.send(new StopExecutionCommand({ executionArn: execution, cause: cause.slice(0, 32_000) }));
  },
});
