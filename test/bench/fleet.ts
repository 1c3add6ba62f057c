// A night of many buckets: the deployed product with hosts and clusters in this process, in virtual time. The schedule starts the fleet;
// what it takes is counted. Then the same with a host, and with a cluster, that is away for two hours.
import { isDeepStrictEqual } from 'node:util';
import { PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { dynamoLedger } from '../../functions/adapters/dynamodb/ledger.ts';
import type { RecoveryPoint } from '../../functions/core/domain/ledger.ts';
import { PairId, SnapshotId } from '../../functions/core/domain/names.ts';
import { Bytes } from '../../functions/core/domain/units.ts';
import { sumOf, total, type Usage, usdOf } from '../cost/model.ts';
import { usageOf } from '../cost/night.ts';
import { leaveOutIdleSweeps } from '../demo/play.ts';
import { deployInMemory } from '../fixtures/in-memory.ts';
import type { Execution } from '../local-cloud/asl/execution.ts';
import type { Finished } from '../local-cloud/ssm/host.ts';
import { worstAge } from './age.ts';
import { type Module, rounded } from './figures.ts';

const SIDES = ['prod', 'dr'] as const;
const HOUR = 3600;
const DAY_MS = 86_400_000;
/** The interval and what the longest copy may take: less no order of work could keep. */
const OBJECTIVE_HOURS = 28;
const SLOT_HOUR = 2;
/** The first copy of the bucket that all others are likened to; the night before the first slot. */
const SEEDED = Date.UTC(2026, 10, 19, SLOT_HOUR);
/** Functions that a schedule calls all day, every so many minutes. */
const STANDING = [
  ['ozone-dr-sweep-operations', 1],
  ['ozone-dr-assess-objectives', 5],
] as const;
/** Seconds: into the slot, when its first batches are under way. */
const LOST_AFTER = 30;
const LOST_FOR = 2 * HOUR;
const FILES = 3;
/** Of a bucket, newest first: those of all slots that the bench simulates. */
const MOST_POINTS = 30;
const FILE_BYTES = 1000;

export interface FleetSize {
  readonly buckets: number;
  readonly hostsPerSide: number;
  /** One bucket in so many is changed before each slot. */
  readonly changedOneIn: number;
  /** One changed bucket in so many takes hours to copy. */
  readonly slowOneIn: number;
}

const NIGHT: FleetSize = { buckets: 10_000, hostsPerSide: 4, changedOneIn: 20, slowOneIn: 100 };
/** Three slots: with ten times as many buckets, two hours on this machine. */
const OUTAGE: FleetSize = { ...NIGHT, buckets: 1000 };

const hostsOf = (side: (typeof SIDES)[number], { hostsPerSide }: FleetSize): readonly string[] =>
  Array.from({ length: hostsPerSide }, (_, n) =>
    side === 'prod' ? `i-0aaaaaaaaaaaaaaa${n}` : `mi-0bbbbbbbbbbbbbbb${n}`,
  );

const policiesOf = (size: FleetSize): string => `
clusters:
  prod: { service: prod, hosts: [${hostsOf('prod', size).join(', ')}], snapshotLimit: 100000, copies: 12, diffJobs: 8 }
  dr: { service: dr, hosts: [${hostsOf('dr', size).join(', ')}], snapshotLimit: 100000, copies: 12, diffJobs: 8 }
policies:
  nightly:
    source: prod
    replica: dr
    buckets: ["fleet/*"]
    schedules: [{ cron: '0 ${SLOT_HOUR} * * ? *', zone: Etc/UTC }]
    objectives: { rpo: ${OBJECTIVE_HOURS}h, rto: 4h }
    brake: { percent: 50, atLeast: 1000 }
`;

const bucketAt = (n: number): string => `fleet/b${String(n).padStart(5, '0')}`;
const pairOf = (bucket: string): PairId => PairId.parse(`prod/${bucket}#dr`);

/** The same numbers in every run. */
const numbers = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
};

/** What commands take: short ones 5 to 15 s, one for a whole batch some more, copies half a minute to three; those of slow buckets 2 to 3 h. */
const durations = (isSlow: (bucket: string) => boolean): ((finished: Finished) => number) => {
  const next = numbers(1);
  return ({ parameters }) => {
    const between = (least: number, most: number): number => Math.round(least + (most - least) * next());
    if (parameters.batch?.[0]) return between(10, 20);
    if (parameters.verb?.[0] !== 'replicate') return between(5, 15);
    const bucket = /fleet\/b\d+/.exec(parameters.replica?.[0] ?? '')?.[0] ?? '';
    return isSlow(bucket) ? between(2 * HOUR, 3 * HOUR) : between(30, 180);
  };
};

/** Seconds that an execution spent in its states of waiting. */
const waited = ({ history: { events } }: Execution): number => {
  const times = (type: string): number =>
    events.reduce((sum, it) => (it.type === type ? sum + it.timestamp : sum), 0) / 1000;
  return times('WaitStateExited') - times('WaitStateEntered');
};

/** One slot: what became of it and what it took. */
export interface SlotOfFleet {
  readonly status: string;
  readonly cause: string;
  /** Of all buckets, how old the newest verified point was at most from the slot on, by the objective: see {@link worstAge}. What got no new one counts until the next slot. */
  readonly lateness: number;
  /** Buckets that have a verified point of this slot, and those whose newest one is not the same on both sides. */
  readonly verified: number;
  readonly differing: number;
  /** Copies that were begun while an earlier one into the same bucket could be alive. */
  readonly overlapping: number;
  /** Executions of their own. */
  readonly alone: number;
  readonly hours: number;
  /** The longest time that one of them stood in line for a place on a cluster or a host. */
  readonly longestWaitHours: number;
  readonly usage: Usage;
  readonly usd: number;
  readonly usdByService: Readonly<Record<string, number>>;
  /** Real time of the simulation. */
  readonly seconds: number;
  /** Of all threads. */
  readonly cpuSeconds: number;
}

export interface Fleet {
  /** Runs the next slot of the schedule; `meanwhile` is called at its beginning. */
  readonly slot: (meanwhile?: () => void) => Promise<SlotOfFleet>;
  /** Takes a host of the replica, or the replica's Ozone Manager, away for two hours; the host so many seconds into the slot. */
  readonly loseHost: (after?: number) => void;
  readonly loseCluster: () => void;
  readonly close: () => Promise<void>;
}

export const openFleet = async (size: FleetSize, say: (line: string) => void): Promise<Fleet> => {
  const buckets = Array.from({ length: size.buckets }, (_, n) => bucketAt(n));
  const changedBefore = (slot: number) => buckets.filter((_, n) => (n + slot) % size.changedOneIn === 0);
  const period = size.changedOneIn * size.slowOneIn;
  const slow = new Set(buckets.filter((_, n) => n % period >= period - size.changedOneIn));
  const replicaHosts = hostsOf('dr', size);
  const { cloud, ozone, close } = await deployInMemory({
    policies: policiesOf(size),
    from: new Date(SEEDED),
    hosts: [...hostsOf('prod', size), ...replicaHosts],
    duration: durations((bucket) => slow.has(bucket)),
  });
  leaveOutIdleSweeps(cloud, 'ozone-dr-assess-objectives');
  ozone.setSettings({ '*': { snapshotLimit: 100_000 } });
  const ledger = dynamoLedger(cloud.table());
  let seed = 0;
  const put = (url: string, path: string): void =>
    ozone.change(url, [{ op: 'put', path, size: FILE_BYTES, seed: ++seed }]);

  say(`fleet: ${size.buckets} buckets on both clusters`);
  for (const bucket of buckets) {
    for (const side of SIDES) ozone.createBucket(`ofs://${side}/${bucket}`);
    for (let n = 0; n < FILES; n++)
      ozone.change(`ofs://prod/${bucket}`, [{ op: 'put', path: `d/f${n}`, size: FILE_BYTES, seed: n }]);
  }
  const [model = ''] = buckets;
  const first = await cloud.executionEnded(
    cloud.startExecution('ozone-dr-backup', { policy: 'nightly', bucket: model }),
  );
  if (first.status !== 'SUCCEEDED') throw new Error(`${first.error}: ${first.cause}`);
  await likenAll();

  /** All other buckets get the history of the first one: ten thousand first copies would tell nothing new. */
  async function likenAll(): Promise<void> {
    const [point] = await ledger.recentPoints(pairOf(model), 1);
    const { client, name: TableName } = cloud.table();
    const { Items = [] } = await client.send(
      new QueryCommand({
        TableName,
        KeyConditionExpression: 'pk = :pk AND sk = :sk',
        ExpressionAttributeValues: { ':pk': `PAIR#${pairOf(model)}`, ':sk': 'STATE' },
      }),
    );
    const [state] = Items;
    const first = await ledger.loadPair(pairOf(model));
    if (!point?.replica || !state) throw new Error('the first backup left no point');
    const sides = { prod: point.source, dr: point.replica };
    const left = buckets.slice(1).values();
    const liken = async (): Promise<void> => {
      for (const bucket of left) {
        for (let n = 0; n < FILES; n++)
          ozone.change(`ofs://dr/${bucket}`, [{ op: 'put', path: `d/f${n}`, size: FILE_BYTES, seed: n }]);
        const idOf = (side: (typeof SIDES)[number]): SnapshotId => {
          ozone.setClock({ now: sides[side].created, skewMs: {} });
          const made = ozone.run('ozone', ['sh', 'snapshot', 'create', `o3://${side}/${bucket}`, point.name]);
          if (made.exit !== 0) throw new Error(made.stdout + made.stderr);
          return SnapshotId.parse(ozone.snapshots(`ofs://${side}/${bucket}`)[0]?.id);
        };
        const [source, replica] = [idOf('prod'), idOf('dr')];
        const alike = <T>(value: T): T =>
          JSON.parse(
            JSON.stringify(value)
              .replaceAll(model, bucket)
              .replaceAll(sides.prod.id, source)
              .replaceAll(sides.dr.id, replica),
          );
        const pair = pairOf(bucket);
        // A slow bucket was slow before, by increments, which the order of a line goes by; or its copy would be ended early.
        const measured = {
          mode: 'incremental' as const,
          bytesCopied: Bytes.parse(2e9),
          copySeconds: Math.ceil((2e9 * 3 * HOUR) / (FILES * FILE_BYTES)),
        };
        const likened: RecoveryPoint = { ...alike(point), ...(slow.has(bucket) ? measured : {}) };
        await ledger.putPoint(pair, likened);
        const copies = slow.has(bucket)
          ? alike(first.copies).map((copy) => ({ ...copy, mode: measured.mode, to: copy.from + 3 * HOUR * 1000 }))
          : [];
        await client.send(new PutCommand({ TableName, Item: { ...alike(state), pinned: null, copies } }));
      }
    };
    await Promise.all(Array.from({ length: 16 }, liken));
    ozone.setClock({ now: cloud.clock.now(), skewMs: {} });
  }

  /** What is used from now on. */
  const counting = (): (() => Usage) => {
    const [before, logs] = [cloud.counters(), cloud.functionLogs.length];
    return () => {
      const bytes = cloud.functionLogs.slice(logs).reduce((sum, { line }) => sum + Buffer.byteLength(line), 0);
      return usageOf(before, cloud.counters(), bytes);
    };
  };
  /** What runs all the time, in so many minutes in which nothing else does: one call each, so many times. */
  const rest = async (minutes: number): Promise<readonly (readonly [times: number, usage: Usage])[]> => {
    const calls: (readonly [number, Usage])[] = [];
    for (const [name, every] of STANDING) {
      const used = counting();
      await cloud.invoke(name, {});
      calls.push([minutes / every, { ...used(), schedule: 1 }]);
    }
    return calls;
  };
  const sayProgress = (at: number, began: number, before: number): void => {
    const isOver = ({ status }: Execution): boolean => status !== 'RUNNING';
    const batches = cloud.executions('ozone-dr-backup-batch').filter(isOver).length;
    const alone = cloud.executions('ozone-dr-backup').slice(before);
    say(
      `fleet: ${Math.round((performance.now() - began) / 1000)} s for ${Math.round((cloud.clock.now() - at) / 60_000)} min of the slot: over are ${batches} batches and ${alone.filter(isOver).length} of ${alone.length} executions of their own; ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`,
    );
  };
  const later = (seconds: number, work: () => void) => cloud.clock.at(cloud.clock.now() + seconds * 1000, work);
  let slots = 0;
  return {
    slot: async (meanwhile = () => {}) => {
      slots += 1;
      const at = SEEDED + slots * DAY_MS;
      await cloud.advanceTo(new Date(at - 600_000));
      ozone.setClock({ now: cloud.clock.now(), skewMs: {} });
      for (const bucket of changedBefore(slots)) put(`ofs://prod/${bucket}`, 'd/f0');
      const used = counting();
      const [fleets, backups] = ['ozone-dr-backup-fleet', 'ozone-dr-backup'].map((it) => cloud.executions(it).length);
      const [began, cpu] = [performance.now(), process.cpuUsage()];
      await cloud.advanceTo(new Date(at));
      const fleet = cloud.executions('ozone-dr-backup-fleet')[fleets ?? 0];
      if (!fleet) throw new Error('the schedule started nothing');
      meanwhile();
      const progress = setInterval(() => sayProgress(at, began, backups ?? 0), 60_000);
      const { status, cause, output } = await cloud.executionEnded(fleet.arn).finally(() => clearInterval(progress));
      const seconds = (performance.now() - began) / 1000;
      const { user, system } = process.cpuUsage(cpu);
      const now = cloud.clock.now();
      const ownExecutions = cloud.executions('ozone-dr-backup').slice(backups);
      const usage = total([[1, used()], ...(await rest((DAY_MS - (now - at)) / 60_000))]);
      const usdByService = usdOf(usage);
      let [verified, differing, overlapping, oldest] = [0, 0, 0, 0];
      for (const bucket of buckets) {
        const points = await ledger.recentPoints(pairOf(bucket), MOST_POINTS);
        const evidence = points.filter((it) => it.state === 'verified');
        const [newest] = evidence;
        const trees = SIDES.map((side) => ozone.tree(`ofs://${side}/${bucket}/.snapshot/${newest?.name}`));
        if (trees[0]?.size === 0 || !isDeepStrictEqual(trees[0], trees[1])) differing += 1;
        const { copies } = await ledger.loadPair(pairOf(bucket));
        overlapping += copies.filter(({ from }, n) =>
          copies.slice(0, n).some((it) => (it.to ?? it.deadline) > from),
        ).length;
        const isNew = newest?.slot === at;
        if (isNew) verified += 1;
        const known = evidence.map(({ source: { created }, verification }) => ({
          created,
          verifiedAt: verification?.at ?? now,
        }));
        oldest = Math.max(oldest, worstAge(known, at, isNew ? now + 1 : Math.max(now, at + DAY_MS)));
      }
      return {
        status,
        cause: cause ?? JSON.stringify(output ?? null).slice(0, 500),
        lateness: oldest / (OBJECTIVE_HOURS * HOUR * 1000),
        verified,
        differing,
        overlapping,
        alone: ownExecutions.length,
        hours: (now - at) / (HOUR * 1000),
        longestWaitHours: Math.max(0, ...ownExecutions.map(waited)) / HOUR,
        usage,
        usd: sumOf(usdByService),
        usdByService,
        seconds,
        cpuSeconds: (user + system) / 1e6,
      };
    },
    loseHost: (after = LOST_AFTER) => {
      const host = cloud.host(replicaHosts[0] ?? '');
      later(after, () => host.crash());
      later(after + LOST_FOR, () => host.connect());
    },
    loseCluster: () => {
      later(LOST_AFTER, () => ozone.setFaults([{ id: 'away', effect: { kind: 'unreachable', service: 'dr' } }]));
      later(LOST_AFTER + LOST_FOR, () => ozone.setFaults([]));
    },
    close,
  };
};

const row = (what: string, it: SlotOfFleet): string =>
  `| ${what} | ${it.status} | ${it.verified} | ${it.differing} | ${it.alone} | ${rounded(it.hours, 2)} | ${rounded(it.lateness, 3)} | ${rounded(it.longestWaitHours, 2)} | ${rounded(it.usd, 2)} | ${Math.round(it.seconds)} (${Math.round(it.cpuSeconds)}) |`;

const usageText = ({ usage, usdByService }: SlotOfFleet): string =>
  [
    ...Object.entries(usage).map(([name, count]) => `${name} ${rounded(count, count < 10 ? 4 : 0)}`),
    ...Object.entries(usdByService).map(([name, usd]) => `${name} $${rounded(usd, 3)}`),
  ].join(', ');

const withFleet = async <T>(
  size: FleetSize,
  say: (line: string) => void,
  work: (fleet: Fleet) => Promise<T>,
): Promise<T> => {
  const fleet = await openFleet(size, say);
  try {
    return await work(fleet);
  } finally {
    await fleet.close();
  }
};

export const fleet: Module = {
  name: 'fleet',
  figures: ['fleetMaxLateness', 'fleetCostUsd'],
  measure: async (say) => {
    const night = await withFleet(NIGHT, say, ({ slot }) => slot());
    const memory = process.resourceUsage().maxRSS / 1024;
    say(
      `fleet: a night of ${OUTAGE.buckets} buckets in which a host, one in which a cluster is away, and the one after`,
    );
    const [host, cluster, after] = await withFleet(OUTAGE, say, async ({ slot, loseHost, loseCluster }) => [
      await slot(loseHost),
      await slot(loseCluster),
      await slot(),
    ]);
    const wrong = [night, after].find((it, n) => it.differing > 0 || it.verified < (n === 0 ? NIGHT : OUTAGE).buckets);
    if ([night, host, cluster, after].some(({ overlapping }) => overlapping > 0))
      throw new Error('copies into one bucket could be alive beside each other');
    if (wrong) throw new Error(`not every bucket was verified: ${wrong.verified}, ${wrong.differing}, ${wrong.cause}`);
    return {
      values: { fleetMaxLateness: rounded(night.lateness, 3), fleetCostUsd: rounded(night.usd, 2) },
      details: [
        `${2 * NIGHT.hostsPerSide} hosts, one in ${NIGHT.changedOneIn} buckets changed, one in ${NIGHT.slowOneIn} of those with a copy of hours; objective ${OBJECTIVE_HOURS} h; no prune and no drill. Memory of the simulation: ${Math.round(memory)} MiB at most.`,
        '',
        '| slot | ended | verified | differing | executions of their own | hours | worst age / objective | longest wait in line, h | $ a day | simulated in s (of CPU) |',
        '|---|---|---|---|---|---|---|---|---|---|',
        row(`${NIGHT.buckets} buckets`, night),
        row(`${OUTAGE.buckets} buckets, a host away for two hours`, host),
        row('the next one, a cluster away for two hours', cluster),
        row('the one after', after),
        '',
        `A day with the night of ${NIGHT.buckets}: ${usageText(night)}.`,
      ],
    };
  },
};
