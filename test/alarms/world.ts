import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { dynamoLedger } from '../../functions/adapters/dynamodb/ledger.ts';
import type { PairState } from '../../functions/core/domain/ledger.ts';
import { BucketRef, PairId, PolicyName, RunId } from '../../functions/core/domain/names.ts';
import { Resource } from '../../functions/core/domain/slots.ts';
import { epochMs, seconds } from '../../functions/core/domain/units.ts';
import { deployInMemory } from '../fixtures/in-memory.ts';
import type { LocalCloud } from '../local-cloud/index.ts';
import type { SimulatedOzone } from '../ozone-simulator/simulator.ts';

export const SOURCE_HOST = 'i-0aaaaaaaaaaaaaaa0';
export const REPLICA_HOST = 'mi-0bbbbbbbbbbbbbbb0';
export const BUCKET = 'sales/orders';
/** Enrolled by {@link AlarmWorld.listed}; nobody backs it up. */
const OF_GLOB = 'branch/berlin';

export const policiesOf = (zone: string): string => `
clusters:
  prod: { service: prod, hosts: [${SOURCE_HOST}] }
  dr: { service: dr, hosts: [${REPLICA_HOST}] }
policies:
  nightly:
    source: prod
    replica: dr
    buckets: [${BUCKET}]
    schedules: [{ cron: '0 4 * * ? *', zone: ${zone} }]
    brake: { percent: 50, atLeast: 0 }
    objectives: { rpo: 26h, rto: 4h }
    retention:
      { zone: ${zone}, cron: '0 5 * * ? *', source: { keepLast: 7 }, replica: { keepLast: 7 }, graceHours: 1, coolingOffHours: 0 }
    drills: { cron: '0 6 * * ? *', zone: ${zone}, within: 3d }
  branches:
    source: prod
    buckets: ["branch/*"]
    schedules: []
    objectives: { rpo: 26h, rto: 4h }
`;

/** What people were told: the words of the subject, and which alarm. */
export interface Told {
  readonly id: string;
  readonly topic: 'page' | 'ticket';
  readonly kind: 'raised' | 'over' | 'explained';
  readonly subject: string;
  readonly body: string;
  readonly at: number;
}

/** The deployed product with hosts and clusters in this process, in virtual time, and what people hear of it. */
export interface AlarmWorld {
  readonly cloud: LocalCloud;
  readonly ozone: SimulatedOzone;
  readonly told: () => readonly Told[];
  /** Ids of the alarms that people hear of, which are raised now. */
  readonly raised: () => readonly string[];
  readonly minutes: (count: number) => Promise<void>;
  readonly backUp: () => Promise<{
    readonly status: string;
    readonly error: string | undefined;
    readonly cause: string | undefined;
  }>;
  readonly run: (machine: string, input: object) => Promise<string>;
  readonly pair: (kind?: 'dr' | 'drill') => Promise<PairState>;
  /** As a listing leaves it that shows the one bucket of the policy branches, or misses it. */
  readonly listed: (isThere: boolean) => Promise<void>;
  /** Writes an attribute of a pair, as if a run had. */
  readonly set: (attribute: string, value: unknown, kind?: 'dr' | 'drill') => Promise<void>;
  /** As a run leaves it that waits for a copy on the replica and has to begin in so many seconds, behind one that takes all places for so long. */
  readonly waiting: (slack: number, ahead: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

export const openWorld = async (from: Date, zone = 'Etc/UTC', policies = policiesOf(zone)): Promise<AlarmWorld> => {
  const { cloud, ozone, close } = await deployInMemory({ policies, from, hosts: [SOURCE_HOST, REPLICA_HOST] });
  for (const service of ['prod', 'dr']) ozone.createBucket(`ofs://${service}/${BUCKET}`);
  ozone.createBucket(`ofs://prod/${OF_GLOB}`);
  ozone.change(`ofs://prod/${BUCKET}`, [
    { op: 'put', path: 'a/one', size: 100, seed: 1 },
    { op: 'put', path: 'two', size: 200, seed: 2 },
    { op: 'put', path: 'three', size: 300, seed: 3 },
  ]);
  const ledger = dynamoLedger(cloud.table());
  const pairOf = (kind: 'dr' | 'drill'): PairId =>
    PairId.parse(`prod/${BUCKET}#${kind === 'drill' ? 'drill-nightly' : kind}`);
  const told = (): readonly Told[] =>
    (['page', 'ticket'] as const)
      .flatMap((topic) =>
        cloud.messages.of(cloud.resource('AWS::SNS::Topic', `ozone-dr-${topic}`).ref).map((message): Told => {
          const raw = /^(ALARM|OK): "ozone-dr-([a-z-]+)"/.exec(message.subject ?? '');
          const subject = message.subject ?? '';
          const kind =
            /^ozone-dr: over:/.test(subject) || raw?.[1] === 'OK'
              ? 'over'
              : /^ozone-dr: explained:/.test(subject)
                ? 'explained'
                : 'raised';
          const id = raw?.[2] ?? /^Alarm: ozone-dr-([a-z-]+)$/m.exec(message.body)?.[1] ?? '?';
          return { id, topic, kind, subject, body: message.body, at: message.at };
        }),
      )
      // CloudWatch says once of a new alarm that it is fine.
      .filter(({ body }) => !body.includes('"OldStateValue":"INSUFFICIENT_DATA"'))
      .sort((one, other) => one.at - other.at);
  return {
    cloud,
    ozone,
    told,
    raised: () =>
      cloud
        .alarms()
        .filter(({ name, state }) => state === 'ALARM' && !/-raw(-\d)?$/.test(name))
        .map(({ name }) => name.replace('ozone-dr-', ''))
        .sort(),
    minutes: (count) => cloud.advanceBy(count * 60),
    backUp: async () => {
      const { status, error, cause } = await cloud.executionEnded(
        cloud.startExecution('ozone-dr-backup', { policy: 'nightly', bucket: BUCKET }),
      );
      return { status, error, cause };
    },
    run: async (machine, input) =>
      (await cloud.executionEnded(cloud.startExecution(machine, JSON.parse(JSON.stringify(input))))).status,
    pair: (kind = 'dr') => ledger.loadPair(pairOf(kind)),
    listed: async (isThere) => {
      const now = cloud.clock.now();
      const vanished = isThere ? null : epochMs(now);
      const buckets = [{ bucket: BucketRef.parse(OF_GLOB), since: epochMs(from.getTime()), vanished }];
      const seen = await ledger.loadEnrolment(PolicyName.parse('branches'));
      await ledger.putEnrolment({ ...seen, listedAt: epochMs(now), buckets });
    },
    set: async (attribute, value, kind = 'dr') => {
      const { client, name: TableName } = cloud.table();
      await client.send(
        new UpdateCommand({
          TableName,
          Key: { pk: `PAIR#${pairOf(kind)}`, sk: 'STATE' },
          UpdateExpression: 'SET #a = :v',
          ExpressionAttributeNames: { '#a': attribute },
          ExpressionAttributeValues: { ':v': value },
        }),
      );
    },
    waiting: async (slack, ahead) => {
      const now = cloud.clock.now();
      const resource = Resource.parse('copy:dr');
      const seen = await ledger.loadSlots(resource);
      const of = (policy: string, by: number, weight: number, expected: number) => ({
        [RunId.parse(`prod/${BUCKET}#dr#${policy}#20261120t060000z`)]: {
          by: epochMs(by),
          until: epochMs(now + 3_600_000),
          weight,
          expected: seconds(expected),
        },
      });
      const waiters = {
        ...of('others', now + 1000 * (slack - 1), 8, ahead),
        ...of('nightly', now + 1000 * slack, 1, 60),
      };
      await ledger.putSlots({ ...seen, waiters: ahead > 0 ? waiters : {} });
    },
    close,
  };
};
