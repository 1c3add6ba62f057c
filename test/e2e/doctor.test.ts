import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  BUCKETS,
  type DoctorStage,
  doctorStage,
  REPLICA_HOST,
  SOURCE_HOST,
  simulatedClusters,
} from '../doctor/stage.ts';
import type { OzoneSimulator } from '../ozone-simulator/simulator.ts';

describe('the doctor, through the deployed form', () => {
  let clusters: OzoneSimulator;
  let stage: DoctorStage;

  beforeAll(async () => {
    clusters = await simulatedClusters();
    stage = await doctorStage(clusters);
  });
  afterAll(async () => {
    await stage?.close();
    await clusters?.stop();
  });

  /** What is found while it is so, without what is only noted. */
  const found = async (): Promise<readonly string[]> => {
    const { status, error, findings } = await stage.visit();
    const wrong = findings.filter(({ severity }) => severity === 'error' || severity === 'warning');
    const isFailed = wrong.some(({ severity }) => severity === 'error');
    expect([status, error]).toEqual(isFailed ? ['FAILED', 'DeploymentUnhealthy'] : ['SUCCEEDED', undefined]);
    return [...new Set(wrong.map(({ code }) => code))];
  };

  it('finds nothing wrong with a healthy deployment, and says what is given up', async () => {
    const { status, findings } = await stage.visit();
    expect(status).toBe('SUCCEEDED');
    expect(findings.map(({ severity, code, where }) => `${severity} ${code} ${where}`).sort()).toEqual(
      [SOURCE_HOST, REPLICA_HOST]
        .flatMap((host) => [`note host-role-not-looked-at ${host}`, `note security-off ${host}`])
        .sort(),
    );
  });

  it('finds a host that is away, and waits for nobody', async () => {
    stage.deployment.cloud.host(REPLICA_HOST).disconnect();
    const { seconds } = await stage.visit();
    expect(await found()).toEqual(['host-offline']);
    stage.deployment.cloud.host(REPLICA_HOST).connect();
    expect(seconds).toBeLessThan(60);
  });

  it('finds a cluster that is away, and says of the other what there is to say', async () => {
    clusters.inProcess.setFaults([{ id: 'away', effect: { kind: 'unreachable', service: 'dr' } }]);
    await clusters.ozone('sh', 'bucket', 'delete', `o3://prod/${BUCKETS[1]}`);
    expect([...(await found())].sort()).toEqual(['bucket-missing', 'cluster-unreachable']);
    clusters.inProcess.setFaults([]);
    await clusters.createBucket(`ofs://prod/${BUCKETS[1]}`);
  });

  it('keeps the report in the records bucket and ends the run in the ledger', async () => {
    const { status, findings } = await stage.visit();
    expect([status, findings.length]).toEqual(['SUCCEEDED', 4]);
  });
});
