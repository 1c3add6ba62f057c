import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Place, placesOfProcesses, placesOfServices } from './crash-places.ts';
import { openStage, type Scene, type Stage, type Told } from './crash-stage.ts';

/**
 * `CRASH_PLACES=all` plays every place (`npm run test:ozone:crash`), a text those whose name holds it; unset, a sample
 * of two, for CI.
 */
const wanted = process.env.CRASH_PLACES;
const isSample = (place: Place): boolean =>
  place.name.startsWith('increment, sync: distcp killed') ||
  place.name.startsWith('snapshot: OM of the source killed when');
const rowsOf = (places: readonly Place[], kind: string) =>
  places
    .map((place, index) => [place.name, place, `crash/${kind}-${index}`] as const)
    .filter(([name, place]) => (wanted === undefined ? isSample(place) : wanted === 'all' || name.includes(wanted)));
const besideEachOther = rowsOf(placesOfProcesses, 'process');
const oneByOne = rowsOf(placesOfServices, 'service');

/** After what happened at the place. */
const MOST_FURTHER_RUNS = 2;

const table: string[] = [];
let stage: Stage;

beforeAll(async () => {
  stage = await openStage(
    new Map([...besideEachOther, ...oneByOne].map(([, place, bucket]) => [bucket, place.policy])),
  );
});
afterAll(async () => {
  const head = [
    '| place | struck run | further runs | verified points | left behind | s |',
    '|---|---|---|---|---|---|',
  ];
  console.log([...head, ...table].join('\n'));
  await stage?.close();
});

const shown = (runs: readonly Told[]): string =>
  runs.map(({ end, modes }) => (modes.length > 0 ? `${end} (${modes.join(', ')})` : end)).join('; ') || 'none needed';

const play = async (name: string, place: Place, bucket: string): Promise<void> => {
  const begun = Date.now();
  const scene = stage.scene(bucket, place.policy);
  let struck = 0;
  let left: readonly string[] = [];
  let problem = '';
  try {
    await place.play(scene);
    struck = scene.told.length;
    while (!scene.isVerified() && scene.told.length < struck + MOST_FURTHER_RUNS) await scene.run();
    await expectConverged(scene);
    if (place.verified !== undefined) expect(scene.verified.size).toBe(place.verified);
    left = await scene.strangeSnapshots();
  } catch (error) {
    problem = ` **${error instanceof Error ? error.message.split('\n')[0] : error}**`;
    throw error;
  } finally {
    const seconds = Math.round((Date.now() - begun) / 1000);
    const before = scene.told.slice(scene.preparing, struck || undefined);
    const further = struck === 0 ? '' : shown(scene.told.slice(struck));
    const cells = [name, shown(before) + problem, further, scene.verified.size, left.length, seconds];
    table.push(`| ${cells.join(' | ')} |`);
    console.log([table.at(-1), ...(problem === '' ? [] : scene.story)].join('\n'));
    await stage.heal();
  }
};

describe('whatever is killed on real clusters, within two further runs the bucket converges', () => {
  // Those that no other bucket notices go on beside each other, `--maxConcurrency` of them.
  for (const row of besideEachOther) it.concurrent(row[0], () => play(...row));
  for (const row of oneByOne) it(row[0], () => play(...row));
});

/** What must hold after every place. The comparison reads every byte and is none of the product's. */
const expectConverged = async (scene: Scene): Promise<void> => {
  const { bucket, source, replica, told } = scene;
  expect(scene.isVerified(), JSON.stringify(told)).toBe(true);
  const points = await stage.deployment.points(bucket);
  const verified = points.filter((it) => it.state === 'verified').map((it) => it.name);
  expect(verified).toEqual(expect.arrayContaining([...scene.verified]));

  const [live, ...trees] = await stage.clusters.trees([
    replica,
    ...verified.flatMap((point) => [`${source}/.snapshot/${point}`, `${replica}/.snapshot/${point}`]),
    // What was taken stays restorable, also where it never was copied.
    ...points.filter((it) => it.state !== 'verified').map((it) => `${source}/.snapshot/${it.name}`),
  ]);
  expect(live?.size).toBeGreaterThan(40);
  expect(live, 'the live replica is what was verified last').toEqual(trees[0]);
  verified.forEach((point, i) => {
    expect(trees[2 * i + 1], `${point} on both sides`).toEqual(trees[2 * i]);
  });
  for (const tree of trees) expect(tree.size).toBeGreaterThan(40);
  expect([...(live?.keys() ?? [])].filter((path) => path.includes('.distcp.'))).toEqual([]);

  const first = told.findIndex((it) => it.end === 'verified');
  expect(told.slice(first + 1).flatMap((it) => it.modes)).not.toContain('bootstrap');
  await scene.nothingRuns();
};
