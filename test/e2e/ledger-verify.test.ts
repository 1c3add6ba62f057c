import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DeleteCommand, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { dynamoRecords } from '../../functions/adapters/dynamodb/records.ts';
import { keys } from '../../functions/adapters/dynamodb/table.ts';
import { ledgerVerify } from '../../functions/cli/ledger-verify.ts';
import { PairId } from '../../functions/core/domain/names.ts';
import type { Records } from '../../functions/core/ports.ts';
import { type Deployment, deploy, policyText } from '../fixtures/deployment.ts';
import { root } from '../local-cloud/world.ts';
import { createSimulator, type OzoneSimulator } from '../ozone-simulator/simulator.ts';

const project = fileURLToPath(new URL('../../', import.meta.url));
const [GOOD, FOREIGN] = ['sales/orders', 'sales/taken'] as const;
const good = PairId.parse(`prod/${GOOD}#dr`);
const foreign = PairId.parse(`prod/${FOREIGN}#dr`);

describe('npm run ledger:verify, on the ledger of runs of the deployed form', () => {
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
  /** The same in this process. */
  const verify = async (...args: readonly string[]): Promise<Ended> => {
    const text = { stdout: '', stderr: '' };
    for (const [name, value] of Object.entries(environment())) vi.stubEnv(name, value);
    try {
      const code = await ledgerVerify(args, {
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
});
