import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { ToldFinding } from '../../functions/cli/doctor.ts';
import {
  type Clusters,
  type Deployment,
  deploy,
  policyText,
  REPLICA_HOST,
  SOURCE_HOST,
} from '../fixtures/deployment.ts';
import { createSimulator, type OzoneSimulator } from '../ozone-simulator/simulator.ts';

/** What a visit told, from the output of its execution or from the cause of its failure. */
export interface Visit {
  readonly status: string;
  readonly error: string | undefined;
  readonly seconds: number;
  /** Of severity error, warning and note. */
  readonly findings: readonly ToldFinding[];
}

const Report = z.object({ findings: z.array(ToldFinding) });

export const BUCKETS = ['sales/orders', 'sales/invoices'];

/** The product as deployed, its two hosts at work on two clusters that have the buckets, healthy as it begins. */
export interface DoctorStage {
  readonly clusters: Clusters;
  readonly deployment: Deployment;
  visit(): Promise<Visit>;
  close(): Promise<void>;
}

/** In real time, because the script asks its host for it. */
export const doctorStage = async (
  clusters: Clusters,
  {
    policies = policyText(BUCKETS),
    hostConfig = {},
  }: { readonly policies?: string; readonly hostConfig?: Readonly<Record<string, string>> } = {},
): Promise<DoctorStage> => {
  const deployment = await deploy({
    clusters,
    policies,
    hostConfig,
  });
  const { cloud } = deployment;
  let startedIn = 0;
  return {
    clusters,
    deployment,
    visit: async () => {
      // Of two visits that begin in the same second the later one is refused.
      while (Math.floor(cloud.clock.now() / 1000) === startedIn) await sleep(50);
      startedIn = Math.floor(cloud.clock.now() / 1000);
      const arn = cloud.startExecution('ozone-dr-doctor', {});
      const { status, error, cause, output } = await cloud.executionEnded(arn);
      const execution = cloud.stepFunctions.execution(arn);
      const told = cause ?? JSON.stringify(output ?? null);
      const [, bucket = '', key = ''] = /s3:\/\/([a-z0-9-]+)\/(doctor\/[0-9TZ:.-]+\.json)/.exec(told) ?? [];
      const text = cloud.s3.get(bucket, key)?.toString();
      const findings = text === undefined ? [] : Report.parse(JSON.parse(text)).findings;
      return {
        status,
        error,
        seconds: Math.round(((execution.stopDate ?? 0) - execution.startDate) / 1000),
        findings: findings.filter(({ severity }) => severity !== 'ok'),
      };
    },
    close: () => deployment.close(),
  };
};

export const simulatedClusters = async (): Promise<OzoneSimulator> => {
  const clusters = await createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-doctor-')) });
  for (const service of ['prod', 'dr'])
    for (const bucket of BUCKETS) await clusters.createBucket(`ofs://${service}/${bucket}`);
  return clusters;
};

export interface Programs {
  /** Where a host finds them; observe comes with a ticket of its own. */
  readonly hostConfig: Readonly<Record<string, string>>;
  readonly put: (name: string, body: string) => void;
  readonly remove: (name: string) => void;
}

/** A folder of programs that stand before those of the clusters on the hosts. Until one of them says otherwise the tickets are good, and nobody's. */
export const programsBefore = ({ bin }: Clusters): Programs => {
  const folder = mkdtempSync(join(tmpdir(), 'ozone-dr-programs-'));
  const healthy = mkdtempSync(join(tmpdir(), 'ozone-dr-programs-'));
  writeFileSync(join(healthy, 'klist'), '#!/bin/bash\n', { mode: 0o755 });
  return {
    hostConfig: { path: `${folder}:${healthy}:${bin}`, ticket_observe: '/run/ozone-dr/observe' },
    put: (name, body) => writeFileSync(join(folder, name), `#!/bin/bash\n${body}\n`, { mode: 0o755 }),
    remove: (name) => rmSync(join(folder, name), { force: true }),
  };
};

export { REPLICA_HOST, SOURCE_HOST };
