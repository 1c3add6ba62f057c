import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSimulator } from '../ozone-simulator/simulator.ts';
import { describePruneJob } from './prune-job.ts';

describePruneJob(
  'simulated clusters',
  async () => {
    const clusters = await createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-simulator-')) });
    // A name is free again at once, not after half a minute.
    clusters.inProcess.setSettings({ '*': { purgeAfterMs: 0 } });
    return clusters;
  },
  {
    down: async ({ inProcess }, service) =>
      inProcess.setFaults([{ id: 'down', effect: { kind: 'unreachable', service } }]),
    up: async ({ inProcess }) => inProcess.setFaults([]),
  },
);
