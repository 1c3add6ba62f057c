import { covers, isGlob, namesIn } from '../domain/buckets.ts';
import type { BucketRef, ClusterName, OzoneService } from '../domain/names.ts';
import type { Cluster, Policy } from '../domain/policy.ts';

/** What Ozone calls the four identities: the first part of each principal. */
export interface Identities {
  /** Of observe, on every host. */
  readonly observe: string;
  /** Of protect and destroy on the hosts of a source. */
  readonly source: string;
  /** Of protect and destroy on the hosts of a replica. */
  readonly replica: string;
  /** Of restore. */
  readonly restore: string;
}

/** A question that changes nothing, and the word in Ozone's answer that shows it to be as it should. */
export interface Probe {
  readonly as: string;
  readonly command: string;
  readonly expect: 'FILE_NOT_FOUND' | 'PERMISSION_DENIED' | 'exit 0';
  readonly means: string;
}

/** Of one cluster: what is run there once, in this order, and how to see that it holds. */
export interface ClusterGrants {
  readonly cluster: ClusterName;
  readonly service: OzoneService;
  readonly commands: readonly string[];
  readonly probes: readonly Probe[];
}

export interface Grants {
  readonly clusters: readonly ClusterGrants[];
  /** Globs that no bucket was named for: `policy: glob`. */
  readonly unnamed: readonly string[];
  /** Buckets that are the source of one pair and the replica of another: Ozone has one owner for them. */
  readonly disputed: readonly string[];
}

/** No snapshot is ever called so: ours begin with `odr-` and carry a time. */
const NOBODY = 'odr-probe-nobody';

/** Rights in the order in which they are written: read, list, write. */
const written = (rights: ReadonlySet<string>): string => ['r', 'l', 'w'].filter((it) => rights.has(it)).join('');

interface Side {
  readonly cluster: Cluster;
  readonly owner: string;
  readonly readers: ReadonlySet<string>;
  readonly strangers: ReadonlySet<string>;
}

/** Who owns a bucket of a policy on each side, who reads it, and whose snapshots there are none of theirs. */
const sidesOf = ({ source, replica }: Policy, who: Identities): readonly Side[] => [
  {
    cluster: source,
    owner: who.source,
    readers: new Set([who.observe, ...(replica ? [who.replica] : []), who.restore]),
    strangers: new Set([who.observe, who.replica, who.restore]),
  },
  ...(replica
    ? [
        {
          cluster: replica,
          owner: who.replica,
          readers: new Set([who.observe, who.restore]),
          strangers: new Set([who.observe, who.source, who.restore]),
        },
      ]
    : []),
];

/** Rights on the volume: to go through it, to list it for globs, to make buckets in it, for which Ozone 2.2.0 asks WRITE and not CREATE (run). */
const onVolume = (policy: Policy, { cluster, owner, readers }: Side, who: Identities): readonly [string, string][] => {
  const isSource = cluster.name === policy.source.name;
  const makesReplicas = !isSource && policy.createReplica;
  // Restores beside the original make their bucket on the source's cluster, drills where the policy says.
  const restores = isSource || policy.drills?.on === 'replica';
  const rightsOf = (name: string): string =>
    `r${name === who.observe && policy.buckets.some(isGlob) ? 'l' : ''}${
      (name === owner && makesReplicas) || (name === who.restore && restores) ? 'w' : ''
    }`;
  return [...new Set([...readers, owner])].map((name) => [name, rightsOf(name)]);
};

class ClusterPlan {
  readonly #volumes = new Map<string, Map<string, Set<string>>>();
  readonly #buckets = new Map<BucketRef, { readers: Set<string>; owners: Set<string>; strangers: Set<string> }>();

  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  add(bucket: BucketRef, side: Side, volume: readonly [string, string][]): void {
    const [name = ''] = bucket.split('/');
    const entries = this.#volumes.get(name) ?? new Map<string, Set<string>>();
    this.#volumes.set(name, entries);
    for (const [who, rights] of volume) entries.set(who, new Set([...(entries.get(who) ?? []), ...rights]));
    const known = this.#buckets.get(bucket) ?? { readers: new Set(), owners: new Set(), strangers: new Set() };
    this.#buckets.set(bucket, known);
    known.owners.add(side.owner);
    for (const who of side.readers) known.readers.add(who);
    for (const who of side.strangers) known.strangers.add(who);
  }

  disputed(): readonly string[] {
    return [...this.#buckets]
      .filter(([, { owners }]) => owners.size > 1)
      .map(([bucket, { owners }]) => `${this.#cluster.name} ${bucket}: ${[...owners].join(' and ')}`);
  }

  grants(): ClusterGrants {
    const { name: cluster, service } = this.#cluster;
    const at = (what: string): string => `o3://${service}/${what}`;
    const buckets = [...this.#buckets];
    return {
      cluster,
      service,
      commands: [
        ...[...this.#volumes].map(([volume, entries]) => {
          const acls = [...entries].map(([who, rights]) => `user:${who}:${written(rights)}`);
          return `ozone sh volume addacl -a '${acls.join(',')}' ${at(volume)}`;
        }),
        ...buckets.flatMap(([bucket, { readers, owners }]) => {
          const acls = [...readers]
            .filter((who) => !owners.has(who))
            .flatMap((who) => [`user:${who}:rl`, `user:${who}:rl[DEFAULT]`]);
          return acls.length > 0 ? [`ozone sh bucket addacl -a '${acls.join(',')}' ${at(bucket)}`] : [];
        }),
        // Last, because it takes the right to grant from whoever was the owner.
        ...buckets.flatMap(([bucket, { owners }]) =>
          [...owners].map((owner) => `ozone sh bucket update --user ${owner} ${at(bucket)}`),
        ),
      ],
      probes: buckets.flatMap(([bucket, { readers, owners, strangers }]) => [
        ...[...owners].map((as) => ({
          as,
          command: `ozone sh snapshot delete ${at(bucket)} ${NOBODY}`,
          expect: 'FILE_NOT_FOUND' as const,
          means: 'it may make and delete snapshots there',
        })),
        ...[...strangers]
          .filter((as) => !owners.has(as))
          .map((as) => ({
            as,
            command: `ozone sh snapshot delete ${at(bucket)} ${NOBODY}`,
            expect: 'PERMISSION_DENIED' as const,
            means: 'it may not',
          })),
        ...[...readers].map((as) => ({
          as,
          command: `ozone sh bucket info ${at(bucket)}`,
          expect: 'exit 0' as const,
          means: 'it reads',
        })),
      ]),
    };
  }
}

/**
 * The least that each identity needs on each side of each pair, as Ozone's own commands. `buckets` stand for the globs that
 * they match. Pure.
 */
export const grantsOf = (policies: readonly Policy[], buckets: readonly BucketRef[], who: Identities): Grants => {
  const plans = new Map<ClusterName, ClusterPlan>();
  const unnamed: string[] = [];
  for (const policy of policies) {
    const named = [...new Set([...namesIn(policy), ...buckets.filter((it) => covers(policy, it))])];
    unnamed.push(
      ...policy.buckets
        .filter((glob) => isGlob(glob) && !buckets.some((it) => covers({ buckets: [glob] }, it)))
        .map((glob) => `${policy.name}: ${glob}`),
    );
    for (const side of sidesOf(policy, who)) {
      const { cluster } = side;
      const plan = plans.get(cluster.name) ?? new ClusterPlan(cluster);
      plans.set(cluster.name, plan);
      for (const bucket of named) plan.add(bucket, side, onVolume(policy, side, who));
    }
  }
  return {
    clusters: [...plans.values()].map((plan) => plan.grants()).filter(({ commands }) => commands.length > 0),
    unnamed,
    disputed: [...plans.values()].flatMap((plan) => plan.disputed()),
  };
};
