import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { PolicyMode } from '../../functions/core/domain/policy.ts';
import { BatchOutput, type Ended, type Moment } from '../in-process-edge/execution.ts';
import { HostDied } from '../in-process-edge/host.ts';
import { Lab } from '../in-process-edge/lab.ts';
import { type Command, eventOf } from '../in-process-edge/run-command.ts';
import { CHANGES, FIRST } from './crash-matrix-backups.ts';
import { BatchPromises } from './crash-matrix-batches.ts';
import { intercept } from './crash-matrix-promises.ts';

const numRuns = Number(process.env.MOVED_COPIES ?? 20);
const seed = Number(process.env.MOVED_COPIES_SEED ?? 20_261_123);
const HOUR_MS = 3_600_000;
const BUCKETS = ['sales/one', 'sales/two', 'sales/three', 'sales/four'];

/** One thing that happens. Numbers choose among what there is at that moment, modulo how much there is. */
type Action =
  /** The fleet starts a slot's batch. */
  | { readonly kind: 'slot'; readonly again: boolean }
  | { readonly kind: 'write'; readonly bucket: number; readonly seed: number }
  /** An execution goes on until others may act; a wait passes. */
  | { readonly kind: 'go'; readonly which: number }
  | { readonly kind: 'deliver'; readonly which: number; readonly isHeard: boolean }
  /** Any command, ended or cancelled or not, arrives at its host once more. */
  | { readonly kind: 'deliver-again'; readonly which: number }
  /** A copy that was held up arrives. */
  | { readonly kind: 'late'; readonly which: number }
  | { readonly kind: 'sweep' }
  | { readonly kind: 'stop'; readonly which: number }
  /** The n-th program that a host starts is the last thing it does, before or after. */
  | { readonly kind: 'host-dies'; readonly moment: 'before' | 'after'; readonly program: number }
  | { readonly kind: 'jump'; readonly seconds: number };

const which = fc.nat(40);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 60, arbitrary: fc.record({ kind: fc.constant('go' as const), which }) },
  {
    weight: 40,
    arbitrary: fc.record({
      kind: fc.constant('deliver' as const),
      which,
      isHeard: fc.constantFrom(true, true, true, false),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('slot' as const), again: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('write' as const), bucket: fc.nat(3), seed: fc.nat(1000) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('deliver-again' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('late' as const), which }) },
  { weight: 4, arbitrary: fc.constant<Action>({ kind: 'sweep' }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('stop' as const), which }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('host-dies' as const),
      moment: fc.constantFrom('before' as const, 'after' as const),
      program: fc.nat(3),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('jump' as const), seconds: fc.constantFrom(61, 700, 4000, 86_400) }),
  },
);

interface Live {
  readonly slot: string;
  readonly play: AsyncGenerator<Moment, Ended>;
  readonly isBatch: boolean;
  moment: Moment | undefined;
}

/** Run Command keeps to its own time-outs: what it has not delivered by then never arrives. */
interface HeldUp {
  readonly command: Command;
  readonly deadline: number;
}

/** Batches of buckets that changed, on a replica whose hosts have a place for one copy each. */
class Night {
  readonly #promises = new BatchPromises(BUCKETS);
  readonly #lab: Lab;
  readonly #live: Live[] = [];
  readonly #copies = new Set<Command>();
  readonly #heldUp: HeldUp[] = [];
  readonly #holds: readonly boolean[];
  #slot = '';
  /** What a host works on at this moment. */
  #delivered: Command | undefined;
  #deadly: { readonly moment: 'before' | 'after'; left: number } | undefined;

  /** @param holds which copies, in the order of their commands, are held up, over and over */
  constructor(mode: PolicyMode, holds: readonly boolean[]) {
    this.#holds = holds;
    this.#lab = new Lab({
      mode,
      buckets: BUCKETS,
      hasNarrowHosts: true,
      between: (name, port) => this.#promises.between(name, name === 'ozone' ? this.#meeting(port) : port),
      around: (moment) => {
        if (this.#deadly?.moment !== moment) return;
        this.#deadly.left -= 1;
        if (this.#deadly.left >= 0) return;
        this.#deadly = undefined;
        throw new HostDied('the host was switched off');
      },
    });
    this.#promises.watch(this.#lab);
  }

  /** @returns how many copies of a bucket began on another host than its copy before */
  async tell(actions: readonly Action[]): Promise<number> {
    for (const bucket of BUCKETS) this.#lab.source.change(FIRST, bucket);
    await this.#untilAllEnd('slot');
    this.#lab.advance(HOUR_MS);
    for (const bucket of BUCKETS) this.#lab.source.change(CHANGES, bucket);
    for (const it of actions) {
      await this.#happen(it);
      await this.#check();
    }
    this.#deadly = undefined;
    await this.#untilAllEnd();
    for (let more = 1; more <= 2; more += 1) {
      this.#lab.advance(HOUR_MS);
      await this.#untilAllEnd('slot');
      await this.#check();
    }
    for (const it of this.#heldUp) this.#arrive(it);
    await this.#check();
    for (const bucket of BUCKETS) {
      expect((await this.#lab.points(bucket))[0]?.state).toBe('verified');
      expect(this.#lab.tree('replica', undefined, bucket)).toEqual(this.#lab.tree('source', undefined, bucket));
    }
    return this.#moves();
  }

  /** In the middle of a copy every other host gets what was held up for it. */
  #meeting<P extends object>(ozone: P): P {
    return intercept(ozone, (method, [program], go) => {
      const current = this.#delivered;
      if (method === 'run' && program === 'hadoop' && current) {
        this.#delivered = undefined;
        for (const it of this.#heldUp) if (it.command.host !== current.host) this.#arrive(it);
        this.#delivered = current;
      }
      return go();
    });
  }

  #arrive({ command, deadline }: HeldUp): void {
    if (this.#lab.now < deadline) this.#lab.runCommand.deliverAgain(command);
  }

  #moves(): number {
    const last = new Map<string, string>();
    const copies = this.#lab.runCommand.commands.filter(({ parameters }) => parameters.verb === 'replicate');
    return copies.filter(({ host, parameters: { source } }) => {
      const before = last.get(source);
      last.set(source, host);
      return before !== undefined && before !== host;
    }).length;
  }

  async #check(): Promise<void> {
    await this.#promises.check();
    expect(this.#promises.broken).toEqual([]);
  }

  #start(again: boolean): void {
    if (!again || this.#slot === '') this.#slot = new Date(this.#lab.now).toISOString();
    this.#add(this.#slot, this.#lab.startBatch(this.#slot, BUCKETS), true);
  }

  #add(slot: string, play: Live['play'], isBatch = false): void {
    this.#live.push({ slot, play, isBatch, moment: undefined });
  }

  /** One more moment of an execution. What a batch hands over is begun at once, and so is all of a batch that failed, as the fleet does. */
  async #go(live: Live | undefined): Promise<void> {
    if (!live) return;
    if (live.moment?.kind === 'wait') this.#lab.advance(live.moment.seconds * 1000);
    const next = await live.play.next();
    if (!next.done) {
      live.moment = next.value;
      return;
    }
    this.#live.splice(this.#live.indexOf(live), 1);
    if (!live.isBatch) return;
    const ended = next.value;
    const alone =
      ended.status === 'SUCCEEDED' ? BatchOutput.parse(ended.output).handedOver.map(({ bucket }) => bucket) : BUCKETS;
    for (const bucket of alone) this.#add(live.slot, this.#lab.start(live.slot, bucket));
  }

  /** What is under way and not held up: some copies are, and arrive by `late` or when all is over. */
  async #pending(): Promise<readonly Command[]> {
    const pending = this.#lab.runCommand.pending();
    for (const command of pending) {
      if (command.parameters.verb !== 'replicate' || this.#copies.has(command)) continue;
      const operation = await this.#lab.operations.load(command.parameters.operation);
      if (operation && this.#holds[this.#copies.size % this.#holds.length])
        this.#heldUp.push({ command, deadline: operation.deadline });
      this.#copies.add(command);
    }
    return pending.filter((it) => !this.#heldUp.some(({ command }) => command === it));
  }

  async #deliver(which: number, isHeard: boolean): Promise<boolean> {
    const pending = await this.#pending();
    const command = pending[which % Math.max(1, pending.length)];
    if (!command) return false;
    this.#delivered = command;
    this.#lab.deliver(command);
    this.#delivered = undefined;
    if (isHeard) await this.#lab.settle(eventOf(command));
    return true;
  }

  async #happen(it: Action): Promise<void> {
    const { runCommand } = this.#lab;
    switch (it.kind) {
      case 'slot':
        if (this.#live.length < 6) this.#start(it.again);
        return;
      case 'write':
        return this.#lab.source.change(
          [{ op: 'put', path: `written-${it.seed % 5}`, size: 1 + (it.seed % 50), seed: it.seed }],
          BUCKETS[it.bucket],
        );
      case 'go':
        return this.#go(this.#live[it.which % Math.max(1, this.#live.length)]);
      case 'deliver':
        await this.#deliver(it.which, it.isHeard);
        return;
      case 'deliver-again': {
        const command = runCommand.commands[it.which % Math.max(1, runCommand.commands.length)];
        if (command) runCommand.deliverAgain(command);
        return;
      }
      case 'late':
        for (const late of this.#heldUp.splice(it.which % Math.max(1, this.#heldUp.length), 1)) this.#arrive(late);
        return;
      case 'sweep':
        this.#lab.advance(60_000);
        await this.#lab.sweep();
        return;
      case 'stop': {
        const one = this.#live[it.which % Math.max(1, this.#live.length)];
        if (!one) return;
        await one.play.return({ status: 'FAILED', error: 'States.Aborted', cause: '', runId: null });
        this.#live.splice(this.#live.indexOf(one), 1);
        return;
      }
      case 'host-dies':
        this.#deadly = { moment: it.moment, left: it.program };
        return;
      case 'jump':
        return this.#lab.advance(it.seconds * 1000);
    }
  }

  /** Everything that is under way goes on in turns, all commands arrive, until nothing is. */
  async #untilAllEnd(begin?: 'slot'): Promise<void> {
    if (begin) this.#start(false);
    for (let turns = 0; this.#live.length > 0; turns += 1) {
      if (turns > 2000) throw new Error('it never ends');
      for (const live of [...this.#live]) await this.#go(live);
      while (await this.#deliver(0, true));
      if (turns % 20 === 19) {
        // What was held up is waited for until its deadline.
        this.#lab.advance(600_000);
        await this.#lab.sweep();
      }
    }
  }
}

it('random nights in which copies of a batch move to a host with room keep every promise, whatever dies or comes late', async () => {
  let moves = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<PolicyMode>('incremental', 'incremental-or-resync', 'resync'),
      fc.array(fc.constantFrom(false, false, true), { minLength: 10, maxLength: 10 }),
      fc.array(action, { minLength: 60, maxLength: 200, size: 'max' }),
      async (mode, holds, actions) => {
        moves += await new Night(mode, holds).tell([{ kind: 'slot', again: false }, ...actions]);
      },
    ),
    { numRuns, seed, interruptAfterTimeLimit: 300_000, markInterruptAsFailure: true },
  );
  console.log(`${numRuns} nights, ${moves} copies on another host than the one before`);
  expect(moves).toBeGreaterThan(numRuns / 10);
}, 600_000);
