import { SFNClient } from '@aws-sdk/client-sfn';
import { stepFunctions } from '../../adapters/sfn/executions.ts';

export const liveExecutions = () => stepFunctions(new SFNClient({ maxAttempts: 6 }));
