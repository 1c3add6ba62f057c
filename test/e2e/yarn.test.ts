import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { YarnCluster } from '../edge-host/yarn-cluster.ts';
import { type BackupResult, type Deployment, deploy, policyText } from '../fixtures/deployment.ts';
import { createSimulator, type OzoneSimulator } from '../ozone-simulator/simulator.ts';

const BUCKET = 'sales/orders';

describe('backups of a policy that copies on YARN', () => {
  const front = mkdtempSync(join(tmpdir(), 'ozone-dr-yarn-'));
  const dies = join(front, 'dies');
  let yarn: YarnCluster;
  let clusters: OzoneSimulator;
  let deployment: Deployment;

  beforeAll(async () => {
    yarn = await new YarnCluster().start();
    clusters = await createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-simulator-')) });
    for (const side of ['prod', 'dr']) await clusters.createBucket(`ofs://${side}/${BUCKET}`);
    await clusters.change(
      `ofs://prod/${BUCKET}`,
      Array.from({ length: 20 }, (_, i) => ({ op: 'put', path: `d${i % 3}/f${i}`, size: 100 + i, seed: i }) as const),
    );
    // What the application would copy is copied before it is submitted; with the file `dies` the script that waits for it is killed.
    writeFileSync(
      join(front, 'hadoop'),
      `#!/bin/bash
words=()
for word; do [ "$word" = -async ] || words+=("$word"); done
[ "$1" = distcp ] || exec '${clusters.bin}/hadoop' "$@"
'${clusters.bin}/hadoop' "\${words[@]}" || exit
${yarn.client}
if [ -e '${dies}' ]; then rm '${dies}'; kill -9 $(ps -o ppid= -p $PPID); fi
`,
      { mode: 0o755 },
    );
    deployment = await deploy({
      clusters,
      policies: policyText([BUCKET], 'limits: { yarn: { queue: backup } }'),
      clock: { virtualFrom: new Date('2026-11-20T02:00:00Z') },
      hostConfig: { path: `${front}:${clusters.bin}`, yarn_rm: yarn.rm, yarn_history: yarn.history },
    });
  });
  afterAll(async () => {
    await deployment.close();
    await clusters.stop();
    rmSync(front, { recursive: true, force: true });
  });

  const copiesOf = ({ steps }: BackupResult) =>
    steps.flatMap(({ decision }) => (decision.kind === 'replicate' ? [[decision.mode, decision.adopts !== null]] : []));
  const verified = async () => {
    const [point] = await deployment.points(BUCKET);
    const tree = await clusters.tree(`ofs://prod/${BUCKET}/.snapshot/${point?.name}`);
    expect(tree.size).toBeGreaterThan(20);
    expect(await clusters.tree(`ofs://dr/${BUCKET}`)).toEqual(tree);
    expect(await deployment.pair(BUCKET)).toMatchObject({ dirtySince: null, base: { name: point?.name } });
  };

  it('end verified, and count what the history counts', async () => {
    const result = await deployment.backUp({ policy: 'nightly', bucket: BUCKET, slot: '2026-11-20T02:00:00Z' });
    expect(result).toMatchObject({ status: 'SUCCEEDED', output: { mode: 'bootstrap', bytesCopied: 40_000_000 } });
    expect(copiesOf(result)).toEqual([['bootstrap', false]]);
    expect(yarn.applications).toMatchObject([{ queue: 'backup', state: 'FINISHED' }]);
    await verified();
  });

  it('adopt the application of a copy whose script died, and copy nothing again', async () => {
    await clusters.change(`ofs://prod/${BUCKET}`, [{ op: 'put', path: 'd0/new', size: 5, seed: 99 }]);
    writeFileSync(dies, '');
    const result = await deployment.backUp({ policy: 'nightly', bucket: BUCKET });
    expect(existsSync(dies)).toBe(false);
    expect(result).toMatchObject({ status: 'SUCCEEDED', output: { mode: 'incremental' } });
    expect(copiesOf(result)).toEqual([
      ['incremental', false],
      ['incremental', true],
    ]);
    expect(yarn.applications).toHaveLength(2);
    await verified();
  });

  it('copy anew after an application that was killed', async () => {
    await clusters.change(`ofs://prod/${BUCKET}`, [{ op: 'rm', path: 'd1/f1' }]);
    yarn.submitted = { state: 'KILLED', finalStatus: 'KILLED' };
    const killed = deployment.backUp({ policy: 'nightly', bucket: BUCKET });
    while (yarn.applications.length < 3) await new Promise((resolve) => setTimeout(resolve, 20));
    yarn.submitted = { state: 'FINISHED', finalStatus: 'SUCCEEDED' };
    const result = await killed;
    expect(result).toMatchObject({ status: 'SUCCEEDED', output: { mode: 'resync' } });
    expect(copiesOf(result)).toEqual([
      ['incremental', false],
      ['resync', false],
    ]);
    await verified();
  });
});
