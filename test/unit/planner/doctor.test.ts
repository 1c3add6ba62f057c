import { describe, expect, it } from 'vitest';
import { parsePolicies } from '../../../cdk/config/load-policies.ts';
import {
  CATALOGUE,
  type CheckAnswer,
  type DoctorCheck,
  type FindingCode,
  type HostSeen,
} from '../../../functions/core/domain/doctor.ts';
import type { DoctorCluster, DoctorData } from '../../../functions/core/domain/edge-reply.ts';
import { BucketRef, HostId } from '../../../functions/core/domain/names.ts';
import { resolvePolicies } from '../../../functions/core/domain/policy.ts';
import { epochMs, seconds } from '../../../functions/core/domain/units.ts';
import { checksOf, judge, type LongestCopies, outlastingTickets } from '../../../functions/core/planner/doctor.ts';
import { policyText, REPLICA_HOST, SOURCE_HOST } from '../../fixtures/deployment.ts';

const NOW = epochMs(Date.UTC(2026, 10, 20, 12));
const policiesOf = (text: string) => resolvePolicies(parsePolicies(text, 'test policies'));
const RETENTION =
  'retention: { zone: Etc/UTC, cron: "0 4 * * ? *", source: { keepLast: 2 }, replica: { keepLast: 2 } }';
const HOOKS = 'hooks: { before: { name: freeze }, after: { name: thaw } }';
const YARN = 'limits: { yarn: { queue: backup } }';
const policies = policiesOf(policyText(['sales/orders', 'sales/invoices'], [RETENTION, HOOKS, YARN].join('\n    ')));

type Read = Extract<DoctorCluster, { readonly state: 'read' }>;
const OWNER = { source: 'odr-prod', replica: 'odr-dr' } as const;

const cluster = (check: DoctorCheck, side: 'source' | 'replica'): Read => ({
  service: check[side]?.service ?? '',
  state: 'read',
  buckets: check.buckets.map((bucket) => ({
    bucket,
    state: 'read',
    layout: 'FILE_SYSTEM_OPTIMIZED',
    link: false,
    owner: OWNER[side],
    created: '2026-01-01T00:00:00Z',
    snapshots: 5,
    temporary: 0,
  })),
  acls: check.radius === 'observe' ? ['USER:odr-observer:READ,LIST:ACCESS'] : null,
  volumeOwner: 'admin',
  diffWaitMs: check.radius === 'observe' ? 5000 : null,
});

/** Who a document works as: the observer everywhere, else the owner of the side whose host it is. */
const principalOf = ({ radius, side }: DoctorCheck): string =>
  `${radius === 'observe' ? 'odr-observer' : OWNER[side]}@EXAMPLE.ORG`;

const healthyData = (check: DoctorCheck): DoctorData => ({
  document: check.radius,
  missing: [],
  user: 'root',
  ticket: { principal: principalOf(check), expires: epochMs(NOW + 8 * 3_600_000), renewable: null },
  login: { keytab: null, problem: '' },
  locale: 'C.UTF-8',
  hooks: [
    { name: 'freeze', problem: '' },
    { name: 'thaw', problem: '' },
  ],
  yarn: {
    manager: {
      state: 'answered',
      queues: ['backup', 'default', 'root', 'root.backup', 'root.default'],
      largestMB: 4096,
    },
    history: { state: 'answered' },
    asks: { map: 4096, master: null },
  },
  config: { path: '/etc/ozone-dr/host.conf', owner: 'root', mode: '644' },
  state: {
    folder: { path: '/var/lib/ozone-dr', owner: 'root', mode: '700' },
    writable: true,
    freeKB: 50_000_000,
    freeInodes: 1_000_000,
  },
  versions: { ozone: '2.2.0', hadoop: '3.4.3', java: '17.0.15' },
  readsOfs: true,
  may: [],
  source: cluster(check, 'source'),
  replica: check.replica ? cluster(check, 'replica') : null,
});

const healthyHosts = (): readonly HostSeen[] =>
  checksOf(policies).map(({ host }) => ({ host, ping: 'Online', agentVersion: '3.3.2746.0' }));

const answerOf = (check: DoctorCheck, data = healthyData(check)): CheckAnswer => ({
  check,
  from: epochMs(NOW - 20_000),
  until: epochMs(NOW - 5000),
  answer: { kind: 'facts', data, startedAt: epochMs(NOW - 15_000), endedAt: epochMs(NOW - 10_000) },
  isOutputStored: true,
});

interface World {
  readonly hosts?: (hosts: readonly HostSeen[]) => readonly HostSeen[];
  /** What one check, of the replica's host unless said otherwise, finds. */
  readonly data?: (data: DoctorData) => DoctorData;
  readonly answer?: (answer: CheckAnswer) => CheckAnswer;
  readonly of?: Partial<Pick<DoctorCheck, 'host' | 'radius'>>;
  readonly expected?: LongestCopies;
}

const visit = (
  { hosts = (it) => it, data = (it) => it, answer = (it) => it, of = {}, expected = new Map() }: World,
  asked = policies,
) => {
  const { host = REPLICA_HOST, radius = 'observe' } = of;
  const answers = checksOf(asked).map((check) => {
    if (check.host !== host || check.radius !== radius) return answerOf(check);
    return answer(answerOf(check, data(healthyData(check))));
  });
  return judge(asked, hosts(healthyHosts()), answers, NOW, expected);
};
const wrongIn = (world: World) =>
  visit(world).findings.filter(({ severity }) => severity === 'error' || severity === 'warning');

const onReplica = (change: (seen: Read) => DoctorCluster) => (data: DoctorData) =>
  data.replica?.state === 'read' ? { ...data, replica: change(data.replica) } : data;
const eachBucket =
  (change: object) =>
  (seen: Read): DoctorCluster => ({
    ...seen,
    buckets: seen.buckets.map((it) => ({ ...it, ...change })) as Read['buckets'],
  });
const notRead = (code: string) =>
  onReplica((seen) => ({
    ...seen,
    buckets: seen.buckets.map(({ bucket }) => ({ bucket, state: 'not-read' as const, code, message: 'as Ozone says' })),
  }));
const host = (change: Partial<HostSeen>) => (hosts: readonly HostSeen[]) =>
  hosts.map((it) => (it.host === REPLICA_HOST ? { ...it, ...change } : it));

const ending =
  (minutes: number, renewable: number | null = null) =>
  (it: DoctorData): DoctorData => ({
    ...it,
    ticket: it.ticket && {
      ...it.ticket,
      expires: epochMs(NOW + minutes * 60_000),
      renewable: renewable === null ? null : epochMs(NOW + renewable * 60_000),
    },
  });
const copiesOf = (minutes: number): LongestCopies =>
  new Map(
    policies.map(({ name }) => [name, { bucket: BucketRef.parse('sales/orders'), seconds: seconds(minutes * 60) }]),
  );
const withKeytab =
  (file: { owner: string; mode: string } | null, problem = '') =>
  (it: DoctorData): DoctorData => ({
    ...it,
    login: { keytab: { path: '/k/observe', file: file && { path: '/k/observe', ...file } }, problem },
  });
const silent = { state: 'not-answered', message: 'http://rm:8088/ws/v1/cluster/scheduler: 000' } as const;
const answered = { state: 'answered' } as const;
const managing = { ...answered, queues: ['root.backup'], largestMB: 4096 };
const asks = { map: null, master: null };

const FAULTS: readonly (readonly [sentence: string, code: FindingCode, world: World])[] = [
  ['a host that nobody registered', 'host-unknown', { hosts: (all) => all.filter((it) => it.host !== REPLICA_HOST) }],
  ['a host that has lost its connection', 'host-offline', { hosts: host({ ping: 'ConnectionLost' }) }],
  ['an agent of before parameters in the environment', 'agent-old', { hosts: host({ agentVersion: '3.3.2745.9' }) }],
  [
    'an agent that did not pass them',
    'agent-old',
    {
      answer: (it) => ({
        ...it,
        answer: {
          kind: 'refused',
          code: 'bad-parameter',
          message: 'parameter verb was not passed: the SSM agent of this host is too old',
        },
      }),
    },
  ],
  [
    'a host without a configuration',
    'host-not-set-up',
    {
      answer: (it) => ({
        ...it,
        answer: { kind: 'refused', code: 'environment', message: 'cannot read /etc/ozone-dr/host.conf' },
      }),
    },
  ],
  [
    'a check without an answer',
    'check-not-answered',
    { answer: (it) => ({ ...it, answer: { kind: 'none', error: 'EdgeReplyInvalid', detail: 'cut' } }) },
  ],
  [
    'a document that the role may not send',
    'document-refused',
    { answer: (it) => ({ ...it, answer: { kind: 'none', error: 'EdgeRefused', detail: 'AccessDeniedException' } }) },
  ],
  ['an output that is not in the bucket', 'output-not-stored', { answer: (it) => ({ ...it, isOutputStored: false }) }],
  [
    'a clock that is behind',
    'clock-off',
    { answer: (it) => ({ ...it, from: epochMs(NOW + 400_000), until: epochMs(NOW + 500_000) }) },
  ],
  ['a clock that is a bit ahead', 'clock-drifts', { answer: (it) => ({ ...it, until: epochMs(NOW - 100_000) }) }],
  [
    'no hadoop',
    'tool-missing',
    { data: (it) => ({ ...it, missing: ['hadoop'], versions: { ...it.versions, hadoop: null } }) },
  ],
  ['no locale', 'locale-missing', { data: (it) => ({ ...it, locale: null }) }],
  [
    'an Ozone that does not start',
    'ozone-does-not-run',
    { data: (it) => ({ ...it, versions: { ...it.versions, ozone: null } }) },
  ],
  ['an old Ozone', 'ozone-old', { data: (it) => ({ ...it, versions: { ...it.versions, ozone: '1.4.1' } }) }],
  ['an old Hadoop', 'hadoop-old', { data: (it) => ({ ...it, versions: { ...it.versions, hadoop: '3.3.6' } }) }],
  [
    'a Hadoop that does not start',
    'hadoop-does-not-run',
    { data: (it) => ({ ...it, versions: { ...it.versions, hadoop: null } }) },
  ],
  ['a Hadoop without ofs', 'ofs-missing', { data: (it) => ({ ...it, readsOfs: false }) }],
  [
    'a cluster that is away',
    'cluster-unreachable',
    { data: onReplica(({ service }) => ({ service, state: 'not-answered', code: 'connection', message: 'refused' })) },
  ],
  ['an identity that the cluster refuses', 'access-denied', { data: notRead('permission-denied') }],
  [
    'a ticket that is over',
    'ticket-expired',
    { data: (it) => ({ ...it, ticket: it.ticket && { ...it.ticket, expires: NOW } }) },
  ],
  [
    'a ticket that is over and refused',
    'ticket-expired',
    { data: (it) => notRead('no-ticket')({ ...it, ticket: it.ticket && { ...it.ticket, expires: NOW } }) },
  ],
  [
    'a ticket that ends soon',
    'ticket-ending',
    { data: (it) => ({ ...it, ticket: it.ticket && { ...it.ticket, expires: epochMs(NOW + 600_000) } }) },
  ],
  ['a ticket of somebody else that a copy outlives', 'ticket-short', { of: { radius: 'protect' }, data: ending(90) }],
  [
    'a ticket of somebody else that the longest copy outlives',
    'ticket-short',
    { of: { radius: 'protect' }, data: ending(90), expected: copiesOf(91) },
  ],
  ['a keytab that is not there', 'keytab-missing', { data: withKeytab(null, 'no such file') }],
  ['a keytab that others read', 'keytab-open', { data: withKeytab({ owner: 'root', mode: '440' }) }],
  ['a keytab of somebody else', 'keytab-open', { data: withKeytab({ owner: 'ann', mode: '400' }) }],
  [
    'no ticket for a keytab',
    'ticket-missing',
    {
      data: (it) =>
        notRead('no-ticket')({ ...withKeytab({ owner: 'root', mode: '400' }, 'kinit says no')(it), ticket: null }),
    },
  ],
  ['no ticket where the agent should have one', 'access-denied', { data: notRead('no-ticket') }],
  [
    'a document that owns the volume',
    'volume-owner',
    { of: { radius: 'destroy' }, data: onReplica((seen) => ({ ...seen, volumeOwner: OWNER.replica })) },
  ],
  [
    'an observer who owns the volume',
    'volume-owner',
    { data: onReplica((seen) => ({ ...seen, volumeOwner: 'odr-observer' })) },
  ],
  ['an observer who owns the bucket', 'observer-may-write', { data: onReplica(eachBucket({ owner: 'odr-observer' })) }],
  [
    'an observer whom an ACL lets write',
    'observer-may-write',
    { data: onReplica((seen) => ({ ...seen, acls: ['USER:odr-observer:READ,WRITE,LIST:ACCESS'] })) },
  ],
  [
    'an observer who may change ACLs',
    'observer-may-write',
    { data: onReplica((seen) => ({ ...seen, acls: ['USER:odr-observer:ALL:ACCESS'] })) },
  ],
  [
    'a copier who does not own the replica',
    'not-owner',
    { of: { radius: 'protect' }, data: onReplica(eachBucket({ owner: 'ann' })) },
  ],
  [
    'a taker of snapshots who does not own the source',
    'not-owner',
    {
      of: {
        host: checksOf(policies).find((it) => it.host === SOURCE_HOST)?.host as DoctorCheck['host'],
        radius: 'protect',
      },
      data: (it) => ({
        ...it,
        source: it.source.state === 'read' ? eachBucket({ owner: 'ann' })(it.source) : it.source,
      }),
    },
  ],
  ['a bucket that is not there', 'bucket-missing', { data: notRead('bucket-missing') }],
  ['a bucket that cannot be read', 'bucket-not-read', { data: notRead('unreadable') }],
  ['a link', 'layout-unsupported', { data: onReplica(eachBucket({ link: true })) }],
  ['another layout', 'layouts-differ', { data: onReplica(eachBucket({ layout: 'LEGACY' })) }],
  ['no snapshots', 'snapshots-unavailable', { data: onReplica(eachBucket({ snapshots: null, temporary: null })) }],
  ['many snapshots', 'snapshot-limit-near', { data: onReplica(eachBucket({ snapshots: 4500 })) }],
  ['many temporary snapshots', 'temporaries-left', { data: onReplica(eachBucket({ temporary: 4 })) }],
  ['a long wait for differences', 'diff-wait-long', { data: onReplica((seen) => ({ ...seen, diffWaitMs: 60_000 })) }],
  [
    'a state folder that cannot be written',
    'state-not-writable',
    { data: (it) => ({ ...it, state: { ...it.state, writable: false } }) },
  ],
  [
    'a state folder of somebody else',
    'state-other-owner',
    { data: (it) => ({ ...it, state: { ...it.state, folder: { path: '/state', owner: 'ann', mode: '700' } } }) },
  ],
  [
    'a state folder that others write',
    'state-open',
    { data: (it) => ({ ...it, state: { ...it.state, folder: { path: '/state', owner: 'root', mode: '770' } } }) },
  ],
  [
    'a configuration that others write',
    'config-open',
    { data: (it) => ({ ...it, config: { path: '/etc/ozone-dr/host.conf', owner: 'root', mode: '646' } }) },
  ],
  [
    'a configuration of somebody else',
    'config-open',
    { data: (it) => ({ ...it, config: { path: '/etc/ozone-dr/host.conf', owner: 'ann', mode: '644' } }) },
  ],
  [
    'a hook that its list does not name',
    'hook-missing',
    {
      of: { host: HostId.parse(SOURCE_HOST), radius: 'protect' },
      data: (it) => ({ ...it, hooks: it.hooks.slice(1) }),
    },
  ],
  [
    'a hook that others may change',
    'hook-missing',
    {
      of: { host: HostId.parse(SOURCE_HOST), radius: 'protect' },
      data: (it) => ({ ...it, hooks: it.hooks.map(({ name }) => ({ name, problem: 'others may change it' })) }),
    },
  ],
  [
    'a host of the replica that names no resource manager',
    'yarn-unreachable',
    { of: { radius: 'protect' }, data: (it) => ({ ...it, yarn: null }) },
  ],
  [
    'a resource manager that does not answer',
    'yarn-unreachable',
    { of: { radius: 'protect' }, data: (it) => ({ ...it, yarn: { manager: silent, history: silent, asks } }) },
  ],
  [
    'a queue that is not there',
    'queue-missing',
    {
      of: { radius: 'protect' },
      data: (it) => ({ ...it, yarn: { manager: { ...managing, queues: ['default'] }, history: answered, asks } }),
    },
  ],
  [
    'a history server that does not answer',
    'history-unreachable',
    {
      of: { radius: 'protect' },
      data: (it) => ({ ...it, yarn: { manager: managing, history: silent, asks } }),
    },
  ],
  [
    'maps that are larger than any container',
    'map-memory',
    {
      of: { radius: 'protect' },
      data: (it) => ({ ...it, yarn: { manager: managing, history: answered, asks: { map: 4097, master: 1024 } } }),
    },
  ],
  [
    'a master of the size that Hadoop gives it, and a smaller container',
    'map-memory',
    {
      of: { radius: 'protect' },
      data: (it) => ({ ...it, yarn: { manager: { ...managing, largestMB: 1535 }, history: answered, asks } }),
    },
  ],
  ['a full disk', 'disk-full', { data: (it) => ({ ...it, state: { ...it.state, freeKB: 100 } }) }],
  ['a disk without inodes', 'disk-full', { data: (it) => ({ ...it, state: { ...it.state, freeInodes: 10 } }) }],
  ['a disk that fills', 'disk-low', { data: (it) => ({ ...it, state: { ...it.state, freeKB: 4_000_000 } }) }],
  ['a role that may too much', 'host-role-too-wide', { data: (it) => ({ ...it, may: ['dynamodb list-tables'] }) }],
  [
    'one principal for all',
    'identity-shared',
    {
      of: { radius: 'restore' },
      data: (it) => ({ ...it, ticket: { principal: 'odr-observer@EXAMPLE.ORG', expires: null, renewable: null } }),
    },
  ],
];

describe('the doctor', () => {
  it('finds nothing wrong where nothing is', () => {
    expect(wrongIn({})).toEqual([]);
    expect(visit({}).findings.every(({ severity }) => severity === 'ok')).toBe(true);
  });

  it.each(FAULTS)('finds %s: %s, with its remedy, and nothing else', (_sentence, code, world) => {
    const found = wrongIn(world);
    expect([...new Set(found.map((it) => it.code))]).toEqual([code]);
    for (const finding of found)
      expect(finding).toMatchObject({
        ...CATALOGUE[code],
        where: expect.stringMatching(/./),
        evidence: expect.stringMatching(/./),
      });
  });

  it('takes no ticket for short that lasts for the longest copy to expect, whatever the policy allows', () => {
    const world: World = { of: { radius: 'protect' }, data: ending(90) };
    expect(wrongIn({ ...world, expected: copiesOf(90) })).toEqual([]);
    const evidenceOf = (expected: LongestCopies) => wrongIn({ ...world, expected })[0]?.evidence;
    expect(evidenceOf(copiesOf(120))).toContain('1.5 hours, and a copy of sales/orders is expected to take 2');
    expect(evidenceOf(new Map())).toContain('1.5 hours, and a copy of nightly may take 6');
    // A copy is ended after six hours.
    expect(evidenceOf(copiesOf(600))).toContain('a copy of sales/orders is expected to take 6');
  });

  it('forecasts the copies of a policy only where a ticket might not last for them', () => {
    const asked = (change: (data: DoctorData) => DoctorData) =>
      outlastingTickets(
        policies,
        checksOf(policies).map((check) => answerOf(check, change(healthyData(check)))),
        NOW,
      ).map(({ name }) => name);
    expect(asked((it) => it)).toEqual([]);
    expect(asked(ending(361))).toEqual([]);
    expect(asked(ending(359))).toEqual(['nightly']);
    expect(asked(ending(60, 361))).toEqual([]);
  });

  it('knows a fault for every finding that is an error or a warning', () => {
    const planted = new Set(FAULTS.map(([, code]) => code));
    const wrong = Object.entries(CATALOGUE).filter(
      ([, { severity }]) => severity === 'error' || severity === 'warning',
    );
    expect(wrong.map(([code]) => code).filter((code) => !planted.has(code as FindingCode))).toEqual([]);
  });

  it.each([
    ['is renewable for as long as a copy may take', { radius: 'protect' } as const, ending(90, 24 * 60)],
    ['is one to look with', { radius: 'observe' } as const, ending(90)],
    [
      'comes from a keytab, and is renewed',
      { radius: 'protect' } as const,
      (it: DoctorData) => ending(5)(withKeytab({ owner: 'root', mode: '400' })(it)),
    ],
  ])('finds nothing wrong with a short ticket that %s', (_, of, data) => {
    expect(wrongIn({ of, data })).toEqual([]);
  });

  it('says each fault once, however many documents see it, errors first', () => {
    const answers = checksOf(policies).map((check) => answerOf(check, { ...healthyData(check), missing: ['flock'] }));
    const { findings, errors } = judge(policies, healthyHosts(), answers, NOW, new Map());
    expect(errors).toBe(2);
    expect(findings.slice(0, 2).map(({ code, where }) => [code, where])).toEqual([
      ['tool-missing', SOURCE_HOST],
      ['tool-missing', REPLICA_HOST],
    ]);
  });

  it('notes what is given up: no security, shared hosts, buckets beyond the twentieth', () => {
    const many = Array.from({ length: 21 }, (_, n) => `sales/b-${n}`);
    const shared = policiesOf(policyText(many).replaceAll(SOURCE_HOST, REPLICA_HOST));
    const answers = checksOf(shared).map((check) =>
      answerOf(check, { ...healthyData(check), ticket: null, may: null }),
    );
    const { findings, errors, warnings } = judge(shared, healthyHosts(), answers, NOW, new Map());
    expect([errors, warnings]).toEqual([0, 0]);
    expect([...new Set(findings.filter((it) => it.severity === 'note').map(({ code }) => code))].sort()).toEqual([
      'buckets-not-looked-at',
      'host-role-not-looked-at',
      'hosts-shared',
      'security-off',
    ]);
  });

  it('takes a missing replica bucket for what it is where the first copy makes it', () => {
    const making = policiesOf(policyText(['sales/orders'], 'createReplica: true'));
    const answers = checksOf(making).map((check) => answerOf(check, notRead('bucket-missing')(healthyData(check))));
    expect(judge(making, healthyHosts(), answers, NOW, new Map()).errors).toBe(0);
  });

  it('asks who works on the source alone of the source alone: it has no right on the replica', () => {
    const asked = checksOf(policies)
      .filter(({ replica }) => replica === null)
      .map(({ host: at, radius }) => `${at === SOURCE_HOST ? 'S' : 'R'} ${radius}`);
    expect(asked.sort()).toEqual(['S destroy', 'S protect']);
  });

  it('asks each host for each document that it is ever sent, and deletes where there is something to delete', () => {
    const asked = (text: string) =>
      checksOf(policiesOf(text))
        .map(({ host: at, radius, side }) => `${at === SOURCE_HOST ? 'S' : 'R'} ${radius} ${side}`)
        .sort();
    const always = [
      'R destroy replica',
      'R observe replica',
      'R protect replica',
      'R restore replica',
      'S observe source',
      'S protect source',
      'S restore source',
    ];
    expect(asked(policyText(['sales/orders']))).toEqual(always);
    expect(asked(policyText(['sales/orders'], RETENTION))).toEqual([...always, 'S destroy source'].sort());
  });
});
