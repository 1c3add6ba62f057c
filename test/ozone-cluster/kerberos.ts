import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const REALM = 'EXAMPLE.TEST';

/** Administrator of both clusters: the hand with which a test prepares and looks. No operation of the product works as it. */
export const ADMINISTRATOR = 'admin';

/** Debian puts them where only root's PATH leads. */
export const kerberosEnvironment = (krb: string): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
  KRB5_CONFIG: join(krb, 'krb5.conf'),
  KRB5_KDC_PROFILE: join(krb, 'kdc.conf'),
});

/** What a KDC gives to others; a function of its folder `krb`, so that whoever opens the clusters has it too. */
export interface Kdc {
  readonly krb5Conf: string;
  principal(user: string): string;
  keytab(user: string): string;
  daemonPrincipal(daemon: 'scm' | 'om' | 'dn'): string;
  /** JVM options of everything that talks to this KDC. */
  readonly javaOptions: readonly string[];
  /** Environment in which the launchers of the clusters, and any other JVM of Hadoop's client, work as this user: it logs in by keytab. */
  as(user: string): NodeJS.ProcessEnv;
  /** A ticket cache of this user at `path`, good for so many seconds; returns `path`. */
  ticket(user: string, path: string, seconds: number): Promise<string>;
}

export const kdcAt = (krb: string): Kdc => {
  const krb5Conf = join(krb, 'krb5.conf');
  const principal = (user: string): string => `${user}@${REALM}`;
  const keytab = (user: string): string => join(krb, 'keytabs', `${user}.keytab`);
  // All daemons share one address: what Java takes for a replay are two logins in the same microsecond.
  const javaOptions = [`-Djava.security.krb5.conf=${krb5Conf}`, '-Dsun.security.krb5.rcache=none'];
  return {
    krb5Conf,
    principal,
    keytab,
    daemonPrincipal: (daemon) => principal(`${daemon}/localhost`),
    javaOptions,
    as: (user) => ({
      KRB5PRINCIPAL: principal(user),
      KRB5KEYTAB: keytab(user),
      OZONE_OPTS: javaOptions.join(' '),
      HADOOP_OPTS: javaOptions.join(' '),
    }),
    ticket: async (user, path, seconds) => {
      const lifetime = ['-l', `${seconds}s`, '-c', `FILE:${path}`];
      await run('kinit', [...lifetime, '-k', '-t', keytab(user), principal(user)], { env: kerberosEnvironment(krb) });
      return path;
    },
  };
};
