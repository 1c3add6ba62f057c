import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { synthesize } from '../fixtures/deployment.ts';
import { InProcessHost } from '../in-process-edge/host.ts';
import { type CloudEvent, type FaultRule, type LocalCloud, startLocalCloud } from '../local-cloud/index.ts';
import type { Work as CommandToRun } from '../local-cloud/ssm/host.ts';
import { type SimulatedOzone, simulateInMemory } from '../ozone-simulator/simulator.ts';

export const SOURCE_HOST = 'i-0aaaaaaaaaaaaaaa0';
export const REPLICA_HOST = 'mi-0bbbbbbbbbbbbbbb0';
export const BUCKET = 'sales/orders';
/** The schedules are due once a year: the paths let them fire. A prune keeps what it must, and waits an hour. */
const policies = `
clusters:
  prod: { service: prod, hosts: [${SOURCE_HOST}] }
  dr: { service: dr, hosts: [${REPLICA_HOST}] }
policies:
  nightly:
    source: prod
    replica: dr
    buckets: [${BUCKET}]
    schedules: [{ cron: '0 2 1 1 ? *', zone: Etc/UTC }]
    brake: { percent: 50, atLeast: 0 }
    objectives: { rpo: 26h, rto: 4h }
    retention:
      { zone: Etc/UTC, cron: '0 4 1 1 ? *', source: { keepLast: 1 }, replica: { keepLast: 1 }, graceHours: 1, coolingOffHours: 0 }
    drills: { zone: Etc/UTC, cron: '0 5 1 1 ? *', within: 366d }
  ledgers:
    source: prod
    replica: dr
    buckets: ['ledger/*']
    fleet: { together: true }
    schedules: [{ cron: '0 3 1 1 ? *', zone: Etc/UTC }]
    objectives: { rpo: 26h, rto: 4h }
`;

/** A check of a path that did not hold. */
export class CheckFailed extends Error {
  override readonly name = 'CheckFailed';
}

export const check = (what: string, holds: boolean, seen?: unknown): void => {
  if (!holds) throw new CheckFailed(`${what}${seen === undefined ? '' : ` (${JSON.stringify(seen)?.slice(0, 200)})`}`);
};

/** What a path may arrange. */
export interface Story {
  /** Virtual seconds of a command. */
  readonly duration: (parameters: Readonly<Record<string, string>>) => number;
}

/** The deployed product with hosts and clusters in this process, in virtual time; one story after the other. */
export interface Stage {
  readonly cloud: LocalCloud;
  readonly assembly: string;
  readonly ozone: () => SimulatedOzone;
  /** Everything anew: an empty table, empty clusters, no fault, quiet alarms. */
  readonly reset: (story?: Partial<Story>) => Promise<void>;
  readonly faults: (...rules: readonly FaultRule[]) => void;
  /** Lets the schedule fire for now, that of prunes or drills if asked; the fleet execution that it starts. */
  readonly fire: (work?: Work) => Promise<string | undefined>;
  /** Epoch milliseconds of the last reset. */
  readonly since: () => number;
  /** Events of the emulator since the last reset. */
  readonly events: () => readonly CloudEvent[];
  readonly close: () => Promise<void>;
}

type Work = 'backup' | 'prune' | 'drill';

const newClusters = (now: number): SimulatedOzone => {
  const ozone = simulateInMemory();
  ozone.setClock({ now, skewMs: {} });
  for (const service of ['prod', 'dr']) {
    ozone.createBucket(`ofs://${service}/${BUCKET}`);
  }
  ozone.change(`ofs://prod/${BUCKET}`, [
    { op: 'put', path: 'a/one', size: 100, seed: 1 },
    { op: 'put', path: 'two', size: 200, seed: 2 },
  ]);
  return ozone;
};

export const openStage = async (): Promise<Stage> => {
  const directory = mkdtempSync(join(tmpdir(), 'ozone-dr-iam-'));
  const assembly = join(directory, 'cdk.out');
  synthesize(policies, assembly);
  const virtualFrom = new Date('2026-11-20T12:00:00Z');
  let ozone = newClusters(virtualFrom.getTime());
  let story: Story = { duration: () => 5 };
  let hosts: Readonly<Record<string, InProcessHost>> = {};
  let since = 0;
  const events: CloudEvent[] = [];
  const parametersOf = (all: Readonly<Record<string, readonly string[]>>) =>
    Object.fromEntries(Object.entries(all).map(([name, [value]]) => [name, value ?? '']));
  const host = (id: string) => ({
    id,
    environment: {},
    run: (command: CommandToRun) => {
      ozone.setClock({ now: cloud.clock.now(), skewMs: {} });
      return hosts[id]?.command(command) ?? { exitCode: 1, stdout: '', stderr: '' };
    },
    duration: ({ parameters }: { readonly parameters: Readonly<Record<string, readonly string[]>> }) =>
      story.duration(parametersOf(parameters)),
  });
  const cloud = await startLocalCloud({
    assembly,
    directory: join(directory, 'cloud'),
    clock: { virtualFrom },
    hosts: [host(SOURCE_HOST), host(REPLICA_HOST)],
    // Retries of the state machines wait as long as they may.
    random: () => 0.99,
    onEvent: (event) => events.push(event),
  });
  /** What `curl` gets from an address that a function signed: S3 asks whether the one who signed it may read. */
  const signed = (address: string): string | undefined => {
    const { pathname, search, searchParams } = new URL(address);
    const [signer = ''] = (searchParams.get('X-Amz-Credential') ?? '').split('/');
    try {
      return cloud.s3.handle('GET', `${pathname}${search}`, {}, Buffer.alloc(0), signer).body.toString();
    } catch {
      return undefined;
    }
  };
  const scheduleOf = (work: Work): string =>
    cloud
      .schedules()
      .find(
        ({ name }) => name.startsWith('nightly-') && (/^nightly-(prune|drill)-/.exec(name)?.[1] ?? 'backup') === work,
      )?.name ?? '';

  const emptyTable = async (): Promise<void> => {
    const { client, name: TableName } = cloud.table();
    const found = await client.send(new ScanCommand({ TableName, ProjectionExpression: 'pk, sk' }));
    for (const Key of found.Items ?? []) await client.send(new DeleteCommand({ TableName, Key }));
  };

  return {
    cloud,
    assembly,
    ozone: () => ozone,
    reset: async (more = {}) => {
      cloud.faults.clear();
      for (const execution of cloud.executions()) cloud.stepFunctions.stop(execution);
      await emptyTable();
      story = { duration: () => 5, ...more };
      // What still runs on a host ends, and the alarms forget what was.
      await cloud.advanceBy(8 * 60);
      await emptyTable();
      for (const queue of cloud.resources('AWS::SQS::Queue'))
        cloud.messages.purge(`arn:aws:sqs:eu-central-1:123456789012:${queue.name}`);
      for (const topic of cloud.resources('AWS::SNS::Topic')) cloud.messages.purge(topic.ref);
      await cloud.advanceBy(6 * 60);
      ozone = newClusters(cloud.clock.now());
      hosts = Object.fromEntries(
        [SOURCE_HOST, REPLICA_HOST].map((name) => [
          name,
          new InProcessHost({ ozone, name, now: () => cloud.clock.now(), selectionAt: signed }),
        ]),
      );
      for (const topic of cloud.resources('AWS::SNS::Topic')) cloud.messages.purge(topic.ref);
      since = cloud.clock.now();
      events.length = 0;
    },
    faults: (...rules) => cloud.faults.add(...rules),
    fire: async (work = 'backup') => {
      const before = cloud.executions('ozone-dr-backup-fleet').length;
      await cloud.fireSchedule(scheduleOf(work), new Date(cloud.clock.now()));
      return cloud.executions('ozone-dr-backup-fleet')[before]?.arn;
    },
    since: () => since,
    events: () => events,
    close: async () => {
      await cloud.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
};
