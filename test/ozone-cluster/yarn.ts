import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { findPorts, folders, type Properties, siteXml } from './configuration.ts';
import { accepts, end, launch, ourPid, ourProcess } from './daemons.ts';
import {
  archiveOptions,
  jvmEnvironment,
  moduleOptions,
  prepareSoftware,
  prepareYarnJars,
  type Software,
  smallJvmOptions,
} from './software.ts';

const run = promisify(execFile);

export type YarnDaemon = 'rm' | 'nm' | 'history';

/** Queues that applications may be submitted to. */
export const queues = ['default', 'backup'] as const;

/** An application as the resource manager tells of it (Cluster Applications API of Hadoop 3.4.3). */
export interface Application {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly state: string;
  readonly finalStatus: string;
  readonly applicationTags: string;
  readonly diagnostics: string;
  /** Milliseconds since 1970; `finishedTime` is 0 until it has ended. */
  readonly startedTime: number;
  readonly finishedTime: number;
}

/** A resource manager, one node manager and a history server beside two Ozone clusters. */
export interface Yarn {
  /** Web addresses of the resource manager and of the history server. */
  readonly rm: string;
  readonly history: string;
  /** SIGKILL; resolves when the process has gone. */
  kill(daemon: YarnDaemon): Promise<void>;
  /** Ends the daemon if it runs and starts it again, same data, same ports; resolves when the resource manager has an active node. */
  restart(daemon: YarnDaemon): Promise<void>;
  /** Every application with this tag, the oldest first; those that have ended, too. */
  applications(tag: string): Promise<readonly Application[]>;
  /** Ends an application as a person does. */
  killApplication(id: string): Promise<void>;
  /** The body that the URL answers with; rejects when it is not told with a status of 200. */
  get(url: string): Promise<unknown>;
  /** Processes that the node manager has started and that live: one or two of each container. */
  containers(): Promise<readonly number[]>;
  /** Ends the daemons and what they left. Of a YARN that was only opened: nothing. */
  stop(): Promise<void>;
}

const mains: Readonly<Record<YarnDaemon, string>> = {
  rm: 'org.apache.hadoop.yarn.server.resourcemanager.ResourceManager',
  nm: 'org.apache.hadoop.yarn.server.nodemanager.NodeManager',
  history: 'org.apache.hadoop.mapreduce.v2.hs.JobHistoryServer',
};

const portNames = [
  ...['rm', 'scheduler', 'tracker', 'rmAdmin', 'rmHttp'],
  ...['nm', 'localizer', 'collector', 'amProxy', 'nmHttp', 'shuffle'],
  ...['history', 'historyAdmin', 'historyHttp'],
] as const;
type YarnPorts = Readonly<Record<(typeof portNames)[number], number>>;

/**
 * Names and defaults: yarn-default.xml, mapred-default.xml of Hadoop 3.4.3. What has a bind setting listens on loopback only; the
 * shuffle handler and the port on which an application master waits for its maps have none.
 */
const yarnSite = (ports: YarnPorts, data: string, classPath: string): Properties => {
  const at = (name: keyof YarnPorts): string => `127.0.0.1:${ports[name]}`;
  return {
    'yarn.resourcemanager.hostname': '127.0.0.1',
    'yarn.resourcemanager.bind-host': '127.0.0.1',
    'yarn.resourcemanager.address': at('rm'),
    'yarn.resourcemanager.scheduler.address': at('scheduler'),
    'yarn.resourcemanager.resource-tracker.address': at('tracker'),
    'yarn.resourcemanager.admin.address': at('rmAdmin'),
    'yarn.resourcemanager.webapp.address': at('rmHttp'),
    // Who lost the resource manager looks for it again after that long: 30 s and 10 s by default.
    'yarn.resourcemanager.connect.retry-interval.ms': 1000,
    'yarn.nodemanager.resourcemanager.connect.retry-interval.ms': 1000,
    'yarn.resourcemanager.recovery.enabled': true,
    'yarn.resourcemanager.store.class': 'org.apache.hadoop.yarn.server.resourcemanager.recovery.FileSystemRMStateStore',
    'yarn.resourcemanager.fs.state-store.uri': `file://${join(data, 'rm-state')}`,
    'yarn.resourcemanager.scheduler.class':
      'org.apache.hadoop.yarn.server.resourcemanager.scheduler.capacity.CapacityScheduler',
    'yarn.nodemanager.hostname': '127.0.0.1',
    'yarn.nodemanager.bind-host': '127.0.0.1',
    'yarn.nodemanager.address': at('nm'),
    'yarn.nodemanager.localizer.address': at('localizer'),
    'yarn.nodemanager.webapp.address': at('nmHttp'),
    'yarn.nodemanager.collector-service.address': at('collector'),
    'yarn.nodemanager.amrmproxy.address': at('amProxy'),
    'yarn.nodemanager.aux-services': 'mapreduce_shuffle',
    'yarn.nodemanager.local-dirs': join(data, 'nm-local'),
    'yarn.nodemanager.log-dirs': join(data, 'nm-log'),
    'yarn.nodemanager.resource.memory-mb': 4096,
    'yarn.nodemanager.resource.cpu-vcores': 8,
    'yarn.nodemanager.vmem-check-enabled': false,
    'yarn.nodemanager.pmem-check-enabled': false,
    'yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage': 99,
    'yarn.nodemanager.recovery.enabled': true,
    'yarn.nodemanager.recovery.supervised': true,
    'yarn.nodemanager.recovery.dir': join(data, 'nm-state'),
    'yarn.nodemanager.env-whitelist': 'JAVA_HOME',
    'yarn.scheduler.minimum-allocation-mb': 128,
    'yarn.scheduler.maximum-allocation-mb': 2048,
    'yarn.application.classpath': classPath,
  };
};

/** `mapreduce.framework.name` stays `local`, as in a Hadoop that nobody has configured: who wants YARN says so. */
const mapredSite = (ports: YarnPorts, data: string, jars: string, options: string): Properties => ({
  'mapreduce.application.classpath': join(jars, '*'),
  'yarn.app.mapreduce.am.staging-dir': `file://${join(data, 'staging')}`,
  'yarn.app.mapreduce.am.resource.mb': 448,
  'yarn.app.mapreduce.am.command-opts': options,
  'yarn.app.mapreduce.am.env': 'LC_ALL=C.UTF-8',
  'mapreduce.map.memory.mb': 448,
  'mapreduce.map.java.opts': options,
  'mapreduce.map.env': 'LC_ALL=C.UTF-8',
  'mapreduce.shuffle.port': ports.shuffle,
  'mapreduce.jobhistory.address': `127.0.0.1:${ports.history}`,
  'mapreduce.jobhistory.admin.address': `127.0.0.1:${ports.historyAdmin}`,
  'mapreduce.jobhistory.webapp.address': `127.0.0.1:${ports.historyHttp}`,
  'mapreduce.jobhistory.bind-host': '127.0.0.1',
});

const capacityScheduler: Properties = {
  'yarn.scheduler.capacity.root.queues': queues.join(','),
  // Of a small node: with the default of 0.1 a second application waits until the first has ended.
  'yarn.scheduler.capacity.maximum-am-resource-percent': 1,
  'yarn.scheduler.capacity.resource-calculator': 'org.apache.hadoop.yarn.util.resource.DefaultResourceCalculator',
  ...Object.fromEntries(
    queues.flatMap((queue) => [
      [`yarn.scheduler.capacity.root.${queue}.capacity`, 100 / queues.length],
      [`yarn.scheduler.capacity.root.${queue}.maximum-capacity`, 100],
      [`yarn.scheduler.capacity.root.${queue}.user-limit-factor`, 10],
      [`yarn.scheduler.capacity.root.${queue}.state`, 'RUNNING'],
    ]),
  ),
};

/** The daemons' configuration; the edge host's clients and the containers read theirs from the folder of the clients. */
async function writeYarnConfiguration(
  directory: string,
  ports: YarnPorts,
  jars: string,
  options: string,
): Promise<void> {
  const at = folders(directory);
  await mkdir(at.yarnConf, { recursive: true });
  const write = (folder: string, name: string, properties: Properties): Promise<void> =>
    writeFile(join(folder, name), siteXml(properties));
  await write(at.yarnConf, 'core-site.xml', { 'hadoop.tmp.dir': join(at.yarnData, 'tmp') });
  await write(at.yarnConf, 'capacity-scheduler.xml', capacityScheduler);
  await copyFile(join(at.clientConf, 'log4j.properties'), join(at.yarnConf, 'log4j.properties'));
  for (const folder of [at.yarnConf, at.clientConf]) {
    await write(folder, 'yarn-site.xml', yarnSite(ports, at.yarnData, at.clientConf));
    await write(folder, 'mapred-site.xml', mapredSite(ports, at.yarnData, jars, options));
  }
}

/**
 * Starts a YARN in the folder of two running clusters and waits until its node is active; the `hadoop` of their edge host knows it
 * from then on. It outlives this process; {@link stopYarn}, and so the end or the next start of the clusters, ends what is left of it.
 */
export async function startYarn(folder: string, log: (line: string) => void = () => undefined): Promise<Yarn> {
  const directory = resolve(folder);
  const [software, jars] = await Promise.all([prepareSoftware(log), prepareYarnJars(log)]);
  const found = await findPorts(portNames.length);
  const ports: unknown = Object.fromEntries(portNames.map((name, i) => [name, found[i]]));
  await writeFile(portsFile(directory), JSON.stringify(ports));
  log('starting a YARN: resource manager, node manager and history server');
  const { begin, active, yarn } = await yarnIn(directory, log);
  const options = containerOptions(directory, software, jars);
  await writeYarnConfiguration(directory, await readPorts(directory), jars, options);
  await Promise.all([begin('rm').then(() => begin('nm')), begin('history')]);
  await active();
  await recordContainers(directory, software, jars, log);
  return { ...yarn, stop: () => stopYarn(directory) };
}

/** Those of the jars: an archive that holds for others is of no use. */
const archiveOf = (jars: string): string => `${basename(dirname(jars))}.jsa`;

/** Of application masters and maps. Their jars come first on the class path, as in the class-data archive; the job's own settings are in the working folder. */
const containerOptions = (directory: string, software: Software, jars: string): string =>
  [
    ...['-Xmx320m', ...smallJvmOptions, ...moduleOptions, ...archiveOptions(software, archiveOf(jars))],
    ...['-cp', `${join(jars, '*')}:.:${folders(directory).clientConf}`],
  ].join(' ');

/** A class-data archive of what a first small copy loads: each later container starts in about half the time. Recorded once. */
async function recordContainers(
  directory: string,
  software: Software,
  jars: string,
  log: (line: string) => void,
): Promise<void> {
  const archive = join(software.archives, archiveOf(jars));
  if (existsSync(archive)) return;
  log('recording a class-data archive of the containers (first time only)');
  const { bin, temporary } = folders(directory);
  const loaded = (container: string): string => join(temporary, `${container}.classes`);
  const listing = (property: string, container: string): string =>
    `-D${property}=${containerOptions(directory, software, jars)} -XX:DumpLoadedClassList=${loaded(container)}`;
  await run(
    join(bin, 'hadoop'),
    [
      ...['distcp', '-Dmapreduce.framework.name=yarn'],
      ...[listing('yarn.app.mapreduce.am.command-opts', 'am'), listing('mapreduce.map.java.opts', 'map')],
      ...['-update', 'ofs://prod/ready/ready', 'ofs://dr/ready/containers'],
    ],
    { env: jvmEnvironment, maxBuffer: 1 << 26 },
  );
  const both = loaded('both');
  await writeFile(both, (await Promise.all(['am', 'map'].map((it) => readFile(loaded(it), 'utf8')))).join(''));
  await run(software.java, [
    ...['-Xshare:dump', ...smallJvmOptions, `-XX:SharedClassListFile=${both}`],
    ...[`-XX:SharedArchiveFile=${both}.jsa`, '-Xlog:disable', '-cp', join(jars, '*')],
  ]);
  await rename(`${both}.jsa`, archive);
}

/** The YARN that runs in this folder already. Rejects where none was started. */
export const openYarn = async (folder: string): Promise<Yarn> => (await yarnIn(resolve(folder), () => undefined)).yarn;

const portsFile = (directory: string): string => join(directory, 'yarn-ports.json');

const readPorts = async (directory: string): Promise<YarnPorts> =>
  JSON.parse(await readFile(portsFile(directory), 'utf8'));

const recordOf = (daemon: YarnDaemon): string => `yarn-${daemon}`;

const command = (directory: string, jars: string, daemon: YarnDaemon): readonly string[] => {
  const { yarnConf } = folders(directory);
  return [
    ...[...moduleOptions, ...smallJvmOptions, '-Xmx256m', '-Dhadoop.root.logger=INFO,console'],
    ...['-cp', `${yarnConf}:${join(jars, '*')}`, mains[daemon]],
  ];
};

/** A node manager that has registered is active within a second or two; one of a resource manager that was started again, too. */
const ACTIVE_MS = 60_000;

async function yarnIn(directory: string, log: (line: string) => void) {
  const ports = await readPorts(directory);
  const [software, jars]: [Software, string] = await Promise.all([prepareSoftware(log), prepareYarnJars(log)]);
  const url = (port: number): string => `http://127.0.0.1:${port}`;
  const rm = url(ports.rmHttp);
  const isActive = async (): Promise<boolean> => {
    const { clusterMetrics } = await json<{ clusterMetrics: { activeNodes: number } }>(
      `${rm}/ws/v1/cluster/metrics`,
    ).catch(() => ({ clusterMetrics: { activeNodes: 0 } }));
    return clusterMetrics.activeNodes > 0;
  };
  const begin = async (daemon: YarnDaemon): Promise<void> => {
    await launch(directory, software, recordOf(daemon), command(directory, jars, daemon));
    const port = { rm: ports.rmHttp, nm: ports.nmHttp, history: ports.historyHttp }[daemon];
    await accepts(directory, recordOf(daemon), port);
  };
  const active = async (): Promise<void> => {
    for (const deadline = Date.now() + ACTIVE_MS; !(await isActive()); await sleep(100)) {
      if (Date.now() > deadline) throw new Error('the node manager is not active; see its log');
    }
  };
  const yarn: Yarn = {
    rm,
    history: url(ports.historyHttp),
    kill: (daemon) => end(directory, recordOf(daemon), 'SIGKILL'),
    restart: async (daemon) => {
      await end(directory, recordOf(daemon), 'SIGTERM');
      await begin(daemon);
      if (daemon !== 'history') await active();
    },
    applications: async (tag) => {
      const query = `${rm}/ws/v1/cluster/apps?applicationTags=${encodeURIComponent(tag)}`;
      const { apps } = await json<{ apps: { app?: readonly Application[] } }>(query);
      return [...(apps.app ?? [])].sort((a, b) => a.startedTime - b.startedTime);
    },
    killApplication: async (id) => {
      const answer = await put(`${rm}/ws/v1/cluster/apps/${id}/state`, { state: 'KILLED' });
      if (!answer.ok) throw new Error(`${id} was not killed: ${answer.status} ${await answer.text()}`);
    },
    get: json,
    containers: () => containerProcesses(directory),
    stop: async () => undefined,
  };
  return { begin, active, yarn };
}

/** A PUT of a JSON body; its answer, whatever the status. */
export const put = (url: string, body: object): Promise<Response> =>
  fetch(url, { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

async function json<T>(url: string): Promise<T> {
  const answer = await fetch(url, { headers: { Accept: 'application/json' } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${(await answer.text()).slice(0, 500)}`);
  return JSON.parse(await answer.text());
}

/** Process ids on record of the node manager in this folder, of those that live and name the folder. */
async function containerProcesses(directory: string): Promise<readonly number[]> {
  const records = join(folders(directory).yarnData, 'nm-local', 'nmPrivate');
  if (!existsSync(records)) return [];
  const files = (await readdir(records, { recursive: true })).filter((name) => name.endsWith('.pid'));
  const pids = await Promise.all(files.map((name) => ourProcess(directory, join(records, name))));
  return pids.filter((pid) => pid !== undefined);
}

/** Ends every daemon and container that a YARN in this folder has on record (only processes whose command line names the folder). */
export async function stopYarn(directory: string): Promise<void> {
  // Containers go after the node manager, which would start the killed ones again.
  for (const daemon of ['rm', 'nm', 'history'] as const) {
    if ((await ourPid(directory, recordOf(daemon))) !== undefined) await end(directory, recordOf(daemon), 'SIGTERM');
  }
  for (const pid of await containerProcesses(directory)) {
    // The container's shell leads a process group of its own.
    process.kill(-pid, 'SIGKILL');
  }
}
