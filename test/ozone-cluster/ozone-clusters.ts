import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  clientProperties,
  type Daemon,
  folders,
  freePorts,
  type Ports,
  type Service,
  services,
  writeConfiguration,
} from './configuration.ts';
import { accepts, end, initialise, ourPid, recorded, start } from './daemons.ts';
import { type KdcOptions, kdcIn, startKdc, stopKdc } from './kdc.ts';
import { ADMINISTRATOR, type Kdc } from './kerberos.ts';
import {
  archiveOptions,
  cacheDirectory,
  jvmEnvironment,
  moduleOptions,
  prepareSoftware,
  program,
  type Software,
  smallJvmOptions,
} from './software.ts';
import { stopYarn } from './yarn.ts';

const run = promisify(execFile);

/** A change to a bucket. `path` is relative to the bucket; `put` writes reproducible bytes: same size and seed, same content. */
export type Change =
  | { readonly op: 'mkdir'; readonly path: string }
  | { readonly op: 'put'; readonly path: string; readonly size: number; readonly seed: number }
  | { readonly op: 'text'; readonly path: string; readonly content: string }
  | { readonly op: 'rm'; readonly path: string }
  | { readonly op: 'rmr'; readonly path: string }
  | { readonly op: 'mv'; readonly path: string; readonly to: string };

export type TreeEntry =
  | { readonly type: 'directory' }
  | { readonly type: 'file'; readonly length: number; readonly sha256: string };

/** Two running Ozone clusters (`prod`, `dr`) and the tools of an edge host that knows both. */
export interface OzoneClusters {
  readonly services: readonly Service[];
  /** Folder with `ozone` and `hadoop`; they need nothing from the environment. */
  readonly bin: string;
  /** Logs of the daemons: `<service>-<daemon>.log`. */
  readonly logs: string;
  /** Writes a host.conf of the edge host script at `path`; its state folder is `<path>.state`. Returns `path`. */
  hostConfig(path: string, more?: Readonly<Record<string, string>>): Promise<string>;
  /** Runs `ozone <args>`; resolves with stdout, rejects on a non-zero exit. */
  ozone(...args: readonly string[]): Promise<string>;
  /** Creates the volume and the bucket (layout FILE_SYSTEM_OPTIMIZED) of e.g. `ofs://prod/vol/bucket`, if missing. */
  createBucket(bucketUrl: string): Promise<void>;
  /** The same of many (`volume/bucket`) on both services: one JVM for each. */
  createBuckets(buckets: readonly string[]): Promise<void>;
  /**
   * Applies the operations in order, below a bucket or, with `volume/bucket/…` as paths, below a service (`ofs://prod`); rejects at the
   * first that fails. One JVM, about 1 s + some ms per operation.
   */
  change(url: string, operations: readonly Change[]): Promise<void>;
  /** The same, many at once and in any order: for making many keys. */
  fill(bucketUrl: string, operations: readonly Change[]): Promise<void>;
  /**
   * Every directory and every file below a bucket or a `…/.snapshot/<name>` (ofs URL), with length and SHA-256 of the full
   * content as read. Independent of the product's own verification.
   */
  tree(url: string): Promise<ReadonlyMap<string, TreeEntry>>;
  /** {@link tree} of several URLs, in their order, by one JVM. */
  trees(urls: readonly string[]): Promise<readonly ReadonlyMap<string, TreeEntry>[]>;
  /**
   * Resolves with the name of an entry of the directory `url` that begins with `prefix` as soon as it holds `count`
   * entries; looks every `everyMs` (5 unless given, which keeps a core busy), from about 1 s after the call on. Rejects
   * after two minutes.
   */
  appears(url: string, prefix: string, count: number, everyMs?: number): Promise<string>;
  /** The process of a daemon; undefined when it does not run. */
  pid(service: Service, daemon: Daemon): Promise<number | undefined>;
  /** Port on which clients reach the ozone manager of a service. */
  managerPort(service: Service): number;
  /** Waits until each of these services takes a write; at most a minute once its managers answer. */
  ready(...services: readonly Service[]): Promise<void>;
  /** SIGKILL; resolves when the process has gone. */
  kill(service: Service, daemon: Daemon): Promise<void>;
  /** Ends the daemon if it runs and starts it again, same data, same ports; resolves when its port accepts. */
  restart(service: Service, daemon: Daemon): Promise<void>;
  /** Of a secured pair; undefined otherwise. All that is said here of `ozone`, `change`, `tree` is then done by its administrator. */
  readonly kdc: Kdc | undefined;
  /** Ends every daemon and removes the data; the logs stay. Of clusters that were only opened: nothing, whoever started them ends them. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** Secures both clusters by Kerberos and access lists, with a KDC of their own that knows these users. */
  readonly security?: KdcOptions;
  /** Folder of this run; what an earlier run left there is ended and removed. Default `.cache/ozone/test`. */
  readonly directory?: string;
  readonly log?: (line: string) => void;
}

/**
 * Starts two clusters, each with one storage container manager, one ozone manager and one datanode, and waits until both take a write.
 * They outlive this process; the next start (or {@link stopOzoneClusters}) in the same folder ends what is left of them.
 */
export async function startOzoneClusters(options: StartOptions = {}): Promise<OzoneClusters> {
  const directory = resolve(options.directory ?? join(cacheDirectory, 'test'));
  const log = options.log ?? (() => undefined);
  const prepared = await prepareSoftware(log);
  if ((await recorded(directory)).length > 0) log('ending what an earlier run left');
  await stopOzoneClusters(directory);
  await rm(directory, { recursive: true, force: true });

  const kdc = options.security ? await startKdc(directory, options.security) : undefined;
  const software = kdc ? secured(prepared) : prepared;
  const ports = await freePorts();
  const { begin, clusters } = clustersIn(directory, software, ports);
  const log4j = await readFile(join(dirname(fileURLToPath(import.meta.url)), 'log4j.properties'), 'utf8');
  await writeConfiguration(directory, software, ports, log4j, kdc);

  log('starting two clusters of three daemons each');
  await Promise.all(
    services.map(async (service) => {
      await initialise(directory, software, service, 'scm', kdc?.javaOptions);
      await begin(service, 'scm');
      await Promise.all([
        begin(service, 'dn'),
        initialise(directory, software, service, 'om', kdc?.javaOptions).then(() => begin(service, 'om')),
      ]);
    }),
  );
  await clusters.ready(...services);
  await recordArchives(directory, software, Object.entries(clientProperties(ports, kdc)), log, kdc);
  await writeFile(portsFile(directory), JSON.stringify(ports));
  return { ...clusters, stop: () => stopOzoneClusters(directory) };
}

/** The clusters that run in this folder already: several test files use one pair. Rejects where none was started. */
export async function openOzoneClusters(directory: string): Promise<OzoneClusters> {
  const ports = JSON.parse(await readFile(portsFile(resolve(directory)), 'utf8'));
  const software = await prepareSoftware(() => undefined);
  return clustersIn(resolve(directory), kdcIn(directory) ? secured(software) : software, ports).clusters;
}

/** Other classes are loaded with Kerberos, so its class-data archives are others. An archive holds for jars only, so how to log in is in one too. */
const secured = (software: Software): Software => {
  const archives = `${software.archives}-secured`;
  const withCore = (path: string): string => `${path}:${join(archives, CORE_JAR)}`;
  return {
    ...software,
    archives,
    serverPath: withCore(software.serverPath),
    clientPath: withCore(software.clientPath),
  };
};

/** Of the archives of a secured pair: its core-site.xml. */
const CORE_JAR = 'core-site.jar';

const portsFile = (directory: string): string => join(directory, 'ports.json');

/** How two clusters in this folder are used, whoever started them. */
const clustersIn = (directory: string, software: Software, ports: Readonly<Record<Service, Ports>>) => {
  const portOf = (service: Service, daemon: Daemon): number =>
    ports[service][{ scm: 'scmBlock', om: 'om', dn: 'dnIpc' }[daemon]] ?? 0;
  const begin = async (service: Service, daemon: Daemon): Promise<void> => {
    await start(directory, software, service, daemon, kdc?.javaOptions);
    await accepts(directory, `${service}-${daemon}`, portOf(service, daemon));
  };
  const kdc = kdcIn(directory);
  const environment = { ...jvmEnvironment, ...kdc?.as(ADMINISTRATOR) };
  const helper = clusterFiles(directory, software, environment, kdc?.javaOptions ?? []);
  const ready = async (...wanted: readonly Service[]): Promise<void> => {
    await helper(['ready', ...wanted.map((service) => `ofs://${service}/`)]);
  };
  const bin = folders(directory).bin;
  const ozone = async (...args: readonly string[]): Promise<string> =>
    (await run(join(bin, 'ozone'), args, { env: environment })).stdout;
  const change = async (bucketUrl: string, operations: readonly Change[]): Promise<void> => {
    await helper(['change', bucketUrl], operations.map(changeLine).join(''));
  };
  const clusters: OzoneClusters = {
    services,
    bin,
    logs: folders(directory).logs,
    ozone,
    change,
    fill: async (bucketUrl, operations) => {
      await helper(['fill', bucketUrl], operations.map(changeLine).join(''));
    },
    createBucket: (bucketUrl) => change(bucketUrl, [{ op: 'mkdir', path: '' }]),
    createBuckets: async (buckets) => {
      const made = buckets.map((path) => ({ op: 'mkdir', path }) as const);
      await Promise.all(services.map((service) => change(`ofs://${service}`, made)));
    },
    tree: async (url) => readTree(await helper(['tree', url])),
    trees: async (urls) => readTrees(await helper(['tree', ...urls]), urls.length),
    appears: async (url, prefix, count, everyMs = 5) =>
      (await helper(['await', url, prefix, String(count), String(everyMs)], '', '\n')).trim(),
    pid: (service, daemon) => ourPid(directory, `${service}-${daemon}`),
    kdc,
    managerPort: (service) => portOf(service, 'om'),
    ready,
    hostConfig: async (path, more = {}) => {
      const settings = { path: bin, java_home: software.javaHome, state: `${path}.state`, ...more };
      await writeFile(
        path,
        Object.entries(settings)
          .map(([key, value]) => `${key}=${value}\n`)
          .join(''),
      );
      return path;
    },
    kill: (service, daemon) => end(directory, `${service}-${daemon}`, 'SIGKILL'),
    restart: async (service, daemon) => {
      await end(directory, `${service}-${daemon}`, 'SIGTERM');
      await begin(service, daemon);
    },
    stop: async () => undefined,
  };
  return { begin, clusters };
};

/** Ends every daemon that a run in this folder recorded, those of a YARN too (only processes whose command line names the folder); removes the data. */
export async function stopOzoneClusters(directory: string): Promise<void> {
  await stopYarn(directory);
  const names = await recorded(directory);
  const order = (daemon: Daemon): readonly string[] => names.filter((name) => name.endsWith(`-${daemon}`));
  for (const daemon of ['om', 'dn', 'scm'] as const) {
    await Promise.all(order(daemon).map((name) => end(directory, name, 'SIGTERM')));
  }
  await stopKdc(directory);
  await rm(join(directory, 'data'), { recursive: true, force: true });
}

const changeLine = (change: Change): string => {
  const path = encodeURIComponent(change.path);
  switch (change.op) {
    case 'mkdir':
    case 'rm':
    case 'rmr':
      return `${change.op}\t${path}\n`;
    case 'put':
      return `put\t${path}\t${change.size}\t${change.seed}\n`;
    case 'text':
      return `text\t${path}\t${encodeURIComponent(change.content)}\n`;
    case 'mv':
      return `mv\t${path}\t${encodeURIComponent(change.to)}\n`;
  }
};

function readTrees(output: string, count: number): readonly ReadonlyMap<string, TreeEntry>[] {
  const trees = output.match(/(.*\n)*?END\t\d+\n/g) ?? [];
  if (trees.length !== count) throw new Error(`${trees.length} of ${count} trees came`);
  return trees.map(readTree);
}

function readTree(output: string): ReadonlyMap<string, TreeEntry> {
  const lines = output.trimEnd().split('\n');
  const [mark, count] = lines.pop()?.split('\t') ?? [];
  if (mark !== 'END' || Number(count) !== lines.length) throw new Error('the listing of the tree is cut short');
  return new Map(
    lines.map((line): [string, TreeEntry] => {
      const [type, length, sha256, name] = line.split('\t');
      if (sha256 === undefined || name === undefined) throw new Error(`unexpected line in the tree: ${line}`);
      const path = decodeURIComponent(name);
      return [path, type === 'D' ? { type: 'directory' } : { type: 'file', length: Number(length), sha256 }];
    }),
  );
}

/**
 * Runs our Java helper with the edge host's configuration; resolves with its stdout, or with what is there of it as soon
 * as `enough` is in it.
 */
const clusterFiles =
  (directory: string, software: Software, environment: NodeJS.ProcessEnv, security: readonly string[]) =>
  (args: readonly string[], input = '', enough?: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const at = folders(directory);
      const classPath = [software.clientPath, software.classes, at.clientConf].join(':');
      const child = spawn(
        software.java,
        [...moduleOptions, ...smallJvmOptions, ...archiveOptions(software, 'hadoop.jsa'), ...security].concat(
          ['-Dhadoop.root.logger=ERROR,console', '-cp', classPath, 'ClusterFiles'],
          args,
        ),
        { env: environment, stdio: ['pipe', 'pipe', 'pipe'] },
      );
      let stdout = '';
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
        if (enough !== undefined && stdout.includes(enough)) resolve(stdout);
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      child.on('error', reject);
      child.on('close', (code) =>
        code === 0 ? resolve(stdout) : reject(new Error(`${args.join(' ')}: exit ${code}\n${stderr.slice(-3000)}`)),
      );
      child.stdin.on('error', () => undefined);
      child.stdin.end(input);
    });

/**
 * Class-data archives take a third off each CLI start. They are recorded once, from commands that really run; configuration is given
 * with -D because an archive allows no folder on the class path.
 */
async function recordArchives(
  directory: string,
  software: Software,
  configuration: readonly (readonly [string, unknown])[],
  log: (line: string) => void,
  kdc: Kdc | undefined,
): Promise<void> {
  if (existsSync(join(software.archives, 'hadoop.jsa'))) return;
  log('recording class-data archives for faster CLI starts (first time only)');
  const settings = configuration.flatMap(([key, value]) => ['-D', `${key}=${value}`]);
  const record = async (name: string, classPath: string, main: string, args: readonly string[]): Promise<void> => {
    const temporary = join(folders(directory).temporary, name);
    const options = [...moduleOptions, ...smallJvmOptions, `-XX:ArchiveClassesAtExit=${temporary}`, '-Xlog:disable'];
    const log4j = `-Dlog4j.configuration=file:${join(folders(directory).clientConf, 'log4j.properties')}`;
    const command = [...options, ...(kdc?.javaOptions ?? []), log4j, '-Dhadoop.root.logger=OFF,console'];
    const what = ['-cp', classPath, main, ...settings, ...args];
    await run(software.java, command.concat(what), { env: { ...jvmEnvironment, ...kdc?.as(ADMINISTRATOR) } });
    await rename(temporary, join(software.archives, name));
  };
  await mkdir(software.archives, { recursive: true });
  if (kdc) {
    const { clientConf } = folders(directory);
    await run(program('jar'), ['cf', join(software.archives, CORE_JAR), '-C', clientConf, 'core-site.xml']);
  }
  const bucket = 'o3://prod/ready/ready';
  const commands = [
    ...[`bucket info ${bucket}`, `snapshot create ${bucket} archive-1`, `snapshot create ${bucket} archive-2`],
    ...[`snapshot info ${bucket} archive-1`, `snapshot list --all ${bucket}`, `key list --all ${bucket}`],
    `snapshot diff ${bucket} archive-1 archive-2`,
  ];
  await record(
    'ozone.jsa',
    software.serverPath,
    'org.apache.hadoop.ozone.shell.OzoneShell',
    commands.flatMap((command) => ['--execute', command]),
  );
  const local = ['-D', `hadoop.tmp.dir=${folders(directory).temporary}`];
  await record('hadoop.jsa', software.clientPath, 'org.apache.hadoop.tools.DistCp', [
    ...local,
    ...(kdc ? ['-D', `yarn.resourcemanager.principal=${kdc.principal(ADMINISTRATOR)}`] : []),
    ...['-update', 'ofs://prod/ready/ready', 'ofs://dr/ready/archive'],
  ]);
}
