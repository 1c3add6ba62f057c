// Who may do what on Ozone? `npm run grants -- <file>`, see `USAGE`.
import { loadPolicies } from '../../cdk/config/load-policies.ts';
import { BucketRef } from '../core/domain/names.ts';
import { resolvePolicies } from '../core/domain/policy.ts';
import { isDrError } from '../core/errors.ts';
import { type Grants, grantsOf, type Identities } from '../core/planner/grants.ts';
import { ifMain, type Output, parseCommandLine, runCommand, UsageError } from './options.ts';

const USAGE = `npm run grants -- <policy.yaml> [--observe <name>] [--source <name>] [--replica <name>] [--restore <name>]
                  [--bucket <volume/bucket>]... [--json]

Prints the commands that give each Kerberos identity the least it needs on each cluster of a policy file, and how to see
that they hold. Nothing is run and nothing is sent anywhere.

  --observe <name>   short name of who observes, on every host (default: odr-observe)
  --source <name>    of protect and destroy on hosts of a source: it will own the source's buckets (default: odr-source)
  --replica <name>   of protect and destroy on hosts of a replica: it will own the replica's buckets (default: odr-replica)
  --restore <name>   of restore; the name of --source where buckets are restored in place (default: odr-restore)
  --bucket <name>    a bucket that stands for the globs that match it; may be given often
  --json             the same for programs

Ends with 0 when every bucket could be named, with 1 when the policy file is not right, when a glob has no bucket, or when
one bucket would need two owners, with 2 when the command line is not right.
`;

const OPTIONS = {
  observe: { type: 'string', default: 'odr-observe' },
  source: { type: 'string', default: 'odr-source' },
  replica: { type: 'string', default: 'odr-replica' },
  restore: { type: 'string', default: 'odr-restore' },
  bucket: { type: 'string', multiple: true, default: [] as string[] },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** A short name cannot carry what separates entries of an ACL, or words of a shell. */
const shortName = (option: string, text: string): string => {
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/.test(text)) return text;
  throw new UsageError(`--${option} ${text}: write what Ozone calls it, a principal without its realm`);
};

/** What no command can give, or should. */
const NOTES = `What Ozone does not separate
  - Only the owner of a bucket, or an administrator, makes and deletes its snapshots. No ACL gives it, and nothing gives the
    one without the other. Protect and destroy are one identity for Ozone therefore; apart they are by their documents and
    the roles in AWS that may send them.
  - Never grant "a": it holds the right to become the owner. The owner of a volume can take its buckets, and administrators
    everything: keep them, and their keytabs, off the edge hosts.

What is left to decide
  - Who owned a bucket before keeps its own entry in the ACL, which is "a" as a rule, and can take the bucket back. See
    ozone sh bucket getacl, take the entry (ozone sh bucket removeacl -a user:<name>:a <bucket>), and give instead what its work
    needs: user:<name>:rwlcd,user:<name>:rwlcd[DEFAULT]. Or let it be the owner: name it with --source.
  - A right to read counts for keys that are written after it was given, and for snapshots of those. For data that is there
    already name who reads (observe, and the replica's identity on the source) in ozone.readonly.administrators of that
    cluster's Ozone Manager: it then reads the whole cluster, and changes nothing. Or give each key its entry again, which opens
    the next snapshots and none that is there.
  - A bucket of a replica has to be there for its commands. Of one that createReplica makes, the maker is the owner already, and
    who reads it comes after its first copy.
  - An entry with [DEFAULT] lets in by itself: to take a right away remove both.
  - Restores in place, their safety snapshots, and restricting a bucket need its owner: --restore with the name of --source.
`;

const isWhole = ({ unnamed, disputed }: Grants): boolean => unnamed.length === 0 && disputed.length === 0;

/** The grants for people: commands of each cluster, how to see that they hold, and what no command gives. */
export const grantsText = (grants: Grants, { observe, source, replica, restore }: Identities): string =>
  [
    'Identities',
    `  ${observe}: observe, on every host`,
    `  ${source}: protect and destroy, on hosts of the source`,
    `  ${replica}: protect and destroy, on hosts of the replica`,
    `  ${restore}: restore`,
    '',
    ...grants.clusters.flatMap(({ cluster, service, commands, probes }) => [
      `On ${cluster} (${service}), as owner of the volumes and buckets or as an administrator, and not from an edge host`,
      ...commands.map((command) => `  ${command}`),
      '',
      `To see that they hold on ${cluster}; nothing of it changes anything`,
      ...probes.map(({ as, command, expect, means }) => `  as ${as}: ${command}\n    ${expect}: ${means}`),
      '',
    ]),
    ...(grants.unnamed.length > 0
      ? [
          'No bucket is known for these; name those that match with --bucket',
          ...grants.unnamed.map((it) => `  ${it}`),
          '',
        ]
      : []),
    ...(grants.disputed.length > 0
      ? [
          'These are the source of one pair and the replica of another, and have one owner in Ozone; give both the same name',
          ...grants.disputed.map((it) => `  ${it}`),
          '',
        ]
      : []),
    NOTES,
  ].join('\n');

/** @returns the exit code */
export const grants = (args: readonly string[], output: Output): Promise<number> =>
  runCommand(USAGE, output, async () => {
    const { values, positionals } = parseCommandLine(args, OPTIONS, { allowPositionals: true });
    if (values.help) {
      output.out(USAGE);
      return 0;
    }
    const [file, ...more] = positionals;
    if (file === undefined || more.length > 0) throw new UsageError('name one policy file');
    const who: Identities = {
      observe: shortName('observe', values.observe),
      source: shortName('source', values.source),
      replica: shortName('replica', values.replica),
      restore: shortName('restore', values.restore),
    };
    const buckets = values.bucket.map((text) => {
      const read = BucketRef.safeParse(text);
      if (!read.success) throw new UsageError(`--bucket ${text}: write volume/bucket`);
      return read.data;
    });
    try {
      const given = grantsOf(resolvePolicies(loadPolicies(file)), buckets, who);
      output.out(values.json ? `${JSON.stringify({ identities: who, ...given }, null, 2)}\n` : grantsText(given, who));
      return isWhole(given) ? 0 : 1;
    } catch (error) {
      if (!isDrError(error, 'PolicyInvalid')) throw error;
      output.err(`${error.message}\n`);
      return 1;
    }
  });

await ifMain(import.meta.url, grants);
