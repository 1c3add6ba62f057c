import type { Scenario } from './scenario.ts';
import { bucketScenarios } from './scenarios/buckets.ts';
import { copyScenarios } from './scenarios/copy.ts';
import { diffContentScenarios } from './scenarios/diff-content.ts';
import { diffJobScenarios } from './scenarios/diff-jobs.ts';
import { errorScenarios } from './scenarios/errors.ts';
import { fileSystemScenarios } from './scenarios/file-system.ts';
import { incrementalScenarios } from './scenarios/incremental.ts';
import { restoreScenarios } from './scenarios/restore.ts';
import { snapshotScenarios } from './scenarios/snapshots.ts';

/** What Ozone's command line does, as far as anything here relies on it. Run against the simulator and against Ozone. */
export const scenarios: readonly Scenario[] = [
  ...errorScenarios,
  ...snapshotScenarios,
  ...diffJobScenarios,
  ...diffContentScenarios,
  ...fileSystemScenarios,
  ...copyScenarios,
  ...incrementalScenarios,
  ...bucketScenarios,
  ...restoreScenarios,
];

export const bucketOf = (index: number): string => `bkt-${String(index).padStart(3, '0')}`;

/** The commands that make every scenario's bucket on both clusters, for one batch per cluster. */
export const bucketCommands = (service: string, volume: string): readonly string[] => [
  `volume create o3://${service}/${volume}`,
  ...scenarios.map(
    (scenario, index) =>
      `bucket create --layout ${scenario.layout ?? 'FILE_SYSTEM_OPTIMIZED'} o3://${service}/${volume}/${bucketOf(index)}`,
  ),
];
