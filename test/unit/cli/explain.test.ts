import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dynamoLedger } from '../../../functions/adapters/dynamodb/ledger.ts';
import { knownPairs } from '../../../functions/adapters/dynamodb/pairs.ts';
import { dynamoRecords } from '../../../functions/adapters/dynamodb/records.ts';
import { explain } from '../../../functions/cli/explain.ts';
import { openTable } from '../../../functions/cli/options.ts';
import { BucketPage, PointPage } from '../../../functions/core/domain/explanation.ts';
import type { RunStep } from '../../../functions/core/domain/ledger.ts';
import { BucketRef, drillPair, targetPair } from '../../../functions/core/domain/names.ts';
import type { PolicyVersion } from '../../../functions/core/domain/retention.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { createTable, startDynalite } from '../../fixtures/table.ts';
import { BUCKET, HOUR, idOf, lineageOf, nameOf, now, PLAN, policyText } from '../planner/lineage-world.ts';
import { operationOf } from '../planner/world.ts';

const RETENTION = `    retention:
      zone: UTC
      source: { keepLast: 3 }
      replica: { keepLast: 3 }
      coolingOffHours: 0
`;
const directory = mkdtempSync(join(tmpdir(), 'ozone-dr-explain-'));
const file = join(directory, 'policies.yaml');
let endpoint: string;
let stop: () => Promise<void>;
/** The versions of the policy that schedules have seen. */
let seen: (...versions: readonly PolicyVersion[]) => Promise<boolean>;
let known: PolicyVersion;

/** The command with its output, looking at the table of this test. */
const run = async (...args: readonly string[]) => {
  const said = { out: [''], err: [''] };
  const code = await explain(
    ['--endpoint', endpoint, '--region', 'eu-central-1', '--policies', file, ...args],
    { out: (text) => said.out.push(text), err: (text) => said.err.push(text) },
    now,
  );
  return { code, out: said.out.join(''), err: said.err.join('') };
};

beforeAll(async () => {
  process.env.AWS_ACCESS_KEY_ID = 'test';
  process.env.AWS_SECRET_ACCESS_KEY = 'test';
  writeFileSync(file, policyText(RETENTION));
  ({ endpoint, stop } = await startDynalite());
  const table = await createTable(endpoint, 'ozone-dr-ledger');
  const ledger = dynamoLedger(table);
  const facts = lineageOf({
    points: `${[...'abcdefghijklmnopqrstuvwxy'].map((letter) => `${letter}*`).join(' ')} z`,
    base: 'y',
    previous: 'x',
    pins: 'w',
    holds: 'v',
    drilled: 'x:50',
    removals: 'u:condemned',
    run: {
      status: 'failed',
      failure: { error: 'ReplicaUnreachable', cause: 'dr does not answer\u001b[31m' },
    },
  });
  const { pair } = facts.pair;
  const { name, retention, objectives, buckets } = facts.policy;
  known = { since: epochMs(now - 1000 * HOUR), retention, ...objectives, buckets: [...buckets] };
  seen = async (...versions) =>
    ledger.putPolicyState({ ...(await ledger.loadPolicyState(name)), versions: [...versions] });
  await seen(known);
  const lease = await ledger.takeLease(
    await ledger.loadPair(pair),
    { runId: facts.lastRun?.runId as never, execution: 'arn:run' },
    now,
  );
  await ledger.changePair(pair, lease?.token ?? 0, { base: facts.pair.base, previousBase: facts.pair.previousBase });
  await ledger.releaseLease(pair, lease?.token ?? 0);
  for (const point of facts.points) await ledger.putPoint(pair, point);
  // A drill and a restore hold pairs of their own.
  const runOf = facts.lastRun?.runId as never;
  const drills = drillPair(facts.policy, BUCKET);
  const drilling = await ledger.takeLease(await ledger.loadPair(drills), { runId: runOf, execution: 'arn:drill' }, now);
  await ledger.changePair(drills, drilling?.token ?? 0, {
    scratch: {
      cluster: 'dr' as never,
      bucket: BucketRef.parse('sales/odr-drill-x'),
      runId: runOf,
      since: epochMs(now - 3 * HOUR),
      created: null,
    },
  });
  await ledger.releaseLease(drills, drilling?.token ?? 0);
  const target = targetPair(facts.policy.source.name, BUCKET);
  const restoring = await ledger.takeLease(
    await ledger.loadPair(target),
    { runId: runOf, execution: 'arn:restore' },
    now,
  );
  await ledger.changePair(target, restoring?.token ?? 0, {
    dirtySince: { operation: operationOf(1), at: epochMs(now - 2 * HOUR) },
  });
  await ledger.releaseLease(target, restoring?.token ?? 0);
  const [deleted] = lineageOf({ points: 'a*', removals: 'a:deleted' }).points;
  const gone = deleted && { ...deleted, name: `${nameOf('a')}0` as never, replica: null };
  if (!facts.lastRun || !gone) throw new Error('the world has a run and a deleted point');
  await ledger.putPoint(pair, gone);
  await ledger.retirePoint(pair, gone);
  await dynamoRecords(table).append(
    pair,
    'deleted',
    {
      kind: 'deleted',
      runId: facts.lastRun.runId,
      plan: PLAN,
      byUs: true,
      snapshots: [
        { side: 'source', name: gone.name, id: idOf('a', 'source'), reasons: ['no rule of the source keeps it'] },
      ],
    },
    now,
  );
  await ledger.putRun(facts.lastRun);
  const step = (n: number): RunStep => ({
    n,
    decision: { kind: 'wait', seconds: 1 as never, reason: 'r' },
    decidedAt: now,
    operationStep: n,
    observed: null,
    observedAt: null,
    jvmStarts: null,
  });
  // More than one page of steps comes before the run itself.
  for (let n = 0; n < 130; n++) await ledger.recordStep(facts.lastRun.runId, step(n));
});
afterAll(async () => {
  await stop();
  rmSync(directory, { recursive: true, force: true });
});

describe('npm run explain -- <bucket>', () => {
  it('answers the questions of a person who is woken at night', async () => {
    const { code, out, err } = await run(BUCKET);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('from the ledger, as of the last run; a prune looks at the clusters first');
    expect(out).toContain('Am I safe? NO, IT IS LATE');
    expect(out).toContain(
      `newest verified point: ${nameOf('y')} of 2026-11-25T02:00:00Z, 5 d 10 h old; 26 h are allowed`,
    );
    expect(out).toContain('failed 4 d 9 h ago with ReplicaUnreachable: dr does not answer');
    expect(out).toContain(`dr: ofs://dr-om/${BUCKET}/.snapshot/${nameOf('y')}`);
    expect(out).toContain(`a restore into ${BUCKET} on prod that began 2 h ago was never proved equal`);
    expect(out).toContain(
      'the scratch bucket sales/odr-drill-x on dr of a drill that began 3 h ago may still be there',
    );
    expect(out).toContain(
      `all of ${nameOf('y')} (90 files, 123.5 kB): about 52 s, which is within the RTO of 4 h; measured by the drill of ${nameOf('x')} (3 GB in 100 s)`,
    );
    expect(out).toContain(
      `last drill that passed: ${nameOf('x')}, drilled 2026-11-28T10:00:00Z, restored from the replica in 100 s and equal by full, 2 d 2 h ago`,
    );
    expect(out).toContain('the policy has no drills');
    expect(out).toContain('  verified, drilled  ');
    expect(out).toMatch(/prod: keepLast 3/);
    expect(out).toMatch(/deletes \d+ snapshots?, lets \d+ wait/);
    expect(out).toContain('the newest 20 of 26; --all shows every one');
    expect(out).toContain(`${nameOf('w')}: pinned by Grace: audit`);
    expect(out).toContain(`${nameOf('v')}: legal hold of legal without end: case 7`);
    expect(out).not.toContain('\u001b');
  });

  it('--all shows every point', async () => {
    const { out } = await run(BUCKET, '--all');
    for (const letter of 'abz') expect(out).toContain(nameOf(letter));
    expect(out).toContain('Points (26)');
  });

  it('--json is one document of the schema', async () => {
    const { out } = await run(BUCKET, '--json');
    const page = BucketPage.parse(JSON.parse(out));
    expect(page).toMatchObject({ kind: 'bucket', bucket: BUCKET, policy: 'nightly', replica: 'dr', pointsLeftOut: 6 });
    expect(page.safe.answer).toBe('late');
    expect(page.lastRun).toMatchObject({ status: 'failed' });
    const condemned = page.points.find(({ name }) => name === nameOf('u'));
    expect(condemned?.source).toMatchObject({ state: 'condemned', plan: PLAN, condemnedAt: now - 48 * HOUR });
  });

  it('rules that no prune has seen yet wait: until then everything is kept', async () => {
    const other = join(directory, 'waits.yaml');
    writeFileSync(other, policyText(RETENTION.replace('coolingOffHours: 0', 'coolingOffHours: 72')));
    await seen();
    const { out } = await run(BUCKET, '--policies', other);
    await seen(known);
    expect(out).toContain('prod: keepLast 3, in UTC\n');
    expect(out).toContain(
      'prod: keepLast unlimited, in UTC (counts also until 2026-12-03T12:00:00Z, because it was so before)',
    );
    expect(out).toContain('deletes 0 snapshots, lets 0 wait for their deletion, takes 1 condemnation back');
    expect(out).toContain('condemned, stays after all');
  });
});

describe('npm run explain -- <bucket> --point <name>', () => {
  it('tells everything about one', async () => {
    const { code, out } = await run(BUCKET, '--point', nameOf('y'));
    expect(code).toBe(0);
    expect(out).toContain(`${nameOf('y')}: verified`);
    expect(out).toContain(`copied by incremental from ${nameOf('x')}`);
    expect(out).toContain('equal by listing at 2026-11-25T04:00:00Z: 90 files, 10 directories, 123.5 kB');
    expect(out).toMatch(/dr: stays: .*the base of the next increment/);
    expect(out).toContain('the next copy has no increment: it compares the whole bucket (100 keys)');
    expect(out).toContain(`${nameOf('x')}, 24 h earlier`);
    expect(out).toContain(`\n  pin ${BUCKET} ${nameOf('y')}\n`);
    expect((await run(BUCKET, '--point', nameOf('t'))).out).toContain(
      'prod: goes after 2026-12-01T12:00:00Z: no rule of the source keeps it\n',
    );
  });

  it('tells of a deleted one when, by which plan and why', async () => {
    const { code, out } = await run(BUCKET, '--point', `${nameOf('a')}0`);
    expect(code).toBe(0);
    expect(out).toContain(`${nameOf('a')}0: DELETED`);
    expect(out).toContain(`prod: deleted 2026-11-30T11:00:00Z: deleted by the plan ${PLAN}`);
    expect(out).toContain(`deleted on the source by the plan ${PLAN}: no rule of the source keeps it`);
    expect(out).toContain('What is there instead?');
    expect(out).not.toContain('What breaks');
    const page = PointPage.parse(JSON.parse((await run(BUCKET, '--point', `${nameOf('a')}0`, '--json')).out));
    expect(page).toMatchObject({ kind: 'point', deleted: true, history: [{ at: now }] });
  });
});

it('what a restore or a drill holds is no bucket of the ledger', async () => {
  const table = openTable({ endpoint, region: 'eu-central-1' });
  expect((await knownPairs(table)).pairs).toEqual([lineageOf({ points: '' }).pair.pair]);
  table.client.destroy();
});

describe('what is not there', () => {
  it.each<[string, readonly string[], number, string]>([
    ['a bucket of no policy', ['sales/order'], 1, `did you mean ${BUCKET}? Another file: --policies <file>`],
    ['a point', [BUCKET, '--point', `${nameOf('b')}1`], 1, `did you mean ${nameOf('b')} or`],
    ['a policy', [BUCKET, '--policy', 'hourly'], 1, 'write --policy nightly'],
    ['a table', [BUCKET, '--table', 'nowhere'], 1, 'there is no table nowhere there: give --table <name>'],
    ['a policy file', [BUCKET, '--policies', '/nowhere.yaml'], 1, 'name the file that was deployed: --policies <file>'],
    ['no bucket', [], 2, 'name one bucket'],
    ['a bucket without a volume', ['orders'], 2, 'write volume/bucket'],
    ['two buckets', [BUCKET, BUCKET], 2, 'name one bucket'],
    ['an option', [BUCKET, '--pont', 'x'], 2, '--point <name>'],
    ['no URL', [BUCKET, '--endpoint', 'nowhere'], 2, 'is no URL'],
  ])('%s: says what to do', async (_what, args, code, message) => {
    const result = await run(...args);
    expect(result).toMatchObject({ code, out: '', err: expect.stringContaining(message) });
  });

  it.each([
    ['no YAML', 'clusters: [', 'is no YAML'],
    ['not a policy file', 'clusters: {}\n', 'is no policy file'],
  ])('a file that is %s', async (_what, text, message) => {
    const other = join(directory, 'other.yaml');
    writeFileSync(other, text);
    expect(await run(BUCKET, '--policies', other)).toMatchObject({ code: 1, err: expect.stringContaining(message) });
  });

  it('a bucket of several policies needs one of them', async () => {
    const other = join(directory, 'two.yaml');
    const text = policyText(RETENTION);
    writeFileSync(other, `${text}${text.slice(text.indexOf('  nightly:')).replace('nightly', 'hourly')}`);
    const both = await run(BUCKET, '--policies', other);
    expect(both).toMatchObject({ code: 1, err: expect.stringContaining('--policy nightly or --policy hourly') });
    expect((await run(BUCKET, '--policies', other, '--policy', 'hourly')).code).toBe(0);
  });

  it('a bucket that no backup has reached yet has its page', async () => {
    const other = join(directory, 'new.yaml');
    writeFileSync(other, policyText().replace(BUCKET, 'sales/new'));
    const { code, out } = await run('sales/new', '--policies', other);
    expect(code).toBe(0);
    expect(out).toContain('Am I safe? NO\n');
    expect(out).toContain('no backup of this bucket has ever begun');
    expect(out).toContain('the policy nightly has no retention: nothing is ever deleted');
  });

  it('--help shows the usage', async () => {
    expect(await run('--help')).toMatchObject({ code: 0, out: expect.stringContaining('npm run explain --') });
  });
});
