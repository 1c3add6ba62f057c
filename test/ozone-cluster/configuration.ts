import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ADMINISTRATOR, type Kdc } from './kerberos.ts';
import { archiveOptions, moduleOptions, type Software, smallJvmOptions } from './software.ts';

export const services = ['prod', 'dr'] as const;
export type Service = (typeof services)[number];
export const daemons = ['scm', 'om', 'dn'] as const;
export type Daemon = (typeof daemons)[number];

const portNames = [
  ...['scmClient', 'scmDatanode', 'scmBlock', 'scmSecurity', 'scmHttp', 'scmRatis', 'scmGrpc'],
  ...['om', 'omHttp', 'omRatis'],
  ...['dnHttp', 'dnIpc', 'dnRatis', 'dnRatisAdmin', 'dnRatisServer', 'dnRatisStream', 'dnClient', 'dnReplication'],
] as const;
export type Ports = Readonly<Record<string, number>>;

/** Ports free at this moment, below the range from which the system hands out ports for outgoing connections. */
export async function freePorts(): Promise<Readonly<Record<Service, Ports>>> {
  const found = await findPorts(portNames.length * services.length);
  const portsOf = (offset: number): Ports =>
    Object.fromEntries(portNames.map((name, i) => [name, found[offset + i] ?? 0]));
  return { prod: portsOf(0), dr: portsOf(portNames.length) };
}

/** So many {@link freePorts}. Processes that look at the same moment begin a hundred apart, so they do not find the same. */
export async function findPorts(count: number): Promise<readonly number[]> {
  const found: number[] = [];
  for (let port = 20_000 + (process.pid % 100) * 100; found.length < count; port += 1) {
    if (await isFree(port)) found.push(port);
  }
  return found;
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
  });

export type Properties = Readonly<Record<string, string | number | boolean>>;

/**
 * One daemon's ozone-site.xml. Names and defaults: ozone-default.xml of Ozone 2.2.0. Everything with a bind setting listens on
 * loopback only; four gRPC servers (SCM Ratis, SCM to SCM, datanode read/write, datanode replication) have none: all addresses.
 */
function serverProperties(service: Service, daemon: Daemon, ports: Ports, data: string): Properties {
  const at = (name: string): string => `localhost:${ports[name]}`;
  const port = (name: string): number => ports[name] ?? 0;
  const loopback = Object.fromEntries(
    [
      ...['client', 'block.client', 'datanode', 'security.service'].map((name) => `ozone.scm.${name}.bind.host`),
      ...['ozone.scm.http-bind-host', 'ozone.om.http-bind-host', 'hdds.datanode.http-bind-host'],
      ...['ozone.om.ha.raft.grpc.server.host', 'hdds.datanode.client.bind.host'],
      ...['server', 'client', 'admin'].map((name) => `hdds.ratis.raft.grpc.${name}.host`),
    ].map((name) => [name, '127.0.0.1']),
  );
  return {
    ...loopback,
    'ozone.metadata.dirs': join(data, daemon),
    'ozone.http.basedir': join(data, daemon, 'http'),
    'ozone.replication': 'ONE',
    'ozone.replication.type': 'RATIS',
    'ozone.server.default.replication': 'ONE',
    'ozone.server.default.replication.type': 'RATIS',
    'hdds.scm.safemode.min.datanode': 1,
    'hdds.scm.safemode.pipeline.creation': false,
    'hdds.scm.wait.time.after.safemode.exit': '1s',
    'hdds.heartbeat.interval': '1s',
    'ozone.scm.container.size': '1GB',
    'ozone.scm.block.size': '16MB',
    'hdds.datanode.volume.min.free.space': '100MB',
    'hdds.datanode.volume.min.free.space.percent': 0,
    'ozone.scm.datanode.ratis.volume.free-space.min': '10MB',
    'ozone.scm.ratis.pipeline.limit': 4,
    // Each of these threads looks for work every millisecond: ten of them (the default) take a fifteenth of a core from an idle pair's machine.
    'ozone.scm.event.ContainerReportOrIncrementalContainerReport.thread.pool.size': 1,
    'ozone.scm.pipeline.owner.container.count': 1,
    'ozone.scm.names': at('scmDatanode'),
    'ozone.scm.client.address': at('scmClient'),
    'ozone.scm.block.client.address': at('scmBlock'),
    'ozone.scm.datanode.address': at('scmDatanode'),
    'ozone.scm.security.service.address': at('scmSecurity'),
    'ozone.scm.http-address': at('scmHttp'),
    'ozone.scm.ratis.port': port('scmRatis'),
    'ozone.scm.grpc.port': port('scmGrpc'),
    'ozone.om.service.ids': service,
    [`ozone.om.nodes.${service}`]: 'om1',
    [`ozone.om.address.${service}.om1`]: at('om'),
    [`ozone.om.http-address.${service}.om1`]: at('omHttp'),
    [`ozone.om.ratis.port.${service}.om1`]: port('omRatis'),
    'ozone.om.s3.grpc.server_enabled': false,
    'hdds.datanode.dir': join(data, 'hdds'),
    'hdds.datanode.hostname': 'localhost',
    'hdds.datanode.http-address': at('dnHttp'),
    'hdds.container.ipc.port': port('dnIpc'),
    'hdds.container.ratis.ipc.port': port('dnRatis'),
    'hdds.container.ratis.admin.port': port('dnRatisAdmin'),
    'hdds.container.ratis.server.port': port('dnRatisServer'),
    'hdds.container.ratis.datastream.port': port('dnRatisStream'),
    'hdds.datanode.client.address': at('dnClient'),
    'hdds.datanode.client.port': port('dnClient'),
    'hdds.datanode.replication.port': port('dnReplication'),
    // Ozone's default of one minute makes a client sleep a whole minute for a difference that takes 0.1 s.
    'ozone.om.snapshot.diff.job.default.wait.time': '1s',
    'ozone.snapshot.deleting.service.interval': '10s',
  };
}

/** What a secured cluster has on top. Names: ozone-default.xml of Ozone 2.2.0. */
const securedServer = (kdc: Kdc): Properties => ({
  ...securedClient(kdc),
  'ozone.acl.enabled': true,
  'ozone.acl.authorizer.class': 'org.apache.hadoop.ozone.security.acl.OzoneNativeAuthorizer',
  'ozone.administrators': ADMINISTRATOR,
  'hdds.scm.kerberos.principal': kdc.daemonPrincipal('scm'),
  'hdds.scm.kerberos.keytab.file': kdc.keytab('scm'),
  'ozone.om.kerberos.keytab.file': kdc.keytab('om'),
  'hdds.datanode.kerberos.principal': kdc.daemonPrincipal('dn'),
  'hdds.datanode.kerberos.keytab.file': kdc.keytab('dn'),
});

const securedClient = (kdc: Kdc): Properties => ({
  'ozone.security.enabled': true,
  'ozone.om.kerberos.principal': kdc.daemonPrincipal('om'),
  'hdds.block.token.enabled': true,
  'hdds.container.token.enabled': true,
  // The certificates name no loopback address: with it every write hangs.
  'hdds.grpc.tls.enabled': false,
});

/** core-site.xml of every role of a secured cluster. */
const securedCore: Properties = {
  'hadoop.security.authentication': 'kerberos',
  'hadoop.security.authorization': true,
};

/** What a client needs to reach both clusters by service id. */
export function clientProperties(ports: Readonly<Record<Service, Ports>>, kdc?: Kdc): Properties {
  const one = (service: Service): Properties => ({
    [`ozone.om.nodes.${service}`]: 'om1',
    [`ozone.om.address.${service}.om1`]: `localhost:${ports[service].om}`,
  });
  return {
    'ozone.om.service.ids': services.join(','),
    ...one('prod'),
    ...one('dr'),
    'ozone.replication': 'ONE',
    'ozone.replication.type': 'RATIS',
    ...(kdc ? securedClient(kdc) : {}),
  };
}

export const siteXml = (properties: Properties): string =>
  `<configuration>\n${Object.entries(properties)
    .map(([name, value]) => `  <property><name>${name}</name><value>${value}</value></property>\n`)
    .join('')}</configuration>\n`;

/** Folders of one run, below its directory. */
export const folders = (directory: string) => ({
  bin: join(directory, 'bin'),
  clientConf: join(directory, 'conf', 'client'),
  yarnConf: join(directory, 'conf', 'yarn'),
  conf: (service: Service, daemon: Daemon): string => join(directory, 'conf', `${service}-${daemon}`),
  data: (service: Service): string => join(directory, 'data', service),
  kerberos: join(directory, 'krb'),
  yarnData: join(directory, 'data', 'yarn'),
  logs: join(directory, 'logs'),
  pids: join(directory, 'pids'),
  temporary: join(directory, 'tmp'),
});

/** Writes every daemon's and the client's configuration, and the launchers of an edge host. */
export async function writeConfiguration(
  directory: string,
  software: Software,
  ports: Readonly<Record<Service, Ports>>,
  log4j: string,
  kdc?: Kdc,
): Promise<void> {
  const at = folders(directory);
  await Promise.all([at.bin, at.logs, at.pids, at.temporary].map((folder) => mkdir(folder, { recursive: true })));
  const write = async (folder: string, name: string, properties: Properties): Promise<void> => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, name), siteXml(properties));
    await writeFile(join(folder, 'log4j.properties'), log4j);
  };
  for (const service of services) {
    for (const daemon of daemons) {
      const properties = serverProperties(service, daemon, ports[service], at.data(service));
      const security = kdc ? securedServer(kdc) : {};
      await write(at.conf(service, daemon), 'ozone-site.xml', { ...properties, ...security });
      if (kdc) await write(at.conf(service, daemon), 'core-site.xml', securedCore);
    }
  }
  await write(at.clientConf, 'ozone-site.xml', clientProperties(ports, kdc));
  // That of a secured pair is the same wherever the pair is, as it is in a jar too: what jobs read besides has the rest.
  const temporary = { 'hadoop.tmp.dir': at.temporary };
  await write(at.clientConf, 'core-site.xml', kdc ? securedCore : temporary);
  if (kdc) await write(at.clientConf, 'mapred-site.xml', temporary);
  await writeFile(join(at.bin, 'ozone'), launcher(at.clientConf, software, ozoneLauncher), { mode: 0o755 });
  await writeFile(join(at.bin, 'hadoop'), launcher(at.clientConf, software, hadoopLauncher), { mode: 0o755 });
}

interface Launcher {
  readonly heap: string;
  readonly path: (software: Software) => string;
  readonly archive: string;
  readonly options: string;
  readonly mains: Readonly<Record<string, string>>;
}

/** As the real launcher does, client logging is off. */
const ozoneLauncher: Launcher = {
  heap: '256m',
  path: (software) => software.serverPath,
  archive: 'ozone.jsa',
  options: '-Dhadoop.root.logger=OFF,console $OZONE_OPTS',
  mains: {
    sh: 'org.apache.hadoop.ozone.shell.OzoneShell',
    fs: 'org.apache.hadoop.fs.ozone.OzoneFsShell',
    version: 'org.apache.hadoop.ozone.util.OzoneVersionInfo',
  },
};

const hadoopLauncher: Launcher = {
  heap: '512m',
  path: (software) => software.clientPath,
  archive: 'hadoop.jsa',
  options: '-Dhadoop.root.logger=INFO,console $HADOOP_OPTS',
  mains: {
    distcp: 'org.apache.hadoop.tools.DistCp',
    fs: 'org.apache.hadoop.fs.FsShell',
    version: 'org.apache.hadoop.util.VersionInfo',
  },
};

/** The class-data archive holds for a class path that begins with the same jars, so the configuration folder comes last. */
const launcher = (conf: string, software: Software, of: Launcher): string => `#!/bin/sh
# Written by test/ozone-cluster.
case "$1" in
${Object.entries(of.mains)
  .map(([command, main]) => `  ${command}) main=${main} ;;\n`)
  .join('')}  envvars) exec echo "HADOOP_CONF_DIR='${conf}'" ;;
  *) echo "ERROR: $1 is not COMMAND nor fully qualified CLASSNAME." >&2; exit 1 ;;
esac
shift
exec "\${JAVA_HOME:-${software.javaHome}}/bin/java" ${moduleOptions.join(' ')} ${smallJvmOptions.join(' ')} -Xmx${of.heap} \\
  ${archiveOptions(software, of.archive).join(' ')} \\
  ${of.options} -Dlog4j.configuration='file:${join(conf, 'log4j.properties')}' -cp '${of.path(software)}:${conf}' "$main" "$@"
`;
