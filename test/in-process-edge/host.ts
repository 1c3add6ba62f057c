import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { BlastRadius } from '../../functions/core/domain/operation.ts';
import type { Work as CommandToRun } from '../local-cloud/ssm/host.ts';
import type { SimulatedOzone } from '../ozone-simulator/simulator.ts';
import { Asks, answersTo } from './batch.ts';
import { type Parameters, pathOf, readParameters, type Verb, whyRefused } from './parameters.ts';
import {
  changedSince,
  type Entries,
  filterOf,
  listAt,
  type Met,
  meet,
  planCopy,
  selected,
  unsafeLine,
} from './selected.ts';
import { type Batch, classify, clientProperties, jsonOf, runBatch } from './shell.ts';

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
  /** The detached copy that holds the lock. */
  holder?: Detached;
}

/** A copy that was answered and has not gone on yet. */
interface Detached {
  readonly operation: string;
  readonly answer: Recorded;
  readonly bucket: BucketRecord;
  /** Does the rest. @returns the final reply */
  readonly goOn: () => Recorded;
  /** What the rest records when a newer copy ends it. */
  readonly end: () => void;
}

export interface HostOptions {
  readonly ozone: SimulatedOzone;
  readonly name: string;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Called before and after each program that the host starts; what it throws (HostDied) ends the host's work. */
  readonly around?: (moment: 'before' | 'after', program: 'ozone' | 'hadoop') => void;
  /** What `doctor` says of the host itself where it is not that of a healthy one. */
  readonly doctor?: Readonly<Record<string, unknown>>;
  /** The programs of the host's own list, by name: their exit code, from what they are told. What is not there may not be run. */
  readonly hooks?: Readonly<Record<string, (told: { readonly phase: string; readonly outcome: string }) => number>>;
  /** What `curl` gets from the address of a selection. */
  readonly selectionAt?: (url: string) => string | undefined;
}

/**
 * The edge host script inside this process, over simulated clusters in memory: the same verbs, guards, outcomes, codes
 * and data as functions/edge-host/ozone-dr.sh, held to it by test/contract/edge-host. A detached copy waits for `goOn`.
 * What a script alone can meet (locks of a distcp that lives on, signals, a host that is not set up) is not here.
 */
export class InProcessHost {
  readonly #options: HostOptions;
  readonly #results = new Map<string, Recorded | 'started'>();
  readonly #buckets = new Map<string, BucketRecord>();
  readonly #detached = new Map<string, Detached>();

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /** A command as an agent of the local cloud gets it, of whichever document of the product. @throws HostDied */
  command({ documentName, parameters }: Pick<CommandToRun, 'documentName' | 'parameters'>): {
    readonly exitCode: number;
    readonly stdout: string;
    readonly stderr: string;
  } {
    const radius = BlastRadius.options.find((it) => documentName.startsWith(`ozone-dr-${it}-`));
    if (radius === undefined) throw new Error(`${documentName} is no document of the product`);
    const { exit, stdout } = this.run(radius, parameters);
    return { exitCode: exit, stdout, stderr: '' };
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
    const locked = (checked.verb === 'delete' ? checked.source : checked.replica) ?? '';
    const bucket = this.#bucket(locked);
    const work = new Work({ ...this.#options, document }, checked, bucket, (probed) => this.#stateOf(probed));
    const known = 'verb' in read ? (this.#detached.get(id)?.answer ?? this.#results.get(id)) : undefined;
    if (known && known !== 'started') return print(known);
    const finished = end(() => {
      if (!('verb' in read)) throw new Finish('refused', read.code, read.message);
      if (known === 'started' && !read.members) work.afterDeath(read.verb);
      if (read.verb !== 'doctor') this.#results.set(id, 'started');
      if (read.members) this.#batch(document, read.verb, read.members, startedAt, work);
      work.do(read.verb);
    });
    const record = (finished: Finish): Recorded => this.#record(checked, finished, startedAt, work.jvmStarts);
    const answer = record(finished);
    const { rest } = work;
    if (rest) {
      const goOn = () => record(end(rest));
      const ended = () => {
        work.jvmStarts += 1; // its distcp
        this.#results.set(id, record(new Finish('interrupted', 'cancelled', 'the command was ended by a signal')));
        this.#forget(id);
      };
      bucket.holder = { operation: id, answer, bucket, goOn, end: ended };
      this.#detached.set(id, bucket.holder);
    } else if ('verb' in read && read.verb !== 'doctor') this.#results.set(id, answer);
    return print(answer);
  }

  #record(checked: Parameters, finished: Finish, startedAt: number, jvmStarts: number): Recorded {
    return {
      exit: exitOf(finished),
      json: JSON.stringify({
        version: 1,
        operation: checked.operation ?? '',
        verb: checked.batch ? 'batch' : (checked.verb ?? ''),
        outcome: finished.outcome,
        code: finished.code,
        message: printable(finished.message, 1500),
        host: this.#options.name,
        startedAt,
        endedAt: this.#options.now(),
        jvmStarts,
        data: finished.data,
      }),
    };
  }

  /** `batch` of the script: a member runs from its beginning until it asks what has no answer yet, and then again. */
  #batch(
    document: BlastRadius,
    verb: Verb,
    members: readonly Parameters[],
    startedAt: number,
    frame: Pick<Work, 'ask'>,
  ): never {
    const locks = new Map<BucketRecord, string>();
    const all = members.map((parameters) => {
      const id = parameters.operation ?? '';
      const bucket = this.#bucket(parameters.replica ?? '');
      const holder = bucket.holder?.operation ?? locks.get(bucket);
      if (verb === 'seal-unchanged' && !holder) locks.set(bucket, id);
      const earlier = this.#results.get(id);
      const answers: Batch[] = [];
      return { parameters, id, bucket, inBatch: { answers, holder }, earlier };
    });
    const replies = new Map<string, Recorded>();
    for (;;) {
      const asking: (readonly [answers: Batch[], commands: readonly string[]])[] = [];
      for (const { parameters, id, bucket, inBatch, earlier } of all) {
        if (replies.has(id)) continue;
        if (typeof earlier === 'object') {
          replies.set(id, earlier);
          continue;
        }
        const work = new Work({ ...this.#options, document }, parameters, bucket, () => ({}), inBatch);
        try {
          const finished = end(() => {
            if (earlier === 'started') throw died();
            this.#results.set(id, 'started');
            const refusal = whyRefused(verb, parameters);
            if (refusal) throw new Finish('refused', refusal.code, refusal.message);
            work.do(verb);
          });
          const recorded = this.#record(parameters, finished, startedAt, work.jvmStarts);
          this.#results.set(id, recorded);
          replies.set(id, recorded);
        } catch (error) {
          if (!(error instanceof Asks)) throw error;
          asking.push([inBatch.answers, error.commands]);
        }
      }
      if (asking.length === 0) break;
      const answers = answersTo(
        asking.map(([, commands]) => commands),
        (commands) => frame.ask(...commands),
      );
      for (const [n, [given]] of asking.entries()) given.push(...answers.slice(n, n + 1));
    }
    throw new Finish('ok', '', '', { replies: all.map(({ id }) => JSON.parse(replies.get(id)?.json ?? 'null')) });
  }

  /**
   * Lets the detached copies go on to their ends.
   * @throws HostDied in the middle of one, which then has died
   */
  goOn(): void {
    for (const [id, { goOn }] of [...this.#detached]) {
      this.#forget(id);
      this.#results.set(id, goOn());
    }
  }

  #forget(detached: string): void {
    delete this.#detached.get(detached)?.bucket.holder;
    this.#detached.delete(detached);
  }

  /** What `probe` says of an operation. */
  #stateOf(id: string): object {
    const known = this.#detached.has(id) ? 'running' : (this.#results.get(id) ?? 'unknown');
    if (typeof known === 'object') return { state: 'ended', reply: JSON.parse(known.json) };
    return { state: known === 'started' ? 'died' : known, reply: null };
  }

  #bucket(name: string): BucketRecord {
    const known = this.#buckets.get(name) ?? {};
    this.#buckets.set(name, known);
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

const died = (): Finish =>
  new Finish(
    'interrupted',
    'delivery-died',
    'an earlier delivery of this operation died half way; what it had done by then is not known',
  );

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

const SeenReplication = z.union([
  z
    .object({ data: z.number(), parity: z.number(), ecChunkSize: z.number(), codec: z.string() })
    .transform(
      ({ data, parity, ecChunkSize, codec }) => `EC/${codec.toLowerCase()}-${data}-${parity}-${ecChunkSize / 1024}k`,
    ),
  z
    .object({ replicationType: z.string(), replicationFactor: z.string() })
    .transform(({ replicationType, replicationFactor }) => `${replicationType}/${replicationFactor}`),
]);
const SeenBucket = z.object({
  creationTime: z.string(),
  bucketLayout: z.string(),
  link: z.boolean(),
  usedBytes: z.number(),
  usedNamespace: z.number(),
  owner: z.string(),
  quotaInBytes: z.number(),
  quotaInNamespace: z.number(),
  replicationConfig: SeenReplication.optional(),
  encryptionKeyName: z.string().optional(),
});
const Link = z.looseObject({ link: z.literal(true) });
const OF_LINKS = {
  bucketLayout: 'OBJECT_STORE',
  usedBytes: 0,
  usedNamespace: 0,
  quotaInBytes: -1,
  quotaInNamespace: -1,
};
/** A link shows nothing of the bucket that it leads to. */
const filled = (json: unknown): unknown => {
  const link = Link.safeParse(json);
  return link.success ? { ...OF_LINKS, ...link.data } : json;
};
const bucketOf = (section: string | undefined) => {
  const read = SeenBucket.safeParse(filled(jsonOf(section)));
  if (!read.success) return undefined;
  const { creationTime: created, bucketLayout: layout, replicationConfig, encryptionKeyName, ...rest } = read.data;
  return { created, layout, ...rest, replication: replicationConfig ?? '', encryptionKey: encryptionKeyName ?? null };
};

const SeenAcls = z.array(
  z
    .object({ type: z.string(), name: z.string(), aclScope: z.string(), aclList: z.array(z.string()) })
    .transform(({ type, name, aclScope, aclList }) => `${type}:${name}:${aclList.join()}:${aclScope}`),
);
const aclsOf = (section: string | undefined) => SeenAcls.safeParse(jsonOf(section)).data?.sort() ?? null;

const LETTERS: Readonly<Record<string, string>> = {
  READ: 'r',
  WRITE: 'w',
  CREATE: 'c',
  LIST: 'l',
  DELETE: 'd',
  READ_ACL: 'x',
  WRITE_ACL: 'y',
  ALL: 'a',
  NONE: 'n',
};

/** ACLs as `setacl` takes them, sorted: `user:bob:rl[DEFAULT]`. */
const aclEntriesOf = (section: string | undefined): readonly string[] | null => {
  const seen = aclsOf(section);
  if (!seen) return null;
  const entries = seen.map((acl) => {
    const [type = '', name = '', rights = '', scope] = acl.split(':');
    const letters = rights.split(',').map((right) => LETTERS[right] ?? '?');
    const whom = type === 'WORLD' || type === 'ANONYMOUS' ? '' : name;
    return `${type.toLowerCase()}:${whom}:${letters.join('')}${scope === 'DEFAULT' ? '[DEFAULT]' : ''}`;
  });
  return [...new Set(entries)].sort();
};

const readingOnly = (entries: readonly string[]): readonly string[] => {
  const left = entries.flatMap((entry) => {
    const [, whom = '', rights = '', scope = ''] = /^(.*:.*:)([a-z]+)(.*)$/.exec(entry) ?? [];
    const kept = `${/[ra]/.test(rights) ? 'r' : ''}${/[la]/.test(rights) ? 'l' : ''}`;
    return kept === '' ? [] : [`${whom}${kept}${scope}`];
  });
  return [...new Set(left)].sort();
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
type Seen = z.infer<typeof SeenSnapshot>;

const namesListed = (section: string | undefined) =>
  z.array(z.object({ name: z.string(), link: z.boolean().optional() })).safeParse(jsonOf(section)).data;
/** As bash matches: `*` and `?`, everything else as it is written. */
const shellPattern = (text: string): RegExp =>
  new RegExp(`^${text.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.')}$`);

/** As a survey shows them. */
const Surveyed = z.array(z.object({ exclusiveSize: z.number().int().nonnegative().optional().catch(undefined) }));
const surveyedOf = (section: string | undefined) => {
  const sizes = Surveyed.safeParse(jsonOf(section)).data;
  return snapshotsOf(section)?.map((it, n) => {
    const exclusiveBytes = sizes?.[n]?.exclusiveSize;
    return exclusiveBytes === undefined ? it : { ...it, exclusiveBytes };
  });
};

const Report = z.object({
  jobStatus: z.string(),
  snapshotDiffReport: z.object({
    diffList: z.array(z.object({ diffType: z.string(), sourcePath: z.string(), targetPath: z.string().optional() })),
    fromSnapshot: z.string(),
    toSnapshot: z.string(),
    nextToken: z.string().optional(),
  }),
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
/** One page of a report; no token: the last. */
interface Page {
  readonly kinds: readonly string[];
  readonly sources: readonly (readonly [kind: string, path: string])[];
  /** Both paths of renames. */
  readonly paths: readonly string[];
  readonly changes: readonly { readonly kind: string; readonly path: string; readonly to: string | null }[];
  readonly token: string | undefined;
}

/** What both listings say: `f<TAB>size` or `d<TAB>0` by escaped path. */
interface Sides {
  readonly replica: ReadonlyMap<string, string>;
  readonly target: ReadonlyMap<string, string>;
}
/** What a narrowed resync has to do; names. */
interface Plan {
  readonly units: number;
  readonly removed: readonly string[];
  readonly created: readonly string[];
  readonly directories: readonly string[];
  readonly files: readonly string[];
}
const MOST_UNITS = 24;
const MOST_PAGES = 20;
const MOST_REMOVED = 100;
const tooWide = (why: string): never => refuse('too-wide', `a narrowed resync does not fit: ${why}`);
const typeOf = (entry = '-'): string => entry.slice(0, 1);
const isBelow = (path: string, tops: ReadonlySet<string>): boolean => {
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1))
    if (tops.has(path.slice(0, at))) return true;
  return false;
};

const Keys = z.array(
  z.object({ name: z.string(), dataSize: z.number(), file: z.boolean(), modificationTime: z.string() }),
);

const submission = (text: string): string => {
  if (text.startsWith('Submitting a new job.')) return 'submitted';
  if (text.includes('Status: DONE')) return 'done';
  if (/Status: (IN_PROGRESS|QUEUED)/.test(text)) return 'pending';
  if (text.includes('Status: REJECTED')) return 'rejected';
  return /Status: (FAILED|CANCELLED)/.test(text) ? 'failed' : 'unknown';
};

/** Of a member of a batch: the answers that it has had, and who holds the lock of the bucket that it writes. */
interface InBatch {
  readonly answers: readonly Batch[];
  readonly holder: string | undefined;
}

/** The work of one operation. */
class Work {
  jvmStarts = 0;
  readonly #options: HostOptions & { readonly document: BlastRadius };
  readonly #p: Parameters;
  readonly #bucket: BucketRecord;
  #batch: Batch = { sections: [], failedAt: 0, error: '', code: '' };
  #diff: Diff | undefined;
  /** What a detached copy has still to do. */
  rest: (() => void) | undefined;
  readonly #stateOf: (operation: string) => object;
  readonly #inBatch: InBatch | undefined;
  #asked = 0;
  #page: Page = { kinds: [], sources: [], paths: [], changes: [], token: undefined };
  /** What a report is of; the snapshot it leads to is the target when it has no name. */
  #reportOf: { readonly side: 'source' | 'replica'; readonly to: string } = { side: 'source', to: '' };
  #form = '--get-report --json';
  #plan: Plan | undefined;
  #copy: object | null = null;
  #counters = countersOf('');
  #removals: object | null = null;

  constructor(
    options: HostOptions & { readonly document: BlastRadius },
    parameters: Parameters,
    bucket: BucketRecord,
    stateOf: (operation: string) => object,
    inBatch?: InBatch,
  ) {
    this.#inBatch = inBatch;
    this.#options = options;
    this.#stateOf = stateOf;
    this.#p = parameters;
    this.#bucket = bucket;
  }

  /** An earlier delivery died; of a snapshot it may have left somebody holding still. */
  afterDeath(verb: Verb): never {
    const end = (): never => {
      throw died();
    };
    return verb === 'snapshot' ? this.#withHooks(end, true) : end();
  }

  do(verb: Verb): never {
    switch (verb) {
      case 'survey':
        return this.#survey();
      case 'snapshot':
        return this.#withHooks(() => this.#snapshot());
      case 'diff':
        return this.#diffVerb();
      case 'replicate':
        return this.#replicate();
      case 'verify':
        return this.#verify();
      case 'seal-unchanged':
        return this.#sealUnchanged();
      case 'tidy':
        return this.#removeSnapshots('replica', 'temp', 'odr-tmp-');
      case 'delete':
        return this.#removeSnapshots('source', 'odr-');
      case 'create-bucket':
        return this.#createBucket();
      case 'versions':
        return this.#versions();
      case 'changes':
        return this.#changes();
      case 'probe':
        throw new Finish('ok', '', '', this.#stateOf(this.#p.probed ?? ''));
      case 'examine':
        return this.#examine();
      case 'compare':
        return this.#compare();
      case 'restore':
        return this.#restore();
      case 'divergence':
        return this.#divergence();
      case 'restrict':
        return this.#restrict();
      case 'remove-scratch':
        return this.#removeScratch();
      case 'buckets':
        return this.#buckets();
      case 'doctor':
        return this.#doctor();
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
    this.#batch = this.#inBatch ? this.#answer(this.#inBatch, commands) : this.ask(...commands);
    return this.#batch;
  }

  /** One JVM. */
  ask(...commands: readonly string[]): Batch {
    return this.#start('ozone', () => runBatch(this.#options.ozone, commands));
  }

  /** `ask_with_others` of the script. */
  #answer({ answers }: InBatch, commands: readonly string[]): Batch {
    const answer = answers[this.#asked];
    if (!answer) throw new Asks(commands);
    this.#asked += 1;
    this.jvmStarts += 1;
    return answer;
  }

  #stopUnchanged(missing: string): never {
    const { code, error } = this.#batch;
    if (AWAY.includes(code)) throw new Finish('unreachable', code, error);
    return refuse(['bucket-missing', 'volume-missing', 'snapshot-missing'].includes(code) ? missing : code, error);
  }

  // ---------------------------------------------------------------- survey

  #survey(): never {
    const look = (bucket: string) => [
      `bucket info ${bucket}`,
      `snapshot list --all ${bucket}`,
      `bucket getacl ${bucket}`,
    ];
    const commands = [...look(this.#source), ...(this.#p.replica ? look(this.#replica) : [])];
    const { failedAt } = this.#run(...commands);
    const source = this.#side(0);
    const data = (replica: object | null): never => {
      throw new Finish('ok', '', '', { source, replica });
    };
    if (!this.#p.replica) return data(null);
    if (failedAt === 0 || failedAt > 3) return data(this.#side(3));
    this.#run(...commands.slice(3));
    return data(this.#side(0));
  }

  #side(first: number): object {
    const { failedAt, sections } = this.#batch;
    let { code, error } = this.#batch;
    if (failedAt === 0 || failedAt > first + 2) {
      const bucket = bucketOf(sections[first]);
      const snapshots = surveyedOf(sections[first + 1]);
      const acls = failedAt === first + 3 ? null : aclsOf(sections[first + 2]);
      if (bucket && snapshots) return { state: 'read', bucket: { ...bucket, acls }, snapshots };
      code = 'unreadable';
      error = 'the output of ozone sh was not understood';
    }
    return notRead({ code, error });
  }

  // ---------------------------------------------------------------- snapshot and diff

  /** `before_hooks` and `after_hooks` of the script, without time. The latter is the document `protect`'s alone. */
  #withHooks(work: () => never, isDead = false): never {
    const { hookBefore = '', hookAfter = '' } = this.#p;
    if (!hookBefore && !hookAfter) return work();
    const ran: object[] = [];
    const hookOf = (text: string) => {
      const [name = '', , fatal] = text.split(':');
      return { name, isFatal: fatal === 'yes', program: this.#options.hooks?.[name] };
    };
    const missing = (name: string) => `/etc/ozone-dr/host.conf names no hook_${name}`;
    /** Why it failed. */
    const run = (phase: string, text: string, outcome: string): { code: string; said: string } | undefined => {
      const { name, program } = hookOf(text);
      const exit = program ? program({ phase, outcome }) : 126;
      const said = program ? (exit === 0 ? '' : `the hook ${name} ended with exit code ${exit}`) : missing(name);
      ran.push({ phase, name, exit, seconds: 0, output: '', problem: said });
      return said === '' ? undefined : { code: program ? 'hook-failed' : 'hook-missing', said };
    };
    const last = hookAfter ? hookOf(hookAfter) : undefined;
    if (last?.isFatal && !last.program && !isDead) refuse('hook-missing', missing(last.name));
    try {
      const failed = hookBefore && !isDead ? run('before', hookBefore, '') : undefined;
      if (failed && hookOf(hookBefore).isFatal) refuse(failed.code, failed.said);
      return work();
    } catch (finish) {
      if (!(finish instanceof Finish)) throw finish;
      const { outcome, code, message, data } = finish;
      const failed = hookAfter ? run('after', hookAfter, outcome) : undefined;
      if (outcome !== 'ok') throw failed ? new Finish(outcome, code, `${message}; and ${failed.said}`, data) : finish;
      if (failed && last?.isFatal)
        throw new Finish('failed', failed.code, `the snapshot was created, but ${failed.said}`);
      throw new Finish(outcome, code, message, { ...Object(data), hooks: ran });
    }
  }

  #snapshot(): never {
    const { target } = this.#p;
    const base = this.#inBatch ? '' : this.#p.base;
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
    if (this.#run(this.#reportCommand()).failedAt === 0) this.#readReport(this.#batch.sections[0]);
    throw new Finish('ok', '', '', this.#submitMissing());
  }

  /** After a report was asked for: submits what there is no report of yet. */
  #submitMissing(): Diff {
    const { base, target } = this.#p;
    this.#retryReportFor21();
    if (this.#batch.failedAt > 0) this.#diffMissing();
    const diff = this.#diff ?? unreadable('snapshot diff');
    if (diff.status !== 'not-found') return diff;
    if (this.#run(`snapshot diff ${this.#source} ${base} ${target}`).failedAt > 0) this.#diffMissing();
    return { ...diff, status: submission(submissionText(this.#batch.sections[0])) };
  }

  #diffMissing(): never {
    const { error } = this.#batch;
    const missing = ['base', 'target'].find((it) => error.includes(`/${this.#p[it]}'`));
    return this.#stopUnchanged(`${missing ?? 'source'}-missing`);
  }

  #reportCommand(token = ''): string {
    const { base, target, brake, narrow } = this.#p;
    const { side, to } = this.#reportOf;
    const size = `${brake}${narrow}` === '' ? Number(this.#p.limit) || 1 : 1000;
    const page = `-p ${size}${token === '' ? '' : ` -t ${token}`}`;
    return `snapshot diff ${this.#form} ${page} o3://${this.#p[side]} ${base} ${to || target}`;
  }

  #retryReportFor21(): void {
    if (this.#diff || this.#batch.code !== 'unknown-option') return;
    this.#form = '--json';
    const { failedAt, sections } = this.#run(this.#reportCommand(this.#p.token));
    if (failedAt === 0) this.#readReport(sections[0]);
  }

  #readReport(section: string | undefined): void {
    const { data } = Report.safeParse(jsonOf(section));
    if (!data) return;
    const { fromSnapshot, toSnapshot, diffList, nextToken } = data.snapshotDiffReport;
    if (fromSnapshot !== this.#p.base || toSnapshot !== (this.#reportOf.to || this.#p.target)) return;
    this.#page = {
      kinds: diffList.map(({ diffType }) => diffType),
      sources: diffList.map(({ diffType, sourcePath }) => [diffType, sourcePath]),
      paths: diffList.flatMap(({ sourcePath, targetPath }) => [sourcePath, ...(targetPath ? [targetPath] : [])]),
      changes: diffList.map(({ diffType: kind, sourcePath, targetPath }) => ({
        kind,
        path: sourcePath.slice('./'.length),
        to: targetPath?.slice('./'.length) ?? null,
      })),
      token: nextToken,
    };
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
    this.#lock();
    this.#checkFence();
    this.#precheck();
    this.#bucket.fence = Number(this.#p.fence);
    if (this.#p.detached === 'yes') {
      this.rest = () => this.#copyAndSeal();
      throw new Finish('ok', '', '', { ...this.#replicateData(null, ''), detached: true });
    }
    return this.#copyAndSeal();
  }

  #copyAndSeal(): never {
    if (this.#plan) this.#copyUnits(this.#plan);
    else this.#copyWhole();
    return this.#seal();
  }

  #lock(): void {
    const { holder } = this.#bucket;
    if (!holder) return;
    if (holder.operation === this.#p.supersedes) {
      this.#checkFence();
      holder.end();
      return;
    }
    throw new Finish(
      'refused',
      'bucket-busy',
      `a copy into ${this.#p.verb === 'delete' ? this.#p.source : this.#p.replica} is running on this host: ${holder.operation}`,
      this.#p.verb === 'replicate' ? { ...this.#replicateData(null, ''), holder: holder.operation } : null,
    );
  }

  #checkFence(): void {
    const fence = Number(this.#p.fence);
    const { fence: last } = this.#bucket;
    if (last === undefined && this.#p.fenceSeed !== 'yes')
      refuse('fence-missing', 'the fence is gone although this host has worked on that bucket');
    if (last !== undefined && fence < last)
      refuse(
        'fence-stale',
        `the token ${this.#p.fence} is older than ${last}, the newest that came to this host for ${this.#p.replica}`,
      );
  }

  #precheck(): void {
    const { target = '', base = '', mode, empty, brake, narrow = '' } = this.#p;
    const isIncremental = mode === 'incremental';
    const isBased = isIncremental || narrow !== '';
    const commands: (readonly [command: string, missing: string])[] = [
      [`bucket info ${this.#replica}`, 'replica-missing'],
      [`snapshot list --all -p ${target} ${this.#replica}`, 'replica-missing'],
      [`bucket info ${this.#source}`, 'source-missing'],
      [`snapshot info ${this.#source} ${target}`, 'target-missing'],
    ];
    if (isBased)
      commands.push(
        [`snapshot info ${this.#replica} ${base}`, 'base-missing'],
        [`snapshot info ${this.#source} ${base}`, 'base-missing'],
      );
    const [temporary = '', temporaryId] = narrow.split('=');
    if (narrow) commands.push([`snapshot info ${this.#replica} ${temporary}`, 'temporary-missing']);
    const claimed = commands.length;
    if (empty === 'yes') commands.push([`key list -l 1 ${this.#replica}`, 'replica-missing']);
    const listed = commands.length;
    if (!isIncremental && `${brake}${narrow}` !== '')
      commands.push(
        [`key list --all ${this.#replica}`, 'replica-missing'],
        [`key list --all -p .snapshot/${target}/ ${this.#source}`, 'target-missing'],
      );
    const sides = commands.length > listed;
    if (isBased) commands.push([this.#reportCommand(), 'diff-unknown']);
    const { failedAt, sections, code } = this.#run(...commands.map(([command]) => command));
    if (failedAt > 0 && !(isBased && code === 'unknown-option')) this.#stopUnchanged(commands[failedAt - 1]?.[1] ?? '');

    const replica = this.#checkReplicaBucket(sections);
    const source = bucketOf(sections[2]) ?? unreadable('bucket info of the source');
    if (!isCopyable(source.layout))
      refuse('layout', `the source has the layout ${source.layout}, which distcp cannot read`);
    requireSnapshot(sections[3], this.#p.targetId, 'target');
    if (isBased) {
      requireSnapshot(sections[4], this.#p.baseReplicaId, 'base');
      requireSnapshot(sections[5], this.#p.baseSourceId, 'base');
    }
    if (narrow) requireSnapshot(sections[6], temporaryId, 'temporary');
    if (empty === 'yes') this.#claim(sections[claimed] ?? '', replica);
    const lists = sides ? this.#readSides(sections.slice(listed)) : undefined;
    if (isBased) this.#requireDiff(sections[commands.length - 1]);
    if (brake && isIncremental) this.#countDifference();
    else if (brake && lists) this.#countExtra(lists);
    if (narrow && lists) this.#plan = this.#planUnits(lists, temporary);
  }

  #countDifference(): void {
    let deletes = 0;
    let renames = 0;
    const entries: (readonly [kind: string, path: string])[] = [];
    for (;;) {
      const { kinds, sources, changes, token } = this.#page;
      entries.push(...sources);
      deletes += kinds.filter((kind) => kind === '-').length;
      // Of a file of which only the time was set Ozone says that it was renamed to where it is.
      renames += changes.filter(({ kind, path, to }) => kind === 'R' && path !== to).length;
      const complete = token === undefined || !['-', 'R'].includes(kinds.at(-1) ?? '');
      this.#brake(deletes, renames, complete);
      if (complete) break;
      this.#nextPage(token);
    }
    this.#brake(deletes + this.#countBelow(entries), renames, true);
  }

  /** What lies below the directories that are gone. */
  #countBelow(entries: readonly (readonly [kind: string, path: string])[]): number {
    const there = new Set(entries.flatMap(([kind, path]) => (kind === '+' ? [path] : [])));
    const root = `ofs://${this.#p.source}/.snapshot/${this.#p.base}/`;
    const gone = new Set(
      entries.flatMap(([kind, path]) => (kind === '-' && !there.has(path) ? [path.replace(/\/$/, '')] : [])),
    );
    const isBelowOther = (path: string): boolean => {
      for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1))
        if (gone.has(path.slice(0, at))) return true;
      return false;
    };
    const tops = [...gone]
      .filter((path) => !isBelowOther(path))
      .map((path) => `${root}${pattern(path.slice('./'.length))}`);
    // What the report names itself is counted already.
    let below = -gone.size;
    for (let at = 0; at < tops.length && below <= Number(this.#p.brake); at += 500) {
      const words = tops.slice(at, at + 500);
      const { exit, stdout, stderr } = this.#start('hadoop', () =>
        this.#options.ozone.run('hadoop', ['fs', ...clientProperties, '-count', ...words]),
      );
      this.#batch = { sections: [], failedAt: 1, error: stderr, code: classify(exit, stderr) };
      if (exit !== 0) this.#stopUnchanged('base-missing');
      below += stdout
        .split('\n')
        .filter((line) => line !== '')
        .reduce((sum, line) => {
          const [dirs, files] = line.trim().split(/\s+/);
          return sum + Number(dirs) + Number(files);
        }, 0);
    }
    return gone.size === 0 ? 0 : below;
  }

  #nextPage(token: string | undefined): void {
    if (this.#run(this.#reportCommand(token)).failedAt > 0) this.#stopUnchanged('diff-unknown');
    this.#readReport(this.#batch.sections[0]);
  }

  #readSides([live, frozen]: readonly string[]): Sides {
    return {
      replica: listing(live, '')?.entries ?? unreadable('key list of the replica'),
      target: listing(frozen, `.snapshot/${this.#p.target}/`)?.entries ?? unreadable('key list of the source'),
    };
  }

  #countExtra({ replica, target }: Sides): void {
    const extra = [...replica].filter(
      ([path, entry]) => !path.startsWith('.distcp.') && typeOf(target.get(path)) !== typeOf(entry),
    );
    this.#brake(extra.length, 0, true);
  }

  /** `plan_units` of the script. */
  #planUnits({ replica, target }: Sides, temporary: string): Plan {
    const changed = new Set<string>();
    this.#readChanges(changed);
    this.#reportOf = { side: 'replica', to: temporary };
    this.#diff = undefined;
    if (this.#run(this.#reportCommand()).failedAt > 0) this.#stopUnchanged('diff-unknown');
    this.#requireDiff(this.#batch.sections[0]);
    this.#readChanges(changed);

    const parents = new Set([...changed].map((path) => path.replace(/\/[^/]*$/, '')));
    const units = [...parents].filter((path) => !isBelow(path, parents)).sort();
    const tops = new Set(units);
    const paths = [...new Set([...replica.keys(), ...target.keys()])].sort();
    const elsewhere = paths.filter(
      (path) => replica.get(path) !== target.get(path) && !tops.has(path) && !isBelow(path, tops),
    ).length;
    if (elsewhere > 0) tooWide(`${elsewhere} paths differ that are in no report`);
    if (units.length > MOST_UNITS) tooWide(`${units.length} places changed`);
    const there = (side: ReadonlyMap<string, string>) => (path: string) => typeOf(side.get(path));
    const [inTarget, inReplica] = [there(target), there(replica)];
    const removed = [
      ...paths.filter((path) => replica.has(path) && target.has(path) && inReplica(path) !== inTarget(path)),
      ...units.filter((path) => replica.has(path) && !target.has(path)),
    ];
    const files = units.filter((path) => inTarget(path) === 'f');
    const directories = units.filter((path) => inTarget(path) === 'd');
    if (removed.length > MOST_REMOVED) tooWide(`more than ${MOST_REMOVED} paths have to be removed one by one`);
    if (
      [...units, ...removed].some((path) => /(^|\/)\.{0,2}(\/|$)|(^|[^\\])(\\\\)*\\[^"\\]/.test(path)) ||
      files.some((path) => path.includes('/')) ||
      directories.some((path) => /[\][*?{}$]|\\\\/.test(path))
    )
      tooWide('a name among what changed cannot be passed on safely');
    return {
      units: units.length,
      removed: removed.map(named),
      created: directories.filter((path) => inReplica(path) !== 'd').map(named),
      directories: directories.map(named),
      files: files.map(named),
    };
  }

  #readChanges(changed: Set<string>): void {
    const { side } = this.#reportOf;
    for (let pages = 1; ; pages += 1) {
      const { paths, token } = this.#page;
      for (const path of paths) changed.add(escaped(path.slice('./'.length).replace(/\/$/, '')));
      if (new Set([...changed].map((path) => path.split('/')[0])).size > MOST_UNITS)
        tooWide(`more than ${MOST_UNITS} entries of the root changed`);
      if (token === undefined) return;
      if (pages >= MOST_PAGES) tooWide(`the report of the ${side} has more than ${MOST_PAGES} pages`);
      this.#nextPage(token);
    }
  }

  #brake(deletes: number, renames: number, complete: boolean): void {
    this.#removals = { deletes, renames, complete };
    if (deletes + renames <= Number(this.#p.brake)) return;
    const least = complete ? '' : 'at least ';
    throw new Finish(
      'refused',
      'anomalous-change',
      `the copy would delete ${least}${deletes} and rename ${least}${renames} paths of ${this.#p.replica}: more than ${this.#p.brake}`,
      this.#replicateData(null, ''),
    );
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
    const { side, to } = this.#reportOf;
    if (status === 'pending') refuse('diff-pending', `the difference on the ${side} is still being computed`);
    if (['failed', 'rejected', 'cancelled'].includes(status))
      refuse('diff-failed', `the difference on the ${side} is ${status}: ${JSON.stringify(reason)}`);
    refuse(
      'diff-unknown',
      `no finished difference from ${this.#p.base} to ${to || this.#p.target} on the ${side}: ${status || this.#batch.error}`,
    );
  }

  #copyWhole(): void {
    const { mode, base = '', target = '', source, replica } = this.#p;
    if (mode === 'incremental')
      this.#distcp(
        ['-D', 'distcp.diff.copy.listing.traverse.directory=false', '-update', '-diff', base, target],
        [`ofs://${source}`, `ofs://${replica}`],
      );
    else this.#distcp(['-update', '-delete'], [`ofs://${source}/.snapshot/${target}`, `ofs://${replica}`]);
  }

  #copyUnits({ removed, created, directories, files }: Plan): void {
    const from = `ofs://${this.#p.source}/.snapshot/${this.#p.target}`;
    const to = `ofs://${this.#p.replica}`;
    this.#copy = { mode: this.#p.mode, exit: 0, seconds: 0, ...this.#counters };
    const inReplica = (path: string) => `${to}/${pattern(path)}`;
    if (removed.length > 0) this.#step('fs', ['-rm', '-r', '-f', '-skipTrash', ...removed.map(inReplica)]);
    if (created.length > 0) this.#step('fs', ['-mkdir', '-p', ...created.map(inReplica)]);
    for (const path of directories) this.#distcp(['-update', '-delete'], [`${from}/${path}`, `${to}/${path}`]);
    if (files.length > 0) this.#distcp(['-update'], [...files.map((path) => `${from}/${pattern(path)}`), to]);
  }

  #distcp(options: readonly string[], paths: readonly string[]): void {
    const bandwidth = Number(this.#p.bandwidth);
    this.#step('distcp', [
      '-D',
      `mapreduce.job.tags=${this.#p.operation}`,
      ...options,
      '-direct',
      '-m',
      `${Number(this.#p.maps)}`,
      ...(bandwidth === 0 ? [] : ['-bandwidth', `${bandwidth}`]),
      ...paths,
    ]);
  }

  #step(command: 'distcp' | 'fs', words: readonly string[]): void {
    const { mode, base = '', replica } = this.#p;
    const { exit, stdout, stderr } = this.#start('hadoop', () =>
      this.#options.ozone.run('hadoop', [command, ...clientProperties, ...words]),
    );
    const log = `${stderr}${stdout}`;
    this.#counters = sum(this.#counters, countersOf(log));
    this.#copy = {
      ...(mode ? { mode } : {}),
      exit,
      seconds: exit === 124 ? Number(this.#p.copySeconds) : 0,
      ...this.#counters,
    };
    const isDone = command === 'fs' || (this.#counters.filesFailed === 0 && / completed successfully$/m.test(log));
    if (exit === 0 && isDone) return;
    const program = command === 'fs' ? 'hadoop fs' : 'distcp';
    const failed = (code: string, message: string): never => {
      const lines = log.replace(/\n$/, '').split('\n').slice(-40).join('\n');
      throw new Finish('failed', code, message, this.#copyData(printable(lines.slice(-4000))));
    };
    if (exit === 124) failed('copy-timeout', `${program} did not end within ${this.#p.copySeconds} s`);
    if (exit === 25 && log.includes('The target has been modified since snapshot'))
      failed('target-modified', `somebody wrote into ${replica} since ${base}`);
    if (log.includes('TOO_MANY_SNAPSHOTS')) failed('snapshot-limit', /Snapshot limit of .*/.exec(log)?.[0] ?? '');
    failed('copy-failed', `${program} ended with exit code ${exit}`);
  }

  #copyData(log: string): object {
    return this.#p.verb === 'restore' ? { copy: this.#copy, log } : this.#replicateData(null, log);
  }

  #replicateData(seal: object | null, log: string) {
    const diff = this.#p.mode === 'incremental' ? this.#diff : undefined;
    return {
      copy: this.#copy,
      diffStatus: diff?.status ?? null,
      diffEmpty: diff?.empty ?? null,
      seal,
      log,
      removals: this.#removals,
      units: this.#plan?.units ?? null,
      holder: null,
      detached: false,
    };
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

  // ---------------------------------------------------------------- seal-unchanged

  #sealUnchanged(): never {
    const { target = '', base = '', replica, targetId, baseSourceId, baseReplicaId } = this.#p;
    const holder = this.#inBatch?.holder;
    if (!this.#inBatch) this.#lock();
    if (holder) refuse('bucket-busy', `a copy into ${replica} is running on this host: ${holder}`);
    this.#checkFence();
    this.#bucket.fence = Number(this.#p.fence);
    const info = (side: string, name: string) => `snapshot info ${side} ${name}`;
    const list = (side: string, name: string) => `key list --all -p .snapshot/${name}/ ${side}`;
    const commands: (readonly [command: string, missing: string])[] = [
      [`bucket info ${this.#replica}`, 'replica-missing'],
      [`snapshot list --all -p ${target} ${this.#replica}`, 'replica-missing'],
      [info(this.#replica, base), 'base-missing'],
      [`bucket info ${this.#source}`, 'source-missing'],
      [info(this.#source, target), 'target-missing'],
      [info(this.#source, base), 'base-missing'],
      [list(this.#source, base), 'base-missing'],
      [list(this.#source, target), 'target-missing'],
      [list(this.#replica, base), 'base-missing'],
      [`key list --all ${this.#replica}`, 'replica-missing'],
    ];
    const { failedAt, sections } = this.#run(...commands.map(([command]) => command));
    if (failedAt > 0) this.#stopUnchanged(commands[failedAt - 1]?.[1] ?? '');
    this.#checkReplicaBucket(sections);
    requireSnapshot(sections[2], baseReplicaId, 'base');
    if (!bucketOf(sections[3])) unreadable('bucket info of the source');
    requireSnapshot(sections[4], targetId, 'target');
    requireSnapshot(sections[5], baseSourceId, 'base');
    const then = listing(sections[6], `.snapshot/${base}/`) ?? unreadable('key list of the base');
    const now = listing(sections[7], `.snapshot/${target}/`) ?? unreadable('key list of the source');
    if (!isSame(then, now))
      throw new Finish('ok', '', '', { unchanged: false, seal: null, summary: summary(now.entries) });
    const copied = listing(sections[8], `.snapshot/${base}/`) ?? unreadable('key list of the base of the replica');
    const live = listing(sections[9], '') ?? unreadable('key list of the replica');
    if (!isSame(live, copied)) refuse('replica-modified', `somebody wrote into ${replica} since ${base}`);
    if (differences(copied.entries, then.entries).length > 0)
      refuse('base-differs', `${base} is not the same on both sides`);

    const sealed = this.#run(
      `snapshot create ${this.#replica} ${target}`,
      info(this.#replica, target),
      list(this.#replica, target),
    );
    const seal = sealed.failedAt === 0 ? snapshotOf(sealed.sections[1]) : undefined;
    if (!seal)
      throw new Finish(
        'failed',
        sealed.code === 'snapshot-limit' ? sealed.code : 'seal-failed',
        `sealing failed: ${sealed.error}`,
      );
    const frozen = listing(sealed.sections[2], `.snapshot/${target}/`);
    if (!frozen)
      throw new Finish('failed', 'unreadable', 'the seal could not be listed: the output was not understood');
    if (!isSame(frozen, copied))
      throw new Finish('failed', 'replica-modified', `somebody wrote into ${replica} while it was sealed`);
    throw new Finish('ok', '', '', { unchanged: true, seal, summary: summary(now.entries) });
  }

  // ---------------------------------------------------------------- verify

  #verify(): never {
    const { target = '', targetId, sealId, level = '', baseSourceId } = this.#p;
    const prefix = `.snapshot/${target}/`;
    const base = level === 'changed' || level === 'rolling' ? (this.#p.base ?? '') : '';
    const { failedAt, sections } = this.#run(
      `snapshot info ${this.#source} ${target}`,
      `snapshot info ${this.#replica} ${target}`,
      `key list --all -p ${prefix} ${this.#source}`,
      `key list --all -p ${prefix} ${this.#replica}`,
      ...(base
        ? [`snapshot info ${this.#source} ${base}`, `key list --all -p .snapshot/${base}/ ${this.#source}`]
        : []),
    );
    if (failedAt > 0)
      this.#stopUnchanged(failedAt > 4 ? 'base-missing' : failedAt % 2 === 1 ? 'target-missing' : 'seal-missing');
    requireSnapshot(sections[0], targetId, 'target');
    requireSnapshot(sections[1], sealId, 'seal');
    if (base) requireSnapshot(sections[4], baseSourceId, 'base');
    const source = listing(sections[2], prefix) ?? unreadable('key list of the source');
    const replica = listing(sections[3], prefix) ?? unreadable('key list of the replica');
    const before = base
      ? (listing(sections[5], `.snapshot/${base}/`)?.times ?? unreadable('key list of the base'))
      : undefined;
    const listed = differences(source.entries, replica.entries);
    const sums =
      level === 'listing' || listed.length > 0 ? undefined : this.#checksums(this.#toCompare(source.times, before));
    const differing = [...(sums ?? [])].filter(([, [left, right]]) => left !== right);
    const all = [...listed, ...differing.map(([path, [left, right]]) => [path, `c\t${left}`, `c\t${right}`] as const)];
    throw new Finish('ok', '', '', {
      level,
      equal: all.length === 0,
      source: summary(source.entries),
      replica: summary(replica.entries),
      checksums: level === 'listing' ? null : { compared: sums?.size ?? 0, differ: differing.length },
      onlySource: all.filter(([, , right]) => right === undefined).length,
      onlyReplica: all.filter(([, left]) => left === undefined).length,
      changed: all.filter(([, left, right]) => left !== undefined && right !== undefined).length,
      first: all
        .slice(0, 20)
        .map(([path, left, right]) => ({ path: cut(path), source: shown(left), replica: shown(right) })),
    });
  }

  /** Paths of the files to compare, sorted: all of them, or those that are not in the base as they are now, and the part. */
  #toCompare(times: ReadonlyMap<string, string>, base: ReadonlyMap<string, string> | undefined): readonly string[] {
    const part = Number(this.#p.part);
    const parts = Number(this.#p.parts);
    return [...times]
      .filter(
        ([path, time]) =>
          !base || base.get(path) !== time || (this.#p.level === 'rolling' && hashOf(path) % parts === part - 1),
      )
      .map(([path]) => path)
      .sort();
  }

  /** The checksums of both sides by path, in batches that fit on a command line. */
  #checksums(
    paths: readonly string[],
    right = `ofs://${this.#p.replica}/.snapshot/${this.#p.target}/`,
  ): ReadonlyMap<string, readonly [source: string, replica: string]> {
    const left = `ofs://${this.#p.source}/.snapshot/${this.#p.target}/`;
    const sums = new Map<string, readonly [string, string]>();
    for (const batch of batchesOf(paths, left, right)) {
      const { exit, stdout, stderr } = this.#start('hadoop', () =>
        this.#options.ozone.run('hadoop', [
          ...['fs', ...clientProperties, '-checksum'],
          ...batch.flatMap((path) => [`${left}${pattern(named(path))}`, `${right}${pattern(named(path))}`]),
        ]),
      );
      const printed = checksumsOf(stdout);
      const read = batch.map((path): readonly [string, readonly (string | undefined)[]] => [
        path,
        [printed.get(`${left}${named(path)}`), printed.get(`${right}${named(path)}`)],
      ]);
      for (const [path, [source, replica]] of read) {
        if (exit !== 0 || source === undefined || replica === undefined) return this.#checksumsFailed(exit, stderr);
        sums.set(path, [source, replica]);
      }
    }
    const kinds = [...sums.values()]
      .map(([source, replica]) => [source, replica].map((it) => it.split(' ')[0]))
      .find(([source, replica]) => source !== replica);
    if (kinds)
      refuse(
        'unreadable',
        `checksums of different kinds cannot be compared: ${kinds.join(' and ')}; ozone.client.checksum.type and combine.mode must agree`,
      );
    return sums;
  }

  #checksumsFailed(exit: number, stderr: string): never {
    const told = stderr.split('\n').filter((line) => /^-?checksum: /.test(line));
    const error =
      told.length === 0
        ? 'hadoop fs -checksum did not answer for every path'
        : Buffer.from(told.join('\n')).subarray(0, 1000).toString();
    this.#batch = { sections: [], failedAt: 1, error, code: classify(exit, error) };
    return this.#stopUnchanged('unreadable');
  }

  // ---------------------------------------------------------------- buckets

  #buckets(): never {
    const service = `o3://${(this.#p.source ?? '').split('/')[0]}`;
    if (this.#run(`volume list --all ${service}`).failedAt > 0) this.#stopUnchanged('unreadable');
    const listed = namesListed(this.#batch.sections[0]) ?? unreadable('volume list');
    const globs = (this.#p.globs ?? '').split(',').map((glob) => shellPattern(glob.split('/')[0] ?? ''));
    const volumes = listed.map(({ name }) => name).filter((name) => globs.some((glob) => glob.test(name)));
    if (volumes.length === 0) throw new Finish('ok', '', '', { volumes: 0, buckets: [] });
    if (this.#run(...volumes.map((volume) => `bucket list --all ${service}/${volume}`)).failedAt > 0)
      this.#stopUnchanged('unreadable');
    const buckets = volumes.flatMap((volume, n) =>
      (namesListed(this.#batch.sections[n]) ?? unreadable('bucket list')).flatMap(({ name, link }) =>
        link ? [] : [`${volume}/${name}`],
      ),
    );
    throw new Finish('ok', '', '', { volumes: volumes.length, buckets });
  }

  // ---------------------------------------------------------------- versions and changes

  #fs(...words: readonly string[]) {
    return this.#start('hadoop', () => this.#options.ozone.run('hadoop', ['fs', ...clientProperties, ...words]));
  }

  #versions(): never {
    const root = `ofs://${this.#p.source}/.snapshot/`;
    const path = pathOf(this.#p.path64 ?? '') ?? '';
    const points = (this.#p.points ?? '').split(',').map((item) => {
      const [name = '', id = ''] = item.split('=');
      return { name, id, word: `${root}${name}/${pattern(path)}`, uri: `${root}${name}/${path}` };
    });
    const stat = this.#fs('-stat', '%b %Y %F', ...points.map(({ word }) => word));
    const told = stat.stderr.split('\n').filter((line) => /^-?stat: /.test(line));
    const answers = stat.stdout.split('\n').slice(0, -1);
    const missing = new Set(told);
    const places = points.map((point) => {
      if (missing.has(`stat: \`${point.uri}': No such file or directory`))
        return { ...point, state: 'absent', bytes: null, modified: null };
      const [, bytes, modified, type] = /^(\d+) (\d+) (directory|regular file)$/.exec(answers.shift() ?? '') ?? [];
      if (type === undefined) return this.#notLocated(stat);
      const isFile = type === 'regular file';
      return {
        ...point,
        state: isFile ? 'file' : type,
        bytes: isFile ? Number(bytes) : null,
        modified: Number(modified),
      };
    });
    const gone = places.filter(({ state }) => state === 'absent').length;
    if (answers.length > 0 || gone !== told.length || stat.exit !== (gone > 0 ? 1 : 0)) this.#notLocated(stat);
    const files = places.filter(({ state }) => state === 'file').map(({ word }) => word);
    const summed = files.length > 0 ? this.#fs('-checksum', ...files) : undefined;
    if (summed && summed.exit >= 124) this.#notLocated(summed);
    const sums = checksumsOf(summed?.stdout ?? '');
    if (this.#run(`snapshot list --all -p odr- ${this.#source}`).failedAt > 0) this.#stopUnchanged('source-missing');
    const listed = snapshotsOf(this.#batch.sections[0]) ?? unreadable('snapshot list');
    const versions = places.map(({ name, id, uri, state, bytes, modified }) =>
      listed.some((it) => it.name === name && it.id === id && it.status === 'ACTIVE')
        ? { name, id, state, bytes, modified, checksum: (state === 'file' && sums.get(uri)) || null }
        : { name, id, state: 'no-snapshot', bytes: null, modified: null, checksum: null },
    );
    throw new Finish('ok', '', '', { versions });
  }

  #notLocated({ exit, stderr }: { readonly exit: number; readonly stderr: string }): never {
    const told = stderr
      .split('\n')
      .filter((line) => /^-?(stat|checksum): /.test(line) && !line.endsWith(': No such file or directory'));
    const error = Buffer.from(told.join('\n')).subarray(0, 1000).toString();
    if (error.includes('has layout: OBJECT_STORE')) refuse('layout', error);
    const said = error || `hadoop fs ended with exit code ${exit} and an answer that does not fit the question`;
    this.#batch = { sections: [], failedAt: 1, error: said, code: classify(exit, said) };
    return this.#stopUnchanged('unreadable');
  }

  #changes(): never {
    const { base, target, token } = this.#p;
    const info = (name: string | undefined) => `snapshot info ${this.#source} ${name}`;
    const { failedAt, code, error, sections } = this.#run(info(base), info(target), this.#reportCommand(token));
    if (failedAt === 1 || failedAt === 2) {
      if (code === 'snapshot-missing') refuse(failedAt === 1 ? 'base-missing' : 'target-missing', error);
      this.#stopUnchanged('source-missing');
    }
    requireSnapshot(sections[0], this.#p.baseSourceId, 'base');
    requireSnapshot(sections[1], this.#p.targetId, 'target');
    if (failedAt > 0 && /Token .* has invalid /.test(error)) refuse('token-refused', error);
    if (failedAt === 0) this.#readReport(sections[2]);
    const { status, empty, reason } = this.#submitMissing();
    const { changes, token: next } = this.#page;
    throw new Finish('ok', '', '', {
      status: status === 'done' && empty === null ? 'pending' : status,
      reason,
      entries: empty === null ? [] : changes,
      next: empty === null ? null : (next ?? null),
    });
  }

  // ---------------------------------------------------------------- examine and compare

  /** `read_selection` of the script. @returns its lines; undefined for the whole bucket */
  #readSelection(): readonly string[] | undefined {
    const { selection, selectionUrl = '', since } = this.#p;
    if (since) return this.#selectChanged(since);
    if (!selection) return undefined;
    const text = this.#options.selectionAt?.(selectionUrl);
    if (text === undefined)
      return refuse('selection-unreadable', 'the selection could not be fetched: curl ended with exit code 22');
    if (createHash('sha256').update(text).digest('hex') !== selection)
      refuse('selection-other', `what was fetched as the selection does not have the hash ${selection}`);
    if (!text.endsWith('\n')) refuse('selection-unsafe', 'the selection is empty, or its last line has no end');
    const lines = Buffer.from(text).toString('latin1').slice(0, -1).split('\n');
    const unsafe = unsafeLine(lines);
    if (unsafe) refuse('selection-unsafe', `line ${unsafe} of the selection is no path within a bucket`);
    return lines;
  }

  /** `select_changed` of the script. */
  #selectChanged(since: string): readonly string[] {
    const { target = '', sinceId, targetId } = this.#p;
    const { failedAt, sections } = this.#run(
      `bucket info ${this.#source}`,
      `snapshot info ${this.#source} ${since}`,
      `snapshot info ${this.#source} ${target}`,
      `key list --all -p .snapshot/${since}/ ${this.#source}`,
      `key list --all -p .snapshot/${target}/ ${this.#source}`,
    );
    const missing = ['source', 'since', 'target', 'since', 'target'];
    if (failedAt > 0) this.#stopUnchanged(`${missing[failedAt - 1]}-missing`);
    requireSnapshot(sections[1], sinceId, 'since');
    requireSnapshot(sections[2], targetId, 'target');
    const before = listing(sections[3], `.snapshot/${since}/`) ?? unreadable('key list since then');
    const now = listing(sections[4], `.snapshot/${target}/`) ?? unreadable('key list of the point');
    return changedSince(before, now).map((path) => `l\t${path}`);
  }

  /** `point_commands` of the script, run. */
  #lookAtPoint(lines: readonly string[] | undefined): void {
    const at = lines ? listAt(lines) : '';
    this.#run(
      `bucket info ${this.#source}`,
      `snapshot info ${this.#source} ${this.#p.target}`,
      `key list --all -p .snapshot/${this.#p.target}/${at} ${this.#source}`,
      `bucket info ${this.#replica}`,
      `key list --all ${at === '' ? '' : `-p ${at} `}${this.#replica}`,
    );
  }

  #readPoint(lines: readonly string[] | undefined) {
    const all =
      listing(this.#batch.sections[2], `.snapshot/${this.#p.target}/`)?.entries ?? unreadable('key list of the point');
    return { all, ...selected(all, lines) };
  }

  /** Undefined when it is not readable. */
  #readTarget(lines: readonly string[] | undefined): { readonly all: Entries; readonly chosen: Entries } | undefined {
    const all = listing(this.#batch.sections[4], '')?.entries;
    return all && { all, chosen: selected(all, lines).chosen };
  }

  #requireMatched(unmatched: readonly string[], lines: readonly string[] | undefined): void {
    const { since, target } = this.#p;
    const [first] = unmatched;
    if (since && lines?.length === 0) refuse('nothing-changed', `nothing changed from ${since} to ${target}`);
    if (first !== undefined)
      refuse(
        'selection-unmatched',
        `${unmatched.length} lines of the selection name nothing in the point, the first is ${first.slice(2, 202)}`,
      );
  }

  #requireTargetBucket(section: string | undefined) {
    const { targetCreated, replica } = this.#p;
    const bucket = bucketOf(section) ?? unreadable('bucket info of the target');
    if (targetCreated && bucket.created !== targetCreated)
      refuse('bucket-other', `the bucket ${replica} was created at ${bucket.created}, expected ${targetCreated}`);
    return bucket;
  }

  #examine(): never {
    const lines = this.#readSelection();
    this.#lookAtPoint(lines);
    const { failedAt, sections } = this.#batch;
    if (failedAt > 0 && failedAt <= 3) this.#stopUnchanged(MISSING_OF_POINT[failedAt - 1] ?? '');
    const source = bucketOf(sections[0]) ?? unreadable('bucket info of the source');
    requireSnapshot(sections[1], this.#p.targetId, 'target');
    const { chosen, unmatched } = this.#readPoint(lines);
    const bucket = bucketOf(sections[3]);
    const target = failedAt > 0 ? undefined : bucket && this.#readTarget(lines);
    throw new Finish('ok', '', '', {
      source: { ...source, acls: null },
      point: summary(chosen),
      unmatched: {
        count: unmatched.length,
        first: unmatched
          .slice(0, 20)
          .map((line) =>
            line.startsWith('l') ? named(line.slice(2)) : Buffer.from(line.slice(2), 'latin1').toString(),
          ),
      },
      target:
        bucket && target
          ? { state: 'read', bucket: { ...bucket, acls: null }, ...conflictsOf(chosen, target) }
          : failedAt > 0
            ? notRead(this.#batch)
            : notRead({ code: 'unreadable', error: 'the output of ozone sh was not understood' }),
    });
  }

  // ---------------------------------------------------------------- divergence

  /** What both sides have changed since they were equal: the source in frozen snapshots, the replica live. */
  #divergence(): never {
    const { base = '', target = '', since = '' } = this.#p;
    const { failedAt, sections } = this.#run(
      `bucket info ${this.#source}`,
      `snapshot info ${this.#source} ${base}`,
      `snapshot info ${this.#source} ${target}`,
      `key list --all -p .snapshot/${base}/ ${this.#source}`,
      `key list --all -p .snapshot/${target}/ ${this.#source}`,
      `bucket info ${this.#replica}`,
      `snapshot info ${this.#replica} ${since}`,
      `key list --all -p .snapshot/${since}/ ${this.#replica}`,
      `key list --all ${this.#replica}`,
    );
    const missing = ['source', 'base', 'target', 'base', 'target', 'replica', 'since', 'since', 'replica'];
    if (failedAt > 0) this.#stopUnchanged(`${missing[failedAt - 1]}-missing`);
    requireSnapshot(sections[1], this.#p.baseSourceId, 'base');
    requireSnapshot(sections[2], this.#p.targetId, 'target');
    requireSnapshot(sections[6], this.#p.sinceId, 'since');
    const timesOf = (n: number, prefix: string, what: string) =>
      listing(sections[n], prefix)?.times ?? unreadable(`key list of ${what}`);
    const source = differences(
      timesOf(3, `.snapshot/${base}/`, 'the base'),
      timesOf(4, `.snapshot/${target}/`, 'the target'),
    );
    const replica = differences(timesOf(7, `.snapshot/${since}/`, 'the replica since'), timesOf(8, '', 'the replica'));
    const here = new Set(source.map(([path]) => path));
    const both = replica.map(([path]) => path).filter((path) => here.has(path));
    throw new Finish('ok', '', '', {
      source: parted(source),
      replica: parted(replica),
      both: { paths: both.length, first: both.slice(0, 20).map(cut) },
    });
  }

  #compare(): never {
    const { level, exact } = this.#p;
    const lines = this.#readSelection();
    this.#lookAtPoint(lines);
    const { failedAt, sections } = this.#batch;
    if (failedAt > 0) this.#stopUnchanged(MISSING_OF_POINT[failedAt - 1] ?? '');
    requireSnapshot(sections[1], this.#p.targetId, 'target');
    this.#requireTargetBucket(sections[3]);
    const { chosen: left, unmatched } = this.#readPoint(lines);
    this.#requireMatched(unmatched, lines);
    const right = this.#readTarget(lines)?.chosen ?? unreadable('key list of the target');
    const same = [...left].filter(([path, entry]) => right.get(path) === entry && entry.startsWith('f'));
    const sums =
      level === 'full'
        ? this.#checksums(
            same.map(([path]) => path),
            `ofs://${this.#p.replica}/`,
          )
        : undefined;
    const differing = [...(sums ?? [])].filter(([, [one, other]]) => one !== other);
    const all = [
      ...differences(left, right),
      ...differing.map(([path, [one, other]]) => [path, `c\t${one}`, `c\t${other}`] as const),
    ].sort(([one], [other]) => (one < other ? -1 : 1));
    const extra = all.filter(([, point]) => point === undefined);
    const isTolerated = exact === 'no';
    throw new Finish('ok', '', '', {
      level,
      equal: all.length === (isTolerated ? extra.length : 0),
      point: summary(left),
      target: summary(right),
      checksums: sums ? { compared: sums.size, differ: differing.length } : null,
      missing: all.filter(([, , there]) => there === undefined).length,
      extra: extra.length,
      changed: all.filter(([, point, there]) => point !== undefined && there !== undefined).length,
      first: all
        .filter(([, point]) => point !== undefined || !isTolerated)
        .slice(0, 20)
        .map(([path, point, there]) => ({ path: cut(path), source: shown(point), replica: shown(there) })),
    });
  }

  // ---------------------------------------------------------------- restore

  #restore(): never {
    const { overwrite = '', replica } = this.#p;
    this.#lock();
    this.#checkFence();
    const lines = this.#readSelection();
    this.#lookAtPoint(lines);
    const { failedAt, sections } = this.#batch;
    if (failedAt > 0) this.#stopUnchanged(MISSING_OF_POINT[failedAt - 1] ?? '');
    const source = bucketOf(sections[0]) ?? unreadable('bucket info of the source');
    this.#requireLayout(this.#p.source, source.layout, 'read');
    this.#requireLayout(replica, this.#requireTargetBucket(sections[3]).layout, 'write');
    requireSnapshot(sections[1], this.#p.targetId, 'target');
    const point = this.#readPoint(lines);
    this.#requireMatched(point.unmatched, lines);
    const target = this.#readTarget(lines) ?? unreadable('key list of the target');
    const keep = keptOf(overwrite, meet(point.chosen, target.all));
    const plan = planCopy(
      { overwrite, isDeletingExtra: this.#p.deleteExtra === 'yes', lines },
      keep,
      point.chosen,
      { left: point.all, right: target.all },
      (why) => refuse('selection-unsafe', why),
    );
    this.#bucket.fence = Number(this.#p.fence);
    this.#copy = { exit: 0, seconds: 0, ...this.#counters };
    if (plan.unit !== '' && typeOf(target.all.get(plan.unit)) !== 'd') this.#makeUnit(plan.unit);
    if (!plan.isEmpty || plan.isDeleting) this.#copySelected(plan, overwrite === 'never' || target.chosen.size === 0);
    throw new Finish('ok', '', '', this.#copyData(''));
  }

  #requireLayout(bucket: string | undefined, layout: string, what: string): void {
    const { source, replica, target } = this.#p;
    if (!isCopyable(layout))
      refuse(
        'layout',
        `the bucket ${bucket} has the layout ${layout}, which distcp cannot ${what}. By hand, key by key: ozone sh key get o3://${source}/.snapshot/${target}/<key> <file>, then ozone sh key put o3://${replica}/<key> <file>`,
      );
  }

  #makeUnit(unit: string): void {
    const { exit, stdout, stderr } = this.#start('hadoop', () =>
      this.#options.ozone.run('hadoop', [
        ...['fs', ...clientProperties, '-mkdir', '-p'],
        `ofs://${this.#p.replica}/${named(unit)}`,
      ]),
    );
    if (exit === 0) return;
    const log = `${stderr}${stdout}`;
    if (/already exists|ot a directory/.test(log))
      refuse('clash', `a directory above what is selected is a file at the target: ${log.trimEnd()}`);
    const code = classify(exit, log);
    if (AWAY.includes(code)) throw new Finish('unreachable', code, log);
    throw new Finish(
      'failed',
      'copy-failed',
      `the directory could not be made: hadoop fs ended with exit code ${exit}`,
      this.#copyData(printable(log)),
    );
  }

  #copySelected({ unit, way, sources, isDeleting, kept }: ReturnType<typeof planCopy>, keepsTimes: boolean): void {
    const { source, target, replica, overwrite } = this.#p;
    const below = unit === '' ? '' : `/${named(unit)}`;
    const root = `ofs://${source}/.snapshot/${target}${below}`;
    const from = { unit: [root], many: [`${root}/*`], named: sources.map((it) => `${root}/${pattern(named(it))}`) }[
      way
    ];
    const compared = overwrite === 'if-different' || (overwrite === 'never' && way === 'unit');
    const copy = (filter: readonly string[]): void =>
      this.#distcp(
        [
          ...(keepsTimes ? ['-pt'] : []),
          ...(overwrite === 'always' ? ['-overwrite'] : compared ? ['-update'] : []),
          ...(isDeleting ? ['-delete'] : []),
          ...filter,
        ],
        [...from, `ofs://${replica}${below}`],
      );
    if (!kept) {
      copy([]);
      return;
    }
    const folder = mkdtempSync(join(tmpdir(), 'in-process-edge-'));
    try {
      const file = join(folder, 'filter');
      const path = `/${(source ?? '').replace(/^[^/]*\//, '')}/.snapshot/${target}${below}/`;
      writeFileSync(file, filterOf(path, kept.map(named)));
      copy(['-filters', file]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  // ---------------------------------------------------------------- remove-scratch

  #removeScratch(): never {
    const bucket = this.#replica;
    this.#lock();
    const looked = this.#run(`bucket info ${bucket}`, `snapshot list --all ${bucket}`);
    if (looked.failedAt > 0) {
      if (['bucket-missing', 'volume-missing'].includes(looked.code))
        throw new Finish('ok', '', '', { removed: false });
      this.#stopUnchanged('bucket-missing');
    }
    this.#requireTargetBucket(looked.sections[0]);
    const listed = snapshotsOf(looked.sections[1]) ?? unreadable('snapshot list of the scratch bucket');
    const active = listed.filter(({ status }) => status === 'ACTIVE');
    const commands = [
      ...active.map(({ name }) => `snapshot delete ${bucket} ${name}`),
      `bucket delete -r --yes ${bucket}`,
      `bucket info ${bucket}`,
    ];
    const { failedAt, sections, code, error } = this.#run(...commands);
    if (failedAt === commands.length && code === 'bucket-missing') throw new Finish('ok', '', '', { removed: true });
    if (failedAt > 0 && failedAt !== commands.length) throw new Finish('failed', code, error);
    throw new Finish(
      'failed',
      'not-gone',
      `it is not proved that ${this.#p.replica} is gone: ${submissionText(sections[commands.length - 2])}`,
    );
  }

  // ---------------------------------------------------------------- restrict

  #restrict(): never {
    const { replica, acls } = this.#p;
    const bucket = this.#replica;
    const looked = this.#run(`bucket info ${bucket}`, `bucket getacl ${bucket}`);
    if (looked.failedAt > 0) this.#stopUnchanged('bucket-missing');
    this.#requireTargetBucket(looked.sections[0]);
    const before = aclEntriesOf(looked.sections[1]) ?? unreadable('bucket getacl');
    const wanted = acls ? [...new Set(acls.split(','))].sort() : readingOnly(before);
    const isSame = (some: readonly string[]) => some.join() === wanted.join();
    if (isSame(before)) throw new Finish('ok', '', '', { before, after: before });
    if (wanted.length === 0)
      refuse('acl-unusual', `nobody in the ACL of ${replica} may read or list: nothing would be left of it`);
    const { failedAt, sections, code, error } = this.#run(
      `bucket setacl -a ${wanted.join()} ${bucket}`,
      `bucket getacl ${bucket}`,
    );
    if (failedAt === 1 && NOTHING_DONE.includes(code)) this.#stopUnchanged('bucket-missing');
    if (failedAt > 0) throw new Finish('failed', code, error);
    const after = aclEntriesOf(sections[1]);
    if (!after)
      throw new Finish('failed', 'unreadable', 'the ACL could not be read back: the output was not understood');
    if (!isSame(after))
      throw new Finish('failed', 'acl-differs', `the ACL of ${replica} is not what was set: ${after.join()}`);
    throw new Finish('ok', '', '', { before, after });
  }

  // ---------------------------------------------------------------- create-bucket

  #createBucket(): never {
    const { replica = '', layout, replication = '', encryptionKey } = this.#p;
    const [type, kind] = replication.split('/');
    const [bytes, names] = [Number(this.#p.quotaBytes), Number(this.#p.quotaNamespace)];
    const create = [
      `bucket create -l ${layout}`,
      ...(replication ? [`-t ${type} -r ${kind}`] : []),
      ...(bytes > 0 ? [`--space-quota ${bytes}`] : []),
      ...(names > 0 ? [`--namespace-quota ${names}`] : []),
      ...(encryptionKey ? [`-k ${encryptionKey}`] : []),
      this.#replica,
    ].join(' ');
    const info = `bucket info ${this.#replica}`;
    const first = this.#run(create, info);
    const isThere = first.failedAt === 1 && first.code === 'exists';
    if (isThere) this.#run(info);
    else if (first.failedAt === 1 && first.code === 'volume-missing')
      this.#run(`volume create o3://${replica.replace(/\/[^/]*$/, '')}`, create, info);
    else if (first.failedAt === 1 && NOTHING_DONE.includes(first.code)) this.#stopUnchanged('volume-missing');
    const { failedAt, sections, error } = this.#batch;
    if (failedAt > 0) throw new Finish('failed', 'create-failed', error);
    const bucket = bucketOf(sections.at(-1));
    if (!bucket)
      throw new Finish('failed', 'unreadable', 'the bucket could not be read back: the output was not understood');
    throw new Finish('ok', '', '', { created: !isThere, bucket: { ...bucket, acls: null } });
  }

  // ---------------------------------------------------------------- doctor

  #doctor(): never {
    const observes = this.#options.document === 'observe';
    const serviceOf = (side: string | undefined) => side?.split('/')[0] ?? '';
    const { source, replica, buckets = '' } = this.#p;
    const asked = buckets.split(',');
    const left = this.#doctorCluster(serviceOf(source), asked, observes);
    const right = replica ? this.#doctorCluster(serviceOf(replica), asked, observes) : null;
    if (observes) this.jvmStarts += left.isAnySeen ? 4 : 3;
    throw new Finish('ok', '', '', {
      document: this.#options.document,
      missing: [],
      user: 'root',
      ticket: null,
      login: { keytab: null, problem: '' },
      locale: 'C.utf8',
      config: { path: '/etc/ozone-dr/host.conf', owner: 'root', mode: '644' },
      state: {
        folder: { path: '/var/lib/ozone-dr', owner: 'root', mode: '700' },
        writable: true,
        freeKB: 50_000_000,
        freeInodes: 1_000_000,
      },
      versions: observes
        ? { ozone: '2.2.0', hadoop: '3.4.3', java: '17.0.15' }
        : { ozone: null, hadoop: null, java: null },
      readsOfs: left.isAnySeen && observes ? true : null,
      may: null,
      ...this.#options.doctor,
      source: left.seen,
      replica: right?.seen ?? null,
    });
  }

  /** `cluster` of the script: each bucket that cannot be read costs one more JVM. */
  #doctorCluster(service: string, asked: readonly string[], observes: boolean) {
    const seen: object[] = [];
    let acls: readonly string[] | null = null;
    let between = '';
    let isAnySeen = false;
    for (let tries = 0; seen.length < asked.length && tries < 6; tries++) {
      const rest = asked.slice(seen.length);
      const commands = rest.flatMap((bucket) => [
        `bucket info o3://${service}/${bucket}`,
        `snapshot list --all o3://${service}/${bucket}`,
      ]);
      const acl = observes ? [`bucket getacl o3://${service}/${asked[0]}`] : [];
      const { failedAt, sections, code, error } = this.#run(...commands, ...acl);
      for (const [n, bucket] of rest.entries()) {
        if (failedAt === 2 * n + 1) {
          if (STATES[code] === 'unreachable')
            return {
              isAnySeen: false,
              seen: { service, state: 'not-answered', code, message: printable(error, 500) },
            };
          seen.push({ bucket, state: 'not-read', code, message: printable(error, 300) });
          break;
        }
        const { layout, link, owner, created } = bucketOf(sections[2 * n]) ?? unreadable('bucket info');
        const listed = failedAt === 2 * n + 2 ? undefined : snapshotsOf(sections[2 * n + 1]);
        const active = (listed ?? [])
          .filter((it) => it.status === 'ACTIVE')
          .sort((a, b) => b.created - a.created || (a.name < b.name ? 1 : -1));
        if (between === '' && active.length > 1) between = `${bucket} ${active[0]?.name} ${active.at(-1)?.name}`;
        const temporary = listed?.filter((it) => /^(temp[0-9a-f]{8}-|odr-tmp-)/.test(it.name)).length ?? null;
        isAnySeen = true;
        seen.push({
          bucket,
          state: 'read',
          layout,
          link,
          owner,
          created,
          snapshots: listed?.length ?? null,
          temporary,
        });
        if (failedAt === 2 * n + 2) break;
      }
      if (observes && failedAt === 0) acls = aclsOf(sections[commands.length]);
    }
    const diffWaitMs = observes && between !== '' ? this.#diffWait(service, between) : null;
    return { isAnySeen, seen: { service, state: 'read', buckets: seen, acls, volumeOwner: null, diffWaitMs } };
  }

  #diffWait(service: string, between: string): number | null {
    const [bucket, newer, older] = between.split(' ');
    const { failedAt, sections } = this.#run(
      `snapshot diff --get-report --json -p 1 o3://${service}/${bucket} ${newer} ${older}`,
    );
    const report = z.object({ jobStatus: z.literal('NOT_FOUND'), waitTimeInMs: z.number() });
    return (failedAt === 0 ? report.safeParse(jsonOf(sections[0])).data?.waitTimeInMs : undefined) ?? null;
  }

  // ---------------------------------------------------------------- tidy and delete

  #removeSnapshots(side: 'source' | 'replica', ...prefixes: readonly string[]): never {
    this.#lock();
    const bucket = `o3://${this.#p[side]}`;
    const lists = prefixes.map((prefix) => `snapshot list --all -p ${prefix} ${bucket}`);
    const listed = (first: number): readonly Seen[] | undefined => {
      const read = lists.map((_, n) => snapshotsOf(this.#batch.sections[first + n]));
      return read.every((it) => it !== undefined) ? read.flat() : undefined;
    };
    if (this.#run(...lists).failedAt > 0) this.#stopUnchanged(`${side}-missing`);
    const before = listed(0) ?? unreadable(`snapshot list of the ${side}`);
    const items = (this.#p.remove ?? '').split(',').map((item) => {
      const [name = '', id = ''] = item.split('=');
      return { name, id, why: becameOf({ name, id }, before) };
    });
    const changed = items.findLast(({ why }) => why !== '' && why !== 'deleted already');
    const asked = items.flatMap(({ name, id, why }) => (why === '' ? [{ name, id }] : []));
    const kept = items.filter(({ why }) => why !== '');
    if (this.#p.verb === 'delete' && changed)
      throw new Finish(
        'refused',
        'changed-meanwhile',
        `nothing was deleted: ${changed.name} is not there or another snapshot`,
        { removed: [], kept: [...kept, ...asked.map((item) => ({ ...item, why: 'not tried' }))] },
      );
    if (asked.length === 0) throw new Finish('ok', '', '', { removed: [], kept });

    const ran = this.#run(...asked.map(({ name }) => `snapshot delete ${bucket} ${name}`), ...lists);
    const stopped = ran.failedAt > 0 && ran.failedAt <= asked.length;
    if (stopped) this.#run(...lists);
    const after = this.#batch.failedAt > 0 ? undefined : listed(stopped ? 0 : asked.length);
    const ended = asked.map((item, n) => {
      const now = after ? becameOf(item, after) : 'not proved';
      const isGone = now === 'not there' || now === 'deleted already';
      const isTried = ran.failedAt === 0 || n + 1 < ran.failedAt;
      const why = isTried ? now || 'still there' : n + 1 === ran.failedAt ? ran.code : 'not tried';
      return { ...item, why: isGone ? '' : why };
    });
    const unproved = ended.findLast(({ why }) => why !== '');
    const data = {
      removed: ended.flatMap(({ name, id, why }) => (why === '' ? [{ name, id }] : [])),
      kept: [...kept, ...ended.filter(({ why }) => why !== '')],
    };
    if (ran.failedAt > 0) throw new Finish('failed', ran.code, ran.error, data);
    if (unproved)
      throw new Finish(
        'failed',
        'not-proved',
        `no deletion failed, but it is not proved that ${unproved.name} is gone`,
        data,
      );
    throw new Finish('ok', '', '', data);
  }
}

const STATES: Readonly<Record<string, string>> = {
  'bucket-missing': 'missing',
  'volume-missing': 'missing',
  timeout: 'unreachable',
  'unknown-host': 'unreachable',
  connection: 'unreachable',
  'no-kdc': 'unreachable',
  'permission-denied': 'denied',
  'no-ticket': 'denied',
};
const AWAY = ['timeout', 'unknown-host', 'connection', 'no-kdc'];
/** A command that ended so has changed nothing. */
const NOTHING_DONE = ['permission-denied', 'no-ticket', 'no-kdc', 'unknown-host', 'connection'];

/** `not_read` of the script. */
const notRead = ({ code, error }: Pick<Batch, 'code' | 'error'>): object => ({
  state: STATES[code] ?? 'unreadable',
  code,
  message: printable(error, 500),
});

const MISSING_OF_POINT = ['source-missing', 'target-missing', 'target-missing', 'bucket-missing', 'bucket-missing'];

const isFile = (entry: string): boolean => entry.startsWith('f');
const sizeOf = (entry: string): number => (isFile(entry) ? Number(entry.slice(2)) : 0);

/** `conflicts` of the script. */
const conflictsOf = (left: Entries, { all, chosen }: { readonly all: Entries; readonly chosen: Entries }): object => {
  const both = meet(left, all);
  const files = both.filter(({ entry }) => isFile(entry));
  const absent = files.filter(({ there }) => there === '-');
  const replaced = files.filter(({ there }) => isFile(there));
  const sameLength = replaced.filter(({ entry, there }) => entry === there).length;
  const extra = [...chosen].filter(([path, entry]) => isFile(entry) && !left.has(path));
  const total = (entries: readonly string[]): number => entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
  const first = [
    ...both
      .filter(({ entry, there }) => there !== '-' && !(entry === there && !isFile(entry)))
      .map(({ path, entry, there }) => ({
        path,
        point: shown(entry),
        target: there === 'b' ? 'below a file' : shown(there),
      })),
    ...extra.map(([path, entry]) => ({ path, point: null, target: shown(entry) })),
  ].sort((one, other) => (one.path < other.path ? -1 : 1));
  return {
    absent: { files: absent.length, bytes: total(absent.map(({ entry }) => entry)) },
    sameLength,
    otherLength: replaced.length - sameLength,
    clash: both.filter(({ entry, there }) => there === 'b' || (there !== '-' && typeOf(there) !== typeOf(entry)))
      .length,
    replacedBytes: total(replaced.map(({ there }) => there)),
    extra: { files: extra.length, bytes: total(extra.map(([, entry]) => entry)) },
    first: first.slice(0, 20).map((it) => ({ ...it, path: cut(it.path) })),
  };
};

/** `keep_or_refuse` of the script. */
const keptOf = (overwrite: string, both: readonly Met[]): readonly Met[] => {
  if (overwrite === 'never') return both.filter(({ there }) => there === '-');
  const clashes = both.filter(({ entry, there }) => there !== '-' && typeOf(there) !== typeOf(entry));
  const [first] = clashes;
  if (first)
    refuse(
      'clash',
      `distcp replaces no file by a directory or the other way round: ${clashes.length} paths, the first is ${first.path.slice(0, 300)}`,
    );
  return both;
};

/** `look_up` of the script. */
const becameOf = (item: { readonly name: string; readonly id: string }, listed: readonly Seen[]): string => {
  const known = listed.find((it) => it.name === item.name);
  if (!known) return 'not there';
  if (known.id !== item.id) return `another snapshot: ${JSON.stringify(known)}`;
  return known.status === 'ACTIVE' ? '' : 'deleted already';
};

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

type Counters = ReturnType<typeof countersOf>;
const sum = (a: Counters, b: Counters): Counters => ({
  filesCopied: a.filesCopied + b.filesCopied,
  filesSkipped: a.filesSkipped + b.filesSkipped,
  filesFailed: a.filesFailed + b.filesFailed,
  bytesCopied: a.bytesCopied + b.bytesCopied,
  dirsCopied: a.dirsCopied + b.dirsCopied,
});

interface Listed {
  /** `f<TAB>size` or `d<TAB>0` by path; every ancestor of a key counts as a directory. */
  readonly entries: ReadonlyMap<string, string>;
  /** Length and modification time of each file. */
  readonly times: ReadonlyMap<string, string>;
}

/** A listing by path. Paths are as JSON escapes them, one character per byte of UTF-8, so that they sort as the script's `sort` sorts them. */
const listing = (section: string | undefined, prefix: string): Listed | undefined => {
  const { data } = Keys.safeParse(jsonOf(section));
  if (!data) return undefined;
  const entries = new Map<string, string>();
  const times = new Map<string, string>();
  for (const { name, dataSize, file, modificationTime } of data) {
    if (!name.startsWith(prefix)) return undefined;
    const key = file ? name : name.replace(/\/$/, '');
    const path = escaped(key.slice(prefix.length));
    if (path === '') return undefined;
    entries.set(path, file ? `f\t${dataSize}` : 'd\t0');
    if (file) times.set(path, `${dataSize}\t${modificationTime}`);
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      if (entries.has(path.slice(0, at))) break;
      entries.set(path.slice(0, at), 'd\t0');
    }
  }
  return { entries, times };
};

/** `same` of the script. */
const isSame = (a: Listed, b: Listed): boolean =>
  differences(a.entries, b.entries).length === 0 && differences(a.times, b.times).length === 0;

type Difference = readonly [path: string, source: string | undefined, replica: string | undefined];

const differences = (
  source: ReadonlyMap<string, string>,
  replica: ReadonlyMap<string, string>,
): readonly Difference[] =>
  [...new Set([...source.keys(), ...replica.keys()])]
    .filter((path) => source.get(path) !== replica.get(path))
    .sort()
    .map((path) => [path, source.get(path), replica.get(path)]);

/** What became of the files of one side, from their lengths and times before and after. */
const parted = (paths: readonly Difference[]) => {
  const added = paths.filter(([, before]) => before === undefined).length;
  const deleted = paths.filter(([, , after]) => after === undefined).length;
  return {
    added,
    changed: paths.length - added - deleted,
    deleted,
    bytes: paths.reduce((sum, [, , after]) => sum + Number(after?.split('\t')[0] ?? 0), 0),
    first: paths.slice(0, 20).map(([path]) => cut(path)),
  };
};

/** A name as a path of a {@link listing}. */
const escaped = (name: string): string => Buffer.from(JSON.stringify(name).slice(1, -1)).toString('latin1');

/** The name that a path of a {@link listing} stands for. */
const named = (path: string): string => JSON.parse(`"${Buffer.from(path, 'latin1').toString()}"`);

/** Hadoop takes a path as a pattern. */
const pattern = (name: string): string => name.replace(/[\][*?{}\\]/g, '\\$&');

/** Where a path falls in a rolling comparison, by its bytes. */
const hashOf = (path: string): number =>
  [...Buffer.from(path, 'latin1')].reduce((hash, byte) => (hash * 131 + byte) % 2_147_483_647, 0);

/** Bytes of a command line that a batch may fill. */
const MOST_BYTES = 200_000;

const batchesOf = (paths: readonly string[], left: string, right: string): readonly (readonly string[])[] => {
  const batches: string[][] = [];
  let filled = 0;
  for (const path of paths) {
    const size = left.length + right.length + 2 * Buffer.byteLength(pattern(named(path))) + 2;
    filled += size;
    if (batches.length === 0 || filled > MOST_BYTES) {
      batches.push([]);
      filled = size;
    }
    batches.at(-1)?.push(path);
  }
  return batches;
};

/** What `-checksum` printed, by URI: algorithm and value. */
const checksumsOf = (stdout: string): ReadonlyMap<string, string> =>
  new Map(
    [...stdout.matchAll(/(.*?)\t([A-Za-z0-9-]+)\t([0-9a-f]*)\n/gs)]
      .filter(([, , , value]) => value !== '')
      .map(([, uri = '', algorithm, value]) => [uri, `${algorithm} ${value}`]),
  );

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

const shown = (entry: string | undefined): string | null => {
  const [type, value] = entry?.split('\t') ?? [];
  switch (type) {
    case undefined:
      return null;
    case 'd':
      return 'directory';
    case 'c':
      return `checksum ${value}`;
    default:
      return `${value} bytes`;
  }
};

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
