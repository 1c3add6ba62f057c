import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSimulator } from '../ozone-simulator/simulator.ts';
import { describeByHand } from './by-hand.ts';

describeByHand('simulated clusters', () =>
  createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-by-hand-clusters-')) }),
);
