import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const here = dirname(fileURLToPath(import.meta.url));

/** Everything that outlives one run of the clusters: jars, the test helper's classes, class-data archives. */
export const cacheDirectory = join(here, '..', '..', '.cache', 'ozone');

/** Java's module openings that Ozone's own launcher passes (ozone-functions.sh, Ozone 2.2.0). */
export const moduleOptions: readonly string[] = [
  ...['java.nio', 'java.lang', 'java.lang.reflect', 'java.util'].map(
    (name) => `--add-opens=java.base/${name}=ALL-UNNAMED`,
  ),
  '--add-opens=java.management/com.sun.jmx.mbeanserver=ALL-UNNAMED',
  '--add-exports=java.management/com.sun.jmx.mbeanserver=ALL-UNNAMED',
  '-Dorg.apache.ratis.thirdparty.io.netty.tryReflectionSetAccessible=true',
  '-Dorg.apache.ratis.thirdparty.io.netty.allocator.useCacheForAllThreads=false',
];

/** Ozone 2.2.0 reads names with java.nio.file.Paths, which fails on non-ASCII letters in a C locale. */
export const jvmEnvironment: NodeJS.ProcessEnv = { ...process.env, LC_ALL: 'C.UTF-8' };

/** Short-lived JVMs on a small machine: start time counts, peak speed does not. */
export const smallJvmOptions: readonly string[] = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

/** Uses a class-data archive of {@link Software.archives} when it is there and fits; says nothing when not. */
export const archiveOptions = (software: Software, name: string): readonly string[] => [
  `-XX:SharedArchiveFile=${join(software.archives, name)}`,
  ...['-Xshare:auto', '-Xlog:disable', '-Xlog:all=off'],
];

export interface Software {
  readonly java: string;
  /** `JAVA_HOME` of that java. */
  readonly javaHome: string;
  /** Class path of the daemons and of `ozone sh`; configuration folders come after it. */
  readonly serverPath: string;
  /** The same of `hadoop distcp`, with the shaded Ozone file system. */
  readonly clientPath: string;
  /** Classes of our helper `ClusterFiles`. */
  readonly classes: string;
  /** Folder of the class-data archives (`ozone.jsa`, `hadoop.jsa`), made by the first start; a missing one only costs speed. */
  readonly archives: string;
}

/**
 * Resolves the jars (first time: about 450 MB of downloads) and compiles the helper; later calls find them in the cache.
 * Throws with a remedy when java, javac or mvn is missing.
 */
export async function prepareSoftware(log: (line: string) => void): Promise<Software> {
  const javaVersion = await prerequisites();
  const poms = await Promise.all(['pom.xml', 'servers/pom.xml', 'client/pom.xml', 'stand-in/pom.xml'].map(readPom));
  const helper = join(here, 'java', 'ClusterFiles.java');
  const jars = join(cacheDirectory, `jars-${fingerprint([...poms, SIGNED])}`);
  // Class-data archives hold for the jars at their place only: a moved or copied cache makes its own.
  const builtOf = fingerprint([...poms, javaVersion, await readFile(helper, 'utf8'), jars]);
  const built = join(cacheDirectory, `built-${builtOf}`);
  const javaHome = process.env.JAVA_HOME ?? (await javaHomeOnPath());

  await once(jars, async (directory) => {
    log('resolving the jars of Ozone and Hadoop with Maven (first time only, some minutes)');
    await resolveJars('pom.xml', directory);
    for (const name of await readdir(join(directory, 'servers')))
      if (name.startsWith(SIGNED)) await unsign(join(directory, 'servers', name));
  });
  const clientPath = join(jars, 'client', '*');
  await once(built, async (directory) => {
    const classes = join(directory, 'classes');
    await mkdir(classes, { recursive: true });
    await run(program('javac'), ['-cp', clientPath, '-d', classes, helper]);
    await mkdir(join(directory, 'archives'));
  });
  return {
    java: program('java'),
    javaHome,
    serverPath: join(jars, 'servers', '*'),
    clientPath,
    classes: join(built, 'classes'),
    archives: join(built, 'archives'),
  };
}

/** Resolves with the folder of the jars of a YARN's daemons and containers (first time: about 160 MB of downloads). */
export async function prepareYarnJars(log: (line: string) => void): Promise<string> {
  const jars = join(cacheDirectory, `jars-${fingerprint(await Promise.all(['pom.xml', 'yarn/pom.xml'].map(readPom)))}`);
  await once(jars, async (directory) => {
    log('resolving the jars of YARN with Maven (first time only)');
    await resolveJars('yarn/pom.xml', directory);
  });
  return join(jars, 'yarn');
}

export const program = (name: 'java' | 'javac' | 'jar'): string => {
  const home = process.env.JAVA_HOME;
  return home === undefined ? name : join(home, 'bin', name);
};

async function javaHomeOnPath(): Promise<string> {
  const { stderr } = await run('java', ['-XshowSettings:properties', '-version']);
  return /java\.home = (.+)/.exec(stderr)?.[1] ?? '';
}

async function prerequisites(): Promise<string> {
  const [java, javac, maven] = await Promise.all([version(program('java')), version(program('javac')), version('mvn')]);
  const missing = [
    ...(java === undefined || javac === undefined ? ['a JDK (java and javac, version 11 or later)'] : []),
    ...(maven === undefined ? ['Apache Maven (mvn)'] : []),
  ];
  if (missing.length > 0 || java === undefined) {
    throw new Error(`the Ozone clusters need ${missing.join(' and ')} on PATH; install it and run this again`);
  }
  return java;
}

async function version(name: string): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await run(name, ['-version']);
    return stdout + stderr;
  } catch {
    return undefined;
  }
}

const readPom = (name: string): Promise<string> => readFile(join(here, 'maven', name), 'utf8');

const fingerprint = (texts: readonly string[]): string =>
  createHash('sha256').update(texts.join('\0')).digest('hex').slice(0, 12);

/** Makes a folder under another name and renames it, so that a killed attempt leaves nothing that looks finished. */
async function once(directory: string, make: (temporary: string) => Promise<void>): Promise<void> {
  if (existsSync(directory)) return;
  const temporary = `${directory}.${process.pid}.part`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  await make(temporary);
  try {
    await rename(temporary, directory);
  } catch (error) {
    if (!existsSync(directory)) throw error;
    // Another run was first: its folder holds the same.
    await rm(temporary, { recursive: true });
  }
}

const standIn = { artifact: 'hdds-hadoop-dependency-client', version: '2.2.0' };

/** Bouncy Castle, which everything with Kerberos loads. */
const SIGNED = 'bcprov-';

/** Classes of a signed jar are checked at every start and fit in no class-data archive: about half a second of each secured `ozone sh`. */
async function unsign(jar: string): Promise<void> {
  const folder = `${jar}.unpacked`;
  const manifest = join(folder, 'META-INF', 'MANIFEST.MF');
  await mkdir(folder);
  await run(program('jar'), ['xf', jar], { cwd: folder });
  const [main = ''] = (await readFile(manifest, 'utf8')).split(/(?<=\n)\r?\n/);
  await writeFile(`${folder}.manifest`, main);
  for (const name of await readdir(dirname(manifest)))
    if (/\.(SF|RSA|MF)$/.test(name)) await rm(join(dirname(manifest), name));
  await run(program('jar'), ['cfm', jar, `${folder}.manifest`, '-C', folder, '.']);
  await Promise.all([folder, `${folder}.manifest`].map((path) => rm(path, { recursive: true })));
}

/** A local repository inside the cache keeps the person's own Maven repository as it is. */
async function resolveJars(pom: string, target: string): Promise<void> {
  const repository = join(cacheDirectory, 'repository');
  const failure = await copyJars(pom, repository, target);
  if (failure === undefined) return;
  // The parent pom of Ozone 2.2.0's client modules is not in every registry; ours stands in for it only then. Maven says "could not find
  // artifact", or, after an attempt that was cut short, "was not found".
  if (!failure.includes(`org.apache.ozone:${standIn.artifact}:`)) throw new Error(failure);
  const folder = join(repository, 'org', 'apache', 'ozone', standIn.artifact, standIn.version);
  const name = `${standIn.artifact}-${standIn.version}.pom`;
  await mkdir(folder, { recursive: true });
  await rm(join(folder, `${name}.lastUpdated`), { force: true });
  await copyFile(join(here, 'maven', 'stand-in', 'pom.xml'), join(folder, name));
  const again = await copyJars(pom, repository, target);
  if (again !== undefined) throw new Error(again);
}

/** Resolves with what Maven printed when it failed. */
async function copyJars(pom: string, repository: string, target: string): Promise<string | undefined> {
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy-dependencies';
  const settings = [`-Dmaven.repo.local=${repository}`, `-Dozone.cluster.lib=${target}`];
  try {
    await run('mvn', ['-B', '-q', '-f', join(here, 'maven', pom), ...settings, goal], { maxBuffer: 1 << 26 });
    return undefined;
  } catch (error) {
    const printed = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
    return `Maven could not resolve the jars of the Ozone clusters: ${error}\n${printed}`;
  }
}
