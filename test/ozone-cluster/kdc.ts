import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findPorts, folders } from './configuration.ts';
import { accepts, end } from './daemons.ts';
import { ADMINISTRATOR, type Kdc, kdcAt, kerberosEnvironment, REALM } from './kerberos.ts';

const run = promisify(execFile);

/** Name under which the process is on record beside the daemons. */
const KDC = 'kdc';

export interface KdcOptions {
  readonly users: readonly string[];
  /** Seconds by which clocks may differ, so also for which an expired ticket still works. Default 300. */
  readonly clockSkew?: number;
}

/**
 * Starts a KDC on a free port of the loopback address, with a keytab for each daemon, each user and {@link ADMINISTRATOR}. All its
 * files are in the run's folder; nothing of the system's Kerberos is read or written.
 */
export async function startKdc(directory: string, options: KdcOptions): Promise<Kdc> {
  await binaries();
  const krb = folders(directory).kerberos;
  const made = kdcAt(krb);
  const [port = 0] = await findPorts(1);
  for (const folder of ['db', 'keytabs']) await mkdir(join(krb, folder), { recursive: true, mode: 0o700 });
  await writeFile(made.krb5Conf, krb5Conf(port, options.clockSkew ?? 300));
  await writeFile(join(krb, 'kdc.conf'), kdcConf(krb, port));
  await writeFile(join(krb, 'db', 'kadm5.acl'), '');
  const env = kerberosEnvironment(krb);
  // Nobody has to know the master password: the stash file is there.
  await run('kdb5_util', ['create', '-s', '-r', REALM, '-P', crypto.randomUUID()], { env });
  const daemons = ['scm', 'om', 'dn'].map((daemon): readonly [string, string] => [daemon, `${daemon}/localhost`]);
  const users = [ADMINISTRATOR, ...options.users].map((user): readonly [string, string] => [user, user]);
  await addPrincipals(krb, [...daemons, ...users]);
  await begin(directory, krb, port);
  return made;
}

async function addPrincipals(krb: string, wanted: readonly (readonly [file: string, name: string])[]): Promise<void> {
  const keytab = (file: string): string => join(krb, 'keytabs', `${file}.keytab`);
  const commands = wanted.flatMap(([file, name]) => [`addprinc -randkey ${name}`, `ktadd -k ${keytab(file)} ${name}`]);
  const said = await new Promise<string>((resolve, reject) => {
    const child = execFile('kadmin.local', ['-r', REALM], { env: kerberosEnvironment(krb) }, (error, stdout, stderr) =>
      error ? reject(error) : resolve(stdout + stderr),
    );
    child.stdin?.end(`${commands.join('\n')}\n`);
  });
  // kadmin.local exits with 0 whatever its commands did.
  if (!wanted.every(([file]) => existsSync(keytab(file))))
    throw new Error(`the KDC did not make all keytabs:\n${said}`);
}

/** A process of its own that outlives this one, on record like a daemon. */
async function begin(directory: string, krb: string, port: number): Promise<void> {
  const at = folders(directory);
  await Promise.all([at.logs, at.pids].map((folder) => mkdir(folder, { recursive: true })));
  const log = await open(join(at.logs, 'kdc.log'), 'a');
  // The pid file is in the command line so that the process can be told from any other KDC.
  const child = spawn('krb5kdc', ['-n', '-r', REALM, '-P', join(krb, 'kdc.pid')], {
    detached: true,
    env: kerberosEnvironment(krb),
    stdio: ['ignore', log.fd, log.fd],
  });
  child.on('error', () => undefined);
  if (child.pid !== undefined) await writeFile(join(at.pids, KDC), String(child.pid));
  child.unref();
  await log.close();
  await accepts(directory, KDC, port);
}

/** The KDC of a run's folder, or undefined where its clusters have none. */
export const kdcIn = (directory: string): Kdc | undefined => {
  const krb = folders(directory).kerberos;
  return existsSync(krb) ? kdcAt(krb) : undefined;
};

/** Ends the KDC of a run's folder, if there is one. */
export const stopKdc = (directory: string): Promise<void> => end(directory, KDC, 'SIGTERM');

const packages = ['krb5-kdc', 'krb5-admin-server', 'krb5-user'];

/** Installs Debian's packages when they are missing and that is ours to do. Throws with the remedy otherwise. */
async function binaries(): Promise<void> {
  const env = kerberosEnvironment('/nonexistent');
  const found = (name: string) =>
    run('which', [name], { env }).then(
      () => true,
      () => false,
    );
  const missing = async (): Promise<boolean> =>
    (await Promise.all(['krb5kdc', 'kdb5_util', 'kadmin.local', 'kinit'].map(found))).includes(false);
  if (!(await missing())) return;
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    const quiet = { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' }, maxBuffer: 1 << 26 };
    await run('apt-get', ['install', '-y', '--no-install-recommends', ...packages], quiet).catch(() => undefined);
  }
  if (await missing()) {
    throw new Error(`a secured pair of clusters needs an MIT KDC: apt-get install ${packages.join(' ')}, then again`);
  }
}

const krb5Conf = (port: number, clockSkew: number): string => `[libdefaults]
  default_realm = ${REALM}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
  forwardable = true
  ticket_lifetime = 10h
  clockskew = ${clockSkew}
[realms]
  ${REALM} = {
    kdc = 127.0.0.1:${port}
  }
[domain_realm]
  localhost = ${REALM}
`;

const kdcConf = (krb: string, port: number): string => `[kdcdefaults]
  kdc_listen = 127.0.0.1:${port}
  kdc_tcp_listen = 127.0.0.1:${port}
[realms]
  ${REALM} = {
    database_name = ${join(krb, 'db', 'principal')}
    key_stash_file = ${join(krb, 'db', 'stash')}
    acl_file = ${join(krb, 'db', 'kadm5.acl')}
    max_life = 24h
    supported_enctypes = aes256-cts-hmac-sha1-96:normal
    master_key_type = aes256-cts-hmac-sha1-96
  }
[logging]
  kdc = FILE:${join(krb, 'kdc.log')}
`;
