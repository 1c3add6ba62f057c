import * as z from 'zod';
import { MOST_IN_BATCH } from './batch.ts';
import { OperationId, SnapshotId, SnapshotName } from './names.ts';
import { Bytes, EpochMs } from './units.ts';

/** A snapshot name as a cluster shows it: also names that this product would never give. */
const SeenName = z.string().min(1).max(128);

export const SeenSnapshot = z.object({
  name: SeenName,
  id: SnapshotId,
  created: EpochMs,
  status: z.enum(['ACTIVE', 'DELETED']),
  /** What only this snapshot keeps; 0 until background jobs of the cluster have counted it. */
  exclusiveBytes: Bytes.optional(),
});
export type SeenSnapshot = z.infer<typeof SeenSnapshot>;

const Count = z.number().int().nonnegative();

export const SeenBucket = z.object({
  /** Creation time as Ozone prints it. Ozone shows no id of a bucket: this is what tells it from a namesake. */
  created: z.iso.datetime(),
  layout: z.enum(['FILE_SYSTEM_OPTIMIZED', 'LEGACY', 'OBJECT_STORE']),
  link: z.boolean(),
  usedBytes: Count,
  usedNamespace: Count,
  owner: z.string(),
  quotaInBytes: z.number().int(),
  quotaInNamespace: z.number().int(),
  /** `RATIS/THREE`, `EC/rs-3-2-1024k`; empty when the bucket follows the default of its cluster. */
  replication: z.string().max(100).default(''),
  /** Name of the key in the cluster's KMS; null when the bucket is not encrypted. */
  encryptionKey: z.string().max(255).nullable().default(null),
  /** `USER:bob:READ,WRITE:ACCESS`, sorted; null when they may not be read. */
  acls: z.array(z.string().max(300)).max(100).nullable().default(null),
});
export type SeenBucket = z.infer<typeof SeenBucket>;

/** Why a side could not be read. */
const Unread = z.object({
  state: z.enum(['missing', 'unreachable', 'denied', 'unreadable']),
  code: z.string(),
  message: z.string(),
});

/** How many snapshots a side has, of which not all may be named. */
const SeenCounts = z.object({ listed: Count, active: Count });

/** One side of a pair as a survey found it. */
export const SeenSide = z.discriminatedUnion('state', [
  z.object({
    state: z.literal('read'),
    bucket: SeenBucket,
    snapshots: z.array(SeenSnapshot),
    /** Of a listing that was shortened: of the whole one. */
    counts: SeenCounts.optional(),
  }),
  Unread,
]);
export type SeenSide = z.infer<typeof SeenSide>;

/** Which snapshots of a listing are kept beside temporary ones: those of these names, and those whose names begin so. */
export const KeptSnapshots = z.object({ names: z.array(SnapshotName), prefix: z.string() });
export type KeptSnapshots = z.infer<typeof KeptSnapshots>;

/**
 * What an operation keeps of the answer to a survey: some snapshots, or all of them, of which a long list stays where
 * Run Command has put the answer (`whole`).
 */
export const Kept = z.union([KeptSnapshots, z.literal('whole')]);
export type Kept = z.infer<typeof Kept>;

export const countsOf = (side: SeenSide | null): z.infer<typeof SeenCounts> => {
  if (side?.state !== 'read') return { listed: 0, active: 0 };
  const { snapshots, counts } = side;
  return counts ?? { listed: snapshots.length, active: snapshots.filter(({ status }) => status === 'ACTIVE').length };
};

export const DiffStatus = z.enum([
  'not-asked',
  'not-found',
  'submitted',
  'pending',
  'done',
  'failed',
  'rejected',
  'cancelled',
  'unknown',
]);
export type DiffStatus = z.infer<typeof DiffStatus>;

export const SurveyData = z.object({ source: SeenSide, replica: SeenSide.nullable() });
export const SnapshotData = z.object({
  created: z.boolean(),
  snapshot: SeenSnapshot,
  diff: DiffStatus,
  diffMessage: z.string(),
  /** Programs of the host that were run around it, in their order. `exit` is 126 for one that may not be run. */
  hooks: z
    .array(
      z.object({
        phase: z.enum(['before', 'after']),
        name: z.string().max(40),
        exit: z.number().int(),
        seconds: z.number().int(),
        output: z.string().max(8000),
        /** Empty: it succeeded. */
        problem: z.string().max(1000),
      }),
    )
    .default([]),
});
export const DiffData = z.object({
  status: DiffStatus,
  empty: z.boolean().nullable(),
  reason: z.string(),
  waitMs: Count.nullable(),
});
export const CopyCounters = z.object({
  mode: z.enum(['bootstrap', 'incremental', 'resync']),
  exit: Count,
  seconds: Count,
  filesCopied: Count,
  filesSkipped: Count,
  filesFailed: Count,
  bytesCopied: Bytes,
  dirsCopied: Count,
});
export type CopyCounters = z.infer<typeof CopyCounters>;
export const ReplicateData = z.object({
  copy: CopyCounters.nullable(),
  diffStatus: z.string().nullable(),
  diffEmpty: z.boolean().nullable(),
  seal: SeenSnapshot.nullable(),
  log: z.string(),
  /** What the copy would take away from the replica, where the anomaly brake counted it; `complete`: to the end. */
  removals: z.object({ deletes: Count, renames: Count, complete: z.boolean() }).nullable().default(null),
  /** Directories, and entries of the root, that a narrowed resync brings to the target; null: not narrowed, or not planned yet. */
  units: Count.nullable().default(null),
  /** The operation that holds the lock of the bucket on the host (`bucket-busy`). */
  holder: OperationId.nullable().default(null),
  /** The copy goes on without its command: `probe` tells how it ended. */
  detached: z.boolean().default(false),
});
export type ReplicateData = z.infer<typeof ReplicateData>;
const Listing = z.object({ files: Count, dirs: Count, bytes: Bytes, digest: z.string().regex(/^[0-9a-f]{64}$/) });
export const VerifyData = z.object({
  level: z.enum(['listing', 'changed', 'rolling', 'full']),
  equal: z.boolean(),
  source: Listing,
  replica: Listing,
  onlySource: Count,
  onlyReplica: Count,
  changed: Count,
  /** Files whose checksums of both sides were compared, how many differ (counted in `changed` too); null at level listing. */
  checksums: z.object({ compared: Count, differ: Count }).nullable().default(null),
  first: z.array(z.object({ path: z.string(), source: z.string().nullable(), replica: z.string().nullable() })).max(20),
});
export type VerifyData = z.infer<typeof VerifyData>;
/** `seal` and `summary` of the listing that all of them have, when nothing had changed. */
export const SealUnchangedData = z.discriminatedUnion('unchanged', [
  z.object({
    unchanged: z.literal(true),
    seal: SeenSnapshot,
    summary: z.object({ files: Count, dirs: Count, bytes: Bytes }),
  }),
  z.object({ unchanged: z.literal(false) }),
]);
export type SealUnchangedData = z.infer<typeof SealUnchangedData>;
export const CreateBucketData = z.object({ created: z.boolean(), bucket: SeenBucket });

/** What the target of a restore holds of the selection, in files: nothing (`absent`), one of the same or of another length, or a `clash` of a file and a directory. */
export const SeenTarget = z.discriminatedUnion('state', [
  z.object({
    state: z.literal('read'),
    bucket: SeenBucket,
    absent: z.object({ files: Count, bytes: Bytes }),
    sameLength: Count,
    otherLength: Count,
    clash: Count,
    /** Length of what is at the target in the place of files of the point. */
    replacedBytes: Bytes,
    /** At the target, within the selection, and not in the point. */
    extra: z.object({ files: Count, bytes: Bytes }),
    first: z.array(z.object({ path: z.string(), point: z.string().nullable(), target: z.string().nullable() })).max(20),
  }),
  Unread,
]);
export type SeenTarget = z.infer<typeof SeenTarget>;

export const ExamineData = z.object({
  /** The bucket that holds the point. */
  source: SeenBucket,
  /** The selection in the point; of a whole bucket the digest is that of `verify`. */
  point: Listing,
  /** Lines of the selection that name nothing in the point. */
  unmatched: z.object({ count: Count, first: z.array(z.string()).max(20) }),
  target: SeenTarget,
});
export type ExamineData = z.infer<typeof ExamineData>;

export const CompareData = z.object({
  level: z.enum(['listing', 'full']),
  equal: z.boolean(),
  point: Listing,
  target: Listing,
  /** In the point, not at the target. */
  missing: Count,
  /** Of another type, length or checksum at the target. */
  changed: Count,
  /** At the target, within the selection, not in the point; makes it unequal only when the comparison is `exact`. */
  extra: Count,
  /** Files whose checksums were compared, how many differ (counted in `changed` too); null at level listing. */
  checksums: z.object({ compared: Count, differ: Count }).nullable(),
  first: z.array(z.object({ path: z.string(), source: z.string().nullable(), replica: z.string().nullable() })).max(20),
});
export type CompareData = z.infer<typeof CompareData>;

export const RestoreData = z.object({ copy: CopyCounters.omit({ mode: true }).nullable(), log: z.string() });
export type RestoreData = z.infer<typeof RestoreData>;

/** False: the bucket was gone already. */
export const RemoveScratchData = z.object({ removed: z.boolean() });

/** An ACL as `ozone sh bucket setacl` takes it: `user:bob:rl`, `group:staff:a[DEFAULT]`. */
export const AclEntries = z.array(z.string().max(200)).max(100);

/** The ACL of a bucket before and after; the same when nothing was set. */
export const RestrictData = z.object({ before: AclEntries, after: AclEntries });
export type RestrictData = z.infer<typeof RestrictData>;

/** Where a path is in each point, in the order asked for; `no-snapshot`: the point is not there, or its name is another snapshot's. */
export const VersionsData = z.object({
  versions: z
    .array(
      z.object({
        name: SeenName,
        id: SnapshotId,
        state: z.enum(['file', 'directory', 'absent', 'no-snapshot']),
        /** Of a file. */
        bytes: Bytes.nullable(),
        modified: EpochMs.nullable(),
        /** Kind and value; null when it has none or it could not be read. */
        checksum: z.string().max(200).nullable(),
      }),
    )
    .max(100),
});
export type VersionsData = z.infer<typeof VersionsData>;
export type SeenVersion = VersionsData['versions'][number];

/** Every bucket of the volumes that were asked for, but links; names that are none are left to whoever reads them. */
export const BucketsData = z.object({ volumes: z.number().int(), buckets: z.array(z.string().max(200)) });
export type BucketsData = z.infer<typeof BucketsData>;

/** One page of what Ozone says has changed between two snapshots: entries only when it is done. */
export const ChangesData = z.object({
  status: DiffStatus,
  reason: z.string(),
  entries: z
    .array(
      z.object({ kind: z.enum(['+', '-', 'M', 'R']), path: z.string(), /** Of a rename. */ to: z.string().nullable() }),
    )
    .max(100),
  /** The page after this one. */
  next: z
    .string()
    .regex(/^[0-9]{1,40}$/)
    .nullable(),
});
export type ChangesData = z.infer<typeof ChangesData>;

/** Files by path that one side has otherwise than at the point where both parted; `changed`: another length or modification time. */
const Parted = z.object({
  added: Count,
  changed: Count,
  deleted: Count,
  /** Length of what was added or changed, as it is now. */
  bytes: Bytes,
  /** In the order of their bytes, as Ozone escaped them. */
  first: z.array(z.string()).max(20),
});

/** How two sides went different ways since they were equal: the source in frozen snapshots, the replica live. */
export const DivergenceData = z.object({
  source: Parted,
  replica: Parted,
  /** Paths of files that were added, changed or deleted on both sides. */
  both: z.object({ paths: Count, first: z.array(z.string()).max(20) }),
});
export type DivergenceData = z.infer<typeof DivergenceData>;

const Short = z.string().max(300);

/** What the identity of a document finds on one cluster. */
const DoctorCluster = z.discriminatedUnion('state', [
  z.object({
    service: Short,
    state: z.literal('read'),
    buckets: z
      .array(
        z.discriminatedUnion('state', [
          z.object({
            bucket: Short,
            state: z.literal('read'),
            layout: z.enum(['FILE_SYSTEM_OPTIMIZED', 'LEGACY', 'OBJECT_STORE']),
            link: z.boolean(),
            owner: z.string(),
            created: z.string(),
            /** Deleted ones too; null when they cannot be listed: no snapshots on this cluster, or not for this identity. */
            snapshots: Count.nullable(),
            /** Of those, what copies leave behind when they are killed. */
            temporary: Count.nullable(),
          }),
          z.object({ bucket: Short, state: z.literal('not-read'), code: Short, message: Short }),
        ]),
      )
      .max(20),
    /** Of the first bucket; null when not asked for or not readable. */
    acls: z.array(z.string().max(300)).max(100).nullable(),
    /** Of the volume of the first bucket; null without Kerberos, or when not readable. */
    volumeOwner: z.string().nullable().default(null),
    /** What its manager lets a client wait for a difference that is not ready; null without two snapshots to ask with. */
    diffWaitMs: Count.nullable(),
  }),
  z.object({ service: Short, state: z.literal('not-answered'), code: Short, message: z.string().max(1000) }),
]);
export type DoctorCluster = z.infer<typeof DoctorCluster>;

const OwnedPath = z.object({ path: z.string(), owner: z.string(), mode: z.string().regex(/^[0-7]{1,5}$/) });

const YarnSilent = z.object({ state: z.literal('not-answered'), message: z.string().max(1000) });

/** How a host is for the verbs of one document. Null: not asked, or there is no telling. */
export const DoctorData = z.object({
  document: z.enum(['observe', 'protect', 'destroy', 'restore']),
  /** Programs that are not on PATH. */
  missing: z.array(Short),
  user: z.string(),
  ticket: z
    .object({ principal: z.string(), expires: EpochMs.nullable(), renewable: EpochMs.nullable().default(null) })
    .nullable(),
  /** Where its ticket comes from, and why it has none. `file` is null when it is not there. */
  login: z
    .object({
      keytab: z.object({ path: z.string(), file: OwnedPath.nullable() }).nullable(),
      problem: z.string().max(1500),
    })
    .default({ keytab: null, problem: '' }),
  locale: z.string().nullable(),
  config: OwnedPath.nullable(),
  /** Programs of its list that may be run around a snapshot; those that may not say why. */
  hooks: z.array(z.object({ name: Short, problem: z.string().max(1500) })).default([]),
  /** Of the YARN that its configuration names, for the document that copies; null: it names none. */
  yarn: z
    .object({
      manager: z.discriminatedUnion('state', [
        /** Queues by their names, and with those above them. */
        z.object({
          state: z.literal('answered'),
          queues: z.array(Short).max(300),
          /** The largest container, in MiB; null where the scheduler tells none. */
          largestMB: Count.nullable(),
        }),
        YarnSilent,
      ]),
      history: z.discriminatedUnion('state', [z.object({ state: z.literal('answered') }), YarnSilent]).nullable(),
      /** MiB that the host's Hadoop asks for a container of a map and of the application's master; null where it leaves them to their defaults. */
      asks: z.object({ map: Count.nullable(), master: Count.nullable() }),
    })
    .nullable()
    .default(null),
  state: z.object({
    folder: OwnedPath.nullable(),
    writable: z.boolean(),
    freeKB: Count.nullable(),
    freeInodes: Count.nullable(),
  }),
  versions: z.object({ ozone: Short.nullable(), hadoop: Short.nullable(), java: Short.nullable() }),
  /** Whether Hadoop knows Ozone's file system. */
  readsOfs: z.boolean().nullable(),
  /** What the role of the host may do of what no host needs. */
  may: z.array(Short).nullable(),
  source: DoctorCluster,
  replica: DoctorCluster.nullable(),
});
export type DoctorData = z.infer<typeof DoctorData>;

/** Of `tidy` and of `delete`. */
export const RemovedData = z.object({
  removed: z.array(z.object({ name: SeenName, id: SnapshotId })),
  /** What was asked for and is still there, and why. */
  kept: z.array(z.object({ name: SeenName, id: SnapshotId, why: z.string() })),
});
export type RemovedData = z.infer<typeof RemovedData>;

/** What each operation of a batch would have answered alone, in any order. */
export const BatchData = z.object({ replies: z.array(z.looseObject({ operation: OperationId })).max(MOST_IN_BATCH) });

const common = {
  version: z.literal(1),
  operation: OperationId,
  /** refused and unreachable: nothing was changed; failed and interrupted: what was changed is not known. */
  outcome: z.enum(['ok', 'refused', 'failed', 'unreachable', 'interrupted']),
  code: z.string().max(64),
  message: z.string().max(4000),
  host: z.string(),
  startedAt: EpochMs,
  endedAt: EpochMs,
  jvmStarts: Count,
};

const reply = <V extends string, D extends z.ZodType>(verb: V, data: D) =>
  z.object({ ...common, verb: z.literal(verb), data: data.nullable() });

const ReplicateReply = reply('replicate', ReplicateData);

/** How a detached copy stands: `died` when nothing of it is left on its host and it never said how it ended. */
export const ProbeData = z.object({
  state: z.enum(['running', 'ended', 'died', 'unknown']),
  /** The copy's own reply, once it has ended. */
  reply: ReplicateReply.nullable(),
});

/** What the script on an edge host answers, by verb. */
export const EdgeReply = z.discriminatedUnion('verb', [
  reply('survey', SurveyData),
  reply('snapshot', SnapshotData),
  reply('diff', DiffData),
  ReplicateReply,
  reply('verify', VerifyData),
  reply('seal-unchanged', SealUnchangedData),
  reply('probe', ProbeData),
  reply('create-bucket', CreateBucketData),
  reply('tidy', RemovedData),
  reply('delete', RemovedData),
  reply('examine', ExamineData),
  reply('compare', CompareData),
  reply('restore', RestoreData),
  reply('remove-scratch', RemoveScratchData),
  reply('restrict', RestrictData),
  reply('versions', VersionsData),
  reply('changes', ChangesData),
  reply('divergence', DivergenceData),
  reply('buckets', BucketsData),
  reply('doctor', DoctorData),
  reply('batch', BatchData),
]);
export type EdgeReply = z.infer<typeof EdgeReply>;
export type EdgeVerb = EdgeReply['verb'];

/** What a script answers that was given no parameters at all: its agent is too old to pass them in the environment. */
const Anonymous = z.object({ operation: z.literal(''), outcome: z.literal('refused'), message: z.string() });

const BEGIN = '-----BEGIN OZONE-DR REPLY-----\n';
const END = '\n-----END OZONE-DR REPLY-----';

/** The reply in the output of a command, with its markers; what is before it is none of it. */
export const replyIn = (output: string): string => output.slice(output.lastIndexOf('-----BEGIN'));

/** A reply as its host writes it. */
export const replyText = (reply: object): string => `${BEGIN}${JSON.stringify(reply)}${END}\n`;

/**
 * The reply inside the output of a command, or why there is none (`refusal` when the host itself said so). Only the last marked block counts and nothing may
 * follow it: output that was cut, or that something else wrote to, is no reply.
 */
export const parseEdgeReply = (
  output: string,
  operation: OperationId,
): { readonly reply: EdgeReply } | { readonly problem: string; readonly refusal?: string } => {
  const begin = output.lastIndexOf(BEGIN);
  if (begin < 0) return { problem: 'the output has no reply' };
  const rest = output.slice(begin + BEGIN.length).trimEnd();
  if (!rest.endsWith(END)) return { problem: 'the reply has no end marker: the output was cut or written over' };
  let json: unknown;
  try {
    json = JSON.parse(rest.slice(0, -END.length));
  } catch {
    return { problem: 'the reply is not JSON' };
  }
  const anonymous = Anonymous.safeParse(json);
  if (anonymous.success) return { problem: anonymous.data.message, refusal: anonymous.data.message };
  const parsed = EdgeReply.safeParse(json);
  if (!parsed.success) return { problem: `the reply is not as agreed: ${z.prettifyError(parsed.error).slice(0, 500)}` };
  if (parsed.data.outcome === 'ok' && parsed.data.data === null) return { problem: 'the reply is ok but has no data' };
  if (parsed.data.operation !== operation) return { problem: `the reply is of ${parsed.data.operation}` };
  return { reply: parsed.data };
};

/**
 * The reply to a survey with a shorter listing, which knows how long the whole one was.
 * @param output as `parseEdgeReply` takes it; any other reply is answered as it is
 */
export const shortened = (output: string, operation: OperationId, shorten: (side: SeenSide) => SeenSide): string => {
  const parsed = parseEdgeReply(output, operation);
  if ('problem' in parsed || parsed.reply.verb !== 'survey' || !parsed.reply.data) return output;
  const short = (side: SeenSide): SeenSide => {
    const shorter = shorten(side);
    return shorter.state === 'read' ? { ...shorter, counts: countsOf(side) } : shorter;
  };
  const { source, replica } = parsed.reply.data;
  const data = { source: short(source), replica: replica && short(replica) };
  return `${BEGIN}${JSON.stringify({ ...parsed.reply, data })}${END}\n`;
};
