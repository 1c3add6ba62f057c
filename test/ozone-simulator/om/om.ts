import { randomUUID } from 'node:crypto';
import type { Bug, CrashPoint } from '../faults/points.ts';
import type { BlobStore, Content } from '../store/blobs.ts';
import type { Acl, Bucket, ClusterState, DiffJob, Layout, Settings, Snapshot, Table, Volume } from '../store/model.ts';
import type { ClusterStore } from '../store/store.ts';
import { OmError, UnreachableError } from './errors.ts';
import { whyIllegal } from './names.ts';
import { NamespaceEdit, Tree } from './namespace.ts';

/** What a running command brings along: who asks, what time it is on this cluster, and what is to go wrong. */
export interface Circumstances {
  readonly user: string;
  /** Epoch milliseconds on the clock of that cluster. */
  now(service: string): number;
  /** Named moments before and after each effect, at which a fault may kill the process. */
  reach(point: `before:${CrashPoint}` | `after:${CrashPoint}`): void;
  has(bug: Bug): boolean;
  isUnreachable(service: string): boolean;
  isDenied(service: string): boolean;
  isQuotaFull(service: string): boolean;
  snapshotLimit(service: string): number | null;
  diffFault(service: string): {
    readonly failure: string;
    readonly rejected: boolean;
    readonly omit: number | string;
    readonly ms: number;
  };
}

export interface NewBucket {
  readonly layout: Layout;
  readonly owner: string;
  readonly quotaInBytes: number;
  readonly quotaInNamespace: number;
  readonly replication: string;
  readonly leadsTo?: string;
}

/** What a new volume or bucket has. */
export const ownersAcls = (owner: string): readonly Acl[] => [
  { type: 'USER', name: owner, scope: 'ACCESS', rights: 'a' },
  { type: 'GROUP', name: owner, scope: 'ACCESS', rights: 'rl' },
];

/** One cluster's Ozone Manager as its clients see it: requests in, results or {@link OmError} out, one at a time. */
export class Om {
  readonly service: string;
  readonly settings: Settings;
  private readonly store: ClusterStore;
  private readonly blobs: BlobStore;
  private readonly around: Circumstances;

  constructor(service: string, store: ClusterStore, blobs: BlobStore, settings: Settings, around: Circumstances) {
    this.service = service;
    this.store = store;
    this.blobs = blobs;
    this.settings = settings;
    this.around = around;
  }

  now(): number {
    return this.around.now(this.service);
  }

  has(bug: Bug): boolean {
    return this.around.has(bug);
  }

  content(bytes: Buffer): Content {
    return this.blobs.put(bytes);
  }

  bytes(content: string): Buffer {
    return content === '' ? Buffer.alloc(0) : this.blobs.get(content);
  }

  private readState(): ClusterState {
    if (this.around.isUnreachable(this.service)) throw new UnreachableError();
    return { ...this.store.read() };
  }

  private apply<T>(effect: CrashPoint, change: (state: ClusterState) => readonly [ClusterState, T]): T {
    if (this.around.isUnreachable(this.service)) throw new UnreachableError();
    this.around.reach(`before:${effect}`);
    const result = this.store.transact((state) => change(housekeeping(state, this.now(), this.settings)));
    this.around.reach(`after:${effect}`);
    return result;
  }

  volumes(): readonly Volume[] {
    return this.readState().volumes;
  }

  createVolume(name: string): void {
    this.apply('volume-create', (state) => {
      const why = whyIllegal(name, 'volume');
      if (why !== null) throw new OmError('INVALID_VOLUME_NAME', why);
      if (state.volumes.some((volume) => volume.name === name))
        throw new OmError('VOLUME_ALREADY_EXISTS', 'Volume already exists');
      const volume: Volume = { name, owner: this.around.user, created: this.now() };
      return [{ ...state, volumes: [...state.volumes, volume] }, undefined];
    });
  }

  createBucket(volume: string, name: string, as: NewBucket): void {
    this.apply('bucket-create', (state) => {
      const why = whyIllegal(name, 'bucket');
      if (why !== null) throw new OmError('INVALID_BUCKET_NAME', why);
      if (!state.volumes.some((v) => v.name === volume))
        throw new OmError('VOLUME_NOT_FOUND', `Volume ${volume} is not found`);
      if (bucketOf(state, volume, name)) throw new OmError('BUCKET_ALREADY_EXISTS', 'Bucket already exist');
      const bucket: Bucket = {
        ...as,
        volume,
        name,
        id: state.nextId,
        created: this.now(),
        acls: ownersAcls(as.owner),
        table: new Map(),
        detached: [],
        snapshots: [],
        jobs: [],
      };
      return [{ ...state, nextId: state.nextId + 1, buckets: withBucket(state.buckets, bucket) }, undefined];
    });
  }

  addAcls(volume: string, name: string, acls: readonly Acl[]): void {
    this.deny('WRITE_ACL', volume, name);
    this.apply('bucket-acl', (state) => {
      const bucket = bucketIn(state, volume, name);
      return [replaceBucket(state, bucket, { ...bucket, acls: [...bucket.acls, ...acls] }), undefined];
    });
  }

  setAcls(volume: string, name: string, acls: readonly Acl[]): void {
    this.deny('WRITE_ACL', volume, name);
    this.apply('bucket-acl', (state) => {
      const bucket = bucketIn(state, volume, name);
      return [replaceBucket(state, bucket, { ...bucket, acls }), undefined];
    });
  }

  /** All keys of a bucket; its snapshots keep what they hold. */
  emptyBucket(volume: string, name: string): void {
    this.edit('key-delete', volume, name, (edit) => {
      for (const { path } of edit.tree().walk('').toReversed()) edit.remove(path, false);
    });
  }

  deleteBucket(volume: string, name: string): void {
    this.apply('bucket-delete', (state) => {
      const bucket = bucketIn(state, volume, name);
      if (bucket.table.size > 0) throw new OmError('BUCKET_NOT_EMPTY', 'Bucket is not empty');
      if (bucket.snapshots.length > 0)
        throw new OmError('CONTAINS_SNAPSHOT', `Bucket ${name} can't be deleted when it has snapshots`);
      return [{ ...state, buckets: state.buckets.filter((b) => b !== bucket) }, undefined];
    });
  }

  buckets(volume: string): readonly Bucket[] {
    return this.readState().buckets.filter((bucket) => bucket.volume === volume);
  }

  bucket(volume: string, name: string): Bucket {
    this.deny('READ', volume, name);
    return bucketIn(housekeeping(this.readState(), this.now(), this.settings), volume, name);
  }

  findBucket(volume: string, name: string): Bucket | undefined {
    return bucketOf(this.readState(), volume, name);
  }

  hasVolume(name: string): boolean {
    return this.readState().volumes.some((volume) => volume.name === name);
  }

  /** Refusal texts of a secured cluster, as seen for a user without rights. */
  private deny(right: string, volume: string, bucket: string): void {
    if (!this.around.isDenied(this.service)) return;
    throw new OmError(
      'PERMISSION_DENIED',
      `User ${this.around.user} doesn't have ${right} permission to access bucket Volume:${volume} Bucket:${bucket} `,
    );
  }

  /** The live namespace (`snapshot` empty) or a frozen one. */
  tree(volume: string, bucket: string, snapshot: string): Tree {
    const live = this.bucket(volume, bucket);
    return new Tree(
      live,
      snapshot === '' || this.has('snapshot-follows-the-live-bucket')
        ? live.table
        : activeSnapshot(live, snapshot).table,
    );
  }

  /** Applies one change to a bucket's namespace as one request. */
  edit<T>(effect: CrashPoint, volume: string, name: string, change: (edit: NamespaceEdit) => T): T {
    this.deny('WRITE', volume, name);
    return this.apply(effect, (state) => {
      const bucket = bucketIn(state, volume, name);
      const edit = new NamespaceEdit(bucket, state.nextId, { user: this.around.user, now: this.now() });
      const result = change(edit);
      const changed: Bucket = { ...bucket, table: edit.table, detached: edit.detached };
      this.checkQuota(bucket, changed);
      return [{ ...replaceBucket(state, bucket, changed), nextId: edit.nextId }, result];
    });
  }

  private checkQuota(before: Bucket, after: Bucket): void {
    const used = usedBytes(after.table);
    if (used <= usedBytes(before.table)) return;
    const quota = this.around.isQuotaFull(this.service) ? usedBytes(before.table) : after.quotaInBytes;
    if (quota < 0 || used <= quota) return;
    throw new OmError(
      'QUOTA_EXCEEDED',
      `The DiskSpace quota of bucket:${after.name} exceeded quotaInBytes: ${quota} Bytes but diskspace consumed: ${used} Bytes.`,
    );
  }

  createSnapshot(volume: string, bucketName: string, name: string, effect: CrashPoint = 'snapshot-create'): Snapshot {
    return this.apply(effect, (state) => {
      const bucket = bucketIn(state, volume, bucketName);
      checkSnapshotName(name);
      if (this.around.isDenied(this.service))
        throw new OmError('PERMISSION_DENIED', 'Only bucket owners and Ozone admins can create snapshots');
      const taken = bucket.snapshots.find((snapshot) => snapshot.name === name);
      if (taken && !(this.has('deleted-names-are-free') && taken.status === 'SNAPSHOT_DELETED'))
        throw new OmError('FILE_ALREADY_EXISTS', 'Snapshot already exists');
      const count = snapshotsIn(state.buckets);
      const limit = this.around.snapshotLimit(this.service) ?? this.settings.snapshotLimit;
      if (count >= limit) throw new OmError('TOO_MANY_SNAPSHOTS', tooManySnapshots(limit, count));
      const snapshot: Snapshot = {
        name,
        id: randomUUID(),
        created: this.now(),
        status: 'SNAPSHOT_ACTIVE',
        deletedAt: null,
        usedBytes: usedBytes(bucket.table),
        table: bucket.table,
      };
      const snapshots = [...bucket.snapshots.filter((s) => s !== taken), snapshot].sort((a, b) =>
        a.name < b.name ? -1 : 1,
      );
      return [replaceBucket(state, bucket, { ...bucket, snapshots }), snapshot];
    });
  }

  deleteSnapshot(volume: string, bucketName: string, name: string, effect: CrashPoint = 'snapshot-delete'): void {
    this.apply(effect, (state) => {
      const bucket = bucketIn(state, volume, bucketName);
      if (this.around.isDenied(this.service))
        throw new OmError('PERMISSION_DENIED', 'Only bucket owners and Ozone admins can delete snapshots');
      const snapshot = bucket.snapshots.find((s) => s.name === name);
      if (!snapshot) throw new OmError('FILE_NOT_FOUND', 'Snapshot does not exist');
      if (snapshot.status === 'SNAPSHOT_DELETED')
        throw new OmError('FILE_NOT_FOUND', 'Snapshot is already deleted. Pending reclamation.');
      const deleted: Snapshot = { ...snapshot, status: 'SNAPSHOT_DELETED', deletedAt: this.now() };
      const snapshots = bucket.snapshots.map((s) => (s === snapshot ? deleted : s));
      return [replaceBucket(state, bucket, { ...bucket, snapshots }), undefined];
    });
  }

  snapshot(volume: string, bucketName: string, name: string): Snapshot {
    const bucket = this.bucket(volume, bucketName);
    const snapshot = bucket.snapshots.find((s) => s.name === name);
    if (!snapshot) throw new OmError('FILE_NOT_FOUND', `Snapshot '/${volume}/${bucketName}/${name}' is not found.`);
    return snapshot;
  }

  /** Changes the jobs of a bucket as one request; the diff jobs themselves are in `diff-jobs.ts`. */
  editJobs<T>(
    effect: CrashPoint,
    volume: string,
    name: string,
    change: (bucket: Bucket) => readonly [readonly DiffJob[], T],
  ): T {
    this.deny('READ', volume, name);
    return this.apply(effect, (state) => {
      const bucket = bucketIn(state, volume, name);
      const [jobs, result] = change(bucket);
      return [jobs === bucket.jobs ? state : replaceBucket(state, bucket, { ...bucket, jobs }), result];
    });
  }

  diffFault(): ReturnType<Circumstances['diffFault']> {
    return this.around.diffFault(this.service);
  }
}

export function activeSnapshot(bucket: Bucket, name: string): Snapshot {
  const snapshot = bucket.snapshots.find((s) => s.name === name);
  const key = `/${bucket.volume}/${bucket.name}/${name}`;
  if (!snapshot) throw new OmError('FILE_NOT_FOUND', `Snapshot '${key}' is not found.`);
  if (snapshot.status === 'SNAPSHOT_DELETED')
    throw new OmError(
      'FILE_NOT_FOUND',
      `Unable to load snapshot. Snapshot with table key '${key}' is no longer active`,
    );
  return snapshot;
}

export function checkSnapshotName(name: string): void {
  const why = whyIllegal(name, 'snapshot');
  if (why !== null) throw new OmError('INVALID_SNAPSHOT_ERROR', `Invalid snapshot name: ${name}\n${why}`);
}

/** The active snapshots of a bucket by age, and where each is among them: worked out once for a listing of thousands. */
const chains = new WeakMap<Bucket, { readonly chain: readonly Snapshot[]; readonly at: ReadonlyMap<string, number> }>();
const chainOf = (bucket: Bucket) => {
  const known = chains.get(bucket);
  if (known) return known;
  const chain = bucket.snapshots.filter((s) => s.status === 'SNAPSHOT_ACTIVE').sort((a, b) => a.created - b.created);
  const made = { chain, at: new Map(chain.map(({ id }, n) => [id, n])) };
  chains.set(bucket, made);
  return made;
};

/** Bytes of the files that only this snapshot holds: not the one before it, nor the next or, of the newest, the live bucket. */
export function exclusiveBytes(bucket: Bucket, snapshot: Snapshot): number {
  const { chain, at } = chainOf(bucket);
  // One that is deleted lies between those that are not.
  const own = at.get(snapshot.id);
  const older = own === undefined ? chain.findLastIndex((s) => s.created <= snapshot.created) : own - 1;
  const newer = own === undefined ? older + 1 : own + 1;
  const beside = [chain[older]?.table, chain[newer]?.table ?? bucket.table].filter((table) => table !== undefined);
  // A table that is the same one has all of it.
  if (beside.includes(snapshot.table)) return 0;
  const held = new Set(beside.flatMap((table) => [...table.values()].map(({ blocks }) => blocks)));
  let sum = 0;
  for (const { blocks, size } of snapshot.table.values()) if (!held.has(blocks)) sum += size;
  return sum;
}

export const usedBytes = (table: Table): number => {
  let sum = 0;
  for (const entry of table.values()) sum += entry.size;
  return sum;
};

const tooManySnapshots = (limit: number, count: number): string =>
  `Snapshot limit of ${limit} reached. Cannot create more snapshots. Current snapshots: ${count}, In-flight creations: 0 ` +
  'If you already deleted some snapshots, please wait for the background service to complete the cleanup.';

/**
 * Where a bucket may be in a list of buckets, by `<volume>/<name>`. Lists that differ by what they replaced or added share it, so
 * what it says may be of another one of them.
 */
const places = new WeakMap<ClusterState['buckets'], Map<string, number>>();

function placesIn(buckets: ClusterState['buckets']): Map<string, number> {
  const known = places.get(buckets);
  if (known) return known;
  const made = new Map(buckets.map(({ volume, name }, place) => [`${volume}/${name}`, place]));
  places.set(buckets, made);
  return made;
}

const bucketOf = ({ buckets }: ClusterState, volume: string, name: string): Bucket | undefined => {
  const found = buckets[placesIn(buckets).get(`${volume}/${name}`) ?? -1];
  return found?.name === name && found.volume === volume ? found : undefined;
};

function bucketIn(state: ClusterState, volume: string, name: string): Bucket {
  const bucket = bucketOf(state, volume, name);
  const [linkedVolume, linkedName] = bucket?.leadsTo?.split('/') ?? [];
  if (linkedVolume !== undefined && linkedName !== undefined) return bucketIn(state, linkedVolume, linkedName);
  if (bucket) return bucket;
  if (!state.volumes.some((v) => v.name === volume))
    throw new OmError('VOLUME_NOT_FOUND', `Volume not found: ${volume}`);
  throw new OmError('BUCKET_NOT_FOUND', `Bucket not found: ${volume}/${name}`);
}

/** How many snapshots the buckets of a list have. */
const counts = new WeakMap<ClusterState['buckets'], number>();

function snapshotsIn(buckets: ClusterState['buckets']): number {
  const count = counts.get(buckets) ?? buckets.reduce((sum, { snapshots }) => sum + snapshots.length, 0);
  counts.set(buckets, count);
  return count;
}

/** `before` with `written` at a place: what is known of the one list is not worked out again for the other. */
function writtenTo(before: ClusterState['buckets'], written: Bucket, place: number): ClusterState['buckets'] {
  const buckets = place < before.length ? before.with(place, written) : [...before, written];
  places.set(buckets, placesIn(before));
  counts.set(buckets, snapshotsIn(before) - (before[place]?.snapshots.length ?? 0) + written.snapshots.length);
  const known = dues.get(before);
  if (known) dues.set(buckets, { ...known, at: Math.min(known.at, dueOf(written, known.settings)) });
  return buckets;
}

function replaceBucket(state: ClusterState, { volume, name }: Bucket, now: Bucket): ClusterState {
  const place = placesIn(state.buckets).get(`${volume}/${name}`) ?? state.buckets.length;
  return { ...state, buckets: writtenTo(state.buckets, now, place) };
}

function withBucket(before: ClusterState['buckets'], bucket: Bucket): ClusterState['buckets'] {
  placesIn(before).set(`${bucket.volume}/${bucket.name}`, before.length);
  return writtenTo(before, bucket, before.length);
}

/** `ozone.om.snapshot.diff.job.report.persistent.time`, and the interval of the service that removes jobs that failed. */
const jobsAreKeptMs = { done: 7 * 24 * 3_600_000, failed: 3_600_000 };

const endOf = (j: DiffJob): number =>
  j.readyAt + (j.status === 'RUNNING' && j.failure === '' ? jobsAreKeptMs.done : jobsAreKeptMs.failed);

/** When a background service has something to do for a bucket next; worked out once. */
const dueOf = (bucket: Bucket, settings: Settings): number => {
  const known = dueOfBucket.get(bucket);
  if (known && areSame(known.settings, settings)) return known.at;
  const { purgeAfterMs, directoryCleaningMs } = settings;
  const at = Math.min(
    ...bucket.detached.map((removed) => removed.at + directoryCleaningMs),
    ...bucket.snapshots.map(({ deletedAt }) =>
      deletedAt === null ? Number.POSITIVE_INFINITY : deletedAt + purgeAfterMs,
    ),
    ...bucket.jobs.map(endOf),
  );
  dueOfBucket.set(bucket, { at, settings });
  return at;
};
const dueOfBucket = new WeakMap<Bucket, { readonly at: number; readonly settings: Settings }>();

/** Before this nothing is due in a list of buckets. */
const dues = new WeakMap<ClusterState['buckets'], { readonly at: number; readonly settings: Settings }>();

/** What was made of a list of buckets that nothing was written to since: who only reads does not keep it. */
const tidied = new WeakMap<
  ClusterState['buckets'],
  { readonly buckets: ClusterState['buckets']; readonly at: number; readonly settings: Settings }
>();

const areSame = (one: Settings, other: Settings): boolean =>
  one.purgeAfterMs === other.purgeAfterMs && one.directoryCleaningMs === other.directoryCleaningMs;

/** What Ozone's background services would have done by `now`: purge snapshots, clean below removed directories, forget jobs. */
function housekeeping(given: ClusterState, now: number, settings: Settings): ClusterState {
  const before = tidied.get(given.buckets);
  const state =
    before && before.at <= now && areSame(before.settings, settings) ? { ...given, buckets: before.buckets } : given;
  const known = dues.get(state.buckets);
  if (known && areSame(known.settings, settings) && now < known.at) return state;
  const made = state.buckets.some((bucket) => dueOf(bucket, settings) <= now) ? tidy(state, now, settings) : state;
  const at = made.buckets.reduce((least, bucket) => Math.min(least, dueOf(bucket, settings)), Number.POSITIVE_INFINITY);
  dues.set(made.buckets, { at, settings });
  if (made !== state) {
    places.set(made.buckets, placesIn(state.buckets));
    tidied.set(given.buckets, { buckets: made.buckets, at: now, settings });
  }
  return made;
}

function tidy(state: ClusterState, now: number, settings: Settings): ClusterState {
  const buckets = state.buckets.map((bucket) => {
    if (dueOf(bucket, settings) > now) return bucket;
    const kept = {
      ...bucket,
      snapshots: bucket.snapshots.filter((s) => s.deletedAt === null || s.deletedAt + settings.purgeAfterMs > now),
      jobs: bucket.jobs.filter((job) => endOf(job) > now),
    };
    if (!bucket.detached.some((d) => d.at + settings.directoryCleaningMs <= now)) return kept;
    const edit = new NamespaceEdit(bucket, state.nextId, { user: '', now });
    edit.clean(now - settings.directoryCleaningMs);
    return { ...kept, table: edit.table, detached: edit.detached };
  });
  return { ...state, buckets };
}
