import { namesIn } from '../domain/buckets.ts';
import {
  CATALOGUE,
  type CheckAnswer,
  type DoctorCheck,
  type DoctorReport,
  type Finding,
  type FindingCode,
  type HostSeen,
  Severity,
} from '../domain/doctor.ts';
import type { DoctorCluster, DoctorData } from '../domain/edge-reply.ts';
import type { BucketRef, HostId } from '../domain/names.ts';
import type { Cluster, Policy } from '../domain/policy.ts';
import type { DurationSeconds, EpochMs } from '../domain/units.ts';

/** The first agent that passes parameters in the environment (Systems Manager, document schema, `interpolationType`). */
const AGENT: Version = [3, 3, 2746];
/** HDFS-17120, `distcp.diff.copy.listing.traverse.directory`. */
const HADOOP: Version = [3, 4, 0];
/** The first that the script was made for; 2.2 is what it was run with. */
const OZONE: Version = [2, 1, 0];

const MOST_BUCKETS = 20;
const MINUTE = 60_000;
/** Kerberos takes no more (`clockskew`, 300 s by default). */
const SKEW = 5 * MINUTE;
const LONG_WAIT = 10_000;
const GB_IN_KB = 1024 * 1024;
const MANY_TEMPORARIES = 3;

type Version = readonly [number, number, number];

const versionOf = (text: string): Version => {
  const [major = 0, minor = 0, patch = 0] = text.split(/[.-]/).map((part) => Number.parseInt(part, 10) || 0);
  return [major, minor, patch];
};
const isBefore = (text: string, least: Version): boolean => {
  const version = versionOf(text);
  const at = least.findIndex((part, n) => version[n] !== part);
  return at >= 0 && (version[at] ?? 0) < (least[at] ?? 0);
};

/**
 * What is asked of whom: each host, for each document that it is ever sent, between each two clusters that it works on.
 * The policies have names in the place of their globs. Only the observing check looks at more than one bucket. Deletions go where the roles of their functions let them go.
 */
export const checksOf = (policies: readonly Policy[]): readonly DoctorCheck[] => {
  const checks = new Map<string, DoctorCheck>();
  const nameOf = ({ name, service }: Cluster) => ({ name, service });
  for (const policy of policies) {
    const { source, replica, retention } = policy;
    const buckets = namesIn(policy);
    // With globs alone, and before their first listing: nothing to look at yet.
    if (buckets.length === 0) continue;
    const add = (host: HostId, radius: DoctorCheck['radius'], side: DoctorCheck['side']) => {
      // Who protects and deletes on the source needs no right on the replica, and better has none.
      const other = side === 'source' && (radius === 'protect' || radius === 'destroy') ? null : replica;
      const key = [host, radius, side, source.name, other?.name ?? ''].join(' ');
      const known = checks.get(key)?.buckets ?? [];
      checks.set(key, {
        host,
        radius,
        side,
        source: nameOf(source),
        replica: other && nameOf(other),
        buckets: [...new Set([...known, ...buckets])].slice(0, radius === 'observe' ? MOST_BUCKETS : 1),
      });
    };
    for (const host of new Set([...source.hosts, ...(replica?.hosts ?? [])])) {
      // Whose work it is there, for the report: a host of both sides is the replica's.
      const side = replica?.hosts.includes(host) ? 'replica' : 'source';
      for (const radius of ['observe', 'protect', 'restore'] as const) add(host, radius, side);
    }
    for (const host of replica?.hosts ?? []) add(host, 'destroy', 'replica');
    if (retention) for (const host of source.hosts) add(host, 'destroy', 'source');
  }
  return [...checks.values()];
};

export const isOnline = (hosts: readonly HostSeen[], host: HostId): boolean =>
  hosts.some((it) => it.host === host && it.ping === 'Online');

const found = (code: FindingCode, where: string, evidence: string): Finding => ({
  code,
  where,
  evidence: evidence.slice(0, 600),
  ...CATALOGUE[code],
});

/** By the name of a policy what its longest copy is expected to take; a policy without one may take all that it allows. */
export type LongestCopies = ReadonlyMap<
  Policy['name'],
  { readonly bucket: BucketRef; readonly seconds: DurationSeconds }
>;

/** Judges what was seen. Errors come first; each fault is said once per host, cluster or bucket. Pure. */
export const judge = (
  policies: readonly Policy[],
  hosts: readonly HostSeen[],
  answers: readonly CheckAnswer[],
  now: EpochMs,
  expected: LongestCopies,
): DoctorReport => {
  const findings = [
    ...ofHosts(policies, hosts),
    ...answers.flatMap((answer) => ofAnswer(answer, policies, hosts, now, expected)),
    ...ofIdentities(answers),
    ...ofPolicies(policies),
  ];
  const once = new Map<string, Finding>();
  for (const finding of findings) {
    const key = `${finding.code} ${finding.where}`;
    if (!once.has(key)) once.set(key, finding);
  }
  const order = [...once.values()].sort((a, b) => rank(a) - rank(b));
  const count = (severity: Severity) => order.filter((it) => it.severity === severity).length;
  return {
    at: new Date(now).toISOString(),
    checks: answers.length,
    errors: count('error'),
    warnings: count('warning'),
    findings: order,
  };
};

const rank = ({ severity }: Finding): number => Severity.options.indexOf(severity);

const hostsOf = (policies: readonly Policy[]): readonly HostId[] => [
  ...new Set(policies.flatMap(({ source, replica }) => [...source.hosts, ...(replica?.hosts ?? [])])),
];

const ofHosts = (policies: readonly Policy[], hosts: readonly HostSeen[]): readonly Finding[] =>
  hostsOf(policies).flatMap((host) => {
    const seen = hosts.find((it) => it.host === host);
    if (!seen) return [found('host-unknown', host, 'Systems Manager lists no such host')];
    return [
      ...(seen.ping === 'Online' ? [] : [found('host-offline', host, `Systems Manager says ${seen.ping}`)]),
      ...(isBefore(seen.agentVersion, AGENT)
        ? [found('agent-old', host, `its agent is ${seen.agentVersion}, ${AGENT.join('.')}.0 is needed`)]
        : []),
    ];
  });

/** What is given up by choice. */
const ofPolicies = (policies: readonly Policy[]): readonly Finding[] =>
  policies.flatMap(({ name, source, replica, buckets }) => [
    ...(replica?.hosts.some((host) => source.hosts.includes(host))
      ? [found('hosts-shared', `policy ${name}`, `${source.name} and ${replica.name} share a host`)]
      : []),
    ...(buckets.length > MOST_BUCKETS
      ? [found('buckets-not-looked-at', `policy ${name}`, `${MOST_BUCKETS} of ${buckets.length} were looked at`)]
      : []),
  ]);

const ofAnswer = (
  { check, answer, from, until, isOutputStored }: CheckAnswer,
  policies: readonly Policy[],
  hosts: readonly HostSeen[],
  now: EpochMs,
  expected: LongestCopies,
): readonly Finding[] => {
  const { host, radius } = check;
  const stored = isOutputStored === false ? [found('output-not-stored', host, 'no output of its checks is there')] : [];
  switch (answer.kind) {
    case 'none':
      // Why a host gave no answer that is known to be away was said.
      if (!isOnline(hosts, host)) return [];
      return [
        answer.error === 'EdgeRefused'
          ? found('document-refused', `${host} ${radius}`, answer.detail)
          : found('check-not-answered', `${host} ${radius}`, `${answer.error}: ${answer.detail}`),
        ...stored,
      ];
    case 'refused': {
      const isOfAgent = answer.message.includes('agent of this host is too old');
      const code = isOfAgent ? 'agent-old' : 'host-not-set-up';
      return [found(code, host, answer.message), ...stored];
    }
    case 'facts': {
      const tickets = ofTicket(check, answer.data, policies, now, expected);
      const wrong = [
        ...stored,
        ...ofClock(host, answer, from, until),
        ...ofHost(check, answer.data),
        ...tickets,
        ...ofHooks(check, answer.data, policies),
        ...ofYarn(check, answer.data, policies),
        // That a cluster refuses a ticket that is over goes without saying.
        ...ofClusters(check, answer.data, policies).filter(
          ({ code }) => code !== 'access-denied' || tickets.every((it) => it.code !== 'ticket-expired'),
        ),
      ];
      if (wrong.some(({ severity }) => severity === 'error' || severity === 'warning')) return wrong;
      return [...wrong, found('host-in-order', `${host} ${radius}`, `as ${identityOf(answer.data)}`)];
    }
  }
};

const identityOf = ({ ticket, user }: DoctorData): string => ticket?.principal ?? `${user}, without a ticket`;

/** What Ozone calls an identity: the first part of a principal. */
const ozoneUserOf = ({ ticket, user }: DoctorData): string => ticket?.principal.split(/[@/]/)[0] ?? user;

/** Between two times of AWS the host wrote down two of its own: what lies outside is its clock's fault. */
const ofClock = (
  host: HostId,
  { startedAt, endedAt }: { readonly startedAt: EpochMs; readonly endedAt: EpochMs },
  from: EpochMs,
  until: EpochMs,
): readonly Finding[] => {
  const off = Math.max(from - startedAt, endedAt - until);
  if (off <= MINUTE) return [];
  const way = from - startedAt > endedAt - until ? 'behind' : 'ahead';
  return [found(off > SKEW ? 'clock-off' : 'clock-drifts', host, `at least ${Math.round(off / 1000)} s ${way}`)];
};

const isOpenToOthers = (mode: string): boolean => (Number.parseInt(mode, 8) & 0o022) !== 0;

const ofHost = ({ host, radius }: DoctorCheck, data: DoctorData): readonly Finding[] => {
  const { missing, user, locale, config, state, versions, readsOfs, may } = data;
  const findings: Finding[] = [];
  const add = (code: FindingCode, evidence: string, where: string = host) =>
    void findings.push(found(code, where, evidence));
  if (missing.length > 0) add('tool-missing', `${missing.join(', ')} not found`);
  if (locale === null) add('locale-missing', 'locale -a names neither C.UTF-8 nor en_US.UTF-8');
  const folder = state.folder;
  if (!state.writable) add('state-not-writable', `${folder?.path ?? 'the folder'} as ${user}`);
  if (folder && folder.owner !== user) add('state-other-owner', `${folder.path} is ${folder.owner}'s, not ${user}'s`);
  if (folder && isOpenToOthers(folder.mode)) add('state-open', `${folder.path} has the mode ${folder.mode}`);
  if (config && (isOpenToOthers(config.mode) || (config.owner !== 'root' && config.owner !== user)))
    add('config-open', `${config.path} is ${config.owner}'s with the mode ${config.mode}`);
  const { freeKB, freeInodes } = state;
  const space = `${freeKB === null ? 'unknown' : `${Math.floor(freeKB / 1024)} MB`}, ${freeInodes ?? 'unknown'} inodes`;
  const isBelow = (kb: number, inodes: number) =>
    (freeKB !== null && freeKB < kb) || (freeInodes !== null && freeInodes < inodes);
  if (isBelow(GB_IN_KB, 1000)) add('disk-full', space);
  else if (isBelow(5 * GB_IN_KB, 10_000)) add('disk-low', space);

  if (radius !== 'observe') return findings;
  if (!missing.includes('ozone')) {
    if (versions.ozone === null) add('ozone-does-not-run', `as ${user}`);
    else if (isBefore(versions.ozone, OZONE)) add('ozone-old', `Ozone ${versions.ozone}`);
  }
  if (!missing.includes('hadoop')) {
    if (versions.hadoop === null) add('hadoop-does-not-run', `as ${user}`);
    else if (isBefore(versions.hadoop, HADOOP)) add('hadoop-old', `Hadoop ${versions.hadoop}`);
    if (readsOfs === false) add('ofs-missing', `hadoop fs -stat of an ofs path as ${user}`);
  }
  if (may === null) add('host-role-not-looked-at', 'no AWS CLI is named there');
  else if (may.length > 0) add('host-role-too-wide', `it may ${may.join(', ')}`);
  return findings;
};

/** Tickets of a keytab are taken anew for each operation, and renewed while it works. */
const ofTicket = (
  check: DoctorCheck,
  data: DoctorData,
  policies: readonly Policy[],
  now: EpochMs,
  expected: LongestCopies,
): readonly Finding[] => {
  const { host, radius } = check;
  const {
    ticket,
    login: { keytab, problem },
    user,
  } = data;
  const where = `${host} ${radius}`;
  if (keytab && !keytab.file) return [found('keytab-missing', where, `${keytab.path} is not there`)];
  const { owner, mode } = keytab?.file ?? { owner: user, mode: '400' };
  const open =
    (Number.parseInt(mode, 8) & 0o077) !== 0 || (owner !== 'root' && owner !== user)
      ? [found('keytab-open', where, `${keytab?.path} is ${owner}'s with the mode ${mode}`)]
      : [];
  if (!ticket) return problem === '' ? open : [...open, found('ticket-missing', where, problem)];
  if (keytab || ticket.expires === null) return open;
  const left = ticket.expires - now;
  const who = ticket.principal;
  if (left <= 0) return [found('ticket-expired', where, who)];
  if (left < 60 * MINUTE) return [found('ticket-ending', where, `${who}, in ${Math.round(left / MINUTE)} minutes`)];
  const lasts = lastsFor(check, data, now);
  const short = policies.flatMap((policy) => {
    if (!worksFor(policy, host)) return [];
    const copy = expected.get(policy.name);
    const longest = Math.min(copy?.seconds ?? Infinity, policy.limits.copyTimeout);
    return lasts < longest * 1000
      ? `${copy ? `a copy of ${copy.bucket} is expected to take` : `a copy of ${policy.name} may take`} ${hours(longest * 1000)}`
      : [];
  });
  return short.length > 0 ? [found('ticket-short', where, `${who}, ${hours(lasts)} hours, and ${short[0]}`)] : [];
};

/** Milliseconds for which a document that copies has a ticket that nobody renews; Infinity for all others. */
const lastsFor = ({ radius }: DoctorCheck, { ticket, login: { keytab } }: DoctorData, now: EpochMs): number =>
  (radius === 'protect' || radius === 'restore') && !keytab && ticket && ticket.expires !== null
    ? Math.max(ticket.expires, ticket.renewable ?? 0) - now
    : Infinity;

const worksFor = ({ source, replica }: Policy, host: HostId): boolean =>
  replica !== null && [source, replica].some(({ hosts }) => hosts.includes(host));

/** Policies that allow longer copies than a ticket of theirs lasts: of these it matters what copies are expected to take. */
export const outlastingTickets = <P extends Policy>(
  policies: readonly P[],
  answers: readonly CheckAnswer[],
  now: EpochMs,
): readonly P[] =>
  policies.filter((policy) =>
    answers.some(
      ({ check, answer }) =>
        answer.kind === 'facts' &&
        worksFor(policy, check.host) &&
        lastsFor(check, answer.data, now) < policy.limits.copyTimeout * 1000,
    ),
  );

const hours = (ms: number): number => Math.round(ms / (6 * MINUTE)) / 10;

/** Snapshots are made on the hosts of the source, by the protecting document. */
const ofHooks = (
  { host, radius }: DoctorCheck,
  { hooks }: DoctorData,
  policies: readonly Policy[],
): readonly Finding[] =>
  radius === 'protect'
    ? policies
        .filter(({ source }) => source.hosts.includes(host))
        .flatMap(({ name: policy, hooks: { before, after } }) =>
          [before, after].flatMap((hook) => {
            if (!hook) return [];
            const known = hooks.find(({ name }) => name === hook.name);
            if (known?.problem === '') return [];
            const why = known ? known.problem : `its list names no hook_${hook.name}`;
            return [found('hook-missing', `${host} ${hook.name}`, `${why}; ${policy} asks for it`)];
          }),
        )
    : [];

/** MiB of a container where a host's Hadoop says nothing (mapred-default.xml of Hadoop 3.4). */
const DEFAULT_MB = { map: 1024, master: 1536 } as const;

/** Copies are made on the hosts of the replica, by the protecting document. */
const ofYarn = (
  { host, radius }: DoctorCheck,
  { yarn, missing }: DoctorData,
  policies: readonly Policy[],
): readonly Finding[] =>
  radius === 'protect' && !missing.includes('curl')
    ? policies.flatMap(({ name: policy, replica, limits }) => {
        if (!limits.yarn || !replica?.hosts.includes(host)) return [];
        const { queue } = limits.yarn;
        if (yarn?.manager.state !== 'answered')
          return [
            found('yarn-unreachable', host, `${yarn?.manager.message ?? 'no yarn_rm is named'}; ${policy} asks for it`),
          ];
        const { manager, history, asks } = yarn;
        const { largestMB } = manager;
        const tooLarge = (['map', 'master'] as const).filter(
          (it) => largestMB !== null && (asks[it] ?? DEFAULT_MB[it]) > largestMB,
        );
        const isThere = manager.queues.includes(queue) || manager.queues.includes(`root.${queue}`);
        return [
          ...(isThere
            ? []
            : [found('queue-missing', queue, `${policy} asks for it; ${manager.queues.join(', ')} are there`)]),
          ...tooLarge.map((it) =>
            found(
              'map-memory',
              host,
              `a ${it} asks for ${asks[it] ?? DEFAULT_MB[it]} MB, and gets ${largestMB} at most`,
            ),
          ),
          ...(history?.state === 'answered'
            ? []
            : [found('history-unreachable', host, history?.message ?? 'no yarn_history is named')]),
        ];
      })
    : [];

const ofClusters = (check: DoctorCheck, data: DoctorData, policies: readonly Policy[]): readonly Finding[] => {
  // It was said that the client is not there: what it would have found is not known.
  if (['ozone', 'timeout', 'awk'].some((tool) => data.missing.includes(tool))) return [];
  const sides = [
    { side: 'source' as const, name: check.source.name, seen: data.source },
    ...(check.replica && data.replica
      ? [{ side: 'replica' as const, name: check.replica.name, seen: data.replica }]
      : []),
  ];
  const isSecured = data.ticket !== null;
  const findings = sides.flatMap(({ side, name, seen }) => {
    if (seen.state === 'not-answered')
      return [found('cluster-unreachable', `${check.host} to ${name}`, `${seen.code}: ${seen.message}`)];
    return [
      ...ofCluster(check, side, name, seen, data, policies),
      ...(isSecured ? ofOwnership(check, side, name, seen, data) : []),
    ];
  });
  const isAnyRead = sides.some(({ seen }) => seen.state === 'read' && seen.buckets.some((it) => it.state === 'read'));
  return [
    ...findings,
    ...layoutsOf(check, data),
    ...(!isSecured && isAnyRead
      ? [found('security-off', check.host, `it reads as ${data.user}, without a ticket`)]
      : []),
  ];
};

type Read = Extract<DoctorCluster, { readonly state: 'read' }>;

const ofCluster = (
  check: DoctorCheck,
  side: 'source' | 'replica',
  cluster: string,
  seen: Read,
  data: DoctorData,
  policies: readonly Policy[],
): readonly Finding[] => {
  const findings: Finding[] = [];
  const add = (code: FindingCode, where: string, evidence: string) => void findings.push(found(code, where, evidence));
  for (const it of seen.buckets) {
    const where = `${cluster} ${it.bucket}`;
    if (it.state === 'not-read') {
      if (it.code === 'bucket-missing' || it.code === 'volume-missing') {
        const isToCome =
          side === 'replica' &&
          policies.some((policy) => policy.createReplica && namesIn(policy).some((name) => name === it.bucket));
        if (!isToCome) add('bucket-missing', where, it.message);
      } else if (it.code === 'no-ticket' && data.login.problem !== '') {
        // It was said that there is none, and why.
      } else if (it.code === 'permission-denied' || it.code === 'no-ticket')
        add('access-denied', `${check.host} ${check.radius} to ${cluster}`, `${it.bucket}: ${it.message}`);
      else add('bucket-not-read', where, `${it.code}: ${it.message}`);
      continue;
    }
    // A policy without a replica takes snapshots of any layout.
    if (it.link || (it.layout === 'OBJECT_STORE' && check.replica))
      add('layout-unsupported', where, it.link ? 'it is a link' : `its layout is ${it.layout}`);
    if (it.snapshots === null) add('snapshots-unavailable', where, `${check.radius} on ${check.host} cannot list them`);
    if ((it.temporary ?? 0) > MANY_TEMPORARIES) add('temporaries-left', where, `${it.temporary} of them`);
  }
  const limit = policies
    .flatMap(({ source, replica }) => [source, ...(replica ? [replica] : [])])
    .find(({ name }) => name === cluster)?.snapshotLimit;
  const counted = seen.buckets.reduce((sum, it) => sum + (it.state === 'read' ? (it.snapshots ?? 0) : 0), 0);
  if (limit !== undefined && counted >= 0.9 * limit) add('snapshot-limit-near', cluster, `${counted} of ${limit}`);
  if (seen.diffWaitMs !== null && seen.diffWaitMs > LONG_WAIT)
    add('diff-wait-long', cluster, `${seen.diffWaitMs / 1000} s`);
  return findings;
};

const layoutsOf = ({ source, replica }: DoctorCheck, data: DoctorData): readonly Finding[] => {
  if (data.source.state !== 'read' || data.replica?.state !== 'read') return [];
  const right = data.replica.buckets;
  return data.source.buckets.flatMap((left) => {
    const other = right.find(({ bucket }) => bucket === left.bucket);
    if (left.state !== 'read' || other?.state !== 'read' || left.layout === other.layout) return [];
    const evidence = `${left.layout} on ${source.name}, ${other.layout} on ${replica?.name}`;
    return [found('layouts-differ', left.bucket, evidence)];
  });
};

/** Rights that let somebody write, as Ozone names them. */
const WRITING = /:(?:[A-Z_,]*,)?(?:ALL|WRITE|CREATE|DELETE|WRITE_ACL)(?:,[A-Z_,]*)?:/;

/**
 * Nothing is written to find out who may write: Ozone lets a bucket's owner or an administrator make and delete snapshots, and
 * an increment needs a temporary one, so whoever is to do that is compared with the owner. Only with Kerberos does it count.
 */
const ofOwnership = (
  { host, radius, side: workedFor }: DoctorCheck,
  side: 'source' | 'replica',
  cluster: string,
  seen: Read,
  data: DoctorData,
): readonly Finding[] => {
  const user = ozoneUserOf(data);
  const read = seen.buckets.flatMap((it) => (it.state === 'read' ? [it] : []));
  const volume = seen.buckets[0]?.bucket.split('/')[0];
  const ofVolume =
    seen.volumeOwner === user ? [found('volume-owner', `${cluster} ${volume}`, `${radius} on ${host} is ${user}`)] : [];
  if (radius === 'observe') {
    const grants = (seen.acls ?? []).filter((acl) => acl.startsWith(`USER:${user}:`) && WRITING.test(acl));
    const owned = read.filter(({ owner }) => owner === user).map(({ bucket }) => `owns ${bucket}`);
    const may = [...owned, ...grants];
    return may.length > 0
      ? [...ofVolume, found('observer-may-write', `${host} on ${cluster}`, `${user}: ${may.join(', ')}`)]
      : ofVolume;
  }
  // The source's hosts make and delete snapshots there; the replica's write and delete there.
  if (radius === 'restore' || side !== workedFor) return ofVolume;
  const others = read.filter(({ owner }) => owner !== user);
  return [
    ...ofVolume,
    ...others.map(({ bucket, owner }) =>
      found('not-owner', `${cluster} ${bucket}`, `${radius} on ${host} works as ${user}, the owner is ${owner}`),
    ),
  ];
};

/** Two documents of a host that come as one principal. */
const ofIdentities = (answers: readonly CheckAnswer[]): readonly Finding[] => {
  const seen = new Map<string, Set<string>>();
  for (const { check, answer } of answers) {
    const principal = answer.kind === 'facts' ? answer.data.ticket?.principal : undefined;
    if (principal === undefined) continue;
    const key = `${check.host} ${principal}`;
    seen.set(key, (seen.get(key) ?? new Set()).add(check.radius));
  }
  return [...seen].flatMap(([key, radii]) => {
    if (!radii.has('observe') || radii.size === 1) return [];
    const [host = '', principal = ''] = key.split(' ');
    return [found('identity-shared', host, `${[...radii].join(', ')} all come as ${principal}`)];
  });
};

/** The report in lines, for the cause of a failed execution and for a terminal. */
export const doctorLines = (report: DoctorReport): readonly string[] =>
  report.findings
    .filter(({ severity }) => severity !== 'ok')
    .map(
      ({ severity, code, where, what, evidence, remedy }) =>
        `${severity} ${code} (${where}): ${what} Seen: ${evidence}. Remedy: ${remedy}`,
    );
