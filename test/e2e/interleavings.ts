import fc from 'fast-check';
import { expect } from 'vitest';
import { PruneOutcome } from '../../functions/core/domain/backup-step.ts';
import type { PolicyMode } from '../../functions/core/domain/policy.ts';
import { RestorePlanned } from '../../functions/core/domain/restore.ts';
import { isDrError } from '../../functions/core/errors.ts';
import { type Ended, type Functions, type Moment, type Work, wrapped } from '../in-process-edge/execution.ts';
import { HostDied } from '../in-process-edge/host.ts';
import { type Between, Lab, type Side } from '../in-process-edge/lab.ts';
import { type Command, eventOf } from '../in-process-edge/run-command.ts';
import type { Change } from '../ozone-simulator/change.ts';
import { crashPoints } from '../ozone-simulator/faults/points.ts';
import { intercept, Promises } from './crash-matrix-promises.ts';
import { type Keeps, retentionOf } from './deletion-promises.ts';
import { isScratch } from './restore-promises.ts';

/** One thing that happens. Numbers choose among what there is at that moment, modulo how much there is. */
export type Action =
  | { readonly kind: 'start'; readonly again: boolean; readonly work: Work }
  /** A person restores a point, confirming the last plan if there is one, or drills one. */
  | {
      readonly kind: 'restore';
      readonly how: 'side' | 'in-place' | 'drill';
      readonly again: boolean;
      readonly which: number;
    }
  /** An execution goes on until others may act. */
  | { readonly kind: 'go'; readonly which: number }
  /** A waiting command is done, its event arrives, and its execution goes on. */
  | { readonly kind: 'work' }
  | { readonly kind: 'deliver' }
  /** Any command, ended or cancelled or not, arrives at its host once more. */
  | { readonly kind: 'deliver-again'; readonly which: number }
  | { readonly kind: 'event'; readonly which: number }
  | { readonly kind: 'sweep' }
  | { readonly kind: 'stop'; readonly which: number }
  /** The n-th program that a host starts is the last thing it does, before or after. */
  | { readonly kind: 'host-dies'; readonly moment: 'before' | 'after'; readonly program: number }
  /** A program dies at an effect, its host lives. */
  | { readonly kind: 'program-dies'; readonly point: number; readonly after: boolean; readonly nth: number }
  | { readonly kind: 'away'; readonly side: Side }
  | { readonly kind: 'healthy' }
  | { readonly kind: 'diff-goes-wrong'; readonly how: 'omits' | 'fails' | 'slow'; readonly entry: number }
  /** Whatever function has the n-th effect from now on dies before it or after it, between two writes as well. */
  | { readonly kind: 'function-dies'; readonly effect: number; readonly after: boolean }
  /** Run Command takes the command and the caller never hears of it. */
  | { readonly kind: 'send-unheard' }
  | { readonly kind: 'write'; readonly side: Side; readonly what: number; readonly seed: number }
  /** A person decides about a point. */
  | { readonly kind: 'decide'; readonly word: 'pin' | 'unpin'; readonly which: number }
  /** Somebody else deletes a snapshot of ours. */
  | { readonly kind: 'delete'; readonly side: Side; readonly which: number }
  /** Somebody else takes the name of a snapshot that is gone. */
  | { readonly kind: 'take-name'; readonly which: number }
  | { readonly kind: 'jump'; readonly seconds: number };

const which = fc.nat(7);
const side = fc.constantFrom<Side>('source', 'replica');

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 90, arbitrary: fc.constant<Action>({ kind: 'work' }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('go' as const), which }) },
  {
    weight: 30,
    arbitrary: fc.record({
      kind: fc.constant('start' as const),
      again: fc.boolean(),
      work: fc.constantFrom<Work>('backup', 'backup', 'prune'),
    }),
  },
  {
    weight: 14,
    arbitrary: fc.record({
      kind: fc.constant('restore' as const),
      how: fc.constantFrom('side' as const, 'in-place' as const, 'in-place' as const, 'drill' as const),
      again: fc.boolean(),
      which: fc.nat(3),
    }),
  },
  { weight: 5, arbitrary: fc.constant<Action>({ kind: 'deliver' }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('deliver-again' as const), which: fc.nat(40) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('event' as const), which: fc.nat(40) }) },
  { weight: 4, arbitrary: fc.constant<Action>({ kind: 'sweep' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stop' as const), which }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('host-dies' as const),
      moment: fc.constantFrom('before' as const, 'after' as const),
      program: fc.nat(2),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('program-dies' as const),
      point: fc.nat(crashPoints.length - 1),
      after: fc.boolean(),
      nth: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('away' as const), side }) },
  { weight: 6, arbitrary: fc.constant<Action>({ kind: 'healthy' }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('diff-goes-wrong' as const),
      how: fc.constantFrom('omits' as const, 'fails' as const, 'slow' as const),
      entry: fc.integer({ min: 1, max: 5 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('function-dies' as const), effect: fc.nat(15), after: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.constant<Action>({ kind: 'send-unheard' }) },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      side: fc.constantFrom<Side>('source', 'source', 'source', 'source', 'replica'),
      what: fc.nat(5),
      seed: fc.nat(1000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('decide' as const),
      word: fc.constantFrom('pin' as const, 'unpin' as const),
      which: fc.nat(40),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), side, which: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('take-name' as const), which: fc.nat(40) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('jump' as const),
      seconds: fc.constantFrom(61, 700, 1900, 4000, 86_400, 172_801),
    }),
  },
);

export interface Story {
  readonly mode: PolicyMode;
  /** What went well before: nothing yet, some points, or a prune too that condemned some of them. */
  readonly before: 'nothing' | 'points' | 'condemned points';
  readonly actions: readonly Action[];
}

export const stories: fc.Arbitrary<Story> = fc.record({
  mode: fc.constantFrom<PolicyMode>('incremental-or-resync', 'incremental-or-resync', 'incremental', 'resync'),
  before: fc.constantFrom<Story['before']>('nothing', 'points', 'condemned points', 'condemned points'),
  actions: fc.array(action, { minLength: 40, maxLength: 150, size: 'max' }),
});

/** What a function that was killed looks like to the state machine: nothing that it would try again by itself. */
class FunctionDied extends Error {
  override readonly name = 'Sandbox.Timedout';
}

/** A grace of an hour, so that a story has time for a few prunes that delete. */
const KEEPS: Keeps = { source: 1, replica: 2, graceHours: 1 };

interface Live {
  readonly slot: string;
  readonly work: Work;
  /** Of a restore: what was asked for. */
  readonly request: object;
  readonly play: AsyncGenerator<Moment, Ended>;
  moment: Moment;
}

/** A story as it happens, with the promises checked after everything that happens. */
export class Telling {
  readonly lab: Lab;
  readonly ends = new Map<string, number>();
  readonly #mode: PolicyMode;
  readonly #live: Live[] = [];
  /** The last plan of a restore in place, and the words that confirm it. */
  #words: object | undefined;
  readonly #slots: Record<Work, string[]> = {
    backup: [],
    'backup-batch': [],
    prune: [],
    restore: [],
    drill: [],
    failover: [],
    failback: [],
  };
  readonly #promises: Promises;
  #deadly: { moment: 'before' | 'after'; left: number } | undefined;
  #fatal: { readonly after: boolean; left: number } | undefined;
  /** The function that is at work. */
  #call: { died: FunctionDied | undefined } | undefined;
  #isSendUnheard = false;
  #hasStranger = false;
  /** A stranger deleted snapshots of ours. */
  #isRobbed = false;

  constructor(mode: PolicyMode) {
    this.#mode = mode;
    this.#promises = new Promises({ mode, hasStrangers: true, mayFallBack: true, keeps: KEEPS });
    this.lab = new Lab({
      mode,
      retention: retentionOf(KEEPS),
      around: (moment) => this.#around(moment),
      between: this.#between,
    });
    this.#promises.watch(this.lab);
    const { send } = this.lab.runCommand;
    Object.assign(this.lab.runCommand, {
      send: async (...given: Parameters<typeof send>) => {
        const sent = await send(...given);
        if (!this.#isSendUnheard) return sent;
        this.#isSendUnheard = false;
        throw new FunctionDied('the answer of SendCommand never came');
      },
    });
    this.lab.source.change([
      { op: 'put', path: 'd0/f0', size: 10, seed: 1 },
      { op: 'put', path: 'd1/f1', size: 20, seed: 2 },
    ]);
  }

  #around(moment: 'before' | 'after'): void {
    if (this.#deadly?.moment !== moment) return;
    this.#deadly.left -= 1;
    if (this.#deadly.left >= 0) return;
    this.#deadly = undefined;
    throw new HostDied('the host was switched off');
  }

  readonly #between: Between = (name, port) => {
    const promised = this.#promises.between(name, port);
    return name === 'ozone' || name === 'host' ? promised : intercept(promised, (_, __, go) => this.#effect(go));
  };

  /** A function that was killed has no further effect. */
  async #effect(go: () => unknown): Promise<unknown> {
    const call = this.#call;
    if (!call) return go();
    this.#mayDie(call, false);
    const result = await go();
    this.#mayDie(call, true);
    return result;
  }

  #mayDie(call: { died: FunctionDied | undefined }, after: boolean): void {
    if (call.died) throw call.died;
    if (this.#fatal?.after !== after) return;
    this.#fatal.left -= 1;
    if (this.#fatal.left >= 0) return;
    this.#fatal = undefined;
    call.died = new FunctionDied('it was killed');
    throw call.died;
  }

  async tell({ before, actions }: Story): Promise<void> {
    await this.lab.expand();
    // The first rules of a policy count from the third day on.
    this.lab.advance(3 * 24 * 3_600_000);
    for (let n = 1; n <= (before === 'nothing' ? 0 : 4); n++) {
      this.lab.source.change([{ op: 'put', path: `before/f${n}`, size: n, seed: n }]);
      await this.lab.backUp(new Date(this.lab.now).toISOString());
      this.lab.advance(4_000_000);
    }
    if (before === 'condemned points') await this.lab.prune(new Date(this.lab.now).toISOString());
    this.lab.advance(1000);
    for (const it of actions) {
      await this.#happen(it);
      await this.#expire();
      await this.check();
    }
    await this.converge();
  }

  #mortal<R>(work: (event: unknown) => Promise<R>): (event: unknown) => Promise<R> {
    return async (event) => {
      const call: { died: FunctionDied | undefined } = { died: undefined };
      this.#call = call;
      try {
        const result = await work(event);
        if (call.died) throw call.died;
        return result;
      } catch (error) {
        throw call.died ?? error;
      } finally {
        this.#call = undefined;
      }
    };
  }

  /** Nobody notices when an event or a sweep is lost: the next sweep finds what it left. */
  async #unheard(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!(error instanceof FunctionDied)) throw error;
    }
  }

  #functions(): Functions {
    return wrapped(this.lab.functions, (work) => this.#mortal(work));
  }

  #count(what: string, times = 1): void {
    this.ends.set(what, (this.ends.get(what) ?? 0) + times);
  }

  #countPruned(ended: Ended): void {
    const { success, data } = PruneOutcome.safeParse(ended.status === 'SUCCEEDED' ? ended.output : null);
    if (!success) return;
    for (const what of ['deleted', 'condemned', 'spared'] as const) this.#count(what, data[what]);
  }

  /** One more moment of an execution; a wait passes. */
  async #go(live: Live | undefined): Promise<void> {
    if (!live) return;
    if (live.moment.kind === 'wait') this.lab.advance(live.moment.seconds * 1000);
    const next = await live.play.next();
    if (!next.done) {
      live.moment = next.value;
      return;
    }
    this.#live.splice(this.#live.indexOf(live), 1);
    this.#promises.restores.ended(live.work, next.value, false);
    const plan = next.value.status === 'SUCCEEDED' ? RestorePlanned.safeParse(next.value.output).data : undefined;
    if (plan) this.#words = { ...live.request, plan: plan.plan, confirmation: plan.confirmation };
    if (next.value.status === 'SUCCEEDED' && 'kind' in next.value.output) this.#count(String(next.value.output.kind));
    this.#countPruned(next.value);
    this.#count(next.value.status === 'SUCCEEDED' ? 'succeeded' : next.value.error);
  }

  async #happen(it: Action): Promise<void> {
    const { lab } = this;
    const { runCommand, ozone } = lab;
    const live = (n: number): Live | undefined => this.#live[n % Math.max(1, this.#live.length)];
    switch (it.kind) {
      case 'start': {
        if (this.#live.length >= 3) return;
        const slots = this.#slots[it.work];
        const last = slots.at(-1);
        const slot = it.again && last !== undefined ? last : new Date(lab.now).toISOString();
        if (slot !== last) slots.push(slot);
        this.#live.push({
          slot,
          work: it.work,
          request: {},
          play: lab.start(slot, undefined, this.#functions(), it.work),
          moment: { kind: 'entered', state: '' },
        });
        return;
      }
      case 'restore':
        return this.#restore(it);
      case 'go':
        return this.#go(live(it.which));
      case 'work': {
        const one = live(0);
        if (one?.moment.kind !== 'token') return this.#go(one);
        const [command] = runCommand.pending();
        if (command) {
          lab.deliver(command);
          await this.#unheard(this.#mortal(lab.settle)(eventOf(command)));
        }
        return this.#go(one);
      }
      case 'deliver': {
        const [command] = runCommand.pending();
        if (command) lab.deliver(command);
        return;
      }
      case 'deliver-again': {
        const { commands } = runCommand;
        const command = commands[it.which % Math.max(1, commands.length)];
        if (command && !(await this.#isExpired(command))) runCommand.deliverAgain(command);
        return;
      }
      case 'event': {
        const { commands } = runCommand;
        const command = commands[commands.length - 1 - (it.which % Math.max(1, commands.length))];
        if (command) await this.#unheard(this.#mortal(lab.settle)(eventOf(command)));
        return;
      }
      case 'sweep':
        lab.advance(60_000);
        await this.#unheard(this.#mortal(lab.sweep)(undefined));
        return;
      case 'stop': {
        const one = live(it.which);
        if (!one) return;
        await one.play.return(STOPPED);
        this.#promises.restores.ended(one.work, STOPPED, true);
        this.#live.splice(this.#live.indexOf(one), 1);
        return this.#count('stopped');
      }
      case 'host-dies':
        this.#deadly = { moment: it.moment, left: it.program };
        return;
      case 'program-dies': {
        const point = crashPoints[it.point] ?? 'key-put';
        return ozone.setFaults([
          {
            id: 'dies',
            times: 1,
            effect: { kind: 'crash', point: `${it.after ? 'after' : 'before'}:${point}`, nth: it.nth },
          },
        ]);
      }
      case 'away':
        return ozone.setFaults([
          { id: 'away', effect: { kind: 'unreachable', service: it.side === 'source' ? 'prod' : 'dr' } },
        ]);
      case 'healthy':
        return ozone.setFaults([]);
      case 'diff-goes-wrong':
        return ozone.setFaults([
          {
            id: 'diff',
            times: 4,
            match: { program: 'ozone' },
            effect:
              it.how === 'omits'
                ? { kind: 'diff-omits', service: 'prod', entry: it.entry }
                : it.how === 'fails'
                  ? { kind: 'diff-fails', service: 'prod', reason: 'of an Ozone bug' }
                  : { kind: 'diff-slow', service: 'prod', ms: it.entry * 20_000 },
          },
        ]);
      case 'function-dies':
        this.#fatal = { after: it.after, left: it.effect };
        return;
      case 'send-unheard':
        this.#isSendUnheard = true;
        return;
      case 'write': {
        // A stranger in a replica that was never copied to makes it a bucket that is not ours: another story.
        if (it.side === 'replica' && !this.#promises.hadBase) return;
        if (it.side === 'replica') this.#hasStranger = true;
        return this.#write(it.side, it.what, it.seed);
      }
      case 'decide':
        return this.#decide(it.word, it.which);
      case 'delete':
        return this.#deleteAsStranger(it.side, it.which);
      case 'take-name':
        return this.#takeName(it.which);
      case 'jump':
        return lab.advance(it.seconds * 1000);
    }
  }

  /**
   * Run Command keeps to its own time-outs: what it has not delivered by then never arrives. Copies are safe without
   * that, by their fence; of deletions, and of what makes a scratch bucket, the product relies on it.
   */
  async #isExpired({ parameters: { operation, verb } }: Command): Promise<boolean> {
    const isRelied = verb === 'delete' || verb === 'create-bucket';
    const known = isRelied ? await this.lab.operations.load(operation) : undefined;
    return known !== undefined && known.deadline <= this.lab.now;
  }

  async #expire(): Promise<void> {
    for (const command of this.lab.runCommand.pending())
      if (await this.#isExpired(command)) command.state = { kind: 'ended', status: 'DeliveryTimedOut', output: '' };
  }

  async #restore({ how, again, which }: Extract<Action, { kind: 'restore' }>): Promise<void> {
    if (this.#live.length >= 3) return;
    const work = how === 'drill' ? 'drill' : 'restore';
    const slots = this.#slots[work];
    const last = slots.at(-1);
    const slot = again && last !== undefined ? last : new Date(this.lab.now).toISOString();
    if (slot !== last) slots.push(slot);
    const points = await this.lab.ledger.livingPoints(this.lab.pairId);
    const point = points[which % Math.max(1, points.length)]?.name;
    if (!point) return;
    const inPlace = { point, target: 'in-place', overwrite: 'if-different', deleteExtra: true };
    const request = how === 'in-place' ? (this.#words ?? inPlace) : { point };
    if (how === 'in-place' && !again) this.#words = undefined;
    const play = this.lab.startWith({ ...request, slot }, this.#functions(), work);
    this.#live.push({ slot, work, request, play, moment: { kind: 'entered', state: '' } });
  }

  async #decide(word: string, which: number): Promise<void> {
    const { pair } = await this.lab.pair();
    const points = await this.lab.ledger.livingPoints(pair);
    const point = points[which % Math.max(1, points.length)];
    if (!point) return;
    try {
      await this.#unheard(this.#mortal(() => this.lab.decide(`${word} sales/orders ${point.name}`))(undefined));
      this.#count(word);
    } catch (error) {
      // It is being deleted at this moment.
      if (!isDrError(error, 'NotConfirmed')) throw error;
      this.#count(`${word} refused`);
    }
  }

  #deleteAsStranger(side: Side, which: number): void {
    const { deletions, hadBase } = this.#promises;
    const snapshots = this.lab.snapshots(side).filter(({ name }) => name.startsWith('odr-nightly-'));
    const snapshot = snapshots[which % Math.max(1, snapshots.length)];
    if (!snapshot || !hadBase) return;
    this.#isRobbed = true;
    deletions.deleting(null, () => this.#asStranger('delete', side, snapshot.name));
  }

  #takeName(which: number): void {
    const gone = [...this.#promises.deletions.vanished.values()];
    const one = gone[which % Math.max(1, gone.length)];
    if (one) this.#asStranger('create', one.side, one.name);
  }

  #asStranger(word: 'create' | 'delete', side: Side, name: string): void {
    const bucket = `o3://${side === 'source' ? 'prod' : 'dr'}/sales/orders`;
    // A cluster that is away, or a name that is not free yet: then it does not happen.
    const { exit } = this.lab.ozone.run('ozone', ['sh', 'snapshot', word, bucket, name]);
    if (exit === 0) this.#count(`${word}d by a stranger`);
  }

  /** Changes that find nothing to change do nothing. */
  #write(side: Side, what: number, seed: number): void {
    const file = `d${seed % 3}/f${(seed >> 2) % 4}`;
    const directory = `d${seed % 3}`;
    const changes: readonly Change[] = [
      { op: 'put', path: file, size: 1 + (seed % 50), seed },
      { op: 'rm', path: file },
      { op: 'rmr', path: directory },
      { op: 'mv', path: directory, to: `d${(seed >> 3) % 5}` },
      { op: 'mv', path: file, to: `d${(seed >> 3) % 3}/g${seed % 4}` },
      { op: 'mkdir', path: `d${seed % 5}/e${seed % 2}` },
    ];
    const change = changes[what];
    try {
      if (change && side === 'source') this.#promises.restores.wrote('prod/sales/orders', [change]);
      else if (change) this.lab[side].change([change]);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }

  /** The promises that hold at every moment. */
  async check(): Promise<void> {
    await this.#promises.check();
    expect(this.#promises.broken).toEqual([]);
  }

  /** All troubles are over: within two further runs there is a verified point of what the source holds now; prunes too. */
  async converge(): Promise<void> {
    this.lab.ozone.setFaults([]);
    this.#deadly = undefined;
    this.#fatal = undefined;
    this.#isSendUnheard = false;
    for (const { play, work } of this.#live) {
      await play.return(STOPPED);
      this.#promises.restores.ended(work, STOPPED, true);
    }
    const told: string[] = [];
    for (let run = 1; run <= 2; run++) {
      this.lab.advance(5000);
      const { status, steps, ...end } = await this.lab.backUp(new Date(this.lab.now).toISOString());
      await this.check();
      const cause = 'cause' in end ? `${end.error}: ${end.cause}` : '';
      told.push(`${status} ${cause} after ${steps.map((it) => it.decision.kind).join(', ')}`);
      if (status === 'SUCCEEDED') {
        this.#count(`converged in ${run}`);
        const [newest] = await this.lab.points();
        expect(newest?.state, told.join('\n')).toBe('verified');
        expect(this.lab.tree('replica')).toEqual(this.lab.tree('source', newest?.name));
        expect(this.lab.tree('source', newest?.name)).toEqual(this.lab.tree('source'));
        await this.#promises.check({ whole: true });
        expect(this.#promises.broken).toEqual([]);
        return this.#convergePrunes();
      }
    }
    // Under this policy it is a person's to decide what becomes of a stranger's work, and of a lineage without its base.
    const last = told.at(-1) ?? '';
    const isForeign = (this.#hasStranger || this.#isRobbed) && last.startsWith('FAILED ReplicaChanged');
    const isRobbed = this.#isRobbed && /^FAILED (NoCommonPoint|Diverged)/.test(last);
    if (this.#mode === 'incremental' && (isForeign || isRobbed)) {
      const { foreignChange, base } = await this.lab.pair();
      if (isForeign) expect(foreignChange).not.toBeNull();
      else expect(base && this.#promises.deletions.isGoneSomewhere(base)).toBe(true);
      await this.#promises.check({ whole: true });
      expect(this.#promises.broken).toEqual([]);
      this.#count('left to a person');
      return this.#convergePrunes();
    }
    expect.fail(`it did not converge:\n${told.join('\n')}`);
  }

  /** Within two further prunes ledger, record and clusters agree, and what is not needed is gone or waits. */
  async #convergePrunes(): Promise<void> {
    const told: string[] = [];
    for (let run = 1; run <= 2; run++) {
      this.lab.advance(4_000_000);
      const begun = this.lab.now;
      const { steps, ...ended } = await this.lab.prune(new Date(begun).toISOString());
      await this.check();
      this.#countPruned(ended);
      const disagreements = await this.#promises.deletions.disagreements(begun);
      told.push(JSON.stringify({ ended, steps: steps.map(({ decision }) => decision.kind), disagreements }));
      if (ended.status === 'SUCCEEDED' && disagreements.length === 0) {
        this.#count(`prunes converged in ${run}`);
        return this.#convergeDrills();
      }
    }
    expect.fail(`prunes did not converge:\n${told.join('\n')}`);
  }

  /** One drill later no scratch bucket, no pin and no lease is left. */
  async #convergeDrills(): Promise<void> {
    // What strangers deleted cannot be drilled.
    const isThere = (await this.lab.points()).some(({ state }) => state === 'verified');
    if (this.#isRobbed || !isThere) return;
    this.lab.advance(4_000_000);
    const { status, steps, ...ended } = await this.lab.drill();
    await this.#promises.check({ whole: true });
    await this.#promises.restores.settled();
    expect(this.#promises.broken).toEqual([]);
    const told = `${JSON.stringify(ended)} after ${steps.map(({ decision }) => decision.kind).join(', ')}`;
    expect(status, told).toBe('SUCCEEDED');
    expect(this.#promises.restores.buckets().filter(isScratch), told).toEqual([]);
    this.#count('drills converged');
  }
}

const STOPPED: Ended = { status: 'FAILED', error: 'States.Aborted', cause: '', runId: null };
