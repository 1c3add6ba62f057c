// What a backup costs DynamoDB when its bucket has much history: points in the ledger, snapshots on both clusters.

import { dynamoLedger } from '../../functions/adapters/dynamodb/ledger.ts';
import { PairId } from '../../functions/core/domain/names.ts';
import { BUCKET, openWorld } from '../alarms/world.ts';
import { addPoints } from '../fixtures/long-history.ts';
import { FIGURES, type Module, rounded } from './figures.ts';

const pair = PairId.parse(`prod/${BUCKET}#dr`);
const UNITS = 'dynamodb.capacityUnits';

/** Units by kind of call, of one increment of a bucket with so many points. */
const unitsAt = async (points: number, say: (line: string) => void): Promise<Readonly<Record<string, number>>> => {
  // After the schedules of the day; the clocks of the clusters follow that of the cloud.
  const from = Date.UTC(2026, 10, 20, 7);
  const world = await openWorld(new Date(from));
  try {
    const { cloud, ozone } = world;
    ozone.setSettings({ '*': { snapshotLimit: 1_000_000 } });
    for (const schedule of ['sweep', 'assess', 'doctor'])
      cloud.faults.add({ on: 'schedule', schedule: `*${schedule}*`, fault: 'lost' });
    const backUp = async (): Promise<void> => {
      ozone.change(`ofs://prod/${BUCKET}`, [{ op: 'put', path: 'a/one', size: 100, seed: cloud.clock.now() }]);
      const { status, cause } = await world.backUp();
      if (status !== 'SUCCEEDED') throw new Error(cause);
    };
    await backUp();
    const ledger = dynamoLedger(cloud.table());
    const [first] = await ledger.recentPoints(pair, 1);
    if (!first) throw new Error('the first backup left no point');

    // All but the first and the one before the measured one are put in place: one a second.
    const slots = Array.from({ length: points - 2 }, (_, n) => from + 600_000 + n * 1000);
    say(`history: ${points} points`);
    await addPoints(ozone, ledger, { pair, bucket: BUCKET, like: first }, slots);
    await cloud.advanceTo(new Date(from + 1_200_000 + points * 1000));
    await backUp();
    const before = cloud.counters();
    await backUp();
    const after = cloud.counters();
    const [newest] = await ledger.recentPoints(pair, 1);
    if (newest?.mode !== 'incremental' || newest.state !== 'verified') throw new Error('it was no verified increment');
    return Object.fromEntries(
      Object.entries(after)
        .filter(([name]) => name.startsWith(UNITS))
        .map(([name, count]) => [name, rounded(count - (before[name] ?? 0), 1)])
        .filter(([, count]) => count !== 0),
    );
  } finally {
    await world.close();
  }
};

export const history: Module = {
  name: 'history',
  figures: ['dynamoUnits10', 'dynamoUnits10000'],
  measure: async (say) => {
    const measured: { readonly points: number; readonly units: Readonly<Record<string, number>> }[] = [];
    const failures: string[] = [];
    for (const points of [10, 1000, 10_000])
      try {
        measured.push({ points, units: await unitsAt(points, say) });
      } catch (error) {
        failures.push(
          `At ${points} points the backup failed: ${String(error).slice(0, 400)} ${FIGURES.dynamoUnits10000.missed}`,
        );
      }
    const unitsOf = (points: number): number | undefined => measured.find((it) => it.points === points)?.units[UNITS];
    const [few, many] = [unitsOf(10), unitsOf(10_000)];
    const kinds = [...new Set(measured.flatMap(({ units }) => Object.keys(units)))].toSorted();
    return {
      values: {
        ...(few === undefined ? {} : { dynamoUnits10: few }),
        ...(many === undefined ? {} : { dynamoUnits10000: many }),
      },
      details: [
        'Consumed capacity of one increment: of the table, without its index and without writes that a condition refused.',
        'A prune does grow: it judges every point, so it reads all of them, about 0.3 units each, whenever it has listed both sides (once, and once for 25 deletions), and writes each that it condemns or deletes; the listing and the plan are in S3.',
        '',
        `| call |${measured.map(({ points }) => ` at ${points} points |`).join('')}`,
        `|---|${measured.map(() => '---|').join('')}`,
        ...kinds.map(
          (kind) =>
            `| ${kind === UNITS ? 'all' : kind.slice(UNITS.length + 1)} |${measured.map(({ units }) => ` ${units[kind] ?? 0} |`).join('')}`,
        ),
        ...failures.flatMap((failure) => ['', failure]),
      ],
    };
  },
};
