import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Clusters, type Deployment, deploy, policyText } from '../fixtures/deployment.ts';
import { createSimulator } from '../ozone-simulator/simulator.ts';

const BUCKET = 'sales/orders';

describe('a first copy that may take longer than a command lives', () => {
  let clusters: Clusters;
  let deployment: Deployment;

  beforeAll(async () => {
    clusters = await createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-simulator-')) });
    for (const side of ['prod', 'dr']) await clusters.createBucket(`ofs://${side}/${BUCKET}`);
    await clusters.change(
      `ofs://prod/${BUCKET}`,
      Array.from({ length: 20 }, (_, i) => ({ op: 'put', path: `d${i % 3}/f${i}`, size: 100 + i, seed: i }) as const),
    );
    deployment = await deploy({
      clusters,
      policies: policyText([BUCKET], 'limits: { copyTimeout: 3d }'),
      clock: { virtualFrom: new Date('2026-11-20T02:00:00Z') },
    });
  });
  afterAll(async () => {
    await deployment.close();
    await clusters.stop();
  });

  it('goes on without its command, is asked for, and ends verified', async () => {
    const result = await deployment.backUp({ policy: 'nightly', bucket: BUCKET, slot: '2026-11-20T02:00:00Z' });
    expect(result).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'verified', mode: 'bootstrap' } });
    const told = result.steps.map(({ decision, observed }) => `${decision.kind}: ${observed?.kind}`);
    // How often it is asked for depends on the machine: virtual time passes faster than its copy works.
    expect(told.filter((it) => it !== 'probe: probe' && it !== 'wait: elapsed')).toEqual([
      'survey: survey',
      'create-snapshot: snapshot',
      'replicate: replicate',
      'probe: replicate',
      'verify: verify',
      'done: undefined',
    ]);
    const [point] = await deployment.points(BUCKET);
    const tree = await clusters.tree(`ofs://prod/${BUCKET}/.snapshot/${point?.name}`);
    expect(tree.size).toBeGreaterThan(20);
    expect(await clusters.tree(`ofs://dr/${BUCKET}`)).toEqual(tree);
    expect((await deployment.pair(BUCKET)).copies).toMatchObject([{ point: point?.name, to: expect.any(Number) }]);
  });

  it('an increment of the same policy stays with its command', async () => {
    await clusters.change(`ofs://prod/${BUCKET}`, [{ op: 'rm', path: 'd0/f0' }]);
    const result = await deployment.backUp({ policy: 'nightly', bucket: BUCKET });
    expect(result.output).toMatchObject({ kind: 'verified', mode: 'incremental' });
    expect(result.steps.map(({ decision }) => decision.kind)).not.toContain('probe');
  });
});
