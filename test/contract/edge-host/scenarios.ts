import { isDeepStrictEqual } from 'node:util';
import type { BlastRadius } from '../../../functions/core/domain/operation.ts';
import type { Variables } from '../../edge-host/edge-host.ts';
import type { Change } from '../../ozone-simulator/change.ts';
import type { CrashPoint } from '../../ozone-simulator/faults/points.ts';
import type { FaultEffect, FaultMatch } from '../../ozone-simulator/faults/rules.ts';
import { batchOf, type Line, op } from './batch-lines.ts';
import { type Answer, NOW, type Stage } from './stage.ts';

export interface Scenario {
  readonly title: string;
  /** Verb, outcome and code of the last answer, and what else shows that the scenario came to be. */
  readonly expects: string;
  readonly play: (stage: Stage) => Promise<readonly Answer[]>;
}

const SOURCE = 'o3://prod/vol/bkt';
const REPLICA = 'o3://dr/vol/bkt';

const put = (path: string, size = 10, seed = 1): Change => ({ op: 'put', path, size, seed });

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

  /** The same for another bucket: `prod/vol/other`. */
  changeIn(path: string, ...changes: readonly Change[]): void {
    this.#stage.ozone.change(`ofs://${path}`, changes);
  }

  /** Of a snapshot, or of the live bucket. */
  tree(bucket: string, snapshot = ''): ReturnType<Stage['ozone']['tree']> {
    return this.#stage.ozone.tree(`${bucket.replace('o3:', 'ofs:')}${snapshot === '' ? '' : `/.snapshot/${snapshot}`}`);
  }

  /** Lets time pass on the clusters. */
  later(ms: number): void {
    this.#stage.ozone.setClock({ now: NOW + ms, skewMs: {} });
  }

  snapshot(bucket: string, name: string): void {
    this.ozone('sh', 'snapshot', 'create', bucket, name);
  }

  id(bucket: string, name: string): string {
    return JSON.parse(this.ozone('sh', 'snapshot', 'info', bucket, name)).snapshotId;
  }

  /** Of these lines: `l<TAB>path`, `g<TAB>expression`. */
  selection(...lines: readonly string[]): Variables {
    return this.#stage.selection(`${lines.join('\n')}\n`);
  }

  /** `s-2` of the source, and a target with something equal, something else, and something more. */
  restorable(layout?: string): void {
    this.bucket('prod', layout);
    this.bucket('dr', layout);
    this.change('prod', put('a/same'), put('a/other', 20, 1), put('a b', 5), put('d/deep/x', 7), {
      op: 'mkdir',
      path: 'empty',
    });
    this.snapshot(SOURCE, 's-2');
    this.change('dr', put('a/same'), put('a/other', 20, 2), put('more/1', 3), put('a/more', 4));
  }

  point(verb: string, more: Variables = {}): Promise<void> {
    return this.run(verb, { target: 's-2', targetId: this.id(SOURCE, 's-2'), ...more });
  }

  restore(overwrite: string, more: Variables = {}): Promise<void> {
    return this.point('restore', {
      overwrite,
      targetCreated: this.created('dr'),
      fence: '5',
      fenceSeed: 'yes',
      ...more,
    });
  }

  goOn(): Promise<void> {
    return this.#stage.goOn();
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

  async run(verb: string, parameters: Variables = {}, document?: BlastRadius): Promise<void> {
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

  /** The same with ten files and two directories that are gone in `s-2`, its diff done, in pages of four. */
  emptied(): void {
    this.bucket('prod');
    this.bucket('dr');
    const paths = Array.from({ length: 10 }, (_, n) => `d${n % 2}/f${n}`);
    for (const service of ['prod', 'dr']) this.change(service, ...paths.map((path) => put(path)));
    this.snapshot(SOURCE, 's-1');
    this.snapshot(REPLICA, 's-1');
    this.change('prod', ...paths.map((path): Change => ({ op: 'rm', path })), { op: 'rmr', path: 'd0' });
    this.change('prod', { op: 'rmr', path: 'd1' }, put('new'));
    this.snapshot(SOURCE, 's-2');
    this.settings({ '*': { diffPageSize: 4 } });
    this.diff();
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

  createdOf(path: string): string {
    return JSON.parse(this.ozone('sh', 'bucket', 'info', `o3://${path}`)).creationTime;
  }

  verify(name: string, more: Variables = {}): Promise<void> {
    return this.run('verify', {
      target: name,
      targetId: this.id(SOURCE, name),
      sealId: this.id(REPLICA, name),
      level: 'listing',
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
  scenario('a survey of a link', 'survey ok | read missing', async (s) => {
    s.bucket('prod');
    s.ozone('sh', 'bucket', 'link', SOURCE, 'o3://prod/vol/linked');
    await s.run('survey', { source: 'prod/vol/linked', replica: 'dr/vol/linked' });
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

const envelopes: readonly Scenario[] = [
  scenario('a survey of buckets with properties of their own', 'survey ok | read read', async (s) => {
    s.ozone('sh', 'volume', 'create', 'o3://prod/vol');
    const quotas = ['--space-quota', '5GB', '--namespace-quota', '9'];
    s.ozone('sh', 'bucket', 'create', '-l', 'LEGACY', '-t', 'RATIS', '-r', 'THREE', ...quotas, SOURCE);
    s.ozone('sh', 'bucket', 'addacl', '-a', 'user:zoe:rwcld,user:bob:rl[DEFAULT],world::r', SOURCE);
    s.ozone('sh', 'volume', 'create', 'o3://dr/vol');
    s.ozone('sh', 'bucket', 'create', '-l', 'fso', '-t', 'EC', '-r', 'rs-6-3-2048k', REPLICA);
    await s.run('survey');
  }),
  scenario('a survey of buckets whose ACLs are cut off', 'survey ok | read read', async (s) => {
    s.replicated();
    s.fault({ kind: 'cut-output', bytes: 5200 });
    await s.run('survey');
  }),
  scenario('a bucket', 'create-bucket ok | created', async (s) => {
    s.ozone('sh', 'volume', 'create', 'o3://dr/vol');
    await s.run('create-bucket', { layout: 'LEGACY' });
  }),
  scenario('a bucket and its volume', 'create-bucket ok | created', async (s) => {
    await s.run('create-bucket', {
      layout: 'FILE_SYSTEM_OPTIMIZED',
      replication: 'EC/rs-3-2-1024k',
      quotaBytes: '01000000',
      quotaNamespace: '50',
    });
    await s.run('create-bucket', { layout: 'FILE_SYSTEM_OPTIMIZED' });
    s.ozone('sh', 'bucket', 'delete', REPLICA);
    await s.run('create-bucket', { layout: 'LEGACY', replication: 'RATIS/ONE' });
  }),
  scenario('a bucket that is there', 'create-bucket ok | there', async (s) => {
    s.bucket('dr');
    await s.run('create-bucket', { layout: 'LEGACY' });
  }),
  scenario('a bucket with a replication that Ozone does not allow', 'create-bucket failed create-failed', async (s) => {
    await s.run('create-bucket', { layout: 'LEGACY', replication: 'EC/xor-2-1-512k' });
  }),
  scenario('a bucket with a key where there is no KMS', 'create-bucket failed create-failed', async (s) => {
    await s.run('create-bucket', { layout: 'LEGACY', encryptionKey: 'key-1' });
  }),
  scenario('a bucket while the replica is away', 'create-bucket unreachable connection', async (s) => {
    s.fault({ kind: 'unreachable', service: 'dr' });
    await s.run('create-bucket', { layout: 'LEGACY' });
  }),
  scenario('a bucket whose answer is cut', 'create-bucket failed unreadable', async (s) => {
    s.bucket('prod');
    s.ozone('sh', 'volume', 'create', 'o3://dr/vol');
    s.fault({ kind: 'cut-output', bytes: 200 });
    await s.run('create-bucket', { layout: 'LEGACY' });
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
  scenario('a snapshot whose hook the host does not name', 'snapshot refused hook-missing', async (s) => {
    s.bucket('prod');
    await s.run('snapshot', { target: 's-1', policy: 'nightly', hookBefore: 'freeze:5:yes', hookAfter: 'thaw:5:no' });
  }),
  scenario('a snapshot whose last hook the host does not name', 'snapshot refused hook-missing', async (s) => {
    s.bucket('prod');
    await s.run('snapshot', { target: 's-1', policy: 'nightly', hookBefore: 'freeze:5:no', hookAfter: 'thaw:5:yes' });
  }),
  scenario('the same operation delivered twice', 'snapshot ok | created not-asked', async (s) => {
    s.bucket('prod');
    await s.run('snapshot', { target: 's-1', operation: op(9) });
    await s.run('snapshot', { target: 's-1', operation: op(9) });
  }),
];

/** Buckets of one cluster with the same content, and with `s-1`. */
const alike = (s: Setting, service: string, ...names: readonly string[]): void => {
  s.ozone('sh', 'volume', 'create', `o3://${service}/vol`);
  for (const name of names) {
    s.ozone('sh', 'bucket', 'create', `o3://${service}/vol/${name}`);
    s.changeIn(`${service}/vol/${name}`, put('a/file'), put('b', 20), { op: 'mkdir', path: 'empty' });
    s.snapshot(`o3://${service}/vol/${name}`, 's-1');
  }
};

/** Pairs of buckets that were equal at `s-1`, a second later; `s-2` is on the source, where nothing changed. */
const equalPairs = (s: Setting, ...names: readonly string[]): void => {
  for (const service of ['prod', 'dr']) alike(s, service, ...names);
  s.later(1000);
  for (const name of names) s.snapshot(`o3://prod/vol/${name}`, 's-2');
};

const sealing = (s: Setting, name: string, more: Line = {}): Line => ({
  bucket: `vol/${name}`,
  target: 's-2',
  targetId: s.id(`o3://prod/vol/${name}`, 's-2'),
  base: 's-1',
  baseSourceId: s.id(`o3://prod/vol/${name}`, 's-1'),
  baseReplicaId: s.id(`o3://dr/vol/${name}`, 's-1'),
  replicaCreated: s.createdOf(`dr/vol/${name}`),
  fence: '5',
  fenceSeed: 'yes',
  ...more,
});

const seals = (s: Setting, ...names: readonly string[]): Promise<void> =>
  s.run('seal-unchanged', batchOf(...names.map((name) => sealing(s, name))));

const batches: readonly Scenario[] = [
  scenario('surveys in one start', 'batch ok | survey ok | read read; survey ok | read read; survey', async (s) => {
    equalPairs(s, 'one', 'two', 'three');
    await s.run('survey', batchOf({ bucket: 'vol/one' }, { bucket: 'vol/two' }, { bucket: 'vol/three' }));
  }),
  scenario('surveys without a replica', 'batch ok | survey ok | read null; survey ok | read null', async (s) => {
    equalPairs(s, 'one', 'two');
    await s.run('survey', { ...batchOf({ bucket: 'vol/one' }, { bucket: 'vol/two' }), replica: '' });
  }),
  scenario(
    'surveys of which some buckets are not there',
    'batch ok | survey ok | missing missing; survey ok | read read; survey ok | read missing; survey ok | missing read',
    async (s) => {
      alike(s, 'prod', 'two', 'three');
      alike(s, 'dr', 'two', 'four');
      const names = ['one', 'two', 'three', 'four'];
      await s.run('survey', batchOf(...names.map((name) => ({ bucket: `vol/${name}` }))));
    },
  ),
  scenario(
    'surveys while the source is away',
    'survey ok | unreachable read; survey ok | unreachable read',
    async (s) => {
      equalPairs(s, 'one', 'two', 'three');
      s.fault({ kind: 'unreachable', service: 'prod' });
      await s.run('survey', batchOf({ bucket: 'vol/one' }, { bucket: 'vol/two' }, { bucket: 'vol/three' }));
    },
  ),
  scenario(
    'surveys while the replica is away',
    'survey ok | read unreachable; survey ok | read unreachable',
    async (s) => {
      equalPairs(s, 'one', 'two', 'three');
      s.fault({ kind: 'unreachable', service: 'dr' });
      await s.run('survey', batchOf({ bucket: 'vol/one' }, { bucket: 'vol/two' }, { bucket: 'vol/three' }));
    },
  ),
  scenario(
    'surveys whose output is cut',
    'batch ok | survey ok | read unreadable; survey ok | read read',
    async (s) => {
      equalPairs(s, 'one', 'two');
      s.fault({ kind: 'cut-output', bytes: 2000 }, { call: 1 });
      await s.run('survey', batchOf({ bucket: 'vol/one' }, { bucket: 'vol/two' }));
    },
  ),
  scenario(
    'snapshots, of which one was there and one has no bucket',
    'batch ok | snapshot ok | created not-asked; snapshot ok | there not-asked; snapshot refused source-missing; snapshot ok | created not-asked',
    async (s) => {
      equalPairs(s, 'one', 'two', 'four');
      s.snapshot('o3://prod/vol/two', 's-3');
      const names = ['one', 'two', 'three', 'four'];
      await s.run(
        'snapshot',
        batchOf(...names.map((name) => ({ bucket: `vol/${name}`, target: 's-3', base: 's-1' }))),
        'protect',
      );
    },
  ),
  scenario('snapshots without a name', 'batch ok | snapshot refused bad-parameter; snapshot ok', async (s) => {
    equalPairs(s, 'one', 'two');
    await s.run('snapshot', batchOf({ bucket: 'vol/one' }, { bucket: 'vol/two', target: 's-3' }));
  }),
  scenario(
    'snapshots of a source that is away',
    'snapshot unreachable connection; snapshot unreachable connection',
    async (s) => {
      equalPairs(s, 'one', 'two');
      s.fault({ kind: 'unreachable', service: 'prod' });
      await s.run('snapshot', batchOf({ bucket: 'vol/one', target: 's-3' }, { bucket: 'vol/two', target: 's-3' }));
    },
  ),
  scenario(
    'snapshots beyond the limit',
    'snapshot ok | created not-asked; snapshot failed snapshot-limit',
    async (s) => {
      equalPairs(s, 'one', 'two', 'three');
      s.settings({ prod: { snapshotLimit: 7 } });
      const lines = ['one', 'two', 'three'].map((name) => ({ bucket: `vol/${name}`, target: 's-3' }));
      await s.run('snapshot', batchOf(...lines));
    },
  ),
  scenario(
    'a shell that dies with a snapshot of several',
    'snapshot failed unclear; snapshot unreachable',
    async (s) => {
      equalPairs(s, 'one', 'two', 'three');
      s.fault({ kind: 'crash', point: 'after:snapshot-create' }, { call: 1 });
      const lines = ['one', 'two', 'three'].map((name) => ({ bucket: `vol/${name}`, target: 's-3' }));
      await s.run('snapshot', batchOf(...lines));
    },
  ),
  scenario('nothing to copy', 'seal-unchanged ok | unchanged; seal-unchanged ok | unchanged', async (s) => {
    equalPairs(s, 'one', 'two', 'three');
    await seals(s, 'one', 'two', 'three');
  }),
  scenario(
    'of what is to be sealed some has changed',
    'batch ok | seal-unchanged ok | changed; seal-unchanged ok | unchanged; seal-unchanged ok | changed; seal-unchanged ok | changed',
    async (s) => {
      equalPairs(s, 'one', 'two', 'three', 'four');
      for (const name of ['one', 'three', 'four']) s.ozone('sh', 'snapshot', 'delete', `o3://prod/vol/${name}`, 's-2');
      s.changeIn('prod/vol/one', put('b', 20, 9)); // of the same length
      s.changeIn('prod/vol/three', { op: 'mv', path: 'b', to: 'c' });
      s.changeIn('prod/vol/four', { op: 'mkdir', path: 'another' });
      for (const name of ['one', 'three', 'four']) s.snapshot(`o3://prod/vol/${name}`, 's-3');
      const lines = ['one', 'two', 'three', 'four'].map((name) =>
        name === 'two'
          ? sealing(s, name)
          : sealing(s, name, { target: 's-3', targetId: s.id(`o3://prod/vol/${name}`, 's-3') }),
      );
      await s.run('seal-unchanged', batchOf(...lines));
    },
  ),
  scenario('a replica that was written to is not sealed', 'seal-unchanged refused replica-modified', async (s) => {
    equalPairs(s, 'one', 'two');
    s.changeIn('dr/vol/one', put('b', 20, 9)); // of the same length
    await seals(s, 'one', 'two');
  }),
  scenario('sides that were not equal are not sealed', 'seal-unchanged refused base-differs', async (s) => {
    equalPairs(s, 'one', 'two');
    s.changeIn('dr/vol/one', put('more'));
    s.snapshot('o3://dr/vol/one', 's-0');
    s.snapshot('o3://prod/vol/one', 's-0');
    const other = sealing(s, 'one', {
      base: 's-0',
      baseSourceId: s.id('o3://prod/vol/one', 's-0'),
      baseReplicaId: s.id('o3://dr/vol/one', 's-0'),
    });
    await s.run('seal-unchanged', batchOf(other, sealing(s, 'two')));
  }),
  scenario(
    'what is not as the ledger means it is not sealed',
    'seal-unchanged refused replica-other; seal-unchanged refused base-other; seal-unchanged refused target-other; seal-unchanged refused base-missing; seal-unchanged refused bad-parameter; seal-unchanged refused fence-missing; seal-unchanged refused bad-parameter; seal-unchanged ok | unchanged',
    async (s) => {
      equalPairs(s, 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight');
      await s.run(
        'seal-unchanged',
        batchOf(
          sealing(s, 'one', { replicaCreated: '2029-12-31T00:00:00Z' }),
          sealing(s, 'two', { baseReplicaId: OTHER_ID }),
          sealing(s, 'three', { targetId: OTHER_ID }),
          sealing(s, 'four', { base: 's-0' }),
          sealing(s, 'five', { replicaCreated: '' }),
          sealing(s, 'six', { fenceSeed: 'no' }),
          sealing(s, 'seven', { fence: '' }),
          sealing(s, 'eight'),
        ),
      );
    },
  ),
  scenario(
    'a seal that is there',
    'seal-unchanged refused already-sealed; seal-unchanged ok | unchanged',
    async (s) => {
      equalPairs(s, 'one', 'two');
      s.snapshot('o3://dr/vol/one', 's-2');
      await seals(s, 'one', 'two');
    },
  ),
  scenario('an older token seals nothing', 'batch ok | seal-unchanged refused fence-stale', async (s) => {
    equalPairs(s, 'one');
    await s.run('seal-unchanged', batchOf(sealing(s, 'one', { fence: '6' })));
    s.snapshot('o3://prod/vol/one', 's-3');
    const next = { target: 's-3', targetId: s.id('o3://prod/vol/one', 's-3'), operation: op(120) };
    await s.run('seal-unchanged', batchOf(sealing(s, 'one', { ...next, fenceSeed: 'no' })));
  }),
  scenario(
    'a token that found changes, and one that found a foreign write, leave nothing to an older one',
    'seal-unchanged refused fence-stale; seal-unchanged refused fence-stale',
    async (s) => {
      equalPairs(s, 'one', 'two');
      s.changeIn('prod/vol/one', put('b', 20, 9));
      s.snapshot('o3://prod/vol/one', 's-3');
      s.changeIn('dr/vol/two', put('b', 20, 9));
      const lines = (fence: string, first: number) => [
        sealing(s, 'one', {
          ...{ target: 's-3', targetId: s.id('o3://prod/vol/one', 's-3') },
          ...{ fence, operation: op(first) },
        }),
        sealing(s, 'two', { fence, operation: op(first + 1) }),
      ];
      await s.run('seal-unchanged', batchOf(...lines('6', 120)));
      await s.run('seal-unchanged', batchOf(...lines('5', 122)));
    },
  ),
  scenario(
    'one bucket twice in a batch',
    'seal-unchanged ok | unchanged; seal-unchanged refused bucket-busy',
    async (s) => {
      equalPairs(s, 'one');
      await seals(s, 'one', 'one');
    },
  ),
  scenario(
    'seals beyond the limit',
    'seal-unchanged ok | unchanged; seal-unchanged failed snapshot-limit',
    async (s) => {
      equalPairs(s, 'one', 'two');
      s.settings({ dr: { snapshotLimit: 3 } });
      await seals(s, 'one', 'two');
    },
  ),
  scenario(
    'seals while the replica is away',
    'seal-unchanged unreachable connection; seal-unchanged unreachable',
    async (s) => {
      equalPairs(s, 'one', 'two');
      const lines = ['one', 'two'].map((name) => sealing(s, name));
      s.fault({ kind: 'unreachable', service: 'dr' });
      await s.run('seal-unchanged', batchOf(...lines));
    },
  ),
  scenario('a batch that is delivered twice', 'batch ok | snapshot ok | created not-asked', async (s) => {
    equalPairs(s, 'one', 'two');
    const lines = ['one', 'two'].map((name) => ({ bucket: `vol/${name}`, target: 's-3' }));
    await s.run('snapshot', { ...batchOf(...lines), operation: op(90) });
    await s.run('snapshot', { ...batchOf(...lines), operation: op(90) });
  }),
  scenario('a batch with what was done before', 'snapshot ok | created not-asked; snapshot ok | created', async (s) => {
    equalPairs(s, 'one', 'two');
    await s.run('snapshot', { source: 'prod/vol/one', target: 's-3', operation: op(101) });
    await s.run('snapshot', batchOf({ bucket: 'vol/one', target: 's-3' }, { bucket: 'vol/two', target: 's-3' }));
  }),
  scenario('a batch of a verb that takes none', 'refused bad-parameter', async (s) => {
    await s.run('diff', batchOf({ bucket: 'vol/one' }));
  }),
  scenario('a batch whose source has a bucket', 'refused bad-parameter', async (s) => {
    await s.run('survey', { ...batchOf({ bucket: 'vol/one' }), replica: 'dr/vol/one' });
    await s.run('survey', { ...batchOf({ bucket: 'vol/one' }), source: 'prod/vol/one' });
  }),
  scenario('a batch without a source', 'refused bad-parameter', async (s) => {
    await s.run('survey', { ...batchOf({ bucket: 'vol/one' }), source: '' });
  }),
  scenario('a batch of more than 25', 'refused bad-parameter', async (s) => {
    await s.run('survey', batchOf(...Array.from({ length: 26 }, () => ({ bucket: 'vol/one' }))));
  }),
  scenario('a batch with one operation twice', 'refused bad-parameter', async (s) => {
    await s.run('survey', batchOf({ bucket: 'vol/one' }, { bucket: 'vol/two', operation: op(101) }));
    await s.run('survey', { ...batchOf({ bucket: 'vol/one' }), operation: op(101) });
  }),
  scenario('what has not changed, alone', 'seal-unchanged ok | unchanged', async (s) => {
    equalPairs(s, 'one');
    const { bucket: _, ...line } = sealing(s, 'one');
    await s.run('seal-unchanged', { ...line, source: 'prod/vol/one', replica: 'dr/vol/one' });
  }),
  scenario('a service without a bucket', 'snapshot refused bad-parameter', async (s) => {
    await s.run('snapshot', { source: 'prod', target: 's-1' });
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

/** Names that are patterns to Hadoop's shell, or hard to print, or no ASCII. */
const NAMES = [
  'with blank/a b',
  'star*q?',
  'starXqY',
  '[1]{x,y}',
  'back\\slash',
  'quote"s\'t',
  'ünï/😀',
  'tab\there',
  'new\nline',
  'per%20cent+plus',
  'ctrl\u0001x',
  '^caret',
  '-dash',
  'hash#frag',
];

/** The same files on both sides but for the content of some, all as long as each other; `s-1` on both. */
const twins = (s: Setting, different: readonly string[] = [], paths: readonly string[] = NAMES): void => {
  s.bucket('prod');
  s.bucket('dr');
  s.change('prod', ...paths.map((path) => put(path)), put('empty', 0));
  s.change('dr', ...paths.map((path) => put(path, 10, different.includes(path) ? 2 : 1)), put('empty', 0));
  s.snapshot(SOURCE, 's-1');
  s.snapshot(REPLICA, 's-1');
};

/** As {@link twins}, with a base `s-0` on the source that some files came after. */
const since = (s: Setting, changed: readonly Change[], different: readonly string[]): Variables => {
  s.bucket('prod');
  s.bucket('dr');
  s.change('prod', put('old', 10), put('kept', 10), put('gone', 10), put('d/moved', 10));
  s.snapshot(SOURCE, 's-0');
  s.later(1000);
  s.change('prod', ...changed);
  s.snapshot(SOURCE, 's-1');
  for (const [path, entry] of s.tree(SOURCE, 's-1'))
    if (entry.type === 'file') s.change('dr', put(path, entry.length, different.includes(path) ? 9 : 1));
  s.snapshot(REPLICA, 's-1');
  return { base: 's-0', baseSourceId: s.id(SOURCE, 's-0') };
};

const levels: readonly Scenario[] = [
  scenario('equal checksums under every name', 'verify ok | equal 15 0', async (s) => {
    twins(s);
    await s.verify('s-1', { level: 'full' });
  }),
  scenario('other content under every name', 'verify ok | differs 15 14', async (s) => {
    twins(s, NAMES);
    await s.verify('s-1', { level: 'full' });
  }),
  scenario('other content that a listing cannot see', 'verify ok | equal', async (s) => {
    twins(s, NAMES);
    await s.verify('s-1');
  }),
  scenario('all files of a first copy at level changed', 'verify ok | differs 15 1', async (s) => {
    twins(s, ['star*q?']);
    await s.verify('s-1', { level: 'changed' });
  }),
  scenario('more differing checksums than are shown', 'verify ok | differs 31 30', async (s) => {
    const paths = Array.from({ length: 30 }, (_, n) => `d/f-${n}`);
    twins(s, paths, paths);
    await s.verify('s-1', { level: 'full' });
  }),
  scenario('more files than one command line holds', 'verify ok | differs 131 1', async (s) => {
    const long = Array.from({ length: 4 }, () => 'a long name '.repeat(18)).join('/');
    const paths = Array.from({ length: 130 }, (_, n) => `${long}/${n}*`);
    twins(s, [paths[125] ?? ''], paths);
    await s.verify('s-1', { level: 'full' });
  }),
  scenario('listings that differ already, whose checksums nobody needs', 'verify ok | differs 0 0', async (s) => {
    twins(s, NAMES);
    s.change('prod', put('more'));
    s.snapshot(SOURCE, 's-2');
    s.snapshot(REPLICA, 's-2');
    await s.verify('s-2', { level: 'full' });
  }),
  scenario('only what was written since the base', 'verify ok | differs 2 1', async (s) => {
    const base = since(s, [put('new', 5), put('old', 10), { op: 'rm', path: 'gone' }], ['old', 'kept']);
    await s.verify('s-1', { level: 'changed', ...base });
  }),
  scenario('what was renamed since the base, with its directory', 'verify ok | differs 1 1', async (s) => {
    const base = since(s, [{ op: 'mv', path: 'd', to: 'e' }], ['e/moved']);
    await s.verify('s-1', { level: 'changed', ...base });
  }),
  scenario('a base that nothing was written since', 'verify ok | equal 0 0', async (s) => {
    const base = since(s, [], ['kept']);
    await s.verify('s-1', { level: 'changed', ...base });
  }),
  scenario('every file in one of the parts, and what changed in each', 'verify ok', async (s) => {
    const base = since(s, [put('new', 5)], ['kept', 'old', 'new']);
    for (const part of ['1', '2', '3']) await s.verify('s-1', { level: 'rolling', part, parts: '3', ...base });
  }),
  scenario('all of a first copy at level rolling', 'verify ok | differs 15 14', async (s) => {
    twins(s, NAMES);
    await s.verify('s-1', { level: 'rolling', part: '1', parts: '30' });
  }),
  scenario('everything at level full, with a base too', 'verify ok | differs 4 1', async (s) => {
    const base = since(s, [], ['kept']);
    await s.verify('s-1', { level: 'full', ...base });
  }),
  scenario('a base that is gone at the comparison', 'verify refused base-missing', async (s) => {
    twins(s);
    await s.verify('s-1', { level: 'changed', base: 's-0', baseSourceId: OTHER_ID });
  }),
  scenario('another base of that name at the comparison', 'verify refused base-other', async (s) => {
    since(s, [], []);
    await s.verify('s-1', { level: 'changed', base: 's-0', baseSourceId: OTHER_ID });
  }),
  scenario('checksums while the replica has gone away', 'verify unreachable connection', async (s) => {
    twins(s);
    const ids = { targetId: s.id(SOURCE, 's-1'), sealId: s.id(REPLICA, 's-1') };
    s.fault({ kind: 'unreachable', service: 'dr' }, { program: 'hadoop' });
    await s.run('verify', { target: 's-1', level: 'full', ...ids });
  }),
  scenario('checksums that were cut off', 'verify refused unreadable', async (s) => {
    twins(s);
    const ids = { targetId: s.id(SOURCE, 's-1'), sealId: s.id(REPLICA, 's-1') };
    s.fault({ kind: 'cut-output', bytes: 300 }, { program: 'hadoop' });
    await s.run('verify', { target: 's-1', level: 'full', ...ids });
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
    await s.run('verify', { target: 's-9', targetId: OTHER_ID, sealId: OTHER_ID, level: 'listing' });
  }),
  scenario('a seal that is gone', 'verify refused seal-missing', async (s) => {
    s.replicated();
    await s.run('verify', { target: 's-2', targetId: s.id(SOURCE, 's-2'), sealId: OTHER_ID, level: 'listing' });
  }),
  scenario('a seal that was deleted', 'verify refused seal-missing', async (s) => {
    s.replicated();
    const sealId = s.id(REPLICA, 's-1');
    s.ozone('sh', 'snapshot', 'delete', REPLICA, 's-1');
    await s.run('verify', { target: 's-1', targetId: s.id(SOURCE, 's-1'), sealId, level: 'listing' });
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
    const ids = { targetId: s.id(SOURCE, 's-1'), sealId: s.id(REPLICA, 's-1'), level: 'listing' };
    s.fault({ kind: 'unreachable', service: 'dr' });
    await s.run('verify', { target: 's-1', ...ids });
  }),
  scenario('a listing that is cut', 'verify refused unreadable', async (s) => {
    s.replicated();
    const ids = { targetId: s.id(SOURCE, 's-1'), sealId: s.id(REPLICA, 's-1'), level: 'listing' };
    s.fault({ kind: 'cut-output', bytes: 2500 });
    await s.run('verify', { target: 's-1', ...ids });
  }),
];

const brakes: readonly Scenario[] = [
  scenario('an increment below its brake', 'replicate ok | incremental 0', async (s) => {
    s.replicated();
    s.diff();
    await s.increment({ brake: '1' });
  }),
  scenario('an increment above its brake', 'replicate refused anomalous-change', async (s) => {
    s.replicated();
    s.diff();
    await s.increment({ brake: '0' });
  }),
  scenario('a long increment above its brake', 'replicate refused anomalous-change', async (s) => {
    s.emptied();
    await s.increment({ brake: '6' });
  }),
  scenario('a long increment below its brake', 'replicate ok | incremental 0', async (s) => {
    s.emptied();
    await s.increment({ brake: '12' });
  }),
  scenario('a long increment while its source goes away', 'replicate unreachable connection', async (s) => {
    s.emptied();
    s.fault({ kind: 'unreachable', service: 'prod' }, { command: '-t 1' });
    await s.increment({ brake: '12' });
  }),
  scenario('a first copy with a brake', 'replicate ok | bootstrap 0', async (s) => {
    s.bucket('prod');
    s.bucket('dr');
    s.change('prod', put('a/file'));
    s.snapshot(SOURCE, 's-2');
    await s.full('bootstrap', { brake: '0' });
  }),
  scenario('a resync below its brake', 'replicate ok | resync 0', async (s) => {
    s.replicated();
    s.change('dr', put('.distcp.diff.tmp1/x'), put('extra/.distcp.x'));
    await s.full('resync', { brake: '4' });
  }),
  scenario('a resync above its brake', 'replicate refused anomalous-change', async (s) => {
    s.replicated();
    s.change('dr', put('.distcp.diff.tmp1/x'), put('extra/.distcp.x'));
    await s.full('resync', { brake: '3' });
  }),
  scenario('a resync of LEGACY buckets above its brake', 'replicate refused anomalous-change', async (s) => {
    s.replicated('LEGACY');
    s.change('dr', put('x/y/z'));
    await s.full('resync', { brake: '3' });
  }),
];

const detached = { detached: 'yes', operation: op(50) };
const probe = (s: Setting) => s.run('probe', { probed: op(50) });

const detachments: readonly Scenario[] = [
  scenario('a detached copy, until its end', 'probe ok | ended ok ', async (s) => {
    s.replicated();
    s.diff();
    await s.increment({ ...detached, brake: '9' });
    await probe(s);
    await s.increment({ ...detached, brake: '9' });
    await s.goOn();
    await probe(s);
    await s.increment(detached);
    await s.verify('s-2');
    await probe(s);
  }),
  scenario('a detached copy that fails', 'probe ok | ended failed copy-failed', async (s) => {
    s.replicated();
    s.fault({ kind: 'unreachable', service: 'prod' }, { program: 'hadoop' });
    await s.full('resync', detached);
    await s.goOn();
    await probe(s);
  }),
  scenario('a detached copy whose checks refuse', 'probe ok | ended refused replica-other', async (s) => {
    s.replicated();
    await s.full('resync', { ...detached, replicaCreated: '2001-01-01T00:00:00.000Z' });
    await probe(s);
  }),
  scenario('a detached copy that is superseded', 'probe ok | ended interrupted cancelled', async (s) => {
    s.replicated();
    s.diff();
    await s.increment(detached);
    await s.full('resync', { fence: '6', supersedes: op(50) });
    await probe(s);
  }),
  scenario('a copy while a detached one runs', 'replicate refused bucket-busy', async (s) => {
    s.replicated();
    await s.full('resync', detached);
    await s.full('resync', { fence: '6' });
    await s.goOn();
  }),
  scenario('a copy that may end another one than runs', 'replicate refused bucket-busy', async (s) => {
    s.replicated();
    s.diff();
    await s.increment(detached);
    await s.increment({ fence: '6', supersedes: op(51) });
    await s.goOn();
  }),
  scenario('an older copy that may end the one that runs', 'replicate refused fence-stale', async (s) => {
    s.replicated();
    await s.full('resync', detached);
    await s.full('resync', { fence: '4', supersedes: op(50) });
    await s.goOn();
  }),
  scenario('tidying while a detached copy runs', 'tidy refused bucket-busy', async (s) => {
    s.replicated();
    s.snapshot(REPLICA, OURS);
    await s.full('resync', detached);
    await s.run('tidy', { remove: `${OURS}=${s.id(REPLICA, OURS)}` });
    await s.goOn();
  }),
  scenario('a probe of what never came', 'probe ok | unknown', (s) => probe(s)),
  scenario('a probe of a copy that was not detached', 'probe ok | ended ok ', async (s) => {
    s.replicated();
    await s.full('resync', { operation: op(50) });
    await probe(s);
  }),
];

const OURS = 'odr-tmp-dirty';

/** A copy whose distcp was killed between making and removing its temporary snapshot of the replica. @returns its name */
const leak = async (s: Setting): Promise<string> => {
  s.replicated();
  s.diff();
  s.fault({ kind: 'crash', point: 'after:distcp-temp-snapshot-create' }, { program: 'hadoop' });
  await s.increment();
  s.healthy();
  const listed: readonly { readonly name: string }[] = JSON.parse(
    s.ozone('sh', 'snapshot', 'list', '--all', '-p', 'temp', REPLICA),
  );
  return listed[0]?.name ?? '';
};

const tidying: readonly Scenario[] = [
  scenario(
    'the temporary snapshot of a distcp that was killed, and one of ours',
    'tidy ok | removed 2 kept 0',
    async (s) => {
      const leaked = await leak(s);
      s.snapshot(REPLICA, OURS);
      await s.run('tidy', { remove: `${leaked}=${s.id(REPLICA, leaked)},${OURS}=${s.id(REPLICA, OURS)}` });
    },
  ),
  scenario('temporaries that are gone, deleted or another snapshot', 'tidy ok | removed 1 kept 3', async (s) => {
    s.replicated();
    for (const name of ['odr-tmp-1', 'odr-tmp-2', 'odr-tmp-3']) s.snapshot(REPLICA, name);
    const ids = ['odr-tmp-1', 'odr-tmp-2'].map((name) => `${name}=${s.id(REPLICA, name)}`);
    s.ozone('sh', 'snapshot', 'delete', REPLICA, 'odr-tmp-2');
    await s.run('tidy', { remove: [...ids, `odr-tmp-3=${OTHER_ID}`, `odr-tmp-4=${OTHER_ID}`].join() });
  }),
  scenario('temporaries of which all are gone', 'tidy ok | removed 0 kept 1', async (s) => {
    s.replicated();
    await s.run('tidy', { remove: `${OURS}=${OTHER_ID}` });
  }),
  scenario('temporaries that may not be deleted', 'tidy failed permission-denied', async (s) => {
    s.replicated();
    s.snapshot(REPLICA, OURS);
    const remove = `${OURS}=${s.id(REPLICA, OURS)},odr-tmp-9=${OTHER_ID}`;
    s.fault({ kind: 'permission-denied', service: 'dr' }, { command: 'snapshot delete' });
    await s.run('tidy', { remove });
  }),
  scenario('temporaries of which the second is not reached', 'tidy failed timeout', async (s) => {
    s.replicated();
    for (const name of ['odr-tmp-1', 'odr-tmp-2', 'odr-tmp-3']) s.snapshot(REPLICA, name);
    const remove = ['odr-tmp-1', 'odr-tmp-2', 'odr-tmp-3'].map((name) => `${name}=${s.id(REPLICA, name)}`).join();
    s.fault({ kind: 'crash', point: 'before:snapshot-delete', nth: 2 });
    await s.run('tidy', { remove });
  }),
  scenario('temporaries of a bucket that is not there', 'tidy refused replica-missing', async (s) => {
    await s.run('tidy', { remove: `${OURS}=${OTHER_ID}` });
  }),
  scenario('temporaries while the replica is away', 'tidy unreachable connection', async (s) => {
    s.replicated();
    s.fault({ kind: 'unreachable', service: 'dr' });
    await s.run('tidy', { remove: `${OURS}=${OTHER_ID}` });
  }),
];

const points = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `odr-nightly-202601${String(n + 1).padStart(2, '0')}t020000z-1`);

/** Both sides have `count` recovery points. @returns items to delete on one of them */
const kept = (s: Setting, count: number, side = REPLICA): readonly string[] => {
  s.replicated();
  for (const name of points(count)) for (const bucket of [SOURCE, REPLICA]) s.snapshot(bucket, name);
  return points(count).map((name) => `${name}=${s.id(side, name)}`);
};

const remove = (s: Setting, items: readonly string[], side = REPLICA): Promise<void> =>
  s.run('delete', { source: side.replace('o3://', ''), replica: '', remove: items.join() });

/** What is still there of them. */
const survivors = (s: Setting, side = REPLICA): readonly string[] =>
  JSON.parse(s.ozone('sh', 'snapshot', 'list', '--all', '-p', 'odr-', side)).flatMap(
    ({ name, snapshotStatus }: { readonly name: string; readonly snapshotStatus: string }) =>
      snapshotStatus === 'SNAPSHOT_ACTIVE' ? [name] : [],
  );

const expectSurvivors = (s: Setting, count: number, side = REPLICA): void => {
  const names = survivors(s, side);
  if (names.length !== count) throw new Error(`${count} points should be there: ${names}`);
};

/** Purges the first, and gives its name to another snapshot. */
const takeOver = (s: Setting): void => {
  const [first = ''] = points(1);
  s.ozone('sh', 'snapshot', 'delete', REPLICA, first);
  s.later(60_000);
  s.snapshot(REPLICA, first);
};

const deleting: readonly Scenario[] = [
  scenario('recovery points of the replica', 'delete ok | removed 2 kept 0', async (s) => {
    await remove(s, kept(s, 3).slice(0, 2));
    expectSurvivors(s, 1);
    expectSurvivors(s, 3, SOURCE);
  }),
  scenario('recovery points of the source', 'delete ok | removed 3 kept 0', async (s) => {
    await remove(s, kept(s, 3, SOURCE), SOURCE);
    expectSurvivors(s, 0, SOURCE);
    expectSurvivors(s, 3);
  }),
  scenario('a recovery point by the id of the other side', 'delete refused changed-meanwhile', async (s) => {
    await remove(s, kept(s, 2, SOURCE));
    expectSurvivors(s, 2);
  }),
  scenario('recovery points that are purged as soon as they are deleted', 'delete ok | removed 2 kept 0', async (s) => {
    s.settings({ '*': { purgeAfterMs: 0 } });
    await remove(s, kept(s, 2));
  }),
  scenario('recovery points of which one was deleted already', 'delete ok | removed 1 kept 1', async (s) => {
    const items = kept(s, 2);
    s.ozone('sh', 'snapshot', 'delete', REPLICA, points(1)[0] ?? '');
    await remove(s, items);
  }),
  scenario('recovery points that were all deleted already', 'delete ok | removed 0 kept 2', async (s) => {
    const items = kept(s, 2);
    for (const name of points(2)) s.ozone('sh', 'snapshot', 'delete', REPLICA, name);
    await remove(s, items);
  }),
  scenario('recovery points of which one was purged', 'delete refused changed-meanwhile', async (s) => {
    const items = kept(s, 3);
    s.ozone('sh', 'snapshot', 'delete', REPLICA, points(2)[1] ?? '');
    s.later(60_000);
    await remove(s, items);
    expectSurvivors(s, 2);
  }),
  scenario(
    'recovery points of which a foreign snapshot has the name',
    'delete refused changed-meanwhile',
    async (s) => {
      const items = kept(s, 3);
      takeOver(s);
      await remove(s, items);
      expectSurvivors(s, 3);
    },
  ),
  scenario('recovery points that may not be deleted', 'delete failed permission-denied', async (s) => {
    const items = kept(s, 2);
    s.fault({ kind: 'permission-denied', service: 'dr' }, { command: 'snapshot delete' });
    await remove(s, items);
    expectSurvivors(s, 2);
  }),
  ...(['before', 'after'] as const).map((moment) =>
    scenario(`recovery points whose JVM dies ${moment} the second deletion`, 'delete failed timeout', async (s) => {
      const items = kept(s, 3);
      s.fault({ kind: 'crash', point: `${moment}:snapshot-delete`, nth: 2 });
      await remove(s, items);
      expectSurvivors(s, moment === 'before' ? 2 : 1);
    }),
  ),
  scenario('recovery points whose deletion cannot be read back', 'delete failed not-proved', async (s) => {
    const items = kept(s, 2);
    s.fault({ kind: 'cut-output', bytes: 800 }, { command: 'snapshot delete' });
    await remove(s, items);
    expectSurvivors(s, 0);
  }),
  scenario('recovery points while their side is away', 'delete unreachable connection', async (s) => {
    const items = kept(s, 2);
    s.fault({ kind: 'unreachable', service: 'dr' });
    await remove(s, items);
    s.healthy();
    expectSurvivors(s, 2);
  }),
  scenario('recovery points of a side that goes away', 'delete failed connection', async (s) => {
    const items = kept(s, 2);
    s.fault({ kind: 'unreachable', service: 'dr' }, { command: 'snapshot delete' });
    await remove(s, items);
    expectSurvivors(s, 2);
  }),
  scenario('recovery points that may not be listed', 'delete refused permission-denied', async (s) => {
    const items = kept(s, 1);
    s.fault({ kind: 'permission-denied', service: 'dr' });
    await remove(s, items);
  }),
  scenario('recovery points of a bucket that is not there', 'delete refused source-missing', async (s) => {
    await remove(s, [`${points(1)[0]}=${OTHER_ID}`]);
  }),
  scenario('a listing of recovery points that is cut', 'delete refused unreadable', async (s) => {
    const items = kept(s, 2);
    s.fault({ kind: 'cut-output', bytes: 300 });
    await remove(s, items);
  }),
  scenario('recovery points while a detached copy into the bucket runs', 'delete refused bucket-busy', async (s) => {
    const items = kept(s, 1);
    await s.full('resync', detached);
    await remove(s, items);
    await s.goOn();
    expectSurvivors(s, 1);
  }),
  scenario('recovery points while a copy into another bucket runs', 'delete ok | removed 1 kept 0', async (s) => {
    const items = kept(s, 1, SOURCE);
    await s.full('resync', detached);
    await remove(s, items, SOURCE);
    await s.goOn();
  }),
];

/** What both sides have in the base of a narrowed resync. */
const BASE: readonly Change[] = [
  ...['a/b/one', 'a/b/two', 'a/c/three', 'd/e/four', 'd/five', 'root file', 'other'].map((path) => put(path)),
  ...['old/x', 'old/deep/y', 'gone/z', 'gone/deeper/z'].map((path, n) => put(path, 20 + n)),
  { op: 'mkdir', path: 'a/empty' },
];
/** An increment with everything in it. */
const EVERYTHING: readonly Change[] = [
  put('a/b/one', 30, 2),
  { op: 'rm', path: 'a/b/two' },
  put('a/c/new', 5),
  { op: 'mv', path: 'old', to: 'a/renamed' },
  { op: 'rmr', path: 'gone' },
  put('root file', 31, 3),
  { op: 'mv', path: 'other', to: 'd/other' },
  { op: 'mkdir', path: 'd/e/empty' },
];

interface Narrow {
  readonly base?: readonly Change[];
  /** What happens on the source between base and target. */
  readonly source?: readonly Change[];
  /** Where the increment's distcp is killed; it is not tried without. */
  readonly killed?: `after:${CrashPoint}`;
  readonly nth?: number;
  /** What then happens on the replica. */
  readonly replica?: readonly Change[];
  readonly layout?: string;
  /** What happens to the difference on either side. */
  readonly diff?: FaultEffect;
  /** Just before the narrowed resync. */
  readonly before?: (s: Setting) => void;
  readonly more?: Variables | ((s: Setting) => Variables);
}

const TEMPORARY = 'odr-tmp-narrow';
const changed = (s: Setting, name = TEMPORARY) =>
  s.run('snapshot', { source: 'dr/vol/bkt', replica: '', target: name, base: 's-1' });
const narrow = (s: Setting, more: Variables = {}): Promise<void> =>
  s.full('resync', {
    ...{ base: 's-1', baseSourceId: s.id(SOURCE, 's-1'), baseReplicaId: s.id(REPLICA, 's-1') },
    ...{ narrow: `${TEMPORARY}=${s.id(REPLICA, TEMPORARY)}`, fence: '6' },
    ...more,
  });

const narrowable = async (s: Setting, it: Narrow): Promise<void> => {
  for (const [service, bucket] of [
    ['prod', SOURCE],
    ['dr', REPLICA],
  ] as const) {
    s.bucket(service, it.layout);
    s.change(service, ...(it.base ?? BASE));
    s.snapshot(bucket, 's-1');
  }
  s.change('prod', ...(it.source ?? []));
  s.snapshot(SOURCE, 's-2');
  if (it.diff) s.fault(it.diff);
  s.diff();
  if (it.killed) {
    s.fault({ kind: 'crash', point: it.killed, nth: it.nth ?? 1 }, distcp);
    await s.increment();
    s.healthy();
  }
  s.change('dr', ...(it.replica ?? []));
  await changed(s);
  s.healthy();
  it.before?.(s);
};

const compare = async (s: Setting): Promise<void> => {
  await s.verify('s-2', { level: 'full' });
  if (!isDeepStrictEqual(s.tree(REPLICA, 's-2'), s.tree(SOURCE, 's-2'))) throw new Error('not equal');
};

/** A narrowed resync, and the comparison of everything if it copied; what it refuses must leave the replica alone. */
const narrowed = async (s: Setting, it: Narrow): Promise<void> => {
  await narrowable(s, it);
  const before = s.tree(REPLICA);
  await narrow(s, typeof it.more === 'function' ? it.more(s) : it.more);
  if (s.answers.at(-1)?.outcome === 'ok') await compare(s);
  else if (!isDeepStrictEqual(s.tree(REPLICA), before)) throw new Error('a refusal has changed the replica');
};

/** A narrowed resync that fails while `fault` lasts, then another with a new temporary. */
const narrowedTwice = async (s: Setting, it: Narrow, fault: FaultEffect, match = distcp): Promise<void> => {
  await narrowable(s, it);
  const [id, created] = [s.id(REPLICA, TEMPORARY), s.created('dr')];
  s.fault(fault, match);
  await narrow(s, { narrow: `${TEMPORARY}=${id}`, replicaCreated: created });
  s.healthy();
  await changed(s, 'odr-tmp-2');
  await narrow(s, { narrow: `odr-tmp-2=${s.id(REPLICA, 'odr-tmp-2')}`, fence: '7', fenceSeed: 'no' });
  await compare(s);
};

const HARD_NAMES = ['with blanks', 'ünï 日本', `it's "quoted"`, '100%20 +,;&=#', '-dash', '~tilde'];

const pagesOf = (diffPageSize: number) => (s: Setting) => s.settings({ '*': { diffPageSize } });

const equal: readonly (readonly [title: string, it: Narrow])[] = [
  ['of nothing', {}],
  ['of everything that changed on the source', { source: EVERYTHING }],
  ['after an increment killed in its first move', { source: EVERYTHING, killed: 'after:distcp-sync-move-to-tmp' }],
  ['after an increment killed in its moves', { source: EVERYTHING, killed: 'after:distcp-sync-move-to-tmp', nth: 4 }],
  ['after an increment killed moving back', { source: EVERYTHING, killed: 'after:distcp-sync-move-to-target' }],
  ['after an increment killed between its phases', { source: EVERYTHING, killed: 'after:distcp-sync-delete-tmp' }],
  ['after an increment killed in its copy', { source: EVERYTHING, killed: 'after:distcp-copy-file', nth: 2 }],
  [
    'of debris, foreign files and foreign deletions',
    {
      source: [put('a/c/new', 5)],
      replica: [
        put('.distcp.tmp.attempt_x', 3),
        put('.distcp.diff.tmp77/d/e', 3),
        put('foreign/er/file', 4),
        put('a/b/foreign', 4),
        put('d/five', 10, 9),
        { op: 'rmr', path: 'old' },
        { op: 'mv', path: 'gone', to: 'd/gone' },
        { op: 'rm', path: 'root file' },
      ],
    },
  ],
  [
    'of files that became directories, and directories that became files',
    {
      source: [
        { op: 'rm', path: 'root file' },
        put('root file/is now/a directory', 7),
        { op: 'rmr', path: 'old' },
        put('old', 8),
        { op: 'rm', path: 'a/b/one' },
        put('a/b/one/more', 9),
        { op: 'rmr', path: 'd/e' },
        put('d/e', 11),
      ],
      replica: [{ op: 'rmr', path: 'a/empty' }, put('a/empty', 12)],
    },
  ],
  [
    'of a directory that was emptied, and of one that is empty and new',
    {
      source: [
        { op: 'rm', path: 'old/x' },
        { op: 'rmr', path: 'old/deep' },
        { op: 'mkdir', path: 'fresh' },
      ],
      replica: [{ op: 'rmr', path: 'old' }],
    },
  ],
  [
    'of names that are hard to pass on',
    {
      base: HARD_NAMES.flatMap((name) => [put(`${name}/${name}`), put(`${name}.root`)]),
      source: HARD_NAMES.flatMap((name) => [put(`${name}/${name}`, 11, 2), put(`${name}.root`, 12, 2)]),
      replica: [{ op: 'rmr', path: HARD_NAMES[1] ?? '' }, put('[1]{x} *?\\.foreign')],
    },
  ],
  [
    'of single files whose names are patterns',
    { base: [put('[1]{x} *?\\'), put('1')], source: [put('[1]{x} *?\\', 11, 2)] },
  ],
  ['of LEGACY buckets', { layout: 'LEGACY', source: EVERYTHING, killed: 'after:distcp-copy-file' }],
  ['with the brake', { source: EVERYTHING, more: { brake: '99' } }],
  ['of more than a page', { source: Array.from({ length: 7 }, (_, n) => put(`a/b/n${n}`)), before: pagesOf(2) }],
];
const REPLICATE = 'replicate refused';
const refused: readonly (readonly [title: string, expects: string, it: Narrow])[] = [
  [
    'beside what no report names',
    `${REPLICATE} too-wide`,
    { source: [put('a/c/new', 5)], before: (s) => s.change('dr', put('d/later')) },
  ],
  [
    'beside what its report leaves out',
    `${REPLICATE} too-wide`,
    { source: [put('a/c/new', 5), put('d/e/new', 6)], diff: { kind: 'diff-omits', service: 'prod', entry: 1 } },
  ],
  [
    'while the difference of the replica is computed',
    `${REPLICATE} diff-pending`,
    { diff: { kind: 'diff-slow', service: 'dr', ms: 60_000 } },
  ],
  [
    'whose replica has no difference',
    `${REPLICATE} diff-failed`,
    { diff: { kind: 'diff-fails', service: 'dr', reason: 'RocksDB' } },
  ],
  [
    'while the replica goes away',
    'replicate unreachable connection',
    { before: (s) => s.fault({ kind: 'unreachable', service: 'dr' }, { command: 'snapshot diff .*o3://dr' }) },
  ],
  [
    'of 25 places',
    `${REPLICATE} too-wide`,
    {
      base: Array.from({ length: 25 }, (_, n) => put(`a/${n}/file`)),
      source: Array.from({ length: 25 }, (_, n) => put(`a/${n}/file`, 11)),
    },
  ],
  [
    'of 25 entries of the root',
    `${REPLICATE} too-wide`,
    { source: Array.from({ length: 25 }, (_, n) => put(`r${n}`)) },
  ],
  [
    'of 21 pages',
    `${REPLICATE} too-wide`,
    {
      source: Array.from({ length: 21 }, (_, n) => put(`a/b/n${n}`)),
      before: pagesOf(1),
    },
  ],
  [
    'of a directory whose name is a pattern',
    `${REPLICATE} too-wide`,
    { base: [put('d/[e]*/file')], source: [put('d/[e]*/file', 11)] },
  ],
  ['of a name with a line end', `${REPLICATE} too-wide`, { source: [put('two\nlines')] }],
  ['above its brake', `${REPLICATE} anomalous-change`, { source: [{ op: 'rmr', path: 'gone' }], more: { brake: '3' } }],
  ['whose temporary is gone', `${REPLICATE} temporary-missing`, { more: { narrow: `odr-tmp-x=${OTHER_ID}` } }],
  ['with another temporary', `${REPLICATE} temporary-other`, { more: { narrow: `${TEMPORARY}=${OTHER_ID}` } }],
  ['from another base', `${REPLICATE} base-other`, { more: { baseReplicaId: OTHER_ID } }],
  [
    'whose replica diff nobody asked for',
    `${REPLICATE} diff-unknown`,
    {
      more: (s) => {
        s.snapshot(REPLICA, 'odr-tmp-2');
        return { narrow: `odr-tmp-2=${s.id(REPLICA, 'odr-tmp-2')}` };
      },
    },
  ],
];

const TANGLED: Narrow = {
  source: [...EVERYTHING, { op: 'rmr', path: 'a/empty' }, put('a/empty', 4)],
  replica: [put('foreign/file', 4), put('a/c/foreign', 4), put('d/e/foreign', 4)],
};
const narrowings: readonly Scenario[] = [
  ...(
    [
      ['killed in its removals', { kind: 'crash', point: 'after:key-delete', nth: 2 }],
      ['killed in its copies', { kind: 'crash', point: 'after:distcp-copy-file', nth: 3 }],
      ['killed in its deletions', { kind: 'crash', point: 'before:distcp-delete-extra', nth: 2 }],
      ['into a full replica', { kind: 'quota-full', service: 'dr' }],
    ] satisfies readonly (readonly [string, FaultEffect])[]
  ).map(([title, fault]) =>
    scenario(`a narrowed resync ${title}, and another`, 'verify ok | equal', (s) => narrowedTwice(s, TANGLED, fault)),
  ),
  scenario('a detached narrowed resync', 'verify ok | equal', async (s) => {
    await narrowable(s, TANGLED);
    await narrow(s, detached);
    await s.goOn();
    await probe(s);
    await compare(s);
  }),
  scenario('a narrowed resync with the command line of 2.1', 'verify ok | equal', async (s) => {
    await narrowable(s, TANGLED);
    s.settings({ '*': { cli: '2.1' } });
    await narrow(s);
    await compare(s);
  }),
  ...equal.map(([title, it]) => scenario(`a narrowed resync ${title}`, 'verify ok | equal', (s) => narrowed(s, it))),
  ...refused.map(([title, expects, it]) => scenario(`a narrowed resync ${title}`, expects, (s) => narrowed(s, it))),
];

const ITEM = `${points(1)[0]}=${OTHER_ID}`;
const full = { mode: 'resync', target: 's-2', targetId: OTHER_ID, fence: '5' };
const compared = { target: 's-1', targetId: OTHER_ID, sealId: OTHER_ID };
const inputs: readonly Scenario[] = (
  [
    ['a parameter that was not passed', 'bad-parameter', 'survey', { maps: undefined }],
    ['a parameter that does not match', 'bad-parameter', 'survey', { source: 'prod/vol/$(id)' }],
    ['no operation', 'bad-parameter', 'survey', { operation: '' }],
    ['a verb that the document does not run', 'verb-not-allowed', 'snapshot', { target: 's-1' }, 'observe'],
    ['a verb that nobody runs', 'verb-not-allowed', 'destroy', {}],
    ['a verb without what it needs', 'bad-parameter', 'verify', { target: 's-1' }],
    ['a comparison without a level', 'bad-parameter', 'verify', compared],
    ['a part beyond the parts', 'bad-parameter', 'verify', { ...compared, level: 'rolling', part: '3', parts: '2' }],
    ['part 0', 'bad-parameter', 'verify', { ...compared, level: 'rolling', part: '0', parts: '2' }],
    [
      'a base of a comparison without its id',
      'bad-parameter',
      'verify',
      { ...compared, level: 'changed', base: 's-0' },
    ],
    ['a diff with itself', 'bad-parameter', 'diff', { base: 's-1', target: 's-1' }],
    ['nothing to tidy', 'bad-parameter', 'tidy', {}],
    ['a recovery point to tidy', 'bad-parameter', 'tidy', { remove: `s-1=${OTHER_ID}` }],
    [
      'tidying by a document that may not delete',
      'verb-not-allowed',
      'tidy',
      { remove: `${OURS}=${OTHER_ID}` },
      'protect',
    ],
    ['nothing to delete', 'bad-parameter', 'delete', {}],
    ['a temporary to delete', 'bad-parameter', 'delete', { remove: `${OURS}=${OTHER_ID}` }],
    ['a mark to delete', 'bad-parameter', 'delete', { remove: `odr-tmp-20260101t020000z-1=${OTHER_ID}` }],
    ['the same twice to delete', 'bad-parameter', 'delete', { remove: `${ITEM},${ITEM}` }],
    [
      'a hundred and one to delete',
      'bad-parameter',
      'delete',
      { remove: Array.from({ length: 101 }, (_, n) => ITEM.replace('z-1', `z-${n + 1}`)).join() },
    ],
    ['eleven to tidy', 'bad-parameter', 'tidy', { remove: `${OURS}=${OTHER_ID},`.repeat(11).slice(0, -1) }],
    ['deleting by a document that may not', 'verb-not-allowed', 'delete', { remove: ITEM }, 'protect'],
    ['a copy that supersedes itself', 'bad-parameter', 'replicate', { ...full, operation: op(1), supersedes: op(1) }],
    ['a bucket without a layout', 'bad-parameter', 'create-bucket', {}],
    ['a probe of nothing', 'bad-parameter', 'probe', {}],
    ['a copy without a token', 'bad-parameter', 'replicate', { ...full, fence: '0' }],
    ['a copy into its own source', 'bad-parameter', 'replicate', { ...full, replica: 'prod/vol/bkt' }],
    ['a copy into an unknown bucket', 'bad-parameter', 'replicate', full],
    ['an increment without ids', 'bad-parameter', 'replicate', { ...full, mode: 'incremental', empty: 'yes' }],
  ] as const
).map(([title, code, verb, parameters, document]) =>
  scenario(title, `refused ${code}`, (s) => s.run(verb, parameters, document)),
);

/** Names that a shell, Hadoop's patterns, a regular expression or a file system could take for something else. */
const HOSTILE = [
  ...[
    'a b/c  d',
    '*?[1]{x,y}',
    'back\\slash',
    `quote"s't`,
    'ünï/😀',
    '%20+%2F',
    '^$(id)`id`;#',
    '-rf',
    '~',
    'a/.snapshot/x',
  ],
  ...['.hidden', '...', "`x' No such file", '{"name"', 'x=y,z'],
];
const base64 = (path: string | Buffer): string => Buffer.from(path).toString('base64');
const POINTS = ['odr-v-1', 'odr-v-2', 'odr-v-3'] as const;

/** Three points: `f` written, written over and deleted; `d` a directory, then a file. */
const looked = (s: Setting): void => {
  s.bucket('prod');
  s.change('prod', put('f'), put('d/x'), ...HOSTILE.map((path) => put(path)));
  s.snapshot(SOURCE, POINTS[0]);
  s.later(1500);
  s.change('prod', put('f', 10, 2), { op: 'text', path: 'empty', content: '' }, { op: 'rmr', path: 'd' });
  s.snapshot(SOURCE, POINTS[1]);
  s.later(3000);
  s.change('prod', { op: 'rm', path: 'f' }, put('d', 30));
  s.snapshot(SOURCE, POINTS[2]);
};
const versions = (s: Setting, path: string, names: readonly string[] = POINTS, more: Variables = {}) =>
  s.run('versions', {
    points: names.map((name) => `${name}=${s.id(SOURCE, name)}`).join(),
    path64: base64(path),
    ...more,
  });
const changes = (s: Setting, more: Variables = {}) =>
  s.run('changes', {
    base: POINTS[0],
    baseSourceId: s.id(SOURCE, POINTS[0]),
    target: POINTS[1],
    targetId: s.id(SOURCE, POINTS[1]),
    limit: '100',
    ...more,
  });
const away: FaultEffect = { kind: 'unreachable', service: 'prod' };

const looks: readonly Scenario[] = [
  scenario(
    'the versions of a file that was written, written over and deleted',
    'versions ok | file absent',
    async (s) => {
      looked(s);
      await versions(s, 'f');
    },
  ),
  scenario('the versions of a directory that became a file', 'versions ok | directory absent file', async (s) => {
    looked(s);
    await versions(s, 'd');
  }),
  scenario('the versions of a file that is empty', 'versions ok | absent file', async (s) => {
    looked(s);
    await versions(s, 'empty');
  }),
  scenario('the versions of what is below a file', 'versions ok | absent', async (s) => {
    looked(s);
    await versions(s, 'f/below');
  }),
  scenario('the versions of a path that was never there', 'versions ok | absent', async (s) => {
    looked(s);
    await versions(s, '*');
  }),
  ...HOSTILE.map((path) =>
    scenario(`the versions of ${path}`, 'versions ok | file', async (s) => {
      looked(s);
      await versions(s, path);
    }),
  ),
  scenario(
    'a look into points of which one is deleted and one another snapshot',
    'versions ok | no-snapshot file',
    async (s) => {
      looked(s);
      const [one, two] = POINTS.map((name) => s.id(SOURCE, name));
      s.ozone('sh', 'snapshot', 'delete', SOURCE, POINTS[0]);
      const points = `${POINTS[0]}=${one},${POINTS[1]}=${two},${POINTS[2]}=${OTHER_ID},odr-v-4=${OTHER_ID}`;
      await versions(s, 'f', [], { points });
    },
  ),
  scenario('a look into a hundred points', 'versions ok | absent file', async (s) => {
    s.bucket('prod');
    const names = Array.from({ length: 100 }, (_, n) => `odr-many-${n}`);
    for (const [n, name] of names.entries()) {
      if (n === 50) s.change('prod', put('f'));
      s.snapshot(SOURCE, name);
    }
    await versions(s, 'f', names);
  }),
  scenario('a look into a LEGACY bucket', 'versions ok | directory', async (s) => {
    s.bucket('prod', 'LEGACY');
    s.change('prod', put('a/b'));
    s.snapshot(SOURCE, POINTS[0]);
    await versions(s, 'a', [POINTS[0]]);
  }),
  scenario('a look into an object store bucket', 'versions refused layout', async (s) => {
    s.bucket('prod', 'OBJECT_STORE');
    s.snapshot(SOURCE, POINTS[0]);
    await versions(s, 'f', [POINTS[0]]);
  }),
  scenario('a look into a bucket that is not there', 'versions refused source-missing', async (s) => {
    await s.run('versions', { points: `odr-v-1=${OTHER_ID}`, path64: base64('f') });
  }),
  scenario('a look into a cluster that is away', 'versions unreachable connection', async (s) => {
    looked(s);
    const points = `${POINTS[0]}=${s.id(SOURCE, POINTS[0])}`;
    s.fault(away);
    await versions(s, 'f', [], { points });
  }),
  ...[
    '/f',
    'f/',
    'a//b',
    './f',
    'a/../b',
    '..',
    '.snapshot/odr-v-1/f',
    '.snapshot',
    'a\nb',
    'a\u007f',
    'x'.repeat(1025),
  ].map((path) =>
    scenario(`a look for ${JSON.stringify(path).slice(0, 40)}`, 'versions refused bad-parameter', async (s) => {
      await s.run('versions', { points: `odr-v-1=${OTHER_ID}`, path64: base64(path) });
    }),
  ),
  ...[
    base64(Buffer.from([0x66, 0xff])),
    base64(Buffer.from([0x66, 0])),
    'AAA',
    base64(Buffer.from([0xed, 0xa0, 0x80])),
  ].map((path64) =>
    scenario(`a look for bytes that are no text: ${path64}`, 'versions refused bad-parameter', async (s) => {
      await s.run('versions', { points: `odr-v-1=${OTHER_ID}`, path64 });
    }),
  ),
  scenario('a look into a hundred and one points', 'versions refused bad-parameter', async (s) => {
    const points = Array.from({ length: 101 }, (_, n) => `odr-v-${n}=${OTHER_ID}`).join();
    await s.run('versions', { points, path64: base64('f') });
  }),

  scenario('changes that nobody asked for are asked for', 'changes ok | submitted ', async (s) => {
    looked(s);
    await changes(s);
  }),
  scenario('changes that are being computed', 'changes ok | pending ', async (s) => {
    looked(s);
    s.settings({ '*': { diffMs: 60_000 } });
    await changes(s);
    await changes(s);
  }),
  scenario('the changes between two points', 'changes ok | done -R+M', async (s) => {
    s.bucket('prod');
    s.change('prod', put('f'), put('kept "q" \\ ü\tx'), put('gone'));
    s.snapshot(SOURCE, POINTS[0]);
    s.change('prod', put('f', 20), { op: 'mv', path: 'kept "q" \\ ü\tx', to: 'moved\n"ö"' }, put('new*'), {
      op: 'rm',
      path: 'gone',
    });
    s.snapshot(SOURCE, POINTS[1]);
    await changes(s);
    await changes(s);
  }),
  scenario('no changes between two points', 'changes ok | done ', async (s) => {
    s.bucket('prod');
    s.snapshot(SOURCE, POINTS[0]);
    s.snapshot(SOURCE, POINTS[1]);
    await changes(s);
    await changes(s);
  }),
  scenario('changes page by page', 'changes ok | done +++', async (s) => {
    s.bucket('prod');
    s.snapshot(SOURCE, POINTS[0]);
    s.change('prod', ...Array.from({ length: 8 }, (_, n) => put(`f${n}`)));
    s.snapshot(SOURCE, POINTS[1]);
    await changes(s, { limit: '5' });
    await changes(s, { limit: '5' });
    await changes(s, { limit: '5', token: s.answers.at(-1)?.data.next });
  }),
  scenario('changes from a page that nobody named', 'changes refused token-refused', async (s) => {
    looked(s);
    await changes(s);
    await changes(s, { token: '3' });
  }),
  scenario('changes that cannot be told', 'changes ok | failed ', async (s) => {
    looked(s);
    s.fault({ kind: 'diff-fails', service: 'prod', reason: 'the "reason"' });
    await changes(s);
    s.later(60_000);
    await changes(s);
  }),
  scenario('changes since a point that is another snapshot', 'changes refused base-other', async (s) => {
    looked(s);
    await changes(s, { baseSourceId: OTHER_ID });
  }),
  scenario('changes until a point that is another snapshot', 'changes refused target-other', async (s) => {
    looked(s);
    await changes(s, { targetId: OTHER_ID });
  }),
  scenario('changes since a point that is not there', 'changes refused base-missing', async (s) => {
    looked(s);
    await changes(s, { base: 'odr-v-0' });
  }),
  scenario('changes until a point that is deleted', 'changes refused target-missing', async (s) => {
    looked(s);
    const targetId = s.id(SOURCE, POINTS[1]);
    s.ozone('sh', 'snapshot', 'delete', SOURCE, POINTS[1]);
    await changes(s, { targetId });
  }),
  scenario('changes in a bucket that is not there', 'changes refused source-missing', async (s) => {
    await s.run('changes', { base: 'odr-a', baseSourceId: OTHER_ID, target: 'odr-b', targetId: OTHER_ID, limit: '1' });
  }),
  scenario('changes while the cluster is away', 'changes unreachable connection', async (s) => {
    looked(s);
    const ids = { baseSourceId: s.id(SOURCE, POINTS[0]), targetId: s.id(SOURCE, POINTS[1]) };
    s.fault(away);
    await s.run('changes', { base: POINTS[0], target: POINTS[1], limit: '1', ...ids });
  }),
  scenario('the buckets of the volumes that globs can meet', 'buckets ok | 2: vol/bkt vol-2/one', async (s) => {
    s.bucket('prod');
    for (const volume of ['vol-2', 'other', 'void']) s.ozone('sh', 'volume', 'create', `o3://prod/${volume}`);
    for (const bucket of ['vol-2/one', 'other/two']) s.ozone('sh', 'bucket', 'create', `o3://prod/${bucket}`);
    s.ozone('sh', 'bucket', 'link', SOURCE, 'o3://prod/vol-2/linked');
    await s.run('buckets', { globs: 'vol*/x-*,?ther-not/*' });
  }),
  scenario('the buckets of volumes that are not there, or have none', 'buckets ok | 1:', async (s) => {
    s.ozone('sh', 'volume', 'create', 'o3://prod/void');
    await s.run('buckets', { globs: 'void/*,sales/*' });
  }),
  scenario('the buckets of a cluster that is away', 'buckets unreachable connection', async (s) => {
    s.bucket('prod');
    s.fault(away);
    await s.run('buckets', { globs: '*/*' });
  }),
  scenario('the buckets of a glob that is none', 'buckets refused bad-parameter', async (s) => {
    await s.run('buckets', { globs: 'vol/$(reboot)' });
  }),
  ...['0', '101'].map((limit) =>
    scenario(`changes, ${limit} on a page`, 'changes refused bad-parameter', async (s) => {
      await s.run('changes', { base: 'odr-a', baseSourceId: OTHER_ID, target: 'odr-b', targetId: OTHER_ID, limit });
    }),
  ),
];

const restoring: readonly Scenario[] = [
  ...(['never', 'if-different', 'always'] as const).map((overwrite) =>
    scenario(`a restore of a bucket, overwrite ${overwrite}`, 'compare ok', async (s) => {
      s.restorable();
      await s.point('examine');
      await s.restore(overwrite);
      await s.point('compare', { level: 'full' });
      await s.point('compare', { level: 'listing', exact: 'yes' });
    }),
  ),
  scenario('a restore that deletes what is extra', 'compare ok | equal 4 0', async (s) => {
    s.restorable();
    await s.restore('if-different', { deleteExtra: 'yes' });
    await s.point('compare', { level: 'full', exact: 'yes' });
  }),
  scenario('a restore of paths', 'compare ok | equal 2 0', async (s) => {
    s.restorable();
    const paths = s.selection('l\ta b', 'l\td');
    await s.point('examine', paths);
    await s.restore('never', paths);
    await s.point('compare', { level: 'full', ...paths });
  }),
  scenario('a restore of a directory that deletes what is extra in it', 'compare ok | equal 2 0', async (s) => {
    s.restorable('LEGACY');
    const paths = s.selection('l\ta');
    await s.restore('always', { deleteExtra: 'yes', ...paths });
    await s.point('compare', { level: 'full', exact: 'yes', ...paths });
  }),
  scenario('a restore of what a pattern matches', 'restore ok | copied 2', async (s) => {
    s.restorable();
    await s.restore('if-different', s.selection('g\ta.*'));
  }),
  scenario('a look at a target that is not there', 'examine ok | missing', async (s) => {
    s.bucket('prod');
    s.change('prod', put('a'));
    s.snapshot(SOURCE, 's-2');
    await s.point('examine');
  }),
  scenario('a restore of paths that the point has not', 'restore refused selection-unmatched', async (s) => {
    s.restorable();
    await s.point('examine', s.selection('l\ta', 'l\tnot-there'));
    await s.restore('never', s.selection('l\ta', 'l\tnot-there'));
  }),
  scenario('a restore of a path that leaves the bucket', 'restore refused selection-unsafe', async (s) => {
    s.restorable();
    await s.restore('never', s.selection('l\ta/../b'));
  }),
  scenario('a restore into a bucket that was made anew', 'restore refused bucket-other', async (s) => {
    s.restorable();
    await s.restore('never', { targetCreated: '2020-01-01T00:00:00Z' });
  }),
  scenario('a restore of a file over a directory', 'restore refused clash', async (s) => {
    s.restorable();
    s.change('dr', put('a b/below'));
    await s.point('examine');
    await s.restore('always');
  }),
  scenario('a restore that is older than the last one', 'restore refused fence-stale', async (s) => {
    s.restorable();
    await s.restore('never', { fence: '6' });
    await s.restore('never', { fence: '5' });
  }),
  scenario('a restore whose distcp is killed leaves whole files', 'restore failed copy-failed', async (s) => {
    s.restorable();
    s.fault({ kind: 'crash', point: 'after:distcp-copy-file', nth: 2 }, { program: 'hadoop' });
    await s.restore('if-different');
  }),
  scenario('a scratch bucket, and again when it is gone', 'remove-scratch ok | false', async (s) => {
    const scratch = { replica: 'dr/vol/odr-drill-1' };
    await s.run('create-bucket', { layout: 'FILE_SYSTEM_OPTIMIZED', ...scratch }, 'restore');
    const info: { readonly creationTime: string } = JSON.parse(
      s.ozone('sh', 'bucket', 'info', 'o3://dr/vol/odr-drill-1'),
    );
    await s.run('remove-scratch', { targetCreated: '2020-01-01T00:00:00Z', ...scratch });
    await s.run('remove-scratch', { targetCreated: info.creationTime, ...scratch });
    await s.run('remove-scratch', { targetCreated: info.creationTime, ...scratch });
  }),
  scenario('a bucket that is no scratch bucket', 'remove-scratch refused scratch-name', async (s) => {
    s.bucket('dr');
    await s.run('remove-scratch', { targetCreated: s.created('dr') });
  }),
];

const restricted = (s: Setting, more: Variables = {}): Promise<void> =>
  s.run('restrict', { source: '', ...more, targetCreated: more.targetCreated ?? s.created('dr') });

const restrictions: readonly Scenario[] = [
  scenario('an ACL that loses all but reading and listing, twice, and is given back', 'restrict ok', async (s) => {
    s.bucket('dr');
    const acls =
      'user:zoe:rwcld,user:bob:rl[DEFAULT],user:eva:wd,group:a.b@EX:a[DEFAULT],world::rwx,user:zoe:w[DEFAULT]';
    s.ozone('sh', 'bucket', 'addacl', '-a', acls, REPLICA);
    await restricted(s);
    await restricted(s);
    const given: readonly string[] = s.answers[0]?.data?.before;
    await restricted(s, { acls: given.join() });
    await restricted(s, { acls: given.join() });
  }),
  scenario('an ACL that lets nobody read', 'restrict refused acl-unusual', async (s) => {
    s.bucket('dr');
    s.ozone('sh', 'bucket', 'setacl', '-a', 'user:eva:wd', REPLICA);
    await restricted(s);
  }),
  scenario('an ACL of another bucket of that name', 'restrict refused bucket-other', async (s) => {
    s.bucket('dr');
    await restricted(s, { targetCreated: '2020-01-01T00:00:00Z' });
  }),
  scenario('an ACL of a bucket that is gone', 'restrict refused bucket-missing', (s) =>
    restricted(s, { targetCreated: '2020-01-01T00:00:00Z' }),
  ),
  scenario('an ACL while the cluster is away', 'restrict unreachable connection', async (s) => {
    s.bucket('dr');
    const targetCreated = s.created('dr');
    s.fault({ kind: 'unreachable', service: 'dr' });
    await restricted(s, { targetCreated });
  }),
  scenario('an ACL that may not be read', 'restrict refused permission-denied', async (s) => {
    s.bucket('dr');
    const targetCreated = s.created('dr');
    s.fault({ kind: 'permission-denied', service: 'dr' });
    await restricted(s, { targetCreated });
  }),
];

/** Changes `base` to `s-2` on the source; the target bucket holds what it held when it was `opened`, and what it became. */
const parted = (s: Setting, onSource: readonly Change[] = PARTED, onTarget: readonly Change[] = []): void => {
  const common = [put('a/same'), put('a/other', 20, 1), put('gone', 5), put('d/deep/x', 7), put('q"\\/ü\n', 1)];
  for (const service of ['prod', 'dr']) {
    s.bucket(service);
    s.change(service, ...common);
  }
  s.snapshot(SOURCE, 'base');
  s.snapshot(REPLICA, 'opened');
  s.later(1000);
  s.change('prod', ...onSource);
  s.snapshot(SOURCE, 's-2');
  s.change('dr', ...onTarget);
};

const PARTED: readonly Change[] = [
  put('a/other', 20, 2),
  put('q"\\/ü\n', 1, 2),
  { op: 'rm', path: 'gone' },
  { op: 'mv', path: 'd', to: 'e f' },
  { op: 'mkdir', path: 'new/empty' },
];

const sinceBase = (s: Setting, more: Variables = {}): Variables => ({
  since: 'base',
  sinceId: s.id(SOURCE, 'base'),
  ...more,
});

const divergence = (s: Setting, more: Variables = {}): Promise<void> =>
  s.point('divergence', {
    base: 'base',
    baseSourceId: s.id(SOURCE, 'base'),
    since: 'opened',
    sinceId: s.id(REPLICA, 'opened'),
    ...more,
  });

const failingBack: readonly Scenario[] = [
  scenario('a restore of what changed since a snapshot', 'compare ok | equal 3 0', async (s) => {
    parted(s);
    const since = sinceBase(s);
    await s.point('examine', since);
    await s.restore('if-different', since);
    await s.point('compare', { level: 'full', ...since });
  }),
  scenario('a restore of what changed of one path', 'restore ok | copied 1', async (s) => {
    parted(s, [put('a/other', 20, 2)]);
    await s.restore('always', sinceBase(s));
  }),
  scenario('a look at what changed since a snapshot when nothing has', 'examine ok | read 0 0 0 0', async (s) => {
    parted(s, [{ op: 'rm', path: 'gone' }]);
    await s.point('examine', sinceBase(s));
  }),
  scenario('a comparison of what changed when nothing has', 'compare refused nothing-changed', async (s) => {
    parted(s, []);
    await s.restore('always', sinceBase(s));
    await s.point('compare', { level: 'listing', ...sinceBase(s) });
  }),
  scenario('what changed since another snapshot of that name', 'examine refused since-other', async (s) => {
    parted(s);
    await s.point('examine', sinceBase(s, { sinceId: OTHER_ID }));
  }),
  scenario('what changed since a snapshot that is not there', 'restore refused since-missing', async (s) => {
    parted(s);
    await s.restore('never', sinceBase(s, { since: 'base-0' }));
  }),
  scenario('what changed until another point', 'examine refused target-other', async (s) => {
    parted(s);
    await s.point('examine', sinceBase(s, { targetId: OTHER_ID }));
  }),
  scenario('what changed in a bucket that is not there', 'examine refused source-missing', async (s) => {
    parted(s);
    await s.point('examine', sinceBase(s, { source: 'prod/vol/none' }));
  }),
  scenario('what changed, deleting the rest', 'restore refused bad-parameter', async (s) => {
    parted(s);
    await s.restore('always', sinceBase(s, { deleteExtra: 'yes' }));
  }),
  scenario('what changed without the id of the snapshot', 'examine refused bad-parameter', async (s) => {
    parted(s);
    await s.point('examine', sinceBase(s, { sinceId: '' }));
  }),
  scenario('what changed, and paths besides', 'examine refused bad-parameter', async (s) => {
    parted(s);
    await s.point('examine', { ...s.selection('l\ta'), ...sinceBase(s) });
  }),
  scenario('a divergence', 'divergence ok | 1 2 2, 1 1 1, both 2', async (s) => {
    parted(s, PARTED, [put('gone', 6), put('new/file', 9), { op: 'rm', path: 'd/deep/x' }]);
    await divergence(s);
  }),
  scenario('a divergence of what nobody wrote', 'divergence ok | 0 0 0, 0 0 0, both 0', async (s) => {
    parted(s, []);
    await divergence(s);
  }),
  ...(
    [
      ['base-other', { baseSourceId: OTHER_ID }],
      ['base-missing', { base: 'base-0' }],
      ['target-other', { targetId: OTHER_ID }],
      ['since-other', { sinceId: OTHER_ID }],
      ['since-missing', { since: 'opened-0' }],
      ['source-missing', { source: 'prod/vol/none' }],
      ['replica-missing', { replica: 'dr/vol/none' }],
      ['bad-parameter', { since: '' }],
    ] satisfies readonly (readonly [string, Variables])[]
  ).map(([code, more]) =>
    scenario(`a divergence with ${code}`, `divergence refused ${code}`, async (s) => {
      parted(s);
      await divergence(s, more);
    }),
  ),
  scenario('a divergence while the old primary is away', 'divergence unreachable connection', async (s) => {
    parted(s);
    const ids = { targetId: s.id(SOURCE, 's-2'), baseSourceId: s.id(SOURCE, 'base'), sinceId: s.id(REPLICA, 'opened') };
    s.fault(away);
    await s.run('divergence', { target: 's-2', base: 'base', since: 'opened', ...ids });
  }),
];

const SEVERAL = { buckets: 'vol/bkt,vol/none,vol/two' };

const doctors: readonly Scenario[] = [
  scenario('a doctor of each document', 'doctor ok | read 0 | read 0', async (s) => {
    s.bucket('prod');
    s.bucket('dr', 'LEGACY');
    for (const document of ['observe', 'protect', 'destroy', 'restore'] as const)
      await s.run('doctor', { buckets: 'vol/bkt' }, document);
  }),
  scenario('a doctor of a bucket between others that is not there', 'doctor ok | read 2,not-read,read 1', async (s) => {
    s.bucket('prod');
    s.ozone('sh', 'bucket', 'create', '-l', 'OBJECT_STORE', 'o3://prod/vol/two');
    s.snapshot(SOURCE, 's-1');
    s.later(5000);
    s.snapshot(SOURCE, 's-2');
    s.snapshot('o3://prod/vol/two', 'odr-tmp-left');
    await s.run('doctor', { ...SEVERAL, replica: '' });
  }),
  scenario('a doctor while one cluster is away', 'doctor ok | read 0 | not-answered', async (s) => {
    s.bucket('prod');
    s.fault({ kind: 'unreachable', service: 'dr' });
    await s.run('doctor', { buckets: 'vol/bkt' });
  }),
  scenario('a doctor while the other is away', 'doctor ok | not-answered | read 0', async (s) => {
    s.bucket('dr');
    s.fault({ kind: 'unreachable', service: 'prod' });
    await s.run('doctor', { buckets: 'vol/bkt' });
  }),
  scenario('a doctor of too much', 'doctor refused bad-parameter', (s) =>
    s.run('doctor', { buckets: Array.from({ length: 21 }, (_, n) => `vol/b-${n}`).join(',') }),
  ),
  scenario('a doctor of nothing', 'doctor refused bad-parameter', (s) => s.run('doctor')),
];

export const scenarios: readonly Scenario[] = [
  ...doctors,
  ...surveys,
  ...envelopes,
  ...restrictions,
  ...snapshots,
  ...batches,
  ...diffs,
  ...copies,
  ...guards,
  ...failures,
  ...brakes,
  ...detachments,
  ...verifications,
  ...levels,
  ...tidying,
  ...deleting,
  ...narrowings,
  ...looks,
  ...restoring,
  ...failingBack,
  ...inputs,
];
