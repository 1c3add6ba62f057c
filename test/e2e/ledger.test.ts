import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DeleteCommand, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { dynamoRecords } from '../../functions/adapters/dynamodb/records.ts';
import { keys } from '../../functions/adapters/dynamodb/table.ts';
import { sha256 } from '../../functions/adapters/sha256.ts';
import { ledgerVerify } from '../../functions/cli/ledger-verify.ts';
import type { Output } from '../../functions/cli/options.ts';
import { MonthlyReport } from '../../functions/cli/report/model.ts';
import { report } from '../../functions/cli/report.ts';
import { PairId } from '../../functions/core/domain/names.ts';
import type { Records } from '../../functions/core/ports.ts';
import { problemsOfMarkup } from '../demo/markup.ts';
import { type Deployment, deploy, policyText } from '../fixtures/deployment.ts';
import { root } from '../local-cloud/world.ts';
import { createSimulator, type OzoneSimulator } from '../ozone-simulator/simulator.ts';

const project = fileURLToPath(new URL('../../', import.meta.url));
const [GOOD, FOREIGN] = ['sales/orders', 'sales/taken'] as const;
const good = PairId.parse(`prod/${GOOD}#dr`);
const foreign = PairId.parse(`prod/${FOREIGN}#dr`);

describe('npm run ledger:verify and npm run report, on the ledger of runs of the deployed form', () => {
  let clusters: OzoneSimulator;
  let deployment: Deployment;
  let records: Records;
  const folder = mkdtempSync(join(tmpdir(), 'ozone-dr-verify-'));

  beforeAll(async () => {
    const from = new Date('2026-11-10T03:00:00Z');
    clusters = await createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-verify-clusters-')) });
    const setTime = (at: number) => clusters.inProcess.setClock({ now: at, skewMs: {} });
    setTime(from.getTime());
    for (const bucket of [GOOD, FOREIGN])
      for (const side of ['prod', 'dr']) await clusters.createBucket(`ofs://${side}/${bucket}`);
    await clusters.change(`ofs://prod/${GOOD}`, [{ op: 'put', path: 'one', size: 10, seed: 1 }]);
    await clusters.change(`ofs://dr/${FOREIGN}`, [{ op: 'put', path: 'not-ours', size: 10, seed: 2 }]);
    deployment = await deploy({
      clusters,
      policies: policyText([GOOD, FOREIGN]),
      clock: { virtualFrom: from },
      duration: () => 2,
      onEvent: (event) => {
        if (event.kind === 'command' && event.status === 'InProgress') setTime(event.at);
      },
    });
    records = dynamoRecords(deployment.cloud.table());
    expect(await deployment.backUp({ policy: 'nightly', bucket: GOOD })).toMatchObject({ status: 'SUCCEEDED' });
    await deployment.cloud.advanceBy(3600);
    await clusters.change(`ofs://prod/${GOOD}`, [{ op: 'put', path: 'two', size: 10, seed: 3 }]);
    await deployment.backUp({ policy: 'nightly', bucket: GOOD });
    await deployment.backUp({ policy: 'nightly', bucket: FOREIGN });
  });
  afterAll(async () => {
    await deployment?.close();
    await clusters?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const environment = () => ({
    AWS_ENDPOINT_URL: deployment.cloud.endpoint,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: root,
    AWS_SECRET_ACCESS_KEY: 'local',
  });
  interface Ended {
    readonly code: number | null;
    readonly stdout: string;
    readonly stderr: string;
  }
  /** As a person starts it. */
  const program = (...args: readonly string[]) =>
    new Promise<Ended>((resolve, reject) => {
      const child = spawn(process.execPath, ['--import', 'tsx', 'functions/cli/ledger-verify.ts', ...args], {
        cwd: project,
        env: { PATH: process.env.PATH, NODE_NO_WARNINGS: '1', ...environment() },
      });
      const text = { stdout: '', stderr: '' };
      for (const name of ['stdout', 'stderr'] as const)
        child[name].setEncoding('utf8').on('data', (chunk: string) => {
          text[name] += chunk;
        });
      child.on('error', reject).on('close', (code) => resolve({ code, ...text }));
    });
  /** A command in this process. */
  const run = async (
    command: (args: readonly string[], output: Output) => Promise<number>,
    args: readonly string[],
  ): Promise<Ended> => {
    const text = { stdout: '', stderr: '' };
    for (const [name, value] of Object.entries(environment())) vi.stubEnv(name, value);
    try {
      const code = await command(args, {
        out: (it) => {
          text.stdout += it;
        },
        err: (it) => {
          text.stderr += it;
        },
      });
      return { code, ...text };
    } finally {
      vi.unstubAllEnvs();
    }
  };
  const verify = (...args: readonly string[]) => run(ledgerVerify, args);
  const headOf = async (pair: PairId) => {
    const last = (await records.links(pair)).at(-1);
    return `${pair}=${last?.n}:${last?.hash}`;
  };
  const key = (n: number) => keys.record(good, n);
  const table = () => deployment.cloud.table();
  const itemOf = async (n: number) => {
    const { client, name: TableName } = table();
    return (await client.send(new GetCommand({ TableName, Key: key(n) }))).Item;
  };
  const put = async (Item: Record<string, unknown> | undefined) => {
    const { client, name: TableName } = table();
    await client.send(new PutCommand({ TableName, Item }));
  };
  const remove = async (Key: Record<string, unknown>) => {
    const { client, name: TableName } = table();
    await client.send(new DeleteCommand({ TableName, Key }));
  };

  it('what was done is recorded: comparisons and ends of runs, in their order', async () => {
    const told = (await records.read(good)).map(({ happening }) =>
      happening.kind === 'run-ended' ? `${happening.kind} ${happening.status}` : happening.kind,
    );
    expect(told).toEqual(['verified', 'run-ended succeeded', 'verified', 'run-ended succeeded']);
    expect((await records.read(foreign)).map(({ happening }) => happening)).toMatchObject([
      { kind: 'run-ended', status: 'failed', summary: expect.stringMatching(/^ReplicaNotOurs: /) },
    ]);
  });

  it('all chains are whole, with their heads', async () => {
    const { code, stdout, stderr } = await program();
    expect(stderr).toBe('');
    expect(stdout).toBe(
      `${await headOf(good)}\n  whole, 4 entries\n${await headOf(foreign)}\n  whole, 1 entry\n` +
        'ozone-dr-ledger: 2 chains, 0 broken, compared with 0 noted heads\n',
    );
    expect(code).toBe(0);
  });

  it('one pair, as JSON, whose output serves as the note for later', async () => {
    const { code, stdout } = await verify('--pair', good, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ schema: 1, chains: [{ pair: good, entries: 4, broken: null }] });
    expect(code).toBe(0);
    writeFileSync(join(folder, 'noted.json'), stdout);
    expect(await verify('--since', join(folder, 'noted.json'))).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('compared with 1 noted head\n'),
    });
  });

  it('a changed entry is found and named, and the others go on', async () => {
    const { client, name: TableName } = table();
    const old = await itemOf(2);
    await client.send(
      new UpdateCommand({
        TableName,
        Key: key(2),
        UpdateExpression: 'SET #text = :text',
        ExpressionAttributeNames: { '#text': 'text' },
        ExpressionAttributeValues: { ':text': String(old?.text).replace('succeeded', 'failed') },
      }),
    );
    const { code, stdout } = await program();
    expect(stdout).toContain(`${good}\n  BROKEN at entry 2: the entry was changed`);
    expect(stdout).toContain(`${await headOf(foreign)}\n  whole`);
    expect(code).toBe(1);
    await put(old);
  });

  it('a missing entry is found', async () => {
    const old = await itemOf(3);
    await remove(key(3));
    expect(await verify('--pair', good)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('BROKEN at entry 3: the entry is missing'),
    });
    await put(old);
  });

  it('something that stands there under another kind of key is found, and keeps nobody from recording', async () => {
    const strange = { ...key(1), sk: 'note' };
    await put({ ...strange, remark: 'by hand' });
    expect(await verify('--pair', good)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('BROKEN at entry 5'),
    });
    await remove(strange);
    await put({ pk: 'LEDGER#nobody', sk: '000000001' });
    expect(await verify()).toMatchObject({ code: 1, stdout: expect.stringContaining('LEDGER#nobody\n  BROKEN') });
    await remove({ pk: 'LEDGER#nobody', sk: '000000001' });
  });

  it('a tail that was cut off is found with a noted head, and only then', async () => {
    const head = await headOf(good);
    const old = await itemOf(4);
    await remove(key(4));
    expect((await verify()).code).toBe(0);
    for (const note of [
      ['--head', head],
      ['--since', join(folder, 'noted.json')],
    ])
      expect(await verify(...note)).toMatchObject({
        code: 1,
        stdout: expect.stringContaining('BROKEN at entry 4: the chain ends at 3; it once had 4 entries'),
      });
    await put(old);
    expect((await verify('--head', head)).code).toBe(0);
  });

  it('a chain that is gone altogether is found with a noted head', async () => {
    const gone = `prod/sales/gone#dr=3:${'a'.repeat(64)}`;
    expect(await verify('--head', gone)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('prod/sales/gone#dr\n  BROKEN at entry 1'),
    });
  });

  it('a wrong command line is refused with the usage', async () => {
    for (const args of [
      ['--nonsense'],
      ['--head', 'x'],
      ['--pair', 'x'],
      ['--since', 'nowhere.json'],
      ['--endpoint', 'x'],
      ['more'],
    ]) {
      const { code, stdout, stderr } = await verify(...args);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^UsageError: .*\n\nusage: npm run ledger:verify/s);
    }
  });

  it('a table that is not there is an error, not an empty ledger', async () => {
    expect(await verify('--table', 'nowhere')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('ResourceNotFoundException'),
    });
  });

  describe('the report', () => {
    const reportOf = (args: readonly string[], now = Date.UTC(2026, 11, 1)) =>
      run((given, output) => report(given, output, () => now), args);
    const at = (name: string) => join(folder, name);
    const written = (out: string) => readFileSync(join(at(out), 'evidence-2026-11.json'), 'utf8');

    it('tells of the month, as JSON and as a page that loads nothing', async () => {
      const { code, stdout, stderr } = await reportOf(['--month', '2026-11', '--out', at('one')]);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/^prod\/sales\/orders#dr nightly: attained \d+\.\d\d %\n/);
      expect(stdout).toContain(`${foreign} nightly: cannot be said: no good point existed in this month\n`);
      const evidence = MonthlyReport.parse(JSON.parse(written('one')));
      expect(evidence).toMatchObject({ complete: true, table: 'ozone-dr-ledger' });
      const [orders, taken] = evidence.buckets;
      expect(orders).toMatchObject({
        pair: good,
        runs: { backup: { succeeded: 2, failed: 0 } },
        comparisons: { equal: 2, differing: 0 },
        drills: 0,
        points: { good: 2 },
      });
      // The newest point is of four in the morning on the 10th, the objective 26 hours, the month ends on the 30th.
      const attainment = orders?.policies[0]?.attainment;
      expect(attainment?.secondsMeasured).toBeGreaterThan(20 * 86_400);
      expect(attainment?.secondsMet).toBeGreaterThan(26 * 3600);
      expect(attainment?.secondsMet).toBeLessThan(28 * 3600);
      expect(attainment?.worstAgeSeconds).toBeGreaterThan(20 * 86_400);
      expect(taken).toMatchObject({
        pair: foreign,
        runs: { backup: { succeeded: 0, failed: 1 } },
        failures: [{ summary: expect.stringMatching(/^ReplicaNotOurs: /) }],
        policies: [{ attainment: null }],
      });
      expect(evidence.chains.map(({ pair, head }) => `${pair}=${head?.n}:${head?.hash}`)).toEqual([
        await headOf(good),
        await headOf(foreign),
      ]);
      const html = readFileSync(join(at('one'), 'evidence-2026-11.html'), 'utf8');
      expect(problemsOfMarkup(html)).toEqual([]);
      expect(html).toContain(sha256(written('one')));
      expect(html).not.toMatch(/<script|<link|<img|https?:/);
    });

    it('is the same each time', async () => {
      await reportOf(['--month', '2026-11', '--out', at('two')]);
      expect(written('two')).toBe(written('one'));
    });

    it('serves as the note of the heads for later', async () => {
      const file = join(at('one'), 'evidence-2026-11.json');
      expect(await verify('--since', file)).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('compared with 2 noted heads\n'),
      });
      const old = await itemOf(4);
      await remove(key(4));
      expect((await verify('--since', file)).code).toBe(1);
      const { code, stdout } = await reportOf(['--month', '2026-11', '--out', at('three'), '--since', file]);
      expect([code, stdout]).toEqual([1, expect.stringContaining(`${good}: BROKEN at entry 4`)]);
      expect(readFileSync(join(at('three'), 'evidence-2026-11.html'), 'utf8')).toContain('BROKEN at entry 4');
      await put(old);
    });

    it('of the month that is going on ends now, and says so', async () => {
      await reportOf(['--month', '2026-11', '--out', at('four')], Date.UTC(2026, 10, 10, 12));
      expect(JSON.parse(written('four'))).toMatchObject({ complete: false, until: '2026-11-10T12:00:00.000Z' });
    });

    it('of a month in which nothing was known does not call anything attained', async () => {
      const { stdout } = await reportOf(['--month', '2026-09', '--out', at('five')]);
      expect(stdout).not.toMatch(/attained/);
    });

    it('needs a month', async () => {
      for (const args of [[], ['--month', '2026-13'], ['--month', '2026-12']])
        expect(await reportOf(args)).toMatchObject({ code: 2, stdout: '' });
    });
  });
});
