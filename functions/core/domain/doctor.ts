import * as z from 'zod';
import type { DoctorData } from './edge-reply.ts';
import { BucketRef, ClusterName, HostId, OzoneService } from './names.ts';
import { BlastRadius } from './operation.ts';
import { Side } from './retention.ts';
import type { EpochMs } from './units.ts';

/** Which starting function sends a check: deletions of either side have one of their own. */
export const CheckStarter = z.enum(['observe', 'protect', 'destroy', 'destroy-source', 'restore']);
export type CheckStarter = z.infer<typeof CheckStarter>;

/** One question to one host: how is it for the verbs of this document, between these two clusters? */
export const DoctorCheck = z.object({
  host: HostId,
  radius: BlastRadius,
  side: Side,
  source: z.object({ name: ClusterName, service: OzoneService }),
  replica: z.object({ name: ClusterName, service: OzoneService }).nullable(),
  /** Looked at on both clusters, at most 20. */
  buckets: z.array(BucketRef).min(1).max(20),
});
export type DoctorCheck = z.infer<typeof DoctorCheck>;

export const starterOf = ({ radius, side }: Pick<DoctorCheck, 'radius' | 'side'>): CheckStarter =>
  radius === 'destroy' && side === 'source' ? 'destroy-source' : radius;

/** What Systems Manager says of a host; a host that is not registered there has none. */
export interface HostSeen {
  readonly host: HostId;
  /** As it spells it: `Online`, `ConnectionLost`, `Inactive`. */
  readonly ping: string;
  readonly agentVersion: string;
}

/** The answer to a check, with the times of AWS around it. */
export interface CheckAnswer {
  readonly check: DoctorCheck;
  /** Before it was sent, and after it had ended. */
  readonly from: EpochMs;
  readonly until: EpochMs;
  readonly answer:
    | { readonly kind: 'facts'; readonly data: DoctorData; readonly startedAt: EpochMs; readonly endedAt: EpochMs }
    /** The host answered that it cannot do it at all. */
    | { readonly kind: 'refused'; readonly code: string; readonly message: string }
    | { readonly kind: 'none'; readonly error: string; readonly detail: string };
  /** Whether its output is in the output bucket, which only the host writes; null when there is no telling. */
  readonly isOutputStored: boolean | null;
}

/**
 * `error`: something will fail, or can do harm, as it is. `warning`: it works, and will hurt some day. `note`: what is given up
 * by choice. `ok`: looked at and found in order.
 */
export const Severity = z.enum(['error', 'warning', 'note', 'ok']);
export type Severity = z.infer<typeof Severity>;

/** Everything that the doctor can find. docs/doctor.md has the same list, which a test holds equal. */
export const CATALOGUE = {
  'host-unknown': {
    severity: 'error',
    what: 'A host of a policy is not registered with Systems Manager in this account and region.',
    remedy: 'Register it (docs/deploy.md, "Edge hosts"), or correct its id in the policy file and deploy.',
  },
  'host-offline': {
    severity: 'error',
    what: 'A host of a policy does not answer Systems Manager: nothing can be started there.',
    remedy:
      'On the host: systemctl status amazon-ssm-agent, and its way to the ssm, ssmmessages and ec2messages endpoints.',
  },
  'agent-old': {
    severity: 'error',
    what: 'The agent of a host cannot pass parameters in the environment: every command is refused there.',
    remedy: 'Update the SSM agent to 3.3.2746.0 or newer.',
  },
  'host-not-set-up': {
    severity: 'error',
    what: 'The script refuses to work on a host: its configuration is missing or not usable.',
    remedy: 'Write /etc/ozone-dr/host.conf as functions/edge-host/README.md says.',
  },
  'check-not-answered': {
    severity: 'error',
    what: 'A host took a check and gave no answer that can be read.',
    remedy:
      'Read the command in Systems Manager, Run Command, Command history: its comment is the operation id of the evidence.',
  },
  'document-refused': {
    severity: 'error',
    what: 'Run Command does not take the document of a blast radius for a host.',
    remedy:
      'Deploy again after the policy file was changed: the role of each starting function names the hosts of the policies.',
  },
  'tool-missing': {
    severity: 'error',
    what: 'A program that the script needs is not on its PATH.',
    remedy: 'Install it, or name its folder with path= in /etc/ozone-dr/host.conf; the PATH of a login does not count.',
  },
  'locale-missing': {
    severity: 'error',
    what: 'The host has no UTF-8 locale, without which Java cannot read names.',
    remedy: 'Install C.UTF-8 or en_US.UTF-8 (package locales or glibc-langpack-en).',
  },
  'ozone-old': {
    severity: 'error',
    what: 'The Ozone client of a host is too old for what the product relies on.',
    remedy: 'Install the Ozone 2.1 client or a newer one; 2.2 is what the product was run with.',
  },
  'ozone-does-not-run': {
    severity: 'error',
    what: '`ozone version` told no version: the client does not run there, or not in time.',
    remedy:
      'Run it on the host as the user of the evidence; java_home= in /etc/ozone-dr/host.conf decides which Java it finds.',
  },
  'hadoop-old': {
    severity: 'error',
    what: 'Hadoop before 3.4 has no switch for distcp not to walk into directories that an increment lists anyway: an increment then stops half way.',
    remedy: 'Install Hadoop 3.4 or newer on the edge host; the clusters may stay as they are.',
  },
  'hadoop-does-not-run': {
    severity: 'error',
    what: '`hadoop version` told no version: copies and checksums do not run there.',
    remedy:
      'Run it on the host as the user of the evidence; java_home= in /etc/ozone-dr/host.conf decides which Java it finds.',
  },
  'ofs-missing': {
    severity: 'error',
    what: 'Hadoop on a host does not know the file system ofs: no copy, no restore, no checksum.',
    remedy:
      'Put the ozone-filesystem-hadoop3 jar on its class path (HADOOP_CLASSPATH in hadoop-env.sh) and set fs.ofs.impl.',
  },
  'cluster-unreachable': {
    severity: 'error',
    what: 'A host does not reach a cluster.',
    remedy:
      'Check the service id in its ozone-site.xml, the names of the managers, and the way there (port 9862 of each Ozone Manager, 9856 to 9859 of the datanodes).',
  },
  'access-denied': {
    severity: 'error',
    what: 'A cluster refuses the identity of a document.',
    remedy: 'Give that identity what the table in docs/deploy.md says, and see that its ticket is there (klist).',
  },
  'ticket-missing': {
    severity: 'error',
    what: 'A document gets no Kerberos ticket: everything that it is to do is refused.',
    remedy: 'Do what the evidence says; the line that it names has to work on the host (docs/deploy.md, "Kerberos").',
  },
  'keytab-missing': {
    severity: 'error',
    what: 'The keytab of a document is not where its host says.',
    remedy: 'Put it there, owned by root with mode 400, or correct keytab_<document>= in /etc/ozone-dr/host.conf.',
  },
  'keytab-open': {
    severity: 'error',
    what: 'Others than root may read the keytab of a document: whoever does is that identity from then on.',
    remedy:
      'chown root: and chmod 400 it, and give the principal a new key (kadmin: ktadd), as it may have been copied.',
  },
  'ticket-expired': {
    severity: 'error',
    what: 'The Kerberos ticket of a document is over.',
    remedy: 'Renew it, and see why its timer did not (docs/deploy.md, "Kerberos").',
  },
  'ticket-ending': {
    severity: 'warning',
    what: 'The Kerberos ticket of a document ends within the hour; a copy may take longer.',
    remedy: 'Let the timer renew it more often (docs/deploy.md, "Kerberos").',
  },
  'ticket-short': {
    severity: 'warning',
    what: 'The Kerberos ticket of a document, which the script does not renew itself, ends before the longest copy that is to be expected.',
    remedy:
      'Name principal_<document>= and keytab_<document>= in /etc/ozone-dr/host.conf in its place, or have longer or renewable tickets.',
  },
  'identity-shared': {
    severity: 'warning',
    what: 'Two blast radii of a host work with the same Kerberos principal: whoever may look may then also write.',
    remedy:
      'Give each document a principal of its own: principal_<document>= and keytab_<document>= in /etc/ozone-dr/host.conf.',
  },
  'observer-may-write': {
    severity: 'warning',
    what: 'The identity that only observes owns a bucket, or its ACL lets it write there.',
    remedy: 'Take it away: ozone sh bucket setacl with rl for that identity, and another owner.',
  },
  'volume-owner': {
    severity: 'warning',
    what: 'The identity of a document owns a volume: it can make itself the owner of every bucket in it, and delete their snapshots.',
    remedy:
      'Let somebody own it who has no keytab on an edge host: ozone sh volume update --user=<name> o3://<service>/<volume>.',
  },
  'not-owner': {
    severity: 'error',
    what: 'The identity that makes snapshots or writes the replica does not own the bucket: Ozone lets only its owner or an administrator.',
    remedy:
      'ozone sh bucket update --user=<identity> o3://<service>/<bucket>, or make it an administrator of that cluster.',
  },
  'security-off': {
    severity: 'note',
    what: 'Nobody has a Kerberos ticket and the clusters answer all the same: anybody who reaches them may delete snapshots, ACLs or not.',
    remedy: 'Ozone enforces ownership only with ozone.security.enabled=true.',
  },
  'bucket-missing': {
    severity: 'error',
    what: 'A bucket of a policy is not there.',
    remedy:
      'Create it, or take it out of the policy; a replica bucket is made by the first copy with createReplica: true.',
  },
  'bucket-not-read': {
    severity: 'error',
    what: 'A bucket of a policy could not be read.',
    remedy: 'The evidence has what Ozone said.',
  },
  'layout-unsupported': {
    severity: 'error',
    what: 'A bucket is an object store bucket or a link: distcp cannot read its snapshots.',
    remedy:
      'Name the bucket that the link leads to; of an object store bucket only snapshots can be taken (a policy without a replica).',
  },
  'layouts-differ': {
    severity: 'error',
    what: 'The two buckets of a pair have different layouts: an incremental copy cannot keep them equal.',
    remedy: 'Make the replica bucket anew, empty, with the layout of its source.',
  },
  'snapshots-unavailable': {
    severity: 'error',
    what: 'Snapshots of a bucket cannot be listed: the feature is off, the cluster too old, or the identity may not.',
    remedy:
      'Set ozone.filesystem.snapshot.enabled=true on the Ozone Manager (Ozone 1.4 or newer), or grant the identity r and l.',
  },
  'snapshot-limit-near': {
    severity: 'warning',
    what: 'The buckets that were looked at alone have nine tenths of the snapshots that their cluster may have.',
    remedy:
      'Delete snapshots that nobody needs, keep less (retention), or raise ozone.om.fs.snapshot.max.limit and snapshotLimit.',
  },
  'temporaries-left': {
    severity: 'warning',
    what: 'A bucket has many temporary snapshots of copies that were killed; each counts towards the limit.',
    remedy:
      'Those of this product are removed by its next backup; others: ozone sh snapshot delete, when no distcp runs on that bucket.',
  },
  'diff-wait-long': {
    severity: 'warning',
    what: 'A cluster lets clients wait long for a snapshot difference that is not ready: each increment sleeps that long, twice.',
    remedy: 'Set ozone.om.snapshot.diff.job.default.wait.time to 5s on the Ozone Manager.',
  },
  'clock-off': {
    severity: 'error',
    what: 'The clock of a host is minutes off: Kerberos refuses it, and what it records misleads.',
    remedy: 'Let chrony or systemd-timesyncd set it.',
  },
  'clock-drifts': {
    severity: 'warning',
    what: 'The clock of a host is more than a minute off.',
    remedy: 'Let chrony or systemd-timesyncd set it.',
  },
  'state-not-writable': {
    severity: 'error',
    what: 'The script cannot write below its state folder: locks and fences have no place.',
    remedy: 'Make the folder of the evidence, on a local disk that survives a reboot, owned by the user of the agent.',
  },
  'state-other-owner': {
    severity: 'error',
    what: 'The state folder belongs to another user than the script runs as: somebody else can change locks and fences.',
    remedy: 'chown it to the user of the evidence.',
  },
  'state-open': {
    severity: 'error',
    what: 'Others may write into the state folder: whoever does can let two copies into one replica.',
    remedy: 'chmod 700 it.',
  },
  'config-open': {
    severity: 'error',
    what: "Others may write the host's configuration, which says which programs the agent runs.",
    remedy: 'chown root: and chmod 644 /etc/ozone-dr/host.conf, and nobody else may write its folder.',
  },
  'hook-missing': {
    severity: 'error',
    what: 'A policy has a hook around its snapshots that a host of its source cannot run.',
    remedy:
      'Name its program as hook_<name>= in /etc/ozone-dr/host.conf there, where root alone may change it, its folders and that file.',
  },
  'yarn-unreachable': {
    severity: 'error',
    what: 'A policy copies on YARN, and a host of its replica does not reach the resource manager: no copy begins there.',
    remedy:
      'Name its web address as yarn_rm= in /etc/ozone-dr/host.conf, and see that the host, with its ticket, may ask it.',
  },
  'queue-missing': {
    severity: 'error',
    what: 'A policy copies into a queue that YARN does not have.',
    remedy: 'Make the queue, or write another one into limits.yarn.queue of the policy and deploy.',
  },
  'map-memory': {
    severity: 'error',
    what: 'A host asks YARN for larger containers than it gives: no copy of a policy with limits.yarn begins there, after distcp has renamed and deleted on the replica.',
    remedy:
      'Lower mapreduce.map.memory.mb or yarn.app.mapreduce.am.resource.mb in mapred-site.xml of the host, or raise yarn.scheduler.maximum-allocation-mb.',
  },
  'history-unreachable': {
    severity: 'warning',
    what: 'A host does not reach the history server of YARN: copies there do not tell how much they copied.',
    remedy: 'Start the MapReduce history server and name its web address as yarn_history= in /etc/ozone-dr/host.conf.',
  },
  'disk-full': {
    severity: 'error',
    what: 'The disk of the state folder has less than 1 GB or 1,000 inodes left: listings and logs will not fit.',
    remedy: 'Free space there, or name another folder with state= (moving the old one there, fences and all).',
  },
  'disk-low': {
    severity: 'warning',
    what: 'The disk of the state folder has less than 5 GB or 10,000 inodes left.',
    remedy: 'Free space there, or name another folder with state= (moving the old one there, fences and all).',
  },
  'output-not-stored': {
    severity: 'error',
    what: 'The output of a command is not in the output bucket: a long answer of that host will be cut, and be no answer.',
    remedy: 'Give the role of the host s3:PutObject on the output bucket, and the host a way to S3.',
  },
  'host-role-too-wide': {
    severity: 'error',
    what: 'The role of a host may do in this account what no host needs.',
    remedy: 'Attach the policy of docs/deploy.md, "Edge hosts", and nothing else.',
  },
  'host-role-not-looked-at': {
    severity: 'note',
    what: 'What the role of a host may do was not looked at.',
    remedy: 'To have it probed by reading, install the AWS CLI there and name it with aws= in /etc/ozone-dr/host.conf.',
  },
  'hosts-shared': {
    severity: 'note',
    what: 'Both sides of a policy are worked on by the same host: whoever has that host can destroy both copies.',
    remedy: 'Give each cluster hosts of its own, if the network allows it.',
  },
  'buckets-not-looked-at': {
    severity: 'note',
    what: 'Only some of the buckets were looked at.',
    remedy: 'The survey of each backup looks at its own bucket.',
  },
  'host-in-order': {
    severity: 'ok',
    what: 'A host was looked at for a document, and nothing is wrong with it.',
    remedy: '',
  },
} as const satisfies Readonly<
  Record<string, { readonly severity: Severity; readonly what: string; readonly remedy: string }>
>;
export type FindingCode = keyof typeof CATALOGUE;

/** One thing that the doctor says. */
export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** A host, a cluster, or a bucket on one. */
  readonly where: string;
  readonly what: string;
  /** What was seen, in a sentence. */
  readonly evidence: string;
  readonly remedy: string;
}

/** What is kept of a visit: `doctor/<time>.json` in the records bucket, and the output of its execution. */
export interface DoctorReport {
  readonly at: string;
  readonly checks: number;
  readonly errors: number;
  readonly warnings: number;
  /** Errors first. */
  readonly findings: readonly Finding[];
}
