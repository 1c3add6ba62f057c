import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { BlastRadius } from '../../functions/core/domain/operation.ts';
import type { SimulatedOzone } from '../ozone-simulator/simulator.ts';
import { type Parameters, readParameters, type Verb } from './parameters.ts';
import { type Batch, clientProperties, jsonOf, runBatch } from './shell.ts';

type Outcome = 'ok' | 'refused' | 'failed' | 'unreachable' | 'interrupted';

/** Ends an operation from wherever it is: the script's `finish`. */
class Finish extends Error {
  override readonly name = 'Finish';
  readonly outcome: Outcome;
  readonly code: string;
  readonly data: unknown;
  constructor(outcome: Outcome, code: string, message: string, data: unknown = null) {
    super(message);
    this.outcome = outcome;
    this.code = code;
    this.data = data;
  }
}

/** The host is gone in the middle of an operation: nothing is answered, and nothing more is recorded. */
export class HostDied extends Error {
  override readonly name = 'HostDied';
}

/** What survives a reboot of the host. */
interface Recorded {
  readonly exit: number;
  readonly json: string;
}
interface BucketRecord {
  fence?: number;
  claimed?: string;
}

export interface HostOptions {
  readonly ozone: SimulatedOzone;
  readonly name: string;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Called before and after each program that the host starts; what it throws (HostDied) ends the host's work. */
  readonly around?: (moment: 'before' | 'after', program: 'ozone' | 'hadoop') => void;
}

/**
 * The edge host script inside this process, over simulated clusters in memory: the same verbs, guards, outcomes, codes
 * and data as functions/edge-host/ozone-dr.sh, held to it by test/contract/edge-host. What a script alone can meet (locks
 * of a copy that lives on, signals, a host that is not set up) is not here.
 */
export class InProcessHost {
  readonly #options: HostOptions;
  readonly #results = new Map<string, Recorded | 'started'>();
  readonly #buckets = new Map<string, BucketRecord>();

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /**
   * One delivery of a command. @returns what the script prints and its exit code
   * @throws HostDied
   */
  run(document: BlastRadius, given: Parameters): { readonly exit: number; readonly stdout: string } {
    const startedAt = this.#options.now();
    const read = readParameters(document, given);
    const { checked } = read;
    const id = checked.operation ?? '';
    const work = new Work(this.#options, checked, this.#bucket(checked.replica ?? ''));
    const known = 'verb' in read ? this.#results.get(id) : undefined;
    if (known && known !== 'started') return print(known);
    const finished = end(() => {
      if (!('verb' in read)) throw new Finish('refused', read.code, read.message);
      if (known === 'started')
        throw new Finish(
          'interrupted',
          'delivery-died',
          'an earlier delivery of this operation died half way; what it had done by then is not known',
        );
      this.#results.set(id, 'started');
      work.do(read.verb);
    });
    const result: Recorded = {
      exit: exitOf(finished),
      json: JSON.stringify({
        version: 1,
        operation: id,
        verb: checked.verb ?? '',
        outcome: finished.outcome,
        code: finished.code,
        message: printable(finished.message, 1500),
        host: this.#options.name,
        startedAt,
        endedAt: this.#options.now(),
        jvmStarts: work.jvmStarts,
        data: finished.data,
      }),
    };
    if ('verb' in read) this.#results.set(id, result);
    return print(result);
  }

  #bucket(replica: string): BucketRecord {
    const known = this.#buckets.get(replica) ?? {};
    this.#buckets.set(replica, known);
    return known;
  }
}

const print = ({ exit, json }: Recorded) => ({
  exit,
  stdout: `-----BEGIN OZONE-DR REPLY-----\n${json}\n-----END OZONE-DR REPLY-----\n`,
});

const end = (work: () => void): Finish => {
  try {
    work();
  } catch (error) {
    if (error instanceof Finish) return error;
    throw error;
  }
  return new Finish('failed', 'internal', 'the script ended without an answer');
};

const exitOf = ({ outcome, code }: Finish): number => {
  switch (outcome) {
    case 'ok':
      return 0;
    case 'refused':
      return ['bad-parameter', 'environment', 'verb-not-allowed'].includes(code) ? 14 : 10;
    case 'failed':
      return code === 'internal' ? 15 : 11;
    case 'unreachable':
      return 12;
    case 'interrupted':
      return 13;
  }
};

/** `json_string` of the script: printable ASCII, everything else byte by byte a `?`. */
const printable = (text: string, bytes = text.length * 4): string =>
  Buffer.from(text)
    .subarray(0, bytes)
    .toString('latin1')
    .replace(/\t/g, ' ')
    .replace(/[^ -~\n]/g, '?');

const refuse = (code: string, message: string): never => {
  throw new Finish('refused', code, message);
};
const unreadable = (what: string): never => refuse('unreadable', `the output of ozone sh was not understood: ${what}`);

const SeenBucket = z.object({
  creationTime: z.string(),
  bucketLayout: z.string(),
  link: z.boolean(),
  usedBytes: z.number(),
  usedNamespace: z.number(),
  owner: z.string(),
  quotaInBytes: z.number(),
  quotaInNamespace: z.number(),
});
const bucketOf = (section: string | undefined) => {
  const read = SeenBucket.safeParse(jsonOf(section));
  if (!read.success) return undefined;
  const { creationTime: created, bucketLayout: layout, ...rest } = read.data;
  return { created, layout, ...rest };
};

const SeenSnapshot = z
  .object({
    name: z.string(),
    snapshotId: z.string(),
    creationTime: z.number(),
    snapshotStatus: z.enum(['SNAPSHOT_ACTIVE', 'SNAPSHOT_DELETED']),
  })
  .transform(({ name, snapshotId: id, creationTime: created, snapshotStatus }) => ({
    name,
    id,
    created,
    status: snapshotStatus.replace('SNAPSHOT_', ''),
  }));
const snapshotOf = (section: string | undefined) => SeenSnapshot.safeParse(jsonOf(section)).data;
const snapshotsOf = (section: string | undefined) => z.array(SeenSnapshot).safeParse(jsonOf(section)).data;

const Report = z.object({
  jobStatus: z.string(),
  snapshotDiffReport: z.object({ diffList: z.array(z.unknown()), fromSnapshot: z.string(), toSnapshot: z.string() }),
  reason: z.string().optional(),
  waitTimeInMs: z.number().optional(),
});
const JOB_STATES: Readonly<Record<string, string>> = {
  DONE: 'done',
  IN_PROGRESS: 'pending',
  QUEUED: 'pending',
  NOT_FOUND: 'not-found',
  FAILED: 'failed',
  REJECTED: 'rejected',
  CANCELLED: 'cancelled',
};
interface Diff {
  readonly status: string;
  readonly empty: boolean | null;
  readonly reason: string;
  readonly waitMs: number | null;
}

const Keys = z.array(z.object({ name: z.string(), dataSize: z.number(), file: z.boolean() }));

const submission = (text: string): string => {
  if (text.startsWith('Submitting a new job.')) return 'submitted';
  if (text.includes('Status: DONE')) return 'done';
  if (/Status: (IN_PROGRESS|QUEUED)/.test(text)) return 'pending';
  if (text.includes('Status: REJECTED')) return 'rejected';
  return /Status: (FAILED|CANCELLED)/.test(text) ? 'failed' : 'unknown';
};

/** The work of one operation. */
class Work {
  jvmStarts = 0;
  readonly #options: HostOptions;
  readonly #p: Parameters;
  readonly #bucket: BucketRecord;
  #batch: Batch = { sections: [], failedAt: 0, error: '', code: '' };
  #diff: Diff | undefined;
  #copy: object | null = null;

  constructor(options: HostOptions, parameters: Parameters, bucket: BucketRecord) {
    this.#options = options;
    this.#p = parameters;
    this.#bucket = bucket;
  }

  do(verb: Verb): never {
    switch (verb) {
      case 'survey':
        return this.#survey();
      case 'snapshot':
        return this.#snapshot();
      case 'diff':
        return this.#diffVerb();
      case 'replicate':
        return this.#replicate();
      case 'verify':
        return this.#verify();
    }
  }

  get #source(): string {
    return `o3://${this.#p.source}`;
  }
  get #replica(): string {
    return `o3://${this.#p.replica}`;
  }

  #start<T>(program: 'ozone' | 'hadoop', work: () => T): T {
    this.#options.around?.('before', program);
    this.jvmStarts += 1;
    const done = work();
    this.#options.around?.('after', program);
    return done;
  }

  /** Section `n` (counted from 1) is `sections[n - 1]`. */
  #run(...commands: readonly string[]): Batch {
    this.#batch = this.#start('ozone', () => runBatch(this.#options.ozone, commands));
    return this.#batch;
  }

  #stopUnchanged(missing: string): never {
    const { code, error } = this.#batch;
    if (['timeout', 'unknown-host', 'connection'].includes(code)) throw new Finish('unreachable', code, error);
    return refuse(['bucket-missing', 'volume-missing', 'snapshot-missing'].includes(code) ? missing : code, error);
  }

  // ---------------------------------------------------------------- survey

  #survey(): never {
    const commands = [`bucket info ${this.#source}`, `snapshot list --all ${this.#source}`];
    if (this.#p.replica) commands.push(`bucket info ${this.#replica}`, `snapshot list --all ${this.#replica}`);
    const { failedAt } = this.#run(...commands);
    const source = this.#side(0);
    const data = (replica: object | null): never => {
      throw new Finish('ok', '', '', { source, replica });
    };
    if (!this.#p.replica) return data(null);
    if (failedAt !== 1 && failedAt !== 2) return data(this.#side(2));
    this.#run(...commands.slice(2));
    return data(this.#side(0));
  }

  #side(first: number): object {
    const { failedAt, sections } = this.#batch;
    let { code, error } = this.#batch;
    if (failedAt === 0 || failedAt > first + 2) {
      const bucket = bucketOf(sections[first]);
      const snapshots = snapshotsOf(sections[first + 1]);
      if (bucket && snapshots) return { state: 'read', bucket, snapshots };
      code = 'unreadable';
      error = 'the output of ozone sh was not understood';
    }
    const states: Readonly<Record<string, string>> = {
      'bucket-missing': 'missing',
      'volume-missing': 'missing',
      timeout: 'unreachable',
      'unknown-host': 'unreachable',
      connection: 'unreachable',
      'permission-denied': 'denied',
    };
    return { state: states[code] ?? 'unreadable', code, message: printable(error, 500) };
  }

  // ---------------------------------------------------------------- snapshot and diff

  #snapshot(): never {
    const { target, base } = this.#p;
    const commands = [`snapshot create ${this.#source} ${target}`, `snapshot info ${this.#source} ${target}`];
    if (base) commands.push(`snapshot diff ${this.#source} ${base} ${target}`);
    let created = true;
    let first = 2;
    if (this.#run(...commands).failedAt === 1) {
      const { code, error } = this.#batch;
      if (code === 'timeout')
        throw new Finish('failed', 'unclear', `it is not known whether the snapshot was created: ${error}`);
      if (code === 'snapshot-limit' || code === 'not-flushed') throw new Finish('failed', code, error);
      if (code !== 'exists') this.#stopUnchanged('source-missing');
      created = false;
      first = 1;
      this.#run(...commands.slice(1));
    }
    const { failedAt, sections, code, error } = this.#batch;
    if (failedAt > 0 && failedAt <= first)
      throw new Finish('failed', code, `the snapshot could not be read back: ${error}`);
    const snapshot = snapshotOf(sections[first - 1]);
    if (!snapshot)
      throw new Finish('failed', 'unreadable', 'the snapshot could not be read back: the output was not understood');
    const diffMessage = base ? (failedAt > 0 ? error : submissionText(sections[first])) : '';
    const diff = base ? submission(diffMessage) : 'not-asked';
    throw new Finish('ok', '', '', { created, snapshot, diff, diffMessage: printable(diffMessage) });
  }

  #diffVerb(): never {
    const { base, target } = this.#p;
    if (this.#run(this.#reportCommand()).failedAt === 0) this.#readReport(this.#batch.sections[0]);
    this.#retryReportFor21();
    if (this.#batch.failedAt > 0) this.#diffMissing();
    let diff = this.#diff ?? unreadable('snapshot diff');
    if (diff.status === 'not-found') {
      if (this.#run(`snapshot diff ${this.#source} ${base} ${target}`).failedAt > 0) this.#diffMissing();
      diff = { ...diff, status: submission(submissionText(this.#batch.sections[0])) };
    }
    throw new Finish('ok', '', '', diff);
  }

  #diffMissing(): never {
    const { error } = this.#batch;
    const missing = ['base', 'target'].find((it) => error.includes(`/${this.#p[it]}'`));
    return this.#stopUnchanged(`${missing ?? 'source'}-missing`);
  }

  #reportCommand(): string {
    return `snapshot diff --get-report --json -p 1 ${this.#source} ${this.#p.base} ${this.#p.target}`;
  }

  #retryReportFor21(): void {
    if (this.#diff || this.#batch.code !== 'unknown-option') return;
    const { failedAt, sections } = this.#run(
      `snapshot diff --json -p 1 ${this.#source} ${this.#p.base} ${this.#p.target}`,
    );
    if (failedAt === 0) this.#readReport(sections[0]);
  }

  #readReport(section: string | undefined): void {
    const { data } = Report.safeParse(jsonOf(section));
    if (!data) return;
    const { fromSnapshot, toSnapshot, diffList } = data.snapshotDiffReport;
    if (fromSnapshot !== this.#p.base || toSnapshot !== this.#p.target) return;
    const status = JOB_STATES[data.jobStatus] ?? 'unknown';
    this.#diff = {
      status,
      empty: status === 'done' ? diffList.length === 0 : null,
      reason: data.reason ?? '',
      waitMs: data.waitTimeInMs ?? null,
    };
  }

  // ---------------------------------------------------------------- replicate

  #replicate(): never {
    const fence = Number(this.#p.fence);
    const { fence: last } = this.#bucket;
    if (last === undefined && this.#p.fenceSeed !== 'yes')
      refuse('fence-missing', 'the fence is gone although this host has worked on that bucket');
    if (last !== undefined && fence < last)
      refuse(
        'fence-stale',
        `the token ${this.#p.fence} is older than ${last}, the last that changed ${this.#p.replica} from this host`,
      );
    this.#precheck();
    this.#bucket.fence = fence;
    this.#distcp();
    return this.#seal();
  }

  #precheck(): void {
    const { target = '', base = '', mode, empty } = this.#p;
    const isIncremental = mode === 'incremental';
    const commands: (readonly [command: string, missing: string])[] = [
      [`bucket info ${this.#replica}`, 'replica-missing'],
      [`snapshot list --all -p ${target} ${this.#replica}`, 'replica-missing'],
      [`bucket info ${this.#source}`, 'source-missing'],
      [`snapshot info ${this.#source} ${target}`, 'target-missing'],
    ];
    if (isIncremental)
      commands.push(
        [`snapshot info ${this.#replica} ${base}`, 'base-missing'],
        [`snapshot info ${this.#source} ${base}`, 'base-missing'],
      );
    const claimed = commands.length;
    if (empty === 'yes') commands.push([`key list -l 1 ${this.#replica}`, 'replica-missing']);
    if (isIncremental) commands.push([this.#reportCommand(), 'diff-unknown']);
    const { failedAt, sections, code } = this.#run(...commands.map(([command]) => command));
    if (failedAt > 0 && !(isIncremental && code === 'unknown-option'))
      this.#stopUnchanged(commands[failedAt - 1]?.[1] ?? '');

    const replica = this.#checkReplicaBucket(sections);
    const source = bucketOf(sections[2]) ?? unreadable('bucket info of the source');
    if (!isCopyable(source.layout))
      refuse('layout', `the source has the layout ${source.layout}, which distcp cannot read`);
    requireSnapshot(sections[3], this.#p.targetId, 'target');
    if (isIncremental) {
      requireSnapshot(sections[4], this.#p.baseReplicaId, 'base');
      requireSnapshot(sections[5], this.#p.baseSourceId, 'base');
    }
    if (empty === 'yes') this.#claim(sections[claimed] ?? '', replica);
    if (isIncremental) this.#requireDiff(sections[commands.length - 1]);
  }

  #checkReplicaBucket(sections: readonly string[]): string {
    const { target, replicaCreated } = this.#p;
    const { created, layout } = bucketOf(sections[0]) ?? unreadable('bucket info of the replica');
    if (replicaCreated && created !== replicaCreated)
      refuse('replica-other', `the bucket was created at ${created}, expected ${replicaCreated}`);
    if (!isCopyable(layout)) refuse('layout', `the replica has the layout ${layout}, which distcp cannot write`);
    const listed = snapshotsOf(sections[1]) ?? unreadable('snapshot list of the replica');
    if (listed.some((it) => it.name === target))
      refuse('already-sealed', `the replica has a snapshot ${target} already`);
    return created;
  }

  #claim(listing: string, created: string): void {
    if (listing.trimEnd() === '[ ]') this.#bucket.claimed = created;
    else if (this.#bucket.claimed !== created)
      refuse(
        'replica-not-empty',
        `the bucket ${this.#p.replica} holds something that is not ours: ${listing.split('\n').find((line) => line.includes('"name"')) ?? ''}`,
      );
  }

  #requireDiff(section: string | undefined): void {
    if (this.#batch.failedAt === 0) this.#readReport(section);
    this.#retryReportFor21();
    const { status = '', reason = '' } = this.#diff ?? {};
    if (status === 'done') return;
    if (status === 'pending') refuse('diff-pending', 'the difference on the source is still being computed');
    if (['failed', 'rejected', 'cancelled'].includes(status))
      refuse('diff-failed', `the difference on the source is ${status}: ${JSON.stringify(reason)}`);
    refuse(
      'diff-unknown',
      `no finished difference from ${this.#p.base} to ${this.#p.target} on the source: ${status || this.#batch.error}`,
    );
  }

  #distcp(): void {
    const { mode, base = '', target = '', operation, source, replica } = this.#p;
    const copySeconds = Number(this.#p.copySeconds);
    const bandwidth = Number(this.#p.bandwidth);
    const isIncremental = mode === 'incremental';
    const { exit, stdout, stderr } = this.#start('hadoop', () =>
      this.#options.ozone.run('hadoop', [
        'distcp',
        ...clientProperties,
        '-D',
        `mapreduce.job.tags=${operation}`,
        ...(isIncremental
          ? ['-D', 'distcp.diff.copy.listing.traverse.directory=false', '-update', '-diff', base, target]
          : ['-update', '-delete']),
        '-direct',
        '-m',
        `${Number(this.#p.maps)}`,
        ...(bandwidth === 0 ? [] : ['-bandwidth', `${bandwidth}`]),
        `ofs://${source}${isIncremental ? '' : `/.snapshot/${target}`}`,
        `ofs://${replica}`,
      ]),
    );
    const log = `${stderr}${stdout}`;
    const counters = countersOf(log);
    this.#copy = { mode, exit, seconds: exit === 124 ? copySeconds : 0, ...counters };
    if (exit === 0 && counters.filesFailed === 0 && / completed successfully$/m.test(log)) return;
    const failed = (code: string, message: string): never => {
      const lines = log.replace(/\n$/, '').split('\n').slice(-40).join('\n');
      throw new Finish('failed', code, message, this.#replicateData(null, printable(lines.slice(-4000))));
    };
    if (exit === 124) failed('copy-timeout', `distcp did not end within ${this.#p.copySeconds} s`);
    if (exit === 25 && log.includes('The target has been modified since snapshot'))
      failed('target-modified', `somebody wrote into ${replica} since ${base}`);
    if (log.includes('TOO_MANY_SNAPSHOTS')) failed('snapshot-limit', /Snapshot limit of .*/.exec(log)?.[0] ?? '');
    failed('copy-failed', `distcp ended with exit code ${exit}`);
  }

  #replicateData(seal: object | null, log: string): object {
    const diff = this.#p.mode === 'incremental' ? this.#diff : undefined;
    return { copy: this.#copy, diffStatus: diff?.status ?? null, diffEmpty: diff?.empty ?? null, seal, log };
  }

  #seal(): never {
    const { target } = this.#p;
    const { failedAt, sections, code, error } = this.#run(
      `snapshot create ${this.#replica} ${target}`,
      `snapshot info ${this.#replica} ${target}`,
    );
    const seal = failedAt === 0 ? snapshotOf(sections[1]) : undefined;
    if (seal) throw new Finish('ok', '', '', this.#replicateData(seal, ''));
    throw new Finish(
      'failed',
      code === 'snapshot-limit' ? code : 'seal-failed',
      `the copy is complete, sealing it failed: ${error}`,
      this.#replicateData(null, ''),
    );
  }

  // ---------------------------------------------------------------- verify

  #verify(): never {
    const { target, targetId, sealId } = this.#p;
    const prefix = `.snapshot/${target}/`;
    const { failedAt, sections } = this.#run(
      `snapshot info ${this.#source} ${target}`,
      `snapshot info ${this.#replica} ${target}`,
      `key list --all -p ${prefix} ${this.#source}`,
      `key list --all -p ${prefix} ${this.#replica}`,
    );
    if (failedAt > 0) this.#stopUnchanged(failedAt % 2 === 1 ? 'target-missing' : 'seal-missing');
    requireSnapshot(sections[0], targetId, 'target');
    requireSnapshot(sections[1], sealId, 'seal');
    const source = listing(sections[2], prefix) ?? unreadable('key list of the source');
    const replica = listing(sections[3], prefix) ?? unreadable('key list of the replica');
    const paths = [...new Set([...source.keys(), ...replica.keys()])]
      .filter((path) => source.get(path) !== replica.get(path))
      .sort();
    throw new Finish('ok', '', '', {
      level: 'listing',
      equal: paths.length === 0,
      source: summary(source),
      replica: summary(replica),
      onlySource: paths.filter((path) => !replica.has(path)).length,
      onlyReplica: paths.filter((path) => !source.has(path)).length,
      changed: paths.filter((path) => source.has(path) && replica.has(path)).length,
      first: paths
        .slice(0, 20)
        .map((path) => ({ path: cut(path), source: shown(source.get(path)), replica: shown(replica.get(path)) })),
    });
  }
}

const isCopyable = (layout: string): boolean => layout === 'FILE_SYSTEM_OPTIMIZED' || layout === 'LEGACY';

/** `$(head -c 500 …)` of the script. */
const submissionText = (section: string | undefined): string =>
  Buffer.from(section ?? '')
    .subarray(0, 500)
    .toString()
    .replace(/\n+$/, '');

const requireSnapshot = (section: string | undefined, id: string | undefined, what: string): void => {
  const snapshot = snapshotOf(section) ?? unreadable(`snapshot info (${what})`);
  if (snapshot.status !== 'ACTIVE') refuse(`${what}-missing`, `the snapshot is deleted: ${JSON.stringify(snapshot)}`);
  if (snapshot.id !== id) refuse(`${what}-other`, `the snapshot has the id ${snapshot.id}, expected ${id}`);
};

/** The last group of that name: of the job, not of its task. */
const countersOf = (log: string) => {
  const counts = new Map<string, number>();
  let isInside = false;
  for (const line of log.split('\n')) {
    const counter = isInside ? /^[ \t][ \t]+([A-Za-z_ ]+)=([0-9]+)$/.exec(line) : null;
    if (/^[ \t]*DistCp Counters *$/.test(line)) {
      isInside = true;
      counts.clear();
    } else if (counter) counts.set(counter[1] ?? '', Number(counter[2]));
    else isInside = false;
  }
  const count = (name: string) => counts.get(name) ?? 0;
  return {
    filesCopied: count('Files Copied'),
    filesSkipped: count('Files Skipped'),
    filesFailed: count('Files Failed'),
    bytesCopied: count('Bytes Copied'),
    dirsCopied: count('DIR_COPY'),
  };
};

/**
 * A listing by path: `f<TAB>size` or `d<TAB>0`; every ancestor of a key counts as a directory. Paths are as JSON escapes
 * them, one character per byte of UTF-8, so that they sort as the script's `sort` sorts them.
 */
const listing = (section: string | undefined, prefix: string): ReadonlyMap<string, string> | undefined => {
  const { data } = Keys.safeParse(jsonOf(section));
  if (!data) return undefined;
  const entries = new Map<string, string>();
  for (const { name, dataSize, file } of data) {
    if (!name.startsWith(prefix)) return undefined;
    const key = file ? name : name.replace(/\/$/, '');
    const path = Buffer.from(JSON.stringify(key.slice(prefix.length)).slice(1, -1)).toString('latin1');
    if (path === '') return undefined;
    entries.set(path, file ? `f\t${dataSize}` : 'd\t0');
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      if (entries.has(path.slice(0, at))) break;
      entries.set(path.slice(0, at), 'd\t0');
    }
  }
  return entries;
};

const summary = (entries: ReadonlyMap<string, string>) => {
  const lines = [...entries].map(([path, entry]) => `${path}\t${entry}\n`).sort();
  const sizes = [...entries.values()].filter((it) => it.startsWith('f')).map((it) => Number(it.slice(2)));
  return {
    files: sizes.length,
    dirs: entries.size - sizes.length,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    digest: createHash('sha256')
      .update(Buffer.from(lines.join(''), 'latin1'))
      .digest('hex'),
  };
};

const shown = (entry: string | undefined): string | null =>
  entry === undefined ? null : entry.startsWith('d') ? 'directory' : `${entry.slice(2)} bytes`;

/** The first 300 bytes or so of an escaped path, cut between characters and escapes. */
const cut = (path: string): string => {
  let out = '';
  for (const [part] of path.matchAll(/\\u....|\\.|[\xC0-\xFF][\x80-\xBF]*|./gs)) {
    if (out.length >= 300) break;
    out += part;
  }
  const text = Buffer.from(out.length === path.length ? out : `${out}...`, 'latin1').toString();
  return JSON.parse(`"${text}"`);
};
