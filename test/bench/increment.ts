// Increments on two real clusters: this product against the same steps typed by hand, one bucket alone and ten in a batch, the bytes that it copies, and a rename.
// Both sides work on buckets of their own with the same content and changes, in turns.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type BackupResult, type Deployment, deploy, policyText } from '../fixtures/deployment.ts';
import { type Change, type OzoneClusters, startOzoneClusters } from '../ozone-cluster/ozone-clusters.ts';
import { type Measured, type Module, median, rounded } from './figures.ts';

const FILES = 1000;
const CHANGED = 10;
/** Fewer only to see whether it works. */
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
/** A directory of so many files is renamed, or of as many as can be written in the time. */
const RENAMED = 10_000;
const FILL_MS = 180_000;
const BUCKETS = { ours: 'sales/orders', hand: 'sales/by-hand', renamed: 'sales/renamed' } as const;
/** Go together in their slots. */
const BATCHED = Array.from({ length: 10 }, (_, n) => `sales/batched-${n}`);

const seconds = (from: number): number => rounded((performance.now() - from) / 1000, 2);

/** The bare commands, one CLI call each, all flags right: what a careful person types. */
const handTyped = async (clusters: OzoneClusters, base: string, target: string): Promise<Record<string, number>> => {
  const bucket = 'sales/by-hand';
  const took: Record<string, number> = {};
  const step = async (name: string, program: string, ...args: readonly string[]) => {
    const from = performance.now();
    const { stdout } = await promisify(execFile)(`${clusters.bin}/${program}`, [...args], { maxBuffer: 1 << 28 });
    took[name] = seconds(from);
    return stdout;
  };
  const [source, replica] = [`o3://prod/${bucket}`, `o3://dr/${bucket}`];
  await step('create the snapshot', 'ozone', 'sh', 'snapshot', 'create', source, target);
  await step('submit the diff', 'ozone', 'sh', 'snapshot', 'diff', source, base, target);
  const report = ['sh', 'snapshot', 'diff', '--get-report', '--json', source, base, target];
  while (!(await step('read the diff', 'ozone', ...report)).includes('"DONE"'));
  await step('check the base', 'ozone', 'sh', 'snapshot', 'info', replica, base);
  const sync = [
    '-Ddistcp.diff.copy.listing.traverse.directory=false',
    '-update',
    '-diff',
    base,
    target,
    '-direct',
    '-m',
    '4',
  ];
  await step('distcp', 'hadoop', 'distcp', ...sync, `ofs://prod/${bucket}`, `ofs://dr/${bucket}`);
  await step('seal', 'ozone', 'sh', 'snapshot', 'create', replica, target);
  const listing = (side: string) => ['sh', 'key', 'list', '--all', '-p', `.snapshot/${target}/`, side];
  const left = await step('list the source', 'ozone', ...listing(source));
  const right = await step('list the replica', 'ozone', ...listing(replica));
  const sizes = (text: string) =>
    [...text.matchAll(/"name" : "(.*)",|"dataSize" : (\d+)/g)].map((it) => it[1] ?? it[2]).join();
  if (sizes(left) !== sizes(right)) throw new Error('the replica differs from the source');
  return took;
};

const content: readonly Change[] = Array.from({ length: FILES }, (_, i) => ({
  op: 'put',
  path: `d${i % 10}/f${i}`,
  size: 1000 + i,
  seed: i,
}));
const sizeIn = (round: number): number => 2000 + round;
const changes = (round: number): readonly Change[] =>
  Array.from({ length: CHANGED }, (_, i) => ({
    op: 'put',
    path: `d${i}/f${i}`,
    size: sizeIn(round),
    seed: 1000 * round + i,
  }));

const firstByHand = async (clusters: OzoneClusters): Promise<void> => {
  const bucket = BUCKETS.hand;
  const hand = (program: string, ...args: readonly string[]) =>
    promisify(execFile)(`${clusters.bin}/${program}`, [...args], { maxBuffer: 1 << 28 });
  await hand('ozone', 'sh', 'snapshot', 'create', `o3://prod/${bucket}`, 'hand-0');
  const copied = [`ofs://prod/${bucket}/.snapshot/hand-0`, `ofs://dr/${bucket}`];
  await hand('hadoop', 'distcp', '-update', '-direct', '-m', '4', ...copied);
  await hand('ozone', 'sh', 'snapshot', 'create', `o3://dr/${bucket}`, 'hand-0');
};

const slotOf = (day: number): string => `2026-11-${String(day).padStart(2, '0')}T02:00:00Z`;

/** Fails unless the bucket was backed up as `mode` says. */
const backUp = async (deployment: Deployment, bucket: string, day: number, mode: string): Promise<BackupResult> => {
  const result = await deployment.backUp({ policy: 'nightly', bucket, slot: slotOf(day) });
  if (result.status !== 'SUCCEEDED' || result.output?.mode !== mode)
    throw new Error(`${bucket}: ${result.error} ${result.cause} ${JSON.stringify(result.output)}`);
  return result;
};

const bytesOfNewest = async (deployment: Deployment, bucket: string): Promise<number> => {
  const [point] = await deployment.points(bucket);
  if (point?.bytesCopied == null) throw new Error(`the newest point of ${bucket} does not say what was copied`);
  return point.bytesCopied;
};

const total = (took: Readonly<Record<string, number>>): number => Object.values(took).reduce((sum, it) => sum + it, 0);

const smallIncrements = async (clusters: OzoneClusters, deployment: Deployment, say: (line: string) => void) => {
  await backUp(deployment, BUCKETS.ours, 1, 'bootstrap');
  await firstByHand(clusters);
  const rounds: { ours: number; hand: number; bytes: number; line: readonly string[] }[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    say(`increment: round ${round} of ${ROUNDS}`);
    for (const bucket of [BUCKETS.ours, BUCKETS.hand]) await clusters.change(`ofs://prod/${bucket}`, changes(round));
    const result = await backUp(deployment, BUCKETS.ours, 1 + round, 'incremental');
    const took = await handTyped(clusters, `hand-${round - 1}`, `hand-${round}`);
    const operations = result.steps.filter((it) => it.jvmStarts !== null);
    const jvmStarts = operations.reduce((sum, it) => sum + (it.jvmStarts ?? 0), 0);
    const parts = operations.map(
      (it) => `${it.decision.kind} ${rounded(((it.observedAt ?? 0) - it.decidedAt) / 1000, 1)}`,
    );
    const byHand = Object.entries(took).map(([name, it]) => `${name} ${it.toFixed(1)}`);
    rounds.push({
      ours: result.seconds,
      hand: total(took),
      bytes: await bytesOfNewest(deployment, BUCKETS.ours),
      line: [
        `| ${round} | ${result.seconds.toFixed(1)} | ${total(took).toFixed(1)} | ${parts.join(', ')}; ${operations.length} commands, ${jvmStarts} JVM starts, ${result.transitions} transitions | ${byHand.join(', ')}; ${byHand.length} JVM starts |`,
      ],
    });
  }
  const changed = rounds.reduce((sum, _, round) => sum + CHANGED * sizeIn(round + 1), 0);
  const copied = rounds.reduce((sum, { bytes }) => sum + bytes, 0);
  const [ours, hand] = [median(rounds.map((it) => it.ours)), median(rounds.map((it) => it.hand))];
  return {
    values: { smallIncrementRatio: rounded(ours / hand, 3), bytesRatio: rounded(copied / changed, 4) },
    details: [
      `${CHANGED} of ${FILES} files, ${ROUNDS} rounds, each of ours followed by the same by hand; medians ${ours.toFixed(1)} s and ${hand.toFixed(1)} s. ${copied} bytes copied, ${changed} changed.`,
      '',
      '| round | ours, s | by hand, s | ours by step, s | by hand by step, s |',
      '|---|---|---|---|---|',
      ...rounds.flatMap(({ line }) => line),
    ],
  };
};

/** A slot of all of {@link BATCHED}; fails unless each was backed up as `mode` says. @returns seconds */
const backUpTogether = async (deployment: Deployment, day: number, mode: string): Promise<number> => {
  const from = performance.now();
  const { status, cause } = await deployment.fire(slotOf(day));
  const took = seconds(from);
  const points = await Promise.all(BATCHED.map((bucket) => deployment.points(bucket)));
  const other = points.findIndex(([it]) => it?.state !== 'verified' || it.mode !== mode);
  if (status !== 'SUCCEEDED' || other >= 0) throw new Error(`${status} ${cause} ${JSON.stringify(points[other]?.[0])}`);
  return took;
};

/** After {@link smallIncrements}, whose bucket of the bare commands goes on here. */
const together = async (clusters: OzoneClusters, say: (line: string) => void) => {
  for (const bucket of BATCHED) {
    for (const service of ['prod', 'dr']) await clusters.createBucket(`ofs://${service}/${bucket}`);
    await clusters.change(`ofs://prod/${bucket}`, content);
  }
  const deployment = await deploy({ clusters, policies: policyText(BATCHED) });
  try {
    say('increment: first copies of the buckets of a batch');
    await backUpTogether(deployment, 1, 'bootstrap');
    const rounds: { ours: number; hand: number; commands: number }[] = [];
    for (let round = ROUNDS + 1; round <= 2 * ROUNDS; round += 1) {
      say(`increment: round ${round - ROUNDS} of ${ROUNDS}, ${BATCHED.length} buckets together`);
      for (const bucket of [...BATCHED, BUCKETS.hand]) await clusters.change(`ofs://prod/${bucket}`, changes(round));
      const before = deployment.cloud.commands().length;
      const took = await backUpTogether(deployment, round, 'incremental');
      const hand = total(await handTyped(clusters, `hand-${round - 1}`, `hand-${round}`));
      rounds.push({ ours: took / BATCHED.length, hand, commands: deployment.cloud.commands().length - before });
    }
    const [ours, hand] = [median(rounds.map((it) => it.ours)), median(rounds.map((it) => it.hand))];
    return {
      values: { batchedRatio: rounded(ours / hand, 3) },
      details: [
        '',
        `${BATCHED.length} such buckets in one slot, ${ROUNDS} rounds; medians ${ours.toFixed(1)} s per bucket (that of the slot by their number) and ${hand.toFixed(1)} s for one by hand.`,
        '',
        '| round | ours per bucket, s | by hand, s | commands for all |',
        '|---|---|---|---|',
        ...rounds.map((it, n) => `| ${n + 1} | ${it.ours.toFixed(1)} | ${it.hand.toFixed(1)} | ${it.commands} |`),
      ],
    };
  } finally {
    await deployment.close();
  }
};

const rename = async (clusters: OzoneClusters, deployment: Deployment, say: (line: string) => void) => {
  const url = `ofs://prod/${BUCKETS.renamed}`;
  const until = performance.now() + FILL_MS;
  let files = 0;
  while (files < RENAMED && performance.now() < until) {
    const from = files;
    await clusters.fill(
      url,
      Array.from({ length: 1000 }, (_, i) => ({ op: 'put', path: `before/f${from + i}`, size: 100, seed: from + i })),
    );
    files += 1000;
    say(`increment: ${files} of ${RENAMED} files of the directory to rename`);
  }
  await backUp(deployment, BUCKETS.renamed, 1, 'bootstrap');
  await clusters.change(url, [{ op: 'mv', path: 'before', to: 'after' }]);
  const { seconds: took } = await backUp(deployment, BUCKETS.renamed, 2, 'incremental');
  return {
    values: { renameBytes: await bytesOfNewest(deployment, BUCKETS.renamed) },
    details: [
      '',
      `Rename of a directory of ${files} files${files < RENAMED ? ` (more could not be written in ${FILL_MS / 1000} s here)` : ''}: the backup took ${took.toFixed(1)} s.`,
    ],
  };
};

export const increment: Module = {
  name: 'increment',
  figures: ['smallIncrementRatio', 'batchedRatio', 'bytesRatio', 'renameBytes'],
  onClusters: true,
  measure: async (say) => {
    const clusters = await startOzoneClusters({ directory: '.cache/ozone/bench', log: say });
    try {
      for (const bucket of Object.values(BUCKETS))
        for (const service of ['prod', 'dr']) await clusters.createBucket(`ofs://${service}/${bucket}`);
      for (const bucket of [BUCKETS.ours, BUCKETS.hand]) await clusters.change(`ofs://prod/${bucket}`, content);
      const deployment = await deploy({ clusters, policies: policyText([BUCKETS.ours, BUCKETS.renamed]) });
      /** What fails takes no other figure with it. */
      const tried = (what: string, measured: Promise<Measured>): Promise<Measured> =>
        measured.catch((error: unknown) => {
          say(`increment: ${what}: ${error}`);
          return { values: {}, details: ['', `Not measured this time: ${what}.`] };
        });
      const results: Measured[] = [];
      try {
        results.push(await smallIncrements(clusters, deployment, say));
        results.push(await tried('the rename', rename(clusters, deployment, say)));
      } finally {
        await deployment.close();
      }
      results.push(await tried('ten buckets in a batch', together(clusters, say)));
      return {
        values: Object.assign({}, ...results.map((it) => it.values)),
        details: results.flatMap((it) => it.details),
      };
    } finally {
      await clusters.stop();
    }
  },
};
