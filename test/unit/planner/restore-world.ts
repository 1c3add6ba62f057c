import type { BackupStep } from '../../../functions/core/domain/backup-step.ts';
import { namesIn } from '../../../functions/core/domain/buckets.ts';
import type { CompareData, ExamineData, SeenBucket, SeenTarget } from '../../../functions/core/domain/edge-reply.ts';
import { type BackupRun, emptyPair, type Observation, type PairState } from '../../../functions/core/domain/ledger.ts';
import { BucketRef, drillPair, HostId, pairId, runId, targetPair } from '../../../functions/core/domain/names.ts';
import { Cluster, Drills, type Policy } from '../../../functions/core/domain/policy.ts';
import type { RestoreTask } from '../../../functions/core/domain/restore.ts';
import { PlanHash } from '../../../functions/core/domain/retention.ts';
import { Bytes, epochMs, later, seconds } from '../../../functions/core/domain/units.ts';
import type { RunHistory } from '../../../functions/core/planner/history.ts';
import { baseOf, nameOf, operationOf, policyOf, slot } from './world.ts';

export const digestOf = (letter: string): string => letter.repeat(64);
export const planHash = PlanHash.parse('c'.repeat(64));
export const targetCreated = '2026-03-03T03:03:03.000Z';
export const madeNow = '2026-11-20T02:00:01.000Z';
const FIRST_HOST = HostId.parse('i-0123456789abcdef0');

export const restorePolicy = (change: Partial<Policy> = {}): Policy => ({
  ...policyOf('incremental-or-resync'),
  drills: Drills.parse({ cron: '0 6 * * ? *', zone: 'Etc/UTC' }),
  ...change,
});

export const bucketSeen = (change: Partial<SeenBucket> = {}): SeenBucket => ({
  created: targetCreated,
  layout: 'FILE_SYSTEM_OPTIMIZED',
  link: false,
  usedBytes: 0,
  usedNamespace: 0,
  owner: 'ann',
  quotaInBytes: -1,
  quotaInNamespace: -1,
  replication: 'RATIS/THREE',
  encryptionKey: null,
  acls: null,
  ...change,
});

interface At {
  readonly bucket?: Partial<SeenBucket>;
  readonly absent?: number;
  readonly same?: number;
  readonly other?: number;
  readonly clash?: number;
  readonly extra?: number;
  /** Length of what is in the place of files of the point. */
  readonly replacedBytes?: number;
}

type TargetText = 'missing' | 'unreachable' | 'denied' | 'unreadable';

const seenTarget = (at: TargetText | At): SeenTarget =>
  typeof at === 'string'
    ? { state: at, code: 'CODE', message: 'as the cluster says' }
    : {
        state: 'read',
        bucket: bucketSeen(at.bucket),
        absent: { files: at.absent ?? 0, bytes: Bytes.parse((at.absent ?? 0) * 10) },
        sameLength: at.same ?? 0,
        otherLength: at.other ?? 0,
        clash: at.clash ?? 0,
        replacedBytes: Bytes.parse(at.replacedBytes ?? ((at.same ?? 0) + (at.other ?? 0)) * 10),
        extra: { files: at.extra ?? 0, bytes: Bytes.parse((at.extra ?? 0) * 10) },
        first: [{ path: 'a/b', point: '10', target: '11' }],
      };

/** A look: the point has ten files of ten bytes, and lists as verified. */
export const looked = (
  at: TargetText | At,
  change: { readonly digest?: string; readonly unmatched?: number; readonly source?: Partial<SeenBucket> } = {},
): Observation => ({
  kind: 'examination',
  data: {
    source: bucketSeen({ created: '2026-01-01T00:00:00.000Z', ...change.source }),
    point: { files: 10, dirs: 2, bytes: Bytes.parse(100), digest: digestOf(change.digest ?? 'f') },
    unmatched: { count: change.unmatched ?? 0, first: change.unmatched ? ['no/such'] : [] },
    target: seenTarget(at),
  } satisfies ExamineData,
});

export const bucketMade = (created = true): Observation => ({
  kind: 'bucket',
  created,
  bucket: bucketSeen({ created: madeNow }),
});

export const kept: Observation = {
  kind: 'snapshot',
  created: true,
  snapshot: { name: 'restore-safety', id: baseOf('z').sourceId, created: slot, status: 'ACTIVE' },
  diff: 'not-asked',
};

const copyOf = (files: number) => ({
  exit: 0,
  seconds: 7,
  filesCopied: files,
  filesSkipped: 0,
  filesFailed: 0,
  bytesCopied: Bytes.parse(files * 10),
  dirsCopied: 0,
});
export const copied = (files = 10): Observation => ({ kind: 'restored', data: { copy: copyOf(files), log: '' } });

export const compared = (change: Partial<CompareData> = {}): Observation => {
  const listing = { files: 10, dirs: 2, bytes: Bytes.parse(100), digest: digestOf('f') };
  const { missing = 0, changed = 0 } = change;
  return {
    kind: 'comparison',
    data: {
      level: 'full',
      equal: missing === 0 && changed === 0,
      point: listing,
      target: listing,
      missing,
      changed,
      extra: 0,
      checksums: { compared: 10, differ: 0 },
      first: missing + changed > 0 ? [{ path: 'a/b', source: '10', replica: null }] : [],
      ...change,
    },
  };
};

export const notDone = (
  code: string,
  outcome: 'refused' | 'failed' | 'unreachable' | 'interrupted' = 'refused',
  filesCopied?: number,
): Observation => ({
  kind: 'not-done',
  outcome,
  code,
  message: 'as the host says',
  data: null,
  deletion: null,
  ...(filesCopied === undefined ? {} : { restored: { copy: copyOf(filesCopied), log: '' } }),
});
export const noAnswer = (error = 'EdgeInterrupted'): Observation => ({ kind: 'no-answer', error, cause: 'why' });
export const elapsed: Observation = { kind: 'elapsed' };
export const removed: Observation = { kind: 'scratch', removed: true };

type Did = readonly [decision: { readonly kind: BackupStep['kind'] } & Record<string, unknown>, Observation | null];

export interface RestoreWorld {
  readonly purpose?: 'drill' | undefined;
  /** Of its replica, or on the way back of its source, from its own snapshot. */
  readonly failover?: Partial<NonNullable<RestoreTask['failover']>> | undefined;
  readonly role?: PairState['role'] | undefined;
  readonly target?: RestoreTask['target']['kind'] | undefined;
  readonly on?: 'prod' | 'dr' | undefined;
  /** Where the point is. */
  readonly sides?: 'both' | 'source' | 'replica' | 'none' | undefined;
  readonly overwrite?: RestoreTask['overwrite'] | undefined;
  readonly deleteExtra?: boolean | undefined;
  readonly selection?: boolean | undefined;
  readonly digest?: null | undefined;
  readonly verification?: RestoreTask['verification'] | undefined;
  readonly envelope?: Partial<NonNullable<RestoreTask['point']['envelope']>> | null | undefined;
  readonly confirmed?: Partial<NonNullable<RestoreTask['confirmed']>> | undefined;
  readonly planOnly?: boolean | undefined;
  readonly did?: readonly Did[] | undefined;
  readonly scratch?: Partial<NonNullable<PairState['scratch']>> | undefined;
  readonly copies?: readonly Partial<PairState['copies'][number]>[] | undefined;
  readonly run?: Partial<Pick<BackupRun, 'firstStep' | 'factsFrom' | 'lease'>> | undefined;
  readonly policy?: Partial<Policy> | undefined;
  /** Seconds from one step to the next. */
  readonly pace?: number | undefined;
}

const DEFAULTS: Readonly<Record<string, object>> = {
  examine: { from: 'source' },
  restore: { from: 'source', overwrite: 'never', deleteExtra: false, targetCreated, copySeconds: seconds(3600) },
  compare: { against: 'source', level: 'full', exact: false, of: 'target' },
  'create-target': {
    layout: 'FILE_SYSTEM_OPTIMIZED',
    replication: '',
    quotaBytes: 0,
    quotaNamespace: 0,
    encryptionKey: null,
  },
  'safety-snapshot': { name: 'restore-safety-20261120t020000z-1' },
  'remove-scratch': { created: madeNow },
  wait: { seconds: seconds(15) },
};

export const scratchBucket = BucketRef.parse('sales/odr-drill-20261120t020000z-01234567');
export const earlierScratch = BucketRef.parse('sales/odr-drill-20261113t020000z-01234567');

/** A restore of the point `a`, whose source copy is on prod and whose replica is on dr, at some step. */
export const restoreHistory = (world: RestoreWorld): { readonly history: RunHistory; readonly task: RestoreTask } => {
  const policy = restorePolicy(world.policy);
  const { replica } = policy;
  const [bucket] = namesIn(policy);
  if (!bucket || !replica) throw new Error('the sample has one bucket and a replica');
  const isDrill = world.purpose === 'drill';
  const kind = world.target ?? (isDrill ? 'scratch' : 'side');
  const on = world.on ?? (isDrill ? 'dr' : 'prod');
  const cluster = on === 'dr' ? replica : policy.source;
  const target = {
    kind,
    cluster,
    bucket: {
      side: BucketRef.parse('sales/orders-restore-20261120t020000z'),
      'in-place': bucket,
      other: BucketRef.parse('sales/elsewhere'),
      scratch: scratchBucket,
    }[kind],
  };
  const pair = isDrill ? drillPair(policy, bucket) : targetPair(cluster.name, target.bucket);
  const has = (side: 'source' | 'replica') => (world.sides ?? 'both') === 'both' || world.sides === side;
  const base = baseOf('a');
  const task: RestoreTask = {
    purpose: isDrill ? 'drill' : 'restore',
    lineage: pairId(policy.source.name, bucket, replica.name),
    point: {
      name: base.name,
      created: base.created,
      digest: world.digest === null ? null : digestOf('f'),
      source: has('source') ? { id: base.sourceId, cluster: Cluster.parse(policy.source) } : null,
      replica: has('replica') ? { id: base.replicaId, cluster: Cluster.parse(replica) } : null,
      envelope:
        world.envelope === null
          ? null
          : {
              layout: 'LEGACY',
              replication: 'EC/rs-3-2-1024k',
              encryptionKey: 'key1',
              quotaInBytes: 5000,
              quotaInNamespace: 50,
              ...world.envelope,
            },
    },
    selection: world.selection ? PlanHash.parse('5'.repeat(64)) : null,
    since: null,
    scope: world.selection ? '3 paths' : 'the whole bucket',
    target,
    overwrite: world.overwrite ?? (isDrill ? 'if-different' : 'never'),
    deleteExtra: world.deleteExtra ?? false,
    verification: world.verification ?? 'full',
    by: 'ann',
    reason: 'lost a file',
    rate: { bytesPerSecond: 10, secondsPerFile: 1, startSeconds: 60, basis: 'measured' },
    planOnly: world.planOnly ?? false,
    confirmed: world.confirmed ? { plan: planHash, targetCreated, replaced: 0, deleted: 0, ...world.confirmed } : null,
    failover: world.failover
      ? { kind: 'unplanned', from: policy.source, epoch: 1, to: 'replica', roleOf: pair, ...world.failover }
      : null,
    failback: null,
  };
  const id = runId(pair, policy.name, slot, isDrill ? 'drill' : 'restore');
  const run: BackupRun = {
    schema: 1,
    workflow: isDrill ? 'drill' : 'restore',
    restore: task,
    runId: id,
    pair,
    bucket,
    slot,
    policy,
    status: 'open',
    execution: 'arn:execution',
    lease: 1,
    startedAt: slot,
    firstStep: 0,
    factsFrom: 0,
    endedAt: null,
    outcome: null,
    failure: null,
    ...world.run,
  };
  const pace = (world.pace ?? 1) * 1000;
  const steps = (world.did ?? []).map(([decision, observed], n) => ({
    n,
    decision: {
      host: FIRST_HOST,
      timeoutSeconds: seconds(900),
      heartbeatSeconds: seconds(600),
      reason: 'r',
      ...DEFAULTS[decision.kind],
      ...('bucket' in decision || !/target|scratch/.test(decision.kind) ? {} : { bucket: target.bucket }),
      ...decision,
    } as never,
    decidedAt: epochMs(slot + n * pace),
    operationStep: typeof decision.operationStep === 'number' ? decision.operationStep : n,
    observed,
    observedAt: observed ? epochMs(slot + n * pace + pace / 2) : null,
    jvmStarts: null,
  }));
  return {
    task,
    history: {
      run,
      steps,
      points: [],
      pair: {
        ...emptyPair(pair),
        role: world.role ?? null,
        scratch: world.scratch
          ? { cluster: cluster.name, bucket: scratchBucket, runId: id, since: slot, created: madeNow, ...world.scratch }
          : null,
        copies: (world.copies ?? []).map((copy, n) => ({
          operation: operationOf(n),
          point: nameOf('a'),
          mode: 'bootstrap',
          base: null,
          host: FIRST_HOST,
          from: slot,
          deadline: later(slot, seconds(3600)),
          to: null,
          ...copy,
        })),
      },
    },
  };
};
