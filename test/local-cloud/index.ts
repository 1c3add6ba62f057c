export type { Execution } from './asl/execution.ts';
export type { HistoryEvent } from './asl/history.ts';
export type { Alarm } from './cloudwatch/cloudwatch.ts';
export type { FaultPlan, FaultRule } from './faults.ts';
export { type Ended, LocalCloud, type LocalCloudOptions, startLocalCloud } from './local-cloud.ts';
export type { Command } from './ssm/commands.ts';
export type { Host, HostDefinition } from './ssm/host.ts';
export type { CloudEvent } from './world.ts';
