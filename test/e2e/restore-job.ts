import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BackupOutcome } from '../../functions/core/domain/backup-step.ts';
import { PairId } from '../../functions/core/domain/names.ts';
import { type BackupResult, type Clusters, type Deployment, deploy, policyText } from '../fixtures/deployment.ts';
import type { Change, TreeEntry } from '../ozone-cluster/ozone-clusters.ts';

const BUCKET = 'sales/orders';
const SOURCE = `ofs://prod/${BUCKET}`;
const REPLICA = `ofs://dr/${BUCKET}`;

type Tree = ReadonlyMap<string, TreeEntry>;

const put = (path: string, size: number, seed: number): Change => ({ op: 'put', path, size, seed });
const slotOf = (day: number) => `2026-11-${String(day).padStart(2, '0')}T02:00:00Z`;

/** So many files that a command for each would be noticed; in a bucket of their own, which no drill has to copy. */
const MANY = 1000;
const many = Array.from({ length: MANY }, (_, n) => `d${n % 20}/f${n}`);
const PLENTY = 'sales/plenty';
const plenty = `
  plenty:
    source: prod
    replica: dr
    buckets: [${PLENTY}]
    schedules: []
    objectives: { rpo: 26h, rto: 4h }
`;

/** Nobody restores anything in the time that this policy asks for. */
const HURRIED = 'sales/hurried';
const HURRIED_RTO = 2;
const hurried = `
  hurried:
    source: prod
    replica: dr
    buckets: [${HURRIED}]
    schedules: []
    objectives: { rpo: 26h, rto: ${HURRIED_RTO}s }
    drills: { cron: '0 5 * * ? *', zone: Etc/UTC }
`;

const firstContent: readonly Change[] = [
  put('2026/q1/jan', 2000, 1),
  put('2026/q1/feb', 2001, 2),
  put('2026/q2/apr', 2002, 3),
  put('same-size', 500, 4),
  put('to-delete', 10, 5),
  put('name with blanks, %20 + [1]{x} *?', 80, 6),
  put('"quoted" \\ back', 81, 7),
  put('grün/日本', 82, 8),
  { op: 'mkdir', path: 'empty' },
];

const laterContent: readonly Change[] = [
  put('same-size', 500, 99),
  { op: 'rm', path: 'to-delete' },
  put('2026/q3/jul', 2003, 9),
  put('2026/q1/jan', 2100, 10),
];

/** What lies at a path or below, by the path that is left when `from` is taken away. */
const below = (tree: Tree, ...paths: readonly string[]): Tree =>
  new Map([...tree].filter(([path]) => paths.some((at) => path === at || path.startsWith(`${at}/`))));

/** Files only: directories come and go with them. */
const files = (tree: Tree): Tree => new Map([...tree].filter(([, { type }]) => type === 'file'));

const outcomeOf = (result: BackupResult): BackupOutcome => {
  if (result.status !== 'SUCCEEDED') throw new Error(`${result.error}: ${result.cause}`);
  return BackupOutcome.parse(result.output);
};
const plannedOf = (result: BackupResult) => {
  const outcome = outcomeOf(result);
  if (outcome.kind !== 'restore-planned') throw new Error(`${outcome.kind} instead of a plan`);
  return outcome;
};
const restoredOf = (result: BackupResult) => {
  const outcome = outcomeOf(result);
  if (outcome.kind !== 'restored') throw new Error(`${outcome.kind} instead of a restore`);
  return outcome;
};
const kinds = (result: BackupResult): readonly string[] => result.steps.map(({ decision }) => decision.kind);
const jvmStarts = (result: BackupResult): number => result.steps.reduce((sum, it) => sum + (it.jvmStarts ?? 0), 0);

/** The tools of a host, with a `hadoop` that does something to the scratch bucket right after it was copied to. */
const saboteurOf = (clusters: Clusters) => {
  const directory = mkdtempSync(join(tmpdir(), 'ozone-dr-saboteur-'));
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  const plan = join(directory, 'plan');
  writeFileSync(plan, '');
  writeFileSync(
    join(bin, 'hadoop'),
    `#!/bin/bash
${clusters.bin}/hadoop "$@"
ended=$?
target="\${@: -1}"
if [[ $1 == distcp && $target == *odr-drill-* ]]; then
  export PATH=${clusters.bin}:$PATH
  . ${plan}
fi
exit $ended
`,
  );
  const kept = join(directory, 'kept');
  writeFileSync(
    join(bin, 'ozone'),
    `#!/bin/bash
[[ -e ${kept} && $* == *'bucket delete'* ]] && { echo 'INTERNAL_ERROR it stays' >&2; exit 255; }
exec ${clusters.bin}/ozone "$@"
`,
  );
  for (const program of ['hadoop', 'ozone']) chmodSync(join(bin, program), 0o755);
  return {
    bin,
    /** Lines of bash; `$target` is the scratch bucket. */
    plans: (...lines: readonly string[]) => writeFileSync(plan, `${lines.join('\n')}\n`),
    /** Whether Ozone refuses to delete buckets. */
    keepsBuckets: (keeps: boolean) => (keeps ? writeFileSync(kept, '') : rmSync(kept)),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
};

/**
 * Restores and drills, end to end, in their order. The clusters are real or simulated; all else is what would be
 * deployed. Contents are compared by a program that is none of the product's.
 */
export const describeRestoreJob = (name: string, start: () => Promise<Clusters>): void => {
  describe(`restores on ${name}`, () => {
    let clusters: Clusters;
    let deployment: Deployment;
    let saboteur: ReturnType<typeof saboteurOf>;
    /** Both points, oldest first, and what the source held then. */
    const points: { readonly name: string; readonly created: number; readonly tree: Tree }[] = [];

    beforeAll(async () => {
      clusters = await start();
      saboteur = saboteurOf(clusters);
      await clusters.createBucket(SOURCE);
      await clusters.createBucket(REPLICA);
      await clusters.change(SOURCE, firstContent);
      deployment = await deploy({
        clusters,
        policies: `${policyText([BUCKET], "drills: { cron: '0 5 * * ? *', zone: Etc/UTC }").trimEnd()}${plenty}${hurried}`,
        hostConfig: { path: saboteur.bin },
      });
      for (const [index, changes] of [[], laterContent].entries()) {
        await clusters.change(SOURCE, changes);
        expect(await deployment.fire(slotOf(10 + index))).toMatchObject({ status: 'SUCCEEDED' });
        const [point] = await deployment.points(BUCKET);
        if (!point) throw new Error('the ledger has no point');
        points.push({ name: point.name, created: point.source.created, tree: await clusters.tree(SOURCE) });
      }
    });
    afterAll(async () => {
      await deployment?.close();
      saboteur?.remove();
      await clusters?.stop();
    });

    const pointAt = (index: number) => {
      const point = points[index];
      if (!point) throw new Error(`there is no point ${index}`);
      return point;
    };
    const restore = (input: object) =>
      deployment.restore({ policy: 'nightly', bucket: BUCKET, by: 'Ada', reason: 'a test', ...input });
    const other = async (bucket: string, changes: readonly Change[] = []) => {
      await clusters.createBucket(`ofs://prod/sales/${bucket}`);
      await clusters.change(`ofs://prod/sales/${bucket}`, changes);
      return { cluster: 'prod', bucket: `sales/${bucket}` };
    };
    /** Plans, and does what was planned with the words that the plan asks for. */
    const confirmed = async (input: object) => {
      const { plan, confirmation } = plannedOf(await restore(input));
      return restore({ ...input, plan, confirmation });
    };

    it('a file comes back beside its bucket, from the nearest copy, with two looks and one copy', async () => {
      const result = await restore({ point: pointAt(0).name, scope: { paths: ['to-delete'] } });
      const { target, from, files: count, bytesCopied } = restoredOf(result);
      expect({ from, count, bytesCopied }).toEqual({ from: 'source', count: 1, bytesCopied: 10 });
      const [bucket = ''] = target.split(' on ');
      expect(bucket).toMatch(/^sales\/orders-restore-\d{8}t\d{6}z$/);
      expect(files(await clusters.tree(`ofs://prod/${bucket}`))).toEqual(below(pointAt(0).tree, 'to-delete'));
      expect(kinds(result)).toEqual(['examine', 'create-target', 'restore', 'compare', 'done']);
      expect(jvmStarts(result)).toBeLessThanOrEqual(6);
    });

    it('the whole bucket comes back as it was at a time', async () => {
      const asOf = new Date(pointAt(1).created - 1).toISOString();
      const { target, point } = restoredOf(await restore({ asOf }));
      expect(point).toBe(pointAt(0).name);
      expect(await clusters.tree(`ofs://prod/${target.split(' on ')[0]}`)).toEqual(pointAt(0).tree);
    });

    it.each([
      ['a prefix', { prefix: '2026/q1' }, ['2026/q1']],
      ['a glob', { glob: '2026/*/j*' }, ['2026/q1/jan', '2026/q3/jul']],
      [
        'names that a shell or a pattern would read otherwise',
        { paths: ['name with blanks, %20 + [1]{x} *?', '"quoted" \\ back', 'grün'] },
        ['name with blanks, %20 + [1]{x} *?', '"quoted" \\ back', 'grün'],
      ],
    ] as const)('%s comes back at its relative paths, and nothing else', async (what, scope, paths) => {
      const target = await other(`to-${what.replace(/[^a-z0-9]/g, '').slice(0, 30)}`);
      const result = await restore({ point: pointAt(1).name, scope, target });
      const { leftAlone } = restoredOf(result);
      expect(leftAlone).toBe(0);
      expect(files(await clusters.tree(`ofs://prod/${target.bucket}`))).toEqual(
        files(below(pointAt(1).tree, ...paths)),
      );
      expect(jvmStarts(result)).toBeLessThanOrEqual(6);
    });

    it(`${MANY} paths come back by one command`, async () => {
      await clusters.createBucket(`ofs://prod/${PLENTY}`);
      await clusters.createBucket(`ofs://dr/${PLENTY}`);
      const changes = many.map((path, n) => put(path, 10 + (n % 7), n));
      await clusters.change(`ofs://prod/${PLENTY}`, [...changes, put('not-asked-for', 1, 1)]);
      expect(await deployment.backUp({ policy: 'plenty', bucket: PLENTY })).toMatchObject({ status: 'SUCCEEDED' });
      const [point] = await deployment.points(PLENTY);
      const target = await other('to-many');
      const input = { policy: 'plenty', bucket: PLENTY, point: point?.name, scope: { paths: many }, target };
      const result = await restore(input);
      expect(restoredOf(result)).toMatchObject({ files: MANY, leftAlone: 0 });
      const tree = files(await clusters.tree(`ofs://prod/${target.bucket}`));
      expect(tree).toEqual(files(below(await clusters.tree(`ofs://prod/${PLENTY}`), ...many)));
      expect(tree.size).toBe(MANY);
      expect(jvmStarts(result)).toBeLessThanOrEqual(6);
    });

    it('overwrites nothing unless it is told to, and then keeps what was there', async () => {
      const mine = [put('same-size', 500, 7), put('2026/q1/jan', 5, 8), put('mine', 9, 9)];
      const target = await other('conflicts', mine);
      const url = `ofs://prod/${target.bucket}`;
      const before = await clusters.tree(url);
      const want = pointAt(1).tree;

      const { leftAlone } = restoredOf(await restore({ point: pointAt(1).name, target }));
      expect(leftAlone).toBe(2);
      const kept = await clusters.tree(url);
      expect(files(kept)).toEqual(new Map([...files(want), ...files(before)]));

      const input = { point: pointAt(1).name, target, overwrite: 'if-different' };
      const { safetySnapshot } = restoredOf(await confirmed(input));
      expect(files(await clusters.tree(url))).toEqual(new Map([...files(before), ...files(want)]));
      expect(await clusters.tree(`${url}/.snapshot/${safetySnapshot}`)).toEqual(kept);

      await clusters.change(url, [put('same-size', 500, 77)]);
      const all = { point: pointAt(1).name, target, overwrite: 'always', deleteExtra: true };
      expect(restoredOf(await confirmed(all)).bytesCopied).toBeGreaterThan(2000);
      expect(await clusters.tree(url)).toEqual(want);
    });

    it('in place only with the words of the plan, once, and the next backup is an increment', async () => {
      await clusters.change(SOURCE, [put('damage', 5, 50), { op: 'rm', path: '2026/q2/apr' }, put('same-size', 7, 51)]);
      const damaged = await clusters.tree(SOURCE);
      const input = { point: pointAt(1).name, target: 'in-place', overwrite: 'if-different', deleteExtra: true };
      const { plan, confirmation, summary } = plannedOf(await restore(input));
      expect(summary).toContain('1 that the point has not are deleted');
      expect(await clusters.tree(SOURCE)).toEqual(damaged);

      const wrong = await restore({ ...input, plan, confirmation: 'overwrite it' });
      expect(wrong).toMatchObject({ status: 'FAILED', error: 'NotConfirmed' });
      const another = await restore({ ...input, point: pointAt(0).name, plan, confirmation });
      expect(another).toMatchObject({ status: 'FAILED', error: 'NotConfirmed' });
      expect(await clusters.tree(SOURCE)).toEqual(damaged);

      const { safetySnapshot } = restoredOf(await restore({ ...input, plan, confirmation }));
      expect(await clusters.tree(SOURCE)).toEqual(pointAt(1).tree);
      expect(await clusters.tree(`${SOURCE}/.snapshot/${safetySnapshot}`)).toEqual(damaged);
      const again = await restore({ ...input, plan, confirmation });
      expect(again).toMatchObject({ status: 'FAILED', error: 'NotConfirmed' });

      const { status, error, cause } = await deployment.backUp({ policy: 'nightly', bucket: BUCKET });
      expect({ status, error, cause }).toEqual({ status: 'SUCCEEDED' });
      const [newest] = await deployment.points(BUCKET);
      expect(newest).toMatchObject({ state: 'verified', mode: 'incremental' });
      expect(await clusters.tree(`${REPLICA}/.snapshot/${newest?.name}`)).toEqual(pointAt(1).tree);
    });

    it('what is not in the point, or could leave the bucket, is refused as a whole', async () => {
      const ask = async (scope: object) => {
        const { status, error } = await restore({ point: pointAt(1).name, scope });
        return `${status} ${error}`;
      };
      expect(await ask({ paths: ['same-size', 'never-there'] })).toBe('FAILED PathsNotFound');
      expect(await ask({ glob: 'nothing/*' })).toBe('FAILED PathsNotFound');
      for (const path of ['../other', '/etc/passwd', 'a//b', 'a\nb', '.snapshot/x', 'a/..'])
        expect(await ask({ paths: [path] })).toBe('FAILED EventInvalid');
      const { status, error } = await restore({ point: pointAt(1).name, target: { cluster: 'dr', bucket: BUCKET } });
      expect(`${status} ${error}`).toBe('FAILED TargetNotOurs');
      expect((await deployment.points(BUCKET)).flatMap(({ pins }) => pins)).toEqual([]);
    });

    describe('a drill', () => {
      const drill = (input: object = {}) => deployment.drill({ policy: 'nightly', bucket: BUCKET, ...input });
      const scratches = async () => [
        ...((await clusters.ozone('sh', 'bucket', 'list', 'o3://dr/sales')).match(/odr-drill-[a-z0-9.-]+/g) ?? []),
      ];

      it('is started by its schedule for the bucket whose turn it is, and once', async () => {
        const slot = '2026-11-12T05:00:00Z';
        const before = deployment.cloud.executions('ozone-dr-drill').length;
        expect(await deployment.fire(slot, 'drill')).toMatchObject({ status: 'SUCCEEDED' });
        expect(await deployment.fire(slot, 'drill')).toMatchObject({ status: 'SUCCEEDED' });
        expect(deployment.cloud.executions('ozone-dr-drill').length).toBe(before + 1);
        const { lastDrill, scratch, lease } = await deployment.ledger.loadPair(
          PairId.parse(`prod/${BUCKET}#drill-nightly`),
        );
        expect({ scratch, lease }).toEqual({ scratch: null, lease: null });
        const newest = (await deployment.points(BUCKET)).find(({ state }) => state === 'verified');
        expect(lastDrill).toEqual({ point: newest?.name, drill: newest?.drilled });
        // It has passed: the next slot leaves the bucket alone.
        expect(await deployment.fire('2026-11-13T05:00:00Z', 'drill')).toMatchObject({ status: 'SUCCEEDED' });
        expect(deployment.cloud.executions('ozone-dr-drill').length).toBe(before + 1);
      });

      it('passes on a good copy, compares with the source, leaves nothing behind, and marks the point', async () => {
        const outcome = outcomeOf(await drill({ point: pointAt(1).name }));
        expect(outcome).toMatchObject({ kind: 'drilled', from: 'replica', against: `${pointAt(1).name} on prod` });
        expect(await scratches()).toEqual([]);
        const marked = (await deployment.points(BUCKET)).find((it) => it.name === pointAt(1).name);
        expect(marked).toMatchObject({ drilled: { from: 'replica' }, pins: [] });
      });

      const file = (length: number) => `head -c ${length} /dev/zero >sabotage`;
      it.each([
        ['one file of the same length is another', [file(500), 'hadoop fs -put -f sabotage "$target/same-size"']],
        ['a file is missing', ['hadoop fs -rm -skipTrash "$target/2026/q3/jul"']],
        ['a file is extra', [file(1), 'hadoop fs -put sabotage "$target/extra"']],
        ['a file is cut short', [file(400), 'hadoop fs -put -f sabotage "$target/same-size"']],
        ['it is another point', ['hadoop distcp -update -direct "$another" "$target"']],
      ])('fails when %s, and still removes its scratch', async (_what, sabotage) => {
        saboteur.plans(`another=${REPLICA}/.snapshot/${pointAt(0).name}`, ...sabotage);
        const result = await drill({ point: pointAt(1).name });
        saboteur.plans('');
        if (result.error !== 'RestoreDiffers') throw new Error(result.cause);
        expect(await scratches()).toEqual([]);
      });

      it('fails when its scratch cannot be removed, and the next one removes both', async () => {
        saboteur.keepsBuckets(true);
        const result = await drill({ point: pointAt(1).name });
        saboteur.keepsBuckets(false);
        expect(result).toMatchObject({ status: 'FAILED', error: 'ScratchNotRemoved' });
        expect(await scratches()).toHaveLength(1);
        expect(outcomeOf(await drill({ point: pointAt(1).name }))).toMatchObject({ kind: 'drilled' });
        expect(await scratches()).toEqual([]);
      });

      it('fails when it takes longer than the objective, though the content is equal', async () => {
        for (const cluster of ['prod', 'dr']) await clusters.createBucket(`ofs://${cluster}/${HURRIED}`);
        await clusters.change(`ofs://prod/${HURRIED}`, [put('small', 10, 60)]);
        expect(await deployment.backUp({ policy: 'hurried', bucket: HURRIED })).toMatchObject({ status: 'SUCCEEDED' });
        saboteur.plans(`sleep ${HURRIED_RTO + 1}`);
        const result = await drill({ policy: 'hurried', bucket: HURRIED });
        saboteur.plans('');
        expect(result).toMatchObject({ status: 'FAILED', error: 'RestoreTooSlow' });
        expect(result.cause).toContain('The content was equal');
        expect(await scratches()).toEqual([]);
        expect((await deployment.points(HURRIED)).map(({ drilled }) => drilled)).toEqual([null]);
      });

      it('fails when the copy on the replica cannot be read', async () => {
        const victim = pointAt(0).name;
        await clusters.ozone('sh', 'snapshot', 'delete', `o3://dr/${BUCKET}`, victim);
        expect(await drill({ point: victim })).toMatchObject({ status: 'FAILED', error: 'PointGone' });
        expect(await scratches()).toEqual([]);
      });
    });

    it('a bucket that is gone comes back in place, from the replica', async () => {
      const source = `o3://prod/${BUCKET}`;
      const listed = JSON.parse(await clusters.ozone('sh', 'snapshot', 'list', '--all', source));
      for (const { name: snapshot, snapshotStatus } of listed)
        if (snapshotStatus === 'SNAPSHOT_ACTIVE') await clusters.ozone('sh', 'snapshot', 'delete', source, snapshot);
      const input = { point: pointAt(1).name, target: { cluster: 'dr', bucket: 'sales/orders-rescued' } };
      const { from, target } = restoredOf(await restore(input));
      expect({ from, target }).toEqual({ from: 'replica', target: 'sales/orders-rescued on dr' });
      expect(await clusters.tree('ofs://dr/sales/orders-rescued')).toEqual(pointAt(1).tree);
    });
  });
};
