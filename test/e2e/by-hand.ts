import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePolicies } from '../../cdk/config/load-policies.ts';
import { recoveryPlan } from '../../functions/cli/recovery/text.ts';
import { BackupOutcome } from '../../functions/core/domain/backup-step.ts';
import { resolvePolicies } from '../../functions/core/domain/policy.ts';
import { type Clusters, type Deployment, deploy, policyText } from '../fixtures/deployment.ts';
import type { Change } from '../ozone-cluster/ozone-clusters.ts';

const BUCKET = 'sales/orders';
const SOURCE = `ofs://prod/${BUCKET}`;
const FILE = '2026/q1/jan';

const put = (path: string, size: number, seed: number): Change => ({ op: 'put', path, size, seed });
const content: readonly Change[] = [
  put(FILE, 2000, 1),
  put('2026/q1/feb', 2001, 2),
  put('name with blanks', 80, 3),
  put('at-the-root', 81, 4),
  { op: 'mkdir', path: 'empty' },
];

/** The tools of a host, with a journal of every `hadoop` that was started. */
const journaled = (bin: string) => {
  const directory = mkdtempSync(join(tmpdir(), 'ozone-dr-by-hand-'));
  const tools = join(directory, 'bin');
  const journal = join(directory, 'journal');
  mkdirSync(tools);
  writeFileSync(join(tools, 'ozone'), `#!/bin/bash\nexec ${bin}/ozone "$@"\n`);
  writeFileSync(
    join(tools, 'hadoop'),
    `#!/bin/bash\nprintf '%s\\t' "$@" >>${journal}; echo >>${journal}\nexec ${bin}/hadoop "$@"\n`,
  );
  writeFileSync(join(tools, 'systemctl'), `#!/bin/bash\necho "systemctl $*"\n`);
  for (const program of ['ozone', 'hadoop', 'systemctl']) chmodSync(join(tools, program), 0o755);
  return {
    tools,
    directory,
    /** What wrote since the last time, as far as hands and workflow can be compared: without settings, clusters and names of targets. */
    writes: (): readonly string[] => {
      const lines = existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').slice(0, -1) : [];
      rmSync(journal, { force: true });
      return lines
        .map((line) => line.split('\t').slice(0, -1))
        .map((words) => words.filter((word, n) => word !== '-D' && words[n - 1] !== '-D'))
        .filter(([program, verb]) => program === 'distcp' || verb === '-mkdir')
        .map((words) =>
          words
            .map((word) =>
              word
                .replace(/^ofs:\/\/[a-z]+\//, 'ofs://')
                .replace(/orders-(rescued|restore-[0-9tz]+)/, 'orders-beside')
                .replace(/\/\.$/, ''),
            )
            .join(' '),
        );
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
};

/** The recovery plan, typed: what it says by hand works on clusters without AWS, and is what the workflow runs. */
export const describeByHand = (name: string, start: () => Promise<Clusters>): void => {
  describe(`the recovery plan by hand on ${name}`, () => {
    let clusters: Clusters;
    let deployment: Deployment;
    let journal: ReturnType<typeof journaled>;
    let point: string;

    beforeAll(async () => {
      clusters = await start();
      journal = journaled(clusters.bin);
      await clusters.createBucket(SOURCE);
      await clusters.createBucket(`ofs://dr/${BUCKET}`);
      await clusters.change(SOURCE, content);
      deployment = await deploy({ clusters, policies: policyText([BUCKET]), hostConfig: { path: journal.tools } });
      expect(await deployment.backUp({ policy: 'nightly', bucket: BUCKET })).toMatchObject({ status: 'SUCCEEDED' });
      point = (await deployment.points(BUCKET))[0]?.name ?? '';
      journal.writes();
    });
    afterAll(async () => {
      await deployment?.close();
      journal?.remove();
      await clusters?.stop();
    });

    const plan = recoveryPlan({
      policies: resolvePolicies(parsePolicies(policyText([BUCKET]), 'test')),
      source: 'test',
      known: null,
    });
    /** Types a block of the plan, with a value for each variable that it leaves to the person. */
    const type = async (
      kind: string,
      values: Readonly<Record<string, string>>,
      changed = (line: string): string => line,
    ): Promise<string> => {
      const block = new RegExp(`<!-- ${kind} -->\n\`\`\`bash\n([\\s\\S]*?)\n\`\`\``).exec(plan)?.[1] ?? '';
      const lines = block
        .split('\n')
        .map(changed)
        .map((line) => line.replace(/^([A-Z]+)=\S+ .*$/, (_, variable) => `${variable}='${values[variable]}'`));
      const { stdout } = await promisify(execFile)('/bin/bash', ['-e', '-c', lines.join('\n')], {
        cwd: journal.directory,
        env: { PATH: `${journal.tools}:/usr/bin:/bin`, LC_ALL: 'C.UTF-8', HOME: '/root' },
        maxBuffer: 1 << 26,
      });
      return stdout;
    };
    const restore = async (input: object) => {
      const asked = { policy: 'nightly', bucket: BUCKET, point, by: 'Ada', reason: 'a test', ...input };
      const { output, status, cause } = await deployment.restore(asked);
      if (status !== 'SUCCEEDED') throw new Error(cause);
      return output?.kind === 'restore-planned'
        ? deployment.restore({ ...asked, plan: output.plan, confirmation: output.confirmation })
        : undefined;
    };

    it('a file', async () => {
      const printed = await type('file', { POINT: point, FILE });
      const typed = journal.writes();
      const rescued = await clusters.tree('ofs://prod/sales/orders-rescued');
      expect(rescued.get(FILE)).toEqual((await clusters.tree(SOURCE)).get(FILE));
      expect([...rescued.keys()]).toEqual(['2026', '2026/q1', FILE]);
      const sums = printed.match(/COMPOSITE-CRC32\t[0-9a-f]+/g) ?? [];
      expect(sums).toHaveLength(2);
      expect(new Set(sums).size).toBe(1);

      await restore({ scope: { paths: [FILE] } });
      expect(journal.writes()).toEqual(typed);
      await clusters.ozone('sh', 'bucket', 'delete', '-r', '--yes', 'o3://prod/sales/orders-rescued');
    });

    it('a bucket, beside it', async () => {
      expect(await type('bucket', { POINT: point })).toMatch(/\nequal\n$/);
      const typed = journal.writes();
      expect(await clusters.tree('ofs://prod/sales/orders-rescued')).toEqual(await clusters.tree(SOURCE));
      await restore({});
      expect(journal.writes()).toEqual(typed);
    });

    it('a bucket, in place', async () => {
      const good = await clusters.tree(SOURCE);
      const damage = [put(FILE, 7, 70), put('damage', 5, 50), { op: 'rm', path: '2026/q1/feb' } as const];
      await clusters.change(SOURCE, damage);
      const damaged = await clusters.tree(SOURCE);
      expect(await type('in-place', { POINT: point })).toMatch(/\nequal\n$/);
      const typed = journal.writes();
      expect(await clusters.tree(SOURCE)).toEqual(good);
      expect(await clusters.tree(`${SOURCE}/.snapshot/restore-safety-by-hand`)).toEqual(damaged);

      await clusters.change(SOURCE, damage);
      await restore({ target: 'in-place', overwrite: 'if-different', deleteExtra: true });
      expect(journal.writes()).toEqual(typed);
      expect(await clusters.tree(SOURCE)).toEqual(good);
    });

    it('a cluster, to a new one', async () => {
      // There are two clusters here: the one that has the replica stands for the new one, under another volume.
      const printed = await type('cluster', { POINT: point, NEW: 'dr' }, (line) =>
        line.replaceAll('$NEW/sales', '$NEW/elsewhere'),
      );
      expect(printed).toMatch(/\nequal\n$/);
      expect(await clusters.tree('ofs://dr/elsewhere/orders')).toEqual(await clusters.tree(SOURCE));
    });

    const replica = `ofs://dr/${BUCKET}`;
    const moved = async (machine: 'failover' | 'failback', input: object) => {
      const start = async (more: object) => {
        const request = { policy: 'nightly', bucket: BUCKET, by: 'Ada', reason: 'a test', ...input, ...more };
        const arn = deployment.cloud.startExecution(`ozone-dr-${machine}`, request);
        const { status, cause, output } = await deployment.cloud.executionEnded(arn);
        if (status !== 'SUCCEEDED') throw new Error(cause);
        return BackupOutcome.parse(output);
      };
      const planned = await start({});
      if (planned.kind !== 'restore-planned') throw new Error(`${planned.kind} instead of a plan`);
      return start({ plan: planned.plan, confirmation: planned.confirmation });
    };

    it('the edge hosts are stopped, and say when no copy is at work', async () => {
      const state = join(journal.directory, 'state');
      mkdirSync(join(state, 'buckets/dr+sales+orders'), { recursive: true });
      mkdirSync(join(state, 'buckets/prod+sales+orders'), { recursive: true });
      for (const kind of ['failover-stop', 'failback-stop'])
        expect(await type(kind, {}, (line) => line.replace('/var/lib/ozone-dr', state))).toBe(
          'systemctl disable --now amazon-ssm-agent\nfree\n',
        );
    });

    it('a failover of a lost source, of which the ledger is told when people have written to the new primary', async () => {
      const good = await clusters.tree(`${replica}/.snapshot/${point}`);
      const halfApplied = [put('half', 6, 60), { op: 'rm', path: FILE } as const];
      await clusters.change(replica, halfApplied);
      const damaged = await clusters.tree(replica);
      journal.writes();
      const printed = await type('failover', { POINT: point });
      const typed = journal.writes();
      // What was cut off is shown first; afterwards nothing differs.
      expect(printed).toMatch(/^> .*"half"/m);
      expect(printed.match(/^equal$/gm)).toHaveLength(1);
      expect(await clusters.tree(replica)).toEqual(good);
      expect(await clusters.tree(`${replica}/.snapshot/restore-safety-by-hand`)).toEqual(damaged);
      expect(await clusters.tree(`${replica}/.snapshot/failover-by-hand`)).toEqual(good);

      await clusters.change(replica, [put('written-on-dr', 70, 7), put('2026/q1/feb', 2001, 71)]);
      const written = await clusters.tree(replica);
      const done = await moved('failover', { kind: 'unplanned', point });
      expect(journal.writes()).toEqual(typed);
      if (done.kind !== 'failed-over') throw new Error(done.kind);
      expect(await clusters.tree(replica)).toEqual(good);
      expect(await type('failover-told', { POINT: done.safetySnapshot ?? '' })).toMatch(/^equal$/m);
      expect(await clusters.tree(replica)).toEqual(written);
      expect((await deployment.pair(BUCKET)).role).toMatchObject({ primary: 'replica', state: 'settled', point });
    });

    it('a failback, of which the ledger is told when people have written to the old primary', async () => {
      const orphans = [put('only here (1) + [2] $3', 30, 31), put('2026/q3/jul', 32, 33), put('at-the-root', 81, 34)];
      await clusters.change(SOURCE, orphans);
      const old = await clusters.tree(SOURCE);
      const printed = await type('failback-keep', { COMMON: point });
      expect(printed).toMatch(/^all kept\nequal$/m);
      const kept = await clusters.tree('ofs://prod/sales/orders-orphans');
      for (const path of ['only here (1) + [2] $3', '2026/q3/jul', 'at-the-root'])
        expect(kept.get(path)).toEqual(old.get(path));
      expect(kept.has('name with blanks')).toBe(false);

      expect(await type('failback-round', {})).toMatch(/^equal$/m);
      await clusters.change(replica, [put('while-they-went-on', 12, 13)]);
      expect((await type('failback-switch', {})).match(/^equal$/gm)).toHaveLength(2);
      expect(await clusters.tree(SOURCE)).toEqual(await clusters.tree(replica));

      await clusters.change(SOURCE, [put('back-at-home', 14, 15)]);
      const home = await clusters.tree(SOURCE);
      const again = (line: string) => line.replaceAll('failover-by-hand', 'told-by-hand');
      expect((await type('failover-planned', {}, again)).match(/^equal$/gm)).toHaveLength(2);
      expect(await clusters.tree(replica)).toEqual(home);
      expect(await moved('failback', { kind: 'prepare' })).toMatchObject({ kind: 'failback-prepared', bytesCopied: 0 });
      expect(await moved('failback', { kind: 'switch' })).toMatchObject({ kind: 'failed-over', to: 'prod' });
      expect(await clusters.tree(SOURCE)).toEqual(home);
      expect((await deployment.pair(BUCKET)).role).toMatchObject({ primary: 'source', state: 'settled' });
      expect(await deployment.backUp({ policy: 'nightly', bucket: BUCKET })).toMatchObject({ status: 'SUCCEEDED' });
      expect((await deployment.points(BUCKET))[0]).toMatchObject({ state: 'verified', mode: 'incremental' });
    });
  });
};
