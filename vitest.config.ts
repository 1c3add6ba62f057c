import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// On Node 20 every process that loads the AWS SDK prints a note about Node 22: once per test file is enough to hide failures.
process.env.NODE_NO_WARNINGS = '1';

/** One project per kind of test. `npm test` runs all but those on real clusters, which need a JDK and Maven, `aws-cli`, which installs the AWS CLI, and `alarms-week`, which plays weeks. */
const kind = (name: string, include: readonly string[], testTimeout = 30_000) => ({
  test: { name, include: [...include], testTimeout, hookTimeout: testTimeout },
});

/**
 * On real clusters: one file at a time unless `files` says otherwise. `ozone` plays on one pair, `ozone-secure` on one with Kerberos,
 * `ozone-yarn` on one with a YARN; `ozone-full`, what CI has no time for, starts one per file.
 */
const onClusters = (name: string, include: string, globalSetup: readonly string[] = [], files = 1) => ({
  test: {
    name,
    include: [include],
    globalSetup: [...globalSetup],
    testTimeout: 600_000,
    hookTimeout: 900_000,
    maxWorkers: files,
    // Vitest wants projects of other numbers of workers apart when one command names several.
    sequence: { groupOrder: files },
  },
});

export default defineConfig({
  test: {
    // CI adds up the reports of its runs.
    reporters: process.env.VITEST_JSON ? ['default', ['json', { outputFile: process.env.VITEST_JSON }]] : ['default'],
    // Half of the work waits for child processes: on two cores one file at a time would leave a core idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      kind('unit', ['test/unit/**/*.test.ts'], 10_000),
      kind('edge-host', ['test/edge-host/**/*.test.ts']),
      kind('statemachine', ['test/statemachine/**/*.test.ts']),
      kind('local-cloud', ['test/local-cloud/**/*.test.ts']),
      kind('contract', ['test/contract/**/*.test.ts']),
      kind('infra', ['test/infra/**/*.test.ts'], 60_000),
      kind('e2e', ['test/e2e/**/*.test.ts'], 120_000),
      kind('console', ['test/console/**/*.test.ts'], 120_000),
      kind('alarms', ['test/alarms/*.test.ts'], 600_000),
      kind('alarms-week', ['test/alarms/week/*.test.ts'], 3_600_000),
      kind('aws-cli', ['test/aws-cli/**/*.test.ts'], 600_000),
      onClusters('ozone', 'test/ozone/*.test.ts', ['test/ozone-cluster/shared.ts']),
      // None of its files ends a daemon, and one of them mostly waits for tickets to end.
      onClusters('ozone-secure', 'test/ozone-secure/*.test.ts', ['test/ozone-cluster/secured.ts'], 2),
      onClusters('ozone-yarn', 'test/ozone-yarn/*.test.ts', ['test/ozone-cluster/shared-yarn.ts']),
      onClusters('ozone-full', 'test/ozone/full/*.test.ts'),
    ],
  },
});
