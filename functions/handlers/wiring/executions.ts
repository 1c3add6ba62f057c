import { SFNClient } from '@aws-sdk/client-sfn';
import { runningExecutions, stepFunctions } from '../../adapters/sfn/executions.ts';

export const liveExecutions = () => stepFunctions(new SFNClient({ maxAttempts: 6 }));
export const liveRunningExecutions = (machines: string) =>
  runningExecutions(new SFNClient({ maxAttempts: 6 }), machines);
