/** What an Ozone Manager remembers, as plain immutable data. Times are epoch milliseconds of the cluster's own clock. */

export type Layout = 'FILE_SYSTEM_OPTIMIZED' | 'LEGACY' | 'OBJECT_STORE';

/**
 * One file or directory. In FSO `key` is `<parent object id>/<name>` as in Ozone's file and directory tables, so a
 * renamed directory carries its children without touching them; in LEGACY and OBS it is the whole path, a directory
 * ending in `/`. `blocks` changes with every write of content, `version` with every change of the record.
 */
export interface Entry {
  readonly id: number;
  readonly key: string;
  readonly dir: boolean;
  readonly size: number;
  readonly content: string;
  readonly crc: string;
  readonly created: number;
  readonly modified: number;
  readonly owner: string;
  readonly blocks: number;
  readonly version: number;
}

/** A bucket's namespace. Never changed in place: snapshots share it with the live bucket until that changes. */
export type Table = ReadonlyMap<string, Entry>;

export interface Snapshot {
  readonly name: string;
  readonly id: string;
  readonly created: number;
  readonly status: 'SNAPSHOT_ACTIVE' | 'SNAPSHOT_DELETED';
  readonly deletedAt: number | null;
  readonly usedBytes: number;
  readonly table: Table;
}

/** `readyAt`: the time from which the job counts as ended; `failure` is decided when it is computed. */
export interface DiffJob {
  readonly from: string;
  readonly to: string;
  readonly fromId: string;
  readonly toId: string;
  readonly status: 'RUNNING' | 'REJECTED' | 'CANCELLED' | 'FAILED';
  readonly readyAt: number;
  readonly failure: string;
  /** Which entry its report leaves out: see the fault `diff-omits`; 0: none. */
  readonly omit: number | string;
}

/** `rights` are Ozone's letters, `scope` ACCESS or DEFAULT. */
export interface Acl {
  readonly type: string;
  readonly name: string;
  readonly scope: string;
  readonly rights: string;
}

export interface Bucket {
  readonly volume: string;
  readonly name: string;
  readonly id: number;
  readonly layout: Layout;
  readonly owner: string;
  readonly created: number;
  readonly quotaInBytes: number;
  readonly quotaInNamespace: number;
  /** `RATIS/ONE`, `EC/rs-3-2-1024k`; empty: the cluster's default. */
  readonly replication: string;
  /** Of a link: the bucket that it leads to, as `volume/bucket`. */
  readonly leadsTo?: string;
  /** Those that were added to the owner's. */
  readonly acls: readonly Acl[];
  readonly table: Table;
  /** Directories whose removal the background cleaner has not followed into their children yet. */
  readonly detached: readonly { readonly id: number; readonly at: number }[];
  readonly snapshots: readonly Snapshot[];
  readonly jobs: readonly DiffJob[];
}

export interface Volume {
  readonly name: string;
  readonly owner: string;
  readonly created: number;
}

export interface ClusterState {
  readonly revision: number;
  readonly nextId: number;
  readonly volumes: readonly Volume[];
  readonly buckets: readonly Bucket[];
}

export const emptyCluster: ClusterState = { revision: 0, nextId: 1, volumes: [], buckets: [] };

/** The cluster's configuration that a test may change; the names are Ozone's settings shortened. */
export interface Settings {
  /** `ozone.om.fs.snapshot.max.limit`: counts the whole cluster, deleted-but-not-purged snapshots included. */
  readonly snapshotLimit: number;
  /** How long a deleted snapshot stays visible (`ozone.snapshot.deleting.service.interval`, 30 s by default). */
  readonly purgeAfterMs: number;
  /** How long children of a removed FSO directory stay in the tables (`ozone.directory.deleting.service.interval`). */
  readonly directoryCleaningMs: number;
  /** How old a snapshot is before background services have counted what only it keeps; it says 0 until then. */
  readonly exclusiveSizeAfterMs: number;
  /** `ozone.om.snapshot.diff.job.default.wait.time`: only reported, nobody sleeps for it here. */
  readonly diffWaitMs: number;
  /** How long a diff job computes. */
  readonly diffMs: number;
  /** Running diff jobs beyond this are rejected (`ozone.om.snapshot.diff.thread.pool.size`, running and queued). */
  readonly diffSlots: number;
  /** `ozone.om.snapshot.diff.max.page.size`. */
  readonly diffPageSize: number;
  /** Which command line the host has installed: since 2.2 `diff` submits and `--get-report` reads. */
  readonly cli: '2.1' | '2.2';
}

export const defaultSettings: Settings = {
  snapshotLimit: 10_000,
  purgeAfterMs: 30_000,
  directoryCleaningMs: 60_000,
  exclusiveSizeAfterMs: 300_000,
  diffWaitMs: 1_000,
  diffMs: 0,
  diffSlots: 20,
  diffPageSize: 1_000,
  cli: '2.2',
};
