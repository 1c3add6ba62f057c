import type { Json, JsonObject } from '../json.ts';
import type { StateGraph } from './definition.ts';
import type { Execution } from './execution.ts';

/** One child execution of a Map Run, begun or not. */
export interface MapUnit {
  readonly input: Json;
  /** Items of the dataset in its input: 1 unless batched. */
  readonly items: number;
  /** The child, from its first start on. */
  execution: Execution | undefined;
  /** Waits for its (first or next) start. */
  pending: boolean;
}

export type MapRunStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'ABORTED';

/** One run of a distributed Map: its settings, its children, and what `DescribeMapRun` tells of it. */
export interface MapRun {
  readonly arn: string;
  /** Last part of the ARN; the folder of the results is named after it. */
  readonly id: string;
  readonly label: string;
  readonly parent: Execution;
  readonly definition: StateGraph;
  readonly childType: 'STANDARD' | 'EXPRESS';
  readonly maxConcurrency: number;
  readonly toleratedCount: number | undefined;
  readonly toleratedPercentage: number | undefined;
  readonly startDate: number;
  /** Undefined until the dataset was read. */
  units: readonly MapUnit[] | undefined;
  status: MapRunStatus;
  stopDate: number | undefined;
  redriveCount: number;
  redriveDate: number | undefined;
  resultsWritten: number;
}

/** Where a unit stands, in the words of the counts. */
export function stateOf(unit: MapUnit): 'pending' | 'running' | 'succeeded' | 'failed' | 'timedOut' | 'aborted' {
  if (unit.pending || unit.execution === undefined) return 'pending';
  const states = {
    RUNNING: 'running',
    SUCCEEDED: 'succeeded',
    FAILED: 'failed',
    TIMED_OUT: 'timedOut',
    ABORTED: 'aborted',
  } as const;
  return states[unit.execution.status];
}

/** Counts of a Map Run, of child executions (`weight` 1) or of items. */
export function countsOf(run: MapRun, weight: (unit: MapUnit) => number): JsonObject {
  const counts = { pending: 0, running: 0, succeeded: 0, failed: 0, timedOut: 0, aborted: 0 };
  let total = 0;
  let pendingRedrive = 0;
  for (const unit of run.units ?? []) {
    counts[stateOf(unit)] += weight(unit);
    total += weight(unit);
    if (unit.pending && unit.execution !== undefined) pendingRedrive += weight(unit);
  }
  return { ...counts, total, resultsWritten: run.resultsWritten, failuresNotRedrivable: 0, pendingRedrive };
}

/** Units that count against the tolerance: ended without success. */
export const failedUnits = (run: MapRun): readonly MapUnit[] =>
  (run.units ?? []).filter((unit) => ['failed', 'timedOut', 'aborted'].includes(stateOf(unit)));
