import * as z from 'zod';
import { MOST_IN_BATCH } from './batch.ts';
import { BucketPattern, isGlob, WrittenBucket } from './buckets.ts';
import { CronFields } from './cron.ts';
import { type BucketRef, ClusterName, HookName, HostId, OzoneService, PolicyName } from './names.ts';
import { Retention } from './retention.ts';
import { TimeZone } from './time-zone.ts';
import { Duration, DurationSeconds } from './units.ts';

/** What may happen unasked when an increment is not possible. */
export const PolicyMode = z.enum(['incremental', 'incremental-or-resync', 'resync']);
export type PolicyMode = z.infer<typeof PolicyMode>;

/**
 * What a comparison of two frozen snapshots has proved. Each includes those before it. `listing`: every path, type and
 * length; `changed`: the checksum of every file that is new or was changed since the base (after a first copy or a
 * resync: of every file); `rolling`: the checksums of one of so many parts of all files; `full`: of all files.
 */
export const VerificationLevel = z.enum(['listing', 'changed', 'rolling', 'full']);
export type VerificationLevel = z.infer<typeof VerificationLevel>;

const VERIFICATION_FORM = 'write listing, changed, full, or rolling/<parts> with 2 to 999 parts';

/** How a policy asks for it: `rolling/30` compares another thirtieth in each run, all of them within 30 runs. */
export const Verification = z
  .string(VERIFICATION_FORM)
  .regex(/^(listing|changed|full|rolling\/([2-9]|[1-9][0-9]{1,2}))$/, VERIFICATION_FORM)
  .brand<'Verification'>();
export type Verification = z.infer<typeof Verification>;

export const verificationOf = (
  verification: Verification,
): { readonly level: VerificationLevel; readonly parts: number } => {
  const [level, parts] = verification.split('/');
  return { level: VerificationLevel.parse(level), parts: Number(parts ?? 0) };
};

export const Schedule = z.strictObject({
  cron: CronFields.meta({ description: 'minute hour day-of-month month day-of-week year, as EventBridge Scheduler' }),
  zone: TimeZone,
});
export type Schedule = z.infer<typeof Schedule>;

/** Ozone's own default, from 2.1 on. */
const SNAPSHOT_LIMIT = 10_000;
const COPIES = 8;
/** The agent's own default. */
const WORKERS = 5;

const ClusterEntry = z.strictObject({
  service: OzoneService.meta({ description: 'Ozone service id as the edge hosts know it, or host:port of one OM' }),
  hosts: z.array(HostId).min(1).max(50).meta({ description: 'edge hosts of this cluster, managed by Systems Manager' }),
  diffJobs: z.number().int().min(1).max(100).default(4).meta({
    description: 'snapshot diffs of ours at a time on its Ozone Manager (it computes 10 by default)',
  }),
  copies: z.number().int().min(1).max(100).default(COPIES).meta({
    description: 'copies of ours at a time that read from it or write to it',
  }),
  workers: z.number().int().min(3).max(50).default(WORKERS).meta({
    description:
      "commands that the Systems Manager agent of each of its hosts works on at a time (Mds.CommandWorkersLimit of the agent's configuration, 5 by default); two of them are kept for short commands",
  }),
  linkMBps: z.number().int().min(1).max(1_000_000).optional().meta({
    description:
      'what the link from each of its sources carries, in MB/s: copies whose policy has limits.bandwidthMBps share it',
  }),
  snapshotLimit: z.number().int().min(1).max(10_000_000).default(SNAPSHOT_LIMIT).meta({
    description:
      'snapshots that its Ozone Manager allows, of all buckets together: its ozone.om.fs.snapshot.max.limit (10000 by default; 1000 before Ozone 2.1). Write less when others take snapshots there too',
  }),
});

const Objectives = z.strictObject({
  rpo: Duration.meta({ description: 'how old the newest verified point may be' }),
  rto: Duration.meta({ description: 'how long a restore may take' }),
});

/** As the cluster's scheduler spells it, with or without the names above it: `backup`, `root.backup`. */
const Queue = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, {
  error: 'write letters, digits, dots, underscores and hyphens, as the scheduler spells the queue',
});

const Limits = z
  .strictObject({
    maps: z
      .number()
      .int()
      .min(1)
      .max(1000)
      .default(4)
      .meta({ description: 'distcp -m; where Hadoop copies on the host itself, its runner makes one map of them all' }),
    yarn: z
      .strictObject({ queue: Queue.meta({ description: 'queue that its applications are submitted to' }) })
      .optional()
      .meta({
        description:
          'copies run as applications of the YARN that the hosts of the replica name (yarn_rm in host.conf), not on the host itself. Restores and narrowed resyncs stay on the host',
      }),
    bandwidthMBps: z.number().int().min(1).max(100_000).optional().meta({ description: 'distcp -bandwidth, per map' }),
    copyTimeout: Duration.default(DurationSeconds.parse(6 * 3600)).meta({
      description: 'one copy, at most 6d; one that is expected to take less is ended sooner',
    }),
    diffTimeout: Duration.default(DurationSeconds.parse(3600)).meta({ description: 'one snapshot diff job' }),
    diffMaxAge: Duration.default(DurationSeconds.parse(30 * 86_400)).meta({
      description: 'oldest base that a diff is asked from: Ozone keeps what makes diffs fast for 30 days',
    }),
    diffMaxKeys: z.number().int().min(1).default(10_000_000).meta({
      description:
        'most changed keys that a diff is asked for; as ozone.om.snapshot.diff.max.allowed.keys.changed.per.job',
    }),
    narrowAbove: z.number().int().min(0).default(200_000).meta({
      description: 'a resync of more keys than these first finds out by snapshot diffs where it has to look',
    }),
    attempts: z.number().int().min(1).max(10).default(3).meta({ description: 'tries of one step within a run' }),
  })
  .refine((limits) => limits.copyTimeout <= 6 * 86_400, {
    path: ['copyTimeout'],
    error: 'write at most 6d: an execution ends after a week',
  });

/** When a change is so large that a person has to say that it is meant before the replica follows. */
const Brake = z.strictObject({
  percent: z.number().int().min(1).max(100).default(50).meta({
    description: 'deletes and renames in percent of the keys that there were; an overwritten file counts as a delete',
  }),
  atLeast: z.number().int().min(0).default(1000).meta({ description: 'fewer deletes and renames never hold a copy' }),
  atMost: z.number().int().min(1).optional().meta({ description: 'more always hold it' }),
});

/** How points are proved restorable: by restoring them. */
export const Drills = z.strictObject({
  cron: CronFields.meta({ description: 'when to drill: minute hour day-of-month month day-of-week year' }),
  zone: TimeZone,
  on: z.enum(['replica', 'source']).default('replica').meta({
    description: 'the cluster that gets the scratch bucket; source for a policy without a replica',
  }),
  as: z.enum(['restore', 'failover']).default('restore').meta({
    description:
      'failover: as if the source were lost, nothing of it is read, and the replica alone has to be enough; restore: the result is compared with the source where it answers',
  }),
  within: Duration.default(DurationSeconds.parse(30 * 86_400)).meta({
    description: 'every bucket is drilled at least once in this time, so each slot drills as many as that takes',
  }),
  pick: z.enum(['newest', 'random']).default('newest').meta({
    description: 'the newest verified point of the bucket, or any of those that the ledger calls verified',
  }),
  verification: z.enum(['listing', 'full']).default('full').meta({
    description: 'what is compared after the restore: every path, type and length; or the checksum of every file too',
  }),
});
export type Drills = z.infer<typeof Drills>;

const Failover = z.strictObject({
  restrict: z.boolean().default(false).meta({
    description:
      'a failover takes the right to write from everybody in the ACL of the bucket of the source, if that answers; the failback gives it back',
  }),
});

/** A program on the source's host, by the name that the host's own list gives it. */
const Hook = z.strictObject({
  name: HookName.meta({ description: 'hook_<name> in /etc/ozone-dr/host.conf of the hosts of the source' }),
  timeout: Duration.default(DurationSeconds.parse(60)).meta({ description: 'at most 10m; then it is ended' }),
  fatal: z.boolean().default(true).meta({ description: 'its failure is one of the run; false: it is noted' }),
});

/** Around `snapshot create`: an application is made to hold still, and let go again. */
const Hooks = z
  .strictObject({
    before: Hook.optional().meta({ description: 'run before the snapshot; if it fails and is fatal, none is taken' }),
    after: Hook.optional().meta({ description: 'run after it, whatever became of it and of the first one' }),
  })
  .superRefine((hooks, context) => {
    for (const phase of ['before', 'after'] as const) {
      const timeout = hooks[phase]?.timeout;
      if (timeout !== undefined && (timeout < 1 || timeout > 600))
        context.addIssue({ code: 'custom', path: [phase, 'timeout'], message: 'write at least 1s and at most 10m' });
    }
  });

/** When a clock is late or stale: older than so many times the longest gap between two slots. */
const Alarms = z
  .strictObject({
    late: z.number().min(1).max(1000).default(2).meta({ description: 'intervals until a ticket' }),
    stale: z.number().min(1).max(1000).default(3).meta({ description: 'intervals until somebody is woken' }),
  })
  .refine(({ late, stale }) => late <= stale, { path: ['stale'], error: 'write at least as much as for late' });

const Fleet = z.strictObject({
  tolerated: z.number().int().min(0).max(100_000).default(0).meta({
    description: 'so many buckets may fail in a slot before the slot as a whole fails; each one is said all the same',
  }),
  together: z
    .boolean()
    .default(false)
    .meta({
      description: `the snapshots of all its buckets, at most ${MOST_IN_BATCH}, are taken by one command, one right after the other, before anything is copied; how far apart they are is said`,
    }),
});

const PolicyEntry = z.strictObject({
  source: ClusterName,
  replica: ClusterName.optional().meta({ description: 'without one, only snapshots are taken' }),
  buckets: z.array(WrittenBucket).min(1).max(100).meta({
    description: 'volume/bucket, or globs of them: sales/*, */orders-? (* and ? never stand for the /)',
  }),
  schedules: z.array(Schedule).max(20),
  mode: PolicyMode.default('incremental-or-resync'),
  verification: Verification.default(Verification.parse('listing')),
  createReplica: z.boolean().default(false).meta({
    description: 'make a missing replica bucket with the properties of the source bucket',
  }),
  brake: Brake.prefault({}),
  objectives: Objectives,
  alarms: Alarms.prefault({}),
  retention: Retention.optional().meta({
    description:
      'what each side keeps; without it nothing is ever deleted. Of the points that an outage left out, those are brought over that the replica would keep',
  }),
  drills: Drills.optional().meta({
    description: 'restores to a scratch bucket on a schedule, compared with the point and removed again',
  }),
  failover: Failover.prefault({}),
  hooks: Hooks.prefault({}),
  fleet: Fleet.prefault({}),
  limits: Limits.prefault({}),
});

/** The policy file as a person writes it. Unknown fields are refused. */
export const PolicyFile = z
  .strictObject({
    $schema: z.string().optional(),
    clusters: z.record(ClusterName, ClusterEntry),
    policies: z.record(PolicyName, PolicyEntry),
  })
  .superRefine((file, context) => {
    for (const [name, policy] of Object.entries(file.policies)) {
      const refuse = (field: string, message: string) =>
        context.addIssue({ code: 'custom', path: ['policies', name, ...field.split('.')], message });
      if (!Object.hasOwn(file.clusters, policy.source))
        refuse('source', `name a cluster of this file, not ${policy.source}`);
      if (policy.replica && !Object.hasOwn(file.clusters, policy.replica))
        refuse('replica', `name a cluster of this file, not ${policy.replica}`);
      if (policy.replica === policy.source) refuse('replica', 'name another cluster than the source');
      if (policy.drills?.on === 'replica' && !policy.replica)
        refuse('drills.on', 'this policy has no replica: write source');
      if (policy.drills?.as === 'failover' && !policy.replica)
        refuse('drills.as', 'this policy has no replica to fail over to: write restore');
      if (policy.fleet.together) {
        if (policy.hooks.before || policy.hooks.after)
          refuse('fleet.together', 'take the hooks out or write false: a hook runs around the snapshot of one bucket');
        if (policy.buckets.filter((it) => !isGlob(it)).length > MOST_IN_BATCH)
          refuse('fleet.together', `name at most ${MOST_IN_BATCH} buckets or write false: one command takes so many`);
      }
      if (policy.retention && !policy.replica !== !policy.retention.replica)
        refuse(
          'retention.replica',
          policy.replica ? 'say what the replica keeps too' : 'this policy has no replica to keep anything on',
        );
      policy.buckets.forEach((bucket, index) => {
        if (policy.buckets.indexOf(bucket) !== index) refuse(`buckets.${index}`, `write ${bucket} once`);
      });
      policy.schedules.forEach(({ cron, zone }, index) => {
        if (policy.schedules.findIndex((other) => other.cron === cron && other.zone === zone) !== index)
          refuse(`schedules.${index}`, 'write each pair of cron and zone once');
      });
    }
  });
export type PolicyFile = z.infer<typeof PolicyFile>;

const ResolvedHook = z.object({ name: HookName, timeout: DurationSeconds, fatal: z.boolean() });
export type Hook = z.infer<typeof ResolvedHook>;

export const Cluster = z.object({
  name: ClusterName,
  service: OzoneService,
  hosts: z.array(HostId).min(1),
  diffJobs: z.number().int().default(4),
  copies: z.number().int().default(COPIES),
  workers: z.number().int().default(WORKERS),
  linkMBps: z.number().int().nullable().default(null),
  snapshotLimit: z.number().int().default(SNAPSHOT_LIMIT),
});
export type Cluster = z.infer<typeof Cluster>;

/** One policy with its clusters resolved: what handlers read, and what a run keeps as it was when the run began. */
export const Policy = z.object({
  name: PolicyName,
  source: Cluster,
  replica: Cluster.nullable(),
  /** Names and globs: `covers` and `bucketsOf` say which buckets those are. */
  buckets: z.array(BucketPattern),
  schedules: z.array(Schedule),
  mode: PolicyMode,
  verification: Verification,
  createReplica: z.boolean().default(false),
  brake: z
    .object({ percent: z.number().int(), atLeast: z.number().int(), atMost: z.number().int().nullable() })
    .default({ percent: 50, atLeast: 1000, atMost: null }),
  objectives: z.object({ rpo: DurationSeconds, rto: DurationSeconds }),
  /** Multiples of the interval. */
  alarms: z.object({ late: z.number(), stale: z.number() }).default({ late: 2, stale: 3 }),
  /** Null: nothing is ever deleted. Runs of before there was retention have none. */
  retention: Retention.nullable().default(null),
  /** Null: nothing is drilled on a schedule. */
  drills: Drills.extend({ within: DurationSeconds }).nullable().default(null),
  failover: z.object({ restrict: z.boolean() }).default({ restrict: false }),
  hooks: z
    .object({ before: ResolvedHook.nullable(), after: ResolvedHook.nullable() })
    .default({ before: null, after: null }),
  fleet: z
    .object({ tolerated: z.number().int(), together: z.boolean().default(false) })
    .default({ tolerated: 0, together: false }),
  limits: z.object({
    maps: z.number().int(),
    bandwidthMBps: z.number().int().nullable(),
    copyTimeout: DurationSeconds,
    diffTimeout: DurationSeconds,
    diffMaxAge: DurationSeconds.default(DurationSeconds.parse(30 * 86_400)),
    diffMaxKeys: z.number().int().default(10_000_000),
    narrowAbove: z.number().int().default(200_000),
    /** Null: Hadoop copies on the host itself. */
    yarn: z.object({ queue: Queue }).nullable().default(null),
    attempts: z.number().int(),
  }),
});
export type Policy = z.infer<typeof Policy>;

/** With the buckets that it has now in the place of its globs. */
export type NamedPolicy = Omit<Policy, 'buckets'> & { readonly buckets: BucketRef[] };

/** Resolves a parsed file. Total: `PolicyFile` has already refused what cannot be resolved. */
export const resolvePolicies = (file: PolicyFile): readonly Policy[] =>
  Object.entries(file.policies).map(([name, entry]) =>
    Policy.parse({
      name,
      source: { name: entry.source, ...file.clusters[entry.source] },
      replica: entry.replica ? { name: entry.replica, ...file.clusters[entry.replica] } : null,
      buckets: entry.buckets,
      schedules: entry.schedules,
      mode: entry.mode,
      verification: entry.verification,
      createReplica: entry.createReplica,
      brake: { ...entry.brake, atMost: entry.brake.atMost ?? null },
      objectives: entry.objectives,
      alarms: entry.alarms,
      retention: entry.retention ?? null,
      drills: entry.drills ?? null,
      failover: entry.failover,
      hooks: { before: entry.hooks.before ?? null, after: entry.hooks.after ?? null },
      fleet: entry.fleet,
      limits: {
        ...entry.limits,
        bandwidthMBps: entry.limits.bandwidthMBps ?? null,
        yarn: entry.limits.yarn ?? null,
      },
    }),
  );
