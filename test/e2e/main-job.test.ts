import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSimulator } from '../ozone-simulator/simulator.ts';
import { describeMainJob } from './main-job.ts';

describeMainJob('simulated clusters', () =>
  createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-simulator-')) }),
);
