import { SFNClient } from '@aws-sdk/client-sfn';
import { runningExecutions, stepFunctions } from '../../adapters/sfn/executions.ts';
import { sfnMachines } from '../../adapters/sfn/machines.ts';

export const liveExecutions = () => stepFunctions(new SFNClient({ maxAttempts: 6 }));
export const liveRunningExecutions = (machines: string) =>
  runningExecutions(new SFNClient({ maxAttempts: 6 }), machines);
export const liveMachines = (machines: string) => sfnMachines(new SFNClient({ maxAttempts: 6 }), machines);
