import type { SeenBucket } from '../domain/edge-reply.ts';
import { Envelope } from '../domain/ledger.ts';
import type { ClusterFacts } from './facts.ts';

export const envelopeOf = (bucket: SeenBucket): Envelope => Envelope.parse(bucket);

const FIELDS = {
  layout: 'layout',
  replication: 'replication',
  encryptionKey: 'encryption key',
  quotaInBytes: 'space quota',
  quotaInNamespace: 'namespace quota',
  owner: 'owner',
  acls: 'ACLs',
} as const satisfies Record<keyof Envelope, string>;

const shown = (value: Envelope[keyof Envelope]): string => {
  if (value === null) return 'not known';
  if (value === '') return 'the default of its cluster';
  return Array.isArray(value) ? `[${value.join('; ')}]` : String(value);
};

/** What a failover to the replica would change besides the content, in sentences. What one side does not show is not compared. */
export const envelopeDifferences = ({ source, replica }: ClusterFacts): readonly string[] => {
  if (source?.state !== 'read' || replica?.state !== 'read') return [];
  const [ours, theirs] = [envelopeOf(source.bucket), envelopeOf(replica.bucket)];
  return Envelope.keyof().options.flatMap((field) => {
    if (field === 'acls' && (ours.acls === null || theirs.acls === null)) return [];
    return shown(ours[field]) === shown(theirs[field])
      ? []
      : [`${FIELDS[field]}: ${shown(ours[field])} on the source, ${shown(theirs[field])} on the replica`];
  });
};
