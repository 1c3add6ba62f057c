import { join } from 'node:path';
import { ADMINISTRATOR } from './kerberos.ts';
import { startOzoneClusters } from './ozone-clusters.ts';
import { users } from './secured.ts';
import { cacheDirectory } from './software.ts';
import { startYarn } from './yarn.ts';

const directory = join(cacheDirectory, 'standing');

async function up(): Promise<void> {
  const begun = Date.now();
  const security = process.argv.includes('--secured') ? { security: { users } } : {};
  const clusters = await startOzoneClusters({ directory, log: (line) => console.log(line), ...security });
  const yarn = process.argv.includes('--yarn') ? await startYarn(directory, (line) => console.log(line)) : undefined;
  const config = await clusters.hostConfig(join(directory, 'host.conf'));
  const as = Object.entries(clusters.kdc?.as(ADMINISTRATOR) ?? {});
  console.log(`two empty Ozone clusters, "prod" and "dr",${yarn ? ` and a YARN (${yarn.rm}, history ${yarn.history})` : ''} are up after ${Math.round((Date.now() - begun) / 1000)} s

  export PATH=${clusters.bin}:$PATH       # ozone sh bucket list o3://prod/ready ; hadoop fs -ls ofs://dr/
  export OZONE_DR_HOST_CONFIG=${config}
${as.map(([name, value]) => `  export ${name}='${value}'\n`).join('')}
logs: ${clusters.logs}
end them, and remove their data: npm run ozone:down`);
}

await up().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
