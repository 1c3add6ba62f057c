// One simulated night, counted: the deployed product with hosts and clusters in this process, in virtual time.
import { paginateScan } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { BUCKET, openWorld } from '../alarms/world.ts';
import type { LocalCloud } from '../local-cloud/index.ts';
import { type Night, total, type Usage, without } from './model.ts';

/** What the functions are deployed with; the milliseconds are those of this machine. */
const MEMORY_GB = 0.5;
const FUNCTIONS = { sweep: 'ozone-dr-sweep-operations', assess: 'ozone-dr-assess-objectives' } as const;
/** Of an operation: created, sent, ended, told. Each changes the index of what is open, too. */
const INDEX_WRITES = 4;
const READS = ['GetItem', 'Query', 'Scan', 'BatchGetItem', 'TransactGetItems'];
const WRITES = ['PutItem', 'UpdateItem', 'DeleteItem', 'BatchWriteItem', 'TransactWriteItems'];

type Counts = Readonly<Record<string, number>>;

/** What is kept, in bytes. */
type Stored = Readonly<Record<'table' | 'records' | 'output', number>>;
const NOTHING: Stored = { table: 0, records: 0, output: 0 };
/** What DynamoDB adds to each item for its index of them. */
const PER_ITEM = 100;

const bytesOf = (cloud: LocalCloud, bucket: string): number => {
  const { ref } = cloud.resource('AWS::S3::Bucket', bucket);
  return cloud.s3.keys(ref).reduce((sum, key) => sum + (cloud.s3.get(ref, key)?.length ?? 0), 0);
};

/** Items as JSON, which is a little longer than what DynamoDB counts. */
const storedIn = async (cloud: LocalCloud): Promise<Stored> => {
  const { client, name: TableName } = cloud.table();
  let table = 0;
  for await (const { Items = [] } of paginateScan({ client }, { TableName }))
    for (const item of Items) table += PER_ITEM + Buffer.byteLength(JSON.stringify(item));
  return { table, records: bytesOf(cloud, 'Records'), output: bytesOf(cloud, 'CommandOutput') };
};

/**
 * The difference of two snapshots of the counters, in the words of the model.
 * @param left what it left behind
 */
export const usageOf = (before: Counts, after: Counts, logBytes: number, left: Stored = NOTHING): Usage => {
  const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
  const units = (operations: readonly string[]): number =>
    operations.reduce((sum, it) => sum + grown(`dynamodb.capacityUnits.${it}`), 0);
  const remoteCommand = grown('ssm.commands');
  return {
    transition: grown('states.transitions'),
    invocation: grown('lambda.invocations'),
    gigabyteSecond: (grown('lambda.milliseconds') / 1000) * MEMORY_GB,
    readUnit: units(READS),
    writeUnit: units(WRITES) + INDEX_WRITES * remoteCommand,
    remoteCommand,
    // Of the host, its output.
    s3Write: grown('s3.PUT') + remoteCommand,
    s3Read: grown('s3.GET'),
    schedule: grown('scheduler.invocations'),
    event: grown('AWSEvents.PutEvents'),
    logGigabyte: logBytes / 1e9,
    tableGigabyte: left.table / 1e9,
    recordGigabyte: left.records / 1e9,
    outputGigabyte: left.output / 1e9,
  };
};

export const simulateNight = async (say: (line: string) => void): Promise<Night> => {
  // After the schedules of the day; what runs all the time is called by hand, and counted by itself.
  const world = await openWorld(new Date('2026-11-20T07:00:00Z'));
  try {
    const { cloud, ozone } = world;
    for (const schedule of ['sweep', 'assess', 'doctor'])
      cloud.faults.add({ on: 'schedule', schedule: `*${schedule}*`, fault: 'lost' });
    const counted = async (what: string, work: () => Promise<unknown>): Promise<Usage> => {
      say(`a simulated night: ${what}`);
      const stored = await storedIn(cloud);
      const [before, logs] = [cloud.counters(), cloud.functionLogs.length];
      await work();
      const bytes = cloud.functionLogs.slice(logs).reduce((sum, { line }) => sum + Buffer.byteLength(line), 0);
      const after = cloud.counters();
      const now = await storedIn(cloud);
      return usageOf(before, after, bytes, {
        table: now.table - stored.table,
        records: now.records - stored.records,
        output: now.output - stored.output,
      });
    };
    let seed = 0;
    const change = (): void =>
      ozone.change(`ofs://prod/${BUCKET}`, [{ op: 'put', path: 'a/one', size: 100, seed: ++seed }]);
    const backUp = async (): Promise<void> => {
      await cloud.advanceBy(60);
      const { status, cause } = await world.backUp();
      if (status !== 'SUCCEEDED') throw new Error(cause);
    };
    const fire = async (work: '' | 'prune-' | 'drill-'): Promise<void> => {
      const name = cloud.schedules().find((it) => new RegExp(`^nightly-${work}[0-9a-f]{8}$`).test(it.name))?.name ?? '';
      const before = cloud.executions('ozone-dr-backup-fleet').length;
      await cloud.fireSchedule(name, new Date(Math.floor(cloud.clock.now() / 1000) * 1000));
      const started = cloud.executions('ozone-dr-backup-fleet')[before];
      if (!started) throw new Error(`the schedule ${name} started nothing`);
      const { status, cause } = await cloud.executionEnded(started.arn);
      if (status !== 'SUCCEEDED') throw new Error(cause);
    };
    // More points than the policy keeps, so that a prune has one to condemn and one to delete.
    for (let n = 0; n < 9; n++) {
      change();
      await backUp();
    }
    change();
    const changed = await counted('a backup with changes', backUp);
    const unchanged = await counted('a backup without', backUp);
    change();
    await cloud.advanceBy(60);
    const scheduled = await counted('a slot with one bucket', () => fire(''));
    const slot = without(scheduled, changed);
    await cloud.advanceBy(2 * 3600);
    await fire('prune-');
    await cloud.advanceBy(2 * 3600);
    const prune = without(await counted('a prune', () => fire('prune-')), slot);
    const drill = without(await counted('a drill', () => fire('drill-')), slot);
    const calls = async (name: string): Promise<Usage> => {
      const four = await counted(`four calls of ${name}`, async () => {
        for (let n = 0; n < 4; n++) await cloud.invoke(name, {});
      });
      return { ...total([[0.25, four]]), schedule: 1 };
    };
    return {
      ...{ changed, unchanged, prune, drill, slot },
      sweep: await calls(FUNCTIONS.sweep),
      assessment: await calls(FUNCTIONS.assess),
      standing: {
        alarm: cloud.resources('AWS::CloudWatch::Alarm').length,
        compositeAlarm: cloud.resources('AWS::CloudWatch::CompositeAlarm').length,
        customMetric: metricsIn(cloud.functionLogs.map(({ line }) => line)),
        dashboard: cloud.resources('AWS::CloudWatch::Dashboard').length,
      },
    };
  } finally {
    await world.close();
  }
};

const Line = z.looseObject({
  _aws: z.object({
    CloudWatchMetrics: z.array(
      z.object({ Dimensions: z.array(z.array(z.string())), Metrics: z.array(z.object({ Name: z.string() })) }),
    ),
  }),
});

/** Different metrics, by name and dimensions, in lines of the embedded metric format. */
export const metricsIn = (lines: readonly string[]): number => {
  const names = lines
    .filter((line) => line.includes('"_aws"'))
    .flatMap((line) => {
      const parsed: unknown = JSON.parse(line.slice(line.indexOf('{')));
      const { _aws, ...rest } = Line.parse(parsed);
      return _aws.CloudWatchMetrics.flatMap(({ Dimensions, Metrics }) =>
        Metrics.flatMap(({ Name }) =>
          Dimensions.map((set) => [Name, ...set.map((it) => `${it}=${rest[it]}`)].join(' ')),
        ),
      );
    });
  return new Set(names).size;
};
