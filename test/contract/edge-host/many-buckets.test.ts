import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSimulator } from '../../ozone-simulator/simulator.ts';
import { describeManyBuckets } from './many-buckets.ts';

describeManyBuckets('simulated clusters', () =>
  createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-many-')) }),
);
