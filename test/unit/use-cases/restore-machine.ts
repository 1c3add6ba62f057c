import { sha256 } from '../../../functions/adapters/sha256.ts';
import type { BackupStep } from '../../../functions/core/domain/backup-step.ts';
import { isOperation } from '../../../functions/core/domain/backup-step.ts';
import type { CompareData, ExamineData, SeenBucket } from '../../../functions/core/domain/edge-reply.ts';
import type { OperationId, PairId, RunId } from '../../../functions/core/domain/names.ts';
import type { EdgeParameters, Operation } from '../../../functions/core/domain/operation.ts';
import type { Ledger, OperationStore } from '../../../functions/core/ports.ts';
import { recordFailure, recordOutcome } from '../../../functions/core/use-cases/close-run.ts';
import { decideRestoreNext } from '../../../functions/core/use-cases/decide-restore.ts';
import { startOperation } from '../../../functions/core/use-cases/start-operation.ts';
import { memoryRecords } from '../../fixtures/memory-records.ts';
import { memoryOperations } from '../../fixtures/memory-store.ts';
import type { RestoreStage } from './restore-fixture.ts';

/** Paths and what is in them. */
export type Files = ReadonlyMap<string, string>;

interface Bucket {
  readonly created: string;
  files: Files;
  readonly snapshots: Map<string, { readonly id: string; readonly files: Files }>;
}

/** What becomes of one command on a host. `half` of a copy is done where it says so. */
export type Fault =
  | 'ok'
  | 'unreachable'
  | 'failed'
  | 'interrupted'
  | 'lost-before'
  | 'lost-after'
  | 'never-sent'
  | 'out-of-time'
  | 'busy'
  | 'target-away'
  | 'gone'
  /** No answer, and a copy that goes on for two hours. */
  | 'late';

/** Each host lets only one of these at a bucket at a time. */
const LOCKING = new Set(['restore', 'remove-scratch']);

const idOf = (n: number): string => `50000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const listingOf = (files: Files) => ({
  files: files.size,
  dirs: 0,
  bytes: [...files.values()].reduce((sum, it) => sum + it.length, 0),
  digest: sha256(
    [...files]
      .sort()
      .map(([path, content]) => `${path} ${content.length}`)
      .join('\n'),
  ),
});
export const digestOfFiles = (files: Files): string => listingOf(files).digest;
const count = <T>(all: Iterable<T>, is: (it: T) => boolean): number => [...all].filter(is).length;

type Answer = { readonly outcome: string; readonly code: string; readonly data: unknown };
const ok = (data: unknown): Answer => ({ outcome: 'ok', code: '', data });
const no = (code: string, outcome = 'refused', data: unknown = null): Answer => ({ outcome, code, data });

/** Two clusters with one host script each, as far as a restore needs them. Every loss without a right to it is noted. */
export const modelClusters = (selectionOf: (hash: string) => string | undefined) => {
  const buckets = new Map<string, Bucket>();
  const losses: string[] = [];
  let made = 0;
  const make = (at: string, files: Files = new Map()): Bucket => {
    made += 1;
    const bucket = {
      created: new Date(Date.UTC(2026, 0, 1, 0, 0, made)).toISOString(),
      files,
      snapshots: new Map(),
    };
    buckets.set(at, bucket);
    return bucket;
  };
  const seen = ({ created, files }: Bucket): SeenBucket => ({
    created,
    layout: 'FILE_SYSTEM_OPTIMIZED',
    link: false,
    usedBytes: 0,
    usedNamespace: files.size,
    owner: 'ann',
    quotaInBytes: -1,
    quotaInNamespace: -1,
    replication: '',
    encryptionKey: null,
    acls: null,
  });
  const selected = (files: Files, { selection }: EdgeParameters): Files => {
    if (selection === '') return files;
    const paths = (selectionOf(selection) ?? '').split('\n').map((line) => line.slice(2));
    return new Map([...files].filter(([path]) => paths.some((it) => path === it || path.startsWith(`${it}/`))));
  };
  /** The snapshot to read, or why not. */
  const point = (given: EdgeParameters): { readonly files: Files; readonly bucket: Bucket } | Answer => {
    const bucket = buckets.get(given.source);
    if (!bucket) return no('source-missing');
    const snapshot = bucket.snapshots.get(given.target);
    if (!snapshot) return no('target-missing');
    return snapshot.id === given.targetId ? { files: selected(snapshot.files, given), bucket } : no('target-other');
  };

  const examine = (given: EdgeParameters, fault: Fault): Answer => {
    const read = point(given);
    if ('outcome' in read) return read;
    const target = buckets.get(given.replica);
    const there = target && selected(target.files, given);
    const extra = there ? [...there].filter(([path]) => !read.files.has(path)) : [];
    const same = ([path, content]: readonly [string, string]) => there?.get(path)?.length === content.length;
    const absent = [...read.files].filter(([path]) => !there?.has(path));
    const sameLength = count(read.files, same);
    return ok({
      source: seen(read.bucket),
      point: listingOf(read.files) as ExamineData['point'],
      unmatched: { count: 0, first: [] },
      target:
        fault === 'target-away'
          ? { state: 'unreachable', code: 'X', message: 'away' }
          : !target
            ? { state: 'missing', code: 'X', message: 'no bucket' }
            : {
                state: 'read',
                bucket: seen(target),
                absent: { files: absent.length, bytes: 0 },
                sameLength,
                otherLength: read.files.size - absent.length - sameLength,
                clash: 0,
                replacedBytes: 0,
                extra: { files: extra.length, bytes: 0 },
                first: [],
              },
    });
  };

  const copy = (given: EdgeParameters, isHalf: boolean): { readonly answer: Answer; readonly copied: number } => {
    const read = point(given);
    if ('outcome' in read) return { answer: read, copied: 0 };
    const target = buckets.get(given.replica);
    if (target?.created !== given.targetCreated) return { answer: no('bucket-other'), copied: 0 };
    const isToCopy = ([path, content]: readonly [string, string]) =>
      given.overwrite === 'never'
        ? !target.files.has(path)
        : given.overwrite === 'always' || target.files.get(path) !== content;
    const all = [...read.files].filter(isToCopy);
    const now = isHalf ? all.slice(0, Math.ceil(all.length / 2)) : all;
    const after = new Map([...target.files, ...now]);
    if (given.deleteExtra === 'yes' && !isHalf)
      for (const path of selected(target.files, given).keys()) if (!read.files.has(path)) after.delete(path);
    const isKept = ([path, content]: readonly [string, string]) =>
      after.get(path) === content || [...target.snapshots.values()].some((it) => it.files.get(path) === content);
    for (const [path, content] of target.files)
      if (!isKept([path, content]) && !given.replica.includes('odr-drill-')) losses.push(`${given.replica}/${path}`);
    target.files = after;
    const counters = { exit: isHalf ? 1 : 0, seconds: 3, filesCopied: now.length, filesSkipped: 0, filesFailed: 0 };
    return {
      answer: ok({ copy: { ...counters, bytesCopied: now.length, dirsCopied: 0 }, log: '' }),
      copied: now.length,
    };
  };

  const compare = (given: EdgeParameters): Answer => {
    const read = point(given);
    if ('outcome' in read) return read;
    const target = buckets.get(given.replica);
    if (!target) return no('replica-missing', 'failed');
    const there = selected(target.files, given);
    const missing = count(read.files, ([path]) => !there.has(path));
    const changed = count(read.files, ([path, content]) => there.has(path) && there.get(path) !== content);
    const differ = count(read.files, ([path, content]) => {
      const other = there.get(path);
      return other !== undefined && other !== content && other.length === content.length;
    });
    const extra = count(there, ([path]) => !read.files.has(path));
    return ok({
      level: given.level === 'listing' ? 'listing' : 'full',
      equal: missing + changed === 0 && (given.exact === 'no' || extra === 0),
      point: listingOf(read.files) as CompareData['point'],
      target: listingOf(there) as CompareData['target'],
      missing,
      changed,
      extra,
      checksums: { compared: read.files.size, differ },
      first: [],
    });
  };

  const act = (given: EdgeParameters, fault: Fault): Answer => {
    switch (given.verb) {
      case 'examine':
        return examine(given, fault);
      case 'create-bucket': {
        const known = buckets.get(given.replica);
        return ok({ created: !known, bucket: seen(known ?? make(given.replica)) });
      }
      case 'snapshot': {
        const bucket = buckets.get(given.source);
        if (!bucket) return no('source-missing');
        const known = bucket.snapshots.get(given.target) ?? {
          id: idOf(buckets.size * 100 + bucket.snapshots.size),
          files: bucket.files,
        };
        bucket.snapshots.set(given.target, known);
        const snapshot = { name: given.target, id: known.id, created: 1, status: 'ACTIVE' };
        return ok({ created: true, snapshot, diff: 'not-asked', diffMessage: '' });
      }
      case 'restore':
        return copy(given, false).answer;
      case 'compare':
        return compare(given);
      case 'remove-scratch': {
        const bucket = buckets.get(given.replica);
        if (bucket && bucket.created !== given.targetCreated) return no('target-other');
        buckets.delete(given.replica);
        return ok({ removed: bucket !== undefined });
      }
      default:
        throw new Error(`${given.verb} is not for a restore`);
    }
  };

  const READING = new Set(['examine', 'compare', 'restore']);
  /** The answer of the host, or undefined when none comes. */
  const run = (given: EdgeParameters, fault: Fault): Answer | undefined => {
    const half = (): number => (given.verb === 'restore' ? copy(given, true).copied : 0);
    const partly = (code: string, outcome: string, filesCopied: number): Answer => {
      const counters = {
        exit: 1,
        seconds: 3,
        filesCopied,
        filesSkipped: 0,
        filesFailed: 0,
        bytesCopied: 0,
        dirsCopied: 0,
      };
      return no(code, outcome, given.verb === 'restore' ? { copy: counters, log: '' } : null);
    };
    switch (fault) {
      case 'ok':
      case 'target-away':
        return act(given, fault);
      case 'unreachable':
        return no('om-unreachable', 'unreachable');
      case 'failed':
      case 'interrupted':
        return partly(`it-${fault}`, fault, half());
      case 'out-of-time':
        return partly('copy-timeout', 'failed', half());
      case 'busy':
        return LOCKING.has(given.verb) ? no('bucket-busy') : act(given, 'ok');
      case 'gone':
        return READING.has(given.verb) ? no('target-missing') : act(given, 'ok');
      case 'lost-after':
        act(given, 'ok');
        return undefined;
      case 'late':
      case 'lost-before':
      case 'never-sent':
        return undefined;
    }
  };
  return { buckets, losses, make, run };
};

/** The execution is stopped: nothing of it goes on, and nobody is told. */
export class Killed extends Error {}

/** The same, but the `n`th call of a method that writes does not happen any more, or is the last thing that happens. */
export const mortal = <T extends object>(
  inner: T,
  writes: ReadonlySet<string>,
  tick: () => 'before' | 'after' | undefined,
): T =>
  new Proxy(inner, {
    get: (target, name) => {
      const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
      if (!writes.has(String(name))) return method;
      return async (...args: unknown[]) => {
        const fate = tick();
        if (fate === 'before') throw new Killed();
        const answer = await method(...args);
        if (fate === 'after') throw new Killed();
        return answer;
      };
    },
  });

const WRITES = new Set([
  ...['takeLease', 'releaseLease', 'changePair', 'raiseFence', 'putRun', 'closeRun', 'changePoint', 'usePlan'],
  ...['recordStep', 'recordObservation', 'create', 'sent', 'ended', 'notified', 'put', 'send', 'append'],
]);

export interface Ended {
  readonly kind: string;
  readonly [field: string]: unknown;
}

/** The state machine of restores and drills in one process, over clusters that can fail at every command. */
export const restoreMachine = (stage: RestoreStage, clusters: ReturnType<typeof modelClusters>) => {
  const operations = memoryOperations();
  const records = memoryRecords();
  const sent = new Map<OperationId, { readonly given: EdgeParameters; readonly host: string }>();
  let alive: { readonly given: EdgeParameters; readonly host: string; readonly until: number } | undefined;
  const overlaps: string[] = [];
  const commands = new Set<string>();
  const unmarked: string[] = [];
  let deaths: { at: number; when: 'before' | 'after' } | undefined;
  let ticks = 0;
  const tick = () => {
    ticks += 1;
    return deaths?.at === ticks ? deaths.when : undefined;
  };
  const ledger: Ledger = mortal<Ledger>(stage.ledger, WRITES, tick);
  const store: OperationStore = mortal<OperationStore>(operations, WRITES, tick);
  const edge = mortal(
    {
      send: async (_document: string, host: string, given: EdgeParameters, operation: OperationId) => {
        if (commands.has(operation)) throw new Error(`${operation} was sent twice`);
        commands.add(operation);
        sent.set(operation, { given, host });
        return { commandId: operation };
      },
      find: async (_document: string, operation: OperationId) =>
        commands.has(operation) ? { commandId: operation } : undefined,
    },
    WRITES,
    tick,
  );
  const callbacks = { succeed: async () => 'delivered' as const, fail: async () => 'delivered' as const };
  const decide = decideRestoreNext({ ...stage, ledger, operations: store });
  const starters = {
    observe: startOperation({
      ...stage,
      ledger,
      operations: store,
      edge,
      callbacks,
      document: { name: 'o', doctor: 'o', look: 'o', batch: 'o', yarn: 'yarn', blastRadius: 'observe' },
    }),
    restore: startOperation({
      ...stage,
      ledger,
      operations: store,
      edge,
      callbacks,
      document: { name: 'r', doctor: 'r', look: 'r', batch: 'r', yarn: 'yarn', blastRadius: 'restore' },
    }),
  };
  const closing = { ledger, records: mortal(records, WRITES, tick), clock: stage.clock };

  const endLate = (isOver: boolean | undefined): void => {
    if (!alive || !isOver) return;
    clusters.run(alive.given, 'ok');
    alive = undefined;
  };

  /** A command ends, and the sweeper tells the operation: no execution is needed for that. */
  const settle = async (operation: Operation, fault: Fault): Promise<void> => {
    const command = sent.get(operation.id);
    if (!command || operation.outcome) return;
    sent.delete(operation.id);
    stage.pass(1 / 6);
    const { given, host } = command;
    endLate(alive && alive.until <= stage.clock.now());
    const isSecond = LOCKING.has(given.verb) && alive?.given.replica === given.replica;
    if (isSecond && alive?.host !== host) overlaps.push(operation.id);
    const before = clusters.buckets.get(given.replica)?.files;
    const answer = clusters.run(given, isSecond ? 'busy' : fault);
    if (fault === 'late' && given.verb === 'restore' && !isSecond)
      alive = { given, host, until: stage.clock.now() + 2 * 3_600_000 };
    if (given.verb === 'restore' && clusters.buckets.get(given.replica)?.files !== before)
      if ((await stage.ledger.loadPair(operation.pair)).dirtySince === null) unmarked.push(operation.id);
    if (!answer) {
      const error = fault === 'never-sent' ? 'EdgeUnreachable' : 'EdgeInterrupted';
      await operations.ended(operation.id, { kind: 'lost', error, detail: fault });
      return;
    }
    const reply = {
      version: 1,
      operation: operation.id,
      verb: given.verb,
      message: `because of ${fault}`,
      host: 'edge',
      startedAt: 1,
      endedAt: 2,
      jvmStarts: 1,
      ...answer,
    };
    const text = `-----BEGIN OZONE-DR REPLY-----\n${JSON.stringify(reply)}\n-----END OZONE-DR REPLY-----\n`;
    await operations.ended(operation.id, { kind: 'reply', reply: text });
  };
  const settleAll = async (fault: () => Fault): Promise<void> => {
    for (const operation of await operations.open()) if (sent.has(operation.id)) await settle(operation, fault());
  };

  const run = async (
    runId: RunId,
    lease: number,
    firstStep: number,
    faults: (step: BackupStep) => Fault,
    limit: number,
  ): Promise<Ended> => {
    for (let step = firstStep; step < firstStep + limit; step++) {
      const next = await decide({ runId, lease, step, failure: null });
      if (next.kind === 'wait') stage.pass(next.seconds / 60);
      else if (next.kind === 'done') return recordOutcome(closing)({ runId, lease, step });
      else if (next.kind === 'fail')
        return { kind: 'failed', ...(await recordFailure(closing)({ runId, lease, failure: null })) };
      else if (isOperation(next)) {
        const document = next.kind === 'examine' || next.kind === 'compare' ? 'observe' : 'restore';
        await starters[document]({ runId, lease, operationStep: next.operationStep, taskToken: `token-${step}` });
        await settleAll(() => faults(next));
      }
    }
    throw new Error('there is no end of it');
  };

  return {
    operations,
    records,
    unmarked,
    overlaps,
    /** Whatever still copies does so to its end. */
    endLate: () => endLate(true),
    /** How many writes there were. */
    ticks: () => ticks,
    /** Counts anew, and dies at a write. */
    dieAt: (at?: number, when: 'before' | 'after' = 'before') => {
      ticks = 0;
      deaths = at === undefined ? undefined : { at, when };
    },
    settleAll,
    pairOf: (pair: PairId) => stage.ledger.loadPair(pair),
    /** Starts an execution and follows it to its end. */
    start: async (
      workflow: 'restore' | 'drill',
      request: object,
      execution: string,
      faults: (step: BackupStep) => Fault = () => 'ok',
      limit = 400,
    ): Promise<Ended> => {
      stage.running.add(execution);
      try {
        const opened = await stage.open(request, { workflow, execution, through: ledger });
        if (opened.kind !== 'open') return { ...opened };
        return await run(opened.runId, opened.lease, opened.step, faults, limit);
      } finally {
        stage.running.delete(execution);
      }
    },
  };
};
