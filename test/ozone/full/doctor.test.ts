import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUCKETS, type DoctorStage, doctorStage } from '../../doctor/stage.ts';
import { type OzoneClusters, startOzoneClusters } from '../../ozone-cluster/ozone-clusters.ts';

const [, SECOND] = BUCKETS;

/** What real Ozone, Hadoop and Java answer is not always what a simulator does: the tools, both clusters, the buckets. */
describe('the doctor on real clusters', () => {
  let clusters: OzoneClusters;
  let stage: DoctorStage;

  beforeAll(async () => {
    clusters = await startOzoneClusters();
    await clusters.createBuckets(BUCKETS);
    stage = await doctorStage(clusters);
  });
  afterAll(async () => {
    await stage?.close();
    await clusters?.stop();
  });

  const wrong = async (): Promise<readonly string[]> => {
    const { findings } = await stage.visit();
    return [
      ...new Set(
        findings.flatMap(({ severity, code }) => (severity === 'error' || severity === 'warning' ? [code] : [])),
      ),
    ].sort();
  };

  it('finds nothing wrong with a healthy pair', async () => {
    const { status, findings } = await stage.visit();
    expect(findings.filter(({ severity }) => severity !== 'note')).toEqual([]);
    expect(status).toBe('SUCCEEDED');
  });

  it('finds a replica bucket of another layout', async () => {
    await clusters.ozone('sh', 'bucket', 'delete', `o3://dr/${SECOND}`);
    await clusters.ozone('sh', 'bucket', 'create', '-l', 'LEGACY', `o3://dr/${SECOND}`);
    expect(await wrong()).toEqual(['layouts-differ']);
    await clusters.ozone('sh', 'bucket', 'delete', `o3://dr/${SECOND}`);
  });

  it('finds a bucket that is missing', async () => {
    expect(await wrong()).toEqual(['bucket-missing']);
    await clusters.createBucket(`ofs://dr/${SECOND}`);
  });

  it('finds a cluster that is away, and says so of it alone', async () => {
    await clusters.kill('dr', 'om');
    const { findings } = await stage.visit();
    await clusters.restart('dr', 'om');
    await clusters.ready('dr');
    const errors = findings.filter(({ severity }) => severity === 'error');
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['cluster-unreachable']));
    for (const { where } of errors) expect(where).toMatch(/ to dr$/);
  });
});
