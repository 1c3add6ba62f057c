import * as z from 'zod';
import { sha256 } from '../../functions/adapters/sha256.ts';
import { type Head, verifyChain } from '../../functions/core/domain/chain.ts';
import { PairState, RecoveryPoint } from '../../functions/core/domain/ledger.ts';
import type { PolicyMode } from '../../functions/core/domain/policy.ts';
import type { Between, Lab, Side } from '../in-process-edge/lab.ts';
import { DeletionPromises, type Keeps } from './deletion-promises.ts';
import { RestorePromises } from './restore-promises.ts';

export type Call = (method: string, args: readonly unknown[], go: () => unknown) => unknown;

/** A stand-in for `port` that hands each call of a method to `call`, which lets it go on, or not. */
export const intercept = <P extends object>(port: P, call: Call): P =>
  new Proxy(port, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function' || typeof name !== 'string') return value;
      return (...args: readonly unknown[]) => call(name, args, () => Reflect.apply(value, target, args));
    },
  });

const Given = z.object({
  operation: z.string(),
  verb: z.string(),
  source: z.string(),
  replica: z.string(),
  target: z.string(),
  selection: z.string(),
  overwrite: z.string(),
  deleteExtra: z.string(),
});
const Delivery = z.tuple([z.string(), Given]);
const Started = z.tuple([z.enum(['ozone', 'hadoop']), z.array(z.string())]).rest(z.unknown());
const Printed = z.object({ stdout: z.string(), stderr: z.string() });

/** One distcp that a host has started. */
export interface Copy {
  readonly operation: string;
  readonly isFull: boolean;
}

interface PromisesOptions {
  readonly mode: PolicyMode;
  /** Somebody else writes into the replica too: its live content proves nothing about our copies. */
  readonly hasStrangers: boolean;
  /** Increments may turn out to be impossible (a diff that fails): a full comparison needs no doubt then. */
  readonly mayFallBack: boolean;
  /** What prunes keep; null where nothing is ever deleted. */
  readonly keeps: Keeps | null;
}

/**
 * What must hold at every moment, whatever fails. What happens below the use cases (programs started, the pair changed)
 * is watched as it happens; `check` looks at the ledger and both clusters. Everything that is broken is collected: thrown
 * inside the product, it would look like one more failure to recover from.
 */
export class Promises {
  readonly broken: string[] = [];
  readonly copies: Copy[] = [];
  readonly deletions: DeletionPromises;
  readonly restores: RestorePromises;
  readonly #options: PromisesOptions;
  readonly #effects = new Map<string, number>();
  readonly #verified = new Map<string, string>();
  readonly #taken = new Map<string, string>();
  #lab: Lab | undefined;
  #pair: PairState | undefined;
  #given: z.infer<typeof Given> | undefined;
  #copying = 0;
  /** Copies that were started when the doubt was raised. */
  #copiesBeforeDoubt = 0;
  /** The point that was verified last since the doubt was raised. */
  #proved: string | undefined;
  #hadBase = false;
  #head: Head | undefined;
  /** Points of which the record tells that they were verified. */
  #recorded = 0;

  constructor(options: PromisesOptions) {
    this.#options = options;
    this.deletions = new DeletionPromises(options.keeps, (holds, what) => this.#say(holds, what));
    this.restores = new RestorePromises((holds, what) => this.#say(holds, what));
  }

  watch(lab: Lab): void {
    this.#lab = lab;
    this.deletions.watch(lab);
    this.restores.watch(lab);
  }

  get hadBase(): boolean {
    return this.#hadBase;
  }

  readonly between: Between = (name, port) => {
    switch (name) {
      case 'ledger':
        return intercept(port, (method, args, go) => this.#seen(method, args, go()));
      case 'host':
        return intercept(port, (method, args, go) => (method === 'run' ? this.#deliver(args, go) : go()));
      case 'ozone':
        return intercept(port, (method, args, go) => (method === 'run' ? this.#start(args, go) : go()));
      default:
        return port;
    }
  };

  #say(holds: boolean, what: string): void {
    if (!holds && !this.broken.includes(what)) this.broken.push(what);
  }

  /** Every state of the pair that the ledger answers, as soon as it is written. */
  async #seen(method: string, args: readonly unknown[], answered: unknown): Promise<unknown> {
    const answer = await answered;
    const point = method === 'putPoint' ? RecoveryPoint.parse(args[1]) : undefined;
    if (point) this.deletions.pointIs(point, true);
    if (method === 'changePoint' && answer !== undefined) this.deletions.pointIs(RecoveryPoint.parse(answer), false);
    if (point?.state === 'verified') this.#proved = point.name;
    if (method === 'changePair' || method === 'raiseFence') this.#note(PairState.parse(answer));
    return answer;
  }

  #note(now: PairState): void {
    this.restores.pairIs(now);
    if (now.pair !== this.#lab?.pairId) return;
    const before = this.#pair;
    this.#pair = now;
    this.deletions.pairIs(now);
    if (now.dirtySince && !before?.dirtySince) {
      this.#copiesBeforeDoubt = this.copies.length;
      this.#proved = undefined;
    }
    if (!before?.dirtySince || now.dirtySince) return;
    if (this.copies.length === this.#copiesBeforeDoubt) return;
    const name = this.#proved;
    // Somebody else may have deleted what proved it a moment later.
    if ([...this.deletions.vanished.values()].some((it) => it.name === name)) return;
    this.#say(
      name !== undefined && this.#tree('source', name) === this.#tree('replica', name),
      `the doubt of ${before.dirtySince.operation} was dropped without a verified pair after a copy had begun`,
    );
    if (name !== undefined && !this.#options.hasStrangers)
      this.#say(
        this.#tree('replica') === this.#tree('replica', name),
        `the doubt was dropped although the replica is not what ${name} is`,
      );
  }

  #deliver(args: readonly unknown[], go: () => unknown): unknown {
    const outer = this.#given;
    this.#given = Delivery.parse(args)[1];
    try {
      return go();
    } finally {
      this.#given = outer;
    }
  }

  #once(operation: string, what: string): void {
    const times = (this.#effects.get(`${operation} ${what}`) ?? 0) + 1;
    this.#effects.set(`${operation} ${what}`, times);
    this.#say(times === 1, `${what} was started ${times} times for ${operation}`);
  }

  #start(args: readonly unknown[], go: () => unknown): unknown {
    const [program, argv] = Started.parse(args);
    const given = this.#given;
    if (!given) return go();
    const { operation, verb } = given;
    for (const word of argv) if (/^snapshot (create|delete) /.test(word)) this.#once(operation, word);
    if (argv.some((word) => word.startsWith('snapshot delete ')))
      return this.deletions.deleting({ operation, verb }, go);
    if (program !== 'hadoop' || argv[0] !== 'distcp') return go();
    this.#once(operation, 'distcp');
    return verb === 'restore' ? this.restores.copy(given, argv, go) : this.#copy(operation, argv, go);
  }

  #copy(operation: string, argv: readonly string[], go: () => unknown): unknown {
    const isFull = !argv.includes('-diff');
    this.#say(this.#copying === 0, `${operation} copies into a bucket into which another copy runs`);
    const pair = this.#pair;
    this.#say(!!pair?.dirtySince, `${operation} copies without a doubt in the ledger`);
    const isRepair = !!pair?.dirtySince && pair.dirtySince.operation !== operation;
    const { mode, mayFallBack } = this.#options;
    if (isFull && pair?.base && mode !== 'resync' && !mayFallBack)
      this.#say(
        isRepair || (mode !== 'incremental' && !!pair.foreignChange),
        `${operation} copies in full without need`,
      );
    if (isFull && mode === 'incremental')
      this.#say(!pair?.foreignChange, `${operation} overwrites what somebody else wrote, against the policy`);
    this.#say(isFull || mode !== 'resync', `${operation} copies by increment, against the policy`);
    this.copies.push({ operation, isFull });

    const most = isFull ? this.#differences(argv.at(-2) ?? '', argv.at(-1) ?? '') : Number.POSITIVE_INFINITY;
    this.#copying += 1;
    try {
      const done = go();
      const copied = /Files Copied=(\d+)(?![\s\S]*Files Copied=)/.exec(Printed.parse(done).stderr)?.[1] ?? '0';
      this.#say(Number(copied) <= most, `${operation} copied ${copied} files of which ${most} differed`);
      return done;
    } finally {
      this.#copying -= 1;
    }
  }

  /** Files of `from` that `to` does not have like that. */
  #differences(from: string, to: string): number {
    if (!this.#lab) return 0;
    const { ozone } = this.#lab;
    const there = ozone.tree(to);
    return [...ozone.tree(from)].filter(
      ([path, entry]) => entry.type === 'file' && JSON.stringify(entry) !== JSON.stringify(there.get(path)),
    ).length;
  }

  #tree(side: Side, name?: string): string {
    try {
      return JSON.stringify([...(this.#lab?.tree(side, name) ?? [])]);
    } catch (error) {
      return `${side} has no ${name}: ${error}`;
    }
  }

  /** What the ledger says now is so on both clusters. @param whole what it said before still is so, too */
  async check({ whole = false } = {}): Promise<void> {
    if (!this.#lab) return;
    await this.deletions.check();
    if (whole) await this.restores.check();
    const points = await this.#lab.points();
    const verified = points.filter((it) => it.state === 'verified');
    this.#say(new Set(verified.map((it) => it.runId)).size === verified.length, 'a slot was done twice');
    for (const point of points.toReversed()) this.#checkPoint(point, whole);
    const { base } = await this.#lab.pair();
    if (base) {
      this.#say(
        verified.some((it) => it.name === base.name) || this.deletions.isGoneEverywhere(base),
        `the base ${base.name} is not verified`,
      );
      this.#hadBase = true;
    }
    this.#say(!this.#hadBase || base !== null, 'the base was lost');
    await this.#checkRecord(this.#lab, verified);
  }

  /** The record only grows, and tells of all that was reached. */
  async #checkRecord(lab: Lab, verified: readonly RecoveryPoint[]): Promise<void> {
    const { pair } = await lab.pair();
    const links = await lab.records.links(pair);
    if (links.length === this.#head?.n && this.#recorded === this.#verified.size) return;
    this.#recorded = this.#verified.size;
    const chain = verifyChain(sha256, pair, links, this.#head ? [this.#head] : []);
    this.#say(chain.kind === 'whole', `the record is broken: ${JSON.stringify(chain)}`);
    if (chain.kind === 'whole') this.#head = chain.head;
    const told = (await lab.records.read(pair)).map((it) => it.happening);
    for (const { name, runId } of verified) {
      const isTold = told.some((it) => it.kind === 'verified' && it.equal && it.name === name);
      this.#say(isTold, `the record does not tell that ${name} was verified`);
      const status = (await lab.ledger.loadRun(runId))?.run.status;
      const isEndTold = told.some((it) => it.kind === 'run-ended' && it.runId === runId && it.status === status);
      this.#say(status === 'open' || isEndTold, `the record does not tell that the run of ${name} ${status}`);
    }
  }

  /** A source snapshot that was taken stays what it was; verified means equal, from then on, on both sides. */
  #checkPoint({ name, base, mode, state, source: { id }, replica }: RecoveryPoint, whole: boolean): void {
    if (!whole && this.#taken.has(name) && (state === 'verified') === this.#verified.has(name)) return;
    const { vanished } = this.deletions;
    // Somebody else deleted it before the ledger knew of it.
    if (vanished.has(id) && !this.#taken.has(name) && state !== 'verified') return;
    const taken = this.#taken.get(name) ?? this.#tree('source', name);
    this.#taken.set(name, taken);
    const source = vanished.has(id) ? taken : this.#tree('source', name);
    this.#say(source === taken && source.startsWith('['), `${name} on the source is not what was taken`);
    const verified = this.#verified.get(name);
    this.#say(state === 'verified' || verified === undefined, `${name} was verified and is ${state}`);
    if (state !== 'verified') return;
    const isOnReplica = !replica || !vanished.has(replica.id);
    if (isOnReplica) this.#say(this.#tree('replica', name) === source, `${name} is called verified and differs`);
    if (verified !== undefined) return;
    this.#say(mode !== 'bootstrap' || !this.#hadBase, `${name} is a first copy, but not the first`);
    this.#say(mode !== 'incremental' || this.#options.mode !== 'resync', `${name} is against the policy`);
    this.#say(base === null || this.#verified.has(base), `the base of ${name} is not verified`);
    this.#verified.set(name, source);
  }
}
