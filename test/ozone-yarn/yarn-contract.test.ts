import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import type { OzoneClusters } from '../ozone-cluster/ozone-clusters.ts';
import { sharedYarn } from '../ozone-cluster/shared-yarn.ts';
import { type Application, put, type Yarn } from '../ozone-cluster/yarn.ts';

const LIFE = 'yarn/life';
const KILL = 'yarn/kill';
const QUICK = 'yarn/quick';
const BUCKETS = [LIFE, KILL, QUICK];
const ENDED = ['FINISHED', 'KILLED', 'FAILED'];

describe('what the product relies on of a real YARN', () => {
  let clusters: OzoneClusters;
  let yarn: Yarn;

  beforeAll(async () => {
    ({ clusters, yarn } = await sharedYarn());
    await clusters.createBuckets(BUCKETS);
    const files = (bucket: string, names: readonly string[], size: number) =>
      names.map((name, seed) => ({ op: 'put', path: `${bucket}/${name}`, size, seed }) as const);
    const large = [LIFE, KILL].flatMap((bucket) => files(bucket, [...'abcdefghijklmnopqrst'], 1_000_000));
    await clusters.change('ofs://prod', [...large, ...files(QUICK, ['Größe', 'a b', 'deep/er'], 1000)]);
    await clusters.ozone(
      'sh',
      ...BUCKETS.flatMap((bucket) => ['--execute', `snapshot create o3://prod/${bucket} point`]),
    );
  });

  interface Submission {
    readonly tag: string;
    readonly bucket: string;
    readonly queue?: string;
    /** What comes after the settings. */
    readonly flags?: readonly string[];
  }
  const distcp = ({ tag, bucket, queue = 'default', flags = [] }: Submission) =>
    new Promise<{ readonly exit: number; readonly told: string }>((resolve) => {
      const settings = [
        'mapreduce.framework.name=yarn',
        `mapreduce.job.tags=${tag},odr-${bucket.replace('/', '-')}`,
        `mapreduce.job.name=ozone-dr:${tag}`,
        `mapreduce.job.queuename=${queue}`,
      ];
      const paths = [`ofs://prod/${bucket}/.snapshot/point`, `ofs://dr/${bucket}`];
      const copy = ['-update', '-delete', '-direct', '-m', '1', ...flags, ...paths];
      execFile(
        join(clusters.bin, 'hadoop'),
        ['distcp', ...settings.map((it) => `-D${it}`), ...copy],
        { maxBuffer: 1 << 26 },
        (error, stdout, stderr) => resolve({ exit: error === null ? 0 : Number(error.code), told: stdout + stderr }),
      );
    });
  const slowly = ['-bandwidth', '0.5'];
  const until = async (tag: string, is: (application: Application) => boolean): Promise<Application> => {
    for (;;) {
      const [application] = await yarn.applications(tag);
      if (application && is(application)) return application;
      await sleep(100);
    }
  };
  const ended = (tag: string) => until(tag, ({ state }) => ENDED.includes(state));
  const jobOf = ({ id }: Application): string => id.replace('application', 'job');
  const historyOf = (application: Application): string =>
    `${yarn.history}/ws/v1/history/mapreduce/jobs/${jobOf(application)}`;

  it.concurrent('a tag that nobody has is answered by an empty object', async () => {
    expect(await yarn.get(`${yarn.rm}/ws/v1/cluster/apps?applicationTags=nobody`)).toEqual({ apps: {} });
  });

  it.concurrent('the queues are told, and a copy for one that is missing ends with 25; its application is listed as failed', async () => {
    expect(await yarn.get(`${yarn.rm}/ws/v1/cluster/scheduler`)).toMatchObject({
      scheduler: {
        schedulerInfo: {
          queues: {
            queue: expect.arrayContaining([expect.objectContaining({ queueName: 'backup', state: 'RUNNING' })]),
          },
        },
      },
    });
    const { exit, told } = await distcp({ tag: 'no-queue', bucket: QUICK, queue: 'nosuch' });
    expect(told).toContain('unknown queue: nosuch');
    expect(exit).toBe(25);
    expect(await yarn.applications('no-queue')).toMatchObject([
      { state: 'FAILED', finalStatus: 'FAILED', diagnostics: expect.stringContaining('unknown queue: nosuch') },
    ]);
  });

  it.concurrent('a copy is found by its tag in any case, under its name and in its queue, and counted by the history server', async () => {
    const { exit, told } = await distcp({ tag: 'Op-Quick', bucket: QUICK, queue: 'backup' });
    expect(exit, told).toBe(0);
    const application = await ended('OP-quick');
    expect(application).toMatchObject({
      name: 'distcp: ozone-dr:Op-Quick',
      queue: 'root.backup',
      state: 'FINISHED',
      finalStatus: 'SUCCEEDED',
    });
    expect(application.applicationTags.split(',').sort()).toEqual(['odr-yarn-quick', 'op-quick']);
    expect((await yarn.applications('odr-yarn-quick')).map(({ id }) => id)).toContain(application.id);
    const { jobCounters } = await counters(application);
    const group = jobCounters.counterGroup.find((it) => it.counterGroupName.endsWith('CopyMapper$Counter'));
    expect(Object.fromEntries(group?.counter.map((it) => [it.name, it.totalCounterValue]) ?? [])).toMatchObject({
      COPY: 3,
      BYTESCOPIED: 3000,
      BYTESEXPECTED: 3000,
    });
    const [source, replica] = await clusters.trees([`ofs://prod/${QUICK}/.snapshot/point`, `ofs://dr/${QUICK}`]);
    expect(replica).toEqual(source);
  });

  it.concurrent('an asynchronous copy says its job at once; a lifetime ends it without any client, and no history is kept', async () => {
    const { exit, told } = await distcp({ tag: 'op-life', bucket: LIFE, flags: ['-async', ...slowly] });
    expect(exit, told).toBe(0);
    const running = await until('op-life', ({ state }) => state === 'RUNNING');
    expect(told).toContain(`DistCp job-id: ${jobOf(running)}`);
    const expiryTime = new Date(Date.now() + 2000).toISOString().replace('Z', '+0000');
    const limit = await put(`${yarn.rm}/ws/v1/cluster/apps/${running.id}/timeout`, {
      timeout: { type: 'LIFETIME', expiryTime },
    });
    expect(limit.status).toBe(200);
    expect(await ended('op-life')).toMatchObject({
      state: 'KILLED',
      finalStatus: 'KILLED',
      diagnostics: expect.stringContaining('exceeded the lifetime period'),
    });
    expect((await fetch(historyOf(running))).status).toBe(404);
  });

  it.concurrent('an application that is ended over the web is killed within moments; to end it again is no error', async () => {
    await distcp({ tag: 'op-kill', bucket: KILL, flags: ['-async', ...slowly] });
    const { id } = await until('op-kill', ({ state }) => state === 'RUNNING');
    const url = `${yarn.rm}/ws/v1/cluster/apps/${id}/state`;
    expect((await put(url, { state: 'KILLED' })).status).toBe(202);
    expect(await ended('op-kill')).toMatchObject({ state: 'KILLED' });
    expect((await put(url, { state: 'KILLED' })).status).toBe(200);
  });

  interface Counters {
    readonly jobCounters: {
      readonly counterGroup: readonly {
        readonly counterGroupName: string;
        readonly counter: readonly { readonly name: string; readonly totalCounterValue: number }[];
      }[];
    };
  }
  /** The history server reads a job's file some moments after the job has ended. */
  const counters = async (application: Application): Promise<Counters> => {
    for (;;) {
      const answer = await fetch(`${historyOf(application)}/counters`);
      if (answer.ok) return JSON.parse(await answer.text());
      expect(answer.status).toBe(404);
      await sleep(100);
    }
  };
});
