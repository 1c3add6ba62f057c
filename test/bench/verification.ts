// What a comparison costs at each level: seconds, JVM starts, memory of the script's own processes, temporary disk.
// `npm run bench:verification [-- simulator|ozone [keys] [bytes per key] [minutes to fill]]`. On real clusters the keys are as many as
// could be written in the minutes given; CPU seconds say more than seconds on a
// machine that does other work too.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { edgeParameters } from '../../cdk/constructs/edge-document.ts';
import { parseEdgeReply } from '../../functions/core/domain/edge-reply.ts';
import { OperationId } from '../../functions/core/domain/names.ts';
import { type Change, type OzoneClusters, startOzoneClusters } from '../ozone-cluster/ozone-clusters.ts';
import { createSimulator, type OzoneSimulator } from '../ozone-simulator/simulator.ts';
import { folderBlobs } from '../ozone-simulator/store/blobs.ts';
import type { Entry } from '../ozone-simulator/store/model.ts';
import { folderStore } from '../ozone-simulator/store/store.ts';

const [target = 'simulator', keysText = '100000', bytesText = '100', minutesText = '10'] = process.argv.slice(2);
const KEYS = Number(keysText);
const BYTES = Number(bytesText);
const CHANGED = 10;
const DIRECTORIES = 100;
const MAPS = 4;
const SERVICES = ['prod', 'dr'] as const;

const directory = mkdtempSync(join(tmpdir(), 'verification-'));
const pathOf = (n: number): string =>
  `dir-${String(n % DIRECTORIES).padStart(3, '0')}/file-${String(n).padStart(8, '0')}`;

/** Clusters whose buckets hold the same keys, and how many. */
interface Filled {
  readonly clusters: Pick<OzoneClusters, 'ozone' | 'change' | 'hostConfig'>;
  readonly keys: number;
  stop(): Promise<void>;
}

/** The namespace is written as a whole: key by key the simulator would write it as often. */
const fillSimulator = async (): Promise<Filled> => {
  const clusters: OzoneSimulator = await createSimulator({ directory: join(directory, 'clusters') });
  const content = folderBlobs(join(clusters.directory, 'blobs')).put(Buffer.alloc(BYTES, 'x'));
  for (const service of SERVICES) {
    await clusters.ozone('sh', 'volume', 'create', `o3://${service}/vol`);
    await clusters.ozone('sh', 'bucket', 'create', '-l', 'fso', `o3://${service}/vol/bkt`);
    folderStore(join(clusters.directory, service)).transact((state) => {
      const now = Date.now();
      const common = { created: now, modified: now, owner: 'root', blocks: 1, version: 1 };
      const [bucket] = state.buckets;
      if (!bucket) throw new Error('the bucket is missing');
      const idOf = (n: number) => state.nextId + n;
      const directories = Array.from({ length: DIRECTORIES }, (_, n): Entry => {
        const key = `${bucket.id}/dir-${String(n).padStart(3, '0')}`;
        return { ...common, id: idOf(n), key, dir: true, size: 0, content: '', crc: '' };
      });
      const files = Array.from({ length: KEYS }, (_, n): Entry => {
        const key = `${idOf(n % DIRECTORIES)}/${pathOf(n).slice(8)}`;
        return { ...common, ...content, id: idOf(DIRECTORIES + n), key, dir: false };
      });
      const table = new Map([...directories, ...files].map((entry) => [entry.key, entry]));
      return [{ ...state, nextId: idOf(DIRECTORIES + KEYS), buckets: [{ ...bucket, table }] }, null];
    });
  }
  return { clusters, keys: KEYS, stop: () => clusters.stop() };
};

const CHUNK = 10_000;

/** Chunk by chunk, until all keys are there or the time is over. */
const fillOzone = async (): Promise<Filled> => {
  const clusters = await startOzoneClusters({ directory: '.cache/ozone/verification', log: console.error });
  const until = Date.now() + Number(minutesText) * 60_000;
  let keys = 0;
  for (const service of SERVICES) await clusters.createBucket(`ofs://${service}/vol/bkt`);
  while (keys < KEYS && Date.now() < until) {
    const chunk = Array.from({ length: Math.min(CHUNK, KEYS - keys) }, (_, n): Change => {
      return { op: 'put', path: pathOf(keys + n), size: BYTES, seed: 1 };
    });
    await Promise.all(SERVICES.map((service) => clusters.fill(`ofs://${service}/vol/bkt`, chunk)));
    keys += chunk.length;
    console.error(`${keys} keys, load ${loadavg()[0]?.toFixed(1)}`);
  }
  return { clusters, keys, stop: () => clusters.stop() };
};

const isJvm = (name: string): boolean => ['java', 'node', 'MainThread'].includes(name);

interface Used {
  readonly pid: number;
  readonly isClient: boolean;
  /** Resident memory. */
  readonly kB: number;
  /** Ticks of 10 ms, of the process and of those that it started and that have ended. */
  readonly own: number;
  readonly ended: number;
}

/** What the process and all that it started use now. */
const usedBelow = (root: number): readonly Used[] => {
  const processes = readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [, name = '', rest = ''] = /^\d+ \((.*)\) . (.*)$/s.exec(stat) ?? [];
      const fields = rest.split(' ');
      const at = (n: number) => Number(fields[n]);
      const ticks = { own: at(10) + at(11), ended: at(12) + at(13) };
      return [{ pid: Number(pid), isClient: isJvm(name), parent: at(0), kB: at(20) * 4, ...ticks }];
    } catch {
      return []; // it has ended
    }
  });
  const family = new Set([root]);
  for (let known = 0; known < family.size; ) {
    known = family.size;
    for (const { pid, parent } of processes) if (family.has(parent)) family.add(pid);
  }
  return processes.filter(({ pid }) => family.has(pid));
};

const memoryOf = (used: readonly Used[]): number => used.reduce((all, { kB }) => all + kB, 0);

const bytesIn = (folder: string): number => {
  try {
    return readdirSync(folder).reduce((sum, name) => sum + (statSync(join(folder, name)).size ?? 0), 0);
  } catch {
    return 0; // not made yet, or a file has just gone
  }
};

const filled = target === 'ozone' ? await fillOzone() : await fillSimulator();
const { clusters, keys } = filled;
const config = await clusters.hostConfig(join(directory, 'host.conf'));

const script = join(directory, 'document.sh');
const [first, ...rest] = readFileSync('functions/edge-host/ozone-dr.sh', 'utf8').split('\n');
writeFileSync(script, [first, 'OZONE_DR_DOCUMENT=observe', ...rest].join('\n'));
mkdirSync(`${config}.state`, { recursive: true });

let operations = 0;
const verify = async (parameters: Readonly<Record<string, string>>) => {
  operations += 1;
  const operation = OperationId.parse(`op-${'0'.repeat(24)}-${String(operations).padStart(3, '0')}`);
  const given = {
    ...Object.fromEntries(
      Object.entries(edgeParameters('observe')).map(([name, { fallback = '' }]) => [name, fallback]),
    ),
    ...{ operation, verb: 'verify', source: 'prod/vol/bkt', replica: 'dr/vol/bkt' },
    ...{ maps: String(MAPS), executionTimeout: '7200', ...parameters },
  };
  const env = Object.fromEntries(Object.entries(given).map(([name, value]) => [`SSM_${name}`, value]));
  const from = performance.now();
  const child = spawn('/bin/bash', [script], {
    env: { PATH: '/usr/bin:/bin', OZONE_DR_HOST_CONFIG: config, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const peak = { clients: 0, script: 0, disk: 0 };
  const clientTicks = new Map<number, number>();
  let ticks = 0;
  const watch = setInterval(() => {
    const used = usedBelow(child.pid ?? 0);
    const clients = used.filter(({ isClient }) => isClient);
    peak.clients = Math.max(peak.clients, memoryOf(clients));
    peak.script = Math.max(peak.script, memoryOf(used.filter(({ isClient }) => !isClient)));
    for (const { pid, own } of clients) clientTicks.set(pid, own);
    ticks = Math.max(
      ticks,
      used.reduce((all, { own, ended }) => all + own + ended, 0),
    );
    peak.disk = Math.max(peak.disk, bytesIn(join(`${config}.state`, 'operations', operation, 'scratch')));
  }, 100);
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  await new Promise((resolve) => child.on('close', resolve));
  clearInterval(watch);
  const seconds = (performance.now() - from) / 1000;
  const answer = parseEdgeReply(stdout, operation);
  if (!('reply' in answer) || answer.reply.verb !== 'verify' || !answer.reply.data?.equal)
    throw new Error(stdout.slice(0, 2000));
  const inClients = [...clientTicks.values()].reduce((sum, it) => sum + it, 0) / 100;
  const cpu = { clients: inClients, script: Math.max(0, ticks / 100 - inClients) };
  return {
    seconds,
    cpu,
    jvmStarts: answer.reply.jvmStarts,
    compared: answer.reply.data.checksums?.compared ?? 0,
    peak,
  };
};

try {
  const info = async (service: string, name: string): Promise<string> =>
    JSON.parse(await clusters.ozone('sh', 'snapshot', 'info', `o3://${service}/vol/bkt`, name)).snapshotId;
  await clusters.ozone('sh', 'snapshot', 'create', 'o3://prod/vol/bkt', 's-0');
  const changes = Array.from(
    { length: CHANGED },
    (_, n): Change => ({ op: 'put', path: pathOf(n), size: 1000, seed: 7 }),
  );
  for (const service of SERVICES) {
    await clusters.change(`ofs://${service}/vol/bkt`, changes);
    await clusters.ozone('sh', 'snapshot', 'create', `o3://${service}/vol/bkt`, 's-1');
  }
  const ids = { target: 's-1', targetId: await info('prod', 's-1'), sealId: await info('dr', 's-1') };
  const base = { base: 's-0', baseSourceId: await info('prod', 's-0') };
  const levels = [
    ['listing', { level: 'listing' }],
    [`changed (${CHANGED} files)`, { level: 'changed', ...base }],
    ['rolling, part 1 of 30', { level: 'rolling', part: '1', parts: '30', ...base }],
    ['full', { level: 'full' }],
  ] as const;
  console.log(
    `${target}: ${keys} keys of ${BYTES} bytes on each side, maps ${MAPS}; ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}; ${new Date().toISOString().slice(0, 10)}`,
  );
  console.log(
    '| level | checksums | seconds | CPU s, script | CPU s, clients | JVM starts | script, MB | clients, MB | temporary disk, MB | load before |',
  );
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const [name, parameters] of levels) {
    const load = loadavg()[0] ?? Number.NaN;
    const { seconds, cpu, jvmStarts, compared, peak } = await verify({ ...ids, ...parameters });
    const cells = [
      ...[name, compared, seconds.toFixed(1), cpu.script.toFixed(1), cpu.clients.toFixed(1), jvmStarts],
      ...[peak.script / 1024, peak.clients / 1024, peak.disk / 1e6].map(Math.round),
      load.toFixed(1),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
} finally {
  await filled.stop();
  rmSync(directory, { recursive: true, force: true });
}
