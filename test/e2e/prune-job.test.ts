import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSimulator } from '../ozone-simulator/simulator.ts';
import { describePruneJob } from './prune-job.ts';

describePruneJob('simulated clusters', () =>
  createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-simulator-')) }),
);
