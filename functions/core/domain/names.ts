import * as z from 'zod';
import { type EpochMs, epochMs } from './units.ts';

/**
 * Volumes and buckets follow the rules of S3 names, 3 to 63 characters; Ozone also allows `_` where
 * `ozone.om.namespace.s3.strict` is off.
 */
const RESOURCE = '[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]';

/** `volume/bucket`. */
export const BucketRef = z
  .string()
  .regex(new RegExp(`^${RESOURCE}/${RESOURCE}$`), 'write volume/bucket in the characters that Ozone allows')
  .brand<'BucketRef'>();
export type BucketRef = z.infer<typeof BucketRef>;

/** The name of a cluster in the policy file; part of every key of the ledger. */
export const ClusterName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,30}[a-z0-9]$/, 'write 2 to 32 of a-z, 0-9 and -, a letter first')
  .refine(
    (name) => !/^(local|restore|drill(-.*)?|look|doctor)$/.test(name),
    'local, restore, drill, drill-…, look and doctor are reserved',
  )
  .brand<'ClusterName'>();
export type ClusterName = z.infer<typeof ClusterName>;

/** At most 32 characters, so that a snapshot name stays within Ozone's 63. */
export const PolicyName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,30}[a-z0-9]$/, 'write 2 to 32 of a-z, 0-9 and -, a letter first')
  // Its points would be named like the temporary snapshots that are tidied away.
  .refine((name) => !/^tmp(-|$)/.test(name), 'tmp is reserved for temporary snapshots')
  .brand<'PolicyName'>();
export type PolicyName = z.infer<typeof PolicyName>;

/** Ozone service id as the edge hosts' ozone-site.xml knows it, or `host:port` of an Ozone Manager without HA. */
export const OzoneService = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9.-]{0,61}(:[0-9]{2,5})?$/,
    'write an Ozone service id, or host:port of an OM without HA',
  )
  .brand<'OzoneService'>();
export type OzoneService = z.infer<typeof OzoneService>;

/** A managed node of Systems Manager: EC2 (`i-`) or hybrid (`mi-`). */
export const HostId = z
  .string()
  .regex(/^(i-[0-9a-f]{8}([0-9a-f]{9})?|mi-[0-9a-f]{17})$/, 'write an instance id: i-… or mi-…')
  .brand<'HostId'>();
export type HostId = z.infer<typeof HostId>;

/** The name of a program that an edge host allows: `hook_<name>` in its own configuration. */
export const HookName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,30}$/, 'write 1 to 31 of a-z, 0-9 and -, a letter first')
  .brand<'HookName'>();
export type HookName = z.infer<typeof HookName>;

/** Snapshot names as Ozone allows them (HddsClientUtils.verifyResourceName): 3 to 63 of a-z, 0-9, `-` and `.`. */
export const SnapshotName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'write the name of a snapshot: 3 to 63 of a-z, 0-9, - and .')
  .brand<'SnapshotName'>();
export type SnapshotName = z.infer<typeof SnapshotName>;

export const SnapshotId = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/)
  .brand<'SnapshotId'>();
export type SnapshotId = z.infer<typeof SnapshotId>;

/** `<source>/<volume>/<bucket>#<replica>`, with `local` for a policy without a replica. */
export const PairId = z
  .string()
  .regex(new RegExp(`^[a-z][a-z0-9-]*/${RESOURCE}/${RESOURCE}#[a-z][a-z0-9-]*$`))
  .brand<'PairId'>();
export type PairId = z.infer<typeof PairId>;

export const pairId = (source: ClusterName, bucket: BucketRef, replica: ClusterName | null): PairId =>
  PairId.parse(`${source}/${bucket}#${replica ?? 'local'}`);

/** Of a policy without a replica. */
export const isLocal = (pair: PairId): boolean => pair.endsWith('#local');

/** What a restore into a bucket holds, whatever it restores. */
export const targetPair = (cluster: ClusterName, bucket: BucketRef): PairId =>
  PairId.parse(`${cluster}/${bucket}#restore`);

/**
 * What the drills of a bucket under a policy hold. Each policy has its own: two may drill copies on different clusters, at
 * the same time, and a drill proves what its own policy promises.
 */
export const drillPair = (
  { name, source }: { readonly name: PolicyName; readonly source: { readonly name: ClusterName } },
  bucket: BucketRef,
): PairId => PairId.parse(`${source.name}/${bucket}#drill-${name}`);

/** What the looks into a bucket are kept under; nobody holds it. */
export const lookPair = (source: ClusterName, bucket: BucketRef): PairId => PairId.parse(`${source}/${bucket}#look`);

/** What the runs of the doctor are kept under: those of its first policy's first bucket; nobody holds it. */
export const doctorPair = (source: ClusterName, bucket: BucketRef): PairId =>
  PairId.parse(`${source}/${bucket}#doctor`);

/** Whether it is the pair of a bucket and its replica, which has points and a record: others are for a lease alone. */
export const isLineage = (pair: PairId): boolean => !/#(restore|drill(-.*)?|look|doctor)$/.test(pair);

/** Of a look, which takes no lease. */
export const isLook = (pair: PairId): boolean => pair.endsWith('#look');

export const WORKFLOWS = [
  'backup',
  'prune',
  'decision',
  'restore',
  'drill',
  'failover',
  'failback',
  'look',
  'doctor',
] as const;
export type WorkflowName = (typeof WORKFLOWS)[number];

/**
 * `<pair>#<policy>#<slot>`: one slot of one policy for one bucket. Of another workflow than backup its name and a dot
 * stand before the policy, whose name has no dots.
 */
export const RunId = z
  .string()
  .regex(
    new RegExp(
      `^[a-z][a-z0-9-]*/${RESOURCE}/${RESOURCE}#[a-z][a-z0-9-]*#((prune|decision|restore|drill|failover|failback|look|doctor)\\.)?[a-z][a-z0-9-]*#[0-9]{8}t[0-9]{6}z$`,
    ),
  )
  .brand<'RunId'>();
export type RunId = z.infer<typeof RunId>;

/** `20261120t020000z`: an instant in seconds, in characters that are legal in a snapshot name. */
export const compactTime = (instant: EpochMs): string =>
  new Date(instant)
    .toISOString()
    .replace(/\.\d{3}Z$/, 'z')
    .replace(/[-:]/g, '')
    .replace('T', 't');

export const runId = (pair: PairId, policy: PolicyName, slot: EpochMs, workflow: WorkflowName = 'backup'): RunId =>
  RunId.parse(`${pair}#${workflow === 'backup' ? '' : `${workflow}.`}${policy}#${compactTime(slot)}`);

export const workflowOf = (id: RunId): WorkflowName =>
  WORKFLOWS.find((workflow) => splitRunId(id).key.startsWith(`${workflow}.`)) ?? 'backup';

/** The pair and the sort-key part of a run id. */
export const splitRunId = (id: RunId): { readonly pair: PairId; readonly key: string } => {
  const [bucket = '', replica = '', policy = '', slot = ''] = id.split('#');
  return { pair: PairId.parse(`${bucket}#${replica}`), key: `${policy}#${slot}` };
};

export const policyOfRun = (id: RunId): PolicyName =>
  PolicyName.parse(splitRunId(id).key.replace(/^([a-z]+\.)?([^#]+)#.*$/, '$2'));

/** The name of the snapshot of one attempt of one slot: `odr-<policy>-<slot>-<attempt>`. */
export const snapshotName = (policy: PolicyName, slot: EpochMs, attempt: number): SnapshotName =>
  SnapshotName.parse(`odr-${policy}-${compactTime(slot)}-${attempt}`);

/** An ISO 8601 instant in UTC, cut to whole seconds: what EventBridge Scheduler calls the scheduled time. */
export const Slot = z.iso
  .datetime({ offset: false, error: 'write an instant in UTC: 2026-11-20T02:00:00Z' })
  .transform((text): EpochMs => epochMs(Math.floor(Date.parse(text) / 1000) * 1000));

/** `op-<24 hex>-<step>`: also a directory name on the host and the command's comment (at most 100 characters there). */
export const OperationId = z
  .string()
  .regex(/^op-[0-9a-f]{24}-[0-9]{3}$/)
  .brand<'OperationId'>();
export type OperationId = z.infer<typeof OperationId>;
