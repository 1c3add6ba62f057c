import { join } from 'node:path';
import { stopOzoneClusters } from './ozone-clusters.ts';
import { cacheDirectory } from './software.ts';

await stopOzoneClusters(join(cacheDirectory, 'standing'));
console.log('no cluster of "npm run ozone:up" is running');
