import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSimulator } from '../ozone-simulator/simulator.ts';
import { describeFailoverJob } from './failover-job.ts';

describeFailoverJob(
  'simulated clusters',
  () => createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-failover-job-')) }),
  {
    down: async ({ inProcess }, service) =>
      inProcess.setFaults([{ id: 'down', effect: { kind: 'unreachable', service } }]),
    up: async ({ inProcess }) => inProcess.setFaults([]),
  },
);
