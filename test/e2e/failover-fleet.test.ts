import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Deployment, deploy, policyText } from '../fixtures/deployment.ts';
import { createSimulator } from '../ozone-simulator/simulator.ts';

const BUCKETS = ['sales/prices', 'sales/orders', 'sales/returns'] as const;
const [PRICES, ORDERS, RETURNS] = BUCKETS;
const ORDER = [[PRICES], [ORDERS, RETURNS]];

describe('a failover of several buckets', () => {
  let clusters: Awaited<ReturnType<typeof createSimulator>>;
  let deployment: Deployment;

  beforeAll(async () => {
    clusters = await createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-failover-fleet-')) });
    for (const [seed, bucket] of BUCKETS.entries()) {
      for (const service of ['prod', 'dr']) await clusters.createBucket(`ofs://${service}/${bucket}`);
      await clusters.change(`ofs://prod/${bucket}`, [{ op: 'put', path: 'a', size: 10, seed }]);
    }
    deployment = await deploy({ clusters, policies: policyText(BUCKETS) });
    expect(await deployment.fire('2026-11-10T02:00:00Z')).toMatchObject({ status: 'SUCCEEDED' });
  });
  afterAll(async () => {
    await deployment?.close();
    await clusters?.stop();
  });

  const request = { policy: 'nightly', kind: 'unplanned', buckets: ORDER, by: 'Ada', reason: 'prod is lost' };
  const failovers = () => deployment.cloud.executions('ozone-dr-failover');
  const primaries = () => Promise.all(BUCKETS.map(async (it) => (await deployment.pair(it)).role?.primary ?? 'source'));

  const planned = async () => {
    const { status, output, error, cause } = await deployment.failOverFleet(request);
    expect({ status, error, cause }).toEqual({ status: 'SUCCEEDED' });
    return { plan: String(output?.plan), confirmation: String(output?.confirmation), output };
  };

  it('says for each what would be lost, and changes nothing', async () => {
    const { confirmation, output } = await planned();
    expect(confirmation).toMatch(/^fail over 3 buckets of nightly to dr [0-9a-f]{12}$/);
    expect(output?.summary).toContain('WHAT WAS WRITTEN TO prod IN THE LAST');
    expect(output?.groups).toMatchObject([
      [{ bucket: PRICES, blocker: null }],
      [
        { bucket: ORDERS, blocker: null },
        { bucket: RETURNS, blocker: null },
      ],
    ]);
    expect(failovers()).toEqual([]);
    expect(await primaries()).toEqual(['source', 'source', 'source']);
  });

  it('takes only the words of its plan, for the buckets of its plan', async () => {
    const { plan, confirmation } = await planned();
    for (const wrong of [
      { ...request, plan, confirmation: 'fail over' },
      { ...request, plan, confirmation, kind: 'planned' },
      { ...request, plan, confirmation, buckets: [[ORDERS]] },
    ])
      expect(await deployment.failOverFleet(wrong)).toMatchObject({ status: 'FAILED', error: 'NotConfirmed' });
    const alone = { policy: 'nightly', bucket: ORDERS, kind: 'planned', by: 'Ada', reason: 'a test', fleet: plan };
    expect(await deployment.failOver(alone)).toMatchObject({ status: 'FAILED', error: 'NotConfirmed' });
    expect(await primaries()).toEqual(['source', 'source', 'source']);
  });

  it('stops before what depends on a bucket that failed, and goes on with what is left when that is mended', async () => {
    const [point] = await deployment.points(PRICES);
    await clusters.ozone('sh', 'snapshot', 'delete', `o3://dr/${PRICES}`, String(point?.name));
    const first = await planned();
    const failed = await deployment.failOverFleet({ ...request, plan: first.plan, confirmation: first.confirmation });
    expect(failed).toMatchObject({ status: 'FAILED', error: 'BucketsFailed' });
    // What the failover itself says, not that a task failed.
    expect(failed.cause).toMatch(
      new RegExp(`^1 of 1 buckets were not failed over: ${PRICES} \\(PointGone: no copy of .{20,}; execution fleet-`),
    );
    expect(failed.cause).not.toContain('States.TaskFailed');
    expect(await primaries()).toEqual(['source', 'source', 'source']);

    expect(await deployment.backUp({ policy: 'nightly', bucket: PRICES })).toMatchObject({ status: 'SUCCEEDED' });
    const { plan, confirmation } = await planned();
    const done = await deployment.failOverFleet({ ...request, plan, confirmation });
    expect(done).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'done', buckets: BUCKETS } });
    expect(await primaries()).toEqual(['replica', 'replica', 'replica']);
    const begun = failovers().flatMap(({ input }) => BUCKETS.filter((it) => JSON.stringify(input).includes(it)));
    expect(begun.slice(-3)[0]).toBe(PRICES);

    const before = failovers().length;
    const again = await deployment.failOverFleet({ ...request, plan, confirmation });
    expect(again).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'done' } });
    expect(failovers()).toHaveLength(before);
  });
});
