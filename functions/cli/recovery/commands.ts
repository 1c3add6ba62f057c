import type { BucketRef } from '../../core/domain/names.ts';

/** A bucket as the tools of Ozone address it. */
export interface Place {
  readonly service: string;
  readonly bucket: string;
}

const o3 = ({ service, bucket }: Place): string => `o3://${service}/${bucket}`;
const ofs = ({ service, bucket }: Place): string => `ofs://${service}/${bucket}`;

// Values that a person fills in are shell variables in double quotes, so that any name is safe.
const pointOf = (from: Place): string => `${ofs(from)}/.snapshot/$POINT`;

/** The bucket that a recovery by hand writes to, beside the original. */
export const rescued = ({ service, bucket }: { readonly service: string; readonly bucket: BucketRef }): Place => ({
  service,
  bucket: `${bucket.slice(0, 70)}-rescued`,
});

/** All points that a bucket has, newest last, with their states. */
export const listPoints = (bucket: Place): string => `ozone sh snapshot list --all ${o3(bucket)}`;

/** Layout, replication, quotas and key of a bucket: what a new one should have. */
export const showBucket = (bucket: Place): string => `ozone sh bucket info ${o3(bucket)}`;

export const createVolume = ({ service, bucket }: Place): string =>
  `ozone sh volume create o3://${service}/${bucket.split('/')[0]}`;

export const createBucket = (bucket: Place): string => `ozone sh bucket create -l FILE_SYSTEM_OPTIMIZED ${o3(bucket)}`;

/** The name is one that no workflow gives. */
export const takeSnapshot = (bucket: Place, name: string): string => `ozone sh snapshot create ${o3(bucket)} ${name}`;

/** Gives a bucket the ACL that it had: entries with commas between them. */
export const setAcl = (bucket: Place, entries: string): string =>
  `ozone sh bucket setacl -a "${entries}" ${o3(bucket)}`;

/** On an edge host, as root: nothing is sent to it any more, also after a reboot. */
export const stopAgent = 'systemctl disable --now amazon-ssm-agent';

/** On an edge host, as root: whether a copy into the bucket is still at work there, which nothing ends with the agent. */
export const isCopying = ({ service, bucket }: Place): string =>
  `flock -n /var/lib/ozone-dr/buckets/${service}+${bucket.replace('/', '+')}/lock true && echo free`;

/** One file, at its own path. distcp copies it into the directory that is named, which has to be there. */
export const copyFile = (from: Place, to: Place, maps: number): readonly string[] => [
  `hadoop fs -mkdir -p "${ofs(to)}/$(dirname "$FILE")"`,
  `hadoop distcp -pt -direct -m ${maps} "${pointOf(from)}/$FILE" "${ofs(to)}/$(dirname "$FILE")"`,
];

export const compareFile = (from: Place, to: Place): string =>
  `hadoop fs -checksum "${pointOf(from)}/$FILE" "${ofs(to)}/$FILE"`;

/** Everything; in a bucket that holds something already, what differs is replaced. */
export const copyBucket = (from: Place, to: Place, maps: number): string =>
  `hadoop distcp -pt -update -direct -m ${maps} "${pointOf(from)}" ${ofs(to)}`;

/** The bucket becomes what the point is: what the point has not is deleted. */
export const copyInPlace = (from: Place, to: Place, maps: number): string =>
  `hadoop distcp -update -delete -direct -m ${maps} "${pointOf(from)}" ${ofs(to)}`;

const KEYS = `grep -E '"(name|dataSize)" :' | paste - -`;

/** Names and lengths of both: no output of `diff` means equal. */
export const compareBucket = (from: Place, to: Place): readonly string[] => [
  `ozone sh key list --all -p ".snapshot/$POINT/" ${o3(from)} | ${KEYS} | sed "s|.snapshot/$POINT/||" | sort >point.txt`,
  `ozone sh key list --all ${o3(to)} | ${KEYS} | sort >target.txt`,
  'diff point.txt target.txt && echo equal',
];

/** Of files only: name, length and time each. */
const FILES = `grep -E '"(name|dataSize|modificationTime|file)" :' | paste - - - - | grep '"file" : true'`;

/**
 * What was written to a bucket from one of its snapshots to another, names and lengths in written.txt. Times of one cluster
 * can be compared.
 */
export const writtenSince = (bucket: Place, since: string, until: string): readonly string[] => [
  ...[
    [since, 'then.txt'],
    [until, 'now.txt'],
  ].map(
    ([name, file]) =>
      `ozone sh key list --all -p ".snapshot/${name}/" ${o3(bucket)} | ${FILES} | sed "s|.snapshot/${name}/||" | cut -f 1-3 | sort >${file}`,
  ),
  'comm -13 then.txt now.txt | cut -f 1,2 >written.txt',
  'wc -l written.txt',
];

/** Copies what is in written.txt, and nothing else: the filter names what is left out. */
export const copyWritten = (from: Place, to: Place, maps: number): readonly string[] => [
  String.raw`sed -E 's/^ *"name" : "(.*)",\t.*/\1/' written.txt | sed 's/[][\.*^$+?(){}|]/\\&/g' | paste -sd '|' >names.txt`,
  String.raw`sed 's|.*|(?s)ofs://[^/]+/${from.bucket}/[.]snapshot/'"$POINT"'/(?!(?:&)\\z).+|' names.txt >filter.txt`,
  `hadoop distcp -pt -update -direct -m ${maps} -filters "$PWD/filter.txt" "${pointOf(from)}" ${ofs(to)}`,
  `ozone sh key list --all ${o3(to)} | ${FILES} | cut -f 1,2 | sort >kept.txt`,
  'diff written.txt kept.txt && echo "all kept"',
];
