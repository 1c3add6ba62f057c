import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSimulator } from '../ozone-simulator/simulator.ts';
import { describeFleetBatch } from './fleet-batch.ts';

describeFleetBatch(
  'simulated clusters',
  () => createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-batch-')) }),
  {
    down: ({ inProcess }) => inProcess.setFaults([{ id: 'down', effect: { kind: 'unreachable', service: 'dr' } }]),
    up: ({ inProcess }) => inProcess.setFaults([]),
  },
);
