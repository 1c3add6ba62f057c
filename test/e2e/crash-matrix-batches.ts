import * as z from 'zod';
import { sha256 } from '../../functions/adapters/sha256.ts';
import { type Head, verifyChain } from '../../functions/core/domain/chain.ts';
import { PairState, type RecoveryPoint } from '../../functions/core/domain/ledger.ts';
import { BatchOutput, type Ended, type Moment, type Work } from '../in-process-edge/execution.ts';
import type { Between, Lab, Side } from '../in-process-edge/lab.ts';
import type { FaultRule } from '../ozone-simulator/faults/rules.ts';
import { CHANGES, FIRST } from './crash-matrix-backups.ts';
import { type Copy, intercept } from './crash-matrix-promises.ts';
import type { Strike } from './crash-matrix-strikes.ts';
import { HOUR_MS, type Onward, Trial, type Watched } from './crash-matrix-trial.ts';

/** A batch of one slot with what is done with what it hands over, as the fleet does it. */
export interface BatchScenario {
  readonly name: string;
  readonly mode: 'incremental' | 'incremental-or-resync';
  /** The bucket in which something changed before the struck batch. */
  readonly changed: string | null;
  /** A bucket that has no replica: its run fails for ever. */
  readonly fails: string | null;
  /** How the same slot is started again: as a batch, or each bucket alone, as the fleet does when the batch itself fails. */
  readonly again: 'together' | 'alone';
  readonly isWithoutEvents?: boolean;
  /** The replica is away in the slot before the struck one, or when the struck batch looks at it first. */
  readonly isAway?: 'before' | 'at first';
}

const AWAY: FaultRule = { id: 'away', effect: { kind: 'unreachable', service: 'dr' } };
const GOOD = ['sales/orders', 'sales/two', 'sales/three'];
const UNREADY = 'sales/unready';

export const BATCHES: readonly BatchScenario[] = [
  {
    name: 'a batch in which nothing changed',
    mode: 'incremental-or-resync',
    changed: null,
    fails: null,
    again: 'together',
  },
  {
    name: 'a batch of which one bucket changed and one fails',
    mode: 'incremental',
    changed: 'sales/orders',
    fails: UNREADY,
    again: 'alone',
  },
  {
    name: 'a batch, no events',
    mode: 'incremental',
    changed: 'sales/two',
    fails: null,
    again: 'together',
    isWithoutEvents: true,
  },
  {
    name: 'a batch that waits for the replica',
    mode: 'incremental',
    changed: 'sales/two',
    fails: null,
    again: 'together',
    isAway: 'at first',
  },
  {
    name: 'a batch that brings over what the replica missed',
    mode: 'incremental',
    changed: 'sales/two',
    fails: null,
    again: 'together',
    isAway: 'before',
  },
];

const Started = z.tuple([z.enum(['ozone', 'hadoop']), z.array(z.string())]).rest(z.unknown());

/** What must hold of each of several buckets at every moment; see `Promises` for one. */
export class BatchPromises implements Watched {
  readonly broken: string[] = [];
  readonly copies: (Copy & { readonly bucket: string })[] = [];
  readonly #buckets: readonly string[];
  readonly #pairs = new Map<string, PairState>();
  readonly #taken = new Map<string, string>();
  readonly #verified = new Map<string, ReadonlySet<string>>();
  readonly #heads = new Map<string, Head>();
  readonly #copying = new Set<string>();
  #lab: Lab | undefined;

  constructor(buckets: readonly string[]) {
    this.#buckets = buckets;
  }

  watch(lab: Lab): void {
    this.#lab = lab;
  }

  readonly between: Between = (name, port) => {
    switch (name) {
      case 'ledger':
        return intercept(port, async (method, _, go) => {
          const answer = await go();
          if (method === 'changePair' || method === 'raiseFence') {
            const pair = PairState.parse(answer);
            this.#pairs.set(pair.pair, pair);
          }
          return answer;
        });
      case 'ozone':
        return intercept(port, (method, args, go) => (method === 'run' ? this.#start(args, go) : go()));
      default:
        return port;
    }
  };

  say(holds: boolean, what: string): void {
    if (!holds && !this.broken.includes(what)) this.broken.push(what);
  }

  #start(args: readonly unknown[], go: () => unknown): unknown {
    const [program, argv] = Started.parse(args);
    if (program !== 'hadoop' || argv[0] !== 'distcp') return go();
    const [from = '', into = ''] = argv.slice(-2);
    // That of a failover, which brings the replica back from a snapshot of its own.
    if (from.startsWith('ofs://dr/')) return go();
    const bucket = into.replace(/^ofs:\/\/[^/]*\//, '');
    const operation = /-Dmapreduce.job.tags=(\S*)/.exec(argv.join(' '))?.[1] ?? '';
    const isFull = !argv.includes('-diff');
    const pair = this.#pairs.get(`prod/${bucket}#dr`);
    this.say(into.startsWith('ofs://dr/'), `a backup copies into ${into}`);
    this.say(!!pair?.dirtySince, `a copy into ${bucket} without a doubt in the ledger`);
    if (isFull && pair?.base) {
      const isRepair = !!pair.dirtySince && !operation.includes(pair.dirtySince.operation);
      this.say(isRepair, `${bucket} is copied in full without need`);
    }
    this.say(!this.#copying.has(bucket), `two copies into ${bucket} at a time`);
    this.copies.push({ operation, isFull, bucket });
    this.#copying.add(bucket);
    try {
      return go();
    } finally {
      this.#copying.delete(bucket);
    }
  }

  #tree(bucket: string, side: Side, name?: string): string {
    try {
      return JSON.stringify([...(this.#lab?.tree(side, name, bucket) ?? [])]);
    } catch (error) {
      return `${side} has no ${name} of ${bucket}: ${error}`;
    }
  }

  async check(): Promise<void> {
    for (const bucket of this.#buckets) await this.#checkBucket(bucket);
  }

  async #checkBucket(bucket: string): Promise<void> {
    if (!this.#lab) return;
    const points = await this.#lab.points(bucket);
    for (const point of points) this.#checkTaken(bucket, point);
    const verified = points.filter(({ state }) => state === 'verified');
    const known = this.#verified.get(bucket) ?? new Set();
    const names = new Set<string>(verified.map(({ name }) => name));
    this.#verified.set(bucket, names);
    this.say(
      new Set(verified.map(({ runId }) => runId)).size === verified.length,
      `a slot of ${bucket} was done twice`,
    );
    this.say(
      [...known].every((name) => names.has(name)),
      `a verified point of ${bucket} is not verified any more`,
    );
    for (const { name, base, mode } of verified) {
      const isEqual = this.#tree(bucket, 'replica', name) === this.#taken.get(`${bucket} ${name}`);
      this.say(isEqual, `${name} of ${bucket} is called verified and differs`);
      this.say(base === null || names.has(base), `the base of ${name} of ${bucket} is not verified`);
      this.say(mode !== 'bootstrap' || verified.at(-1)?.name === name, `${name} of ${bucket} is a second first copy`);
    }
    const pair = await this.#lab.pair(bucket);
    this.say(verified.length === 0 || names.has(pair.base?.name ?? ''), `the base of ${bucket} was lost`);
    await this.#checkRecord(this.#lab, pair, verified);
  }

  #checkTaken(bucket: string, { name }: RecoveryPoint): void {
    const now = this.#tree(bucket, 'source', name);
    const taken = this.#taken.get(`${bucket} ${name}`) ?? now;
    this.#taken.set(`${bucket} ${name}`, taken);
    this.say(now === taken && now.startsWith('['), `${name} of ${bucket} on the source is not what was taken`);
  }

  /** The record only grows, and tells of all that was reached. */
  async #checkRecord({ records, ledger }: Lab, { pair }: PairState, verified: readonly RecoveryPoint[]): Promise<void> {
    const known = this.#heads.get(pair);
    const chain = verifyChain(sha256, pair, await records.links(pair), known ? [known] : []);
    this.say(chain.kind === 'whole', `the record of ${pair} is broken: ${JSON.stringify(chain)}`);
    if (chain.kind === 'whole' && chain.head) this.#heads.set(pair, chain.head);
    const told = (await records.read(pair)).map((it) => it.happening);
    for (const { name, runId } of verified) {
      const isTold = told.some((it) => it.kind === 'verified' && it.equal && it.name === name);
      this.say(isTold, `the record does not tell that ${name} of ${pair} was verified`);
      const status = (await ledger.loadRun(runId))?.run.status;
      const isEndTold = told.some((it) => it.kind === 'run-ended' && it.runId === runId && it.status === status);
      this.say(status === 'open' || isEndTold, `the record does not tell that the run of ${name} of ${pair} ${status}`);
    }
  }

  /** After all: the replicas are what the sources are, nobody holds anything, and no slot has a second snapshot. */
  async settled(lab: Lab, good: readonly string[]): Promise<void> {
    for (const bucket of this.#buckets) {
      const { lease } = await lab.pair(bucket);
      // That of an execution which a person stopped is free for everybody.
      const isHeld = lease !== null && (good.includes(bucket) || (await lab.executions.isRunning(lease.execution)));
      this.say(!isHeld, `${bucket} is still in the hands of ${lease?.execution}`);
      const taken = lab.snapshots('source', bucket).map(({ name }) => {
        const [, slot = name, attempt] = /^(.*)-(\d+)$/.exec(name) ?? [];
        return { slot, attempt: Number(attempt) };
      });
      // One that goes on after a later slot was done takes a new one: the replica never goes back. What comes after a later attempt was taken by
      // a command that Run Command had given up.
      const isSecond = ({ slot, attempt }: (typeof taken)[number], n: number): boolean =>
        slot === taken[n - 1]?.slot && taken.slice(0, n).every((it) => it.slot !== slot || it.attempt < attempt);
      this.say(!taken.some(isSecond), `a slot of ${bucket} has two snapshots`);
    }
    for (const bucket of good) {
      const [newest] = await lab.points(bucket);
      this.say(newest?.state === 'verified', `all runs succeeded and the point of ${bucket} is ${newest?.state}`);
      const source = this.#tree(bucket, 'source');
      const isSame = source === this.#tree(bucket, 'source', newest?.name) && source === this.#tree(bucket, 'replica');
      this.say(isSame, `all runs succeeded and the replica of ${bucket} is not what the source is`);
    }
  }
}

/** A batch and what it hands over, from the first one to verified points of all buckets that can have one. */
export class BatchTrial extends Trial<BatchPromises> {
  readonly #scenario: BatchScenario;
  readonly #buckets: readonly string[];
  #bucket = '';

  constructor(scenario: BatchScenario, strike: Strike | undefined) {
    const buckets = [...GOOD, ...(scenario.fails === null ? [] : [scenario.fails])];
    super(
      {
        work: 'backup-batch',
        isWithoutEvents: scenario.isWithoutEvents ?? false,
        promises: new BatchPromises(buckets),
        lab: { mode: scenario.mode, buckets },
        troubles: {},
      },
      strike,
    );
    this.#scenario = scenario;
    this.#buckets = buckets;
  }

  protected override async prepare(): Promise<void> {
    const { fails, changed, isAway } = this.#scenario;
    for (const bucket of this.#buckets) this.lab.source.change(FIRST, bucket);
    if (fails !== null) this.lab.ozone.run('ozone', ['sh', 'bucket', 'delete', `o3://dr/${fails}`]);
    await this.#together('next slot');
    this.lab.advance(HOUR_MS);
    if (isAway === 'before') {
      this.lab.ozone.setFaults([AWAY]);
      await this.#together('next slot');
      this.lab.ozone.setFaults([]);
      this.lab.advance(HOUR_MS);
    }
    if (changed !== null) this.lab.source.change(CHANGES, changed);
    // One command asks a service that is away once.
    if (isAway === 'at first') this.lab.ozone.setFaults([{ ...AWAY, times: 1 }]);
    this.told.length = 0;
  }

  protected override begin(work: Work): AsyncGenerator<Moment, Ended> {
    return work === 'backup'
      ? this.lab.start(this.slot, this.#bucket, this.functions, work)
      : this.lab.startBatch(this.slot, this.#buckets, this.functions);
  }

  protected override attempt(onward: Onward): Promise<Ended> {
    const isAlone = onward === 'same slot' && this.#scenario.again === 'alone';
    return isAlone ? this.#alone(this.#buckets, onward) : this.#together(onward);
  }

  /** What the fleet makes of an item of several runs. */
  async #together(onward: Onward): Promise<Ended> {
    const ended = await this.run(onward, 'backup-batch');
    const output = ended.status === 'SUCCEEDED' ? BatchOutput.parse(ended.output) : undefined;
    // Somebody stopped the batch: with the fleet above it, or without.
    if (!output) return this.#scenario.again === 'alone' ? this.#alone(this.#buckets, 'same slot') : ended;
    const { handedOver, results } = output;
    const alone = await this.#alone(
      handedOver.map(({ bucket }) => bucket),
      'same slot',
    );
    const failed = results.find(({ status, bucket }) => status === 'failed' && bucket !== this.#scenario.fails);
    if (failed) return { status: 'FAILED', error: failed.bucket, cause: failed.reason, runId: null };
    return results.some(({ reason }) => reason.startsWith('RunAlreadyOpen')) ? ELSEWHERE : alone;
  }

  /** Each in an execution of its own. @returns how the last one ended that did not succeed, if there is one */
  async #alone(buckets: readonly string[], onward: Onward): Promise<Ended> {
    let all: Ended = { status: 'SUCCEEDED', output: {}, runId: null };
    const outer = this.#bucket;
    for (const bucket of buckets) {
      this.#bucket = bucket;
      const ended = await this.run(onward, 'backup');
      this.#bucket = outer;
      if (bucket === this.#scenario.fails) continue;
      if (ended.status === 'FAILED') all = ended;
      else if ('error' in ended.output && ended.output.error === 'RunAlreadyOpen') all = ELSEWHERE;
    }
    return all;
  }

  protected override async isOver(ended: Ended): Promise<boolean> {
    if (ended.status === 'FAILED') return false;
    await this.promises.settled(this.lab, GOOD);
    return true;
  }

  /** One more slot: what changed is one increment, and nothing else is copied. */
  protected override async oneMore(): Promise<void> {
    this.strikes.rest();
    this.lab.source.change([{ op: 'put', path: 'afterwards', size: 3, seed: 3 }], 'sales/three');
    await this.untilNextSlot();
    const before = this.promises.copies.length;
    const ended = await this.#together('next slot');
    this.promises.say(await this.isOver(ended), 'the slot after convergence did not succeed');
    const copied = this.promises.copies.slice(before).map(({ bucket, isFull }) => `${bucket} ${isFull}`);
    this.promises.say(
      JSON.stringify(copied) === JSON.stringify(['sales/three false']),
      `the slot after convergence copied ${JSON.stringify(copied)}`,
    );
  }
}

const ELSEWHERE: Ended = { status: 'FAILED', error: 'RunAlreadyOpen', cause: '', runId: null };
