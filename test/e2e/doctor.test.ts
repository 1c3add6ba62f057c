import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_FAULTS } from '../doctor/faults.ts';
import {
  BUCKETS,
  type DoctorStage,
  doctorStage,
  type Programs,
  programsBefore,
  REPLICA_HOST,
  SOURCE_HOST,
  simulatedClusters,
} from '../doctor/stage.ts';
import type { OzoneSimulator } from '../ozone-simulator/simulator.ts';

describe('the doctor, through the deployed form', () => {
  let clusters: OzoneSimulator;
  let stage: DoctorStage;
  let programs: Programs;

  beforeAll(async () => {
    clusters = await simulatedClusters();
    programs = programsBefore(clusters);
    stage = await doctorStage(clusters, { hostConfig: programs.hostConfig });
  });
  afterAll(async () => {
    await stage?.close();
    await clusters?.stop();
  });

  afterEach(async () => {
    for (const name of ['hadoop', 'ozone', 'df', 'klist']) programs.remove(name);
    stage.deployment.cloud.host(REPLICA_HOST).connect();
    clusters.inProcess.setFaults([]);
    await clusters.ozone('sh', 'bucket', 'delete', `o3://dr/${BUCKETS[1]}`);
    for (const service of ['prod', 'dr']) await clusters.createBucket(`ofs://${service}/${BUCKETS[1]}`);
  });

  it('finds nothing wrong with a healthy deployment, and says what is given up', async () => {
    const { status, findings } = await stage.visit();
    expect(status).toBe('SUCCEEDED');
    expect(findings.map(({ severity, code, where }) => `${severity} ${code} ${where}`).sort()).toEqual(
      [SOURCE_HOST, REPLICA_HOST]
        .flatMap((host) => [`note host-role-not-looked-at ${host}`, `note security-off ${host}`])
        .sort(),
    );
  });

  it.each(Object.entries(LOCAL_FAULTS))('finds %s, with its remedy, and nothing else', async (code, fault) => {
    await fault.plant(stage, clusters, programs);
    const { status, error, findings, seconds } = await stage.visit();
    expect([status, error]).toEqual(['FAILED', 'DeploymentUnhealthy']);
    const wrong = findings.filter(({ severity }) => severity === 'error' || severity === 'warning');
    expect([...new Set(wrong.map((it) => it.code))]).toEqual([code]);
    for (const { remedy, evidence } of wrong) expect(remedy && evidence).not.toBe('');
    // A host that is away is waited for by nobody; Run Command would for five minutes.
    expect(seconds).toBeLessThan(280);
  });

  it('keeps the report in the records bucket and ends the run in the ledger', async () => {
    const { status, findings } = await stage.visit();
    expect([status, findings.length]).toEqual(['SUCCEEDED', 4]);
  });
});

describe('a ticket that nobody renews', () => {
  it('is short for all that a policy allows, until it is known how long a copy takes', async () => {
    const clusters = await simulatedClusters();
    const programs = programsBefore(clusters);
    const stage = await doctorStage(clusters, { hostConfig: programs.hostConfig });
    try {
      programs.put(
        'klist',
        `[ -n "$KRB5CCNAME" ] && who=observer || who=$(id -un)
echo "Default principal: $who@EXAMPLE.ORG"
echo "01/01/2020 00:00:00  $(date -d '3 hours' '+%m/%d/%Y %T')  krbtgt/EXAMPLE.ORG@EXAMPLE.ORG"`,
      );
      const wrong = async () =>
        (await stage.visit()).findings.flatMap(({ severity, code }) => (severity === 'note' ? [] : [code]));
      expect(new Set(await wrong())).toEqual(new Set(['ticket-short']));
      for (const bucket of BUCKETS)
        expect(await stage.deployment.backUp({ policy: 'nightly', bucket })).toMatchObject({ status: 'SUCCEEDED' });
      expect(await wrong()).toEqual([]);
    } finally {
      await stage.close();
      await clusters.stop();
    }
  });
});
