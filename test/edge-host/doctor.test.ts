import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parsePolicies } from '../../cdk/config/load-policies.ts';
import { CATALOGUE, type FindingCode } from '../../functions/core/domain/doctor.ts';
import { parseEdgeReply } from '../../functions/core/domain/edge-reply.ts';
import { OperationId } from '../../functions/core/domain/names.ts';
import { resolvePolicies } from '../../functions/core/domain/policy.ts';
import { epochMs } from '../../functions/core/domain/units.ts';
import { checksOf, judge } from '../../functions/core/planner/doctor.ts';
import { policyText, REPLICA_HOST, SOURCE_HOST } from '../fixtures/deployment.ts';
import { createSimulator, type OzoneSimulator } from '../ozone-simulator/simulator.ts';
import { EdgeHost, operationId, type Run, type Variables } from './edge-host.ts';
import { YarnCluster } from './yarn-cluster.ts';

const policies = resolvePolicies(parsePolicies(policyText(['vol/bkt', 'vol/two']), 'test policies'));

interface Scene {
  readonly host: EdgeHost;
  readonly clusters: OzoneSimulator;
  /** The host's configuration with more lines, or others. */
  configure(more: Readonly<Record<string, string>>): void;
}

const healthy = async (): Promise<Scene> => {
  const host = new EdgeHost();
  const clusters = await createSimulator({ directory: mkdtempSync(join(host.directory, 'clusters-')) });
  for (const service of ['prod', 'dr'])
    for (const bucket of ['bkt', 'two']) await clusters.createBucket(`ofs://${service}/vol/${bucket}`);
  const configure: Scene['configure'] = (more) => {
    const settings = {
      path: `${host.file('front')}:${clusters.bin}`,
      java_home: '/usr',
      state: host.state,
      client_attempts: '3',
      client_wait_ms: '200',
      ...more,
    };
    host.configure(
      Object.entries(settings)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    );
  };
  mkdirSync(host.file('front'));
  configure({});
  return { host, clusters, configure };
};

/** A program that stands before the one of that name. */
const instead = ({ host }: Scene, name: string, body: string): void =>
  writeFileSync(host.file('front', name), `#!/bin/bash\n${body}\n`, { mode: 0o755 });

/** The programs of this system, but for some. */
const systemWithout = ({ host }: Scene, ...names: readonly string[]): void => {
  const folder = host.file('system');
  mkdirSync(folder);
  for (const from of ['/usr/sbin', '/usr/bin', '/sbin', '/bin'])
    for (const name of existsSync(from) ? readdirSync(from) : [])
      if (!names.includes(name) && !existsSync(join(folder, name))) symlinkSync(join(from, name), join(folder, name));
  host.systemPath = folder;
};

const visit = (
  { host }: Scene,
  more: Variables = {},
  document = 'observe',
  environment: Variables = {},
): Promise<Run> => host.run('doctor', { buckets: 'vol/bkt,vol/two', ...more }, document, environment);

/** What the planner makes of the answer of this one host. */
const findingsOf = ({ reply, stdout }: Run) => {
  const parsed = parseEdgeReply(stdout, OperationId.parse(operationId()));
  const [check] = checksOf(policies).filter(({ host, radius }) => host === REPLICA_HOST && radius === 'observe');
  if (!check) throw new Error('there is a check of the replica host');
  const answer =
    'reply' in parsed && parsed.reply.verb === 'doctor' && parsed.reply.data
      ? {
          kind: 'facts' as const,
          data: parsed.reply.data,
          startedAt: epochMs(reply.startedAt),
          endedAt: epochMs(reply.endedAt),
        }
      : 'refusal' in parsed || reply.outcome === 'refused'
        ? { kind: 'refused' as const, code: reply.code, message: reply.message }
        : { kind: 'none' as const, error: 'EdgeReplyInvalid', detail: 'problem' in parsed ? parsed.problem : '' };
  const seen = [SOURCE_HOST, REPLICA_HOST].map((id) => ({
    host: check.host === id ? check.host : (checksOf(policies).find((it) => it.host === id)?.host ?? check.host),
    ping: 'Online',
    agentVersion: '3.3.3050.0',
  }));
  const now = epochMs(Date.now());
  const answers = [{ check, from: epochMs(now - 60_000), until: now, answer, isOutputStored: true }];
  return judge(policies, seen, answers, now, new Map()).findings.filter(
    ({ severity }) => severity === 'error' || severity === 'warning',
  );
};

const version = (program: string, text: string): string =>
  `[ "$1" = version ] && { echo '${text}'; exit 0; }\nexport PATH=\${PATH#*/front:}; exec ${program} "$@"`;

const ticketUntil = (when: string): string =>
  `until=$(/usr/bin/date -d '${when}' '+%m/%d/%Y %H:%M:%S')
echo 'Ticket cache: FILE:/tmp/krb5cc_0'; echo 'Default principal: observer@EXAMPLE.ORG'; echo
echo 'Valid starting       Expires              Service principal'
echo "01/01/2020 00:00:00  $until  krbtgt/EXAMPLE.ORG@EXAMPLE.ORG"`;

/** A fault of a host, and the one finding that it is to have. */
const FAULTS: readonly (readonly [title: string, code: FindingCode, plant: (scene: Scene) => void | Promise<void>])[] =
  [
    [
      'PATH has no hadoop',
      'tool-missing',
      (scene) => {
        symlinkSync(join(scene.clusters.bin, 'ozone'), scene.host.file('front', 'ozone'));
        scene.configure({ path: scene.host.file('front') });
      },
    ],
    ['there is no flock', 'tool-missing', (scene) => systemWithout(scene, 'flock')],
    ['there is no curl', 'tool-missing', (scene) => systemWithout(scene, 'curl')],
    [
      'there is no UTF-8 locale',
      'locale-missing',
      (scene) => {
        instead(scene, 'locale', 'echo C; echo POSIX');
        systemWithout(scene, 'locale');
        symlinkSync(scene.host.file('front', 'locale'), scene.host.file('system', 'locale'));
      },
    ],
    [
      'Hadoop is of before the switch',
      'hadoop-old',
      (scene) => instead(scene, 'hadoop', version('hadoop', 'Hadoop 3.3.6')),
    ],
    [
      'Hadoop does not start',
      'hadoop-does-not-run',
      (scene) => instead(scene, 'hadoop', 'echo "JAVA_HOME is not set" >&2; exit 1'),
    ],
    [
      'Hadoop does not know ofs',
      'ofs-missing',
      (scene) =>
        instead(
          scene,
          'hadoop',
          `[ "$1" = version ] && { echo 'Hadoop 3.4.3'; exit 0; }\necho '-stat: No FileSystem for scheme "ofs"' >&2; exit 255`,
        ),
    ],
    [
      'the Ozone client is of before snapshots',
      'ozone-old',
      (scene) => instead(scene, 'ozone', version('ozone', '     //////// 1.3.0(Grand Canyon)')),
    ],
    [
      'the state folder is open to others',
      'state-open',
      ({ host }) => {
        mkdirSync(host.state, { recursive: true });
        chmodSync(host.state, 0o777);
      },
    ],
    ['the state folder is a file', 'state-not-writable', ({ host }) => writeFileSync(host.state, '')],
    [
      'the state folder is of somebody else',
      'state-other-owner',
      (scene) =>
        instead(
          scene,
          'stat',
          `/usr/bin/stat "$@" | if [[ $* == *host.conf ]]; then cat; else sed 's/^[a-z_-]* /backup /'; fi`,
        ),
    ],
    [
      'the disk is full',
      'disk-full',
      (scene) => instead(scene, 'df', 'echo head; echo "disk 100000 99000 1000 99% /var"'),
    ],
    [
      'the disk has no inodes left',
      'disk-full',
      (scene) =>
        instead(
          scene,
          'df',
          'echo head; [ "$1" = -Pi ] && echo "disk 100000 99999 1 99% /var" || echo "disk 90000000 0 90000000 0% /var"',
        ),
    ],
    ['others may write the configuration', 'config-open', ({ host }) => chmodSync(host.config, 0o666)],
    ['the configuration has a key that nobody knows', 'host-not-set-up', ({ host }) => host.configure('unknown=1\n')],
    ['there is no configuration', 'host-not-set-up', ({ host }) => rmSync(host.config)],
    [
      'the clock is ten minutes ahead',
      'clock-off',
      (scene) =>
        instead(
          scene,
          'date',
          `case $1 in +%s%3N) echo $(($(/usr/bin/date +%s%3N) + 600000)) ;; *) /usr/bin/date "$@" ;; esac`,
        ),
    ],
    [
      'the clock is two minutes ahead',
      'clock-drifts',
      (scene) =>
        instead(
          scene,
          'date',
          `case $1 in +%s%3N) echo $(($(/usr/bin/date +%s%3N) + 120000)) ;; *) /usr/bin/date "$@" ;; esac`,
        ),
    ],
    [
      'the role of the host may list tables',
      'host-role-too-wide',
      (scene) => {
        instead(scene, 'aws', '[ "$4" = dynamodb ]');
        scene.configure({ aws: scene.host.file('front', 'aws') });
      },
    ],
    ['the ticket is over', 'ticket-expired', (scene) => instead(scene, 'klist', ticketUntil('2020-01-01'))],
    ['the ticket ends soon', 'ticket-ending', (scene) => instead(scene, 'klist', ticketUntil('+30 minutes'))],
    [
      'one cluster is away',
      'cluster-unreachable',
      ({ clusters }) => clusters.inProcess.setFaults([{ id: 'away', effect: { kind: 'unreachable', service: 'dr' } }]),
    ],
    [
      'a bucket was never made',
      'bucket-missing',
      async ({ clusters }) => {
        await clusters.ozone('sh', 'bucket', 'delete', 'o3://dr/vol/two');
      },
    ],
    [
      'the layouts differ',
      'layouts-differ',
      async ({ clusters }) => {
        await clusters.ozone('sh', 'bucket', 'delete', 'o3://dr/vol/two');
        await clusters.ozone('sh', 'bucket', 'create', '-l', 'LEGACY', 'o3://dr/vol/two');
      },
    ],
    [
      'the cluster makes its clients wait',
      'diff-wait-long',
      async ({ clusters }) => {
        clusters.inProcess.setSettings({ prod: { diffWaitMs: 60_000 } });
        for (const name of ['s-1', 's-2']) await clusters.ozone('sh', 'snapshot', 'create', 'o3://prod/vol/two', name);
      },
    ],
  ];

describe.concurrent('the doctor of a host', () => {
  it('finds nothing wrong with a healthy one, in six JVMs', async () => {
    const scene = await healthy();
    const run = await visit(scene);
    expect(run.reply).toMatchObject({ outcome: 'ok', jvmStarts: 6 });
    expect(findingsOf(run)).toEqual([]);
  });

  it.each(FAULTS)('%s: %s, and nothing else', async (_, code, plant) => {
    const scene = await healthy();
    await plant(scene);
    const found = findingsOf(await visit(scene, {}, 'observe', { AWS_SSM_REGION_NAME: 'eu-central-1' }));
    expect(found.map((it) => it.code)).toEqual([code]);
    expect(found[0]?.remedy).toBe(CATALOGUE[code].remedy);
    expect(found[0]?.evidence).not.toBe('');
  });

  it('asks a host for each document in two JVMs where the document only adds who it is', async () => {
    const scene = await healthy();
    for (const document of ['protect', 'destroy', 'restore'])
      expect((await visit(scene, {}, document)).reply).toMatchObject({
        outcome: 'ok',
        jvmStarts: 2,
        data: { document },
      });
  });

  it('leaves nothing behind, keeps no record, and answers anew', async () => {
    const scene = await healthy();
    const [first, second] = [await visit(scene), await visit(scene)];
    expect(second.reply.startedAt).toBeGreaterThan(first.reply.startedAt);
    expect(readdirSync(join(scene.host.state, 'operations'))).toEqual([]);
  });

  it('works with the ticket of the document', async () => {
    const scene = await healthy();
    instead(
      scene,
      'klist',
      '[ "$KRB5CCNAME" = FILE:/run/ozone-dr/destroy ] || exit 1; echo "Default principal: destroyer@EXAMPLE.ORG"',
    );
    scene.configure({ ticket_destroy: '/run/ozone-dr/destroy', ticket_observe: '/run/ozone-dr/observe' });
    expect((await visit(scene, {}, 'destroy')).reply.data.ticket).toEqual({
      principal: 'destroyer@EXAMPLE.ORG',
      expires: null,
      renewable: null,
    });
    const without = (await visit(scene, {}, 'observe')).reply.data;
    expect([without.ticket, without.login.keytab]).toEqual([null, null]);
    expect(without.login.problem).toContain('klist -c /run/ozone-dr/observe');
  });

  /** A keytab, and a kinit that says this. */
  const keytabOf = async (mode: number, kinit = ':'): Promise<Scene> => {
    const scene = await healthy();
    const keytab = scene.host.file('observe.keytab');
    writeFileSync(keytab, '');
    chmodSync(keytab, mode);
    // Where to is the word after -c, with FILE: before it.
    instead(scene, 'kinit', `${kinit}; while [ "$1" != -c ]; do shift; done; echo >"\${2#FILE:}"`);
    instead(scene, 'klist', `[ -e "\${KRB5CCNAME#FILE:}" ] || exit 1\n${ticketUntil('+5 minutes')}`);
    scene.configure({ principal_observe: 'observer@EXAMPLE.ORG', keytab_observe: keytab });
    return scene;
  };
  const codes = async (scene: Scene) => findingsOf(await visit(scene)).map(({ code }) => code);

  it('takes a ticket from the keytab of the document, and does not mind how short it is', async () => {
    const scene = await keytabOf(0o400);
    const run = await visit(scene);
    expect(run.reply.data.ticket.principal).toBe('observer@EXAMPLE.ORG');
    expect(run.reply.data.login).toMatchObject({ keytab: { file: { mode: '400' } }, problem: '' });
    expect(findingsOf(run)).toEqual([]);
    expect(readdirSync(join(scene.host.state, 'operations'))).toEqual([]);
  });

  it.each([
    ['keytab-open', 0o440, undefined],
    ['ticket-missing', 0o400, 'echo "kinit: Keytab contains no suitable keys" >&2; exit 1'],
    ['ticket-missing', 0o400, `echo "kinit: Cannot contact any KDC for realm 'EXAMPLE.ORG'" >&2; exit 1`],
  ] as const)('says %s of a keytab of mode %i where kinit does %s', async (code, mode, kinit) => {
    expect(await codes(await keytabOf(mode, kinit))).toEqual([code]);
  });

  it('says that a keytab is not there, and nothing else', async () => {
    const scene = await keytabOf(0o400, 'echo "kinit: Key table file not found" >&2; exit 1');
    rmSync(scene.host.file('observe.keytab'));
    expect(await codes(scene)).toEqual(['keytab-missing']);
  });

  it('says that the identity of the document owns the volume', async () => {
    const scene = await keytabOf(0o400);
    const { data } = (await visit(scene)).reply;
    scene.configure({
      principal_observe: `${data.source.volumeOwner}@EXAMPLE.ORG`,
      keytab_observe: scene.host.file('observe.keytab'),
    });
    instead(scene, 'klist', ticketUntil('+5 minutes').replace('observer@', `${data.source.volumeOwner}@`));
    expect(await codes(scene)).toContain('volume-owner');
  });

  it('asks nothing of AWS without a CLI that the configuration names', async () => {
    const scene = await healthy();
    instead(scene, 'aws', `touch '${scene.host.file('asked')}'`);
    const run = await visit(scene, {}, 'observe', { AWS_SSM_REGION_NAME: 'eu-central-1' });
    expect(run.reply.data.may).toBeNull();
    expect(existsSync(scene.host.file('asked'))).toBe(false);
  });
});

describe('of YARN the document that copies', () => {
  const asked = async (yarn: Partial<YarnCluster>, document = 'protect') => {
    const scene = await healthy();
    const cluster = Object.assign(await new YarnCluster().start(), yarn);
    scene.configure({ yarn_rm: cluster.rm, yarn_history: cluster.history });
    return (await visit(scene, { buckets: 'vol/bkt' }, document)).reply.data.yarn;
  };

  it('says its queues, its largest container, and whether its history answers', async () => {
    expect(await asked({})).toEqual({
      manager: {
        state: 'answered',
        queues: ['backup', 'default', 'root', 'root.backup', 'root.default'],
        largestMB: 8192,
      },
      history: { state: 'answered' },
      asks: { map: null, master: null },
    });
  });

  it('says what the Hadoop of its host asks for a container', async () => {
    const scene = await healthy();
    const cluster = await new YarnCluster().start();
    scene.configure({ yarn_rm: cluster.rm });
    instead(
      scene,
      'hadoop',
      `[[ $* != envvars ]] || exec echo "HADOOP_CONF_DIR='${scene.host.directory}'"\nexec '${scene.clusters.bin}/hadoop' "$@"`,
    );
    const property = (name: string, value: string) =>
      `  <property>\n    <name>${name}</name>\n    <value>${value}</value>\n  </property>\n`;
    writeFileSync(
      scene.host.file('mapred-site.xml'),
      [
        '<?xml version="1.0"?>\n<configuration>\n',
        property('mapreduce.map.memory.mb.more', '1'),
        `<!--\n${property('yarn.app.mapreduce.am.resource.mb', '2048')}-->\n`,
        property('mapreduce.map.memory.mb', ' 3072\n'),
        property('mapreduce.map.java.opts', '-Xmx2g'),
        '</configuration>\n',
      ].join(''),
    );
    const { yarn } = (await visit(scene, { buckets: 'vol/bkt' }, 'protect')).reply.data;
    expect(yarn).toMatchObject({ history: null, asks: { map: 3072, master: null } });
  });

  it('says that a resource manager is away, and how it was asked', async () => {
    const { manager } = await asked({ manager: 'is away' });
    expect(manager).toEqual({ state: 'not-answered', message: expect.stringContaining('/ws/v1/cluster/scheduler') });
  });

  it('says nothing where the host names none, and no other document asks', async () => {
    expect((await visit(await healthy(), { buckets: 'vol/bkt' }, 'protect')).reply.data.yarn).toBe(null);
    expect(await asked({}, 'destroy')).toBe(null);
  });
});
