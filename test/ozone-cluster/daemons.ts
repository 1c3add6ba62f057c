import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Daemon, folders, type Service } from './configuration.ts';
import { archiveOptions, jvmEnvironment, moduleOptions, type Software, smallJvmOptions } from './software.ts';

const run = promisify(execFile);

const mains: Readonly<Record<Daemon, { readonly main: string; readonly heap: string }>> = {
  scm: { main: 'org.apache.hadoop.hdds.scm.server.StorageContainerManagerStarter', heap: '256m' },
  om: { main: 'org.apache.hadoop.ozone.om.OzoneManagerStarter', heap: '512m' },
  dn: { main: 'org.apache.hadoop.ozone.HddsDatanodeService', heap: '384m' },
};

/** Jars first, as in the launchers: so the class-data archive of `ozone sh` serves the daemons too. */
function command(
  directory: string,
  software: Software,
  service: Service,
  daemon: Daemon,
  security: readonly string[],
): readonly string[] {
  const { main, heap } = mains[daemon];
  const conf = folders(directory).conf(service, daemon);
  return [
    ...[...moduleOptions, ...smallJvmOptions, `-Xmx${heap}`, ...archiveOptions(software, 'ozone.jsa')],
    ...security,
    ...['-Dhadoop.root.logger=INFO,console', `-Dlog4j.configuration=file:${join(conf, 'log4j.properties')}`],
    ...['-cp', `${software.serverPath}:${conf}`, main],
  ];
}

/** `security`: JVM options of a secured cluster. First start only: SCM makes the cluster id, OM (with SCM up) its own. */
export async function initialise(
  directory: string,
  software: Software,
  service: Service,
  daemon: Daemon,
  security: readonly string[] = [],
): Promise<void> {
  const log = join(folders(directory).logs, `${service}-${daemon}-init.log`);
  try {
    const done = await run(software.java, [...command(directory, software, service, daemon, security), '--init'], {
      cwd: directory,
      maxBuffer: 1 << 26,
    });
    await writeFile(log, done.stderr);
  } catch (error) {
    throw new Error(`${service}-${daemon} --init failed: ${String(error).slice(-2000)}`);
  }
}

/** Starts a daemon of Ozone that outlives this process. */
export const start = (
  directory: string,
  software: Software,
  service: Service,
  daemon: Daemon,
  security: readonly string[] = [],
): Promise<void> =>
  launch(directory, software, `${service}-${daemon}`, command(directory, software, service, daemon, security));

/** Starts a JVM that outlives this process; its pid is on disk before anything else happens. */
export async function launch(
  directory: string,
  software: Software,
  name: string,
  args: readonly string[],
): Promise<void> {
  const at = folders(directory);
  const log = await open(join(at.logs, `${name}.log`), 'a');
  const child = spawn(software.java, args, {
    detached: true,
    // The manager unpacks native libraries into its working directory.
    cwd: directory,
    env: { ...jvmEnvironment, JAVA_HOME: software.javaHome },
    stdio: ['ignore', log.fd, log.fd],
  });
  child.on('error', () => undefined);
  if (child.pid !== undefined) await writeFile(join(at.pids, name), String(child.pid));
  child.unref();
  await log.close();
}

/** Under load the start of a JVM takes minutes. */
const START_MS = 300_000;

/** Waits until the port accepts; throws with the end of the process's log when it has gone or time is up. `name`: e.g. `prod-om`. */
export async function accepts(directory: string, name: string, port: number): Promise<void> {
  for (const deadline = Date.now() + START_MS; ; await sleep(100)) {
    if (await canConnect(port)) return;
    if (Date.now() < deadline && (await ourPid(directory, name)) !== undefined) continue;
    const log = await readFile(join(folders(directory).logs, `${name}.log`), 'utf8');
    throw new Error(`${name} does not accept connections on port ${port}; end of its log:\n${log.slice(-3000)}`);
  }
}

const canConnect = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(socket.destroy() !== undefined));
    socket.once('error', () => resolve(false));
  });

/** The pid on record, if that process lives and its command line proves it ours: it names this run's folder. */
export const ourPid = (directory: string, name: string): Promise<number | undefined> =>
  ourProcess(directory, join(folders(directory).pids, name));

/** The same of any file that holds a pid. */
export async function ourProcess(directory: string, file: string): Promise<number | undefined> {
  if (!existsSync(file)) return undefined;
  const pid = Number(await readFile(file, 'utf8'));
  return Number.isInteger(pid) && pid > 1 && (await commandLine(pid)).includes(`${directory}/`) ? pid : undefined;
}

/** Empty for a process that is gone. */
const commandLine = (pid: number): Promise<string> => processField(pid, 'args');

/** A dying process loses its command line before it closes its ports, so only its state tells; a zombie has closed them. */
const isAlive = async (pid: number): Promise<boolean> => /^[^ZX]/.test(await processField(pid, 'state'));

async function processField(pid: number, field: 'args' | 'state'): Promise<string> {
  try {
    return (await run('ps', ['-ww', '-o', `${field}=`, '-p', String(pid)])).stdout.trim();
  } catch {
    return '';
  }
}

/** Sends the signal if the daemon is there, waits until it has gone (a deaf one is killed after 20 s), forgets its pid. */
export async function end(directory: string, name: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const pid = await ourPid(directory, name);
  if (pid !== undefined) {
    process.kill(pid, signal);
    for (const deadline = Date.now() + 20_000; await isAlive(pid); await sleep(50)) {
      if (Date.now() > deadline && (await ourPid(directory, name)) === pid) process.kill(pid, 'SIGKILL');
    }
  }
  await rm(join(folders(directory).pids, name), { force: true });
}

/** Names of the daemons on record, e.g. `prod-om`; none when nothing was started or all was stopped. */
export async function recorded(directory: string): Promise<readonly string[]> {
  const { pids } = folders(directory);
  return existsSync(pids) ? readdir(pids) : [];
}
