import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Deployment, deploy, policyText } from '../fixtures/deployment.ts';
import { createSimulator } from '../ozone-simulator/simulator.ts';

describe('a fleet with globs', () => {
  let clusters: Awaited<ReturnType<typeof createSimulator>>;
  let deployment: Deployment;

  const make = async (bucket: string, services = ['prod', 'dr']) => {
    for (const service of services) await clusters.createBucket(`ofs://${service}/${bucket}`);
    await clusters.change(`ofs://prod/${bucket}`, [{ op: 'put', path: 'a', size: 10, seed: 1 }]);
  };
  const start = async (input: object) => {
    const arn = deployment.cloud.startExecution('ozone-dr-backup-fleet', { policy: 'nightly', ...input });
    const { status, error, cause, output } = await deployment.cloud.executionEnded(arn);
    return { status, error, cause, output };
  };
  const backups = () => deployment.cloud.executions('ozone-dr-backup').length;

  beforeAll(async () => {
    clusters = await createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-fleet-')) });
    await make('sales/orders');
    await make('sales/prices');
    await make('private/keys');
    deployment = await deploy({ clusters, policies: policyText(['"sales/*"']) });
  });
  afterAll(async () => {
    await deployment?.close();
    await clusters?.stop();
  });

  it('enrols what the globs give and backs it up, says new and vanished buckets, and runs again only what failed', async () => {
    const first = await start({ slot: '2026-11-10T02:00:00Z' });
    expect(first).toMatchObject({
      status: 'SUCCEEDED',
      output: {
        buckets: 2,
        failed: [],
        announcements: ['nightly: 2 new of 2 buckets: sales/orders, sales/prices'],
      },
    });
    for (const bucket of ['sales/orders', 'sales/prices']) expect(await deployment.points(bucket)).toHaveLength(1);

    // One more, whose replica is missing, and which fails until somebody makes it.
    await make('sales/returns', ['prod']);
    const second = await start({ slot: '2026-11-10T03:00:00Z' });
    expect(second).toMatchObject({ status: 'FAILED', error: 'BucketsFailed' });
    expect(second.cause).toMatch(/1 of 3 buckets failed: sales\/returns \(ReplicaMissing, execution nightly-/);
    await clusters.createBucket('ofs://dr/sales/returns');
    const before = backups();
    expect(await start({ slot: '2026-11-10T03:00:00Z', attempt: 2 })).toMatchObject({
      status: 'SUCCEEDED',
      output: { buckets: 1 },
    });
    expect(backups()).toBe(before + 1);
    expect(await start({ slot: '2026-11-10T03:00:00Z', attempt: 3 })).toMatchObject({ output: { buckets: 0 } });
    expect(await deployment.points('sales/returns')).toHaveLength(1);
    expect(await deployment.points('private/keys')).toEqual([]);
  });
});
