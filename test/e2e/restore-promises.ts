import type { PairState } from '../../functions/core/domain/ledger.ts';
import { OperationId, PairId, RunId } from '../../functions/core/domain/names.ts';
import type { Ended, Work } from '../in-process-edge/execution.ts';
import type { Lab } from '../in-process-edge/lab.ts';
import type { Change } from '../ozone-simulator/change.ts';

/** What a host is told to copy. */
export interface RestoreGiven {
  readonly operation: string;
  /** `service/volume/bucket` of the bucket with the point, and of the target. */
  readonly source: string;
  readonly replica: string;
  readonly target: string;
  readonly selection: string;
  readonly overwrite: string;
  readonly deleteExtra: string;
}

/** Type, length and SHA-256 of each file, by path. */
type Files = ReadonlyMap<string, string>;

/** A bucket that a restore has written to. */
interface Target {
  readonly bucket: string;
  readonly pair: PairId;
  /** As it was before anything was written that was not proved since. */
  pristine: Files;
  given: RestoreGiven;
  isProved: boolean;
  /** Others wrote since the copy: its content proves nothing. */
  isDisturbed: boolean;
  /** Copies that write to it at this moment. */
  copying: number;
}

/** All that no restore has to touch: buckets as they are, and snapshots as they were taken. */
interface Outside {
  readonly live: ReadonlyMap<string, string>;
  readonly snapshots: ReadonlyMap<string, string>;
}

const SERVICES = ['prod', 'dr'] as const;
export const isScratch = (bucket: string): boolean => /\/odr-drill-[^/]*$/.test(bucket);
const isSafety = (name: string): boolean => name.startsWith('restore-safety-');

/**
 * What must hold whenever something is restored, worked out anew from the clusters themselves: `expected` is what a
 * person would say that a restore does. What happens is watched as it happens; `check` looks at ledger and clusters.
 */
export class RestorePromises {
  readonly #say: (holds: boolean, what: string) => void;
  /** Others write at any time, between a safety snapshot and the copy too. */
  readonly #hasStrangers: boolean;
  /** What others wrote to a bucket, and how many safety snapshots it had by then. */
  readonly #written = new Map<string, number>();
  readonly #targets = new Map<string, Target>();
  readonly #pairs = new Map<string, PairState>();
  /** Operations that replaced or deleted something since the last look. */
  readonly #lossy = new Set<string>();
  /** By run: how its attempts ended; null for those that somebody stopped. */
  readonly #attempts = new Map<string, (string | null)[]>();
  #lab: Lab | undefined;
  #outside: Outside | undefined;

  constructor(hasStrangers: boolean, say: (holds: boolean, what: string) => void) {
    this.#hasStrangers = hasStrangers;
    this.#say = say;
  }

  watch(lab: Lab): void {
    this.#lab = lab;
  }

  /** What is there now and is no target has to stay as it is from now on. @param except the bucket that is restored into */
  remember(except: string | null): void {
    this.#outside = this.#look(except);
  }

  forget(): void {
    this.#outside = undefined;
  }

  /** A backup has changed the replica, and taken snapshots of both sides. */
  backedUp(): void {
    const [before, now] = [this.#outside, this.#look(null)];
    if (!before) return;
    const replica = now.live.get('dr/sales/orders');
    const points = [...now.snapshots].filter(([snapshot]) => snapshot.includes('/.snapshot/odr-'));
    this.#outside = {
      live: new Map([...before.live, ...(replica === undefined ? [] : [['dr/sales/orders', replica] as const])]),
      snapshots: new Map([...points, ...before.snapshots]),
    };
  }

  /** Somebody else writes: nothing that is theirs is half written. */
  wrote(bucket: string, changes: readonly Change[]): void {
    if (!this.#lab) return;
    const before = this.#files(bucket);
    this.#lab.ozone.change(`ofs://${bucket}`, changes);
    const after = this.#files(bucket);
    const snapshots = this.#safe(bucket).length;
    for (const [path, entry] of after)
      if (before.get(path) !== entry) this.#written.set(`${bucket} ${path}`, snapshots);
    const target = this.#targets.get(bucket);
    if (!target) return;
    target.isDisturbed = this.#hasStrangers;
    const pristine = new Map(target.pristine);
    for (const path of new Set([...before.keys(), ...after.keys()])) {
      const entry = after.get(path);
      if (entry === before.get(path)) continue;
      if (entry === undefined) pristine.delete(path);
      else pristine.set(path, entry);
    }
    target.pristine = pristine;
  }

  #tree(url: string): string {
    return JSON.stringify([...(this.#lab?.ozone.tree(url) ?? [])]);
  }

  #files(bucket: string): Files {
    if (!this.#lab) return new Map();
    if (!bucket.includes('/.snapshot/') && !this.buckets().includes(bucket)) return new Map();
    return new Map(
      [...this.#lab.ozone.tree(`ofs://${bucket}`)].flatMap(([path, entry]) =>
        entry.type === 'file' ? [[path, JSON.stringify(entry)] as const] : [],
      ),
    );
  }

  /** All buckets, as `service/volume/bucket`. */
  buckets(): readonly string[] {
    return SERVICES.flatMap((service) => {
      const listed = this.#lab?.ozone.buckets(service, 'sales') ?? [];
      return listed.map((name) => `${service}/sales/${name}`);
    });
  }

  #look(except: string | null): Outside {
    const live = new Map<string, string>();
    const snapshots = new Map<string, string>();
    for (const bucket of this.buckets()) {
      if (isScratch(bucket)) continue;
      if (bucket !== except) live.set(bucket, this.#tree(`ofs://${bucket}`));
      for (const { id, name } of this.#lab?.ozone.snapshots(`ofs://${bucket}`) ?? [])
        snapshots.set(`${bucket}/.snapshot/${name}`, `${id} ${this.#tree(`ofs://${bucket}/.snapshot/${name}`)}`);
    }
    return { live, snapshots };
  }

  // ---------------------------------------------------------------- as it happens

  pairIs(now: PairState): void {
    const before = this.#pairs.get(now.pair);
    this.#pairs.set(now.pair, now);
    if (now.pair.endsWith('#drill-nightly')) {
      const gone = before?.scratch?.bucket;
      if (gone && now.scratch?.bucket !== gone)
        this.#say(
          !this.buckets().some((bucket) => bucket.endsWith(`/${gone}`)),
          `the scratch bucket ${gone} was forgotten and is there`,
        );
    }
    if (!before?.dirtySince || now.dirtySince) return;
    for (const target of this.#targets.values()) if (target.pair === now.pair) this.#proved(target);
  }

  #proved(target: Target): void {
    const { bucket, given, pristine } = target;
    target.isProved = true;
    if (isScratch(bucket) || target.isDisturbed) return;
    const now = this.#files(bucket);
    const point = this.#selected(given);
    const isEqual = given.selection === '' && [...point].every(([path, entry]) => now.get(path) === entry);
    this.#say(
      isEqual || same(now, this.expected(pristine, given)),
      `${bucket} is not called half written any more, and is not what ${given.target} is`,
    );
    target.pristine = now;
  }

  /** Runs a copy of a restore. */
  copy(given: RestoreGiven, argv: readonly string[], go: () => unknown): unknown {
    const { operation, replica: bucket } = given;
    const pair = PairId.parse(isScratch(bucket) ? 'prod/sales/orders#drill-nightly' : `${bucket}#restore`);
    const to = argv.at(-1) ?? '';
    this.#say(
      to === `ofs://${bucket}` || to.startsWith(`ofs://${bucket}/`),
      `${operation} copies to ${to}, which is not in ${bucket}`,
    );
    const isMarked = !!this.#pairs.get(pair)?.dirtySince;
    this.#say(isMarked, `${operation} copies into ${bucket}, which the ledger does not call half written`);
    const before = this.#files(bucket);
    const known = this.#targets.get(bucket);
    const target = known ?? { bucket, pair, pristine: before, given, isProved: true, isDisturbed: false, copying: 0 };
    this.#targets.set(bucket, target);
    if (target.isProved) target.pristine = before;
    if (target.isProved) target.isDisturbed = false;
    target.given = given;
    target.isProved = false;
    this.#say(target.copying === 0, `${operation} copies into ${bucket}, into which another copy runs`);
    target.copying += 1;
    try {
      return go();
    } finally {
      target.copying -= 1;
      this.#judgeCopy(given, before, this.#files(bucket));
    }
  }

  #judgeCopy(given: RestoreGiven, before: Files, after: Files): void {
    const { operation, replica: bucket, deleteExtra } = given;
    const isAsked = this.#isSelected(given);
    for (const [path, entry] of after)
      if (before.get(path) !== entry) this.#say(isAsked(path), `${operation} wrote ${path}, which nobody asked for`);
    const lost = [...before].filter(([path, entry]) => after.get(path) !== entry);
    for (const [path] of lost)
      this.#say(isAsked(path) && (after.has(path) || deleteExtra === 'yes'), `${operation} deleted ${path} unasked`);
    if (lost.length === 0 || isScratch(bucket)) return;
    this.#lossy.add(operation);
    const names = this.#safe(bucket);
    const kept = names.map((name) => this.#files(`${bucket}/.snapshot/${name}`));
    // A copy that was on its way when somebody wrote there may come after it.
    const isJustWritten = (path: string) => this.#written.get(`${bucket} ${path}`) === names.length;
    for (const [path, entry] of lost)
      this.#say(
        isJustWritten(path) || kept.some((files) => files.get(path) === entry),
        `${operation} replaced or deleted ${path} of ${bucket}, which no safety snapshot keeps`,
      );
  }

  #safe(bucket: string): readonly string[] {
    return (this.#lab?.ozone.snapshots(`ofs://${bucket}`) ?? []).map(({ name }) => name).filter(isSafety);
  }

  #isSelected({ selection }: RestoreGiven): (path: string) => boolean {
    if (selection === '') return () => true;
    const lines = (this.#lab?.selections.selections.get(selection) ?? '').trimEnd().split('\n');
    const paths = lines.map((line): string => JSON.parse(`"${line.slice(2)}"`));
    return (path) => paths.some((it) => path === it || path.startsWith(`${it}/`));
  }

  #selected(given: RestoreGiven): Files {
    const isAsked = this.#isSelected(given);
    return new Map([...this.#files(this.#copyOf(given) ?? '')].filter(([path]) => isAsked(path)));
  }

  /**
   * The copy of the point that was read; once a prune has deleted that one, the other, which a later try then reads. None
   * is left when the restore died and nobody started it again before the point was deleted.
   */
  #copyOf({ source, target }: RestoreGiven): string | undefined {
    const path = source.replace(/^[^/]*\//, '');
    const copies = [source, ...SERVICES.map((service) => `${service}/${path}`)];
    const there = copies.find((bucket) =>
      this.#lab?.ozone.snapshots(`ofs://${bucket}`).some(({ name }) => name === target),
    );
    return there && `${there}/.snapshot/${target}`;
  }

  /** What a restore makes of a bucket, in files. */
  expected(before: Files, given: RestoreGiven): Files {
    const isAsked = this.#isSelected(given);
    const point = this.#selected(given);
    const stays = [...before].filter(([path]) => given.deleteExtra === 'no' || !isAsked(path));
    return new Map(given.overwrite === 'never' ? [...point, ...stays] : [...stays, ...point]);
  }

  // ---------------------------------------------------------------- executions

  /** An execution of a restore or a drill is over, or somebody stopped it. */
  ended(work: Work, { runId, ...ended }: Ended, isStopped: boolean): void {
    if ((work !== 'restore' && work !== 'drill') || (!runId && !isStopped)) return;
    const isSkipped = ended.status === 'SUCCEEDED' && 'error' in ended.output;
    // Nothing can be told of them, or only by whoever goes on with the run.
    const isUntold = ended.status === 'FAILED' && ['LeaseLost', 'RecordingFailed'].includes(ended.error);
    if (isSkipped) return;
    const key = runId ?? '';
    this.#attempts.set(key, [...(this.#attempts.get(key) ?? []), isStopped || isUntold ? null : ended.status]);
  }

  /** What the ledger says now is so on both clusters. */
  async check(): Promise<void> {
    if (!this.#lab) return;
    const lab = this.#lab;
    for (const target of this.#targets.values()) await this.#checkMark(lab, target);
    for (const operation of this.#lossy) await this.#checkConfirmed(lab, operation);
    this.#lossy.clear();
    const { scratch } = await lab.ledger.loadPair(PairId.parse('prod/sales/orders#drill-nightly'));
    for (const bucket of this.buckets().filter(isScratch))
      this.#say(scratch !== null && bucket.endsWith(scratch.bucket), `the ledger does not know of ${bucket}`);
    this.#checkOutside();
  }

  async #checkMark(lab: Lab, { bucket, pair, pristine, given, isProved, isDisturbed }: Target): Promise<void> {
    const now = this.#files(bucket);
    if (isScratch(bucket) || (isDisturbed && isProved)) return;
    if (same(now, pristine)) return;
    if (this.#copyOf(given) && same(now, this.expected(pristine, given))) return;
    const { dirtySince } = await lab.ledger.loadPair(pair);
    this.#say(dirtySince !== null, `${bucket} is half written, and the ledger does not say so`);
  }

  async #checkConfirmed(lab: Lab, operation: string): Promise<void> {
    const known = await lab.operations.load(OperationId.parse(operation));
    const run = known && (await lab.ledger.loadRun(known.runId));
    this.#say(!!run?.run.restore?.confirmed, `${operation} replaced or deleted something, and nobody confirmed it`);
  }

  #checkOutside(): void {
    const outside = this.#outside;
    if (!outside || !this.#lab) return;
    const now = this.#look(null);
    for (const [bucket, tree] of outside.live)
      this.#say(now.live.get(bucket) === tree, `${bucket} is not what it was, and is no target`);
    for (const [snapshot, content] of outside.snapshots)
      this.#say(now.snapshots.get(snapshot) === content, `${snapshot} is not what it was`);
    for (const snapshot of now.snapshots.keys())
      this.#say(
        outside.snapshots.has(snapshot) || isSafety(snapshot.replace(/.*\//, '')),
        `${snapshot} was taken, and keeps nothing`,
      );
  }

  /** After the last run: nothing is held any more, and the record tells of every attempt that ended. */
  async settled(): Promise<void> {
    if (!this.#lab) return;
    const lab = this.#lab;
    const { pair } = await lab.pair();
    for (const { name, pins } of await lab.ledger.livingPoints(pair))
      for (const { by } of pins) this.#say(!RunId.safeParse(by).success, `${name} is still pinned by ${by}`);
    for (const one of [pair, ...this.#pairs.keys()]) {
      const { lease } = await lab.ledger.loadPair(PairId.parse(one));
      const isHeld = lease !== null && (await lab.executions.isRunning(lease.execution));
      this.#say(!isHeld, `${one} is still held by ${lease?.execution}`);
    }
    const told = (await lab.records.read(pair)).flatMap(({ happening: it }) =>
      it.kind === 'run-ended' && (it.workflow === 'restore' || it.workflow === 'drill') ? [it] : [],
    );
    const stopped = this.#attempts.get('')?.length ?? 0;
    for (const [run, attempts] of this.#attempts) {
      if (run === '') continue;
      const entries = told.filter((it) => it.runId === run);
      for (const status of ['SUCCEEDED', 'FAILED']) {
        const ended = attempts.filter((it) => it === status).length;
        const count = entries.filter((it) => it.status.toUpperCase() === status).length;
        this.#say(count >= ended, `the record tells of ${count} of ${ended} attempts of ${run} that ${status}`);
        this.#say(count <= attempts.length + stopped, `the record tells ${count} times that ${run} ${status}`);
      }
    }
  }
}

const same = (one: Files, other: Files): boolean =>
  one.size === other.size && [...one].every(([path, entry]) => other.get(path) === entry);
