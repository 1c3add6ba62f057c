/** What `ozone sh` of Ozone 2.2.0 prints, as recorded on real clusters. */

export const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

export const bucketInfo = (over: Readonly<Record<string, unknown>> = {}): string =>
  `${pretty({
    metadata: {},
    volumeName: 'vol',
    name: 'bkt',
    storageType: 'DISK',
    versioning: false,
    listCacheSize: 1000,
    usedBytes: 20028503,
    usedNamespace: 12,
    creationTime: '2026-11-20T18:22:04.605Z',
    modificationTime: '2026-11-20T18:22:04.605Z',
    sourcePathExist: true,
    quotaInBytes: -1,
    quotaInNamespace: -1,
    bucketLayout: 'FILE_SYSTEM_OPTIMIZED',
    owner: 'root',
    pendingDeleteBytes: 0,
    pendingDeleteNamespace: 0,
    link: false,
    ...over,
  })}\n`;

export type Acl = readonly [type: string, name: string, scope: string, ...rights: readonly string[]];

export const aclList = (...acls: readonly Acl[]): string =>
  `${pretty(
    acls.map(([type, name, aclScope, ...rights]) => ({ type, name, aclScope, aclList: rights, aclSet: rights })),
  )}\n`;

const snapshotFields = (name: string, n: number, status: string): Readonly<Record<string, unknown>> => ({
  volumeName: 'vol',
  bucketName: 'bkt',
  name,
  creationTime: 1795198944925 + n,
  snapshotStatus: status,
  snapshotId: id(n),
  snapshotPath: 'vol/bkt',
  checkpointDir: `-${id(n)}`,
  referencedSize: 20028503,
  referencedReplicatedSize: 20028503,
  exclusiveSize: 0,
  exclusiveReplicatedSize: 0,
});

export const snapshotInfo = (name: string, n: number, status = 'SNAPSHOT_ACTIVE'): string =>
  `${pretty(snapshotFields(name, n, status))}\n`;

/** `over`: other fields than the usual ones; undefined: without that field. */
export type ListedSnapshot = readonly [
  name: string,
  n: number,
  status?: string | undefined,
  over?: Readonly<Record<string, unknown>>,
];

export const snapshotList = (...snapshots: readonly ListedSnapshot[]): string =>
  `${pretty(
    snapshots.map(([name, n, status = 'SNAPSHOT_ACTIVE', over = {}]) =>
      Object.fromEntries(
        Object.entries({ ...snapshotFields(name, n, status), ...over }).filter(([, value]) => value !== undefined),
      ),
    ),
  )}\n`;

/** Keys of a snapshot, or of the live bucket when its name is empty: a name that ends in "/" is a directory; `size` of a file in bytes. */
export const keyList = (snapshot: string, keys: readonly (readonly [name: string, size?: number])[]): string =>
  `${pretty(
    keys.map(([name, size = 0]) => ({
      volumeName: 'vol',
      bucketName: 'bkt',
      name: snapshot === '' ? name : `.snapshot/${snapshot}/${name}`,
      owner: 'root',
      dataSize: size,
      creationTime: '2026-11-20T18:33:07.503Z',
      modificationTime: '2026-11-20T18:33:07.503Z',
      replicationConfig: { replicationFactor: 'ONE', requiredNodes: 1, minimumNodes: 1, replicationType: 'RATIS' },
      metadata: {},
      tags: {},
      file: !name.endsWith('/'),
    })),
  )}\n`;

const diffLines = (kinds: string) =>
  [...kinds].map((diffType, i) => ({
    diffType,
    sourcePath: `./f${i}`,
    ...(diffType === 'R' ? { targetPath: `./g${i}` } : {}),
  }));

/** `paths`: how many, or the kind of each (`-`, `R`, `+`, `M`); `token`: of the next page. */
export const diffReport = (
  from: string,
  to: string,
  status: string,
  more: Readonly<Record<string, unknown>> = {},
  paths: number | string = 1,
  token = '',
): string =>
  `${pretty({
    snapshotDiffReport: {
      volumeName: 'vol',
      bucketName: 'bkt',
      fromSnapshot: from,
      toSnapshot: to,
      diffList: typeof paths === 'number' ? diffLines('+'.repeat(paths)) : diffLines(paths),
      ...(token === '' ? {} : { nextToken: token }),
    },
    jobStatus: status,
    ...more,
  })}\n`;

/** A finished report with these entries; `token`: of the next page. */
export const diffOf = (
  from: string,
  to: string,
  entries: readonly (readonly [kind: string, path: string, target?: string])[],
  token = '',
): string =>
  `${pretty({
    snapshotDiffReport: {
      volumeName: 'vol',
      bucketName: 'bkt',
      fromSnapshot: from,
      toSnapshot: to,
      diffList: entries.map(([diffType, sourcePath, targetPath]) => ({
        diffType,
        sourcePath,
        ...(targetPath === undefined ? {} : { targetPath }),
      })),
      ...(token === '' ? {} : { nextToken: token }),
    },
    jobStatus: 'DONE',
  })}\n`;

export const distcpLog = (
  counters: Readonly<Record<string, number>>,
  files = 'Job job_local1_0001 completed successfully',
): string => {
  const group = Object.entries(counters).map(([name, value]) => `\t\t${name}=${value}\n`);
  const block = `\tFile System Counters\n\t\tFILE: Number of bytes read=170195\n\tDistCp Counters\n${group.join('')}`;
  return `26/11/20 18:31:34 INFO mapred.LocalJobRunner: Counters: 25\n\tDistCp Counters\n\t\tBytes Copied=1\n\t\tFiles Copied=1\n26/11/20 18:31:34 INFO mapreduce.Job: ${files}\n26/11/20 18:31:34 INFO mapreduce.Job: Counters: 25\n${block}`;
};

/** Jackson's default pretty printer: " : " after names, array elements on the line of the bracket, blanks inside empty brackets. */
function pretty(value: unknown, indent = ''): string {
  if (Array.isArray(value))
    return value.length === 0 ? '[ ]' : `[ ${value.map((item) => pretty(item, indent)).join(', ')} ]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value);
  if (fields.length === 0) return '{ }';
  const lines = fields.map(([name, item]) => `${indent}  "${name}" : ${pretty(item, `${indent}  `)}`);
  return `{\n${lines.join(',\n')}\n${indent}}`;
}
