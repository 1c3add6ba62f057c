import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { dynamoLedger } from '../../functions/adapters/dynamodb/ledger.ts';
import { dynamoRecords } from '../../functions/adapters/dynamodb/records.ts';
import { PairId } from '../../functions/core/domain/names.ts';
import { REPLICA_HOST, SOURCE_HOST } from '../fixtures/deployment.ts';
import { deployInMemory, type InMemory } from '../fixtures/in-memory.ts';

const SHOP = ['shop/orders', 'shop/payments', 'shop/stock'];
/** Is not there at first. */
const LATER = 'shop/returns';
const policy = (name: string, buckets: readonly string[], fleet: string): string => `  ${name}:
    source: prod
    replica: dr
    buckets: [${buckets.join(', ')}]
    fleet: ${fleet}
    schedules: []
    objectives: { rpo: 26h, rto: 4h }
`;
const policies = `clusters:
  prod: { service: prod, hosts: [${SOURCE_HOST}] }
  dr: { service: dr, hosts: [${REPLICA_HOST}] }
policies:
${policy('shop', [...SHOP, LATER], '{ together: true, tolerated: 2 }')}${policy('sales', ['"sales/*"'], '{ tolerated: 0 }')}`;

const Summary = z.object({
  group: z.object({ id: z.string(), spreadMs: z.number() }),
  announcements: z.array(z.string()),
});

describe('slots of a fleet, in virtual time', () => {
  let world: InMemory;

  const make = (bucket: string) => {
    for (const service of ['prod', 'dr']) world.ozone.createBucket(`ofs://${service}/${bucket}`);
    world.ozone.change(`ofs://prod/${bucket}`, [{ op: 'put', path: 'a', size: 10, seed: 1 }]);
  };
  const slot = async (name: string, hour: number) => {
    const { cloud } = world;
    const before = cloud.commands().length;
    const at = `2026-11-10T${String(hour).padStart(2, '0')}:00:00Z`;
    const arn = cloud.startExecution('ozone-dr-backup-fleet', { policy: name, slot: at });
    const { status, error, cause, output } = await cloud.executionEnded(arn);
    return { ended: { status, error, cause, output }, commands: cloud.commands().slice(before) };
  };
  const pairOf = (bucket: string) => PairId.parse(`prod/${bucket}#dr`);
  const pointsOf = (bucket: string) => dynamoLedger(world.cloud.table()).livingPoints(pairOf(bucket));
  const newest = async (bucket: string) => (await pointsOf(bucket))[0];

  beforeAll(async () => {
    world = await deployInMemory({
      policies,
      from: new Date('2026-11-10T12:00:00Z'),
      hosts: [SOURCE_HOST, REPLICA_HOST],
    });
    for (const bucket of [...SHOP, 'sales/orders', 'sales/prices']) make(bucket);
  });
  afterAll(() => world?.close());

  it('of a group fail when one bucket could not be snapshotted with the others; these have their points all the same', async () => {
    const { ended } = await slot('shop', 2);
    expect(ended).toMatchObject({ status: 'FAILED', error: 'GroupBroken' });
    expect(ended.cause).toContain(`1 of 4 buckets were not snapshotted together with the others (${LATER})`);
    const points = await Promise.all(SHOP.map(newest));
    expect(points.map((it) => it?.state)).toEqual(SHOP.map(() => 'verified'));
  });

  it('of a group have one point of one instant of each, before anything is copied, and say how far apart they are', async () => {
    make(LATER);
    const all = [...SHOP, LATER];
    const { ended, commands } = await slot('shop', 3);
    expect(ended).toMatchObject({ status: 'SUCCEEDED', output: { buckets: 4, group: { buckets: 4, missing: [] } } });
    const { group, announcements } = Summary.parse(ended.output);
    const points = await Promise.all(all.map(newest));
    expect(points.map((it) => [it?.state, it?.group])).toEqual(all.map(() => ['verified', group.id]));
    const times = points.map((it) => Number(it?.source.created));
    expect(group.spreadMs).toBe(Math.max(...times) - Math.min(...times));
    expect(announcements).toContain(`shop: 4 buckets at one instant, within ${group.spreadMs} ms (${group.id})`);
    const verbs = commands.map(({ parameters }) => parameters.verb?.[0]);
    expect(verbs.filter((it) => it === 'snapshot')).toHaveLength(1);
    expect(verbs.indexOf('snapshot')).toBeLessThan(verbs.indexOf('replicate'));
  });

  it('go on with the others when a bucket vanished, and raise an alarm', async () => {
    expect((await slot('sales', 4)).ended).toMatchObject({ status: 'SUCCEEDED', output: { buckets: 2 } });
    const gone = 'sales/prices';
    world.ozone.setSettings({ '*': { purgeAfterMs: 0 } });
    for (const { name } of world.ozone.snapshots(`ofs://prod/${gone}`))
      world.ozone.run('ozone', ['sh', 'snapshot', 'delete', `o3://prod/${gone}`, name]);
    world.ozone.run('ozone', ['sh', 'bucket', 'delete', '-r', '--yes', `o3://prod/${gone}`]);
    expect(world.ozone.buckets('prod', 'sales')).toEqual(['orders']);

    expect((await slot('sales', 5)).ended).toMatchObject({
      status: 'SUCCEEDED',
      output: { buckets: 1, failed: [], announcements: [`sales: 1 vanished from prod: ${gone}`] },
    });
    await world.cloud.advanceBy(20 * 60);
    expect(world.cloud.alarm('ozone-dr-bucket-vanished').state).toBe('ALARM');
  });

  it('refuse another bucket of the name of one that vanished, which keeps its points', async () => {
    const points = await pointsOf('sales/prices');
    world.ozone.createBucket('ofs://prod/sales/prices');
    const { ended } = await slot('sales', 6);
    expect(ended).toMatchObject({ status: 'FAILED', error: 'BucketsFailed' });
    expect(ended.cause).toContain('1 of 2 buckets failed: sales/prices (SourceReplaced, ');
    expect(await pointsOf('sales/prices')).toEqual(points);
    const entries = await dynamoRecords(world.cloud.table()).read(pairOf('sales/prices'));
    expect(entries.flatMap(({ happening: it }) => (it.kind === 'enrolment' ? [it.change] : []))).toEqual([
      'enrolled',
      'vanished',
      'enrolled',
    ]);
  });
});
