// A small increment (10 of 1,000 files) on two real clusters: this product against the same steps typed by hand.
// `npm run bench:small-increment [-- <runs>]`. Both sides work on buckets of their own with the same content and changes.
import { execFile } from 'node:child_process';
import { cpus } from 'node:os';
import { promisify } from 'node:util';
import { deploy, policyText } from '../fixtures/deployment.ts';
import { type Change, startOzoneClusters } from '../ozone-cluster/ozone-clusters.ts';

const FILES = 1000;
const CHANGED = 10;
const runs = Number(process.argv[2] ?? 3);

const clusters = await startOzoneClusters({ directory: '.cache/ozone/bench', log: console.error });
const seconds = (from: number) => Math.round((performance.now() - from) / 10) / 100;
const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** The bare commands, one CLI call each, all flags right: what a careful person types. */
const handTyped = async (base: string, target: string): Promise<Record<string, number>> => {
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

try {
  for (const name of ['orders', 'by-hand'])
    for (const service of ['prod', 'dr']) await clusters.createBucket(`ofs://${service}/sales/${name}`);
  const content: Change[] = Array.from({ length: FILES }, (_, i) => ({
    op: 'put',
    path: `d${i % 10}/f${i}`,
    size: 1000 + i,
    seed: i,
  }));
  const changes = (round: number): Change[] =>
    Array.from({ length: CHANGED }, (_, i) => ({
      op: 'put',
      path: `d${i}/f${i}`,
      size: 2000 + round,
      seed: 1000 * round + i,
    }));
  for (const name of ['orders', 'by-hand']) await clusters.change(`ofs://prod/sales/${name}`, content);

  const deployment = await deploy({ clusters, policies: policyText(['sales/orders']) });
  const backUp = (day: number) =>
    deployment.backUp({
      policy: 'nightly',
      bucket: 'sales/orders',
      slot: `2026-11-${String(day).padStart(2, '0')}T02:00:00Z`,
    });
  const first = await backUp(1);
  if (first.status !== 'SUCCEEDED') throw new Error(first.cause);
  const hand = (...args: string[]) =>
    promisify(execFile)(`${clusters.bin}/${args[0]}`, args.slice(1), { maxBuffer: 1 << 28 });
  await hand('ozone', 'sh', 'snapshot', 'create', 'o3://prod/sales/by-hand', 'hand-0');
  await hand(
    'hadoop',
    'distcp',
    '-update',
    '-direct',
    '-m',
    '4',
    'ofs://prod/sales/by-hand/.snapshot/hand-0',
    'ofs://dr/sales/by-hand',
  );
  await hand('ozone', 'sh', 'snapshot', 'create', 'o3://dr/sales/by-hand', 'hand-0');

  const ours: number[] = [];
  const bare: number[] = [];
  const rows: string[] = [];
  for (let round = 1; round <= runs; round += 1) {
    await clusters.change('ofs://prod/sales/orders', changes(round));
    await clusters.change('ofs://prod/sales/by-hand', changes(round));
    const result = await backUp(1 + round);
    if (result.status !== 'SUCCEEDED') throw new Error(result.cause);
    const took = await handTyped(`hand-${round - 1}`, `hand-${round}`);
    const total = Object.values(took).reduce((sum, it) => sum + it, 0);
    ours.push(result.seconds);
    bare.push(total);
    const operations = result.steps.filter((it) => it.jvmStarts !== null);
    const parts = operations.map(
      (it) => `${it.decision.kind} ${(((it.observedAt ?? 0) - it.decidedAt) / 1000).toFixed(1)}`,
    );
    rows.push(
      `run ${round}: ours ${result.seconds.toFixed(1)} s (${parts.join(', ')}; ${result.transitions} transitions, ${operations.length} remote commands, ${operations.reduce((sum, it) => sum + (it.jvmStarts ?? 0), 0)} JVM starts)`,
    );
    rows.push(
      `       by hand ${total.toFixed(1)} s (${Object.entries(took)
        .map(([name, it]) => `${name} ${it.toFixed(1)}`)
        .join(', ')}; ${Object.keys(took).length} JVM starts)`,
    );
  }
  await deployment.close();
  console.log(
    `${FILES} files, ${CHANGED} changed; ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}; ${new Date().toISOString().slice(0, 10)}`,
  );
  for (const row of rows) console.log(row);
  console.log(
    `medians: ours ${median(ours).toFixed(1)} s, by hand ${median(bare).toFixed(1)} s, ratio ${(median(ours) / median(bare)).toFixed(2)}`,
  );
} finally {
  await clusters.stop();
}
