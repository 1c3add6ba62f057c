import { describe, expect, it } from 'vitest';
import { parsePolicies } from '../../../cdk/config/load-policies.ts';
import { BucketRef } from '../../../functions/core/domain/names.ts';
import { resolvePolicies } from '../../../functions/core/domain/policy.ts';
import { grantsOf, type Identities } from '../../../functions/core/planner/grants.ts';

const who: Identities = { observe: 'obs', source: 'src', replica: 'rep', restore: 'res' };

const entry = (buckets: readonly string[], more: string): string =>
  `source: prod, ${more} buckets: ${JSON.stringify(buckets)}, schedules: [{ cron: 0 2 * * ? *, zone: UTC }], mode: incremental-or-resync, verification: listing, objectives: { rpo: 26h, rto: 4h }, limits: { maps: 1, copyTimeout: 1h }`;

const policiesOf = (entries: Readonly<Record<string, string>>) =>
  resolvePolicies(
    parsePolicies(
      `clusters:
  prod: { service: prod, hosts: [mi-0a1b2c3d4e5f60001] }
  dr: { service: dr, hosts: [mi-0a1b2c3d4e5f60002] }
  far: { service: far, hosts: [mi-0a1b2c3d4e5f60003] }
policies:
${Object.entries(entries)
  .map(([name, text]) => `  ${name}: { ${text} }\n`)
  .join('')}`,
      'test policies',
    ),
  );

const nightly = (buckets: readonly string[], more = ''): ReturnType<typeof policiesOf> =>
  policiesOf({ nightly: entry(buckets, `replica: dr, ${more}`) });

const bucket = (text: string): BucketRef => BucketRef.parse(text);

describe('grants of a pair', () => {
  const { clusters, unnamed, disputed } = grantsOf(nightly(['vol/bkt']), [], who);
  const [prod, dr] = clusters;

  it('let in who reads, and make one identity of each side the owner, last', () => {
    expect(prod?.commands).toEqual([
      "ozone sh volume addacl -a 'user:obs:r,user:rep:r,user:res:rw,user:src:r' o3://prod/vol",
      "ozone sh bucket addacl -a 'user:obs:rl,user:obs:rl[DEFAULT],user:rep:rl,user:rep:rl[DEFAULT],user:res:rl,user:res:rl[DEFAULT]' o3://prod/vol/bkt",
      'ozone sh bucket update --user src o3://prod/vol/bkt',
    ]);
    expect(dr?.commands).toEqual([
      "ozone sh volume addacl -a 'user:obs:r,user:res:r,user:rep:r' o3://dr/vol",
      "ozone sh bucket addacl -a 'user:obs:rl,user:obs:rl[DEFAULT],user:res:rl,user:res:rl[DEFAULT]' o3://dr/vol/bkt",
      'ozone sh bucket update --user rep o3://dr/vol/bkt',
    ]);
    expect([unnamed, disputed]).toEqual([[], []]);
  });

  it('give the identity of the source nothing on the replica', () => {
    expect(dr?.commands.join('\n')).not.toMatch(/\bsrc\b/);
    expect(dr?.probes.filter(({ as }) => as === 'src')).toEqual([
      expect.objectContaining({ expect: 'PERMISSION_DENIED', command: expect.stringContaining('snapshot delete') }),
    ]);
  });

  it('never give all, write, delete, or a right over rights', () => {
    const rights = clusters.flatMap(({ commands }) =>
      commands.flatMap((command) => [...command.matchAll(/user:\w+:([a-z]+)/g)].map(([, it]) => it)),
    );
    expect(rights.length).toBeGreaterThan(10);
    expect([...new Set(rights)].sort()).toEqual(['r', 'rl', 'rw']);
  });

  it('are probed without changing anything: only of a snapshot that there never is, and of the bucket', () => {
    for (const { command } of clusters.flatMap(({ probes }) => probes))
      expect(command).toMatch(/^ozone sh (snapshot delete \S+ odr-probe-nobody|bucket info \S+)$/);
    expect(prod?.probes.map(({ as, expect: word }) => `${as} ${word}`)).toEqual([
      'src FILE_NOT_FOUND',
      'obs PERMISSION_DENIED',
      'rep PERMISSION_DENIED',
      'res PERMISSION_DENIED',
      'obs exit 0',
      'rep exit 0',
      'res exit 0',
    ]);
  });
});

describe('grants', () => {
  const commandsOf = (policies: ReturnType<typeof policiesOf>, names: readonly string[] = [], more = who) =>
    grantsOf(policies, names.map(bucket), more).clusters.flatMap(({ commands }) => commands);

  it('of a bucket that two policies have are told once', () => {
    const once = commandsOf(nightly(['vol/bkt']));
    const both = policiesOf({
      nightly: entry(['vol/bkt'], 'replica: dr,'),
      hourly: entry(['vol/bkt'], 'replica: dr,'),
    });
    expect(commandsOf(both)).toEqual(once);
  });

  it('of snapshots alone need no replica, and let its identity in nowhere', () => {
    const commands = commandsOf(policiesOf({ local: entry(['vol/bkt'], '') }));
    expect(commands).toHaveLength(3);
    expect(commands.join('\n')).not.toMatch(/\brep\b/);
  });

  it('let the replica make its buckets where the policy lets it', () => {
    expect(commandsOf(nightly(['vol/bkt'], 'createReplica: true,'))).toContain(
      "ozone sh volume addacl -a 'user:obs:r,user:res:r,user:rep:rw' o3://dr/vol",
    );
  });

  it('of one name for restores and the source do not let the owner in once more', () => {
    const commands = commandsOf(nightly(['vol/bkt']), [], { ...who, restore: 'src' });
    expect(commands[0]).toBe("ozone sh volume addacl -a 'user:obs:r,user:rep:r,user:src:rw' o3://prod/vol");
    expect(commands[1]).not.toMatch(/user:src/);
  });

  it('of globs are those of the buckets that match, and let who observes list the volume', () => {
    const found = grantsOf(nightly(['vol/b*', 'two/*']), [bucket('vol/bkt'), bucket('vol/other')], who);
    expect(found.clusters[0]?.commands).toEqual([
      expect.stringContaining("'user:obs:rl,user:rep:r,"),
      expect.stringContaining('o3://prod/vol/bkt'),
      'ozone sh bucket update --user src o3://prod/vol/bkt',
    ]);
    expect(found.unnamed).toEqual(['nightly: two/*']);
  });

  it('say when a bucket would need two owners', () => {
    const chain = policiesOf({
      first: entry(['vol/bkt'], 'replica: dr,'),
      second: entry(['vol/bkt'], 'replica: far,').replace('source: prod', 'source: dr'),
    });
    expect(grantsOf(chain, [], who).disputed).toEqual(['dr vol/bkt: rep and src']);
    expect(grantsOf(chain, [], { ...who, replica: 'src' }).disputed).toEqual([]);
  });
});
