import type { Variables } from '../../edge-host/edge-host.ts';
import type { Change } from '../../ozone-simulator/change.ts';
import type { FaultEffect, FaultMatch } from '../../ozone-simulator/faults/rules.ts';
import type { Answer, Stage } from './stage.ts';

export interface Scenario {
  readonly title: string;
  /** Verb, outcome and code of the last answer, and what else shows that the scenario came to be. */
  readonly expects: string;
  readonly play: (stage: Stage) => Promise<readonly Answer[]>;
}

const SOURCE = 'o3://prod/vol/bkt';
const REPLICA = 'o3://dr/vol/bkt';

const put = (path: string, size = 10, seed = 1): Change => ({ op: 'put', path, size, seed });

/** An operation id of its own for each call of a scenario. */
const op = (n: number): string => `op-${'0'.repeat(23)}b-${String(n).padStart(3, '0')}`;

class Setting {
  readonly #stage: Stage;
  #calls = 0;
  readonly answers: Answer[] = [];

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  ozone(...argv: readonly string[]): string {
    const { exit, stdout, stderr } = this.#stage.ozone.run('ozone', argv);
    if (exit !== 0) throw new Error(`ozone ${argv.join(' ')}: ${stderr}`);
    return stdout;
  }

  bucket(service: string, layout = 'FILE_SYSTEM_OPTIMIZED'): void {
    this.ozone('sh', 'volume', 'create', `o3://${service}/vol`);
    this.ozone('sh', 'bucket', 'create', '-l', layout, `o3://${service}/vol/bkt`);
  }

  change(service: string, ...changes: readonly Change[]): void {
    this.#stage.ozone.change(`ofs://${service}/vol/bkt`, changes);
  }

  snapshot(bucket: string, name: string): void {
    this.ozone('sh', 'snapshot', 'create', bucket, name);
  }

  id(bucket: string, name: string): string {
    return JSON.parse(this.ozone('sh', 'snapshot', 'info', bucket, name)).snapshotId;
  }

  fault(effect: FaultEffect, match: FaultMatch = {}): void {
    this.#stage.ozone.setFaults([{ id: 'fault', match, effect }]);
  }

  settings(settings: Parameters<Stage['ozone']['setSettings']>[0]): void {
    this.#stage.ozone.setSettings(settings);
  }

  healthy(): void {
    this.#stage.ozone.setFaults([]);
  }

  async run(verb: string, parameters: Variables = {}, document?: string): Promise<void> {
    this.#calls += 1;
    this.answers.push(await this.#stage.run(verb, { operation: op(this.#calls), ...parameters }, document));
  }

  /** Both buckets, content, `s-1` on both sides by a copy, more changes, `s-2` on the source. */
  replicated(layout?: string): void {
    this.bucket('prod', layout);
    this.bucket('dr', layout);
    this.change('prod', put('a/file'), put('b/file', 20), { op: 'mkdir', path: 'empty' });
    this.snapshot(SOURCE, 's-1');
    const copied = this.#stage.ozone.run('hadoop', [
      ...['distcp', '-update', '-delete', '-direct'],
      ...['ofs://prod/vol/bkt/.snapshot/s-1', 'ofs://dr/vol/bkt'],
    ]);
    if (copied.exit !== 0) throw new Error(copied.stderr);
    this.snapshot(REPLICA, 's-1');
    this.change('prod', put('a/file', 30, 2), put('new/file', 40), { op: 'mv', path: 'b', to: 'c' });
    this.snapshot(SOURCE, 's-2');
  }

  diff(): void {
    this.ozone('sh', 'snapshot', 'diff', SOURCE, 's-1', 's-2');
  }

  increment(more: Variables = {}): Promise<void> {
    return this.run('replicate', {
      mode: 'incremental',
      target: 's-2',
      targetId: this.id(SOURCE, 's-2'),
      base: 's-1',
      baseSourceId: this.id(SOURCE, 's-1'),
      baseReplicaId: this.id(REPLICA, 's-1'),
      replicaCreated: this.created('dr'),
      fence: '5',
      fenceSeed: 'yes',
      ...more,
    });
  }

  full(mode: 'bootstrap' | 'resync', more: Variables = {}): Promise<void> {
    return this.run('replicate', {
      mode,
      target: 's-2',
      targetId: this.id(SOURCE, 's-2'),
      replicaCreated: this.created('dr'),
      empty: mode === 'bootstrap' ? 'yes' : 'no',
      fence: '5',
      fenceSeed: 'yes',
      ...more,
    });
  }

  created(service: string): string {
    return JSON.parse(this.ozone('sh', 'bucket', 'info', `o3://${service}/vol/bkt`)).creationTime;
  }

  verify(name: string, more: Variables = {}): Promise<void> {
    return this.run('verify', {
      target: name,
      targetId: this.id(SOURCE, name),
      sealId: this.id(REPLICA, name),
      ...more,
    });
  }
}

const scenario = (title: string, expects: string, play: (s: Setting) => Promise<void>): Scenario => ({
  title,
  expects,
  play: async (stage) => {
    const setting = new Setting(stage);
    await play(setting);
    return setting.answers;
  },
});

const OTHER_ID = '00000000-0000-4000-8000-000000000000';

const surveys: readonly Scenario[] = [
  scenario('a survey of two sides with snapshots, one of them deleted', 'survey ok | read read', async (s) => {
    s.replicated();
    s.ozone('sh', 'snapshot', 'delete', SOURCE, 's-2');
    await s.run('survey');
  }),
  scenario('a survey without a replica', 'survey ok | read null', async (s) => {
    s.bucket('prod');
    await s.run('survey', { replica: '' });
  }),
  scenario('a survey of a source that is not there', 'survey ok | missing read', async (s) => {
    s.bucket('dr');
    await s.run('survey');
  }),
  scenario('a survey of a replica that is not there', 'survey ok | read missing', async (s) => {
    s.bucket('prod');
    await s.run('survey');
  }),
  scenario('a survey of a bucket that is not there in a volume that is', 'survey ok | read missing', async (s) => {
    s.bucket('prod');
    s.ozone('sh', 'volume', 'create', 'o3://dr/vol');
    await s.run('survey');
  }),
  scenario('a survey while the source is away', 'survey ok | unreachable read', async (s) => {
    s.replicated();
    s.fault({ kind: 'unreachable', service: 'prod' });
    await s.run('survey');
  }),
  scenario('a survey while the replica is away', 'survey ok | read unreachable', async (s) => {
    s.replicated();
    s.fault({ kind: 'unreachable', service: 'dr' });
    await s.run('survey');
  }),
  scenario('a survey that may not read the source', 'survey ok | denied read', async (s) => {
    s.replicated();
    s.fault({ kind: 'permission-denied', service: 'prod' });
    await s.run('survey');
  }),
  scenario('a survey of a service that no configuration knows', 'survey ok | unreachable read', async (s) => {
    s.replicated();
    await s.run('survey', { source: 'nowhere/vol/bkt' });
  }),
  scenario('a survey whose output is cut', 'survey ok | unreadable', async (s) => {
    s.replicated();
    s.fault({ kind: 'cut-output', bytes: 300 });
    await s.run('survey');
  }),
  scenario('a survey whose output is cut in the replica', 'survey ok | read unreadable', async (s) => {
    s.replicated();
    s.fault({ kind: 'cut-output', bytes: 2000 });
    await s.run('survey');
  }),
  scenario('a survey with a log line in front of the answer', 'survey ok | unreadable', async (s) => {
    s.replicated();
    s.fault({ kind: 'log-line', text: '26/01/01 00:00:00 WARN util.Shell: hello' });
    await s.run('survey');
  }),
];

const snapshots: readonly Scenario[] = [
  scenario('a snapshot', 'snapshot ok | created not-asked', async (s) => {
    s.bucket('prod');
    await s.run('snapshot', { target: 's-1' });
  }),
  scenario('a snapshot with its diff', 'snapshot ok | created submitted', async (s) => {
    s.replicated();
    await s.run('snapshot', { target: 's-3', base: 's-1' });
  }),
  scenario('a snapshot that was there', 'snapshot ok | there not-asked', async (s) => {
    s.replicated();
    await s.run('snapshot', { target: 's-2' });
  }),
  scenario('a snapshot that was there, its diff done', 'snapshot ok | there done', async (s) => {
    s.replicated();
    s.diff();
    await s.run('snapshot', { target: 's-2', base: 's-1' });
  }),
  scenario('a snapshot that was there, its diff running', 'snapshot ok | there pending', async (s) => {
    s.replicated();
    s.settings({ '*': { diffMs: 60_000 } });
    s.diff();
    await s.run('snapshot', { target: 's-2', base: 's-1' });
  }),
  scenario('a snapshot whose base is not there', 'snapshot ok | created unknown', async (s) => {
    s.replicated();
    await s.run('snapshot', { target: 's-3', base: 's-0' });
  }),
  scenario('a snapshot of a bucket that is not there', 'snapshot refused source-missing', async (s) => {
    await s.run('snapshot', { target: 's-1' });
  }),
  scenario('a snapshot while the source is away', 'snapshot unreachable connection', async (s) => {
    s.bucket('prod');
    s.fault({ kind: 'unreachable', service: 'prod' });
    await s.run('snapshot', { target: 's-1' });
  }),
  scenario('a snapshot beyond the limit', 'snapshot failed snapshot-limit', async (s) => {
    s.replicated();
    s.settings({ prod: { snapshotLimit: 2 } });
    await s.run('snapshot', { target: 's-3' });
  }),
  scenario('a snapshot that is not allowed', 'snapshot refused permission-denied', async (s) => {
    s.replicated();
    s.fault({ kind: 'permission-denied', service: 'prod' });
    await s.run('snapshot', { target: 's-3' });
  }),
  scenario('a shell that dies before it created the snapshot', 'snapshot failed unclear', async (s) => {
    s.bucket('prod');
    s.fault({ kind: 'crash', point: 'before:snapshot-create' });
    await s.run('snapshot', { target: 's-1' });
  }),
  scenario('a shell that dies after it created the snapshot', 'snapshot failed unclear', async (s) => {
    s.bucket('prod');
    s.fault({ kind: 'crash', point: 'after:snapshot-create' });
    await s.run('snapshot', { target: 's-1' });
  }),
  scenario('a snapshot whose answer is cut', 'snapshot failed unreadable', async (s) => {
    s.bucket('prod');
    s.fault({ kind: 'cut-output', bytes: 150 });
    await s.run('snapshot', { target: 's-1' });
  }),
  scenario('a snapshot of a name that was deleted a moment ago', 'snapshot ok | there not-asked', async (s) => {
    s.replicated();
    s.ozone('sh', 'snapshot', 'delete', SOURCE, 's-2');
    await s.run('snapshot', { target: 's-2' });
  }),
  scenario('the same operation delivered twice', 'snapshot ok | created not-asked', async (s) => {
    s.bucket('prod');
    await s.run('snapshot', { target: 's-1', operation: op(9) });
    await s.run('snapshot', { target: 's-1', operation: op(9) });
  }),
];

const askDiff = (s: Setting, more: Variables = {}) => s.run('diff', { base: 's-1', target: 's-2', ...more });
const diffs: readonly Scenario[] = [
  scenario('a diff that nobody asked for', 'diff ok | submitted null', async (s) => {
    s.replicated();
    await askDiff(s);
  }),
  scenario('a diff that is done', 'diff ok | done false', async (s) => {
    s.replicated();
    s.diff();
    await askDiff(s);
  }),
  scenario('a diff of nothing', 'diff ok | done true', async (s) => {
    s.replicated();
    s.snapshot(SOURCE, 's-3');
    s.ozone('sh', 'snapshot', 'diff', SOURCE, 's-2', 's-3');
    await askDiff(s, { base: 's-2', target: 's-3' });
  }),
  scenario('a diff that is being computed', 'diff ok | pending null', async (s) => {
    s.replicated();
    s.settings({ '*': { diffMs: 60_000 } });
    s.diff();
    await askDiff(s);
  }),
  scenario('a diff that failed', 'diff ok | failed null', async (s) => {
    s.replicated();
    s.fault({ kind: 'diff-fails', service: 'prod', reason: 'RocksDB says "no"' });
    s.diff();
    s.healthy();
    await askDiff(s);
  }),
  scenario('a diff that was rejected', 'diff ok | rejected null', async (s) => {
    s.replicated();
    s.fault({ kind: 'diff-rejected', service: 'prod' });
    s.diff();
    s.healthy();
    await askDiff(s);
  }),
  scenario('a diff that was cancelled', 'diff ok | cancelled null', async (s) => {
    s.replicated();
    s.settings({ '*': { diffMs: 60_000 } });
    s.diff();
    s.ozone('sh', 'snapshot', 'diff', '--cancel', SOURCE, 's-1', 's-2');
    await askDiff(s);
  }),
  scenario('a diff from a snapshot that is not there', 'diff refused base-missing', async (s) => {
    s.replicated();
    await askDiff(s, { base: 's-0' });
  }),
  scenario('a diff to a snapshot that is not there', 'diff refused target-missing', async (s) => {
    s.replicated();
    await askDiff(s, { target: 's-9' });
  }),
  scenario('a diff of a bucket that is not there', 'diff refused source-missing', async (s) => {
    await askDiff(s);
  }),
  scenario('a diff while the source is away', 'diff unreachable connection', async (s) => {
    s.replicated();
    s.fault({ kind: 'unreachable', service: 'prod' });
    await askDiff(s);
  }),
  scenario('a diff whose answer is cut', 'diff refused unreadable', async (s) => {
    s.replicated();
    s.diff();
    s.fault({ kind: 'cut-output', bytes: 200 });
    await askDiff(s);
  }),
  scenario('a diff with the command line of 2.1', 'diff ok | done false', async (s) => {
    s.replicated();
    s.settings({ '*': { cli: '2.1' } });
    await askDiff(s);
  }),
];

const copies: readonly Scenario[] = [
  scenario('a first copy into an empty bucket', 'replicate ok | bootstrap 0 copied 3', async (s) => {
    s.replicated();
    s.ozone('sh', 'volume', 'create', 'o3://dr/other');
    s.ozone('sh', 'bucket', 'create', 'o3://dr/other/bkt');
    const { creationTime } = JSON.parse(s.ozone('sh', 'bucket', 'info', 'o3://dr/other/bkt'));
    await s.full('bootstrap', { replica: 'dr/other/bkt', replicaCreated: creationTime });
  }),
  scenario('a first copy that goes on after one that died', 'replicate ok | bootstrap 0 copied 2', async (s) => {
    s.bucket('prod');
    s.bucket('dr');
    s.change('prod', put('a'), put('b'), put('c'));
    s.snapshot(SOURCE, 's-2');
    s.fault({ kind: 'crash', point: 'after:distcp-copy-file' });
    await s.full('bootstrap');
    s.healthy();
    await s.full('bootstrap', { fence: '6', fenceSeed: 'no' });
  }),
  scenario('a resync', 'replicate ok | resync 0 copied 3', async (s) => {
    s.replicated();
    await s.full('resync', { bandwidth: '50' });
  }),
  scenario('an increment', 'replicate ok | incremental 0 copied 2', async (s) => {
    s.replicated();
    s.diff();
    await s.increment();
    await s.verify('s-2');
    await s.increment({ operation: op(1) });
  }),
  scenario('an increment of LEGACY buckets', 'verify ok | equal', async (s) => {
    s.replicated('LEGACY');
    s.diff();
    await s.increment();
    await s.verify('s-2');
  }),
  scenario('an increment of nothing', 'replicate ok | incremental 0 copied 0', async (s) => {
    s.replicated();
    s.diff();
    await s.increment();
    s.snapshot(SOURCE, 's-3');
    s.ozone('sh', 'snapshot', 'diff', SOURCE, 's-2', 's-3');
    await s.increment({
      base: 's-2',
      baseSourceId: s.id(SOURCE, 's-2'),
      baseReplicaId: s.id(REPLICA, 's-2'),
      target: 's-3',
      targetId: s.id(SOURCE, 's-3'),
      fenceSeed: 'no',
    });
  }),
  scenario('an increment that lacks an entry', 'verify ok | differs', async (s) => {
    s.replicated();
    s.fault({ kind: 'diff-omits', service: 'prod', entry: 1 });
    s.diff();
    s.healthy();
    await s.increment();
    await s.verify('s-2');
  }),
  scenario('an increment with the command line of 2.1', 'replicate ok | incremental 0 copied 2', async (s) => {
    s.replicated();
    s.settings({ '*': { cli: '2.1' } });
    s.diff();
    await s.increment();
  }),
];

const guards: readonly Scenario[] = [
  scenario('a copy into a bucket that is not there', 'replicate refused replica-missing', async (s) => {
    s.replicated();
    await s.full('resync', { replica: 'dr/vol/other' });
  }),
  scenario('a copy into a namesake', 'replicate refused replica-other', async (s) => {
    s.replicated();
    await s.full('resync', { replicaCreated: '2029-12-31T23:59:59.999Z' });
  }),
  scenario('a first copy into a bucket with content', 'replicate refused replica-not-empty', async (s) => {
    s.replicated();
    await s.full('bootstrap');
  }),
  scenario('a copy from a bucket that is not there', 'replicate refused source-missing', async (s) => {
    s.replicated();
    await s.full('resync', { source: 'prod/vol/other' });
  }),
  scenario('a copy of a snapshot that is not there', 'replicate refused target-missing', async (s) => {
    s.replicated();
    await s.full('resync', { target: 's-9' });
  }),
  scenario('a copy of a snapshot that was deleted', 'replicate refused target-missing', async (s) => {
    s.replicated();
    const targetId = s.id(SOURCE, 's-2');
    s.ozone('sh', 'snapshot', 'delete', SOURCE, 's-2');
    await s.full('resync', { targetId });
  }),
  scenario('a copy of another snapshot of that name', 'replicate refused target-other', async (s) => {
    s.replicated();
    await s.full('resync', { targetId: OTHER_ID });
  }),
  scenario('an increment from a base that the replica lost', 'replicate refused base-missing', async (s) => {
    s.replicated();
    s.diff();
    const baseReplicaId = s.id(REPLICA, 's-1');
    s.settings({ '*': { purgeAfterMs: 0 } });
    s.ozone('sh', 'snapshot', 'delete', REPLICA, 's-1');
    await s.run('replicate', {
      ...{ mode: 'incremental', target: 's-2', targetId: s.id(SOURCE, 's-2'), base: 's-1' },
      ...{ baseSourceId: s.id(SOURCE, 's-1'), baseReplicaId, replicaCreated: s.created('dr') },
      ...{ fence: '5', fenceSeed: 'yes' },
    });
  }),
  scenario('an increment from another base of that name', 'replicate refused base-other', async (s) => {
    s.replicated();
    s.diff();
    await s.increment({ baseSourceId: OTHER_ID });
  }),
  scenario('an increment from a base that the replica made anew', 'replicate refused base-other', async (s) => {
    s.replicated();
    s.diff();
    await s.increment({ baseReplicaId: OTHER_ID });
  }),
  scenario('a copy of what is sealed already', 'replicate refused already-sealed', async (s) => {
    s.replicated();
    s.snapshot(REPLICA, 's-2');
    await s.full('resync');
  }),
  scenario('an increment whose diff nobody asked for', 'replicate refused diff-unknown', async (s) => {
    s.replicated();
    await s.increment();
  }),
  scenario('an increment whose diff is being computed', 'replicate refused diff-pending', async (s) => {
    s.replicated();
    s.settings({ '*': { diffMs: 60_000 } });
    s.diff();
    await s.increment();
  }),
  scenario('an increment whose diff failed', 'replicate refused diff-failed', async (s) => {
    s.replicated();
    s.fault({ kind: 'diff-fails', service: 'prod', reason: 'out of "disk"' });
    s.diff();
    s.healthy();
    await s.increment();
  }),
  scenario('a copy with a token older than the last', 'replicate refused fence-stale', async (s) => {
    s.replicated();
    await s.full('resync');
    s.snapshot(SOURCE, 's-3');
    await s.full('resync', { target: 's-3', targetId: s.id(SOURCE, 's-3'), fence: '4', fenceSeed: 'no' });
  }),
  scenario('a copy on a host that lost its fence', 'replicate refused fence-missing', async (s) => {
    s.replicated();
    await s.full('resync', { fenceSeed: 'no' });
  }),
  scenario('a copy into an OBJECT_STORE bucket', 'replicate refused layout', async (s) => {
    s.bucket('prod');
    s.bucket('dr', 'OBJECT_STORE');
    s.snapshot(SOURCE, 's-2');
    await s.full('resync');
  }),
  scenario('a copy from an OBJECT_STORE bucket', 'replicate refused layout', async (s) => {
    s.bucket('prod', 'OBJECT_STORE');
    s.bucket('dr');
    s.snapshot(SOURCE, 's-2');
    await s.full('resync');
  }),
  scenario('a copy while the replica is away', 'replicate unreachable connection', async (s) => {
    s.replicated();
    s.fault({ kind: 'unreachable', service: 'dr' }, { command: '--execute' });
    const replicaCreated = '2030-01-01T00:00:00.000Z';
    await s.run('replicate', {
      ...{ mode: 'resync', target: 's-2', targetId: OTHER_ID, replicaCreated, fence: '5', fenceSeed: 'yes' },
    });
  }),
  scenario('a copy whose checks were cut off', 'replicate refused', async (s) => {
    s.replicated();
    const parameters = { targetId: s.id(SOURCE, 's-2'), replicaCreated: s.created('dr') };
    s.fault({ kind: 'cut-output', bytes: 400 });
    await s.run('replicate', { ...parameters, mode: 'resync', target: 's-2', fence: '5', fenceSeed: 'yes' });
  }),
];

const distcp: FaultMatch = { program: 'hadoop' };
const failures: readonly Scenario[] = [
  scenario('an increment into a replica that somebody changed', 'replicate failed target-modified', async (s) => {
    s.replicated();
    s.diff();
    s.change('dr', put('intruder'));
    await s.increment();
  }),
  scenario('an increment that fails after it moved things', 'replicate failed copy-failed | exit 25', async (s) => {
    s.replicated();
    s.change('prod', { op: 'mv', path: 'a', to: 'moved' }, put('a/new', 5));
    s.snapshot(SOURCE, 's-3');
    s.ozone('sh', 'snapshot', 'diff', SOURCE, 's-1', 's-3');
    await s.increment({ target: 's-3', targetId: s.id(SOURCE, 's-3') });
  }),
  scenario('a distcp that is killed while it moves', 'replicate failed copy-failed | exit 137', async (s) => {
    s.replicated();
    s.diff();
    const [targetId, baseSourceId] = [s.id(SOURCE, 's-2'), s.id(SOURCE, 's-1')];
    const [baseReplicaId, replicaCreated] = [s.id(REPLICA, 's-1'), s.created('dr')];
    s.fault({ kind: 'crash', point: 'after:distcp-sync-move-to-tmp' }, distcp);
    await s.run('replicate', {
      ...{ mode: 'incremental', target: 's-2', targetId, base: 's-1', baseSourceId, baseReplicaId, replicaCreated },
      ...{ fence: '5', fenceSeed: 'yes' },
    });
  }),
  scenario('a resync into a full replica', 'replicate failed copy-failed', async (s) => {
    s.replicated();
    s.fault({ kind: 'quota-full', service: 'dr' }, distcp);
    await s.full('resync');
  }),
  scenario('an increment that waits for ever', 'replicate failed copy-timeout | exit 124', async (s) => {
    s.replicated();
    s.diff();
    s.fault({ kind: 'diff-fails', service: 'dr', reason: 'no' }, distcp);
    await s.increment({ copySeconds: '1' });
  }),
  scenario('an increment beyond the limit of snapshots', 'replicate failed snapshot-limit', async (s) => {
    s.replicated();
    s.diff();
    s.settings({ dr: { snapshotLimit: 1 } });
    await s.increment();
  }),
  scenario('a seal beyond the limit of snapshots', 'replicate failed snapshot-limit', async (s) => {
    s.replicated();
    s.settings({ dr: { snapshotLimit: 1 } });
    await s.full('resync');
  }),
  scenario('a seal that is killed', 'replicate failed seal-failed', async (s) => {
    s.replicated();
    s.fault({ kind: 'crash', point: 'after:snapshot-create' }, { program: 'ozone' });
    await s.full('resync');
  }),
  scenario('a seal while the replica has gone away', 'replicate failed seal-failed', async (s) => {
    s.replicated();
    s.fault({ kind: 'unreachable', service: 'dr' }, { program: 'ozone', command: 'snapshot create' });
    await s.full('resync');
  }),
  scenario('a copy whose source goes away', 'replicate failed copy-failed | exit 255', async (s) => {
    s.replicated();
    s.fault({ kind: 'unreachable', service: 'prod' }, distcp);
    await s.full('resync');
  }),
];

const verifications: readonly Scenario[] = [
  scenario('equal copies', 'verify ok | equal', async (s) => {
    s.replicated();
    await s.verify('s-1');
  }),
  scenario('copies that differ in every way, under every name', 'verify ok | differs', async (s) => {
    s.bucket('prod');
    s.bucket('dr');
    const long = `${'x'.repeat(120)}/${'"é\\'.repeat(40)}/${'ü'.repeat(100)}`;
    for (const [service, size] of [
      ['prod', 10],
      ['dr', 11],
    ] as const) {
      s.change(service, put('same'), put(`only ${service}`), put('size', size), put('ä', size), put(long, size));
      s.change(service, { op: 'mkdir', path: 'deep/er/empty' }, put(`kind/${service === 'dr' ? 'x' : 'x/y'}`));
      s.snapshot(`o3://${service}/vol/bkt`, 's-1');
    }
    await s.verify('s-1');
  }),
  scenario('copies with more differences than are shown', 'verify ok | differs', async (s) => {
    s.bucket('prod');
    s.bucket('dr');
    s.change('prod', ...Array.from({ length: 30 }, (_, n) => put(`d/f-${n}`)));
    s.snapshot(SOURCE, 's-1');
    s.snapshot(REPLICA, 's-1');
    await s.verify('s-1');
  }),
  scenario('empty copies', 'verify ok | equal', async (s) => {
    s.bucket('prod');
    s.bucket('dr');
    s.snapshot(SOURCE, 's-1');
    s.snapshot(REPLICA, 's-1');
    await s.verify('s-1');
  }),
  scenario('LEGACY keys without their directories', 'verify ok | equal', async (s) => {
    s.bucket('prod', 'LEGACY');
    s.bucket('dr', 'LEGACY');
    s.change('prod', put('p/q/file'));
    s.change('dr', { op: 'mkdir', path: 'p/q' }, put('p/q/file'));
    s.snapshot(SOURCE, 's-1');
    s.snapshot(REPLICA, 's-1');
    await s.verify('s-1');
  }),
  scenario('a target that is gone', 'verify refused target-missing', async (s) => {
    s.replicated();
    await s.run('verify', { target: 's-9', targetId: OTHER_ID, sealId: OTHER_ID });
  }),
  scenario('a seal that is gone', 'verify refused seal-missing', async (s) => {
    s.replicated();
    await s.run('verify', { target: 's-2', targetId: s.id(SOURCE, 's-2'), sealId: OTHER_ID });
  }),
  scenario('a seal that was deleted', 'verify refused seal-missing', async (s) => {
    s.replicated();
    const sealId = s.id(REPLICA, 's-1');
    s.ozone('sh', 'snapshot', 'delete', REPLICA, 's-1');
    await s.run('verify', { target: 's-1', targetId: s.id(SOURCE, 's-1'), sealId });
  }),
  scenario('another target of that name', 'verify refused target-other', async (s) => {
    s.replicated();
    await s.verify('s-1', { targetId: OTHER_ID });
  }),
  scenario('another seal of that name', 'verify refused seal-other', async (s) => {
    s.replicated();
    await s.verify('s-1', { sealId: OTHER_ID });
  }),
  scenario('a comparison while the replica is away', 'verify unreachable connection', async (s) => {
    s.replicated();
    const ids = { targetId: s.id(SOURCE, 's-1'), sealId: s.id(REPLICA, 's-1') };
    s.fault({ kind: 'unreachable', service: 'dr' });
    await s.run('verify', { target: 's-1', ...ids });
  }),
  scenario('a listing that is cut', 'verify refused unreadable', async (s) => {
    s.replicated();
    const ids = { targetId: s.id(SOURCE, 's-1'), sealId: s.id(REPLICA, 's-1') };
    s.fault({ kind: 'cut-output', bytes: 2500 });
    await s.run('verify', { target: 's-1', ...ids });
  }),
];

const full = { mode: 'resync', target: 's-2', targetId: OTHER_ID, fence: '5' };
const inputs: readonly Scenario[] = (
  [
    ['a parameter that was not passed', 'bad-parameter', 'survey', { maps: undefined }],
    ['a parameter that does not match', 'bad-parameter', 'survey', { source: 'prod/vol/$(id)' }],
    ['no operation', 'bad-parameter', 'survey', { operation: '' }],
    ['a verb that the document does not run', 'verb-not-allowed', 'snapshot', { target: 's-1' }, 'observe'],
    ['a verb that nobody runs', 'verb-not-allowed', 'destroy', {}],
    ['a verb without what it needs', 'bad-parameter', 'verify', { target: 's-1' }],
    ['a diff with itself', 'bad-parameter', 'diff', { base: 's-1', target: 's-1' }],
    ['a copy without a token', 'bad-parameter', 'replicate', { ...full, fence: '0' }],
    ['a copy into its own source', 'bad-parameter', 'replicate', { ...full, replica: 'prod/vol/bkt' }],
    ['a copy into an unknown bucket', 'bad-parameter', 'replicate', full],
    ['an increment without ids', 'bad-parameter', 'replicate', { ...full, mode: 'incremental', empty: 'yes' }],
  ] as const
).map(([title, code, verb, parameters, document]) =>
  scenario(title, `refused ${code}`, (s) => s.run(verb, parameters, document)),
);

export const scenarios: readonly Scenario[] = [
  ...surveys,
  ...snapshots,
  ...diffs,
  ...copies,
  ...guards,
  ...failures,
  ...verifications,
  ...inputs,
];
