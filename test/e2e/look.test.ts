import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RecoveryPoint } from '../../functions/core/domain/ledger.ts';
import { RestoreRequest } from '../../functions/core/domain/restore.ts';
import { type Deployment, deploy, policyText } from '../fixtures/deployment.ts';
import type { Change } from '../ozone-cluster/ozone-clusters.ts';
import { createSimulator, type OzoneSimulator } from '../ozone-simulator/simulator.ts';

const BUCKET = 'sales/orders';
const SOURCE = `ofs://prod/${BUCKET}`;
const FILE = '2026/[März] a*b.csv';
/** What happens before each of five backups. */
const HISTORY: readonly (readonly Change[])[] = [
  [{ op: 'put', path: 'other', size: 10, seed: 1 }],
  [{ op: 'text', path: FILE, content: 'one' }],
  [{ op: 'text', path: FILE, content: 'two' }],
  [{ op: 'put', path: 'other', size: 20, seed: 2 }],
  [{ op: 'rm', path: FILE }],
];
const many: readonly Change[] = Array.from({ length: 248 }, (_, n) => ({
  op: 'put',
  path: `many/f${n}`,
  size: 5,
  seed: n,
}));

interface Entry {
  readonly kind: string;
  readonly path: string;
  readonly to: string | null;
}

/** A list in the output of an execution. */
const rows = <T>(list: unknown): readonly T[] => (Array.isArray(list) ? list : []);

describe('a look into points, through the deployed form', () => {
  let clusters: OzoneSimulator;
  let deployment: Deployment;
  /** Oldest first. */
  let points: readonly RecoveryPoint[];
  const request = { policy: 'nightly', bucket: BUCKET };
  const nameOf = (n: number) => points[n]?.name ?? '';

  beforeAll(async () => {
    const from = new Date('2026-11-10T03:00:00Z');
    clusters = await createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-look-')) });
    const setTime = (now: number) => clusters.inProcess.setClock({ now, skewMs: {} });
    setTime(from.getTime());
    for (const service of ['prod', 'dr']) await clusters.createBucket(`ofs://${service}/${BUCKET}`);
    deployment = await deploy({
      clusters,
      policies: policyText([BUCKET]),
      clock: { virtualFrom: from },
      duration: () => 2,
      onEvent: (event) => {
        if (event.kind === 'command' && event.status === 'InProgress') setTime(event.at);
      },
    });
    for (const changes of HISTORY) {
      await clusters.change(SOURCE, changes);
      expect(await deployment.backUp(request)).toMatchObject({ status: 'SUCCEEDED' });
      await deployment.cloud.advanceBy(60);
    }
    await clusters.change(SOURCE, [...many, { op: 'mv', path: 'other', to: 'moved "ü"' }]);
    expect(await deployment.backUp(request)).toMatchObject({ status: 'SUCCEEDED' });
    points = (await deployment.points(BUCKET)).toReversed();
  });
  afterAll(async () => {
    await deployment?.close();
    await clusters?.stop();
  });

  it('finds the versions of a file, newest first, and marks what changed', async () => {
    const found = await deployment.look({ ...request, versionsOf: FILE });
    expect(found).toMatchObject({ status: 'SUCCEEDED', output: { bucket: BUCKET, path: FILE, cluster: 'prod' } });
    const versions = rows<Record<string, unknown>>(found.output?.versions);
    expect(versions.map(({ point, state, bytes, changed }) => [point, state, bytes, changed])).toEqual([
      [nameOf(5), 'absent', null, false],
      [nameOf(4), 'absent', null, true],
      [nameOf(3), 'file', 3, false],
      [nameOf(2), 'file', 3, true],
      [nameOf(1), 'file', 3, true],
      [nameOf(0), 'absent', null, null],
    ]);
    expect(versions[2]).toMatchObject({
      at: new Date(points[3]?.source.created ?? 0).toISOString(),
      checksum: expect.stringMatching(/^COMPOSITE-CRC32 [0-9a-f]{8}$/),
    });
    expect(versions[3]?.checksum).toBe(versions[2]?.checksum);
    expect(versions[4]?.checksum).not.toBe(versions[3]?.checksum);
    expect(found.steps).toMatchObject([{ observed: { kind: 'looked' }, jvmStarts: 3 }]);
  });

  it('says with what input each version is restored, but for who and why', async () => {
    const { output } = await deployment.look({ ...request, versionsOf: FILE, points: [nameOf(4), nameOf(2)] });
    const [gone, there] = rows<{ readonly restore: object | null }>(output?.versions);
    expect(gone?.restore).toBeNull();
    expect(RestoreRequest.safeParse(there?.restore).success).toBe(false);
    expect(RestoreRequest.parse({ ...there?.restore, by: 'Ada', reason: 'lost' })).toMatchObject({
      point: nameOf(2),
      scope: { paths: [FILE] },
      target: 'side',
      overwrite: 'never',
    });
  });

  it('pages through the changes between two points', async () => {
    const entries: Entry[] = [];
    const pages: number[] = [];
    let page: string | null = null;
    do {
      const asked = { ...request, changesFrom: nameOf(4), changesTo: nameOf(5), ...(page ? { page } : {}) };
      const found = await deployment.look(asked);
      expect(found).toMatchObject({ status: 'SUCCEEDED', output: { from: nameOf(4), to: nameOf(5), cluster: 'prod' } });
      const got = rows<Entry>(found.output?.entries);
      pages.push(got.length);
      entries.push(...got);
      page = found.output?.next as string | null;
    } while (page);
    expect(pages).toEqual([100, 100, 50]);
    expect(new Set(entries.map(({ path }) => path)).size).toBe(250);
    expect(entries.filter(({ kind }) => kind !== '+')).toEqual([{ kind: 'R', path: 'other', to: 'moved "ü"' }]);
  });

  it('waits for a diff that nobody asked for yet', async () => {
    const found = await deployment.look({ ...request, changesFrom: nameOf(1), changesTo: nameOf(3) });
    expect(found).toMatchObject({ status: 'SUCCEEDED', output: { next: null } });
    expect(
      rows<Entry>(found.output?.entries)
        .map(({ path }) => path)
        .sort(),
    ).toEqual([FILE, 'other']);
    expect(found.steps).toMatchObject([
      { observed: { kind: 'diff', status: 'submitted' } },
      { observed: { kind: 'diff', status: 'done' } },
    ]);
  });

  it('looks while a backup is at work, and holds nothing', async () => {
    const { cloud } = deployment;
    const backup = cloud.startExecution('ozone-dr-backup', request);
    expect(await deployment.look({ ...request, versionsOf: 'other' })).toMatchObject({ status: 'SUCCEEDED' });
    expect(await cloud.executionEnded(backup)).toMatchObject({ status: 'SUCCEEDED' });
  });

  it('reads the replica when the source does not answer', async () => {
    clusters.inProcess.setFaults([{ id: 'down', effect: { kind: 'unreachable', service: 'prod' } }]);
    const found = await deployment.look({ ...request, versionsOf: FILE });
    const changes = await deployment.look({ ...request, changesFrom: nameOf(4), changesTo: nameOf(5) });
    clusters.inProcess.setFaults([]);
    expect(found).toMatchObject({ status: 'SUCCEEDED', output: { cluster: 'dr' } });
    const versions = rows<{ readonly state: string }>(found.output?.versions);
    expect(versions.map(({ state }) => state).filter((it) => it === 'file')).toHaveLength(3);
    expect(changes).toMatchObject({
      status: 'SUCCEEDED',
      output: { cluster: 'dr', next: expect.stringMatching(/^replica\./) },
    });
  });

  it('fails when no cluster answers', async () => {
    clusters.inProcess.setFaults([
      { id: 'prod', effect: { kind: 'unreachable', service: 'prod' } },
      { id: 'dr', effect: { kind: 'unreachable', service: 'dr' } },
    ]);
    const found = await deployment.look({ ...request, versionsOf: FILE });
    clusters.inProcess.setFaults([]);
    expect(found).toMatchObject({
      status: 'FAILED',
      error: 'ReplicaUnreachable',
      cause: expect.stringContaining('Connection refused'),
    });
  });

  it('says that a point was deleted behind our back, and shows the others', async () => {
    await clusters.ozone('sh', 'snapshot', 'delete', `o3://prod/${BUCKET}`, nameOf(2));
    const { output } = await deployment.look({
      ...request,
      versionsOf: FILE,
      points: [nameOf(1), nameOf(2), nameOf(3)],
    });
    expect(output?.versions).toMatchObject([
      { point: nameOf(3), state: 'file', changed: true },
      { point: nameOf(2), state: 'no-snapshot', changed: null, restore: null },
      { point: nameOf(1), state: 'file', changed: null },
    ]);
  });

  it.each([
    [
      'both questions at once',
      { versionsOf: 'a', changesFrom: 'odr-a', changesTo: 'odr-b' },
      'EventInvalid',
      'ask either',
    ],
    ['no question', {}, 'EventInvalid', 'ask either'],
    ['a path out of the bucket', { versionsOf: '../x' }, 'EventInvalid', 'write a path relative to the bucket'],
    [
      'a point that is not there',
      { versionsOf: 'a', points: ['odr-nightly-0'] },
      'EventInvalid',
      'did you mean odr-nightly-',
    ],
    ['a page that is none', { changesFrom: 'odr-a', changesTo: 'odr-b', page: '1; rm' }, 'EventInvalid', 'next'],
    ['a field that is none', { versionsOf: 'a', cluster: 'dr' }, 'EventInvalid', 'cluster'],
  ])('refuses %s', async (_sentence, input, error, cause) => {
    const commands = deployment.cloud.commands().length;
    expect(await deployment.look({ ...request, ...input })).toMatchObject({
      status: 'FAILED',
      error,
      cause: expect.stringContaining(cause),
    });
    expect(deployment.cloud.commands()).toHaveLength(commands);
  });
});
