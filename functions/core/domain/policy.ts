import * as z from 'zod';
import { CronFields } from './cron.ts';
import { BucketRef, ClusterName, HostId, OzoneService, PolicyName } from './names.ts';
import { Duration, DurationSeconds } from './units.ts';

/** What may happen unasked when an increment is not possible. */
export const PolicyMode = z.enum(['incremental', 'incremental-or-resync', 'resync']);
export type PolicyMode = z.infer<typeof PolicyMode>;

/** `listing`: every path, type and length of both frozen snapshots is equal. */
export const VerificationLevel = z.enum(['listing']);
export type VerificationLevel = z.infer<typeof VerificationLevel>;

const isTimeZone = (name: string): boolean => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return name !== '' && !/^[+-]/.test(name);
  } catch {
    return false;
  }
};

export const Schedule = z.strictObject({
  cron: CronFields.meta({ description: 'minute hour day-of-month month day-of-week year, as EventBridge Scheduler' }),
  zone: z.string().refine(isTimeZone, 'write an IANA time zone such as Europe/Berlin'),
});
export type Schedule = z.infer<typeof Schedule>;

const ClusterEntry = z.strictObject({
  service: OzoneService.meta({ description: 'Ozone service id as the edge hosts know it, or host:port of one OM' }),
  hosts: z.array(HostId).min(1).max(50).meta({ description: 'edge hosts of this cluster, managed by Systems Manager' }),
});

const Objectives = z.strictObject({
  rpo: Duration.meta({ description: 'how old the newest verified point may be' }),
  rto: Duration.meta({ description: 'how long a restore may take' }),
});

const Limits = z
  .strictObject({
    maps: z.number().int().min(1).max(1000).default(4).meta({ description: 'distcp -m' }),
    bandwidthMBps: z.number().int().min(1).max(100_000).optional().meta({ description: 'distcp -bandwidth, per map' }),
    copyTimeout: Duration.default(DurationSeconds.parse(6 * 3600)).meta({ description: 'one copy, at most 47h' }),
    diffTimeout: Duration.default(DurationSeconds.parse(3600)).meta({ description: 'one snapshot diff job' }),
    attempts: z.number().int().min(1).max(10).default(3).meta({ description: 'tries of one step within a run' }),
  })
  .refine((limits) => limits.copyTimeout <= 47 * 3600, {
    path: ['copyTimeout'],
    error: 'write at most 47h: Run Command ends every command after 48 hours',
  });

const PolicyEntry = z.strictObject({
  source: ClusterName,
  replica: ClusterName.optional().meta({ description: 'without one, only snapshots are taken' }),
  buckets: z.array(BucketRef).min(1).max(100),
  schedules: z.array(Schedule).max(20),
  mode: PolicyMode.default('incremental-or-resync'),
  verification: VerificationLevel.default('listing'),
  objectives: Objectives,
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

const Cluster = z.object({ name: ClusterName, service: OzoneService, hosts: z.array(HostId).min(1) });
export type Cluster = z.infer<typeof Cluster>;

/** One policy with its clusters resolved: what handlers read, and what a run keeps as it was when the run began. */
export const Policy = z.object({
  name: PolicyName,
  source: Cluster,
  replica: Cluster.nullable(),
  buckets: z.array(BucketRef),
  schedules: z.array(Schedule),
  mode: PolicyMode,
  verification: VerificationLevel,
  objectives: z.object({ rpo: DurationSeconds, rto: DurationSeconds }),
  limits: z.object({
    maps: z.number().int(),
    bandwidthMBps: z.number().int().nullable(),
    copyTimeout: DurationSeconds,
    diffTimeout: DurationSeconds,
    attempts: z.number().int(),
  }),
});
export type Policy = z.infer<typeof Policy>;

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
      objectives: entry.objectives,
      limits: { ...entry.limits, bandwidthMBps: entry.limits.bandwidthMBps ?? null },
    }),
  );
