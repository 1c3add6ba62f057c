import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUCKETS, doctorStage } from '../doctor/stage.ts';
import { policyText } from '../fixtures/deployment.ts';
import type { OzoneClusters } from '../ozone-cluster/ozone-clusters.ts';
import { sharedYarn } from '../ozone-cluster/shared-yarn.ts';
import type { Yarn } from '../ozone-cluster/yarn.ts';

/** What a resource manager answers is not always what a recorded one does. */
describe('the doctor beside a real YARN', () => {
  const directory = mkdtempSync(join(tmpdir(), 'doctor-'));
  let clusters: OzoneClusters;
  let yarn: Yarn;

  beforeAll(async () => {
    ({ clusters, yarn } = await sharedYarn());
    await clusters.createBuckets(BUCKETS);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const codes = async (queue: string, more: Readonly<Record<string, string>> = {}): Promise<readonly string[]> => {
    const stage = await doctorStage(clusters, {
      policies: policyText(BUCKETS, `limits: { yarn: { queue: ${queue} } }`),
      hostConfig: { yarn_rm: yarn.rm, yarn_history: yarn.history, ...more },
    });
    try {
      const { findings } = await stage.visit();
      return findings.filter(({ severity }) => severity !== 'note').map(({ code }) => code);
    } finally {
      await stage.close();
    }
  };

  it('finds nothing wrong with it', async () => {
    expect(await codes('backup')).toEqual([]);
  });

  it('finds a queue that is not there, larger containers than it gives, and that its history server is away', async () => {
    const hadoop = join(directory, 'hadoop');
    const envvars = `[ "$1" != envvars ] || exec echo "HADOOP_CONF_DIR='${directory}'"`;
    writeFileSync(hadoop, `#!/bin/sh\n${envvars}\nexec '${clusters.bin}/hadoop' "$@"\n`, { mode: 0o755 });
    const property = '<property><name>mapreduce.map.memory.mb</name><value>8192</value></property>';
    writeFileSync(join(directory, 'mapred-site.xml'), `<configuration>${property}</configuration>`);
    await yarn.kill('history');
    try {
      const found = await codes('nosuch', { path: `${directory}:${clusters.bin}` });
      expect([...found].sort()).toEqual(['history-unreachable', 'map-memory', 'queue-missing']);
    } finally {
      await yarn.restart('history');
    }
  });
});
